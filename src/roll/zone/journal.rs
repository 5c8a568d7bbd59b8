//! What the journal of a zone's keys tells, in the form that all journals have.
//!
//! Pure.

use super::facts::Fact;
use super::fold::ZoneFacts;
use crate::roll::life::{Facts, Record};
use crate::time::{Seconds, UnixTime};

impl Facts for ZoneFacts {
    type Fact = Fact;
    const RESUME: &'static str = "`mxseal keys resume`";

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
        self.first.is_some()
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

    /// A zone has some facts a roll, and how many there were tells an old copy of its folder: all are kept.
    fn condensed(_records: &[Record<Fact>]) -> Option<Vec<Record<Fact>>> {
        None
    }

    fn bounded(fact: Fact) -> Fact {
        fact.bounded()
    }
}
