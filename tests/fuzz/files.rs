//! Files of strangers: everything in them is used, or refused with its place; never silence.

use mxseal::config;
use mxseal::diagnostic::{Diagnostic, Severity};
use mxseal::dns::name::{self, Name, ROOT, is_within};
use mxseal::dns::{rdata, rtype};
use mxseal::zone::content::{self, Parts};
use mxseal::zone::lint::{self, Subject};
use mxseal::zone::master::{self, DIAGNOSTICS_MAX, Parsed, Record, Records};
use mxseal::zone::tenant::{self, Definition};

const FILE: &str = "file";
/// As much of a file in an error is a quotation; less may be chance.
const QUOTE_OCTETS: usize = 24;

/// A master file.
pub fn master(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let origin = Name::parse("example.", ROOT).expect("a name");
    let mut include = |path: &str| match path.len() % 3 {
        0 => Ok(format!("@ A 192.0.2.1\n{path}\n")),
        1 => Ok(text.to_owned()),
        _ => Err("no such file".to_owned()),
    };
    let parsed = master::parse(&origin, FILE, text, &mut include);
    for diagnostic in parsed.diagnostics.iter().filter(|diagnostic| diagnostic.place.file == FILE) {
        check_place(diagnostic, text);
        assert!(!diagnostic.help.is_empty(), "{diagnostic:?}");
    }
    for record in parsed.records.iter() {
        assert!(is_within(record.owner, &origin), "{record:?} lies outside");
        assert_eq!(*record.owner, record.owner.to_ascii_lowercase());
        assert_eq!(rdata::check(record.rtype, record.data), Ok(()), "{record:?}");
    }
    check_nothing_is_skipped(text, &parsed);
    check_written_again(&origin, &parsed.records);
    check_slips(&origin, &parsed);
}

/// Whatever holds together can be looked through for slips, and each is told at its record.
fn check_slips(origin: &Name, parsed: &Parsed) {
    let parts = Parts { apex: origin, signed: false, parsed, key_sets: &[], children: &[], ttl_cap: u32::MAX };
    let Some(content) = content::build(&parts).0 else { return };
    for slip in lint::lint(&Subject { apex: origin, parsed, content: &content, children: &[] }) {
        let Diagnostic { place, message, help, .. } = slip.diagnostic;
        assert!(place.line > 0 && !message.is_empty() && !help.is_empty(), "{place:?} {message}");
    }
}

/// Where no line depends on another, each one that is not blank is a record or a finding.
fn check_nothing_is_skipped(text: &str, parsed: &Parsed) {
    if text.contains(['(', ')', '"', '\\', '$', '\u{feff}', '\0']) || parsed.diagnostics.len() >= DIAGNOSTICS_MAX {
        return;
    }
    for (at, line) in text.split('\n').enumerate() {
        let said = line.split(';').next().unwrap_or_default();
        let number = u32::try_from(at + 1).expect("a short file");
        let is_there = parsed.records.iter().any(|record| record.line == number)
            || parsed.diagnostics.iter().any(|diagnostic| diagnostic.place.line == number);
        assert!(said.trim_matches([' ', '\t', '\r']).is_empty() || is_there, "line {number} was skipped: {line:?}");
    }
}

/// What is printed is read as the same records.
fn check_written_again(origin: &[u8], records: &Records) {
    for record in records.iter().take(50) {
        let line = format!(
            "{} {} IN {} {}\n",
            name::print(record.owner),
            record.ttl,
            rtype::print(record.rtype),
            rdata::to_text(record.rtype, record.data)
        );
        let again = master::parse(origin, FILE, &line, &mut |_| Err("none".to_owned()));
        assert!(!again.diagnostics.iter().any(|d| d.severity == Severity::Error), "{line}: {:?}", again.diagnostics);
        let same = |other: Record<'_>| {
            (other.owner, other.ttl, other.rtype, other.data) == (record.owner, record.ttl, record.rtype, record.data)
        };
        assert!(again.records.len() == 1 && again.records.iter().all(same), "{line}: {again:?} for {record:?}");
    }
}

/// A file with one tenant.
pub fn tenant(octets: &[u8]) {
    let Some(text) = text_of(octets) else { return };
    let parsed = tenant::parse_toml(FILE, text);
    assert_eq!(parsed.entries.len() + parsed.broken.len(), 1, "one file, one tenant: {parsed:?}");
    check_tenants(&parsed, text);
}

/// A file with a tenant a line.
pub fn bulk(octets: &[u8]) {
    let Some(text) = text_of(octets) else { return };
    let parsed = tenant::parse_ndjson(FILE, text);
    check_tenants(&parsed, text);
    let of_line = |number: u32| {
        let entries = parsed.entries.iter().filter(|entry| entry.line == number).count();
        let is_here = |d: &Diagnostic| d.place.line == number;
        entries + parsed.broken.iter().filter(|broken| broken.diagnostics.iter().all(is_here)).count()
    };
    // A bracket alone on its line may begin an object over several lines, which is told once.
    let is_over_lines = text.split('\n').any(|line| matches!(line.trim(), "{" | "["));
    for (at, line) in text.split('\n').enumerate().filter(|_| !parsed.unfinished && !is_over_lines) {
        let number = u32::try_from(at + 1).expect("a short file");
        let expected = usize::from(!line.trim_ascii().is_empty());
        assert_eq!(of_line(number), expected, "line {number}: {line:?}: {parsed:?}");
    }
}

fn check_tenants(parsed: &tenant::Parsed<Definition>, text: &str) {
    check_findings(parsed, text);
    for entry in &parsed.entries {
        let expected = Definition { line: 1, ..entry.clone() };
        for again in [
            tenant::parse_toml(FILE, &tenant::print_toml(entry)),
            tenant::parse_ndjson(FILE, &tenant::print_ndjson(entry)),
        ] {
            assert!(again.broken.is_empty(), "{entry:?}: {again:?}");
            assert_eq!(again.entries, std::slice::from_ref(&expected), "what is printed is read back");
        }
    }
}

fn check_findings<T>(parsed: &tenant::Parsed<T>, text: &str) {
    for broken in &parsed.broken {
        assert!(!broken.diagnostics.is_empty(), "refused without a reason");
        for diagnostic in &broken.diagnostics {
            check_place(diagnostic, text);
            assert_eq!(diagnostic.severity, Severity::Error, "{diagnostic:?}");
        }
    }
    for warning in &parsed.warnings {
        check_place(warning, text);
        assert_eq!(warning.severity, Severity::Warning, "{warning:?}");
    }
}

/// `pools.toml`.
pub fn pools(octets: &[u8]) {
    let Some(text) = text_of(octets) else { return };
    let parsed = tenant::parse_pools(FILE, text);
    check_findings(&parsed, text);
    let is_blank = |line: &str| line.trim_ascii().is_empty() || line.trim_ascii_start().starts_with('#');
    let is_silent = parsed.entries.is_empty() && parsed.broken.is_empty();
    assert!(!is_silent || text.lines().all(is_blank), "silence about {text:?}");
}

/// `mxseal.toml`.
pub fn config(octets: &[u8]) {
    let Some(text) = text_of(octets) else { return };
    let (findings, good) = match config::parse(FILE, text) {
        Ok((_, warnings)) => (warnings, true),
        Err(findings) => (findings, false),
    };
    findings.iter().for_each(|finding| check_place(finding, text));
    assert_eq!(findings.iter().any(|finding| finding.severity == Severity::Error), !good, "{findings:?}");
}

/// A certificate file, which may by mistake be a private key: no error quotes it.
pub fn certificate(octets: &[u8]) {
    let Err(fault) = mxseal::cert::chain::parse_pem(octets) else { return };
    let fault = fault.to_string();
    let quotes = |part: &[u8]| std::str::from_utf8(part).is_ok_and(|part| fault.contains(part));
    assert!(!octets.windows(QUOTE_OCTETS).any(quotes), "{fault}");
}

fn text_of(octets: &[u8]) -> Option<&str> {
    match tenant::text_of(FILE, octets) {
        Ok(text) => Some(text),
        Err(fault) => {
            assert!(fault.place.line > 0 && !fault.message.is_empty(), "{fault:?}");
            None
        }
    }
}

/// A finding stands where it says: the line is there, the column is in it, the quoted line is that line.
fn check_place(diagnostic: &Diagnostic, text: &str) {
    let place = &diagnostic.place;
    assert!(!diagnostic.message.is_empty() && diagnostic.code.starts_with("MX"), "{diagnostic:?}");
    assert_eq!(place.file, FILE);
    let Some(at) = usize::try_from(place.line).expect("a line").checked_sub(1) else { return };
    let Some(line) = text.split('\n').nth(at) else { panic!("no line {}: {diagnostic:?}", place.line) };
    let columns = line.chars().count() + 1;
    assert!(usize::try_from(place.column).is_ok_and(|column| column <= columns), "{diagnostic:?}");
    assert!(place.column == 0 || place.width > 0, "{diagnostic:?}");
    assert!(place.text.is_empty() || line.trim_end_matches('\r').starts_with(&place.text), "{diagnostic:?}: {line:?}");
}
