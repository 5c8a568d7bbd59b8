//! A real server process on a folder of its own, its commands, and clients that ask it.

use crate::words::{in_words, query};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Reached only by a failure.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const EU: &str = "NOERROR A 192.0.2.25";
pub const US: &str = "NOERROR A 192.0.2.26";
pub const GONE: &str = "NXDOMAIN";
const PROGRAM: &str = env!("CARGO_BIN_EXE_mxseal");
pub const PARENT: &str = "@ 3600 SOA ns.mx.example. h.mx.example. 1 7200 3600 1209600 300\n@ NS ns\nns A 192.0.2.53\n";
pub const MASTER: &str =
    "@ 3600 SOA ns.mx.example. h.mx.example. 1 7200 3600 1209600 300\n@ NS ns.mx.example.\nwww 300 A 192.0.2.80\n";

/// A folder with a configuration and files, and the server once it is started.
pub struct Server {
    folder: TempDir,
    pub port: u16,
    pub metrics_port: u16,
    child: Option<Child>,
    /// What the server is run by, where it needs a namespace of its own.
    pub wrapper: Vec<String>,
    starts: u32,
}

/// How a command ended.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

pub fn toml(domain: &str, pool: &str) -> String {
    format!("domain = \"{domain}\"\npool = \"{pool}\"\n")
}

pub fn line(domain: &str, pool: &str) -> String {
    format!("{{\"domain\":\"{domain}\",\"pool\":\"{pool}\"}}\n")
}

/// Both pools have one key, so that tenants go from one to the other at once: no TLSA in any cache lacks it.
pub fn pools() -> String {
    let tlsa = format!("tlsa = [\"3 1 1 {}\"]\n", "1b".repeat(32));
    format!("[eu]\naddresses = [\"192.0.2.25\"]\n{tlsa}\n[us]\naddresses = [\"192.0.2.26\"]\n{tlsa}")
}

/// The name of a tenant's file below the folder of its zone.
pub fn at(file: &str) -> String {
    format!("zones/a.mx.example/{file}")
}

impl Server {
    /// A parent and a shard with one tenant, `x.example`; not started yet.
    pub fn prepared() -> Server {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        // Nobody holds the first one meanwhile.
        let metrics_port = std::iter::repeat_with(free_port).find(|other| *other != port).expect("another port");
        let server = Server { folder, port, metrics_port, child: None, wrapper: Vec::new(), starts: 0 };
        server.configure("");
        server.write("zones/mx.example.zone", PARENT);
        server.write("zones/a.mx.example.zone", MASTER);
        server.write("zones/pools.toml", pools());
        server.write(&at("x.toml"), toml("x.example", "eu"));
        server
    }

    pub fn started() -> Server {
        let mut server = Server::prepared();
        server.start();
        server.eventually("x-example", EU);
        server
    }

    /// Writes `mxseal.toml` with `more` at its end.
    pub fn configure(&self, more: &str) {
        let (port, metrics) = (self.port, self.metrics_port);
        let text = format!(
            "version = 1\n[server]\nlisten = [\"127.0.0.1:{port}\"]\nworkers = 1\n[metrics]\nlisten = \"127.0.0.1:{metrics}\"\n{more}"
        );
        self.write("mxseal.toml", text);
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes in place, making folders.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, content).expect("written");
    }

    /// Writes elsewhere and renames into place.
    pub fn place(&self, path: &str, content: impl AsRef<[u8]>) {
        self.write("stage/next", content);
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::rename(self.path("stage/next"), path).expect("renamed");
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).expect("removed");
    }

    /// Removes a folder and all below it. A running server may write a file into it meanwhile: then once more.
    pub fn clear(&self, path: &str) {
        let path = self.path(path);
        let again = |failed: &std::io::Error| failed.kind() == std::io::ErrorKind::DirectoryNotEmpty;
        let gone = (0..1_000).map(|_| fs::remove_dir_all(&path)).find(|gone| !gone.as_ref().is_err_and(again));
        gone.expect("not written all the time").expect("removed");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let config = self.path("mxseal.toml").display().to_string();
        let mut words: Vec<String> = self.wrapper.clone();
        words.extend([PROGRAM.to_owned(), "--config".to_owned(), config]);
        words.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let mut command = Command::new(words.first().expect("a program"));
        command.args(words.iter().skip(1)).stdin(Stdio::null()).current_dir(self.folder.path());
        command
    }

    pub fn spawn(&mut self, arguments: &[&str]) {
        assert!(self.child.is_none(), "it runs already");
        self.starts += 1;
        let log = File::create(self.path(&format!("log.{}", self.starts))).expect("a log");
        let mut all = vec!["serve"];
        all.extend(arguments);
        let child = self.command(&all).stdout(Stdio::null()).stderr(log).spawn().expect("the server runs");
        self.child = Some(child);
    }

    #[track_caller]
    pub fn start(&mut self) {
        self.start_with(&[]);
    }

    pub fn start_with(&mut self, arguments: &[&str]) {
        self.spawn(arguments);
        let begun = Instant::now();
        while !self.log().contains("answering on") {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().expect("a state"));
            assert!(ended.is_none(), "the server ended: {ended:?}\n{}", self.log());
            assert!(begun.elapsed() < PATIENCE, "it never answered\n{}", self.log());
            poll_pause();
        }
    }

    /// Runs `serve` that is expected to end by itself.
    #[track_caller]
    pub fn refuses(&mut self, arguments: &[&str]) -> Ran {
        self.spawn(arguments);
        let code = self.wait();
        Ran { code, out: String::new(), err: self.log() }
    }

    /// What the server wrote since its last start.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path(&format!("log.{}", self.starts))).unwrap_or_default()
    }

    /// The process id; of the server itself, also where a wrapper started it.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for its end; the exit code.
    #[track_caller]
    pub fn wait(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("it runs");
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("a state") {
                return status.code();
            }
            if begun.elapsed() > PATIENCE {
                child.kill().expect("killed");
                child.wait().expect("its end");
                panic!("it does not end\n{}", self.log());
            }
            poll_pause();
        }
    }

    #[track_caller]
    pub fn stop(&mut self) {
        self.signal("TERM");
        assert_eq!(self.wait(), Some(0), "{}", self.log());
    }

    pub fn kill(&mut self) {
        self.signal("KILL");
        assert_eq!(self.wait(), None);
    }

    // --- asking ---

    pub fn ask(&self, owner: &str, rtype: &str) -> String {
        ask(self.port, owner, rtype)
    }

    /// The address of a tenant's endpoint, as it is answered.
    pub fn address(&self, label: &str) -> String {
        self.ask(&format!("{label}.a.mx.example"), "A")
    }

    /// Waits for an answer; how long that took.
    #[track_caller]
    pub fn eventually(&self, label: &str, answer: &str) -> Duration {
        let begun = Instant::now();
        loop {
            let now = self.address(label);
            if now == answer {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < PATIENCE, "{label} stays {now}, never {answer}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until the commands say so.
    #[track_caller]
    pub fn until(&self, what: &str, holds: impl Fn(&Server) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < PATIENCE, "never: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Everything that happened so far has been seen: a file that came later is answered.
    #[track_caller]
    pub fn after(&self, marker: &str) {
        self.place(&at(&format!("{marker}.toml")), toml(&format!("{marker}.example"), "us"));
        self.eventually(&format!("{marker}-example"), US);
    }

    /// Asks again and again until [`Steady::answers`].
    pub fn steadily(&self, label: &str) -> Steady {
        let stop = Arc::new(AtomicBool::new(false));
        let (port, owner, ended) = (self.port, format!("{label}.a.mx.example"), Arc::clone(&stop));
        let mut answers = BTreeSet::from([ask(port, &owner, "A")]);
        let thread = std::thread::spawn(move || {
            loop {
                let last = ended.load(Ordering::Relaxed);
                answers.insert(ask(port, &owner, "A"));
                if last {
                    return answers;
                }
            }
        });
        Steady { stop, thread }
    }

    // --- commands ---

    pub fn run(&self, arguments: &[&str]) -> Ran {
        let config = self.path("mxseal.toml").display().to_string();
        let mut command = Command::new(PROGRAM);
        command.args(["--config", &config]).args(arguments).stdin(Stdio::null()).current_dir(self.folder.path());
        let output = command.output().expect("the command runs");
        let text = |octets: Vec<u8>| String::from_utf8(octets).expect("text");
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    pub fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let mut all = vec!["-o", "json"];
        all.extend(arguments);
        let ran = self.run(&all);
        ran.out.lines().map(|line| serde_json::from_str(line).expect("an object")).collect()
    }

    /// The state of a tenant and the reasons for it, as `tenant show` says.
    pub fn tenant(&self, domain: &str) -> (String, String) {
        let shown = self.json(&["tenant", "show", domain]);
        let Some(first) = shown.first() else { return ("none".to_owned(), String::new()) };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let reasons = first["reasons"].as_array().map(|all| all.iter().map(text).collect::<Vec<_>>().join("\n"));
        (text(&first["state"]), reasons.unwrap_or_default())
    }

    /// Codes of all findings of `status`, but that the parent could not be asked before first keys or does not answer
    /// since: there is none here.
    pub fn codes(&self) -> Vec<String> {
        let status = self.json(&["status"]).into_iter().next().unwrap_or_default();
        let findings = status["findings"].as_array().cloned().unwrap_or_default();
        let codes = findings.iter().map(|finding| finding["code"].as_str().unwrap_or_default().to_owned());
        codes.filter(|code| code != "MX5530" && code != "MX5509").collect()
    }

    /// A tenant's broken file shows everywhere: the last good answer stays, and commands and metrics say why.
    #[track_caller]
    pub fn shows_last_good(&self, domain: &str, reason: &str) {
        self.until(&format!("{domain} is last good because of {reason}"), |server| {
            let (state, reasons) = server.tenant(domain);
            state == "last good" && reasons.contains(reason)
        });
        assert_eq!(self.run(&["tenant", "show", domain]).code, Some(1));
        let status = self.run(&["status"]);
        assert!(status.code == Some(1) && status.out.contains(reason), "{}", status.out);
        assert!(self.metric("mxseal_tenants{state=\"last_good\"}") >= 1.0);
        assert_eq!(self.address(&domain.replace('.', "-")), EU);
    }

    pub fn http(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.metrics_port)).expect("metrics are there");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("asked");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        let code = text.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status code");
        (code, text)
    }

    /// The value of a metric, by its name with labels.
    pub fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.http("/metrics");
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        found.unwrap_or_else(|| panic!("there is no {name} in\n{text}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A client that never stops asking.
pub struct Steady {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<BTreeSet<String>>,
}

impl Steady {
    /// All answers that it got, each once.
    pub fn answers(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("it asked").into_iter().collect()
    }
}

impl Ran {
    #[track_caller]
    pub fn ends(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "\nstdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    /// One line on standard error names the cause.
    #[track_caller]
    pub fn says(&self, part: &str) {
        assert!(self.err.contains(part), "{part} is not in\n{}", self.err);
    }
}

fn poll_pause() {
    std::thread::sleep(Duration::from_millis(10));
}

/// What is answered on this port, in words.
pub fn ask(port: u16, owner: &str, rtype: &str) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(("127.0.0.1", port)).expect("connected");
    socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
    let mut reply = [0; 4096];
    for id in 1..15 {
        // Nobody may be there yet, or not yet have time.
        if socket.send(&query(owner, rtype, id)).is_err() {
            return "nobody".to_owned();
        }
        match socket.recv(&mut reply) {
            // A port that its server has left may be given to this very socket, which hears itself then (QR = 0).
            Ok(_) if reply[2] & 0x80 == 0 => return "nobody".to_owned(),
            Ok(length) => return in_words(reply.get(..length).expect("within")),
            Err(fault) if fault.kind() == std::io::ErrorKind::ConnectionRefused => return "nobody".to_owned(),
            Err(_) => {}
        }
    }
    "silence".to_owned()
}

/// A port that is free for UDP and TCP, above 5000.
fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        if port > 5000 && UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Hard to read in `fs` terms: a link, made where the last one was.
pub fn link(target: impl AsRef<Path>, path: &Path) {
    std::os::unix::fs::symlink(target, path).expect("a link");
}
