//! The signatures of an answer: what may be made for it now, and what it means that one is missing.
//!
//! An RRset never goes without one of its signatures: where a key's is missing, the whole answer waits, is truncated or
//! fails.

use super::{Builder, Stop};
use crate::answer::Effort;
use crate::dns::reply::{Answer, Data, Item, Owner};
use crate::dns::rtype::number as rt;
use crate::sign::memo::Slot;
use crate::sign::{KeptIn, Signing, Subject, Unsigned};
use crate::zone::Zone;

impl Builder<'_> {
    /// An RRset with the signature of the zone's first key for it.
    pub(super) fn signed<'a>(
        &mut self,
        zone: &'a Zone,
        owner: Owner<'a>,
        data: Data<'a>,
        subject: &Subject<'_>,
        slot: Option<&Slot>,
    ) -> Result<Item<'a>, Stop> {
        let mut item = Item { owner, data, ttl: subject.ttl, signature: None, signature_only: false };
        // Without DO a signature is sent only where it is what was asked for (RFC 4035 § 3.1): that of the name's NSEC.
        let asked_for = self.query.qtype == rt::RRSIG && subject.rtype == rt::NSEC;
        let Some(signing) = zone.signing.as_deref().filter(|_| self.wants_dnssec() || asked_for) else {
            return Ok(item);
        };
        let place = slot.map_or(KeptIn::Recent(self.recent), KeptIn::Own);
        let made = signing.sign(subject, place, self.now, self.may_make(slot)).map_err(|fault| self.stop(fault))?;
        self.count(made.fresh);
        // No TTL reaches beyond the signature's end (RFC 4035 § 5.3.3).
        item.ttl = item.ttl.min(made.signed.expiration.wrapping_sub(self.now.rrsig()));
        item.signature = Some(made.signed);
        Ok(item)
    }

    /// Adds the signatures of further keys over the RRset that was added last; nearly always there are no such keys.
    #[inline]
    pub(super) fn sign_further<'a>(
        &mut self,
        zone: &'a Zone,
        subject: &Subject<'_>,
        slot: Option<&Slot>,
        answer: &mut Answer<'a>,
    ) -> Result<(), Stop> {
        match zone.signing.as_deref() {
            Some(signing) if signing.has_further() => self.push_further(signing, subject, slot, answer),
            _ => Ok(()),
        }
    }

    #[cold]
    fn push_further<'a>(
        &mut self,
        signing: &'a Signing,
        subject: &Subject<'_>,
        slot: Option<&Slot>,
        answer: &mut Answer<'a>,
    ) -> Result<(), Stop> {
        // Without a first signature none is wanted.
        let signed = answer.items.last().copied().filter(|item| item.signature.is_some());
        let Some((first, mut item)) = answer.items.len().checked_sub(1).zip(signed) else { return Ok(()) };
        item.signature_only = true;
        let place = slot.map_or(KeptIn::Recent(self.recent), KeptIn::Own);
        for by in signing.further(subject.rtype) {
            let made = signing.sign_further(by, subject, place, self.now, self.may_make(slot));
            let made = made.map_err(|fault| self.stop(fault))?;
            self.count(made.fresh);
            item.ttl = item.ttl.min(made.signed.expiration.wrapping_sub(self.now.rrsig()));
            item.signature = Some(made.signed);
            answer.push(item);
        }
        // One TTL for the RRset and all its signatures (RFC 2181 § 5.2, RFC 4034 § 3).
        answer.items.iter_mut().skip(first).for_each(|earlier| earlier.ttl = item.ttl);
        Ok(())
    }

    /// Whether a signature may be made now: one that is kept for good may unless none may.
    fn may_make(&self, slot: Option<&Slot>) -> bool {
        match self.effort {
            Effort::Kept => false,
            Effort::Sign => true,
            Effort::Own | Effort::Truncate => slot.is_some(),
        }
    }

    /// What a signature that there is not means for the answer.
    fn stop(&self, fault: Unsigned) -> Stop {
        match (fault, self.effort) {
            (Unsigned::Failed, _) => Stop::Failed,
            (Unsigned::NotKept, Effort::Kept | Effort::Own) => Stop::Deferred,
            (Unsigned::NotKept, Effort::Sign | Effort::Truncate) => Stop::Truncate,
        }
    }

    fn count(&mut self, fresh: bool) {
        match fresh {
            true => self.signed = self.signed.saturating_add(1),
            false => self.kept = self.kept.saturating_add(1),
        }
    }
}
