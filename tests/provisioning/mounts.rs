//! The cases that a watcher must survive (operators.md § 7), part three: mounts, full disks and limits of the system.
//!
//! They need root, and a namespace of their own, which is made for each; without it they fail.

use crate::server::*;
use std::process::Command;

/// A server in a mount namespace of its own, not started yet. `setup` is shell run in it first, in the test's folder.
pub fn apart(setup: &str) -> Server {
    let mut server = Server::prepared();
    let script = format!("mount --make-rprivate / && {setup} && exec \"$@\"");
    server.wrapper = ["unshare", "--mount", "sh", "-ec", &script, "sh"].map(str::to_owned).to_vec();
    server
}

/// Runs shell in the namespace of the running server, in the test's folder.
#[track_caller]
pub fn inside(server: &Server, script: &str) {
    let mut command = Command::new("nsenter");
    command.args(["--target", &server.pid().to_string(), "--mount", "sh", "-ec"]);
    let output = command.arg(format!("cd '{}' && {script}", server.path("").display())).output().expect("nsenter runs");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn case_12_a_mount_over_a_file_is_found_though_it_makes_no_event() {
    let mut server = apart("true");
    server.start();
    server.write("stage/other.toml", toml("x.example", "us"));
    inside(&server, "mount --bind stage/other.toml zones/a.mx.example/x.toml");
    server.eventually("x-example", US);
    // Any scan may have found it before the mount was noticed as one. Changes through its other name make no event either, so
    // they are found only once it was.
    for (pool, answer) in [("eu", EU), ("us", US)] {
        server.write("stage/other.toml", toml("x.example", pool));
        server.eventually("x-example", answer);
    }
    inside(&server, "umount zones/a.mx.example/x.toml");
    server.eventually("x-example", EU);
}

#[test]
fn case_14_a_volume_that_comes_late_is_read_and_one_that_goes_deletes_nothing() {
    let mut server = apart("mkdir -p volume && mount -t tmpfs none volume && mv zones/a.mx.example/* volume/");
    server.start();
    assert_eq!(server.address("x-example"), GONE);
    inside(&server, "mount --bind volume zones/a.mx.example");
    server.eventually("x-example", EU);
    inside(&server, "umount zones/a.mx.example");
    server.until("an alarm", |server| !server.codes().is_empty());
    assert_eq!(server.address("x-example"), EU);
    server.run(&["status"]).ends(1);
    inside(&server, "mount --bind volume zones/a.mx.example");
    server.until("all is well", |server| server.codes().is_empty());
    assert_eq!(server.address("x-example"), EU);
}

#[test]
fn case_14_a_volume_that_comes_and_goes_between_two_looks_is_missed_all_the_same() {
    let mut server = apart("mkdir -p volume && mount -t tmpfs none volume && mv zones/a.mx.example/* volume/");
    server.start();
    // The command finds its content; before the list of mounts is looked at again, it is the old list.
    inside(&server, "mount --bind volume zones/a.mx.example");
    server.run(&["reload"]).ends(0);
    inside(&server, "umount zones/a.mx.example");
    server.until("an alarm", |server| !server.codes().is_empty());
    assert_eq!(server.address("x-example"), EU);
}

#[test]
fn case_14_a_whole_folder_that_is_mounted_late_gets_its_last_good_content_back() {
    let mut server = apart("true");
    server.start();
    server.place(&at("x.toml"), "broken");
    server.shows_last_good("x.example", "x.toml:1");
    server.kill();
    server.wrapper = apart("mv zones volume && mkdir zones").wrapper.clone();
    server.start();
    assert_eq!(server.address("x-example"), "REFUSED");
    inside(&server, "mount --bind volume zones");
    server.eventually("x-example", EU);
    server.shows_last_good("x.example", "x.toml:1");
}

#[test]
fn case_15_changes_on_a_file_system_without_events_are_found_by_scanning() {
    let setup = "mkdir lower && mv zones/* lower/ && mount -t tmpfs none zones && mkdir zones/l zones/u zones/w && \
                 mv lower/* zones/l/ && mkdir merged && mount -t overlay none -o lowerdir=zones/l,upperdir=zones/u,workdir=zones/w merged";
    let mut server = apart(setup);
    let text = std::fs::read_to_string(server.path("mxseal.toml")).expect("read");
    server.write("mxseal.toml", format!("zones = \"merged\"\n{text}"));
    server.start();
    assert_eq!(server.address("x-example"), EU);
    // Below the overlay, as another machine would do it.
    inside(&server, "printf 'domain = \"x.example\"\\npool = \"us\"\\n' > zones/l/a.mx.example/x.toml");
    server.eventually("x-example", US);
}

#[test]
fn case_17_without_watches_changes_are_found_by_scanning_and_the_sysctl_is_named() {
    let mut server = Server::prepared();
    for i in 0..20 {
        server.write(&at(&format!("f{i}/t.toml")), toml(&format!("f{i}.example"), "eu"));
    }
    let script = "echo 5 > /proc/sys/user/max_inotify_watches && exec \"$@\"";
    server.wrapper = ["unshare", "--user", "--map-root-user", "sh", "-ec", script, "sh"].map(str::to_owned).to_vec();
    server.start();
    server.until("it is reported", |server| server.codes().contains(&"MX6017".to_owned()));
    let status = server.run(&["status"]).ends(1);
    assert!(status.out.contains("max_user_watches"), "{}", status.out);
    for i in 0..20 {
        server.place(&at(&format!("f{i}/t.toml")), toml(&format!("f{i}.example"), "us"));
    }
    for i in 0..20 {
        server.eventually(&format!("f{i}-example"), US);
    }
}

#[test]
fn case_25_a_full_disk_stops_no_answer_and_is_made_good_when_there_is_room() {
    let mut server = apart("mkdir -p -m 700 keys && mount -t tmpfs -o size=400k,mode=700 none keys");
    server.start();
    for i in 0..5 {
        server.place(&at(&format!("y{i}.toml")), toml(&format!("y{i}.example"), "eu"));
        server.eventually(&format!("y{i}-example"), EU);
    }
    inside(&server, "dd if=/dev/zero of=keys/ballast bs=1k count=1000 2>/dev/null || true");
    server.place(&at("y0.toml"), "broken");
    server.until("the disk is reported", |server| inside_codes(server).contains(&"MX5016".to_owned()));
    assert_eq!(server.address("y0-example"), EU);
    server.place(&at("z.toml"), toml("z.example", "us"));
    server.eventually("z-example", US);
    // A tenant that changes pools must not forget its way at a restart: it stays until that can be kept.
    server.place(&at("y1.toml"), toml("y1.example", "us"));
    server.place(&at("z2.toml"), toml("z2.example", "us"));
    server.eventually("z2-example", US);
    assert_eq!(server.address("y1-example"), EU);
    inside(&server, "rm keys/ballast");
    server.eventually("y1-example", US);
    server.until("it is kept", |server| !inside_codes(server).contains(&"MX5016".to_owned()));
    inside(&server, "grep -q y0.example keys/a.mx.example/last-good.ndjson");
}

/// Codes of all findings, asked from inside: the control socket is on the mount.
fn inside_codes(server: &Server) -> Vec<String> {
    let mut command = Command::new("nsenter");
    command.args(["--target", &server.pid().to_string(), "--mount", env!("CARGO_BIN_EXE_mxseal"), "--config"]);
    let output = command.arg(server.path("mxseal.toml")).args(["-o", "json", "status"]).output().expect("nsenter runs");
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let findings = status["findings"].as_array().cloned().unwrap_or_default();
    findings.iter().map(|finding| finding["code"].as_str().unwrap_or_default().to_owned()).collect()
}
