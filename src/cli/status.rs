//! `status`: how the server is, on one screen; and how findings are printed wherever they occur.

use super::client;
use super::context::Context;
use super::failure::{Exit, Failure, Stop};
use super::output::{Output, Tone};
use super::table::{Table, plain};
use super::words::{moment, relative, span};
use super::zone;
use crate::protocol::{Finding, Request, Status};
use crate::time::{UnixTime, now};

/// Findings shown to people at most; a screen is short, and the JSON form has them all.
const FINDINGS_SHOWN_MAX: usize = 20;

/// Prints the status; errors among the findings are exit 1.
pub fn run(context: &Context, output: &mut Output) -> Result<Exit, Stop> {
    let status = ask(context)?;
    // A file that the server would not start with is an error, whether or not it was told to read it.
    let exit = if context.broken.is_some() { Exit::Failure } else { exit_of(&status.findings) };
    if output.is_json() {
        output.object(&status)?;
        return Ok(exit);
    }
    output.table(&head(&status, now()))?;
    if !status.zones.is_empty() {
        output.line("")?;
        output.table(&zone::overview(&status.zones))?;
    }
    spaced(&status.findings, output)?;
    Ok(exit)
}

/// Asks for the status.
pub fn ask(context: &Context) -> Result<Status, Stop> {
    let (items, end) = context.client.all::<Status>(&Request::Status, client::PATIENCE)?;
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

/// Exit 1 where there is an error among them.
pub fn exit_of(findings: &[Finding]) -> Exit {
    if findings.iter().any(|finding| finding.severity == "error") { Exit::Failure } else { Exit::Ok }
}

/// As [`findings`], below something else: an empty line in between.
pub fn spaced(some: &[Finding], output: &mut Output) -> Result<(), Stop> {
    if !some.is_empty() {
        output.line("")?;
    }
    findings(some, output)
}

/// Prints findings for people: errors first, and how to see those that do not fit.
pub fn findings(findings: &[Finding], output: &mut Output) -> Result<(), Stop> {
    let errors = findings.iter().filter(|finding| finding.severity == "error");
    let others = findings.iter().filter(|finding| finding.severity != "error");
    for finding in errors.chain(others).take(FINDINGS_SHOWN_MAX) {
        print(finding, output)?;
    }
    if let Some(more @ 1..) = findings.len().checked_sub(FINDINGS_SHOWN_MAX) {
        output.line(&format!("... and {more} more: see `mxseal status -o json` or `mxseal check`"))?;
    }
    Ok(())
}

fn print(finding: &Finding, output: &mut Output) -> Result<(), Stop> {
    let tone = if finding.severity == "error" { Tone::Bad } else { Tone::Caution };
    let head = output.tone(tone, &format!("{}[{}]", finding.severity, finding.code));
    let text = output.tone(Tone::Plain, &finding.message);
    output.line(&format!("{head}: {text}"))?;
    if !finding.place.is_empty() {
        output.line(&format!("  --> {}", output.tone(Tone::Plain, &finding.place)))?;
    }
    if !finding.help.is_empty() {
        output.line(&format!("  help: {}", output.tone(Tone::Plain, &finding.help)))?;
    }
    Ok(())
}
