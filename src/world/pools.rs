//! The pools: what `pools.toml` says, what is served, and which tenants refer to them.
//!
//! Pure. A broken pool keeps its last good records; a pool that tenants use does not go away. What is served of a pool is
//! not for this to decide: what the files say goes out as [`PoolWanted`], and what may be served comes back.

mod apart;
mod report;
mod served;
mod told;
mod ways;

use crate::cert::Leaf;
use crate::diagnostic::{self, Diagnostic, Place};
use crate::world::Known;
use crate::zone::endpoint::{PoolIndex, Pools};
use crate::zone::tenant::{self, Pool, SpkiDigest};
pub use report::PoolReport;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
pub use told::{Endpoint, Joined, Kept, KnownWay, Left, Route, WayServed, WayWanted};
pub use ways::WAY_PREFIX;
use ways::{Way, Ways};

/// Code of a certificate file that cannot be used.
const BAD_CERTIFICATE: &str = "MX3201";
/// Code of a file whose last line has no end.
const UNENDED: &str = "MX3204";

/// What the files say about a pool.
#[derive(Clone, Debug)]
pub struct PoolWanted {
    /// Its name.
    pub pool: String,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
    /// Certificate files by path, with what they hold.
    pub certificates: Vec<(String, Leaf)>,
    /// TLSA that are written down.
    pub tlsa: Vec<SpkiDigest>,
    /// Addresses of tenants' own whose hosts show keys of the pool, too.
    pub apart: BTreeSet<IpAddr>,
}

/// What is served of a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolServed {
    /// Addresses.
    pub addresses: Vec<IpAddr>,
    /// TLSA.
    pub tlsa: Vec<SpkiDigest>,
}

impl PoolWanted {
    /// All of it at once.
    pub fn as_written(&self) -> PoolServed {
        let keys = self.certificates.iter().map(|(_, leaf)| leaf.spki.0);
        PoolServed { addresses: self.addresses.clone(), tlsa: self.tlsa.iter().copied().chain(keys).collect() }
    }
}

/// All pools that ever were, by an index that stays.
#[derive(Default)]
pub struct PoolTable {
    by_name: BTreeMap<String, PoolIndex>,
    entries: Vec<Entry>,
    records: Arc<Pools>,
    /// Whether what is served may be other than what is wanted now.
    is_stale: bool,
    /// The records of pools that came back, until those of ways have, too.
    next: Option<Pools>,
    file_findings: Vec<Diagnostic>,
    /// Whether the file as it is now could be read.
    file_is_good: bool,
    /// How the file is shown.
    shown: String,
    /// Whether a pool may have lost its last tenant since [`PoolTable::sweep`].
    unused: bool,
    /// Whether tenants may have other addresses of their own since [`PoolTable::settle_apart`].
    is_apart_news: bool,
    /// How often that, or what is said of pools' hosts in the configuration, changed.
    apart_revision: u64,
    ways: Ways,
    /// TTL of the records of pools and tenants, in seconds; it changes at a restart only.
    pub ttl: u32,
    /// Their TTL, at most, until more can be recorded.
    pub ttl_cap: Option<u32>,
}

struct Entry {
    name: String,
    /// What is served.
    pool: Option<Pool>,
    /// What the file says now, where that is good but for its certificates.
    wanted: Option<Pool>,
    certificates: Vec<(String, Leaf)>,
    state: PoolState,
    findings: Vec<Diagnostic>,
    /// Whether the file says something about it, be it broken.
    mentioned: bool,
    tenants: u64,
    /// Tenants that were removed from here, and whose records caches may hold.
    remembered: u64,
    /// Addresses of tenants' own that are served with the pool's TLSA, and by how many tenants.
    apart: BTreeMap<IpAddr, u64>,
    /// Where tenants on their way come from and go to; none: it is a pool.
    way: Option<Way>,
}

/// How a pool stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolState {
    /// As the file says.
    Served,
    /// As the file once said.
    LastGood,
    /// Never good.
    Broken,
    /// Not defined, and used by no tenant.
    Gone,
}

impl Entry {
    /// Takes in what its certificates gave: a pool is only ever served whole.
    fn settle(&mut self, read: Result<Vec<(String, Leaf)>, Vec<Diagnostic>>, file_is_good: bool) {
        match (read, &self.wanted) {
            (Ok(certificates), Some(wanted)) => {
                self.pool = Some(wanted.clone());
                self.certificates = certificates;
                self.findings.clear();
                let as_written = file_is_good && self.mentioned;
                self.state = if as_written { PoolState::Served } else { PoolState::LastGood };
            }
            // What the file says now is broken; the certificates of what it said go on.
            (Ok(certificates), None) => self.certificates = certificates,
            (Err(findings), wanted) => {
                if wanted.is_some() {
                    self.findings = findings;
                }
                self.state = if self.pool.is_some() { PoolState::LastGood } else { PoolState::Broken };
            }
        }
    }
}

/// A pool's certificates, or what is wrong with them.
fn certificates(shown: &str, pool: &Pool, known: &Known) -> Result<Vec<(String, Leaf)>, Vec<Diagnostic>> {
    let (mut read, mut findings) = (Vec::new(), Vec::new());
    for path in &pool.certificates {
        match known.certificate(path) {
            Ok(leaf) => read.push((path.clone(), leaf)),
            Err(cause) => {
                let place = Place { file: shown.to_owned(), line: pool.line, ..Place::default() };
                let message = format!("certificate {path} of pool `{}` cannot be used: {cause}", pool.name);
                let help = "mend the file or its path; the pool's last good records are served until then";
                findings.push(Diagnostic::error(BAD_CERTIFICATE, place, message, help));
            }
        }
    }
    if findings.is_empty() { Ok(read) } else { Err(findings) }
}

impl PoolTable {
    /// No pools yet, and their file is shown like this; all records will have this TTL, in seconds.
    pub fn new(ttl: u32, shown: String) -> PoolTable {
        PoolTable { ttl, shown, ..PoolTable::default() }
    }

    /// The index of a pool that is served.
    pub fn index(&self, name: &str) -> Option<PoolIndex> {
        let index = *self.by_name.get(name)?;
        let entry = self.entries.get(usize::try_from(index).ok()?)?;
        matches!(entry.state, PoolState::Served | PoolState::LastGood).then_some(index)
    }

    /// The name of a pool.
    pub fn name(&self, index: PoolIndex) -> Option<&str> {
        let entry = self.at(index)?;
        // Tenants on their way are those of the pool that they go to.
        entry.way.as_ref().map_or(Some(&entry.name), |way| self.name(way.to))
    }

    fn at(&self, index: PoolIndex) -> Option<&Entry> {
        self.entries.get(usize::try_from(index).ok()?)
    }

    /// The records of all pools, for snapshots.
    pub fn records(&self) -> &Arc<Pools> {
        &self.records
    }

    /// Whether anything was ever read or restored.
    pub fn is_known(&self) -> bool {
        self.file_is_good || !self.file_findings.is_empty() || !self.entries.is_empty()
    }

    /// Counts tenants that refer to a pool.
    pub fn count(&mut self, pool: Option<PoolIndex>, change: i64) {
        let entry = pool.and_then(|pool| self.entries.get_mut(usize::try_from(pool).ok()?));
        if let Some(entry) = entry {
            entry.tenants = entry.tenants.saturating_add_signed(change);
            entry.way.iter_mut().for_each(Way::is_used);
            self.unused |= entry.tenants == 0;
        }
    }

    /// Pools that are no longer defined go with their last tenant; true where one went.
    pub fn sweep(&mut self) -> bool {
        if !std::mem::take(&mut self.unused) || !self.file_is_good {
            return false;
        }
        let kept = self.on_ways();
        let gone = |(at, entry): &(usize, &mut Entry)| {
            let is_pool = entry.way.is_none() && entry.state != PoolState::Gone && !kept.contains(at);
            is_pool && !entry.mentioned && entry.tenants == 0
        };
        let mut any = false;
        for (_, entry) in self.entries.iter_mut().enumerate().filter(gone) {
            entry.state = PoolState::Gone;
            entry.pool = None;
            any = true;
        }
        self.is_stale |= any;
        any
    }

    /// Takes in the text of `pools.toml`; true where it can be used.
    pub fn apply(&mut self, shown: &str, octets: &[u8], known: &Known) -> bool {
        self.shown = shown.to_owned();
        let parsed = match tenant::text_of(shown, octets) {
            Ok(text) => match diagnostic::unended(UNENDED, shown, text, "nothing of the file is used") {
                None => tenant::parse_pools(shown, text),
                Some(fault) => return self.refuse(vec![fault]),
            },
            Err(fault) => return self.refuse(vec![*fault]),
        };
        let (named, whole): (Vec<_>, Vec<_>) = parsed.broken.into_iter().partition(|broken| broken.name.is_some());
        if !whole.is_empty() {
            return self.refuse(whole.into_iter().flat_map(|broken| broken.diagnostics).collect());
        }
        self.file_is_good = true;
        self.file_findings = parsed.warnings;
        for entry in &mut self.entries {
            entry.mentioned = false;
            entry.wanted = None;
            entry.findings.clear();
        }
        for broken in named {
            let name = broken.name.unwrap_or_default();
            self.spoil(&name, broken.diagnostics);
        }
        for pool in parsed.entries {
            self.define(shown, pool, known);
        }
        self.retire();
        self.is_stale = true;
        true
    }

    /// Reads the certificates of all pools again.
    pub fn refresh_certificates(&mut self, shown: &str, known: &Known) {
        let file_is_good = self.file_is_good;
        for entry in &mut self.entries {
            let Some(pool) = entry.wanted.as_ref().or(entry.pool.as_ref()) else { continue };
            if !pool.certificates.is_empty() {
                let read = certificates(shown, pool, known);
                entry.settle(read, file_is_good);
            }
        }
        self.is_stale = true;
    }

    /// The file is gone or cannot be read: everything stays, with the reason.
    pub fn refuse(&mut self, findings: Vec<Diagnostic>) -> bool {
        self.file_findings = findings;
        self.file_is_good = false;
        for entry in &mut self.entries {
            if entry.state == PoolState::Served {
                entry.state = PoolState::LastGood;
            }
        }
        false
    }

    fn define(&mut self, shown: &str, pool: Pool, known: &Known) {
        let read = certificates(shown, &pool, known);
        let entry = self.entry_or_new(&pool.name);
        entry.mentioned = true;
        entry.wanted = Some(pool);
        entry.settle(read, true);
    }

    fn spoil(&mut self, name: &str, findings: Vec<Diagnostic>) {
        let entry = self.entry_or_new(name);
        entry.state = if entry.pool.is_some() { PoolState::LastGood } else { PoolState::Broken };
        entry.mentioned = true;
        entry.findings = findings;
    }

    /// Pools that the file no longer mentions stay while tenants use them, and go at the next sweep where none does.
    fn retire(&mut self) {
        for entry in self.entries.iter_mut().filter(|entry| !entry.mentioned && entry.pool.is_some()) {
            entry.state = PoolState::LastGood;
        }
        // What never was good and is no longer spoken of has nothing to stay for.
        let never = |entry: &&mut Entry| entry.way.is_none() && !entry.mentioned && entry.pool.is_none();
        for entry in self.entries.iter_mut().filter(never) {
            entry.state = PoolState::Gone;
        }
        self.unused = true;
        self.sweep();
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(usize::try_from(*self.by_name.get(name)?).ok()?)
    }

    fn entry_or_new(&mut self, name: &str) -> &mut Entry {
        let at = match self.by_name.get(name) {
            Some(index) => usize::try_from(*index).unwrap_or(usize::MAX),
            None => {
                let at = self.entries.len();
                self.by_name.insert(name.to_owned(), PoolIndex::try_from(at).unwrap_or(PoolIndex::MAX));
                self.entries.push(Entry {
                    name: name.to_owned(),
                    pool: None,
                    wanted: None,
                    certificates: Vec::new(),
                    state: PoolState::Broken,
                    findings: Vec::new(),
                    mentioned: false,
                    tenants: 0,
                    remembered: 0,
                    apart: BTreeMap::new(),
                    way: None,
                });
                at
            }
        };
        &mut self.entries[at]
    }
}
