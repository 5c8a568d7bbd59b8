//! What a file of tenants says: TOML holds one, NDJSON one a line.
//!
//! Pure. A file that may not be whole takes nothing away, since what seems absent may only not be written yet; and a last
//! line without its end is no line.

use crate::diagnostic::{self, Diagnostic};
use crate::zone::tenant::{self, Broken, Definition, Parsed};

/// Code of a last line that has no end.
const UNENDED: &str = "MX4201";

/// Reads a file's content: TOML holds one tenant, NDJSON one a line.
///
/// # Errors
/// The reason why the file as a whole changes nothing.
pub fn read(path: &str, shown: &str, octets: &[u8]) -> Result<Parsed<Definition>, Box<Diagnostic>> {
    let mut entries = Vec::new();
    let parsed = read_each(path, shown, octets, &mut |definition| entries.push(definition))?;
    Ok(Parsed { entries, ..parsed })
}

/// As [`read`], but gives each good entry to `each` and keeps none; these count only where all ends well.
pub(crate) fn read_each(
    path: &str,
    shown: &str,
    octets: &[u8],
    each: &mut dyn FnMut(Definition),
) -> Result<Parsed<Definition>, Box<Diagnostic>> {
    if path.ends_with(".ndjson") {
        return read_lines(shown, octets, each);
    }
    let text = tenant::text_of(shown, octets)?;
    let mut parsed = tenant::parse_toml(shown, text);
    if let Some(fault) = diagnostic::unended(UNENDED, shown, text, "nothing of the file is used") {
        let named = parsed.broken.into_iter().next().and_then(|broken| broken.name);
        let name = named.or_else(|| Some(parsed.entries.pop()?.domain));
        let broken = vec![Broken { name, diagnostics: vec![fault] }];
        return Ok(Parsed { entries: Vec::new(), broken, warnings: Vec::new(), unfinished: false });
    }
    parsed.entries.drain(..).for_each(each);
    Ok(parsed)
}

fn read_lines(
    shown: &str,
    octets: &[u8],
    each: &mut dyn FnMut(Definition),
) -> Result<Parsed<Definition>, Box<Diagnostic>> {
    // Half a character may stand in half a line, which says nothing about the lines above it.
    let is_read = octets.len() <= tenant::BULK_FILE_MAX;
    let ended = octets.iter().rposition(|octet| *octet == b'\n').map_or(0, |end| end + 1);
    let (lines, half) = octets.split_at(if is_read { ended } else { octets.len() });
    let mut parsed = tenant::parse_ndjson_each(shown, tenant::text_of(shown, lines)?, each);
    if parsed.unfinished
        && let Some(fault) = parsed.broken.pop().and_then(|broken| broken.diagnostics.into_iter().next())
    {
        return Err(Box::new(fault));
    }
    let above = lines.iter().filter(|octet| **octet == b'\n').count();
    parsed.broken.extend(half_a_line(shown, above, half));
    Ok(parsed)
}

/// A last line without its end; none where there is nothing but blanks.
fn half_a_line(shown: &str, above: usize, half: &[u8]) -> Option<Broken> {
    let text = String::from_utf8_lossy(half);
    let text = text.trim_start_matches('\u{feff}');
    let mut fault = diagnostic::unended(UNENDED, shown, text, "this line is not used")?;
    fault.place.line = u32::try_from(above).unwrap_or(u32::MAX).saturating_add(1);
    Some(Broken { name: tenant::name_of_line(text), diagnostics: vec![fault] })
}

/// Whether what is not served as it is written may stand for any tenant of its file: it does not tell whose it is, or the
/// file ends within it, and what seems absent may only not be written yet.
pub(crate) fn is_anyones(domain: Option<&str>, reasons: &[Diagnostic]) -> bool {
    domain.is_none() || reasons.iter().any(|reason| reason.code == UNENDED)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Domains that are taken, and codes with lines.
    fn read_as(path: &str, octets: &[u8]) -> (Vec<String>, Vec<(&'static str, u32)>) {
        let parsed = read(path, path, octets).expect("it is text");
        let found = parsed.broken.iter().flat_map(|broken| &broken.diagnostics).map(|d| (d.code, d.place.line));
        (parsed.entries.iter().map(|entry| entry.domain.clone()).collect(), found.collect())
    }

    #[test]
    fn of_a_file_cut_anywhere_only_lines_with_their_end_are_taken() {
        let text =
            "{\"domain\":\"a.example\",\"pool\":\"p\"}\r\n{\"domain\":\"\u{e4}.example\",\"pool\":\"p\"}\n".as_bytes();
        let first = text.iter().position(|octet| *octet == b'\n').expect("a line") + 1;
        for cut in 0..=text.len() {
            let (taken, found) = read_as("b.ndjson", &text[..cut]);
            let lines = usize::from(cut >= first) + usize::from(cut == text.len());
            assert_eq!(taken.len(), lines, "{cut}");
            let is_whole = [0, first, text.len()].contains(&cut);
            let expected = if is_whole { vec![] } else { vec![(UNENDED, if cut < first { 1 } else { 2 })] };
            assert_eq!(found, expected, "{cut}");
        }
    }

    #[test]
    fn blanks_and_marks_are_no_line_and_a_comment_is_one() {
        let whole = "domain = \"a.example\"\npool = \"p\"\n";
        for (end, is_taken) in [("", true), ("\n", true), ("  \t", true), ("# and", false), ("dane = true", false)] {
            let (taken, found) = read_as("t.toml", format!("{whole}{end}").as_bytes());
            assert_eq!((taken.len(), found.is_empty()), (usize::from(is_taken), is_taken), "{end:?}");
        }
        assert_eq!(read_as("t.toml", whole.replace('\n', "\r\n").as_bytes()).0.len(), 1, "CRLF");
        assert_eq!(read_as("t.toml", format!("\u{feff}{whole}").as_bytes()).0.len(), 1, "a byte order mark");
        assert_eq!(read_as("t.toml", b"# a note").1, [(UNENDED, 1)], "more may come");
        for nothing in ["", "\u{feff}", "\n", " ", "\r\n"] {
            assert_eq!(read_as("b.ndjson", nothing.as_bytes()), (vec![], vec![]), "{nothing:?}");
        }
        let marked = format!("\u{feff}{}", "{\"domain\":\"a.example\",\"pool\":\"p\"}");
        assert_eq!(read_as("b.ndjson", marked.as_bytes()).1, [(UNENDED, 1)]);
        assert_eq!(read_as("b.ndjson", format!("{marked}\n").as_bytes()).0, ["a.example"]);
    }

    #[test]
    fn a_last_line_without_its_end_costs_no_memory_and_stands_for_anyone() {
        let long = format!("{{\"domain\":\"a.example\",\"pool\":\"{}\"}}", "x".repeat(tenant::LINE_MAX));
        let parsed = read("b.ndjson", "b.ndjson", long.as_bytes()).expect("it is text");
        let broken = parsed.broken.first().expect("it is not taken");
        assert_eq!(broken.name.as_deref(), Some("a.example"));
        assert!(broken.diagnostics.iter().all(|fault| fault.place.text.is_empty() && fault.place.line == 1));
        assert!(is_anyones(broken.name.as_deref(), &broken.diagnostics));
        assert!(is_anyones(None, &[]) && !is_anyones(Some("a.example"), &[]));
    }
}
