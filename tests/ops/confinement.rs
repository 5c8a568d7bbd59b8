//! What a confined process can no longer do, tried out in child processes.

use crate::alone;
use mxseal::process::confine::{self, Confinement, InForce};
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// An account that every system has.
const USER: &str = "nobody";
/// Names the folder of a child's files.
const FOLDER: &str = "MXSEAL_OPS_FOLDER";

/// Folders of a test: `read` and `write` are allowed, in `sockets` only sockets are made anew, `outside` is not.
fn folders() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("set");
    open(folder.path());
    for name in ["read", "write", "write/empty", "sockets", "outside"] {
        let path = folder.path().join(name);
        fs::create_dir(&path).expect("made");
        open(&path);
        fs::write(path.join("file"), "content").expect("written");
    }
    folder
}

/// In the child: does what the server does at its start.
fn confine_all() -> (PathBuf, InForce) {
    let folder = PathBuf::from(std::env::var_os(FOLDER).expect("the folder"));
    let mut status = String::new();
    File::open("/proc/self/status").and_then(|mut f| f.read_to_string(&mut status)).expect("read");
    let root = status.contains("Uid:\t0\t");
    let dropped = confine::drop_privileges(if root { USER } else { "" }, &[]).expect("root is given up");
    if !root {
        eprintln!("skipped: giving up root, as the test does not run as root");
    }
    let allowed = Confinement {
        read_only: vec![folder.join("read")],
        read_write: vec![folder.join("write")],
        sockets: vec![folder.join("read")],
        replaced_sockets: vec![folder.join("sockets")],
    };
    let mut now = confine::apply_process(&allowed);
    now.words.extend(dropped.words);
    (folder, now)
}

/// Whether the kernel has `what`; prints the reason where not.
fn has(now: &InForce, what: &str) -> bool {
    let missing = now.warnings.iter().find(|warning| warning.contains(what));
    if let Some(reason) = missing {
        eprintln!("skipped: {reason}");
    }
    missing.is_none()
}

fn errno<T>(result: std::io::Result<T>) -> Option<i32> {
    result.err().and_then(|fault| fault.raw_os_error())
}

#[test]
fn a_confined_process_reaches_its_folders_and_nothing_else() {
    if alone::task().is_some() {
        return reach_nothing_else();
    }
    let folder = folders();
    let path = folder.path().to_str().expect("a path of the test");
    alone::must_pass(
        "confinement::a_confined_process_reaches_its_folders_and_nothing_else",
        "files",
        &[(FOLDER, path)],
    );
}

fn reach_nothing_else() {
    let mut status = File::open("/proc/thread-self/status").expect("opened before");
    let (folder, now) = confine_all();
    eprintln!("in force: {:?}, warnings: {:?}", now.words, now.warnings);
    // The test harness has a thread of its own, so the server's rule that there is only one is seen broken.
    assert!(now.warnings.iter().any(|warning| warning.contains("threads exist")), "{:?}", now.warnings);
    assert_eq!(fs::read_to_string(folder.join("read/file")).expect("zones are read"), "content");
    assert_eq!(fs::read_dir(folder.join("read")).expect("zones are listed").count(), 1);
    fs::write(folder.join("write/new"), "key").expect("keys are written");
    fs::rename(folder.join("write/new"), folder.join("write/file")).expect("and renamed over older ones");
    if has(&now, "Landlock") {
        assert_eq!(errno(fs::write(folder.join("read/file"), "")), Some(libc::EACCES), "zones are not written");
        assert_eq!(errno(fs::write(folder.join("outside/new"), "")), Some(libc::EACCES));
        assert_eq!(errno(File::open(folder.join("outside/file"))), Some(libc::EACCES));
        assert_eq!(errno(File::open("/etc/passwd")), Some(libc::EACCES));
        assert!(fs::rename(folder.join("write/file"), folder.join("outside/file2")).is_err());
        assert_eq!(errno(fs::write(folder.join("sockets/new"), "")), Some(libc::EACCES));
        assert_eq!(errno(File::open(folder.join("sockets/file"))), Some(libc::EACCES));
    }
    let door = folder.join("sockets/door");
    drop(UnixListener::bind(&door).expect("the control socket is made"));
    fs::remove_file(&door).expect("and made anew");
    let mut text = String::new();
    status.rewind().and_then(|()| status.read_to_string(&mut text)).expect("still readable");
    let line = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("").trim().to_owned();
    assert_eq!((line("NoNewPrivs:"), line("CapEff:")), ("1".to_owned(), "0".repeat(16)));
    assert_eq!((line("CapPrm:"), line("CapAmb:"), line("CapInh:")), ("0".repeat(16), "0".repeat(16), "0".repeat(16)));
    assert!(!line("Uid:").split('\t').any(|uid| uid == "0") && !line("Groups:").split(' ').any(|gid| gid == "0"));
    if has(&now, "seccomp") {
        assert_eq!(line("Seccomp:"), "2");
    }
    // Asked for this thread alone: the C library asks for all, and aborts as the harness's own may still do it.
    let as_root = rustix::thread::set_thread_uid(rustix::process::Uid::ROOT);
    assert_eq!(as_root.map_err(rustix::io::Errno::raw_os_error), Err(libc::EPERM), "setuid(0)");
    for (domain, kind) in [(socket2::Domain::IPV4, socket2::Type::RAW), (socket2::Domain::PACKET, socket2::Type::RAW)] {
        assert_eq!(errno(socket2::Socket::new(domain, kind, Some(1.into()))), Some(libc::EPERM), "{domain:?}");
    }
    if has(&now, "seccomp") {
        let netlink = socket2::Socket::new(socket2::Domain::from(libc::AF_NETLINK), socket2::Type::RAW, None);
        assert_eq!(errno(netlink), Some(libc::EPERM), "netlink");
        socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None).expect("TCP is needed");
        std::os::unix::net::UnixStream::pair().expect("the control socket is needed");
        let dumpable = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable);
        assert_eq!(dumpable.map_err(rustix::io::Errno::raw_os_error), Err(libc::EPERM));
        std::thread::spawn(|| ()).join().expect("threads still start");
    }
}

#[test]
fn a_worker_cannot_connect_bind_or_open_but_accepts_and_answers() {
    if alone::task().is_some() {
        return work_confined();
    }
    let folder = folders();
    let path = folder.path().to_str().expect("a path of the test");
    let test = "confinement::a_worker_cannot_connect_bind_or_open_but_accepts_and_answers";
    alone::must_pass(test, "worker", &[(FOLDER, path)]);
}

fn work_confined() {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let (tcp, udp) = (TcpListener::bind(loopback).expect("bound"), UdpSocket::bind(loopback).expect("bound"));
    let (folder, now) = confine_all();
    if !has(&now, "seccomp") {
        return;
    }
    let (tcp_address, udp_address) = (tcp.local_addr().expect("known"), udp.local_addr().expect("known"));
    let worker = std::thread::spawn(move || {
        confine::apply_worker().expect("the kernel has seccomp");
        assert_eq!(errno(TcpStream::connect(tcp_address)), Some(libc::EPERM));
        assert_eq!(errno(UdpSocket::bind(loopback)), Some(libc::EPERM));
        assert_eq!(errno(File::open(folder.join("read/file"))), Some(libc::EPERM));
        assert_eq!(errno(std::os::unix::net::UnixStream::pair()), Some(libc::EPERM));
        assert_eq!(errno(fs::remove_file(folder.join("write/file"))), Some(libc::EPERM));
        assert_eq!(errno(fs::create_dir(folder.join("write/folder"))), Some(libc::EPERM));
        assert_eq!(errno(fs::remove_dir(folder.join("write/empty"))), Some(libc::EPERM));
        let open = fs::Permissions::from_mode(0o777);
        assert_eq!(errno(fs::set_permissions(folder.join("write"), open)), Some(libc::EPERM), "chmod");
        let owner = std::os::unix::fs::chown(folder.join("write"), None, Some(0));
        assert_eq!(errno(owner), Some(libc::EPERM), "chown");
        let (length, source) = udp.recv_from(&mut [0; 16]).expect("receives");
        assert_eq!((length, udp.send_to(b"pong", source).expect("answers")), (4, 4));
        tcp.accept().expect("accepts");
        std::thread::spawn(|| ()).join().expect("threads still start");
    });
    let client = UdpSocket::bind(loopback).expect("the control plane may bind");
    client.set_read_timeout(Some(alone::PATIENCE)).expect("set");
    client.send_to(b"ping", udp_address).expect("sent");
    assert_eq!(client.recv(&mut [0; 16]).expect("answered"), 4);
    TcpStream::connect(tcp_address).expect("the control plane may connect");
    worker.join().expect("the worker saw all that");
}

#[test]
fn executing_or_tracing_ends_the_process() {
    if let Some(task) = alone::task() {
        return commit(&task);
    }
    let folder = folders();
    let path = folder.path().to_str().expect("a path of the test");
    for task in ["execve", "ptrace", "unshare", "clone"] {
        let output = alone::run("confinement::executing_or_tracing_ends_the_process", task, &[(FOLDER, path)]);
        let text = String::from_utf8_lossy(&output.stderr);
        if !text.contains("skipped: not in force: seccomp") {
            assert_eq!(output.status.signal(), Some(libc::SIGSYS), "{task}: {}\n{text}", output.status);
        }
    }
}

#[allow(unsafe_code)]
fn commit(task: &str) {
    let (_, now) = confine_all();
    if !has(&now, "seccomp") {
        return;
    }
    match task {
        "execve" => eprintln!("survived: {}", Command::new("/bin/true").exec()),
        // SAFETY: PTRACE_TRACEME takes no further argument and touches no memory.
        "ptrace" => eprintln!("survived: {}", unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) }),
        // SAFETY: a plain integer; no memory is touched.
        "unshare" => eprintln!("survived: {}", unsafe { libc::unshare(libc::CLONE_NEWUSER) }),
        // SAFETY: as fork: no stack is given, so the child, were there one, has a copy of ours and ends here.
        "clone" => match unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_NEWUSER | libc::SIGCHLD, 0, 0, 0, 0) } {
            0 => std::process::exit(0),
            child => eprintln!("survived: {child}"),
        },
        _ => eprintln!("no such task: {task}"),
    }
}

#[test]
fn a_user_that_cannot_be_become_is_an_error_that_says_what_to_do() {
    if alone::task().is_some() {
        for (user, word) in [("no-such-user", "create it"), ("root", "still become root"), ("0", "still become root")] {
            let text = confine::drop_privileges(user, &[]).expect_err("refused").to_string();
            assert!(text.contains(word) && text.contains(user), "{text}");
        }
        return;
    }
    let test = "confinement::a_user_that_cannot_be_become_is_an_error_that_says_what_to_do";
    alone::must_pass(test, "users", &[]);
}

#[test]
fn folders_that_are_missing_are_named_and_the_rest_is_in_force() {
    if alone::task().is_none() {
        let test = "confinement::folders_that_are_missing_are_named_and_the_rest_is_in_force";
        alone::must_pass(test, "missing", &[]);
        return;
    }
    let missing = PathBuf::from("/no/such/folder");
    let now = confine::apply_process(&Confinement { read_only: vec![missing], ..Confinement::default() });
    assert!(now.warnings.iter().any(|warning| warning.contains("/no/such/folder")), "{:?}", now.warnings);
    assert!(!has(&now, "Landlock") || File::open("/etc/passwd").is_err());
}
