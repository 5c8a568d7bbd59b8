//! The cases that a watcher must survive (operators.md § 7), part one: single files.
//!
//! Each shows what is answered before, during and after, and that the commands give the reason.

use crate::server::*;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

/// More than a busy machine takes. What the watch missed would not be answered at all: nothing scans by itself later.
const AT_ONCE: Duration = Duration::from_secs(10);
/// How often two servers are compared before one of them counts as slower.
const TRIES: u32 = 10;

#[test]
fn case_01_a_file_renamed_over_the_name_is_answered_at_once() {
    let server = Server::started();
    let mut slowest = Duration::ZERO;
    for i in 0..20 {
        let (pool, answer) = if i % 2 == 0 { ("us", US) } else { ("eu", EU) };
        server.place(&at("x.toml"), toml("x.example", pool));
        slowest = slowest.max(server.eventually("x-example", answer));
    }
    println!("slowest of 20 renames: {slowest:?}");
    assert!(slowest < AT_ONCE, "{slowest:?}");
    assert_eq!(server.tenant("x.example"), ("served".to_owned(), String::new()));
}

#[test]
fn a_rename_costs_the_same_beside_many_tenants() {
    let median = |server: &Server| {
        let mut took: Vec<Duration> = (0..15)
            .map(|i| {
                let (pool, answer) = if i % 2 == 0 { ("us", US) } else { ("eu", EU) };
                server.place(&at("x.toml"), toml("x.example", pool));
                server.eventually("x-example", answer)
            })
            .collect();
        took.sort();
        took.get(7).copied().expect("fifteen")
    };
    let (few, many) = (Server::started(), Server::started());
    // Both are measured one after the other, so that what else the machine does slows both down; and again where it
    // slowed one of them down alone.
    let costs_the_same = |beside: &str| {
        let same = |_| {
            let (alone, crowded) = (median(&few), median(&many));
            println!("a rename beside 1 tenant: {alone:?}, beside {beside}: {crowded:?}");
            crowded < alone * 4 + Duration::from_millis(30)
        };
        assert!((0..TRIES).any(same), "a rename costs more beside {beside}, {TRIES} times");
    };
    for file in 0..4 {
        let lines: String = (0..5_000).map(|i| line(&format!("m{i}.f{file}.example"), "eu")).collect();
        many.place(&at(&format!("many{file}.ndjson")), lines);
        many.eventually(&format!("m4999-f{file}-example"), EU);
    }
    costs_the_same("20,000");
    // Nor does it cost more that thousands are last good.
    many.place(&at("many0.ndjson"), "{\"domain\":\"m0.f0.ex");
    many.until("they are last good", |server| server.metric("mxseal_tenants{state=\"last_good\"}") >= 5_000.0);
    costs_the_same("20,000, 5,000 of them last good");
}

#[test]
fn case_02_a_file_renamed_in_from_another_folder_is_answered_at_once() {
    let server = Server::started();
    assert_eq!(server.address("new-example"), GONE);
    server.write("stage/new.toml", toml("new.example", "us"));
    fs::rename(server.path("stage/new.toml"), server.path(&at("new.toml"))).expect("renamed");
    let took = server.eventually("new-example", US);
    println!("renamed in: {took:?}");
    assert!(took < AT_ONCE, "{took:?}");
}

#[test]
fn case_03_a_file_truncated_and_written_in_place_never_loses_its_tenant() {
    let server = Server::started();
    let steady = server.steadily("x-example");
    let path = server.path(&at("x.toml"));
    let mut file = OpenOptions::new().write(true).truncate(true).open(path).expect("opened");
    file.write_all(b"domain = \"x.exa").expect("written");
    server.after("meanwhile");
    assert_eq!(server.tenant("x.example"), ("served".to_owned(), String::new()), "who writes it is at work");
    file.write_all(b"mple\"\npool = \"us\"\n").expect("written");
    drop(file);
    server.eventually("x-example", US);
    assert_eq!(steady.answers(), [EU, US]);
    server.until("all is well", |server| server.codes().is_empty());
}

#[test]
fn a_master_file_that_is_written_slowly_or_left_inside_of_a_line_is_never_served_in_part() {
    let server = Server::started();
    let hosts: String = (0..200).map(|i| format!("h{i} 300 A 192.0.2.{}\n", i % 250 + 1)).collect();
    let whole = format!("{MASTER}{hosts}");
    server.place("zones/a.mx.example.zone", &whole);
    let (inside, last) = ("NOERROR A 192.0.2.150", "NOERROR A 192.0.2.200");
    server.eventually("h199", last);
    let cuts = [whole.find("h100 "), whole.find("h149 300 A 192.0.2.150").map(|at| at + "h149 300 A 192.0.2.15".len())];
    let steady = [server.steadily("h149"), server.steadily("h199")];
    for (round, cut) in cuts.into_iter().enumerate() {
        let (first, rest) = whole.split_at(cut.expect("it is there"));
        let mut file = File::create(server.path("zones/a.mx.example.zone")).expect("truncated");
        file.write_all(first.as_bytes()).expect("written");
        // More than the time for quiet: other files came and were answered.
        for marker in 0..3 {
            server.after(&format!("slow{round}-{marker}"));
        }
        file.write_all(format!("{rest}new{round} 300 A 192.0.2.26\n").as_bytes()).expect("written");
        drop(file);
        server.eventually(&format!("new{round}"), US);
    }
    // A writer that ends inside of a line leaves what nobody can tell from a whole one.
    let (first, _) = whole.split_at(cuts[1].expect("it is there"));
    server.write("zones/a.mx.example.zone", first);
    server.until("the reason is told", |server| server.codes().contains(&"MX2006".to_owned()));
    assert_eq!(server.run(&["check"]).ends(1).out.matches("MX2006").count(), 1);
    server.write("zones/a.mx.example.zone", &whole);
    server.until("all is well", |server| server.codes().is_empty());
    let [inside_seen, last_seen] = steady.map(Steady::answers);
    assert_eq!((inside_seen, last_seen), (vec![inside.to_owned()], vec![last.to_owned()]));
}

#[test]
fn case_04_a_file_that_stays_half_written_keeps_all_its_tenants() {
    let server = Server::started();
    server.place(&at("bulk.ndjson"), line("x1.example", "eu") + &line("x2.example", "eu"));
    server.eventually("x2-example", EU);
    server.place(&at("bulk.ndjson"), line("x1.example", "us") + "{\"domain\":\"x2.ex");
    server.shows_last_good("x2.example", "the last line has no end");
    server.eventually("x1-example", US);
    assert_eq!(server.address("x2-example"), EU);
    assert_eq!(server.run(&["check"]).ends(1).out.matches("MX4201").count(), 1);
    server.place(&at("bulk.ndjson"), line("x1.example", "us") + &line("x2.example", "us"));
    server.eventually("x1-example", US);
    server.eventually("x2-example", US);
}

#[test]
fn in_every_format_a_last_line_without_its_end_is_told_and_heals_when_the_end_arrives() {
    let mut server = Server::started();
    let own = toml("x.example", "us");
    server.place(&at("x.toml"), own.trim_end());
    server.shows_last_good("x.example", "the last line has no end");
    server.place("zones/pools.toml", pools().replace("192.0.2.25", "192.0.2.27").trim_end());
    server.until("the pools are told", |server| server.codes().contains(&"MX3204".to_owned()));
    assert_eq!(server.address("x-example"), EU);
    let check = server.run(&["check"]).ends(1);
    for (code, place) in [("MX4201", "x.toml:2:1"), ("MX3204", "pools.toml:")] {
        assert_eq!(check.out.matches(code).count(), 1, "{}", check.out);
        assert!(check.out.contains(place), "{}", check.out);
    }
    server.place("zones/pools.toml", pools());
    server.place(&at("x.toml"), own);
    server.eventually("x-example", US);
    server.until("all is well", |server| server.codes().is_empty());
    // The configuration: the running server goes on with what it has, and `check` and `serve` refuse it alike.
    let config = fs::read_to_string(server.path("mxseal.toml")).expect("read");
    server.write("mxseal.toml", config.trim_end());
    server.signal("HUP");
    server.until("SIGHUP is refused", |server| server.log().contains("the last line has no end"));
    assert_eq!(server.address("x-example"), US);
    let check = server.run(&["check"]).ends(1);
    assert!(format!("{}{}", check.out, check.err).contains("MX1024"), "{}{}", check.out, check.err);
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    let refused = server.refuses(&[]);
    assert!(refused.code == Some(1) && refused.err.contains("MX1024"), "{}", refused.err);
    server.write("mxseal.toml", config);
    assert_eq!(server.run(&["check"]).code, Some(0));
    server.start();
    server.eventually("x-example", US);
}

#[test]
fn case_05_lines_appended_to_a_file_are_answered_one_after_the_other() {
    let server = Server::started();
    let path = server.path(&at("bulk.ndjson"));
    for i in 0..5 {
        let mut file = OpenOptions::new().create(true).append(true).open(&path).expect("opened");
        file.write_all(line(&format!("b{i}.example"), "us").as_bytes()).expect("appended");
        drop(file);
        server.eventually(&format!("b{i}-example"), US);
        assert_eq!(server.address("b0-example"), US);
    }
}

#[test]
fn case_06_what_editors_leave_behind_is_nobodys_tenant() {
    let server = Server::started();
    let names = [
        ".x.toml.swp",
        "4913",
        "x.toml~",
        ".#x.toml",
        "x.toml.tmp",
        "x.toml.part",
        "x.toml.dpkg-new",
        ".x.toml.Xa81kq",
    ];
    for name in names {
        server.place(&at(name), toml("dropping.example", "us"));
    }
    server.after("later");
    assert_eq!(server.address("dropping-example"), GONE);
    assert!(server.codes().is_empty());
    server.run(&["check"]).ends(0);
}

#[test]
fn case_07_an_editor_that_moves_the_old_file_away_never_makes_the_name_vanish() {
    let server = Server::started();
    let steady = server.steadily("x-example");
    fs::rename(server.path(&at("x.toml")), server.path(&at("x.toml~"))).expect("renamed");
    server.write(&at("x.toml"), toml("x.example", "us"));
    server.remove(&at("x.toml~"));
    server.eventually("x-example", US);
    assert_eq!(steady.answers(), [EU, US]);
}

#[test]
fn case_11_a_change_through_another_name_of_the_same_file_is_found_by_a_scan() {
    let server = Server::started();
    server.write("stage/other", toml("hard.example", "eu"));
    fs::hard_link(server.path("stage/other"), server.path(&at("hard.toml"))).expect("linked");
    server.eventually("hard-example", EU);
    server.write("stage/other", toml("hard.example", "us"));
    server.run(&["reload"]).ends(0);
    server.eventually("hard-example", US);
}

#[test]
fn case_19_other_octets_are_seen_whatever_time_and_size_say() {
    let server = Server::started();
    let path = server.path(&at("x.toml"));
    let old = fs::metadata(&path).expect("stat");
    // The same size, and the same time of change.
    server.write("stage/next", toml("x.example", "us"));
    let next = fs::File::options().write(true).open(server.path("stage/next")).expect("opened");
    next.set_modified(old.modified().expect("a time")).expect("set");
    assert_eq!(next.metadata().expect("stat").len(), old.len());
    fs::rename(server.path("stage/next"), &path).expect("renamed");
    // Renamed before it is closed: what is buffered may not be in it yet.
    server.after("renamed");
    assert_eq!(server.address("x-example"), EU);
    drop(next);
    server.eventually("x-example", US);
    // In place, with a time long ago.
    server.write(&at("x.toml"), toml("x.example", "eu"));
    let file = fs::File::options().write(true).open(&path).expect("opened");
    file.set_modified(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1)).expect("set");
    drop(file);
    server.eventually("x-example", EU);
}

#[test]
fn case_20_of_two_files_that_define_one_tenant_the_served_one_stays_and_both_are_named() {
    let server = Server::started();
    server.place(&at("a-second.toml"), toml("X.Example.", "us"));
    server.until("it is reported", |server| server.codes().contains(&"MX4203".to_owned()));
    assert_eq!(server.address("x-example"), EU);
    let status = server.run(&["status"]).ends(1);
    assert!(status.out.contains("x.toml:1") && status.out.contains("a-second.toml:1"), "{}", status.out);
    let shown = server.json(&["tenant", "show", "x.example"]);
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert!(server.metric("mxseal_tenants{state=\"broken\"}") >= 1.0);
    server.place(&at("u.toml"), toml("bücher.example", "eu"));
    // The name of the A-label, since dashes in the third and fourth place belong to A-labels (RFC 5890 § 2.3.1).
    let endpoint = "xn-bcher-kva-example-970ca6b73eaf2630";
    server.eventually(endpoint, EU);
    server.place(&at("v.toml"), toml("xn--bcher-kva.example", "us"));
    server.until("it is reported", |server| server.codes().len() == 2);
    assert_eq!(server.address(endpoint), EU);
    server.remove(&at("x.toml"));
    server.eventually("x-example", US);
}

#[test]
fn case_21_odd_octets_hurt_only_their_own_tenant() {
    let server = Server::started();
    let lines = "domain = \"crlf.example\"\r\npool = \"us\"\r\n";
    server.place(&at("crlf.toml"), format!("\u{feff}{lines}"));
    server.eventually("crlf-example", US);
    let long = format!("{{\"domain\":\"long.example\",\"pool\":\"{}\"}}\n", "x".repeat(10 << 20));
    let broken: [(&str, Vec<u8>); 3] =
        [("NUL", b"domain = \"x.example\"\0".to_vec()), ("UTF-8", b"\xff\xfe\xff".to_vec()), ("domain", Vec::new())];
    for (reason, octets) in broken {
        server.place(&at("x.toml"), octets);
        server.shows_last_good("x.example", reason);
    }
    server.place(&at("long.ndjson"), long + &line("after.example", "us"));
    server.until("the long line is reported", |server| {
        server.codes().iter().any(|code| code == "MX6007" || code == "MX4012")
    });
    server.after("later");
    server.place(&at("x.toml"), toml("x.example", "us"));
    server.eventually("x-example", US);
}

#[test]
fn case_22_files_that_may_not_be_read_or_that_anybody_may_write_are_refused() {
    let server = Server::started();
    let path = server.path(&at("x.toml"));
    let mode = |mode: u32| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
    mode(0o000);
    server.shows_last_good("x.example", "cannot be read");
    mode(0o644);
    server.until("it is well again", |server| server.tenant("x.example").0 == "served");
    mode(0o666);
    server.shows_last_good("x.example", "chmod");
    mode(0o644);
    server.until("it is well again", |server| server.codes().is_empty());
    server.write("secret.toml", toml("secret.example", "us"));
    link("../../secret.toml", &server.path(&at("secret.toml")));
    server.until("it is reported", |server| server.codes().contains(&"MX6003".to_owned()));
    assert_eq!(server.address("secret-example"), GONE);
    server.run(&["check"]).ends(1);
    server.remove(&at("secret.toml"));
    server.until("it is well again", |server| server.codes().is_empty());
}

#[test]
fn case_23_in_a_storm_nobody_waits_and_the_newest_state_wins() {
    let server = Server::started();
    let steady = server.steadily("x-example");
    let begun = Instant::now();
    for round in 0..3_000u32 {
        server.place(&at("x.toml"), toml("x.example", if round % 2 == 0 { "us" } else { "eu" }));
        server.write(&at(&format!("s{}.toml", round % 50)), toml(&format!("s{}.example", round % 50), "us"));
    }
    println!("6000 changes in {:?}", begun.elapsed());
    server.place(&at("x.toml"), toml("x.example", "us"));
    server.eventually("x-example", US);
    for i in 0..50 {
        server.eventually(&format!("s{i}-example"), US);
    }
    assert_eq!(steady.answers(), [EU, US], "never anything else");
    assert!(server.codes().is_empty());
}

#[test]
fn case_24_deleted_and_made_again_at_once_is_never_denied() {
    let server = Server::started();
    let steady = server.steadily("x-example");
    for i in 0..10 {
        let pool = if i % 2 == 0 { "us" } else { "eu" };
        server.remove(&at("x.toml"));
        server.write(&at("x.toml"), toml("x.example", pool));
        server.eventually("x-example", if pool == "us" { US } else { EU });
    }
    assert_eq!(steady.answers(), [EU, US]);
    server.remove(&at("x.toml"));
    server.eventually("x-example", GONE);
}

#[test]
fn case_25_changes_while_the_server_is_down_count_and_last_good_outlives_kill() {
    let mut server = Server::started();
    server.place(&at("y.toml"), toml("y.example", "eu"));
    server.eventually("y-example", EU);
    server.place(&at("x.toml"), "broken");
    server.shows_last_good("x.example", "x.toml:1");
    server.kill();
    server.place(&at("y.toml"), toml("y.example", "us"));
    server.place(&at("new.toml"), toml("new.example", "us"));
    server.start();
    assert_eq!([server.address("y-example"), server.address("new-example")], [US, US]);
    server.shows_last_good("x.example", "x.toml:1");
    server.kill();
    server.place(&at("x.toml"), toml("x.example", "us"));
    server.start();
    assert_eq!(server.address("x-example"), US);
    assert!(server.codes().is_empty());
}

#[test]
fn case_25_a_pool_that_changed_while_the_server_was_down_is_a_move_between_pools() {
    let mut server = Server::prepared();
    let pool = |name: &str, address: &str, key: &str| {
        format!("[{name}]\naddresses = [\"{address}\"]\ntlsa = [\"3 1 1 {}\"]\n", key.repeat(32))
    };
    let pools = pool("eu", "192.0.2.25", "1b") + &pool("us", "192.0.2.26", "2c");
    server.write("zones/pools.toml", &pools);
    server.start();
    server.eventually("x-example", EU);
    let tlsa = |server: &Server| server.ask("_25._tcp.x-example.a.mx.example", "TLSA");
    assert!(tlsa(&server).contains("1b1b") && !tlsa(&server).contains("2c2c"));
    // At a start answers come first, and where tenants are is kept right after.
    let kept = server.path("keys/a.mx.example/tenant-pools");
    server.until("it is kept where tenants are", |_| {
        std::fs::read_to_string(&kept).is_ok_and(|text| text.contains("\nx.example eu"))
    });
    server.kill();
    server.write(&at("x.toml"), toml("x.example", "us"));
    server.start();
    // Caches hold the TLSA of `eu` alone: the union first, then addresses.
    for _ in 0..2 {
        assert_eq!(server.address("x-example"), EU);
        assert!(tlsa(&server).contains("1b1b") && tlsa(&server).contains("2c2c"), "{}", tlsa(&server));
        assert_eq!(server.tenant("x.example").0, "served");
        server.kill();
        // The pool that it comes from may be in no file any more.
        server.write("zones/pools.toml", pool("us", "192.0.2.26", "2c"));
        server.start();
    }
    assert!(server.path("keys/a.mx.example/tenant-pools").exists());
}
