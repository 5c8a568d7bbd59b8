//! The line that a finding is about, read again for whoever looks at it, where the finding names it by its number alone.
//!
//! Findings of running servers are kept without the lines of their files, which can be large and many.

use crate::diagnostic::Diagnostic;
use crate::fields::QUOTED_LINE_MAX;
use std::collections::BTreeMap;
use std::path::Path;

/// Octets of a file that is read for its lines, at most; findings in larger ones keep their numbers.
const FILE_OCTETS_MAX: u64 = 16 << 20;

/// Gives each finding with a line and no column the text of that line, and underlines all of it. Only files below `zones`
/// are read.
pub(super) fn add(found: &mut [Diagnostic], zones: &Path) {
    let mut files: BTreeMap<String, Option<String>> = BTreeMap::new();
    for finding in found.iter_mut() {
        let place = &mut finding.place;
        if place.line == 0 || place.column != 0 || !Path::new(&place.file).starts_with(zones) {
            continue;
        }
        let text = files.entry(place.file.clone()).or_insert_with(|| read(&place.file));
        let number = usize::try_from(place.line - 1).unwrap_or(usize::MAX);
        let line =
            text.as_deref().and_then(|text| text.lines().nth(number)).filter(|line| line.len() <= QUOTED_LINE_MAX);
        let Some(line) = line.filter(|line| !line.trim().is_empty()) else { continue };
        let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        place.column = count(line) - count(line.trim_start()) + 1;
        place.width = count(line.trim()).max(1);
        line.clone_into(&mut place.text);
    }
}

fn read(file: &str) -> Option<String> {
    let is_small = std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.len() <= FILE_OCTETS_MAX);
    std::fs::read(file).ok().filter(|_| is_small).map(|octets| String::from_utf8_lossy(&octets).into_owned())
}
