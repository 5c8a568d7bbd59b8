//! Certificate files under a running server: links exchanged, files broken in every way, certificates that end.

use crate::server::*;
use mxseal::cert::KeyKind;
use mxseal::cert::make::PrivateKey;
use mxseal::time::UnixTime;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

const NAMES: &str = "*.a.mx.example";

fn now() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).expect("a moment").as_secs())
}

fn chain(key: &PrivateKey, name: &str, from: UnixTime) -> String {
    key.self_signed(&[name.to_owned()], from, 90).expect("a certificate")
}

/// A server whose pool names a certificate by a link, as certbot lays it out.
fn started(key: &PrivateKey) -> Server {
    let mut server = Server::prepared();
    server.configure(&format!("[pool.\"eu\"]\nnext = false\nnames = [\"{NAMES}\"]\n"));
    server.write("certs/archive/1.pem", chain(key, NAMES, now()));
    link("archive/1.pem", &server.path("certs/live.pem"));
    server.write("zones/pools.toml", "[eu]\naddresses = [\"192.0.2.25\"]\ncertificates = [\"../certs/live.pem\"]\n");
    server.start();
    server.eventually("x-example", EU);
    server
}

/// Exchanges the link, as certbot does at a renewal.
fn exchange(server: &Server, target: &str) {
    link(target, &server.path("certs/next"));
    fs::rename(server.path("certs/next"), server.path("certs/live.pem")).expect("renamed");
}

fn tlsa(server: &Server) -> String {
    server.ask("_25._tcp.x-example.a.mx.example", "TLSA").to_lowercase()
}

/// All that `status` finds.
fn findings(server: &Server) -> String {
    server.json(&["status"]).into_iter().next().map(|status| status["findings"].to_string()).unwrap_or_default()
}

#[test]
fn a_broken_certificate_file_changes_no_tlsa_and_is_named() {
    let (key, other) = [(); 2].map(|()| PrivateKey::generate(KeyKind::EcdsaP256).expect("a key")).into();
    let server = started(&key);
    let before = tlsa(&server);
    assert!(before.contains(&key.spki().to_string()), "{before}");
    let good = chain(&key, NAMES, now());
    let cut = &good[..good.len() / 2];
    let foreign = chain(&other, NAMES, now());
    let broken = [
        ("empty.pem", String::new()),
        ("cut.pem", cut.to_owned()),
        ("garbage.pem", "no PEM at all".to_owned()),
        ("key.pem", other.pem().to_owned()),
        ("mixed.pem", format!("{}{foreign}", key.pem())),
    ];
    for (name, text) in broken {
        server.write(&format!("certs/archive/{name}"), text);
        exchange(&server, &format!("archive/{name}"));
        server.until(&format!("{name} is named"), |server| findings(server).contains("MX3201"));
        assert_eq!(tlsa(&server), before, "{name}");
        assert!(!findings(&server).contains("PRIVATE"), "{name}");
        exchange(&server, "archive/1.pem");
        server.until("it is well again", |server| !findings(server).contains("MX3201"));
    }
    exchange(&server, "archive/nowhere.pem");
    server.until("a link to nothing is named", |server| findings(server).contains("MX3201"));
    assert_eq!(tlsa(&server), before);
    // In the middle of a write in place, too.
    exchange(&server, "archive/1.pem");
    server.write("certs/archive/1.pem", "");
    server.until("an empty file is named", |server| findings(server).contains("MX3201"));
    assert_eq!(tlsa(&server), before);
}

#[test]
fn s49_an_expired_certificate_and_one_for_other_names_are_told_and_change_no_tlsa() {
    let key = PrivateKey::generate(KeyKind::EcdsaP256).expect("a key");
    let server = started(&key);
    let before = tlsa(&server);
    assert!(!findings(&server).contains("MX5605"), "{}", findings(&server));
    let day = 86_400;
    let odd = [
        ("2.pem", NAMES, now().before(130 * day), "has expired"),
        ("3.pem", "elsewhere.example", now(), "does not cover the name *.a.mx.example"),
        ("4.pem", NAMES, now().before(70 * day), "less than a third of its life left"),
        ("5.pem", NAMES, now().after(day), "is not valid yet"),
    ];
    for (file, name, from, said) in odd {
        server.write(&format!("certs/archive/{file}"), chain(&key, name, from));
        exchange(&server, &format!("archive/{file}"));
        server.until(said, |server| findings(server).contains(said));
        assert_eq!(tlsa(&server), before, "{said}");
    }
}

#[test]
fn an_exchanged_link_with_another_key_adds_its_tlsa_and_takes_none_away() {
    let (key, other) = [(); 2].map(|()| PrivateKey::generate(KeyKind::Ed25519).expect("a key")).into();
    let server = started(&key);
    server.write("certs/archive/2.pem", chain(&other, NAMES, now()));
    exchange(&server, "archive/2.pem");
    let both = [&key, &other].map(|key| key.spki().to_string());
    server.until("both TLSA", |server| both.iter().all(|spki| tlsa(server).contains(spki)));
    server.until("the alarm", |server| findings(server).contains("which not all caches know"));
}
