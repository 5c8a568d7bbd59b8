//! What outlives the zones' folders, in `keys/` beside them: what was published of each zone, and what was unsigned.
//!
//! What cannot be believed is never taken for nothing, and never written over: someone must look at it first. Where all of
//! `keys/` is old, these files are old, too, and only the parent's DS can tell.

use crate::diagnostic::passing;
use crate::roll::zone::past;
use crate::roll::zone::past::Past;
use crate::store::Store;
use crate::store::copies;
use crate::store::durable;
use crate::store::durable::{Disk, DiskFault};
use crate::store::kept::{Found, Kept};
use std::collections::BTreeMap;
use std::path::Path;

/// What was published of each zone. No zone's folder begins with a dot, as these files do.
const RECORDS: &str = ".records";
/// The highest TTL of each zone while it was served unsigned: caches may hold that when it is signed.
const UNSIGNED: &str = ".unsigned";
/// Octets of one of these files, at most: a hundred thousand zones, some lines each.
const OCTETS_MAX: usize = 128 * 1024 * 1024;
/// Octets that are put behind a file before it is written anew, at least: a line for each of some thousand zones.
const BEHIND_MIN: usize = 1024 * 1024;

/// Whether a file tells what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It was there, and can be believed.
    Whole,
    /// It was not there: `keys/` is new, or all of it is gone.
    New,
    /// It was there, and both of its files are damaged, or of a newer program.
    Lost(String),
    /// It is there, and cannot be read now.
    Unreadable(String),
}

/// What was published of each zone, and what that rests on.
pub struct Records {
    kept: Kept,
    zones: BTreeMap<String, Past>,
    /// Whether it tells what it should.
    pub trust: Trust,
    /// What was wrong with one of its two files.
    pub flaws: Vec<String>,
    /// Whether that is not mended yet.
    is_flawed: bool,
    /// Octets that were put behind what was written whole.
    behind: usize,
}

/// TTLs of zones while they were served unsigned.
pub struct Unsigned {
    kept: Kept,
    ttls: BTreeMap<String, u64>,
    /// Whether it tells what it should.
    pub trust: Trust,
}

impl Records {
    /// Reads what was kept below `keys`; nothing is written.
    pub fn read(keys: &Path) -> Records {
        let mut kept = Kept::new(keys.join(RECORDS), "published zones".to_owned(), OCTETS_MAX);
        let (text, trust, flaws) = read(&mut kept);
        let (zones, trust) = match text.as_deref().map(past::read) {
            None => (BTreeMap::new(), trust),
            Some(Ok(zones)) => (zones, trust),
            Some(Err(why)) => (BTreeMap::new(), Trust::Lost(format!("{}: {why}", kept.path().display()))),
        };
        let is_flawed = !flaws.is_empty();
        Records { kept, zones, trust, flaws, is_flawed, behind: 0 }
    }

    /// What is known of a zone.
    pub fn of(&self, zone: &str) -> Option<&Past> {
        self.zones.get(zone)
    }

    /// Where it is kept.
    pub fn path(&self) -> &Path {
        self.kept.path()
    }

    /// Whether it may be written: what cannot be believed is left for whoever looks at it.
    pub fn is_kept(&self) -> bool {
        matches!(self.trust, Trust::Whole | Trust::New)
    }

    /// Keeps what changed; durable when this returns. Nothing is done where it may not be written.
    fn keep(&mut self, disk: &Disk, changed: Vec<(String, Past)>) -> Result<(), DiskFault> {
        if (changed.is_empty() && !self.is_flawed) || !self.is_kept() {
            return Ok(());
        }
        let lines = past::print(changed.iter().map(|(zone, past)| (zone, past)));
        let mut zones = self.zones.clone();
        zones.extend(changed);
        let whole = || past::print(zones.iter());
        self.behind += lines.len();
        if self.behind > BEHIND_MIN || self.is_flawed {
            self.kept.write(disk, &whole())?;
            self.behind = 0;
        } else {
            self.kept.append(disk, &lines, whole)?;
        }
        (self.zones, self.trust, self.is_flawed) = (zones, Trust::Whole, false);
        Ok(())
    }
}

impl Unsigned {
    fn read(keys: &Path) -> Unsigned {
        let mut kept = Kept::new(keys.join(UNSIGNED), "unsigned zones".to_owned(), OCTETS_MAX);
        let (text, trust, _) = read(&mut kept);
        let (ttls, trust) = match text.map(|text| serde_json::from_str(&text)) {
            None => (BTreeMap::new(), trust),
            Some(Ok(ttls)) => (ttls, trust),
            Some(Err(fault)) => (BTreeMap::new(), Trust::Lost(format!("{}: {fault}", kept.path().display()))),
        };
        Unsigned { kept, ttls, trust }
    }

    /// The highest TTL that a zone had while it was served unsigned.
    pub fn ttl(&self, zone: &str) -> Option<u64> {
        self.ttls.get(zone).copied()
    }

    /// Whether a zone must be taken for one that was signed: it is not listed, in a list that can be believed.
    pub fn is_signed_for_all_we_know(&self, zone: &str) -> bool {
        self.trust == Trust::Whole && self.ttl(zone).is_none()
    }

    /// Why it does not tell what it should.
    pub fn why_lost(&self) -> Option<&str> {
        match &self.trust {
            Trust::Whole | Trust::New => None,
            Trust::Lost(why) | Trust::Unreadable(why) => Some(why),
        }
    }
}

impl Store {
    /// What was published of each zone, as it was kept last.
    pub fn records(&self) -> Records {
        Records::read(&self.folder)
    }

    /// Keeps what changed of it.
    ///
    /// # Errors
    /// [`DiskFault`]; what was kept before is still there, and tells less.
    pub fn keep_records(&self, records: &mut Records, changed: Vec<(String, Past)>) -> Result<(), DiskFault> {
        records.keep(&self.disk, changed)
    }

    /// What zones were served unsigned, as it was kept last.
    pub fn unsigned(&self) -> Unsigned {
        Unsigned::read(&self.folder)
    }

    /// Keeps higher TTLs of zones that are served unsigned.
    ///
    /// # Errors
    /// [`DiskFault`]; what was kept before is still there, and tells less.
    pub fn keep_unsigned(&self, unsigned: &mut Unsigned, ttls: BTreeMap<String, u64>) -> Result<(), DiskFault> {
        unsigned.ttls.extend(ttls);
        // Text and numbers, for which serde_json cannot fail.
        let text = serde_json::to_string(&unsigned.ttls).unwrap_or_default();
        unsigned.kept.write(&self.disk, &text)
    }
}

/// Reads a file: its text, whether that can be believed, and what is wrong with one of its two files.
fn read(kept: &mut Kept) -> (Option<String>, Trust, Vec<String>) {
    let path = kept.path().to_owned();
    // What was refused only for a moment is there now.
    let found = match kept.read() {
        Found::Lost(_) => kept.read(),
        found => found,
    };
    match found {
        Found::Nothing => (None, Trust::New, Vec::new()),
        Found::Whole { text, flaws } => (Some(text), Trust::Whole, flaws),
        Found::Lost(why) => {
            let denied = [copies::copy_of(&path), path].iter().any(|path| is_refused(path));
            (None, if denied { Trust::Unreadable(why) } else { Trust::Lost(why) }, Vec::new())
        }
    }
}

/// Whether the system refuses to have it read, be it for its rights or for a shortage that passes.
fn is_refused(path: &Path) -> bool {
    durable::open(path).is_err_and(|fault| passing::is_passing(&fault.cause))
}
