//! An RRset as it leaves in answers: its records prepared once in wire form, sorted as they are signed.

use crate::dns::name;
use std::hash::{BuildHasher, Hasher};

/// Octets in front of the record data of a prepared record: pointer, type, class, TTL, length.
pub const RECORD_HEAD: usize = 12;
/// The compression pointer to the question's name (RFC 1035 § 4.1.4), which owns most answers.
pub const QUESTION_POINTER: [u8; 2] = [0xc0, 0x0c];
/// Class IN.
pub const CLASS_IN: u16 = 1;
/// Records in one RRset, at most: more than any sane set has, and all of them still fit one TCP message of A records.
pub const RECORDS_MAX: usize = 2000;
/// Octets of a prepared RRset, at most: with question, OPT and signature it must fit a TCP message of 65,535.
pub const RRSET_OCTETS_MAX: usize = 60_000;

/// A view of one RRset: prepared records, wherever they are stored.
#[derive(Clone, Copy, Debug)]
pub struct RrsetView<'a> {
    /// Type.
    pub rtype: u16,
    /// TTL of every record in it (RFC 2181 § 5.2).
    pub ttl: u32,
    /// Number of records.
    pub count: u16,
    /// The records one after another, each with [`QUESTION_POINTER`] for its owner.
    pub wire: &'a [u8],
    /// Changes whenever type, TTL or data change: a signature is kept for exactly one digest.
    pub digest: u64,
}

/// An RRset that owns its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rrset {
    rtype: u16,
    ttl: u32,
    count: u16,
    wire: Box<[u8]>,
    digest: u64,
}

/// Why records are not an RRset that can be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RrsetFault {
    /// See [`RECORDS_MAX`].
    #[error("more than {RECORDS_MAX} records of one type at one name")]
    TooMany,
    /// See [`RRSET_OCTETS_MAX`].
    #[error("more than {RRSET_OCTETS_MAX} octets of one type at one name, which fits no TCP answer")]
    TooLarge,
    /// Record data are at most 65,535 octets.
    #[error("record data longer than 65535 octets")]
    DataTooLong,
}

impl Rrset {
    /// Sorts the record data canonically (RFC 4034 § 6.3: as octet strings), drops doubles, prepares the wire form.
    /// Names inside the data must be lower case already (RFC 4034 § 6.2).
    ///
    /// # Errors
    /// [`RrsetFault`] where the set is too large to be served.
    pub fn new<D: AsRef<[u8]> + Ord>(rtype: u16, ttl: u32, mut data: Vec<D>) -> Result<Rrset, RrsetFault> {
        data.sort_unstable();
        data.dedup();
        let count =
            u16::try_from(data.len()).ok().filter(|n| usize::from(*n) <= RECORDS_MAX).ok_or(RrsetFault::TooMany)?;
        let mut wire = Vec::with_capacity(data.iter().map(|d| d.as_ref().len() + RECORD_HEAD).sum());
        for rdata in &data {
            push_record(&mut wire, rtype, ttl, rdata.as_ref())?;
        }
        if wire.len() > RRSET_OCTETS_MAX {
            return Err(RrsetFault::TooLarge);
        }
        let digest = digest(rtype, ttl, &wire);
        Ok(Rrset { rtype, ttl, count, wire: wire.into_boxed_slice(), digest })
    }

    /// The view that answers are made from.
    pub fn view(&self) -> RrsetView<'_> {
        RrsetView { rtype: self.rtype, ttl: self.ttl, count: self.count, wire: &self.wire, digest: self.digest }
    }
}

impl<'a> RrsetView<'a> {
    /// The prepared records one by one.
    pub fn records(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.wire;
        std::iter::from_fn(move || {
            let length = u16::from_be_bytes([*rest.get(10)?, *rest.get(11)?]);
            let (record, tail) = rest.split_at_checked(RECORD_HEAD + usize::from(length))?;
            rest = tail;
            Some(record)
        })
    }

    /// The record data one by one, in canonical order.
    pub fn data(self) -> impl Iterator<Item = &'a [u8]> {
        self.records().filter_map(|record| record.get(RECORD_HEAD..))
    }
}

/// Appends one prepared record.
///
/// # Errors
/// [`RrsetFault::DataTooLong`].
pub fn push_record(wire: &mut Vec<u8>, rtype: u16, ttl: u32, rdata: &[u8]) -> Result<(), RrsetFault> {
    let length = u16::try_from(rdata.len()).map_err(|_| RrsetFault::DataTooLong)?;
    wire.extend_from_slice(&QUESTION_POINTER);
    wire.extend_from_slice(&rtype.to_be_bytes());
    wire.extend_from_slice(&CLASS_IN.to_be_bytes());
    wire.extend_from_slice(&ttl.to_be_bytes());
    wire.extend_from_slice(&length.to_be_bytes());
    wire.extend_from_slice(rdata);
    Ok(())
}

/// What a kept signature is compared with: fixed within one process, keyed so that nobody outside can aim at it.
pub fn digest(rtype: u16, ttl: u32, wire: &[u8]) -> u64 {
    let mut hasher = seed().build_hasher();
    hasher.write_u16(rtype);
    hasher.write_u32(ttl);
    hasher.write(wire);
    hasher.finish()
}

/// The keyed hash of a lower-case name, for every table of names. The key is drawn once per process, since names are
/// chosen by strangers.
pub fn hash_name(name: &[u8]) -> u64 {
    debug_assert!(name::ancestors(name).last().is_some());
    let mut hasher = seed().build_hasher();
    hasher.write(name);
    hasher.finish()
}

fn seed() -> &'static foldhash::quality::RandomState {
    static SEED: std::sync::LazyLock<foldhash::quality::RandomState> = std::sync::LazyLock::new(Default::default);
    &SEED
}
