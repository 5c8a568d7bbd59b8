//! What the facts of a zone add up to: its keys, what is served, and what caches may still hold of what was.
//!
//! A fact that contradicts those before it changes nothing. Moments are those of the records: a wait begins at a fact, and
//! what was never seen on the wire to have gone counts as served.

use super::check::{History, KeyId, KeySet, Keys};
use super::facts::{Fact, KeyLayout, Limits};
pub use super::key::KeyFacts;
pub use crate::roll::item::{Caution, Outgoing, Version};

use super::key::{activate, created, once, retire};
use super::parent::ParentFacts;
use crate::roll::item::{close, forget, raise, spans};
use crate::roll::life::Written;
use crate::sign::key::Role;
use crate::time::{Seconds, UnixTime};

/// How long caches may hold what an unsigned zone served. What that was is not recorded, and it may have had any TTL; but a
/// resolver keeps nothing for more than a week (RFC 8767 § 4, and what the common ones do).
const BARE_TTL: u32 = 7 * 86_400;

/// What the facts add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneFacts {
    /// Which keys and which algorithm the first start chose; none before the first record.
    pub first: Option<(KeyLayout, u8)>,
    /// Whether the first keys are complete.
    pub first_keys_done: bool,
    /// All keys there ever were, in the order of their making.
    pub keys: Vec<KeyFacts>,
    /// The DS set that the parent should have.
    pub ds_wanted: KeySet,
    /// The newest [`Fact::ZoneServed`].
    pub served: Option<Fact>,
    /// DNSKEY RRsets that caches may hold; the last is the one to serve.
    pub key_sets: Vec<Version<Keys>>,
    /// Keys that signed data which caches may hold; the last are those to sign with. Empty: unsigned.
    pub data: Vec<Version<KeySet>>,
    /// What is known of the parent.
    pub parent: ParentFacts,
    /// What may be in force now: the newest limits, and older ones until the newest were seen.
    pub limits: Option<Limits>,
    /// The newest limits.
    pub limits_next: Option<Limits>,
    /// The algorithm that a command asked for.
    pub algorithm_wanted: Option<u8>,
    /// Why an operator stopped all steps.
    pub held: Option<String>,
    /// What is not certain about the past.
    pub doubt: Option<String>,
    /// What the zone is to be; what it is, may differ for as long as it takes.
    pub aim: Aim,
    /// Whether it is unsigned now.
    pub unsigned: bool,
    pub(super) written: Written,
}

/// What a zone is to be for resolvers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aim {
    /// Signed, with a DS at its parent.
    #[default]
    Secure,
    /// Unsigned: its DS goes, then its signatures (RFC 8078 § 4).
    Insecure,
}

impl ZoneFacts {
    /// Whether the zone is to go insecure, or has done so.
    pub fn insecure_wanted(&self) -> bool {
        self.aim == Aim::Insecure
    }

    /// The key with this tag.
    pub fn key(&self, tag: u16) -> Option<&KeyFacts> {
        self.keys.iter().find(|key| key.public.tag == tag)
    }

    /// The key of this name.
    pub fn key_of(&self, id: KeyId) -> Option<&KeyFacts> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The keys that sign data now.
    pub fn signers(&self) -> KeySet {
        let signing = self.keys.iter().filter(|key| key.signs_data());
        if self.unsigned { KeySet::default() } else { signing.map(|key| key.id).collect() }
    }

    /// The DNSKEY RRset to serve now; an unsigned zone has none.
    pub fn key_set(&self) -> Keys {
        if self.unsigned {
            return Keys::default();
        }
        let published: KeySet = self.keys.iter().filter(|key| key.is_published()).map(|key| key.id).collect();
        let signers = self.keys.iter().filter(|key| key.is_published() && key.signs_keys());
        Keys { signers: signers.map(|key| key.id).collect(), published }
    }

    /// All that caches may hold from `now` on.
    pub fn history(&self, now: UnixTime, caution: Caution, margin: Seconds) -> History {
        History {
            ds: spans(&self.parent.versions, caution, margin, now),
            keys: spans(&self.key_sets, caution, margin, now),
            data: spans(&self.data, caution, margin, now),
        }
    }

    pub(super) fn apply_fact(&mut self, fact: &Fact, at: UnixTime) -> Result<(), String> {
        match fact {
            Fact::FirstKeysIntended { layout, algorithm } => self.first = Some((*layout, *algorithm)),
            Fact::KeyCreated { .. } => self.create(fact, at)?,
            Fact::KeyPublished { tag } => self.change(*tag, |key| once(&mut key.published, at))?,
            Fact::KeyActivated { tag } => self.change(*tag, |key| activate(key, at))?,
            Fact::KeyRetired { tag } => self.change(*tag, |key| retire(key, at))?,
            Fact::KeySwitched { from, to } => self.switch(*from, *to, at)?,
            Fact::KeyRemoved { tag } => self.change(*tag, |key| once(&mut key.removed, at))?,
            Fact::KeySilent { tag } => self.change(*tag, |key| {
                key.silent = true;
                Ok(())
            })?,
            Fact::KeyHeard { tag } => self.change(*tag, |key| {
                key.silent = false;
                Ok(())
            })?,
            Fact::KeyDestroyed { tag } => self.destroy(*tag, at)?,
            Fact::DsWanted { tags } => self.want_ds(tags, at)?,
            Fact::FirstKeysDone {} if self.first_keys_done => return Err("first_keys_done stands twice".to_owned()),
            Fact::FirstKeysDone {} => self.finish_first_keys(at),
            Fact::Limits(limits) => self.limit(*limits),
            Fact::ZoneServed { through, .. } => {
                self.served = Some(fact.clone());
                self.seen(*through, at);
            }
            Fact::ParentServers { servers, own, rounds_apart } => self.parent.ask(servers, *own, *rounds_apart),
            Fact::ParentSaw { .. } => self.parent.saw(fact, &self.keys, at),
            Fact::RollWanted { tags, emergency, reason } => {
                let outgoing = Outgoing { since: at, emergency: *emergency, reason: reason.clone() };
                self.mark(tags, Some(&outgoing))?;
            }
            Fact::RollTakenBack { tags } => self.mark(tags, None)?,
            Fact::AlgorithmWanted { algorithm } => self.algorithm_wanted = Some(*algorithm),
            Fact::ClockCorrected { by } => self.correct(*by, at),
            Fact::InsecureWanted {} => self.aim = Aim::Insecure,
            Fact::Unsigned {} => self.unsigned = true,
            Fact::SignedWanted {} => self.sign_again()?,
            Fact::ServedUnsigned { ttl } => self.served_unsigned(*ttl, at),
            Fact::Held { reason } => self.held = Some(reason.clone()),
            Fact::Resumed { .. } => (self.held, self.doubt) = (None, None),
            Fact::HoldEnded { .. } => self.held = None,
            Fact::DoubtEnded { .. } => self.doubt = None,
            Fact::Doubted { reason } => self.doubt = Some(reason.clone()),
        }
        self.note_changes(at);
        Ok(())
    }

    fn create(&mut self, fact: &Fact, at: UnixTime) -> Result<(), String> {
        let key = created(fact, at)?;
        if let Some(other) = self.keys.iter().find(|other| other.public.collides_with(&key.public)) {
            return Err(format!("key tag {} is taken by {}", key.public.tag, other.file));
        }
        self.keys.push(key);
        Ok(())
    }

    /// Changes a key that is there and not removed.
    fn change(&mut self, tag: u16, change: impl Fn(&mut KeyFacts) -> Result<(), &'static str>) -> Result<(), String> {
        let key = self.keys.iter_mut().find(|key| key.public.tag == tag);
        let key = key.ok_or_else(|| format!("no key {tag} was made before"))?;
        if key.removed.is_some() && !key.signs_data() {
            return Err(format!("key {tag} was removed before"));
        }
        change(key).map_err(|reason| format!("key {tag} {reason}"))
    }

    fn switch(&mut self, from: u16, to: u16, at: UnixTime) -> Result<(), String> {
        let good = self.key(from).is_some_and(KeyFacts::signs_data)
            && self.key(to).is_some_and(|key| key.is_live() && !key.signs_data());
        if !good {
            return Err(format!("key {from} does not sign, or key {to} is not one that could"));
        }
        self.change(from, |key| retire(key, at))?;
        self.change(to, |key| activate(key, at))
    }

    fn destroy(&mut self, tag: u16, at: UnixTime) -> Result<(), String> {
        let key = self.keys.iter_mut().find(|key| key.public.tag == tag && key.removed.is_some() && !key.signs_data());
        let key = key.ok_or_else(|| format!("no key {tag} was removed before"))?;
        once(&mut key.destroyed, at).map_err(|reason| format!("key {tag} {reason}"))
    }

    fn want_ds(&mut self, tags: &[u16], at: UnixTime) -> Result<(), String> {
        let entry = |tag: &u16| self.key(*tag).filter(|key| key.is_published() && key.role != Role::Zsk);
        let ids: Option<KeySet> = tags.iter().map(|tag| entry(tag).map(|key| key.id)).collect();
        let ids = ids.ok_or("a wanted DS names a key that is not published, or no entry key")?;
        self.parent.want(&ids, self.records + 1, at);
        self.ds_wanted = ids;
        Ok(())
    }

    fn finish_first_keys(&mut self, at: UnixTime) {
        self.first_keys_done = true;
        // Where the zone was served unsigned before, the DS waits until caches have forgotten that.
        if self.ds_wanted.is_empty() && self.data.iter().all(|version| !version.what.is_empty()) {
            let entries = self.keys.iter().filter(|key| key.is_published() && key.role != Role::Zsk);
            self.ds_wanted = entries.map(|key| key.id).collect();
            self.parent.want(&self.ds_wanted.clone(), self.records + 1, at);
        }
    }

    fn limit(&mut self, next: Limits) {
        let all = self.limits.map_or(next, |before| before.max(next));
        (self.limits, self.limits_next) = (Some(all), Some(next));
        for version in self.key_sets.iter_mut().filter(|version| version.last.is_none()) {
            let (ttl, life) = key_bounds(&version.what, all);
            raise(version, ttl, life);
        }
        for version in self.data.iter_mut().filter(|version| version.last.is_none()) {
            let (ttl, life) = data_bounds(&version.what, all);
            raise(version, ttl, life);
        }
    }

    fn sign_again(&mut self) -> Result<(), String> {
        if !self.unsigned && self.aim == Aim::Secure {
            return Err("the zone is signed, and is to stay so".to_owned());
        }
        (self.aim, self.unsigned) = (Aim::Secure, false);
        let any = BARE_TTL;
        let bare = self.key_sets.iter_mut().filter(|version| version.what.published.is_empty());
        bare.filter(|version| version.last.is_none()).for_each(|version| raise(version, any, 0));
        let bare = self.data.iter_mut().filter(|version| version.what.is_empty());
        bare.filter(|version| version.last.is_none()).for_each(|version| raise(version, any, 0));
        // The DS is gone because that was wanted: until it was seen again, nobody misses it.
        if self.parent.agreed().is_some_and(KeySet::is_empty) {
            self.parent.secure_since = None;
        }
        Ok(())
    }

    /// What was seen to be served up to a record: all that was superseded by then is served no more.
    fn seen(&mut self, through: u64, at: UnixTime) {
        close(&mut self.key_sets, through, at);
        close(&mut self.data, through, at);
        if through > 0 && self.limits_next.is_some() {
            self.limits = self.limits_next;
        }
        forget(&mut self.key_sets, at);
        forget(&mut self.data, at);
        forget(&mut self.parent.versions, at);
    }

    /// Moments at which waits began move along with the clock.
    fn correct(&mut self, by: Seconds, now: UnixTime) {
        self.corrected += by;
        self.key_sets.iter_mut().for_each(|version| version.move_on(by, now));
        self.data.iter_mut().for_each(|version| version.move_on(by, now));
        self.parent.correct(by, now);
    }

    fn mark(&mut self, tags: &[u16], outgoing: Option<&Outgoing>) -> Result<(), String> {
        if let Some(tag) = tags.iter().find(|tag| self.key(**tag).is_none_or(|key| !key.is_live())) {
            return Err(format!("there is no key {tag} to be replaced"));
        }
        for key in self.keys.iter_mut().filter(|key| tags.contains(&key.public.tag)) {
            key.outgoing = outgoing.cloned();
        }
        Ok(())
    }

    fn served_unsigned(&mut self, ttl: u32, at: UnixTime) {
        let (since, record, last) = (UnixTime(0), self.records + 1, Some(at));
        self.data.push(Version { what: KeySet::default(), since, record, last, ttl, life: 0, seen: true });
        // That there was no DNSKEY may be cached, too (RFC 2308 § 5).
        self.key_sets.push(Version { what: Keys::default(), since, record, last, ttl, life: 0, seen: true });
    }

    /// Begins new versions where what is to be served is not what it was.
    fn note_changes(&mut self, at: UnixTime) {
        if !self.first_keys_done {
            return;
        }
        let limits = self.limits.unwrap_or(Limits::UNKNOWN);
        let record = self.records + 1;
        let keys = self.key_set();
        if self.key_sets.last().is_none_or(|version| version.what != keys) {
            let (ttl, life) = key_bounds(&keys, limits);
            self.key_sets.push(Version { what: keys, since: at, record, last: None, ttl, life, seen: false });
        }
        let signers = self.signers();
        if self.data.last().is_none_or(|version| version.what != signers) {
            let (ttl, life) = data_bounds(&signers, limits);
            self.data.push(Version { what: signers, since: at, record, last: None, ttl, life, seen: false });
        }
    }
}

/// TTL and life of signatures of a DNSKEY RRset. That there is none may be cached as a negative answer (RFC 2308 § 5),
/// and bears no signature that could expire.
fn key_bounds(keys: &Keys, limits: Limits) -> (u32, Seconds) {
    match keys.published.is_empty() {
        true => (limits.dnskey_ttl.max(limits.data_ttl), 0),
        false => (limits.dnskey_ttl, limits.dnskey_life),
    }
}

/// The same for data that these keys sign.
fn data_bounds(signers: &KeySet, limits: Limits) -> (u32, Seconds) {
    (limits.data_ttl, if signers.is_empty() { 0 } else { limits.data_life })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roll::life::Facts;

    #[test]
    fn a_hold_and_a_doubt_end_alone_and_journals_of_before_end_both_at_once() {
        let text = || "why".to_owned();
        let begun = Fact::FirstKeysIntended { layout: KeyLayout::Csk, algorithm: 13 };
        let both = [begun, Fact::Held { reason: text() }, Fact::Doubted { reason: text() }];
        for (fact, held, doubt) in [
            (Fact::HoldEnded { reason: text() }, None, Some(text())),
            (Fact::DoubtEnded { reason: text() }, Some(text()), None),
            (Fact::Resumed { reason: text() }, None, None),
        ] {
            let mut zone = ZoneFacts::default();
            both.iter().chain([&fact]).for_each(|fact| zone.take(fact, UnixTime(1)).expect("it follows"));
            assert_eq!((&zone.held, &zone.doubt), (&held, &doubt), "{fact:?}");
        }
    }
}
