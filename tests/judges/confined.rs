//! The whole server as another user, confined: each of its threads, while it answers, takes in files and ends.

use super::fixture;
use crate::live::wire::{A, Ask};
use crate::live::{World, poll_until};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};

/// An account that every Debian has.
const NOBODY: u32 = 65_534;

#[test]
fn every_thread_runs_as_the_configured_user_and_confined_while_files_are_taken_in() {
    assert!(fs::metadata("/proc/self/mem").is_ok() && is_root(), "only root can give root up: run the tests as root");
    let world = World::new();
    fixture::write(&world, "");
    let config = fixture::CONFIG.replacen("[server]", "[server]\nuser = \"nobody\"", 1);
    world.write("mxseal.toml", &config.replace("level = \"warn\"", "level = \"info\""));
    fs::set_permissions(world.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    fs::DirBuilder::new().mode(0o700).create(world.path("keys")).unwrap();
    chown(world.path("keys"), Some(NOBODY), Some(NOBODY)).unwrap();
    let mut server = world.serve("mx.example");
    let threads = statuses(server.pid());
    assert!(threads.len() > 4, "{threads:?}");
    for status in threads {
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
        assert_eq!(field("Uid:").split_whitespace().collect::<Vec<_>>(), ["65534"; 4]);
        assert_eq!(field("Groups:"), "");
        assert_eq!((field("CapEff:"), field("CapPrm:")), ("0".repeat(16), "0".repeat(16)));
        assert_eq!((field("NoNewPrivs:").as_str(), field("Seccomp:").as_str()), ("1", "2"));
    }
    world.write("zones/a-v1.mx.example/late.example.toml", "domain = \"late.example\"\naddresses = [\"192.0.2.77\"]\n");
    poll_until("an answer for the new tenant", || {
        Ask::of("late-example.a-v1.mx.example", A).send(world.at(0)).has(A).then_some(())
    });
    server.signal("HUP");
    server.poll_until("the end of the reload", || server_said(&world, "reloaded").then_some(()));
    server.signal("TERM");
    assert!(server.wait_end().contains("ended"));
}

#[test]
fn the_background_pass_gives_way_to_every_other_thread() {
    let world = World::new();
    fixture::write(&world, "");
    let mut server = world.serve("mx.example");
    // Field 19 of proc_pid_stat(5); the name in front of it may hold anything but its own closing bracket.
    let nice = |pass: bool| -> Vec<String> {
        let threads = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
        let stats = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("stat")).ok());
        let of_kind = stats.filter(|stat| stat.contains("(mxseal-warm)") == pass);
        of_kind.filter_map(|stat| Some(stat.rsplit_once(')')?.1.split_whitespace().nth(16)?.to_owned())).collect()
    };
    poll_until("the lowest priority", || (nice(true) == ["19"]).then_some(()));
    let own = rustix::process::getpriority_process(None).unwrap().to_string();
    assert!(nice(false).len() > 3 && nice(false).iter().all(|nice| *nice == own), "{:?}", nice(false));
    server.signal("TERM");
    server.wait_end();
}

fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").unwrap().lines().any(|line| line.starts_with("Uid:\t0\t0"))
}

fn server_said(world: &World, word: &str) -> bool {
    world.read("mxseal.log").contains(word)
}

/// What the kernel says of each thread of a process.
fn statuses(pid: u32) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("status")).ok()).collect()
}
