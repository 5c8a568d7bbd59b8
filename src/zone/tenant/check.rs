//! A tenant or pool as written becomes one that can be served, or a list of faults.
//!
//! The same checks serve every form of file, so a form can never let through what another refuses.

use super::values::{address_of, endpoint_label, endpoint_of, normal_domain, tlsa_of};
use super::{Definition, Pool, SpkiDigest};
use crate::diagnostic::{Diagnostic, Place, Severity};
use crate::fields::{Reader, Table, nearest, pool_name};
use std::borrow::Cow;
use std::net::IpAddr;

/// Addresses of one tenant or pool, at most: 16 AAAA and their signature take about 600 octets, which leaves an answer
/// well below the 1232 that UDP carries, and no fleet behind one name needs more.
pub const ADDRESSES_MAX: usize = 16;
/// TLSA of one tenant or pool, at most: 16 and their signature take about 900 octets, which just fit into 1232 with the
/// longest names. Two key types with current and next are 4.
pub const TLSA_MAX: usize = 16;

/// A tenant as its file has it.
#[derive(Default)]
pub struct WrittenTenant<'a> {
    pub domain: Option<Cow<'a, str>>,
    pub pool: Option<Cow<'a, str>>,
    pub endpoint: Option<Cow<'a, str>>,
    pub addresses: Vec<Cow<'a, str>>,
    pub tlsa: Vec<Cow<'a, str>>,
    pub dane: Option<bool>,
}

/// A pool as its file has it.
pub struct WrittenPool<'a> {
    pub name: &'a str,
    pub addresses: Vec<&'a str>,
    pub certificates: Vec<&'a str>,
    pub tlsa: Vec<&'a str>,
}

/// What is wrong with one value: the key, the element of its list where it is one, and the words for it.
pub struct Fault {
    severity: Severity,
    code: &'static str,
    key: &'static str,
    index: Option<usize>,
    message: String,
    help: &'static str,
}

/// The codes under which tenants and pools report the same faults.
struct Codes {
    address: &'static str,
    tlsa: &'static str,
    too_many: &'static str,
    twice: &'static str,
}

const TENANT: Codes = Codes { address: "MX4008", tlsa: "MX4009", too_many: "MX4010", twice: "MX4101" };
const POOL: Codes = Codes { address: "MX3006", tlsa: "MX3007", too_many: "MX3008", twice: "MX3101" };

/// What complains of absence, and the keys that would end it: no domain, neither pool nor addresses, no TLSA; a pool
/// without addresses, without certificates.
const ABSENCES: &[(&str, &[&str])] = &[
    ("MX4004", &["domain"]),
    ("MX4011", &["pool", "addresses"]),
    ("MX4103", &["tlsa", "pool"]),
    ("MX3005", &["addresses"]),
    ("MX3102", &["certificates", "tlsa"]),
];

/// Collects faults; `refused` is set by the first error.
#[derive(Default)]
pub struct Faults {
    pub list: Vec<Fault>,
    refused: bool,
}

impl Faults {
    fn error(&mut self, code: &'static str, key: &'static str, message: impl Into<String>, help: &'static str) {
        self.add(Severity::Error, code, key, None, message.into(), help);
    }

    fn warning(&mut self, code: &'static str, key: &'static str, message: impl Into<String>, help: &'static str) {
        self.add(Severity::Warning, code, key, None, message.into(), help);
    }

    fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        key: &'static str,
        index: Option<usize>,
        message: String,
        help: &'static str,
    ) {
        self.refused |= severity == Severity::Error;
        self.list.push(Fault { severity, code, key, index, message, help });
    }

    /// Drops what complains of absence: where a value is of a wrong type, its key only seems to be absent.
    pub fn forget_absences(&mut self) {
        self.list.retain(|fault| ABSENCES.iter().all(|(code, _)| *code != fault.code));
    }

    /// The same for keys that are there under a misspelt name: that name is the cause, and is told.
    pub fn forget_misspelt(&mut self, table: &Table, known: &[&str]) {
        let names = table.0.iter().map(|(key, _)| key.value.as_str()).filter(|name| !known.contains(name));
        let meant: Vec<&str> = names.filter_map(|name| nearest(name, known)).collect();
        let is_meant = |fault: &Fault| {
            let absence = ABSENCES.iter().find(|(code, _)| *code == fault.code);
            absence.is_some_and(|(_, keys)| keys.iter().any(|key| meant.contains(key)))
        };
        self.list.retain(|fault| !is_meant(fault));
    }

    /// Gives each fault its place: the value, or `whole` where the key is absent.
    pub fn report(self, reader: &mut Reader<'_>, table: &Table, whole: Place) {
        for Fault { severity, code, key, index, message, help } in self.list {
            let place = table.locate(key, index).map_or_else(|| whole.clone(), |span| reader.place(span));
            reader.note(Diagnostic { place, severity, code, message, help: help.to_owned() });
        }
    }
}

/// The tenant, unless an error is among the faults; warnings may be.
pub fn tenant(written: &WrittenTenant<'_>, line: u32) -> (Option<Definition>, Faults) {
    let mut faults = Faults::default();
    let domain = domain(written, &mut faults);
    let endpoint = written.endpoint.as_deref().map(|text| {
        endpoint_label(text).unwrap_or_else(|message| {
            faults.error("MX4007", "endpoint", message, "leave it out, and it is made from the domain");
            String::new()
        })
    });
    if let Some(Err(message)) = written.pool.as_deref().map(pool_name) {
        faults.error("MX4006", "pool", message, "");
    }
    let addresses = addresses(written.addresses.iter().map(AsRef::as_ref), &TENANT, &mut faults);
    if let Some((index, address)) = addresses.iter().enumerate().find(|(_, address)| !is_reachable(address)) {
        let message = format!("nobody on the Internet reaches {address}, so mail of others does not arrive there");
        faults.add(
            Severity::Warning,
            "MX4104",
            "addresses",
            Some(index),
            message,
            "write the address that the world uses",
        );
    }
    let tlsa = digests(written.tlsa.iter().map(AsRef::as_ref), &TENANT, &mut faults);
    let dane = written.dane.unwrap_or(true);
    check_together(written, dane, &mut faults);
    let definition = Definition {
        explicit_endpoint: endpoint.is_some(),
        endpoint: endpoint.unwrap_or_else(|| endpoint_of(&domain)),
        domain,
        pool: written.pool.as_deref().map(str::to_owned),
        addresses,
        tlsa,
        dane,
        line,
    };
    (Some(definition).filter(|_| !faults.refused), faults)
}

/// The pool, unless an error is among the faults; warnings may be.
pub fn pool(written: &WrittenPool<'_>, line: u32) -> (Option<Pool>, Faults) {
    let mut faults = Faults::default();
    let addresses = addresses(written.addresses.iter().copied(), &POOL, &mut faults);
    let tlsa = digests(written.tlsa.iter().copied(), &POOL, &mut faults);
    if written.addresses.is_empty() {
        faults.error("MX3005", "addresses", "the pool has no addresses", "write addresses = [\"192.0.2.25\"]");
    }
    for (index, path) in written.certificates.iter().enumerate() {
        if path.is_empty() || path.contains('\0') {
            let message = "a path of a certificate is empty or holds NUL".to_owned();
            faults.add(Severity::Error, "MX3009", "certificates", Some(index), message, "");
        }
    }
    if written.certificates.len() + written.tlsa.len() > TLSA_MAX && written.tlsa.len() <= TLSA_MAX {
        let message = format!("certificates and TLSA are more than {TLSA_MAX} together");
        faults.error(POOL.too_many, "certificates", message, "an answer with all of them would not fit into UDP");
    }
    if written.certificates.is_empty() && written.tlsa.is_empty() {
        let message = "the pool has neither certificates nor TLSA, so its tenants are served without DANE";
        faults.warning("MX3102", "addresses", message, "write certificates = [\"…/fullchain.pem\"]");
    }
    let pool = Pool {
        name: written.name.to_owned(),
        addresses,
        certificates: written.certificates.iter().map(|path| (*path).to_owned()).collect(),
        tlsa,
        line,
    };
    (Some(pool).filter(|_| !faults.refused), faults)
}

fn domain(written: &WrittenTenant<'_>, faults: &mut Faults) -> String {
    let Some(text) = written.domain.as_deref() else {
        faults.error("MX4004", "domain", "the tenant has no domain", "write domain = \"contoso.com\"");
        return String::new();
    };
    normal_domain(text).unwrap_or_else(|message| {
        faults.error("MX4005", "domain", message, "");
        String::new()
    })
}

/// What only shows when the values are seen side by side.
fn check_together(written: &WrittenTenant<'_>, dane: bool, faults: &mut Faults) {
    if written.pool.is_none() && written.addresses.is_empty() {
        let message = "the tenant has neither a pool nor addresses of its own, so mail for it has nowhere to go";
        faults.error("MX4011", "domain", message, "write pool = \"…\", or addresses = [\"…\"]");
    }
    if !dane && !written.tlsa.is_empty() {
        faults.warning("MX4102", "tlsa", "this TLSA is not published, since dane is false", "remove one of the two");
    }
    if dane && written.pool.is_none() && written.tlsa.is_empty() && !written.addresses.is_empty() {
        let message = "the tenant has addresses of its own but neither TLSA nor a pool to take it from: no DANE";
        faults.warning("MX4103", "addresses", message, "write tlsa = [\"3 1 1 …\"], or dane = false");
    }
}

fn addresses<'w>(written: impl Iterator<Item = &'w str>, codes: &Codes, faults: &mut Faults) -> Vec<IpAddr> {
    list(written, "addresses", ADDRESSES_MAX, codes.address, codes, faults, address_of)
}

fn digests<'w>(written: impl Iterator<Item = &'w str>, codes: &Codes, faults: &mut Faults) -> Vec<SpkiDigest> {
    list(written, "tlsa", TLSA_MAX, codes.tlsa, codes, faults, tlsa_of)
}

/// Whether an address is none of those that stay within a host or a network: loopback, private (RFC 1918, RFC 4193), of a
/// link, of many, or none at all; shared by customers of a provider (RFC 6598).
fn is_reachable(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => {
            let is_shared = four.octets()[0] == 100 && four.octets()[1] & 0xc0 == 64;
            let is_inside = four.is_loopback() || four.is_private() || four.is_link_local() || is_shared;
            !(is_inside || four.is_unspecified() || four.is_multicast() || four.is_broadcast())
        }
        IpAddr::V6(six) => {
            let is_inside = six.is_loopback() || six.is_unique_local() || six.is_unicast_link_local();
            !(is_inside || six.is_unspecified() || six.is_multicast())
        }
    }
}

/// The values of one list in their order, each once.
fn list<'w, T: PartialEq>(
    written: impl Iterator<Item = &'w str>,
    key: &'static str,
    count_max: usize,
    code: &'static str,
    codes: &Codes,
    faults: &mut Faults,
    read: fn(&str) -> Result<T, String>,
) -> Vec<T> {
    let mut values = Vec::new();
    for (index, text) in written.enumerate() {
        if index == count_max {
            let message = format!("`{key}` has more than {count_max} elements");
            let help = "an answer with all of them would not fit into UDP";
            faults.add(Severity::Error, codes.too_many, key, Some(index), message, help);
            break;
        }
        match read(text) {
            Ok(value) if values.contains(&value) => {
                let message = format!("`{key}` has this element twice");
                faults.add(Severity::Warning, codes.twice, key, Some(index), message, "remove one of them");
            }
            Ok(value) => values.push(value),
            Err(message) => faults.add(Severity::Error, code, key, Some(index), message, ""),
        }
    }
    values
}
