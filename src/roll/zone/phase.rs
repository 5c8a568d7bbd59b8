//! The phase of a key, computed from the facts and the moment.
//!
//! No phase is ever stored: it follows from what caches may hold.

use super::fold::{Caution, KeyFacts, ZoneFacts};
use crate::sign::key::Role;
use crate::time::{Seconds, UnixTime};

/// Where a key is in its life. See the table in [`super`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Made and stored, never published.
    Staged,
    /// Published, and some caches may hold the RRset without it.
    Rumoured,
    /// Published everywhere, and not used.
    Ready,
    /// In use.
    Active,
    /// Used no more, still published (or still signing what nobody needs).
    Retiring,
    /// Withdrawn.
    Removed,
    /// Its private half is wiped.
    Destroyed,
}

impl Phase {
    /// The word for it in tables, JSON and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Staged => "staged",
            Phase::Rumoured => "rumoured",
            Phase::Ready => "ready",
            Phase::Active => "active",
            Phase::Retiring => "retiring",
            Phase::Removed => "removed",
            Phase::Destroyed => "destroyed",
        }
    }

    /// The phase of a key at `now`.
    pub fn of(facts: &ZoneFacts, key: &KeyFacts, margin: Seconds, now: UnixTime) -> Phase {
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
