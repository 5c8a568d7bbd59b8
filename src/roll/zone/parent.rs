//! What is known of a zone's DS set at its parent: what each address of the parent gave, and what caches may hold.
//!
//! Silence proves nothing here: a set is gone only when every address was seen, twice, without it. A set that is wanted may
//! be there from the moment in which it was wanted.

use super::check::{KeyId, KeySet};
use super::facts::Fact;
use super::key::KeyFacts;
use crate::roll::item::Version;
use crate::sign::handover::matches_ds;
use crate::sign::key::PublicKey;
use crate::time::{Seconds, UnixTime};
use data_encoding::HEXLOWER;

/// TTL and signature life of a DS set that was never seen: the TTL that most registries use, and the longest life that
/// they give signatures.
const TTL_UNKNOWN: u32 = 86_400;
const SPAN_UNKNOWN: Seconds = 30 * 86_400;

/// Rounds that a set which was wanted, never seen, and is wanted no more may still come late: registries read CDS for up
/// to three days before they act (at ten minutes a round: 72 h; CentralNic).
const LATE_ROUNDS: Seconds = 432;

/// Entries of one DS set that name no key of ours and are remembered, at most, and octets of each: they are there to be told
/// to people, and one is as bad as many. A DS of the longest digest that is in use has 52 octets.
const UNKNOWN_MAX: usize = 32;
const UNKNOWN_OCTETS_MAX: usize = 128;

/// Seconds between records of what has not changed, at least: a journal lasts for centuries.
const SELDOM: Seconds = 3600;

/// What is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParentFacts {
    /// Whether the parent zone is served here too.
    pub own: bool,
    /// Seconds between two rounds that must agree.
    pub rounds_apart: Seconds,
    /// When the wanted set changed last.
    wanted_since: UnixTime,
    /// Every address that answers for the parent, with what it gave last.
    pub servers: Vec<Server>,
    /// DS sets that caches may hold.
    pub versions: Vec<Version<KeySet>>,
    /// Since when it was known that the DS is there; none: it never was.
    pub secure_since: Option<UnixTime>,
    /// When a parent of others signed what it was seen to serve, at the latest: that moment has passed.
    pub signed_at: Option<UnixTime>,
    /// The longest TTL and signature that were seen.
    pub longest: Option<(u32, Seconds)>,
}

/// One address of the parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Address with port.
    pub address: String,
    /// What it gave last; none: nothing yet.
    pub saw: Option<Saw>,
}

/// What an address gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saw {
    /// Keys that its DS set names, unknown ones among them.
    pub set: KeySet,
    /// DS data in hex that name no key of ours.
    pub unknown: Vec<String>,
    /// Since when it gives this set.
    pub since: UnixTime,
    /// When it was last recorded.
    pub last: UnixTime,
}

impl ParentFacts {
    /// The addresses that must be seen from now on.
    pub(super) fn ask(&mut self, addresses: &[String], own: bool, rounds_apart: Seconds) {
        (self.own, self.rounds_apart) = (own, rounds_apart);
        let known = |address: &String| self.servers.iter().find(|server| server.address == *address).cloned();
        let new = |address: &String| Server { address: address.clone(), saw: None };
        self.servers = addresses.iter().map(|address| known(address).unwrap_or_else(|| new(address))).collect();
    }

    /// A set is wanted: it may be there from now on.
    pub(super) fn want(&mut self, set: &KeySet, record: u64, at: UnixTime) {
        self.wanted_since = at;
        if set.is_empty() && self.secure_since.is_none() {
            return;
        }
        self.open(set, record, at);
        // The newest is the one that is wanted, though it may be there for long.
        if let Some(place) = self.versions.iter().position(|version| version.last.is_none() && version.what == *set) {
            let version = self.versions.remove(place);
            self.versions.push(version);
        }
    }

    fn open(&mut self, set: &KeySet, record: u64, at: UnixTime) {
        if self.versions.iter().any(|version| version.last.is_none() && version.what == *set) {
            return;
        }
        let (ttl, life) = self.longest.unwrap_or((TTL_UNKNOWN, SPAN_UNKNOWN));
        let version = Version { what: set.clone(), since: at, record, last: None, ttl, life, seen: false };
        // One that is only seen, and not wanted, does not take the place of the newest.
        let place = if record > 0 { self.versions.len() } else { self.versions.len().saturating_sub(1) };
        self.versions.insert(place, version);
    }

    /// Moments at which waits began move along with the clock.
    pub(super) fn correct(&mut self, by: Seconds, now: UnixTime) {
        self.wanted_since = self.wanted_since.after(by);
        self.versions.iter_mut().for_each(|version| version.move_on(by, now));
        for saw in self.servers.iter_mut().filter_map(|server| server.saw.as_mut()) {
            (saw.since, saw.last) = (saw.since.after(by), saw.last.after(by));
        }
    }

    /// An address gave a set.
    pub(super) fn saw(&mut self, fact: &Fact, keys: &[KeyFacts], at: UnixTime) {
        let Fact::ParentSaw { server, tags, unknown, ttl, signature_span, expires } = fact else { return };
        let ours = keys.iter().filter(|key| tags.contains(&key.public.tag)).map(|key| key.id);
        let foreign = unknown.iter().map(|hex| KeyId::foreign(&HEXLOWER.decode(hex.as_bytes()).unwrap_or_default()));
        let set: KeySet = ours.chain(foreign).collect();
        let left = expires.saturating_sub(at.0);
        self.note_longest(*ttl, (*signature_span).max(left));
        if !self.own {
            self.signed_at = self.signed_at.max(Some(UnixTime(expires.saturating_sub(*signature_span))));
        }
        if !set.is_empty() {
            self.secure_since.get_or_insert(at);
        }
        if !set.is_empty() || self.secure_since.is_some() {
            self.open(&set, 0, at);
        }
        // Every address was seen with another set before this one: it is new, and what was assumed of it is known now.
        let is_known = |server: &Server| server.saw.as_ref().is_some_and(|saw| saw.set != set);
        let is_new = !self.servers.is_empty() && self.servers.iter().all(is_known);
        for version in self.versions.iter_mut().filter(|version| version.last.is_none() && version.what == set) {
            // Our own parent zone never served the set otherwise than now; a registry that had it already may have.
            let is_first = !version.seen && (self.own || is_new);
            let (least_ttl, least_life) = if is_first { (0, 0) } else { (version.ttl, version.life) };
            version.seen = true;
            version.ttl = least_ttl.max(*ttl);
            version.life = least_life.max((*signature_span).max(left));
        }
        let Some(place) = self.servers.iter_mut().find(|known| known.address == *server) else { return };
        match &mut place.saw {
            Some(saw) if saw.set == set => saw.last = at,
            _ => place.saw = Some(Saw { set, unknown: unknown.clone(), since: at, last: at }),
        }
        self.close(at);
    }

    /// A set that was seen sets what is assumed of those that were not.
    fn note_longest(&mut self, ttl: u32, span: Seconds) {
        let (ttl_before, span_before) = self.longest.unwrap_or((0, 0));
        self.longest = Some((ttl.max(ttl_before), span.max(span_before)));
    }

    /// Where every address gave the same set in two rounds, all other sets that had been seen are gone since. One that was
    /// wanted and never seen may come late; the one that is wanted now may come at any time.
    fn close(&mut self, at: UnixTime) {
        let Some(agreed) = self.agreed().cloned() else { return };
        let late = !self.own && at < self.wanted_since.after(LATE_ROUNDS * self.rounds_apart);
        let newest = self.versions.len().saturating_sub(1);
        for (place, version) in self.versions.iter_mut().enumerate() {
            let may_come = place == newest || (late && version.record > 0 && !version.seen);
            if version.last.is_none() && version.what != agreed && !may_come {
                version.last = Some(at);
            }
        }
    }

    /// The set that every address gave in two rounds; none where they differ, or one was not seen.
    pub fn agreed(&self) -> Option<&KeySet> {
        let set = &self.servers.first()?.saw.as_ref()?.set;
        self.without(set).next().is_none().then_some(set)
    }

    /// Addresses that do not give `set`, or were not seen twice with it.
    pub fn without<'a>(&'a self, set: &'a KeySet) -> impl Iterator<Item = &'a Server> {
        let is_settled = |saw: &Saw| saw.set == *set && saw.last >= saw.since.after(self.rounds_apart);
        self.servers.iter().filter(move |server| !server.saw.as_ref().is_some_and(is_settled))
    }

    /// Whether what an address gave is worth a record: it differs, or the second round with it is due, or it may stay in
    /// caches longer than was known. `ttl` and `life` of its signature, in seconds.
    pub fn is_news(&self, address: &str, set: &KeySet, ttl: u32, life: Seconds, now: UnixTime) -> bool {
        let Some(server) = self.servers.iter().find(|server| server.address == address) else { return false };
        let Some(saw) = server.saw.as_ref().filter(|saw| saw.set == *set) else { return true };
        let is_due = saw.last < saw.since.after(self.rounds_apart) && now >= saw.since.after(self.rounds_apart);
        let is_longer = self.longest.is_none_or(|(longest_ttl, longest_life)| ttl > longest_ttl || life > longest_life);
        let is_open = self.versions.iter().any(|version| version.last.is_none() && version.what != *set);
        // Ours serves one set at a time: this one ends what was wanted since and is wanted no more, at once.
        let newest = self.versions.len().saturating_sub(1);
        let mut old = self.versions.iter().take(newest);
        let ends_others = self.own && old.any(|version| version.last.is_none() && version.what != *set);
        is_due
            || is_longer
            || (ends_others && self.agreed().is_some())
            || (is_open
                && self.agreed().is_some()
                && now >= saw.last.after((LATE_ROUNDS * self.rounds_apart).max(SELDOM)))
    }

    /// Entries at any address that name no key of ours, as DS data in hex.
    pub fn unknown(&self) -> impl Iterator<Item = (&str, &str)> {
        let saw = self.servers.iter().filter_map(|server| Some((server.address.as_str(), server.saw.as_ref()?)));
        saw.flat_map(|(address, saw)| saw.unknown.iter().map(move |hex| (address, hex.as_str())))
    }
}

/// Which of `keys` each entry of a DS set names, by the whole digest and never by the tag alone (BIND GL#4878, .de 2026):
/// tags of those keys, and entries that name none, in hex. These are not ours to choose: of many the first ones are told, and
/// of long ones the beginning, which is as unknown as the whole. `apex` is in lower-case wire form.
pub fn match_ds<'k>(
    apex: &[u8],
    keys: impl Iterator<Item = &'k PublicKey> + Clone,
    ds: &[Vec<u8>],
) -> (Vec<u16>, Vec<String>) {
    let (mut tags, mut unknown) = (Vec::new(), Vec::new());
    for data in ds {
        match keys.clone().find(|key| matches_ds(key, apex, data)) {
            Some(key) if tags.contains(&key.tag) => {}
            Some(key) => tags.push(key.tag),
            None => unknown.push(HEXLOWER.encode(data.get(..UNKNOWN_OCTETS_MAX).unwrap_or(data))),
        }
    }
    tags.sort_unstable();
    // In an order of their own: servers turn theirs, and what is left out must be the same each time.
    unknown.sort_unstable();
    unknown.truncate(UNKNOWN_MAX);
    (tags, unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roll::zone::invented;
    use crate::sign::key::{ECDSA_P256, Role};

    #[test]
    fn a_ds_names_a_key_by_its_whole_digest_and_never_by_its_tag() {
        let apex = b"\x02mx\x07example\0";
        let key = invented::public(Role::Ksk, ECDSA_P256, 1).expect("a key");
        let (ours, mut twins) = (key.ds_data(apex), key.ds_data(apex));
        if let Some(last) = twins.last_mut() {
            *last ^= 1;
        }
        let hex = HEXLOWER.encode(&twins);
        let keys = [key.clone()];
        assert_eq!(match_ds(apex, keys.iter(), &[ours.clone(), twins]), (vec![key.tag], vec![hex]));
        assert_eq!(match_ds(b"\x02my\x07example\0", keys.iter(), &[ours]).0, [0; 0], "of another zone");
    }
}
