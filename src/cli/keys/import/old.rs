//! What the servers that have a zone now say of its keys: which are in DNSKEY, and which sign.
//!
//! Only signatures that verify count. Each is asked two questions, and silence is never an answer.

use crate::dns::name::Name;
use crate::dns::rtype::number;
use crate::observe::holders;
use crate::observe::holders::HOLDERS_MAX;
use crate::resolve::client;
use crate::resolve::message::Message;
use crate::resolve::verify::{Set, set};
use crate::resolve::walk::{Walk, Ways};
use crate::sign::foreign::Usage;
use crate::sign::key::{PublicKey, key_tag};
use crate::time::UnixTime;
use std::net::SocketAddr;
use std::time::Duration;

/// Time for one question to a server that a person named: it may be on another continent.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The flag of a key that its owner revoked (RFC 5011 § 7).
const REVOKED: u8 = 0x80;

/// Their answers.
pub struct Old {
    /// Who gave them.
    by: Vec<SocketAddr>,
    /// DNSKEY data, sorted.
    keys: Vec<Vec<u8>>,
    /// Tags of keys that sign DNSKEY, sorted.
    entry: Vec<u16>,
    /// Tags of keys that sign the SOA, sorted.
    data: Vec<u16>,
}

/// What came of a search for a zone's servers.
pub enum Found {
    /// All that answered say the same.
    Said(Old),
    /// None says anything that counts; who was asked, and why.
    Nobody(String),
    /// They do not say the same; what each says.
    Apart(String),
}

impl Old {
    /// Asks the server that a person named.
    ///
    /// # Errors
    /// Why there is no answer that validates by itself.
    pub fn ask(at: SocketAddr, apex: &Name, now: UnixTime) -> Result<Old, String> {
        let transport = client::Transport::Udp;
        let ask = |rtype| client::ask(at, apex, rtype, transport, TIMEOUT).map_err(|fault| fault.trouble.to_string());
        Old::read(at, apex, now, ask)
    }

    /// Finds the zone's servers and asks them.
    pub fn find(apex: &Name, parents: &[SocketAddr], ways: &Ways, now: UnixTime) -> Found {
        let mut walk = Walk::new(ways);
        let servers = match holders::holders(&mut walk, apex, parents) {
            Ok(servers) => servers,
            Err(why) => return Found::Nobody(format!("its servers were not found: {why}")),
        };
        let (mut said, mut silent): (Vec<Old>, Vec<String>) = (Vec::new(), Vec::new());
        for at in servers.into_iter().take(HOLDERS_MAX) {
            match Old::read(at, apex, now, |rtype| holders::ask(&mut walk, at, apex, rtype)) {
                Ok(old) => said.push(old),
                Err(why) => silent.push(format!("{at}: {why}")),
            }
        }
        Old::agreed(said).unwrap_or_else(|| Found::Nobody(silent.join("; ")))
    }

    /// One word of all of them. A server that lags shows keys that others have ceased to use: nobody guesses who does.
    fn agreed(said: Vec<Old>) -> Option<Found> {
        let mut said = said.into_iter();
        let mut first = said.next()?;
        for other in said {
            if !first.says_as(&other) {
                return Some(Found::Apart(format!("{}. {}", first.words(), other.words())));
            }
            first.by.extend(other.by);
        }
        Some(Found::Said(first))
    }

    fn says_as(&self, other: &Old) -> bool {
        (&self.keys, &self.entry, &self.data) == (&other.keys, &other.entry, &other.data)
    }

    fn read(
        at: SocketAddr,
        apex: &Name,
        now: UnixTime,
        mut ask: impl FnMut(u16) -> Result<Message, String>,
    ) -> Result<Old, String> {
        let found = ask(number::DNSKEY)?;
        let set_of_keys = set(&found.answer, apex, number::DNSKEY).ok_or("it has no DNSKEY of the zone")?;
        let keys = set_of_keys.data.clone();
        let entry = tags(&set_of_keys, apex, &keys, now)?;
        let found = ask(number::SOA)?;
        let soa = set(&found.answer, apex, number::SOA).ok_or("it has no SOA of the zone")?;
        let data = tags(&soa, apex, &keys, now)?;
        Ok(Old { by: vec![at], keys, entry, data })
    }

    /// Who gave the answers.
    pub fn by(&self) -> String {
        self.by.iter().map(SocketAddr::to_string).collect::<Vec<String>>().join(" and ")
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
            self.by(),
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
