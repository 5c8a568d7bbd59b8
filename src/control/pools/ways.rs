//! Tenants on their way from one pool to another: the union of both pools' TLSA first, then addresses, then only the new.
//!
//! Pure. A tenant on its way refers to an entry of its own beside those of the pools; when the way has ended, that entry is
//! the new pool's records, so that no tenant has to be touched again. How far a way is, is not for this to decide.

use super::{Entry, PoolOutside, PoolState, PoolTable};
use crate::dns::name::Name;
use crate::zone::endpoint::{PoolIndex, Pools, Records};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

/// What names of ways begin with: no pool's name does.
pub const WAY_PREFIX: &str = ".way-";
/// Tenants that go one way together before others begin one of their own, at most; a batch is never divided. Each batch
/// writes the list of all that are on the same way.
const TOGETHER_MAX: usize = 10_000;

/// Where tenants come from and go to.
#[derive(Clone, Copy)]
pub(super) struct Way {
    pub(super) from: PoolIndex,
    pub(super) to: PoolIndex,
    /// Whether others may still join.
    is_young: bool,
    /// Whether its tenants have arrived.
    pub(super) has_ended: bool,
}

/// All ways.
#[derive(Default)]
pub(super) struct Ways {
    /// Number of the next one.
    next: u64,
    /// Endpoints on each way that has not ended.
    endpoints: BTreeMap<PoolIndex, BTreeSet<String>>,
    /// Ways that were joined since they were last told.
    joined: BTreeSet<PoolIndex>,
    /// At a start: which way an endpoint was on, to which pool.
    known: HashMap<String, (String, PoolIndex)>,
}

/// A tenant's endpoint: its label and the zone. A domain may be a tenant of two zones.
#[derive(Clone, Copy)]
pub struct Endpoint<'a> {
    /// The first label.
    pub label: &'a str,
    /// The rest.
    pub apex: &'a Name,
}

impl fmt::Display for Endpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.label, self.apex)
    }
}

/// A way that tenants have joined, as it must be durable before they are served by it.
pub struct Joined {
    /// Its name.
    pub way: String,
    /// The pool or way that they leave.
    pub from: String,
    /// The pool that they go to.
    pub to: String,
    /// All endpoints on it, one a line.
    pub endpoints: String,
}

/// A way that an earlier process began.
pub struct KnownWay {
    /// Its name.
    pub way: String,
    /// The pool or way that they leave.
    pub from: String,
    /// The pool that they go to.
    pub to: String,
    /// All endpoints on it, one a line.
    pub endpoints: String,
}

impl PoolTable {
    /// At a start, before any tenant is read: takes back the ways of an earlier process.
    pub fn restore_ways(&mut self, ways: Vec<KnownWay>) {
        let number = |way: &KnownWay| way.way.strip_prefix(WAY_PREFIX).and_then(|text| text.parse::<u64>().ok());
        let mut ways: Vec<(u64, KnownWay)> = ways.into_iter().filter_map(|way| Some((number(&way)?, way))).collect();
        ways.sort_by_key(|(number, _)| *number);
        for (number, known) in ways {
            self.ways.next = self.ways.next.max(number + 1);
            let (from, to) = (self.index_or_new(&known.from), self.index_or_new(&known.to));
            let index = self.add_way(&known.way, Way { from, to, is_young: false, has_ended: false });
            let endpoints = known.endpoints.lines().map(str::to_owned);
            self.ways.endpoints.insert(index, endpoints.clone().collect());
            self.ways.known.extend(endpoints.map(|endpoint| (endpoint, (known.to.clone(), index))));
        }
    }

    /// The index that a tenant refers to whose file names this pool: the pool's, or that of the way that it is on since
    /// before a restart.
    pub fn index_for(&self, endpoint: Endpoint<'_>, pool: &str) -> Option<PoolIndex> {
        let known = self.known(endpoint).filter(|(to, _)| *to == pool).map(|(_, index)| index);
        let pool = self.index(pool)?;
        Some(known.unwrap_or(pool))
    }

    /// Whether a tenant is on a way to this pool since before a restart; none: it is on no way.
    pub fn is_on_way(&self, endpoint: Endpoint<'_>, pool: &str) -> Option<bool> {
        self.known(endpoint).map(|(to, _)| to == pool)
    }

    /// Where a tenant is served from since before a restart, that is not served yet: the way that it is on, or the pool
    /// `kept` for it, which need not be defined any more.
    pub fn home(&mut self, endpoint: Endpoint<'_>, kept: Option<&str>) -> Option<PoolIndex> {
        let way = self.known(endpoint).map(|(_, index)| index);
        way.or_else(|| kept.map(|pool| self.index_or_new(pool)))
    }

    /// The way that a tenant is on since before a restart, with the pool that it leads to.
    fn known(&self, endpoint: Endpoint<'_>) -> Option<(&str, PoolIndex)> {
        if self.ways.known.is_empty() {
            return None;
        }
        let (to, index) = self.ways.known.get(&endpoint.to_string())?;
        let is_going = self.at(*index).and_then(|entry| entry.way).is_some_and(|way| !way.has_ended);
        is_going.then_some((to, *index))
    }

    /// The index that a tenant refers to which was served by `from` and is to be served by `to`: a way between the two, or
    /// the one that it is on already.
    pub fn way(&mut self, from: PoolIndex, to: PoolIndex, endpoint: Endpoint<'_>) -> PoolIndex {
        if self.arrives_at(from) == to {
            return from;
        }
        let joins = |(index, entry): (usize, &Entry)| {
            let way = entry.way.filter(|way| way.is_young && !way.has_ended && (way.from, way.to) == (from, to))?;
            let index = PoolIndex::try_from(index).ok()?;
            let room = self.ways.endpoints.get(&index).is_none_or(|on| on.len() < TOGETHER_MAX);
            (room || self.ways.joined.contains(&index)).then_some((index, way))
        };
        let index = match self.entries.iter().enumerate().rev().find_map(joins) {
            Some((index, _)) => index,
            None => {
                let name = format!("{WAY_PREFIX}{}", self.ways.next);
                self.ways.next += 1;
                self.add_way(&name, Way { from, to, is_young: true, has_ended: false })
            }
        };
        self.ways.endpoints.entry(index).or_default().insert(endpoint.to_string());
        self.ways.joined.insert(index);
        index
    }

    /// All indexes that tenants refer to which are served as this pool, or on this way.
    pub fn indexes_of(&self, name: &str) -> BTreeSet<PoolIndex> {
        let Some(own) = self.by_name.get(name).copied() else { return BTreeSet::new() };
        let arrived = |(at, entry): (usize, &Entry)| {
            let way = entry.way.filter(|way| way.has_ended && way.to == own)?;
            PoolIndex::try_from(at).ok().filter(|_| way.to == own)
        };
        self.entries.iter().enumerate().filter_map(arrived).chain([own]).collect()
    }

    /// Whether any tenant is served as this pool, or on this way.
    pub fn has_tenants(&self, name: &str) -> bool {
        let indexes = self.indexes_of(name);
        indexes.into_iter().filter_map(|index| self.at(index)).any(|entry| entry.tenants > 0)
    }

    /// Whether a pool or way of this name is defined or used.
    pub fn is_there(&self, name: &str) -> bool {
        self.entry(name).is_some_and(|entry| entry.state != PoolState::Gone)
    }

    /// Certificate files that pools name, as written.
    pub fn certificate_paths(&self) -> BTreeSet<String> {
        let pools = self.entries.iter().filter_map(|entry| entry.wanted.as_ref().or(entry.pool.as_ref()));
        pools.flat_map(|pool| pool.certificates.iter().cloned()).collect()
    }

    /// Whether some certificate file could not be used.
    pub fn has_bad_certificates(&self) -> bool {
        let is_bad = |finding: &crate::diagnostic::Diagnostic| finding.code == super::BAD_CERTIFICATE;
        self.entries.iter().any(|entry| entry.findings.iter().any(is_bad))
    }

    /// Nobody joins a way any more from here on.
    pub fn close_way(&mut self, name: &str) {
        let index = self.by_name.get(name).and_then(|index| usize::try_from(*index).ok());
        let way = index.and_then(|index| self.entries.get_mut(index)?.way.as_mut());
        way.into_iter().for_each(|way| way.is_young = false);
    }

    /// The ways that were joined since this was last asked.
    pub fn joined(&mut self) -> Vec<Joined> {
        let told = std::mem::take(&mut self.ways.joined);
        let tell = |index: PoolIndex| {
            let entry = self.at(index)?;
            let way = entry.way?;
            let endpoints = self.ways.endpoints.get(&index)?;
            Some(Joined {
                way: entry.name.clone(),
                from: self.at(way.from)?.name.clone(),
                to: self.at(way.to)?.name.clone(),
                endpoints: endpoints.iter().map(|endpoint| format!("{endpoint}\n")).collect(),
            })
        };
        told.into_iter().filter_map(tell).collect()
    }

    /// Pools that tenants on their way still come from, and those that some have arrived at or will.
    pub(super) fn on_ways(&self) -> BTreeSet<usize> {
        let ways = || self.entries.iter().filter_map(|entry| entry.way.map(|way| (entry, way)));
        let left = ways().filter(|(_, way)| !way.has_ended).map(|(_, way)| way.from);
        let used = ways().filter(|(entry, way)| !way.has_ended || entry.tenants > 0).map(|(_, way)| way.to);
        left.chain(used).filter_map(|index| usize::try_from(index).ok()).collect()
    }

    pub(super) fn tenants_on_way_to(&self, to: PoolIndex) -> u64 {
        let goes = |entry: &&Entry| entry.way.is_some_and(|way| way.to == to);
        self.entries.iter().filter(goes).map(|entry| entry.tenants).sum()
    }

    /// What is served on each way: before it, what its pools serve is known; a way may begin at another, older one.
    pub(super) fn rebuild_ways(&mut self, next: &mut Pools, outside: &mut dyn PoolOutside) {
        for at in 0..self.entries.len() {
            let Some(way) = self.entries.get(at).and_then(|entry| entry.way) else { continue };
            let name = |index| self.at(index).map(|entry| entry.name.clone()).unwrap_or_default();
            let own = self.entries.get(at).map(|entry| entry.name.clone()).unwrap_or_default();
            let served = if way.has_ended { None } else { outside.serve_way(&own, &name(way.from), &name(way.to)) };
            let records = match &served {
                Some(served) => Some(Arc::new(Records::new(&served.addresses, &served.tlsa, self.ttl))),
                None => usize::try_from(way.to).ok().and_then(|to| next.get(to).cloned().flatten()),
            };
            if let Some(place) = next.get_mut(at) {
                *place = records;
            }
            if served.is_none() && !way.has_ended {
                self.end_way(at);
            }
        }
    }

    fn end_way(&mut self, at: usize) {
        let way = self.entries.get_mut(at).and_then(|entry| entry.way.as_mut());
        way.into_iter().for_each(|way| way.has_ended = true);
        if let Ok(index) = PoolIndex::try_from(at) {
            self.ways.endpoints.remove(&index);
        }
        // A pool that only waited for them may go now.
        self.unused = true;
    }

    /// The pool where tenants of this entry are, or will be.
    fn arrives_at(&self, index: PoolIndex) -> PoolIndex {
        self.at(index).and_then(|entry| entry.way).map_or(index, |way| way.to)
    }

    fn index_or_new(&mut self, name: &str) -> PoolIndex {
        self.entry_or_new(name);
        self.by_name.get(name).copied().unwrap_or(PoolIndex::MAX)
    }

    fn add_way(&mut self, name: &str, way: Way) -> PoolIndex {
        let entry = self.entry_or_new(name);
        (entry.way, entry.state) = (Some(way), PoolState::Served);
        self.index_or_new(name)
    }
}
