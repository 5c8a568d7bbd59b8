//! Where looks go: nowhere near the server, unless the configuration lists the network; and what is not looked at is told.

use crate::mail_host::{MailHost, certificate, key};
use crate::server::*;
use crate::strangers::{findings, places, port_at};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const LISTED: &str = "127.0.4.31";
const OTHER: &str = "127.0.4.32";
const TENANTS: &str = "127.0.4.33";

/// Counts who connects.
fn counted(address: &str, port: u16) -> Arc<AtomicU64> {
    let (listener, count) = (TcpListener::bind((address, port)).expect("a port"), Arc::new(AtomicU64::new(0)));
    let counter = Arc::clone(&count);
    std::thread::spawn(move || {
        listener.incoming().for_each(|_| {
            counter.fetch_add(1, Ordering::SeqCst);
        });
    });
    count
}

/// A pool of two hosts and a tenant with one of its own, of which the configuration lists one.
fn server(port: u16, networks: &str) -> Server {
    let server = Server::prepared();
    configure(&server, port, networks);
    let pool = format!("[eu]\naddresses = [\"{LISTED}\", \"{OTHER}\"]\ncertificates = [\"../certs/chain.pem\"]\n");
    server.write("zones/pools.toml", pool);
    server.write(&at("own.toml"), format!("domain = \"own.example\"\npool = \"eu\"\naddresses = [\"{TENANTS}\"]\n"));
    server
}

fn configure(server: &Server, port: u16, networks: &str) {
    let probe = format!("[probe]\nport = {port}\nevery = \"1s\"\ntimeout = \"5s\"\nroots = \"\"\n{networks}\n");
    server.configure(&format!("{probe}[pool.\"eu\"]\nnext = false\nwebpki = false\n"));
}

/// A host of the pool as it is told.
fn host(server: &Server, address: &str) -> serde_json::Value {
    let status = server.json(&["cert", "status", "eu"]);
    let hosts = status.first().and_then(|info| info["hosts"].as_array().cloned()).unwrap_or_default();
    hosts.into_iter().find(|host| host["address"] == address).unwrap_or_default()
}

#[test]
fn looks_go_to_listed_networks_alone_and_what_is_not_looked_at_is_told_and_not_known() {
    let port = port_at(&[LISTED, OTHER, TENANTS]);
    let (own, _) = key();
    let _listed = MailHost::at(LISTED, port, &own);
    let counts = [OTHER, TENANTS].map(|address| counted(address, port));
    let mut server = server(port, &format!("networks = [\"{LISTED}\"]"));
    server.write("certs/chain.pem", certificate(&own));
    let said = server.run(&["check"]).ends(0).out;
    assert!(
        said.contains("MX3207") && said.contains("MX4219") && said.contains("own.toml") && said.contains("loopback"),
        "{said}"
    );
    server.start();
    server.until("a look at the listed one", |server| host(server, LISTED)["matches"] == true);
    let first = host(&server, LISTED)["looked_at"].as_u64();
    server.until("three more rounds", |server| host(server, LISTED)["looked_at"].as_u64() >= first.map(|at| at + 3));
    for address in [OTHER, TENANTS] {
        let host = host(&server, address);
        assert_eq!(host["fault_word"], "not-looked-at", "{host}");
        assert!(host["looked_at"].is_null() && host["matches"] == false, "{host}");
    }
    assert_eq!(counts.each_ref().map(|count| count.load(Ordering::SeqCst)), [0, 0], "nobody is connected to");
    let found = findings(&server);
    assert!(found.contains("MX3207") && found.contains(OTHER) && found.contains("MX4219"), "{found}");
    assert_eq!(places(&server, "MX4219"), [server.path(&at("own.toml")).display().to_string()]);
    let shown = server.run(&["pool", "show", "eu"]).out;
    assert!(shown.contains("it is not looked at"), "{shown}");
    // Listed, they are looked at.
    configure(&server, port, "networks = [\"127.0.0.0/8\"]");
    server.run(&["reload"]).ends(0);
    server.until("looks at all", |_| counts.iter().all(|count| count.load(Ordering::SeqCst) > 0));
    server.until("nothing to tell", |server| {
        !findings(server).contains("MX3207") && !findings(server).contains("MX4219")
    });
}
