//! What the journal of a pool tells, in the form that all journals have.
//!
//! Pure.

use super::facts::Fact;
use super::fold::PoolFacts;
use crate::roll::life::{Facts, Record};
use crate::time::{Seconds, UnixTime};

impl Facts for PoolFacts {
    type Fact = Fact;
    const RESUME: &'static str = "`mxseal cert resume`";

    fn records(&self) -> u64 {
        self.records
    }

    fn generation(&self) -> u64 {
        self.generation
    }

    fn note_generation(&mut self, generation: u64) {
        self.generation = generation;
    }

    fn has_begun(&self) -> bool {
        self.began
    }

    fn corrected(&self) -> Seconds {
        self.corrected
    }

    fn take(&mut self, fact: &Fact, at: UnixTime) -> Result<(), String> {
        self.take(fact, at)
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
