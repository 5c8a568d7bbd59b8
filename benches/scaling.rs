//! How much more two threads answer than one: the way of a batch without its system calls, on one shared snapshot.
//!
//! In one process, since with two cores none would be left for a client. Threads share the snapshot and nothing else,
//! so the ratio is near 2 where a second core is free; what is missing is what they wait for each other. The ratio of a
//! loop that shares nothing at all, taken in the same round, says what the machine had to give.

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
    let (mut ratios, mut machine) = (Vec::new(), Vec::new());
    println!("round  one thread/s  two threads/s  ratio  of a loop");
    for round in 1..=ROUNDS {
        let both = |work: &(dyn Fn(usize) -> f64 + Sync)| (together(1, work), together(2, work));
        let (one, two) = both(&|thread| answers(&snapshot, &queries, thread * queries.len() / 2));
        let (alone, beside) = both(&|_| spins());
        ratios.push(two / one);
        machine.push(beside / alone);
        println!("{round:5}  {one:12.0}  {two:13.0}  {:5.2}  {:9.2}", two / one, beside / alone);
    }
    let (ratio, machine) = (median(ratios), median(machine));
    println!("median ratio {ratio:.2}, of a loop that shares nothing {machine:.2}");
    if machine < TARGET {
        println!("no second core was free, so this says little: at least {TARGET} is wanted where one is");
    } else {
        println!("at least {TARGET} is wanted: {}", if ratio >= TARGET { "reached" } else { "missed" });
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Three types for every tenant, in no order of memory: the stride shares no factor with the number of tenants.
fn queries() -> Vec<Vec<u8>> {
    let kinds = [("", rt::A), ("", rt::AAAA), ("_25._tcp.", rt::TLSA)];
    (0..3 * TENANTS)
        .map(|n| query(&format!("{}{}", kinds[n % 3].0, endpoint(n * 7_368_787 % TENANTS)), kinds[n % 3].1, true))
        .collect()
}

/// What so many threads do a second together; they begin together, and each is told its number.
fn together(threads: usize, work: &(dyn Fn(usize) -> f64 + Sync)) -> f64 {
    let barrier = Barrier::new(threads);
    std::thread::scope(|scope| {
        let start = |thread| {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                work(thread)
            })
        };
        let running: Vec<_> = (0..threads).map(start).collect();
        running.into_iter().map(|thread| thread.join().expect("no work panics")).sum()
    })
}

/// Answers a second of one thread that begins with query `first`.
fn answers(snapshot: &Snapshot, queries: &[Vec<u8>], first: usize) -> f64 {
    let mut out = [0u8; 1232];
    let mut batches = queries.chunks_exact(BATCH).cycle().skip(first / BATCH);
    let done = per_second(|| {
        let batch = batches.next().expect("endless");
        touch(snapshot, batch.iter().map(Vec::as_slice));
        batch.iter().for_each(|packet| answer(snapshot, packet, Effort::Kept, &mut out));
    });
    done * BATCH as f64
}

/// Rounds a second of a loop that takes about as long as a batch.
fn spins() -> f64 {
    per_second(|| {
        black_box((0..100_000u64).fold(1, |sum: u64, n| black_box(sum.rotate_left(5) ^ n)));
    })
}

fn per_second(mut work: impl FnMut()) -> f64 {
    let mut done = 0u32;
    let began = Instant::now();
    while began.elapsed() < SPAN {
        work();
        done += 1;
    }
    f64::from(done) / began.elapsed().as_secs_f64()
}

fn answer(snapshot: &Snapshot, packet: &[u8], effort: Effort, out: &mut [u8]) {
    let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let asked = Asked { packet, source, transport: Transport::Udp, now: NOW, effort };
    let Reply::Send(outcome) = black_box(respond(snapshot, black_box(&asked), out)) else {
        panic!("a query of the benchmark is not answered")
    };
    assert_eq!(outcome.rcode, 0, "a query of the benchmark is answered");
}
