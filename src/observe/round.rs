//! One round of questions that ends in proof: who vouches for a zone's keys, and whether an answer is theirs.
//!
//! Keys that were once proved serve the whole round; where an answer does not validate with them, its own server is asked
//! for newer ones, so that a roll of the parent's keys spoils nothing.

use crate::dns::name::{self, Name};
use crate::dns::rtype::number;
use crate::resolve::anchors::Anchors;
use crate::resolve::chain;
use crate::resolve::client::Transport;
use crate::resolve::message::Message;
use crate::resolve::proved::{DsSeen, ProvedKeys};
use crate::resolve::walk::{Walk, Ways};
use crate::time::Clocks;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// What a round has learnt.
pub(super) struct Round<'r> {
    pub walk: Walk<'r>,
    pub now: Clocks,
    anchors: &'r Anchors,
    trusted: BTreeMap<Name, Result<Vec<Vec<u8>>, String>>,
    keys: BTreeMap<Name, ProvedKeys>,
}

impl<'r> Round<'r> {
    pub fn new(ways: &'r Ways, anchors: &'r Anchors, now: Clocks) -> Round<'r> {
        Round { walk: Walk::new(ways), now, anchors, trusted: BTreeMap::new(), keys: BTreeMap::new() }
    }

    /// What a reply of `server` says about the DS of `child`, where it is proved.
    pub fn judge(&mut self, server: SocketAddr, reply: &Message, child: &Name) -> Result<DsSeen, String> {
        let zone = chain::signer(reply, child)?;
        let now = self.now;
        self.with_keys(&zone, server, |keys| chain::ds(reply, child, keys, now))
    }

    /// Tries with the keys of `zone` that are known, then with those that `server` has now.
    pub fn with_keys<T>(
        &mut self,
        zone: &Name,
        server: SocketAddr,
        proved: impl Fn(&ProvedKeys) -> Result<T, String>,
    ) -> Result<T, String> {
        if let Some(Ok(good)) = self.keys.get(zone).map(&proved) {
            return Ok(good);
        }
        let keys = self.keys_at(zone, server)?;
        let good = proved(&keys)?;
        self.keys.insert(zone.clone(), keys);
        Ok(good)
    }

    fn keys_at(&mut self, zone: &Name, server: SocketAddr) -> Result<ProvedKeys, String> {
        let trusted = self.trusted(zone)?;
        let reply = self.walk.ask(server, zone, number::DNSKEY, Transport::Tcp);
        let reply = reply.map_err(|fault| format!("the keys of {zone} are not known: {fault}"))?;
        chain::keys(&reply, zone, &trusted, self.now)
    }

    /// The DS data that vouch for a zone's keys: those of its anchor, or what its parent proves.
    fn trusted(&mut self, zone: &Name) -> Result<Vec<Vec<u8>>, String> {
        if let Some(known) = self.trusted.get(zone) {
            return known.clone();
        }
        let found = self.find_trusted(zone);
        self.trusted.insert(zone.clone(), found.clone());
        found
    }

    /// Each step leads to a zone strictly above, so this ends at an anchor.
    fn find_trusted(&mut self, zone: &Name) -> Result<Vec<Vec<u8>>, String> {
        let (start, anchors) = self
            .anchors
            .start(zone)
            .ok_or_else(|| format!("no trust anchor is at or above {zone}; give one for it"))?;
        if start == *zone {
            return Ok(anchors);
        }
        let located = self.walk.locate(zone, number::DS)?;
        let above = chain::signer(&located.reply, zone)?;
        if !name::is_within(&above, &start) {
            return Err(format!("{above}, which signed the DS of {zone}, is above the trust anchor {start}"));
        }
        let seen = self.judge(located.by, &located.reply, zone)?;
        match seen.ds.is_empty() {
            true => Err(format!("{zone} is not signed: {above} proves that it has no DS")),
            false => Ok(seen.ds),
        }
    }
}
