//! Who uses this `keys/` folder: whether it is the server that used it before, a copy elsewhere, or two servers at once.
//!
//! Two servers that roll keys for themselves break a zone for half of all resolvers, and neither notices. So one that
//! finds another's folder begins no roll, makes no key and takes nothing away until a person says that it leads. It never
//! asks the network, and never takes a restart of the same machine, or of a container with its volume, for another one.

use crate::diagnostic::{Diagnostic, Place};
use crate::process::machine;
use crate::store::durable;
use crate::store::durable::Disk;
use crate::store::kept::{Found, Kept};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// How often a server leaves its sign of life.
const BEAT_EVERY: Duration = Duration::from_secs(60);
/// How long the sign of life of another one is watched, which may have ended: two of its signs, and some.
const WATCHED: Duration = Duration::from_secs(130);
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
    /// Whether another server may look at these very files: then nothing is written there while it leads.
    is_shared: bool,
    /// Whether a person said that this server leads, which it does from its next start on.
    is_named: bool,
    /// When the sign of life was left last.
    said_at: Option<Instant>,
    /// The moment of the other one's last sign of life, which nothing else tells from that of this server before the
    /// machine was started again; and since when it is watched.
    watched: Option<(Option<SystemTime>, Instant)>,
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

/// Whether nobody else is known to have used the folder last; nothing is written.
pub fn is_ours(keys: &Path) -> bool {
    match Kept::new(keys.join(NAME), ABOUT.to_owned(), OCTETS_MAX).read() {
        Found::Whole { text, .. } => {
            serde_json::from_str(&text).is_ok_and(|before| other(&before, &Identity::of(keys)).is_none())
        }
        Found::Nothing => true,
        Found::Lost(_) => false,
    }
}

impl Instance {
    /// Reads who used the folder before. Where that was nobody, or this server, it says so there.
    pub fn start(keys: &Path, disk: Arc<Disk>, own: String, at: Instant) -> Instance {
        Instance::start_as(keys, disk, own, Identity::of(keys), at)
    }

    fn start_as(keys: &Path, disk: Arc<Disk>, own: String, now: Identity, at: Instant) -> Instance {
        let kept = Kept::new(keys.join(NAME), ABOUT.to_owned(), OCTETS_MAX);
        let mut instance = Instance {
            disk,
            kept,
            beat: keys.join(BEAT_NAME),
            own,
            now,
            elsewhere: None,
            is_shared: false,
            is_named: false,
            said_at: None,
            watched: None,
        };
        let lost = |why: &str| Some(format!("who used it before cannot be told: {why}"));
        match instance.kept.read() {
            Found::Nothing => {
                instance.now.first_use.clone_from(&instance.own);
                instance.keep();
            }
            Found::Lost(why) => instance.elsewhere = lost(&why),
            Found::Whole { text, flaws } => match serde_json::from_str::<Identity>(&text) {
                Err(fault) => instance.elsewhere = lost(&fault.to_string()),
                Ok(before) => instance.follow(&before, !flaws.is_empty(), at),
            },
        }
        if instance.elsewhere.is_none() {
            instance.say_alive(at);
        }
        instance.leave_or_take();
        instance
    }

    fn follow(&mut self, before: &Identity, is_flawed: bool, at: Instant) {
        self.now.first_use.clone_from(&before.first_use);
        self.elsewhere = other(before, &self.now);
        self.is_shared = before.place.is_empty() || before.place == self.now.place;
        let is_same = |one: &str, two: &str| !one.is_empty() && one == two;
        let is_told = is_same(&before.boot, &self.now.boot) || is_same(&before.machine, &self.now.machine);
        if self.elsewhere.is_none() && !is_told && self.beat.exists() {
            // Containers on two machines that share a volume look like one whose machine was started again.
            self.watched = Some((moment(&self.beat), at));
            self.elsewhere = Some(format!("a server on {} may use it; that is watched for two minutes", before.host));
        }
        if self.elsewhere.is_none() && (is_flawed || *before != self.now) {
            self.keep();
        }
    }

    /// Why this server does not lead; none: it does.
    pub fn elsewhere(&self) -> Option<&str> {
        self.elsewhere.as_deref()
    }

    /// Files that another server writes, too, are left as they are.
    fn leave_or_take(&self) {
        self.disk.leave(self.elsewhere.is_some() && self.is_shared);
    }

    /// A person says that this server leads. True: from its next start on, since another one may have written in these
    /// files since this one read them.
    ///
    /// # Errors
    /// What the disk refused; then it does not.
    pub fn lead(&mut self, at: Instant) -> Result<bool, String> {
        if self.now.first_use.is_empty() {
            self.now.first_use.clone_from(&self.own);
        }
        let text = serde_json::to_string(&self.now).map_err(|fault| fault.to_string())?;
        self.disk.leave(false);
        let written = self.kept.write(&self.disk, &text);
        self.leave_or_take();
        written.map_err(|fault| fault.to_string())?;
        // Who led finds it, and stops.
        self.say_alive(at);
        self.watched = None;
        if self.is_shared {
            self.is_named = true;
            self.elsewhere =
                Some("this server leads from its next start on, when it has read what another one wrote".to_owned());
        } else {
            self.elsewhere = None;
        }
        self.leave_or_take();
        Ok(self.is_named)
    }

    /// Looks for the sign of life of another server, and leaves one now and then. True where what follows from it changed:
    /// whoever finds another one leads no more, and leaves none any longer, so one of two goes on.
    pub fn beat(&mut self, now: Instant) -> bool {
        if let Some((moment_before, since)) = self.watched {
            return match moment(&self.beat) == moment_before {
                false => self.found(),
                true if now.saturating_duration_since(since) < WATCHED => false,
                true => self.is_alone(now),
            };
        }
        if self.elsewhere.is_some() {
            return false;
        }
        if self.other_sign().is_some() {
            return self.found();
        }
        if self.said_at.is_none_or(|at| now.saturating_duration_since(at) >= BEAT_EVERY) {
            self.say_alive(now);
        }
        false
    }

    /// Who left the sign of life that is there, where that is another one.
    fn other_sign(&self) -> Option<String> {
        let seen = durable::open(&self.beat).and_then(|file| durable::read(&file, &self.beat, OCTETS_MAX));
        let seen = seen.ok().and_then(|octets| String::from_utf8(octets).ok()).unwrap_or_default();
        // One that was not written to its end says nothing.
        let said = seen.strip_suffix('\n').and_then(|line| line.split_once(' '));
        said.filter(|(run, _)| *run != self.own).map(|(_, who)| who.to_owned())
    }

    /// Another server is alive.
    fn found(&mut self) -> bool {
        let who = self.other_sign().unwrap_or_default();
        self.elsewhere = Some(format!("another server uses it now: {who}"));
        (self.watched, self.is_shared) = (None, true);
        self.leave_or_take();
        true
    }

    /// Nobody else was alive all the time: nobody wrote since this server read these files.
    fn is_alone(&mut self, now: Instant) -> bool {
        (self.watched, self.elsewhere) = (None, None);
        self.leave_or_take();
        self.keep();
        self.say_alive(now);
        true
    }

    /// The server ends in order: its sign of life goes.
    pub fn end(&self) {
        if self.elsewhere.is_none() && self.other_sign().is_none() {
            let _ = std::fs::remove_file(&self.beat);
        }
    }

    /// What an operator must know.
    pub fn finding(&self) -> Option<Diagnostic> {
        let why = self.elsewhere.as_ref()?;
        let place = self.kept.path().parent().unwrap_or(Path::new(""));
        let message = format!(
            "{} is not this server's alone: {why}; no roll begins, no key is made, and nothing is taken away",
            place.display()
        );
        let help = match (self.is_named, self.watched) {
            (true, _) => "start this server again",
            (false, Some(_)) => "nothing, if there is no other one: then it goes on by itself",
            (false, None) => HELP,
        };
        Some(Diagnostic::error("MX5523", Place::file(place.display().to_string()), message, help))
    }

    fn keep(&mut self) {
        let text = serde_json::to_string(&self.now).unwrap_or_default();
        if let Err(fault) = self.kept.write(&self.disk, &text) {
            tracing::warn!("who uses the folder of keys is not kept: {fault}");
        }
    }

    fn say_alive(&mut self, at: Instant) {
        self.said_at = Some(at);
        let text = format!("{} process {} on {}\n", self.own, std::process::id(), self.now.host);
        // Without it a second server is not noticed where locks do not work; nothing else depends on it.
        let _ = durable::overwrite_plainly(&self.beat, text.as_bytes());
    }

    /// Whether the mark of the clock may be written there.
    pub fn may_write(&self) -> bool {
        self.elsewhere.is_none() || !self.is_shared
    }
}

/// When a file was written last.
fn moment(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|found| found.modified()).ok()
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
        Instance::start_as(keys, Arc::default(), own.to_owned(), now.clone(), Instant::now())
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
        copy.lead(Instant::now()).expect("written");
        assert_eq!((copy.elsewhere(), start(keys.path(), "run-3", &there).elsewhere()), (None, None));
        assert!(start(keys.path(), "run-1", &here).elsewhere().is_some());
    }

    #[test]
    fn a_folder_that_two_machines_share_is_written_by_the_one_that_leads_alone() {
        let keys = tempfile::tempdir().expect("a folder");
        let (here, there) = (identity("m", "b", "/keys", "1"), identity("n", "c", "/keys", "1"));
        let writes = |instance: &Instance| instance.disk.write_whole(&keys.path().join("x"), b"x").is_ok();
        let mut one = start(keys.path(), "run-1", &here);
        let mut two = start(keys.path(), "run-2", &there);
        assert!(writes(&one) && !writes(&two) && !two.may_write());
        assert!(!one.beat(Instant::now()), "who only looks is no second leader");
        assert_eq!(two.lead(Instant::now()), Ok(true));
        let finding = two.finding().expect("not before its next start");
        assert!(finding.message.contains("from its next start on") && finding.help == "start this server again");
        assert!(
            one.beat(Instant::now()) && !writes(&one) && !one.may_write(),
            "the first one stops before the second one begins"
        );
        assert!(!writes(&two), "it has not read what the first one wrote last");
        let two = start(keys.path(), "run-3", &there);
        assert!(two.elsewhere().is_none() && writes(&two));
        assert!(!writes(&start(keys.path(), "run-4", &here)));
    }

    #[test]
    fn containers_that_share_a_volume_are_told_by_their_signs_of_life() {
        let keys = tempfile::tempdir().expect("a folder");
        let (here, there) = (identity("", "b", "/keys", "1"), identity("", "c", "/keys", "1"));
        let one = start(keys.path(), "run-1", &here);
        let now = Instant::now();
        // The first one is at work: the second one never leads by itself.
        let mut two = start(keys.path(), "run-2", &there);
        assert!(two.elsewhere().is_some_and(|why| why.contains("may use it")) && !two.may_write());
        assert!(!two.beat(now) && !two.beat(now + WATCHED / 2));
        let later = SystemTime::now() + BEAT_EVERY;
        std::fs::File::options().write(true).open(&one.beat).and_then(|file| file.set_modified(later)).expect("set");
        assert!(two.beat(now + WATCHED / 2) && !two.beat(now + 9 * WATCHED), "told once");
        assert!(two.elsewhere().is_some_and(|why| why.contains("another server uses it now")));
        // It died with its machine: after two minutes without a sign the second one goes on.
        let mut two = start(keys.path(), "run-3", &there);
        assert!(!two.beat(now + WATCHED / 2) && two.beat(now + 2 * WATCHED));
        assert!(two.elsewhere().is_none() && two.may_write() && two.finding().is_none());
        // Started again on the same machine, whose lock tells: at once. And after an end in order everywhere.
        assert_eq!(start(keys.path(), "run-4", &there).elsewhere(), None);
        let five = start(keys.path(), "run-5", &there);
        five.end();
        assert_eq!(start(keys.path(), "run-6", &here).elsewhere(), None);
    }

    #[test]
    fn of_two_servers_at_once_one_finds_the_other_and_leads_no_more() {
        let keys = tempfile::tempdir().expect("a folder");
        let here = identity("m", "b", "/keys", "1");
        let mut one = start(keys.path(), "run-1", &here);
        assert!(!one.beat(Instant::now()) && !one.beat(Instant::now()));
        let mut two = start(keys.path(), "run-2", &here);
        assert!(
            one.beat(Instant::now()) && one.elsewhere().is_some_and(|why| why.contains("another server uses it now"))
        );
        assert!(
            !two.beat(Instant::now()) && !one.beat(Instant::now()) && !two.beat(Instant::now()),
            "one leads on, the other says it once"
        );
        assert_eq!(two.elsewhere(), None);
        std::fs::write(keys.path().join(BEAT_NAME), "torn").expect("written");
        assert!(!two.beat(Instant::now()) && two.elsewhere().is_none());
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
            instance.lead(Instant::now()).expect("written");
            assert_eq!(start(keys.path(), "run-3", &here).elsewhere(), None);
        }
        // One good file of two is enough.
        let keys = tempfile::tempdir().expect("a folder");
        drop(start(keys.path(), "run-1", &here));
        std::fs::write(keys.path().join(NAME), "#mxseal").expect("written");
        assert_eq!(start(keys.path(), "run-2", &here).elsewhere(), None);
    }
}
