//! The one rule, in cases that a DNS person reads.
//!
//! D is the DS set, K the DNSKEY set (`!` marks keys that sign it), R the keys that signed data; letters are keys of
//! algorithm 13, digits those of 15; `-` is nothing.

use super::lab::validate;
use mxseal::roll::item::Span;
use mxseal::roll::zone::check::{History, KeyId, KeySet, Keys, never_bogus};
use mxseal::time::UnixTime;

fn key(name: char) -> KeyId {
    let algorithm = if name.is_ascii_digit() { 15 } else { 13 };
    KeyId { tag: u16::try_from(u32::from(name)).expect("small"), algorithm, print: u64::from(u32::from(name)) }
}

fn set(text: &str) -> KeySet {
    text.chars().filter(|c| c.is_alphanumeric()).map(key).collect()
}

fn keys(text: &str) -> Keys {
    let marks = text.chars().zip(text.chars().skip(1).chain([' '])).filter(|(_, next)| *next == '!');
    Keys { published: set(text), signers: marks.map(|(name, _)| key(name)).collect() }
}

/// `D ab@0-5 c@6 | K a!z@0 | R z@0`: things with the moments from and until which caches may hold them.
fn history(text: &str) -> History {
    let mut history = History::default();
    for part in text.split('|').map(str::trim) {
        let (kind, things) = part.split_once(' ').expect("a kind and things");
        for thing in things.split_whitespace() {
            let (what, span) = thing.split_once('@').expect("a span");
            let (from, until) = span.split_once('-').map_or((span, None), |(from, until)| (from, Some(until)));
            let moment = |text: &str| UnixTime(text.parse().expect("a number"));
            let (from, until) = (moment(from), until.map(moment));
            match kind {
                "D" => history.ds.push(Span { what: set(what), from, until }),
                "K" => history.keys.push(Span { what: keys(what), from, until }),
                _ => history.data.push(Span { what: set(what), from, until }),
            }
        }
    }
    history
}

#[test]
fn mixtures_are_judged_as_validators_judge_them() {
    for (text, good, why) in [
        ("D a@0 | K a!@0 | R a@0", true, "a CSK at rest"),
        ("D a@0 | K a!z@0 | R z@0", true, "KSK and ZSK at rest"),
        ("D a@0 | K az@0 | R z@0", false, "the KSK does not sign DNSKEY"),
        ("D a@0 | K b!z@0 | R z@0", false, "the DS names another key"),
        ("D b@0 | K a!z@0 | R z@0", false, "the new DS before the new key: .nz 2023 turned round"),
        ("D a@0-9 b@5 | K a!b!@0 | R a@0", true, "both keys while both DS may be there"),
        ("D a@0-9 b@5 | K a!b!@0-6 b!@7 | R b@0", false, "the old key goes while its DS is cached: .nz 2023"),
        ("D a@0-9 b@5 | K a!b!@0-9 b!@10 | R b@0", true, "it goes when its DS is cached no more"),
        ("D a@0 | K a!y@0-5 a!yz@3 | R y@0-5 z@4", false, "a ZSK signs before everybody has it: ripe.net 2010"),
        ("D a@0 | K a!y@0-5 a!yz@3 | R y@0-8 z@6", true, "it signs when everybody has it"),
        ("D a@0 | K a!yz@0-8 a!z@7 | R y@0-7 z@6", false, "the old ZSK goes while its signatures are cached"),
        ("D a@0 | K a!1!yz@0 | R z@0", false, "an algorithm in DNSKEY that signs nothing: liberal roll"),
        ("D a@0 | K a!z1!@0 | R z@0", false, "the same where it is the entry key's"),
        ("D a@0 | K a!1!z2@0 | R z2@0", true, "each algorithm of DNSKEY signs data"),
        ("D a1@0 | K a!z@0 | R z2@0", false, "an algorithm in the DS set without a key"),
        ("D a1@0 | K a!1!z2@0 | R z2@0", true, "both algorithms all the way"),
        ("D a@0 | K a!z@0 | R z2@0", true, "signatures by an unpublished key of another algorithm harm nobody"),
        ("D ab@0 | K a!z@0 | R z@0", true, "a DS more than needed"),
        ("D -@0 | K q@0 | R -@0", true, "an insecure zone may do as it likes"),
        ("D -@0-5 a@3 | K a!@0 | R -@0-4 a@2", false, "a DS while unsigned data is cached"),
        ("D -@0-5 a@5 | K a!@0 | R -@0-4 a@2", true, "a DS when that is forgotten"),
        ("D a@0-5 -@5 | K a!@0 | R a@0-9 -@5", false, "unsigned while a DS is cached"),
        ("D a@0-5 -@4 | K a!@0 | R a@0-9 -@6", true, "unsigned when it is forgotten"),
        ("D A@0 | K a!@0 | R a@0", false, "the same letter is not the same key"),
    ] {
        let history = history(text);
        assert_eq!(never_bogus(&history).is_ok(), good, "{why}: {text}");
        assert_eq!(validate(&history).is_ok(), good, "the second judge: {why}: {text}");
    }
}

#[test]
fn both_judges_agree_on_mixtures_at_random() {
    let mut seed = 7u64;
    let mut draw = |n: u64| mxseal::roll::zone::invented::next(&mut seed) % n;
    let (mut good, mut bad) = (0, 0);
    for _ in 0..20_000 {
        let names = ["a", "b", "1", "z", "y", "2"];
        let mut pick = |least: u64, marks: bool| {
            let mut text = String::new();
            for name in names {
                if draw(3) >= 1 + least.min(1) - least {
                    text.push_str(name);
                    if marks && draw(3) > 0 {
                        text.push('!');
                    }
                }
            }
            let from = draw(6);
            format!("{}@{from}-{}", if text.is_empty() { "-".to_owned() } else { text }, from + draw(6))
        };
        let text = format!(
            "D {} {} | K {} {} | R {} {}",
            pick(0, false),
            pick(0, false),
            pick(1, true),
            pick(1, true),
            pick(1, false),
            pick(1, false)
        );
        let history = history(&text);
        let (first, second) = (never_bogus(&history).is_ok(), validate(&history).is_ok());
        assert_eq!(first, second, "{text}");
        if first { good += 1 } else { bad += 1 }
    }
    assert!(good > 500 && bad > 500, "{good} good, {bad} bad");
}
