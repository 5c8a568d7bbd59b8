//! What grows has an end: tenants in all, numbers of files, what a loop of changes leaves behind.

use crate::lab::*;
use mxseal::world::file_names::RESTING;

fn lines(domains: std::ops::Range<usize>) -> String {
    domains.map(|i| line(&format!("t{i}.example"), "eu")).collect()
}

#[test]
fn past_the_limit_nobody_new_is_served_and_each_file_says_so_once() {
    for touched in [false, true] {
        let mut lab = Lab::with_room(4);
        if touched {
            // A zone with a tenant takes its next ones in one by one.
            lab.write(&[(&at("first.toml"), &toml("t0.example", "eu"))]);
        }
        let from = usize::from(touched);
        lab.write(&[(&at("a.ndjson"), &lines(from..3)), (&at("b.ndjson"), &lines(3..9))]);
        assert_eq!(lab.codes(), ["MX4206"]);
        let finding = lab.world.findings().pop().expect("it stands");
        assert_eq!((finding.place.file.as_str(), finding.place.line), ("zones/a.mx.example/b.ndjson", 2));
        assert!(finding.message.starts_with("5 tenants from here on not served"), "{}", finding.message);
        assert!(finding.message.contains("all 4 that there is room for"), "{}", finding.message);
        for i in 0..9 {
            assert_eq!(lab.tenant(&format!("t{i}.example")).is_some(), i < 4, "{i}");
        }
    }
}

#[test]
fn a_server_that_is_full_goes_on_with_those_whom_it_serves() {
    let mut lab = Lab::with_room(2);
    lab.write(&[(&at("t0.toml"), &toml("t0.example", "eu")), (&at("t1.toml"), &toml("t1.example", "eu"))]);
    lab.fine();
    lab.write(&[(&at("t2.toml"), &toml("t2.example", "eu"))]);
    assert_eq!(lab.reasons("t2.example").len(), 1);
    assert!(lab.tenant("t2.example").is_none());
    // Another pool, then another endpoint.
    lab.write(&[(&at("t0.toml"), &toml("t0.example", "us"))]);
    assert_eq!(lab.address("t0-example"), "192.0.2.26");
    lab.write(&[(&at("t0.toml"), &with_endpoint("t0.example", "us", "moved"))]);
    assert_eq!((lab.address("moved").as_str(), lab.address("t0-example").as_str()), ("192.0.2.26", "NXDOMAIN"));
    // Someone goes: there is room once the file speaks again.
    lab.remove(&[&at("t1.toml")]);
    lab.write(&[(&at("t2.toml"), &toml("t2.example", "eu"))]);
    assert_eq!(lab.address("t2-example"), "192.0.2.25");
    lab.fine();
}

#[test]
fn the_limit_counts_the_tenants_of_all_zones() {
    let mut lab = Lab::with_room(2);
    lab.write(&[("b.mx.example.zone", MASTER), ("b.mx.example/t0.toml", &toml("t0.example", "eu"))]);
    lab.write(&[(&at("a.ndjson"), &lines(1..3))]);
    assert_eq!(lab.codes(), ["MX4206"]);
    assert_eq!((lab.tenant("t1.example").is_some(), lab.tenant("t2.example").is_some()), (true, false));
}

#[test]
fn tenants_that_come_and_go_leave_nothing_behind() {
    let mut lab = Lab::new();
    lab.write(&[(&at("stays.toml"), &toml("stays.example", "eu"))]);
    let rounds = RESTING + 2000;
    for i in 0..rounds {
        let file = at(&format!("t{i}.toml"));
        // Everyday removals: the shrink guard has tests of its own.
        lab.pass(61);
        let domain = format!("t{i}.example");
        let text = if i % 2 == 0 { toml(&domain, "eu") } else { with_endpoint(&domain, "us", &format!("e{i}")) };
        let done = lab.apply(vec![change(&file, Some(&text))]);
        lab.memory.settle(&mut lab.world);
        assert_eq!(done.values().map(|done| done.added).sum::<u64>(), 1);
        lab.apply(vec![change(&file, None)]);
        lab.memory.settle(&mut lab.world);
    }
    lab.consistent();
    lab.fine();
    assert!(lab.world.files.len() <= RESTING + 4, "{} numbers of files", lab.world.files.len());
    assert_eq!(lab.world.zones[&name(ZONE)].tenants.table.len(), 1);
    let uses: Vec<u64> = lab.world.pools.reports().map(|pool| pool.tenants).collect();
    assert_eq!(uses, [1, 0]);
    assert_eq!(lab.address("stays-example"), "192.0.2.25");
}

#[test]
fn the_number_of_a_file_that_is_gone_is_not_given_to_another_while_a_tenant_bears_it() {
    let mut lab = Lab::with_tenants(20);
    let files: Vec<String> = (0..20).map(|i| tenant_file(i, "eu").0).collect();
    // Too many at once: all of them are held, and name the files that they had.
    let held = lab.remove(&files.iter().map(String::as_str).collect::<Vec<&str>>());
    assert_eq!(held.held, 20);
    let before = lab.tenant("t7.example").expect("it is held").file();
    for i in 0..RESTING + 100 {
        let file = at(&format!("x{i}.toml"));
        lab.pass(61);
        for text in [Some(toml("x.example", "eu")), None] {
            lab.apply(vec![change(&file, text.as_deref())]);
            lab.memory.settle(&mut lab.world);
        }
    }
    assert_eq!(lab.tenant("t7.example").map(|tenant| tenant.file()), Some(before));
    let path = lab.world.files.path(before);
    assert_eq!(path.as_deref(), Some("zones/a.mx.example/t7.example.toml"));
    lab.consistent();
}
