//! Why the loop wakes without an event, and when: one table, made of what its parts say.
//!
//! Pure. Nothing is kept here: what is due follows from what is known, and moments are arguments.

use crate::control::thread::{Mind, Moments};
use crate::time::Now;
use std::time::{Duration, Instant};

/// How often the clocks are read, and what the disk refused is tried again.
pub(super) const EVERY: Duration = Duration::from_secs(5);

/// A reason to wake, in the order in which those that are due have their turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// What was published is noted, from a moment on at which it surely was.
    Published,
    /// The source of documents has more to tell.
    Feed,
    /// The clocks are compared.
    Clock,
    /// This host is looked at, and what was refused is tried again.
    Host,
    /// Keys of zones: a step, or a look.
    Zones,
    /// Keys of hosts: a step, a look, a file.
    Pools,
    /// What stands against keys may be other than what was told.
    News,
    /// A reload ends.
    Reloads,
    /// The time of a command that waits is up.
    Waits,
    /// What could not be kept before is tried again.
    Disk,
}

impl Timer {
    /// All of them.
    pub(super) const ALL: [Timer; 10] = [
        Timer::Published,
        Timer::Feed,
        Timer::Clock,
        Timer::Host,
        Timer::Zones,
        Timer::Pools,
        Timer::News,
        Timer::Reloads,
        Timer::Waits,
        Timer::Disk,
    ];
}

impl Mind {
    /// When this is due; none: nothing waits for it.
    pub(super) fn moment(&self, timer: Timer, now: Now) -> Option<Instant> {
        let at_once = |is_due: bool| is_due.then_some(now.steady);
        match timer {
            Timer::Published => at_once(self.served.is_unnoted),
            Timer::Feed => at_once(self.feed.is_busy(now) || self.feed.is_due(now)).or(self.feed.next()),
            Timer::Clock => Some(self.lives.clock_read + EVERY),
            Timer::Host => self.eyes.here.next(),
            Timer::Zones => self.rolls_next(),
            Timer::Pools => self.pools_next(),
            Timer::News => at_once(self.findings.is_key_news || self.findings.is_pool_news),
            Timer::Reloads => self.reloads_next(now),
            Timer::Waits => self.callers.waits.next(),
            Timer::Disk => Some(self.served.keep_at),
        }
    }

    /// Whether this is due now.
    pub(super) fn is_due(&self, timer: Timer, now: Now) -> bool {
        self.moment(timer, now).is_some_and(|at| at <= now.steady)
    }

    /// The next reason to wake.
    pub(super) fn next(&self, now: Now) -> (Instant, Timer) {
        let all = Timer::ALL.into_iter().filter_map(|timer| Some((self.moment(timer, now)?, timer)));
        all.min_by_key(|(at, _)| *at).unwrap_or((now.steady + EVERY, Timer::Clock))
    }

    /// What was due is done.
    pub(super) fn fire(&mut self, timer: Timer, now: Now, moments: &Moments) {
        match timer {
            Timer::Published => self.note_publication(now),
            Timer::Feed => self.poll(now),
            Timer::Clock => self.read_clock(now, moments),
            Timer::Host => self.try_again(now),
            Timer::Zones => self.roll_on(now),
            Timer::Pools => self.pools_on(now),
            Timer::News => {
                self.tell_news(now);
                self.tell_pools(now);
            }
            Timer::Reloads => self.end_reloads(now),
            // Each turn ends those whose time is up.
            Timer::Waits => {}
            Timer::Disk => self.keep_again(now),
        }
    }
}
