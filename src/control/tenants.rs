//! The tenants of one zone: what its files say, what is served, and what is kept although a file no longer says it.
//!
//! Pure: content in, the next table out. A broken tenant keeps its last good answer, a name has one owner, and a batch
//! that removes too much removes nothing.

use crate::control::pools::PoolTable;
use crate::diagnostic::{Diagnostic, Place};
use crate::dns::name::{self, Name};
use crate::time::{Seconds, UnixTime};
use crate::zone::content::Content;
use crate::zone::endpoint::Tenant;
use crate::zone::table::Table;
use crate::zone::tenant::{self, Definition};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// Removals within one window that are never held back, however few tenants a zone has.
pub const SHRINK_FREE: u64 = 10;
/// The share of a zone's tenants that may go within one window, as a divisor: 5 %.
pub const SHRINK_SHARE: u64 = 20;
/// Removals that come within this time count as one batch, since a folder that is emptied arrives file by file.
pub const SHRINK_WINDOW: Seconds = 60;

/// The tenants of one zone.
#[derive(Default)]
pub struct Tenants {
    /// What is served.
    pub table: Table<Tenant>,
    files: BTreeMap<Arc<str>, TenantFile>,
    /// Labels of tenants whose files name the endpoint, by domain.
    explicit: BTreeMap<Box<str>, Box<[u8]>>,
    /// Served although their files are broken now, by label: the last good content and why.
    kept: BTreeMap<Box<[u8]>, Kept>,
    /// Served although their files no longer define them, until a shrink is allowed, by label.
    held: BTreeMap<Box<[u8]>, Arc<Tenant>>,
    /// Entries that wait for a name of that label to be free: files by label.
    contested: BTreeMap<String, BTreeSet<Arc<str>>>,
    /// Domains whose next removal is permitted.
    permitted: BTreeSet<String>,
    window: Option<Window>,
}

/// A file of tenants.
#[derive(Default)]
pub struct TenantFile {
    id: u32,
    served: Vec<Arc<Tenant>>,
    waiting: Vec<Waiting>,
    /// Why the whole file is not used as it is.
    fault: Option<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

/// An entry that is not served as it is written.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its domain, where that could be read.
    pub domain: Option<String>,
    /// The entry, where it is good by itself and only its name is taken or its pool missing.
    pub definition: Option<Definition>,
    /// Why.
    pub reasons: Vec<Diagnostic>,
}

struct Kept {
    tenant: Arc<Tenant>,
    file: Arc<str>,
}

struct Window {
    since: UnixTime,
    size: u64,
    removed: u64,
}

/// A file's new content, read.
pub struct Read {
    /// Its path below `zones/`.
    pub path: Arc<str>,
    /// Its number.
    pub id: u32,
    /// What it says; an error: it says nothing that could be believed. `None`: it is gone.
    pub content: Option<Result<tenant::Parsed<Definition>, Diagnostic>>,
}

/// What a tenant's state depends on besides its file.
pub struct Surroundings<'a> {
    /// The zone's apex.
    pub apex: &'a Name,
    /// What its master file holds.
    pub content: Option<&'a Content>,
    /// When.
    pub now: UnixTime,
}

/// What a batch did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Tenants that are new.
    pub added: u64,
    /// Tenants whose content changed.
    pub changed: u64,
    /// Tenants that went.
    pub removed: u64,
    /// Tenants whose removal is held back now, and were not before.
    pub held: u64,
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

/// Reads a file's content: TOML holds one tenant, NDJSON one a line.
///
/// # Errors
/// The reason why the file as a whole changes nothing.
pub fn read(path: &str, shown: &str, octets: &[u8]) -> Result<tenant::Parsed<Definition>, Diagnostic> {
    let text = tenant::text_of(shown, octets).map_err(|fault| *fault)?;
    let parsed =
        if path.ends_with(".ndjson") { tenant::parse_ndjson(shown, text) } else { tenant::parse_toml(shown, text) };
    if parsed.unfinished {
        let help = "write the rest, or end the last line; until then the file's last good content is served";
        return Err(Diagnostic::error("MX4101", Place::file(shown), "the file ends in the middle of a line", help));
    }
    Ok(parsed)
}

impl Tenants {
    /// Takes in a batch of files. Entries with explicit endpoints come first, then paths in their order; a name that is
    /// served now stays with its owner.
    pub fn apply(&mut self, batch: Vec<Read>, around: &Surroundings<'_>, pools: &mut PoolTable) -> Done {
        let mut done = Done::default();
        let mut vanished = BTreeMap::new();
        let mut claims = Vec::new();
        for read in batch {
            self.take_in(read, &mut vanished, &mut claims);
        }
        claims.sort_by(|(a, x), (b, y)| (!x.explicit_endpoint, a, x.line).cmp(&(!y.explicit_endpoint, b, y.line)));
        let mut seen = HashSet::new();
        for (path, definition) in claims {
            self.claim(&path, definition, around, pools, &mut vanished, &mut seen, &mut done);
        }
        self.spare_broken(&mut vanished);
        let freed = self.remove(vanished, around.now, pools, &mut done);
        self.promote(freed, around, pools, &mut done);
        done
    }

    /// Tries again what waited for pools or names: after a change of pools or of the master file.
    pub fn retry(&mut self, around: &Surroundings<'_>, pools: &mut PoolTable) -> Done {
        let mut done = Done::default();
        let paths: Vec<_> = self
            .files
            .iter()
            .filter(|(_, f)| f.waiting.iter().any(|w| w.definition.is_some()))
            .map(|(p, _)| Arc::clone(p))
            .collect();
        for path in paths {
            self.try_again(&path, around, pools, &mut done);
        }
        done
    }

    /// Removes what is held back.
    pub fn allow_shrink(&mut self, around: &Surroundings<'_>, pools: &mut PoolTable) -> Done {
        let mut done = Done::default();
        let mut freed = BTreeSet::new();
        for (label, tenant) in std::mem::take(&mut self.held) {
            self.take_out(&tenant, pools);
            done.removed += 1;
            freed.insert(String::from_utf8_lossy(&label).into_owned());
        }
        self.window = None;
        self.promote(freed, around, pools, &mut done);
        done
    }

    /// The next removal of `domain` does not count.
    pub fn permit_removal(&mut self, domain: &str) {
        self.permitted.insert(domain.to_owned());
    }

    /// Takes in one file: what it no longer says becomes `vanished`, what it says becomes a claim.
    fn take_in(&mut self, read: Read, vanished: &mut Vanished, claims: &mut Vec<(Arc<str>, Definition)>) {
        let file = self.files.entry(Arc::clone(&read.path)).or_default();
        file.id = read.id;
        let parsed = match read.content {
            Some(Err(fault)) => return self.spoil(read.path, read.id, fault),
            Some(Ok(parsed)) => Some(parsed),
            None => None,
        };
        file.fault = None;
        for waiting in file.waiting.drain(..) {
            let label = waiting.definition.map(|d| d.endpoint);
            if let Some(files) = label.as_ref().and_then(|label| self.contested.get_mut(label)) {
                files.remove(&read.path);
            }
        }
        for tenant in file.served.drain(..) {
            self.kept.remove(&tenant.label);
            vanished.insert(tenant.label.clone(), (tenant, Arc::clone(&read.path)));
        }
        let Some(parsed) = parsed else {
            self.files.remove(&read.path);
            return;
        };
        file.warnings = parsed.warnings;
        file.waiting.extend(parsed.broken.into_iter().map(|broken| Waiting {
            domain: broken.name,
            definition: None,
            reasons: broken.diagnostics,
        }));
        claims.extend(parsed.entries.into_iter().map(|definition| (Arc::clone(&read.path), definition)));
    }

    /// Nothing in a file can be believed, so nothing changes; all of it is last good.
    pub fn spoil(&mut self, path: Arc<str>, id: u32, fault: Diagnostic) {
        let file = self.files.entry(Arc::clone(&path)).or_default();
        file.id = id;
        file.fault = Some(fault);
        for tenant in &file.served {
            self.kept.insert(tenant.label.clone(), Kept { tenant: Arc::clone(tenant), file: Arc::clone(&path) });
        }
    }

    /// Number of tenants that are last good, and held.
    pub fn odd_counts(&self) -> (u64, u64) {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        (count(self.kept.len()), count(self.held.len()))
    }

    /// Serves an entry, or lets it wait with the reason.
    #[expect(clippy::too_many_arguments, reason = "the parts of one batch, all of them changed here")]
    fn claim(
        &mut self,
        path: &Arc<str>,
        definition: Definition,
        around: &Surroundings<'_>,
        pools: &mut PoolTable,
        vanished: &mut Vanished,
        seen: &mut HashSet<Box<[u8]>>,
        done: &mut Done,
    ) {
        let label: Box<[u8]> = definition.endpoint.as_bytes().into();
        let Some(file) = self.files.get(path) else { return };
        let file_id = file.id;
        let obstacle = self.obstacle(path, &definition, around, pools, vanished, seen.contains(&label));
        if let Some(reason) = obstacle {
            self.wait(path, definition, reason);
            return;
        }
        let pool = definition.pool.as_deref().and_then(|pool| pools.index(pool));
        let next = Tenant::new(&definition, pool, file_id);
        let current = self.table.get(&label).cloned();
        seen.insert(label.clone());
        vanished.remove(&label);
        self.held.remove(&label);
        self.kept.remove(&label);
        let served = match current {
            Some(current) if current.file == file_id && current.same_content(&next) => {
                current.set_line(definition.line);
                current
            }
            Some(current) => {
                self.take_out(&current, pools);
                next.adopt(&current);
                done.changed += 1;
                self.put_in(next, pools)
            }
            None => {
                done.added += 1;
                self.put_in(next, pools)
            }
        };
        if let Some(file) = self.files.get_mut(path) {
            file.served.push(served);
        }
    }

    /// Why an entry that is good by itself cannot be served.
    fn obstacle(
        &self,
        path: &Arc<str>,
        definition: &Definition,
        around: &Surroundings<'_>,
        pools: &PoolTable,
        vanished: &Vanished,
        twice: bool,
    ) -> Option<Diagnostic> {
        let label = definition.endpoint.as_bytes();
        let file = self.files.get(path)?.id;
        let place = || Place { file: path.to_string(), line: definition.line, ..Place::default() };
        let owner = self.table.get(label).filter(|current| twice || !self.is_free(current, file, vanished));
        if let Some(owner) = owner {
            let message =
                format!("endpoint {} of {} is taken by {}", definition.endpoint, definition.domain, self.named(owner));
            let help = "the one served now stays: give one of the two another `endpoint`, or remove it";
            return Some(Diagnostic::error("MX4102", place(), message, help));
        }
        if let Some(owner) = self.other_endpoint(definition, file, vanished) {
            let message = format!("{} is defined already by {}", definition.domain, self.named(owner));
            return Some(Diagnostic::error(
                "MX4103",
                place(),
                message,
                "the one served now stays: remove one of the two",
            ));
        }
        if let Some(pool) = definition.pool.as_deref().filter(|pool| pools.index(pool).is_none()) {
            let message = format!("pool `{pool}` of {} is not defined", definition.domain);
            return Some(Diagnostic::error("MX4104", place(), message, pools.help_for(pool)));
        }
        let name = Name::below(label, around.apex).ok()?;
        let taken = around.content.filter(|content| content.node(&name).is_some());
        taken.map(|content| {
            let source = content.source(&name).unwrap_or_else(|| "the zone's master file".to_owned());
            let message = format!("endpoint {} of {} is taken by {source}", definition.endpoint, definition.domain);
            Diagnostic::error(
                "MX4105",
                place(),
                message,
                "give the tenant another `endpoint`, or remove the records there",
            )
        })
    }

    /// The tenant of the same domain under another endpoint, where there is one.
    fn other_endpoint(&self, definition: &Definition, file: u32, vanished: &Vanished) -> Option<&Arc<Tenant>> {
        let derived = tenant::endpoint_of(&definition.domain);
        let explicit = self.explicit.get(definition.domain.as_str()).map(|label| &**label);
        let labels = [Some(derived.as_bytes()), explicit];
        let others = labels.into_iter().flatten().filter(|label| *label != definition.endpoint.as_bytes());
        others
            .filter_map(|label| self.table.get(label))
            .find(|tenant| *tenant.domain == *definition.domain && !self.is_free(tenant, file, vanished))
    }

    /// Whether a served tenant gives way: its own file speaks anew, or no file defines it any more.
    fn is_free(&self, tenant: &Tenant, file: u32, vanished: &Vanished) -> bool {
        tenant.file == file || vanished.contains_key(&tenant.label) || self.held.contains_key(&tenant.label)
    }

    fn named(&self, tenant: &Tenant) -> String {
        let path = self.files.iter().find(|(_, f)| f.id == tenant.file).map_or("a file that is gone", |(path, _)| path);
        format!("{path}:{} ({})", tenant.line(), tenant.domain)
    }

    fn wait(&mut self, path: &Arc<str>, definition: Definition, reason: Diagnostic) {
        self.contested.entry(definition.endpoint.clone()).or_default().insert(Arc::clone(path));
        let domain = Some(definition.domain.clone());
        if let Some(file) = self.files.get_mut(path) {
            file.waiting.push(Waiting { domain, definition: Some(definition), reasons: vec![reason] });
        }
    }

    /// What a file no longer says, but says something broken about instead, stays as it was: by its domain; or all of
    /// the file, where a broken entry does not tell whose it is.
    fn spare_broken(&mut self, vanished: &mut Vanished) {
        let mut spared = Vec::new();
        for (label, (tenant, path)) in vanished.iter() {
            let Some(file) = self.files.get(path) else { continue };
            let about = |w: &Waiting| w.domain.as_deref().is_none_or(|domain| *domain == *tenant.domain);
            if file.fault.is_some() || file.waiting.iter().any(about) {
                spared.push(label.clone());
            }
        }
        for label in spared {
            let Some((tenant, path)) = vanished.remove(&label) else { continue };
            if let Some(file) = self.files.get_mut(&path) {
                file.served.push(Arc::clone(&tenant));
            }
            self.kept.insert(label, Kept { tenant, file: path });
        }
    }

    /// Removes what vanished, unless that is too much at once: then all of it is held.
    fn remove(
        &mut self,
        vanished: Vanished,
        now: UnixTime,
        pools: &mut PoolTable,
        done: &mut Done,
    ) -> BTreeSet<String> {
        let (free, counted): (Vec<_>, Vec<_>) =
            vanished.into_values().map(|(tenant, _)| tenant).partition(|tenant| self.permitted.remove(&*tenant.domain));
        let count = u64::try_from(counted.len()).unwrap_or(u64::MAX);
        let size = u64::try_from(self.table.len()).unwrap_or(0);
        let window =
            self.window.take().filter(|window| now.before(SHRINK_WINDOW) <= window.since && now >= window.since);
        let mut window = window.unwrap_or(Window { since: now, size, removed: 0 });
        let total = window.removed + count;
        let too_much = total > SHRINK_FREE && total > window.size / SHRINK_SHARE;
        let mut freed = BTreeSet::new();
        let gone = if too_much { free } else { free.into_iter().chain(counted.iter().cloned()).collect() };
        for tenant in gone {
            self.take_out(&tenant, pools);
            done.removed += 1;
            freed.insert(String::from_utf8_lossy(&tenant.label).into_owned());
        }
        if too_much {
            done.held += count;
            self.held.extend(counted.into_iter().map(|tenant| (tenant.label.clone(), tenant)));
        } else {
            window.removed = total;
        }
        if window.removed > 0 || too_much {
            self.window = Some(window);
        }
        freed
    }

    /// Names that became free go to those who wait for them.
    fn promote(&mut self, freed: BTreeSet<String>, around: &Surroundings<'_>, pools: &mut PoolTable, done: &mut Done) {
        let waiting: BTreeSet<_> = freed.iter().filter_map(|label| self.contested.remove(label)).flatten().collect();
        // A domain that was defined twice under different endpoints waits under its own label.
        for path in waiting {
            self.try_again(&path, around, pools, done);
        }
        if !freed.is_empty() && self.contested.len() <= CONTESTED_RETRY_MAX {
            let rest: BTreeSet<_> = self.contested.values().flatten().cloned().collect();
            for path in rest {
                self.try_again(&path, around, pools, done);
            }
        }
    }

    fn try_again(&mut self, path: &Arc<str>, around: &Surroundings<'_>, pools: &mut PoolTable, done: &mut Done) {
        let Some(file) = self.files.get_mut(path) else { return };
        let (again, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut file.waiting).into_iter().partition(|w| w.definition.is_some());
        file.waiting = rest;
        let (mut vanished, mut seen) = (Vanished::new(), HashSet::new());
        for definition in again.into_iter().filter_map(|w| w.definition) {
            // Its last good content, which this file serves meanwhile, gives way.
            if let Some(kept) = self.kept.get(definition.endpoint.as_bytes()).filter(|kept| kept.file == *path) {
                let label = kept.tenant.label.clone();
                if let Some(file) = self.files.get_mut(path) {
                    file.served.retain(|tenant| tenant.label != label);
                }
            }
            self.claim(path, definition, around, pools, &mut vanished, &mut seen, done);
        }
    }

    fn put_in(&mut self, tenant: Tenant, pools: &mut PoolTable) -> Arc<Tenant> {
        pools.count(tenant.pool, 1);
        if tenant.explicit_endpoint {
            self.explicit.insert(tenant.domain.clone(), tenant.label.clone());
        }
        let tenant = Arc::new(tenant);
        self.table.insert(Arc::clone(&tenant));
        tenant
    }

    fn take_out(&mut self, tenant: &Tenant, pools: &mut PoolTable) {
        if self.table.remove(&tenant.label).is_none() {
            return;
        }
        pools.count(tenant.pool, -1);
        if self.explicit.get(&tenant.domain).is_some_and(|label| *label == tenant.label) {
            self.explicit.remove(&tenant.domain);
        }
        self.kept.remove(&tenant.label);
    }

    /// How a served tenant stands.
    pub fn standing(&self, tenant: &Tenant) -> Standing {
        if self.held.contains_key(&tenant.label) {
            Standing::Held
        } else if self.kept.contains_key(&tenant.label) {
            Standing::LastGood
        } else {
            Standing::Served
        }
    }

    /// The tenant of a domain.
    pub fn by_domain(&self, domain: &str) -> Option<&Arc<Tenant>> {
        let derived = tenant::endpoint_of(domain);
        let explicit = self.explicit.get(domain).map(|label| &**label);
        let labels = [explicit, Some(derived.as_bytes())];
        labels.into_iter().flatten().filter_map(|label| self.table.get(label)).find(|tenant| *tenant.domain == *domain)
    }

    /// Served tenants that are not served as their files say: label, how they stand, why.
    pub fn odd(&self) -> impl Iterator<Item = (Box<[u8]>, Standing, Vec<String>)> {
        let held = "no file defines it any more; `mxseal reload --allow-shrink` removes it".to_owned();
        let held = self.held.keys().map(move |label| (label.clone(), Standing::Held, vec![held.clone()]));
        held.chain(self.kept.iter().map(|(label, kept)| (label.clone(), Standing::LastGood, self.why_kept(kept))))
    }

    fn why_kept(&self, kept: &Kept) -> Vec<String> {
        let Some(file) = self.files.get(&kept.file) else { return Vec::new() };
        let about = |w: &&Waiting| w.domain.as_deref().is_none_or(|domain| *domain == *kept.tenant.domain);
        let waiting = file.waiting.iter().filter(about).flat_map(|w| &w.reasons);
        file.fault.iter().chain(waiting).map(Diagnostic::one_line).collect()
    }

    /// Why an entry of a domain is not served as written; empty where it is.
    pub fn reasons(&self, domain: &str) -> Vec<String> {
        let waiting = self.waiting().filter(|(_, w)| w.domain.as_deref() == Some(domain)).flat_map(|(_, w)| &w.reasons);
        let mut reasons: Vec<String> = waiting.map(Diagnostic::one_line).collect();
        let kept = self.by_domain(domain).and_then(|tenant| self.kept.get(&tenant.label));
        reasons.extend(kept.map(|kept| self.why_kept(kept)).unwrap_or_default());
        reasons.sort();
        reasons.dedup();
        reasons
    }

    /// All entries that are not served as written, with the paths of their files.
    pub fn waiting(&self) -> impl Iterator<Item = (&Arc<str>, &Waiting)> {
        self.files.iter().flat_map(|(path, file)| file.waiting.iter().map(move |w| (path, w)))
    }

    /// Faults of whole files, with their paths.
    pub fn faults(&self) -> impl Iterator<Item = (&Arc<str>, &Diagnostic)> {
        self.files.iter().filter_map(|(path, file)| Some((path, file.fault.as_ref()?)))
    }

    /// All findings: faults of files, broken entries, warnings.
    pub fn findings(&self) -> Vec<Diagnostic> {
        let waiting = self.waiting().flat_map(|(_, w)| w.reasons.iter());
        let warnings = self.files.values().flat_map(|file| file.warnings.iter());
        self.faults().map(|(_, fault)| fault).chain(waiting).chain(warnings).cloned().collect()
    }

    /// Number of tenants whose removal is held back.
    pub fn held_count(&self) -> usize {
        self.held.len()
    }

    /// Number of entries and files that are broken now.
    pub fn broken_count(&self) -> usize {
        self.files.values().map(|file| file.waiting.len() + usize::from(file.fault.is_some())).sum()
    }

    /// What must outlive a restart, one JSON object a line: tenants that are served although no file says so now.
    pub fn last_good_text(&self, pools: &PoolTable) -> String {
        let kept = self.kept.values().map(|kept| (&*kept.file, &kept.tenant, false));
        let held = self.held.values().map(|tenant| ("", tenant, true));
        let line = |(file, tenant, held): (&str, &Arc<Tenant>, bool)| {
            let definition = tenant.definition(tenant.pool.and_then(|pool| pools.name(pool)));
            let text = tenant::print_ndjson(&definition);
            let tenant: serde_json::Value = serde_json::from_str(text.trim()).unwrap_or_default();
            format!("{}\n", serde_json::json!({ "file": file, "held": held, "tenant": tenant }))
        };
        kept.chain(held).map(line).collect()
    }

    /// At a start: takes back what an earlier process kept, where it is still needed.
    pub fn restore(&mut self, text: &str, pools: &mut PoolTable) -> u64 {
        let mut restored = 0;
        for line in text.lines() {
            let Ok(value) = serde_json::from_str::<serde_json::Value>(line) else { continue };
            let tenant = value.get("tenant").map(ToString::to_string).unwrap_or_default();
            let Some(definition) = tenant::parse_ndjson("", &format!("{tenant}\n")).entries.pop() else { continue };
            let file = value.get("file").and_then(|file| file.as_str()).unwrap_or_default();
            let held = value.get("held").and_then(serde_json::Value::as_bool).unwrap_or(false);
            restored += u64::from(self.restore_one(&definition, file, held, pools));
        }
        restored
    }

    fn restore_one(&mut self, definition: &Definition, file: &str, held: bool, pools: &mut PoolTable) -> bool {
        let pool = definition.pool.as_deref().map(|pool| pools.index(pool));
        if self.table.get(definition.endpoint.as_bytes()).is_some() || pool == Some(None) {
            return false;
        }
        let Some((path, source)) = self.files.get_key_value(file).map(|(path, f)| (Arc::clone(path), f)) else {
            if !held {
                return false;
            }
            let tenant = self.put_in(Tenant::new(definition, pool.flatten(), u32::MAX), pools);
            self.held.insert(tenant.label.clone(), tenant);
            return true;
        };
        let about = |w: &Waiting| w.domain.as_deref().is_none_or(|domain| *domain == *definition.domain);
        if !held && source.fault.is_none() && !source.waiting.iter().any(about) {
            return false;
        }
        let tenant = self.put_in(Tenant::new(definition, pool.flatten(), source.id), pools);
        if let Some(file) = self.files.get_mut(&path) {
            file.served.push(Arc::clone(&tenant));
        }
        self.kept.insert(tenant.label.clone(), Kept { tenant, file: path });
        true
    }
}

/// Tenants that a batch no longer defines, by label, with the paths of the files that did.
type Vanished = BTreeMap<Box<[u8]>, (Arc<Tenant>, Arc<str>)>;

/// Up to this many contested names are all tried again when any name becomes free.
const CONTESTED_RETRY_MAX: usize = 1000;

/// The endpoint's full name.
pub fn endpoint_name(tenant: &Tenant, apex: &[u8]) -> String {
    Name::below(&tenant.label, apex).map_or_else(|_| name::print(apex), |name| name.to_string())
}
