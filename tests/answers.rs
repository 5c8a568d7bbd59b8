//! Properties of all answers: random small worlds against an oracle, every type and class, effort, memo, allocations.

#![allow(clippy::panic, reason = "a test that cannot go on says why")]

#[path = "answers/generator.rs"]
mod generator;
#[path = "answers/oracle.rs"]
mod oracle;
#[path = "support/support.rs"]
mod support;

use arc_swap::ArcSwap;
use generator::Dice;
use hickory_proto::op::Message as Decoded;
use mxseal::answer::{Account, Asked, Class, Effort, Outcome, Reply, Snapshot, Transport, limited, respond};
use mxseal::dns::rtype::number as rt;
use mxseal::serve::{RateLimit, Settings, bind, start};
use mxseal::time::UnixTime;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::ask::{Back, Edns, Question};
use support::cut::assert_cut;
use support::message::Message;
use support::verify::verify;
use support::world::{World, world};
use support::{NOW, wire_name};

/// Worlds that one run makes; each gets [`QUESTIONS`] questions.
const WORLDS: u64 = 150;
const QUESTIONS: usize = 120;

/// The reply as text without case, checked for all that holds for every reply.
fn shown(world: &World, question: &Question, octets: &[u8], context: &str) -> String {
    let message = Message::decode(octets);
    assert!(octets.len() <= question.limit(), "{} octets {context}", octets.len());
    assert_eq!(message.opt.is_some(), question.edns.is_some(), "OPT {context}");
    assert_eq!(message.question, question.octets(), "the question, octet for octet {context}");
    if let Err(fault) = verify(octets, world, question.now, question.qtype == rt::RRSIG) {
        panic!("{fault} {context}");
    }
    message.print(world).to_ascii_lowercase()
}

fn context(text: &str, question: &Question) -> String {
    format!("for {} {question:?} in\n{text}", mxseal::dns::name::print(&question.name))
}

#[test]
fn random_answers_are_those_of_the_oracle_whatever_was_asked_before() {
    for seed in 0..WORLDS {
        let mut dice = Dice::new(seed);
        let text = generator::world(&mut dice);
        let world = world(&text);
        for _ in 0..QUESTIONS {
            let question = generator::question(&mut dice);
            let context = context(&text, &question);
            let whole = Question { transport: Transport::Tcp, ..question.clone() };
            let octets = whole.reply(&world.snapshot);
            let found = shown(&world, &whole, &octets, &context);
            let expected = oracle::expect(&world, &whole).text.to_ascii_lowercase();
            assert_eq!(found, expected, "seed {seed} {context}");
            let limited = question.reply(&world.snapshot);
            let shorter = shown(&world, &question, &limited, &context);
            match octets.len() <= question.limit() {
                true => assert_eq!(shorter, found, "{context}"),
                false => {
                    let [whole, cut] = [&octets, &limited].map(|octets| Message::decode(octets));
                    assert_cut(&whole, &cut, (limited.len(), question.limit()), &context);
                }
            }
        }
    }
}

#[test]
fn a_cold_memo_and_a_warm_one_give_the_same_answers() {
    for seed in 1000..1010 {
        let mut dice = Dice::new(seed);
        let text = generator::world(&mut dice);
        let warm = world(&text);
        for _ in 0..60 {
            let question = generator::question(&mut dice);
            let cold = world(&text);
            let show = |world: &World| Message::decode(&question.reply(&world.snapshot)).print(world);
            let first = show(&cold);
            assert_eq!(first, show(&warm), "{}", context(&text, &question));
            assert_eq!(first, show(&cold), "{}", context(&text, &question));
        }
    }
}

fn outcome(world: &World, question: &Question) -> Option<Outcome> {
    let (packet, mut out) = (question.packet(), vec![0; 65_535]);
    match respond(&world.snapshot, &asked(&packet, question), &mut out) {
        Reply::Send(outcome) => Some(outcome),
        Reply::Deferred(_) => None,
        Reply::Silence => panic!("silence for {question:?}"),
    }
}

fn asked<'a>(packet: &'a [u8], question: &Question) -> Asked<'a> {
    Asked {
        packet,
        source: std::net::IpAddr::from([192, 0, 2, 200]),
        transport: question.transport,
        now: UnixTime(question.now),
        effort: question.effort,
    }
}

#[test]
fn effort_means_what_it_says() {
    for seed in 2000..2012 {
        let mut dice = Dice::new(seed);
        let text = generator::world(&mut dice);
        let warm = world(&text);
        for _ in 0..60 {
            let sign = Question { transport: Transport::Tcp, ..generator::question(&mut dice) };
            let [kept, truncate] = [Effort::Kept, Effort::Truncate].map(|effort| Question { effort, ..sign.clone() });
            let context = context(&text, &sign);
            let unkept = oracle::expect(&warm, &sign).unkept;
            // A first question that may not sign is deferred just if the answer has a signature.
            let cold = world(&text);
            let deferred = outcome(&cold, &kept).is_none();
            let full = outcome(&cold, &sign).expect("signing never defers");
            assert_eq!(deferred, full.signed > 0, "{context}");
            assert!(!full.truncated && full.kept == 0, "{context}");
            // Once signed it is kept, for good or for a while.
            for again in [&kept, &sign, &truncate] {
                let again = outcome(&cold, again).expect("nothing is left to sign");
                assert_eq!((again.signed, again.kept), (0, full.signed), "{context}");
            }
            // Truncate makes what is kept for good, and refuses the rest by TC alone.
            let refused = outcome(&world(&text), &truncate).expect("truncating never defers");
            assert_eq!(refused.truncated, unkept, "{context}");
            let octets = truncate.reply(&warm.snapshot);
            if unkept {
                assert_eq!(Message::decode(&octets).sections.map(|records| records.len()), [0; 3], "{context}");
            } else {
                assert_eq!(refused, full, "{context}");
            }
        }
    }
}

/// Every kind of node: data, aliases, cuts, wildcards, empty ones, tenants, unknown types.
const KINDS: &str = "
pools
    [p]
    addresses = [\"192.0.2.25\", \"2001:db8::25\"]
    tlsa = [\"3 1 1 <aa*32>\"]
    [q]
    addresses = [\"192.0.2.26\"]
    tlsa = [\"3 1 1 <aa*32>\"]
zone z.
    @ 3600 SOA ns.y. h 1 2 3 4 300
    @ 3600 NS ns.y.
    @ 3600 TYPE65535 \\# 1 00
    data 60 A 192.0.2.1
    data 60 CAA 0 issue \"x\"
    data 60 TYPE65400 \\# 1 00
    x.ent 60 TXT \"x\"
    alias 60 CNAME data
    dname 60 DNAME data
    dname 60 TXT \"x\"
    *.wild 60 A 192.0.2.2
    *.wild 60 MX 1 data
    *.calias 60 CNAME nowhere.z.
    x.*.went 60 A 192.0.2.3
    cut 60 NS ns.elsewhere.
    secure 60 NS ns.elsewhere.
    secure 60 DS 1 13 2 <00*32>
zone child.z.
    @ 3600 SOA ns.y. h 1 2 3 4 300
    @ 3600 NS ns.y.
tenants z.
    {\"domain\":\"t1.com\",\"pool\":\"p\"}
    {\"domain\":\"t2.com\",\"pool\":\"q\",\"dane\":false}
zone plain. unsigned
    @ 3600 SOA ns.y. h 1 2 3 4 300
    @ 3600 NS ns.y.
";

const NAMES: &[&str] = &[
    "z.",
    "data.z.",
    "ent.z.",
    "alias.z.",
    "dname.z.",
    "x.wild.z.",
    "*.wild.z.",
    "x.calias.z.",
    "x.went.z.",
    "went.z.",
    "child.z.",
    "t1-com.z.",
    "_tcp.t1-com.z.",
    "_25._tcp.t1-com.z.",
    "t2-com.z.",
    "missing.z.",
];

/// Types that get an error or many RRsets, whatever the name: they are no data.
fn is_meta(qtype: u16) -> bool {
    matches!(qtype, rt::OPT | rt::NXNAME | 249..=255)
}

#[test]
fn a_bit_is_set_in_a_bitmap_just_if_the_type_is_answered() {
    let world = world(KINDS);
    for text in NAMES {
        let name = wire_name(text);
        let denial = Message::decode(&Question::signed(&name, rt::PTR).reply(&world.snapshot));
        let asked = Message::decode(&Question::signed(&name, rt::NSEC).reply(&world.snapshot));
        let records = denial.sections[1].iter().chain(&asked.sections[0]);
        let bitmaps: Vec<&[u8]> = records
            .filter(|record| record.rtype == rt::NSEC && record.owner == name)
            .map(|record| &record.data[1 + usize::from(record.data[0]) + name.len()..])
            .collect();
        let bitmap = bitmaps.first().expect("an NSEC");
        assert!(bitmaps.iter().all(|other| other == bitmap), "{text}");
        let has = |rtype| mxseal::sign::denial::has_type(bitmap, rtype);
        assert_eq!(has(rt::NXNAME), *text == "missing.z.");
        for qtype in (0..=u16::MAX).filter(|qtype| !is_meta(*qtype)) {
            let octets = Question::new(&name, qtype).reply(&world.snapshot);
            let has_answer = octets[6..8] != [0, 0];
            let message = has_answer.then(|| Message::decode(&octets));
            let first = message.as_ref().and_then(|message| message.sections[0].first());
            // Of DS at an apex the parent speaks.
            let own = text != &"child.z." || qtype != rt::DS;
            let answered = first.is_some_and(|record| record.owner == name && record.rtype == qtype) && own;
            let exists = *text != "missing.z." || !matches!(qtype, rt::RRSIG | rt::NSEC);
            assert_eq!(answered, has(qtype) && exists, "{text} TYPE{qtype}");
        }
    }
}

#[test]
fn ds_bits_at_cuts_are_true_and_nothing_else_is_claimed_there() {
    let world = world(KINDS);
    for (text, secure) in [("cut.z.", false), ("secure.z.", true), ("child.z.", true)] {
        let name = wire_name(text);
        let message = Message::decode(&Question::signed(&name, rt::DS).reply(&world.snapshot));
        assert_eq!(message.sections[0].iter().any(|record| record.rtype == rt::DS), secure, "{text}");
        let shown = message.print(&world);
        assert_eq!(shown.contains("NSEC cut\\000.z. NS RRSIG NSEC\n"), !secure, "{shown}");
    }
}

#[test]
fn every_type_class_and_opcode_gets_an_answer() {
    let world = world(KINDS);
    let mut out = vec![0; 65_535];
    let mut ask = |question: &Question| {
        let packet = question.packet();
        match respond(&world.snapshot, &asked(&packet, question), &mut out) {
            Reply::Send(outcome) => {
                assert!(outcome.length >= 12 && out[2] & 0x80 != 0 && out[..2] == packet[..2]);
                out[3] & 15
            }
            other => panic!("{other:?} for {question:?}"),
        }
    };
    for text in ["data.z.", "x.wild.z.", "x.cut.z.", "t1-com.z.", "elsewhere."] {
        let name = wire_name(text);
        for qtype in 0..=u16::MAX {
            let question = Question::new(&name, qtype);
            assert!(matches!(ask(&question), 0 | 1 | 4 | 5), "{text} TYPE{qtype}");
            // Other classes get one reply each, whatever the type (CVE-2026-5946).
            let qclasses: &[u16] = if text == "t1-com.z." { &[3, 4, 254, 255, 0] } else { &[] };
            for &qclass in qclasses {
                assert_eq!(ask(&Question { qclass, ..question.clone() }), 5, "{text} TYPE{qtype} CLASS{qclass}");
            }
        }
        for opcode in 1..16 {
            for qtype in [0, rt::A, rt::TKEY, rt::OPT, rt::ANY, 65_535] {
                let edns = Some(Edns { dnssec_ok: true, ..Edns::default() });
                assert_eq!(ask(&Question { opcode, edns, ..Question::new(&name, qtype) }), 4);
            }
        }
    }
}

#[test]
fn hickory_decodes_answers_of_every_type() {
    let world = world(KINDS);
    for text in NAMES {
        for qtype in (0..300).chain([1234, 32_768, 65_400, 65_535]) {
            let octets = Question::signed(&wire_name(text), qtype).reply(&world.snapshot);
            let decoded = Decoded::from_vec(&octets).unwrap_or_else(|fault| panic!("{text} TYPE{qtype}: {fault}"));
            assert_eq!(decoded.queries.len(), 1);
        }
    }
}

#[test]
fn a_tenant_that_comes_or_goes_takes_its_empty_names_along() {
    let with = world(KINDS);
    let at = with.snapshot.zones().iter().position(|zone| *zone.apex == *b"\x01z\x00").expect("the zone");
    let mut zone = (*with.snapshot.zones()[at]).clone();
    let tenant = zone.tenants.remove(b"t1-com").expect("the tenant");
    let swapped = |zone: &mxseal::zone::Zone| {
        let mut zones = with.snapshot.zones().to_vec();
        zones[at] = std::sync::Arc::new(zone.clone());
        mxseal::answer::Snapshot::new(2, zones, std::sync::Arc::clone(with.snapshot.identity()))
    };
    let gone = swapped(&zone);
    zone.tenants.insert(tenant);
    let back = swapped(&zone);
    let claims = |snapshot, name: &str| {
        let octets = Question::signed(&wire_name(name), rt::PTR).reply(snapshot);
        verify(&octets, &with, NOW, false).expect("signatures that verify");
        Message::decode(&octets).print(&with).contains("NXNAME")
    };
    for name in ["t1-com.z.", "_tcp.t1-com.z.", "_25._tcp.t1-com.z."] {
        for _ in 0..2 {
            assert!(!claims(&with.snapshot, name) && claims(&gone, name) && !claims(&back, name), "{name}");
        }
    }
}

#[test]
fn a_pool_that_changes_leaves_no_old_signature_behind() {
    let world = world(KINDS);
    let zones = world.snapshot.zones();
    let at = zones.iter().position(|zone| *zone.apex == *b"\x01z\x00").expect("the zone");
    let mut zone = (*zones[at]).clone();
    let records =
        mxseal::zone::endpoint::Records::new(&["192.0.2.99".parse().expect("an address")], &[[0xee; 32]], 1800);
    zone.pools = std::sync::Arc::new(vec![Some(std::sync::Arc::new(records)), None]);
    let mut changed = zones.to_vec();
    changed[at] = std::sync::Arc::new(zone);
    let changed = mxseal::answer::Snapshot::new(2, changed, std::sync::Arc::clone(world.snapshot.identity()));
    // Both share the tenants and so the places of their signatures; each must verify whoever filled the place.
    for _ in 0..2 {
        for (name, qtype, before, after) in [
            ("t1-com.z.", rt::A, "A 192.0.2.25", "A 192.0.2.99"),
            ("t1-com.z.", rt::AAAA, "AAAA 2001:db8::25", "A RRSIG NSEC"),
            ("t1-com.z.", rt::MX, "A AAAA RRSIG NSEC", "A RRSIG NSEC"),
            ("_25._tcp.t1-com.z.", rt::TLSA, "TLSA 3 1 1 aaaa", "TLSA 3 1 1 eeee"),
        ] {
            for (snapshot, expected) in [(&world.snapshot, before), (&changed, after)] {
                let octets = Question::signed(&wire_name(name), qtype).reply(snapshot);
                verify(&octets, &world, NOW, false).expect("signatures that verify");
                let shown = Message::decode(&octets).print(&world);
                assert!(shown.contains(expected), "{expected} in {shown}");
            }
        }
    }
}

/// Counts what this thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// The only way to see allocations: a global allocator, whose trait is unsafe. It hands everything to the system's.
#[allow(unsafe_code)]
// SAFETY: each call goes to the system's allocator with its arguments unchanged; the counter is a plain cell of this
// thread that is never dropped and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: `place` came from `alloc` above, hence from the system's allocator, with this layout.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations(act: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    act();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn warm_answers_allocate_nothing() {
    let world = world(KINDS);
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 1, "the counter counts");
    let questions = [
        ("t1-com.z.", rt::A),
        ("t1-com.z.", rt::AAAA),
        ("_25._tcp.t1-com.z.", rt::TLSA),
        ("t1-com.z.", rt::MX),
        ("_tcp.t1-com.z.", rt::TLSA),
        ("t2-com.z.", rt::AAAA),
        ("data.z.", rt::A),
        ("data.z.", rt::TXT),
        ("ent.z.", rt::TXT),
        ("alias.z.", rt::A),
        ("z.", rt::SOA),
        ("z.", rt::DNSKEY),
        ("secure.z.", rt::A),
        ("cut.z.", rt::A),
        ("cut.z.", rt::DS),
        ("elsewhere.", rt::A),
    ];
    let mut out = vec![0; 65_535];
    for (text, qtype) in questions {
        let edns = Edns { size: 1232, dnssec_ok: true, nsid: true, cookie: true, ..Edns::default() };
        let mut question = Question { edns: Some(edns), ..Question::new(&wire_name(text), qtype) };
        let cold = question.reply(&world.snapshot);
        question.effort = Effort::Kept;
        let packet = question.packet();
        let mut reply = Reply::Silence;
        let count = allocations(|| reply = respond(&world.snapshot, &asked(&packet, &question), &mut out));
        assert_eq!(count, 0, "{text} TYPE{qtype}");
        assert!(matches!(reply, Reply::Send(outcome) if outcome.signed == 0 && out[..outcome.length] == cold));
    }
    // Without DO nothing is signed: neither does a denial of a random name allocate.
    let question = Question::new(&wire_name("random.z."), rt::A);
    let packet = question.packet();
    let mut reply = Reply::Silence;
    assert_eq!(allocations(|| reply = respond(&world.snapshot, &asked(&packet, &question), &mut out)), 0);
    assert!(matches!(reply, Reply::Send(_)));
    assert_eq!(allocations(|| reply = limited(&world.snapshot, &asked(&packet, &question), &mut out)), 0);
    assert!(matches!(reply, Reply::Send(outcome) if outcome.truncated));
}

#[test]
fn limits_count_by_outcome_and_zone_and_by_name_where_strangers_cannot_invent_it() {
    let account = |name: &str, qtype: u16, effort: Effort| {
        let question = Question { effort, ..Question::signed(&wire_name(name), qtype) };
        let (world, packet, mut out) = (world(KINDS), question.packet(), vec![0; 1232]);
        match respond(&world.snapshot, &asked(&packet, &question), &mut out) {
            Reply::Send(outcome) => outcome.account,
            Reply::Deferred(account) => account,
            Reply::Silence => panic!("silence for {name}"),
        }
    };
    let zone = |name| mxseal::dns::rrset::hash_name(&wire_name(name));
    for (name, qtype, class, apex, has_name) in [
        ("data.z.", rt::A, Class::Positive, "z.", true),
        ("t1-com.z.", rt::A, Class::Positive, "z.", true),
        ("z.", rt::SOA, Class::Positive, "z.", true),
        ("data.z.", rt::NSEC, Class::Positive, "z.", true),
        ("alias.z.", rt::A, Class::Positive, "z.", true),
        ("x.wild.z.", rt::A, Class::Positive, "z.", false),
        ("x.wild.z.", rt::NSEC, Class::Positive, "z.", false),
        ("data.dname.z.", rt::A, Class::Denial, "z.", false),
        ("data.dname.z.", rt::CNAME, Class::Positive, "z.", false),
        ("x.calias.z.", rt::A, Class::Denial, "z.", false),
        ("x.calias.z.", rt::CNAME, Class::Positive, "z.", false),
        ("data.z.", rt::MX, Class::Denial, "z.", false),
        ("t1-com.z.", rt::MX, Class::Denial, "z.", false),
        ("missing.z.", rt::A, Class::Denial, "z.", false),
        ("missing.child.z.", rt::A, Class::Denial, "child.z.", false),
        ("missing.plain.", rt::A, Class::Denial, "plain.", false),
        ("x.cut.z.", rt::A, Class::Referral, "z.", false),
        ("secure.z.", rt::A, Class::Referral, "z.", false),
        ("secure.z.", rt::DS, Class::Positive, "z.", true),
    ] {
        let found = account(name, qtype, Effort::Sign);
        assert_eq!((found.class, found.zone, found.name != 0), (class, zone(apex), has_name), "{name} TYPE{qtype}");
        assert!(!has_name || found.name == zone(name), "{name}");
        // Known before the first signature is made, so that whoever is limited costs none.
        assert_eq!(account(name, qtype, Effort::Kept).class, first_class(name, class), "{name} TYPE{qtype}");
    }
    for (name, qtype) in [("elsewhere.", rt::A), ("z.", rt::AXFR), ("z.", rt::NXNAME)] {
        assert_eq!(account(name, qtype, Effort::Sign), Account::default(), "{name}");
    }
}

/// Where an alias leads is not known before the alias itself is signed.
fn first_class(name: &str, class: Class) -> Class {
    let is_alias = ["data.dname.z.", "x.calias.z.", "alias.z."].contains(&name);
    if is_alias { Class::Positive } else { class }
}

/// Allocations of the server's thread when it last asked for an answer, and how many answers it asked for.
static THREAD_ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static ASKED: AtomicUsize = AtomicUsize::new(0);

fn watched(snapshot: &Snapshot, asked: &Asked<'_>, out: &mut [u8]) -> Reply {
    THREAD_ALLOCATIONS.store(ALLOCATIONS.with(Cell::get), Ordering::SeqCst);
    ASKED.fetch_add(1, Ordering::SeqCst);
    respond(snapshot, asked, out)
}

#[test]
fn a_thread_that_answers_over_udp_and_limits_allocates_nothing() {
    // The server's clock is the real one; only without DO is everything warm at once.
    let question = Question::new(&wire_name("data.z."), rt::A);
    let slot = Arc::new(ArcSwap::from_pointee(world(KINDS).snapshot));
    let (listeners, _) = bind(&["127.0.0.1:0".parse().expect("an address")], 1).expect("bound");
    let rates = RateLimit { answers_per_second: 50, limit_loopback: true, dry_run: false };
    let running = start(listeners, &slot, &Settings { rates, ..Settings::default() }, watched).expect("started");
    let client = UdpSocket::bind("127.0.0.1:0").expect("bound");
    client.connect(running.addresses()[0]).expect("connected");
    client.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    let (mut limited, mut before) = (0, 0);
    for round in 0..400 {
        client.send(&question.packet()).expect("sent");
        let mut octets = [0; 512];
        let length = client.recv(&mut octets).expect("an answer");
        limited += usize::from(Message::decode(&octets[..length]).truncated());
        if round == 0 {
            before = THREAD_ALLOCATIONS.load(Ordering::SeqCst);
        }
    }
    assert_eq!(ASKED.load(Ordering::SeqCst), 400);
    assert!(limited > 0 && limited <= 350, "both were seen: {limited}");
    assert_eq!(THREAD_ALLOCATIONS.load(Ordering::SeqCst), before);
    assert_eq!(running.drain(), [] as [String; 0]);
}

#[test]
fn silence_is_for_responses_and_fragments_alone() {
    let world = world(KINDS);
    let whole = Question::signed(&wire_name("data.z."), rt::A);
    for opcode in 0..16 {
        for qdcount in 0..3 {
            let response = Question { response: true, opcode, qdcount, ..whole.clone() };
            assert_eq!(response.ask(&world.snapshot), Back::Silence);
        }
    }
    let (packet, mut out) = (whole.packet(), vec![0; 512]);
    for length in 0..packet.len() {
        let reply = respond(&world.snapshot, &asked(&packet[..length], &whole), &mut out);
        assert_eq!(reply == Reply::Silence, length < 12, "{length} octets");
    }
}
