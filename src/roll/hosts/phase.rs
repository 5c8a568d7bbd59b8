//! The phase of a key of hosts, computed from facts: nothing stores it.
//!
//! Pure. It is what people and calendars are told; no step is decided by it.

use super::fold::{Caution, KeyFacts, PoolFacts};
use super::step::ready_at;
use super::{Policy, Wanted};
use crate::time::UnixTime;

/// How far a key of hosts has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostKeyPhase {
    /// It is kept here, and its TLSA was never served.
    Staged,
    /// Its TLSA is served, and some cache may hold TLSA without it.
    Rumoured,
    /// All caches know its TLSA: hosts may be given it.
    Ready,
    /// A certificate file names it, or a host shows it.
    Active,
    /// Its TLSA is served, and nothing asks for it any more.
    Retiring,
    /// Its TLSA is served no more.
    Removed,
    /// Its private half is wiped.
    Destroyed,
}

impl HostKeyPhase {
    /// The phase of `key` at `now`. `is_desired`: its TLSA is to be served on.
    pub fn of(
        facts: &PoolFacts,
        key: &KeyFacts,
        (wanted, is_desired): (&Wanted, bool),
        policy: &Policy,
        now: UnixTime,
    ) -> HostKeyPhase {
        let is_ready = || ready_at(facts, key.spki, Caution::Expiry, policy).is_some_and(|at| at < now);
        match key {
            KeyFacts { destroyed: Some(_), .. } => HostKeyPhase::Destroyed,
            KeyFacts { removed: Some(_), .. } => HostKeyPhase::Removed,
            KeyFacts { published: None, .. } => HostKeyPhase::Staged,
            _ if !is_desired => HostKeyPhase::Retiring,
            _ if wanted.current.contains_key(&key.spki) => HostKeyPhase::Active,
            _ if !facts.shown_by(key.spki).is_empty() => HostKeyPhase::Active,
            _ if is_ready() => HostKeyPhase::Ready,
            _ => HostKeyPhase::Rumoured,
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            HostKeyPhase::Staged => "staged",
            HostKeyPhase::Rumoured => "rumoured",
            HostKeyPhase::Ready => "ready",
            HostKeyPhase::Active => "active",
            HostKeyPhase::Retiring => "retiring",
            HostKeyPhase::Removed => "removed",
            HostKeyPhase::Destroyed => "destroyed",
        }
    }
}
