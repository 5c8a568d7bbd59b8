//! All that the control plane knows: zones, pools, tenants, their files, and the snapshot that follows from them.
//!
//! It decides and never acts: what it needs to know of files and of before is a value ([`Needs`]) that comes back as [`Known`],
//! what is to be done goes out as [`Want`], and the snapshot is a value.

mod attempt;
mod build;
pub mod changes;
mod cover;
pub mod file_names;
mod files;
mod findings;
mod held;
mod keys;
mod known;
pub(crate) mod lines;
mod looks;
pub mod named;
pub mod paths;
pub mod pools;
mod room;
pub mod tenants;
pub mod trouble;
mod want;
pub mod zones;

pub use changes::FileChange;

use crate::answer::{Identity, Snapshot};
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::dns::{name::Name, zone_name};
use crate::metrics::progress::Progress;
use crate::time::UnixTime;
use crate::world::file_names::FileNames;
use crate::world::pools::PoolTable;
use crate::world::tenants::bulk::ReadAll;
use crate::world::tenants::{Done, Surroundings, Tenants, homes::Homes};
use crate::world::trouble::Reason;
use crate::world::zones::{Held, Keys, Master, ZoneState};
use crate::zone::master;
use build::is_above;
use files::{master_gone, only_tenants};
use findings::FINDINGS_TOLD_MAX;
pub use known::{KeysPast, Known, Needs, WasSigned, ZonePast};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
pub use want::Want;

/// The file of the pools below `zones/`.
pub const POOLS_FILE: &str = "pools.toml";
/// What a master file's name ends with; the rest is its zone.
pub const ZONE_SUFFIX: &str = ".zone";

/// Zones, at most: each has keys and a journal on the disk, and some 10 kB of memory; far more than any provider has.
pub const ZONES_MAX: usize = 100_000;

/// Tenants of all zones, at most: some 6 GB of memory with records of their own, more than any provider has. Past it a
/// slip of a provisioning system would end the process, and with it the answers for all. It bounds what is kept: all that
/// the first files of a start hold is in memory for a moment.
pub const TENANTS_MAX: usize = 10_000_000;

/// Everything that is known.
pub struct World {
    config: Arc<Config>,
    /// How paths below `zones/` are shown: the folder as the configuration writes it.
    shown: String,
    /// The pools.
    pub pools: PoolTable,
    /// The zones by apex.
    pub zones: BTreeMap<Name, ZoneState>,
    /// Files by number.
    pub files: FileNames,
    /// How far a start is.
    pub progress: Arc<Progress>,
    tenants_max: usize,
    zones_max: usize,
    /// Octets of memory for records and tenants; none: nobody knows.
    memory: Option<usize>,
    /// What is held of all master files.
    held: Held,
    /// Tenants of all zones.
    pub(crate) tenants: usize,
    /// Numbers of files that are gone and may still be those of tenants.
    gone_files: BTreeMap<u32, Arc<str>>,
    file_ids: HashMap<Arc<str>, u32>,
    /// What is wrong with files before anybody reads them, by path.
    pub troubles: BTreeMap<String, Reason>,
    /// Findings of a kind that are told one by one, at most.
    told_max: usize,
    /// How many files of tenants are read.
    read_all: ReadAll,
    /// Where tenants of zones were that are gone.
    pub left_homes: BTreeMap<Name, Homes>,
    /// Whether a zone may want keys since they were asked for last.
    wants_keys: bool,
    /// Findings about zones that cannot be: bad names of files; none: it is only counted.
    misnamed: BTreeMap<String, Option<Box<Diagnostic>>>,
}

impl World {
    /// A world without files.
    pub fn new(config: impl Into<Arc<Config>>, shown: String) -> World {
        let config = config.into();
        let pools = PoolTable::new(config.tenants.ttl, format!("{shown}/{POOLS_FILE}"));
        World {
            config,
            shown,
            pools,
            zones: BTreeMap::new(),
            files: FileNames::default(),
            progress: Arc::default(),
            tenants_max: TENANTS_MAX,
            zones_max: ZONES_MAX,
            memory: None,
            held: Held::default(),
            tenants: 0,
            gone_files: BTreeMap::new(),
            file_ids: HashMap::new(),
            troubles: BTreeMap::new(),
            told_max: FINDINGS_TOLD_MAX,
            read_all: tenants::bulk::one_by_one,
            left_homes: BTreeMap::new(),
            wants_keys: false,
            misnamed: BTreeMap::new(),
        }
    }

    /// Takes in a new configuration; zones are signed and named as it says from now on.
    pub fn configure(&mut self, config: impl Into<Arc<Config>>) {
        self.config = config.into();
        self.pools.looks_change();
        let apexes: Vec<Name> = self.zones.keys().cloned().collect();
        for apex in apexes {
            let (signed, policy) = self.settings(&apex);
            let Some(zone) = self.zones.get_mut(&apex) else { continue };
            if zone.signed != signed || zone.policy != policy {
                zone.signed = signed;
                zone.policy = policy;
                zone.keys = if signed { Keys::Wanted } else { Keys::None };
            }
        }
    }

    /// Takes in a batch of files: pools first, then master files, then tenants, which depend on both.
    pub fn apply(&mut self, batch: Vec<FileChange>, known: &mut Known, now: UnixTime) -> BTreeMap<Name, Done> {
        let mut tenants: BTreeMap<Name, Vec<FileChange>> = BTreeMap::new();
        let (mut pools_changed, mut masters, mut coming) = (false, BTreeSet::new(), Vec::new());
        let including = self.zones.values().any(|zone| !zone.includes().is_empty());
        for change in batch {
            if including {
                masters.extend(self.apply_included(&change.path, known));
            }
            match self.kind(&change.path) {
                FileKind::Pools => pools_changed |= self.apply_pools(change.content, known),
                FileKind::Zone(apex) => coming.push((self.rank(&apex, known), change.path, apex, change.content)),
                FileKind::Tenants(apex) => {
                    if !self.zones.contains_key(&apex) {
                        self.zone_or_new(&apex, known);
                        masters.insert(apex.clone());
                    }
                    tenants.entry(apex).or_default().push(change);
                }
                FileKind::Included => {}
                FileKind::Misnamed(finding) => {
                    self.misname(&change.path, change.content.map(|_| finding));
                }
            }
        }
        coming.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        for (_, path, apex, content) in coming {
            // Zones of the same batch may have taken the last places.
            match self.kind(&path) {
                FileKind::Misnamed(finding) => self.misname(&path, content.map(|_| finding)),
                _ => masters.extend(self.apply_master(&apex, &path, content, known)),
            }
        }
        if !masters.is_empty() {
            self.build();
        }
        let mut done = BTreeMap::new();
        let gone = tenants.values().flatten().filter(|change| change.content.is_none());
        let gone: Vec<String> = gone.map(|change| change.path.clone()).collect();
        for path in &gone {
            let (path, id) = self.file(path);
            self.gone_files.insert(id, path);
        }
        for (apex, changes) in tenants {
            let what = self.apply_tenants(&apex, changes, now);
            done.insert(apex, what);
        }
        let again: Vec<Name> =
            self.zones.keys().filter(|apex| pools_changed || is_above(apex, &masters)).cloned().collect();
        for apex in again {
            let what = self.with_tenants(&apex, now, |tenants, around, pools| tenants.retry(around, pools));
            done.entry(apex).or_default().add(&what);
        }
        self.pools.settle_apart();
        self.pools.sweep();
        self.drop_empty(known);
        self.uncover();
        if !gone.is_empty() {
            self.give_back_numbers();
        }
        done
    }

    /// Removes what the shrink guard holds back: tenants, and zones whose master files are gone.
    pub fn allow_shrink(&mut self, now: UnixTime) -> BTreeMap<Name, Done> {
        let mut all = BTreeMap::new();
        for apex in self.zones.keys().cloned().collect::<Vec<Name>>() {
            let done = self.with_tenants(&apex, now, |tenants, around, pools| tenants.allow_shrink(around, pools));
            all.insert(apex, done);
        }
        let mut forgotten = false;
        for (apex, zone) in self.zones.iter_mut().filter(|(_, zone)| zone.is_gone() && zone.has_content()) {
            zone.forget_content();
            zone.refuse(only_tenants(apex, format!("{}/{}", self.shown, zone.path)), Master::Gone);
            forgotten = true;
        }
        self.pools.settle_apart();
        self.pools.sweep();
        self.drop_empty(&mut Known::default());
        self.uncover();
        self.give_back_numbers();
        if forgotten {
            self.build();
        }
        all
    }

    /// At a start, after the first batch: takes back what an earlier process kept.
    pub fn restore(
        &mut self,
        pools: Option<&str>,
        masters: &BTreeMap<Name, String>,
        texts: &BTreeMap<Name, String>,
        known: &mut Known,
        now: UnixTime,
    ) {
        if let Some(text) = pools {
            self.pools.restore(text);
        }
        for (apex, text) in masters {
            let nothing = &mut |_: &str| Err("last good content includes nothing".to_owned());
            let parsed = master::parse_within(&self.room(apex), apex, "last-good.zone", text, nothing);
            let gone = master_gone(apex, self.shown(&(zone_name::print(apex) + ZONE_SUFFIX)));
            let zone = self.zone_or_new(apex, known);
            if zone.is_gone() {
                zone.refuse(gone, Master::Gone);
            }
            zone.restore(parsed);
        }
        self.build();
        for apex in self.zones.keys().cloned().collect::<Vec<Name>>() {
            self.with_tenants(&apex, now, |tenants, around, pools| {
                tenants.retry(around, pools);
                tenants.restore(texts.get(&apex).map_or("", String::as_str), around, pools);
                // Whoever has not come by now gives way.
                if tenants.homes.end_start() {
                    tenants.retry(around, pools);
                }
                Done::default()
            });
        }
        self.pools.settle_apart();
        self.pools.sweep();
        self.drop_empty(known);
        self.uncover();
    }

    /// A file cannot be read now: the tenants in it, the zone or the pools stay as they were, with the reason.
    pub fn spoil(&mut self, path: &str, finding: Diagnostic, known: &mut Known) {
        match self.kind(path) {
            FileKind::Pools => drop(self.pools.refuse(vec![finding])),
            FileKind::Zone(apex) => {
                let zone = self.zone_or_new(&apex, known);
                if zone.is_gone() || zone.path == path {
                    zone.path = path.to_owned();
                    zone.refuse(finding, Master::Broken);
                }
                self.build();
            }
            FileKind::Tenants(apex) => {
                let (path, id) = self.file(path);
                self.zone_or_new(&apex, known).tenants.spoil(path, id, finding);
            }
            FileKind::Included | FileKind::Misnamed(_) => {}
        }
    }

    fn with_tenants(
        &mut self,
        apex: &Name,
        now: UnixTime,
        act: impl FnOnce(&mut Tenants, &Surroundings<'_>, &mut PoolTable) -> Done,
    ) -> Done {
        let tenants_max = self.tenants_room();
        let Some(zone) = self.zones.get_mut(apex) else { return Done::default() };
        self.tenants -= zone.tenants.table.len();
        let room = tenants_max.saturating_sub(self.tenants);
        let done = zone.with_tenants(now, &self.files, room, &mut self.pools, act);
        self.tenants += zone.tenants.table.len();
        done
    }

    /// Zones that neither a file nor anything served speaks for any more.
    fn drop_empty(&mut self, known: &mut Known) {
        let before = self.zones.len();
        let is_empty = |zone: &mut ZoneState| zone.is_gone() && !zone.has_content() && zone.tenants.is_empty();
        let left: Vec<(Name, ZoneState)> = self.zones.extract_if(.., |_, zone| is_empty(zone)).collect();
        for (apex, mut zone) in left {
            let past = ZonePast { keys: zone.past, was_last_good: zone.was_last_good, homes: None };
            known.ended.insert(apex.clone(), past);
            // Caches hold what its tenants had, whatever becomes of the zone.
            let homes = std::mem::take(&mut zone.tenants.homes);
            if !homes.is_empty() {
                self.left_homes.insert(apex, homes);
            }
        }
        if self.zones.len() != before {
            self.build();
        }
    }

    /// Files that master files include, below `zones/`.
    pub fn included_paths(&self) -> BTreeSet<String> {
        self.zones.values().flat_map(|zone| zone.includes()).cloned().collect()
    }

    /// The snapshot of what is known now.
    pub fn snapshot(&mut self, version: u64, identity: Arc<Identity>) -> Snapshot {
        let records = Arc::clone(self.pools.records());
        let (mut served, mut unavailable, mut delegated) = (Vec::new(), Vec::new(), Vec::new());
        for (apex, zone) in self.zones.iter_mut().filter(|(_, zone)| zone.covered.is_none()) {
            match zone.serve(&records) {
                Some(zone) => served.push(zone),
                None => {
                    delegated.extend(zone.delegation().map(|_| apex.clone()));
                    unavailable.push(apex.clone());
                }
            }
        }
        Snapshot::new(version, served, identity).without(unavailable, delegated)
    }

    /// How a path below `zones/` is shown.
    pub fn shown(&self, path: &str) -> String {
        format!("{}/{path}", self.shown)
    }

    fn zone_or_new(&mut self, apex: &Name, known: &mut Known) -> &mut ZoneState {
        if !self.zones.contains_key(apex) {
            let past = known.zones.remove(apex).or_else(|| known.ended.remove(apex)).unwrap_or_default();
            let (signed, policy) = self.settings_of(apex, past.keys.signed);
            let path = zone_name::print(apex) + ZONE_SUFFIX;
            let mut zone = ZoneState::new(apex.clone(), path.clone(), signed, policy);
            (zone.past, zone.was_last_good) = (past.keys, past.was_last_good);
            zone.refuse(only_tenants(apex, self.shown(&path)), Master::Gone);
            zone.tenants.tell(self.told_max);
            zone.tenants.homes = match self.left_homes.remove(apex) {
                Some(homes) => homes,
                None => past.homes.map(Homes::read).unwrap_or_default(),
            };
            zone.tenants.homes.take_gone(apex, &mut self.pools);
            self.zones.insert(apex.clone(), zone);
        }
        self.zones.get_mut(apex).expect("it was put in just above")
    }
}

enum FileKind {
    Pools,
    Zone(Name),
    Tenants(Name),
    Included,
    Misnamed(Box<Diagnostic>),
}
