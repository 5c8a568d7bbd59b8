//! A pool whose journal cannot be used: what is served of it, what ends that, and how a person begins its journal anew.
//!
//! It is frozen: what was published is served, and TLSA that files name beside it. Nothing is retired or permitted, and no
//! next key is made. A journal is never begun anew by itself where there may have been one.

use crate::cert::Spki;
use crate::control::certs::past::Past;
use crate::control::certs::{Certs, PoolLife};
use crate::diagnostic::{Diagnostic, Place};
use crate::protocol::{BlockerInfo, CertInfo, CertKeyInfo, Story};
use crate::protocol::{CertStanding, KeyPhase};
use crate::roll::hosts::check::SpkiSet;
use crate::roll::hosts::facts::{Fact, Inherited, Origin};
use crate::store::Store;
use crate::store::durable;
use crate::store::durable::DiskFault;
use crate::store::journal::file::ReadFault;
use crate::store::pools::PoolFault;
use crate::store::silence::Cause;
use crate::time::{Now, UnixTime};
use crate::world::pools::{PoolServed, PoolWanted};
use std::io::ErrorKind;

/// Code of a pool whose facts cannot be kept.
const NO_FACTS: &str = "MX5601";
/// How long caches may hold what was published, where nobody knows: the cap of TTLs, and the longest life that a built-in
/// policy gives signatures over data.
const UNKNOWN: (u32, u64) = (86_400, 14 * 86_400);

/// Why the journal of a pool is not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// What is wrong.
    pub reason: String,
    /// What ends it.
    pub end: End,
    /// The folder or file.
    pub file: String,
}

/// What ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Rights or a disk are repaired: it is tried again by itself.
    Repair,
    /// The journal is restored, or a person says that the past is known.
    Restore,
    /// Nothing was ever there; the disk takes no journal yet. It is not served before.
    Begin,
}

impl Closed {
    pub(super) fn new(store: &Store, pool: &str, end: End, reason: String) -> Closed {
        Closed { reason, end, file: store.pool_folder(pool).display().to_string() }
    }

    /// Why a journal could not be read.
    pub(super) fn of(store: &Store, pool: &str, fault: &PoolFault) -> Closed {
        let end = match fault {
            PoolFault::Folder(frozen) if frozen.cause == Cause::Folder => End::Restore,
            PoolFault::Journal { cause: ReadFault::Disk(fault), .. } => end_of(fault),
            PoolFault::Journal { .. } => End::Restore,
            PoolFault::Folder(_)
            | PoolFault::Append(_)
            | PoolFault::Disk(_)
            | PoolFault::Exposed { .. }
            | PoolFault::Key { .. } => End::Repair,
        };
        let more = match fault {
            PoolFault::Folder(frozen) => format!(" ({})", frozen.fix),
            _ => String::new(),
        };
        Closed::new(store, pool, end, format!("{fault}{more}"))
    }

    /// What a person does.
    pub fn fix(&self, pool: &str) -> String {
        match self.end {
            End::Repair => "repair this; it is tried again by itself, every few seconds".to_owned(),
            End::Restore => format!(
                "restore {} from a backup, or start the version that wrote it; else say that its past is known, and a new \
                 journal begins with what is served: `mxseal cert resume {pool} --reason …`",
                self.file
            ),
            End::Begin => "make room, or give rights; it is tried again by itself, every few seconds".to_owned(),
        }
    }

    /// What is wrong, and what follows from it.
    pub fn what(&self, pool: &str) -> String {
        let then = match self.end {
            End::Repair | End::Restore => {
                "it is served as it was last published, with what its files name; nothing is retired or permitted"
            }
            End::Begin => "it is not served before its journal can begin",
        };
        format!("the facts about pool `{pool}` cannot be used: {}; {then}", self.reason)
    }

    /// The same as a finding.
    pub fn finding(&self, pool: &str) -> Diagnostic {
        Diagnostic::error(NO_FACTS, Place::file(self.file.clone()), self.what(pool), self.fix(pool))
    }

    /// The same for commands, at a moment of the wall clock. `past`: what is served by it.
    pub fn info(&self, pool: &str, past: Option<&Past>, snapshot: u64, tenants: u64, wall: UnixTime) -> CertInfo {
        let published = past.map(Past::published).unwrap_or_default();
        let given_up = past.map(|past| past.given_up.clone()).unwrap_or_default();
        let all: SpkiSet = published.iter().chain(given_up.keys()).copied().collect();
        let keys = all.iter().map(|spki| CertKeyInfo {
            spki: spki.to_string(),
            phase: if published.contains(spki) { KeyPhase::Active } else { KeyPhase::Removed },
            given_up: given_up.get(spki).cloned(),
            ..CertKeyInfo::default()
        });
        let (what, fix) = (self.what(pool), self.fix(pool));
        CertInfo {
            pool: pool.to_owned(),
            state: CertStanding::Frozen,
            snapshot,
            tenants,
            keys: keys.collect(),
            story: Story {
                must: vec![fix.clone()],
                blockers: vec![BlockerInfo { what, fix, freezes: true }],
                ..Story::default()
            },
            now: wall.0,
            ..CertInfo::default()
        }
    }
}

/// A file that is something else, or has another content, is restored; rights and disks are repaired.
fn end_of(fault: &DiskFault) -> End {
    match fault.cause.kind() {
        ErrorKind::InvalidInput | ErrorKind::FileTooLarge => End::Restore,
        _ if durable::is_missing(fault) => End::Restore,
        _ => End::Repair,
    }
}

impl Certs {
    /// What is served of a pool whose journal cannot be used.
    pub(super) fn serve_closed(&mut self, store: &Store, wanted: &PoolWanted) -> PoolServed {
        let pool = wanted.pool.as_str();
        if self.broken.get(pool).is_some_and(|closed| closed.end == End::Begin) {
            return PoolServed::default();
        }
        let keys = wanted.as_written().tlsa.into_iter().map(Spki);
        let past = self.pasts(store).follow(pool, keys, &wanted.addresses);
        PoolServed {
            addresses: past.addresses.iter().copied().collect(),
            tlsa: past.published().into_iter().map(|spki| spki.0).collect(),
        }
    }

    /// A person says that the past of a pool is known: its journal begins anew with what is published.
    ///
    /// # Errors
    /// Exit code and reason.
    pub fn begin_again(&mut self, store: &Store, pool: &str, reason: &str, now: Now) -> Result<(), (u8, String)> {
        let Some(closed) = self.broken.get(pool) else { return Err((1, format!("pool `{pool}` is open"))) };
        if closed.end != End::Restore {
            return Err((4, format!("{}; {}", closed.what(pool), closed.fix(pool))));
        }
        let past = self.pasts(store).of(pool).cloned().unwrap_or_default();
        let began = Fact::PoolBegan { from: None, to: None };
        let journal = store.create_pool_journal(pool, began, now.signing).map_err(|fault| (1, fault.to_string()))?;
        let mut life = PoolLife::with(journal, Vec::new(), now);
        for fact in facts_of(store, pool, &past, reason) {
            if !life.record(fact, now) {
                return Err((1, life.unrecorded()));
            }
        }
        tracing::warn!(POOL = pool, "a new journal begins, since a person says that the past is known: {reason}");
        self.broken.remove(pool);
        self.lives.insert(pool.to_owned(), life);
        Ok(())
    }
}

fn known(spki: Spki) -> Fact {
    Fact::KeyKnown { spki, kind: None, origin: Origin::Given, file: String::new() }
}

/// What is published, and may have been for long.
fn served(past: &Past) -> Fact {
    fn one<T>(what: Vec<T>) -> Vec<Inherited<Vec<T>>> {
        let (ttl, life) = UNKNOWN;
        if what.is_empty() { Vec::new() } else { vec![Inherited { what, last: None, ttl, life }] }
    }
    let keys = past.published().into_iter().collect();
    Fact::Inherited { keys: one(keys), addresses: one(past.addresses.iter().copied().collect()) }
}

/// How a journal begins anew. Keys that were given up come first and those that are published last: until all of these are
/// known, a start takes the journal for no journal of this pool.
fn facts_of(store: &Store, pool: &str, past: &Past, reason: &str) -> Vec<Fact> {
    let published = past.published();
    let mut facts = Vec::new();
    for (spki, reason) in &past.given_up {
        facts.extend([known(*spki), Fact::KeyGivenUp { spki: *spki, emergency: true, reason: reason.clone() }]);
    }
    facts.push(served(past));
    facts.extend(published.iter().filter(|spki| !past.given_up.contains_key(spki)).copied().map(known));
    if !published.is_empty() {
        // Hosts may show any of them: each stays for its wait, also where nobody looks.
        let keys: Vec<Spki> = published.into_iter().collect();
        facts.extend([Fact::Named { current: Vec::new(), given: keys.clone(), hosts: None }, Fact::Tlsa { keys }]);
    }
    for (file, key) in store.pool_keys(pool) {
        facts.push(Fact::KeyKnown { spki: key.spki(), kind: Some(key.kind()), origin: Origin::Made, file });
    }
    facts.push(Fact::Resumed { reason: reason.to_owned() });
    facts
}
