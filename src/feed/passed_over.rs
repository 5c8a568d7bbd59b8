//! Files in the folder of zones that nobody reads: `check` names them, since whoever wrote them believes otherwise.
//!
//! What editors and copy tools leave behind is not named, nor what a master file includes or a pool names.

use crate::diagnostic::{Diagnostic, Place};
use crate::world::paths::{FOLDER_DEPTH_MAX, is_dropping, is_dropping_folder, join, kind};
use std::collections::BTreeSet;
use std::path::Path;

/// Files that are named, at most: past it the folder is not what it seems, and a person has read enough.
const FILES_MAX: usize = 1000;
/// What the files of others end with that hold zones, pools or tenants.
const OTHERS: [&str; 11] = ["json", "jsonl", "yaml", "yml", "csv", "conf", "db", "dns", "hosts", "master", "axfr"];
/// What ours end with.
const OURS: [&str; 3] = ["zone", "toml", "ndjson"];

/// The paths below `zones` that are of no known kind and not among `named`, in order.
pub(crate) fn find(zones: &Path, named: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    walk(zones, "", 0, named, &mut found);
    found.sort();
    found
}

fn walk(zones: &Path, folder: &str, depth: usize, named: &BTreeSet<String>, found: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(zones.join(folder)) else { return };
    for entry in entries.flatten() {
        let path = join(folder, &entry.file_name().to_string_lossy());
        let name = path.rsplit('/').next().unwrap_or(&path);
        let is_folder = zones.join(&path).is_dir();
        if is_folder && !is_dropping_folder(name) && depth < FOLDER_DEPTH_MAX && !entry.path().is_symlink() {
            walk(zones, &path, depth + 1, named, found);
        } else if !is_folder && kind(&path).is_none() && !is_dropping(name) && !named.contains(&path) {
            if found.len() >= FILES_MAX {
                return;
            }
            found.push(path);
        }
    }
}

/// A warning where the file at `path` looks as if it was meant to be read; `shown` is how it is shown.
pub(crate) fn mistake(path: &str, shown: String) -> Option<Diagnostic> {
    let (folder, name) = path.rsplit_once('/').map_or((None, path), |(folder, name)| (Some(folder), name));
    let (stem, end) = name.rsplit_once('.').unwrap_or((name, ""));
    let end = end.to_ascii_lowercase();
    let near = OURS.iter().any(|ours| strsim::damerau_levenshtein(&end, ours) <= 2 && end.len() > 2);
    let help = match folder {
        None if name.starts_with("db.") => format!("a master file is named after its zone: {}.zone", &name[3..]),
        None if end == "toml" || end == "ndjson" => {
            "a tenant's file lies in the folder of its zone; only `pools.toml` lies here".to_owned()
        }
        None if near || OTHERS.contains(&end.as_str()) => {
            format!("a master file is named after its zone: {stem}.zone; pools are in pools.toml")
        }
        Some(_) if end == "zone" => {
            "a master file lies in the folder of zones itself, or is included by one".to_owned()
        }
        Some(_) if near || OTHERS.contains(&end.as_str()) => {
            format!("files of tenants end with `.toml` (one tenant) or `.ndjson` (one JSON object a line): {stem}.toml")
        }
        None | Some(_) => return None,
    };
    let message = "the file is of no known kind, so nobody reads it";
    Some(Diagnostic::warning("MX6101", Place::file(shown), message, help))
}

/// Nothing is served where there is no zone.
pub(crate) fn no_zone(zones: &Path) -> Diagnostic {
    let message = "there is no master file here, so no zone is served";
    let help = "write one and name it after its zone, as in mx.example.zone; or correct `zones` in mxseal.toml";
    Diagnostic::warning("MX6102", Place::file(zones.display().to_string()), message, help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_file_of_ours_is_a_mistake_and_other_files_are_not() {
        let help = |path: &str| mistake(path, path.to_owned()).map(|found| found.help);
        for path in ["db.example.org", "example.org.db", "example.org.zon", "contoso.com.toml", "pool.toml", "x.yaml"] {
            assert!(help(path).is_some(), "{path}");
        }
        for path in ["mx.example/x.tom", "mx.example/x.json", "mx.example/a/x.yaml", "mx.example/sub.zone", "a/x.ndjsn"]
        {
            assert!(help(path).is_some(), "{path}");
        }
        for path in ["README", "README.md", "certs/chain.pem", "Makefile", "a/notes.txt", "Kbuild.sh"] {
            assert_eq!(help(path), None, "{path}");
        }
        assert!(help("db.example.org").is_some_and(|help| help.ends_with("example.org.zone")));
    }
}
