//! The clock that signatures and waits go by: it never jumps with the wall clock, and never lets a jump end a wait.
//!
//! Pure: readings go in, a moment and its doubts come out. Within one boot it advances with the boot's own clock, and follows
//! the wall clock only as far as clocks drift. Time that no clock of this machine counted is believed up to a budget, and
//! ends no wait: that it passed is the word of one clock alone.
//!
//! A wall clock is a reading where it may be right: from [`EARLIEST`] on, and where both clocks fit one signature. Whatever
//! the distance of two readings, signatures cover both; a clock that is no reading is covered by none.

mod evidence;

pub use evidence::{Evidence, Fact as NewestFact, Window, refuted};

use crate::time::{Seconds, UnixTime};
use serde::{Deserialize, Serialize};

const DAY: Seconds = 86_400;
/// The wall clock is followed by this much for each day of uptime: a bad quartz drifts by seconds a day. Over the longest wait,
/// a fortnight, it is half an hour, less than any margin that is sane.
const DRIFT_A_DAY: Seconds = 120;
/// Beyond this the clocks do not agree.
pub const DOUBTFUL: Seconds = 300;
/// Time off that is believed in all until an operator confirms the clock (lifecycle § 6): half of how far inceptions lie
/// back, so that signatures made by a clock that is wrong by it are valid.
pub const BELIEVED_OFF_MAX: Seconds = 12 * 3600;
/// The year before this program was written began here. A wall clock that says less has lost its battery: it is no reading.
pub const EARLIEST: UnixTime = UnixTime(1_735_689_600);
/// One signature covers two clocks up to this distance. RRSIG counts in 32 bits, and validators compare them as serial
/// numbers, so a window is below 2^31 s, 24,855 days (RFC 4034 § 3.1.5); 4 years of it are left for what policies ask for.
pub const COVERED_MAX: Seconds = 64 * 365 * DAY;
/// A first start later than this is no reading either: from [`EARLIEST`] to here any two clocks can be covered.
pub const LATEST: UnixTime = UnixTime(EARLIEST.0 + COVERED_MAX);
/// Where nobody knows how long the machine was off, signatures are good for this much longer than by the clock alone:
/// whoever is off for more than a month looks at the clock.
pub const OFF_COVERED: Seconds = 30 * DAY;
/// After a person set the clock by a word, signatures stay good by the time that was counted before, for this long: whoever
/// was mistaken finds that out within days, and mail does not wait for it.
const BESIDE_FOR: Seconds = 7 * DAY;
/// By how much a mark may be older than the newest fact and is only late.
const LATE_MAX: Seconds = 3600;
/// Time off that is longer than this is no reason to be late, but a wall clock to be looked at.
const OFF_MAX: Seconds = 3650 * DAY;

/// What the machine's clocks say at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The wall clock.
    pub wall: UnixTime,
    /// Seconds since the machine started, sleep included.
    pub uptime: Seconds,
    /// What differs between any two starts of the machine.
    pub boot: String,
    /// What differs between any two machines; empty: nothing here tells.
    pub machine: String,
}

/// How well a moment is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// It was counted from a reading on.
    #[default]
    Counted,
    /// The machine was off, and no clock told for how long: the truth may be later.
    Late,
    /// No clock has told any time yet: it is only the earliest moment that there can be.
    Unknown,
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
    /// Which machine it was; empty: that could not be told.
    #[serde(default)]
    pub machine: String,
    /// How well the moment is known.
    #[serde(default)]
    pub trust: Trust,
    /// Time off that was believed since an operator confirmed the clock last.
    pub believed_off: u64,
    /// Seconds by which the wall clock was followed within the current day of uptime.
    pub followed: u64,
    /// When that day began, in seconds of uptime.
    pub followed_since: u64,
    /// Seconds of the time that no clock of the machine counted, in all: time off, or an operator's word. No wait counts
    /// them: each zone records what it has not yet ([`super::zone::facts::Fact::ClockCorrected`]) before it decides anything.
    #[serde(default)]
    pub credited: u64,
    /// The time that was counted before a person said otherwise.
    #[serde(default)]
    pub beside: Option<Beside>,
}

/// A time that signatures cover, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beside {
    /// It is later than the mark by this many seconds, or earlier.
    pub by: i64,
    /// Until when it is covered, by the time of the mark.
    pub until: u64,
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
    /// The wall clock; none: it is no reading.
    pub wall: Option<UnixTime>,
    /// Why nothing can be signed at all; none: it can. Then it is a doubt, too.
    pub silence: Option<String>,
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
    let wall = if (EARLIEST..=LATEST).contains(&reading.wall) { reading.wall } else { UnixTime(0) };
    let has_facts = least >= EARLIEST;
    let trust = match (wall.0 > 0, has_facts) {
        (true, _) => Trust::Counted,
        (false, true) => Trust::Late,
        (false, false) => Trust::Unknown,
    };
    let time = wall.max(least).max(EARLIEST);
    let credited = if least.0 > 0 { time.0.saturating_sub(least.0) } else { 0 };
    judge(begun(reading, time, trust, credited), reading)
}

/// A mark that begins here.
fn begun(reading: &Reading, time: UnixTime, trust: Trust, credited: Seconds) -> Mark {
    Mark {
        time: time.0,
        uptime: reading.uptime,
        boot: reading.boot.clone(),
        machine: reading.machine.clone(),
        trust,
        believed_off: 0,
        followed: 0,
        followed_since: reading.uptime,
        credited,
        beside: None,
    }
}

/// The moment at a start. The mark of a disk may be late, so time goes on from the newest fact where that is newer:
/// otherwise what was counted between the two would be taken for time off. A mark that is much older is right: facts may be
/// from a time when the clock was wrong.
pub fn start(mark: &Mark, reading: &Reading, least: UnixTime) -> Told {
    let is_late = |mark: &Mark| mark.trust != Trust::Unknown && least.0 > mark.time && least.0 - mark.time <= LATE_MAX;
    if mark.boot != reading.boot && is_late(mark) {
        return next(&Mark { time: least.0, ..mark.clone() }, reading);
    }
    let told = next(mark, reading);
    if !is_late(&told.mark) {
        return told;
    }
    let credited = told.mark.credited + least.0 - told.mark.time;
    next(&Mark { time: least.0, credited, ..told.mark }, reading)
}

/// The moment after the one that is marked.
pub fn next(mark: &Mark, reading: &Reading) -> Told {
    if is_unknown(mark, reading) {
        return begin_again(mark, reading);
    }
    if mark.boot == reading.boot {
        let mut mark = mark.clone();
        mark.time += reading.uptime.saturating_sub(mark.uptime);
        mark.uptime = mark.uptime.max(reading.uptime);
        // A clock that was set only now tells how long the machine was off.
        return if mark.trust == Trust::Late { tell_off(mark, reading, 0) } else { went_on(mark, reading) };
    }
    // The machine was off, or is another one. Only the wall clock tells for how long. This boot's own clock counted it all
    // where the machine started after the mark was made: on the same machine, and by the wall clock, too.
    let passed = reading.wall.0.saturating_sub(mark.time);
    let is_same = !mark.machine.is_empty() && mark.machine == reading.machine;
    let up = if is_same && reading.uptime <= passed { reading.uptime } else { 0 };
    let mut mark = Mark { uptime: reading.uptime, boot: reading.boot.clone(), ..mark.clone() };
    mark.machine.clone_from(&reading.machine);
    (mark.followed, mark.followed_since) = (0, reading.uptime);
    tell_off(mark, reading, up)
}

fn went_on(mut mark: Mark, reading: &Reading) -> Told {
    follow(&mut mark, reading);
    judge(mark, reading)
}

/// Whether the mark says less than the wall clock alone: it is of a clock that had lost its battery, or of one so far ahead
/// that no signature covers both.
fn is_unknown(mark: &Mark, reading: &Reading) -> bool {
    let is_early = mark.trust == Trust::Unknown || mark.time < EARLIEST.0;
    let is_far = mark.time > LATEST.0 && reading.wall >= EARLIEST && mark.time - COVERED_MAX > reading.wall.0;
    is_early || is_far
}

/// The wall clock is believed as at a first start, and no wait counts what came before.
fn begin_again(mark: &Mark, reading: &Reading) -> Told {
    let mut told = first(reading, UnixTime(0));
    told.mark.credited = mark.credited + told.mark.time.saturating_sub(mark.time);
    told
}

/// The time off, as the wall clock tells it, is believed within its budget; `up` seconds of it were counted.
fn tell_off(mut mark: Mark, reading: &Reading, up: Seconds) -> Told {
    let passed = reading.wall.0.saturating_sub(mark.time);
    let off = if is_reading(&mark, reading.wall) { passed.saturating_sub(up) } else { 0 };
    let room = BELIEVED_OFF_MAX.saturating_sub(mark.believed_off);
    let believed = if off > OFF_MAX { 0 } else { off.min(room) };
    let up = if off > OFF_MAX { 0 } else { up };
    mark.believed_off += believed;
    mark.credited += believed + up;
    mark.time += believed + up;
    let behind = mark.time.saturating_sub(reading.wall.0);
    mark.trust = if behind > DOUBTFUL || !is_reading(&mark, reading.wall) { Trust::Late } else { Trust::Counted };
    let is_told = mark.trust == Trust::Counted && off <= OFF_MAX;
    let mut told = judge(mark, reading);
    // Being late by time off is safe: no doubt stops anything for it.
    if is_told {
        told.note = told.doubt.take().or(told.note);
    }
    told
}

/// An operator has looked: the wall clock is right. Whether that can be is asked before ([`refuted`]).
pub fn confirm(mark: &Mark, reading: &Reading) -> Told {
    let credited = mark.credited + reading.wall.0.saturating_sub(mark.time);
    let seconds = |at: u64| i64::try_from(at).unwrap_or(i64::MAX);
    let by = seconds(mark.time) - seconds(reading.wall.0);
    let beside = (by.unsigned_abs() > DOUBTFUL).then_some(Beside { by, until: reading.wall.0 + BESIDE_FOR });
    let begun = begun(reading, reading.wall, Trust::Counted, credited);
    // Who confirms twice in a week is believed the second time, and what was counted before the first is gone.
    judge(Mark { beside, ..begun }, reading)
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

/// Whether a wall clock may be right, beside a moment that was counted.
fn is_reading(mark: &Mark, wall: UnixTime) -> bool {
    wall >= EARLIEST && wall.0.abs_diff(mark.time) <= COVERED_MAX
}

fn lag(ahead: Seconds) -> String {
    format!("the wall clock is {ahead} s ahead of what the server has counted")
}

/// A moment for people.
pub(in crate::roll) fn moment(at: UnixTime) -> String {
    let stamp = i64::try_from(at.0).ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
    stamp.map_or_else(|| format!("second {}", at.0), |stamp| stamp.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// Signatures cover the time that was counted before a person's word, too, where one signature can.
fn with_beside(mark: &Mark, low: UnixTime, high: UnixTime) -> (UnixTime, UnixTime) {
    let beside = mark.beside.filter(|beside| mark.time < beside.until);
    let Some(at) = beside.map(|beside| UnixTime(mark.time.saturating_add_signed(beside.by))) else {
        return (low, high);
    };
    let wide = (low.min(at), high.max(at));
    if at >= EARLIEST && wide.1.0 - wide.0.0 <= COVERED_MAX { wide } else { (low, high) }
}

fn judge(mark: Mark, reading: &Reading) -> Told {
    let time = UnixTime(mark.time);
    let wall = Some(reading.wall).filter(|wall| is_reading(&mark, *wall));
    let silence = (mark.trust == Trust::Unknown).then(|| {
        format!("no clock has told the time yet: the wall clock says {}, which cannot be", moment(reading.wall))
    });
    let low = wall.unwrap_or(time).min(time);
    let late = if mark.trust == Trust::Late { OFF_COVERED } else { 0 };
    let high = wall.unwrap_or(time).max(time.after(late));
    let (low, high) = with_beside(&mark, low, high);
    let (ahead, behind) = (reading.wall.0.saturating_sub(mark.time), mark.time.saturating_sub(reading.wall.0));
    let doubt = match (ahead, behind) {
        _ if silence.is_some() => silence.clone(),
        (0..=DOUBTFUL, 0..=DOUBTFUL) => None,
        (0, _) => Some(format!("the wall clock is {behind} s behind the time that has passed for certain")),
        (..) if mark.believed_off >= BELIEVED_OFF_MAX && wall.is_some() => None,
        (..) => Some(lag(ahead)),
    };
    let note = (ahead > DOUBTFUL && doubt.is_none()).then(|| lag(ahead));
    Told { time, low, high, wall, silence, doubt, note, mark }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_800_000_000;

    fn reading(wall: u64, uptime: u64, boot: &str) -> Reading {
        Reading { wall: UnixTime(wall), uptime, boot: boot.to_owned(), machine: "m".to_owned() }
    }

    /// Distances of two clocks that signatures must cover: seconds, hours, days, years, both ways.
    fn distances() -> Vec<i64> {
        let days = (-20_000..=20_000).step_by(50).map(|days| days * 86_400);
        let edges = [30, 31, 365, 400, 3650, 3651, 20_000].into_iter().flat_map(|days| [days * 86_400, -days * 86_400]);
        let seconds = edges.flat_map(|edge| (-2..=2).map(move |by| edge + by));
        days.chain(seconds).chain((-400..=400).step_by(7)).collect()
    }

    fn moved(time: u64, by: i64) -> u64 {
        u64::try_from(i64::try_from(time).expect("small") + by).expect("after 1970")
    }

    /// Whether signatures that cover what is told are good at a moment.
    fn covers(told: &Told, truth: u64) -> bool {
        told.silence.is_none() && (told.low.0 - DAY..=told.high.0 + 2 * DAY).contains(&truth)
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
        let late = UnixTime(START + OFF_COVERED);
        assert_eq!((told.time, told.low, told.high), (UnixTime(START), UnixTime(START), late), "how long it was off?");
        assert!(told.doubt.is_some() && told.wall.is_none());
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

    #[test]
    fn signatures_of_a_clock_that_was_wrong_at_the_first_start_cover_the_right_one_at_any_distance() {
        for by in distances() {
            let wrong = moved(START, by);
            let told = first(&reading(wrong, 100, "a"), UnixTime(0));
            for (boot, uptime) in [("a", 160), ("b", 10)] {
                let after = next(&told.mark, &reading(START + 60, uptime, boot));
                assert!(covers(&after, START + 60), "{by} s, boot {boot}: {after:?}");
                assert!(after.high.0 - after.low.0 <= COVERED_MAX + OFF_COVERED);
                let again = next(&after.mark, &reading(START + 120, uptime + 60, boot));
                assert!(covers(&again, START + 120), "{by} s, boot {boot}, a minute later: {again:?}");
            }
        }
    }

    #[test]
    fn a_wall_clock_that_jumps_leaves_signatures_good_by_the_time_that_was_counted() {
        let told = first(&reading(START, 100, "a"), UnixTime(0));
        for by in distances() {
            for (boot, uptime) in [("a", 160), ("b", 10)] {
                let jumped = next(&told.mark, &reading(moved(START + 60, by), uptime, boot));
                let late = 60 + DRIFT_A_DAY;
                assert!(covers(&jumped, START) && covers(&jumped, START + 60), "{by} s: {jumped:?}");
                assert!(boot == "b" || jumped.time.0 <= START + late, "{by} s: {jumped:?}");
                assert!(jumped.time.0 <= START + BELIEVED_OFF_MAX + late, "{by} s: {jumped:?}");
                let back = next(&jumped.mark, &reading(START + 120, uptime + 60, boot));
                assert!(covers(&back, START + 120), "{by} s and back: {back:?}");
            }
        }
    }

    #[test]
    fn a_clock_that_tells_an_impossible_time_at_the_first_start_is_not_signed_by() {
        for wall in [0, 60, 65_000_000, EARLIEST.0 - 100, LATEST.0 + 1, 1 << 32, 5_000_000_000] {
            let told = first(&reading(wall, 5, "a"), UnixTime(0));
            assert!(told.silence.is_some() && told.doubt == told.silence, "{wall}: {told:?}");
            let told = next(&told.mark, &reading(wall + 3, 8, "a"));
            assert!(told.silence.is_some(), "{wall}: it does not end by itself");
            for boot in ["a", "b"] {
                let set = next(&told.mark, &reading(START, 10, boot));
                assert_eq!((set.time, &set.silence, &set.doubt), (UnixTime(START), &None, &None), "{wall}");
                assert_eq!(set.mark.credited, START - EARLIEST.0, "no wait counts it");
            }
        }
    }

    #[test]
    fn marks_of_a_time_that_cannot_be_are_replaced_by_the_wall_clock() {
        let good = first(&reading(START, 100, "a"), UnixTime(0)).mark;
        for time in [70, EARLIEST.0 - 1, START + COVERED_MAX + 400 * DAY] {
            let mark = Mark { time, ..good.clone() };
            let told = next(&mark, &reading(START, 160, "a"));
            assert_eq!((told.time, told.silence), (UnixTime(START), None), "{time}");
        }
    }

    #[test]
    fn a_clock_that_is_set_after_a_start_without_battery_tells_how_long_the_machine_was_off() {
        let told = first(&reading(START, 100, "a"), UnixTime(0));
        let told = next(&told.mark, &reading(5, 5, "b"));
        assert_eq!(told.mark.trust, Trust::Late);
        let told = next(&told.mark, &reading(START + 3600, 35, "b"));
        assert_eq!((told.time, told.doubt, told.note), (UnixTime(START + 3600), None, None));
        assert_eq!(told.mark.credited, 3600 - 30);
    }

    #[test]
    fn on_another_machine_no_more_than_twelve_hours_are_believed_whatever_its_uptime() {
        let told = first(&reading(START, 100, "a"), UnixTime(0));
        let elsewhere = |uptime, machine: &str| {
            let machine = machine.to_owned();
            next(&told.mark, &Reading { machine, ..reading(START + 10 * DAY, uptime, "b") })
        };
        for (uptime, machine) in [(100 * DAY, "m"), (100 * DAY, "other"), (9 * DAY, "other"), (9 * DAY, "")] {
            let told = elsewhere(uptime, machine);
            assert_eq!(told.time, UnixTime(START + BELIEVED_OFF_MAX), "{uptime} s on `{machine}`");
            assert_eq!((told.low, told.high), (told.time, UnixTime(START + 10 * DAY)), "signatures cover both");
            assert_eq!(told.mark.credited, BELIEVED_OFF_MAX);
        }
        // The same machine that was started again after the mark has counted its uptime.
        assert_eq!(elsewhere(9 * DAY, "m").time, UnixTime(START + 9 * DAY + BELIEVED_OFF_MAX));
    }

    #[test]
    fn a_mistaken_word_about_the_clock_leaves_signatures_good_by_the_time_before_it_for_a_week() {
        for by in distances() {
            let told = first(&reading(START, 100, "a"), UnixTime(0));
            let wrong = confirm(&told.mark, &reading(moved(START, by), 100, "a"));
            assert_eq!((wrong.time, &wrong.doubt), (UnixTime(moved(START, by)), &None));
            if wrong.time < EARLIEST {
                continue;
            }
            for (later, boot) in [(6, "a"), (6 * DAY, "a"), (5, "b")] {
                let uptime = if boot == "a" { 100 + later } else { later };
                let after = next(&wrong.mark, &reading(moved(START + later, by), uptime, boot));
                assert!(covers(&after, START + later), "{by} s, {later} s later: {after:?}");
                let right = next(&after.mark, &reading(START + later + 5, uptime + 5, boot));
                assert!(covers(&right, START + later + 5), "{by} s, set right {later} s later: {right:?}");
            }
            let after = next(&wrong.mark, &reading(moved(START + 8 * DAY, by), 100 + 8 * DAY, "a"));
            assert_eq!((after.low, after.high), (after.time, after.time), "{by} s");
        }
    }

    #[test]
    fn a_start_takes_nothing_for_time_off_that_facts_show_to_have_been_counted() {
        // The mark is 50 s old, a fact 5 s; then the machine is off for 280 s.
        let mark = first(&reading(START, 100, "a"), UnixTime(0)).mark;
        let told = start(&mark, &reading(START + 330, 10, "b"), UnixTime(START + 45));
        assert_eq!((told.time, told.mark.credited), (UnixTime(START + 330), 285));
        // Within one boot nothing is off.
        let told = start(&mark, &reading(START + 60, 160, "a"), UnixTime(START + 45));
        assert_eq!((told.time, told.mark.credited), (UnixTime(START + 60), 0));
        // Facts of a time when the clock was wrong do not bring that time back.
        let told = start(&mark, &reading(START + 330, 10, "b"), UnixTime(START + 10 * DAY));
        assert_eq!(told.time, UnixTime(START + 330));
    }

    #[test]
    fn many_starts_with_small_steps_are_believed_twelve_hours_in_all() {
        let mut told = first(&reading(START, 100, "a"), UnixTime(0));
        for start in 1..=40u64 {
            let boot = start.to_string();
            told = next(&told.mark, &reading(START + start * 2 * 3600, 10, &boot));
        }
        assert!(told.time.0 <= START + BELIEVED_OFF_MAX + 400, "{told:?}");
        assert!(covers(&told, START + 400) && covers(&told, START + 80 * 3600));
    }
}
