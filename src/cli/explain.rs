//! `explain`: the answer that the server gives to a question, and why.

use super::client;
use super::context::Context;
use super::failure::{Exit, Failure, Stop};
use crate::cli::screen::output::Output;
use crate::cli::screen::table::{Table, plain};
use crate::cli::screen::tone::Tone;
use crate::cli::screen::words::{moment, relative, span};
use crate::dns::name::{Name, ROOT};
use crate::protocol::Explained;
use crate::protocol::request::ViewRequest;
use crate::time::{UnixTime, now};

/// Asks and prints.
pub fn run(context: &Context, name: &str, rtype: &str, output: &mut Output) -> Result<Exit, Stop> {
    let absolute = Name::parse(name, ROOT).map_err(|fault| {
        Failure::new(Exit::Usage, format!("`{name}` is not a name: {fault}"), "write it as in `contoso-com.mx.example`")
    })?;
    let request = ViewRequest::Explain { name: absolute.to_string(), rtype: rtype.to_ascii_uppercase() }.into();
    let (items, end) = context.client.all::<Explained>(&request, client::PATIENCE)?;
    let Some(explained) = items.into_iter().next() else {
        end.check()?;
        return Err(Failure::new(Exit::Failure, "the server explained nothing", "see its log").into());
    };
    if output.is_json() {
        output.object(&explained)?;
    } else {
        output.table(&head(&explained, now()))?;
        sections(&explained, output)?;
    }
    end.check()?;
    Ok(Exit::Ok)
}

fn head(explained: &Explained, now: UnixTime) -> Table {
    let mut table = Table::plain(2);
    let mut row = |label: &str, cell: (Tone, String)| table.row(vec![(Tone::Strong, label.to_owned()), cell]);
    row("question", plain(format!("{} {}", explained.name, explained.rtype)));
    row("answer", (tone_of_rcode(&explained.rcode), explained.rcode.clone()));
    row("why", plain(&explained.why));
    row("size", plain(format!("{} of {} octets over UDP", explained.octets, explained.octets_max)));
    if let Some(zone) = &explained.zone {
        row("zone", plain(zone));
    }
    if let Some(source) = &explained.source {
        row("source", plain(source));
    }
    if let Some(key) = explained.key {
        row("key", plain(key.to_string()));
    }
    if let Some(from) = explained.signed_from {
        row("signed from", plain(moment(from)));
    }
    if let Some(until) = explained.signed_until {
        let left = match until.checked_sub(now.0) {
            Some(left) => (Tone::Plain, format!("{} ({} left)", moment(until), span(left))),
            None => (Tone::Bad, format!("{} (expired)", moment(until))),
        };
        row("signed until", left);
    }
    if let Some(at) = explained.refresh_at {
        row("next signature", plain(format!("{} ({})", moment(at), relative(at, now))));
    }
    table
}

fn tone_of_rcode(rcode: &str) -> Tone {
    match rcode {
        "NOERROR" => Tone::Good,
        "NXDOMAIN" => Tone::Caution,
        // Refusals and failures.
        _ => Tone::Bad,
    }
}

/// The records by section, in the order of a message (RFC 1035 § 4.1).
fn sections(explained: &Explained, output: &mut Output) -> Result<(), Stop> {
    for section in ["answer", "authority", "additional"] {
        let mut records = explained.records.iter().filter(|(name, _)| name == section).peekable();
        if records.peek().is_none() {
            continue;
        }
        output.line("")?;
        output.line(&output.tone(Tone::Strong, section))?;
        for (_, record) in records {
            output.folded(record)?;
        }
    }
    Ok(())
}
