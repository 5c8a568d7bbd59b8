//! The clocks of a simulated machine: what it reads, and what it believes.
//!
//! True time is the world's alone; the machine sees its readings, and the mark that its disk has.

use super::world::World;
use crate::roll::clock::{self, Reading, Told};
use crate::roll::life::Facts;
use crate::time::UnixTime;

/// How often the disk gets the mark of the clock, in seconds.
const MARK_EVERY: u64 = 60;

impl World {
    /// The signing clock, at this moment.
    pub fn clock(&mut self) -> Told {
        let reading = self.reading();
        let told = match &self.machine.mark {
            Some(mark) => clock::next(mark, &reading),
            None => clock::first(&reading, self.facts.time),
        };
        self.believe(told)
    }

    /// A process starts with the mark that the disk has.
    pub(super) fn start_clock(&mut self) {
        if let Some(mark) = self.machine.kept.take() {
            let told = clock::start(&mark, &self.reading(), self.facts.time);
            self.believe(told);
        }
    }

    fn believe(&mut self, told: Told) -> Told {
        if let Some(corrected) = self.facts.correction(told.mark.credited) {
            let _ = self.facts.take(&corrected, told.time);
        }
        self.machine.mark = Some(told.mark.clone());
        let kept = self.machine.kept.as_ref();
        if kept.is_none_or(|kept| told.time.0.abs_diff(kept.time) >= MARK_EVERY || told.mark.boot != kept.boot) {
            self.machine.kept = Some(told.mark.clone());
        }
        told
    }

    fn reading(&self) -> Reading {
        Reading {
            wall: UnixTime(self.time.saturating_add_signed(self.machine.offset)),
            uptime: self.time - self.machine.booted_at,
            boot: self.machine.boot.to_string(),
            machine: "a machine".to_owned(),
        }
    }

    /// The wall clock jumps.
    pub fn jump(&mut self, seconds: i64) {
        self.say(&format!("the wall clock jumps by {seconds} s"));
        self.machine.offset += seconds;
    }

    /// The wall clock is set right, and an operator confirms it.
    pub fn set_clock_right(&mut self) {
        self.machine.offset = 0;
        if let Some(mark) = self.machine.mark.take() {
            let told = clock::confirm(&mark, &self.reading());
            self.believe(told);
        }
    }
}
