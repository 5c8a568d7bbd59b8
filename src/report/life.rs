//! What people are told of all that lives by facts: what was done, what waits, what stands in the way, and what comes when.
//!
//! Pure. What is said the same way of zones' keys and of hosts' keys is written here, once; the words are the subject's.

use crate::diagnostic::{Diagnostic, Place, Severity};
use crate::protocol::{BlockerInfo, Calendar, DoneInfo, KeyPhase, PlannedStep, Story, Verb, WaitInfo};
use crate::roll::life::forecast::Planned;
use crate::roll::life::plan::{Blocker, Plan, Subject, Wait};
use crate::time::{Clocks, Seconds, UnixTime};

/// Things done that are shown: a roll with all of its steps, and no history.
const DONE_MAX: usize = 10;
/// Seconds of a day of a calendar.
const DAY: Seconds = 86_400;

/// A subject whose plans are told in words.
pub trait InWords: Subject {
    /// The word for what a step does.
    fn verb(step: &Self::Step) -> &'static str;

    /// A step.
    fn step(facts: &Self::Facts, step: &Self::Step) -> String;

    /// Why a step waits.
    fn why(facts: &Self::Facts, wait: &Wait<Self>) -> String;

    /// What stands in the way of `name`, and what a person must do; empty: nothing.
    fn blocker(name: &str, facts: &Self::Facts, blocker: &Blocker<Self>) -> (String, String);

    /// What findings about `name` begin with.
    fn about(name: &str) -> String;

    /// The code of what stands in the way, and how much that matters; none: it needs nobody, or is told elsewhere.
    fn finding(blocker: &Blocker<Self>) -> Option<(&'static str, Severity)>;
}

/// What is wrong with how a life is kept, beside what was decided.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ills<'a> {
    /// What was found when its journal was opened.
    pub found: &'a [Diagnostic],
    /// Why the disk does not take the last fact, or the last key.
    pub disk: Option<&'a str>,
    /// Why the last step was not taken though it was planned, or a fact cannot follow those before it.
    pub refused: Option<&'a str>,
    /// The share of its octets that its journal has reached, where that is much.
    pub long: Option<f64>,
}

impl Ills<'_> {
    /// What stops steps, and what the disk refused since that was decided, as findings about `name`.
    pub fn stopping<S: InWords>(
        &self,
        name: &str,
        place: &Place,
        facts: &S::Facts,
        plan: Option<&Plan<S>>,
    ) -> Vec<Diagnostic> {
        let planned = || plan.iter().flat_map(|plan| &plan.blockers);
        let is_told = planned().any(|blocker| matches!(blocker, Blocker::Disk(_)));
        let disk = self.disk.filter(|_| !is_told).map(|why| Blocker::Disk(why.to_owned()));
        let tell = |blocker: &Blocker<S>| {
            let (code, severity) = S::finding(blocker)?;
            let (what, help) = S::blocker(name, facts, blocker);
            let message = format!("{}: {what}", S::about(name));
            Some(Diagnostic { severity, ..Diagnostic::error(code, place.clone(), message, help) })
        };
        planned().chain(&disk).filter_map(tell).collect()
    }
}

/// What was decided about one life at one moment.
pub struct Account<'a, S: InWords> {
    /// What people call it: a zone without its final dot, a pool.
    pub name: String,
    /// What happened to it.
    pub facts: &'a S::Facts,
    /// What was decided.
    pub plan: &'a Plan<S>,
    /// The moment: decisions go by the signing clock, and all moments are told by the wall clock.
    pub clocks: Clocks,
}

impl<S: InWords> Account<'_, S> {
    /// A moment of the signing clock by the wall clock.
    pub fn told(&self, at: UnixTime) -> u64 {
        self.clocks.by_wall(at).0
    }

    /// What is told of it. `done`: what was done, in its order within one second; `more`: what stands in the way beside what
    /// was decided.
    pub fn story(&self, done: Vec<(UnixTime, String)>, more: impl IntoIterator<Item = BlockerInfo>) -> Story {
        let waits = self.waits();
        let blockers: Vec<BlockerInfo> = self.blockers().into_iter().chain(more).collect();
        Story {
            done: self.done(done),
            will: waits.first().map(|wait| wait.step.clone()).unwrap_or_default(),
            next_at: self.plan.waits.iter().filter_map(|wait| wait.until).min().map(|until| self.told(until)),
            waits,
            must: must(&blockers),
            blockers,
        }
    }

    fn waits(&self) -> Vec<WaitInfo> {
        let info = |wait: &Wait<S>| WaitInfo {
            verb: Verb::of(S::verb(&wait.step)),
            step: S::step(self.facts, &wait.step),
            until: wait.until.map(|until| self.told(until)),
            why: S::why(self.facts, wait),
        };
        self.plan.waits.iter().map(info).collect()
    }

    fn blockers(&self) -> Vec<BlockerInfo> {
        let info = |blocker: &Blocker<S>| {
            let (what, fix) = S::blocker(&self.name, self.facts, blocker);
            BlockerInfo { what, fix, freezes: stops(blocker) }
        };
        self.plan.blockers.iter().map(info).collect()
    }

    fn done(&self, mut done: Vec<(UnixTime, String)>) -> Vec<DoneInfo> {
        done.sort_by_key(|(at, _)| *at);
        let lately = done.split_off(done.len().saturating_sub(DONE_MAX));
        lately.into_iter().map(|(at, text)| DoneInfo { at: self.told(at), text }).collect()
    }

    /// The last moment of a calendar of so many days.
    pub fn until(&self, days: u64) -> UnixTime {
        self.clocks.signing.after(days.saturating_mul(DAY))
    }

    /// The calendar until a moment of the signing clock.
    pub fn calendar<B>(&self, until: UnixTime, steps: Vec<PlannedStep>, bars: Vec<B>) -> Calendar<B> {
        let (from, until) = (self.clocks.wall.0, self.told(until));
        Calendar { from, until, steps, bars, blockers: self.blockers() }
    }

    /// Steps to come, as they were foretold.
    pub fn coming(&self, planned: impl IntoIterator<Item = Planned>) -> Vec<PlannedStep> {
        let step = |Planned { at, verb, text, assumes }| PlannedStep {
            at: self.told(at),
            verb: Verb::of(verb),
            text,
            assumes: assumes.to_owned(),
        };
        planned.into_iter().map(step).collect()
    }

    /// The phases of a bar.
    pub fn bar<P: Into<KeyPhase>>(&self, phases: Vec<(UnixTime, P)>) -> Vec<(u64, KeyPhase)> {
        phases.into_iter().map(|(at, phase)| (self.told(at), phase.into())).collect()
    }
}

/// Whether nothing is taken away while this stands: a hold stops all steps.
pub fn stops<S: Subject>(blocker: &Blocker<S>) -> bool {
    blocker.freezes() || matches!(blocker, Blocker::Held(_))
}

/// What a person must do about what stands in the way, a line each.
pub fn must<'b>(blockers: impl IntoIterator<Item = &'b BlockerInfo>) -> Vec<String> {
    let fixes = blockers.into_iter().map(|blocker| blocker.fix.clone());
    let mut must: Vec<String> = fixes.filter(|fix| !fix.is_empty()).collect();
    must.dedup();
    must
}
