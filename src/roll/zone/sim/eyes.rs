//! What a simulated server sees: its own answers on the wire, and the DS sets of the parent.
//!
//! Only here does anything of the true world become a fact.

use super::kinds::SEEN_AFTER;
use super::world::World;
use crate::roll::item::is_unseen;
use crate::roll::zone::check::{KeyId, KeySet};
use crate::roll::zone::facts::Fact;
use crate::time::Seconds;

/// Seconds between rounds over a parent that has nothing new: more often would find nothing.
const ROUND_AT_REST: Seconds = 86_400;
/// The same while something is awaited; rounds that could find something come in time all the same.
const ROUND_AWAITED: Seconds = 12 * 3600;

impl World {
    pub(super) fn round(&self) -> Seconds {
        let parent = &self.facts.parent;
        let shown = self.parent.sets();
        let is_news = |saw: Option<&crate::roll::zone::parent::Saw>| {
            saw.is_none_or(|saw| {
                !shown.iter().any(|(set, ..)| *set == saw.set) || saw.last < saw.since.after(parent.rounds_apart)
            })
        };
        let answers = |address: &str| self.parent.servers.iter().any(|other| other.address == address && other.answers);
        if parent.servers.iter().any(|server| answers(&server.address) && is_news(server.saw.as_ref())) {
            return parent.rounds_apart.max(1);
        }
        if parent.agreed() == Some(&self.facts.ds_wanted) { ROUND_AT_REST } else { ROUND_AWAITED }
    }

    pub(super) fn unseen(&self) -> bool {
        let through = match &self.facts.served {
            Some(Fact::ZoneServed { through, .. }) => *through,
            // No other fact is kept there.
            _ => 0,
        };
        let (old_keys, old_data) = (is_unseen(&self.facts.key_sets), is_unseen(&self.facts.data));
        (through < self.served.record && (old_keys || old_data)) || self.facts.limits != self.facts.limits_next
    }

    /// What is served is seen on the wire.
    pub(super) fn see_served(&mut self) {
        if !self.unseen() || self.time < self.served.at + SEEN_AFTER {
            return;
        }
        self.write(&Fact::ZoneServed {
            instance: 0,
            snapshot: self.served.record,
            first_seen: self.served.at,
            last_seen: self.time,
            ttl: self.served.limits.dnskey_ttl,
            expires: self.time + self.served.limits.dnskey_life,
            through: self.served.record,
        });
    }

    /// A round over the parent's addresses.
    pub fn poll(&mut self) {
        self.polled_at = self.time;
        self.conditions.silent.clear();
        let now = self.clock().time;
        for server in self.parent.servers.clone() {
            if !server.answers {
                self.conditions.silent.push(server.address);
                continue;
            }
            let shown = self.parent.serves(&server);
            let is_ours = |id: &KeyId| self.facts.key_of(*id).is_some();
            let ours: KeySet = shown.iter().filter(is_ours).collect();
            let hex = |ds: &[u8]| data_encoding::HEXLOWER.encode(ds);
            let mut unknown: Vec<String> = server.shown_extra().map(|ds| hex(ds)).into_iter().collect();
            // Keys of a later life, where the journal is an old one.
            let later = |id: &KeyId| server.set.has(*id) && !is_ours(id);
            unknown.extend(shown.iter().filter(later).map(|id| hex(&id.print.to_be_bytes())));
            let foreign = unknown.iter().filter_map(|hex| data_encoding::HEXLOWER.decode(hex.as_bytes()).ok());
            let set: KeySet = ours.iter().chain(foreign.map(|ds| KeyId::foreign(&ds))).collect();
            let tags = ours.iter().map(|id| id.tag).collect();
            let (ttl, life) = (self.parent.ttl, self.parent.life);
            if !self.facts.parent.is_news(&server.address, &set, ttl, life, now) {
                continue;
            }
            self.write(&Fact::ParentSaw {
                server: server.address,
                tags,
                unknown,
                ttl: self.parent.ttl,
                signature_span: self.parent.life,
                expires: now.0 + self.parent.life,
            });
        }
    }
}
