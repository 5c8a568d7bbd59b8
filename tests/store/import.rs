//! Keys of other servers are taken in whole or not at all, and only where a zone has none.

use super::*;
use mxseal::roll::zone::facts::Limits;
use mxseal::sign::foreign::Foreign;
use mxseal::sign::key::PublicKey;
use mxseal::store::{Import, ImportFault};
use zeroize::Zeroizing;

/// A key to be taken in: private half, role, whether it signs data, and whether the private half is given.
pub struct Given {
    der: Vec<u8>,
    algorithm: u8,
    role: Role,
    signs: bool,
    here: bool,
}

pub fn key(der: &[u8], role: Role) -> Given {
    Given { der: der.to_vec(), algorithm: 15, role, signs: role != Role::Ksk, here: true }
}

fn new(role: Role, algorithm: u8) -> Given {
    Given { algorithm, ..key(&generate_pkcs8(algorithm).expect("a key"), role) }
}

/// The same in each process: two keys made of fixed seeds, in PKCS#8 (RFC 8410 § 7).
pub fn fixed() -> Vec<Given> {
    let der =
        |seed: u8| [&HEXLOWER.decode(b"302e020100300506032b657004220420").expect("hex")[..], &[seed; 32]].concat();
    vec![key(&der(1), Role::Ksk), key(&der(2), Role::Zsk)]
}

fn public(given: &Given) -> PublicKey {
    Key::from_pkcs8(given.role.flags(), given.algorithm, &given.der).expect("a key").public_half()
}

fn import(given: &Given) -> Import {
    let public = public(given);
    let (algorithm, flags) = (given.algorithm, Some(public.flags));
    let der = Zeroizing::new(given.der.clone());
    let foreign = Foreign { der, algorithm, flags, owner: Some(apex()), public: Some(public.clone()) };
    Import { foreign: given.here.then_some(foreign), public, role: given.role, signs: given.signs }
}

pub fn take_in(store: &Store, given: &[Given]) -> Result<ZoneKeys, ImportFault> {
    store.import(&apex(), given.iter().map(import).collect(), LIMITS, NOW)
}

const LIMITS: Limits = Limits { dnskey_ttl: 7200, data_ttl: 3600, dnskey_life: 1_209_600, data_life: 604_800 };

#[test]
fn keys_that_are_taken_in_do_what_they_did() {
    let place = Place::new();
    let away = Given { here: false, signs: false, ..new(Role::Zsk, 15) };
    let given = [new(Role::Ksk, 15), new(Role::Zsk, 15), Given { signs: false, ..new(Role::Zsk, 15) }, away];
    let keys = take_in(&place.store(), &given).expect("taken in");
    let facts = keys.journal.facts();
    let does: Vec<_> = facts.keys.iter().map(|key| (key.is_published(), key.is_active(), key.signs_keys())).collect();
    assert_eq!(does, [(true, true, true), (true, true, false), (true, false, false), (true, false, false)]);
    let published: Vec<PublicKey> = facts.keys.iter().map(|key| key.public.clone()).collect();
    assert_eq!(published, given.iter().map(public).collect::<Vec<_>>());
    assert_eq!((facts.limits, facts.first_keys_done, facts.ds_wanted.len()), (Some(LIMITS), true, 1));
    assert_eq!((keys.private.len(), keys.unreadable.len(), keys.findings.len()), (3, 0, 0));
    assert_eq!(place.pem_files().len(), 3);
    place.assert_twice();
    let again = start(&place.store(), KeyLayout::Csk, 13).expect("a later start");
    assert_eq!(again.journal.facts(), keys.journal.facts());
}

#[test]
fn keys_are_not_taken_in_where_there_are_some_or_something_is_in_the_way() {
    let place = Place::new();
    let store = place.store();
    start(&store, KeyLayout::Csk, 15).expect("a first start");
    let before = place.content();
    assert!(matches!(take_in(&store, &fixed()), Err(ImportFault::HasKeys(_))));
    remove_both(&place.journal());
    assert!(matches!(take_in(&store, &fixed()), Err(ImportFault::HasKeys(_))), "a key without a journal is one");
    assert_eq!(place.content().len(), before.len() - 2);
    fs::remove_dir_all(place.zone()).expect("removed");
    fs::create_dir_all(place.zone().join("mine")).expect("made");
    assert!(matches!(take_in(&store, &fixed()), Err(ImportFault::InTheWay(path)) if path.ends_with("mine")));
}

#[test]
fn keys_that_could_not_be_served_are_refused_in_words_and_nothing_is_made() {
    let (mine, twin) = same_tag();
    let away = |given: Given| Given { here: false, ..given };
    let silent = |given: Given| Given { signs: false, ..given };
    let cases: Vec<(&str, Vec<Given>)> = vec![
        ("no key that signs the zone's data", vec![]),
        ("no key that signs the zone's data", vec![new(Role::Ksk, 15), silent(new(Role::Zsk, 15))]),
        ("no key that a DS points at", vec![new(Role::Zsk, 15)]),
        ("no key that a DS points at", vec![new(Role::Zsk, 15), away(new(Role::Ksk, 15))]),
        ("its private key is not given", vec![new(Role::Ksk, 15), away(new(Role::Zsk, 15))]),
        ("no key of its algorithm", vec![new(Role::Csk, 15), away(new(Role::Ksk, 13))]),
        ("is taken", vec![key(&mine, Role::Csk), silent(key(&twin, Role::Csk))]),
        ("at most 8", (0..9).map(|at| Given { signs: at == 0, ..new(Role::Csk, 15) }).collect()),
        ("at most 4", (0..5).map(|at| Given { signs: at == 0, ..new(Role::Csk, 15) }).collect()),
        ("at most 2", (0..3).map(|_| new(Role::Csk, 15)).collect()),
    ];
    let place = Place::new();
    let store = place.store();
    for (words, given) in cases {
        let fault = take_in(&store, &given).err().unwrap_or_else(|| panic!("{words}: taken in"));
        assert!(fault.to_string().contains(words), "{words}: {fault}");
        assert!(!place.zone().exists(), "{words}");
    }
    let mut wrong = fixed().iter().map(import).collect::<Vec<_>>();
    wrong[1].role = Role::Ksk;
    assert!(matches!(store.import(&apex(), wrong, LIMITS, NOW), Err(ImportFault::Flags { .. })));
    let mut liar = fixed().iter().map(import).collect::<Vec<_>>();
    liar[0].public = public(&new(Role::Ksk, 15));
    let fault = store.import(&apex(), liar, LIMITS, NOW).err().expect("refused");
    assert!(matches!(&fault, ImportFault::Silence(frozen) if frozen.cause == Cause::KeyMismatch), "{fault}");
    assert!(!place.zone().exists());
}

#[test]
fn keys_are_taken_in_whole_or_not_at_all_whatever_step_the_server_dies_at() {
    for with_content in [false, true] {
        let mut step = 1;
        loop {
            let place = Place::new();
            if with_content {
                place.store().keep_last_good(LastGood::Master(&apex()), "kept\n").expect("kept");
            }
            let (code, _) = child(&place, "import", step);
            let store = place.store();
            let in_folder = fs::read_dir(place.keys()).expect("a folder");
            let names: Vec<String> =
                in_folder.map(|e| e.expect("e").file_name().to_string_lossy().into_owned()).collect();
            assert!(!names.iter().any(|name| name.starts_with(".new-")), "died at step {step}: {names:?}");
            let kept = store.last_good(LastGood::Master(&apex())).expect("readable");
            assert_eq!(kept.is_some(), with_content, "died at step {step}");
            let keys = match store.has_journal(&apex()) {
                true => start(&store, KeyLayout::Csk, 15).expect("a later start"),
                false => take_in(&store, &fixed()).expect("the next try"),
            };
            assert_eq!(dnskeys(&keys), fixed().iter().map(|g| public(g).dnskey_data()).collect::<Vec<_>>());
            assert!(keys.findings.is_empty() && keys.journal.facts().first_keys_done);
            place.assert_twice();
            if code == 0 {
                break;
            }
            step += 1;
        }
        assert!(step > 60, "only {step} steps were tried");
    }
}

#[test]
fn a_disk_that_fails_while_keys_are_taken_in_is_named_and_the_next_try_succeeds() {
    let mut step = 1;
    loop {
        let place = Place::new();
        let (store, fails_at) = place.failing_store(libc::ENOSPC);
        fails_at.store(step, Ordering::SeqCst);
        let first = take_in(&store, &fixed());
        let failed = fails_at.swap(0, Ordering::SeqCst) == 0;
        match first {
            Ok(_) if !failed => break,
            // What is left of the folder before is removed at the next start.
            Ok(_) => panic!("step {step} failed and nobody was told"),
            Err(fault) => assert!(fault.to_string().contains("No space left"), "{fault}"),
        }
        if !store.has_journal(&apex()) {
            take_in(&store, &fixed()).expect("the next try");
        }
        let keys = start(&store, KeyLayout::Csk, 15).expect("a later start");
        assert_eq!(keys.private.len(), 2);
        place.assert_twice();
        step += 1;
    }
    assert!(step > 60, "only {step} steps were tried");
}
