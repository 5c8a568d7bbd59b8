//! Zones that several keys sign at once, as while keys roll: each answer has a signature by each of them, whole or not.

#![allow(clippy::panic, reason = "a test that cannot go on says why")]

#[path = "support/support.rs"]
mod support;

use mxseal::answer::{Asked, Effort, Outcome, Reply, Snapshot, Transport, respond};
use mxseal::dns::reply::UDP_SIZE_MAX;
use mxseal::dns::rrset::Rrset;
use mxseal::dns::rtype::number as rt;
use mxseal::sign::memo::Slot;
use mxseal::sign::{KeptIn, KeysFault, Signing, Subject, SubjectData};
use mxseal::time::UnixTime;
use mxseal::zone::Zone;
use std::sync::Arc;
use support::ask::Question;
use support::message::Message;
use support::verify::verify;
use support::world::{World, world};
use support::{NOW, wire_name};

/// Every kind of node.
const ZONE: &str = "
pools
    [p]
    addresses = [\"192.0.2.25\", \"2001:db8::25\"]
    tlsa = [\"3 1 1 <aa*32>\"]
zone z. KIND
    @ 3600 SOA ns.y. h 1 2 3 4 300
    @ 3600 NS ns.y.
    data 60 A 192.0.2.1
    data 60 TXT \"x\"
    x.ent 60 TXT \"x\"
    alias 60 CNAME data
    alias2 60 CNAME alias
    ring 60 CNAME ring
    dname 60 DNAME ent
    *.wild 60 A 192.0.2.2
    *.calias 60 CNAME nowhere.z.
    cut 60 NS ns.elsewhere.
    secure 60 NS ns.elsewhere.
    secure 60 DS 1 13 2 <00*32>
tenants z.
    {\"domain\":\"t1.com\",\"pool\":\"p\"}
";

/// Name, type, and the types that have signatures in the answer, each once by each key.
const CASES: &[(&str, u16, &[u16])] = &[
    ("z.", rt::SOA, &[rt::SOA]),
    ("z.", rt::DNSKEY, &[rt::DNSKEY]),
    ("z.", rt::CDS, &[rt::CDS]),
    ("z.", rt::CDNSKEY, &[rt::CDNSKEY]),
    ("z.", rt::A, &[rt::SOA, rt::NSEC]),
    ("data.z.", rt::A, &[rt::A]),
    ("data.z.", rt::ANY, &[rt::A]),
    ("data.z.", rt::RRSIG, &[rt::NSEC]),
    ("data.z.", rt::NSEC, &[rt::NSEC]),
    ("data.z.", rt::MX, &[rt::SOA, rt::NSEC]),
    ("ent.z.", rt::MX, &[rt::SOA, rt::NSEC]),
    ("missing.z.", rt::A, &[rt::SOA, rt::NSEC]),
    ("missing.z.", rt::RRSIG, &[rt::SOA, rt::NSEC]),
    ("any.wild.z.", rt::A, &[rt::A]),
    ("any.wild.z.", rt::MX, &[rt::SOA, rt::NSEC]),
    ("any.wild.z.", rt::RRSIG, &[rt::NSEC]),
    ("any.calias.z.", rt::A, &[rt::CNAME, rt::SOA, rt::NSEC]),
    ("alias2.z.", rt::A, &[rt::CNAME, rt::CNAME, rt::A]),
    ("alias.z.", rt::MX, &[rt::CNAME, rt::SOA, rt::NSEC]),
    ("ring.z.", rt::A, &[rt::CNAME]),
    ("x.dname.z.", rt::TXT, &[rt::DNAME, rt::TXT]),
    ("nobody.dname.z.", rt::TXT, &[rt::DNAME, rt::SOA, rt::NSEC]),
    ("x.cut.z.", rt::A, &[rt::NSEC]),
    ("cut.z.", rt::DS, &[rt::SOA, rt::NSEC]),
    ("x.secure.z.", rt::A, &[rt::DS]),
    ("secure.z.", rt::DS, &[rt::DS]),
    ("t1-com.z.", rt::A, &[rt::A]),
    ("_25._tcp.t1-com.z.", rt::TLSA, &[rt::TLSA]),
    ("_tcp.t1-com.z.", rt::TLSA, &[rt::SOA, rt::NSEC]),
];

const KINDS: [&str; 4] = ["csk", "csk+next", "13+15", "six"];

fn zone_of(kind: &str) -> World {
    world(&ZONE.replace("KIND", kind))
}

/// The octets and the outcome; none where the answer is deferred.
fn ask(snapshot: &Snapshot, question: &Question) -> Option<(Vec<u8>, Outcome)> {
    let (packet, mut out) = (question.packet(), vec![0; 65_535]);
    let asked = Asked {
        packet: &packet,
        source: std::net::IpAddr::from([192, 0, 2, 200]),
        transport: question.transport,
        now: UnixTime(question.now),
        effort: question.effort,
    };
    match respond(snapshot, &asked, &mut out) {
        Reply::Send(outcome) => Some((out[..outcome.length].to_vec(), outcome)),
        Reply::Deferred(_) => None,
        Reply::Silence => panic!("silence for {question:?}"),
    }
}

/// Asks with DO, over TCP and at 1232 octets alike.
fn question((name, qtype, _): &(&str, u16, &[u16])) -> Question {
    Question::signed(&wire_name(name), *qtype)
}

#[test]
fn every_kind_of_answer_has_a_valid_signature_by_each_key_and_none_is_made_twice() {
    for kind in KINDS {
        let world = zone_of(kind);
        for case @ (name, qtype, signed) in CASES {
            let context = format!("{name} TYPE{qtype} in a zone of {kind}");
            let question = question(case);
            let (octets, first) = ask(&world.snapshot, &question).expect("signing never defers");
            verify(&octets, &world, NOW, *qtype == rt::RRSIG).unwrap_or_else(|fault| panic!("{fault}: {context}"));
            let expected: usize = signed.iter().map(|covered| world.zones[0].signers_of(*covered).count()).sum();
            let message = Message::decode(&octets);
            let found = message.sections.iter().flatten().filter(|record| record.rtype == rt::RRSIG).count();
            assert_eq!((found, message.truncated()), (expected, false), "{context}");
            assert_eq!(usize::from(first.signed + first.kept), expected, "{context}");
            let kept = Question { effort: Effort::Kept, ..question };
            let (again, second) = ask(&world.snapshot, &kept).unwrap_or_else(|| panic!("not kept: {context}"));
            assert_eq!((second.signed, usize::from(second.kept)), (0, expected), "{context}");
            assert_eq!(again, octets, "{context}");
        }
    }
}

#[test]
fn what_may_not_be_signed_is_put_off_or_truncated_whole_whichever_signature_is_missing() {
    for kind in KINDS {
        for case @ (name, qtype, _) in CASES {
            let context = format!("{name} TYPE{qtype} in a zone of {kind}");
            let with = |effort| Question { effort, ..question(case) };
            assert!(ask(&zone_of(kind).snapshot, &with(Effort::Kept)).is_none(), "{context}");
            let strangers = ["missing", "any.", "nobody."].iter().any(|start| name.starts_with(start));
            assert_eq!(ask(&zone_of(kind).snapshot, &with(Effort::Own)).is_none(), strangers, "{context}");
            let (octets, outcome) = ask(&zone_of(kind).snapshot, &with(Effort::Truncate)).expect("an answer");
            assert_eq!(outcome.truncated, strangers, "{context}");
            assert!(!strangers || Message::decode(&octets).sections.iter().all(Vec::is_empty), "{context}");
        }
    }
}

#[test]
fn denials_of_random_names_drive_out_no_signature_over_data() {
    let world = zone_of("13+15");
    let own = ("data.z.", rt::A, &[rt::A][..]);
    ask(&world.snapshot, &question(&own)).expect("an answer");
    for i in 0..2000 {
        ask(&world.snapshot, &Question::signed(&wire_name(&format!("random{i}.z.")), rt::A)).expect("an answer");
    }
    let kept = Question { effort: Effort::Kept, ..question(&own) };
    assert_eq!(ask(&world.snapshot, &kept).map(|(_, outcome)| (outcome.signed, outcome.kept)), Some((0, 2)));
}

#[test]
fn a_reply_never_has_an_rrset_with_some_of_its_signatures() {
    let world = zone_of("six");
    for case @ (name, qtype, _) in CASES {
        let (whole, _) = ask(&world.snapshot, &question(case)).expect("an answer");
        let (mut truncated, mut before) = (0, Vec::new());
        for size in 512..=UDP_SIZE_MAX {
            let mut question = Question { transport: Transport::Udp, ..question(case) };
            question.edns = question.edns.map(|edns| support::ask::Edns { size, ..edns });
            let (octets, outcome) = ask(&world.snapshot, &question).expect("an answer");
            assert!(octets.len() <= usize::from(size));
            truncated += usize::from(outcome.truncated);
            if before == octets {
                continue;
            }
            before.clone_from(&octets);
            verify(&octets, &world, NOW, *qtype == rt::RRSIG).unwrap_or_else(|f| panic!("{f}: {name} {qtype} {size}"));
            let unsigned = |record: &support::message::Record| {
                let message = Message::decode(&octets);
                let is_its = |other: &support::message::Record| {
                    other.rtype == rt::RRSIG
                        && other.owner == record.owner
                        && other.data[..2] == record.rtype.to_be_bytes()
                };
                // A referral's NS and the alias that a DNAME makes have none.
                let never = [rt::RRSIG, rt::NS, rt::CNAME].contains(&record.rtype);
                !never && !message.sections.iter().flatten().any(is_its)
            };
            assert!(!Message::decode(&octets).sections.iter().flatten().any(unsigned), "{name} TYPE{qtype} {size}");
            assert_eq!(outcome.truncated, octets != whole, "{name} TYPE{qtype} {size}");
        }
        assert_eq!(truncated > 0, whole.len() > 512, "{name} TYPE{qtype}");
    }
}

#[test]
fn six_keys_with_four_signatures_fit_into_an_answer_over_udp() {
    // The longest apex of a zone of ours that is to be expected.
    let apex = "a-long-shard-v1.mail-protection.provider.example.";
    let world = world(
        &ZONE
            .replace("KIND", "six")
            .replace("zone z.", &format!("zone {apex}"))
            .replace("tenants z.", &format!("tenants {apex}")),
    );
    let question = Question { transport: Transport::Udp, ..Question::signed(&wire_name(apex), rt::DNSKEY) };
    let (octets, outcome) = ask(&world.snapshot, &question).expect("an answer");
    verify(&octets, &world, NOW, false).expect("signatures that verify");
    let message = Message::decode(&octets);
    let count = |rtype| message.sections[0].iter().filter(|record| record.rtype == rtype).count();
    assert_eq!((count(rt::DNSKEY), count(rt::RRSIG)), (6, 4));
    assert!(!outcome.truncated && octets.len() <= usize::from(UDP_SIZE_MAX), "{} octets", octets.len());
}

#[test]
fn another_first_key_voids_what_it_signs_and_one_key_fewer_leaves_the_firsts_signatures() {
    CASES.iter().for_each(voided);
}

fn voided(case: &(&str, u16, &[u16])) {
    let world = zone_of("13+15");
    let with = |zone: &Zone, data: &[usize], entry: &[usize]| {
        let keys = |at: &[usize]| at.iter().map(|at| Arc::new(world.zones[0].keys[*at].1.clone())).collect::<Vec<_>>();
        let policies = [rt::A, rt::DNSKEY].map(|rtype| *zone.signing.as_ref().expect("signed").policy(rtype));
        let signing = Signing::new(zone.apex.clone(), keys(data), keys(entry), policies[0], policies[1]).expect("keys");
        let zone = Arc::new(Zone { signing: Some(Arc::new(signing)), ..zone.clone() });
        Snapshot::new(2, vec![zone], Arc::clone(world.snapshot.identity()))
    };
    let zone = &world.snapshot.zones()[0];
    let (both, fewer, turned) = (with(zone, &[0, 1], &[0, 1]), with(zone, &[0], &[0, 1]), with(zone, &[1, 0], &[0, 1]));
    assert!(both.zones()[0].signing.as_ref().is_some_and(|one| one.is_same(zone.signing.as_ref().expect("signed"))));
    ask(&world.snapshot, &question(case)).expect("an answer");
    // Key sets are signed by others than data: their first key is the same all the time.
    let is_keys = matches!(case.1, rt::DNSKEY | rt::CDS | rt::CDNSKEY);
    let (_, outcome) = ask(&fewer, &question(case)).expect("an answer");
    assert!(outcome.kept > 0 && (is_keys || outcome.signed == 0), "{case:?}");
    if !is_keys {
        let kept = Question { effort: Effort::Kept, ..question(case) };
        assert!(ask(&turned, &kept).is_none(), "{case:?}");
    }
    let (_, outcome) = ask(&turned, &question(case)).expect("an answer");
    assert!(outcome.signed > 0 && (is_keys || outcome.kept == 0), "{case:?}");
    // Back at the keys of before, what others took the place of is signed anew.
    let (octets, _) = ask(&both, &question(case)).expect("an answer");
    verify(&octets, &world, NOW, case.1 == rt::RRSIG).expect("signatures that verify");
}

#[test]
fn one_ttl_holds_for_an_rrset_and_all_its_signatures_however_old_each_is() {
    let world =
        world("zone z. brief+15\n    @ 3600 SOA ns.y. h 1 2 3 4 300\n    @ 3600 NS ns.y.\n    data 3600 A 192.0.2.1\n");
    let zone = &world.snapshot.zones()[0];
    let signing = zone.signing.as_ref().expect("signed");
    let owner = wire_name("data.z.");
    let (set, slot) = zone.content.node(&owner).and_then(|node| node.set(rt::A)).expect("an address");
    let subject = Subject { owner: &owner, rtype: rt::A, ttl: set.ttl, data: SubjectData::Set(set) };
    // The first key's signature is older than that of the further key, which the answer makes.
    assert!(signing.sign(&subject, KeptIn::Own(slot), UnixTime(NOW), true).is_ok());
    let later = Question { now: NOW + 1, ..Question::signed(&owner, rt::A) };
    let (octets, outcome) = ask(&world.snapshot, &later).expect("an answer");
    assert_eq!((outcome.signed, outcome.kept), (1, 1));
    verify(&octets, &world, NOW + 1, false).expect("signatures that verify");
    let ttls: Vec<u32> = Message::decode(&octets).sections[0].iter().map(|record| record.ttl).collect();
    assert_eq!(ttls, [599; 3]);
    // The background pass renews the older one alone, and whichever is lost.
    let made = |slot| signing.warm(&subject, slot, UnixTime(NOW + 1)).map(|(_, made)| made);
    assert_eq!((made(slot), made(slot), made(&Slot::default())), (Ok(1), Ok(0), Ok(1)));
}

#[test]
fn lists_of_keys_that_are_no_way_to_sign_are_refused() {
    let world = zone_of("six");
    let zone = &world.snapshot.zones()[0];
    let policy = *zone.signing.as_ref().expect("signed").policy(rt::A);
    let keys =
        |count: usize| world.zones[0].keys[..count].iter().map(|(_, key)| Arc::new(key.clone())).collect::<Vec<_>>();
    let fault = |data, entry| Signing::new(zone.apex.clone(), data, entry, policy, policy).err();
    assert!(matches!(fault(vec![], keys(1)), Some(KeysFault::None(_))));
    assert!(matches!(fault(keys(1), vec![]), Some(KeysFault::None(_))));
    assert!(matches!(fault(keys(3), keys(1)), Some(KeysFault::TooMany { count: 3, max: 2, .. })));
    assert!(matches!(fault(keys(1), keys(5)), Some(KeysFault::TooMany { count: 5, max: 4, .. })));
    let twice = vec![Arc::clone(&keys(1)[0]), Arc::clone(&keys(1)[0])];
    assert!(matches!(fault(twice, keys(1)), Some(KeysFault::Twice { .. })));
    assert_eq!(fault(keys(2), keys(4)), None);
}

#[test]
fn what_one_key_keeps_is_no_larger_for_there_being_more() {
    assert_eq!(std::mem::size_of::<Slot>(), 80, "a million tenants have six each");
}

#[test]
fn a_signature_over_one_ttl_is_not_kept_for_another() {
    // cascade#797: the TTL that was signed is part of what is signed (RFC 4034 § 3.1.8.1).
    let world = zone_of("csk");
    let signing = world.snapshot.zones()[0].signing.as_ref().expect("signed");
    let owner = wire_name("data.z.");
    let slot = Slot::default();
    let set = |ttl| Rrset::new(rt::A, ttl, vec![vec![192, 0, 2, 1]]).expect("an address");
    let (before, after) = (set(300), set(600));
    for (set, ttl, is_kept) in [(&before, 300, false), (&before, 300, true), (&after, 600, false), (&after, 600, true)]
    {
        let subject = Subject { owner: &owner, rtype: rt::A, ttl, data: SubjectData::Set(set.view()) };
        assert_eq!(signing.kept(&subject, KeptIn::Own(&slot), UnixTime(NOW)).is_some(), is_kept, "TTL {ttl}");
        assert!(signing.sign(&subject, KeptIn::Own(&slot), UnixTime(NOW), true).is_ok());
    }
}
