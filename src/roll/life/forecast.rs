//! What will happen in a life, and when: the engine itself, run ahead on a copy of the facts.
//!
//! Pure. It assumes that all goes well: what is served is seen at once, and others do what they are asked. Each step says what
//! it assumes. The facts that are given never change.

use super::Facts;
use super::drive::{World, live};
use super::plan::{FactOf, Plan, Subject};
use crate::time::UnixTime;

/// Steps of one calendar, at most: a decade of a zone whose keys roll every month.
const STEPS_MAX: usize = 2000;
/// Looks without a step, at most: each one is some wait that ends.
const LOOKS_MAX: usize = 50_000;

/// Something to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// When, at the earliest.
    pub at: UnixTime,
    /// The step's verb, or another word for what may be done from then on.
    pub verb: &'static str,
    /// In words.
    pub text: String,
    /// What it is assumed that others do before; empty: nothing.
    pub assumes: &'static str,
}

/// What is to come, and what it was made of.
#[derive(Clone, Debug)]
pub struct Forecast<F: Facts> {
    /// The steps in their order.
    pub steps: Vec<Planned>,
    /// The facts that it began with.
    pub start: F,
    /// Every fact on the way with its moment, those of others among them.
    pub taken: Vec<(UnixTime, F::Fact)>,
    /// What all of them add up to.
    pub end: F,
}

/// What one subject is foretold by: what its decisions go by beside facts, and what others are assumed to do.
pub trait Outlook<S: Subject> {
    /// Decides what comes next; nothing in its surroundings stands in the way.
    fn decide(&self, facts: &S::Facts, now: UnixTime) -> Plan<S>;

    /// What a step is recorded as; a key that is still to be made is invented. None: it cannot be followed any further.
    fn fact(&mut self, facts: &S::Facts, step: &S::Step) -> Option<FactOf<S>>;

    /// What is told of a step that is about to be taken.
    fn planned(&mut self, facts: &S::Facts, step: &S::Step, now: UnixTime) -> Planned;

    /// The fact that all that is served up to a record was seen.
    fn seen(&self, through: u64, now: UnixTime) -> FactOf<S>;

    /// A fact is taken in.
    fn note(&mut self, _fact: &FactOf<S>, _now: UnixTime) {}

    /// What happens where nothing is to be done before `next`.
    fn meanwhile(&mut self, facts: &S::Facts, now: UnixTime, next: UnixTime) -> Meanwhile<FactOf<S>>;
}

/// What happens while nothing is to be done.
pub struct Meanwhile<F> {
    /// Facts with their moments.
    pub facts: Vec<(UnixTime, F)>,
    /// When it is looked at again.
    pub until: UnixTime,
    /// Whether what is served is seen once more then.
    pub is_seen: bool,
}

/// All steps until `until`, from these facts. Those that are known to become facts at once are in `first`.
pub fn forecast<S: Subject>(
    outlook: &mut impl Outlook<S>,
    start: S::Facts,
    first: Vec<FactOf<S>>,
    now: UnixTime,
    until: UnixTime,
) -> Forecast<S::Facts> {
    let facts = start.clone();
    let mut ahead = Ahead { outlook, facts, now, is_unseen: true, steps: Vec::new(), taken: Vec::new() };
    for fact in first {
        ahead.note(fact);
    }
    for _ in 0..LOOKS_MAX {
        if live(&mut ahead, until).is_err() {
            break;
        }
    }
    let Ahead { steps, taken, facts, .. } = ahead;
    Forecast { steps, start, taken, end: facts }
}

/// A world in which all goes well.
struct Ahead<'o, S: Subject, O> {
    outlook: &'o mut O,
    facts: S::Facts,
    now: UnixTime,
    /// Whether something is served that was not seen yet.
    is_unseen: bool,
    steps: Vec<Planned>,
    taken: Vec<(UnixTime, FactOf<S>)>,
}

/// Nothing more can be foretold.
struct Over;

impl<S: Subject, O: Outlook<S>> Ahead<'_, S, O> {
    /// A fact that cannot follow changes nothing; false then.
    fn note(&mut self, fact: FactOf<S>) -> bool {
        self.outlook.note(&fact, self.now);
        let follows = self.facts.take(&fact, self.now).is_ok();
        if follows {
            self.taken.push((self.now, fact));
        }
        follows
    }
}

impl<S: Subject, O: Outlook<S>> World<S> for Ahead<'_, S, O> {
    type End = Over;

    /// What is served is seen on the wire at once.
    fn see(&mut self) -> Result<(), Over> {
        if std::mem::take(&mut self.is_unseen) {
            self.note(self.outlook.seen(self.facts.records, self.now));
        }
        Ok(())
    }

    fn decide(&mut self) -> Plan<S> {
        self.outlook.decide(&self.facts, self.now)
    }

    fn fact(&mut self, step: &S::Step) -> Result<Option<FactOf<S>>, Over> {
        self.outlook.fact(&self.facts, step).map(Some).ok_or(Over)
    }

    fn record(&mut self, step: &S::Step, fact: FactOf<S>) -> Result<bool, Over> {
        if self.steps.len() >= STEPS_MAX {
            return Err(Over);
        }
        self.steps.push(self.outlook.planned(&self.facts, step, self.now));
        if self.note(fact) { Ok(true) } else { Err(Over) }
    }

    fn publish(&mut self) -> Result<(), Over> {
        self.is_unseen = true;
        Ok(())
    }

    fn pass(&mut self, plan: &Plan<S>, until: UnixTime) -> Result<(), Over> {
        let next = plan.wake_at.max(self.now.after(1));
        if next > until {
            return Err(Over);
        }
        let meanwhile = self.outlook.meanwhile(&self.facts, self.now, next);
        for (at, fact) in meanwhile.facts {
            self.now = at;
            self.note(fact);
        }
        (self.now, self.is_unseen) = (meanwhile.until, meanwhile.is_seen);
        Ok(())
    }
}
