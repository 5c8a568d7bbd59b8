//! Names in uncompressed wire form: lower case wherever they are compared, hashed or signed.
//!
//! A name never passes through text on the query path, so dots inside labels mean nothing special. Every suffix that
//! starts at a label is a name too, hence most functions take a plain slice that is known to be a whole name.

use arrayvec::ArrayVec;
use std::fmt;

/// Octets of a name with its final zero, at most (RFC 1035 § 2.3.4).
pub const NAME_OCTETS_MAX: usize = 255;
/// Octets of a label, at most (RFC 1035 § 2.3.4).
pub const LABEL_OCTETS_MAX: usize = 63;
/// The root.
pub const ROOT: &[u8] = &[0];

/// A whole name: uncompressed, at most 255 octets, ends with the root label. It derefs to its octets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(ArrayVec<u8, NAME_OCTETS_MAX>);

/// Why octets or text are not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// More than 63 octets in a label.
    #[error("a label is longer than 63 octets")]
    LabelTooLong,
    /// More than 255 octets in all.
    #[error("the name is longer than 255 octets")]
    NameTooLong,
    /// `..`, or a dot at the start.
    #[error("a label is empty")]
    EmptyLabel,
    /// `\` without one character or three digits up to 255 behind it.
    #[error("a backslash is followed by neither a character nor three digits up to 255")]
    BadEscape,
    /// The octets end inside the name, or hold a compression pointer.
    #[error("the octets are not a whole uncompressed name")]
    NotWire,
}

impl Name {
    /// The root.
    pub fn root() -> Name {
        Name(ROOT.iter().copied().collect())
    }

    /// Takes a slice that is exactly one uncompressed name; letters keep their case.
    ///
    /// # Errors
    /// [`NameFault`] where it is not.
    pub fn from_wire(octets: &[u8]) -> Result<Name, NameFault> {
        if octets.len() > NAME_OCTETS_MAX {
            return Err(NameFault::NameTooLong);
        }
        let mut at = 0;
        loop {
            match octets.get(at) {
                Some(0) if at + 1 == octets.len() => return Ok(Name(octets.iter().copied().collect())),
                Some(length) if (1..=LABEL_OCTETS_MAX).contains(&usize::from(*length)) => {
                    at += 1 + usize::from(*length)
                }
                _ => return Err(NameFault::NotWire),
            }
        }
    }

    /// Reads presentation form (RFC 1035 § 5.1, RFC 4343 § 2.1), lower-cases it, and appends `origin` where the text
    /// has no final dot. `@` is the origin.
    ///
    /// # Errors
    /// [`NameFault`] says what is wrong.
    pub fn parse(text: &str, origin: &[u8]) -> Result<Name, NameFault> {
        if text == "@" {
            return Name::from_wire(origin);
        }
        if text == "." {
            return Ok(Name::root());
        }
        let mut wire: Vec<u8> = Vec::with_capacity(text.len() + 1 + origin.len());
        let mut label: Vec<u8> = Vec::new();
        let mut bytes = text.bytes();
        let mut absolute = text.is_empty();
        while let Some(b) = bytes.next() {
            absolute = false;
            match b {
                b'.' => {
                    push_label(&mut wire, &mut label)?;
                    absolute = true;
                }
                b'\\' => label.push(unescape(&mut bytes)?.to_ascii_lowercase()),
                _ => label.push(b.to_ascii_lowercase()),
            }
        }
        if absolute {
            wire.push(0);
        } else {
            push_label(&mut wire, &mut label)?;
            wire.extend_from_slice(origin);
        }
        if wire.len() > NAME_OCTETS_MAX {
            return Err(NameFault::NameTooLong);
        }
        Name::from_wire(&wire)
    }

    /// `label` in front of `parent`.
    ///
    /// # Errors
    /// [`NameFault`] where it does not fit.
    pub fn below(label: &[u8], parent: &[u8]) -> Result<Name, NameFault> {
        if label.is_empty() {
            return Err(NameFault::EmptyLabel);
        }
        if label.len() > LABEL_OCTETS_MAX {
            return Err(NameFault::LabelTooLong);
        }
        let mut name = Name(ArrayVec::new());
        let length = u8::try_from(label.len()).map_err(|_| NameFault::LabelTooLong)?;
        let full = NameFault::NameTooLong;
        name.0.try_push(length).map_err(|_| full)?;
        name.0.try_extend_from_slice(label).map_err(|_| full)?;
        name.0.try_extend_from_slice(parent).map_err(|_| full)?;
        Ok(name)
    }

    /// The same name in lower case.
    pub fn to_lower(&self) -> Name {
        let mut lower = self.clone();
        lower.0.make_ascii_lowercase();
        lower
    }

    /// An empty buffer that a parser fills; not yet a name.
    pub(crate) fn from_buffer(buffer: ArrayVec<u8, NAME_OCTETS_MAX>) -> Name {
        Name(buffer)
    }
}

fn push_label(wire: &mut Vec<u8>, label: &mut Vec<u8>) -> Result<(), NameFault> {
    match label.len() {
        0 => return Err(NameFault::EmptyLabel),
        length @ 1..=LABEL_OCTETS_MAX => wire.push(u8::try_from(length).map_err(|_| NameFault::LabelTooLong)?),
        _ => return Err(NameFault::LabelTooLong),
    }
    wire.append(label);
    Ok(())
}

fn unescape(bytes: &mut std::str::Bytes<'_>) -> Result<u8, NameFault> {
    let first = bytes.next().ok_or(NameFault::BadEscape)?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut value = u32::from(first - b'0');
    for _ in 0..2 {
        let digit = bytes.next().filter(u8::is_ascii_digit).ok_or(NameFault::BadEscape)?;
        value = value * 10 + u32::from(digit - b'0');
    }
    u8::try_from(value).map_err(|_| NameFault::BadEscape)
}

impl std::ops::Deref for Name {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl std::borrow::Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print(self))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print(self))
    }
}

/// Presentation form with a final dot, escaped as RFC 4343 § 2.1 asks.
pub fn print(name: &[u8]) -> String {
    if name == ROOT {
        return ".".to_owned();
    }
    let mut text = String::with_capacity(name.len() + 1);
    for label in labels(name) {
        for &b in label {
            match b {
                b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => {
                    text.push('\\');
                    text.push(char::from(b));
                }
                0x21..=0x7e => text.push(char::from(b)),
                _ => text.push_str(&format!("\\{b:03}")),
            }
        }
        text.push('.');
    }
    text
}

/// The labels of a whole name from left to right, without the root.
pub fn labels(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = name;
    std::iter::from_fn(move || {
        let (&length, tail) = rest.split_first()?;
        if length == 0 {
            return None;
        }
        let (label, tail) = tail.split_at_checked(usize::from(length))?;
        rest = tail;
        Some(label)
    })
}

/// Number of labels without the root.
pub fn label_count(name: &[u8]) -> usize {
    labels(name).count()
}

/// The name without its first label; none for the root.
pub fn parent(name: &[u8]) -> Option<&[u8]> {
    match name.first() {
        None | Some(0) => None,
        Some(length) => name.get(1 + usize::from(*length)..),
    }
}

/// The name and all its suffixes down to the root.
pub fn ancestors(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(Some(name), |name| parent(name))
}

/// The suffix with `count` labels, where the name has that many.
pub fn suffix(name: &[u8], count: usize) -> Option<&[u8]> {
    let skip = label_count(name).checked_sub(count)?;
    ancestors(name).nth(skip)
}

/// Whether `name` equals `ancestor` or lies below it; both in lower case.
pub fn is_within(name: &[u8], ancestor: &[u8]) -> bool {
    let Some(skip) = name.len().checked_sub(ancestor.len()) else { return false };
    name.get(skip..) == Some(ancestor) && ancestors(name).any(|suffix| suffix.len() == ancestor.len())
}

/// Whether the first label is `*` (RFC 4592 § 2.1.1).
pub fn is_wildcard(name: &[u8]) -> bool {
    name.starts_with(b"\x01*")
}

/// Canonical order (RFC 4034 § 6.1); both in lower case.
pub fn canonical_order(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    let reversed = |name| {
        let mut all: ArrayVec<&[u8], 128> = labels(name).take(128).collect();
        all.reverse();
        all
    };
    reversed(a).iter().cmp(reversed(b).iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text, ROOT).expect("a name of the test")
    }

    #[test]
    fn text_and_wire_agree() {
        for (text, wire) in [
            ("contoso-com.a-v1.mx.example.", &b"\x0bcontoso-com\x04a-v1\x02mx\x07example\x00"[..]),
            (".", b"\x00"),
            ("a\\.b.c.", b"\x03a.b\x01c\x00"),
            ("\\000\\255.", b"\x02\x00\xff\x00"),
        ] {
            assert_eq!(&*name(text), wire);
            assert_eq!(print(wire), text);
        }
        assert_eq!(Name::parse("www", &name("mx.example.")).map(|n| n.to_string()), Ok("www.mx.example.".to_owned()));
        assert_eq!(Name::parse("@", &name("mx.example.")).map(|n| n.to_string()), Ok("mx.example.".to_owned()));
    }

    #[test]
    fn bad_names_are_refused_with_their_reason() {
        let long = "a".repeat(64);
        for (text, fault) in [
            ("a..b", NameFault::EmptyLabel),
            (".a", NameFault::EmptyLabel),
            (long.as_str(), NameFault::LabelTooLong),
            ("\\25", NameFault::BadEscape),
            ("\\256.", NameFault::BadEscape),
            ("a\\", NameFault::BadEscape),
        ] {
            assert_eq!(Name::parse(text, ROOT), Err(fault), "{text}");
        }
        let label = format!("{}.", "a".repeat(63));
        assert_eq!(Name::parse(&label.repeat(4), ROOT), Err(NameFault::NameTooLong));
    }

    #[test]
    fn suffixes_and_containment() {
        let n = name("_25._tcp.contoso-com.a-v1.mx.example.");
        assert_eq!(suffix(&n, 2).map(print), Some("mx.example.".to_owned()));
        assert!(is_within(&n, &name("a-v1.mx.example.")));
        assert!(is_within(&n, ROOT));
        assert!(!is_within(&name("xmx.example."), &name("mx.example.")));
        assert_eq!(label_count(&n), 6);
    }

    #[test]
    fn canonical_order_is_that_of_rfc_4034() {
        let sorted = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "z.a.example.",
            "zabc.a.example.",
            "z.example.",
            "\\001.z.example.",
            "*.z.example.",
            "\\200.z.example.",
        ];
        for pair in sorted.windows(2) {
            assert_eq!(canonical_order(&name(pair[0]), &name(pair[1])), std::cmp::Ordering::Less, "{pair:?}");
        }
    }
}
