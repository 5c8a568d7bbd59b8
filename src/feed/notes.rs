//! What is noted about a path of the provisioning folder: that it was seen, is in trouble, or is no longer.
//!
//! A trouble is said once, when it begins, and once more when it ends. Noting one never drops what was delivered.

use crate::feed::{Entry, Files, Found, Hindrance};
use crate::world::paths::{FILES_MAX, range_below};
use crate::world::trouble::{Healed, Reason, Trouble, code_of};
use std::path::PathBuf;

impl Files {
    /// Notes that the file exists, whatever its content.
    pub(super) fn see(&mut self, path: &str) {
        self.missing.remove(path);
        if let Some(entry) = self.entries.get_mut(path) {
            entry.flags |= self.sighting;
        }
    }

    /// Notes that all that is known below a folder stays, as the folder itself cannot be read now.
    pub(super) fn see_below(&mut self, folder: &str) {
        let below = range_below::<Box<str>>(folder);
        for (_, entry) in self.entries.range_mut(below.clone()) {
            entry.flags |= self.sighting;
        }
        for (_, known) in self.folders.range_mut(below.clone()) {
            known.flags |= self.sighting;
        }
        if let Some(known) = self.folders.get_mut(folder) {
            known.flags |= self.sighting;
        }
    }

    pub(super) fn trouble_of(&self, path: &str) -> u8 {
        self.entries.get(path).map_or(0, |entry| entry.trouble)
    }

    /// A file is in trouble: said once. What was delivered stays.
    pub(super) fn trouble(&mut self, path: &str, reason: Reason, out: &mut Found) {
        self.settling.remove(path);
        self.tell(path, reason, out);
    }

    /// The same of a file that is waited for all the same.
    pub(super) fn tell(&mut self, path: &str, reason: Reason, out: &mut Found) {
        if self.entries.len() >= FILES_MAX && !self.entries.contains_key(path) {
            return self.place("", Reason::TooManyFiles, out);
        }
        let fresh = Entry { identity: 0, hash: [0; 16], size: 0, trouble: 0, flags: 0 };
        let entry = self.entries.entry(path.into()).or_insert(fresh);
        let told = entry.trouble == reason.number();
        entry.trouble = reason.number();
        self.see(path);
        if !told {
            out.troubled.push(Trouble { path: PathBuf::from(path), reason });
        }
    }

    pub(super) fn heal(&mut self, path: &str, out: &mut Found) {
        if let Some(entry) = self.entries.get_mut(path).filter(|entry| entry.trouble != 0) {
            out.healed.push(Healed { path: PathBuf::from(path), code: code_of(entry.trouble) });
            entry.trouble = 0;
        }
    }

    /// A folder, or a name that can be none of our files, is in trouble: said once.
    pub(super) fn place(&mut self, path: &str, reason: Reason, out: &mut Found) {
        let before = self.places.insert(path.to_owned(), Hindrance { reason, met: self.walks });
        if before.is_none_or(|before| before.reason != reason) {
            out.troubled.push(Trouble { path: PathBuf::from(path), reason });
        }
    }

    pub(super) fn heal_place(&mut self, path: &str, out: &mut Found) {
        if let Some(place) = self.places.remove(path) {
            out.healed.push(Healed { path: PathBuf::from(path), code: place.reason.code() });
        }
    }
}
