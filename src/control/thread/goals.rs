//! Whether zones are to be signed, as the configuration wants it: a goal, which their keys may be on the way to.
//!
//! It never makes a zone unsigned: that takes two people, and the way that the engine goes.

use super::Mind;
use crate::control::outside::{SIGNED_ANYWAY, signed_anyway};
use crate::control::rolls::ZoneRoll;
use crate::diagnostic::{Diagnostic, Place};
use crate::roll::zone::facts::Fact;
use crate::time::Now;

/// Code of a zone that is to be signed again, and cannot be.
const UNSIGNED_ANYWAY: &str = "MX5514";

impl Mind {
    /// Zones on their way to insecure that are to be signed after all: the configuration is a goal, and it has changed.
    pub(super) fn take_back_insecure(&mut self, now: Now) {
        for (apex, roll) in &mut self.lives.rolls.zones {
            let text = apex.to_string();
            let is_wanted = self.basis.config.zone_settings(text.trim_end_matches('.')).signed;
            let facts = roll.facts();
            if is_wanted && facts.insecure_wanted() && !facts.unsigned && roll.record(Fact::SignedWanted {}, now) {
                tracing::info!(ZONE = %apex, "it stays signed, as the configuration wants it again");
            }
        }
    }

    /// What keeps zones from being signed or unsigned as the configuration wants them.
    pub(super) fn note_goals(&mut self) {
        let is_other = |found: &Diagnostic| ![SIGNED_ANYWAY, UNSIGNED_ANYWAY].contains(&found.code);
        self.findings.own.retain(is_other);
        self.findings.own.extend(signed_anyway(&self.basis.config, &self.world));
        for (apex, zone) in self.world.zones.iter().filter(|(_, zone)| zone.signed) {
            let Some(why) = self.lives.rolls.zones.get(apex).and_then(ZoneRoll::bare_since) else { continue };
            let place = Place::file(self.world.shown(&zone.path));
            let message = format!("{apex} is to be signed again, and stays unsigned: {why}");
            let help = "restore its key files from a backup, then `mxseal reload`";
            self.findings.own.push(Diagnostic::error(UNSIGNED_ANYWAY, place, message, help));
        }
    }
}
