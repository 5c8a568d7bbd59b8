//! `check` that root runs, for a server that gives root up: it sees what the server's user sees.

use crate::live::{World, mxseal};
use std::os::unix::fs::{PermissionsExt, chown};

/// Ids of `nobody` on every system that these tests run on.
const NOBODY: u32 = 65_534;

const ZONE: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n";
const CONFIG: &str = "version = 1\n[server]\nlisten = [\"{ip}:5300\"]\nworkers = 1\n{user}[metrics]\nlisten = \"\"\n[probe]\nenabled = false\n[zone.\"mx.test\"]\nparents = [\"{ip}:5303\"]\n";

/// A world that has served as `nobody`: its keys are that user's. None: the test is not run by root, and shows nothing.
fn served(user: &str) -> Option<World> {
    let world = World::new();
    if chown(world.path("."), Some(NOBODY), Some(NOBODY)).is_err() {
        return None;
    }
    chown(world.path("."), Some(0), Some(0)).expect("it was root a moment ago");
    open(&world, ".", 0o755);
    world.write("mxseal.toml", &CONFIG.replace("{user}", "user = \"nobody\"\n"));
    world.write("zones/mx.test.zone", ZONE);
    std::fs::create_dir(world.path("keys")).expect("a folder");
    chown(world.path("keys"), Some(NOBODY), Some(NOBODY)).expect("root");
    open(&world, "keys", 0o700);
    drop(world.serve("mx.test"));
    world.write("mxseal.toml", &CONFIG.replace("{user}", user));
    Some(world)
}

fn open(world: &World, path: &str, mode: u32) {
    std::fs::set_permissions(world.path(path), std::fs::Permissions::from_mode(mode)).expect("root");
}

fn check(world: &World) -> (Option<i32>, String) {
    let ran = world.run(mxseal(), &["check"]);
    (ran.status.code(), String::from_utf8_lossy(&ran.stdout).into_owned())
}

#[test]
fn a_healthy_server_of_another_user_has_nothing_wrong() {
    for user in ["user = \"nobody\"\n", "user = \"65534\"\n", ""] {
        let Some(world) = served(user) else { return };
        let (code, said) = check(&world);
        assert_eq!(code, Some(0), "{user}: {said}");
        assert!(said.contains("nothing is wrong: 1 zone, 0 tenants, 0 pools"), "{user}: {said}");
    }
}

#[test]
fn what_the_servers_user_cannot_read_is_named_and_nothing_else_is() {
    let Some(world) = served("user = \"nobody\"\n") else { return };
    for (path, mode, found) in [
        ("zones/mx.test.zone", 0o600, "zones/mx.test.zone"),
        ("zones/mx.test.zone", 0o644, "nothing is wrong"),
        ("mxseal.toml", 0o600, "the server's user cannot read this file"),
    ] {
        open(&world, path, mode);
        let (_, said) = check(&world);
        assert!(said.contains(found), "{path} {mode:o}: {said}");
        assert!(!said.contains("chown 0") && !said.contains("MX5007"), "{said}");
    }
}

#[test]
fn keys_of_another_user_are_an_error_that_does_not_say_whose_they_must_be() {
    let Some(world) = served("user = \"nobody\"\n") else { return };
    chown(world.path("keys/mx.test"), Some(1), Some(1)).expect("root");
    let (code, said) = check(&world);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("keys/mx.test"), "{said}");
}

#[test]
fn a_folder_of_keys_that_the_servers_user_cannot_write_is_foreseen() {
    let Some(world) = served("user = \"nobody\"\n") else { return };
    chown(world.path("keys"), Some(0), Some(0)).expect("root");
    let (code, said) = check(&world);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("MX1032") && said.contains("Permission denied"), "{said}");
    // And so it is: the server does not start.
    assert_ne!(world.start("again", mxseal(), &["serve"]).poll_code(), Some(0));
}

#[test]
fn pools_that_cannot_be_read_are_one_cause_for_all_their_tenants() {
    let Some(world) = served("user = \"nobody\"\n") else { return };
    let pools = "[p]\naddresses = [\"192.0.2.25\"]\n[q]\naddresses = [\"192.0.2.26\"]\n";
    world.write("zones/pools.toml", pools);
    open(&world, "zones/pools.toml", 0o600);
    let tenants = [("a", "p"), ("b", "p"), ("c", "q")];
    let lines = tenants.map(|(name, pool)| format!("{{\"domain\":\"{name}.example\",\"pool\":\"{pool}\"}}\n"));
    world.write("zones/mx.test/bulk.ndjson", &lines.concat());
    let (code, said) = check(&world);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!((said.matches("error[MX6001]").count(), said.matches("error[").count()), (1, 2), "{said}");
    assert!(said.contains("3 tenants are not served as written, since 2 pools cannot be used"), "{said}");
    assert!(said.find("MX6001") < said.find("MX3205"), "the cause comes first: {said}");
}
