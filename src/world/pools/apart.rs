//! Addresses that tenants have of their own beside the TLSA of their pool: hosts there show its keys, too.
//!
//! Pure. They are counted as tenants come and go, and told with the pool; what is made of them is not for this to decide.

use crate::world::pools::PoolTable;
use crate::zone::endpoint::{PoolIndex, Tenant};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

impl PoolTable {
    /// Counts a tenant that refers to a pool, with the addresses of its own that it has the pool's TLSA for.
    pub fn count_tenant(&mut self, tenant: &Tenant, change: i64) {
        self.count(tenant.pool(), change);
        for address in tenant.addresses_with_tlsa_of_pool() {
            self.count_apart(tenant.pool(), address, change);
        }
    }

    /// Counts tenants that serve an address of their own with the TLSA of a pool.
    pub fn count_apart(&mut self, pool: Option<PoolIndex>, address: IpAddr, change: i64) {
        let entry = pool.and_then(|pool| self.entries.get_mut(usize::try_from(pool).ok()?));
        let Some(entry) = entry else { return };
        let count = entry.apart.entry(address).or_default();
        *count = count.saturating_add_signed(change);
        if *count == 0 {
            entry.apart.remove(&address);
        }
        self.is_apart_news = true;
        self.apart_revision += 1;
    }

    /// How often addresses of tenants' own, or what is said of looks at them, changed: equal numbers mean nothing did.
    pub fn apart_revision(&self) -> u64 {
        self.apart_revision
    }

    /// Something else is said of pools, or of looks at their hosts.
    pub fn looks_change(&mut self) {
        self.apart_revision += 1;
    }

    /// Addresses of tenants' own with the TLSA of a pool or way, and of how many tenants each.
    pub fn apart(&self) -> BTreeMap<PoolIndex, BTreeMap<IpAddr, u64>> {
        let some = self.entries.iter().zip(0..).filter(|(entry, _)| !entry.apart.is_empty());
        some.map(|(entry, index)| (index, entry.apart.clone())).collect()
    }

    /// Takes in which addresses tenants have of their own now.
    pub fn settle_apart(&mut self) {
        self.is_stale |= std::mem::take(&mut self.is_apart_news);
    }

    /// By place of the entry: addresses of tenants' own with the TLSA of that pool; those on their way belong to both.
    pub(super) fn all_apart(&self) -> BTreeMap<usize, BTreeSet<IpAddr>> {
        let mut all: BTreeMap<usize, BTreeSet<IpAddr>> = BTreeMap::new();
        for (at, entry) in self.entries.iter().enumerate().filter(|(_, entry)| !entry.apart.is_empty()) {
            let from = entry.way.iter().filter(|way| !way.has_ended).flat_map(|way| way.from.iter().copied());
            let ends = entry.way.as_ref().map(|way| way.to).into_iter().chain(from);
            let places = ends.filter_map(|index| usize::try_from(index).ok());
            for place in places.chain([at].into_iter().filter(|_| entry.way.is_none())) {
                all.entry(place).or_default().extend(entry.apart.keys().copied());
            }
        }
        all
    }
}
