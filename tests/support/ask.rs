//! A question as a line of text, its octets, and asking it.

use super::{NOW, wire_name};
use mxseal::answer::{Asked, Effort, Reply, Snapshot, Transport, respond};
use mxseal::dns::rtype;
use mxseal::time::UnixTime;

/// What a client may write into OPT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edns {
    pub size: u16,
    pub version: u8,
    pub dnssec_ok: bool,
    pub compact_ok: bool,
    pub nsid: bool,
    pub cookie: bool,
    /// Octets behind the client cookie, or instead of it.
    pub cookie_of: Option<&'static [u8]>,
    pub keepalive: bool,
    pub unknown: bool,
}

/// One question and all around it.
#[derive(Clone, Debug)]
pub struct Question {
    pub name: Vec<u8>,
    pub qtype: u16,
    pub qclass: u16,
    pub rd: bool,
    pub cd: bool,
    pub opcode: u16,
    pub response: bool,
    pub qdcount: u16,
    pub edns: Option<Edns>,
    pub transport: Transport,
    pub effort: Effort,
    pub now: u64,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Back {
    Silence,
    Deferred,
    Reply(Vec<u8>),
}

impl Question {
    /// A plain question over UDP, without EDNS.
    pub fn new(name: &[u8], qtype: u16) -> Question {
        Question {
            name: name.to_vec(),
            qtype,
            qclass: 1,
            rd: false,
            cd: false,
            opcode: 0,
            response: false,
            qdcount: 1,
            edns: None,
            transport: Transport::Udp,
            effort: Effort::Sign,
            now: NOW,
        }
    }

    /// The same with DO.
    pub fn signed(name: &[u8], qtype: u16) -> Question {
        let edns = Some(Edns { size: 1232, dnssec_ok: true, ..Edns::default() });
        Question { edns, ..Question::new(name, qtype) }
    }

    /// `NAME TYPE [CLASS] option…`; any option of EDNS brings OPT along.
    pub fn parse(line: &str) -> Question {
        let mut words = line.split_whitespace().peekable();
        let name = wire_name(words.next().expect("a name"));
        let qtype = words.next().expect("a type");
        let mut question = Question::new(&name, rtype::parse(qtype).unwrap_or_else(|| panic!("type {qtype}")));
        for word in words {
            question.option(word);
        }
        question
    }

    fn option(&mut self, word: &str) {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let number = || value.parse::<u16>().unwrap_or_else(|_| panic!("`{word}` has no number"));
        let edns = &mut self.edns;
        let mut opt = |set: &dyn Fn(&mut Edns)| set(edns.get_or_insert(Edns { size: 1232, ..Edns::default() }));
        match key {
            "do" => opt(&|edns| edns.dnssec_ok = true),
            "co" => opt(&|edns| edns.compact_ok = true),
            "edns" => opt(&|_| {}),
            "size" => opt(&|edns| edns.size = number()),
            "version" => opt(&|edns| edns.version = u8::try_from(number()).expect("a version")),
            "nsid" => opt(&|edns| edns.nsid = true),
            "cookie" => opt(&|edns| match value {
                "" => edns.cookie = true,
                "short" => edns.cookie_of = Some(b"7 octets"[..7].as_ref()),
                "wrong" => edns.cookie_of = Some(b"client-cserver cookie 16"),
                other => panic!("`{other}` is no cookie"),
            }),
            "keepalive" => opt(&|edns| edns.keepalive = true),
            "unknown" => opt(&|edns| edns.unknown = true),
            "rd" => self.rd = true,
            "cd" => self.cd = true,
            "tcp" => self.transport = Transport::Tcp,
            "encrypted" => self.transport = Transport::Encrypted,
            "kept" => self.effort = Effort::Kept,
            "truncate" => self.effort = Effort::Truncate,
            "response" => self.response = true,
            "opcode" => self.opcode = number(),
            "qdcount" => self.qdcount = number(),
            "class" => self.qclass = number(),
            "CH" => self.qclass = 3,
            "later" => self.now += mxseal::time::parse_span(value).expect("a span"),
            other => panic!("`{other}` is no option of a question"),
        }
    }

    /// Name, type and class.
    pub fn octets(&self) -> Vec<u8> {
        [&self.name[..], &self.qtype.to_be_bytes(), &self.qclass.to_be_bytes()].concat()
    }

    /// The whole message.
    pub fn packet(&self) -> Vec<u8> {
        let flag = |set: bool, bit: u16| if set { bit } else { 0 };
        let flags = flag(self.response, 0x8000) | self.opcode << 11 | flag(self.rd, 0x0100) | flag(self.cd, 0x0010);
        let counts = [self.qdcount, 0, 0, u16::from(self.edns.is_some())];
        let mut packet = vec![0xab, 0xcd];
        packet.extend(flags.to_be_bytes());
        packet.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
        for _ in 0..self.qdcount {
            packet.extend(self.octets());
        }
        packet.extend(self.edns.map(opt).unwrap_or_default());
        packet
    }

    /// Asks.
    pub fn ask(&self, snapshot: &Snapshot) -> Back {
        let mut out = vec![0; 65_535];
        let packet = self.packet();
        let asked = Asked {
            packet: &packet,
            source: "192.0.2.200".parse().expect("an address"),
            transport: self.transport,
            now: UnixTime(self.now),
            effort: self.effort,
        };
        match respond(snapshot, &asked, &mut out) {
            Reply::Silence => Back::Silence,
            Reply::Deferred(_) => Back::Deferred,
            Reply::Send(outcome) => {
                out.truncate(outcome.length);
                Back::Reply(out)
            }
        }
    }

    /// Asks, where an answer must come.
    pub fn reply(&self, snapshot: &Snapshot) -> Vec<u8> {
        match self.ask(snapshot) {
            Back::Reply(octets) => octets,
            other => panic!("{other:?} for {self:?}"),
        }
    }

    /// Octets that the reply may have.
    pub fn limit(&self) -> usize {
        match (self.transport, self.edns) {
            (Transport::Tcp | Transport::Encrypted, _) => 65_535,
            (Transport::Udp, None) => 512,
            (Transport::Udp, Some(edns)) => usize::from(edns.size.clamp(512, 1232)),
        }
    }
}

fn opt(edns: Edns) -> Vec<u8> {
    let mut options: Vec<u8> = Vec::new();
    let mut option = |wanted: bool, code: u16, data: &[u8]| {
        if wanted {
            options.extend(code.to_be_bytes());
            options.extend(u16::try_from(data.len()).expect("short").to_be_bytes());
            options.extend(data);
        }
    };
    option(edns.unknown, 65_001, b"x");
    option(edns.nsid, 3, b"");
    option(edns.cookie, 10, b"client-c");
    option(edns.cookie_of.is_some(), 10, edns.cookie_of.unwrap_or_default());
    option(edns.keepalive, 11, b"");
    let flags = u8::from(edns.dnssec_ok) << 7 | u8::from(edns.compact_ok) << 6;
    let [high, low] = edns.size.to_be_bytes();
    let [length_high, length_low] = u16::try_from(options.len()).expect("short").to_be_bytes();
    let head = [0, 0, 41, high, low, 0, edns.version, flags, 0, length_high, length_low];
    [&head[..], &options].concat()
}
