//! Our own server, observed: as it should be, and with each thing that differs named.

use super::relay::{asked, both};
use super::zones::name;
use crate::live::{World, wire};
use mxseal::observe::own::{OwnExpected, observe_zone};
use mxseal::sign::key::key_tag;
use mxseal::time::now;

const CONFIG: &str =
    "version = 1\n[server]\nlisten = [\"{ip}:5300\"]\n[metrics]\nlisten = \"\"\n[log]\nlevel = \"warn\"\n";
const ZONE: &str = "$TTL 1h\n@ IN SOA ns hostmaster 1 4h 1h 2w 5m\n@ NS ns\nns A {ip}\n";

/// What is served now, taken by another client: tests change it and see the change named.
fn served(world: &World, zone: &str) -> OwnExpected {
    let data = |rtype| {
        let reply = wire::Ask::of(zone, rtype).once(world.at(0), crate::live::PATIENCE).unwrap();
        let own = reply.answer.into_iter().filter(|record| record.rtype == rtype);
        own.map(|record| record.data).collect::<Vec<_>>()
    };
    let dnskey = data(wire::DNSKEY);
    let with = |flag: u8| dnskey.iter().filter(|key| key[1] & 1 == flag).map(|key| key_tag(key)).collect::<Vec<_>>();
    let (entry, zone_keys) = (with(1), with(0));
    let signing = |rtype| {
        let reply = wire::Ask::of(zone, rtype).once(world.at(0), crate::live::PATIENCE).unwrap();
        let rrsigs = reply.answer.into_iter().filter(|record| record.rtype == wire::RRSIG);
        rrsigs.map(|record| u16::from_be_bytes([record.data[16], record.data[17]])).collect::<Vec<_>>()
    };
    let expected = OwnExpected {
        key_tags: signing(wire::DNSKEY),
        data_tags: signing(wire::SOA),
        unpublished: Vec::new(),
        cds: data(wire::CDS),
        dnskey,
    };
    assert!(expected.key_tags.iter().all(|tag| entry.contains(tag)), "{expected:?} {zone_keys:?}");
    expected
}

#[test]
fn a_zone_that_is_served_well_gives_facts() {
    let world = World::new();
    world.write("mxseal.toml", CONFIG);
    world.write("zones/mx.example.zone", ZONE);
    world.write("zones/star.example.zone", &format!("{ZONE}* TXT \"all\"\n"));
    let _server = world.serve("mx.example");
    for zone in ["mx.example", "star.example"] {
        let expected = served(&world, zone);
        let facts = observe_zone(&[world.at(0)], &name(&format!("{zone}.")), &expected, now()).unwrap();
        assert_eq!(facts.dnskey_ttl, 3600);
        assert!(facts.keys_expire > now().after(9 * 86_400) && facts.keys_expire < now().after(15 * 86_400));
        assert!(facts.data_expire > now().after(2 * 86_400) && facts.data_expire < now().after(4 * 86_400));
    }
}

#[test]
fn each_thing_that_differs_is_named_with_its_address() {
    let world = World::new();
    world.write("mxseal.toml", CONFIG);
    world.write("zones/mx.example.zone", ZONE);
    let _server = world.serve("mx.example");
    let good = served(&world, "mx.example");
    let mut other = good.clone();
    other.dnskey[0][5] ^= 1;
    let changes = [
        ("DNSKEY is [", other),
        ("is signed by the keys", OwnExpected { key_tags: vec![1], ..good.clone() }),
        ("SOA is signed by the keys", OwnExpected { data_tags: Vec::new(), ..good.clone() }),
        ("CDS is [", OwnExpected { cds: vec![vec![1, 2, 13, 2, 3]], ..good.clone() }),
        ("CDS is not NOERROR with AA and an empty answer", OwnExpected { cds: Vec::new(), ..good.clone() }),
    ];
    for (part, expected) in changes {
        let faults = observe_zone(&[world.at(0)], &name("mx.example."), &expected, now()).unwrap_err();
        assert_eq!((faults.len(), faults[0].server), (1, Some(world.at(0))));
        assert!(faults[0].what.contains(part) && faults[0].what.contains(&world.at(0).to_string()), "{faults:?}");
    }
    // The signatures of today do not serve a later day, and one silent address is enough.
    assert!(observe_zone(&[world.at(0)], &name("mx.example."), &good, now().after(20 * 86_400)).is_err());
    let faults = observe_zone(&[world.at(0), world.at(3)], &name("mx.example."), &good, now()).unwrap_err();
    assert_eq!((faults.len(), faults[0].server), (1, Some(world.at(3))));
    assert!(observe_zone(&[], &name("mx.example."), &good, now()).is_err());
}

#[test]
fn a_signature_that_is_not_what_the_key_made_is_named_for_every_kind_of_answer() {
    let world = World::new();
    world.write("mxseal.toml", CONFIG);
    world.write("zones/mx.example.zone", ZONE);
    let _server = world.serve("mx.example");
    let good = served(&world, "mx.example");
    let seen = |spoilt: u16| {
        let server = both(world.at(0), move |question, reply| {
            // The last record but OPT is a signature.
            let at = reply.len() - 11 - 8;
            reply[at] ^= u8::from(asked(question) == spoilt);
        });
        observe_zone(&[server], &name("mx.example."), &good, now())
    };
    assert!(seen(0).is_ok(), "{:?}", seen(0));
    // The last is the type that is only denied.
    for spoilt in [wire::DNSKEY, wire::SOA, wire::CDS, wire::CDNSKEY, 65_311] {
        let faults = seen(spoilt).unwrap_err();
        assert!(faults[0].what.contains("did not make the signature"), "{spoilt}: {faults:?}");
    }
}
