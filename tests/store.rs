//! What lies under `keys/` survives crashes, full disks and damage, and never gets a second key in place of a first.
#![allow(clippy::panic, clippy::print_stdout, reason = "tests fail by panicking, and the child talks to its parent")]

#[path = "store/copies.rs"]
mod copies;
#[path = "store/import.rs"]
mod import;
#[path = "store/lines.rs"]
mod lines;
#[path = "store/records.rs"]
mod records;
#[path = "store/rolls.rs"]
mod rolls;
#[path = "store/shorten.rs"]
mod shorten;

use data_encoding::{BASE64, HEXLOWER};
use mxseal::dns::name::{Name, ROOT};
use mxseal::sign::key::{Key, Role, generate_pkcs8};
use mxseal::store::journal::file::{AppendFault, JournalFile};
use mxseal::store::journal::{Fact, KeyLayout, Record, ZoneFacts, encode, key_file_name};
use mxseal::store::keyfile;
use mxseal::store::silence::{Cause, Silence};
use mxseal::store::{LastGood, Store, StoreFault, ZoneKeys, read_keys};
use mxseal::time::UnixTime;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const NOW: UnixTime = UnixTime(1_800_000_000);
const CHILD: &str = "MXSEAL_STORE_TEST_CHILD";
const DIED: i32 = 9;

// --- first start ---

#[test]
fn a_first_start_makes_the_keys_that_the_policy_names_and_every_later_one_loads_them() {
    for algorithm in [13, 15] {
        for (layout, roles) in [
            (KeyLayout::Csk, vec![(Role::Csk, true)]),
            (KeyLayout::KskAndZsk, vec![(Role::Ksk, true), (Role::Zsk, true), (Role::Zsk, false)]),
        ] {
            let place = Place::new();
            let first = start(&place.store(), layout, algorithm).expect("a first start");
            let keys = &first.journal.facts().keys;
            let seen: Vec<_> = keys.iter().map(|key| (key.role, key.is_active())).collect();
            assert_eq!(seen, roles);
            assert!(keys.iter().all(|key| key.is_published() && key.public.algorithm == algorithm));
            assert_eq!((first.private.len(), first.unreadable.len(), first.findings.len()), (roles.len(), 0, 0));
            let files = place.pem_files();
            assert_eq!(files.len(), roles.len());
            for file in files.iter().chain([&place.journal()]) {
                assert_eq!((mode(file), mode(&copy_of(file))), (0o600, 0o600), "{}", file.display());
                assert!(fs::read(file).expect("read") == fs::read(copy_of(file)).expect("read"), "{}", file.display());
            }
            assert_eq!([place.keys(), place.zone(), place.zone().join("copy")].map(|f| mode(&f)), [0o700; 3]);
            let before = place.content();
            let other_goal = if layout == KeyLayout::Csk { KeyLayout::KskAndZsk } else { KeyLayout::Csk };
            let again = start(&place.store(), other_goal, 28 - algorithm).expect("a later start");
            assert_eq!(dnskeys(&again), dnskeys(&first), "a changed policy is a goal and makes no key");
            assert_eq!(place.content(), before, "a later start writes nothing");
        }
    }
}

#[test]
fn an_unknown_algorithm_makes_nothing() {
    let place = Place::new();
    let frozen = start(&place.store(), KeyLayout::Csk, 8).err().expect("refused");
    assert_eq!(frozen.cause, Cause::Wanted);
    assert!(!place.journal().exists());
}

#[test]
fn commands_beside_a_server_read_public_keys_from_the_journal_alone() {
    let place = Place::new();
    assert_eq!(read_keys(&place.keys(), &apex()), Ok(Vec::new()));
    let store = place.store();
    assert!(!store.has_journal(&apex()));
    let keys = start(&store, KeyLayout::KskAndZsk, 13).expect("a first start");
    assert!(store.has_journal(&apex()));
    place.pem_files().iter().for_each(|file| remove_both(file));
    let read = read_keys(&place.keys(), &apex()).expect("public keys");
    assert_eq!(read.iter().map(|key| key.dnskey_data()).collect::<Vec<_>>(), dnskeys(&keys));
    remove_both(&place.journal());
    assert!(!store.has_journal(&apex()));
    fs::write(place.zone().join("csk-13-00001.pem"), "").expect("written");
    assert!(store.has_journal(&apex()), "a key without a journal is no unsigned zone");
    assert_eq!(read_keys(&place.keys(), &apex()).expect_err("frozen").cause, Cause::JournalMissing);
}

// --- crashes and disks that fail ---

#[test]
fn a_first_start_that_dies_at_any_step_goes_on_and_makes_no_second_key() {
    for layout in ["csk", "ksk+zsk"] {
        let wanted = if layout == "csk" { 1 } else { 3 };
        let mut step = 1;
        loop {
            let place = Place::new();
            // Twice, so that what goes on can die too.
            let codes = [child(&place, layout, step).0, child(&place, layout, step).0];
            let left = place.pem_files();
            assert_eq!(read_keys(&place.keys(), &apex()).map(|keys| keys.len() % wanted), Ok(0), "all or none");
            let keys = start(&place.store(), layout_of(layout), 15);
            let keys = keys.unwrap_or_else(|frozen| panic!("{layout} died at step {step}: {frozen}"));
            assert_eq!(keys.private.len(), wanted);
            assert_eq!(place.pem_files().len(), wanted, "{layout} died at step {step}");
            place.assert_twice();
            assert!(left.iter().all(|file| place.pem_files().contains(file)), "a key that was made is used");
            assert_eq!(place.unfinished(), 0, "{layout} died at step {step}");
            assert_eq!(place.loaded(), dnskeys(&keys));
            if codes == [0, 0] {
                break;
            }
            assert!(codes.contains(&DIED), "{codes:?}");
            step += 1;
        }
        assert!(step > 20, "only {step} steps were tried");
    }
}

#[test]
fn a_disk_that_fails_any_step_is_named_and_the_next_try_goes_on() {
    for (code, text) in [(libc::ENOSPC, "No space left"), (libc::EROFS, "Read-only"), (libc::EIO, "Input/output")] {
        let mut step = 1;
        loop {
            let place = Place::new();
            fs::create_dir(place.keys()).expect("made");
            chmod(&place.keys(), 0o700);
            let (store, fails_at) = place.failing_store(code);
            fails_at.store(step, Ordering::SeqCst);
            let first = start(&store, KeyLayout::KskAndZsk, 15);
            let failed = fails_at.load(Ordering::SeqCst) == 0;
            let Err(frozen) = first else {
                assert!(!failed, "step {step} failed and nobody was told");
                break;
            };
            assert_eq!(frozen.cause, Cause::Disk);
            assert!(frozen.reason.contains(text), "{frozen}");
            assert!(frozen.file.contains("keys"), "{frozen}");
            let keys = start(&store, KeyLayout::KskAndZsk, 15).expect("the next try");
            assert_eq!((place.pem_files().len(), place.unfinished()), (3, 0));
            drop(store);
            assert_eq!(place.loaded(), dnskeys(&keys));
            step += 1;
        }
        assert!(step > 20, "only {step} steps were tried");
    }
}

#[test]
fn a_fact_that_failed_at_any_step_is_not_recorded_and_the_next_one_is() {
    // The first append of a process writes three whole files, each later one two lines.
    for (appends_before, steps) in [(0, 18), (1, 6), (2, 6)] {
        for step in 1..=steps + 1 {
            for crashes in [false, true] {
                let place = Place::new();
                start(&place.store(), KeyLayout::Csk, 15).expect("a first start");
                let (store, fails_at) = place.failing_store(libc::EIO);
                let mut keys = start(&store, KeyLayout::Csk, 15).expect("a later start");
                for at in 0..appends_before {
                    keys.journal.append(served(at), NOW).expect("recorded");
                }
                let records = keys.journal.facts().records;
                fails_at.store(step, Ordering::SeqCst);
                match keys.journal.append(served(10), NOW) {
                    Err(AppendFault::Disk(_)) => assert_eq!(keys.journal.facts().records, records),
                    Ok(()) => assert_eq!(step, steps + 1, "a failed step was not told"),
                    Err(other) => panic!("{other}"),
                }
                fails_at.store(0, Ordering::SeqCst);
                if !crashes {
                    keys.journal.append(served(11), NOW).expect("recorded");
                }
                drop(store);
                let again = start(&place.store(), KeyLayout::Csk, 15).expect("a later start");
                match crashes {
                    false => assert_eq!(again.journal.facts(), keys.journal.facts()),
                    true => assert!((records..=records + 1).contains(&again.journal.facts().records)),
                }
                assert_eq!(again.journal.facts().doubt, None);
                // A torn line is cut off at the next write.
                if !crashes {
                    place.assert_twice();
                }
            }
        }
    }
}

#[test]
fn last_good_content_is_that_before_or_after_a_crash() {
    let mut step = 1;
    loop {
        let place = Place::new();
        place.store().keep_last_good(LastGood::Tenants(&apex()), "before\n").expect("kept");
        let (code, _) = child(&place, "last-good", step);
        let store = place.store();
        let text = store.last_good(LastGood::Tenants(&apex())).expect("readable");
        let text = text.expect("never lost");
        assert!(text == "after\n" || (code == DIED && text == "before\n"), "{text}");
        if code == 0 {
            break;
        }
        step += 1;
    }
    assert!(step >= 6, "only {step} steps were tried");
}

#[test]
fn a_full_file_system_freezes_the_zone_until_there_is_room() {
    let (mut frozen, mut done) = (0, 0);
    let inodes = (2..=14).map(|inodes| format!("size=1m,nr_inodes={inodes}"));
    let blocks = (1..=12).map(|pages| format!("size={}k,nr_inodes=100", pages * 4));
    for options in inodes.chain(blocks) {
        let place = Place::new();
        fs::create_dir(place.keys()).expect("made");
        let out = in_own_mounts(&place, &options, "$CHILD; mount -o remount,size=1m,nr_inodes=100 none $KEYS; $CHILD");
        let [first, second] = &said(&out)[..] else { panic!("{options}: {out}") };
        match first.starts_with("keys ") {
            true => {
                assert_eq!(first, second, "{options}");
                done += 1;
            }
            false => {
                assert!(first.contains("No space left") && first.contains("keys"), "{options}: {first}");
                assert!(second.starts_with("keys 1 "), "{options}: {second}");
                frozen += 1;
            }
        }
    }
    assert!(frozen >= 5 && done >= 2, "{frozen} full, {done} not: both must happen");
}

#[test]
fn a_read_only_file_system_still_serves_the_keys_that_it_has_and_makes_none() {
    let place = Place::new();
    fs::create_dir(place.keys()).expect("made");
    let script = "$CHILD; mount -o remount,ro none $KEYS; $CHILD";
    let out = in_own_mounts(&place, "size=1m", script);
    let [first, second] = &said(&out)[..] else { panic!("{out}") };
    assert!(first.starts_with("keys 1 "), "{out}");
    assert_eq!(first, second);
    let out = in_own_mounts(&place, "size=1m", "mount -o remount,ro none $KEYS; $CHILD");
    assert!(said(&out)[0].contains("Read-only"), "{out}");
}

#[test]
fn every_file_is_synced_before_it_gets_its_name_and_its_folder_after() {
    let place = Place::new();
    let child = command(&place, "ksk+zsk", 0);
    let mut traced = Command::new("strace");
    traced.args(["-f", "-y", "-e", "trace=fsync,rename,renameat,renameat2,write", "-s", "0", "--"]);
    traced.arg(child.get_program()).args(child.get_args());
    child.get_envs().for_each(|(key, value)| {
        traced.env(key, value.expect("set"));
    });
    let out = traced.output().expect("strace is installed by tests/run");
    let text = String::from_utf8_lossy(&out.stderr);
    let calls: Vec<&str> = text.lines().filter(|line| line.contains("/keys/") || line.contains("/keys>")).collect();
    let (mut renames, mut appends) = (0, 0);
    for (at, call) in calls.iter().enumerate() {
        let next = calls.get(at + 1).copied().unwrap_or_default();
        if call.contains(" rename") {
            let unfinished = call.split('"').nth(1).expect("a name");
            assert!(calls[at - 1].contains("fsync(") && calls[at - 1].contains(unfinished), "{text}");
            let folder = ["/keys/mx.example>", "/keys/mx.example/copy>"].iter().any(|folder| next.contains(folder));
            assert!(next.contains("fsync(") && folder, "{text}");
            renames += 1;
        }
        if call.contains("write(") && call.contains("/journal>") {
            assert!(next.contains("fsync(") && next.contains("/journal>"), "{text}");
            appends += 1;
        }
    }
    assert_eq!((renames, appends), (8, 18), "a journal and three keys, then nine facts, all twice: {text}");
}

// --- damage ---

#[test]
fn a_last_line_torn_at_any_octet_is_reported_and_cut_off() {
    let place = Place::new();
    let mut keys = start(&place.store(), KeyLayout::KskAndZsk, 15).expect("a first start");
    keys.journal.append(served(1), NOW).expect("recorded");
    let whole = fs::read(place.journal()).expect("read");
    let last = whole[..whole.len() - 1].iter().rposition(|octet| *octet == b'\n').expect("lines") + 1;
    for cut in last..whole.len() {
        write_both(&place.journal(), &whole[..cut]);
        let mut again = start(&place.store(), KeyLayout::KskAndZsk, 15).expect("the lines before count");
        assert_eq!(dnskeys(&again), dnskeys(&keys));
        assert_eq!(again.findings.len(), usize::from(cut > last), "cut at {cut}");
        again.journal.append(served(1), NOW).expect("recorded");
        assert_eq!(fs::read(place.journal()).expect("read"), whole, "as if it had never been torn");
    }
}

#[test]
fn a_journal_cut_to_fewer_lines_or_with_a_flipped_bit_never_brings_another_key() {
    let place = Place::new();
    let keys = start(&place.store(), KeyLayout::Csk, 15).expect("a first start");
    let whole = fs::read(place.journal()).expect("read");
    let damages = (0..whole.len()).map(|at| (whole[..at].to_vec(), format!("cut at {at}")));
    let flips = (0..whole.len()).map(|at| {
        let mut octets = whole.clone();
        octets[at] ^= 1 << (at % 8);
        (octets, format!("flipped at {at}"))
    });
    for (octets, what) in damages.chain(flips) {
        write_both(&place.journal(), &octets);
        match start(&place.store(), KeyLayout::Csk, 15) {
            Ok(again) => assert_eq!(dnskeys(&again), dnskeys(&keys), "{what}"),
            Err(frozen) => assert_eq!(frozen.cause, Cause::JournalDamaged, "{what}"),
        }
        assert_eq!(place.pem_files().len(), 1, "{what}");
    }
}

#[test]
fn whatever_is_missing_exposed_or_exchanged_twice_freezes_the_zone_and_makes_no_key() {
    let other = Place::new();
    start(&other.store(), KeyLayout::Csk, 13).expect("a first start");
    let foreign = fs::read(&other.pem_files()[0]).expect("read");
    let ed25519 = Place::new();
    start(&ed25519.store(), KeyLayout::Csk, 15).expect("a first start");
    let ed25519 = fs::read(&ed25519.pem_files()[0]).expect("read");
    let newer = r#"{"sequence":6,"time":1,"generation":1,"token":0,"fact":{"lease_issued":{}}}"#;
    let newer = format!("{:08x} {newer}\n", crc32fast::hash(newer.as_bytes()));
    let damages: Vec<(Cause, &str, Damage)> = vec![
        (Cause::JournalMissing, "journal removed", Box::new(|_, journal| fs::remove_file(journal))),
        (Cause::JournalDamaged, "journal emptied", Box::new(|_, journal| fs::write(journal, ""))),
        (Cause::JournalDamaged, "journal of zeros", Box::new(|_, journal| fs::write(journal, [0; 999]))),
        (Cause::JournalDamaged, "newer journal", Box::new(move |_, journal| append(journal, &newer))),
        (Cause::Disk, "journal a link", Box::new(|_, journal| replace_by_link(journal))),
        (Cause::Disk, "journal a FIFO", Box::new(|_, journal| replace_by_fifo(journal))),
        (Cause::KeyMissing, "key removed", Box::new(|key, _| fs::remove_file(key))),
        (Cause::KeyUnreadable, "key emptied", Box::new(|key, _| fs::write(key, ""))),
        (Cause::KeyUnreadable, "key cut", Box::new(|key, _| cut_in_half(key))),
        (Cause::KeyUnreadable, "key too long", Box::new(|key, _| append(key, &"x".repeat(99_999)))),
        (Cause::KeyUnreadable, "key of zeros", Box::new(|key, _| fs::write(key, [0; 241]))),
        (Cause::KeyUnreadable, "other algorithm", Box::new(move |key, _| fs::write(key, &ed25519))),
        (Cause::KeyUnreadable, "key a link", Box::new(|key, _| replace_by_link(key))),
        (Cause::KeyUnreadable, "key a FIFO", Box::new(|key, _| replace_by_fifo(key))),
        (Cause::KeyUnreadable, "key a folder", Box::new(|key, _| fs::remove_file(key).and(fs::create_dir(key)))),
        (Cause::KeyMismatch, "key of another zone", Box::new(move |key, _| fs::write(key, &foreign))),
        (Cause::Exposed, "key 0644", Box::new(|key, _| set_mode(key, 0o644))),
        (Cause::Exposed, "key 0640", Box::new(|key, _| set_mode(key, 0o640))),
        (Cause::Exposed, "key 0602", Box::new(|key, _| set_mode(key, 0o602))),
        (Cause::Exposed, "key of another user", Box::new(|key, _| give_away(key))),
        (Cause::Exposed, "folder 0755", Box::new(|key, _| set_mode(key.parent().expect("a folder"), 0o755))),
        (Cause::Folder, "folder a link", Box::new(|key, _| replace_by_link(key.parent().expect("a folder")))),
        (Cause::JournalMissing, "one journal gone", Box::new(|_, journal| spoil_copy_remove_other(journal))),
    ];
    for (cause, what, damage) in damages {
        let place = Place::new();
        start(&place.store(), KeyLayout::Csk, 13).expect("a first start");
        let (key, journal) = (place.pem_files()[0].clone(), place.journal());
        damage(&copy_of(&key), &copy_of(&journal)).expect(what);
        damage(&key, &journal).expect(what);
        let before = place.content();
        let store = place.store();
        let frozen = start(&store, KeyLayout::Csk, 13).err().unwrap_or_else(|| panic!("{what}: not frozen"));
        assert_eq!(frozen.cause, cause, "{what}: {frozen}");
        assert!(frozen.file.contains("mx.example") && !frozen.fix.is_empty(), "{what}: {frozen}");
        assert_eq!(place.content(), before, "{what}: nothing was written");
        let neighbour = Name::parse("other.example.", ROOT).expect("a name");
        assert!(store.zone_keys(&neighbour, KeyLayout::Csk, 13, &[], NOW).is_ok(), "{what}: other zones start");
    }
}

#[test]
fn another_private_key_with_the_same_tag_is_not_taken_for_the_published_one() {
    let (mine, twin) = same_tag();
    let public = Key::from_pkcs8(257, 15, &mine).expect("a key").public_half();
    for (der, fits) in [(&mine, true), (&twin, false)] {
        let place = Place::new();
        drop(place.store());
        fs::create_dir(place.zone()).expect("made");
        chmod(&place.zone(), 0o700);
        let file = key_file_name(Role::Csk, &public);
        let first = Fact::FirstKeysIntended { layout: KeyLayout::Csk, algorithm: 15 };
        let mut journal = JournalFile::<ZoneFacts>::create(Arc::default(), place.journal(), first, NOW).expect("made");
        let tag = public.tag;
        let made = Fact::KeyCreated {
            tag,
            algorithm: 15,
            flags: 257,
            role: Role::Csk,
            public: BASE64.encode(&public.public),
            file: file.clone(),
        };
        for fact in [made, Fact::KeyPublished { tag }, Fact::KeyActivated { tag }, Fact::FirstKeysDone {}] {
            journal.append(fact, NOW).expect("recorded");
        }
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(der));
        fs::write(place.zone().join(&file), pem).expect("written");
        chmod(&place.zone().join(&file), 0o600);
        let started = start(&place.store(), KeyLayout::Csk, 15).map(|_| ()).map_err(|frozen| frozen.cause);
        assert_eq!(started, if fits { Ok(()) } else { Err(Cause::KeyMismatch) });
    }
}

#[test]
fn a_key_file_that_the_journal_does_not_name_is_reported_and_never_used() {
    let place = Place::new();
    let keys = start(&place.store(), KeyLayout::Csk, 13).expect("a first start");
    let stray = place.zone().join("csk-13-1.pem");
    fs::copy(&place.pem_files()[0], &stray).expect("copied");
    fs::write(place.zone().join(".new-abc"), "half a key").expect("written");
    let again = start(&place.store(), KeyLayout::Csk, 13).expect("a later start");
    assert_eq!(dnskeys(&again), dnskeys(&keys));
    assert_eq!(again.findings.len(), 1);
    assert!(again.findings[0].message.contains("csk-13-1.pem"));
    assert_eq!(place.unfinished(), 0, "what an interrupted write left is removed");
    assert!(stray.exists(), "what someone else left is not");
}

#[test]
fn a_removed_key_needs_no_file() {
    let place = Place::new();
    let mut keys = start(&place.store(), KeyLayout::KskAndZsk, 15).expect("a first start");
    let next = keys.journal.facts().keys[2].public.tag;
    keys.journal.append(Fact::KeyRemoved { tag: next }, NOW).expect("recorded");
    remove_both(&place.zone().join(format!("zsk-15-{next:05}.pem")));
    let again = start(&place.store(), KeyLayout::KskAndZsk, 15).expect("a later start");
    assert_eq!((again.private.len(), again.unreadable.len()), (2, 0));
    assert_eq!(read_keys(&place.keys(), &apex()).map(|keys| keys.len()), Ok(2));
}

// --- the folder and its lock ---

#[test]
fn a_second_process_is_told_the_first_ones_pid_and_a_dead_owner_leaves_no_lock() {
    let place = Place::new();
    let mut holder = command(&place, "hold", 0).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a child");
    let out = BufReader::new(holder.stdout.take().expect("its output"));
    assert!(out.lines().map_while(Result::ok).any(|line| line.ends_with("child: locked")));
    let fault = Store::open(&place.keys()).err().expect("locked");
    assert!(matches!(fault, StoreFault::Locked { pid: Some(pid), .. } if pid == holder.id()), "{fault}");
    assert!(fault.to_string().contains(&holder.id().to_string()));
    assert_eq!(fault.exit_code(), 4);
    fs::remove_file(place.keys().join("lock")).expect("removed");
    let fault = Store::open(&place.keys()).err().expect("removing the file frees nothing");
    assert!(matches!(fault, StoreFault::Locked { pid: None, .. }), "{fault}");
    holder.kill().expect("killed");
    holder.wait().expect("ended");
    assert!(Store::open(&place.keys()).is_ok());
}

#[test]
fn a_folder_of_keys_that_others_may_use_or_that_is_none_is_refused() {
    let place = Place::new();
    start(&place.store(), KeyLayout::Csk, 15).expect("a first start");
    for bad in [0o755, 0o750, 0o701] {
        chmod(&place.keys(), bad);
        let fault = Store::open(&place.keys()).err().expect("refused");
        assert!(matches!(fault, StoreFault::Exposed { mode, .. } if mode == bad), "{fault}");
        assert!(fault.to_string().contains("chmod 700"), "{fault}");
        assert_eq!(mode(&place.keys()), bad, "left for someone to see");
    }
    fs::remove_dir_all(place.keys()).expect("removed");
    fs::write(place.keys(), "").expect("written");
    assert!(matches!(Store::open(&place.keys()), Err(StoreFault::NotAFolder(_))));
    let nowhere = place.keys().join("below");
    assert!(Store::open(&nowhere).is_err());
}

#[test]
fn a_folder_without_keys_that_others_may_use_is_closed() {
    let place = Place::new();
    fs::create_dir(place.keys()).expect("made");
    fs::write(place.keys().join("README"), "of a checkout").expect("written");
    for open in [0o755, 0o750, 0o701] {
        chmod(&place.keys(), open);
        drop(place.store());
        assert_eq!(mode(&place.keys()), 0o700);
    }
}

#[test]
fn last_good_content_is_kept_replaced_and_removed() {
    let place = Place::new();
    let store = place.store();
    let apex = apex();
    for what in [LastGood::Tenants(&apex), LastGood::Master(&apex), LastGood::Pools] {
        assert_eq!(store.last_good(what).expect("readable"), None);
        store.keep_last_good(what, "").expect("nothing to remove");
        for text in ["one\n", "two\nlines\n"] {
            store.keep_last_good(what, text).expect("kept");
            assert_eq!(store.last_good(what).expect("readable").as_deref(), Some(text));
        }
    }
    store.keep_last_good(LastGood::Master(&apex), "").expect("removed");
    assert_eq!(store.last_good(LastGood::Master(&apex)).expect("readable"), None);
    assert!(store.last_good(LastGood::Tenants(&apex)).expect("readable").is_some());
    assert!(!store.has_journal(&apex), "content of an unsigned zone is no journal");
    assert!(start(&store, KeyLayout::Csk, 13).is_ok(), "so this is a first start");
    assert_eq!(mode(&place.zone().join("last-good.ndjson")), 0o600);
    fs::write(place.keys().join("last-good-pools.toml"), b"\xff").expect("written");
    assert!(matches!(store.last_good(LastGood::Pools), Err(StoreFault::NotText(_))));
}

// --- secrets ---

#[test]
fn nothing_that_is_printed_or_journaled_holds_a_private_key() {
    let place = Place::new();
    let keys = start(&place.store(), KeyLayout::Csk, 15).expect("a first start");
    let file = place.pem_files()[0].clone();
    let pem = fs::read_to_string(&file).expect("read");
    let digits: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = BASE64.decode(digits.as_bytes()).expect("base64");
    // The seed follows 16 octets of PKCS#8 (RFC 8410 § 7).
    let seed = &der[16..48];
    let shown = |text: &str| {
        let forms = [HEXLOWER.encode(&seed[..8]), format!("{:?}", &seed[..8]).replace(['[', ']'], "")];
        forms.iter().any(|form| text.to_lowercase().contains(form)) || text.contains(&digits[24..40])
    };
    assert!(shown(&pem) && shown(&format!("{der:?}")) && shown(&HEXLOWER.encode(&der)), "the test can fail");
    assert!(!shown(&fs::read_to_string(place.journal()).expect("read")));
    assert!(!shown(&format!("{:?} {:?}", keys.private, keys.findings)));
    assert!(!shown(&format!("{:?}", keys.journal.facts())));
    drop(keys);
    for broken in [
        pem.replace("PRIVATE KEY-----\n", "PRIVATE KEY-----"),
        pem.replace("BEGIN PRIVATE", "BEGIN EC PRIVATE"),
        pem.replace("-----END", "----END"),
        pem.replace('=', "*"),
        digits.clone(),
        pem.replace(&digits[44..54], ""),
    ] {
        write_both(&file, broken.as_bytes());
        let frozen = start(&place.store(), KeyLayout::Csk, 15).err().unwrap_or_else(|| panic!("{broken}"));
        assert!(!shown(&format!("{frozen} {frozen:?} {:?}", frozen.diagnostic())), "{broken}");
        fs::write(copy_of(&file), &pem).expect("written");
        let mended = start(&place.store(), KeyLayout::Csk, 15).expect("the copy is good");
        assert!(!mended.findings.is_empty() && !shown(&format!("{:?}", mended.findings)), "{broken}");
    }
}

#[test]
fn keys_that_openssl_reads_are_written_and_keys_that_it_writes_are_read() {
    let place = Place::new();
    let keys = start(&place.store(), KeyLayout::Csk, 13).expect("a first start");
    let out = Command::new("openssl").args(["pkey", "-noout", "-text", "-in"]).arg(&place.pem_files()[0]).output();
    let out = out.expect("openssl is installed by tests/run");
    let hex: String = String::from_utf8_lossy(&out.stdout).chars().filter(char::is_ascii_hexdigit).collect();
    assert!(hex.contains(&HEXLOWER.encode(&keys.journal.facts().keys[0].public.public)), "{hex}");
    for (algorithm, arguments) in [(13, "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"), (15, "-algorithm ED25519")] {
        let file = place.zone().join("made-by-openssl");
        let made = Command::new("openssl").arg("genpkey").args(arguments.split(' ')).arg("-out").arg(&file).status();
        assert!(made.expect("openssl runs").success());
        chmod(&file, 0o600);
        let key = keyfile::read(&file, 257, algorithm).expect("a key that openssl made");
        assert_eq!(key.prove(&key.dnskey_data(), b"challenge"), Ok(()));
    }
}

// --- support ---

type Damage = Box<dyn Fn(&Path, &Path) -> io::Result<()>>;

/// Not a test of its own: other tests run it in a process that may die.
#[test]
fn child_process() {
    let Ok(task) = std::env::var(CHILD) else { return };
    let parts: Vec<&str> = task.splitn(3, ' ').collect();
    let [task, step, keys] = parts[..] else { panic!("{task}") };
    let step: usize = step.parse().expect("a number");
    let steps = AtomicUsize::new(0);
    let die_at = Box::new(move |_, _: &Path| {
        if steps.fetch_add(1, Ordering::SeqCst) + 1 == step {
            std::process::exit(DIED);
        }
        Ok(())
    });
    let opened =
        if step == 0 { Store::open(Path::new(keys)) } else { Store::open_with_failpoint(Path::new(keys), die_at) };
    let store = match opened {
        Ok(store) => store,
        Err(fault) => return println!("\nchild: {fault}"),
    };
    match task {
        "hold" => {
            println!("\nchild: locked");
            io::stdout().flush().expect("told");
            let _ = io::stdin().read(&mut [0]);
        }
        "make" => println!("\nchild: {:?}", rolls::make(&store).map(|(tag, _)| tag)),
        "destroy" => println!("\nchild: {:?}", rolls::destroy(&store)),
        "append" => rolls::append(&store),
        "import" => println!("\nchild: {:?}", import::take_in(&store, &import::fixed()).map(drop)),
        "last-good" => store.keep_last_good(LastGood::Tenants(&apex()), "after\n").expect("kept"),
        layout => match start(&store, layout_of(layout), 15) {
            Ok(keys) => {
                let all: Vec<String> = dnskeys(&keys).iter().map(|data| HEXLOWER.encode(data)).collect();
                println!("\nchild: keys {} {}", all.len(), all.join(" "));
            }
            Err(frozen) => println!("\nchild: {frozen}"),
        },
    }
}

fn command(place: &Place, task: &str, step: usize) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "child_process", "--nocapture", "--test-threads=1"]);
    command.env(CHILD, format!("{task} {step} {}", place.keys().display()));
    command
}

fn child(place: &Place, task: &str, step: usize) -> (i32, String) {
    let out = command(place, task, step).output().expect("a child");
    (out.status.code().unwrap_or(-1), String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Runs a script where `keys/` is a small file system that nobody else sees.
fn in_own_mounts(place: &Place, options: &str, script: &str) -> String {
    let child = command(place, "csk", 0);
    let program = child.get_program().to_string_lossy();
    let arguments: Vec<_> = child.get_args().map(|argument| argument.to_string_lossy()).collect();
    let script = format!("set -e; mount -t tmpfs -o mode=700,{options} none $KEYS; {script}")
        .replace("$CHILD", &format!("{program} {}", arguments.join(" ")))
        .replace("$KEYS", &place.keys().display().to_string());
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-c", &script]);
    child.get_envs().for_each(|(key, value)| {
        unshare.env(key, value.expect("set"));
    });
    let out = unshare.output().expect("this test needs `unshare` and root");
    let error = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "this test needs root, to mount a small file system: {error}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn said(out: &str) -> Vec<String> {
    out.lines().filter_map(|line| line.strip_prefix("child: ")).map(str::to_owned).collect()
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().expect("a folder"))
    }

    fn keys(&self) -> PathBuf {
        self.0.path().join("keys")
    }

    fn zone(&self) -> PathBuf {
        self.keys().join("mx.example")
    }

    fn journal(&self) -> PathBuf {
        self.zone().join("journal")
    }

    fn store(&self) -> Store {
        Store::open(&self.keys()).expect("a store")
    }

    /// A store that fails one step: the counter's, which is then 0.
    fn failing_store(&self, code: i32) -> (Store, Arc<AtomicUsize>) {
        let fails_at = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&fails_at);
        let failpoint = move |_, _: &Path| match counter.load(Ordering::SeqCst) {
            0 => Ok(()),
            left => {
                counter.store(left - 1, Ordering::SeqCst);
                if left == 1 { Err(io::Error::from_raw_os_error(code)) } else { Ok(()) }
            }
        };
        (Store::open_with_failpoint(&self.keys(), Box::new(failpoint)).expect("a store"), fails_at)
    }

    fn loaded(&self) -> Vec<Vec<u8>> {
        dnskeys(&start(&self.store(), KeyLayout::Csk, 15).expect("a later start"))
    }

    fn files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.zone()) else { return Vec::new() };
        let copies = fs::read_dir(self.zone().join("copy")).into_iter().flatten();
        let mut files: Vec<PathBuf> = entries.chain(copies).map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        files
    }

    /// All keys and the journal are there twice, and equal; nothing unfinished is left.
    fn assert_twice(&self) {
        for file in self.pem_files().iter().chain([&self.journal()]) {
            let (one, two) = (fs::read(file).expect("read"), fs::read(copy_of(file)).expect("a copy"));
            assert!(one == two, "{} and its copy differ", file.display());
        }
        let copied = self.files().into_iter().filter(|file| is_copy(file) && file.to_string_lossy().ends_with(".pem"));
        assert_eq!(copied.count(), self.pem_files().len());
        assert_eq!(self.unfinished(), 0);
    }

    fn pem_files(&self) -> Vec<PathBuf> {
        let is_key = |file: &PathBuf| file.to_string_lossy().ends_with(".pem") && !is_copy(file);
        self.files().into_iter().filter(is_key).collect()
    }

    fn unfinished(&self) -> usize {
        self.files().iter().filter(|file| file.to_string_lossy().contains("/.new-")).count()
    }

    /// Everything in the zone's folder.
    fn content(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let read = |file: &PathBuf| {
            let metadata = fs::symlink_metadata(file).expect("metadata");
            (metadata.mode(), if metadata.is_file() { fs::read(file).expect("read") } else { Vec::new() })
        };
        self.files().into_iter().map(|file| (file.clone(), read(&file))).collect()
    }
}

fn start(store: &Store, layout: KeyLayout, algorithm: u8) -> Result<ZoneKeys, Silence> {
    store.zone_keys(&apex(), layout, algorithm, &[], NOW)
}

fn apex() -> Name {
    Name::parse("mx.example.", ROOT).expect("a name")
}

fn layout_of(word: &str) -> KeyLayout {
    if word == "csk" { KeyLayout::Csk } else { KeyLayout::KskAndZsk }
}

fn dnskeys(keys: &ZoneKeys) -> Vec<Vec<u8>> {
    let live = keys.journal.facts().keys.iter().filter(|key| key.is_live());
    live.map(|key| keys.private[&key.public.tag].dnskey_data()).collect()
}

fn served(snapshot: u64) -> Fact {
    Fact::ZoneServed { instance: 0, snapshot, first_seen: 1, last_seen: 2, ttl: 3600, expires: 3, through: 0 }
}

/// Two private keys whose public halves share a tag.
fn same_tag() -> (Vec<u8>, Vec<u8>) {
    let mut seen: HashMap<u16, Vec<u8>> = HashMap::new();
    loop {
        let der = generate_pkcs8(15).expect("a key").to_vec();
        let tag = Key::from_pkcs8(257, 15, &der).expect("a key").tag;
        if let Some(other) = seen.insert(tag, der.clone()) {
            return (other, der);
        }
    }
}

fn copy_of(path: &Path) -> PathBuf {
    path.parent().expect("a folder").join("copy").join(path.file_name().expect("a name"))
}

fn is_copy(path: &Path) -> bool {
    path.parent().is_some_and(|folder| folder.ends_with("copy"))
}

fn write_both(path: &Path, content: &[u8]) {
    fs::write(path, content).and_then(|()| fs::write(copy_of(path), content)).expect("written");
}

fn remove_both(path: &Path) {
    fs::remove_file(path).and_then(|()| fs::remove_file(copy_of(path))).expect("removed");
}

fn spoil_copy_remove_other(path: &Path) -> io::Result<()> {
    if is_copy(path) { fs::write(path, "x\ny\n") } else { fs::remove_file(path) }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("metadata").mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

fn chmod(path: &Path, mode: u32) {
    set_mode(path, mode).expect("mode set");
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    fs::OpenOptions::new().append(true).open(path)?.write_all(text.as_bytes())
}

fn cut_in_half(path: &Path) -> io::Result<()> {
    let content = fs::read(path)?;
    fs::write(path, &content[..content.len() / 2])
}

fn replace_by_link(path: &Path) -> io::Result<()> {
    let aside = path.with_extension("aside");
    fs::rename(path, &aside)?;
    std::os::unix::fs::symlink(aside, path)
}

fn replace_by_fifo(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    let made = Command::new("mkfifo").args(["-m", "600"]).arg(path).status()?;
    if made.success() { Ok(()) } else { Err(io::Error::other("mkfifo failed")) }
}

fn give_away(path: &Path) -> io::Result<()> {
    std::os::unix::fs::chown(path, Some(1), None).map_err(|_| io::Error::other("this test needs root"))
}

#[test]
fn a_line_of_the_journal_is_a_checksum_and_one_json_object() {
    let place = Place::new();
    let keys = start(&place.store(), KeyLayout::Csk, 13).expect("a first start");
    let text = fs::read_to_string(place.journal()).expect("read");
    assert_eq!(text.lines().count() as u64, keys.journal.facts().records);
    for line in text.lines() {
        let (checksum, json) = line.split_once(' ').expect("two parts");
        assert_eq!(checksum, format!("{:08x}", crc32fast::hash(json.as_bytes())));
        let record: Record<Fact> = serde_json::from_str(json).expect("a record");
        assert_eq!(encode(&record), format!("{line}\n"));
        assert_eq!(record.time, NOW.0);
    }
}
