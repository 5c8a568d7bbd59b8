//! Hosts of a pool as they were looked at, in a table.
//!
//! It adds nothing to what the server says.

use crate::cli::screen::table::{Table, plain};
use crate::cli::screen::tone::Tone;
use crate::cli::screen::words::relative;
use crate::protocol::{CertKeyClass, HostInfo};
use crate::time::UnixTime;
use std::collections::BTreeSet;

/// A row for each host.
pub fn hosts(hosts: &[HostInfo], now: u64) -> Table {
    let mut table = Table::new(&["host", "state", "looked at", "shows", "verdict"]);
    for host in hosts {
        let looked = host.looked_at.map_or_else(|| "not yet".to_owned(), |at| relative(at, UnixTime(now)));
        let (tone, verdict) = match (host.looked_at, host.fault.as_str(), host.matches) {
            (None, "", _) => (Tone::Caution, "not known".to_owned()),
            (None, fault, _) => (Tone::Caution, fault.to_owned()),
            (Some(_), "", true) => (Tone::Good, "published".to_owned()),
            (Some(_), "", false) => (Tone::Bad, "not published".to_owned()),
            (Some(_), fault, _) => (Tone::Bad, fault.to_owned()),
        };
        table.row(vec![
            plain(&host.address),
            plain(host.state.to_string()),
            plain(looked),
            plain(shows(host)),
            (tone, verdict),
        ]);
    }
    table.without_empty()
}

/// What it shows, once for each kind of key; with how it was asked only where that makes a difference.
fn shows(host: &HostInfo) -> String {
    let classes: BTreeSet<CertKeyClass> = host.shows.iter().map(|shown| shown.class).collect();
    let one = |class: CertKeyClass| {
        let all = host.shows.iter().filter(|shown| shown.class == class && shown.spki.is_some());
        let keys: BTreeSet<&str> = all.clone().filter_map(|shown| shown.spki.as_deref()).collect();
        let short = |spki: &str| spki.chars().take(8).collect::<String>();
        match keys.len() {
            0 => None,
            1 => keys.first().map(|spki| format!("{class} {}", short(spki))),
            _ => {
                let each = all.map(|shown| {
                    let asked = if shown.sni.is_empty() { "without a name" } else { shown.sni.as_str() };
                    format!("{} ({asked})", short(shown.spki.as_deref().unwrap_or_default()))
                });
                Some(format!("{class} {}", each.collect::<Vec<_>>().join(", ")))
            }
        }
    };
    classes.into_iter().filter_map(one).collect::<Vec<_>>().join("; ")
}
