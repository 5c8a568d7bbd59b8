//! Which of two servers leads: what follows where that is not certain, and a person's word.
//!
//! It never decides that by itself: whoever finds another one stops, and goes on only by a person's word.

use crate::control::life::InTheWay;
use crate::control::thread::Mind;
use crate::control::thread::desk::reply::Ended;
use crate::protocol::LeadInfo;
use crate::time::Now;
use std::time::Duration;

/// How often the sign of life of another server is looked for, at most: before whatever is done, so that of two servers the
/// one that led takes no further step.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Mind {
    /// What stands in the way of all lives.
    pub(in crate::control::thread) fn in_the_way(&self) -> InTheWay {
        let owned = |why: Option<&str>| why.map(str::to_owned);
        InTheWay { clock: owned(self.lives.clock.doubt()), elsewhere: owned(self.lives.instance.elsewhere()) }
    }

    /// Looks for another server that uses the folder.
    pub(crate) fn look_for_others(&mut self, now: Now) {
        if self.lives.beat_at.is_some_and(|at| at > now.steady) {
            return;
        }
        self.lives.beat_at = Some(now.steady + LOOK_EVERY);
        if self.lives.instance.beat(now.steady) {
            self.take_leader(now);
            if self.lives.instance.elsewhere().is_none() {
                self.lead_on(now);
            }
        }
    }

    /// A person says that this server leads.
    ///
    /// # Errors
    /// Exit code and reason.
    pub(super) fn lead(&mut self, reason: &str, dry_run: bool, now: Now) -> Result<LeadInfo, Ended> {
        let before = self.lives.instance.elsewhere().unwrap_or_default().to_owned();
        if before.is_empty() || dry_run {
            return Ok(LeadInfo { leads: before.is_empty(), before, restart: false });
        }
        let lead = self.lives.instance.lead(now.steady);
        let restart = lead.map_err(|why| (1, format!("that this server leads could not be recorded: {why}")))?;
        let from = if restart { "its next start" } else { "now" };
        tracing::warn!("this server leads from {from} on, by a person's word: {reason}");
        self.take_leader(now);
        if restart {
            return Ok(LeadInfo { before, leads: false, restart });
        }
        self.lead_on(now);
        Ok(LeadInfo { before, leads: true, restart })
    }

    /// Whatever waited for this server to lead goes on.
    fn lead_on(&mut self, now: Now) {
        self.world.thaw();
        self.settle(now);
        self.note_goals();
        self.publish(now);
    }

    /// Whether this server leads has changed.
    fn take_leader(&mut self, now: Now) {
        if let Some(finding) = self.lives.instance.finding() {
            tracing::error!("{}", finding.one_line());
        }
        self.lives.rolls.elsewhere = self.lives.instance.finding();
        self.lives.clock.may_keep(self.lives.instance.may_write());
        self.lives.rolls.zones.values_mut().for_each(|roll| roll.due = now.steady);
        self.lives.certs.lives.values_mut().for_each(|life| life.due = now.steady);
        self.findings.is_key_news = true;
    }
}
