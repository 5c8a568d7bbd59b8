//! What an answer costs without its system calls, kind by kind; and what it costs to change one tenant.

#![allow(missing_docs, clippy::panic, reason = "criterion's macros, and a benchmark that measures nothing must stop")]

mod support;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mxseal::answer::{Asked, Effort, Reply, Snapshot, Transport, respond, touch};
use mxseal::dns::query::parse;
use mxseal::dns::rtype::number as rt;
use mxseal::zone::Zone;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use support::{NOW, PARENT, SHARD, endpoint, query, snapshot, tenant, unproved};

/// Tenants of the world and queries of each kind: all of it fits a second-level cache, so this is the cost of the code.
const TENANTS: usize = 1000;

/// Queries of a world that fits no cache: enough that none is asked twice within what a cache remembers.
const QUERIES_MAX: usize = 600_000;

fn answer(snapshot: &Snapshot, packet: &[u8], effort: Effort, out: &mut [u8]) -> Reply {
    let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
    respond(snapshot, &Asked { packet, source, transport: Transport::Udp, now: NOW, effort }, out)
}

/// Queries for each tenant in turn.
fn tenants(prefix: &str, rtype: u16, dnssec_ok: bool) -> Vec<Vec<u8>> {
    (0..TENANTS).map(|i| query(&format!("{prefix}{}", endpoint(i)), rtype, dnssec_ok)).collect()
}

fn kinds() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    vec![
        ("A DO", tenants("", rt::A, true)),
        ("AAAA DO", tenants("", rt::AAAA, true)),
        ("TLSA DO", tenants("_25._tcp.", rt::TLSA, true)),
        ("A", tenants("", rt::A, false)),
        ("TLSA", tenants("_25._tcp.", rt::TLSA, false)),
        ("NODATA DO", tenants("", rt::MX, true)),
        ("NODATA", tenants("", rt::MX, false)),
        ("NXDOMAIN", vec![query(&format!("nobody.{SHARD}"), rt::A, false)]),
        ("SOA DO", vec![query(SHARD, rt::SOA, true)]),
        ("DNSKEY DO", vec![query(SHARD, rt::DNSKEY, true)]),
        ("DS DO", vec![query(SHARD, rt::DS, true)]),
        ("REFUSED", vec![query("www.elsewhere.test", rt::A, true)]),
    ]
}

fn warm_answers(c: &mut Criterion) {
    let snapshot = snapshot(TENANTS);
    let mut out = [0u8; 1232];
    let mut group = c.benchmark_group("respond");
    group.throughput(Throughput::Elements(1));
    for (kind, queries) in kinds() {
        for packet in &queries {
            answer(&snapshot, packet, Effort::Sign, &mut out);
            let Reply::Send(_) = answer(&snapshot, packet, Effort::Kept, &mut out) else {
                panic!("{kind} is not kept")
            };
        }
        let mut turn = queries.iter().cycle();
        group.bench_function(kind, |b| {
            b.iter(|| answer(&snapshot, black_box(turn.next().expect("endless")), Effort::Kept, &mut out));
        });
    }
    group.finish();
}

/// Denials of names that nobody asked before, one signature each; and of one that is asked again.
fn denials(c: &mut Criterion) {
    let snapshot = snapshot(TENANTS);
    let mut names = 0u64;
    let mut fresh = || {
        names += 1;
        query(&format!("nobody{names}.{SHARD}"), rt::A, true)
    };
    let mut out = [0u8; 1232];
    let again = fresh();
    let Reply::Send(outcome) = answer(&snapshot, &again, Effort::Sign, &mut out) else { panic!("it is answered") };
    assert_eq!(outcome.signed, 2, "the NSEC, and once the SOA");
    let mut group = c.benchmark_group("respond");
    group.bench_function("NXDOMAIN DO, asked before", |b| {
        b.iter(|| answer(&snapshot, black_box(&again), Effort::Kept, &mut out));
    });
    group.bench_function("NXDOMAIN DO", |b| {
        b.iter_batched(&mut fresh, |packet| answer(&snapshot, &packet, Effort::Sign, &mut out), BatchSize::SmallInput);
    });
    group.finish();
}

/// A world where the shard is served elsewhere would answer so; here the parent alone is served.
fn referral(c: &mut Criterion) {
    let both = snapshot(1);
    let parent = both.zones().iter().filter(|zone| *zone.apex == *support::name(PARENT)).cloned().collect();
    let snapshot = Snapshot::new(1, parent, Arc::clone(both.identity()));
    let packet = query(&endpoint(0), rt::A, true);
    let mut out = [0u8; 1232];
    answer(&snapshot, &packet, Effort::Sign, &mut out);
    let mut group = c.benchmark_group("respond");
    group.bench_function("referral DO", |b| b.iter(|| answer(&snapshot, black_box(&packet), Effort::Kept, &mut out)));
    group.finish();
}

/// Batches of queries for any tenants, so that most of what they need is in no cache where there are many tenants.
fn many_tenants(c: &mut Criterion) {
    let mut group = c.benchmark_group("batch of 64");
    group.throughput(Throughput::Elements(64));
    let mut out = [0u8; 1232];
    for tenants in [1000, 100_000, 1_000_000] {
        let snapshot = unproved(tenants);
        let kinds = [("", rt::A), ("", rt::AAAA), ("_25._tcp.", rt::TLSA)];
        // A stride that shares no factor with the number of tenants visits them all, in no order of memory.
        let queries: Vec<_> = (0..QUERIES_MAX.min(3 * tenants))
            .map(|n| query(&format!("{}{}", kinds[n % 3].0, endpoint(n * 7_368_787 % tenants)), kinds[n % 3].1, true))
            .collect();
        for packet in &queries {
            answer(&snapshot, packet, Effort::Sign, &mut out);
        }
        let mut turn = queries.chunks_exact(64).cycle();
        group.bench_function(format!("{tenants}, one after another"), |b| {
            b.iter(|| {
                for packet in turn.next().expect("endless") {
                    black_box(answer(&snapshot, packet, Effort::Kept, &mut out));
                }
            });
        });
        group.bench_function(format!("{tenants}"), |b| {
            b.iter(|| {
                let batch = turn.next().expect("endless");
                touch(&snapshot, batch.iter().map(Vec::as_slice));
                for packet in batch {
                    black_box(answer(&snapshot, packet, Effort::Kept, &mut out));
                }
            });
        });
    }
    group.finish();
}

fn parsing(c: &mut Criterion) {
    let queries = tenants("_25._tcp.", rt::TLSA, true);
    let mut turn = queries.iter().cycle();
    c.bench_function("parse", |b| b.iter(|| parse(black_box(turn.next().expect("endless")))));
}

/// The next snapshot with one tenant changed, from the one before: flat, however many tenants there are.
fn change(c: &mut Criterion) {
    let mut group = c.benchmark_group("change one tenant");
    for tenants in [10, 1000, 100_000] {
        let before = snapshot(tenants);
        let mut next = (0..tenants).cycle().step_by(7);
        let mut fresh = || Arc::new(tenant(next.next().expect("endless")));
        group.bench_function(tenants.to_string(), |b| {
            b.iter_batched(&mut fresh, |tenant| changed(&before, tenant), BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn changed(before: &Snapshot, tenant: Arc<mxseal::zone::endpoint::Tenant>) -> Snapshot {
    let apex = support::name(SHARD);
    let zones = before.zones().iter().map(|zone| {
        if *zone.apex != *apex {
            return Arc::clone(zone);
        }
        let mut next = Zone::clone(zone);
        next.tenants.insert(Arc::clone(&tenant));
        Arc::new(next)
    });
    Snapshot::new(before.version + 1, zones.collect(), Arc::clone(before.identity()))
}

criterion_group!(benches, warm_answers, denials, referral, many_tenants, parsing, change);
criterion_main!(benches);
