//! A key of hosts as facts leave it, and how long things of a pool may stay in caches.
//!
//! Moments only, never a phase.

use super::Profile;
use super::check::{AddressSet, Offer, Showing, SpkiSet};
use super::facts::{Inherited, Origin};
use crate::cert::{KeyClass, KeyKind, Spki};
use crate::roll::item::{Outgoing, Version, raise};
use crate::time::{Seconds, UnixTime};
use std::net::IpAddr;

/// How long what a pool serves may stay in caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostLimits {
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
    /// That it is one of the pool's, although no file names it; until its TLSA is withdrawn.
    pub adopted: bool,
    /// That it is not to be used any more.
    pub given_up: Option<Outgoing>,
    /// When its private half was wiped.
    pub destroyed: Option<UnixTime>,
}

impl KeyFacts {
    pub(super) fn new(spki: Spki, kind: Option<KeyKind>, origin: Origin, file: &str, known: UnixTime) -> KeyFacts {
        KeyFacts {
            spki,
            kind,
            origin,
            file: file.to_owned(),
            known,
            published: None,
            removed: None,
            deployed: None,
            permitted: None,
            adopted: false,
            given_up: None,
            destroyed: None,
        }
    }

    /// Whether its TLSA is served.
    pub fn is_served(&self) -> bool {
        self.published.is_some() && self.removed.is_none()
    }

    /// Whether a host that shows it may add its TLSA: somebody has said that it is one of the pool's.
    pub fn is_adopted(&self) -> bool {
        self.adopted && self.given_up.is_none()
    }

    /// Whether nobody ever said that it is one of the pool's: a version that published what it saw left it behind.
    pub fn is_unconfirmed(&self) -> bool {
        self.origin == Origin::Host && !self.adopted
    }
}

/// Begins a version, unless it is what the last one was.
pub(super) fn begin<T: PartialEq>(
    versions: &mut Vec<Version<T>>,
    what: T,
    record: u64,
    at: UnixTime,
    limits: HostLimits,
) {
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

/// What the files said that hosts show, for a while.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// The keys.
    pub keys: SpkiSet,
    /// The hosts; none: all.
    pub hosts: Option<AddressSet>,
}

impl Claim {
    fn is_about(&self, address: IpAddr) -> bool {
        self.hosts.as_ref().is_none_or(|hosts| hosts.contains(&address))
    }
}

/// What hosts may show that are not looked at: whatever the files say of each, to everybody. A host that the files name no
/// more goes on showing what they said last of it.
pub(super) fn as_claimed(claims: &[Version<Claim>], hosts: &AddressSet) -> Vec<Version<Showing>> {
    let profile = Profile { class: KeyClass::Ecdsa, sni: true };
    let mut all = Vec::new();
    for address in hosts {
        let about: Vec<usize> =
            claims.iter().enumerate().filter(|(_, claim)| claim.what.is_about(*address)).map(|(at, _)| at).collect();
        for (at, next) in about.iter().zip(about.iter().skip(1).map(Some).chain([None])) {
            let Some(claim) = claims.get(*at) else { continue };
            // It ended when the next one about this host began.
            let last = next.and_then(|next| claims.get(next.checked_sub(1)?)?.last);
            let Version { since, record, ttl, life, seen, .. } = *claim;
            all.extend(claim.what.keys.iter().map(|spki| {
                let what = Showing { address: *address, profile, offer: Offer::Key(*spki) };
                Version { what, since, record, last, ttl, life, seen }
            }));
        }
    }
    all
}
