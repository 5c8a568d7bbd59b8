//! Small random worlds as text, and questions near their names. One seed gives one world, on every machine.

use crate::support::ask::{Edns, Question};
use crate::support::wire_name;
use mxseal::answer::Transport;
use mxseal::dns::rtype::number as rt;
use std::fmt::Write;

/// A generator of numbers (xorshift64*).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).expect("31 bits") % sides
    }

    pub fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.roll(of.len())]
    }

    pub fn chance(&mut self, of: usize) -> bool {
        self.roll(of) == 0
    }
}

const LABELS: &[&str] = &["a", "b", "c", "*", "_tcp", "t1-com", "d\\.e"];
const TYPES: &[u16] = &[
    rt::A,
    rt::A,
    rt::AAAA,
    rt::TXT,
    rt::MX,
    rt::NS,
    rt::SOA,
    rt::CNAME,
    rt::DNAME,
    rt::DS,
    rt::DNSKEY,
    rt::CDS,
    rt::CDNSKEY,
    rt::NSEC,
    rt::RRSIG,
    rt::ANY,
    rt::TLSA,
    rt::HTTPS,
    rt::SRV,
    0,
    1234,
    65_400,
    65_535,
];
const DATA: &[&str] = &[
    "A 192.0.2.1",
    "A 192.0.2.2",
    "AAAA 2001:db8::1",
    "TXT \"x\"",
    "MX 10 a.z.",
    "MX 20 t1-com.z.",
    "MX 20 b.c.z.",
    "SRV 0 0 25 a.t1-com.z.",
    "SRV 0 0 25 b.z.",
    "HTTPS 1 a.b.z. alpn=h2",
    "TLSA 3 1 1 <dd*32>",
    "TYPE1234 \\# 2 0102",
    "TYPE65400 \\# 1 ff",
    "TYPE65535 \\# 1 00",
];

fn name(dice: &mut Dice, apex: &str) -> String {
    let mut name = String::new();
    for _ in 0..=dice.roll(3) {
        // The tenants' label is theirs.
        let label = dice.one(LABELS);
        write!(name, "{}.", if label == "t1-com" { "a" } else { label }).expect("a string grows");
    }
    name + apex
}

fn anywhere(dice: &mut Dice) -> String {
    let apex = dice.one(&["z.", "z.", "a.z.", "y.", "elsewhere."]);
    if dice.chance(6) { apex.to_owned() } else { name(dice, apex) }
}

fn zone(dice: &mut Dice, apex: &str, text: &mut String) {
    let kind = dice.one(&["csk", "csk", "ksk+zsk", "unsigned", "csk+next", "13+15"]);
    let (ttl, minimum) = (dice.one(&["60", "3600"]), dice.one(&["30", "300", "7200"]));
    write!(text, "zone {apex} {kind}\n    @ {ttl} SOA ns.y. h 1 2 3 4 {minimum}\n    @ 900 NS ns.y.\n").expect("grows");
    if dice.chance(2) {
        writeln!(text, "    @ 900 NS {}", anywhere(dice)).expect("grows");
    }
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..5 + dice.roll(10) {
        names.insert(name(dice, apex));
    }
    for owner in names {
        let ttl = dice.one(&["60", "600"]);
        let wildcard = owner.starts_with('*');
        match dice.roll(9) {
            0 | 1 => writeln!(text, "    {owner} {ttl} CNAME {}", anywhere(dice)),
            2 if !wildcard => writeln!(text, "    {owner} {ttl} DNAME {}", anywhere(dice)),
            3 if !wildcard => {
                writeln!(text, "    {owner} {ttl} NS ns.elsewhere.").expect("grows");
                if dice.chance(2) {
                    writeln!(text, "    {owner} {ttl} NS g.{owner}\n    g.{owner} 60 A 192.0.2.9").expect("grows");
                }
                if dice.chance(2) {
                    writeln!(text, "    {owner} {ttl} NS {}", anywhere(dice)).expect("grows");
                }
                if dice.chance(2) {
                    writeln!(text, "    {owner} {ttl} DS 1 13 2 <00*32>").expect("grows");
                }
                if dice.chance(3) { writeln!(text, "    {owner} {ttl} TXT \"occluded\"") } else { Ok(()) }
            }
            _ => (0..=dice.roll(3)).try_for_each(|_| writeln!(text, "    {owner} {ttl} {}", dice.one(DATA))),
        }
        .expect("a string grows");
    }
}

/// A world of two to four zones.
pub fn world(dice: &mut Dice) -> String {
    let mut text = String::from(
        "pools\n    [p]\n    addresses = [\"192.0.2.25\", \"2001:db8::25\"]\n    tlsa = [\"3 1 1 <aa*32>\"]\n    [q]\n    \
         addresses = [\"192.0.2.26\"]\n    tlsa = [\"3 1 1 <bb*32>\", \"3 1 1 <cc*32>\"]\n",
    );
    zone(dice, "z.", &mut text);
    let (pool, dane) = (dice.one(&["p", "q"]), dice.one(&["true", "true", "false"]));
    writeln!(text, "tenants z.\n    {{\"domain\":\"t1.com\",\"pool\":\"{pool}\",\"dane\":{dane}}}").expect("grows");
    if dice.chance(2) {
        zone(dice, "a.z.", &mut text);
    }
    if dice.chance(3) {
        zone(dice, "b.a.z.", &mut text);
    }
    zone(dice, "y.", &mut text);
    text
}

/// A question near the names of these worlds.
pub fn question(dice: &mut Dice) -> Question {
    let mut text = match dice.roll(8) {
        0 => {
            dice.one(&["t1-com.z.", "_tcp.t1-com.z.", "_25._tcp.t1-com.z.", "a.t1-com.z.", "a.a.t1-com.z."]).to_owned()
        }
        1 => format!("{}.{}", dice.one(&["g", "a", "*", "b"]), anywhere(dice)),
        2 => dice.one(&["z.", "a.z.", "b.a.z.", "y.", ".", "t1-com.y."]).to_owned(),
        _ => anywhere(dice),
    };
    if dice.chance(5) {
        text = text.to_ascii_uppercase();
    }
    let mut question = Question::new(&wire_name(&text), TYPES[dice.roll(TYPES.len())]);
    question.rd = dice.chance(4);
    question.cd = dice.chance(4);
    question.transport = [Transport::Udp, Transport::Tcp, Transport::Encrypted][dice.roll(3)];
    if !dice.chance(4) {
        question.edns = Some(Edns {
            size: [0, 512, 700, 1232, 4096][dice.roll(5)],
            dnssec_ok: !dice.chance(3),
            compact_ok: dice.chance(3),
            nsid: dice.chance(6),
            cookie: dice.chance(6),
            unknown: dice.chance(6),
            ..Edns::default()
        });
    }
    question
}
