//! S23: the process ends at every labelled step of every roll, in every way.

use super::lab::{finish, registry, roll, second_opinion, shard, show};
use mxseal::roll::zone::facts::Fact;
use mxseal::roll::zone::sim::world::{DEATHS, World};
use mxseal::sign::key::Role;

/// Labelled steps of the longest roll, and some more: an end that is never reached changes nothing.
const STEPS_MAX: u64 = 24;

fn every_death(what: &str, begin: impl Fn() -> World) {
    let (mut worlds, mut died) = (0, 0);
    for at in 0..STEPS_MAX {
        for way in DEATHS {
            let mut world = begin();
            world.death = Some((at, way));
            finish(&mut world, 400);
            died += u64::from(world.death.is_none());
            worlds += 1;
        }
    }
    println!("{what}: {worlds} worlds, {died} deaths");
    assert!(died >= 12, "{what}: only {died} ends were reached");
}

fn begun(mut world: World, role: Role) -> World {
    roll(&mut world, role);
    world
}

fn to_ed25519(mut world: World) -> World {
    world.command(&Fact::AlgorithmWanted { algorithm: 15 });
    world
}

#[test]
fn a_csk_roll_survives_every_end_at_every_step() {
    let world = begun(shard(), Role::Csk);
    every_death("csk", || world.clone());
}

#[test]
fn a_zsk_roll_survives_every_end_at_every_step() {
    let world = begun(registry(), Role::Zsk);
    every_death("zsk", || world.clone());
}

#[test]
fn a_ksk_roll_survives_every_end_at_every_step() {
    let world = begun(registry(), Role::Ksk);
    every_death("ksk", || world.clone());
}

#[test]
fn an_algorithm_roll_survives_every_end_at_every_step() {
    for (what, world) in [("csk to 15", to_ed25519(shard())), ("ksk+zsk to 15", to_ed25519(registry()))] {
        every_death(what, || world.clone());
    }
}

#[test]
fn two_rolls_at_once_survive_ends_at_random() {
    for seed in 0..40 {
        let mut world = registry();
        for _ in 0..seed {
            world.chance();
        }
        roll(&mut world, Role::Ksk);
        roll(&mut world, Role::Zsk);
        for _ in 0..3 {
            let (at, way) = (world.chance() % 8, world.chance() % 4);
            world.death = usize::try_from(way).ok().and_then(|way| DEATHS.get(way)).map(|way| (at, *way));
            let until = world.time + 20 * 86_400;
            while world.time < until {
                if let Err(bogus) = world.go(until) {
                    panic!("seed {seed}: {}", show(&bogus));
                }
            }
            second_opinion(&world);
        }
        world.death = None;
        finish(&mut world, 400);
        assert_eq!(world.count.rolls, 2);
    }
}
