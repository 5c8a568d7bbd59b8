//! The private keys of a zone, read from the better of their two files.
//!
//! It never makes a key, and never mends a file that others may have read: that one is used from its copy, and stays as it
//! is until someone has looked.

use crate::diagnostic::{Diagnostic, Place};
use crate::sign::key::Key;
use crate::store::copies;
use crate::store::durable::{Disk, is_there, kept_beside};
use crate::store::journal::file::JOURNAL_NAME;
use crate::store::journal::{KeyFacts, ZoneFacts};
use crate::store::silence::{Cause, Silence};
use crate::world::zones::parts::{Lack, lack};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Code of a key that cannot be read.
pub(crate) const UNREADABLE: &str = "MX5022";

/// What could be read.
#[derive(Default)]
pub(super) struct Loaded {
    /// By tag.
    pub private: BTreeMap<u16, Key>,
    /// Keys neither of whose files can be used, and why.
    pub unreadable: Vec<(u16, String)>,
    /// What an operator should know.
    pub findings: Vec<Diagnostic>,
}

/// Reads every key that is there or still signs: one of its two files must be private, whole, and the key that the journal
/// names. With a disk the other file is mended.
///
/// # Errors
/// [`Silence`] where a key that must sign now cannot.
pub(super) fn load(folder: &Path, facts: &ZoneFacts, disk: Option<&Disk>) -> Result<Loaded, Silence> {
    let playing = facts.keys.iter().filter(|key| key.is_live() || key.signs_data());
    let (mut loaded, mut faults) = read(folder, playing, disk);
    let journal = folder.join(JOURNAL_NAME);
    let lacks = |what: &str| Silence::new(Cause::NoActiveKey, &journal, what, "restore `keys/` from a backup");
    match lack(facts, |tag| loaded.private.contains_key(&tag)) {
        None => {}
        Some(Lack::Signer) => return Err(lacks("it names no key that signs the zone")),
        Some(Lack::Entry) => return Err(lacks("it names no published key that a DS may point at")),
        Some(Lack::Key(tag)) => {
            let away = || lacks(&format!("key {tag} must sign, and its private half was never here"));
            return Err(faults.remove(&tag).unwrap_or_else(away));
        }
    }
    loaded.tell_unreadable(folder);
    Ok(loaded)
}

/// Reads the keys with these tags once more, which could not be read before and which the zone does without.
pub(super) fn load_again(folder: &Path, facts: &ZoneFacts, tags: &[u16], disk: &Disk) -> Loaded {
    let again = facts.keys.iter().filter(|key| tags.contains(&key.public.tag));
    let (mut loaded, _) = read(folder, again, Some(disk));
    loaded.tell_unreadable(folder);
    loaded
}

impl Loaded {
    fn tell_unreadable(&mut self, folder: &Path) {
        let idle = self.unreadable.iter().map(|(tag, reason)| {
            let message = format!("key {tag} cannot be read: {reason}");
            let help =
                "restore one of its two files from a backup, or roll it; until then no key of the zone is removed";
            Diagnostic::error(UNREADABLE, Place::file(folder.display().to_string()), message, help)
        });
        self.findings.extend(idle);
    }
}

/// Reads these keys; the faults of those that cannot be read are by tag.
fn read<'k>(
    folder: &Path,
    keys: impl Iterator<Item = &'k KeyFacts>,
    disk: Option<&Disk>,
) -> (Loaded, BTreeMap<u16, Silence>) {
    let (mut loaded, mut faults) = (Loaded::default(), BTreeMap::new());
    let copies_fault = copies::check(folder).err();
    if let Some(fault) = &copies_fault {
        loaded.findings.push(warning(&PathBuf::from(&fault.file), fault.reason.clone(), &fault.fix));
    }
    let disk = disk.filter(|_| copies_fault.is_none());
    for key in keys.filter(|key| !key.file.is_empty()) {
        match load_one(folder, key, copies_fault.is_none(), disk, &mut loaded.findings) {
            Ok(private) => drop(loaded.private.insert(key.public.tag, private)),
            Err(fault) => {
                loaded.unreadable.push((key.public.tag, fault.to_string()));
                faults.insert(key.public.tag, fault);
            }
        }
    }
    (loaded, faults)
}

fn load_one(
    folder: &Path,
    key: &KeyFacts,
    with_copy: bool,
    disk: Option<&Disk>,
    findings: &mut Vec<Diagnostic>,
) -> Result<Key, Silence> {
    let path = folder.join(&key.file);
    let copy = copies::copy_of(&path);
    let first = copies::read(&path, &key.public);
    if !with_copy {
        return first;
    }
    let second = copies::read(&copy, &key.public);
    // (the file that is good, the one that is not, and why)
    let (good, bad, fault) = match (&first, &second) {
        (Ok(_), Ok(_)) => return first,
        (Err(_), Err(_)) => {
            return first.map_err(|first| {
                let also = match second.err() {
                    Some(also) if also.cause == first.cause && also.reason == first.reason => {
                        "the same of its copy".into()
                    }
                    also => format!("of its copy: {}", also.map(|fault| fault.reason).unwrap_or_default()),
                };
                Silence { reason: format!("{}; {also}", first.reason), ..first }
            });
        }
        (Ok(_), Err(fault)) => (&path, &copy, fault.clone()),
        (Err(fault), Ok(_)) => (&copy, &path, fault.clone()),
    };
    // The first version made no copies: that one is missing is no finding.
    if !(fault.cause == Cause::KeyMissing && bad == &copy) {
        let message = format!("it cannot be used as a key ({}): {} is used", fault.reason, good.display());
        let help = match fault.cause {
            Cause::Exposed => fault.fix.as_str(),
            _ => "find out what happened to it; a broken file is kept beside, with another name",
        };
        findings.push(warning(bad, message, help));
    }
    if let Some(disk) = disk.filter(|_| fault.cause != Cause::Exposed)
        && let Err(fault) = copies::mend(disk, good, bad, folder, &key.public)
    {
        let message = format!("it cannot be written from {}: {}", good.display(), fault.reason);
        findings.push(warning(bad, message, &fault.fix));
    }
    first.or(second)
}

/// Removes all files of keys whose destruction is recorded: what a crash, or a disk that refused, left of them.
pub(super) fn wipe(folder: &Path, facts: &ZoneFacts, disk: &Disk) -> Vec<Diagnostic> {
    let wiped = facts.keys.iter().filter(|key| key.destroyed.is_some() && !key.file.is_empty());
    wiped.flat_map(|key| wipe_one(folder, key, disk).err().map(|fault| fault.diagnostic())).collect()
}

/// Removes both files of a key, and broken ones that were kept.
///
/// # Errors
/// [`Silence`] names the file that is still there.
pub(super) fn wipe_one(folder: &Path, key: &KeyFacts, disk: &Disk) -> Result<(), Silence> {
    let path = folder.join(&key.file);
    let copy = copies::copy_of(&path);
    let all = [kept_beside(&path), kept_beside(&copy), vec![path, copy]].concat();
    all.iter().filter(|file| is_there(file)).try_for_each(|file| disk.remove(file)).map_err(Silence::disk)
}

fn warning(file: &Path, message: String, help: &str) -> Diagnostic {
    Diagnostic::warning("MX5021", Place::file(file.display().to_string()), message, help)
}
