//! The folder of zones as a source: it tells what became of its documents when it is asked, and when it wants to be asked again.
//!
//! Events are hints that make a look due; a full scan goes in slices, so that one document never waits long for it.

use crate::feed::settle::Moment;
use crate::feed::watch::{Counts, Dirty, Rescan, Watcher};
use crate::feed::{Files, Found};
use crate::world::changes::{Changes, Document, Hindrance, of_folder, text};
use crate::world::paths;
use crate::world::trouble::{Reason, Trouble};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Pause before a full scan is done again because the one before was in doubt.
const RESCAN_PAUSE: Duration = Duration::from_millis(200);
/// How long a first scan waits for files that are still being written.
const SETTLED_WAIT_MAX: Duration = Duration::from_secs(1);

/// A folder of documents that is watched.
pub struct Source {
    files: Files,
    watcher: Watcher,
    /// Whether events came since the last look.
    is_woken: bool,
    /// When a look is due without an event: something waits for quiet.
    look_at: Option<Instant>,
    /// When the next full scan begins, where one is wanted.
    scan_at: Option<Instant>,
    scan_began: Instant,
}

impl Source {
    /// Nothing was told yet; `watcher` watches the folder of `files`.
    pub fn new(files: Files, watcher: Watcher) -> Source {
        Source { files, watcher, is_woken: false, look_at: None, scan_at: None, scan_began: Instant::now() }
    }

    /// Everything there is, with the files that were being written when it was asked: a start is one batch.
    pub fn first(&mut self) -> Changes {
        let began = Instant::now();
        let found = settled_scan(&mut self.files);
        self.watcher.scanned(found.complete, began.elapsed());
        self.told(found, true)
    }

    /// Everything at once. A person who asks for it says that files are whole, where the kernel does not know better.
    pub fn all(&mut self) -> Changes {
        self.files.forget_writers();
        let began = Instant::now();
        let found = self.files.scan(Moment::now());
        self.watcher.scanned(found.complete, began.elapsed());
        self.scan_at = None;
        self.told(found, true)
    }

    /// Events came: the next [`Source::poll`] looks at what they name.
    pub fn wake(&mut self) {
        self.is_woken = true;
    }

    /// What became of documents since it was asked before: by events, at the end of a wait, or by a slice of a full scan.
    pub fn poll(&mut self, now: Moment) -> Changes {
        if self.is_woken || !self.is_busy(now) {
            return self.look(now);
        }
        self.scan_on(now)
    }

    /// Whether it has more to tell now: a full scan is under way, or wanted.
    pub fn is_busy(&self, now: Moment) -> bool {
        self.files.is_scanning() || self.scan_at.is_some_and(|at| at <= now.steady)
    }

    /// Whether a look is due.
    pub fn is_due(&self, now: Moment) -> bool {
        self.is_woken || self.look_at.is_some_and(|at| at <= now.steady)
    }

    /// When it wants to be asked again.
    pub fn next(&self) -> Option<Instant> {
        self.look_at.into_iter().chain(self.scan_at).min()
    }

    /// Whether nothing waits to be told.
    pub fn is_settled(&self) -> bool {
        !self.files.is_waiting() && self.scan_at.is_none() && !self.files.is_scanning()
    }

    /// How long a look is overdue.
    pub fn lag(&self, now: Moment) -> Duration {
        self.look_at.map_or(Duration::ZERO, |at| now.steady.saturating_duration_since(at))
    }

    /// Counters of what was told.
    pub fn counts(&self) -> Counts {
        self.watcher.counts()
    }

    /// What lies at a path, which is looked at from now on.
    ///
    /// # Errors
    /// Why it cannot be read; when that ends, it is told.
    pub fn read(&mut self, path: &str, now: Moment) -> Result<Vec<u8>, Reason> {
        self.files.include(path, now)
    }

    /// Looks at no other included documents than these.
    pub fn keep_includes(&mut self, paths: &BTreeSet<String>) {
        self.files.keep_includes(paths);
    }

    fn look(&mut self, now: Moment) -> Changes {
        self.is_woken = false;
        let Dirty { paths, rescan, troubled, healed } = self.watcher.take();
        if rescan == Rescan::AfterLoss {
            self.files.forget_writers();
        }
        if rescan != Rescan::No {
            self.scan_at = Some(now.steady);
        }
        let found = self.files.look(&paths, now);
        let hindered =
            troubled.iter().map(|trouble| Hindrance { folder: of_folder(&trouble.path), reason: trouble.reason });
        let (hindered, freed) = (hindered.collect(), healed.iter().map(|healed| of_folder(&healed.path)).collect());
        Changes { hindered, freed, ..self.told(found, false) }
    }

    /// A slice of the full scan.
    fn scan_on(&mut self, now: Moment) -> Changes {
        if !self.files.is_scanning() {
            self.scan_at = None;
            self.scan_began = now.steady;
            self.files.scan_begin();
        }
        let found = self.files.scan_slice(now);
        let is_full = !self.files.is_scanning();
        if is_full {
            self.watcher.scanned(found.complete, self.scan_began.elapsed());
        }
        let is_doubtful = found.rescan;
        let changes = self.told(found, is_full);
        if is_doubtful {
            // What made this scan doubtful needs a moment to end.
            self.scan_at = Some(Instant::now() + RESCAN_PAUSE);
        }
        changes
    }

    /// What was found, as every source tells it; and when this one wants to be asked again.
    fn told(&mut self, found: Found, is_full: bool) -> Changes {
        self.look_at = found.again_at;
        if found.rescan {
            self.scan_at.get_or_insert_with(Instant::now);
        }
        let mut changes = of_found(found, is_full);
        self.tell_healed(&mut changes);
        changes
    }

    /// What is healed may hold what it held before the trouble, which a look does not tell again; or it is gone.
    fn tell_healed(&mut self, changes: &mut Changes) {
        let documents = changes.documents.iter().map(|document| &document.path);
        let told: BTreeSet<&String> = documents.chain(&changes.gone).collect();
        let is_quiet = |path: &&String| paths::kind(path).is_some() && !told.contains(*path);
        let quiet: Vec<String> = changes.healed.iter().filter(is_quiet).cloned().collect();
        for path in quiet {
            match self.files.include(&path, Moment::now()) {
                Ok(octets) => changes.documents.push(Document { path, octets }),
                Err(Reason::Unreadable(libc::ENOENT)) => changes.gone.push(path),
                // It is not gone: it comes as soon as it can be read.
                Err(_) => self.files.forget_content(&path),
            }
        }
    }
}

/// What was found in a folder, as every source tells it.
pub fn of_found(found: Found, is_full: bool) -> Changes {
    let documents = found.changed.into_iter().map(|file| Document { path: text(&file.path), octets: file.content });
    Changes {
        documents: documents.collect(),
        gone: found.gone.iter().map(|path| text(path)).collect(),
        troubled: found.troubled,
        healed: found.healed.iter().map(|healed| text(&healed.path)).collect(),
        is_full,
        ..Changes::default()
    }
}

/// A first full scan, with the files that were being written when it began: a start is one batch.
pub fn settled_scan(files: &mut Files) -> Found {
    let until = Instant::now() + SETTLED_WAIT_MAX;
    let mut all = files.scan(Moment::now());
    let octets = |all: &Found| all.changed.iter().map(|file| file.content.len() as u64).sum::<u64>();
    while let Some(at) = all.again_at.filter(|at| *at < until && octets(&all) < files.batch_octets_max) {
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        let more = files.look(&BTreeMap::new(), Moment::now());
        all.changed.retain(|file| !more.changed.iter().any(|newer| newer.path == file.path));
        all.changed.extend(more.changed);
        let healed = |trouble: &Trouble| more.healed.iter().any(|healed| healed.path == trouble.path);
        all.troubled.retain(|trouble| !healed(trouble));
        all.troubled.extend(more.troubled);
        all.gone.extend(more.gone);
        all.rescan |= more.rescan;
        all.again_at = more.again_at;
    }
    all.troubled.extend(files.tell_held());
    all
}
