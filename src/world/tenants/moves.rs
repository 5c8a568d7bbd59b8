//! Tenants that go, wait, or get a name that became free.

use crate::world::pools::PoolTable;
use crate::world::tenants::claims::{Batch, Claim, Vanished};
use crate::world::tenants::{Change, Done, Kept, Odd, Surroundings, Tenants, Waiting, words};

use crate::time::UnixTime;
use crate::zone::endpoint::Tenant;
use crate::zone::tenant::Definition;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl Tenants {
    /// Removes what vanished, unless that is too much at once: then all of it is held, but for what was permitted.
    pub(super) fn remove(
        &mut self,
        vanished: Vanished,
        now: UnixTime,
        pools: &mut PoolTable,
        done: &mut Done,
    ) -> BTreeSet<Box<str>> {
        if vanished.is_empty() {
            return BTreeSet::new();
        }
        let tenants = vanished.into_values().map(|(tenant, _)| tenant);
        let (mut gone, counted): (Vec<_>, Vec<_>) =
            tenants.partition(|tenant| self.guard.is_permitted(&tenant.domain()));
        if self.guard.admits(counted.len(), self.table.len(), now) {
            gone.extend(counted);
        } else {
            counted.iter().for_each(|tenant| done.note(Change::Held, || tenant.domain()));
            self.held.extend(counted.into_iter().map(|tenant| (tenant.label().into(), tenant)));
            self.revision += 1;
        }
        self.take_out_all(gone.into_iter(), pools, now, done)
    }

    pub(super) fn take_out_all(
        &mut self,
        tenants: impl Iterator<Item = Arc<Tenant>>,
        pools: &mut PoolTable,
        now: UnixTime,
        done: &mut Done,
    ) -> BTreeSet<Box<str>> {
        let mut freed = BTreeSet::new();
        for tenant in tenants {
            self.take_out(&tenant, pools, now);
            done.note(Change::Removed, || tenant.domain());
            self.revision += 1;
            freed.insert(String::from_utf8_lossy(tenant.label()).into());
            freed.insert(tenant.domain().into());
        }
        freed
    }

    /// Names and domains that became free go to those who wait for them, which may free others.
    pub(super) fn promote(
        &mut self,
        mut freed: BTreeSet<Box<str>>,
        around: &Surroundings<'_>,
        pools: &mut PoolTable,
        done: &mut Done,
    ) {
        while !freed.is_empty() && !self.waits.is_empty() {
            let files = freed.iter().filter_map(|word| self.waits.get(word));
            let paths: BTreeSet<_> = files.flat_map(BTreeMap::keys).cloned().collect();
            let batch = self.reclaim(&paths, |definition| {
                freed.contains(definition.endpoint.as_str()) || freed.contains(definition.domain.as_str())
            });
            freed = self.settle_once(batch, around, pools, done);
        }
    }

    /// The waiting entries of these files as claims once more; their last good content gives way to them. A file that
    /// cannot be believed now changes nothing.
    pub(super) fn reclaim(&mut self, paths: &BTreeSet<Arc<str>>, wanted: impl Fn(&Definition) -> bool) -> Batch {
        let mut batch = Batch::default();
        for path in paths {
            let odd = self.files.get_mut(path).and_then(|file| file.odd.as_mut());
            let Some(odd) = odd.filter(|odd| odd.fault.is_none()) else { continue };
            let again = |waiting: &Waiting| waiting.definition.as_ref().is_some_and(&wanted);
            let (again, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut odd.waiting).into_iter().partition(again);
            odd.waiting = rest;
            let mut labels = BTreeSet::new();
            for waiting in again {
                self.forget_wait(path, &waiting);
                labels.extend(waiting.domain.iter().flat_map(|domain| self.kept_of(domain, path)));
                let file = self.files.get(path).map_or(u32::MAX, |file| file.id);
                let claim = |definition| Claim { path: Arc::clone(path), file, definition };
                batch.claims.extend(waiting.definition.map(claim));
            }
            self.give_up(path, &labels, &mut batch.vanished);
        }
        batch
    }

    /// The waiting entry of a tenant that is last good because it wants another name, as a claim; with its file.
    pub(crate) fn pull_in(&mut self, owner: &Tenant) -> Option<(Claim, Arc<str>)> {
        let path = Arc::clone(&self.kept.get(owner.label())?.file);
        let file = self.files.get_mut(&path)?;
        let (id, odd) = (file.id, file.odd.as_mut().filter(|odd| odd.fault.is_none())?);
        let wants = |d: &Definition| owner.is_of(&d.domain) && *d.endpoint.as_bytes() != *owner.label();
        let at = odd.waiting.iter().position(|waiting| waiting.definition.as_ref().is_some_and(wants))?;
        let waiting = odd.waiting.remove(at);
        self.forget_wait(&path, &waiting);
        self.give_up(&path, &BTreeSet::from([owner.label().into()]), &mut Vanished::new());
        Some((Claim { path: Arc::clone(&path), file: id, definition: waiting.definition? }, path))
    }

    /// Last good tenants of a file are up for decision again.
    pub(super) fn give_up(&mut self, path: &Arc<str>, labels: &BTreeSet<Box<[u8]>>, vanished: &mut Vanished) {
        self.tidy(path);
        if labels.is_empty() {
            return;
        }
        if let Some(file) = self.files.get_mut(path) {
            file.served.retain(|tenant| !labels.contains(tenant.label()));
        }
        for label in labels {
            if let Some(kept) = self.kept.remove(label) {
                self.revision += 1;
                vanished.insert(label.clone(), (kept.tenant, kept.file));
            }
        }
    }

    /// Labels of a domain's tenants that this file keeps as last good.
    pub(super) fn kept_of(&self, domain: &str, path: &Arc<str>) -> Vec<Box<[u8]>> {
        let kept = self.of_domain(domain).filter(|tenant| self.is_kept_by(tenant, path));
        kept.map(|tenant| tenant.label().into()).collect()
    }

    /// Whether a tenant is last good, and this file should say something better about it.
    pub(crate) fn is_kept_by(&self, tenant: &Tenant, path: &Arc<str>) -> bool {
        self.kept.get(tenant.label()).is_some_and(|kept| kept.file == *path)
    }

    /// An entry waits, and is found by its domain and its endpoint.
    pub(crate) fn wait(&mut self, path: &Arc<str>, mut waiting: Waiting) {
        for word in words(&waiting) {
            *self.waits.entry(word.into()).or_default().entry(Arc::clone(path)).or_default() += 1;
        }
        if let Some(file) = self.files.get_mut(path) {
            self.telling.take_entry(path, &mut waiting);
            let all = &mut file.odd.get_or_insert_default().waiting;
            if all.is_empty() {
                // Most files have one at most, and a list takes room for four.
                all.reserve_exact(1);
            }
            all.push(waiting);
        }
        self.odd_files.insert(Arc::clone(path));
        self.revision += 1;
    }

    /// Forgets all that was odd about a file.
    pub(super) fn forget_odd(&mut self, path: &Arc<str>, odd: Option<Box<Odd>>) {
        let Some(odd) = odd else { return };
        self.telling.broken -= usize::from(odd.fault.is_some());
        odd.fault.iter().chain(&odd.warnings).for_each(|kept| self.telling.give_back(path, kept));
        odd.waiting.iter().for_each(|waiting| self.forget_wait(path, waiting));
    }

    pub(super) fn forget_wait(&mut self, path: &Arc<str>, waiting: &Waiting) {
        self.revision += 1;
        self.telling.give_back_entry(path, waiting);
        for word in words(waiting) {
            let Some(files) = self.waits.get_mut(word) else { continue };
            match files.get_mut(path) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(files.remove(path)),
            }
            if files.is_empty() {
                self.waits.remove(word);
            }
        }
    }

    /// Forgets that a file is odd, where it no longer is.
    pub(super) fn tidy(&mut self, path: &Arc<str>) {
        let Some(file) = self.files.get_mut(path) else { return };
        let plain = |odd: &Odd| odd.fault.is_none() && odd.waiting.is_empty() && odd.warnings.is_none();
        if file.odd.as_deref().is_some_and(plain) {
            file.odd = None;
            self.odd_files.remove(path);
        }
    }

    pub(crate) fn keep(&mut self, tenant: Arc<Tenant>, file: Arc<str>) {
        self.revision += 1;
        self.kept.insert(tenant.label().into(), Kept { tenant, file });
    }

    pub(crate) fn put_in(&mut self, tenant: Tenant, pools: &mut PoolTable) -> Arc<Tenant> {
        pools.count_tenant(&tenant, 1);
        self.homes.came(tenant.label(), pools);
        if tenant.has_explicit_endpoint() {
            self.explicit.insert(tenant.domain().into(), tenant.label().into());
        }
        let tenant = Arc::new(tenant);
        self.table.insert(Arc::clone(&tenant));
        tenant
    }

    pub(super) fn take_out(&mut self, tenant: &Arc<Tenant>, pools: &mut PoolTable, now: UnixTime) {
        // The name may have gone to another tenant in the same batch.
        if !self.table.get(tenant.label()).is_some_and(|served| Arc::ptr_eq(served, tenant)) {
            return;
        }
        self.table.remove(tenant.label());
        pools.count_tenant(tenant, -1);
        self.homes.went(tenant, pools, now);
        let domain = tenant.domain();
        if self.explicit.get(domain.as_str()).is_some_and(|label| **label == *tenant.label()) {
            self.explicit.remove(domain.as_str());
        }
    }

    /// Who comes first: 0, the tenant as it is served; 1, its file; 2, another file that defines it; 3, the tenant as it was
    /// served when the last process ended; 4, another file that defines it; 5, all others.
    pub(crate) fn rank(&self, claim: &Claim) -> u8 {
        let Definition { domain, endpoint, .. } = &claim.definition;
        if self.table.is_empty() && self.homes.is_empty() {
            return 5;
        }
        let own = |tenant: &&Arc<Tenant>| tenant.is_of(domain);
        let pool = claim.definition.pool.as_deref();
        match self.table.get(endpoint.as_bytes()).filter(own) {
            Some(tenant) if tenant.file() == claim.file => 0,
            _ if self.of_domain(domain).any(|tenant| tenant.file() == claim.file) => 1,
            Some(_) => 2,
            // Nobody is served there in this process: who was when the last one ended comes first.
            None => match self.homes.before(endpoint.as_bytes()) {
                Some(home) if home.domain == Some(domain) && home.pool == Some(pool) => 3,
                Some(home) if home.domain == Some(domain) => 4,
                Some(_) | None => 5,
            },
        }
    }

    pub(crate) fn is_held(&self, label: &[u8]) -> bool {
        self.held.contains_key(label)
    }

    pub(crate) fn place_of(&self, tenant: &Tenant, around: &Surroundings<'_>) -> String {
        let path = around.files.path(tenant.file()).filter(|path| self.files.contains_key(path));
        let path = path.as_deref().unwrap_or("a file that is gone");
        format!("{path}:{}", tenant.line())
    }

    /// The same, with its domain.
    pub(crate) fn named(&self, tenant: &Tenant, around: &Surroundings<'_>) -> String {
        format!("{} ({})", self.place_of(tenant, around), tenant.domain())
    }
}
