//! Signatures by further keys, while keys roll.
//!
//! The next key signs the key sets beside the old one, or two algorithms sign everything (RFC 6781 § 4.1.4). A zone
//! without such keys pays nothing for them. What has a slot of its own is kept on a shelf that belongs to these keys and
//! goes with them; what strangers can invent never comes there.

use super::key::Key;
use super::memo::Kept;
use super::shelf::Shelf;
use super::{KeptIn, Made, Signing, Subject, Unsigned};
use crate::dns::rrset::{digest, hash_name};
use crate::dns::rtype::number as rtype;
use crate::time::{SignaturePolicy, UnixTime};
use std::sync::Arc;

/// The keys that sign beside the first ones, and what they have signed.
pub(super) struct Further {
    data: Vec<FurtherKey>,
    entry: Vec<FurtherKey>,
    shelf: Shelf,
}

/// A key that signs beside the first one.
pub struct FurtherKey {
    key: Arc<Key>,
    /// Tells its signatures from those of others.
    salt: u64,
}

impl Further {
    /// All keys but the first of each list; none where there are no others.
    pub(super) fn new(data: &[Arc<Key>], entry: &[Arc<Key>]) -> Option<Box<Further>> {
        let others = |keys: &[Arc<Key>]| keys.iter().skip(1).map(FurtherKey::new).collect::<Vec<_>>();
        let (data, entry) = (others(data), others(entry));
        let is_any = !(data.is_empty() && entry.is_empty());
        is_any.then(|| Box::new(Further { data, entry, shelf: Shelf::default() }))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.data.iter().chain(&self.entry).map(|further| &further.key)
    }
}

impl FurtherKey {
    fn new(key: &Arc<Key>) -> FurtherKey {
        FurtherKey { key: Arc::clone(key), salt: digest(rtype::DNSKEY, 0, &key.dnskey_data()) }
    }

    /// The key.
    pub fn key(&self) -> &Arc<Key> {
        &self.key
    }
}

impl Signing {
    /// Whether any key signs beside the first ones.
    #[inline]
    pub fn has_further(&self) -> bool {
        self.further.is_some()
    }

    /// The keys that sign `rtype` beside the first.
    pub fn further(&self, rtype: u16) -> &[FurtherKey] {
        match (&self.further, rtype) {
            (None, _) => &[],
            (Some(further), rtype::DNSKEY | rtype::CDS | rtype::CDNSKEY) => &further.entry,
            (Some(further), _) => &further.data,
        }
    }

    /// As [`Signing::sign`], by a further key. `place` is that of the first key's signature: what has a slot there has
    /// its place on the shelf here.
    ///
    /// # Errors
    /// [`Unsigned`].
    pub fn sign_further<'s>(
        &'s self,
        by: &FurtherKey,
        subject: &Subject<'_>,
        place: KeptIn<'_>,
        now: UnixTime,
        make: bool,
    ) -> Result<Made<'s>, Unsigned> {
        let further = self.further.as_deref().ok_or(Unsigned::Failed)?;
        let (stamp, policy) = (self.stamp_by(by, subject), self.policy(subject.rtype));
        let kept = match place {
            KeptIn::Own(_) => further.shelf.find(stamp),
            KeptIn::Recent(recent) => recent.find(stamp),
        };
        if let Some(signed) = kept.and_then(|kept| self.still_good(&by.key, policy, subject, &kept, now)) {
            return Ok(Made { signed, fresh: false });
        }
        if !make {
            return Err(Unsigned::NotKept);
        }
        let signed = self.fresh(&by.key, policy, subject, now, false)?;
        let kept = Kept { stamp, expiration: signed.expiration, octets: signed.octets };
        match place {
            KeptIn::Own(_) => further.shelf.keep(&kept, now),
            KeptIn::Recent(recent) => recent.keep(&kept),
        }
        Ok(Made { signed, fresh: true })
    }

    /// [`Signing::warm`] for further keys; returns how many signatures were made.
    pub(super) fn warm_further(&self, subject: &Subject<'_>, end: u32, now: UnixTime) -> Result<u8, Unsigned> {
        let Some(further) = self.further.as_deref() else { return Ok(0) };
        let policy: &SignaturePolicy = self.policy(subject.rtype);
        let mut made = 0;
        for by in self.further(subject.rtype) {
            let stamp = self.stamp_by(by, subject);
            if further.shelf.find(stamp).is_some_and(|kept| kept.expiration == end) {
                continue;
            }
            let signed = self.fresh(&by.key, policy, subject, now, true)?;
            further.shelf.keep(&Kept { stamp, expiration: signed.expiration, octets: signed.octets }, now);
            made += 1;
        }
        Ok(made)
    }

    /// Among others a stamp says whose signature it is, and over what.
    fn stamp_by(&self, by: &FurtherKey, subject: &Subject<'_>) -> u64 {
        self.stamp_with(subject, hash_name(subject.owner).rotate_left(32) ^ by.salt)
    }
}
