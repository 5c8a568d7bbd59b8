//! What is kept of zones while they are unsigned: the highest TTL that caches may hold when they are signed.
//!
//! Numbers only grow here; what the disk refuses is said, and stops nothing.

use crate::control::rolls::clock::Shift;
use crate::control::rolls::{Rolls, limits};
use crate::store::Store;
use crate::store::records::{Trust, Unsigned};
use crate::world::zones::ZoneState;
use std::collections::BTreeMap;

/// How long caches may hold what was served unsigned, where that is not known: a week, as resolvers cap it (RFC 8767 § 4).
const TTL_UNKNOWN: u32 = 7 * 86_400;

impl Rolls {
    pub(super) fn unsigned(&mut self, store: &Store) -> &mut Unsigned {
        self.served_unsigned.get_or_insert_with(|| store.unsigned())
    }

    /// The highest TTL that a zone had while it was served unsigned; none: it never was.
    pub(super) fn unsigned_ttl(&mut self, store: &Store, zone: &str) -> Option<u32> {
        let unsigned = self.unsigned(store);
        match unsigned.ttl(zone) {
            Some(ttl) => Some(u32::try_from(ttl).unwrap_or(u32::MAX)),
            None => unsigned.why_lost().map(|_| TTL_UNKNOWN),
        }
    }

    /// Zones are about to be served unsigned: that may stay in caches when they get keys, which may be after a restart.
    pub fn note_unsigned<'z>(&mut self, store: &Store, zones: impl Iterator<Item = &'z ZoneState>) {
        let tenants_ttl = self.tenants_ttl;
        let known = self.unsigned(store);
        let mut higher = BTreeMap::new();
        for (zone, content) in zones.filter_map(|zone| Some((zone, zone.content()?))) {
            let ttl = u64::from(limits::of(&zone.policy, content, tenants_ttl, Shift::default()).data_ttl);
            let zone = zone.apex.to_string();
            if known.ttl(&zone).is_none_or(|before| ttl > before) {
                higher.insert(zone, ttl);
            }
        }
        let is_kept = matches!(known.trust, Trust::Whole | Trust::New);
        if !higher.is_empty()
            && is_kept
            && let Err(fault) = store.keep_unsigned(known, higher)
        {
            tracing::warn!("which zones are unsigned is not kept: {fault}");
        }
    }
}
