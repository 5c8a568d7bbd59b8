//! The calendar of a zone's keys: every step to come, decided by the same function that will take it.
//!
//! It assumes that all goes well: what is served is seen at once, and the parent does what it is asked after a while. It
//! never changes the facts that it is given.

use super::fold::ZoneFacts;
use super::invented;
use super::plan::plan;
use super::step::Step;
use super::words;
use super::{Conditions, Policy};
use crate::roll::life::Facts;
use crate::roll::zone::facts::Fact;
use crate::time::{Seconds, UnixTime};

/// How long a registry is assumed to take for a DS (SWITCH and others look once a day).
pub const REGISTRY_TAKES: Seconds = 86_400;
/// Steps of one forecast, at most: a decade of a zone whose keys roll every month.
const STEPS_MAX: usize = 2000;
/// Looks without a step, at most: each one is some wait that ends.
const LOOKS_MAX: usize = 50_000;

/// One step to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coming {
    /// When, at the earliest.
    pub at: UnixTime,
    /// What.
    pub step: Step,
    /// The same in words.
    pub text: String,
    /// What it is assumed that others did before; empty: nothing.
    pub assumes: &'static str,
}

/// What is to come, and what it was made of.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// The steps in their order.
    pub steps: Vec<Coming>,
    /// The facts that it began with.
    pub start: ZoneFacts,
    /// Every fact on the way with its moment, those of others among them.
    pub taken: Vec<(UnixTime, Fact)>,
    /// What all of them add up to.
    pub end: ZoneFacts,
    /// Tags of keys that are still to be made, and will have others then.
    pub invented: Vec<u16>,
}

/// Address of a parent that was not looked at yet.
const PARENT_UNKNOWN: &str = "the parent";
/// Seconds between two rounds over it: as often as registries are asked.
const ROUNDS_APART: Seconds = 600;

/// All steps until `until`, from what is known now.
pub fn forecast(facts: &ZoneFacts, policy: &Policy, now: UnixTime, until: UnixTime) -> Forecast {
    let mut start = facts.clone();
    // What stops steps now is assumed to be mended.
    (start.held, start.doubt) = (None, None);
    let mut ahead = Ahead {
        facts: start.clone(),
        now,
        coming: Vec::new(),
        taken: Vec::new(),
        invented: Vec::new(),
        alone: None,
        policy,
        seed: now.0,
    };
    if start.first_keys_done && start.parent.servers.is_empty() {
        let (servers, own) = (vec![PARENT_UNKNOWN.to_owned()], start.parent.own);
        ahead.note(Fact::ParentServers { servers, own, rounds_apart: ROUNDS_APART });
    }
    ahead.see();
    for _ in 0..LOOKS_MAX {
        let plan = plan(&ahead.facts, policy, &Conditions::default(), ahead.now);
        match plan.next {
            Some(step) if ahead.coming.len() < STEPS_MAX => ahead.take(step),
            Some(_) => break,
            None => {
                let next = plan.wake_at.max(ahead.now.after(1));
                if next > until || !ahead.wait(next) {
                    break;
                }
            }
        }
    }
    Forecast { steps: ahead.coming, start, taken: ahead.taken, end: ahead.facts, invented: ahead.invented }
}

struct Ahead<'a> {
    facts: ZoneFacts,
    now: UnixTime,
    coming: Vec<Coming>,
    taken: Vec<(UnixTime, Fact)>,
    invented: Vec<u16>,
    /// The same facts without what a registry is assumed to have done since the last step that rests on it.
    alone: Option<ZoneFacts>,
    policy: &'a Policy,
    seed: u64,
}

impl Ahead<'_> {
    fn take(&mut self, step: Step) {
        let fact = match &step {
            Step::Create { role, algorithm } => {
                self.seed = self.seed.wrapping_add(1);
                invented::creation(&self.facts, *role, *algorithm, self.seed)
            }
            other => other.fact(),
        };
        let text = words::step_with(&step, &|tag| words::key_to_come(&self.facts, tag, &self.invented));
        let assumes = self.assumes(&step);
        if let Some(Fact::KeyCreated { tag, .. }) = &fact {
            self.invented.push(*tag);
        }
        let taken = fact.is_some_and(|fact| self.note(fact));
        self.coming.push(Coming { at: self.now, step, text, assumes });
        self.now = self.now.after(u64::from(!taken));
        self.see();
    }

    /// What a step rests on that others must do; a ZSK, say, goes without any DS.
    fn assumes(&mut self, step: &Step) -> &'static str {
        let Some(alone) = &self.alone else { return "" };
        if plan(alone, self.policy, &Conditions::default(), self.now).next.as_ref() == Some(step) {
            return "";
        }
        self.alone = None;
        "the registry publishes the DS within a day"
    }

    /// A fact that cannot follow changes nothing; false then.
    fn note(&mut self, fact: Fact) -> bool {
        if !matches!(fact, Fact::ParentSaw { .. }) {
            // Where it cannot follow there, the next step is another one there, too.
            self.alone.as_mut().map(|alone| alone.take(&fact, self.now));
        }
        let fits = self.facts.take(&fact, self.now).is_ok();
        if fits {
            self.taken.push((self.now, fact));
        }
        fits
    }

    /// What is served is seen on the wire.
    fn see(&mut self) {
        let through = self.facts.records;
        let at = self.now;
        let served = Fact::ZoneServed {
            instance: 0,
            snapshot: 0,
            first_seen: at.0,
            last_seen: at.0,
            ttl: 0,
            expires: 0,
            through,
        };
        self.note(served);
    }

    /// Time passes; the parent does what it is asked.
    fn wait(&mut self, next: UnixTime) -> bool {
        let parent = &self.facts.parent;
        if parent.servers.is_empty() || parent.agreed() == Some(&self.facts.ds_wanted) {
            self.now = next;
            return true;
        }
        let takes = if parent.own { 1 } else { REGISTRY_TAKES };
        if !parent.own && self.alone.is_none() {
            self.alone = Some(self.facts.clone());
        }
        let (ttl, span) = parent.longest.unwrap_or((86_400, 14 * 86_400));
        let tags: Vec<u16> = self.facts.ds_wanted.iter().map(|id| id.tag).collect();
        let addresses: Vec<String> = parent.servers.iter().map(|server| server.address.clone()).collect();
        let apart = parent.rounds_apart.max(1);
        for (round, at) in [self.now.after(takes), self.now.after(takes + apart)].into_iter().enumerate() {
            for server in &addresses {
                let fact = Fact::ParentSaw {
                    server: server.clone(),
                    tags: tags.clone(),
                    unknown: Vec::new(),
                    ttl,
                    signature_span: span,
                    expires: at.0 + span,
                };
                self.now = at;
                self.note(fact);
            }
            self.now = at.after(u64::from(round > 0));
        }
        true
    }
}
