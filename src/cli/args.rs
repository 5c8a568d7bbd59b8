//! The arguments of every command, and the help that teaches them.
//!
//! Every page has a sentence, an example and the exit codes that its command can end with; a test checks it.

mod certs;
mod keys;

pub use certs::{Adopt, CertPlanAsked, CertResume, CertVerb, Csr, DropKey, Permit, Rotate, Stage, Tlsa};
pub use keys::{Export, Hold, Import, KeyForm, KeysVerb, Lead, Plan, Resume, Roll, Simulate, Whom};

use super::output::{Colour, Form};
use crate::time::{Seconds, parse_span};
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// How long `tenant add` and `tenant rm` wait by default: a file is answered within milliseconds, so 10 s mean trouble.
const WAIT_DEFAULT: &str = "10s";
/// The longest wait that can be asked for; a script that needs more has another problem.
const WAIT_SECONDS_MAX: Seconds = 3600;

/// Heading of the options that every command has, so that a command's own come first and stay apart.
const EVERYWHERE: &str = "Options of every command";

const OK: (u8, &str) = (0, "ok");
const FAILED: (u8, &str) = (1, "it failed; standard error says why");
const NO_DOMAIN: (u8, &str) = (2, "this is no domain, or the arguments make no sense");
const UNREACHABLE: (u8, &str) = (3, "the server is not reachable over its control socket");
const SILENT: (u8, &str) = (5, "the server did not answer in time");

/// Authoritative DNS server that signs mail-flow zones online.
///
/// Tenants (customer domains) are files; each gets a host name of its own below a signed zone, with TLSA that always
/// matches what the mail hosts present. Commands ask the running server over the control socket in its keys folder.
#[derive(Debug, Parser)]
#[command(
    name = "mxseal",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    subcommand_required = true,
    after_help = page(
        &["mxseal check                                # is everything well written?",
          "mxseal serve                                # run the server",
          "mxseal tenant add contoso.com --pool eu-1   # serve a customer, print its MX record",
          "mxseal -o json status | jq .zones"],
        &[OK, (1, "findings, or a failure"), UNREACHABLE,
          (4, "refused by a safety gate; the message says which, and how to open it"),
          (5, "timed out waiting")],
    )
)]
pub struct Args {
    /// Configuration [default: ./mxseal.toml, then /etc/mxseal/mxseal.toml]
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERYWHERE)]
    pub config: Option<PathBuf>,
    /// `table` for people; `json` for programs: one object a line, errors as an object with `error` and `exit`
    #[arg(short, long, global = true, value_enum, value_name = "FORM", default_value = "table",
          hide_possible_values = true, help_heading = EVERYWHERE)]
    pub output: Form,
    /// When to colour: `auto` (on a terminal, unless NO_COLOR is set), `always` or `never`
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto",
          hide_possible_values = true, help_heading = EVERYWHERE)]
    pub color: Colour,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server in the foreground
    ///
    /// One line on standard error tells when it answers. SIGHUP reloads, SIGTERM drains and ends.
    #[command(after_help = page(
        &["mxseal serve", "mxseal --config /etc/mxseal/mxseal.toml serve --strict"],
        &[(0, "it was told to end"), (1, "it could not start; standard error says why")],
    ))]
    Serve {
        /// Do not start with less than was asked for: an address that cannot be bound, a confinement that the kernel lacks
        #[arg(long)]
        strict: bool,
    },
    /// Check all files and list everything that is wrong
    ///
    /// Each finding has its file, line and column, the cause and the way out; causes come before what follows from them. The
    /// last line counts what was read, and names files that nobody reads. Root sees what `[server] user` will see. Needs no
    /// server and changes nothing.
    #[command(after_help = page(
        &["mxseal check", "mxseal check -o json | jq -r '.code // empty' | sort | uniq -c"],
        &[(0, "nothing is wrong; there may be warnings"), (1, "there are errors, or the configuration cannot be read")],
    ))]
    Check,
    /// Read the configuration and all files anew
    ///
    /// Ends when the new state answers. What is broken keeps its last good state and is listed.
    #[command(after_help = page(
        &["mxseal reload", "mxseal reload --allow-shrink    # release a large removal that was meant"],
        &[(0, "the new state answers; there may be warnings"), (1, "there are errors; the last good state stays for them"),
          UNREACHABLE,
          (4, "removals are held back: more than 5 % and more than 10 tenants of a zone are gone from its files"), SILENT],
    ))]
    Reload {
        /// Release the removals that are held back
        #[arg(long)]
        allow_shrink: bool,
    },
    /// Show on one screen how the server is
    ///
    /// Version, uptime, snapshot, what is not ready, zones, and all findings that stand.
    #[command(after_help = page(
        &["mxseal status", "mxseal status -o json | jq .not_ready"],
        &[(0, "no errors; there may be warnings"), (1, "there are errors, or mxseal.toml is broken now"), UNREACHABLE, SILENT],
    ))]
    Status,
    /// Zones: list, show, DS records for the registry
    #[command(subcommand_required = true, arg_required_else_help = true, after_help = page(
        &["mxseal zone list", "mxseal zone ds mx.example"],
        &[OK, FAILED, UNREACHABLE, SILENT],
    ))]
    Zone {
        /// What to do.
        #[command(subcommand)]
        verb: ZoneVerb,
    },
    /// Tenants: list, show, add, remove, the MX record to publish
    #[command(subcommand_required = true, arg_required_else_help = true, after_help = page(
        &["mxseal tenant add contoso.com --pool eu-1", "mxseal tenant list --broken"],
        &[OK, FAILED, UNREACHABLE, (4, "a removal is held back by the shrink guard"), (5, "timed out waiting")],
    ))]
    Tenant {
        /// What to do.
        #[command(subcommand)]
        verb: TenantVerb,
    },
    /// Pools of mail hosts: list, show
    #[command(subcommand_required = true, arg_required_else_help = true, after_help = page(
        &["mxseal pool list", "mxseal pool show eu-1"],
        &[OK, FAILED, UNREACHABLE, SILENT],
    ))]
    Pool {
        /// What to do.
        #[command(subcommand)]
        verb: PoolVerb,
    },
    /// Keys of zones: status, calendar, rolls, import, export, simulation
    #[command(subcommand_required = true, arg_required_else_help = true, after_help = page(
        &["mxseal keys status", "mxseal keys plan mx.example", "mxseal keys simulate --years 100"],
        &[OK, (1, "something stands in the way, or it failed"), UNREACHABLE,
          (4, "refused, with the reason and from when on it is allowed"), SILENT],
    ))]
    Keys {
        /// What to do.
        #[command(subcommand)]
        verb: KeysVerb,
    },
    /// Certificates of mail hosts and their TLSA: status, calendar, requests, permits, rotation
    #[command(subcommand_required = true, arg_required_else_help = true, after_help = page(
        &["mxseal cert status eu-1", "mxseal cert csr eu-1 --out next.csr",
          "mxseal cert permit eu-1 --certificate fullchain.pem", "mxseal cert rotate eu-1 --certificate fullchain.pem"],
        &[OK, (1, "something stands in the way, or it failed"), UNREACHABLE,
          (4, "not yet: the message says from when on"), (5, "timed out waiting")],
    ))]
    Cert {
        /// What to do.
        #[command(subcommand)]
        verb: CertVerb,
    },
    /// Show the answer that the server gives, and why
    ///
    /// Records, sizes, key, signature window, the file and line they come from, and when the signature will change.
    #[command(after_help = page(
        &["mxseal explain _25._tcp.contoso-com.a-v1.mx.example TLSA", "mxseal explain mx.example DNSKEY -o json"],
        &[OK, (1, "there is no such type, or no answer"), UNREACHABLE, SILENT],
    ))]
    Explain {
        /// Name to ask for; always absolute, the final dot may be left out
        name: String,
        /// Type to ask for, such as A, TLSA or TYPE65280
        #[arg(value_name = "TYPE")]
        rtype: String,
    },
    /// Print the completions of a shell
    #[command(after_help = page(
        &["mxseal completions bash > /etc/bash_completion.d/mxseal", "mxseal completions zsh > ~/.zfunc/_mxseal"],
        &[OK, FAILED],
    ))]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual, or write one page a command into a folder
    #[command(after_help = page(
        &["mxseal man | man -l -", "mxseal man /usr/local/share/man/man1"],
        &[OK, (1, "the folder cannot be written")],
    ))]
    Man {
        /// Folder that is there already; without it the page of mxseal itself goes to standard output
        folder: Option<PathBuf>,
    },
}

/// What can be done with zones.
#[derive(Debug, Subcommand)]
pub enum ZoneVerb {
    /// List the zones
    #[command(after_help = page(
        &["mxseal zone list", "mxseal zone list -o json | jq -r 'select(.state != \"serving\") | .zone'"],
        &[OK, FAILED, UNREACHABLE, SILENT],
    ))]
    List,
    /// Show a zone: state, keys, DS, and what is wrong with it
    #[command(after_help = page(
        &["mxseal zone show a-v1.mx.example"],
        &[OK, (1, "no such zone, or it has errors"), UNREACHABLE, SILENT],
    ))]
    Show {
        /// Its name; the final dot may be left out
        zone: String,
    },
    /// Print the DS records of a zone, for the registry
    ///
    /// In master-file form and nothing else, so that it can be piped on. A zone whose parent is served here needs none.
    #[command(after_help = page(
        &["mxseal zone ds mx.example"],
        &[OK, (1, "no such zone, or it is not signed"), UNREACHABLE, SILENT],
    ))]
    Ds {
        /// Its name; the final dot may be left out
        zone: String,
    },
}

/// What can be done with tenants.
#[derive(Debug, Subcommand)]
pub enum TenantVerb {
    /// List the tenants, also broken ones
    #[command(after_help = page(
        &["mxseal tenant list --zone a-v1.mx.example", "mxseal tenant list --broken -o json | jq -r '.source, .reasons[]'"],
        &[OK, FAILED, UNREACHABLE, SILENT],
    ))]
    List {
        /// Only the tenants of this zone
        #[arg(long, value_name = "ZONE")]
        zone: Option<String>,
        /// Only those that are not served as their file says
        #[arg(long)]
        broken: bool,
    },
    /// Show a tenant: endpoint, addresses, TLSA, file and line
    #[command(after_help = page(
        &["mxseal tenant show contoso.com"],
        &[OK, (1, "no such tenant, or its file is broken"), NO_DOMAIN, UNREACHABLE, SILENT],
    ))]
    Show {
        /// Its domain, also with letters beyond ASCII
        domain: String,
    },
    /// Add a tenant, wait until it is served, print the MX record to publish
    ///
    /// Writes zones/ZONE/DOMAIN.toml beside its place and renames it there; no file is ever overwritten. Without --zone
    /// the signed zone for tenants that has the fewest is taken.
    #[command(after_help = page(
        &["mxseal tenant add contoso.com --pool eu-1",
          "mxseal tenant add contoso.com --pool eu-1 --dry-run   # show the file, write nothing"],
        &[(0, "it is served"),
          (1, "it exists already, zone or pool is unknown, or the server finds it broken"), NO_DOMAIN,
          (3, "the server is not reachable; nothing was written"), (5, "written, but not served in time")],
    ))]
    Add(Add),
    /// Remove a tenant, wait until it is gone
    ///
    /// Removes its file, or its line of an NDJSON file. This removal does not count for the shrink guard.
    ///
    /// Its MX record must be moved first, and its old TTL must have passed: senders that still know it find no host any
    /// more, and mail to the domain bounces, at some senders at once.
    #[command(after_help = page(
        &["mxseal tenant rm contoso.com", "mxseal tenant rm contoso.com --dry-run   # show what would be removed"],
        &[(0, "it is gone"), (1, "no such tenant, or its file cannot be changed"), NO_DOMAIN,
          (3, "the server is not reachable; nothing was removed"), (4, "the removal is held back by the shrink guard"),
          (5, "removed from its file, but still served")],
    ))]
    Rm(Rm),
    /// Print the MX record that a tenant publishes
    #[command(after_help = page(
        &["mxseal tenant mx contoso.com", "mxseal tenant mx contoso.com -o json | jq -r .endpoint"],
        &[OK, (1, "no such tenant, or it was never served"), NO_DOMAIN, UNREACHABLE, SILENT],
    ))]
    Mx {
        /// Its domain, also with letters beyond ASCII
        domain: String,
    },
}

/// What `tenant add` is told.
#[derive(Debug, clap::Args)]
pub struct Add {
    /// Its domain, also with letters beyond ASCII
    pub domain: String,
    /// Pool of mail hosts that takes its mail
    #[arg(long)]
    pub pool: String,
    /// Zone that will hold it [default: the one with the fewest tenants]
    #[arg(long)]
    pub zone: Option<String>,
    /// Its endpoint's label [default: the domain, dots as dashes]
    #[arg(long)]
    pub endpoint: Option<String>,
    /// Show the file and the zone, write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How long to wait until it is served
    #[arg(long, value_name = "SPAN", default_value = WAIT_DEFAULT, value_parser = wait)]
    pub timeout: Seconds,
}

/// What `tenant rm` is told.
#[derive(Debug, clap::Args)]
pub struct Rm {
    /// Its domain, also with letters beyond ASCII
    pub domain: String,
    /// Zone that holds it; needed where several do
    #[arg(long)]
    pub zone: Option<String>,
    /// Show what would be removed, change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How long to wait until it is gone
    #[arg(long, value_name = "SPAN", default_value = WAIT_DEFAULT, value_parser = wait)]
    pub timeout: Seconds,
}

/// What can be done with pools.
#[derive(Debug, Subcommand)]
pub enum PoolVerb {
    /// List the pools
    #[command(after_help = page(
        &["mxseal pool list", "mxseal pool list -o json | jq -r .pool"],
        &[OK, FAILED, UNREACHABLE, SILENT],
    ))]
    List,
    /// Show a pool: addresses, certificates, TLSA, what is wrong with it
    #[command(after_help = page(
        &["mxseal pool show eu-1"],
        &[OK, (1, "no such pool, or it is broken"), UNREACHABLE, SILENT],
    ))]
    Show {
        /// Its name
        pool: String,
    },
}

fn wait(text: &str) -> Result<Seconds, String> {
    match parse_span(text)? {
        span if span <= WAIT_SECONDS_MAX => Ok(span),
        _ => Err(format!("`{text}` is more than an hour")),
    }
}

/// The end of a help page: examples, then exit codes. 2 is the same everywhere unless the page has more to say.
fn page(examples: &[&str], exits: &[(u8, &str)]) -> String {
    let mut text = String::from(if examples.len() == 1 { "Example:\n" } else { "Examples:\n" });
    for example in examples {
        text.push_str(&format!("  {example}\n"));
    }
    text.push_str("\nExit codes:\n");
    let usage = (2, "the arguments make no sense");
    let given = exits.iter().any(|(code, _)| *code == usage.0);
    let mut all: Vec<(u8, &str)> = exits.iter().copied().chain((!given).then_some(usage)).collect();
    all.sort_by_key(|(code, _)| *code);
    for (code, meaning) in all {
        text.push_str(&format!("  {code}  {meaning}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn waits_are_spans_up_to_an_hour() {
        assert_eq!(wait("10s"), Ok(10));
        assert_eq!(wait("1h"), Ok(3600));
        assert!(wait("61m").is_err());
        assert!(wait("soon").is_err());
    }

    #[test]
    fn a_page_lists_its_exit_codes_in_order_and_usage_always() {
        let text = page(&["mxseal x"], &[(0, "ok"), (5, "late")]);
        assert_eq!(text, "Example:\n  mxseal x\n\nExit codes:\n  0  ok\n  2  the arguments make no sense\n  5  late\n");
    }
}
