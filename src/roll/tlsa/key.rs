//! A key of hosts as facts leave it, and how long things of a pool may stay in caches.
//!
//! Moments only, never a phase.

use super::Profile;
use super::check::{AddressSet, Offer, Showing, SpkiSet};
use super::facts::{Inherited, Origin};
use crate::cert::{KeyClass, KeyKind, Spki};
use crate::roll::item::{Caution, Outgoing, Version, raise};
use crate::time::{Seconds, UnixTime};
use std::net::IpAddr;

/// How long what a pool serves may stay in caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// TTL, in seconds.
    pub ttl: u32,
    /// Time left of a signature when it is made, at most, in seconds.
    pub life: Seconds,
}

/// What is known of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// Its digest.
    pub spki: Spki,
    /// Its kind; none: only the digest is known.
    pub kind: Option<KeyKind>,
    /// Where it came from.
    pub origin: Origin,
    /// The file of its private half; empty: elsewhere.
    pub file: String,
    /// When it became known.
    pub known: UnixTime,
    /// When its TLSA was first to be served, since it was last not.
    pub published: Option<UnixTime>,
    /// When its TLSA was withdrawn.
    pub removed: Option<UnixTime>,
    /// When a certificate file named it, or a host showed it, for the first time.
    pub deployed: Option<UnixTime>,
    /// Until when hosts may begin to show it.
    pub permitted: Option<UnixTime>,
    /// That it is not to be used any more.
    pub given_up: Option<Outgoing>,
    /// When its private half was wiped.
    pub destroyed: Option<UnixTime>,
}

/// Whether some cache may hold it.
pub fn is_cached<T>(version: &Version<T>, caution: Caution, margin: Seconds, now: UnixTime) -> bool {
    version.until(caution, margin).is_none_or(|until| until >= now)
}

/// Begins a version, unless it is what the last one was.
pub(super) fn begin<T: PartialEq>(versions: &mut Vec<Version<T>>, what: T, record: u64, at: UnixTime, limits: Limits) {
    if versions.last().is_none_or(|last| last.what != what) {
        let (ttl, life) = (limits.ttl, limits.life);
        versions.push(Version { what, since: at, record, last: None, ttl, life, seen: false });
    }
}

pub(super) fn inherited<T, U>(from: &Inherited<T>, record: u64, at: UnixTime, set: impl Fn(&T) -> U) -> Version<U> {
    let last = from.last.map(UnixTime);
    let (what, ttl, life) = (set(&from.what), from.ttl, from.life);
    Version { what, since: last.unwrap_or(at).min(at), record, last, ttl, life, seen: true }
}

/// What is there twice counts once, in the place of the later one and for the time of both: many may join one after another.
pub(super) fn once<T: PartialEq>(versions: &mut Vec<Version<T>>) {
    let mut kept: Vec<Version<T>> = Vec::with_capacity(versions.len());
    for mut version in versions.drain(..) {
        if let Some(at) = kept.iter().position(|before| before.what == version.what) {
            let before = kept.remove(at);
            version.since = version.since.min(before.since);
            version.last = version.last.zip(before.last).map(|(one, two)| one.max(two));
            raise(&mut version, before.ttl, before.life);
        }
        kept.push(version);
    }
    *versions = kept;
}

/// What hosts may show that are not looked at: whatever the files name, to everybody.
pub(super) fn as_shown(named: &Version<SpkiSet>, hosts: &AddressSet) -> Vec<Version<Showing>> {
    let profile = Profile { class: KeyClass::Ecdsa, sni: true };
    let shown = |address: IpAddr, spki: Spki| {
        let what = Showing { address, profile, offer: Offer::Key(spki) };
        let Version { since, record, last, ttl, life, seen, .. } = *named;
        Version { what, since, record, last, ttl, life, seen }
    };
    hosts.iter().flat_map(|address| named.what.iter().map(move |spki| shown(*address, *spki))).collect()
}
