//! What a journal tells: facts in their order, and what they add up to.
//!
//! Pure. Zones and pools have facts of their own kinds, and journals of one form.

use super::hosts;
use super::zone::facts::{Fact, Record};
use super::zone::fold::ZoneFacts;
use crate::time::UnixTime;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What the facts of one journal add up to.
pub trait Told: Default + Clone {
    /// Its facts.
    type Fact: Clone + Serialize + DeserializeOwned;
    /// What an operator does who has looked at what was in doubt.
    const RESUME: &'static str;

    /// Number of records.
    fn records(&self) -> u64;

    /// The record that would say `fact` next.
    fn next_record(&self, fact: Self::Fact, now: UnixTime) -> Record<Self::Fact>;

    /// Takes the next record in.
    ///
    /// # Errors
    /// Why it cannot follow; nothing is changed then.
    fn apply(&mut self, record: &Record<Self::Fact>) -> Result<(), String>;

    /// The fact that the past is not certain.
    fn doubted(reason: String) -> Self::Fact;

    /// The records that are needed, where not all are: they add up to the same for all that is decided.
    fn condensed(records: &[Record<Self::Fact>]) -> Option<Vec<Record<Self::Fact>>>;

    /// The same fact, with reasons that people gave cut to what a fact keeps.
    fn bounded(fact: Self::Fact) -> Self::Fact;
}

impl Told for ZoneFacts {
    type Fact = Fact;
    const RESUME: &'static str = "`mxseal keys resume`";

    fn records(&self) -> u64 {
        self.records
    }

    fn next_record(&self, fact: Fact, now: UnixTime) -> Record {
        self.next_record(fact, now)
    }

    fn apply(&mut self, record: &Record) -> Result<(), String> {
        self.apply(record)
    }

    fn doubted(reason: String) -> Fact {
        Fact::Doubted { reason }
    }

    /// A zone has some facts a roll, and how many there were tells an old copy of its folder: all are kept.
    fn condensed(_records: &[Record]) -> Option<Vec<Record>> {
        None
    }

    fn bounded(fact: Fact) -> Fact {
        fact.bounded()
    }
}

impl Told for hosts::fold::PoolFacts {
    type Fact = hosts::facts::Fact;
    const RESUME: &'static str = "`mxseal cert resume`";

    fn records(&self) -> u64 {
        self.records
    }

    fn next_record(&self, fact: hosts::facts::Fact, now: UnixTime) -> Record<hosts::facts::Fact> {
        self.next_record(fact, now)
    }

    fn apply(&mut self, record: &Record<hosts::facts::Fact>) -> Result<(), String> {
        self.apply(record)
    }

    fn doubted(reason: String) -> hosts::facts::Fact {
        hosts::facts::Fact::Doubted { reason }
    }

    fn condensed(records: &[Record<hosts::facts::Fact>]) -> Option<Vec<Record<hosts::facts::Fact>>> {
        hosts::condense::condensed(records)
    }

    fn bounded(fact: hosts::facts::Fact) -> hosts::facts::Fact {
        fact.bounded()
    }
}
