//! Cuts a master file into logical lines and their fields: parentheses, quotes, comments, escapes (RFC 1035 § 5.1).
//!
//! One pass over the octets; the fields of one logical line at a time. Every octet is looked at, none is skipped
//! without belonging to a field, a blank, a comment or a reported fault.

use crate::dns::rdata::Token;

/// Fields of one logical line, at most: the longest record data (65,535 octets) written one hex digit a field, and
/// some for what stands in front.
pub(super) const FIELDS_MAX: usize = 131_100;
/// How often one file's unclosed parenthesis is reported and reading goes on behind it; each time costs a pass over
/// the rest of the file.
const UNCLOSED_MAX: u32 = 16;

/// What one octet means outside quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    Blank,
    LineEnd,
    Return,
    Comment,
    Open,
    Close,
    Quote,
    Escape,
    Control,
}

const CLASS: [Class; 256] = {
    let mut table = [Class::Word; 256];
    let mut at = 0;
    while at < 32 {
        table[at] = Class::Control;
        at += 1;
    }
    table[0x7f] = Class::Control;
    table[b' ' as usize] = Class::Blank;
    table[b'\t' as usize] = Class::Blank;
    table[b'\n' as usize] = Class::LineEnd;
    table[b'\r' as usize] = Class::Return;
    table[b';' as usize] = Class::Comment;
    table[b'(' as usize] = Class::Open;
    table[b')' as usize] = Class::Close;
    table[b'"' as usize] = Class::Quote;
    table[b'\\' as usize] = Class::Escape;
    table
};

/// What is wrong with the form of a logical line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormFault {
    /// An octet that text does not hold.
    Control(u8),
    /// A quote that its line does not close.
    UnclosedQuote,
    /// A parenthesis that the file does not close.
    UnclosedParenthesis,
    /// A closing parenthesis without an opening one.
    StrayParenthesis,
    /// A quote in the middle of a word, or a word right behind a quote.
    StrayQuote,
    /// See [`FIELDS_MAX`].
    TooManyFields,
}

/// A logical line: its fields are in the caller's list.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogicalLine {
    /// Octets in front of its first line.
    pub start: usize,
    /// Number of its first line.
    pub number: u32,
    /// Whether it begins with a blank, so that it has the owner of the line above.
    pub inherits: bool,
    /// The first fault of its form, with the octets it stands on.
    pub fault: Option<(FormFault, usize, usize)>,
}

/// Reads one file.
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Number of the line that `at` is in.
    line: u32,
    unclosed: u32,
}

/// The state within one logical line.
struct Scan {
    line: LogicalLine,
    depth: u32,
    opened: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Lexer<'a> {
        // A byte order mark is no part of the text (RFC 3629 § 6).
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Lexer { text, at, line: 1, unclosed: 0 }
    }

    /// The next logical line that holds anything; its fields replace those in `fields`.
    pub(super) fn next_line(&mut self, fields: &mut Vec<Token<'a>>) -> Option<LogicalLine> {
        fields.clear();
        let mut scan = self.begin();
        while let Some(&octet) = self.text.as_bytes().get(self.at) {
            match CLASS[usize::from(octet)] {
                Class::Word | Class::Escape => self.word(fields, &mut scan),
                Class::Blank => self.at += 1,
                Class::LineEnd => {
                    self.at += 1;
                    self.line = self.line.saturating_add(1);
                    if scan.depth > 0 {
                        continue;
                    }
                    if !fields.is_empty() || scan.line.fault.is_some() {
                        return Some(scan.line);
                    }
                    scan = self.begin();
                }
                Class::Comment => self.comment(&mut scan),
                Class::Open => {
                    if scan.depth == 0 {
                        scan.opened = self.at;
                    }
                    scan.depth += 1;
                    self.at += 1;
                }
                Class::Close => self.close(&mut scan),
                Class::Quote => self.quoted(fields, &mut scan),
                Class::Return | Class::Control => self.control(octet, &mut scan),
            }
        }
        if scan.depth > 0 {
            self.unclosed(&mut scan);
        }
        (!fields.is_empty() || scan.line.fault.is_some()).then_some(scan.line)
    }

    fn begin(&self) -> Scan {
        let inherits = matches!(self.text.as_bytes().get(self.at), Some(b' ' | b'\t'));
        let line = LogicalLine { start: self.at, number: self.line, inherits, fault: None };
        Scan { line, depth: 0, opened: self.at }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn push(&self, fields: &mut Vec<Token<'a>>, scan: &mut Scan, token: Token<'a>) {
        match fields.len() < FIELDS_MAX {
            true => fields.push(token),
            false => scan.fault(FormFault::TooManyFields, token.at, self.at),
        }
    }

    /// A word; `key="value"` is one word with its quotes (RFC 9460 § 2.1).
    fn word(&mut self, fields: &mut Vec<Token<'a>>, scan: &mut Scan) {
        let start = self.at;
        let mut last = 0;
        while let Some(octet) = self.peek(0) {
            match CLASS[usize::from(octet)] {
                Class::Word => self.at += 1,
                Class::Escape => self.escape(),
                Class::Quote if last == b'=' => {
                    self.inside_quotes(scan);
                    if self.follows_quote() {
                        scan.fault(FormFault::StrayQuote, self.at, self.at + 1);
                    }
                    break;
                }
                Class::Quote => {
                    scan.fault(FormFault::StrayQuote, self.at, self.at + 1);
                    self.inside_quotes(scan);
                }
                _ => break,
            }
            last = octet;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        self.push(fields, scan, Token { text, quoted: false, at: start });
    }

    /// A backslash takes what follows with it, but never an end of line, which `unescape` then misses.
    fn escape(&mut self) {
        let taken = self
            .peek(1)
            .is_some_and(|next| !matches!(CLASS[usize::from(next)], Class::LineEnd | Class::Return | Class::Control));
        self.at += if taken { 2 } else { 1 };
    }

    fn quoted(&mut self, fields: &mut Vec<Token<'a>>, scan: &mut Scan) {
        let start = self.at;
        if !self.inside_quotes(scan) {
            return;
        }
        let text = self.text.get(start + 1..self.at - 1).unwrap_or_default();
        self.push(fields, scan, Token { text, quoted: true, at: start });
        if self.follows_quote() {
            scan.fault(FormFault::StrayQuote, self.at, self.at + 1);
        }
    }

    /// Whether a word begins where a quoted string has just ended.
    fn follows_quote(&self) -> bool {
        self.peek(0).is_some_and(|octet| matches!(CLASS[usize::from(octet)], Class::Word | Class::Escape))
    }

    /// From an opening quote past its closing one; false, at the end of the line, where there is none.
    fn inside_quotes(&mut self, scan: &mut Scan) -> bool {
        let start = self.at;
        self.at += 1;
        while let Some(octet) = self.peek(0) {
            match CLASS[usize::from(octet)] {
                Class::Quote => {
                    self.at += 1;
                    return true;
                }
                Class::Escape => self.escape(),
                Class::LineEnd => break,
                Class::Return if self.at_line_end() => break,
                Class::Return | Class::Control => self.control(octet, scan),
                _ => self.at += 1,
            }
        }
        scan.fault(FormFault::UnclosedQuote, start, self.at);
        false
    }

    fn comment(&mut self, scan: &mut Scan) {
        while let Some(octet) = self.peek(0) {
            match CLASS[usize::from(octet)] {
                Class::LineEnd => return,
                Class::Return | Class::Control => self.control(octet, scan),
                _ => self.at += 1,
            }
        }
    }

    fn close(&mut self, scan: &mut Scan) {
        match scan.depth.checked_sub(1) {
            Some(depth) => scan.depth = depth,
            None => scan.fault(FormFault::StrayParenthesis, self.at, self.at + 1),
        }
        self.at += 1;
    }

    fn at_line_end(&self) -> bool {
        matches!(self.peek(1), None | Some(b'\n'))
    }

    /// A carriage return in front of a line's end is part of that end; all else that lands here is a fault.
    fn control(&mut self, octet: u8, scan: &mut Scan) {
        if octet == b'\r' && self.at_line_end() {
            self.at += 1;
            return;
        }
        scan.fault(FormFault::Control(octet), self.at, self.at + 1);
        self.at += 1;
    }

    /// Reports where the parenthesis was opened. Lines that go on inside parentheses begin with a blank in practice, so
    /// reading resumes at the next line that does not: one slip then costs one record, not the rest of the file.
    fn unclosed(&mut self, scan: &mut Scan) {
        scan.fault(FormFault::UnclosedParenthesis, scan.opened, scan.opened + 1);
        self.unclosed += 1;
        if self.unclosed > UNCLOSED_MAX {
            return;
        }
        let starts_record = |at: usize| {
            let octet = self.text.as_bytes().get(at + 1).copied().unwrap_or(b'\n');
            !matches!(octet, b' ' | b'\t' | b'\r' | b'\n' | b';' | b')')
        };
        let rest = self.text.as_bytes().get(scan.opened..).unwrap_or_default();
        let ends = rest.iter().enumerate().filter(|(_, octet)| **octet == b'\n').map(|(at, _)| scan.opened + at);
        if let Some(end) = ends.into_iter().find(|at| starts_record(*at)) {
            self.at = end + 1;
            let passed = self.text.as_bytes().get(scan.line.start..self.at).unwrap_or_default();
            let lines = passed.iter().filter(|octet| **octet == b'\n').count();
            self.line = scan.line.number.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        }
    }
}

impl Scan {
    /// Keeps the first fault.
    fn fault(&mut self, fault: FormFault, start: usize, end: usize) {
        self.line.fault.get_or_insert((fault, start, end));
    }
}
