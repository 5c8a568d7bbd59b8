//! `cert status` and `cert plan`: what is, what waits, what a person must do, and what comes when.
//!
//! It adds nothing to what the server says.

use super::super::args::CertPlanAsked;
use super::super::context::Context;
use super::super::failure::{Exit, Stop};
use super::super::keys::plan::{steps, write};
use super::super::pool::keys::{self, SHORT};
use crate::cli::screen::output::Output;
use crate::cli::screen::story::Story;
use crate::cli::screen::svg::{self, Part};
use crate::cli::screen::table::{Table, plain};
use crate::cli::screen::tone::Tone;
use crate::cli::screen::words::{minute, span};
use crate::protocol::request::{CertRequest, KeysRequest};
use crate::protocol::{CertInfo, CertPlan, CertStanding, CertificateInfo, KeysPlan, PlannedStep};

/// Asks and prints; exit 1 where something stands in the way.
pub fn status(context: &Context, pool: Option<&str>, output: &mut Output) -> Result<Exit, Stop> {
    let request = CertRequest::Status { pool: pool.map(str::to_owned) }.into();
    let (pools, end) = super::ask::<CertInfo>(context, &request, pool)?;
    for (count, info) in pools.iter().enumerate() {
        if output.is_json() {
            output.object(info)?;
            continue;
        }
        if count > 0 {
            output.line("")?;
        }
        print(info, output)?;
    }
    end.check()?;
    let stands_still =
        |info: &CertInfo| matches!(info.state, CertStanding::Frozen | CertStanding::Unknown) || !info.must.is_empty();
    Ok(if pools.iter().any(stands_still) { Exit::Failure } else { Exit::Ok })
}

/// Prints one pool.
pub fn print(info: &CertInfo, output: &mut Output) -> Result<(), Stop> {
    let tone = match info.state {
        CertStanding::AtRest | CertStanding::Rolling | CertStanding::Staging => Tone::Good,
        CertStanding::Frozen | CertStanding::Unknown => Tone::Bad,
    };
    let name = output.tone(Tone::Strong, &format!("pool {}", info.pool));
    let state = output.tone(tone, &info.state.to_string());
    output.line(&format!("{name}    {state}    serving snapshot {}    {} tenants", info.snapshot, info.tenants))?;
    let story = Story {
        done: &info.done,
        waits: &info.waits,
        blockers: &info.blockers,
        must: &info.must,
        will: &info.will,
        next_at: info.next_at,
        clock: &info.clock,
        is_silent: false,
        now: info.now,
    };
    output.table(&story.sentences())?;
    output.line("")?;
    output.table(&keys::keys(info))?;
    if !info.certificates.is_empty() {
        output.line("")?;
        output.table(&certificates(&info.certificates, info.now))?;
    }
    Ok(())
}

fn certificates(certificates: &[CertificateInfo], now: u64) -> Table {
    let mut table = Table::new(&["certificate", "key", "ends", "names", "remarks"]);
    for one in certificates {
        let left = one.not_after.saturating_sub(now);
        let third = one.not_after.saturating_sub(one.not_before) / 3;
        let tone = if left == 0 {
            Tone::Bad
        } else if left < third {
            Tone::Caution
        } else {
            Tone::Plain
        };
        let ends = if left == 0 { format!("ended {}", minute(one.not_after)) } else { format!("in {}", span(left)) };
        table.row(vec![
            plain(&one.file),
            plain(one.spki.chars().take(SHORT).collect::<String>()),
            (tone, ends),
            plain(one.names.join(" ")),
            (Tone::Caution, one.warnings.join("; ")),
        ]);
    }
    table.without_empty()
}

/// The calendar of certificates and zone keys together.
pub fn plan(context: &Context, asked: &CertPlanAsked, output: &mut Output) -> Result<Exit, Stop> {
    let request = CertRequest::Plan { pool: asked.pool.clone(), days: asked.days }.into();
    let (pools, end) = super::ask::<CertPlan>(context, &request, asked.pool.as_deref())?;
    end.check()?;
    let zones: Vec<KeysPlan> = match asked.no_keys {
        true => Vec::new(),
        false => context.client.list(&KeysRequest::Plan { zone: None, days: asked.days }.into())?,
    };
    if let Some(file) = &asked.svg {
        let parts: Vec<Part<'_>> = pools.iter().map(Part::from).chain(zones.iter().map(Part::from)).collect();
        write(file, &svg::text(&parts), output)?;
        return Ok(Exit::Ok);
    }
    if output.is_json() {
        pools.iter().try_for_each(|plan| output.object(plan))?;
        zones.iter().try_for_each(|plan| output.object(plan))?;
        return Ok(Exit::Ok);
    }
    let blockers = pools.iter().flat_map(|plan| plan.blockers.iter().map(move |blocker| (&plan.pool, blocker)));
    for (pool, blocker) in blockers {
        let mark = output.tone(Tone::Caution, "assumed to be mended at once:");
        output.line(&format!("{mark} pool {pool}: {}", output.tone(Tone::Plain, &blocker.what)))?;
    }
    let all = joint(&pools, &zones);
    if all.is_empty() {
        output.line(&format!("nothing to do within {} days", asked.days))?;
    }
    let from = pools.iter().map(|plan| plan.from).chain(zones.iter().map(|plan| plan.from)).max().unwrap_or(0);
    output.table(&steps(&all, from))?;
    Ok(Exit::Ok)
}

/// All steps in the order of time, each with whose it is.
fn joint(pools: &[CertPlan], zones: &[KeysPlan]) -> Vec<PlannedStep> {
    let named =
        |whose: String, step: &PlannedStep| PlannedStep { text: format!("{whose}: {}", step.text), ..step.clone() };
    let of_pools =
        pools.iter().flat_map(|plan| plan.steps.iter().map(|step| named(format!("pool {}", plan.pool), step)));
    let of_zones = zones.iter().flat_map(|plan| {
        plan.steps.iter().map(|step| named(format!("zone {}", plan.zone.trim_end_matches('.')), step))
    });
    let mut all: Vec<PlannedStep> = of_pools.chain(of_zones).collect();
    all.sort_by_key(|step| step.at);
    all
}
