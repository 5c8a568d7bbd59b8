//! Text of strangers made harmless: what moves a cursor, ends a line or turns the direction of writing is written out.
//!
//! Names of files, tenants' files, hosts and clients end up on terminals, in logs and in JSON. It never shortens or
//! drops a character, so two names that differ never look the same.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether `c` acts on what shows it instead of being shown: C0 and C1 controls (ECMA-48), line and paragraph
/// separators, and the controls of direction (Unicode Standard Annex 9 § 2).
pub fn is_acting(c: char) -> bool {
    let direction =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || direction || matches!(c, '\u{2028}' | '\u{2029}')
}

/// `text` on one line: what acts is written as `\u{1b}`.
pub fn line(text: &str) -> Cow<'_, str> {
    replaced(text, is_acting, |c, out| out.extend(c.escape_unicode()))
}

/// As [`line`], but lines stay lines, and tabs tabs.
pub fn lines(text: &str) -> Cow<'_, str> {
    replaced(text, |c| !matches!(c, '\n' | '\t') && is_acting(c), |c, out| out.extend(c.escape_unicode()))
}

/// As [`line`], but colours stay, for a log whose writer has escaped what others said before it coloured.
pub fn coloured_line(text: &str) -> Cow<'_, str> {
    replaced(text, |c| c != '\x1b' && is_acting(c), |c, out| out.extend(c.escape_unicode()))
}

/// A JSON text in which what acts is written as `\u001b`. JSON escapes C0 controls by itself (RFC 8259 § 7), and what
/// else acts can only be inside of its strings.
pub fn json(text: &str) -> Cow<'_, str> {
    replaced(
        text,
        |c| c >= '\x7f' && is_acting(c),
        |c, out| {
            // Writing into a string cannot fail; all that acts is in the first plane, so four digits are enough.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        },
    )
}

fn replaced(text: &str, acts: impl Fn(char) -> bool, write: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(&acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) { write(c, &mut out) } else { out.push(c) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_written_out_and_the_rest_stays() {
        let hostile = "a\x1b[2J\u{9b}1m\n\u{202e}b\u{2028}\u{7f}";
        assert_eq!(line(hostile), "a\\u{1b}[2J\\u{9b}1m\\u{a}\\u{202e}b\\u{2028}\\u{7f}");
        assert_eq!(lines("a\n\tb\r\n"), "a\n\tb\\u{d}\n");
        assert_eq!(coloured_line("\x1b[1mx\n"), "\x1b[1mx\\u{a}");
        assert_eq!(line("zürich 例え\u{200d}"), "zürich 例え\u{200d}");
    }

    #[test]
    fn json_stays_json_and_says_the_same() {
        let hostile = "a\x1b\u{9b}\u{202e}\u{7f}\u{2029}é\n";
        let text = serde_json::json!({ hostile: hostile }).to_string();
        let shown = json(&text);
        assert!(!shown.chars().any(is_acting), "{shown}");
        let read: serde_json::Value = serde_json::from_str(&shown).expect("it is JSON");
        assert_eq!(read[hostile], hostile);
    }
}
