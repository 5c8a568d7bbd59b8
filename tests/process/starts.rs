//! The first moments of a server: commands that come too early, and a folder of keys that is still to be made.

use super::fixture::{until_served, world};
use crate::live::{Running, World, mxseal};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

/// An account that every system has.
const USER: &str = "nobody";

#[test]
fn a_command_that_comes_with_the_start_waits_for_the_server() {
    let world = world();
    for _ in 0..3 {
        let mut server = world.start("mxseal", mxseal(), &["serve"]);
        let ran = world.run(mxseal(), &["status"]);
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        // On a machine that is busy for seconds the server may still be starting; then that is what is said.
        assert!(ran.status.code() != Some(3) || said.contains("it is starting"), "{said}");
        until_served(&world, &mut server);
        // The socket that is left behind is no sign of a server.
        server.kill();
    }
    let ran = world.run(mxseal(), &["status"]);
    assert_eq!(ran.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("it has ended or crashed"));
}

#[test]
fn a_server_that_never_gets_to_its_socket_is_named() {
    let world = world();
    // Opening a pipe for reading waits until somebody writes.
    assert!(world.run("mkfifo", &["tls.pem"]).status.success());
    let config = world.read("mxseal.toml");
    world.write(
        "mxseal.toml",
        &format!("{config}[encrypted]\ndot = [\"{{ip}}:5302\"]\ncertificate = \"tls.pem\"\nkey = \"tls.pem\"\n"),
    );
    let server = world.start("mxseal", mxseal(), &["serve"]);
    let ran = world.run(mxseal(), &["status"]);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("the server (process {}) has no control socket", server.pid())), "{said}");
}

/// A world that the user may enter, and that names it; none: the test does not run as root.
fn world_of_another_user() -> Option<World> {
    let world = world();
    if fs::metadata("/proc/self").expect("it is there").uid() != 0 {
        eprintln!("skipped: only root can start a server that becomes another user");
        return None;
    }
    let config =
        world.read("mxseal.toml").replacen("[server]", &format!("keys = \"own/keys\"\n[server]\nuser = \"{USER}\""), 1);
    world.write("mxseal.toml", &config);
    open(&world, "", 0o755);
    Some(world)
}

fn open(world: &World, path: &str, mode: u32) {
    fs::set_permissions(world.path(path), Permissions::from_mode(mode)).expect("it is ours");
}

fn refused(mut server: Running, why: &str) {
    assert_eq!(server.poll_code(), Some(1));
    assert!(server.log().contains(why), "{}", server.log());
}

#[test]
fn root_makes_the_missing_folder_of_keys_for_the_user_that_it_becomes() {
    let Some(world) = world_of_another_user() else { return };
    let mut server = world.start("mxseal", mxseal(), &["serve"]);
    until_served(&world, &mut server);
    let found = fs::metadata(world.path("own/keys")).expect("it is made");
    let nobody = fs::metadata(format!("/proc/{}", server.pid())).map(|process| process.uid());
    assert_eq!(found.mode() & 0o7777, 0o700);
    assert!(found.uid() != 0, "it belongs to the user");
    assert!(nobody.is_ok(), "it runs");
    assert_eq!(fs::metadata(world.path("own")).expect("it is made").uid(), 0, "the way to it stays root's");
}

#[test]
fn root_makes_no_folder_of_keys_where_somebody_else_could_put_another_thing() {
    let Some(world) = world_of_another_user() else { return };
    fs::create_dir(world.path("own")).expect("it can be made");
    open(&world, "own", 0o777);
    refused(world.start("open", mxseal(), &["serve"]), "others can change");
    open(&world, "own", 0o755);
    chown(world.path("own"), Some(4711), None).expect("root may");
    let server = world.start("foreign", mxseal(), &["serve"]);
    refused(server, "belongs to user 4711; make it by hand: `install -d -m 0700 -o nobody ");
    assert!(!world.path("own/keys").exists());
    chown(world.path("own"), Some(0), None).expect("root may");
    until_served(&world, &mut world.start("mxseal", mxseal(), &["serve"]));
}
