//! What is lost or damaged once is used from its copy, said, and mended; nothing is made in its place.

use super::*;

fn zone(layout: KeyLayout) -> (Place, Vec<Vec<u8>>) {
    let place = Place::new();
    let keys = start(&place.store(), layout, 15).expect("a first start");
    let dnskeys = dnskeys(&keys);
    (place, dnskeys)
}

fn again(place: &Place) -> ZoneKeys {
    start(&place.store(), KeyLayout::Csk, 15).unwrap_or_else(|frozen| panic!("{frozen}"))
}

#[test]
fn a_folder_of_the_first_version_gets_its_copies_without_a_word() {
    let (place, before) = zone(KeyLayout::KskAndZsk);
    fs::remove_dir_all(place.zone().join("copy")).expect("removed");
    let keys = again(&place);
    assert_eq!((dnskeys(&keys), keys.findings.len()), (before, 0));
    place.assert_twice();
}

#[test]
fn whatever_happens_to_one_of_two_files_of_a_key_the_same_key_serves() {
    let (other, _) = zone(KeyLayout::Csk);
    let foreign = fs::read(&other.pem_files()[0]).expect("read");
    let damages: Vec<(&str, bool, Damage)> = vec![
        ("removed", true, Box::new(|key, _| fs::remove_file(key))),
        ("emptied", true, Box::new(|key, _| fs::write(key, ""))),
        ("cut", true, Box::new(|key, _| cut_in_half(key))),
        ("a link", true, Box::new(|key, _| replace_by_link(key))),
        ("a FIFO", true, Box::new(|key, _| replace_by_fifo(key))),
        ("a folder", true, Box::new(|key, _| fs::remove_file(key).and(fs::create_dir(key)))),
        ("of another zone", true, Box::new(move |key, _| fs::write(key, &foreign))),
        ("0644", false, Box::new(|key, _| set_mode(key, 0o644))),
        ("of another user", false, Box::new(|key, _| give_away(key))),
    ];
    for (what, is_mended, damage) in damages {
        for of_copy in [false, true] {
            let (place, before) = zone(KeyLayout::Csk);
            let key = place.pem_files()[0].clone();
            let (hit, good) = if of_copy { (copy_of(&key), key) } else { (key.clone(), copy_of(&key)) };
            damage(&hit, &place.journal()).expect(what);
            let keys = again(&place);
            assert_eq!((dnskeys(&keys), keys.unreadable.len()), (before.clone(), 0), "{what}");
            let silent = of_copy && what == "removed";
            assert_eq!(keys.findings.len(), usize::from(!silent), "{what}: {:?}", keys.findings);
            if let Some(finding) = keys.findings.first() {
                let text = format!("{} {}", finding.place.file, finding.message);
                assert!([&hit, &good].iter().all(|file| text.contains(&*file.to_string_lossy())), "{what}: {text}");
            }
            assert_eq!(again(&place).findings.is_empty(), is_mended, "{what}: said until someone has looked");
            if is_mended {
                place.assert_twice();
                let beside = PathBuf::from(format!("{}.damaged-1", hit.display()));
                assert_eq!(fs::symlink_metadata(beside).is_ok(), what != "removed", "{what}: what was broken is kept");
            }
        }
    }
}

#[test]
fn another_key_with_the_same_tag_is_not_used_while_the_copy_is_good() {
    let (mine, twin) = same_tag();
    let place = Place::new();
    let keys = [import::key(&mine, Role::Csk)];
    let before = dnskeys(&import::take_in(&place.store(), &keys).expect("taken in"));
    let file = place.pem_files()[0].clone();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(&twin));
    fs::write(&file, &pem).expect("written");
    let keys = again(&place);
    assert_eq!(dnskeys(&keys), before);
    assert!(keys.findings[0].message.contains("do not verify"), "{:?}", keys.findings);
    place.assert_twice();
    write_both(&file, pem.as_bytes());
    let frozen = start(&place.store(), KeyLayout::Csk, 15).err().expect("frozen");
    assert_eq!(frozen.cause, Cause::KeyMismatch);
}

#[test]
fn a_key_that_need_not_sign_now_may_be_lost_and_is_named() {
    let (place, before) = zone(KeyLayout::KskAndZsk);
    let keys = again(&place);
    let files: Vec<PathBuf> = keys.journal.facts().keys.iter().map(|key| place.zone().join(&key.file)).collect();
    let next = keys.journal.facts().keys[2].public.tag;
    remove_both(&files[2]);
    let keys = again(&place);
    assert_eq!(keys.unreadable.iter().map(|(tag, _)| *tag).collect::<Vec<_>>(), [next]);
    assert_eq!((keys.private.len(), keys.findings.len()), (2, 1));
    assert_eq!(keys.journal.facts().keys.len(), before.len(), "none is made in its place");
    assert_eq!(place.pem_files().len(), 2);
    remove_both(&files[1]);
    let frozen = start(&place.store(), KeyLayout::Csk, 15).err().expect("the key that signs data");
    assert!(frozen.cause == Cause::KeyMissing && frozen.file.contains("zsk"), "{frozen}");
}

#[test]
fn a_zone_without_a_readable_key_for_its_ds_is_frozen_and_an_unsigned_one_needs_none() {
    let (place, _) = zone(KeyLayout::KskAndZsk);
    let mut keys = again(&place);
    let ksk = place.zone().join(&keys.journal.facts().keys[0].file);
    remove_both(&ksk);
    let frozen = start(&place.store(), KeyLayout::Csk, 15).err().expect("frozen");
    assert!(frozen.cause == Cause::KeyMissing && frozen.file.contains("ksk"), "{frozen}");
    keys.journal.append(Fact::Unsigned {}, NOW).expect("recorded");
    let keys = again(&place);
    assert_eq!((keys.private.len(), keys.unreadable.len()), (2, 1));
    assert_eq!(place.pem_files().len(), 2, "no key is made in place of one");
}

#[test]
fn copies_in_a_folder_that_others_can_use_count_for_nothing_and_no_fact_is_recorded() {
    let (place, before) = zone(KeyLayout::Csk);
    set_mode(&place.zone().join("copy"), 0o755).expect("mode set");
    let mut keys = again(&place);
    assert_eq!(dnskeys(&keys), before);
    assert!(keys.findings.iter().any(|finding| finding.help.contains("chmod 700")), "{:?}", keys.findings);
    assert!(keys.journal.append(served(1), NOW).is_err());
    set_mode(&place.zone().join("copy"), 0o700).expect("mode set");
    keys.journal.append(served(1), NOW).expect("recorded");
    assert!(again(&place).findings.is_empty());
}

// --- the journal ---

fn journal_with_facts() -> (Place, Vec<u8>) {
    let (place, _) = zone(KeyLayout::KskAndZsk);
    let mut keys = again(&place);
    (1..=3).for_each(|at| keys.journal.append(served(at), NOW).expect("recorded"));
    let whole = fs::read(place.journal()).expect("read");
    (place, whole)
}

#[test]
fn a_journal_damaged_anywhere_goes_on_from_its_copy_in_doubt() {
    let (place, whole) = journal_with_facts();
    let before = again(&place).journal.facts().clone();
    let flips = (0..whole.len()).step_by(97).map(|at| {
        let mut octets = whole.clone();
        octets[at] ^= 1 << (at % 8);
        octets
    });
    let damages = flips.chain([Vec::new(), vec![0; 999], b"newer\n".to_vec(), whole[1..].to_vec()]);
    for octets in damages {
        write_both(&place.journal(), &whole);
        fs::write(place.journal(), &octets).expect("written");
        let keys = again(&place);
        let facts = keys.journal.facts();
        assert_eq!((facts.key_set(), facts.signers(), facts.keys.len()), (before.key_set(), before.signers(), 3));
        // In the last line a flipped bit is what a torn write leaves.
        if facts.doubt.is_none() {
            assert_eq!(facts.records, before.records);
            continue;
        }
        assert_eq!((facts.records, keys.findings.len()), (before.records + 1, 1), "{:?}", keys.findings);
        assert!(keys.findings[0].message.contains("copy"), "{:?}", keys.findings);
        place.assert_twice();
        assert_eq!(fs::read(place.zone().join("journal.damaged-1")).expect("kept"), octets);
        let later = again(&place);
        assert_eq!((later.journal.facts(), later.findings.len()), (facts, 0), "the doubt stays, the damage is mended");
        fs::remove_file(place.zone().join("journal.damaged-1")).expect("removed");
    }
}

#[test]
fn a_lost_journal_goes_on_from_its_copy_in_doubt_and_never_starts_anew() {
    let (place, _) = journal_with_facts();
    let before = again(&place);
    fs::remove_file(place.journal()).expect("removed");
    assert_eq!(read_keys(&place.keys(), &apex()).map(|keys| keys.len()), Ok(3), "commands go by the copy too");
    assert!(!place.journal().exists(), "and mend nothing");
    let keys = again(&place);
    assert_eq!(dnskeys(&keys), dnskeys(&before));
    assert!(keys.journal.facts().doubt.as_ref().is_some_and(|doubt| doubt.contains("missing")));
    place.assert_twice();
}

#[test]
fn a_doubt_that_cannot_be_written_yet_counts_and_is_written_with_the_next_fact() {
    for step in 1..=14 {
        let (place, _) = journal_with_facts();
        fs::write(place.journal(), "damaged\nand more\n").expect("written");
        let (store, fails_at) = place.failing_store(libc::EROFS);
        fails_at.store(step, Ordering::SeqCst);
        let mut keys = start(&store, KeyLayout::Csk, 15).expect("the copy is good");
        let failed = fails_at.load(Ordering::SeqCst) == 0;
        assert!(keys.journal.facts().doubt.is_some());
        assert_eq!(keys.findings.len(), 1 + usize::from(failed), "step {step}: {:?}", keys.findings);
        fails_at.store(0, Ordering::SeqCst);
        keys.journal.append(served(9), NOW).expect("recorded");
        drop(store);
        assert_eq!(again(&place).journal.facts(), keys.journal.facts());
        place.assert_twice();
    }
}

#[test]
fn a_tail_that_one_of_two_journals_lost_is_taken_from_the_other() {
    let (place, whole) = journal_with_facts();
    let before = again(&place).journal.facts().clone();
    let ends: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').map(|at| at + 1).collect();
    for (lost, end) in ends.iter().rev().enumerate() {
        for (file, may_be_a_crash) in [(place.journal(), false), (copy_of(&place.journal()), true)] {
            for torn in [0, 5].into_iter().take(if lost == 0 { 1 } else { 2 }) {
                fs::write(&file, &whole[..end + torn]).expect("written");
                let keys = again(&place);
                assert_eq!(keys.journal.facts(), &before, "{lost} lost");
                let silent = lost == 0 || (may_be_a_crash && lost == 1);
                assert_eq!(keys.findings.len(), usize::from(!silent), "{lost} lost: {:?}", keys.findings);
                place.assert_twice();
            }
        }
    }
}

#[test]
fn a_damaged_copy_of_the_journal_is_written_anew() {
    let (place, whole) = journal_with_facts();
    let before = again(&place).journal.facts().clone();
    for octets in [Vec::new(), b"x\ny\n".to_vec(), whole[1..].to_vec()] {
        fs::write(copy_of(&place.journal()), &octets).expect("written");
        let keys = again(&place);
        assert_eq!((keys.journal.facts(), keys.findings.len()), (&before, 1));
        place.assert_twice();
    }
}

#[test]
fn two_journals_that_tell_different_stories_freeze_the_zone() {
    let (place, whole) = journal_with_facts();
    again(&place).journal.append(served(7), NOW).expect("recorded");
    let one = fs::read(place.journal()).expect("read");
    write_both(&place.journal(), &whole);
    again(&place).journal.append(served(8), NOW).expect("recorded");
    fs::write(place.journal(), &one).expect("written");
    let before = place.content();
    let frozen = start(&place.store(), KeyLayout::Csk, 15).err().expect("frozen");
    assert!(frozen.cause == Cause::JournalDamaged && frozen.reason.contains("neither"), "{frozen}");
    assert_eq!(place.content(), before);
}

#[test]
fn a_disk_that_refuses_to_mend_is_named_and_the_zone_serves() {
    for step in 1..=7 {
        let (place, before) = zone(KeyLayout::Csk);
        let key = place.pem_files()[0].clone();
        fs::remove_file(&key).expect("removed");
        let (store, fails_at) = place.failing_store(libc::ENOSPC);
        fails_at.store(step, Ordering::SeqCst);
        let keys = start(&store, KeyLayout::Csk, 15).expect("the copy is good");
        let failed = fails_at.load(Ordering::SeqCst) == 0;
        assert_eq!((dnskeys(&keys), keys.findings.len()), (before.clone(), 1 + usize::from(failed)));
        drop(store);
        assert_eq!(dnskeys(&again(&place)), before);
        place.assert_twice();
    }
}
