//! The calendar of a zone's keys. How it is foretold is written in [`crate::roll::life::forecast`].
//!
//! Pure. It assumes besides that the parent does what it is asked after a while.

use super::fold::ZoneFacts;
use super::invented;
use super::plan::{Plan, ZoneKeys, plan};
use super::step::Step;
use super::words;
use super::{Conditions, Policy};
use crate::roll::life::Facts;
use crate::roll::life::forecast::{self as life, Meanwhile, Outlook, Planned};
use crate::roll::zone::facts::Fact;
use crate::time::{Seconds, UnixTime};

/// What is to come, and what it was made of.
pub type Forecast = life::Forecast<ZoneFacts>;

/// How long a registry is assumed to take for a DS (SWITCH and others look once a day).
pub const REGISTRY_TAKES: Seconds = 86_400;
/// Address of a parent that was not looked at yet.
const PARENT_UNKNOWN: &str = "the parent";
/// Seconds between two rounds over it: as often as registries are asked.
const ROUNDS_APART: Seconds = 600;

/// All steps until `until`, from what is known now.
pub fn forecast(facts: &ZoneFacts, policy: &Policy, now: UnixTime, until: UnixTime) -> Forecast {
    let mut start = facts.clone();
    // What stops steps now is assumed to be mended.
    (start.held, start.doubt) = (None, None);
    let is_unknown = start.first_keys_done && start.parent.servers.is_empty();
    let parent = is_unknown.then(|| Fact::ParentServers {
        servers: vec![PARENT_UNKNOWN.to_owned()],
        own: start.parent.own,
        rounds_apart: ROUNDS_APART,
    });
    let mut ahead = Ahead { policy, invented: Vec::new(), alone: None, seed: now.0 };
    life::forecast(&mut ahead, start, parent.into_iter().collect(), now, until)
}

/// What a zone is foretold by.
struct Ahead<'a> {
    policy: &'a Policy,
    /// Tags of keys that are still to be made, and will have others then.
    invented: Vec<u16>,
    /// The same facts without what a registry is assumed to have done since the last step that rests on it.
    alone: Option<ZoneFacts>,
    seed: u64,
}

impl Ahead<'_> {
    /// What a step rests on that others must do; a ZSK, say, goes without any DS.
    fn assumes(&mut self, step: &Step, now: UnixTime) -> &'static str {
        let Some(alone) = &self.alone else { return "" };
        if self.decide(alone, now).next.as_ref() == Some(step) {
            return "";
        }
        self.alone = None;
        "the registry publishes the DS within a day"
    }
}

impl Outlook<ZoneKeys> for Ahead<'_> {
    fn decide(&self, facts: &ZoneFacts, now: UnixTime) -> Plan {
        plan(facts, self.policy, &Conditions::default(), now)
    }

    fn fact(&mut self, facts: &ZoneFacts, step: &Step) -> Option<Fact> {
        let Step::Create { role, algorithm } = step else { return step.fact() };
        self.seed = self.seed.wrapping_add(1);
        invented::creation(facts, *role, *algorithm, self.seed)
    }

    fn planned(&mut self, facts: &ZoneFacts, step: &Step, at: UnixTime) -> Planned {
        let text = words::step_with(step, &|tag| words::key_to_come(facts, tag, &self.invented));
        Planned { at, verb: words::verb(step), text, assumes: self.assumes(step, at) }
    }

    fn seen(&self, through: u64, now: UnixTime) -> Fact {
        let (first_seen, last_seen) = (now.0, now.0);
        Fact::ZoneServed { instance: 0, snapshot: 0, first_seen, last_seen, ttl: 0, expires: 0, through }
    }

    fn note(&mut self, fact: &Fact, now: UnixTime) {
        if let Fact::KeyCreated { tag, .. } = fact {
            self.invented.push(*tag);
        }
        if !matches!(fact, Fact::ParentSaw { .. }) {
            // Where it cannot follow there, the next step is another one there, too.
            self.alone.as_mut().map(|alone| alone.take(fact, now));
        }
    }

    /// The parent does what it is asked: two rounds over its addresses find that.
    fn meanwhile(&mut self, facts: &ZoneFacts, now: UnixTime, next: UnixTime) -> Meanwhile<Fact> {
        let parent = &facts.parent;
        if parent.servers.is_empty() || parent.agreed() == Some(&facts.ds_wanted) {
            return Meanwhile { facts: Vec::new(), until: next, is_seen: false };
        }
        if !parent.own && self.alone.is_none() {
            self.alone = Some(facts.clone());
        }
        let first = now.after(if parent.own { 1 } else { REGISTRY_TAKES });
        let second = first.after(parent.rounds_apart.max(1));
        let rounds = [first, second].into_iter().flat_map(|at| seen_by_all(facts, at));
        Meanwhile { facts: rounds.collect(), until: second.after(1), is_seen: false }
    }
}

/// Every address of the parent gives the DS set that is wanted.
fn seen_by_all(facts: &ZoneFacts, at: UnixTime) -> impl Iterator<Item = (UnixTime, Fact)> {
    let (ttl, signature_span) = facts.parent.longest.unwrap_or((86_400, 14 * 86_400));
    let saw = move |server: &super::parent::Server| Fact::ParentSaw {
        server: server.address.clone(),
        tags: facts.ds_wanted.iter().map(|id| id.tag).collect(),
        unknown: Vec::new(),
        ttl,
        signature_span,
        expires: at.0 + signature_span,
    };
    facts.parent.servers.iter().map(move |server| (at, saw(server)))
}
