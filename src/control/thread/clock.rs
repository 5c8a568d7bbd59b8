//! The clock as people and zones deal with it: a person confirms it, and zones take note of what it tells.
//!
//! A doubt about the clock stops removals everywhere; signatures go on. No word of a person goes against a time that cannot
//! be, and none against recorded facts unless it says so.

use super::{Mind, Moments};
use crate::control::rolls::{ParentSigned, ZoneRoll};
use crate::roll::clock::{Evidence, NewestFact, Window};
use crate::time::{Now, Seconds};
use std::time::Instant;

impl Mind {
    /// Compares the clocks, as every few seconds whatever else is done; where they begin or cease to agree, all zones take
    /// note. Before anything is served, signatures go by what the signing clock says.
    pub(super) fn read_clock(&mut self, now: Now, moments: &Moments) {
        self.lives.clock_read = now.steady;
        let is_news = self.lives.clock.tick(now);
        let now = moments(Some(self.lives.clock.time()));
        if is_news {
            self.take_clock(now);
        }
        self.tell_clock(now);
    }

    /// What the clocks tell has changed.
    pub(super) fn take_clock(&mut self, now: Now) {
        let shift = self.lives.clock.shift();
        for roll in self.lives.rolls.zones.values_mut() {
            roll.due = now.steady;
        }
        self.findings.is_key_news = true;
        self.tell_clock(now);
        let was_silent =
            std::mem::replace(&mut self.lives.rolls.silence, self.lives.clock.silence(&self.basis.config.keys))
                .is_some();
        let is_told = was_silent && self.lives.rolls.silence.is_none();
        if self.lives.rolls.shift != shift || is_told {
            self.lives.rolls.shift = shift;
            if is_told {
                tracing::info!("a clock has told the time: zones are signed from now on");
                self.world.thaw();
                self.settle(now);
                self.note_goals();
            }
            self.publish(now);
        }
    }

    /// An operator says that the wall clock is right.
    ///
    /// # Errors
    /// Exit code and reason, where recorded facts say otherwise and are not overruled, or that time cannot be.
    pub(super) fn confirm_clock(
        &mut self,
        against: Against,
        dry_run: bool,
        moments: &Moments,
    ) -> Result<(), (u8, String)> {
        let now = moments(None);
        let overrule = against == Against::Overruled;
        if let Some(why) = self.lives.clock.refuted(&self.evidence(now), overrule, now) {
            let help = if overrule { "set the clock" } else { OVERRULE };
            return Err((4, format!("{why}\nhelp: {help}")));
        }
        if dry_run {
            return Ok(());
        }
        let ahead = self.lives.clock.ahead(now);
        let is_news = self.lives.clock.confirm(now);
        let now = moments(Some(self.lives.clock.time()));
        tracing::info!(SECONDS = ahead, overrule, "an operator confirms that the wall clock is right");
        if is_news {
            self.take_clock(now);
        }
        Ok(())
    }

    /// What is recorded of the time, and what parents have signed.
    fn evidence(&self, now: Now) -> Evidence {
        let name = |apex: &crate::dns::name::Name| apex.to_string().trim_end_matches('.').to_owned();
        let zones = self.lives.rolls.zones.iter().map(|(apex, roll)| (name(apex), roll.facts().time));
        let pools = self.lives.certs.lives.iter().map(|(pool, life)| (format!("pool {pool}"), life.facts().time));
        let newest = zones.chain(pools).map(|(of, at)| NewestFact { of, at }).max_by_key(|fact| fact.at);
        let signed = self.lives.rolls.zones.iter().flat_map(|(apex, roll)| windows(&name(apex), roll, now));
        Evidence { newest, signed: signed.collect() }
    }
}

/// What becomes of facts that speak against the wall clock.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Against {
    /// The clock is not confirmed.
    Heeded,
    /// It is confirmed all the same: they were recorded while it was wrong.
    Overruled,
}

/// What a person may do where facts speak against the clock.
const OVERRULE: &str = "set the clock (chronyc tracking, timedatectl) and run this again; if it is right, and was wrong when that \
    was recorded: add --overrule";

/// What the parent of a zone has signed: in the past, and as it was seen last.
fn windows(zone: &str, roll: &ZoneRoll, now: Now) -> Vec<Window> {
    let of = || zone.to_owned();
    let past = roll.facts().parent.signed_at;
    let past = past.map(|inception| Window { of: of(), inception, expiration: inception, age: None });
    let age = |at: Instant| -> Seconds { now.steady.saturating_duration_since(at).as_secs() };
    let seen = roll.parent_signed.map(|ParentSigned { inception, expiration, at }| Window {
        of: of(),
        inception,
        expiration,
        age: Some(age(at)),
    });
    past.into_iter().chain(seen).collect()
}
