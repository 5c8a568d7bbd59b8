//! `tenant add`: writes the file of a new tenant and waits until it is served.
//!
//! It never overwrites a file, and never adds a domain that is a tenant already.

use super::super::args::Add;
use super::super::client::PATIENCE;
use super::super::context::Context;
use super::super::failure::{Exit, Failure, Stop};
use super::super::tenant::{self, Mx};
use super::super::{pool, status};
use super::{Change, as_file_name, io_failure, sync_folder};
use crate::cli::screen::output::Output;
use crate::cli::screen::tone::Tone;
use crate::cli::screen::words::{nearest, zone_folder, zone_stem};
use crate::protocol::request::{TenantRequest, ViewRequest};
use crate::protocol::{PoolInfo, PoolStanding, TenantDraft, TenantInfo, ZoneInfo};
use crate::zone::tenant::{Definition, parse_toml, print_toml};
use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Tenant files hold no secret, and the server reads them as another user.
const FILE_MODE: u32 = 0o644;

/// What will be written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Planned {
    domain: String,
    /// With final dot.
    zone: String,
    file: PathBuf,
    text: String,
}

/// Adds a tenant.
pub fn run(context: &Context, asked: &Add, output: &mut Output) -> Result<Exit, Stop> {
    let domain = tenant::normal(&asked.domain)?;
    let zones = status::ask(context)?.zones;
    refuse_existing(context, &domain)?;
    let zone = match &asked.zone {
        Some(name) => named(&zones, name)?,
        None => choose(&zones, &|zone| context.config.zones.join(zone_folder(zone)).is_dir())?,
    };
    check_pool(context, &asked.pool)?;
    let planned = plan(context, asked, &domain, &zone.zone)?;
    refuse_unserved(context, &planned)?;
    if asked.dry_run {
        return show_plan(&planned, output);
    }
    write(&planned)?;
    settle(context, asked, &planned, output)
}

/// Asks the server whether it would serve the tenant, so that no file is written that it would refuse.
fn refuse_unserved(context: &Context, planned: &Planned) -> Result<(), Stop> {
    let Planned { domain, zone, file, text } = planned;
    let draft = TenantDraft { zone: zone.clone(), path: file.display().to_string(), text: text.clone() };
    let end = context.client.all::<serde_json::Value>(&TenantRequest::Try(draft).into(), PATIENCE)?.1;
    if end.exit == Exit::Ok {
        return Ok(());
    }
    let help = "nothing was written; run it again once that is mended, or with another --endpoint or --zone";
    Err(Failure::new(end.exit, format!("{domain} would not be served: {}", end.message), help).into())
}

fn refuse_existing(context: &Context, domain: &str) -> Result<(), Stop> {
    let found = tenant::find(context, domain)?;
    if let Some(owner) = found.iter().find(|tenant| tenant.domain != domain) {
        let message = format!("{domain} is the endpoint of tenant {}", owner.domain);
        return Err(Failure::new(Exit::Failure, message, "name the domain of a customer").into());
    }
    let places: Vec<String> =
        found.iter().map(|tenant| format!("zone {} ({}, {})", tenant.zone, tenant.state, tenant.source)).collect();
    if places.is_empty() {
        return Ok(());
    }
    let help = format!("see `mxseal tenant show {domain}`; edit its file there, or remove it first");
    let message = format!("{domain} is a tenant already, in {}", places.join(" and "));
    Err(Failure::new(Exit::Failure, message, help).into())
}

fn named<'a>(zones: &'a [ZoneInfo], name: &str) -> Result<&'a ZoneInfo, Failure> {
    let stem = zone_stem(name);
    let stems: Vec<String> = zones.iter().map(|zone| zone_stem(&zone.zone)).collect();
    let found = zones.iter().zip(&stems).find(|(_, known)| **known == stem);
    found.map(|(zone, _)| zone).ok_or_else(|| {
        let help = nearest("zone", &stem, stems.iter().map(String::as_str));
        Failure::new(Exit::Failure, format!("zone {stem} is not served here"), help)
    })
}

/// The zone with the fewest tenants, ties by name, among those made for tenants: signed, and with a tenant folder or a
/// parent zone served here. Where there is none of these, any signed zone. A zone that cannot serve is never chosen.
fn choose<'a>(zones: &'a [ZoneInfo], has_folder: &dyn Fn(&str) -> bool) -> Result<&'a ZoneInfo, Failure> {
    let serves = |zone: &&ZoneInfo| zone.signed && zone.state.is_answered();
    let signed: Vec<&ZoneInfo> = zones.iter().filter(serves).collect();
    let made_for_tenants = |zone: &&&ZoneInfo| zone.parent.is_some() || has_folder(&zone.zone);
    let fewest = |zone: &&&ZoneInfo| (zone.tenants, zone.zone.clone());
    let shard = signed.iter().filter(made_for_tenants).min_by_key(fewest);
    shard.or_else(|| signed.iter().min_by_key(fewest)).copied().ok_or_else(|| {
        let help = "see `mxseal zone list`; an unsigned zone can be chosen with --zone";
        Failure::new(Exit::Failure, "no signed zone is served that could hold the tenant", help)
    })
}

fn check_pool(context: &Context, name: &str) -> Result<(), Stop> {
    let pools: Vec<PoolInfo> = context.client.list(&ViewRequest::PoolList.into())?;
    let Some(found) = pools.iter().find(|pool| pool.pool == name) else {
        return Err(pool::no_such(name, &pools).into());
    };
    if found.state == PoolStanding::Broken {
        let message = format!("pool `{name}` is broken: {}", found.reasons.join("; "));
        return Err(Failure::new(Exit::Failure, message, format!("correct {}", found.source)).into());
    }
    Ok(())
}

fn plan(context: &Context, asked: &Add, domain: &str, zone: &str) -> Result<Planned, Failure> {
    let definition = Definition {
        domain: domain.to_owned(),
        endpoint: asked.endpoint.clone().unwrap_or_default(),
        explicit_endpoint: asked.endpoint.is_some(),
        pool: Some(asked.pool.clone()),
        addresses: Vec::new(),
        tlsa: Vec::new(),
        dane: true,
        line: 1,
    };
    let stem = zone_stem(zone);
    let file = context.config.zones.join(zone_folder(&stem)).join(format!("{}.toml", as_file_name(domain)?));
    let text = print_toml(&definition);
    // The server's own reader judges it, so nothing is written that it would refuse.
    let parsed = parse_toml(&file.display().to_string(), &text);
    let wrong = parsed.broken.iter().flat_map(|broken| &broken.diagnostics).next();
    if let Some(wrong) = wrong {
        return Err(Failure::new(Exit::Usage, wrong.message.clone(), wrong.help.clone()));
    }
    Ok(Planned { domain: domain.to_owned(), zone: format!("{stem}."), file, text })
}

fn show_plan(planned: &Planned, output: &mut Output) -> Result<Exit, Stop> {
    if output.is_json() {
        let file = planned.file.display().to_string();
        output.object(&serde_json::json!({
            "domain": planned.domain, "zone": planned.zone, "file": file, "text": planned.text, "dry_run": true,
        }))?;
        return Ok(Exit::Ok);
    }
    output.line(&format!("would write {} (zone {}):", planned.file.display(), planned.zone))?;
    output.line("")?;
    for line in planned.text.lines() {
        output.line(&format!("  {line}"))?;
    }
    Ok(Exit::Ok)
}

/// Writes beside the place, then renames: the server sees the whole file or none.
fn write(planned: &Planned) -> Result<(), Failure> {
    let Some(folder) = planned.file.parent() else {
        return Err(Failure::new(Exit::Failure, format!("{} has no folder", planned.file.display()), ""));
    };
    std::fs::create_dir_all(folder).map_err(|error| io_failure("making", folder, &error))?;
    match place(planned, folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let message = format!("{} is there already, though the server does not serve it", planned.file.display());
            let help = "see `mxseal status` for what is wrong with it; nothing was written";
            Err(Failure::new(Exit::Failure, message, help))
        }
        Err(error) => Err(io_failure("writing", &planned.file, &error)),
    }
}

fn place(planned: &Planned, folder: &Path) -> io::Result<()> {
    // Neither .toml nor .ndjson: the server never reads the file that is being written.
    let mut beside = tempfile::Builder::new().prefix(".mxseal-").suffix(".tmp").tempfile_in(folder)?;
    beside.write_all(planned.text.as_bytes())?;
    beside.as_file().set_permissions(Permissions::from_mode(FILE_MODE))?;
    beside.as_file().sync_all()?;
    beside.persist_noclobber(&planned.file).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Waits, and says how it went.
fn settle(context: &Context, asked: &Add, planned: &Planned, output: &mut Output) -> Result<Exit, Stop> {
    let Planned { domain, zone, file, .. } = planned;
    let change = Change { domain, zone, file, present: true, seconds: asked.timeout };
    let end = change.wait(context)?;
    if end.exit == Exit::TimedOut {
        return Err(change.late().into());
    }
    let found = tenant::find(context, domain)?.into_iter().find(|tenant| zone_stem(&tenant.zone) == zone_stem(zone));
    match (end.exit, found) {
        (Exit::Ok, Some(served)) => announce(planned, &served, output),
        (Exit::Ok, None) => Err(change.late().into()),
        (Exit::Failure, Some(broken)) if !broken.reasons.is_empty() => {
            Err(take_back(context, change, planned, &broken.reasons).into())
        }
        (Exit::Failure, _) => Err(take_back(context, change, planned, &[end.message]).into()),
        (Exit::Usage | Exit::Unreachable | Exit::Refused | Exit::TimedOut, _) => {
            end.check()?;
            Ok(Exit::Failure)
        }
    }
}

/// Something came in between: the file goes again, so that the next try finds nothing in its way.
fn take_back(context: &Context, change: Change<'_>, planned: &Planned, reasons: &[String]) -> Failure {
    let Planned { domain, file, text, .. } = planned;
    let message = format!("{domain} is not served: {}", reasons.join("; "));
    let is_ours = std::fs::read(file).is_ok_and(|octets| octets == text.as_bytes());
    let shown = file.display();
    if !is_ours || std::fs::remove_file(file).is_err() {
        let help = format!("{shown} stays: correct it, or remove it with `mxseal tenant rm {domain}`");
        return Failure::new(Exit::Failure, message, help);
    }
    // Who asks next shall not be told of the file that is gone; a server that is late says so itself.
    let _ = Change { present: false, ..change }.wait(context);
    Failure::new(Exit::Failure, message, format!("{shown} was removed again: run it again once that is mended"))
}

fn announce(planned: &Planned, served: &TenantInfo, output: &mut Output) -> Result<Exit, Stop> {
    let mx = Mx::of(served);
    if output.is_json() {
        let mut object = serde_json::json!(mx);
        object["zone"] = served.zone.as_str().into();
        object["state"] = served.state.to_string().into();
        object["file"] = planned.file.display().to_string().into();
        output.object(&object)?;
        return Ok(Exit::Ok);
    }
    let good = output.tone(Tone::Good, "served");
    output.line(&format!("{} is {good} from {}", mx.domain, planned.file.display()))?;
    output.line("")?;
    output.line(&format!("Publish this record in the zone of {}, in place of its MX records:", mx.domain))?;
    output.line(&format!("  {}", output.tone(Tone::Strong, &mx.mx)))?;
    output.line("")?;
    // RFC 7672 § 2.2.1: below an insecure MX RRset a sender need not use DANE, and anyone may point it elsewhere.
    output.line(&format!(
        "Next: sign {} with DNSSEC; only below a signed MX record are senders bound to TLSA.",
        mx.domain
    ))?;
    output.line(&format!("`mxseal tenant mx {}` prints the record again.", mx.domain))?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ZoneStanding;

    fn zone(name: &str, tenants: u64, signed: bool, parent: Option<&str>) -> ZoneInfo {
        ZoneInfo {
            zone: name.to_owned(),
            signed,
            state: ZoneStanding::Serving,
            tenants,
            parent: parent.map(str::to_owned),
            ..ZoneInfo::default()
        }
    }

    fn chosen(zones: &[ZoneInfo], folders: &[&str]) -> Option<String> {
        choose(zones, &|zone| folders.contains(&zone)).ok().map(|zone| zone.zone.clone())
    }

    #[test]
    fn the_shard_with_the_fewest_tenants_is_chosen_and_ties_go_by_name() {
        let parent = Some("mx.example.");
        let mut zones = vec![
            zone("mx.example.", 0, true, None),
            zone("c.mx.example.", 5, true, parent),
            zone("b.mx.example.", 5, true, parent),
            zone("a.mx.example.", 6, true, parent),
            zone("legacy.example.", 0, false, None),
        ];
        assert_eq!(chosen(&zones, &[]).as_deref(), Some("b.mx.example."));
        zones[2].state = ZoneStanding::Silent;
        assert_eq!(chosen(&zones, &[]).as_deref(), Some("c.mx.example."));
        assert_eq!(chosen(&zones, &["mx.example."]).as_deref(), Some("mx.example."), "a tenant folder makes it one");
    }

    #[test]
    fn without_shards_any_signed_zone_will_do_but_never_an_unsigned_one() {
        let zones = [zone("b.example.", 1, true, None), zone("a.example.", 0, false, None)];
        assert_eq!(chosen(&zones, &["a.example."]).as_deref(), Some("b.example."));
        assert_eq!(chosen(&zones[1..], &["a.example."]), None);
    }
}
