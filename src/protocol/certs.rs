//! What commands about certificates ask of the server, and what it answers: plain values, the same as `-o json` prints.
//!
//! No private key ever leaves the server this way; `cert stage` brings one in, over a socket that only its owner can use.

use super::states::{CertStanding, HostStanding, KeyPhase};
use super::words::{CertKeyClass, CertKeyKind, CertKeyOrigin};
use crate::protocol::lives::{Calendar, Story};
use serde::{Deserialize, Serialize};

/// The keys and certificates of a pool: what is, what waits and until when, what the server will do, what a person must.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertInfo {
    /// Name of the pool.
    pub pool: String,
    /// How they stand; `blockers` say why.
    pub state: CertStanding,
    /// Version of the snapshot that answers.
    pub snapshot: u64,
    /// Tenants that refer to it.
    pub tenants: u64,
    /// All keys that are published, wait to be, or whose private half is still kept here.
    pub keys: Vec<CertKeyInfo>,
    /// Its certificate files.
    pub certificates: Vec<CertificateInfo>,
    /// Its hosts.
    pub hosts: Vec<HostInfo>,
    /// Names that a certificate for it should have.
    pub names: Vec<String>,
    /// What is told of it as of all that lives by facts.
    #[serde(flatten)]
    pub story: Story,
    /// What a command leads to that was not asked for, a line each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What is to be said about the clock; empty: nothing.
    pub clock: String,
    /// The moment of this answer, seconds since 1970.
    pub now: u64,
}

/// One key of a pool's hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertKeyInfo {
    /// SHA-256 of its SubjectPublicKeyInfo in hex: what TLSA `3 1 1` holds.
    pub spki: String,
    /// Its kind.
    pub kind: CertKeyKind,
    /// How far it has come.
    pub phase: KeyPhase,
    /// Where it is known from.
    pub origin: CertKeyOrigin,
    /// Whether only a host showed it, and nobody ever said that it is one of the pool's.
    #[serde(default)]
    pub unconfirmed: bool,
    /// Whether it is a next key: hosts do not show it yet.
    pub next: bool,
    /// The file of its private half, relative to `keys/`; empty: it is elsewhere.
    pub file: String,
    /// Seconds since 1970 when it became known.
    pub known: u64,
    /// When its TLSA was first to be served.
    pub published: Option<u64>,
    /// From when on hosts may be given it; none: that is not known yet, or it is not published.
    pub ready_at: Option<u64>,
    /// When it was first named by a file or shown by a host.
    pub deployed: Option<u64>,
    /// Until when hosts are permitted to begin to show it.
    pub permitted_until: Option<u64>,
    /// When its TLSA was withdrawn.
    pub removed: Option<u64>,
    /// Why it is not to be used any more; none: it may be.
    pub given_up: Option<String>,
    /// Addresses of hosts that show it.
    pub hosts: Vec<String>,
}

/// A certificate file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateInfo {
    /// Its path as pools.toml writes it.
    pub file: String,
    /// Digest of its key.
    pub spki: String,
    /// Kind of its key.
    pub kind: CertKeyKind,
    /// Names.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: String,
    /// Seconds since 1970.
    pub not_before: u64,
    /// Seconds since 1970.
    pub not_after: u64,
    /// What is wrong with it, for DANE or for MTA-STS; empty: nothing.
    pub warnings: Vec<String>,
}

/// A host as it was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostInfo {
    /// Its address.
    pub address: String,
    /// How it stands.
    pub state: HostStanding,
    /// When it was last looked at, seconds since 1970; none: not yet.
    pub looked_at: Option<u64>,
    /// Why the last look failed; empty: it did not.
    pub fault: String,
    /// The word for that fault; empty: none.
    pub fault_word: String,
    /// What it showed, once for each way of asking.
    pub shows: Vec<ShownInfo>,
    /// Whether all that it shows is published.
    pub matches: bool,
}

/// What a host showed to one way of asking.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownInfo {
    /// How it was asked.
    pub class: CertKeyClass,
    /// The name that was asked for; empty: none (no SNI).
    pub sni: String,
    /// Digest of the key; none: no certificate of this kind.
    pub spki: Option<String>,
    /// Version of TLS.
    pub tls: String,
    /// When the certificate expires, seconds since 1970.
    pub not_after: Option<u64>,
    /// What MTA-STS senders will object to; empty: nothing.
    pub warnings: Vec<String>,
}

/// Whether hosts may be given a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermitInfo {
    /// Pool.
    pub pool: String,
    /// Digest of the key.
    pub spki: String,
    /// Whether they may.
    pub granted: bool,
    /// Until when that may begin, seconds since 1970.
    pub until: Option<u64>,
    /// From when on it will be granted, seconds since 1970; none: that is not known yet.
    pub at: Option<u64>,
    /// Why not; empty: granted.
    pub why: String,
}

/// A request for a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CsrInfo {
    /// Pool.
    pub pool: String,
    /// Digest of the key.
    pub spki: String,
    /// Kind of the key.
    pub kind: CertKeyKind,
    /// Names.
    pub names: Vec<String>,
    /// The request (PKCS#10) in PEM; for a self-signed one, the certificate.
    pub pem: String,
    /// From when on hosts may be given the certificate; none: not known yet.
    pub ready_at: Option<u64>,
}

/// The calendar of a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertPlan {
    /// Pool.
    pub pool: String,
    /// What comes, as of all that lives by facts.
    #[serde(flatten)]
    pub calendar: Calendar<CertBar>,
}

/// A key's phases over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertBar {
    /// Digest of the key; of one that is still to be made: none.
    pub spki: Option<String>,
    /// Kind of the key.
    pub kind: CertKeyKind,
    /// Moments, seconds since 1970, from which on each phase holds.
    pub phases: Vec<(u64, KeyPhase)>,
}
