//! `keys import`: key files of another server are read and proved here, then handed to the server, which proves them anew.
//!
//! No file is changed, and no message quotes what a private one holds. A key that its server does not publish is left out.

mod old;

use super::super::args::{Import, Whom};
use super::super::context::Context;
use super::super::failure::{Exit, Failure, Stop};
use super::Zones;
use crate::cli::lives::{Kind, ask_one};
use crate::cli::screen::output::Output;
use crate::cli::screen::tone::Tone;
use crate::cli::screen::words::zone_stem;
use crate::config::Config;
use crate::dns::name::{Name, ROOT};
use crate::observe::holders;
use crate::protocol::request::KeysRequest;
use crate::protocol::{ImportedKey, KeysInfo};
use crate::sign::foreign::list::{self, Listed};
use crate::sign::foreign::{FILE_OCTETS_MAX, ForeignFault, Times, Usage, read_foreign, read_public};
use crate::sign::key::{ENTRY_FLAGS, KeyFault, PublicKey};
use crate::time::UnixTime;
use old::{Found, Old};
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A private file in BIND's form; its public one has the same name with the next end.
const PRIVATE: &str = "private";
const PUBLIC: &str = "key";
const PEM: &str = "pem";
/// Files of one import, at most: a zone has seven keys at most, two files each, and folders hold old ones too.
const FILES_MAX: usize = 64;

/// One key as its files are named.
#[derive(Debug, PartialEq, Eq)]
struct Pair {
    private: Option<PathBuf>,
    public: PathBuf,
}

/// Reads, proves, asks, prints.
pub fn run(context: &Context, asked: &Import, output: &mut Output) -> Result<Exit, Stop> {
    let wrong = |fault| Failure::new(Exit::Usage, format!("`{}` is not a zone: {fault}", asked.zone), "");
    let apex = Name::parse(&zone_stem(&asked.zone), ROOT).map_err(wrong)?;
    let pairs = pairs(&asked.files, asked.public.as_deref())?;
    let told = Beforehand::of(asked, &apex, &context.config)?;
    if !output.is_json() {
        output.line(&told.words)?;
    }
    let (mut keys, mut found, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for pair in &pairs {
        match read(pair, &apex, &told)? {
            Outcome::Taken(imported, public) => {
                found.push((public, imported.private.is_some(), imported.source.clone()));
                keys.push(imported);
            }
            Outcome::LeftOut(why) => left_out.push(why),
        }
    }
    let is_text = !output.is_json();
    for why in left_out.iter().filter(|_| is_text) {
        output.line(&format!("{why}: it is left out"))?;
    }
    told.refuse_missing(&found.iter().map(|(public, ..)| public).collect::<Vec<_>>())?;
    if !found.iter().any(|(_, signs, _)| *signs) {
        let message = "there is no private key among these files, so nothing could sign the zone";
        return Err(Failure::new(Exit::Failure, message, "name its K*.private or PEM file too").into());
    }
    if !output.is_json() {
        for (public, signs, source) in &found {
            let what = if *signs { "is whole" } else { "is published on, and never signs here" };
            let line = format!(
                "key {} of algorithm {}, flags {}: {what} ({source})",
                public.tag, public.algorithm, public.flags
            );
            output.line(&output.tone(Tone::Plain, &line))?;
        }
    }
    let (ttl, life, dry_run) = (asked.ttl, asked.life, asked.dry_run);
    let hold = asked.hold.clone();
    let request = KeysRequest::Import { zone: super::apex(&asked.zone), keys, ttl, life, hold, dry_run }.into();
    let info: KeysInfo = ask_one::<Zones, _>(context, &request, &asked.zone)?;
    if output.is_json() {
        let mut object = serde_json::json!(info);
        object["asked"] = told.words.into();
        output.object(&object)?;
        return Ok(Exit::Ok);
    }
    let said = if asked.dry_run { "Nothing was changed; the zone would be so:" } else { "They are brought in:" };
    output.line(said)?;
    if asked.hold.is_none() {
        let zone = zone_stem(&asked.zone);
        output.line(&format!(
            "Its steps begin as soon as its file is there; with --hold REASON none does before `mxseal keys resume {zone}`."
        ))?;
    }
    output.line("")?;
    Zones::print(&info, false, output)?;
    Ok(Exit::Ok)
}

/// The keys that files and folders name; a public file beside its private one is not a key of its own.
fn pairs(named: &[PathBuf], public: Option<&Path>) -> Result<Vec<Pair>, Failure> {
    let mut files = Vec::new();
    for path in named {
        if path.is_dir() { files.extend(folder(path)?) } else { files.push(path.clone()) }
    }
    if files.len() > FILES_MAX {
        let message = format!("{} files are more than the keys of one zone have", files.len());
        return Err(Failure::new(Exit::Failure, message, "name its files only"));
    }
    files.sort();
    files.dedup();
    let ends = |file: &Path, end: &str| file.extension().is_some_and(|found| found == end);
    let is_private = |file: &Path| !ends(file, PUBLIC) && !ends(file, "state");
    let privates: Vec<&PathBuf> = files.iter().filter(|file| is_private(file)).collect();
    if public.is_some() && (privates.len() != 1 || files.len() != 1) {
        return Err(Failure::new(Exit::Usage, "--public belongs to exactly one private key", "name one FILE only"));
    }
    let mut pairs: Vec<Pair> = Vec::new();
    for private in privates {
        let public = public.map_or_else(|| private.with_extension(PUBLIC), Path::to_owned);
        if !public.exists() {
            is_private_key(private)?;
            let message = format!("{}: the public file {} is missing", private.display(), public.display());
            let help = "put the .key file beside it, or name a file with its DNSKEY record: --public FILE";
            return Err(Failure::new(Exit::Failure, message, help));
        }
        pairs.push(Pair { private: Some(private.clone()), public });
    }
    for alone in files.iter().filter(|file| ends(file, PUBLIC)) {
        if !pairs.iter().any(|pair| pair.public == **alone) {
            pairs.push(Pair { private: None, public: alone.clone() });
        }
    }
    if pairs.is_empty() {
        let message = "there is no key file here";
        return Err(Failure::new(Exit::Failure, message, "keys are K*.private, K*.key and *.pem"));
    }
    Ok(pairs)
}

/// Whether a file may be a private key at all: one that is named by mistake is better told so than asked for its `.key`.
fn is_private_key(file: &Path) -> Result<(), Failure> {
    let text = zeroize::Zeroizing::new(text(file)?);
    if ["PRIVATE KEY-----", "Private-key-format:"].iter().any(|mark| text.contains(mark)) {
        return Ok(());
    }
    let message = format!("{} is no private key: neither one of BIND's form nor one in PEM", file.display());
    Err(Failure::new(Exit::Failure, message, "name K*.private, K*.key or *.pem files, or a folder of them"))
}

/// The key files of a folder.
fn folder(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let fault = |error| Failure::new(Exit::Failure, format!("{} cannot be read: {error}", path.display()), "");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(fault)? {
        let file = entry.map_err(fault)?.path();
        if file.extension().is_some_and(|end| [PRIVATE, PUBLIC, PEM].iter().any(|known| end == *known)) {
            files.push(file);
        }
    }
    Ok(files)
}

/// What is known of keys apart from their files.
struct Beforehand {
    old: Option<Old>,
    list: Vec<Listed>,
    now: UnixTime,
    /// Who was asked and what came of it, for people.
    words: String,
}

impl Beforehand {
    fn of(asked: &Import, apex: &Name, config: &Config) -> Result<Beforehand, Failure> {
        let now = crate::time::wall();
        let list = asked.list.as_deref().map(text).transpose()?;
        let (old, words) = match asked.from {
            Some(Whom::At(at)) => Beforehand::from(at, apex, now)?,
            Some(Whom::Nobody) => (None, format!("nobody was asked which keys {apex} has in use")),
            None => Beforehand::by_search(apex, config, now)?,
        };
        let rest = if list.is_some() { "the list and the files" } else { "dates and states in the files" };
        let words = if old.is_none() { format!("{words}; {rest} decide") } else { words };
        Ok(Beforehand { old, list: list.map_or_else(Vec::new, |text| list::read(&text, now)), now, words })
    }

    /// A server that a person named must say it.
    fn from(at: SocketAddr, apex: &Name, now: UnixTime) -> Result<(Option<Old>, String), Failure> {
        let old = Old::ask(at, apex, now).map_err(|why| {
            let help = "let it answer, or name another one; with `--from none` dates and lists count";
            Failure::new(Exit::Refused, format!("{at} does not say which keys it has in use: {why}"), help)
        })?;
        let words = old.words();
        Ok((Some(old), words))
    }

    /// The zone's servers, as the DNS leads to them. Where none can be asked, what else is known has to do.
    fn by_search(apex: &Name, config: &Config, now: UnixTime) -> Result<(Option<Old>, String), Failure> {
        let parents = config.zone_settings(apex.to_string().trim_end_matches('.')).parents;
        match Old::find(apex, &parents, &holders::ways(), now) {
            Found::Said(old) => {
                let words = old.words();
                Ok((Some(old), words))
            }
            Found::Nobody(why) => Ok((
                None,
                format!("nobody could be asked which keys {apex} has in use ({why}; `--from ADDRESS` asks one)"),
            )),
            Found::Apart(words) => {
                let message = format!("the servers of {apex} do not have the same keys in use: {words}");
                let help = "wait until all have the same, or name the one that is right with `--from ADDRESS`";
                Err(Failure::new(Exit::Refused, message, help))
            }
        }
    }

    /// What a key is to its zone: its server knows best, then a list, then its files.
    fn usage(&self, key: &PublicKey, times: &Times) -> Usage {
        let listed = || self.list.iter().find(|listed| listed.tag == key.tag).map(|listed| listed.usage.clone());
        let asked = self.old.as_ref().map(|old| old.usage(key));
        asked.or_else(listed).unwrap_or_else(|| times.usage(key.flags == ENTRY_FLAGS, self.now))
    }

    fn absence(&self, times: &Times) -> String {
        match &self.old {
            Some(old) => format!("{} does not publish it", old.by()),
            None if !self.list.is_empty() => "the list says that it is not published".to_owned(),
            None => times.absence(self.now),
        }
    }

    /// Keys that the old server publishes must come along.
    fn refuse_missing(&self, given: &[&PublicKey]) -> Result<(), Failure> {
        let Some(old) = &self.old else { return Ok(()) };
        let missing: Vec<String> = old.missing(given).iter().map(u16::to_string).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let message = format!("{} publishes keys that are not among these files: {}", old.by(), missing.join(", "));
        let help =
            "caches hold what they signed: add their files; the `.key` alone is enough for one that need not sign here";
        Err(Failure::new(Exit::Refused, message, help))
    }
}

/// What became of the files of one key.
enum Outcome {
    Taken(ImportedKey, PublicKey),
    /// It is none of the zone's keys now; why.
    LeftOut(String),
}

fn read(pair: &Pair, apex: &Name, told: &Beforehand) -> Result<Outcome, Failure> {
    let public = text(&pair.public)?;
    let private = pair.private.as_deref().map(text).transpose()?;
    let state = Some(pair.public.with_extension("state")).filter(|file| file.exists()).map(|file| text(&file));
    let state = state.transpose()?.unwrap_or_default();
    let times = Times::read(&[private.as_deref().unwrap_or_default(), &public, &state]);
    let shown = pair.private.as_deref().unwrap_or(&pair.public).display().to_string();
    let fault = |reason: String| Failure::new(Exit::Failure, format!("{shown}: {reason}"), "");
    let (owner, key) = match read_public(public.as_bytes()) {
        Ok(read) => read,
        Err(ForeignFault::NotZoneKey(KeyFault::Flags(flags))) if flags & 0x80 != 0 => {
            return Ok(Outcome::LeftOut(format!("{shown}: its owner revoked it")));
        }
        // Also one of an algorithm that is not known here any more. One that is published all the same is missed later.
        Err(_) if times.usage(false, told.now).published == Some(false) => {
            return Ok(Outcome::LeftOut(format!("{shown}: {}", times.absence(told.now))));
        }
        Err(error) => return Err(Failure::new(Exit::Failure, format!("{}: {error}", pair.public.display()), "")),
    };
    if owner.to_lower() != *apex {
        return Err(fault(format!("it is a key of {owner}, not of {apex}")));
    }
    let usage = told.usage(&key, &times);
    if usage.published == Some(false) || usage.revoked {
        let why = if usage.revoked { "its owner revoked it".to_owned() } else { told.absence(&times) };
        return Ok(Outcome::LeftOut(format!("key {} ({shown}): {why}", key.tag)));
    }
    if let Some(private) = &private {
        read_foreign(private.as_bytes(), Some(public.as_bytes())).map_err(|error| fault(error.to_string()))?;
    }
    Ok(Outcome::Taken(
        ImportedKey { private, public: Some(public), role: None, signs: usage.signs, source: shown },
        key,
    ))
}

/// A file as text. What is no text is no key, and is not quoted.
fn text(file: &Path) -> Result<String, Failure> {
    let fault = |error: String| Failure::new(Exit::Failure, format!("{} {error}", file.display()), "");
    let mut octets = Vec::new();
    let limit = u64::try_from(FILE_OCTETS_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let opened = File::open(file).map_err(|error| fault(format!("cannot be read: {error}")))?;
    opened.take(limit).read_to_end(&mut octets).map_err(|error| fault(format!("cannot be read: {error}")))?;
    String::from_utf8(octets).map_err(|_| fault("is not text, so it is no key file".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What makes a file look like a private key.
    const MARK: &str = "Private-key-format: v1.2\n";

    fn place(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder can be made");
        names.iter().for_each(|name| std::fs::write(folder.path().join(name), MARK).expect("a file can be written"));
        folder
    }

    #[test]
    fn a_folder_gives_each_key_once_with_its_public_file() {
        let folder = place(&[
            "Ka.+013+00001.key",
            "Ka.+013+00001.private",
            "Ka.+013+00002.key",
            "Ka.state",
            "x.pem",
            "x.key",
            "y",
        ]);
        let found = pairs(&[folder.path().to_owned()], None).expect("keys");
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let names: Vec<_> =
            found.iter().map(|pair| (pair.private.as_deref().and_then(name), name(&pair.public))).collect();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            names,
            [
                (some("Ka.+013+00001.private"), some("Ka.+013+00001.key")),
                (some("x.pem"), some("x.key")),
                (None, some("Ka.+013+00002.key")),
            ]
        );
    }

    #[test]
    fn a_private_key_without_its_public_file_is_refused_by_name() {
        let folder = place(&["Ka.private", "x.pem", "p"]);
        let file = |name: &str| folder.path().join(name);
        let failure = pairs(&[file("Ka.private")], None).expect_err("no public file");
        assert!(failure.message.contains("Ka.private") && failure.message.contains("Ka.key"), "{}", failure.message);
        assert_eq!(pairs(&[file("x.pem")], Some(&file("p"))).expect("a pair").len(), 1);
        let failure = pairs(&[file("x.pem"), file("Ka.private")], Some(&file("p"))).expect_err("which one?");
        assert_eq!(failure.exit, Exit::Usage);
    }

    /// The second key of RFC 8080 § 6, with these lines about its life.
    fn with_dates(private: &str, state: &str, flags: u16) -> Result<Outcome, Failure> {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let file = |end: &str| folder.path().join(format!("Kexample.com.+015+1.{end}"));
        let write = |end: &str, text: String| std::fs::write(file(end), text).expect("a file can be written");
        let key = "DSSF3o0s0f+ElWzj9E/Osxw8hLpk55chkmx0LYN5WiY=";
        write("private", format!("Private-key-format: v1.3\nAlgorithm: 15 (ED25519)\nPrivateKey: {key}\n{private}"));
        let public = "zPnZ/QwEe7S8C5SPz2OfS5RR40ATk2/rYnE9xHIEijs=";
        write("key", format!("; a comment\nexample.com. IN DNSKEY {flags} 3 15 {public}\n"));
        write("state", state.to_owned());
        let pair = Pair { private: Some(file("private")), public: file("key") };
        let apex = Name::parse("example.com", ROOT).expect("a name");
        // 2026-01-01.
        read(
            &pair,
            &apex,
            &Beforehand { old: None, list: Vec::new(), now: UnixTime(1_767_225_600), words: String::new() },
        )
    }

    #[test]
    fn keys_that_their_files_call_removed_future_or_revoked_are_left_out_and_said() {
        let (past, future) = ("20250101000000", "20270101000000");
        let used = format!("Publish: {past}\nActivate: {past}\n");
        for (private, state, flags, wanted) in [
            (String::new(), "", 256, Ok(None)),
            (used.clone(), "", 256, Ok(Some(true))),
            (format!("{used}Inactive: {past}\nDelete: {future}\n"), "", 256, Ok(Some(false))),
            (format!("{used}Delete: {past}\n"), "", 256, Err("removed from DNSKEY")),
            (format!("Publish: {future}\nActivate: {future}\n"), "", 256, Err("it is in DNSKEY from 2027-01-01")),
            (used.clone(), "DNSKEYState: hidden\nZRRSIGState: hidden\n", 256, Err("its state says")),
            (used.clone(), "DNSKEYState: omnipresent\nZRRSIGState: unretentive\n", 256, Ok(Some(false))),
            (format!("{used}Revoke: {past}\n"), "", 257, Err("revoked")),
            (used.clone(), "", 385, Err("revoked")),
        ] {
            let read = with_dates(&private, state, flags).expect("it can be read");
            match (read, wanted) {
                (Outcome::Taken(key, _), Ok(signs)) => assert_eq!(key.signs, signs, "{private}{state}"),
                (Outcome::LeftOut(why), Err(words)) => assert!(why.contains(words), "{why}"),
                (Outcome::Taken(..), Err(words)) => panic!("{words}: taken"),
                (Outcome::LeftOut(why), Ok(_)) => panic!("{why}"),
            }
        }
    }
}
