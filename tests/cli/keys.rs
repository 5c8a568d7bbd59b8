//! `mxseal keys` against a fake server, and what it does without one: simulate, export, import.

use crate::fake::{Place, zone};
use mxseal::dns::name::{Name, ROOT};
use mxseal::protocol::request::{Command as Asked, KeysRequest};
use mxseal::protocol::{
    BlockerInfo, Calendar, DoneInfo, ImportedKey, KeyBar, KeyInfo, KeyPhase, KeyRole, KeysInfo, KeysPlan, KeysStanding,
    ParentKind, ParentServerInfo, PlannedStep, Request, RollAsked, Story, Verb, WaitInfo,
};
use mxseal::roll::zone::facts::KeyLayout;
use mxseal::sign::foreign::read_foreign;
use mxseal::store::Store;
use mxseal::time::UnixTime;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const NOW: u64 = 1_795_338_000;
const DAY: u64 = 86_400;

fn key(tag: u16, role: KeyRole, phase: KeyPhase) -> KeyInfo {
    KeyInfo {
        tag,
        role,
        algorithm: 13,
        phase,
        created: NOW - 30 * DAY,
        published: Some(NOW - 20 * DAY),
        ds: (role != KeyRole::Zsk).then(|| format!("mx.example. IN DS {tag} 13 2 AABB")),
        dnskey: format!("mx.example. IN DNSKEY 257 3 13 {tag}=="),
        ..KeyInfo::default()
    }
}

fn rolling() -> KeysInfo {
    KeysInfo {
        zone: "mx.example.".to_owned(),
        state: KeysStanding::Rolling,
        snapshot: 48_213,
        policy: "registry".to_owned(),
        parent: ParentKind::Registry,
        keys: vec![
            KeyInfo {
                outgoing: Some("asked for by command".to_owned()),
                ..key(53594, KeyRole::Ksk, KeyPhase::Retiring)
            },
            key(3375, KeyRole::Ksk, KeyPhase::Active),
            key(17, KeyRole::Zsk, KeyPhase::Active),
        ],
        story: Story {
            done: vec![DoneInfo {
                at: NOW,
                text: "KSK 3375 published in DNSKEY, seen on the wire after 4 s".to_owned(),
            }],
            waits: vec![WaitInfo {
                verb: Verb::Remove,
                step: "remove KSK 53594 from DNSKEY".to_owned(),
                until: Some(NOW + 14 * DAY),
                why: "caches may still hold the DS of 53594".to_owned(),
            }],
            will: "remove KSK 53594 from DNSKEY".to_owned(),
            must: vec!["give the DS of 3375 to the registry".to_owned()],
            next_at: Some(NOW + 14 * DAY),
            ..Story::default()
        },
        ds_wanted: vec![3375],
        parent_servers: vec![ParentServerInfo {
            address: "192.0.2.1:53".to_owned(),
            ds: Some(vec![53594]),
            since: Some(NOW - DAY),
            ..ParentServerInfo::default()
        }],
        now: NOW,
        ..KeysInfo::default()
    }
}

fn planned() -> KeysPlan {
    let step = |at: u64, verb: Verb, text: &str| PlannedStep {
        at: NOW + at,
        verb,
        text: text.to_owned(),
        assumes: if verb == Verb::Remove {
            "the registry publishes the DS within a day".to_owned()
        } else {
            String::new()
        },
    };
    let calendar = Calendar {
        from: NOW,
        until: NOW + 400 * DAY,
        steps: vec![
            step(0, Verb::Publish, "publish the new KSK in DNSKEY"),
            step(30 * DAY, Verb::Remove, "remove KSK 53594 from DNSKEY"),
            step(60 * DAY, Verb::Destroy, "wipe the private half of KSK 53594"),
            step(90 * DAY, Verb::Begin, "begin to replace ZSK 17: the end of its life"),
        ],
        bars: vec![KeyBar {
            tag: None,
            role: KeyRole::Ksk,
            algorithm: 13,
            phases: vec![(NOW, KeyPhase::Rumoured), (NOW + 15 * DAY, KeyPhase::Active)],
        }],
        blockers: Vec::new(),
    };
    KeysPlan { zone: "mx.example.".to_owned(), calendar }
}

fn place() -> Place {
    let place = Place::new();
    {
        let mut world = place.world();
        world.status.zones = vec![zone("mx.example.", 0, true, None), zone("a-v1.mx.example.", 2, true, None)];
        world.keys = vec![rolling()];
        world.plans = vec![planned()];
    }
    place
}

#[test]
fn status_has_four_headings_that_never_mix_and_the_ds_in_three_forms() {
    let place = place();
    let out = place.run(&["keys", "status", "mx.example"]).ends(0).out;
    let line = |begin: &str| {
        let found = out.lines().find(|line| line.starts_with(begin));
        found.unwrap_or_else(|| unreachable!("{begin} is not in\n{out}")).to_owned()
    };
    assert!(line("zone mx.example    rolling").contains("serving snapshot 48213"), "{out}");
    assert!(
        line("  done").contains("2026-11-22 09:00:00 UTC ") && line("  done").contains("KSK 3375 published in DNSKEY"),
        "{out}"
    );
    assert!(
        line("  waiting").contains("until 2026-12-06 09:00 UTC ") && line("  waiting").contains("remove KSK 53594"),
        "{out}"
    );
    assert!(line("  waiting").ends_with("nobody needs to act"), "{out}");
    assert!(line("  you must").contains("give the DS of 3375 to the registry"), "{out}");
    assert!(line("  mxseal will").contains("(in 14 d)"), "{out}");
    assert!(line("    DS record").ends_with("mx.example. IN DS 3375 13 2 AABB"), "{out}");
    assert!(line("    DNSKEY record").contains("IN DNSKEY 257 3 13"), "{out}");
    assert!(line("    four fields").ends_with("key tag 3375, algorithm 13, digest type 2, digest AABB"), "{out}");
    assert!(line("53594").contains("retiring") && line("53594").contains("asked for by command"), "{out}");
    assert!(line("192.0.2.1:53").contains("53594"), "{out}");
    let object = place.run(&["keys", "status", "-o", "json"]).ends(0).object();
    assert_eq!(object["keys"][1]["tag"], 3375);
}

#[test]
fn status_without_anything_to_do_says_nothing_and_hands_no_ds_over() {
    let place = place();
    {
        let info = &mut place.world().keys[0];
        info.story = Story { must: Vec::new(), waits: Vec::new(), will: String::new(), ..info.story.clone() };
        info.parent_servers[0].ds = Some(vec![3375]);
    }
    let out = place.run(&["keys", "status"]).ends(0).out;
    assert_eq!(out.lines().filter(|line| line.trim_end().ends_with(" nothing")).count(), 3, "{out}");
    assert!(!out.contains("DS record") && !out.contains("192.0.2.1"), "{out}");
}

#[test]
fn status_ends_with_1_where_something_stands_in_the_way() {
    let place = place();
    place.world().keys[0].story.blockers = vec![BlockerInfo {
        what: "192.0.2.1:53 has no DS, although the zone had one there".to_owned(),
        fix: "have the registry publish it".to_owned(),
        freezes: true,
    }];
    let ran = place.run(&["keys", "status"]).ends(1);
    assert!(ran.out.contains("frozen by") && ran.err.is_empty(), "{}{}", ran.out, ran.err);
    place.run(&["keys", "status", "-o", "json"]).ends(1);
    place.world().keys[0].state = KeysStanding::Silent;
    let out = place.run(&["keys", "status", "mx.example"]).ends(1).out;
    assert!(out.contains("silent by") && !out.contains("frozen") && !out.contains("serving"), "{out}");
}

#[test]
fn an_unknown_zone_is_answered_with_the_nearest() {
    for arguments in
        [&["keys", "status", "mx.exampel"][..], &["keys", "plan", "mx.exampel"], &["keys", "roll", "mx.exampel"]]
    {
        let ran = place().run(arguments).ends(1);
        assert!(ran.err.contains("did you mean `mx.example`?"), "{}", ran.err);
    }
}

#[test]
fn the_plan_is_a_calendar_with_what_it_assumes() {
    let place = place();
    let out = place.run(&["keys", "plan", "mx.example", "--days", "90"]).ends(0).out;
    assert!(
        out.contains("2026-12-22 09:00 UTC     in 30 d  remove KSK 53594 from DNSKEY (if the registry publishes"),
        "{out}"
    );
    assert!(out.contains("`mxseal keys roll mx.example --emergency` waits for TTLs only"), "{out}");
    let asked = Request::Do(Asked::Keys(KeysRequest::Plan { zone: Some("mx.example.".to_owned()), days: 90 }));
    assert_eq!(place.world().asked.last(), Some(&asked));
    assert_eq!(place.run(&["keys", "plan", "-o", "json"]).ends(0).object()["steps"][3]["verb"], "begin");
    place.run(&["keys", "plan", "--days", "0"]).ends(2);
}

#[test]
fn the_plan_becomes_a_calendar_file_and_a_picture() {
    let place = place();
    place.run(&["keys", "plan", "--ics", "rolls.ics"]).ends(0);
    let ics = place.read("rolls.ics").expect("a file");
    assert_eq!(ics.matches("BEGIN:VEVENT\r\n").count(), 4);
    assert!(ics.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n") && ics.contains("DTSTART:20261222T090000Z\r\n"));
    let svg = place.run(&["keys", "plan", "--svg", "-"]).ends(0).out;
    assert!(svg.starts_with("<svg ") && svg.contains("to be made") && !svg.contains("<script"), "{svg}");
    let ran = place.run(&["keys", "plan", "--svg", "zones"]).ends(1);
    assert!(ran.err.contains("zones cannot be written: it is a folder"), "{}", ran.err);
    let ran = place.run(&["keys", "plan", "--svg", "nowhere/x.svg"]).ends(1);
    assert!(ran.err.contains("nowhere/x.svg cannot be written"), "{}", ran.err);
}

#[test]
fn a_roll_shows_its_steps_until_the_next_one_begins() {
    let place = place();
    let ran = place.run(&["keys", "roll", "mx.example", "--role", "ksk", "--dry-run"]).ends(0);
    assert!(ran.out.contains("it would go like this") && ran.out.contains("Nothing was changed."), "{}", ran.out);
    assert!(
        ran.out.contains("remove KSK 53594") && !ran.out.contains("ZSK 17") && !ran.out.contains("wipe"),
        "{}",
        ran.out
    );
    let roll = RollAsked { role: Some(KeyRole::Ksk), ..RollAsked::default() };
    let asked = Request::Do(Asked::Keys(KeysRequest::Roll { zone: "mx.example.".to_owned(), roll, dry_run: true }));
    assert_eq!(place.world().asked.last(), Some(&asked));
}

#[test]
fn a_refused_roll_is_exit_4_with_the_reason() {
    let place = place();
    place.world().refusal = Some("KSK 53594 is being replaced already; allowed from 2026-12-06 09:00 UTC".to_owned());
    assert!(place.run(&["keys", "roll", "mx.example"]).ends(4).err.contains("allowed from 2026-12-06"));
    let error = place.run(&["keys", "roll", "mx.example", "-o", "json"]).ends(4).error();
    assert_eq!(error["exit"], 4);
    for arguments in [["--emergency", "--back"], ["--insecure", "--back"], ["--confirm", "x"], ["--algorithm", "14"]] {
        let all = [&["keys", "roll", "mx.example"][..], &arguments].concat();
        place.run(&all).ends(2);
    }
}

#[test]
fn hold_and_resume_say_who_and_why_and_may_be_tried() {
    let place = place();
    let ran = place.run(&["keys", "hold", "mx.example", "--reason", "a move", "--dry-run"]).ends(0);
    assert!(ran.out.starts_with("Nothing was changed"), "{}", ran.out);
    let asked = Request::Do(Asked::Keys(KeysRequest::Hold {
        zone: "mx.example.".to_owned(),
        reason: "a move".to_owned(),
        dry_run: true,
    }));
    assert_eq!(place.world().asked.last(), Some(&asked));
    let ran = place.run(&["keys", "resume", "mx.example"]).ends(0);
    assert!(ran.out.starts_with("Nothing held the steps of this zone."), "{}", ran.out);
    place.world().keys[0].state = KeysStanding::Frozen;
    let ran = place.run(&["keys", "resume", "mx.example"]).ends(0);
    assert!(ran.out.starts_with("zone mx.example"), "{}", ran.out);
    place.run(&["keys", "resume", "mx.example", "--clock"]).ends(0);
    assert!(matches!(
        place.world().asked.last(),
        Some(Request::Do(Asked::Keys(KeysRequest::Resume { clock: true, dry_run: false, .. })))
    ));
    let led = place.run(&["keys", "lead", "--reason", "ns1 burnt down"]).ends(0);
    assert!(led.out.contains("This server leads now, and rolls go on. Ended: it is a copy."), "{}", led.out);
    let led = place.run(&["keys", "lead", "--reason", "ns1 burnt down", "--dry-run"]).ends(0);
    assert!(led.out.contains("Nothing was changed. It would end: it is a copy."), "{}", led.out);
    place.run(&["keys", "lead"]).ends(2);
    place.run(&["keys", "hold", "mx.example"]).ends(2);
    place.run(&["keys", "hold", "mx.example", "--reason", " "]).ends(2);
}

// --- files of keys ---

const ZONE_FILE: &str = "$TTL 300\n@ IN SOA ns1 hostmaster 1 3600 600 604800 300\n@ IN NS ns1\nns1 IN A 192.0.2.53\n";

/// A place in whose `keys/` the zone mx.example was signed.
fn signed(layout: KeyLayout, algorithm: u8) -> Place {
    let place = Place::without_server();
    place.write("zones/mx.example.zone", ZONE_FILE);
    let store = Store::open(&place.path("keys")).expect("a store");
    let apex = Name::parse("mx.example", ROOT).expect("a name");
    assert!(store.zone_keys(&apex, layout, algorithm, &[], UnixTime(NOW)).is_ok());
    place
}

#[test]
fn exported_keys_are_imported_again_by_file_and_by_folder() {
    for (form, end, algorithm) in [("bind", "private", 13), ("pem", "pem", 15)] {
        let from = signed(KeyLayout::KskAndZsk, algorithm);
        std::fs::create_dir(from.path("out")).expect("a folder");
        let objects = from
            .run(&["keys", "export", "mx.example", "--to", "out", "--format", form, "-o", "json"])
            .ends(0)
            .objects();
        assert_eq!(objects.len(), 3, "KSK, ZSK and the next ZSK");
        for name in from.files("out") {
            let mode = std::fs::metadata(from.path("out").join(&name)).expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let states = from.files("out").iter().filter(|name| name.ends_with(".state")).count();
        assert_eq!(states, if form == "bind" { 2 } else { 0 }, "of keys in use only");
        again(&from, end, algorithm);
        let ran = from.run(&["keys", "export", "mx.example", "--to", "out", "--format", form]).ends(1);
        assert!(ran.err.contains("is there already"), "{}", ran.err);
    }
}

/// Imports what was exported into `out`.
fn again(from: &Place, end: &str, algorithm: u8) {
    let to = place();
    let folder = from.path("out").display().to_string();
    let ran =
        to.run(&["keys", "import", "mx.example", &folder, "--ttl", "1h", "--life", "14d", "--from", "none"]).ends(0);
    assert_eq!(ran.out.matches("is whole").count(), 3, "{}", ran.out);
    let Some(Request::Do(Asked::Keys(KeysRequest::Import { keys, ttl: 3600, life, dry_run: false, .. }))) =
        to.world().asked.last().cloned()
    else {
        unreachable!("an import was asked for")
    };
    assert_eq!((keys.len(), life), (3, 14 * DAY));
    for ImportedKey { private, public, .. } in &keys {
        let public = public.as_ref().expect("a public file").as_bytes();
        let read = read_foreign(private.as_ref().expect("a private file").as_bytes(), Some(public)).expect("a pair");
        assert_eq!(read.algorithm, algorithm);
    }
    let files = from.files("out");
    let one = files.iter().find(|name| name.ends_with(end)).expect("a private file");
    let ran =
        to.run(&["keys", "import", "mx.example", &format!("{folder}/{one}"), "--dry-run", "--from", "none"]).ends(0);
    assert!(ran.out.contains("Nothing was changed"), "{}", ran.out);
    let ran = to.run(&["keys", "import", "a-v1.mx.example", &format!("{folder}/{one}"), "--from", "none"]).ends(1);
    assert!(
        ran.err.contains(one) && ran.err.contains("it is a key of mx.example., not of a-v1.mx.example."),
        "{}",
        ran.err
    );
}

#[test]
fn a_broken_key_file_is_named_and_a_public_one_alone_signs_nothing() {
    let from = signed(KeyLayout::Csk, 13);
    std::fs::create_dir(from.path("out")).expect("a folder");
    from.run(&["keys", "export", "mx.example", "--to", "out"]).ends(0);
    let name = from.files("out").into_iter().find(|name| name.ends_with(".private")).expect("a private file");
    let public = format!("out/{}", name.replace(".private", ".key"));
    let ran = from.run(&["keys", "import", "mx.example", &public, "--from", "none"]).ends(1);
    assert!(ran.err.contains("no private key"), "{}", ran.err);
    // Without a server it says how to start one, after the files were found good.
    let ran = from.run(&["keys", "import", "mx.example", &format!("out/{name}"), "--from", "none"]).ends(3);
    assert!(ran.err.contains("serve"), "{}", ran.err);
    std::fs::write(from.path("out").join(&name), "Private-key-format: v1.2\nAlgorithm: 13 (x)\n").expect("written");
    let ran = from.run(&["keys", "import", "mx.example", &format!("out/{name}"), "--from", "none"]).ends(1);
    assert!(ran.err.contains(&name), "{}", ran.err);
}

#[test]
fn an_export_of_what_is_not_there_says_so() {
    let from = signed(KeyLayout::Csk, 13);
    let ran = from.run(&["keys", "export", "mx.example", "--to", ".", "--tag", "0"]).ends(1);
    assert!(ran.err.contains("has no key 0"), "{}", ran.err);
    assert!(from.run(&["keys", "export", "mail.example", "--to", "."]).ends(1).err.contains("has no keys"));
    let ran = from.run(&["keys", "export", "mx.example", "--to", "nowhere"]).ends(1);
    assert!(ran.err.contains("nowhere is not a folder") && ran.err.contains("nothing was written"), "{}", ran.err);
    let ran = from.run(&["keys", "import", "mx.example", "mxseal.toml"]).ends(1);
    assert!(ran.err.contains("mxseal.toml is no private key"), "{}", ran.err);
    assert!(from.run(&["keys", "import", "mx.example", "nofile"]).ends(1).err.contains("nofile cannot be read"));
}

#[test]
fn the_ds_wanted_is_printed_without_a_server() {
    let place = signed(KeyLayout::KskAndZsk, 13);
    let out = place.run(&["zone", "ds", "mx.example"]).ends(0).out;
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(out.starts_with("mx.example. 3600 IN DS "), "{out}");
}

// --- simulation ---

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

#[test]
fn years_of_the_demo_world_are_simulated_without_a_server() {
    let place = Place::without_server();
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    copy(&home.join("zones"), &place.path("zones"));
    std::fs::copy(home.join("mxseal.toml"), place.path("mxseal.toml")).expect("copied");
    let arguments =
        ["keys", "simulate", "mx.example", "--years", "1", "--seed", "7", "--crash", "--clock", "--lose-parent"];
    let ran = place.run(&arguments).ends(0);
    assert!(ran.out.starts_with("good mx.example: 1 years, ") && ran.err.is_empty(), "{}{}", ran.out, ran.err);
    let again = |_| place.run(&[&arguments[..], &["-o", "json"]].concat()).ends(0).object();
    let [one, two] = [0, 1].map(again);
    assert_eq!((&one["zone"], &one["bogus"], &one["stuck"]), (&"mx.example.".into(), &0.into(), &0.into()));
    assert!(one["steps"].as_u64() > Some(100) && one["seconds"].is_f64() && one["steps_per_second"].is_f64());
    assert_eq!(
        [&one["steps"], &one["rolls"], &one["crashes"]],
        [&two["steps"], &two["rolls"], &two["crashes"]],
        "one seed"
    );
    assert!(place.files("keys").is_empty(), "nothing was written");
    let ran = place.run(&["keys", "simulate", "mx.exampel"]).ends(1);
    assert!(ran.err.contains("did you mean `mx.example`?"), "{}", ran.err);
}

#[test]
fn a_zone_with_a_journal_is_simulated_from_where_it_is() {
    let place = signed(KeyLayout::KskAndZsk, 13);
    let ran = place.run(&["keys", "simulate", "--years", "1", "--timeline"]).ends(0);
    assert!(ran.out.contains("good mx.example: 1 years"), "{}", ran.out);
    assert!(ran.out.contains("begin to replace ZSK"), "{}", ran.out);
}
