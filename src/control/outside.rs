//! The world without a server, for `check`; and how included files and certificates are read for any world.
//!
//! Errors about certificates never quote content: a path may point at a private key by mistake.

use crate::cert::Leaf;
use crate::config::Config;
use crate::control::excerpts;
use crate::control::reach;
use crate::control::rolls::past;
use crate::diagnostic::{Diagnostic, Place};
use crate::dns::name::Name;
use crate::feed::Files;
use crate::feed::passed_over;
use crate::feed::source::{of_found, settled_scan, wait_until};
use crate::roll::zone::past::Past;
use crate::store;
use crate::store::folder::zone_folder;
use crate::store::records::Records;
use crate::time::{self, Now};
use crate::world::changes::{Changes, text};
use crate::world::paths::POOLS_OCTETS_MAX;
use crate::world::pools::{PoolWanted, WayServed};
use crate::world::tenants::bulk::{Fresh, Job};
use crate::world::trouble::{Reason, Trouble};
use crate::world::zones::Keys;
use crate::world::{KeysPast, Known, Needs, POOLS_FILE, Want, WasSigned, World, ZonePast};
use crate::zone::tenant;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Octets of a certificate file, at most: a chain has a few thousand.
const CERTIFICATE_OCTETS_MAX: u64 = 256 * 1024;

/// Threads that read tenants at a start, at most: each has memory of its own that it does not give back.
const READERS_MAX: usize = 4;
/// Octets of files below which one thread reads them sooner than others begin: some ms.
const READERS_OCTETS_MIN: usize = 1 << 20;
/// Code of the refusal to serve a signed zone unsigned.
pub(super) const SIGNED_ANYWAY: &str = "MX5015";

/// What `check` knows: it reads, and changes nothing.
struct Offline<'a> {
    config: &'a Config,
    files: &'a mut Files,
    records: Records,
}

/// Reads files on several cores, where there is enough to read; in the order of the files.
pub(super) fn side_by_side(files: Vec<Job>, read: &(dyn Fn(Job) -> Fresh + Sync)) -> Vec<Fresh> {
    let octets: usize = files.iter().map(|file| file.octets.len()).sum();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(READERS_MAX).min(files.len());
    let done = Mutex::new(Vec::with_capacity(files.len()));
    let next = Mutex::new(files.into_iter().enumerate());
    let work = || {
        loop {
            let Some((at, file)) = lock(&next).next() else { return };
            let fresh = read(file);
            lock(&done).push((at, fresh));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..if octets < READERS_OCTETS_MIN { 1 } else { threads } {
            // Without another thread this one reads all of it.
            let spawned = std::thread::Builder::new().name("mxseal-read".to_owned()).spawn_scoped(scope, work);
            drop(spawned);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, fresh)| fresh).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a file that another one includes cannot be read.
pub(super) fn unread(path: &str, reason: Reason) -> String {
    Trouble { path: path.into(), reason }.diagnostic(Path::new("")).message
}

/// The digest of a certificate file; its path is relative to the folder of `pools.toml`.
pub(super) fn certificate(zones: &Path, path: &str) -> Result<Leaf, String> {
    reach::folders(&zones.join(path))?;
    let octets = regular(&zones.join(path), CERTIFICATE_OCTETS_MAX).map_err(|fault| match fault.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("{fault}; a folder that no pool named at the start is open to the server only after a restart")
        }
        _ => fault.to_string(),
    })?;
    crate::cert::chain::parse_pem(&octets).map(|chain| chain.leaf).map_err(|fault| fault.to_string())
}

/// The first octets of a regular file: a FIFO must not stop the server, and a device has no end.
fn regular(path: &Path, octets_max: u64) -> io::Result<Vec<u8>> {
    let file = std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut octets = Vec::new();
    file.take(octets_max).read_to_end(&mut octets)?;
    Ok(octets)
}

/// What `check` has read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// Zones with a master file.
    pub zones: usize,
    /// Tenants that would be served.
    pub tenants: usize,
    /// Pools that would be served.
    pub pools: usize,
    /// Files below the folder of zones that are of no known kind.
    pub passed_over: Vec<String>,
}

/// Everything that is wrong with the zones, pools, tenants and keys that a configuration names, and what was read of them;
/// nothing is changed. The configuration's paths are resolved.
pub fn examine(config: &Config) -> (Vec<Diagnostic>, Examined) {
    let (world, mut found) = look(config);
    let mut named = world.included_paths();
    named.extend(world.pools.reports().flat_map(|report| report.certificates).map(|(path, _)| path.clone()));
    let seen = Examined {
        zones: world.zones.values().filter(|zone| !zone.is_gone()).count(),
        tenants: world.zones.values().map(|zone| zone.tenants.table.len()).sum(),
        pools: world.pools.reports().filter(|report| report.pool.is_some()).count(),
        passed_over: passed_over::find(&config.zones, &named),
    };
    found.extend(world.findings());
    found.extend(signed_anyway(config, &world));
    found.extend(false_a_labels(&world));
    found.extend(seen.passed_over.iter().filter_map(|path| passed_over::mistake(path, world.shown(path))));
    if world.zones.is_empty() && config.zones.is_dir() {
        found.push(passed_over::no_zone(&config.zones));
    }
    found.sort_by(|a, b| a.rank().cmp(&b.rank()));
    found.dedup();
    excerpts::add(&mut found, &config.zones);
    (found, seen)
}

/// Endpoints of before that IDNA-aware senders refuse, and that tenants keep because they are served there.
fn false_a_labels(world: &World) -> Vec<Diagnostic> {
    let all = world.zones.iter().flat_map(|(apex, zone)| zone.tenants.table.iter().map(move |tenant| (apex, tenant)));
    let of = |(apex, tenant): (&Name, &std::sync::Arc<crate::zone::endpoint::Tenant>)| {
        let label = String::from_utf8_lossy(tenant.label()).into_owned();
        let path = world.files.path(tenant.file()).filter(|_| tenant::is_false_a_label(&label))?;
        let place = Place { line: tenant.line(), ..Place::file(path.to_string()) };
        let new = tenant::endpoint_of(&tenant.domain());
        let message = format!("senders that know IDNA refuse the endpoint {label}.{apex} of {}", tenant.domain());
        let help = format!(
            "it stays while the tenant does; for another one add a second tenant's file with endpoint = \"{new}\" in another zone, \
                            or write that here and change the MX record at the same moment"
        );
        Some(Diagnostic::warning("MX4208", place, message, &help))
    };
    all.filter_map(of).collect()
}

/// The world that a configuration names, read once without a server, and what is wrong with files before anybody reads
/// them; nothing is changed.
pub(super) fn look(config: &Config) -> (World, Vec<Diagnostic>) {
    let mut files = Files::new(&config.zones);
    let mut world =
        World::new(config.clone(), config.zones.display().to_string()).telling_all().reading_by(side_by_side);
    let changes = of_found(settled_scan(&mut files, Now::read(), wait_until).0, true);
    let found: Vec<Diagnostic> = changes.troubled.iter().map(|trouble| trouble.diagnostic(&config.zones)).collect();
    let spoiled = changes.troubled.iter().map(|trouble| text(&trouble.path)).zip(found.iter().cloned()).collect();
    let records = Records::read(&config.keys);
    let mut offline = Offline { config, files: &mut files, records };
    let mut known = offline.known(&world, &changes);
    world.apply_beside(changes.batch(), spoiled, &mut known, time::now());
    settle(&mut world, &offline);
    (world, found)
}

/// Without a server all is served as it is written, and keys are only looked at.
fn settle(world: &mut World, offline: &Offline<'_>) {
    while let Some(want) = world.want() {
        match want {
            Want::Pools(pools) => world.pools.take_served(pools.iter().map(PoolWanted::as_written).collect()),
            Want::Joined(..) => {}
            Want::Ways(ways) => world.pools.take_ways(ways.iter().map(|_| WayServed::Ended).collect()),
            Want::Keys(zones) => {
                let keys = zones.into_iter().map(|apex| {
                    let keys = offline.keys(&apex);
                    (apex, keys)
                });
                world.take_keys(keys.collect());
            }
        }
    }
}

impl Offline<'_> {
    /// What the world has to know, asked until that is all: a file that was read may name others.
    fn known(&mut self, world: &World, changes: &Changes) -> Known {
        let mut known = Known::default();
        loop {
            let needs = world.needs(changes, &known);
            if needs.is_nothing() {
                return known;
            }
            self.read(needs, &mut known);
        }
    }

    fn read(&mut self, needs: Needs, known: &mut Known) {
        for path in needs.documents {
            let read = self.files.include(&path, Now::read().into()).map_err(|reason| unread(&path, reason));
            known.documents.insert(path, read);
        }
        for path in needs.certificates {
            let read = certificate(&self.config.zones, &path);
            known.certificates.insert(path, read);
        }
        for apex in needs.zones {
            let homes = store::read_tenant_pools(&self.config.keys, &apex);
            let keys = KeysPast { signed: self.was_signed(&apex), ds: None };
            known.zones.insert(apex, ZonePast { keys, was_last_good: false, homes });
        }
    }

    fn was_signed(&self, apex: &Name) -> WasSigned {
        let keys = &self.config.keys;
        let is_held = self.records.of(&apex.to_string()).is_some_and(Past::is_held);
        if !is_held && store::read_keys(keys, apex).is_ok_and(|keys| keys.is_empty()) {
            return WasSigned::Never;
        }
        match store::offline::read_facts(keys, apex) {
            Ok(Some(facts)) if facts.unsigned => WasSigned::Insecure,
            Ok(_) | Err(_) => WasSigned::Signed,
        }
    }

    /// Keys that are not there yet are no error; content is checked without them.
    fn keys(&self, apex: &Name) -> Keys {
        let keys = &self.config.keys;
        let checked = store::check_keys(keys, apex).and_then(|()| {
            let facts = store::offline::read_facts(keys, apex)?;
            let folder = zone_folder(keys, apex);
            past::check(&self.records, &folder, &apex.to_string(), facts.as_ref(), time::now())
        });
        match checked {
            Ok(()) => Keys::None,
            Err(frozen) => Keys::Silent(frozen.diagnostic()),
        }
    }
}

/// `signed = false` is a goal, not a switch: a zone that has keys stays signed until they are rolled away.
pub(super) fn signed_anyway(config: &Config, world: &World) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (apex, zone) in &world.zones {
        let text = apex.to_string();
        let text = text.trim_end_matches('.');
        if zone.signed && !config.zone_settings(text).signed {
            let message =
                format!("`signed = false` for {text}, but it has keys: it stays signed, or it would be bogus");
            let help = format!("its DS must leave the parent first: `mxseal keys roll {text} --insecure`");
            let place = config.places.of(&format!("zone.{text}.signed"));
            found.push(Diagnostic::error(SIGNED_ANYWAY, place, message, &help));
        }
    }
    found
}

/// The folders of the certificates that the pools name now, and of the authorities that MTA-STS senders trust: they must be
/// readable before confinement closes the rest. Folders of the system are left out: see [`reach`].
pub fn certificate_folders(config: &Config) -> Vec<std::path::PathBuf> {
    let octets = regular(&config.zones.join(POOLS_FILE), POOLS_OCTETS_MAX).unwrap_or_default();
    let pools = tenant::text_of("", &octets).map(|text| tenant::parse_pools("", text).entries).unwrap_or_default();
    let named = pools.iter().flat_map(|pool| &pool.certificates).map(|path| config.zones.join(path));
    let named = named.filter_map(|file| Some((file.parent()?.to_owned(), reach::folders(&file).ok()?)));
    let opened = named.flat_map(|(folder, mut real)| {
        real.push(folder);
        real
    });
    // The operator's own words in mxseal.toml, wherever they point to.
    let roots = config.probe.roots.iter().filter(|_| config.probe.enabled);
    let of_roots = roots.flat_map(|file| [Some(file.clone()), file.canonicalize().ok()]).flatten();
    opened.chain(of_roots.filter_map(|file| file.parent().map(Path::to_owned))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::ROOT;
    use crate::metrics::progress::Progress;
    use crate::world::pools::PoolTable;
    use crate::world::tenants::bulk;
    use crate::world::tenants::bulk::Known;
    use crate::world::tenants::homes::Homes;

    #[test]
    fn files_read_side_by_side_come_back_in_their_order_and_all_of_them() {
        let line = |i: u32| format!("{{\"domain\":\"t{i}.example\",\"addresses\":[\"192.0.2.1\"],\"dane\":false}}\n");
        // Long files in front, so that whoever takes them is overtaken; enough octets for more than one thread.
        let text = |i: u32| (0..if i < 2 { 9000 } else { 1 }).map(|j| line(i * 10_000 + j)).collect::<String>();
        let job = |i: u32| Job {
            relative: format!("z/{i}.ndjson"),
            path: format!("zones/z/{i}.ndjson").into(),
            id: i,
            octets: text(i).into_bytes(),
        };
        let files: Vec<Job> = (0..40).map(job).collect();
        assert!(files.iter().map(|file| file.octets.len()).sum::<usize>() > READERS_OCTETS_MIN);
        let (apex, pools, homes) = (Name::parse("z", ROOT).expect("a name"), PoolTable::default(), Homes::default());
        let known = Known { apex: &apex, is_static: Default::default(), pools: &pools, homes: &homes };
        let progress = Progress::default();
        let read = side_by_side(files, &|job| bulk::read(job, &known, &progress));
        assert_eq!(read.iter().map(Fresh::id).collect::<Vec<u32>>(), (0..40).collect::<Vec<u32>>());
        assert_eq!(read.iter().map(Fresh::len).sum::<usize>(), 2 * 9000 + 38);
    }
}
