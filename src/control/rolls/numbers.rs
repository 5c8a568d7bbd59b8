//! What is kept of zones beside their journals: how many facts were published, and which zones were unsigned.
//!
//! Numbers only grow here; what the disk refuses is said, and stops nothing.

use super::clock::Shift;
use super::limits;
use super::state::{Rolls, ZoneRoll};
use crate::control::store::Store;
use crate::control::store::records::Numbers;
use crate::control::zones::ZoneState;
use crate::dns::name::Name;
use crate::roll::facts::Fact;
use crate::time::UnixTime;

impl Rolls {
    /// A journal with fewer facts than were published is an old copy, or lost its end: what caches hold by now is unknown.
    pub(super) fn doubt_old_journal(&mut self, store: &Store, roll: &mut ZoneRoll, apex: &Name, now: UnixTime) {
        let known = self.known.get_or_insert_with(|| store.numbers(Numbers::Records));
        let (zone, records) = (apex.to_string(), roll.facts().records);
        let Some(before) = known.get(&zone).copied().filter(|before| *before > records) else { return };
        let reason = format!(
            "the journal has {records} facts, and {before} were published: it is an old copy, whose keys the world may \
             have forgotten"
        );
        if roll.record(Fact::Doubted { reason }, now) {
            known.insert(zone, roll.facts().records);
        }
    }

    /// Keeps how many facts of each zone are published.
    pub fn keep_records(&mut self, store: &Store) {
        let known = self.known.get_or_insert_with(|| store.numbers(Numbers::Records));
        let published = self.zones.iter().map(|(apex, roll)| (apex.to_string(), roll.facts().records));
        let mut is_new = false;
        for (zone, records) in published {
            // Fewer than are known are an old copy whose doubt is not recorded yet.
            if known.get(&zone).is_none_or(|before| *before < records) {
                known.insert(zone, records);
                is_new = true;
            }
        }
        if is_new && let Err(fault) = store.keep_numbers(Numbers::Records, known) {
            tracing::warn!("how many facts are published is not kept: {fault}");
        }
    }

    /// Zones are about to be served unsigned: that may stay in caches when they get keys, which may be after a restart.
    pub fn note_unsigned<'z>(&mut self, store: &Store, zones: impl Iterator<Item = &'z ZoneState>) {
        let known = self.served_unsigned.get_or_insert_with(|| store.numbers(Numbers::Unsigned));
        let mut is_new = false;
        for (zone, content) in zones.filter_map(|zone| Some((zone, zone.content()?))) {
            let ttl = u64::from(limits::of(&zone.policy, content, self.tenants_ttl, Shift::default()).data_ttl);
            let before = known.entry(zone.apex.to_string()).or_default();
            is_new |= ttl > *before;
            *before = ttl.max(*before);
        }
        if is_new && let Err(fault) = store.keep_numbers(Numbers::Unsigned, known) {
            tracing::warn!("which zones are unsigned is not kept: {fault}");
        }
    }
}
