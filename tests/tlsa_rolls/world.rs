//! A pool, its hosts and its senders: what is true, beside what the engine knows of it.

use super::condense::{decide_alike, fold};
use mxseal::cert::{KeyClass, KeyKind, Spki};
use mxseal::roll::hosts::check::{AddressSet, Conflict, History, Offer, Showing, SpkiSet, dane_ok};
use mxseal::roll::hosts::condense::condensed;
use mxseal::roll::hosts::facts::{Fact, Origin};
use mxseal::roll::hosts::fold::{Claim, PoolFacts};
use mxseal::roll::hosts::plan::{HostKeys, Plan, plan};
use mxseal::roll::hosts::sights::{Known, Sight, Sights};
use mxseal::roll::hosts::step::{Step, permit_deploy};
use mxseal::roll::hosts::{Conditions, NextKeys, Policy, Profile, Wanted};
use mxseal::roll::item::Caution;
use mxseal::roll::item::Span;
use mxseal::roll::life::drive::{self, World as _};
use mxseal::roll::life::{Facts, Record};
use mxseal::time::{Seconds, UnixTime};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};

pub const HOUR: Seconds = 3600;
pub const DAY: Seconds = 86_400;
pub const TTL: u32 = 1800;
pub const LIFE: Seconds = 3 * DAY;
/// How often hosts are looked at.
pub const EVERY: Seconds = 300;
const START: UnixTime = UnixTime(1_800_000_000);

/// A host as it is.
#[derive(Clone)]
pub struct Host {
    /// What it shows, by kind of key.
    pub keys: BTreeMap<KeyClass, Spki>,
    /// What it shows to those who name no endpoint, where that is something else.
    pub without_name: BTreeMap<KeyClass, Spki>,
    /// Whether looks reach it.
    pub up: bool,
    pub starttls: bool,
}

/// Something that was true for a while.
#[derive(Clone)]
pub struct Truth<T> {
    pub what: T,
    pub from: UnixTime,
    pub last: Option<UnixTime>,
    /// TTL and life of its signatures, at most.
    pub ttl: u32,
    pub life: Seconds,
}

pub struct World {
    pub now: UnixTime,
    pub journal: Vec<Record<Fact>>,
    pub facts: PoolFacts,
    pub wanted: Wanted,
    pub policy: Policy,
    pub hosts: BTreeMap<IpAddr, Host>,
    pub plan: Option<Plan>,
    /// TTL and signature life that are served now.
    pub limits: (u32, Seconds),
    /// How long a publication is not seen on the wire.
    pub ack_delay: Seconds,
    /// How often hosts are looked at.
    pub every: Seconds,
    /// Whether facts can be written.
    pub disk: bool,
    ack: Option<(UnixTime, u64)>,
    pub look_at: UnixTime,
    looked: BTreeMap<IpAddr, bool>,
    sights: Sights,
    made: u8,
    pub true_tlsa: Vec<Truth<SpkiSet>>,
    pub true_addresses: Vec<Truth<AddressSet>>,
    pub true_apart: Vec<Truth<AddressSet>>,
    pub true_shows: Vec<Truth<Showing>>,
    /// For ways: what hosts of both pools show, as far as the engine knows.
    pub elsewhere: Option<Conditions>,
    /// Writes left until the process dies; none: it lives. And whether the last write is done then.
    pub dies: Option<(u32, bool)>,
    pub is_dead: bool,
    pub events: u64,
}

pub fn host(number: u8) -> IpAddr {
    Ipv4Addr::new(198, 18, 0, number).into()
}

pub fn key(name: &str) -> Spki {
    Spki::of(name.as_bytes())
}

impl World {
    /// A pool whose hosts show one ECDSA key, `first`, at rest with its next key.
    pub fn new(hosts: u8) -> World {
        let mut world = World::empty(hosts, &[(KeyKind::EcdsaP256, "first")]);
        world.turn();
        world.run(LIFE + 2 * HOUR);
        world.run_until_rest(30 * DAY);
        world
    }

    /// A pool that begins now.
    pub fn empty(hosts: u8, keys: &[(KeyKind, &str)]) -> World {
        let shown: BTreeMap<KeyClass, Spki> =
            keys.iter().filter_map(|(kind, name)| Some((kind.class()?, key(name)))).collect();
        let one = Host { keys: shown, without_name: BTreeMap::new(), up: true, starttls: true };
        let hosts: BTreeMap<IpAddr, Host> = (1..=hosts).map(|number| (host(number), one.clone())).collect();
        let current = keys.iter().map(|(kind, name)| (key(name), *kind)).collect();
        let wanted = Wanted { addresses: hosts.keys().copied().collect(), current, ..Wanted::default() };
        let mut world = World {
            now: START,
            journal: Vec::new(),
            facts: PoolFacts::default(),
            wanted,
            policy: Policy {
                margin: HOUR,
                next: NextKeys::MadeHere,
                probed: true,
                drain: Some(2 * EVERY),
                adopt: None,
            },
            hosts: BTreeMap::new(),
            plan: None,
            limits: (TTL, LIFE),
            ack_delay: 1,
            every: EVERY,
            disk: true,
            ack: None,
            look_at: START,
            looked: BTreeMap::new(),
            sights: Sights::default(),
            made: 0,
            true_tlsa: Vec::new(),
            true_addresses: Vec::new(),
            true_apart: Vec::new(),
            true_shows: Vec::new(),
            elsewhere: None,
            dies: None,
            is_dead: false,
            events: 0,
        };
        for (address, host) in hosts {
            world.show(address, host);
        }
        world.begin(Fact::PoolBegan { from: None, to: None });
        world
    }

    pub fn begin(&mut self, first: Fact) {
        self.record(first);
        let (ttl, life) = self.limits;
        self.record(Fact::Limits { ttl, life });
    }

    /// Appends a fact; false where the disk refuses, or the process dies before.
    pub fn record(&mut self, fact: Fact) -> bool {
        if self.is_dead || !self.disk {
            return false;
        }
        if let Some((left, is_written)) = &mut self.dies {
            if *left == 0 {
                (self.is_dead, self.dies) = (true, None);
                return false;
            }
            *left -= 1;
            if *left == 0 && *is_written {
                // It is on disk, and nobody acts on it.
                let record = self.facts.next_record(fact, self.now);
                if self.facts.clone().apply(&record).is_ok() {
                    self.journal.push(record);
                }
                (self.is_dead, self.dies) = (true, None);
                return false;
            }
        }
        let record = self.facts.next_record(fact, self.now);
        self.facts.apply(&record).unwrap_or_else(|reason| panic!("{reason}: {record:?}"));
        self.journal.push(record);
        true
    }

    /// Time that no clock counted: what is due comes as much later.
    pub fn jump(&mut self, by: Seconds) {
        self.now = self.now.after(by);
        self.look_at = self.look_at.after(by);
        self.ack = self.ack.map(|(at, through)| (at.after(by), through));
        assert!(self.record(Fact::ClockCorrected { by }));
        self.turn();
    }

    /// The process begins anew: it knows what its journal says, and has looked at nobody.
    pub fn restart(&mut self) {
        self.facts = PoolFacts::default();
        for record in &self.journal {
            self.facts.apply(record).unwrap();
        }
        (self.is_dead, self.ack, self.look_at) = (false, None, self.now);
        self.looked.clear();
        self.sights = Sights::default();
        self.turn();
    }

    /// What a host shows changes in truth.
    pub fn show(&mut self, address: IpAddr, host: Host) {
        self.show_excused(address, host, 0);
    }

    /// The same, where an outsider did it: senders that fail by it for `excused` are not the engine's fault.
    pub fn show_excused(&mut self, address: IpAddr, host: Host, excused: Seconds) {
        let now = self.now;
        for profile in Profile::all() {
            let own = if profile.sni { None } else { host.without_name.get(&profile.class) };
            let offer = match own.or_else(|| host.keys.get(&profile.class)) {
                _ if !host.starttls => Some(Offer::Plain),
                Some(spki) => Some(Offer::Key(*spki)),
                None => None,
            };
            let is_same = |truth: &Truth<Showing>| truth.what.address == address && truth.what.profile == profile;
            let open = self.true_shows.iter_mut().rev().find(|truth| is_same(truth) && truth.last.is_none());
            if open.as_ref().map(|truth| truth.what.offer) == offer {
                continue;
            }
            open.into_iter().for_each(|truth| truth.last = Some(now));
            if let Some(offer) = offer {
                let what = Showing { address, profile, offer };
                self.true_shows.push(Truth { what, from: now.after(excused), last: None, ttl: 0, life: 0 });
            }
        }
        self.hosts.insert(address, host);
    }

    /// A deploy hook gives a host a key, if the gate lets it.
    pub fn deploy(&mut self, address: IpAddr, kind: KeyKind, spki: Spki, caution: Caution) -> bool {
        let permitted = permit_deploy(&self.facts, spki, caution, &self.policy, self.now).is_ok();
        if permitted && self.record(Fact::Permitted { spki, until: self.now.after(HOUR).0 }) {
            let mut host = self.hosts[&address].clone();
            host.keys.extend(kind.class().map(|class| (class, spki)));
            self.show(address, host);
            return true;
        }
        false
    }

    /// The next key of a kind that waits here.
    pub fn next_key(&self, kind: KeyKind) -> Option<Spki> {
        let next = |key: &&mxseal::roll::hosts::fold::KeyFacts| {
            mxseal::roll::hosts::plan::is_next(key) && key.kind == Some(kind) && key.published.is_some()
        };
        self.facts.keys.iter().find(next).map(|key| key.spki)
    }

    fn learn(&mut self) {
        let apart = self.facts.apart.last().map(|version| version.what.clone()).unwrap_or_default();
        if apart != self.wanted.apart {
            self.record(Fact::Apart { addresses: self.wanted.apart.iter().copied().collect() });
        }
        let current: Vec<(Spki, KeyKind)> = self.wanted.current.iter().map(|(spki, kind)| (*spki, *kind)).collect();
        for (spki, kind) in &current {
            if self.facts.key(*spki).is_none_or(|known| known.kind.is_none() || known.origin.is_by_look()) {
                let known =
                    Fact::KeyKnown { spki: *spki, kind: Some(*kind), origin: Origin::File, file: String::new() };
                self.record(known);
            }
        }
        let before = self.wanted.before.iter().flat_map(|(keys, _)| keys);
        for spki in self.wanted.given.iter().chain(before).copied().collect::<Vec<_>>() {
            if self.facts.key(spki).is_none_or(|known| known.origin.is_by_look()) {
                self.record(Fact::KeyKnown { spki, kind: None, origin: Origin::Given, file: String::new() });
            }
        }
        let (current, given): (Vec<Spki>, Vec<Spki>) =
            (self.wanted.current.keys().copied().collect(), self.wanted.given.iter().copied().collect());
        let hosts: Option<Vec<IpAddr>> = (!self.policy.probed).then(|| self.wanted.addresses.iter().copied().collect());
        let keys: SpkiSet = current.iter().chain(&given).copied().collect();
        let all = Claim { keys, hosts: hosts.as_ref().map(|hosts| hosts.iter().copied().collect()) };
        let known = self.facts.named.last().map(|named| named.what.clone());
        if known.as_ref() != Some(&all) || self.facts.current != current.iter().copied().collect() {
            self.record(Fact::Named { current, given, hosts });
        }
        let (ttl, life) = self.limits;
        if self.facts.limits_next.is_none_or(|next| (next.ttl, next.life) != (ttl, life)) {
            self.record(Fact::Limits { ttl, life });
        }
    }

    pub fn conditions(&self) -> Conditions {
        if let Some(elsewhere) = &self.elsewhere {
            return elsewhere.clone();
        }
        let mut conditions = Conditions { disk: (!self.disk).then(|| "full".to_owned()), ..Conditions::default() };
        if !self.policy.probed {
            return conditions;
        }
        let reachable = self.facts.reachable(self.policy.margin, self.now);
        for address in &reachable {
            match self.looked.get(address) {
                None => drop(conditions.unseen.insert(*address)),
                Some(false) => drop(conditions.silent.insert(*address, "down".to_owned())),
                Some(true) => {}
            }
        }
        let is_dark = |address: &&IpAddr| self.looked.get(*address) != Some(&true);
        conditions.unknown = self.wanted.addresses.difference(&reachable).filter(is_dark).copied().collect();
        let apart = self.facts.reachable_apart(self.policy.margin, self.now);
        conditions.dark = apart.iter().filter(is_dark).copied().collect();
        conditions
    }

    /// The engine's turn: what files say, all steps that may be taken, publication.
    pub fn turn(&mut self) {
        self.events += 1;
        if self.is_dead {
            return;
        }
        drive::turn(self).unwrap_or_else(|never| match never {});
        // What files say is served, too, where no step followed from it.
        self.publish();
    }

    /// What the facts say is served from now on.
    pub fn publish(&mut self) {
        if self.is_dead {
            return;
        }
        // A limit that could not be recorded is not served either.
        let (ttl, life) = self.facts.limits_next.map_or(self.limits, |limits| (limits.ttl, limits.life));
        let now = self.now;
        let is_other = publish_one(&mut self.true_tlsa, self.facts.served_keys(), now, ttl, life)
            | publish_one(&mut self.true_addresses, self.facts.served_addresses(), now, ttl, life)
            | publish_one(&mut self.true_apart, self.wanted.apart.clone(), now, ttl, life);
        if is_other || (self.ack.is_none() && self.is_unseen()) {
            self.ack = Some((now.after(self.ack_delay), self.facts.records));
        }
    }

    fn is_unseen(&self) -> bool {
        let tlsa = self.facts.tlsa.iter().rev().skip(1).any(|version| version.last.is_none());
        let mut addresses = [&self.facts.addresses, &self.facts.apart].into_iter();
        tlsa || addresses.any(|all| all.iter().rev().skip(1).any(|version| version.last.is_none()))
    }

    /// Looks at all hosts that matter.
    pub fn look(&mut self) {
        self.look_at = self.now.after(self.every);
        if !self.policy.probed || self.elsewhere.is_some() {
            return;
        }
        let own: AddressSet =
            self.facts.reachable(self.policy.margin, self.now).union(&self.wanted.addresses).copied().collect();
        let apart = self.facts.reachable_apart(self.policy.margin, self.now).difference(&own).copied().collect();
        self.looked.retain(|address, _| own.contains(address) || AddressSet::contains(&apart, address));
        self.sights.keep_only(&own, &apart);
        for address in own.union(&apart).copied() {
            let Some(host) = self.hosts.get(&address).cloned().filter(|host| host.up) else {
                self.looked.insert(address, false);
                continue;
            };
            self.looked.insert(address, host.starttls);
            if own.contains(&address) {
                self.note(address, &host);
            } else if host.starttls {
                self.sights.apart(address, host.keys.values().chain(host.without_name.values()).copied().collect());
            }
        }
        let is_dark = self.wanted.left_out > 0 || !self.conditions().dark.is_empty();
        if let Some(fact) = self.sights.held(&self.facts, &self.policy, is_dark, self.now) {
            self.record(fact);
        }
    }

    /// What a host of the pool shows becomes facts, where that is news.
    fn note(&mut self, address: IpAddr, host: &Host) {
        let mut shown = BTreeMap::new();
        for profile in Profile::all() {
            let own = if profile.sni { None } else { host.without_name.get(&profile.class) };
            let sight = match own.or_else(|| host.keys.get(&profile.class)) {
                _ if !host.starttls => Sight::Plain,
                Some(spki) => Sight::Key(*spki, KeyKind::EcdsaP256),
                None => Sight::Nothing,
            };
            if let Sight::Key(spki, kind) = sight {
                shown.insert(profile, (spki, kind));
            }
            let pool = Known { facts: &self.facts, wanted: &self.wanted, policy: &self.policy };
            for fact in self.sights.own(&pool, address, profile, sight, self.now) {
                self.record(fact);
            }
        }
        let pool = Known { facts: &self.facts, wanted: &self.wanted, policy: &self.policy };
        for fact in self.sights.adopt(&pool, address, &shown, self.now) {
            self.record(fact);
        }
    }

    /// What was served is seen, once that was long enough ago.
    fn acknowledge(&mut self) {
        let Some((_, through)) = self.ack.filter(|(at, _)| *at <= self.now) else { return };
        self.ack = None;
        if through == self.facts.records || self.published_is(through) {
            let seen = self.now.0;
            self.record(Fact::PoolServed { instance: 0, snapshot: 1, first_seen: seen, last_seen: seen, through });
        }
    }

    /// Time goes on, event by event, up to a moment.
    pub fn run_to(&mut self, until: UnixTime) {
        while self.now < until {
            let plan = self.plan.clone().unwrap_or_else(|| Plan::rest(Vec::new(), until));
            self.pass(&plan, until).unwrap_or_else(|never| match never {});
            if self.is_dead {
                continue;
            }
            if self.look_at <= self.now {
                self.acknowledge();
                self.look();
            }
            self.turn();
        }
    }

    /// Whether nothing that is served changed since that record.
    fn published_is(&self, through: u64) -> bool {
        let last = |record: Option<u64>| record.is_none_or(|record| record <= through);
        last(self.facts.tlsa.last().map(|version| version.record))
            && last(self.facts.addresses.last().map(|version| version.record))
    }

    pub fn run(&mut self, span: Seconds) {
        self.run_to(self.now.after(span));
    }

    /// Goes on until nothing waits and all is as wanted; panics where that never comes.
    #[track_caller]
    pub fn run_until_rest(&mut self, most: Seconds) {
        let until = self.now.after(most);
        loop {
            self.run(6 * HOUR);
            if self.is_at_rest() {
                return;
            }
            assert!(self.now < until, "no rest: {:#?}", self.plan);
        }
    }

    pub fn is_at_rest(&self) -> bool {
        let plan = self.plan.as_ref();
        plan.is_some_and(|plan| plan.next.is_none() && plan.waits.is_empty() && plan.blockers.is_empty())
            && self.facts.served_addresses() == self.wanted.addresses
            && !self.is_unseen()
    }

    /// The judge: every mixture that caches may have held, of all that was true.
    ///
    /// And a journal that was made shorter decides as this one does.
    pub fn judge(&self) -> Result<(), Box<Conflict>> {
        if let Some(shorter) = condensed(&self.journal).filter(|_| self.facts == fold(&self.journal)) {
            decide_alike(self, &shorter);
        }
        for caution in [Caution::Ttl, Caution::Expiry] {
            dane_ok(&self.truth(caution))?;
        }
        Ok(())
    }

    /// The same for honest caches only: what holds in an emergency.
    pub fn judge_honest(&self) -> Result<(), Box<Conflict>> {
        dane_ok(&self.truth(Caution::Ttl))
    }

    pub fn truth(&self, caution: Caution) -> History {
        fn span<T: Clone>(truth: &Truth<T>, caution: Caution) -> Span<T> {
            let kept = match caution {
                Caution::Ttl => Seconds::from(truth.ttl),
                Caution::Expiry => truth.life.max(Seconds::from(truth.ttl)),
            };
            Span { what: truth.what.clone(), from: truth.from, until: truth.last.map(|last| last.after(kept)) }
        }
        let shows = self.true_shows.iter().filter(|truth| truth.last.is_none_or(|last| last >= truth.from));
        History {
            addresses: self.true_addresses.iter().chain(&self.true_apart).map(|truth| span(truth, caution)).collect(),
            tlsa: self.true_tlsa.iter().map(|truth| span(truth, caution)).collect(),
            shows: shows.map(|truth| Span { what: truth.what, from: truth.from, until: truth.last }).collect(),
        }
    }
}

impl drive::World<HostKeys> for World {
    type End = Infallible;
    const STEPS_MAX: usize = 50;

    fn see(&mut self) -> Result<(), Infallible> {
        self.acknowledge();
        self.learn();
        Ok(())
    }

    fn decide(&mut self) -> Plan {
        let plan = plan(&self.facts, &self.wanted, &self.policy, &self.conditions(), self.now);
        self.plan = Some(plan.clone());
        plan
    }

    fn fact(&mut self, step: &Step) -> Result<Option<Fact>, Infallible> {
        let Step::Create(kind) = step else { return Ok(step.fact(&self.facts)) };
        self.made += 1;
        let (spki, file) = (Spki::of(&[self.made, 1, 2, 3]), format!("next-{}", self.made));
        Ok(Some(Fact::KeyKnown { spki, kind: Some(*kind), origin: Origin::Made, file }))
    }

    fn record(&mut self, _step: &Step, fact: Fact) -> Result<bool, Infallible> {
        Ok(self.record(fact))
    }

    fn publish(&mut self) -> Result<(), Infallible> {
        self.publish();
        Ok(())
    }

    fn pass(&mut self, plan: &Plan, until: UnixTime) -> Result<(), Infallible> {
        // What the disk refused is tried again, and not every second.
        let pause = if self.disk { 1 } else { HOUR };
        let wake = plan.wake_at.max(self.now.after(pause));
        let ack = self.ack.map_or(until, |(at, _)| at.max(self.now.after(1)));
        let is_looking = self.elsewhere.is_none() && self.policy.probed;
        let look = if is_looking { self.look_at.max(self.now.after(1)) } else { until };
        self.now = [until, wake, ack, look].into_iter().min().unwrap();
        Ok(())
    }
}

/// What is served changes in truth.
pub fn publish_one<T: PartialEq>(truths: &mut Vec<Truth<T>>, what: T, now: UnixTime, ttl: u32, life: Seconds) -> bool {
    if let Some(last) = truths.last_mut().filter(|last| last.what == what) {
        (last.ttl, last.life) = (last.ttl.max(ttl), last.life.max(life));
        return false;
    }
    truths.last_mut().into_iter().for_each(|last| last.last = Some(now));
    truths.push(Truth { what, from: now, last: None, ttl, life });
    true
}
