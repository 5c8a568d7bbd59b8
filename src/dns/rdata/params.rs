//! Parameters of SVCB and HTTPS (RFC 9460 § 2).

use super::text::{number, print_address, print_quoted, push_octets, shown};
use super::words::Words;
use super::{RdataFault, Token};
use data_encoding::BASE64;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Keys by number and name (IANA registry of service parameter keys), in the order of their numbers.
const KEYS: &[(u16, &str)] = &[
    (MANDATORY, "mandatory"),
    (ALPN, "alpn"),
    (NO_DEFAULT_ALPN, "no-default-alpn"),
    (PORT, "port"),
    (IPV4HINT, "ipv4hint"),
    (ECH, "ech"),
    (IPV6HINT, "ipv6hint"),
    (DOHPATH, "dohpath"),
    (OHTTP, "ohttp"),
    (GROUPS, "tls-supported-groups"),
];
const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6HINT: u16 = 6;
const DOHPATH: u16 = 7;
const OHTTP: u16 = 8;
const GROUPS: u16 = 9;
/// Never a key (RFC 9460 § 14.3.2).
const INVALID: u16 = 65_535;

/// Reads `key`, `key=value` and `key="value"` in any order to the end of the record.
pub(super) fn read(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataFault> {
    let mut params: BTreeMap<u16, Vec<u8>> = BTreeMap::new();
    while let Some(token) = words.next() {
        if token.quoted {
            let message = format!("`\"{}\"` is quoted as a whole", shown(token.text));
            return Err(RdataFault::new(message, "write `key=\"value\"`"));
        }
        let (key_text, value) = match token.text.split_once('=') {
            Some((key, value)) => (key, Some(unwrapped(value))),
            None => (token.text, None),
        };
        let key = read_key(key_text).ok_or_else(|| {
            RdataFault::new(
                format!("`{}` is not a service parameter", shown(key_text)),
                "write one that RFC 9460 names, or `key` and a number",
            )
        })?;
        let octets = read_value(key, value).map_err(|mut fault| {
            fault.message = format!("parameter {}: {}", shown(key_text), fault.message);
            fault
        })?;
        if params.insert(key, octets).is_some() {
            return Err(RdataFault::new(format!("parameter {key_text} is given twice"), "remove one"));
        }
    }
    let start = out.len();
    for (key, octets) in params {
        let length = u16::try_from(octets.len())
            .map_err(|_| RdataFault::new("a parameter is longer than 65535 octets", "shorten it"))?;
        out.extend_from_slice(&key.to_be_bytes());
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&octets);
    }
    // What the parameters must be together, such as that mandatory ones are there.
    extent(out.get(start..).unwrap_or_default()).map_err(|why| RdataFault {
        token: Some(words.start()),
        ..RdataFault::new(format!("parameters: {why}"), "")
    })?;
    Ok(())
}

/// A value as a token of its own, without the quotes around it.
fn unwrapped(value: &str) -> Token<'_> {
    match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        Some(value) => Token::quoted(value),
        None => Token::word(value),
    }
}

fn read_key(text: &str) -> Option<u16> {
    if let Some((number, _)) = KEYS.iter().find(|(_, name)| name.eq_ignore_ascii_case(text)) {
        return Some(*number);
    }
    let digits = text.strip_prefix("key").or_else(|| text.strip_prefix("KEY"))?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    digits.parse().ok().filter(|key| plain && *key != INVALID)
}

fn read_value(key: u16, value: Option<Token<'_>>) -> Result<Vec<u8>, RdataFault> {
    let mut octets = Vec::new();
    let Some(value) = value else { return Ok(octets) };
    let bad = |what: &str| RdataFault::new(format!("`{}` is not {what}", shown(value.text)), "");
    match key {
        NO_DEFAULT_ALPN | OHTTP => return Err(RdataFault::new("it takes no value", "remove the value")),
        PORT => {
            let port: u16 = number(&Token::word(value.text), "port", 65_535)?;
            octets.extend_from_slice(&port.to_be_bytes());
        }
        ECH => octets = BASE64.decode(value.text.as_bytes()).map_err(|_| bad("base64"))?,
        ALPN => return read_list(&value),
        MANDATORY | IPV4HINT | IPV6HINT | GROUPS => {
            for part in value.text.split(',') {
                push_part(key, part, &mut octets).ok_or_else(|| bad("a list of keys, addresses or numbers"))?;
            }
        }
        // DOHPATH and whatever has no form of its own: octets.
        _ => push_octets(&mut octets, &value)?,
    }
    if key == MANDATORY {
        sort_keys(&mut octets);
    }
    Ok(octets)
}

fn push_part(key: u16, part: &str, octets: &mut Vec<u8>) -> Option<()> {
    match key {
        MANDATORY => octets.extend_from_slice(&read_key(part)?.to_be_bytes()),
        IPV4HINT => octets.extend_from_slice(&part.parse::<Ipv4Addr>().ok()?.octets()),
        IPV6HINT => octets.extend_from_slice(&part.parse::<Ipv6Addr>().ok()?.octets()),
        _ => octets.extend_from_slice(&number::<u16>(&Token::word(part), "group", 65_535).ok()?.to_be_bytes()),
    }
    Some(())
}

/// Keys in `mandatory` rise on the wire, whatever their order in text (RFC 9460 § 8).
fn sort_keys(octets: &mut Vec<u8>) {
    let mut keys: Vec<[u8; 2]> = octets.as_chunks().0.to_vec();
    keys.sort_unstable();
    *octets = keys.concat();
}

/// A list with commas: strings are unescaped first, then `\,` and `\\` (RFC 9460 § A.1).
fn read_list(value: &Token<'_>) -> Result<Vec<u8>, RdataFault> {
    let mut once = Vec::new();
    push_octets(&mut once, value)?;
    let mut items: Vec<Vec<u8>> = vec![Vec::new()];
    let mut octets = once.into_iter();
    while let Some(octet) = octets.next() {
        let octet = match octet {
            b',' => {
                items.push(Vec::new());
                continue;
            }
            b'\\' => octets
                .next()
                .ok_or_else(|| RdataFault::new("a list ends with a backslash", "write it as `\\\\\\\\`"))?,
            other => other,
        };
        if let Some(item) = items.last_mut() {
            item.push(octet);
        }
    }
    let mut wire = Vec::new();
    for item in items {
        let length = u8::try_from(item.len()).ok().filter(|length| *length > 0);
        wire.push(
            length
                .ok_or_else(|| RdataFault::new("an item of the list has not 1 to 255 octets", "correct the commas"))?,
        );
        wire.extend_from_slice(&item);
    }
    Ok(wire)
}

/// All that is left: keys rise, values are what their key says.
pub(super) fn extent(data: &[u8]) -> Result<usize, String> {
    let mut left = data;
    let mut keys: Vec<u16> = Vec::new();
    let mut mandatory: &[u8] = &[];
    while !left.is_empty() {
        let (key, value, tail) = split(left).ok_or("the octets end inside a parameter")?;
        if keys.last().is_some_and(|last| *last >= key) {
            return Err("keys do not rise".to_owned());
        }
        check_value(key, value).map_err(|why| format!("{}: {why}", key_name(key)))?;
        if key == MANDATORY {
            mandatory = value;
        }
        keys.push(key);
        left = tail;
    }
    let missing = mandatory.as_chunks().0.iter().map(|key| u16::from_be_bytes(*key)).find(|key| !keys.contains(key));
    if let Some(key) = missing {
        return Err(format!("mandatory names {}, which is missing", key_name(key)));
    }
    if keys.contains(&NO_DEFAULT_ALPN) && !keys.contains(&ALPN) {
        return Err("no-default-alpn needs alpn".to_owned());
    }
    Ok(data.len())
}

fn check_value(key: u16, value: &[u8]) -> Result<(), &'static str> {
    let list = |width: usize| !value.is_empty() && value.len().is_multiple_of(width);
    let good = match key {
        MANDATORY => {
            let keys = value.as_chunks::<2>().0;
            list(2) && keys.is_sorted_by(|a, b| a < b) && keys.first() != Some(&[0, 0])
        }
        ALPN => items(value).is_some_and(|items| items.iter().all(|item| !item.is_empty()) && !items.is_empty()),
        NO_DEFAULT_ALPN | OHTTP => value.is_empty(),
        PORT => value.len() == 2,
        IPV4HINT => list(4),
        IPV6HINT => list(16),
        ECH => !value.is_empty(),
        GROUPS => list(2),
        INVALID => false,
        // DOHPATH and keys without a form of their own hold any octets.
        _ => true,
    };
    if good { Ok(()) } else { Err("the value has the wrong form or length") }
}

fn items(value: &[u8]) -> Option<Vec<&[u8]>> {
    let mut left = value;
    let mut items = Vec::new();
    while let Some((length, tail)) = left.split_first() {
        let (item, tail) = tail.split_at_checked(usize::from(*length))?;
        items.push(item);
        left = tail;
    }
    Some(items)
}

fn split(data: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (&[a, b, high, low], tail) = data.split_first_chunk()?;
    let (value, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
    Some((u16::from_be_bytes([a, b]), value, tail))
}

fn key_name(key: u16) -> String {
    KEYS.iter().find(|(number, _)| *number == key).map_or_else(|| format!("key{key}"), |(_, name)| (*name).to_owned())
}

/// Prints `key=value` for each.
pub(super) fn print(data: &[u8], text: &mut String) {
    let mut left = data;
    let mut space = "";
    while let Some((key, value, tail)) = split(left) {
        text.push_str(std::mem::replace(&mut space, " "));
        text.push_str(&key_name(key));
        if !value.is_empty() {
            text.push('=');
            print_value(key, value, text);
        }
        left = tail;
    }
}

fn print_value(key: u16, value: &[u8], text: &mut String) {
    let numbers = || value.as_chunks().0.iter().map(|number| u16::from_be_bytes(*number));
    match key {
        MANDATORY => text.push_str(&numbers().map(key_name).collect::<Vec<_>>().join(",")),
        PORT | GROUPS => text.push_str(&numbers().map(|n| n.to_string()).collect::<Vec<_>>().join(",")),
        ECH => text.push_str(&BASE64.encode(value)),
        IPV4HINT => print_addresses(value.chunks_exact(4), text),
        IPV6HINT => print_addresses(value.chunks_exact(16), text),
        ALPN => {
            let escape = |item: &[u8]| -> Vec<u8> {
                item.iter().flat_map(|b| if matches!(b, b',' | b'\\') { vec![b'\\', *b] } else { vec![*b] }).collect()
            };
            let all: Vec<Vec<u8>> = items(value).unwrap_or_default().into_iter().map(escape).collect();
            print_quoted(&all.join(&b','), text);
        }
        _ => print_quoted(value, text),
    }
}

fn print_addresses<'d>(addresses: impl Iterator<Item = &'d [u8]>, text: &mut String) {
    let mut comma = "";
    for address in addresses {
        text.push_str(std::mem::replace(&mut comma, ","));
        print_address(address, text);
    }
}
