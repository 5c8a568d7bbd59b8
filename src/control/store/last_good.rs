//! What is kept for the next start: content that was good and is broken now, and where tenants were served from.
//!
//! None of it is secret, and none of it is there twice: where it is lost, files are taken as they are.

use super::{Store, StoreFault};
use crate::control::durable;
use crate::control::keys_folder::is_there;
use std::path::PathBuf;

/// The last good content of a zone's master file, in the zone's folder.
const LAST_GOOD_MASTER: &str = "last-good.zone";
/// Octets of last good content, at most: a million tenants of a kilobyte.
const LAST_GOOD_OCTETS_MAX: usize = 1 << 30;

/// Which last good content is meant. A zone is given by its apex, in lower-case wire form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastGood<'a> {
    /// A zone's tenants whose files are broken now (`last-good.ndjson`).
    Tenants(&'a [u8]),
    /// The pools that a zone's tenants are served from (`tenant-pools`).
    Homes(&'a [u8]),
    /// A zone's master file, where it is broken now (`last-good.zone`).
    Master(&'a [u8]),
    /// The pools (`last-good-pools.toml`).
    Pools,
}

impl Store {
    /// Keeps content for the next start; empty content removes what was kept.
    ///
    /// # Errors
    /// [`StoreFault::Disk`]; what was kept before is still there.
    pub fn keep_last_good(&self, what: LastGood<'_>, text: &str) -> Result<(), StoreFault> {
        let path = self.last_good_path(what);
        if text.is_empty() {
            return if is_there(&path) { Ok(self.disk.remove(&path)?) } else { Ok(()) };
        }
        if let LastGood::Tenants(apex) | LastGood::Homes(apex) | LastGood::Master(apex) = what {
            self.disk.create_folder(&self.zone_folder(apex))?;
        }
        Ok(self.disk.write_whole(&path, text.as_bytes())?)
    }

    /// Adds lines to content that is kept.
    ///
    /// # Errors
    /// [`StoreFault::Disk`]; it must be kept whole again then, since a part of a line may be at its end.
    pub fn keep_more(&self, what: LastGood<'_>, text: &str) -> Result<(), StoreFault> {
        let path = self.last_good_path(what);
        let mut file = durable::open_append(&path)?;
        Ok(self.disk.append(&mut file, &path, text.as_bytes())?)
    }

    /// What was kept, if anything.
    ///
    /// # Errors
    /// [`StoreFault`] where it cannot be read.
    pub fn last_good(&self, what: LastGood<'_>) -> Result<Option<String>, StoreFault> {
        let path = self.last_good_path(what);
        let file = match durable::open(&path) {
            Err(fault) if durable::is_missing(&fault) => return Ok(None),
            file => file?,
        };
        let content = durable::read(&file, &path, LAST_GOOD_OCTETS_MAX)?;
        String::from_utf8(content).map(Some).map_err(|_| StoreFault::NotText(path))
    }

    /// The last good master files of all zones; what cannot be read is left to those who ask for it by name.
    pub fn last_good_masters(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path().join(LAST_GOOD_MASTER)).collect();
        paths.sort();
        let read = |path: &PathBuf| durable::read(&durable::open(path)?, path, LAST_GOOD_OCTETS_MAX);
        paths.iter().filter_map(|path| String::from_utf8(read(path).ok()?).ok()).collect()
    }

    fn last_good_path(&self, what: LastGood<'_>) -> PathBuf {
        match what {
            LastGood::Tenants(apex) => self.zone_folder(apex).join("last-good.ndjson"),
            LastGood::Homes(apex) => self.zone_folder(apex).join("tenant-pools"),
            LastGood::Master(apex) => self.zone_folder(apex).join(LAST_GOOD_MASTER),
            LastGood::Pools => self.folder.join("last-good-pools.toml"),
        }
    }
}
