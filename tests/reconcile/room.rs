//! Limits of records: counted before anything is made, of each zone and of all; what is refused keeps what was good.

use crate::lab::{Lab, MASTER, ZONE, name};

const FILE: &str = "a.mx.example.zone";
const SMALL: &str = "version = 1\n[limits]\nzone_records = 20\nrecords = 30\n";

fn lab() -> Lab {
    let mut lab = Lab::with_config(SMALL);
    lab.write(&[(FILE, MASTER)]);
    lab
}

/// A zone with so many records beside SOA and NS.
fn zone(records: usize) -> String {
    format!("$TTL 300\n{MASTER}$GENERATE 1-{} h$ A 192.0.2.1\n", records - 3)
}

/// The finding of a code.
#[track_caller]
fn finding(lab: &Lab, code: &str) -> (String, String) {
    let findings = lab.world.findings();
    let found = findings.iter().find(|finding| finding.code == code);
    let found = found.expect(code);
    (found.one_line(), found.help.clone())
}

#[test]
fn a_zone_past_its_limit_is_refused_with_place_count_and_setting_and_what_was_good_is_served() {
    let mut lab = lab();
    lab.write(&[(FILE, &zone(20))]);
    assert_eq!(lab.address("h17"), "192.0.2.1");
    lab.write(&[(FILE, &zone(21))]);
    let (line, help) = finding(&lab, "MX2015");
    assert!(
        line.starts_with("zones/a.mx.example.zone:5:11: with this line the zone has 21 records, more than 20"),
        "{line}"
    );
    assert_eq!(help, "raise `records_max` in [zone.\"a.mx.example\"] of mxseal.toml, or divide the zone");
    assert_eq!((lab.address("h17"), lab.address("h18")), ("192.0.2.1".to_owned(), "NXDOMAIN".to_owned()));
    lab.configure(&format!("{SMALL}[zone.\"{ZONE}\"]\nrecords_max = 21\n"));
    lab.write(&[(FILE, &zone(21))]);
    assert_eq!(lab.address("h18"), "192.0.2.1");
    lab.fine();
}

#[test]
fn lines_included_files_and_names_without_records_count() {
    let lines: String = (0..18).map(|i| format!("h{i} A 192.0.2.1\n")).collect();
    let deep = format!("{MASTER}{} A 192.0.2.1\n", ["x"; 30].join("."));
    for (files, code) in [
        (vec![(FILE, format!("{MASTER}{lines}"))], "MX2015"),
        (vec![("sub/more.inc", lines), (FILE, format!("{MASTER}$INCLUDE sub/more.inc\n"))], "MX2015"),
        (vec![(FILE, deep)], "MX2117"),
    ] {
        let mut lab = lab();
        for (path, text) in files {
            lab.write(&[(path, &text)]);
        }
        let (line, _) = finding(&lab, code);
        assert!(line.contains("more than 20"), "{line}");
        assert_eq!(lab.address("www"), "192.0.2.80", "last good");
    }
}

#[test]
fn octets_have_a_limit_too() {
    let mut lab = lab();
    let long = format!("\"{}\" ", "x".repeat(250)).repeat(9);
    lab.write(&[(FILE, &format!("{MASTER}a TXT {long}\nb TXT {long}\nc TXT {long}\n"))]);
    let (line, _) = finding(&lab, "MX2015");
    assert!(line.contains(":6:1: with this line names and data have more than 5120 octets"), "{line}");
}

#[test]
fn all_zones_share_a_limit_and_one_that_is_gone_counts_until_it_is_removed() {
    let mut lab = lab();
    lab.write(&[(FILE, &zone(20)), ("b.example.zone", &zone(10))]);
    lab.fine();
    lab.write(&[("c.example.zone", MASTER)]);
    let (line, help) = finding(&lab, "MX2015");
    assert!(line.starts_with("zones/c.example.zone:1:1: with this line the zone has 1 records, more than 0, which is what other zones leave"), "{line}");
    assert_eq!(help, "raise `records` in [limits] of mxseal.toml, or remove zones");
    lab.remove(&["b.example.zone"]);
    lab.write(&[("c.example.zone", MASTER)]);
    assert!(lab.codes().contains(&"MX2015"), "it is served on, and counts");
    lab.allow_shrink();
    lab.write(&[("c.example.zone", MASTER)]);
    assert_eq!(lab.ask("www.c.example", "A"), "NOERROR A 192.0.2.80");
}

#[test]
fn a_broken_file_takes_no_room() {
    let mut lab = lab();
    for _ in 0..20 {
        lab.write(&[("b.example.zone", &format!("{}x A nonsense\n", zone(20)))]);
        lab.write(&[("c.example.zone", &zone(30))]);
    }
    lab.write(&[(FILE, &zone(20))]);
    assert_eq!(lab.address("h17"), "192.0.2.1");
}

#[test]
fn at_a_restart_zones_that_were_served_come_before_what_found_no_room() {
    let mut lab = lab();
    lab.write(&[(FILE, &zone(20)), ("m.example.zone", MASTER)]);
    // It sorts before the others, and is new; the last one was served, and wants more now.
    lab.write(&[("0.example.zone", &zone(20)), ("m.example.zone", &zone(12))]);
    for _ in 0..2 {
        assert_eq!(lab.address("h17"), "192.0.2.1");
        assert_eq!(lab.ask("www.m.example", "A"), "NOERROR A 192.0.2.80", "last good");
        assert_eq!(lab.world.findings().iter().filter(|finding| finding.code == "MX2015").count(), 2);
        assert!(lab.world.zones[&name("0.example")].content().is_none());
        lab.restart();
    }
}

#[test]
fn memory_bounds_records_and_tenants_whatever_the_limits_say() {
    let mut lab = Lab::with_config("version = 1\n");
    lab.limit_memory(64_000);
    lab.write(&[(FILE, MASTER)]);
    lab.write(&[("b.example.zone", &zone(60))]);
    let (line, help) = finding(&lab, "MX2015");
    assert!(line.contains("which is what fits into the memory that the system gives"), "{line}");
    assert!(help.starts_with("give the process more memory"), "{help}");
    let tenants: String =
        (0..100).map(|i| format!("{{\"domain\":\"t{i}.example\",\"addresses\":[\"192.0.2.9\"]}}\n")).collect();
    lab.write(&[("a.mx.example/bulk.ndjson", &tenants)]);
    assert!(lab.codes().contains(&"MX4206"));
    assert_eq!(lab.address("www"), "192.0.2.80");
}

#[test]
fn addresses_that_a_wildcard_gives_to_hosts_have_a_limit() {
    let mut lab = lab();
    let addresses: String = (0..100).map(|i| format!("*.w A 192.0.2.{i}\n")).collect();
    let hosts: String = (0..100).map(|i| format!("m{i} MX 1 h{i}.w\n")).collect();
    lab.configure(&format!("{SMALL}[zone.\"{ZONE}\"]\nrecords_max = 300\n").replace("records = 30", "records = 300"));
    lab.write(&[(FILE, &format!("{MASTER}{addresses}{hosts}"))]);
    let (line, _) = finding(&lab, "MX2117");
    assert!(line.contains("addresses that a wildcard gives to hosts have more than 76800 octets"), "{line}");
    assert_eq!(lab.address("www"), "192.0.2.80");
}
