//! What the world has to know before it can take in a batch: files that others name, certificates, and what was before.
//!
//! Pure. The world says what it needs ([`Needs`]); whoever runs it reads that and hands it over ([`Known`]), so that nothing is
//! read while it decides.

use crate::cert::Leaf;
use crate::dns::name::Name;
use std::collections::{BTreeMap, BTreeSet};

/// What has to be read before a batch can be taken in.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Files below `zones/`: those that master files include, and master files that are to be read again.
    pub documents: BTreeSet<String>,
    /// Certificate files, as pools name them.
    pub certificates: BTreeSet<String>,
    /// Zones that are new to the world: what was of them before.
    pub zones: BTreeSet<Name>,
}

/// What was read.
#[derive(Default)]
pub struct Known {
    /// Files by path, or why one cannot be read.
    pub documents: BTreeMap<String, Result<Vec<u8>, String>>,
    /// What certificate files hold, or why one cannot be used.
    pub certificates: BTreeMap<String, Result<Leaf, String>>,
    /// What was of zones; the world takes out those that it begins.
    pub zones: BTreeMap<Name, ZonePast>,
    /// What is known of zones that ended in this batch, and may begin again in it.
    pub(super) ended: BTreeMap<Name, ZonePast>,
}

/// What was of a zone when the last process ended.
#[derive(Clone, Debug, Default)]
pub struct ZonePast {
    /// What its keys tell.
    pub keys: KeysPast,
    /// Whether last good content of its master file was kept.
    pub was_last_good: bool,
    /// The pools that its tenants were served from, as it was kept; none: not known.
    pub homes: Option<String>,
}

/// What the keys of a zone tell of its past, also where its folder is gone: what the world may hold outlives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeysPast {
    /// Whether it was signed here.
    pub signed: WasSigned,
    /// The DS that its parent had when its keys could be used last; none: not known.
    pub ds: Option<Vec<Vec<u8>>>,
}

/// Whether a zone was signed here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WasSigned {
    /// Never.
    #[default]
    Never,
    /// It was, and may be still for all that resolvers know.
    Signed,
    /// It was, and its roll to insecure has ended: nothing keeps it signed but the configuration.
    Insecure,
}

impl Needs {
    /// Whether all is known.
    pub fn is_nothing(&self) -> bool {
        self.documents.is_empty() && self.certificates.is_empty() && self.zones.is_empty()
    }
}

impl Known {
    /// A file, or why it cannot be read.
    pub(super) fn document(&self, path: &str) -> Result<&[u8], String> {
        match self.documents.get(path) {
            Some(read) => read.as_deref().map_err(Clone::clone),
            None => Err("it was not read".to_owned()),
        }
    }

    /// What a certificate file holds, or why it cannot be used.
    pub(super) fn certificate(&self, path: &str) -> Result<Leaf, String> {
        self.certificates.get(path).cloned().unwrap_or_else(|| Err("it was not read".to_owned()))
    }

    /// Only what is not known yet is needed.
    pub(super) fn lack(&self, needs: &mut Needs) {
        needs.documents.retain(|path| !self.documents.contains_key(path));
        needs.certificates.retain(|path| !self.certificates.contains_key(path));
        needs.zones.retain(|apex| !self.zones.contains_key(apex));
    }
}
