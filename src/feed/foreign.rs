//! Whether a file may have been put here by somebody who cannot read it: a hard link to a file of somebody else.
//!
//! A link by name says where it leads, a second name of a file does not; and what is read is quoted in findings. Backups by
//! hard links (`rsync --link-dest`, `cp -l`) give the operator's own files second names, too, and do no harm.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Whether only who may read and write a file, or owns it, can give it a second name (sysctl `fs.protected_hardlinks`).
const GUARD: &str = "/proc/sys/fs/protected_hardlinks";
/// Root owns what he likes.
const ROOT: u32 = 0;

/// Who owns a file, and the folder that it lies in; and the folder's mode.
#[derive(Clone, Copy, Debug)]
struct Owners {
    file: u32,
    folder: u32,
    folder_mode: u32,
}

/// Whether a file in `folder` may be somebody else's secret.
///
/// # Errors
/// The folder cannot be looked at.
pub fn is_foreign(file: &Metadata, folder: &Path) -> io::Result<bool> {
    if !is_secret(file.nlink(), file.mode()) {
        return Ok(false);
    }
    let folder = folder.metadata()?;
    let owners = Owners { file: file.uid(), folder: folder.uid(), folder_mode: folder.mode() };
    Ok(owners.are_foreign(is_guarded()))
}

/// Whether it has other names, and not everybody may read it.
fn is_secret(names: u64, mode: u32) -> bool {
    names > 1 && mode & 0o004 == 0
}

/// Where nobody says, it is not.
fn is_guarded() -> bool {
    std::fs::read_to_string(GUARD).is_ok_and(|text| text.trim() == "1")
}

impl Owners {
    /// Whether somebody else than its owner may have put the file here. Without the kernel's guard anybody who may write the
    /// folder gives any file of the same file system a name in it.
    fn are_foreign(self, is_guarded: bool) -> bool {
        let is_of_folder = self.file == self.folder;
        match is_guarded {
            true => !is_of_folder && self.file != ROOT,
            false => !is_of_folder || self.folder_mode & 0o022 != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_one_name_or_for_all_to_read_is_nobody_s_secret() {
        assert!(is_secret(2, 0o100_640) && is_secret(9, 0o100_600));
        assert!(!is_secret(1, 0o100_640) && !is_secret(2, 0o100_644));
    }

    #[test]
    fn second_names_of_the_operator_s_own_files_are_good_and_those_of_strangers_files_are_not() {
        let (operator, stranger) = (7, 8);
        let owners = |file, folder| Owners { file, folder, folder_mode: 0o40_755 };
        // Whether they are foreign where the kernel guards links, and where it does not.
        for (owners, guarded, unguarded) in [
            (owners(operator, operator), false, false),
            (owners(ROOT, operator), false, true),
            (owners(stranger, operator), true, true),
            (Owners { folder_mode: 0o42_775, ..owners(operator, operator) }, false, true),
            (owners(ROOT, ROOT), false, false),
            (owners(operator, ROOT), true, true),
        ] {
            assert_eq!((owners.are_foreign(true), owners.are_foreign(false)), (guarded, unguarded), "{owners:?}");
        }
    }
}
