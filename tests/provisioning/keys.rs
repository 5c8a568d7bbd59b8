//! Keys that cannot be trusted: their zone is not served, the others are, and no key is ever made in their place.

use crate::server::*;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// The key files of a zone.
fn key_files(server: &Server, zone: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(server.path(&format!("keys/{zone}"))).expect("the folder of keys");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "pem" || end == "key"));
    files.sort();
    files
}

/// All files below `keys/` of a zone with their content.
fn content(server: &Server, zone: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(server.path(&format!("keys/{zone}"))).expect("the folder of keys");
    entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (path.clone(), fs::read(path).unwrap_or_default()))
        .collect()
}

/// Only the shard stands still, with SERVFAIL, and whoever asks is told why.
#[track_caller]
fn is_silent(server: &Server, ds: &str, reason: &str) {
    assert_eq!(server.address("x-example"), "SERVFAIL");
    assert_eq!(server.ask("a.mx.example", "DS"), ds, "its parent keeps what it had");
    assert_eq!(server.ask("ns.mx.example", "A"), "NOERROR A 192.0.2.53");
    let status = server.run(&["status"]).ends(1);
    assert!(status.out.contains("silent") && status.out.contains(reason), "{reason}: {}", status.out);
    assert!(server.tenant("x.example").1.contains("silent"), "{:?}", server.tenant("x.example"));
    server.run(&["tenant", "mx", "x.example"]).ends(1);
    server.run(&["check"]).ends(1);
    let explained = server.json(&["explain", "x-example.a.mx.example", "A"]).remove(0);
    assert!(explained["why"].as_str().unwrap_or_default().contains("silent"), "{explained}");
    let (code, body) = server.http("/readyz");
    assert!(code == 200 && body.contains("zone a.mx.example. is silent: MX"), "the other zone is answered: {body}");
    assert_eq!(server.http("/readyz?zone=a.mx.example").0, 503);
    assert_eq!(server.http("/readyz?zone=mx.example").0, 200);
}

#[test]
fn a_spoiled_key_file_stops_its_zone_only_and_nothing_replaces_it() {
    let mut server = Server::started();
    let (dnskey, ds) = (server.ask("a.mx.example", "DNSKEY"), server.ask("a.mx.example", "DS"));
    server.stop();
    let file = key_files(&server, "a.mx.example").remove(0);
    let key = fs::read(&file).expect("read");
    let other = fs::read(key_files(&server, "mx.example").remove(0)).expect("read");
    let copy = file.parent().expect("a folder").join("copy").join(file.file_name().expect("a name"));
    let set_mode = |file: &PathBuf, mode| fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("set");
    for (what, reason) in [
        ("missing", "is missing; the same of its copy"),
        ("a folder", "cannot"),
        ("open", "chmod"),
        ("swapped", "is not the published key"),
        ("empty", "PRIVATE KEY"),
    ] {
        // Both files: one good one would be used.
        for file in [&copy, &file] {
            match what {
                "missing" => fs::remove_file(file).expect("removed"),
                "a folder" => {
                    fs::remove_file(file).expect("removed");
                    fs::create_dir(file).expect("made");
                }
                "open" => set_mode(file, 0o644),
                "swapped" => fs::write(file, &other).expect("written"),
                _ => fs::write(file, "").expect("written"),
            }
        }
        let names: Vec<PathBuf> =
            content(&server, "a.mx.example").into_keys().filter(|path| !path.ends_with("last-good.ndjson")).collect();
        server.start();
        is_silent(&server, &ds, reason);
        let after: Vec<PathBuf> =
            content(&server, "a.mx.example").into_keys().filter(|path| !path.ends_with("last-good.ndjson")).collect();
        assert_eq!(names, after, "{what}: no key is made");
        // Put back, a reload is enough.
        for file in [&copy, &file] {
            if file.is_dir() {
                fs::remove_dir(file).expect("removed");
            }
            fs::write(file, &key).expect("written");
            set_mode(file, 0o600);
        }
        server.run(&["reload"]).ends(0);
        assert_eq!(server.address("x-example"), EU, "{what}");
        assert_eq!(server.ask("a.mx.example", "DNSKEY"), dnskey, "{what}: the same key as ever");
        server.stop();
    }
}

#[test]
fn a_lost_journal_is_never_taken_for_a_first_start() {
    let mut server = Server::started();
    let ds = server.ask("a.mx.example", "DS");
    server.stop();
    for journal in ["journal", "copy/journal"] {
        fs::remove_file(server.path("keys/a.mx.example").join(journal)).expect("removed");
    }
    let keys = key_files(&server, "a.mx.example");
    server.start();
    is_silent(&server, &ds, "missing");
    assert_eq!(keys, key_files(&server, "a.mx.example"));
}

#[test]
fn keys_that_vanish_under_a_running_server_do_not_stop_its_answers() {
    let server = Server::started();
    let dnskey = server.ask("a.mx.example", "DNSKEY");
    for file in key_files(&server, "a.mx.example") {
        fs::remove_file(file).expect("removed");
    }
    server.run(&["reload"]);
    assert_eq!(server.address("x-example"), EU);
    assert_eq!(server.ask("a.mx.example", "DNSKEY"), dnskey);
    assert_eq!(key_files(&server, "a.mx.example"), Vec::<PathBuf>::new(), "no key is made");
}

#[test]
fn zone_ds_is_the_same_with_and_without_a_server() {
    let mut server = Server::started();
    let asked = server.run(&["zone", "ds", "mx.example"]).ends(0).out;
    assert!(asked.starts_with("mx.example. 3600 IN DS "), "{asked}");
    let shard = server.run(&["zone", "ds", "a.mx.example"]).ends(0).out;
    let answered = server.ask("a.mx.example", "DS");
    let digest = shard.split_whitespace().last().expect("a digest").to_lowercase();
    assert!(answered.to_lowercase().contains(&digest), "{answered} {shard}");
    server.stop();
    assert_eq!(server.run(&["zone", "ds", "mx.example"]).ends(0).out, asked);
    server.run(&["zone", "ds", "nowhere.example"]).ends(3);
}

#[test]
fn a_folder_of_keys_that_others_may_read_is_refused() {
    let mut server = Server::started();
    server.stop();
    fs::set_permissions(server.path("keys"), fs::Permissions::from_mode(0o755)).expect("set");
    server.refuses(&[]).ends(4).says("chmod 700");
}

#[test]
fn a_reason_as_long_as_a_ticket_loses_no_zone() {
    let mut server = Server::started();
    let dnskey = server.ask("a.mx.example", "DNSKEY");
    let ticket = "why ".repeat(4_500);
    server.run(&["keys", "hold", "a.mx.example", "--reason", &ticket]).ends(0);
    server.run(&["keys", "resume", "a.mx.example"]).ends(0);
    server.run(&["keys", "hold", "a.mx.example", "--reason", &ticket]).ends(0);
    server.stop();
    server.start();
    assert_eq!(server.ask("a.mx.example", "DNSKEY"), dnskey);
    let status = server.run(&["keys", "status", "a.mx.example"]).out;
    assert!(status.contains("why why") && status.contains("(cut)"), "{status}");
}

/// A record of an answer as `explain` prints it, with its TTL.
fn explained(server: &Server, name: &str, rtype: &str) -> String {
    server.json(&["explain", name, rtype]).first().map(ToString::to_string).unwrap_or_default()
}

/// Nothing can be recorded in this folder below `keys/` after the next start.
fn locked(server: &Server, folder: &str, is_locked: bool) {
    let mode = if is_locked { 0o755 } else { 0o700 };
    fs::set_permissions(server.path(&format!("keys/{folder}/copy")), fs::Permissions::from_mode(mode)).expect("set");
}

fn with_ttl(server: &Server, ttl: u32, serial: u32) {
    let text = MASTER.replace("h.mx.example. 1 ", &format!("h.mx.example. {serial} "));
    server.place("zones/a.mx.example.zone", text.replace("www 300 A", &format!("www {ttl} A")));
}

#[test]
fn what_stays_longer_in_caches_is_served_once_it_is_recorded() {
    let mut server = Server::started();
    server.stop();
    locked(&server, "a.mx.example", true);
    server.start();
    server.eventually("x-example", EU);
    with_ttl(&server, 7200, 2);
    server.until("it is said", |server| server.codes().contains(&"MX5515".to_owned()));
    assert!(explained(&server, "www.a.mx.example", "A").contains(" 3600 IN A 192.0.2.80"), "the TTL of before");
    assert!(explained(&server, "a.mx.example", "SOA").contains(" 2 7200 "), "and the content of now");
    server.configure("[policy.shard]\nsignature_life = \"6d\"\n");
    let reload = server.run(&["reload"]).ends(1);
    assert!(format!("{}{}", reload.out, reload.err).contains("not in force yet"), "{} {}", reload.out, reload.err);
    // A crash forgets nothing: it was never served.
    server.kill();
    server.start();
    server.eventually("x-example", EU);
    assert!(explained(&server, "www.a.mx.example", "A").contains(" 3600 IN A 192.0.2.80"));
    locked(&server, "a.mx.example", false);
    server.until("it is served by itself", |server| {
        explained(server, "www.a.mx.example", "A").contains(" 7200 IN A 192.0.2.80")
    });
    let journal = fs::read_to_string(server.path("keys/a.mx.example/journal")).expect("read");
    assert!(journal.contains("\"data_ttl\":7200") && journal.contains("\"data_life\":518400"), "{journal}");
    server.run(&["reload"]).ends(0);
}

#[test]
fn a_pool_has_a_higher_ttl_once_it_is_recorded() {
    let mut server = Server::started();
    server.stop();
    locked(&server, "pools/eu", true);
    server.configure("[tenants]\nttl = \"50m\"\n");
    server.start();
    server.eventually("x-example", EU);
    assert!(server.codes().contains(&"MX5611".to_owned()));
    assert!(explained(&server, "x-example.a.mx.example", "A").contains(" 1800 IN A 192.0.2.25"));
    locked(&server, "pools/eu", false);
    server.until("it is served by itself", |server| {
        explained(server, "x-example.a.mx.example", "A").contains(" 3000 IN A 192.0.2.25")
    });
}

#[test]
fn an_imported_zone_that_is_to_be_held_takes_no_step_from_its_first_moment_on() {
    let mut old = Server::prepared();
    // One key for both, as BIND has it by default; here a KSK and a ZSK are wanted, so the first step would be to make one.
    old.configure(
        "[zone.\"mx.example\"]\npolicy = \"one\"\nparents = [\"127.0.0.1:9\"]\n[policy.one]\nkeys = \"csk\"\n",
    );
    old.start();
    fs::create_dir(old.path("out")).expect("made");
    old.stop();
    old.run(&["keys", "export", "mx.example", "--to", "out"]).ends(0);
    let folder = old.path("out").display().to_string();
    let mut new = Server::prepared();
    new.remove("zones/mx.example.zone");
    new.remove("zones/a.mx.example.zone");
    fs::remove_dir_all(new.path("zones/a.mx.example")).expect("removed");
    new.configure("[zone.\"mx.example\"]\npolicy = \"registry\"\nparents = [\"127.0.0.1:9\"]\n");
    new.start();
    let import = ["keys", "import", "mx.example", &folder, "--from", "none", "--ttl", "1h", "--life", "1d"];
    let dry = new.run(&[&import[..], &["--dry-run"]].concat()).ends(0);
    assert!(dry.out.contains("with --hold REASON none does"), "{}", dry.out);
    let held = [&import[..], &["--hold", "the old server still answers"]].concat();
    let dry = new.run(&[&held[..], &["--dry-run"]].concat()).ends(0);
    assert!(dry.out.contains("all steps are held: the old server still answers"), "{}", dry.out);
    new.run(&held).ends(0);
    new.place("zones/mx.example.zone", fs::read(old.path("zones/mx.example.zone")).expect("there"));
    new.until("it is served", |server| server.ask("mx.example", "DNSKEY").starts_with("NOERROR DNSKEY"));
    let status = new.json(&["keys", "status", "mx.example"]).remove(0).to_string();
    assert!(status.contains("all steps are held: the old server still answers"), "{status}");
    assert_eq!(
        key_files(&new, "mx.example").iter().filter(|file| file.extension().is_some_and(|end| end == "pem")).count(),
        1
    );
    new.run(&["keys", "resume", "mx.example"]).ends(0);
    new.until("its first step", |server| server.log().contains("make a KSK"));
}
