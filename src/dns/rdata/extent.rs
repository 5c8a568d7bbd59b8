//! How many octets the forms take that many kinds of fields are made of.

use crate::dns::name::{LABEL_OCTETS_MAX, NAME_OCTETS_MAX};

/// What is wrong where octets are missing.
pub(super) const ENDS: &str = "the octets end too early";

/// A fixed number of octets.
pub(super) fn fixed(data: &[u8], octets: usize) -> Result<usize, String> {
    if data.len() < octets { Err(ENDS.to_owned()) } else { Ok(octets) }
}

/// A length that is not below the least one.
pub(super) fn at_least(length: usize, least: usize) -> Result<usize, String> {
    if length < least { Err("it is empty".to_owned()) } else { Ok(length) }
}

/// All that is left, at least so many octets.
pub(super) fn rest(data: &[u8], least: usize) -> Result<usize, String> {
    at_least(data.len(), least)
}

/// One field after another to the end.
pub(super) fn all(data: &[u8], one: fn(&[u8]) -> Result<usize, String>) -> Result<usize, String> {
    let mut left = data;
    while !left.is_empty() {
        left = left.get(one(left)?..).ok_or(ENDS)?;
    }
    Ok(data.len())
}

/// A name: whole, at most 255 octets, without compression, which RFC 3597 § 4 forbids in stored data.
pub(super) fn name(data: &[u8]) -> Result<usize, String> {
    let mut at = 0;
    loop {
        let length = usize::from(*data.get(at).ok_or(ENDS)?);
        if length > LABEL_OCTETS_MAX {
            return Err("a name holds a compression pointer or a label of unknown kind".to_owned());
        }
        at += 1 + length;
        if at > NAME_OCTETS_MAX {
            return Err("a name is longer than 255 octets".to_owned());
        }
        if length == 0 {
            return Ok(at);
        }
    }
}

/// A string behind the octet with its length (RFC 1035 § 3.3).
pub(super) fn string(data: &[u8]) -> Result<usize, String> {
    fixed(data, 1 + usize::from(*data.first().ok_or(ENDS)?))
}
