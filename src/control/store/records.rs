//! Numbers of zones that outlive a restart beside their journals: how many facts were published, and what was unsigned.
//!
//! A help, not a proof: where all of `keys/` is old, these are old, too, and only the parent's DS can tell.

use super::Store;
use crate::control::durable::{self, DiskFault};
use std::collections::BTreeMap;

/// Octets of a file, at most: a hundred thousand zones.
const NUMBERS_OCTETS_MAX: usize = 32 * 1024 * 1024;

/// Which numbers. No zone's folder begins with a dot, as these files in `keys/` do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Facts of each zone's journal when it was published last: tells an old copy of one folder from its present.
    Records,
    /// Highest TTL of each zone while it was served unsigned: caches may hold that when it is signed.
    Unsigned,
}

impl Numbers {
    fn file(self) -> &'static str {
        match self {
            Numbers::Records => ".records",
            Numbers::Unsigned => ".unsigned",
        }
    }
}

impl Store {
    /// Numbers by zone, as they were kept last. What is missing or damaged tells nothing.
    pub fn numbers(&self, which: Numbers) -> BTreeMap<String, u64> {
        let path = self.folder.join(which.file());
        let content = durable::open(&path).and_then(|file| durable::read(&file, &path, NUMBERS_OCTETS_MAX));
        content.ok().and_then(|content| serde_json::from_slice(&content).ok()).unwrap_or_default()
    }

    /// Keeps them.
    ///
    /// # Errors
    /// [`DiskFault`]; what was kept before is still there, and tells less.
    pub fn keep_numbers(&self, which: Numbers, numbers: &BTreeMap<String, u64>) -> Result<(), DiskFault> {
        // Text and numbers, for which serde_json cannot fail.
        let text = serde_json::to_string(numbers).unwrap_or_default();
        self.disk.write_whole(&self.folder.join(which.file()), text.as_bytes())
    }
}
