//! `check`: everything that is wrong in the operator's files, at once, without a server.

use super::context;
use super::failure::{Exit, Stop};
use super::output::Output;
use crate::config::Config;
use crate::diagnostic::{Diagnostic, Severity};
use crate::render;
use std::path::Path;

/// Checks, and prints what was found; errors are exit 1, warnings are not.
pub fn run(given: Option<&Path>, output: &mut Output) -> Result<Exit, Stop> {
    let file = context::find(given)?;
    let (found, sound) = match context::read(&file) {
        Ok((config, warnings)) => (examine(&config, warnings), true),
        // Findings are what was asked for, so they go to standard output; a file that cannot be read has none.
        Err(failure) if !failure.findings.is_empty() => (failure.findings, false),
        Err(failure) => return Err(failure.into()),
    };
    if output.is_json() {
        for finding in &found {
            output.line(&render::json_line(finding))?;
        }
    } else if found.is_empty() {
        output.line(&format!("{}: nothing is wrong", file.display()))?;
    } else {
        let text = render::text(&found, output.colour());
        output.raw(text.as_bytes())?;
    }
    let wrong = !sound || found.iter().any(|finding| finding.severity == Severity::Error);
    Ok(if wrong { Exit::Failure } else { Exit::Ok })
}

/// Everything that is wrong in the files that a sound configuration names, after what the configuration warns of.
fn examine(config: &Config, warnings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    warnings.into_iter().chain(crate::control::examine(config)).collect()
}
