//! Whether our own addresses answer for a pool as they should, asked over the wire at one of its tenants.
//!
//! What is silent or differs is named; only when nothing is, there is a fact to build a wait on.

use crate::dns::name::Name;
use crate::dns::rtype::number as rt;
use crate::resolve::client::{Transport, ask};
use crate::resolve::verify::set;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Our own server answers at once, or something is wrong.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// Asks each of our addresses for the records of an endpoint.
///
/// # Errors
/// All that differs, in words.
pub fn observe_pool(
    servers: &[SocketAddr],
    endpoint: &Name,
    tlsa: &[[u8; 32]],
    addresses: &[IpAddr],
) -> Result<(), Vec<String>> {
    let mut faults: Vec<String> = Vec::new();
    if servers.is_empty() {
        faults.push("no address answers for the zones".to_owned());
    }
    for server in servers {
        faults.extend(observe(*server, endpoint, tlsa, addresses).err().map(|what| format!("{server}: {what}")));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn observe(server: SocketAddr, endpoint: &Name, tlsa: &[[u8; 32]], addresses: &[IpAddr]) -> Result<(), String> {
    let below = |label: &[u8], name: &Name| Name::below(label, name).map_err(|fault| fault.to_string());
    let port = below(b"_25", &below(b"_tcp", endpoint)?)?;
    let keys = tlsa.iter().map(|spki| [&[3, 1, 1][..], spki].concat()).collect();
    let octets = |wanted: fn(&IpAddr) -> Option<Vec<u8>>| addresses.iter().filter_map(wanted).collect();
    let v4: BTreeSet<Vec<u8>> = octets(|address| match address {
        IpAddr::V4(v4) => Some(v4.octets().to_vec()),
        IpAddr::V6(_) => None,
    });
    let v6: BTreeSet<Vec<u8>> = octets(|address| match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => Some(v6.octets().to_vec()),
    });
    for (name, rtype, wanted) in [(&port, rt::TLSA, keys), (endpoint, rt::A, v4), (endpoint, rt::AAAA, v6)] {
        let reply = ask(server, name, rtype, Transport::Tcp, ASK_TIMEOUT).map_err(|fault| fault.trouble.to_string())?;
        let found: BTreeSet<Vec<u8>> =
            set(&reply.answer, name, rtype).map(|set| set.data).unwrap_or_default().into_iter().collect();
        if found != wanted {
            return Err(format!("{name} has {} records of type {rtype} that differ from what is decided", found.len()));
        }
    }
    Ok(())
}
