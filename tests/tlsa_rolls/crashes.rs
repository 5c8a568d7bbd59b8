//! The process dies at each write of a roll, before it and after it, and goes on where it was.

use super::world::{DAY, HOUR, World, host, key};
use mxseal::cert::KeyKind;
use mxseal::roll::item::Caution;

/// One planned roll of three hosts; the process dies at write `at` and is back after `away` seconds.
fn roll_with_a_crash(at: u32, is_written: bool, away: u64) -> bool {
    let mut world = World::new(3);
    world.every = HOUR;
    let next = world.next_key(KeyKind::EcdsaP256).unwrap();
    world.dies = Some((at, is_written));
    let mut has_died = false;
    let mut go_on = |world: &mut World, span: u64| {
        let until = world.now.after(span);
        while world.now < until {
            world.run(HOUR / 4);
            if world.is_dead {
                has_died = true;
                world.now = world.now.after(away);
                world.restart();
            }
        }
    };
    for number in 1..=3 {
        for _ in 0..100 {
            if world.deploy(host(number), KeyKind::EcdsaP256, next, Caution::Expiry) {
                break;
            }
            go_on(&mut world, HOUR);
        }
        go_on(&mut world, HOUR);
    }
    world.wanted.current = [(next, KeyKind::EcdsaP256)].into();
    go_on(&mut world, 20 * DAY);
    world.dies = None;
    world.run_until_rest(30 * DAY);
    world.judge().unwrap_or_else(|conflict| panic!("write {at}, written {is_written}: {conflict:#?}"));
    assert!(!world.facts.served_keys().contains(&key("first")) && world.facts.served_keys().len() == 2);
    has_died
}

#[test]
fn a_roll_survives_the_death_of_the_process_at_each_write() {
    let mut died = 0;
    for is_written in [false, true] {
        for away in [60, 2 * DAY] {
            let all = (1..).take_while(|at| roll_with_a_crash(*at, is_written, away)).count();
            assert!(all > 10, "{all} writes");
            died += all;
        }
    }
    println!("{died} deaths at all writes of a roll, no sender failed");
}
