//! How a simulated process ends and comes back: by chance, or at a labelled point.
//!
//! Only facts outlive it. While it is down the parent goes on.

use super::kinds::{Bogus, Death};
use super::world::World;
use crate::time::Seconds;

impl World {
    /// The process ends; the machine too, where `reboot`. It is down for `seconds`.
    pub fn crash(&mut self, seconds: Seconds, reboot: bool) -> Result<(), Box<Bogus>> {
        self.say(&format!("the process ends for {seconds} s{}", if reboot { ", and the machine" } else { "" }));
        self.count.crashes += 1;
        self.is_up = false;
        self.judge.silence(self.now());
        let until = self.time + seconds;
        while self.time < until {
            let next = self.parent.next().map_or(until, |next| next.0.clamp(self.time + 1, until));
            self.time = next;
            self.look_at_parent()?;
        }
        if reboot {
            self.machine.boot += 1;
            self.machine.booted_at = self.time - 30.min(seconds);
        }
        self.start_clock();
        self.is_up = true;
        self.publish();
        self.judge()
    }

    /// Whether the process ends here: at the labelled point that was chosen, in one of these ways.
    pub(super) fn dies(&mut self, ways: &[Death]) -> bool {
        let Some((left, way)) = self.death else { return false };
        if !ways.contains(&way) {
            return false;
        }
        self.death = if left == 0 { None } else { Some((left - 1, way)) };
        left == 0
    }

    pub(super) fn crash_by_chance(&mut self) -> Result<(), Box<Bogus>> {
        let (seconds, reboot) = (1 + self.chance() % 7200, self.chance().is_multiple_of(4));
        self.crash(seconds, reboot)
    }
}
