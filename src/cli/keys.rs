//! `keys`: the life of zone keys, as the server tells it, and what can be done without one.
//!
//! Nothing here decides about a roll: the server does, and says what it decided.

mod calendar;
mod change;
mod export;
mod import;
mod lead;
pub(super) mod plan;
mod simulate;
mod status;

use super::args::KeysVerb;
use super::client::{self, End};
use super::context::Context;
use super::failure::{Exit, Failure, Stop};
use crate::cli::screen::output::Output;
use crate::cli::screen::words::{nearest, zone_stem};
use crate::protocol::request::ViewRequest;
use crate::protocol::{Request, ZoneInfo};
use serde::de::DeserializeOwned;

/// Does what `verb` says.
pub fn run(context: &Context, verb: &KeysVerb, output: &mut Output) -> Result<Exit, Stop> {
    match verb {
        KeysVerb::Status { zone } => status::run(context, zone.as_deref(), output),
        KeysVerb::Plan(asked) => plan::run(context, asked, output),
        KeysVerb::Roll(asked) => change::roll(context, asked, output),
        KeysVerb::Hold(asked) => change::hold(context, asked, output),
        KeysVerb::Resume(asked) => change::resume(context, asked, output),
        KeysVerb::Lead(asked) => lead::run(context, asked, output),
        KeysVerb::Import(asked) => import::run(context, asked, output),
        KeysVerb::Export(asked) => export::run(context, asked, output),
        KeysVerb::Simulate(asked) => simulate::run(context, asked, output),
    }
}

/// A zone's name as requests carry it.
fn apex(zone: &str) -> String {
    format!("{}.", zone_stem(zone))
}

/// Asks about one zone or all; one that is not served here is answered with the nearest name.
fn ask<T: DeserializeOwned>(context: &Context, request: &Request, zone: Option<&str>) -> Result<(Vec<T>, End), Stop> {
    let (items, end) = context.client.all(request, client::PATIENCE)?;
    if let Some(zone) = zone.filter(|_| items.is_empty() && end.exit == Exit::Failure) {
        unknown(context, zone)?;
    }
    Ok((items, end))
}

/// Asks about one zone for one item.
fn ask_one<T: DeserializeOwned>(context: &Context, request: &Request, zone: &str) -> Result<T, Stop> {
    let (items, end) = ask(context, request, Some(zone))?;
    end.check()?;
    let missing = || Failure::new(Exit::Failure, "the server sent no answer", "see its log").into();
    items.into_iter().next().ok_or_else(missing)
}

fn unknown(context: &Context, zone: &str) -> Result<(), Stop> {
    let zones: Vec<ZoneInfo> = context.client.list(&ViewRequest::ZoneList.into())?;
    let stems: Vec<String> = zones.iter().map(|info| zone_stem(&info.zone)).collect();
    let stem = zone_stem(zone);
    if stems.contains(&stem) {
        return Ok(());
    }
    let help = nearest("zone", &stem, stems.iter().map(String::as_str));
    Err(Failure::new(Exit::Failure, format!("zone {stem} is not served here"), help).into())
}
