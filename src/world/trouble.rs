//! What can be wrong with a file before anybody reads its content, and how to say it.
//!
//! Pure. A troubled file is never a deleted file: what was good before stays. No message quotes content.

use crate::diagnostic::passing;
use crate::diagnostic::{Diagnostic, Place};
use crate::world::paths::{FILES_MAX, FOLDER_DEPTH_MAX, FOLDERS_MAX, LINE_OCTETS_MAX};
use std::path::{Path, PathBuf};

/// Why a file or folder cannot be used as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It cannot be opened or read; the system's error number.
    Unreadable(i32),
    /// Everybody may write it.
    WorldWritable,
    /// A link whose target lies outside of the watched folder.
    LinkOut,
    /// A link whose target is not there.
    Dangling,
    /// Links that lead into each other, or links to folders inside a folder that is itself reached by a link.
    LinkLoop,
    /// More octets than its kind may have; the maximum.
    TooLarge(u64),
    /// A line longer than [`LINE_OCTETS_MAX`].
    LineTooLong,
    /// A FIFO, socket, device or folder with the name of a file.
    NotRegular,
    /// Its name is not UTF-8.
    NameNotUtf8,
    /// The watched folder is not there.
    RootMissing,
    /// The watched folder has lost everything at once.
    AllGone,
    /// A volume was unmounted: the folder is another file system now, and empty.
    Unmounted,
    /// The folder of a zone's tenants is not there, while the zone's file is.
    ZoneFolderGone,
    /// A folder cannot be listed; the system's error number.
    FolderUnreadable(i32),
    /// Folders nested too deep.
    TooDeep,
    /// More files than can be held in memory.
    TooManyFiles,
    /// The system gives no more watches.
    WatchLimit,
    /// The system gives no watcher at all.
    InstanceLimit,
    /// Somebody has it open for writing for long.
    HeldOpen,
    /// A second name of a file that is somebody else's, and that not everybody may read.
    Foreign,
    /// It could not be read for a fault of this moment, such as a lack of descriptors; the system's error number.
    Shortage(i32),
    /// A folder is not watched yet; the system's error number.
    Unwatched(i32),
    /// Watching failed otherwise; the system's error number, 0 where it gave none.
    WatchFailed(i32),
}

/// A file or folder that cannot be used as it is now. Said once when it begins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trouble {
    /// Relative to the watched folder; empty for that folder itself.
    pub path: PathBuf,
    /// Why.
    pub reason: Reason,
}

/// The end of a [`Trouble`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Healed {
    /// Path of the trouble that ended.
    pub path: PathBuf,
    /// Code of the trouble that ended.
    pub code: &'static str,
}

/// The codes by number, since a million files have only an octet each for theirs.
const CODES: [&str; 24] = [
    "", "MX6001", "MX6002", "MX6003", "MX6004", "MX6005", "MX6006", "MX6007", "MX6008", "MX6009", "MX6010", "MX6011",
    "MX6012", "MX6013", "MX6014", "MX6015", "MX6016", "MX6017", "MX6018", "MX6019", "MX6020", "MX6021", "MX6022",
    "MX6023",
];

/// The code of a number that [`Reason::number`] gave.
pub fn code_of(number: u8) -> &'static str {
    CODES.get(usize::from(number)).copied().unwrap_or("")
}

impl Reason {
    /// From 1; stable as the code is.
    pub fn number(self) -> u8 {
        match self {
            Reason::Unreadable(_) => 1,
            Reason::WorldWritable => 2,
            Reason::LinkOut => 3,
            Reason::Dangling => 4,
            Reason::LinkLoop => 5,
            Reason::TooLarge(_) => 6,
            Reason::LineTooLong => 7,
            Reason::NotRegular => 8,
            Reason::NameNotUtf8 => 9,
            Reason::RootMissing => 10,
            Reason::AllGone => 11,
            Reason::Unmounted => 12,
            Reason::ZoneFolderGone => 13,
            Reason::FolderUnreadable(_) => 14,
            Reason::TooDeep => 15,
            Reason::TooManyFiles => 16,
            Reason::WatchLimit => 17,
            Reason::InstanceLimit => 18,
            Reason::WatchFailed(_) => 19,
            Reason::HeldOpen => 20,
            Reason::Foreign => 21,
            Reason::Shortage(_) => 22,
            Reason::Unwatched(_) => 23,
        }
    }

    /// The stable code.
    pub fn code(self) -> &'static str {
        code_of(self.number())
    }

    /// What is wrong, and what to do.
    pub fn words(self) -> (String, &'static str) {
        let fixed = |message: &str, help| (message.to_owned(), help);
        match self {
            Reason::Unreadable(errno) => (
                format!("the file cannot be read: {}", system(errno)),
                "make it readable for the server's user, mode 0644 or 0640; its last good content stays until then",
            ),
            Reason::WorldWritable => {
                fixed("every user of this host may write the file", "take that away with `chmod o-w`")
            }
            Reason::LinkOut => fixed(
                "the link leads out of the watched folder",
                "put the file itself, or a link to a file of the same folder, here",
            ),
            Reason::Dangling => {
                fixed("the link's target is not there", "restore the target, or remove the link as well to delete it")
            }
            Reason::LinkLoop => fixed(
                "the link leads into itself, or to a folder from inside a folder that is reached by a link",
                "point it at the folder or file that is meant",
            ),
            Reason::TooLarge(max) => {
                (format!("the file has more than {max} octets"), "spread its content over several files")
            }
            Reason::LineTooLong => (
                format!("a line has more than {LINE_OCTETS_MAX} octets"),
                "end each line with a line feed; is this a text file?",
            ),
            Reason::NotRegular => fixed(
                "it has the name of a file, but is a folder, pipe, socket or device",
                "replace it by a regular file, or remove it",
            ),
            Reason::NameNotUtf8 => fixed("the name is not UTF-8", "rename it; domains are written as A-labels"),
            Reason::RootMissing => fixed(
                "the watched folder is not there; everything is served as it was",
                "restore or mount it; its absence deletes nothing",
            ),
            Reason::AllGone => fixed(
                "everything in the watched folder is gone at once; everything is served as it was",
                "restore it; to remove all zones on purpose, remove them from the configuration or stop the server",
            ),
            Reason::Unmounted => fixed(
                "the folder is empty and on another file system than before, as after an unmount; its last good content stays",
                "mount the volume again",
            ),
            Reason::ZoneFolderGone => fixed(
                "the folder of the zone's tenants is gone while the zone's file is there; all tenants stay",
                "restore the folder; to remove all tenants, leave it empty; to remove the zone, remove its file as well",
            ),
            Reason::FolderUnreadable(errno) => (
                format!("the folder cannot be listed: {}", system(errno)),
                "make it readable for the server's user; what was good below it stays until then",
            ),
            Reason::TooDeep => (format!("more than {FOLDER_DEPTH_MAX} folders inside each other"), "nest them less"),
            Reason::TooManyFiles => (
                format!("more than {FILES_MAX} files or {FOLDERS_MAX} folders; those past it are not read"),
                "put many tenants into one .ndjson file",
            ),
            Reason::HeldOpen => fixed(
                "somebody has the file open for writing; what is in it now may be a part of it, so it is not read",
                "end whoever writes it (`fuser FILE` names the process), or write beside it and rename over it",
            ),
            Reason::Foreign => fixed(FOREIGN, "put a copy of the file here, or let everybody read it: `chmod o+r`"),
            Reason::WatchLimit => (limited("watches", "watches"), RAISE_WATCHES),
            Reason::InstanceLimit => (limited("watchers", "instances"), RAISE_INSTANCES),
            Reason::Shortage(errno) => shortage(errno),
            Reason::Unwatched(errno) => (format!("the folder is not watched yet: {}", why(errno)), WATCHED_LATER),
            Reason::WatchFailed(errno) => unwatchable(errno),
        }
    }
}

impl Trouble {
    /// The trouble as a finding; `root` is the watched folder as the operator would type it.
    pub fn diagnostic(&self, root: &Path) -> Diagnostic {
        let (message, help) = self.reason.words();
        let file = if self.path.as_os_str().is_empty() { root.to_owned() } else { root.join(&self.path) };
        Diagnostic::error(self.reason.code(), Place::file(file.to_string_lossy()), message, help)
    }
}

const FOREIGN: &str = "the file has a second name elsewhere (a hard link), and belongs to neither root nor who owns this \
    folder, or others may write this folder; so it may be the secret of somebody else, and is not read";
const WATCHED_LATER: &str =
    "make it readable for the server's user; it is tried again each second, and read anew once it is watched";
const AGAIN: &str = "it is tried again by itself";
const RAISE_WATCHES: &str = "raise it: `sysctl fs.inotify.max_user_watches=1048576`; one is needed for each folder";
const RAISE_INSTANCES: &str = "raise it: `sysctl fs.inotify.max_user_instances=1024`";

fn limited(what: &str, limit: &str) -> String {
    format!("the system gives no more {what}: fs.inotify.max_user_{limit} is reached; changes are found by scanning")
}

fn shortage(errno: i32) -> (String, &'static str) {
    let (why, help) = passing::words(errno).unwrap_or(("a fault of this moment", AGAIN));
    (format!("it could not be read: {why}; its last good content stays"), help)
}

fn unwatchable(errno: i32) -> (String, &'static str) {
    let help = passing::words(errno).map_or("see the system's log", |(_, help)| help);
    (format!("the folder cannot be watched: {}; changes are found by scanning", why(errno)), help)
}

fn why(errno: i32) -> String {
    passing::words(errno).map_or_else(|| system(errno), |(why, _)| why.to_owned())
}

fn system(errno: i32) -> String {
    if errno == 0 {
        return "for no known reason".to_owned();
    }
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_code_and_says_what_to_do() {
        let all = [
            Reason::Unreadable(13),
            Reason::WorldWritable,
            Reason::LinkOut,
            Reason::Dangling,
            Reason::LinkLoop,
            Reason::TooLarge(1),
            Reason::LineTooLong,
            Reason::NotRegular,
            Reason::NameNotUtf8,
            Reason::RootMissing,
            Reason::AllGone,
            Reason::Unmounted,
            Reason::ZoneFolderGone,
            Reason::FolderUnreadable(13),
            Reason::TooDeep,
            Reason::TooManyFiles,
            Reason::WatchLimit,
            Reason::InstanceLimit,
            Reason::WatchFailed(0),
            Reason::HeldOpen,
            Reason::Foreign,
            Reason::Shortage(libc::EMFILE),
            Reason::Unwatched(13),
        ];
        for (at, reason) in all.into_iter().enumerate() {
            assert_eq!(usize::from(reason.number()), at + 1);
            assert_eq!(reason.code(), format!("MX60{:02}", at + 1));
            let (message, help) = reason.words();
            assert!(!message.ends_with('.') && !help.is_empty() && !help.ends_with('.'), "{message}");
            assert!(message.chars().next().is_some_and(char::is_lowercase), "{message}");
        }
    }

    #[test]
    fn a_lack_of_descriptors_is_told_as_that_and_not_as_a_fault_of_the_file() {
        for reason in
            [Reason::Shortage(libc::EMFILE), Reason::WatchFailed(libc::EMFILE), Reason::Unwatched(libc::EMFILE)]
        {
            let (message, help) = reason.words();
            assert!(message.contains("no file descriptors are left for this process"), "{message}");
            assert!(!help.contains("0644"), "{help}");
        }
    }

    #[test]
    fn a_trouble_names_the_file_as_the_operator_types_it() {
        let trouble = Trouble { path: PathBuf::from("a.example/x.toml"), reason: Reason::Unreadable(13) };
        let line = trouble.diagnostic(Path::new("zones")).one_line();
        assert!(line.starts_with("zones/a.example/x.toml: the file cannot be read: permission denied"), "{line}");
    }
}
