//! The records of a reply: which fit, and where names that stand already are pointed to.
//!
//! An RRset goes with all its signatures or not at all; nothing half is ever sent.

use super::{Answer, Data, Item, Owner, SIGNATURE_OCTETS, Signed, rrsig_head};
use crate::dns::name;
use crate::dns::rrset::{CLASS_IN, RECORD_HEAD};
use crate::dns::rtype::number as rtype;
use arrayvec::ArrayVec;

/// Places in a message that pointers reach (RFC 1035 § 4.1.4: 14 bits).
const POINTERS: usize = 0x4000;

/// 0 for the answer section, 1 for authority, 2 for additional.
fn section_of(answer: &Answer<'_>, index: usize) -> usize {
    usize::from(index >= answer.authority_at) + usize::from(index >= answer.additional_at)
}

/// A reply in the making.
pub(super) struct Writer<'o, 'a> {
    pub out: &'o mut [u8],
    pub at: usize,
    pub limit: usize,
    /// Names written out in full, with their places: the targets of aliases, which own what follows, and other owners.
    pub targets: ArrayVec<(usize, &'a [u8]), 16>,
}

impl<'a> Writer<'_, 'a> {
    #[inline]
    pub fn put(&mut self, octets: &[u8]) -> bool {
        let end = self.at + octets.len();
        if end > self.limit {
            return false;
        }
        match self.out.get_mut(self.at..end) {
            Some(place) => place.copy_from_slice(octets),
            None => return false,
        }
        self.at = end;
        true
    }

    /// Writes item after item; false where one that is needed did not fit, which ends the reply: nothing half is ever
    /// sent.
    #[inline]
    pub fn sections(&mut self, answer: &'a Answer<'_>, question: &'a [u8], counts: &mut [u16; 3]) -> bool {
        let question = question.get(..question.len().saturating_sub(4)).unwrap_or_default();
        let mut whole = (self.at, *counts);
        for (index, item) in answer.items.iter().enumerate() {
            // An RRset goes with all its signatures or not at all.
            if !item.signature_only {
                whole = (self.at, *counts);
            }
            match self.item(answer, item, question) {
                Some(records) => counts[section_of(answer, index)] += records,
                None => {
                    (self.at, *counts) = whole;
                    return self.rest(answer, question, index, counts);
                }
            }
        }
        true
    }

    /// The item at `at` did not fit. Where it is a help only, of those behind it goes what there is room for; false where it
    /// is needed.
    #[cold]
    fn rest(&mut self, answer: &'a Answer<'_>, question: &'a [u8], at: usize, counts: &mut [u16; 3]) -> bool {
        if answer.needed.is_none_or(|needed| at < needed) {
            return false;
        }
        let (mut whole, mut is_whole) = ((self.at, *counts), false);
        for (index, item) in answer.items.iter().enumerate().skip(at) {
            self.targets.retain(|(place, _)| *place < self.at);
            if item.signature_only && !is_whole {
                continue;
            }
            if !item.signature_only {
                whole = (self.at, *counts);
            }
            let written = if index == at { None } else { self.item(answer, item, question) };
            is_whole = written.is_some();
            match written {
                Some(records) => counts[section_of(answer, index)] += records,
                None => (self.at, *counts) = whole,
            }
        }
        true
    }

    #[inline]
    fn item(&mut self, answer: &'a Answer<'_>, item: &'a Item<'_>, question: &[u8]) -> Option<u16> {
        let mut pointer = [0xc0, 0x0c];
        let owner = match item.owner {
            Owner::Question => None,
            Owner::Name(name) => Some(name),
            Owner::Made(range) => Some(answer.made(range)),
        };
        if let Some(owner) = owner {
            match self.find(owner, question) {
                Some(at) => pointer = (0xc000 | u16::try_from(at).ok()?).to_be_bytes(),
                None => return self.item_in_full(answer, item, owner),
            }
        }
        self.item_of(answer, item, [&pointer, &pointer])
    }

    /// An item whose owner stands nowhere yet: it is written out once, and pointed to by all that follows.
    #[inline(never)]
    fn item_in_full(&mut self, answer: &'a Answer<'_>, item: &'a Item<'_>, owner: &'a [u8]) -> Option<u16> {
        let start = self.at;
        if start >= POINTERS {
            return self.item_of(answer, item, [owner, owner]);
        }
        let pointer = (0xc000 | u16::try_from(start).ok()?).to_be_bytes();
        let records = self.item_of(answer, item, [owner, &pointer])?;
        self.targets.try_push((start, owner)).ok();
        Some(records)
    }

    /// Writes an item with the first of `owners` in its first record, and the second in all others.
    #[inline]
    fn item_of(&mut self, answer: &'a Answer<'_>, item: &'a Item<'_>, owners: [&[u8]; 2]) -> Option<u16> {
        let [first, second] = owners;
        let rtype = match item.data {
            Data::Set(set) => set.rtype,
            Data::Made { rtype, .. } => rtype,
        };
        let (mut owner, mut records) = (first, 0);
        if !item.signature_only {
            records += self.records(answer, item, first, second)?;
            owner = second;
        }
        if let Some(signature) = &item.signature {
            self.rrsig(signature, owner, rtype, item.ttl).then_some(())?;
            records += 1;
        }
        Some(records)
    }

    fn records(&mut self, answer: &'a Answer<'_>, item: &'a Item<'_>, owner: &[u8], then: &[u8]) -> Option<u16> {
        match item.data {
            Data::Set(set) if owner == [0xc0, 0x0c] && item.ttl == set.ttl => {
                let start = self.at;
                self.put(set.wire).then_some(())?;
                if set.rtype == rtype::CNAME {
                    self.targets.try_push((start + RECORD_HEAD, set.wire.get(RECORD_HEAD..)?)).ok();
                }
                Some(set.count)
            }
            Data::Set(set) => {
                let mut owner = owner;
                for data in set.data() {
                    self.record(owner, set.rtype, item.ttl, data)?;
                    owner = then;
                }
                Some(set.count)
            }
            Data::Made { rtype, data } => {
                self.record(owner, rtype, item.ttl, answer.made(data))?;
                Some(1)
            }
        }
    }

    fn record(&mut self, owner: &[u8], rtype: u16, ttl: u32, data: &'a [u8]) -> Option<()> {
        let mut head = [0u8; RECORD_HEAD - 2];
        head[..2].copy_from_slice(&rtype.to_be_bytes());
        head[2..4].copy_from_slice(&CLASS_IN.to_be_bytes());
        head[4..8].copy_from_slice(&ttl.to_be_bytes());
        head[8..].copy_from_slice(&u16::try_from(data.len()).ok()?.to_be_bytes());
        let fits = self.put(owner) && self.put(&head);
        let start = self.at;
        (fits && self.put(data)).then_some(())?;
        if rtype == rtype::CNAME {
            self.targets.try_push((start, data)).ok();
        }
        Some(())
    }

    fn rrsig(&mut self, signed: &Signed<'_>, owner: &[u8], covered: u16, ttl: u32) -> bool {
        let mut head = [0u8; RECORD_HEAD - 2 + 18];
        let length = u16::try_from(18 + signed.signer.len() + SIGNATURE_OCTETS).unwrap_or(0);
        head[..2].copy_from_slice(&rtype::RRSIG.to_be_bytes());
        head[2..4].copy_from_slice(&CLASS_IN.to_be_bytes());
        head[4..8].copy_from_slice(&ttl.to_be_bytes());
        head[8..10].copy_from_slice(&length.to_be_bytes());
        head[10..].copy_from_slice(&rrsig_head(signed, covered));
        self.put(owner) && self.put(&head) && self.put(signed.signer) && self.put(&signed.octets)
    }

    /// Where `name` already stands: at the end of the question's name or of an alias' target.
    fn find(&self, owner: &[u8], question: &[u8]) -> Option<usize> {
        let ends = |whole: &[u8]| {
            let skip = whole.len().checked_sub(owner.len())?;
            let same = whole.get(skip..)?.eq_ignore_ascii_case(owner);
            (same && name::ancestors(whole).any(|suffix| suffix.len() == owner.len())).then_some(skip)
        };
        let at = ends(question).map(|skip| 12 + skip);
        at.or_else(|| self.targets.iter().find_map(|(place, target)| ends(target).map(|skip| place + skip)))
            .filter(|at| *at < POINTERS)
    }
}
