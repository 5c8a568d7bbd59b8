//! Tenants and pools as operators write them, checked and ready to be served.
//!
//! A broken tenant is refused alone, with its place and reason; the others of its file go on.

use crate::diagnostic::Diagnostic;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// TLSA 3 1 1: SHA-256 of a public key (RFC 7671 § 5.1).
pub type SpkiDigest = [u8; 32];

/// One tenant as its file defines it, checked by itself but not against its pool or other tenants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The domain as an A-label, lower case, without final dot: `contoso.com`.
    pub domain: String,
    /// The endpoint's label below the zone's apex: `contoso-com`; lower case, at most 63 octets.
    pub endpoint: String,
    /// Whether the file named the endpoint itself (it then wins over derived ones at a start).
    pub explicit_endpoint: bool,
    /// The pool by name, unless addresses and TLSA are all its own.
    pub pool: Option<String>,
    /// Addresses instead of the pool's; empty: the pool's.
    pub addresses: Vec<IpAddr>,
    /// TLSA instead of the pool's; empty: the pool's.
    pub tlsa: Vec<SpkiDigest>,
    /// Whether TLSA is published.
    pub dane: bool,
    /// Line in its file, from 1.
    pub line: u32,
}

/// One pool as `pools.toml` defines it. Certificates are paths, relative to the file that names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Addresses of its hosts.
    pub addresses: Vec<IpAddr>,
    /// Certificate files (PEM chains) that its hosts present, as written.
    pub certificates: Vec<String>,
    /// TLSA as written.
    pub tlsa: Vec<SpkiDigest>,
    /// Line of its table, from 1.
    pub line: u32,
}

/// What a file of tenants or pools holds: all that is good, and all that is wrong.
#[derive(Clone, Debug)]
pub struct Parsed<T> {
    /// The good entries, in the order of the file.
    pub entries: Vec<T>,
    /// The broken entries.
    pub broken: Vec<Broken>,
    /// Warnings about entries that are used all the same.
    pub warnings: Vec<Diagnostic>,
}

/// A broken entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// The domain or pool that it is about, where that much could be read: A-label, lower case.
    pub name: Option<String>,
    /// What is wrong (at least one).
    #[serde(skip)]
    pub diagnostics: Vec<Diagnostic>,
}
