//! How parents of zones are looked at, and told that CDS changed.

use crate::control::foresee;
use crate::control::thread::Mind;
use crate::diagnostic::Diagnostic;
use crate::dns::name::Name;
use crate::observe::observer::{Look, WantedLook};
use crate::world::World;
use crate::world::zones::{Keys, ZoneState};
use std::net::SocketAddr;
use std::sync::Arc;

impl Mind {
    /// How the parent of a zone is looked at; none where that cannot be said now.
    pub(super) fn parent_look(&self, zone: &ZoneState, through: u64) -> Option<Look> {
        let Some(parent) = &zone.parent else {
            let (parents, anchors) = (self.parents(&zone.apex), Arc::clone(self.eyes.anchors.as_ref()?));
            return Some(Look::Parent { parents, anchors, ahead: self.lives.clock.spread() });
        };
        let keys = match &self.world.zones.get(parent)?.keys {
            Keys::None => None,
            Keys::Loaded(set) => Some(set.published.iter().map(|(key, _)| key.dnskey_data()).collect()),
            Keys::Wanted | Keys::Silent(_) => return None,
        };
        Some(Look::OwnParent { zone: Box::new(parent.clone()), keys, through })
    }

    fn parents(&self, apex: &Name) -> Vec<SocketAddr> {
        let text = apex.to_string();
        self.basis.config.zone_settings(text.trim_end_matches('.')).parents
    }

    /// The parent is told that CDS changed, where it wants to be (RFC 9859).
    pub(super) fn tell_parent(&self, apex: &Name) {
        if let (Some(observer), Some(anchors)) = (&self.eyes.observer, &self.eyes.anchors) {
            let parents = self.parents(apex);
            let ahead = self.lives.clock.spread();
            let look = Look::Tell { parents, anchors: Arc::clone(anchors), ahead };
            // Where there is no place for it the parent finds out by itself.
            drop(observer.ask(WantedLook { zone: apex.clone(), look }));
        }
    }

    /// Reads where trust begins; without it no parent of others is asked.
    pub(super) fn read_anchors(&mut self) -> Option<Diagnostic> {
        let (anchors, fault) = foresee::anchors(&self.basis.config);
        self.eyes.anchors = anchors.map(Arc::new);
        fault
    }
}

/// Why the parent zone of a zone gives no answer, where it is served here.
pub(super) fn silent_parent(world: &World, zone: &ZoneState) -> Option<String> {
    world.zones.get(zone.parent.as_ref()?)?.why_not_served()
}
