//! Many tenants that move at once, and one that moves all the time.

use crate::mover::{Mover, WAIT, pools, tenant, three_pools};
use mxseal::roll::hosts::KEYS_MAX;
use std::time::{Duration, Instant};

fn lines(count: usize, pool: &str) -> (String, String) {
    let line = |at: usize| format!("{{\"domain\":\"t{at}.example\",\"pool\":\"{pool}\"}}\n");
    ("a.mx.example/all.ndjson".to_owned(), (0..count).map(line).collect())
}

/// So many tenants move in one batch, with a restart in the middle; how long this takes in true time.
fn all_at_once(count: usize) -> Duration {
    let mut mover = Mover::new(three_pools());
    mover.write(vec![lines(count, "one")]);
    mover.run(2 * WAIT);
    for number in [0, count / 2, count - 1] {
        mover.watch(&format!("t{number}.example"));
    }
    let began = Instant::now();
    mover.write(vec![lines(count, "two")]);
    let all = |mover: &Mover| {
        let first = mover.answer("t0.example");
        for number in 0..count {
            assert_eq!(mover.answer(&format!("t{number}.example")), first, "all go together");
        }
        first
    };
    assert_eq!(all(&mover), ([0x11].into(), [0x11, 0x22].into()), "TLSA of both first");
    assert_eq!((mover.ways(), mover.way_folders()), (1, 1), "one way for all");
    mover.run(WAIT / 2);
    assert!(mover.start());
    assert_eq!((all(&mover), mover.ways()), (([0x11].into(), [0x11, 0x22].into()), 1), "after a restart, too");
    mover.run(WAIT);
    assert_eq!(all(&mover), ([0x22].into(), [0x11, 0x22].into()), "then addresses");
    assert!(mover.start());
    mover.arrive("t0.example", 0x22);
    assert_eq!(all(&mover), ([0x22].into(), [0x22].into()), "then only the new");
    assert_eq!(mover.way_folders(), 0);
    mover.judge();
    began.elapsed()
}

#[test]
fn ten_thousand_moves_in_one_batch_go_one_way_and_cost_no_more_each_than_a_thousand() {
    let few = all_at_once(1_000);
    let many = all_at_once(10_000);
    println!("1,000 moves: {few:?}; 10,000 moves: {many:?}");
    // Ten times as much, were it linear; a hundred times, were it quadratic. What does not depend on the count helps.
    assert!(many < 40 * few.max(Duration::from_millis(50)), "{few:?} became {many:?}");
}

#[test]
fn a_tenant_that_moves_all_the_time_takes_no_more_room_with_each_move() {
    let mut mover = Mover::new(three_pools());
    mover.move_to("t.example", "one");
    mover.move_to("u.example", "two");
    mover.run(2 * WAIT);
    mover.watch("t.example");
    mover.watch("u.example");
    let mut sizes = Vec::new();
    for round in 0..150 {
        mover.move_to("t.example", ["two", "one", "six"][round % 3]);
        // The other one goes by another door.
        let (path, _) = tenant("u.example", "two");
        mover.remove(&path);
        mover.move_to("u.example", ["one", "two"][round % 2]);
        mover.run(if round % 7 == 0 { WAIT } else { 30 });
        if round % 50 == 49 {
            assert!(mover.start(), "restarts change nothing");
        }
        assert!(mover.ways() <= 4 && mover.way_folders() <= 4, "{} ways", mover.way_folders());
        let places = mover.world.pools.records().len();
        assert!(places <= 20, "{places} places in the table of pools");
        let journals: u64 = mover.certs.ways.keys().map(|way| mover.octets(&format!("pools/{way}/journal"))).sum();
        let pools: u64 = ["one", "two", "six"].iter().map(|pool| mover.octets(&format!("pools/{pool}/journal"))).sum();
        sizes.push([mover.octets("a.mx.example/tenant-pools"), mover.octets(".ways"), journals, pools]);
    }
    let most = |range: std::ops::Range<usize>| -> [u64; 4] {
        let of = |at: usize| sizes[range.clone()].iter().map(|sizes| sizes[at]).max().unwrap_or_default();
        [of(0), of(1), of(2), of(3)]
    };
    let (before, after) = (most(50..100), most(100..150));
    println!("tenant-pools, .ways, journals of ways and of pools: {:?} {before:?} {after:?}", most(0..50));
    assert!(after[0] < 400_000, "tenant-pools is written anew in time");
    assert!((1..3).all(|at| after[at] <= before[at] * 5 / 4), "{before:?} {after:?}");
    assert_eq!(before[3], after[3], "pools know nothing of who moves");
    mover.move_to("t.example", "one");
    mover.move_to("u.example", "one");
    mover.arrive("t.example", 0x11);
    mover.arrive("u.example", 0x11);
    mover.judge();
    assert_eq!(mover.way_folders(), 0);
}

#[test]
fn between_pools_with_as_many_keys_as_fit_tlsa_fit_and_nobody_jumps() {
    let most = u8::try_from(KEYS_MAX).expect("a count");
    for keys in [most / 2, most / 2 + 1, most] {
        let mut mover = Mover::new(pools(&[("one", 11), ("two", 22), ("six", 66)], keys));
        mover.move_to("t.example", "one");
        mover.run(2 * WAIT);
        mover.watch("t.example");
        for round in 0..30 {
            mover.move_to("t.example", ["two", "six", "one"][round % 3]);
            mover.run(if round % 5 == 0 { 3 * WAIT } else { 30 });
        }
        mover.arrive("t.example", 0x11);
        mover.judge();
    }
}
