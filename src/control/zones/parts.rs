//! Which part each key plays now, as the facts of its zone say.
//!
//! Pure. It never lets a key sign whose private half is not at hand, and names the key without which validators would
//! refuse all that the zone serves.

use super::{ParentWish, Part};
use crate::roll::fold::{KeyFacts, ZoneFacts};
use crate::sign::key::{Key, Role};
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
        true if facts.insecure_wanted => ParentWish::Delete,
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
