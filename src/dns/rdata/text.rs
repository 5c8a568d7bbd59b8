//! The small forms that text is made of: names, strings, numbers, spans and moments.

use super::{RdataFault, Token};
use crate::dns::name::{LABEL_OCTETS_MAX, NAME_OCTETS_MAX, NameFault};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Seconds with their text form's faults told apart: a TTL's limit differs from a timer's.
pub(crate) enum Seconds32 {
    /// A whole number of seconds.
    Good(u32),
    /// Well written, but past 32 bits.
    TooLarge,
    /// Neither a number nor numbers with units.
    NotSeconds,
}

/// Reads bare seconds or numbers with units: `3600`, `1h30m` (w, d, h, m, s in any case and order).
pub(crate) fn read_seconds(text: &str) -> Seconds32 {
    let (mut total, mut number) = (0u64, None::<u64>);
    for b in text.bytes() {
        let scale = match b.to_ascii_lowercase() {
            digit @ b'0'..=b'9' => {
                // Both sums stay below 2^64, since they stop growing past 32 bits.
                number = Some((number.unwrap_or(0) * 10 + u64::from(digit - b'0')).min(1 << 33));
                continue;
            }
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return Seconds32::NotSeconds,
        };
        let Some(part) = number.take() else { return Seconds32::NotSeconds };
        total = (total + part * scale).min(1 << 33);
    }
    if text.is_empty() {
        return Seconds32::NotSeconds;
    }
    u32::try_from(total + number.unwrap_or(0)).map_or(Seconds32::TooLarge, Seconds32::Good)
}

/// Appends a name in wire form; one without a final dot ends in `origin`, `@` is `origin` (RFC 1035 § 5.1).
pub(crate) fn push_name(out: &mut Vec<u8>, token: &Token<'_>, origin: &[u8], lower: bool) -> Result<(), RdataFault> {
    unquoted(token, "a name")?;
    match token.text {
        "@" => {
            out.extend_from_slice(origin);
            return Ok(());
        }
        "." => {
            out.push(0);
            return Ok(());
        }
        _ => {}
    }
    let start = out.len();
    if push_labels(out, token, lower)? {
        out.push(0);
    } else {
        out.extend_from_slice(origin);
    }
    if out.len() - start > NAME_OCTETS_MAX { Err(name_fault(token, NameFault::NameTooLong)) } else { Ok(()) }
}

/// Appends labels without the root; true where the text ends with a dot.
fn push_labels(out: &mut Vec<u8>, token: &Token<'_>, lower: bool) -> Result<bool, RdataFault> {
    let mut label = out.len();
    out.push(0);
    let mut bytes = token.text.bytes();
    while let Some(b) = bytes.next() {
        let octet = match b {
            b'.' => {
                close_label(out, label).map_err(|fault| name_fault(token, fault))?;
                if bytes.len() == 0 {
                    return Ok(true);
                }
                label = out.len();
                out.push(0);
                continue;
            }
            b'\\' => unescape(&mut bytes).ok_or_else(|| name_fault(token, NameFault::BadEscape))?,
            b'"' => return Err(stray_quote(token)),
            0x80.. => return Err(not_ascii(token)),
            _ => b,
        };
        out.push(if lower { octet.to_ascii_lowercase() } else { octet });
    }
    close_label(out, label).map_err(|fault| name_fault(token, fault))?;
    Ok(false)
}

fn close_label(out: &mut [u8], at: usize) -> Result<(), NameFault> {
    let octets = out.len().saturating_sub(at + 1);
    if octets > LABEL_OCTETS_MAX {
        return Err(NameFault::LabelTooLong);
    }
    let length = u8::try_from(octets).ok().filter(|length| *length > 0).ok_or(NameFault::EmptyLabel)?;
    if let Some(octet) = out.get_mut(at) {
        *octet = length;
    }
    Ok(())
}

fn name_fault(token: &Token<'_>, fault: NameFault) -> RdataFault {
    let help = match fault {
        NameFault::LabelTooLong => "shorten the label to 63 octets",
        NameFault::NameTooLong => "shorten it; where its final dot is missing, the origin was added",
        NameFault::EmptyLabel => "remove the dot at the start or the doubled dot",
        NameFault::BadEscape | NameFault::NotWire => "write a backslash as `\\\\`, an octet as `\\` and three digits",
    };
    RdataFault::new(format!("`{}` is not a name: {fault}", shown(token.text)), help)
}

fn not_ascii(token: &Token<'_>) -> RdataFault {
    RdataFault::new(
        format!("the name `{}` is not ASCII", shown(token.text)),
        "write its A-label (`xn--...`), or octets as `\\` and three digits",
    )
}

/// The text as messages quote it: whole, unless it is too long to help anybody.
pub(super) fn shown(text: &str) -> String {
    const CHARACTERS_MAX: usize = 80;
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn stray_quote(token: &Token<'_>) -> RdataFault {
    RdataFault::new(
        format!("a quote stands inside `{}`", shown(token.text)),
        "put the whole string in quotes, or write the quote as `\\\"`",
    )
}

/// Refuses quotes where no string belongs.
pub(super) fn unquoted(token: &Token<'_>, what: &str) -> Result<(), RdataFault> {
    if !token.quoted {
        return Ok(());
    }
    let message = format!("`\"{}\"` is a quoted string where {what} belongs", shown(token.text));
    Err(RdataFault::new(message, "write it without quotes"))
}

/// What stands behind a backslash: one character, or three digits up to 255 (RFC 1035 § 5.1).
fn unescape(bytes: &mut std::str::Bytes<'_>) -> Option<u8> {
    let first = bytes.next()?;
    if !first.is_ascii_digit() {
        return Some(first);
    }
    let mut value = u32::from(first - b'0');
    for _ in 0..2 {
        let digit = bytes.next().filter(u8::is_ascii_digit)?;
        value = value * 10 + u32::from(digit - b'0');
    }
    u8::try_from(value).ok()
}

/// Appends the octets of a string as written, quoted or not.
pub(super) fn push_octets(out: &mut Vec<u8>, token: &Token<'_>) -> Result<(), RdataFault> {
    let mut bytes = token.text.bytes();
    while let Some(b) = bytes.next() {
        out.push(match b {
            b'\\' => unescape(&mut bytes).ok_or_else(|| bad_escape(token))?,
            b'"' => return Err(stray_quote(token)),
            _ => b,
        });
    }
    Ok(())
}

fn bad_escape(token: &Token<'_>) -> RdataFault {
    RdataFault::new(
        format!("`{}`: {}", shown(token.text), NameFault::BadEscape),
        "write a backslash as `\\\\`, an octet as `\\` and three digits",
    )
}

/// Appends a character string: a length octet, then at most 255 octets (RFC 1035 § 3.3).
pub(super) fn push_string(out: &mut Vec<u8>, token: &Token<'_>) -> Result<(), RdataFault> {
    let at = out.len();
    out.push(0);
    push_octets(out, token)?;
    let octets = out.len() - at - 1;
    let length = u8::try_from(octets).map_err(|_| {
        RdataFault::new(
            format!("a string has {octets} octets, more than the 255 that one can hold"),
            "split it into several quoted strings, each of at most 255 octets",
        )
    })?;
    if let Some(octet) = out.get_mut(at) {
        *octet = length;
    }
    Ok(())
}

/// Prints octets in quotes, with everything escaped that must or should be.
pub(super) fn print_quoted(octets: &[u8], text: &mut String) {
    text.push('"');
    for &b in octets {
        match b {
            b'"' | b'\\' => text.extend(['\\', char::from(b)]),
            b' '..=b'~' => text.push(char::from(b)),
            _ => text.push_str(&format!("\\{b:03}")),
        }
    }
    text.push('"');
}

/// A whole number without sign.
pub(super) fn number<T: std::str::FromStr>(token: &Token<'_>, what: &str, most: u32) -> Result<T, RdataFault> {
    unquoted(token, what)?;
    let digits = token.text.bytes().all(|b| b.is_ascii_digit());
    token.text.parse().ok().filter(|_| digits).ok_or_else(|| {
        RdataFault::new(format!("{what} `{}` is not a whole number from 0 to {most}", shown(token.text)), "")
    })
}

/// Reads a moment: `YYYYMMDDHHmmSS` in UTC, or seconds since 1970 modulo 2^32 (RFC 4034 § 3.2).
pub(super) fn read_moment(text: &str) -> Option<u32> {
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    if text.len() <= 10 {
        return text.parse().ok();
    }
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    let sane = text.len() == 14 && (1970..=2105).contains(&year) && hour < 24 && minute < 60 && second < 60;
    if !sane || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let years: u64 = (1970..year).map(|y| 365 + u64::from(is_leap(y))).sum();
    let months: u64 = (1..month).map(|m| days_in(year, m)).sum();
    u32::try_from(((years + months + day - 1) * 24 + hour) * 3600 + minute * 60 + second).ok()
}

/// Prints a moment as `YYYYMMDDHHmmSS` where that form can be read back, else as seconds.
pub(crate) fn print_moment(moment: u32, text: &mut String) {
    let (mut days, seconds) = (u64::from(moment) / 86_400, moment % 86_400);
    let (mut year, mut month) = (1970u64, 1u64);
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    while days >= days_in(year, month) {
        days -= days_in(year, month);
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let day = days + 1;
    text.push_str(&match year {
        ..=2105 => format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}"),
        _ => moment.to_string(),
    });
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Prints 4 octets as an IPv4 address, 16 as an IPv6 address.
pub(super) fn print_address(octets: &[u8], text: &mut String) {
    if let Ok(octets) = <[u8; 4]>::try_from(octets) {
        text.push_str(&Ipv4Addr::from(octets).to_string());
    } else if let Ok(octets) = <[u8; 16]>::try_from(octets) {
        text.push_str(&Ipv6Addr::from(octets).to_string());
    }
}
