//! What was done, what waits, what a person must do, and what the server will do: four headings that never mix.
//!
//! It adds nothing to what the server says.

use super::table::{Table, plain};
use super::tone::Tone;
use super::words::{near, relative};
use crate::protocol::{BlockerInfo, DoneInfo, Verb, WaitInfo};
use crate::time::UnixTime;

/// What the server says of a zone's keys, or of a pool.
pub struct Story<'a> {
    /// What was done lately, newest last.
    pub done: &'a [DoneInfo],
    /// Steps that are to come and may not be taken yet.
    pub waits: &'a [WaitInfo],
    /// What stands in the way.
    pub blockers: &'a [BlockerInfo],
    /// What a person must do now.
    pub must: &'a [String],
    /// What the server will do next.
    pub will: &'a str,
    /// When the next step may be taken, seconds since 1970.
    pub next_at: Option<u64>,
    /// What is to be said about the clock.
    pub clock: &'a str,
    /// Whether nothing is answered meanwhile, so that what stands in the way does more than freeze.
    pub is_silent: bool,
    /// The moment of the answer, seconds since 1970.
    pub now: u64,
}

impl Story<'_> {
    /// The four headings, and what stands in the way between them.
    pub fn sentences(&self) -> Table {
        let mut table = Table::plain(3);
        let now = UnixTime(self.now);
        let mut rows = |label: &str, tone: Tone, lines: Vec<(String, String)>| {
            let lines = if lines.is_empty() { vec![(String::new(), "nothing".to_owned())] } else { lines };
            for (count, (when, what)) in lines.into_iter().enumerate() {
                let label = if count == 0 { format!("  {label}") } else { String::new() };
                table.row(vec![(Tone::Strong, label), plain(when), (tone, what)]);
            }
        };
        rows("done", Tone::Plain, self.done.iter().map(|done| (near(done.at, now), done.text.clone())).collect());
        let waits = self.waits.iter().map(|wait| match wait.until {
            Some(until) => {
                (format!("until {}", near(until, now)), format!("{}; nobody needs to act", step_and_why(wait)))
            }
            None => ("until it is seen".to_owned(), format!("{}: {}", wait.step, wait.why)),
        });
        rows("waiting", Tone::Plain, waits.collect());
        let stops = |freezes: bool| self.blockers.iter().filter(move |blocker| blocker.freezes == freezes);
        for (freezes, tone) in [(true, Tone::Bad), (false, Tone::Caution)] {
            let what: Vec<_> = stops(freezes).map(|blocker| ("now".to_owned(), blocker.what.clone())).collect();
            if !what.is_empty() {
                let label = match freezes {
                    true if self.is_silent => "silent by",
                    true => "frozen by",
                    false => "held up by",
                };
                rows(label, tone, what);
            }
        }
        let tone = if self.must.is_empty() { Tone::Plain } else { Tone::Caution };
        rows("you must", tone, self.must.iter().map(|line| ("now".to_owned(), line.clone())).collect());
        let when = match self.next_at {
            Some(at) if at > self.now => format!("at {} ({})", near(at, now), relative(at, now)),
            _ => "now".to_owned(),
        };
        let is_timed = self.next_at.is_some() || !self.will.is_empty();
        let will = (!self.will.is_empty()).then(|| (if is_timed { when } else { String::new() }, self.will.to_owned()));
        rows("mxseal will", Tone::Plain, will.into_iter().collect());
        if !self.clock.is_empty() {
            rows("clock", Tone::Caution, vec![(String::new(), self.clock.to_owned())]);
        }
        table
    }
}

/// The step that begins a roll says its own reason.
fn step_and_why(wait: &WaitInfo) -> String {
    if wait.verb == Verb::Begin { wait.step.clone() } else { format!("{}: {}", wait.step, wait.why) }
}
