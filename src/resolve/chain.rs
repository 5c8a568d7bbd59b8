//! The chain of trust, link by link: trusted digests give a zone's keys, and keys give the DS of the zone below.
//!
//! Pure: replies in, facts out. A reply that no trusted key signed says nothing, and neither does one that is not from an
//! authority for what was asked.

use crate::dns::name::{self, Name};
use crate::dns::rtype::number;
use crate::resolve::anchors::key_digest;
use crate::resolve::denial;
use crate::resolve::message::{Message, NXDOMAIN, Record};
use crate::resolve::proved::{DsSeen, ProvedKeys};
use crate::resolve::verify::{Set, is_zone_key, set};
use crate::sign::key::key_tag;
use crate::time::Clocks;

/// Reads a zone's DNSKEY out of a reply, where one of `trusted` (DS data) vouches for it.
///
/// # Errors
/// Why it does not, in words.
pub fn keys(reply: &Message, zone: &Name, trusted: &[Vec<u8>], now: impl Into<Clocks>) -> Result<ProvedKeys, String> {
    let found = set(&reply.answer, zone, number::DNSKEY).ok_or_else(|| format!("{zone} has no DNSKEY there"))?;
    let entries: Vec<Vec<u8>> = found.data.iter().filter(|key| is_vouched(key, zone, trusted)).cloned().collect();
    if entries.is_empty() {
        return Err(format!("no key of {zone} is what its DS or the trust anchor says"));
    }
    // RFC 4035 § 5.2: signed by a key that the DS names.
    found.verify(zone, &entries, now)?;
    Ok(ProvedKeys { zone: zone.clone(), keys: found.data })
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
pub fn ds(reply: &Message, child: &Name, parent: &ProvedKeys, now: impl Into<Clocks>) -> Result<DsSeen, String> {
    let now = now.into();
    if signer(reply, child)? != parent.zone {
        return Err(format!("it is not signed by {}", parent.zone));
    }
    if reply.rcode == NXDOMAIN {
        // An opt-out span would prove as much as for an unsigned delegation, but this parent says that there is none.
        return Err(format!("the parent does not delegate {child}: it answers NXDOMAIN"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::verify::tests::{NOW, key, record, signature, signed, wire};
    use crate::sign::key::Key;

    fn reply(answer: Vec<Record>) -> Message {
        Message { authoritative: true, answer, ..Message::default() }
    }

    /// DNSKEY of `example.` with a KSK and a ZSK, signed by one of them.
    fn dnskey(ksk: &Key, zsk: &Key, by: &Key) -> Message {
        let keys = [ksk, zsk].map(|key| record("example.", number::DNSKEY, &key.dnskey_data()));
        reply(signed(&keys, "example.", by))
    }

    fn ds_set() -> Vec<Record> {
        [2u8, 1].map(|octet| record("mx.example.", number::DS, &[0, octet, 13, 2, 7])).to_vec()
    }

    #[test]
    fn keys_are_good_where_a_trusted_one_signed_them() {
        let (ksk, zsk, other) = (key(257, 13), key(256, 13), key(257, 13));
        let zone = wire("example.");
        let trusted = [ksk.ds_data(&zone)];
        let good = keys(&dnskey(&ksk, &zsk, &ksk), &zone, &trusted, NOW).expect("good");
        assert_eq!(good.keys.len(), 2);
        assert!(keys(&dnskey(&ksk, &zsk, &zsk), &zone, &trusted, NOW).is_err(), "not by the ZSK alone");
        assert!(keys(&dnskey(&ksk, &zsk, &ksk), &zone, &[other.ds_data(&zone)], NOW).is_err());
        assert!(keys(&dnskey(&ksk, &zsk, &ksk), &zone, &[], NOW).is_err());
        let mut flipped = ksk.ds_data(&zone);
        *flipped.last_mut().expect("octets") ^= 1;
        assert!(keys(&dnskey(&ksk, &zsk, &ksk), &zone, &[flipped], NOW).is_err(), "a tag alone is no match");
    }

    #[test]
    fn ds_come_sorted_with_what_bounds_them() {
        let zsk = key(256, 13);
        let parent = ProvedKeys { zone: wire("example."), keys: vec![zsk.dnskey_data()] };
        let seen = ds(&reply(signed(&ds_set(), "example.", &zsk)), &wire("mx.example."), &parent, NOW).expect("good");
        assert_eq!(seen.ds, [[0, 1, 13, 2, 7], [0, 2, 13, 2, 7]]);
        assert_eq!(
            (seen.ttl, seen.original_ttl, seen.expires, seen.inception),
            (600, 3600, NOW.after(3600), NOW.before(3600))
        );
    }

    #[test]
    fn what_is_not_from_the_parent_says_nothing() {
        let zsk = key(256, 13);
        let child = wire("mx.example.");
        let parent = ProvedKeys { zone: wire("example."), keys: vec![zsk.dnskey_data()] };
        let good = reply(signed(&ds_set(), "example.", &zsk));
        let cached = Message { authoritative: false, ..good.clone() };
        assert!(ds(&cached, &child, &parent, NOW).expect_err("").contains("resolver"));
        for signer in ["mx.example.", "net.", "."] {
            assert!(ds(&reply(signed(&ds_set(), signer, &zsk)), &child, &parent, NOW).is_err(), "{signer}");
        }
        let nxdomain = Message { rcode: NXDOMAIN, ..good.clone() };
        assert!(ds(&nxdomain, &child, &parent, NOW).expect_err("").contains("does not delegate"));
        assert!(ds(&reply(ds_set()), &child, &parent, NOW).expect_err("").contains("is not signed"));
        assert!(ds(&reply(Vec::new()), &child, &parent, NOW).expect_err("").contains("is not signed"));
        let star = [record("*.example.", number::DS, &[0, 1, 13, 2, 7])];
        let all = [star[0].clone(), signature(&star, "example.", &zsk, |_| {})];
        let all = all.map(|record| Record { owner: child.clone(), ..record }).to_vec();
        assert!(ds(&reply(all), &child, &parent, NOW).expect_err("").contains("wildcard"));
    }
}
