//! What is recorded of the time, and which wall clocks it refutes.
//!
//! It never says that a clock is right: a moment that was seen has passed, and that is all that is known of it. Only a parent
//! of others vouches for the other side: it does not serve signatures that have expired.

use super::{COVERED_MAX, DOUBTFUL, EARLIEST, LATEST, Mark, moment};
use crate::time::{Seconds, UnixTime};

/// What is recorded of the time beside the clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The newest fact of any zone or pool.
    pub newest: Option<Fact>,
    /// What parents of others have signed.
    pub signed: Vec<Window>,
}

/// A recorded moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Whose.
    pub of: String,
    /// When it was recorded, by the signing clock.
    pub at: UnixTime,
}

/// The window of a signature of a parent that chains to the trust anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The zone whose DS is signed.
    pub of: String,
    /// It began here, so this has passed.
    pub inception: UnixTime,
    /// It was served, so this had not passed …
    pub expiration: UnixTime,
    /// … this many seconds ago; none: how long ago that was is not known.
    pub age: Option<Seconds>,
}

/// Why a wall clock cannot be right; none: nothing here speaks against it. What people recorded may be from a time when the
/// clock was wrong, so they may overrule it; a time that cannot be is refused all the same.
pub fn refuted(wall: UnixTime, mark: &Mark, evidence: &Evidence, is_overruled: bool) -> Option<String> {
    let says = format!("the wall clock says {}", moment(wall));
    if wall < EARLIEST {
        return Some(format!("{says}, and this program is younger than that"));
    }
    if wall > LATEST && wall.0.abs_diff(mark.time) > COVERED_MAX {
        return Some(format!("{says}, and the server has counted up to {}", moment(UnixTime(mark.time))));
    }
    if is_overruled {
        return None;
    }
    evidence
        .signed
        .iter()
        .find_map(|window| window.refutes(wall))
        .or_else(|| {
            let newest = evidence.newest.as_ref().filter(|newest| newest.at > wall.after(DOUBTFUL))?;
            Some(format!("the newest fact of {} was recorded at {}, later than that", newest.of, moment(newest.at)))
        })
        .map(|why| format!("{says}, and {why}"))
}

impl Window {
    fn refutes(&self, wall: UnixTime) -> Option<String> {
        let parent = || format!("the parent of {}", self.of);
        if self.inception > wall.after(DOUBTFUL) {
            return Some(format!("{} signed its DS at {}, later than that", parent(), moment(self.inception)));
        }
        let expiration = self.expiration.after(self.age?);
        if expiration.after(DOUBTFUL) >= wall {
            return None;
        }
        Some(format!("{} serves a DS whose signature ends at {}", parent(), moment(self.expiration)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Reading, first};
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const DAY: u64 = 86_400;

    fn mark() -> Mark {
        let reading = Reading { wall: UnixTime(NOW), uptime: 9, boot: "a".to_owned(), machine: "m".to_owned() };
        first(&reading, UnixTime(0)).mark
    }

    fn evidence() -> Evidence {
        let window = Window {
            of: "mx.example".to_owned(),
            inception: UnixTime(NOW - 2 * DAY),
            expiration: UnixTime(NOW + 12 * DAY),
            age: Some(600),
        };
        let newest = Fact { of: "a.mx.example".to_owned(), at: UnixTime(NOW - DAY) };
        Evidence { newest: Some(newest), signed: vec![window] }
    }

    #[test]
    fn a_wall_clock_is_refused_for_the_fact_that_refutes_it_and_the_fact_is_named() {
        let why = |wall| refuted(UnixTime(wall), &mark(), &evidence(), false).unwrap_or_default();
        assert_eq!(why(NOW), "");
        assert_eq!(why(NOW + 11 * DAY), "");
        assert_eq!(why(60), "the wall clock says 1970-01-01 00:01 UTC, and this program is younger than that");
        assert!(
            why(NOW - DAY - 301).contains("the newest fact of a.mx.example was recorded at 2027-01-14"),
            "{}",
            why(NOW - DAY - 301)
        );
        assert!(why(NOW - 3 * DAY).contains("the parent of mx.example signed its DS at 2027-01-13"));
        assert!(
            why(NOW + 35 * DAY).contains("the parent of mx.example serves a DS whose signature ends at 2027-01-27")
        );
        assert!(why(1 << 33).contains("and the server has counted up to 2027-01-15"));
    }

    #[test]
    fn nothing_refutes_a_clock_beside_no_facts_and_an_old_window_speaks_of_the_past_only() {
        let far = UnixTime(NOW + 35 * DAY);
        assert_eq!(refuted(far, &mark(), &Evidence::default(), false), None);
        let mut old = evidence();
        old.signed.iter_mut().for_each(|window| window.age = None);
        assert_eq!(refuted(far, &mark(), &old, false), None);
        assert!(refuted(UnixTime(NOW - 3 * DAY), &mark(), &old, false).is_some());
    }

    #[test]
    fn people_may_overrule_recorded_moments_and_no_time_that_cannot_be() {
        let is_refused = |wall| refuted(UnixTime(wall), &mark(), &evidence(), true).is_some();
        assert!(!is_refused(NOW - 30 * DAY) && !is_refused(NOW + 35 * DAY));
        assert!(is_refused(60) && is_refused(1 << 33));
    }
}
