//! Pools below `keys/pools/`: one folder each, with the journal and the private keys of its hosts that are kept here.
//!
//! All of it is there twice, as with zones. A private key is never replaced by another: of two files the one counts that
//! holds the key meant, and where neither does, somebody must look.

use crate::cert::Spki;
use crate::cert::make::PrivateKey;
use crate::roll::hosts::facts::Fact;
use crate::roll::hosts::fold::PoolFacts;
use crate::store::Store;
use crate::store::copies;
use crate::store::durable;
use crate::store::durable::{DiskFault, Exposure, UNFINISHED_PREFIX, is_there};
use crate::store::journal::file::{AppendFault, JOURNAL_NAME, JournalFile, ReadFault};
use crate::store::kept::Kept;
use crate::store::last_good::LIST_OCTETS_MAX;
use crate::store::silence::{Silence, check_folder};
use crate::time::UnixTime;
use crate::world::pools::WAY_PREFIX;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The folder of pools in `keys/`.
const POOLS_NAME: &str = "pools";
/// The list of what was published of them, beside that folder: no zone's folder begins with a dot.
const PASTS_NAME: &str = ".pools";
/// What names of private keys begin and end with.
const KEY_PREFIX: &str = "next-";
const KEY_SUFFIX: &str = ".pem";
/// Octets of a file with a private key, at most: RSA of 8192 bits has some 6000.
const KEY_OCTETS_MAX: usize = 16 * 1024;

/// Why something of a pool cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum PoolFault {
    /// Its folder is not to be trusted.
    #[error("{}: {}", .0.file, .0.reason)]
    Folder(Silence),
    /// Its journal cannot be believed.
    #[error("{}: {cause}", file.display())]
    Journal {
        /// The journal.
        file: PathBuf,
        /// Why.
        cause: ReadFault,
    },
    /// A fact was not recorded.
    #[error(transparent)]
    Append(#[from] AppendFault),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskFault),
    /// Others may have read a private key.
    #[error("{}: it {exposure}: run `chmod 600` and `chown`, and look who read it", file.display())]
    Exposed {
        /// The file.
        file: PathBuf,
        /// Who else may use it.
        exposure: Exposure,
    },
    /// It is no private key, or another one.
    #[error("{}: {reason}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl Store {
    /// The folder of a pool.
    pub fn pool_folder(&self, pool: &str) -> PathBuf {
        folder(&self.folder, pool)
    }

    /// What was published of all pools, beside their folders: where these are lost, it tells.
    pub fn pool_pasts(&self) -> Kept {
        Kept::new(self.folder.join(PASTS_NAME), "what was published of pools".to_owned(), LIST_OCTETS_MAX)
    }

    /// Keeps the text of such a file.
    ///
    /// # Errors
    /// [`DiskFault`]; what was kept before can still be read.
    pub fn keep(&self, kept: &mut Kept, text: &str) -> Result<(), DiskFault> {
        kept.write(&self.disk, text)
    }

    /// Names of all pools that have a journal, ways between pools among them.
    pub fn pool_names(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.folder.join(POOLS_NAME)) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| self.has_pool(name)).collect();
        names.sort();
        names
    }

    /// Names of all folders of ways between pools, whatever is in them.
    pub fn way_names(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.folder.join(POOLS_NAME)) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| name.starts_with(WAY_PREFIX)).collect()
    }

    /// Whether a pool has a journal.
    pub fn has_pool(&self, pool: &str) -> bool {
        let journal = self.pool_folder(pool).join(JOURNAL_NAME);
        is_there(&journal) || is_there(&copies::copy_of(&journal))
    }

    /// The journal of a pool; none where it has none.
    ///
    /// # Errors
    /// [`PoolFault`].
    pub fn pool_journal(&self, pool: &str) -> Result<Option<JournalFile<PoolFacts>>, PoolFault> {
        let folder = self.pool_folder(pool);
        if is_there(&folder) {
            check_folder(&folder).map_err(PoolFault::Folder)?;
            self.remove_unfinished(&folder);
            self.remove_unfinished(&copies::folder_of(&folder));
        }
        let path = folder.join(JOURNAL_NAME);
        JournalFile::read(Arc::clone(&self.disk), path.clone())
            .map_err(|cause| PoolFault::Journal { file: path, cause })
    }

    /// Makes the journal of a pool, with its first fact. A broken one in its place is kept beside.
    ///
    /// # Errors
    /// [`PoolFault`].
    pub fn create_pool_journal(
        &self,
        pool: &str,
        first: Fact,
        now: UnixTime,
    ) -> Result<JournalFile<PoolFacts>, PoolFault> {
        let folder = self.pool_folder(pool);
        self.disk.create_folder(&self.folder.join(POOLS_NAME))?;
        self.disk.create_folder(&folder)?;
        let path = folder.join(JOURNAL_NAME);
        for broken in [path.clone(), copies::copy_of(&path)].iter().filter(|path| is_there(path)) {
            self.disk.keep_beside(broken)?;
        }
        Ok(JournalFile::create(Arc::clone(&self.disk), path, first, now)?)
    }

    /// Removes all of a way between pools that has ended.
    ///
    /// # Errors
    /// [`PoolFault`]; what is left is removed at the next try.
    pub fn remove_pool(&self, pool: &str) -> Result<(), PoolFault> {
        let folder = self.pool_folder(pool);
        // The journals go first: what has none is no way any more.
        let journal = folder.join(JOURNAL_NAME);
        for file in [copies::copy_of(&journal), journal].iter().filter(|file| is_there(file)) {
            self.disk.remove(file)?;
        }
        Ok(self.disk.remove_folder(&folder)?)
    }

    /// Keeps a private key, the copy first; both are read back.
    ///
    /// # Errors
    /// [`PoolFault`]; nothing must name the key then.
    pub fn keep_pool_key(&self, pool: &str, file: &str, key: &PrivateKey) -> Result<(), PoolFault> {
        let path = self.pool_folder(pool).join(file);
        copies::make_folder(&self.disk, &self.pool_folder(pool))?;
        for path in [copies::copy_of(&path), path] {
            self.disk.write_whole(&path, key.pem().as_bytes())?;
            read_key(&path, Some(key.spki()))?;
        }
        Ok(())
    }

    /// What is wrong with the two files of a private key, each by itself.
    pub fn pool_key_faults(&self, pool: &str, file: &str, meant: Spki) -> Vec<PoolFault> {
        let path = self.pool_folder(pool).join(file);
        [copies::copy_of(&path), path].iter().filter_map(|path| read_key(path, Some(meant)).err()).collect()
    }

    /// A private key: from the better of its two files; the other one is written anew from it.
    ///
    /// # Errors
    /// [`PoolFault`] of the first file, where neither holds the key meant.
    pub fn pool_key(&self, pool: &str, file: &str, meant: Spki) -> Result<PrivateKey, PoolFault> {
        let path = self.pool_folder(pool).join(file);
        let copy = copies::copy_of(&path);
        match (read_key(&path, Some(meant)), read_key(&copy, Some(meant))) {
            (Ok(key), Ok(_)) => Ok(key),
            (Ok(key), Err(fault)) => {
                self.mend_key(&copy, &key, &fault);
                Ok(key)
            }
            (Err(fault), Ok(key)) => {
                self.mend_key(&path, &key, &fault);
                Ok(key)
            }
            (Err(fault), Err(_)) => Err(fault),
        }
    }

    /// Writes the other file of a key anew, unless somebody must look at it first; what the disk refuses is tried again.
    fn mend_key(&self, path: &Path, key: &PrivateKey, fault: &PoolFault) {
        tracing::warn!("{fault}; its other file is used");
        if matches!(fault, PoolFault::Exposed { .. }) {
            return;
        }
        let mended = if is_there(path) { self.disk.keep_beside(path).map(drop) } else { Ok(()) };
        if let Err(fault) = mended.and_then(|()| self.disk.write_whole(path, key.pem().as_bytes())) {
            tracing::warn!("it cannot be written anew: {fault}");
        }
    }

    /// Removes both files of a private key.
    ///
    /// # Errors
    /// [`PoolFault`] names the file that is still there.
    pub fn wipe_pool_key(&self, pool: &str, file: &str) -> Result<(), PoolFault> {
        let path = self.pool_folder(pool).join(file);
        for path in [copies::copy_of(&path), path].iter().filter(|path| is_there(path)) {
            self.disk.remove(path)?;
        }
        Ok(())
    }

    /// All private keys in a pool's folder that can be read, with their files; for a pool whose journal is lost.
    pub fn pool_keys(&self, pool: &str) -> Vec<(String, PrivateKey)> {
        let folder = self.pool_folder(pool);
        let entries =
            [folder.clone(), copies::folder_of(&folder)].into_iter().filter_map(|at| std::fs::read_dir(at).ok());
        let names =
            entries.flat_map(|entries| entries.flatten()).filter_map(|entry| entry.file_name().into_string().ok());
        let is_key = |name: &String| {
            name.starts_with(KEY_PREFIX) && name.ends_with(KEY_SUFFIX) && !name.starts_with(UNFINISHED_PREFIX)
        };
        let names: std::collections::BTreeSet<String> = names.filter(is_key).collect();
        let either = |name: &String| {
            let path = folder.join(name);
            read_key(&path, None).or_else(|_| read_key(&copies::copy_of(&path), None)).ok()
        };
        names.iter().filter_map(|name| Some((name.clone(), either(name)?))).collect()
    }
}

/// Where a pool's folder is.
pub fn folder(keys: &Path, pool: &str) -> PathBuf {
    keys.join(POOLS_NAME).join(pool)
}

/// Reads one file of a private key; `meant`: which it should be.
///
/// # Errors
/// [`PoolFault`].
pub fn read_key(path: &Path, meant: Option<Spki>) -> Result<PrivateKey, PoolFault> {
    let file = durable::open(path)?;
    let as_read = |cause| DiskFault { file: path.to_owned(), doing: "read", cause };
    let metadata = file.metadata().map_err(as_read)?;
    if let Err(exposure) = durable::check_private(&metadata).map_err(as_read)? {
        return Err(PoolFault::Exposed { file: path.to_owned(), exposure });
    }
    let pem = Zeroizing::new(durable::read(&file, path, KEY_OCTETS_MAX)?);
    let wrong = |reason: String| PoolFault::Key { file: path.to_owned(), reason };
    let key = PrivateKey::parse_pem(&pem).map_err(|fault| wrong(fault.to_string()))?;
    match meant.filter(|meant| *meant != key.spki()) {
        Some(meant) => Err(wrong(format!("it holds key {}, not {}", key.spki().short(), meant.short()))),
        None => Ok(key),
    }
}
