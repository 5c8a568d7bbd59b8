//! Signatures made online and kept warm: RRset, key and window give an RRSIG.
//!
//! Pure but for the memo. It never signs outside its window, never with a key that did not prove itself, and never lets
//! what strangers can invent (denials of random names, wildcard expansions) take the place of anything else.

pub mod denial;
pub mod export;
pub mod foreign;
mod further;
pub mod handover;
pub mod key;
pub mod memo;
pub mod recent;
mod shelf;

pub use further::FurtherKey;

use crate::dns::name::{self, Name};
use crate::dns::reply::{SIGNATURE_OCTETS, Signed, rrsig_head};
use crate::dns::rrset::{CLASS_IN, RrsetView, digest, hash_name};
use crate::dns::rtype::number as rtype;
use crate::time::{SignaturePolicy, UnixTime};
use further::Further;
use key::Key;
use memo::{Kept, Slot};
use recent::Recent;
use std::sync::Arc;

/// Keys that sign a zone's data at once, at most: one of each algorithm while that rolls (RFC 6781 § 4.1.4).
pub const DATA_KEYS_MAX: usize = 2;
/// Keys that sign DNSKEY, CDS and CDNSKEY at once, at most: old and new, of two algorithms. With six keys their RRset
/// still fits into a UDP answer.
pub const ENTRY_KEYS_MAX: usize = 4;

/// How a zone signs: its active keys, what they are published as, and the windows.
pub struct Signing {
    apex: Name,
    /// Signs the zone's data; its signatures lie beside the data.
    data_key: Arc<Key>,
    /// Signs DNSKEY, CDS and CDNSKEY (RFC 7344 § 4.1: by a key that the DS names).
    apex_key: Arc<Key>,
    /// Those that sign besides, while keys roll; nearly always none.
    further: Option<Box<Further>>,
    data: SignaturePolicy,
    dnskey: SignaturePolicy,
    /// Differs whenever keys or windows differ.
    id: u64,
    /// The same for the first key and the windows of data, and of key sets: part of the stamps of their signatures, so
    /// that a roll of one leaves those of the other warm.
    data_id: u64,
    apex_id: u64,
}

/// An RRset about to be signed.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Owner as it will be answered, lower case.
    pub owner: &'a [u8],
    /// Type.
    pub rtype: u16,
    /// The RRset's own TTL.
    pub ttl: u32,
    /// Its data.
    pub data: SubjectData<'a>,
}

/// The data of a [`Subject`].
#[derive(Clone, Copy)]
pub enum SubjectData<'a> {
    /// A prepared RRset.
    Set(RrsetView<'a>),
    /// The data of a single record.
    One(&'a [u8]),
}

/// Where a signature is kept.
#[derive(Clone, Copy)]
pub enum KeptIn<'a> {
    /// In the slot of its RRset, for good.
    Own(&'a Slot),
    /// Among those made lately, until others drive it out.
    Recent(&'a Recent),
}

/// Why there is no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsigned {
    /// None is kept, and none may be made now.
    NotKept,
    /// The key failed: our bug or broken hardware.
    Failed,
}

/// Why some keys are no way to sign a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysFault {
    /// Validators would find no signature.
    #[error("no published key signs {0}")]
    None(&'static str),
    /// Answers would grow too large.
    #[error("{count} keys sign {what} at once, and at most {max} may: end one roll before the next begins")]
    TooMany {
        /// What they sign.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// Each of its signatures would be given twice.
    #[error("key {tag} is to sign {what} twice: name it once")]
    Twice {
        /// The key.
        tag: u16,
        /// What it signs.
        what: &'static str,
    },
}

/// A signature and whether it was made now.
pub struct Made<'a> {
    /// The signature.
    pub signed: Signed<'a>,
    /// True: made now; false: it was kept.
    pub fresh: bool,
}

impl Signing {
    /// A zone whose data are signed by each of `data_keys`, and whose key sets by each of `entry_keys` (for a CSK both
    /// hold one key). Signatures of the first of each are found fastest.
    ///
    /// # Errors
    /// [`KeysFault`].
    pub fn new(
        apex: Name,
        data_keys: Vec<Arc<Key>>,
        entry_keys: Vec<Arc<Key>>,
        data: SignaturePolicy,
        dnskey: SignaturePolicy,
    ) -> Result<Signing, KeysFault> {
        check_keys(&data_keys, "the zone's data", DATA_KEYS_MAX)?;
        check_keys(&entry_keys, "DNSKEY, CDS and CDNSKEY", ENTRY_KEYS_MAX)?;
        let id = identify(&apex, [&data_keys, &entry_keys], [&data, &dnskey]);
        let further = Further::new(&data_keys, &entry_keys);
        let data_key = data_keys.into_iter().next().ok_or(KeysFault::None("the zone's data"))?;
        let apex_key = entry_keys.into_iter().next().ok_or(KeysFault::None("DNSKEY, CDS and CDNSKEY"))?;
        let data_id = identify(&apex, [std::slice::from_ref(&data_key), &[]], [&data, &data]);
        let apex_id = identify(&apex, [&[], std::slice::from_ref(&apex_key)], [&dnskey, &dnskey]);
        Ok(Signing { apex, data_key, apex_key, further, data, dnskey, id, data_id, apex_id })
    }

    /// Whether what one keeps is good for the other: the same keys and windows.
    pub fn is_same(&self, other: &Signing) -> bool {
        self.id == other.id
    }

    /// The keys that sign, each once.
    pub fn keys(&self) -> Vec<&Arc<Key>> {
        let mut keys = vec![&self.data_key];
        let others = std::iter::once(&self.apex_key).chain(self.further.iter().flat_map(|further| further.keys()));
        for key in others {
            if !keys.iter().any(|other| is_same_key(other, key)) {
                keys.push(key);
            }
        }
        keys
    }

    /// Whether validators do without a key: it signs data beside another, so its DNSKEY may come later or be gone
    /// already (RFC 6781 § 4.1.4, the first and the last step of an algorithm roll).
    pub fn may_be_unpublished(&self, key: &Key) -> bool {
        !is_same_key(&self.data_key, key)
            && !is_same_key(&self.apex_key, key)
            && !self.further(rtype::DNSKEY).iter().any(|further| is_same_key(further.key(), key))
    }

    /// The tag of the key that signs `rtype`.
    pub fn tag(&self, rtype: u16) -> u16 {
        self.roles(rtype).0.tag
    }

    /// The windows for `rtype`.
    pub fn policy(&self, rtype: u16) -> &SignaturePolicy {
        self.roles(rtype).1
    }

    /// The signature of `subject` that is kept, if it is for this content and key and has enough time left.
    pub fn kept<'s>(&'s self, subject: &Subject<'_>, place: KeptIn<'_>, now: UnixTime) -> Option<Signed<'s>> {
        let stamp = self.stamp(subject, place);
        let kept = match place {
            KeptIn::Own(slot) => slot.load().filter(|kept| kept.stamp == stamp)?,
            KeptIn::Recent(recent) => recent.find(stamp)?,
        };
        let (key, policy) = self.roles(subject.rtype);
        self.still_good(key, policy, subject, &kept, now)
    }

    /// The signature that was kept, if it has enough time left.
    #[inline]
    fn still_good<'s>(
        &'s self,
        key: &Key,
        policy: &SignaturePolicy,
        subject: &Subject<'_>,
        kept: &Kept,
        now: UnixTime,
    ) -> Option<Signed<'s>> {
        let least = now.after(policy.life.saturating_sub(policy.grid + policy.grace())).rrsig();
        if crate::time::serial_less(kept.expiration, least) {
            return None;
        }
        let signed = self.signed(key, policy, subject, kept.expiration, kept.octets);
        // After the clock went back, a signature may not have begun yet.
        (!crate::time::serial_less(now.rrsig(), signed.inception)).then_some(signed)
    }

    /// The signature of `subject`: the kept one, or, where `make` allows, a new one, which is then kept.
    ///
    /// # Errors
    /// [`Unsigned`].
    pub fn sign<'s>(
        &'s self,
        subject: &Subject<'_>,
        place: KeptIn<'_>,
        now: UnixTime,
        make: bool,
    ) -> Result<Made<'s>, Unsigned> {
        if let Some(signed) = self.kept(subject, place, now) {
            return Ok(Made { signed, fresh: false });
        }
        if !make {
            return Err(Unsigned::NotKept);
        }
        let (key, policy) = self.roles(subject.rtype);
        let signed = self.fresh(key, policy, subject, now, false)?;
        let (stamp, expiration) = (self.stamp(subject, place), signed.expiration);
        let kept = Kept { stamp, expiration, octets: signed.octets };
        match place {
            KeptIn::Own(slot) => slot.store(&kept),
            KeptIn::Recent(recent) => recent.keep(&kept),
        }
        Ok(Made { signed, fresh: true })
    }

    /// Makes and keeps signatures for the current window, one by each key, unless they are kept already; each one made
    /// here is verified before it is used (invariant I10). Returns the end of the kept ones and how many were made now.
    ///
    /// # Errors
    /// [`Unsigned::Failed`].
    pub fn warm(&self, subject: &Subject<'_>, slot: &Slot, now: UnixTime) -> Result<(u32, u8), Unsigned> {
        let (key, policy) = self.roles(subject.rtype);
        let expiration = policy.window(now, phase(subject)).expiration.rrsig();
        let stamp = self.stamp(subject, KeptIn::Own(slot));
        let mut made = 0;
        if slot.load().is_none_or(|kept| kept.stamp != stamp || kept.expiration != expiration) {
            let signed = self.fresh(key, policy, subject, now, true)?;
            slot.store(&Kept { stamp, expiration: signed.expiration, octets: signed.octets });
            made = 1;
        }
        Ok((expiration, made + self.warm_further(subject, expiration, now)?))
    }

    fn fresh<'s>(
        &'s self,
        key: &Key,
        policy: &SignaturePolicy,
        subject: &Subject<'_>,
        now: UnixTime,
        verify: bool,
    ) -> Result<Signed<'s>, Unsigned> {
        let expiration = policy.window(now, phase(subject)).expiration.rrsig();
        let mut signed = self.signed(key, policy, subject, expiration, [0; SIGNATURE_OCTETS]);
        let message = to_be_signed(&signed, subject);
        signed.octets = key.signer.sign(&message).map_err(|_| Unsigned::Failed)?;
        // Of those that are made while a query waits one in 256: a verification costs three signatures.
        let sampled = signed.octets[0] == 0;
        if (verify || sampled) && !key::verify(&key.dnskey_data(), &message, &signed.octets) {
            return Err(Unsigned::Failed);
        }
        Ok(signed)
    }

    fn signed<'s>(
        &'s self,
        key: &Key,
        policy: &SignaturePolicy,
        subject: &Subject<'_>,
        expiration: u32,
        octets: [u8; SIGNATURE_OCTETS],
    ) -> Signed<'s> {
        let span = u32::try_from(policy.life + policy.inception_before).unwrap_or(u32::MAX);
        Signed {
            algorithm: key.algorithm,
            labels: rrsig_labels(subject.owner),
            original_ttl: subject.ttl,
            inception: expiration.wrapping_sub(span),
            expiration,
            tag: key.tag,
            signer: &self.apex,
            octets,
        }
    }

    fn roles(&self, rtype: u16) -> (&Arc<Key>, &SignaturePolicy) {
        match rtype {
            rtype::DNSKEY | rtype::CDS | rtype::CDNSKEY => (&self.apex_key, &self.dnskey),
            _ => (&self.data_key, &self.data),
        }
    }

    /// What a kept signature is valid for. In a slot of its own it need not say whose it is; among others it must.
    fn stamp(&self, subject: &Subject<'_>, place: KeptIn<'_>) -> u64 {
        match place {
            KeptIn::Own(_) => self.stamp_with(subject, 0),
            KeptIn::Recent(_) => self.stamp_with(subject, hash_name(subject.owner).rotate_left(32)),
        }
    }

    fn stamp_with(&self, subject: &Subject<'_>, owner: u64) -> u64 {
        let content = match subject.data {
            SubjectData::Set(set) => set.digest,
            SubjectData::One(data) => digest(subject.rtype, subject.ttl, data),
        };
        let id = match subject.rtype {
            rtype::DNSKEY | rtype::CDS | rtype::CDNSKEY => self.apex_id,
            _ => self.data_id,
        };
        (content ^ owner ^ id).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(subject.rtype)
    }
}

fn is_same_key(one: &Key, other: &Key) -> bool {
    (one.flags, one.algorithm, &one.public) == (other.flags, other.algorithm, &other.public)
}

fn check_keys(keys: &[Arc<Key>], what: &'static str, max: usize) -> Result<(), KeysFault> {
    if keys.is_empty() {
        return Err(KeysFault::None(what));
    }
    if keys.len() > max {
        return Err(KeysFault::TooMany { what, count: keys.len(), max });
    }
    let twice = keys.iter().enumerate().find(|(at, key)| keys.iter().skip(at + 1).any(|other| is_same_key(key, other)));
    twice.map_or(Ok(()), |(_, key)| Err(KeysFault::Twice { tag: key.tag, what }))
}

/// A number for all that signatures depend on but their content.
fn identify(apex: &Name, keys: [&[Arc<Key>]; 2], policies: [&SignaturePolicy; 2]) -> u64 {
    let mut what = apex.to_vec();
    for list in keys {
        what.extend_from_slice(&list.len().to_be_bytes());
        list.iter().for_each(|key| what.extend_from_slice(&key.dnskey_data()));
    }
    for policy in policies {
        for span in [policy.life, policy.grid, policy.inception_before] {
            what.extend_from_slice(&span.to_be_bytes());
        }
    }
    digest(rtype::DNSKEY, 0, &what)
}

/// Labels as RRSIG counts them: without root and without a leading `*` (RFC 4034 § 3.1.3).
fn rrsig_labels(owner: &[u8]) -> u8 {
    u8::try_from(name::label_count(owner) - usize::from(name::is_wildcard(owner))).unwrap_or(0)
}

/// The phase of a name on the grid: from the name alone, so that all instances agree (FNV-1a).
fn phase(subject: &Subject<'_>) -> u32 {
    let mix = |hash: u32, octet: &u8| (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193);
    subject.rtype.to_be_bytes().iter().chain(subject.owner).fold(0x811c_9dc5, mix)
}

/// RRSIG's data without the signature, then each record in canonical form and order (RFC 4034 § 3.1.8.1).
pub fn to_be_signed(signed: &Signed<'_>, subject: &Subject<'_>) -> Vec<u8> {
    let mut message = Vec::with_capacity(1024);
    message.extend_from_slice(&rrsig_head(signed, subject.rtype));
    message.extend_from_slice(signed.signer);
    let mut record = |data: &[u8]| {
        message.extend_from_slice(subject.owner);
        message.extend_from_slice(&subject.rtype.to_be_bytes());
        message.extend_from_slice(&CLASS_IN.to_be_bytes());
        message.extend_from_slice(&signed.original_ttl.to_be_bytes());
        message.extend_from_slice(&u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
        message.extend_from_slice(data);
    };
    match subject.data {
        SubjectData::Set(set) => set.data().for_each(&mut record),
        SubjectData::One(data) => record(data),
    }
    message
}
