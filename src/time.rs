//! Moments and spans as DNSSEC counts them: seconds, serial arithmetic, signature windows.
//!
//! This is the only module that reads a clock, in [`now`], [`steer`], [`wall`], [`steady`] and [`Now::read`], and
//! only shells call those.

use rustix::time::{ClockId, clock_gettime};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment: seconds since 1970-01-01 UTC, without leap seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub u64);

/// A span in whole seconds.
pub type Seconds = u64;

/// Where the monotonic clock of this process begins, for [`BASE_MILLIS`].
static BEGIN: OnceLock<Instant> = OnceLock::new();
/// The signing clock where the monotonic one began, in milliseconds since 1970 and never below zero; 0: not steered yet.
static BASE_MILLIS: AtomicU64 = AtomicU64::new(0);
/// By less than this the signing clock is never set back: twice what readings in whole seconds can differ.
const SETTLING_MILLIS: u64 = 2000;

/// The signing clock: it advances with the monotonic clock from where [`steer`] set it, so that no jump of the wall clock
/// reaches a signature or a wait. Before it is steered, in commands, it is the wall clock. Shells call it once a batch or
/// an event; pure code takes the moment as an argument.
pub fn now() -> UnixTime {
    match BASE_MILLIS.load(Ordering::Acquire) {
        0 => wall(),
        base => UnixTime(base.saturating_add(running_millis()) / 1000),
    }
}

/// Sets the signing clock, which goes on from here; its keeper calls this, and only that.
pub fn steer(to: UnixTime) {
    BASE_MILLIS
        .store(steered(BASE_MILLIS.load(Ordering::Acquire), to, running_millis(), wall_millis()), Ordering::Release);
}

/// The base from which the clock says `to` now. Where the wall clock says the same second, or the one beside it, its
/// fraction is taken from there. What is earlier by less than [`SETTLING_MILLIS`] changes nothing, so that the clock never
/// runs back by the part of a second that whole seconds hide.
fn steered(before: u64, to: UnixTime, running: u64, wall: u64) -> u64 {
    let is_wall = (wall / 1000).abs_diff(to.0) <= 1;
    let to = if is_wall { wall } else { to.0.saturating_mul(1000) };
    // 1 where this is nearer to 1970 than the process is old: late by that, and steered for good.
    let base = to.saturating_sub(running).max(1);
    if base < before && before - base < SETTLING_MILLIS { before } else { base }
}

/// The wall clock.
pub fn wall() -> UnixTime {
    UnixTime(wall_millis() / 1000)
}

/// The monotonic clock, for timers, deadlines and pauses: threads with a loop of their own read it once a turn.
#[inline]
pub fn steady() -> Instant {
    Instant::now()
}

/// Seconds since this machine started, with the time that it slept (CLOCK_BOOTTIME, clock_gettime(2)).
fn uptime() -> Seconds {
    u64::try_from(clock_gettime(ClockId::Boottime).tv_sec).unwrap_or(0)
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn wall_millis() -> u64 {
    u64::try_from(since_1970().as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds of the monotonic clock since it was asked first.
fn running_millis() -> u64 {
    u64::try_from(BEGIN.get_or_init(steady).elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// One moment by all clocks: the loop reads them once a turn, and hands them down, so that what happens in a turn happens at
/// one moment, and can be told to happen at any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// The monotonic clock: timers and pauses go by it.
    pub steady: Instant,
    /// The signing clock: facts, waits and signatures go by it.
    pub signing: UnixTime,
    /// The wall clock: people, certificates and files go by it.
    pub wall: UnixTime,
    /// Nanoseconds of the wall clock beyond its second: the times of files are that fine.
    pub wall_nanos: u32,
    /// Seconds since the machine started: they go on while a process does not run.
    pub uptime: Seconds,
}

impl Now {
    /// What the clocks say.
    pub fn read() -> Now {
        let since = since_1970();
        let wall = UnixTime(since.as_secs());
        let signing = match BASE_MILLIS.load(Ordering::Acquire) {
            0 => wall,
            _ => now(),
        };
        Now { steady: steady(), signing, wall, wall_nanos: since.subsec_nanos(), uptime: uptime() }
    }

    /// A moment that somebody makes up: the machine just started, and both clocks in seconds say the same.
    pub fn at(steady: Instant, both: UnixTime) -> Now {
        Now { steady, signing: both, wall: both, wall_nanos: 0, uptime: 0 }
    }

    /// The moment `span` later on all clocks. The signing clock has no fraction of its own, and goes on by the seconds of
    /// the wall clock.
    pub fn after(self, span: Duration) -> Now {
        let wall = Duration::new(self.wall.0, self.wall_nanos).saturating_add(span);
        let seconds = wall.as_secs().saturating_sub(self.wall.0);
        Now {
            steady: self.steady + span,
            signing: self.signing.after(seconds),
            wall: UnixTime(wall.as_secs()),
            wall_nanos: wall.subsec_nanos(),
            uptime: self.uptime.saturating_add(seconds),
        }
    }

    /// The same moment after the signing clock was set as [`steer`] sets it: what is earlier by the part of a second that
    /// whole seconds hide changes nothing.
    pub fn steered(self, to: UnixTime) -> Now {
        let back = self.signing.0.saturating_sub(to.0);
        if (1..SETTLING_MILLIS / 1000).contains(&back) { self } else { Now { signing: to, ..self } }
    }

    /// The wall clock as the times of files are told.
    pub fn file_time(self) -> SystemTime {
        UNIX_EPOCH.checked_add(Duration::new(self.wall.0, self.wall_nanos)).unwrap_or(UNIX_EPOCH)
    }
}

/// Both clocks at one moment. Facts, waits and our own signatures go by the signing clock; people, programs that read
/// reports, certificates, and the signatures of others go by the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// The signing clock.
    pub signing: UnixTime,
    /// The wall clock, or the signing clock again where that is no reading.
    pub wall: UnixTime,
}

impl Clocks {
    /// Clocks of which the wall clock says `ahead` seconds more than the signing clock, or less where that is negative.
    pub fn apart(signing: UnixTime, ahead: i64) -> Clocks {
        Clocks { signing, wall: UnixTime(signing.0.saturating_add_signed(ahead)) }
    }

    /// What the wall clock says at a moment of the signing clock, if both go on as they do now.
    pub fn by_wall(self, at: UnixTime) -> UnixTime {
        match self.wall >= self.signing {
            true => at.after(self.wall.0 - self.signing.0),
            false => at.before(self.signing.0 - self.wall.0),
        }
    }
}

impl From<UnixTime> for Clocks {
    fn from(now: UnixTime) -> Clocks {
        Clocks { signing: now, wall: now }
    }
}

impl UnixTime {
    /// The moment `span` seconds later.
    pub fn after(self, span: Seconds) -> UnixTime {
        UnixTime(self.0.saturating_add(span))
    }

    /// The moment `span` seconds earlier, never before 1970.
    pub fn before(self, span: Seconds) -> UnixTime {
        UnixTime(self.0.saturating_sub(span))
    }

    /// The 32 bits that RRSIG carries (RFC 4034 § 3.1.5); they wrap in 2106 and are compared by [`serial_less`].
    pub fn rrsig(self) -> u32 {
        (self.0 & 0xffff_ffff) as u32
    }
}

/// Whether serial `a` is before `b` (RFC 1982 § 3.2).
pub fn serial_less(a: u32, b: u32) -> bool {
    a != b && b.wrapping_sub(a) < 0x8000_0000
}

/// When signatures begin and end: the same for all signatures whose phase and grid cell are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignaturePolicy {
    /// Time left when made, at most. The grid takes off up to one cell.
    pub life: Seconds,
    /// Width of a grid cell; at least 1.
    pub grid: Seconds,
    /// How far before its making a signature begins, for validators whose clocks are slow (RFC 6781 § 4.4.2).
    pub inception_before: Seconds,
}

/// One signature window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Number of the grid cell; equal numbers and phases mean equal windows.
    pub cell: u32,
    /// First second of validity.
    pub inception: UnixTime,
    /// Last second of validity.
    pub expiration: UnixTime,
}

impl SignaturePolicy {
    /// The window for a signature made at `now` by a name with this `phase`: every name moves to its next window at
    /// its own moment of the grid, so refreshes never bunch.
    pub fn window(&self, now: UnixTime, phase: u32) -> Window {
        let grid = self.grid.max(1);
        let offset = u64::from(phase) % grid;
        let cell = (now.0 + offset) / grid;
        let start = UnixTime((cell * grid).saturating_sub(offset));
        Window {
            cell: (cell & 0xffff_ffff) as u32,
            inception: start.before(self.inception_before),
            expiration: start.after(self.life),
        }
    }

    /// How long after a window's end of cell its signature may still be served while the background pass replaces it.
    pub fn grace(&self) -> Seconds {
        self.grid / 12
    }
}

/// `90d`, `12h`, `30m`, `10s`, `1d12h` or bare seconds, as the configuration and master files write spans.
///
/// # Errors
/// A text that says what is wrong and which units exist.
pub fn parse_span(text: &str) -> Result<Seconds, String> {
    let fault =
        || format!("`{text}` is not a span of time: write a number with w, d, h, m or s, as in `12h` or `1d12h`");
    if text.is_empty() {
        return Err(fault());
    }
    let (mut total, mut number) = (0u64, None::<u64>);
    for c in text.chars() {
        let scale = match c.to_ascii_lowercase() {
            '0'..='9' => {
                let digit = u64::from(c as u32 - '0' as u32);
                number =
                    Some(number.unwrap_or(0).checked_mul(10).and_then(|n| n.checked_add(digit)).ok_or_else(fault)?);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(fault()),
        };
        let part = number.take().and_then(|n| n.checked_mul(scale)).ok_or_else(fault)?;
        total = total.checked_add(part).ok_or_else(fault)?;
    }
    total.checked_add(number.unwrap_or(0)).ok_or_else(fault)
}

/// The shortest form that [`parse_span`] reads back.
pub fn print_span(span: Seconds) -> String {
    let mut text = String::new();
    let mut left = span;
    for (unit, scale) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
        if left / scale > 0 {
            text.push_str(&format!("{}{unit}", left / scale));
            left %= scale;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: SignaturePolicy = SignaturePolicy { life: 3 * 86_400, grid: 12 * 3600, inception_before: 86_400 };

    #[test]
    fn a_signature_has_two_and_a_half_to_three_days_left_and_began_a_day_ago() {
        for step in 0..2000u64 {
            let now = UnixTime(1_800_000_000 + step * 61);
            let window = DATA.window(now, 7919 * step as u32);
            let left = window.expiration.0 - now.0;
            assert!((2 * 86_400 + 43_200..=3 * 86_400).contains(&left), "{left}");
            assert!(window.inception.0 + 86_400 <= now.0);
            assert!(window.expiration.0 - window.inception.0 <= 5 * 86_400, "RRSIG bounds of a zone's data");
        }
    }

    #[test]
    fn names_with_other_phases_move_at_other_moments() {
        let moves = |phase| {
            (0..43_200u64).find(|s| {
                DATA.window(UnixTime(1_800_000_000 + s), phase).cell
                    != DATA.window(UnixTime(1_800_000_001 + s), phase).cell
            })
        };
        assert_ne!(moves(1), moves(20_000));
    }

    #[test]
    fn the_signing_clock_goes_where_it_is_steered_and_never_back_by_parts_of_seconds() {
        let (wall, running) = (1_800_000_000_700, 5_000);
        let base = wall - running;
        let second = UnixTime(wall / 1000);
        assert_eq!(steered(0, second, running, wall), base, "with the fraction of the wall clock");
        assert_eq!(steered(base, second.after(1), running + 400, wall + 400), base, "on across a second");
        assert_eq!(steered(base, second.before(1), running, wall - 900), base, "never back by a part of a second");
        assert_eq!(steered(base, second.before(1), running + 1000, wall), base);
        assert_eq!(steered(base, second.after(5), running, wall), (second.0 + 5) * 1000 - running, "forward at once");
        assert_eq!(steered(base, second.before(5), running, wall), (second.0 - 5) * 1000 - running, "its keeper may");
        assert_eq!(steered(0, UnixTime(3), running, wall), 1, "in 1970 it is steered too");
    }

    #[test]
    fn a_moment_is_steered_as_the_clock_is() {
        let now = Now::at(steady(), UnixTime(100));
        let steered = |to| now.steered(UnixTime(to)).signing.0;
        assert_eq!([99, 100, 101, 90, 98].map(steered), [100, 100, 101, 90, 98]);
        assert_eq!(now.steered(UnixTime(7)).wall, now.wall);
    }

    #[test]
    fn a_moment_goes_on_by_all_clocks_and_keeps_fractions() {
        let begin = Now { signing: UnixTime(90), ..Now::at(steady(), UnixTime(100)) };
        let span = Duration::from_millis(600);
        let (one, two) = (begin.after(span), begin.after(span).after(span));
        assert_eq!((one.wall, one.signing, one.wall_nanos), (UnixTime(100), UnixTime(90), 600_000_000));
        assert_eq!((two.wall, two.signing, two.wall_nanos), (UnixTime(101), UnixTime(91), 200_000_000));
        assert_eq!(two.uptime, 1);
        assert_eq!(two, begin.after(span * 2));
        assert_eq!(two.steady, begin.steady + span * 2);
        assert_eq!(two.file_time(), UNIX_EPOCH + Duration::from_millis(101_200));
    }

    #[test]
    fn spans_are_read_and_printed() {
        assert_eq!(parse_span("1d12h"), Ok(129_600));
        assert_eq!(parse_span("90"), Ok(90));
        assert_eq!(parse_span("2w"), Ok(1_209_600));
        assert_eq!(print_span(129_600), "1d12h");
        for bad in ["", "h", "1y", "-1s", "99999999999999999999d", "1.5h"] {
            assert!(parse_span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn serials_wrap() {
        assert!(serial_less(0xffff_ffff, 0));
        assert!(!serial_less(0, 0));
        assert!(serial_less(1, 0x8000_0000));
    }
}
