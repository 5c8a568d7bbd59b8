//! Keys that exist only in forecasts and simulations: public halves without a private one.
//!
//! They never reach a file, a journal on disk or the wire.

use super::facts::{Fact, key_file_name};
use super::fold::ZoneFacts;
use crate::sign::key::{ECDSA_P256, PublicKey, Role};
use data_encoding::BASE64;

/// Invented keys tried until one has a free tag: as many as for real ones.
const TRIES_MAX: u64 = 64;

/// The making of a key that no other key of the zone collides with; `seed` makes it differ from others.
pub fn creation(facts: &ZoneFacts, role: Role, algorithm: u8, seed: u64) -> Option<Fact> {
    let key = (0..TRIES_MAX)
        .filter_map(|more| public(role, algorithm, seed ^ (more << 56)))
        .find(|key| facts.keys.iter().all(|other| !other.public.collides_with(key)))?;
    Some(created(&key, role))
}

/// The fact of a key's making.
pub fn created(key: &PublicKey, role: Role) -> Fact {
    Fact::KeyCreated {
        tag: key.tag,
        algorithm: key.algorithm,
        flags: key.flags,
        role,
        public: BASE64.encode(&key.public),
        file: key_file_name(role, key),
    }
}

/// A public key of the right length for its algorithm.
pub fn public(role: Role, algorithm: u8, seed: u64) -> Option<PublicKey> {
    let octets = if algorithm == ECDSA_P256 { 64 } else { 32 };
    let mut state = seed;
    let public: Vec<u8> = std::iter::repeat_with(|| next(&mut state).to_be_bytes()).flatten().take(octets).collect();
    PublicKey::new(role.flags(), algorithm, &public).ok()
}

/// SplitMix64: numbers that look like chance and are the same for the same seed (Steele, Lea, Flood 2014).
pub fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
