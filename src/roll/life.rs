//! What all that lives by facts has in common: records of facts in their order, and what they add up to.
//!
//! Pure. Each subject has facts of its own kinds; their journals have one form.

pub mod drive;
pub mod forecast;
pub mod phase;
pub mod plan;
pub mod refusal;

use crate::time::{Seconds, UnixTime};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::ops::DerefMut;

/// How long the private half of a removed key is kept: time to bring it back by hand, and of a zone's key its tag stays taken.
pub const TOMBSTONE: Seconds = 30 * 86_400;
/// Records of one instance carry this generation; it grows when instances share a journal.
const GENERATION: u64 = 1;

/// One record of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record<F> {
    /// 1 for the first, then one more each; a gap is damage.
    pub sequence: u64,
    /// Seconds since 1970 when it was written, by the signing clock.
    pub time: u64,
    /// Generation of the writer; never falls.
    pub generation: u64,
    /// Fencing token of the writer; 0 with one instance.
    pub token: u64,
    /// What happened.
    pub fact: F,
}

impl<F> Record<F> {
    /// Whether it is the next one after so many records, the last of which was written by this generation.
    ///
    /// # Errors
    /// Why it is not.
    pub fn follows(&self, records: u64, generation: u64) -> Result<(), String> {
        if self.sequence != records + 1 {
            return Err(format!("record {} stands where {} belongs", self.sequence, records + 1));
        }
        if self.generation < generation {
            return Err(format!("generation {} follows {generation}", self.generation));
        }
        Ok(())
    }
}

/// How far a journal has come, whatever it tells of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Number of records.
    pub records: u64,
    /// Moment of the newest record.
    pub time: UnixTime,
    /// Seconds by which the clock was corrected, in all.
    pub corrected: Seconds,
    /// Generation of the last writer; 0 before the first record.
    generation: u64,
}

/// What the facts of one journal add up to, beside how far it has come: every one *is* such a journal, so it is read as one.
pub trait Facts: Default + Clone + DerefMut<Target = Written> {
    /// Its facts.
    type Fact: Clone + Serialize + DeserializeOwned;
    /// What an operator does who has looked at what was in doubt.
    const RESUME: &'static str;
    /// The kind of its first record, as the journal has it.
    const FIRST: &'static str;

    /// Whether a fact is of the kind of the first record.
    fn is_first(fact: &Self::Fact) -> bool;

    /// Changes what the next fact, which becomes the next record, says to have changed.
    ///
    /// # Errors
    /// Why it cannot follow; nothing is changed then.
    fn fold(&mut self, fact: &Self::Fact, at: UnixTime) -> Result<(), String>;

    /// The fact that the past is not certain.
    fn doubted(reason: String) -> Self::Fact;

    /// The fact that the signing clock went forward by this much without having counted it.
    fn clock_corrected(by: Seconds) -> Self::Fact;

    /// The records that are needed, where not all are: they add up to the same for all that is decided. Where a journal grows
    /// by some facts a year, all are.
    fn condensed(_records: &[Record<Self::Fact>]) -> Option<Vec<Record<Self::Fact>>> {
        None
    }

    /// The same fact, with reasons that people gave cut to what a fact keeps.
    fn bounded(fact: Self::Fact) -> Self::Fact;

    /// The record that would say `fact` next.
    fn next_record(&self, fact: Self::Fact, now: UnixTime) -> Record<Self::Fact> {
        let generation = self.generation.max(GENERATION);
        Record { sequence: self.records + 1, time: now.0, generation, token: 0, fact }
    }

    /// What is to be recorded before anything is decided by a clock that has this much to its credit; none: nothing.
    fn correction(&self, credited: Seconds) -> Option<Self::Fact> {
        let by = credited.saturating_sub(self.corrected);
        (by > 0 && self.records > 0).then(|| Self::clock_corrected(by))
    }

    /// Takes the next fact in.
    ///
    /// # Errors
    /// Why it cannot follow; nothing is changed then.
    fn take(&mut self, fact: &Self::Fact, at: UnixTime) -> Result<(), String> {
        if Self::is_first(fact) != (self.records == 0) {
            return Err(format!("the first record, and only that, is {}", Self::FIRST));
        }
        self.fold(fact, at)?;
        self.records += 1;
        self.time = self.time.max(at);
        Ok(())
    }

    /// Takes the next record in.
    ///
    /// # Errors
    /// Why it cannot follow; nothing is changed then.
    fn apply(&mut self, record: &Record<Self::Fact>) -> Result<(), String> {
        record.follows(self.records, self.generation)?;
        self.take(&record.fact, UnixTime(record.time))?;
        self.generation = record.generation;
        Ok(())
    }
}
