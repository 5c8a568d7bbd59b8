//! `cert status` and `cert plan`: what is, what waits, what a person must do, and what comes when.
//!
//! It adds nothing to what the server says.

use super::super::args::CertPlanAsked;
use super::super::context::Context;
use super::super::failure::{Exit, Failure, Stop};
use super::super::pool::keys::{self, SHORT};
use super::super::pool::no_such;
use crate::cli::lives::{Kind, ask, plan};
use crate::cli::screen::output::Output;
use crate::cli::screen::story::{Around, sentences};
use crate::cli::screen::svg::Part;
use crate::cli::screen::table::{Table, plain};
use crate::cli::screen::tone::Tone;
use crate::cli::screen::words::{minute, span, zone_stem};
use crate::protocol::request::{CertRequest, KeysRequest, ViewRequest};
use crate::protocol::{
    Calendar, CertInfo, CertPlan, CertStanding, CertificateInfo, KeysPlan, PlannedStep, PoolInfo, Request,
};

/// Pools, whose TLSA, addresses and hosts' keys live by facts.
pub struct Pools;

impl Kind for Pools {
    type Info = CertInfo;

    const UNCHANGED: &'static str = "Nothing was changed.";

    fn status(pool: Option<&str>) -> Request {
        CertRequest::Status { pool: pool.map(str::to_owned) }.into()
    }

    fn unknown(context: &Context, pool: &str) -> Result<Option<Failure>, Stop> {
        let pools: Vec<PoolInfo> = context.client.list(&ViewRequest::PoolList.into())?;
        Ok(pools.iter().all(|info| info.pool != pool).then(|| no_such(pool, &pools)))
    }

    fn stands_still(info: &CertInfo) -> bool {
        matches!(info.state, CertStanding::Frozen | CertStanding::Unknown) || !info.story.must.is_empty()
    }

    fn print(info: &CertInfo, _alone: bool, output: &mut Output) -> Result<(), Stop> {
        let tone = match info.state {
            CertStanding::AtRest | CertStanding::Rolling | CertStanding::Staging => Tone::Good,
            CertStanding::Frozen | CertStanding::Unknown => Tone::Bad,
        };
        let name = output.tone(Tone::Strong, &format!("pool {}", info.pool));
        let state = output.tone(tone, &info.state.to_string());
        output.line(&format!("{name}    {state}    serving snapshot {}    {} tenants", info.snapshot, info.tenants))?;
        output.table(&sentences(&info.story, Around { clock: &info.clock, is_silent: false, now: info.now }))?;
        output.line("")?;
        output.table(&keys::keys(info))?;
        if !info.certificates.is_empty() {
            output.line("")?;
            output.table(&certificates(&info.certificates, info.now))?;
        }
        Ok(())
    }

    fn notes(info: &CertInfo) -> &[String] {
        &info.notes
    }
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
    let (pools, end) = ask::<Pools, CertPlan>(context, &request, asked.pool.as_deref())?;
    end.check()?;
    let zones: Vec<KeysPlan> = match asked.no_keys {
        true => Vec::new(),
        false => context.client.list(&KeysRequest::Plan { zone: None, days: asked.days }.into())?,
    };
    if let Some(file) = &asked.svg {
        plan::picture(file, pools.iter().map(Part::from).chain(zones.iter().map(Part::from)), output)?;
    } else if output.is_json() {
        pools.iter().try_for_each(|plan| output.object(plan))?;
        zones.iter().try_for_each(|plan| output.object(plan))?;
    } else {
        table(&pools, &zones, asked.days, output)?;
    }
    Ok(Exit::Ok)
}

/// All steps in the order of time, each with whose it is.
fn table(pools: &[CertPlan], zones: &[KeysPlan], days: u64, output: &mut Output) -> Result<(), Stop> {
    let (mut all, mut from) = (Vec::new(), 0);
    for CertPlan { pool, calendar } in pools {
        let whose = format!("pool {pool}: ");
        plan::mended("", &whose, &calendar.blockers, output)?;
        all.extend(steps_of(&whose, calendar));
        from = calendar.from.max(from);
    }
    for KeysPlan { zone, calendar } in zones {
        all.extend(steps_of(&format!("zone {}: ", zone_stem(zone)), calendar));
        from = calendar.from.max(from);
    }
    all.sort_by_key(|step| step.at);
    if all.is_empty() {
        output.line(&format!("nothing to do within {days} days"))?;
    }
    output.table(&plan::steps(&all, from))
}

/// The steps of a calendar, with whose they are.
fn steps_of<B>(whose: &str, calendar: &Calendar<B>) -> impl Iterator<Item = PlannedStep> {
    calendar.steps.iter().map(move |step| PlannedStep { text: format!("{whose}{}", step.text), ..step.clone() })
}
