//! APL: lists of address prefixes (RFC 3123 § 4).

use super::RdataFault;
use super::text::{print_address, shown, unquoted};
use super::words::Words;
use std::net::IpAddr;

/// The bit of the length octet that says `!`.
const NOT: u8 = 0x80;
/// Octets of a part of an address of a family that is not known here, at most: the length has 7 bits.
const PART_OCTETS_MAX: usize = 127;

/// One prefix on the wire.
struct Prefix<'d> {
    family: u16,
    bits: u8,
    not: bool,
    part: &'d [u8],
}

/// Reads `[!]family:address/prefix` to the end of the record.
pub(super) fn read(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataFault> {
    while let Some(token) = words.next() {
        unquoted(&token, "a prefix")?;
        push_prefix(token.text, out).ok_or_else(|| {
            RdataFault::new(
                format!("`{}` is not a prefix", shown(token.text)),
                "write `1:<IPv4 address>/<bits>` or `2:<IPv6 address>/<bits>`, with `!` in front to exclude it",
            )
        })?;
    }
    Ok(())
}

fn push_prefix(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (not, text) = text.strip_prefix('!').map_or((0, text), |text| (NOT, text));
    let (family, text) = text.split_once(':')?;
    let (address, bits) = text.split_once('/')?;
    let octets = match (family, address.parse().ok()?) {
        ("1", IpAddr::V4(address)) => address.octets().to_vec(),
        ("2", IpAddr::V6(address)) => address.octets().to_vec(),
        _ => return None,
    };
    let bits: u8 = bits.parse().ok().filter(|n| usize::from(*n) <= octets.len() * 8 && !bits.starts_with('+'))?;
    let kept = octets.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
    out.extend_from_slice(&[0, if family == "1" { 1 } else { 2 }, bits, not | u8::try_from(kept).ok()?]);
    out.extend_from_slice(octets.get(..kept)?);
    Some(())
}

/// All that is left: whole prefixes, of the known families no longer than their addresses.
pub(super) fn extent(data: &[u8]) -> Result<usize, String> {
    let mut left = data;
    while !left.is_empty() {
        let (Prefix { family, bits, part, .. }, tail) = split(left).ok_or("the octets end inside a prefix")?;
        // RFC 3123 § 3: other families are passed on as they are.
        let octets_max = address_octets(family).unwrap_or(PART_OCTETS_MAX);
        if part.len() > octets_max || part.last() == Some(&0) {
            return Err(format!("an address of family {family} is too long or ends with a zero octet"));
        }
        if matches!(family, 1 | 2) && usize::from(bits) > octets_max * 8 {
            return Err(format!("a prefix of {bits} bits is longer than an address of family {family}"));
        }
        left = tail;
    }
    Ok(data.len())
}

fn address_octets(family: u16) -> Option<usize> {
    match family {
        1 => Some(4),
        2 => Some(16),
        _ => None,
    }
}

fn split(data: &[u8]) -> Option<(Prefix<'_>, &[u8])> {
    let (&[high, low, bits, length], tail) = data.split_first_chunk()?;
    let (part, tail) = tail.split_at_checked(usize::from(length & !NOT))?;
    Some((Prefix { family: u16::from_be_bytes([high, low]), bits, not: length & NOT != 0, part }, tail))
}

/// Prints the list; false where a family has no text form.
pub(super) fn print(data: &[u8], text: &mut String) -> bool {
    let mut left = data;
    let mut space = "";
    while let Some((prefix, tail)) = split(left) {
        let mut octets = [0u8; 16];
        let Some(length) = address_octets(prefix.family) else { return false };
        let Some(kept) = octets.get_mut(..prefix.part.len()) else { return false };
        kept.copy_from_slice(prefix.part);
        text.push_str(std::mem::replace(&mut space, " "));
        text.push_str(if prefix.not { "!" } else { "" });
        text.push_str(&format!("{}:", prefix.family));
        print_address(octets.get(..length).unwrap_or_default(), text);
        text.push_str(&format!("/{}", prefix.bits));
        left = tail;
    }
    true
}
