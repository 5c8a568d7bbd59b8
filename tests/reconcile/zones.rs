//! Master files, includes, children and parents, keys that cannot be trusted.

use crate::lab::*;
use mxseal::protocol::ZoneStanding;
use mxseal::zone::kind::Family;

const PARENT: &str = "@ 3600 SOA ns.mx.example. h.mx.example. 1 7200 3600 1209600 300\n@ NS ns\nns A 192.0.2.53\n";
const CHILD: &str =
    "@ 3600 SOA ns.mx.example. h.mx.example. 1 7200 3600 1209600 300\n@ NS ns1\nns1 A 192.0.2.54\nwww A 192.0.2.80\n";

fn signed() -> Lab {
    let mut lab = Lab::with_config("version = 1\n");
    lab.write(&[("mx.example.zone", PARENT), ("a.mx.example.zone", CHILD), ("pools.toml", POOLS)]);
    lab
}

#[test]
fn a_broken_master_file_keeps_the_zone_and_names_the_line() {
    let mut lab = Lab::new();
    for broken in ["@ SOA nonsense\n", "www A 192.0.2.80\n", "", "\u{0}", &format!("{MASTER}www CNAME web\n")] {
        lab.write(&[("a.mx.example.zone", broken)]);
        assert_eq!(lab.address("www"), "192.0.2.80", "{broken:?}");
        assert!(!lab.codes().is_empty());
        assert_eq!(lab.world.zones[&name(ZONE)].standing(), ZoneStanding::LastGood, "{broken:?}");
        lab.restart();
        assert_eq!(lab.address("www"), "192.0.2.80", "over a restart: {broken:?}");
    }
    lab.write(&[("a.mx.example.zone", &MASTER.replace(".80", ".81"))]);
    assert_eq!(lab.address("www"), "192.0.2.81");
    assert_eq!(lab.world.zones[&name(ZONE)].standing(), ZoneStanding::Serving);
    lab.fine();
}

#[test]
fn a_master_file_that_goes_leaves_its_zone_until_it_is_allowed() {
    let mut lab = Lab::new();
    lab.remove(&["a.mx.example.zone"]);
    assert_eq!((lab.address("www").as_str(), lab.codes()), ("192.0.2.80", vec!["MX2121"]));
    lab.restart();
    assert_eq!((lab.address("www").as_str(), lab.codes()), ("192.0.2.80", vec!["MX2121"]), "over a restart");
    lab.allow_shrink();
    assert_eq!(lab.address("www"), "REFUSED");
    lab.fine();
}

#[test]
fn a_zone_that_was_removed_but_for_its_folder_gets_its_tenants_back_with_its_file() {
    let mut lab = Lab::with_tenants(3);
    lab.remove(&["a.mx.example.zone"]);
    lab.allow_shrink();
    assert_eq!((lab.address("t0-example").as_str(), lab.codes()), ("SERVFAIL", vec!["MX2122"]));
    lab.write(&[("a.mx.example.zone", MASTER)]);
    assert_eq!(lab.address("t0-example"), "192.0.2.25");
    lab.fine();
}

#[test]
fn a_folder_without_a_master_file_is_forgotten_with_its_last_file() {
    let mut lab = Lab::empty();
    lab.write(&[("pools.toml", POOLS), (&at("x.toml"), &toml("x.example", "eu"))]);
    assert_eq!(lab.codes(), ["MX2122"]);
    lab.remove(&[&at("x.toml")]);
    assert!(lab.world.zones.is_empty());
    lab.fine();
}

#[test]
fn a_master_file_that_was_never_good_is_forgotten_when_it_goes() {
    let mut lab = Lab::empty();
    lab.write(&[("a.mx.example.zone", "nonsense\n")]);
    assert_eq!(lab.address("www"), "SERVFAIL", "it should be served");
    lab.remove(&["a.mx.example.zone"]);
    assert!(lab.world.zones.is_empty());
    lab.fine();
}

#[test]
fn a_master_file_that_cannot_be_read_at_a_start_is_restored_and_never_denied() {
    let mut lab = signed();
    let kept = {
        lab.spoil("a.mx.example.zone");
        lab.last_good()
    };
    lab.memory.files.remove("a.mx.example.zone");
    lab.start_fresh();
    lab.spoil("a.mx.example.zone");
    assert_eq!(lab.address("www"), "SERVFAIL", "not NXDOMAIN from its parent");
    lab.restore(&kept, None);
    lab.memory.settle(&mut lab.world);
    assert_eq!(lab.address("www"), "192.0.2.80");
}

#[test]
fn two_spellings_of_one_zone_are_reported_and_the_first_stays() {
    let mut lab = Lab::new();
    lab.write(&[("A.mx.example.zone", &MASTER.replace(".80", ".99"))]);
    assert_eq!((lab.address("www").as_str(), lab.codes()), ("192.0.2.80", vec!["MX2123"]));
    lab.remove(&["a.mx.example.zone"]);
    assert_eq!(lab.address("www"), "192.0.2.99", "the other one had waited");
    lab.fine();
}

#[test]
fn a_name_that_is_no_zone_is_reported_while_it_is_there() {
    let mut lab = Lab::new();
    let long = format!("{}.zone", "a".repeat(64));
    lab.write(&[(&long, MASTER)]);
    assert_eq!(lab.codes(), ["MX2120"]);
    lab.remove(&[&long]);
    lab.fine();
}

// --- includes ---

#[test]
fn a_change_of_an_included_file_is_a_change_of_the_zone() {
    let mut lab = Lab::new();
    lab.memory.files.insert("hosts.inc".to_owned(), b"web A 192.0.2.1\n".to_vec());
    lab.write(&[("a.mx.example.zone", &format!("{MASTER}$INCLUDE hosts.inc\n"))]);
    assert_eq!(lab.address("web"), "192.0.2.1");
    assert_eq!(lab.world.included_paths().into_iter().collect::<Vec<_>>(), ["hosts.inc"]);
    lab.write(&[("hosts.inc", "web A 192.0.2.2\n")]);
    assert_eq!(lab.address("web"), "192.0.2.2");
    lab.write(&[("hosts.inc", "web A nonsense\n")]);
    assert_eq!(lab.address("web"), "192.0.2.2", "broken: last good");
    lab.write(&[("hosts.inc", "web A 192.0.2.3\n")]);
    assert_eq!(lab.address("web"), "192.0.2.3");
    lab.fine();
}

#[test]
fn an_included_file_may_come_after_the_file_that_includes_it() {
    let mut lab = Lab::new();
    lab.write(&[("a.mx.example.zone", &format!("{MASTER}$INCLUDE sub/late.inc\n"))]);
    assert_eq!(lab.address("www"), "192.0.2.80");
    assert!(lab.world.included_paths().contains("sub/late.inc"), "it is waited for");
    lab.write(&[("sub/late.inc", "web A 192.0.2.1\n")]);
    assert_eq!(lab.address("web"), "192.0.2.1");
    lab.fine();
}

#[test]
fn an_included_file_may_have_the_name_of_a_master_file() {
    let mut lab = Lab::new();
    lab.write(&[("common.zone", MASTER)]);
    lab.write(&[("a.mx.example.zone", "$INCLUDE common.zone\n")]);
    lab.write(&[("common.zone", &MASTER.replace(".80", ".81"))]);
    assert_eq!(lab.address("www"), "192.0.2.81");
}

#[test]
fn files_that_included_files_include_are_read_before_the_zone_is() {
    let mut lab = Lab::empty();
    let master = format!("{MASTER}$include one.inc\n");
    lab.write(&[
        ("three.inc", "three A 192.0.2.3\n"),
        ("two.inc", "$Include three.inc\n"),
        ("one.inc", "$INCLUDE two.inc\n"),
    ]);
    lab.write(&[("a.mx.example.zone", &master)]);
    assert_eq!(lab.address("three"), "192.0.2.3");
    lab.write(&[("three.inc", "three A 192.0.2.33\n")]);
    assert_eq!(lab.address("three"), "192.0.2.33", "the zone is read again, with all that it includes");
    lab.write(&[("two.inc", "two A 192.0.2.2\n$INCLUDE four.inc\n"), ("four.inc", "four A 192.0.2.4\n")]);
    assert_eq!((lab.address("two"), lab.address("four")), ("192.0.2.2".to_owned(), "192.0.2.4".to_owned()));
    lab.fine();
}

#[test]
fn another_spelling_that_comes_as_the_first_one_goes_is_read_with_what_it_includes() {
    let mut lab = Lab::new();
    lab.write(&[("more.inc", "more A 192.0.2.9\n")]);
    let other = format!("{MASTER}$INCLUDE more.inc\n");
    lab.change(&[("A.mx.example.zone", Some(&other)), ("a.mx.example.zone", None)]);
    assert_eq!(lab.address("more"), "192.0.2.9");
    lab.fine();
}

#[test]
fn nothing_outside_of_the_folder_is_included() {
    let mut lab = Lab::new();
    lab.memory.files.insert("../secret".to_owned(), b"web A 192.0.2.1\n".to_vec());
    for path in ["../secret", "x/../../secret", "/etc/passwd"] {
        lab.write(&[("a.mx.example.zone", &format!("{MASTER}$INCLUDE {path}\n"))]);
        assert_eq!(lab.address("web"), "NXDOMAIN", "{path}");
        assert!(lab.codes().contains(&"MX2012"), "{:?}", lab.codes());
    }
}

// --- parents and children ---

#[test]
fn a_child_served_here_is_delegated_with_its_ds_and_glue() {
    let mut lab = signed();
    let ds = lab.ask("a.mx.example", "DS");
    assert!(ds.starts_with("NOERROR DS "), "{ds}");
    assert_eq!(lab.ask("www.a.mx.example", "A"), "NOERROR A 192.0.2.80");
    let parent = lab.world.zones[&name("mx.example")].content().expect("content").clone();
    let cut = parent.node(&name("a.mx.example")).expect("a cut");
    assert_eq!(glue(cut), [vec![192, 0, 2, 54]]);
    lab.write(&[("a.mx.example.zone", &CHILD.replace("192.0.2.54", "192.0.2.55"))]);
    let parent = lab.world.zones[&name("mx.example")].content().expect("content").clone();
    let cut = parent.node(&name("a.mx.example")).expect("a cut");
    assert_eq!(glue(cut), [vec![192, 0, 2, 55]]);
    lab.write(&[("a.mx.example.zone", &CHILD.replace("NS ns1", "NS ns9.other.example."))]);
    let parent = lab.world.zones[&name("mx.example")].content().expect("content").clone();
    assert_eq!(glue(parent.node(&name("a.mx.example")).expect("a cut")), [] as [Vec<u8>; 0]);
}

/// The addresses that must go with a referral.
fn glue(cut: &mxseal::zone::content::Node) -> Vec<Vec<u8>> {
    let (_, _, hosts) = cut.set_with_hosts(mxseal::dns::rtype::number::NS).expect("a cut");
    let sets = hosts
        .iter()
        .filter(|host| host.is_needed())
        .flat_map(|host| Family::ALL.map(|family| host.set(family)))
        .flatten();
    sets.flat_map(|(set, _)| set.data().map(<[u8]>::to_vec).collect::<Vec<_>>()).collect()
}

#[test]
fn a_child_may_come_before_its_parent_and_goes_from_it() {
    let mut lab = Lab::with_config("version = 1\n");
    lab.write(&[("a.mx.example.zone", CHILD)]);
    lab.write(&[("mx.example.zone", PARENT)]);
    assert!(lab.ask("a.mx.example", "DS").starts_with("NOERROR DS "));
    lab.remove(&["a.mx.example.zone"]);
    assert!(lab.ask("a.mx.example", "DS").starts_with("NOERROR DS "), "last good");
    lab.allow_shrink();
    assert_eq!(lab.ask("www.a.mx.example", "A"), "NXDOMAIN");
}

#[test]
fn a_grandchild_is_delegated_by_its_nearest_zone() {
    let mut lab = signed();
    lab.write(&[("x.a.mx.example.zone", CHILD)]);
    assert!(lab.ask("x.a.mx.example", "DS").starts_with("NOERROR DS "));
    let parent = lab.world.zones[&name("mx.example")].content().expect("content").clone();
    assert!(parent.node(&name("x.a.mx.example")).is_none());
    assert_eq!(lab.world.zones[&name("x.a.mx.example")].parent, Some(name("a.mx.example")));
}

#[test]
fn an_unsigned_child_is_delegated_without_ds() {
    let mut lab = Lab::with_config("version = 1\n[zone.\"a.mx.example\"]\nsigned = false\n");
    lab.write(&[("mx.example.zone", PARENT), ("a.mx.example.zone", CHILD)]);
    assert_eq!(lab.ask("a.mx.example", "DS"), "NOERROR");
    assert_eq!(lab.ask("www.a.mx.example", "A"), "NOERROR A 192.0.2.80");
}

#[test]
fn a_frozen_zone_gets_servfail_and_nobody_denies_its_names() {
    let mut lab = Lab::with_config("version = 1\n");
    lab.memory.frozen.insert(name("a.mx.example"));
    lab.write(&[
        ("mx.example.zone", PARENT),
        ("a.mx.example.zone", CHILD),
        ("pools.toml", POOLS),
        (&at("x.toml"), &toml("x.example", "eu")),
    ]);
    for (owner, rtype) in [
        ("a.mx.example", "DS"),
        ("a.mx.example", "NS"),
        ("www.a.mx.example", "A"),
        ("x-example.a.mx.example", "A"),
        ("no.a.mx.example", "DS"),
    ] {
        assert_eq!(lab.ask(owner, rtype), "SERVFAIL", "{owner} {rtype}");
    }
    assert_eq!(lab.ask("ns.mx.example", "A"), "NOERROR A 192.0.2.53");
    assert_eq!(lab.codes(), ["MX5005"]);
    lab.memory.frozen.clear();
    lab.configure("version = 1\n");
    assert!(lab.ask("a.mx.example", "DS").starts_with("NOERROR DS "));
    assert_eq!(lab.ask("x-example.a.mx.example", "A"), "NOERROR A 192.0.2.25");
    lab.fine();
}

#[test]
fn a_frozen_parent_does_not_make_its_child_speak_in_its_place() {
    let mut lab = Lab::with_config("version = 1\n");
    lab.memory.frozen.insert(name("mx.example"));
    lab.write(&[("mx.example.zone", PARENT), ("a.mx.example.zone", CHILD)]);
    assert_eq!(lab.ask("www.a.mx.example", "A"), "NOERROR A 192.0.2.80");
    assert_eq!(lab.ask("a.mx.example", "DS"), "SERVFAIL", "DS is the parent's to answer");
    assert_eq!(lab.ask("ns.mx.example", "A"), "SERVFAIL");
}

// --- settings ---

#[test]
fn a_zone_becomes_signed_when_the_configuration_says_so() {
    let mut lab = Lab::new();
    assert_eq!(lab.ask(ZONE, "DNSKEY"), "NOERROR");
    lab.configure("version = 1\n");
    assert!(lab.ask(ZONE, "DNSKEY").starts_with("NOERROR DNSKEY "));
    lab.fine();
}

#[test]
fn a_zone_that_was_ever_signed_is_not_served_unsigned() {
    let mut lab = signed();
    lab.configure("version = 1\n[zone.\"a.mx.example\"]\nsigned = false\n");
    assert!(lab.ask("a.mx.example", "DS").starts_with("NOERROR DS "));
    assert!(lab.ask("a.mx.example", "DNSKEY").starts_with("NOERROR DNSKEY "));
}

#[test]
fn signed_zones_cap_ttls_and_unsigned_ones_do_not() {
    let mut lab = Lab::new();
    let long = MASTER.replace("www 300", "www 200000");
    lab.write(&[("a.mx.example.zone", &long)]);
    lab.fine();
    lab.configure("version = 1\n");
    assert!(lab.codes().contains(&"MX2103"), "{:?}", lab.codes());
    lab.write(&[("a.mx.example.zone", MASTER)]);
    assert_eq!(lab.address("www"), "192.0.2.80");
    lab.fine();
}

#[test]
fn a_zone_at_or_below_a_served_endpoint_waits_and_takes_nothing() {
    for (child, below) in [("x-example.a.mx.example", "www."), ("_25._tcp.x-example.a.mx.example", "_443.")] {
        let mut lab = signed();
        lab.write(&[(&at("x.toml"), &toml("x.example", "eu")), (&at("y.toml"), &toml("y.example", "eu"))]);
        let tlsa = lab.ask("_25._tcp.x-example.a.mx.example", "TLSA");
        let master = format!("{child}.zone");
        lab.write(&[(&master, CHILD)]);
        for _ in 0..2 {
            assert_eq!((lab.address("x-example").as_str(), lab.codes()), ("192.0.2.25", vec!["MX2125"]), "{child}");
            assert_eq!(lab.ask("_25._tcp.x-example.a.mx.example", "TLSA"), tlsa);
            assert!(!lab.memory.keys.contains_key(&name(child)), "no key is made for it");
            lab.restart();
        }
        // When its file goes nothing is left of it; when the tenant goes, it is served.
        lab.remove(&[&master]);
        lab.fine();
        assert_eq!(lab.address("x-example"), "192.0.2.25");
        lab.write(&[(&master, CHILD)]);
        lab.remove(&[&at("x.toml")]);
        lab.fine();
        assert_eq!(lab.ask(&format!("{below}{child}"), "A").contains("192.0.2.80"), below == "www.");
        // Now it was first.
        lab.write(&[(&at("x.toml"), &toml("x.example", "eu"))]);
        assert_eq!(lab.codes(), ["MX4205"]);
        lab.remove(&[&at("x.toml")]);
        lab.restart();
        lab.fine();
    }
}

#[test]
fn a_frozen_zone_keeps_its_name_from_tenants_too() {
    let mut lab = signed();
    lab.memory.frozen.insert(name("x-example.a.mx.example"));
    lab.write(&[("x-example.a.mx.example.zone", CHILD)]);
    lab.write(&[(&at("x.toml"), &toml("x.example", "eu"))]);
    assert!(lab.codes().contains(&"MX4205"), "{:?}", lab.codes());
}
