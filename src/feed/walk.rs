//! Walks the provisioning folder, or a folder in it, in slices, and tells what is no longer there.
//!
//! A folder that cannot be listed keeps all that was known below it. Links to folders are followed once, never from
//! inside a folder that was itself reached by a link, so a walk always ends.

use crate::feed::read::{is_gone, unlisted, unreadable};
use crate::feed::settle::{Hint, Moment};
use crate::feed::{Files, Folder, Found, Hindrance, SEEN_FULL, SEEN_PART, lossy};
use crate::world::paths::{FOLDER_DEPTH_MAX, FOLDERS_MAX, is_below, is_dropping_folder, join, range_below};
use crate::world::trouble::Reason;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{DirEntry, ReadDir};
use std::io::Error;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

/// Names looked at in a slice: some ms of work, so that a tenant's file never waits long for a scan.
pub const SLICE_NAMES: usize = 2_048;
/// Octets of content delivered in a slice, beyond the last file.
pub const SLICE_OCTETS: usize = 8 << 20;

/// A walk that is under way.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    /// Folders to come.
    stack: Vec<Step>,
    /// The folder whose names are being read.
    open: Option<Open>,
    /// Where it began; empty: everywhere.
    top: String,
    /// Folders whose content could not be seen.
    unread: BTreeSet<String>,
    /// Number of this walk: troubles of places that were not met since have ended.
    number: u64,
    /// What is known about all files that it meets.
    hint: Hint,
}

#[derive(Debug)]
struct Step {
    path: String,
    /// Reached by a link.
    linked: bool,
}

#[derive(Debug)]
struct Open {
    step: Step,
    names: ReadDir,
    device: u64,
    /// Names that concern us.
    ours: usize,
}

impl Files {
    /// Scans everything at once; [`Files::scan_slice`] does it in small steps.
    pub fn scan(&mut self, now: Moment) -> Found {
        let mut out = Found::default();
        self.scan_begin();
        while !self.scan_some(now, &mut out) {}
        self.settle(now, &mut out);
        out
    }

    /// Begins a full scan (anew, if one is under way).
    pub fn scan_begin(&mut self) {
        for entry in self.entries.values_mut().filter(|_| self.full.is_some()) {
            entry.flags &= !SEEN_FULL;
        }
        let top = Step { path: String::new(), linked: false };
        self.walks += 1;
        self.full = Some(Walk { stack: vec![top], number: self.walks, ..Walk::default() });
    }

    /// Whether a full scan is under way: call [`Files::scan_slice`] until it is not.
    pub fn is_scanning(&self) -> bool {
        self.full.is_some()
    }

    /// The next slice of the full scan; looks may come in between. Does nothing where none is under way.
    pub fn scan_slice(&mut self, now: Moment) -> Found {
        let mut out = Found::default();
        self.scan_some(now, &mut out);
        self.settle(now, &mut out);
        out
    }

    /// True: the scan has ended.
    fn scan_some(&mut self, now: Moment, out: &mut Found) -> bool {
        let Some(mut walk) = self.full.take() else { return true };
        if walk.open.is_none() && walk.stack.last().is_some_and(|step| step.path.is_empty()) && !self.enter_root(out) {
            return true;
        }
        self.sighting = SEEN_FULL;
        let ended = self.walk_some(&mut walk, now, out);
        self.sighting = 0;
        if !ended {
            // Looks in between mark what they see as seen by this scan.
            self.full = Some(walk);
            return false;
        }
        self.sighting = SEEN_FULL;
        self.walk_includes(now, out);
        self.sighting = 0;
        let seen_all = !walk.unread.contains("");
        self.walk_end(walk, SEEN_FULL, now, out);
        out.complete = seen_all;
        true
    }

    /// Finds the root anew: it may be a link, and it may be another folder than last time.
    fn enter_root(&mut self, out: &mut Found) -> bool {
        let found = self.root.canonicalize().and_then(|real| Ok((real.metadata()?, real)));
        match found {
            Ok((meta, real)) if meta.is_dir() => {
                let standing = self.places.get("").map(|place| place.reason);
                if matches!(standing, Some(Reason::RootMissing | Reason::FolderUnreadable(_) | Reason::Shortage(_))) {
                    self.heal_place("", out);
                }
                self.real = real;
                self.root_inode = Some((meta.dev(), meta.ino()));
                return true;
            }
            Err(fault) if !is_gone(&fault) => {
                self.place("", unlisted(&fault), out);
            }
            Ok(_) | Err(_) => self.place("", Reason::RootMissing, out),
        }
        self.root_inode = None;
        for entry in self.entries.values_mut() {
            entry.flags &= !SEEN_FULL;
        }
        false
    }

    /// Scans below one folder.
    pub(super) fn walk_part(&mut self, path: &str, linked: bool, hint: Hint, now: Moment, out: &mut Found) {
        let hint = if hint == Hint::Placed { hint } else { Hint::None };
        let linked = linked || self.is_below_link(path);
        let step = Step { path: path.to_owned(), linked };
        self.walks += 1;
        let mut walk = Walk { stack: vec![step], top: path.to_owned(), hint, number: self.walks, ..Walk::default() };
        let before = self.sighting;
        self.sighting |= SEEN_PART | if self.full.is_some() { SEEN_FULL } else { 0 };
        while !self.walk_some(&mut walk, now, out) {}
        self.sighting = before;
        self.walk_end(walk, SEEN_PART, now, out);
    }

    /// Whether a folder above is reached by a link.
    pub(super) fn is_below_link(&self, path: &str) -> bool {
        let above = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        above.into_iter().any(|above| self.real.join(above).is_symlink())
    }

    /// Files that only master files name, wherever they lie.
    fn walk_includes(&mut self, now: Moment, out: &mut Found) {
        let hidden =
            |path: &&String| path.rsplit_once('/').is_some_and(|(above, _)| above.split('/').any(is_dropping_folder));
        for path in self.includes.iter().filter(hidden).cloned().collect::<Vec<String>>() {
            let Some(kind) = self.kind(&path) else { continue };
            match self.real.join(&path).symlink_metadata() {
                Ok(meta) if meta.is_symlink() => drop(self.link(&path, Hint::None, now, out)),
                Ok(meta) => self.file(&path, kind, &meta, Hint::None, now, out),
                Err(_) => {}
            }
        }
    }

    /// A slice of a walk. True: it has ended.
    fn walk_some(&mut self, walk: &mut Walk, now: Moment, out: &mut Found) -> bool {
        let mut octets = 0usize;
        for _ in 0..SLICE_NAMES {
            let delivered = out.changed.len();
            let Some(open) = &mut walk.open else {
                let Some(step) = walk.stack.pop() else { return true };
                self.open_folder(walk, step, now, out);
                continue;
            };
            match open.names.next() {
                Some(Ok(entry)) => self.name(walk, &entry, now, out),
                Some(Err(fault)) => {
                    let path = open.step.path.clone();
                    self.unlisted(walk, &path, &fault, now, out);
                    walk.open = None;
                }
                None => self.close_folder(walk, out),
            }
            octets += out.changed.iter().skip(delivered).map(|file| file.content.len()).sum::<usize>();
            if octets > SLICE_OCTETS {
                return false;
            }
        }
        false
    }

    fn open_folder(&mut self, walk: &mut Walk, step: Step, now: Moment, out: &mut Found) {
        let path = self.real.join(&step.path);
        if step.linked && !path.canonicalize().is_ok_and(|real| real.starts_with(&self.real)) {
            return self.unread(walk, &step.path, Reason::LinkOut, out);
        }
        let opened = std::fs::metadata(&path).and_then(|meta| Ok((meta.dev(), std::fs::read_dir(&path)?)));
        match opened {
            Ok(_) if self.folders.len() >= FOLDERS_MAX && !self.folders.contains_key(step.path.as_str()) => {
                self.place("", Reason::TooManyFiles, out);
            }
            Ok((device, names)) => {
                self.lost.remove(&step.path);
                let fresh = Folder { device, flags: 0 };
                self.folders.entry(step.path.as_str().into()).or_insert(fresh).flags |= self.sighting;
                walk.open = Some(Open { step, names, device, ours: 0 });
            }
            // It vanished under way: what was below it is not seen, hence missing.
            Err(fault) if is_gone(&fault) => {}
            Err(fault) => {
                self.unlisted(walk, &step.path, &fault, now, out);
            }
        }
    }

    /// A folder that the system does not list; where that passes, it is tried again.
    fn unlisted(&mut self, walk: &mut Walk, path: &str, fault: &Error, now: Moment, out: &mut Found) {
        let reason = unlisted(fault);
        self.try_later(path, reason, now);
        self.unread(walk, path, reason, out);
    }

    /// A folder whose content cannot be seen: all that was known stays.
    fn unread(&mut self, walk: &mut Walk, path: &str, reason: Reason, out: &mut Found) {
        self.place(path, reason, out);
        self.see_below(path);
        walk.unread.insert(path.to_owned());
    }

    /// One name of the folder that is open.
    fn name(&mut self, walk: &mut Walk, entry: &DirEntry, now: Moment, out: &mut Found) {
        let Some(open) = &mut walk.open else { return };
        let (folder, linked) = (open.step.path.clone(), open.step.linked);
        let name = entry.file_name();
        let kind_of_name = match entry.file_type() {
            Ok(kind) => kind,
            Err(fault) if is_gone(&fault) => return,
            // Not seen is not gone.
            Err(fault) => return self.unlisted(walk, &folder, &fault, now, out),
        };
        let Some(text) = name.to_str() else {
            if kind_of_name.is_dir() || ends_like_ours(&name) {
                self.place(&lossy(&folder, &name), Reason::NameNotUtf8, out);
            }
            return;
        };
        let path = join(&folder, text);
        if kind_of_name.is_dir() {
            if !is_dropping_folder(text) {
                open.ours += 1;
                self.no_file(&path, now);
                self.push(walk, path, linked, out);
            }
        } else if kind_of_name.is_symlink() {
            let ours = self.link(&path, walk.hint, now, out);
            if let Some(open) = walk.open.as_mut().filter(|_| ours || self.kind(&path).is_some()) {
                open.ours += 1;
            }
            if ours {
                self.push(walk, path, true, out);
            }
        } else if let Some(kind) = self.kind(&path) {
            open.ours += 1;
            match entry.metadata() {
                Ok(meta) => self.file(&path, kind, &meta, walk.hint, now, out),
                Err(fault) if is_gone(&fault) => {}
                Err(fault) => self.refused(&path, unreadable(&fault), now, out),
            }
        }
    }

    fn push(&mut self, walk: &mut Walk, path: String, linked: bool, out: &mut Found) {
        if path.split('/').count() > FOLDER_DEPTH_MAX {
            return self.unread(walk, &path, Reason::TooDeep, out);
        }
        walk.stack.push(Step { path, linked });
    }

    /// All names of a folder were read. An empty one on another file system than before was unmounted.
    fn close_folder(&mut self, walk: &mut Walk, out: &mut Found) {
        let Some(open) = walk.open.take() else { return };
        let path = open.step.path;
        let below = range_below::<Box<str>>(&path);
        let had_files = self.entries.range(below.clone()).next().is_some();
        let moved = self.folders.get(path.as_str()).is_some_and(|known| known.device != open.device);
        if open.ours == 0 && had_files && moved {
            return self.unread(walk, &path, Reason::Unmounted, out);
        }
        if open.ours == 0 && had_files && path.is_empty() {
            return self.unread(walk, &path, Reason::AllGone, out);
        }
        if let Some(known) = self.folders.get_mut(path.as_str()) {
            known.device = open.device;
        }
    }

    /// What was known below the top and was not seen is missing; troubles that were not met again have ended.
    fn walk_end(&mut self, walk: Walk, flag: u8, now: Moment, out: &mut Found) {
        let below = range_below::<Box<str>>(&walk.top);
        let mut folders: Vec<String> = Vec::new();
        for (path, folder) in self.folders.range_mut(below.clone()).filter(|(path, _)| !path.is_empty()) {
            if folder.flags & flag == 0 {
                folders.push(path.to_string());
            }
            folder.flags &= !flag;
        }
        folders.retain(|path| !is_unread(&walk.unread, path));
        for path in folders {
            self.folder_gone(&path, now);
        }
        let mut files: Vec<String> = Vec::new();
        for (path, entry) in self.entries.range_mut(below) {
            if entry.flags & flag == 0 {
                files.push(path.to_string());
            }
            entry.flags &= !flag;
        }
        let nothing_seen = flag == SEEN_FULL && !files.is_empty() && files.len() >= self.entries.len();
        files.retain(|path| {
            let lost = path.contains('/') && self.lost.contains_key(crate::world::paths::zone_folder(path));
            !lost && !is_unread(&walk.unread, path)
        });
        for path in files {
            self.links.forget(&path);
            self.no_file(&path, now);
        }
        let inside = |path: &str| path == walk.top || is_below(path, &walk.top);
        let over = |(path, place): &(&String, &Hindrance)| inside(path) && place.met < walk.number;
        let ended: Vec<String> = self.places.iter().filter(over).map(|(path, _)| path.clone()).collect();
        for path in ended {
            let stays = path.is_empty() && nothing_seen;
            if !stays && !self.lost.contains_key(&path) && !is_unread(&walk.unread, &path) {
                self.heal_place(&path, out);
            }
        }
    }
}

fn is_unread(unread: &BTreeSet<String>, path: &str) -> bool {
    let above = || path.match_indices('/').filter_map(|(at, _)| path.get(..at));
    !unread.is_empty() && (unread.contains("") || unread.contains(path) || above().any(|above| unread.contains(above)))
}

/// Whether a name that is not UTF-8 ends as one of our files does.
fn ends_like_ours(name: &OsStr) -> bool {
    let ends: [&[u8]; 3] = [b".zone", b".toml", b".ndjson"];
    !name.as_bytes().starts_with(b".") && ends.iter().any(|end| name.as_bytes().ends_with(end))
}
