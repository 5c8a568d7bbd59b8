//! What the control plane reads back or is told: a damaged journal is a prefix or an error, never another key.

use super::world::{NOW, key};
use data_encoding::BASE64;
use mxseal::protocol::Request;
use mxseal::roll::life::Facts;
use mxseal::sign::key::Role;
use mxseal::store::journal::{Decoded, Fact, KeyLayout, ZoneFacts, decode, encode, key_file_name};

/// Damage that one run does at most; two can already move a line.
const DAMAGES_MAX: usize = 6;

/// First the octets as a journal, then as damage to a good one: four octets each, what, where (two), and with what.
pub fn journal(octets: &[u8]) {
    if let Ok(decoded) = decode(octets) {
        check_prefix(&decoded, octets);
    }
    let good = good();
    let mut damaged = good.clone();
    for damage in octets.chunks_exact(4).take(DAMAGES_MAX) {
        let at = usize::from(u16::from_be_bytes([damage[1], damage[2]])) % damaged.len().max(1);
        match damage[0] % 5 {
            0 if !damaged.is_empty() => damaged[at] ^= damage[3],
            1 => damaged.truncate(at),
            2 if !damaged.is_empty() => drop(damaged.remove(at)),
            3 => damaged.insert(at, damage[3]),
            _ => damaged.extend_from_within(at..damaged.len().min(at + usize::from(damage[3]))),
        }
    }
    let Ok(decoded) = decode(&damaged) else { return };
    check_prefix(&decoded, &damaged);
    assert!(good.starts_with(&damaged[..decoded.whole_octets]), "only what was written is believed");
}

fn check_prefix(decoded: &Decoded, octets: &[u8]) {
    let whole = octets.get(..decoded.whole_octets).expect("no more than there is");
    let again = decode(whole).expect("the whole lines are a journal");
    assert_eq!(again.facts, decoded.facts);
    assert_eq!((again.torn, again.whole_octets), (None, decoded.whole_octets));
    let lines = whole.iter().filter(|octet| **octet == b'\n').count();
    assert_eq!(u64::try_from(lines).ok(), Some(decoded.facts.records), "one fact a line");
}

fn good() -> Vec<u8> {
    let public = key().public_half();
    let (tag, mut facts, mut text) = (public.tag, ZoneFacts::default(), String::new());
    let created = Fact::KeyCreated {
        tag,
        algorithm: public.algorithm,
        flags: public.flags,
        role: Role::Csk,
        public: BASE64.encode(&public.public),
        file: key_file_name(Role::Csk, &public),
    };
    for fact in [
        Fact::FirstKeysIntended { layout: KeyLayout::Csk, algorithm: public.algorithm },
        created,
        Fact::KeyPublished { tag },
        Fact::KeyActivated { tag },
        Fact::FirstKeysDone {},
        Fact::KeyRetired { tag },
    ] {
        let record = facts.next_record(fact, NOW);
        facts.apply(&record).expect("a fact that follows");
        text.push_str(&encode(&record));
    }
    text.into_bytes()
}

/// A line on the control socket.
pub fn request(octets: &[u8]) {
    let Ok(request) = serde_json::from_slice::<Request>(octets) else { return };
    let text = serde_json::to_string(&request).expect("what was read can be written");
    assert_eq!(serde_json::from_str::<Request>(&text).ok(), Some(request), "{text}");
}
