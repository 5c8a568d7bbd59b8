//! What each signal does: see the table of `src/cli/serve/signals.rs`.

use super::fixture::{fetched, number, until_new_tenant_is_served, until_served, world};
use crate::live::{World, mxseal};

/// Everything that would end a process which does not say otherwise, but is not meant to end this one.
const STRAY: [&str; 14] =
    ["USR1", "USR2", "ALRM", "VTALRM", "PROF", "IO", "PWR", "STKFLT", "XCPU", "XFSZ", "PIPE", "34", "50", "63"];
/// So many that reading them takes long enough to be interrupted.
const TENANTS: usize = 100_000;

#[test]
fn stray_signals_end_nothing() {
    let world = world();
    let mut server = world.serve("mail.test.");
    for name in STRAY.into_iter().chain(["CHLD", "CONT", "URG", "WINCH"]) {
        for _ in 0..3 {
            server.signal(name);
        }
    }
    server.signal("HUP");
    until_new_tenant_is_served(&world, &mut server, "first");
    server.poll_until("a word about the last", || world.read("mxseal.log").contains("signal 63").then_some(()));
    server.signal("TERM");
    assert_eq!(server.poll_code(), Some(0));
    let log = world.read("mxseal.log");
    assert_eq!(log.matches("SIGUSR1 means nothing here").count(), 1, "mentioned once a minute: {log}");
    assert!(log.contains("draining") && log.ends_with("ended\n"), "{log}");
}

#[test]
fn signals_while_files_are_read_for_the_first_time_end_nothing_but_the_start() {
    let world = many_tenants();
    let mut server = world.start("mxseal", mxseal(), &["serve"]);
    server.poll_until("signs of reading", || reading(&world));
    for name in STRAY.into_iter().chain(["HUP"]) {
        server.signal(name);
    }
    until_served(&world, &mut server);
    // The reload that was asked for meanwhile is not forgotten.
    server.poll_until("a second reading", || number(&world, "mxseal_watch_full_scans_total ").filter(|n| *n >= 2));
    server.signal("TERM");
    assert_eq!(server.poll_code(), Some(0));
}

#[test]
fn who_is_told_to_end_while_files_are_read_ends_at_once_and_well() {
    let world = many_tenants();
    let mut server = world.start("mxseal", mxseal(), &["serve"]);
    server.poll_until("signs of reading", || reading(&world));
    server.signal("TERM");
    assert_eq!(server.poll_code(), Some(0));
    let log = server.log();
    assert!(log.contains("ended before it answered") && !log.contains("answering on"), "{log}");
}

#[test]
fn each_signal_that_ends_the_server_drains_it_first() {
    for name in ["INT", "QUIT"] {
        let world = world();
        let mut server = world.serve("mail.test.");
        server.signal(name);
        assert_eq!(server.poll_code(), Some(0), "{name}");
        assert!(server.log().contains("draining"), "{name}: {}", server.log());
    }
}

#[test]
fn a_running_server_that_reads_much_ends_when_it_is_told() {
    let world = world();
    let mut server = world.serve("mail.test.");
    let events = "mxseal_watch_events_total ";
    let before = number(&world, events).unwrap();
    fill(&world);
    server.poll_until("signs of reading", || number(&world, events).filter(|n| *n > before));
    server.signal("TERM");
    assert_eq!(server.poll_code(), Some(0));
    assert!(server.log().ends_with("ended\n"), "{}", server.log());
}

/// A world that takes seconds to read.
fn many_tenants() -> World {
    let world = world();
    fill(&world);
    world
}

fn fill(world: &World) {
    let lines: Vec<String> =
        (0..TENANTS).map(|n| format!("{{\"domain\": \"t{n}.example\", \"pool\": \"p\"}}\n")).collect();
    world.write("zones/mail.test/many.ndjson", &lines.concat());
}

/// Whether the server says that it is not ready, since files are being read.
fn reading(world: &World) -> Option<()> {
    fetched(world, "/readyz")?.contains("files are being read").then_some(())
}

#[test]
fn a_running_server_that_builds_a_large_zone_ends_when_it_is_told() {
    let world = world();
    let mut server = world.serve("mail.test.");
    let events = "mxseal_watch_events_total ";
    let before = number(&world, events).unwrap();
    let lines: String = (0..4).map(|n| format!("$GENERATE 0-65535 x{n}-$ A 192.0.2.1\n")).collect();
    world.write(
        "zones/large.test.zone",
        &format!("$TTL 300\n@ SOA ns h 1 3600 600 604800 300\n@ NS ns\nns A 192.0.2.1\n{lines}"),
    );
    server.poll_until("signs of reading", || number(&world, events).filter(|n| *n > before));
    server.signal("TERM");
    assert_eq!(server.poll_code(), Some(0));
    assert!(server.log().ends_with("ended\n"), "{}", server.log());
}
