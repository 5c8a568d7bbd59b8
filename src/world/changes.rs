//! What a source of documents tells: the value that every source sends, be it a folder of files or a database.
//!
//! A document is named by a path, whatever the source calls it: `mx.example.zone`, `a-v1.mx.example/contoso.com.toml`. What a
//! source cannot read is in trouble, and never gone.

use crate::diagnostic::Diagnostic;
use crate::dns::name::Name;
use crate::time::UnixTime;
use crate::world::tenants::Done;
use crate::world::trouble::{Reason, Trouble};
use crate::world::{Known, POOLS_FILE, World};
use std::collections::BTreeMap;
use std::path::Path;

/// A document as its source has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its name, relative to the root of the source.
    pub path: String,
    /// Its octets as they are.
    pub octets: Vec<u8>,
}

/// A document that is new, changed (`content`) or gone.
pub struct FileChange {
    /// Its path, parts joined by `/`.
    pub path: String,
    /// Its octets; none: gone.
    pub content: Option<Vec<u8>>,
}

/// What became of the documents of a source since it was asked before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New ones, and those with another content.
    pub documents: Vec<Document>,
    /// Those that are not there any more.
    pub gone: Vec<String>,
    /// Those that cannot be had, from now on or for another reason than before.
    pub troubled: Vec<Trouble>,
    /// Those whose trouble has ended. A document whose content is the one that was told before is not told again.
    pub healed: Vec<String>,
    /// What hinders the source from telling changes at once, from now on.
    pub hindered: Vec<Hindrance>,
    /// Folders about which it is not hindered any more.
    pub freed: Vec<String>,
    /// Every document was looked at, and this is the end of it; else it is a part.
    pub is_full: bool,
}

/// Something keeps a source from telling what changes in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hindrance {
    /// The folder, as it is named among troubles.
    pub folder: String,
    /// Why.
    pub reason: Reason,
}

impl Changes {
    /// Whether nothing was told about documents.
    pub fn is_nothing(&self) -> bool {
        let is_same = self.documents.is_empty() && self.gone.is_empty();
        is_same && self.troubled.is_empty() && self.healed.is_empty()
    }

    /// Whether something was told about the source itself.
    pub fn is_about_source(&self) -> bool {
        !(self.hindered.is_empty() && self.freed.is_empty())
    }

    /// The documents that are other than before, then those that are gone.
    pub fn batch(self) -> Vec<FileChange> {
        let there =
            self.documents.into_iter().map(|Document { path, octets }| FileChange { path, content: Some(octets) });
        there.chain(self.gone.into_iter().map(|path| FileChange { path, content: None })).collect()
    }
}

impl World {
    /// Takes in what a source told, and says what became of the tenants of each zone.
    pub fn take(&mut self, changes: Changes, known: &mut Known, now: UnixTime) -> BTreeMap<Name, Done> {
        for path in changes.freed.iter().chain(&changes.healed) {
            self.troubles.remove(path);
        }
        for Hindrance { folder, reason } in &changes.hindered {
            self.trouble(folder, *reason);
        }
        let mut spoiled = Vec::new();
        for trouble in &changes.troubled {
            let path = text(&trouble.path);
            let finding = self.trouble(&path, trouble.reason);
            spoiled.push((path, finding));
        }
        self.apply_beside(changes.batch(), spoiled, known, now)
    }

    /// As [`World::apply`], where documents are in trouble besides.
    pub fn apply_beside(
        &mut self,
        batch: Vec<FileChange>,
        spoiled: Vec<(String, Diagnostic)>,
        known: &mut Known,
        now: UnixTime,
    ) -> BTreeMap<Name, Done> {
        // Tenants ask for their pools when they are read.
        let (pools, others): (Vec<_>, Vec<_>) = spoiled.into_iter().partition(|(path, _)| path == POOLS_FILE);
        pools.into_iter().for_each(|(path, finding)| self.spoil(&path, finding, known));
        let done = if batch.is_empty() { BTreeMap::new() } else { self.apply(batch, known, now) };
        others.into_iter().for_each(|(path, finding)| self.spoil(&path, finding, known));
        done
    }
}

/// The text of a path, with what is not UTF-8 replaced.
pub fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The name of a folder among troubles, for what hinders watching it: no path of a document ends so, so that this and what
/// hinders reading stand beside each other.
pub fn of_folder(folder: &Path) -> String {
    format!("{}/", folder.to_string_lossy())
}
