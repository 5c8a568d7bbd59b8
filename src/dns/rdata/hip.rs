//! The fields of HIP (RFC 8005 § 5) and IPSECKEY (RFC 4025 § 2) whose form depends on octets in front of them.

use super::text::{number, print_address, push_name, shown, unquoted};
use super::words::Words;
use super::{RdataFault, extent, hex};
use crate::dns::name;
use data_encoding::{BASE64, HEXLOWER};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Octets of HIP in front of the tag: length of the tag, algorithm, length of the key.
const HIP_HEAD: usize = 4;

/// Reads `algorithm tag key`, each one token, and puts the lengths in front.
pub(super) fn read(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataFault> {
    let algorithm: u8 = number(&words.need("algorithm")?, "algorithm", 255)?;
    let tag = words.need("host identity tag")?;
    let mut octets = Vec::new();
    hex::push(&mut octets, &tag)?;
    let length = u8::try_from(octets.len())
        .map_err(|_| RdataFault::new("the host identity tag is longer than 255 octets", "shorten it"))?;
    let key = words.need("key")?;
    unquoted(&key, "a key")?;
    let wrong =
        || RdataFault::new(format!("`{}` is not base64", shown(key.text)), "write the key as one word of base64");
    let key = BASE64.decode(key.text.as_bytes()).map_err(|_| wrong())?;
    let key_length =
        u16::try_from(key.len()).map_err(|_| RdataFault::new("the key is longer than 65535 octets", "shorten it"))?;
    out.extend_from_slice(&[length, algorithm]);
    out.extend_from_slice(&key_length.to_be_bytes());
    out.extend_from_slice(&octets);
    out.extend_from_slice(&key);
    Ok(())
}

/// Octets of lengths, algorithm, tag and key.
pub(super) fn extent(data: &[u8]) -> Result<usize, String> {
    let Some((&[tag, _, high, low], _)) = data.split_first_chunk() else { return extent::fixed(data, HIP_HEAD) };
    let key = u16::from_be_bytes([high, low]);
    if tag == 0 || key == 0 {
        return Err("the host identity tag or the key is empty".to_owned());
    }
    extent::fixed(data, HIP_HEAD + usize::from(tag) + usize::from(key))
}

/// Prints `algorithm tag key`.
pub(super) fn print(data: &[u8], text: &mut String) {
    let Some((&[tag, algorithm, _, _], rest)) = data.split_first_chunk() else { return };
    let Some((tag, key)) = rest.split_at_checked(usize::from(tag)) else { return };
    text.push_str(&format!("{algorithm} {} {}", HEXLOWER.encode(tag), BASE64.encode(key)));
}

/// Reads `gateway-type algorithm gateway`.
pub(super) fn read_gateway(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataFault> {
    let kind: u8 = number(&words.need("gateway type")?, "gateway type", 3)?;
    let algorithm: u8 = number(&words.need("algorithm")?, "algorithm", 255)?;
    if kind > 3 {
        let message = format!("gateway type {kind} is not known");
        return Err(RdataFault::new(message, "write 0 (none), 1 (IPv4), 2 (IPv6) or 3 (name)").at(words.index() - 1));
    }
    let gateway = words.need("gateway")?;
    out.extend_from_slice(&[kind, algorithm]);
    let wrong = |what: &str| {
        RdataFault::new(format!("gateway `{}` is not {what}, as gateway type {kind} says", shown(gateway.text)), "")
    };
    match kind {
        0 if gateway.text == "." => {}
        0 => return Err(wrong("`.`")),
        1 => out.extend(gateway.text.parse::<Ipv4Addr>().map_err(|_| wrong("an IPv4 address"))?.octets()),
        2 => out.extend(gateway.text.parse::<Ipv6Addr>().map_err(|_| wrong("an IPv6 address"))?.octets()),
        _ => push_name(out, &gateway, words.origin(), false)?,
    }
    Ok(())
}

/// Octets of gateway type, algorithm and gateway.
pub(super) fn gateway_extent(data: &[u8]) -> Result<usize, String> {
    let Some((&[kind, _], gateway)) = data.split_first_chunk() else { return extent::fixed(data, 2) };
    let length = match kind {
        0 => 0,
        1 => extent::fixed(gateway, 4)?,
        2 => extent::fixed(gateway, 16)?,
        3 => extent::name(gateway)?,
        _ => return Err(format!("gateway type {kind} is not known")),
    };
    Ok(2 + length)
}

/// Prints `gateway-type algorithm gateway`.
pub(super) fn print_gateway(data: &[u8], text: &mut String) {
    let Some((&[kind, algorithm], gateway)) = data.split_first_chunk() else { return };
    text.push_str(&format!("{kind} {algorithm} "));
    match gateway.len() {
        0 => text.push('.'),
        _ if kind == 3 => text.push_str(&name::print(gateway)),
        _ => print_address(gateway, text),
    }
}
