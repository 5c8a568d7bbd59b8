//! EDNS, opcodes and the codes of compact denial, as dig and kdig see them.

use super::fixture;
use crate::live::wire::*;
use crate::live::{World, has};

fn world() -> (World, crate::live::Running) {
    let world = World::new();
    fixture::write(&world, "");
    let server = world.serve("mx.example");
    (world, server)
}

/// What dig says, with the warning lines.
fn dig(world: &World, args: &str) -> String {
    let server = format!("@{}", world.ip);
    let mut all = vec![&*server, "-p", "5300", "+tries=2", "+time=10", "+noedns"];
    all.extend(args.split_whitespace());
    world.said("dig", &all)
}

/// Each question, what dig must say, and what it must not say.
#[rustfmt::skip]
const DIG: &[(&str, &[&str], &[&str])] = &[
    // Without DO the code says it; with DO the NSEC does; with CO both (RFC 9824 § 3.1, § 5.1).
    ("absent.mx.example A", &["status: NXDOMAIN", "flags: qr aa", "ANSWER: 0, AUTHORITY: 1,"], &["NSEC", "OPT"]),
    ("absent.mx.example A +edns", &["status: NXDOMAIN", "AUTHORITY: 1, ADDITIONAL: 1"], &["NSEC"]),
    ("absent.mx.example A +dnssec", &["status: NOERROR", "flags: do;", "NSEC\t\\000.absent.mx.example. RRSIG NSEC TYPE128"], &[" co;"]),
    ("absent.mx.example A +dnssec +coflag", &["status: NXDOMAIN", "flags: do co;", "RRSIG NSEC TYPE128"], &[]),
    ("absent.mx.example A +edns +coflag", &["status: NXDOMAIN"], &["NSEC"]),
    ("ent.mx.example A +dnssec +coflag", &["status: NOERROR", "RRSIG NSEC\n"], &["TYPE128"]),
    ("x.star.mx.example A +dnssec +coflag", &["status: NOERROR", "x.star.mx.example.\t300\tIN\tNSEC\t\\000.x.star.mx.example. RRSIG NSEC\n"], &["TYPE128"]),
    ("plain.mx.example DS +dnssec", &["status: NOERROR", "flags: qr aa", "NSEC\tplain\\000.mx.example. NS RRSIG NSEC\n"], &[]),
    ("x.plain.mx.example A +dnssec", &["status: NOERROR", "plain.mx.example.\t300\tIN\tNSEC\tplain\\000.mx.example. NS RRSIG NSEC\n", "ns.plain.mx.example."], &["flags: qr aa"]),
    // NXNAME is never asked for (RFC 9824 § 3.5).
    ("www.mx.example TYPE128 +edns", &["status: FORMERR", "EDE: 30"], &[]),
    ("absent.mx.example TYPE128 +dnssec", &["status: FORMERR", "EDE: 30"], &["RRSIG"]),
    // EDNS (RFC 6891, RFC 8906).
    ("www.mx.example A", &["status: NOERROR"], &["OPT PSEUDOSECTION"]),
    ("www.mx.example A +edns=1 +noednsneg", &["status: BADVERS", "EDNS: version: 0,"], &["192.0.2.80"]),
    ("www.mx.example A +edns=100 +noednsneg +dnssec", &["status: BADVERS", "flags: do;"], &["192.0.2.80"]),
    ("www.mx.example A +edns=0 +ednsopt=100", &["status: NOERROR", "192.0.2.80"], &["OPT=100"]),
    ("www.mx.example A +edns=0 +ednsopt=65001:00ff", &["status: NOERROR", "192.0.2.80"], &["OPT=65001"]),
    ("www.mx.example A +edns=0 +subnet=198.51.100.0/24", &["status: NOERROR", "192.0.2.80"], &["CLIENT-SUBNET"]),
    ("www.mx.example A +edns=0 +padding=128", &["status: NOERROR", "192.0.2.80"], &[]),
    ("www.mx.example A +edns=0 +ednsflags=0x0080", &["status: NOERROR", "flags:;"], &["MBZ"]),
    ("www.mx.example A +edns=0 +nsid", &["NSID:", "judge-nsid"], &[]),
    ("www.mx.example A +edns=0 +cookie", &["COOKIE:", "(good)"], &["status: BADCOOKIE"]),
    ("www.mx.example A +edns=0 +cookie=0123456789abcdef", &["COOKIE: 0123456789abcdef", "status: NOERROR"], &[]),
    ("www.mx.example A +edns=0 +cookie=0123456789abcdef0011223344556677", &["COOKIE: 0123456789abcdef", "status: NOERROR"], &[]),
    ("www.mx.example A +edns=0 +ednsopt=10:0123456789", &["status: FORMERR"], &["192.0.2.80"]),
    ("www.mx.example A +edns=0 +keepalive", &["status: NOERROR"], &["TCP-KEEPALIVE", "TCP KEEPALIVE"]),
    ("www.mx.example A +edns=0 +keepalive +tcp", &["status: NOERROR", "KEEPALIVE: 10.0 secs"], &[]),
    ("id.server CH TXT +edns=0", &["judge-nsid", "flags: qr aa"], &[]),
    // Header bits: AD, CD and Z in a query are no reason for anything.
    ("www.mx.example A +adflag +cdflag +zflag", &["status: NOERROR", "192.0.2.80"], &[" ra", " ad"]),
    ("www.mx.example A +tcflag", &["status: NOERROR", "192.0.2.80"], &["flags: qr aa tc"]),
    ("www.mx.example A +opcode=15", &["status: NOTIMP", "opcode: RESERVED15"], &["flags: qr aa"]),
    ("mx.example SOA +opcode=notify", &["status: NOTIMP"], &[]),
    ("mx.example SOA +opcode=update", &["status: NOTIMP"], &[]),
    ("www.mx.example A +header-only", &["status: FORMERR"], &[]),
    ("www.nowhere.example A +edns", &["status: REFUSED"], &["flags: qr aa"]),
    ("version.bind CH TXT", &["status: REFUSED"], &[]),
    ("mx.example AXFR +tcp", &["Transfer failed"], &["192.0.2.80"]),
    // What old servers got wrong: each type has an answer.
    ("mx.example SOA", &["status: NOERROR", "ANSWER: 1, AUTHORITY: 0"], &[]),
    ("contoso-com.a-v1.mx.example HTTPS", &["status: NOERROR", "ANSWER: 0, AUTHORITY: 1"], &[]),
    ("contoso-com.a-v1.mx.example SVCB", &["status: NOERROR", "ANSWER: 0, AUTHORITY: 1"], &[]),
    ("contoso-com.a-v1.mx.example DS", &["status: NOERROR", "ANSWER: 0, AUTHORITY: 1"], &[]),
    ("_25._tcp.contoso-com.a-v1.mx.example TLSA", &["status: NOERROR", "ANSWER: 2"], &[]),
    ("ring1.mx.example A", &["status: NOERROR", "ANSWER: 2, AUTHORITY: 0"], &[]),
    ("self.mx.example A", &["status: NOERROR", "ANSWER: 1, AUTHORITY: 0"], &[]),
    ("www.mx.example ANY +dnssec", &["status: NOERROR", "ANSWER: 2, AUTHORITY: 0"], &[]),
    ("www.mx.example RRSIG +dnssec", &["status: NOERROR", "RRSIG\tNSEC 13"], &[]),
];

#[test]
fn dig_sees_what_the_standards_say() {
    if !has("dig") {
        return;
    }
    let (world, _server) = world();
    let knows_co = String::from_utf8_lossy(&world.run("dig", &["-h"]).stdout).contains("coflag");
    let mut faults = Vec::new();
    for (args, wanted, unwanted) in DIG {
        let args = if args.contains("+edns") || args.contains("+dnssec") {
            format!("{args} +nocrypto")
        } else {
            (*args).to_owned()
        };
        // An older dig has no name for CO, and sends the bit when told so.
        let args = if knows_co { args } else { args.replace("+coflag", "+ednsflags=0x4000") };
        let args = if args.contains("cookie") || !args.contains("edns") { args } else { format!("{args} +nocookie") };
        let said = dig(&world, &args);
        for want in wanted.iter().filter(|want| !said.contains(**want)) {
            faults.push(format!("dig {args}: no {want:?} in {said}"));
        }
        for bad in unwanted.iter().filter(|bad| said.contains(**bad)) {
            faults.push(format!("dig {args}: {bad:?} in {said}"));
        }
        if said.contains(";; Warning") && !said.contains("Warning: query response not set") {
            faults.push(format!("dig {args}: a warning in {said}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_flag_for_compact_answers_comes_back_with_the_code() {
    let (world, _server) = world();
    let co = |name: &str, flags| Ask::of(name, A).flags(flags).send(world.at(0));
    assert_eq!(co("absent.mx.example", 0xc000).opt, Some(0xc000));
    assert_eq!(co("absent.mx.example", 0x8000).opt, Some(0x8000));
    assert_eq!(co("absent.mx.example", 0x4000).opt.map(|flags| flags & 0x8000), Some(0));
    for transport in [Ask::tcp, |ask| ask] {
        let reply = transport(Ask::of("absent.a-v1.mx.example", A).flags(0xc000)).send(world.at(0));
        assert_eq!(reply.rcode, NXDOMAIN);
        assert!(reply.bitmap("absent.a-v1.mx.example").unwrap().contains(&NXNAME));
    }
}

#[test]
fn kdig_sees_the_same_over_tcp_and_udp() {
    if !has("kdig") {
        return;
    }
    let (world, _server) = world();
    let server = format!("@{}", world.ip);
    let kdig = |args: &str| {
        let mut all = vec![&*server, "-p", "5300", "+retry=1", "+timeout=10"];
        all.extend(args.split_whitespace());
        world.said("kdig", &all)
    };
    for (args, want) in [
        ("+tcp +nsid www.mx.example A", "judge-nsid"),
        ("+tcp +cookie www.mx.example A", "COOKIE"),
        ("+dnssec absent.mx.example A", "RRSIG NSEC TYPE128"),
        ("+tcp +dnssec big.mx.example TXT", "b12345678901234567890123456789"),
        ("+ignore +bufsize=512 +dnssec big.mx.example TXT", "Flags: qr aa tc rd"),
        ("+bufsize=512 +dnssec big.mx.example TXT", "b12345678901234567890123456789"),
        ("+edns=5 www.mx.example A", "status: BADVERS"),
        ("+keepopen +tcp www.mx.example A mx.example SOA", "2026010101"),
    ] {
        let said = kdig(args);
        assert!(said.contains(want) && !said.contains("WARNING: malformed"), "kdig {args}: no {want} in {said}");
    }
}
