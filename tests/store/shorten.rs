//! A long journal of a pool is made shorter when it is opened, and a crash or a full disk at any step leaves one story.

use super::*;
use mxseal::cert::{KeyClass, KeyKind, Spki};
use mxseal::roll::hosts::facts::{Fact, Origin, Shown};
use mxseal::roll::hosts::fold::PoolFacts;
use mxseal::roll::life::Facts;

const MEGABYTE: usize = 1024 * 1024;

/// A pool's journal of some octets: a host showed a new key at each of thousands of looks, as a program of before recorded it.
fn long(octets: usize) -> (Place, Vec<u8>, PoolFacts) {
    let (place, mut facts, mut text) = (Place::new(), PoolFacts::default(), Vec::new());
    let spki = Spki::of(b"ours");
    let address = "198.18.0.1".parse().expect("an address");
    let mut all = vec![
        Fact::PoolBegan { from: None, to: None },
        Fact::KeyKnown { spki, kind: None, origin: Origin::Given, file: String::new() },
        Fact::Named { current: Vec::new(), given: vec![spki], hosts: None },
        Fact::Tlsa { keys: vec![spki] },
        Fact::Addresses { addresses: vec![address] },
        Fact::KeyGivenUp { spki, emergency: true, reason: "stolen".to_owned() },
    ];
    let apart = "198.18.0.2".parse().expect("an address");
    for look in 0u32.. {
        for fact in all.drain(..) {
            let record = facts.next_record(fact, NOW);
            let line = encode(&record).into_bytes();
            if text.len() + line.len() > octets {
                break;
            }
            facts.apply(&record).expect("it follows");
            text.extend(line);
        }
        if text.len() + 400 > octets {
            break;
        }
        let spki = Spki::of(&look.to_be_bytes());
        let kind = Some(KeyKind::EcdsaP256);
        all.push(Fact::KeyKnown { spki, kind, origin: Origin::Host, file: String::new() });
        all.push(Fact::HostShows { address: apart, class: KeyClass::Ecdsa, sni: true, shows: Shown::Key(spki) });
    }
    let store = place.store();
    store.create_pool_journal("eu", Fact::PoolBegan { from: None, to: None }, NOW).expect("made");
    drop(store);
    (place, text, facts)
}

#[test]
fn a_crash_or_a_full_disk_while_a_journal_is_made_shorter_leaves_one_story() {
    let (place, text, facts) = long(MEGABYTE + 4096);
    let journal = place.keys().join("pools/eu/journal");
    let (mut step, mut shortened) = (1, 0);
    loop {
        write_both(&journal, &text);
        let (store, fails_at) = place.failing_store(libc::ENOSPC);
        let mut open = store.pool_journal("eu").expect("read").expect("there");
        fails_at.store(step, Ordering::SeqCst);
        open.shorten();
        let failed = fails_at.load(Ordering::SeqCst) == 0;
        fails_at.store(0, Ordering::SeqCst);
        for goes_on in [false, true] {
            if goes_on {
                open.append(Fact::ClockCorrected { by: 0 }, NOW).expect("recorded");
            }
            let again = store.pool_journal("eu").expect("one story").expect("there");
            let found = again.facts();
            assert_eq!(found.served_keys(), facts.served_keys(), "step {step}");
            assert_eq!(found.served_addresses(), facts.served_addresses());
            assert_eq!(found.keys[0].given_up, facts.keys[0].given_up);
            assert_eq!((found.time, &found.sights), (facts.time, &facts.sights));
        }
        assert_eq!(fs::read(&journal).expect("read"), fs::read(copy_of(&journal)).expect("read"), "step {step}");
        // Where the disk refused before anything was left out, it is as long as it was.
        let is_short = open.share() < 0.001;
        assert_eq!(fs::metadata(&journal).expect("there").len() < 10_000, is_short, "step {step}");
        assert!(is_short || failed, "step {step}");
        shortened += u32::from(is_short && failed);
        drop(store);
        if !failed {
            break;
        }
        step += 1;
    }
    assert!(step > 15 && shortened > 5, "only {step} steps were tried, {shortened} of them in the midst");
}

#[test]
fn a_journal_that_a_program_of_before_filled_takes_facts_again_when_it_is_opened() {
    let (place, text, facts) = long(16 * MEGABYTE);
    let journal = place.keys().join("pools/eu/journal");
    write_both(&journal, &text);
    let mut open = place.store().pool_journal("eu").expect("read").expect("there");
    let next = || Fact::Resumed { reason: "looked at, and all is well: ".repeat(30) };
    assert!(matches!(open.append(next(), NOW), Err(AppendFault::Full(_))), "{} octets", text.len());
    open.shorten();
    open.append(next(), NOW).expect("there is room");
    assert!(open.share() < 0.001, "{}", open.share());
    assert_eq!(open.facts().served_keys(), facts.served_keys());
    drop(open);
    let again = place.store().pool_journal("eu").expect("read").expect("there");
    assert!(again.facts().key(Spki::of(b"ours")).is_some_and(|key| key.given_up.is_some()));
}

#[test]
fn where_nothing_can_be_written_a_long_journal_stays_as_it_is() {
    let (place, text, _) = long(MEGABYTE + 4096);
    let journal = place.keys().join("pools/eu/journal");
    write_both(&journal, &text);
    // The file is damaged, and its copy, which counts, must not go while it cannot be mended.
    let mut damaged = text.clone();
    damaged[200] ^= 1;
    fs::write(&journal, &damaged).expect("written");
    let (store, fails_at) = place.failing_store(libc::ENOSPC);
    for step in 1..16 {
        let mut open = store.pool_journal("eu").expect("read").expect("there");
        fails_at.store(step, Ordering::SeqCst);
        open.mend(NOW);
        open.shorten();
        fails_at.store(0, Ordering::SeqCst);
        let again = store.pool_journal("eu").expect("one of the two is whole").expect("there");
        assert!(again.facts().key(Spki::of(b"ours")).is_some_and(|key| key.given_up.is_some()), "step {step}");
        write_both(&journal, &text);
        fs::write(&journal, &damaged).expect("written");
    }
}
