//! How much more two threads answer than one: the way of a batch without its system calls, on one shared snapshot.
//!
//! In one process, since with two cores none would be left for a client. Threads share the snapshot and nothing else,
//! so the ratio is near 2 where a second core is free; what is missing is what they wait for each other.

#![allow(clippy::panic, clippy::print_stdout, reason = "a benchmark that measures nothing must stop, and it prints")]

mod support;

use mxseal::answer::{Asked, Effort, Reply, Snapshot, Transport, respond, touch};
use mxseal::dns::rtype::number as rt;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Barrier;
use std::time::{Duration, Instant};
use support::{NOW, endpoint, query, unproved};

const TENANTS: usize = 100_000;
/// Datagrams of one batch of the server.
const BATCH: usize = 64;
/// Time of one measurement; one with a single thread and one with two follow each other, so that both see one machine.
const SPAN: Duration = Duration::from_secs(1);
const ROUNDS: usize = 7;
/// What a second free core should bring.
const TARGET: f64 = 1.8;

fn main() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("two threads against one: batches of {BATCH}, {TENANTS} tenants, {cores} cores");
    let snapshot = unproved(TENANTS);
    let queries = queries();
    let mut out = [0u8; 1232];
    queries.iter().for_each(|packet| answer(&snapshot, packet, Effort::Sign, &mut out));
    let mut ratios = Vec::new();
    println!("round  one thread/s  two threads/s  ratio");
    for round in 1..=ROUNDS {
        let (one, two) = (rate(&snapshot, &queries, 1), rate(&snapshot, &queries, 2));
        ratios.push(two / one);
        println!("{round:5}  {one:12.0}  {two:13.0}  {:5.2}", two / one);
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ROUNDS / 2];
    let verdict = if median >= TARGET { "as it should be" } else { "too little, if a second core was free" };
    println!("median ratio {median:.2}; at least {TARGET} is wanted: {verdict}");
}

/// Three types for every tenant, in no order of memory: the stride shares no factor with the number of tenants.
fn queries() -> Vec<Vec<u8>> {
    let kinds = [("", rt::A), ("", rt::AAAA), ("_25._tcp.", rt::TLSA)];
    (0..3 * TENANTS)
        .map(|n| query(&format!("{}{}", kinds[n % 3].0, endpoint(n * 7_368_787 % TENANTS)), kinds[n % 3].1, true))
        .collect()
}

/// Answers a second of so many threads together. Each begins at another place of the queries.
fn rate(snapshot: &Snapshot, queries: &[Vec<u8>], threads: usize) -> f64 {
    let barrier = Barrier::new(threads);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let (barrier, first) = (&barrier, thread * queries.len() / threads);
                scope.spawn(move || {
                    barrier.wait();
                    work(snapshot, queries, first)
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().expect("answering never panics")).sum()
    })
}

/// Answers a second of one thread.
fn work(snapshot: &Snapshot, queries: &[Vec<u8>], first: usize) -> f64 {
    let mut out = [0u8; 1232];
    let mut answers = 0u32;
    let began = Instant::now();
    for batch in queries.chunks_exact(BATCH).cycle().skip(first / BATCH) {
        touch(snapshot, batch.iter().map(Vec::as_slice));
        batch.iter().for_each(|packet| answer(snapshot, packet, Effort::Kept, &mut out));
        answers += 64;
        if began.elapsed() >= SPAN {
            break;
        }
    }
    f64::from(answers) / began.elapsed().as_secs_f64()
}

fn answer(snapshot: &Snapshot, packet: &[u8], effort: Effort, out: &mut [u8]) {
    let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let asked = Asked { packet, source, transport: Transport::Udp, now: NOW, effort };
    let Reply::Send(outcome) = black_box(respond(snapshot, black_box(&asked), out)) else {
        panic!("a query of the benchmark is not answered")
    };
    assert_eq!(outcome.rcode, 0, "a query of the benchmark is answered");
}
