//! Pools while the server runs: their journals, what is served of them, what their hosts show, and what comes next.
//!
//! A pool's journal has one owner, and this is it. What is served is recorded before it is served. A pool whose journal
//! cannot be used is frozen: what was published of it is served, with the reason told.

pub mod closed;
pub mod hosts;
mod kept;
mod open;
pub mod past;
pub mod pool;
pub mod state;
mod steps;
mod ways;

use crate::cert::Leaf;
use crate::cert::make::PrivateKey;
use crate::config::{Config, PoolSettings};
use crate::control::life::InTheWay;
use crate::diagnostic::Diagnostic;
use crate::dns::name::Name;
use crate::roll::hosts::facts::Origin;
use crate::roll::hosts::fold::HostLimits;
use crate::roll::hosts::{NextKeys, Policy, Wanted};
use crate::store::Store;
use crate::store::kept::Kept;
use crate::time::{Now, Seconds, UnixTime};
use crate::world::pools::{Joined, Left, PoolServed, PoolWanted, Route};
use closed::Closed;
use past::Pasts;
pub use pool::PoolLife;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use steps::Around;

/// Addresses of tenants' own that are looked at for a pool, at most: each look takes a second or so of a thread.
const APART_MAX: usize = 256;
/// When a journal that could not be used is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// How long what a pool serves may stay in caches, and what is added to waits: the highest of the zones that use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// TTL of its records, in seconds.
    pub ttl: u32,
    /// Time left of their signatures when they are made, at most.
    pub life: Seconds,
    /// Added to every wait.
    pub margin: Seconds,
}

/// All pools that are or were served.
pub struct Certs {
    /// By name; ways between pools too.
    pub lives: BTreeMap<String, PoolLife>,
    /// Pools whose journals are not open, and why.
    pub broken: BTreeMap<String, Closed>,
    /// When these are tried again.
    again_at: Instant,
    /// What was published of all pools; none: not read yet.
    pasts: Option<Pasts>,
    /// Why that is not kept.
    pub unkept_pasts: Option<String>,
    /// Ways that have not ended, with where they lead.
    pub ways: BTreeMap<String, Route>,
    /// Ways that have ended in this process, with the pools that they led to.
    ended: BTreeMap<String, String>,
    /// Seconds that the signing clock went without having counted them.
    pub credited: Seconds,
    /// What stands in the way of all pools.
    pub in_the_way: InTheWay,
    /// Whether the next process will know where all tenants are: no way may end before.
    pub homes_are_kept: bool,
    /// Where tenants are, by zone, as it is kept.
    pub homes: BTreeMap<Name, Kept>,
    /// Zones of which one of the two files was damaged, or both are missing.
    pub homes_flawed: BTreeSet<Name>,
    homes_missing: BTreeSet<Name>,
    /// Lists of who is on a way, and of all ways.
    lists: BTreeMap<String, Kept>,
    all_ways: Option<Kept>,
    ways_text: String,
    /// What was found damaged or lost at the start.
    pub told: Vec<Diagnostic>,
    /// When these are tried again.
    join_at: Instant,
    /// Ways that the disk refused.
    unkept: BTreeMap<String, Joined>,
    /// Lists of who left ways that the disk refused.
    unleft: BTreeMap<String, Left>,
    /// Ways that have ended and that the disk did not let go.
    unremoved: BTreeSet<String>,
    config: Arc<Config>,
    bounds: Bounds,
}

impl Certs {
    /// No pools yet.
    pub fn new(config: impl Into<Arc<Config>>, now: Now) -> Certs {
        let config = config.into();
        Certs {
            lives: BTreeMap::new(),
            broken: BTreeMap::new(),
            again_at: now.steady,
            pasts: None,
            unkept_pasts: None,
            ways: BTreeMap::new(),
            ended: BTreeMap::new(),
            credited: 0,
            in_the_way: InTheWay::default(),
            homes_are_kept: false,
            homes: BTreeMap::new(),
            homes_flawed: BTreeSet::new(),
            homes_missing: BTreeSet::new(),
            lists: BTreeMap::new(),
            all_ways: None,
            ways_text: String::new(),
            told: Vec::new(),
            join_at: now.steady,
            unkept: BTreeMap::new(),
            unleft: BTreeMap::new(),
            unremoved: BTreeSet::new(),
            bounds: default_bounds(&config),
            config,
        }
    }

    /// What the clock tells, before anything else is recorded or decided by it: a fact of after a jump must not be moved on
    /// with those of before, and no wait may count what no clock counted.
    pub fn take_clock(&mut self, credited: Seconds, doubt: Option<String>, now: Now) {
        (self.credited, self.in_the_way.clock) = (credited, doubt);
        for life in self.lives.values_mut() {
            // What the disk refuses is tried again before each decision.
            life.count_clock(credited, now);
        }
    }

    /// Takes in a new configuration.
    pub fn configure(&mut self, config: Arc<Config>, now: Now) {
        self.config = config;
        for (pool, life) in &mut self.lives {
            life.policy = policy(&self.config, self.bounds, pool, &life.wanted);
            life.due = now.steady;
        }
    }

    /// What the operator says about a pool.
    pub fn settings(&self, pool: &str) -> PoolSettings {
        self.config.pool_settings(pool)
    }

    /// Takes in which bounds hold, the highest of all zones that have tenants; none: no zone has any. Pools for which that
    /// is more than is recorded, and cannot be recorded now, with what caps it.
    pub fn bound(&mut self, bounds: Option<Bounds>, now: Now) -> Vec<(String, HostLimits)> {
        let mut capped = Vec::new();
        self.bounds = bounds.unwrap_or_else(|| default_bounds(&self.config));
        for (pool, life) in &mut self.lives {
            if life.facts().between.is_none() {
                life.policy = policy(&self.config, self.bounds, pool, &life.wanted);
            }
            capped.extend(life.limit(self.bounds, now).map(|cap| (pool.clone(), cap)));
        }
        capped
    }

    /// What is served of a pool whose files say this; recorded when this returns.
    pub fn serve_pool(&mut self, store: &Store, wanted: &PoolWanted, now: Now) -> PoolServed {
        let (pool, bounds, wants) = (wanted.pool.as_str(), self.bounds, want(wanted));
        let policy = policy(&self.config, bounds, pool, &wants);
        let (credited, way) = (self.credited, self.in_the_way.clone());
        let Some(life) = self.open(store, pool, now) else { return self.serve_closed(store, wanted) };
        (life.policy, life.wanted) = (policy, wants);
        life.certificates = wanted.certificates.to_vec();
        if life.facts().limits_next.is_none() {
            life.limit(bounds, now);
        }
        life.learn(now);
        life.serve(credited, &way, now);
        let served = life.served();
        self.note_past(store, pool);
        served.unwrap_or_else(|| wanted.as_written())
    }

    /// What was published of all pools.
    fn pasts(&mut self, store: &Store) -> &mut Pasts {
        self.pasts.get_or_insert_with(|| Pasts::read(store))
    }

    fn note_past(&mut self, store: &Store, pool: &str) {
        let pasts = self.pasts.get_or_insert_with(|| Pasts::read(store));
        if let Some(life) = self.lives.get(pool).filter(|life| life.facts().between.is_none()) {
            pasts.note(pool, life.facts());
        }
    }

    /// What was published of one pool.
    pub fn past(&self, pool: &str) -> Option<&past::Past> {
        self.pasts.as_ref()?.of(pool)
    }

    /// Makes durable what is about to be published of all pools.
    pub fn keep_pasts(&mut self, store: &Store) {
        let is_whole = self.broken.is_empty();
        let kept = self.pasts(store).keep(store, is_whole);
        self.unkept_pasts = kept.err().map(|fault| fault.to_string());
    }

    /// When journals that are not open, and what could not be kept, are tried again; none: there are none.
    pub fn again_next(&self) -> Option<Instant> {
        Some(self.again_at).filter(|_| !self.broken.is_empty() || self.unkept_pasts.is_some())
    }

    /// They are tried again with the next look at what is served.
    pub fn try_again(&mut self, now: Now) {
        self.again_at = now.steady + RETRY;
    }

    /// Takes the steps of a pool that may be taken now; true where what is served changed.
    pub fn advance(&mut self, store: &Store, pool: &str, now: Now) -> bool {
        let (credited, way) = (self.credited, self.in_the_way.clone());
        if self.ways.contains_key(pool) {
            self.want_way(pool, now.signing);
        }
        let Some(life) = self.lives.get_mut(pool) else { return false };
        let is_served = life.advance(&Around { store, way: &way }, credited, now);
        if self.ways.contains_key(pool) {
            self.look_at_end(pool, now);
        }
        is_served
    }

    /// What has no pool any more and waits for nothing is not looked after; its journal stays.
    pub fn keep_only(&mut self, is_there: impl Fn(&str) -> bool) {
        let needed: Vec<String> =
            self.ways.iter().flat_map(|(way, route)| route.from.iter().chain([way, &route.to])).cloned().collect();
        self.lives.retain(|pool, _| is_there(pool) || needed.contains(pool));
        self.broken.retain(|pool, _| is_there(pool) || needed.contains(pool));
    }

    /// The pool with its journal open; none where it cannot be used.
    fn open(&mut self, store: &Store, pool: &str, now: Now) -> Option<&mut PoolLife> {
        let credited = self.credited;
        if !self.lives.contains_key(pool) {
            let pasts = self.pasts.get_or_insert_with(|| Pasts::read(store));
            match PoolLife::open(store, pool, pasts, now) {
                Ok(mut life) => {
                    life.count_clock(credited, now);
                    if self.broken.remove(pool).is_some() {
                        tracing::info!(POOL = pool, "its journal can be used again");
                    }
                    self.lives.insert(pool.to_owned(), life);
                }
                Err(closed) => {
                    if self.broken.get(pool) != Some(&closed) {
                        tracing::error!(POOL = pool, "{}", closed.what(pool));
                    }
                    self.broken.insert(pool.to_owned(), closed);
                }
            }
        }
        self.lives.get_mut(pool)
    }

    /// The same for a pool that only ways lead from or to; one that never had a journal is not made.
    fn open_known(&mut self, store: &Store, pool: &str, now: Now) {
        if store.has_pool(pool) || self.pasts(store).of(pool).is_some() {
            self.open(store, pool, now);
        }
    }
}

/// What is wanted of a pool. One whose addresses nobody can have is not looked at.
fn policy(config: &Config, bounds: Bounds, pool: &str, wanted: &Wanted) -> Policy {
    let settings = config.pool_settings(pool);
    let can_be = wanted.addresses.iter().all(|address| crate::config::can_be_looked_at(*address));
    let probed = config.probe.enabled && settings.probe && can_be;
    let drain = Some(config.probe.drain).filter(|drain| *drain > 0);
    let adopt = Some(config.probe.every).filter(|_| settings.adopt && probed);
    let next = if settings.next { NextKeys::MadeHere } else { NextKeys::Elsewhere };
    Policy { margin: bounds.margin, next, probed, drain, adopt }
}

/// What holds for a pool that no zone uses yet: the highest of the policies that zones name, else that of zones whose parents
/// are served here, where tenants belong. What zones with tenants really have is taken in before anything is published.
fn default_bounds(config: &Config) -> Bounds {
    let signed = config.zone.values().filter(|zone| zone.signed);
    let named = signed.filter_map(|zone| zone.policy.as_ref()).map(|policy| (policy.signature_life, policy.margin));
    let highest = named.reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)));
    let (life, margin) = highest.unwrap_or_else(|| {
        let shard = config.policy_for("", true);
        (shard.signature_life, shard.margin)
    });
    Bounds { ttl: config.tenants.ttl, life, margin }
}

/// Brings in a private key that is to be the next one of its kind.
///
/// # Errors
/// Why it is not kept.
pub fn stage(life: &mut PoolLife, store: &Store, key: &PrivateKey, now: Now) -> Result<(), String> {
    steps::keep(life, store, key, Origin::Staged, now).map_err(|undone| undone.reason(life))
}

/// A moment for people.
pub fn date(moment: UnixTime) -> String {
    let seconds = i64::try_from(moment.0).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
}

fn want(wanted: &PoolWanted) -> Wanted {
    let current = wanted.certificates.iter().map(|(_, leaf): &(String, Leaf)| (leaf.spki, leaf.kind));
    let apart: Vec<IpAddr> = wanted.apart.iter().copied().filter(|at| crate::config::can_be_looked_at(*at)).collect();
    Wanted {
        left_out: apart.len().saturating_sub(APART_MAX),
        apart: apart.into_iter().take(APART_MAX).collect(),
        addresses: wanted.addresses.iter().copied().collect(),
        current: current.collect(),
        given: wanted.tlsa.iter().map(|digest| crate::cert::Spki(*digest)).collect(),
        before: None,
        disowned: BTreeSet::new(),
    }
}
