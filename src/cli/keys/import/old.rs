//! What the server that has a zone now says of its keys: which are in DNSKEY, and which sign.
//!
//! Only signatures that verify count. It is asked two questions, and its silence is never an answer.

use crate::control::observe::client::{Transport, ask};
use crate::control::observe::verify::{Set, set};
use crate::dns::name::Name;
use crate::dns::rtype::number;
use crate::sign::foreign::Usage;
use crate::sign::key::{PublicKey, key_tag};
use crate::time::UnixTime;
use std::net::SocketAddr;
use std::time::Duration;

/// Time for one question: it may be on another continent.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The flag of a key that its owner revoked (RFC 5011 § 7).
const REVOKED: u8 = 0x80;

/// Its answers.
pub struct Old {
    /// Where it was asked.
    pub at: SocketAddr,
    /// DNSKEY data.
    keys: Vec<Vec<u8>>,
    /// Tags of keys that sign DNSKEY.
    entry: Vec<u16>,
    /// Tags of keys that sign the SOA.
    data: Vec<u16>,
}

impl Old {
    /// Asks it.
    ///
    /// # Errors
    /// Why there is no answer that validates by itself.
    pub fn ask(at: SocketAddr, apex: &Name, now: UnixTime) -> Result<Old, String> {
        let reply = |rtype| ask(at, apex, rtype, Transport::Udp, TIMEOUT).map_err(|fault| fault.trouble.to_string());
        let found = reply(number::DNSKEY)?;
        let set_of_keys = set(&found.answer, apex, number::DNSKEY).ok_or("it has no DNSKEY of the zone")?;
        let keys = set_of_keys.data.clone();
        let entry = tags(&set_of_keys, apex, &keys, now)?;
        let found = reply(number::SOA)?;
        let soa = set(&found.answer, apex, number::SOA).ok_or("it has no SOA of the zone")?;
        let data = tags(&soa, apex, &keys, now)?;
        Ok(Old { at, keys, entry, data })
    }

    /// What a key is to the zone there.
    pub fn usage(&self, key: &PublicKey) -> Usage {
        let data = key.dnskey_data();
        let published = self.keys.contains(&data);
        let signs = self.data.contains(&key.tag) || (is_entry(&data) && self.entry.contains(&key.tag));
        Usage { published: Some(published), signs: Some(published && signs), revoked: false }
    }

    /// Tags of keys that are in DNSKEY there and not among these: what they signed is in caches. One that is revoked never
    /// begins a chain again, and may be left out.
    pub fn missing(&self, given: &[&PublicKey]) -> Vec<u16> {
        let given: Vec<Vec<u8>> = given.iter().map(|key| key.dnskey_data()).collect();
        let is_left = |data: &&Vec<u8>| !given.contains(*data) && data.get(1).is_none_or(|flags| flags & REVOKED == 0);
        self.keys.iter().filter(is_left).map(|data| key_tag(data)).collect()
    }

    /// What it said, for people.
    pub fn words(&self) -> String {
        let list = |tags: &[u16]| tags.iter().map(u16::to_string).collect::<Vec<String>>().join(", ");
        let keys: Vec<u16> = self.keys.iter().map(|data| key_tag(data)).collect();
        format!(
            "{} was asked for DNSKEY and SOA: it publishes {}; {} signs the keys, {} the data",
            self.at,
            list(&keys),
            list(&self.entry),
            list(&self.data)
        )
    }
}

fn tags(found: &Set<'_>, apex: &Name, keys: &[Vec<u8>], now: UnixTime) -> Result<Vec<u16>, String> {
    found.verify(apex, keys, now).map(|verified| verified.tags)
}

fn is_entry(dnskey: &[u8]) -> bool {
    dnskey.get(1).is_some_and(|flags| flags & 1 == 1)
}
