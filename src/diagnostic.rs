//! What is wrong in an operator's file: the place, the cause and the way out, for people and for programs.
//!
//! A diagnostic never quotes a key or a certificate, and never ends anything: whoever collects decides.

pub mod passing;

use serde::Serialize;

/// Code of what only follows from another error of its kind: tenants that wait for a broken pool.
pub const CONSEQUENCE: &str = "MX3205";
/// Octets of a last line without its end that is still quoted, at most: beyond that no caret helps.
const QUOTED_OCTETS_MAX: usize = 4096;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Served all the same; worth a look.
    Warning,
    /// The file, line or tenant is not used; what was good before is kept.
    Error,
}

/// A place in a file. Lines and columns count from 1; columns count characters. Line 0 means the file as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Path as the operator would type it.
    pub file: String,
    /// Line, from 1; 0 for the whole file.
    pub line: u32,
    /// Column, from 1; 0 for the whole line.
    pub column: u32,
    /// Characters to underline; at least 1 where `column` is set.
    pub width: u32,
    /// The line itself, without its end, for the caret; empty where it must not be quoted.
    pub text: String,
}

/// One finding. `code` is stable (`MX1042`) and explained by the manual.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Diagnostic {
    /// Where.
    pub place: Place,
    /// Error or warning.
    pub severity: Severity,
    /// Stable code: MX1xxx configuration, MX2xxx master files, MX3xxx pools, MX4xxx tenants, MX5xxx keys, MX6xxx watching.
    pub code: &'static str,
    /// What is wrong, naming the culprit; begins in lower case, ends without a dot.
    pub message: String,
    /// What to do; may be empty.
    pub help: String,
}

impl Place {
    /// A place that is a whole file.
    pub fn file(file: impl Into<String>) -> Place {
        Place { file: file.into(), ..Place::default() }
    }

    /// The place of byte range `start..end` of `source`.
    pub fn span(file: impl Into<String>, source: &str, start: usize, end: usize) -> Place {
        let start = floor_char(source, start);
        let end = floor_char(source, end.max(start));
        let line_start = source[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = source[start..].find('\n').map_or(source.len(), |at| start + at);
        let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        Place {
            file: file.into(),
            line: count_lines(&source[..line_start]) + 1,
            column: count(&source[line_start..start]) + 1,
            width: count(&source[start..end.min(line_end)]).max(1),
            text: source[line_start..line_end].trim_end_matches('\r').to_owned(),
        }
    }
}

impl Diagnostic {
    /// An error.
    pub fn error(code: &'static str, place: Place, message: impl Into<String>, help: impl Into<String>) -> Diagnostic {
        Diagnostic { place, severity: Severity::Error, code, message: message.into(), help: help.into() }
    }

    /// A warning.
    pub fn warning(
        code: &'static str,
        place: Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, place, message, help) }
    }

    /// Where it belongs in a list: errors first, and causes before what follows from them. What is wrong with the
    /// configuration or with a whole file comes before zones, these before pools, these before tenants, keys last.
    pub fn rank(&self) -> (bool, usize, bool, &Place, &'static str) {
        let kinds = ["MX1", "MX6", "MX2", "MX3", "MX4"];
        let kind = kinds.iter().position(|kind| self.code.starts_with(kind)).unwrap_or(kinds.len());
        (self.severity != Severity::Error, kind, self.code == CONSEQUENCE, &self.place, self.code)
    }

    /// `file:line:column: message (help)`: the form of logs, metrics' neighbours and status lists.
    pub fn one_line(&self) -> String {
        let at = match (self.place.line, self.place.column) {
            (0, _) => self.place.file.clone(),
            (line, 0) => format!("{}:{line}", self.place.file),
            (line, column) => format!("{}:{line}:{column}", self.place.file),
        };
        let help = if self.help.is_empty() { String::new() } else { format!(" ({})", self.help) };
        format!("{at}: {}{help}", self.message)
    }
}

/// What is wrong with a file whose last line has no end; none where nothing is wrong. `outcome` says what follows.
///
/// A writer that stopped inside of a line leaves `192.0.2.15` of `192.0.2.150`, or `eu-1` of `eu-10` and no quote that
/// tells: of half a line and a whole one nobody can say which it is. What comes last ends as all that is above it
/// (POSIX.1-2017, 3.206: a line is what a newline ends). Blanks say nothing.
pub fn unended(code: &'static str, file: &str, text: &str, outcome: &str) -> Option<Diagnostic> {
    let (start, last) = text.rfind('\n').map_or((0, text), |end| (end + 1, &text[end + 1..]));
    if last.trim_ascii().is_empty() {
        return None;
    }
    let place = match last.len() {
        0..=QUOTED_OCTETS_MAX => Place::span(file, text, start, text.len()),
        _ => Place { line: count_lines(text) + 1, ..Place::file(file) },
    };
    let message = format!("the last line has no end, so it may be half of a line; {outcome}");
    let help = "end the last line with a newline, as by `echo >> FILE`, once it is whole";
    Some(Diagnostic::error(code, place, message, help))
}

fn count_lines(text: &str) -> u32 {
    u32::try_from(text.bytes().filter(|b| *b == b'\n').count()).unwrap_or(u32::MAX - 1)
}

fn floor_char(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
