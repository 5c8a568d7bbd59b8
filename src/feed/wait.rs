//! What waits: files that may still be written, files and folders that may come back, links that may get their target.
//!
//! A removal is delivered only when the name has been absent for a while and is absent still, together with all others
//! of its time, and never when a whole zone's folder or everything is absent.

use crate::feed::read::is_gone;
use crate::feed::settle::{Hint, Identity, Moment, REMOVALS_MAX, SETTLE, Settling};
use crate::feed::{DELIVERED, FORGOTTEN, Files, Found};
use crate::world::paths::{range_below, zone_folder};
use crate::world::trouble::Reason;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Files that may wait for quiet at the same time; past it a full scan finds the rest.
pub const SETTLING_MAX: usize = 65_536;
/// Removals that may wait at the same time; past it a full scan finds the rest.
pub const MISSING_MAX: usize = 1 << 20;

/// The first pause after which what could not be read for a fault of this moment is tried again; each next one is twice as
/// long.
const SHORT_PAUSE: Duration = Duration::from_secs(1);
/// The longest: a shortage that lasts is not made worse by asking.
const SHORT_PAUSE_MAX: Duration = Duration::from_secs(30);
/// What waits so at the same time, at most; past it a full scan finds the rest.
const SHORT_MAX: usize = 65_536;

impl Files {
    /// Tries a file or folder again that could not be read for a fault of this moment: nothing may be heard of it.
    pub(super) fn try_later(&mut self, path: &str, reason: Reason, now: Moment) {
        if !matches!(reason, Reason::Shortage(_)) {
            return;
        }
        if self.short.len() >= SHORT_MAX && !self.short.contains_key(path) {
            self.doubt = self.doubt.or(Some(now.steady));
            return;
        }
        let before = self.short.get(path).map(|(_, pause)| *pause);
        let pause = before.map_or(SHORT_PAUSE, |pause| (pause * 2).min(SHORT_PAUSE_MAX));
        self.short.insert(path.to_owned(), (now.steady + pause, pause));
    }

    /// The system refuses to have a file read: that is its trouble, and it is tried again where that passes.
    pub(super) fn refused(&mut self, path: &str, reason: Reason, now: Moment, out: &mut Found) {
        self.trouble(path, reason, out);
        self.try_later(path, reason, now);
    }

    /// Tries what could not be read, where its time has come.
    fn settle_short(&mut self, now: Moment, out: &mut Found) {
        let is_due = |at: &Instant| *at <= now.steady;
        let due: Vec<String> =
            self.short.iter().filter(|(_, (at, _))| is_due(at)).map(|(path, _)| path.clone()).collect();
        for path in due {
            if path.is_empty() {
                out.rescan = true;
            } else {
                self.visit(&path, Hint::None, now, out);
            }
            // One that is short again has a later time now.
            if self.short.get(&path).is_some_and(|(at, _)| is_due(at)) {
                self.short.remove(&path);
            }
        }
    }

    /// Waits for quiet.
    pub(super) fn wait(&mut self, path: &str, settling: Settling, now: Moment) {
        if let Some(known) = self.settling.get_mut(path) {
            *known = settling;
        } else if self.settling.len() >= SETTLING_MAX {
            self.doubt = self.doubt.or(Some(now.steady));
        } else {
            self.queue.push_back((settling.since + SETTLE, path.to_owned()));
            self.settling.insert(path.to_owned(), settling);
        }
    }

    /// Nothing is at `path`, be it a file or a folder that was there before.
    pub(super) fn absent(&mut self, path: &str, now: Moment, out: &mut Found) {
        self.links.forget(path);
        self.no_file(path, now);
        if self.folders.contains_key(path) {
            self.folder_gone(path, now);
        } else if !self.lost.contains_key(path) {
            self.heal_place(path, out);
        }
    }

    /// No file is at `path`.
    pub(super) fn no_file(&mut self, path: &str, now: Moment) {
        self.settling.remove(path);
        if !self.entries.contains_key(path) || self.missing.contains(path) {
            return;
        }
        if self.missing.len() >= MISSING_MAX {
            self.doubt = self.doubt.or(Some(now.steady));
            return;
        }
        self.missing.insert(path.to_owned());
        let first = self.missed.map_or(now.steady, |(first, _)| first);
        self.missed = Some((first, now.steady));
    }

    /// A folder is not there. A zone's own folder is judged by [`Files::settle_lost`]; what was below others is missing.
    pub(super) fn folder_gone(&mut self, path: &str, now: Moment) {
        let below = range_below::<Box<str>>(path);
        if path.contains('/') {
            let files = self.entries.range(below.clone()).map(|(path, _)| path.to_string());
            for file in files.collect::<Vec<String>>() {
                self.no_file(&file, now);
            }
        } else {
            self.lost.entry(path.to_owned()).or_insert(now.steady);
        }
        let folders: Vec<Box<str>> = self.folders.range(below.clone()).map(|(path, _)| path.clone()).collect();
        for folder in folders {
            self.folders.remove(&folder);
        }
        self.folders.remove(path);
    }

    /// Does what waited until `now`.
    pub(super) fn settle(&mut self, now: Moment, out: &mut Found) {
        while let Some((due, path)) = self.queue.pop_front_if(|(due, _)| *due <= now.steady) {
            match self.settling.get(&path).map(|settling| settling.since + SETTLE) {
                None => continue,
                Some(later) if later > due && later > now.steady => {}
                Some(_) => self.visit(&path, Hint::None, now, out),
            }
            if let Some(settling) = self.settling.get(&path) {
                // Never due at once again, whatever its times say.
                let due = (settling.since + SETTLE).max(now.steady + SETTLE / 8);
                let at = self.queue.partition_point(|(other, _)| *other <= due);
                self.queue.insert(at, (due, path));
            }
        }
        self.settle_short(now, out);
        self.settle_lost(now, out);
        self.settle_missing(now, out);
        if self.doubt.is_some_and(|since| since + SETTLE <= now.steady) {
            self.doubt = None;
            out.rescan = true;
        }
        out.again_at = self.again_at();
    }

    /// Tenant folders that are gone: a fault while their zone is there; with the zone gone too, a removal.
    fn settle_lost(&mut self, now: Moment, out: &mut Found) {
        let due: Vec<String> = self
            .lost
            .iter()
            .filter(|(_, since)| **since + SETTLE <= now.steady)
            .map(|(path, _)| path.clone())
            .collect();
        for folder in due {
            let below = range_below::<Box<str>>(&folder);
            if self.real.join(&folder).is_dir() {
                self.lost.remove(&folder);
                self.visit(&folder, Hint::None, now, out);
            } else if self.entries.range(below.clone()).next().is_none() {
                self.lost.remove(&folder);
                self.heal_place(&folder, out);
            } else if self.has_zone_file(&folder) {
                self.place(&folder, Reason::ZoneFolderGone, out);
            } else {
                self.lost.remove(&folder);
                self.heal_place(&folder, out);
                let files = self.entries.range(below);
                for file in files.map(|(path, _)| path.to_string()).collect::<Vec<String>>() {
                    self.no_file(&file, now);
                }
            }
        }
    }

    pub(super) fn has_zone_file(&self, folder: &str) -> bool {
        self.real.join(format!("{folder}.zone")).symlink_metadata().is_ok()
    }

    /// Files that are gone, all together, so that whoever counts removals sees them as one change.
    fn settle_missing(&mut self, now: Moment, out: &mut Found) {
        if self.missing.is_empty() {
            self.missed = None;
            return;
        }
        if self.missing_due().is_none_or(|due| due > now.steady) {
            return;
        }
        let missing = std::mem::take(&mut self.missing);
        self.missed = None;
        if !self.root_is_the_same(out) {
            return;
        }
        if missing.len() >= self.entries.len() && missing.iter().all(|path| !self.real.join(path).exists()) {
            return self.place("", Reason::AllGone, out);
        }
        let mut zone: (String, bool) = (String::new(), false);
        for path in missing {
            let folder = zone_folder(&path);
            if folder != zone.0 {
                let gone = folder != path && self.has_zone_file(folder) && !self.real.join(folder).is_dir();
                zone = (folder.to_owned(), gone);
            }
            if zone.1 {
                self.lost.entry(zone.0.clone()).or_insert(now.steady);
            } else {
                self.remove_if_gone(&path, now, out);
            }
        }
    }

    fn remove_if_gone(&mut self, path: &str, now: Moment, out: &mut Found) {
        match self.real.join(path).symlink_metadata() {
            Err(fault) if is_gone(&fault) => {}
            Ok(meta) if meta.is_dir() => {}
            Ok(_) | Err(_) => return self.visit(path, Hint::Touched, now, out),
        }
        self.heal(path, out);
        self.links.forget(path);
        if self.entries.remove(path).is_some_and(|entry| entry.flags & (DELIVERED | FORGOTTEN) != 0) {
            out.gone.push(PathBuf::from(path));
        }
    }

    fn missing_due(&self) -> Option<Instant> {
        self.missed.map(|(first, last)| (last + SETTLE).min(first + REMOVALS_MAX))
    }

    /// Whether something waits for quiet; what waits for somebody who has it open for writing may do so for long.
    pub fn is_waiting(&self) -> bool {
        let quiet = self.settling.values().any(|settling| settling.writer.is_none());
        let lost = self.lost.keys().any(|path| !self.places.contains_key(path));
        quiet || lost || !self.missing.is_empty() || self.doubt.is_some()
    }

    pub(super) fn again_at(&self) -> Option<Instant> {
        let queue = self.queue.front().map(|(due, _)| *due);
        let missing = if self.missing.is_empty() { None } else { self.missing_due() };
        let untold = self.lost.iter().filter(|(path, _)| !self.places.contains_key(*path));
        let lost = untold.map(|(_, since)| *since + SETTLE).min();
        let doubt = self.doubt.map(|since| since + SETTLE);
        let short = self.short.values().map(|(due, _)| *due).min();
        [queue, missing, lost, doubt, short].into_iter().flatten().min()
    }
}

/// The beginning of a wait.
pub(super) fn settling(identity: Option<Identity>, now: Moment) -> Settling {
    Settling { identity, since: now.steady, first: now.steady, growing: false, writer: None }
}
