//! The scenarios of the design by name: S45 to S58, and what each must and must not do.

use super::world::{DAY, EVERY, HOUR, Host, LIFE, TTL, World, host, key};
use mxseal::cert::{KeyClass, KeyKind};
use mxseal::roll::hosts::facts::{Fact, Origin};
use mxseal::roll::hosts::plan::{Block, Blocker, Why};
use mxseal::roll::hosts::step::{Step, permit_deploy};
use mxseal::roll::item::Caution;
use mxseal::time::Seconds;
use std::collections::BTreeMap;

const P256: KeyKind = KeyKind::EcdsaP256;

fn good(world: &World) {
    world.judge().unwrap_or_else(|conflict| panic!("a sender fails: {conflict:#?}"));
}

/// The operator gives the next key to these hosts, one an hour, then the file names it.
fn roll(world: &mut World, hosts: &[u8]) {
    let next = world.next_key(P256).unwrap();
    for number in hosts {
        assert!(world.deploy(host(*number), P256, next, Caution::Expiry));
        world.run(HOUR);
    }
    world.wanted.current = [(next, P256)].into();
    world.run(HOUR);
}

#[test]
fn s45_a_planned_roll_with_two_of_eight_hosts_away_for_four_days() {
    let mut world = World::new(8);
    for number in [7, 8] {
        world.hosts.get_mut(&host(number)).unwrap().up = false;
    }
    roll(&mut world, &[1, 2, 3, 4, 5, 6]);
    world.run(4 * DAY);
    assert!(world.facts.served_keys().contains(&key("first")), "two hosts were not seen to have changed");
    let silent = |blocker: &Blocker| matches!(blocker, Blocker::Own(Block::Silent(address, _)) if *address == host(7));
    assert!(world.plan.as_ref().unwrap().blockers.iter().any(silent), "{:?}", world.plan);
    for number in [7, 8] {
        world.hosts.get_mut(&host(number)).unwrap().up = true;
    }
    world.run(10 * DAY);
    assert!(world.facts.served_keys().contains(&key("first")), "they show it");
    roll_rest(&mut world, &[7, 8]);
    world.run_until_rest(30 * DAY);
    assert!(!world.facts.served_keys().contains(&key("first")) && world.facts.served_keys().len() == 2);
    good(&world);
}

#[test]
fn a_host_that_was_seen_with_the_new_key_and_is_away_since_holds_the_old_tlsa() {
    let mut world = World::new(3);
    roll(&mut world, &[1, 2, 3]);
    world.run(3600);
    assert!(world.facts.served_keys().contains(&key("first")), "caches know it");
    world.hosts.get_mut(&host(3)).unwrap().up = false;
    world.run(20 * DAY);
    assert!(world.facts.served_keys().contains(&key("first")), "it may come back with whatever key it had");
    world.hosts.get_mut(&host(3)).unwrap().up = true;
    world.run_until_rest(30 * DAY);
    assert!(!world.facts.served_keys().contains(&key("first")));
    good(&world);
}

#[test]
fn no_private_half_is_wiped_while_something_is_in_doubt() {
    let mut world = World::new(1);
    roll(&mut world, &[1]);
    world.run_until_rest(30 * DAY);
    let made = *world.wanted.current.keys().next().unwrap();
    world.run(LIFE + 2 * HOUR);
    roll(&mut world, &[1]);
    world.run_until_rest(30 * DAY);
    assert!(world.facts.key(made).unwrap().removed.is_some(), "its TLSA has gone");
    assert!(world.record(Fact::Doubted { reason: "an old copy".to_owned() }));
    world.run(40 * DAY);
    assert!(world.facts.key(made).unwrap().destroyed.is_none(), "it may be needed again");
    let plan = world.plan.as_ref().unwrap();
    assert!(plan.waits.iter().any(|wait| wait.step == Step::Destroy(made) && wait.why == Why::Frozen), "{plan:?}");
    assert!(plan.wake_at > world.now, "what may not be wiped brings nothing forward");
    assert!(world.record(Fact::Resumed { reason: "it is the newest".to_owned() }));
    world.run(2 * DAY);
    assert!(world.facts.key(made).unwrap().destroyed.is_some());
    good(&world);
}

fn roll_rest(world: &mut World, hosts: &[u8]) {
    let new = *world.wanted.current.keys().next().unwrap();
    for number in hosts {
        assert!(world.deploy(host(*number), P256, new, Caution::Expiry));
    }
}

#[test]
fn s46_s50_a_renewal_with_the_same_key_by_whatever_authority_changes_nothing() {
    let mut world = World::new(3);
    let (records, served) = (world.facts.records, world.facts.served_keys());
    world.run(40 * DAY);
    assert_eq!((world.facts.records, world.facts.served_keys()), (records, served));
    good(&world);
}

#[test]
fn s47_a_new_key_at_renewal_is_refused_and_where_it_is_shown_all_the_same_no_look_publishes_it() {
    let mut world = World::new(3);
    world.wanted.current = [(key("surprise"), P256)].into();
    world.run(60);
    assert!(permit_deploy(&world.facts, key("surprise"), Caution::Expiry, &world.policy, world.now).is_err());
    assert!(!world.deploy(host(1), P256, key("surprise"), Caution::Expiry), "the gate holds");
    good(&world);
    // Bypassed: the TLSA stay as they are, and its address goes while others are left.
    let before = world.facts.served_keys();
    let shown = Host { keys: [(KeyClass::Ecdsa, key("bypass"))].into(), ..world.hosts[&host(2)].clone() };
    world.show_excused(host(2), shown, 1000 * DAY);
    world.run(EVERY + 60);
    assert_eq!(world.facts.served_keys(), before);
    assert!(world.plan.as_ref().unwrap().blockers.iter().any(Blocker::freezes), "{:?}", world.plan);
    assert!(world.facts.served_addresses().contains(&host(2)), "it may only have been restarted");
    world.run(3 * EVERY);
    assert_eq!(world.facts.served_addresses(), [host(1), host(3)].into());
    // A file that names the key publishes it at once, as ever.
    world.wanted.current.insert(key("bypass"), P256);
    world.run(60);
    assert!(world.facts.served_keys().contains(&key("bypass")) && world.facts.served_keys().contains(&key("first")));
    let back = Host { keys: [(KeyClass::Ecdsa, key("first"))].into(), ..world.hosts[&host(2)].clone() };
    world.show(host(2), back);
    world.wanted.current = [(key("first"), P256)].into();
    world.run_until_rest(30 * DAY);
    assert!(!world.facts.served_keys().contains(&key("bypass")), "what nobody shows any more goes after its wait");
    good(&world);
}

#[test]
fn s48_only_one_of_two_kinds_is_rolled() {
    let mut world = World::empty(3, &[(P256, "first"), (KeyKind::Rsa, "rsa")]);
    world.turn();
    world.run(5 * DAY);
    let needs = |blocker: &Blocker| *blocker == Blocker::Own(Block::NeedsKey(KeyKind::Rsa));
    assert!(world.plan.as_ref().unwrap().blockers.iter().any(needs), "no RSA key is made here");
    let staged =
        Fact::KeyKnown { spki: key("rsa next"), kind: Some(KeyKind::Rsa), origin: Origin::Staged, file: "f".into() };
    assert!(world.record(staged));
    world.run_until_rest(30 * DAY);
    assert_eq!(world.facts.served_keys().len(), 4);
    let next = world.next_key(P256).unwrap();
    for number in 1..=3 {
        assert!(world.deploy(host(number), P256, next, Caution::Expiry));
    }
    world.wanted.current = [(next, P256), (key("rsa"), KeyKind::Rsa)].into();
    world.run_until_rest(30 * DAY);
    let served = world.facts.served_keys();
    assert!(served.contains(&key("rsa")) && served.contains(&key("rsa next")) && !served.contains(&key("first")));
    good(&world);
}

#[test]
fn a_key_that_looks_may_miss_goes_a_wait_after_its_file_and_no_next_one_is_asked_for() {
    for kind in [KeyKind::Other, KeyKind::RsaPss] {
        let mut world = World::empty(2, &[(P256, "first"), (kind, "hidden")]);
        // Hosts have both keys, and show looks the first one alone.
        for number in 1..=2 {
            let keys = [(KeyClass::Ecdsa, key("first"))].into();
            world.show(host(number), Host { keys, ..world.hosts[&host(number)].clone() });
        }
        world.turn();
        world.run(2 * LIFE);
        assert!(world.facts.served_keys().contains(&key("hidden")), "{kind:?}");
        assert!(world.plan.as_ref().unwrap().blockers.is_empty(), "{kind:?}: {:?}", world.plan);
        world.wanted.current = [(key("first"), P256)].into();
        world.run(LIFE);
        assert!(
            world.facts.served_keys().contains(&key("hidden")),
            "{kind:?}: hosts may show it as long as caches know"
        );
        world.run_until_rest(30 * DAY);
        assert!(!world.facts.served_keys().contains(&key("hidden")), "{kind:?}");
        good(&world);
    }
}

#[test]
fn s51_in_an_emergency_the_next_key_is_shown_at_once_and_the_old_one_goes_after_one_ttl() {
    let mut world = World::new(3);
    let next = world.next_key(P256).unwrap();
    let lost = Fact::KeyGivenUp { spki: key("first"), emergency: true, reason: "stolen".into() };
    assert!(world.record(lost));
    for number in 1..=3 {
        assert!(world.deploy(host(number), P256, next, Caution::Ttl), "no wait");
    }
    world.wanted.current = [(next, P256)].into();
    world.run(Seconds::from(TTL) + HOUR + 2 * EVERY);
    assert!(!world.facts.served_keys().contains(&key("first")), "{:#?}", world.plan);
    world.judge_honest().unwrap();
    world.run_until_rest(30 * DAY);
    assert_eq!(world.facts.served_keys().len(), 2);
}

#[test]
fn s53_a_host_added_with_a_wrong_key_never_enters() {
    let mut world = World::new(2);
    let wrong = Host { keys: [(KeyClass::Ecdsa, key("wrong"))].into(), ..world.hosts[&host(1)].clone() };
    world.show(host(3), wrong);
    world.wanted.addresses.insert(host(3));
    world.run(20 * DAY);
    assert!(!world.facts.served_addresses().contains(&host(3)));
    assert!(!world.facts.served_keys().contains(&key("wrong")), "what only a candidate shows is not published");
    let right = Host { keys: [(KeyClass::Ecdsa, key("first"))].into(), ..world.hosts[&host(3)].clone() };
    world.show(host(3), right);
    world.run_until_rest(DAY);
    assert!(world.facts.served_addresses().contains(&host(3)));
    good(&world);
}

#[test]
fn a_host_that_nobody_could_look_at_is_not_served() {
    let mut world = World::new(2);
    let away = Host { up: false, ..world.hosts[&host(1)].clone() };
    world.show(host(3), away);
    world.wanted.addresses.insert(host(3));
    world.run(5 * DAY);
    assert!(!world.facts.served_addresses().contains(&host(3)));
}

#[test]
fn s54_the_key_of_a_host_that_was_removed_stays_as_long_as_caches_know_its_address() {
    let mut world = World::new(2);
    // One host keeps the old key for good, and is taken out of service in the middle of a roll.
    let next = world.next_key(P256).unwrap();
    assert!(world.deploy(host(1), P256, next, Caution::Expiry));
    world.wanted.current = [(next, P256)].into();
    world.run(10 * DAY);
    world.wanted.addresses.remove(&host(2));
    world.run(2 * DAY);
    assert_eq!(world.facts.served_addresses(), [host(1)].into());
    assert!(world.facts.served_keys().contains(&key("first")), "senders may still go to it");
    world.run(10 * DAY);
    assert!(!world.facts.served_keys().contains(&key("first")));
    good(&world);
}

/// A host ceases to offer STARTTLS, or offers it again.
fn starttls(world: &mut World, number: u8, starttls: bool) {
    let changed = Host { starttls, ..world.hosts[&host(number)].clone() };
    world.show_excused(host(number), changed, if starttls { 0 } else { 100 * DAY });
}

#[test]
fn s55_a_host_without_starttls_is_drained_and_tlsa_stay() {
    let mut world = World::new(3);
    roll(&mut world, &[1, 2, 3]);
    let before = world.facts.served_keys();
    starttls(&mut world, 2, false);
    world.run(2 * EVERY);
    assert!(world.facts.served_addresses().contains(&host(2)), "it may only have been restarted");
    world.run(2 * EVERY);
    assert_eq!(world.facts.served_addresses(), [host(1), host(3)].into());
    world.run(DAY);
    assert_eq!(world.facts.served_keys(), before);
    assert!(world.plan.as_ref().unwrap().blockers.iter().any(Blocker::freezes), "caches still know its address");
    world.run(30 * DAY);
    assert!(!world.plan.as_ref().unwrap().blockers.iter().any(Blocker::freezes), "and then none does");
    starttls(&mut world, 2, true);
    world.run(EVERY + 60);
    assert!(world.facts.served_addresses().contains(&host(2)));
    world.run_until_rest(30 * DAY);
    good(&world);
}

#[test]
fn s55_the_last_hosts_are_never_drained_and_one_that_restarts_is_not() {
    let mut world = World::new(2);
    starttls(&mut world, 1, false);
    world.run(EVERY);
    starttls(&mut world, 1, true);
    world.run(DAY);
    assert_eq!(world.facts.addresses.len(), 1, "nothing changed");
    for number in 1..=2 {
        starttls(&mut world, number, false);
    }
    let before = world.facts.served_keys();
    world.run(30 * DAY);
    assert_eq!(world.facts.served_addresses(), [host(1), host(2)].into(), "mail of others goes on");
    world.policy.drain = None;
    starttls(&mut world, 1, true);
    world.run(30 * DAY);
    assert_eq!(world.facts.served_addresses(), [host(1), host(2)].into(), "draining is off");
    assert_eq!(world.facts.served_keys(), before);
    assert!(world.plan.as_ref().unwrap().blockers.iter().any(Blocker::freezes));
}

#[test]
fn s56_a_pool_that_names_no_key_any_more_is_left_to_itself() {
    let mut world = World::new(2);
    world.wanted.current.clear();
    world.run_until_rest(30 * DAY);
    assert!(world.facts.served_keys().is_empty(), "DANE is off, as the files want it");
    good(&world);
}

#[test]
fn s57_a_permit_that_ends_before_the_deployment_no_longer_holds_the_key() {
    let mut world = World::new(2);
    let next = world.next_key(P256).unwrap();
    assert!(permit_deploy(&world.facts, next, Caution::Expiry, &world.policy, world.now).is_ok());
    assert!(world.record(Fact::Permitted { spki: next, until: world.now.after(HOUR).0 }));
    assert!(world.record(Fact::KeyGivenUp { spki: next, emergency: false, reason: "changed my mind".into() }));
    world.run(HOUR / 2);
    assert!(world.facts.served_keys().contains(&next), "while the permit lasts, a host may show it");
    world.run_until_rest(30 * DAY);
    assert!(
        !world.facts.served_keys().contains(&next) && world.facts.served_keys().len() == 2,
        "another takes its place"
    );
    good(&world);
}

#[test]
fn s58_where_current_and_next_are_lost_a_new_key_waits_one_ttl() {
    let mut world = World::new(2);
    world.wanted.current = [(key("new"), P256)].into();
    world.run(Seconds::from(TTL) + HOUR + 60);
    for number in 1..=2 {
        assert!(world.deploy(host(number), P256, key("new"), Caution::Ttl), "{:?}", world.facts.tlsa);
    }
    world.run(30 * DAY);
    world.judge_honest().unwrap();
    assert!(!world.facts.served_keys().contains(&key("first")));
}

/// A pool of two hosts, and one more at the address of a tenant's own.
fn with_an_own_address() -> World {
    let mut world = World::new(2);
    let own = world.hosts[&host(1)].clone();
    world.show(host(9), own);
    world.wanted.apart.insert(host(9));
    world.run(DAY);
    world
}

#[test]
fn a_host_that_shows_now_one_key_and_now_another_keeps_both_tlsa() {
    let mut world = World::new(2);
    // Both are named: the file of one host was renewed with another key, the other one's was not.
    world.wanted.current.insert(key("other"), P256);
    world.run(LIFE + 2 * HOUR);
    let other = Host { keys: [(KeyClass::Ecdsa, key("other"))].into(), ..world.hosts[&host(2)].clone() };
    let first = world.hosts[&host(2)].clone();
    world.show(host(2), other.clone());
    world.run(DAY);
    world.wanted.current = [(key("first"), P256)].into();
    let before = world.facts.records;
    for _ in 0..100 {
        for shown in [&first, &other] {
            world.show(host(2), shown.clone());
            world.run(6 * HOUR);
            let served = world.facts.served_keys();
            assert!(served.contains(&key("first")) && served.contains(&key("other")), "{served:?}");
        }
    }
    assert!(world.facts.records - before < 100, "{} facts of 200 changes", world.facts.records - before);
    good(&world);
    // Once it is calm, it counts as what it shows.
    world.show(host(2), first);
    world.run(2 * LIFE);
    assert!(world.facts.served_keys().contains(&key("other")), "one wait to be calm, and one that it is not shown");
    world.run_until_rest(30 * DAY);
    assert!(!world.facts.served_keys().contains(&key("other")));
    good(&world);
}

#[test]
fn a_host_at_a_tenants_own_address_holds_the_old_tlsa_as_those_of_the_pool_do() {
    let mut world = with_an_own_address();
    assert!(!world.facts.served_addresses().contains(&host(9)), "it is that tenant's alone");
    roll(&mut world, &[1, 2]);
    world.run(20 * DAY);
    assert!(world.facts.served_keys().contains(&key("first")), "one host still shows it");
    let next = *world.wanted.current.keys().next().unwrap();
    assert!(world.deploy(host(9), P256, next, Caution::Expiry));
    world.run_until_rest(30 * DAY);
    assert!(!world.facts.served_keys().contains(&key("first")));
    good(&world);
}

#[test]
fn a_tenants_own_address_that_is_given_up_is_minded_as_long_as_caches_know_it() {
    let mut world = with_an_own_address();
    roll(&mut world, &[1, 2]);
    world.run(20 * DAY);
    world.wanted.apart.clear();
    world.run(LIFE - HOUR);
    assert!(world.facts.served_keys().contains(&key("first")));
    world.run(2 * LIFE);
    world.run_until_rest(30 * DAY);
    assert!(!world.facts.served_keys().contains(&key("first")), "{:?}", world.plan);
    // More of them than can be looked at: nothing is taken away.
    world.wanted.left_out = 1;
    let old = *world.wanted.current.keys().next().unwrap();
    roll(&mut world, &[1, 2]);
    world.run(30 * DAY);
    assert!(world.facts.served_keys().contains(&old));
    world.wanted.left_out = 0;
    world.run_until_rest(30 * DAY);
    assert!(!world.facts.served_keys().contains(&old));
    good(&world);
}

#[test]
fn all_hosts_of_a_pool_are_replaced() {
    let mut world = World::new(3);
    let fresh = Host { up: false, ..world.hosts[&host(1)].clone() };
    for number in 11..=13 {
        world.show(host(number), fresh.clone());
    }
    world.wanted.addresses = (11..=13).map(host).collect();
    world.run(DAY);
    (11..=13).for_each(|number| world.hosts.get_mut(&host(number)).unwrap().up = true);
    assert_eq!(
        world.facts.served_addresses(),
        (1..=3).map(host).collect(),
        "the last hosts stay until others are seen"
    );
    world.run_until_rest(DAY);
    assert_eq!(world.facts.served_addresses(), (11..=13).map(host).collect());
    good(&world);
}

#[test]
fn the_kinds_of_keys_of_a_pool_change() {
    let mut world = World::new(2);
    let p384 =
        Fact::KeyKnown { spki: key("p384"), kind: Some(KeyKind::EcdsaP384), origin: Origin::Staged, file: "f".into() };
    assert!(world.record(p384));
    world.run(60);
    assert!(!world.deploy(host(1), KeyKind::EcdsaP384, key("p384"), Caution::Expiry), "not yet");
    world.run(LIFE + 2 * HOUR);
    for number in 1..=2 {
        assert!(world.deploy(host(number), KeyKind::EcdsaP384, key("p384"), Caution::Expiry));
    }
    world.wanted.current = [(key("p384"), KeyKind::EcdsaP384)].into();
    world.run_until_rest(40 * DAY);
    let kinds: Vec<_> =
        world.facts.served_keys().iter().map(|spki| world.facts.key(*spki).unwrap().kind.unwrap()).collect();
    assert_eq!(kinds, [KeyKind::EcdsaP384; 2], "P-256 left with its next key");
    good(&world);
}

#[test]
fn a_host_may_show_another_key_to_those_who_name_nothing() {
    let mut world = World::new(1);
    world.wanted.given.insert(key("default"));
    world.run(LIFE + 2 * HOUR);
    let mut two = world.hosts[&host(1)].clone();
    two.without_name = BTreeMap::from([(KeyClass::Ecdsa, key("default"))]);
    world.show(host(1), two);
    world.run(DAY);
    world.wanted.given.clear();
    world.run(30 * DAY);
    assert!(world.facts.served_keys().contains(&key("default")), "it is shown");
    good(&world);
}

#[test]
fn what_nobody_looks_at_waits_for_the_files_alone() {
    let mut world = World::empty(2, &[(P256, "first")]);
    world.policy.probed = false;
    world.turn();
    world.run(LIFE + 2 * HOUR);
    let next = world.next_key(P256).unwrap();
    for number in 1..=2 {
        assert!(world.deploy(host(number), P256, next, Caution::Expiry));
    }
    world.wanted.current = [(next, P256)].into();
    world.run(LIFE);
    assert!(world.facts.served_keys().contains(&key("first")));
    world.run_until_rest(30 * DAY);
    assert!(!world.facts.served_keys().contains(&key("first")));
    good(&world);
}

#[test]
fn the_first_keys_of_a_pool_wait_too_since_nobody_knows_what_was_served_before() {
    let mut world = World::empty(1, &[(P256, "first")]);
    // One that was kept here before, as after the loss of a journal, is no exception.
    let kept = Fact::KeyKnown { spki: key("kept"), kind: Some(P256), origin: Origin::Made, file: "f".into() };
    assert!(world.record(kept));
    world.turn();
    world.run(60);
    let next = world.next_key(P256).unwrap();
    assert_eq!(next, key("kept"));
    assert!(permit_deploy(&world.facts, next, Caution::Expiry, &world.policy, world.now).is_err());
    world.run(LIFE + 2 * HOUR);
    assert!(permit_deploy(&world.facts, next, Caution::Expiry, &world.policy, world.now).is_ok());
}

#[test]
fn a_wait_begins_when_it_was_seen_and_not_when_it_was_decided() {
    let mut world = World::empty(1, &[(P256, "first")]);
    world.ack_delay = 10 * DAY;
    world.turn();
    world.run(9 * DAY);
    let next = world.next_key(P256).unwrap();
    assert_eq!(permit_deploy(&world.facts, next, Caution::Expiry, &world.policy, world.now), Err(None));
    world.run(2 * DAY);
    let later = permit_deploy(&world.facts, next, Caution::Expiry, &world.policy, world.now);
    assert!(matches!(later, Err(Some(_))), "{later:?}");
}

#[test]
fn a_ttl_that_falls_in_the_middle_of_a_wait_shortens_nothing() {
    let mut world = World::new(2);
    world.limits = (DAY as u32, 10 * DAY);
    world.run(HOUR);
    world.limits = (60, DAY);
    roll(&mut world, &[1, 2]);
    world.run_until_rest(60 * DAY);
    good(&world);
}
