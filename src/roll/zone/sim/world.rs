//! A server with one zone in virtual time: its journal, its clock, what it serves, and the parent that it looks at.
//!
//! It decides by [`plan`] alone, and sees of the world only what a real server would: its own answers, the parent's, and
//! its clocks.

use super::judge::{Judge, RESOLVERS};
pub use super::kinds::{Bogus, Count, DEATHS, Death, Excuse, Wrong};

use super::kinds::{Machine, SEEN_AFTER, Served};
use super::parent::Parent;
use crate::roll::life::Facts;
use crate::roll::life::drive::{self as life, live};
use crate::roll::zone::check::{KeySet, Keys};
use crate::roll::zone::facts::{Fact, Limits};
use crate::roll::zone::fold::ZoneFacts;
use crate::roll::zone::plan::{Plan, ZoneKeys, plan};
use crate::roll::zone::step::Step;
use crate::roll::zone::{Conditions, Policy, invented, words};
use crate::time::UnixTime;
use std::collections::{BTreeSet, VecDeque};

/// Lines of the past that a failure shows.
const TRACE_MAX: usize = 60;

/// The world.
#[derive(Clone, Debug)]
pub struct World {
    /// True time, in seconds since 1970.
    pub time: u64,
    /// What is wanted of the keys.
    pub policy: Policy,
    /// How long what is served may be held.
    pub limits: Limits,
    /// The journal.
    pub facts: ZoneFacts,
    /// The parent.
    pub parent: Parent,
    /// What the server is told about its surroundings.
    pub conditions: Conditions,
    /// Whether the process runs.
    pub is_up: bool,
    /// Until when publications do not reach the wire: what was served before is served on.
    pub stalled_until: u64,
    /// Where the process ends next: after so many labelled points, and how.
    pub death: Option<(u64, Death)>,
    /// What may go wrong without anybody's fault.
    pub excuses: BTreeSet<Excuse>,
    /// Numbers.
    pub count: Count,
    /// What happened lately.
    pub trace: VecDeque<String>,
    /// Every step with its moment, for the timeline; none: not kept.
    pub steps: Option<Vec<(UnixTime, String)>>,
    unsigned_before: Option<u32>,
    is_secure: bool,
    /// What resolvers may hold.
    pub judge: Judge,
    pub(super) served: Served,
    pub(super) machine: Machine,
    pub(super) polled_at: u64,
    /// The moment of the last look, by the signing clock.
    decided_at: UnixTime,
    pub(super) seed: u64,
}

impl World {
    /// A world in which the server has just started for the first time.
    pub fn new(policy: Policy, limits: Limits, parent: Parent, seed: u64) -> World {
        let time = 1_800_000_000;
        let mut world = World::with_facts(ZoneFacts::default(), policy, limits, parent, time, seed);
        world.first_keys();
        world.publish();
        world
    }

    /// The same for a zone that was served without signatures until now, with TTLs up to `ttl` seconds.
    pub fn served_unsigned(policy: Policy, limits: Limits, parent: Parent, ttl: u32) -> World {
        let time = 1_800_000_000;
        let mut world = World::with_facts(ZoneFacts::default(), policy, limits, parent, time, 1);
        world.judge.serve(&Keys::default(), &KeySet::default(), bare(ttl), UnixTime(time - 1));
        world.unsigned_before = Some(ttl);
        world.first_keys();
        world.publish();
        world
    }

    /// A world that goes on from the facts of a real zone.
    pub fn with_facts(facts: ZoneFacts, policy: Policy, limits: Limits, parent: Parent, time: u64, seed: u64) -> World {
        World {
            time,
            policy,
            limits,
            facts,
            parent,
            conditions: Conditions::default(),
            is_up: true,
            stalled_until: 0,
            death: None,
            excuses: BTreeSet::new(),
            count: Count::default(),
            trace: VecDeque::new(),
            steps: None,
            unsigned_before: None,
            is_secure: false,
            judge: Judge::default(),
            served: Served::default(),
            machine: Machine { offset: 0, boot: 1, booted_at: time - 1000, mark: None, kept: None },
            polled_at: 0,
            decided_at: UnixTime(0),
            seed,
        }
    }

    fn first_keys(&mut self) {
        let (layout, algorithm) = (self.policy.layout, self.policy.algorithm);
        self.write(&Fact::FirstKeysIntended { layout, algorithm });
        for role in layout.roles() {
            let fact = self.invent(*role, algorithm);
            fact.iter().for_each(|fact| self.write(fact));
        }
        let tags: Vec<u16> = self.facts.keys.iter().map(|key| key.public.tag).collect();
        tags.iter().for_each(|tag| self.write(&Fact::KeyPublished { tag: *tag }));
        let firsts = layout.roles().iter().take(2);
        for role in firsts {
            let tag = self.facts.keys.iter().find(|key| key.role == *role).map(|key| key.public.tag);
            tag.iter().for_each(|tag| self.write(&Fact::KeyActivated { tag: *tag }));
        }
        self.write(&Fact::Limits(self.limits));
        if let Some(ttl) = self.unsigned_before {
            self.write(&Fact::ServedUnsigned { ttl });
        }
        self.write(&Fact::FirstKeysDone {});
        self.find_parent();
    }

    /// The server starts with the facts that it has, and finds the addresses of the parent where it never looked.
    pub fn start(&mut self) {
        if self.facts.parent.servers.is_empty() {
            self.find_parent();
        }
        self.publish();
    }

    fn find_parent(&mut self) {
        let servers = self.parent.servers.iter().map(|server| server.address.clone()).collect();
        let rounds_apart = if self.parent.own { 0 } else { 600 };
        self.write(&Fact::ParentServers { servers, own: self.parent.own, rounds_apart });
    }

    fn invent(&mut self, role: crate::sign::key::Role, algorithm: u8) -> Option<Fact> {
        let seed = self.chance();
        invented::creation(&self.facts, role, algorithm, seed)
    }

    /// The next number of this world.
    pub fn chance(&mut self) -> u64 {
        invented::next(&mut self.seed)
    }

    /// True time.
    pub fn now(&self) -> UnixTime {
        UnixTime(self.time)
    }

    /// Adds a line to the trace.
    pub fn say(&mut self, text: &str) {
        if self.trace.len() >= TRACE_MAX {
            self.trace.pop_front();
        }
        let day = (self.time - 1_800_000_000).checked_div(86_400).unwrap_or(0);
        self.trace.push_back(format!("day {day} {:>5} s  {text}", self.time % 86_400));
    }

    pub(super) fn write(&mut self, fact: &Fact) {
        // A command that cannot follow is refused, and changes nothing.
        let _ = self.try_write(fact);
    }

    fn try_write(&mut self, fact: &Fact) -> Result<(), String> {
        let at = self.clock().time;
        let written = self.facts.take(fact, at);
        if let Err(reason) = &written {
            self.say(&format!("refused: {fact:?}: {reason}"));
        }
        written
    }

    /// An operator's command, as the fact that it records.
    pub fn command(&mut self, fact: &Fact) {
        if matches!(fact, Fact::RollWanted { emergency: true, .. }) {
            self.excuses.insert(Excuse::Urgent);
        }
        if matches!(fact, Fact::InsecureWanted {}) {
            self.excuses.insert(Excuse::Bare);
        }
        self.say(&format!("command: {fact:?}"));
        self.write(fact);
        // What else is commanded is a goal; this changes at once what is served.
        if matches!(fact, Fact::SignedWanted {}) && self.is_up {
            self.publish();
        }
    }

    /// Serves what the facts say.
    pub(super) fn publish(&mut self) {
        if self.facts.limits_next != Some(self.limits) {
            self.write(&Fact::Limits(self.limits));
        }
        if self.time < self.stalled_until {
            return;
        }
        self.served = Served {
            keys: self.facts.key_set(),
            data: self.facts.signers(),
            cds: self.facts.ds_wanted.clone(),
            record: self.facts.records,
            at: self.time,
            limits: self.limits,
        };
        let now = self.now();
        let limits =
            if self.facts.unsigned { bare(self.limits.data_ttl.max(self.limits.dnskey_ttl)) } else { self.limits };
        self.judge.serve(&self.served.keys, &self.served.data, limits, now);
        self.serve_parent(now);
    }

    fn serve_parent(&mut self, now: UnixTime) {
        if self.is_up {
            self.parent.look(&self.served.cds.clone(), now);
        } else if let Some(next) = self.parent.next()
            && next <= now
        {
            self.parent.look(&self.served.cds.clone(), now);
        }
        self.judge.delegate(&self.parent.sets(), now);
    }

    /// Changes how long what is served may be held, as a change of the zone's file does.
    pub fn set_limits(&mut self, limits: Limits) -> Result<(), Box<Bogus>> {
        self.say(&format!("{limits:?}"));
        self.limits = limits;
        if self.is_up {
            self.publish();
        }
        self.judge()
    }

    /// The parent acts, and is judged with all the rest.
    pub fn look_at_parent(&mut self) -> Result<(), Box<Bogus>> {
        self.serve_parent(self.now());
        self.judge()
    }

    /// Nothing is bogus now, nor will be with what is held now.
    pub(super) fn judge(&mut self) -> Result<(), Box<Bogus>> {
        self.count.steps += 1;
        let now = self.now();
        let resolvers = if self.excuses.contains(&Excuse::Urgent) { &RESOLVERS[..1] } else { &RESOLVERS[..] };
        if let Err((resolver, conflict)) = self.judge.judge(resolvers, now)
            && !self.excuses.contains(&Excuse::Parent)
        {
            return Err(self.bogus(Wrong::Mixture(resolver, conflict)));
        }
        // A first DS comes to one address after the other; only then is the zone to stay secure.
        self.is_secure |= self.facts.parent.agreed().is_some_and(|set| !set.is_empty());
        if self.judge.is_bare()
            && !self.excuses.contains(&Excuse::Bare)
            && self.is_secure
            && !self.excuses.contains(&Excuse::Parent)
        {
            return Err(self.bogus(Wrong::Bare));
        }
        Ok(())
    }

    fn bogus(&self, what: Wrong) -> Box<Bogus> {
        Box::new(Bogus { at: self.now(), what, trace: self.trace.iter().cloned().collect() })
    }

    /// One look of the server at everything, and one step if there is one; then time passes until there may be the next, but
    /// not past `until`.
    ///
    /// # Errors
    /// What became bogus.
    pub fn go(&mut self, until: u64) -> Result<Plan, Box<Bogus>> {
        live(self, UnixTime(until))
    }

    fn is_crashed(&mut self, ways: &[Death]) -> Result<bool, Box<Bogus>> {
        let dies = self.dies(ways);
        if dies {
            self.crash_by_chance()?;
        }
        Ok(dies)
    }
}

impl life::World<ZoneKeys> for World {
    type End = Box<Bogus>;

    fn see(&mut self) -> Result<(), Box<Bogus>> {
        if self.stalled_until > 0 && self.time >= self.stalled_until {
            self.stalled_until = 0;
            self.publish();
        }
        self.look_at_parent()?;
        let told = self.clock();
        self.see_served();
        let round = self.round();
        if self.time >= self.polled_at + round {
            self.poll();
        }
        (self.conditions.clock, self.decided_at) = (told.doubt, told.time);
        Ok(())
    }

    fn decide(&mut self) -> Plan {
        let plan = plan(&self.facts, &self.policy, &self.conditions, self.decided_at);
        self.count.freezes += u64::from(!plan.blockers.is_empty());
        plan
    }

    fn fact(&mut self, step: &Step) -> Result<Option<Fact>, Box<Bogus>> {
        // Time passes with every step, so that one that changes nothing cannot hold up the years.
        self.time += 1;
        let text = words::step(&self.facts, step);
        self.say(&text);
        Ok(match step {
            Step::Create { role, algorithm } => self.invent(*role, *algorithm),
            other => other.fact(),
        })
    }

    fn record(&mut self, step: &Step, fact: Fact) -> Result<bool, Box<Bogus>> {
        if self.is_crashed(&[Death::BeforeWrite, Death::TornWrite])? {
            return Ok(false);
        }
        let text = words::step(&self.facts, step);
        if let Err(reason) = self.try_write(&fact) {
            return Err(self.bogus(Wrong::Refused(reason)));
        }
        self.count.rolls += u64::from(matches!(step, Step::Remove(tag)
            if self.facts.key(*tag).is_some_and(|key| key.published.is_some())));
        if let Some(steps) = &mut self.steps {
            steps.push((UnixTime(self.time), text));
        }
        Ok(!self.is_crashed(&[Death::AfterWrite])?)
    }

    fn publish(&mut self) -> Result<(), Box<Bogus>> {
        self.publish();
        self.judge()?;
        self.is_crashed(&[Death::AfterAct]).map(drop)
    }

    fn pass(&mut self, plan: &Plan, until: UnixTime) -> Result<(), Box<Bogus>> {
        let mut next = self.time + plan.wake_at.0.saturating_sub(self.decided_at.0).max(1);
        next = next.min(self.polled_at + self.round());
        if self.unseen() {
            next = next.min(self.served.at + SEEN_AFTER);
        }
        if let Some(parent) = self.parent.next() {
            next = next.min(parent.0);
        }
        if self.stalled_until > self.time {
            next = next.min(self.stalled_until);
        }
        self.time = next.max(self.time + 1).min(until.0.max(self.time + 1));
        Ok(())
    }
}

/// How long what bears no signature may be held: no longer than its TTL, as nothing of it expires.
fn bare(ttl: u32) -> Limits {
    let life = u64::from(ttl);
    Limits { data_ttl: ttl, data_life: life, dnskey_ttl: ttl, dnskey_life: life }
}
