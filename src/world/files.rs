//! What each kind of file changes: pools, master files, includes, tenants.

mod needs;

use crate::diagnostic::{Diagnostic, Place};
use crate::dns::name::Name;
use crate::dns::rrset::hash_name;
use crate::dns::zone_name;
use crate::time::UnixTime;
use crate::world::tenants;
use crate::world::tenants::bulk;
use crate::world::tenants::bulk::{Job, static_labels};
use crate::world::tenants::{Done, Read};
use crate::world::zones::{Master, ZoneState};
use crate::world::{FileChange, FileKind, Known, POOLS_FILE, World, ZONE_SUFFIX};
use crate::zone::master;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

impl World {
    pub(super) fn kind(&self, path: &str) -> FileKind {
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

    pub(super) fn named(&self, path: &str, stem: &str) -> Result<Name, Box<Diagnostic>> {
        let parsed = zone_name::parse(stem);
        if parsed.as_ref().is_ok_and(|apex| self.zones.len() >= self.zones_max && !self.zones.contains_key(apex)) {
            let message = format!("there are {} zones already, as many as there may be", self.zones_max);
            let help = "remove zones or divide them over several servers, then write this file anew";
            return Err(Box::new(Diagnostic::error("MX2126", Place::file(self.shown(path)), message, help)));
        }
        parsed.map_err(|fault| {
            let stem = stem.replace(char::is_control, "\u{fffd}");
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

    /// Reads the pools' certificates again.
    pub fn refresh_certificates(&mut self, known: &Known) {
        let shown = self.shown(POOLS_FILE);
        self.pools.refresh_certificates(&shown, known);
    }

    pub(super) fn apply_pools(&mut self, content: Option<Vec<u8>>, known: &Known) -> bool {
        let shown = self.shown(POOLS_FILE);
        match content {
            Some(octets) => self.pools.apply(&shown, &octets, known),
            None => {
                let message = "the file of the pools is gone";
                let help = "put it back; the last good pools are served until then";
                self.pools.refuse(vec![Diagnostic::error("MX3203", Place::file(shown), message, help)])
            }
        }
    }

    /// Takes in a master file; the zones that are other than before.
    pub(super) fn apply_master(
        &mut self,
        apex: &Name,
        path: &str,
        content: Option<Vec<u8>>,
        known: &mut Known,
    ) -> BTreeSet<Name> {
        let shown = self.shown(path);
        if self.zones.get(apex).is_some_and(|zone| !zone.is_gone() && zone.path != path) {
            self.rival(apex, path, content.is_some());
            return BTreeSet::new();
        }
        self.misnamed.remove(path);
        let Some(octets) = content else { return self.master_is_gone(apex, path, known) };
        let mut included = Vec::new();
        let room = self.room(apex);
        let parsed = text(&shown, &octets).map(|text| {
            master::parse_within(&room, apex, &shown, &text, &mut |path| {
                let path = inside(path)?;
                included.push(path.clone());
                let text = master::text_of(known.document(&path)?).into_owned();
                master::unended(&path, &text).map_or(Ok(text), |fault| Err(fault.message))
            })
        });
        let zone = self.zone_or_new(apex, known);
        let before = zone.held();
        zone.path = path.to_owned();
        match parsed {
            Ok(parsed) => zone.take_in(parsed, included),
            Err(finding) => zone.refuse(*finding, Master::Broken),
        }
        self.count_held_of(apex, before);
        BTreeSet::from([apex.clone()])
    }

    pub(super) fn master_is_gone(&mut self, apex: &Name, path: &str, known: &mut Known) -> BTreeSet<Name> {
        let gone = master_gone(apex, self.shown(path));
        if let Some(zone) = self.zones.get_mut(apex) {
            if zone.covered.is_some() {
                // It never was served, so there is nothing to go on with.
                zone.forget_content();
            }
            zone.refuse(gone, Master::Gone);
        }
        if let Some(other) = self.waiting(apex)
            && let Ok(octets) = known.document(&other).map(<[u8]>::to_vec)
        {
            return self.apply_master(apex, &other, Some(octets), known);
        }
        BTreeSet::from([apex.clone()])
    }

    /// Another spelling of the same name that waits.
    pub(super) fn waiting(&self, apex: &Name) -> Option<String> {
        let is_it = |other: &&String| matches!(self.kind(other), FileKind::Zone(name) if name == *apex);
        self.misnamed.keys().find(is_it).cloned()
    }

    /// A second master file for a zone, under another spelling of its name: the first one stays.
    pub(super) fn rival(&mut self, apex: &Name, path: &str, is_there: bool) {
        if !is_there {
            self.misnamed.remove(path);
            return;
        }
        let first = self.zones.get(apex).map(|zone| self.shown(&zone.path)).unwrap_or_default();
        let message = format!("the zone {apex} has another master file already: {first}");
        let help = "remove one of the two; a name is the same in upper and lower case, in U-labels and A-labels, and with escapes";
        let finding = Diagnostic::error("MX2123", Place::file(self.shown(path)), message, help);
        self.misname(path, Some(Box::new(finding)));
    }

    /// A file that some master files include changed: those are read again.
    pub(super) fn apply_included(&mut self, path: &str, known: &mut Known) -> BTreeSet<Name> {
        let mut changed = BTreeSet::new();
        for (apex, master) in self.includers(path) {
            if let Ok(octets) = known.document(&master).map(<[u8]>::to_vec) {
                changed.extend(self.apply_master(&apex, &master, Some(octets), known));
            }
        }
        changed
    }

    /// Zones whose master files include this one, and these files.
    pub(super) fn includers(&self, path: &str) -> Vec<(Name, String)> {
        let includes = |zone: &ZoneState| zone.includes().iter().any(|included| included == path);
        let includers = self.zones.iter().filter(|(_, zone)| !zone.is_gone() && includes(zone));
        includers.map(|(apex, zone)| (apex.clone(), zone.path.clone())).collect()
    }

    /// Takes in files of tenants: the first ones of a zone all at once.
    pub(super) fn apply_tenants(&mut self, apex: &Name, changes: Vec<FileChange>, now: UnixTime) -> Done {
        let paths: BTreeSet<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        let all_new = paths.len() == changes.len() && changes.iter().all(|change| change.content.is_some());
        let zone = self.zones.get(apex).filter(|zone| all_new && zone.tenants.is_untouched());
        let labels = |zone: &ZoneState| {
            let mut all = static_labels(apex, zone.content().map(|content| &**content));
            all.extend(zone.cut.iter().map(|label| hash_name(label)));
            all
        };
        let Some(is_static) = zone.map(labels) else {
            let reads = changes.into_iter().map(|change| self.read_tenants(change)).collect();
            return self.with_tenants(apex, now, |tenants, around, pools| tenants.apply(reads, around, pools));
        };
        let job = |change: FileChange| {
            let (path, id) = self.file(&change.path);
            Job { relative: change.path, path, id, octets: change.content.unwrap_or_default() }
        };
        let jobs = changes.into_iter().map(job).collect();
        let Some(zone) = self.zones.get(apex) else { return Done::default() };
        let known = bulk::Known { apex, is_static, pools: &self.pools, homes: &zone.tenants.homes };
        let progress = &*self.progress;
        let files = (self.read_all)(jobs, &|job| bulk::read(job, &known, progress));
        self.with_tenants(apex, now, |tenants, around, pools| tenants.fill(files, around, pools))
    }

    fn read_tenants(&mut self, change: FileChange) -> Read {
        let (shown, id) = self.file(&change.path);
        let content = change.content.map(|octets| tenants::read(&change.path, &shown, &octets));
        Read { path: shown, id, content }
    }

    /// How a file is shown, and its number.
    pub(super) fn file(&mut self, path: &str) -> (Arc<str>, u32) {
        let shown: Arc<str> = self.shown(path).into();
        if let Some(id) = self.file_ids.get(&shown) {
            return (shown, *id);
        }
        let id = self.files.push(Arc::clone(&shown));
        self.file_ids.insert(Arc::clone(&shown), id);
        (shown, id)
    }

    /// Numbers of files that are gone become free, once no tenant bears them: one that is held back or last good may.
    pub(super) fn give_back_numbers(&mut self) {
        if self.gone_files.is_empty() {
            return;
        }
        let borne: BTreeSet<u32> = self.zones.values().flat_map(|zone| zone.tenants.odd_numbers()).collect();
        for (id, path) in std::mem::take(&mut self.gone_files) {
            let is_back = || self.zones.values().any(|zone| zone.tenants.has_file(&path));
            if borne.contains(&id) {
                self.gone_files.insert(id, path);
            } else if !is_back() {
                self.file_ids.remove(&path);
                self.files.give_back(id);
            }
        }
    }
}

/// The text of a master file, whole, whatever its encoding; octets of zero are in none.
fn text<'o>(shown: &str, octets: &'o [u8]) -> Result<Cow<'o, str>, Box<Diagnostic>> {
    let text = master::text_of(octets);
    crate::zone::tenant::text_of(shown, text.as_bytes())?;
    match master::unended(shown, &text) {
        Some(fault) => Err(Box::new(fault)),
        None => Ok(text),
    }
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

pub(super) fn master_gone(apex: &Name, shown: String) -> Diagnostic {
    let message = format!("the master file of {apex} is gone");
    let help = "put it back, or remove the zone with `mxseal reload --allow-shrink`; it is served until then";
    Diagnostic::error("MX2121", Place::file(shown), message, help)
}

pub(super) fn only_tenants(apex: &Name, shown: String) -> Diagnostic {
    let message = format!("there is no master file for the zone {apex}, only a folder with tenants");
    let help = "write one with SOA and NS, or rename the folder after a zone that has one";
    Diagnostic::error("MX2122", Place::file(shown), message, help)
}
