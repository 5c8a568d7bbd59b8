//! What is kept for the next start: content that was good and is broken now, and where tenants were served from.
//!
//! None of it is secret. Where last good content is lost, files are taken as they are; where tenants were is there twice.

use crate::dns::name::Name;
use crate::store::copies;
use crate::store::durable;
use crate::store::durable::{DiskFault, is_there};
use crate::store::folder::folder_name;
use crate::store::kept::{Found, Kept};
use crate::store::{Store, StoreFault};
use std::path::{Path, PathBuf};

/// The last good content of a zone's master file, in the zone's folder.
const LAST_GOOD_MASTER: &str = "last-good.zone";
/// Octets of last good content, at most: a million tenants of a kilobyte.
const LAST_GOOD_OCTETS_MAX: usize = 1 << 30;
/// Where tenants are served from, in the zone's folder.
const TENANT_POOLS: &str = "tenant-pools";
/// Who is on a way, in its folder.
const ENDPOINTS: &str = "endpoints";
/// The ways that have not ended, in `keys/`: no zone's folder begins with a dot.
const WAYS: &str = ".ways";
/// Octets of a list, at most: a million domains of the longest kind that is common.
pub(super) const LIST_OCTETS_MAX: usize = 64 * 1024 * 1024;

/// Which last good content is meant. A zone is given by its apex, in lower-case wire form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastGood<'a> {
    /// A zone's tenants whose files are broken now (`last-good.ndjson`).
    Tenants(&'a [u8]),
    /// A zone's master file, where it is broken now (`last-good.zone`).
    Master(&'a [u8]),
    /// The pools (`last-good-pools.toml`).
    Pools,
}

/// Where tenants of a zone were when the last process ended, for whoever changes nothing; none: not known.
pub fn read_tenant_pools(keys: &Path, apex: &Name) -> Option<String> {
    let path = keys.join(folder_name(apex)).join(TENANT_POOLS);
    match Kept::new(path, format!("tenant-pools of {apex}"), LAST_GOOD_OCTETS_MAX).read() {
        Found::Whole { text, .. } => Some(text),
        Found::Nothing | Found::Lost(_) => None,
    }
}

/// What always stays free on the disk of the keys, so that they can roll: room for all journals of some thousand zones; of a
/// small disk a quarter.
const RESERVE: u64 = 64 << 20;

impl Store {
    /// Octets that last good content may take on the disk; where nobody knows, as much as there may be.
    pub fn room(&self) -> u64 {
        let Ok(disk) = rustix::fs::statvfs(&self.folder) else { return u64::MAX };
        let all = disk.f_blocks.saturating_mul(disk.f_frsize);
        disk.f_bavail.saturating_mul(disk.f_frsize).saturating_sub(RESERVE.min(all / 4))
    }

    /// Keeps content for the next start; empty content removes what was kept.
    ///
    /// # Errors
    /// [`StoreFault::Disk`]; what was kept before is still there.
    pub fn keep_last_good(&self, what: LastGood<'_>, text: &str) -> Result<(), StoreFault> {
        let path = self.last_good_path(what);
        if text.is_empty() {
            return if is_there(&path) { Ok(self.disk.remove(&path)?) } else { Ok(()) };
        }
        if let LastGood::Tenants(apex) | LastGood::Master(apex) = what {
            self.disk.create_folder(&self.zone_folder(apex))?;
        }
        Ok(self.disk.write_whole(&path, text.as_bytes())?)
    }

    /// Where a zone's tenants are served from, and whose its endpoints are.
    pub fn tenant_pools(&self, apex: &Name) -> Kept {
        let about = format!("tenant-pools of {apex}");
        Kept::new(self.zone_folder(apex).join(TENANT_POOLS), about, LAST_GOOD_OCTETS_MAX)
    }

    /// Who is on a way between pools.
    pub fn way_list(&self, way: &str) -> Kept {
        Kept::new(self.pool_folder(way).join(ENDPOINTS), format!("endpoints of {way}"), LIST_OCTETS_MAX)
    }

    /// The ways between pools that have not ended.
    pub fn ways(&self) -> Kept {
        Kept::new(self.folder.join(WAYS), "ways".to_owned(), LIST_OCTETS_MAX)
    }

    /// Puts this text in place of all that was kept.
    ///
    /// # Errors
    /// [`DiskFault`]; what was kept before can still be read, or this can.
    pub fn write_kept(&self, file: &mut Kept, text: &str) -> Result<(), DiskFault> {
        if let Some(folder) = file.path().parent() {
            self.disk.create_folder(folder)?;
        }
        file.write(&self.disk, text)
    }

    /// Puts lines behind what is kept; where that may not be whole, `whole` in its place.
    ///
    /// # Errors
    /// [`DiskFault`]; the next call writes all anew.
    pub fn append_kept(&self, file: &mut Kept, text: &str, whole: impl FnOnce() -> String) -> Result<(), DiskFault> {
        file.append(&self.disk, text, whole)
    }

    /// Removes a file that was kept, because what it is about has ended.
    ///
    /// # Errors
    /// [`DiskFault`].
    pub fn remove_kept(&self, file: &mut Kept) -> Result<(), DiskFault> {
        file.remove(&self.disk)
    }

    /// Files that cannot be believed get another name, so that what replaces them does not destroy what they may tell.
    pub fn keep_beside(&self, path: &Path) {
        for path in [path.to_owned(), copies::copy_of(path)] {
            if let Err(fault) = self.disk.keep_beside(&path) {
                tracing::warn!("{fault}");
            }
        }
    }

    /// Whether anything was kept.
    pub fn has_last_good(&self, what: LastGood<'_>) -> bool {
        is_there(&self.last_good_path(what))
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
            LastGood::Master(apex) => self.zone_folder(apex).join(LAST_GOOD_MASTER),
            LastGood::Pools => self.folder.join("last-good-pools.toml"),
        }
    }
}
