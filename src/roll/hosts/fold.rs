//! What the facts of a pool add up to: its keys, what is served, what hosts show, and what caches may hold of what was.
//!
//! A fact that contradicts those before it changes nothing. A wait begins at a fact: what was never seen on the wire to
//! have gone counts as served, and what a host was never seen to stop showing counts as shown.

mod essence;
mod hosts;

use super::check::{AddressSet, History, Offer, Showing, SpkiSet};
use super::facts::{Fact, Inherited, Origin, Shown};
pub use super::key::{Claim, HostLimits, KeyFacts};
use super::key::{as_claimed, begin, inherited, once};
use super::{KEYS_MAX, Profile};
use crate::cert::{KeyKind, Spki};
pub use crate::roll::item::{Caution, Outgoing, Version};
use crate::roll::item::{Span, close, forget, is_cached, raise, spans};
use crate::roll::life::Written;
use crate::time::{Seconds, UnixTime};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Until limits are recorded: the cap of TTLs, and the longest life that a built-in policy gives signatures over data.
const LIMITS_UNKNOWN: HostLimits = HostLimits { ttl: 86_400, life: 14 * 86_400 };

/// What the facts add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolFacts {
    /// For tenants on their way: the pool that they leave, and the one that they go to.
    pub between: Option<(String, String)>,
    /// All keys there ever were, in the order in which they became known; but for those that only hosts showed, and that are
    /// shown and served no more.
    pub keys: Vec<KeyFacts>,
    /// TLSA sets that caches may hold; the last is the one to serve.
    pub tlsa: Vec<Version<SpkiSet>>,
    /// The same of addresses.
    pub addresses: Vec<Version<AddressSet>>,
    /// The same of addresses that tenants have of their own.
    pub apart: Vec<Version<AddressSet>>,
    /// What the files named; the last is what they name.
    pub named: Vec<Version<Claim>>,
    /// Keys that certificate files name.
    pub current: SpkiSet,
    /// What hosts of the pool's addresses show or did lately.
    pub shows: Vec<Version<Showing>>,
    /// What each of them showed to each way of asking, as far as that was news.
    pub sights: BTreeMap<(IpAddr, Profile), BTreeSet<Shown>>,
    /// Keys that hosts at tenants' own addresses show or did lately: they hold up that its TLSA goes, and do nothing else.
    pub held: Vec<Version<Spki>>,
    /// What is not certain about the past.
    pub doubt: Option<String>,
    /// When an operator last said that all may go on.
    pub resumed: Option<UnixTime>,
    /// The newest limits.
    pub limits_next: Option<HostLimits>,
    limits: Option<HostLimits>,
    /// Keys that only hosts showed, and that nothing else is kept of: journals of before name them again.
    forgotten: BTreeMap<Spki, Option<KeyKind>>,
    pub(super) written: Written,
}

impl PoolFacts {
    /// What is known of a key.
    pub fn key(&self, spki: Spki) -> Option<&KeyFacts> {
        self.keys.iter().find(|key| key.spki == spki)
    }

    /// What may be in force now: the newest limits, and older ones until the newest were seen.
    pub fn limits_in_force(&self) -> HostLimits {
        self.limits.unwrap_or(LIMITS_UNKNOWN)
    }

    /// Whether a key was ever known, be it forgotten since.
    pub fn has_known(&self, spki: Spki) -> bool {
        self.key(spki).is_some() || self.forgotten.contains_key(&spki)
    }

    /// The TLSA to serve now.
    pub fn served_keys(&self) -> SpkiSet {
        self.tlsa.last().map(|version| version.what.clone()).unwrap_or_default()
    }

    /// The addresses to serve now.
    pub fn served_addresses(&self) -> AddressSet {
        self.addresses.last().map(|version| version.what.clone()).unwrap_or_default()
    }

    /// Addresses of the pool that some cache may hold.
    pub fn reachable(&self, margin: Seconds, now: UnixTime) -> AddressSet {
        cached(&self.addresses, margin, now)
    }

    /// Addresses of tenants' own that some cache may hold beside its TLSA.
    pub fn reachable_apart(&self, margin: Seconds, now: UnixTime) -> AddressSet {
        cached(&self.apart, margin, now).difference(&self.reachable(margin, now)).copied().collect()
    }

    /// Hosts that show a key now, as far as is known.
    pub fn shown_by(&self, spki: Spki) -> AddressSet {
        let shows = |version: &&Version<Showing>| version.last.is_none() && version.what.offer == Offer::Key(spki);
        self.shows.iter().filter(shows).map(|version| version.what.address).collect()
    }

    /// Whether a host offered no STARTTLS when it was last looked at.
    pub fn is_plain(&self, address: IpAddr) -> bool {
        self.sights.iter().any(|((host, _), shows)| *host == address && shows.contains(&Shown::Plain))
    }

    /// All that senders may hold and meet from `now` on, where hosts show this.
    pub fn history(&self, shows: &[Version<Showing>], caution: Caution, margin: Seconds, now: UnixTime) -> History {
        let shown = shows.iter().filter(|version| version.last.is_none_or(|last| last >= now));
        let shows = shown.map(|version| Span { what: version.what, from: version.since, until: version.last });
        History {
            addresses: spans(&self.addresses, caution, margin, now),
            tlsa: spans(&self.tlsa, caution, margin, now),
            shows: shows.collect(),
        }
    }

    /// What the hosts of this pool show: what was seen, or where nobody looks (`probed` is false), whatever the files say of
    /// them, those to come too.
    pub fn showings(&self, probed: bool) -> Vec<Version<Showing>> {
        if probed {
            return self.shows.clone();
        }
        let mut hosts: AddressSet = self.addresses.iter().flat_map(|version| version.what.iter().copied()).collect();
        hosts.extend(self.named.iter().filter_map(|claim| claim.what.hosts.as_ref()).flatten());
        as_claimed(&self.named, &hosts)
    }

    pub(super) fn apply_fact(&mut self, fact: &Fact, at: UnixTime) -> Result<(), String> {
        match fact {
            Fact::PoolBegan { from, to } => self.between = from.clone().zip(to.clone()),
            Fact::Inherited { keys, addresses } => self.inherit(keys, addresses, at),
            Fact::KeyKnown { spki, kind, origin, file } => self.know(*spki, *kind, *origin, file, at)?,
            Fact::Named { current, given, hosts } => self.name(current, given, hosts.as_deref(), at),
            Fact::Tlsa { keys } => self.publish(keys, at)?,
            Fact::Addresses { addresses } => {
                let set = addresses.iter().copied().collect();
                begin(&mut self.addresses, set, self.written.records + 1, at, self.limits.unwrap_or(LIMITS_UNKNOWN));
            }
            Fact::Apart { addresses } => {
                let set = addresses.iter().copied().collect();
                begin(&mut self.apart, set, self.written.records + 1, at, self.limits.unwrap_or(LIMITS_UNKNOWN));
            }
            Fact::Limits { ttl, life } => self.limit(HostLimits { ttl: *ttl, life: *life }),
            Fact::PoolServed { through, .. } => self.seen(*through, at),
            Fact::HostShows { address, class, sni, shows } => {
                self.look(*address, Profile { class: *class, sni: *sni }, *shows, at);
            }
            Fact::HostAlsoShows { address, class, sni, shows } => {
                self.look_too(*address, Profile { class: *class, sni: *sni }, *shows, at);
            }
            Fact::ApartShows { keys } => self.hold(keys, at),
            Fact::KeyAdopted { spki, kind, origin, .. } => self.adopt(*spki, *kind, *origin, at)?,
            Fact::Permitted { spki, until } => self.permit(*spki, UnixTime(*until))?,
            Fact::PermitWithdrawn { spki } => self.change(*spki, |key| key.permitted = None)?,
            Fact::KeyGivenUp { spki, emergency, reason } => {
                let outgoing = Outgoing { since: at, emergency: *emergency, reason: reason.clone() };
                self.change(*spki, |key| key.given_up = Some(outgoing.clone()))?;
            }
            Fact::KeyTakenBack { spki } => self.change(*spki, |key| key.given_up = None)?,
            Fact::KeyDestroyed { spki } => self.destroy(*spki, at)?,
            Fact::ClockCorrected { by } => self.correct(*by, at),
            Fact::Doubted { reason } => self.doubt = Some(reason.clone()),
            Fact::Resumed { .. } => (self.doubt, self.resumed) = (None, Some(at)),
        }
        Ok(())
    }

    fn inherit(&mut self, keys: &[Inherited<Vec<Spki>>], addresses: &[Inherited<Vec<IpAddr>>], at: UnixTime) {
        let record = self.records + 1;
        let own = (self.tlsa.last().cloned(), self.addresses.last().cloned());
        self.tlsa.extend(keys.iter().map(|keys| inherited(keys, record, at, |what| what.iter().copied().collect())));
        let sets = addresses.iter().map(|set| inherited(set, record, at, |what| what.iter().copied().collect()));
        self.addresses.extend(sets);
        // What was served here goes on after what came with those that joined.
        self.tlsa.extend(own.0.map(|version| Version { since: at, record, last: None, ..version }));
        self.addresses.extend(own.1.map(|version| Version { since: at, record, last: None, ..version }));
        once(&mut self.tlsa);
        once(&mut self.addresses);
        // What came along is served from here on, and goes one day as all else does.
        let served = self.served_keys();
        for key in self.keys.iter_mut().filter(|key| served.contains(&key.spki) && !key.is_served()) {
            (key.published, key.removed) = (Some(at), None);
        }
    }

    fn know(
        &mut self,
        spki: Spki,
        kind: Option<KeyKind>,
        origin: Origin,
        file: &str,
        at: UnixTime,
    ) -> Result<(), String> {
        let is_here = matches!(origin, Origin::Made | Origin::Staged);
        if is_here == file.is_empty() || (is_here && kind.is_none()) {
            return Err(format!("key {} is here without a file, or elsewhere with one", spki.short()));
        }
        self.recall(spki);
        if let Some(key) = self.keys.iter_mut().find(|key| key.spki == spki) {
            if !key.file.is_empty() && key.destroyed.is_none() {
                return Err(format!("key {} is known already", spki.short()));
            }
            // More becomes known of it: its kind, or its private half.
            key.kind = kind.or(key.kind);
            if key.origin.is_by_look() && !origin.is_by_look() {
                key.origin = origin;
            }
            if is_here {
                (key.origin, key.destroyed) = (origin, None);
                file.clone_into(&mut key.file);
            }
            return Ok(());
        }
        self.keys.push(KeyFacts::new(spki, kind, origin, file, at));
        Ok(())
    }

    fn name(&mut self, current: &[Spki], given: &[Spki], hosts: Option<&[IpAddr]>, at: UnixTime) {
        self.current = current.iter().copied().collect();
        let keys: SpkiSet = current.iter().chain(given).copied().collect();
        let all = Claim { keys, hosts: hosts.map(|hosts| hosts.iter().copied().collect()) };
        if let Some(before) = self.named.last_mut().filter(|before| before.what != all) {
            before.last = Some(at);
        }
        begin(&mut self.named, all, self.written.records + 1, at, self.limits.unwrap_or(LIMITS_UNKNOWN));
        for key in self.keys.iter_mut().filter(|key| self.current.contains(&key.spki)) {
            key.deployed.get_or_insert(at);
        }
    }

    fn publish(&mut self, keys: &[Spki], at: UnixTime) -> Result<(), String> {
        let set: SpkiSet = keys.iter().copied().collect();
        if let Some(unknown) = set.iter().find(|spki| !self.has_known(**spki)) {
            return Err(format!("key {} is published and was not known before", unknown.short()));
        }
        if set.len() > KEYS_MAX {
            return Err(format!("{} keys are published, the limit is {KEYS_MAX}", set.len()));
        }
        set.iter().for_each(|spki| self.recall(*spki));
        for key in &mut self.keys {
            match (set.contains(&key.spki), key.published.is_some() && key.removed.is_none()) {
                (true, false) => (key.published, key.removed) = (Some(at), None),
                (false, true) => (key.removed, key.permitted, key.adopted) = (Some(at), None, false),
                (true, true) | (false, false) => {}
            }
        }
        let before = self.served_keys();
        begin(&mut self.tlsa, set, self.written.records + 1, at, self.limits.unwrap_or(LIMITS_UNKNOWN));
        before.difference(&self.served_keys()).for_each(|spki| self.forget_key(*spki));
        Ok(())
    }

    fn limit(&mut self, next: HostLimits) {
        let higher =
            |before: HostLimits| HostLimits { ttl: before.ttl.max(next.ttl), life: before.life.max(next.life) };
        let all = self.limits.map_or(next, higher);
        (self.limits, self.limits_next) = (Some(all), Some(next));
        let is_open = |last: &Option<UnixTime>| last.is_none();
        self.tlsa.iter_mut().filter(|v| is_open(&v.last)).for_each(|v| raise(v, all.ttl, all.life));
        let addresses = self.addresses.iter_mut().chain(&mut self.apart);
        addresses.filter(|v| is_open(&v.last)).for_each(|v| raise(v, all.ttl, all.life));
        self.named.iter_mut().filter(|v| is_open(&v.last)).for_each(|v| raise(v, all.ttl, all.life));
        self.shows.iter_mut().filter(|v| is_open(&v.last)).for_each(|v| raise(v, all.ttl, all.life));
        self.held.iter_mut().filter(|v| is_open(&v.last)).for_each(|v| raise(v, all.ttl, all.life));
    }

    /// What was seen to be served up to a record: all that was superseded by then is served no more.
    fn seen(&mut self, through: u64, at: UnixTime) {
        close(&mut self.tlsa, through, at);
        close(&mut self.addresses, through, at);
        close(&mut self.apart, through, at);
        if through > 0 && self.limits_next.is_some() {
            self.limits = self.limits_next;
        }
        let known = |facts: &PoolFacts| -> AddressSet {
            facts.addresses.iter().chain(&facts.apart).flat_map(|version| version.what.iter().copied()).collect()
        };
        let before = known(self);
        forget(&mut self.tlsa, at);
        forget(&mut self.addresses, at);
        forget(&mut self.apart, at);
        forget(&mut self.named, at);
        forget(&mut self.shows, at);
        forget(&mut self.held, at);
        // What hosts showed that left long ago is looked for by nobody.
        let after = known(self);
        let gone: AddressSet = before.difference(&after).copied().collect();
        if !gone.is_empty() {
            self.sights.retain(|(address, _), _| !gone.contains(address));
            self.shows.retain(|version| !gone.contains(&version.what.address));
        }
    }

    /// One change at a time: hosts that may be given a key are not given another of its kind (invariant I33).
    fn permit(&mut self, spki: Spki, until: UnixTime) -> Result<(), String> {
        let kind = self.key(spki).and_then(|key| key.kind);
        self.keys.iter_mut().filter(|key| key.kind == kind).for_each(|key| key.permitted = None);
        self.change(spki, |key| key.permitted = Some(until))
    }

    fn change(&mut self, spki: Spki, change: impl Fn(&mut KeyFacts)) -> Result<(), String> {
        self.recall(spki);
        let key = self.keys.iter_mut().find(|key| key.spki == spki);
        key.map(change).ok_or_else(|| format!("no key {} was known before", spki.short()))
    }

    fn destroy(&mut self, spki: Spki, at: UnixTime) -> Result<(), String> {
        let is_gone = |key: &&mut KeyFacts| {
            key.spki == spki && !key.file.is_empty() && (key.removed.is_some() || key.published.is_none())
        };
        let key = self.keys.iter_mut().find(is_gone);
        let key = key.ok_or_else(|| format!("key {} is not one that was removed", spki.short()))?;
        match key.destroyed {
            Some(_) => Err(format!("key {} is destroyed twice", spki.short())),
            None => {
                key.destroyed = Some(at);
                Ok(())
            }
        }
    }

    /// Moments at which waits began move along with the clock.
    fn correct(&mut self, by: Seconds, now: UnixTime) {
        self.corrected += by;
        self.tlsa.iter_mut().for_each(|version| version.move_on(by, now));
        self.addresses.iter_mut().chain(&mut self.apart).for_each(|version| version.move_on(by, now));
        self.named.iter_mut().for_each(|version| version.move_on(by, now));
        self.shows.iter_mut().for_each(|version| version.move_on(by, now));
        self.held.iter_mut().for_each(|version| version.move_on(by, now));
        // What a person has looked at stays older than that look; and a permit is a wait: for its end a hook may give a host
        // its key.
        self.resumed = self.resumed.map(|at| at.after(by).min(now).max(at));
        let permits = self.keys.iter_mut().filter_map(|key| key.permitted.as_mut());
        permits.for_each(|until| *until = until.after(by));
    }
}

fn cached(versions: &[Version<AddressSet>], margin: Seconds, now: UnixTime) -> AddressSet {
    let cached = versions.iter().filter(|version| is_cached(*version, Caution::Expiry, margin, now));
    cached.flat_map(|version| version.what.iter().copied()).collect()
}
