//! The first keys of a zone, made once in steps that go on after a crash, then one more when a roll asks for it.
//!
//! The first ones are made only before `first_keys_done`, so before any key was served. What was interrupted is used again,
//! so that no second key stands beside a first. A key is durable in both files before the journal names it.

use crate::sign::key::{ECDSA_P256, ED25519_NUMBER, Key, KeyFault, PublicKey, Role, generate_pkcs8};
use crate::store::copies;
use crate::store::durable::{Disk, is_there};
use crate::store::folder::key_files;
use crate::store::journal::file::JournalFile;
use crate::store::journal::{Fact, KeyLayout, ZoneFacts, key_file_name};
use crate::store::keyfile;
use crate::store::silence::{Cause, Silence};
use crate::time::UnixTime;
use data_encoding::BASE64;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Keys tried until one has a free tag. With ten keys in a zone one try in 1600 meets a taken one, so that 16 are
/// exhausted never unless the random numbers repeat.
const TAG_TRIES_MAX: usize = 16;

/// Writes the journal with its first fact.
///
/// # Errors
/// [`Silence`] where the algorithm is unknown or the disk refuses.
pub fn begin(
    disk: &Arc<Disk>,
    path: &Path,
    layout: KeyLayout,
    algorithm: u8,
    now: UnixTime,
) -> Result<JournalFile, Silence> {
    if !matches!(algorithm, ECDSA_P256 | ED25519_NUMBER) {
        let fault = KeyFault::Algorithm(algorithm);
        return Err(Silence::new(Cause::Wanted, path, &fault.to_string(), "set the policy's `algorithm` to 13"));
    }
    let fact = Fact::FirstKeysIntended { layout, algorithm };
    JournalFile::<ZoneFacts>::create(Arc::clone(disk), path.to_owned(), fact, now)
        .map_err(|fault| Silence::append(path, fault))
}

/// Makes the keys that are still missing and records that all are there.
///
/// # Errors
/// [`Silence`]; the next try goes on from what is durable.
pub fn finish(
    disk: &Disk,
    folder: &Path,
    names: &[String],
    journal: &mut JournalFile,
    first: &[Fact],
    now: UnixTime,
) -> Result<(), Silence> {
    let path = journal.path().to_owned();
    let Some((layout, algorithm)) = journal.facts().first else {
        return Err(Silence::new(Cause::JournalDamaged, &path, "it does not begin with a start", "restore `keys/`"));
    };
    let mut orphans = orphans(folder, names, journal.facts(), algorithm)?;
    for (role, wanted) in missing(layout, journal.facts()) {
        for _ in 0..wanted {
            let orphan = orphans.iter().position(|orphan| orphan.role == role).map(|at| orphans.remove(at));
            let made = match orphan {
                Some(orphan) => orphan.made,
                None => {
                    let taken = |public: &PublicKey| orphans.iter().any(|o| o.made.public.collides_with(public));
                    make(folder, role, algorithm, journal.facts(), taken)?
                }
            };
            keep(disk, folder, role, &made, journal, now)?;
        }
    }
    if let Some(orphan) = orphans.first() {
        let file = folder.join(key_file_name(orphan.role, &orphan.made.public));
        let reason = "it is one key more than the zone's first start wanted";
        return Err(Silence::new(Cause::KeyMismatch, &file, reason, "move the key that was never served away"));
    }
    for fact in first.iter().cloned().chain(closing_facts(journal.facts())) {
        journal.append(fact, now).map_err(|fault| Silence::append(&path, fault))?;
    }
    Ok(())
}

/// One more key, for a roll: complete and in the journal, and neither published nor signing. One that an interrupted try
/// left is taken, so that tries on a full disk leave no more than one.
///
/// # Errors
/// [`Silence`]; the journal does not name it then, and nothing may use it.
pub fn one_more(
    disk: &Disk,
    folder: &Path,
    role: Role,
    algorithm: u8,
    journal: &mut JournalFile,
    now: UnixTime,
) -> Result<(u16, Key), Silence> {
    let begun = key_files(&copies::folder_of(folder))?;
    let there = key_files(folder)?;
    let made = match begun.iter().find_map(|name| adopt(folder, name, role, algorithm, journal.facts())) {
        Some(made) => made,
        // No file that anyone put there is ever written over.
        None => make(folder, role, algorithm, journal.facts(), |public| {
            let name = key_file_name(role, public);
            there.contains(&name) || begun.contains(&name)
        })?,
    };
    let key = keep(disk, folder, role, &made, journal, now)?;
    Ok((key.tag, key))
}

/// Writes a key and says so. Written again even where it lies there: its name may not have been durable.
fn keep(
    disk: &Disk,
    folder: &Path,
    role: Role,
    made: &Made,
    journal: &mut JournalFile,
    now: UnixTime,
) -> Result<Key, Silence> {
    let file = key_file_name(role, &made.public);
    let key = copies::write(disk, &folder.join(&file), &made.der, &made.public)?;
    let path = journal.path().to_owned();
    journal.append(creation(role, &made.public, file), now).map_err(|fault| Silence::append(&path, fault))?;
    Ok(key)
}

/// A key that was being made: it has a copy, which only this program writes, and no fact. None where its file is not that
/// of a whole key of this kind, or its tag is taken.
fn adopt(folder: &Path, name: &str, role: Role, algorithm: u8, facts: &ZoneFacts) -> Option<Made> {
    let unknown = facts.keys.iter().all(|key| key.file != *name);
    keyfile::parse_name(name).filter(|(r, a, _)| unknown && (*r, *a) == (role, algorithm))?;
    let der = keyfile::read_der(&copies::folder_of(folder).join(name)).ok()?;
    let public = Key::from_pkcs8(role.flags(), algorithm, &der).ok()?.public_half();
    let free = !facts.keys.iter().any(|key| key.public.collides_with(&public));
    (free && key_file_name(role, &public) == name).then_some(Made { der, public })
}

/// A key that is not in the journal yet.
struct Made {
    der: Zeroizing<Vec<u8>>,
    public: PublicKey,
}

/// A key file that an interrupted start left without its fact.
struct Orphan {
    role: Role,
    made: Made,
}

fn orphans(folder: &Path, names: &[String], facts: &ZoneFacts, algorithm: u8) -> Result<Vec<Orphan>, Silence> {
    let mut orphans = Vec::new();
    for name in names.iter().filter(|name| facts.keys.iter().all(|key| key.file != **name)) {
        // The copy is written first; the first version made none.
        let (path, copy) = (folder.join(name), copies::folder_of(folder).join(name));
        let path = if is_there(&path) { path } else { copy };
        let foreign = |reason: &str| Silence::new(Cause::KeyMismatch, &path, reason, "move it away");
        let (role, _, _) = keyfile::parse_name(name)
            .filter(|(_, named, _)| *named == algorithm)
            .ok_or_else(|| foreign("it is no key of the zone's first start"))?;
        let der = keyfile::read_der(&path).map_err(|fault| Silence::key(&path, fault))?;
        let key = Key::from_pkcs8(role.flags(), algorithm, &der)
            .map_err(|fault| Silence::key(&path, keyfile::KeyFileFault::Key { file: path.clone(), fault }))?;
        let public = key.public_half();
        if key_file_name(role, &public) != *name {
            return Err(foreign(&format!("it holds a key with tag {}", public.tag)));
        }
        orphans.push(Orphan { role, made: Made { der, public } });
    }
    Ok(orphans)
}

/// Roles with the number of keys that have no `key_created` yet.
fn missing(layout: KeyLayout, facts: &ZoneFacts) -> Vec<(Role, usize)> {
    let mut missing = Vec::new();
    for role in [Role::Csk, Role::Ksk, Role::Zsk] {
        let wanted = layout.roles().iter().filter(|wanted| **wanted == role).count();
        let there = facts.keys.iter().filter(|key| key.role == role).count();
        missing.push((role, wanted.saturating_sub(there)));
    }
    missing
}

/// A new key whose tag no other key of the zone has, now or once revoked.
fn make(
    folder: &Path,
    role: Role,
    algorithm: u8,
    facts: &ZoneFacts,
    is_taken: impl Fn(&PublicKey) -> bool,
) -> Result<Made, Silence> {
    let not_made =
        |reason: &str| Silence::new(Cause::NotMade, folder, reason, "it is tried again by itself within a minute");
    for _ in 0..TAG_TRIES_MAX {
        let der = generate_pkcs8(algorithm).map_err(|fault| not_made(&fault.to_string()))?;
        let key = Key::from_pkcs8(role.flags(), algorithm, &der).map_err(|fault| not_made(&fault.to_string()))?;
        let public = key.public_half();
        let collides = facts.keys.iter().any(|key| key.public.collides_with(&public));
        if !collides && !is_taken(&public) {
            return Ok(Made { der, public });
        }
    }
    Err(not_made("every new key had the tag of another"))
}

pub(super) fn creation(role: Role, public: &PublicKey, file: String) -> Fact {
    let PublicKey { flags, algorithm, tag, public } = public;
    Fact::KeyCreated { tag: *tag, algorithm: *algorithm, flags: *flags, role, public: BASE64.encode(public), file }
}

/// What is still to be said once all keys are made: all are published; all but the next zone signing key sign.
fn closing_facts(facts: &ZoneFacts) -> Vec<Fact> {
    let mut closing: Vec<Fact> = facts
        .keys
        .iter()
        .filter(|key| key.published.is_none())
        .map(|key| Fact::KeyPublished { tag: key.public.tag })
        .collect();
    for role in [Role::Csk, Role::Ksk, Role::Zsk] {
        let first = facts.keys.iter().find(|key| key.role == role);
        let signs_already = facts.keys.iter().any(|key| key.role == role && key.activated.is_some());
        closing.extend(first.filter(|_| !signs_already).map(|key| Fact::KeyActivated { tag: key.public.tag }));
    }
    closing.push(Fact::FirstKeysDone {});
    closing
}
