//! `keys roll`, `keys hold`, `keys resume`: what changes the life of keys, by the server's decision alone.
//!
//! A dry run asks the same question and prints the same answer.

use super::super::args::{Hold, Resume, Roll};
use super::super::context::Context;
use super::super::failure::{Exit, Stop};
use super::Zones;
use crate::cli::lives::{Change, Kind, ask, ask_one, change, plan, show};
use crate::cli::screen::output::Output;
use crate::cli::screen::tone::Tone;
use crate::cli::screen::words::zone_stem;
use crate::protocol::request::KeysRequest;
use crate::protocol::{KeyRole, KeysInfo, KeysPlan, KeysStanding, PlannedStep, RollAsked, SilenceEnd, Verb};

/// Asks for a roll, and prints its steps with their dates.
pub fn roll(context: &Context, asked: &Roll, output: &mut Output) -> Result<Exit, Stop> {
    let roll = RollAsked {
        role: asked.role.map(KeyRole::from),
        emergency: asked.emergency,
        algorithm: asked.algorithm,
        back: asked.back,
        insecure: asked.insecure,
        confirm: asked.confirm.clone(),
    };
    let request = KeysRequest::Roll { zone: super::apex(&asked.zone), roll, dry_run: asked.dry_run }.into();
    let planned: KeysPlan = ask_one::<Zones, _>(context, &request, &asked.zone)?;
    if output.is_json() {
        output.object(&planned)?;
        return Ok(Exit::Ok);
    }
    let steps: Vec<&PlannedStep> = of_this_roll(&planned.calendar.steps).collect();
    let zone = zone_stem(&asked.zone);
    let what = if asked.dry_run { "it would go like this" } else { "it goes like this" };
    output.line(&format!("{}: {what}", output.tone(Tone::Strong, &format!("zone {zone}"))))?;
    if steps.is_empty() {
        output.line("  nothing to do")?;
    }
    output.table(&plan::steps(steps, planned.calendar.from))?;
    for blocker in &planned.calendar.blockers {
        let mark = output.tone(Tone::Caution, "  in its way now:");
        output.line(&format!(
            "{mark} {}; {}",
            output.tone(Tone::Plain, &blocker.what),
            output.tone(Tone::Plain, &blocker.fix)
        ))?;
    }
    let next = if asked.dry_run { "Nothing was changed." } else { "" };
    let follow = format!("`mxseal keys status {zone}` says at any time what waits and what you must do.");
    output.line(if next.is_empty() { follow.as_str() } else { next })?;
    Ok(Exit::Ok)
}

/// The steps up to the next roll, which the end of a key's life begins; wiping comes a month after all is done.
fn of_this_roll(steps: &[PlannedStep]) -> impl Iterator<Item = &PlannedStep> {
    steps.iter().take_while(|step| step.verb != Verb::Begin).filter(|step| step.verb != Verb::Destroy)
}

/// Stops all steps of a zone.
pub fn hold(context: &Context, asked: &Hold, output: &mut Output) -> Result<Exit, Stop> {
    let (reason, dry_run) = (asked.reason.clone(), asked.dry_run);
    let request = KeysRequest::Hold { zone: super::apex(&asked.zone), reason, dry_run }.into();
    change::<Zones>(context, Change { name: &asked.zone, request, dry_run }, output)?;
    Ok(Exit::Ok)
}

/// Lets them go on, or ends a zone's silence; says what ended and what stays.
pub fn resume(context: &Context, asked: &Resume, output: &mut Output) -> Result<Exit, Stop> {
    let (clock, doubt, dry_run) = (asked.clock, asked.doubt, asked.dry_run);
    let silence = match (asked.new_keys, asked.serve_on) {
        (true, _) => Some(SilenceEnd::NewKeys),
        (false, true) => Some(SilenceEnd::ServeOn),
        (false, false) => None,
    };
    let (before, _) = ask::<Zones, KeysInfo>(context, &Zones::status(Some(&asked.zone)), Some(&asked.zone))?;
    let reason = asked.reason.as_ref().map_or_else(by_whom, |reason| format!("{reason} ({})", by_whom()));
    let (zone, overrule) = (super::apex(&asked.zone), asked.overrule);
    let request = KeysRequest::Resume { zone, reason, clock, overrule, doubt, silence, dry_run }.into();
    if !before.iter().any(is_stopped) && !clock && silence.is_none() && !output.is_json() {
        output.line("Nothing held the steps of this zone.")?;
    }
    let after: KeysInfo = ask_one::<Zones, _>(context, &request, &asked.zone)?;
    if !output.is_json() {
        tell_ended(before.first(), &after, dry_run, output)?;
    }
    show::<Zones>(&after, asked.dry_run, output)?;
    Ok(Exit::Ok)
}

/// What stopped the zone before and does not now, and what still does.
fn tell_ended(before: Option<&KeysInfo>, after: &KeysInfo, dry_run: bool, output: &mut Output) -> Result<(), Stop> {
    let stops =
        |info: &KeysInfo| -> Vec<String> { info.story.blockers.iter().map(|blocker| blocker.what.clone()).collect() };
    let (before, after) = (before.map(stops).unwrap_or_default(), stops(after));
    let ended = if dry_run { "Would end" } else { "Ended" };
    for what in before.iter().filter(|what| !after.contains(what)) {
        output.line(&format!("{ended}: {}.", output.tone(Tone::Plain, what)))?;
    }
    for what in before.iter().filter(|what| after.contains(what)) {
        output.line(&format!("Stays: {}.", output.tone(Tone::Caution, what)))?;
    }
    Ok(())
}

/// Whether there is something that a person may end.
fn is_stopped(info: &KeysInfo) -> bool {
    info.state == KeysStanding::Frozen || info.story.blockers.iter().any(|blocker| blocker.freezes)
}

/// Who resumes, for the journal: the person behind `sudo` too.
fn by_whom() -> String {
    let person = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    person.filter(|name| !name.is_empty()).map_or_else(|| "by command".to_owned(), |name| format!("by {name}"))
}
