//! Answers each kind of query a fixed number of times, for an instrument that counts instructions.
//!
//! `benches/instructions` runs it under callgrind, which counts inside of [`counted`] alone and writes one profile each
//! time that it returns. Signatures are those of a signer that signs nothing, so that what is counted is ours: ring's
//! share changes with the random number of each signature and with the CPU.

#![allow(clippy::panic, clippy::print_stdout, reason = "a benchmark that measures nothing must stop, and it prints")]

mod support;

use mxseal::answer::{Asked, Effort, Reply, Snapshot, Transport, respond};
use mxseal::dns::query::{Parsed, parse};
use mxseal::dns::rtype::number as rt;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use support::{NOW, PARENT, SHARD, endpoint, name, query, unproved};

/// Tenants of the world; hash seeds differ from process to process, so the counts are means over all of them.
const TENANTS: usize = 1000;
/// Queries of each kind that are counted.
const QUERIES: usize = 1000;

/// One thing that is counted.
struct Kind {
    name: &'static str,
    snapshot: Arc<Snapshot>,
    queries: Vec<Vec<u8>>,
    work: Work,
}

/// What is done with one packet; returns what tells a right answer from a wrong one.
type Work = fn(&Snapshot, &[u8], &mut [u8]) -> Seen;

/// Response code, and signatures kept and made.
type Seen = (u16, u8, u8);

/// What [`parsed`] returns; no response code is like it.
const PARSED: Seen = (u16::MAX, 0, 0);

/// The one function inside of which instructions are counted.
#[inline(never)]
fn counted(kind: &Kind, out: &mut [u8]) {
    for packet in kind.queries.iter().cycle().take(QUERIES) {
        black_box((kind.work)(&kind.snapshot, black_box(packet), out));
    }
}

fn answered(snapshot: &Snapshot, packet: &[u8], effort: Effort, out: &mut [u8]) -> Seen {
    let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
    match respond(snapshot, &Asked { packet, source, transport: Transport::Udp, now: NOW, effort }, out) {
        Reply::Send(outcome) => (outcome.rcode, outcome.kept, outcome.signed),
        Reply::Silence | Reply::Deferred(_) => panic!("a query of a benchmark is not answered"),
    }
}

fn kept(snapshot: &Snapshot, packet: &[u8], out: &mut [u8]) -> Seen {
    answered(snapshot, packet, Effort::Kept, out)
}

fn fresh(snapshot: &Snapshot, packet: &[u8], out: &mut [u8]) -> Seen {
    answered(snapshot, packet, Effort::Sign, out)
}

fn parsed(_: &Snapshot, packet: &[u8], _: &mut [u8]) -> Seen {
    match parse(packet) {
        Parsed::Query(query) if query.edns.is_some_and(|edns| edns.client_cookie.is_some()) => PARSED,
        _ => panic!("a query with a cookie is not read"),
    }
}

/// Queries for each tenant in turn.
fn tenants(prefix: &str, rtype: u16, dnssec_ok: bool) -> Vec<Vec<u8>> {
    (0..TENANTS).map(|i| query(&format!("{prefix}{}", endpoint(i)), rtype, dnssec_ok)).collect()
}

/// Queries for names that do not exist.
fn nobody(dnssec_ok: bool) -> Vec<Vec<u8>> {
    (0..TENANTS).map(|i| query(&format!("nobody{i:06}.{SHARD}"), rt::A, dnssec_ok)).collect()
}

/// Two questions in one message (RFC 9619).
fn two_questions() -> Vec<u8> {
    let mut packet = query(SHARD, rt::SOA, true);
    packet[5] = 2;
    packet
}

/// A query with a client cookie (RFC 7873 § 4).
fn with_cookie(i: usize) -> Vec<u8> {
    let mut packet = query(&endpoint(i), rt::A, true);
    let length = packet.len();
    packet[length - 1] = 12;
    packet.extend_from_slice(&[0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
    packet
}

/// All kinds; each comes with what a right answer of it looks like. Every third tenant has an IPv6 address.
fn kinds() -> Vec<(Kind, Seen)> {
    let world = Arc::new(unproved(TENANTS));
    let parent = world.zones().iter().filter(|zone| *zone.apex == *name(PARENT)).cloned().collect();
    let parent = Arc::new(Snapshot::new(1, parent, Arc::clone(world.identity())));
    let kind = |name, work, seen, queries| (Kind { name, snapshot: Arc::clone(&world), queries, work }, seen);
    let delegated = Kind { name: "referral DO", snapshot: parent, queries: tenants("", rt::A, true), work: kept };
    vec![
        kind("A DO", kept as Work, (0, 1, 0), tenants("", rt::A, true)),
        kind("AAAA DO", kept, (0, 1, 0), tenants("", rt::AAAA, true).into_iter().step_by(3).collect()),
        kind("TLSA DO", kept, (0, 1, 0), tenants("_25._tcp.", rt::TLSA, true)),
        kind("A", kept, (0, 0, 0), tenants("", rt::A, false)),
        kind("NODATA DO", kept, (0, 2, 0), tenants("", rt::MX, true)),
        kind("NXDOMAIN", kept, (3, 0, 0), nobody(false)),
        kind("NXDOMAIN DO", fresh, (0, 1, 1), nobody(true)),
        kind("NXDOMAIN DO again", kept, (0, 2, 0), nobody(true)),
        kind("SOA DO", kept, (0, 1, 0), vec![query(SHARD, rt::SOA, true)]),
        kind("DNSKEY DO", kept, (0, 1, 0), vec![query(SHARD, rt::DNSKEY, true)]),
        kind("DS DO", kept, (0, 1, 0), vec![query(SHARD, rt::DS, true)]),
        kind("REFUSED", kept, (5, 0, 0), vec![query("www.elsewhere.test", rt::A, true)]),
        kind("FORMERR", kept, (1, 0, 0), vec![two_questions()]),
        (delegated, (0, 1, 0)),
        kind("A DO cookie", kept, (0, 1, 0), (0..TENANTS).map(with_cookie).collect()),
        kind("parse cookie", parsed, PARSED, (0..TENANTS).map(with_cookie).collect()),
    ]
}

/// Answers queries once to make what is kept, then again to see that they are answered as they should be. Where a
/// signature is counted with each answer, only one that is not counted: an answer that was given before is kept.
fn warm(kind: &Kind, expected: Seen, out: &mut [u8]) {
    let is = |seen| assert_eq!(seen, expected, "{}: response code, signatures kept, signatures made", kind.name);
    if expected.2 > 0 {
        fresh(&kind.snapshot, &query(&format!("first.{SHARD}"), rt::A, true), out);
        return is((kind.work)(&kind.snapshot, &query(&format!("second.{SHARD}"), rt::A, true), out));
    }
    for packet in &kind.queries {
        if expected != PARSED {
            fresh(&kind.snapshot, packet, out);
        }
        is((kind.work)(&kind.snapshot, packet, out));
    }
}

/// Prints a line for each kind, in the order of the profiles: its name, and how many queries were counted.
fn main() {
    let mut out = [0u8; 1232];
    for (kind, expected) in kinds() {
        warm(&kind, expected, &mut out);
        counted(&kind, &mut out);
        println!("{}\t{QUERIES}", kind.name);
    }
}
