//! Files that survive a power cut: written beside their target, synced, renamed over it, and the folder synced.
//!
//! Nothing here ever follows a link at the end of a path, and nothing is half there under its own name. Each step has a
//! label, so that tests can end the process or fail the disk in front of it.

use rustix::fs::{CWD, RenameFlags};
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Names of unfinished files begin so; they are removed at the next start.
pub const UNFINISHED_PREFIX: &str = ".new-";
/// Mode bits of group and others.
pub const OTHERS_MODE: u32 = 0o077;
/// Broken files of one name that are kept, at most: whoever finds so many has more than a file to look at.
const BESIDE_MAX: u32 = 9;
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// What is about to be done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A folder is made.
    CreateFolder,
    /// An unfinished file is made.
    CreateFile,
    /// The first half of the content is written.
    Write,
    /// The second half of the content is written.
    WriteRest,
    /// The file is synced.
    SyncFile,
    /// The unfinished file gets its name.
    Rename,
    /// The folder is synced.
    SyncFolder,
    /// A file is removed.
    Remove,
    /// A broken file gets another name.
    KeepBeside,
    /// A file gets a second name.
    Link,
}

/// Asked before each step; an error fails the step in its place.
pub type Failpoint = Box<dyn Fn(Step, &Path) -> io::Result<()> + Send + Sync>;

/// Something that the disk refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {cause}", file.display())]
pub struct DiskFault {
    /// File or folder.
    pub file: PathBuf,
    /// What was tried: `read`, `write`, `make`, `remove`, `sync`.
    pub doing: &'static str,
    /// What the system said.
    pub cause: io::Error,
}

/// Why a file must not be trusted with a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exposure {
    /// Group or others may use it; its mode.
    #[error("group or others may use it (mode {0:04o})")]
    Mode(u32),
    /// It belongs to another user; theirs and ours.
    #[error("it belongs to user {owner}, and this process is user {ours}")]
    Owner {
        /// Owner of the file.
        owner: u32,
        /// User of this process.
        ours: u32,
    },
}

/// The way to the disk.
#[derive(Default)]
pub struct Disk {
    /// For tests only: none in production.
    failpoint: Option<Failpoint>,
    /// Whether all is left as it is.
    is_left: AtomicBool,
}

impl Disk {
    /// A disk whose steps can be failed, for tests.
    pub fn with_failpoint(failpoint: Failpoint) -> Disk {
        Disk { failpoint: Some(failpoint), is_left: AtomicBool::new(false) }
    }

    /// Nothing is written, removed or renamed from now on, since another server does so in these very files: what this
    /// process holds in memory would replace what that one has recorded meanwhile. Or it is again.
    pub fn leave(&self, is_left: bool) {
        self.is_left.store(is_left, Ordering::Relaxed);
    }

    /// Makes a folder that only its owner may use, where there is none, and makes its name durable.
    ///
    /// # Errors
    /// [`DiskFault`]; the folder above must exist.
    pub fn create_folder(&self, folder: &Path) -> Result<(), DiskFault> {
        if folder.is_dir() {
            return Ok(());
        }
        self.step(Step::CreateFolder, folder)
            .and_then(|()| DirBuilder::new().mode(FOLDER_MODE).create(folder))
            .map_err(fault("make", folder))?;
        self.sync_folder(parent_of(folder))
    }

    /// Puts a file with this content in place of what was there, whole or not at all. Each call makes a new file: one
    /// whose sync failed is never written again, since a second sync may succeed without having written anything.
    ///
    /// # Errors
    /// [`DiskFault`]. Where only the folder's sync failed, the new content is visible but may be gone after a power cut.
    pub fn write_whole(&self, path: &Path, content: &[u8]) -> Result<(), DiskFault> {
        self.rename_into_place(path, content).map_err(fault("write", path))?;
        self.sync_folder(parent_of(path))
    }

    fn rename_into_place(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.step(Step::CreateFile, path)?;
        let mut unfinished = tempfile::Builder::new().prefix(UNFINISHED_PREFIX).tempfile_in(parent_of(path))?;
        self.write_parts(unfinished.as_file_mut(), path, content)?;
        self.step(Step::SyncFile, path)?;
        unfinished.as_file().sync_all()?;
        self.step(Step::Rename, path)?;
        unfinished.persist(path).map(drop).map_err(|fault| fault.error)
    }

    /// Adds to the end of an open file and syncs it.
    ///
    /// # Errors
    /// [`DiskFault`]; the file may end in a part of `content` then, and must be written anew before the next append.
    pub fn append(&self, file: &mut File, path: &Path, content: &[u8]) -> Result<(), DiskFault> {
        self.write_parts(file, path, content)
            .and_then(|()| self.step(Step::SyncFile, path))
            .and_then(|()| file.sync_all())
            .map_err(fault("write", path))
    }

    /// Removes a file, where it is there, and makes that durable.
    ///
    /// # Errors
    /// [`DiskFault`].
    pub fn remove(&self, path: &Path) -> Result<(), DiskFault> {
        match self.step(Step::Remove, path).and_then(|()| std::fs::remove_file(path)) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(cause) => Err(fault("remove", path)(cause)),
            Ok(()) => self.sync_folder(parent_of(path)),
        }
    }

    /// Gives a plain file a second name, in a folder whose name is not durable yet.
    ///
    /// # Errors
    /// [`DiskFault`].
    pub fn link(&self, from: &Path, to: &Path) -> Result<(), DiskFault> {
        self.step(Step::Link, to).and_then(|()| std::fs::hard_link(from, to)).map_err(fault("make", to))?;
        self.sync_folder(parent_of(to))
    }

    /// Removes a folder that was never given its own name, with all that is in it.
    ///
    /// # Errors
    /// [`DiskFault`].
    pub fn remove_folder(&self, folder: &Path) -> Result<(), DiskFault> {
        let removed = self.step(Step::Remove, folder).and_then(|()| std::fs::remove_dir_all(folder));
        removed.map_err(fault("remove", folder))?;
        self.sync_folder(parent_of(folder))
    }

    /// Gives something broken another name, so that what replaces it does not destroy what it may tell. Nothing where
    /// nothing is there.
    ///
    /// # Errors
    /// [`DiskFault`].
    pub fn keep_beside(&self, path: &Path) -> Result<(), DiskFault> {
        if !is_there(path) {
            return Ok(());
        }
        let names = (1..=BESIDE_MAX).map(|number| beside(path, number));
        let name = names.into_iter().find(|name| !is_there(name)).unwrap_or_else(|| beside(path, BESIDE_MAX));
        let renamed = self.step(Step::KeepBeside, path).and_then(|()| std::fs::rename(path, &name));
        renamed.map_err(fault("rename", path))?;
        self.sync_folder(parent_of(path))
    }

    /// Gives a folder that was made complete under an unfinished name its own. Where a folder has that name already, the
    /// two change places in one step.
    ///
    /// # Errors
    /// [`DiskFault`]. Where only the sync of the folder above failed, the new one is visible but may be gone after a
    /// power cut.
    pub fn put_folder(&self, unfinished: &Path, path: &Path) -> Result<(), DiskFault> {
        let flags = if is_there(path) { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
        self.step(Step::Rename, path)
            .and_then(|()| Ok(rustix::fs::renameat_with(CWD, unfinished, CWD, path, flags)?))
            .map_err(fault("put into place", path))?;
        self.sync_folder(parent_of(path))
    }

    fn sync_folder(&self, folder: &Path) -> Result<(), DiskFault> {
        self.step(Step::SyncFolder, folder).and_then(|()| File::open(folder)?.sync_all()).map_err(fault("sync", folder))
    }

    fn write_parts(&self, file: &mut File, path: &Path, content: &[u8]) -> io::Result<()> {
        self.step(Step::Write, path)?;
        if self.failpoint.is_none() {
            return file.write_all(content);
        }
        let (first, rest) = content.split_at(content.len() / 2);
        file.write_all(first)?;
        self.step(Step::WriteRest, path)?;
        file.write_all(rest)
    }

    fn step(&self, step: Step, path: &Path) -> io::Result<()> {
        if self.is_left.load(Ordering::Relaxed) {
            return Err(io::Error::other("another server uses this folder, so this one writes nothing there"));
        }
        self.failpoint.as_ref().map_or(Ok(()), |failpoint| failpoint(step, path))
    }
}

/// Names under which [`Disk::keep_beside`] keeps what has this name.
pub fn kept_beside(path: &Path) -> Vec<PathBuf> {
    (1..=BESIDE_MAX).map(|number| beside(path, number)).filter(|name| is_there(name)).collect()
}

fn beside(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".damaged-{number}"));
    PathBuf::from(name)
}

/// Whether anything has this name; also where that cannot be told.
pub fn is_there(path: &Path) -> bool {
    !std::fs::symlink_metadata(path).is_err_and(|fault| fault.kind() == io::ErrorKind::NotFound)
}

/// The device and the inode number of what has this name: other ones mean that something else has it now.
pub fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|found| (found.dev(), found.ino())).ok()
}

/// Opens a plain file for reading: no link, FIFO, socket or device, and without waiting for any of them.
///
/// # Errors
/// [`DiskFault`], also where the file is not there.
pub fn open(path: &Path) -> Result<File, DiskFault> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    opened.and_then(plain).map_err(fault("read", path))
}

/// Opens a plain file for appending; it must be there.
///
/// # Errors
/// [`DiskFault`].
pub fn open_append(path: &Path) -> Result<File, DiskFault> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let opened = OpenOptions::new().append(true).custom_flags(flags).open(path);
    opened.and_then(plain).map_err(fault("write", path))
}

/// Reads an open file, up to `octets_max`; more is an error. The buffer never moves, so a secret leaves no copies.
///
/// # Errors
/// [`DiskFault`].
pub fn read(file: &File, path: &Path, octets_max: usize) -> Result<Vec<u8>, DiskFault> {
    read_up_to(file, octets_max).map_err(fault("read", path))
}

fn read_up_to(file: &File, octets_max: usize) -> io::Result<Vec<u8>> {
    let too_long = || io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {octets_max} octets"));
    let length = usize::try_from(file.metadata()?.len()).map_err(|_| too_long())?;
    if length > octets_max {
        return Err(too_long());
    }
    // Room for one octet too many and for the probe at the end, so that the buffer is not grown.
    let mut content = Vec::with_capacity(length + 64);
    let limit = u64::try_from(octets_max).unwrap_or(u64::MAX);
    file.take(limit.saturating_add(1)).read_to_end(&mut content)?;
    if content.len() > octets_max { Err(too_long()) } else { Ok(content) }
}

/// Whether a fault says that the file is not there.
pub fn is_missing(fault: &DiskFault) -> bool {
    fault.cause.kind() == io::ErrorKind::NotFound
}

/// Checks that only this process's user can use a file or folder.
///
/// # Errors
/// [`Exposure`] says who else may, and an I/O error where the system does not tell who we are.
pub fn check_private(of: &Metadata) -> io::Result<Result<(), Exposure>> {
    let (owner, ours) = (of.uid(), our_user()?);
    Ok(match of.mode() & 0o7777 {
        mode if mode & OTHERS_MODE != 0 => Err(Exposure::Mode(mode)),
        _ if owner != ours => Err(Exposure::Owner { owner, ours }),
        _ => Ok(()),
    })
}

/// The user that files made by this process belong to: that of a fresh pipe, which needs neither `unsafe` nor a disk.
fn our_user() -> io::Result<u32> {
    let (reader, _writer) = io::pipe()?;
    Ok(File::from(std::os::fd::OwnedFd::from(reader)).metadata()?.uid())
}

fn plain(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain file"))
}

fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn fault(doing: &'static str, file: &Path) -> impl Fn(io::Error) -> DiskFault {
    move |cause| {
        // The system's words for a link under O_NOFOLLOW lead people astray.
        let is_link = cause.raw_os_error() == Some(libc::ELOOP);
        let cause = if is_link { io::Error::other("it is a link, and links are not followed") } else { cause };
        DiskFault { file: file.to_owned(), doing, cause }
    }
}

/// Replaces what an open file holds; for files that need not survive a power cut.
///
/// # Errors
/// The system's.
pub fn overwrite_plainly(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(FILE_MODE).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    plain(options.open(path)?)?.write_all(content)
}
