//! What the control plane tells about itself: one immutable report, published beside each snapshot.
//!
//! Commands read it without disturbing the control thread; tenants are listed from the snapshot, never copied.

use crate::answer::Snapshot;
use crate::diagnostic::{Diagnostic, Severity};
use crate::dns::name::Name;
use crate::protocol::{Finding, PoolInfo, TenantInfo, ZoneInfo, ZoneStanding};
use crate::protocol::{FindingSeverity, PoolStanding, TenantStanding};
use crate::world::World;
use crate::world::file_names::FileNames;
use crate::world::pools::PoolState;
use crate::world::tenants::{Standing, endpoint_name};
use crate::world::zones::{Keys, ZoneState};
use crate::zone::endpoint::{Pools, Tenant};
use crate::zone::kind::{Family, RecordKind};
use crate::zone::table::Table;
use crate::zone::tenant::print_tlsa;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
    pub findings: Arc<Vec<Finding>>,
    /// What is not as the tenants' files say, by zone; shared with the report before where nothing of it changed.
    odd: BTreeMap<Name, Arc<Odd>>,
    /// Tenants of zones that are not served now.
    unserved: BTreeMap<Name, Unserved>,
    /// Paths of files by number.
    pub files: FileNames,
    /// Seconds since 1970 of the last full scan that ended well.
    pub last_scan: u64,
    /// Zones whose keys are frozen.
    pub frozen: BTreeSet<Name>,
    /// What /readyz says of zones that are silent.
    pub silent: Vec<String>,
    /// What stands against the keys of zones, by apex with its final dot; only where there is something.
    key_findings: BTreeMap<String, Vec<Finding>>,
}

/// What a report is made from beside the world.
pub struct Beside<'a> {
    /// What is wrong now.
    pub findings: &'a Arc<Vec<Finding>>,
    /// Zones whose keys are frozen.
    pub frozen: BTreeSet<Name>,
    /// Version of the snapshot that it belongs to.
    pub snapshot: u64,
    /// Seconds since 1970 of the last full scan that ended well.
    pub last_scan: u64,
}

/// What is not as the files of one zone's tenants say.
#[derive(Default)]
struct Odd {
    revision: u64,
    /// States of served tenants that are not served as written, by label.
    standings: BTreeMap<Box<[u8]>, (TenantStanding, Vec<String>)>,
    /// Entries that are not served at all, by domain.
    broken: Vec<TenantInfo>,
    /// Entries and files that are broken.
    count: u64,
}

/// The tenants of a zone that is not served now.
struct Unserved {
    tenants: Table<Tenant>,
    reason: String,
}

impl View {
    /// The report of what is known now. `before` is the one that it replaces.
    pub fn new(world: &World, before: &View, beside: Beside<'_>) -> View {
        let Beside { findings, frozen, snapshot, last_scan } = beside;
        let findings = Arc::clone(findings);
        let mut view = View { snapshot, last_scan, findings, frozen, files: world.files.clone(), ..View::default() };
        view.pools = world.pools.reports().map(|report| pool_info(world, &report)).collect();
        view.pool_names = (0..).map_while(|index| world.pools.name(index).map(str::to_owned)).collect();
        for (apex, zone) in &world.zones {
            let same = before.odd.get(apex).filter(|odd| odd.revision == zone.tenants.revision());
            let odd = same.cloned().unwrap_or_else(|| Arc::new(odd(apex, zone)));
            let found: Vec<Finding> = zone.key_findings().iter().map(finding).collect();
            let is_frozen = view.frozen.contains(apex);
            view.zones.push(zone_info(world, zone, is_frozen, odd.count));
            if !found.is_empty() {
                view.key_findings.insert(apex.to_string(), found);
            }
            view.odd.insert(apex.clone(), odd);
            if let Some(reason) = zone.why_not_served() {
                view.unserved.insert(apex.clone(), Unserved { tenants: zone.tenants.table.clone(), reason });
            }
        }
        view.silent = silent(world, &view.zones);
        view
    }

    /// All findings about a zone: its file, its tenants, its keys.
    pub fn findings_about<'a>(&'a self, info: &ZoneInfo) -> Vec<&'a Finding> {
        let folder = format!("{}/", info.file.trim_end_matches(".zone"));
        let is_about = |place: &str| place.starts_with(&info.file) || place.starts_with(&folder);
        let keys = self.key_findings.get(&info.zone).into_iter().flatten();
        self.findings.iter().filter(|finding| is_about(&finding.place)).chain(keys).collect()
    }

    /// Whether there is such a zone, served or not.
    pub fn has_zone(&self, apex: &Name) -> bool {
        self.odd.contains_key(apex)
    }

    /// The zone nearest to a name that holds it and is not served now.
    pub fn unserved_zone(&self, name: &Name) -> Option<&Name> {
        let holds = self.unserved.keys().filter(|apex| crate::dns::name::is_within(name, apex));
        holds.max_by_key(|apex| apex.len())
    }

    /// Why that zone is not served.
    pub fn why_unserved(&self, name: &Name) -> Option<&str> {
        Some(self.unserved.get(self.unserved_zone(name)?)?.reason.as_str())
    }

    /// Entries of a zone that are not served at all.
    pub fn broken(&self, apex: &Name) -> &[TenantInfo] {
        self.odd.get(apex).map(|odd| odd.broken.as_slice()).unwrap_or_default()
    }

    /// A tenant of a zone, with what is answered of it.
    pub fn tenant(&self, apex: &Name, tenant: &Tenant, pools: &Pools) -> TenantInfo {
        let standing = self.odd.get(apex).and_then(|odd| odd.standings.get(tenant.label()));
        let (mut state, mut reasons) = standing.cloned().unwrap_or((TenantStanding::Served, Vec::new()));
        let unserved = self.unserved.get(apex);
        if let Some(zone) = unserved {
            state = TenantStanding::Broken;
            reasons.push(zone.reason.clone());
        }
        let answered = |kind| {
            let set = tenant.set(kind, pools).filter(|_| unserved.is_none());
            set.into_iter().flat_map(|set| set.data().map(<[u8]>::to_vec).collect::<Vec<_>>())
        };
        let tlsa =
            |data: Vec<u8>| data.get(3..).and_then(|d| d.try_into().ok()).map(|d| print_tlsa(&d)).unwrap_or_default();
        let pool = tenant.pool().and_then(|pool| self.pool_names.get(usize::try_from(pool).ok()?)).cloned();
        let file = self.files.path(tenant.file());
        TenantInfo {
            domain: tenant.domain(),
            zone: apex.to_string(),
            endpoint: endpoint_name(tenant, apex),
            state,
            pool,
            addresses: Family::ALL
                .map(RecordKind::Address)
                .into_iter()
                .flat_map(answered)
                .map(|data| address(&data))
                .collect(),
            tlsa: answered(RecordKind::Tlsa).map(tlsa).collect(),
            source: file.map(|file| format!("{file}:{}", tenant.line())).unwrap_or_default(),
            reasons,
        }
    }

    /// The tenants of a zone by domain, and the records of the pools that they are answered with.
    fn table<'a>(&'a self, snapshot: &'a Snapshot, apex: &Name) -> (Vec<&'a Arc<Tenant>>, &'a Pools) {
        static NONE: Pools = Pools::new();
        let served = snapshot.zone(apex).filter(|_| !self.unserved.contains_key(apex));
        let mut tenants: Vec<&Arc<Tenant>> = match (served, self.unserved.get(apex)) {
            (Some(zone), _) => zone.tenants.iter().collect(),
            (None, Some(zone)) => zone.tenants.iter().collect(),
            (None, None) => Vec::new(),
        };
        tenants.sort_by_cached_key(|tenant| tenant.domain());
        (tenants, served.map_or(&NONE, |zone| &zone.pools))
    }

    /// Every tenant of the zones that `wanted` lets through, by zone and domain; `broken`: only those not served as written.
    pub fn tenants(
        &self,
        snapshot: &Snapshot,
        wanted: Option<&Name>,
        broken: bool,
        mut each: impl FnMut(TenantInfo) -> bool,
    ) {
        for (apex, odd) in self.odd.iter().filter(|(apex, _)| wanted.is_none_or(|wanted| wanted == *apex)) {
            let (mut tenants, pools) = self.table(snapshot, apex);
            let is_odd =
                |tenant: &Tenant| self.unserved.contains_key(apex) || odd.standings.contains_key(tenant.label());
            tenants.retain(|tenant| !broken || is_odd(tenant));
            let mut unserved = odd.broken.iter().peekable();
            for tenant in tenants {
                let domain = tenant.domain();
                while let Some(info) = unserved.next_if(|info| info.domain < domain) {
                    if !each(info.clone()) {
                        return;
                    }
                }
                if !each(self.tenant(apex, tenant, pools)) {
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

fn address(data: &[u8]) -> String {
    match (<[u8; 4]>::try_from(data), <[u8; 16]>::try_from(data)) {
        (Ok(v4), _) => std::net::Ipv4Addr::from(v4).to_string(),
        (_, Ok(v6)) => std::net::Ipv6Addr::from(v6).to_string(),
        _ => String::new(),
    }
}

/// The word for a severity.
pub fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
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
    Finding {
        severity: FindingSeverity::from(diagnostic.severity),
        code: diagnostic.code.to_owned(),
        place: at,
        message: diagnostic.message.clone(),
        help: diagnostic.help.clone(),
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Zones that are told one by one as silent, at most.
const SILENT_MAX: usize = 100;

/// A line for each zone that is silent, with the code of the reason; places in files are for `status`.
fn silent(world: &World, zones: &[ZoneInfo]) -> Vec<String> {
    let is_silent = |(_, info): &(&ZoneState, &ZoneInfo)| info.state == ZoneStanding::Silent;
    let all = world.zones.values().zip(zones).filter(is_silent);
    let line = |(zone, info): (&ZoneState, &ZoneInfo)| {
        let stem = info.zone.trim_end_matches('.');
        let code = zone.code_of_silence().map(|code| format!("{code}, ")).unwrap_or_default();
        format!("zone {} is silent: {code}see `mxseal zone show {stem}`", info.zone)
    };
    let mut lines: Vec<String> = all.clone().take(SILENT_MAX).map(line).collect();
    if let Some(more @ 1..) = all.count().checked_sub(SILENT_MAX) {
        lines.push(format!("and {more} more zones are silent"));
    }
    lines
}

fn zone_info(world: &World, zone: &ZoneState, is_frozen: bool, broken: u64) -> ZoneInfo {
    let (keys, ds) = match &zone.keys {
        Keys::Loaded(set) => (set.tags.clone(), set.ds.iter().map(|data| ds_text(&zone.apex, data)).collect()),
        Keys::None | Keys::Wanted | Keys::Silent(_) => (Vec::new(), Vec::new()),
    };
    ZoneInfo {
        zone: zone.apex.to_string(),
        signed: zone.signed,
        state: match zone.standing() {
            ZoneStanding::Serving | ZoneStanding::LastGood if is_frozen => ZoneStanding::Frozen,
            other => other,
        },
        serial: zone.content().map_or(0, |content| content.serial),
        records: zone.content().map_or(0, |content| count(content.records)),
        tenants: count(zone.tenants.table.len()),
        broken,
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

fn pool_info(world: &World, report: &crate::world::pools::PoolReport<'_>) -> PoolInfo {
    let state = match report.state {
        PoolState::Served => PoolStanding::Served,
        PoolState::LastGood => PoolStanding::LastGood,
        PoolState::Broken | PoolState::Gone => PoolStanding::Broken,
    };
    PoolInfo {
        pool: report.name.to_owned(),
        state,
        addresses: report.records.iter().flat_map(|r| r.addresses()).map(|a| a.to_string()).collect(),
        tlsa: report.records.iter().flat_map(|r| r.tlsa()).map(|d| print_tlsa(&d)).collect(),
        certificates: report.pool.map(|pool| pool.certificates.clone()).unwrap_or_default(),
        tenants: report.tenants,
        source: report
            .pool
            .map(|pool| format!("{}:{}", world.shown(crate::world::POOLS_FILE), pool.line))
            .unwrap_or_default(),
        reasons: report.findings.iter().map(Diagnostic::one_line).collect(),
        life: None,
    }
}

fn odd(apex: &Name, zone: &ZoneState) -> Odd {
    Odd {
        revision: zone.tenants.revision(),
        standings: standings(zone),
        broken: broken(apex, zone),
        count: count(zone.tenants.broken_count()),
    }
}

fn standings(zone: &ZoneState) -> BTreeMap<Box<[u8]>, (TenantStanding, Vec<String>)> {
    let mut odd = BTreeMap::new();
    for (label, standing, reasons) in zone.tenants.odd() {
        let word = match standing {
            Standing::Served => continue,
            Standing::LastGood => TenantStanding::LastGood,
            Standing::Held => TenantStanding::Held,
        };
        odd.insert(label, (word, reasons));
    }
    odd
}

/// Entries whose domain is not served at all, those that are told one by one.
fn broken(apex: &Name, zone: &ZoneState) -> Vec<TenantInfo> {
    let mut all: Vec<TenantInfo> = Vec::new();
    for (path, waiting) in zone.tenants.told() {
        let served = waiting.domain.as_deref().and_then(|domain| zone.tenants.by_domain(domain));
        if served.is_some_and(|tenant| zone.tenants.standing(tenant) != Standing::Served) {
            continue;
        }
        let line = waiting.reasons.first().map_or(0, |reason| reason.place.line);
        all.push(TenantInfo {
            domain: waiting.domain.clone().unwrap_or_else(|| "?".to_owned()),
            zone: apex.to_string(),
            state: TenantStanding::Broken,
            pool: waiting.definition.as_ref().and_then(|definition| definition.pool.clone()),
            source: format!("{path}:{line}"),
            reasons: waiting.reasons.iter().map(Diagnostic::one_line).collect(),
            ..TenantInfo::default()
        });
    }
    all.sort_by(|a, b| a.domain.cmp(&b.domain));
    all
}
