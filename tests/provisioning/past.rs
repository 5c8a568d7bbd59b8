//! What was published outlives the folder of its zone: no key is ever made in place of those that the world may hold.

use crate::server::*;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const SHARD: &str = "keys/a.mx.example";

/// Moves a folder or a file, in place of what has that name.
fn moved(server: &Server, from: &str, to: &str) {
    replaced(server, to, || fs::rename(server.path(from), server.path(to)));
}

/// Puts something where a folder may be, which a running server may make anew meanwhile: then once more.
fn replaced(server: &Server, path: &str, put: impl Fn() -> std::io::Result<()>) {
    server.until("nothing in the way", |server| {
        if server.path(path).is_dir() {
            server.clear(path);
        }
        put().is_ok()
    });
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).expect("closed");
    for entry in fs::read_dir(from).expect("read") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copied(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}

/// Key files anywhere below `keys/` of a zone.
fn key_files(server: &Server, zone: &str) -> Vec<PathBuf> {
    let folder = server.path(&format!("keys/{zone}"));
    let entries = fs::read_dir(&folder).into_iter().flatten();
    entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.extension().is_some()).collect()
}

/// What the world may hold of the shard: its DNSKEY, and its DS at the parent served here.
fn published(server: &Server) -> (String, String) {
    (server.ask("a.mx.example", "DNSKEY"), server.ask("a.mx.example", "DS"))
}

/// The shard is silent for this reason, its DS stays, and no key was made.
#[track_caller]
fn is_silent(server: &Server, ds: &str, reason: &str) {
    server.until("the silence", |server| server.address("x-example") == "SERVFAIL");
    assert_eq!(server.ask("a.mx.example", "DNSKEY"), "SERVFAIL");
    assert_eq!(server.ask("a.mx.example", "DS"), ds, "the parent keeps what it had");
    assert_eq!(server.ask("ns.mx.example", "A"), "NOERROR A 192.0.2.53", "others go on");
    assert_eq!(key_files(server, "a.mx.example"), Vec::<PathBuf>::new(), "no key is made");
    for command in [&["status"][..], &["keys", "status", "a.mx.example"], &["check"]] {
        let ran = server.run(command).ends(1);
        assert!((ran.out.clone() + &ran.err).contains(reason), "{command:?}: {}{}", ran.out, ran.err);
    }
    let more = server.run(&["keys", "roll", "a.mx.example"]).ends(4);
    assert!(more.err.contains(reason), "{}", more.err);
}

/// The number of a user that is no root.
fn nobody() -> u32 {
    let said = std::process::Command::new("id").args(["-u", "nobody"]).output().expect("id runs").stdout;
    String::from_utf8(said).expect("text").trim().parse().expect("a number")
}

#[test]
fn a_record_that_the_servers_user_may_not_read_is_not_taken_for_none() {
    let mut server = Server::prepared();
    let config = fs::read_to_string(server.path("mxseal.toml")).expect("read");
    server.write("mxseal.toml", config.replace("workers = 1\n", "workers = 1\nuser = \"nobody\"\n"));
    fs::set_permissions(server.path(""), fs::Permissions::from_mode(0o755)).expect("opened");
    fs::create_dir(server.path("keys")).expect("made");
    fs::set_permissions(server.path("keys"), fs::Permissions::from_mode(0o700)).expect("closed");
    let give = |server: &Server, paths: &[&str], user: u32| {
        paths.iter().for_each(|path| std::os::unix::fs::chown(server.path(path), Some(user), None).expect("given"));
    };
    let both = ["keys/.records", "keys/copy/.records"];
    give(&server, &["keys"], nobody());
    server.start();
    server.eventually("x-example", EU);
    let before = published(&server);
    server.stop();
    // As a backup that root has restored leaves them.
    give(&server, &both, 0);
    server.start();
    server.eventually("x-example", EU);
    assert_eq!(published(&server), before, "zones with keys are served");
    server.until("it is told", |server| server.codes().contains(&"MX5532".to_owned()));
    let said = server.run(&["status"]).ends(1).out;
    assert!(
        said.contains("keys/.records cannot be read (Permission denied") && said.contains("keys/.records\n"),
        "{said}"
    );
    server.write("zones/b.mx.example.zone", MASTER);
    server.until("the zone without keys is silent", |server| server.codes().contains(&"MX5032".to_owned()));
    assert_eq!(server.ask("b.mx.example", "SOA"), "SERVFAIL");
    assert_eq!(key_files(&server, "b.mx.example"), Vec::<PathBuf>::new(), "no key is made");
    give(&server, &both, nobody());
    server.run(&["reload"]);
    server.until("its keys", |server| server.ask("b.mx.example", "SOA").starts_with("NOERROR"));
    assert!(!server.codes().contains(&"MX5532".to_owned()));
    assert_eq!(published(&server), before);
}

#[test]
fn a_zone_whose_folder_is_gone_is_silent_whatever_the_configuration_says() {
    let mut server = Server::started();
    let before = published(&server);
    server.stop();
    moved(&server, SHARD, "away");
    for (how, config) in [("signed", ""), ("unsigned", "[zone.\"a.mx.example\"]\nsigned = false\n")] {
        server.configure(config);
        server.start();
        is_silent(&server, &before.1, "are gone");
        // An empty folder is no first start.
        fs::create_dir_all(server.path(SHARD)).expect("made");
        fs::set_permissions(server.path(SHARD), fs::Permissions::from_mode(0o700)).expect("closed");
        server.run(&["reload"]);
        is_silent(&server, &before.1, "are gone");
        // Its file is away for a while.
        moved(&server, "zones/a.mx.example.zone", "zone.away");
        server.run(&["reload"]);
        moved(&server, "zone.away", "zones/a.mx.example.zone");
        server.run(&["reload"]);
        is_silent(&server, &before.1, "are gone");
        server.stop();
        assert_eq!(key_files(&server, "a.mx.example"), Vec::<PathBuf>::new(), "{how}");
        server.clear(SHARD);
    }
    server.configure("");
    server.start();
    is_silent(&server, &before.1, "are gone");
    moved(&server, "away", SHARD);
    server.run(&["reload"]).ends(0);
    server.eventually("x-example", EU);
    assert_eq!(published(&server), before);
}

#[test]
fn a_folder_that_goes_under_a_running_server_makes_no_key_and_comes_back() {
    let mut server = Server::started();
    let before = published(&server);
    moved(&server, SHARD, "away");
    // Another folder may have its name: another part of the server makes one, to keep something there.
    fs::create_dir(server.path(SHARD)).expect("made");
    fs::set_permissions(server.path(SHARD), fs::Permissions::from_mode(0o700)).expect("closed");
    for more in ["", "[zone.\"a.mx.example\"]\nsigned = false\n"] {
        server.configure(more);
        server.run(&["reload"]);
        assert_eq!(published(&server), before, "it has its keys in memory");
    }
    server.configure("");
    server.run(&["reload"]);
    server
        .until("that is told", |server| server.run(&["status"]).out.contains("a.mx.example: nothing can be recorded"));
    server.run(&["keys", "hold", "a.mx.example", "--reason", "a test"]).ends(1);
    server.run(&["keys", "roll", "a.mx.example"]);
    assert_eq!(published(&server), before);
    assert_eq!(key_files(&server, "a.mx.example"), Vec::<PathBuf>::new());
    moved(&server, "away", SHARD);
    server.run(&["reload"]).ends(0);
    server.until("it is well", |server| server.run(&["keys", "status", "a.mx.example"]).code == Some(0));
    assert_eq!(published(&server), before);
    moved(&server, SHARD, "away");
    server.stop();
    server.start();
    is_silent(&server, &before.1, "are gone");
}

#[test]
fn a_person_may_have_new_keys_made_where_the_old_ones_are_lost() {
    let mut server = Server::started();
    let before = published(&server);
    let asked = &["keys", "resume", "a.mx.example", "--new-keys", "--reason", "no backup"];
    server.run(asked).ends(4).says("only for a zone that is silent");
    server.stop();
    server.clear(SHARD);
    server.start();
    is_silent(&server, &before.1, "are gone");
    server.run(&["keys", "resume", "a.mx.example", "--new-keys"]).ends(2);
    server.run(&["keys", "resume", "a.mx.example", "--new-keys", "--reason", "no backup", "--dry-run"]).ends(0);
    is_silent(&server, &before.1, "are gone");
    server.run(asked).ends(0);
    server.eventually("x-example", EU);
    let after = published(&server);
    assert!(after.0 != before.0 && after.1 != before.1);
    let journal = fs::read_to_string(server.path(&format!("{SHARD}/journal"))).expect("a journal");
    assert!(journal.contains("in place of those that are gone: no backup"), "{journal}");
    server.stop();
    server.start();
    server.eventually("x-example", EU);
    assert_eq!(published(&server), after, "that outlives a restart");
}

#[test]
fn a_record_of_what_was_published_that_is_damaged_makes_no_keys_and_stops_nobody() {
    let mut server = Server::started();
    let before = published(&server);
    server.stop();
    let whole = fs::read(server.path("keys/.records")).expect("a record");
    let both = ["keys/.records", "keys/copy/.records"];
    let newer = String::from_utf8_lossy(&whole).replacen("#mxseal-kept 1", "#mxseal-kept 2", 1).into_bytes();
    let torn = whole[..whole.len() / 2].to_vec();
    let swapped = String::from_utf8_lossy(&whole).replace("a.mx.example", "b.mx.example").into_bytes();
    for (what, octets) in [("newer", newer), ("torn", torn.clone()), ("swapped", swapped), ("empty", Vec::new())] {
        both.iter().for_each(|file| fs::write(server.path(file), &octets).expect("written"));
        server.place("zones/b.mx.example.zone", MASTER);
        server.start();
        server.eventually("x-example", EU);
        assert_eq!(published(&server), before, "{what}: who has keys is served");
        assert_eq!(server.ask("www.b.mx.example", "A"), "SERVFAIL", "{what}: who has none is not");
        let keys = key_files(&server, "b.mx.example");
        assert!(keys.is_empty() && !server.path("keys/b.mx.example/journal").exists(), "{what}: {keys:?}");
        server.until("a voice", |server| server.codes().contains(&"MX5531".to_owned()));
        let status = server.run(&["status"]).ends(1).out;
        assert!(status.contains("nobody knows whether it was published"), "{what}: {status}");
        both.iter()
            .for_each(|file| assert_eq!(fs::read(server.path(file)).expect("read"), octets, "{what}: left alone"));
        server.stop();
    }
    // One good file is enough; the other is written anew.
    fs::write(server.path(both[0]), &torn).expect("written");
    fs::write(server.path(both[1]), &whole).expect("written");
    server.start();
    server.until("the new zone", |server| server.ask("www.b.mx.example", "A") == "NOERROR A 192.0.2.80");
    server.until("a word", |server| server.codes().contains(&"MX5533".to_owned()));
    let [one, other] = both.map(|file| fs::read(server.path(file)).expect("read"));
    assert!(one == other && one.len() > whole.len());
}

#[test]
fn the_record_of_the_version_before_is_read_and_replaced() {
    let mut server = Server::started();
    let before = published(&server);
    server.stop();
    server.clear("keys/copy");
    let facts = |zone: &str| {
        let journal = fs::read_to_string(server.path(&format!("keys/{zone}/journal"))).expect("a journal");
        journal.lines().count()
    };
    let (shard, parent) = (facts("a.mx.example"), facts("mx.example"));
    let text = format!("{{\"a.mx.example.\":{shard},\"mx.example.\":{parent},\"never.mx.example.\":0}}");
    server.write("keys/.records", text);
    moved(&server, SHARD, "away");
    server.start();
    assert_eq!(server.address("x-example"), "SERVFAIL");
    assert_eq!(key_files(&server, "a.mx.example"), Vec::<PathBuf>::new());
    moved(&server, "away", SHARD);
    server.run(&["reload"]).ends(0);
    server.eventually("x-example", EU);
    assert_eq!(published(&server), before);
    let text = fs::read_to_string(server.path("keys/.records")).expect("a record");
    assert!(text.starts_with("#mxseal-kept 1 ") && text.contains("never.mx.example."), "{text}");
}

#[test]
fn a_new_zone_is_not_served_before_it_is_kept_that_it_was() {
    let server = Server::started();
    let before = published(&server);
    // No copy can be written: the record is not kept.
    replaced(&server, "keys/copy", || fs::write(server.path("keys/copy"), "in the way"));
    server.place("zones/b.mx.example.zone", MASTER);
    server.until("a voice", |server| server.codes().contains(&"MX5534".to_owned()));
    assert_eq!(server.ask("www.b.mx.example", "A"), "SERVFAIL");
    assert_eq!(server.ask("b.mx.example", "DNSKEY"), "SERVFAIL");
    assert_eq!((published(&server), server.address("x-example")), (before, EU.to_owned()), "others are served");
    server.remove("keys/copy");
    server.until("it is served by itself", |server| server.ask("www.b.mx.example", "A") == "NOERROR A 192.0.2.80");
    // Answers come first, and then what is told of them.
    server.until("nothing stands against it", |server| !server.codes().contains(&"MX5534".to_owned()));
}

#[test]
fn a_zone_that_has_another_name_for_a_while_keeps_its_keys() {
    let server = Server::started();
    let before = published(&server);
    moved(&server, "zones/a.mx.example.zone", "zones/c.mx.example.zone");
    server.until("the other name", |server| server.ask("www.c.mx.example", "A") == "NOERROR A 192.0.2.80");
    server.run(&["reload", "--allow-shrink"]);
    moved(&server, "zones/c.mx.example.zone", "zones/a.mx.example.zone");
    server.until("the old name", |server| server.ask("www.a.mx.example", "A") == "NOERROR A 192.0.2.80");
    server.until("its keys", |server| published(server) == before);
}

#[test]
fn a_resume_ends_only_what_it_names() {
    let mut server = Server::started();
    server.stop();
    let journal = server.path(&format!("{SHARD}/journal"));
    let mut octets = fs::read(&journal).expect("read");
    octets[60] ^= 1;
    fs::write(&journal, octets).expect("written");
    server.start();
    let (hold, doubt) = ("the old server answers", "its copy counts");
    let is = |server: &Server, held: bool, doubted: bool| {
        let said = server.run(&["keys", "status", "a.mx.example"]).out;
        assert_eq!((said.contains(hold), said.contains(doubt)), (held, doubted), "{said}");
    };
    let keys = |server: &Server, more: &[&str]| {
        let all = [&["keys", more[0], "a.mx.example"], &more[1..]].concat();
        server.run(&all).ends(0).out
    };
    keys(&server, &["hold", "--reason", hold]);
    is(&server, true, true);
    keys(&server, &["resume", "--clock"]);
    is(&server, true, true);
    let said = keys(&server, &["resume", "--dry-run"]);
    assert!(said.contains("Would end:") && said.contains("Stays:"), "{said}");
    is(&server, true, true);
    let said = keys(&server, &["resume"]);
    assert!(said.contains("Ended:") && said.contains("Stays:"), "{said}");
    is(&server, false, true);
    keys(&server, &["hold", "--reason", hold]);
    keys(&server, &["resume", "--doubt"]);
    is(&server, true, false);
    server.run(&["keys", "resume", "a.mx.example", "--doubt"]).ends(4).says("its hold stays");
    keys(&server, &["resume"]);
    is(&server, false, false);
}

/// A parent that answers over TCP, with a DS of another key than ours or with none, as long as it lives.
struct Parent {
    at: SocketAddr,
    has_ds: Arc<AtomicBool>,
}

impl Parent {
    fn new() -> Parent {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (at, has_ds) = (listener.local_addr().expect("its address"), Arc::new(AtomicBool::new(true)));
        let shows = Arc::clone(&has_ds);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut length = [0; 2];
                while stream.read_exact(&mut length).is_ok() {
                    let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
                    stream.read_exact(&mut query).expect("a question");
                    let reply = Parent::reply(&query, shows.load(Ordering::Relaxed));
                    stream.write_all(&reply).expect("sent");
                }
            }
        });
        Parent { at, has_ds }
    }

    fn reply(query: &[u8], has_ds: bool) -> Vec<u8> {
        let mut end = 12;
        while query[end] != 0 {
            end += 1 + usize::from(query[end]);
        }
        end += 5;
        let is_ds = query[end - 4..end - 2] == [0, 43];
        let count = u8::from(is_ds && has_ds);
        let mut reply = vec![query[0], query[1], 0x84, 0, 0, 1, 0, count, 0, 0, 0, 0];
        reply.extend_from_slice(&query[12..end]);
        if count > 0 {
            reply.extend_from_slice(&[0xc0, 12, 0, 43, 0, 1, 0, 0, 14, 16, 0, 36, 0x30, 0x39, 13, 2]);
            reply.extend_from_slice(&[7; 32]);
        }
        let length = u16::try_from(reply.len()).expect("short");
        [length.to_be_bytes().to_vec(), reply].concat()
    }
}

#[test]
fn where_all_keys_are_gone_a_ds_at_the_parent_keeps_them_from_being_made_anew() {
    let parent = Parent::new();
    let mut server = Server::prepared();
    let config = format!("[zone.\"mx.example\"]\nparents = [\"{}\"]\n", parent.at);
    server.configure(&config);
    server.start();
    for _ in 0..2 {
        for zone in ["mx.example", "a.mx.example"] {
            assert_eq!(server.ask(zone, "SOA"), "SERVFAIL", "{zone}");
            assert_eq!(key_files(&server, zone), Vec::<PathBuf>::new());
            let status = server.run(&["keys", "status", zone]).ends(1);
            assert!(status.out.contains("has a DS (key 12345)"), "{}", status.out);
        }
        // It was seen once: the parent need not say it again.
        parent.has_ds.store(false, Ordering::Relaxed);
        server.stop();
        server.start();
    }
    let new_keys = |zone: &str| server.run(&["keys", "resume", zone, "--new-keys", "--reason", "it goes"]).ends(0);
    new_keys("mx.example");
    assert!(server.ask("mx.example", "SOA").starts_with("NOERROR"));
    assert_eq!(server.ask("a.mx.example", "SOA"), "SERVFAIL");
    new_keys("a.mx.example");
    server.eventually("x-example", EU);
    server.stop();
    // A parent without a DS lets a first start be one, also of zones that come later.
    server.clear("keys");
    server.start();
    server.eventually("x-example", EU);
    server.place("zones/other.example.zone", PARENT);
    server.until("a zone that comes later", |server| server.ask("ns.other.example", "A") == "NOERROR A 192.0.2.53");
}

#[test]
fn a_parent_that_says_nothing_delays_its_own_zones_alone_and_for_seconds() {
    // It takes connections and never answers.
    let hole = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut server = Server::prepared();
    let at = hole.local_addr().expect("its address");
    let unsigned = "[zone.\"plain.example\"]\nsigned = false\n";
    server.configure(&format!("{unsigned}[zone.\"mx.example\"]\nparents = [\"{at}\"]\n"));
    server.write("zones/plain.example.zone", PARENT);
    server.start();
    assert_eq!(server.ask("ns.plain.example", "A"), "NOERROR A 192.0.2.53", "others are answered meanwhile");
    assert_eq!(server.ask("ns.mx.example", "A"), "SERVFAIL", "its parent is being asked");
    server.eventually("x-example", EU);
    server.until("it is named", |server| server.run(&["status"]).out.contains("MX5530"));
    server.run(&["status"]).ends(0);
    // What was unsigned until now stays served while its parent is asked.
    let text = format!("[zone.\"plain.example\"]\nparents = [\"{at}\"]\n[zone.\"mx.example\"]\nparents = [\"{at}\"]\n");
    server.configure(&text);
    server.run(&["reload"]);
    assert_eq!(server.ask("ns.plain.example", "A"), "NOERROR A 192.0.2.53");
    server.until("it is signed", |server| server.ask("plain.example", "DNSKEY").contains("DNSKEY"));
}

#[test]
fn an_old_copy_with_other_keys_is_silent_until_a_person_serves_it_and_one_with_the_same_is_frozen() {
    let mut server = Server::prepared();
    let policy = "dnskey_ttl = \"1s\"\nsignature_life = \"6s\"\nsignature_grid = \"2s\"\ninception_before = \"2s\"\n\
        dnskey_life = \"6s\"\ndnskey_refresh = \"4s\"\nmargin = \"1s\"\n";
    server.configure(&format!("[policy.shard]\n{policy}[policy.registry]\n{policy}[tenants]\nttl = \"1s\"\n"));
    let short =
        "@ 1 SOA ns.mx.example. h.mx.example. 1 7200 3600 1209600 1\n@ 1 NS ns.mx.example.\nwww 1 A 192.0.2.80\n";
    server.write("zones/a.mx.example.zone", short);
    server.start();
    server.eventually("x-example", EU);
    let before = published(&server);
    copied(&server.path(SHARD), &server.path("backup"));
    let put_back = |server: &Server| {
        server.clear(SHARD);
        copied(&server.path("backup"), &server.path(SHARD));
    };
    // The same keys, and fewer facts.
    server.run(&["keys", "hold", "a.mx.example", "--reason", "a test"]).ends(0);
    server.run(&["keys", "resume", "a.mx.example"]).ends(0);
    server.run(&["reload"]).ends(0);
    server.stop();
    put_back(&server);
    server.start();
    server.eventually("x-example", EU);
    assert_eq!(published(&server), before);
    let status = server.run(&["keys", "status", "a.mx.example"]);
    assert!(status.out.contains("it is an old copy"), "{}", status.out);
    server.run(&["keys", "resume", "a.mx.example"]).ends(0);
    // Other keys: the old one was rolled away.
    server.run(&["keys", "roll", "a.mx.example"]).ends(0);
    let at_rest = |server: &Server| server.run(&["keys", "status", "a.mx.example"]).out.contains("at rest");
    server.until("the roll", |server| at_rest(server) && published(server).0 != before.0);
    let after = published(&server);
    server.stop();
    copied(&server.path(SHARD), &server.path("newest"));
    put_back(&server);
    server.start();
    assert_eq!(server.address("x-example"), "SERVFAIL");
    assert_eq!(published(&server), ("SERVFAIL".to_owned(), after.1.clone()), "the parent keeps the DS of before");
    let status = server.run(&["status"]).ends(1).out;
    assert!(status.contains("it is an old copy") && status.contains("harmless from"), "{status}");
    server.run(&["keys", "resume", "a.mx.example"]).ends(4);
    server.run(&["keys", "resume", "a.mx.example", "--new-keys", "--reason", "x"]).ends(4);
    server.run(&["check"]).ends(1);
    server.run(&["keys", "resume", "a.mx.example", "--serve-on", "--reason", "the DS names it"]).ends(0);
    server.eventually("x-example", EU);
    assert_eq!(published(&server), before);
    let status = server.run(&["keys", "status", "a.mx.example"]).ends(1).out;
    assert!(status.contains("the DS names it"), "{status}");
    server.stop();
    server.start();
    server.eventually("x-example", EU);
}
