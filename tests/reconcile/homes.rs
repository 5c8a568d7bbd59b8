//! Pools that tenants were served from before a restart: a change meanwhile is a move between pools like any other.

use crate::lab::{Lab, MASTER, POOLS, ZONE, at, line, name, toml, with_endpoint};
use mxseal::world::tenants::homes::{Homes, Lines};

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
    let (eu, _) = POOLS.split_once("\n\n").expect("two pools");
    meanwhile(&mut lab, &[("pools.toml", &format!("{eu}\n"))]);
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

/// The moves so far: from where to where.
fn routes(lab: &Lab) -> Vec<String> {
    lab.memory.joined.iter().map(|way| format!("{} > {}", way[0], way[1])).collect()
}

/// Longer than caches hold anything.
const LATER: u64 = 10 * 86_400;

#[test]
fn a_tenant_that_changes_its_pool_by_any_door_moves() {
    let doors: [fn(&mut Lab); 8] = [
        // Another file, which waits until the first one goes.
        |lab| {
            lab.write(&[(&at("y.toml"), &toml("x.example", "us"))]);
            lab.remove(&[&at("x.toml")]);
        },
        // The same in one batch, in both orders.
        |lab| {
            assert_eq!(lab.change(&[(&at("y.toml"), Some(&toml("x.example", "us"))), (&at("x.toml"), None)]).changed, 1)
        },
        |lab| {
            assert_eq!(lab.change(&[(&at("x.toml"), None), (&at("a.toml"), Some(&toml("x.example", "us")))]).changed, 1)
        },
        // Another form, and a line among others.
        |lab| {
            lab.write(&[(&at("all.ndjson"), &(line("z.example", "eu") + &line("x.example", "us")))]);
            lab.change(&[(&at("x.toml"), Some(&toml("q.example", "eu")))]);
        },
        // Removed, and added again.
        |lab| {
            lab.remove(&[&at("x.toml")]);
            lab.pass(600);
            lab.write(&[(&at("x.toml"), &toml("x.example", "us"))]);
        },
        // The same with a restart between.
        |lab| {
            lab.remove(&[&at("x.toml")]);
            lab.restart();
            lab.restart();
            lab.write(&[(&at("x.toml"), &toml("x.example", "us"))]);
        },
        // The whole zone goes and comes back.
        |lab| {
            lab.remove(&[&at("x.toml"), "a.mx.example.zone"]);
            lab.allow_shrink();
            assert!(lab.world.zones.is_empty());
            lab.write(&[("a.mx.example.zone", MASTER), (&at("x.toml"), &toml("x.example", "us"))]);
        },
        // Senders know the name only, whoever has it.
        |lab| {
            lab.remove(&[&at("x.toml")]);
            lab.write(&[(&at("w.toml"), &with_endpoint("w.example", "us", "x-example"))]);
        },
    ];
    for (number, door) in doors.iter().enumerate() {
        let mut lab = lab();
        door(&mut lab);
        assert_eq!(routes(&lab), ["eu > us"], "door {number}");
    }
}

#[test]
fn what_no_cache_holds_any_more_is_no_home() {
    for restart in [false, true] {
        let mut lab = lab();
        lab.remove(&[&at("x.toml")]);
        if restart {
            lab.restart();
        }
        lab.pass(LATER);
        lab.write(&[(&at("x.toml"), &toml("x.example", "us"))]);
        assert!(lab.memory.joined.is_empty(), "its domain may be gone from the hosts of the pool before");
        assert_eq!(lab.memory.homes[&name(ZONE)].lines().last(), Some("x.example us"));
    }
    // Another endpoint is another name.
    let mut lab = lab();
    lab.write(&[(&at("x.toml"), &with_endpoint("x.example", "us", "x2"))]);
    assert!(lab.memory.joined.is_empty());
}

#[test]
fn who_owns_an_endpoint_outlives_a_restart() {
    let intruder = with_endpoint("mallory.example", "us", "x-example");
    for pool in ["pool = \"eu\"", "addresses = [\"192.0.2.25\"]\ndane = false"] {
        let mut lab = Lab::new();
        lab.write(&[(&at("x.toml"), &format!("domain = \"x.example\"\n{pool}\n"))]);
        meanwhile(&mut lab, &[(&at("0.toml"), &intruder)]);
        lab.restart();
        assert_eq!((lab.address("x-example").as_str(), lab.codes()), ("192.0.2.25", vec!["MX4202"]), "{pool}");
        // Also where its file is broken then, or speaks under another name.
        meanwhile(&mut lab, &[(&at("x.toml"), "broken")]);
        lab.restart();
        assert_eq!(lab.address("x-example"), "NXDOMAIN", "rather nobody than somebody else: {pool}");
        lab.write(&[(&at("x.toml"), &format!("domain = \"x.example\"\n{pool}\n"))]);
        assert_eq!(lab.address("x-example"), "192.0.2.25", "{pool}");
        // And where it breaks while the server runs.
        lab.write(&[(&at("x.toml"), "broken")]);
        lab.restart();
        assert_eq!(lab.address("x-example"), "192.0.2.25", "{pool}");
        assert_eq!(lab.standing("mallory.example"), None);
        // Whoever goes gives the name away.
        lab.memory.files.remove(&at("x.toml"));
        lab.restart();
        assert_eq!(lab.address("x-example"), "192.0.2.26");
    }
    // Of two with the same default endpoint, the path that sorts first wins only where nobody is known.
    let mut lab = Lab::new();
    lab.write(&[(&at("b.toml"), &toml("foo-bar.example", "eu"))]);
    lab.write(&[(&at("c.toml"), &toml("foo.bar.example", "us"))]);
    let waiting = lab.memory.files.remove(&at("c.toml")).expect("it is there");
    lab.memory.files.insert(at("a.toml"), waiting);
    lab.restart();
    assert_eq!(lab.address("foo-bar-example"), "192.0.2.25");
    lab.start_fresh();
    assert_eq!(lab.address("foo-bar-example"), "192.0.2.26");
    // Of two files that define one tenant, the one counts that says what is served.
    let mut lab = served();
    meanwhile(&mut lab, &[(&at("0.toml"), &toml("x.example", "us"))]);
    lab.restart();
    assert_eq!((lab.address("x-example").as_str(), lab.memory.joined.len()), ("192.0.2.25", 0));
}

fn served() -> Lab {
    lab()
}

#[test]
fn who_is_served_under_a_name_of_before_keeps_it() {
    let domain = "xn--mnchen-3ya.example";
    let (old, new) = ("xn--mnchen-3ya-example", mxseal::zone::tenant::endpoint_of(domain));
    for kept in [format!("{old} eu\n"), format!("{domain} eu\n"), format!("{old}={domain} eu\n")] {
        let mut lab = Lab::new();
        meanwhile(&mut lab, &[(&at("m.toml"), &toml("m\u{fc}nchen.example", "eu"))]);
        lab.memory.homes.insert(name(ZONE), kept.clone());
        for _ in 0..2 {
            lab.restart();
            assert_eq!((lab.address(old).as_str(), lab.address(&new).as_str()), ("192.0.2.25", "NXDOMAIN"), "{kept}");
            lab.write(&[(&at("m.toml"), &toml("m\u{fc}nchen.example", "us"))]);
            lab.write(&[(&at("m.toml"), &toml(domain, "eu"))]);
            assert_eq!(lab.address(old), "192.0.2.25");
        }
        // Also over a broken file, and when it was removed and comes back at once.
        meanwhile(&mut lab, &[(&at("m.toml"), "broken")]);
        lab.restart();
        lab.remove(&[&at("m.toml")]);
        lab.write(&[(&at("n.ndjson"), &line(domain, "eu"))]);
        assert_eq!(lab.address(old), "192.0.2.25");
    }
    let mut lab = Lab::new();
    lab.write(&[(&at("m.toml"), &toml(domain, "eu"))]);
    assert_eq!((lab.address(old).as_str(), lab.address(&new).as_str()), ("NXDOMAIN", "192.0.2.25"));
    // One that a file names is refused, unless it is served already.
    lab.write(&[(&at("n.toml"), &with_endpoint("n.example", "eu", "xn--99zzz9--a"))]);
    assert_eq!((lab.address("xn--99zzz9--a").as_str(), lab.codes()), ("NXDOMAIN", vec!["MX4207"]));
    lab.memory.homes.insert(name(ZONE), "xn--99zzz9--a eu\n".to_owned());
    lab.restart();
    assert_eq!(lab.address("xn--99zzz9--a"), "192.0.2.25");
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
    for round in 0..1_500 {
        let pool = if round % 2 == 0 { "us" } else { "eu" };
        lab.write(&[(&at("x.toml"), &toml("x.example", pool))]);
    }
    let kept = lab.memory.homes.remove(&name(ZONE)).expect("a text");
    assert!(kept.lines().count() < 1_100, "{}", kept.lines().count());
    assert!(kept.ends_with("x.example eu\n"));
    let pool = |text: String| Homes::read(text).before(b"x-example").map(|home| home.pool.flatten().map(str::to_owned));
    assert_eq!(pool(kept + "x.example u"), Some(Some("eu".to_owned())));
    for (text, home) in [
        ("x-example eu\nx-example\n", None),
        ("x.example .\n", Some(None)),
        ("x-example=y.example us .way-7 @17\n", Some(Some("us".to_owned()))),
        ("x.example eu\nx.example", Some(Some("eu".to_owned()))),
        ("\n \nx.exampl eu\n=\n", None),
    ] {
        assert_eq!(pool(text.to_owned()), home, "{text:?}");
    }
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
