//! One line of NDJSON: read straight into a tenant, or, where something is wrong, with the place of each value.
//!
//! The quick way and the slow one accept the same lines; what the quick way refuses, the slow way explains.

use super::check::WrittenTenant;
use crate::fields::{At, Table, Value};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;
use std::ops::Range;

/// A text that is borrowed from the line unless it holds escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    domain: Option<Text<'a>>,
    #[serde(borrow)]
    pool: Option<Text<'a>>,
    #[serde(borrow)]
    endpoint: Option<Text<'a>>,
    #[serde(borrow)]
    addresses: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    tlsa: Option<Vec<Text<'a>>>,
    dane: Option<bool>,
}

/// The quick way; none where anything is wrong.
pub fn quick(line: &str) -> Option<WrittenTenant<'_>> {
    // A list in place of an object would fill the keys by position.
    if !line.trim_start().starts_with('{') {
        return None;
    }
    let line: Line<'_> = serde_json::from_str(line).ok()?;
    Some(WrittenTenant {
        domain: line.domain.map(|text| text.0),
        pool: line.pool.map(|text| text.0),
        endpoint: line.endpoint.map(|text| text.0),
        addresses: texts(line.addresses),
        tlsa: texts(line.tlsa),
        dane: line.dane,
    })
}

fn texts<'a>(list: Option<Vec<Text<'a>>>) -> Vec<Cow<'a, str>> {
    list.unwrap_or_default().into_iter().map(|text| text.0).collect()
}

/// The first fault in the grammar of a line: where it is and what it is.
pub struct Malformed {
    /// Octets of the line.
    pub span: Range<usize>,
    /// What the parser expected.
    pub message: String,
}

/// The slow way: all keys and values of one JSON object, each with its place.
///
/// # Errors
/// Where and why the line is no JSON object.
pub fn table(line: &str) -> Result<Table, Malformed> {
    if let Err(fault) = serde_json::from_str::<IgnoredAny>(line) {
        let text = fault.to_string();
        let message = text.split(" at line ").next().unwrap_or(&text).to_owned();
        let at = fault.column().saturating_sub(1).min(line.len());
        return Err(Malformed { span: at..at + 1, message });
    }
    let mut scan = Scan { text: line, at: 0 };
    scan.object().ok_or_else(|| {
        let start = line.len() - line.trim_start().len();
        Malformed { span: start..line.trim_end().len(), message: "a line takes one object, as in {…}".to_owned() }
    })
}

/// Lines of an object or list that is written over several lines, looked at, at most: some thousand of a broken file are
/// told one by one.
const BLOCK_LINES_MAX: usize = 1_000_000;

/// The lines that an object or list begins with, where it is written over several lines as for people: an opening bracket
/// alone, and later a closing one that stands as far to the right.
pub fn over_lines(text: &str) -> Option<&str> {
    let mut lines = text.split_inclusive('\n');
    let first = lines.next()?;
    let opening = first.trim_end();
    let closing = match opening.trim_start() {
        "{" => '}',
        "[" => ']',
        _ => return None,
    };
    let margin = opening.len() - opening.trim_start().len();
    let mut octets = first.len();
    for line in lines.take(BLOCK_LINES_MAX) {
        octets += line.len();
        let end = line.trim_end().trim_end_matches(',');
        if end.trim_start().starts_with(closing) && end.len() == margin + 1 {
            return text.get(..octets);
        }
    }
    None
}

/// The domain in a line that is not JSON, so that its tenant keeps its last good answer.
pub fn rough_domain(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("\"domain\"")?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    let (domain, _) = rest.split_once('"')?;
    Some(domain)
}

/// Walks JSON that is known to be well formed. It never recurses: what lies deeper than a list of texts is skipped.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn object(&mut self) -> Option<Table> {
        let mut table = Table::default();
        self.take(b'{')?;
        while self.peek()? != b'}' {
            let key = self.string()?;
            self.take(b':')?;
            let value = self.value()?;
            table.0.push((key, value));
            if self.peek()? == b',' {
                self.at += 1;
            }
        }
        Some(table)
    }

    fn value(&mut self) -> Option<At<Value>> {
        if self.peek()? != b'[' {
            return self.scalar();
        }
        let start = self.at;
        self.at += 1;
        let mut list = Vec::new();
        while self.peek()? != b']' {
            list.push(self.scalar()?);
            if self.peek()? == b',' {
                self.at += 1;
            }
        }
        self.at += 1;
        Some(At { value: Value::List(list), span: start..self.at })
    }

    fn scalar(&mut self) -> Option<At<Value>> {
        let first = self.peek()?;
        let start = self.at;
        if first == b'"' {
            let text = self.string()?;
            return Some(At { value: Value::Text(text.value), span: text.span });
        }
        if matches!(first, b'[' | b'{') {
            self.skip_nested()?;
            let kind = if first == b'[' { "a list" } else { "an object" };
            return Some(At { value: Value::Other(kind), span: start..self.at });
        }
        let rest = self.text.get(start..)?;
        self.at = start + rest.find([',', ']', '}', ' ', '\t', '\r', '\n']).unwrap_or(rest.len());
        let value = match self.text.get(start..self.at)? {
            "null" => Value::Null,
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            number => number.parse().map_or(Value::Other("a number"), Value::Integer),
        };
        Some(At { value, span: start..self.at })
    }

    fn string(&mut self) -> Option<At<String>> {
        self.peek()?;
        let start = self.at;
        self.skip_string()?;
        let value = serde_json::from_str(self.text.get(start..self.at)?).ok()?;
        Some(At { value, span: start..self.at })
    }

    fn skip_string(&mut self) -> Option<()> {
        self.take(b'"')?;
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                return Some(());
            }
        }
    }

    fn skip_nested(&mut self) -> Option<()> {
        let mut depth = 0usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.skip_string()?;
                    continue;
                }
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// The next octet that is no white space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }
}
