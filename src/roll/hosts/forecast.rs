//! What will happen to a pool, and when. How it is foretold is written in [`crate::roll::life::forecast`].
//!
//! Pure. It assumes besides that hosts stay as they are.

use super::fold::{Caution, PoolFacts};
use super::plan::{HostKeys, Plan, is_next, plan};
use super::step::{Step, ready_at};
use super::{Conditions, Policy, Wanted, words};
use crate::cert::Spki;
use crate::roll::hosts::facts::{Fact, Origin};
use crate::roll::life::Facts;
use crate::roll::life::forecast::{Meanwhile, Outlook, Planned, forecast as foretell};
use crate::time::UnixTime;

/// All that comes between two moments.
pub fn forecast(
    facts: &PoolFacts,
    wanted: &Wanted,
    policy: &Policy,
    conditions: &Conditions,
    now: UnixTime,
    until: UnixTime,
) -> Vec<Planned> {
    // Hosts that cannot be looked at now can be, one day.
    let is_hindered = !conditions.silent.is_empty() || !conditions.unseen.is_empty();
    let assumes = if is_hindered { "all hosts can be looked at" } else { "" };
    let conditions = Conditions { shows: conditions.shows.clone(), ..Conditions::default() };
    let mut ahead = Ahead { wanted, policy, conditions, assumes };
    let mut planned = ahead.permits(facts.clone(), now, until);
    planned.extend(foretell(&mut ahead, facts.clone(), Vec::new(), now, until).steps);
    planned.sort_by_key(|planned| planned.at);
    planned
}

/// What a pool is foretold by.
struct Ahead<'a> {
    wanted: &'a Wanted,
    policy: &'a Policy,
    /// What stands in the way of nothing.
    conditions: Conditions,
    /// What it is assumed that others do before a TLSA goes.
    assumes: &'static str,
}

impl Ahead<'_> {
    /// From when on hosts may be given the next keys.
    fn permits(&self, mut facts: PoolFacts, now: UnixTime, until: UnixTime) -> Vec<Planned> {
        // A fact that cannot follow changes nothing.
        let _ = facts.take(&self.seen(facts.records, now), now);
        let permit = |key: &super::fold::KeyFacts| {
            let at = ready_at(&facts, key.spki, Caution::Expiry, self.policy)?.after(1);
            let text = format!("hosts may be given {}", words::key(&facts, key.spki));
            (at > now && at <= until).then_some(Planned { at, verb: "permit", text, assumes: "" })
        };
        facts.keys.iter().filter(|key| is_next(key)).filter_map(permit).collect()
    }
}

impl Outlook<HostKeys> for Ahead<'_> {
    fn decide(&self, facts: &PoolFacts, now: UnixTime) -> Plan {
        plan(facts, self.wanted, self.policy, &self.conditions, now)
    }

    fn fact(&mut self, facts: &PoolFacts, step: &Step) -> Option<Fact> {
        let Step::Create(kind) = step else { return step.fact(facts) };
        // A name that no key can have, since it is the digest of no key.
        let spki = Spki([u8::try_from(facts.keys.len()).unwrap_or(0); 32]);
        let file = format!("next-{}", kind.word());
        Some(Fact::KeyKnown { spki, kind: Some(*kind), origin: Origin::Made, file })
    }

    fn planned(&mut self, facts: &PoolFacts, step: &Step, at: UnixTime) -> Planned {
        let assumes = if matches!(step, Step::Withdraw(_)) { self.assumes } else { "" };
        Planned { at, verb: words::verb(step), text: words::step(facts, step), assumes }
    }

    fn seen(&self, through: u64, now: UnixTime) -> Fact {
        Fact::PoolServed { instance: 0, snapshot: 0, first_seen: now.0, last_seen: now.0, through }
    }

    /// What is looked at again and again is forgotten in time.
    fn meanwhile(&mut self, _facts: &PoolFacts, _now: UnixTime, next: UnixTime) -> Meanwhile<Fact> {
        Meanwhile { facts: Vec::new(), until: next, is_seen: true }
    }
}
