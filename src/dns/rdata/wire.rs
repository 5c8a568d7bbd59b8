//! How many octets a field takes in front of a slice, and whether they are what the field says.

use super::extent::{ENDS, all, at_least, fixed, name, rest, string};
use super::layout::Kind;
use super::{bitmap, hip, location, params, prefixes};

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
