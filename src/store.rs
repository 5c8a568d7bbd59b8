//! Everything that outlives a restart, under `keys/`: private keys, journals, and the last good content of broken files.
//!
//! It never makes a key where there may have been one. Keys and journals are there twice: while one of the two is good, it
//! is used, and the other one is mended and reported. Where neither is, the zone is silent with the reason if it cannot do
//! without, and someone must look. One process at a time uses a folder.
//!
//! A zone's first start goes in steps, each durable before the next; after a crash it goes on where it was:
//!
//! | on disk | next |
//! |---|---|
//! | no journal, no key file | the journal and its copy, with `first_keys_intended` |
//! | `first_keys_intended` | for each key: its copy and its file, read back, then `key_created`; files without a fact are adopted |
//! | all keys created | `key_published`, `key_activated`, then `first_keys_done` |
//! | `first_keys_done` | keys are loaded and may be served; from now on none is ever made here |

mod again;
pub(crate) mod copies;
pub mod durable;
pub(crate) mod first;
pub(crate) mod folder;
mod import;
pub(crate) mod instance;
pub mod journal;
pub mod kept;
pub mod keyfile;
mod last_good;
pub(crate) mod load;
mod moment;
pub mod offline;
pub mod pools;
pub(crate) mod proof;
pub mod ready;
pub mod records;
pub mod signing_clock;
pub mod silence;

pub use import::{Import, ImportFault};
pub use last_good::{LastGood, read_tenant_pools};

use crate::diagnostic::Diagnostic;
use crate::diagnostic::passing;
use crate::roll::clock::Told;
use crate::sign::key::{Key, PublicKey, Role};
use crate::store::durable::{Disk, DiskFault, Failpoint, UNFINISHED_PREFIX, is_there};
use crate::store::folder::{LOCK_NAME, key_files, strays, zone_folder};
use crate::store::instance::Instance;
use crate::store::journal::file::{JOURNAL_NAME, JournalFile};
use crate::store::journal::{Fact, KeyLayout, ZoneFacts};
use crate::store::signing_clock::SigningClock;
use crate::store::silence::{Cause, Silence, check_folder};
use crate::time::{Now, Seconds, UnixTime};
use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// An open and locked `keys/` folder; the lock ends with it, or with the process however that ends.
pub struct Store {
    folder: PathBuf,
    disk: Arc<Disk>,
    lock: File,
}

/// Why `keys/` cannot be used, or something in it cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    /// Another process uses it.
    #[error("{} is in use by {}: end that first", folder.display(), match pid {
        Some(pid) => format!("process {pid}"),
        None => "another process (it left no process id)".to_owned(),
    })]
    Locked {
        /// The folder.
        folder: PathBuf,
        /// Who, where it could be read.
        pid: Option<u32>,
    },
    /// Others than its owner may use it.
    #[error("{0} may be used by group or others (mode {1:04o}): run `chmod 700 {0}`", folder.display(), mode)]
    Exposed {
        /// The folder.
        folder: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Something that is no folder has its name.
    #[error("{} is not a folder: move it away, or set `keys` to another folder", .0.display())]
    NotAFolder(PathBuf),
    /// What should be text is not.
    #[error("{} is not UTF-8: it was damaged; remove it", .0.display())]
    NotText(PathBuf),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskFault),
}

/// The keys of a zone, loaded and proved.
pub struct ZoneKeys {
    /// The journal, to be told what happens next.
    pub journal: JournalFile,
    /// By tag: the private halves of those that are there or still sign.
    pub private: BTreeMap<u16, Key>,
    /// Keys neither of whose files can be used, and why. The zone can do without them now.
    pub unreadable: Vec<(u16, String)>,
    /// What an operator should know, such as a line that was cut off. Nothing here stops the zone.
    pub findings: Vec<Diagnostic>,
    /// Whether its first keys were made just now.
    pub is_new: bool,
}

impl StoreFault {
    /// Whether it may end by itself, or once the disk or its rights are mended.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, StoreFault::Disk(fault) if passing::is_passing(&fault.cause))
    }

    /// Exit code of a command that ends with it: 4 where a safety gate refused, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            StoreFault::Locked { .. } | StoreFault::Exposed { .. } => 4,
            StoreFault::NotAFolder(_) | StoreFault::NotText(_) | StoreFault::Disk(_) => 1,
        }
    }
}

impl Store {
    /// Opens `keys/`, making it where it is missing, and locks it for this process.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub fn open(keys: &Path) -> Result<Store, StoreFault> {
        Store::open_on(keys, Disk::default())
    }

    /// The same, with a disk that can be failed.
    ///
    /// # Errors
    /// [`StoreFault`].
    #[doc(hidden)]
    pub fn open_with_failpoint(keys: &Path, failpoint: Failpoint) -> Result<Store, StoreFault> {
        Store::open_on(keys, Disk::with_failpoint(failpoint))
    }

    fn open_on(keys: &Path, disk: Disk) -> Result<Store, StoreFault> {
        if std::fs::metadata(keys).is_ok_and(|found| !found.is_dir()) {
            return Err(StoreFault::NotAFolder(keys.to_owned()));
        }
        disk.create_folder(keys)?;
        let as_read = |cause| DiskFault { file: keys.to_owned(), doing: "read", cause };
        let handle = File::open(keys).map_err(as_read)?;
        let mode = mode_of(&handle.metadata().map_err(as_read)?);
        // A folder without secrets, such as a fresh checkout's, is closed; one that held any may have been read.
        if mode & durable::OTHERS_MODE != 0 && !holds_folders(keys) {
            let closed = handle.set_permissions(std::fs::Permissions::from_mode(0o700));
            closed.map_err(|cause| DiskFault { file: keys.to_owned(), doing: "close", cause })?;
        } else if mode & durable::OTHERS_MODE != 0 {
            return Err(StoreFault::Exposed { folder: keys.to_owned(), mode });
        }
        let pid_file = keys.join(LOCK_NAME);
        match handle.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreFault::Locked { folder: keys.to_owned(), pid: read_pid(&pid_file) });
            }
            Err(TryLockError::Error(cause)) => {
                return Err(StoreFault::Disk(DiskFault { file: keys.to_owned(), doing: "lock", cause }));
            }
        }
        let store = Store { folder: keys.to_owned(), disk: Arc::new(disk), lock: handle };
        // What another machine is writing in a shared folder is not what an interrupted write left.
        if instance::is_ours(keys) {
            // A full or read-only disk must not keep a server from starting; then the second process learns no pid.
            let _ = durable::overwrite_plainly(&pid_file, format!("{}\n", std::process::id()).as_bytes());
            store.remove_unfinished(&store.folder);
        }
        Ok(store)
    }

    /// The keys of a zone. At its first start, where there is neither a journal nor a key file, they are made as `layout`
    /// and `algorithm` say; afterwards only the journal counts, and the two are goals for rolls. `first`: facts that count
    /// before its first keys are served.
    ///
    /// # Errors
    /// [`Silence`]: the zone has no keys to sign with, and none were made in their place.
    pub fn zone_keys(
        &self,
        apex: &[u8],
        layout: KeyLayout,
        algorithm: u8,
        first: &[Fact],
        now: UnixTime,
    ) -> Result<ZoneKeys, Silence> {
        self.zone_keys_if(apex, layout, algorithm, first, |_| Ok(()), now)
    }

    /// The same, where first keys are made only if `may_begin` has no reason against it. It is told whether they were
    /// begun before.
    ///
    /// # Errors
    /// [`Silence`], also that reason.
    pub fn zone_keys_if(
        &self,
        apex: &[u8],
        layout: KeyLayout,
        algorithm: u8,
        first: &[Fact],
        may_begin: impl FnOnce(bool) -> Result<(), Silence>,
        now: UnixTime,
    ) -> Result<ZoneKeys, Silence> {
        self.check_is_same()?;
        let folder = self.zone_folder(apex);
        if is_there(&folder) {
            check_folder(&folder)?;
            self.remove_unfinished(&folder);
            self.remove_unfinished(&copies::folder_of(&folder));
        }
        let names = all_key_files(&folder)?;
        let path = folder.join(JOURNAL_NAME);
        let read = JournalFile::<ZoneFacts>::read(Arc::clone(&self.disk), path.clone())
            .map_err(|f| Silence::journal(&path, f))?;
        let is_new = read.as_ref().is_none_or(|journal| !journal.facts().first_keys_done);
        if is_new && (read.is_some() || names.is_empty()) {
            may_begin(read.is_some())?;
        }
        let mut journal = match (read, names.first()) {
            (Some(journal), _) => journal,
            (None, Some(file)) => return Err(Silence::journal_missing(&path, file)),
            (None, None) => {
                self.disk.create_folder(&folder).map_err(Silence::disk)?;
                first::begin(&self.disk, &path, layout, algorithm, now)?
            }
        };
        let mut findings = journal.mend(now);
        if !journal.facts().first_keys_done {
            first::finish(&self.disk, &folder, &names, &mut journal, first, now)?;
        }
        findings.extend(strays(&folder, &key_files(&folder)?, journal.facts()));
        findings.extend(load::wipe(&folder, journal.facts(), &self.disk));
        let loaded = load::load(&folder, journal.facts(), Some(&self.disk))?;
        findings.extend(loaded.findings);
        Ok(ZoneKeys { journal, private: loaded.private, unreadable: loaded.unreadable, findings, is_new })
    }

    /// Makes one more key for a roll. Its tag is that of no other key that the zone ever had, nor of one once revoked; both
    /// its files are read back before the journal names it. It is neither published nor signing.
    ///
    /// # Errors
    /// [`Silence`]; the journal does not name it, and the next try goes on from what is there.
    pub fn make_key(
        &self,
        apex: &[u8],
        journal: &mut JournalFile,
        role: Role,
        algorithm: u8,
        now: UnixTime,
    ) -> Result<(u16, Key), Silence> {
        first::one_more(&self.disk, &self.zone_folder(apex), role, algorithm, journal, now)
    }

    /// Wipes the private half of a removed key: said first, so that a start finishes what a crash leaves.
    ///
    /// # Errors
    /// [`Silence`], also where the key was not removed before.
    pub fn destroy_key(&self, apex: &[u8], journal: &mut JournalFile, tag: u16, now: UnixTime) -> Result<(), Silence> {
        let path = journal.path().to_owned();
        journal.append(Fact::KeyDestroyed { tag }, now).map_err(|fault| Silence::append(&path, fault))?;
        let destroyed = journal.facts().key(tag).filter(|key| !key.file.is_empty());
        destroyed.map_or(Ok(()), |key| load::wipe_one(&self.zone_folder(apex), key, &self.disk))
    }

    /// Whether a zone's journal says that its roll to insecure has ended.
    pub fn is_unsigned(&self, apex: &[u8]) -> bool {
        let path = self.zone_folder(apex).join(JOURNAL_NAME);
        matches!(JournalFile::<ZoneFacts>::read(Arc::clone(&self.disk), path), Ok(Some(journal)) if journal.facts().unsigned)
    }

    /// Who uses the folder, and who did before.
    pub fn instance(&self, at: Instant) -> Instance {
        let run = data_encoding::HEXLOWER.encode(&proof::challenge()[..8]);
        Instance::start(&self.folder, Arc::clone(&self.disk), run, at)
    }

    /// The clock that signatures and waits go by. `least` is a moment that has passed for certain, such as that of the newest
    /// fact of any zone.
    pub fn signing_clock(&self, least: UnixTime, corrected: Seconds, now: Now) -> (SigningClock, Told) {
        SigningClock::start(&self.folder, Arc::clone(&self.disk), least, corrected, now)
    }

    /// Whether a zone is or was signed here: it has a journal or a key file, or that cannot be told.
    pub fn has_journal(&self, apex: &[u8]) -> bool {
        let folder = self.zone_folder(apex);
        let journal = folder.join(JOURNAL_NAME);
        is_there(&journal)
            || is_there(&copies::copy_of(&journal))
            || all_key_files(&folder).map_or(true, |files| !files.is_empty())
    }

    /// Another folder of that name, such as one that was mounted over it, is not the one that is locked.
    fn check_is_same(&self) -> Result<(), Silence> {
        use std::os::unix::fs::MetadataExt;
        let place = |found: std::fs::Metadata| (found.dev(), found.ino());
        let locked = self.lock.metadata().map(place);
        match std::fs::metadata(&self.folder).map(place) {
            Ok(there) if locked.as_ref().is_ok_and(|locked| *locked == there) => Ok(()),
            _ => {
                let reason = "another folder lies here than at the start, or none";
                Err(Silence::new(Cause::Folder, &self.folder, reason, "put it back, or start mxseal again"))
            }
        }
    }

    /// The folder of a zone below `keys/`.
    pub fn zone_folder(&self, apex: &[u8]) -> PathBuf {
        zone_folder(&self.folder, apex)
    }

    /// What an interrupted write left behind. A failure is left to the next write, which would meet it too.
    fn remove_unfinished(&self, folder: &Path) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED_PREFIX.as_bytes()) {
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let _ =
                    if is_folder { self.disk.remove_folder(&entry.path()) } else { self.disk.remove(&entry.path()) };
            }
        }
    }
}

/// Whether a folder has folders in it: those of zones, with keys. One that cannot be read may have.
fn holds_folders(keys: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(keys) else { return true };
    entries.into_iter().any(|entry| entry.map_or(true, |entry| entry.path().is_dir()))
}

/// Said aloud, since a process forked meanwhile may still hold a copy of the handle.
impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

/// The public halves of a zone's published keys, from its journal alone: for commands that run beside a server. Empty
/// where the zone has no keys yet.
///
/// # Errors
/// [`Silence`] where the journal cannot be believed, or is gone while key files are there.
pub fn read_keys(keys: &Path, apex: &[u8]) -> Result<Vec<PublicKey>, Silence> {
    let folder = zone_folder(keys, apex);
    let path = folder.join(JOURNAL_NAME);
    let read =
        JournalFile::<ZoneFacts>::read(Arc::default(), path.clone()).map_err(|fault| Silence::journal(&path, fault))?;
    let Some(journal) = read else {
        return all_key_files(&folder)?
            .first()
            .map_or(Ok(Vec::new()), |file| Err(Silence::journal_missing(&path, file)));
    };
    if !journal.facts().first_keys_done {
        return Ok(Vec::new());
    }
    Ok(journal.facts().keys.iter().filter(|key| key.is_published()).map(|key| key.public.clone()).collect())
}

/// Whether a zone's journal and all its private keys are as they should be; a zone without either is. For `check`, which
/// runs beside a server: nothing is locked, made or mended.
///
/// # Errors
/// [`Silence`]: a server would not serve the zone.
pub fn check_keys(keys: &Path, apex: &[u8]) -> Result<(), Silence> {
    if read_keys(keys, apex)?.is_empty() {
        return Ok(());
    }
    let folder = zone_folder(keys, apex);
    check_folder(&folder)?;
    let path = folder.join(JOURNAL_NAME);
    let read =
        JournalFile::<ZoneFacts>::read(Arc::default(), path.clone()).map_err(|fault| Silence::journal(&path, fault))?;
    read.map_or(Ok(()), |journal| load::load(&folder, journal.facts(), None).map(drop))
}

/// Names of all files that look like keys, in a zone's folder and in its folder of copies.
fn all_key_files(folder: &Path) -> Result<Vec<String>, Silence> {
    let mut names = key_files(folder)?;
    names.extend(key_files(&copies::folder_of(folder))?);
    names.sort();
    names.dedup();
    Ok(names)
}

fn mode_of(metadata: &std::fs::Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::mode(metadata) & 0o7777
}

fn read_pid(path: &Path) -> Option<u32> {
    let content = durable::open(path).and_then(|file| durable::read(&file, path, 32)).ok()?;
    std::str::from_utf8(&content).ok()?.trim().parse().ok()
}
