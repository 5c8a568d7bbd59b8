//! The private keys that wait in a pool's folder: which can be used, which others could read, what else lies there.
//!
//! They are looked at again while the server runs, wherever their description changed. It tells, and replaces no key by
//! another.

use crate::cert::Spki;
use crate::control::certs::PoolLife;
use crate::store::Store;
use crate::store::copies;
use crate::store::durable::is_there;
use crate::store::pools::PoolFault;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Files that are told of one pool, at most: one is as bad as many.
const STRAYS_MAX: usize = 8;

/// A file or folder as the system describes it: other numbers mean that its content or rights may be other.
type Print = Option<(u64, u64, i64, i64, i64, i64)>;

/// What was found there last.
#[derive(Default)]
pub struct Slots {
    prints: Vec<Print>,
    /// Keys that others may have read, and how.
    pub exposed: BTreeMap<Spki, String>,
    /// Files with keys that nobody named, or that lay in place of others.
    pub strays: Vec<String>,
}

impl PoolLife {
    /// Looks at the private halves; true where something may be other than before.
    pub(in crate::control) fn look_at_keys(&mut self, store: &Store) -> bool {
        let files = self.key_files(store);
        let prints: Vec<Print> = files.iter().map(|path| print(path)).collect();
        if prints == self.slots.prints {
            return false;
        }
        self.check_keys(store);
        // What was mended meanwhile is no news.
        self.slots.prints = files.iter().map(|path| print(path)).collect();
        true
    }

    /// The folder, its copy, and both files of each key that is kept.
    fn key_files(&self, store: &Store) -> Vec<PathBuf> {
        let folder = store.pool_folder(self.name());
        let kept = self.facts().keys.iter().filter(|key| !key.file.is_empty() && key.destroyed.is_none());
        let files = kept.map(|key| folder.join(&key.file)).flat_map(|path| [copies::copy_of(&path), path]);
        [copies::folder_of(&folder), folder.clone()].into_iter().chain(files).collect()
    }

    /// Which private halves can be read, and by whom; none is replaced where one cannot.
    fn check_keys(&mut self, store: &Store) {
        let kept = self.facts().keys.iter().filter(|key| !key.file.is_empty());
        let kept: Vec<_> = kept.map(|key| (key.spki, key.file.clone(), key.destroyed.is_some())).collect();
        self.unreadable.clear();
        self.slots.exposed.clear();
        for (spki, file, is_destroyed) in &kept {
            if *is_destroyed {
                // What a crash left of it.
                store.wipe_pool_key(self.name(), file).unwrap_or_else(|fault| tracing::warn!("{fault}"));
                continue;
            }
            let exposed = store.pool_key_faults(self.name(), file, *spki).into_iter().find_map(|fault| match fault {
                fault @ PoolFault::Exposed { .. } => Some(fault.to_string()),
                _ => None,
            });
            self.slots.exposed.extend(exposed.map(|how| (*spki, how)));
            if let Err(fault) = store.pool_key(self.name(), file, *spki) {
                self.unreadable.insert(*spki, fault.to_string());
            }
        }
        let folder = store.pool_folder(self.name());
        let known: Vec<&str> = kept.iter().map(|(_, file, _)| file.as_str()).collect();
        self.slots.strays = strays(&folder, &known);
    }
}

/// Files that look like keys, and are none of those known: one that somebody laid there, or what a file held before it was
/// written anew.
fn strays(folder: &Path, known: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for folder in [folder.to_owned(), copies::folder_of(folder)] {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        for name in entries.filter_map(|entry| entry.file_name().into_string().ok()) {
            // Hidden ones are our own, half-written.
            if name.contains(".pem") && !name.starts_with('.') && !known.contains(&name.as_str()) {
                found.push(folder.join(name).display().to_string());
            }
        }
    }
    found.sort();
    found.truncate(STRAYS_MAX);
    found
}

fn print(path: &Path) -> Print {
    if !is_there(path) {
        return None;
    }
    let meta = std::fs::symlink_metadata(path).ok()?;
    Some((meta.dev(), meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()))
}
