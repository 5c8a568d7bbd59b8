//! The folder of a zone below `keys/`: how it is named, who may use it, and which of its files look like keys.
//!
//! Nothing is written here, and no folder is ever another zone's or lies elsewhere.

use crate::diagnostic::{Diagnostic, Place};
use crate::dns::{name, zone_name};
use crate::store::copies;
use crate::store::copies::COPY_NAME;
use crate::store::durable::{DiskFault, UNFINISHED_PREFIX, is_there};
use crate::store::journal::ZoneFacts;
use crate::store::keyfile::KEY_SUFFIX;
use crate::store::silence::Silence;
use std::path::{Path, PathBuf};

/// The file that names the process which holds the lock. The lock itself is on the folder, so removing this file frees
/// nothing.
pub(crate) const LOCK_NAME: &str = "lock";
/// Names beside the zones' folders in `keys/`; a zone of such a name gets a final dot.
const TAKEN_NAMES: [&str; 5] = [LOCK_NAME, "control.sock", "pools", "last-good-pools.toml", COPY_NAME];

/// The folder of a zone below `keys`. Where a program of before has named it by its rule, it is found there.
pub(crate) fn zone_folder(keys: &Path, apex: &[u8]) -> PathBuf {
    let folder = keys.join(folder_name(apex));
    let earlier = keys.join(earlier_name(apex));
    if earlier != folder && is_there(&earlier) && !is_there(&folder) { earlier } else { folder }
}

/// Name of a zone's folder: that of its master file, so that no zone's folder is another's or lies elsewhere.
pub(super) fn folder_name(apex: &[u8]) -> String {
    let text = zone_name::print(apex);
    if TAKEN_NAMES.contains(&text.as_str()) { format!("{text}.") } else { text }
}

/// What programs of before called it: they wrote other octets as `%` and two hex digits.
fn earlier_name(apex: &[u8]) -> String {
    let is_plain = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    let written = |octet: &u8| match is_plain(octet) {
        true => char::from(octet.to_ascii_lowercase()).to_string(),
        false => format!("%{octet:02x}"),
    };
    let labels: Vec<String> = name::labels(apex).map(|label| label.iter().map(written).collect()).collect();
    match labels.join(".") {
        taken if TAKEN_NAMES.contains(&taken.as_str()) => folder_name(apex),
        text => text,
    }
}

/// Names of all files in a zone's folder that look like keys, sorted.
pub(super) fn key_files(folder: &Path) -> Result<Vec<String>, Silence> {
    let as_read = |cause| Silence::disk(DiskFault { file: folder.to_owned(), doing: "read", cause });
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
        for (apex, folder, earlier) in [
            ("a-v1.mx.example.", "a-v1.mx.example", "a-v1.mx.example"),
            ("\\..", "\\046", "%2e"),
            ("pools.", "pools.", "pools."),
            ("control.sock.", "control.sock.", "control.sock."),
            ("a/b.example.", "a\\047b.example", "a%2fb.example"),
            ("\\.\\./x.example.", "\\046\\046\\047x.example", "%2e%2e%2fx.example"),
            ("a\\.b.example.", "a\\046b.example", "a%2eb.example"),
            ("%2e.example.", "\\0372e.example", "%252e.example"),
            ("*.mx.example.", "\\042.mx.example", "%2a.mx.example"),
        ] {
            let apex = Name::parse(apex, ROOT).expect("a name");
            assert_eq!((folder_name(&apex).as_str(), earlier_name(&apex).as_str()), (folder, earlier));
        }
    }

    #[test]
    fn the_folder_of_a_program_of_before_is_found_again() {
        let keys = tempfile::tempdir().expect("a folder");
        let apex = Name::parse("*.mx.example.", ROOT).expect("a name");
        let path = |name: &str| keys.path().join(name);
        assert_eq!(zone_folder(keys.path(), &apex), path("\\042.mx.example"));
        std::fs::create_dir(path("%2a.mx.example")).expect("a folder");
        assert_eq!(zone_folder(keys.path(), &apex), path("%2a.mx.example"));
        std::fs::create_dir(path("\\042.mx.example")).expect("a folder");
        assert_eq!(zone_folder(keys.path(), &apex), path("\\042.mx.example"));
    }
}
