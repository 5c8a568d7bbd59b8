//! `keys plan`: the calendar of keys as a table, as iCalendar, or as a picture.
//!
//! Files are written whole or not at all, since a calendar program may read them at any moment.

use super::super::args::Plan;
use super::super::context::Context;
use super::super::failure::{Exit, Failure, Stop};
use super::calendar;
use crate::cli::screen::output::Output;
use crate::cli::screen::svg::{self, Part};
use crate::cli::screen::table::{Table, plain};
use crate::cli::screen::tone::Tone;
use crate::cli::screen::words::{minute, near, relative};
use crate::protocol::request::KeysRequest;
use crate::protocol::{KeysPlan, PlannedStep, Verb};
use crate::time::UnixTime;
use std::io::Write;
use std::path::Path;

/// Asks and prints, or writes.
pub fn run(context: &Context, asked: &Plan, output: &mut Output) -> Result<Exit, Stop> {
    let request = KeysRequest::Plan { zone: asked.zone.as_deref().map(super::apex), days: asked.days }.into();
    let (plans, end) = super::ask::<KeysPlan>(context, &request, asked.zone.as_deref())?;
    end.check()?;
    match (&asked.ics, &asked.svg) {
        (Some(file), _) => write(file, &calendar::text(&plans), output)?,
        (None, Some(file)) => {
            let parts: Vec<Part<'_>> = plans.iter().map(Part::from).collect();
            write(file, &svg::text(&parts), output)?;
        }
        (None, None) if output.is_json() => plans.iter().try_for_each(|plan| output.object(plan))?,
        (None, None) => tables(&plans, output)?,
    }
    Ok(Exit::Ok)
}

fn tables(plans: &[KeysPlan], output: &mut Output) -> Result<(), Stop> {
    for (count, plan) in plans.iter().enumerate() {
        if count > 0 {
            output.line("")?;
        }
        let zone = output.tone(Tone::Strong, &format!("zone {}", plan.zone.trim_end_matches('.')));
        output.line(&format!("{zone}    until {}", minute(plan.until)))?;
        for blocker in &plan.blockers {
            let mark = output.tone(Tone::Caution, "  assumed to be mended at once:");
            output.line(&format!("{mark} {}", output.tone(Tone::Plain, &blocker.what)))?;
        }
        if plan.steps.is_empty() {
            output.line("  nothing to do")?;
        }
        output.table(&steps(&plan.steps, plan.from))?;
        if is_under_way(&plan.steps) {
            let zone = plan.zone.trim_end_matches('.');
            output.line(&format!(
                "  a key that must go sooner: `mxseal keys roll {zone} --emergency` waits for TTLs only"
            ))?;
        }
    }
    Ok(())
}

/// Whether a key is on its way out: its steps wait for the ends of signatures, which an emergency does not.
fn is_under_way(steps: &[PlannedStep]) -> bool {
    let of_now = steps.iter().take_while(|step| step.verb != Verb::Begin);
    of_now.into_iter().any(|step| matches!(step.verb, Verb::Switch | Verb::WantDs | Verb::Remove | Verb::StopSigning))
}

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

/// Writes `text` to a file, or to standard output where it is `-`.
pub fn write(file: &Path, text: &str, output: &mut Output) -> Result<(), Stop> {
    if file == Path::new("-") {
        return output.raw(text.as_bytes());
    }
    let failed = |why: String, help: &str| {
        Failure::new(Exit::Failure, format!("{} cannot be written: {why}", file.display()), help)
    };
    let fault = |error: std::io::Error| failed(error.to_string(), "its folder must be writable");
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if file.is_dir() {
        return Err(failed("it is a folder".to_owned(), "name a file in it").into());
    }
    if !folder.is_dir() {
        return Err(failed(format!("there is no folder {}", folder.display()), "make it, or name another").into());
    }
    let mut beside = tempfile::Builder::new();
    // It holds no secret, and others are to see it.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    let mut beside = beside.permissions(mode).tempfile_in(folder).map_err(fault)?;
    beside.write_all(text.as_bytes()).map_err(fault)?;
    beside.persist(file).map_err(|error| fault(error.error))?;
    if output.is_json() {
        return output.object(&serde_json::json!({ "file": file }));
    }
    output.line(&format!("{} is written", output.tone(Tone::Plain, &file.display().to_string())))
}
