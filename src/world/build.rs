//! What is served is built from files and keys: children before their parents, whose cuts they are.
//!
//! Pure. A zone wants keys when it first has content.

use crate::config::Policy;
use crate::dns::name::{self, Name};
use crate::world::zones::Keys;
use crate::world::{WasSigned, World};
use crate::zone::content::Delegation;
use std::collections::{BTreeMap, BTreeSet};

impl World {
    /// Whether a zone is signed, and how. A zone that was ever signed here stays so until its keys have been rolled to
    /// insecure: switching it off at once would make it bogus everywhere (STAY_SECURE).
    pub(super) fn settings(&self, apex: &Name) -> (bool, Policy) {
        let past = self.zones.get(apex).map(|zone| zone.past.signed);
        self.settings_of(apex, past.unwrap_or_default())
    }

    /// The same where it was signed like this.
    pub(super) fn settings_of(&self, apex: &Name, past: WasSigned) -> (bool, Policy) {
        let text = apex.to_string();
        let text = text.trim_end_matches('.');
        let parent_is_ours = self.parent_of(apex).is_some();
        let is_wanted = self.config.zone_settings(text).signed;
        let signed = is_wanted || past == WasSigned::Signed;
        (signed, self.config.policy_for(text, parent_is_ours))
    }

    pub(super) fn parent_of(&self, apex: &Name) -> Option<Name> {
        name::ancestors(apex).skip(1).find_map(|suffix| self.zones.get_key_value(suffix)).map(|(name, _)| name.clone())
    }

    /// The highest of the zones served here that lead to this one; none where one of those above it is unsigned.
    fn entry_of(&self, apex: &Name) -> Option<Name> {
        let mut entry = apex.clone();
        while let Some(parent) = self.parent_of(&entry) {
            if !self.settings(&parent).0 {
                return None;
            }
            entry = parent;
        }
        Some(entry)
    }

    /// Builds all content that needs it, children before parents, whose cuts they are.
    pub(super) fn build(&mut self) {
        self.cover();
        let mut apexes: Vec<Name> = self.zones.keys().cloned().collect();
        apexes.sort_by_key(|apex| std::cmp::Reverse(name::label_count(apex)));
        let mut children: BTreeMap<Name, Vec<Delegation>> = BTreeMap::new();
        for apex in &apexes {
            let parent = self.parent_of(apex);
            let (signed, policy) = self.settings(apex);
            let Some(zone) = self.zones.get_mut(apex) else { continue };
            zone.parent.clone_from(&parent);
            if zone.covered.is_some() {
                continue;
            }
            if matches!(zone.keys, Keys::Wanted | Keys::None) && (zone.signed, &zone.policy) != (signed, &policy) {
                zone.signed = signed;
                zone.policy = policy;
                zone.keys = if signed { Keys::Wanted } else { Keys::None };
            }
            let entry = match zone.keys {
                Keys::Wanted if zone.has_content() => Some(self.entry_of(apex)),
                Keys::Wanted | Keys::None | Keys::Loaded(_) | Keys::Silent(_) => None,
            };
            let Some(zone) = self.zones.get_mut(apex) else { continue };
            if let Some(entry) = entry {
                zone.entry = entry;
                self.wants_keys = true;
            }
            let mut own = children.remove(apex).unwrap_or_default();
            own.sort_by(|a, b| a.apex.cmp(&b.apex));
            zone.build_content(own);
            if let Some((parent, delegation)) = parent.zip(zone.delegation()) {
                children.entry(parent).or_default().push(delegation);
            }
        }
        self.count_held();
    }
}

/// Whether one of these zones is this one, or below it: what is free for its tenants may be other then.
pub(super) fn is_above(apex: &Name, zones: &BTreeSet<Name>) -> bool {
    zones.contains(apex) || zones.iter().any(|zone| name::ancestors(zone).any(|suffix| suffix == &**apex))
}
