//! What files name beside themselves: files that master files include, certificates of pools, zones that are new.
//!
//! Pure. It reads nothing and changes nothing: a file that is not known yet is named, and looked into once it is.

use crate::dns::name::Name;
use crate::world::changes::{Changes, text};
use crate::world::files::inside;
use crate::world::{FileChange, FileKind, Known, Needs, POOLS_FILE, World};
use crate::zone::{master, tenant};
use std::collections::BTreeSet;

impl World {
    /// What has to be known beyond `known` before these changes can be taken in. A file that was read may name others, so this
    /// is asked until it is nothing.
    pub fn needs(&self, changes: &Changes, known: &Known) -> Needs {
        let there = changes.documents.iter().map(|document| (document.path.as_str(), Some(document.octets.as_slice())));
        let troubled: Vec<String> = changes.troubled.iter().map(|trouble| text(&trouble.path)).collect();
        let others = changes.gone.iter().chain(&troubled).map(|path| (path.as_str(), None));
        self.needs_of(there.chain(others), known)
    }

    /// The same for files one by one.
    pub fn needs_of_files(&self, files: &[FileChange], known: &Known) -> Needs {
        self.needs_of(files.iter().map(|file| (file.path.as_str(), file.content.as_deref())), known)
    }

    /// The same where certificates are read again.
    pub fn needs_of_certificates(&self) -> Needs {
        Needs { certificates: self.pools.certificate_paths(), ..Needs::default() }
    }

    /// The same where these zones begin.
    pub fn needs_of_zones<'a>(&self, apexes: impl Iterator<Item = &'a Name>) -> Needs {
        let new = apexes.filter(|apex| !self.zones.contains_key(*apex));
        Needs { zones: new.cloned().collect(), ..Needs::default() }
    }

    fn needs_of<'a>(&self, files: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>, known: &Known) -> Needs {
        let mut needs = Needs::default();
        let including = self.zones.values().any(|zone| !zone.includes().is_empty());
        // Files of one folder come one after another, and say the same of their zone.
        let mut before = "";
        for (path, content) in files {
            if including {
                self.needs_of_includers(path, known, &mut needs);
            }
            let folder = path.split_once('/').map_or("", |(folder, _)| folder);
            if !folder.is_empty() && folder == before {
                continue;
            }
            match self.kind(path) {
                FileKind::Pools => needs.certificates.extend(content.into_iter().flat_map(certificates)),
                FileKind::Zone(apex) => self.needs_of_master(apex, path, content, known, &mut needs),
                FileKind::Tenants(apex) => {
                    needs.zones.insert(apex);
                    before = folder;
                }
                FileKind::Included | FileKind::Misnamed(_) => {}
            }
        }
        needs.zones.retain(|apex| !self.zones.contains_key(apex));
        known.lack(&mut needs);
        needs
    }

    /// Master files that include this one are read again.
    fn needs_of_includers(&self, path: &str, known: &Known, needs: &mut Needs) {
        for (apex, master) in self.includers(path) {
            self.again(&apex, master, known, needs);
        }
    }

    fn needs_of_master(&self, apex: Name, path: &str, content: Option<&[u8]>, known: &Known, needs: &mut Needs) {
        match content {
            Some(octets) => self.included(&apex, octets, known, &mut needs.documents),
            // Another spelling of the same name may have waited for this one to go.
            None => self.waiting(&apex).into_iter().for_each(|other| self.again(&apex, other, known, needs)),
        }
        if self.zones.get(&apex).is_some_and(|zone| zone.path != path) {
            self.again(&apex, path.to_owned(), known, needs);
        }
        needs.zones.insert(apex);
    }

    /// A master file is read again, and what it includes.
    fn again(&self, apex: &Name, master: String, known: &Known, needs: &mut Needs) {
        if let Ok(octets) = known.document(&master) {
            self.included(apex, octets, known, &mut needs.documents);
        }
        needs.documents.insert(master);
    }

    /// The files that a master file includes, as far as those that are known say.
    fn included(&self, apex: &Name, octets: &[u8], known: &Known, into: &mut BTreeSet<String>) {
        let text = master::text_of(octets);
        if !master::may_include(&text) {
            return;
        }
        master::parse_within(&self.own_room(apex), apex, "", &text, &mut |path| {
            let path = inside(path)?;
            let text = known.document(&path).map(|octets| master::text_of(octets).into_owned());
            into.insert(path);
            text
        });
    }
}

/// The certificate files that pools name.
fn certificates(octets: &[u8]) -> Vec<String> {
    let pools = tenant::text_of(POOLS_FILE, octets).map(|text| tenant::parse_pools(POOLS_FILE, text).entries);
    pools.unwrap_or_default().into_iter().flat_map(|pool| pool.certificates).collect()
}
