//! The signing clock of this machine: what the clocks say, what was believed before, and the mark between two starts.
//!
//! It decides nothing: [`crate::roll::clock`] judges the readings. It reads no clock and steers none: whoever keeps
//! [`crate::time::now`] sets it by what is told here. It never stops for a disk that refuses the mark: then the next start knows
//! less and waits longer.

use crate::diagnostic::{Diagnostic, Place};
use crate::process::machine;
use crate::roll::clock::{self, Mark, Reading, Told};
use crate::store::durable::Disk;
use crate::store::kept::{Found, Kept};
use crate::time::{Now, Seconds, UnixTime};
use std::path::Path;
use std::sync::Arc;

/// The file of the mark in `keys/`. No zone's folder begins with a dot.
pub const CLOCK_NAME: &str = ".clock";
/// How often the mark is written: after a power cut the clock is late by this much at most, where the wall clock is wrong.
const KEPT_EVERY: Seconds = 60;
/// Octets of the file, at most: ten times a mark.
const MARK_OCTETS_MAX: usize = 4096;

/// The clock and its mark.
pub struct SigningClock {
    disk: Arc<Disk>,
    file: Kept,
    boot: String,
    machine: String,
    mark: Mark,
    /// Uptime when the mark was last written, or was to be; none: it is due.
    kept: Option<Seconds>,
    /// Whether it may be written: not into a folder that another server uses now.
    pub may_keep: bool,
    damaged: Option<String>,
    unkept: Option<String>,
}

impl SigningClock {
    /// Goes on from the mark in `keys`, or from the wall clock where there is none that can be believed, and then never
    /// before `least`.
    /// `corrected` is what zones have recorded of its corrections: where the mark is lost, its credit goes on from there.
    pub fn start(keys: &Path, disk: Arc<Disk>, least: UnixTime, corrected: Seconds, now: Now) -> (SigningClock, Told) {
        let now = reading(&machine::boot(), &machine::machine(), now);
        SigningClock::start_at(keys, disk, least, corrected, now)
    }

    fn start_at(
        keys: &Path,
        disk: Arc<Disk>,
        least: UnixTime,
        corrected: Seconds,
        now: Reading,
    ) -> (SigningClock, Told) {
        let mut file = file(keys);
        let (mark, damaged) = match read(&mut file) {
            Ok((mark, flaw)) => (mark, flaw),
            Err(reason) => (None, Some(format!("{reason}: time goes on from the wall clock"))),
        };
        let before = mark.as_ref().map_or(0, |mark| mark.credited);
        let mut told = mark.map_or_else(|| clock::first(&now, least), |mark| clock::start(&mark, &now, least));
        let credit = told.mark.credited.saturating_sub(before);
        // What this start could not count comes on top of all that was recorded or marked before.
        told.mark.credited = before.max(corrected) + credit;
        let mark = told.mark.clone();
        let mut clock = SigningClock {
            disk,
            file,
            boot: now.boot,
            machine: now.machine,
            mark,
            kept: None,
            may_keep: true,
            damaged,
            unkept: None,
        };
        clock.take(&told);
        (clock, told)
    }

    /// Seconds of its time that no clock counted, in all.
    pub fn credited(&self) -> Seconds {
        self.mark.credited
    }

    /// The moment now. Call it every few seconds: between two calls time goes by the monotonic clock alone.
    pub fn tick(&mut self, now: Now) -> Told {
        self.tick_at(&reading(&self.boot, &self.machine, now))
    }

    fn tick_at(&mut self, now: &Reading) -> Told {
        let told = clock::next(&self.mark, now);
        self.take(&told);
        told
    }

    /// An operator has looked, and the wall clock is right.
    pub fn confirm(&mut self, now: Now) -> Told {
        self.confirm_at(&reading(&self.boot, &self.machine, now))
    }

    fn confirm_at(&mut self, now: &Reading) -> Told {
        let told = clock::confirm(&self.mark, now);
        self.kept = None;
        self.take(&told);
        told
    }

    /// What an operator should know about the mark. Nothing stops for it.
    pub fn findings(&self) -> Vec<Diagnostic> {
        let place = || Place::file(self.file.path().display().to_string());
        let damaged = self.damaged.iter().map(|reason| {
            let message = format!("the mark of the clock is damaged: {reason}");
            let help = "check that the wall clock is right, and find out who damaged the file; it is written anew";
            Diagnostic::warning("MX5023", place(), message, help)
        });
        let unkept = self.unkept.iter().map(|reason| {
            let help = "repair this: a start before that knows less about the time, and waits longer";
            Diagnostic::warning("MX5024", place(), format!("the mark of the clock is not kept: {reason}"), help)
        });
        damaged.chain(unkept).collect()
    }

    fn take(&mut self, told: &Told) {
        self.mark = told.mark.clone();
        if !self.may_keep || self.kept.is_some_and(|kept| self.mark.uptime < kept + KEPT_EVERY) {
            return;
        }
        // Also after a failure: a full disk is not asked again at each tick.
        self.kept = Some(self.mark.uptime);
        let written = self.file.write(&self.disk, &encode(&self.mark));
        self.unkept = written.err().map(|fault| fault.to_string());
    }
}

/// One line like those of a journal: the CRC-32 of the rest, a space, JSON.
fn encode(mark: &Mark) -> String {
    // Numbers and text with fixed keys, for which serde_json cannot fail.
    let json = serde_json::to_string(mark).unwrap_or_default();
    format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()))
}

/// The file of the mark and its copy.
fn file(keys: &Path) -> Kept {
    Kept::new(keys.join(CLOCK_NAME), "the mark of the clock".to_owned(), MARK_OCTETS_MAX)
}

/// The mark, none where there is neither file, and what is wrong with one of the two while the other counts.
///
/// # Errors
/// Why it cannot be believed.
fn read(file: &mut Kept) -> Result<(Option<Mark>, Option<String>), String> {
    match file.read() {
        Found::Nothing => Ok((None, None)),
        Found::Lost(reason) => Err(reason),
        Found::Whole { text, flaws } => {
            let other = (!flaws.is_empty()).then(|| format!("{}; the other file counts", flaws.join("; ")));
            Ok((Some(decode(&text)?), other))
        }
    }
}

/// The mark in a line, as it was also kept before it had a copy.
fn decode(text: &str) -> Result<Mark, String> {
    let (head, json) = text.trim_end_matches('\n').split_once(' ').ok_or("it is not a checksum and a mark")?;
    if head != format!("{:08x}", crc32fast::hash(json.as_bytes())) {
        return Err("its checksum does not fit".to_owned());
    }
    serde_json::from_str(json).map_err(|fault| fault.to_string())
}

fn reading(boot: &str, machine: &str, now: Now) -> Reading {
    Reading { wall: now.wall, uptime: now.uptime, boot: boot.to_owned(), machine: machine.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time;
    use std::sync::atomic::{AtomicBool, Ordering};

    const START: u64 = 1_800_000_000;

    fn reading_of(wall: u64, uptime: u64, boot: &str) -> Reading {
        Reading { wall: UnixTime(wall), uptime, boot: boot.to_owned(), machine: "m".to_owned() }
    }

    /// The moment told at a start with these readings.
    fn started(keys: &Path, least: u64, now: Reading) -> (SigningClock, Told) {
        SigningClock::start_at(keys, Arc::default(), UnixTime(least), 0, now)
    }

    #[test]
    fn a_restart_goes_on_from_the_mark_and_never_before_the_newest_fact() {
        let keys = tempfile::tempdir().expect("a folder");
        let (mut clock, told) = started(keys.path(), 0, reading_of(START, 100, "a"));
        assert_eq!((told.time, clock.findings().len()), (UnixTime(START), 0));
        assert_eq!(clock.tick_at(&reading_of(START + 90, 190, "a")).time, UnixTime(START + 90));
        drop(clock);
        let (_, told) = started(keys.path(), 0, reading_of(5, 200, "a"));
        assert_eq!(told.time, UnixTime(START + 100), "the same boot, and a wall clock that jumped");
        let (_, told) = started(keys.path(), START + 150, reading_of(5, 5, "b"));
        assert_eq!(told.time, UnixTime(START + 150), "another boot, in 1970");
        assert!(told.doubt.is_some());
    }

    #[test]
    fn the_mark_is_written_at_most_once_a_minute_and_at_once_when_confirmed() {
        let keys = tempfile::tempdir().expect("a folder");
        let (mut clock, _) = started(keys.path(), 0, reading_of(START, 100, "a"));
        let time = || read(&mut file(keys.path())).expect("good").0.expect("there").time;
        clock.tick_at(&reading_of(START + 59, 159, "a"));
        assert_eq!(time(), START);
        clock.tick_at(&reading_of(START + 60, 160, "a"));
        assert_eq!(time(), START + 60);
        let told = clock.confirm_at(&reading_of(START + 9000, 161, "a"));
        assert_eq!((told.time, time()), (UnixTime(START + 9000), START + 9000));
    }

    /// The file as it is, with each of its octets changed, cut to nothing, too long, and no text.
    fn damages(path: &Path) -> Vec<Vec<u8>> {
        let whole = std::fs::read(path).expect("read");
        let flips = (0..whole.len() - 1).map(|at| {
            let mut octets = whole.clone();
            octets[at] ^= 1;
            octets
        });
        flips.chain([Vec::new(), vec![b'x'; MARK_OCTETS_MAX + 1], vec![0xff; 9]]).collect()
    }

    #[test]
    fn while_one_of_its_two_files_is_good_the_mark_counts_and_the_other_is_reported() {
        for name in [CLOCK_NAME, "copy/.clock"] {
            let keys = tempfile::tempdir().expect("a folder");
            drop(started(keys.path(), 0, reading_of(START, 100, "a")));
            let path = keys.path().join(name);
            for octets in damages(&path) {
                std::fs::write(&path, &octets).expect("written");
                let (clock, told) = started(keys.path(), 0, reading_of(9, 9, "b"));
                assert_eq!(told.time, UnixTime(START), "{}", String::from_utf8_lossy(&octets));
                assert!(clock.findings().iter().any(|finding| finding.code == "MX5023"));
                assert!(read(&mut file(keys.path())).is_ok_and(|(mark, flaw)| mark.is_some() && flaw.is_none()));
            }
        }
    }

    #[test]
    fn a_mark_whose_two_files_are_damaged_is_reported_and_written_anew() {
        let keys = tempfile::tempdir().expect("a folder");
        drop(started(keys.path(), 0, reading_of(START, 100, "a")));
        let paths = [CLOCK_NAME, "copy/.clock"].map(|name| keys.path().join(name));
        for octets in damages(&paths[0]) {
            paths.iter().for_each(|path| std::fs::write(path, &octets).expect("written"));
            let (clock, told) = started(keys.path(), START + 7, reading_of(9, 9, "b"));
            assert_eq!((told.time, clock.findings().len()), (UnixTime(START + 7), 1));
            assert!(clock.findings().iter().all(|finding| finding.message.contains("from the wall clock")));
            let kept = read(&mut file(keys.path())).expect("good").0.expect("there");
            assert_eq!(kept.time, START + 7);
        }
    }

    #[test]
    fn a_mark_of_before_it_had_a_copy_is_taken_and_gets_one() {
        let keys = tempfile::tempdir().expect("a folder");
        let (clock, _) = started(keys.path(), 0, reading_of(START, 100, "a"));
        let line = encode(&clock.mark);
        std::fs::remove_dir_all(keys.path().join("copy")).expect("removed");
        std::fs::write(keys.path().join(CLOCK_NAME), line).expect("written");
        let (clock, told) = started(keys.path(), 0, reading_of(5, 200, "a"));
        assert_eq!((told.time, clock.findings().len()), (UnixTime(START + 100), 0));
        assert!(keys.path().join("copy/.clock").exists());
    }

    #[test]
    fn a_disk_that_refuses_the_mark_is_reported_and_time_goes_on() {
        let keys = tempfile::tempdir().expect("a folder");
        let full = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&full);
        let failpoint = Box::new(move |_, _: &Path| match asked.load(Ordering::Relaxed) {
            true => Err(std::io::Error::from_raw_os_error(libc::ENOSPC)),
            false => Ok(()),
        });
        let disk = Arc::new(Disk::with_failpoint(failpoint));
        let (mut clock, told) = SigningClock::start_at(keys.path(), disk, UnixTime(0), 0, reading_of(START, 100, "a"));
        assert_eq!((told.time, clock.findings().len()), (UnixTime(START), 1));
        full.store(false, Ordering::Relaxed);
        assert_eq!(clock.tick_at(&reading_of(START + 60, 160, "a")).time, UnixTime(START + 60));
        assert!(clock.findings().is_empty());
    }

    #[test]
    fn what_no_clock_counted_comes_on_top_of_all_that_zones_have_recorded() {
        let keys = tempfile::tempdir().expect("a folder");
        let start = |least: u64, corrected, now| {
            SigningClock::start_at(keys.path(), Arc::default(), UnixTime(least), corrected, now).0.credited()
        };
        // The mark is lost: twelve days since the newest fact, beside the ten that zones have recorded before.
        let day = 86_400;
        assert_eq!(start(START, 10 * day, reading_of(START + 12 * day, 100, "a")), 22 * day);
        // It is there: nothing new.
        assert_eq!(start(START, 10 * day, reading_of(START + 12 * day + 60, 160, "a")), 22 * day);
        // Another machine with a long uptime: nothing of that was counted since the mark, so no more than half a day is believed.
        assert_eq!(start(START, 22 * day, reading_of(START + 14 * day, 100 * day, "b")), 22 * day + day / 2);
    }

    #[test]
    fn facts_of_a_time_when_the_clock_was_far_ahead_do_not_bring_that_time_back() {
        let keys = tempfile::tempdir().expect("a folder");
        let start = |least, now| SigningClock::start_at(keys.path(), Arc::default(), UnixTime(least), 0, now).1.time;
        assert_eq!(start(0, reading_of(START, 100, "a")), UnixTime(START));
        let year_ahead = START + 365 * 86_400;
        assert_eq!(start(year_ahead, reading_of(START + 60, 160, "a")), UnixTime(START + 60));
        assert_eq!(
            start(START + 90, reading_of(START + 70, 170, "a")),
            UnixTime(START + 90),
            "a mark that is just late"
        );
    }

    #[test]
    fn the_clocks_of_this_machine_are_read() {
        let keys = tempfile::tempdir().expect("a folder");
        let before = Now::read();
        let (mut clock, told) = SigningClock::start(keys.path(), Arc::default(), UnixTime(0), 0, before);
        assert_eq!(told.time, before.wall);
        assert!(before.uptime > 0 && !clock.boot.is_empty() && machine::boot() == clock.boot);
        assert!(clock.tick(Now::read()).time >= told.time);
        time::steer(told.time);
        assert!((told.time..=time::wall().after(1)).contains(&time::now()), "the time of the process goes by it");
    }

    #[test]
    fn in_a_time_that_is_made_up_the_clock_goes_on_by_it() {
        let keys = tempfile::tempdir().expect("a folder");
        let begin = Now::at(time::steady(), UnixTime(START));
        let (mut clock, told) = SigningClock::start(keys.path(), Arc::default(), UnixTime(0), 0, begin);
        let day = std::time::Duration::from_secs(86_400);
        assert_eq!((told.time, clock.tick(begin.after(day)).time), (UnixTime(START), UnixTime(START + 86_400)));
        let jumped = Now { wall: UnixTime(5), ..begin.after(day * 2) };
        assert_eq!(clock.tick(jumped).time, UnixTime(START + 2 * 86_400), "the wall clock jumped");
    }
}
