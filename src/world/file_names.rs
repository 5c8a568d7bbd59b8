//! Numbers for the paths of provisioned files, so that a tenant names its file in four octets.
//!
//! Pure. The number of a file that is gone is given again, but not at once: who still reads an older snapshot mostly finds
//! the path. After a removal of many files a report that is under way may name another one.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

/// Numbers that rest before they are given again: more than go with the files of some ordinary changes.
pub const RESTING: usize = 1024;

/// The paths by number, shared with those who print reports.
#[derive(Clone, Default)]
pub struct FileNames(Arc<RwLock<Names>>);

#[derive(Default)]
struct Names {
    paths: Vec<Arc<str>>,
    /// Numbers of files that are gone, the oldest first.
    free: VecDeque<u32>,
}

impl FileNames {
    /// The path of a file.
    pub fn path(&self, id: u32) -> Option<Arc<str>> {
        let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
        names.paths.get(usize::try_from(id).ok()?).cloned()
    }

    /// A number for one more path.
    pub fn push(&self, path: Arc<str>) -> u32 {
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let rested = if names.free.len() > RESTING { names.free.pop_front() } else { None };
        if let Some(id) = rested
            && let Some(place) = usize::try_from(id).ok().and_then(|at| names.paths.get_mut(at))
        {
            *place = path;
            return id;
        }
        names.paths.push(path);
        u32::try_from(names.paths.len() - 1).unwrap_or(u32::MAX)
    }

    /// The file of this number is gone, and no tenant bears it.
    pub fn give_back(&self, id: u32) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).free.push_back(id);
    }

    /// Numbers that were ever given.
    pub fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).paths.len()
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
