//! `pool list` and `pool show`: the fleets of mail hosts that tenants share.

mod hosts;
pub mod keys;

use super::client;
use super::context::Context;
use super::failure::{Exit, Failure, Stop};
use crate::cli::screen::output::Output;
use crate::cli::screen::table::{Table, plain};
use crate::cli::screen::tone::Tone;
use crate::cli::screen::words::{nearest, tone_of_pool};
use crate::protocol::PoolInfo;
use crate::protocol::request::{PoolRequest, ViewRequest};

/// Prints all pools.
pub fn list(context: &Context, output: &mut Output) -> Result<Exit, Stop> {
    let pools: Vec<PoolInfo> = context.client.list(&ViewRequest::PoolList.into())?;
    if output.is_json() {
        for pool in &pools {
            output.object(pool)?;
        }
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&["pool", "state", "tenants", "addresses", "tlsa", "source"]).numbers(&[2, 4]);
    for pool in &pools {
        table.row(vec![
            plain(&pool.pool),
            (tone_of_pool(pool.state), pool.state.to_string()),
            plain(pool.tenants.to_string()),
            plain(pool.addresses.join(" ")),
            plain(pool.tlsa.len().to_string()),
            plain(&pool.source),
        ]);
    }
    output.table(&table)?;
    Ok(Exit::Ok)
}

/// Prints one pool; one that is broken is a failure.
pub fn show(context: &Context, pool: &str, output: &mut Output) -> Result<Exit, Stop> {
    let request = PoolRequest::Show { pool: pool.to_owned() }.into();
    let (items, end) = context.client.all::<PoolInfo>(&request, client::PATIENCE)?;
    let Some(info) = items.into_iter().next() else {
        return Err(unknown(context, pool, end)?.into());
    };
    let exit = if info.reasons.is_empty() { Exit::Ok } else { Exit::Failure };
    if output.is_json() {
        output.object(&info)?;
        return Ok(exit);
    }
    let mut table = Table::plain(2);
    let mut row = |label: &str, cell: (Tone, String)| table.row(vec![(Tone::Strong, label.to_owned()), cell]);
    row("pool", plain(&info.pool));
    row("state", (tone_of_pool(info.state), info.state.to_string()));
    row("source", plain(&info.source));
    row("tenants", plain(info.tenants.to_string()));
    info.addresses.iter().for_each(|address| row("address", plain(address)));
    info.certificates.iter().for_each(|certificate| row("certificate", plain(certificate)));
    info.tlsa.iter().for_each(|tlsa| row("tlsa", plain(tlsa)));
    info.reasons.iter().for_each(|reason| row("reason", (Tone::Bad, reason.clone())));
    output.table(&table)?;
    if let Some(life) = &info.life {
        output.line("")?;
        output.table(&hosts::hosts(&life.hosts, life.now))?;
        output.line("")?;
        output.table(&keys::keys(life))?;
    }
    Ok(exit)
}

fn unknown(context: &Context, pool: &str, end: client::End) -> Result<Failure, Stop> {
    let pools: Vec<PoolInfo> = context.client.list(&ViewRequest::PoolList.into())?;
    if pools.iter().any(|info| info.pool == pool) {
        return Ok(Failure::new(end.exit, end.message, ""));
    }
    Ok(no_such(pool, &pools))
}

/// The failure that names the nearest pool.
pub fn no_such(pool: &str, pools: &[PoolInfo]) -> Failure {
    let help = nearest("pool", pool, pools.iter().map(|info| info.pool.as_str()));
    Failure::new(Exit::Failure, format!("there is no pool `{pool}`"), help)
}
