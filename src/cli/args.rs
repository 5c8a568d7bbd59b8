//! The arguments of every command, and the help that teaches them.
//!
//! Every page has a sentence, an example and the exit codes that its command can end with; a test checks it.

mod certs;
mod keys;
mod page;
mod tenants;

pub use certs::{Adopt, CertPlanAsked, CertResume, CertVerb, Csr, DropKey, Permit, Rotate, Stage, Tlsa};
pub use keys::{Export, Hold, Import, KeyForm, KeysVerb, Lead, Plan, Resume, Roll, Simulate, Whom};
pub use page::{EXITS, filled};
pub use tenants::{Add, List, Rm, TenantVerb};

use crate::cli::screen::output::{Colour, Form};
use clap::{Parser, Subcommand};
use page::page;
use std::path::PathBuf;

/// Heading of the options that every command has, so that a command's own come first and stay apart.
const EVERYWHERE: &str = "Options of every command";

/// The farthest that a calendar looks ahead: a forecast is limited in its looks, and nobody plans for longer.
const DAYS_MAX: u64 = 1825;

const OK: (u8, &str) = (0, "ok");
const FAILED: (u8, &str) = (1, "it failed; standard error says why");
const UNREACHABLE: (u8, &str) = (3, "the server is not reachable over its control socket");
const SILENT: (u8, &str) = (5, "the server did not answer in time");

/// Authoritative DNS server that signs mail-flow zones online.
///
/// Tenants (customer domains) are files; each gets a host name of its own below a signed zone, with TLSA that always
/// matches what the mail hosts present. Commands ask the running server over its control socket: as its
/// user or root, or, to read only, as a member of the group that `socket_group` names.
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
          "mxseal tenant add contoso.com --pool eu-1   # serve a customer",
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
    /// `table` for people; `json` for programs: one object a line, errors as an object with `error` and `exit`; moments
    /// are seconds since 1970-01-01 00:00 UTC, spans are seconds
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
    /// One line on standard error tells when it answers. SIGHUP reloads, SIGTERM drains and ends. A wrong configuration,
    /// or an address of `listen` that cannot be bound, always ends the start. An error in a zone, a pool, a tenant or a
    /// key does not: what was good before is served, and `mxseal status` lists the error.
    #[command(after_help = page(
        &["mxseal serve", "mxseal --config /etc/mxseal/mxseal.toml serve --strict"],
        &[(0, "it was told to end"), (1, "it could not start; standard error says why"),
          (4, "another server uses the same folder of keys, or others can read it")],
    ))]
    Serve {
        /// Do not start while there is an error in any file: of a zone, a pool, a tenant or a key. Warnings do not count
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
    /// Print this page, or that of a command
    #[command(after_help = page(
        &["mxseal help", "mxseal help tenant add"],
        &[OK, (2, "there is no such command")],
    ))]
    Help {
        /// The words of the command
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Print the version
    #[command(after_help = page(
        &["mxseal version", "mxseal version -o json | jq -r .version"],
        &[OK],
    ))]
    Version,
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
    /// Without a server they are made from the keys in the folder of keys.
    #[command(after_help = page(
        &["mxseal zone ds mx.example"],
        &[OK, (1, "no such zone, or it is not signed"),
          (3, "the server is not reachable, and there are no keys of the zone here"), SILENT],
    ))]
    Ds {
        /// Its name; the final dot may be left out
        zone: String,
    },
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

/// How far a calendar looks ahead.
fn days(text: &str) -> Result<u64, String> {
    whole(text, 1, DAYS_MAX)
}

/// A whole number within limits.
fn whole<N: std::str::FromStr + PartialOrd + std::fmt::Display>(text: &str, least: N, most: N) -> Result<N, String> {
    let number = text.parse().ok().filter(|number| (&least..=&most).contains(&number));
    number.ok_or_else(|| format!("write a whole number from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    /// A command and all below it.
    fn all(command: clap::Command) -> Vec<clap::Command> {
        let below: Vec<clap::Command> = command.get_subcommands().cloned().flat_map(all).collect();
        [vec![command], below].concat()
    }

    /// The words of the first command of a line, as a shell finds them.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut is_quoted) = (vec![String::new()], false);
        for letter in line.chars() {
            match letter {
                '\'' => is_quoted = !is_quoted,
                '|' | '#' | '>' | '&' if !is_quoted => break,
                ' ' if !is_quoted => words.push(String::new()),
                _ => words.iter_mut().next_back().into_iter().for_each(|word| word.push(letter)),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn each_example_is_a_command_and_fits_80_columns() {
        let mut count = 0;
        for command in all(Args::command()) {
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.lines().all(|line| line.len() <= 80), "{after}");
            let (examples, _) = after.split_once(EXITS).expect("each page has both");
            for line in examples.replace(" \\\n", "").lines().map(str::trim).filter(|line| line.starts_with("mxseal "))
            {
                let parsed = Args::try_parse_from(words(line));
                assert!(parsed.is_ok(), "{line}: {parsed:?}");
                count += 1;
            }
        }
        assert!(count > 60, "{count}");
    }

    #[test]
    fn a_number_below_zero_is_a_wrong_number_and_no_unknown_option() {
        let options = all(Args::command()).into_iter().flat_map(|command| {
            let name = command.get_name().to_owned();
            let numbers: Vec<String> = command
                .get_arguments()
                .filter(|option| {
                    option
                        .get_value_names()
                        .is_some_and(|names| ["N", "S", "DAYS", "TTL", "SPAN", "TIME"].contains(&names[0].as_str()))
                })
                .map(|option| format!("{name}: {} {}", option.get_id(), option.is_allow_negative_numbers_set()))
                .collect();
            numbers
        });
        let options: Vec<String> = options.collect();
        assert!(options.len() >= 12 && options.iter().all(|option| option.ends_with("true")), "{options:?}");
    }
}
