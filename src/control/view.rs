//! What the control plane tells about itself: one immutable report, published beside each snapshot.
//!
//! Commands read it without disturbing the control thread; tenants are listed from the snapshot, never copied.

use crate::answer::Snapshot;
use crate::control::pools::PoolState;
use crate::control::protocol::{Finding, PoolInfo, TenantInfo, ZoneInfo};
use crate::control::tenants::{Standing, endpoint_name};
use crate::control::world::{FileNames, World};
use crate::control::zones::{Keys, ZoneState};
use crate::diagnostic::{Diagnostic, Severity};
use crate::dns::name::Name;
use crate::zone::Zone;
use crate::zone::endpoint::Tenant;
use crate::zone::tenant::print_tlsa;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Findings that a report carries, at most; the rest are counted.
const FINDINGS_MAX: usize = 10_000;

/// The report.
#[derive(Default)]
pub struct View {
    /// Version of the snapshot that it belongs to.
    pub snapshot: u64,
    /// Zones.
    pub zones: Vec<ZoneInfo>,
    /// Pools.
    pub pools: Vec<PoolInfo>,
    /// Names of pools by index.
    pub pool_names: Vec<String>,
    /// What is wrong now.
    pub findings: Vec<Finding>,
    /// States of served tenants that are not served as written, by zone and label.
    pub standings: BTreeMap<Name, BTreeMap<Box<[u8]>, (&'static str, Vec<String>)>>,
    /// Entries that are not served at all, by zone.
    pub broken: BTreeMap<Name, Vec<TenantInfo>>,
    /// Paths of files by number.
    pub files: FileNames,
    /// Seconds since 1970 of the last full scan that ended well.
    pub last_scan: u64,
}

impl View {
    /// The report of what is known now.
    pub fn new(world: &World, snapshot: u64, last_scan: u64, more: &[Diagnostic]) -> View {
        let mut view = View { snapshot, last_scan, files: world.files.clone(), ..View::default() };
        let mut findings = world.findings();
        findings.extend_from_slice(more);
        findings.sort();
        findings.truncate(FINDINGS_MAX);
        view.findings = findings.iter().map(finding).collect();
        view.pools = world.pools.reports().map(|report| pool_info(world, &report)).collect();
        view.pool_names = (0..).map_while(|index| world.pools.name(index).map(str::to_owned)).collect();
        for (apex, zone) in &world.zones {
            view.zones.push(zone_info(world, zone));
            view.standings.insert(apex.clone(), standings(zone));
            view.broken.insert(apex.clone(), broken(apex, zone));
        }
        view
    }

    /// A served tenant.
    pub fn tenant(&self, zone: &Zone, tenant: &Tenant) -> TenantInfo {
        let standing = self.standings.get(&zone.apex).and_then(|all| all.get(&tenant.label));
        let (state, reasons) = standing.cloned().unwrap_or(("served", Vec::new()));
        let sets = |kinds: std::ops::Range<usize>| {
            kinds
                .filter_map(|kind| tenant.set(kind, &zone.pools))
                .flat_map(|set| set.data().map(<[u8]>::to_vec).collect::<Vec<_>>())
        };
        let address = |data: Vec<u8>| match <[u8; 4]>::try_from(data.as_slice()) {
            Ok(v4) => std::net::Ipv4Addr::from(v4).to_string(),
            Err(_) => <[u8; 16]>::try_from(data.as_slice())
                .map(|v6| std::net::Ipv6Addr::from(v6).to_string())
                .unwrap_or_default(),
        };
        let tlsa =
            |data: Vec<u8>| data.get(3..).and_then(|d| d.try_into().ok()).map(|d| print_tlsa(&d)).unwrap_or_default();
        let pool = tenant.pool.and_then(|pool| self.pool_names.get(usize::try_from(pool).ok()?)).cloned();
        let file = self.files.path(tenant.file);
        TenantInfo {
            domain: tenant.domain.to_string(),
            zone: zone.apex.to_string(),
            endpoint: endpoint_name(tenant, &zone.apex),
            state: state.to_owned(),
            pool,
            addresses: sets(0..2).map(address).collect(),
            tlsa: sets(2..3).map(tlsa).collect(),
            source: file.map(|file| format!("{file}:{}", tenant.line())).unwrap_or_default(),
            reasons,
        }
    }

    /// Every tenant of the zones that `wanted` lets through, by zone and domain; `broken`: only those not served as written.
    pub fn tenants(
        &self,
        snapshot: &Snapshot,
        wanted: Option<&Name>,
        broken: bool,
        mut each: impl FnMut(TenantInfo) -> bool,
    ) {
        for (apex, unserved) in self.broken.iter().filter(|(apex, _)| wanted.is_none_or(|wanted| wanted == *apex)) {
            let zone = snapshot.zone(apex);
            let odd = self.standings.get(apex);
            let mut served: Vec<&Arc<Tenant>> = zone.iter().flat_map(|zone| zone.tenants.iter()).collect();
            served.retain(|tenant| !broken || odd.is_some_and(|odd| odd.contains_key(&tenant.label)));
            served.sort_by(|a, b| a.domain.cmp(&b.domain));
            let mut unserved = unserved.iter().peekable();
            for tenant in served {
                while let Some(info) = unserved.next_if(|info| *info.domain < *tenant.domain) {
                    if !each(info.clone()) {
                        return;
                    }
                }
                let Some(zone) = zone else { break };
                if !each(self.tenant(zone, tenant)) {
                    return;
                }
            }
            for info in unserved {
                if !each(info.clone()) {
                    return;
                }
            }
        }
    }
}

/// A diagnostic for programs and tables.
pub fn finding(diagnostic: &Diagnostic) -> Finding {
    let place = &diagnostic.place;
    let at = match (place.line, place.column) {
        (0, _) => place.file.clone(),
        (line, 0) => format!("{}:{line}", place.file),
        (line, column) => format!("{}:{line}:{column}", place.file),
    };
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    Finding {
        severity: severity.to_owned(),
        code: diagnostic.code.to_owned(),
        place: at,
        message: diagnostic.message.clone(),
        help: diagnostic.help.clone(),
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn zone_info(world: &World, zone: &ZoneState) -> ZoneInfo {
    let (keys, ds) = match &zone.keys {
        Keys::Loaded(set) => (set.tags.clone(), set.ds.iter().map(|data| ds_text(&zone.apex, data)).collect()),
        Keys::None | Keys::Wanted | Keys::Frozen(_) => (Vec::new(), Vec::new()),
    };
    ZoneInfo {
        zone: zone.apex.to_string(),
        signed: zone.signed,
        state: zone.standing().to_owned(),
        serial: zone.content().map_or(0, |content| content.serial),
        records: zone.content().map_or(0, |content| count(content.records)),
        tenants: count(zone.tenants.table.len()),
        broken: count(zone.tenants.broken_count()),
        held: count(zone.tenants.held_count()),
        parent: zone.parent.as_ref().map(ToString::to_string),
        keys,
        ds,
        file: world.shown(&zone.path),
    }
}

/// A DS record in master-file form.
pub fn ds_text(apex: &Name, data: &[u8]) -> String {
    let ttl = crate::zone::content::DELEGATION_TTL;
    format!("{apex} {ttl} IN DS {}", crate::dns::rdata::to_text(crate::dns::rtype::number::DS, data))
}

fn pool_info(world: &World, report: &crate::control::pools::PoolReport<'_>) -> PoolInfo {
    let state = match report.state {
        PoolState::Served => "served",
        PoolState::LastGood => "last good",
        PoolState::Broken | PoolState::Gone => "broken",
    };
    PoolInfo {
        pool: report.name.to_owned(),
        state: state.to_owned(),
        addresses: report.records.iter().flat_map(|r| r.addresses()).map(|a| a.to_string()).collect(),
        tlsa: report.records.iter().flat_map(|r| r.tlsa()).map(|d| print_tlsa(&d)).collect(),
        certificates: report.pool.map(|pool| pool.certificates.clone()).unwrap_or_default(),
        tenants: report.tenants,
        source: report
            .pool
            .map(|pool| format!("{}:{}", world.shown(crate::control::world::POOLS_FILE), pool.line))
            .unwrap_or_default(),
        reasons: report.findings.iter().map(Diagnostic::one_line).collect(),
    }
}

fn standings(zone: &ZoneState) -> BTreeMap<Box<[u8]>, (&'static str, Vec<String>)> {
    let mut odd = BTreeMap::new();
    for (label, standing, reasons) in zone.tenants.odd() {
        let word = match standing {
            Standing::Served => continue,
            Standing::LastGood => "last good",
            Standing::Held => "held",
        };
        odd.insert(label, (word, reasons));
    }
    odd
}

/// Entries whose domain is not served at all.
fn broken(apex: &Name, zone: &ZoneState) -> Vec<TenantInfo> {
    let mut all: Vec<TenantInfo> = Vec::new();
    for (path, waiting) in zone.tenants.waiting() {
        let served = waiting.domain.as_deref().and_then(|domain| zone.tenants.by_domain(domain));
        if served.is_some_and(|tenant| zone.tenants.standing(tenant) != Standing::Served) {
            continue;
        }
        let line = waiting.reasons.first().map_or(0, |reason| reason.place.line);
        all.push(TenantInfo {
            domain: waiting.domain.clone().unwrap_or_else(|| "?".to_owned()),
            zone: apex.to_string(),
            state: "broken".to_owned(),
            pool: waiting.definition.as_ref().and_then(|definition| definition.pool.clone()),
            source: format!("{path}:{line}"),
            reasons: waiting.reasons.iter().map(Diagnostic::one_line).collect(),
            ..TenantInfo::default()
        });
    }
    all.sort_by(|a, b| a.domain.cmp(&b.domain));
    all
}
