//! The keys of a zone as reports are told of them: what is known of them as a value.

use super::ZoneRoll;
use crate::report::keys::findings::KeysState;

impl ZoneRoll {
    /// What reports about them are made from. `zone` has no final dot.
    pub fn state<'a>(&'a self, zone: &'a str) -> KeysState<'a> {
        let (plan, ills) = (self.plan.as_ref(), self.ills());
        KeysState { zone, facts: self.facts(), plan, ills, failures: self.own.failures, faults: &self.own.faults }
    }
}
