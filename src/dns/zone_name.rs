//! Zones' names as people write them, and as names of files and folders: `mx.example`, `bücher.example`, `\042.mx.example`.
//!
//! Any domain name may be a zone's. Text outside ASCII is never taken for octets of a name: it is a U-label, as in tenants'
//! domains.

use super::name::{self, Name, ROOT};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

/// The zone of this name: a word of a master file, or a name in U-labels.
///
/// # Errors
/// Why it is no zone's name, and where possible how that is written.
pub fn parse(stem: &str) -> Result<Name, String> {
    if !stem.is_ascii() {
        let domain = to_a_labels(stem)?;
        return Name::parse(&domain, ROOT).map_err(|fault| fault.to_string());
    }
    if matches!(stem, "" | "." | "@") {
        return Err("the root is not served here".to_owned());
    }
    let name = Name::parse(stem, ROOT).map_err(|fault| fault.to_string())?;
    match unescaped(stem) {
        None => Ok(name),
        Some(_) => Err(format!(
            "octets that have a meaning in master files, and those that nobody sees, are escaped: write `{}`",
            print(&name)
        )),
    }
}

/// A zone's name as that of a file or a folder, without a final dot: all octets but letters, digits, `-` and `_` as `\DDD`.
pub fn print(apex: &[u8]) -> String {
    let mut text = String::with_capacity(apex.len());
    for label in name::labels(apex) {
        if !text.is_empty() {
            text.push('.');
        }
        for octet in label {
            match octet.to_ascii_lowercase() {
                plain @ (b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_') => text.push(char::from(plain)),
                other => text.push_str(&format!("\\{other:03}")),
            }
        }
    }
    text
}

/// A name in A-labels (UTS 46).
///
/// # Errors
/// That it has no such form.
pub fn to_a_labels(text: &str) -> Result<String, String> {
    // Dashes in the third and fourth place are left alone: such domains exist, whatever IDNA thinks of them.
    match Uts46::new().to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify) {
        Ok(ascii) => Ok(ascii.into_owned()),
        Err(_) => Err("it has no form in A-labels (UTS 46): look for a character that no domain may have, \
                       an empty label, or one longer than 63 octets"
            .to_owned()),
    }
}

/// The first octet that a word of a master file cannot hold unless it is escaped (RFC 1035 § 5.1).
fn unescaped(text: &str) -> Option<u8> {
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        match octet {
            b'\\' => drop(octets.next()),
            b'"' | b'(' | b')' | b';' | 0..=b' ' | 0x7f => return Some(octet),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_domain_name_is_written_as_a_file_s_and_read_back() {
        for (wire, text) in [
            (&b"\x04a-v1\x02mx\x07example\x00"[..], "a-v1.mx.example"),
            (b"\x01*\x01x\x04test\x00", "\\042.x.test"),
            (b"\x01a\x01*\x01b\x00", "a.\\042.b"),
            (b"\x06_dmarc\x00", "_dmarc"),
            (b"\x03a.b\x00", "a\\046b"),
            (b"\x03a b\x00", "a\\032b"),
            (b"\x02\n/\x00", "\\010\\047"),
            (b"\x02\xc3\xbc\x00", "\\195\\188"),
            (b"\x01@\x00", "\\064"),
            (b"\x01.\x00", "\\046"),
        ] {
            assert_eq!(print(wire), text);
            assert_eq!(parse(text).as_deref(), Ok(wire), "{text}");
        }
        // Every octet alone, and no two alike.
        let all: std::collections::BTreeSet<String> = (0..=255u8).map(|octet| print(&[1, octet, 0])).collect();
        assert_eq!(all.len(), 256 - 26);
        assert!(all.iter().all(|text| parse(text).is_ok_and(|name| print(&name) == *text)));
    }

    #[test]
    fn names_outside_ascii_are_u_labels_and_ascii_is_read_as_in_a_master_file() {
        for (text, name) in [
            ("b\u{fc}cher.test", "xn--bcher-kva.test."),
            ("bu\u{308}cher.TEST", "xn--bcher-kva.test."),
            ("\u{43f}\u{43e}\u{447}\u{442}\u{430}.\u{440}\u{444}", "xn--80a1acny.xn--p1ai."),
            ("XN--Bcher-KVA.test", "xn--bcher-kva.test."),
            ("*.x.test", "*.x.test."),
            ("esc\\065.test", "esca.test."),
            ("a\\ b.test", "a\\032b.test."),
            ("mx.example.", "mx.example."),
        ] {
            assert_eq!(parse(text).map(|name| name.to_string()).as_deref(), Ok(name), "{text}");
        }
        for (text, cause) in [
            ("", "the root is not served here"),
            (".", "the root is not served here"),
            ("@", "the root is not served here"),
            ("a b.test", "write `a\\032b.test`"),
            ("a\nb.test", "write `a\\010b.test`"),
            ("a;b.test", "write `a\\059b.test`"),
            ("b\u{fc}ch er.test", "A-labels"),
            ("b\u{fc}cher..test", "A-labels"),
            ("a..test", "a label is empty"),
            ("a\\.test\\", "a backslash"),
        ] {
            let fault = parse(text).expect_err(text);
            assert!(fault.contains(cause), "{text:?}: {fault}");
        }
    }
}
