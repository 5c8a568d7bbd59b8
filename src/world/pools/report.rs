//! Pools as reports and the next start see them: how each stands, what is wrong, what must outlive a restart.
//!
//! Pure. What is kept is what was served, never what a broken file says.

use crate::cert::Leaf;
use crate::diagnostic::{Diagnostic, Place, Severity};
use crate::fields::nearest;
use crate::world::pools::{Entry, PoolState, PoolTable};
use crate::zone::endpoint::Records;
use crate::zone::tenant::{self, Pool};
use std::sync::Arc;

/// A pool for reports.
pub struct PoolReport<'a> {
    /// Its name.
    pub name: &'a str,
    /// How it stands.
    pub state: PoolState,
    /// As written last.
    pub pool: Option<&'a Pool>,
    /// Its certificate files, with what they hold.
    pub certificates: &'a [(String, Leaf)],
    /// What is served.
    pub records: Option<&'a Arc<Records>>,
    /// Tenants that refer to it.
    pub tenants: u64,
    /// What is wrong.
    pub findings: Vec<Diagnostic>,
}

impl PoolTable {
    /// The TTL that is served: less than is wanted, where more cannot be recorded yet.
    pub(super) fn served_ttl(&self) -> u32 {
        self.ttl.min(self.ttl_cap.unwrap_or(u32::MAX))
    }

    /// The pools that the file speaks of, broken ones among them, and those that are served all the same.
    pub fn defined(&self) -> impl Iterator<Item = &str> {
        let is_there = |entry: &&Entry| entry.way.is_none() && entry.state != PoolState::Gone;
        self.entries.iter().filter(is_there).map(|entry| entry.name.as_str())
    }

    /// What is wrong with a pool that is not served; none where nothing is known of such a pool at all. While the file is
    /// not there or cannot be read, any pool may stand in it.
    pub fn why_broken(&self, name: &str) -> Option<Diagnostic> {
        if let Some(own) = self.entry(name).and_then(|entry| entry.findings.first()) {
            return Some(own.clone());
        }
        let of_file = self.file_findings.first().filter(|_| !self.file_is_good).cloned();
        of_file.or_else(|| (!self.is_known()).then(|| self.no_file()))
    }

    fn no_file(&self) -> Diagnostic {
        let message = "there is no file of pools";
        Diagnostic::error(
            "MX3206",
            Place::file(&self.shown),
            message,
            "write one, and define the pools of the tenants in it",
        )
    }

    /// Whether the file of the pools is there, and could be read as it is now.
    pub fn is_read(&self) -> bool {
        self.file_is_good
    }

    /// The file that pools are written in, as it is shown.
    pub fn file(&self) -> &str {
        &self.shown
    }

    /// What to do about a pool that is not there.
    pub fn help_for(&self, name: &str) -> String {
        let known: Vec<&str> = self.defined().filter(|known| self.index(known).is_some()).collect();
        match nearest(name, &known) {
            Some(near) => format!("define it in pools.toml, or did you mean `{near}`?"),
            None => "define it in pools.toml".to_owned(),
        }
    }

    fn findings_of(&self, entry: &Entry) -> Vec<Diagnostic> {
        let mut findings = entry.findings.clone();
        if self.file_is_good && !entry.mentioned && entry.state == PoolState::LastGood {
            let users =
                if entry.tenants == 1 { "1 tenant uses".to_owned() } else { format!("{} tenants use", entry.tenants) };
            let message = format!("pool `{}` is no longer defined, but {users} it", entry.name);
            let help = "define it again, or move the tenants first; its last good records are served until then";
            findings.push(Diagnostic::error("MX3202", Place::file(&self.shown), message, help));
        }
        findings
    }

    /// All pools that are defined or used, by name.
    pub fn reports(&self) -> impl Iterator<Item = PoolReport<'_>> {
        self.by_name.values().filter_map(|index| {
            let at = usize::try_from(*index).ok()?;
            let entry = self.entries.get(at).filter(|entry| entry.way.is_none() && entry.state != PoolState::Gone)?;
            Some(PoolReport {
                name: &entry.name,
                state: entry.state,
                pool: entry.pool.as_ref(),
                certificates: &entry.certificates,
                records: self.records.get(at).and_then(Option::as_ref),
                tenants: entry.tenants + self.tenants_on_way_to(*index),
                findings: self.findings_of(entry),
            })
        })
    }

    /// Everything wrong with the pools.
    pub fn findings(&self) -> Vec<Diagnostic> {
        let mut all = self.file_findings.clone();
        all.extend(self.entries.iter().flat_map(|entry| self.findings_of(entry)));
        all
    }

    /// What must outlive a restart while the file or a pool in it is broken: the served pools as a file of its form.
    pub fn last_good_text(&self) -> String {
        let broken = self.findings().iter().any(|finding| finding.severity == Severity::Error);
        if self.file_is_good && !broken {
            return String::new();
        }
        let mut text = String::new();
        for report in self.reports() {
            let Some(records) = report.records else { continue };
            let quoted = |values: Vec<String>| values.iter().map(|v| format!("\"{v}\"")).collect::<Vec<_>>().join(", ");
            let addresses = quoted(records.addresses().iter().map(ToString::to_string).collect());
            let tlsa = quoted(records.tlsa().iter().map(tenant::print_tlsa).collect());
            text.push_str(&format!("[\"{}\"]\naddresses = [{addresses}]\ntlsa = [{tlsa}]\n\n", report.name));
        }
        text
    }

    /// At a start: takes back the pools that an earlier process kept and that are not good now.
    pub fn restore(&mut self, text: &str) {
        for pool in tenant::parse_pools("", text).entries {
            if self.entry(&pool.name).is_some_and(|entry| entry.pool.is_some()) {
                continue;
            }
            let entry = self.entry_or_new(&pool.name);
            entry.pool = Some(pool);
            entry.state = PoolState::LastGood;
            // Who needs it is known only after the tenants have tried again.
            self.unused = true;
        }
        self.is_stale = true;
    }
}
