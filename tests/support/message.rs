//! A reply taken apart by a decoder of its own, and printed as people read it.

use super::world::World;
use mxseal::dns::name;
use mxseal::dns::{rdata, rtype, rtype::number as rt};

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    pub owner: Vec<u8>,
    pub rtype: u16,
    pub class: u16,
    pub ttl: u32,
    pub data: Vec<u8>,
}

/// A reply.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: u16,
    pub flags: u16,
    /// The question's octets; empty where there is none.
    pub question: Vec<u8>,
    /// Answer, authority, additional without OPT.
    pub sections: [Vec<Record>; 3],
    pub opt: Option<Record>,
}

struct Cursor<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn take(&mut self, count: usize) -> &[u8] {
        let start = self.at;
        self.at += count;
        self.octets.get(start..self.at).unwrap_or_else(|| panic!("the reply ends at {start}"))
    }

    fn u16(&mut self) -> u16 {
        let two = self.take(2);
        u16::from_be_bytes([two[0], two[1]])
    }

    fn u32(&mut self) -> u32 {
        u32::from(self.u16()) << 16 | u32::from(self.u16())
    }

    fn name(&mut self) -> Vec<u8> {
        let mut name = Vec::new();
        let mut behind = None;
        loop {
            let length = usize::from(self.take(1)[0]);
            if length >= 0xc0 {
                let target = (length & 0x3f) << 8 | usize::from(self.take(1)[0]);
                assert!(target < self.at - 2, "a pointer that does not lead back");
                behind.get_or_insert(self.at);
                self.at = target;
                continue;
            }
            name.push(u8::try_from(length).expect("a length"));
            if length == 0 {
                break;
            }
            name.extend(self.take(length).to_vec());
        }
        self.at = behind.unwrap_or(self.at);
        assert!(name.len() <= 255, "a name of {} octets", name.len());
        name
    }

    fn record(&mut self) -> Record {
        let owner = self.name();
        let (rtype, class, ttl, length) = (self.u16(), self.u16(), self.u32(), self.u16());
        Record { owner, rtype, class, ttl, data: self.take(usize::from(length)).to_vec() }
    }
}

impl Message {
    /// Takes a reply apart; panics where it is not one.
    pub fn decode(octets: &[u8]) -> Message {
        let mut cursor = Cursor { octets, at: 0 };
        let (id, flags) = (cursor.u16(), cursor.u16());
        let counts = [cursor.u16(), cursor.u16(), cursor.u16(), cursor.u16()];
        assert!(counts[0] <= 1 && flags & 0x8000 != 0, "a response with one question at most");
        if counts[0] == 1 {
            cursor.name();
            cursor.take(4);
        }
        let question = octets[12..cursor.at].to_vec();
        let mut sections = [1, 2, 3].map(|section| (0..counts[section]).map(|_| cursor.record()).collect::<Vec<_>>());
        assert_eq!(cursor.at, octets.len(), "octets behind the last record");
        let opt = sections[2].iter().position(|record| record.rtype == rt::OPT).map(|at| sections[2].remove(at));
        Message { id, flags, question, sections, opt }
    }

    /// The response code with its extended bits.
    pub fn rcode(&self) -> u16 {
        let high = self.opt.as_ref().map_or(0, |opt| u16::from(opt.ttl.to_be_bytes()[0]));
        self.flags & 15 | high << 4
    }

    /// Whether TC is set.
    pub fn truncated(&self) -> bool {
        self.flags & 0x0200 != 0
    }

    /// The option of a code.
    pub fn option(&self, code: u16) -> Option<Vec<u8>> {
        let opt = self.opt.as_ref()?;
        let mut cursor = Cursor { octets: &opt.data, at: 0 };
        while cursor.at < opt.data.len() {
            let (found, length) = (cursor.u16(), cursor.u16());
            let value = cursor.take(usize::from(length)).to_vec();
            if found == code {
                return Some(value);
            }
        }
        None
    }

    /// `RCODE flags | EDNS`, then each section that holds something under its name.
    pub fn print(&self, world: &World) -> String {
        let mut text = self.head();
        for (name, section) in ["ANSWER", "AUTHORITY", "ADDITIONAL"].iter().zip(&self.sections) {
            if !section.is_empty() {
                text.push_str(&format!("\n{name}"));
            }
            for record in section {
                text.push_str(&format!("\n{}", print_record(record, world)));
            }
        }
        text
    }

    fn head(&self) -> String {
        let code = self.rcode();
        let name = match code {
            0 => "NOERROR",
            1 => "FORMERR",
            2 => "SERVFAIL",
            3 => "NXDOMAIN",
            4 => "NOTIMP",
            5 => "REFUSED",
            6 => "YXDOMAIN",
            16 => "BADVERS",
            23 => "BADCOOKIE",
            other => panic!("response code {other}"),
        };
        let mut words = vec![name.to_owned()];
        if self.flags & 0x7800 != 0 {
            words.push(format!("opcode={}", self.flags >> 11 & 15));
        }
        let bits = [(0x0400, "aa"), (0x0200, "tc"), (0x0100, "rd"), (0x0080, "ra"), (0x0040, "z"), (0x0020, "ad")];
        words.extend(bits.iter().filter(|(bit, _)| self.flags & bit != 0).map(|(_, word)| (*word).to_owned()));
        if self.flags & 0x0010 != 0 {
            words.push("cd".to_owned());
        }
        if self.question.is_empty() {
            words.push("no-question".to_owned());
        }
        if let Some(opt) = &self.opt {
            words.push("|".to_owned());
            words.extend(self.edns(opt));
        }
        words.join(" ")
    }

    fn edns(&self, opt: &Record) -> Vec<String> {
        assert_eq!((opt.class, &*opt.owner), (1232, &[0u8][..]), "size and owner of OPT");
        let [_, version, flags, zero] = opt.ttl.to_be_bytes();
        assert_eq!((version, flags & 0x3f, zero), (0, 0, 0), "version and Z of OPT");
        let mut words = Vec::new();
        for (bit, word) in [(0x80, "do"), (0x40, "co")] {
            words.extend((flags & bit != 0).then(|| word.to_owned()));
        }
        words.extend(self.option(15).map(|code| format!("ede={}", u16::from_be_bytes([code[0], code[1]]))));
        words.extend(self.option(3).map(|nsid| format!("nsid={}", String::from_utf8_lossy(&nsid))));
        words.extend(self.option(10).map(|cookie| {
            assert!(cookie.len() == 24 && cookie.starts_with(b"client-c"), "the cookie of the client and ours");
            "cookie".to_owned()
        }));
        words.extend(self.option(11).map(|units| format!("keepalive={}", u16::from_be_bytes([units[0], units[1]]))));
        words
    }
}

/// One record; keys by what they are called, signatures as `RRSIG(TYPE) ZONE/KEY LABELS [of ORIGINAL-TTL]`.
pub fn print_record(record: &Record, world: &World) -> String {
    let owner = name::print(&record.owner);
    let class = if record.class == 1 { String::new() } else { format!("CLASS{} ", record.class) };
    let data = match record.rtype {
        rt::RRSIG => return format!("{owner} {} {}", record.ttl, print_rrsig(record, world)),
        rt::DNSKEY | rt::CDNSKEY | rt::DS | rt::CDS => print_key(record, world),
        other => rdata::to_text(other, &record.data),
    };
    format!("{owner} {} {class}{} {data}", record.ttl, rtype::print(record.rtype))
}

fn print_key(record: &Record, world: &World) -> String {
    for zone in &world.zones {
        for (word, key) in &zone.keys {
            if key.ds_data(&zone.apex) == record.data {
                return format!("{}/{word}", name::print(&zone.apex));
            }
            if zone.apex.eq_ignore_ascii_case(&record.owner) && key.dnskey_data() == record.data {
                return (*word).to_owned();
            }
        }
    }
    rdata::to_text(record.rtype, &record.data)
}

/// The fields of an RRSIG's data.
pub struct Rrsig {
    pub covered: u16,
    pub algorithm: u8,
    pub labels: u8,
    pub original_ttl: u32,
    pub expiration: u32,
    pub inception: u32,
    pub tag: u16,
    pub signer: Vec<u8>,
}

impl Rrsig {
    /// Takes the data apart.
    pub fn decode(data: &[u8]) -> Rrsig {
        let mut cursor = Cursor { octets: data, at: 0 };
        let covered = cursor.u16();
        let [algorithm, labels] = cursor.u16().to_be_bytes();
        let (original_ttl, expiration, inception) = (cursor.u32(), cursor.u32(), cursor.u32());
        let tag = cursor.u16();
        let signer = cursor.name();
        assert_eq!(data.len() - cursor.at, 64, "octets of the signature");
        Rrsig { covered, algorithm, labels, original_ttl, expiration, inception, tag, signer }
    }
}

fn print_rrsig(record: &Record, world: &World) -> String {
    let rrsig = Rrsig::decode(&record.data);
    let zone = world.zones.iter().find(|zone| zone.apex == rrsig.signer).expect("the signer is a zone of the world");
    let key = zone.keys.iter().find(|(_, key)| key.tag == rrsig.tag).map_or("unknown", |(word, _)| word);
    let covered = rtype::print(rrsig.covered);
    let mut text = format!("RRSIG({covered}) {}/{key} {}", name::print(&zone.apex), rrsig.labels);
    if rrsig.original_ttl != record.ttl {
        text.push_str(&format!(" of {}", rrsig.original_ttl));
    }
    text
}
