//! `cert`: certificates of mail hosts and their TLSA, as the server tells it, and the way to give hosts new ones.
//!
//! Nothing here decides whether a key may be shown: the server does, and says from when on.

mod change;
mod rotate;
mod show;
mod steps;
mod tlsa;

pub use tlsa::run as tlsa;

use super::args::CertVerb;
use super::client::{self, End};
use super::context::Context;
use super::failure::{Exit, Failure, Stop};
use super::pool::no_such;
use crate::cli::screen::output::Output;
use crate::protocol::request::ViewRequest;
use crate::protocol::{PoolInfo, Request};
use serde::de::DeserializeOwned;

/// Does what `verb` says.
pub fn run(context: &Context, verb: &CertVerb, output: &mut Output) -> Result<Exit, Stop> {
    match verb {
        CertVerb::Status { pool } => show::status(context, pool.as_deref(), output),
        CertVerb::Plan(asked) => show::plan(context, asked, output),
        CertVerb::Csr(asked) => change::csr(context, asked, output),
        CertVerb::Stage(asked) => change::stage(context, asked, output),
        CertVerb::Permit(asked) => change::permit(context, asked, output),
        CertVerb::Rotate(asked) => rotate::run(context, asked, output),
        CertVerb::Adopt(asked) => change::adopt(context, asked, output),
        CertVerb::Drop(asked) => change::drop_key(context, asked, output),
        CertVerb::Resume(asked) => change::resume(context, asked, output),
        CertVerb::Tlsa(asked) => tlsa::run(asked, output),
    }
}

/// Asks about one pool or all; one that is not there is answered with the nearest name.
fn ask<T: DeserializeOwned>(context: &Context, request: &Request, pool: Option<&str>) -> Result<(Vec<T>, End), Stop> {
    let (items, end) = context.client.all(request, client::PATIENCE)?;
    if let Some(pool) = pool.filter(|_| items.is_empty() && end.exit == Exit::Failure) {
        let pools: Vec<PoolInfo> = context.client.list(&ViewRequest::PoolList.into())?;
        if pools.iter().all(|info| info.pool != pool) {
            return Err(no_such(pool, &pools).into());
        }
    }
    Ok((items, end))
}

/// Asks about one pool for one item.
fn ask_one<T: DeserializeOwned>(context: &Context, request: &Request, pool: &str) -> Result<T, Stop> {
    let (items, end) = ask(context, request, Some(pool))?;
    end.check()?;
    let missing = || Failure::new(Exit::Failure, "the server sent no answer", "see its log").into();
    items.into_iter().next().ok_or_else(missing)
}
