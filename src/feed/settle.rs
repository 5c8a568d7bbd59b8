//! When a change of a file is believed: at once where its writer has finished, else after 200 ms of quiet.
//!
//! It never believes a file before a writer that was heard of has closed it. Pure: events are hints, identities are
//! observations, moments are arguments. An identity alone is never trusted while its timestamps are so young that a second
//! change could hide in the same tick of the file system's clock.

use crate::time::Now;
use std::time::{Duration, Instant, SystemTime};

/// How long size and times of a file must stay as they are until a change without a finished writer is believed, and how
/// long a file must be absent until it is gone. Editors and shells write or replace a small file within a few ms.
pub const SETTLE: Duration = Duration::from_millis(200);
/// A file that only grows is taken as it is after this long, since a log that never pauses would never be read.
pub const GROWING_MAX: Duration = Duration::from_secs(5);
/// How long somebody may have a file open for writing until that is a trouble: copies over a network and slow generators end
/// sooner.
pub const HELD_MAX: Duration = Duration::from_secs(60);
/// Removals are delivered together once none came for [`SETTLE`], but after this long at the latest.
pub const REMOVALS_MAX: Duration = Duration::from_secs(2);
/// Timestamps younger than this cannot tell two changes apart: file systems count in ticks of up to two seconds (FAT).
pub const RACY: Duration = Duration::from_secs(2);

/// A moment on both clocks: the steady one for waiting, the wall for comparing with the times of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Never jumps.
    pub steady: Instant,
    /// May jump.
    pub wall: SystemTime,
}

impl Moment {
    /// The moment `span` later on both clocks.
    pub fn after(self, span: Duration) -> Moment {
        Moment { steady: self.steady + span, wall: self.wall + span }
    }
}

impl From<Now> for Moment {
    fn from(now: Now) -> Moment {
        Moment { steady: now.steady, wall: now.file_time() }
    }
}

/// What an event said about a path. It is never proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hint {
    /// No event: a scan found it.
    #[default]
    None,
    /// Something happened; a writer may be at work, or the name may be gone.
    Touched,
    /// A writer wrote, and has it open as far as is known (IN_MODIFY).
    Written,
    /// A writer closed it (IN_CLOSE_WRITE).
    Closed,
    /// It was renamed to this name, hence whole (IN_MOVED_TO).
    Placed,
}

/// What `stat` says that changes whenever the content changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Device and inode.
    pub inode: (u64, u64),
    /// Octets.
    pub size: u64,
    /// Last change of content: seconds and nanoseconds.
    pub mtime: (i64, i64),
    /// Last change of content or attributes; nobody can set it back.
    pub ctime: (i64, i64),
}

/// What was known about the file when it was last read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Whether the identity is the one it had when it was read, and trusted.
    pub same: bool,
    /// Octets then; at most `u32::MAX`.
    pub size: u32,
}

/// A file whose change is not believed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settling {
    /// How it was last seen; `None` for a link whose target is missing.
    pub identity: Option<Identity>,
    /// Since when it is so.
    pub since: Instant,
    /// Since when it has been changing.
    pub first: Instant,
    /// Whether it only grew since then.
    pub growing: bool,
    /// Since when somebody has it open for writing, as far as is known.
    pub writer: Option<Instant>,
}

/// What to do with a file now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it was.
    Same,
    /// Read it: whoever wrote it has finished, as far as anybody can know.
    Read,
    /// Remember this and look again [`SETTLE`] after `since`.
    Wait(Settling),
    /// Somebody has it open for writing, since then.
    Held(Instant),
}

/// Decides about a file seen as `seen`.
///
/// A closed file that has become smaller, and any empty one, waits although its writer finished: the next writer may
/// just have truncated it, and believing that would take tenants away for a moment.
pub fn decide(seen: &Identity, known: Option<Known>, waiting: Option<&Settling>, hint: Hint, now: Moment) -> Verdict {
    if known.is_some_and(|known| known.same) {
        return Verdict::Same;
    }
    if let Some(since) = writer_since(seen, waiting, hint, now) {
        return Verdict::Held(since);
    }
    let shrunk = known.is_some_and(|known| seen.size < u64::from(known.size));
    let whole = match hint {
        Hint::Placed => seen.size > 0,
        Hint::Closed => seen.size > 0 && !shrunk,
        Hint::Written | Hint::Touched | Hint::None => false,
    };
    if whole || age(seen, now.wall) >= Some(SETTLE) {
        return Verdict::Read;
    }
    let Some(before) = waiting else {
        return Verdict::Wait(Settling {
            identity: Some(*seen),
            since: now.steady,
            first: now.steady,
            growing: !shrunk,
            writer: None,
        });
    };
    if before.identity == Some(*seen) {
        let quiet = now.steady.saturating_duration_since(before.since) >= SETTLE;
        return if quiet { Verdict::Read } else { Verdict::Wait(*before) };
    }
    let growing =
        before.growing && before.identity.is_some_and(|last| last.inode == seen.inode && last.size <= seen.size);
    if growing && now.steady.saturating_duration_since(before.first) >= GROWING_MAX {
        return Verdict::Read;
    }
    Verdict::Wait(Settling { identity: Some(*seen), since: now.steady, first: before.first, growing, writer: None })
}

/// Since when a writer has it open, as far as events tell: it wrote, and was not heard to close it. Another file in its place
/// has another writer.
fn writer_since(seen: &Identity, waiting: Option<&Settling>, hint: Hint, now: Moment) -> Option<Instant> {
    let before = waiting.filter(|before| before.identity.is_some_and(|before| before.inode == seen.inode));
    let before = before.and_then(|before| before.writer);
    match hint {
        Hint::Closed | Hint::Placed => None,
        Hint::Written => Some(before.unwrap_or(now.steady)),
        Hint::Touched | Hint::None => before,
    }
}

/// Whether the identity can stand for the content: its times are older than a tick of any clock that sets them.
pub fn is_trusted(seen: &Identity, wall: SystemTime) -> bool {
    age(seen, wall) >= Some(RACY)
}

/// Time since the last change; `None` where it lies in the future, as after the clock was set back.
fn age(seen: &Identity, wall: SystemTime) -> Option<Duration> {
    let (seconds, nanoseconds) = seen.mtime.max(seen.ctime);
    let seconds = u64::try_from(seconds).ok()?;
    let nanoseconds = u32::try_from(nanoseconds).ok()?;
    let changed = SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds))?;
    wall.duration_since(changed).ok()
}

/// What two events on one path mean together. A change of attributes does not undo that a writer finished, but new
/// octets do.
pub fn merge(before: Hint, now: Hint, only_attributes: bool) -> Hint {
    if only_attributes { before.max(now) } else { now }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment() -> Moment {
        Moment { steady: Instant::now(), wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000) }
    }

    fn seen(size: u64, seconds: i64) -> Identity {
        Identity { inode: (1, 2), size, mtime: (seconds, 0), ctime: (seconds, 0) }
    }

    fn waits(verdict: Verdict) -> Option<Settling> {
        if let Verdict::Wait(settling) = verdict { Some(settling) } else { None }
    }

    const JUST_NOW: i64 = 1_000_000;
    const OTHER: Option<Known> = Some(Known { same: false, size: 10 });

    #[test]
    fn finished_writers_are_believed_at_once() {
        for hint in [Hint::Closed, Hint::Placed] {
            assert_eq!(decide(&seen(10, JUST_NOW), OTHER, None, hint, moment()), Verdict::Read);
            assert_eq!(decide(&seen(10, JUST_NOW), None, None, hint, moment()), Verdict::Read);
        }
        assert_eq!(decide(&seen(9, JUST_NOW), OTHER, None, Hint::Placed, moment()), Verdict::Read);
    }

    #[test]
    fn an_empty_or_shrunken_file_waits_although_it_was_closed() {
        for (size, hint) in [(0, Hint::Closed), (9, Hint::Closed), (0, Hint::Placed)] {
            assert!(matches!(decide(&seen(size, JUST_NOW), OTHER, None, hint, moment()), Verdict::Wait(_)), "{hint:?}");
        }
    }

    #[test]
    fn an_unfinished_write_is_believed_after_200_ms_of_quiet() {
        let start = moment();
        let file = seen(10, JUST_NOW);
        let first = waits(decide(&file, OTHER, None, Hint::Touched, start)).expect("not believed at once");
        let steady_only = |ms| Moment { steady: start.steady + Duration::from_millis(ms), wall: start.wall };
        assert_eq!(decide(&file, OTHER, Some(&first), Hint::None, steady_only(199)), Verdict::Wait(first));
        assert_eq!(decide(&file, OTHER, Some(&first), Hint::None, steady_only(200)), Verdict::Read);
        let changed = decide(&seen(11, JUST_NOW), OTHER, Some(&first), Hint::None, steady_only(250));
        let again = waits(changed).expect("a changed file waits anew");
        assert_eq!(again.since, steady_only(250).steady);
        assert_eq!(again.first, first.first);
    }

    #[test]
    fn a_writer_that_was_not_heard_to_close_is_waited_for_however_quiet_it_is() {
        let start = moment();
        let file = seen(10, JUST_NOW - 3600);
        assert_eq!(decide(&file, OTHER, None, Hint::Written, start), Verdict::Held(start.steady));
        let writer = Some(start.steady);
        let held = Settling { identity: Some(file), since: start.steady, first: start.steady, growing: false, writer };
        let later = start.after(Duration::from_secs(7200));
        for hint in [Hint::None, Hint::Touched, Hint::Written] {
            assert_eq!(decide(&file, OTHER, Some(&held), hint, later), Verdict::Held(start.steady), "{hint:?}");
        }
        for hint in [Hint::Closed, Hint::Placed] {
            assert_eq!(decide(&file, OTHER, Some(&held), hint, later), Verdict::Read, "{hint:?}");
        }
        let other = Identity { inode: (1, 3), ..file };
        assert_eq!(decide(&other, OTHER, Some(&held), Hint::None, later), Verdict::Read, "another file in its place");
        let same = Some(Known { same: true, size: 10 });
        assert_eq!(decide(&file, same, None, Hint::Written, start), Verdict::Same, "as it was read");
    }

    #[test]
    fn case_05_a_file_that_only_grows_is_read_after_five_seconds_and_one_that_is_rewritten_is_not() {
        let start = moment();
        let mut waiting = None;
        for step in 0u64.. {
            let now = Moment { steady: start.steady + Duration::from_millis(100 * step), wall: start.wall };
            match decide(&seen(10 + step, JUST_NOW), OTHER, waiting.as_ref(), Hint::Touched, now) {
                Verdict::Wait(settling) => waiting = Some(settling),
                verdict => {
                    assert_eq!((verdict, step), (Verdict::Read, 50));
                    break;
                }
            }
        }
        let mut waiting = None;
        for step in 0u64..100 {
            let now = Moment { steady: start.steady + Duration::from_millis(100 * step), wall: start.wall };
            let size = if step % 2 == 0 { 3 } else { 100 };
            waiting = waits(decide(&seen(size, JUST_NOW), OTHER, waiting.as_ref(), Hint::Touched, now));
            assert!(waiting.is_some(), "believed at step {step}");
        }
    }

    #[test]
    fn case_19_young_and_future_times_are_not_trusted_and_old_ones_need_no_wait() {
        let now = moment();
        assert!(!is_trusted(&seen(1, JUST_NOW), now.wall) && !is_trusted(&seen(1, JUST_NOW + 3600), now.wall));
        assert!(is_trusted(&seen(1, JUST_NOW - 2), now.wall));
        assert_eq!(decide(&seen(10, JUST_NOW - 1), OTHER, None, Hint::None, now), Verdict::Read);
        assert!(matches!(decide(&seen(10, JUST_NOW + 3600), OTHER, None, Hint::None, now), Verdict::Wait(_)));
        let set_back = Identity { mtime: (0, 0), ..seen(10, JUST_NOW) };
        assert!(
            matches!(decide(&set_back, OTHER, None, Hint::None, now), Verdict::Wait(_)),
            "ctime cannot be set back"
        );
    }

    #[test]
    fn new_octets_undo_a_finished_writer_and_attributes_do_not() {
        assert_eq!(merge(Hint::Closed, Hint::Touched, false), Hint::Touched);
        assert_eq!(merge(Hint::Closed, Hint::Touched, true), Hint::Closed);
        assert_eq!(merge(Hint::Touched, Hint::Closed, false), Hint::Closed);
        assert_eq!(merge(Hint::Closed, Hint::Written, false), Hint::Written);
        assert_eq!(merge(Hint::Written, Hint::Touched, true), Hint::Written);
    }
}
