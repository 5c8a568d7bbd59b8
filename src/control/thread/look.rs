//! What happened to files is taken in: what events name is looked at, and what a look found becomes a change or a finding.
//!
//! A file in trouble changes nothing but its own reason; only one that is gone takes anything away.

use crate::control::thread::{Mind, disk, log_done};
use crate::diagnostic::Diagnostic;
use crate::feed::Changes;
use crate::feed::settle::Moment;
use crate::feed::watch::Rescan;
use crate::time;
use crate::world::paths;
use crate::world::trouble::{Reason, Trouble};
use crate::world::{FileChange, POOLS_FILE};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

impl Mind {
    pub(super) fn look(&mut self) {
        let dirty = self.watcher.take();
        let said = !(dirty.healed.is_empty() && dirty.troubled.is_empty());
        // What hinders watching stands beside what hinders reading, and neither ends the other.
        for healed in dirty.healed {
            self.world.troubles.remove(&watched(&healed.path));
        }
        for trouble in &dirty.troubled {
            self.world.trouble(&watched(&trouble.path), trouble.reason);
        }
        if dirty.rescan == Rescan::AfterLoss {
            self.files.forget_writers();
        }
        if dirty.rescan != Rescan::No {
            self.rescan_at = Some(Instant::now());
        }
        let changes = self.files.look(&dirty.paths, Moment::now());
        if self.take_in(changes) || said {
            self.publish();
        }
    }

    /// Takes in what a look found; true where something changed.
    pub(super) fn take_in(&mut self, changes: Changes) -> bool {
        self.again_at = changes.again_at;
        if changes.rescan {
            self.rescan_at.get_or_insert_with(Instant::now);
        }
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut batch = Vec::new();
        for file in changes.changed {
            batch.push(FileChange { path: text(file.path), content: Some(file.content) });
        }
        batch.extend(changes.gone.into_iter().map(|path| FileChange { path: text(path), content: None }));
        let delivered: BTreeSet<String> = batch.iter().map(|change| change.path.clone()).collect();
        let healed: Vec<String> = changes.healed.into_iter().map(|healed| text(healed.path)).collect();
        for path in &healed {
            self.world.troubles.remove(path);
        }
        for path in healed.iter().filter(|path| !delivered.contains(*path) && paths::kind(path).is_some()) {
            // Its content may be what it was before the trouble, which a look does not deliver again; or it is gone.
            match self.files.include(path, Moment::now()) {
                Ok(content) => batch.push(FileChange { path: path.clone(), content: Some(content) }),
                Err(Reason::Unreadable(libc::ENOENT)) => batch.push(FileChange { path: path.clone(), content: None }),
                // It is not gone: it comes as soon as it can be read.
                Err(_) => self.files.forget_content(path),
            }
        }
        let spoiled: Vec<_> = changes.troubled.iter().map(|trouble| self.trouble(trouble)).collect();
        let changed = !(batch.is_empty() && spoiled.is_empty() && healed.is_empty());
        let mut outside = disk(&self.config, &mut self.files, &self.store, (&mut self.rolls, &mut self.certs));
        // Tenants ask for their pools when they are read.
        let (pools, others): (Vec<_>, Vec<_>) = spoiled.into_iter().partition(|(path, _)| path == POOLS_FILE);
        pools.into_iter().for_each(|(path, finding)| self.world.spoil(&path, finding, &mut outside));
        if !batch.is_empty() {
            log_done(&self.world.apply(batch, time::now(), &mut outside));
        }
        others.into_iter().for_each(|(path, finding)| self.world.spoil(&path, finding, &mut outside));
        if changed {
            self.files.keep_includes(&self.world.included_paths());
        }
        if self.world.zones.keys().any(|apex| !self.restored.contains(apex)) && self.version > 0 {
            self.restore(None, &BTreeMap::new());
        }
        changed
    }

    fn trouble(&mut self, trouble: &Trouble) -> (String, Diagnostic) {
        let path = trouble.path.to_string_lossy().into_owned();
        let finding = self.world.trouble(&path, trouble.reason);
        (path, finding)
    }
}

/// The name of what hinders watching a folder: no path ends so.
fn watched(folder: &Path) -> String {
    format!("{}/", folder.to_string_lossy())
}
