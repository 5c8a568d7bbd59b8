//! Where a server is by a configuration that may be wrong elsewhere: all that a command needs to ask it.

use super::{CODES, KEYS, path};
use crate::diagnostic::Diagnostic;
use crate::fields::{Reader, Table, Value};
use std::path::PathBuf;

/// Where a server is to be asked, as its file writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    /// The folder of keys, or the default where the file writes none.
    pub keys: PathBuf,
    /// The control socket, where the file names it.
    pub socket: Option<PathBuf>,
}

/// Reads where the server is. Nothing else of the file is looked at.
///
/// # Errors
/// What is wrong with the lines of `keys` and `socket` themselves: another place may be that of another server, so none is
/// guessed.
pub fn whereabouts(file: &str, text: &str) -> Result<Whereabouts, Vec<Diagnostic>> {
    let keys = value(file, text, &Wanted { section: None, key: "keys" })?;
    let socket = value(file, text, &Wanted { section: Some("server"), key: "socket" })?;
    Ok(Whereabouts { keys: keys.unwrap_or_else(|| PathBuf::from(KEYS)), socket })
}

/// A path that is looked for.
struct Wanted {
    /// The table that has it; none: the top of the file.
    section: Option<&'static str>,
    key: &'static str,
}

fn value(file: &str, text: &str, wanted: &Wanted) -> Result<Option<PathBuf>, Vec<Diagnostic>> {
    let mut reader = Reader::new(file, text, 1, &CODES);
    let table = reader.toml();
    let section = wanted.section.and_then(|section| match &table.get(section)?.1.value {
        Value::Table(inner) => Some(inner),
        _ => None,
    });
    let whole = if wanted.section.is_none() { Some(&table) } else { section };
    // A bracket or quote that is not closed swallows the lines behind it: that of the path is read by itself then.
    let is_swallowed = whole.is_none_or(|table| table.get(wanted.key).is_none()) && !reader.errors.is_empty();
    match lines_of(text, wanted.section).filter(|_| is_swallowed).find(|(line, _)| is_of(line, wanted.key)) {
        Some((line, number)) => {
            let mut reader = Reader::new(file, line, number, &CODES);
            let table = reader.toml();
            path_in(reader, &table, wanted.key)
        }
        None => path_in(reader, whole.unwrap_or(&Table::default()), wanted.key),
    }
}

/// The lines of a table with their numbers: those at the top of the file, or behind the line that begins it.
fn lines_of<'t>(text: &'t str, section: Option<&'static str>) -> Box<dyn Iterator<Item = (&'t str, u32)> + 't> {
    let within = |(line, _): &(&str, u32)| !line.starts_with('[');
    let all = text.lines().zip(1..);
    let Some(section) = section else { return Box::new(all.take_while(within)) };
    let begins = move |line: &str| {
        line.strip_prefix('[').and_then(|line| line.split(']').next()).is_some_and(|name| name.trim() == section)
    };
    Box::new(all.skip_while(move |(line, _)| !begins(line)).skip(1).take_while(within))
}

/// Whether a line begins as that of a key does.
fn is_of(line: &str, key: &str) -> bool {
    let rest = line.trim_start().trim_start_matches(['"', '\'']).strip_prefix(key);
    rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || "_-.".contains(next)))
}

fn path_in(mut reader: Reader<'_>, table: &Table, wanted: &str) -> Result<Option<PathBuf>, Vec<Diagnostic>> {
    let its_line = table.get(wanted).map(|(key, _)| reader.place(key.span.clone()).line);
    let is_about = |fault: &Diagnostic| Some(fault.place.line) == its_line || is_of(&fault.place.text, wanted);
    reader.errors.retain(is_about);
    let twice = table.0.iter().filter(|(key, _)| key.value == wanted).nth(1);
    if let Some((key, _)) = twice {
        reader.error(CODES.syntax, key.span.clone(), format!("key `{wanted}` is here twice"), "keep one of them");
    }
    let found = path(&mut reader, table, wanted);
    if reader.errors.is_empty() { Ok(found) } else { Err(reader.errors) }
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
            let found = Whereabouts { keys: PathBuf::from(folder), socket: None };
            assert_eq!(whereabouts("mxseal.toml", text), Ok(found), "{text}");
        }
    }

    #[test]
    fn the_socket_is_found_whatever_else_is_wrong() {
        for (text, socket) in [
            ("version = 2\n[server]\nsocket = \"s\"\n", Some("s")),
            ("version = 1\n[server]\nlisten = [\nsocket = \"/run/s\"\n[zone]\n", Some("/run/s")),
            ("verzion == 1\n[ server ]\nworkers = x\nsocket = '/run/s' # here", Some("/run/s")),
            ("socket = \"not this one\"\n[log]\nsocket = \"nor this\"\n[server]\nsocket_group = 7", None),
            ("server = 7", None),
        ] {
            let found = whereabouts("mxseal.toml", text).map(|found| found.socket);
            assert_eq!(found, Ok(socket.map(PathBuf::from)), "{text}");
        }
        for line in ["socket = \"k", "socket = 7", "socket = \"\"", "socket = \"a\"\nsocket = \"b\""] {
            let text = format!("version = 1\n[server]\n{line}\n");
            let found = whereabouts("mxseal.toml", &text).expect_err(&text);
            assert!(found.iter().all(|finding| (3..=4).contains(&finding.place.line)), "{text}: {found:?}");
        }
    }

    #[test]
    fn a_broken_line_of_keys_is_told_and_nothing_is_guessed() {
        for text in
            ["keys = \"k", "keys k", "keys = 7", "keys = ", "keys = \"\"", "keys = \"a\"\nkeys = \"b\"", "\"keys\" = ["]
        {
            let text = format!("version = 1\n{text}\n[server]\nworkers = x\n");
            let found = whereabouts("mxseal.toml", &text).expect_err(&text);
            assert!(found.iter().all(|finding| (2..=3).contains(&finding.place.line)), "{text}: {found:?}");
        }
    }
}
