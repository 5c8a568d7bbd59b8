//! Tables as operators write them (TOML, or a line of JSON), read key by key, each value with its place.
//!
//! Every fault is collected and none ends the reading, so that one look at a file shows all that is wrong with it.

use crate::diagnostic::{Diagnostic, Place, Severity};
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// Findings kept for one file or line: more than a person mends at a time, and a bound on what a hostile file costs.
pub const FINDINGS_MAX: usize = 100;
/// Octets of a line that a diagnostic quotes, at most: a longer one fits no terminal and would be kept once a finding.
pub const QUOTED_LINE_MAX: usize = 500;
/// Characters of an operator's text that a message repeats, at most: longer than any domain label, shorter than a line.
const SHOWN_MAX: usize = 80;
/// A value with the octets that it takes up in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Octets from the start of the text.
    pub span: Range<usize>,
}

/// One value as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Boolean(bool),
    /// A list.
    List(Vec<At<Value>>),
    /// A table.
    Table(Table),
    /// JSON's `null`: the same as a key that is absent.
    Null,
    /// Anything that no key of ours takes; named for the message.
    Other(&'static str),
}

/// Keys and values in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table(pub Vec<(At<String>, At<Value>)>);

/// The codes under which one kind of file reports what all kinds have in common.
#[derive(Debug)]
pub struct Codes {
    /// The text is not TOML or JSON.
    pub syntax: &'static str,
    /// No such key.
    pub unknown_key: &'static str,
    /// A value of another type than its key takes.
    pub wrong_type: &'static str,
}

/// A key or table that a text has twice.
struct Twice {
    is_table: bool,
    message: String,
    help: &'static str,
}

/// A text and what was found wrong with it.
pub struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    first_line: u32,
    codes: &'static Codes,
    /// What refuses the text, in the order of reading.
    pub errors: Vec<Diagnostic>,
    /// What is used all the same.
    pub warnings: Vec<Diagnostic>,
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "text",
            Value::Integer(_) => "a number",
            Value::Boolean(_) => "true or false",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Null => "null",
            Value::Other(kind) => kind,
        }
    }
}

impl Table {
    /// The key and value called `key`.
    pub fn get(&self, key: &str) -> Option<&(At<String>, At<Value>)> {
        self.0.iter().find(|(at, _)| at.value == key)
    }

    /// The texts at `key`, which may be one or a list of them; anything else is passed over.
    pub fn texts_at(&self, key: &str) -> Vec<(&str, Range<usize>)> {
        let items = match self.get(key) {
            Some((_, At { value: Value::List(list), .. })) => list.as_slice(),
            Some((_, value)) => std::slice::from_ref(value),
            None => &[],
        };
        let texts = items.iter().filter_map(|item| match &item.value {
            Value::Text(text) => Some((text.as_str(), item.span.clone())),
            _ => None,
        });
        texts.collect()
    }

    /// The octets of text `index` in the list `key`, of its whole value, or of nothing.
    pub fn locate(&self, key: &str, index: Option<usize>) -> Option<Range<usize>> {
        let (_, value) = self.get(key)?;
        match (&value.value, index) {
            (Value::List(list), Some(index)) => {
                let mut texts = list.iter().filter(|item| matches!(item.value, Value::Text(_)));
                texts.nth(index).map(|item| item.span.clone())
            }
            _ => Some(value.span.clone()),
        }
    }
}

impl<'a> Reader<'a> {
    /// A reader of `text`, whose first line is line `first_line` of `file`.
    pub fn new(file: &'a str, text: &'a str, first_line: u32, codes: &'static Codes) -> Reader<'a> {
        Reader { file, text, first_line, codes, errors: Vec::new(), warnings: Vec::new() }
    }

    /// The place of `span`. Lines too long to quote are left out.
    pub fn place(&self, span: Range<usize>) -> Place {
        let mut place = Place::span(self.file, self.text, span.start, span.end);
        place.line = place.line.saturating_add(self.first_line.saturating_sub(1));
        if place.text.len() > QUOTED_LINE_MAX {
            place.text.clear();
        }
        place
    }

    /// Notes a finding.
    pub fn note(&mut self, finding: Diagnostic) {
        let list = match finding.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if list.len() < FINDINGS_MAX {
            list.push(finding);
        }
    }

    /// Notes an error at `span`.
    pub fn error(&mut self, code: &'static str, span: Range<usize>, message: impl Into<String>, help: &str) {
        self.note(Diagnostic::error(code, self.place(span), message, help));
    }

    /// Notes a warning at `span`.
    pub fn warning(&mut self, code: &'static str, span: Range<usize>, message: impl Into<String>, help: &str) {
        self.note(Diagnostic::warning(code, self.place(span), message, help));
    }

    /// Reads the text as TOML: the table, or what could be made out of it where errors were noted.
    pub fn toml(&mut self) -> Table {
        let (table, faults) = DeTable::parse_recoverable(self.text);
        let mut is_table_twice = false;
        for fault in faults {
            let span = fault.span().unwrap_or(0..0);
            if let Some(twice) = self.twice(fault.message(), span.clone()) {
                // What a second table repeats follows from its being there.
                if !is_table_twice {
                    self.error(self.codes.syntax, span, twice.message, twice.help);
                }
                is_table_twice |= twice.is_table;
                continue;
            }
            let message = format!("not TOML: {}", one_line(fault.message()));
            self.error(self.codes.syntax, span, message, "");
        }
        table_of(table.get_ref())
    }

    /// What to say of a key or table that the text has twice: the parser does not tell where it is first.
    fn twice(&self, fault: &str, span: Range<usize>) -> Option<Twice> {
        if !fault.contains("duplicate key") {
            return None;
        }
        let name = self.text.get(span.clone())?;
        let line_of = |at: usize| self.place(at..at).line;
        let before = self.text.get(..span.start)?;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let own = statement(self.text.get(start..)?.lines().next()?);
        let is_table = own.starts_with('[');
        let is_same = |other: &str| if is_table { statement(other) == own } else { key_of(other) == key_of(own) };
        let mut at = 0;
        let first = before.get(..start)?.split_inclusive('\n').find_map(|other| {
            let here = at;
            at += other.len();
            is_same(other).then(|| line_of(here))
        });
        let what = if is_table { "table" } else { "key" };
        let where_first = first.map(|line| format!("; it is in line {line} first")).unwrap_or_default();
        let help = if is_table { "put all keys below one of the two" } else { "keep one of them" };
        Some(Twice { is_table, message: format!("{what} `{}` is here twice{where_first}", shown(name)), help })
    }

    /// Notes each key of `table` that is not in `known`, and each that is there twice; `what` names the table.
    pub fn refuse_unknown(&mut self, table: &Table, what: &str, known: &[&str]) {
        for (at, (key, _)) in table.0.iter().enumerate() {
            let name = &key.value;
            if !known.contains(&name.as_str()) {
                let message = format!("{what} has no key `{}`", shown(name));
                self.error(self.codes.unknown_key, key.span.clone(), message, &nearest_help(name, known));
            } else if table.0.iter().take(at).any(|(earlier, _)| earlier.value == *name) {
                let message = format!("key `{name}` is here twice");
                self.error(self.codes.syntax, key.span.clone(), message, "keep one of them");
            }
            if self.errors.len() >= FINDINGS_MAX {
                return;
            }
        }
    }

    /// The text at `key`.
    pub fn text<'t>(&mut self, table: &'t Table, key: &str) -> Option<At<&'t str>> {
        let (_, at) = table.get(key)?;
        match &at.value {
            Value::Text(text) => Some(At { value: text, span: at.span.clone() }),
            other => self.wrong_type(key, "text in quotes", other, &at.span),
        }
    }

    /// The whole number at `key`.
    pub fn integer(&mut self, table: &Table, key: &str) -> Option<At<i64>> {
        let (_, at) = table.get(key)?;
        match &at.value {
            Value::Integer(number) => Some(At { value: *number, span: at.span.clone() }),
            other => self.wrong_type(key, "a whole number without quotes", other, &at.span),
        }
    }

    /// The truth value at `key`.
    pub fn boolean(&mut self, table: &Table, key: &str) -> Option<At<bool>> {
        let (_, at) = table.get(key)?;
        match &at.value {
            Value::Boolean(truth) => Some(At { value: *truth, span: at.span.clone() }),
            other => self.wrong_type(key, "true or false without quotes", other, &at.span),
        }
    }

    /// The list of texts at `key`; elements of another type are noted and left out.
    pub fn texts<'t>(&mut self, table: &'t Table, key: &str) -> Option<At<Vec<At<&'t str>>>> {
        let (_, at) = table.get(key)?;
        let Value::List(list) = &at.value else {
            return self.wrong_type(key, "a list, as in [\"…\"]", &at.value, &at.span);
        };
        let mut texts = Vec::with_capacity(list.len().min(FINDINGS_MAX));
        for item in list {
            match &item.value {
                Value::Text(text) => texts.push(At { value: text.as_str(), span: item.span.clone() }),
                Value::Null => {
                    let message = format!("`{key}` takes texts in quotes, not null");
                    self.error(self.codes.wrong_type, item.span.clone(), message, "");
                }
                other => {
                    self.wrong_type::<()>(key, "texts in quotes", other, &item.span);
                }
            }
        }
        Some(At { value: texts, span: at.span.clone() })
    }

    /// The table at `key`, with the span of the key itself: a table's own span may reach over the whole file.
    pub fn table<'t>(&mut self, table: &'t Table, key: &str) -> Option<At<&'t Table>> {
        let (name, at) = table.get(key)?;
        match &at.value {
            Value::Table(inner) => Some(At { value: inner, span: name.span.clone() }),
            other => self.wrong_type(key, "a table", other, &at.span),
        }
    }

    fn wrong_type<T>(&mut self, key: &str, wanted: &str, found: &Value, span: &Range<usize>) -> Option<T> {
        if *found != Value::Null {
            let message = format!("`{}` takes {wanted}, not {}", shown(key), found.kind());
            self.error(self.codes.wrong_type, span.clone(), message, "");
        }
        None
    }
}

/// The one of `known` that `name` may have been meant for: a slip or two away, one for each three characters at most, or
/// the one a part of the other. What is further away shares some letters by chance.
pub fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let cut: String = name.chars().take(SHOWN_MAX).collect();
    let slips_max = (cut.chars().count() / 3).max(1);
    let slips = |key: &str| strsim::damerau_levenshtein(&cut.to_lowercase(), &key.to_lowercase());
    let near = known.iter().copied().map(|key| (slips(key), key)).min_by_key(|(slips, _)| *slips);
    let near = near.filter(|(slips, _)| *slips <= slips_max).map(|(_, key)| key);
    let is_part = |key: &&str| cut.len().min(key.len()) > 3 && (key.starts_with(&cut) || cut.starts_with(*key));
    near.or_else(|| known.iter().copied().find(is_part))
}

/// `did you mean`, with the one of `known` that `name` may have been meant for; where none is near, all that there are.
pub fn nearest_help(name: &str, known: &[&str]) -> String {
    if let Some(near) = nearest(name, known) {
        return format!("did you mean `{near}`?");
    }
    let all: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
    if all.is_empty() { String::new() } else { format!("there are {}", all.join(", ")) }
}

/// An operator's text as messages may repeat it: cut, and without control characters, which would move a terminal's
/// cursor or forge a line of a log.
pub fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// A line of TOML without its comment.
fn statement(line: &str) -> &str {
    line.split('#').next().unwrap_or_default().trim()
}

/// The key that a line of TOML gives a value to.
fn key_of(line: &str) -> Option<&str> {
    line.split_once('=').map(|(key, _)| key.trim())
}

fn one_line(text: &str) -> String {
    shown(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Recursion ends where the parser's does: it refuses values and dotted keys below 80 levels.
fn table_of(table: &DeTable<'_>) -> Table {
    let mut entries: Vec<(At<String>, At<Value>)> = table
        .iter()
        .map(|(key, value)| {
            let key = At { value: key.get_ref().to_string(), span: key.span() };
            (key, At { value: value_of(value.get_ref()), span: value.span() })
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.span.start);
    Table(entries)
}

fn value_of(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("a number beyond 64 bits"), Value::Integer),
        DeValue::Boolean(truth) => Value::Boolean(*truth),
        DeValue::Float(_) => Value::Other("a number with a fraction"),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(list) => {
            Value::List(list.iter().map(|item| At { value: value_of(item.get_ref()), span: item.span() }).collect())
        }
        DeValue::Table(table) => Value::Table(table_of(table)),
    }
}
/// Octets of a pool's name, at most: it becomes a folder below `keys/pools` and a label of metrics.
const POOL_NAME_OCTETS_MAX: usize = 64;

/// A pool's name. It becomes the name of a folder, so it has no slash and does not begin with a dot.
///
/// # Errors
/// Why it is none.
pub fn pool_name(text: &str) -> Result<(), String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if text.is_empty() {
        return Err("the name of a pool is empty".to_owned());
    }
    if text.len() > POOL_NAME_OCTETS_MAX || text.starts_with(['.', '-']) || !text.bytes().all(allowed) {
        let rule = "at most 64 letters, digits, dashes, dots and underscores, beginning with none of `-` and `.`";
        return Err(format!("`{}` is not a name for a pool: it takes {rule}", shown(text)));
    }
    Ok(())
}
