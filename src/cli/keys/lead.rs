//! `keys lead`: of two servers that use the same keys, this one rolls them.
//!
//! The server alone decides; a dry run asks the same question.

use super::super::args::Lead;
use super::super::context::Context;
use super::super::failure::{Exit, Failure, Stop};
use super::Zones;
use crate::cli::lives::ask;
use crate::cli::screen::output::Output;
use crate::protocol::request::KeysRequest;
use crate::protocol::{LeadAsked, LeadInfo};

/// Says that the server leads.
pub fn run(context: &Context, asked: &Lead, output: &mut Output) -> Result<Exit, Stop> {
    let request = KeysRequest::Lead(LeadAsked { reason: asked.reason.clone(), dry_run: asked.dry_run }).into();
    let (items, end) = ask::<Zones, LeadInfo>(context, &request, None)?;
    end.check()?;
    let missing = || Failure::new(Exit::Failure, "the server sent no answer", "see its log");
    let info = items.into_iter().next().ok_or_else(missing)?;
    if output.is_json() {
        output.object(&info)?;
        return Ok(Exit::Ok);
    }
    if info.restart {
        output.line("This server leads from its next start on: start it again now.")?;
        output
            .line("Until then it writes nothing: another server may have written in these files since it read them.")?;
        return Ok(Exit::Ok);
    }
    output.line(&match (info.before.as_str(), asked.dry_run) {
        ("", _) => "This server leads already: nothing was changed.".to_owned(),
        (before, true) => format!("Nothing was changed. It would end: {before}."),
        (before, false) => format!("This server leads now, and rolls go on. Ended: {before}."),
    })?;
    Ok(Exit::Ok)
}
