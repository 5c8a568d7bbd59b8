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
use super::context::Context;
use super::failure::{Exit, Stop};
use super::lives;
use crate::cli::screen::output::Output;
use show::Pools;

/// Does what `verb` says.
pub fn run(context: &Context, verb: &CertVerb, output: &mut Output) -> Result<Exit, Stop> {
    match verb {
        CertVerb::Status { pool } => lives::status::<Pools>(context, pool.as_deref(), output),
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
