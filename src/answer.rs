//! The whole query path: octets, the snapshot and the moment go in; a reply, or silence, comes out.
//!
//! Pure but for the memo of signatures: no clock, no I/O, no log, no allocation on the way of a warm answer.

use crate::dns::name::Name;
use crate::time::UnixTime;
use std::net::IpAddr;
use std::sync::Arc;

/// How a query came, as far as the answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Limited in size; may be truncated.
    Udp,
    /// Up to 65,535 octets; the source is real.
    Tcp,
    /// DoT or DoQ: as TCP, but without edns-tcp-keepalive, which hickory-server's listeners would not honour.
    Encrypted,
}

/// How much work may be done for this answer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Only what needs no new signature; else [`Reply::Deferred`], so that a batch answers the cheap ones first.
    Kept,
    /// Whatever it takes.
    Sign,
    /// Signatures that will be kept are made, others (denials, wildcards) are not: TC=1 instead, which proves the source.
    Truncate,
}

/// One query as it came.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The message's octets.
    pub packet: &'a [u8],
    /// Who sent it; only cookies depend on it.
    pub source: IpAddr,
    /// How it came.
    pub transport: Transport,
    /// When.
    pub now: UnixTime,
    /// What it may cost.
    pub effort: Effort,
}

/// What to do with a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing is sent: too short, or itself a response (RFC 1035 § 7.3, CVE-2024-2169).
    Silence,
    /// Ask again with [`Effort::Sign`] or [`Effort::Truncate`]: a new signature is needed. Nothing was written.
    Deferred,
    /// Send the first `length` octets of the buffer.
    Send(Outcome),
}

/// What was answered, for counters. Names neither client nor tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Octets written.
    pub length: usize,
    /// Response code with its extended bits (RFC 6891 § 6.1.3).
    pub rcode: u16,
    /// Type asked; 0 where the question could not be read.
    pub qtype: u16,
    /// Whether TC is set.
    pub truncated: bool,
    /// Signatures made for it.
    pub signed: u8,
    /// Signatures taken from the memo.
    pub kept: u8,
    /// edns-tcp-keepalive was asked for (RFC 7828), so TCP may tell and keep its idle limit.
    pub keepalive: bool,
}

/// Everything needed to answer, published whole and never changed.
pub struct Snapshot {
    /// Rises by one with each publication.
    pub version: u64,
    /// The zones in canonical order of their apexes.
    pub zones: Vec<Arc<crate::zone::Zone>>,
    /// Who we are: NSID, cookie secrets.
    pub identity: Arc<Identity>,
}

/// What answers say about the server itself.
#[derive(Debug, Default)]
pub struct Identity {
    /// What NSID and `id.server` answer (RFC 5001, RFC 4892).
    pub nsid: Vec<u8>,
    /// Server-cookie secrets, the current one first (RFC 9018 § 5).
    pub cookie_secrets: Vec<[u8; 16]>,
    /// Idle limit that edns-tcp-keepalive tells, in units of 100 ms (RFC 7828 § 3.1).
    pub keepalive: u16,
}

impl Snapshot {
    /// A snapshot without zones: every question is REFUSED.
    pub fn empty(identity: Arc<Identity>) -> Snapshot {
        Snapshot { version: 0, zones: Vec::new(), identity }
    }

    /// The zone that holds `name`, which is in lower case: the one with the longest apex.
    pub fn zone_of(&self, _name: &Name) -> Option<&Arc<crate::zone::Zone>> {
        None
    }
}

/// Answers one query. `out` is at least 512 octets; what is longer than it or than the transport allows is truncated.
/// Never panics on any octets; the shell still catches.
pub fn respond(_snapshot: &Snapshot, _asked: &Asked<'_>, _out: &mut [u8]) -> Reply {
    Reply::Silence
}
