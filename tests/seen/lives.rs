//! Lives that wait for a person: nothing says "at rest" or "nothing to do" while they do.

use crate::agree::{Looks, agree};
use crate::alerts::page_fires;
use crate::server::*;
use mxseal::cert::KeyKind;
use mxseal::cert::make::PrivateKey;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A pool whose caches know a new key within seconds; signatures live for days, as ever.
const QUICK: &str = "[zone.\"mx.example\"]\nparents = [\"127.0.0.1:9\"]\n[zone.\"a.mx.example\"]\npolicy = \"quick\"\n\
                     [policy.quick]\nkeys = \"csk\"\nmargin = \"1s\"\n[tenants]\nttl = \"2s\"\n[pool.\"eu\"]\nprobe = false\nwebpki = false\n";

/// A server whose pool names one certificate and has a next key that may be given to hosts; that key.
fn with_next_key() -> (Server, PrivateKey, String) {
    let key = PrivateKey::generate(KeyKind::EcdsaP256).expect("a key");
    let mut server = Server::prepared();
    server.configure(QUICK);
    let now = mxseal::time::wall();
    server.write("certs/one.pem", key.self_signed(&["*.a.mx.example".to_owned()], now, 90).expect("one"));
    server.write("zones/pools.toml", "[eu]\naddresses = [\"192.0.2.25\"]\ncertificates = [\"../certs/one.pem\"]\n");
    server.start();
    server.eventually("x-example", EU);
    server.until("a next key is published", |server| !next(server).is_empty());
    let next = next(&server);
    (server, key, next)
}

fn pool(server: &Server) -> Value {
    server.json(&["cert", "status", "eu"]).into_iter().next().unwrap_or_default()
}

fn next(server: &Server) -> String {
    let info = pool(server);
    let keys = info["keys"].as_array().into_iter().flatten();
    let next = keys.into_iter().find(|key| key["next"] == true && key["published"].is_u64());
    next.and_then(|key| key["spki"].as_str()).unwrap_or_default().to_owned()
}

/// Both files of the next key.
fn files(server: &Server) -> [PathBuf; 2] {
    let folder = server.path("keys/pools/eu");
    let entries = fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let name = entries.map(|name| name.into_string().expect("text")).find(|name| name.starts_with("next-"));
    let name = name.expect("a next key");
    [folder.join(&name), folder.join("copy").join(name)]
}

fn mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("set");
}

/// `status`, metrics and `cert status` tell of it, which ends with 1 and says what to do; later nothing does.
#[track_caller]
fn is_told(server: &Server, code: &str, words: &str) {
    let page = agree(server, &Looks { finding: ("error", code), zones: &[], check: 0 });
    page_fires(server, &page, &["FindingsOfErrors"]);
    let status = server.run(&["cert", "status", "eu"]).ends(1);
    assert!(status.out.contains(words), "{words} is not in {}", status.out);
    assert!(!pool(server)["must"].as_array().expect("a list").is_empty());
}

#[track_caller]
fn is_well(server: &Server) {
    agree(server, &Looks { finding: ("warning", "MX5530"), zones: &[], check: 0 });
    server.run(&["cert", "status", "eu"]).ends(0);
}

#[test]
fn a_next_key_that_others_can_read_gets_no_permit_until_it_is_private_again() {
    let (server, _, next) = with_next_key();
    let permit = |server: &Server| server.run(&["cert", "permit", "eu", "--key", &next, "--emergency", "--dry-run"]);
    server.until("it may be given to hosts", |server| permit(server).code == Some(0));
    for file in files(&server) {
        mode(&file, 0o644);
        let refused = permit(&server).ends(4);
        assert!(
            refused.out.contains("others may have read") || refused.err.contains("others may have read"),
            "{}",
            refused.err
        );
        is_told(&server, "MX5614", "others may have read the private half");
        mode(&file, 0o600);
        permit(&server).ends(0);
        is_well(&server);
    }
}

#[test]
fn files_of_a_next_key_that_are_gone_or_strange_are_told_while_the_server_runs() {
    let (server, _, _) = with_next_key();
    let [file, copy] = files(&server);
    let stray = file.with_file_name("next-ecdsa-p256-0123456789abcdef.pem");
    let other = PrivateKey::generate(KeyKind::EcdsaP256).expect("a key");
    fs::write(&stray, other.pem()).expect("written");
    mode(&stray, 0o600);
    is_told(&server, "MX5615", "0123456789abcdef.pem is none of its private keys");
    fs::remove_file(&stray).expect("removed");
    is_well(&server);
    // Another key in the place of one: it is written anew, and what lay there is kept and told.
    fs::write(&file, other.pem()).expect("written");
    is_told(&server, "MX5615", ".pem.damaged-1");
    assert_eq!(fs::read(&file).expect("read"), fs::read(&copy).expect("read"));
    fs::remove_file(format!("{}.damaged-1", file.display())).expect("removed");
    is_well(&server);
    let kept = fs::read(&file).expect("read");
    [&file, &copy].iter().for_each(|file| fs::remove_file(file).expect("removed"));
    is_told(&server, "MX5608", "cannot be read");
    fs::write(&copy, kept).expect("written");
    mode(&copy, 0o600);
    is_well(&server);
    assert!(file.exists(), "the other one is written anew");
}

#[test]
fn the_only_key_given_up_while_files_name_it_waits_for_a_person_who_is_told_what_to_do() {
    let (server, key, _) = with_next_key();
    let spki = key.spki().to_string();
    server.run(&["cert", "drop", "eu", "--key", &spki, "--emergency", "--reason", "stolen"]).ends(0);
    is_told(&server, "MX5602", "was given up, and its TLSA stays: pools.toml names it");
    let info = pool(&server);
    assert_eq!(info["state"], "rolling");
    assert!(info["must"].to_string().contains("mxseal cert rotate"), "{info}");
    server.run(&["cert", "drop", "eu", "--key", &spki, "--back", "--reason", "a mistake"]).ends(0);
    is_well(&server);
    // Without haste it waits for the same person, and nobody is called at night.
    server.run(&["cert", "drop", "eu", "--key", &spki, "--reason", "a new year"]).ends(0);
    agree(&server, &Looks { finding: ("warning", "MX5602"), zones: &[], check: 0 });
    server.run(&["cert", "status", "eu"]).ends(1);
}

/// Lives of seconds for both zones.
const TRIAL: &str = "[zone.\"mx.example\"]\npolicy = \"trial\"\nparents = [\"127.0.0.1:9\"]\n[zone.\"a.mx.example\"]\npolicy = \"trial\"\n\
                     [policy.trial]\nkeys = \"csk\"\ncsk_lifetime = \"unlimited\"\ndnskey_ttl = \"2s\"\nsignature_life = \"8s\"\n\
                     signature_grid = \"1s\"\ninception_before = \"10s\"\ndnskey_life = \"8s\"\ndnskey_refresh = \"5s\"\nmargin = \"1s\"\n[tenants]\nttl = \"2s\"\n";

fn short_lives(server: &Server) {
    for (file, text) in [("mx", PARENT), ("a.mx", MASTER)] {
        let text =
            format!("$TTL 2\n{}", text.replace("3600 SOA", "2 SOA").replace(" 300\n", " 2\n").replace("300 A", "2 A"));
        server.write(&format!("zones/{file}.example.zone"), text);
    }
}

fn keys_status(server: &Server, zone: &str) -> Value {
    server.json(&["keys", "status", zone]).into_iter().next().unwrap_or_default()
}

/// Zones with TTL of seconds, whose parent is served here, and seen to have the DS of the shard.
fn trial() -> Server {
    let mut server = Server::prepared();
    server.configure(TRIAL);
    short_lives(&server);
    server.start();
    server.eventually("x-example", EU);
    server.until("the DS is seen", |server| {
        keys_status(server, "a.mx.example")["parent_servers"][0]["ds"].as_array().is_some_and(|ds| ds.len() == 1)
    });
    server
}

fn tags(info: &Value, phase: &str) -> Vec<u64> {
    let keys = info["keys"].as_array().into_iter().flatten().filter(|key| key["phase"] == phase);
    keys.filter_map(|key| key["tag"].as_u64()).collect()
}

#[test]
fn a_child_in_a_roll_names_the_silence_of_its_own_parent() {
    let mut server = trial();
    server.run(&["keys", "roll", "a.mx.example"]).ends(0);
    server.stop();
    let parent = server.path("keys/mx.example");
    mode(&parent, 0o755);
    server.start();
    let named = |server: &Server| {
        let info = keys_status(server, "a.mx.example");
        let blockers = info["blockers"].to_string();
        blockers.contains("zone mx.example. is silent") && info["must"].to_string().contains("mxseal zone show")
    };
    server.until("the child names its parent", named);
    server.run(&["keys", "status", "a.mx.example"]).ends(1);
    let codes = server.codes();
    assert!(codes.contains(&"MX5517".to_owned()) && codes.contains(&"MX5007".to_owned()), "{codes:?}");
    mode(&parent, 0o700);
    server.run(&["reload"]);
    server.until("all goes on", |server| {
        let info = keys_status(server, "a.mx.example");
        info["state"] == "at rest" && tags(&info, "active").len() == 1 && !server.codes().contains(&"MX5517".to_owned())
    });
}

#[test]
fn a_roll_taken_back_at_once_ends_soon_and_an_emergency_then_replaces_the_active_key() {
    let server = trial();
    let old = tags(&keys_status(&server, "a.mx.example"), "active");
    server.run(&["keys", "roll", "a.mx.example"]).ends(0);
    server.until("the new key signs", |server| {
        let now = tags(&keys_status(server, "a.mx.example"), "active");
        !now.is_empty() && now != old
    });
    server.run(&["keys", "roll", "a.mx.example", "--back"]).ends(0);
    let is_back = |server: &Server| {
        let info = keys_status(server, "a.mx.example");
        info["state"] == "at rest" && tags(&info, "active") == old
    };
    server.until("the old key alone is there again, and nothing waits for an hour", is_back);
    // Once more, and the old key turns out to be stolen while its successor still leaves.
    server.run(&["keys", "roll", "a.mx.example"]).ends(0);
    server.until("the new key signs", |server| {
        let now = tags(&keys_status(server, "a.mx.example"), "active");
        !now.is_empty() && now != old
    });
    let new = tags(&keys_status(&server, "a.mx.example"), "active");
    server.run(&["keys", "roll", "a.mx.example", "--back"]).ends(0);
    let ran = server.run(&["keys", "roll", "a.mx.example", "--emergency"]).ends(0);
    assert!(!ran.out.contains("nothing to do"), "{}", ran.out);
    server.until("the stolen key is gone, and its successor signs", |server| {
        let info = keys_status(server, "a.mx.example");
        info["state"] == "at rest" && tags(&info, "active") == new
    });
}
