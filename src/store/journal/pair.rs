//! Which of the two copies of a journal counts, and what is wrong with the other.
//!
//! Pure. It never believes a copy that is not whole, never chooses between two that tell different stories, and never
//! takes the loss of a journal for a fresh start.

use crate::roll::life::Facts;
use crate::store::journal::{Torn, ZoneFacts};

/// What was found under one of the two names. `F` is why it cannot be used.
#[derive(Debug)]
pub enum Found<F, Z = ZoneFacts> {
    /// Nothing.
    Missing,
    /// Something that is no journal, or that cannot be read.
    Unusable(F),
    /// A journal: its whole lines, what they add up to, and what was cut off behind them.
    Whole(Vec<u8>, Box<Z>, Option<Torn>),
}

/// The journal that counts.
#[derive(Debug)]
pub struct Pair<Z = ZoneFacts> {
    /// Its whole lines.
    pub content: Vec<u8>,
    /// What they add up to.
    pub facts: Z,
    /// The first file's last line, where it was not written to its end and is nowhere else.
    pub torn: Option<Torn>,
    /// What is wrong with the first file.
    pub first: Flaw,
    /// What is wrong with the second one.
    pub second: Flaw,
}

/// What is wrong with one of two files while the other one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing.
    None,
    /// It is not there.
    Missing,
    /// It lacks this number of records at its end.
    Shorter(u64),
    /// It cannot be used, and why.
    Unusable(String),
}

/// Why neither counts.
#[derive(Debug)]
pub enum Neither<F> {
    /// The first one cannot be used, and there is no second one that can.
    First(F),
    /// The first one is not there, and the second one cannot be used.
    Second(F),
    /// Both are whole, and neither is the beginning of the other.
    Apart,
}

/// Chooses. None where neither is there.
///
/// # Errors
/// [`Neither`]: someone must look.
pub fn choose<F: ToString, Z: Facts>(first: Found<F, Z>, second: Found<F, Z>) -> Result<Option<Pair<Z>>, Neither<F>> {
    use Found::{Missing, Unusable, Whole};
    let alone = |(content, facts, torn): (Vec<u8>, Box<Z>, Option<Torn>), first, second| {
        Ok(Some(Pair { content, facts: *facts, torn, first, second }))
    };
    match (first, second) {
        (Missing, Missing) => Ok(None),
        (Missing, Unusable(fault)) => Err(Neither::Second(fault)),
        (Unusable(fault), Missing | Unusable(_)) => Err(Neither::First(fault)),
        (Whole(content, facts, torn), Missing) => alone((content, facts, torn), Flaw::None, Flaw::Missing),
        (Whole(content, facts, torn), Unusable(fault)) => {
            alone((content, facts, torn), Flaw::None, Flaw::Unusable(fault.to_string()))
        }
        (Missing, Whole(content, facts, _)) => alone((content, facts, None), Flaw::Missing, Flaw::None),
        (Unusable(fault), Whole(content, facts, _)) => {
            alone((content, facts, None), Flaw::Unusable(fault.to_string()), Flaw::None)
        }
        (Whole(one, facts, torn), Whole(two, longer, _)) => match () {
            () if one == two => alone((one, facts, torn), Flaw::None, Flaw::None),
            () if one.starts_with(&two) => {
                let lacks = facts.records - longer.records;
                alone((one, facts, torn), Flaw::None, Flaw::Shorter(lacks))
            }
            () if two.starts_with(&one) => {
                let lacks = longer.records - facts.records;
                alone((two, longer, None), Flaw::Shorter(lacks), Flaw::None)
            }
            () => Err(Neither::Apart),
        },
    }
}
