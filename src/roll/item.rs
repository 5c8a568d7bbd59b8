//! Keys and superseded things as facts leave them: when each key did what, and how long caches may hold what was served.
//!
//! Moments only, never a phase.

use super::zone::check::{KeyId, Span};
use super::zone::facts::{Fact, key_file_name};
use crate::sign::key::{PublicKey, Role};
use crate::time::{Seconds, UnixTime};
use data_encoding::BASE64;

/// How long after its last possible moment something superseded is remembered: longer than any margin that is sane.
const REMEMBERED: Seconds = 60 * 86_400;

/// What is known of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// Its public half.
    pub public: PublicKey,
    /// Its name in sets.
    pub id: KeyId,
    /// What it is for.
    pub role: Role,
    /// Name of its file; empty: its private half is elsewhere.
    pub file: String,
    /// When it was made.
    pub created: UnixTime,
    /// When its DNSKEY was first to be served.
    pub published: Option<UnixTime>,
    /// When it was first to sign data.
    pub activated: Option<UnixTime>,
    /// When it stopped signing data.
    pub retired: Option<UnixTime>,
    /// When its DNSKEY was withdrawn.
    pub removed: Option<UnixTime>,
    /// When its private half was wiped.
    pub destroyed: Option<UnixTime>,
    /// That it is to be replaced.
    pub outgoing: Option<Outgoing>,
    /// Whether it signs nothing now, since its private half cannot be used.
    pub silent: bool,
}

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

impl KeyFacts {
    /// Whether its DNSKEY belongs to the RRset now.
    pub fn is_published(&self) -> bool {
        self.published.is_some() && self.removed.is_none()
    }

    /// Whether it signs data now.
    pub fn signs_data(&self) -> bool {
        self.role != Role::Ksk && self.activated.is_some() && self.retired.is_none()
    }

    /// Whether it signs DNSKEY while it is published: entry keys do (RFC 6781 § 4.1.2, double signature).
    pub fn signs_keys(&self) -> bool {
        self.role != Role::Zsk && !self.file.is_empty() && !self.silent
    }

    /// Whether it signs anything now.
    pub fn is_active(&self) -> bool {
        self.removed.is_none() && (self.signs_data() || (self.role == Role::Ksk && self.activated.is_some()))
    }

    /// Whether it is there, published or not.
    pub fn is_live(&self) -> bool {
        self.removed.is_none()
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

pub(super) fn once(slot: &mut Option<UnixTime>, at: UnixTime) -> Result<(), &'static str> {
    match slot {
        None => {
            *slot = Some(at);
            Ok(())
        }
        Some(_) => Err("takes a step twice"),
    }
}

/// A key that stopped signing may sign again: that is how a step is taken back.
pub(super) fn activate(key: &mut KeyFacts, at: UnixTime) -> Result<(), &'static str> {
    match (key.activated, key.retired) {
        (Some(_), None) => return Err("takes a step twice"),
        _ if key.file.is_empty() => return Err("has its private half elsewhere"),
        _ => (key.activated, key.retired) = (Some(at), None),
    }
    Ok(())
}

pub(super) fn retire(key: &mut KeyFacts, at: UnixTime) -> Result<(), &'static str> {
    match key.activated {
        None => Err("takes a step before the one in front of it"),
        Some(_) => once(&mut key.retired, at),
    }
}

/// The key of a [`Fact::KeyCreated`], every field of it checked against the others.
pub(super) fn created(fact: &Fact, at: UnixTime) -> Result<KeyFacts, String> {
    let Fact::KeyCreated { tag, algorithm, flags, role, public, file } = fact else {
        return Err("not the making of a key".to_owned());
    };
    let public = BASE64.decode(public.as_bytes()).map_err(|fault| format!("the public key is not base64: {fault}"))?;
    let public = PublicKey::new(*flags, *algorithm, &public).map_err(|fault| fault.to_string())?;
    if public.tag != *tag {
        return Err(format!("the public key has tag {}, not {tag}", public.tag));
    }
    if role.flags() != *flags {
        return Err(format!("a {} has flags {}, not {flags}", role.word(), role.flags()));
    }
    if !file.is_empty() && *file != key_file_name(*role, &public) {
        return Err(format!("key {tag} belongs in {}", key_file_name(*role, &public)));
    }
    Ok(KeyFacts {
        id: KeyId::of(&public),
        public,
        role: *role,
        file: file.clone(),
        created: at,
        published: None,
        activated: None,
        retired: None,
        removed: None,
        destroyed: None,
        outgoing: None,
        silent: false,
    })
}
