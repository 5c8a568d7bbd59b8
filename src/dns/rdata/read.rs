//! From text to octets: each kind of field.

use super::layout::{Field, Kind};
use super::text::{Seconds32, number, push_name, push_octets, push_string, read_moment, read_seconds, shown, unquoted};
use super::words::Words;
use super::{RdataFault, Token, bitmap, hex, hip, location, params, prefixes, wire};
use crate::dns::rtype;
use data_encoding::{BASE32HEX_NOPAD, BASE64};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Algorithms of DNSSEC that text may name (IANA registry).
const ALGORITHMS: &[(&str, u16)] = &[
    ("DELETE", 0),
    ("RSAMD5", 1),
    ("DH", 2),
    ("DSA", 3),
    ("RSASHA1", 5),
    ("DSA-NSEC3-SHA1", 6),
    ("RSASHA1-NSEC3-SHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECC-GOST", 12),
    ("ECDSAP256SHA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
    ("SM2SM3", 17),
    ("ECC-GOST12", 23),
    ("INDIRECT", 252),
    ("PRIVATEDNS", 253),
    ("PRIVATEOID", 254),
];
/// Certificate types (RFC 4398 § 2.1).
const CERT_TYPES: &[(&str, u16)] = &[
    ("PKIX", 1),
    ("SPKI", 2),
    ("PGP", 3),
    ("IPKIX", 4),
    ("ISPKI", 5),
    ("IPGP", 6),
    ("ACPKIX", 7),
    ("IACPKIX", 8),
    ("URI", 253),
    ("OID", 254),
];
/// Schemes of DSYNC (RFC 9859 § 2).
pub(super) const SCHEMES: &[(&str, u16)] = &[("NOTIFY", 1)];

/// Reads one field; a fault names the token that was taken last.
pub(super) fn field(field: &Field, words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataFault> {
    let present = words.begin_field();
    read(field, words, out).map_err(|fault| {
        let whole = !present || fault.message.ends_with(" is missing");
        if whole { fault } else { fault.at(words.index().saturating_sub(1)) }
    })
}

fn read(field: &Field, words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataFault> {
    let Field(what, kind) = *field;
    match kind {
        Kind::NamesKept => return each(words, |token, origin| push_name(out, token, origin, false)),
        Kind::StrOptional => return words.next().map_or(Ok(()), |token| push_string(out, &token)),
        Kind::Strs => return strings(what, words, out),
        Kind::Base64(least) => return base64(what, least, words, out),
        Kind::Digest(known) => return digest(what, known, words, out),
        Kind::Bitmap => return bitmap::read(words, out),
        Kind::Gateway => return hip::read_gateway(words, out),
        Kind::Hip => return hip::read(words, out),
        Kind::Location => return location::read(words, out),
        Kind::Prefixes => return prefixes::read(words, out),
        Kind::Params => return params::read(words, out),
        // The others are one token each.
        _ => {}
    }
    let origin = words.origin();
    let token = words.need(what)?;
    match kind {
        Kind::Name => push_name(out, &token, origin, true),
        Kind::NameKept => push_name(out, &token, origin, false),
        Kind::Str => push_string(out, &token),
        Kind::Text(least) => text(what, least, &token, out),
        Kind::Tag => tag(&token, out),
        Kind::Nsap => nsap(what, &token, out),
        _ => unquoted(&token, what).and_then(|()| word(what, kind, &token, out)),
    }
}

/// One token that is never quoted.
fn word(what: &str, kind: Kind, token: &Token<'_>, out: &mut Vec<u8>) -> Result<(), RdataFault> {
    match kind {
        Kind::U8 => out.push(number(token, what, 255)?),
        Kind::U16 => out.extend(number::<u16>(token, what, 65_535)?.to_be_bytes()),
        Kind::U32 => out.extend(number::<u32>(token, what, u32::MAX)?.to_be_bytes()),
        Kind::Algorithm => out.push(named(token, what, ALGORITHMS, 255)?.to_be_bytes()[1]),
        Kind::Scheme => out.push(named(token, what, SCHEMES, 255)?.to_be_bytes()[1]),
        Kind::CertType => out.extend(named(token, what, CERT_TYPES, 65_535)?.to_be_bytes()),
        Kind::Type => {
            let rtype = rtype::parse(token.text).ok_or_else(|| not(token, what, "a type"))?;
            out.extend(rtype.to_be_bytes());
        }
        Kind::Period => match read_seconds(token.text) {
            Seconds32::Good(seconds) => out.extend(seconds.to_be_bytes()),
            Seconds32::TooLarge => return Err(not(token, what, "below 2^32 seconds")),
            Seconds32::NotSeconds => return Err(not(token, what, "a number of seconds or a span such as `1h30m`")),
        },
        Kind::Time => {
            let form = "a moment in the form YYYYMMDDHHmmSS or in seconds";
            out.extend(read_moment(token.text).ok_or_else(|| not(token, what, form))?.to_be_bytes());
        }
        Kind::Ipv4 => {
            let address: Ipv4Addr = token.text.parse().map_err(|_| not(token, what, "an IPv4 address"))?;
            out.extend(address.octets());
        }
        Kind::Ipv6 => {
            let address: Ipv6Addr = token.text.parse().map_err(|_| not(token, what, "an IPv6 address"))?;
            out.extend(address.octets());
        }
        Kind::Salt => salt(what, token, out)?,
        Kind::HashedOwner => {
            let upper = token.text.to_ascii_uppercase();
            let hash = BASE32HEX_NOPAD.decode(upper.as_bytes()).ok().filter(|hash| !hash.is_empty());
            push_counted(out, &hash.ok_or_else(|| not(token, what, "base32hex"))?, what)?;
        }
        Kind::Locator64 => {
            out.extend(locator(token.text).ok_or_else(|| not(token, what, "four groups of hex with colons"))?)
        }
        Kind::Eui(octets) => {
            let pairs = eui(token.text).filter(|pairs| pairs.len() == octets);
            out.extend(pairs.ok_or_else(|| not(token, what, &format!("{octets} pairs of hex with dashes")))?);
        }
        // `read` handles every other kind.
        _ => return Err(RdataFault::new(format!("{what} has no text form"), "write the data as `\\# length hex`")),
    }
    Ok(())
}

fn not(token: &Token<'_>, what: &str, form: &str) -> RdataFault {
    RdataFault::new(format!("{what} `{}` is not {form}", shown(token.text)), "")
}

/// A number or one of the mnemonics.
fn named(token: &Token<'_>, what: &str, names: &[(&str, u16)], most: u16) -> Result<u16, RdataFault> {
    if let Some((_, value)) = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(token.text)) {
        return Ok(*value);
    }
    let value: Option<u16> = number(token, what, u32::from(most)).ok();
    value
        .filter(|value| *value <= most)
        .ok_or_else(|| not(token, what, &format!("a number from 0 to {most} or a known mnemonic")))
}

fn each(
    words: &mut Words<'_, '_>,
    mut one: impl FnMut(&Token<'_>, &[u8]) -> Result<(), RdataFault>,
) -> Result<(), RdataFault> {
    let origin = words.origin();
    while let Some(token) = words.next() {
        one(&token, origin)?;
    }
    Ok(())
}

fn strings(what: &str, words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataFault> {
    push_string(out, &words.need(what)?)?;
    each(words, |token, _| push_string(out, token))
}

fn text(what: &str, least: usize, token: &Token<'_>, out: &mut Vec<u8>) -> Result<(), RdataFault> {
    let before = out.len();
    push_octets(out, token)?;
    if out.len() - before < least {
        return Err(RdataFault::new(format!("{what} is empty"), ""));
    }
    Ok(())
}

fn tag(token: &Token<'_>, out: &mut Vec<u8>) -> Result<(), RdataFault> {
    let plain = !token.text.is_empty() && token.text.bytes().all(|b| b.is_ascii_alphanumeric());
    if !plain {
        let message = format!("tag `{}` holds other characters than letters and digits", shown(token.text));
        return Err(RdataFault::new(message, "write a tag such as `issue`"));
    }
    push_string(out, token)
}

fn salt(what: &str, token: &Token<'_>, out: &mut Vec<u8>) -> Result<(), RdataFault> {
    let mut octets = Vec::new();
    if token.text != "-" {
        hex::push(&mut octets, token)?;
    }
    push_counted(out, &octets, what)
}

fn push_counted(out: &mut Vec<u8>, octets: &[u8], what: &str) -> Result<(), RdataFault> {
    let length = u8::try_from(octets.len())
        .map_err(|_| RdataFault::new(format!("{what} is longer than 255 octets"), "shorten it"))?;
    out.push(length);
    out.extend_from_slice(octets);
    Ok(())
}

fn locator(text: &str) -> Option<Vec<u8>> {
    let groups: Option<Vec<u16>> = text
        .split(':')
        .map(|group| {
            let hex = (1..=4).contains(&group.len()) && group.bytes().all(|b| b.is_ascii_hexdigit());
            u16::from_str_radix(group, 16).ok().filter(|_| hex)
        })
        .collect();
    groups.filter(|groups| groups.len() == 4).map(|groups| groups.into_iter().flat_map(u16::to_be_bytes).collect())
}

fn eui(text: &str) -> Option<Vec<u8>> {
    text.split('-')
        .map(|pair| {
            let hex = pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
            u8::from_str_radix(pair, 16).ok().filter(|_| hex)
        })
        .collect()
}

/// Hex to the end, blanks anywhere.
fn hex_to_end(what: &str, words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataFault> {
    let mut token = words.need(what)?;
    let mut half = None;
    hex::push_nibbles(out, &token, &mut half)?;
    while let Some(next) = words.next() {
        token = next;
        hex::push_nibbles(out, &token, &mut half)?;
    }
    hex::whole(half, &token)
}

/// Hex behind `0x`, with dots anywhere (RFC 1706 § 7).
fn nsap(what: &str, token: &Token<'_>, out: &mut Vec<u8>) -> Result<(), RdataFault> {
    let digits = token.text.strip_prefix("0x").or_else(|| token.text.strip_prefix("0X"));
    let digits = digits.ok_or_else(|| not(token, what, "hex behind `0x`"))?.replace('.', "");
    if digits.is_empty() {
        return Err(RdataFault::new(format!("{what} is empty"), ""));
    }
    hex::push(out, &Token { text: &digits, ..*token })
}

fn digest(what: &str, known: &[(u8, usize)], words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataFault> {
    let kind: u8 = number(&words.need(what)?, "digest or matching type", 255)?;
    out.push(kind);
    let before = out.len();
    let first = words.index();
    hex_to_end(what, words, out)?;
    let octets = out.len() - before;
    match wire::digest_octets(known, kind) {
        Some(needed) if needed != octets => Err(RdataFault::new(
            wire::digest_fault(kind, octets, needed),
            format!("write {} hex digits, or correct the type in front of them", needed * 2),
        )
        .at(first)),
        _ => Ok(()),
    }
}

/// Base64 to the end, blanks anywhere.
fn base64(what: &str, least: usize, words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataFault> {
    let first = words.index();
    let mut all = String::new();
    each(words, |token, _| {
        all.push_str(token.text);
        unquoted(token, "base64")
    })?;
    if all.is_empty() {
        let missing = RdataFault::new(format!("{what} is missing"), "");
        return if least == 0 { Ok(()) } else { Err(missing) };
    }
    let octets = BASE64.decode(all.as_bytes()).map_err(|_| {
        let help = "check that nothing is cut off: its length with `=` is a multiple of four";
        RdataFault::new(format!("{what} `{}` is not base64", shown(&all)), help).at(first)
    })?;
    out.extend_from_slice(&octets);
    Ok(())
}

/// `\# length hex` (RFC 3597 § 5).
pub(super) fn generic(out: &mut Vec<u8>, tokens: &[Token<'_>]) -> Result<(), RdataFault> {
    let help = "write `\\# <number of octets> <hex>`";
    let Some(length) = tokens.get(1) else { return Err(RdataFault::new("the number of octets is missing", help)) };
    let at = |token| move |fault: RdataFault| RdataFault { help: help.to_owned(), ..fault }.at(token);
    let wanted: u16 = number(length, "number of octets", 65_535).map_err(at(1))?;
    let mut half = None;
    for (index, token) in tokens.iter().enumerate().skip(2) {
        hex::push_nibbles(out, token, &mut half).map_err(at(index))?;
    }
    let last = tokens.last().unwrap_or(length);
    hex::whole(half, last).map_err(at(tokens.len() - 1))?;
    if out.len() == usize::from(wanted) {
        return Ok(());
    }
    Err(RdataFault::new(format!("{wanted} octets are announced, {} follow", out.len()), help).at(1))
}
