//! The tenants of one zone: what its files say, what is served, and what is kept although a file no longer says it.
//!
//! Pure: content in, the next table out. A broken tenant keeps its last good answer, a name has one owner, and a batch
//! that removes too much removes nothing. A batch costs as much as the files in it, however many tenants there are.

pub(crate) mod bulk;
pub(crate) mod check;
pub(crate) mod claims;
mod done;
pub(crate) mod guard;
pub mod homes;
pub(crate) mod limit;
mod moves;
mod names;
mod odd;
pub(crate) mod read;
pub(crate) mod report;
pub mod telling;

use crate::diagnostic::Diagnostic;
use crate::dns::name::{self, Name};
use crate::time::UnixTime;
use crate::world::file_names::FileNames;
use crate::world::pools::{Endpoint, PoolTable};
use crate::world::tenants::claims::{Batch, Claim};
use crate::world::tenants::guard::Guard;
use crate::zone::content::Content;
use crate::zone::endpoint::Tenant;
use crate::zone::table::Table;
use crate::zone::tenant::{self, Definition};
pub use done::{Change, Done};
use homes::Homes;
pub(super) use names::keeps;
pub(super) use odd::Odd;
pub use odd::Waiting;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use telling::Telling;

pub use crate::world::tenants::guard::{SHRINK_FREE, SHRINK_SHARE, SHRINK_WINDOW};
pub use crate::world::tenants::read::read;
use crate::world::tenants::read::{is_anyones, read_each};

/// The tenants of one zone.
#[derive(Default)]
pub struct Tenants {
    /// What is served.
    pub table: Table<Tenant>,
    pub(super) files: BTreeMap<Arc<str>, TenantFile>,
    /// Files with something to say about: a fault, entries that wait, warnings.
    pub(super) odd_files: BTreeSet<Arc<str>>,
    /// Labels of tenants whose files name the endpoint, by domain.
    pub(super) explicit: BTreeMap<Box<str>, Box<[u8]>>,
    /// Served although their files are broken now, by label: the last good content and whose it is.
    pub(super) kept: BTreeMap<Box<[u8]>, Kept>,
    /// Served although their files no longer define them, until a shrink is allowed, by label.
    pub(super) held: BTreeMap<Box<[u8]>, Arc<Tenant>>,
    /// Files with entries that wait and how many, by the domains and endpoints that these are about.
    pub(super) waits: BTreeMap<Box<str>, BTreeMap<Arc<str>, u32>>,
    /// The pools that they are served from, as an end of the process leaves them.
    pub homes: Homes,
    guard: Guard,
    revision: u64,
    /// What is told of files that are not used as they are.
    pub(super) telling: Telling,
}

/// A file of tenants.
#[derive(Default)]
pub(super) struct TenantFile {
    pub(super) id: u32,
    pub(super) served: Vec<Arc<Tenant>>,
    /// Boxed, since almost all of a million files have nothing odd about them.
    pub(super) odd: Option<Box<Odd>>,
}

/// A tenant that is last good, and the file that should say something better about it.
pub(super) struct Kept {
    pub(super) tenant: Arc<Tenant>,
    pub(super) file: Arc<str>,
}

/// A file's new content, read.
pub struct Read {
    /// Its path below `zones/`.
    pub path: Arc<str>,
    /// Its number.
    pub id: u32,
    /// What it says; an error: it says nothing that could be believed. `None`: it is gone.
    pub content: Option<Result<tenant::Parsed<Definition>, Box<Diagnostic>>>,
}

/// What a tenant's state depends on besides its file.
pub struct Surroundings<'a> {
    /// The zone's apex.
    pub apex: &'a Name,
    /// What its master file holds.
    pub content: Option<&'a Content>,
    /// Labels just below the apex that belong to zones.
    pub cut: Option<&'a BTreeSet<Box<[u8]>>>,
    /// When.
    pub now: UnixTime,
    /// Paths of files, to name those of other tenants.
    pub files: &'a FileNames,
    /// Tenants that the zone may have, at most.
    pub tenants_max: usize,
}

/// How a tenant stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Served as its file says.
    Served,
    /// Served as its file once said.
    LastGood,
    /// Its removal is held back.
    Held,
}

/// A broken entry, by its file and, where that could be read, its domain.
type Spoiled = (Arc<str>, Option<String>);

impl Tenants {
    /// Takes in a batch of files. Who is served now stays, else entries with explicit endpoints come first, then paths in
    /// their order.
    pub fn apply(&mut self, batch: Vec<Read>, around: &Surroundings<'_>, pools: &mut PoolTable) -> Done {
        let mut next = Batch::default();
        let mut spoiled = Vec::new();
        for read in batch {
            self.take_in(read, &mut next, &mut spoiled);
        }
        self.spare_broken(&mut next, &spoiled);
        let mut done = self.settle(next, around, pools);
        if self.homes.are_awaited() && !self.waits.is_empty() {
            // Whoever waits for the name of one who was not met yet may have it now.
            done.add(&self.retry(around, pools));
        }
        done
    }

    /// Tries again what waited for pools or names: after a change of pools or of the master file.
    pub fn retry(&mut self, around: &Surroundings<'_>, pools: &mut PoolTable) -> Done {
        let paths = self.odd_files.clone();
        let batch = self.reclaim(&paths, |_| true);
        self.settle(batch, around, pools)
    }

    /// Removes what is held back.
    pub fn allow_shrink(&mut self, around: &Surroundings<'_>, pools: &mut PoolTable) -> Done {
        let mut done = Done::default();
        let held = std::mem::take(&mut self.held);
        self.guard.forgive();
        let freed = self.take_out_all(held.into_values(), pools, around.now, &mut done);
        self.promote(freed, around, pools, &mut done);
        done
    }

    /// The next removal of `domain` does not count.
    pub fn permit_removal(&mut self, domain: &str) {
        // Who is not served needs no permission, and one that is never used up would stay for good.
        if self.by_domain(domain).is_some() {
            self.guard.permit(domain);
        }
    }

    /// Nothing in a file can be believed, so nothing changes; all of it is last good.
    pub fn spoil(&mut self, path: Arc<str>, id: u32, fault: Diagnostic) {
        let file = self.files.entry(Arc::clone(&path)).or_default();
        file.id = id;
        let odd = file.odd.get_or_insert_default();
        match odd.fault.take() {
            Some(before) => self.telling.give_back(&path, &before),
            None => self.telling.broken += 1,
        }
        odd.fault = Some(self.telling.take(&path, [fault].into()));
        for tenant in &file.served {
            self.kept.insert(tenant.label().into(), Kept { tenant: Arc::clone(tenant), file: Arc::clone(&path) });
        }
        self.odd_files.insert(path);
        self.revision += 1;
    }

    /// Changes whenever anything changed that is not as the files say, or was.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether no file speaks of this zone's tenants any more, and none is served.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.table.is_empty()
    }

    /// Takes in one file: what it no longer says becomes `vanished`, what it says becomes a claim.
    fn take_in(&mut self, read: Read, batch: &mut Batch, spoiled: &mut Vec<Spoiled>) {
        let parsed = match read.content {
            Some(Err(fault)) => return self.spoil(read.path, read.id, *fault),
            Some(Ok(parsed)) => Some(parsed),
            None => None,
        };
        let mut file = self.files.remove(&read.path).unwrap_or_default();
        file.id = read.id;
        self.forget_odd(&read.path, file.odd.take());
        if self.odd_files.remove(&read.path) {
            self.revision += 1;
        }
        for tenant in file.served.drain(..) {
            self.kept.remove(tenant.label());
            batch.vanished.insert(tenant.label().into(), (tenant, Arc::clone(&read.path)));
        }
        let Some(parsed) = parsed else { return };
        self.files.insert(Arc::clone(&read.path), file);
        self.warn(&read.path, parsed.warnings);
        for broken in parsed.broken {
            if broken.name.is_some() && is_anyones(broken.name.as_deref(), &broken.diagnostics) {
                spoiled.push((Arc::clone(&read.path), None));
            }
            spoiled.push((Arc::clone(&read.path), broken.name.clone()));
            self.wait(&read.path, Waiting::new(broken.name, None, broken.diagnostics));
        }
        let claim = |definition| Claim {
            path: Arc::clone(&read.path),
            file: read.id,
            definition: self.named_before(definition),
        };
        batch.claims.extend(parsed.entries.into_iter().map(claim));
    }

    /// Warnings about a file that is used all the same.
    pub(super) fn warn(&mut self, path: &Arc<str>, warnings: Vec<Diagnostic>) {
        if let Some(file) = self.files.get_mut(path).filter(|_| !warnings.is_empty()) {
            let odd = file.odd.get_or_insert_default();
            odd.warnings.take().into_iter().for_each(|before| self.telling.give_back(path, &before));
            odd.warnings = Some(self.telling.take(path, warnings.into()));
            self.odd_files.insert(Arc::clone(path));
            self.revision += 1;
        }
    }

    /// What a file no longer says, but says something broken about instead, stays as it was: by its domain; or all of
    /// the file, where a broken entry does not tell whose it is, or the file ends within it.
    fn spare_broken(&self, batch: &mut Batch, spoiled: &[Spoiled]) {
        if spoiled.is_empty() || batch.vanished.is_empty() {
            return;
        }
        let claimed: HashSet<&str> = batch.claims.iter().map(|claim| claim.definition.domain.as_str()).collect();
        let nameless: BTreeSet<&Arc<str>> =
            spoiled.iter().filter(|(_, domain)| domain.is_none()).map(|(path, _)| path).collect();
        let mut spared: Vec<(Box<[u8]>, Arc<str>)> = Vec::new();
        for (path, domain) in spoiled {
            let Some(domain) = domain.as_deref().filter(|domain| !claimed.contains(*domain)) else { continue };
            let labels = batch.vanished_of(domain, self);
            spared.extend(labels.into_iter().map(|label| (label, Arc::clone(path))));
        }
        let of_nameless = batch
            .vanished
            .iter()
            .filter(|(_, (tenant, path))| nameless.contains(path) && !claimed.contains(tenant.domain().as_str()));
        spared.extend(of_nameless.map(|(label, (_, path))| (label.clone(), Arc::clone(path))));
        for (label, path) in spared {
            batch.spare(&label, &path);
        }
    }

    /// Decides who gets which name, does it, and lets those have their turn who waited for what became free.
    pub(super) fn settle(&mut self, batch: Batch, around: &Surroundings<'_>, pools: &mut PoolTable) -> Done {
        let mut done = Done::default();
        let freed = self.settle_once(batch, around, pools, &mut done);
        self.promote(freed, around, pools, &mut done);
        done
    }

    fn settle_once(
        &mut self,
        mut batch: Batch,
        around: &Surroundings<'_>,
        pools: &mut PoolTable,
        done: &mut Done,
    ) -> BTreeSet<Box<str>> {
        batch.decide(self, around, pools);
        let claims = self.admit(std::mem::take(&mut batch.claims), around);
        let mut grown: BTreeSet<Arc<str>> = BTreeSet::new();
        for claim in claims {
            if !grown.contains(&claim.path) {
                grown.insert(Arc::clone(&claim.path));
            }
            batch.vanished.remove(claim.definition.endpoint.as_bytes());
            self.grant(claim, around, pools, done);
        }
        for (claim, reason) in batch.refused {
            let domain = Some(claim.definition.domain.clone());
            self.wait(&claim.path, Waiting::new(domain, Some(claim.definition), vec![reason]));
        }
        for (label, (tenant, path)) in batch.spared {
            if let Some(file) = self.files.get_mut(&path) {
                file.served.push(Arc::clone(&tenant));
            }
            debug_assert_eq!(*label, *tenant.label());
            self.keep(tenant, path);
        }
        // What a list has room for beyond its tenants would be kept for as long as the file lies there.
        for path in grown {
            self.files.get_mut(&path).into_iter().for_each(|file| file.served.shrink_to_fit());
        }
        self.remove(batch.vanished, around.now, pools, done)
    }

    /// Serves an entry. What stayed the same stays the same object, with its signatures.
    fn grant(&mut self, claim: Claim, around: &Surroundings<'_>, pools: &mut PoolTable, done: &mut Done) {
        let Claim { path, file, definition } = claim;
        let label: Box<[u8]> = definition.endpoint.as_bytes().into();
        let endpoint = Endpoint { label: &definition.endpoint, apex: around.apex };
        // Whoever had this name before: caches know it by the addresses and TLSA of that pool.
        let from = match self.table.get(&label) {
            Some(current) => current.pool(),
            None => self.homes.of(endpoint, pools, around.now),
        };
        let pool = match (from, definition.pool.as_deref().and_then(|pool| pools.index(pool))) {
            (Some(from), Some(to)) => Some(pools.way(from, to, endpoint)),
            (_, to) => to,
        };
        let next = Tenant::new(&definition, pool, file, pools.ttl);
        if self.held.remove(&label).is_some() | self.kept.remove(&label).is_some() {
            self.revision += 1;
        }
        let served = match self.table.get(&label).cloned() {
            Some(current) if current.file() == file && current.same_content(&next) => {
                current.set_line(definition.line);
                current
            }
            Some(current) => {
                if !current.same_content(&next) {
                    done.note(Change::Changed, || next.domain());
                }
                self.take_out(&current, pools, around.now);
                next.adopt(&current);
                self.put_in(next, pools)
            }
            None => {
                done.note(Change::Added, || next.domain());
                self.put_in(next, pools)
            }
        };
        if let Some(file) = self.files.get_mut(&path) {
            file.served.push(served);
        }
    }

    /// How a served tenant stands.
    pub fn standing(&self, tenant: &Tenant) -> Standing {
        if self.held.contains_key(tenant.label()) {
            Standing::Held
        } else if self.kept.contains_key(tenant.label()) {
            Standing::LastGood
        } else {
            Standing::Served
        }
    }
}

/// The words under which an entry that waits is found.
fn words(waiting: &Waiting) -> impl Iterator<Item = &str> {
    let endpoint = waiting.definition.as_ref().map(|definition| definition.endpoint.as_str());
    waiting.domain.as_deref().into_iter().chain(endpoint)
}

/// The endpoint's full name.
pub fn endpoint_name(tenant: &Tenant, apex: &[u8]) -> String {
    Name::below(tenant.label(), apex).map_or_else(|_| name::print(apex), |name| name.to_string())
}
