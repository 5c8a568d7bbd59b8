//! What is told of files of tenants that are not used as they are: the first findings whole, the rest as counts by folder.
//!
//! Pure. A hundred thousand broken files have one cause, and whoever looks for it reads a few of them; all of them whole
//! would take more memory than what is served.

use crate::diagnostic::{Diagnostic, Place};
use crate::world::tenants::Waiting;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Findings about the tenants of a zone that are kept whole, at most.
pub const TOLD_MAX: usize = 1000;
/// Folders that are told of one by one where findings are counted; the rest are told of together.
const FOLDERS_MAX: usize = 20;

/// What is told of the files of one zone's tenants.
pub(crate) struct Telling {
    /// Findings to keep whole, at most.
    pub max: usize,
    /// Entries and files that are not used as they are.
    pub broken: usize,
    /// Findings that are kept whole.
    whole: usize,
    /// Files with findings that are kept whole, and how many lists of them.
    told: BTreeMap<Arc<str>, u32>,
    /// Folders with files of which something is only counted, and how often.
    untold: BTreeMap<Box<str>, BTreeMap<Arc<str>, u32>>,
    /// Entries that wait for a broken pool, by its name: these are told of with their pool, and not counted here.
    pub pools: BTreeMap<Box<str>, usize>,
}

impl Default for Telling {
    fn default() -> Telling {
        Telling {
            max: TOLD_MAX,
            broken: 0,
            whole: 0,
            told: BTreeMap::new(),
            untold: BTreeMap::new(),
            pools: BTreeMap::new(),
        }
    }
}

impl Telling {
    /// What is kept of findings about a file: all, or nothing and they are counted. None of it is lost: `check` reads anew.
    pub fn take(&mut self, path: &Arc<str>, findings: Box<[Diagnostic]>) -> Box<[Diagnostic]> {
        if self.whole + findings.len() > self.max || findings.is_empty() {
            let files = self.untold.entry(folder(path).into()).or_default();
            *files.entry(Arc::clone(path)).or_default() += 1;
            return Box::default();
        }
        self.whole += findings.len();
        *self.told.entry(Arc::clone(path)).or_default() += 1;
        findings
    }

    /// The same of the reasons of an entry; what is kept of them.
    pub fn take_entry(&mut self, path: &Arc<str>, waiting: &mut Waiting) {
        self.broken += 1;
        let reasons = std::mem::take(&mut waiting.reasons);
        if let Some(pool) = waiting.waits_for() {
            *self.pools.entry(pool.into()).or_default() += 1;
            if self.whole + reasons.len() > self.max {
                return;
            }
        }
        waiting.reasons = self.take(path, reasons);
    }

    /// An entry does not wait any more.
    pub fn give_back_entry(&mut self, path: &Arc<str>, waiting: &Waiting) {
        self.broken -= 1;
        if let Some(pool) = waiting.waits_for() {
            match self.pools.get_mut(pool) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(self.pools.remove(pool)),
            }
            if waiting.reasons.is_empty() {
                return;
            }
        }
        self.give_back(path, &waiting.reasons);
    }

    /// These do not stand any more; they are what was kept of them.
    pub fn give_back(&mut self, path: &Arc<str>, kept: &[Diagnostic]) {
        self.whole -= kept.len();
        if !kept.is_empty() {
            return take_one(&mut self.told, path);
        }
        let Some(files) = self.untold.get_mut(folder(path)) else { return };
        take_one(files, path);
        if files.is_empty() {
            self.untold.remove(folder(path));
        }
    }

    /// Files with findings that are kept whole.
    pub fn files(&self) -> impl Iterator<Item = &Arc<str>> {
        self.told.keys()
    }

    /// What is only counted, by folder.
    pub fn counted(&self) -> Vec<Diagnostic> {
        let whole = self.untold.iter().take(FOLDERS_MAX);
        let mut all: Vec<Diagnostic> = whole.map(|(folder, files)| counted(folder, files.len(), files)).collect();
        let rest = self.untold.iter().skip(FOLDERS_MAX);
        let (folders, files) = rest.fold((0, 0), |(folders, count), (_, files)| (folders + 1, count + files.len()));
        if let Some((folder, first)) = self.untold.iter().nth(FOLDERS_MAX) {
            let place = Place::file(first.keys().next().map_or(folder.to_string(), ToString::to_string));
            let message =
                format!("{files} more files in {folders} more folders are not used as they are, this one first");
            all.push(Diagnostic::error(UNTOLD, place, message, HELP));
        }
        all
    }

    /// How many lists of findings are kept whole, and counted: to hold them against what the files have.
    pub fn counts(&self) -> (usize, u32, u32) {
        let untold = self.untold.values().flat_map(BTreeMap::values).sum();
        (self.whole, self.told.values().sum(), untold)
    }
}

/// Code of what is only counted.
const UNTOLD: &str = "MX4211";
const HELP: &str =
    "`mxseal check` says of each what is wrong; correct those that are named first, they may have one cause";

fn counted(folder: &str, count: usize, files: &BTreeMap<Arc<str>, u32>) -> Diagnostic {
    let first = files.keys().next().map(|first| first.to_string()).unwrap_or_default();
    let name = first.rsplit('/').next().unwrap_or_default();
    let files = if count == 1 {
        "1 more file is not used as it is"
    } else {
        &format!("{count} more files are not used as they are")
    };
    let message = format!("{files}; the first is {name}");
    Diagnostic::error(UNTOLD, Place::file(folder), message, HELP)
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn take_one(files: &mut BTreeMap<Arc<str>, u32>, path: &Arc<str>) {
    match files.get_mut(path) {
        Some(count) if *count > 1 => *count -= 1,
        _ => drop(files.remove(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, count: usize) -> Box<[Diagnostic]> {
        vec![Diagnostic::error("MX4001", Place::file(path), "broken", "mend it"); count].into()
    }

    #[test]
    fn the_first_are_whole_and_the_rest_are_counted_by_folder_until_they_are_mended() {
        let mut telling = Telling { max: 2, ..Telling::default() };
        let paths: Vec<Arc<str>> = ["z/a/1", "z/a/2", "z/a/3", "z/b/1", "z/a/4"].map(Arc::from).into();
        let kept: Vec<_> = paths.iter().map(|path| telling.take(path, findings(path, 1))).collect();
        assert_eq!(kept.iter().map(|kept| kept.len()).collect::<Vec<_>>(), [1, 1, 0, 0, 0]);
        let lines: Vec<String> = telling.counted().iter().map(|d| format!("{}: {}", d.place.file, d.message)).collect();
        assert_eq!(
            lines,
            [
                "z/a: 2 more files are not used as they are; the first is 3",
                "z/b: 1 more file is not used as it is; the first is 1",
            ]
        );
        for (path, kept) in paths.iter().zip(&kept) {
            telling.give_back(path, kept);
        }
        assert_eq!((telling.counts(), telling.counted().len(), telling.files().count()), ((0, 0, 0), 0, 0));
    }

    #[test]
    fn many_folders_are_told_of_together() {
        let mut telling = Telling { max: 0, ..Telling::default() };
        for i in 0..FOLDERS_MAX + 30 {
            let path: Arc<str> = format!("z/{i:03}/x").into();
            telling.take(&path, findings(&path, 1));
        }
        let counted = telling.counted();
        assert_eq!(counted.len(), FOLDERS_MAX + 1);
        let last = counted.last().expect("just counted");
        assert_eq!(last.place.file, format!("z/{FOLDERS_MAX:03}/x"));
        assert!(last.message.starts_with("30 more files in 30 more folders"), "{}", last.message);
    }
}
