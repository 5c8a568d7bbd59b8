//! Type bitmaps of NSEC, NSEC3 and CSYNC (RFC 4034 § 4.1.2).

use super::RdataFault;
use super::text::{shown, unquoted};
use super::words::Words;
use crate::dns::rtype;
use std::collections::BTreeMap;

/// Octets of one window's bitmap, at most.
const WINDOW_OCTETS_MAX: usize = 32;

/// Reads mnemonics to the end of the record.
pub(super) fn read(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataFault> {
    let mut windows: BTreeMap<u8, [u8; WINDOW_OCTETS_MAX]> = BTreeMap::new();
    while let Some(token) = words.next() {
        unquoted(&token, "a type")?;
        let rtype = rtype::parse(token.text).ok_or_else(|| {
            RdataFault::new(
                format!("`{}` is not a type", shown(token.text)),
                "write a mnemonic, or `TYPE` and a number",
            )
        })?;
        let [window, low] = rtype.to_be_bytes();
        let bits = windows.entry(window).or_default();
        if let Some(octet) = bits.get_mut(usize::from(low / 8)) {
            *octet |= 0x80 >> (low % 8);
        }
    }
    for (window, bits) in windows {
        let length = bits.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
        out.push(window);
        out.extend(u8::try_from(length));
        out.extend_from_slice(bits.get(..length).unwrap_or_default());
    }
    Ok(())
}

/// All that is left: windows that rise, each without zero octets at its end.
pub(super) fn extent(data: &[u8]) -> Result<usize, String> {
    let mut left = data;
    let mut least = 0u16;
    while let Some((window, bits, tail)) = split(left) {
        if u16::from(window) < least {
            return Err("windows do not rise".to_owned());
        }
        if bits.is_empty() || bits.len() > WINDOW_OCTETS_MAX {
            return Err(format!("window {window} has {} octets instead of 1 to 32", bits.len()));
        }
        if bits.last() == Some(&0) {
            return Err(format!("window {window} ends with a zero octet"));
        }
        least = u16::from(window) + 1;
        left = tail;
    }
    if left.is_empty() { Ok(data.len()) } else { Err("the octets end inside a window".to_owned()) }
}

/// Prints the types in rising order.
pub(super) fn print(data: &[u8], text: &mut String) {
    let mut left = data;
    let mut space = "";
    while let Some((window, bits, tail)) = split(left) {
        for (at, octet) in (0u8..).zip(bits) {
            for bit in (0..8u8).filter(|bit| octet & (0x80 >> bit) != 0) {
                text.push_str(std::mem::replace(&mut space, " "));
                let low = at.wrapping_mul(8).wrapping_add(bit);
                text.push_str(&rtype::print(u16::from_be_bytes([window, low])));
            }
        }
        left = tail;
    }
}

fn split(data: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[window, length], tail) = data.split_first_chunk()?;
    let (bits, tail) = tail.split_at_checked(usize::from(length))?;
    Some((window, bits, tail))
}
