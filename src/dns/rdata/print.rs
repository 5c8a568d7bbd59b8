//! From octets to text: each kind of field. The octets are known to be what the kind says.

use super::layout::Kind;
use super::read::SCHEMES;
use super::text::{print_address, print_moment, print_quoted};
use super::{bitmap, extent, hip, location, params, prefixes, wire};
use crate::dns::{name, rtype};
use data_encoding::{BASE32HEX_NOPAD, BASE64, HEXLOWER};

/// Appends the text of one field; nothing for an empty one.
pub(super) fn field(kind: Kind, octets: &[u8], text: &mut String) {
    match kind {
        Kind::Name | Kind::NameKept => text.push_str(&name::print(octets)),
        Kind::NamesKept => list(octets, extent::name, |one, text| text.push_str(&name::print(one)), text),
        Kind::U8 | Kind::U16 | Kind::U32 | Kind::Period | Kind::Algorithm | Kind::CertType => number(octets, text),
        Kind::Scheme => scheme(octets, text),
        Kind::Time => print_moment(value(octets), text),
        Kind::Type => text.push_str(&rtype::print(u16::try_from(value(octets)).unwrap_or_default())),
        Kind::Ipv4 | Kind::Ipv6 => print_address(octets, text),
        Kind::StrOptional if octets.is_empty() => {}
        Kind::Str | Kind::StrOptional => print_quoted(counted(octets), text),
        Kind::Strs => list(octets, string, |one, text| print_quoted(counted(one), text), text),
        Kind::Tag => text.push_str(&String::from_utf8_lossy(counted(octets))),
        Kind::Text(_) => print_quoted(octets, text),
        Kind::Base64(_) => text.push_str(&BASE64.encode(octets)),
        Kind::Digest(_) => {
            number(octets.get(..1).unwrap_or_default(), text);
            text.push(' ');
            text.push_str(&HEXLOWER.encode(octets.get(1..).unwrap_or_default()));
        }
        Kind::Salt if counted(octets).is_empty() => text.push('-'),
        Kind::Salt => text.push_str(&HEXLOWER.encode(counted(octets))),
        Kind::HashedOwner => text.push_str(&BASE32HEX_NOPAD.encode(counted(octets)).to_ascii_lowercase()),
        Kind::Bitmap => bitmap::print(octets, text),
        Kind::Locator64 => groups(octets, 2, ':', text),
        Kind::Eui(_) => groups(octets, 1, '-', text),
        Kind::Nsap => text.push_str(&format!("0x{}", HEXLOWER.encode(octets))),
        Kind::Gateway => hip::print_gateway(octets, text),
        Kind::Hip => hip::print(octets, text),
        Kind::Location => location::print(octets, text),
        Kind::Prefixes => {
            let before = text.len();
            if !prefixes::print(octets, text) {
                text.truncate(before);
            }
        }
        Kind::Params => params::print(octets, text),
    }
}

fn value(octets: &[u8]) -> u32 {
    octets.iter().fold(0, |sum, octet| sum << 8 | u32::from(*octet))
}

fn number(octets: &[u8], text: &mut String) {
    text.push_str(&value(octets).to_string());
}

fn scheme(octets: &[u8], text: &mut String) {
    match SCHEMES.iter().find(|(_, number)| u32::from(*number) == value(octets)) {
        Some((name, _)) => text.push_str(name),
        None => number(octets, text),
    }
}

fn counted(octets: &[u8]) -> &[u8] {
    octets.get(1..).unwrap_or_default()
}

fn string(data: &[u8]) -> Result<usize, String> {
    wire::extent(Kind::Str, data)
}

fn list(octets: &[u8], one: fn(&[u8]) -> Result<usize, String>, print: fn(&[u8], &mut String), text: &mut String) {
    let mut left = octets;
    let mut space = "";
    while !left.is_empty() {
        let Some((item, tail)) = one(left).ok().and_then(|length| left.split_at_checked(length)) else { return };
        text.push_str(std::mem::replace(&mut space, " "));
        print(item, text);
        left = tail;
    }
}

fn groups(octets: &[u8], width: usize, between: char, text: &mut String) {
    for (at, group) in octets.chunks(width).enumerate() {
        if at > 0 {
            text.push(between);
        }
        text.push_str(&HEXLOWER.encode(group));
    }
}
