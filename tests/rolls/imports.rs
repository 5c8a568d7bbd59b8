//! A zone that another server signed moves over with its keys, while resolvers go on asking.

use super::askers::{Askers, Scope};
use super::fixture;
use super::relay::Relay;
use crate::live::wire::*;
use crate::live::{Running, World, has, mxseal, poll_until, program};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

const ZONE: &str = "$TTL 2\n@ IN SOA ns1 hostmaster 1 4h 1h 2w 2\n@ NS ns1\nns1 A {ip}\n@ TXT \"moved\"\nwww A 192.0.2.80\n\
    *.wild A 192.0.2.77\nalias CNAME www\n_25._tcp.www TLSA 3 1 1 109031c05318848ba78ba04165baaad1e1cd00daf51a4164a268c52c2c3a93f1\n";

/// Every kind of answer that it has.
const MOVED: Scope = Scope {
    root: "moved.example",
    kinds: &[
        ("www.moved.example", A, true),
        ("www.moved.example", AAAA, true),
        ("no{n}.moved.example", A, true),
        ("_25._tcp.www.moved.example", TLSA, true),
        ("moved.example", DNSKEY, true),
        ("x{n}.wild.moved.example", A, true),
        ("alias.moved.example", A, true),
        ("moved.example", SOA, true),
        ("x{n}.wild.moved.example", MX, true),
        ("moved.example", TXT, true),
        ("moved.example", NS, true),
    ],
};

/// How long each server is asked before something happens.
const WHILE: Duration = Duration::from_secs(4);

/// The server that has the zone first: where it is, its process, the files of its keys.
struct Old {
    at: SocketAddr,
    _server: Running,
    keys: Vec<String>,
}

fn knot(world: &World) -> Old {
    world.write(
        "old.conf",
        "server:\n  rundir: old\n  listen: {ip}@5303\n  background-workers: 1\n  udp-workers: 1\n  tcp-workers: 1\n\
         database:\n  storage: old\nlog:\n  - target: stderr\n    any: warning\n\
         policy:\n  - id: own\n    algorithm: ECDSAP256SHA256\n    rrsig-lifetime: 16s\n    rrsig-refresh: 8s\n    \
         rrsig-pre-refresh: 2s\n    dnskey-ttl: 2s\n    zone-max-ttl: 2s\n    propagation-delay: 1s\n    \
         cds-cdnskey-publish: none\nzone:\n  - domain: moved.example\n    storage: old\n    file: zone\n    \
         zonefile-sync: -1\n    journal-content: all\n    semantic-checks: off\n    dnssec-signing: on\n    \
         dnssec-policy: own\n",
    );
    world.write("old/zone", ZONE);
    let mut server = world.start("old", &program("knotd"), &["-c", "old.conf"]);
    let keys = signed(&mut server, world.at(3));
    let list = world.said(&program("keymgr"), &["-c", "old.conf", "moved.example", "list"]);
    let mut files = Vec::new();
    for data in keys {
        let tag = mxseal::sign::key::key_tag(&data).to_string();
        let line = list.lines().find(|line| line.split_whitespace().nth(1) == Some(&tag)).unwrap();
        let pem = world.read(&format!("old/keys/keys/{}.pem", line.split_whitespace().next().unwrap()));
        let flags = u16::from_be_bytes([data[0], data[1]]);
        let public = data_encoding::BASE64.encode(&data[4..]);
        world.write(&format!("brought/{tag}.pem"), &pem);
        world.write(
            &format!("brought/{tag}.key"),
            &format!("moved.example. IN DNSKEY {flags} 3 {} {public}\n", data[3]),
        );
        files.push(format!("brought/{tag}.pem"));
    }
    // One more that the zone does not have yet; its PEM file says nothing of that.
    let id = world.said(
        &program("keymgr"),
        &["-c", "old.conf", "moved.example", "generate", "algorithm=13", "publish=+5d", "active=+10d"],
    );
    let list = world.said(&program("keymgr"), &["-c", "old.conf", "moved.example", "list"]);
    let tag = list.lines().find_map(|line| line.strip_prefix(id.trim())?.split_whitespace().next()).unwrap();
    world.write(&format!("brought/{tag}.pem"), &world.read(&format!("old/keys/keys/{}.pem", id.trim())));
    let dnskey = world.said(&program("keymgr"), &["-c", "old.conf", "moved.example", "dnskey", tag]);
    world.write(&format!("brought/{tag}.key"), &dnskey);
    files.push(format!("brought/{tag}.pem"));
    Old { at: world.at(3), _server: server, keys: files }
}

fn bind(world: &World) -> Old {
    let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    world.write(
        "old.conf",
        &format!(
            "options {{\n directory \"{}\"; pid-file none; session-keyfile none; listen-on port {} {{ 127.0.0.1; }};\n \
             listen-on-v6 {{ none; }}; recursion no; dnssec-validation no; notify no; allow-transfer {{ none; }};\n}};\n\
             controls {{ }};\ndnssec-policy short {{ keys {{ ksk key-directory lifetime unlimited algorithm 13; zsk \
             key-directory lifetime unlimited algorithm 13; }}; signatures-validity PT16S; signatures-validity-dnskey \
             PT16S; signatures-refresh PT8S; signatures-jitter PT2S; dnskey-ttl PT2S; max-zone-ttl PT2S; }};\n\
             zone \"moved.example\" {{ type primary; file \"zone\"; dnssec-policy short; inline-signing yes; }};\n",
            world.path("old").display(),
            at.port()
        ),
    );
    world.write("old/zone", ZONE);
    let mut server = world.start("old", &program("named"), &["-g", "-n", "1", "-c", "old.conf"]);
    let published = signed(&mut server, at);
    // As BIND leaves its folder: keys that were removed lie there for 90 days, those to come before their time; here both with
    // lower tags than the key that signs, where that can be.
    world.write("brought/.made", "");
    world.said("sh", &["-ec", "cp old/K* brought/"]);
    let tags: Vec<u16> = published.iter().map(|data| mxseal::sign::key::key_tag(data)).collect();
    let zsk = published.iter().position(|data| data[1] == 0).map(|at| tags[at]).unwrap();
    for dates in [
        ["-P", "now-300d", "-A", "now-299d", "-I", "now-200d", "-D", "now-180d"].as_slice(),
        &["-P", "now+5d", "-A", "now+10d"],
    ] {
        for _ in 0..20 {
            let fixed = ["-q", "-K", "brought", "-a", "ECDSAP256SHA256", "-n", "ZONE"];
            let name = world.said(&program("dnssec-keygen"), &[&fixed[..], dates, &["moved.example"]].concat());
            let tag: u16 = name.trim().rsplit('+').next().and_then(|tag| tag.parse().ok()).unwrap();
            if tag < zsk {
                break;
            }
            world.said("sh", &["-ec", &format!("rm brought/{}.*", name.trim())]);
        }
    }
    Old { at, _server: server, keys: vec!["brought".to_owned()] }
}

/// Waits until the zone is signed; its DNSKEY data.
fn signed(server: &mut Running, at: SocketAddr) -> Vec<Vec<u8>> {
    let ask = |rtype| Ask::of("moved.example", rtype).once(at, Duration::from_millis(300));
    server.poll_until("a signed zone", || {
        ask(SOA).filter(|reply| reply.has(RRSIG))?;
        let keys = ask(DNSKEY).filter(|reply| reply.has(RRSIG))?.answer;
        let keys: Vec<_> = keys.into_iter().filter(|record| record.rtype == DNSKEY).map(|record| record.data).collect();
        (keys.len() == 2).then_some(keys)
    })
}

fn wait_while(askers: &Askers) {
    let begun = Instant::now();
    poll_until("its end", || (begun.elapsed() > WHILE || askers.bad() > 0).then_some(()));
}

/// The zone at its old server, the resolvers asking through a relay, our server without the zone.
fn begin(old: impl Fn(&World) -> Old) -> (fixture::Lab, Old, Relay) {
    for judge in ["unbound", "delv", "knotd", "named"] {
        has(judge);
    }
    let world = Arc::new(World::new());
    fixture::write_alone(&world, "moved.example", "other.example");
    let old = old(&world);
    let relay = Relay::start(&world, old.at);
    let resolvers = fixture::resolvers(&world, &anchor(old.at), &[("moved.example", relay.at)]);
    let askers = Askers::start(&world, &fixture::at(&world), MOVED);
    let server = world.serve("other.example");
    wait_while(&askers);
    (fixture::Lab { askers, parent: None, resolvers, server, world, cuts: 0 }, old, relay)
}

/// The zone's file comes here; once it is answered, the resolvers are turned to us.
fn turn(lab: &fixture::Lab, relay: &Relay) {
    lab.world.write("zones/moved.example.zone", ZONE);
    poll_until("the zone here", || {
        let reply = Ask::of("moved.example", SOA).once(lab.world.at(0), Duration::from_millis(300));
        reply.filter(|reply| reply.has(RRSIG))
    });
    relay.turn_to(lab.world.at(0));
}

fn moves_over(maker: &str, old: impl Fn(&World) -> Old) {
    let (mut lab, old, relay) = begin(old);
    let files: Vec<&str> = old.keys.iter().map(String::as_str).collect();
    let fixed = ["keys", "import", "moved.example", "--ttl", "2", "--life", "16s"];
    let at = old.at.to_string();
    let nobody = ["--from", "none"];
    // BIND's files say which keys are in use; Knot's do not, so its server is asked.
    if maker == "Knot" {
        let output = lab.world.run(mxseal(), &[&fixed[..], &nobody, &files].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(4), "{said}");
        assert!(said.contains("--from ADDRESS"), "{said}");
        let said = lab.world.said(mxseal(), &[&fixed[..], &["--from", &at], &files].concat());
        assert!(said.contains("it is left out") && said.contains("was asked for DNSKEY and SOA"), "{said}");
    } else {
        let said = lab.world.said(mxseal(), &[&fixed[..], &nobody, &files].concat());
        assert!(said.contains("nobody was asked") && said.contains("dates and states in the files decide"), "{said}");
        assert!(said.matches("it is left out").count() > 0, "{said}");
    }
    turn(&lab, &relay);
    wait_while(&lab.askers);
    let zsk = lab.roll("moved.example", "zsk", &["--role", "zsk"]);
    lab.poll_rolled("moved.example", &zsk, super::turns::Power::Steady);
    lab.wait_after();
    let verdicts = lab.good(&format!("a zone moved from {maker}, and a ZSK roll here"));
    assert!(verdicts.good > 1000 && verdicts.delv > 20, "{verdicts}");
}

#[test]
fn a_zone_that_moves_over_without_its_keys_is_bogus_and_the_judges_say_so() {
    let (lab, _old, relay) = begin(knot);
    assert_eq!(lab.askers.bad(), 0);
    turn(&lab, &relay);
    poll_until("a fault", || (lab.askers.bad() > 0).then_some(()));
    let verdicts = lab.askers.end();
    println!("moved without its keys: {verdicts}");
    assert!(verdicts.faults.iter().any(|fault| fault.contains("bogus") || fault.contains("no valid")), "{verdicts}");
}

/// The DS of its entry key, as a trust anchor.
fn anchor(at: SocketAddr) -> String {
    let reply = Ask::of("moved.example", DNSKEY).tcp().send(at);
    let entry = reply.answer.into_iter().find(|record| record.rtype == DNSKEY && record.data[1] & 1 == 1).unwrap().data;
    let owned = [wire_name("moved.example"), entry.clone()].concat();
    let digest = data_encoding::HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, &owned).as_ref());
    format!("moved.example. IN DS {} 13 2 {digest}\n", mxseal::sign::key::key_tag(&entry))
}

#[test]
fn a_zone_signed_by_knot_moves_over_with_its_keys_and_is_never_bogus() {
    moves_over("Knot", knot);
}

#[test]
fn a_zone_signed_by_bind_moves_over_with_its_keys_and_is_never_bogus() {
    moves_over("BIND", bind);
}
