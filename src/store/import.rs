//! Keys that another server made, taken in as a zone's first ones.
//!
//! All or nothing: the zone's folder is made complete under a name that counts for nothing, then put into place in one step.
//! It never joins keys to those that a zone has, and never takes a private key for a public one that it does not prove.

use crate::roll::life::Facts;
use crate::roll::zone::check::KEYS_MAX;
use crate::roll::zone::facts::Limits;
use crate::sign::foreign::Foreign;
use crate::sign::key::{PublicKey, Role};
use crate::sign::{DATA_KEYS_MAX, ENTRY_KEYS_MAX};
use crate::store::copies;
use crate::store::durable::{UNFINISHED_PREFIX, is_there};
use crate::store::first::creation;
use crate::store::folder::folder_name;
use crate::store::journal::file::{JOURNAL_NAME, JournalFile};
use crate::store::journal::{Fact, KeyLayout, ZoneFacts, key_file_name};
use crate::store::silence::Silence;
use crate::store::{Store, ZoneKeys};
use crate::time::UnixTime;
use crate::world::zones::parts::{Lack, lack};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How names of the files begin that a zone's folder may hold before it has keys.
const CONTENT_PREFIXES: [&str; 2] = ["last-good", "tenant-pools"];

/// A key to take in.
pub struct Import {
    /// Its private half; none where that stays elsewhere: its DNSKEY is published, and it never signs here.
    pub foreign: Option<Foreign>,
    /// Its DNSKEY, as the zone serves it now.
    pub public: PublicKey,
    /// What it is for.
    pub role: Role,
    /// Whether it signs data now; nothing for a KSK.
    pub signs: bool,
}

/// Why keys were not taken in. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ImportFault {
    /// The zone has keys, or had some.
    #[error("{} has keys or a journal: keys are taken in only where a zone has none; roll those it has", .0.display())]
    HasKeys(PathBuf),
    /// Something is in the way.
    #[error("{} is in the way: move it away, then take the keys in again", .0.display())]
    InTheWay(PathBuf),
    /// Flags and role are not of one kind.
    #[error("key {tag} has flags {flags}, which are not those of a {}", role.word())]
    Flags {
        /// Key tag.
        tag: u16,
        /// Its flags.
        flags: u16,
        /// The role given.
        role: Role,
    },
    /// A key that signs must be here.
    #[error("key {0} signs, but its private key is not given: take in that too, or let it not sign")]
    NoPrivate(u16),
    /// More keys than answers hold.
    #[error("{what}: {count} keys, and at most {max} may be: finish the roll that is under way, then take the keys in")]
    TooMany {
        /// What they do.
        what: &'static str,
        /// How many were given.
        count: usize,
        /// How many may be.
        max: usize,
    },
    /// No key signs data.
    #[error("no key that signs the zone's data is given with its private key: take in the one that signs now")]
    NoSigner,
    /// No key signs the keys.
    #[error("no key that a DS points at is given with its private key: without it validators would refuse all others")]
    NoEntry,
    /// A key is missing that the DS needs.
    #[error(
        "key {0} is one that a DS points at, and no key of its algorithm is given with its private key: take that in too"
    )]
    Lacks(u16),
    /// The keys do not go together.
    #[error("these keys do not go together: {0}")]
    Contradiction(String),
    /// The disk refused, or a private key is not that of its DNSKEY.
    #[error(transparent)]
    Silence(#[from] Silence),
}

impl Store {
    /// Takes keys in that another server made, for a zone that has none. `from` is how long what that server serves may
    /// stay in caches.
    ///
    /// # Errors
    /// [`ImportFault`]; the zone has no keys then, as before.
    pub fn import(&self, apex: &[u8], keys: Vec<Import>, from: Limits, now: UnixTime) -> Result<ZoneKeys, ImportFault> {
        let folder = self.zone_folder(apex);
        if self.has_journal(apex) {
            return Err(ImportFault::HasKeys(folder));
        }
        let content = content_files(&folder)?;
        check_each(&keys)?;
        let facts = facts(&keys, from)?;
        check_together(&facts, now)?;
        let name = format!("{UNFINISHED_PREFIX}{}", folder_name(apex));
        let unfinished = self.folder.join(name);
        if is_there(&unfinished) {
            self.disk.remove_folder(&unfinished).map_err(Silence::disk)?;
        }
        self.build(&unfinished, &keys, facts, now)?;
        for file in content {
            self.disk.link(&folder.join(&file), &unfinished.join(&file)).map_err(Silence::disk)?;
        }
        self.disk.put_folder(&unfinished, &folder).map_err(Silence::disk)?;
        // What had the name before; a start removes it too.
        self.remove_unfinished(&self.folder);
        let layout = layout(&keys);
        Ok(self.zone_keys(apex, layout, 0, &[], now)?)
    }

    /// What the zone would have behind it, for a trial: nothing is written.
    ///
    /// # Errors
    /// [`ImportFault`], as [`Store::import`].
    pub fn import_facts(
        &self,
        apex: &[u8],
        keys: &[Import],
        from: Limits,
        now: UnixTime,
    ) -> Result<ZoneFacts, ImportFault> {
        let folder = self.zone_folder(apex);
        if self.has_journal(apex) {
            return Err(ImportFault::HasKeys(folder));
        }
        content_files(&folder)?;
        check_each(keys)?;
        check_together(&facts(keys, from)?, now)
    }

    fn build(&self, folder: &Path, keys: &[Import], facts: Vec<Fact>, now: UnixTime) -> Result<(), Silence> {
        self.disk.create_folder(folder).map_err(Silence::disk)?;
        for key in keys {
            if let Some(foreign) = &key.foreign {
                let path = folder.join(key_file_name(key.role, &key.public));
                copies::write(&self.disk, &path, &foreign.der, &key.public)?;
            }
        }
        let path = folder.join(JOURNAL_NAME);
        let told = |fault| Silence::append(&path, fault);
        let mut facts = facts.into_iter();
        let Some(first) = facts.next() else { return Ok(()) };
        let mut journal =
            JournalFile::<ZoneFacts>::create(Arc::clone(&self.disk), path.clone(), first, now).map_err(told)?;
        facts.try_for_each(|fact| journal.append(fact, now)).map_err(told)
    }
}

/// Files that the folder holds already, to be carried over: content of the zone and of its tenants, and nothing else; those
/// in its folder of copies too.
fn content_files(folder: &Path) -> Result<Vec<PathBuf>, ImportFault> {
    let mut files = content_of(folder, Path::new(""))?;
    files.extend(content_of(folder, Path::new(copies::COPY_NAME))?);
    Ok(files)
}

fn content_of(folder: &Path, below: &Path) -> Result<Vec<PathBuf>, ImportFault> {
    let entries = match std::fs::read_dir(folder.join(below)) {
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|_| ImportFault::InTheWay(folder.join(below)))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|_| ImportFault::InTheWay(folder.join(below)))?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        let kind = entry.file_type().ok();
        let is_file = kind.is_some_and(|kind| kind.is_file());
        let is_copies = below.as_os_str().is_empty() && text == copies::COPY_NAME;
        match () {
            () if is_copies && kind.is_some_and(|kind| kind.is_dir()) => {}
            () if is_file && text.starts_with(UNFINISHED_PREFIX) => {}
            () if is_file && CONTENT_PREFIXES.iter().any(|prefix| text.starts_with(prefix)) => {
                files.push(below.join(name));
            }
            () => return Err(ImportFault::InTheWay(entry.path())),
        }
    }
    Ok(files)
}

fn check_each(keys: &[Import]) -> Result<(), ImportFault> {
    for key in keys {
        let PublicKey { tag, flags, .. } = key.public;
        if key.role.flags() != flags {
            return Err(ImportFault::Flags { tag, flags, role: key.role });
        }
        if signs_data(key) && key.foreign.is_none() {
            return Err(ImportFault::NoPrivate(tag));
        }
    }
    let at_most = |what, max, is_one: &dyn Fn(&Import) -> bool| match keys.iter().filter(|key| is_one(key)).count() {
        count if count > max => Err(ImportFault::TooMany { what, count, max }),
        _ => Ok(()),
    };
    at_most("in the DNSKEY RRset", KEYS_MAX, &|_| true)?;
    at_most("signing the zone's data", DATA_KEYS_MAX, &signs_data)?;
    at_most("signing the keys", ENTRY_KEYS_MAX, &|key| key.role != Role::Zsk && key.foreign.is_some())
}

fn signs_data(key: &Import) -> bool {
    key.signs && key.role != Role::Ksk
}

/// What a zone with these keys has behind it.
fn facts(keys: &[Import], from: Limits) -> Result<Vec<Fact>, ImportFault> {
    let signer = keys.iter().find(|key| signs_data(key)).ok_or(ImportFault::NoSigner)?;
    if !keys.iter().any(|key| key.role != Role::Zsk && key.foreign.is_some()) {
        return Err(ImportFault::NoEntry);
    }
    let mut facts = vec![Fact::FirstKeysIntended { layout: layout(keys), algorithm: signer.public.algorithm }];
    for key in keys {
        let file = key.foreign.as_ref().map_or(String::new(), |_| key_file_name(key.role, &key.public));
        facts.push(creation(key.role, &key.public, file));
    }
    facts.extend(keys.iter().map(|key| Fact::KeyPublished { tag: key.public.tag }));
    let active = keys.iter().filter(|key| signs_data(key) || (key.role == Role::Ksk && key.foreign.is_some()));
    facts.extend(active.map(|key| Fact::KeyActivated { tag: key.public.tag }));
    facts.extend([Fact::Limits(from), Fact::FirstKeysDone {}]);
    Ok(facts)
}

fn layout(keys: &[Import]) -> KeyLayout {
    if keys.iter().any(|key| key.role == Role::Csk) { KeyLayout::Csk } else { KeyLayout::KskAndZsk }
}

/// Whether they can follow each other, and make a zone that can be served.
fn check_together(facts: &[Fact], now: UnixTime) -> Result<ZoneFacts, ImportFault> {
    let mut zone = ZoneFacts::default();
    for fact in facts {
        zone.take(fact, now).map_err(ImportFault::Contradiction)?;
    }
    let is_here = |tag| zone.key(tag).is_some_and(|key| !key.file.is_empty());
    match lack(&zone, is_here) {
        None => Ok(zone),
        Some(Lack::Signer) => Err(ImportFault::NoSigner),
        Some(Lack::Entry) => Err(ImportFault::NoEntry),
        Some(Lack::Key(tag)) => Err(ImportFault::Lacks(tag)),
    }
}
