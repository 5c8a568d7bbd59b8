//! Parents of other makes: zones signed by Knot and by BIND, and how they are asked.

use crate::live::{Running, World, program};
use mxseal::dns::name::{Name, ROOT};
use mxseal::observe::parent::{ParentAsk, ParentRound, look};
use mxseal::resolve::anchors::Anchors;
use mxseal::resolve::proved::DsSeen;
use mxseal::resolve::walk::Ways;
use mxseal::time::now;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// What the parent has for `mx.example.`; no key has such digests, which a parent does not mind.
pub const DS: [&str; 2] = [
    "1234 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "4321 13 2 fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210",
];

/// A zone with a signed delegation, two unsigned ones, and targets for NOTIFY.
pub fn example(world: &World, more: &str) -> String {
    let text = format!(
        "$TTL 1h\n@ IN SOA ns hostmaster 1 4h 1h 2w 5m\n@ NS ns\nns A {{ip}}\n\
         mx NS ns.mx\nns.mx A {{ip}}\nmx 7200 DS {}\nmx 7200 DS {}\n\
         plain NS ns.plain\nns.plain A {{ip}}\nzebra NS ns.plain\nhost A 192.0.2.1\n{more}",
        DS[0], DS[1]
    );
    text.replace("{ip}", &world.ip.to_string())
}

/// How a zone is signed.
#[derive(Clone, Copy, Debug)]
pub enum Denial {
    Nsec,
    Nsec3,
    OptOut,
}

pub fn name(text: &str) -> Name {
    Name::parse(text, ROOT).unwrap()
}

/// DS data as they are in records.
pub fn ds_data(text: &str) -> Vec<u8> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut data = words[0].parse::<u16>().unwrap().to_be_bytes().to_vec();
    data.extend([words[1].parse::<u8>().unwrap(), words[2].parse::<u8>().unwrap()]);
    data.extend(data_encoding::HEXLOWER_PERMISSIVE.decode(words[3].as_bytes()).unwrap());
    data
}

/// Knot at port 5300 with zones that it signs; returns the DS of each as anchors.
pub fn knot(world: &World, zones: &[(&str, String)], denial: Denial) -> (Running, String) {
    let policy = match denial {
        Denial::Nsec => "",
        Denial::Nsec3 => "    nsec3: on\n    nsec3-iterations: 2\n    nsec3-salt-length: 4\n",
        Denial::OptOut => "    nsec3: on\n    nsec3-iterations: 0\n    nsec3-salt-length: 0\n    nsec3-opt-out: on\n",
    };
    let list: String =
        zones.iter().map(|(zone, _)| format!("  - domain: \"{zone}\"\n    file: {}\n", file(zone))).collect();
    world.write(
        "knot.conf",
        &format!(
            "server:\n  rundir: knot\n  listen: {{ip}}@5300\n  background-workers: 1\n  udp-workers: 1\n  \
             tcp-workers: 1\ndatabase:\n  storage: knot\nlog:\n  - target: stderr\n    any: warning\n\
             policy:\n  - id: own\n    algorithm: ECDSAP256SHA256\n    rrsig-lifetime: 14d\n    rrsig-refresh: 7d\n{policy}\
             template:\n  - id: default\n    storage: knot\n    zonefile-sync: -1\n    journal-content: none\n    \
             semantic-checks: off\n    dnssec-signing: on\n    dnssec-policy: own\nzone:\n{list}",
        ),
    );
    for (zone, text) in zones {
        world.write(&format!("knot/{}", file(zone)), text);
    }
    let mut running = world.start("knot", &program("knotd"), &["-c", "knot.conf"]);
    let mut anchors = String::new();
    for (zone, _) in zones {
        anchors += &running.poll_until("a DS of Knot", || {
            let output = world.run(&program("keymgr"), &["-c", "knot.conf", zone, "ds"]);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.lines().find(|line| line.contains(" DS ") && line.contains(" 2 ")).map(|line| format!("{line}\n"))
        });
        running.poll_until("a signed zone", || {
            let ask = crate::live::wire::Ask::of(zone.trim_end_matches('.'), crate::live::wire::SOA);
            let reply = ask.once(world.at(0), Duration::from_millis(300))?;
            reply.answer.iter().any(|record| record.rtype == crate::live::wire::RRSIG).then_some(())
        });
    }
    (running, anchors)
}

fn file(zone: &str) -> String {
    format!("zone.{zone}db")
}

/// BIND with `example.` signed beforehand by its tools; returns its address and the anchor. It answers only at addresses
/// that an interface has, hence at 127.0.0.1.
pub fn bind(world: &World, algorithm: &str, denial: Denial) -> (Running, SocketAddr, String) {
    let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    world.write("bind/example.db", &example(world, ""));
    let keygen = program("dnssec-keygen");
    let mut keys = Vec::new();
    for flags in [&["-f", "KSK"][..], &[]] {
        let args = [&["-q", "-K", "bind", "-a", algorithm], flags, &["example."]].concat();
        keys.push(world.said(&keygen, &args).trim().to_owned());
    }
    let how: &[&str] = match denial {
        Denial::Nsec => &[],
        Denial::Nsec3 => &["-3", "ab12", "-H", "3"],
        Denial::OptOut => &["-3", "-", "-H", "0", "-A"],
    };
    let fixed = ["-q", "-S", "-K", "bind", "-d", "bind", "-o", "example.", "-f", "bind/example.signed"];
    world.said(&program("dnssec-signzone"), &[&fixed[..], how, &["bind/example.db"]].concat());
    let anchor = world.said(&program("dnssec-dsfromkey"), &["-2", &format!("bind/{}", keys[0])]);
    let folder = world.path("bind");
    world.write(
        "named.conf",
        &format!(
            "options {{\n directory \"{}\"; pid-file none; session-keyfile none; listen-on port {} {{ 127.0.0.1; }};\n \
             listen-on-v6 {{ none; }}; recursion no; dnssec-validation no; notify no; allow-transfer {{ none; }};\n}};\n\
             controls {{ }};\nzone \"example\" {{ type primary; file \"example.signed\"; }};\n",
            folder.display(),
            at.port()
        ),
    );
    let mut running = world.start("named", &program("named"), &["-g", "-n", "1", "-c", "named.conf"]);
    running.poll_until("BIND", || {
        let ask = crate::live::wire::Ask::of("example", crate::live::wire::SOA);
        ask.once(at, Duration::from_millis(300)).filter(|reply| reply.rcode == 0)
    });
    (running, at, anchor)
}

/// Searches that stay in the world: nowhere to begin, short times.
pub fn ways() -> Ways {
    Ways {
        hints: Vec::new(),
        port: crate::live::PORT,
        ask_timeout: Duration::from_secs(10),
        round_timeout: crate::live::PATIENCE,
    }
}

pub fn round_of(child: &str, parents: &[SocketAddr], anchors: &str, ways: &Ways) -> ParentRound {
    let (child, anchors) = (name(child), Anchors::parse(anchors).unwrap());
    look(&ParentAsk { child: &child, parents, anchors: &anchors, ways, now: now().into() })
}

/// What the one address said.
pub fn only(round: &ParentRound) -> Result<DsSeen, String> {
    assert_eq!(round.asked.len(), 1);
    round.asked[0].outcome.clone().map_err(|fault| fault.to_string())
}
