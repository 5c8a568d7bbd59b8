//! The second copy of each private key and of the journal, in the folder `copy` of the zone's folder.
//!
//! A copy is written like what it is a copy of, durable and for its owner only. It never replaces a file that may have
//! been read by others: someone must look at that one first.

use crate::sign::key::{Key, PublicKey};
use crate::store::durable::is_there;
use crate::store::durable::{Disk, DiskFault};
use crate::store::keyfile;
use crate::store::silence::{Silence, check_folder};
use std::io;
use std::path::{Path, PathBuf};

/// Name of the folder of copies.
pub(super) const COPY_NAME: &str = "copy";

/// The folder of copies of a zone's folder.
pub(crate) fn folder_of(zone: &Path) -> PathBuf {
    zone.join(COPY_NAME)
}

/// Where the copy of a file in a zone's folder is.
pub(crate) fn copy_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default();
    path.parent().unwrap_or(Path::new("")).join(COPY_NAME).join(name)
}

/// Whether copies can be read: there is a folder that only its owner can use. None where there is no folder yet.
pub(super) fn check(zone: &Path) -> Result<(), Silence> {
    let folder = folder_of(zone);
    if is_there(&folder) { check_folder(&folder) } else { Ok(()) }
}

/// Makes the folder of copies, where it is missing.
///
/// # Errors
/// [`DiskFault`], also where others can use the folder.
pub(super) fn make_folder(disk: &Disk, zone: &Path) -> Result<(), DiskFault> {
    let folder = folder_of(zone);
    if !is_there(&folder) {
        return disk.create_folder(&folder);
    }
    let unusable = |frozen: Silence| io::Error::other(format!("{} ({})", frozen.reason, frozen.fix));
    check_folder(&folder).map_err(|frozen| DiskFault { file: folder, doing: "write into", cause: unusable(frozen) })
}

/// Writes a private key under both names, the copy first: what is only a copy was being made, and is made whole later.
/// Both are read back and prove themselves.
///
/// # Errors
/// [`Silence`]; the key must not be used.
pub(super) fn write(disk: &Disk, path: &Path, der: &[u8], meant: &PublicKey) -> Result<Key, Silence> {
    make_folder(disk, path.parent().unwrap_or(Path::new(""))).map_err(Silence::disk)?;
    for path in [copy_of(path), path.to_owned()] {
        keyfile::write(disk, &path, der, meant).map_err(|fault| Silence::key(&path, fault))?;
    }
    read(path, meant)
}

/// Reads one copy of a private key and has it prove that it is the one meant.
///
/// # Errors
/// [`Silence`] says what is wrong with the file.
pub(super) fn read(path: &Path, meant: &PublicKey) -> Result<Key, Silence> {
    let key = keyfile::read(path, meant.flags, meant.algorithm).map_err(|fault| Silence::key(path, fault))?;
    keyfile::prove(path, &key, meant).map_err(|fault| Silence::key(path, fault))?;
    Ok(key)
}

/// Writes one copy of a private key from the other, which was proved; a broken file in its place is kept beside.
///
/// # Errors
/// [`Silence`]; the other one is as it was.
pub(super) fn mend(disk: &Disk, from: &Path, to: &Path, zone: &Path, meant: &PublicKey) -> Result<(), Silence> {
    make_folder(disk, zone).map_err(Silence::disk)?;
    let der = keyfile::read_der(from).map_err(|fault| Silence::key(from, fault))?;
    disk.keep_beside(to).map_err(Silence::disk)?;
    keyfile::write(disk, to, &der, meant).map(drop).map_err(|fault| Silence::key(to, fault))
}
