//! Addresses of pools, and of tenants' own, whose hosts are not looked at: told where they are written.
//!
//! Pure. Such a host is not known: nothing is taken to be there, or to be gone, because nobody looked.

use crate::config::{Whose, can_be_looked_at};
use crate::diagnostic::{Diagnostic, Place};
use crate::world::World;
use crate::world::pools::PoolReport;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Codes: an address of a pool, and one of a tenant's own, that is not looked at.
const POOL: &str = "MX3207";
const TENANT: &str = "MX4219";
/// Addresses of one pool, and tenants of one address, that are told, at most.
const TOLD_MAX: usize = 5;
/// What to do.
const HELP: &str =
    "list its network in `[probe] networks` if a host of yours stands there, or set `probe = false` for the pool";

/// Addresses of tenants' own that are not looked at although their pools' hosts are, with the reason: by pool.
type OwnHosts = BTreeMap<String, BTreeMap<IpAddr, String>>;

impl World {
    /// What is told of addresses in pools.toml.
    pub(super) fn pools_not_looked_at(&self) -> Vec<Diagnostic> {
        self.pools.reports().flat_map(|report| self.pool_not_looked_at(&report)).collect()
    }

    fn pool_not_looked_at(&self, report: &PoolReport<'_>) -> Vec<Diagnostic> {
        let Some(pool) = report.pool.filter(|_| self.is_looked_at(report)) else { return Vec::new() };
        let networks = &self.config.probe.networks;
        let refused = pool.addresses.iter().filter_map(|at| Some((at, networks.refusal(*at, Whose::Pool)?)));
        let tell = |(address, why): (&IpAddr, String)| {
            let place = Place { file: self.pools.file().to_owned(), line: pool.line, ..Place::default() };
            let message = format!(
                "pool `{}`: its host at {address} is not looked at, as that is {why}; no TLSA is taken away while what it \
                 shows is not known",
                report.name
            );
            Diagnostic::warning(POOL, place, message, HELP)
        };
        refused.take(TOLD_MAX).map(tell).collect()
    }

    fn is_looked_at(&self, report: &PoolReport<'_>) -> bool {
        let is_asked_for = self.config.probe.enabled && self.config.pool_settings(report.name).probe;
        is_asked_for && report.pool.is_some_and(|pool| pool.addresses.iter().all(|at| can_be_looked_at(*at)))
    }

    fn own_not_looked_at(&self) -> OwnHosts {
        let looked_at: Vec<&str> =
            self.pools.reports().filter(|report| self.is_looked_at(report)).map(|report| report.name).collect();
        let mut all = OwnHosts::new();
        for (index, addresses) in self.pools.apart() {
            let Some(pool) = self.pools.name(index).filter(|pool| looked_at.contains(pool)) else { continue };
            let own = addresses.into_keys().filter(|address| can_be_looked_at(*address));
            let why = |address| Some((address, self.config.probe.networks.refusal(address, Whose::Tenant)?));
            let refused: Vec<(IpAddr, String)> = own.filter_map(why).collect();
            if !refused.is_empty() {
                all.entry(pool.to_owned()).or_default().extend(refused);
            }
        }
        all
    }

    /// The same, told at the tenants' files; looks at all tenants where there are any such addresses.
    pub(super) fn tenants_not_looked_at(&self) -> Vec<Diagnostic> {
        let refused = self.own_not_looked_at();
        let (mut found, mut told) = (Vec::new(), BTreeMap::new());
        if refused.is_empty() {
            return found;
        }
        for tenant in self.zones.values().flat_map(|zone| zone.tenants.table.iter()) {
            let Some(pool) = tenant.pool().and_then(|pool| self.pools.name(pool)) else { continue };
            for address in tenant.addresses_with_tlsa_of_pool() {
                let Some(why) = refused.get(pool).and_then(|refused| refused.get(&address)) else { continue };
                let count: &mut usize = told.entry((pool, address)).or_default();
                *count += 1;
                if *count > TOLD_MAX {
                    continue;
                }
                let file = self.files.path(tenant.file()).map(|file| file.to_string()).unwrap_or_default();
                let place = Place { file, line: tenant.line(), ..Place::default() };
                let message = format!(
                    "tenant `{}` has the TLSA of pool `{pool}`, and the host at its own address {address} is not looked at, as \
                     that is {why}; no TLSA of the pool is taken away meanwhile",
                    tenant.domain()
                );
                let help = "write `tlsa` of its own into its file, or list the network in `[probe] networks`";
                found.push(Diagnostic::warning(TENANT, place, message, help));
            }
        }
        found
    }
}
