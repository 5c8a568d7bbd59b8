//! Findings as text for people, with a caret under the culprit, and as one line of JSON for programs.
//!
//! Nothing in a file can move the terminal's cursor or forge a finding: control characters are replaced.

pub mod escape;

use crate::diagnostic::{Diagnostic, Severity};
use annotate_snippets::renderer::{Ansi256Color, Style};
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};

/// Colours of the palette that all terminals with 256 colours share; each can be read on white as on black.
pub const GREEN: u8 = 28;
/// See [`GREEN`].
pub const ORANGE: u8 = 130;
/// See [`GREEN`].
pub const RED: u8 = 160;

/// All findings, each as rustc would print it, with an empty line between two.
pub fn text(diagnostics: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour { coloured() } else { Renderer::plain() };
    let mut text = String::new();
    for (index, diagnostic) in diagnostics.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        text.push_str(&one(diagnostic, &renderer));
        text.push('\n');
    }
    text
}

fn coloured() -> Renderer {
    let bold = |colour: u8| Style::new().bold().fg_color(Some(Ansi256Color(colour).into()));
    Renderer::styled().error(bold(RED)).warning(bold(ORANGE)).help(bold(GREEN))
}

/// One finding as a JSON object without line ends: severity, code, file, line, column, message, help.
pub fn json_line(diagnostic: &Diagnostic) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let quoted = |text: &str| escape::json(&serde_json::Value::from(text).to_string()).into_owned();
    format!(
        r#"{{"severity":"{severity}","code":"{}","file":{},"line":{},"column":{},"message":{},"help":{}}}"#,
        diagnostic.code,
        quoted(&diagnostic.place.file),
        diagnostic.place.line,
        diagnostic.place.column,
        quoted(&diagnostic.message),
        quoted(&diagnostic.help)
    )
}

fn one(diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let place = &diagnostic.place;
    let (message, help) = (clean(&diagnostic.message), clean(&diagnostic.help));
    let (file, line_text) = (clean(&place.file), clean(&place.text));
    let title = level.primary_title(message).id(diagnostic.code);
    let line = usize::try_from(place.line).unwrap_or(usize::MAX);
    let mut group = if place.line == 0 {
        title.element(Origin::path(file))
    } else if place.column == 0 || line_text.is_empty() {
        title.element(Origin::path(at(&file, place.line, place.column)))
    } else {
        let caret = AnnotationKind::Primary.span(octets(&line_text, place.column, place.width));
        title.element(Snippet::source(line_text).line_start(line).path(file).annotation(caret))
    };
    if !help.is_empty() {
        group = group.element(Level::HELP.message(help));
    }
    renderer.render(&[group])
}

fn at(file: &str, line: u32, column: u32) -> String {
    if column == 0 { format!("{file}:{line}") } else { format!("{file}:{line}:{column}") }
}

/// The octets of `width` characters from `column` on, never past the end of `text`.
fn octets(text: &str, column: u32, width: u32) -> std::ops::Range<usize> {
    let octet = |characters: u32| {
        let index = usize::try_from(characters).unwrap_or(usize::MAX);
        text.char_indices().nth(index).map_or(text.len(), |(octet, _)| octet)
    };
    let first = column.saturating_sub(1);
    octet(first)..octet(first.saturating_add(width.max(1)))
}

/// One character for one, so that columns stay true. A tab becomes a space, since its width depends on the terminal.
fn clean(text: &str) -> String {
    let harmless = |c: char| match c {
        '\t' | '\n' => ' ',
        c if escape::is_acting(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(harmless).collect()
}
