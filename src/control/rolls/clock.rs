//! The signing clock as the control thread keeps it: what it tells of doubt, and how signatures cover all readings.
//!
//! A doubt stops removals in all zones; signatures go on, valid by whichever clock is right.

use crate::diagnostic::{Diagnostic, Place};
use crate::roll::clock::{self, Evidence, Told};
use crate::store::signing_clock::SigningClock;
use crate::time::{Clocks, Now, Seconds, UnixTime};
use std::path::Path;

/// By how much signatures begin earlier and end later, so that they are valid by every reading of the clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    /// Earlier by this.
    pub before: Seconds,
    /// Later by this.
    pub after: Seconds,
}

/// Differences are rounded up to this, so that a second more makes no signature anew.
const ROUNDED: Seconds = 3600;
/// A difference that is within what clocks drift needs no other signatures: they begin a day ago.
const DRIFT: Seconds = 300;

impl Shift {
    fn of(told: &Told) -> Shift {
        let rounded = |span: Seconds| if span <= DRIFT { 0 } else { span.div_ceil(ROUNDED) * ROUNDED };
        Shift {
            before: rounded(told.time.0.saturating_sub(told.low.0)),
            after: rounded(told.high.0.saturating_sub(told.time.0)),
        }
    }
}

/// The clock, and what it told last.
pub struct Clock {
    clock: SigningClock,
    told: Told,
}

impl Clock {
    /// A clock that was just started.
    pub fn new(clock: SigningClock, told: Told) -> Clock {
        Clock { clock, told }
    }

    /// Judges what the clocks say; true where what follows from them changed.
    pub fn tick(&mut self, now: Now) -> bool {
        let told = self.clock.tick(now);
        self.take(told)
    }

    /// An operator has looked: the wall clock is right.
    pub fn confirm(&mut self, now: Now) -> bool {
        let told = self.clock.confirm(now);
        self.take(told)
    }

    fn take(&mut self, told: Told) -> bool {
        let is_news = told.doubt.is_some() != self.told.doubt.is_some()
            || told.silence.is_some() != self.told.silence.is_some()
            || told.note.is_some() != self.told.note.is_some()
            || Shift::of(&told) != Shift::of(&self.told);
        // The words of a doubt that stands count seconds; the first ones are as good.
        let doubt = if told.doubt.is_some() { self.told.doubt.take().or(told.doubt) } else { None };
        let note = if told.note.is_some() { self.told.note.take().or(told.note) } else { None };
        self.told = Told { doubt, note, ..told };
        is_news
    }

    /// What the signing clock said when it was read last: time goes by it from then on.
    pub fn time(&self) -> UnixTime {
        self.told.time
    }

    /// Seconds of its time that no clock counted, in all.
    pub fn credited(&self) -> Seconds {
        self.clock.credited()
    }

    /// Why removals stop.
    pub fn doubt(&self) -> Option<&str> {
        self.told.doubt.as_deref()
    }

    /// Why nothing can be signed: no clock has told any time that can be.
    pub fn silence(&self, keys: &Path) -> Option<Diagnostic> {
        let message = format!("{}; no signature would be good", self.told.silence.as_ref()?);
        let help = "set the clock (chronyc tracking, timedatectl): signatures are made within seconds";
        Some(Diagnostic::error("MX5522", Place::file(keys.display().to_string()), message, help))
    }

    /// Why the wall clock cannot be right; none: nothing speaks against it.
    pub fn refuted(&self, evidence: &Evidence, is_overruled: bool, now: Now) -> Option<String> {
        clock::refuted(now.wall, &self.told.mark, evidence, is_overruled)
    }

    /// Whether its mark may be written into the folder.
    pub fn may_keep(&mut self, may: bool) {
        self.clock.may_keep = may;
    }

    /// What is to be said about it; empty: nothing.
    pub fn words(&self) -> &str {
        self.told.doubt.as_deref().or(self.told.note.as_deref()).unwrap_or_default()
    }

    /// How signatures cover all readings.
    pub fn shift(&self) -> Shift {
        Shift::of(&self.told)
    }

    /// The wall clock minus the signing clock, in seconds, where the wall clock is a reading at all.
    pub fn spread(&self) -> i64 {
        spread(&self.told)
    }

    /// The wall clock minus the signing clock, in seconds.
    pub fn ahead(&self, now: Now) -> i64 {
        let (wall, now) = (now.wall.0, now.signing.0);
        let ahead = i64::try_from(wall).unwrap_or(i64::MAX) - i64::try_from(now).unwrap_or(i64::MAX);
        if ahead.abs() <= 1 { 0 } else { ahead }
    }

    /// Both clocks now.
    pub fn clocks(&self, now: Now) -> Clocks {
        Clocks::apart(now.signing, self.ahead(now))
    }

    /// What stands against it.
    pub fn findings(&self, keys: &Path) -> Vec<Diagnostic> {
        let place = || Place::file(keys.display().to_string());
        let help = "set the clock (chronyc tracking, timedatectl); if it is right, `mxseal keys resume ZONE --clock`";
        let silence = self.silence(keys);
        let doubt = self.told.doubt.iter().filter(|_| silence.is_none()).map(|doubt| {
            let message =
                format!("the clock cannot be trusted: {doubt}; no key is removed meanwhile{}", self.covered());
            Diagnostic::error("MX5520", place(), message, help)
        });
        let note = self.told.note.iter().map(|note| {
            let message = format!("rolls go on later than they might: {note}");
            Diagnostic::warning("MX5521", place(), message, help)
        });
        let doubt: Vec<Diagnostic> = doubt.collect();
        silence.into_iter().chain(doubt).chain(note).chain(self.clock.findings()).collect()
    }

    /// How signatures are made while the clocks differ.
    fn covered(&self) -> String {
        let shift = self.shift();
        let both = match self.told.wall {
            Some(_) if shift == Shift::default() => return String::new(),
            Some(_) => "signatures are valid by both clocks",
            None if shift == Shift::default() => return "; signatures go by the time that was counted".to_owned(),
            None => "signatures go by the time that was counted, and last a month longer",
        };
        // A planned roll waits for the ends of signatures, an emergency for TTLs only.
        let waits =
            if shift.after > 0 { "; planned rolls wait for their ends, `keys roll --emergency` does not" } else { "" };
        format!("; {both}{waits}")
    }
}

fn spread(told: &Told) -> i64 {
    let seconds = |moment: UnixTime| i64::try_from(moment.0).unwrap_or(i64::MAX);
    told.wall.map_or(0, |wall| seconds(wall) - seconds(told.time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roll::clock::{Reading, first, next};
    use crate::time::steady;
    use std::sync::Arc;

    #[test]
    fn a_turn_goes_on_by_what_the_clock_said_in_it() {
        let keys = tempfile::tempdir().expect("a folder");
        let begin = Now::at(steady(), UnixTime(1_800_000_000));
        let (clock, told) = SigningClock::start(keys.path(), Arc::default(), UnixTime(0), 0, begin);
        let mut clock = Clock::new(clock, told);
        // The wall clock jumps, and seconds that were counted do not.
        let now = Now { wall: UnixTime(5), signing: UnixTime(5), ..begin.after(std::time::Duration::from_secs(60)) };
        assert!(clock.tick(now), "a doubt is news");
        let counted = UnixTime(1_800_000_060);
        assert_eq!(now.steered(clock.time()), Now { signing: counted, ..now });
        let ahead = Now { signing: counted.after(1), ..now };
        assert_eq!(ahead.steered(clock.time()), ahead, "never back by a part of a second");
    }

    #[test]
    fn both_clocks_are_believed_of_signatures_but_no_dead_battery() {
        const DAY: u64 = 86_400;
        let start = 1_800_000_000;
        let reading = |wall: u64, uptime, boot: &str| Reading {
            wall: UnixTime(wall),
            uptime,
            boot: boot.to_owned(),
            machine: "m".to_owned(),
        };
        let told = first(&reading(start, 10, "a"), UnixTime(0));
        assert_eq!(spread(&told), 0);
        let off = next(&told.mark, &reading(start + 3 * DAY, 10, "b"));
        assert_eq!(spread(&off), i64::try_from(3 * DAY).expect("small") - 12 * 3600 - 10);
        assert_eq!(spread(&next(&told.mark, &reading(start - DAY, 10, "a"))), -86_400);
        assert_eq!(spread(&next(&told.mark, &reading(5, 5, "b"))), 0);
    }
}
