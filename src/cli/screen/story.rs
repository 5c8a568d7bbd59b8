//! What was done, what waits, what a person must do, and what the server will do: four headings that never mix.
//!
//! It adds nothing to what the server says.

use super::table::{Table, plain};
use super::tone::Tone;
use super::words::{near, relative};
use crate::protocol::{Story, Verb, WaitInfo};
use crate::time::UnixTime;

/// What is known beside a story.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// What is to be said about the clock; empty: nothing.
    pub clock: &'a str,
    /// Whether nothing is answered meanwhile, so that what stands in the way does more than freeze.
    pub is_silent: bool,
    /// The moment of the answer, seconds since 1970.
    pub now: u64,
}

/// The four headings, and what stands in the way between them.
pub fn sentences(story: &Story, around: Around<'_>) -> Table {
    let mut table = Table::plain(3);
    let now = UnixTime(around.now);
    let mut rows = |label: &str, tone: Tone, lines: Vec<(String, String)>| {
        let lines = if lines.is_empty() { vec![(String::new(), "nothing".to_owned())] } else { lines };
        for (count, (when, what)) in lines.into_iter().enumerate() {
            let label = if count == 0 { format!("  {label}") } else { String::new() };
            table.row(vec![(Tone::Strong, label), plain(when), (tone, what)]);
        }
    };
    rows("done", Tone::Plain, story.done.iter().map(|done| (near(done.at, now), done.text.clone())).collect());
    let waits = story.waits.iter().map(|wait| match wait.until {
        Some(until) => (format!("until {}", near(until, now)), format!("{}; nobody needs to act", step_and_why(wait))),
        None => ("until it is seen".to_owned(), format!("{}: {}", wait.step, wait.why)),
    });
    rows("waiting", Tone::Plain, waits.collect());
    let stops = |freezes: bool| story.blockers.iter().filter(move |blocker| blocker.freezes == freezes);
    for (freezes, tone) in [(true, Tone::Bad), (false, Tone::Caution)] {
        let what: Vec<_> = stops(freezes).map(|blocker| ("now".to_owned(), blocker.what.clone())).collect();
        if !what.is_empty() {
            let label = match freezes {
                true if around.is_silent => "silent by",
                true => "frozen by",
                false => "held up by",
            };
            rows(label, tone, what);
        }
    }
    let tone = if story.must.is_empty() { Tone::Plain } else { Tone::Caution };
    rows("you must", tone, story.must.iter().map(|line| ("now".to_owned(), line.clone())).collect());
    let when = match story.next_at {
        Some(at) if at > around.now => format!("at {} ({})", near(at, now), relative(at, now)),
        _ => "now".to_owned(),
    };
    let is_timed = story.next_at.is_some() || !story.will.is_empty();
    let will = (!story.will.is_empty()).then(|| (if is_timed { when } else { String::new() }, story.will.to_owned()));
    rows("mxseal will", Tone::Plain, will.into_iter().collect());
    if !around.clock.is_empty() {
        rows("clock", Tone::Caution, vec![(String::new(), around.clock.to_owned())]);
    }
    table
}

/// The step that begins a roll says its own reason.
fn step_and_why(wait: &WaitInfo) -> String {
    if wait.verb == Verb::Begin { wait.step.clone() } else { format!("{}: {}", wait.step, wait.why) }
}
