//! `zone list`, `zone show`, `zone ds`: the zones as the server serves them.
//!
//! `zone ds` prints DS records and nothing else, since its output goes to registries.

use super::client;
use super::context::Context;
use super::failure::{Exit, Failure, Stop};
use crate::cli::screen::findings;
use crate::cli::screen::output::Output;
use crate::cli::screen::table::{Table, plain};
use crate::cli::screen::tone::Tone;
use crate::cli::screen::words::{nearest, tone_of_zone, yes, zone_stem};
use crate::config::Config;
use crate::protocol::request::ViewRequest;
use crate::protocol::{Finding, ZoneInfo};

/// Prints all zones.
pub fn list(context: &Context, output: &mut Output) -> Result<Exit, Stop> {
    let zones: Vec<ZoneInfo> = context.client.list(&ViewRequest::ZoneList.into())?;
    if output.is_json() {
        for zone in &zones {
            output.object(zone)?;
        }
        return Ok(Exit::Ok);
    }
    output.table(&overview(&zones))?;
    Ok(Exit::Ok)
}

/// The table of zones, also a part of `status`.
pub fn overview(zones: &[ZoneInfo]) -> Table {
    let mut table = Table::new(&["zone", "signed", "state", "tenants", "broken", "held"]).numbers(&[3, 4, 5]);
    for zone in zones {
        let worry = |count: u64| (if count == 0 { Tone::Plain } else { Tone::Bad }, count.to_string());
        table.row(vec![
            plain(&zone.zone),
            plain(yes(zone.signed)),
            (tone_of_zone(zone.state), zone.state.to_string()),
            plain(zone.tenants.to_string()),
            worry(zone.broken),
            worry(zone.held),
        ]);
    }
    table
}

/// Prints one zone and what is wrong with it.
pub fn show(context: &Context, zone: &str, output: &mut Output) -> Result<Exit, Stop> {
    let (info, findings) = ask(context, zone)?;
    let exit = findings::exit_of(&findings);
    if output.is_json() {
        let mut object = serde_json::json!(info);
        object["findings"] = serde_json::json!(findings);
        output.object(&object)?;
        return Ok(exit);
    }
    let mut table = Table::plain(2);
    let mut row = |label: &str, cell: (Tone, String)| table.row(vec![(Tone::Strong, label.to_owned()), cell]);
    row("zone", plain(&info.zone));
    row("state", (tone_of_zone(info.state), info.state.to_string()));
    row("file", plain(&info.file));
    row("serial", plain(info.serial.to_string()));
    row("records", plain(info.records.to_string()));
    row("tenants", plain(format!("{} ({} broken, {} held)", info.tenants, info.broken, info.held)));
    row("parent", plain(info.parent.as_deref().unwrap_or("not served here")));
    row("signed", plain(yes(info.signed)));
    if info.signed {
        let tags: Vec<String> = info.keys.iter().map(u16::to_string).collect();
        row("keys", plain(tags.join(" ")));
        for ds in &info.ds {
            row("ds", plain(ds));
        }
    }
    output.table(&table)?;
    findings::spaced(&findings, output)?;
    Ok(exit)
}

/// Prints the DS records of a zone.
pub fn ds(context: &Context, zone: &str, output: &mut Output) -> Result<Exit, Stop> {
    let (apex, records) = match ask(context, zone) {
        Ok((info, _)) => (info.zone, info.ds),
        Err(Stop::Failed(failure)) if failure.exit == Exit::Unreachable => {
            let offline = ds_from_keys(&context.config, zone);
            (format!("{}.", zone_stem(zone)), offline.ok_or(Stop::Failed(failure))?)
        }
        Err(stop) => return Err(stop),
    };
    if records.is_empty() {
        let help = "an unsigned zone, and one without keys, has none: see `mxseal zone show`";
        return Err(Failure::new(Exit::Failure, format!("zone {apex} has no DS"), help).into());
    }
    for record in records {
        if output.is_json() {
            output.object(&serde_json::json!({ "zone": apex, "ds": record }))?;
        } else {
            output.line(&output.tone(Tone::Plain, &record))?;
        }
    }
    Ok(Exit::Ok)
}

/// The DS records that the key files of a zone give while no server runs; `None` where they cannot be had that way.
fn ds_from_keys(config: &Config, zone: &str) -> Option<Vec<String>> {
    crate::control::ds_from_keys(&config.keys, &zone_stem(zone))
}

fn ask(context: &Context, zone: &str) -> Result<(ZoneInfo, Vec<Finding>), Stop> {
    let request = ViewRequest::ZoneShow { zone: format!("{}.", zone_stem(zone)) }.into();
    let (items, end) = context.client.all::<serde_json::Value>(&request, client::PATIENCE)?;
    let mut items = items.into_iter();
    let Some(first) = items.next() else {
        return Err(unknown(context, zone, end)?.into());
    };
    // What stands against the zone comes as findings, so its end may be a bad one too.
    Ok((client::read(first)?, items.map(client::read).collect::<Result<_, Stop>>()?))
}

fn unknown(context: &Context, zone: &str, end: client::End) -> Result<Failure, Stop> {
    let zones: Vec<ZoneInfo> = context.client.list(&ViewRequest::ZoneList.into())?;
    let stems: Vec<String> = zones.iter().map(|info| zone_stem(&info.zone)).collect();
    let known = stems.iter().map(String::as_str);
    if known.clone().any(|stem| stem == zone_stem(zone)) {
        return Ok(Failure::new(end.exit, end.message, ""));
    }
    let help = nearest("zone", &zone_stem(zone), known);
    Ok(Failure::new(Exit::Failure, format!("zone {} is not served here", zone_stem(zone)), help))
}
