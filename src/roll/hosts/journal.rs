//! What the journal of a pool tells, in the form that all journals have.
//!
//! Pure.

use super::facts::Fact;
use super::fold::PoolFacts;
use crate::roll::life::{Facts, Record, Written};
use crate::time::{Seconds, UnixTime};
use std::ops::{Deref, DerefMut};

impl Deref for PoolFacts {
    type Target = Written;

    fn deref(&self) -> &Written {
        &self.written
    }
}

impl DerefMut for PoolFacts {
    fn deref_mut(&mut self) -> &mut Written {
        &mut self.written
    }
}

impl Facts for PoolFacts {
    type Fact = Fact;
    const RESUME: &'static str = "`mxseal cert resume`";
    const FIRST: &'static str = "pool_began";

    fn is_first(fact: &Fact) -> bool {
        matches!(fact, Fact::PoolBegan { .. })
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

    fn condensed(records: &[Record<Fact>]) -> Option<Vec<Record<Fact>>> {
        super::condense::condensed(records)
    }

    fn bounded(fact: Fact) -> Fact {
        fact.bounded()
    }
}
