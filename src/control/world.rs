//! All that the control plane knows: zones, pools, tenants, their files, and the snapshot that follows from them.
//!
//! It decides and never acts: files, certificates and keys come in through [`Outside`], the snapshot goes out as a value.

use crate::answer::{Identity, Snapshot};
use crate::config::Config;
use crate::control::pools::PoolTable;
use crate::control::tenants::{self, Done, Read};
use crate::control::zones::{Keys, ZoneState};
use crate::diagnostic::{Diagnostic, Place};
use crate::dns::name::{self, Name, ROOT};
use crate::time::UnixTime;
use crate::zone::master;
use crate::zone::tenant::SpkiDigest;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, RwLock};

/// The file of the pools below `zones/`.
pub const POOLS_FILE: &str = "pools.toml";
/// What a master file's name ends with; the rest is its zone.
pub const ZONE_SUFFIX: &str = ".zone";

/// What only a shell can do.
pub trait Outside {
    /// A file below `zones/`, or why not.
    fn read(&mut self, path: &str) -> Result<Vec<u8>, String>;
    /// TLSA 3 1 1 of a certificate file named by the pools.
    fn certificate(&mut self, path: &str) -> Result<SpkiDigest, String>;
    /// The keys of a zone; made at its first start.
    fn keys(&mut self, zone: &ZoneState) -> Keys;
    /// Whether a zone was ever signed here.
    fn was_signed(&mut self, apex: &Name) -> bool;
}

/// A file below `zones/` that is new, changed (`content`) or gone.
pub struct FileChange {
    /// Its path, parts joined by `/`.
    pub path: String,
    /// Its octets; none: gone.
    pub content: Option<Vec<u8>>,
}

/// The numbers of files, shared with those who print reports; it only grows.
#[derive(Clone, Default)]
pub struct FileNames(Arc<RwLock<Vec<Arc<str>>>>);

/// Everything that is known.
pub struct World {
    config: Config,
    /// How paths below `zones/` are shown: the folder as the configuration writes it.
    shown: String,
    /// The pools.
    pub pools: PoolTable,
    /// The zones by apex.
    pub zones: BTreeMap<Name, ZoneState>,
    /// Files by number.
    pub files: FileNames,
    file_ids: HashMap<Arc<str>, u32>,
    /// What is wrong with files before anybody reads them, by path.
    pub troubles: BTreeMap<String, Diagnostic>,
    /// Findings about zones that cannot be: bad names of files.
    misnamed: BTreeMap<String, Diagnostic>,
}

impl FileNames {
    /// The path of a file.
    pub fn path(&self, id: u32) -> Option<Arc<str>> {
        let names = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        names.get(usize::try_from(id).ok()?).cloned()
    }

    fn push(&self, path: Arc<str>) -> u32 {
        let mut names = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        names.push(path);
        u32::try_from(names.len() - 1).unwrap_or(u32::MAX)
    }
}

impl World {
    /// A world without files.
    pub fn new(config: Config, shown: String) -> World {
        World {
            config,
            shown,
            pools: PoolTable::default(),
            zones: BTreeMap::new(),
            files: FileNames::default(),
            file_ids: HashMap::new(),
            troubles: BTreeMap::new(),
            misnamed: BTreeMap::new(),
        }
    }

    /// Takes in a new configuration; zones are signed and named as it says from now on.
    pub fn configure(&mut self, config: Config, outside: &mut dyn Outside) {
        self.config = config;
        let apexes: Vec<Name> = self.zones.keys().cloned().collect();
        for apex in apexes {
            let (signed, policy) = self.settings(&apex, outside);
            let Some(zone) = self.zones.get_mut(&apex) else { continue };
            if zone.signed != signed || zone.policy != policy {
                zone.signed = signed;
                zone.policy = policy;
                zone.keys = if signed { Keys::Wanted } else { Keys::None };
            }
        }
    }

    /// Takes in a batch of files: pools first, then master files, then tenants, which depend on both.
    pub fn apply(&mut self, batch: Vec<FileChange>, now: UnixTime, outside: &mut dyn Outside) -> BTreeMap<Name, Done> {
        let mut tenants: BTreeMap<Name, Vec<Read>> = BTreeMap::new();
        let (mut pools_changed, mut masters) = (false, BTreeSet::new());
        for change in batch {
            match self.kind(&change.path) {
                FileKind::Pools => pools_changed |= self.apply_pools(change.content, outside),
                FileKind::Zone(apex) => {
                    self.apply_master(&apex, &change.path, change.content, outside);
                    masters.insert(apex);
                }
                FileKind::Tenants(apex) => {
                    let read = self.read_tenants(change);
                    tenants.entry(apex).or_default().push(read);
                }
                FileKind::Included => masters.extend(self.apply_included(&change.path, outside)),
                FileKind::Misnamed(finding) => {
                    match change.content {
                        Some(_) => self.misnamed.insert(change.path, *finding),
                        None => self.misnamed.remove(&change.path),
                    };
                }
            }
        }
        for apex in tenants.keys() {
            self.zone_or_new(apex, outside);
        }
        self.build(outside);
        let mut done = BTreeMap::new();
        for (apex, reads) in tenants {
            let Some(zone) = self.zones.get_mut(&apex) else { continue };
            let what =
                zone.with_tenants(now, &mut self.pools, |tenants, around, pools| tenants.apply(reads, around, pools));
            done.insert(apex, what);
        }
        for (apex, zone) in &mut self.zones {
            if pools_changed || masters.contains(apex) {
                let what =
                    zone.with_tenants(now, &mut self.pools, |tenants, around, pools| tenants.retry(around, pools));
                add(done.entry(apex.clone()).or_default(), &what);
            }
        }
        done
    }

    /// Removes what the shrink guard holds back: tenants, and zones whose master files are gone.
    pub fn allow_shrink(&mut self, now: UnixTime, outside: &mut dyn Outside) -> BTreeMap<Name, Done> {
        self.zones.retain(|_, zone| !zone.gone);
        self.build(outside);
        let mut all = BTreeMap::new();
        for (apex, zone) in &mut self.zones {
            let done =
                zone.with_tenants(now, &mut self.pools, |tenants, around, pools| tenants.allow_shrink(around, pools));
            all.insert(apex.clone(), done);
        }
        all
    }

    /// At a start, after the first batch: takes back what an earlier process kept.
    pub fn restore(
        &mut self,
        pools: Option<&str>,
        masters: &BTreeMap<Name, String>,
        texts: &BTreeMap<Name, String>,
        now: UnixTime,
        outside: &mut dyn Outside,
    ) {
        if let Some(text) = pools {
            self.pools.restore(text);
        }
        for (apex, text) in masters {
            let Some(zone) = self.zones.get_mut(apex).filter(|zone| !zone.has_content()) else { continue };
            let nothing = &mut |_: &str| Err("last good content includes nothing".to_owned());
            zone.restore(master::parse(apex, "last-good.zone", text, nothing));
        }
        self.build(outside);
        for (apex, zone) in &mut self.zones {
            zone.with_tenants(now, &mut self.pools, |tenants, around, pools| {
                tenants.retry(around, pools);
                tenants.restore(texts.get(apex).map_or("", String::as_str), pools);
            });
        }
    }

    /// A file cannot be read now: the tenants in it, the zone or the pools stay as they were, with the reason.
    pub fn spoil(&mut self, path: &str, finding: Diagnostic) {
        match self.kind(path) {
            FileKind::Pools => drop(self.pools.refuse(vec![finding])),
            FileKind::Zone(apex) => {
                if let Some(zone) = self.zones.get_mut(&apex) {
                    zone.refuse(finding);
                }
            }
            FileKind::Tenants(apex) => {
                let (path, id) = self.file(path);
                if let Some(zone) = self.zones.get_mut(&apex) {
                    zone.tenants.spoil(path, id, finding);
                }
            }
            FileKind::Included | FileKind::Misnamed(_) => {}
        }
    }

    /// Zones whose keys could not be used are tried again.
    pub fn thaw(&mut self, outside: &mut dyn Outside) {
        for zone in self.zones.values_mut().filter(|zone| matches!(zone.keys, Keys::Frozen(_))) {
            zone.keys = Keys::Wanted;
        }
        self.build(outside);
    }

    /// Files that master files include, below `zones/`.
    pub fn included_paths(&self) -> BTreeSet<String> {
        let prefix = format!("{}/", self.shown);
        let all = self.zones.values().flat_map(|zone| zone.includes());
        all.map(|path| path.strip_prefix(&prefix).unwrap_or(path).to_owned()).collect()
    }

    /// The snapshot of what is known now.
    pub fn snapshot(&mut self, version: u64, identity: Arc<Identity>) -> Snapshot {
        let records = Arc::clone(self.pools.records());
        let (mut served, mut unavailable) = (Vec::new(), Vec::new());
        for (apex, zone) in &mut self.zones {
            match zone.serve(&records) {
                Some(zone) => served.push(zone),
                None => unavailable.push(apex.clone()),
            }
        }
        Snapshot::new(version, served, identity).without(unavailable)
    }

    /// Reads the pools' certificates again; true where what is served changed.
    pub fn refresh_certificates(&mut self, outside: &mut dyn Outside) -> bool {
        let shown = self.shown(POOLS_FILE);
        self.pools.refresh_certificates(&shown, &mut |path| outside.certificate(path))
    }

    /// All findings: files, pools, zones, keys, tenants.
    pub fn findings(&self) -> Vec<Diagnostic> {
        let mut all: Vec<Diagnostic> = self.troubles.values().chain(self.misnamed.values()).cloned().collect();
        all.extend(self.pools.findings());
        for zone in self.zones.values() {
            all.extend(zone.findings());
            all.extend(zone.tenants.findings());
        }
        all
    }

    /// How a path below `zones/` is shown.
    pub fn shown(&self, path: &str) -> String {
        format!("{}/{path}", self.shown)
    }

    fn kind(&self, path: &str) -> FileKind {
        if path == POOLS_FILE {
            return FileKind::Pools;
        }
        let (folder, inside) = path.split_once('/').map_or((path, false), |(folder, _)| (folder, true));
        if inside && (path.ends_with(".toml") || path.ends_with(".ndjson")) {
            return self.named(path, folder).map_or_else(FileKind::Misnamed, FileKind::Tenants);
        }
        match path.strip_suffix(ZONE_SUFFIX).filter(|_| !inside) {
            Some(stem) => self.named(path, stem).map_or_else(FileKind::Misnamed, FileKind::Zone),
            None => FileKind::Included,
        }
    }

    fn named(&self, path: &str, stem: &str) -> Result<Name, Box<Diagnostic>> {
        Name::parse(stem, ROOT).map_err(|fault| {
            let message = format!("`{stem}` is not the name of a zone: {fault}");
            let place = Place::file(self.shown(path));
            Box::new(Diagnostic::error(
                "MX2120",
                place,
                message,
                "a master file is named after its zone, as in mx.example.zone",
            ))
        })
    }

    fn apply_pools(&mut self, content: Option<Vec<u8>>, outside: &mut dyn Outside) -> bool {
        let shown = self.shown(POOLS_FILE);
        match content {
            Some(octets) => self.pools.apply(&shown, &octets, &mut |path| outside.certificate(path)),
            None => {
                let message = "the file of the pools is gone";
                let help = "put it back; the last good pools are served until then";
                self.pools.refuse(vec![Diagnostic::error("MX3103", Place::file(shown), message, help)])
            }
        }
    }

    fn apply_master(&mut self, apex: &Name, path: &str, content: Option<Vec<u8>>, outside: &mut dyn Outside) {
        let shown = self.shown(path);
        let zone = self.zone_or_new(apex, outside);
        let Some(octets) = content else {
            zone.gone = true;
            let message = format!("the master file of {apex} is gone");
            let help = "put it back, or remove the zone with `mxseal reload --allow-shrink`; it is served until then";
            zone.refuse(Diagnostic::error("MX2121", Place::file(shown), message, help));
            return;
        };
        zone.gone = false;
        let parsed = match text(&shown, octets) {
            Ok(text) => master::parse(apex, &shown, &text, &mut |path| {
                let path = inside(path)?;
                let octets = outside.read(&path)?;
                String::from_utf8(octets).map_err(|_| "it is not UTF-8".to_owned())
            }),
            Err(finding) => return zone.refuse(*finding),
        };
        zone.take_in(parsed);
    }

    /// A file that some master files include changed: those are read again.
    fn apply_included(&mut self, path: &str, outside: &mut dyn Outside) -> Vec<Name> {
        let shown = self.shown(path);
        let includers: Vec<_> = self
            .zones
            .iter()
            .filter(|(_, zone)| zone.includes().contains(&shown))
            .map(|(apex, zone)| (apex.clone(), zone.path.clone()))
            .collect();
        for (apex, master) in &includers {
            if let Ok(octets) = outside.read(master) {
                self.apply_master(apex, master, Some(octets), outside);
            }
        }
        includers.into_iter().map(|(apex, _)| apex).collect()
    }

    fn read_tenants(&mut self, change: FileChange) -> Read {
        let (shown, id) = self.file(&change.path);
        let content = change.content.map(|octets| tenants::read(&change.path, &shown, &octets));
        Read { path: shown, id, content }
    }

    /// How a file is shown, and its number.
    fn file(&mut self, path: &str) -> (Arc<str>, u32) {
        let shown: Arc<str> = self.shown(path).into();
        if let Some(id) = self.file_ids.get(&shown) {
            return (shown, *id);
        }
        let id = self.files.push(Arc::clone(&shown));
        self.file_ids.insert(Arc::clone(&shown), id);
        (shown, id)
    }

    fn zone_or_new(&mut self, apex: &Name, outside: &mut dyn Outside) -> &mut ZoneState {
        if !self.zones.contains_key(apex) {
            let (signed, policy) = self.settings(apex, outside);
            let text = apex.to_string();
            let path = format!("{}{ZONE_SUFFIX}", text.trim_end_matches('.'));
            let mut zone = ZoneState::new(apex.clone(), path.clone(), signed, policy);
            let message = format!("there is no master file for the zone {apex}, only a folder with tenants");
            let help = "write one with SOA and NS, or rename the folder after a zone that has one";
            zone.refuse(Diagnostic::error("MX2122", Place::file(self.shown(&path)), message, help));
            self.zones.insert(apex.clone(), zone);
        }
        self.zones.get_mut(apex).expect("it was put in just above")
    }

    /// Whether a zone is signed, and how. A zone that was ever signed here stays so until its keys have been rolled to
    /// insecure: switching it off at once would make it bogus everywhere (STAY_SECURE).
    fn settings(&self, apex: &Name, outside: &mut dyn Outside) -> (bool, crate::config::Policy) {
        let text = apex.to_string();
        let text = text.trim_end_matches('.');
        let parent_is_ours = self.parent_of(apex).is_some();
        let signed = self.config.zone_settings(text).signed || outside.was_signed(apex);
        (signed, self.config.policy_for(text, parent_is_ours))
    }

    fn parent_of(&self, apex: &Name) -> Option<Name> {
        name::ancestors(apex).skip(1).find_map(|suffix| self.zones.get_key_value(suffix)).map(|(name, _)| name.clone())
    }

    /// Builds all content that needs it, children before parents, whose cuts they are.
    fn build(&mut self, outside: &mut dyn Outside) {
        let mut apexes: Vec<Name> = self.zones.keys().cloned().collect();
        apexes.sort_by_key(|apex| std::cmp::Reverse(name::label_count(apex)));
        let parents: BTreeMap<Name, Option<Name>> =
            apexes.iter().map(|apex| (apex.clone(), self.parent_of(apex))).collect();
        for apex in &apexes {
            let (signed, policy) = self.settings(apex, outside);
            let children = self.children_of(apex, &parents);
            let Some(zone) = self.zones.get_mut(apex) else { continue };
            zone.parent = parents.get(apex).cloned().flatten();
            if matches!(zone.keys, Keys::Wanted | Keys::None) && (zone.signed, &zone.policy) != (signed, &policy) {
                zone.signed = signed;
                zone.policy = policy;
                zone.keys = if signed { Keys::Wanted } else { Keys::None };
            }
            if matches!(zone.keys, Keys::Wanted) && zone.has_content() {
                zone.keys = outside.keys(zone);
            }
            zone.build_content(children);
        }
    }

    fn children_of(
        &self,
        apex: &Name,
        parents: &BTreeMap<Name, Option<Name>>,
    ) -> Vec<crate::zone::content::Delegation> {
        let children =
            self.zones.iter().filter(|(child, _)| parents.get(*child).is_some_and(|p| p.as_ref() == Some(apex)));
        children.filter_map(|(_, zone)| zone.delegation()).collect()
    }
}

enum FileKind {
    Pools,
    Zone(Name),
    Tenants(Name),
    Included,
    Misnamed(Box<Diagnostic>),
}

fn add(sum: &mut Done, more: &Done) {
    sum.added += more.added;
    sum.changed += more.changed;
    sum.removed += more.removed;
    sum.held += more.held;
}

fn text(shown: &str, octets: Vec<u8>) -> Result<String, Box<Diagnostic>> {
    crate::zone::tenant::text_of(shown, &octets).map(str::to_owned)
}

/// The path below `zones/` of an included file, which a master file names from its own folder: never outside of it.
fn inside(path: &str) -> Result<String, String> {
    let mut parts: Vec<&str> = Vec::new();
    if path.starts_with('/') {
        return Err("a path from the root leads out of the folder of zones".to_owned());
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop().ok_or("it leads out of the folder of zones")?),
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}
