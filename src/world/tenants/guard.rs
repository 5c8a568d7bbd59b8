//! The shrink guard of one zone: a batch that removes too many tenants removes none of them.
//!
//! Pure. Removals of one window count together, since a folder that is emptied arrives file by file.

use crate::time::{Seconds, UnixTime};
use std::collections::BTreeSet;

/// Removals within one window that are never held back, however few tenants a zone has.
pub const SHRINK_FREE: u64 = 10;
/// The share of a zone's tenants that may go within one window, as a divisor: 5 %.
pub const SHRINK_SHARE: u64 = 20;
/// Removals that come within this time count as one batch.
pub const SHRINK_WINDOW: Seconds = 60;

/// What was removed lately, and what may be removed without being counted.
#[derive(Default)]
pub(super) struct Guard {
    /// Domains whose next removal is permitted.
    permitted: BTreeSet<Box<str>>,
    window: Option<Window>,
}

#[derive(Clone, Copy)]
struct Window {
    since: UnixTime,
    /// Tenants when it began.
    size: u64,
    removed: u64,
}

impl Guard {
    /// The next removal of `domain` does not count.
    pub(super) fn permit(&mut self, domain: &str) {
        self.permitted.insert(domain.into());
    }

    /// Whether the removal of `domain` was permitted; the permission is used up.
    pub(super) fn is_permitted(&mut self, domain: &str) -> bool {
        self.permitted.remove(domain)
    }

    /// Whether `count` of `size` tenants may go now; if so, they count from now on.
    pub(super) fn admits(&mut self, count: usize, size: usize, now: UnixTime) -> bool {
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let open = |window: &Window| now >= window.since && now.before(SHRINK_WINDOW) <= window.since;
        let fresh = Window { since: now, size: number(size), removed: 0 };
        let mut window = self.window.filter(open).unwrap_or(fresh);
        window.removed = window.removed.saturating_add(number(count));
        if window.removed > SHRINK_FREE && window.removed > window.size / SHRINK_SHARE {
            return false;
        }
        self.window = (window.removed > 0).then_some(window);
        true
    }

    /// What was removed so far no longer counts: someone looked at it.
    pub(super) fn forgive(&mut self) {
        self.window = None;
    }
}
