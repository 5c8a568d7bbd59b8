//! Permission to sign, for threads that share what they may sign a second.
//!
//! The clock and the lock around [`Budget`]. Nothing waits here but for the lock, which is held for some instructions.

use super::budget::{Budget, Claim, Purse};
use crate::answer::{Account, Snapshot};
use crate::time::steady;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Pause before a query that found the budget spent asks again: hundreds that wait cost a few percent of a core.
pub(super) const SIGNATURE_PAUSE: Duration = Duration::from_millis(10);

/// How many signatures a second may be made, in all that share it, for answers that are not kept (denials, wildcards).
/// Each zone has its share; what a zone leaves is there for the others.
#[derive(Clone, Debug)]
pub struct Signatures {
    budget: Arc<Mutex<Budget>>,
    started: Instant,
}

/// One permission to answer with a new signature.
#[derive(Debug)]
pub(super) struct Permit {
    claim: Claim,
    purse: Purse,
}

impl Signatures {
    /// At most so many a second.
    pub fn new(per_second: u32) -> Signatures {
        Signatures { budget: Arc::new(Mutex::new(Budget::new(per_second))), started: steady() }
    }

    /// A permission for the zone of `account`, if it has one left now.
    pub(super) fn permit(&self, account: &Account, snapshot: &Snapshot) -> Option<Permit> {
        let claim = Claim {
            zone: account.zone,
            zones: snapshot.zones().len(),
            now: steady().saturating_duration_since(self.started),
        };
        let purse = lock(&self.budget).take(&claim)?;
        Some(Permit { claim, purse })
    }

    /// Tells how many signatures were made with a permission.
    pub(super) fn settle(&self, permit: &Permit, signatures: u8) {
        if signatures > 1 {
            lock(&self.budget).settle(&permit.claim, permit.purse, signatures);
        }
    }
}

/// A thread that panicked with the lock taken leaves nothing half done in a budget.
fn lock(budget: &Mutex<Budget>) -> MutexGuard<'_, Budget> {
    budget.lock().unwrap_or_else(PoisonError::into_inner)
}
