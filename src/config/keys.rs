//! Where the keys lie by a configuration that may be wrong elsewhere: all that a command needs to ask a running server.

use super::{CODES, KEYS, path};
use crate::diagnostic::Diagnostic;
use crate::fields::{Reader, Table};
use std::path::PathBuf;

/// The folder of keys as the file writes it, or the default where it writes none. Nothing else of the file is looked at.
///
/// # Errors
/// What is wrong with the line of `keys` itself: another folder may be the one of another server, so none is guessed.
pub fn keys_folder(file: &str, text: &str) -> Result<PathBuf, Vec<Diagnostic>> {
    let mut reader = Reader::new(file, text, 1, &CODES);
    let table = reader.toml();
    // A bracket or quote that is not closed swallows the lines behind it: that of `keys` is read by itself then.
    let is_swallowed = table.get("keys").is_none() && !reader.errors.is_empty();
    let top = text.lines().zip(1..).take_while(|(line, _)| !line.starts_with('['));
    match top.filter(|_| is_swallowed).find(|(line, _)| is_of_keys(line)) {
        Some((line, number)) => {
            let mut reader = Reader::new(file, line, number, &CODES);
            let table = reader.toml();
            folder(reader, &table)
        }
        None => folder(reader, &table),
    }
}

/// Whether a line begins as that of `keys` does.
fn is_of_keys(line: &str) -> bool {
    let rest = line.trim_start().trim_start_matches(['"', '\'']).strip_prefix("keys");
    rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || "_-.".contains(next)))
}

fn folder(mut reader: Reader<'_>, table: &Table) -> Result<PathBuf, Vec<Diagnostic>> {
    let line_of_keys = table.get("keys").map(|(key, _)| reader.place(key.span.clone()).line);
    let is_about = |fault: &Diagnostic| Some(fault.place.line) == line_of_keys || is_of_keys(&fault.place.text);
    reader.errors.retain(is_about);
    let twice = table.0.iter().filter(|(key, _)| key.value == "keys").nth(1);
    if let Some((key, _)) = twice {
        reader.error(CODES.syntax, key.span.clone(), "key `keys` is here twice", "keep one of them");
    }
    let folder = path(&mut reader, table, "keys");
    if reader.errors.is_empty() { Ok(folder.unwrap_or_else(|| PathBuf::from(KEYS))) } else { Err(reader.errors) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_found_whatever_else_is_wrong() {
        for (text, folder) in [
            ("version = 2\nkeys = \"k\"\n", "k"),
            ("version = 1\nlisten = [\n\nkeys = \"k\"", "k"),
            ("verzion == 1\nkeys = '/srv/k' # here\n[server\nworkers = x", "/srv/k"),
            ("[server]\nkeys = \"not this one\"", "keys"),
            ("version = 1\nkeys_old = 7\n", "keys"),
            ("", "keys"),
            ("\u{fffd}\u{fffd}\u{0}", "keys"),
        ] {
            assert_eq!(keys_folder("mxseal.toml", text), Ok(PathBuf::from(folder)), "{text}");
        }
    }

    #[test]
    fn a_broken_line_of_keys_is_told_and_nothing_is_guessed() {
        for text in
            ["keys = \"k", "keys k", "keys = 7", "keys = ", "keys = \"\"", "keys = \"a\"\nkeys = \"b\"", "\"keys\" = ["]
        {
            let text = format!("version = 1\n{text}\n[server]\nworkers = x\n");
            let found = keys_folder("mxseal.toml", &text).expect_err(&text);
            assert!(found.iter().all(|finding| (2..=3).contains(&finding.place.line)), "{text}: {found:?}");
        }
    }
}
