//! Steps of a pool are taken: keys are made and wiped on disk, all else is recorded.

use crate::cert::make::PrivateKey;
use crate::cert::{KeyKind, Spki};
use crate::control::certs::Life;
use crate::roll::hosts::facts::{Fact, Origin};
use crate::roll::hosts::step::Step;
use crate::roll::hosts::words;
use crate::store::Store;
use crate::time::Now;

/// What a step led to.
pub(super) enum Taken {
    /// It is done, and nothing that is served changes.
    Quietly,
    /// It is recorded, and is to be served.
    Serving,
    /// It is not done; the reason is kept.
    Not,
}

/// Takes one step, up to where it is to be served.
pub(super) fn take(life: &mut Life, store: &Store, step: &Step, now: Now) -> Taken {
    match step {
        Step::Create(kind) => {
            let made = PrivateKey::generate(*kind).map_err(|fault| fault.to_string());
            let kept = made.map_err(Undone::Disk).and_then(|key| keep(life, store, &key, Origin::Made, now));
            quietly(kept, life)
        }
        Step::Destroy(spki) => quietly(destroy(life, store, *spki, now), life),
        Step::Publish(_) | Step::Admit(_) | Step::Withdraw(_) => {
            if life.take(step, now) {
                Taken::Serving
            } else {
                Taken::Not
            }
        }
    }
}

fn quietly(done: Result<(), Undone>, life: &mut Life) -> Taken {
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
    /// Its fact was not recorded, and [`Life::unrecorded`] says why.
    Unrecorded,
    /// The disk, or what makes keys, refused for this reason.
    Disk(String),
}

impl Undone {
    /// The reason.
    pub(super) fn reason(self, life: &Life) -> String {
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
pub(super) fn keep(life: &mut Life, store: &Store, key: &PrivateKey, origin: Origin, now: Now) -> Result<(), Undone> {
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
fn destroy(life: &mut Life, store: &Store, spki: Spki, now: Now) -> Result<(), Undone> {
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
