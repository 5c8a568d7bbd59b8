//! What validating resolvers make of every class of answer.

use super::fixture::{self, TENANTS, Unbound};
use crate::live::wire::*;
use crate::live::{World, has};
use std::collections::BTreeSet;

/// What a resolver must make of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Secure,
    Insecure,
}
use Verdict::{Insecure, Secure};

/// What the answer section must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    /// This type at the end of whatever aliases.
    Data,
    /// Nothing of that type.
    Nothing,
}
use Holds::{Data, Nothing};

/// Name, type, verdict, what the answer section must hold.
#[rustfmt::skip]
const CASES: &[(&str, u16, Verdict, Holds)] = &[
    // The apex.
    ("mx.example", SOA, Secure, Data),
    ("mx.example", NS, Secure, Data),
    ("mx.example", DNSKEY, Secure, Data),
    ("mx.example", CDS, Secure, Data),
    ("mx.example", CDNSKEY, Secure, Data),
    ("mx.example", TXT, Secure, Data),
    ("mx.example", MX, Secure, Data),
    ("mx.example", CAA, Secure, Data),
    ("mx.example", NSEC, Secure, Data),
    ("mx.example", A, Secure, Nothing),
    // Positive, NODATA, NXDOMAIN, empty non-terminals.
    ("www.mx.example", A, Secure, Data),
    ("www.mx.example", AAAA, Secure, Data),
    ("www.mx.example", TLSA, Secure, Nothing),
    ("www.mx.example", DS, Secure, Nothing),
    ("www.mx.example", NSEC, Secure, Data),
    ("absent.mx.example", A, Secure, Nothing),
    ("absent.mx.example", DS, Secure, Nothing),
    ("below.www.mx.example", A, Secure, Nothing),
    ("a.b.c.d.absent.mx.example", TXT, Secure, Nothing),
    ("ent.mx.example", A, Secure, Nothing),
    ("er.ent.mx.example", TXT, Secure, Nothing),
    ("deep.er.ent.mx.example", A, Secure, Data),
    ("x.er.ent.mx.example", A, Secure, Nothing),
    ("odd.mx.example", 65401, Secure, Data),
    ("odd.mx.example", 1234, Secure, Data),
    ("odd.mx.example", 65402, Secure, Nothing),
    ("big.mx.example", TXT, Secure, Data),
    // Wildcards.
    ("x.wild.mx.example", A, Secure, Data),
    ("x.y.wild.mx.example", TXT, Secure, Data),
    ("x.wild.mx.example", AAAA, Secure, Nothing),
    ("host.wild.mx.example", A, Secure, Data),
    ("host.wild.mx.example", TXT, Secure, Nothing),
    ("x.host.wild.mx.example", A, Secure, Nothing),
    ("*.wild.mx.example", A, Secure, Data),
    ("*.wild.mx.example", AAAA, Secure, Nothing),
    ("wild.mx.example", A, Secure, Nothing),
    ("x.star.mx.example", A, Secure, Nothing),
    ("mid.x.star.mx.example", A, Secure, Nothing),
    ("mid.*.star.mx.example", A, Secure, Data),
    ("x.cnwild.mx.example", A, Secure, Data),
    ("x.cnwild.mx.example", TLSA, Secure, Nothing),
    ("star.example", SOA, Secure, Data),
    ("star.example", A, Secure, Nothing),
    ("any.star.example", A, Secure, Data),
    ("any.thing.star.example", TXT, Secure, Data),
    ("any.star.example", MX, Secure, Nothing),
    ("real.star.example", A, Secure, Data),
    ("real.star.example", TXT, Secure, Nothing),
    ("y.real.star.example", TXT, Secure, Nothing),
    ("ent.star.example", A, Secure, Nothing),
    ("y.ent.star.example", A, Secure, Nothing),
    // Delegations.
    ("plain.mx.example", DS, Secure, Nothing),
    ("www.plain.mx.example", A, Insecure, Data),
    ("absent.plain.mx.example", A, Insecure, Nothing),
    ("plain.mx.example", SOA, Insecure, Data),
    ("secure.mx.example", DS, Secure, Data),
    ("secure.mx.example", SOA, Secure, Data),
    ("www.secure.mx.example", A, Secure, Data),
    ("www.secure.mx.example", TLSA, Secure, Nothing),
    ("a-v1.mx.example", DS, Secure, Data),
    ("b-v1.mx.example", DS, Secure, Data),
    ("a-v1.mx.example", SOA, Secure, Data),
    ("a-v1.mx.example", NS, Secure, Data),
    ("a-v1.mx.example", DNSKEY, Secure, Data),
    // Its parent zone is served here and takes the DS without CDS.
    ("a-v1.mx.example", CDS, Secure, Nothing),
    ("a-v1.mx.example", TXT, Secure, Nothing),
    // Aliases, redirects, across zones.
    ("alias.mx.example", A, Secure, Data),
    ("alias.mx.example", CNAME, Secure, Data),
    ("alias2.mx.example", AAAA, Secure, Data),
    ("alias2.mx.example", MX, Secure, Nothing),
    ("toshard.mx.example", A, Secure, Data),
    ("toshard.mx.example", TXT, Secure, Nothing),
    ("tob.mx.example", TLSA, Secure, Data),
    ("tonothing.mx.example", A, Secure, Nothing),
    ("toabsent.mx.example", A, Secure, Nothing),
    ("tolegacy.mx.example", A, Insecure, Data),
    ("toplain.mx.example", A, Insecure, Data),
    ("tosecure.mx.example", A, Secure, Data),
    ("outside.mx.example", A, Insecure, Data),
    ("contoso-com.red.mx.example", A, Secure, Data),
    ("_25._tcp.contoso-com.red.mx.example", TLSA, Secure, Data),
    ("nothing.red.mx.example", A, Secure, Nothing),
    ("red.mx.example", DNAME, Secure, Data),
    ("red.mx.example", TXT, Secure, Data),
    ("red.mx.example", A, Secure, Nothing),
    ("_25._tcp.northwind-example.across.mx.example", TLSA, Secure, Data),
    ("x.gone.mx.example", A, Secure, Nothing),
    ("contoso-com.legacy.mx.example", A, Insecure, Data),
    // Tenants.
    ("contoso-com.a-v1.mx.example", A, Secure, Data),
    ("contoso-com.a-v1.mx.example", AAAA, Secure, Data),
    ("contoso-com.a-v1.mx.example", TLSA, Secure, Nothing),
    ("_tcp.contoso-com.a-v1.mx.example", TLSA, Secure, Nothing),
    ("_25._tcp.contoso-com.a-v1.mx.example", TLSA, Secure, Data),
    ("_25._tcp.contoso-com.a-v1.mx.example", A, Secure, Nothing),
    ("_26._tcp.contoso-com.a-v1.mx.example", TLSA, Secure, Nothing),
    ("_25._udp.contoso-com.a-v1.mx.example", TLSA, Secure, Nothing),
    ("x._25._tcp.contoso-com.a-v1.mx.example", TLSA, Secure, Nothing),
    ("_25._tcp.nodane-example.a-v1.mx.example", TLSA, Secure, Nothing),
    ("_tcp.nodane-example.a-v1.mx.example", TLSA, Secure, Nothing),
    ("nodane-example.a-v1.mx.example", A, Secure, Data),
    ("sixes-example.a-v1.mx.example", A, Secure, Nothing),
    ("sixes-example.a-v1.mx.example", AAAA, Secure, Data),
    ("absent.a-v1.mx.example", A, Secure, Nothing),
    ("_tcp.absent.a-v1.mx.example", A, Secure, Nothing),
    ("_25._tcp.absent.a-v1.mx.example", TLSA, Secure, Nothing),
    // Unsigned.
    ("old.mail.protection.example", A, Insecure, Data),
    ("old.mail.protection.example", TLSA, Insecure, Nothing),
];

/// The anchors of the zones without a parent here.
fn anchors(world: &World) -> String {
    let anchors = world.ds("mx.example") + &world.ds("star.example");
    assert_eq!(anchors.matches("DS").count(), 2, "{anchors}");
    world.write("anchors", &anchors);
    anchors
}

fn judge(world: &World, how: Unbound) -> Vec<String> {
    let unbound = fixture::unbound(world, how);
    let mut faults = Vec::new();
    // Twice: from the server, then from the cache; and over TCP as a client.
    for round in 0..2 {
        for (name, rtype, verdict, holds) in CASES {
            let ask = Ask { tcp: round == 1, ..Ask::recursive(name, *rtype) };
            let reply = Some(ask.send(world.at(1))).filter(|reply| !reply.tc);
            let reply = reply.unwrap_or_else(|| ask.tcp().send(world.at(1)));
            let mut wrong = Vec::new();
            if reply.rcode != NOERROR && (reply.rcode != NXDOMAIN || *verdict == Secure && *holds == Data) {
                wrong.push(format!("rcode {}", reply.rcode));
            }
            if reply.ad != (*verdict == Secure) {
                wrong.push(format!("AD {}", reply.ad));
            }
            if reply.has(*rtype) != (*holds == Data) {
                wrong.push(format!("answer {:?}", reply.answer));
            }
            if !wrong.is_empty() {
                faults.push(format!("{how:?} round {round}: {name} {rtype}: {}", wrong.join(", ")));
            }
        }
    }
    // An alias ring is no answer for a resolver, and no harm either.
    let ring = Ask::recursive("ring1.mx.example", A).send(world.at(1));
    if ring.has(A) {
        faults.push("an alias ring has an address".to_owned());
    }
    if unbound.log().contains("validation failure") {
        faults.push(unbound.log());
    }
    faults
}

#[test]
fn unbound_validates_every_class_of_answer_however_it_asks() {
    if !has("unbound") || !has("knotd") {
        return;
    }
    let world = World::new();
    let _servers = fixture::start(&world);
    anchors(&world);
    let mut faults = Vec::new();
    let usual = Unbound { minimise: true, ..Unbound::default() };
    for how in [
        usual,
        Unbound { aggressive: true, ..usual },
        Unbound { tcp: true, minimise: false, ..usual },
        Unbound { tls: true, ..usual },
        Unbound { small: true, aggressive: true, minimise: false, ..usual },
    ] {
        faults.extend(judge(&world, how));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn delv_unbound_host_and_drill_agree_about_every_class_of_answer() {
    if !has("unbound") || !has("knotd") || !has("delv") || !has("unbound-host") || !has("drill") {
        return;
    }
    let world = World::new();
    let _servers = fixture::start(&world);
    let anchors = anchors(&world);
    let fields = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let static_ds = anchors.lines().map(fields).map(|f| {
        let at = f.iter().position(|word| word == "DS").unwrap();
        let digest = f[at + 4..].concat();
        format!("  \"{}\" static-ds {} {} {} \"{digest}\";\n", f[0], f[at + 1], f[at + 2], f[at + 3])
    });
    let text = format!("trust-anchors {{\n{}}};\n", static_ds.collect::<String>());
    world.write("bind.keys", &text);
    let _unbound = fixture::unbound(&world, Unbound { minimise: true, ..Unbound::default() });
    let mut faults = Vec::new();
    for (name, rtype, verdict, holds) in CASES {
        let rtype_text = format!("TYPE{rtype}");
        // NSEC itself and names of the other server need a resolver between.
        let port = if verdict == &Insecure || name.contains("secure") || *rtype == NSEC { "5301" } else { "5300" };
        let server = format!("@{}", world.ip);
        let root = if name.ends_with("star.example") { "+root=star.example" } else { "+root=mx.example" };
        if !name.ends_with("mail.protection.example") {
            let args = [&server, "-p", port, "-a", "bind.keys", root, "+multiline", name, &rtype_text];
            let output = world.run("delv", &args);
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            let want = match (verdict, holds) {
                (Secure, Data) => said.contains("; fully validated"),
                (Secure, Nothing) => {
                    said.contains("; negative response, fully validated")
                        || said.contains("; fully validated") && (said.contains("ncache nx"))
                }
                (Insecure, _) => said.contains("unsigned answer"),
            };
            if !want || said.contains("resolution failed: ") && !said.contains("ncache") {
                faults.push(format!("delv {name} {rtype}: {said}"));
            }
        }
        let args = ["-C", "unbound.conf", "-v", "-t", &rtype_text, name];
        let said = world.said("unbound-host", &args);
        let want = if verdict == &Secure { "(secure)" } else { "(insecure)" };
        let lines: Vec<_> = said.lines().collect();
        if lines.is_empty()
            || lines.iter().any(|line| line.contains("BOGUS"))
            || !lines.iter().all(|l| l.contains(want))
        {
            faults.push(format!("unbound-host {name} {rtype}: {said}"));
        }
    }
    faults.extend(drill(&world));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// drill's chase knows positive chains; its anchor is a DNSKEY.
fn drill(world: &World) -> Vec<String> {
    let server = format!("@{}", world.ip);
    let keys = world.said("dig", &[&server, "-p", "5300", "mx.example", "DNSKEY", "+short"]);
    let anchor: String = keys
        .lines()
        .filter(|key| key.starts_with("257 "))
        .map(|key| format!("mx.example. 3600 IN DNSKEY {key}\n"))
        .collect();
    world.write("anchor-mx", &anchor);
    let mut faults = Vec::new();
    for (name, rtype, through) in [
        ("www.mx.example", "A", "|---mx.example. (DNSKEY keytag"),
        ("_25._tcp.contoso-com.a-v1.mx.example", "TLSA", "|---a-v1.mx.example. (DS keytag"),
        ("mx.example", "SOA", "|---mx.example. (DNSKEY keytag"),
        ("b-v1.mx.example", "NS", "|---b-v1.mx.example. (DS keytag"),
    ] {
        let said = world.said("drill", &["-S", "-k", "anchor-mx", &server, "-p", "5300", name, rtype]);
        let good = said.contains(through) && said.contains("flags: 257)") && said.contains("Chase successful");
        if !good || said.to_lowercase().contains("bogus") || said.contains("not ") {
            faults.push(format!("drill -S {name} {rtype}: {said}"));
        }
    }
    faults
}

#[test]
fn a_type_is_in_the_bitmap_exactly_where_it_is_answered() {
    if !has("unbound") || !has("knotd") {
        return;
    }
    let world = World::new();
    let _servers = fixture::start(&world);
    anchors(&world);
    let _unbound = fixture::unbound(&world, Unbound { aggressive: true, ..Unbound::default() });
    let mut names: Vec<String> = [
        "mx.example",
        "www.mx.example",
        "ent.mx.example",
        "er.ent.mx.example",
        "x.wild.mx.example",
        "*.wild.mx.example",
        "host.wild.mx.example",
        "x.star.mx.example",
        "odd.mx.example",
        "red.mx.example",
        "a-v1.mx.example",
        "srv.mx.example",
        "absent.mx.example",
        "absent.a-v1.mx.example",
        "any.star.example",
        "star.example",
        "many.mx.example",
    ]
    .map(str::to_owned)
    .to_vec();
    for (tenant, ..) in TENANTS {
        names.extend(["", "_tcp.", "_25._tcp."].map(|below| format!("{below}{tenant}.a-v1.mx.example")));
    }
    let types: Vec<u16> = (1..=70).chain([99, 108, 109, 256, 257, 258, 1234, 32768, 65280, 65401]).collect();
    let types: Vec<u16> = types.into_iter().filter(|t| ![OPT, RRSIG, NSEC].contains(t)).collect();
    let mut faults = Vec::new();
    for name in &names {
        let bitmap = Ask::of(name, NSEC).send(world.at(0)).bitmap(name).unwrap_or_else(|| {
            // A name that does not exist shows its NSEC in the denial.
            Ask::of(name, A).send(world.at(0)).bitmap(name).unwrap()
        });
        // A type that is absent first: its NSEC is what unbound then denies from.
        Ask::recursive(name, 65_000).send(world.at(1));
        // DS at an apex lies in the parent, and those of the anchors' zones have none here.
        let top = ["mx.example", "star.example"].contains(&&**name);
        for rtype in types.iter().filter(|rtype| **rtype != DS || !top) {
            let direct = Ask::of(name, *rtype).send(world.at(0));
            let through = Ask::recursive(name, *rtype).send(world.at(1));
            // DS at the apex of a shard lies in the parent, whose NSEC is another one.
            let expected = bitmap.contains(rtype) || *rtype == DS && name == "a-v1.mx.example";
            if direct.has(*rtype) != expected || through.has(*rtype) != expected || !through.ad {
                faults.push(format!(
                    "{name} {rtype}: bit {expected}, direct {}, through {} {}",
                    direct.has(*rtype),
                    through.has(*rtype),
                    through.rcode
                ));
            }
            if let Some(denied) = direct.bitmap(name).filter(|denied| *denied != bitmap && *rtype != DS) {
                faults.push(format!("{name} {rtype}: two bitmaps {denied:?} {bitmap:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn tenants_come_and_go_within_the_ttl_that_a_resolver_was_told() {
    if !has("unbound") {
        return;
    }
    let world = World::new();
    fixture::write(&world, "");
    // Two seconds of negative caching, so that its end can be waited for.
    let shard = world.read("zones/a-v1.mx.example.zone").replace("2w 5m", "2w 2s");
    world.write("zones/a-v1.mx.example.zone", &shard);
    let _server = world.serve("mx.example");
    anchors(&world);
    let mut unbound = fixture::unbound(&world, Unbound { aggressive: true, ..Unbound::default() });
    let endpoint = "newcomer-example.a-v1.mx.example";
    let below = format!("_25._tcp.{endpoint}");
    let names = [(endpoint, A), (&*below, TLSA)];
    for (name, rtype) in names {
        let reply = Ask::recursive(name, rtype).send(world.at(1));
        assert!(reply.ad && !reply.has(rtype), "{reply:?}");
        assert!(reply.authority.iter().all(|record| record.ttl <= 2), "{reply:?}");
    }
    world.write("zones/a-v1.mx.example/newcomer.example.toml", "domain = \"newcomer.example\"\npool = \"eu-1\"\n");
    for (name, rtype) in names {
        unbound.poll_until("the new tenant, secure", || {
            let reply = Ask::recursive(name, rtype).send(world.at(1));
            assert_eq!((reply.rcode, reply.ad), (NOERROR, true), "{name}: {reply:?}");
            reply.has(rtype).then_some(())
        });
    }
    world.remove("zones/a-v1.mx.example/newcomer.example.toml");
    for (name, rtype) in names {
        unbound.poll_until("its end", || (!Ask::of(name, rtype).send(world.at(0)).has(rtype)).then_some(()));
        // Unbound still has it, for as long as it was told; whichever it says, it is secure.
        let reply = Ask::recursive(name, rtype).send(world.at(1));
        assert!(reply.ad, "{reply:?}");
        let kinds: BTreeSet<u16> = Ask::of(name, rtype).send(world.at(0)).bitmap(name).unwrap();
        assert!(kinds.contains(&NXNAME), "{kinds:?}");
    }
    let fresh = Ask::recursive(endpoint, TXT).send(world.at(1));
    assert!(fresh.ad && !fresh.has(TXT), "{fresh:?}");
    assert!(!unbound.log().contains("validation failure"), "{}", unbound.log());
}

#[test]
fn a_small_udp_size_gets_tc_and_then_the_whole_over_tcp() {
    let world = World::new();
    fixture::write(&world, "");
    let _server = world.serve("mx.example");
    for (name, rtype) in [("big.mx.example", TXT), ("mx.example", DNSKEY), ("mx.example", CDNSKEY), ("mx.example", ANY)]
    {
        let whole = Ask::of(name, rtype).tcp().send(world.at(0));
        assert!(!whole.tc && !whole.answer.is_empty(), "{whole:?}");
        for size in [0, 1, 511, 512, 600, 900, 1231, 1232, 4096, 65_535] {
            let reply = Ask { size: Some(size), ..Ask::of(name, rtype) }.send(world.at(0));
            let limit = usize::from(size.clamp(512, 1232));
            assert!(reply.octets <= limit, "{name} {size}: {} octets", reply.octets);
            assert_eq!(reply.tc, whole.octets > limit, "{name} {size}: {} octets", whole.octets);
            if !reply.tc {
                assert_eq!(reply.answer, whole.answer);
            }
        }
    }
}
