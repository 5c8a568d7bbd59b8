//! DoT and DoQ: kdig gets over TLS and QUIC what it gets over TCP.

use super::fixture;
use crate::live::{World, has};

/// What kdig prints, without what differs by time, transport and signing.
fn content(world: &World, transport: &str, port: &str, question: &[&str]) -> Vec<String> {
    let server = format!("@{}", world.ip);
    let mut args = vec![&*server, "-p", port, transport, "+dnssec", "+timeout=10", "+retry=1"];
    args.extend(question);
    let said = world.said("kdig", &args);
    let passing = [";; TLS", ";; QUIC", ";; Time", ";; From", ";; Received", ";; ->>HEADER"];
    let mut lines: Vec<String> = said
        .lines()
        .filter(|line| !passing.iter().any(|start| line.starts_with(start)))
        // A signature may have been made anew in between: the signature itself, the last field, then differs.
        .map(|line| if line.contains("\tRRSIG\t") { line.rsplit_once(' ').map_or(line, |cut| cut.0) } else { line })
        .map(str::to_owned)
        .collect();
    lines.extend(said.lines().filter_map(|line| line.split("status: ").nth(1)?.split(';').next()).map(str::to_owned));
    lines
}

#[test]
fn kdig_gets_the_same_over_tls_and_quic_as_over_tcp() {
    if !has("kdig") {
        return;
    }
    let world = World::new();
    fixture::write(&world, "");
    let _server = world.serve("mx.example");
    for question in [
        &["mx.example", "SOA"][..],
        &["mx.example", "DNSKEY"],
        &["_25._tcp.contoso-com.a-v1.mx.example", "TLSA"],
        &["absent.a-v1.mx.example", "A"],
        &["x.wild.mx.example", "TXT"],
        &["toshard.mx.example", "AAAA"],
        &["contoso-com.red.mx.example", "A"],
        &["plain.mx.example", "DS"],
        &["www.plain.mx.example", "A"],
        &["odd.mx.example", "TYPE65401"],
        &["big.mx.example", "TXT"],
        &["www.mx.example", "TYPE128"],
        &["www.nowhere.example", "A"],
        &["www.mx.example", "A", "+nsid"],
    ] {
        let [tcp, tls, quic] = [("+tcp", "5300"), ("+tls", "5853"), ("+quic", "5853")]
            .map(|(transport, port)| content(&world, transport, port, question));
        assert!(tcp.len() > 5, "{question:?}: {tcp:?}");
        assert_eq!(tls, tcp, "{question:?} over TLS");
        assert_eq!(quic, tcp, "{question:?} over QUIC");
    }
}
