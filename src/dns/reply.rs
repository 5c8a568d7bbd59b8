//! An answer to the octets of a reply: sections, compression, EDNS, size and TC.
//!
//! The only place that writes replies. RRsets go out whole or not at all, each with all its signatures; OPT always fits.

mod opt;
mod records;

pub use opt::{NSID_OCTETS_MAX, OptData};

use crate::dns::query::{Edns, Header};
use crate::dns::rrset::RrsetView;
use arrayvec::ArrayVec;
use opt::{OPT_OCTETS_MAX, write_opt};
use records::Writer;

/// RRsets in one reply, at most: a chain of aliases with its end, or a referral with glue.
pub const ITEMS_MAX: usize = 64;
/// Octets that one answer may make up (synthesised aliases, NSEC): eight names and one NSEC.
pub const MADE_OCTETS_MAX: usize = 4096;
/// UDP size that we offer and never exceed (RFC 9715 § 3.2; DNS flag day 2020).
pub const UDP_SIZE_MAX: u16 = 1232;
/// Octets of a signature by algorithms 13 and 15 (RFC 6605 § 4, RFC 8080 § 4).
pub const SIGNATURE_OCTETS: usize = 64;

/// Extended error codes (RFC 8914 § 4; 30 by RFC 9824 § 9).
#[allow(missing_docs)]
pub mod ede {
    pub const PROHIBITED: u16 = 18;
    pub const NOT_AUTHORITATIVE: u16 = 20;
    pub const NOT_SUPPORTED: u16 = 21;
    pub const NOT_READY: u16 = 14;
    pub const INVALID_QUERY_TYPE: u16 = 30;
}

/// Who owns an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// The question's name.
    Question,
    /// Another name, lower case; compressed where it ends the question's name or an alias' target.
    Name(&'a [u8]),
    /// A made-up name: its place in [`Answer::made`].
    Made(Range),
}

/// A range of [`Answer::made`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First octet.
    pub start: u16,
    /// Octets.
    pub length: u16,
}

/// What an item says.
#[derive(Clone, Copy, Debug)]
pub enum Data<'a> {
    /// An RRset that is kept.
    Set(RrsetView<'a>),
    /// One record whose data were made up: NSEC, or the alias of a DNAME.
    Made {
        /// Type.
        rtype: u16,
        /// Record data in [`Answer::made`].
        data: Range,
    },
}

/// The signature beside an RRset: what RRSIG carries (RFC 4034 § 3.1) beyond type and TTL.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// Algorithm.
    pub algorithm: u8,
    /// Labels of the owner, without root and leading `*`.
    pub labels: u8,
    /// TTL that was signed.
    pub original_ttl: u32,
    /// First and last second, as RRSIG counts.
    pub inception: u32,
    /// See `inception`.
    pub expiration: u32,
    /// Key tag.
    pub tag: u16,
    /// Apex of the zone.
    pub signer: &'a [u8],
    /// The signature.
    pub octets: [u8; SIGNATURE_OCTETS],
}

/// One RRset of a reply.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// Owner.
    pub owner: Owner<'a>,
    /// Records.
    pub data: Data<'a>,
    /// TTL to send: the RRset's own, or less.
    pub ttl: u32,
    /// Its signature; none where the zone is unsigned, DO is not set, or it is not ours to sign (NS of a cut, glue).
    pub signature: Option<Signed<'a>>,
    /// Only the signature is sent: for questions of type RRSIG, and where a further key signs what the item before holds.
    pub signature_only: bool,
}

/// A reply before it is written.
#[derive(Clone, Debug, Default)]
pub struct Answer<'a> {
    /// Response code with its extended bits.
    pub rcode: u16,
    /// AA.
    pub authoritative: bool,
    /// TC whatever the size: a signature was refused.
    pub truncated: bool,
    /// CO in the reply's OPT (RFC 9824 § 5.1).
    pub compact: bool,
    /// Extended error.
    pub ede: Option<u16>,
    /// All items: first those of the answer section, then authority, then additional.
    pub items: ArrayVec<Item<'a>, ITEMS_MAX>,
    /// Where the authority section begins among `items`.
    pub authority_at: usize,
    /// Where the additional section begins among `items`.
    pub additional_at: usize,
    /// Items from the front that must all be sent, or TC is set; none: all must. Of the others goes what there is room for.
    pub needed: Option<usize>,
    /// Octets made up for this answer.
    pub made: ArrayVec<u8, MADE_OCTETS_MAX>,
}

impl<'a> Answer<'a> {
    /// The octets of a range.
    pub fn made(&self, range: Range) -> &[u8] {
        let start = usize::from(range.start);
        self.made.get(start..start + usize::from(range.length)).unwrap_or_default()
    }

    /// Keeps made-up octets; none where they no longer fit.
    pub fn make(&mut self, parts: &[&[u8]]) -> Option<Range> {
        let start = u16::try_from(self.made.len()).ok()?;
        for part in parts {
            self.made.try_extend_from_slice(part).ok()?;
        }
        Some(Range { start, length: u16::try_from(self.made.len()).ok()? - start })
    }

    /// Adds an item to the section that is being filled; too many of them make the reply truncated.
    pub fn push(&mut self, item: Item<'a>) {
        if self.items.try_push(item).is_err() {
            self.truncated = true;
        }
    }

    /// From here on items belong to the authority section.
    pub fn begin_authority(&mut self) {
        self.authority_at = self.items.len();
        self.additional_at = self.items.len();
    }

    /// From here on items belong to the additional section.
    pub fn begin_additional(&mut self) {
        self.additional_at = self.items.len();
    }

    /// From here on items are a help that may be left out.
    pub fn begin_optional(&mut self) {
        self.needed = Some(self.items.len());
    }

    /// Ends a reply that has an answer section only.
    pub fn end_answer(&mut self) {
        self.begin_authority();
    }
}

/// Writes the reply and returns its octets and whether TC is set. `limit` is at least 512 and at most `out.len()`.
pub fn write(
    header: Header,
    question: &[u8],
    edns: Option<Edns>,
    opt: OptData<'_>,
    answer: &Answer<'_>,
    limit: usize,
    out: &mut [u8],
) -> (usize, bool) {
    let mut opt_octets = ArrayVec::<u8, OPT_OCTETS_MAX>::new();
    if let Some(edns) = edns {
        write_opt(edns, opt, answer, &mut opt_octets);
    }
    let limit = limit.min(out.len());
    let mut writer = Writer { out, at: 0, limit: limit.saturating_sub(opt_octets.len()), targets: ArrayVec::new() };
    let mut counts = [0u16; 3];
    let started = writer.put(&[0; 12]) && writer.put(question);
    let mut truncated = answer.truncated || !started;
    if started && !answer.truncated {
        truncated |= !writer.sections(answer, question, &mut counts);
    }
    writer.limit = limit;
    let with_opt = !opt_octets.is_empty() && writer.put(&opt_octets);
    let length = writer.at;
    let additional = counts[2] + u16::from(with_opt);
    write_header(header, answer, truncated, [u16::from(!question.is_empty()), counts[0], counts[1], additional], out);
    (length, truncated)
}

fn write_header(header: Header, answer: &Answer<'_>, truncated: bool, counts: [u16; 4], out: &mut [u8]) {
    let Some(head) = out.first_chunk_mut::<12>() else { return };
    // RFC 4035 § 3.1.6, RFC 8906 § 3.1.4: RD, CD and the opcode are repeated; RA, AD and Z stay clear.
    let mut flags = 0x8000 | (header.flags & 0x7910) | (answer.rcode & 0x000f);
    if answer.authoritative {
        flags |= 0x0400;
    }
    if truncated {
        flags |= 0x0200;
    }
    if header.flags & 0x7800 != 0 {
        flags &= !0x0010;
    }
    head[..2].copy_from_slice(&header.id.to_be_bytes());
    head[2..4].copy_from_slice(&flags.to_be_bytes());
    for (place, count) in head[4..].chunks_exact_mut(2).zip(counts) {
        place.copy_from_slice(&count.to_be_bytes());
    }
}

/// The first 18 octets of RRSIG's data (RFC 4034 § 3.1), which are also what is signed first (§ 3.1.8.1).
pub fn rrsig_head(signed: &Signed<'_>, covered: u16) -> [u8; 18] {
    let mut head = [0u8; 18];
    head[..2].copy_from_slice(&covered.to_be_bytes());
    head[2] = signed.algorithm;
    head[3] = signed.labels;
    head[4..8].copy_from_slice(&signed.original_ttl.to_be_bytes());
    head[8..12].copy_from_slice(&signed.expiration.to_be_bytes());
    head[12..16].copy_from_slice(&signed.inception.to_be_bytes());
    head[16..].copy_from_slice(&signed.tag.to_be_bytes());
    head
}
