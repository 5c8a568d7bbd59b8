//! Whether signatures of others are good: an RRset, its RRSIGs, the zone's keys and the moment give a verdict.
//!
//! Pure. Only algorithms that are safe today count (RFC 8624 § 3.1 without SHA-1), and the work that a foreign answer
//! can cause is bounded, whatever tags its keys have (KeyTrap, CVE-2023-50387).

use crate::dns::name::{self, Name};
use crate::dns::rdata::lower_names;
use crate::dns::rrset::CLASS_IN;
use crate::dns::rtype::{self, number};
use crate::resolve::message::Record;
use crate::sign::key::key_tag;
pub(crate) use crate::time::{Clocks, Seconds, UnixTime};
use hickory_proto::dnssec::{Algorithm, PublicKey, PublicKeyBuf};

/// How far the clocks of signers and ours may differ.
pub const SKEW: Seconds = 300;
/// Signatures tried for one RRset, at most: a roll of two keys of two algorithms has four.
const TRIES_MAX: usize = 16;
/// RSASHA256, RSASHA512, ECDSAP256SHA256, ECDSAP384SHA384, ED25519.
const ALGORITHMS: &[u8] = &[8, 10, 13, 14, 15];
/// The flag of keys that sign zone data (RFC 4034 § 2.1.1).
const ZONE_KEY: u16 = 0x0100;
/// The flag of keys that must not be trusted any more (RFC 5011 § 2.1).
const REVOKED: u16 = 0x0080;
/// Octets of RRSIG in front of the signer (RFC 4034 § 3.1).
const RRSIG_HEAD: usize = 18;

/// The fields of one RRSIG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rrsig<'a> {
    /// Type covered.
    pub covered: u16,
    /// Algorithm.
    pub algorithm: u8,
    /// Labels of the owner without a wildcard's.
    pub labels: usize,
    /// The TTL that was signed.
    pub original_ttl: u32,
    /// End, in serial arithmetic.
    pub expiration: u32,
    /// Begin, in serial arithmetic.
    pub inception: u32,
    /// Tag of the key.
    pub tag: u16,
    /// The zone, in lower case.
    pub signer: Name,
    head: &'a [u8],
    signature: &'a [u8],
}

/// An RRset out of a section of a reply, with its signatures.
#[derive(Clone, Debug)]
pub struct Set<'a> {
    owner: &'a [u8],
    rtype: u16,
    /// The greatest TTL of its records and signatures: how long a cache may keep it, at most.
    pub ttl: u32,
    /// Whether all of them have that TTL (RFC 2181 § 5.2).
    pub one_ttl: bool,
    /// The data as they came, sorted, each once.
    pub data: Vec<Vec<u8>>,
    /// The signatures over it.
    pub signatures: Vec<Rrsig<'a>>,
}

/// What good signatures over one RRset say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// When the last of them ends.
    pub expires: UnixTime,
    /// When the last of them began: the clock of the signer was not before it.
    pub inception: UnixTime,
    /// The greatest original TTL.
    pub original_ttl: u32,
    /// The tags of the keys, sorted.
    pub tags: Vec<u16>,
    /// Whether the set was made from a wildcard (RFC 4035 § 5.3.4), so that more must be proved.
    pub expanded: bool,
}

impl<'a> Rrsig<'a> {
    /// Reads the data of an RRSIG.
    pub fn read(data: &'a [u8]) -> Option<Rrsig<'a>> {
        let head = data.get(..RRSIG_HEAD)?;
        let rest = data.get(RRSIG_HEAD..)?;
        let end = name::ancestors(rest).take_while(|rest| rest.first().is_some_and(|length| *length != 0)).count();
        let root = name::ancestors(rest).nth(end)?;
        let length = rest.len() - root.len() + 1;
        let signer = Name::from_wire(rest.get(..length)?).ok()?.to_lower();
        let long = |at: usize| head.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        Some(Rrsig {
            covered: u16::from_be_bytes([head[0], head[1]]),
            algorithm: head[2],
            labels: usize::from(head[3]),
            original_ttl: long(4)?,
            expiration: long(8)?,
            inception: long(12)?,
            tag: u16::from_be_bytes([head[16], head[17]]),
            signer,
            head,
            signature: rest.get(length..)?,
        })
    }
}

/// The RRset of an owner and type in a section; none where it has no records.
pub fn set<'a>(section: &'a [Record], owner: &'a [u8], rtype: u16) -> Option<Set<'a>> {
    let at_owner = || section.iter().filter(move |record| *record.owner == *owner);
    let mut data: Vec<Vec<u8>> = at_owner().filter(|r| r.rtype == rtype).map(|r| r.data.clone()).collect();
    data.sort_unstable();
    data.dedup();
    let signatures = || {
        let all = at_owner().filter(|r| r.rtype == number::RRSIG);
        all.filter_map(|r| Some((r.ttl, Rrsig::read(&r.data).filter(|rrsig| rrsig.covered == rtype)?)))
    };
    let ttls = || at_owner().filter(|r| r.rtype == rtype).map(|r| r.ttl).chain(signatures().map(|(ttl, _)| ttl));
    let ttl = ttls().max().filter(|_| !data.is_empty())?;
    let signatures_all = signatures().map(|(_, rrsig)| rrsig).collect();
    Some(Set { owner, rtype, ttl, one_ttl: ttls().all(|other| other == ttl), data, signatures: signatures_all })
}

impl Set<'_> {
    /// Whether `zone`'s `keys` signed it, by one of the clocks.
    ///
    /// # Errors
    /// Why no signature is good, in words.
    pub fn verify(&self, zone: &[u8], keys: &[Vec<u8>], now: impl Into<Clocks>) -> Result<Verified, String> {
        let (mut good, mut why, mut tries) = (None::<Verified>, None, 0);
        let now = now.into();
        for rrsig in &self.signatures {
            match self.verify_one(rrsig, zone, keys, now, &mut tries) {
                Ok(()) => add(&mut good, rrsig, now.signing, rrsig.labels < owner_labels(self.owner)),
                Err(fault) => why = Some(fault),
            }
        }
        let what = format!("{} {}", name::print(self.owner), rtype::print(self.rtype));
        good.ok_or_else(|| match why {
            Some(why) => format!("no signature over {what} is good: {why}"),
            None => format!("{what} is not signed"),
        })
    }

    /// As [`Set::verify`], and every signature must be good, and just the keys with these tags must have made them.
    ///
    /// # Errors
    /// What differs, in words.
    pub fn verify_all(&self, zone: &[u8], keys: &[Vec<u8>], tags: &[u16], now: UnixTime) -> Result<Verified, String> {
        let what = || format!("{} {}", name::print(self.owner), rtype::print(self.rtype));
        let verified = self.verify(zone, keys, now)?;
        for rrsig in &self.signatures {
            self.verify_one(rrsig, zone, keys, now.into(), &mut 0)
                .map_err(|why| format!("a signature over {} is bad: {why}", what()))?;
        }
        let mut wanted = tags.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        if verified.tags == wanted {
            return Ok(verified);
        }
        Err(format!("{} is signed by the keys {:?} instead of {wanted:?}", what(), verified.tags))
    }

    fn verify_one(
        &self,
        rrsig: &Rrsig<'_>,
        zone: &[u8],
        keys: &[Vec<u8>],
        now: Clocks,
        tries: &mut usize,
    ) -> Result<(), String> {
        // RFC 4035 § 5.3.1, in its order.
        let tag = rrsig.tag;
        if *rrsig.signer != *zone || !name::is_within(self.owner, zone) {
            return Err(format!("its signer is {}, not {}", name::print(&rrsig.signer), name::print(zone)));
        }
        if rrsig.labels > owner_labels(self.owner) {
            return Err(format!("the signature by key {tag} has more labels than its owner"));
        }
        // Either clock may be the one that is right. Where the signing clock lags, for time off that it does not count,
        // signatures of others begin after it. What a wall clock that is behind takes for valid may have expired; but
        // then nothing is taken away, as the clocks are in doubt.
        in_time(rrsig, now.signing).or_else(|why| in_time(rrsig, now.wall).map_err(|_| why))?;
        if !ALGORITHMS.contains(&rrsig.algorithm) {
            return Err(format!(
                "the signature by key {tag} has algorithm {}, which counts for nothing",
                rrsig.algorithm
            ));
        }
        let mut candidates = keys.iter().filter(|key| is_signer(key, rrsig)).peekable();
        if candidates.peek().is_none() {
            return Err(format!("no key with tag {tag} and algorithm {} is in the zone's DNSKEY", rrsig.algorithm));
        }
        if *tries >= TRIES_MAX {
            return Err(format!("more than {TRIES_MAX} signatures would have to be tried"));
        }
        let message = self.signed_octets(rrsig).ok_or("its labels do not fit its owner")?;
        let left = TRIES_MAX - *tries;
        let good =
            candidates.take(left).inspect(|_| *tries += 1).any(|key| is_signed_by(key, &message, rrsig.signature));
        match good {
            true => Ok(()),
            false => Err(format!("key {tag} did not make the signature that bears its tag")),
        }
    }

    /// RFC 4034 § 3.1.8.1.
    fn signed_octets(&self, rrsig: &Rrsig<'_>) -> Option<Vec<u8>> {
        let mut owner = self.owner.to_vec();
        if rrsig.labels < owner_labels(self.owner) {
            owner = [b"\x01*", name::suffix(self.owner, rrsig.labels)?].concat();
        }
        let mut all: Vec<Vec<u8>> = self.data.clone();
        all.iter_mut().for_each(|data| lower_names(self.rtype, data));
        all.sort_unstable();
        all.dedup();
        let mut octets = [rrsig.head, &*rrsig.signer].concat();
        for data in all {
            octets.extend_from_slice(&owner);
            octets.extend(self.rtype.to_be_bytes());
            octets.extend(CLASS_IN.to_be_bytes());
            octets.extend(rrsig.original_ttl.to_be_bytes());
            octets.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
            octets.extend(data);
        }
        Some(octets)
    }
}

/// RFC 4034 § 3.1.3: the root and a wildcard's `*` do not count.
fn owner_labels(owner: &[u8]) -> usize {
    name::label_count(owner) - usize::from(name::is_wildcard(owner))
}

fn in_time(rrsig: &Rrsig<'_>, now: UnixTime) -> Result<(), String> {
    let (tag, left) = (rrsig.tag, left(rrsig.expiration, now));
    if left < -skew() {
        return Err(format!("the signature by key {tag} ended {} s ago", -left));
    }
    let since = -self::left(rrsig.inception, now);
    if since < -skew() {
        return Err(format!("the signature by key {tag} begins only in {} s", -since));
    }
    Ok(())
}

fn skew() -> i64 {
    i64::try_from(SKEW).unwrap_or(0)
}

/// Seconds until a moment of RRSIG, in serial arithmetic.
fn left(moment: u32, now: UnixTime) -> i64 {
    i64::from(moment.wrapping_sub(now.rrsig()).cast_signed())
}

fn moment(at: u32, now: UnixTime) -> UnixTime {
    UnixTime(now.0.saturating_add_signed(left(at, now)))
}

fn add(good: &mut Option<Verified>, rrsig: &Rrsig<'_>, now: UnixTime, expanded: bool) {
    let (expires, inception) = (moment(rrsig.expiration, now), moment(rrsig.inception, now));
    let none = Verified { expires, inception, original_ttl: 0, tags: Vec::new(), expanded };
    let all = good.get_or_insert(none);
    all.expires = all.expires.max(expires);
    all.inception = all.inception.max(inception);
    all.original_ttl = all.original_ttl.max(rrsig.original_ttl);
    all.expanded |= expanded;
    all.tags.push(rrsig.tag);
    all.tags.sort_unstable();
    all.tags.dedup();
}

fn is_signer(key: &[u8], rrsig: &Rrsig<'_>) -> bool {
    is_zone_key(key) && key.get(3) == Some(&rrsig.algorithm) && key_tag(key) == rrsig.tag
}

/// Whether DNSKEY data are a key that may sign a zone: its flag, protocol 3 (RFC 4034 § 2.1), not revoked.
pub fn is_zone_key(key: &[u8]) -> bool {
    let Some(&[high, low, protocol]) = key.first_chunk() else { return false };
    let flags = u16::from_be_bytes([high, low]);
    protocol == 3 && flags & ZONE_KEY != 0 && flags & REVOKED == 0
}

fn is_signed_by(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Some(algorithm), Some(public)) = (key.get(3), key.get(4..)) else { return false };
    let key = PublicKeyBuf::new(public.to_vec(), Algorithm::from_u8(*algorithm));
    key.verify(message, signature).is_ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::dns::name::ROOT;
    use crate::sign::key::{Key, generate_pkcs8};

    pub const NOW: UnixTime = UnixTime(1_800_000_000);
    const HOUR: u64 = 3600;

    pub fn wire(text: &str) -> Name {
        Name::parse(text, ROOT).expect("a name")
    }

    pub fn key(flags: u16, algorithm: u8) -> Key {
        Key::from_pkcs8(flags, algorithm, &generate_pkcs8(algorithm).expect("a key")).expect("a key")
    }

    pub fn record(owner: &str, rtype: u16, data: &[u8]) -> Record {
        Record { owner: wire(owner), rtype, ttl: 600, data: data.to_vec() }
    }

    /// The RRSIG of an RRset that stands an hour to each side of now, changed before it is signed.
    pub fn signature(records: &[Record], zone: &str, key: &Key, change: impl Fn(&mut [u8])) -> Record {
        let first = records.first().expect("an RRset");
        let mut head = first.rtype.to_be_bytes().to_vec();
        head.extend([key.dnskey_data()[3], u8::try_from(owner_labels(&first.owner)).expect("few")]);
        head.extend(3600u32.to_be_bytes());
        head.extend(NOW.after(HOUR).rrsig().to_be_bytes());
        head.extend(NOW.before(HOUR).rrsig().to_be_bytes());
        head.extend(key.tag.to_be_bytes());
        change(&mut head);
        let head = [&head[..], &wire(zone)].concat();
        let rrsig = Rrsig::read(&head).expect("an RRSIG");
        let found = set(records, &first.owner, first.rtype).expect("an RRset");
        let octets = found.signed_octets(&rrsig).expect("labels that fit");
        let made = key.signer.sign(&octets).expect("a signature");
        Record { data: [&head[..], &made].concat(), rtype: number::RRSIG, ..first.clone() }
    }

    /// An RRset and its signature.
    pub fn signed(records: &[Record], zone: &str, key: &Key) -> Vec<Record> {
        [records, &[signature(records, zone, key, |_| {})]].concat()
    }

    fn verified(section: &[Record], zone: &str, keys: &[&Key], now: UnixTime) -> Result<Verified, String> {
        let keys: Vec<Vec<u8>> = keys.iter().map(|key| key.dnskey_data()).collect();
        let first = section.first().expect("an RRset");
        set(section, &first.owner, first.rtype).expect("an RRset").verify(&wire(zone), &keys, now)
    }

    fn names() -> Vec<Record> {
        // The case of names in data is not signed (RFC 4034 § 6.2).
        let other = b"\x02NS\x07Example\0";
        vec![record("mx.example.", number::NS, other), record("mx.example.", number::NS, &wire("a.example."))]
    }

    #[test]
    fn a_good_signature_says_how_long() {
        for algorithm in [13, 15] {
            let key = key(256, algorithm);
            let seen = verified(&signed(&names(), "example.", &key), "example.", &[&key], NOW).expect("good");
            let (expires, inception) = (NOW.after(HOUR), NOW.before(HOUR));
            let tags = vec![key.tag];
            assert_eq!(seen, Verified { expires, inception, original_ttl: 3600, tags, expanded: false });
        }
    }

    #[test]
    fn clocks_may_differ_by_five_minutes_and_no_more() {
        let key = key(256, 13);
        let section = signed(&names(), "example.", &key);
        for (now, good) in [
            (NOW.after(HOUR + SKEW), true),
            (NOW.after(HOUR + SKEW + 1), false),
            (NOW.before(HOUR + SKEW), true),
            (NOW.before(HOUR + SKEW + 1), false),
        ] {
            assert_eq!(verified(&section, "example.", &[&key], now).is_ok(), good, "{now:?}");
        }
    }

    #[test]
    fn one_clock_that_is_right_suffices_and_what_both_refuse_is_refused() {
        const DAY: u64 = 24 * HOUR;
        let key = key(256, 13);
        let section = signed(&names(), "example.", &key);
        for (signing, wall, good) in [
            (NOW.before(3 * DAY), NOW, true),
            (NOW, NOW.before(3 * DAY), true),
            (NOW, NOW.after(3 * DAY), true),
            (NOW.after(DAY), NOW.after(3 * DAY), false),
            (NOW.before(3 * DAY), NOW.before(DAY), false),
            (NOW.before(DAY), NOW.after(DAY), false),
        ] {
            let zone = wire("mx.example.");
            let found = set(&section, &zone, number::NS).expect("an RRset");
            let verified = found.verify(&wire("example."), &[key.dnskey_data()], Clocks { signing, wall });
            assert_eq!(verified.is_ok(), good, "{signing:?} {wall:?}");
            assert!(verified.is_err() || verified.expect("good").expires == NOW.after(HOUR), "{signing:?} {wall:?}");
        }
    }

    #[test]
    fn every_changed_octet_spoils_it() {
        let key = key(256, 13);
        let section = signed(&names(), "example.", &key);
        for (at, record) in section.iter().enumerate() {
            for octet in 0..record.data.len() {
                let mut other = section.clone();
                other[at].data[octet] ^= 0x01;
                assert!(verified(&other, "example.", &[&key], NOW).is_err(), "record {at}, octet {octet}");
            }
        }
    }

    #[test]
    fn keys_of_others_and_unfit_keys_do_not_count() {
        let (own, other) = (key(256, 13), key(256, 13));
        let section = signed(&names(), "example.", &own);
        assert!(verified(&section, "example.", &[&other], NOW).expect_err("").contains("no key with tag"));
        assert!(verified(&section, "mx.example.", &[&own], NOW).expect_err("").contains("its signer is example."));
        let head = |flags: u16, protocol| [&flags.to_be_bytes()[..], &[protocol, 13]].concat();
        assert!(is_zone_key(&head(256, 3)) && is_zone_key(&head(257, 3)));
        for unfit in [head(256 | REVOKED, 3), head(1, 3), head(256, 2), vec![1, 1], Vec::new()] {
            assert!(!is_zone_key(&unfit), "{unfit:?}");
        }
        assert!(verified(&names(), "example.", &[&own], NOW).expect_err("").contains("is not signed"));
    }

    #[test]
    fn a_wrong_tag_or_many_of_one_tag_stay_bounded() {
        let (own, other) = (key(256, 13), key(256, 13));
        let [high, low] = other.tag.to_be_bytes();
        let wrong = signature(&names(), "example.", &own, |head| head[16..].copy_from_slice(&[high, low]));
        let section = [names(), vec![wrong.clone(); 40]].concat();
        let why = verified(&section, "example.", &[&other], NOW).expect_err("");
        assert!(why.contains("more than 16"), "{why}");
    }

    #[test]
    fn an_expanded_wildcard_is_told() {
        let key = key(256, 13);
        let star = [record("*.example.", number::NS, &wire("a.example."))];
        let rrsig = signature(&star, "example.", &key, |_| {});
        let all = [star[0].clone(), rrsig].map(|record| Record { owner: wire("x.y.example."), ..record });
        assert!(verified(&all, "example.", &[&key], NOW).expect("good").expanded);
    }

    #[test]
    fn all_signatures_must_be_good_where_all_are_wanted() {
        let (one, two) = (key(256, 13), key(256, 13));
        let both = [signed(&names(), "example.", &one), vec![signature(&names(), "example.", &two, |_| {})]].concat();
        let keys = [one.dnskey_data(), two.dnskey_data()];
        let all = |section: &[Record], tags: &[u16]| {
            set(section, &wire("mx.example."), number::NS).expect("").verify_all(&wire("example."), &keys, tags, NOW)
        };
        assert!(all(&both, &[two.tag, one.tag]).is_ok());
        assert!(all(&both, &[one.tag]).is_err());
        let mut spoilt = both;
        *spoilt[3].data.last_mut().expect("octets") ^= 1;
        assert!(all(&spoilt, &[one.tag]).expect_err("").contains("did not make"));
    }
}
