//! The folder of zones as a source: it tells what became of its documents when it is asked, and when it wants to be asked again.
//!
//! Events are hints that make a look due; a full scan goes in slices, so that one document never waits long for it.

use crate::feed::settle::Moment;
use crate::feed::watch::{Counts, Dirty, Rescan, Watcher};
use crate::feed::{Files, Found};
use crate::time::{Now, steady};
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
}

impl Source {
    /// Nothing was told yet; `watcher` watches the folder of `files`.
    pub fn new(files: Files, watcher: Watcher) -> Source {
        Source { files, watcher, is_woken: false, look_at: None, scan_at: None }
    }

    /// Everything there is, with the files that were being written when it was asked: a start is one batch. `wait` waits
    /// until a moment, and says what time it is then.
    pub fn first(&mut self, now: Now, wait: impl FnMut(Instant) -> Now) -> Changes {
        self.watcher.begins_scan();
        let (found, now) = settled_scan(&mut self.files, now, wait);
        self.watcher.scanned(found.complete, now.signing);
        self.told(found, true, now.into())
    }

    /// Everything at once. A person who asks for it says that files are whole, where the kernel does not know better.
    pub fn all(&mut self, now: Now) -> Changes {
        self.files.forget_writers();
        self.watcher.begins_scan();
        let found = self.files.scan(now.into());
        self.watcher.scanned(found.complete, now.signing);
        self.scan_at = None;
        self.told(found, true, now.into())
    }

    /// Events came: the next [`Source::poll`] looks at what they name.
    pub fn wake(&mut self) {
        self.is_woken = true;
    }

    /// What became of documents since it was asked before: by events, at the end of a wait, or by a slice of a full scan.
    pub fn poll(&mut self, now: Now) -> Changes {
        if self.is_woken || !self.is_busy(now) {
            return self.look(now.into());
        }
        self.scan_on(now)
    }

    /// Whether it has more to tell now: a full scan is under way, or wanted.
    pub fn is_busy(&self, now: Now) -> bool {
        self.files.is_scanning() || self.scan_at.is_some_and(|at| at <= now.steady)
    }

    /// Whether a look is due.
    pub fn is_due(&self, now: Now) -> bool {
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
    pub fn lag(&self, now: Now) -> Duration {
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
    pub fn read(&mut self, path: &str, now: Now) -> Result<Vec<u8>, Reason> {
        self.files.include(path, now.into())
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
        Changes { hindered, freed, ..self.told(found, false, now) }
    }

    /// A slice of the full scan.
    fn scan_on(&mut self, now: Now) -> Changes {
        if !self.files.is_scanning() {
            self.scan_at = None;
            self.watcher.begins_scan();
            self.files.scan_begin();
        }
        let found = self.files.scan_slice(now.into());
        let is_full = !self.files.is_scanning();
        if is_full {
            self.watcher.scanned(found.complete, now.signing);
        }
        let is_doubtful = found.rescan;
        let changes = self.told(found, is_full, now.into());
        if is_doubtful {
            // What made this scan doubtful needs a moment to end.
            self.scan_at = Some(now.steady + RESCAN_PAUSE);
        }
        changes
    }

    /// What was found, as every source tells it; and when this one wants to be asked again.
    fn told(&mut self, found: Found, is_full: bool, now: Moment) -> Changes {
        self.look_at = found.again_at;
        if found.rescan {
            self.scan_at.get_or_insert(now.steady);
        }
        let mut changes = of_found(found, is_full);
        self.tell_healed(&mut changes, now);
        changes
    }

    /// What is healed may hold what it held before the trouble, which a look does not tell again; or it is gone.
    fn tell_healed(&mut self, changes: &mut Changes, now: Moment) {
        let documents = changes.documents.iter().map(|document| &document.path);
        let told: BTreeSet<&String> = documents.chain(&changes.gone).collect();
        let is_quiet = |path: &&String| paths::kind(path).is_some() && !told.contains(*path);
        let quiet: Vec<String> = changes.healed.iter().filter(is_quiet).cloned().collect();
        for path in quiet {
            match self.files.include(&path, now) {
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

/// How a process waits for files: until a moment, not at all where it is past; and what time it is then.
pub fn wait_until(at: Instant) -> Now {
    std::thread::sleep(at.saturating_duration_since(steady()));
    Now::read()
}

/// A first full scan, with the files that were being written when it began, and the moment when it ended: a start is one
/// batch. `wait` waits until a moment, and says what time it is then.
pub fn settled_scan(files: &mut Files, mut now: Now, mut wait: impl FnMut(Instant) -> Now) -> (Found, Now) {
    let until = now.steady + SETTLED_WAIT_MAX;
    let mut all = files.scan(now.into());
    let octets = |all: &Found| all.changed.iter().map(|file| file.content.len() as u64).sum::<u64>();
    while let Some(at) = all.again_at.filter(|at| *at < until && octets(&all) < files.batch_octets_max) {
        now = wait(at);
        let more = files.look(&BTreeMap::new(), now.into());
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
    (all, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::settle::{Hint, SETTLE};
    use crate::time::UnixTime;
    use std::fs;
    use std::path::Path;

    /// Long before the tests were written: the kernel alone sets the ctime of files, so a clock that is made up has to stand
    /// before all of them (then each file waits for quiet), or after (then none does); both are the same each time.
    const BEGIN: UnixTime = UnixTime(1_000_000_000);
    const TENANTS: &str = "zones/a.example/contoso.toml";

    /// What is told at each moment in which something is told: the span since the beginning, and the changes.
    type Story = Vec<(Duration, Changes)>;

    /// Turns of a loop from one moment to another, each when the source wants it, as the control thread takes them.
    fn turns(source: &mut Source, begin: Now, (from, to): (Duration, Duration), story: &mut Story) {
        let mut at = from;
        loop {
            let now = begin.after(at);
            if source.is_busy(now) || source.is_due(now) {
                let changes = source.poll(now);
                if !changes.is_nothing() {
                    story.push((at, changes));
                }
                continue;
            }
            match source.next().map(|next| next - begin.steady) {
                Some(next) if next <= to => at = next,
                _ => return,
            }
        }
    }

    fn told() -> Story {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |path: &str| folder.path().join(path);
        let write = |at: &str, text: &str| {
            fs::create_dir_all(path(at).parent().expect("a folder")).expect("made");
            fs::write(path(at), text).expect("written");
        };
        let (watcher, begin) = (Watcher::none(), Now::at(steady(), BEGIN));
        let (marks, mut story) = (watcher.marks(), Story::new());
        write("a.example.zone", "zone");
        let mut source = Source::new(Files::new(folder.path()), watcher);
        // The first batch waits for what is young, and the moment goes on as it says.
        let mut now = begin;
        let first = source.first(begin, |at| {
            now = begin.after(at - begin.steady);
            now
        });
        story.push((now.steady - begin.steady, first));
        let seconds = Duration::from_secs;
        let mut hear = |source: &mut Source, at: Duration, to: Duration, change: &dyn Fn()| {
            change();
            marks.mark(Path::new(TENANTS), Hint::Touched);
            source.wake();
            turns(source, begin, (at, to), &mut story);
        };
        hear(&mut source, seconds(10), seconds(10), &|| write(TENANTS, "half"));
        hear(&mut source, seconds(10) + SETTLE / 2, seconds(20), &|| write(TENANTS, "half and more"));
        hear(&mut source, seconds(20), seconds(30), &|| fs::remove_file(path(TENANTS)).expect("removed"));
        // What no event tells is found by a scan.
        write(TENANTS, "back");
        marks.rescan();
        source.wake();
        turns(&mut source, begin, (seconds(86_400), seconds(86_401)), &mut story);
        assert!(source.is_settled());
        let counts = source.counts();
        assert_eq!((counts.events, counts.full_scans), (3, 2));
        assert_eq!(counts.last_success, BEGIN.after(86_400), "by the clock that was made up");
        story
    }

    #[test]
    fn waiting_for_a_moment_that_is_past_only_reads_the_clocks() {
        let begin = Now::read();
        assert!(wait_until(begin.steady).steady >= begin.steady);
        let later = begin.steady + Duration::from_millis(2);
        assert!(wait_until(later).steady >= later);
    }

    #[test]
    fn files_are_told_at_moments_that_are_made_up_and_twice_the_same() {
        let story = told();
        let heads = |(at, changes): &(Duration, Changes)| {
            let documents = changes.documents.iter();
            let documents: Vec<_> =
                documents.map(|it| format!("{} {}", it.path, String::from_utf8_lossy(&it.octets))).collect();
            (at.as_millis(), documents, changes.gone.clone(), changes.is_full)
        };
        let (tenants, none) = (|text: &str| vec![format!("{TENANTS} {text}")], Vec::<String>::new);
        let expected = [
            (200, vec!["a.example.zone zone".to_owned()], none(), true),
            (10_300, tenants("half and more"), none(), false),
            (20_200, none(), vec![TENANTS.to_owned()], false),
            (86_400_200, tenants("back"), none(), false),
        ];
        assert_eq!(story.iter().map(heads).collect::<Vec<_>>(), expected);
        assert_eq!(told(), story);
    }
}
