//! What takes an address over which protocol, so that no two sections want the same one.

use super::ADDRESSES_MAX;
use super::sections::{LISTEN, METRICS_LISTEN};
use crate::fields::{Reader, Table, Value};
use std::net::SocketAddr;

/// The protocols of a listener.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Udp,
    Tcp,
    Both,
}

impl Over {
    /// Whether two listeners want one protocol.
    fn meets(self, other: Over) -> bool {
        self == other || self == Over::Both || other == Over::Both
    }
}

/// What takes an address: UDP, TCP or both, and the section that says so.
struct Listener {
    address: SocketAddr,
    over: Over,
    section: &'static str,
}

/// Notes each address that two listeners of one protocol would want, those of the defaults included.
pub fn check_addresses_once(reader: &mut Reader<'_>, table: &Table) {
    let mut taken = default_listeners(table);
    for (section, key, over) in [
        ("server", "listen", Over::Both),
        ("encrypted", "dot", Over::Tcp),
        ("encrypted", "doq", Over::Udp),
        ("metrics", "listen", Over::Tcp),
    ] {
        let Some(Value::Table(inner)) = table.get(section).map(|(_, at)| &at.value) else { continue };
        for (text, span) in inner.texts_at(key).into_iter().take(ADDRESSES_MAX) {
            let Ok(address) = text.parse::<SocketAddr>() else { continue };
            let rival = |other: &&Listener| other.address == address && other.over.meets(over);
            if let Some(rival) = taken.iter().find(rival).filter(|_| address.port() != 0) {
                let message = format!("`{address}` is already taken by [{}]", rival.section);
                reader.error("MX1007", span, message, "give each listener an address or port of its own");
            }
            taken.push(Listener { address, over, section });
        }
    }
}

fn default_listeners(table: &Table) -> Vec<Listener> {
    let absent = |section| match table.get(section).map(|(_, at)| &at.value) {
        Some(Value::Table(inner)) => inner.get("listen").is_none(),
        _ => true,
    };
    let mut taken = Vec::new();
    if absent("server") {
        taken.extend(LISTEN.map(|address| Listener { address, over: Over::Both, section: "server" }));
    }
    if absent("metrics") {
        taken.push(Listener { address: METRICS_LISTEN, over: Over::Tcp, section: "metrics" });
    }
    taken
}
