//! PEM (RFC 7468) around PKCS#8 or SEC1 keys: Knot's keys folder, PowerDNS's `export-zone-key-pem`, OpenSSL.
//!
//! What stands outside of a private key's section is passed over, certificates and curve parameters too. Two private keys
//! in one file are an error, for nobody could tell which was meant.

use super::pkcs8::{Secret, read_pkcs8, read_sec1};
use super::{ForeignFault, base64};
use data_encoding::BASE64;
use zeroize::Zeroizing;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
const PKCS8: &[u8] = b"PRIVATE KEY";
const SEC1: &[u8] = b"EC PRIVATE KEY";
/// Characters in a line (RFC 7468 § 2).
const LINE_CHARACTERS: usize = 64;

/// A private key's section.
struct Section<'f> {
    label: &'f [u8],
    /// Its base64 without blanks.
    body: Zeroizing<Vec<u8>>,
}

/// Whether there is PEM in a file.
pub(super) fn is_here(text: &[u8]) -> bool {
    text.windows(BEGIN.len()).any(|part| part == BEGIN)
}

pub(super) fn read(file: &[u8]) -> Result<Secret, ForeignFault> {
    let section = section(file)?;
    let der = base64(&section.body).ok_or(ForeignFault::Pem("is not base64"))?;
    match section.label {
        SEC1 => read_sec1(&der),
        _ => read_pkcs8(&der),
    }
}

/// The only section with a private key.
fn section(file: &[u8]) -> Result<Section<'_>, ForeignFault> {
    let mut lines = file.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii);
    let mut found = None;
    while let Some(line) = lines.next() {
        let Some(label) = label(line, BEGIN) else { continue };
        if !label.ends_with(PKCS8) {
            continue;
        }
        refuse_others(label)?;
        let body = body(&mut lines, label, file.len())?;
        if found.replace(Section { label, body }).is_some() {
            return Err(ForeignFault::Pem("holds several private keys"));
        }
    }
    found.ok_or(ForeignFault::Pem("holds no private key"))
}

fn label<'f>(line: &'f [u8], start: &[u8]) -> Option<&'f [u8]> {
    line.strip_prefix(start)?.strip_suffix(DASHES)
}

/// Labels of private keys that are not read here; older forms name the algorithm in the label.
fn refuse_others(label: &[u8]) -> Result<(), ForeignFault> {
    match label {
        PKCS8 | SEC1 => Ok(()),
        b"ENCRYPTED PRIVATE KEY" => Err(ForeignFault::Encrypted),
        b"RSA PRIVATE KEY" => Err(ForeignFault::Algorithm("RSA".to_owned())),
        b"DSA PRIVATE KEY" => Err(ForeignFault::Algorithm("DSA".to_owned())),
        _ => Err(ForeignFault::Pem("holds a private key of an unknown kind, not `PRIVATE KEY`")),
    }
}

/// The base64 up to the end of the section.
fn body<'f>(
    lines: &mut impl Iterator<Item = &'f [u8]>,
    begun: &[u8],
    octets_max: usize,
) -> Result<Zeroizing<Vec<u8>>, ForeignFault> {
    let mut body = Zeroizing::new(Vec::with_capacity(octets_max));
    for line in lines {
        if line.starts_with(DASHES) {
            return match label(line, END) {
                Some(ended) if ended == begun => Ok(body),
                _ => Err(ForeignFault::Pem("has an end that does not fit its begin")),
            };
        }
        if line.contains(&b':') {
            // Only the older forms have headers; those of keys say how they are encrypted (RFC 1421 § 4.6.1).
            let encrypted = line.starts_with(b"Proc-Type") && line.ends_with(b"ENCRYPTED");
            return Err(if encrypted { ForeignFault::Encrypted } else { ForeignFault::Pem("has a header") });
        }
        body.extend(line.iter().filter(|octet| !octet.is_ascii_whitespace()));
    }
    Err(ForeignFault::Pem("breaks off before `-----END`"))
}

/// PKCS#8 as PEM.
pub(in crate::sign) fn print(der: &[u8]) -> Zeroizing<String> {
    let mut base64 = Zeroizing::new(vec![0; BASE64.encode_len(der.len())]);
    BASE64.encode_mut(der, &mut base64);
    let lines = base64.len().div_ceil(LINE_CHARACTERS) + 2;
    // Each of the two outer lines is shorter than a full one, so the buffer never grows.
    let mut text = Zeroizing::new(String::with_capacity(lines * (LINE_CHARACTERS + 1)));
    text.push_str("-----BEGIN PRIVATE KEY-----\n");
    for line in base64.chunks(LINE_CHARACTERS) {
        line.iter().for_each(|character| text.push(char::from(*character)));
        text.push('\n');
    }
    text.push_str("-----END PRIVATE KEY-----\n");
    text
}
