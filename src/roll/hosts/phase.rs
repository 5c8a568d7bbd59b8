//! The phase of a key of hosts, computed from facts.
//!
//! Pure. Other than a zone's key, it is in use where a file names it or a host shows it.

use super::fold::{Caution, KeyFacts};
use super::seen::Hosts;
use super::step::ready_at;
use crate::roll::life::phase::Phase;
use crate::time::UnixTime;

impl KeyFacts {
    /// Where it is in its life at `now`. `is_desired`: its TLSA is to be served on. See the table in [`super`].
    pub fn phase(&self, hosts: &Hosts<'_>, is_desired: bool, now: UnixTime) -> Phase {
        let Hosts { facts, wanted, policy, .. } = hosts;
        let is_ready = || ready_at(facts, self.spki, Caution::Expiry, policy).is_some_and(|at| at < now);
        match self {
            KeyFacts { destroyed: Some(_), .. } => Phase::Destroyed,
            KeyFacts { removed: Some(_), .. } => Phase::Removed,
            KeyFacts { published: None, .. } => Phase::Staged,
            _ if !is_desired => Phase::Retiring,
            _ if wanted.current.contains_key(&self.spki) => Phase::Active,
            _ if !facts.shown_by(self.spki).is_empty() => Phase::Active,
            _ if is_ready() => Phase::Ready,
            _ => Phase::Rumoured,
        }
    }
}
