//! The journal of a zone's keys on disk: read whole, added to one synced line at a time.
//!
//! Nothing counts as said before its line is durable. A line that failed is never completed: the next append writes the
//! whole journal anew, without what failed.

use super::durable::{self, Disk, DiskFault};
use super::journal::{self, Damaged, Fact, JOURNAL_OCTETS_MAX, Torn, ZoneFacts};
use crate::time::UnixTime;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name of the file in a zone's folder.
pub const JOURNAL_NAME: &str = "journal";

/// An open journal. One owner writes it.
pub struct JournalFile {
    disk: Arc<Disk>,
    path: PathBuf,
    /// The whole lines.
    content: Vec<u8>,
    facts: ZoneFacts,
    torn: Option<Torn>,
    /// The file, once it was written anew by this process. Before that, and after a failed append, what the system shows
    /// of it may not be on disk.
    written: Option<File>,
}

/// Why a fact was not recorded. It must not be acted upon then.
#[derive(Debug, thiserror::Error)]
pub enum AppendFault {
    /// The fact contradicts those before it.
    #[error("{}: this fact cannot follow those recorded: {reason}", file.display())]
    Contradiction {
        /// The journal.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// The journal has reached its size limit.
    #[error("{}: the journal would grow past {JOURNAL_OCTETS_MAX} octets", .0.display())]
    Full(PathBuf),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskFault),
}

/// Why there is no journal to go by.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// What is there is not what was written.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskFault),
}

impl JournalFile {
    /// Makes a journal with its first fact: it is never empty under its name.
    ///
    /// # Errors
    /// [`AppendFault`].
    pub fn create(disk: Arc<Disk>, path: PathBuf, first: Fact, now: UnixTime) -> Result<JournalFile, AppendFault> {
        let facts = ZoneFacts::default();
        let mut file = JournalFile { disk, path, content: Vec::new(), facts, torn: None, written: None };
        file.append(first, now)?;
        Ok(file)
    }

    /// Reads a journal; none where there is no file. Writes nothing.
    ///
    /// # Errors
    /// [`ReadFault`]; the zone is frozen then.
    pub fn read(disk: Arc<Disk>, path: PathBuf) -> Result<Option<JournalFile>, ReadFault> {
        let opened = match durable::open(&path) {
            Err(fault) if durable::is_missing(&fault) => return Ok(None),
            opened => opened?,
        };
        let mut content = durable::read(&opened, &path, JOURNAL_OCTETS_MAX)?;
        let decoded = journal::decode(&content)?;
        content.truncate(decoded.whole_octets);
        Ok(Some(JournalFile { disk, path, content, facts: decoded.facts, torn: decoded.torn, written: None }))
    }

    /// What its records add up to.
    pub fn facts(&self) -> &ZoneFacts {
        &self.facts
    }

    /// The last line as it was found, where it was not whole; the next append cuts it off.
    pub fn torn(&self) -> Option<Torn> {
        self.torn
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Records a fact; it is durable when this returns.
    ///
    /// # Errors
    /// [`AppendFault`]: the fact is not recorded and must not be acted upon.
    pub fn append(&mut self, fact: Fact, now: UnixTime) -> Result<(), AppendFault> {
        let record = self.facts.next_record(fact, now);
        let mut facts = self.facts.clone();
        let contradiction = |reason| AppendFault::Contradiction { file: self.path.clone(), reason };
        facts.apply(&record).map_err(contradiction)?;
        let line = journal::encode(&record).into_bytes();
        if self.content.len() + line.len() > JOURNAL_OCTETS_MAX {
            return Err(AppendFault::Full(self.path.clone()));
        }
        self.write(&line)?;
        self.content.extend_from_slice(&line);
        (self.facts, self.torn) = (facts, None);
        Ok(())
    }

    /// Taking the handle out means that after any failure the next append writes the journal anew.
    fn write(&mut self, line: &[u8]) -> Result<(), DiskFault> {
        let file = match self.written.take() {
            Some(mut file) => {
                self.disk.append(&mut file, &self.path, line)?;
                file
            }
            None => {
                self.disk.write_whole(&self.path, &[&self.content, line].concat())?;
                durable::open_append(&self.path)?
            }
        };
        self.written = Some(file);
        Ok(())
    }
}
