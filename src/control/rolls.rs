//! The keys of each zone as they roll: what is recorded of them, what is served of it, and whether that was seen.
//!
//! [`crate::roll`] decides; here its steps are made. A fact is durable before anything follows from it, a key set proves
//! itself before it is recorded, and nothing counts as served that was not seen on the wire.

pub mod build;
pub mod clock;
pub mod import;
pub mod limits;
mod numbers;
pub mod past;
mod seen;
pub mod steps;
mod told;
mod unread;
pub mod zone;

pub use clock::Shift;
pub use zone::{ParentSigned, ZoneRoll};

use crate::diagnostic::Diagnostic;
use crate::dns::name::Name;
use crate::observe::asker::Asker;
use crate::roll::zone::facts::Fact;
use crate::roll::zone::words;
use crate::store::proof::unproved;
use crate::store::records::{Records, Unsigned};
use crate::store::silence::ASKING;
use crate::store::{Store, ZoneKeys};
use crate::time::Now;
use crate::world::zones::{Keys, ZoneState};
use past::Word;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// After a start, parents that others serve are first asked after this, at most: a server that starts has other things to
/// do, and one that is only tried asks nobody.
const PARENT_FIRST: Duration = Duration::from_secs(60);

/// All zones that have keys.
#[derive(Default)]
pub struct Rolls {
    /// The zones whose journals are open.
    pub zones: BTreeMap<Name, ZoneRoll>,
    /// How signatures cover all readings of the clocks.
    pub shift: Shift,
    /// Why no zone can be signed at all now.
    pub silence: Option<Diagnostic>,
    /// Why no zone may get its first keys here: another server may lead.
    pub elsewhere: Option<Diagnostic>,
    /// TTL of the records of tenants.
    pub tenants_ttl: u32,
    /// Zones whose journals say that they are unsigned, and that need not be open.
    unsigned: BTreeSet<Name>,
    /// What was published of each zone; none: not read yet.
    records: Option<Records>,
    /// Zones that were served unsigned, and the highest TTL that they had; none: not read yet.
    served_unsigned: Option<Unsigned>,
    /// Asks parents before first keys are made.
    pub asker: Asker,
    /// What people said about zones that are silent, for the next look at each.
    pub words: BTreeMap<Name, Word>,
    /// Zones whose first keys were made by this process.
    first_made: BTreeSet<Name>,
    /// Zones whose parents could not be asked before their first keys were made, and why.
    unasked: BTreeMap<Name, String>,
    /// Why what is published now is not kept.
    unkept: Option<String>,
}

impl Rolls {
    /// No zones yet.
    pub fn new(shift: Shift, tenants_ttl: u32) -> Rolls {
        Rolls { shift, tenants_ttl, ..Rolls::default() }
    }

    /// The keys of a zone: those that it has here already, or those of its folder, made at its first start.
    pub fn keys(&mut self, store: &Store, folder: &Path, zone: &ZoneState, now: Now) -> Keys {
        // Two servers would make different keys for one zone.
        let elsewhere = self.elsewhere.as_ref().filter(|_| !store.has_journal(&zone.apex));
        if let Some(reason) = self.silence.as_ref().or(elsewhere) {
            return Keys::Silent(reason.clone());
        }
        if self.zones.get(&zone.apex).is_none_or(|roll| roll.reread)
            && let Err(frozen) = self.open(store, zone, now)
        {
            // While its parent is asked, an unsigned zone stays what it is.
            let is_bare = frozen.code == ASKING && self.unsigned(store).ttl(&zone.apex.to_string()).is_some();
            return if is_bare { Keys::None } else { Keys::Silent(*frozen) };
        }
        let shift = self.shift;
        let Some(roll) = self.zones.get_mut(&zone.apex) else { return Keys::Wanted };
        if roll.facts().unsigned {
            self.unsigned.remove(&zone.apex);
            if !roll.sign_again(zone, shift, now) {
                // It has no DS, so that unsigned it is better served than not at all.
                return Keys::None;
            }
        }
        match roll.keys(zone, shift) {
            Ok(keys) => {
                if let Keys::Loaded(set) = &keys {
                    tracing::info!(ZONE = %zone.apex, KEY = %words::tag_list(&set.tags), "keys loaded and proved");
                }
                keys
            }
            Err(reason) => {
                roll.reread = true;
                Keys::Silent(unproved(folder, zone, reason))
            }
        }
    }

    /// Before a publication: the keys of zones that are served others than their facts ask for.
    pub fn renewed(&mut self, zones: &BTreeMap<Name, ZoneState>) -> Vec<(Name, Keys)> {
        let shift = self.shift;
        let renewed =
            |(apex, roll): (&Name, &mut ZoneRoll)| Some((apex.clone(), roll.renewed(zones.get(apex)?, shift)?));
        self.zones.iter_mut().filter_map(renewed).collect()
    }

    fn open(&mut self, store: &Store, zone: &ZoneState, now: Now) -> Result<(), Box<Diagnostic>> {
        self.zones.remove(&zone.apex);
        let layout = build::layout(&zone.policy);
        // Caches may hold what was served without signatures, and the first keys' own limits count from the start.
        let unsigned = self.unsigned_ttl(store, &zone.apex.to_string()).map(|ttl| Fact::ServedUnsigned { ttl });
        let limits = limits::written(&zone.policy, zone.written_ttl());
        let new_keys = match self.words.get(&zone.apex) {
            Some(Word::NewKeys(reason)) => Some(Fact::Resumed { reason: reason.clone() }),
            Some(Word::ServeOn(_)) | None => None,
        };
        let first: Vec<Fact> = unsigned.into_iter().chain([Fact::Limits(limits)]).chain(new_keys).collect();
        let may_begin = |begun| self.may_begin(store, zone, begun);
        let loaded = store.zone_keys_if(&zone.apex, layout, zone.policy.algorithm, &first, may_begin, now.signing);
        let loaded = loaded.map_err(|frozen| Box::new(frozen.diagnostic()))?;
        if loaded.is_new {
            self.first_made.insert(zone.apex.clone());
        }
        let mut roll = ZoneRoll::new(loaded, now);
        roll.note_silent(now);
        self.judge(store, &mut roll, &zone.apex, now)?;
        self.words.remove(&zone.apex);
        if zone.parent.is_none() {
            roll.parent.at += PARENT_FIRST.min(Duration::from_secs(zone.policy.parent_poll));
        }
        self.zones.insert(zone.apex.clone(), roll);
        Ok(())
    }

    /// Keys were brought in.
    pub fn take_in(&mut self, apex: &Name, loaded: ZoneKeys, now: Now) {
        self.unsigned.remove(apex);
        self.zones.insert(apex.clone(), ZoneRoll::new(loaded, now));
    }

    /// A key of this zone failed: its files are read again before it is served.
    pub fn distrust(&mut self, apex: &Name) {
        if let Some(roll) = self.zones.get_mut(apex) {
            roll.reread = true;
        }
    }

    /// Whether a zone is unsigned since its roll to insecure ended.
    pub fn is_unsigned(&mut self, store: &Store, apex: &Name) -> bool {
        if let Some(roll) = self.zones.get(apex) {
            return roll.facts().unsigned;
        }
        if !self.unsigned.contains(apex) && store.is_unsigned(apex) {
            self.unsigned.insert(apex.clone());
        }
        self.unsigned.contains(apex)
    }

    /// Zones that are gone have no open journal.
    pub fn keep_only(&mut self, is_there: impl Fn(&Name) -> bool) {
        self.zones.retain(|apex, _| is_there(apex));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Policy;
    use crate::diagnostic::Place;
    use crate::dns::name::ROOT;
    use crate::roll::zone::facts::Limits;

    const NAME: &str = "mx.example";

    /// A zone that is served with its first keys, and who leads them.
    fn served(folder: &Path) -> (Rolls, BTreeMap<Name, ZoneState>, Now) {
        let (store, now) = (Store::open(folder).expect("a store"), Now::read());
        let apex = Name::parse(NAME, ROOT).expect("a name");
        let mut zone = ZoneState::new(apex.clone(), NAME.to_owned(), true, Policy::shard());
        // Nobody above it is to be asked.
        zone.entry = None;
        let mut rolls = Rolls::new(Shift::default(), 300);
        zone.keys = rolls.keys(&store, folder, &zone, now);
        assert!(matches!(zone.keys, Keys::Loaded(_)));
        (rolls, BTreeMap::from([(apex, zone)]), now)
    }

    #[test]
    fn keys_are_made_anew_where_something_that_they_are_made_from_is_other_and_only_there() {
        type Change = fn(&mut Rolls, &mut ZoneState, Now);
        let changes: [(&str, Change, bool); 7] = [
            ("nothing", |_, _, _| (), false),
            (
                "a fact that shows nowhere",
                |rolls, _, now| {
                    let held = Fact::Held { reason: "a test".to_owned() };
                    rolls.zones.values_mut().for_each(|roll| assert!(roll.record(held.clone(), now)));
                },
                false,
            ),
            ("what the parent is told", |_, zone, _| zone.parent = Some(zone.apex.clone()), true),
            ("the clocks", |rolls, _, _| rolls.shift.after = 3600, true),
            ("the caps", |_, zone, _| zone.caps = Limits { dnskey_ttl: 60, ..zone.caps }, true),
            (
                "what is said of its keys",
                |rolls, _, _| {
                    let found = Diagnostic::warning("MX5505", Place::default(), "a key cannot be read".to_owned(), "");
                    rolls.zones.values_mut().for_each(|roll| roll.found.push(found.clone()));
                },
                true,
            ),
            (
                "a private half that is gone",
                |rolls, _, _| rolls.zones.values_mut().for_each(|roll| roll.private.clear()),
                false,
            ),
        ];
        for (what, change, is_other) in changes {
            let folder = tempfile::tempdir().expect("a folder");
            let (mut rolls, mut zones, now) = served(folder.path());
            zones.values_mut().for_each(|zone| change(&mut rolls, zone, now));
            let renewed = rolls.renewed(&zones);
            assert_eq!(renewed.len(), usize::from(is_other), "{what}");
            for (apex, keys) in renewed {
                zones.entry(apex).and_modify(|zone| zone.keys = keys);
            }
            assert_eq!(rolls.renewed(&zones).len(), 0, "{what}: only once");
        }
    }
}
