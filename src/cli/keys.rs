//! `keys`: the life of zone keys, as the server tells it, and what can be done without one.
//!
//! Nothing here decides about a roll: the server does, and says what it decided.

mod calendar;
mod change;
mod export;
mod import;
mod lead;
mod plan;
mod simulate;
mod status;

use super::args::KeysVerb;
use super::context::Context;
use super::failure::{Exit, Stop};
use super::lives;
use crate::cli::screen::output::Output;
use crate::cli::screen::words::zone_stem;
use status::Zones;

/// Does what `verb` says.
pub fn run(context: &Context, verb: &KeysVerb, output: &mut Output) -> Result<Exit, Stop> {
    match verb {
        KeysVerb::Status { zone } => lives::status::<Zones>(context, zone.as_deref(), output),
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
