//! Notices that something in the provisioning folder may have changed, within a millisecond, and says where.
//!
//! An event only marks a path; it is never believed. The set of marked paths is bounded: past the bound, after an
//! overflow, and at every doubt, one flag asks for a full scan instead. Nothing here reads a provisioned file.

pub(crate) mod thread;

use crate::feed::settle::{Hint, merge};
use crate::feed::watch::thread::{Job, Manager};
use crate::time::{UnixTime, steady};
use crate::world::trouble::{Healed, Reason, Trouble};
use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{Event, EventKind};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Paths marked at the same time, at most: some 10 MB. A storm past it becomes one full scan.
pub const DIRTY_MAX: usize = 65_536;
/// Jobs waiting for the watcher's thread, at most. Past it all watches are made anew.
pub(super) const JOBS_MAX: usize = 1_024;

/// How often things happen that no event asks for.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// A full scan, whatever the events say.
    pub full_scan: Duration,
    /// A full scan where events cannot be relied on; never more than a tenth of the time is spent scanning.
    pub poll: Duration,
    /// Whether the folder and the mounts are still the same.
    pub heartbeat: Duration,
    /// Least time between two makings of all watches, and between tries to get more of them.
    pub rebuild: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            full_scan: Duration::from_secs(300),
            poll: Duration::from_secs(3),
            heartbeat: Duration::from_secs(1),
            rebuild: Duration::from_secs(2),
        }
    }
}

/// Whether everything is to be scanned, and why; each reason has those before it in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rescan {
    /// What was marked is enough.
    #[default]
    No,
    /// Scan everything.
    Wanted,
    /// The same, since events were lost, or may be: what earlier ones told of writers may not hold any more.
    AfterLoss,
}

/// What was marked since the last [`Watcher::take`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dirty {
    /// Paths relative to the folder, with the latest that was heard of each.
    pub paths: BTreeMap<PathBuf, Hint>,
    /// Whether everything is to be scanned.
    pub rescan: Rescan,
    /// What hinders watching, said once.
    pub troubled: Vec<Trouble>,
    /// What no longer does.
    pub healed: Vec<Healed>,
}

/// Counters of the watcher.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events that marked something.
    pub events: u64,
    /// Overflows: of the kernel's queue, or of the marked paths.
    pub overflows: u64,
    /// Full scans that ended.
    pub full_scans: u64,
    /// When the last full scan ended that saw the folder; 0: never.
    pub last_success: UnixTime,
}

/// What the threads share.
pub(super) struct Shared {
    dirty: Mutex<Dirty>,
    /// Called when something is marked and nothing was before.
    wake: Mutex<Box<dyn Fn() + Send>>,
    events: AtomicU64,
    overflows: AtomicU64,
    full_scans: AtomicU64,
    last_success: AtomicU64,
    /// Milliseconds that the last full scan took.
    pub(super) scan_milliseconds: AtomicU64,
}

/// The running watcher; it ends when it is dropped.
pub struct Watcher {
    shared: Arc<Shared>,
    /// None: it watches nothing, and somebody else marks.
    thread: Option<Running>,
}

/// The thread that watches.
struct Running {
    jobs: SyncSender<Job>,
    thread: JoinHandle<()>,
    /// When the full scan began that is under way, or was the last: scans are paced by how long they take.
    scan_began: Cell<Instant>,
}

/// Marks paths of a watcher from outside, as events do.
#[derive(Clone)]
pub struct Marks(Arc<Shared>);

impl Marks {
    /// Something happened to a path, which is relative to the folder.
    pub fn mark(&self, path: &Path, hint: Hint) {
        self.0.mark(path.to_owned(), hint, false);
    }

    /// Everything is to be looked at.
    pub fn rescan(&self) {
        self.0.rescan();
    }
}

impl Watcher {
    /// Watches `root`, which need not exist yet. `wake` is called from other threads and must only wake somebody, who
    /// then calls [`Watcher::take`]. The first scan is the caller's: it is asked for by the first `take`.
    ///
    /// # Errors
    /// Where the system gives no thread. Everything else is a [`Trouble`] and is made up for by scanning.
    pub fn start(root: &Path, wake: impl Fn() + Send + 'static) -> io::Result<Watcher> {
        Watcher::start_with(root, Pace::default(), wake)
    }

    /// As [`Watcher::start`], at another pace.
    ///
    /// # Errors
    /// As [`Watcher::start`].
    pub fn start_with(root: &Path, pace: Pace, wake: impl Fn() + Send + 'static) -> io::Result<Watcher> {
        let root = std::path::absolute(root)?;
        let shared = Arc::new(Shared::waking(wake));
        let (jobs, inbox) = sync_channel(JOBS_MAX);
        let manager = Manager::new(root, pace, Arc::clone(&shared), jobs.clone(), inbox);
        let thread = std::thread::Builder::new().name("mxseal-watch".to_owned()).spawn(|| manager.run())?;
        Ok(Watcher { shared, thread: Some(Running { jobs, thread, scan_began: Cell::new(steady()) }) })
    }

    /// Watches nothing, and has no thread: what happens is told by [`Watcher::marks`], at whatever moment. It reads no clock.
    pub fn none() -> Watcher {
        Watcher { shared: Arc::new(Shared::waking(|| {})), thread: None }
    }

    /// By which others than the thread mark paths.
    pub fn marks(&self) -> Marks {
        Marks(Arc::clone(&self.shared))
    }

    /// Takes what was marked; the next mark wakes again.
    pub fn take(&self) -> Dirty {
        std::mem::take(&mut *self.shared.dirty())
    }

    /// To be told when a full scan begins.
    pub fn begins_scan(&self) {
        self.thread.iter().for_each(|running| running.scan_began.set(steady()));
    }

    /// To be told of each full scan that ended: whether it saw the folder, and when that was by the signing clock.
    pub fn scanned(&self, complete: bool, at: UnixTime) {
        self.shared.full_scans.fetch_add(1, Ordering::Relaxed);
        let took = self.thread.as_ref().map_or(Duration::ZERO, |running| steady() - running.scan_began.get());
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.shared.scan_milliseconds.store(milliseconds, Ordering::Relaxed);
        if complete {
            self.shared.last_success.store(at.0, Ordering::Relaxed);
        }
    }

    /// The counters.
    pub fn counts(&self) -> Counts {
        Counts {
            events: self.shared.events.load(Ordering::Relaxed),
            overflows: self.shared.overflows.load(Ordering::Relaxed),
            full_scans: self.shared.full_scans.load(Ordering::Relaxed),
            last_success: UnixTime(self.shared.last_success.load(Ordering::Relaxed)),
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // A full inbox is being emptied by the thread, so this ends.
        if let Some(running) = self.thread.take()
            && running.jobs.send(Job::Stop).is_ok()
        {
            drop(running.thread.join());
        }
    }
}

impl Shared {
    fn waking(wake: impl Fn() + Send + 'static) -> Shared {
        Shared {
            dirty: Mutex::new(Dirty::default()),
            wake: Mutex::new(Box::new(wake)),
            events: AtomicU64::new(0),
            overflows: AtomicU64::new(0),
            full_scans: AtomicU64::new(0),
            last_success: AtomicU64::new(0),
            scan_milliseconds: AtomicU64::new(0),
        }
    }

    fn dirty(&self) -> MutexGuard<'_, Dirty> {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is marked, and wakes where nothing was.
    fn mark_with(&self, change: impl FnOnce(&mut Dirty)) {
        let mut dirty = self.dirty();
        let was_clean = *dirty == Dirty::default();
        change(&mut dirty);
        let is_clean = *dirty == Dirty::default();
        drop(dirty);
        if was_clean && !is_clean {
            (self.wake.lock().unwrap_or_else(PoisonError::into_inner))();
        }
    }

    /// Marks a path.
    pub(super) fn mark(&self, path: PathBuf, hint: Hint, only_attributes: bool) {
        self.events.fetch_add(1, Ordering::Relaxed);
        self.mark_with(|dirty| {
            if dirty.paths.len() >= DIRTY_MAX && !dirty.paths.contains_key(&path) {
                dirty.paths.clear();
                dirty.rescan = Rescan::AfterLoss;
                self.overflows.fetch_add(1, Ordering::Relaxed);
                return;
            }
            let known = dirty.paths.entry(path).or_default();
            *known = merge(*known, hint, only_attributes);
        });
    }

    /// Asks for a full scan.
    pub(super) fn rescan(&self) {
        self.mark_with(|dirty| dirty.rescan = dirty.rescan.max(Rescan::Wanted));
    }

    /// Nothing is heard for a moment, or was not: asks for a full scan.
    pub(super) fn lost(&self) {
        self.mark_with(|dirty| dirty.rescan = Rescan::AfterLoss);
    }

    /// The kernel's queue ran over: whatever was marked is only part of the truth.
    pub(super) fn overflowed(&self) {
        self.overflows.fetch_add(1, Ordering::Relaxed);
        self.lost();
    }

    /// Watching is hindered.
    pub(super) fn trouble(&self, path: PathBuf, reason: Reason) {
        self.mark_with(|dirty| dirty.troubled.push(Trouble { path, reason }));
    }

    /// Watching is no longer hindered by `reason`.
    pub(super) fn heal(&self, path: PathBuf, reason: Reason) {
        self.mark_with(|dirty| dirty.healed.push(Healed { path, code: reason.code() }));
    }
}

/// What an event means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Mark a path (relative).
    Mark { path: PathBuf, hint: Hint, only_attributes: bool },
    /// A folder that is new, or may be: watch it (absolute), then mark it again.
    Folder(PathBuf),
    /// The root itself came, went or was exchanged.
    Root,
    /// Events were lost.
    Lost,
}

/// What `event` means for the folder `root`, whose canonical path is `real`. Reading is no change.
pub(super) fn meaning(event: &Event, root: &Path, real: &Path) -> Vec<Meaning> {
    if event.need_rescan() {
        return vec![Meaning::Lost];
    }
    let (hint, only_attributes) = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => (Hint::Closed, false),
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => return Vec::new(),
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => (Hint::Placed, false),
        EventKind::Modify(ModifyKind::Metadata(_)) => (Hint::Touched, true),
        EventKind::Modify(ModifyKind::Data(_)) => (Hint::Written, false),
        EventKind::Modify(_) | EventKind::Create(_) | EventKind::Remove(_) | EventKind::Any | EventKind::Other => {
            (Hint::Touched, false)
        }
    };
    let comes_or_goes =
        matches!(event.kind, EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
    let may_be_folder = match event.kind {
        EventKind::Create(kind) => kind != CreateKind::File,
        _ => hint == Hint::Placed,
    };
    let mut meanings = Vec::new();
    for path in &event.paths {
        if (path == real || path == root) && comes_or_goes {
            meanings.push(Meaning::Root);
            continue;
        }
        // Neighbours of the root, heard because its parent is watched.
        let Ok(relative) = path.strip_prefix(real) else { continue };
        meanings.push(Meaning::Mark { path: relative.to_owned(), hint, only_attributes });
        if may_be_folder {
            meanings.push(Meaning::Folder(path.clone()));
        }
    }
    meanings
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{DataChange, Flag, MetadataKind, RemoveKind};

    fn of(kind: EventKind, path: &str) -> Vec<Meaning> {
        meaning(&Event::new(kind).add_path(PathBuf::from(path)), Path::new("/zones"), Path::new("/srv/zones"))
    }

    fn mark(path: &str, hint: Hint, only_attributes: bool) -> Meaning {
        Meaning::Mark { path: PathBuf::from(path), hint, only_attributes }
    }

    #[test]
    fn events_become_hints() {
        let x = "/srv/zones/a/x.toml";
        let close = EventKind::Access(AccessKind::Close(AccessMode::Write));
        assert_eq!(of(close, x), [mark("a/x.toml", Hint::Closed, false)]);
        let placed = EventKind::Modify(ModifyKind::Name(RenameMode::To));
        let folder = Meaning::Folder(PathBuf::from(x));
        assert_eq!(of(placed, x), [mark("a/x.toml", Hint::Placed, false), folder]);
        let data = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        assert_eq!(of(data, x), [mark("a/x.toml", Hint::Written, false)]);
        let mode = EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any));
        assert_eq!(of(mode, x), [mark("a/x.toml", Hint::Touched, true)]);
        assert_eq!(of(EventKind::Remove(RemoveKind::File), x), [mark("a/x.toml", Hint::Touched, false)]);
        assert_eq!(of(EventKind::Create(CreateKind::File), x), [mark("a/x.toml", Hint::Touched, false)]);
        for read in [AccessKind::Open(AccessMode::Any), AccessKind::Close(AccessMode::Read), AccessKind::Read] {
            assert_eq!(of(EventKind::Access(read), x), []);
        }
    }

    #[test]
    fn the_root_is_told_from_its_neighbours_under_both_its_names() {
        let gone = EventKind::Remove(RemoveKind::Folder);
        assert_eq!(of(gone, "/srv/zones"), [Meaning::Root]);
        assert_eq!(of(gone, "/zones"), [Meaning::Root]);
        assert_eq!(of(gone, "/srv/zones2"), []);
        assert_eq!(of(EventKind::Create(CreateKind::Any), "/srv/mxseal.toml"), []);
    }

    #[test]
    fn case_16_a_lost_event_asks_for_a_scan() {
        let event = Event::new(EventKind::Other).set_flag(Flag::Rescan);
        assert_eq!(meaning(&event, Path::new("/zones"), Path::new("/zones")), [Meaning::Lost]);
    }
}
