//! When something is looked at next from outside, and what was wrong last time.
//!
//! A look that found something wrong is counted, and never taken for what was not seen.

use super::RETRY;
use crate::time::Now;
use std::time::{Duration, Instant};

/// When something is looked at next, and what was wrong last time.
pub struct NextLook {
    /// When.
    pub at: Instant,
    /// Whether an answer is awaited.
    pub is_asked: bool,
    /// Looks in a row that found something wrong.
    pub failures: u32,
    /// What they found.
    pub faults: Vec<String>,
}

impl NextLook {
    /// One that is due now.
    pub fn new(now: Instant) -> NextLook {
        NextLook { at: now, is_asked: false, failures: 0, faults: Vec::new() }
    }

    /// When it is looked at; none: an answer is awaited.
    pub fn next(&self) -> Option<Instant> {
        Some(self.at).filter(|_| !self.is_asked)
    }

    /// It was asked for now; where that found no place, it is tried again.
    pub fn asked(&mut self, is_asked: bool, now: Now) {
        (self.is_asked, self.at) = (is_asked, now.steady + RETRY);
    }

    /// It is looked at no later than after `span`.
    pub fn within(&mut self, span: Duration, now: Now) {
        self.at = self.at.min(now.steady + span);
    }

    /// An answer came: the next look is after `span`.
    pub fn answered(&mut self, faults: Vec<String>, span: Duration, now: Now) {
        self.is_asked = false;
        self.failures = if faults.is_empty() { 0 } else { self.failures.saturating_add(1) };
        self.faults = faults;
        self.at = now.steady + span;
    }
}
