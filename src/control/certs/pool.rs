//! One pool: its life, what its files say, what its hosts were seen to show, and what is to be done next.

pub mod slots;

use crate::cert::{Leaf, Spki};
use crate::control::certs::Bounds;
use crate::control::life::{InTheWay, Life, STEPS_MAX};
use crate::diagnostic::Diagnostic;
use crate::roll::hosts::check::{AddressSet, Showing};
use crate::roll::hosts::facts::{Fact, Origin};
use crate::roll::hosts::fold::{Claim, HostLimits, KeyFacts, PoolFacts};
use crate::roll::hosts::plan::{HostKeys, Plan, plan};
use crate::roll::hosts::seen::HostSeen;
use crate::roll::hosts::sights::Sights;
use crate::roll::hosts::step::Step;
use crate::roll::hosts::{Conditions, NextKeys, Policy, Wanted};
use crate::roll::item::Version;
use crate::store::journal::file::JournalFile;
use crate::time::{Now, Seconds, UnixTime};
use crate::world::pools::PoolServed;
use slots::Slots;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::time::Instant;

/// What the hosts of one pool show, for a way that leaves it or leads to it.
#[derive(Clone, Default)]
pub(in crate::control) struct Shows {
    pub(super) showings: Vec<Version<Showing>>,
    pub(super) silent: BTreeMap<IpAddr, String>,
    /// Hosts that were not looked at yet since the start, or, where they are still to come, not well.
    pub(super) unseen: AddressSet,
    /// What hosts at tenants' own addresses show, and those that could not be looked at.
    pub(super) held: Vec<Version<Spki>>,
    pub(super) dark: AddressSet,
}

/// One pool, or one way between pools: a life, and what only pools have. What all lives have in common is reached through it.
pub struct PoolLife {
    life: Life<HostKeys>,
    /// What its files say.
    pub wanted: Wanted,
    /// Its certificate files by path, with what they hold.
    pub certificates: Vec<(String, Leaf)>,
    /// What is wanted beside them.
    pub policy: Policy,
    /// What each host was seen to show since the start.
    pub hosts: BTreeMap<IpAddr, HostSeen>,
    /// What is remembered of that to make facts of it.
    pub(super) sights: Sights,
    /// For a way: what the hosts of both pools show.
    pub(in crate::control) shows: Option<Vec<Shows>>,
    /// When its hosts are looked at next.
    pub look_at: Instant,
    /// The round of looks that is under way.
    pub round: Option<u64>,
    /// Keys whose private halves cannot be read, and why.
    pub unreadable: BTreeMap<Spki, String>,
    /// What else is to be said of the files of private halves.
    pub slots: Slots,
}

impl Deref for PoolLife {
    type Target = Life<HostKeys>;

    fn deref(&self) -> &Life<HostKeys> {
        &self.life
    }
}

impl DerefMut for PoolLife {
    fn deref_mut(&mut self) -> &mut Life<HostKeys> {
        &mut self.life
    }
}

impl PoolLife {
    pub(super) fn with(journal: JournalFile<PoolFacts>, found: Vec<Diagnostic>, now: Now) -> PoolLife {
        PoolLife {
            life: Life::new(journal, found, now),
            wanted: Wanted::default(),
            certificates: Vec::new(),
            policy: Policy { margin: 0, next: NextKeys::Elsewhere, probed: true, drain: None, adopt: None },
            hosts: BTreeMap::new(),
            sights: Sights::default(),
            shows: None,
            look_at: now.steady,
            round: None,
            unreadable: BTreeMap::new(),
            slots: Slots::default(),
        }
    }

    /// Makes durable how long what is served stays in caches, where that is news. What caps it where that is more than is
    /// recorded, and cannot be recorded now: TTL and life of signatures.
    pub fn limit(&mut self, bounds: Bounds, now: Now) -> Option<HostLimits> {
        let wanted = HostLimits { ttl: bounds.ttl, life: bounds.life };
        let is_known = self.facts().limits_next == Some(wanted);
        if is_known || self.record(Fact::Limits { ttl: wanted.ttl, life: wanted.life }, now) {
            return None;
        }
        let known = self.facts().limits_in_force();
        Some(known).filter(|known| known.ttl < wanted.ttl || known.life < wanted.life)
    }

    /// Records what the files name that was not known.
    pub fn learn(&mut self, now: Now) {
        // All that could contradict earlier facts is tried again here.
        self.refused = None;
        let certificates = self.wanted.current.iter().map(|(spki, kind)| (*spki, Some(*kind), Origin::File));
        // What tenants bring along is served to them whatever became of it since they began their way.
        let before = self.wanted.before.iter().flat_map(|(keys, _)| keys);
        let given = self.wanted.given.iter().chain(before).map(|spki| (*spki, None, Origin::Given));
        let named: Vec<_> = certificates.chain(given).collect();
        let records = self.facts().records;
        for (spki, kind, origin) in named {
            // That a file names it outweighs that a host once showed it.
            let is_known = |key: &KeyFacts| (kind.is_none() || key.kind.is_some()) && !key.origin.is_by_look();
            let is_known = self.facts().key(spki).is_some_and(is_known);
            if !is_known {
                self.record(Fact::KeyKnown { spki, kind, origin, file: String::new() }, now);
            }
        }
        let apart = self.facts().apart.last().map(|version| version.what.clone()).unwrap_or_default();
        if apart != self.wanted.apart {
            let addresses = self.wanted.apart.iter().copied().collect();
            self.record(Fact::Apart { addresses }, now);
        }
        let current: Vec<Spki> = self.wanted.current.keys().copied().collect();
        let given: Vec<Spki> = self.wanted.given.iter().copied().collect();
        let hosts: Option<Vec<IpAddr>> = (!self.policy.probed).then(|| self.wanted.addresses.iter().copied().collect());
        let keys = current.iter().chain(&given).copied().collect();
        let claim = Claim { keys, hosts: hosts.as_ref().map(|hosts| hosts.iter().copied().collect()) };
        let is_named = self.facts().named.last().is_some_and(|named| named.what == claim);
        if !is_named || self.facts().current != current.iter().copied().collect() {
            self.record(Fact::Named { current, given, hosts }, now);
        }
        if self.facts().records != records {
            self.look_back(now);
        }
    }

    /// Takes the steps that serve more, and the addresses that may be served; what takes away, or takes time, waits for
    /// [`PoolLife::advance`].
    pub fn serve(&mut self, credited: Seconds, way: &InTheWay, now: Now) {
        if !self.count_clock(credited, now) {
            return;
        }
        for _ in 0..STEPS_MAX {
            let plan = self.decide(way, now.signing);
            let step = plan.next.clone().filter(|step| matches!(step, Step::Publish(_) | Step::Admit(_)));
            self.plan = Some(plan);
            let Some(step) = step else { return };
            if !self.step_on(&step, now) {
                return;
            }
        }
    }

    /// What comes next, without doing it.
    pub fn decide(&self, way: &InTheWay, now: UnixTime) -> Plan {
        plan(self.facts(), &self.wanted, &self.policy, &self.conditions(way, now), now)
    }

    /// What is known of the surroundings.
    pub fn conditions(&self, way: &InTheWay, now: UnixTime) -> Conditions {
        let reachable = self.facts().reachable(self.policy.margin, now);
        let InTheWay { clock, elsewhere } = way.clone();
        let mut conditions = Conditions { clock, elsewhere, disk: self.disk.clone(), ..Conditions::default() };
        if let Some(shows) = &self.shows {
            conditions.shows = Some(shows.iter().flat_map(|shows| shows.showings.clone()).collect());
            for (address, fault) in shows.iter().flat_map(|shows| &shows.silent) {
                if reachable.contains(address) {
                    conditions.silent.insert(*address, fault.clone());
                }
            }
            let unseen = shows.iter().flat_map(|shows| shows.unseen.iter().chain(shows.silent.keys())).copied();
            conditions.unknown = unseen.filter(|address| !reachable.contains(address)).collect();
            conditions.unseen = shows.iter().flat_map(|shows| &shows.unseen).copied().collect();
            conditions.unseen.retain(|address| reachable.contains(address));
            conditions.dark = shows.iter().flat_map(|shows| &shows.dark).copied().collect();
            conditions.held = Some(shows.iter().flat_map(|shows| shows.held.clone()).collect());
            return conditions;
        }
        if !self.policy.probed {
            return conditions;
        }
        let is_dark = |address: &&IpAddr| self.hosts.get(*address).is_none_or(|host| host.fault.is_some());
        conditions.unknown = self.wanted.addresses.difference(&reachable).filter(is_dark).copied().collect();
        let apart = self.facts().reachable_apart(self.policy.margin, now);
        conditions.dark = apart.iter().filter(is_dark).copied().collect();
        for address in &reachable {
            match self.hosts.get(address) {
                None => drop(conditions.unseen.insert(*address)),
                Some(host) => {
                    host.fault.iter().for_each(|fault| drop(conditions.silent.insert(*address, fault.what.clone())));
                }
            }
        }
        conditions
    }

    /// What is served by these facts; none where there are none yet.
    pub fn served(&self) -> Option<PoolServed> {
        if self.facts().addresses.is_empty() && self.facts().tlsa.is_empty() {
            return None;
        }
        let tlsa = self.facts().served_keys().into_iter().map(|spki| spki.0).collect();
        Some(PoolServed { addresses: self.facts().served_addresses().into_iter().collect(), tlsa })
    }

    /// The name of its folder.
    pub fn name(&self) -> &str {
        let folder = self.journal().path().parent().and_then(|folder| folder.file_name());
        folder.and_then(|name| name.to_str()).unwrap_or_default()
    }
}
