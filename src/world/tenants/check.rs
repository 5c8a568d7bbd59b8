//! Whether the indexes of a world agree with one another: for tests, which ask after each event.
//!
//! Pure, and slow: it looks at everything.

use crate::time::UnixTime;
use crate::world::World;
use crate::world::pools::PoolTable;
use crate::world::tenants::claims::{Batch, Claim};
use crate::world::tenants::{Surroundings, Tenants, Waiting};
use crate::zone::endpoint::{PoolIndex, Tenant};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

impl World {
    /// What does not fit together; empty where all is well.
    #[doc(hidden)]
    pub fn inconsistencies(&self, now: UnixTime) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut uses: BTreeMap<PoolIndex, u64> = BTreeMap::new();
        let mut apart: BTreeMap<PoolIndex, BTreeMap<IpAddr, u64>> = BTreeMap::new();
        for (apex, zone) in &self.zones {
            let around = Surroundings {
                apex,
                content: zone.content().map(|content| &**content),
                cut: Some(&zone.cut),
                now,
                files: &self.files,
                tenants_max: usize::MAX,
            };
            zone.tenants.check(&around, &self.pools, &mut wrong);
            for pool in zone.tenants.table.iter().filter_map(|tenant| tenant.pool()) {
                *uses.entry(pool).or_default() += 1;
            }
            for tenant in zone.tenants.table.iter() {
                for address in tenant.addresses_with_tlsa_of_pool() {
                    let pool = tenant.pool().unwrap_or(PoolIndex::MAX);
                    *apart.entry(pool).or_default().entry(address).or_default() += 1;
                }
            }
        }
        let tenants: usize = self.zones.values().map(|zone| zone.tenants.table.len()).sum();
        if tenants != self.tenants {
            wrong.push(format!("{} tenants are counted and there are {tenants}", self.tenants));
        }
        if apart != self.pools.apart() {
            wrong.push(format!("own addresses are {apart:?} and {:?} are counted", self.pools.apart()));
        }
        for report in self.pools.reports() {
            // Those on their way to a pool are its own.
            let names = (0..).map_while(|index| Some((index, self.pools.name(index)?)));
            let own = names.filter(|(_, name)| *name == report.name).filter_map(|(index, _)| uses.get(&index));
            let used: u64 = own.sum();
            if used != report.tenants {
                wrong.push(format!("pool {} counts {} tenants and has {used}", report.name, report.tenants));
            }
        }
        wrong
    }
}

impl Tenants {
    fn check(&self, around: &Surroundings<'_>, pools: &PoolTable, wrong: &mut Vec<String>) {
        self.check_owners(wrong);
        self.check_waits(wrong);
        self.check_telling(wrong);
        for (path, waiting) in self.waiting() {
            let Some(definition) = waiting.definition.clone() else { continue };
            let Some(file) = self.files.get(path) else { continue };
            if file.odd.as_ref().is_some_and(|odd| odd.fault.is_some()) {
                continue;
            }
            let file = file.id;
            let text = format!("{} of {path}", definition.domain);
            let claim = Claim { path: Arc::clone(path), file, definition };
            if !Batch::default().is_blocked(&claim, self, around, pools) {
                wrong.push(format!("{text} waits for nothing"));
            }
        }
    }

    fn check_owners(&self, wrong: &mut Vec<String>) {
        let mut owned: BTreeSet<&[u8]> = BTreeSet::new();
        let is_served = |tenant: &Arc<Tenant>| self.table.get(tenant.label()).is_some_and(|t| Arc::ptr_eq(t, tenant));
        let held = self.held.values().map(|tenant| ("nobody", tenant));
        let served = self.files.iter().flat_map(|(path, file)| file.served.iter().map(move |tenant| (&**path, tenant)));
        for (path, tenant) in held.chain(served) {
            if !is_served(tenant) {
                wrong.push(format!("{} of {path} is not in the table", tenant.domain()));
            }
            if !owned.insert(tenant.label()) {
                wrong.push(format!("{} has two owners", tenant.domain()));
            }
        }
        let mut domains = BTreeSet::new();
        for tenant in self.table.iter() {
            if !owned.contains(tenant.label()) {
                wrong.push(format!("{} has no owner", tenant.domain()));
            }
            if !self.is_held(tenant.label()) && !domains.insert(tenant.domain()) {
                wrong.push(format!("{} has two endpoints", tenant.domain()));
            }
            let domain = tenant.domain();
            let found = self.by_domain(&domain);
            if !self.is_held(tenant.label()) && !found.is_some_and(|found| Arc::ptr_eq(found, tenant)) {
                wrong.push(format!("{} is not found by its domain", tenant.domain()));
            }
        }
        for kept in self.kept.values() {
            let file = self.files.get(&kept.file);
            let known = file.is_some_and(|file| file.served.iter().any(|tenant| Arc::ptr_eq(tenant, &kept.tenant)));
            if !known || file.is_none_or(|file| file.odd.is_none()) {
                wrong.push(format!("{} is last good without a reason", kept.tenant.domain()));
            }
        }
    }

    fn check_telling(&self, wrong: &mut Vec<String>) {
        let odd: Vec<_> = self.files.values().filter_map(|file| file.odd.as_deref()).collect();
        let faults = odd.iter().filter(|odd| odd.fault.is_some()).count();
        let broken = faults + odd.iter().map(|odd| odd.waiting.len()).sum::<usize>();
        let is_told = |w: &&Waiting| w.waits_for().is_none() || !w.reasons.is_empty();
        let lists = || {
            let waiting = odd.iter().flat_map(|odd| odd.waiting.iter().filter(is_told)).map(|w| &w.reasons);
            odd.iter().flat_map(|odd| odd.fault.iter().chain(&odd.warnings)).chain(waiting)
        };
        let count = |empty: bool| u32::try_from(lists().filter(|list| list.is_empty() == empty).count()).unwrap_or(0);
        let found = (lists().map(|list| list.len()).sum(), count(false), count(true));
        if (found, broken) != (self.telling.counts(), self.telling.broken) {
            wrong.push(format!("{found:?} is told, and {:?} is known", self.telling.counts()));
        }
    }

    fn check_waits(&self, wrong: &mut Vec<String>) {
        let odd: BTreeSet<_> = self.files.iter().filter(|(_, file)| file.odd.is_some()).map(|(path, _)| path).collect();
        if odd != self.odd_files.iter().collect() {
            wrong.push(format!("odd files are {odd:?}, and {:?} are known", self.odd_files));
        }
        let mut waits: BTreeMap<Box<str>, BTreeMap<Arc<str>, u32>> = BTreeMap::new();
        for (path, waiting) in self.waiting() {
            let endpoint = waiting.definition.as_ref().map(|definition| definition.endpoint.as_str());
            for word in waiting.domain.as_deref().into_iter().chain(endpoint) {
                *waits.entry(word.into()).or_default().entry(Arc::clone(path)).or_default() += 1;
            }
        }
        if waits != self.waits {
            wrong.push(format!("entries wait for {waits:?}, and {:?} are known", self.waits));
        }
    }
}
