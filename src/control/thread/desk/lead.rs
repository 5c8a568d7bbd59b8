//! Which of two servers leads: what follows where that is not certain, and a person's word.
//!
//! It never decides that by itself: whoever finds another one stops, and goes on only by a person's word.

use crate::control::life::InTheWay;
use crate::control::thread::Mind;
use crate::protocol::LeadInfo;
use std::time::{Duration, Instant};

/// How often the sign of life of another server is looked for, at most: before whatever is done, so that of two servers the
/// one that led takes no further step.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Mind {
    /// What stands in the way of all zones.
    pub(super) fn in_the_way(&self) -> InTheWay<'_> {
        InTheWay { clock: self.clock.doubt(), elsewhere: self.instance.elsewhere() }
    }

    /// Looks for another server that uses the folder.
    pub(crate) fn look_for_others(&mut self) {
        let now = Instant::now();
        if self.beat_at.is_some_and(|at| at > now) {
            return;
        }
        self.beat_at = Some(now + LOOK_EVERY);
        if self.instance.beat(now) {
            self.take_leader();
            if self.instance.elsewhere().is_none() {
                self.lead_on();
            }
        }
    }

    /// A person says that this server leads.
    ///
    /// # Errors
    /// Exit code and reason.
    pub(super) fn lead(&mut self, reason: &str, dry_run: bool) -> Result<LeadInfo, (u8, String)> {
        let before = self.instance.elsewhere().unwrap_or_default().to_owned();
        if before.is_empty() || dry_run {
            return Ok(LeadInfo { leads: before.is_empty(), before, restart: false });
        }
        let lead = self.instance.lead(Instant::now());
        let restart = lead.map_err(|why| (1, format!("that this server leads could not be recorded: {why}")))?;
        let from = if restart { "its next start" } else { "now" };
        tracing::warn!("this server leads from {from} on, by a person's word: {reason}");
        self.take_leader();
        if restart {
            return Ok(LeadInfo { before, leads: false, restart });
        }
        self.lead_on();
        Ok(LeadInfo { before, leads: true, restart })
    }

    /// Whatever waited for this server to lead goes on.
    fn lead_on(&mut self) {
        self.world.thaw();
        self.settle();
        self.note_goals();
        self.publish();
    }

    /// Whether this server leads has changed.
    fn take_leader(&mut self) {
        if let Some(finding) = self.instance.finding() {
            tracing::error!("{}", finding.one_line());
        }
        self.rolls.elsewhere = self.instance.finding();
        self.clock.may_keep(self.instance.may_write());
        self.rolls.zones.values_mut().for_each(|roll| roll.due = Instant::now());
        self.certs.lives.values_mut().for_each(|life| life.due = Instant::now());
        self.is_news = true;
    }
}
