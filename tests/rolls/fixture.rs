//! A world for rolls: our zones with waits of seconds, a parent of another make above them, resolvers that validate.

use super::askers::{Askers, BELOW, Verdicts};
use super::parent::{Maker, Parent};
use super::relay::Relay;
use crate::live::wire::{Ask, SOA};
use crate::live::{Running, World, has, mxseal, program};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Seconds where days are usual. Signatures over data have 6 to 8 seconds left when they are given out.
const POLICY: &str = r#"
dnskey_ttl = "2s"
signature_life = "8s"
signature_grid = "2s"
inception_before = "2s"
dnskey_life = "8s"
dnskey_refresh = "5s"
margin = "1s"
zsk_lifetime = "unlimited"
csk_lifetime = "unlimited"
"#;

const CONFIG: &str = r#"
version = 1
[server]
listen = ["{ip}:5300"]
workers = 1
[rate_limit]
answers_per_second = 0
[metrics]
listen = ""
[log]
level = "info"
[zone."plain.mx.example"]
signed = false
"#;

const MX: &str = "$TTL 2\n@ IN SOA ns1 hostmaster 1 4h 1h 2w 2\n@ NS ns1\nns1 A {ip}\n@ TXT \"parent\"\nwww A 192.0.2.80\n\
    www TXT \"www\"\n*.wild A 192.0.2.77\nalias CNAME www\ntoshard CNAME contoso-com.a-v1\nplain NS ns1.plain\n\
    ns1.plain A {ip}\n";

/// The resolvers: one that trusts TTLs, one that extends them, and fetches ahead.
const RESOLVERS: [(u16, &str); 2] = [
    (1, "aggressive-nsec: yes\n  qname-minimisation: no\n"),
    (4, "cache-min-ttl: 5\n  prefetch: yes\n  prefetch-key: yes\n  serve-expired: no\n  cache-max-ttl: 604800\n"),
];

/// All that a roll needs. Threads first: they end before what they ask.
pub struct Lab {
    pub askers: Askers,
    pub parent: Option<Parent>,
    pub resolvers: Vec<Running>,
    pub server: Running,
    pub world: Arc<World>,
    /// How often the server was ended.
    pub cuts: u32,
}

/// A world with its files, the parent running, nothing else.
pub fn prepared(maker: Maker) -> (Arc<World>, Parent) {
    for judge in ["unbound", "delv", "dnssec-signzone", if maker == Maker::Knot { "knotd" } else { "named" }] {
        has(judge);
    }
    let world = Arc::new(World::new());
    let parent = Parent::start(&world, maker);
    write(&world, &parent);
    (world, parent)
}

fn write(world: &World, parent: &Parent) {
    let more = format!("[zone.\"mx.example\"]\nparents = [\"{}\"]\n", parent.at);
    let policies = format!("[policy.registry]{POLICY}parent_poll = \"1s\"\n[policy.shard]{POLICY}");
    world.write("mxseal.toml", &format!("{CONFIG}{more}[rolls]\nanchors = \"anchors\"\n{policies}"));
    world.write("anchors", &parent.anchor);
    world.write("zones/mx.example.zone", MX);
    world.write("zones/plain.mx.example.zone", &MX[..MX.find("@ TXT").unwrap()].replace("ns1 A", "www A {ip}\nns1 A"));
    for shard in ["a-v1", "b-v1"] {
        let text = "$TTL 2\n@ IN SOA ns1.mx.example. hostmaster 1 4h 1h 2w 2\n@ NS ns1.mx.example.\n";
        world.write(&format!("zones/{shard}.mx.example.zone"), text);
    }
    world.write(
        "zones/pools.toml",
        "[eu]\naddresses = [\"192.0.2.25\", \"2001:db8:1::25\"]\n\
         tlsa = [\"3 1 1 109031c05318848ba78ba04165baaad1e1cd00daf51a4164a268c52c2c3a93f1\"]\n",
    );
    for (shard, domain) in [("a-v1", "contoso.com"), ("a-v1", "fabrikam.com"), ("b-v1", "northwind.example")] {
        let text = format!("domain = \"{domain}\"\npool = \"eu\"\n");
        world.write(&format!("zones/{shard}.mx.example/{domain}.toml"), &text);
    }
}

/// Everything running, the DS in the parent, the judges asking.
pub fn start(maker: Maker) -> Lab {
    start_at(maker, |world| world.at(0))
}

/// The same with a relay between the resolvers and our server, which may be down for a while.
pub fn start_behind_a_relay(maker: Maker) -> Lab {
    start_at(maker, |world| Relay::start(world, world.at(0)).at)
}

fn start_at(maker: Maker, ours: impl Fn(&World) -> SocketAddr) -> Lab {
    let (world, mut parent) = prepared(maker);
    let mut server = world.serve("mx.example");
    parent.follow(world.at(1));
    // The parent is first seen without the DS, then with it: so it is known how long caches may have it.
    for ds in [Vec::new(), ds_data(&world.ds("mx.example"))] {
        let count = ds.len();
        parent.set_ds(ds);
        server.poll_until("the DS that the server sees at the parent", || seen_at_parent(&world, count));
    }
    let ours = ours(&world);
    let zones = ["mx.example", "a-v1.mx.example", "b-v1.mx.example", "plain.mx.example"].map(|zone| (zone, ours));
    let resolvers = resolvers(&world, &parent.anchor, &[&[("example", parent.at)][..], &zones].concat());
    let askers = Askers::start(&world, &at(&world), BELOW);
    Lab { askers, parent: Some(parent), resolvers, server, world, cuts: 0 }
}

fn seen_at_parent(world: &World, count: usize) -> Option<()> {
    let output = world.run(mxseal(), &["-o", "json", "keys", "status", "mx.example"]);
    let info: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
    let ds = info["parent_servers"].get(0)?["ds"].as_array()?;
    (ds.len() == count).then_some(())
}

/// The data of the DS records among what `zone ds` prints.
pub fn ds_data(said: &str) -> Vec<String> {
    said.lines().filter_map(|line| line.split_once(" DS ")).map(|(_, data)| data.to_lowercase()).collect()
}

/// Starts every resolver.
pub fn resolvers(world: &World, anchor: &str, zones: &[(&str, SocketAddr)]) -> Vec<Running> {
    world.write("anchors", anchor);
    world.write("bind.keys", &static_anchor(anchor));
    RESOLVERS.iter().map(|(number, how)| unbound(world, *number, how, zones)).collect()
}

/// Where they answer.
pub fn at(world: &World) -> [SocketAddr; 2] {
    RESOLVERS.map(|(number, _)| world.at(number))
}

/// A server with one zone, and room for another, whose parent is silent.
pub fn write_alone(world: &World, guest: &str, zone: &str) {
    let more: String =
        [guest, zone].map(|zone| format!("[zone.\"{zone}\"]\nparents = [\"{}\"]\n", world.at(9))).concat();
    world.write("mxseal.toml", &format!("{CONFIG}{more}[policy.registry]{POLICY}parent_poll = \"1s\"\n"));
    world.write(&format!("zones/{zone}.zone"), MX.split("plain NS").next().unwrap());
}

/// The anchor as BIND's programs read it.
fn static_anchor(anchor: &str) -> String {
    let words: Vec<&str> = anchor.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "DS").unwrap();
    let (numbers, digest) = (words[at + 1..at + 4].join(" "), words[at + 4..].concat());
    format!("trust-anchors {{\n  \"{}\" static-ds {numbers} \"{digest}\";\n}};\n", words[0])
}

fn unbound(world: &World, number: u16, how: &str, zones: &[(&str, SocketAddr)]) -> Running {
    let port = crate::live::PORT + number;
    // All zones as stubs: delegations lead to port 53.
    let stub = |(zone, at): &(&str, SocketAddr)| {
        format!("stub-zone:\n  name: {zone}\n  stub-addr: {}@{}\n", at.ip(), at.port())
    };
    let stubs: String = zones.iter().map(stub).collect();
    let text = format!(
        "server:\n  interface: {{ip}}\n  port: {port}\n  outgoing-interface: 127.0.0.1\n  do-daemonize: no\n  chroot: \"\"\n  \
         username: \"\"\n  directory: \"{}\"\n  pidfile: \"\"\n  use-syslog: no\n  val-log-level: 2\n  \
         access-control: 127.0.0.0/8 allow\n  do-not-query-localhost: no\n  do-ip6: no\n  num-threads: 1\n  \
         msg-cache-size: 4m\n  rrset-cache-size: 4m\n  trust-anchor-file: \"anchors\"\n  root-hints: \"\"\n  \
         val-sig-skew-min: 0\n  val-sig-skew-max: 0\n  module-config: \"validator iterator\"\n  ede: yes\n  \
         harden-algo-downgrade: yes\n  trust-anchor-signaling: no\n  root-key-sentinel: no\n  udp-connect: no\n  \
         infra-cache-max-rtt: 8000\n  infra-cache-min-rtt: 50\n  infra-keep-probing: yes\n  {how}\
         remote-control:\n  control-enable: no\n{}",
        world.path("").display(),
        stubs
    );
    let (name, file) = (format!("unbound{number}"), format!("unbound{number}.conf"));
    world.write(&file, &text);
    let mut running = world.start(&name, &program("unbound"), &["-d", "-c", &file]);
    running.poll_until("unbound", || {
        let reply = Ask::recursive(zones.last().unwrap().0, SOA).once(world.at(number), Duration::from_millis(300));
        reply.filter(|reply| reply.rcode == 0)
    });
    running
}

impl Lab {
    /// Ends the asking; fails at anything that a resolver found bogus.
    pub fn good(self, what: &str) -> Verdicts {
        let verdicts = self.askers.end();
        println!("{what}: {verdicts}");
        let mut faults = verdicts.faults.clone();
        for resolver in &self.resolvers {
            let log = resolver.log();
            // Unbound calls a DNSKEY set missing that it could not fetch, too; the verdicts tell the two apart.
            let is_fault = |line: &&str| {
                line.contains("validation failure") && !(self.cuts > 0 && line.contains(": No DNSKEY record for key"))
            };
            faults.extend(log.lines().filter(is_fault).take(5).map(str::to_owned));
        }
        assert!(faults.is_empty(), "{what}: {}\n{}", faults.join("\n"), self.server.log());
        verdicts
    }
}
