//! What the journal of a zone's keys tells, in the form that all journals have.
//!
//! Pure.

use super::facts::Fact;
use super::fold::ZoneFacts;
use crate::roll::life::{Facts, Written};
use crate::time::{Seconds, UnixTime};
use std::ops::{Deref, DerefMut};

impl Deref for ZoneFacts {
    type Target = Written;

    fn deref(&self) -> &Written {
        &self.written
    }
}

impl DerefMut for ZoneFacts {
    fn deref_mut(&mut self) -> &mut Written {
        &mut self.written
    }
}

/// A zone has some facts a roll, and how many there were tells an old copy of its folder: none is left out of its journal.
impl Facts for ZoneFacts {
    type Fact = Fact;
    const RESUME: &'static str = "`mxseal keys resume`";
    const FIRST: &'static str = "first_keys_intended";

    fn is_first(fact: &Fact) -> bool {
        matches!(fact, Fact::FirstKeysIntended { .. })
    }

    fn fold(&mut self, fact: &Fact, at: UnixTime) -> Result<(), String> {
        self.apply_fact(fact, at)
    }

    fn doubted(reason: String) -> Fact {
        Fact::Doubted { reason }
    }

    fn clock_corrected(by: Seconds) -> Fact {
        Fact::ClockCorrected { by }
    }

    fn bounded(fact: Fact) -> Fact {
        fact.bounded()
    }
}
