//! A real server in a world of its own: a temporary folder, an address of the loopback net, processes ended by id.

pub mod wire;

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Long enough for a busy machine; a test that meets it has failed.
pub const PATIENCE: Duration = Duration::from_secs(40);
/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(20);
/// Where mxseal answers; others take the ports behind it. All worlds share ports, as each has its own address.
pub const PORT: u16 = 5300;

/// A folder and an address that nobody else has.
pub struct World {
    folder: TempDir,
    pub ip: Ipv4Addr,
}

impl World {
    /// An empty world.
    pub fn new() -> World {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = tempfile::tempdir().unwrap();
        loop {
            // 127/8 is all loopback on Linux: the process chooses the middle, a counter the end.
            let at = std::process::id().wrapping_mul(64).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
            let ip = Ipv4Addr::from(0x7f01_0000 | (at & 0x00ff_ffff));
            let free = (0..4).all(|more| TcpListener::bind((ip, PORT + more)).is_ok());
            if free {
                return World { folder, ip };
            }
        }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Where the program of this number answers: mxseal is 0.
    pub fn at(&self, number: u16) -> SocketAddr {
        SocketAddr::from((self.ip, PORT + number))
    }

    /// Writes a file whole: beside its place, then renamed, as a provisioning system does. `{ip}` is our address.
    pub fn write(&self, path: &str, text: &str) {
        let place = self.path(path);
        let parent = place.parent().unwrap();
        fs::create_dir_all(parent).unwrap();
        let beside = parent.join(format!(".new-{}", place.file_name().unwrap().to_string_lossy()));
        fs::write(&beside, text.replace("{ip}", &self.ip.to_string())).unwrap();
        fs::rename(beside, place).unwrap();
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    /// Starts a program in the folder; what it says goes to `NAME.log`.
    pub fn start(&self, name: &str, program: &str, args: &[&str]) -> Running {
        let file = File::options().create(true).append(true).open(self.path(&format!("{name}.log"))).unwrap();
        self.start_saying(name, program, args, [file.try_clone().unwrap().into(), file.into()])
    }

    /// As [`World::start`], with standard output and standard error of the test's own.
    pub fn start_saying(&self, name: &str, program: &str, args: &[&str], [stdout, stderr]: [Stdio; 2]) -> Running {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        Running { child: command.spawn().unwrap(), log: self.path(&format!("{name}.log")) }
    }

    /// Starts mxseal and waits until it answers for `zone`.
    pub fn serve(&self, zone: &str) -> Running {
        let mut running = self.start("mxseal", mxseal(), &["serve"]);
        running.poll_until("an answer", || {
            let reply = wire::Ask::of(zone, wire::SOA).once(self.at(0), Duration::from_millis(300))?;
            (reply.rcode == 0).then_some(())
        });
        running
    }

    /// Runs a program to its end in the folder.
    pub fn run(&self, program: &str, args: &[&str]) -> Output {
        Command::new(program).args(args).current_dir(self.folder.path()).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a program that must end well, and returns what it printed.
    pub fn said(&self, program: &str, args: &[&str]) -> String {
        let output = self.run(program, args);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {text}{errors}");
        text
    }

    /// The DS records of a zone as the registry gets them.
    pub fn ds(&self, zone: &str) -> String {
        let said = self.said(mxseal(), &["zone", "ds", zone]);
        said.lines().filter(|line| line.contains("\tDS\t") || line.contains(" DS ")).map(|l| format!("{l}\n")).collect()
    }
}

/// The server under test.
pub fn mxseal() -> &'static str {
    env!("CARGO_BIN_EXE_mxseal")
}

/// A judge must be on this machine: a test that judged nothing would pass for nothing.
pub fn has(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let found = std::env::split_paths(&paths).chain(more).any(|folder| folder.join(program).is_file());
    assert!(found, "{program} is not installed: `tests/run` installs it");
    found
}

/// The place of a program that may lie outside of PATH.
pub fn program(name: &str) -> String {
    let sbin = Path::new("/usr/sbin").join(name);
    if sbin.is_file() { sbin.display().to_string() } else { name.to_owned() }
}

/// A process that ends with its test.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Looks until `found` finds something; a process that ends meanwhile, or time that runs out, fails the test.
    pub fn poll_until<T>(&mut self, what: &str, mut found: impl FnMut() -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = found() {
                return found;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "ended with {ended:?} before {what}: {}", self.log());
            assert!(Instant::now() < until, "no {what}: {}", self.log());
            std::thread::sleep(LOOK);
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// kill -9, as a power cut does it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end and returns its exit code; none: a signal ended it.
    pub fn poll_code(&mut self) -> Option<i32> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < until, "it does not end: {}", self.log());
            std::thread::sleep(LOOK);
        }
    }

    /// Waits for its end and returns what it said.
    pub fn wait_end(&mut self) -> String {
        let until = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "it does not end: {}", self.log());
            std::thread::sleep(LOOK);
        }
        self.log()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Looks until `found` finds something.
pub fn poll_until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < until, "no {what}");
        std::thread::sleep(LOOK);
    }
}

/// Chance with a seed: each run is the same.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, n: usize) -> usize {
        // Constants of Knuth's MMIX generator.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n.max(1)
    }

    pub fn pick<'p, T>(&mut self, all: &'p [T]) -> &'p T {
        &all[self.below(all.len())]
    }
}
