//! Pools that tenants were served from before a restart: a change meanwhile is a move between pools like any other.

use crate::lab::{Lab, MASTER, POOLS, ZONE, at, line, name, toml};
use mxseal::control::tenants::homes::{Homes, Lines};

const X: &str = "x-example.a.mx.example.\n";

/// One tenant of pool `eu`, in a server that ended.
fn lab() -> Lab {
    let mut lab = Lab::new();
    lab.write(&[(&at("x.toml"), &toml("x.example", "eu"))]);
    assert!(lab.memory.joined.is_empty(), "who is new comes from nowhere");
    lab
}

/// Writes files while no server runs.
fn meanwhile(lab: &mut Lab, files: &[(&str, &str)]) {
    let octets = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
    lab.memory.files.extend(octets);
}

#[test]
fn a_pool_that_changed_while_no_server_ran_is_a_move() {
    let mut lab = lab();
    lab.restart();
    assert!(lab.memory.joined.is_empty(), "nothing changed");
    meanwhile(&mut lab, &[(&at("x.toml"), &toml("x.example", "us")), (&at("y.toml"), &toml("y.example", "us"))]);
    lab.restart();
    assert_eq!(lab.memory.joined, [["eu", "us", X]]);
    lab.restart();
    assert_eq!(lab.memory.joined.len(), 1, "it has arrived");
    // The pool that it comes from need not be there any more.
    meanwhile(&mut lab, &[("pools.toml", POOLS.split_once("\n\n").expect("two pools").0)]);
    meanwhile(&mut lab, &[(&at("x.toml"), &toml("x.example", "eu"))]);
    lab.restart();
    assert_eq!(lab.memory.joined.last().expect("a way"), &["us", "eu", X]);
}

/// A third pool.
const AP: &str = "\n[ap]\naddresses = [\"192.0.2.27\"]\ntlsa = [\"3 1 1 1b5e000000000000000000000000000000000000000000000000000000000000\"]\n";

#[test]
fn the_next_move_begins_where_the_last_one_led() {
    let mut lab = lab();
    lab.write(&[("pools.toml", &format!("{POOLS}{AP}"))]);
    for pool in ["us", "ap", "eu", "us"] {
        lab.write(&[(&at("x.toml"), &toml("x.example", pool))]);
    }
    let route = |way: &[String; 3]| format!("{} {}", way[0], way[1]);
    let routes: Vec<String> = lab.memory.joined.iter().map(route).collect();
    assert_eq!(routes, ["eu us", "us ap", "ap eu", "eu us"]);
}

#[test]
fn a_move_within_a_move_comes_from_both_pools_and_an_empty_way_is_left() {
    let mut lab = lab();
    lab.write(&[("pools.toml", &format!("{POOLS}{AP}"))]);
    lab.memory.ways_last = true;
    for pool in ["us", "ap", "us"] {
        lab.write(&[(&at("x.toml"), &toml("x.example", pool))]);
    }
    let route = |way: &[String; 3]| format!("{} > {}", way[0], way[1]);
    let routes: Vec<String> = lab.memory.joined.iter().map(route).collect();
    assert_eq!(routes, ["eu > us", "eu us > ap", "ap eu > us"].map(|route| route.replace("ap eu", "eu ap")));
    assert_eq!(lab.memory.left_ways, [".way-0", ".way-1"], "nobody is on them any more");
    // Back on the way: nothing new begins.
    lab.write(&[(&at("x.toml"), &toml("x.example", "us"))]);
    assert_eq!(lab.memory.joined.len(), 3);
}

#[test]
fn a_lot_of_tenants_in_one_file_are_told_apart_by_where_they_come_from() {
    let mut lab = lab();
    let lines = |pool: &dyn Fn(usize) -> &'static str| -> String {
        (0..500).map(|i| line(&format!("t{i}.example"), pool(i))).collect()
    };
    lab.write(&[(&at("all.ndjson"), &lines(&|_| "eu"))]);
    let moved = |i: usize| if i.is_multiple_of(100) { "us" } else { "eu" };
    meanwhile(&mut lab, &[(&at("all.ndjson"), &lines(&moved))]);
    lab.restart();
    let [from, to, endpoints] = lab.memory.joined.pop().expect("one way for all");
    assert_eq!((from.as_str(), to.as_str(), endpoints.lines().count()), ("eu", "us", 5));
    assert!(lab.memory.joined.is_empty() && endpoints.contains("t300-example.a.mx.example."));
}

#[test]
fn who_went_and_came_back_comes_from_nowhere() {
    let mut lab = lab();
    lab.remove(&[&at("x.toml")]);
    lab.write(&[(&at("x.toml"), &toml("x.example", "us"))]);
    assert!(lab.memory.joined.is_empty(), "its domain may be gone from the hosts of the pool before");
    lab.remove(&[&at("x.toml")]);
    lab.restart();
    lab.write(&[(&at("x.toml"), &toml("x.example", "eu"))]);
    assert!(lab.memory.joined.is_empty());
}

#[test]
fn a_tenant_of_two_zones_has_a_home_in_each() {
    let mut lab = lab();
    let other = "b.mx.example/x.toml";
    lab.write(&[("b.mx.example.zone", MASTER), (other, &toml("x.example", "us"))]);
    lab.restart();
    assert!(lab.memory.joined.is_empty());
    meanwhile(&mut lab, &[(other, &toml("x.example", "eu"))]);
    lab.restart();
    assert_eq!(lab.memory.joined, [["us", "eu", "x-example.b.mx.example.\n"]]);
}

#[test]
fn a_volume_that_comes_late_brings_moves_too_but_not_for_ever() {
    for later in [false, true] {
        let mut lab = lab();
        lab.write(&[(&at("y.toml"), &toml("y.example", "eu"))]);
        let late = lab.memory.files.remove(&at("x.toml"));
        assert!(late.is_some());
        lab.restart();
        lab.restart();
        if later {
            let zone = lab.world.zones.get_mut(&name(ZONE)).expect("the zone");
            zone.tenants.homes.forget_before();
            lab.keep_homes();
            lab.restart();
        }
        lab.write(&[(&at("x.toml"), &toml("x.example", "us"))]);
        assert_eq!(lab.memory.joined.len(), usize::from(!later));
    }
}

#[test]
fn what_is_kept_stays_small_and_a_line_without_an_end_does_not_count() {
    let mut lab = lab();
    for round in 0..3_000 {
        let pool = if round % 2 == 0 { "us" } else { "eu" };
        lab.write(&[(&at("x.toml"), &toml("x.example", pool))]);
    }
    let kept = lab.memory.homes.remove(&name(ZONE)).expect("a text");
    assert!(kept.lines().count() < 1_100, "{}", kept.lines().count());
    assert!(kept.ends_with("x-example eu\n"));
    assert_eq!(Homes::read(kept + "x-example u").before(b"x-example"), Some("eu"));
    assert_eq!(Homes::read("x-example eu\nx-example\n".to_owned()).before(b"x-example"), None);
}

#[test]
fn what_the_disk_refused_is_written_whole() {
    let mut lab = lab();
    lab.write(&[(&at("y.toml"), &toml("y.example", "eu"))]);
    let zone = lab.world.zones.get_mut(&name(ZONE)).expect("the zone");
    assert!(zone.tenants.homes.to_keep(&zone.tenants.table, &lab.world.pools).is_none(), "all of it is kept");
    zone.tenants.homes.renew();
    let lines = zone.tenants.homes.to_keep(&zone.tenants.table, &lab.world.pools).expect("lines");
    assert!(matches!(&lines, Lines::All(text, _) if text.lines().count() == 2), "{lines:?}");
}
