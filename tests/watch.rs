//! The cases that a watcher of files must survive, on real folders; those about events with the real watcher.

#[path = "watch/world.rs"]
mod world;

use mxseal::feed::Files;
use mxseal::feed::settle::{Hint, Moment};
use mxseal::time::Now;
use mxseal::world::trouble::Reason;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use world::{Live, QUIET, World, X, events_only, inside, inside_by, mode, run};

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[test]
fn case_01_a_file_renamed_over_the_name_acts_at_once() {
    let mut world = World::with_zone();
    world.place(X, "two");
    world.look(&[(X, Hint::Placed)]);
    assert_eq!(world.text(X).as_deref(), Some("two"));

    let mut live = Live::with_zone();
    live.world.place(X, "three");
    live.until_text(X, "three");
    assert!(live.world.removed.is_empty());
}

#[test]
fn case_01_a_renamed_file_is_delivered_without_waiting_for_quiet() {
    let mut live = Live::with_zone();
    live.world.stop_clocks();
    let mut by_event = 0;
    for round in 0..100 {
        let (text, scans) = (format!("round {round}"), live.watcher.counts().full_scans);
        live.world.place(X, &text);
        let came = |live: &Live| live.world.text(X).as_ref() == Some(&text);
        // A scan takes the event's place, and then waits as it must.
        live.until("the new content, or a scan", |live| came(live) || live.watcher.counts().full_scans > scans);
        by_event += usize::from(came(&live));
    }
    assert!(by_event > 50, "{by_event} of 100");
}

#[test]
fn case_02_a_file_renamed_in_from_another_folder_is_found() {
    let mut live = Live::with_zone();
    let outside = live.world.root.parent().expect("a parent").join("staged");
    fs::write(&outside, "from outside").expect("written");
    fs::rename(&outside, live.world.path("a.example/y.toml")).expect("renamed");
    live.until_text("a.example/y.toml", "from outside");
}

#[test]
fn case_03_an_unfinished_write_is_not_believed_until_it_is_closed_or_quiet() {
    use std::io::Write;
    let mut world = World::with_zone();
    let mut file = fs::File::create(world.path(X)).expect("truncated");
    assert!(world.look(&[(X, Hint::Touched)]).again_at.is_some(), "it asks to be called again");
    file.write_all(b"half").expect("written");
    world.look(&[(X, Hint::Written)]);
    for _ in 0..20 {
        world.pass(QUIET);
        world.look(&[]);
    }
    assert_eq!(world.text(X).as_deref(), Some("one"), "however long the pause is");
    file.write_all(b" and half").expect("written");
    drop(file);
    world.look(&[(X, Hint::Closed)]);
    assert_eq!(world.text(X).as_deref(), Some("half and half"));

    let mut live = Live::with_zone();
    fs::write(live.world.path(X), "written in place").expect("written");
    live.until_text(X, "written in place");
}

#[test]
fn case_04_a_file_that_its_writer_left_half_written_is_delivered_once_when_quiet_and_again_when_whole() {
    use std::io::Write;
    let mut world = World::with_zone();
    let before = world.deliveries;
    let mut file = fs::File::create(world.path(X)).expect("truncated");
    file.write_all(b"par").expect("written");
    world.look(&[(X, Hint::Touched)]);
    assert_eq!(world.text(X).as_deref(), Some("one"));
    drop(file);
    for _ in 0..20 {
        world.pass(QUIET);
        world.look(&[]);
    }
    assert_eq!((world.text(X).as_deref(), world.deliveries), (Some("par"), before + 1));
    let mut file = fs::OpenOptions::new().append(true).open(world.path(X)).expect("opened");
    file.write_all(b"tial no more").expect("written");
    drop(file);
    world.look(&[(X, Hint::Closed)]);
    assert_eq!((world.text(X).as_deref(), world.deliveries), (Some("partial no more"), before + 2));
}

#[test]
fn a_file_that_is_open_for_writing_is_not_read_and_said_after_a_minute_until_it_is_closed() {
    use std::io::Write;
    let mut world = World::with_zone();
    let mut file = fs::File::create(world.path("a.example.zone")).expect("truncated");
    file.write_all(b"half of a zone\n").expect("written");
    // No event was heard: the kernel is asked.
    world.scan();
    for _ in 0..300 {
        world.pass(QUIET);
        world.look(&[]);
    }
    assert_eq!(world.text("a.example.zone").as_deref(), Some("zone"));
    assert_eq!(world.trouble("a.example.zone"), Some("MX6020"));
    assert!(!world.files.is_waiting(), "nobody who reloads waits for it");
    file.write_all(b"the other half\n").expect("written");
    drop(file);
    world.pass(QUIET);
    world.look(&[]);
    world.pass(QUIET);
    world.look(&[]);
    assert_eq!(world.text("a.example.zone").as_deref(), Some("half of a zone\nthe other half\n"));
    assert_eq!(world.trouble("a.example.zone"), None);
}

#[test]
fn a_file_that_is_open_for_writing_at_a_start_is_not_read_and_said_at_once() {
    let world = World::with_zone();
    let file = fs::OpenOptions::new().append(true).open(world.path("a.example.zone")).expect("opened");
    let mut files = Files::new(&world.root);
    let read = files.scan(world.now().after(Duration::from_secs(3600)));
    assert!(read.changed.iter().all(|file| !file.path.ends_with("a.example.zone")), "{read:?}");
    let told: Vec<_> = files.tell_held().into_iter().map(|trouble| trouble.reason).collect();
    assert_eq!(told, [Reason::HeldOpen]);
    drop(file);
    let read = files.look(&BTreeMap::new(), world.now().after(Duration::from_secs(3601)));
    assert_eq!((read.changed.len(), read.healed.len()), (1, 1), "{read:?}");
}

#[test]
fn lines_that_are_added_are_read_while_their_file_is_open_and_a_rewritten_file_is_not() {
    use std::io::{Seek, Write};
    let mut world = World::with_zone();
    let path = "a.example/bulk.ndjson";
    let mut file = fs::File::create(world.path(path)).expect("made");
    for line in ["{1}\n", "{1}\n{2}\n", "{1}\n{2}\n{3}\n"] {
        file.write_all(&line.as_bytes()[line.len() - 4..]).expect("added");
        world.look(&[(path, Hint::Written)]);
        world.pass(QUIET);
        world.look(&[]);
        world.pass(QUIET);
        world.look(&[]);
        assert_eq!(world.text(path).as_deref(), Some(line));
    }
    file.set_len(0).expect("truncated");
    file.rewind().expect("at its start");
    file.write_all(b"{1}\n{3}\n").expect("written");
    world.look(&[(path, Hint::Written)]);
    for _ in 0..300 {
        world.pass(QUIET);
        world.look(&[]);
    }
    assert_eq!(world.text(path).as_deref(), Some("{1}\n{2}\n{3}\n"), "what is not there may only not be written yet");
    assert_eq!(world.trouble(path), Some("MX6020"));
    drop(file);
    world.look(&[(path, Hint::Closed)]);
    world.pass(QUIET);
    world.look(&[]);
    assert_eq!((world.text(path).as_deref(), world.trouble(path)), (Some("{1}\n{3}\n"), None));
}

#[test]
fn case_05_each_append_that_is_closed_is_delivered() {
    use std::io::Write;
    let mut live = Live::with_zone();
    let path = "a.example/bulk.ndjson";
    let mut whole = String::new();
    for line in 0..20 {
        whole.push_str(&format!("{{\"n\":{line}}}\n"));
        let mut file = fs::OpenOptions::new().append(true).create(true).open(live.world.path(path)).expect("opened");
        file.write_all(format!("{{\"n\":{line}}}\n").as_bytes()).expect("appended");
        drop(file);
        live.until_text(path, &whole);
    }
}

#[test]
fn case_06_editor_droppings_are_never_delivered() {
    let mut world = World::with_zone();
    for name in [".x.toml.swp", "x.toml~", ".#x.toml", "#x.toml#", "x.toml.tmp", "x.toml.part", "x.toml.dpkg-new"] {
        world.write(&format!("a.example/{name}"), "dropping");
    }
    world.write("a.example/4913", "dropping");
    world.write("a.example/.x.toml.Ab12Cd", "dropping");
    world.write("a.example/.goutputstream-AB12CD", "dropping");
    world.write("a.example/.git/y.toml", "dropping");
    world.quiet_scan();
    assert_eq!(world.state.len(), 3);
    world.look(&[("a.example/.x.toml.swp", Hint::Closed), ("a.example/.git/y.toml", Hint::Closed)]);
    assert_eq!((world.state.len(), world.troubles.len()), (3, 0));
}

#[test]
fn case_07_vim_moving_the_old_inode_away_leaves_no_gap() {
    let mut live = Live::with_zone();
    let (path, backup) = (live.world.path(X), live.world.path("a.example/x.toml~"));
    for round in 0..20 {
        fs::rename(&path, &backup).expect("moved");
        fs::write(&path, format!("round {round}")).expect("written");
        fs::remove_file(&backup).expect("removed");
        live.until_text(X, &format!("round {round}"));
    }
    assert!(live.world.removed.is_empty());
}

/// A Kubernetes volume as kubelet writes it: `generation` is the folder that `..data` points at.
fn kubernetes(world: &World, generation: &str, content: &str) {
    world.write(&format!("..{generation}/a.example.zone"), format!("zone {content}"));
    world.write(&format!("..{generation}/a.example/x.toml"), content);
    world.link(&format!("..{generation}"), "..data_tmp");
    fs::rename(world.path("..data_tmp"), world.path("..data")).expect("swapped");
}

#[test]
fn case_08_kubernetes_swapping_its_data_link_delivers_all_files_at_once() {
    let world = World::new();
    kubernetes(&world, "2026_1", "one");
    world.link("..data/a.example.zone", "a.example.zone");
    world.link("..data/a.example", "a.example");
    let mut live = Live::start(world, events_only());
    live.until_text(X, "one");
    live.until_text("a.example.zone", "zone one");
    for generation in 2..6 {
        kubernetes(&live.world, &format!("2026_{generation}"), &format!("generation {generation}"));
        fs::remove_dir_all(live.world.path(&format!("..2026_{}", generation - 1))).expect("removed");
        live.until_text(X, &format!("generation {generation}"));
        live.until_text("a.example.zone", &format!("zone generation {generation}"));
    }
    assert!(live.world.removed.is_empty() && live.world.troubles.is_empty(), "{:?}", live.world.troubles);
    assert_eq!(live.world.fresh(), live.world.state);
}

#[test]
fn case_09_a_chain_of_two_links_is_followed_when_its_target_is_replaced() {
    let world = World::new();
    world.write("a.example.zone", "zone");
    world.write("a.example/store/real", "one");
    world.link("store/real", "a.example/middle");
    world.link("middle", X);
    let mut live = Live::start(world, events_only());
    live.until_text(X, "one");
    live.world.place("a.example/store/real", "two");
    live.until_text(X, "two");
    live.world.write("a.example/store/other", "three");
    live.world.link("store/other", "a.example/middle.tmp");
    fs::rename(live.world.path("a.example/middle.tmp"), live.world.path("a.example/middle")).expect("renamed");
    live.until_text(X, "three");
}

#[test]
fn case_10_a_dangling_link_is_a_trouble_and_its_last_good_content_stays() {
    let mut world = World::with_zone();
    world.write("a.example/real", "linked");
    world.link("real", "a.example/y.toml");
    world.quiet_scan();
    assert_eq!(world.text("a.example/y.toml").as_deref(), Some("linked"));
    fs::remove_file(world.path("a.example/real")).expect("removed");
    world.look(&[("a.example/real", Hint::Touched)]);
    assert_eq!(world.trouble("a.example/y.toml"), None, "a target may come back at once");
    for _ in 0..5 {
        world.pass(QUIET);
        world.look(&[]);
        world.scan();
    }
    assert_eq!(world.trouble("a.example/y.toml"), Some(Reason::Dangling.code()));
    assert_eq!(world.text("a.example/y.toml").as_deref(), Some("linked"));
    world.place("a.example/real", "back");
    world.look(&[("a.example/real", Hint::Placed)]);
    assert_eq!((world.text("a.example/y.toml").as_deref(), world.trouble("a.example/y.toml")), (Some("back"), None));
    fs::remove_file(world.path("a.example/y.toml")).expect("removed");
    world.quiet_scan();
    assert_eq!(world.text("a.example/y.toml"), None, "a link that is removed is removed");
}

#[test]
fn case_11_a_file_changed_through_its_other_name_is_found_by_a_scan() {
    let mut world = World::with_zone();
    let other = world.root.parent().expect("a parent").join("other");
    fs::hard_link(world.path(X), &other).expect("linked");
    world.quiet_scan();
    fs::write(&other, "two").expect("written");
    world.quiet_scan();
    assert_eq!(world.text(X).as_deref(), Some("two"));
}

#[test]
fn a_second_name_of_a_stranger_s_secret_is_refused_until_everybody_may_read_it() {
    let mut world = World::with_zone();
    let secret = world.root.parent().expect("a parent").join("secret");
    let mode = |mode| fs::set_permissions(&secret, fs::Permissions::from_mode(mode)).expect("a mode");
    fs::write(&secret, "secret").expect("written");
    mode(0o640);
    std::os::unix::fs::chown(&secret, Some(65_534), None).expect("only root gives files away: run the tests as root");
    fs::hard_link(&secret, world.path("a.example/link.toml")).expect("linked");
    world.quiet_scan();
    assert_eq!(
        (world.text("a.example/link.toml"), world.trouble("a.example/link.toml")),
        (None, Some(Reason::Foreign.code()))
    );
    mode(0o644);
    world.quiet_scan();
    assert_eq!(
        (world.text("a.example/link.toml").as_deref(), world.trouble("a.example/link.toml")),
        (Some("secret"), None)
    );
    // The operator's own file with the second name that a backup gave it, for nobody else to read.
    let backup = world.root.parent().expect("a parent").join("backup");
    fs::write(world.path("a.example/own.toml"), "own").expect("written");
    fs::set_permissions(world.path("a.example/own.toml"), fs::Permissions::from_mode(0o600)).expect("a mode");
    fs::hard_link(world.path("a.example/own.toml"), &backup).expect("linked");
    world.quiet_scan();
    assert_eq!((world.text("a.example/own.toml").as_deref(), world.trouble("a.example/own.toml")), (Some("own"), None));
}

#[test]
fn case_12_a_file_bound_over_another_is_found_without_an_event() {
    if !inside("case_12_a_file_bound_over_another_is_found_without_an_event", &["-m", "--propagation", "private"]) {
        return;
    }
    let mut live = Live::with_zone();
    let outside = live.world.root.parent().expect("a parent").join("outside");
    fs::write(&outside, "bound").expect("written");
    run("mount", &["--bind", &outside.to_string_lossy(), &live.world.path(X).to_string_lossy()]);
    live.until_text(X, "bound");
    // No event tells of this one: the watched folder does not see what is below a mounted file.
    fs::write(&outside, "bound and changed").expect("written");
    live.until_text(X, "bound and changed");
    run("umount", &[&live.world.path(X).to_string_lossy()]);
    live.until_text(X, "one");
    assert!(live.world.removed.is_empty());
}

#[test]
fn case_13_a_root_that_is_deleted_and_made_anew_or_renamed_is_watched_again() {
    let mut live = Live::with_zone();
    for round in 0..5 {
        let served = live.world.state.len();
        let (root, away) = (live.world.root.clone(), live.world.root.with_extension(format!("away{round}")));
        fs::rename(&root, &away).expect("renamed");
        live.until("the trouble", |live| live.world.trouble("") == Some(Reason::RootMissing.code()));
        assert_eq!(live.world.state.len(), served, "nothing is gone by that");
        if round % 2 == 0 {
            fs::rename(&away, &root).expect("renamed back");
        } else {
            fs::create_dir(&root).expect("made");
            live.world.write("a.example.zone", "zone");
            live.world.write("pools.toml", "pools");
            live.world.write(X, format!("made anew {round}"));
        }
        live.until("the end of the trouble", |live| live.world.trouble("").is_none());
        live.world.place("a.example/y.toml", format!("round {round}"));
        live.until_text("a.example/y.toml", &format!("round {round}"));
    }
    // What was found by a scan may still wait for quiet.
    live.until("the state of a fresh start", |live| live.world.fresh() == live.world.state);
}

#[test]
fn case_13_a_tenant_folder_that_vanishes_while_its_zone_stays_deletes_nothing() {
    let mut world = World::with_zone();
    let away = world.root.with_extension("away");
    fs::rename(world.path("a.example"), &away).expect("renamed");
    world.look(&[("a.example", Hint::Touched)]);
    world.quiet_scan();
    world.quiet_scan();
    assert_eq!(world.trouble("a.example"), Some(Reason::ZoneFolderGone.code()));
    assert_eq!(world.text(X).as_deref(), Some("one"));
    fs::rename(&away, world.path("a.example")).expect("renamed back");
    world.look(&[("a.example", Hint::Placed)]);
    assert_eq!(world.trouble("a.example"), None);
    world.write("b.example.zone", "zone");
    world.quiet_scan();
    fs::remove_dir_all(world.path("a.example")).expect("removed");
    fs::remove_file(world.path("a.example.zone")).expect("removed");
    world.quiet_scan();
    world.quiet_scan();
    assert_eq!(world.removed.len(), 2, "with the zone's file gone too, its tenants are removed");
    assert_eq!(world.trouble("a.example"), None);
}

#[test]
fn case_13_everything_deleted_at_once_deletes_nothing() {
    let mut world = World::with_zone();
    for name in ["a.example.zone", "pools.toml", X] {
        fs::remove_file(world.path(name)).expect("removed");
    }
    fs::remove_dir(world.path("a.example")).expect("removed");
    let all = [("a.example.zone", Hint::Touched), ("pools.toml", Hint::Touched), (X, Hint::Touched)];
    world.look(&all);
    world.quiet_scan();
    assert_eq!((world.state.len(), world.trouble("")), (3, Some(Reason::AllGone.code())));
    world.write("a.example.zone", "zone");
    world.write("pools.toml", "pools");
    world.write(X, "two");
    world.quiet_scan();
    assert_eq!((world.text(X).as_deref(), world.trouble("")), (Some("two"), None));
    assert!(world.removed.is_empty());
}

#[test]
fn case_14_a_root_that_comes_late_is_found() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let root = dir.path().canonicalize().expect("its path").join("late/zones");
    let mut live = Live::start(World::at(dir, root.clone()), events_only());
    assert_eq!(live.world.trouble(""), Some(Reason::RootMissing.code()));
    fs::create_dir_all(&root).expect("made");
    live.world.write(X, "late");
    live.until_text(X, "late");
    assert_eq!(live.world.trouble(""), None);
}

#[test]
fn case_14_an_unmounted_volume_deletes_nothing_and_is_found_again() {
    let name = "case_14_an_unmounted_volume_deletes_nothing_and_is_found_again";
    if !inside(name, &["-m", "--propagation", "private"]) {
        return;
    }
    for below in [false, true] {
        let world = World::new();
        let point = if below { world.path("a.example") } else { world.root.clone() };
        fs::create_dir_all(&point).expect("made");
        let spare = world.root.with_extension("volume");
        fs::create_dir(&spare).expect("made");
        let (point_text, spare_text) = (point.to_string_lossy().into_owned(), spare.to_string_lossy().into_owned());
        run("mount", &["-t", "tmpfs", "tmpfs", &spare_text]);
        run("mount", &["--bind", &spare_text, &point_text]);
        world.write("a.example.zone", "zone");
        world.write(X, "mounted");
        let mut live = Live::start(world, events_only());
        live.until_text(X, "mounted");
        live.until_text("a.example.zone", "zone");
        run("umount", &[&point_text]);
        let place = if below { "a.example" } else { "" };
        live.until("the trouble", |live| live.world.trouble(place).is_some());
        assert_eq!(live.world.trouble(place), Some(Reason::Unmounted.code()));
        assert_eq!(live.world.state.len(), 2);
        run("mount", &["--bind", &spare_text, &point_text]);
        live.until("the end of the trouble", |live| live.world.trouble(place).is_none());
        live.world.place(X, "mounted again");
        live.until_text(X, "mounted again");
        assert!(live.world.removed.is_empty());
        drop(live);
        run("umount", &[&point_text]);
        run("umount", &[&spare_text]);
    }
}

#[test]
fn case_15_a_change_below_an_overlay_is_found_by_polling() {
    if !inside("case_15_a_change_below_an_overlay_is_found_by_polling", &["-m", "--propagation", "private"]) {
        return;
    }
    let world = World::new();
    let base = world.root.with_extension("layers");
    fs::create_dir(&base).expect("made");
    // The layers lie on a tmpfs, since an overlay of an overlay may be refused.
    run("mount", &["-t", "tmpfs", "tmpfs", &base.to_string_lossy()]);
    for layer in ["lower/a.example", "upper", "work"] {
        fs::create_dir_all(base.join(layer)).expect("made");
    }
    fs::write(base.join("lower/a.example.zone"), "zone").expect("written");
    fs::write(base.join("lower/a.example/x.toml"), "lower").expect("written");
    let at = base.to_string_lossy();
    let options = format!("lowerdir={at}/lower,upperdir={at}/upper,workdir={at}/work");
    run("mount", &["-t", "overlay", "overlay", "-o", &options, &world.root.to_string_lossy()]);
    let mut live = Live::start(world, events_only());
    live.until_text(X, "lower");
    fs::write(base.join("lower/a.example/x.toml"), "written behind its back").expect("written");
    live.until_text(X, "written behind its back");
}

#[test]
fn case_16_an_overflow_of_the_queue_is_made_up_for_by_a_scan() {
    let mut live = Live::with_zone_in(World::in_memory());
    // While this thread writes, nobody takes; the kernel's queue or the set of marked paths runs over.
    for n in 0..70_000 {
        live.world.write(&format!("a.example/{:02}/t{n}.toml", n % 50), n.to_string());
    }
    live.until("all files", |live| live.world.state.len() == 70_003);
    assert!(live.watcher.counts().overflows > 0, "{:?}", live.watcher.counts());
    live.world.place("a.example/07/t7.toml", "afterwards");
    live.until_text("a.example/07/t7.toml", "afterwards");
    assert_eq!(live.world.fresh(), live.world.state);
}

#[test]
fn case_17_without_watches_the_sysctl_is_named_and_scans_find_the_changes() {
    let name = "case_17_without_watches_the_sysctl_is_named_and_scans_find_the_changes";
    if !inside(name, &["-U", "-r"]) {
        return;
    }
    let limit = "/proc/sys/user/max_inotify_watches";
    let before = fs::read_to_string(limit).expect("the limit");
    fs::write(limit, "4").expect("a limit of this namespace lowered");
    let world = World::new();
    world.write("a.example.zone", "zone");
    for n in 0..10 {
        world.write(&format!("a.example/{n}/x.toml"), "one");
    }
    let mut live = Live::start(world, events_only());
    live.until("the trouble", |live| live.hindrances == [Reason::WatchLimit.code()]);
    assert!(Reason::WatchLimit.words().0.contains("fs.inotify.max_user_watches"));
    for n in 0..10 {
        live.world.place(&format!("a.example/{n}/x.toml"), "two");
        live.until_text(&format!("a.example/{n}/x.toml"), "two");
    }
    fs::write(limit, before.trim()).expect("the limit raised again");
    live.until("the end of the trouble", |live| live.hindrances.is_empty());
}

#[test]
fn case_18_a_folder_filled_before_it_is_watched_is_read_whole() {
    let mut live = Live::with_zone();
    for round in 0..30 {
        for n in 0..5 {
            live.world.write(&format!("a.example/new{round}/deep/er{n}/t.toml"), format!("{round} {n}"));
        }
    }
    live.until("all files", |live| live.world.state.len() == 153);
    // And each of them is watched from then on.
    for round in 0..30 {
        live.world.place(&format!("a.example/new{round}/deep/er4/t.toml"), "changed");
        live.until_text(&format!("a.example/new{round}/deep/er4/t.toml"), "changed");
    }
    assert_eq!(live.watcher.counts().overflows, 0);
}

#[test]
fn case_18_a_folder_renamed_in_and_one_renamed_within_are_watched() {
    let mut live = Live::with_zone();
    let staged = live.world.root.with_extension("staged");
    fs::create_dir(&staged).expect("made");
    fs::write(staged.join("t.toml"), "whole").expect("written");
    fs::rename(&staged, live.world.path("a.example/in")).expect("renamed");
    live.until_text("a.example/in/t.toml", "whole");
    fs::rename(live.world.path("a.example/in"), live.world.path("a.example/within")).expect("renamed");
    live.until_text("a.example/within/t.toml", "whole");
    live.until("the old name to be gone", |live| live.world.text("a.example/in/t.toml").is_none());
    live.world.place("a.example/within/t.toml", "changed");
    live.until_text("a.example/within/t.toml", "changed");
}

#[test]
fn case_19_equal_size_and_times_do_not_hide_other_octets() {
    let mut world = World::with_zone();
    for (round, text) in ["two", "six", "ten", "one"].into_iter().enumerate() {
        let old = fs::metadata(world.path(X)).expect("stat").modified().expect("mtime");
        let set_back = old - Duration::from_secs(86_400 * u64::try_from(round).expect("small"));
        fs::write(world.path(X), text).expect("written");
        fs::File::options().write(true).open(world.path(X)).expect("opened").set_modified(set_back).expect("set");
        world.quiet_scan();
        assert_eq!(world.text(X).as_deref(), Some(text));
    }
}

#[test]
fn case_19_changes_within_one_tick_of_the_clock_are_told_apart() {
    let mut world = World::with_zone();
    for n in 0..500 {
        let text = format!("{n:03}");
        fs::write(world.path(X), &text).expect("written");
        world.look(&[(X, Hint::Closed)]);
        assert_eq!(world.text(X).as_deref(), Some(text.as_str()));
    }
}

#[test]
fn case_19_a_jump_of_the_wall_clock_hides_nothing() {
    let mut world = World::with_zone();
    for (n, jump) in [0, 86_400 * 365, 0, 86_400].into_iter().enumerate() {
        fs::write(world.path(X), format!("jump {n}")).expect("written");
        for step in 0..3 {
            let mut now = world.now();
            now.wall =
                if n % 2 == 0 { now.wall - Duration::from_secs(jump) } else { now.wall + Duration::from_secs(jump) };
            now.steady += QUIET * step;
            let changes = world.files.scan(now);
            world.apply(changes);
        }
        world.pass(QUIET * 3);
        assert_eq!(world.text(X).as_deref(), Some(format!("jump {n}").as_str()));
    }
}

#[test]
fn case_21_octets_are_delivered_as_they_are() {
    let mut world = World::with_zone();
    let contents: [&[u8]; 5] = [b"\xef\xbb\xbfdomain", b"a\r\nb\r\n", b"a\0b", b"\xff\xfe\xc0", b"\n"];
    for (n, content) in contents.into_iter().enumerate() {
        world.place(X, content);
        world.look(&[(X, Hint::Placed)]);
        assert_eq!(world.state.get(Path::new(X)).map(Vec::as_slice), Some(content), "{n}");
    }
    world.place(X, "");
    world.look(&[(X, Hint::Placed)]);
    assert_eq!(world.text(X).as_deref(), Some("\n"), "an empty file waits");
    world.pass(QUIET);
    world.look(&[]);
    assert_eq!(world.text(X).as_deref(), Some(""));
}

#[test]
fn case_21_a_line_of_ten_megabytes_and_a_file_over_its_limit_are_troubles() {
    let mut world = World::with_zone();
    let bulk = "a.example/bulk.ndjson";
    world.place(bulk, "{}\n");
    world.look(&[(bulk, Hint::Placed)]);
    world.place(bulk, vec![b'x'; 10 << 20]);
    world.place(X, vec![b'\n'; (64 << 10) + 1]);
    world.look(&[(bulk, Hint::Placed), (X, Hint::Placed)]);
    assert_eq!(world.trouble(bulk), Some(Reason::LineTooLong.code()));
    assert_eq!(world.trouble(X), Some(Reason::TooLarge(0).code()));
    world.quiet_scan();
    world.age += Duration::from_secs(10);
    world.quiet_scan();
    world.quiet_scan();
    assert_eq!(world.trouble(bulk), Some(Reason::LineTooLong.code()), "it stays until the file changes");
    assert_eq!((world.text(bulk).as_deref(), world.text(X).as_deref()), (Some("{}\n"), Some("one")));
    world.place(bulk, "{}\n");
    world.place(X, "one");
    let before = world.deliveries;
    world.look(&[(bulk, Hint::Placed), (X, Hint::Placed)]);
    assert_eq!((world.troubles.len(), world.deliveries), (0, before), "healed, and nothing is new");
}

/// Spoils the file at a path.
type Spoil<'a> = &'a dyn Fn(&Path);

#[test]
fn case_22_files_that_must_not_be_read_are_troubles_and_not_deletions() {
    let mut world = World::with_zone();
    let secret = world.root.with_extension("secret");
    fs::write(&secret, "secret").expect("written");
    let cases: [(&str, Reason, Spoil); 6] = [
        ("none", Reason::Unreadable(0), &|path| mode(path, 0o000)),
        ("all", Reason::WorldWritable, &|path| mode(path, 0o666)),
        ("out", Reason::LinkOut, &|path| {
            fs::remove_file(path).expect("removed");
            symlink(&secret, path).expect("a link");
        }),
        ("dotdot", Reason::LinkOut, &|path| {
            fs::remove_file(path).expect("removed");
            symlink("../../zones.secret", path).expect("a link");
        }),
        ("ring", Reason::LinkLoop, &|path| {
            fs::remove_file(path).expect("removed");
            symlink(path, path).expect("a link");
        }),
        ("pipe", Reason::NotRegular, &|path| {
            fs::remove_file(path).expect("removed");
            run("mkfifo", &[&path.to_string_lossy()]);
        }),
    ];
    for (name, _, _) in &cases {
        world.write(&format!("a.example/{name}.toml"), "good");
    }
    world.quiet_scan();
    for (name, reason, spoil) in &cases {
        let path = format!("a.example/{name}.toml");
        spoil(&world.path(&path));
        world.look(&[(&path, Hint::Placed)]);
        assert_eq!(world.trouble(&path), Some(reason.code()), "{name}");
    }
    world.quiet_scan();
    world.quiet_scan();
    for (name, reason, _) in &cases {
        let path = format!("a.example/{name}.toml");
        assert_eq!((world.trouble(&path), world.text(&path).as_deref()), (Some(reason.code()), Some("good")), "{name}");
        world.place(&path, "good again");
        world.look(&[(&path, Hint::Placed)]);
        assert_eq!((world.trouble(&path), world.text(&path).as_deref()), (None, Some("good again")), "{name}");
    }
}

#[test]
fn case_22_sockets_devices_and_names_that_are_not_utf8_are_troubles() {
    use std::os::unix::ffi::OsStrExt;
    let mut world = World::with_zone();
    let _socket = std::os::unix::net::UnixListener::bind(world.path("a.example/socket.toml")).expect("a socket");
    run("mknod", &[&world.path("a.example/device.toml").to_string_lossy(), "c", "1", "5"]);
    let odd = world.path("a.example").join(std::ffi::OsStr::from_bytes(b"\xff.toml"));
    fs::write(&odd, "odd").expect("written");
    world.quiet_scan();
    world.quiet_scan();
    assert_eq!(world.trouble("a.example/socket.toml"), Some(Reason::NotRegular.code()));
    assert_eq!(world.trouble("a.example/device.toml"), Some(Reason::NotRegular.code()));
    assert_eq!(world.trouble("a.example/\u{fffd}.toml"), Some(Reason::NameNotUtf8.code()));
    assert_eq!(world.state.len(), 3);
    fs::remove_file(&odd).expect("removed");
    fs::remove_file(world.path("a.example/socket.toml")).expect("removed");
    fs::remove_file(world.path("a.example/device.toml")).expect("removed");
    world.quiet_scan();
    assert!(world.troubles.is_empty(), "{:?}", world.troubles);
}

#[test]
fn case_22_a_file_of_another_owner_that_the_server_cannot_read_is_a_trouble() {
    let name = "case_22_a_file_of_another_owner_that_the_server_cannot_read_is_a_trouble";
    // A user namespace in which nobody owns root's files: the reader is a stranger to them.
    let dir = std::env::var_os("MXSEAL_TEST_STRANGER");
    let Some(root) = dir.map(PathBuf::from) else {
        let world = World::new();
        world.write("a.example.zone", "zone");
        world.write(X, "private");
        world.write("b.example/closed/x.toml", "closed");
        mode(&world.path(X), 0o600);
        mode(&world.path("b.example/closed"), 0o700);
        let outer = world.root.parent().expect("a parent");
        mode(outer, 0o755);
        let program = outer.join("program");
        fs::copy(std::env::current_exe().expect("the test program"), &program).expect("a copy others can run");
        mode(&program, 0o755);
        let output = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&program)
            .args(["--exact", name, "--nocapture"])
            .env("MXSEAL_TEST_STRANGER", &world.root)
            .output()
            .expect("setpriv (util-linux) is needed for this test");
        assert!(
            output.status.success(),
            "this test needs root, to become another user:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        return;
    };
    let mut files = Files::new(&root);
    let changes = files.scan(Moment::from(Now::read()).after(Duration::from_secs(60)));
    let codes: BTreeMap<_, _> = changes.troubled.iter().map(|t| (t.path.clone(), t.reason.code())).collect();
    assert_eq!(codes.get(Path::new(X)), Some(&Reason::Unreadable(0).code()));
    assert_eq!(codes.get(Path::new("b.example/closed")), Some(&Reason::FolderUnreadable(0).code()));
    assert_eq!(changes.changed.len(), 1);
}

#[test]
fn case_22_a_folder_that_cannot_be_seen_keeps_all_that_was_below_it() {
    let mut world = World::with_zone();
    let outside = world.root.with_extension("outside");
    fs::rename(world.path("a.example"), &outside).expect("moved");
    symlink(&outside, world.path("a.example")).expect("a link");
    world.look(&[("a.example", Hint::Touched)]);
    world.quiet_scan();
    assert_eq!(world.text(X).as_deref(), Some("one"));
    assert_eq!(world.trouble("a.example"), Some(Reason::LinkOut.code()));
    fs::write(outside.join("x.toml"), "changed outside").expect("written");
    world.look(&[(X, Hint::Placed)]);
    assert_eq!(world.text(X).as_deref(), Some("one"), "what lies outside is not read through a folder either");
}

#[test]
fn case_22_rings_of_folders_end() {
    let mut world = World::with_zone();
    world.link("..", "a.example/up");
    world.link(".", "a.example/self");
    world.write("b.example/y.toml", "y");
    world.link("../b.example", "a.example/other");
    world.link("../a.example", "b.example/back");
    world.quiet_scan();
    assert_eq!(world.text("a.example/other/y.toml").as_deref(), Some("y"));
    assert!(world.state.len() < 12, "{:?}", world.state.keys());
    assert_eq!(world.trouble("a.example/self"), Some(Reason::LinkLoop.code()));
}

/// Changes in one storm: each of 500 names gets another content 40 times, more than the kernel's queue holds.
const STORM: u32 = 20_000;

/// Renames files over 500 names.
fn storm(root: &Path) {
    let beside = root.join("a.example/t.tmp");
    for n in 0..STORM {
        fs::write(&beside, n.to_string()).expect("written");
        fs::rename(&beside, root.join(format!("a.example/t{}.toml", n % 500))).expect("renamed");
    }
}

fn until_newest(live: &mut Live) {
    live.until("the newest state", |live| {
        (0u32..500).all(|t| live.world.text(&format!("a.example/t{t}.toml")) == Some((STORM - 500 + t).to_string()))
    });
    assert!(live.world.removed.is_empty());
    assert_eq!(live.world.files.len(), 503);
}

#[test]
fn case_23_a_storm_of_changes_is_coalesced_and_the_newest_state_wins() {
    let mut live = Live::with_zone_in(World::in_memory());
    let root = live.world.root.clone();
    storm(&root);
    until_newest(&mut live);
    assert!(live.world.deliveries < 2_000, "{} deliveries: nothing was coalesced", live.world.deliveries);
    let writer = std::thread::spawn(move || storm(&root));
    while !writer.is_finished() {
        live.turn(Instant::now() + Duration::from_millis(50));
    }
    writer.join().expect("the storm ended");
    until_newest(&mut live);
}

#[test]
fn case_24_a_file_deleted_and_made_anew_at_once_leaves_no_gap() {
    let mut world = World::with_zone();
    fs::remove_file(world.path(X)).expect("removed");
    let changes = world.look(&[(X, Hint::Touched)]);
    assert!(changes.gone.is_empty() && changes.again_at.is_some());
    world.pass(Duration::from_millis(100));
    world.place(X, "two");
    // The event is still on its way when the wait ends.
    world.pass(QUIET);
    world.look(&[]);
    world.look(&[(X, Hint::Placed)]);
    assert_eq!((world.text(X).as_deref(), world.removed.len()), (Some("two"), 0));
    fs::remove_file(world.path(X)).expect("removed");
    world.look(&[(X, Hint::Touched)]);
    world.pass(QUIET);
    world.look(&[]);
    assert_eq!(world.removed, [PathBuf::from(X)], "what stays away is gone");

    let mut live = Live::with_zone();
    for round in 0..50 {
        fs::remove_file(live.world.path(X)).expect("removed");
        live.world.write(X, format!("round {round}"));
        live.until_text(X, &format!("round {round}"));
    }
    assert!(live.world.removed.is_empty());
    fs::remove_file(live.world.path(X)).expect("removed");
    live.until("the removal", |live| live.world.removed == [PathBuf::from(X)]);
}

#[test]
fn case_24_removals_of_one_time_are_delivered_together() {
    let mut world = World::with_zone();
    for n in 0..100 {
        world.write(&format!("a.example/t{n}.toml"), "t");
    }
    world.quiet_scan();
    let mut batches = Vec::new();
    for n in 0..100 {
        let path = format!("a.example/t{n}.toml");
        fs::remove_file(world.path(&path)).expect("removed");
        batches.push(world.look(&[(&path, Hint::Touched)]).gone.len());
        world.pass(Duration::from_millis(15));
    }
    world.pass(QUIET);
    batches.push(world.look(&[]).gone.len());
    assert_eq!(batches.iter().sum::<usize>(), 100);
    assert_eq!(batches.iter().max(), Some(&100), "one batch: whoever counts removals sees them all");
}

#[test]
fn an_included_file_of_any_name_is_watched_once_it_was_asked_for() -> Outcome {
    let mut world = World::with_zone();
    world.write("common/header.inc", "one");
    world.quiet_scan();
    assert_eq!(world.text("common/header.inc"), None);
    let now = world.now();
    assert_eq!(world.files.include("common/header.inc", now).map_err(|reason| reason.words().0)?, b"one");
    assert_eq!(world.files.include("../secret", now), Err(Reason::LinkOut));
    assert_eq!(world.files.include("common/later.inc", now), Err(Reason::Unreadable(2)));
    world.place("common/header.inc", "two");
    world.place("common/later.inc", "later");
    world.quiet_scan();
    assert_eq!(world.text("common/header.inc").as_deref(), Some("two"));
    assert_eq!(world.text("common/later.inc").as_deref(), Some("later"));
    Ok(())
}

#[test]
fn a_scan_in_slices_finds_what_one_at_once_does_and_lets_looks_in_between() {
    let mut world = World::with_zone();
    for n in 0..5_000 {
        world.write(&format!("a.example/{}/t{n}.toml", n % 7), n.to_string());
    }
    world.age += Duration::from_secs(10);
    world.files.scan_begin();
    let mut slices = 0;
    while world.files.is_scanning() {
        let changes = world.files.scan_slice(world.now());
        world.apply(changes);
        slices += 1;
        let path = format!("a.example/{}/new{slices}.toml", slices % 7);
        world.place(&path, "new");
        world.look(&[(&path, Hint::Placed)]);
        assert_eq!(world.text(&path).as_deref(), Some("new"));
    }
    assert!(slices > 2, "{slices}");
    assert_eq!(world.state, world.fresh());
    world.quiet_scan();
    assert!(world.removed.is_empty());
}

/// Splitmix64: a seed gives the same sequence for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

const NAMES: [&str; 9] = [
    "pools.toml",
    "b.example.zone",
    "a.example/x.toml",
    "a.example/y.toml",
    "a.example/s/z.toml",
    "a.example/s/t/bulk.ndjson",
    "b.example/x.toml",
    "b.example/s/real",
    "b.example/link.toml",
];

/// One random operation; the paths that an event would name.
fn operate(world: &World, dice: &mut Dice, step: u64) -> Vec<(String, Hint)> {
    let name = NAMES[usize::try_from(dice.roll(9)).expect("small")];
    let path = world.path(name);
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let touched = |hint| vec![(name.to_owned(), hint)];
    match dice.roll(10) {
        0..=2 => {
            if fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_symlink()) {
                let _ = fs::remove_file(&path);
            }
            world.write(name, format!("{step}"));
            touched(Hint::Closed)
        }
        3 | 4 => {
            world.place(name, format!("{step} placed"));
            touched(Hint::Placed)
        }
        5 => {
            let _ = fs::remove_file(&path);
            touched(Hint::Touched)
        }
        6 if folder.contains('/') => {
            let _ = fs::remove_dir_all(world.path(folder));
            vec![(folder.to_owned(), Hint::Touched)]
        }
        6 | 7 => {
            let _ = fs::remove_file(&path);
            let _ = fs::create_dir_all(path.parent().expect("a parent"));
            let target = if name.contains('/') { "s/real" } else { "b.example/s/real" };
            let _ = symlink(target, &path);
            touched(Hint::Touched)
        }
        8 => {
            let bits = if dice.roll(2) == 0 { 0o000 } else { 0o644 };
            let _ = fs::set_permissions(&path, fs::Permissions::from_mode(bits));
            touched(Hint::Touched)
        }
        _ => {
            let _ = fs::rename(world.path("a.example/s"), world.path("b.example/moved"));
            vec![("a.example/s".to_owned(), Hint::Touched), ("b.example/moved".to_owned(), Hint::Placed)]
        }
    }
}

/// Ends all troubles: those are the designed exceptions, in which the last good content stays.
fn mend(folder: &Path) {
    for entry in fs::read_dir(folder).expect("listed").flatten() {
        let path = entry.path();
        let meta = fs::symlink_metadata(&path).expect("stat");
        if meta.is_dir() {
            mend(&path);
        } else if meta.is_symlink() && fs::metadata(&path).is_err() {
            fs::remove_file(&path).expect("removed");
        } else {
            mode(&path, 0o644);
        }
    }
}

#[test]
fn after_any_operations_the_state_equals_that_of_a_fresh_start() {
    for seed in 0..150u64 {
        let mut dice = Dice(seed);
        let mut world = World::with_zone();
        fs::create_dir(world.path("b.example")).expect("made");
        for step in 0..60 {
            let mut events = operate(&world, &mut dice, step);
            // Some events are lost, and some come late.
            events.retain(|_| dice.roll(8) > 0);
            world.pass(Duration::from_millis(dice.roll(300)));
            let events: Vec<(&str, Hint)> = events.iter().map(|(path, hint)| (path.as_str(), *hint)).collect();
            match dice.roll(6) {
                0 => drop(world.scan()),
                1 => {
                    if !world.files.is_scanning() {
                        world.files.scan_begin();
                    }
                    let changes = world.files.scan_slice(world.now());
                    world.apply(changes);
                    world.look(&events);
                }
                _ => drop(world.look(&events)),
            }
        }
        mend(&world.root);
        world.age += Duration::from_secs(10);
        world.quiet_scan();
        world.quiet_scan();
        assert_eq!(world.state, world.fresh(), "seed {seed}");
        let standing: Vec<_> = world.files.troubles().collect();
        assert!(standing.is_empty() && world.troubles.is_empty(), "seed {seed}: {standing:?} {:?}", world.troubles);
    }
}

#[test]
fn a_link_to_its_own_folder_is_refused_and_never_followed() {
    for (name, link, target) in [
        ("itself", "a.example/dot", "."),
        ("its parent", "a.example/dot", ".."),
        ("a folder above", "a.example/sub/dot", "../../a.example"),
        ("by its whole path", "a.example/dot", "WHOLE"),
    ] {
        let mut live = Live::with_zone();
        fs::create_dir_all(live.world.path("a.example/sub")).expect("a folder");
        let whole = live.world.path("a.example").display().to_string();
        live.world.link(if target == "WHOLE" { &whole } else { target }, link);
        live.until("the link is refused", |live| live.world.trouble(link) == Some("MX6005"));
        live.world.place("a.example/v.toml", "later");
        live.until_text("a.example/v.toml", "later");
        live.world.place("a.example/sub/w.toml", "later");
        live.until_text("a.example/sub/w.toml", "later");
        let below = |path: &&PathBuf| path.starts_with(link);
        assert_eq!(live.world.state.keys().find(below), None, "{name}");
        fs::remove_file(live.world.path(link)).expect("removed");
        live.until("its trouble ends", |live| live.world.trouble(link).is_none());
        live.world.place("a.example/v.toml", "last");
        live.until_text("a.example/v.toml", "last");
        assert_eq!((live.world.state.keys().find(below), live.world.removed.len()), (None, 0), "{name}");
    }
}

#[test]
fn a_link_that_is_met_behind_another_link_shows_nothing_either() {
    let mut world = World::with_zone();
    world.write("b.example.zone", "zone");
    world.write("b.example/y.toml", "y");
    world.link("../b.example", "a.example/there");
    world.link("../a.example", "b.example/back");
    world.quiet_scan();
    for (at, link) in [("a.example/there/back", "a"), ("b.example/back/there", "b")] {
        assert_eq!(world.trouble(at), Some("MX6005"), "{link}");
    }
    let before: Vec<PathBuf> = world.state.keys().cloned().collect();
    assert!(before.contains(&"a.example/there/y.toml".into()) && before.contains(&"b.example/back/x.toml".into()));
    for file in ["a.example/new.toml", "b.example/new.toml"] {
        world.place(file, "new");
        world.look(&[(file, Hint::Placed)]);
    }
    let fresh: std::collections::BTreeSet<PathBuf> = world.state.keys().cloned().collect();
    let ours = ["a.example/new.toml", "a.example/there/new.toml", "b.example/new.toml", "b.example/back/new.toml"];
    let wanted = before.into_iter().chain(ours.map(PathBuf::from)).collect();
    assert_eq!(fresh, wanted, "each under its own name and that of the link to its folder");
}

#[test]
fn a_link_that_becomes_a_loop_keeps_what_it_showed_until_it_is_removed() {
    let mut world = World::with_zone();
    world.write("b.example.zone", "zone");
    world.write("b.example/y.toml", "y");
    world.link("../b.example", "a.example/way");
    world.quiet_scan();
    assert_eq!(world.text("a.example/way/y.toml").as_deref(), Some("y"));
    fs::remove_file(world.path("a.example/way")).expect("removed");
    world.link(".", "a.example/way");
    world.look(&[("a.example/way", Hint::Touched)]);
    world.quiet_scan();
    assert_eq!(world.trouble("a.example/way"), Some("MX6005"));
    assert!(world.removed.is_empty() && world.text("a.example/way/x.toml").is_none());
    fs::remove_file(world.path("a.example/way")).expect("removed");
    world.look(&[("a.example/way", Hint::Touched)]);
    world.quiet_scan();
    assert_eq!(world.removed, [PathBuf::from("a.example/way/y.toml")]);
    assert_eq!(world.trouble("a.example/way"), None);
}

/// Takes all descriptors that this process may have.
fn hoard() -> Vec<fs::File> {
    std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect()
}

#[test]
fn what_a_lack_of_descriptors_kept_from_being_read_is_tried_again_and_nothing_is_gone() {
    let name = "what_a_lack_of_descriptors_kept_from_being_read_is_tried_again_and_nothing_is_gone";
    if !inside_by("prlimit", name, &["--nofile=64:64"]) {
        return;
    }
    let mut world = World::with_zone();
    let (new, folder, below) = ("a.example/new.toml", "a.example/folder", "a.example/folder/y.toml");
    for (path, text) in [(X, "two"), (new, "new"), (below, "y")] {
        world.write(path, text);
    }
    let hoard = hoard();
    world.look(&[(X, Hint::Closed), (new, Hint::Closed), (folder, Hint::Touched)]);
    for _ in 0..8 {
        for path in [X, new, folder] {
            assert_eq!(world.trouble(path), Some("MX6022"), "{path}");
        }
        world.pass(Duration::from_secs(30));
        assert!(world.look(&[]).again_at.is_some(), "it asks to be called again");
    }
    assert_eq!((world.text(X).as_deref(), world.text(new)), (Some("one"), None), "the last good content stays");
    drop(hoard);
    world.pass(Duration::from_secs(30));
    for _ in 0..4 {
        world.look(&[]);
        world.pass(QUIET);
    }
    for (path, text) in [(X, "two"), (new, "new"), (below, "y")] {
        assert_eq!((world.text(path).as_deref(), world.trouble(path)), (Some(text), None), "{path}");
    }
    assert!(world.trouble(folder).is_none() && world.removed.is_empty());
}

#[test]
fn a_watcher_without_descriptors_says_so_and_is_had_once_there_are_some() {
    let name = "a_watcher_without_descriptors_says_so_and_is_had_once_there_are_some";
    if !inside_by("prlimit", name, &["--nofile=64:64"]) {
        return;
    }
    let world = World::new();
    world.write("a.example.zone", "zone");
    world.write(X, "one");
    let hoard = hoard();
    let mut live = Live::start(world, events_only());
    live.until("it is told", |live| live.hindrances == ["MX6019"]);
    drop(hoard);
    live.until("it watches", |live| live.hindrances.is_empty());
    live.until_text(X, "one");
    live.world.place(X, "two");
    live.until_text(X, "two");
}

#[test]
fn files_that_come_together_are_read_by_so_many_octets_at_a_time_and_all_of_them_in_the_end() {
    let mut world = World::with_zone();
    world.files.batch_octets_max = 100;
    let paths: Vec<String> = (0..8).map(|i| format!("a.example/many/{i}.toml")).collect();
    for path in &paths {
        world.place(path, vec![b'#'; 40]);
    }
    let before = world.deliveries;
    let hints: Vec<(&str, Hint)> = paths.iter().map(|path| (path.as_str(), Hint::Placed)).collect();
    world.look(&hints);
    assert_eq!(world.deliveries, before + 2, "80 of 100 octets");
    for _ in 0..20 {
        world.pass(QUIET);
        world.look(&[]);
    }
    assert_eq!(world.deliveries, before + 8);
    assert!(paths.iter().all(|path| world.text(path).is_some()));
    // One that does not fit by itself is told of, and costs no memory.
    world.place(&paths[0], vec![b'#'; 101]);
    world.look(&[(&paths[0], Hint::Placed)]);
    assert_eq!(world.trouble(&paths[0]), Some(Reason::TooLarge(0).code()));
    assert_eq!(world.text(&paths[0]).map(|text| text.len()), Some(40), "what was good stays");
}
