//! `keys plan`: the calendar of keys as a table, as iCalendar, or as a picture.

use super::super::args::Plan;
use super::super::context::Context;
use super::super::failure::{Exit, Stop};
use super::{Zones, calendar};
use crate::cli::lives::{ask, plan};
use crate::cli::screen::file::write;
use crate::cli::screen::output::Output;
use crate::cli::screen::svg::Part;
use crate::cli::screen::tone::Tone;
use crate::cli::screen::words::{minute, zone_stem};
use crate::protocol::request::KeysRequest;
use crate::protocol::{KeysPlan, PlannedStep, Verb};

/// Asks and prints, or writes.
pub fn run(context: &Context, asked: &Plan, output: &mut Output) -> Result<Exit, Stop> {
    let request = KeysRequest::Plan { zone: asked.zone.as_deref().map(super::apex), days: asked.days }.into();
    let (plans, end) = ask::<Zones, KeysPlan>(context, &request, asked.zone.as_deref())?;
    end.check()?;
    match (&asked.ics, &asked.svg) {
        (Some(file), _) => write(file, &calendar::text(&plans), output)?,
        (None, Some(file)) => plan::picture(file, plans.iter().map(Part::from), output)?,
        (None, None) if output.is_json() => plans.iter().try_for_each(|plan| output.object(plan))?,
        (None, None) => tables(&plans, output)?,
    }
    Ok(Exit::Ok)
}

fn tables(plans: &[KeysPlan], output: &mut Output) -> Result<(), Stop> {
    for (count, KeysPlan { zone, calendar }) in plans.iter().enumerate() {
        if count > 0 {
            output.line("")?;
        }
        let zone = zone_stem(zone);
        let name = output.tone(Tone::Strong, &format!("zone {zone}"));
        output.line(&format!("{name}    until {}", minute(calendar.until)))?;
        plan::mended("  ", "", &calendar.blockers, output)?;
        if calendar.steps.is_empty() {
            output.line("  nothing to do")?;
        }
        output.table(&plan::steps(&calendar.steps, calendar.from))?;
        if is_under_way(&calendar.steps) {
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
