//! The text form of BIND, ldns and PowerDNS: `Private-key-format: v1.2` or `v1.3`.
//!
//! Lines about timing and tags of other algorithms are read and passed over; a line of another shape is an error.

use super::pkcs8::Secret;
use super::{ForeignFault, base64};
use crate::sign::key::{ECDSA_P256, ED25519_NUMBER};

const FORMAT: &str = "Private-key-format";
const ALGORITHM: &str = "Algorithm";
const PRIVATE: &str = "PrivateKey";
/// What names a key in a device of PKCS#11.
const DEVICE: [&str; 2] = ["Engine", "Label"];
/// Names of DNSSEC's other algorithms (IANA registry).
const NAMES: [(u8, &str); 9] = [
    (1, "RSAMD5"),
    (3, "DSA"),
    (5, "RSASHA1"),
    (6, "DSA-NSEC3-SHA1"),
    (7, "RSASHA1-NSEC3-SHA1"),
    (8, "RSASHA256"),
    (10, "RSASHA512"),
    (14, "ECDSAP384SHA384"),
    (16, "ED448"),
];

/// What the lines say, each with its number.
#[derive(Default)]
struct Lines<'f> {
    format: Option<(usize, &'f [u8])>,
    algorithm: Option<(usize, &'f [u8])>,
    private: Option<(usize, &'f [u8])>,
    in_device: bool,
}

/// Whether a file that begins so has this form.
pub(super) fn is_here(text: &[u8]) -> bool {
    text.get(..FORMAT.len()).is_some_and(|start| start.eq_ignore_ascii_case(FORMAT.as_bytes()))
}

pub(super) fn read(file: &[u8]) -> Result<Secret, ForeignFault> {
    let lines = lines(file)?;
    let (line, format) = lines.format.ok_or(ForeignFault::Missing(FORMAT))?;
    if !matches!(format, b"v1.2" | b"v1.3") {
        return Err(ForeignFault::Line { line, what: "has another format than v1.2 and v1.3" });
    }
    let (line, value) = lines.algorithm.ok_or(ForeignFault::Missing(ALGORITHM))?;
    let algorithm = number(value).ok_or(ForeignFault::Line { line, what: "has no number of an algorithm" })?;
    if !matches!(algorithm, ECDSA_P256 | ED25519_NUMBER) {
        return Err(ForeignFault::Algorithm(name(algorithm)));
    }
    if lines.in_device {
        return Err(ForeignFault::InDevice);
    }
    let (line, value) = lines.private.ok_or(ForeignFault::Missing(PRIVATE))?;
    let octets = base64(value).ok_or(ForeignFault::Line { line, what: "is not base64 behind its colon" })?;
    Secret::new(algorithm, &octets, None)
}

fn lines(file: &[u8]) -> Result<Lines<'_>, ForeignFault> {
    let mut lines = Lines::default();
    for (at, line) in file.split(|octet| *octet == b'\n').enumerate() {
        let (number, line) = (at + 1, line.trim_ascii());
        if line.is_empty() || line.starts_with(b";") {
            continue;
        }
        let fault = |what| ForeignFault::Line { line: number, what };
        if line.iter().any(|octet| !matches!(octet, b' '..=b'~' | b'\t')) {
            return Err(fault("holds octets that are not text"));
        }
        let colon = line.iter().position(|octet| *octet == b':').ok_or_else(|| fault("has no colon"))?;
        let (tag, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let is = |word: &str| tag.eq_ignore_ascii_case(word.as_bytes());
        let place = match () {
            () if is(FORMAT) => &mut lines.format,
            () if is(ALGORITHM) => &mut lines.algorithm,
            () if is(PRIVATE) => &mut lines.private,
            () => {
                lines.in_device |= DEVICE.iter().any(|word| is(word));
                continue;
            }
        };
        if place.replace((number, value)).is_some() {
            return Err(fault("says again what an earlier line says"));
        }
    }
    Ok(lines)
}

/// `13 (ECDSAP256SHA256)` or `13`.
fn number(value: &[u8]) -> Option<u8> {
    let word = value.split(|octet| matches!(octet, b' ' | b'\t' | b'(')).next()?;
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// An algorithm in words.
pub(super) fn name(algorithm: u8) -> String {
    let known = NAMES.iter().find(|(number, _)| *number == algorithm);
    known.map_or(format!("algorithm {algorithm}"), |(_, name)| format!("algorithm {algorithm} ({name})"))
}
