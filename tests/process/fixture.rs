//! A small world: one zone with one pool, and tenants as they are needed.

use crate::live::wire::{A, Ask, SOA};
use crate::live::{Running, World};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const CONFIG: &str = r#"
version = 1
[server]
listen = ["{ip}:5300"]
workers = 1
[metrics]
listen = "{ip}:5301"
[probe]
enabled = false
[zone."mail.test"]
parents = ["127.0.0.1:9"]
"#;
const ZONE: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n";

pub fn world() -> World {
    let world = World::new();
    world.write("mxseal.toml", CONFIG);
    world.write("zones/mail.test.zone", ZONE);
    world.write("zones/pools.toml", "[p]\naddresses = [\"192.0.2.25\"]\n");
    world
}

fn add_tenant(world: &World, label: &str) {
    world.write(&format!("zones/mail.test/{label}.toml"), &format!("domain = \"{label}.example\"\npool = \"p\"\n"));
}

fn answers(world: &World, name: &str, rtype: u16) -> Option<()> {
    let reply = Ask::of(name, rtype).once(world.at(0), Duration::from_millis(300))?;
    (reply.rcode == 0 && reply.has(rtype)).then_some(())
}

/// Waits until the zone is answered.
pub fn until_served(world: &World, server: &mut Running) {
    server.poll_until("an answer", || answers(world, "mail.test.", SOA));
}

/// Adds a tenant and waits until it is answered: files are read, a snapshot is made, and the world gets it.
pub fn until_new_tenant_is_served(world: &World, server: &mut Running, label: &str) {
    add_tenant(world, label);
    server.poll_until("the new tenant's answer", || answers(world, &format!("{label}-example.mail.test."), A));
}

/// What monitoring gets at a path.
pub fn fetched(world: &World, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(world.at(1)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

/// One number of the metrics.
pub fn number(world: &World, series: &str) -> Option<u64> {
    fetched(world, "/metrics")?.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}
