//! Folders with a clock of their own, and those with the real watcher, for the cases that it must survive.

use mxseal::feed::settle::{Hint, Moment};
use mxseal::feed::watch::{Pace, Rescan, Watcher};
use mxseal::feed::{Files, Found};
use mxseal::time::Now;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than any wait of the code under test on a machine that is busy with other things; reached only by a failure.
const DEADLINE: Duration = Duration::from_secs(180);
/// Longer than the wait for quiet.
pub(crate) const QUIET: Duration = Duration::from_millis(250);
/// The one tenant of the zone that most cases begin with.
pub(crate) const X: &str = "a.example/x.toml";

/// A folder with a clock of its own, and what was delivered from it so far.
pub(crate) struct World {
    _dir: TempDir,
    pub(crate) root: PathBuf,
    pub(crate) files: Files,
    /// Where both clocks stand, however long the case takes; none: they run.
    stands_at: Option<Moment>,
    /// How far the steady clock has been moved.
    shift: Duration,
    /// How far both clocks have been moved.
    pub(crate) age: Duration,
    pub(crate) state: BTreeMap<PathBuf, Vec<u8>>,
    pub(crate) troubles: BTreeMap<PathBuf, &'static str>,
    /// Every removal that was ever delivered.
    pub(crate) removed: Vec<PathBuf>,
    pub(crate) deliveries: usize,
}

impl World {
    pub(crate) fn new() -> World {
        World::within(tempfile::tempdir().expect("a temporary folder"))
    }

    /// In memory, for cases with very many files.
    pub(crate) fn in_memory() -> World {
        World::within(tempfile::tempdir_in("/dev/shm").expect("a temporary folder on /dev/shm"))
    }

    fn within(dir: TempDir) -> World {
        let root = dir.path().canonicalize().expect("its path").join("zones");
        fs::create_dir(&root).expect("the root");
        World::at(dir, root)
    }

    pub(crate) fn at(dir: TempDir, root: PathBuf) -> World {
        let files = Files::new(&root);
        let (state, troubles, removed) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        World {
            _dir: dir,
            root,
            files,
            stands_at: Some(Moment::from(Now::read())),
            shift: Duration::ZERO,
            age: Duration::ZERO,
            state,
            troubles,
            removed,
            deliveries: 0,
        }
    }

    /// A zone with one tenant and a pool, scanned.
    pub(crate) fn with_zone() -> World {
        World::new().and_zone()
    }

    pub(crate) fn and_zone(self) -> World {
        let mut world = self;
        world.write("a.example.zone", "zone");
        world.write("pools.toml", "pools");
        world.write(X, "one");
        world.quiet_scan();
        assert_eq!(world.state.len(), 3);
        world
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, content).expect("a file written");
    }

    /// Beside the target, and renamed over it.
    pub(crate) fn place(&self, path: &str, content: impl AsRef<[u8]>) {
        let beside = format!("{path}.tmp");
        self.write(&beside, content);
        fs::rename(self.path(&beside), self.path(path)).expect("renamed");
    }

    pub(crate) fn link(&self, target: &str, path: &str) {
        fs::create_dir_all(self.path(path).parent().expect("a parent")).expect("folders");
        symlink(target, self.path(path)).expect("a link");
    }

    /// Where the clocks stand. Files get their times from the machine's own, so once both clocks are to be moved, the
    /// wall clock counts from there.
    pub(crate) fn now(&self) -> Moment {
        let real = Moment::from(Now::read());
        let at = match self.stands_at {
            None => real,
            Some(at) if self.age.is_zero() => at,
            Some(at) => Moment { steady: at.steady, wall: real.wall },
        };
        let now = at.after(self.age);
        Moment { steady: now.steady + self.shift, wall: now.wall }
    }

    /// From now on nothing becomes due by itself.
    pub(crate) fn stop_clocks(&mut self) {
        self.stands_at = Some(Moment::from(Now::read()));
    }

    pub(crate) fn pass(&mut self, span: Duration) {
        self.shift += span;
    }

    pub(crate) fn apply(&mut self, changes: Found) -> Found {
        for file in &changes.changed {
            self.deliveries += 1;
            self.state.insert(file.path.clone(), file.content.clone());
        }
        for path in &changes.gone {
            assert!(self.state.remove(path).is_some(), "{} is gone but never came", path.display());
            self.removed.push(path.clone());
        }
        for healed in &changes.healed {
            assert_eq!(self.troubles.remove(&healed.path), Some(healed.code), "{healed:?}");
        }
        for trouble in &changes.troubled {
            let before = self.troubles.insert(trouble.path.clone(), trouble.reason.code());
            assert_ne!(before, Some(trouble.reason.code()), "said twice: {trouble:?}");
        }
        changes
    }

    pub(crate) fn scan(&mut self) -> Found {
        let changes = self.files.scan(self.now());
        self.apply(changes)
    }

    /// A scan, and what it makes wait.
    pub(crate) fn quiet_scan(&mut self) {
        self.scan();
        for _ in 0..4 {
            self.pass(QUIET);
            self.look(&[]);
        }
    }

    pub(crate) fn look(&mut self, paths: &[(&str, Hint)]) -> Found {
        let paths = paths.iter().map(|(path, hint)| (PathBuf::from(path), *hint)).collect();
        let changes = self.files.look(&paths, self.now());
        self.apply(changes)
    }

    pub(crate) fn text(&self, path: &str) -> Option<String> {
        self.state.get(Path::new(path)).map(|octets| String::from_utf8_lossy(octets).into_owned())
    }

    pub(crate) fn trouble(&self, path: &str) -> Option<&'static str> {
        self.troubles.get(Path::new(path)).copied()
    }

    /// What a server that starts now would read.
    pub(crate) fn fresh(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = Files::new(&self.root);
        let far = self.now().after(Duration::from_secs(3600));
        let changes = files.scan(far);
        changes.changed.into_iter().map(|file| (file.path, file.content)).collect()
    }
}

/// A world with the real watcher and the real clock.
pub(crate) struct Live {
    pub(crate) world: World,
    pub(crate) watcher: Watcher,
    woken: Receiver<()>,
    again_at: Option<Instant>,
    pub(crate) hindrances: Vec<&'static str>,
}

/// Scans come only where the case says so.
pub(crate) fn events_only() -> Pace {
    Pace {
        full_scan: Duration::from_secs(3600),
        poll: Duration::from_millis(100),
        heartbeat: Duration::from_millis(50),
        rebuild: Duration::from_millis(400),
    }
}

impl Live {
    pub(crate) fn start(mut world: World, pace: Pace) -> Live {
        world.stands_at = None;
        let (wake, woken) = channel();
        let watcher = Watcher::start_with(&world.root, pace, move || {
            let _ = wake.send(());
        })
        .expect("a watcher");
        let mut live = Live { world, watcher, woken, again_at: None, hindrances: Vec::new() };
        live.until("the first scan", |live| live.watcher.counts().full_scans > 0);
        live
    }

    pub(crate) fn with_zone() -> Live {
        Live::with_zone_in(World::new())
    }

    pub(crate) fn with_zone_in(world: World) -> Live {
        world.write("a.example.zone", "zone");
        world.write("pools.toml", "pools");
        world.write(X, "one");
        let mut live = Live::start(world, events_only());
        live.until("the zone", |live| live.world.state.len() == 3);
        live
    }

    /// One turn of the loop that a control thread runs.
    pub(crate) fn turn(&mut self, deadline: Instant) {
        let due = self.again_at.filter(|_| self.world.stands_at.is_none());
        let until = due.unwrap_or(deadline).min(deadline);
        let _ = self.woken.recv_timeout(until.saturating_duration_since(Instant::now()));
        let dirty = self.watcher.take();
        self.hindrances.extend(dirty.troubled.iter().map(|trouble| trouble.reason.code()));
        self.hindrances.retain(|code| !dirty.healed.iter().any(|healed| healed.code == *code));
        let mut rescan = dirty.rescan != Rescan::No;
        if !rescan {
            let changes = self.world.files.look(&dirty.paths, self.world.now());
            rescan = changes.rescan;
            self.again_at = changes.again_at;
            self.world.apply(changes);
        }
        if rescan {
            self.watcher.begins_scan();
            let changes = self.world.files.scan(self.world.now());
            self.watcher.scanned(changes.complete, mxseal::time::now());
            self.again_at = changes.again_at;
            self.world.apply(changes);
        }
    }

    pub(crate) fn until(&mut self, what: &str, done: impl Fn(&Live) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !done(self) {
            assert!(Instant::now() < deadline, "waited too long for {what}; state {:?}", self.world.state.keys());
            self.turn(deadline);
        }
    }

    pub(crate) fn until_text(&mut self, path: &str, text: &str) {
        self.until(&format!("{path} to be {text}"), |live| live.world.text(path).as_deref() == Some(text));
    }
}

/// Runs the test `name` again as a child below `unshare` with these arguments; true in that child. Never skipped: where
/// namespaces cannot be had, it fails and says so.
pub(crate) fn inside(name: &str, arguments: &[&str]) -> bool {
    inside_by("unshare", name, arguments)
}

/// The same below another program that starts one.
pub(crate) fn inside_by(starter: &str, name: &str, arguments: &[&str]) -> bool {
    const MARK: &str = "MXSEAL_TEST_INSIDE";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let program = std::env::current_exe().expect("the test program");
    let output = Command::new(starter)
        .args(arguments)
        .arg(program)
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .output()
        .expect("unshare and prlimit (util-linux) are needed for these tests");
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed"),
        "`{starter} {}` failed; this test needs root or user namespaces:\n{}{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

pub(crate) fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status().expect("the program runs");
    assert!(status.success(), "{program} {arguments:?} failed: {status}; are mounts allowed here?");
}

pub(crate) fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode set");
}
