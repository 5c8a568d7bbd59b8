//! Signatures made online and kept warm: RRset, key and window give an RRSIG.
//!
//! Pure but for the memo. It never signs outside its window, never with a key that did not prove itself, and never lets
//! what strangers can invent (denials of random names, wildcard expansions) take the place of anything else.

pub mod denial;
pub mod export;
pub mod foreign;
pub mod handover;
pub mod key;
pub mod memo;
mod pkcs8;
pub mod recent;

use crate::dns::name::{self, Name};
use crate::dns::reply::{SIGNATURE_OCTETS, Signed, rrsig_head};
use crate::dns::rrset::{CLASS_IN, RrsetView, digest, hash_name};
use crate::dns::rtype::number as rtype;
use crate::time::{SignaturePolicy, UnixTime};
use key::Key;
use memo::{Kept, Slot};
use recent::Recent;
use std::sync::Arc;

/// How a zone signs: its active keys, what they are published as, and the windows.
pub struct Signing {
    apex: Name,
    /// Signs the zone's data.
    data_key: Arc<Key>,
    /// Signs DNSKEY, CDS and CDNSKEY (RFC 7344 § 4.1: by a key that the DS names).
    apex_key: Arc<Key>,
    data: SignaturePolicy,
    dnskey: SignaturePolicy,
    /// Differs whenever keys or windows differ; part of each stamp.
    id: u64,
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
pub enum Place<'a> {
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

/// A signature and whether it was made now.
pub struct Made<'a> {
    /// The signature.
    pub signed: Signed<'a>,
    /// True: made now; false: it was kept.
    pub fresh: bool,
}

impl Signing {
    /// A zone that signs its data with `data_key` and its key sets with `apex_key` (for a CSK both are one key).
    pub fn new(
        apex: Name,
        data_key: Arc<Key>,
        apex_key: Arc<Key>,
        data: SignaturePolicy,
        dnskey: SignaturePolicy,
    ) -> Signing {
        let mut what = apex.to_vec();
        for key in [&data_key, &apex_key] {
            what.extend_from_slice(&key.public);
            what.extend_from_slice(&key.flags.to_be_bytes());
        }
        for policy in [&data, &dnskey] {
            for span in [policy.life, policy.grid, policy.inception_before] {
                what.extend_from_slice(&span.to_be_bytes());
            }
        }
        let id = digest(rtype::DNSKEY, 0, &what);
        Signing { apex, data_key, apex_key, data, dnskey, id }
    }

    /// Whether what one keeps is good for the other: the same keys and windows.
    pub fn is_same(&self, other: &Signing) -> bool {
        self.id == other.id
    }

    /// The keys that sign.
    pub fn keys(&self) -> [&Arc<Key>; 2] {
        [&self.data_key, &self.apex_key]
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
    pub fn kept<'s>(&'s self, subject: &Subject<'_>, place: Place<'_>, now: UnixTime) -> Option<Signed<'s>> {
        let stamp = self.stamp(subject, place);
        let kept = match place {
            Place::Own(slot) => slot.load().filter(|kept| kept.stamp == stamp)?,
            Place::Recent(recent) => recent.find(stamp)?,
        };
        let (key, policy) = self.roles(subject.rtype);
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
        place: Place<'_>,
        now: UnixTime,
        make: bool,
    ) -> Result<Made<'s>, Unsigned> {
        if let Some(signed) = self.kept(subject, place, now) {
            return Ok(Made { signed, fresh: false });
        }
        if !make {
            return Err(Unsigned::NotKept);
        }
        let signed = self.fresh(subject, now, false)?;
        let (stamp, expiration) = (self.stamp(subject, place), signed.expiration);
        let kept = Kept { stamp, expiration, octets: signed.octets };
        match place {
            Place::Own(slot) => slot.store(&kept),
            Place::Recent(recent) => recent.keep(&kept),
        }
        Ok(Made { signed, fresh: true })
    }

    /// Makes and keeps a signature for the current window unless that is kept already; each one made here is verified
    /// before it is used (invariant I10). Returns the end of the kept one and whether it was made now.
    ///
    /// # Errors
    /// [`Unsigned::Failed`].
    pub fn warm(&self, subject: &Subject<'_>, slot: &Slot, now: UnixTime) -> Result<(u32, bool), Unsigned> {
        let (_, policy) = self.roles(subject.rtype);
        let expiration = policy.window(now, phase(subject)).expiration.rrsig();
        let stamp = self.stamp(subject, Place::Own(slot));
        if slot.load().is_some_and(|kept| kept.stamp == stamp && kept.expiration == expiration) {
            return Ok((expiration, false));
        }
        let signed = self.fresh(subject, now, true)?;
        slot.store(&Kept { stamp, expiration: signed.expiration, octets: signed.octets });
        Ok((signed.expiration, true))
    }

    fn fresh<'s>(&'s self, subject: &Subject<'_>, now: UnixTime, verify: bool) -> Result<Signed<'s>, Unsigned> {
        let (key, policy) = self.roles(subject.rtype);
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
    fn stamp(&self, subject: &Subject<'_>, place: Place<'_>) -> u64 {
        let content = match subject.data {
            SubjectData::Set(set) => set.digest,
            SubjectData::One(data) => digest(subject.rtype, subject.ttl, data),
        };
        let owner = match place {
            Place::Own(_) => 0,
            Place::Recent(_) => hash_name(subject.owner).rotate_left(32),
        };
        (content ^ owner ^ self.id).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(subject.rtype)
    }
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
