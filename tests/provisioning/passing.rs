//! What is missing or refused for a while: the server serves without it, says so, and has it back by itself.
//!
//! The tests need root: for a namespace of their own, or for a server that is another user.

use crate::mounts::{apart, inside};
use crate::server::*;
use std::fs::{self, Permissions};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
}

fn has(server: &Server, code: &str) -> bool {
    server.codes().iter().any(|found| found == code)
}

/// Waits until `status` tells of this code, or no more.
#[track_caller]
fn told(server: &Server, code: &str, is_there: bool) {
    server.until(&format!("{code}: {is_there}"), |server| {
        server.run(&["status"]).code != Some(3) && has(server, code) == is_there
    });
}

/// What a program says in the network of the server.
fn beside(server: &Server, words: &[&str]) -> String {
    let mut command = Command::new("nsenter");
    command.args(["--target", &server.pid().to_string(), "--net", "--"]).args(words);
    String::from_utf8_lossy(&command.output().expect("nsenter runs").stdout).into_owned()
}

// ---- addresses ----

#[test]
fn an_address_that_comes_later_is_told_and_answered_at_once_it_is_there() {
    const LATE: [&str; 2] = ["192.0.2.53", "2001:db8::53"];
    let mut server = Server::prepared();
    let script = "ip link set lo up && exec \"$@\"";
    server.wrapper = ["unshare", "--net", "sh", "-ec", script, "sh"].map(str::to_owned).to_vec();
    let (port, metrics) = (server.port, server.metrics_port);
    server.write(
        "mxseal.toml",
        format!(
            "version = 1\n[server]\nlisten = [\"127.0.0.1:{port}\", \"{0}:{port}\", \"[{1}]:{port}\"]\nworkers = 2\n\
             [encrypted]\ndot = [\"{0}:5853\"]\ndoq = [\"{0}:5853\"]\n[metrics]\nlisten = \"{0}:{metrics}\"\n",
            LATE[0], LATE[1]
        ),
    );
    // A warning is no error, so this starts.
    server.spawn(&["--strict"]);
    told(&server, "MX6201", true);
    let status = server.run(&["status"]);
    assert_eq!(status.code, Some(0), "{}", status.out);
    for setting in ["([server] listen)", "([encrypted] dot)", "([encrypted] doq)", "([metrics] listen)"] {
        assert!(status.out.contains(setting), "{setting}: {}", status.out);
    }
    let port = port.to_string();
    let ask = |address: &str, more: &[&str]| {
        let at = format!("@{address}");
        let words = ["kdig", &at, "+short", "+time=2", "+retry=0", "x-example.a.mx.example", "A"];
        beside(&server, &[&words[..], more].concat()).trim().to_owned()
    };
    assert_eq!(ask("127.0.0.1", &["-p", &port]), "192.0.2.25", "it serves at the address that is there");
    for (late, width) in LATE.into_iter().zip(["32", "128"]) {
        beside(&server, &["ip", "address", "add", &format!("{late}/{width}"), "dev", "lo"]);
        // A client takes an answer from no other address than the one that it asked.
        server.until("an answer over UDP", |_| ask(late, &["-p", &port]) == "192.0.2.25");
        server.until("an answer over TCP", |_| ask(late, &["-p", &port, "+tcp"]) == "192.0.2.25");
    }
    server.until("an answer over TLS", |_| ask(LATE[0], &["-p", "5853", "+tls"]) == "192.0.2.25");
    server.until("an answer over QUIC", |_| ask(LATE[0], &["-p", "5853", "+quic"]) == "192.0.2.25");
    let get = format!(
        "exec 3<>/dev/tcp/{}/{metrics}; printf 'GET /livez HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' >&3; head -1 <&3",
        LATE[0]
    );
    assert!(beside(&server, &["bash", "-c", &get]).contains("200"), "metrics are there, too");
    told(&server, "MX6201", false);
    beside(&server, &["ip", "address", "del", "192.0.2.53/32", "dev", "lo"]);
    told(&server, "MX6201", true);
}

// ---- the control socket ----

/// What became of the socket, in words and in deed.
type Spoiler = (&'static str, fn(&Path));

#[test]
fn the_control_socket_comes_back_whatever_became_of_it() {
    let mut server = Server::started();
    let socket = server.path("keys/control.sock");
    let spoilers: [Spoiler; 4] = [
        ("removed", |_| {}),
        ("replaced by a file", |socket| fs::write(socket, "a file").expect("written")),
        ("replaced by a socket that nobody serves", |socket| drop(UnixListener::bind(socket).expect("bound"))),
        ("its folder made anew", |socket| {
            let keys = socket.parent().expect("its folder");
            fs::remove_dir_all(keys).expect("removed");
            fs::create_dir(keys).expect("made anew");
            mode(keys, 0o700);
        }),
    ];
    for (what, spoil) in spoilers {
        server.signal("STOP");
        fs::remove_file(&socket).expect("removed");
        spoil(&socket);
        let lost = server.run(&["status"]);
        if !what.contains("folder") {
            let pid = server.pid();
            assert!(lost.err.contains(&format!("the server runs (process {pid})")), "{what}: {}", lost.err);
            assert!(lost.err.contains("anew within seconds"), "{what}: {}", lost.err);
        }
        lost.ends(3);
        server.signal("CONT");
        server.until(what, |server| server.run(&["tenant", "list"]).code == Some(0));
        assert_eq!(fs::metadata(&socket).expect("it is there").permissions().mode() & 0o777, 0o600, "{what}");
    }
    mode(&socket, 0o666);
    server.until("closed to others again", |_| {
        fs::metadata(&socket).is_ok_and(|found| found.permissions().mode() & 0o777 == 0o600)
    });
    server.kill();
    let dead = server.run(&["status"]).ends(3);
    dead.says("no server listens");
    fs::remove_file(&socket).expect("removed");
    server.run(&["status"]).ends(3).says("no server uses this configuration");
}

#[test]
fn a_control_socket_of_another_process_stays_that_ones_and_is_told() {
    let server = Server::started();
    let socket = server.path("keys/control.sock");
    fs::remove_file(&socket).expect("removed");
    let other = UnixListener::bind(&socket);
    // The server may have been faster.
    if let Ok(other) = other {
        server.until("it is told", |server| server.log().contains("another process listens there"));
        drop(other);
    }
    server.until("it is back", |server| server.run(&["tenant", "list"]).code == Some(0));
}

// ---- descriptors ----

#[test]
fn a_crowd_of_connections_leaves_descriptors_for_files_and_commands() {
    let mut server = Server::prepared();
    server.wrapper = ["sh", "-c", "ulimit -n 96; exec \"$@\"", "sh"].map(str::to_owned).to_vec();
    server.start();
    server.eventually("x-example", EU);
    let status = server.run(&["status"]);
    assert_eq!(status.code, Some(0), "{}", status.out);
    for part in ["MX6203", "may open 96 file descriptors", "of 800 connections over TCP", "LimitNOFILE=1024"] {
        assert!(status.out.contains(part), "{part}: {}", status.out);
    }
    let at = ("127.0.0.1", server.port).to_socket_addrs().expect("an address").next().expect("one");
    let crowd: Vec<TcpStream> =
        (0..200).filter_map(|_| TcpStream::connect_timeout(&at, std::time::Duration::from_secs(5)).ok()).collect();
    assert!(crowd.len() > 64, "{}", crowd.len());
    server.after("late");
    server.run(&["status"]).ends(0);
    assert!(!has(&server, "MX6022") && !has(&server, "MX6001"));
    drop(crowd);
    server.stop();
    server.wrapper = ["sh", "-c", "ulimit -S -n 64; exec \"$@\"", "sh"].map(str::to_owned).to_vec();
    server.start();
    assert!(!has(&server, "MX6203"), "the soft limit is raised");
}

// ---- folders and files that are closed ----

/// A server that becomes a user to whom what root closes is closed.
fn as_nobody() -> Server {
    let server = Server::prepared();
    let config = fs::read_to_string(server.path("mxseal.toml")).expect("read");
    server.write("mxseal.toml", config.replace("workers = 1", "workers = 1\nuser = \"nobody\""));
    mode(&server.path(""), 0o755);
    fs::create_dir(server.path("keys")).expect("made");
    mode(&server.path("keys"), 0o700);
    chown(server.path("keys"), Some(65_534), None).expect("given away");
    server
}

#[test]
fn last_good_content_that_cannot_be_read_at_a_start_is_kept_until_it_can() {
    let mut server = as_nobody();
    server.start();
    server.eventually("x-example", EU);
    server.write("zones/a.mx.example.zone", "broken\n");
    server.until("it is broken", |server| server.run(&["status"]).code == Some(1));
    server.stop();
    let kept = server.path("keys/a.mx.example/last-good.zone");
    chown(&kept, Some(0), None).expect("taken away");
    server.start();
    server.until("it is told", |server| has(server, "MX5016"));
    assert_ne!(server.address("x-example"), EU);
    chown(&kept, Some(65_534), None).expect("given back");
    server.eventually("x-example", EU);
    server.until("it is over", |server| !has(server, "MX5016"));
}

#[test]
fn a_folder_that_opens_later_is_watched_from_then_on() {
    let mut server = as_nobody();
    server.start();
    server.eventually("x-example", EU);
    for (name, inner) in [("late", "late"), ("deep", "deep/er")] {
        let (folder, inner) = (server.path(&at(name)), server.path(&at(inner)));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&inner).expect("made");
        server.until("it is told", |server| has(server, "MX6023"));
        assert_eq!(server.run(&["status"]).code, Some(1));
        for folder in [&folder, &inner] {
            mode(folder, 0o755);
        }
        told(&server, "MX6023", false);
        // Only an event tells of this within the test's time: a full scan comes each five minutes.
        fs::write(inner.join("1.toml"), toml(&format!("{name}.example"), "us")).expect("written");
        server.eventually(&format!("{name}-example"), US);
        fs::remove_file(inner.join("1.toml")).expect("removed");
        server.eventually(&format!("{name}-example"), GONE);
    }
    assert!(server.codes().is_empty(), "{:?}", server.codes());
}

// ---- keys/ ----

/// What `status` says in the mounts of the server; empty where it cannot be asked.
fn status_inside(server: &Server) -> String {
    let mut command = Command::new("nsenter");
    command.args(["--target", &server.pid().to_string(), "--mount", "--", env!("CARGO_BIN_EXE_mxseal"), "--config"]);
    let output = command.arg(server.path("mxseal.toml")).arg("status").output().expect("nsenter runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn well(server: &Server) {
    server.until("all is well", |server| {
        let status = status_inside(server);
        !status.is_empty() && !status.contains("error[")
    });
}

#[test]
fn a_first_start_and_a_new_zone_on_a_full_disk_go_on_by_themselves_once_there_is_room() {
    let mut server = apart("mkdir -p keys && mount -t tmpfs -o size=64k,nr_inodes=2,mode=700 none keys");
    server.start();
    assert_eq!(server.address("x-example"), "SERVFAIL");
    assert!(server.log().contains("MX6202"), "without an inode there is no socket\n{}", server.log());
    inside(&server, "mount -o remount,size=8m,nr_inodes=1000 keys");
    server.eventually("x-example", EU);
    well(&server);

    inside(&server, "head -c 9m /dev/zero > keys/filler || true");
    server.write("zones/b.mx.example.zone", MASTER);
    server.until("it is told", |server| status_inside(server).contains("MX5001"));
    assert_eq!(server.ask("www.b.mx.example", "A"), "SERVFAIL");
    inside(&server, "rm keys/filler");
    server.until("the new zone", |server| server.ask("www.b.mx.example", "A").contains("192.0.2.80"));
    well(&server);
}

#[test]
fn keys_on_a_disk_that_was_read_only_or_covered_are_tried_again_once_that_is_mended() {
    let mut server = apart("mkdir -p keys over && mount -t tmpfs -o ro,size=8m,mode=700 none keys");
    server.start();
    assert_eq!(server.address("x-example"), "SERVFAIL");
    inside(&server, "mount -o remount,rw keys");
    server.eventually("x-example", EU);
    well(&server);
    // Another folder lies in its place for a while.
    inside(&server, "mount --bind over keys");
    server.write("zones/c.mx.example.zone", MASTER);
    server.until("not served", |server| server.ask("www.c.mx.example", "A") == "SERVFAIL");
    inside(&server, "umount keys");
    server.until("its own folder", |server| server.ask("www.c.mx.example", "A").contains("192.0.2.80"));
    well(&server);
}

#[test]
fn rights_of_a_key_that_are_mended_end_the_silence_of_its_zone() {
    let mut server = Server::started();
    server.stop();
    let folder = server.path("keys/a.mx.example");
    mode(&folder, 0o755);
    server.start();
    server.until("it is told", |server| has(server, "MX5007"));
    assert_eq!(server.address("x-example"), "SERVFAIL");
    mode(&folder, 0o700);
    server.eventually("x-example", EU);
    server.until("it is over", |server| server.codes().is_empty());
}
