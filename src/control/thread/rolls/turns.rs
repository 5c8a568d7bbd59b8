//! Whose turn it is: zones below one of ours roll one after the other.
//!
//! It never stops a roll that has begun, nor one that a person asked for.

use crate::control::rolls::ZoneRoll;
use crate::control::rolls::build::roll_policy;
use crate::control::thread::Mind;
use crate::dns::name::Name;
use crate::roll::zone::plan::{Block, Blocker};
use crate::roll::zone::turn;
use crate::time::Now;
use crate::world::zones::ZoneState;

impl Mind {
    /// Which zone is to roll before this one does by itself.
    pub(in crate::control::thread) fn turn_of(&self, apex: &Name, now: Now) -> Option<String> {
        let name = |apex: &Name| apex.to_string().trim_end_matches('.').to_owned();
        let below_ours = |apex: &Name| self.world.zones.get(apex).filter(|zone| zone.parent.is_some());
        let zone = below_ours(apex)?;
        let standing = |apex: &Name, zone: &ZoneState, roll: &ZoneRoll| {
            turn::Standing::of(name(apex), roll.facts(), &roll_policy(&zone.policy))
        };
        let (now, own) = (now.signing, standing(apex, zone, self.lives.rolls.zones.get(apex)?));
        // Only at the end of a life it matters whose turn it is.
        own.life.filter(|(_, due)| *due <= now && !own.is_rolling)?;
        let all =
            self.lives.rolls.zones.iter().filter_map(|(apex, roll)| Some(standing(apex, below_ours(apex)?, roll)));
        let (all, rolls): (Vec<_>, _) = (all.collect(), &self.basis.config.rolls);
        turn::waits_for(&own.zone, &all, rolls.canary.as_deref(), rolls.together, now).map(str::to_owned)
    }

    /// A roll has ended: those that waited for it look again.
    pub(in crate::control::thread) fn next_turns(&mut self, now: Now) {
        let waits = |roll: &&mut ZoneRoll| {
            roll.plan
                .iter()
                .flat_map(|plan| &plan.blockers)
                .any(|blocker| matches!(blocker, Blocker::Own(Block::Turn(_))))
        };
        self.lives.rolls.zones.values_mut().filter(waits).for_each(|roll| roll.due = now.steady);
    }
}
