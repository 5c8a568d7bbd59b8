//! Keys of zones as their journals and files tell them, for commands that run without a server or beside one.
//!
//! Nothing is locked, made or changed here, and a private half is read only where a command is to write it elsewhere.

use crate::sign::key::Key;
use crate::store::durable::is_there;
use crate::store::folder::zone_folder;
use crate::store::journal::file::{JOURNAL_NAME, JournalFile};
use crate::store::journal::{KeyFacts, ZoneFacts};
use crate::store::keyfile::{self, KeyFileFault};
use crate::store::silence::{Silence, check_folder};
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What a zone's journal adds up to; none where it has none, or its first keys are not complete.
///
/// # Errors
/// [`Silence`] where the journal cannot be believed.
pub fn read_facts(keys: &Path, apex: &[u8]) -> Result<Option<ZoneFacts>, Silence> {
    let folder = zone_folder(keys, apex);
    if is_there(&folder) {
        check_folder(&folder)?;
    }
    let path = folder.join(JOURNAL_NAME);
    let read =
        JournalFile::<ZoneFacts>::read(Arc::default(), path.clone()).map_err(|fault| Silence::journal(&path, fault))?;
    Ok(read.map(|journal| journal.facts().clone()).filter(|facts| facts.first_keys_done))
}

/// The private half of a key as PKCS#8 DER, proved to be that of its public half.
///
/// # Errors
/// [`KeyFileFault`].
pub fn private_half(keys: &Path, apex: &[u8], key: &KeyFacts) -> Result<Zeroizing<Vec<u8>>, KeyFileFault> {
    let path = zone_folder(keys, apex).join(&key.file);
    let der = keyfile::read_der(&path)?;
    let as_key = |fault| KeyFileFault::Key { file: path.clone(), fault };
    let read = Key::from_pkcs8(key.public.flags, key.public.algorithm, &der).map_err(as_key)?;
    keyfile::prove(&path, &read, &key.public)?;
    Ok(der)
}
