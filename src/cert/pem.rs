//! Sections of PEM files (RFC 7468): certificates and private keys, and an error for each section that is neither.
//!
//! A section that is not understood is never passed over: the certificate behind it would be taken for the host's, whose
//! own stands in that section. Text around sections says nothing (RFC 7468 § 2). No error quotes content.
//!
//! In all other files a last line without its end is no line. Here it is one: the END line with its five dashes closes a
//! section (RFC 7468 § 3), so of a section nobody takes the half for the whole, and tools write PEM without a last newline.

use data_encoding::BASE64;
use zeroize::Zeroizing;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// Sections that are known, and say nothing about certificates and keys: OpenSSL writes them beside both, and its readers of
/// either pass over them.
const HARMLESS: [&str; 3] = ["EC PARAMETERS", "DH PARAMETERS", "X9.42 DH PARAMETERS"];
/// Sections that are known by name, and must not be where a host's certificate is expected; and what to do.
const REFUSED: [(&str, &str); 8] = [
    ("TRUSTED CERTIFICATE", "OpenSSL's own form: write it anew with `openssl x509 -in FILE -out NEW`"),
    ("PKCS7", "write its certificates with `openssl pkcs7 -in FILE -print_certs -out NEW`"),
    ("CMS", "write its certificates one by one, the host's first"),
    ("CERTIFICATE REQUEST", "a request is no certificate: take it out"),
    ("NEW CERTIFICATE REQUEST", "a request is no certificate: take it out"),
    ("X509 CRL", "a list of revoked certificates belongs into a file of its own"),
    ("PUBLIC KEY", "a public key is in its certificate: take it out"),
    ("OPENSSH PRIVATE KEY", "a key of SSH is of no use for TLS: take it out"),
];
/// What borders of sections hold that were mistyped, indented, or lost their dashes; in capital letters.
const BORDER_LIKE: [&str; 7] = [
    "--BEGIN",
    "--END",
    "BEGIN CERTIFICATE",
    "BEGIN X509 CERTIFICATE",
    "BEGIN TRUSTED CERTIFICATE",
    "END CERTIFICATE",
    "PRIVATE KEY--",
];

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// A certificate.
    Certificate,
    /// A private key in PKCS#8 (RFC 5958).
    Pkcs8,
    /// An RSA key (RFC 8017 appendix A.1.2).
    Pkcs1,
    /// A key of an elliptic curve (RFC 5915).
    Sec1,
    /// A private key that needs a passphrase.
    Encrypted,
    /// Something that says nothing here.
    Harmless,
}

/// A section.
#[derive(Debug)]
pub struct Section {
    /// What it holds.
    pub label: Label,
    /// Its octets; none where nobody reads them: those of an encrypted key, and what is harmless.
    pub der: Zeroizing<Vec<u8>>,
}

/// Why a file is no PEM file. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemFault {
    /// It ends in the middle.
    #[error("it ends inside of a section")]
    Unended,
    /// A section of another kind.
    #[error("line {line} begins a section that is not understood{what}")]
    NotUnderstood {
        /// Where it begins.
        line: usize,
        /// Its name and what to do, where it is known.
        what: String,
    },
    /// What may be meant as the border of a section.
    #[error(
        "line {0} looks like the begin or the end of a section, and is none; such a line is five dashes, BEGIN or END, the \
         name and five dashes, with nothing before or behind"
    )]
    NotABorder(usize),
    /// The end of another section, or a begin inside of one.
    #[error("line {0} does not end the section that it stands in; make the file anew")]
    Unfit(usize),
    /// Content that is not base64.
    #[error("the section that begins in line {0} is not base64; make the file anew")]
    NotBase64(usize),
}

/// All sections of a file, in their order.
///
/// # Errors
/// [`PemFault`]: at the first thing that is not understood.
pub fn sections(octets: &[u8]) -> Result<Vec<Section>, PemFault> {
    let mut lines = Lines { rest: octets, number: 0 };
    let mut sections = Vec::new();
    while let Some(line) = lines.next() {
        match begun(line.text) {
            Some(name) => {
                let label = label(name).map_err(|what| PemFault::NotUnderstood { line: lines.number, what })?;
                sections.push(section(&mut lines, label, name)?);
            }
            None if !line.is_ended && is_cut(line.text) => return Err(PemFault::Unended),
            None if is_border_like(line.text) => return Err(PemFault::NotABorder(lines.number)),
            None => {}
        }
    }
    Ok(sections)
}

/// The name in the line that begins a section, which stands alone in it.
fn begun(line: &[u8]) -> Option<&[u8]> {
    let name = line.strip_prefix(BEGIN)?.strip_suffix(DASHES)?;
    // The end of one and the begin of the next in one line, as of files that were joined without a line end between.
    (!name.windows(2).any(|pair| pair == b"--")).then_some(name)
}

fn label(name: &[u8]) -> Result<Label, String> {
    let known = |names: &[&str]| names.iter().any(|known| known.as_bytes() == name);
    match name {
        // The older name has the same content (RFC 7468 § 5.1).
        b"CERTIFICATE" | b"X509 CERTIFICATE" => Ok(Label::Certificate),
        b"PRIVATE KEY" => Ok(Label::Pkcs8),
        b"RSA PRIVATE KEY" => Ok(Label::Pkcs1),
        b"EC PRIVATE KEY" => Ok(Label::Sec1),
        b"ENCRYPTED PRIVATE KEY" => Ok(Label::Encrypted),
        _ if known(&HARMLESS) => Ok(Label::Harmless),
        _ => {
            let refused = REFUSED.iter().find(|(known, _)| known.as_bytes() == name);
            Err(refused.map_or_else(
                || "; only certificates and private keys belong in it".to_owned(),
                |(known, help)| format!(" ({known}); {help}"),
            ))
        }
    }
}

/// The rest of a section whose first line was read.
fn section(lines: &mut Lines<'_>, mut label: Label, name: &[u8]) -> Result<Section, PemFault> {
    let first = lines.number;
    let mut body = Zeroizing::new(Vec::with_capacity(lines.rest.len()));
    while let Some(line) = lines.next() {
        if line.text.starts_with(DASHES) {
            let ended = line.text.strip_prefix(END).and_then(|rest| rest.strip_suffix(DASHES));
            return match ended {
                Some(ended) if ended == name => Ok(Section { label, der: decode(label, &body, first)? }),
                _ if !line.is_ended => Err(PemFault::Unended),
                _ => Err(PemFault::Unfit(lines.number)),
            };
        }
        // Headers say how older forms of keys are encrypted (RFC 1421 § 4.6.1).
        if line.text.starts_with(b"Proc-Type:") && line.text.ends_with(b"ENCRYPTED") && label != Label::Certificate {
            label = Label::Encrypted;
        }
        body.extend(line.text.iter().filter(|octet| !octet.is_ascii_whitespace()));
    }
    Err(PemFault::Unended)
}

fn decode(label: Label, body: &[u8], first: usize) -> Result<Zeroizing<Vec<u8>>, PemFault> {
    if matches!(label, Label::Encrypted | Label::Harmless) {
        return Ok(Zeroizing::default());
    }
    let length = BASE64.decode_len(body.len()).map_err(|_| PemFault::NotBase64(first))?;
    let mut der = Zeroizing::new(vec![0; length]);
    let length = BASE64.decode_mut(body, &mut der).map_err(|_| PemFault::NotBase64(first))?;
    der.truncate(length);
    Ok(der)
}

/// Whether a last line without its end is, or may become, the border of a section.
fn is_cut(line: &[u8]) -> bool {
    !line.is_empty() && (BEGIN.starts_with(line) || line.starts_with(DASHES))
}

fn is_border_like(line: &[u8]) -> bool {
    let line = line.to_ascii_uppercase();
    BORDER_LIKE.iter().any(|like| line.windows(like.len()).any(|window| window == like.as_bytes()))
}

struct Lines<'f> {
    rest: &'f [u8],
    /// Number of the line that was read last.
    number: usize,
}

struct Line<'f> {
    /// Without what ends it, as OpenSSL takes that: all blanks and control characters.
    text: &'f [u8],
    /// Whether there is a line end behind it.
    is_ended: bool,
}

impl<'f> Lines<'f> {
    fn next(&mut self) -> Option<Line<'f>> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let end = self.rest.iter().position(|octet| *octet == b'\n');
        let (line, rest) = self.rest.split_at(end.map_or(self.rest.len(), |end| end + 1));
        self.rest = rest;
        let length = line.iter().rposition(|octet| *octet > b' ').map_or(0, |last| last + 1);
        Some(Line { text: line.get(..length).unwrap_or(line), is_ended: end.is_some() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";

    fn labels(text: &str) -> Result<Vec<Label>, PemFault> {
        sections(text.as_bytes()).map(|found| found.iter().map(|section| section.label).collect())
    }

    #[test]
    fn what_stands_around_sections_says_nothing() {
        for around in [
            "# issued by our own authority\n",
            "---\nServer certificate\n---\nDONE\n",
            "subject=CN = x\n\n",
            "Here begins the certificate of mx1, which ends in May.\n",
            "\u{1a}",
            "\0",
            "the last word",
            " ",
        ] {
            assert_eq!(labels(&format!("{CERTIFICATE}{around}")), Ok(vec![Label::Certificate]), "{around:?} behind");
            let before = if around.ends_with('\n') { around.to_owned() } else { format!("{around}\n") };
            assert_eq!(labels(&format!("{before}{CERTIFICATE}")), Ok(vec![Label::Certificate]), "{around:?} before");
        }
        assert_eq!(labels(&CERTIFICATE.replace('\n', "\r\n")), Ok(vec![Label::Certificate]));
        assert_eq!(
            labels(CERTIFICATE.trim_end()),
            Ok(vec![Label::Certificate]),
            "a last line without its end is whole"
        );
        assert_eq!(labels(&CERTIFICATE.replace("-\n", "- \t\n")), Ok(vec![Label::Certificate]));
    }

    #[test]
    fn a_border_that_is_none_is_an_error_with_its_line() {
        for begin in [
            " -----BEGIN CERTIFICATE-----",
            "\u{feff}-----BEGIN CERTIFICATE-----",
            "-----begin certificate-----",
            "----BEGIN CERTIFICATE-----",
            "-----BEGIN CERTIFICATE----",
            "-----BEGIN CERTIFICATE",
            "-----BEGINCERTIFICATE-----",
            "----- BEGIN CERTIFICATE -----",
            "BEGIN CERTIFICATE",
            "> -----BEGIN CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----AQID-----END CERTIFICATE-----",
            "-----END CERTIFICATE----------BEGIN CERTIFICATE-----",
            "-----BEGIN  CERTIFICATE-----",
            "-----BEGIN CERTIFICATE -----",
            "-----BEGIN -----",
            "-----BEGIN SECRETBYTES-----",
            "",
        ] {
            let text = CERTIFICATE.replace("-----BEGIN CERTIFICATE-----", begin);
            let fault = labels(&format!("text\n{text}{CERTIFICATE}")).expect_err(begin);
            assert!(
                matches!(
                    fault,
                    PemFault::NotABorder(2 | 4) | PemFault::NotUnderstood { line: 2, .. } | PemFault::Unfit(4)
                ),
                "{begin}: {fault:?}"
            );
            assert!(!fault.to_string().contains("SECRET"), "{fault}");
        }
        for end in ["-----END CERTIFICATE----", " -----END CERTIFICATE-----", "-----END KEY-----", ""] {
            let text = CERTIFICATE.replace("-----END CERTIFICATE-----", end);
            labels(&format!("{text}{CERTIFICATE}")).expect_err(end);
        }
    }

    #[test]
    fn sections_are_told_apart_by_name_and_the_others_are_refused_by_theirs() {
        let all = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "X509 CERTIFICATE", "EC PARAMETERS"];
        let text: String = all.iter().map(|name| CERTIFICATE.replace("CERTIFICATE", name)).collect();
        let wanted = [Label::Pkcs8, Label::Pkcs1, Label::Sec1, Label::Certificate, Label::Harmless];
        assert_eq!(labels(&text), Ok(wanted.to_vec()));
        let locked = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAQID\n-----END EC PRIVATE KEY-----\n";
        assert_eq!(labels(locked), Ok(vec![Label::Encrypted]));
        for (name, help) in REFUSED {
            let fault = labels(&CERTIFICATE.replace("CERTIFICATE", name)).expect_err(name).to_string();
            assert!(fault.contains(name) && fault.contains(help), "{fault}");
        }
        assert_eq!(
            labels("-----BEGIN CERTIFICATE-----\nA*==\n-----END CERTIFICATE-----\n"),
            Err(PemFault::NotBase64(1))
        );
    }

    #[test]
    fn a_file_cut_anywhere_lacks_a_section_or_says_that_it_is_cut() {
        let text = CERTIFICATE.repeat(2);
        for cut in 0..text.len() {
            match labels(&text[..cut]) {
                Ok(found) => assert_eq!(found.len(), (cut + 1) / CERTIFICATE.len(), "{cut}"),
                Err(fault) => assert_eq!(fault, PemFault::Unended, "{cut}"),
            }
        }
    }
}
