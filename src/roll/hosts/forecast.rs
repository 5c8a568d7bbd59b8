//! What will happen to a pool, and when: the engine itself, run ahead on a copy of the facts.
//!
//! Pure. It assumes that what is published is seen at once, and that hosts stay as they are; each step says what it assumes.

use super::fold::{Caution, PoolFacts};
use super::plan::{is_next, plan};
use super::step::{Step, ready_at};
use super::{Conditions, Policy, Wanted, words};
use crate::roll::hosts::facts::{Fact, Origin};
use crate::roll::life::Facts;
use crate::time::UnixTime;

/// Steps of one calendar, at most: a year of a pool has some dozen.
const STEPS_MAX: usize = 200;

/// Something to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// When, at the earliest.
    pub at: UnixTime,
    /// The step's verb, or `permit`: from then on hosts may be given a key.
    pub verb: &'static str,
    /// In words.
    pub text: String,
    /// What it is assumed that others do before; empty: nothing.
    pub assumes: String,
}

/// All that comes between two moments.
pub fn forecast(
    facts: &PoolFacts,
    wanted: &Wanted,
    policy: &Policy,
    conditions: &Conditions,
    now: UnixTime,
    until: UnixTime,
) -> Vec<Planned> {
    let (mut facts, mut at, mut planned) = (facts.clone(), now, Vec::new());
    // Hosts that cannot be looked at now can be, one day.
    let is_hindered = !conditions.silent.is_empty() || !conditions.unseen.is_empty();
    let assumes = if is_hindered { "all hosts can be looked at" } else { "" };
    let free = Conditions { shows: conditions.shows.clone(), ..Conditions::default() };
    see(&mut facts, at);
    for key in facts.keys.iter().filter(|key| is_next(key)) {
        let ready = ready_at(&facts, key.spki, Caution::Expiry, policy).map(|at| at.after(1));
        if let Some(at) = ready.filter(|at| *at > now && *at <= until) {
            let text = format!("hosts may be given {}", words::key(&facts, key.spki));
            planned.push(Planned { at, verb: "permit", text, assumes: String::new() });
        }
    }
    for _ in 0..STEPS_MAX {
        see(&mut facts, at);
        let next = plan(&facts, wanted, policy, &free, at);
        match next.next {
            Some(step) => {
                let text = words::step(&facts, &step);
                let (verb, assumes) =
                    (words::verb(&step), if matches!(step, Step::Withdraw(_)) { assumes } else { "" });
                planned.push(Planned { at, verb, text, assumes: assumes.to_owned() });
                if !take(&mut facts, &step, at) {
                    break;
                }
            }
            None if next.wake_at > until || next.wake_at <= at => break,
            None => at = next.wake_at,
        }
    }
    planned.sort_by_key(|planned| planned.at);
    planned
}

/// All that is published is seen.
fn see(facts: &mut PoolFacts, at: UnixTime) {
    let through = facts.records;
    let seen = Fact::PoolServed { instance: 0, snapshot: 0, first_seen: at.0, last_seen: at.0, through };
    // A fact that cannot follow changes nothing, and the calendar ends there.
    let _ = facts.take(&seen, at);
}

/// Takes a step on the copy; false where that cannot be followed any further: a key that is still to be made has no name.
fn take(facts: &mut PoolFacts, step: &Step, at: UnixTime) -> bool {
    if let Step::Create(kind) = step {
        // A name that no key can have, since it is the digest of no key.
        let spki = crate::cert::Spki([u8::try_from(facts.keys.len()).unwrap_or(0); 32]);
        let file = format!("next-{}", kind.word());
        return facts.take(&Fact::KeyKnown { spki, kind: Some(*kind), origin: Origin::Made, file }, at).is_ok();
    }
    step.fact(facts).is_some_and(|fact| facts.take(&fact, at).is_ok())
}
