//! Keys that nobody announced, wherever they are seen: what each must and must not do.
//!
//! On hosts of a pool, at tenants' own addresses, and in journals of before. Only files and operators say which keys are a
//! pool's.

use super::world::{DAY, EVERY, HOUR, Host, LIFE, World, host, key};
use mxseal::cert::{KeyClass, KeyKind, Spki};
use mxseal::roll::hosts::facts::{Fact, Origin};
use mxseal::roll::hosts::fold::PoolFacts;
use mxseal::roll::hosts::plan::{Awaited, Block, Blocker, Why};
use mxseal::roll::hosts::sights::has_room;
use mxseal::roll::hosts::step::permit_deploy;
use mxseal::roll::hosts::{KEYS_MAX, NextKeys, UNNAMED_MAX};
use mxseal::roll::item::Caution;
use mxseal::store::journal::decode_as;
use mxseal::time::{Seconds, UnixTime};

const P256: KeyKind = KeyKind::EcdsaP256;
const FOREVER: Seconds = 1_000_000 * DAY;

fn with(world: &World, number: u8, name: &str) -> Host {
    let keys = [(KeyClass::Ecdsa, key(name))].into();
    let up = world.hosts.get(&host(number)).is_none_or(|host| host.up);
    Host { keys, without_name: Default::default(), up, starttls: true }
}

/// An outsider answers at the address of a host: whoever fails by that, the engine is not at fault.
fn hijack(world: &mut World, number: u8, name: &str) {
    let shown = with(world, number, name);
    world.show_excused(host(number), shown, FOREVER);
}

fn show(world: &mut World, number: u8, name: &str) {
    let shown = with(world, number, name);
    world.show(host(number), shown);
}

fn adopt(world: &mut World, name: &str) {
    let fact = Fact::KeyAdopted { spki: key(name), kind: P256, origin: Origin::Adopted, reason: "mine".into() };
    assert!(world.record(fact));
    world.look();
    world.turn();
}

fn drop_key(world: &mut World, spki: Spki, emergency: bool) {
    assert!(world.record(Fact::KeyGivenUp { spki, emergency, reason: "not mine".into() }));
    world.turn();
}

fn serves(world: &World, name: &str) -> bool {
    world.facts.served_keys().contains(&key(name))
}

fn is_frozen(world: &World) -> bool {
    world.plan.as_ref().unwrap().blockers.iter().any(Blocker::freezes)
}

fn good(world: &World) {
    world.judge().unwrap_or_else(|conflict| panic!("a sender fails: {conflict:#?}"));
}

/// A tenant has an address of its own beside the TLSA of the pool, and a stranger's host answers there.
fn with_a_strangers_host() -> World {
    let mut world = World::new(2);
    let mut own = with(&world, 1, "stranger");
    own.keys.insert(KeyClass::Rsa, key("stranger's rsa"));
    world.show_excused(host(9), own, FOREVER);
    world.wanted.apart.insert(host(9));
    world.run(DAY);
    world
}

#[test]
fn a_strangers_host_at_a_tenants_own_address_changes_nothing_for_the_pool() {
    let mut world = World::new(2);
    let before = world.facts.served_keys();
    world = with_a_strangers_host();
    assert_eq!(world.facts.served_keys(), before, "its keys are none of the pool's");
    assert!(!is_frozen(&world), "{:?}", world.plan);
    // It shows another key at each look, and now one of the pool's, through a relay.
    let records = world.facts.records;
    for round in 0..2000u32 {
        let name = if round % 3 == 0 { "first".to_owned() } else { format!("key {round}") };
        hijack(&mut world, 9, &name);
        world.run(EVERY);
        assert_eq!(world.facts.served_keys(), before);
    }
    assert!(!is_frozen(&world));
    assert!(world.facts.records - records < 40, "{} facts of 2000 changes", world.facts.records - records);
    assert!(world.facts.keys.len() < 5, "{:?}", world.facts.keys.len());
    // A roll of the pool goes through; the old TLSA waits for the relay, and a command goes past it.
    hijack(&mut world, 9, "first");
    let next = world.next_key(P256).unwrap();
    for number in 1..=2 {
        assert!(world.deploy(host(number), P256, next, Caution::Expiry));
    }
    world.wanted.current = [(next, P256)].into();
    world.run(20 * DAY);
    assert!(serves(&world, "first"), "it is held");
    let waits = &world.plan.as_ref().unwrap().waits;
    assert!(
        waits.iter().any(|wait| matches!(&wait.why, Why::Own(Awaited::Apart(hosts)) if hosts.contains(&host(9)))),
        "{waits:?}"
    );
    drop_key(&mut world, key("first"), false);
    world.run(HOUR);
    assert!(!serves(&world, "first"), "{:#?}", world.plan);
}

#[test]
fn more_own_addresses_than_can_be_looked_at_hold_a_tlsa_and_freeze_nothing() {
    let mut world = World::new(2);
    world.wanted.left_out = 1;
    world.wanted.apart.insert(host(9));
    world.turn();
    assert!(!is_frozen(&world), "{:?}", world.plan);
    let next = world.next_key(P256).unwrap();
    for number in 1..=2 {
        assert!(world.deploy(host(number), P256, next, Caution::Expiry));
    }
    world.wanted.current = [(next, P256)].into();
    world.run(30 * DAY);
    assert!(serves(&world, "first"));
    drop_key(&mut world, key("first"), false);
    world.run(DAY);
    assert!(!serves(&world, "first"), "{:#?}", world.plan);
    good(&world);
}

#[test]
fn a_hijacked_look_adds_no_key_and_the_address_goes_while_a_good_host_is_left() {
    let mut world = World::new(3);
    let before = world.facts.served_keys();
    hijack(&mut world, 2, "hijacker");
    world.run(EVERY);
    assert!(is_frozen(&world), "an alarm");
    assert_eq!(world.facts.served_keys(), before);
    world.run(DAY);
    assert_eq!(world.facts.served_keys(), before);
    assert_eq!(world.facts.served_addresses(), [host(1), host(3)].into(), "mail finds the others");
    assert!(world.facts.key(key("hijacker")).is_none(), "which key it was is no fact");
    // All of them: the last ones stay, TLSA too.
    for number in [1, 3] {
        hijack(&mut world, number, "hijacker");
    }
    world.run(30 * DAY);
    assert_eq!((world.facts.served_keys(), world.facts.served_addresses()), (before, [host(1), host(3)].into()));
    for number in 1..=3 {
        show(&mut world, number, "first");
    }
    world.run_until_rest(30 * DAY);
    assert_eq!(world.facts.served_addresses(), [host(1), host(2), host(3)].into());
    good(&world);
}

#[test]
fn a_host_that_shows_a_new_key_at_each_look_leaves_a_bounded_trace() {
    let mut world = World::new(2);
    let (records, keys, shows) = (world.facts.records, world.facts.keys.len(), world.facts.shows.len());
    for round in 0..10_000u32 {
        let name = if round % 5 == 0 { "first".to_owned() } else { format!("key {round}") };
        hijack(&mut world, 2, &name);
        world.run(EVERY);
        let grown = world.facts.records - records;
        assert!(grown < 250, "{grown} facts of {round} changes in {} days", u64::from(round) * EVERY / DAY);
    }
    assert_eq!(world.facts.keys.len(), keys);
    assert!(world.facts.shows.len() <= shows + 8, "{}", world.facts.shows.len());
}

#[test]
fn an_adopted_key_is_published_while_hosts_show_it_and_forgotten_after_the_wait() {
    let mut world = World::new(2);
    hijack(&mut world, 2, "mine");
    world.run(EVERY);
    assert!(is_frozen(&world) && !serves(&world, "mine"));
    adopt(&mut world, "mine");
    assert!(serves(&world, "mine"), "at once, in a frozen pool too: more TLSA break nothing");
    world.run(LIFE + DAY);
    assert!(!is_frozen(&world), "{:?}", world.plan);
    assert!(world.facts.served_addresses().contains(&host(2)), "{:?}", world.plan);
    show(&mut world, 2, "first");
    world.run_until_rest(30 * DAY);
    assert!(!serves(&world, "mine"));
    // It was the pool's then. It is not for ever: nobody says so now.
    hijack(&mut world, 2, "mine");
    world.run(DAY);
    assert!(!serves(&world, "mine"), "a look adds no key");
}

#[test]
fn a_host_to_come_with_a_key_that_nobody_announced_is_served_once_it_is_adopted() {
    let mut world = World::new(2);
    let new = with(&world, 1, "mine");
    world.show(host(3), new);
    world.wanted.addresses.insert(host(3));
    world.run(20 * DAY);
    assert!(!world.facts.served_addresses().contains(&host(3)) && !serves(&world, "mine"));
    assert!(!is_frozen(&world), "nobody meets it");
    adopt(&mut world, "mine");
    assert!(serves(&world, "mine"));
    world.run(LIFE / 2);
    assert!(!world.facts.served_addresses().contains(&host(3)), "caches hold TLSA without it");
    world.run(LIFE);
    assert!(world.facts.served_addresses().contains(&host(3)), "{:#?}", world.plan);
    world.run_until_rest(30 * DAY);
    good(&world);
}

#[test]
fn of_two_kinds_of_keys_the_one_that_no_file_names_is_an_alarm_from_the_first_look() {
    let mut world = World::empty(2, &[(P256, "first"), (KeyKind::Rsa, "rsa")]);
    world.wanted.current.remove(&key("rsa"));
    world.turn();
    world.run(EVERY);
    assert!(is_frozen(&world) && !serves(&world, "rsa"));
    world.run(DAY);
    assert_eq!(world.facts.served_addresses().len(), 2, "no host is better than the others");
}

#[test]
fn where_the_settings_say_so_two_looks_adopt_and_one_does_not() {
    let mut world = World::new(2);
    world.policy.adopt = Some(EVERY);
    // For one look only, and for two, but only to those who name the endpoint.
    hijack(&mut world, 2, "once");
    world.run(EVERY);
    hijack(&mut world, 2, "first");
    world.run(3 * EVERY);
    assert!(!serves(&world, "once"));
    let mut half = with(&world, 2, "half");
    half.without_name = [(KeyClass::Ecdsa, key("first"))].into();
    world.show_excused(host(2), half, FOREVER);
    world.run(5 * EVERY);
    assert!(!serves(&world, "half"));
    for name in ["one", "two", "three", "four"] {
        hijack(&mut world, 2, name);
        world.run(3 * EVERY);
    }
    assert!(serves(&world, "one") && serves(&world, "two"), "{:?}", world.facts.keys);
    assert!(!serves(&world, "three") && !serves(&world, "four"), "two of a kind at most");
    world.run(LIFE + DAY);
    assert!(!serves(&world, "one"), "forgotten after the wait");
    assert!(world.facts.key(key("one")).is_none());
    // Off again: what is there stays as long as it is shown, and no more comes.
    world.policy.adopt = None;
    hijack(&mut world, 1, "five");
    world.run(DAY);
    assert!(!serves(&world, "five"));
}

#[test]
fn what_looks_adopt_never_takes_the_places_of_files() {
    let mut world = World::new(1);
    world.wanted.given = (0..13).map(|number| key(&format!("given {number}"))).collect();
    world.policy.adopt = Some(EVERY);
    world.run(DAY);
    assert_eq!(world.facts.served_keys().len(), 15);
    hijack(&mut world, 1, "one");
    world.run(DAY);
    hijack(&mut world, 1, "two");
    world.run(DAY);
    assert_eq!(world.facts.served_keys().len(), KEYS_MAX);
    assert!(!has_room(&world.facts));
    // Eight at most, however few the files name.
    let mut world = World::new(1);
    for number in 0..12 {
        let name = format!("mine {number}");
        hijack(&mut world, 1, &name);
        world.run(EVERY);
        adopt(&mut world, &name);
    }
    assert_eq!(world.facts.served_keys().len(), 2 + UNNAMED_MAX);
    assert!(world.plan.as_ref().unwrap().blockers.contains(&Blocker::Own(Block::Full)));
    world.wanted.given.insert(key("named"));
    world.run(60);
    assert!(serves(&world, "named"));
}

/// A pool as a version of before left it: it published whatever it saw, up to all places.
fn full_of_strangers() -> World {
    let mut world = World::new(2);
    for number in 0..14 {
        let spki = key(&format!("seen {number}"));
        assert!(world.record(Fact::KeyKnown { spki, kind: Some(P256), origin: Origin::Host, file: String::new() }));
    }
    let all = world.facts.keys.iter().map(|key| key.spki).collect();
    assert!(world.record(Fact::Tlsa { keys: all }));
    hijack(&mut world, 2, "seen 3");
    world.publish();
    world.look();
    world.turn();
    world
}

#[test]
fn a_command_removes_at_once_what_no_file_names_and_nothing_that_an_alarm_says_holds_it() {
    let mut world = full_of_strangers();
    hijack(&mut world, 1, "another stranger");
    world.wanted.given.insert(key("needed"));
    world.run(EVERY);
    assert!(is_frozen(&world) && !serves(&world, "needed"), "no place: {:?}", world.facts.served_keys().len());
    assert!(world.record(Fact::Doubted { reason: "a journal was lost".into() }));
    world.hosts.get_mut(&host(1)).unwrap().up = false;
    world.run(EVERY);
    drop_key(&mut world, key("seen 3"), true);
    assert!(!serves(&world, "seen 3"), "although a host shows it: {:#?}", world.plan);
    assert!(serves(&world, "needed"), "and its place is taken at once");
    // An adopted one waits for hosts, unless it is an emergency.
    let mut world = World::new(2);
    hijack(&mut world, 2, "mine");
    world.run(EVERY);
    adopt(&mut world, "mine");
    drop_key(&mut world, key("mine"), false);
    world.run(10 * DAY);
    assert!(serves(&world, "mine"), "a host shows it");
    drop_key(&mut world, key("mine"), true);
    assert!(!serves(&world, "mine"));
}

#[test]
fn an_alarm_holds_no_emergency_and_a_resume_releases_the_rest() {
    let mut world = World::new(3);
    let next = world.next_key(P256).unwrap();
    hijack(&mut world, 3, "stranger");
    world.run(EVERY);
    assert!(is_frozen(&world));
    drop_key(&mut world, key("first"), true);
    assert!(permit_deploy(&world.facts, next, Caution::Ttl, &world.policy, world.now).is_ok());
    for number in 1..=2 {
        assert!(world.deploy(host(number), P256, next, Caution::Ttl));
    }
    world.wanted.current = [(next, P256)].into();
    world.run(4 * HOUR);
    assert!(!serves(&world, "first"), "{:#?}", world.plan);
    world.judge_honest().unwrap();
    // Without an emergency it holds all, until somebody has looked at it.
    let mut world = World::new(3);
    world.policy.drain = None;
    let next = world.next_key(P256).unwrap();
    hijack(&mut world, 3, "stranger");
    for number in 1..=2 {
        assert!(world.deploy(host(number), P256, next, Caution::Expiry));
    }
    world.wanted.current = [(next, P256)].into();
    world.run(30 * DAY);
    assert!(serves(&world, "first") && is_frozen(&world));
    assert!(world.record(Fact::Resumed { reason: "that host is gone for good".into() }));
    world.run(DAY);
    assert!(!serves(&world, "first") && !is_frozen(&world), "{:#?}", world.plan);
    assert!(
        world.plan.as_ref().unwrap().blockers.iter().any(|blocker| matches!(blocker, Blocker::Own(Block::Accepted(_))))
    );
    // What begins later is another alarm.
    hijack(&mut world, 2, "stranger");
    world.run(EVERY);
    assert!(is_frozen(&world));
}

#[test]
fn where_nobody_looks_a_new_address_waits_until_caches_know_the_key_that_files_say_of_it() {
    let mut world = World::empty(1, &[(P256, "first")]);
    (world.policy.probed, world.policy.next) = (false, NextKeys::Elsewhere);
    world.turn();
    world.run(LIFE + 2 * HOUR);
    // Address and key in one edit.
    let new = with(&world, 1, "second");
    world.show(host(2), new);
    world.wanted.addresses = [host(2)].into();
    world.wanted.current = [(key("second"), P256)].into();
    world.run(60);
    assert!(serves(&world, "first") && serves(&world, "second"));
    assert_eq!(world.facts.served_addresses(), [host(1)].into(), "caches hold TLSA without its key");
    world.run(LIFE + 2 * HOUR);
    assert_eq!(world.facts.served_addresses(), [host(2)].into());
    assert!(serves(&world, "first"), "caches hold the address of the host that shows it");
    world.run_until_rest(30 * DAY);
    assert!(!serves(&world, "first"));
    good(&world);
    // One more with a key of its own, one that comes back, and a process that begins anew meanwhile.
    let third = with(&world, 1, "third");
    world.show(host(3), third);
    world.wanted.addresses.insert(host(3));
    world.wanted.current.insert(key("third"), P256);
    world.run(HOUR);
    world.restart();
    world.run(HOUR);
    assert_eq!(world.facts.served_addresses(), [host(2)].into());
    world.run(LIFE + 2 * HOUR);
    assert_eq!(world.facts.served_addresses(), [host(2), host(3)].into());
    good(&world);
}

#[test]
fn a_host_that_was_there_long_ago_is_looked_at_before_it_is_served_again() {
    let mut world = World::new(2);
    world.wanted.addresses.remove(&host(2));
    world.run(20 * DAY);
    hijack(&mut world, 2, "stranger");
    world.hosts.get_mut(&host(2)).unwrap().up = false;
    world.wanted.addresses.insert(host(2));
    world.run(DAY);
    assert!(!world.facts.served_addresses().contains(&host(2)), "what it showed then says nothing of now");
    world.hosts.get_mut(&host(2)).unwrap().up = true;
    world.run(DAY);
    assert!(!world.facts.served_addresses().contains(&host(2)));
    good(&world);
}

/// The journal of a server that published what it saw: hosts 127.0.3.1 (the key of its file) and 127.0.3.2 (another key), and
/// 127.0.3.9, a tenant's own, with a third.
fn before() -> PoolFacts {
    let octets = include_bytes!("journals/published-what-it-saw");
    decode_as::<PoolFacts>(octets).unwrap().facts
}

#[test]
fn what_a_version_of_before_published_by_itself_stays_until_no_host_shows_it_for_the_wait() {
    let mut world = World::empty(0, &[]);
    world.facts = before();
    world.limits = (60, 90);
    (world.policy.margin, world.every) = (10, 5);
    world.now = UnixTime(world.facts.time.0 + 30);
    world.look_at = world.now.after(5);
    let file = world.facts.keys.iter().find(|key| key.origin == Origin::File).unwrap().spki;
    let seen: Vec<Spki> =
        world.facts.keys.iter().filter(|key| key.origin == Origin::Host).map(|key| key.spki).collect();
    assert_eq!(seen.len(), 2);
    assert!(world.facts.keys.iter().filter(|key| key.is_unconfirmed()).count() == 2);
    let [one, two, own] = [1, 2, 9].map(|last| std::net::IpAddr::from([127, 0, 3, last]));
    world.wanted.addresses = [one, two].into();
    world.wanted.apart = [own].into();
    world.wanted.current = [(file, P256)].into();
    let shows = |spki| Host {
        keys: [(KeyClass::Ecdsa, spki)].into(),
        without_name: Default::default(),
        up: true,
        starttls: true,
    };
    for (address, spki) in [(one, file), (two, seen[0]), (own, seen[1])] {
        world.show(address, shows(spki));
    }
    let all = world.facts.served_keys();
    assert!(seen.iter().all(|spki| all.contains(spki)));
    world.turn();
    assert_eq!(world.facts.served_keys(), all, "before any look");
    world.run(2000);
    assert_eq!(world.facts.served_keys(), all, "while hosts show them");
    // An operator confirms one, and the tenant's host comes to show what the file says.
    let fact = Fact::KeyAdopted { spki: seen[0], kind: P256, origin: Origin::Adopted, reason: "mine".into() };
    assert!(world.record(fact) && !world.facts.key(seen[0]).unwrap().is_unconfirmed());
    world.show(own, shows(file));
    world.run(60);
    assert!(world.facts.served_keys().contains(&seen[1]), "not before the wait");
    world.run(2000);
    assert!(!world.facts.served_keys().contains(&seen[1]), "{:#?} {:?}", world.plan, world.facts.held);
    assert!(world.facts.served_keys().contains(&seen[0]));
    world.show(two, shows(file));
    world.run(2000);
    assert!(!world.facts.served_keys().contains(&seen[0]));
    good(&world);
}
