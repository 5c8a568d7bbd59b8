//! What stands against the files: each kind up to a named number, the rest as counts.
//!
//! Pure. Whoever provisions can make any number of them.

use crate::diagnostic::{Diagnostic, Place};
use crate::world::World;
use crate::world::tenants::telling::TOLD_MAX;
use crate::world::trouble::{Reason, Trouble};
use crate::world::zones::ZoneState;
use std::path::{Path, PathBuf};

impl World {
    /// The same, but all that is wrong is told one by one: for `check`, which ends after it.
    pub fn telling_all(self) -> World {
        World { told_max: usize::MAX, ..self }
    }

    /// A file or folder cannot be used as it is now; what says so. A path with a slash at its end is that of a folder that cannot be
    /// watched.
    pub fn trouble(&mut self, path: &str, reason: Reason) -> Diagnostic {
        self.troubles.insert(path.to_owned(), reason);
        self.trouble_of(path, reason)
    }

    fn trouble_of(&self, path: &str, reason: Reason) -> Diagnostic {
        Trouble { path: PathBuf::from(path.strip_suffix('/').unwrap_or(path)), reason }
            .diagnostic(Path::new(&self.shown("")))
    }

    /// A file cannot be a zone's, or is none any more.
    pub(super) fn misname(&mut self, path: &str, finding: Option<Box<Diagnostic>>) {
        self.misnamed.remove(path);
        if let Some(finding) = finding {
            let kept = (self.misnamed.len() < self.told_max).then_some(finding);
            self.misnamed.insert(path.to_owned(), kept);
        }
    }

    /// All findings: files, pools, zones, keys, tenants.
    pub fn findings(&self) -> Vec<Diagnostic> {
        let mut all = self.findings_but_tenants();
        all.extend(self.zones.values().flat_map(|zone| zone.tenants.findings()));
        all.extend(self.waiting_for_pools());
        all.extend(self.tenants_not_looked_at());
        // A file that cannot be read is in trouble and spoils its tenants, for one reason.
        all.sort();
        all.dedup();
        all
    }

    /// The same without those of tenants, which change with [`crate::world::tenants::Tenants::revision`] only.
    pub fn findings_but_tenants(&self) -> Vec<Diagnostic> {
        let troubles = self.troubles.iter().take(self.told_max);
        let mut all: Vec<Diagnostic> = troubles.map(|(path, reason)| self.trouble_of(path, *reason)).collect();
        all.extend(self.misnamed.values().flatten().map(|finding| (**finding).clone()));
        let counted = || self.misnamed.iter().filter(|(_, finding)| finding.is_none()).map(|(path, _)| path);
        let troubles = self.troubles.keys().skip(self.told_max);
        all.extend(self.more(troubles.len(), self.troubles.keys().nth(self.told_max)));
        all.extend(self.more(counted().count(), counted().next()));
        all.extend(self.pools.findings());
        all.extend(self.pools_not_looked_at());
        all.extend(self.zones.values().flat_map(ZoneState::findings));
        all.extend(self.named_in_vain());
        all.extend(self.zones.values().filter_map(|zone| self.held(zone)));
        all
    }

    /// How many there are beyond those that are told; `first` is the first of them.
    fn more(&self, count: usize, first: Option<&String>) -> Option<Diagnostic> {
        let place = Place::file(self.shown(first?));
        let message = format!("{} more files cannot be used, this one first", count);
        let help = "`mxseal check` says of each what is wrong; correct those that are named first";
        Some(Diagnostic::error("MX6099", place, message, help))
    }
}

/// Findings of a kind that are told one by one, at most.
pub(super) const FINDINGS_TOLD_MAX: usize = TOLD_MAX;
