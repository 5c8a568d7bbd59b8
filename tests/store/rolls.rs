//! Keys that are made and wiped while a zone is served.

use super::*;

/// What the child does: a key more.
pub fn make(store: &Store) -> Result<(u16, Key), Silence> {
    let mut keys = start(store, KeyLayout::KskAndZsk, 15)?;
    store.make_key(&apex(), &mut keys.journal, Role::Ksk, 13, NOW)
}

/// What the child does: the removed key is wiped.
pub fn destroy(store: &Store) -> Result<(), Silence> {
    let mut keys = start(store, KeyLayout::KskAndZsk, 15)?;
    let tag = keys.journal.facts().keys[2].public.tag;
    store.destroy_key(&apex(), &mut keys.journal, tag, NOW)
}

/// What the child does: three facts.
pub fn append(store: &Store) {
    let mut keys = start(store, KeyLayout::Csk, 15).expect("a later start");
    (1..=3).for_each(|at| keys.journal.append(served(at), NOW).expect("recorded"));
}

fn zone() -> Place {
    let place = Place::new();
    start(&place.store(), KeyLayout::KskAndZsk, 15).expect("a first start");
    place
}

fn with_removed_key() -> (Place, PathBuf) {
    let place = zone();
    let mut keys = start(&place.store(), KeyLayout::KskAndZsk, 15).expect("a later start");
    let removed = keys.journal.facts().keys[2].clone();
    keys.journal.append(Fact::KeyRemoved { tag: removed.public.tag }, NOW).expect("recorded");
    let file = place.zone().join(removed.file);
    (place, file)
}

#[test]
fn one_more_key_is_complete_twice_and_does_nothing_yet() {
    let place = zone();
    let store = place.store();
    let before = start(&store, KeyLayout::KskAndZsk, 15).expect("a later start");
    let (tag, key) = make(&store).expect("a key");
    let after = start(&store, KeyLayout::KskAndZsk, 15).expect("a later start");
    let made = after.journal.facts().key(tag).expect("journaled").clone();
    assert_eq!((made.public, made.role, made.published, made.activated), (key.public_half(), Role::Ksk, None, None));
    assert_eq!((before.private.len(), after.private.len(), after.findings.len()), (3, 4, 0));
    assert_eq!(place.pem_files().len(), 4);
    place.assert_twice();
}

#[test]
fn a_key_that_is_being_made_when_the_server_dies_is_there_or_is_made_on() {
    let mut step = 1;
    loop {
        let place = zone();
        let before = place.loaded();
        let code = child(&place, "make", step).0;
        let keys = start(&place.store(), KeyLayout::KskAndZsk, 15).expect("a later start");
        assert!(keys.findings.is_empty(), "died at step {step}: {:?}", keys.findings);
        assert_eq!(dnskeys(&keys)[..3], before, "the keys before are there");
        if keys.private.len() == 3 {
            let (tag, _) = make(&place.store()).expect("the next try");
            assert_eq!(place.pem_files().len(), 4, "died at step {step}: one more, and no second one");
            assert!(
                place
                    .store()
                    .zone_keys(&apex(), KeyLayout::Csk, 15, &[], NOW)
                    .is_ok_and(|k| k.private.contains_key(&tag))
            );
        }
        place.assert_twice();
        if code == 0 {
            break;
        }
        step += 1;
    }
    assert!(step > 25, "only {step} steps were tried");
}

#[test]
fn tries_on_a_disk_that_fails_leave_no_more_than_one_key() {
    for code in [libc::ENOSPC, libc::EROFS, libc::EIO] {
        let mut step = 1;
        loop {
            let place = zone();
            let (store, fails_at) = place.failing_store(code);
            let mut keys = start(&store, KeyLayout::KskAndZsk, 15).expect("a later start");
            for _ in 0..2 {
                fails_at.store(step, Ordering::SeqCst);
                if let Err(frozen) = store.make_key(&apex(), &mut keys.journal, Role::Zsk, 15, NOW) {
                    assert_eq!(frozen.cause, Cause::Disk, "{frozen}");
                    assert_eq!(keys.journal.facts().keys.len(), 3, "what failed was not said");
                } else {
                    break;
                }
            }
            let failed = fails_at.swap(0, Ordering::SeqCst) == 0;
            if keys.journal.facts().keys.len() == 3 {
                store.make_key(&apex(), &mut keys.journal, Role::Zsk, 15, NOW).expect("the next try");
            }
            assert_eq!(place.pem_files().len(), 4, "step {step}");
            drop(store);
            let again = start(&place.store(), KeyLayout::KskAndZsk, 15).expect("a later start");
            assert_eq!(again.journal.facts(), keys.journal.facts());
            place.assert_twice();
            if !failed {
                break;
            }
            step += 1;
        }
        assert!(step > 25, "only {step} steps were tried");
    }
}

#[test]
fn no_key_has_the_tag_of_another_that_the_zone_ever_had() {
    let place = zone();
    let store = place.store();
    let mut keys = start(&store, KeyLayout::KskAndZsk, 15).expect("a later start");
    for _ in 0..8 {
        let (tag, _) = store.make_key(&apex(), &mut keys.journal, Role::Zsk, 15, NOW).expect("a key");
        keys.journal.append(Fact::KeyRemoved { tag }, NOW).expect("recorded");
        store.destroy_key(&apex(), &mut keys.journal, tag, NOW).expect("wiped");
    }
    let all = &keys.journal.facts().keys;
    assert_eq!((all.len(), place.pem_files().len()), (11, 3));
    assert!(all.iter().enumerate().all(|(at, key)| !all[..at].iter().any(|o| o.public.collides_with(&key.public))));
}

#[test]
fn a_wiped_key_leaves_no_file_whatever_step_the_server_dies_at() {
    let mut step = 1;
    loop {
        let (place, file) = with_removed_key();
        fs::write(place.zone().join(format!("{}.damaged-1", file.display())), "once its key").expect("written");
        let code = child(&place, "destroy", step).0;
        let keys = start(&place.store(), KeyLayout::KskAndZsk, 15).expect("a later start");
        let wiped = keys.journal.facts().keys[2].destroyed.is_some();
        let left = place
            .files()
            .iter()
            .filter(|left| {
                left.file_name().is_some_and(|n| {
                    n.to_string_lossy().starts_with(&*file.file_name().expect("a name").to_string_lossy())
                })
            })
            .count();
        assert_eq!(left, if wiped { 0 } else { 3 }, "died at step {step}");
        assert!(keys.findings.is_empty() && keys.private.len() == 2);
        place.assert_twice();
        if code == 0 {
            assert!(wiped);
            break;
        }
        step += 1;
    }
    assert!(step > 20, "only {step} steps were tried");
}

#[test]
fn only_a_removed_key_is_wiped_and_only_once() {
    let (place, file) = with_removed_key();
    let store = place.store();
    let mut keys = start(&store, KeyLayout::KskAndZsk, 15).expect("a later start");
    let tags: Vec<u16> = keys.journal.facts().keys.iter().map(|key| key.public.tag).collect();
    let mut wipe = |tag| store.destroy_key(&apex(), &mut keys.journal, tag, NOW).map_err(|frozen| frozen.cause);
    assert_eq!(wipe(tags[0]), Err(Cause::JournalDamaged));
    assert_eq!(wipe(tags[0].wrapping_add(1)), Err(Cause::JournalDamaged));
    assert!(place.pem_files().len() == 3 && file.exists());
    assert_eq!(wipe(tags[2]), Ok(()));
    assert_eq!(wipe(tags[2]), Err(Cause::JournalDamaged));
    assert!(!file.exists() && !copy_of(&file).exists());
}

#[test]
fn facts_are_those_before_or_after_the_one_at_which_the_server_died() {
    let mut step = 1;
    loop {
        let place = Place::new();
        let first = start(&place.store(), KeyLayout::Csk, 15).expect("a first start").journal.facts().records;
        let code = child(&place, "append", step).0;
        let keys = start(&place.store(), KeyLayout::Csk, 15).expect("a later start");
        let facts = keys.journal.facts();
        assert!((first..=first + 3).contains(&facts.records) && facts.doubt.is_none(), "died at step {step}");
        let torn = keys.findings.len();
        assert!(torn <= 1, "died at step {step}: {:?}", keys.findings);
        if torn == 0 {
            place.assert_twice();
        }
        if code == 0 {
            assert_eq!(facts.records, first + 3);
            break;
        }
        step += 1;
    }
    assert!(step > 30, "only {step} steps were tried");
}
