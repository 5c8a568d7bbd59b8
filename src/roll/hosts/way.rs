//! Tenants on their way between two pools: what they bring with them, where they are led, and when they have arrived.
//!
//! Pure. The way has facts of its own and the engine of all pools leads it: TLSA of both first, then addresses, then only
//! those of the new pool, each when no sender can fail any more.

use super::Wanted;
use super::check::SpkiSet;
use super::facts::{Fact, Inherited, Origin};
use super::fold::PoolFacts;
use crate::cert::Spki;
use crate::roll::item::{Caution, Version, is_cached};
use crate::time::{Seconds, UnixTime};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Sets of TLSA, and as many of addresses, that one fact says were served: 16 of each in a set are some 12,000 octets, and a
/// line of a journal may have 16 KiB.
const INHERITED_MAX: usize = 6;

/// What a way leads to, by what the pools serve now that it comes from and goes to.
pub fn wanted(from: &[&PoolFacts], to: &PoolFacts) -> Wanted {
    Wanted {
        addresses: to.served_addresses(),
        current: BTreeMap::new(),
        given: to.served_keys(),
        apart: from
            .iter()
            .copied()
            .chain([to])
            .flat_map(|pool| pool.apart.last())
            .flat_map(|v| v.what.clone())
            .collect(),
        left_out: 0,
        disowned: SpkiSet::new(),
        before: Some((
            from.iter().flat_map(|pool| pool.served_keys()).collect(),
            from.iter().flat_map(|pool| pool.served_addresses()).collect(),
        )),
    }
}

/// Whether all that tenants on a way may be served, or caches may hold of it, is what the new pool serves.
pub fn has_arrived(way: &PoolFacts, to: &PoolFacts, margin: Seconds, now: UnixTime) -> bool {
    way.served_keys() == to.served_keys()
        && way.served_addresses() == to.served_addresses()
        && only_last(&way.addresses, margin, now)
        && only_last(&way.tlsa, margin, now)
}

/// When caches hold nothing but what is served on a way now; none: something older may still be served, or nothing is.
pub fn last_wait(way: &PoolFacts, margin: Seconds) -> Option<UnixTime> {
    let old = |count: usize| count.saturating_sub(1);
    let keys = way.tlsa.iter().take(old(way.tlsa.len())).map(|version| version.until(Caution::Expiry, margin));
    let addresses = way.addresses.iter().take(old(way.addresses.len()));
    let all: Option<Vec<UnixTime>> =
        keys.chain(addresses.map(|version| version.until(Caution::Expiry, margin))).collect();
    all?.into_iter().max()
}

/// Whether caches hold nothing but the newest.
fn only_last<T>(versions: &[Version<T>], margin: Seconds, now: UnixTime) -> bool {
    versions.iter().rev().skip(1).all(|version| !is_cached(version, Caution::Expiry, margin, now))
}

/// What tenants that leave a pool may be served of it, by caches: the keys to be known first, then what was served, in as
/// many facts as that takes, the newest first. Each of them leaves what was served last as what is served now, so that a
/// crash between two of them forgets nothing that is served.
pub fn inherited(facts: &PoolFacts, margin: Seconds, now: UnixTime) -> Vec<Fact> {
    fn still<T, U: PartialEq>(
        versions: &[Version<T>],
        margin: Seconds,
        now: UnixTime,
        list: impl Fn(&T) -> U,
    ) -> Vec<Inherited<U>> {
        let cached = versions.iter().filter(|version| is_cached(*version, Caution::Expiry, margin, now));
        let mut all: Vec<Inherited<U>> = Vec::new();
        for version in cached {
            let (what, mut last) = (list(&version.what), version.last.map(|last| last.0));
            let (mut ttl, mut life) = (version.ttl, version.life);
            // What was served twice counts once, for the longer time: who goes to and fro must not take more with each turn.
            if let Some(at) = all.iter().position(|before| before.what == what) {
                let before = all.remove(at);
                last = last.zip(before.last).map(|(one, two)| one.max(two));
                (ttl, life) = (ttl.max(before.ttl), life.max(before.life));
            }
            all.push(Inherited { what, last, ttl, life });
        }
        all
    }
    let keys = still(&facts.tlsa, margin, now, |set| set.iter().copied().collect::<Vec<_>>());
    let addresses = still(&facts.addresses, margin, now, |set| set.iter().copied().collect());
    let all: SpkiSet = keys.iter().flat_map(|keys| keys.what.iter().copied()).collect();
    let known = all.into_iter().map(|spki| {
        let kind = facts.key(spki).and_then(|key| key.kind);
        Fact::KeyKnown { spki, kind, origin: Origin::Given, file: String::new() }
    });
    known.chain(divided(&keys, &addresses)).collect()
}

/// Sets of TLSA and of addresses in facts of a bounded length, the newest first.
fn divided(keys: &[Inherited<Vec<Spki>>], addresses: &[Inherited<Vec<IpAddr>>]) -> Vec<Fact> {
    let (mut keys, mut addresses) = (keys.rchunks(INHERITED_MAX), addresses.rchunks(INHERITED_MAX));
    let next = || match (keys.next(), addresses.next()) {
        (None, None) => None,
        (keys, addresses) => Some(Fact::Inherited {
            keys: keys.unwrap_or_default().to_vec(),
            addresses: addresses.unwrap_or_default().to_vec(),
        }),
    };
    let mut facts: Vec<Fact> = std::iter::from_fn(next).collect();
    if facts.is_empty() {
        facts.push(Fact::Inherited { keys: Vec::new(), addresses: Vec::new() });
    }
    facts
}
