//! `tenant rm`: takes a tenant out of its file and waits until the server answers no more for it.
//!
//! It only touches files inside the zones folder, only after it has seen that they define this tenant, and leaves every
//! other line of an NDJSON file as it is, octet by octet.

use super::super::args::Rm;
use super::super::client::PATIENCE;
use super::super::context::Context;
use super::super::failure::{Exit, Failure, Stop};
use super::super::tenant;
use super::{Change, io_failure, sync_folder};
use crate::cli::screen::output::Output;
use crate::cli::screen::tone::Tone;
use crate::cli::screen::words::zone_stem;
use crate::protocol::TenantInfo;
use crate::protocol::request::TenantRequest;
use crate::zone::tenant::{normal_domain, parse_ndjson, parse_toml};
use std::fs::Metadata;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Octets of the file, at most, since it is held in memory: a million tenants are about 120 MB.
const FILE_OCTETS_MAX: u64 = 1024 * 1024 * 1024;

/// What will be removed.
struct Removal {
    file: PathBuf,
    /// The file as it was when it was read: it must still be that one when it is replaced.
    seen: Metadata,
    /// Line from 1, and what stays, of a file that defines other tenants too; `None`: the whole file goes.
    rest: Option<(usize, Vec<u8>)>,
}

/// Removes a tenant: each entry that defines it in its zone.
pub fn run(context: &Context, asked: &Rm, output: &mut Output) -> Result<Exit, Stop> {
    let name = tenant::named(&asked.domain)?;
    let entries = of_one_zone(tenant::existing(context, &name)?, &name, asked.zone.as_deref())?;
    let Some(TenantInfo { domain, zone, .. }) = entries.first().cloned() else { return Ok(Exit::Ok) };
    // All of it must be possible before any of it is done.
    let all = entries.iter().map(|entry| plan(context, &domain, &entry.source)).collect::<Result<Vec<_>, _>>()?;
    if asked.dry_run {
        return report(&all, &domain, &zone, output, true);
    }
    let permit = TenantRequest::PermitRemoval { domain: domain.clone(), zone: zone.clone() }.into();
    context.client.all::<serde_json::Value>(&permit, PATIENCE)?.1.check()?;
    for (entry, planned) in entries.iter().zip(&all) {
        // A file with several entries of it has changed meanwhile, by the one before.
        let again = all.iter().filter(|other| other.file == planned.file).count() > 1;
        let anew = if again { Some(plan(context, &domain, &entry.source)?) } else { None };
        perform(anew.as_ref().unwrap_or(planned))?;
    }
    let file = all.last().map_or(Path::new(""), |removal| &removal.file);
    let change = Change { domain: &domain, zone: &zone, file, present: false, seconds: asked.timeout };
    let end = change.wait(context)?;
    if end.exit == Exit::TimedOut {
        return Err(change.late().into());
    }
    end.check()?;
    report(&all, &domain, &zone, output, false)
}

/// The entries of the zone that is meant; of one file the last first, so that the lines of the others stay true.
fn of_one_zone(tenants: Vec<TenantInfo>, name: &str, zone: Option<&str>) -> Result<Vec<TenantInfo>, Failure> {
    let mut names: Vec<String> = tenants.iter().map(|tenant| zone_stem(&tenant.zone)).collect();
    names.dedup();
    let fits = |tenant: &TenantInfo| zone.is_none_or(|zone| zone_stem(zone) == zone_stem(&tenant.zone));
    let mut fitting: Vec<TenantInfo> = tenants.into_iter().filter(fits).collect();
    if fitting.is_empty() {
        let message = format!("{name} is no tenant of zone {}", zone.map(zone_stem).unwrap_or_default());
        return Err(Failure::new(Exit::Failure, message, format!("it is one of {}", names.join(" and "))));
    }
    if names.len() > 1 && zone.is_none() {
        let message = format!("{name} is a tenant of several zones: {}", names.join(", "));
        return Err(Failure::new(Exit::Failure, message, "say which one with --zone"));
    }
    let place = |tenant: &TenantInfo| {
        let (file, line) = place(&tenant.source);
        (file.to_owned(), std::cmp::Reverse(line))
    };
    fitting.sort_by_key(place);
    Ok(fitting)
}

/// Finds the file and proves that it defines the tenant.
fn plan(context: &Context, domain: &str, source: &str) -> Result<Removal, Failure> {
    let (path, line) = place(source);
    let file = inside(context, path)?;
    let seen = std::fs::symlink_metadata(&file).map_err(|error| io_failure("reading", &file, &error))?;
    if std::fs::metadata(&file).is_ok_and(|metadata| metadata.len() > FILE_OCTETS_MAX) {
        let message = format!("{} has more than {FILE_OCTETS_MAX} octets", file.display());
        return Err(Failure::new(Exit::Failure, message, "split it, or take the tenant's line out by hand"));
    }
    let octets = std::fs::read(&file).map_err(|error| io_failure("reading", &file, &error))?;
    let rest = match file.extension().and_then(|extension| extension.to_str()) {
        Some("toml") if defines(&file, &octets, domain) => None,
        Some("ndjson") => Some(without(&octets, line, domain).ok_or_else(|| not_there(&file, domain))?),
        _ => return Err(not_there(&file, domain)),
    };
    // An NDJSON file without a tenant left has nothing more to say.
    let rest = rest.filter(|(_, stays)| !stays.trim_ascii().is_empty());
    Ok(Removal { file, seen, rest })
}

fn not_there(file: &Path, domain: &str) -> Failure {
    let message = format!("{} does not define {domain}, though the server says so", file.display());
    let help = "it has just changed, or the server uses other files: try again, then see `mxseal tenant show`";
    Failure::new(Exit::Failure, message, help)
}

/// `file:line` as the server names it. Without a line it is the first.
fn place(source: &str) -> (&str, usize) {
    let parts = source.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?)));
    parts.unwrap_or((source, 1))
}

/// The file as this process finds it: as the server writes it, or relative to the configuration; in the zones folder.
fn inside(context: &Context, path: &str) -> Result<PathBuf, Failure> {
    let zones = &context.config.zones;
    let folder = zones.canonicalize().map_err(|error| io_failure("opening", zones, &error))?;
    let beside = context.file.parent().unwrap_or(Path::new(".")).join(path);
    let mut candidates = [PathBuf::from(path), beside].into_iter();
    let belongs = |file: &PathBuf| file.canonicalize().is_ok_and(|real| real.starts_with(&folder));
    candidates.find(belongs).ok_or_else(|| {
        let message = format!("the tenant's file {path} is not in the zones folder {}", zones.display());
        Failure::new(Exit::Failure, message, "give --config the file that the server was started with")
    })
}

/// Whether a tenant's own file is about this domain, by its content, or by its name where it is broken.
fn defines(file: &Path, octets: &[u8], domain: &str) -> bool {
    let text = String::from_utf8_lossy(octets);
    let parsed = parse_toml(&file.display().to_string(), &text);
    let named = file.file_stem().and_then(|stem| normal_domain(stem.to_str()?).ok());
    let broken = !parsed.broken.is_empty() && named.as_deref() == Some(domain);
    broken
        || parsed.entries.iter().any(|entry| entry.domain == domain)
        || parsed.broken.iter().any(|entry| entry.name.as_deref() == Some(domain))
}

/// An NDJSON file without the line of this domain: the line that the server named, else the only one that has it.
fn without(octets: &[u8], line: usize, domain: &str) -> Option<(usize, Vec<u8>)> {
    let lines: Vec<&[u8]> = octets.split_inclusive(|octet| *octet == b'\n').collect();
    let named = line.checked_sub(1).filter(|index| lines.get(*index).is_some_and(|text| is_about(text, domain)));
    let mut with_it = (0..lines.len()).filter(|index| lines.get(*index).is_some_and(|text| is_about(text, domain)));
    let index = match named {
        Some(index) => index,
        None => with_it.next().filter(|_| with_it.next().is_none())?,
    };
    let stays = lines.iter().enumerate().filter(|(at, _)| *at != index);
    Some((index + 1, stays.flat_map(|(_, text)| text.iter().copied()).collect()))
}

/// Whether a line is the object of this domain, or was meant to be, as the server's own reader sees it.
fn is_about(line: &[u8], domain: &str) -> bool {
    // A line of another tenant costs one search here, not a parse: files have a million lines. Domains beyond ASCII may
    // be written as U-labels or with escapes, so these lines are always parsed.
    let plain = line.is_ascii() && !line.contains(&b'\\');
    let has = |needle: &[u8]| line.windows(needle.len()).any(|part| part.eq_ignore_ascii_case(needle));
    if plain && !has(domain.as_bytes()) {
        return false;
    }
    let parsed = parse_ndjson("", &String::from_utf8_lossy(line));
    parsed.entries.iter().any(|entry| entry.domain == domain)
        || parsed.broken.iter().any(|entry| entry.name.as_deref() == Some(domain))
}

fn perform(removal: &Removal) -> Result<(), Failure> {
    let file = &removal.file;
    let folder = file.parent().unwrap_or(Path::new("."));
    let fail = |error: &io::Error| io_failure("changing", file, error);
    let beside = match &removal.rest {
        Some((_, stays)) => Some(write_beside(removal, stays, folder).map_err(|error| fail(&error))?),
        None => None,
    };
    // A provisioning system may have renamed a newer file here meanwhile; what it wrote must not be lost.
    let current = std::fs::symlink_metadata(file).map_err(|error| fail(&error))?;
    if stamp(&current) != stamp(&removal.seen) {
        let message = format!("{} has changed while it was read; nothing was removed", file.display());
        return Err(Failure::new(Exit::Failure, message, "try again"));
    }
    match beside {
        Some(beside) => beside.persist(file).map(drop).map_err(|error| fail(&error.error))?,
        None => std::fs::remove_file(file).map_err(|error| fail(&error))?,
    }
    sync_folder(folder).map_err(|error| fail(&error))
}

fn write_beside(removal: &Removal, stays: &[u8], folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut beside = tempfile::Builder::new().prefix(".mxseal-").suffix(".tmp").tempfile_in(folder)?;
    beside.write_all(stays)?;
    let old = std::fs::metadata(&removal.file)?;
    beside.as_file().set_permissions(old.permissions())?;
    // Only root may give files away; another user's new file is readable all the same.
    let _ = std::os::unix::fs::fchown(beside.as_file(), Some(old.uid()), Some(old.gid()));
    beside.as_file().sync_all()?;
    Ok(beside)
}

fn stamp(metadata: &Metadata) -> (u64, u64, u64, i64, i64, i64, i64) {
    let changed = (metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec());
    (metadata.dev(), metadata.ino(), metadata.size(), changed.0, changed.1, changed.2, changed.3)
}

fn report(all: &[Removal], domain: &str, zone: &str, output: &mut Output, dry_run: bool) -> Result<Exit, Stop> {
    let places =
        all.iter().map(|removal| (removal.file.display().to_string(), removal.rest.as_ref().map(|rest| rest.0)));
    if output.is_json() {
        for (file, line) in places {
            output.object(&serde_json::json!({
                "domain": domain, "zone": zone, "file": file, "line": line, "dry_run": dry_run,
            }))?;
        }
        return Ok(Exit::Ok);
    }
    let words = places.map(|(file, line)| line.map_or_else(|| file.clone(), |line| format!("line {line} of {file}")));
    let what = words.collect::<Vec<_>>().join(" and ");
    if dry_run {
        output.line(&format!("would remove {what} (zone {zone})"))?;
        output.line(&format!("mail to {domain} fails from then on, wherever its MX still points here"))?;
        return Ok(Exit::Ok);
    }
    let gone = output.tone(Tone::Good, "gone");
    output.line(&format!("{domain} is {gone} from zone {zone}: removed {what}"))?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"{\"domain\":\"a.example\",\"pool\":\"p\"}\n\n{ \"domain\" : \"B.example.\" }\r\nnot JSON\n{\"domain\":\"c.example\"}";

    fn rest(line: usize, domain: &str) -> Option<(usize, String)> {
        without(FILE, line, domain).map(|(line, text)| (line, String::from_utf8_lossy(&text).into_owned()))
    }

    #[test]
    fn only_the_line_of_the_tenant_goes_and_the_others_keep_their_octets() {
        let expected = "{\"domain\":\"a.example\",\"pool\":\"p\"}\n\nnot JSON\n{\"domain\":\"c.example\"}";
        assert_eq!(rest(3, "b.example"), Some((3, expected.to_owned())));
        assert_eq!(rest(1, "b.example"), Some((3, expected.to_owned())), "a stale line number is corrected");
        let last = rest(5, "c.example").expect("it is there").1;
        assert!(last.ends_with("not JSON\n"), "{last:?}");
    }

    #[test]
    fn a_line_about_another_tenant_never_goes() {
        assert_eq!(rest(1, "example"), None);
        assert_eq!(rest(1, "d.example"), None);
        assert_eq!(without(b"{\"domain\":\"x.a.example\"}", 1, "a.example"), None);
        assert_eq!(without(b"{\"pool\":\"a.example\"}", 1, "a.example"), None);
    }

    #[test]
    fn two_lines_of_one_tenant_are_only_told_apart_by_the_line() {
        let twice = b"{\"domain\":\"a.example\"}\n{\"domain\":\"a.example\",\"pool\":\"q\"}\n";
        assert_eq!(without(twice, 9, "a.example"), None);
        assert_eq!(without(twice, 2, "a.example"), Some((2, b"{\"domain\":\"a.example\"}\n".to_vec())));
    }

    #[test]
    fn a_source_is_a_file_and_a_line() {
        assert_eq!(place("zones/a/b.toml:7"), ("zones/a/b.toml", 7));
        assert_eq!(place("zones/a:b.toml"), ("zones/a:b.toml", 1));
    }

    #[test]
    fn a_file_that_was_replaced_meanwhile_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let file = folder.path().join("bulk.ndjson");
        for rest in [None, Some((1, b"old rest".to_vec()))] {
            std::fs::write(&file, "old").expect("it can be written");
            let seen = std::fs::symlink_metadata(&file).expect("it is there");
            let newer = folder.path().join("newer");
            std::fs::write(&newer, "new").expect("it can be written");
            std::fs::rename(&newer, &file).expect("it can be renamed");
            let failure = perform(&Removal { file: file.clone(), seen, rest }).expect_err("it has changed");
            assert!(failure.message.contains("has changed"), "{}", failure.message);
            assert_eq!(std::fs::read(&file).expect("it is there"), b"new");
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("it is there").count(), 1, "nothing is left beside it");
    }
}
