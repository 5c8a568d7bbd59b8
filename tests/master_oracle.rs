//! Master files read twice: by mxseal and by the parsers of others; and files of any octets, of which nothing is lost.

// A test fails by panicking, and says which text it was about.
#![allow(clippy::panic)]

use domain::base::Rtype;
use domain::base::rdata::ComposeRecordData;
use domain::zonefile::inplace::{Entry, Zonefile};
use hickory_proto::rr::{RData, RecordType};
use hickory_proto::serialize::binary::{BinDecoder, BinEncodable, BinEncoder, NameEncoding, Restrict};
use mxseal::dns::name::{Name, ROOT};
use mxseal::dns::{rdata, rtype};
use mxseal::zone::master::{self, Parsed};

/// Records of each type that are compared; a fixed seed makes each run the same.
const ROUNDS: usize = 60;
const FUZZ_ROUNDS: usize = 6000;

struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        // Constants of Knuth's MMIX generator.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }

    fn pick<'p>(&mut self, all: &[&'p str]) -> &'p str {
        all[self.below(all.len())]
    }

    fn name(&mut self) -> String {
        let labels = ["a", "mail", "x-1", "_25", "_tcp", "with\\.dot", "\\200x", "long-label-for-a-host"];
        let mut name = self.pick(&labels).to_owned();
        for _ in 0..self.below(4) {
            name = format!("{name}.{}", self.pick(&labels));
        }
        if self.below(3) == 0 { format!("{name}.") } else { name }
    }

    fn number(&mut self, most: usize) -> String {
        match self.below(4) {
            0 => "0".to_owned(),
            1 => most.to_string(),
            _ => self.below(most + 1).to_string(),
        }
    }

    fn hex(&mut self, octets: usize) -> String {
        (0..octets).map(|_| format!("{:02x}", self.below(256))).collect()
    }

    fn base64(&mut self) -> String {
        let body: String = (0..1 + self.below(12)).map(|_| self.pick(&["AQID", "////", "zz+9"])).collect();
        body + self.pick(&["", "AA==", "AQI="])
    }

    fn string(&mut self) -> String {
        let parts = ["a", "b c", "\\\"", ";", "\\000", "(", "\\233", "\\\\"];
        let inside: String = (0..self.below(6)).map(|_| self.pick(&parts)).collect();
        format!("\"{inside}\"")
    }

    fn types(&mut self) -> String {
        let all = ["A", "NS", "MX", "AAAA", "RRSIG", "NSEC", "TLSA", "CAA", "TYPE1234", "TYPE65280"];
        (0..1 + self.below(5)).map(|_| self.pick(&all)).collect::<Vec<_>>().join(" ")
    }
}

/// Data of a type in text that every parser here reads: integers only, names in lower case.
fn data(dice: &mut Dice, mnemonic: &str) -> String {
    let (name, other) = (dice.name(), dice.name());
    let (small, number, large) = (dice.number(255), dice.number(65_535), dice.number(0xffff_ffff));
    let (hex, key, string) = (dice.hex(32), dice.base64(), dice.string());
    let hash = "2t7b4g4vsa5smi47k61mv5bv1a22bojr";
    match mnemonic {
        "A" => format!("{}.0.2.{}", dice.below(256), dice.below(256)),
        "AAAA" => format!("2001:db8::{:x}:{:x}", dice.below(65_536), dice.below(65_536)),
        "NS" | "CNAME" | "PTR" | "DNAME" | "MB" | "MD" | "MF" | "MG" | "MR" => name,
        "SOA" => format!("{name} {other} {large} {number} {number} {large} {small}"),
        "HINFO" => format!("{string} {}", dice.string()),
        "MINFO" => format!("{name} {other}"),
        "MX" => format!("{number} {name}"),
        "TXT" => format!("{string} {} plain", dice.string()),
        "SRV" => format!("{number} {} {} {name}", dice.number(65_535), dice.number(65_535)),
        "NAPTR" => format!("{number} {} \"s\" \"z3950+I2L\" {string} {name}", dice.number(65_535)),
        "DS" | "CDS" => format!("{number} 13 2 {hex}"),
        "DNSKEY" | "CDNSKEY" => format!("{} 3 13 {key}", dice.pick(&["256", "257"])),
        "RRSIG" => {
            format!("MX 13 {} {number} 20261122000000 20261121235959 {number} {name} {key}", dice.below(10))
        }
        "NSEC" => format!("{name} {}", dice.types()),
        "NSEC3" => {
            format!("1 {} {number} {} {hash} {}", dice.below(2), dice.pick(&["-", "aabb"]), dice.types())
        }
        "NSEC3PARAM" => format!("1 0 {number} {}", dice.pick(&["-", "aabbcc"])),
        "TLSA" | "SMIMEA" => format!("{} {} 1 {hex}", dice.below(4), dice.below(2)),
        "SSHFP" => format!("{} 2 {hex}", dice.below(7)),
        "OPENPGPKEY" => key,
        "ZONEMD" => format!("{large} 1 1 {}", dice.hex(48)),
        "CAA" => format!("{} {} {string}", dice.pick(&["0", "128"]), dice.pick(&["issue", "issuewild", "iodef"])),
        "CERT" => format!("1 {number} 8 {key}"),
        "CSYNC" => format!("{large} {} {}", dice.below(4), dice.types()),
        "SVCB" | "HTTPS" => service(dice, &name),
        _ => panic!("{mnemonic} has no generator"),
    }
}

fn service(dice: &mut Dice, name: &str) -> String {
    let port = dice.number(65_535);
    let all = [
        "alpn=h2,h3".to_owned(),
        format!("port={port} alpn=h2 no-default-alpn"),
        "mandatory=alpn alpn=h3 ipv4hint=192.0.2.1,192.0.2.2".to_owned(),
        "ipv6hint=2001:db8::1 ech=AQID".to_owned(),
        String::new(),
    ];
    format!("{} {name} {}", 1 + dice.below(9), all[dice.below(all.len())])
}

fn parse(text: &str) -> Parsed {
    let origin = Name::parse("example.", ROOT).expect("a name");
    master::parse(&origin, "z", text, &mut |_| Err("nothing is included here".to_owned()))
}

/// Owner, type, TTL and data.
type Compared = (Vec<u8>, u16, u32, Vec<u8>);

fn by_mxseal(text: &str) -> Vec<Compared> {
    let parsed = parse(text);
    assert_eq!(parsed.diagnostics, [], "{text}");
    parsed.records.iter().map(|r| (r.owner.to_vec(), r.rtype, r.ttl, r.data.to_vec())).collect()
}

fn by_domain(text: &str) -> Vec<Compared> {
    let mut file = Zonefile::load(&mut text.as_bytes()).expect("a text in memory");
    file.set_origin("example.".parse().expect("a name"));
    // domain wants a class in the first line; mxseal serves IN only.
    file.set_default_class(domain::base::iana::Class::IN);
    let mut all = Vec::new();
    while let Some(entry) = file.next_entry().unwrap_or_else(|error| panic!("{error}: {text}")) {
        let Entry::Record(record) = entry else { panic!("an entry that is no record: {text}") };
        let (mut owner, mut data) = (Vec::new(), Vec::new());
        domain::base::ToName::compose(record.owner(), &mut owner).expect("a Vec never ends");
        record.data().compose_rdata(&mut data).expect("a Vec never ends");
        let rtype: Rtype = domain::base::rdata::RecordData::rtype(record.data());
        all.push((owner, rtype.to_int(), record.ttl().as_secs(), data));
    }
    all
}

/// Compares one type with domain, record by record, as written and as printed.
fn agree_with_domain(mnemonic: &str) {
    let mut dice = Dice(u64::from(rtype::parse(mnemonic).expect("a type")));
    for round in 0..ROUNDS {
        let text = format!("host {round} IN {mnemonic} {}\n", data(&mut dice, mnemonic));
        let ours = by_mxseal(&text);
        assert_eq!(ours, by_domain(&text), "{text}");
        let printed = format!("host {round} IN {mnemonic} {}\n", rdata::to_text(ours[0].1, &ours[0].3));
        assert_eq!(by_domain(&printed), ours, "domain reads what is printed: {printed}");
    }
}

#[test]
fn records_of_every_type_equal_those_of_domain() {
    let types = "A AAAA NS CNAME PTR DNAME MB MD MF MG MR SOA HINFO MINFO MX TXT SRV NAPTR DS CDS DNSKEY CDNSKEY \
                 RRSIG NSEC NSEC3 NSEC3PARAM TLSA SSHFP OPENPGPKEY ZONEMD CAA";
    types.split_whitespace().for_each(agree_with_domain);
}

#[test]
fn hickory_decodes_the_octets_and_writes_the_same() {
    let types = "A AAAA NS CNAME PTR SOA HINFO MX TXT SRV NAPTR DS CDS DNSKEY CDNSKEY RRSIG NSEC NSEC3 NSEC3PARAM \
                 TLSA SMIMEA SSHFP OPENPGPKEY CAA CERT CSYNC SVCB HTTPS";
    for mnemonic in types.split_whitespace() {
        let number = rtype::parse(mnemonic).expect("a type");
        let mut dice = Dice(u64::from(number) + 1);
        for _ in 0..ROUNDS {
            let text = format!("host 1 IN {mnemonic} {}\n", data(&mut dice, mnemonic));
            let wire = by_mxseal(&text)[0].3.clone();
            let length = Restrict::new(u16::try_from(wire.len()).expect("short"));
            let decoded = RData::read(&mut BinDecoder::new(&wire), RecordType::from(number), length)
                .unwrap_or_else(|error| panic!("{error}: {text}"));
            assert!(!matches!(decoded, RData::Unknown { .. }), "{mnemonic} is known to hickory");
            let mut octets = Vec::new();
            let mut encoder = BinEncoder::new(&mut octets);
            encoder.set_name_encoding(NameEncoding::Uncompressed);
            decoded.emit(&mut encoder).expect("a Vec never ends");
            assert_eq!(octets, wire, "{text}");
        }
    }
}

#[test]
fn forms_of_lines_equal_those_of_domain() {
    for text in [
        "@ 1 IN SOA ns h ( 1 ; serial\n 2\n 3 4 ) 5\n 2 NS a\n IN 3 NS b\nx.y TXT \"a;b\" c\\;d ( \"e\" )\n",
        "$ORIGIN sub.example.\n@ 1 A 192.0.2.1\n$TTL 7\nw A 192.0.2.2\n\n ; nothing\n\tAAAA ::1\n",
        "$TTL 5\r\na\\.b A 192.0.2.1\r\n\\097 A 192.0.2.2\r\na TYPE65400 \\# 3 01 0203\r\na TYPE1 \\# 4 c0000201\r\n",
    ] {
        assert_eq!(by_mxseal(text), by_domain(text), "{text}");
    }
}

fn valid_file(dice: &mut Dice) -> String {
    let types = ["A", "AAAA", "NS", "SOA", "MX", "TXT", "SRV", "TLSA", "NSEC", "CAA", "HTTPS", "RRSIG", "NSEC3"];
    let mut text = String::new();
    for _ in 0..1 + dice.below(8) {
        let mnemonic = dice.pick(&types);
        let owner = dice.pick(&["a", "b.c", "", "@", "*.x"]);
        let owner = if text.is_empty() && owner.is_empty() { "first" } else { owner };
        let data = data(dice, mnemonic);
        let data = if dice.below(4) == 0 { format!("( {data} ; c\n )") } else { data };
        text.push_str(&format!("{owner} 60 IN {mnemonic} {data}{}", dice.pick(&["\n", "\r\n", " ; x\n"])));
    }
    text
}

fn mutate(dice: &mut Dice, text: &str) -> String {
    let special = b"\"();\\\n \t\r\0.@$*0aA\x7f=,\x80";
    let mut octets = text.as_bytes().to_vec();
    for _ in 0..1 + dice.below(4) {
        let at = dice.below(octets.len() + 1);
        let octet = special[dice.below(special.len())];
        match dice.below(4) {
            0 => octets.insert(at, octet),
            1 if at < octets.len() => drop(octets.remove(at)),
            2 if at < octets.len() => octets[at] = octet,
            _ => octets.truncate(at.max(1)),
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

fn is_control(octet: u8) -> bool {
    octet < 32 && octet != b'\t' || octet == 127
}

/// Logical lines that hold anything, counted the slow and simple way; none where a parenthesis stays open.
fn logical_lines(text: &str) -> Option<usize> {
    let (mut count, mut depth, mut holds) = (0, 0usize, false);
    for line in text.strip_prefix('\u{feff}').unwrap_or(text).split('\n') {
        let octets = line.strip_suffix('\r').unwrap_or(line).as_bytes();
        let (mut quoted, mut at) = (false, 0);
        while let Some(&octet) = octets.get(at) {
            holds |= is_control(octet) || !matches!(octet, b' ' | b'\t' | b'(' | b')' | b';');
            match octet {
                b'\\' if octets.get(at + 1).is_some_and(|next| !is_control(*next)) => at += 1,
                b'"' => quoted = !quoted,
                b';' if !quoted => {
                    holds |= octets[at..].iter().any(|octet| is_control(*octet));
                    break;
                }
                b'(' if !quoted => depth += 1,
                b')' if !quoted => {
                    holds |= depth == 0;
                    depth = depth.saturating_sub(1);
                }
                _ => {}
            }
            at += 1;
        }
        if depth == 0 {
            count += usize::from(holds);
            holds = false;
        }
    }
    (depth == 0).then_some(count)
}

fn check_places(text: &str, parsed: &Parsed) {
    for diagnostic in &parsed.diagnostics {
        let place = &diagnostic.place;
        let mut lines = text.strip_prefix('\u{feff}').unwrap_or(text).split('\n');
        let line = lines.nth(place.line as usize - 1).expect("the line is there");
        assert!(line.starts_with(&place.text) && place.column >= 1 && place.width >= 1, "{diagnostic:?} {text:?}");
        assert!(place.column as usize <= line.chars().count() + 1, "{diagnostic:?} {text:?}");
        assert!(!diagnostic.message.is_empty() && !diagnostic.help.is_empty(), "{diagnostic:?}");
    }
}

#[test]
fn every_logical_line_is_a_record_or_an_error_whatever_the_octets() {
    let mut dice = Dice(7);
    let (mut counted, mut unclosed) = (0, 0);
    for round in 0..FUZZ_ROUNDS {
        let valid = valid_file(&mut dice);
        let text = match round % 4 {
            0 => {
                let octets: Vec<u8> = (0..dice.below(200)).map(|_| dice.below(256) as u8).collect();
                String::from_utf8_lossy(&octets).into_owned()
            }
            1 => valid,
            _ => mutate(&mut dice, &valid),
        };
        let parsed = parse(&text);
        assert!(round % 4 != 1 || parsed.diagnostics.is_empty(), "{text} {parsed:?}");
        check_places(&text, &parsed);
        for record in parsed.records.iter() {
            assert_eq!(rdata::check(record.rtype, record.data), Ok(()), "{text:?}");
        }
        let directives = text.split('\n').any(|line| line.trim_start_matches('\u{feff}').starts_with('$'));
        match logical_lines(&text) {
            Some(lines) if !directives => {
                assert_eq!(parsed.records.len() + parsed.diagnostics.len(), lines, "{text:?} {parsed:?}");
                counted += 1;
            }
            Some(_) => {}
            None => {
                assert!(!parsed.diagnostics.is_empty(), "{text:?}");
                unclosed += 1;
            }
        }
    }
    assert!(counted > FUZZ_ROUNDS / 2 && unclosed > 50, "{counted} {unclosed}: the mutations reach both ends");
}
