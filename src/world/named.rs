//! Names in the configuration that nothing goes by, and tenants that wait for a broken pool.
//!
//! A table for a zone or pool that is nowhere has no effect, and whoever wrote it believes that it has one.
//! Pure. Nothing is said of pools while their file cannot be read: that is the cause, and this would only follow from it.

use crate::diagnostic::{CONSEQUENCE, Diagnostic, Place};
use crate::dns::zone_name;
use crate::fields::nearest;
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};

/// Code of a table for a zone that is nowhere.
pub const ZONE_IN_VAIN: &str = "MX1120";
/// Code of a canary that is nowhere.
pub const CANARY_IN_VAIN: &str = "MX1121";
/// Code of a table for a pool that is nowhere.
pub const POOL_IN_VAIN: &str = "MX1122";

impl World {
    /// One error for each broken pool that tenants name, however many these are, or for their file; it stands where that is
    /// broken.
    pub(super) fn waiting_for_pools(&self) -> Vec<Diagnostic> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (pool, count) in self.zones.values().flat_map(|zone| zone.tenants.waiting_for_pools()) {
            *counts.entry(pool).or_default() += count;
        }
        // A file that cannot be used is one cause for all its pools.
        let mut causes: BTreeMap<Diagnostic, Vec<(&str, usize)>> = BTreeMap::new();
        for (pool, count) in counts {
            if let Some(cause) = self.pools.why_broken(pool) {
                causes.entry(cause).or_default().push((pool, count));
            }
        }
        causes.into_iter().map(|(cause, waiting)| waiting_for(cause, &waiting)).collect()
    }

    /// A warning for each zone, pool and policy that the configuration speaks of in vain.
    pub(super) fn named_in_vain(&self) -> Vec<Diagnostic> {
        let places = &self.config.places;
        let mut found = Vec::new();
        let zones: BTreeSet<String> = self.zones.keys().map(|apex| zone_name::print(apex)).collect();
        for zone in self.config.zone.keys().filter(|zone| !zones.contains(*zone)) {
            let message = format!("there is no zone `{zone}` here, so this table has no effect");
            let file = self.shown(&format!("{zone}.zone"));
            let help = meant(zone, &zones, format!("remove it, or write the master file {file}"));
            found.push(Diagnostic::warning(ZONE_IN_VAIN, places.of(&format!("zone.{zone}")), message, help));
        }
        if let Some(canary) = self.config.rolls.canary.as_ref().filter(|canary| !zones.contains(*canary)) {
            let message = format!("there is no zone `{canary}` here, so no zone rolls first");
            let help = meant(canary, &zones, "name a zone that is served here, or remove the key".to_owned());
            found.push(Diagnostic::warning(CANARY_IN_VAIN, places.of("rolls.canary"), message, help));
        }
        let pools: BTreeSet<String> = self.pools.defined().map(str::to_owned).collect();
        for pool in self.config.pool.keys().filter(|pool| self.pools.is_read() && !pools.contains(*pool)) {
            let message = format!("there is no pool `{pool}` in pools.toml, so this table has no effect");
            let help = meant(pool, &pools, "remove it, or define the pool".to_owned());
            found.push(Diagnostic::warning(POOL_IN_VAIN, places.of(&format!("pool.{pool}")), message, help));
        }
        for policy in self.config.unused_policies() {
            let message = format!("no zone uses the policy `{policy}`, so this table has no effect");
            let help = format!("name it in a zone's table: policy = \"{policy}\"; or remove it");
            found.push(Diagnostic::warning("MX1123", places.of(&format!("policy.{policy}")), message, help));
        }
        found
    }
}

/// The error for the tenants of these pools, and how many each has.
fn waiting_for(cause: Diagnostic, waiting: &[(&str, usize)]) -> Diagnostic {
    let tenants = match waiting.iter().map(|(_, count)| count).sum() {
        1usize => "1 tenant is".to_owned(),
        count => format!("{count} tenants are"),
    };
    let pools = match waiting {
        [(pool, _)] => format!("pool `{pool}`"),
        pools => format!("{} pools", pools.len()),
    };
    let message = format!("{tenants} not served as written, since {pools} cannot be used: {}", cause.message);
    let place = Place { column: 0, text: String::new(), ..cause.place };
    Diagnostic::error(CONSEQUENCE, place, message, "mend that; nothing is wrong with these tenants")
}

/// What may have been meant by a name that is none of `known`, and what to do else.
fn meant(name: &str, known: &BTreeSet<String>, otherwise: String) -> String {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    match nearest(name, &known) {
        Some(near) => format!("did you mean `{near}`? Else {otherwise}"),
        None => otherwise,
    }
}
