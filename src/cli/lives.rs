//! What commands have in common about all that lives by facts: `mxseal keys` asks about zones, `mxseal cert` about pools.
//!
//! It adds nothing to what the server says. Each verb of both is one line of this table; what it asks for and prints beside
//! that stands with its kind:
//!
//! | verb | kind | is answered with | as |
//! |---|---|---|---|
//! | `status` | both | a report of each, or of one | [`status`] |
//! | `plan` | both | a calendar of each, or of one | [`plan`] |
//! | `resume` | both | the report of after | [`change`] |
//! | `hold` | zones | the report of after | [`change`] |
//! | `stage`, `adopt`, `drop` | pools | the report of after | [`change`] |
//! | `import` | zones | the report of after | [`ask_one`] |
//! | `roll` | zones | the calendar of the roll | [`ask_one`] |
//! | `lead`, `csr` | each its own | what was asked for | [`ask_one`] |
//! | `permit` | pools | yes or no, and from when on | [`ask`] |
//! | `export`, `simulate`, `rotate`, `tlsa` | each its own | no answer of this form | |

pub mod plan;

use super::client::{self, End};
use super::context::Context;
use super::failure::{Exit, Failure, Stop};
use crate::cli::screen::output::Output;
use crate::protocol::Request;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kind of things that live by facts, as commands show them.
pub trait Kind {
    /// The report of one.
    type Info: DeserializeOwned + Serialize;

    /// What is said before the report of a dry run.
    const UNCHANGED: &'static str;

    /// Asks for the report of one, or of each.
    fn status(name: Option<&str>) -> Request;

    /// That there is none of this name, with the nearest one; none: there is.
    ///
    /// # Errors
    /// The server does not say which there are.
    fn unknown(context: &Context, name: &str) -> Result<Option<Failure>, Stop>;

    /// Whether something stands in the way that the server does not get over alone.
    fn stands_still(info: &Self::Info) -> bool;

    /// Prints the report of one. `alone`: no other was asked for, so all of it.
    ///
    /// # Errors
    /// As [`Output::line`].
    fn print(info: &Self::Info, alone: bool, output: &mut Output) -> Result<(), Stop>;

    /// What a change leads to that was not asked for, a line each.
    fn notes(_info: &Self::Info) -> &[String] {
        &[]
    }
}

/// Something that a verb asks for, which is answered with the report of after.
pub struct Change<'a> {
    /// Of which zone or pool.
    pub name: &'a str,
    /// What.
    pub request: Request,
    /// Whether it is only tried.
    pub dry_run: bool,
}

/// Asks and prints; exit 1 where something stands in the way.
pub fn status<K: Kind>(context: &Context, name: Option<&str>, output: &mut Output) -> Result<Exit, Stop> {
    let (all, end) = ask::<K, K::Info>(context, &K::status(name), name)?;
    for (count, info) in all.iter().enumerate() {
        if output.is_json() {
            output.object(info)?;
            continue;
        }
        if count > 0 {
            output.line("")?;
        }
        K::print(info, name.is_some(), output)?;
    }
    let is_stopped = all.iter().any(K::stands_still);
    // What stands in the way was printed, and is the message.
    if !(is_stopped && end.exit == Exit::Failure) {
        end.check()?;
    }
    Ok(if is_stopped { Exit::Failure } else { Exit::Ok })
}

/// Asks for a change, and prints the report of after.
pub fn change<K: Kind>(context: &Context, asked: Change<'_>, output: &mut Output) -> Result<K::Info, Stop> {
    let info = ask_one::<K, K::Info>(context, &asked.request, asked.name)?;
    show::<K>(&info, asked.dry_run, output)?;
    Ok(info)
}

/// Prints the report of after a change.
pub fn show<K: Kind>(info: &K::Info, dry_run: bool, output: &mut Output) -> Result<(), Stop> {
    if output.is_json() {
        return output.object(info);
    }
    if dry_run {
        output.line(K::UNCHANGED)?;
    }
    K::notes(info).iter().try_for_each(|note| output.line(note))?;
    K::print(info, false, output)
}

/// Asks about one or all; one that is not there is answered with the nearest name.
pub fn ask<K: Kind, T: DeserializeOwned>(
    context: &Context,
    request: &Request,
    name: Option<&str>,
) -> Result<(Vec<T>, End), Stop> {
    let (items, end) = context.client.all(request, client::PATIENCE)?;
    if let Some(name) = name.filter(|_| items.is_empty() && end.exit == Exit::Failure)
        && let Some(failure) = K::unknown(context, name)?
    {
        return Err(failure.into());
    }
    Ok((items, end))
}

/// Asks about one for one item.
pub fn ask_one<K: Kind, T: DeserializeOwned>(context: &Context, request: &Request, name: &str) -> Result<T, Stop> {
    let (items, end) = ask::<K, T>(context, request, Some(name))?;
    end.check()?;
    let missing = || Failure::new(Exit::Failure, "the server sent no answer", "see its log").into();
    items.into_iter().next().ok_or_else(missing)
}
