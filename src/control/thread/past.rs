//! What is published is kept before it is served, and parents are asked before first keys are made.
//!
//! A zone of which nothing could be kept yet is not served for the first time; whoever is served already stays.

use crate::control::thread::Mind;
use crate::dns::name::Name;
use crate::store::silence::ASKING;
use crate::time::Now;
use crate::world::zones::{Keys, ZoneState};
use std::time::{Duration, Instant};

/// How long a start waits for parents where other zones are to be served: one that answers does so in less.
const WAIT_BESIDE: Duration = Duration::from_millis(300);
/// How long where there are no others: then nobody's answers wait.
const WAIT_ALONE: Duration = Duration::from_secs(6);

impl Mind {
    /// At a start: waits a little for the parents that are asked, so that most zones are in the first snapshot.
    pub(super) fn wait_for_parents(&mut self, now: Now, wait: &mut dyn FnMut(Instant) -> Now) {
        // Also where all was said by now: the zones still stand as they stood when it was asked.
        let waits = |zone: &ZoneState| matches!(&zone.keys, Keys::Silent(reason) if reason.code == ASKING);
        if !self.world.zones.values().any(waits) {
            return;
        }
        let is_served = |zone: &ZoneState| match &zone.keys {
            Keys::None => zone.has_content(),
            Keys::Loaded(_) => true,
            Keys::Wanted | Keys::Silent(_) => false,
        };
        let has_others = self.world.zones.values().any(is_served);
        self.lives.rolls.asker.wait(if has_others { WAIT_BESIDE } else { WAIT_ALONE });
        self.go_on(wait(now.steady));
    }

    /// A parent was asked: the zones below it go on.
    pub(super) fn begin_asked(&mut self, now: Now) {
        self.go_on(now);
        self.note_goals();
        self.publish(now);
    }

    fn go_on(&mut self, now: Now) {
        self.world.go_on(ASKING);
        self.settle(now);
    }

    /// Before a publication: what will be published is kept.
    pub(super) fn keep_past(&mut self, now: Now) {
        let before = self.lives.rolls.unkept();
        let kept = self.lives.rolls.keep_past(&self.store);
        let after = self.lives.rolls.unkept();
        let mut changed: Vec<(Name, Keys)> = Vec::new();
        let is_stopped = |apex: &Name| matches!(self.world.zones[apex].keys, Keys::Silent(_));
        let known = |apex: &&Name| self.world.zones.contains_key(*apex);
        for apex in after.iter().filter(known).filter(|apex| !is_stopped(apex)) {
            changed.push((apex.clone(), Keys::Silent(self.lives.rolls.why_unkept(&self.store, apex))));
        }
        let freed = before.iter().filter(|apex| !after.contains(apex)).filter(known).filter(|apex| is_stopped(apex));
        changed.extend(freed.map(|apex| (apex.clone(), Keys::Wanted)));
        if !changed.is_empty() {
            self.set_keys(changed, now);
        }
        let found = self.lives.rolls.past_findings(&self.store);
        self.findings.is_key_news |= !found.is_empty();
        // The disk is tried again while it refuses.
        self.findings.disk.extend(found.into_iter().filter(|_| kept.is_err()));
    }
}
