//! Whether the folder of keys could be used by a server that begins now; nothing is made, locked or written.

use crate::store::durable::{DiskFault, OTHERS_MODE};
use crate::store::{StoreFault, holds_folders, mode_of};
use rustix::fs::Access;
use std::path::Path;

/// Why a server that this user starts could not use `keys`; none: it could. Whether another process uses it is not asked.
/// `is_made`: where it is missing, it is made before this user takes over.
pub fn why_unusable(keys: &Path, is_made: bool) -> Option<StoreFault> {
    let disk = |file: &Path, doing, cause: std::io::Error| DiskFault { file: file.to_owned(), doing, cause }.into();
    let found = match std::fs::metadata(keys) {
        Ok(found) => found,
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound && is_made => return None,
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => {
            let above = keys.ancestors().skip(1).find(|above| above.as_os_str().is_empty() || above.exists())?;
            let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
            return may_write(above).err().map(|cause| disk(keys, "make", cause));
        }
        Err(cause) => return Some(disk(keys, "read", cause)),
    };
    if !found.is_dir() {
        return Some(StoreFault::NotAFolder(keys.to_owned()));
    }
    if let Err(cause) = may_write(keys) {
        return Some(disk(keys, "write into", cause));
    }
    let mode = mode_of(&found);
    let is_exposed = mode & OTHERS_MODE != 0 && holds_folders(keys);
    is_exposed.then(|| StoreFault::Exposed { folder: keys.to_owned(), mode })
}

fn may_write(folder: &Path) -> std::io::Result<()> {
    Ok(rustix::fs::access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)?)
}
