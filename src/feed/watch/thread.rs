//! Keeps watches on all folders of the provisioning folder, whatever happens to them, and scans where it cannot.
//!
//! One thread owns the watches. A folder is watched before its names are read, so that nothing falls between the two;
//! whoever scans does so after that. It never waits for the control thread.

use crate::feed::mount::{is_silent, mounts};
use crate::feed::read::is_gone;
use crate::feed::settle::Hint;
use crate::feed::watch::{Meaning, Pace, Shared, meaning};
use crate::time::steady;
use crate::world::paths::FOLDER_DEPTH_MAX;
use crate::world::trouble::Reason;
use notify::{Config, ErrorKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

/// How much longer than a scan the pause after it is, where scans replace events.
const PAUSE_FACTOR: u32 = 10;

/// Folders that are refused one by one, at most; more of them are found by scans alone.
const UNWATCHED_MAX: usize = 1024;

/// An exchanged root is watched anew this many times sooner than after an overflow: until then nothing is heard.
const URGENT: u32 = 40;

/// The mounts that this process sees (proc_pid_mountinfo(5)).
const MOUNTINFO: &str = "/proc/self/mountinfo";

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Job {
    /// Watch a folder (absolute) and all below it, then mark it.
    Folder(PathBuf),
    /// The root came, went or was exchanged: make all watches anew, at once.
    Root,
    /// Events were lost: make all watches anew, but not all the time.
    Rebuild,
    /// End.
    Stop,
}

/// Which watches are to be made anew.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    Nothing,
    /// All, once the last ones are old enough.
    Rebuild,
    /// All, and soon: the folder itself was exchanged.
    Root,
}

/// The thread's state.
pub(super) struct Manager {
    root: PathBuf,
    /// `root` without links, as far as it was there.
    real: PathBuf,
    pace: Pace,
    shared: Arc<Shared>,
    jobs: SyncSender<Job>,
    inbox: Receiver<Job>,
    /// The inbox was full: something was not heard.
    deaf: Arc<AtomicBool>,
    watcher: Option<RecommendedWatcher>,
    /// Device and inode of the root when it was watched.
    inode: Option<(u64, u64)>,
    /// What hinders watching as a whole.
    trouble: Option<Reason>,
    /// Folders that are not watched, since the system refused them alone: tried again with each heartbeat.
    unwatched: BTreeMap<PathBuf, Reason>,
    /// Those of them that were told.
    told: BTreeMap<PathBuf, Reason>,
    /// Changes may happen without an event.
    silent: bool,
    /// The list of mounts, open since the start: the kernel tells of each change since it was looked at last.
    mountinfo: Option<File>,
    /// Hash of the list of mounts.
    mounts: u64,
    rebuilt: Instant,
    wanted: Wanted,
    scanned: Instant,
}

impl Manager {
    fn want_rebuild(&mut self) {
        self.wanted = self.wanted.max(Wanted::Rebuild);
    }

    pub(super) fn new(
        root: PathBuf,
        pace: Pace,
        shared: Arc<Shared>,
        jobs: SyncSender<Job>,
        inbox: Receiver<Job>,
    ) -> Manager {
        let now = steady();
        Manager {
            real: root.clone(),
            root,
            pace,
            shared,
            jobs,
            inbox,
            deaf: Arc::new(AtomicBool::new(false)),
            watcher: None,
            inode: None,
            trouble: None,
            unwatched: BTreeMap::new(),
            told: BTreeMap::new(),
            silent: false,
            mountinfo: File::open(MOUNTINFO).ok(),
            mounts: 0,
            rebuilt: now,
            wanted: Wanted::Nothing,
            scanned: now,
        }
    }

    pub(super) fn run(mut self) {
        self.look_at_mounts();
        self.rebuild();
        let mut beat = self.rebuilt;
        loop {
            let pause = if self.wanted == Wanted::Root { self.pace.rebuild / URGENT } else { self.pace.heartbeat };
            match self.inbox.recv_timeout((beat + pause).saturating_duration_since(steady())) {
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Job::Folder(folder)) => self.folder(&folder),
                Ok(Job::Rebuild) => self.want_rebuild(),
                Ok(Job::Root) => self.wanted = Wanted::Root,
                Err(RecvTimeoutError::Timeout) => {}
            }
            // What takes long here makes the next beat come late, and none is made up for.
            let now = steady();
            if now - beat >= self.pace.heartbeat {
                beat = now;
                self.heartbeat(now);
            }
            let exchanged = self.wanted == Wanted::Root || inode(&self.root) != self.inode;
            let gap = if exchanged { self.pace.rebuild / URGENT } else { self.pace.rebuild };
            if (exchanged || self.wanted != Wanted::Nothing) && now.saturating_duration_since(self.rebuilt) >= gap {
                self.rebuild();
            }
        }
    }

    /// What no event tells: mounts, time for a scan, more watches to be had.
    fn heartbeat(&mut self, now: Instant) {
        if self.look_at_mounts() || self.deaf.swap(false, Ordering::Relaxed) {
            self.want_rebuild();
        }
        if self.trouble.is_some() && now.saturating_duration_since(self.rebuilt) >= self.pace.rebuild * PAUSE_FACTOR {
            self.want_rebuild();
        }
        self.watch_again();
        let took = Duration::from_millis(self.shared.scan_milliseconds.load(Ordering::Relaxed));
        let polls = self.silent || self.trouble.is_some() || self.inode.is_none();
        let wait = match (polls, self.unwatched.is_empty()) {
            (true, _) => self.pace.poll.max(took * PAUSE_FACTOR),
            // What may not be watched may hardly be listed, so that scans are little use.
            (false, false) => self.pace.full_scan.min((self.pace.poll * PAUSE_FACTOR).max(took * PAUSE_FACTOR)),
            (false, true) => self.pace.full_scan,
        };
        if now.saturating_duration_since(self.scanned) >= wait {
            self.scanned = now;
            self.shared.rescan();
        }
    }

    /// Whether the mounts are others than before, or were meanwhile: what is mounted and unmounted again between two
    /// looks leaves the same list. Where the list cannot be read (no /proc), nothing is known.
    fn look_at_mounts(&mut self) -> bool {
        let changed = self.mountinfo.as_ref().is_some_and(has_changed);
        let Ok(list) = std::fs::read_to_string(MOUNTINFO) else { return false };
        let mut hasher = DefaultHasher::new();
        list.hash(&mut hasher);
        let hash = hasher.finish();
        if hash == self.mounts && !changed {
            return false;
        }
        self.mounts = hash;
        let real = self.root.canonicalize().unwrap_or_else(|_| self.root.clone());
        self.silent = is_silent(&mounts(&list), &real, Path::is_file);
        true
    }

    /// Makes all watches anew and asks for a scan: after a doubt, stale watches must not be believed.
    fn rebuild(&mut self) {
        self.wanted = Wanted::Nothing;
        self.watcher = None;
        self.unwatched.clear();
        self.inode = inode(&self.root);
        self.real = self.root.canonicalize().unwrap_or_else(|_| self.root.clone());
        let result = self.make_watcher();
        // Pauses count from the end: what takes long is not begun again at once.
        let now = steady();
        (self.rebuilt, self.scanned) = (now, now);
        self.set_trouble(result.err());
        self.tell_unwatched();
        self.shared.lost();
    }

    fn make_watcher(&mut self) -> Result<(), Reason> {
        let (shared, jobs, deaf) = (Arc::clone(&self.shared), self.jobs.clone(), Arc::clone(&self.deaf));
        let (root, real) = (self.root.clone(), self.real.clone());
        let handler = move |event: notify::Result<notify::Event>| {
            let send = |job| {
                if jobs.try_send(job).is_err() {
                    deaf.store(true, Ordering::Relaxed);
                }
            };
            match event {
                Ok(event) => meaning(&event, &root, &real).into_iter().for_each(|meaning| act(meaning, &shared, &send)),
                Err(_) => send(Job::Rebuild),
            }
        };
        let config = Config::default().with_follow_symlinks(false);
        let watcher = RecommendedWatcher::new(handler, config).map_err(|fault| reason(&fault))?;
        self.watcher = Some(watcher);
        // The parents tell when the root comes back, or when a link to it is exchanged.
        let (root, real) = (self.root.clone(), self.real.clone());
        for parent in [root.parent(), real.parent()].into_iter().flatten() {
            self.watch(parent)?;
        }
        self.watch_below(&real)
    }

    fn watch(&mut self, folder: &Path) -> Result<(), Reason> {
        let Some(watcher) = &mut self.watcher else { return Ok(()) };
        match watcher.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => Ok(()),
            Err(fault) => match fault.kind {
                ErrorKind::PathNotFound => Ok(()),
                ErrorKind::Io(ref io) if is_gone(io) => Ok(()),
                ErrorKind::Io(ref io) if io.kind() == std::io::ErrorKind::PermissionDenied => {
                    self.refused(folder, io);
                    Ok(())
                }
                _ => Err(reason(&fault)),
            },
        }
    }

    /// The system refuses a folder, and that says nothing about the others. Those above the root only tell that it was
    /// exchanged, which is looked for in any case.
    fn refused(&mut self, folder: &Path, fault: &std::io::Error) {
        if folder.starts_with(&self.real)
            && (self.unwatched.len() < UNWATCHED_MAX || self.unwatched.contains_key(folder))
        {
            self.unwatched.insert(folder.to_owned(), Reason::Unwatched(fault.raw_os_error().unwrap_or(libc::EIO)));
        }
    }

    /// Tries the folders that the system refused: one that opens is watched first, then looked at.
    fn watch_again(&mut self) {
        for folder in std::mem::take(&mut self.unwatched).into_keys() {
            self.folder(&folder);
        }
        self.tell_unwatched();
    }

    fn tell_unwatched(&mut self) {
        let relative = |folder: &PathBuf| folder.strip_prefix(&self.real).map(Path::to_owned).unwrap_or_default();
        let ended = self.told.iter().filter(|(folder, _)| !self.unwatched.contains_key(*folder));
        ended.for_each(|(folder, reason)| self.shared.heal(relative(folder), *reason));
        let begun = self.unwatched.iter().filter(|(folder, reason)| self.told.get(*folder) != Some(reason));
        begun.for_each(|(folder, reason)| self.shared.trouble(relative(folder), *reason));
        self.told.clone_from(&self.unwatched);
    }

    /// Watches a folder and all below it: each first, then its names.
    fn watch_below(&mut self, top: &Path) -> Result<(), Reason> {
        let mut stack = vec![(top.to_owned(), 0usize)];
        while let Some((folder, depth)) = stack.pop() {
            self.watch(&folder)?;
            if self.unwatched.contains_key(&folder) {
                continue;
            }
            let names = match std::fs::read_dir(&folder) {
                Ok(names) => names,
                Err(fault) if is_gone(&fault) => continue,
                // Its folders are not known, so they cannot be watched either.
                Err(fault) => {
                    self.refused(&folder, &fault);
                    continue;
                }
            };
            for entry in names {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(fault) => {
                        self.refused(&folder, &fault);
                        break;
                    }
                };
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_folder && depth <= FOLDER_DEPTH_MAX && may_matter(&entry.file_name()) {
                    stack.push((entry.path(), depth + 1));
                }
            }
        }
        Ok(())
    }

    /// A new folder: what came into it before its watch is found by looking again.
    fn folder(&mut self, folder: &Path) {
        let Ok(relative) = folder.strip_prefix(&self.real).map(Path::to_owned) else { return };
        let is_folder = folder.symlink_metadata().is_ok_and(|meta| meta.is_dir());
        if !is_folder || !(folder == self.real || folder.file_name().is_some_and(may_matter)) {
            return;
        }
        if let Err(reason) = self.watch_below(folder) {
            self.set_trouble(Some(reason));
        }
        if !self.unwatched.contains_key(folder) {
            self.shared.mark(relative, Hint::Touched, true);
        }
    }

    fn set_trouble(&mut self, trouble: Option<Reason>) {
        if self.trouble == trouble {
            return;
        }
        if let Some(before) = self.trouble.take() {
            self.shared.heal(PathBuf::new(), before);
        }
        if let Some(reason) = trouble {
            self.shared.trouble(PathBuf::new(), reason);
        }
        self.trouble = trouble;
    }
}

fn act(meaning: Meaning, shared: &Shared, send: &impl Fn(Job)) {
    match meaning {
        Meaning::Mark { path, hint, only_attributes } => shared.mark(path, hint, only_attributes),
        Meaning::Folder(path) => {
            // Most of what is renamed is a file: no work for the thread.
            if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
                send(Job::Folder(path));
            }
        }
        Meaning::Root => {
            shared.rescan();
            send(Job::Root);
        }
        Meaning::Lost => {
            shared.overflowed();
            send(Job::Rebuild);
        }
    }
}

/// Hidden folders are not watched, but those that Kubernetes' `..data` points at are.
fn may_matter(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    (!name.starts_with('.') || name.starts_with("..")) && name != "lost+found"
}

fn inode(root: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(root).ok().filter(std::fs::Metadata::is_dir).map(|meta| (meta.dev(), meta.ino()))
}

fn reason(fault: &notify::Error) -> Reason {
    match &fault.kind {
        ErrorKind::MaxFilesWatch => Reason::WatchLimit,
        ErrorKind::Io(io) if io.raw_os_error() == Some(libc::ENOSPC) => Reason::WatchLimit,
        // The limit of the user's watchers, unless this process can open nothing at all.
        ErrorKind::Io(io) if io.raw_os_error() == Some(libc::EMFILE) && std::io::pipe().is_ok() => {
            Reason::InstanceLimit
        }
        ErrorKind::Io(io) => Reason::WatchFailed(io.raw_os_error().unwrap_or(0)),
        _ => Reason::WatchFailed(0),
    }
}

/// Whether mounts changed since the list was polled last, or opened: proc_pid_mounts(5) marks it as an error then.
fn has_changed(mountinfo: &File) -> bool {
    let mut looked = [PollFd::new(mountinfo, PollFlags::PRI)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut looked, Some(&at_once)).is_ok() && looked[0].revents().intersects(PollFlags::PRI | PollFlags::ERR)
}
