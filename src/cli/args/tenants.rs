//! The arguments of `mxseal tenant`, and the help that teaches them.

use super::{OK, SILENT, UNREACHABLE, page};
use crate::time::{Seconds, parse_span};
use clap::Subcommand;

/// How long `tenant add` and `tenant rm` wait by default: a file is answered within milliseconds, so 10 s mean trouble.
const WAIT_DEFAULT: &str = "10s";
/// The longest wait that can be asked for; a script that needs more has another problem.
const WAIT_SECONDS_MAX: Seconds = 3600;

const NO_DOMAIN: (u8, &str) = (2, "this is no domain, or the arguments make no sense");

/// What can be done with tenants.
#[derive(Debug, Subcommand)]
pub enum TenantVerb {
    /// List the tenants, also broken ones
    ///
    /// One line a tenant; on a terminal why one is broken stands below it, and long paths lose their beginning.
    #[command(after_help = page(
        &["mxseal tenant list contoso", "mxseal tenant list --zone a-v1.mx.example --pool eu-1 --count",
          "mxseal tenant list --broken -o json | jq -r '.source, .reasons[]'"],
        &[OK, (1, "no such zone or pool"), UNREACHABLE, SILENT],
    ))]
    List(List),
    /// Show a tenant: endpoint, addresses, TLSA, file and line
    ///
    /// It is found by its domain, and by its endpoint as a log of a mail server has it.
    #[command(after_help = page(
        &["mxseal tenant show contoso.com", "mxseal tenant show _25._tcp.contoso-com.a-v1.mx.example."],
        &[OK, (1, "no such tenant, or its file is broken"), NO_DOMAIN, UNREACHABLE, SILENT],
    ))]
    Show {
        /// Its domain or its endpoint, also with letters beyond ASCII
        domain: String,
    },
    /// Add a tenant, wait until it is served, print the MX record to publish
    ///
    /// Writes zones/ZONE/DOMAIN.toml beside its place and renames it there; no file is ever overwritten. The server is
    /// asked first whether it would serve the tenant; where it would not, nothing is written. Without --zone the signed
    /// zone for tenants that has the fewest is taken.
    #[command(after_help = page(
        &["mxseal tenant add contoso.com --pool eu-1",
          "mxseal tenant add contoso.com --pool eu-1 --dry-run   # show the file, write nothing"],
        &[(0, "it is served"),
          (1, "it exists already, zone or pool is unknown, or the server would not serve it; nothing stays written"), NO_DOMAIN,
          (3, "the server is not reachable; nothing was written"), (5, "written, but not served in time")],
    ))]
    Add(Add),
    /// Remove a tenant, wait until it is gone
    ///
    /// Removes its file, or its line of an NDJSON file, and waits until neither the DNS nor `tenant show` has it any more.
    /// Where several files of one zone define it, all of these go. This removal does not count for the shrink guard.
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
        /// Its domain or its endpoint, also with letters beyond ASCII
        domain: String,
    },
}

/// What `tenant list` is told.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Only those whose domain or endpoint holds this text
    pub word: Option<String>,
    /// Only the tenants of this zone
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// Only those that refer to this pool
    #[arg(long, value_name = "POOL")]
    pub pool: Option<String>,
    /// Only those that are not served as their file says
    #[arg(long)]
    pub broken: bool,
    /// Print only how many there are
    #[arg(long)]
    pub count: bool,
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
    /// Show the file and the zone, or why it would not be served; write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How long to wait until it is served
    #[arg(long, allow_negative_numbers = true, value_name = "SPAN", default_value = WAIT_DEFAULT, value_parser = wait)]
    pub timeout: Seconds,
}

/// What `tenant rm` is told.
#[derive(Debug, clap::Args)]
pub struct Rm {
    /// Its domain or its endpoint, also with letters beyond ASCII
    pub domain: String,
    /// Zone that holds it; needed where several do
    #[arg(long)]
    pub zone: Option<String>,
    /// Show what would be removed, change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How long to wait until it is gone
    #[arg(long, allow_negative_numbers = true, value_name = "SPAN", default_value = WAIT_DEFAULT, value_parser = wait)]
    pub timeout: Seconds,
}

fn wait(text: &str) -> Result<Seconds, String> {
    match parse_span(text)? {
        span if span <= WAIT_SECONDS_MAX => Ok(span),
        _ => Err(format!("`{text}` is more than an hour")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_spans_up_to_an_hour() {
        assert_eq!(wait("10s"), Ok(10));
        assert_eq!(wait("1h"), Ok(3600));
        assert!(wait("61m").is_err());
        assert!(wait("soon").is_err());
    }
}
