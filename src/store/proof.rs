//! How a key proves itself: it signs what nothing signed before; and what is said of one that cannot.

use crate::diagnostic::{Diagnostic, Place};
use crate::store::folder::zone_folder;
use crate::world::zones::ZoneState;
use ring::rand::{SecureRandom, SystemRandom};
use std::path::Path;

/// Something that was never signed before, so that a signature over it proves the key of this moment.
pub(crate) fn challenge() -> [u8; 32] {
    let mut octets = [0; 32];
    // Without randomness the proof is still a proof, only a repeatable one.
    let _ = SystemRandom::new().fill(&mut octets);
    octets
}

/// What is said of a zone whose keys do not sign for what is published.
pub(crate) fn unproved(keys: &Path, zone: &ZoneState, reason: String) -> Diagnostic {
    let place = Place::file(zone_folder(keys, &zone.apex).display().to_string());
    let help = "restore the key files from a backup; no new key is made, since validators would refuse its signatures";
    Diagnostic::error("MX5014", place, reason, help)
}
