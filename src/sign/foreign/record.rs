//! The public file: one DNSKEY or CDNSKEY record in master-file form (RFC 1035 § 5.1), as `.key` files hold it.
//!
//! Faults are told by line only, for a private key may stand in this file by mistake.

use super::ForeignFault;
use super::private_key::name;
use crate::dns::name::{Name, ROOT};
use crate::dns::rdata::{Seconds32, Token, from_text, read_seconds};
use crate::dns::rtype::{self, number};
use crate::sign::key::{KeyFault, PublicKey};

/// The only protocol there is (RFC 4034 § 2.1.2).
const PROTOCOL: u8 = 3;

/// A record in pieces.
struct Entry<'f> {
    /// Where it begins, from 1.
    line: usize,
    /// It begins with a blank: its owner is that of the record before.
    no_owner: bool,
    words: Vec<&'f str>,
}

/// Whether there is such a record in a file.
pub(super) fn is_here(text: &[u8]) -> bool {
    text.split(u8::is_ascii_whitespace).any(|word| matches!(word, b"DNSKEY" | b"CDNSKEY"))
}

/// The owner, and the key.
pub(super) fn read(file: &[u8]) -> Result<(Name, PublicKey), ForeignFault> {
    let entries = Cutter { file, at: 0, line: 1 }.entries()?;
    let [entry] = entries.as_slice() else { return Err(ForeignFault::Records(entries.len())) };
    let fault = |what| ForeignFault::Record { line: entry.line, what };
    let Some((owner, rest)) = entry.words.split_first().filter(|_| !entry.no_owner) else {
        return Err(fault("has no owner"));
    };
    // As BIND reads it: the name is meant from the root.
    let owner = Name::parse(owner, ROOT).map_err(|_| fault("begins with what is not a name"))?;
    let fields = after_type(rest).ok_or_else(|| fault("is no DNSKEY or CDNSKEY record of class IN"))?;
    let tokens: Vec<Token<'_>> = fields.iter().map(|word| Token::word(word)).collect();
    let data =
        from_text(number::DNSKEY, &tokens, ROOT).map_err(|_| fault("has other fields than those of a DNSKEY"))?;
    let Some((&[high, low, PROTOCOL, algorithm], public)) = data.split_first_chunk::<4>() else {
        return Err(fault("has another protocol than 3"));
    };
    match PublicKey::new(u16::from_be_bytes([high, low]), algorithm, public) {
        Ok(key) => Ok((owner, key)),
        Err(KeyFault::Algorithm(other)) => Err(ForeignFault::Algorithm(name(other))),
        Err(other) => Err(ForeignFault::NotZoneKey(other)),
    }
}

/// The fields behind the type; TTL and class may stand before it in any order, or not at all.
fn after_type<'w>(words: &'w [&'w str]) -> Option<&'w [&'w str]> {
    let (mut rest, mut ttl, mut class) = (words, false, false);
    loop {
        let (word, behind) = rest.split_first()?;
        let is_class = word.eq_ignore_ascii_case("IN") || word.eq_ignore_ascii_case("CLASS1");
        if is_class && !class {
            class = true;
        } else if !ttl && matches!(read_seconds(word), Seconds32::Good(_)) {
            ttl = true;
        } else {
            return matches!(rtype::parse(word), Some(number::DNSKEY | number::CDNSKEY)).then_some(behind);
        }
        rest = behind;
    }
}

/// Cuts a file into records and words.
struct Cutter<'f> {
    file: &'f [u8],
    at: usize,
    line: usize,
}

impl<'f> Cutter<'f> {
    fn entries(mut self) -> Result<Vec<Entry<'f>>, ForeignFault> {
        let mut entries = Vec::new();
        let (mut depth, mut opened) = (0usize, 0);
        let mut entry = Entry { line: self.line, no_owner: false, words: Vec::new() };
        while let Some(octet) = self.file.get(self.at).copied() {
            match octet {
                b'\n' => {
                    self.line += 1;
                    if depth == 0 {
                        let next = Entry { line: self.line, no_owner: false, words: Vec::new() };
                        entries.push(std::mem::replace(&mut entry, next));
                    }
                }
                b' ' | b'\t' | b'\r' => entry.no_owner |= depth == 0 && entry.words.is_empty(),
                b';' => {
                    let comment = self.file[self.at..].iter().take_while(|octet| **octet != b'\n').count();
                    self.at += comment;
                    continue;
                }
                b'(' => (depth, opened) = (depth + 1, self.line),
                b')' => depth = depth.checked_sub(1).ok_or_else(|| self.fault(self.line, "closes what is not open"))?,
                _ => {
                    entry.words.push(self.word()?);
                    continue;
                }
            }
            self.at += 1;
        }
        if depth > 0 {
            return Err(self.fault(opened, "opens a parenthesis that nothing closes"));
        }
        entries.push(entry);
        entries.retain(|entry| !entry.words.is_empty());
        Ok(entries)
    }

    /// A word up to a blank or sign; a backslash takes the next octet with it.
    fn word(&mut self) -> Result<&'f str, ForeignFault> {
        let start = self.at;
        while let Some(octet) = self.file.get(self.at) {
            match octet {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' => break,
                b'\\' => self.at += 2,
                b'!'..=b'~' => self.at += 1,
                _ => return Err(self.fault(self.line, "holds octets that are not text")),
            }
        }
        let word = self.file.get(start..self.at).filter(|word| word.iter().all(|octet| matches!(octet, b' '..=b'~')));
        let text = word.and_then(|word| std::str::from_utf8(word).ok());
        text.ok_or_else(|| self.fault(self.line, "holds octets that are not text"))
    }

    fn fault(&self, line: usize, what: &'static str) -> ForeignFault {
        ForeignFault::Record { line, what }
    }
}
