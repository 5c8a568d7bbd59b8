//! What can be wrong in a master file: codes, texts, and the place of each.

use super::lexer::{FormFault, LogicalLine};
use crate::diagnostic::{Diagnostic, Place};
use crate::dns::rdata::{RdataFault, Token};

/// Diagnostics of one master file, at most: a person reads the first few, and a hostile file must not fill memory.
pub const DIAGNOSTICS_MAX: usize = 1000;
/// Octets of a line that a diagnostic still quotes, at most: beyond that no caret helps.
const QUOTED_OCTETS_MAX: usize = 4096;

/// Codes of the diagnostics; stable.
pub(super) mod code {
    pub const CONTROL: &str = "MX2001";
    pub const QUOTE: &str = "MX2002";
    pub const PARENTHESIS: &str = "MX2003";
    pub const STRAY: &str = "MX2004";
    pub const FIELDS: &str = "MX2005";
    pub const UNENDED: &str = "MX2006";
    pub const DIRECTIVE: &str = "MX2010";
    pub const ARGUMENT: &str = "MX2011";
    pub const INCLUDE: &str = "MX2012";
    pub const INCLUDE_LIMIT: &str = "MX2013";
    pub const GENERATE: &str = "MX2014";
    pub const ROOM: &str = "MX2015";
    pub const OWNER: &str = "MX2020";
    pub const NO_OWNER: &str = "MX2021";
    pub const OUTSIDE: &str = "MX2022";
    pub const NO_TYPE: &str = "MX2023";
    pub const TYPE: &str = "MX2024";
    pub const META: &str = "MX2025";
    pub const CLASS: &str = "MX2026";
    pub const TTL: &str = "MX2027";
    pub const NO_TTL: &str = "MX2028";
    pub const DATA: &str = "MX2030";
    pub const MORE: &str = "MX2099";
}

/// One fault and the octets of its text that it stands on.
#[derive(Debug)]
pub(super) struct Fault {
    pub code: &'static str,
    pub start: usize,
    pub end: usize,
    pub message: String,
    pub help: String,
}

impl Fault {
    pub(super) fn new(
        code: &'static str,
        span: (usize, usize),
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Fault {
        Fault { code, start: span.0, end: span.1, message: message.into(), help: help.into() }
    }

    /// The fault of a line's form.
    pub(super) fn form(fault: FormFault, start: usize, end: usize) -> Fault {
        let (code, message, help) = match fault {
            FormFault::Control(octet) => (
                code::CONTROL,
                format!("the control character {octet:#04x} stands in the file"),
                "remove it; in a string write it as `\\` and three decimal digits",
            ),
            FormFault::UnclosedQuote => {
                (code::QUOTE, "the quote is not closed on its line".to_owned(), "close it before the end of the line")
            }
            FormFault::UnclosedParenthesis => {
                (code::PARENTHESIS, "the parenthesis opened here is never closed".to_owned(), "add `)`")
            }
            FormFault::StrayParenthesis => {
                (code::STRAY, "a closing parenthesis without an opening one".to_owned(), "remove it")
            }
            FormFault::StrayQuote => (
                code::STRAY,
                "a quoted string and a word touch".to_owned(),
                "put a blank between them, or quote the whole string",
            ),
            FormFault::TooManyFields => (
                code::FIELDS,
                format!("more than {} fields in one record", super::lexer::FIELDS_MAX),
                "no record holds that much; look for a missing `)`",
            ),
        };
        Fault::new(code, (start, end), message, help)
    }

    /// The fault of record data; `fields` are those of the line, the data's begin at `first`.
    pub(super) fn data(fault: RdataFault, fields: &[Token<'_>], first: usize) -> Fault {
        let culprit = fault.token.and_then(|token| fields.get(first + token));
        let whole = || fields.get(first.saturating_sub(1)).map_or((0, 0), span);
        Fault::new(code::DATA, culprit.map_or_else(whole, span), fault.message, fault.help)
    }

    /// As a diagnostic of `file`, whose text this is.
    pub(super) fn diagnostic(self, file: &str, text: &str, line: &LogicalLine) -> Diagnostic {
        let place = place(file, text, line, self.start, self.end);
        Diagnostic::error(self.code, place, self.message, self.help)
    }
}

/// The octets that a field stands on, its quotes included.
pub(super) fn span(token: &Token<'_>) -> (usize, usize) {
    let quotes = if token.quoted { 2 } else { 0 };
    (token.at, token.at + token.text.len() + quotes)
}

/// Counts only from the start of the logical line, so that many errors in a large file stay cheap.
fn place(file: &str, text: &str, line: &LogicalLine, start: usize, end: usize) -> Place {
    let octets = text.as_bytes();
    let before = octets.get(line.start..start).unwrap_or_default();
    let line_start = before.iter().rposition(|octet| *octet == b'\n').map_or(line.start, |at| line.start + at + 1);
    let rest = octets.get(start..).unwrap_or_default();
    let line_end = rest.iter().position(|octet| *octet == b'\n').map_or(octets.len(), |at| start + at);
    let newlines = before.iter().filter(|octet| **octet == b'\n').count();
    let quoted = octets.get(line_start..line_end).filter(|line| line.len() <= QUOTED_OCTETS_MAX).unwrap_or_default();
    Place {
        file: file.to_owned(),
        line: line.number.saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX)),
        column: characters(octets.get(line_start..start)).saturating_add(1),
        width: characters(octets.get(start..end.min(line_end))).max(1),
        text: String::from_utf8_lossy(quoted).trim_end_matches('\r').to_owned(),
    }
}

fn characters(octets: Option<&[u8]>) -> u32 {
    // In UTF-8 every character has exactly one octet that is no continuation (RFC 3629 § 3).
    let count = octets.unwrap_or_default().iter().filter(|octet| **octet & 0xc0 != 0x80).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}
