//! Whose turn it is: zones of one server whose keys reach the end of their life roll one after the other.
//!
//! What is wrong with a roll is seen in one zone, a canary if there is one, before the next begins. It delays only rolls
//! that begin by themselves: what a person asked for is never held up.

use super::Policy;
use super::fold::ZoneFacts;
use super::goal::{Focus, Goal};
use crate::sign::key::Role;
use crate::time::UnixTime;

/// How one zone stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name, in lower case without final dot.
    pub zone: String,
    /// Whether its keys are being changed.
    pub is_rolling: bool,
    /// The oldest key in use whose life ends: since when it is used, and when that is.
    pub life: Option<(UnixTime, UnixTime)>,
    /// Whether something stops its steps: nobody waits for it to begin.
    pub is_stopped: bool,
}

impl Standing {
    /// How a zone stands.
    pub fn of(zone: String, facts: &ZoneFacts, policy: &Policy) -> Standing {
        let goal = Goal::of(facts, policy);
        let lives = [goal.entry, goal.data].into_iter().flatten().filter_map(|key| {
            let life = match key.role {
                Role::Csk => policy.csk_lifetime,
                Role::Ksk => policy.ksk_lifetime,
                Role::Zsk => policy.zsk_lifetime,
            };
            let began = key.activated.or(key.published)?;
            Some((began, began.after(life?)))
        });
        let is_stopped = facts.held.is_some() || facts.doubt.is_some();
        Standing { zone, is_rolling: goal.focus != Focus::Rest, life: lives.min_by_key(|(_, due)| *due), is_stopped }
    }
}

/// For which zone this one waits before it begins by itself; none: it is its turn.
pub fn waits_for<'a>(
    zone: &str,
    all: &'a [Standing],
    canary: Option<&'a str>,
    together: usize,
    now: UnixTime,
) -> Option<&'a str> {
    let own = all.iter().find(|standing| standing.zone == zone)?;
    let canary = all.iter().find(|standing| canary == Some(&*standing.zone) && standing.life.is_some());
    if let (Some(canary), Some((began, _))) = (canary.filter(|canary| canary.zone != zone), own.life) {
        // Its key is younger once it has rolled; the roll is over when it is at rest.
        let is_ahead = !canary.is_rolling && canary.life.is_some_and(|(since, _)| since > began);
        if !is_ahead {
            return Some(&canary.zone);
        }
    }
    let rolling: Vec<&Standing> = all.iter().filter(|other| other.is_rolling && other.zone != zone).collect();
    if rolling.len() >= together {
        return rolling.first().map(|other| &*other.zone);
    }
    if canary.is_some_and(|canary| canary.zone == zone) {
        return None;
    }
    // Whose life ended first begins first.
    let rank = |standing: &Standing| standing.life.map(|(_, due)| (due, standing.zone.clone()));
    let is_due =
        |other: &&Standing| !other.is_rolling && !other.is_stopped && other.life.is_some_and(|(_, due)| due <= now);
    let mut before: Vec<&Standing> = all.iter().filter(is_due).filter(|other| rank(other) < rank(own)).collect();
    before.sort_by_key(|other| rank(other));
    if rolling.len() + before.len() >= together { before.first().map(|other| &*other.zone) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1000);

    fn at(zone: &str, is_rolling: bool, life: (u64, u64)) -> Standing {
        Standing {
            zone: zone.to_owned(),
            is_rolling,
            life: Some((UnixTime(life.0), UnixTime(life.1))),
            is_stopped: false,
        }
    }

    #[test]
    fn zones_roll_one_after_the_other_in_the_order_of_their_ends() {
        let all = [at("a", false, (0, 900)), at("b", false, (0, 800)), at("c", false, (0, 2000))];
        assert_eq!(waits_for("b", &all, None, 1, NOW), None);
        assert_eq!(waits_for("a", &all, None, 1, NOW), Some("b"));
        assert_eq!(waits_for("a", &all, None, 2, NOW), None);
        let all = [at("a", false, (0, 900)), at("b", true, (0, 800)), at("c", true, (0, 2000))];
        assert_eq!(waits_for("a", &all, None, 2, NOW), Some("b"));
        assert_eq!(waits_for("a", &all, None, 3, NOW), None);
    }

    #[test]
    fn nobody_waits_for_a_zone_whose_steps_are_stopped() {
        let all = [at("a", false, (0, 900)), Standing { is_stopped: true, ..at("b", false, (0, 800)) }];
        assert_eq!(waits_for("a", &all, None, 1, NOW), None);
    }

    #[test]
    fn all_wait_until_the_roll_of_the_canary_has_ended() {
        let canary = |is_rolling, began| [at("a", false, (10, 900)), at("z", is_rolling, (began, began + 900))];
        assert_eq!(waits_for("a", &canary(false, 10), Some("z"), 1, NOW), Some("z"), "it has not begun");
        assert_eq!(waits_for("a", &canary(true, 950), Some("z"), 9, NOW), Some("z"), "it is under way");
        assert_eq!(waits_for("a", &canary(false, 950), Some("z"), 1, NOW), None, "it is over");
        let first = [at("a", false, (0, 100)), at("z", false, (10, 910))];
        assert_eq!(waits_for("z", &first, Some("z"), 1, NOW), None, "it waits for none that waits for it");
    }

    #[test]
    fn a_canary_that_is_not_there_or_never_rolls_holds_nobody_up() {
        let all = [at("a", false, (0, 900)), Standing { life: None, ..at("z", false, (0, 0)) }];
        assert_eq!(waits_for("a", &all, Some("z"), 1, NOW), None);
        assert_eq!(waits_for("a", &all, Some("y"), 1, NOW), None);
    }
}
