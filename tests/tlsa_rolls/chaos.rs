//! Years of pools with everything that goes wrong, by seeds: crashes, hosts that are away, disks that refuse, late looks.

use super::condense::{decide_alike, fold};
use super::world::{DAY, HOUR, Host, World, host};
use mxseal::cert::{KeyClass, KeyKind};
use mxseal::roll::hosts::condense::condensed;
use mxseal::roll::hosts::facts::Fact;
use mxseal::roll::item::Caution;
use mxseal::roll::zone::invented::next as chance;
use std::net::IpAddr;

/// Pools that each run of the tests lives through; `TLSA_SEEDS` asks for more.
const SEEDS: u64 = 40;
const DAYS: u64 = 200;

struct Lived {
    events: u64,
    rolls: u64,
    crashes: u64,
    shortened: u64,
}

fn live(seed: u64) -> Lived {
    let mut state = seed.wrapping_mul(0x9e37_79b9);
    let mut draw = |sides: u64| chance(&mut state) % sides;
    let mut world = World::new(1 + u8::try_from(draw(5)).unwrap());
    world.every = 4 * HOUR;
    let mut lived = Lived { events: 0, rolls: 0, crashes: 0, shortened: 0 };
    let mut fresh = 50u8;
    let end = world.now.after(DAYS * DAY);
    while world.now < end {
        world.run(1 + draw(2 * DAY));
        let addresses: Vec<_> = world.wanted.addresses.iter().copied().collect();
        let one = addresses[usize::try_from(draw(addresses.len() as u64)).unwrap()];
        match draw(14) {
            0..=3 => {
                lived.rolls += u64::from(roll(&mut world, &addresses, &mut draw));
            }
            4 => finish(&mut world),
            5 => {
                let host = &mut world.hosts.get_mut(&one).unwrap();
                host.up = !host.up;
            }
            6 => {
                world.dies = Some((1 + u32::try_from(draw(6)).unwrap(), draw(2) == 0));
                world.run(DAY);
                if world.is_dead {
                    lived.crashes += 1;
                    lived.shortened += u64::from(shorten(&mut world));
                    world.now = world.now.after(draw(3 * DAY));
                    world.restart();
                }
                world.dies = None;
            }
            7 => {
                // A host more, with the key that files name.
                fresh += 1;
                let spki = *world.wanted.current.keys().next().unwrap();
                let keys = [(KeyClass::Ecdsa, spki)].into();
                world.show(host(fresh), Host { keys, without_name: Default::default(), up: true, starttls: true });
                world.wanted.addresses.insert(host(fresh));
            }
            8 if addresses.len() > 1 => drop(world.wanted.addresses.remove(&one)),
            9 => world.ack_delay = 1 + draw(DAY),
            10 => world.disk = !world.disk,
            12 => {
                // An outsider switches STARTTLS off, or somebody switches it on again.
                let starttls = !world.hosts[&one].starttls;
                let excused = if starttls { 0 } else { 1_000 * DAY };
                world.show_excused(one, Host { starttls, ..world.hosts[&one].clone() }, excused);
            }
            13 => turn_apart(&mut world),
            11 => world.limits = (60 + u32::try_from(draw(7200)).unwrap(), DAY + draw(4 * DAY)),
            _ => {}
        }
    }
    settle(&mut world, seed);
    lived.shortened += u64::from(shorten(&mut world));
    lived.events = world.events;
    lived
}

/// The journal is made shorter before a restart, as a long one is; from here on there is only that one.
fn shorten(world: &mut World) -> bool {
    let Some(shorter) = condensed(&world.journal) else { return false };
    world.facts = fold(&world.journal);
    decide_alike(world, &shorter);
    world.journal = shorter;
    true
}

/// Hosts go over to the next key, as far as the gate and their state let them; whether all did.
fn roll(world: &mut World, addresses: &[IpAddr], draw: &mut dyn FnMut(u64) -> u64) -> bool {
    let Some(next) = world.next_key(KeyKind::EcdsaP256) else { return false };
    let mut all = true;
    let apart = world.wanted.apart.clone();
    for address in addresses.iter().chain(&apart) {
        all &= draw(4) > 0 && world.deploy(*address, KeyKind::EcdsaP256, next, Caution::Expiry);
        world.run(1 + draw(3 * HOUR));
    }
    if addresses.iter().any(|at| world.hosts[at].keys.values().any(|spki| *spki == next)) {
        world.wanted.current = [(next, KeyKind::EcdsaP256)].into();
    }
    all
}

/// A tenant gets an address of its own, where a host shows what the pool's do, or has none any more.
fn turn_apart(world: &mut World) {
    let own = host(200);
    if world.wanted.apart.remove(&own) {
        return;
    }
    let keys = [(KeyClass::Ecdsa, *world.wanted.current.keys().next().unwrap())].into();
    world.show(own, Host { keys, without_name: Default::default(), up: true, starttls: true });
    world.wanted.apart.insert(own);
}

/// Faults have ended: all must come to rest, and no sender may have failed.
fn settle(world: &mut World, seed: u64) {
    (world.disk, world.ack_delay, world.dies) = (true, 1, None);
    for (address, host) in world.hosts.clone() {
        world.show(address, Host { up: true, starttls: true, ..host });
    }
    // Faults have ended: whoever is late follows, and all comes to rest.
    for _ in 0..10 {
        finish(world);
        world.run(10 * DAY);
    }
    assert!(world.is_at_rest(), "seed {seed}: {:#?}", world.plan);
    assert!(world.facts.served_keys().len() == 2, "seed {seed}: {:?}", world.facts.served_keys());
    world.judge().unwrap_or_else(|conflict| panic!("seed {seed}: {conflict:#?}"));
}

/// Every host that is behind is given the key that the files name.
fn finish(world: &mut World) {
    let spki = *world.wanted.current.keys().next().unwrap();
    for address in world.wanted.addresses.union(&world.wanted.apart).copied().collect::<Vec<_>>() {
        if !world.hosts[&address].keys.values().all(|shown| *shown == spki) {
            world.deploy(address, KeyKind::EcdsaP256, spki, Caution::Expiry);
        }
    }
    // A key that is to come back into use is no next one.
    let _ =
        world.facts.key(spki).is_some_and(|key| key.given_up.is_some()) && world.record(Fact::KeyTakenBack { spki });
}

#[test]
fn years_with_all_faults_and_no_sender_that_fails() {
    let seeds = std::env::var("TLSA_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    let (mut events, mut rolls, mut crashes, mut shortened) = (0, 0, 0, 0);
    for seed in 1..=seeds {
        let lived = live(seed);
        events += lived.events;
        rolls += lived.rolls;
        crashes += lived.crashes;
        shortened += lived.shortened;
    }
    println!(
        "{seeds} pools, {} years, {events} events, {rolls} rolls of all hosts at once, {crashes} crashes, \
         {shortened} journals made shorter, 0 failures",
        seeds * DAYS / 365
    );
    assert!(rolls > 10 && crashes > 2, "{rolls} rolls, {crashes} crashes");
    assert!(shortened > crashes, "{shortened} journals were made shorter, {crashes} crashes");
}
