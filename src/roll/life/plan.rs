//! What comes next in a life: the first step that is permitted, what the others wait for, and what a person must do.
//!
//! Pure. It decides and never acts: a dry run is deciding without acting. Each subject says which steps there are, what
//! keeps each of them, and which rule proves it; how a step is chosen is written here, once for all subjects.

use super::Facts;
use super::refusal::Refusal;
use crate::time::{Seconds, UnixTime};
use std::fmt::Debug;

/// When to look again where nothing is known to happen.
pub const LOOK_AGAIN: Seconds = 86_400;

/// A kind of things that live by facts.
pub trait Subject: Clone + Copy + Debug + PartialEq + Eq + 'static {
    /// What its journal adds up to.
    type Facts: Facts;
    /// Its steps.
    type Step: Clone + Debug + PartialEq + Eq;
    /// What the rule finds that does not fit.
    type Conflict: Clone + Debug + PartialEq + Eq;
    /// What stops its steps, and no other subject's.
    type Block: Clone + Debug + PartialEq + Eq;
    /// What its steps wait for, and no other subject's.
    type Awaited: Clone + Debug + PartialEq + Eq;
    /// Which part of it is being changed.
    type Focus: Clone + Copy + Debug + Default + PartialEq + Eq;
    /// All that one decision goes by: facts, what is wanted, surroundings, and the moment.
    type Situation<'a>;

    /// Where its steps come from, in their order. A later stage is asked only where no step of those before may be taken.
    const STAGES: &'static [Stage<Self>];

    /// The moment of a decision.
    fn now(look: &Self::Situation<'_>) -> UnixTime;

    /// Whether nothing is taken away while this stands.
    fn freezes(block: &Self::Block) -> bool;

    /// What keeps a step whatever the rule says; none: the rule decides.
    fn keeps(look: &Self::Situation<'_>, step: &Self::Step, plan: &Plan<Self>) -> Option<Kept<Self>>;

    /// Proves a step by the rule of the subject.
    ///
    /// # Errors
    /// What would not fit, and until when.
    fn permit(look: &Self::Situation<'_>, step: &Self::Step) -> Result<(), Refusal<Self::Conflict>>;

    /// What keeps a step that is proved; none: it may be taken. Most subjects know of nothing.
    fn keeps_proved(_look: &Self::Situation<'_>, _step: &Self::Step) -> Option<Kept<Self>> {
        None
    }
}

/// A fact of a subject.
pub type FactOf<S> = <<S as Subject>::Facts as Facts>::Fact;

/// Where steps come from: it gives them in their order, and notes in the plan what else is to be said.
pub type Stage<S> = for<'a> fn(&<S as Subject>::Situation<'a>, &mut Plan<S>) -> Vec<<S as Subject>::Step>;

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan<S: Subject> {
    /// The step that may be taken now, proved.
    pub next: Option<S::Step>,
    /// When to look again; things that are seen meanwhile may bring it forward.
    pub wake_at: UnixTime,
    /// Steps that are to come and may not be taken yet.
    pub waits: Vec<Wait<S>>,
    /// What stands in the way, and what a person must do about it.
    pub blockers: Vec<Blocker<S>>,
    /// Which part is being changed.
    pub focus: S::Focus,
}

/// A step that may not be taken yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait<S: Subject> {
    /// The step.
    pub step: S::Step,
    /// Until when; none: until something is seen.
    pub until: Option<UnixTime>,
    /// Why.
    pub why: Why<S>,
}

/// Why a step waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why<S: Subject> {
    /// Others may hold, or meet, what would not fit.
    Caches(Box<S::Conflict>),
    /// What was published was not seen on the wire yet, or others were not seen to have changed.
    Unseen(Box<S::Conflict>),
    /// Something is in doubt, and nothing is removed meanwhile.
    Frozen,
    /// What only this subject waits for.
    Own(S::Awaited),
}

/// Something that stops steps. Names the fact, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocker<S: Subject> {
    /// An operator said so.
    Held(String),
    /// The past is not certain.
    Doubt(String),
    /// The clock cannot be trusted now.
    Clock(String),
    /// Another server may take these steps; why.
    Elsewhere(String),
    /// The disk takes no facts.
    Disk(String),
    /// What others may hold now does not fit already.
    Broken(Box<S::Conflict>),
    /// What stops only this subject.
    Own(S::Block),
}

/// What keeps a step from being taken now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept<S: Subject> {
    /// It waits, until a moment that is known or not.
    Waits(Option<UnixTime>, Why<S>),
    /// It is stopped by this, and is no step to come.
    Stopped(Blocker<S>),
}

impl<S: Subject> Blocker<S> {
    /// Whether nothing is removed while it stands.
    pub fn freezes(&self) -> bool {
        match self {
            Blocker::Doubt(_) | Blocker::Clock(_) | Blocker::Elsewhere(_) | Blocker::Disk(_) | Blocker::Broken(_) => {
                true
            }
            // This stops all steps, by other means.
            Blocker::Held(_) => false,
            Blocker::Own(block) => S::freezes(block),
        }
    }
}

impl<S: Subject> Plan<S> {
    /// Nothing is to be done.
    pub fn rest(blockers: Vec<Blocker<S>>, now: UnixTime) -> Plan<S> {
        let (waits, focus) = (Vec::new(), S::Focus::default());
        Plan { next: None, wake_at: now.after(LOOK_AGAIN), waits, blockers, focus }
    }

    /// Whether something is in doubt.
    pub fn is_frozen(&self) -> bool {
        self.blockers.iter().any(Blocker::freezes)
    }

    /// A step waits; it is looked at again when its wait may have ended.
    pub fn wait(&mut self, step: S::Step, until: Option<UnixTime>, why: Why<S>, now: UnixTime) {
        if let Some(until) = until {
            self.wake_at = self.wake_at.min(until.after(1)).max(now);
        }
        self.waits.push(Wait { step, until, why });
    }

    /// A step was refused.
    pub fn refused(&mut self, step: S::Step, refusal: Refusal<S::Conflict>, now: UnixTime) {
        let Kept::Waits(until, why) = refused(refusal) else { return };
        self.wait(step, until, why, now);
    }
}

fn refused<S: Subject>(refusal: Refusal<S::Conflict>) -> Kept<S> {
    let Refusal { until, conflict } = refusal;
    Kept::Waits(until, if until.is_some() { Why::Caches(conflict) } else { Why::Unseen(conflict) })
}

/// Decides what comes next, beside what stands in the way already.
pub fn decide<S: Subject>(look: &S::Situation<'_>, blockers: Vec<Blocker<S>>) -> Plan<S> {
    let mut plan = Plan::rest(blockers, S::now(look));
    for stage in S::STAGES {
        let steps = stage(look, &mut plan);
        if consider(look, steps, &mut plan) {
            break;
        }
    }
    plan
}

/// Takes the first of `steps` that is permitted, true then; what keeps the others is noted.
fn consider<S: Subject>(look: &S::Situation<'_>, steps: Vec<S::Step>, plan: &mut Plan<S>) -> bool {
    let now = S::now(look);
    for step in steps {
        let kept = S::keeps(look, &step, plan)
            .or_else(|| S::permit(look, &step).err().map(refused))
            .or_else(|| S::keeps_proved(look, &step));
        match kept {
            None => {
                (plan.next, plan.wake_at) = (Some(step), now);
                return true;
            }
            Some(Kept::Waits(until, why)) => plan.wait(step, until, why, now),
            Some(Kept::Stopped(blocker)) => plan.blockers.push(blocker),
        }
    }
    false
}
