//! Reads one provisioned file without being led astray: only a regular file, only from inside the watched folder.
//!
//! What is judged is the opened handle, so nothing can be exchanged between check and use. Opening never waits (FIFO) and
//! never makes a terminal ours.

use crate::diagnostic::passing;
use crate::feed::foreign;
use crate::feed::settle::Identity;
use crate::feed::writer;
use crate::world::paths::{Kind, LINE_OCTETS_MAX};
use crate::world::trouble::Reason;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What a file is, as `stat` says.
pub fn identity(meta: &Metadata) -> Identity {
    Identity {
        inode: (meta.dev(), meta.ino()),
        size: meta.len(),
        mtime: (meta.mtime(), meta.mtime_nsec()),
        ctime: (meta.ctime(), meta.ctime_nsec()),
    }
}

/// Whether a file like this may be read at all.
///
/// # Errors
/// The reason why not.
pub fn admit(meta: &Metadata, kind: Kind) -> Result<(), Reason> {
    if !meta.is_file() {
        return Err(Reason::NotRegular);
    }
    if meta.mode() & 0o002 != 0 {
        return Err(Reason::WorldWritable);
    }
    // Root could read it all the same, but its owner said that nobody should.
    if meta.mode() & 0o444 == 0 {
        return Err(Reason::Unreadable(libc::EACCES));
    }
    if meta.len() > kind.octets_max() {
        return Err(Reason::TooLarge(kind.octets_max()));
    }
    Ok(())
}

/// What reading gave.
#[derive(Debug)]
pub enum Content {
    /// The octets, and the identity that the file had before and after they were read.
    Whole(Vec<u8>, Identity),
    /// The same of a file that somebody has open for writing, where lines may only be added.
    Growing(Vec<u8>, Identity),
    /// Somebody has it open for writing.
    Held(Identity),
    /// It changed while it was read, or is not the file that was seen before: its identity now.
    Changing(Identity),
    /// It has a line longer than [`LINE_OCTETS_MAX`].
    LongLine(Identity),
    /// It is not there any more.
    Gone,
}

/// Whether somebody has the file open for writing; none: nobody may know.
pub fn is_written(path: &Path) -> Option<bool> {
    open(path).ok().and_then(|file| writer::is_written(&file))
}

/// Reads the file at `path`, which must lie in `root` (canonical). `path` may be a link. `is_held` is whether somebody seems to
/// have it open for writing, where the kernel does not say.
///
/// # Errors
/// The reason why it must not or cannot be read.
pub fn read(path: &Path, root: &Path, kind: Kind, is_held: bool) -> Result<Content, Reason> {
    let mut file = match open(path) {
        Ok(file) => file,
        Err(fault) if is_gone(&fault) => return Ok(Content::Gone),
        // A socket, or a FIFO's other end: the name of a file, but not one.
        Err(fault) if fault.raw_os_error() == Some(libc::ENXIO) => return Err(Reason::NotRegular),
        Err(fault) if fault.raw_os_error() == Some(libc::ELOOP) => return Err(Reason::LinkLoop),
        Err(fault) => return Err(unreadable(&fault)),
    };
    let before = file.metadata().map_err(|fault| unreadable(&fault))?;
    admit(&before, kind)?;
    let real = real_path(&file, path).map_err(|fault| unreadable(&fault))?;
    if !real.starts_with(root) {
        return Err(Reason::LinkOut);
    }
    if foreign::is_foreign(&before, real.parent().unwrap_or(root)).map_err(|fault| unreadable(&fault))? {
        return Err(Reason::Foreign);
    }
    let mut octets = Vec::new();
    let size = usize::try_from(before.len()).unwrap_or(0).saturating_add(1);
    octets.try_reserve_exact(size).map_err(|_| Reason::Unreadable(libc::ENOMEM))?;
    let limit = kind.octets_max();
    file.by_ref().take(limit.saturating_add(1)).read_to_end(&mut octets).map_err(|fault| unreadable(&fault))?;
    let after = identity(&file.metadata().map_err(|fault| unreadable(&fault))?);
    if after != identity(&before) || u64::try_from(octets.len()) != Ok(after.size) {
        return Ok(Content::Changing(after));
    }
    if has_long_line(&octets) {
        return Ok(Content::LongLine(after));
    }
    // Last, so that nobody can have begun to write before the octets above were read.
    Ok(match writer::is_written(&file).unwrap_or(is_held) {
        true if kind == Kind::Tenants => Content::Growing(octets, after),
        true => Content::Held(after),
        false => Content::Whole(octets, after),
    })
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC).open(path)
}

/// Where the opened file really lies. The kernel's word counts; without a /proc the path is resolved and must still lead
/// to the opened file.
fn real_path(file: &File, path: &Path) -> io::Result<PathBuf> {
    if let Ok(real) = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())) {
        return Ok(real);
    }
    let real = path.canonicalize()?;
    let (there, here) = (real.symlink_metadata()?, file.metadata()?);
    let same = (there.dev(), there.ino()) == (here.dev(), here.ino());
    if same { Ok(real) } else { Err(io::Error::from_raw_os_error(libc::ESTALE)) }
}

fn has_long_line(octets: &[u8]) -> bool {
    // A window of one octet more than a line may have must hold an end of a line: only some octets of each are read.
    let mut rest = octets;
    while let Some(window) = rest.get(..=LINE_OCTETS_MAX) {
        let Some(end) = window.iter().rposition(|octet| *octet == b'\n') else { return true };
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    false
}

/// Whether the error says that nothing is there.
pub fn is_gone(fault: &io::Error) -> bool {
    matches!(fault.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The error as a reason: of the file, or of this moment.
pub fn unreadable(fault: &io::Error) -> Reason {
    match fault.raw_os_error().unwrap_or(libc::EIO) {
        errno if passing::is_of_process(errno) => Reason::Shortage(errno),
        errno => Reason::Unreadable(errno),
    }
}

/// The same of a folder.
pub(super) fn unlisted(fault: &io::Error) -> Reason {
    match unreadable(fault) {
        Reason::Unreadable(errno) => Reason::FolderUnreadable(errno),
        shortage => shortage,
    }
}
