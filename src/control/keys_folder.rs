//! The folder of a zone below `keys/`: how it is named, who may use it, and which of its files look like keys.
//!
//! Nothing is written here, and no folder is ever another zone's or lies elsewhere.

use super::copies::{self, COPY_NAME};
pub(super) use super::durable::is_there;
use super::durable::{self, DiskFault, UNFINISHED_PREFIX};
use super::frozen::{Cause, Frozen};
use super::journal::ZoneFacts;
use super::keyfile::KEY_SUFFIX;
use crate::diagnostic::{Diagnostic, Place};
use crate::dns::name;
use std::path::Path;

/// The file that names the process which holds the lock. The lock itself is on the folder, so removing this file frees
/// nothing.
pub(super) const LOCK_NAME: &str = "lock";
/// Names beside the zones' folders in `keys/`; a zone of such a name gets a final dot.
const TAKEN_NAMES: [&str; 5] = [LOCK_NAME, "control.sock", "pools", "last-good-pools.toml", COPY_NAME];

/// Name of a zone's folder: its apex without the final dot; octets that have a meaning in paths, or none in names of
/// hosts, as `%` and two hex digits, so that no zone's folder is another's or lies elsewhere.
pub(super) fn folder_name(apex: &[u8]) -> String {
    let mut text = String::new();
    for label in name::labels(apex) {
        if !text.is_empty() {
            text.push('.');
        }
        for octet in label {
            match octet.to_ascii_lowercase() {
                plain @ (b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_') => text.push(char::from(plain)),
                other => text.push_str(&format!("%{other:02x}")),
            }
        }
    }
    match text.as_str() {
        "" => "%2e".to_owned(),
        taken if TAKEN_NAMES.contains(&taken) => format!("{taken}."),
        _ => text,
    }
}

pub(super) fn check_folder(folder: &Path) -> Result<(), Frozen> {
    let as_read = |cause| Frozen::disk(DiskFault { file: folder.to_owned(), doing: "read", cause });
    let found = std::fs::symlink_metadata(folder).map_err(as_read)?;
    if !found.is_dir() {
        return Err(Frozen::new(
            Cause::Folder,
            folder,
            "it is not a folder",
            "put the zone's folder back in its place",
        ));
    }
    match durable::check_private(&found).map_err(as_read)? {
        Ok(()) => Ok(()),
        Err(exposure) => Err(Frozen::exposed(folder, exposure, "700")),
    }
}

/// Names of all files in a zone's folder that look like keys, sorted.
pub(super) fn key_files(folder: &Path) -> Result<Vec<String>, Frozen> {
    let as_read = |cause| Frozen::disk(DiskFault { file: folder.to_owned(), doing: "read", cause });
    let entries = match std::fs::read_dir(folder) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(as_read)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(as_read)?.file_name().to_string_lossy().into_owned();
        if name.ends_with(KEY_SUFFIX) && !name.starts_with(UNFINISHED_PREFIX) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Key files that the journal does not name. They are left alone, and never signed with. One that has a copy was being
/// made when the server ended: it goes on to be the next key of its kind.
pub(super) fn strays(folder: &Path, key_files: &[String], facts: &ZoneFacts) -> Vec<Diagnostic> {
    let unknown = key_files.iter().filter(|name| facts.keys.iter().all(|key| key.file != **name));
    let unknown = unknown.filter(|name| !is_there(&copies::copy_of(&folder.join(name))));
    unknown
        .map(|name| {
            let place = Place::file(folder.join(name).display().to_string());
            let message = format!("key file `{name}` is not named by the zone's journal and is not used");
            Diagnostic::warning("MX5011", place, message, "move it away, or bring it in with `mxseal keys import`")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::{Name, ROOT};

    #[test]
    fn no_zone_takes_the_folder_of_another_or_a_path_elsewhere() {
        for (apex, folder) in [
            ("a-v1.mx.example.", "a-v1.mx.example"),
            (".", "%2e"),
            ("pools.", "pools."),
            ("control.sock.", "control.sock."),
            ("a/b.example.", "a%2fb.example"),
            ("\\.\\./x.example.", "%2e%2e%2fx.example"),
            ("a\\.b.example.", "a%2eb.example"),
            ("%2e.example.", "%252e.example"),
        ] {
            let apex = Name::parse(apex, ROOT).expect("a name");
            assert_eq!(folder_name(&apex), folder);
        }
    }
}
