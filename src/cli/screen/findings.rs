//! How findings are printed wherever they occur, and what they mean for the end of a command.

use super::output::Output;
use super::tone::Tone;
use crate::cli::failure::{Exit, Stop};
use crate::protocol::{Finding, FindingSeverity};

/// Findings shown to people at most; a screen is short, and the JSON form has them all.
const FINDINGS_SHOWN_MAX: usize = 20;

/// Exit 1 where there is an error among them.
pub fn exit_of(findings: &[Finding]) -> Exit {
    if findings.iter().any(|finding| finding.severity == FindingSeverity::Error) { Exit::Failure } else { Exit::Ok }
}

/// As [`print`], below something else: an empty line in between.
pub fn spaced(some: &[Finding], output: &mut Output) -> Result<(), Stop> {
    if !some.is_empty() {
        output.line("")?;
    }
    print(some, output)
}

/// Prints findings for people: errors first, and how to see those that do not fit.
pub fn print(findings: &[Finding], output: &mut Output) -> Result<(), Stop> {
    let errors = findings.iter().filter(|finding| finding.severity == FindingSeverity::Error);
    let others = findings.iter().filter(|finding| finding.severity != FindingSeverity::Error);
    for finding in errors.chain(others).take(FINDINGS_SHOWN_MAX) {
        print_one(finding, output)?;
    }
    if let Some(more @ 1..) = findings.len().checked_sub(FINDINGS_SHOWN_MAX) {
        output.line(&format!("... and {more} more: see `mxseal status -o json` or `mxseal check`"))?;
    }
    Ok(())
}

fn print_one(finding: &Finding, output: &mut Output) -> Result<(), Stop> {
    let tone = if finding.severity == FindingSeverity::Error { Tone::Bad } else { Tone::Caution };
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
