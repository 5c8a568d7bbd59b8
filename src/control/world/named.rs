//! Names in the configuration that nothing goes by, and tenants that wait for a broken pool.
//!
//! A table for a zone or pool that is nowhere has no effect, and whoever wrote it believes that it has one.
//! Pure. Nothing is said of pools while their file cannot be read: that is the cause, and this would only follow from it.

use super::World;
use crate::diagnostic::{CONSEQUENCE, Diagnostic, Place};
use crate::dns::zone_name;
use crate::fields::near_help;
use std::collections::BTreeMap;

impl World {
    /// One error for each broken pool that tenants name, however many these are; it stands where the pool is broken.
    pub(super) fn waiting_for_pools(&self) -> Vec<Diagnostic> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for pool in self.zones.values().flat_map(|zone| zone.tenants.waiting_for_pools()) {
            *counts.entry(pool).or_default() += 1;
        }
        let finding = |(pool, count): (&str, usize)| {
            let cause = self.pools.why_broken(pool)?;
            let tenants = if count == 1 { "1 tenant is".to_owned() } else { format!("{count} tenants are") };
            let message = format!("{tenants} not served as written, since pool `{pool}` is broken");
            let help = "mend what is said of the pool above; nothing is wrong with these tenants";
            let place = Place { column: 0, text: String::new(), ..cause.place.clone() };
            Some(Diagnostic::error(CONSEQUENCE, place, message, help))
        };
        counts.into_iter().filter_map(finding).collect()
    }

    /// A warning for each zone, pool and policy that the configuration speaks of in vain.
    pub(super) fn named_in_vain(&self) -> Vec<Diagnostic> {
        let places = &self.config.places;
        let mut found = Vec::new();
        let zones: Vec<String> = self.zones.keys().map(|apex| zone_name::print(apex)).collect();
        let zones: Vec<&str> = zones.iter().map(String::as_str).collect();
        for zone in self.config.zone.keys().filter(|zone| !zones.contains(&zone.as_str())) {
            let message = format!("there is no zone `{zone}` here, so this table has no effect");
            let help = near_help(zone, &zones, || {
                format!("remove it, or write the master file {}", self.shown(&format!("{zone}.zone")))
            });
            found.push(Diagnostic::warning("MX1120", places.of(&format!("zone.{zone}")), message, help));
        }
        if let Some(canary) = self.config.rolls.canary.as_deref().filter(|canary| !zones.contains(canary)) {
            let message = format!("there is no zone `{canary}` here, so no zone rolls first");
            let help = near_help(canary, &zones, || "name a zone that is served here, or remove the key".to_owned());
            found.push(Diagnostic::warning("MX1121", places.of("rolls.canary"), message, help));
        }
        let pools: Vec<&str> = self.pools.defined().collect();
        for pool in self.config.pool.keys().filter(|pool| self.pools.is_read() && !pools.contains(&pool.as_str())) {
            let message = format!("there is no pool `{pool}` in pools.toml, so this table has no effect");
            let help = near_help(pool, &pools, || "remove it, or define the pool".to_owned());
            found.push(Diagnostic::warning("MX1122", places.of(&format!("pool.{pool}")), message, help));
        }
        for policy in self.config.unused_policies() {
            let message = format!("no zone uses the policy `{policy}`, so this table has no effect");
            let help = format!("name it in a zone's table: policy = \"{policy}\"; or remove it");
            found.push(Diagnostic::warning("MX1123", places.of(&format!("policy.{policy}")), message, help));
        }
        found
    }
}
