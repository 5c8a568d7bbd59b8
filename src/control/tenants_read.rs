//! What a file of tenants says: TOML holds one, NDJSON one a line.
//!
//! Pure. A file that may not be whole says nothing, since what seems absent may only not be written yet.

use crate::diagnostic::{Diagnostic, Place};
use crate::zone::tenant::{self, Definition};

/// Reads a file's content: TOML holds one tenant, NDJSON one a line.
///
/// # Errors
/// The reason why the file as a whole changes nothing.
pub fn read(path: &str, shown: &str, octets: &[u8]) -> Result<tenant::Parsed<Definition>, Box<Diagnostic>> {
    let mut entries = Vec::new();
    let parsed = read_each(path, shown, octets, &mut |definition| entries.push(definition))?;
    Ok(tenant::Parsed { entries, ..parsed })
}

/// As [`read`], but gives each good entry to `each` and keeps none; these count only where all ends well.
pub(super) fn read_each(
    path: &str,
    shown: &str,
    octets: &[u8],
    each: &mut dyn FnMut(Definition),
) -> Result<tenant::Parsed<Definition>, Box<Diagnostic>> {
    let text = tenant::text_of(shown, octets)?;
    if path.ends_with(".ndjson") {
        let parsed = tenant::parse_ndjson_each(shown, text, each);
        return if parsed.unfinished { Err(Box::new(unfinished(shown, parsed))) } else { Ok(parsed) };
    }
    let mut parsed = tenant::parse_toml(shown, text);
    if parsed.unfinished {
        return Err(Box::new(unfinished(shown, parsed)));
    }
    parsed.entries.drain(..).for_each(each);
    Ok(parsed)
}

/// A file that was not read to its end says first what stopped the reading, where there is more to say than that.
fn unfinished(shown: &str, parsed: tenant::Parsed<Definition>) -> Diagnostic {
    let whole = parsed.broken.into_iter().rev().find(|broken| broken.name.is_none());
    let cause = whole.and_then(|broken| broken.diagnostics.into_iter().next());
    cause.filter(|cause| matches!(cause.code, tenant::TOO_LARGE | tenant::GAVE_UP)).unwrap_or_else(|| {
        let help = "write the rest, or end the last line; until then the file's last good content is served";
        Diagnostic::error("MX4201", Place::file(shown), "the file ends in the middle of a line", help)
    })
}
