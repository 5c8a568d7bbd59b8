//! Keys of a pool's hosts, in a table: what may be shown from when on, and where each is known from.
//!
//! It adds nothing to what the server says.

use crate::cli::screen::table::{Table, plain};
use crate::cli::screen::tone::Tone;
use crate::cli::screen::words::{near, relative};
use crate::protocol::{CertInfo, CertKeyOrigin, KeyPhase};
use crate::time::UnixTime;

/// Hex digits of a digest in a table; whole in JSON.
pub const SHORT: usize = 16;

/// A row for each key.
pub fn keys(info: &CertInfo) -> Table {
    let now = UnixTime(info.now);
    let mut table = Table::new(&["key", "kind", "phase", "hosts may show it", "shown by", "known from"]);
    for key in &info.keys {
        let tone = match key.phase {
            KeyPhase::Active | KeyPhase::Ready => Tone::Good,
            KeyPhase::Rumoured | KeyPhase::Staged | KeyPhase::Retiring => Tone::Caution,
            KeyPhase::Removed | KeyPhase::Destroyed | KeyPhase::Unknown => Tone::Plain,
        };
        let phase = if key.next { format!("next, {}", key.phase) } else { key.phase.to_string() };
        let ready = match key.ready_at {
            Some(at) if at <= info.now => "now".to_owned(),
            Some(at) => format!("from {} ({})", near(at, now), relative(at, now)),
            None => "not yet".to_owned(),
        };
        table.row(vec![
            plain(key.spki.chars().take(SHORT).collect::<String>()),
            plain(key.kind.to_string()),
            (tone, phase),
            plain(ready),
            plain(key.hosts.join(" ")),
            if key.unconfirmed {
                (Tone::Bad, format!("{}, not confirmed", known_from(key.origin)))
            } else {
                plain(known_from(key.origin))
            },
        ]);
    }
    table.without_empty()
}

/// Where a key is known from, in words that need no manual.
fn known_from(origin: CertKeyOrigin) -> &'static str {
    match origin {
        CertKeyOrigin::Made => "made here",
        CertKeyOrigin::Staged => "`cert stage`",
        CertKeyOrigin::File => "certificate file",
        CertKeyOrigin::Given => "`tlsa` of a file",
        CertKeyOrigin::Host | CertKeyOrigin::Seen => "a look at a host",
        CertKeyOrigin::Adopted => "`cert adopt`",
        CertKeyOrigin::NotKnown => "",
        CertKeyOrigin::Unknown => "unknown",
    }
}
