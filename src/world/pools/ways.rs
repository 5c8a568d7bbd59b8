//! Tenants on their way from one pool to another: the union of both pools' TLSA first, then addresses, then only the new.
//!
//! Pure. A tenant on its way refers to an entry of its own beside those of the pools; when the way has ended, that entry is
//! the new pool's records, so that no tenant has to be touched again. How far a way is, is not for this to decide.

use crate::world::pools::told::{Endpoint, Joined, Kept, KnownWay, Left, Route, listed};
use crate::world::pools::{Entry, PoolState, PoolTable};
use crate::zone::endpoint::PoolIndex;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What names of ways begin with: no pool's name does.
pub const WAY_PREFIX: &str = ".way-";
/// Tenants that go one way together before others begin one of their own, at most; a batch is never divided. Each batch
/// writes the list of all that are on the same way.
const TOGETHER_MAX: usize = 10_000;

/// Where tenants come from and go to.
#[derive(Clone)]
pub(super) struct Way {
    /// The pool that they leave, or the way that leads them elsewhere.
    pub(super) left: PoolIndex,
    /// The pools whose hosts senders may still be led to; a pool each, never a way, so that no way needs another one.
    pub(super) from: BTreeSet<PoolIndex>,
    pub(super) to: PoolIndex,
    /// Whether others may still join.
    is_young: bool,
    /// Whether anybody was on it in this process.
    was_used: bool,
    /// Whether its tenants have arrived.
    pub(super) has_ended: bool,
}

impl Way {
    /// Somebody is on it.
    pub(super) fn is_used(&mut self) {
        self.was_used = true;
    }
}

/// All ways.
#[derive(Default)]
pub(super) struct Ways {
    /// Number of the next one.
    next: u64,
    /// Endpoints on each way that has not ended.
    endpoints: BTreeMap<PoolIndex, BTreeSet<String>>,
    /// Endpoints that joined ways since these were last told.
    joined: BTreeMap<PoolIndex, BTreeSet<String>>,
    /// And that left ways for others.
    left: BTreeMap<PoolIndex, BTreeSet<String>>,
    /// At a start: which way an endpoint was on, to which pool.
    known: HashMap<String, (String, PoolIndex)>,
}

impl PoolTable {
    /// At a start, before any tenant is read: takes back the ways of an earlier process. New ways have numbers from `first`
    /// on, so that no name ever means two ways.
    pub fn restore_ways(&mut self, ways: Vec<KnownWay>, first: u64) {
        self.ways.next = first;
        let number = |way: &KnownWay| way.way.strip_prefix(WAY_PREFIX).and_then(|text| text.parse::<u64>().ok());
        let mut ways: Vec<(u64, KnownWay)> = ways.into_iter().filter_map(|way| Some((number(&way)?, way))).collect();
        ways.sort_by_key(|(number, _)| *number);
        for (number, known) in ways {
            self.ways.next = self.ways.next.max(number + 1);
            let Route { from, to } = &known.route;
            let from: BTreeSet<PoolIndex> = from.iter().map(|pool| self.index_or_new(pool)).collect();
            let to = self.index_or_new(to);
            let left = from.first().copied().unwrap_or(to);
            let way = Way { left, from, to, is_young: false, was_used: false, has_ended: false };
            let index = self.add_way(&known.way, way);
            let endpoints = listed(&known.endpoints);
            self.ways
                .known
                .extend(endpoints.iter().map(|endpoint| (endpoint.clone(), (known.route.to.clone(), index))));
            self.ways.endpoints.insert(index, endpoints);
        }
    }

    /// The index that a tenant refers to whose file names this pool: the pool's, or that of the way that it is on since
    /// before a restart.
    pub fn index_for(&self, endpoint: Endpoint<'_>, pool: &str, kept: Option<Kept<'_>>) -> Option<PoolIndex> {
        let own = self.index(pool)?;
        let way = self.way_of(endpoint, kept).filter(|way| self.arrives_at(*way) == own);
        Some(way.unwrap_or(own))
    }

    /// Whether a tenant is on a way to this pool since before a restart; none: it is on no way.
    pub fn is_on_way(&self, endpoint: Endpoint<'_>, pool: &str, kept: Option<Kept<'_>>) -> Option<bool> {
        let way = self.way_of(endpoint, kept)?;
        Some(self.index(pool).is_some_and(|pool| self.arrives_at(way) == pool))
    }

    /// Where a tenant is served from since before a restart, that is not served yet: the way that it is on, or the pool
    /// that is kept for it, which need not be defined any more.
    pub fn home(&mut self, endpoint: Endpoint<'_>, kept: Option<Kept<'_>>) -> Option<PoolIndex> {
        let way = self.way_of(endpoint, kept);
        way.or_else(|| kept.map(|kept| self.index_or_new(kept.pool)))
    }

    /// The way that a tenant is on since before a restart: by its list, or by what is kept of the tenant. Whoever leaves a
    /// way only ever joins a younger one.
    fn way_of(&self, endpoint: Endpoint<'_>, kept: Option<Kept<'_>>) -> Option<PoolIndex> {
        let listed = self.known(endpoint).map(|(_, index)| index);
        let named = kept.and_then(|kept| kept.way).and_then(|way| self.by_name.get(way)).copied();
        let is_going =
            |index: &PoolIndex| self.at(*index).and_then(|at| at.way.as_ref()).is_some_and(|way| !way.has_ended);
        listed.max(named.filter(is_going))
    }

    /// The name of the way that tenants are on who refer to this; none: they are at a pool.
    pub fn way_name(&self, index: PoolIndex) -> Option<&str> {
        let entry = self.at(index)?;
        entry.way.as_ref().filter(|way| !way.has_ended).map(|_| entry.name.as_str())
    }

    /// The way that a tenant is on since before a restart, with the pool that it leads to.
    fn known(&self, endpoint: Endpoint<'_>) -> Option<(&str, PoolIndex)> {
        if self.ways.known.is_empty() {
            return None;
        }
        let (to, index) = self.ways.known.get(&endpoint.to_string())?;
        let is_going = self.at(*index).and_then(|entry| entry.way.as_ref()).is_some_and(|way| !way.has_ended);
        is_going.then_some((to, *index))
    }

    /// The index that a tenant refers to which was served by `from` and is to be served by `to`: a way between the two, or
    /// the one that it is on already.
    ///
    /// Whoever has arrived comes from the pool where that is. Whoever is still on a way comes from all pools that it knows
    /// of, so the new way needs nothing of the old one but what caches hold of it now.
    pub fn way(&mut self, left: PoolIndex, to: PoolIndex, endpoint: Endpoint<'_>) -> PoolIndex {
        if self.arrives_at(left) == to {
            return left;
        }
        let left = self.where_is(left);
        let mut from = BTreeSet::from([left]);
        if let Some(way) = self.at(left).and_then(|entry| entry.way.as_ref()) {
            from = way.from.iter().copied().chain([way.to]).filter(|pool| *pool != to).collect();
        }
        let index = match self.open_way(left, &from, to) {
            Some(index) => index,
            None => {
                let name = format!("{WAY_PREFIX}{}", self.ways.next);
                self.ways.next += 1;
                self.add_way(&name, Way { left, from, to, is_young: true, was_used: true, has_ended: false })
            }
        };
        let endpoint = endpoint.to_string();
        if self.ways.endpoints.get_mut(&left).is_some_and(|on| on.remove(&endpoint)) {
            self.ways.left.entry(left).or_default().insert(endpoint.clone());
        }
        self.ways.endpoints.entry(index).or_default().insert(endpoint.clone());
        self.ways.joined.entry(index).or_default().insert(endpoint);
        index
    }

    /// A way that these may join: it leads where they go, and its tenants are served what these are, or more keys.
    fn open_way(&self, left: PoolIndex, from: &BTreeSet<PoolIndex>, to: PoolIndex) -> Option<PoolIndex> {
        let fits = |(index, entry): (usize, &Entry)| {
            let index = PoolIndex::try_from(index).ok()?;
            let way = entry.way.as_ref().filter(|way| way.is_young && !way.has_ended)?;
            let is_same = (way.left, &way.from, way.to) == (left, from, to);
            let room = self.ways.endpoints.get(&index).is_none_or(|on| on.len() < TOGETHER_MAX);
            (is_same && (self.ways.joined.contains_key(&index) || (room && self.is_in_step(left, index))))
                .then_some(index)
        };
        self.entries.iter().enumerate().rev().find_map(fits)
    }

    fn is_in_step(&self, left: PoolIndex, way: PoolIndex) -> bool {
        let served = |index: PoolIndex| self.records.get(usize::try_from(index).ok()?)?.as_deref();
        served(left).zip(served(way)).is_some_and(|(left, way)| {
            left.addresses() == way.addresses() && left.tlsa().iter().all(|spki| way.tlsa().contains(spki))
        })
    }

    /// Where tenants of this entry are: at a pool, or on a way that has not ended.
    fn where_is(&self, index: PoolIndex) -> PoolIndex {
        self.at(index).and_then(|entry| entry.way.as_ref()).filter(|way| way.has_ended).map_or(index, |way| way.to)
    }

    /// All indexes that tenants refer to which are served as this pool, or on this way.
    pub fn indexes_of(&self, name: &str) -> BTreeSet<PoolIndex> {
        let Some(own) = self.by_name.get(name).copied() else { return BTreeSet::new() };
        let arrived = |(at, entry): (usize, &Entry)| {
            let way = entry.way.as_ref().filter(|way| way.has_ended && way.to == own)?;
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
        let is_bad = |finding: &crate::diagnostic::Diagnostic| finding.code == crate::world::pools::BAD_CERTIFICATE;
        self.entries.iter().any(|entry| entry.findings.iter().any(is_bad))
    }

    /// Nobody joins a way any more from here on.
    pub fn close_way(&mut self, name: &str) {
        let index = self.by_name.get(name).and_then(|index| usize::try_from(*index).ok());
        let way = index.and_then(|index| self.entries.get_mut(index)?.way.as_mut());
        way.into_iter().for_each(|way| way.is_young = false);
    }

    /// Whether a way was joined since this was last told.
    pub fn is_joined(&self) -> bool {
        !self.ways.joined.is_empty()
    }

    /// The ways that were joined since this was last asked.
    pub fn joined(&mut self) -> Vec<Joined> {
        let told = std::mem::take(&mut self.ways.joined);
        let lines = |all: &BTreeSet<String>| all.iter().map(|endpoint| format!("{endpoint}\n")).collect::<String>();
        let tell = |(index, news): (PoolIndex, BTreeSet<String>)| {
            let entry = self.at(index)?;
            let way = entry.way.as_ref()?;
            let endpoints = self.ways.endpoints.get(&index)?;
            let name = |index: PoolIndex| self.at(index).map(|entry| entry.name.clone());
            let from = way.from.iter().filter_map(|pool| name(*pool)).collect();
            Some(Joined {
                way: entry.name.clone(),
                left: name(way.left)?,
                route: Route { from, to: name(way.to)? },
                endpoints: lines(endpoints),
                news: lines(&news),
            })
        };
        told.into_iter().filter_map(tell).collect()
    }

    /// Who left ways for others since this was last asked.
    pub fn left(&mut self) -> Vec<Left> {
        let told = std::mem::take(&mut self.ways.left);
        let tell = |(index, news): (PoolIndex, BTreeSet<String>)| {
            let way = self.at(index)?.name.clone();
            let endpoints = self.ways.endpoints.get(&index)?.iter().map(|endpoint| format!("{endpoint}\n")).collect();
            Some(Left { way, endpoints, news: news.iter().map(|endpoint| format!("-{endpoint}\n")).collect() })
        };
        told.into_iter().filter_map(tell).collect()
    }

    /// Pools that tenants on their way still come from, and those that some have arrived at or will.
    pub(super) fn on_ways(&self) -> BTreeSet<usize> {
        let ways = || self.entries.iter().filter_map(|entry| entry.way.as_ref().map(|way| (entry, way)));
        let left = ways().filter(|(_, way)| !way.has_ended).flat_map(|(_, way)| way.from.iter().copied());
        let used = ways().filter(|(entry, way)| !way.has_ended || entry.tenants > 0).map(|(_, way)| way.to);
        left.chain(used).filter_map(|index| usize::try_from(index).ok()).collect()
    }

    pub(super) fn tenants_on_way_to(&self, to: PoolIndex) -> u64 {
        let goes = |entry: &&Entry| entry.way.as_ref().is_some_and(|way| way.to == to);
        self.entries.iter().filter(goes).map(|entry| entry.tenants).sum()
    }

    /// Whether all that were on a way went elsewhere: what caches hold of it is known where they are now.
    pub(super) fn is_left(&self, at: usize) -> bool {
        let is_empty = |entry: &Entry| entry.tenants == 0 && entry.remembered == 0;
        let was_used = |way: &Way| way.was_used;
        let is_joined = PoolIndex::try_from(at).is_ok_and(|index| self.ways.joined.contains_key(&index));
        let entry = self.entries.get(at).filter(|entry| is_empty(entry) && entry.way.as_ref().is_some_and(was_used));
        entry.is_some() && !is_joined
    }

    /// Counts tenants that were removed from a pool or way and whose records caches may hold.
    pub fn remember(&mut self, pool: Option<PoolIndex>, change: i64) {
        let entry = pool.and_then(|pool| self.entries.get_mut(usize::try_from(pool).ok()?));
        if let Some(entry) = entry {
            entry.remembered = entry.remembered.saturating_add_signed(change);
        }
    }

    pub(super) fn end_way(&mut self, at: usize) {
        let way = self.entries.get_mut(at).and_then(|entry| entry.way.as_mut());
        let to = way.map(|way| {
            way.has_ended = true;
            way.to
        });
        if let (Ok(index), Some(to)) = (PoolIndex::try_from(at), to) {
            self.ways.endpoints.remove(&index);
            let begun_here = self.entries.iter_mut().filter_map(|entry| entry.way.as_mut());
            begun_here.filter(|way| way.left == index).for_each(|way| way.left = to);
        }
        // A pool that only waited for them may go now.
        self.unused = true;
    }

    /// The pool where tenants of this entry are, or will be.
    fn arrives_at(&self, index: PoolIndex) -> PoolIndex {
        self.at(index).and_then(|entry| entry.way.as_ref()).map_or(index, |way| way.to)
    }

    fn index_or_new(&mut self, name: &str) -> PoolIndex {
        if !self.by_name.contains_key(name) {
            // Nothing but where tenants come from is known of it.
            self.entry_or_new(name).state = PoolState::Gone;
        }
        self.by_name.get(name).copied().unwrap_or(PoolIndex::MAX)
    }

    /// A place that nobody refers to any more is used again: whoever moves again and again takes no more of them.
    fn add_way(&mut self, name: &str, way: Way) -> PoolIndex {
        let is_free = |entry: &Entry| {
            entry.tenants == 0 && entry.remembered == 0 && entry.way.as_ref().is_some_and(|way| way.has_ended)
        };
        let free = self.entries.iter().position(is_free).and_then(|at| Some((at, PoolIndex::try_from(at).ok()?)));
        if let Some((at, index)) = free
            && let Some(entry) = self.entries.get_mut(at)
        {
            self.by_name.remove(&std::mem::replace(&mut entry.name, name.to_owned()));
            self.by_name.insert(name.to_owned(), index);
            self.ways.known.retain(|_, (_, known)| *known != index);
        }
        let entry = self.entry_or_new(name);
        (entry.way, entry.state) = (Some(way), PoolState::Served);
        self.index_or_new(name)
    }
}
