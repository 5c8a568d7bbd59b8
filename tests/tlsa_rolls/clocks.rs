//! A clock that jumps while a key is adopted, permitted or given up, or after a person let a pool go on.
//!
//! No wait becomes shorter by it, and nothing that a person has looked at becomes news. Each pool has a twin whose clock does
//! not jump: at each moment, by the time that was counted, both serve the same.

use super::world::{DAY, HOUR, Host, LIFE, World, host, key};
use mxseal::cert::{KeyClass, KeyKind};
use mxseal::roll::hosts::facts::{Fact, Origin};
use mxseal::roll::hosts::plan::Blocker;
use mxseal::roll::item::Caution;
use mxseal::time::Seconds;

const P256: KeyKind = KeyKind::EcdsaP256;
const JUMPS: [Seconds; 2] = [DAY, 3_650 * DAY];
/// When the clock jumps, after what is tried has begun.
const MOMENTS: [Seconds; 3] = [0, LIFE / 2, LIFE + 2 * HOUR];
/// How often both are looked at, and how long.
const STEP: Seconds = 2 * HOUR;
const UNTIL: Seconds = 2 * LIFE + DAY;

fn shows(name: &str) -> Host {
    let keys = [(KeyClass::Ecdsa, key(name))].into();
    Host { keys, without_name: Default::default(), up: true, starttls: true }
}

fn adopt(world: &mut World) {
    let reason = "mine".to_owned();
    assert!(world.record(Fact::KeyAdopted { spki: key("mine"), kind: P256, origin: Origin::Adopted, reason }));
    world.look();
    world.turn();
}

/// A host to come shows a key that no file names, and somebody adopts it.
fn adopted() -> World {
    let mut world = World::new(2);
    world.show(host(3), shows("mine"));
    world.wanted.addresses.insert(host(3));
    world.run(DAY);
    adopt(&mut world);
    world
}

/// Hosts cease to show a key that was adopted.
fn given_back() -> World {
    let mut world = adopted();
    world.run(LIFE + DAY);
    assert!(world.facts.served_addresses().contains(&host(3)));
    world.show(host(3), shows("first"));
    world
}

/// A hook was told that it may give hosts the next key, and then the key is given up.
fn permitted() -> World {
    let mut world = World::new(2);
    let spki = world.next_key(P256).expect("a next key");
    assert!(world.record(Fact::Permitted { spki, until: world.now.after(2 * DAY).0 }));
    world.run(HOUR);
    assert!(world.record(Fact::KeyGivenUp { spki, emergency: false, reason: "another one is better".into() }));
    world.turn();
    world
}

/// Hosts were given the next key, and files name it.
fn rolled() -> World {
    let mut world = World::new(2);
    let spki = world.next_key(P256).expect("a next key");
    for number in 1..=2 {
        assert!(world.deploy(host(number), P256, spki, Caution::Expiry));
    }
    world.wanted.current = [(spki, P256)].into();
    world.turn();
    world
}

/// Both serve the same for as long as anything waits, counted without the jump.
fn same_as_without(begin: fn() -> World) {
    let mut changes = 0;
    for jump in JUMPS {
        for moment in MOMENTS {
            let (mut plain, mut jumped) = (begin(), begin());
            (plain.every, jumped.every) = (HOUR, HOUR);
            plain.run(moment);
            jumped.run(moment);
            jumped.jump(jump);
            plain.turn();
            for step in 0..UNTIL / STEP {
                let served = |world: &World| (world.facts.served_keys(), world.facts.served_addresses());
                let at = format!("jump {jump} at {moment}, {} s later", step * STEP);
                assert_eq!(served(&jumped), served(&plain), "{at}");
                let before = served(&plain);
                plain.run(STEP);
                jumped.run(STEP);
                changes += u32::from(before != served(&plain));
            }
        }
    }
    assert!(changes > 0, "something waited");
}

#[test]
fn a_host_whose_key_was_adopted_is_served_no_sooner_by_a_clock_that_jumps() {
    same_as_without(adopted);
}

#[test]
fn an_adopted_key_that_no_host_shows_any_more_goes_no_sooner_by_a_clock_that_jumps() {
    same_as_without(given_back);
}

#[test]
fn a_permit_lasts_as_long_as_it_was_given_for_whatever_the_clock_does() {
    same_as_without(permitted);
}

#[test]
fn an_old_key_goes_no_sooner_by_a_clock_that_jumps() {
    same_as_without(rolled);
}

#[test]
fn what_a_person_has_looked_at_is_no_news_after_a_clock_jumped() {
    let freezes = |world: &World| world.plan.as_ref().expect("a plan").blockers.iter().any(Blocker::freezes);
    for jump in JUMPS {
        for (moment, restart) in [(0, false), (HOUR, true), (DAY, false)] {
            let mut world = World::new(2);
            // An outsider answers for a host; a person looks at it, and lets the pool go on.
            world.show_excused(host(2), shows("stranger"), 1_000_000 * DAY);
            world.run(HOUR);
            assert!(freezes(&world));
            assert!(world.record(Fact::Resumed { reason: "looked at".into() }));
            world.turn();
            assert!(!freezes(&world), "{:?}", world.plan);
            world.run(moment);
            world.jump(jump);
            if restart {
                world.restart();
                world.run(HOUR);
            }
            assert!(!freezes(&world), "jump {jump} after {moment}: {:?}", world.plan);
            // Something new is an alarm, as ever.
            world.show_excused(host(1), shows("another stranger"), 1_000_000 * DAY);
            world.run(HOUR);
            assert!(freezes(&world), "jump {jump} after {moment}");
        }
    }
}
