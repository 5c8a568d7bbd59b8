//! Who uses this `keys/` folder: whether it is the server that used it before, a copy elsewhere, or two servers at once.
//!
//! Two servers that roll keys for themselves break a zone for half of all resolvers, and neither notices. So one that
//! finds another's folder begins no roll, makes no key and takes nothing away until a person says that it leads. It never
//! asks the network, and never takes a restart of the same machine, or of a container with its volume, for another one.

use super::durable::{self, Disk};
use super::kept::{Found, Kept};
use super::machine;
use crate::diagnostic::{Diagnostic, Place};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Who used the folder last. No zone's folder begins with a dot.
const NAME: &str = ".instance";
/// The sign of life of the server that uses it; never synced, and of no use after it.
const BEAT_NAME: &str = ".beat";
const OCTETS_MAX: usize = 16 * 1024;
const ABOUT: &str = "who uses this keys folder";

/// What tells one use of a folder from another; empty parts could not be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The first use of all; copies share it.
    #[serde(default)]
    pub first_use: String,
    /// The machine ([`machine::machine`]).
    #[serde(default)]
    pub machine: String,
    /// The start of the machine.
    #[serde(default)]
    pub boot: String,
    /// Its name, for people.
    #[serde(default)]
    pub host: String,
    /// Where the folder is.
    #[serde(default)]
    pub folder: String,
    /// What no copy of the folder shares with it.
    #[serde(default)]
    pub place: String,
}

/// The folder, and who uses it.
pub struct Instance {
    disk: Arc<Disk>,
    kept: Kept,
    beat: PathBuf,
    /// What this process writes as its sign of life.
    own: String,
    now: Identity,
    elsewhere: Option<String>,
    /// Whether another server may look at these very files: then they are left alone while it leads.
    is_shared: bool,
}

impl Identity {
    fn of(keys: &Path) -> Identity {
        let folder = std::fs::canonicalize(keys).unwrap_or_else(|_| keys.to_owned());
        Identity {
            first_use: String::new(),
            machine: machine::machine(),
            boot: machine::boot(),
            host: machine::host(),
            folder: folder.display().to_string(),
            place: machine::place(keys),
        }
    }
}

/// Why `now` is not who used the folder before; none: it may be.
///
/// A machine that was started again has its machine id; a container that was has the start of the machine, or at least the
/// same folder. Another folder at another path is a copy, also on one machine.
pub fn other(before: &Identity, now: &Identity) -> Option<String> {
    let differs = |one: &String, two: &String| !one.is_empty() && !two.is_empty() && one != two;
    let same = |one: &String, two: &String| !one.is_empty() && one == two;
    let is_same_start = same(&before.boot, &now.boot);
    let is_same_place = same(&before.place, &now.place);
    if differs(&before.machine, &now.machine) && !is_same_start {
        return Some(format!("it was used on another machine, {}", before.host));
    }
    if differs(&before.place, &now.place) && before.folder != now.folder {
        return Some(format!("it is a copy of {} on {}", before.folder, before.host));
    }
    if is_same_start || is_same_place || same(&before.machine, &now.machine) {
        return None;
    }
    match differs(&before.place, &now.place) || differs(&before.host, &now.host) {
        true => Some(format!("it was used on {}, and nothing shows that this is the same machine", before.host)),
        false => None,
    }
}

impl Instance {
    /// Reads who used the folder before. Where that was nobody, or this server, it says so there.
    pub fn start(keys: &Path, disk: Arc<Disk>, own: String) -> Instance {
        Instance::start_as(keys, disk, own, Identity::of(keys))
    }

    fn start_as(keys: &Path, disk: Arc<Disk>, own: String, now: Identity) -> Instance {
        let kept = Kept::new(keys.join(NAME), ABOUT.to_owned(), OCTETS_MAX);
        let mut instance =
            Instance { disk, kept, beat: keys.join(BEAT_NAME), own, now, elsewhere: None, is_shared: false };
        let lost = |why: &str| Some(format!("who used it before cannot be told: {why}"));
        match instance.kept.read() {
            Found::Nothing => {
                instance.now.first_use.clone_from(&instance.own);
                instance.keep();
            }
            Found::Lost(why) => instance.elsewhere = lost(&why),
            Found::Whole { text, flaws } => match serde_json::from_str::<Identity>(&text) {
                Err(fault) => instance.elsewhere = lost(&fault.to_string()),
                Ok(before) => instance.follow(&before, !flaws.is_empty()),
            },
        }
        if instance.elsewhere.is_none() {
            instance.say_alive();
        }
        instance
    }

    fn follow(&mut self, before: &Identity, is_flawed: bool) {
        self.now.first_use.clone_from(&before.first_use);
        self.elsewhere = other(before, &self.now);
        self.is_shared = before.place.is_empty() || before.place == self.now.place;
        if self.elsewhere.is_none() && (is_flawed || *before != self.now) {
            self.keep();
        }
    }

    /// Why this server does not lead; none: it does.
    pub fn elsewhere(&self) -> Option<&str> {
        self.elsewhere.as_deref()
    }

    /// A person says that this server leads.
    ///
    /// # Errors
    /// What the disk refused; then it does not.
    pub fn lead(&mut self) -> Result<(), String> {
        if self.now.first_use.is_empty() {
            self.now.first_use.clone_from(&self.own);
        }
        let text = serde_json::to_string(&self.now).map_err(|fault| fault.to_string())?;
        self.kept.write(&self.disk, &text).map_err(|fault| fault.to_string())?;
        self.elsewhere = None;
        self.say_alive();
        Ok(())
    }

    /// Looks for the sign of life of another server, and leaves one. True where what follows from it changed: whoever finds
    /// another one leads no more, and leaves none any longer, so one of two goes on.
    pub fn beat(&mut self) -> bool {
        if self.elsewhere.is_some() {
            return false;
        }
        let seen = durable::open(&self.beat).and_then(|file| durable::read(&file, &self.beat, OCTETS_MAX));
        let seen = seen.ok().and_then(|octets| String::from_utf8(octets).ok()).unwrap_or_default();
        // One that was not written to its end says nothing.
        let other = seen.strip_suffix('\n').and_then(|line| line.split_once(' ')).filter(|(run, _)| *run != self.own);
        if let Some((_, who)) = other {
            self.elsewhere = Some(format!("another server uses it now: {who}"));
            return true;
        }
        self.say_alive();
        false
    }

    /// What an operator must know.
    pub fn finding(&self) -> Option<Diagnostic> {
        let why = self.elsewhere.as_ref()?;
        let place = self.kept.path().parent().unwrap_or(Path::new(""));
        let message = format!(
            "{} is not this server's alone: {why}; no roll begins, no key is made, and nothing is taken away",
            place.display()
        );
        Some(Diagnostic::error("MX5523", Place::file(place.display().to_string()), message, HELP))
    }

    fn keep(&mut self) {
        let text = serde_json::to_string(&self.now).unwrap_or_default();
        if let Err(fault) = self.kept.write(&self.disk, &text) {
            tracing::warn!("who uses the folder of keys is not kept: {fault}");
        }
    }

    fn say_alive(&self) {
        let text = format!("{} process {} on {}\n", self.own, std::process::id(), self.now.host);
        // Without it a second server is not noticed where locks do not work; nothing else depends on it.
        let _ = durable::overwrite_plainly(&self.beat, text.as_bytes());
    }

    /// Whether the mark of the clock may be written there.
    pub fn may_write(&self) -> bool {
        self.elsewhere.is_none() || !self.is_shared
    }
}

/// What a person does about it.
pub const HELP: &str = "let one server alone roll the keys: end the other one, or give it no copy; if this one leads, \
                        `mxseal keys lead --reason WHY`";

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(machine: &str, boot: &str, folder: &str, place: &str) -> Identity {
        let text = str::to_owned;
        Identity {
            first_use: text("f"),
            machine: text(machine),
            boot: text(boot),
            host: format!("host-{machine}"),
            folder: text(folder),
            place: text(place),
        }
    }

    #[test]
    fn the_same_server_is_never_taken_for_another_and_another_is_told() {
        let before = identity("m", "b", "/keys", "1");
        for (now, is_same, what) in [
            (identity("m", "b", "/keys", "1"), true, "a restart of the process"),
            (identity("m", "c", "/keys", "1"), true, "a restart of the machine"),
            (identity("m", "c", "/keys", "2"), true, "a backup restored in its place"),
            (identity("m", "b", "/moved", "1"), true, "renamed"),
            (identity("n", "b", "/keys", "1"), true, "a container whose machine id is new each time"),
            (identity("n", "c", "/keys", "2"), false, "a standby with a copy"),
            (identity("n", "c", "/keys", "1"), false, "a standby with the same disk"),
            (identity("m", "b", "/copy", "2"), false, "a copy on one machine"),
        ] {
            assert_eq!(other(&before, &now).is_none(), is_same, "{what}: {:?}", other(&before, &now));
        }
        let before = identity("", "b", "/keys", "1");
        for (now, is_same, what) in [
            (identity("", "b", "/keys", "1"), true, "a restart of the container"),
            (identity("", "c", "/keys", "1"), true, "a restart of the machine below it"),
            (identity("", "b", "/keys", ""), true, "a file system without moments of making"),
            (identity("", "c", "/keys", "2"), false, "a copy in a container elsewhere"),
        ] {
            assert_eq!(other(&before, &now).is_none(), is_same, "{what}: {:?}", other(&before, &now));
        }
    }

    fn start(keys: &Path, own: &str, now: &Identity) -> Instance {
        Instance::start_as(keys, Arc::default(), own.to_owned(), now.clone())
    }

    #[test]
    fn a_copy_does_not_lead_until_a_person_says_so_and_then_stays_leader() {
        let keys = tempfile::tempdir().expect("a folder");
        let (here, there) = (identity("m", "b", "/keys", "1"), identity("n", "c", "/keys", "2"));
        assert_eq!(start(keys.path(), "run-1", &here).elsewhere(), None);
        for _ in 0..2 {
            let copy = start(keys.path(), "run-2", &there);
            assert_eq!(copy.elsewhere(), Some("it was used on another machine, host-m"));
            assert!(copy.finding().is_some_and(|found| found.message.contains("no roll begins")) && copy.may_write());
        }
        assert_eq!(start(keys.path(), "run-1", &here).elsewhere(), None, "the first one leads on");
        let mut copy = start(keys.path(), "run-2", &there);
        copy.lead().expect("written");
        assert_eq!((copy.elsewhere(), start(keys.path(), "run-3", &there).elsewhere()), (None, None));
        assert!(start(keys.path(), "run-1", &here).elsewhere().is_some());
    }

    #[test]
    fn of_two_servers_at_once_one_finds_the_other_and_leads_no_more() {
        let keys = tempfile::tempdir().expect("a folder");
        let here = identity("m", "b", "/keys", "1");
        let mut one = start(keys.path(), "run-1", &here);
        assert!(!one.beat() && !one.beat());
        let mut two = start(keys.path(), "run-2", &here);
        assert!(one.beat() && one.elsewhere().is_some_and(|why| why.contains("another server uses it now")));
        assert!(!two.beat() && !one.beat() && !two.beat(), "one leads on, the other says it once");
        assert_eq!(two.elsewhere(), None);
        std::fs::write(keys.path().join(BEAT_NAME), "torn").expect("written");
        assert!(!two.beat() && two.elsewhere().is_none());
    }

    #[test]
    fn what_is_damaged_newer_or_about_something_else_is_not_taken_for_nothing() {
        let here = identity("m", "b", "/keys", "1");
        for text in ["#mxseal-kept 2 0 0 0 x\n", "#mxseal-kept 1 00000000 1 2 who\n{}", "nonsense", ""] {
            let keys = tempfile::tempdir().expect("a folder");
            drop(start(keys.path(), "run-1", &here));
            for path in [NAME, "copy/.instance"] {
                std::fs::write(keys.path().join(path), text).expect("written");
            }
            let mut instance = start(keys.path(), "run-2", &here);
            assert!(instance.elsewhere().is_some_and(|why| why.contains("cannot be told")), "{text:?}");
            instance.lead().expect("written");
            assert_eq!(start(keys.path(), "run-3", &here).elsewhere(), None);
        }
        // One good file of two is enough.
        let keys = tempfile::tempdir().expect("a folder");
        drop(start(keys.path(), "run-1", &here));
        std::fs::write(keys.path().join(NAME), "#mxseal").expect("written");
        assert_eq!(start(keys.path(), "run-2", &here).elsewhere(), None);
    }
}
