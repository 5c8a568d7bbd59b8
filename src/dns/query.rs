//! Octets of a query to what they ask, or to the error that they deserve.
//!
//! Only the question and OPT are decoded; every other record is skipped or refused. Nothing is allocated, so no count
//! in a header can make memory grow (CVE-2016-7068).

use crate::dns::name::{LABEL_OCTETS_MAX, NAME_OCTETS_MAX, Name};
use crate::dns::rtype::number as rtype;
use arrayvec::ArrayVec;

/// Octets of a header.
pub const HEADER: usize = 12;
/// Records besides the question that a query may carry: OPT, one TSIG or SIG(0), an IXFR's SOA, and room for oddities.
const RECORDS_MAX: usize = 8;
/// The least UDP size that a client can mean (RFC 6891 § 6.2.3).
pub const UDP_SIZE_MIN: u16 = 512;

/// Response codes, the extended ones included (RFC 6895 § 2.3).
#[allow(missing_docs)]
pub mod rcode {
    pub const NOERROR: u16 = 0;
    pub const FORMERR: u16 = 1;
    pub const SERVFAIL: u16 = 2;
    pub const NXDOMAIN: u16 = 3;
    pub const NOTIMP: u16 = 4;
    pub const REFUSED: u16 = 5;
    pub const YXDOMAIN: u16 = 6;
    pub const BADVERS: u16 = 16;
    pub const BADCOOKIE: u16 = 23;
}

/// What the sender's OPT says (RFC 6891).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Edns {
    /// Version; only 0 exists.
    pub version: u8,
    /// UDP payload size that the sender takes, at least 512.
    pub udp_size: u16,
    /// DNSSEC records wanted (RFC 3225).
    pub dnssec_ok: bool,
    /// Compact answers OK: NXDOMAIN is wanted beside a compact denial (RFC 9824 § 5.1).
    pub compact_ok: bool,
    /// NSID asked for (RFC 5001).
    pub nsid: bool,
    /// edns-tcp-keepalive asked for (RFC 7828).
    pub keepalive: bool,
    /// Client cookie (RFC 7873).
    pub client_cookie: Option<[u8; 8]>,
    /// Server cookie (RFC 9018); one of another length than that of the current form is all zeros, which is wrong.
    pub server_cookie: Option<[u8; 16]>,
}

/// The header fields that a reply repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Header {
    /// ID.
    pub id: u16,
    /// The sixteen bits of flags as they came.
    pub flags: u16,
}

/// A query with exactly one question.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// Header.
    pub header: Header,
    /// The question's octets as they came, case kept: name, type, class.
    pub question: &'a [u8],
    /// The name in lower case.
    pub name: Name,
    /// Type asked.
    pub qtype: u16,
    /// Class asked.
    pub qclass: u16,
    /// OPT, where there is one.
    pub edns: Option<Edns>,
}

/// What octets turn out to be.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it lives on the stack of one answer, and a box would be an allocation a query"
)]
pub enum Parsed<'a> {
    /// A query.
    Query(Query<'a>),
    /// Answered from the header alone, with the question where it could be read.
    Fault(Fault<'a>),
    /// Not answered: too short for a header, or a response (RFC 1035 § 7.3).
    Silence,
}

/// A query that gets an error.
#[derive(Clone, Copy, Debug)]
pub struct Fault<'a> {
    /// Header.
    pub header: Header,
    /// The question where it could be read; else empty.
    pub question: &'a [u8],
    /// FORMERR, NOTIMP or BADVERS; NOERROR where nothing but a cookie is asked for (RFC 7873 § 5.4).
    pub rcode: u16,
    /// Whether the reply has OPT: where the query had one that could be read (RFC 6891 § 7).
    pub edns: Option<Edns>,
}

/// Reads a query.
#[inline]
pub fn parse(packet: &[u8]) -> Parsed<'_> {
    let Some(header) = read_header(packet) else { return Parsed::Silence };
    // A response is never answered, whatever its opcode: else two servers keep each other busy (CVE-2024-2169).
    if header.flags & 0x8000 != 0 {
        return Parsed::Silence;
    }
    let fault = |rcode, question, edns| Parsed::Fault(Fault { header, question, rcode, edns });
    // RFC 8906 § 3.1.4: an unknown opcode gets NOTIMP; what follows the header has no known form.
    if header.flags & 0x7800 != 0 {
        return fault(rcode::NOTIMP, &[], None);
    }
    let mut cursor = Cursor { packet, at: HEADER };
    let questions = count(packet, 4);
    if questions != 1 {
        return without_question(header, questions, cursor);
    }
    let Some(name) = cursor.question_name() else { return fault(rcode::FORMERR, &[], None) };
    let (Some(qtype), Some(qclass)) = (cursor.u16(), cursor.u16()) else { return fault(rcode::FORMERR, &[], None) };
    let question = packet.get(HEADER..cursor.at).unwrap_or_default();
    let mut edns = None;
    if cursor.records(packet, &mut edns).is_err() {
        return fault(rcode::FORMERR, question, edns);
    }
    if edns.is_some_and(|edns| edns.version != 0) {
        return fault(rcode::BADVERS, question, edns);
    }
    Parsed::Query(Query { header, question, name, qtype, qclass, edns })
}

/// A query has exactly one question (RFC 9619 § 4); one without any asks for a cookie (RFC 7873 § 5.4). What is wrong is
/// answered with OPT where the query has one (RFC 6891 § 6.1.1), so that one is looked for.
#[cold]
fn without_question<'a>(header: Header, questions: usize, mut cursor: Cursor<'a>) -> Parsed<'a> {
    let packet = cursor.packet;
    let is_passed = questions <= RECORDS_MAX && (0..questions).all(|_| cursor.skip_question().is_some());
    let mut edns = None;
    let is_whole = is_passed && cursor.records(packet, &mut edns).is_ok();
    let asks_for_cookie = questions == 0 && is_whole && edns.is_some_and(|edns| edns.client_cookie.is_some());
    let rcode = match (is_whole, edns) {
        (true, Some(edns)) if edns.version != 0 => rcode::BADVERS,
        _ if asks_for_cookie => rcode::NOERROR,
        _ => rcode::FORMERR,
    };
    Parsed::Fault(Fault { header, question: &[], rcode, edns })
}

/// The name in lower case and the type that a packet seems to ask for; whether it is a query at all, [`parse`] says.
pub fn question(packet: &[u8]) -> Option<(Name, u16)> {
    let mut cursor = Cursor { packet, at: HEADER };
    Some((cursor.question_name()?, cursor.u16()?))
}

/// ID and flags, where there are twelve octets.
pub fn read_header(packet: &[u8]) -> Option<Header> {
    let head: &[u8; HEADER] = packet.first_chunk()?;
    Some(Header { id: u16::from_be_bytes([head[0], head[1]]), flags: u16::from_be_bytes([head[2], head[3]]) })
}

fn count(packet: &[u8], at: usize) -> usize {
    packet.get(at..at + 2).map_or(0, |two| usize::from(two[0]) << 8 | usize::from(two[1]))
}

struct Cursor<'a> {
    packet: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let octets = self.packet.get(self.at..end)?;
        self.at = end;
        Some(octets)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|one| one[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|two| u16::from_be_bytes([two[0], two[1]]))
    }

    /// The first name of a message has nothing to point back to, so a pointer in it is an error (CVE-2015-1868).
    #[inline]
    fn question_name(&mut self) -> Option<Name> {
        let start = self.at;
        loop {
            match usize::from(self.u8()?) {
                0 => break,
                length if length <= LABEL_OCTETS_MAX => self.take(length).map(|_| ())?,
                _ => return None,
            }
        }
        let mut name = ArrayVec::<u8, NAME_OCTETS_MAX>::new();
        name.try_extend_from_slice(self.packet.get(start..self.at)?).ok()?;
        name.make_ascii_lowercase();
        Some(Name::from_buffer(name))
    }

    /// Passes over a name that may end in a pointer; pointers are not followed, so they cannot loop.
    fn skip_name(&mut self) -> Option<bool> {
        let start = self.at;
        loop {
            match self.u8()? {
                0 => return Some(self.at == start + 1),
                length if usize::from(length) <= LABEL_OCTETS_MAX => self.take(usize::from(length)).map(|_| ())?,
                length if length >= 0xc0 => {
                    let target = usize::from(length & 0x3f) << 8 | usize::from(self.u8()?);
                    return (target < start && target >= HEADER).then_some(false);
                }
                _ => return None,
            }
        }
    }

    /// Reads what follows the question, to the end of the message; OPT as far as it goes, whatever is wrong behind.
    fn records(&mut self, packet: &[u8], edns: &mut Option<Edns>) -> Result<(), ()> {
        let (before, additional) = (count(packet, 6) + count(packet, 8), count(packet, 10));
        if before + additional > RECORDS_MAX {
            return Err(());
        }
        for index in 0..before + additional {
            let root = self.skip_name().ok_or(())?;
            let rtype = self.u16().ok_or(())?;
            let (class, ttl) = (self.u16().ok_or(())?, self.take(4).ok_or(())?);
            let length = self.u16().ok_or(())?;
            let data = self.take(usize::from(length)).ok_or(())?;
            match rtype {
                // RFC 6891 § 6.1.1: one OPT, in the additional section, owned by the root.
                rtype::OPT if index < before || edns.is_some() || !root => return Err(()),
                rtype::OPT => read_options(data, edns.insert(Edns::of(class, ttl)?))?,
                // No key is known here, so no TSIG can be right; FORMERR is the one defined answer.
                rtype::TSIG => return Err(()),
                _ => {}
            }
        }
        if self.at == packet.len() { Ok(()) } else { Err(()) }
    }

    fn skip_question(&mut self) -> Option<()> {
        self.skip_name()?;
        self.take(4).map(|_| ())
    }
}

impl Edns {
    /// What the class and the TTL of OPT say (RFC 6891 § 6.1.2, § 6.1.3).
    fn of(class: u16, ttl: &[u8]) -> Result<Edns, ()> {
        let &[_, version, flags_high, flags_low] = ttl else { return Err(()) };
        let flags = u16::from_be_bytes([flags_high, flags_low]);
        Ok(Edns {
            version,
            udp_size: class.max(UDP_SIZE_MIN),
            dnssec_ok: flags & 0x8000 != 0,
            compact_ok: flags & 0x4000 != 0,
            ..Edns::default()
        })
    }
}

fn read_options(data: &[u8], edns: &mut Edns) -> Result<(), ()> {
    let mut options = Cursor { packet: data, at: 0 };
    while options.at < data.len() {
        let code = options.u16().ok_or(())?;
        let length = options.u16().ok_or(())?;
        let value = options.take(usize::from(length)).ok_or(())?;
        match code {
            option::NSID => edns.nsid = true,
            option::KEEPALIVE => edns.keepalive = true,
            option::COOKIE => read_cookie(value, edns)?,
            // RFC 6891 § 6.1.2: unknown options are ignored.
            _ => {}
        }
    }
    Ok(())
}

/// RFC 7873 § 5.2.2: a client cookie alone (8), or with a server cookie (16 to 40); any other length is FORMERR.
fn read_cookie(value: &[u8], edns: &mut Edns) -> Result<(), ()> {
    let (client, server) = value.split_first_chunk::<8>().ok_or(())?;
    if !(server.is_empty() || (8..=32).contains(&server.len())) {
        return Err(());
    }
    if edns.client_cookie.is_none() {
        edns.client_cookie = Some(*client);
        // One of another form is none of ours: as wrong as one whose version there is not (RFC 9018 § 4.2).
        edns.server_cookie = (!server.is_empty()).then(|| server.try_into().unwrap_or_default());
    }
    Ok(())
}

/// EDNS option codes (IANA).
#[allow(missing_docs)]
pub mod option {
    pub const NSID: u16 = 3;
    pub const COOKIE: u16 = 10;
    pub const KEEPALIVE: u16 = 11;
    pub const EDE: u16 = 15;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(flags: u16, counts: [u16; 4], body: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x12, 0x34];
        packet.extend(flags.to_be_bytes());
        packet.extend(counts.iter().flat_map(|c| c.to_be_bytes()));
        packet.extend(body);
        packet
    }

    const QUESTION: &[u8] = b"\x03WwW\x02mx\x07example\x00\x00\x01\x00\x01";

    fn with_opt(opt: &[u8]) -> Vec<u8> {
        message(0x0100, [1, 0, 0, 1], &[QUESTION, opt].concat())
    }

    fn rcode_of(packet: &[u8]) -> Option<u16> {
        match parse(packet) {
            Parsed::Query(_) => None,
            Parsed::Fault(fault) => Some(fault.rcode),
            Parsed::Silence => Some(0xffff),
        }
    }

    #[test]
    fn a_question_is_read_in_lower_case_and_its_octets_are_kept() {
        let packet = message(0x0100, [1, 0, 0, 0], QUESTION);
        let Parsed::Query(query) = parse(&packet) else { panic!("a query") };
        assert_eq!(query.name.to_string(), "www.mx.example.");
        assert_eq!(query.question, QUESTION);
    }

    #[test]
    fn responses_and_fragments_of_headers_get_silence() {
        assert_eq!(rcode_of(&message(0x8100, [1, 0, 0, 0], QUESTION)), Some(0xffff));
        for length in 0..HEADER {
            assert_eq!(rcode_of(&message(0, [1, 0, 0, 0], QUESTION)[..length]), Some(0xffff));
        }
    }

    #[test]
    fn broken_queries_get_formerr() {
        let opt = b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00";
        let cases: Vec<(&str, Vec<u8>)> = vec![
            ("no question", message(0, [0, 0, 0, 0], b"")),
            ("two questions", message(0, [2, 0, 0, 0], &[QUESTION, QUESTION].concat())),
            ("65535 questions in 12 octets", message(0, [65535; 4], b"")),
            ("pointer to itself", message(0, [1, 0, 0, 0], b"\xc0\x0c\x00\x01\x00\x01")),
            ("label cut short", message(0, [1, 0, 0, 0], b"\x3fabc")),
            ("no class", message(0, [1, 0, 0, 0], &QUESTION[..QUESTION.len() - 1])),
            ("trailing octets", message(0, [1, 0, 0, 0], &[QUESTION, b"x"].concat())),
            ("two OPTs", message(0, [1, 0, 0, 2], &[QUESTION, opt, opt].concat())),
            ("OPT not at the root", with_opt(b"\x01a\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00")),
            ("OPT among the answers", message(0, [1, 1, 0, 0], &[QUESTION, opt].concat())),
            ("option past its data", with_opt(b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x04\x00\x03\x00\x09")),
            ("cookie of 7", with_opt(b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x0b\x00\x0a\x00\x071234567")),
            (
                "TSIG",
                message(0, [1, 0, 0, 1], &[QUESTION, b"\x01k\x00\x00\xfa\x00\xff\x00\x00\x00\x00\x00\x00"].concat()),
            ),
        ];
        for (what, packet) in cases {
            assert_eq!(rcode_of(&packet), Some(rcode::FORMERR), "{what}");
        }
    }

    #[test]
    fn opcodes_and_versions_that_do_not_exist_are_told_so() {
        for opcode in 1..16u16 {
            assert_eq!(rcode_of(&message(opcode << 11, [9, 9, 9, 9], b"junk")), Some(rcode::NOTIMP));
        }
        assert_eq!(rcode_of(&with_opt(b"\x00\x00\x29\x04\xd0\x00\x01\x80\x00\x00\x00")), Some(rcode::BADVERS));
    }

    #[test]
    fn edns_is_read_and_a_tiny_size_means_512() {
        let packet = with_opt(
            b"\x00\x00\x29\x00\x01\x00\x00\xc0\x00\x00\x12\x00\x03\x00\x00\xfd\xe9\x00\x02xx\x00\x0a\x00\x08abcdefgh",
        );
        // The rdata length above is one option too short on purpose; the right one follows.
        assert_eq!(rcode_of(&packet), Some(rcode::FORMERR));
        let packet = with_opt(
            b"\x00\x00\x29\x00\x01\x00\x00\xc0\x00\x00\x16\x00\x03\x00\x00\xfd\xe9\x00\x02xx\x00\x0a\x00\x08abcdefgh",
        );
        let Parsed::Query(query) = parse(&packet) else { panic!("a query") };
        let edns = query.edns.expect("OPT");
        assert!(edns.dnssec_ok && edns.compact_ok && edns.nsid && !edns.keepalive);
        assert_eq!((edns.udp_size, edns.client_cookie), (512, Some(*b"abcdefgh")));
    }
}
