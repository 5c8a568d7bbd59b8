//! Steps of a pool are taken: keys are made and wiped on disk, all else is recorded.

use crate::cert::make::PrivateKey;
use crate::cert::{KeyKind, Spki};
use crate::control::certs::PoolLife;
use crate::control::life::{InTheWay, Living, RETRY, Taken};
use crate::dns::name::Name;
use crate::observe::observer::Look;
use crate::roll::hosts::facts::{Fact, Origin};
use crate::roll::hosts::plan::{HostKeys, Plan};
use crate::roll::hosts::step::Step;
use crate::roll::hosts::words;
use crate::roll::item;
use crate::store::Store;
use crate::time::{Now, Seconds, UnixTime};
use std::time::Duration;

/// What the steps of a pool go by.
pub struct Around<'a> {
    /// Where its keys lie.
    pub store: &'a Store,
    /// What stands in the way of all pools.
    pub way: &'a InTheWay,
}

impl Living for PoolLife {
    type Kind = HostKeys;
    type Around<'a> = Around<'a>;
    type Served = ();
    const IS_PUBLISHED_STEP_BY_STEP: bool = false;
    // It is asked only while something is awaited.
    const AT_REST: Duration = RETRY;

    fn comes_next(&self, around: &Around<'_>, now: UnixTime) -> Plan {
        self.decide(around.way, now)
    }

    fn take(&mut self, step: &Step, around: &Around<'_>, now: Now) -> Taken<()> {
        match step {
            Step::Create(kind) => {
                let made = PrivateKey::generate(*kind).map_err(|fault| fault.to_string());
                let kept = made.map_err(Undone::Disk).and_then(|key| keep(self, around.store, &key, Origin::Made, now));
                quietly(kept, self)
            }
            Step::Destroy(spki) => quietly(destroy(self, around.store, *spki, now), self),
            Step::Publish(_) | Step::Admit(_) | Step::Withdraw(_) => match self.step_on(step, now) {
                true => Taken::Serving(()),
                false => Taken::Not,
            },
        }
    }

    fn is_unseen(&self) -> bool {
        let facts = self.facts();
        item::is_unseen(&facts.tlsa) || item::is_unseen(&facts.addresses) || item::is_unseen(&facts.apart)
    }
}

impl PoolLife {
    /// Takes all steps that may be taken now; true where what is served changed.
    pub fn advance(&mut self, around: &Around<'_>, credited: Seconds, now: Now) -> bool {
        // What the disk refused is tried again: whatever it takes is recorded before it is done, so trying is safe.
        self.disk = None;
        self.take_steps(around, credited, now).is_some()
    }

    /// The fact that its records are served.
    fn served_now(&self, snapshot: u64, now: UnixTime) -> Fact {
        let (first_seen, last_seen, through) = (self.published_at.0, now.0, self.published);
        Fact::PoolServed { instance: 0, snapshot, first_seen, last_seen, through }
    }

    /// No tenant has its records, so that caches hold nothing of them: what is published counts as seen.
    pub fn is_held_by_nobody(&mut self, snapshot: u64, now: Now) {
        let served = self.served_now(snapshot, now.signing);
        self.record(served, now);
    }

    /// How our own addresses are looked at: by a tenant that has its records, and no others.
    pub fn own_look(&self, pool: &str, endpoint: Name) -> Look {
        Look::Pool {
            pool: pool.to_owned(),
            endpoint: Box::new(endpoint),
            tlsa: self.facts().served_keys().into_iter().map(|spki| spki.0).collect(),
            addresses: self.facts().served_addresses().into_iter().collect(),
            through: self.published,
        }
    }

    /// Our own addresses answered, or not as they should.
    pub fn saw_own(&mut self, through: u64, outcome: Result<(), Vec<String>>, snapshot: u64, now: Now) {
        let seen = outcome.map(|()| self.served_now(snapshot, now.signing));
        if self.own_seen(through, seen, now) {
            tracing::info!(POOL = self.name(), SNAPSHOT = snapshot, "seen on the wire");
            self.published = self.facts().records;
        }
    }

    /// Records a step that changes what is served; false where it is not recorded.
    pub(super) fn step_on(&mut self, step: &Step, now: Now) -> bool {
        let text = words::step(self.facts(), step);
        let Some(fact) = step.fact(self.facts()) else { return false };
        let is_taken = self.record(fact, now);
        if is_taken {
            tracing::info!(POOL = self.name(), "{text}");
        }
        is_taken
    }
}

fn quietly(done: Result<(), Undone>, life: &mut PoolLife) -> Taken<()> {
    match done {
        Ok(()) => Taken::Quietly,
        Err(Undone::Unrecorded) => Taken::Not,
        Err(Undone::Disk(reason)) => {
            life.disk = Some(reason);
            Taken::Not
        }
    }
}

/// Why a step that changes the disk was not taken.
pub(super) enum Undone {
    /// Its fact was not recorded, and [`Life::unrecorded`](crate::control::life::Life::unrecorded) says why.
    Unrecorded,
    /// The disk, or what makes keys, refused for this reason.
    Disk(String),
}

impl Undone {
    /// The reason.
    pub(super) fn reason(self, life: &PoolLife) -> String {
        match self {
            Undone::Unrecorded => life.unrecorded(),
            Undone::Disk(reason) => reason,
        }
    }
}

/// Keeps a private key that is to be the next one: durable and read back before the journal names it.
///
/// # Errors
/// Why not; nothing names it then.
pub(super) fn keep(
    life: &mut PoolLife,
    store: &Store,
    key: &PrivateKey,
    origin: Origin,
    now: Now,
) -> Result<(), Undone> {
    let file = file_name(key.kind(), key.spki());
    store.keep_pool_key(life.name(), &file, key).map_err(|fault| Undone::Disk(fault.to_string()))?;
    let fact = Fact::KeyKnown { spki: key.spki(), kind: Some(key.kind()), origin, file };
    if !life.record(fact, now) {
        return Err(Undone::Unrecorded);
    }
    tracing::info!(POOL = life.name(), KEY = %key.spki().short(), "the next {} key is kept", key.kind().word());
    Ok(())
}

/// The private half of a removed key is wiped: said first, so that a start finishes what a crash leaves.
fn destroy(life: &mut PoolLife, store: &Store, spki: Spki, now: Now) -> Result<(), Undone> {
    let file = life.facts().key(spki).map(|key| key.file.clone()).unwrap_or_default();
    let text = words::step(life.facts(), &Step::Destroy(spki));
    if !life.record(Fact::KeyDestroyed { spki }, now) {
        return Err(Undone::Unrecorded);
    }
    tracing::info!(POOL = life.name(), "{text}");
    store.wipe_pool_key(life.name(), &file).map_err(|fault| Undone::Disk(fault.to_string()))
}

/// Name of a key's file: `next-ecdsa-p256-0123456789abcdef.pem`.
pub(super) fn file_name(kind: KeyKind, spki: Spki) -> String {
    let digits: String = spki.to_string().chars().take(16).collect();
    format!("next-{}-{digits}.pem", kind.word())
}
