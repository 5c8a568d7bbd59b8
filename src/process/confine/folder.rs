//! The folder of keys of a server that starts as root and goes on as another user: made while it is still root.
//!
//! Root never makes or gives away anything below a folder that somebody else can change: the name that it looked at could
//! be another thing a moment later.

use super::{Account, ConfineFault, find_account};
use crate::process::system;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

/// Only its user looks into it.
const MODE: u32 = 0o700;
/// Folders on the way to it are as others are.
const WAY_MODE: u32 = 0o755;
/// Who may write besides the owner (inode(7)).
const OTHERS_WRITE: u32 = 0o022;
/// Others may add entries, and remove only their own.
const STICKY: u32 = 0o1000;

/// Makes `folder` for `user` where it is missing and the process is root. In all other cases nothing is done: who is that
/// user already makes it later on.
///
/// # Errors
/// [`ConfineFault`]: no such user, a folder above it that others can change, or what the system says.
pub fn make_folder_for(user: &str, folder: &Path) -> Result<(), ConfineFault> {
    let is_missing = folder.symlink_metadata().is_err_and(|fault| fault.kind() == io::ErrorKind::NotFound);
    if user.is_empty() || system::effective_user() != 0 || !is_missing {
        return Ok(());
    }
    let account = find_account(user)?;
    let fault = |why: String| ConfineFault::Folder { folder: folder.to_owned(), user: user.to_owned(), why };
    let said = |error: io::Error| fault(error.to_string());
    let absolute = std::path::absolute(folder).map_err(said)?;
    let there = absolute.ancestors().find(|above| above.is_dir()).unwrap_or(Path::new("/"));
    let there = there.canonicalize().map_err(said)?;
    if let Some(open) = there.ancestors().find_map(|above| changeable(above, account)) {
        return Err(fault(open));
    }
    make(&absolute, account).map_err(said)
}

/// Why somebody but root and the server's user could put another thing in place of what lies in this folder.
fn changeable(folder: &Path, account: Account) -> Option<String> {
    let found = match folder.metadata() {
        Ok(found) => found,
        Err(fault) => return Some(format!("{} cannot be looked at: {fault}", folder.display())),
    };
    let (owner, mode) = (found.uid(), found.mode() & 0o7777);
    if owner != 0 && owner != account.uid {
        return Some(format!("{} belongs to user {owner}", folder.display()));
    }
    let is_open = mode & OTHERS_WRITE != 0 && mode & STICKY == 0;
    is_open.then(|| format!("others can change {} (mode {mode:04o})", folder.display()))
}

fn make(folder: &Path, account: Account) -> io::Result<()> {
    if let Some(above) = folder.parent() {
        DirBuilder::new().recursive(true).mode(WAY_MODE).create(above)?;
    }
    DirBuilder::new().mode(MODE).create(folder)?;
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let made: File = OpenOptions::new().read(true).custom_flags(flags).open(folder)?;
    let is_ours = |found: Metadata| found.is_dir() && found.uid() == 0;
    if !made.metadata().map(is_ours)? {
        return Err(io::Error::other("another thing lies there now"));
    }
    fchown(&made, Some(account.uid), Some(account.gid))
}

/// The command that does the same by hand.
pub(super) fn by_hand(user: &str, folder: &Path) -> String {
    format!("`install -d -m 0700 -o {user} {}`", folder.display())
}
