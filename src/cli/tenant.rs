//! `tenant list`, `tenant show`, `tenant mx`: the tenants as the server serves them.
//!
//! A list is printed as it comes, so that a million tenants need no more memory than a thousand.

use super::client;
use super::context::Context;
use super::failure::{Exit, Failure, Stop};
use super::output::{Output, Tone};
use super::table::{Table, plain};
use super::words::{tone_of_state, zone_stem};
use crate::control::protocol::{Request, TenantInfo};
use crate::zone::tenant::normal_domain;
use serde::Serialize;

/// Rows that are lined up with one another; a list beyond it goes on with a page of its own.
const PAGE_ROWS: usize = 1000;
/// TTL that the MX record is given: the default of mxseal's own records (design.md § 3), short enough to move again.
const MX_TTL: u32 = 3600;
/// The only MX record of a domain; 0 is what Exchange Online tells its customers to publish, too.
const MX_PREFERENCE: u16 = 0;

/// The MX record that a tenant publishes in its own zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mx {
    /// Domain as an A-label, without final dot.
    pub domain: String,
    /// The record in master-file form.
    pub mx: String,
    /// Its preference.
    pub preference: u16,
    /// Its TTL in seconds.
    pub ttl: u32,
    /// Its target, with final dot.
    pub endpoint: String,
}

impl Mx {
    /// The record of a tenant that has an endpoint.
    pub fn of(tenant: &TenantInfo) -> Mx {
        Mx {
            domain: tenant.domain.clone(),
            mx: format!("{}. {MX_TTL} IN MX {MX_PREFERENCE} {}", tenant.domain, tenant.endpoint),
            preference: MX_PREFERENCE,
            ttl: MX_TTL,
            endpoint: tenant.endpoint.clone(),
        }
    }
}

/// Prints all tenants, or those of one zone, or only broken ones.
pub fn list(context: &Context, zone: Option<&str>, broken: bool, output: &mut Output) -> Result<Exit, Stop> {
    let zone = zone.map(|zone| format!("{}.", zone_stem(zone)));
    let request = Request::TenantList { zone, broken };
    // The endpoint is left to `show` and JSON: it repeats domain and zone, and would fold every line of a narrow screen.
    let mut table = Table::new(&["domain", "state", "pool", "source", "reason"]);
    let end = context.client.each(&request, client::PATIENCE, &mut |value| {
        let tenant: TenantInfo = client::read(value)?;
        if output.is_json() {
            return output.object(&tenant);
        }
        table.row(row(&tenant));
        if table.count() >= PAGE_ROWS {
            output.table(&table)?;
            table.next_page();
        }
        Ok(())
    })?;
    output.table(&table)?;
    end.check()?;
    Ok(Exit::Ok)
}

fn row(tenant: &TenantInfo) -> Vec<(Tone, String)> {
    vec![
        plain(&tenant.domain),
        (tone_of_state(&tenant.state), tenant.state.clone()),
        plain(tenant.pool.as_deref().unwrap_or("-")),
        plain(&tenant.source),
        plain(tenant.reasons.join("; ")),
    ]
}

/// Prints one tenant, in each zone that has it; one whose file is broken is a failure.
pub fn show(context: &Context, domain: &str, output: &mut Output) -> Result<Exit, Stop> {
    let tenants = existing(context, &normal(domain)?)?;
    for (index, tenant) in tenants.iter().enumerate() {
        if output.is_json() {
            output.object(tenant)?;
            continue;
        }
        if index > 0 {
            output.line("")?;
        }
        output.table(&card(tenant))?;
    }
    let broken = tenants.iter().any(|tenant| !tenant.reasons.is_empty());
    Ok(if broken { Exit::Failure } else { Exit::Ok })
}

fn card(tenant: &TenantInfo) -> Table {
    let mut table = Table::plain(2);
    let mut row = |label: &str, cell: (Tone, String)| table.row(vec![(Tone::Strong, label.to_owned()), cell]);
    row("domain", plain(&tenant.domain));
    row("zone", plain(&tenant.zone));
    row("state", (tone_of_state(&tenant.state), tenant.state.clone()));
    row("endpoint", plain(&tenant.endpoint));
    row("pool", plain(tenant.pool.as_deref().unwrap_or("none: addresses and TLSA of its own")));
    tenant.addresses.iter().for_each(|address| row("address", plain(address)));
    tenant.tlsa.iter().for_each(|tlsa| row("tlsa", plain(tlsa)));
    row("source", plain(&tenant.source));
    tenant.reasons.iter().for_each(|reason| row("reason", (Tone::Bad, reason.clone())));
    table
}

/// Prints the MX record to publish, and nothing else.
pub fn mx(context: &Context, domain: &str, output: &mut Output) -> Result<Exit, Stop> {
    let domain = normal(domain)?;
    let tenants = existing(context, &domain)?;
    let answered: Vec<&TenantInfo> = tenants.iter().filter(|tenant| is_answered(tenant)).collect();
    if answered.is_empty() {
        let help = format!("see `mxseal tenant show {domain}`; an MX record to it would lose mail");
        return Err(Failure::new(Exit::Failure, format!("tenant {domain} is not served"), help).into());
    }
    for tenant in answered {
        let mx = Mx::of(tenant);
        if output.is_json() {
            output.object(&mx)?;
        } else {
            output.line(&output.tone(Tone::Plain, &mx.mx))?;
        }
    }
    Ok(Exit::Ok)
}

/// Whether mail that follows its MX record finds a host: `broken` was never good.
fn is_answered(tenant: &TenantInfo) -> bool {
    tenant.state != "broken" && !tenant.endpoint.is_empty()
}

/// The domain as an A-label in lower case; a wrong one is a wrong argument.
pub fn normal(domain: &str) -> Result<String, Failure> {
    normal_domain(domain).map_err(|fault| Failure::new(Exit::Usage, fault, "write a domain as in `contoso.com`"))
}

/// The tenant in each zone that has it; at least one.
pub fn existing(context: &Context, domain: &str) -> Result<Vec<TenantInfo>, Stop> {
    let tenants = find(context, domain)?;
    if tenants.is_empty() {
        let help = format!("add it with `mxseal tenant add {domain} --pool POOL`");
        return Err(Failure::new(Exit::Failure, format!("there is no tenant {domain}"), help).into());
    }
    Ok(tenants)
}

/// The tenant in each zone that has it; none is no failure.
pub fn find(context: &Context, domain: &str) -> Result<Vec<TenantInfo>, Stop> {
    let request = Request::TenantShow { domain: domain.to_owned() };
    let (tenants, end) = context.client.all::<TenantInfo>(&request, client::PATIENCE)?;
    match end.exit {
        // A server may call it a failure that there is none, or that its file is broken: the items say so already.
        Exit::Ok | Exit::Failure => {}
        Exit::Usage | Exit::Unreachable | Exit::Refused | Exit::TimedOut => end.check()?,
    }
    Ok(tenants)
}
