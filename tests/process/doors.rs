//! Who may ask over the control socket, and for what: with processes of other users and groups.

use super::fixture::{until_served, world};
use crate::live::{Running, World, has, mxseal};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::process::Output;

/// An account that every system has; the server becomes it.
const SERVER: &str = "nobody";
/// A group that every system has, and whose members may read here.
const READERS: &str = "users";
/// A user that no system has.
const CALLER: u32 = 4711;

/// A user and its groups.
struct Who {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
}

/// A server with a socket outside of `keys/`, and what is needed to ask it as somebody else; none: not as root.
struct Doors {
    world: World,
    server: Running,
    readers: u32,
}

fn number(file: &str, name: &str) -> u32 {
    let text = fs::read_to_string(file).expect("every system has it");
    let line = text.lines().find(|line| line.starts_with(&format!("{name}:"))).expect("every system has it");
    line.split(':').nth(2).expect("a number").parse().expect("a number")
}

/// A world whose socket lies in `run`, and that names the group.
fn world_with_doors() -> World {
    let world = world();
    let config = world.read("mxseal.toml");
    let server = format!("[server]\nsocket = \"run/control.sock\"\nsocket_group = \"{READERS}\"");
    world.write("mxseal.toml", &config.replacen("[server]", &server, 1));
    open(&world, "", 0o755);
    fs::create_dir(world.path("run")).expect("it can be made");
    open(&world, "run", 0o755);
    world
}

fn open(world: &World, path: &str, mode: u32) {
    fs::set_permissions(world.path(path), Permissions::from_mode(mode)).expect("it is ours");
}

impl Doors {
    fn opened() -> Option<Doors> {
        if fs::metadata("/proc/self").expect("it is there").uid() != 0 || !has("setpriv") {
            eprintln!("skipped: only root can run processes of other users, and it needs setpriv (util-linux)");
            return None;
        }
        let world = world_with_doors();
        let config = world.read("mxseal.toml").replacen("[server]", &format!("[server]\nuser = \"{SERVER}\""), 1);
        world.write("mxseal.toml", &config);
        let (uid, readers) = (number("/etc/passwd", SERVER), number("/etc/group", READERS));
        chown(world.path("run"), Some(uid), None).expect("root may");
        fs::create_dir(world.path("keys")).expect("it can be made");
        chown(world.path("keys"), Some(uid), None).expect("root may");
        open(&world, "keys", 0o700);
        // Where the program was built, others may not look.
        fs::create_dir(world.path("bin")).expect("it can be made");
        fs::copy(mxseal(), world.path("bin/mxseal")).expect("it can be copied");
        let mut server = world.start("mxseal", mxseal(), &["serve"]);
        until_served(&world, &mut server);
        Some(Doors { world, server, readers })
    }

    fn caller(&self, groups: &[u32]) -> Who {
        Who { uid: CALLER, gid: CALLER, groups: groups.to_vec() }
    }

    fn ask(&self, who: &Who, args: &[&str]) -> Output {
        let groups = match who.groups.is_empty() {
            true => "--clear-groups".to_owned(),
            false => {
                let groups: Vec<String> = who.groups.iter().map(ToString::to_string).collect();
                format!("--groups={}", groups.join(","))
            }
        };
        let (uid, gid) = (format!("--reuid={}", who.uid), format!("--regid={}", who.gid));
        let program = self.world.path("bin/mxseal").display().to_string();
        let all = [&[uid.as_str(), &gid, &groups, &program], args].concat();
        self.world.run("setpriv", &all)
    }

    /// The exit code and what was said to standard error.
    fn told(&self, who: &Who, args: &[&str]) -> (Option<i32>, String) {
        let ran = self.ask(who, args);
        (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
    }
}

#[test]
fn members_of_the_group_read_and_change_nothing_and_nobody_else_is_let_in() {
    let Some(doors) = Doors::opened() else { return };
    let found = fs::symlink_metadata(doors.world.path("run/control.sock")).expect("it is there");
    assert_eq!((found.mode() & 0o7777, found.gid()), (0o660, doors.readers));
    let member = doors.caller(&[7, doors.readers]);
    for read in [
        &["status"][..],
        &["zone", "list"],
        &["zone", "ds", "mail.test"],
        &["tenant", "list"],
        &["pool", "list"],
        &["keys", "status"],
        &["keys", "plan"],
        &["cert", "status"],
        &["explain", "mail.test", "SOA"],
        &["keys", "hold", "mail.test", "--reason", "r", "--dry-run"],
    ] {
        let (code, said) = doors.told(&member, read);
        assert!(!said.contains("refused") && code != Some(3) && code != Some(4), "{read:?}: {code:?} {said}");
    }
    assert_eq!(doors.told(&member, &["status"]).0, doors.told(&member, &["zone", "list"]).0);
    for change in [&["reload"][..], &["keys", "hold", "mail.test", "--reason", "r"], &["cert", "csr", "p"]] {
        let (code, said) = doors.told(&member, change);
        assert_eq!(code, Some(4), "{change:?}: {said}");
        let expected = format!("refused to user id {CALLER}");
        assert!(said.contains(&expected) && said.contains(&format!("the group `{READERS}` may only read")), "{said}");
    }
    assert!(doors.server.log().contains("refused: keys hold mail.test"), "{}", doors.server.log());
    // As its first group it counts as well.
    let first = Who { gid: doors.readers, ..doors.caller(&[]) };
    assert_eq!(doors.told(&first, &["zone", "list"]).0, Some(0));
    let (code, said) = doors.told(&doors.caller(&[7]), &["zone", "list"]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("you may not use it") && said.contains(&format!("the group `{READERS}` may read")), "{said}");
}

#[test]
fn the_servers_user_and_root_do_what_they_did() {
    let Some(doors) = Doors::opened() else { return };
    let uid = number("/etc/passwd", SERVER);
    let owner = Who { uid, gid: uid, groups: Vec::new() };
    for who in [&owner, &Who { uid: 0, gid: 0, groups: Vec::new() }] {
        assert_eq!(doors.told(who, &["reload"]), (Some(0), String::new()), "{}", who.uid);
        let (code, said) = doors.told(who, &["keys", "hold", "mail.test", "--reason", "r"]);
        assert_eq!(code, Some(0), "{said}");
    }
}

#[test]
fn a_socket_that_is_lost_is_made_anew_for_the_group_also_outside_of_the_folder_of_keys() {
    let Some(mut doors) = Doors::opened() else { return };
    let member = doors.caller(&[doors.readers]);
    let socket = doors.world.path("run/control.sock");
    fs::remove_file(&socket).expect("root may");
    let (world, readers) = (doors.world.path("run/control.sock"), doors.readers);
    doors.server.poll_until("the socket", || {
        let found = fs::symlink_metadata(&world).ok()?;
        (found.mode() & 0o7777 == 0o660 && found.gid() == readers).then_some(())
    });
    assert_eq!(doors.told(&member, &["zone", "list"]).0, Some(0));
}

#[test]
fn readers_do_not_take_the_places_of_those_who_change() {
    let Some(doors) = Doors::opened() else { return };
    // They open many connections and say nothing.
    let (socket, readers) = (doors.world.path("run/control.sock"), doors.readers);
    let held = std::thread::spawn(move || {
        become_reader(readers);
        (0..100).map(|_| UnixStream::connect(&socket).expect("members may")).collect::<Vec<_>>()
    });
    let held = held.join().expect("all are open");
    let root = Who { uid: 0, gid: 0, groups: Vec::new() };
    assert_eq!(doors.told(&root, &["zone", "list"]), (Some(0), String::new()));
    drop(held);
}

/// Makes the calling thread, and no other one, a process of a member of the group to the kernel.
fn become_reader(readers: u32) {
    use rustix::process::{Gid, Uid};
    let (uid, gid) = (Uid::from_raw(CALLER), Gid::from_raw(CALLER));
    rustix::thread::set_thread_groups(&[Gid::from_raw(readers)]).expect("root may");
    rustix::thread::set_thread_res_gid(gid, gid, gid).expect("root may");
    rustix::thread::set_thread_res_uid(uid, uid, uid).expect("root may");
}

fn checked(world: &World) -> String {
    let ran = world.run(mxseal(), &["check"]);
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

#[test]
fn check_says_where_the_group_cannot_reach_the_socket_or_where_others_could_replace_it() {
    let world = world_with_doors();
    let config = world.read("mxseal.toml");
    assert!(!checked(&world).contains("socket"), "{}", checked(&world));
    // A folder that its members may not enter.
    open(&world, "run", 0o700);
    let text = checked(&world);
    assert!(text.contains("MX1041") && text.contains("run (mode 0700)") && text.contains("mxseal.toml:5:"), "{text}");
    // One that others can change.
    open(&world, "run", 0o777);
    assert!(checked(&world).contains("run (mode 0777)"), "{}", checked(&world));
    open(&world, "run", 0o1777);
    assert!(checked(&world).contains("MX1039"), "{}", checked(&world));
    open(&world, "run", 0o755);
    // No folder, no group, and the folder of keys, which stays closed.
    world.write("mxseal.toml", &config.replace("run/control.sock", "gone/control.sock"));
    assert!(checked(&world).contains("MX1039") && checked(&world).contains("no such file"), "{}", checked(&world));
    world.write("mxseal.toml", &config.replace(READERS, "no-such-group"));
    assert!(checked(&world).contains("MX1040"), "{}", checked(&world));
    fs::create_dir(world.path("keys")).expect("it can be made");
    open(&world, "keys", 0o700);
    world.write("mxseal.toml", &config.replace("socket = \"run/control.sock\"\n", ""));
    let text = checked(&world);
    assert!(text.contains("MX1041") && text.contains("keys (mode 0700)") && text.contains("/run/mxseal"), "{text}");
    world.write("mxseal.toml", &config.replace("run/control.sock", "zones/control.sock"));
    assert!(checked(&world).contains("MX1015"), "{}", checked(&world));
}

#[test]
fn a_server_serves_though_its_group_or_the_folder_of_its_socket_is_not_there() {
    let world = world_with_doors();
    let config = world.read("mxseal.toml");
    world.write("mxseal.toml", &config.replace(READERS, "no-such-group"));
    let mut server = world.start("mxseal", mxseal(), &["serve"]);
    until_served(&world, &mut server);
    let said = world.run(mxseal(), &["status"]);
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(text.contains("MX6204") && text.contains("no-such-group"), "{text}");
    let found = fs::symlink_metadata(world.path("run/control.sock")).expect("it is there");
    assert_eq!(found.mode() & 0o7777, 0o600);
    server.kill();
    world.write("mxseal.toml", &config.replace("run/control.sock", "gone/control.sock"));
    let mut server = world.start("without", mxseal(), &["serve"]);
    until_served(&world, &mut server);
}

#[test]
fn a_command_finds_the_socket_by_a_configuration_that_is_wrong_elsewhere() {
    let world = world_with_doors();
    let config = world.read("mxseal.toml").replace(&format!("socket_group = \"{READERS}\"\n"), "");
    world.write("mxseal.toml", &config);
    let mut server = world.start("mxseal", mxseal(), &["serve"]);
    until_served(&world, &mut server);
    assert!(!world.path("keys/control.sock").exists());
    world.write("mxseal.toml", &format!("{config}[zone\nsigned = maybe\n"));
    let ran = world.run(mxseal(), &["zone", "list"]);
    assert!(String::from_utf8_lossy(&ran.stdout).contains("mail.test"), "{}", String::from_utf8_lossy(&ran.stderr));
}
