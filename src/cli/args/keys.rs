//! The arguments of `mxseal keys`, and the help that teaches them.
//!
//! What contradicts itself is refused here, before anybody is asked.

use super::{FAILED, OK, SILENT, UNREACHABLE, days, page, whole};
use crate::protocol::KeyRole;
use crate::sign::key::{ECDSA_P256, ED25519_NUMBER};
use crate::time::{Seconds, parse_span};
use clap::{Args, Subcommand, ValueEnum};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// How far a calendar looks ahead by default: a year and a bit, so that each lifetime shows once.
const DAYS_DEFAULT: u64 = 400;
/// Highest TTL that most zones elsewhere have, and the most that this server lets count.
const TTL_DEFAULT: u32 = 86_400;
/// Longest life of signatures that other servers use by default (BIND's `dnssec-signzone`: 30 days).
const LIFE_DEFAULT: &str = "30d";
/// Where servers are asked.
const DNS_PORT: u16 = 53;
/// Years of one simulation, at most: longer than any key lives.
const YEARS_MAX: u64 = 1000;

const FOREIGN: (u8, &str) = (1, "no such zone, or a key cannot be used; the message names its file");
const GATE: (u8, &str) = (4, "refused, with the reason, what is missing, and from when on it is allowed");

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub enum KeysVerb {
    /// Show what was done, what waits, what you must do, and what mxseal will do
    ///
    /// Where the registry does not show the wanted DS yet, it is printed in each form that registrars ask for.
    #[command(after_help = page(
        &["mxseal keys status mx.example", "mxseal keys status -o json | jq -r 'select(.must != []) | .zone'"],
        &[(0, "nothing stands in the way"), (1, "something stops steps, or there is no such zone"), UNREACHABLE, SILENT],
    ))]
    Status {
        /// Only this zone
        zone: Option<String>,
    },
    /// Show the calendar of keys: each step to come with its date
    ///
    /// Decided by the same function that will take the steps. It assumes that a registry publishes a DS within a day.
    #[command(after_help = page(
        &["mxseal keys plan mx.example", "mxseal keys plan --days 90 --ics rolls.ics",
          "mxseal keys plan mx.example --svg - > keys.svg"],
        &[OK, (1, "no such zone, or a file cannot be written"), UNREACHABLE, SILENT],
    ))]
    Plan(Plan),
    /// Replace keys now, take that back, or go insecure
    ///
    /// Without --role the key that signs the data goes: the CSK, or the ZSK. An emergency waits only for honest caches; a
    /// standby key makes it shorter and is not needed. Another algorithm replaces all keys. Going insecure takes two people:
    /// the first is given a code, which the second gives back with --confirm within the hour.
    #[command(after_help = page(
        &["mxseal keys roll mx.example --role ksk --dry-run   # what would happen when",
          "mxseal keys roll mx.example --emergency", "mxseal keys roll mx.example --role ksk --back",
          "mxseal keys roll mx.example --algorithm 15 --dry-run"],
        &[(0, "it is begun, or would be"), FAILED, UNREACHABLE, GATE, SILENT],
    ))]
    Roll(Roll),
    /// Stop all steps of a zone; it is served and signed on
    ///
    /// Nothing turns bogus meanwhile, however long it lasts. Rolls under way stop where they are, and none begins.
    #[command(after_help = page(
        &["mxseal keys hold mx.example --reason 'the registry moves to a new system'"],
        &[(0, "it is held"), FAILED, UNREACHABLE, GATE, SILENT],
    ))]
    Hold(Hold),
    /// Let the steps of a zone go on, or end its silence; only what is named ends
    ///
    /// It ends what `keys hold` began; where the zone is not held, a doubt about the past. With --doubt only the doubt, with
    /// --clock only the clock's: all zones sign by the wall clock from then on, and no wait gets shorter; that is refused
    /// where recorded facts say that the clock is wrong. What stays is said. All else that freezes a zone ends by itself once its cause is gone; `keys status` names it.
    ///
    /// A zone whose keys are gone is silent (SERVFAIL), and its parent may have its DS. Restore its folder below `keys/`, or
    /// bring its keys in; only where that DS goes for good, --new-keys has others made. Until caches have forgotten the old
    /// DS, validators refuse them. An old copy of the folder with other keys than were published last is served with
    /// --serve-on; `status` says from when on that is harmless. A key that was given up never signs again.
    #[command(after_help = page(
        &["mxseal keys resume mx.example", "mxseal keys resume mx.example --clock   # the wall clock is right",
          "mxseal keys resume mx.example --new-keys --reason 'no backup; the registry removes the DS'",
          "mxseal keys resume mx.example --serve-on --reason 'the DS names its key'"],
        &[(0, "what was named has ended"), FAILED, UNREACHABLE, GATE, SILENT],
    ))]
    Resume(Resume),
    /// Say that this server leads: of two that use the same keys, it alone rolls them
    ///
    /// Keys that lie on another machine than before, a copy of them, or a folder that two servers use at once: rolls do not
    /// begin, no key is made and nothing is taken away, since two servers that roll for themselves make a zone bogus for those
    /// who ask the other one. End the other server, or take its copy away; then say here that this one leads. Where both
    /// use the same files, it leads from its next start on, and the other one stops by itself.
    #[command(after_help = page(
        &["mxseal keys lead --reason 'ns1 burnt down; this is its backup'"],
        &[(0, "this server leads"), FAILED, UNREACHABLE, SILENT],
    ))]
    Lead(Lead),
    /// Bring in the keys of a zone that another server signs
    ///
    /// A file is a BIND `K*.private` (its `.key` beside it is taken by itself), a `K*.key` alone (published on, never signs
    /// here), or a private key in PEM with --public, or with a `.key` beside it. A folder stands for all of these in it.
    ///
    /// The servers that have the zone now are asked, for ten seconds at most, which keys are in DNSKEY and which sign: found
    /// by `parents` of the zone, else from the root servers down. Where none answers, --list or dates and states in the files
    /// decide; where these leave several keys that could sign, nothing is brought in (4).
    #[command(after_help = page(
        &["mxseal keys import mx.example /etc/bind/keys --dry-run",
          "mxseal keys import mx.example /etc/bind/keys --ttl 3600 --life 14d --hold 'the old server still answers'",
          "mxseal keys import mx.example Kmx.example.+013+39004.private --ttl 3600 --life 14d",
          "mxseal keys import mx.example ksk.pem --public ksk.key --from 192.0.2.53"],
        &[(0, "they are brought in, or would be"), FOREIGN, UNREACHABLE, GATE, SILENT],
    ))]
    Import(Import),
    /// Write the keys of a zone for another server; needs no server here
    ///
    /// Files are readable by their owner only, and none is ever written over. A private key that leaves this machine can be
    /// used by whoever has it.
    #[command(after_help = page(
        &["mxseal keys export mx.example --to /mnt/stick", "mxseal keys export mx.example --to . --format pem --tag 39004"],
        &[(0, "they are written"), (1, "no such zone or key, or a file is there already")],
    ))]
    Export(Export),
    /// Live through years of rolls in seconds, and judge each moment; needs no server
    ///
    /// Each signed zone, with its real policy, TTLs and journal, in virtual time. Keys roll at the end of their lives, and
    /// people ask for rolls, take them back, hold and resume by chance. Every mixture that resolvers may hold is judged
    /// after each event. The same seed gives the same years.
    #[command(after_help = page(
        &["mxseal keys simulate", "mxseal keys simulate mx.example --years 100 --crash --clock --lose-parent",
          "mxseal keys simulate mx.example --years 2 --timeline"],
        &[(0, "no bogus moment, and every roll ended"), (1, "a bogus moment or a roll that got stuck; or a zone cannot be read")],
    ))]
    Simulate(Simulate),
}

/// What `keys plan` is told.
#[derive(Debug, Args)]
pub struct Plan {
    /// Only this zone
    pub zone: Option<String>,
    /// How far ahead
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = DAYS_DEFAULT, value_parser = days)]
    pub days: u64,
    /// Write it as a calendar for calendar programs (RFC 5545); `-`: to standard output
    #[arg(long, value_name = "FILE", conflicts_with = "svg")]
    pub ics: Option<PathBuf>,
    /// Write it as a picture; `-`: to standard output
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// A role, for arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleArgument {
    /// The key that the DS names.
    Ksk,
    /// The key that signs data.
    Zsk,
    /// One key for both.
    Csk,
}

impl From<RoleArgument> for KeyRole {
    fn from(role: RoleArgument) -> KeyRole {
        match role {
            RoleArgument::Ksk => KeyRole::Ksk,
            RoleArgument::Zsk => KeyRole::Zsk,
            RoleArgument::Csk => KeyRole::Csk,
        }
    }
}

/// What `keys roll` is told.
#[derive(Debug, Args)]
pub struct Roll {
    /// Its name; the final dot may be left out
    pub zone: String,
    /// Which key: `ksk`, `zsk` or `csk` [default: the one that signs the data]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub role: Option<RoleArgument>,
    /// The key may be in foreign hands: waits are those of honest caches only
    #[arg(long, conflicts_with_all = ["algorithm", "back", "insecure"])]
    pub emergency: bool,
    /// Replace all keys by keys of this algorithm: 13 or 15
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = algorithm, conflicts_with_all = ["role", "back", "insecure"])]
    pub algorithm: Option<u8>,
    /// Take the roll under way back
    #[arg(long, conflicts_with = "insecure")]
    pub back: bool,
    /// Let the zone go insecure: DANE ends for all of it. `signed = false` must stand in the configuration first
    #[arg(long, conflicts_with = "role")]
    pub insecure: bool,
    /// The code that the first person was given for --insecure
    #[arg(long, value_name = "CODE", requires = "insecure")]
    pub confirm: Option<String>,
    /// Show what would happen, change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// What `keys hold` is told.
#[derive(Debug, Args)]
pub struct Hold {
    /// Its name; the final dot may be left out
    pub zone: String,
    /// Why, for whoever finds it held
    #[arg(long, value_parser = reason)]
    pub reason: String,
    /// Show what would be, change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// What `keys resume` is told.
#[derive(Debug, Args)]
pub struct Resume {
    /// Its name; the final dot may be left out
    pub zone: String,
    /// The wall clock was looked at, and is right; nothing else ends
    #[arg(long, conflicts_with_all = ["doubt", "new_keys", "serve_on"])]
    pub clock: bool,
    /// With --clock: though recorded facts are later than it, or a parent's signatures say otherwise
    #[arg(long, requires = "clock")]
    pub overrule: bool,
    /// What is in doubt about the past was looked at; a hold stays
    #[arg(long, conflicts_with_all = ["new_keys", "serve_on"])]
    pub doubt: bool,
    /// Its keys are lost and the DS of before goes: make new ones
    #[arg(long, requires = "reason", conflicts_with = "serve_on")]
    pub new_keys: bool,
    /// Serve the old copy of its folder
    #[arg(long, requires = "reason")]
    pub serve_on: bool,
    /// Why, for the journal
    #[arg(long, value_parser = reason)]
    pub reason: Option<String>,
    /// Show what would be, change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// What `keys lead` is told.
#[derive(Debug, Args)]
pub struct Lead {
    /// Why, for the log
    #[arg(long, value_parser = reason)]
    pub reason: String,
    /// Show what would end, change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// What `keys import` is told.
#[derive(Debug, Args)]
pub struct Import {
    /// The zone; it must not have keys here yet
    pub zone: String,
    /// Key files, or folders of them
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The DNSKEY record of a private key in PEM; with one FILE only
    #[arg(long, value_name = "FILE")]
    pub public: Option<PathBuf>,
    /// The server that has the zone now; `none`: nobody is asked [default: those that the DNS leads to]
    #[arg(long, value_name = "ADDRESS", value_parser = whom)]
    pub from: Option<Whom>,
    /// What `keymgr ZONE list` or `pdnsutil list-keys ZONE` printed there
    #[arg(long, value_name = "FILE")]
    pub list: Option<PathBuf>,
    /// Highest TTL that the zone had there, in seconds or as a span
    #[arg(long, allow_negative_numbers = true, value_name = "TTL", default_value_t = TTL_DEFAULT, value_parser = ttl)]
    pub ttl: u32,
    /// Longest life that signatures had there
    #[arg(long, allow_negative_numbers = true, value_name = "SPAN", default_value = LIFE_DEFAULT, value_parser = parse_span)]
    pub life: Seconds,
    /// Let no step begin before `keys resume`, from the first moment on; why, for whoever finds it held
    #[arg(long, value_name = "REASON", value_parser = reason)]
    pub hold: Option<String>,
    /// Check them, here and on the server, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Who is asked which keys a zone has in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Nobody.
    Nobody,
    /// This server.
    At(SocketAddr),
}

/// In which form keys are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeyForm {
    /// `.key`, `.private` and `.state`, as BIND writes them.
    Bind,
    /// PKCS#8 in PEM, and the `.key` beside it.
    Pem,
}

/// What `keys export` is told.
#[derive(Debug, Args)]
pub struct Export {
    /// Its name; the final dot may be left out
    pub zone: String,
    /// Folder for the files; it must be there
    #[arg(long, value_name = "FOLDER")]
    pub to: PathBuf,
    /// `bind` (also for Knot, PowerDNS and ldns) or `pem`
    #[arg(long, value_enum, default_value = "bind", hide_possible_values = true)]
    pub format: KeyForm,
    /// Only the key with this tag
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = tag)]
    pub tag: Option<u16>,
}

/// What `keys simulate` is told.
#[derive(Debug, Args)]
pub struct Simulate {
    /// Only these zones [default: all signed ones]
    #[arg(value_name = "ZONE")]
    pub zones: Vec<String>,
    /// How many years for each zone
    #[arg(long, allow_negative_numbers = true, value_name = "N", default_value_t = 10, value_parser = years)]
    pub years: u64,
    /// Where all chance comes from
    #[arg(long, allow_negative_numbers = true, value_name = "S", default_value_t = 1, value_parser = seed)]
    pub seed: u64,
    /// The process and the machine end at any moment, in the middle of a write too
    #[arg(long)]
    pub crash: bool,
    /// The wall clock jumps both ways
    #[arg(long)]
    pub clock: bool,
    /// The parent is late, silent, partly right, takes its DS back, or has one that nobody asked for
    #[arg(long)]
    pub lose_parent: bool,
    /// Print each step with its date
    #[arg(long)]
    pub timeline: bool,
}

fn years(text: &str) -> Result<u64, String> {
    whole(text, 1, YEARS_MAX)
}

fn seed(text: &str) -> Result<u64, String> {
    whole(text, 0, u64::MAX)
}

fn tag(text: &str) -> Result<u16, String> {
    whole(text, 0, u16::MAX)
}

/// Seconds, bare or as a span.
fn ttl(text: &str) -> Result<u32, String> {
    let span = text.parse::<Seconds>().or_else(|_| parse_span(text))?;
    u32::try_from(span).map_err(|_| format!("`{text}` is more than a TTL holds"))
}

/// An address, with the port of DNS where it has none.
fn server(text: &str) -> Result<SocketAddr, String> {
    let bare = || text.parse::<IpAddr>().map(|address| SocketAddr::new(address, DNS_PORT));
    text.parse().or_else(|_| bare()).map_err(|_| "write 192.0.2.53, 192.0.2.53:5300 or [2001:db8::53]:53".to_owned())
}

/// Such an address, or nobody.
fn whom(text: &str) -> Result<Whom, String> {
    match text {
        "none" => Ok(Whom::Nobody),
        address => server(address).map(Whom::At).map_err(|forms| format!("{forms}, or none")),
    }
}

/// What a colleague reads at night.
fn reason(text: &str) -> Result<String, String> {
    let said = text.trim();
    if said.is_empty() { Err("say why, for whoever finds the zone held".to_owned()) } else { Ok(said.to_owned()) }
}

/// Those that keys are made of here.
fn algorithm(text: &str) -> Result<u8, String> {
    let known = [ECDSA_P256, ED25519_NUMBER];
    let found = text.parse().ok().filter(|number| known.contains(number));
    found.ok_or_else(|| "keys are made of 13 (ECDSA P-256) or 15 (Ed25519)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_reason_and_an_algorithm_that_is_not_made_here_are_refused() {
        assert_eq!(reason(" the registry moves "), Ok("the registry moves".to_owned()));
        assert!(reason("  ").is_err() && reason("").is_err());
        assert_eq!([algorithm("13"), algorithm("15")], [Ok(13), Ok(15)]);
        assert!(["8", "14", "x", ""].iter().all(|text| algorithm(text).is_err()));
    }

    #[test]
    fn ttls_are_seconds_or_spans() {
        assert_eq!([ttl("86400"), ttl("1d"), ttl("0")], [Ok(86_400), Ok(86_400), Ok(0)]);
        assert!(ttl("long").is_err() && ttl("4294967296").is_err());
    }
}
