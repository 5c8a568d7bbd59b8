//! Keys that could not be read are tried once more, while their zone is served without them.
//!
//! It reads, and mends copies; the journal and the keys that are in use stay as they are.

use crate::diagnostic::Diagnostic;
use crate::roll::zone::fold::ZoneFacts;
use crate::sign::key::Key;
use crate::store::{Store, load};
use std::collections::BTreeMap;

/// What became of them.
pub struct ReadAgain {
    /// By tag: the private halves of those that can be used now.
    pub private: BTreeMap<u16, Key>,
    /// Those that still cannot, and why.
    pub unreadable: Vec<(u16, String)>,
    /// What stands in place of what was found of them before.
    pub findings: Vec<Diagnostic>,
}

impl Store {
    /// Reads the keys of a zone with these tags once more.
    pub fn read_again(&self, apex: &[u8], facts: &ZoneFacts, tags: &[u16]) -> ReadAgain {
        let loaded = load::load_again(&self.zone_folder(apex), facts, tags, &self.disk);
        ReadAgain { private: loaded.private, unreadable: loaded.unreadable, findings: loaded.findings }
    }
}
