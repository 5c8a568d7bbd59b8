//! The chain of trust, link by link: trusted digests give a zone's keys, and keys give the DS of the zone below.
//!
//! Pure: replies in, facts out. A reply that no trusted key signed says nothing, and neither does one that is not from an
//! authority for what was asked.

use super::anchors::key_digest;
use super::denial;
use super::message::{Message, Record};
use super::verify::{Set, is_zone_key, set};
use crate::dns::name::{self, Name};
use crate::dns::rtype::number;
use crate::sign::key::key_tag;
use crate::time::UnixTime;

/// The keys of a zone that its DS or an anchor vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The zone.
    pub zone: Name,
    /// Its DNSKEY data.
    pub keys: Vec<Vec<u8>>,
}

/// What a parent says about a child, proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DsSeen {
    /// DS data, sorted; none where the parent proves that the delegation has none.
    pub ds: Vec<Vec<u8>>,
    /// As it came; for a denial the longest that a cache may keep it.
    pub ttl: u32,
    /// The TTL that was signed, which is what bounds caches.
    pub original_ttl: u32,
    /// When the last signature over it ends.
    pub expires: UnixTime,
    /// When the last signature over it began: the parent's clock was not before it.
    pub inception: UnixTime,
}

/// Reads a zone's DNSKEY out of a reply, where one of `trusted` (DS data) vouches for it.
///
/// # Errors
/// Why it does not, in words.
pub fn keys(reply: &Message, zone: &Name, trusted: &[Vec<u8>], now: UnixTime) -> Result<Keys, String> {
    let found = set(&reply.answer, zone, number::DNSKEY).ok_or_else(|| format!("{zone} has no DNSKEY there"))?;
    let entries: Vec<Vec<u8>> = found.data.iter().filter(|key| is_vouched(key, zone, trusted)).cloned().collect();
    if entries.is_empty() {
        return Err(format!("no key of {zone} is what its DS or the trust anchor says"));
    }
    // RFC 4035 § 5.2: signed by a key that the DS names.
    found.verify(zone, &entries, now)?;
    Ok(Keys { zone: zone.clone(), keys: found.data })
}

fn is_vouched(key: &[u8], zone: &[u8], trusted: &[Vec<u8>]) -> bool {
    is_zone_key(key)
        && trusted.iter().any(|ds| {
            let Some((&[high, low, algorithm, kind], digest)) = ds.split_first_chunk() else { return false };
            key_tag(key) == u16::from_be_bytes([high, low])
                && key.get(3) == Some(&algorithm)
                && key_digest(kind, zone, key).is_some_and(|own| own == digest)
        })
}

/// The zone that signed what a reply says about the DS of `child`: the parent by its own account.
///
/// # Errors
/// Why there is none, in words.
pub fn signer(reply: &Message, child: &Name) -> Result<Name, String> {
    if !reply.authoritative {
        return Err("it does not answer as an authority; is a resolver asked?".to_owned());
    }
    let of = |found: Set<'_>| found.signatures.first().map(|rrsig| rrsig.signer.clone());
    let signer = match set(&reply.answer, child, number::DS) {
        Some(found) => of(found),
        None => denials(&reply.authority).find_map(|record| of(set(&reply.authority, &record.owner, record.rtype)?)),
    };
    let signer = signer.ok_or_else(|| format!("what it says about the DS of {child} is not signed"))?;
    match name::is_within(child, &signer) && signer != *child {
        true => Ok(signer),
        false => Err(format!("{signer}, which signed it, is not above {child}")),
    }
}

fn denials(section: &[Record]) -> impl Iterator<Item = &Record> {
    section.iter().filter(|record| matches!(record.rtype, number::NSEC | number::NSEC3))
}

/// What a reply says about the DS of `child`, proved by the parent's keys.
///
/// # Errors
/// Why it proves nothing, in words.
pub fn ds(reply: &Message, child: &Name, parent: &Keys, now: UnixTime) -> Result<DsSeen, String> {
    if signer(reply, child)? != parent.zone {
        return Err(format!("it is not signed by {}", parent.zone));
    }
    let Some(found) = set(&reply.answer, child, number::DS) else {
        return denial::ds(&reply.authority, child, parent, now);
    };
    let verified = found.verify(&parent.zone, &parent.keys, now)?;
    if verified.expanded {
        return Err(format!("the DS of {child} was made from a wildcard, which no delegation is"));
    }
    Ok(DsSeen {
        ttl: found.ttl,
        ds: found.data,
        original_ttl: verified.original_ttl,
        expires: verified.expires,
        inception: verified.inception,
    })
}
