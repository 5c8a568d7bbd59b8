//! How long what is served may stay in caches: recorded before it is served, or less is served until it can be recorded.
//!
//! A crash in between forgets nothing: what was not recorded was never served. Content goes on, and only TTLs and lives of
//! signatures stay as they were.

use crate::control::rolls::limits;
use crate::control::thread::Mind;
use crate::diagnostic::{Diagnostic, Place};
use crate::roll::zone::facts::Limits;
use crate::time::Now;
use crate::world::zones::Keys;

/// Codes of limits that cannot be recorded: of a zone, and of a pool.
const OF_ZONE: &str = "MX5515";
const OF_POOL: &str = "MX5611";

/// What caps what is served: of each zone, and of all pools.
type Caps = (Vec<Limits>, Option<u32>);

impl Mind {
    /// Before a publication: limits are made durable where they rise, and what cannot be is not served.
    pub(super) fn limit(&mut self, now: Now) {
        let before = self.caps();
        let mut found = self.limit_zones(now);
        found.extend(self.limit_pools(now));
        if self.caps() != before {
            self.renew_keys(now);
            self.world.set_keys(Vec::new());
            self.world.pools.ask_anew();
            self.settle(now);
        }
        self.findings.disk.extend(found);
    }

    fn caps(&self) -> Caps {
        (self.world.zones.values().map(|zone| zone.caps).collect(), self.world.pools.ttl_cap)
    }

    fn limit_zones(&mut self, now: Now) -> Vec<Diagnostic> {
        let (shift, mut found) = (self.lives.rolls.shift, Vec::new());
        let unsigned = self.world.zones.values().filter(|zone| matches!(zone.keys, Keys::None));
        self.lives.rolls.note_unsigned(&self.store, unsigned);
        self.world.pools.ttl_cap = None;
        for (apex, roll) in &mut self.lives.rolls.zones {
            let zone = self.world.zones.get_mut(apex).filter(|zone| matches!(zone.keys, Keys::Loaded(_)));
            let Some(zone) = zone.filter(|zone| zone.content().is_some()) else { continue };
            // Caches may hold those of tenants that it had since the start.
            roll.has_tenants |= !zone.tenants.table.is_empty();
            let wanted = limits::of_zone(zone, roll.has_tenants, self.world.pools.ttl, shift);
            let Some(wanted) = wanted else { continue };
            zone.caps = roll.limit(wanted, now);
            if zone.caps == Limits::UNBOUNDED {
                continue;
            }
            if roll.has_tenants {
                let cap = self.world.pools.ttl_cap.unwrap_or(u32::MAX);
                self.world.pools.ttl_cap = Some(cap.min(zone.caps.data_ttl));
            }
            let (of, why) = (format!("zone {apex}"), roll.unrecorded());
            found.push(finding(OF_ZONE, &of, zone.caps, &why));
        }
        found
    }

    fn limit_pools(&mut self, now: Now) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for (pool, cap) in self.bound_pools(now) {
            let ttl = self.world.pools.ttl_cap.unwrap_or(u32::MAX).min(cap.ttl);
            self.world.pools.ttl_cap = Some(ttl);
            for zone in self.world.zones.values_mut().filter(|zone| !zone.tenants.table.is_empty()) {
                zone.caps.data_life = zone.caps.data_life.min(cap.life);
            }
            let why = self.lives.certs.lives.get(&pool).map(|life| life.unrecorded()).unwrap_or_default();
            let caps = Limits { dnskey_ttl: cap.ttl, data_ttl: cap.ttl, dnskey_life: cap.life, data_life: cap.life };
            found.push(finding(OF_POOL, &format!("pool `{pool}`"), caps, &why));
        }
        found
    }
}

/// That something stays within what is recorded of it.
fn finding(code: &'static str, of: &str, caps: Limits, why: &str) -> Diagnostic {
    let Limits { data_ttl: ttl, data_life: life, dnskey_life: keys_life, .. } = caps;
    let message = format!(
        "{of}: higher TTLs or longer signatures are not in force yet, since that cannot be recorded: {why}; until then TTLs \
         are {ttl} s at most, and signatures have {life} s left when they are made, those over DNSKEY {keys_life} s"
    );
    let help =
        "free the disk, or repair what it names: it is tried again every few seconds, and in force by itself then";
    Diagnostic::error(code, Place::default(), message, help)
}
