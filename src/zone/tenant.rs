//! Tenants and pools as operators write them, checked and ready to be served.
//!
//! A broken tenant is refused alone, with its place and reason; the others of its file go on.

mod check;
mod json;
mod print;
mod values;

pub use check::{ADDRESSES_MAX, TLSA_MAX};
pub use print::{print_ndjson, print_toml};
pub use values::{address_of, endpoint_label, endpoint_of, is_false_a_label, normal_domain};
pub use values::{old_endpoint_of, print_tlsa, tlsa_of};

use crate::diagnostic::{Diagnostic, Place};
use crate::fields::{Codes, Reader, Table, Value, pool_name, shown};
use check::{WrittenPool, WrittenTenant};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::net::IpAddr;

/// Octets of a file with one tenant, at most: fifty times what every key at its maximum takes up.
pub const TENANT_FILE_MAX: usize = 64 * 1024;
/// Octets of a line of NDJSON, at most: the same tenant in another form.
pub const LINE_MAX: usize = TENANT_FILE_MAX;
/// Octets of a file of pools, at most: some thousand pools, each of which is a label of metrics.
pub const POOLS_FILE_MAX: usize = 1024 * 1024;
/// Octets of a file of NDJSON, at most: two million tenants at 120 octets, the largest installation to plan for.
pub const BULK_FILE_MAX: usize = 256 * 1024 * 1024;
/// Broken lines of one file that are kept, at most: past it the file is not what it seems, and keeping a finding for
/// each line would cost more memory than the file itself.
pub const BROKEN_LINES_MAX: usize = 10_000;

const TENANT_KEYS: &[&str] = &["domain", "pool", "endpoint", "addresses", "tlsa", "dane"];
const POOL_KEYS: &[&str] = &["addresses", "certificates", "tlsa"];
const TENANT_CODES: Codes = Codes { syntax: "MX4001", unknown_key: "MX4002", wrong_type: "MX4003" };
const POOL_CODES: Codes = Codes { syntax: "MX3001", unknown_key: "MX3002", wrong_type: "MX3003" };
/// Code of a file or line that is too large.
pub const TOO_LARGE: &str = "MX4012";
/// Code of a file whose reading was given up, as too much of it is broken.
pub const GAVE_UP: &str = "MX4014";
const POOLS_TOO_LARGE: &str = "MX3010";
const NOT_TEXT: &str = "MX4013";

/// TLSA 3 1 1: SHA-256 of a public key (RFC 7671 § 5.1).
pub type SpkiDigest = [u8; 32];

/// One tenant as its file defines it, checked by itself but not against its pool or other tenants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The domain as an A-label, lower case, without final dot: `contoso.com`.
    pub domain: String,
    /// The endpoint's label below the zone's apex: `contoso-com`; lower case, at most 63 octets.
    pub endpoint: String,
    /// Whether the file named the endpoint itself (it then wins over derived ones at a start).
    pub explicit_endpoint: bool,
    /// The pool by name, unless addresses and TLSA are all its own.
    pub pool: Option<String>,
    /// Addresses instead of the pool's; empty: the pool's.
    pub addresses: Vec<IpAddr>,
    /// TLSA instead of the pool's; empty: the pool's.
    pub tlsa: Vec<SpkiDigest>,
    /// Whether TLSA is published.
    pub dane: bool,
    /// Line in its file, from 1.
    pub line: u32,
}

/// One pool as `pools.toml` defines it. Certificates are paths, relative to the file that names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// Addresses of its hosts.
    pub addresses: Vec<IpAddr>,
    /// Certificate files (PEM chains) that its hosts present, as written.
    pub certificates: Vec<String>,
    /// TLSA as written.
    pub tlsa: Vec<SpkiDigest>,
    /// Line of its table, from 1.
    pub line: u32,
}

/// What a file of tenants or pools holds: all that is good, and all that is wrong.
#[derive(Clone, Debug)]
pub struct Parsed<T> {
    /// The good entries, in the order of the file.
    pub entries: Vec<T>,
    /// The broken entries.
    pub broken: Vec<Broken>,
    /// Warnings about entries that are used all the same.
    pub warnings: Vec<Diagnostic>,
    /// The file was not read to its end: whoever reads it changes nothing, since what seems absent may only not have been
    /// read. The last of the broken entries says why.
    pub unfinished: bool,
}

/// A broken entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// The domain or pool that it is about, where that much could be read: A-label, lower case.
    pub name: Option<String>,
    /// What is wrong (at least one).
    #[serde(skip)]
    pub diagnostics: Vec<Diagnostic>,
}

/// A file as text: a byte order mark is dropped.
///
/// # Errors
/// The place of the first octet that is not UTF-8, or of the first NUL.
pub fn text_of<'b>(file: &str, bytes: &'b [u8]) -> Result<&'b str, Box<Diagnostic>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let (good, cause) = match std::str::from_utf8(bytes) {
        Ok(text) => match text.find('\0') {
            None => return Ok(text),
            Some(at) => (text.get(..at).unwrap_or_default(), "holds a NUL octet"),
        },
        Err(fault) => {
            let good = bytes.get(..fault.valid_up_to()).and_then(|good| std::str::from_utf8(good).ok());
            let cause = if fault.error_len().is_none() { "ends in the middle of a character" } else { "is not UTF-8" };
            (good.unwrap_or_default(), cause)
        }
    };
    let place = Place { width: 1, text: String::new(), ..Place::span(file, good, good.len(), good.len()) };
    Err(Box::new(Diagnostic::error(NOT_TEXT, place, format!("the file {cause}"), "write it anew as UTF-8 text")))
}

/// One tenant in TOML.
pub fn parse_toml(file: &str, text: &str) -> Parsed<Definition> {
    if let Some(too_large) = refuse_size(file, text, TENANT_FILE_MAX, TOO_LARGE) {
        return too_large;
    }
    let mut reader = Reader::new(file, text, 1, &TENANT_CODES);
    let table = reader.toml();
    let name = table.get("domain").and_then(|(key, _)| {
        // A domain on a line that is broken may be half of another one.
        let line = text.get(..key.span.start).unwrap_or_default().matches('\n').count() + 1;
        let line_is_broken = reader.errors.iter().any(|e| usize::try_from(e.place.line) == Ok(line));
        if line_is_broken { None } else { name_of(&table) }
    });
    let line = table.get("domain").map_or(1, |(key, _)| reader.place(key.span.clone()).line);
    let mut parsed = Parsed::empty();
    if reader.errors.is_empty()
        && let Some(definition) = tenant_of(&mut reader, &table, line, Place::file(file))
    {
        parsed.entries.push(definition);
        parsed.warnings = reader.warnings;
        return parsed;
    }
    parsed.broken.push(Broken { name, diagnostics: reader.errors });
    parsed
}

/// Many tenants: one JSON object a line, the same keys. Empty lines mean nothing.
pub fn parse_ndjson(file: &str, text: &str) -> Parsed<Definition> {
    let mut entries = Vec::new();
    let parsed = parse_ndjson_each(file, text, &mut |definition| entries.push(definition));
    Parsed { entries, ..parsed }
}

/// As [`parse_ndjson`], but gives each good entry to `each` as soon as it is read and keeps none: a file may hold a
/// million.
pub fn parse_ndjson_each(file: &str, text: &str, each: &mut dyn FnMut(Definition)) -> Parsed<Definition> {
    if let Some(too_large) = refuse_size(file, text, BULK_FILE_MAX, TOO_LARGE) {
        return Parsed { unfinished: true, ..too_large };
    }
    let mut parsed = Parsed::empty();
    let (mut rest, mut number) = (text, 0u32);
    while let Some((line, behind)) = next_line(rest, &mut number) {
        let here = rest.get(rest.len() - behind.len() - line.len()..).unwrap_or_default();
        rest = behind;
        if let Some(block) = json::over_lines(here) {
            parsed.broken.push(over_lines(file, block, number));
            rest = here.get(block.len()..).unwrap_or_default();
            number = number.saturating_add(lines_in(block) - 1);
            continue;
        }
        if let Some(definition) = quick_line(line, number) {
            each(definition);
            continue;
        }
        explain_line(file, line, number, &mut parsed);
        parsed.entries.drain(..).for_each(&mut *each);
        if parsed.broken.len() >= BROKEN_LINES_MAX {
            parsed.broken.push(given_up(file, number));
            parsed.unfinished = true;
            return parsed;
        }
    }
    parsed
}

/// All pools. A fault in the grammar breaks the whole file, any other one pool.
pub fn parse_pools(file: &str, text: &str) -> Parsed<Pool> {
    if let Some(too_large) = refuse_size(file, text, POOLS_FILE_MAX, POOLS_TOO_LARGE) {
        return too_large;
    }
    let mut reader = Reader::new(file, text, 1, &POOL_CODES);
    let table = reader.toml();
    let mut parsed = Parsed::empty();
    if !reader.errors.is_empty() {
        parsed.broken.push(Broken { name: None, diagnostics: reader.errors });
        return parsed;
    }
    for (key, _) in &table.0 {
        let name = &key.value;
        match pool_of(&mut reader, &table, name) {
            Some(pool) => parsed.entries.push(pool),
            None => {
                let diagnostics = std::mem::take(&mut reader.errors);
                parsed.broken.push(Broken { name: Some(shown(name)), diagnostics });
            }
        }
        parsed.warnings.append(&mut reader.warnings);
    }
    parsed
}

/// The next line that is not blank, and what is behind it. Blank ones are counted all at once: a file may have nothing else.
fn next_line<'t>(text: &'t str, number: &mut u32) -> Option<(&'t str, &'t str)> {
    let blank = text.len() - text.trim_ascii_start().len();
    let start = text.get(..blank)?.rfind('\n').map_or(0, |end| end + 1);
    let (before, rest) = text.split_at_checked(start)?;
    let lines = u32::try_from(before.bytes().filter(|octet| *octet == b'\n').count()).unwrap_or(u32::MAX);
    *number = number.saturating_add(lines).saturating_add(1);
    let end = rest.find('\n').map_or(rest.len(), |end| end + 1);
    let (line, behind) = rest.split_at_checked(end)?;
    (!line.trim_ascii().is_empty()).then_some((line, behind))
}

impl<T> Parsed<T> {
    fn empty() -> Parsed<T> {
        Parsed { entries: Vec::new(), broken: Vec::new(), warnings: Vec::new(), unfinished: false }
    }
}

fn refuse_size<T>(file: &str, text: &str, octets_max: usize, code: &'static str) -> Option<Parsed<T>> {
    if text.len() <= octets_max {
        return None;
    }
    let message = format!("the file has {} octets, the limit is {octets_max}", text.len());
    let diagnostic = Diagnostic::error(code, Place::file(file), message, "divide it into several files");
    Some(Parsed { broken: vec![Broken { name: None, diagnostics: vec![diagnostic] }], ..Parsed::empty() })
}

fn lines_in(block: &str) -> u32 {
    u32::try_from(block.split_inclusive('\n').count()).unwrap_or(u32::MAX).max(1)
}

/// One error for an object that takes several lines, where each of them would be wrong by itself.
fn over_lines(file: &str, block: &str, line: u32) -> Broken {
    let mut place = Place::span(file, block, 0, 1);
    place.line = line;
    let last = line.saturating_add(lines_in(block) - 1);
    let message = format!("this goes on to line {last}, and one line takes one object");
    let help = "write each object into one line: `jq -c . FILE`, or `jq -c '.[]' FILE` where all are in one list";
    let name = if block.trim_start().starts_with('[') { None } else { rough_name(block) };
    Broken { name, diagnostics: vec![Diagnostic::error(TENANT_CODES.syntax, place, message, help)] }
}

fn given_up(file: &str, line: u32) -> Broken {
    let place = Place { line, ..Place::file(file) };
    let message = format!("{BROKEN_LINES_MAX} lines are broken up to here; the rest was not read");
    let help = "nothing of this file is used: one JSON object a line belongs in it";
    Broken { name: None, diagnostics: vec![Diagnostic::error(GAVE_UP, place, message, help)] }
}

/// The line as a tenant, where there is nothing at all to say about it.
fn quick_line(line: &str, number: u32) -> Option<Definition> {
    if line.len() > LINE_MAX {
        return None;
    }
    let (definition, faults) = check::tenant(&json::quick(line)?, number);
    definition.filter(|_| faults.list.is_empty())
}

/// The line again, with the place of each fault.
fn explain_line(file: &str, line: &str, number: u32, parsed: &mut Parsed<Definition>) {
    let mut reader = Reader::new(file, line, number, &TENANT_CODES);
    if line.len() > LINE_MAX {
        let message = format!("the line has {} octets, the limit is {LINE_MAX}", line.len());
        reader.error(TOO_LARGE, 0..1, message, "write one tenant a line");
        parsed.broken.push(Broken { name: rough_name(line), diagnostics: reader.errors });
        return;
    }
    let table = match json::table(line) {
        Ok(table) => table,
        Err(fault) => {
            reader.error(TENANT_CODES.syntax, fault.span, format!("not JSON: {}", fault.message), "");
            parsed.broken.push(Broken { name: rough_name(line), diagnostics: reader.errors });
            return;
        }
    };
    let whole = reader.place(0..line.trim_end().len());
    if let Some(definition) = tenant_of(&mut reader, &table, number, whole) {
        parsed.entries.push(definition);
        parsed.warnings.append(&mut reader.warnings);
        return;
    }
    parsed.broken.push(Broken { name: name_of(&table), diagnostics: reader.errors });
}

/// The tenant in `table`, or none and at least one error in `reader`. `whole` is the place of what is absent.
fn tenant_of(reader: &mut Reader<'_>, table: &Table, line: u32, whole: Place) -> Option<Definition> {
    let text = |reader: &mut Reader<'_>, key| reader.text(table, key).map(|at| Cow::from(at.value));
    let written = WrittenTenant {
        domain: text(reader, "domain"),
        pool: text(reader, "pool"),
        endpoint: text(reader, "endpoint"),
        addresses: texts(reader, table, "addresses").into_iter().map(Cow::from).collect(),
        tlsa: texts(reader, table, "tlsa").into_iter().map(Cow::from).collect(),
        dane: reader.boolean(table, "dane").map(|at| at.value),
    };
    let (definition, mut faults) = check::tenant(&written, line);
    if !reader.errors.is_empty() {
        faults.forget_absences();
    }
    reader.refuse_unknown(table, "a tenant", TENANT_KEYS);
    faults.forget_misspelt(table, TENANT_KEYS);
    faults.report(reader, table, whole);
    definition.filter(|_| reader.errors.is_empty())
}

/// The pool called `name`, or none and at least one error in `reader`.
fn pool_of(reader: &mut Reader<'_>, table: &Table, name: &str) -> Option<Pool> {
    let pool = reader.table(table, name)?;
    if let Err(message) = pool_name(name) {
        reader.error("MX3004", pool.span.clone(), message, "");
    }
    let named = reader.errors.len();
    let written = WrittenPool {
        name,
        addresses: texts(reader, pool.value, "addresses"),
        certificates: texts(reader, pool.value, "certificates"),
        tlsa: texts(reader, pool.value, "tlsa"),
    };
    let place = reader.place(pool.span);
    let (checked, mut faults) = check::pool(&written, place.line);
    if reader.errors.len() > named {
        faults.forget_absences();
    }
    reader.refuse_unknown(pool.value, "a pool", POOL_KEYS);
    faults.forget_misspelt(pool.value, POOL_KEYS);
    faults.report(reader, pool.value, place);
    checked.filter(|_| reader.errors.is_empty())
}

fn texts<'t>(reader: &mut Reader<'_>, table: &'t Table, key: &str) -> Vec<&'t str> {
    reader.texts(table, key).map_or_else(Vec::new, |list| list.value.into_iter().map(|at| at.value).collect())
}

fn name_of(table: &Table) -> Option<String> {
    let range = table.get("domain")?;
    match &range.1.value {
        Value::Text(text) => normal_domain(text).ok(),
        _ => None,
    }
}

/// The domain of a line of NDJSON that is not used, where it tells.
pub fn name_of_line(line: &str) -> Option<String> {
    let table = if line.len() > LINE_MAX { None } else { json::table(line).ok() };
    table.map_or_else(|| rough_name(line), |table| name_of(&table))
}

fn rough_name(line: &str) -> Option<String> {
    normal_domain(json::rough_domain(line)?).ok()
}
