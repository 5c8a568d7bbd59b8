//! What a source tells of its documents is taken in, and becomes a change or a finding.
//!
//! A document in trouble changes nothing but its own reason; only one that is gone takes anything away.

use crate::control::thread::{Mind, log_done};
use crate::time::Now;
use crate::world::changes::Changes;
use std::collections::BTreeMap;

impl Mind {
    /// Asks the source what became of its documents, and publishes what follows.
    pub(super) fn poll(&mut self, now: Now) {
        let changes = self.feed.poll(now);
        let (is_full, said) = (changes.is_full, changes.is_about_source());
        let mut changed = self.take_in(changes, now) || said;
        if is_full {
            changed |= self.refresh_certificates(now);
        }
        if changed {
            self.publish(now);
        }
    }

    /// Takes in what a source told; true where something changed.
    pub(super) fn take_in(&mut self, changes: Changes, now: Now) -> bool {
        let changed = !changes.is_nothing();
        let mut known = self.known(&changes, now);
        log_done(&self.world.take(changes, &mut known, now.signing));
        self.forget(known);
        self.settle(now);
        if changed {
            self.feed.keep_includes(&self.world.included_paths());
        }
        if self.world.zones.keys().any(|apex| !self.served.restored.contains(apex)) && self.served.version > 0 {
            self.restore(None, &BTreeMap::new(), now);
        }
        changed
    }
}
