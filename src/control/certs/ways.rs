//! Tenants on their way between two pools: who they are is durable, and the same engine leads them.
//!
//! A way that cannot be kept is not begun: its tenants are served as before until the disk takes it.

use super::{Certs, Life};
use crate::control::pools::{Joined, KnownWay, PoolServed};
use crate::control::store::Store;
use crate::roll::item::Version;
use crate::roll::tlsa::check::{AddressSet, Showing};
use crate::roll::tlsa::facts::Fact;
use crate::roll::tlsa::fold::PoolFacts;
use crate::roll::tlsa::way::{has_arrived, inherited, wanted};
use crate::roll::tlsa::{Policy, Wanted};
use crate::time::{Seconds, UnixTime};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// When a way that the disk refused is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// The list of the endpoints on a way, in its folder.
const ENDPOINTS: &str = "endpoints";
/// Others may join a way while this share of its first wait has not passed; then the next ones begin one of their own.
const YOUNG_SHARE: u64 = 8;

/// What the hosts of one pool show, for a way that leaves it or leads to it.
#[derive(Clone)]
pub(in crate::control) struct Shows {
    pub(super) showings: Vec<Version<Showing>>,
    pub(super) silent: BTreeMap<IpAddr, String>,
    pub(super) unseen: AddressSet,
}

impl Certs {
    /// The ways that an earlier process began and that have not ended, before any tenant is read.
    pub fn restore_ways(&mut self, store: &Store, now: UnixTime) -> Vec<KnownWay> {
        let mut known = Vec::new();
        for way in store.pool_names().into_iter().filter(|name| name.starts_with('.')) {
            let Ok(life) = Life::open(store, &way, now) else { continue };
            let Some((from, to)) = life.facts().between.clone() else { continue };
            let endpoints = store.pool_list(&way, ENDPOINTS).ok().flatten().unwrap_or_default();
            self.ways.insert(way.clone(), (from.clone(), to.clone()));
            self.lives.insert(way.clone(), life);
            known.push(KnownWay { way, from, to, endpoints });
        }
        // Where they come from and go to is known from facts, whatever the files say now.
        for pool in known.iter().flat_map(|way| [way.from.clone(), way.to.clone()]) {
            if !self.lives.contains_key(&pool) && store.has_pool(&pool) {
                self.open(store, &pool, now);
            }
        }
        known
    }

    /// Makes durable who is on a way.
    pub fn join_ways(&mut self, store: &Store, joined: Vec<Joined>, now: UnixTime) {
        for Joined { way, from, to, endpoints } in joined {
            if let Err(reason) = self.join(store, &way, (&from, &to), &endpoints, now) {
                tracing::warn!(POOL = way, "tenants stay with pool {from} for now: {reason}");
                self.unkept.insert(way, (from, to, endpoints));
            }
        }
    }

    /// When what the disk refused is tried again; none: it refused nothing.
    pub fn join_next(&self) -> Option<Instant> {
        Some(self.join_at).filter(|_| !self.unkept.is_empty())
    }

    /// What the disk refused is tried again; true where that may have changed what is served.
    pub fn join_again(&mut self, store: &Store, now: UnixTime) -> bool {
        let unkept = std::mem::take(&mut self.unkept);
        self.join_at = Instant::now() + RETRY;
        let was_some = !unkept.is_empty();
        let again = unkept.into_iter().map(|(way, (from, to, endpoints))| Joined { way, from, to, endpoints });
        self.join_ways(store, again.collect(), now);
        was_some && self.unkept.is_empty()
    }

    fn join(
        &mut self,
        store: &Store,
        way: &str,
        (from, to): (&str, &str),
        endpoints: &str,
        now: UnixTime,
    ) -> Result<(), String> {
        // A pool that tenants were served from before a restart may be in no file any more.
        if store.has_pool(from) {
            self.open(store, from, now);
        }
        if !self.lives.contains_key(way) {
            let began = Fact::PoolBegan { from: Some(from.to_owned()), to: Some(to.to_owned()) };
            let journal = store.create_pool_journal(way, began, now).map_err(|fault| fault.to_string())?;
            self.lives.insert(way.to_owned(), Life::with(journal, Vec::new()));
        }
        let bounds = self.bounds;
        let inherited = self.lives.get(from).map(|life| inherited(life.facts(), bounds.margin, now));
        let life = self.lives.get_mut(way).ok_or("its journal is not open")?;
        life.limit(bounds, now);
        for fact in inherited.into_iter().flatten() {
            let is_known = matches!(&fact, Fact::KeyKnown { spki, .. } if life.facts().key(*spki).is_some());
            if !is_known && !life.record(fact, now) {
                return Err(life.disk.clone().unwrap_or_default());
            }
        }
        // Who is on the way is said last: after a crash nobody is on one that does not know what he was served.
        store.keep_pool_list(way, ENDPOINTS, endpoints).map_err(|fault| fault.to_string())?;
        self.ways.insert(way.to_owned(), (from.to_owned(), to.to_owned()));
        Ok(())
    }

    /// What is served on a way; none: it has ended. Recorded when this returns.
    pub fn serve_way(
        &mut self,
        store: &Store,
        way: &str,
        (from, to): (&str, &str),
        now: UnixTime,
    ) -> Option<PoolServed> {
        if !self.ways.contains_key(way) {
            // It could not be begun: as before.
            return self.unkept.contains_key(way).then(|| self.lives.get(from).and_then(Life::served)).flatten();
        }
        self.want_way(way);
        let (credited, clock) = (self.credited, self.clock.clone());
        let life = self.lives.get_mut(way)?;
        life.learn(now);
        life.serve(credited, clock, now);
        let served = life.served();
        if self.homes_are_kept && self.has_arrived(way, to, now) {
            self.end_way(store, way);
            return None;
        }
        served
    }

    /// What a way leads to, by what is known of both pools now.
    pub(super) fn want_way(&mut self, way: &str) {
        let Some((from, to)) = self.ways.get(way).cloned() else { return };
        let none = PoolFacts::default();
        let facts = |pool: &str| self.lives.get(pool).map_or(&none, |life| life.facts());
        let left_out = |pool: &str| self.lives.get(pool).map_or(0, |life| life.wanted.left_out);
        let wanted = Wanted { left_out: left_out(&from) + left_out(&to), ..wanted(facts(&from), facts(&to)) };
        let shows = [&from, &to].into_iter().filter_map(|pool| self.shows_of(pool)).collect();
        let bounds = self.bounds;
        let Some(life) = self.lives.get_mut(way) else { return };
        life.policy = Policy { margin: bounds.margin, makes_next: false, probed: true, drain: None };
        (life.wanted, life.shows) = (wanted, Some(shows));
    }

    fn shows_of(&self, pool: &str) -> Option<Shows> {
        let life = self.lives.get(pool)?;
        let mut conditions = life.conditions(None, life.facts().time);
        let probed = life.policy.probed;
        let showings = match &life.shows {
            Some(shows) => shows.iter().flat_map(|shows| shows.showings.clone()).collect(),
            None => life.facts().showings(probed),
        };
        let unseen = std::mem::take(&mut conditions.unseen);
        Some(Shows { showings, silent: conditions.silent, unseen })
    }

    fn has_arrived(&self, way: &str, to: &str, now: UnixTime) -> bool {
        let (Some(own), Some(to)) = (self.lives.get(way), self.lives.get(to)) else { return false };
        has_arrived(own.facts(), to.facts(), own.policy.margin, now)
    }

    fn end_way(&mut self, store: &Store, way: &str) {
        self.ways.remove(way);
        self.lives.remove(way);
        tracing::info!(POOL = way, "its tenants have arrived");
        if let Err(fault) = store.remove_pool(way) {
            tracing::warn!(POOL = way, "what is left of it stays: {fault}");
        }
    }

    /// Ways that nobody may join any more: their first wait is well under way.
    pub fn old_ways(&self, now: UnixTime) -> Vec<String> {
        let is_old = |way: &&String| {
            let Some(life) = self.lives.get(*way) else { return false };
            let Some(first) = life.facts().tlsa.first() else { return false };
            let wait = Seconds::from(first.ttl).max(first.life) + life.policy.margin;
            now >= first.since.after(wait / YOUNG_SHARE)
        };
        self.ways.keys().filter(is_old).cloned().collect()
    }
}
