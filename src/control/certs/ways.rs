//! Tenants on their way between two pools: who they are is durable, and the same engine leads them.
//!
//! A way that cannot be kept is not begun: its tenants are served as before until the disk takes it.

use crate::cert::Spki;
use crate::control::certs::kept::all_names;
use crate::control::certs::pool::Shows;
use crate::control::certs::{Certs, PoolLife};
use crate::control::life::InTheWay;
use crate::diagnostic::{Diagnostic, Place};
use crate::roll::hosts::check::AddressSet;
use crate::roll::hosts::facts::Fact;
use crate::roll::hosts::fold::PoolFacts;
use crate::roll::hosts::plan::is_disowned;
use crate::roll::hosts::way::{has_arrived, inherited, last_wait, wanted};
use crate::roll::hosts::{NextKeys, Policy, Wanted};
use crate::roll::item::Version;
use crate::store::Store;
use crate::time::{Now, Seconds, UnixTime};
use crate::world::pools::{Joined, KnownWay, Left, Route, WayServed};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// When a way that the disk refused is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// Others may join a way while this share of its first wait has not passed; then the next ones begin one of their own.
const YOUNG_SHARE: u64 = 8;

impl Certs {
    /// The ways that an earlier process began and that have not ended, before any tenant is read.
    pub fn restore_ways(&mut self, store: &Store, now: Now) -> Vec<KnownWay> {
        let mut found: BTreeMap<String, (String, String)> = BTreeMap::new();
        let listed = self.read_ways(store);
        for way in all_names(store.way_names(), &listed) {
            let (why, fix) = match store.pool_journal(&way) {
                Ok(Some(mut journal)) => {
                    journal.mend(now.signing).into_iter().for_each(|finding| self.tell(finding));
                    let mut life = PoolLife::with(journal, Vec::new(), now);
                    life.count_clock(self.credited, now);
                    if let Some(between) = life.facts().between.clone() {
                        self.lives.insert(way.clone(), life);
                        found.insert(way, between);
                        continue;
                    }
                    ("its journal is that of a pool".to_owned(), "restore it from a backup")
                }
                Ok(None) => ("its journal is missing".to_owned(), "restore it from a backup"),
                Err(fault) => (fault.to_string(), "restore it from a backup, or the program that wrote it"),
            };
            let Some(listed) = listed.get(&way) else {
                let place = Place::file(store.pool_folder(&way).display().to_string());
                let message = format!("what is known of the way {way} between pools is lost: {why}");
                self.tell(Diagnostic::error("MX5622", place, message, fix));
                continue;
            };
            let Some(life) = self.begin_way_again(store, listed, &why, now) else { continue };
            found.extend(life.facts().between.clone().map(|between| (way.clone(), between)));
            self.lives.insert(way, life);
        }
        let mut known = Vec::new();
        for (way, (from, to)) in &found {
            let route = Route { from: pools_of(from, &found).into_iter().collect(), to: to.clone() };
            let endpoints = self.read_way_list(store, way);
            self.ways.insert(way.clone(), route.clone());
            known.push(KnownWay { way: way.clone(), route, endpoints });
        }
        // Where they come from and go to is known from facts, whatever the files say now.
        for pool in known.iter().flat_map(|way| way.route.from.iter().chain([&way.route.to])) {
            if !self.lives.contains_key(pool) {
                self.open_known(store, pool, now);
            }
        }
        known
    }

    /// Makes durable who is on a way.
    pub fn join_ways(&mut self, store: &Store, joined: Vec<Joined>, now: Now) {
        for joined in joined {
            if let Err(reason) = self.join(store, &joined, now) {
                let Joined { way, left, .. } = &joined;
                tracing::warn!(POOL = way, "tenants stay with pool {left} for now: {reason}");
                self.unkept.insert(joined.way.clone(), joined);
            }
        }
        if self.unkept.is_empty() {
            // Nobody begins at one that has ended any more.
            self.ended.clear();
        }
    }

    /// When what the disk refused is tried again; none: it refused nothing.
    pub fn join_next(&self) -> Option<Instant> {
        Some(self.join_at).filter(|_| !self.unkept.is_empty() || !self.unleft.is_empty() || !self.unremoved.is_empty())
    }

    /// What the disk refused is tried again; true where that may have changed what is served.
    pub fn join_again(&mut self, store: &Store, now: Now) -> bool {
        let unkept = std::mem::take(&mut self.unkept);
        self.join_at = now.steady + RETRY;
        let was_some = !unkept.is_empty();
        // Older ways first: younger ones may begin at them.
        let mut again: Vec<Joined> = unkept.into_values().collect();
        again.sort_by_key(|joined| (joined.way.len(), joined.way.clone()));
        self.join_ways(store, again, now);
        let unleft = std::mem::take(&mut self.unleft);
        self.leave_ways(store, unleft.into_values().collect());
        std::mem::take(&mut self.unremoved).iter().for_each(|way| self.remove_way(store, way));
        was_some && self.unkept.is_empty()
    }

    fn join(&mut self, store: &Store, joined: &Joined, now: Now) -> Result<(), String> {
        let Joined { way, left, route, endpoints, news } = joined;
        let leaf = self.leaf(left);
        // A pool that tenants were served from before a restart may be in no file any more.
        for pool in route.from.iter().chain([&leaf]).filter(|pool| !pool.starts_with('.')) {
            self.open_known(store, pool, now);
        }
        let served = self.lives.get(&leaf).filter(|life| life.served().is_some());
        if served.is_none() && !self.ways.contains_key(way) {
            if self.broken.contains_key(&leaf) {
                return Err(format!("what pool {leaf} served is not known"));
            }
            tracing::error!(POOL = way, "nobody knows what pool {leaf} served: its tenants are served by {}", route.to);
            return Ok(());
        }
        let bounds = self.bounds;
        let inherited = served.map(|life| inherited(life.facts(), bounds.margin, now.signing));
        if !self.lives.contains_key(way) {
            let began = Fact::PoolBegan { from: Some(route.from.join(" ")), to: Some(route.to.clone()) };
            let journal = store.create_pool_journal(way, began, now.signing).map_err(|fault| fault.to_string())?;
            let mut life = PoolLife::with(journal, Vec::new(), now);
            // All that no clock counted before this was is nothing to it.
            life.count_clock(self.credited, now);
            self.lives.insert(way.clone(), life);
        }
        let life = self.lives.get_mut(way).ok_or("its journal is not open")?;
        life.limit(bounds, now);
        for fact in inherited.into_iter().flatten() {
            let is_known = matches!(&fact, Fact::KeyKnown { spki, .. } if life.facts().key(*spki).is_some());
            if !is_known && !life.record(fact, now) {
                return Err(life.unrecorded());
            }
        }
        // Who is on the way is said last: after a crash nobody is on one that does not know what he was served.
        let list = self.lists.entry(way.clone()).or_insert_with(|| store.way_list(way));
        let kept = match self.ways.contains_key(way) {
            true => store.append_kept(list, news, || endpoints.clone()),
            false => store.write_kept(list, endpoints),
        };
        kept.map_err(|fault| fault.to_string())?;
        let is_new = self.ways.insert(way.clone(), route.clone()).is_none();
        self.keep_ways(store).inspect_err(|_| {
            if is_new {
                self.ways.remove(way);
            }
        })
    }

    /// Makes durable who left ways for others.
    pub fn leave_ways(&mut self, store: &Store, left: Vec<Left>) {
        for Left { way, endpoints, news } in left {
            let Some(list) = self.lists.get_mut(&way).filter(|_| self.ways.contains_key(&way)) else { continue };
            if let Err(fault) = store.append_kept(list, &news, || endpoints.clone()) {
                tracing::warn!(POOL = way, "who left it is not kept yet: {fault}");
                self.unleft.insert(way.clone(), Left { way, endpoints, news });
            }
        }
    }

    /// Whose facts tell what was served under this name: a way that has ended is the pool that it led to, and one that
    /// could not be begun is what its tenants left.
    fn leaf(&self, name: &str) -> String {
        let mut leaf = name;
        while let Some(next) = self.ended.get(leaf).or_else(|| Some(&self.unkept.get(leaf)?.left)) {
            leaf = next;
        }
        leaf.to_owned()
    }

    /// What is served on a way; recorded when this returns.
    pub fn serve_way(&mut self, store: &Store, way: &str, now: Now) -> WayServed {
        let Some(to) = self.ways.get(way).map(|route| route.to.clone()) else {
            return if self.unkept.contains_key(way) { WayServed::AsBefore } else { WayServed::Ended };
        };
        self.want_way(way, now.signing);
        let (credited, in_the_way) = (self.credited, self.in_the_way.clone());
        let Some(life) = self.lives.get_mut(way) else { return WayServed::AsBefore };
        life.learn(now);
        life.serve(credited, &in_the_way, now);
        let served = life.served();
        if let Err(fault) = self.keep_ways(store) {
            tracing::warn!(POOL = way, "what is served on it is in its journal only: {fault}");
        }
        if self.homes_are_kept && self.has_arrived(way, &to, now.signing) {
            tracing::info!(POOL = way, "its tenants have arrived");
            self.end_way(store, way);
            return WayServed::Ended;
        }
        served.map_or(WayServed::AsBefore, WayServed::Served)
    }

    /// What a way leads to, by what is known of its pools now. What nobody knows changes nothing, and is never taken for
    /// nothing: hosts that no pool speaks of may show anything.
    pub(super) fn want_way(&mut self, way: &str, now: UnixTime) {
        let Some(route) = self.ways.get(way).cloned() else { return };
        let from: Vec<&PoolLife> = route.from.iter().filter_map(|pool| self.lives.get(pool)).collect();
        let to = self.lives.get(&route.to).filter(|life| life.served().is_some());
        let Some(own) = self.lives.get(way).map(|life| life.facts()) else { return };
        let margin = self.bounds.margin;
        let wanted = match to {
            Some(to) => {
                let left_out = from.iter().map(|life| life.wanted.left_out).sum::<usize>() + to.wanted.left_out;
                let all: Vec<&PoolFacts> = from.iter().map(|life| life.facts()).collect();
                Wanted { left_out, ..wanted(&all, to.facts()) }
            }
            None => Wanted { addresses: own.served_addresses(), given: own.served_keys(), ..Wanted::default() },
        };
        let lives = || from.iter().copied().chain(to);
        let wanted = Wanted { disowned: lives().flat_map(disowned).collect(), ..wanted };
        // Tenants on their way that have addresses of their own are counted with the pool that they go to.
        let of_from = from.iter().map(|life| Shows { held: Vec::new(), dark: AddressSet::new(), ..shows_of(life) });
        let mut shows: Vec<Shows> = of_from.chain(to.map(shows_of)).collect();
        let of_pools = lives().flat_map(|life| life.facts().reachable(margin, now));
        let known: AddressSet = shows
            .iter()
            .flat_map(|shows| shows.showings.iter().map(|seen| seen.what.address))
            .chain(of_pools)
            .collect();
        let unseen = own.reachable(margin, now).difference(&known).copied().collect();
        shows.push(Shows { unseen, ..Shows::default() });
        let Some(life) = self.lives.get_mut(way) else { return };
        life.policy = Policy { margin, next: NextKeys::Elsewhere, probed: true, drain: None, adopt: None };
        (life.wanted, life.shows) = (wanted, Some(shows));
    }

    fn has_arrived(&self, way: &str, to: &str, now: UnixTime) -> bool {
        let (Some(own), Some(to)) = (self.lives.get(way), self.lives.get(to)) else { return false };
        has_arrived(own.facts(), to.facts(), own.policy.margin, now)
    }

    /// A way is looked at once its last wait is over, so that its end is noticed then.
    pub(super) fn look_at_end(&mut self, way: &str, now: Now) {
        let Some(life) = self.lives.get_mut(way) else { return };
        let Some(at) = last_wait(life.facts(), life.policy.margin).filter(|at| *at >= now.signing) else { return };
        life.due = life.due.min(now.steady + Duration::from_secs(at.0 - now.signing.0 + 1));
    }

    /// Nobody is on this way any more, or may come back to it.
    pub fn leave_way(&mut self, store: &Store, way: &str) {
        self.unkept.remove(way);
        if self.ways.contains_key(way) {
            tracing::info!(POOL = way, "all its tenants went elsewhere");
            self.end_way(store, way);
        }
    }

    fn end_way(&mut self, store: &Store, way: &str) {
        if let Some(route) = self.ways.remove(way) {
            self.ended.insert(way.to_owned(), route.to);
        }
        self.lives.remove(way);
        self.lists.remove(way);
        self.unleft.remove(way);
        self.remove_way(store, way);
    }

    /// Removes what is kept of a way that has ended; what the disk refuses is tried again.
    fn remove_way(&mut self, store: &Store, way: &str) {
        // What is in no list has ended, so the list is first.
        if let Err(fault) = self.keep_ways(store) {
            tracing::warn!(POOL = way, "it stays in the list of ways for now: {fault}");
            self.unremoved.insert(way.to_owned());
            return;
        }
        if let Err(fault) = store.remove_pool(way) {
            tracing::warn!(POOL = way, "what is left of it stays for now: {fault}");
            self.unremoved.insert(way.to_owned());
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

/// The pools that a way comes from. Older programs began ways at other ways.
fn pools_of(from: &str, ways: &BTreeMap<String, (String, String)>) -> BTreeSet<String> {
    let (mut pools, mut open, mut seen) = (BTreeSet::new(), vec![from], BTreeSet::new());
    while let Some(name) = open.pop() {
        for name in name.split(' ').filter(|name| seen.insert(*name)) {
            match ways.get(name) {
                Some((from, to)) => open.extend([from.as_str(), to.as_str()]),
                // Of a way that has ended nobody knows where it led: hosts that no pool speaks of count as unseen.
                None if name.starts_with('.') => {}
                None => drop(pools.insert(name.to_owned())),
            }
        }
    }
    pools
}

fn shows_of(life: &PoolLife) -> Shows {
    let mut conditions = life.conditions(&InTheWay::default(), life.facts().time);
    let probed = life.policy.probed;
    let mut unseen = std::mem::take(&mut conditions.unseen);
    unseen.extend(&conditions.unknown);
    let held = life.sights.shown_apart().into_iter().map(open).collect();
    let showings = life.facts().showings(probed);
    Shows { showings, silent: conditions.silent, unseen, held, dark: conditions.dark }
}

/// Keys of a pool whose TLSA somebody has ended at once.
fn disowned(life: &PoolLife) -> impl Iterator<Item = Spki> {
    let given_up = life.facts().keys.iter().filter(|key| !key.is_served() && is_disowned(key, &life.wanted));
    given_up.map(|key| key.spki)
}

/// A key that is shown now, and nobody asks since when.
fn open(spki: Spki) -> Version<Spki> {
    Version { what: spki, since: UnixTime(0), record: 0, last: None, ttl: 0, life: 0, seen: true }
}
