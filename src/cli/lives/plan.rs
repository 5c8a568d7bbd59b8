//! Calendars, in a table or a picture: each step to come with its date.

use crate::cli::failure::Stop;
use crate::cli::screen::file;
use crate::cli::screen::output::Output;
use crate::cli::screen::svg::{self, Part};
use crate::cli::screen::table::{Table, plain};
use crate::cli::screen::tone::Tone;
use crate::cli::screen::words::{near, relative};
use crate::protocol::{BlockerInfo, PlannedStep};
use crate::time::UnixTime;
use std::path::Path;

/// A row for each step.
pub fn steps<'a>(steps: impl IntoIterator<Item = &'a PlannedStep>, now: u64) -> Table {
    let mut table = Table::plain(3);
    for step in steps {
        let assumes = if step.assumes.is_empty() { String::new() } else { format!(" (if {})", step.assumes) };
        table.row(vec![
            plain(format!("  {}", near(step.at, UnixTime(now)))),
            plain(relative(step.at, UnixTime(now))),
            plain(format!("{}{assumes}", step.text)),
        ]);
    }
    table
}

/// What stands in the way now, and not in the calendar. `before`: what goes before it; `whose`: what it is about.
pub fn mended(before: &str, whose: &str, blockers: &[BlockerInfo], output: &mut Output) -> Result<(), Stop> {
    for blocker in blockers {
        let mark = output.tone(Tone::Caution, &format!("{before}assumed to be mended at once:"));
        output.line(&format!("{mark} {whose}{}", output.tone(Tone::Plain, &blocker.what)))?;
    }
    Ok(())
}

/// Writes a picture.
pub fn picture<'p>(path: &Path, plans: impl Iterator<Item = Part<'p>>, output: &mut Output) -> Result<(), Stop> {
    file::write(path, &svg::text(&plans.collect::<Vec<_>>()), output)
}
