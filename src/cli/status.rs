//! `status`: how the server is, on one screen.

use super::client;
use super::context::Context;
use super::failure::{Exit, Failure, Stop};
use super::zone;
use crate::cli::screen::findings;
use crate::cli::screen::output::Output;
use crate::cli::screen::table::{Table, plain};
use crate::cli::screen::tone::Tone;
use crate::cli::screen::words::{moment, relative, span};
use crate::protocol::Status;
use crate::protocol::request::ViewRequest;
use crate::time::{UnixTime, now};

/// Prints the status; errors among the findings are exit 1.
pub fn run(context: &Context, output: &mut Output) -> Result<Exit, Stop> {
    let status = ask(context)?;
    // A file that the server would not start with is an error, whether or not it was told to read it.
    let exit = if context.broken.is_some() { Exit::Failure } else { findings::exit_of(&status.findings) };
    if output.is_json() {
        output.object(&status)?;
        return Ok(exit);
    }
    output.table(&head(&status, now()))?;
    if !status.zones.is_empty() {
        output.line("")?;
        output.table(&zone::overview(&status.zones))?;
    }
    findings::spaced(&status.findings, output)?;
    Ok(exit)
}

/// Asks for the status.
pub fn ask(context: &Context) -> Result<Status, Stop> {
    let (items, end) = context.client.all::<Status>(&ViewRequest::Status.into(), client::PATIENCE)?;
    if let Some(status) = items.into_iter().next() {
        return Ok(status);
    }
    end.check()?;
    Err(Failure::new(Exit::Failure, "the server sent no status", "see its log").into())
}

fn head(status: &Status, now: UnixTime) -> Table {
    let mut table = Table::plain(2);
    let mut row = |label: &str, cell: (Tone, String)| table.row(vec![(Tone::Strong, label.to_owned()), cell]);
    row("mxseal", plain(format!("{}, pid {}", status.version, status.pid)));
    let up = span(now.0.saturating_sub(status.started));
    row("up since", plain(format!("{} ({up})", moment(status.started))));
    row("snapshot", plain(status.snapshot.to_string()));
    let scan = match status.last_scan {
        0 => "never".to_owned(),
        at => format!("{} ({})", moment(at), relative(at, now)),
    };
    row("last scan", plain(scan));
    if status.not_ready.is_empty() {
        row("ready", (Tone::Good, "yes".to_owned()));
    }
    status.not_ready.iter().for_each(|missing| row("not ready", (Tone::Bad, missing.clone())));
    row("listens on", listed(&status.listen, " "));
    row("confined by", listed(&status.confinement, ", "));
    table
}

fn listed(words: &[String], between: &str) -> (Tone, String) {
    if words.is_empty() { (Tone::Caution, "nothing".to_owned()) } else { plain(words.join(between)) }
}
