//! `tenant list`, `tenant show`, `tenant mx`: the tenants as the server serves them.
//!
//! A list is printed as it comes, so that a million tenants need no more memory than a thousand.

use super::args::{List, filled};
use super::client;
use super::context::Context;
use super::failure::{Exit, Failure, Stop};
use super::pool;
use crate::cli::screen::output::Output;
use crate::cli::screen::table::{Table, plain};
use crate::cli::screen::tone::Tone;
use crate::cli::screen::words::{tone_of_tenant, zone_stem};
use crate::protocol::request::{TenantRequest, ViewRequest};
use crate::protocol::{PoolInfo, TenantFilter, TenantInfo, TenantStanding};
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

/// Prints all tenants, or those that were asked for, or how many these are.
pub fn list(context: &Context, asked: &List, output: &mut Output) -> Result<Exit, Stop> {
    let filter = TenantFilter {
        zone: asked.zone.as_deref().map(|zone| format!("{}.", zone_stem(zone))),
        broken: asked.broken,
        pool: asked.pool.clone(),
        word: asked.word.as_deref().map(in_a_labels),
    };
    let mut list = Listing::new(output);
    let end = context.client.each(&ViewRequest::TenantList(filter).into(), client::PATIENCE, &mut |value| {
        let tenant: TenantInfo = client::read(value)?;
        list.count += 1;
        if asked.count {
            return Ok(());
        }
        list.add(&tenant, output)
    })?;
    list.page(output)?;
    end.check()?;
    if let Some(pool) = asked.pool.as_deref().filter(|_| list.count == 0) {
        refuse_unknown_pool(context, pool)?;
    }
    match (asked.count, output.is_json()) {
        (true, true) => output.object(&serde_json::json!({ "count": list.count }))?,
        (true, false) => output.line(&list.count.to_string())?,
        (false, _) => {}
    }
    Ok(Exit::Ok)
}

/// Rows that wait for their page, and the reasons of those that are broken.
struct Listing {
    table: Table,
    reasons: Vec<Vec<String>>,
    count: u64,
    is_screen: bool,
}

impl Listing {
    fn new(output: &Output) -> Listing {
        let is_screen = output.width().is_some();
        Listing { table: Listing::empty(is_screen), reasons: Vec::new(), count: 0, is_screen }
    }

    /// The endpoint is left to `show` and JSON: it repeats domain and zone. In a pipe a tenant is one line, with its
    /// reasons; on a screen these would leave no room for the rest, so they stand below.
    fn empty(is_screen: bool) -> Table {
        let all = ["domain", "state", "pool", "source", "reason"];
        let shown = if is_screen { &all[..4] } else { &all[..] };
        Table::new(shown).one_line(3)
    }

    fn add(&mut self, tenant: &TenantInfo, output: &mut Output) -> Result<(), Stop> {
        if output.is_json() {
            return output.object(tenant);
        }
        let mut cells = row(tenant);
        if self.is_screen {
            cells.truncate(4);
        }
        self.table.row(cells);
        self.reasons.push(tenant.reasons.clone());
        if self.table.count() >= PAGE_ROWS { self.page(output) } else { Ok(()) }
    }

    fn page(&mut self, output: &mut Output) -> Result<(), Stop> {
        let lines = output.lines_of(&self.table);
        let heading = lines.len().saturating_sub(self.reasons.len());
        for (index, line) in lines.iter().enumerate() {
            output.line(line)?;
            let reasons = index.checked_sub(heading).and_then(|row| self.reasons.get(row)).filter(|_| self.is_screen);
            for reason in reasons.into_iter().flatten() {
                let width = output.width().map_or(usize::MAX, usize::from).saturating_sub(4);
                for part in filled(reason, width) {
                    let part = output.tone(Tone::Bad, &part);
                    output.line(&format!("    {part}"))?;
                }
            }
        }
        self.table.next_page();
        self.reasons.clear();
        Ok(())
    }
}

/// A search word as names are written: U-labels as A-labels where that is possible, and in lower case.
fn in_a_labels(word: &str) -> String {
    let whole = Some(word).filter(|word| !word.is_ascii()).and_then(|word| normal_domain(word).ok());
    whole.unwrap_or_else(|| word.trim_end_matches('.').to_lowercase())
}

fn refuse_unknown_pool(context: &Context, name: &str) -> Result<(), Stop> {
    let pools: Vec<PoolInfo> = context.client.list(&ViewRequest::PoolList.into())?;
    if pools.iter().any(|pool| pool.pool == name) { Ok(()) } else { Err(pool::no_such(name, &pools).into()) }
}

fn row(tenant: &TenantInfo) -> Vec<(Tone, String)> {
    vec![
        plain(&tenant.domain),
        (tone_of_tenant(tenant.state), tenant.state.to_string()),
        plain(tenant.pool.as_deref().unwrap_or("-")),
        plain(&tenant.source),
        plain(tenant.reasons.join("; ")),
    ]
}

/// Prints one tenant, in each zone that has it; one whose file is broken is a failure.
pub fn show(context: &Context, domain: &str, output: &mut Output) -> Result<Exit, Stop> {
    let tenants = existing(context, &named(domain)?)?;
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
    row("state", (tone_of_tenant(tenant.state), tenant.state.to_string()));
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
    let domain = named(domain)?;
    let tenants = existing(context, &domain)?;
    let answered: Vec<&TenantInfo> = tenants.iter().filter(|tenant| is_answered(tenant)).collect();
    if answered.is_empty() {
        let domain = tenants.first().map_or(domain, |tenant| tenant.domain.clone());
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
    tenant.state != TenantStanding::Broken && !tenant.endpoint.is_empty()
}

/// The domain as an A-label in lower case; a wrong one is a wrong argument.
pub fn normal(domain: &str) -> Result<String, Failure> {
    normal_domain(domain).map_err(|fault| Failure::new(Exit::Usage, fault, "write a domain as in `contoso.com`"))
}

/// A domain, or an endpoint as logs have it: with `_25._tcp.` in front, and a final dot.
pub fn named(text: &str) -> Result<String, Failure> {
    let parts: Vec<&str> = text.splitn(3, '.').collect();
    match parts[..] {
        [port, protocol, host] if port.starts_with('_') && protocol.eq_ignore_ascii_case("_tcp") => normal(host),
        _ => normal(text),
    }
}

/// The tenant in each zone that has this domain or endpoint; at least one.
pub fn existing(context: &Context, name: &str) -> Result<Vec<TenantInfo>, Stop> {
    let tenants = find(context, name)?;
    if tenants.is_empty() {
        let word = name.split('.').next().unwrap_or(name);
        let message = format!("there is no tenant {name}, and no tenant has that endpoint");
        return Err(Failure::new(
            Exit::Failure,
            message,
            format!("`mxseal tenant list {word}` looks for a part of a name"),
        )
        .into());
    }
    Ok(tenants)
}

/// The tenant in each zone that has it; none is no failure.
pub fn find(context: &Context, domain: &str) -> Result<Vec<TenantInfo>, Stop> {
    let request = TenantRequest::Show { domain: domain.to_owned() }.into();
    let (tenants, end) = context.client.all::<TenantInfo>(&request, client::PATIENCE)?;
    match end.exit {
        // A server may call it a failure that there is none, or that its file is broken: the items say so already.
        Exit::Ok | Exit::Failure => {}
        Exit::Usage | Exit::Unreachable | Exit::Refused | Exit::TimedOut => end.check()?,
    }
    Ok(tenants)
}
