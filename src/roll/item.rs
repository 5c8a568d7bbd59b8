//! What is served and superseded: since when, until when caches may hold it, and how long that is remembered.
//!
//! Moments only, never a phase. Each kind of life has items of its own: DNSKEY RRsets, TLSA records, addresses.

use crate::time::{Seconds, UnixTime};

/// How long after its last possible moment something superseded is remembered: longer than any margin that is sane.
const REMEMBERED: Seconds = 60 * 86_400;

/// That a key is to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Since when.
    pub since: UnixTime,
    /// Waits are those of honest caches only.
    pub emergency: bool,
    /// Who or what asked.
    pub reason: String,
}

/// Something served, and since and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version<T> {
    /// What.
    pub what: T,
    /// From when on it may have been served.
    pub since: UnixTime,
    /// Number of the record that began it.
    pub record: u64,
    /// When it was last served, at most; none: it is, or may be.
    pub last: Option<UnixTime>,
    /// The highest TTL that it had, in seconds.
    pub ttl: u32,
    /// The longest time that its signatures had left.
    pub life: Seconds,
    /// Whether it was seen, and not only meant.
    pub seen: bool,
}

/// How long a cache is believed to keep what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caution {
    /// Until its TTL has run out: what honest caches do (RFC 4035 § 5.3.3). For emergencies.
    Ttl,
    /// Until its signature has expired, whatever the TTL was. For all that is planned.
    Expiry,
}

/// Something that was served and when caches may hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span<T> {
    /// What.
    pub what: T,
    /// First moment.
    pub from: UnixTime,
    /// Last moment; none: it is served still, or may be.
    pub until: Option<UnixTime>,
}

impl<T> Span<T> {
    /// Whether both may be there at one moment.
    pub(in crate::roll) fn meets<U>(&self, other: &Span<U>) -> bool {
        let before = |until: Option<UnixTime>, from| until.is_none_or(|until| from <= until);
        before(self.until, other.from) && before(other.until, self.from)
    }
}

impl<T> Version<T> {
    /// Until when caches may hold it; none: it is served, or may be. `margin` in seconds.
    pub fn until(&self, caution: Caution, margin: Seconds) -> Option<UnixTime> {
        let last = self.last?.after(margin);
        let by_ttl = last.after(Seconds::from(self.ttl));
        Some(match caution {
            Caution::Ttl => by_ttl,
            Caution::Expiry => by_ttl.max(last.after(self.life)),
        })
    }

    /// The clock went on by `by` without having counted it, up to `now`: all that was before is that much later, its begin
    /// too. Were it only the end, this would meet what began when caches had forgotten it. What has no begin gets none.
    pub(in crate::roll) fn move_on(&mut self, by: Seconds, now: UnixTime) {
        if self.since.0 > 0 {
            self.since = self.since.after(by).min(now).max(self.since);
        }
        self.last = self.last.map(|last| last.after(by));
    }

    pub(in crate::roll) fn span(&self, caution: Caution, margin: Seconds) -> Span<T>
    where
        T: Clone,
    {
        Span { what: self.what.clone(), from: self.since, until: self.until(caution, margin) }
    }
}

pub(in crate::roll) fn raise<T>(version: &mut Version<T>, ttl: u32, life: Seconds) {
    version.ttl = version.ttl.max(ttl);
    version.life = version.life.max(life);
}

/// Each version but the newest, whose successor began at or before that record, was last served at `at`, at most.
pub(in crate::roll) fn close<T>(versions: &mut [Version<T>], through: u64, at: UnixTime) {
    let records: Vec<u64> = versions.iter().skip(1).map(|version| version.record).collect();
    for (version, successor) in versions.iter_mut().zip(records) {
        if successor <= through && version.last.is_none() {
            version.last = Some(at);
        }
    }
}

pub(in crate::roll) fn forget<T>(versions: &mut Vec<Version<T>>, now: UnixTime) {
    versions.retain(|version| version.until(Caution::Expiry, REMEMBERED).is_none_or(|until| until >= now));
}

/// Whether something that was superseded was not seen to have gone yet.
pub fn is_unseen<T>(versions: &[Version<T>]) -> bool {
    versions.iter().rev().skip(1).any(|version| version.last.is_none())
}

/// Whether some cache may hold it.
pub fn is_cached<T>(version: &Version<T>, caution: Caution, margin: Seconds, now: UnixTime) -> bool {
    version.until(caution, margin).is_none_or(|until| until >= now)
}

/// What caches may hold from `now` on, each for as long as it may be there; of what hosts show: what they must not be taken to
/// have ceased to show yet, since it is looked for only now and then (invariant I29).
pub fn spans<T: Clone>(versions: &[Version<T>], caution: Caution, margin: Seconds, now: UnixTime) -> Vec<Span<T>> {
    let cached = versions.iter().filter(|version| is_cached(*version, caution, margin, now));
    cached.map(|version| version.span(caution, margin)).collect()
}
