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
use crate::roll::facts::Fact;
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

/// All steps until `until`, from what is known now.
pub fn forecast(facts: &ZoneFacts, policy: &Policy, now: UnixTime, until: UnixTime) -> (Vec<Coming>, ZoneFacts) {
    let mut ahead = Ahead { facts: facts.clone(), now, coming: Vec::new(), assumes: "", seed: now.0 };
    // What stops steps now is assumed to be mended.
    (ahead.facts.held, ahead.facts.doubt) = (None, None);
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
    (ahead.coming, ahead.facts)
}

struct Ahead {
    facts: ZoneFacts,
    now: UnixTime,
    coming: Vec<Coming>,
    assumes: &'static str,
    seed: u64,
}

impl Ahead {
    fn take(&mut self, step: Step) {
        let fact = match &step {
            Step::Create { role, algorithm } => {
                self.seed = self.seed.wrapping_add(1);
                invented::creation(&self.facts, *role, *algorithm, self.seed)
            }
            other => other.fact(),
        };
        let text = words::step(&self.facts, &step);
        let assumes = std::mem::take(&mut self.assumes);
        let taken = fact.is_some_and(|fact| self.facts.take(&fact, self.now).is_ok());
        self.coming.push(Coming { at: self.now, step, text, assumes });
        self.now = self.now.after(u64::from(!taken));
        self.see();
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
        // A fact that cannot follow changes nothing, and the forecast ends.
        let _ = self.facts.take(&served, at);
    }

    /// Time passes; the parent does what it is asked.
    fn wait(&mut self, next: UnixTime) -> bool {
        let parent = &self.facts.parent;
        if parent.servers.is_empty() || parent.agreed() == Some(&self.facts.ds_wanted) {
            self.now = next;
            return true;
        }
        let takes = if parent.own { 1 } else { REGISTRY_TAKES };
        if !parent.own {
            self.assumes = "the registry publishes the DS within a day";
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
                let _ = self.facts.take(&fact, at);
            }
            self.now = at.after(u64::from(round > 0));
        }
        true
    }
}
