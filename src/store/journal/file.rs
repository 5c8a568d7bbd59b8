//! The journal of a zone's keys, or of a pool, on disk, twice: read whole, added to one synced line at a time.
//!
//! Nothing counts as said before its line is durable in both files. A line that failed is never completed: the next
//! append writes both files anew, without what failed. At each moment one of the two is the beginning of the other, so
//! that two different stories are damage and never the work of a crash.

use crate::diagnostic::{Diagnostic, Place};
use crate::roll::life::Facts;
use crate::store::durable::{Disk, DiskFault, identity, is_there};
use crate::store::journal::pair::{Flaw, Found, Neither, Pair};
use crate::store::journal::{Damaged, JOURNAL_OCTETS_MAX, LINE_OCTETS_MAX, Torn, ZoneFacts, pair};
use crate::store::{copies, durable, journal};
use crate::time::UnixTime;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name of the file in a zone's folder, and in its folder of copies.
pub const JOURNAL_NAME: &str = "journal";

/// An open journal. One owner writes it.
pub struct JournalFile<F = ZoneFacts> {
    disk: Arc<Disk>,
    path: PathBuf,
    /// The whole lines.
    content: Vec<u8>,
    facts: F,
    torn: Option<Torn>,
    /// What was wrong with the file and its copy when they were read.
    flaws: (Flaw, Flaw),
    /// The file and its copy, once both were written anew by this process. Before that, and after a failed append, what
    /// the system shows of them may not be on disk.
    written: Option<(File, File)>,
    /// Whether the two may hold the longer form of what is here: then the copy goes before the other is written.
    is_shortened: bool,
    /// The device and the number of the folder that they lie in, once it was seen.
    home: Option<(u64, u64)>,
}

/// Share of its octets from which on a journal is called long: there is time left to look.
pub const LONG_SHARE: f64 = 0.5;
/// Octets from which on a journal is made shorter when it is opened: some 5,000 facts, which are read in no time.
const SHORTEN_OCTETS_MIN: usize = 1024 * 1024;

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
    /// The fact is longer than a line may be.
    #[error("{}: this fact would be a line of {octets} octets, and a line has at most {LINE_OCTETS_MAX}", file.display())]
    TooLong {
        /// The journal.
        file: PathBuf,
        /// Octets that its line would have.
        octets: usize,
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
    /// It is missing, and its copy cannot be used.
    #[error("it is missing, and its copy cannot be used: {0}")]
    CopyDamaged(Box<ReadFault>),
    /// It and its copy are whole, and tell different stories.
    #[error("it and its copy in `copy` are both whole, and neither is the beginning of the other")]
    Apart,
}

impl<F: Facts> JournalFile<F> {
    /// Makes a journal with its first fact: it is never empty under its name.
    ///
    /// # Errors
    /// [`AppendFault`].
    pub fn create(
        disk: Arc<Disk>,
        path: PathBuf,
        first: F::Fact,
        now: UnixTime,
    ) -> Result<JournalFile<F>, AppendFault> {
        let (facts, flaws) = (F::default(), (Flaw::None, Flaw::None));
        let mut file = JournalFile {
            disk,
            path,
            content: Vec::new(),
            facts,
            torn: None,
            flaws,
            written: None,
            is_shortened: false,
            home: None,
        };
        file.append(first, now)?;
        Ok(file)
    }

    /// Reads a journal from the better of its two files; none where there is neither. Writes nothing.
    ///
    /// # Errors
    /// [`ReadFault`]; the zone is silent then.
    pub fn read(disk: Arc<Disk>, path: PathBuf) -> Result<Option<JournalFile<F>>, ReadFault> {
        let copy = copies::copy_of(&path);
        // A folder of copies that others can use proves nothing.
        let trusted = path.parent().is_none_or(|zone| copies::check(zone).is_ok());
        let second = if trusted { find(&copy) } else { Found::Missing };
        let chosen = pair::choose(find(&path), second).map_err(|neither| match neither {
            Neither::First(fault) => fault,
            Neither::Second(fault) => ReadFault::CopyDamaged(Box::new(fault)),
            Neither::Apart => ReadFault::Apart,
        })?;
        let home = path.parent().and_then(identity);
        Ok(chosen.map(|Pair { content, facts, torn, first, second }| JournalFile {
            home,
            disk,
            path,
            content,
            facts,
            torn,
            flaws: (first, second),
            written: None,
            is_shortened: false,
        }))
    }

    /// Leaves out facts that nothing is decided by, where the journal has become long; before anything counts its records.
    /// Nothing is left out while the disk refuses; what it refuses in the midst is part of the next append.
    pub fn shorten(&mut self) {
        if self.content.len() < SHORTEN_OCTETS_MIN {
            return;
        }
        let records = journal::records_of(&self.content);
        let Some(kept) = F::condensed(&records) else { return };
        let content: String = kept.iter().map(journal::encode).collect();
        let Ok(decoded) = journal::decode_as::<F>(content.as_bytes()) else { return };
        // One of the two goes in the midst of this: both are whole before.
        let copy = copies::copy_of(&self.path);
        if let Err(fault) = self.write_anew(&[], &copy) {
            tracing::warn!("{}: it is not made shorter: {fault}", self.path.display());
            return;
        }
        tracing::info!("{}: {} facts are told in {}", self.path.display(), records.len(), kept.len());
        (self.content, self.facts, self.is_shortened) = (content.into_bytes(), decoded.facts, true);
        match self.write_anew(&[], &copy) {
            Ok(both) => (self.written, self.is_shortened, self.torn) = (Some(both), false, None),
            Err(fault) => tracing::warn!("it is made shorter with the next fact: {fault}"),
        }
    }

    /// The share of its octets that the journal has reached.
    pub fn share(&self) -> f64 {
        self.content.len() as f64 / JOURNAL_OCTETS_MAX as f64
    }

    /// Mends what was wrong with one of the two files when they were read, and says what that was. Where facts may be
    /// lost, the journal says so from here on. What the disk refuses now is part of the next append.
    pub fn mend(&mut self, now: UnixTime) -> Vec<Diagnostic> {
        let mut findings: Vec<Diagnostic> = self.torn.iter().map(|torn| self.torn_finding(*torn)).collect();
        let (first, second) = std::mem::replace(&mut self.flaws, (Flaw::None, Flaw::None));
        let (path, copy) = (self.path.clone(), copies::copy_of(&self.path));
        let warn = |at: &Path, reason: String, help: &str| {
            Diagnostic::warning("MX5020", Place::file(at.display().to_string()), reason, help)
        };
        let (one, other) = (copy.display().to_string(), path.display().to_string());
        let mended = match (&first, &second) {
            (Flaw::None, Flaw::None) => return findings,
            (Flaw::None, flaw) => {
                match flaw {
                    Flaw::Unusable(reason) => findings.push(warn(
                        &copy,
                        format!("this copy of the journal cannot be used ({reason}); it is written anew from {other}"),
                        "find out who damaged it; the broken file is kept beside it",
                    )),
                    Flaw::Shorter(lacks @ 2..) => findings.push(warn(
                        &copy,
                        format!("this copy of the journal lacks the last {lacks} records; they are taken from {other}"),
                        "find out what lost them: a disk that forgets what it synced forgets keys too",
                    )),
                    // A copy is missing after an update, and one record short after a crash.
                    Flaw::None | Flaw::Missing | Flaw::Shorter(_) => {}
                }
                self.write_copy(&copy)
            }
            (Flaw::Shorter(lacks), _) => {
                findings.push(warn(
                    &path,
                    format!("the journal lacks its last {lacks} records; they are taken from its copy {one}"),
                    "find out what lost them: a disk that forgets what it synced forgets keys too",
                ));
                self.disk.write_whole(&path, &self.content)
            }
            (flaw, _) => {
                let why = if let Flaw::Unusable(reason) = flaw { reason.as_str() } else { "it is missing" };
                findings.push(warn(
                    &path,
                    format!("the journal cannot be used ({why}); its copy {one} counts, and no key is removed"),
                    &format!("find out what happened, compare the broken file beside it, then run {}", F::RESUME),
                ));
                self.doubt(format!("the journal could not be used ({why}): its copy counts"), now)
            }
        };
        if let Err(fault) = mended {
            findings.push(warn(&fault.file, format!("not mended yet: {fault}"), "repair this; the other copy counts"));
        }
        findings
    }

    fn write_copy(&self, copy: &Path) -> Result<(), DiskFault> {
        copies::make_folder(&self.disk, self.folder())?;
        if !matches!(find::<F>(copy), Found::Whole(..) | Found::Missing) {
            self.disk.keep_beside(copy)?;
        }
        self.disk.write_whole(copy, &self.content)
    }

    /// Goes on from the copy. The doubt counts at once, in memory: the next append writes it too, if this cannot.
    fn doubt(&mut self, reason: String, now: UnixTime) -> Result<(), DiskFault> {
        let record = self.facts.next_record(F::bounded(F::doubted(reason)), now);
        if self.facts.apply(&record).is_ok() {
            self.content.extend_from_slice(journal::encode(&record).as_bytes());
        }
        self.disk.keep_beside(&self.path)?;
        self.disk.write_whole(&copies::copy_of(&self.path), &self.content)?;
        self.disk.write_whole(&self.path, &self.content)
    }

    fn torn_finding(&self, torn: Torn) -> Diagnostic {
        let line = u32::try_from(torn.line).unwrap_or(u32::MAX);
        let place = Place { line, ..Place::file(self.path.display().to_string()) };
        let octets = torn.octets;
        let message =
            format!("the last line of the journal was not written to its end ({octets} octets); it does not count");
        Diagnostic::warning("MX5010", place, message, "nothing to do: it is cut off at the next write")
    }

    /// What its records add up to.
    pub fn facts(&self) -> &F {
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

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Records a fact; it is durable in both files when this returns.
    ///
    /// # Errors
    /// [`AppendFault`]: the fact is not recorded and must not be acted upon.
    pub fn append(&mut self, fact: F::Fact, now: UnixTime) -> Result<(), AppendFault> {
        let record = self.facts.next_record(F::bounded(fact), now);
        let line = journal::encode(&record).into_bytes();
        let octets = line.len() - 1;
        if octets > LINE_OCTETS_MAX {
            return Err(AppendFault::TooLong { file: self.path.clone(), octets });
        }
        if self.content.len() + line.len() > JOURNAL_OCTETS_MAX {
            return Err(AppendFault::Full(self.path.clone()));
        }
        // Taken in where they are: a copy of all facts for each new one would cost more with each.
        let taken = self.facts.apply(&record).map_err(|reason| {
            let file = self.path.clone();
            AppendFault::Contradiction { file, reason }
        });
        if let Err(fault) = taken.and_then(|()| self.write(&line).map_err(AppendFault::Disk)) {
            self.take_back();
            return Err(fault);
        }
        self.content.extend_from_slice(&line);
        self.torn = None;
        Ok(())
    }

    /// The facts are again what the whole lines add up to: the newest one was not recorded.
    fn take_back(&mut self) {
        // These lines were read or written here. Without any line there is no fact.
        self.facts = journal::decode_as(&self.content).map(|decoded| decoded.facts).unwrap_or_default();
    }

    /// Whether its files are still the ones that were written last, as far as any were.
    fn is_in_place(&self) -> bool {
        let same = |file: &File, path: &Path| {
            let there = identity(path);
            there.is_some() && file.metadata().map(|found| (found.dev(), found.ino())).ok() == there
        };
        match &self.written {
            Some((file, copy)) => same(file, &self.path) && same(copy, &copies::copy_of(&self.path)),
            None => is_there(&self.path),
        }
    }

    /// Writes both files anew, where they were moved, removed or replaced while they were in use: what is in memory counts.
    ///
    /// # Errors
    /// [`DiskFault`], also where the zone's folder is gone.
    pub fn put_back(&mut self) -> Result<(), DiskFault> {
        if self.is_in_place() {
            return Ok(());
        }
        self.written = None;
        let copy = copies::copy_of(&self.path);
        self.written = Some(self.write_anew(&[], &copy)?);
        (self.is_shortened, self.home) = (false, identity(self.folder()));
        Ok(())
    }

    /// Taking the handles out means that after any failure the next append writes both files anew.
    fn write(&mut self, line: &[u8]) -> Result<(), DiskFault> {
        let copy_path = copies::copy_of(&self.path);
        // Files that were moved or removed take appends without a word, and nobody reads them again.
        let is_in_place = self.is_in_place();
        let written = self.written.take().filter(|_| is_in_place);
        let both = match written {
            Some((mut file, mut copy)) => {
                self.disk.append(&mut file, &self.path, line)?;
                self.disk.append(&mut copy, &copy_path, line)?;
                (file, copy)
            }
            None => self.write_anew(line, &copy_path)?,
        };
        (self.is_shortened, self.home) = (false, identity(self.folder()));
        self.written = Some(both);
        Ok(())
    }

    /// A folder that others made while this journal's own was away has no keys in it. One with a journal was restored.
    fn check_home(&self) -> Result<(), DiskFault> {
        let there = identity(self.folder());
        let is_empty = || !is_there(&self.path) && !is_there(&copies::copy_of(&self.path));
        if self.home.is_some() && there.is_some() && there != self.home && is_empty() {
            let cause = std::io::Error::other("the folder that held the journal is gone, and another has its name");
            return Err(DiskFault { file: self.folder().to_owned(), doing: "write into", cause });
        }
        Ok(())
    }

    /// The copy loses first what a failed append may have left in it, so that it never tells another story than the file.
    fn write_anew(&self, line: &[u8], copy_path: &Path) -> Result<(File, File), DiskFault> {
        let whole = [&self.content, line].concat();
        self.check_home()?;
        copies::make_folder(&self.disk, self.folder())?;
        if self.is_shortened && is_there(&self.path) {
            // One file alone is believed, and a crash leaves one story.
            self.disk.remove(copy_path)?;
        } else if !self.content.is_empty() {
            self.disk.write_whole(copy_path, &self.content)?;
        }
        self.disk.write_whole(&self.path, &whole)?;
        self.disk.write_whole(copy_path, &whole)?;
        Ok((durable::open_append(&self.path)?, durable::open_append(copy_path)?))
    }
}

/// What is there under one name.
fn find<F: Facts>(path: &Path) -> Found<ReadFault, F> {
    let opened = match durable::open(path) {
        Err(fault) if durable::is_missing(&fault) => return Found::Missing,
        opened => opened,
    };
    let read = opened.and_then(|file| durable::read(&file, path, JOURNAL_OCTETS_MAX));
    let mut content = match read {
        Ok(content) => content,
        Err(fault) => return Found::Unusable(fault.into()),
    };
    match journal::decode_as::<F>(&content) {
        Ok(decoded) => {
            content.truncate(decoded.whole_octets);
            Found::Whole(content, Box::new(decoded.facts), decoded.torn)
        }
        Err(damaged) => Found::Unusable(damaged.into()),
    }
}
