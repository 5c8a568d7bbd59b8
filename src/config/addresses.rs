//! Addresses with ports, and the interfaces that link-local ones name.
//!
//! Pure: which interfaces there are comes in as a value.

use crate::fields::{At, Reader, Table, Value, shown};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

/// The host's interfaces that have an IPv6 address: their numbers by their names.
pub type Interfaces = BTreeMap<String, u32>;

/// Addresses in one list, at most: a host has fewer, and each costs a socket a thread.
pub(super) const ADDRESSES_MAX: usize = 64;
/// Keys that take addresses, by their tables.
const TAKERS: [(&str, &[&str]); 3] =
    [("server", &["listen"]), ("encrypted", &["dot", "doq"]), ("metrics", &["listen"])];

/// Puts the number of an interface in place of its name: `[fe80::1%eth0]:53` (RFC 4007 § 11.2). Numbers change when a host
/// starts anew, so people write names.
pub(super) fn number_interfaces(reader: &mut Reader<'_>, table: &mut Table, interfaces: &Interfaces) {
    for (key, at) in &mut table.0 {
        let Value::Table(inner) = &mut at.value else { continue };
        if key.value == "zone" {
            let zones = inner.0.iter_mut().filter_map(|(_, at)| match &mut at.value {
                Value::Table(zone) => Some(zone),
                _ => None,
            });
            zones.for_each(|zone| number_texts(reader, zone, &["parents"], interfaces));
        } else if let Some((_, keys)) = TAKERS.iter().find(|(name, _)| *name == key.value) {
            number_texts(reader, inner, keys, interfaces);
        }
    }
}

fn number_texts(reader: &mut Reader<'_>, table: &mut Table, keys: &[&str], interfaces: &Interfaces) {
    for (_, at) in table.0.iter_mut().filter(|(key, _)| keys.contains(&key.value.as_str())) {
        let items = match &mut at.value {
            Value::List(list) => list.as_mut_slice(),
            _ => std::slice::from_mut(at),
        };
        for At { value, span } in items {
            let Value::Text(text) = value else { continue };
            let Some((address, name, port)) = zoned(text) else { continue };
            let number = interfaces.get(name).copied();
            if number.is_none() {
                let message = format!("this host has no interface `{}` with an IPv6 address", shown(name));
                reader.error(
                    "MX1018",
                    span.clone(),
                    message,
                    "`ip -6 address` lists those that it has; or write its number",
                );
            }
            *text = format!("[{address}%{}]{port}", number.unwrap_or(0));
        }
    }
}

/// `fe80::1`, `eth0` and `:53` of `[fe80::1%eth0]:53`; none where no interface is named.
fn zoned(text: &str) -> Option<(&str, &str, &str)> {
    let (inside, port) = text.strip_prefix('[')?.split_once(']')?;
    let (address, name) = inside.split_once('%')?;
    let is_number = name.bytes().all(|b| b.is_ascii_digit());
    (!is_number && !name.is_empty()).then_some((address, name, port))
}

/// The addresses at `key`. An address without port takes `port`, where there is one.
pub(super) fn addresses(
    reader: &mut Reader<'_>,
    table: &Table,
    key: &str,
    port: Option<u16>,
) -> Option<Vec<At<SocketAddr>>> {
    let list = reader.texts(table, key)?;
    if list.value.len() > ADDRESSES_MAX {
        let message = format!("`{key}` has more than {ADDRESSES_MAX} addresses");
        reader.error("MX1005", list.span, message, "");
        return None;
    }
    let mut addresses = Vec::new();
    for item in list.value {
        if let Some(value) = address(reader, item.value, item.span.clone(), port) {
            addresses.push(At { value, span: item.span });
        }
    }
    Some(addresses)
}

pub(super) fn address(
    reader: &mut Reader<'_>,
    text: &str,
    span: Range<usize>,
    port: Option<u16>,
) -> Option<SocketAddr> {
    let bare = |port| text.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, port));
    match text.parse().ok().or_else(|| port.and_then(bare)) {
        Some(address) => {
            if address.port() == 0 {
                let message = "port 0 lets the system choose a port that nobody knows";
                reader.warning("MX1103", span, message, "write the port");
            }
            Some(address)
        }
        None => {
            let message = format!("`{}` is not an address with a port", shown(text));
            reader.error("MX1006", span, message, "write it as 192.0.2.1:53, [2001:db8::1]:53 or [fe80::1%eth0]:53");
            None
        }
    }
}
