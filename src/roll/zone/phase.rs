//! The phase of a zone's key, computed from the facts and the moment.
//!
//! Pure. It follows from what caches may hold.

use super::fold::{Caution, KeyFacts, ZoneFacts};
use crate::roll::life::phase::Phase;
use crate::sign::key::Role;
use crate::time::{Seconds, UnixTime};

impl KeyFacts {
    /// Where it is in its life at `now`. See the table in [`super`].
    pub fn phase(&self, facts: &ZoneFacts, margin: Seconds, now: UnixTime) -> Phase {
        let key = self;
        if key.destroyed.is_some() {
            return Phase::Destroyed;
        }
        if key.removed.is_some() && !key.signs_data() {
            return Phase::Removed;
        }
        let signs = key.signs_data();
        let is_entry = facts.ds_wanted.has(key.id);
        let was_used = key.retired.is_some() || (key.role != Role::Zsk && key.outgoing.is_some());
        match key.is_published() {
            _ if key.removed.is_some() => Phase::Retiring,
            _ if signs || is_entry => Phase::Active,
            false => Phase::Staged,
            true if was_used => Phase::Retiring,
            true if is_everywhere(facts, key, margin, now) => Phase::Ready,
            true => Phase::Rumoured,
        }
    }
}

/// Whether no cache may hold a DNSKEY RRset without the key.
fn is_everywhere(facts: &ZoneFacts, key: &KeyFacts, margin: Seconds, now: UnixTime) -> bool {
    let history = facts.history(now, Caution::Expiry, margin);
    history.keys.iter().all(|keys| keys.what.published.has(key.id))
}
