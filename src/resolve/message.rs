//! Questions as we ask them and replies as foreign servers give them.
//!
//! Pure. Record data keep the octets that were signed, with compressed names written out; they are checked against their
//! type, so that later readers find the fields where they belong. No octets panic, and a reply to another question is
//! never taken for ours.

use crate::dns::name::{self, NAME_OCTETS_MAX, Name};
use crate::dns::rdata;
use crate::dns::rrset::CLASS_IN;
use crate::dns::rtype::{self, number};

/// What we can take over UDP without fragments (the DNS flag day of 2020), as our own answers assume too.
const UDP_OCTETS: u16 = 1232;
/// Compression pointers in one name, at most: each leads backwards, and no name has more labels.
const POINTERS_MAX: usize = 127;
/// Records in one reply, at most: a TCP message of the smallest records has not many more.
const RECORDS_MAX: usize = 4096;

/// The operation code of a question.
pub const QUERY: u8 = 0;
/// The operation code of NOTIFY (RFC 1996 § 3).
pub const NOTIFY: u8 = 4;

/// NOERROR.
pub const NOERROR: u16 = 0;
/// NXDOMAIN.
pub const NXDOMAIN: u16 = 3;

/// One question on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Drawn at random for each.
    pub id: u16,
    /// [`QUERY`] or [`NOTIFY`].
    pub opcode: u8,
    /// In lower case.
    pub name: Name,
    /// Type.
    pub rtype: u16,
}

/// One record of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// In lower case.
    pub owner: Name,
    /// Type.
    pub rtype: u16,
    /// As it came; above 31 bits it is 0 (RFC 2181 § 8).
    pub ttl: u32,
    /// Without compression, otherwise as it came.
    pub data: Vec<u8>,
}

/// A reply to our question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// With the bits of OPT.
    pub rcode: u16,
    /// AA.
    pub authoritative: bool,
    /// TC.
    pub truncated: bool,
    /// Answer section.
    pub answer: Vec<Record>,
    /// Authority section.
    pub authority: Vec<Record>,
    /// Additional section without OPT.
    pub additional: Vec<Record>,
}

/// Why octets are not the reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Odd {
    /// Well formed as far as read, but another ID or question, or no reply at all.
    NotOurs(&'static str),
    /// No DNS message.
    Garbage(String),
}

impl std::fmt::Display for Odd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Odd::NotOurs(what) => f.write_str(what),
            Odd::Garbage(what) => f.write_str(what),
        }
    }
}

impl Question {
    /// The octets to send: DO and EDNS, RD off, since only what the server itself knows counts.
    pub fn encode(&self) -> Vec<u8> {
        let mut octets = self.id.to_be_bytes().to_vec();
        // Requests have AA set where they are NOTIFY, as those of RFC 1996 from a primary server have.
        let authoritative = if self.opcode == NOTIFY { 4 } else { 0 };
        octets.extend([(self.opcode << 3) | authoritative, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
        octets.extend_from_slice(&self.name);
        octets.extend(self.rtype.to_be_bytes());
        octets.extend(CLASS_IN.to_be_bytes());
        octets.push(0);
        octets.extend(number::OPT.to_be_bytes());
        octets.extend(UDP_OCTETS.to_be_bytes());
        // Extended rcode and version 0; DO is the highest bit of the flags (RFC 3225 § 3); no options.
        octets.extend([0, 0, 0x80, 0, 0, 0]);
        octets
    }
}

/// Reads a reply to `question`.
///
/// # Errors
/// [`Odd`].
pub fn decode(octets: &[u8], question: &Question) -> Result<Message, Odd> {
    let mut reader = Reader { octets, at: 0 };
    let head = reader.take(12).ok_or_else(|| Odd::Garbage("it is shorter than a header".to_owned()))?;
    let mut words = head.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let mut word = || words.next().unwrap_or_default();
    let (id, flags, counts) = (word(), word(), [word(), word(), word(), word()]);
    if id != question.id {
        return Err(Odd::NotOurs("it has another ID"));
    }
    if flags & 0x8000 == 0 || (flags >> 11) & 15 != u16::from(question.opcode) {
        return Err(Odd::NotOurs("it is no reply to this operation"));
    }
    let mut message = Message {
        rcode: flags & 15,
        authoritative: flags & 0x0400 != 0,
        truncated: flags & 0x0200 != 0,
        ..Message::default()
    };
    match counts[0] {
        1 => reader.question(question)?,
        // Servers that could not read a question need not repeat it.
        0 if message.rcode != NOERROR => {}
        _ => return Err(Odd::NotOurs("it does not repeat the question")),
    }
    let mut left = RECORDS_MAX;
    for (section, count) in counts.into_iter().skip(1).enumerate() {
        for _ in 0..count {
            left =
                left.checked_sub(1).ok_or_else(|| Odd::Garbage(format!("it has more than {RECORDS_MAX} records")))?;
            let Some(record) = reader.record(&mut message)? else { continue };
            match section {
                0 => message.answer.push(record),
                1 => message.authority.push(record),
                _ => message.additional.push(record),
            }
        }
    }
    Ok(message)
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.octets.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        self.take(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
    }

    /// A name, its case kept; pointers lead backwards only (RFC 1035 § 4.1.4: to a prior occurrence).
    fn name(&mut self) -> Option<Name> {
        let mut wire = Vec::new();
        let (mut at, mut after, mut lowest) = (self.at, None, self.at);
        for _ in 0..=POINTERS_MAX + NAME_OCTETS_MAX {
            let length = *self.octets.get(at)?;
            match length {
                0 => {
                    wire.push(0);
                    self.at = after.unwrap_or(at + 1);
                    return Name::from_wire(&wire).ok();
                }
                1..=63 => {
                    let end = at + 1 + usize::from(length);
                    wire.extend_from_slice(self.octets.get(at..end)?);
                    at = end;
                }
                0xc0.. => {
                    let low = *self.octets.get(at + 1)?;
                    after.get_or_insert(at + 2);
                    at = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                    if at >= lowest {
                        return None;
                    }
                    lowest = at;
                }
                _ => return None,
            }
            if wire.len() > NAME_OCTETS_MAX {
                return None;
            }
        }
        None
    }

    fn question(&mut self, question: &Question) -> Result<(), Odd> {
        let broken = || Odd::Garbage("its question cannot be read".to_owned());
        let name = self.name().ok_or_else(broken)?;
        let (rtype, class) = (self.number().ok_or_else(broken)?, self.number().ok_or_else(broken)?);
        if name.to_lower() == question.name && rtype == question.rtype && class == CLASS_IN {
            return Ok(());
        }
        Err(Odd::NotOurs("it answers another question"))
    }

    /// One record; none where it is OPT or of another class.
    fn record(&mut self, message: &mut Message) -> Result<Option<Record>, Odd> {
        let broken = || Odd::Garbage("it ends inside a record".to_owned());
        let owner = self.name().ok_or_else(broken)?.to_lower();
        let (rtype, class) = (self.number().ok_or_else(broken)?, self.number().ok_or_else(broken)?);
        let (high, low) = (self.number().ok_or_else(broken)?, self.number().ok_or_else(broken)?);
        let length = usize::from(self.number().ok_or_else(broken)?);
        let end = self.at + length;
        if rtype == number::OPT {
            // RFC 6891 § 6.1.3: the upper eight bits of the code.
            message.rcode |= (high >> 8) << 4;
            self.take(length).ok_or_else(broken)?;
            return Ok(None);
        }
        let data = self.data(rtype, length).ok_or_else(broken)?;
        if self.at != end || rdata::check(rtype, &data).is_err() {
            let what = format!("{} {} has broken data", name::print(&owner), rtype::print(rtype));
            return Err(Odd::Garbage(what));
        }
        let ttl = if high & 0x8000 == 0 { u32::from(high) << 16 | u32::from(low) } else { 0 };
        Ok((class == CLASS_IN).then_some(Record { owner, rtype, ttl, data }))
    }

    fn data(&mut self, rtype: u16, length: usize) -> Option<Vec<u8>> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.octets.len())?;
        let (before, names) = compressed_names(rtype);
        let mut data = self.take(before.min(length))?.to_vec();
        for _ in 0..names {
            data.extend_from_slice(&self.name()?);
        }
        let rest = end.checked_sub(self.at)?;
        data.extend_from_slice(self.take(rest)?);
        Some(data)
    }
}

/// Octets in front of the names that may be compressed, and their number (RFC 3597 § 4: only in types of RFC 1035, and
/// in those where old servers do it).
fn compressed_names(rtype: u16) -> (usize, usize) {
    match rtype {
        number::NS | number::CNAME | number::PTR | number::DNAME | number::NSEC => (0, 1),
        number::SOA | number::RP | number::MINFO => (0, 2),
        number::MX | number::RT | number::AFSDB | number::KX => (2, 1),
        number::SRV => (6, 1),
        number::RRSIG => (18, 1),
        _ => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::ROOT;

    fn question(name: &str, rtype: u16) -> Question {
        Question { id: 7, opcode: QUERY, name: Name::parse(name, ROOT).expect("a name"), rtype }
    }

    fn reply(question: &Question) -> Vec<u8> {
        let mut octets = question.encode();
        octets.truncate(12 + question.name.len() + 4);
        octets[2] = 0x84;
        octets[11] = 0;
        octets
    }

    #[test]
    fn a_question_is_what_hickory_reads() {
        let question = question("mx.example.", number::DS);
        let read = hickory_proto::op::Message::from_vec(&question.encode()).expect("a message");
        let edns = read.edns.as_ref().expect("EDNS");
        assert!(edns.flags().dnssec_ok && edns.max_payload() == 1232 && !read.metadata.recursion_desired);
        assert_eq!((read.metadata.id, read.queries.len()), (7, 1));
        assert_eq!(read.queries[0].name().to_string(), "mx.example.");
    }

    #[test]
    fn names_are_written_out_and_the_rest_stays_as_it_came() {
        let asked = question("Mx.Example.", number::NS);
        let mut octets =
            reply(&Question { name: Name::from_wire(b"\x02Mx\x07Example\0").expect("a name"), ..asked.clone() });
        octets[7] = 1;
        octets.extend([0xc0, 12, 0, 2, 0, 1, 0, 0, 14, 16, 0, 5, 2, b'N', b's', 0xc0, 12]);
        let message = decode(&octets, &asked).expect("a reply");
        assert!(message.authoritative && !message.truncated);
        assert_eq!(message.answer[0].owner, asked.name);
        assert_eq!((message.answer[0].ttl, &*message.answer[0].data), (3600, &b"\x02Ns\x02Mx\x07Example\0"[..]));
    }

    #[test]
    fn what_is_not_our_reply_is_told_apart_from_garbage() {
        let asked = question("mx.example.", number::DS);
        let good = reply(&asked);
        assert_eq!(decode(&good, &asked).map(|m| m.rcode), Ok(0));
        for (at, flip) in [(1, 1), (2, 0x80), (2, 8), (5, 1), (13, 1), (good.len() - 3, 1)] {
            let mut other = good.clone();
            other[at] ^= flip;
            assert!(matches!(decode(&other, &asked), Err(Odd::NotOurs(_))), "octet {at}");
        }
        let mut more = good.clone();
        more[7] = 1;
        // A pointer to itself, one forward, a label that is none, an end inside.
        for tail in [&[0xc0, 28][..], &[0xc0, 200], &[0x40, 1], &[0, 0, 43, 0]] {
            let octets = [&more[..], tail].concat();
            assert!(matches!(decode(&octets, &asked), Err(Odd::Garbage(_))), "{tail:?}");
        }
        for length in 0..good.len() {
            assert!(decode(&good[..length], &asked).is_err());
        }
    }

    #[test]
    fn an_extended_code_is_put_together() {
        let asked = question("mx.example.", number::DS);
        let mut octets = reply(&asked);
        octets[11] = 1;
        octets.extend([0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 0]);
        assert_eq!(decode(&octets, &asked).map(|m| m.rcode), Ok(16));
    }

    #[test]
    fn chance_octets_do_no_harm() {
        let asked = question("mx.example.", number::DS);
        let mut octets = reply(&asked);
        octets[7] = 9;
        let mut seed = 1u64;
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if octets.len() > 200 {
                octets.truncate(28);
            }
            octets.push(seed.to_be_bytes()[0]);
            decode(&octets, &asked).ok();
        }
    }
}
