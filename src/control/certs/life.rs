//! One pool: its journal, what its files say, what its hosts were seen to show, and what is to be done next.

use crate::cert::{Leaf, Spki};
use crate::control::certs::Bounds;
use crate::control::certs::closed::{Closed, End};
use crate::control::certs::past::{Past, Pasts};
use crate::control::certs::slots::Slots;
use crate::control::certs::steps::Taken;
use crate::control::life::{LOOK_AGAIN, NextLook, RETRY, STEPS_MAX};
use crate::diagnostic::Diagnostic;
use crate::roll::hosts::check::SpkiSet;
use crate::roll::hosts::facts::{Fact, Origin};
use crate::roll::hosts::fold::{Claim, HostLimits, KeyFacts, PoolFacts};
use crate::roll::hosts::plan::{Plan, plan};
use crate::roll::hosts::seen::HostSeen;
use crate::roll::hosts::sights::Sights;
use crate::roll::hosts::step::Step;
use crate::roll::hosts::{Conditions, KEYS_MAX, Policy, Wanted, words};
use crate::roll::item;
use crate::roll::life::Facts;
use crate::store::Store;
use crate::store::journal::file::{AppendFault, JournalFile};
use crate::time::{Now, Seconds, UnixTime};
use crate::world::pools::PoolServed;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// One pool.
pub struct Life {
    journal: JournalFile<PoolFacts>,
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
    /// What was found when its journal was opened.
    pub found: Vec<Diagnostic>,
    /// The next look at what is to be done.
    pub due: Instant,
    /// What that look said last.
    pub plan: Option<Plan>,
    /// For a way: what the hosts of both pools show.
    pub(in crate::control) shows: Option<Vec<crate::control::certs::ways::Shows>>,
    /// Facts up to here are in the newest publication.
    pub published: u64,
    /// When that was.
    pub published_at: UnixTime,
    /// The look at our own addresses.
    pub own: NextLook,
    /// When its hosts are looked at next.
    pub look_at: Instant,
    /// The round of looks that is under way.
    pub round: Option<u64>,
    /// Why another server may change the pool; none: this one does.
    pub elsewhere: Option<String>,
    /// Why the disk does not take the last fact, or the last key.
    pub disk: Option<String>,
    /// Why the last fact cannot follow those before it.
    pub refused: Option<String>,
    /// Keys whose private halves cannot be read, and why.
    pub unreadable: BTreeMap<Spki, String>,
    /// What else is to be said of the files of private halves.
    pub slots: Slots,
}

impl Life {
    /// Opens the journal of a pool. It is made where there never was one, and never where there may have been.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn open(store: &Store, pool: &str, pasts: &Pasts, now: Now) -> Result<Life, Closed> {
        let closed = |end, reason: &str| Closed::new(store, pool, end, reason.to_owned());
        let past = pasts.of(pool);
        match store.pool_journal(pool) {
            Ok(Some(mut journal)) => {
                if let Some(reason) = past.and_then(|past| past.refutes(journal.facts())) {
                    return Err(closed(End::Restore, &reason));
                }
                let found = journal.mend(now.signing);
                journal.shorten();
                let mut life = Life::with(journal, found, now);
                life.look_at_keys(store);
                life.take_added(past, now);
                Ok(life)
            }
            Ok(None) if !store.pool_keys(pool).is_empty() => {
                Err(closed(End::Restore, "the journal is gone, and private keys are there"))
            }
            Ok(None) if past.is_some() => Err(closed(End::Restore, "the journal is gone, and this pool had one")),
            Ok(None) => match &pasts.lost {
                Some(why) => {
                    let reason = format!("there is no journal, and nobody knows whether there was one: {why}");
                    Err(closed(End::Restore, &reason))
                }
                None => {
                    let journal =
                        store.create_pool_journal(pool, Fact::PoolBegan { from: None, to: None }, now.signing);
                    let journal = journal.map_err(|fault| closed(End::Begin, &fault.to_string()))?;
                    Ok(Life::with(journal, Vec::new(), now))
                }
            },
            Err(fault) => Err(Closed::of(store, pool, &fault)),
        }
    }

    /// TLSA that were served while the journal could not be used are facts from here on, and go as all others do.
    fn take_added(&mut self, past: Option<&Past>, now: Now) {
        let added = past.iter().flat_map(|past| &past.added).filter(|spki| self.facts().key(**spki).is_none());
        let added: Vec<Spki> = added.copied().collect();
        for spki in &added {
            let file = String::new();
            self.record(Fact::KeyKnown { spki: *spki, kind: None, origin: Origin::Given, file }, now);
        }
        let keys: SpkiSet = self.facts().served_keys().into_iter().chain(added.iter().copied()).collect();
        if !added.is_empty() && keys.len() <= KEYS_MAX {
            // Hosts may have been given them: each stays for its wait, also where nobody looks.
            let named = self.facts().named.last().map(|version| version.what.clone()).unwrap_or_default();
            let given = named.keys.into_iter().chain(added).collect();
            let current = self.facts().current.iter().copied().collect();
            self.record(Fact::Named { current, given, hosts: None }, now);
            self.record(Fact::Tlsa { keys: keys.into_iter().collect() }, now);
        }
    }

    pub(super) fn with(journal: JournalFile<PoolFacts>, found: Vec<Diagnostic>, now: Now) -> Life {
        let now = now.steady;
        Life {
            journal,
            wanted: Wanted::default(),
            certificates: Vec::new(),
            policy: Policy { margin: 0, makes_next: false, probed: true, drain: None, adopt: None },
            hosts: BTreeMap::new(),
            sights: Sights::default(),
            found,
            due: now,
            plan: None,
            shows: None,
            published: 0,
            published_at: UnixTime(0),
            own: NextLook::new(now),
            look_at: now,
            round: None,
            elsewhere: None,
            disk: None,
            refused: None,
            unreadable: BTreeMap::new(),
            slots: Slots::default(),
        }
    }

    /// The share of its octets that its journal has reached.
    pub fn share(&self) -> f64 {
        self.journal.share()
    }

    /// What its journal adds up to.
    pub fn facts(&self) -> &PoolFacts {
        self.journal.facts()
    }

    /// Records a fact; false where it is not recorded, and must not be acted upon: [`Life::unrecorded`] says why.
    pub fn record(&mut self, fact: Fact, now: Now) -> bool {
        match self.journal.append(fact, now.signing) {
            Ok(()) => {
                self.disk = None;
                self.due = now.steady;
                true
            }
            Err(fault) => {
                self.is_not_recorded(&fault, now);
                false
            }
        }
    }

    /// A fact that contradicts those before is a fault of this program, and no repair of a disk ends it.
    fn is_not_recorded(&mut self, fault: &AppendFault, now: Now) {
        match fault {
            AppendFault::Contradiction { .. } => {
                tracing::error!("{fault}");
                self.refused = Some(fault.to_string());
            }
            AppendFault::TooLong { .. } | AppendFault::Full(_) | AppendFault::Disk(_) => {
                self.disk = Some(fault.to_string());
            }
        }
        self.due = self.due.min(now.steady + RETRY);
    }

    /// Why the last fact was not recorded.
    pub fn unrecorded(&self) -> String {
        self.disk.clone().or_else(|| self.refused.clone()).unwrap_or_default()
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
    /// [`Life::advance`].
    pub fn serve(&mut self, credited: Seconds, clock: Option<String>, now: Now) {
        if !self.count_clock(credited, now) {
            return;
        }
        for _ in 0..STEPS_MAX {
            let plan = self.decide(clock.clone(), now.signing);
            let step = plan.next.clone().filter(|step| matches!(step, Step::Publish(_) | Step::Admit(_)));
            self.plan = Some(plan);
            let Some(step) = step else { return };
            if !self.take(&step, now) {
                return;
            }
        }
    }

    /// Takes all steps that may be taken now; true where what is served changed.
    pub fn advance(&mut self, store: &Store, credited: Seconds, clock: Option<String>, now: Now) -> bool {
        self.due = now.steady + LOOK_AGAIN;
        // What the disk refused is tried again: whatever it takes is recorded before it is done, so trying is safe.
        self.disk = None;
        if !self.count_clock(credited, now) {
            self.due = now.steady + RETRY;
            return false;
        }
        let mut is_served = false;
        for _ in 0..STEPS_MAX {
            let plan = self.decide(clock.clone(), now.signing);
            let wait = Duration::from_secs(plan.wake_at.0.saturating_sub(now.signing.0)).min(LOOK_AGAIN);
            let step = plan.next.clone();
            self.plan = Some(plan);
            let Some(step) = step else {
                self.due = now.steady + wait;
                return is_served;
            };
            match crate::control::certs::steps::take(self, store, &step, now) {
                Taken::Quietly => self.refused = None,
                Taken::Serving => (is_served, self.refused) = (true, None),
                Taken::Not => {
                    self.due = now.steady + RETRY;
                    return is_served;
                }
            }
        }
        self.due = now.steady;
        is_served
    }

    /// Records a step that changes what is served; false where it is not recorded.
    pub(super) fn take(&mut self, step: &Step, now: Now) -> bool {
        let text = words::step(self.facts(), step);
        let Some(fact) = step.fact(self.facts()) else { return false };
        let is_taken = self.record(fact, now);
        if is_taken {
            tracing::info!(POOL = self.name(), "{text}");
        }
        is_taken
    }

    /// No wait counts what no clock has counted, so that is recorded before anything is decided.
    pub(super) fn count_clock(&mut self, credited: Seconds, now: Now) -> bool {
        let correction = self.facts().correction(credited);
        correction.is_none_or(|fact| self.record(fact, now))
    }

    /// What comes next, without doing it.
    pub fn decide(&self, clock: Option<String>, now: UnixTime) -> Plan {
        plan(self.facts(), &self.wanted, &self.policy, &self.conditions(clock, now), now)
    }

    /// What is known of the surroundings.
    pub fn conditions(&self, clock: Option<String>, now: UnixTime) -> Conditions {
        let reachable = self.facts().reachable(self.policy.margin, now);
        let (disk, elsewhere) = (self.disk.clone(), self.elsewhere.clone());
        let mut conditions = Conditions { clock, elsewhere, disk, ..Conditions::default() };
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

    /// Whether something that was superseded was not seen to have gone yet.
    pub fn is_unseen(&self) -> bool {
        let facts = self.facts();
        item::is_unseen(&facts.tlsa) || item::is_unseen(&facts.addresses) || item::is_unseen(&facts.apart)
    }

    /// The name of its folder.
    pub fn name(&self) -> &str {
        let folder = self.journal.path().parent().and_then(|folder| folder.file_name());
        folder.and_then(|name| name.to_str()).unwrap_or_default()
    }
}
