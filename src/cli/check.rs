//! `check`: everything that is wrong in the operator's files, at once, without a server.
//!
//! It judges as the server will: as its user, and with what that one needs from the host. It changes nothing.

mod user;

use super::context;
use super::failure::{Exit, Stop};
use crate::cli::screen::output::Output;
use crate::cli::screen::words::counted;
use crate::config::Config;
use crate::control;
use crate::diagnostic::{Diagnostic, Severity};
use crate::render;
use crate::serve::encrypted::{self, Certificate};
use crate::time;
use std::path::Path;

/// Checks, and prints what was found; errors are exit 1, warnings are not.
pub fn run(given: Option<&Path>, output: &mut Output) -> Result<Exit, Stop> {
    let file = context::find(given)?;
    let (found, sound, seen) = match context::read(&file) {
        Ok((config, warnings)) => {
            let (found, seen) = examine(&file, &config, warnings);
            (found, true, Some(seen))
        }
        // Findings are what was asked for, so they go to standard output; a file that cannot be read has none.
        Err(failure) if !failure.findings.is_empty() => (failure.findings, false, None),
        Err(failure) => return Err(failure.into()),
    };
    print(&file, &found, seen.as_ref(), output)?;
    let wrong = !sound || found.iter().any(|finding| finding.severity == Severity::Error);
    Ok(if wrong { Exit::Failure } else { Exit::Ok })
}

/// All findings, then what was read: whoever sees `nothing is wrong` should see of what.
fn print(file: &Path, found: &[Diagnostic], seen: Option<&control::Examined>, output: &mut Output) -> Result<(), Stop> {
    let count = |severity| found.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if output.is_json() {
        for finding in found {
            output.line(&render::json_line(finding))?;
        }
        let Some(control::Examined { zones, tenants, pools, passed_over }) = seen else { return Ok(()) };
        return output.object(&serde_json::json!({
            "errors": errors, "warnings": warnings, "zones": zones, "tenants": tenants, "pools": pools,
            "passed_over": passed_over,
        }));
    }
    let text = render::text(found, output.colour());
    output.raw(text.as_bytes())?;
    let Some(seen) = seen else { return Ok(()) };
    if !found.is_empty() {
        output.line("")?;
    }
    let verdict = match (errors, warnings) {
        (0, 0) => "nothing is wrong".to_owned(),
        (0, _) => counted(warnings, "warning"),
        (_, 0) => counted(errors, "error"),
        (..) => format!("{}, {}", counted(errors, "error"), counted(warnings, "warning")),
    };
    output.line(&format!("{}: {verdict}: {}", file.display(), read_words(seen)))
}

/// Files of no known kind that are named in a line, at most.
const PASSED_OVER_SHOWN: usize = 5;

/// `4 zones, 20,000 tenants, 5 pools; 1 file is of no known kind: README`.
fn read_words(seen: &control::Examined) -> String {
    let mut text = format!(
        "{}, {}, {}",
        counted(seen.zones, "zone"),
        counted(seen.tenants, "tenant"),
        counted(seen.pools, "pool")
    );
    let passed = &seen.passed_over;
    if !passed.is_empty() {
        let verb = if passed.len() == 1 { "is" } else { "are" };
        let shown = passed.iter().take(PASSED_OVER_SHOWN).cloned().collect::<Vec<_>>().join(", ");
        let more = if passed.len() > PASSED_OVER_SHOWN { ", …" } else { "" };
        text.push_str(&format!("; {} {verb} of no known kind: {shown}{more}", counted(passed.len(), "file")));
    }
    text
}

/// Everything that is wrong in the files that a sound configuration names, and on the host, after what the configuration
/// warns of.
fn examine(file: &Path, config: &Config, warnings: Vec<Diagnostic>) -> (Vec<Diagnostic>, control::Examined) {
    let mut found = warnings;
    // A start reads these two before it gives root up.
    found.extend(encrypted_certificate(config));
    found.extend(user::become_server(config));
    found.extend(user::rereads(file));
    found.extend(control::foresee::host(config));
    let (more, seen) = control::examine(config);
    // What only follows from a folder that cannot be used is not said again.
    let has = |code: &str| found.iter().any(|finding| finding.code == code);
    let (no_zones, no_keys) = (has(control::foresee::NO_ZONES), has(control::foresee::NO_KEYS));
    let zones = config.zones.display().to_string();
    let follows = |finding: &Diagnostic| {
        let of_zones = finding.place.file == zones || control::foresee::NEEDS_ZONES.contains(&finding.code);
        (no_zones && of_zones) || (no_keys && finding.code.starts_with("MX50"))
    };
    found.extend(more.into_iter().filter(|finding| !follows(finding)));
    found.dedup();
    (found, seen)
}

fn encrypted_certificate(config: &Config) -> Option<Diagnostic> {
    let (certificate, key) = config.encrypted.identity.clone()?;
    let is_used = !(config.encrypted.dot.is_empty() && config.encrypted.doq.is_empty());
    let files = Certificate::Files { certificate, key };
    let fault = encrypted::load(&files, time::now()).err().filter(|_| is_used)?;
    let help = "mend the file or its path; without it the server does not start";
    Some(Diagnostic::error("MX1038", config.places.of("encrypted.certificate"), fault.to_string(), help))
}
