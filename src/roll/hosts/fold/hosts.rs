//! What facts say of hosts, and of keys that only hosts show: open, held, forgotten.
//!
//! A host that shows another key each time leaves nothing behind; what has TLSA is kept for as long as it may matter.

use super::{LIMITS_UNKNOWN, PoolFacts};
use crate::cert::{KeyKind, Spki};
use crate::roll::hosts::Profile;
use crate::roll::hosts::check::{Offer, Showing};
use crate::roll::hosts::facts::{Origin, Shown};
use crate::roll::hosts::key::KeyFacts;
use crate::roll::item::Version;
use crate::time::UnixTime;
use std::collections::BTreeSet;
use std::net::IpAddr;

impl PoolFacts {
    /// What hosts show, and may show of a key unseen: whether they have one that looks may miss, files say.
    pub fn met(&self, shows: &[Version<Showing>], key: &KeyFacts) -> Vec<Version<Showing>> {
        let claimed = if key.kind.is_some_and(KeyKind::is_hidden) { self.showings(false) } else { Vec::new() };
        shows.iter().cloned().chain(claimed).collect()
    }

    /// A host was looked at: what it showed before, it may have shown until now.
    pub(super) fn look(&mut self, address: IpAddr, profile: Profile, shows: Shown, at: UnixTime) {
        self.sights.insert((address, profile), BTreeSet::from([shows]));
        let offer = offer_of(shows);
        let served = self.served_keys();
        let mut ended = Vec::new();
        for version in &mut self.shows {
            let is_other = Some(version.what.offer) != offer;
            if version.what.address == address && version.what.profile == profile && version.last.is_none() && is_other
            {
                version.last = Some(at);
                ended.push(version.what.offer);
            }
        }
        // Nobody waits for what is in no TLSA: a host that shows another key each time leaves nothing behind.
        self.shows.retain(|version| match version.what.offer {
            _ if version.last.is_none() => true,
            Offer::Key(spki) => served.contains(&spki),
            Offer::Other | Offer::Plain => false,
        });
        self.open(address, profile, offer, at);
        for offer in ended {
            if let Offer::Key(spki) = offer {
                self.forget_key(spki);
            }
        }
    }

    /// A host shows this as well as what it showed lately.
    pub(super) fn look_too(&mut self, address: IpAddr, profile: Profile, shows: Shown, at: UnixTime) {
        self.sights.entry((address, profile)).or_default().insert(shows);
        self.open(address, profile, offer_of(shows), at);
    }

    fn open(&mut self, address: IpAddr, profile: Profile, offer: Option<Offer>, at: UnixTime) {
        let Some(offer) = offer else { return };
        let what = Showing { address, profile, offer };
        if self.shows.iter().any(|version| version.what == what && version.last.is_none()) {
            return;
        }
        // It shows it again: that it once ceased to counts no more.
        self.shows.retain(|version| version.what != what);
        let (record, limits) = (self.records + 1, self.limits.unwrap_or(LIMITS_UNKNOWN));
        let (ttl, life) = (limits.ttl, limits.life);
        self.shows.push(Version { what, since: at, record, last: None, ttl, life, seen: true });
        let is_ours = self.addresses.last().is_some_and(|version| version.what.contains(&address));
        if let Offer::Key(spki) = offer {
            self.recall(spki);
            if let Some(key) = self.keys.iter_mut().find(|key| key.spki == spki).filter(|_| is_ours) {
                key.deployed.get_or_insert(at);
            }
        }
    }

    /// What hosts at tenants' own addresses show, as far as it has TLSA.
    pub(super) fn hold(&mut self, keys: &[Spki], at: UnixTime) {
        let (record, limits) = (self.records + 1, self.limits.unwrap_or(LIMITS_UNKNOWN));
        let gone = self.held.iter_mut().filter(|held| held.last.is_none() && !keys.contains(&held.what));
        gone.for_each(|held| held.last = Some(at));
        for spki in keys {
            if self.held.iter().any(|held| held.what == *spki && held.last.is_none()) {
                continue;
            }
            self.held.retain(|held| held.what != *spki);
            let (ttl, life) = (limits.ttl, limits.life);
            self.held.push(Version { what: *spki, since: at, record, last: None, ttl, life, seen: true });
        }
    }

    pub(super) fn adopt(&mut self, spki: Spki, kind: KeyKind, origin: Origin, at: UnixTime) -> Result<(), String> {
        if !matches!(origin, Origin::Adopted | Origin::Seen) {
            return Err(format!("key {} is adopted by nobody", spki.short()));
        }
        if self.key(spki).is_some_and(|key| key.given_up.is_some()) {
            return Err(format!("key {} was given up", spki.short()));
        }
        self.recall(spki);
        if self.key(spki).is_none() {
            self.keys.push(KeyFacts::new(spki, Some(kind), origin, "", at));
        }
        let Some(key) = self.keys.iter_mut().find(|key| key.spki == spki) else { return Ok(()) };
        (key.adopted, key.kind) = (true, key.kind.or(Some(kind)));
        if key.file.is_empty() {
            key.origin = origin;
        }
        Ok(())
    }

    /// What a journal of before goes on to tell of a key that was forgotten.
    pub(super) fn recall(&mut self, spki: Spki) {
        if let Some(kind) = self.forgotten.remove(&spki) {
            self.keys.push(KeyFacts::new(spki, kind, Origin::Host, "", self.time));
        }
    }

    /// A key that only hosts showed is forgotten once it is neither served nor shown, unless a person spoke of it.
    pub(super) fn forget_key(&mut self, spki: Spki) {
        let is_idle = |key: &&KeyFacts| {
            let is_spoken_of = key.is_adopted() || key.given_up.is_some() || key.permitted.is_some();
            key.origin.is_by_look() && key.file.is_empty() && !key.is_served() && !is_spoken_of
        };
        let Some(key) = self.key(spki).filter(is_idle) else { return };
        if self.shown_by(spki).is_empty() {
            let kind = key.kind;
            self.keys.retain(|key| key.spki != spki);
            self.forgotten.insert(spki, kind);
        }
    }
}

fn offer_of(shows: Shown) -> Option<Offer> {
    match shows {
        Shown::Key(spki) => Some(Offer::Key(spki)),
        Shown::Other => Some(Offer::Other),
        Shown::Plain => Some(Offer::Plain),
        Shown::Nothing => None,
    }
}
