//! The arguments of `mxseal cert`, and the help that teaches them.
//!
//! What contradicts itself is refused here, before anybody is asked.

use super::{FAILED, OK, SILENT, UNREACHABLE, days, page, whole};
use crate::time::{Seconds, parse_span};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// How far a calendar looks ahead by default: a certificate of today ends within it.
const DAYS_DEFAULT: u64 = 120;
/// How long `cert rotate` waits for a host to show its new certificate.
const TIMEOUT_DEFAULT: &str = "10m";
const TIMEOUT_MAX: Seconds = 86_400;
/// Ten years: a certificate that lasts longer outlives its host.
const SELF_SIGNED_DAYS_MAX: u32 = 3650;
const GATE: (u8, &str) = (4, "not yet, or never: the message says from when on");

/// What can be done with certificates of hosts and their TLSA.
#[derive(Debug, Subcommand)]
pub enum CertVerb {
    /// Show keys, certificates, what waits, what you must do, and what mxseal will do
    #[command(after_help = page(
        &["mxseal cert status eu-1", "mxseal cert status -o json | jq -r 'select(.must != []) | .pool'"],
        &[(0, "nothing stands in the way"), (1, "something does, or there is no such pool"), UNREACHABLE, SILENT],
    ))]
    Status {
        /// Only this pool
        pool: Option<String>,
    },
    /// Show the calendar of certificates and zone keys together
    ///
    /// Each step to come with its date: permits, renewals, TLSA that go, and rolls of zone keys.
    #[command(after_help = page(
        &["mxseal cert plan", "mxseal cert plan eu-1 --days 30", "mxseal cert plan --svg - > calendar.svg"],
        &[OK, (1, "no such pool, or a file cannot be written"), UNREACHABLE, SILENT],
    ))]
    Plan(CertPlanAsked),
    /// Write a request for a certificate of the next key (PKCS#10)
    ///
    /// Any ACME client or authority takes it. The key stays below `keys/`; `cert rotate` gives it to the hosts.
    #[command(after_help = page(
        &["mxseal cert csr eu-1 --out next.csr", "certbot certonly --csr next.csr --standalone",
          "mxseal cert csr eu-1 --self-signed 365 --out next.pem   # for fleets without MTA-STS"],
        &[OK, (1, "there is no next key, or the file cannot be written"), (2, "there are several next keys: say --kind"), UNREACHABLE, SILENT],
    ))]
    Csr(Csr),
    /// Bring in a private key that is to be the next one of its kind
    ///
    /// Needed for RSA, which is not made here. Its TLSA is served from now on; hosts must not have it yet.
    #[command(after_help = page(
        &["openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out next.pem", "mxseal cert stage eu-1 --key next.pem"],
        &[OK, FAILED, UNREACHABLE, (4, "hosts have this key already, or it is here already"), SILENT],
    ))]
    Stage(Stage),
    /// Ask whether hosts may be given a key now: for deploy hooks
    ///
    /// Yes only when its TLSA is in all that caches may hold (RFC 7671 § 8.1). While a permit lasts, its TLSA stays.
    #[command(after_help = page(
        &["mxseal cert permit eu-1 --certificate fullchain.pem && systemctl reload postfix",
          "mxseal cert permit eu-1 --key 2bbcab29c3d44f6d18e10469681c9dd8b06a47e5c581e8d489341edae1a083c2 --dry-run"],
        &[(0, "yes"), (1, "there is no such pool, or the file cannot be read"), (2, "this is no digest"), UNREACHABLE, GATE, SILENT],
    ))]
    Permit(Permit),
    /// Give hosts a certificate, in the only safe order
    ///
    /// The certificate is checked, the key permitted, host after host gets it by `[pool."POOL"] deploy` or `install` of the
    /// configuration and is looked at. It goes on where it was when it is run again, and --back takes it back. The old TLSA
    /// goes by itself once no host has shown its key for the wait.
    #[command(after_help = page(
        &["mxseal cert rotate eu-1 --certificate 0001_chain.pem --dry-run", "mxseal cert rotate eu-1 --certificate 0001_chain.pem",
          "mxseal cert rotate eu-1 --back"],
        &[(0, "all hosts show it"), (1, "the certificate is wrong, or a command failed; nothing that was good is lost"),
          (2, "the configuration does not say how hosts get it"), UNREACHABLE, GATE, (5, "a host does not show it in time")],
    ))]
    Rotate(Rotate),
    /// Say that a key which a host shows is one of the pool's
    ///
    /// Its TLSA is served as long as a host shows it, and for the wait after. A look never does that by itself: whoever sits
    /// on the way to a host's port could have his key certified. Compare the digest with the host itself first.
    #[command(after_help = page(
        &["mxseal cert adopt eu-1 --key 2bbcab29c3d44f6d18e10469681c9dd8b06a47e5c581e8d489341edae1a083c2 --reason 'seen on the console of mx1'"],
        &[OK, (1, "no such pool, or nothing can be recorded"), (2, "it is not a whole digest"), UNREACHABLE,
          (4, "no host of the pool shows it, it was given up, or its hosts are not looked at"), SILENT],
    ))]
    Adopt(Adopt),
    /// Give a key up, or take that back
    ///
    /// A next key that is given up is replaced by another. With --emergency waits are those of honest caches only: for a key
    /// that may be in foreign hands. The TLSA of a key of the files never goes while a host of the pool shows it; one that no
    /// file names, and that only a look found, goes at once in an emergency, whoever shows it.
    #[command(after_help = page(
        &["mxseal cert drop eu-1 --key DIGEST --emergency --reason 'host stolen'", "mxseal cert drop eu-1 --key DIGEST --back"],
        &[OK, FAILED, UNREACHABLE, (4, "it cannot be given up"), SILENT],
    ))]
    Drop(DropKey),
    /// Say that what was in doubt about a pool, or is an alarm about its hosts, has been looked at: all goes on
    #[command(after_help = page(
        &["mxseal cert resume eu-1 --reason 'compared with the backup'"],
        &[OK, FAILED, UNREACHABLE, SILENT],
    ))]
    Resume(CertResume),
    /// Print the TLSA of a certificate, a key, or a live host
    ///
    /// A host is asked by STARTTLS as senders do, once for each kind of key. Needs no server.
    #[command(after_help = page(
        &["mxseal cert tlsa /etc/letsencrypt/live/mx/fullchain.pem", "mxseal cert tlsa mx.example.com:25 --name mx.example.com"],
        &[OK, (1, "it cannot be read or looked at"), (2, "this is neither a file nor a host")],
    ))]
    Tlsa(Tlsa),
}

/// `cert plan`.
#[derive(Args, Debug)]
pub struct CertPlanAsked {
    /// Only this pool
    pub pool: Option<String>,
    /// How far ahead
    #[arg(long, allow_negative_numbers = true, value_name = "DAYS", default_value_t = DAYS_DEFAULT, value_parser = days)]
    pub days: u64,
    /// Write a picture; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Without the keys of zones
    #[arg(long)]
    pub no_keys: bool,
}

/// `cert csr`.
#[derive(Args, Debug)]
pub struct Csr {
    /// The pool
    pub pool: String,
    /// Kind of the key: rsa, ecdsa-p256, ecdsa-p384, ed25519
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    /// A name instead of those of the pool; several times for several
    #[arg(long = "name", value_name = "NAME")]
    pub names: Vec<String>,
    /// A certificate that the key signs itself, for so many days, instead of a request
    #[arg(long, allow_negative_numbers = true, value_name = "DAYS", value_parser = life)]
    pub self_signed: Option<u32>,
    /// Write it into this file, and not to standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `cert stage`.
#[derive(Args, Debug)]
pub struct Stage {
    /// The pool
    pub pool: String,
    /// File of the private key in PEM, without a passphrase
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `cert permit`.
#[derive(Args, Debug)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["key", "certificate"])))]
pub struct Permit {
    /// The pool
    pub pool: String,
    /// SHA-256 of its SubjectPublicKeyInfo, in hex
    #[arg(long, value_name = "SPKI")]
    pub key: Option<String>,
    /// The certificate that hosts are to be given (PEM chain)
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// Wait only for honest caches
    #[arg(long)]
    pub emergency: bool,
    /// Record no permit
    #[arg(long)]
    pub dry_run: bool,
}

/// `cert rotate`.
#[derive(Args, Debug)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["certificate", "back"])))]
pub struct Rotate {
    /// The pool
    pub pool: String,
    /// The certificate that hosts are to be given (PEM chain)
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// Its private key, where that is not kept below `keys/`
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub key: Option<PathBuf>,
    /// Give hosts back what `install` kept of before
    #[arg(long)]
    pub back: bool,
    /// Wait only for honest caches
    #[arg(long)]
    pub emergency: bool,
    /// How long a host may take to show it
    #[arg(long, allow_negative_numbers = true, value_name = "TIME", default_value = TIMEOUT_DEFAULT, value_parser = timeout)]
    pub timeout: Seconds,
    /// Say what would be done, and what would refuse it
    #[arg(long)]
    pub dry_run: bool,
}

/// `cert adopt`.
#[derive(Args, Debug)]
pub struct Adopt {
    /// The pool
    pub pool: String,
    /// SHA-256 of its SubjectPublicKeyInfo, all 64 hex digits
    #[arg(long, value_name = "SPKI")]
    pub key: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "by command")]
    pub reason: String,
    /// Change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `cert drop`.
#[derive(Args, Debug)]
pub struct DropKey {
    /// The pool
    pub pool: String,
    /// SHA-256 of its SubjectPublicKeyInfo, in hex
    #[arg(long, value_name = "SPKI")]
    pub key: String,
    /// Wait only for honest caches
    #[arg(long)]
    pub emergency: bool,
    /// It may be used after all
    #[arg(long, conflicts_with = "emergency")]
    pub back: bool,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "by command")]
    pub reason: String,
    /// Change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `cert resume`.
#[derive(Args, Debug)]
pub struct CertResume {
    /// The pool
    pub pool: String,
    /// Who looked, and what was found, for the record
    #[arg(long, value_name = "TEXT", default_value = "by command")]
    pub reason: String,
    /// Change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `cert tlsa`.
#[derive(Args, Debug)]
pub struct Tlsa {
    /// A file with a certificate or a private key, or a host: HOST, HOST:PORT, an address
    #[arg(value_name = "FILE|HOST[:PORT]")]
    pub what: String,
    /// Print whole records for this name; a live host is asked for it (SNI)
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

fn life(text: &str) -> Result<u32, String> {
    whole(text, 1, SELF_SIGNED_DAYS_MAX)
}

fn timeout(text: &str) -> Result<Seconds, String> {
    match parse_span(text)? {
        span @ 1..=TIMEOUT_MAX => Ok(span),
        _ => Err("it takes 1s to 1d".to_owned()),
    }
}
