//! How many octets a field takes in front of a slice, and whether they are what the field says.

use super::layout::Kind;
use super::{bitmap, hip, location, params, prefixes};
use crate::dns::name::{LABEL_OCTETS_MAX, NAME_OCTETS_MAX};

const ENDS: &str = "the octets end too early";

/// Octets that a field of this kind takes from the start of `data`, which is all that is left of the record.
pub(super) fn extent(kind: Kind, data: &[u8]) -> Result<usize, String> {
    match kind {
        Kind::U8 | Kind::Algorithm | Kind::Scheme => fixed(data, 1),
        Kind::U16 | Kind::Type | Kind::CertType => fixed(data, 2),
        Kind::U32 | Kind::Period | Kind::Time | Kind::Ipv4 => fixed(data, 4),
        Kind::Ipv6 => fixed(data, 16),
        Kind::Locator64 => fixed(data, 8),
        Kind::Eui(octets) => fixed(data, octets),
        Kind::Name | Kind::NameKept => name(data),
        Kind::NamesKept => all(data, name),
        Kind::Str => string(data),
        Kind::StrOptional if data.is_empty() => Ok(0),
        Kind::StrOptional => string(data),
        Kind::Strs if data.is_empty() => Err("at least one string is needed".to_owned()),
        Kind::Strs => all(data, string),
        Kind::Tag => tag(data),
        Kind::Text(least) | Kind::Base64(least) => rest(data, least),
        Kind::Nsap => rest(data, 1),
        Kind::Digest(known) => digest(known, data),
        Kind::Salt => string(data),
        Kind::HashedOwner => string(data).and_then(|length| at_least(length, 2)),
        Kind::Bitmap => bitmap::extent(data),
        Kind::Gateway => hip::gateway_extent(data),
        Kind::Hip => hip::extent(data),
        Kind::Location => location::extent(data),
        Kind::Prefixes => prefixes::extent(data),
        Kind::Params => params::extent(data),
    }
}

/// A fixed number of octets.
pub(super) fn fixed(data: &[u8], octets: usize) -> Result<usize, String> {
    if data.len() < octets { Err(ENDS.to_owned()) } else { Ok(octets) }
}

fn at_least(length: usize, least: usize) -> Result<usize, String> {
    if length < least { Err("it is empty".to_owned()) } else { Ok(length) }
}

fn rest(data: &[u8], least: usize) -> Result<usize, String> {
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

fn string(data: &[u8]) -> Result<usize, String> {
    fixed(data, 1 + usize::from(*data.first().ok_or(ENDS)?))
}

fn tag(data: &[u8]) -> Result<usize, String> {
    let length = string(data).and_then(|length| at_least(length, 2))?;
    let plain = data.get(1..length).is_some_and(|tag| tag.iter().all(u8::is_ascii_alphanumeric));
    if plain { Ok(length) } else { Err("it holds other octets than letters and digits".to_owned()) }
}

fn digest(known: &[(u8, usize)], data: &[u8]) -> Result<usize, String> {
    let (kind, octets) = data.split_first().ok_or(ENDS)?;
    at_least(octets.len(), 1)?;
    match digest_octets(known, *kind) {
        Some(needed) if needed != octets.len() => Err(digest_fault(*kind, octets.len(), needed)),
        _ => Ok(data.len()),
    }
}

/// Octets that a digest of this type has.
pub(super) fn digest_octets(known: &[(u8, usize)], kind: u8) -> Option<usize> {
    known.iter().find(|(number, _)| *number == kind).map(|(_, octets)| *octets)
}

/// What is wrong with a digest of the wrong length.
pub(super) fn digest_fault(kind: u8, octets: usize, needed: usize) -> String {
    format!("a digest of type {kind} has {needed} octets, this one has {octets}")
}
