//! LOC (RFC 1876): latitude, longitude, altitude and how well they are known.

use super::text::{shown, unquoted};
use super::words::Words;
use super::{RdataFault, Token, extent};

/// Octets of version 0, the only one.
const OCTETS: usize = 16;
/// Thousandths of a second of arc in a degree.
const DEGREE: u32 = 3_600_000;
/// What the equator and the prime meridian are written as on the wire.
const MIDDLE: u32 = 1 << 31;
/// Altitude 0 on the wire, in centimetres above the lowest that can be written.
const SEA_LEVEL: i64 = 10_000_000;
/// Size, horizontal and vertical precision where they are not written: 1 m, 10 km, 10 m (RFC 1876 § 3).
const DEFAULTS: [u8; 3] = [0x12, 0x16, 0x13];

/// Reads `d1 [m1 [s1]] N|S d2 [m2 [s2]] E|W alt[m] [size[m] [horizontal[m] [vertical[m]]]]`.
pub(super) fn read(words: &mut Words<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataFault> {
    let latitude = read_angle(words, 90, ["N", "S"])?;
    let longitude = read_angle(words, 180, ["E", "W"])?;
    let token = words.need("altitude")?;
    let altitude = metres(&token).and_then(|cm| u32::try_from(cm + SEA_LEVEL).ok()).ok_or_else(|| {
        RdataFault::new(
            format!("altitude `{}` is not from -100000.00 to 42849672.95 metres", shown(token.text)),
            "write metres with at most two decimals",
        )
    })?;
    let mut sizes = DEFAULTS;
    for size in &mut sizes {
        let Some(token) = words.next() else { break };
        *size = read_size(&token)?;
    }
    out.push(0);
    out.extend_from_slice(&sizes);
    for number in [latitude, longitude, altitude] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    Ok(())
}

fn read_angle(words: &mut Words<'_, '_>, degrees_max: u32, signs: [&str; 2]) -> Result<u32, RdataFault> {
    let mut angle = 0u32;
    for unit in 0.. {
        let token = words.need(if degrees_max == 90 { "latitude" } else { "longitude" })?;
        let [plus, minus] = signs;
        if unit > 0 && (token.text.eq_ignore_ascii_case(plus) || token.text.eq_ignore_ascii_case(minus)) {
            let north = token.text.eq_ignore_ascii_case(plus);
            return Ok(if north { MIDDLE + angle } else { MIDDLE - angle });
        }
        let part = match unit {
            0 => decimal(token.text, 0).filter(|n| *n <= u64::from(degrees_max)).map(|n| n * u64::from(DEGREE)),
            1 => decimal(token.text, 0).filter(|n| *n < 60).map(|n| n * 60_000),
            2 => decimal(token.text, 3).filter(|n| *n < 60_000),
            _ => None,
        };
        let sum = part.and_then(|part| u32::try_from(part).ok()).map(|part| angle + part);
        angle = sum.filter(|sum| *sum <= degrees_max * DEGREE && !token.quoted).ok_or_else(|| {
            RdataFault::new(
                format!("`{}` is not part of an angle of at most {degrees_max} degrees", shown(token.text)),
                format!("write degrees, minutes, seconds (three decimals), then {plus} or {minus}"),
            )
        })?;
    }
    Ok(angle)
}

/// Centimetres as one digit and a power of ten in two halves of an octet (RFC 1876 § 2).
fn read_size(token: &Token<'_>) -> Result<u8, RdataFault> {
    let wrong = || {
        RdataFault::new(
            format!("`{}` is not from 0 to 90000000.00 metres", shown(token.text)),
            "write metres with at most two decimals",
        )
    };
    let mut base = metres(token).filter(|cm| (0..=9_000_000_000).contains(cm)).ok_or_else(wrong)?;
    let mut power = 0u8;
    while base > 9 {
        base /= 10;
        power += 1;
    }
    u8::try_from(base).map(|base| base << 4 | power).map_err(|_| wrong())
}

fn metres(token: &Token<'_>) -> Option<i64> {
    unquoted(token, "a length").ok()?;
    let text = token.text.strip_suffix(['m', 'M']).unwrap_or(token.text);
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
    Some(sign * i64::try_from(decimal(text, 2)?).ok()?)
}

/// A decimal number times ten to the power of `decimals`, of which it has at most that many.
fn decimal(text: &str, decimals: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 12 || fraction.len() > decimals || !digits(whole) || !digits(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<decimals$}").parse().ok()
}

/// Version 0 and its limits.
pub(super) fn extent(data: &[u8]) -> Result<usize, String> {
    extent::fixed(data, OCTETS)?;
    let Some((&[version, sizes @ ..], numbers)) = data.split_first_chunk::<4>() else { return Ok(OCTETS) };
    if version != 0 {
        return Err(format!("version {version} is not known"));
    }
    if sizes.iter().any(|size| size >> 4 > 9 || size & 15 > 9) {
        return Err("a size has a digit above 9".to_owned());
    }
    if sizes.iter().any(|size| size >> 4 == 0 && *size != 0) {
        return Err("a size of zero has a power of ten".to_owned());
    }
    for (at, degrees_max) in [(0, 90), (4, 180)] {
        let angle = word(numbers, at).ok_or("the octets end too early")?;
        if angle.abs_diff(MIDDLE) > degrees_max * DEGREE {
            return Err(format!("an angle is above {degrees_max} degrees"));
        }
    }
    Ok(OCTETS)
}

fn word(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..)?.first_chunk().map(|octets| u32::from_be_bytes(*octets))
}

/// Prints every part, also those that have defaults.
pub(super) fn print(data: &[u8], text: &mut String) {
    let Some((&[_, sizes @ ..], numbers)) = data.split_first_chunk::<4>() else { return };
    for (at, [plus, minus]) in [(0, ["N", "S"]), (4, ["E", "W"])] {
        let angle = word(numbers, at).unwrap_or(MIDDLE);
        let sign = if angle < MIDDLE { minus } else { plus };
        let angle = angle.abs_diff(MIDDLE);
        let (degrees, minutes, thousandths) = (angle / DEGREE, angle / 60_000 % 60, angle % 60_000);
        let (seconds, fraction) = (thousandths / 1000, thousandths % 1000);
        text.push_str(&format!("{degrees} {minutes} {seconds}.{fraction:03} {sign} "));
    }
    let altitude = i64::from(word(numbers, 8).unwrap_or(0)) - SEA_LEVEL;
    let sign = if altitude < 0 { "-" } else { "" };
    let altitude = altitude.unsigned_abs();
    text.push_str(&format!("{sign}{}.{:02}m", altitude / 100, altitude % 100));
    for size in sizes {
        let centimetres = u64::from(size >> 4) * 10u64.pow(u32::from(size & 15));
        text.push_str(&format!(" {}.{:02}m", centimetres / 100, centimetres % 100));
    }
}
