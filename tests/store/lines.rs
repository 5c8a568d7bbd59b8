//! What a journal takes it gives back: facts of every length, and lines that programs of before wrote too long.

use super::*;
use mxseal::cert::{KeyKind, Spki};
use mxseal::roll::hosts::facts::{Fact as PoolFact, Inherited, Origin};
use mxseal::roll::hosts::fold::PoolFacts;
use mxseal::roll::life::Facts;
use mxseal::roll::reason::REASON_OCTETS_MAX;
use mxseal::store::journal::{LINE_OCTETS_MAX, LINE_READ_OCTETS_MAX};
use proptest::prelude::*;

fn begun<F: Facts>(folder: &Path, first: F::Fact) -> JournalFile<F> {
    JournalFile::create(Arc::default(), folder.join("journal"), first, NOW).expect("a journal")
}

fn zone_journal(folder: &Path) -> JournalFile<ZoneFacts> {
    begun(folder, Fact::FirstKeysIntended { layout: KeyLayout::Csk, algorithm: 13 })
}

fn pool_journal(folder: &Path) -> JournalFile<PoolFacts> {
    begun(folder, PoolFact::PoolBegan { from: None, to: None })
}

fn read_again<F: Facts + std::fmt::Debug>(journal: &JournalFile<F>) -> F {
    let read = JournalFile::<F>::read(Arc::default(), journal.path().to_owned());
    let mut read = read.expect("what was written can be read").expect("it is there");
    assert!(read.mend(NOW).is_empty(), "both files are as they should be");
    read.facts().clone()
}

/// A fact of any length: nothing cuts it.
fn servers(octets: usize) -> Fact {
    Fact::ParentServers { servers: vec!["x".repeat(octets)], own: false, rounds_apart: 600 }
}

fn known(octets: usize) -> PoolFact {
    let (spki, kind) = (Spki::of(&octets.to_be_bytes()), Some(mxseal::cert::KeyKind::EcdsaP256));
    PoolFact::KeyKnown { spki, kind, origin: Origin::Made, file: "x".repeat(octets) }
}

/// The longest line that is taken has exactly the limit; one octet more is refused in words, and nothing is written.
fn is_bounded<F: Facts + std::fmt::Debug + PartialEq>(mut journal: JournalFile<F>, fact: impl Fn(usize) -> F::Fact) {
    let line = |journal: &JournalFile<F>, octets| {
        let record = journal.facts().next_record(fact(octets), NOW);
        mxseal::store::journal::encode(&record).len() - 1
    };
    let rest = LINE_OCTETS_MAX - line(&journal, 0);
    assert_eq!(line(&journal, rest), LINE_OCTETS_MAX);
    let before = (fs::read(journal.path()).expect("read"), journal.facts().clone());
    let refused = journal.append(fact(rest + 1), NOW).expect_err("too long");
    assert!(refused.to_string().contains("a line has at most 16384"), "{refused}");
    assert!(matches!(refused, AppendFault::TooLong { octets, .. } if octets == LINE_OCTETS_MAX + 1));
    assert_eq!((fs::read(journal.path()).expect("read"), journal.facts().clone()), before);
    journal.append(fact(rest), NOW).expect("it has the limit");
    assert_eq!(&read_again(&journal), journal.facts());
    journal.append(fact(1), NOW).expect("and goes on");
    assert_eq!(&read_again(&journal), journal.facts());
}

#[test]
fn a_fact_of_exactly_the_limit_is_written_and_read_and_one_octet_more_is_refused_before() {
    const { assert!(LINE_OCTETS_MAX <= LINE_READ_OCTETS_MAX, "what is written can be read") };
    let folder = tempfile::tempdir().expect("a folder");
    is_bounded(zone_journal(folder.path()), servers);
    let folder = tempfile::tempdir().expect("a folder");
    is_bounded(pool_journal(folder.path()), known);
}

#[test]
fn a_reason_of_any_length_is_kept_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = zone_journal(folder.path());
    for letter in ["x", "\u{1}", "\"", "𝄞"] {
        for octets in [100, 17_000, 200_000] {
            let reason = letter.repeat(octets / letter.len());
            for fact in [
                Fact::Held { reason: reason.clone() },
                Fact::Doubted { reason: reason.clone() },
                Fact::Resumed { reason: reason.clone() },
                Fact::Held { reason },
            ] {
                journal.append(fact, NOW).expect("cut, and never refused");
            }
            let held = read_again(&journal).held.expect("held");
            assert_eq!(held.ends_with("(cut)"), octets > REASON_OCTETS_MAX, "{held}");
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut journal = pool_journal(folder.path());
    journal.append(known(10), NOW).expect("recorded");
    let spki = journal.facts().keys[0].spki;
    let given_up = PoolFact::KeyGivenUp { spki, emergency: true, reason: "\u{1}".repeat(300_000) };
    journal.append(given_up, NOW).expect("recorded");
    assert!(read_again(&journal).keys[0].given_up.as_ref().is_some_and(|given| given.reason.ends_with("(cut)")));
}

#[test]
fn a_line_of_before_that_is_longer_than_one_may_be_now_is_read() {
    let place = Place::new();
    let keys = start(&place.store(), KeyLayout::Csk, 15).expect("a first start");
    // A program of before wrote each reason as long as it was.
    for octets in [17_000, 250_000] {
        let record = keys.journal.facts().next_record(Fact::Held { reason: "x".repeat(octets) }, NOW);
        let journal = [fs::read(place.journal()).expect("read"), encode(&record).into_bytes()].concat();
        write_both(&place.journal(), &journal);
        let mut again = start(&place.store(), KeyLayout::Csk, 15).expect("the zone is not lost");
        assert_eq!((dnskeys(&again), again.findings.len()), (dnskeys(&keys), 0));
        again.journal.append(Fact::Resumed { reason: "seen".to_owned() }, NOW).expect("it goes on");
        drop(again);
        write_both(&place.journal(), &journal[..journal.len() - encode(&record).len()]);
    }
}

fn zone_fact() -> impl Strategy<Value = Fact> {
    let text = (prop_oneof![Just("x"), Just("\u{7}"), Just("\\"), Just("é")], 0..24_000usize);
    let text = text.prop_map(|(letter, octets)| letter.repeat(octets / letter.len()));
    let many = proptest::collection::vec("[0-9a-f]{0,600}", 0..40);
    (text, many, 0..6u8).prop_map(|(text, many, kind)| match kind {
        0 => Fact::Held { reason: text },
        1 => Fact::Resumed { reason: text },
        2 => Fact::Doubted { reason: text },
        3 => Fact::ParentServers { servers: many, own: false, rounds_apart: 1 },
        4 => Fact::ParentServers { servers: vec![text], own: true, rounds_apart: 1 },
        _ => Fact::ParentSaw {
            server: "x".to_owned(),
            tags: vec![],
            unknown: many,
            ttl: 1,
            signature_span: 1,
            expires: 1,
        },
    })
}

fn pool_fact() -> impl Strategy<Value = PoolFact> {
    let keys = proptest::collection::vec(proptest::collection::vec(any::<[u8; 4]>(), 0..17), 0..30);
    (keys, 0..24_000usize, 0..7u8).prop_map(|(sets, octets, kind)| {
        let digests = |set: &Vec<[u8; 4]>| set.iter().map(|seed| Spki::of(seed)).collect::<Vec<_>>();
        match kind {
            0 => PoolFact::Doubted { reason: "x".repeat(octets) },
            1 => PoolFact::Resumed { reason: "\n".repeat(octets) },
            2 => known(octets),
            3 => {
                let hosts = sets.iter().flatten().map(|octets| IpAddr::from(*octets)).collect();
                PoolFact::Named {
                    current: sets.iter().flat_map(digests).collect(),
                    given: Vec::new(),
                    hosts: Some(hosts),
                }
            }
            4 => PoolFact::ApartShows { keys: sets.iter().flat_map(digests).collect() },
            5 => PoolFact::KeyAdopted {
                spki: Spki::of(&octets.to_be_bytes()),
                kind: KeyKind::Rsa,
                origin: Origin::Adopted,
                reason: "\u{1}".repeat(octets),
            },
            _ => PoolFact::Inherited {
                keys: sets.iter().map(|set| Inherited { what: digests(set), last: Some(1), ttl: 1, life: 1 }).collect(),
                addresses: Vec::new(),
            },
        }
    })
}

/// Whatever is taken is read; what is refused changes nothing.
fn keeps_its_word<F: Facts + std::fmt::Debug + PartialEq>(mut journal: JournalFile<F>, facts: Vec<F::Fact>) {
    for fact in facts {
        let before = journal.facts().clone();
        match journal.append(fact, NOW) {
            Ok(()) => assert_eq!(journal.facts().records, before.records + 1),
            Err(_) => assert_eq!(journal.facts(), &before),
        }
    }
    assert_eq!(&read_again(&journal), journal.facts());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_journal_takes_is_read_again(
        zone in proptest::collection::vec(zone_fact(), 1..8),
        pool in proptest::collection::vec(pool_fact(), 1..8),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        keeps_its_word(zone_journal(folder.path()), zone);
        let folder = tempfile::tempdir().expect("a folder");
        keeps_its_word(pool_journal(folder.path()), pool);
    }
}
