//! What is not as the files of a zone's tenants say, for reports and for the next start.
//!
//! Pure. Everything here costs as much as there is to say, never as much as there are tenants.

use crate::diagnostic::Diagnostic;
use crate::dns::name::Name;
use crate::world::lines::joined_within;
use crate::world::pools::{Endpoint, Kept as KeptAt, PoolTable};
use crate::world::tenants::claims::WAITS_FOR_POOL;
use crate::world::tenants::{Kept, Standing, Surroundings, Tenants, Waiting};
use crate::zone::endpoint::Tenant;
use crate::zone::tenant::{self, Definition};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A line of what outlives a restart.
struct Restored {
    definition: Definition,
    /// The file that is broken; empty where the removal is held back.
    file: String,
    held: bool,
}

impl Tenants {
    /// From now on so many findings are told one by one, at most.
    pub fn tell(&mut self, max: usize) {
        self.telling.max = max;
    }

    /// Whether there is such a file.
    pub fn has_file(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Numbers of the files of tenants that may be gone while these are served.
    pub fn odd_numbers(&self) -> impl Iterator<Item = u32> {
        let kept = self.kept.values().map(|kept| kept.tenant.file());
        kept.chain(self.held.values().map(|tenant| tenant.file()))
    }

    /// Number of tenants that are last good, and held.
    pub fn odd_counts(&self) -> (usize, usize) {
        (self.kept.len(), self.held.len())
    }

    /// Served tenants that are not served as their files say: label, how they stand, why.
    pub fn odd(&self) -> impl Iterator<Item = (Box<[u8]>, Standing, Vec<String>)> {
        let held = "no file defines it any more; `mxseal reload --allow-shrink` removes it".to_owned();
        let held = self.held.keys().map(move |label| (label.clone(), Standing::Held, vec![held.clone()]));
        held.chain(self.kept.iter().map(|(label, kept)| (label.clone(), Standing::LastGood, self.why_kept(kept))))
    }

    fn why_kept(&self, kept: &Kept) -> Vec<String> {
        let Some(odd) = self.files.get(&kept.file).and_then(|file| file.odd.as_deref()) else { return Vec::new() };
        if let Some(fault) = &odd.fault {
            return one_by_one(&kept.file, fault).take(1).collect();
        }
        let about =
            |w: &&Waiting| w.is_anyones() || w.domain.as_deref().is_some_and(|domain| kept.tenant.is_of(domain));
        odd.waiting.iter().filter(about).flat_map(|w| one_by_one(&kept.file, &w.reasons)).take(REASONS_MAX).collect()
    }

    /// Why an entry of a domain is not served as written; empty where it is.
    pub fn reasons(&self, domain: &str) -> Vec<String> {
        let files = self.waits.get(domain).into_iter().flat_map(BTreeMap::keys);
        let odd = files.filter_map(|path| Some((path, self.files.get(path)?.odd.as_deref()?)));
        let waiting = odd.flat_map(|(path, odd)| odd.waiting.iter().map(move |waiting| (path, waiting)));
        let waiting = waiting.filter(|(_, waiting)| waiting.domain.as_deref() == Some(domain));
        let mut reasons: Vec<String> = waiting.flat_map(|(path, w)| one_by_one(path, &w.reasons)).collect();
        let kept = self.by_domain(domain).and_then(|tenant| self.kept.get(tenant.label()));
        reasons.extend(kept.map(|kept| self.why_kept(kept)).unwrap_or_default());
        reasons.sort();
        reasons.dedup();
        reasons
    }

    /// All entries that are not served as written, with the paths of their files.
    pub fn waiting(&self) -> impl Iterator<Item = (&Arc<str>, &Waiting)> {
        let odd = self.odd_files.iter().filter_map(|path| Some((path, self.files.get(path)?.odd.as_deref()?)));
        odd.flat_map(|(path, odd)| odd.waiting.iter().map(move |waiting| (path, waiting)))
    }

    /// Such entries with the reasons of each; those that are only counted are left out.
    pub fn told(&self) -> impl Iterator<Item = (&Arc<str>, &Waiting)> {
        let odd = self.telling.files().filter_map(|path| Some((path, self.files.get(path)?.odd.as_deref()?)));
        let waiting = odd.flat_map(|(path, odd)| odd.waiting.iter().map(move |waiting| (path, waiting)));
        waiting.filter(|(_, waiting)| !waiting.reasons.is_empty())
    }

    /// All findings: faults of files, broken entries, warnings; and counts of those past [`telling::TOLD_MAX`]. Not those of
    /// tenants whose pool is broken: see [`Tenants::waiting_for_pools`].
    pub fn findings(&self) -> Vec<Diagnostic> {
        let odd = self.telling.files().filter_map(|path| self.files.get(path)?.odd.as_deref());
        let lists =
            odd.flat_map(|odd| odd.fault.iter().chain(odd.waiting.iter().map(|w| &w.reasons)).chain(&odd.warnings));
        let all = lists.flat_map(|list| &**list).filter(|finding| finding.code != WAITS_FOR_POOL);
        all.cloned().chain(self.telling.counted()).collect()
    }

    /// How many entries wait for a broken pool, by its name: thousands may wait for one mend.
    pub fn waiting_for_pools(&self) -> impl Iterator<Item = (&str, usize)> {
        self.telling.pools.iter().map(|(pool, count)| (&**pool, *count))
    }

    /// Number of tenants whose removal is held back.
    pub fn held_count(&self) -> usize {
        self.held.len()
    }

    /// Number of entries and files that are broken now.
    pub fn broken_count(&self) -> usize {
        self.telling.broken
    }

    /// What must outlive a restart, one JSON object a line: tenants that are served although no file says so now.
    pub fn last_good_text(&self, pools: &PoolTable) -> String {
        self.last_good_within(pools, usize::MAX).unwrap_or_default()
    }

    /// The same; none where it has more than so many octets.
    pub fn last_good_within(&self, pools: &PoolTable, max: usize) -> Option<String> {
        let kept = self.kept.values().map(|kept| (&*kept.file, &kept.tenant, false));
        let held = self.held.values().map(|tenant| ("", tenant, true));
        let line = |(file, tenant, held): (&str, &Arc<Tenant>, bool)| {
            let definition = tenant.definition(tenant.pool().and_then(|pool| pools.name(pool)));
            let text = tenant::print_ndjson(&definition);
            let tenant: serde_json::Value = serde_json::from_str(text.trim()).unwrap_or_default();
            let line = definition.line;
            format!("{}\n", serde_json::json!({ "file": file, "line": line, "held": held, "tenant": tenant }))
        };
        joined_within(kept.chain(held).map(line), max)
    }

    /// At a start: takes back what an earlier process kept, where it is still needed.
    pub fn restore(&mut self, text: &str, around: &Surroundings<'_>, pools: &mut PoolTable) -> u64 {
        let lines = text.lines().filter_map(restored);
        lines.map(|line| u64::from(self.restore_one(&line, around, pools))).sum()
    }

    fn restore_one(&mut self, line: &Restored, around: &Surroundings<'_>, pools: &mut PoolTable) -> bool {
        let Restored { definition, file, held } = line;
        let definition = &self.named_before(definition.clone());
        let endpoint = Endpoint { label: &definition.endpoint, apex: around.apex };
        let home = self.homes.before(definition.endpoint.as_bytes());
        let home = home.and_then(|home| Some(KeptAt { pool: home.pool.flatten()?, way: home.way }));
        let pool = definition.pool.as_deref().map(|pool| pools.index_for(endpoint, pool, home));
        let name = Name::below(definition.endpoint.as_bytes(), around.apex);
        let is_static = |name: &Name| around.content.is_some_and(|content| content.node(name).is_some());
        let served = self.by_domain(&definition.domain).is_some();
        if self.table.get(definition.endpoint.as_bytes()).is_some()
            || pool == Some(None)
            || name.as_ref().map_or(true, is_static)
        {
            return false;
        }
        if *held {
            let tenant = self.put_in(Tenant::new(definition, pool.flatten(), u32::MAX, pools.ttl), pools);
            self.held.insert(tenant.label().into(), tenant);
            return true;
        }
        let about =
            |w: &Waiting| w.is_anyones() || w.domain.as_ref().is_some_and(|domain| *domain == definition.domain);
        let is_broken = |odd: &crate::world::tenants::Odd| odd.fault.is_some() || odd.waiting.iter().any(about);
        let Some((path, source)) = self.files.get_key_value(file.as_str()) else { return false };
        if served || !source.odd.as_deref().is_some_and(is_broken) {
            return false;
        }
        let (path, id) = (Arc::clone(path), source.id);
        let tenant = self.put_in(Tenant::new(definition, pool.flatten(), id, pools.ttl), pools);
        if let Some(file) = self.files.get_mut(&path) {
            file.served.push(Arc::clone(&tenant));
        }
        self.keep(tenant, path);
        true
    }
}

/// Reasons that a tenant is shown with, at most: a file full of lines that cannot be read has one for each.
const REASONS_MAX: usize = 5;

/// Reasons as lines; where they are only counted, how to learn them.
fn one_by_one<'r>(path: &str, reasons: &'r [Diagnostic]) -> impl Iterator<Item = String> + use<'r> {
    let counted = reasons.is_empty().then(|| format!("{path} is not used as it is: `mxseal check` says why"));
    reasons.iter().map(Diagnostic::one_line).chain(counted)
}

fn restored(line: &str) -> Option<Restored> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    let tenant = value.get("tenant")?.to_string();
    let mut definition = tenant::parse_ndjson("", &format!("{tenant}\n")).entries.pop()?;
    let number = value.get("line").and_then(serde_json::Value::as_u64).and_then(|line| u32::try_from(line).ok());
    definition.line = number.unwrap_or(1);
    let file = value.get("file").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    Some(Restored { definition, file, held: value.get("held").and_then(serde_json::Value::as_bool).unwrap_or(false) })
}
