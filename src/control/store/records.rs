//! How many facts each zone's journal had when it was published last: what tells an old copy of one folder from its present.
//!
//! A help, not a proof: where all of `keys/` is old, this is old, too, and only the parent's DS can tell.

use super::Store;
use crate::control::durable::{self, DiskFault};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The file in `keys/`. No zone's folder begins with a dot.
const RECORDS_NAME: &str = ".records";
/// Octets of the file, at most: a hundred thousand zones.
const RECORDS_OCTETS_MAX: usize = 32 * 1024 * 1024;

impl Store {
    /// Facts by zone, as they were kept last. What is missing or damaged tells nothing.
    pub fn known_records(&self) -> BTreeMap<String, u64> {
        let path = self.records_path();
        let content = durable::open(&path).and_then(|file| durable::read(&file, &path, RECORDS_OCTETS_MAX));
        content.ok().and_then(|content| serde_json::from_slice(&content).ok()).unwrap_or_default()
    }

    /// Keeps them.
    ///
    /// # Errors
    /// [`DiskFault`]; what was kept before is still there, and tells less.
    pub fn keep_records(&self, known: &BTreeMap<String, u64>) -> Result<(), DiskFault> {
        // Text and numbers, for which serde_json cannot fail.
        let text = serde_json::to_string(known).unwrap_or_default();
        self.disk.write_whole(&self.records_path(), text.as_bytes())
    }

    fn records_path(&self) -> PathBuf {
        self.folder.join(RECORDS_NAME)
    }
}
