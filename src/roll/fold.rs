//! What the facts of a zone add up to: its keys, what is served, and what caches may still hold of what was.
//!
//! A fact that contradicts those before it changes nothing. Moments are those of the records: a wait begins at a fact, and
//! what was never seen on the wire to have gone counts as served.

use super::check::{History, KeyId, KeySet, Keys, Span};
use super::facts::{Fact, KeyLayout, Limits, Record, key_file_name};
use super::parent::ParentFacts;
use crate::sign::key::{PublicKey, Role};
use crate::time::{Seconds, UnixTime};
use data_encoding::BASE64;

/// Records of one instance carry this generation; it grows when instances share a journal.
const GENERATION: u64 = 1;
/// How long after its last possible moment something superseded is remembered: longer than any margin that is sane.
const REMEMBERED: Seconds = 60 * 86_400;

/// What the facts add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneFacts {
    /// Number of records.
    pub records: u64,
    /// Moment of the newest record.
    pub time: UnixTime,
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
    /// Whether the zone is to go insecure.
    pub insecure_wanted: bool,
    /// Whether it is unsigned now.
    pub unsigned: bool,
    generation: u64,
}

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

    fn span(&self, caution: Caution, margin: Seconds) -> Span<T>
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
        self.role != Role::Zsk && !self.file.is_empty()
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

impl ZoneFacts {
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

    /// The DNSKEY RRset to serve now.
    pub fn key_set(&self) -> Keys {
        let published: KeySet = self.keys.iter().filter(|key| key.is_published()).map(|key| key.id).collect();
        let signers = self.keys.iter().filter(|key| key.is_published() && key.signs_keys());
        Keys { signers: signers.map(|key| key.id).collect(), published }
    }

    /// All that caches may hold from `now` on.
    pub fn history(&self, now: UnixTime, caution: Caution, margin: Seconds) -> History {
        fn spans<T: Clone>(versions: &[Version<T>], now: UnixTime, caution: Caution, margin: Seconds) -> Vec<Span<T>> {
            let spans = versions.iter().map(|version| version.span(caution, margin));
            spans.filter(|span| span.until.is_none_or(|until| until >= now)).collect()
        }
        History {
            ds: spans(&self.parent.versions, now, caution, margin),
            keys: spans(&self.key_sets, now, caution, margin),
            data: spans(&self.data, now, caution, margin),
        }
    }

    /// The record that would say `fact` next.
    pub fn next_record(&self, fact: Fact, now: UnixTime) -> Record {
        Record { sequence: self.records + 1, time: now.0, generation: self.generation.max(GENERATION), token: 0, fact }
    }

    /// Takes the next record in.
    ///
    /// # Errors
    /// Why it cannot follow; nothing is changed then.
    pub fn apply(&mut self, record: &Record) -> Result<(), String> {
        if record.sequence != self.records + 1 {
            return Err(format!("record {} stands where {} belongs", record.sequence, self.records + 1));
        }
        if record.generation < self.generation {
            return Err(format!("generation {} follows {}", record.generation, self.generation));
        }
        self.take(&record.fact, UnixTime(record.time))?;
        self.generation = record.generation;
        Ok(())
    }

    /// Takes the next fact in.
    ///
    /// # Errors
    /// Why it cannot follow; nothing is changed then.
    pub fn take(&mut self, fact: &Fact, at: UnixTime) -> Result<(), String> {
        let is_first = matches!(fact, Fact::FirstKeysIntended { .. });
        if is_first != self.first.is_none() {
            return Err("the first record, and only that, is first_keys_intended".to_owned());
        }
        self.apply_fact(fact, at)?;
        self.records += 1;
        self.time = self.time.max(at);
        self.note_changes(at);
        Ok(())
    }

    fn apply_fact(&mut self, fact: &Fact, at: UnixTime) -> Result<(), String> {
        match fact {
            Fact::FirstKeysIntended { layout, algorithm } => self.first = Some((*layout, *algorithm)),
            Fact::KeyCreated { .. } => self.create(fact, at)?,
            Fact::KeyPublished { tag } => self.change(*tag, |key| once(&mut key.published, at))?,
            Fact::KeyActivated { tag } => self.change(*tag, |key| activate(key, at))?,
            Fact::KeyRetired { tag } => self.change(*tag, |key| retire(key, at))?,
            Fact::KeySwitched { from, to } => self.switch(*from, *to, at)?,
            Fact::KeyRemoved { tag } => self.change(*tag, |key| once(&mut key.removed, at))?,
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
            Fact::ClockCorrected { by } => self.correct(*by),
            Fact::InsecureWanted {} => self.insecure_wanted = true,
            Fact::Unsigned {} => self.unsigned = true,
            Fact::ServedUnsigned { ttl } => self.served_unsigned(*ttl, at),
            Fact::Held { reason } => self.held = Some(reason.clone()),
            Fact::Resumed { .. } => (self.held, self.doubt) = (None, None),
            Fact::Doubted { reason } => self.doubt = Some(reason.clone()),
        }
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
            && self.key(to).is_some_and(|key| key.is_published() && !key.signs_data());
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
            raise(version, all.dnskey_ttl, all.dnskey_life);
        }
        for version in self.data.iter_mut().filter(|version| version.last.is_none()) {
            raise(version, all.data_ttl, all.data_life);
        }
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
    fn correct(&mut self, by: Seconds) {
        let later = |last: &mut Option<UnixTime>| *last = last.map(|last| last.after(by));
        self.key_sets.iter_mut().for_each(|version| later(&mut version.last));
        self.data.iter_mut().for_each(|version| later(&mut version.last));
        self.parent.correct(by);
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
        let (since, record) = (UnixTime(0), self.records + 1);
        self.data.push(Version { what: KeySet::default(), since, record, last: Some(at), ttl, life: 0, seen: true });
    }

    /// Begins new versions where what is to be served is not what it was.
    fn note_changes(&mut self, at: UnixTime) {
        if !self.first_keys_done {
            return;
        }
        let limits = self.limits.unwrap_or(Limits::UNKNOWN);
        let record = self.records;
        let keys = self.key_set();
        if self.key_sets.last().is_none_or(|version| version.what != keys) {
            let (ttl, life) = (limits.dnskey_ttl, limits.dnskey_life);
            self.key_sets.push(Version { what: keys, since: at, record, last: None, ttl, life, seen: false });
        }
        let signers = self.signers();
        if self.data.last().is_none_or(|version| version.what != signers) {
            let (ttl, life) = (limits.data_ttl, limits.data_life);
            self.data.push(Version { what: signers, since: at, record, last: None, ttl, life, seen: false });
        }
    }
}

fn raise<T>(version: &mut Version<T>, ttl: u32, life: Seconds) {
    version.ttl = version.ttl.max(ttl);
    version.life = version.life.max(life);
}

/// Each version but the newest, whose successor began at or before that record, was last served at `at`, at most.
fn close<T>(versions: &mut [Version<T>], through: u64, at: UnixTime) {
    let records: Vec<u64> = versions.iter().skip(1).map(|version| version.record).collect();
    for (version, successor) in versions.iter_mut().zip(records) {
        if successor <= through && version.last.is_none() {
            version.last = Some(at);
        }
    }
}

fn forget<T>(versions: &mut Vec<Version<T>>, now: UnixTime) {
    versions.retain(|version| version.until(Caution::Expiry, REMEMBERED).is_none_or(|until| until >= now));
}

fn once(slot: &mut Option<UnixTime>, at: UnixTime) -> Result<(), &'static str> {
    match slot {
        None => {
            *slot = Some(at);
            Ok(())
        }
        Some(_) => Err("takes a step twice"),
    }
}

/// A key that stopped signing may sign again: that is how a step is taken back.
fn activate(key: &mut KeyFacts, at: UnixTime) -> Result<(), &'static str> {
    match (key.activated, key.retired) {
        (Some(_), None) => return Err("takes a step twice"),
        _ if key.file.is_empty() => return Err("has its private half elsewhere"),
        _ => (key.activated, key.retired) = (Some(at), None),
    }
    Ok(())
}

fn retire(key: &mut KeyFacts, at: UnixTime) -> Result<(), &'static str> {
    match key.activated {
        None => Err("takes a step before the one in front of it"),
        Some(_) => once(&mut key.retired, at),
    }
}

/// The key of a [`Fact::KeyCreated`], every field of it checked against the others.
fn created(fact: &Fact, at: UnixTime) -> Result<KeyFacts, String> {
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
    })
}
