//! Zones whose parent is served here: nothing is asked of anybody.

use crate::judge::{Judge, configure, master, policy, status, tags, until_rolled};
use crate::live::wire::{self, Ask};
use crate::live::{PATIENCE, Running, World, has, mxseal};

fn world(shard: &str) -> World {
    let world = World::new();
    configure_shard(&world, shard);
    world.write("zones/mx.example.zone", &master("mx.example", ""));
    world.write("zones/a.mx.example.zone", &master("a.mx.example", "www A 192.0.2.80\n"));
    world
}

fn configure_shard(world: &World, shard: &str) {
    let parent = policy("top", "keys = \"csk\"\n");
    let zone = "[zone.\"mx.example\"]\npolicy = \"top\"\nparents = [\"{ip}:5399\"]\n";
    configure(world, &format!("{zone}{parent}{}", policy("shard", shard)));
}

fn in_use(world: &World) -> Vec<u64> {
    tags(&status(world, "a.mx.example"), &["active"])
}

#[test]
fn a_csk_at_the_end_of_its_life_is_replaced_and_nothing_is_bogus_meanwhile() {
    let world = world("csk_lifetime = \"8s\"\n");
    let mut server = world.serve("a.mx.example");
    let first = in_use(&world);
    let judge = Judge::start(world.at(0), "a.mx.example");
    server.poll_until("the end of the roll", || {
        let status = status(&world, "a.mx.example");
        (tags(&status, &["removed"]) == first).then_some(())
    });
    assert!(judge.ended() > 100);
    let journal = world.read("keys/a.mx.example/journal");
    assert!(journal.contains("\"key_switched\"") && journal.contains("\"ds_wanted\""), "{journal}");
}

#[test]
fn a_zsk_roll_goes_on_after_the_process_was_killed_at_any_moment() {
    let world = world("keys = \"ksk+zsk\"\nzsk_lifetime = \"unlimited\"\n");
    let mut server = world.serve("a.mx.example");
    let judge = Judge::start(world.at(0), "a.mx.example");
    let old = tags(&status(&world, "a.mx.example"), &["active"]);
    world.said(mxseal(), &["keys", "roll", "a.mx.example"]);
    for mark in ["\"key_switched\"", "\"key_removed\""] {
        server.poll_until("the step", || world.read("keys/a.mx.example/journal").contains(mark).then_some(()));
        server.kill();
        server = world.serve("a.mx.example");
    }
    let zsk = server.poll_until("the end of the roll", || {
        let status = status(&world, "a.mx.example");
        let gone = tags(&status, &["removed"]);
        (status["state"] == "at rest" && gone.len() == 1 && tags(&status, &["ready"]).len() == 1).then_some(gone)
    });
    assert!(zsk.iter().all(|tag| old.contains(tag)));
    assert!(judge.ended() > 100);
}

#[test]
fn a_roll_by_command_is_shown_held_resumed_and_ends() {
    let world = world("csk_lifetime = \"unlimited\"\n");
    let mut server = world.serve("a.mx.example");
    let old = in_use(&world);
    let size = world.read("keys/a.mx.example/journal").len();
    let dry = world.said(mxseal(), &["keys", "roll", "a.mx.example", "--dry-run"]);
    assert!(dry.contains("publish") && dry.contains("remove"), "{dry}");
    assert_eq!(world.read("keys/a.mx.example/journal").matches("roll_wanted").count(), 0, "{size}");
    world.said(mxseal(), &["keys", "roll", "a.mx.example"]);
    world.said(mxseal(), &["keys", "hold", "a.mx.example", "--reason", "a look"]);
    assert_eq!(status(&world, "a.mx.example")["state"], "frozen");
    assert_eq!(world.run(mxseal(), &["keys", "roll", "a.mx.example"]).status.code(), Some(4), "held");
    world.said(mxseal(), &["keys", "resume", "a.mx.example"]);
    assert_eq!(world.run(mxseal(), &["keys", "roll", "a.mx.example"]).status.code(), Some(4), "under way");
    let now = until_rolled(&mut server, &world, "a.mx.example", &old);
    assert_eq!(now.len(), 1);
}

#[test]
fn a_quiet_start_records_nothing_new() {
    let world = world("csk_lifetime = \"unlimited\"\n");
    let mut server = world.serve("a.mx.example");
    server
        .poll_until("the parent's DS", || world.read("keys/a.mx.example/journal").contains("parent_saw").then_some(()));
    server.kill();
    let before = world.read("keys/a.mx.example/journal");
    let mut server = world.serve("a.mx.example");
    // A roll shows that the server has looked at all it wanted to look at before.
    let old = in_use(&world);
    world.said(mxseal(), &["keys", "roll", "a.mx.example"]);
    until_rolled(&mut server, &world, "a.mx.example", &old);
    let after = world.read("keys/a.mx.example/journal");
    let next = after.strip_prefix(&before).unwrap_or_default().lines().next().unwrap_or_default().to_owned();
    assert!(next.contains("roll_wanted"), "{next}");
}

/// A page of metrics, as Prometheus gets it.
fn metrics(world: &World) -> String {
    use std::io::{Read, Write};
    let mut page = String::new();
    let Ok(mut stream) = std::net::TcpStream::connect(world.at(2)) else { return page };
    let _ = stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").and_then(|()| stream.read_to_string(&mut page));
    page
}

#[test]
fn metrics_show_the_phase_of_each_key_the_next_step_the_parent_and_what_freezes() {
    let world = world("csk_lifetime = \"unlimited\"\n");
    let text = world.read("mxseal.toml");
    world.write("mxseal.toml", &text.replace("[metrics]\nlisten = \"\"", "[metrics]\nlisten = \"{ip}:5302\""));
    let mut server = world.serve("a.mx.example");
    let old = in_use(&world)[0];
    let shows = |part: &str| metrics(&world).contains(part).then_some(());
    let key = |tag: u64, state: &str| {
        format!("mxseal_key_state{{zone=\"a.mx.example.\",tag=\"{tag}\",role=\"csk\",state=\"{state}\"}} 1")
    };
    server.poll_until("a key in use", || shows(&key(old, "active")));
    server.poll_until("a parent that fits", || shows("mxseal_parent_ds_match{zone=\"a.mx.example.\"} 1"));
    assert!(shows("mxseal_roll_blocked{zone=\"a.mx.example.\"} 0").is_some());
    world.said(mxseal(), &["keys", "roll", "a.mx.example"]);
    let next = "mxseal_key_next_event_timestamp_seconds{zone=\"a.mx.example.\",event=\"";
    server.poll_until("a next step", || shows(next));
    server.poll_until("a key that was removed", || shows(&key(old, "removed")));
    let now = until_rolled(&mut server, &world, "a.mx.example", &[old])[0];
    server.poll_until("the new key in use", || shows(&key(now, "active")));
    server.poll_until("no step that is waited for", || (!metrics(&world).contains(next)).then_some(()));
}

/// Both files of a key of `a.mx.example`, moved away.
struct Lost([(String, String); 2]);

impl Lost {
    fn new(world: &World, name: &str) -> Lost {
        let files = [("", "lost"), ("copy/", "lost-copy")];
        let files = files.map(|(at, to)| (format!("keys/a.mx.example/{at}{name}"), format!("{to}-{name}")));
        files.iter().for_each(|(file, to)| std::fs::rename(world.path(file), world.path(to)).unwrap());
        Lost(files)
    }

    fn restore(&self, world: &World) {
        self.0.iter().for_each(|(file, to)| std::fs::rename(world.path(to), world.path(file)).unwrap());
    }
}

#[test]
fn a_restored_key_file_frees_the_zone_at_a_reload() {
    let world = world("keys = \"ksk+zsk\"\nzsk_lifetime = \"unlimited\"\n");
    let mut server = world.serve("a.mx.example");
    let standby = server.poll_until("a standby key", || tags(&status(&world, "a.mx.example"), &["ready"]).pop());
    server.kill();
    let lost = Lost::new(&world, &format!("zsk-13-{standby:05}.pem"));
    let mut server = world.serve("a.mx.example");
    server.poll_until("a frozen zone", || (status(&world, "a.mx.example")["state"] == "frozen").then_some(()));
    assert_eq!(world.run(mxseal(), &["reload"]).status.code(), Some(1), "it is still not there");
    assert_eq!(status(&world, "a.mx.example")["state"], "frozen");
    lost.restore(&world);
    world.said(mxseal(), &["reload"]);
    assert_eq!(status(&world, "a.mx.example")["state"], "at rest");
    world.said(mxseal(), &["keys", "roll", "a.mx.example"]);
    server.poll_until("the end of a roll to that key", || {
        let status = status(&world, "a.mx.example");
        (tags(&status, &["active"]).contains(&standby) && status["state"] == "at rest").then_some(())
    });
}

#[test]
fn two_zones_whose_lives_end_together_roll_one_after_the_other_and_the_canary_first() {
    let world = world("csk_lifetime = \"12s\"\n");
    world.write("mxseal.toml", &format!("{}[rolls]\ncanary = \"b.mx.example\"\n", world.read("mxseal.toml")));
    world.write("zones/b.mx.example.zone", &master("b.mx.example", "www A 192.0.2.81\n"));
    let mut server = world.serve("a.mx.example");
    let moment = |zone: &str, fact: &str| {
        let journal = world.read(&format!("keys/{zone}.mx.example/journal"));
        let line = journal.lines().find(|line| line.contains(fact))?.to_owned();
        let record: serde_json::Value = serde_json::from_str(&line[line.find('{')?..]).ok()?;
        record["time"].as_u64()
    };
    server.poll_until("the canary's roll", || moment("b", "\"roll_wanted\""));
    assert_eq!(moment("a", "\"roll_wanted\""), None, "it waits for the canary");
    let ended = server.poll_until("the end of the canary's roll", || moment("b", "\"key_removed\""));
    let began = server.poll_until("the roll of the other", || moment("a", "\"roll_wanted\""));
    assert!(began >= ended, "{began} {ended}");
}

#[test]
fn keys_of_another_server_are_those_of_a_new_zone() {
    if !has("dnssec-keygen") {
        return;
    }
    let world = world("");
    let mut server = world.serve("a.mx.example");
    std::fs::create_dir(world.path("bind")).unwrap();
    let keygen = ["-q", "-K", "bind", "-a", "ECDSAP256SHA256", "-f", "KSK", "b.mx.example"];
    let made = world.said("dnssec-keygen", &keygen);
    let tag: u64 = made.trim().rsplit('+').next().and_then(|tag| tag.parse().ok()).unwrap();
    let import = ["keys", "import", "b.mx.example", "bind", "--ttl", "1", "--life", "4s", "--from", "none"];
    world.said(mxseal(), &[&import[..], &["--dry-run"]].concat());
    assert_eq!(world.read("keys/b.mx.example/journal"), "", "a dry run brings nothing in");
    world.said(mxseal(), &import);
    assert_eq!(world.run(mxseal(), &import).status.code(), Some(4), "it has keys");
    world.write("zones/b.mx.example.zone", &master("b.mx.example", "www A 192.0.2.81\n"));
    server.poll_until("the zone with these keys", || {
        (tags(&status(&world, "b.mx.example"), &["active"]) == [tag]).then_some(())
    });
    let judge = Judge::start(world.at(0), "b.mx.example");
    world.said(mxseal(), &["keys", "roll", "b.mx.example"]);
    until_rolled(&mut server, &world, "b.mx.example", &[tag]);
    assert!(judge.ended() > 100);
}

/// Whether a zone answers with records of this type.
fn gives(world: &World, zone: &str, rtype: u16) -> bool {
    let reply = Ask::of(zone, rtype).once(world.at(0), PATIENCE).unwrap();
    reply.answer.iter().any(|record| record.rtype == rtype)
}

#[test]
fn a_zone_goes_insecure_when_two_people_want_it_and_is_signed_again_when_it_is_configured_so() {
    let world = world("");
    let config = world.read("mxseal.toml");
    let bare = format!("{config}[zone.\"a.mx.example\"]\nsigned = false\n");
    let mut server = world.serve("a.mx.example");
    let key = in_use(&world)[0];
    let roll = |more: &[&str]| world.run(mxseal(), &[&["keys", "roll", "a.mx.example", "--insecure"], more].concat());
    assert_eq!(roll(&[]).status.code(), Some(4), "the configuration wants it signed");
    world.write("mxseal.toml", &bare);
    assert_eq!(world.run(mxseal(), &["reload"]).status.code(), Some(4), "it has keys");
    let first = roll(&[]);
    let said = String::from_utf8_lossy(&first.stdout).into_owned() + &String::from_utf8_lossy(&first.stderr);
    assert_eq!(first.status.code(), Some(4), "{said}");
    let code = said.split("--confirm ").nth(1).map(|rest| rest.chars().take_while(char::is_ascii_hexdigit).collect());
    let code: String = code.unwrap();
    assert_eq!(roll(&["--confirm", "0000"]).status.code(), Some(4), "another code");
    assert!(roll(&["--confirm", &code]).status.success(), "{said}");
    server.poll_until("the unsigned zone", || (!gives(&world, "a.mx.example", wire::DNSKEY)).then_some(()));
    assert!(!gives(&world, "a.mx.example", wire::DS));
    world.said(mxseal(), &["reload"]);
    poll_idle(&server);
    server.kill();
    let mut server = world.serve("a.mx.example");
    assert!(!gives(&world, "a.mx.example", wire::DNSKEY), "it stays unsigned");
    let lost = Lost::new(&world, &format!("csk-13-{key:05}.pem"));
    world.write("mxseal.toml", &config);
    assert_eq!(world.run(mxseal(), &["reload"]).status.code(), Some(1), "its key is lost");
    assert!(gives(&world, "a.mx.example", wire::SOA) && !gives(&world, "a.mx.example", wire::DNSKEY));
    lost.restore(&world);
    world.said(mxseal(), &["reload"]);
    assert!(gives(&world, "a.mx.example", wire::DNSKEY));
    let until = server.poll_until("the wait for caches", || {
        let status = status(&world, "a.mx.example");
        assert_eq!(status["ds_wanted"].as_array().map(Vec::len), Some(0), "{status}");
        let waits = status["waits"].as_array().cloned().unwrap_or_default();
        waits.iter().find(|wait| wait["verb"] == "want-ds").and_then(|wait| wait["until"].as_u64())
    });
    assert!(until > mxseal::time::now().0 + 6 * 86_400, "what was served unsigned may have had any TTL: {until}");
    assert!(!gives(&world, "a.mx.example", wire::DS));
}

#[test]
fn s42_a_zone_deleted_in_mid_roll_and_made_again_goes_on_with_its_keys() {
    let world = world("csk_lifetime = \"unlimited\"\n");
    let mut server = world.serve("a.mx.example");
    let old = in_use(&world);
    world.said(mxseal(), &["keys", "roll", "a.mx.example"]);
    let created = |world: &World| world.read("keys/a.mx.example/journal").matches("\"key_created\"").count();
    server.poll_until("the new key", || (created(&world) == 2).then_some(()));
    std::fs::remove_file(world.path("zones/a.mx.example.zone")).expect("it was there");
    server.poll_until("its end", || {
        world.run(mxseal(), &["reload", "--allow-shrink"]);
        world.run(mxseal(), &["keys", "status", "a.mx.example"]).stdout.is_empty().then_some(())
    });
    world.write("zones/a.mx.example.zone", &master("a.mx.example", "www A 192.0.2.80\n"));
    server.poll_until("its return", || {
        let output = world.run(mxseal(), &["-o", "json", "keys", "status", "a.mx.example"]);
        let info: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        (!tags(&info, &["active"]).is_empty()).then_some(())
    });
    let judge = Judge::start(world.at(0), "a.mx.example");
    until_rolled(&mut server, &world, "a.mx.example", &old);
    assert_eq!(created(&world), 2, "no other key was made");
    assert!(judge.ended() > 10);
}

#[test]
fn s27_an_old_folder_of_a_zone_put_back_is_noticed_and_not_served_before_a_person_says_so() {
    let world = world("csk_lifetime = \"unlimited\"\n");
    let mut server = world.serve("a.mx.example");
    let copy = |from: &str, to: &str| {
        std::fs::remove_dir_all(world.path(to)).unwrap_or_default();
        let paths = [world.path(from), world.path(to)].map(|path| path.display().to_string());
        world.said("/bin/cp", &["-a", &paths[0], &paths[1]]);
    };
    copy("keys/a.mx.example", "backup");
    let old = in_use(&world);
    world.said(mxseal(), &["keys", "roll", "a.mx.example"]);
    until_rolled(&mut server, &world, "a.mx.example", &old);
    server.kill();
    copy("backup", "keys/a.mx.example");
    // The old keys are none that caches know: the zone is silent, where its parent serves on.
    server = world.serve("mx.example");
    let info = server.poll_until("the silence", || {
        let info = status(&world, "a.mx.example");
        (info["state"] == "silent").then_some(info)
    });
    assert!(info["blockers"][0]["what"].as_str().is_some_and(|what| what.contains("it is an old copy")), "{info:#}");
    let refused = world.run(mxseal(), &["keys", "resume", "a.mx.example"]);
    assert_eq!(refused.status.code(), Some(4));
    world.said(mxseal(), &["keys", "resume", "a.mx.example", "--serve-on", "--reason", "a test"]);
    server.poll_until("the doubt", || (status(&world, "a.mx.example")["state"] == "frozen").then_some(()));
    world.said(mxseal(), &["keys", "resume", "a.mx.example"]);
    server.poll_until("its end", || (status(&world, "a.mx.example")["state"] == "at rest").then_some(()));
}

#[test]
fn another_algorithm_in_a_policy_is_taken_up_at_the_reload() {
    let world = world("csk_lifetime = \"unlimited\"\n");
    let mut server = world.serve("a.mx.example");
    configure_shard(&world, "csk_lifetime = \"unlimited\"\nalgorithm = 15\n");
    world.run(mxseal(), &["reload"]);
    server.poll_until("a key of the other algorithm", || {
        let info = status(&world, "a.mx.example");
        let mut keys = info["keys"].as_array()?.iter();
        keys.any(|key| key["algorithm"] == 15).then_some(())
    });
}

#[test]
fn s20_a_zone_that_was_served_unsigned_before_a_restart_gets_its_ds_later() {
    let world = world("csk_lifetime = \"unlimited\"\n");
    let config = world.read("mxseal.toml");
    world.write("mxseal.toml", &format!("{config}\n[zone.\"a.mx.example\"]\nsigned = false\n"));
    let mut server = world.serve("mx.example");
    server.poll_until("unsigned answers", || {
        let reply = Ask::of("a.mx.example", wire::SOA).plain().once(world.at(0), PATIENCE)?;
        (reply.rcode == 0).then_some(())
    });
    server.kill();
    world.write("mxseal.toml", &config);
    let mut server = world.serve("a.mx.example");
    let journal = server.poll_until("its keys", || Some(world.read("keys/a.mx.example/journal")));
    let (bare, done) = (journal.find("served_unsigned"), journal.find("first_keys_done"));
    assert!(bare.is_some() && bare < done, "{journal}");
    server.poll_until("the DS", || {
        let info = status(&world, "a.mx.example");
        (!info["ds_wanted"].as_array()?.is_empty()).then_some(())
    });
}

/// A zone without keys to serve with has looks that are due for nobody: the server must rest all the same.
fn poll_idle(server: &Running) {
    // proc_pid_stat(5): user and system time in ticks of 10 ms, behind the name in parentheses.
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).expect("it runs");
        let words: Vec<u64> = stat
            .rsplit(')')
            .next()
            .into_iter()
            .flat_map(str::split_whitespace)
            .skip(11)
            .take(2)
            .filter_map(|word| word.parse().ok())
            .collect();
        words.iter().sum::<u64>()
    };
    let (begun, before) = (std::time::Instant::now(), ticks());
    while begun.elapsed() < std::time::Duration::from_secs(2) {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let used = ticks() - before;
    assert!(used < 60, "{used} ticks in two seconds");
}

#[test]
fn s25_a_disk_that_takes_facts_again_lets_a_roll_go_on_by_itself() {
    let world = world("csk_lifetime = \"unlimited\"\n");
    let mut server = world.serve("a.mx.example");
    let old = in_use(&world);
    world.said(mxseal(), &["keys", "roll", "a.mx.example"]);
    let journal = |world: &World| world.read("keys/a.mx.example/journal");
    server.poll_until("the switch", || journal(&world).contains("\"key_switched\"").then_some(()));
    // A folder of copies that others may use takes no fact after a start.
    let set_mode = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(world.path("keys/a.mx.example/copy"), mode).expect("it is ours");
    };
    server.kill();
    set_mode(0o755);
    let mut server = world.serve("a.mx.example");
    let info = server.poll_until("the blocker", || {
        let info = status(&world, "a.mx.example");
        let said = info["blockers"].to_string();
        said.contains("nothing can be recorded").then_some(said)
    });
    assert!(!journal(&world).contains("\"key_removed\""), "{info}");
    set_mode(0o700);
    until_rolled(&mut server, &world, "a.mx.example", &old);
}
