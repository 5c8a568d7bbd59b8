//! The whole query path: octets, the snapshot and the moment go in; a reply, or silence, comes out.
//!
//! Pure but for the memo of signatures: no clock, no I/O, no log, no allocation on the way of a warm answer.

mod account;
mod build;
mod cookie;
mod limited;
mod touch;

pub use account::{Account, Class};
pub use limited::limited;
pub use touch::touch;

use crate::dns::name::Name;
use crate::dns::query::{self, Edns, Fault, Parsed, Query, UDP_SIZE_MIN, rcode};
use crate::dns::reply::{self, Answer, OptData, UDP_SIZE_MAX, ede};
use crate::dns::rrset::{RrsetView, hash_name};
use crate::dns::rtype::number as rt;
use crate::sign::recent::Recent;
use crate::time::UnixTime;
use crate::zone::Zone;
use build::{Builder, Stop};
use cookie::Cookie;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// How a query came, as far as the answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Limited in size; may be truncated.
    Udp,
    /// Up to 65,535 octets; the source is real.
    Tcp,
    /// DoT or DoQ: as TCP, but without edns-tcp-keepalive, which QUIC forbids (RFC 9250 § 5.5.2).
    Encrypted,
}

/// How much work may be done for this answer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Only what needs no new signature; else [`Reply::Deferred`], so that a batch answers the cheap ones first.
    Kept,
    /// Signatures that will be kept for good are made; where another one is needed, [`Reply::Deferred`].
    Own,
    /// Whatever it takes.
    Sign,
    /// Signatures that will be kept for good are made, others (denials, wildcards) are not: TC=1 instead, which proves the source.
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
    /// Ask again with [`Effort::Sign`] or [`Effort::Truncate`]: a new signature is needed. Nothing was written. The
    /// account is known already, so that whoever is limited costs no signature.
    Deferred(Account),
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
    /// What limits count it under.
    pub account: Account,
}

/// Everything needed to answer, published whole and never changed.
pub struct Snapshot {
    /// Rises by one with each publication.
    pub version: u64,
    zones: Vec<Arc<Zone>>,
    /// Zones by the keyed hash of their apexes, and the lengths in octets that apexes have.
    index: HashMap<u64, Vec<usize>, foldhash::fast::RandomState>,
    apex_lengths: [bool; 256],
    /// Whether it is too large for caches.
    is_large: bool,
    /// Apexes of zones that should be served and cannot be.
    unavailable: Vec<Name>,
    /// Those of them whose DS their parent zones hand out all the same.
    delegated: Vec<Name>,
    identity: Arc<Identity>,
}

/// What answers say about the server itself, and what all its snapshots share.
#[derive(Debug, Default)]
pub struct Identity {
    nsid: Vec<u8>,
    /// The same as a TXT record of class CH (RFC 4892 § 2).
    chaos: Vec<u8>,
    cookie_secrets: Vec<[u8; 16]>,
    keepalive: u16,
    udp_size: Option<u16>,
    recent: Recent,
}

impl Identity {
    /// `nsid` is what NSID and `id.server` answer (RFC 5001, RFC 4892), at most 128 octets of it; the secrets make server
    /// cookies, the current one first (RFC 9018 § 5); `keepalive` is the idle limit of TCP in units of 100 ms
    /// (RFC 7828 § 3.1).
    pub fn new(nsid: &str, cookie_secrets: Vec<[u8; 16]>, keepalive: u16) -> Identity {
        let nsid: Vec<u8> = nsid.bytes().take(reply::NSID_OCTETS_MAX).collect();
        let length = u8::try_from(nsid.len()).unwrap_or(0);
        let head = [0xc0, 0x0c, 0, 16, 0, 3, 0, 0, 0, 0, 0, length + 1, length];
        let chaos = [&head[..], &nsid].concat();
        Identity { chaos, nsid, cookie_secrets, keepalive, udp_size: None, recent: Recent::default() }
    }

    /// The same, with answers over UDP of at most `octets`, which is never more than 1232.
    pub fn with_udp_size(mut self, octets: u16) -> Identity {
        self.udp_size = Some(octets.clamp(UDP_SIZE_MIN, UDP_SIZE_MAX));
        self
    }
}

impl Snapshot {
    /// A snapshot of these zones.
    pub fn new(version: u64, mut zones: Vec<Arc<Zone>>, identity: Arc<Identity>) -> Snapshot {
        zones.sort_by(|a, b| crate::dns::name::canonical_order(&a.apex, &b.apex));
        let mut index: HashMap<u64, Vec<usize>, _> = HashMap::default();
        let mut apex_lengths = [false; 256];
        for (at, zone) in zones.iter().enumerate() {
            index.entry(hash_name(&zone.apex)).or_default().push(at);
            if let Some(length) = apex_lengths.get_mut(zone.apex.len()) {
                *length = true;
            }
        }
        let is_large = zones.iter().any(|zone| zone.tenants.len() >= touch::TENANTS_MIN);
        Snapshot {
            version,
            zones,
            index,
            apex_lengths,
            is_large,
            unavailable: Vec::new(),
            delegated: Vec::new(),
            identity,
        }
    }

    /// A snapshot without zones: every question is REFUSED.
    pub fn empty(identity: Arc<Identity>) -> Snapshot {
        Snapshot::new(0, Vec::new(), identity)
    }

    /// The same, with zones that should be served and cannot be: their names get SERVFAIL, so that nobody, their parent
    /// zone least of all, denies what exists. The DS of those that are `delegated` is their parent zone's to give.
    pub fn without(mut self, unavailable: Vec<Name>, delegated: Vec<Name>) -> Snapshot {
        (self.unavailable, self.delegated) = (unavailable, delegated);
        self
    }

    /// Whether the zone that would answer is one that cannot be served now.
    fn is_unavailable(&self, name: &[u8], qtype: u16) -> bool {
        let is_parents = |apex: &Name| qtype == rt::DS && **apex == *name && self.delegated.contains(apex);
        self.unavailable.iter().any(|apex| {
            crate::dns::name::is_within(name, apex) && !self.answers_below(name, qtype, apex) && !is_parents(apex)
        })
    }

    /// Whether a zone below `apex` answers; DS at a zone's own apex is not its to answer (RFC 4035 § 3.1.4.1).
    fn answers_below(&self, name: &[u8], qtype: u16, apex: &[u8]) -> bool {
        let is_parents = |zone: &Zone| qtype == rt::DS && *zone.apex == *name;
        self.zone_of(name, qtype).is_some_and(|zone| zone.apex.len() > apex.len() && !is_parents(zone))
    }

    /// The zones in canonical order of their apexes.
    pub fn zones(&self) -> &[Arc<Zone>] {
        &self.zones
    }

    /// Who we are.
    pub fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// The zone with exactly this apex.
    pub fn zone(&self, apex: &[u8]) -> Option<&Arc<Zone>> {
        let found = self.index.get(&hash_name(apex))?;
        found.iter().filter_map(|at| self.zones.get(*at)).find(|zone| *zone.apex == *apex)
    }

    /// The zone that answers for `name`, in lower case: the one with the longest apex. DS at an apex belongs to the
    /// parent, where that is served here too (RFC 4035 § 3.1.4.1).
    pub fn zone_of(&self, name: &[u8], qtype: u16) -> Option<&Arc<Zone>> {
        let mut own = None;
        for suffix in crate::dns::name::ancestors(name) {
            if !self.apex_lengths.get(suffix.len()).is_some_and(|used| *used) {
                continue;
            }
            match self.zone(suffix) {
                Some(zone) if qtype == rt::DS && suffix.len() == name.len() => own = Some(zone),
                Some(zone) => return Some(zone),
                None => {}
            }
        }
        own
    }
}

/// Answers one query. `out` is at least 512 octets; what is longer than it or than the transport allows is truncated.
/// Never panics on any octets; the shell still catches.
pub fn respond(snapshot: &Snapshot, asked: &Asked<'_>, out: &mut [u8]) -> Reply {
    let query = match query::parse(asked.packet) {
        Parsed::Silence => return Reply::Silence,
        Parsed::Fault(fault) => return Reply::Send(refuse(snapshot, asked, &fault, out)),
        Parsed::Query(query) => query,
    };
    let cookie = judge_cookie(snapshot, asked, query.edns);
    let mut answer = Answer::default();
    let mut builder = Builder::new(&query, asked, &snapshot.identity.recent);
    builder.account.proven = cookie.proven;
    match decide(snapshot, &query, &mut builder, &mut answer) {
        Ok(()) => {}
        Err(Stop::Deferred) => return Reply::Deferred(builder.account),
        Err(Stop::Truncate) => answer = Answer { truncated: true, authoritative: true, ..Answer::default() },
        // A key that fails is our fault; a resolver then asks another server.
        Err(Stop::Failed) => answer = Answer { rcode: rcode::SERVFAIL, ..Answer::default() },
    }
    let opt = opt_data(snapshot, asked, query.edns, cookie);
    let (length, truncated) =
        reply::write(query.header, query.question, query.edns, opt, &answer, limit(snapshot, asked, query.edns), out);
    Reply::Send(Outcome {
        length,
        rcode: answer.rcode,
        qtype: query.qtype,
        truncated,
        signed: builder.signed,
        kept: builder.kept,
        keepalive: query.edns.is_some_and(|edns| edns.keepalive),
        account: builder.account,
    })
}

/// Class and type first, then the zone: other classes never reach what was written for IN (CVE-2026-5946).
fn decide<'a>(
    snapshot: &'a Snapshot,
    query: &Query<'_>,
    builder: &mut Builder<'_>,
    answer: &mut Answer<'a>,
) -> Result<(), Stop> {
    let mut fail = |rcode, ede| {
        answer.rcode = rcode;
        answer.ede = ede;
        Ok(())
    };
    match (query.qclass, query.qtype) {
        (CLASS_CH, rt::TXT) if is_identity_name(&query.name) => {
            chaos(snapshot, answer);
            Ok(())
        }
        (crate::dns::rrset::CLASS_IN, qtype) => match qtype {
            // RFC 9824 § 3.5: NXNAME is never asked for.
            rt::NXNAME => fail(rcode::FORMERR, Some(ede::INVALID_QUERY_TYPE)),
            rt::OPT => fail(rcode::FORMERR, None),
            // Zones signed by compact denial cannot be transferred whole.
            rt::AXFR | rt::IXFR => fail(rcode::REFUSED, Some(ede::NOT_SUPPORTED)),
            249 | rt::TSIG | rt::MAILB | rt::MAILA => fail(rcode::NOTIMP, None),
            _ if snapshot.is_unavailable(&query.name, qtype) => fail(rcode::SERVFAIL, Some(ede::NOT_READY)),
            _ => match snapshot.zone_of(&query.name, qtype) {
                None => fail(rcode::REFUSED, Some(ede::NOT_AUTHORITATIVE)),
                Some(zone) => builder.build(snapshot, zone, answer),
            },
        },
        _ => fail(rcode::REFUSED, None),
    }
}

const CLASS_CH: u16 = 3;

fn is_identity_name(name: &[u8]) -> bool {
    matches!(name, b"\x02id\x06server\x00" | b"\x08hostname\x04bind\x00")
}

fn chaos<'a>(snapshot: &'a Snapshot, answer: &mut Answer<'a>) {
    let set = RrsetView { rtype: rt::TXT, ttl: 0, count: 1, wire: &snapshot.identity.chaos, digest: 0 };
    answer.authoritative = true;
    answer.push(build::plain(reply::Owner::Question, set));
    answer.end_answer();
}

fn refuse(snapshot: &Snapshot, asked: &Asked<'_>, fault: &Fault<'_>, out: &mut [u8]) -> Outcome {
    let cookie = judge_cookie(snapshot, asked, fault.edns);
    let rcode = match fault.rcode {
        // RFC 7873 § 5.4: nothing but a cookie is asked for. A server cookie that is wrong is told, and a good one sent.
        rcode::NOERROR if cookie.reply.is_none() => rcode::FORMERR,
        rcode::NOERROR if !cookie.proven && fault.edns.is_some_and(|edns| edns.server_cookie.is_some()) => {
            rcode::BADCOOKIE
        }
        rcode => rcode,
    };
    let answer = Answer { rcode, ..Answer::default() };
    let opt = opt_data(snapshot, asked, fault.edns, cookie);
    let (length, truncated) =
        reply::write(fault.header, fault.question, fault.edns, opt, &answer, limit(snapshot, asked, fault.edns), out);
    let account = Account { proven: cookie.proven, ..Account::default() };
    Outcome { length, rcode, truncated, account, ..Outcome::default() }
}

fn judge_cookie(snapshot: &Snapshot, asked: &Asked<'_>, edns: Option<Edns>) -> Cookie {
    cookie::judge(edns, asked.now.rrsig(), asked.source, &snapshot.identity.cookie_secrets)
}

/// Octets that the reply may have (RFC 6891 § 6.2.5, RFC 1035 § 4.2.1).
fn limit(snapshot: &Snapshot, asked: &Asked<'_>, edns: Option<Edns>) -> usize {
    let ours = snapshot.identity.udp_size.unwrap_or(UDP_SIZE_MAX);
    match asked.transport {
        Transport::Udp => usize::from(edns.map_or(UDP_SIZE_MIN, |edns| edns.udp_size.min(ours))),
        Transport::Tcp | Transport::Encrypted => usize::from(u16::MAX),
    }
}

fn opt_data<'a>(snapshot: &'a Snapshot, asked: &Asked<'_>, edns: Option<Edns>, cookie: Cookie) -> OptData<'a> {
    let Some(edns) = edns else { return OptData::default() };
    let identity = &*snapshot.identity;
    OptData {
        nsid: edns.nsid.then_some(identity.nsid.as_slice()),
        cookie: cookie.reply,
        keepalive: (edns.keepalive && asked.transport == Transport::Tcp).then_some(identity.keepalive),
    }
}
