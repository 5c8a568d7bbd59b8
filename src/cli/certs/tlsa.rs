//! `cert tlsa`: the TLSA of a certificate, a private key, or a live host. Needs no server.
//!
//! It prints digests, and never a word of a private key.

use super::super::args::Tlsa;
use super::super::failure::{Exit, Failure, Stop};
use super::change::read;
use crate::cert::chain;
use crate::cert::make::PrivateKey;
use crate::cli::screen::output::Output;
use crate::probe::{Manner, NO_KEY, Sight, look, targets};
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

/// Where hosts take mail (RFC 5321).
const SMTP_PORT: u16 = 25;
/// Time for one look.
const TIMEOUT: Duration = Duration::from_secs(30);

/// One record.
#[derive(Serialize)]
struct Found {
    tlsa: String,
    kind: String,
    /// `file`, or the address that showed it.
    from: String,
    names: Vec<String>,
}

/// Finds out and prints.
pub fn run(asked: &Tlsa, output: &mut Output) -> Result<Exit, Stop> {
    let path = Path::new(&asked.what);
    let (found, faults) = if path.exists() { (vec![of_file(path)?], Vec::new()) } else { of_host(asked)? };
    for one in &found {
        if output.is_json() {
            output.object(one)?;
            continue;
        }
        match &asked.name {
            Some(name) => output.line(&format!("_25._tcp.{}. IN TLSA {}", name.trim_end_matches('.'), one.tlsa))?,
            None => output.line(&format!("{}    ; {}, {}", one.tlsa, one.kind, one.from))?,
        }
    }
    let Some(fault) = faults.first() else { return Ok(Exit::Ok) };
    let help = if found.is_empty() { "" } else { "what was found is printed, and may not be all" };
    Err(Failure::new(Exit::Failure, fault.clone(), help).into())
}

fn of_file(path: &Path) -> Result<Found, Failure> {
    let octets = zeroize::Zeroizing::new(read(path)?);
    let found = match chain::parse_pem(&octets) {
        Ok(chain) => (chain.leaf.spki, chain.leaf.kind, chain.leaf.names),
        Err(chain::ChainFault::OnlyKey) => {
            let wrong = |fault| Failure::new(Exit::Failure, format!("{} cannot be used: {fault}", path.display()), "");
            let key = PrivateKey::parse_pem(&octets).map_err(wrong)?;
            (key.spki(), key.kind(), Vec::new())
        }
        Err(fault) => {
            return Err(Failure::new(Exit::Failure, format!("{} cannot be used: {fault}", path.display()), ""));
        }
    };
    let (spki, kind, names) = found;
    Ok(Found { tlsa: format!("3 1 1 {spki}"), kind: kind.word().to_owned(), from: "file".to_owned(), names })
}

/// What each address of a host shows; and what went wrong. One that shows nothing is no success: whoever publishes what is
/// printed here would publish nothing.
fn of_host(asked: &Tlsa) -> Result<(Vec<Found>, Vec<String>), Failure> {
    let (mut all, mut faults) = (Vec::new(), Vec::new());
    let manner = Manner { helo: "mxseal.invalid".to_owned(), timeout: TIMEOUT };
    for address in addresses(&asked.what)? {
        let (found, fault) = of_address(address, asked.name.as_deref(), &manner);
        let fault = fault.or_else(|| found.is_empty().then(|| NO_KEY.to_owned()));
        faults.extend(fault.map(|fault| format!("{address}: {fault}")));
        all.extend(found);
    }
    Ok((all, faults))
}

/// What one address shows to all ways of asking, once for each key; up to what goes wrong.
fn of_address(address: SocketAddr, name: Option<&str>, manner: &Manner) -> (Vec<Found>, Option<String>) {
    let mut found = BTreeMap::new();
    for target in targets(&[address.ip()], address.port(), name) {
        match look(&target, manner) {
            Ok(Sight { chain: None, .. }) => {}
            Ok(Sight { chain: Some(chain), .. }) => {
                let leaf = chain.leaf;
                let one = Found {
                    tlsa: format!("3 1 1 {}", leaf.spki),
                    kind: leaf.kind.word().to_owned(),
                    from: address.to_string(),
                    names: leaf.names,
                };
                found.entry(leaf.spki).or_insert(one);
            }
            Err(fault) => return (found.into_values().collect(), Some(fault.to_string())),
        }
    }
    (found.into_values().collect(), None)
}

fn addresses(what: &str) -> Result<Vec<SocketAddr>, Failure> {
    if let Ok(address) = what.parse::<SocketAddr>() {
        return Ok(vec![address]);
    }
    if let Ok(address) = what.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, SMTP_PORT)]);
    }
    let usage = |why: String| {
        let help = "write a file that is there, HOST, HOST:PORT or an address";
        Failure::new(Exit::Usage, format!("`{what}` is neither a file nor a host: {why}"), help)
    };
    if what.contains('/') || what.ends_with(".pem") {
        return Err(usage("there is no such file".to_owned()));
    }
    let with_port = if what.contains(':') { what.to_owned() } else { format!("{what}:{SMTP_PORT}") };
    let found: Vec<SocketAddr> = with_port.to_socket_addrs().map_err(|error| usage(error.to_string()))?.collect();
    if found.is_empty() { Err(usage("it has no address".to_owned())) } else { Ok(found) }
}
