//! What the tests of answers share: a world from text, questions, replies as text, signatures verified.
#![allow(dead_code, reason = "each test binary uses its own part of this")]
#![allow(clippy::panic, reason = "a test that cannot go on says why")]

pub mod ask;
pub mod cut;
pub mod message;
pub mod verify;
pub mod world;

/// When tests take place, unless they say otherwise: 2027-01-15 08:00:00 UTC.
pub const NOW: u64 = 1_800_000_000;

/// Octets of the name that `text` writes; letters keep their case, so that replies can be seen to repeat it.
pub fn wire_name(text: &str) -> Vec<u8> {
    let (mut wire, mut label) = (Vec::new(), Vec::new());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        match octet {
            b'.' => {
                if !label.is_empty() {
                    wire.push(u8::try_from(label.len()).expect("a label of a test"));
                    wire.append(&mut label);
                }
            }
            b'\\' => {
                let first = octets.next().expect("an escape of a test is whole");
                let mut digit = || u32::from(octets.next().expect("three digits") - b'0');
                label.push(match first {
                    b'0'..=b'2' => {
                        u8::try_from(u32::from(first - b'0') * 100 + digit() * 10 + digit()).expect("an octet")
                    }
                    other => other,
                });
            }
            other => label.push(other),
        }
    }
    assert!(label.is_empty(), "`{text}` has no final dot");
    wire.push(0);
    wire
}

/// `<x*63>` written out.
pub fn repeat_marked(text: &str) -> String {
    let Some((before, rest)) = text.split_once('<') else { return text.to_owned() };
    let Some((inside, after)) = rest.split_once('>') else { return text.to_owned() };
    let Some((what, count)) = inside.rsplit_once('*').and_then(|(what, n)| Some((what, n.parse::<usize>().ok()?)))
    else {
        return format!("{before}<{inside}>{}", repeat_marked(after));
    };
    format!("{before}{}{}", what.repeat(count), repeat_marked(after))
}
