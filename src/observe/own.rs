//! Whether our own addresses answer for a zone as they should, asked over the wire as anyone would.
//!
//! Every signature is verified with the DNSKEY that is served, never with what this process has in memory. Whatever is
//! silent, differs or does not validate is named; only when nothing is, there are facts to build a wait on.

use crate::dns::name::Name;
use crate::dns::rtype::{self, number};
use crate::resolve::client::{Transport, ask, chance};
use crate::resolve::message::{Message, NOERROR, Record};
use crate::resolve::verify::{Set, Verified, set};
use crate::sign::denial::has_type;
use crate::sign::key::key_tag;
use crate::time::UnixTime;
use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use std::net::SocketAddr;
use std::time::Duration;

/// Our own server answers at once, or something is wrong.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);
/// A type for private use (RFC 6895 § 3.1) that no zone has, to be denied.
const TYPE_NOBODY_HAS: u16 = 65_311;
/// The data of CDNSKEY that asks for the removal of DS, and those of such a CDS (RFC 8078 § 4).
const DELETE_CDNSKEY: &[u8] = &[0, 0, 3, 0, 0];
const DELETE_CDS: &[u8] = &[0, 0, 0, 0, 0];

/// What a zone should answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnExpected {
    /// DNSKEY data.
    pub dnskey: Vec<Vec<u8>>,
    /// Tags of the keys that sign DNSKEY, CDS and CDNSKEY.
    pub key_tags: Vec<u16>,
    /// Tags of the keys that sign all else.
    pub data_tags: Vec<u16>,
    /// DNSKEY data of those of them that are not yet, or no more, in DNSKEY: signatures of another algorithm come first
    /// and go last (RFC 6781 § 4.1.4).
    pub unpublished: Vec<Vec<u8>>,
    /// CDS data; none where the zone has neither CDS nor CDNSKEY.
    pub cds: Vec<Vec<u8>>,
}

/// What all addresses agree on, each the greatest that was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnFacts {
    /// TTL of DNSKEY.
    pub dnskey_ttl: u32,
    /// When the last signature over DNSKEY ends.
    pub keys_expire: UnixTime,
    /// When the last signature over data and denials ends.
    pub data_expire: UnixTime,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct OwnFault {
    /// At which address; none where there is none to ask.
    pub server: Option<SocketAddr>,
    /// What differs, in words, with the address.
    pub what: String,
}

/// The facts, or all that differs.
pub type OwnSeen = Result<OwnFacts, Vec<OwnFault>>;

/// Asks each of our addresses all that a zone's validity rests on.
pub fn observe_zone(servers: &[SocketAddr], apex: &Name, expected: &OwnExpected, now: UnixTime) -> OwnSeen {
    let mut facts = OwnFacts::default();
    let mut faults = Vec::new();
    if servers.is_empty() {
        faults.push(OwnFault { server: None, what: "no address answers for the zones".to_owned() });
    }
    for server in servers {
        let mut judge = Judge { apex, expected, now, keys: Vec::new(), facts };
        match observe(*server, &mut judge) {
            Ok(()) => facts = judge.facts,
            Err(what) => faults.push(OwnFault { server: Some(*server), what: format!("{server}: {what}") }),
        }
    }
    if faults.is_empty() { Ok(facts) } else { Err(faults) }
}

fn observe(server: SocketAddr, judge: &mut Judge<'_>) -> Result<(), String> {
    let apex = judge.apex;
    let question = |name: &Name, rtype, transport| {
        ask(server, name, rtype, transport, ASK_TIMEOUT).map_err(|fault| fault.trouble.to_string())
    };
    for transport in [Transport::Udp, Transport::Tcp] {
        judge.dnskey(&question(apex, number::DNSKEY, transport)?)?;
        judge.soa(&question(apex, number::SOA, transport)?)?;
    }
    judge.cds(&question(apex, number::CDS, Transport::Udp)?)?;
    judge.cdnskey(&question(apex, number::CDNSKEY, Transport::Udp)?)?;
    judge.absent_type(&question(apex, TYPE_NOBODY_HAS, Transport::Udp)?, apex, TYPE_NOBODY_HAS)?;
    let label = HEXLOWER.encode(&chance::<8>().map_err(|trouble| trouble.to_string())?);
    let absent = Name::below(label.as_bytes(), apex).map_err(|fault| format!("a name below {apex}: {fault}"))?;
    if !judge.absent_type(&question(&absent, TYPE_NOBODY_HAS, Transport::Udp)?, &absent, TYPE_NOBODY_HAS)? {
        // Below a wildcard every name exists (RFC 4592 § 2.2.1).
        let star = Name::below(b"*", apex).map_err(|fault| format!("a wildcard below {apex}: {fault}"))?;
        if judge.absent_type(&question(&star, TYPE_NOBODY_HAS, Transport::Udp)?, &star, TYPE_NOBODY_HAS)? {
            return Err(format!("the denial of {absent} has no NXNAME, though there is no such name"));
        }
    }
    Ok(())
}

/// Holds replies of one address against what is expected; pure.
struct Judge<'j> {
    apex: &'j Name,
    expected: &'j OwnExpected,
    now: UnixTime,
    keys: Vec<Vec<u8>>,
    facts: OwnFacts,
}

impl<'j> Judge<'j> {
    /// Signed, and with the TTL that is signed; only the SOA of a denial has a shorter one (RFC 2308 § 3).
    fn answered(&self, found: &Set<'_>, tags: &[u16]) -> Result<Verified, String> {
        let verified = self.signed(found, tags)?;
        match (found.one_ttl, verified.original_ttl == found.ttl) {
            (true, true) => Ok(verified),
            (false, _) => Err("records of one RRset, or their signatures, differ in TTL".to_owned()),
            (true, false) => Err(format!("a TTL of {} is signed as {}", found.ttl, verified.original_ttl)),
        }
    }

    fn dnskey(&mut self, reply: &Message) -> Result<(), String> {
        let found = self.found(reply, number::DNSKEY)?;
        same("DNSKEY", &found.data, &self.expected.dnskey, &print_key)?;
        self.keys.clone_from(&found.data);
        let verified = self.answered(&found, &self.expected.key_tags)?;
        self.facts.dnskey_ttl = self.facts.dnskey_ttl.max(found.ttl);
        self.facts.keys_expire = self.facts.keys_expire.max(verified.expires);
        Ok(())
    }

    fn soa(&mut self, reply: &Message) -> Result<(), String> {
        let found = self.found(reply, number::SOA)?;
        let verified = self.answered(&found, &self.expected.data_tags)?;
        self.facts.data_expire = self.facts.data_expire.max(verified.expires);
        Ok(())
    }

    fn cds(&mut self, reply: &Message) -> Result<(), String> {
        if self.expected.cds.is_empty() {
            return self.absent_type(reply, self.apex, number::CDS).map(|_| ());
        }
        let found = self.found(reply, number::CDS)?;
        same("CDS", &found.data, &self.expected.cds, &|data| HEXLOWER.encode(data))?;
        self.answered(&found, &self.expected.key_tags).map(|_| ())
    }

    /// RFC 7344 § 4: CDNSKEY says the same as CDS.
    fn cdnskey(&mut self, reply: &Message) -> Result<(), String> {
        if self.expected.cds.is_empty() {
            return self.absent_type(reply, self.apex, number::CDNSKEY).map(|_| ());
        }
        let found = self.found(reply, number::CDNSKEY)?;
        let said: Vec<Vec<u8>> = found.data.iter().map(|key| cds_of(self.apex, key)).collect();
        same("CDNSKEY, as CDS,", &said, &self.expected.cds, &|data| HEXLOWER.encode(data))?;
        self.answered(&found, &self.expected.key_tags).map(|_| ())
    }

    /// A compact denial (RFC 9824): NOERROR, SOA, and an NSEC at the name whose types lack the one asked for. True where
    /// it says that the name itself does not exist.
    fn absent_type(&mut self, reply: &Message, name: &Name, rtype: u16) -> Result<bool, String> {
        let what = format!("{name} {}", rtype::print(rtype));
        if reply.rcode != NOERROR || !reply.authoritative || !reply.answer.is_empty() {
            return Err(format!("the denial of {what} is not NOERROR with AA and an empty answer (RFC 9824)"));
        }
        for (owner, rtype) in [(self.apex, number::SOA), (name, number::NSEC)] {
            let found = set(&reply.authority, owner, rtype);
            let missing = || format!("the denial of {what} lacks {owner} {}", rtype::print(rtype));
            let verified = self.signed(&found.ok_or_else(missing)?, &self.expected.data_tags)?;
            self.facts.data_expire = self.facts.data_expire.max(verified.expires);
        }
        let bitmap = bitmap(&reply.authority, name).unwrap_or_default();
        match has_type(bitmap, rtype) {
            true => Err(format!("the denial of {what} says itself that it exists")),
            false => Ok(has_type(bitmap, number::NXNAME)),
        }
    }

    fn found<'m>(&self, reply: &'m Message, rtype: u16) -> Result<Set<'m>, String>
    where
        'j: 'm,
    {
        let apex: &'j Name = self.apex;
        let what = || format!("{apex} {}", rtype::print(rtype));
        if reply.rcode != NOERROR || !reply.authoritative {
            return Err(format!("the answer for {} is not NOERROR with AA", what()));
        }
        set(&reply.answer, apex, rtype).ok_or_else(|| format!("there is no {}", what()))
    }

    /// Signed by just these keys, and with a TTL that ends before its signatures do (RFC 4035 § 5.3.3).
    fn signed(&self, found: &Set<'_>, tags: &[u16]) -> Result<Verified, String> {
        // Only what DNSKEY does not hold and nobody needs yet: each of `tags` must have signed all the same.
        let keys = [&self.keys[..], &self.expected.unpublished].concat();
        let verified = found.verify_all(self.apex, &keys, tags, self.now)?;
        if verified.expires < self.now.after(u64::from(found.ttl)) {
            return Err(format!("a TTL of {} s outlives its signature", found.ttl));
        }
        Ok(verified)
    }
}

/// The types of the NSEC at a name.
fn bitmap<'m>(section: &'m [Record], owner: &[u8]) -> Option<&'m [u8]> {
    let record = section.iter().find(|record| record.rtype == number::NSEC && *record.owner == *owner)?;
    let mut rest = record.data.as_slice();
    while let Some((length, tail)) = rest.split_first() {
        if *length == 0 {
            return Some(tail);
        }
        rest = tail.get(usize::from(*length)..)?;
    }
    None
}

fn same(what: &str, seen: &[Vec<u8>], expected: &[Vec<u8>], print: &dyn Fn(&[u8]) -> String) -> Result<(), String> {
    let sorted = |all: &[Vec<u8>]| {
        let mut all = all.to_vec();
        all.sort_unstable();
        all.dedup();
        all
    };
    let (seen, expected) = (sorted(seen), sorted(expected));
    let list = |all: &[Vec<u8>]| all.iter().map(|data| print(data)).collect::<Vec<_>>().join(", ");
    match seen == expected {
        true => Ok(()),
        false => Err(format!("{what} is [{}] instead of [{}]", list(&seen), list(&expected))),
    }
}

fn print_key(data: &[u8]) -> String {
    let flags = data.first_chunk().map_or(0, |flags| u16::from_be_bytes(*flags));
    format!("{flags} with tag {}", key_tag(data))
}

/// The CDS data of a CDNSKEY, with SHA-256 as ours are.
fn cds_of(apex: &[u8], key: &[u8]) -> Vec<u8> {
    if key == DELETE_CDNSKEY {
        return DELETE_CDS.to_vec();
    }
    let mut data = key_tag(key).to_be_bytes().to_vec();
    data.extend([key.get(3).copied().unwrap_or(0), 2]);
    data.extend_from_slice(digest(&SHA256, &[apex, key].concat()).as_ref());
    data
}
