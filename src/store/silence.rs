//! Why a zone's keys cannot be used, and what to do about it.
//!
//! It never quotes what a key file holds.

use crate::diagnostic::{Diagnostic, Place};
use crate::store::durable::{self, DiskFault, Exposure};
use crate::store::journal::file::{AppendFault, ReadFault};
use crate::store::keyfile::KeyFileFault;
use std::path::Path;

/// A zone whose keys cannot be used, so that it is silent; nothing is made in a key's place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {reason} ({fix})")]
pub struct Silence {
    /// The kind of reason.
    pub cause: Cause,
    /// The file or folder at fault.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
    /// What to do.
    pub fix: String,
}

/// Kinds of reasons for the silence of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The disk refused to write, read or sync.
    Disk,
    /// The zone's folder is something else.
    Folder,
    /// Key files are there, and the journal is not.
    JournalMissing,
    /// The journal is not as it was written, or a newer version wrote it.
    JournalDamaged,
    /// A key that the journal names is not there.
    KeyMissing,
    /// A key file is not a private key of its algorithm.
    KeyUnreadable,
    /// A key file, or the zone's folder, can be used by others.
    Exposed,
    /// A key file holds another key than the journal says.
    KeyMismatch,
    /// The journal names no key that signs.
    NoActiveKey,
    /// The system gave no new key.
    NotMade,
    /// The configuration asks for keys that do not exist.
    Wanted,
    /// It was published, and its keys are gone.
    Gone,
    /// It has no keys, and there is reason to believe that it was published.
    Suspected,
    /// It has no keys, and what was published is not known.
    PastUnknown,
    /// It has no keys, and its parent is being asked.
    Asking,
    /// Its keys are those of an old copy.
    OldCopy,
}

/// Codes of zones that have no keys: they are gone, or that must be feared, or what was published is not known, or their
/// parents are being asked.
pub const WITHOUT_KEYS: [&str; 4] = [GONE, SUSPECTED, PAST_UNKNOWN, ASKING];
const GONE: &str = "MX5030";
const SUSPECTED: &str = "MX5031";
const PAST_UNKNOWN: &str = "MX5032";
/// Code of a zone whose parent is being asked.
pub const ASKING: &str = "MX5033";
/// Code of a zone with an old copy of its folder.
pub const OLD_COPY: &str = "MX5034";
const MISSING: &str = "this private key, which the journal names, is missing";
/// Codes of what may end while the server runs, without anybody's word: a disk or its rights, another folder in the place of
/// `keys/`, a system that gives no random numbers. What a person restores piece by piece is not among them.
const PASSING: [&str; 6] = ["MX5001", "MX5002", "MX5006", "MX5007", "MX5012", PAST_UNKNOWN];
const RESTORE: &str = "restore it from a backup; no new key is made, since validators would refuse its signatures";

/// Whether what stopped a zone is tried again by itself.
pub(crate) fn is_passing(code: &str) -> bool {
    PASSING.contains(&code)
}

impl Silence {
    pub(crate) fn new(cause: Cause, file: &Path, reason: &str, fix: &str) -> Silence {
        let file = file.display().to_string();
        Silence { cause, file, reason: reason.to_owned(), fix: fix.to_owned() }
    }

    pub(super) fn disk(fault: DiskFault) -> Silence {
        let reason = format!("cannot {} it: {}", fault.doing, fault.cause);
        Silence::new(
            Cause::Disk,
            &fault.file,
            &reason,
            "repair this: it is tried again by itself within a minute; nothing half-made is ever used",
        )
    }

    pub(super) fn exposed(file: &Path, exposure: Exposure, mode: &str) -> Silence {
        let fix = match exposure {
            Exposure::Mode(_) => {
                format!("if no one else read it: `chmod {mode} {}`; else roll the key", file.display())
            }
            // Who is right, the owner or the process, is not known here: a chown to the wrong one would stop the zone.
            Exposure::Owner { owner, ours } => format!(
                "if the server is to run as user {owner}, name that one as `user` in [server] or start it so; if it is to run as \
                 user {ours}, and no one else read the key: `chown {ours} {}`; else roll the key",
                file.display()
            ),
        };
        Silence::new(Cause::Exposed, file, &exposure.to_string(), &fix)
    }

    pub(super) fn journal_missing(path: &Path, key_file: &str) -> Silence {
        let reason = format!("it is missing, while key file `{key_file}` is there");
        Silence::new(Cause::JournalMissing, path, &reason, RESTORE)
    }

    pub(crate) fn journal(path: &Path, fault: ReadFault) -> Silence {
        match fault {
            ReadFault::Disk(fault) => Silence::disk(fault),
            ReadFault::CopyDamaged(_) => Silence::new(Cause::JournalMissing, path, &fault.to_string(), RESTORE),
            ReadFault::Damaged(_) | ReadFault::Apart => {
                Silence::new(Cause::JournalDamaged, path, &fault.to_string(), RESTORE)
            }
        }
    }

    pub(super) fn append(path: &Path, fault: AppendFault) -> Silence {
        match fault {
            AppendFault::Disk(fault) => Silence::disk(fault),
            AppendFault::Contradiction { reason, .. } => Silence::new(Cause::JournalDamaged, path, &reason, RESTORE),
            AppendFault::TooLong { octets, .. } => {
                let reason = format!("a fact of {octets} octets is longer than one may be");
                Silence::new(Cause::JournalDamaged, path, &reason, RESTORE)
            }
            AppendFault::Full(_) => Silence::new(Cause::Disk, path, "it reached its size limit", RESTORE),
        }
    }

    pub(super) fn key(path: &Path, fault: KeyFileFault) -> Silence {
        match fault {
            KeyFileFault::Disk(fault) if fault.doing == "read" => {
                Silence { cause: Cause::KeyUnreadable, ..Silence::disk(fault) }
            }
            KeyFileFault::Disk(fault) => Silence::disk(fault),
            KeyFileFault::Exposed { exposure, .. } => Silence::exposed(path, exposure, "600"),
            KeyFileFault::Missing(_) => Silence::new(Cause::KeyMissing, path, MISSING, RESTORE),
            KeyFileFault::NotPem(_) => {
                Silence::new(Cause::KeyUnreadable, path, "it holds no `PRIVATE KEY` in PEM", RESTORE)
            }
            KeyFileFault::Key { fault, .. } => Silence::new(key_cause(&fault), path, &fault.to_string(), RESTORE),
        }
    }

    /// The same for lists of findings.
    pub fn diagnostic(&self) -> Diagnostic {
        let code = match self.cause {
            Cause::Disk => "MX5001",
            Cause::Folder => "MX5002",
            Cause::JournalMissing => "MX5003",
            Cause::JournalDamaged => "MX5004",
            Cause::KeyMissing => "MX5005",
            Cause::KeyUnreadable => "MX5006",
            Cause::Exposed => "MX5007",
            Cause::KeyMismatch => "MX5008",
            Cause::NoActiveKey => "MX5009",
            Cause::NotMade => "MX5012",
            Cause::Wanted => "MX5013",
            Cause::Gone => GONE,
            Cause::Suspected => SUSPECTED,
            Cause::PastUnknown => PAST_UNKNOWN,
            Cause::Asking => return Diagnostic::warning(ASKING, Place::file(&self.file), &self.reason, &self.fix),
            Cause::OldCopy => OLD_COPY,
        };
        Diagnostic::error(code, Place::file(&self.file), &self.reason, &self.fix)
    }
}

fn key_cause(fault: &crate::sign::key::KeyFault) -> Cause {
    use crate::sign::key::KeyFault;
    match fault {
        KeyFault::Other { .. } | KeyFault::NotProven(_) => Cause::KeyMismatch,
        KeyFault::Rejected { .. }
        | KeyFault::Algorithm(_)
        | KeyFault::Flags(_)
        | KeyFault::Length { .. }
        | KeyFault::NotMade => Cause::KeyUnreadable,
    }
}

/// Whether a folder is one that only its owner can use.
///
/// # Errors
/// [`Silence`], with what to do about the folder.
pub(crate) fn check_folder(folder: &Path) -> Result<(), Silence> {
    let as_read = |cause| Silence::disk(DiskFault { file: folder.to_owned(), doing: "read", cause });
    let found = std::fs::symlink_metadata(folder).map_err(as_read)?;
    if !found.is_dir() {
        return Err(Silence::new(
            Cause::Folder,
            folder,
            "it is not a folder",
            "put the zone's folder back in its place",
        ));
    }
    match durable::check_private(&found).map_err(as_read)? {
        Ok(()) => Ok(()),
        Err(exposure) => Err(Silence::exposed(folder, exposure, "700")),
    }
}
