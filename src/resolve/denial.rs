//! Whether NSEC or NSEC3 prove that a delegation has no DS.
//!
//! Pure. A proof counts only where the delegation itself exists, or may hide in an opt-out span: that a name does not
//! exist at all is an alarm for its owner, not a parent without DS.

use crate::dns::name::{self, Name};
use crate::dns::rtype::number;
use crate::resolve::message::Record;
use crate::resolve::proved::{DsSeen, ProvedKeys};
use crate::resolve::verify::{Verified, set};
use crate::sign::denial::has_type;
use crate::time::Clocks;
use data_encoding::BASE32HEX_NOPAD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// Iterations of NSEC3 that are followed, at most: RFC 9276 § 3.2 lets validators stop at any number above 0, and
/// those in use stopped at 150 first.
const ITERATIONS_MAX: u16 = 150;
/// NSEC3 records looked at, at most: a proof needs three.
const RECORDS_MAX: usize = 8;
/// SHA-1, the only hash of NSEC3 (RFC 5155 § 11).
const HASH_SHA1: u8 = 1;
/// The only flag of NSEC3 (RFC 5155 § 3.1.2.1).
const OPT_OUT: u8 = 1;

/// The proof in an authority section that `child` is delegated without DS.
pub(super) fn ds(authority: &[Record], child: &Name, parent: &ProvedKeys, now: Clocks) -> Result<DsSeen, String> {
    let mut seen = None;
    let proved = match authority.iter().any(|record| record.rtype == number::NSEC3) {
        true => nsec3(authority, child, parent, now, &mut seen),
        false => nsec(authority, child, parent, now, &mut seen),
    };
    proved?;
    seen.ok_or_else(|| format!("nothing proves that {child} has no DS"))
}

/// A record of a proof with its verified RRset; it adds to what is seen.
fn verified<'r>(
    authority: &'r [Record],
    record: &'r Record,
    parent: &ProvedKeys,
    now: Clocks,
    seen: &mut Option<DsSeen>,
) -> Result<&'r [u8], String> {
    let found = set(authority, &record.owner, record.rtype).ok_or("the proof has no records")?;
    if found.data.len() != 1 {
        return Err(format!("{} has two records of denial", record.owner));
    }
    let verified = found.verify(&parent.zone, &parent.keys, now)?;
    if verified.expanded {
        return Err(format!("the denial at {} was made from a wildcard", record.owner));
    }
    // RFC 2308 § 5: the SOA beside it says how long a denial is kept.
    let soa = authority.iter().filter(|other| other.rtype == number::SOA).map(|other| other.ttl).max();
    extend(seen, &verified, found.ttl.max(soa.unwrap_or(0)));
    Ok(&record.data)
}

/// Every part of a proof bounds it; the longest bound is what caches may at most do with it.
fn extend(seen: &mut Option<DsSeen>, verified: &Verified, ttl: u32) {
    let Verified { expires, inception, original_ttl, .. } = *verified;
    let all = seen.get_or_insert(DsSeen { ds: Vec::new(), ttl, original_ttl, expires, inception });
    all.ttl = all.ttl.max(ttl);
    all.original_ttl = all.original_ttl.max(original_ttl);
    all.expires = all.expires.max(expires);
    all.inception = all.inception.max(inception);
}

fn nsec(
    authority: &[Record],
    child: &Name,
    parent: &ProvedKeys,
    now: Clocks,
    seen: &mut Option<DsSeen>,
) -> Result<(), String> {
    let at_child = authority.iter().find(|record| record.rtype == number::NSEC && record.owner == *child);
    let record = at_child.ok_or_else(|| format!("no NSEC at {child}: the parent does not delegate it"))?;
    let data = verified(authority, record, parent, now, seen)?;
    delegation_without_ds(after_name(data).unwrap_or_default(), child)
}

/// RFC 6840 § 4.1 and § 4.4: NS shows a delegation; SOA would show that the child itself says this.
fn delegation_without_ds(bitmap: &[u8], child: &Name) -> Result<(), String> {
    let has = |rtype| has_type(bitmap, rtype);
    match (has(number::NS), has(number::SOA), has(number::DS)) {
        (_, _, true) => Err(format!("the answer has no DS, yet its proof says that {child} has some")),
        (_, true, _) => Err(format!("the denial is that of {child} itself, not that of its parent")),
        (false, ..) => Err(format!("the parent proves that it does not delegate {child}")),
        (true, false, false) => Ok(()),
    }
}

/// What follows the name that record data begin with.
fn after_name(data: &[u8]) -> Option<&[u8]> {
    let mut rest = data;
    loop {
        let (length, tail) = rest.split_first()?;
        if *length == 0 {
            return Some(tail);
        }
        rest = tail.get(usize::from(*length)..)?;
    }
}

/// One verified NSEC3 of the parent.
struct Hashed<'a> {
    owner: Vec<u8>,
    next: &'a [u8],
    opt_out: bool,
    iterations: u16,
    salt: &'a [u8],
    bitmap: &'a [u8],
}

fn nsec3(
    authority: &[Record],
    child: &Name,
    parent: &ProvedKeys,
    now: Clocks,
    seen: &mut Option<DsSeen>,
) -> Result<(), String> {
    let mut all = Vec::new();
    for record in authority.iter().filter(|record| record.rtype == number::NSEC3).take(RECORDS_MAX) {
        let data = verified(authority, record, parent, now, seen)?;
        // RFC 5155 § 8.1, § 8.2: records with an unknown hash or flag count for nothing.
        all.extend(read(&record.owner, data, &parent.zone));
    }
    if all.iter().any(|nsec3| nsec3.iterations > ITERATIONS_MAX) {
        return Err(format!("its NSEC3 has more than {ITERATIONS_MAX} iterations, which proves nothing (RFC 9276)"));
    }
    let matching = |name: &[u8]| all.iter().find(|nsec3| nsec3.hash(name) == nsec3.owner);
    if let Some(own) = matching(child) {
        return delegation_without_ds(own.bitmap, child);
    }
    // RFC 5155 § 8.6: the closest encloser, and the next closer name within an opt-out span.
    let mut next_closer: &[u8] = child;
    for encloser in name::ancestors(child).skip(1).filter(|above| name::is_within(above, &parent.zone)) {
        let Some(found) = matching(encloser) else {
            next_closer = encloser;
            continue;
        };
        // RFC 5155 § 8.3: an encloser that is a cut or a DNAME says nothing about names below it.
        let has = |rtype| has_type(found.bitmap, rtype);
        if has(number::DNAME) || (has(number::NS) && !has(number::SOA)) {
            return Err(format!("the NSEC3 of {} is that of a cut or a redirect", name::print(encloser)));
        }
        return match all.iter().find(|nsec3| nsec3.covers(&nsec3.hash(next_closer))) {
            Some(span) if span.opt_out => Ok(()),
            Some(_) => Err(format!("the parent proves that it does not delegate {child}")),
            None => Err(format!("no NSEC3 covers {}", name::print(next_closer))),
        };
    }
    Err(format!("no NSEC3 matches a name at or above {child}"))
}

fn read<'a>(owner: &[u8], data: &'a [u8], zone: &[u8]) -> Option<Hashed<'a>> {
    let label = name::labels(owner).next().filter(|_| name::parent(owner) == Some(zone))?;
    let owner = BASE32HEX_NOPAD.decode(&label.to_ascii_uppercase()).ok()?;
    let (&[hash, flags, high, low, salt], rest) = data.split_first_chunk()?;
    let (salt, rest) = rest.split_at_checked(usize::from(salt))?;
    let (length, rest) = rest.split_first()?;
    let (next, bitmap) = rest.split_at_checked(usize::from(*length))?;
    let known = hash == HASH_SHA1 && flags & !OPT_OUT == 0;
    let iterations = u16::from_be_bytes([high, low]);
    known.then_some(Hashed { owner, next, opt_out: flags & OPT_OUT != 0, iterations, salt, bitmap })
}

impl Hashed<'_> {
    /// RFC 5155 § 5.
    fn hash(&self, name: &[u8]) -> Vec<u8> {
        let mut hash = name.to_vec();
        for _ in 0..=self.iterations.min(ITERATIONS_MAX) {
            hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[&hash, self.salt].concat()).as_ref().to_vec();
        }
        hash
    }

    /// RFC 5155 § 1.3; the last span goes on at the first name.
    fn covers(&self, hash: &[u8]) -> bool {
        let (owner, next) = (self.owner.as_slice(), self.next);
        if owner < next { owner < hash && hash < next } else { owner < hash || hash < next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::verify::tests::{NOW, key, record, signed, wire};
    use crate::sign::denial::bitmap;
    use crate::sign::key::Key;

    const CUT: &[u16] = &[number::NS, number::RRSIG, number::NSEC];
    const APEX: &[u16] = &[number::NS, number::SOA, number::RRSIG, number::DNSKEY];

    fn judged(records: Vec<Record>, key: &Key) -> Result<DsSeen, String> {
        let parent = ProvedKeys { zone: wire("example."), keys: vec![key.dnskey_data()] };
        let all: Vec<Record> = records.into_iter().flat_map(|one| signed(&[one], "example.", key)).collect();
        ds(&all, &wire("mx.example."), &parent, NOW.into())
    }

    fn nsec_at(owner: &str, types: &[u16]) -> Record {
        let data = [&*wire("zz.example."), &bitmap(types.iter().copied())].concat();
        record(owner, number::NSEC, &data)
    }

    fn hash(name: &str) -> Vec<u8> {
        let salt = [7];
        let none = Hashed { owner: Vec::new(), next: &[], opt_out: false, iterations: 1, salt: &salt, bitmap: &[] };
        none.hash(&wire(name))
    }

    fn beside(hash: &[u8], by: i8) -> Vec<u8> {
        let mut other = hash.to_vec();
        other[10] = other[10].wrapping_add_signed(by);
        other
    }

    fn nsec3_at(owner: &[u8], next: &[u8], flags: u8, iterations: u8, types: &[u16]) -> Record {
        let label = BASE32HEX_NOPAD.encode(owner);
        let head = [1, flags, 0, iterations, 1, 7, 20];
        let data = [&head[..], next, &bitmap(types.iter().copied())].concat();
        record(&format!("{label}.example."), number::NSEC3, &data)
    }

    #[test]
    fn nsec_at_the_cut_proves_it() {
        let key = key(256, 13);
        let seen = judged(vec![nsec_at("mx.example.", CUT)], &key).expect("proved");
        assert_eq!((seen.ds.len(), seen.ttl, seen.original_ttl, seen.expires), (0, 600, 3600, NOW.after(3600)));
    }

    #[test]
    fn nsec_of_the_child_of_no_cut_or_of_another_name_proves_nothing() {
        let key = key(256, 13);
        for (owner, types, part) in [
            ("mx.example.", APEX, "that of mx.example. itself"),
            ("mx.example.", &[number::A, number::NSEC][..], "does not delegate"),
            ("mx.example.", &[number::NS, number::DS], "has some"),
            ("mw.example.", CUT, "no NSEC at"),
        ] {
            let why = judged(vec![nsec_at(owner, types)], &key).expect_err("no proof");
            assert!(why.contains(part), "{owner} {types:?}: {why}");
        }
        let unsigned = [nsec_at("mx.example.", CUT)];
        let parent = ProvedKeys { zone: wire("example."), keys: vec![key.dnskey_data()] };
        assert!(ds(&unsigned, &wire("mx.example."), &parent, NOW.into()).is_err());
    }

    #[test]
    fn nsec3_at_the_cut_proves_it() {
        let key = key(256, 13);
        let own = hash("mx.example.");
        assert!(judged(vec![nsec3_at(&own, &beside(&own, 1), 0, 1, CUT)], &key).is_ok());
        for types in [APEX, &[number::A], &[number::NS, number::DS]] {
            assert!(judged(vec![nsec3_at(&own, &beside(&own, 1), 0, 1, types)], &key).is_err(), "{types:?}");
        }
    }

    #[test]
    fn an_opt_out_span_over_the_cut_proves_it() {
        let key = key(256, 13);
        let (apex, own) = (hash("example."), hash("mx.example."));
        let encloser = |types| nsec3_at(&apex, &beside(&apex, 1), 1, 1, types);
        let span = |flags| nsec3_at(&beside(&own, -1), &beside(&own, 1), flags, 1, CUT);
        assert!(judged(vec![encloser(APEX), span(1)], &key).is_ok());
        assert!(judged(vec![encloser(APEX), span(0)], &key).expect_err("").contains("does not delegate"));
        assert!(judged(vec![encloser(CUT), span(1)], &key).expect_err("").contains("cut"));
        assert!(judged(vec![encloser(&[number::DNAME]), span(1)], &key).expect_err("").contains("redirect"));
        assert!(judged(vec![encloser(APEX)], &key).expect_err("").contains("no NSEC3 covers"));
        assert!(judged(vec![span(1)], &key).expect_err("").contains("matches"));
    }

    #[test]
    fn nsec3_of_unknown_kind_or_with_too_much_work_proves_nothing() {
        let key = key(256, 13);
        let own = hash("mx.example.");
        assert!(judged(vec![nsec3_at(&own, &beside(&own, 1), 2, 1, CUT)], &key).is_err());
        assert!(judged(vec![nsec3_at(&own, &beside(&own, 1), 0, 151, CUT)], &key).expect_err("").contains("9276"));
    }

    #[test]
    fn the_last_span_goes_on_at_the_first_name() {
        let one = |owner: u8, next: u8, hash: u8| {
            let next = [next];
            let span =
                Hashed { owner: vec![owner], next: &next, opt_out: false, iterations: 0, salt: &[], bitmap: &[] };
            span.covers(&[hash])
        };
        assert!(one(1, 5, 3) && !one(1, 5, 1) && !one(1, 5, 5) && !one(1, 5, 6));
        assert!(one(5, 1, 9) && one(5, 1, 0) && !one(5, 1, 3));
    }
}
