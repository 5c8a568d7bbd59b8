//! Keys that nobody announced, at a running server: on hosts of a pool, at a tenant's own address, in a journal of before.

use crate::mail_host::{MailHost, certificate, key};
use crate::server::*;
use mxseal::cert::make::PrivateKey;

/// What a server of before wrote that published what it saw.
const BEFORE: &[u8] = include_bytes!("../tlsa_rolls/journals/published-what-it-saw");
/// Keys that it had published by itself: one of a host of the pool, one of a host at a tenant's own address.
const SEEN: &str = "f1ea03baf2c96b389a59cc9f3ec9a0edcc258df1f64ac0a665b11d0d6cec6023";
const SEEN_APART: &str = "4e0896f7fd2a8bba5cfb4650a299444298f88d7c35469cdfa97ed085e0754c60";

/// A free port at some addresses of the loopback network.
pub fn port_at(addresses: &[&str]) -> u16 {
    let bind = |address: &str, port: u16| std::net::TcpListener::bind((address, port));
    loop {
        let port = bind("127.0.0.1", 0).and_then(|found| found.local_addr()).expect("a port").port();
        if addresses.iter().all(|address| bind(address, port).is_ok()) {
            return port;
        }
    }
}

fn tlsa(server: &Server) -> String {
    server.ask("_25._tcp.x-example.a.mx.example", "TLSA").to_lowercase()
}

pub fn findings(server: &Server) -> String {
    server.json(&["status"]).into_iter().next().map(|status| status["findings"].to_string()).unwrap_or_default()
}

/// Where findings of a code are, as files.
pub fn places(server: &Server, code: &str) -> Vec<String> {
    let status = server.json(&["status"]).into_iter().next().unwrap_or_default();
    let found = status["findings"].as_array().cloned().unwrap_or_default();
    let places = found.iter().filter(|finding| finding["code"] == code).filter_map(|finding| finding["place"].as_str());
    places.map(|place| place.trim_end_matches(|c: char| c == ':' || c.is_ascii_digit()).to_owned()).collect()
}

/// A pool whose two hosts show the key that its file names.
fn pool_of_two(addresses: [&str; 2], own: &PrivateKey, port: u16, more: &str) -> Server {
    let mut server = Server::prepared();
    let probe = format!(
        "[probe]\nport = {port}\nevery = \"1s\"\ntimeout = \"5s\"\nroots = \"\"\nnetworks = [\"127.0.0.0/8\"]\n{more}"
    );
    server.configure(&format!("{probe}[pool.\"eu\"]\nnext = false\nwebpki = false\n"));
    server.write("certs/chain.pem", certificate(own));
    let pool = format!("[eu]\naddresses = {addresses:?}\ncertificates = [\"../certs/chain.pem\"]\n");
    server.write("zones/pools.toml", pool);
    server.start();
    let seen = |server: &Server| {
        let status = server.json(&["cert", "status", "eu"]);
        let hosts = status.first().and_then(|info| info["hosts"].as_array().cloned()).unwrap_or_default();
        hosts.len() == 2 && hosts.iter().all(|host| host["matches"] == true)
    };
    server.until("all hosts looked at", seen);
    server
}

#[test]
fn only_a_person_makes_a_key_that_hosts_show_one_of_the_pool() {
    let addresses = ["127.0.4.1", "127.0.4.2"];
    let ((own, own_spki), (other, other_spki), (stranger, strange_spki)) = (key(), key(), key());
    let port = port_at(&[addresses[0], addresses[1], "127.0.4.66"]);
    let hosts = addresses.map(|address| MailHost::at(address, port, &own));
    let _strangers = MailHost::at("127.0.4.66", port, &stranger);
    let server = pool_of_two(addresses, &own, port, "drain = \"3s\"\n");
    let before = tlsa(&server);
    assert!(before.contains(&own_spki), "{before}");
    // One tenant's file names a stranger's host: that tenant is told, and the pool is as it was.
    let mallory = "domain = \"mallory.example\"\npool = \"eu\"\naddresses = [\"127.0.4.66\"]\n";
    server.place(&at("mallory.toml"), mallory);
    server.until("a finding at the tenant", |server| {
        let found = findings(server);
        found.contains("MX5610") && found.contains("mallory.toml") && found.contains(&strange_spki)
    });
    assert_eq!(places(&server, "MX5610"), [server.path(&at("mallory.toml")).display().to_string()]);
    assert_eq!(tlsa(&server), before);
    let status = server.run(&["cert", "status", "eu"]).ends(0).out;
    assert!(!status.contains("frozen"), "{status}");
    server.run(&["cert", "adopt", "eu", "--key", &strange_spki]).ends(4).says("no host of the pool shows");
    // Somebody answers at the address of a host.
    hosts[1].show(&other);
    server.until("the alarm", |server| findings(server).contains(&format!("cert adopt eu --key {other_spki}")));
    assert_eq!(tlsa(&server), before, "a look adds no key");
    server.until("its address goes", |server| server.address("x-example") == "NOERROR A 127.0.4.1");
    assert_eq!(tlsa(&server), before);
    // What cannot be adopted.
    server.run(&["cert", "adopt", "eu", "--key", &other_spki[..8]]).ends(2).says(&other_spki);
    server.run(&["cert", "adopt", "eu", "--key", "no digest"]).ends(2);
    server.run(&["cert", "adopt", "us", "--key", &other_spki]).ends(1).says("there is no pool");
    server.run(&["cert", "adopt", "eu", "--key", &"ab".repeat(32)]).ends(4).says("no host of the pool shows");
    server.run(&["cert", "adopt", "eu", "--key", &own_spki]).ends(4).says("names");
    server.run(&["cert", "adopt", "eu", "--key", &other_spki, "--dry-run"]).ends(0);
    assert_eq!(tlsa(&server), before);
    let said = server.run(&["cert", "adopt", "eu", "--key", &other_spki, "--reason", "mine"]).ends(0).out;
    assert!(said.contains("`cert adopt`"), "the key's row says where it is known from: {said}");
    assert!(tlsa(&server).contains(&other_spki), "{}", tlsa(&server));
    server.run(&["cert", "adopt", "eu", "--key", &other_spki]).ends(4).says("already");
    // Given up, it goes at once in an emergency, and does not come back by a word.
    server.run(&["cert", "drop", "eu", "--key", &other_spki, "--emergency", "--reason", "stolen"]).ends(0);
    assert_eq!(tlsa(&server), before);
    server.run(&["cert", "adopt", "eu", "--key", &other_spki]).ends(4).says("was given up (stolen)");
    server.run(&["cert", "drop", "eu", "--key", &other_spki, "--back"]).ends(0);
    assert_eq!(tlsa(&server), before, "nobody says that it is the pool's");
}

#[test]
fn where_the_past_is_in_doubt_no_key_is_adopted_until_a_person_has_looked() {
    let addresses = ["127.0.4.11", "127.0.4.12"];
    let ((own, _), (other, other_spki)) = (key(), key());
    let port = port_at(&addresses);
    let hosts = addresses.map(|address| MailHost::at(address, port, &own));
    let mut server = pool_of_two(addresses, &own, port, "drain = \"0s\"\n");
    let before = tlsa(&server);
    server.stop();
    // One of the two files of its journal is damaged: the other one counts, and what it lacks is not known.
    let journal = server.path("keys/pools/eu/journal");
    let mut octets = std::fs::read(&journal).expect("a journal");
    octets[40] ^= 1;
    std::fs::write(&journal, octets).expect("written");
    hosts[1].show(&other);
    server.start();
    server.until("the alarm", |server| findings(server).contains(&format!("cert adopt eu --key {other_spki}")));
    let adopt = ["cert", "adopt", "eu", "--key", &other_spki];
    server.run(&adopt).ends(4).says("the past is not certain");
    assert_eq!(tlsa(&server), before);
    // A host that shows a strange key freezes the pool, too; what only adds is allowed there.
    server.run(&["cert", "resume", "eu", "--reason", "the copy is whole"]).ends(0);
    server.run(&adopt).ends(0);
    server.until("its TLSA", |server| tlsa(server).contains(&other_spki));
}

#[test]
fn what_a_version_of_before_published_goes_on_and_is_told_until_somebody_says_what_it_is() {
    let mut server = Server::prepared();
    let port = port_at(&["127.0.3.1", "127.0.3.2", "127.0.3.9"]);
    let probe = format!(
        "[probe]\nport = {port}\nevery = \"1s\"\ntimeout = \"5s\"\nroots = \"\"\nnetworks = [\"127.0.0.0/8\"]\n"
    );
    server.configure(&format!("{probe}[pool.\"eu\"]\nnext = false\nwebpki = false\n"));
    let (own, own_spki) = key();
    server.write("certs/chain.pem", certificate(&own));
    let pool = "[eu]\naddresses = [\"127.0.3.1\", \"127.0.3.2\"]\ncertificates = [\"../certs/chain.pem\"]\n";
    server.write("zones/pools.toml", pool);
    server.write(&at("m.toml"), "domain = \"m.example\"\npool = \"eu\"\naddresses = [\"127.0.3.9\"]\n");
    for file in ["journal", "copy/journal"] {
        server.write(&format!("keys/pools/eu/{file}"), BEFORE);
    }
    for folder in ["keys", "keys/pools", "keys/pools/eu", "keys/pools/eu/copy"] {
        private(&server, folder);
    }
    server.start();
    server.eventually("x-example", "NOERROR A 127.0.3.1, A 127.0.3.2");
    for spki in [SEEN, SEEN_APART, &own_spki] {
        assert!(tlsa(&server).contains(spki), "{spki} is not in {}\n{}", tlsa(&server), server.log());
    }
    server.until("both are told", |server| {
        let found = findings(server);
        found.contains("MX5609") && [SEEN, SEEN_APART].iter().all(|spki| found.contains(spki))
    });
    let status = server.run(&["cert", "status", "eu"]).out;
    assert!(status.contains("host, not confirmed"), "{status}");
    let json = server.json(&["cert", "status", "eu"]);
    let keys = json[0]["keys"].as_array().cloned().unwrap_or_default();
    assert_eq!(keys.iter().filter(|key| key["unconfirmed"] == true).count(), 2, "{keys:?}");
    // Nobody answers there, so nobody can say that it is shown; that it is none of ours can be said at any time.
    server.run(&["cert", "adopt", "eu", "--key", SEEN]).ends(4).says("no host of the pool shows");
    server.run(&["cert", "drop", "eu", "--key", SEEN_APART, "--reason", "not ours"]).ends(0);
    assert!(!tlsa(&server).contains(SEEN_APART) && tlsa(&server).contains(SEEN), "{}", tlsa(&server));
    server.stop();
    server.start();
    server.eventually("x-example", "NOERROR A 127.0.3.1, A 127.0.3.2");
    assert!(!tlsa(&server).contains(SEEN_APART) && tlsa(&server).contains(SEEN));
}

#[test]
fn an_address_of_a_pool_that_nobody_looks_at_waits_for_the_key_that_files_say_of_it() {
    let mut server = Server::prepared();
    server.configure("[pool.\"eu\"]\nprobe = false\nnext = false\n[pool.\"us\"]\nprobe = false\nnext = false\n");
    let pool = |address: &str, key: &str| {
        let us = format!("[us]\naddresses = [\"192.0.2.26\"]\ntlsa = [\"3 1 1 {}\"]\n", "cc".repeat(32));
        format!("[eu]\naddresses = [\"{address}\"]\ntlsa = [\"3 1 1 {}\"]\n{us}", key.repeat(32))
    };
    server.place("zones/pools.toml", pool("192.0.2.25", "aa"));
    server.start();
    server.eventually("x-example", EU);
    let both = |server: &Server| ["aa", "bb"].iter().all(|key| tlsa(server).contains(&key.repeat(32)));
    // Address and key in one edit.
    server.place("zones/pools.toml", pool("192.0.2.40", "bb"));
    server.until("both TLSA", both);
    server.after("one");
    assert_eq!(server.address("x-example"), EU, "caches hold TLSA without its key");
    server.run(&["reload"]).ends(0);
    assert_eq!(server.address("x-example"), EU);
    server.stop();
    server.start();
    server.eventually("x-example", EU);
    assert!(both(&server), "{}", tlsa(&server));
    // Without its pool, and with it again on another host.
    let without = pool("192.0.2.40", "bb").split("[us]").nth(1).map(|us| format!("[us]{us}")).expect("two pools");
    server.place("zones/pools.toml", without);
    server.after("two");
    server.place("zones/pools.toml", pool("192.0.2.41", "dd"));
    server.until("the third TLSA", |server| tlsa(server).contains(&"dd".repeat(32)));
    server.after("three");
    assert_eq!(server.address("x-example"), EU);
    assert!(tlsa(&server).contains(&"aa".repeat(32)), "{}", tlsa(&server));
}

fn private(server: &Server, folder: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(server.path(folder), std::fs::Permissions::from_mode(0o700)).expect("private");
    for file in std::fs::read_dir(server.path(folder)).expect("a folder").flatten().filter(|file| file.path().is_file())
    {
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).expect("private");
    }
}
