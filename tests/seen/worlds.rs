//! Worlds, each broken in one way, and how each must look.

use crate::agree::{Looks, agree};
use crate::alerts::{growth_fires, nothing_fires, page_fires};
use crate::server::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const SHARD: &str = "a.mx.example.";
const PARENT_ZONE: &str = "mx.example.";
/// Nobody answers there: nothing of a test asks beyond the loopback.
const ZONES: &str = "[zone.\"mx.example\"]\nparents = [\"127.0.0.1:9\"]\n";
/// Errors are told by this alert, whatever they are.
const ERRORS: &str = "FindingsOfErrors";

const SOUND: Looks<'_> = Looks { finding: ("warning", "MX5530"), zones: &[], check: 0 };

/// A server in good order.
fn sound() -> Server {
    let mut server = Server::prepared();
    server.configure(ZONES);
    server.start();
    server.eventually("x-example", EU);
    server
}

/// The same after `break_it` while it was down.
fn restarted(break_it: impl FnOnce(&Server)) -> Server {
    let mut server = sound();
    server.stop();
    break_it(&server);
    server.start();
    server
}

/// All files of this name below a zone's folder of keys: the first and its copy.
fn key_files(server: &Server, zone: &str, part: &str) -> Vec<std::path::PathBuf> {
    let folders = ["", "copy/"].map(|more| server.path(&format!("keys/{zone}/{more}")));
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).expect("a folder"));
    let files = files.map(|entry| entry.expect("an entry").path());
    files.filter(|path| path.is_file() && path.to_string_lossy().contains(part)).collect()
}

fn remove_all(server: &Server, zone: &str, part: &str) {
    let files = key_files(server, zone, part);
    assert!(!files.is_empty(), "{part}");
    files.iter().for_each(|file| fs::remove_file(file).expect("removed"));
}

#[test]
fn a_sound_world_is_green_and_nothing_fires() {
    let server = sound();
    server.until("warm", |server| {
        server.metric("mxseal_signatures_kept{zone=\"a.mx.example.\"}") > 0.0
            && server.json(&["keys", "status", "a.mx.example"])[0]["parent_servers"][0]["ds"].is_array()
    });
    let page = agree(&server, &SOUND);
    page_fires(&server, &page, &[]);
}

#[test]
fn a_zone_whose_private_key_is_gone_is_silent_everywhere() {
    let server = restarted(|server| remove_all(server, "a.mx.example", ".pem"));
    let looks = Looks { finding: ("error", "MX5005"), zones: &[(SHARD, "silent")], check: 1 };
    let before = agree(&server, &looks);
    page_fires(&server, &before, &[ERRORS, "ZoneSilent"]);
    for _ in 0..60 {
        assert_eq!(server.address("x-example"), "SERVFAIL");
    }
    let page = agree(&server, &looks);
    growth_fires(&server, (&before, &page), &[ERRORS, "ServfailRate", "ZoneSilent"]);
}

#[test]
fn a_server_that_answers_no_zone_is_not_ready_and_one_that_is_gone_is_told_by_its_scrape() {
    let mut server = restarted(|server| {
        remove_all(server, "a.mx.example", ".pem");
        remove_all(server, "mx.example", ".pem");
    });
    let zones = &[(SHARD, "silent"), (PARENT_ZONE, "silent")];
    let page = agree(&server, &Looks { finding: ("error", "MX5005"), zones, check: 1 });
    page_fires(&server, &page, &[ERRORS, "ServerNotReady", "ZoneSilent"]);
    server.kill();
    nothing_fires(&server, &["ServerDown"]);
}

#[test]
fn damaged_journals_missing_folders_and_open_files_are_silence_and_look_so() {
    let damage = |server: &Server| {
        for file in key_files(server, "a.mx.example", "journal") {
            let text = fs::read_to_string(&file).expect("a journal");
            fs::write(&file, text.replacen("fact", "fakt", 1).replacen("key", "kex", 3)).expect("written");
        }
    };
    let folder = |server: &Server| fs::remove_dir_all(server.path("keys/a.mx.example")).expect("removed");
    let open = |server: &Server| {
        for file in key_files(server, "a.mx.example", ".pem") {
            fs::set_permissions(file, fs::Permissions::from_mode(0o644)).expect("set");
        }
    };
    type Break<'a> = &'a dyn Fn(&Server);
    let broken: [(&str, Break<'_>); 3] = [("MX5004", &damage), ("MX5030", &folder), ("MX5007", &open)];
    for (code, break_it) in broken {
        let server = restarted(break_it);
        let page = agree(&server, &Looks { finding: ("error", code), zones: &[(SHARD, "silent")], check: 1 });
        page_fires(&server, &page, &[ERRORS, "ZoneSilent"]);
    }
}

#[test]
fn a_journal_read_from_its_copy_freezes_and_a_person_who_holds_does_too() {
    let server = restarted(|server| server.remove("keys/a.mx.example/journal"));
    let frozen = &[(SHARD, "frozen")];
    let page = agree(&server, &Looks { finding: ("error", "MX5502"), zones: frozen, check: 0 });
    page_fires(&server, &page, &[ERRORS, "RollBlocked"]);
    let server = sound();
    server.run(&["keys", "hold", "a.mx.example", "--reason", "a move"]).ends(0);
    let page = agree(&server, &Looks { finding: ("warning", "MX5501"), zones: frozen, check: 0 });
    page_fires(&server, &page, &[]);
}

#[test]
fn broken_files_keep_what_was_good_and_are_counted() {
    let server = sound();
    let pools = pools();
    let cases: [(&str, &str, &str, &str, &[&str]); 4] = [
        ("zones/a.mx.example.zone", "@ A 1\n", MASTER, "MX2030", &[ERRORS]),
        ("zones/pools.toml", "[eu\n", &pools, "MX3001", &[ERRORS]),
        (
            "zones/a.mx.example/x.toml",
            "broken\n",
            "domain = \"x.example\"\npool = \"eu\"\n",
            "MX4001",
            &[ERRORS, "TenantsQuarantined"],
        ),
        ("zones/b.mx.example.zone", "@ A 1\n", "", "MX2030", &[ERRORS, "ZoneSilent"]),
    ];
    for (path, broken, good, code, alerts) in cases {
        server.place(path, broken);
        let zones: &[(&str, &str)] = match path {
            "zones/a.mx.example.zone" => &[(SHARD, "last good")],
            "zones/b.mx.example.zone" => &[("b.mx.example.", "silent")],
            _ => &[],
        };
        let page = agree(&server, &Looks { finding: ("error", code), zones, check: 1 });
        page_fires(&server, &page, alerts);
        if good.is_empty() {
            return;
        }
        server.place(path, good);
        agree(&server, &SOUND);
    }
}

/// From now on the server's files may have so many octets.
fn limit_files(server: &Server, octets: &str) {
    let limit = format!("--fsize={octets}:unlimited");
    let set = Command::new("prlimit").args(["--pid", &server.pid().to_string(), &limit]).status();
    assert!(set.expect("prlimit runs").success());
}

#[test]
fn a_disk_that_takes_nothing_is_an_error_until_it_does() {
    let server = sound();
    limit_files(&server, "0");
    server.place(&at("x.toml"), "broken\n");
    let looks = Looks { finding: ("error", "MX5016"), zones: &[], check: 1 };
    let page = agree(&server, &looks);
    page_fires(&server, &page, &[ERRORS, "TenantsQuarantined"]);
    limit_files(&server, "unlimited");
    server.place(&at("x.toml"), toml("x.example", "eu"));
    agree(&server, &SOUND);
}

#[test]
fn a_zone_that_waits_for_a_tenant_is_neither_served_nor_silent() {
    let server = sound();
    server.place("zones/x-example.a.mx.example.zone", MASTER);
    let zones = &[("x-example.a.mx.example.", "waiting")];
    let page = agree(&server, &Looks { finding: ("error", "MX2125"), zones, check: 1 });
    page_fires(&server, &page, &[ERRORS]);
    server.run(&["keys", "status", "x-example.a.mx.example"]).ends(1);
}

#[test]
fn a_configuration_that_a_reload_refused_stays_told_until_a_reload_takes_one() {
    let server = sound();
    server.configure("[servre]\n");
    server.run(&["reload"]).ends(1);
    let page = agree(&server, &Looks { finding: ("error", "MX1002"), zones: &[], check: 1 });
    page_fires(&server, &page, &[ERRORS]);
    server.configure(ZONES);
    server.run(&["reload"]).ends(0);
    agree(&server, &SOUND);
}

#[test]
fn a_certificate_that_is_missing_and_removals_that_are_held_are_errors() {
    let server = sound();
    server.place(
        "zones/pools.toml",
        pools() + "[more]\naddresses = [\"192.0.2.27\"]\ncertificates = [\"../certs/none.pem\"]\n",
    );
    let page = agree(&server, &Looks { finding: ("error", "MX3201"), zones: &[], check: 1 });
    page_fires(&server, &page, &[ERRORS]);
    let mut server = Server::prepared();
    server.configure(ZONES);
    let lines: String = (0..30).map(|n| line(&format!("t{n}.example"), "eu")).collect();
    server.write(&at("bulk.ndjson"), lines);
    server.start();
    server.eventually("t29-example", EU);
    server.place(&at("bulk.ndjson"), "");
    let page = agree(&server, &Looks { finding: ("error", "MX4210"), zones: &[], check: 0 });
    page_fires(&server, &page, &[ERRORS, "RemovalsHeld"]);
    let shown = server.run(&["status"]).ends(1).out;
    assert!(
        shown.contains("removals of 30 tenants of a.mx.example. are held back") && shown.contains("--allow-shrink"),
        "{shown}"
    );
    server.run(&["reload", "--allow-shrink"]).ends(0);
    agree(&server, &SOUND);
}
