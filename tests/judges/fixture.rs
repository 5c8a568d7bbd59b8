//! A world with every kind of name: aliases, wildcards, cuts, redirects, shards, tenants, and a server of others below it.

use crate::live::{Running, World, program};

pub const CONFIG: &str = r#"
version = 1
[server]
listen = ["{ip}:5300"]
nsid = "judge-nsid"
[encrypted]
dot = ["{ip}:5853"]
doq = ["{ip}:5853"]
[metrics]
listen = ""
[log]
level = "warn"
[zone."mail.protection.example"]
signed = false
[zone."mx.example"]
parents = ["{ip}:5999"]
[zone."star.example"]
parents = ["{ip}:5999"]
"#;

const SOA: &str = "$TTL 1h\n@ IN SOA ns1.mx.example. hostmaster.mx.example. 2026010101 4h 1h 2w 5m\n";

/// `secure` is delegated with the DS that its own server says.
pub const PARENT: &str = r#"
@            NS     ns1
@            NS     ns2
ns1          A      {ip}
ns2          A      {ip}
@            TXT    "parent"
@            MX     10 www
@            CAA    0 issue "ca.example"
www          A      192.0.2.80
             AAAA   2001:db8::80
             TXT    "www"
*.wild       A      192.0.2.77
             TXT    "expanded"
host.wild    A      192.0.2.78
mid.*.star   A      192.0.2.79
deep.er.ent  A      192.0.2.81
alias        CNAME  www
alias2       CNAME  alias
toshard      CNAME  contoso-com.a-v1
tob          CNAME  _25._tcp.northwind-example.b-v1
tonothing    CNAME  nothing.a-v1
toabsent     CNAME  absent
tolegacy     CNAME  old.mail.protection.example.
toplain      CNAME  www.plain
tosecure     CNAME  www.secure
outside      CNAME  www.elsewhere.example.
ring1        CNAME  ring2
ring2        CNAME  ring1
self         CNAME  self
*.cnwild     CNAME  www
red          DNAME  a-v1
red          TXT    "beside a DNAME"
gone         DNAME  absent
legacy       DNAME  mail.protection.example.
across       DNAME  b-v1
odd          TYPE65401 \# 3 010203
odd          TYPE1234  \# 1 ff
srv          SRV    0 0 25 www
many         A      192.0.2.1
many         A      192.0.2.2
big          TXT    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
big          TXT    "1123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
big          TXT    "2123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
big          TXT    "3123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
big          TXT    "4123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
big          TXT    "5123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
big          TXT    "6123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
big          TXT    "7123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
big          TXT    "8123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
big          TXT    "9123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
big          TXT    "a123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
big          TXT    "b123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
plain        NS     ns.plain
ns.plain     A      {ip}
"#;

pub const POOLS: &str = r#"
[eu-1]
addresses = ["192.0.2.25", "192.0.2.26", "2001:db8:1::25"]
tlsa = ["3 1 1 109031c05318848ba78ba04165baaad1e1cd00daf51a4164a268c52c2c3a93f1", "3 1 1 5dfea6f3f93916b4add66c2a2f796790addcf8d1dc091509bce418870d278b90"]
[v4only]
addresses = ["198.51.100.25"]
tlsa = ["3 1 1 6262211c157aa9623d96f03ffb638c3f7ea0d62a2bf0f4b4239e63aee0bb18b0"]
[v6only]
addresses = ["2001:db8:6::25"]
tlsa = ["3 1 1 8e0fcd6b1f6cf7103b4569cfc1593f5386c1a522daaf39cfe155e1aba9df7035"]
"#;

/// Everything but `secure`, whose DS must be known first.
pub fn write(world: &World, more_of_parent: &str) {
    world.write("mxseal.toml", CONFIG);
    world.write("zones/mx.example.zone", &format!("{SOA}{PARENT}{more_of_parent}"));
    for shard in ["a-v1", "b-v1"] {
        let servers = "@ NS ns1.mx.example.\n@ NS ns2.mx.example.\n";
        world.write(&format!("zones/{shard}.mx.example.zone"), &format!("{SOA}{servers}"));
    }
    let below_apex = "@ NS ns1.mx.example.\n* A 192.0.2.70\n* TXT \"all\"\nreal A 192.0.2.71\nx.ent A 192.0.2.72\n";
    world.write("zones/star.example.zone", &format!("{SOA}{below_apex}"));
    let old = "@ NS ns1.mx.example.\nold A 192.0.2.90\ncontoso-com A 192.0.2.91\n";
    world.write("zones/mail.protection.example.zone", &format!("{SOA}{old}"));
    world.write("zones/pools.toml", POOLS);
    for (shard, domain, more) in [
        ("a-v1", "contoso.com", "pool = \"eu-1\""),
        ("a-v1", "fabrikam.com", "pool = \"v4only\""),
        ("a-v1", "sixes.example", "pool = \"v6only\""),
        ("a-v1", "nodane.example", "pool = \"eu-1\"\ndane = false"),
        ("a-v1", "own.example", "pool = \"eu-1\"\naddresses = [\"192.0.2.99\"]"),
        ("b-v1", "northwind.example", "pool = \"eu-1\""),
    ] {
        world.write(&format!("zones/{shard}.mx.example/{domain}.toml"), &format!("domain = \"{domain}\"\n{more}\n"));
    }
}

/// Tenants' labels of `a-v1`, the types of each endpoint, and whether it has TLSA.
pub const TENANTS: &[(&str, bool, bool, bool)] = &[
    ("contoso-com", true, true, true),
    ("fabrikam-com", true, false, true),
    ("sixes-example", false, true, true),
    ("nodane-example", true, true, false),
    ("own-example", true, false, true),
];

/// Knot as the foreign server, at [`World::at`] 2: `plain` unsigned, `secure` signed by itself. Returns the DS of
/// `secure`.
pub fn foreign(world: &World) -> (Running, String) {
    world.write(
        "knot.conf",
        "server:\n  rundir: knot\n  listen: {ip}@5302\n  background-workers: 1\n  udp-workers: 1\n  tcp-workers: 1\n\
         database:\n  storage: knot\nlog:\n  - target: stderr\n    any: warning\n\
         policy:\n  - id: own\n    single-type-signing: on\n    algorithm: ECDSAP256SHA256\n    cds-cdnskey-publish: none\n\
         template:\n  - id: default\n    storage: knot\n    semantic-checks: off\n    zonefile-sync: -1\n\
         zone:\n  - domain: plain.mx.example\n  - domain: elsewhere.example\n  - domain: secure.mx.example\n    \
         dnssec-signing: on\n    dnssec-policy: own\n",
    );
    let text = format!("{SOA}@ NS ns\nns A {{ip}}\nwww A 192.0.2.60\nwww TXT \"foreign\"\n");
    for zone in ["plain.mx.example", "secure.mx.example", "elsewhere.example"] {
        world.write(&format!("knot/{zone}.zone"), &text);
    }
    let keymgr = program("keymgr");
    let mut knot = world.start("knot", &program("knotd"), &["-c", "knot.conf"]);
    let ds = knot.poll_until("a DS of Knot", || {
        let output = world.run(&keymgr, &["-c", "knot.conf", "secure.mx.example.", "ds"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().find(|line| line.contains(" DS ") && line.contains(" 13 2 ")).map(str::to_owned)
    });
    (knot, ds)
}

/// The world with both servers running.
pub fn start(world: &World) -> (Running, Running) {
    let (knot, ds) = foreign(world);
    let ds = ds.split_once(" DS ").unwrap().1;
    write(world, &format!("secure NS ns.secure\nns.secure A {{ip}}\nsecure DS {ds}\n"));
    let server = world.serve("mx.example");
    (server, knot)
}

/// How one unbound differs from another.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unbound {
    /// RFC 8198.
    pub aggressive: bool,
    /// It asks over TCP.
    pub tcp: bool,
    /// It offers 512 octets.
    pub small: bool,
    pub minimise: bool,
    /// It asks over TLS.
    pub tls: bool,
}

/// Starts unbound at [`World::at`] 1 with the anchors in the file `anchors`.
pub fn unbound(world: &World, how: Unbound) -> Running {
    let word = |on: bool| if on { "yes" } else { "no" };
    let stub = |zone: &str, port: &str| format!("stub-zone:\n  name: {zone}\n  stub-addr: {{ip}}@{port}\n");
    let ours = if how.tls { "5853\n  stub-tls-upstream: yes" } else { "5300" };
    // The shards too: else their NS, once asked for, lead to port 53.
    let zones =
        ["mx.example", "a-v1.mx.example", "b-v1.mx.example", "mail.protection.example", "star.example", "twin.example"];
    let stubs: String = zones.map(|zone| stub(zone, ours)).concat()
        + &["plain.mx.example", "secure.mx.example", "elsewhere.example"].map(|zone| stub(zone, "5302")).concat();
    // `outgoing-interface` keeps the rest on this machine: from a loopback address nothing else can be reached.
    let text = format!(
        "server:\n  interface: {{ip}}\n  port: 5301\n  outgoing-interface: {{ip}}\n  do-daemonize: no\n  chroot: \"\"\n  \
         username: \"\"\n  directory: \"{}\"\n  pidfile: \"\"\n  use-syslog: no\n  val-log-level: 2\n  \
         access-control: 127.0.0.0/8 allow\n  do-not-query-localhost: no\n  do-ip6: no\n  num-threads: 1\n  \
         msg-cache-size: 4m\n  rrset-cache-size: 4m\n  trust-anchor-file: \"anchors\"\n  root-hints: \"\"\n  val-sig-skew-min: 0\n  val-sig-skew-max: 0\n  \
         module-config: \"validator iterator\"\n  aggressive-nsec: {}\n  tcp-upstream: {}\n  edns-buffer-size: {}\n  \
         qname-minimisation: {}\n  ede: yes\n  trust-anchor-signaling: no\n  root-key-sentinel: no\n\
         remote-control:\n  control-enable: no\n{stubs}",
        world.path("").display(),
        word(how.aggressive),
        word(how.tcp),
        if how.small { 512 } else { 1232 },
        word(how.minimise),
    );
    world.write("unbound.conf", &text);
    let mut running = world.start("unbound", &program("unbound"), &["-d", "-c", "unbound.conf"]);
    running.poll_until("unbound", || {
        let ask = crate::live::wire::Ask::recursive("id.server", 16);
        ask.once(world.at(1), std::time::Duration::from_millis(300))
    });
    running
}
