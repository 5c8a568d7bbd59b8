//! Looks at links of the provisioning folder: to files, to folders, to nothing, and out of it.
//!
//! A link that leads nowhere, or out, never makes anything gone.

use crate::feed::link::resolve;
use crate::feed::settle::{Hint, Moment, SETTLE, Settling};
use crate::feed::wait::settling;
use crate::feed::{Files, Found};
use crate::world::paths::is_dropping_folder;
use crate::world::trouble::Reason;

impl Files {
    /// Looks at a link. True: it leads to a folder inside the root, which is to be walked.
    pub(super) fn link(&mut self, path: &str, hint: Hint, now: Moment, out: &mut Found) -> bool {
        let resolved = resolve(&self.real, path);
        let was_folder = self.folders.contains_key(path);
        let kind = self.kind(path).filter(|_| !was_folder);
        let folder = || is_dropping_folder(path.rsplit('/').next().unwrap_or(path));
        let concerns = kind.is_some() || was_folder;
        match resolved.target {
            Ok((_, meta)) if meta.is_dir() && folder() => return false,
            Ok((target, meta)) if meta.is_dir() => {
                // A folder that contains the link itself would be walked for ever, and so might one that is reached by
                // another link. What lies behind such a link shows under its own name only.
                if self.real.join(path).starts_with(&target) || self.is_below_link(path) {
                    self.links.set_refused(path, resolved.chain);
                    self.place(path, Reason::LinkLoop, out);
                    self.see_below(path);
                    return false;
                }
                self.links.set(path, resolved.chain);
                self.no_file(path, now);
                return true;
            }
            Ok((_, meta)) => {
                if was_folder {
                    self.folder_gone(path, now);
                }
                if let Some(kind) = self.kind(path) {
                    self.links.set(path, resolved.chain);
                    self.file(path, kind, &meta, hint, now, out);
                }
            }
            Err(Reason::Dangling) if concerns => {
                self.links.set(path, resolved.chain);
                self.dangling(path, now, out);
            }
            Err(reason) if kind.is_some() => self.refused(path, reason, now, out),
            Err(reason) => {
                let leads_to_folder = std::fs::metadata(self.real.join(path)).is_ok_and(|meta| meta.is_dir());
                if was_folder || (leads_to_folder && !folder()) {
                    self.place(path, reason, out);
                    self.see_below(path);
                }
            }
        }
        false
    }

    /// A link without its target: a trouble once that has lasted.
    fn dangling(&mut self, path: &str, now: Moment, out: &mut Found) {
        self.see(path);
        self.see_below(path);
        match self.settling.get(path) {
            Some(Settling { identity: None, since, .. }) if now.steady.saturating_duration_since(*since) >= SETTLE => {
                self.settling.remove(path);
                if self.folders.contains_key(path) {
                    self.place(path, Reason::Dangling, out);
                } else {
                    self.trouble(path, Reason::Dangling, out);
                }
            }
            Some(Settling { identity: None, .. }) => {}
            _ if self.trouble_of(path) == Reason::Dangling.number() => {}
            _ if self.places.get(path).is_some_and(|place| place.reason == Reason::Dangling) => {
                self.place(path, Reason::Dangling, out)
            }
            _ => self.wait(path, settling(None, now), now),
        }
    }
}
