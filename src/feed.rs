//! From the provisioning folder to "these files are new, changed, gone, or in trouble": contents are compared, not times.
//!
//! Nobody's content is judged here. A file that cannot be read is never "gone", nor is everything at once: absence of a
//! folder, a volume or a link's target is a trouble, and what was good before stays. A look costs as much as the paths
//! it is given, never as much as the whole folder.

pub(crate) mod foreign;
pub mod link;
pub mod linked;
pub mod mount;
pub(crate) mod notes;
pub(crate) mod passed_over;
pub mod read;
pub mod settle;
pub mod source;
pub mod take;
pub mod wait;
pub mod walk;
pub mod watch;
pub(crate) mod writer;

use crate::feed::link::{Links, resolve};
use crate::feed::read::{Content, is_gone, unlisted, unreadable};
use crate::feed::settle::{Hint, Moment, Settling};
use crate::feed::wait::settling;
use crate::feed::walk::Walk;
use crate::metrics::progress::Progress;
use crate::world::paths;
use crate::world::paths::{BATCH_OCTETS_MAX, Kind, is_dropping_folder, join};
use crate::world::trouble::{Healed, Reason, Trouble, code_of};
use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Files that master files may include, at most.
pub const INCLUDES_MAX: usize = 10_000;

/// A file that is new, or whose content is another than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Relative to the watched folder.
    pub path: PathBuf,
    /// What it holds.
    pub kind: Kind,
    /// Its octets as they are.
    pub content: Vec<u8>,
}

/// What a look or a scan found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// New or changed.
    pub changed: Vec<File>,
    /// Gone for longer than [`SETTLE`].
    pub gone: Vec<PathBuf>,
    /// Troubles that begin now (or have another reason now).
    pub troubled: Vec<Trouble>,
    /// Troubles that end now.
    pub healed: Vec<Healed>,
    /// Whether a full scan has ended with this call, and could see the folder.
    pub complete: bool,
    /// When to look again, even without an event: something waits for quiet.
    pub again_at: Option<Instant>,
    /// Whether a full scan is needed: the folder is another one than before, or more waits than can be remembered.
    pub rescan: bool,
}

/// What is remembered of a file: 32 octets beside its path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Keyed hash of the identity when it was read; 0: not trusted, its content is compared at each look.
    pub(super) identity: u64,
    /// The first half of the SHA-256 of the content that was delivered.
    pub(super) hash: [u8; 16],
    /// Octets, at most `u32::MAX`.
    pub(super) size: u32,
    /// [`Reason::number`], 0 for none.
    pub(super) trouble: u8,
    /// [`DELIVERED`], [`SEEN_FULL`], [`SEEN_PART`].
    pub(super) flags: u8,
}

impl Entry {
    fn forget(&mut self) {
        self.identity = 0;
        if self.flags & DELIVERED != 0 {
            self.flags = self.flags & !DELIVERED | FORGOTTEN;
        }
    }
}

/// Its content was delivered; `hash` and `size` hold.
pub(super) const DELIVERED: u8 = 1;
/// The full scan that is under way has seen it.
pub(super) const SEEN_FULL: u8 = 2;
/// The scan of a folder that is under way has seen it.
pub(super) const SEEN_PART: u8 = 4;

/// Its content is to be delivered again, though it was delivered once.
pub(super) const FORGOTTEN: u8 = 8;

/// What is remembered of a folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folder {
    /// Its file system.
    pub(super) device: u64,
    /// As in [`Entry`].
    pub(super) flags: u8,
}

/// A trouble of a folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hindrance {
    pub(super) reason: Reason,
    /// [`Files::walks`] when it was last met.
    pub(super) met: u64,
}

/// All files of the provisioning folder that concern the server.
#[derive(Debug)]
pub struct Files {
    pub(super) root: PathBuf,
    /// `root` without links.
    pub(super) real: PathBuf,
    /// Device and inode of the root at the last scan.
    pub(super) root_inode: Option<(u64, u64)>,
    pub(super) key: RandomState,
    pub(super) entries: BTreeMap<Box<str>, Entry>,
    pub(super) folders: BTreeMap<Box<str>, Folder>,
    /// Troubles of folders, and of names that are no files of ours.
    pub(super) places: BTreeMap<String, Hindrance>,
    /// Counts walks, so that a walk knows which troubles were met since it began.
    pub(super) walks: u64,
    pub(super) links: Links,
    pub(super) includes: BTreeSet<String>,
    pub(super) settling: BTreeMap<String, Settling>,
    /// When to look at which settling file; in the order of time.
    pub(super) queue: VecDeque<(Instant, String)>,
    /// Files that are not there, and when the first and the last of them was missed.
    pub(super) missing: BTreeSet<String>,
    pub(super) missed: Option<(Instant, Instant)>,
    /// Tenant folders that are not there, since when.
    pub(super) lost: BTreeMap<String, Instant>,
    /// Since when more waits than can be remembered.
    pub(super) doubt: Option<Instant>,
    /// What could not be read for a fault of this moment: when it is tried again, and the pause before that.
    pub(super) short: BTreeMap<String, (Instant, Duration)>,
    pub(super) full: Option<Walk>,
    /// Octets that are read in one go, at most, beyond the first file; and those of this go.
    pub batch_octets_max: u64,
    pub(super) batch_octets: u64,
    /// Which `SEEN_` flags a sighting sets.
    pub(super) sighting: u8,
    /// What is read is counted here.
    pub(super) progress: Arc<Progress>,
}

impl Files {
    /// Nothing is known yet: the first scan delivers all. `root` may be relative and need not exist.
    pub fn new(root: &Path) -> Files {
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        Files {
            real: root.clone(),
            root,
            root_inode: None,
            key: RandomState::new(),
            entries: BTreeMap::new(),
            folders: BTreeMap::new(),
            places: BTreeMap::new(),
            walks: 0,
            links: Links::default(),
            includes: BTreeSet::new(),
            settling: BTreeMap::new(),
            queue: VecDeque::new(),
            missing: BTreeSet::new(),
            missed: None,
            lost: BTreeMap::new(),
            doubt: None,
            short: BTreeMap::new(),
            full: None,
            batch_octets_max: BATCH_OCTETS_MAX,
            batch_octets: 0,
            sighting: 0,
            progress: Arc::default(),
        }
    }

    /// Where the system gives so many octets of memory, a sixth of it may be files that are being taken in: what they say takes
    /// five times as much.
    pub fn limit_memory(&mut self, octets: Option<usize>) {
        let share = octets.and_then(|octets| u64::try_from(octets / 6).ok());
        self.batch_octets_max = share.map_or(BATCH_OCTETS_MAX, |share| share.min(BATCH_OCTETS_MAX));
    }

    /// Files remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Everything that stands in the way now, ordered by path.
    pub fn troubles(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let files = self.entries.iter().filter(|(_, entry)| entry.trouble != 0);
        let files = files.map(|(path, entry)| (&**path, code_of(entry.trouble)));
        self.places.iter().map(|(path, place)| (path.as_str(), place.reason.code())).chain(files)
    }

    /// Forgets what was delivered, so that the next scan delivers every file anew. Nothing is gone by that.
    pub fn forget_contents(&mut self) {
        self.entries.values_mut().for_each(Entry::forget);
    }

    /// The same for one file.
    pub fn forget_content(&mut self, path: &str) {
        if let Some(entry) = self.entries.get_mut(path) {
            entry.forget();
        }
    }

    /// Looks at the paths that events named, and at those whose wait has ended. Paths are relative to the folder.
    pub fn look(&mut self, paths: &BTreeMap<PathBuf, Hint>, now: Moment) -> Found {
        let mut out = Found::default();
        if !self.root_is_the_same(&mut out) {
            out.again_at = self.again_at();
            return out;
        }
        self.sighting = if self.full.is_some() { SEEN_FULL } else { 0 };
        for (path, hint) in self.expand(paths) {
            self.visit(&path, hint, now, &mut out);
        }
        self.sighting = 0;
        self.settle(now, &mut out);
        // With something in the folder again, what was said about the whole of it must be judged anew.
        let standing = self.places.get("").map(|place| place.reason);
        if matches!(standing, Some(Reason::AllGone | Reason::Unmounted)) {
            out.rescan |= !(out.changed.is_empty() && out.healed.is_empty());
        }
        out
    }

    /// Reads a file that a master file includes, whatever its name, and watches it from now on.
    ///
    /// # Errors
    /// The reason why it cannot be read; when that ends, the file is delivered as [`Kind::Include`].
    pub fn include(&mut self, path: &str, now: Moment) -> Result<Vec<u8>, Reason> {
        let inside = !path.is_empty() && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        if !inside {
            return Err(Reason::LinkOut);
        }
        if paths::kind(path).is_none() {
            if self.includes.len() >= INCLUDES_MAX && !self.includes.contains(path) {
                return Err(Reason::TooManyFiles);
            }
            self.includes.insert(path.to_owned());
        }
        let kind = self.kind(path).unwrap_or(Kind::Include);
        let resolved = resolve(&self.real, path);
        let linked = resolved.chain.first().is_some_and(|first| first == path) && resolved.chain.len() > 1;
        if linked {
            self.links.set(path, resolved.chain);
        }
        let read = read::read(&self.real.join(path), &self.real, kind, self.is_written(path));
        match read.inspect_err(|reason| self.try_later(path, *reason, now))? {
            Content::Whole(octets, seen) => {
                self.keep(path, &octets, &seen, now);
                Ok(octets)
            }
            Content::Held(seen) | Content::Growing(_, seen) => {
                self.wait_for_writer(path, &seen, None, now);
                Err(Reason::HeldOpen)
            }
            Content::Gone => Err(if linked { Reason::Dangling } else { Reason::Unreadable(libc::ENOENT) }),
            Content::LongLine(_) => Err(Reason::LineTooLong),
            Content::Changing(seen) => {
                self.wait(path, settling(Some(seen), now), now);
                Err(Reason::Unreadable(libc::EAGAIN))
            }
        }
    }

    /// Watches no other included files than these.
    pub fn keep_includes(&mut self, paths: &BTreeSet<String>) {
        let dropped: Vec<String> = self.includes.iter().filter(|path| !paths.contains(*path)).cloned().collect();
        for path in dropped {
            self.includes.remove(&path);
            self.entries.remove(path.as_str());
            self.settling.remove(&path);
            self.missing.remove(&path);
            self.links.forget(&path);
        }
    }

    pub(super) fn kind(&self, path: &str) -> Option<Kind> {
        paths::kind(path).or_else(|| self.includes.contains(path).then_some(Kind::Include))
    }

    /// The paths, and what depends on them through links.
    pub(super) fn expand(&self, paths: &BTreeMap<PathBuf, Hint>) -> BTreeMap<String, Hint> {
        let mut all: BTreeMap<String, Hint> = BTreeMap::new();
        for (path, hint) in paths {
            // A name that is not UTF-8 is met by a scan of the folder that holds it.
            let path = path
                .to_str()
                .map_or_else(|| path.parent().and_then(Path::to_str).map(str::to_owned), |path| Some(path.to_owned()));
            let Some(path) = path else { continue };
            for other in self.links.touched_by(&path) {
                let known = all.entry(other).or_default();
                *known = (*known).max(*hint);
            }
            let hidden = path.rsplit_once('/').is_some_and(|(folders, _)| folders.split('/').any(is_dropping_folder));
            if !hidden || self.includes.contains(&path) {
                all.insert(path, *hint);
            }
        }
        all
    }

    /// Looks at one path, whatever it is or was.
    pub(super) fn visit(&mut self, path: &str, hint: Hint, now: Moment, out: &mut Found) {
        let meta = match self.real.join(path).symlink_metadata() {
            Ok(meta) => meta,
            Err(fault) if is_gone(&fault) => return self.absent(path, now, out),
            Err(fault) if self.kind(path).is_some() => return self.refused(path, unreadable(&fault), now, out),
            Err(fault) => return self.try_later(path, unreadable(&fault), now),
        };
        if meta.is_symlink() {
            if self.link(path, hint, now, out) {
                self.walk_part(path, true, hint, now, out);
            }
        } else if meta.is_dir() {
            if path.is_empty() || !is_dropping_folder(path.rsplit('/').next().unwrap_or(path)) {
                self.no_file(path, now);
                self.walk_part(path, false, hint, now, out);
            }
        } else {
            self.links.forget(path);
            if self.folders.contains_key(path) {
                self.folder_gone(path, now);
            }
            if let Some(kind) = self.kind(path) {
                self.file(path, kind, &meta, hint, now, out);
            }
        }
    }

    /// Whether the root is there and the folder that the last scan saw.
    pub(super) fn root_is_the_same(&mut self, out: &mut Found) -> bool {
        match std::fs::metadata(&self.root) {
            Ok(meta) if self.root_inode == Some((meta.dev(), meta.ino())) => return true,
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => self.place("", Reason::RootMissing, out),
            Err(fault) if is_gone(&fault) => self.place("", Reason::RootMissing, out),
            Err(fault) => self.place("", unlisted(&fault), out),
        }
        out.rescan = true;
        false
    }
}

/// `name` in `folder` as text, with what is not UTF-8 replaced.
pub(super) fn lossy(folder: &str, name: &std::ffi::OsStr) -> String {
    join(folder, &name.to_string_lossy())
}
