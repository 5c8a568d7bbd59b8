//! Numbers for the paths of provisioned files, so that a tenant names its file in four octets.
//!
//! Pure. A number is never given twice while the process lives.

use std::sync::{Arc, PoisonError, RwLock};

/// The paths by number, shared with those who print reports; it only grows.
#[derive(Clone, Default)]
pub struct FileNames(Arc<RwLock<Vec<Arc<str>>>>);

impl FileNames {
    /// The path of a file.
    pub fn path(&self, id: u32) -> Option<Arc<str>> {
        let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
        names.get(usize::try_from(id).ok()?).cloned()
    }

    /// A number for one more path.
    pub fn push(&self, path: Arc<str>) -> u32 {
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        names.push(path);
        u32::try_from(names.len() - 1).unwrap_or(u32::MAX)
    }
}
