//! `reload`: everything is read anew, and the command ends when the new state answers.
//!
//! What the shrink guard holds is exit 4, never a success.

use super::client::{self, End};
use super::context::Context;
use super::failure::{Exit, Failure, Stop};
use super::status;
use crate::cli::screen::output::Output;
use crate::cli::screen::tone::Tone;
use crate::cli::screen::{findings, progress};
use crate::protocol::request::{ServerRequest, ViewRequest};
use crate::protocol::{Finding, ZoneInfo};

/// Reloads, and prints what was found.
pub fn run(context: &Context, allow_shrink: bool, output: &mut Output) -> Result<Exit, Stop> {
    let request = ServerRequest::Reload { allow_shrink }.into();
    let asked = progress::during("waiting until the new state answers", || {
        context.client.all::<Finding>(&request, client::PATIENCE_RELOAD)
    });
    let (findings, end) = asked?;
    if output.is_json() {
        for finding in &findings {
            output.object(finding)?;
        }
    } else {
        findings::print(&findings, output)?;
    }
    match end.exit {
        Exit::Refused => Err(held(context, end)?.into()),
        // The findings are the message.
        Exit::Failure if findings::exit_of(&findings) == Exit::Failure => Ok(Exit::Failure),
        Exit::Ok => finish(context, findings::exit_of(&findings), output),
        Exit::Failure | Exit::Usage | Exit::Unreachable | Exit::TimedOut => {
            end.check()?;
            Ok(Exit::Failure)
        }
    }
}

fn finish(context: &Context, exit: Exit, output: &mut Output) -> Result<Exit, Stop> {
    if exit == Exit::Ok {
        let snapshot = status::ask(context)?.snapshot;
        if output.is_json() {
            output.object(&serde_json::json!({ "reloaded": true, "snapshot": snapshot }))?;
            return Ok(exit);
        }
        let word = output.tone(Tone::Good, "reloaded");
        output.line(&format!("{word}: snapshot {snapshot} answers"))?;
    }
    Ok(exit)
}

/// Which zones the guard holds, and how many removals of how many tenants.
fn held(context: &Context, end: End) -> Result<Failure, Stop> {
    let zones: Vec<ZoneInfo> = context.client.list(&ViewRequest::ZoneList.into())?;
    let counts: Vec<String> = zones
        .iter()
        .filter(|zone| zone.held > 0)
        .map(|zone| format!("{} (removes {} of {} tenants)", zone.zone, zone.held, zone.tenants))
        .collect();
    if counts.is_empty() {
        // Something else was refused, such as a zone that is to be unsigned at once: a finding above says what to do.
        return Ok(Failure::new(Exit::Refused, end.message, ""));
    }
    let message = format!("the shrink guard holds removals back: {}", counts.join(", "));
    let help = "nothing was removed; if that many are to go, run `mxseal reload --allow-shrink`";
    Ok(Failure::new(Exit::Refused, message, help))
}
