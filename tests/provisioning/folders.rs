//! The cases that a watcher must survive (operators.md § 7), part two: links and folders, and more events than fit.

use crate::server::*;
use std::fs;

/// A link that is exchanged by a rename, as Kubernetes does it.
fn relink(server: &Server, target: &str, path: &str) {
    let beside = server.path("stage");
    fs::create_dir_all(&beside).expect("a folder");
    link(target, &beside.join("link"));
    fs::rename(beside.join("link"), server.path(path)).expect("renamed");
}

#[test]
fn case_08_the_exchange_of_a_config_map_is_answered() {
    let server = Server::started();
    for (version, pool) in [("..1", "eu"), ("..2", "us")] {
        server.write(&at(&format!("map/{version}/k.toml")), toml("k.example", pool));
    }
    link("..1", &server.path(&at("map/..data")));
    link("..data/k.toml", &server.path(&at("map/k.toml")));
    server.eventually("k-example", EU);
    let steady = server.steadily("k-example");
    relink(&server, "..2", &at("map/..data"));
    fs::remove_dir_all(server.path(&at("map/..1"))).expect("removed");
    server.eventually("k-example", US);
    assert_eq!(steady.answers(), [EU, US]);
}

#[test]
fn case_09_a_chain_of_links_is_followed_when_its_end_changes() {
    let server = Server::started();
    server.write(&at("store/one"), toml("l.example", "eu"));
    link("one", &server.path(&at("store/current")));
    link("store/current", &server.path(&at("l.toml")));
    server.eventually("l-example", EU);
    server.place(&at("store/two"), toml("l.example", "us"));
    relink(&server, "two", &at("store/current"));
    server.eventually("l-example", US);
    server.place(&at("store/two"), toml("l.example", "eu"));
    server.eventually("l-example", EU);
}

#[test]
fn case_10_a_dangling_link_deletes_nothing_and_raises_an_alarm() {
    let server = Server::started();
    server.write(&at("store/one"), toml("l.example", "eu"));
    link("store/one", &server.path(&at("l.toml")));
    server.eventually("l-example", EU);
    let steady = server.steadily("l-example");
    server.remove(&at("store/one"));
    server.shows_last_good("l.example", "link");
    assert!(server.codes().contains(&"MX6004".to_owned()), "{:?}", server.codes());
    assert_eq!(steady.answers(), [EU]);
    server.place(&at("store/one"), toml("l.example", "us"));
    server.eventually("l-example", US);
    server.until("all is well", |server| server.codes().is_empty());
}

#[test]
fn case_13_a_folder_that_goes_keeps_its_tenants_and_one_that_comes_back_is_read() {
    let server = Server::started();
    let folder = server.path("zones/a.mx.example");
    let steady = server.steadily("x-example");
    fs::rename(&folder, server.path("away")).expect("renamed");
    server.until("an alarm", |server| server.codes().contains(&"MX6013".to_owned()));
    server.run(&["status"]).ends(1);
    assert_eq!(server.address("x-example"), EU);
    fs::rename(server.path("away"), &folder).expect("renamed");
    server.until("all is well", |server| server.codes().is_empty());
    assert_eq!(steady.answers(), [EU]);
    server.place(&at("x.toml"), toml("x.example", "us"));
    server.eventually("x-example", US);
    // The same with everything: the watched folder itself.
    let zones = server.path("zones");
    fs::rename(&zones, server.path("away")).expect("renamed");
    server.until("an alarm", |server| server.codes().contains(&"MX6010".to_owned()));
    assert_eq!(
        (server.address("x-example").as_str(), server.ask("ns.mx.example", "A").as_str()),
        (US, "NOERROR A 192.0.2.53")
    );
    server.write("zones/pools.toml", pools());
    server.write("zones/mx.example.zone", PARENT);
    server.write("zones/a.mx.example.zone", MASTER);
    server.write(&at("x.toml"), toml("x.example", "eu"));
    server.eventually("x-example", EU);
    server.place(&at("x.toml"), toml("x.example", "us"));
    server.eventually("x-example", US);
}

#[test]
fn case_13_everything_gone_at_once_is_a_fault_and_no_deletion() {
    let server = Server::started();
    for path in ["zones/mx.example.zone", "zones/a.mx.example.zone", "zones/pools.toml", &at("x.toml")] {
        server.remove(path);
    }
    fs::remove_dir(server.path("zones/a.mx.example")).expect("removed");
    server.until("an alarm", |server| server.codes().contains(&"MX6011".to_owned()));
    assert_eq!(server.address("x-example"), EU);
    assert_eq!(server.ask("ns.mx.example", "A"), "NOERROR A 192.0.2.53");
}

#[test]
fn case_14_a_server_without_its_folder_does_not_start_and_says_so_in_a_line() {
    let mut server = Server::prepared();
    fs::rename(server.path("zones"), server.path("away")).expect("renamed");
    let ran = server.refuses(&[]).ends(1);
    ran.says("the folder of zones");
    ran.says("cannot be read");
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    fs::rename(server.path("away"), server.path("zones")).expect("renamed");
    server.start();
    assert_eq!(server.address("x-example"), EU);
}

#[test]
fn case_16_more_events_than_the_kernel_keeps_lose_nothing() {
    let server = Server::started();
    server.place(&at("bulk.ndjson"), line("b.example", "eu"));
    server.eventually("b-example", EU);
    server.write(&at("storm/s.toml"), toml("s.example", "us"));
    server.eventually("s-example", US);
    server.signal("STOP");
    // The kernel's queue has room for 16,384 events, of which each write of a file makes three.
    for i in 0..8_000 {
        server.write(&at(&format!("storm/f{}.tmp", i % 10)), "x");
        server.write(&at(&format!("storm/g{}.tmp", i % 10)), "x");
    }
    server.place(&at("bulk.ndjson"), line("b.example", "us"));
    server.write(&at("new/deep/n.toml"), toml("n.example", "us"));
    server.signal("CONT");
    server.eventually("b-example", US);
    server.eventually("n-example", US);
    assert!(server.metric("mxseal_watch_overflows_total") >= 1.0);
}

#[test]
fn case_18_folders_that_are_filled_before_anybody_watches_them_are_read() {
    let server = Server::started();
    for i in 0..10 {
        server.write(&at(&format!("n{i}/deep/deeper/t.toml")), toml(&format!("n{i}.example"), "us"));
    }
    server.write("stage/moved/deep/t.toml", toml("moved.example", "us"));
    fs::rename(server.path("stage/moved"), server.path(&at("moved"))).expect("renamed");
    for i in 0..10 {
        server.eventually(&format!("n{i}-example"), US);
    }
    server.eventually("moved-example", US);
    server.place(&at("moved/deep/t.toml"), toml("moved.example", "eu"));
    server.eventually("moved-example", EU);
}

#[test]
fn master_files_and_pools_keep_their_last_good_content_too() {
    let mut server = Server::started();
    server.place("zones/a.mx.example.zone", "@ SOA nonsense\n");
    server.place("zones/pools.toml", "[eu\n");
    server.until("both are reported", |server| {
        server.codes().iter().any(|code| code.starts_with("MX3"))
            && server.codes().iter().any(|code| code.starts_with("MX2"))
    });
    server.place(&at("y.toml"), toml("y.example", "us"));
    server.eventually("y-example", US);
    assert_eq!(server.address("www"), "NOERROR A 192.0.2.80");
    let zone = server.json(&["zone", "show", "a.mx.example"]).remove(0);
    assert_eq!(zone["state"], "last good");
    assert_eq!(server.json(&["pool", "show", "eu"]).remove(0)["state"], "last good");
    server.kill();
    server.start();
    assert_eq!(
        [server.address("www"), server.address("x-example"), server.address("y-example")],
        ["NOERROR A 192.0.2.80", EU, US]
    );
    assert_eq!(server.ask("a.mx.example", "DNSKEY").get(..7), Some("NOERROR"));
    server.place("zones/a.mx.example.zone", MASTER.replace(".80", ".81"));
    server.place("zones/pools.toml", pools().replace("192.0.2.25", "192.0.2.99"));
    server.eventually("www", "NOERROR A 192.0.2.81");
    server.eventually("x-example", "NOERROR A 192.0.2.99");
    server.until("all is well", |server| server.codes().is_empty());
}
