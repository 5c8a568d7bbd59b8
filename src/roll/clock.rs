//! The clock that signatures and waits go by: it never jumps with the wall clock, and never lets a jump end a wait.
//!
//! Pure: readings go in, a moment and its doubts come out. Within one boot it advances with the boot's own clock, and follows
//! the wall clock only as far as clocks drift. Time in which the machine was off is believed up to a budget, and ends no
//! wait: that it passed is the word of one clock alone.

use crate::time::{Seconds, UnixTime};
use serde::{Deserialize, Serialize};

/// The wall clock is followed by this much for each day of uptime: a bad quartz drifts by seconds a day. Over the longest wait,
/// a fortnight, it is half an hour, less than any margin that is sane.
const DRIFT_A_DAY: Seconds = 120;
/// Beyond this the clocks do not agree.
const DOUBTFUL: Seconds = 300;
/// Time off that is believed in all until an operator confirms the clock (lifecycle § 6): half of how far inceptions lie
/// back, so that signatures made by a clock that is wrong by it are valid.
pub const BELIEVED_OFF_MAX: Seconds = 12 * 3600;
/// A wall clock further back than this is a dead battery, not a reading.
const BACK_MAX: Seconds = 30 * DAY;
/// A wall clock further ahead than this is no reading either: time off is shorter.
const AHEAD_MAX: Seconds = 3650 * DAY;
const DAY: Seconds = 86_400;

/// What the machine's clocks say at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The wall clock.
    pub wall: UnixTime,
    /// Seconds since the machine started, sleep included.
    pub uptime: Seconds,
    /// What differs between any two starts of the machine.
    pub boot: String,
}

/// What outlives a restart: the newest moment that was believed, and by which readings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The moment.
    pub time: u64,
    /// Seconds since the machine started, then.
    pub uptime: u64,
    /// Which start of the machine it was.
    pub boot: String,
    /// Time off that was believed since an operator confirmed the clock last.
    pub believed_off: u64,
    /// Seconds by which the wall clock was followed within the current day of uptime.
    pub followed: u64,
    /// When that day began, in seconds of uptime.
    pub followed_since: u64,
    /// Seconds of the time that no clock of the machine counted, in all: time off, or an operator's word. No wait counts
    /// them: each zone records what it has not yet ([`super::facts::Fact::ClockCorrected`]) before it decides anything.
    #[serde(default)]
    pub credited: u64,
}

/// A moment, and between which moments the truth lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What waits go by, and what signatures are made at.
    pub time: UnixTime,
    /// Signatures must be valid from here …
    pub low: UnixTime,
    /// … to here, whichever reading is right.
    pub high: UnixTime,
    /// Why removals stop; none: the clocks agree.
    pub doubt: Option<String>,
    /// What an operator may want to know, and nothing stops for: time off that does not count.
    pub note: Option<String>,
    /// What to keep for the next reading.
    pub mark: Mark,
}

/// The moment, at the first start of all: the wall clock is all there is. `least` is a moment that has passed for certain,
/// such as that of the newest fact.
pub fn first(reading: &Reading, least: UnixTime) -> Told {
    let mark = Mark {
        time: reading.wall.max(least).0,
        uptime: reading.uptime,
        boot: reading.boot.clone(),
        believed_off: 0,
        followed: 0,
        followed_since: reading.uptime,
        credited: if least.0 > 0 { reading.wall.0.saturating_sub(least.0) } else { 0 },
    };
    judge(mark, reading)
}

/// The moment after the one that is marked.
pub fn next(mark: &Mark, reading: &Reading) -> Told {
    let mut mark = mark.clone();
    if mark.boot == reading.boot {
        mark.time += reading.uptime.saturating_sub(mark.uptime);
        mark.uptime = mark.uptime.max(reading.uptime);
        follow(&mut mark, reading);
        return judge(mark, reading);
    }
    // The machine was off, or is another one. Only the wall clock tells for how long.
    let off = reading.wall.0.saturating_sub(mark.time).saturating_sub(reading.uptime);
    let room = BELIEVED_OFF_MAX.saturating_sub(mark.believed_off);
    let believed = if off > AHEAD_MAX { 0 } else { off.min(room) };
    mark.believed_off += believed;
    // Where the machine is another one, its uptime was not counted since the mark, either.
    let up = reading.uptime.min(reading.wall.0.saturating_sub(mark.time));
    mark.credited += believed + up;
    mark.time += believed + up;
    (mark.uptime, mark.boot) = (reading.uptime, reading.boot.clone());
    (mark.followed, mark.followed_since) = (0, reading.uptime);
    let mut told = judge(mark, reading);
    // Being late by time off is safe: no doubt stops anything for it.
    if reading.wall >= told.time && off <= AHEAD_MAX {
        told.doubt = None;
    }
    told
}

/// An operator has looked: the wall clock is right.
pub fn confirm(mark: &Mark, reading: &Reading) -> Told {
    let told = first(reading, UnixTime(mark.time.min(reading.wall.0)));
    let credited = mark.credited + told.time.0.saturating_sub(mark.time);
    Told { mark: Mark { credited, ..told.mark.clone() }, ..told }
}

/// Small differences are drift; the wall clock is followed forward, within its budget, and never back.
fn follow(mark: &mut Mark, reading: &Reading) {
    if mark.uptime >= mark.followed_since + DAY {
        (mark.followed, mark.followed_since) = (0, mark.uptime);
    }
    let ahead = reading.wall.0.saturating_sub(mark.time);
    let room = DRIFT_A_DAY.saturating_sub(mark.followed);
    if ahead <= room {
        mark.time += ahead;
        mark.followed += ahead;
    }
}

fn judge(mark: Mark, reading: &Reading) -> Told {
    let time = UnixTime(mark.time);
    let wall = reading.wall;
    let (ahead, behind) = (wall.0.saturating_sub(time.0), time.0.saturating_sub(wall.0));
    let low = if (1..=BACK_MAX).contains(&behind) { wall } else { time };
    let high = if (1..=AHEAD_MAX).contains(&ahead) { wall } else { time };
    let lag = format!("the wall clock is {} s ahead of what the server has counted", ahead);
    let doubt = match (ahead, behind) {
        (0..=DOUBTFUL, 0..=DOUBTFUL) => None,
        (0, _) => Some(format!("the wall clock is {behind} s behind the time that has passed for certain")),
        (..) if mark.believed_off >= BELIEVED_OFF_MAX => None,
        (..) => Some(lag.clone()),
    };
    let note = (ahead > DOUBTFUL && doubt.is_none()).then_some(lag);
    Told { time, low, high, doubt, note, mark }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_800_000_000;

    fn reading(wall: u64, uptime: u64, boot: &str) -> Reading {
        Reading { wall: UnixTime(wall), uptime, boot: boot.to_owned() }
    }

    #[test]
    fn within_one_boot_time_goes_by_the_boots_clock_and_follows_small_drift() {
        let told = first(&reading(START, 100, "a"), UnixTime(0));
        assert_eq!((told.time, told.doubt), (UnixTime(START), None));
        let told = next(&told.mark, &reading(START + 1003, 1100, "a"));
        assert_eq!((told.time, told.doubt), (UnixTime(START + 1003), None));
    }

    #[test]
    fn a_jump_forward_ends_no_wait_and_is_doubted() {
        let told = first(&reading(START, 100, "a"), UnixTime(0));
        let told = next(&told.mark, &reading(START + 30 * DAY, 160, "a"));
        assert_eq!(told.time, UnixTime(START + 60));
        assert!(told.doubt.is_some());
        assert_eq!((told.low, told.high), (UnixTime(START + 60), UnixTime(START + 30 * DAY)), "signatures cover both");
    }

    #[test]
    fn a_jump_back_opens_no_wait_again_and_is_doubted() {
        let told = first(&reading(START, 100, "a"), UnixTime(0));
        let told = next(&told.mark, &reading(START - DAY, 160, "a"));
        assert_eq!((told.time, told.low), (UnixTime(START + 60), UnixTime(START - DAY)));
        assert!(told.doubt.is_some());
        let told = next(&told.mark, &reading(START + 120, 220, "a"));
        assert_eq!((told.time, told.doubt), (UnixTime(START + 120), None), "it ends by itself");
    }

    #[test]
    fn a_start_in_1970_goes_on_from_the_mark() {
        let told = first(&reading(START, 100, "a"), UnixTime(0));
        let told = next(&told.mark, &reading(5, 5, "b"));
        assert_eq!((told.time, told.low, told.high), (UnixTime(START), UnixTime(START), UnixTime(START)));
        assert!(told.doubt.is_some());
        let told = next(&told.mark, &reading(65, 65, "b"));
        assert_eq!(told.time, UnixTime(START + 60));
    }

    #[test]
    fn time_off_counts_up_to_twelve_hours_in_all_and_stops_nothing() {
        let told = first(&reading(START, 100, "a"), UnixTime(0));
        let told = next(&told.mark, &reading(START + 3600, 10, "b"));
        assert_eq!((told.time, told.doubt), (UnixTime(START + 3600), None));
        let told = next(&told.mark, &reading(START + 3600 + 3 * DAY, 10, "c"));
        assert_eq!(told.time, UnixTime(START + 12 * 3600 + 20), "twelve hours off, and ten seconds on, twice");
        assert_eq!(told.doubt, None);
        assert!(told.note.is_some() && told.high == UnixTime(START + 3600 + 3 * DAY));
        let told = next(&told.mark, &reading(START + 3700 + 3 * DAY, 110, "c"));
        assert_eq!((told.time, told.doubt), (UnixTime(START + 12 * 3600 + 120), None));
        let told = confirm(&told.mark, &reading(START + 3710 + 3 * DAY, 120, "c"));
        assert_eq!((told.time, told.note), (UnixTime(START + 3710 + 3 * DAY), None));
    }
}
