//! Which part each key plays now, as the facts of its zone say.
//!
//! Pure. It never lets a key sign whose private half is not at hand, and names the key without which validators would
//! refuse all that the zone serves.

use crate::roll::zone::fold::{KeyFacts, ZoneFacts};
use crate::sign::key::{Key, Role};
use crate::world::zones::{ParentWish, Part};
use std::collections::BTreeMap;

/// Why a zone cannot be served with the private keys that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// The facts name no key that signs data.
    Signer,
    /// The facts name no published key that a DS may point at.
    Entry,
    /// This key must sign now, and cannot be read or is elsewhere.
    Key(u16),
}

/// The parts of all keys that are there, or still sign data. `private` is by tag.
pub fn parts(facts: &ZoneFacts, private: &BTreeMap<u16, Key>) -> Vec<Part> {
    let playing = facts.keys.iter().filter(|key| key.is_live() || key.signs_data());
    playing
        .map(|key| {
            let own = private.get(&key.public.tag).cloned();
            Part {
                public: key.public.clone(),
                published: key.is_published(),
                // An entry key that cannot be read is no obstacle while another one that the DS names can.
                signs_keys: key.signs_keys() && own.is_some(),
                signs_data: signs_data(key),
                wanted_ds: facts.ds_wanted.has(key.id),
                private: own,
            }
        })
        .collect()
}

/// What CDS and CDNSKEY say, for a zone below a registry.
pub fn wish(facts: &ZoneFacts) -> ParentWish {
    match facts.ds_wanted.is_empty() {
        false => ParentWish::Wanted,
        true if facts.insecure_wanted() => ParentWish::Delete,
        // Nothing may be asked of the parent before caches have forgotten the unsigned zone.
        true => ParentWish::Unsaid,
    }
}

/// What a zone lacks to be served, if anything; `is_readable` says of a tag whether its private half can be used.
///
/// Each key that signs data must sign: at least one of each algorithm would do for validators, but leaving one out is a
/// step of a roll, which only the engine takes. The keys need one signature of each algorithm that the wanted DS have, by
/// one of the keys that they name (RFC 4035 § 2.2, RFC 6840 § 5.11).
pub fn lack(facts: &ZoneFacts, is_readable: impl Fn(u16) -> bool) -> Option<Lack> {
    if facts.unsigned {
        return None;
    }
    let signers = facts.signers();
    if signers.is_empty() {
        return Some(Lack::Signer);
    }
    if let Some(mute) = signers.iter().find(|key| !is_readable(key.tag)) {
        return Some(Lack::Key(mute.tag));
    }
    let entries: Vec<&KeyFacts> = facts.keys.iter().filter(|key| key.is_published() && key.role != Role::Zsk).collect();
    let can = |key: &&&KeyFacts| key.signs_keys() && is_readable(key.public.tag);
    let wanted =
        |algorithm: u8| entries.iter().filter(move |key| facts.ds_wanted.has(key.id) && key.id.algorithm == algorithm);
    let missing = facts.ds_wanted.iter().find(|id| !wanted(id.algorithm).any(|key| can(&key)));
    match missing {
        Some(id) => Some(Lack::Key(id.tag)),
        None if !entries.iter().any(|key| can(&key)) => {
            Some(entries.first().map_or(Lack::Entry, |key| Lack::Key(key.public.tag)))
        }
        None => None,
    }
}

fn signs_data(key: &KeyFacts) -> bool {
    key.role != Role::Ksk && key.signs_data()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roll::life::Facts;
    use crate::roll::zone::facts::{Fact, KeyLayout, key_file_name};
    use crate::sign::key::{ECDSA_P256, ED25519_NUMBER, generate_pkcs8};
    use crate::time::UnixTime;
    use data_encoding::BASE64;

    fn key(role: Role, algorithm: u8) -> Key {
        let der = generate_pkcs8(algorithm).expect("a new key");
        Key::from_pkcs8(role.flags(), algorithm, &der).expect("a key")
    }

    /// A zone with these keys: all are published, those with `true` sign data, and those that a DS may point at have one.
    fn zone(keys: &[(&Key, Role, bool)]) -> ZoneFacts {
        let mut facts = vec![Fact::FirstKeysIntended { layout: KeyLayout::Csk, algorithm: 15 }];
        for (key, role, signs) in keys {
            let (public, tag) = (key.public_half(), key.tag);
            let file = key_file_name(*role, &public);
            let (algorithm, flags, public) = (key.algorithm, key.flags, BASE64.encode(&public.public));
            facts.push(Fact::KeyCreated { tag, algorithm, flags, role: *role, public, file });
            facts.push(Fact::KeyPublished { tag });
            facts.extend(signs.then_some(Fact::KeyActivated { tag }));
        }
        facts.push(Fact::FirstKeysDone {});
        after(ZoneFacts::default(), &facts)
    }

    fn after(mut zone: ZoneFacts, facts: &[Fact]) -> ZoneFacts {
        facts.iter().for_each(|fact| zone.take(fact, UnixTime(1)).expect("it follows"));
        zone
    }

    #[test]
    fn every_key_that_signs_data_and_one_of_each_wanted_algorithm_must_be_readable() {
        let [ksk, other, zsk] = [Role::Ksk, Role::Ksk, Role::Zsk].map(|role| key(role, ED25519_NUMBER));
        let (next, p256) = (key(Role::Zsk, ED25519_NUMBER), key(Role::Ksk, ECDSA_P256));
        let keys =
            [(&ksk, Role::Ksk, true), (&other, Role::Ksk, true), (&zsk, Role::Zsk, true), (&next, Role::Zsk, false)];
        let facts = zone(&keys);
        let without = |facts: &ZoneFacts, lost: &[&Key]| lack(facts, |tag| lost.iter().all(|key| key.tag != tag));
        assert_eq!(without(&facts, &[&next]), None);
        assert_eq!(without(&facts, &[&zsk]), Some(Lack::Key(zsk.tag)));
        assert_eq!(without(&facts, &[&ksk]), None, "the other one is in the DS too");
        let either = [ksk.tag, other.tag].map(|tag| Some(Lack::Key(tag)));
        assert!(either.contains(&without(&facts, &[&ksk, &other])), "sets have no order that tags could tell");
        let narrower = after(facts.clone(), &[Fact::DsWanted { tags: vec![ksk.tag] }]);
        assert_eq!(without(&narrower, &[&ksk]), Some(Lack::Key(ksk.tag)));
        let none = after(facts.clone(), &[Fact::DsWanted { tags: vec![] }]);
        assert_eq!((without(&none, &[&ksk]), without(&none, &[&ksk, &other])), (None, Some(Lack::Key(ksk.tag))));
        let two = zone(&[(&ksk, Role::Ksk, true), (&p256, Role::Ksk, true), (&zsk, Role::Zsk, true)]);
        assert_eq!(without(&two, &[&p256]), Some(Lack::Key(p256.tag)));
        assert_eq!(without(&zone(&[(&ksk, Role::Ksk, true)]), &[]), Some(Lack::Signer));
        assert_eq!(without(&zone(&[(&zsk, Role::Zsk, true)]), &[]), Some(Lack::Entry));
        assert_eq!(without(&after(facts, &[Fact::Unsigned {}]), &[&ksk, &other, &zsk, &next]), None);
    }

    #[test]
    fn parts_are_what_the_facts_say_and_what_cannot_be_read_signs_no_keys() {
        let [ksk, other, zsk] = [Role::Ksk, Role::Ksk, Role::Zsk].map(|role| key(role, ED25519_NUMBER));
        let facts = zone(&[(&ksk, Role::Ksk, true), (&other, Role::Ksk, true), (&zsk, Role::Zsk, true)]);
        let facts = after(facts, &[Fact::DsWanted { tags: vec![ksk.tag] }]);
        let private = BTreeMap::from([(ksk.tag, ksk.clone()), (zsk.tag, zsk.clone())]);
        let does = |facts: &ZoneFacts| -> Vec<[bool; 5]> {
            let parts = parts(facts, &private);
            parts.iter().map(|p| [p.published, p.signs_keys, p.signs_data, p.wanted_ds, p.private.is_some()]).collect()
        };
        let (ksk_does, other_does) = ([true, true, false, true, true], [true, false, false, false, false]);
        assert_eq!(does(&facts), [ksk_does, other_does, [true, false, true, false, true]]);
        let facts = after(facts, &[Fact::KeyRemoved { tag: zsk.tag }, Fact::KeyRemoved { tag: other.tag }]);
        assert_eq!(does(&facts), [ksk_does, [false, false, true, false, true]], "it signs on, unpublished");
        assert_eq!(wish(&facts), ParentWish::Wanted);
        let none = after(facts, &[Fact::DsWanted { tags: vec![] }]);
        assert_eq!(wish(&none), ParentWish::Unsaid);
        assert_eq!(wish(&after(none, &[Fact::InsecureWanted {}])), ParentWish::Delete);
    }
}
