//! The journal of a zone's keys, or of a pool, as text: what happened, one fact a line, and what the facts add up to.
//!
//! It never skips a line that it does not understand: all facts or none, since a forgotten one could end a wait early.
//! Pure; [`crate::store::journal::file`] keeps it on disk.
//!
//! A line is the CRC-32 of the rest in 8 hex digits, a space, and one [`Record`] as JSON.

pub mod file;
pub mod pair;

use crate::roll::life::Facts;
pub use crate::roll::life::Record;
pub use crate::roll::zone::facts::{Fact, KeyLayout, key_file_name};
pub use crate::roll::zone::fold::{KeyFacts, ZoneFacts};
use serde::Serialize;
use serde::de::DeserializeOwned;

use serde::de::IgnoredAny;

/// Octets of a line that is written, at most, its end not counted: twenty times the longest fact, and what programs of
/// before take when they read.
pub const LINE_OCTETS_MAX: usize = 16 * 1024;
/// Octets of a line that is read, at most: programs of before wrote lines of any length, and no zone may be lost for one.
/// Never below what is written.
pub const LINE_READ_OCTETS_MAX: usize = JOURNAL_OCTETS_MAX;
/// Octets of a journal, at most: some 80,000 facts, centuries of rolls. It is read whole.
pub const JOURNAL_OCTETS_MAX: usize = 16 * 1024 * 1024;
/// Digits of the checksum and the space behind it.
const HEAD_OCTETS: usize = 9;

/// Why a journal cannot be believed. The zone is silent then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Damaged {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// A last line that was not written to its end: its append never succeeded, so nothing was done because of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Line, from 1.
    pub line: usize,
    /// Its octets.
    pub octets: usize,
}

/// A journal that can be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded<F = ZoneFacts> {
    /// What its records add up to.
    pub facts: F,
    /// Octets of the whole lines; what follows is to be cut off.
    pub whole_octets: usize,
    /// What follows, if anything.
    pub torn: Option<Torn>,
}

/// One line, with its end.
pub fn encode<F: Serialize>(record: &Record<F>) -> String {
    // The record is numbers and text with fixed keys, for which serde_json cannot fail.
    let json = serde_json::to_string(record).unwrap_or_default();
    format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()))
}

/// Reads the journal of a zone.
///
/// # Errors
/// As [`decode_as`].
pub fn decode(content: &[u8]) -> Result<Decoded, Damaged> {
    decode_as(content)
}

/// Reads a journal.
///
/// # Errors
/// [`Damaged`] where anything but the very end is not as it was written, where a fact contradicts those before it, and
/// where there is no whole line at all: a journal is never empty, since its first record comes with the file.
pub fn decode_as<F: Facts>(content: &[u8]) -> Result<Decoded<F>, Damaged> {
    let mut facts = F::default();
    let (mut at, mut line, mut torn) = (0, 1, None);
    while let Some(rest) = content.get(at..).filter(|rest| !rest.is_empty()) {
        let end = rest.iter().position(|octet| *octet == b'\n');
        let text = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let octets = text.len() + usize::from(end.is_some());
        let damaged = |reason| Damaged { line, reason };
        match decode_line(text) {
            Ok(record) if end.is_some() => facts.apply(&record).map_err(damaged)?,
            Err(LineFault::Content(reason)) => return Err(damaged(reason)),
            Ok(_) | Err(LineFault::Checksum) if octets == rest.len() && is_one_append(text) => {
                torn = Some(Torn { line, octets });
                break;
            }
            Ok(_) | Err(LineFault::Checksum) => return Err(damaged("its checksum does not fit".to_owned())),
        }
        at += octets;
        line += 1;
    }
    match at {
        0 => Err(Damaged { line: 1, reason: "the journal holds no whole record".to_owned() }),
        whole_octets => Ok(Decoded { facts, whole_octets, torn }),
    }
}

/// The records of a journal that was read before, in their order.
pub fn records_of<F: DeserializeOwned>(content: &[u8]) -> Vec<Record<F>> {
    content.split(|octet| *octet == b'\n').filter_map(|line| decode_line(line).ok()).collect()
}

enum LineFault {
    Checksum,
    Content(String),
}

fn decode_line<F: DeserializeOwned>(text: &[u8]) -> Result<Record<F>, LineFault> {
    let (head, json) = text.split_at_checked(HEAD_OCTETS).ok_or(LineFault::Checksum)?;
    if text.len() > LINE_READ_OCTETS_MAX || head != format!("{:08x} ", crc32fast::hash(json)).as_bytes() {
        return Err(LineFault::Checksum);
    }
    serde_json::from_slice(json).map_err(|fault| {
        LineFault::Content(format!("not a record that this version knows; a newer one may have written it ({fault})"))
    })
}

/// Whether a bad last line can be what is left of one append. A whole record with more behind it cannot: there the end
/// of a line was destroyed, and cutting would lose a fact that was acted upon.
fn is_one_append(text: &[u8]) -> bool {
    if text.len() > LINE_READ_OCTETS_MAX {
        return false;
    }
    let Some((head, json)) = text.split_at_checked(HEAD_OCTETS) else { return true };
    let mut values = serde_json::Deserializer::from_slice(json).into_iter::<IgnoredAny>();
    if !matches!(values.next(), Some(Ok(_))) {
        return true;
    }
    let value = json.get(..values.byte_offset()).unwrap_or_default();
    value.len() == json.len() || head != format!("{:08x} ", crc32fast::hash(value)).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::key::{Key, PublicKey, Role, generate_pkcs8};
    use crate::time::UnixTime;
    use data_encoding::BASE64;

    #[test]
    fn what_is_written_is_read() {
        let (text, key) = journal();
        let decoded = decode(text.as_bytes()).expect("a whole journal");
        assert_eq!((decoded.whole_octets, decoded.torn), (text.len(), None));
        let facts = decoded.facts;
        assert_eq!((facts.records, facts.first, facts.first_keys_done), (6, Some((KeyLayout::Csk, 15)), true));
        assert_eq!(facts.keys.len(), 1);
        assert_eq!(facts.keys[0].public, key);
        assert!(facts.keys[0].is_published() && facts.keys[0].is_active());
        assert!(matches!(facts.served, Some(Fact::ZoneServed { ttl: 3600, .. })));
    }

    #[test]
    fn a_last_line_cut_at_any_octet_is_torn_and_the_lines_before_it_count() {
        let (text, _) = journal();
        for line in 2..=6 {
            let (start, end) = bounds(&text, line);
            for cut in start..end {
                let decoded = decode(&text.as_bytes()[..cut]).expect("the whole lines count");
                assert_eq!(decoded.whole_octets, start);
                assert_eq!(decoded.facts.records, line as u64 - 1);
                let torn = (cut > start).then_some(Torn { line, octets: cut - start });
                assert_eq!(decoded.torn, torn);
            }
        }
    }

    #[test]
    fn a_journal_without_a_whole_line_is_damaged() {
        let (text, _) = journal();
        let (_, end) = bounds(&text, 1);
        for cut in 0..end {
            assert!(decode(&text.as_bytes()[..cut]).is_err(), "{cut}");
        }
        assert!(decode(&[0; 4096]).is_err());
        assert!(decode(b"\n\n\n").is_err());
    }

    #[test]
    fn no_flipped_bit_goes_unseen_and_only_the_last_line_may_be_cut_off() {
        let (text, _) = journal();
        let (last, end) = bounds(&text, 6);
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut octets = text.clone().into_bytes();
                octets[at] ^= 1 << bit;
                match decode(&octets) {
                    Ok(decoded) => {
                        assert!(at >= last && decoded.torn.is_some(), "octet {at} bit {bit}");
                        assert_eq!((decoded.whole_octets, decoded.facts.records), (last, 5));
                    }
                    Err(damaged) => assert!(at < last || at == end - 1, "octet {at} bit {bit}: {damaged}"),
                }
            }
        }
    }

    #[test]
    fn a_missing_repeated_or_exchanged_line_is_damage() {
        let (text, _) = journal();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let damaged = |order: &[usize]| {
            let text: String = order.iter().map(|at| lines[*at]).collect();
            decode(text.as_bytes()).expect_err("damaged").line
        };
        assert_eq!(damaged(&[0, 1, 3, 4, 5]), 3);
        assert_eq!(damaged(&[0, 1, 1, 2, 3, 4, 5]), 3);
        assert_eq!(damaged(&[0, 1, 3, 2, 4, 5]), 3);
        assert_eq!(damaged(&[1, 2, 3, 4, 5]), 1);
    }

    #[test]
    fn a_fact_of_a_newer_version_is_damage_even_in_the_last_line() {
        let (text, _) = journal();
        for json in [
            r#"{"sequence":7,"time":1,"generation":1,"token":0,"fact":{"lease_issued":{"instance":1}}}"#,
            r#"{"sequence":7,"time":1,"generation":1,"token":0,"fact":{"key_retired":{"tag":1,"why":"x"}}}"#,
            r#"{"sequence":7,"time":1,"generation":1,"token":0,"more":1,"fact":{"first_keys_done":{}}}"#,
        ] {
            let line = format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()));
            let damaged = decode(format!("{text}{line}").as_bytes()).expect_err("not skipped");
            assert_eq!(damaged.line, 7);
            assert!(damaged.reason.contains("newer"), "{damaged}");
        }
    }

    #[test]
    fn facts_that_contradict_those_before_them_are_refused() {
        let (text, key) = journal();
        let facts = decode(text.as_bytes()).expect("a journal").facts;
        let tag = key.tag;
        for fact in [
            Fact::FirstKeysIntended { layout: KeyLayout::Csk, algorithm: 13 },
            Fact::FirstKeysDone {},
            Fact::KeyPublished { tag },
            Fact::KeyActivated { tag },
            Fact::KeyRetired { tag: tag.wrapping_add(1) },
            creation(&key, Role::Csk, key_file_name(Role::Csk, &key)),
            creation(&new_key(), Role::Csk, "../csk-15-00001.pem".to_owned()),
            creation(&new_key(), Role::Zsk, "zsk-15-00001.pem".to_owned()),
        ] {
            let mut after = facts.clone();
            let record = facts.next_record(fact, UnixTime(1));
            assert!(after.apply(&record).is_err(), "{record:?}");
            assert_eq!(after, facts, "a refused fact changes nothing");
        }
        assert!(ZoneFacts::default().apply(&facts.next_record(Fact::FirstKeysDone {}, UnixTime(1))).is_err());
        let mut removed = facts.clone();
        for fact in [Fact::KeyRetired { tag }, Fact::KeyRemoved { tag }] {
            let record = removed.next_record(fact, UnixTime(1));
            assert_eq!(removed.apply(&record), Ok(()));
        }
        let record = removed.next_record(creation(&key, Role::Csk, key_file_name(Role::Csk, &key)), UnixTime(1));
        assert!(removed.apply(&record).is_err(), "the tag of a removed key stays taken");
    }

    fn new_key() -> PublicKey {
        let der = generate_pkcs8(15).expect("a key");
        Key::from_pkcs8(257, 15, &der).expect("a key").public_half()
    }

    fn creation(key: &PublicKey, role: Role, file: String) -> Fact {
        let PublicKey { flags, algorithm, tag, public } = key.clone();
        Fact::KeyCreated { tag, algorithm, flags, role, public: BASE64.encode(&public), file }
    }

    fn journal() -> (String, PublicKey) {
        let key = new_key();
        let tag = key.tag;
        let mut facts = ZoneFacts::default();
        let mut text = String::new();
        for fact in [
            Fact::FirstKeysIntended { layout: KeyLayout::Csk, algorithm: 15 },
            creation(&key, Role::Csk, key_file_name(Role::Csk, &key)),
            Fact::KeyPublished { tag },
            Fact::KeyActivated { tag },
            Fact::FirstKeysDone {},
            Fact::ZoneServed {
                instance: 0,
                snapshot: 1,
                first_seen: 1,
                last_seen: 2,
                ttl: 3600,
                expires: 3,
                through: 5,
            },
        ] {
            let record = facts.next_record(fact, UnixTime(1_800_000_000));
            facts.apply(&record).expect("a fact that follows");
            text.push_str(&encode(&record));
        }
        (text, key)
    }

    /// First octet of a line, and the one behind its end.
    fn bounds(text: &str, line: usize) -> (usize, usize) {
        let lengths: Vec<usize> = text.split_inclusive('\n').map(str::len).collect();
        (lengths[..line - 1].iter().sum(), lengths[..line].iter().sum())
    }
}
