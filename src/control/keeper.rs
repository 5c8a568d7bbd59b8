//! Keeps on disk what is served although no file says it now, so that a restart loses nothing.
//!
//! It writes only what changed, and before that is published. What cannot be written is tried again.

use crate::control::certs::Certs;
use crate::control::store::{LastGood, Store, StoreFault};
use crate::control::tenants::homes::Lines;
use crate::control::world::World;
use crate::diagnostic::{Diagnostic, Place};
use crate::dns::name::Name;
use crate::time;
use crate::zone::table::Table;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

/// Within this time after a start, a tenant comes back from a volume that was mounted late; later it is a new one.
const COME_BACK_MAX: Duration = Duration::from_secs(3_600);

/// What was kept last.
pub(super) struct Keeper {
    began: Instant,
    pools: Option<String>,
    zones: BTreeMap<Name, Kept>,
    /// Zones whose last good content the disk refuses to give now, and why: it is not written over before it was read.
    pub(super) unread: BTreeMap<Name, String>,
}

/// Revisions of what was kept last; none: not known, as at a start.
#[derive(Clone, Copy, Default)]
struct Kept {
    master: Option<u64>,
    tenants: Option<u64>,
    /// Whether there may be something on disk.
    some: bool,
}

impl Keeper {
    /// Nothing was kept by this process.
    pub(super) fn new() -> Keeper {
        Keeper { began: Instant::now(), pools: None, zones: BTreeMap::new(), unread: BTreeMap::new() }
    }

    /// Makes durable what must be; what the disk refused.
    pub(super) fn keep(&mut self, world: &World, store: &Store, keys: &Path) -> Vec<Diagnostic> {
        let mut faults = Vec::new();
        let text = world.pools.last_good_text();
        // Before anything was read nothing is known, and what an earlier process kept must stay.
        let is_known = world.pools.is_known() || self.pools.is_some();
        if is_known && self.pools.as_ref() != Some(&text) {
            match store.keep_last_good(LastGood::Pools, &text) {
                Ok(()) => self.pools = Some(text),
                Err(fault) => faults.push(fault),
            }
        }
        for (apex, zone) in world.zones.iter().filter(|(apex, _)| !self.unread.contains_key(*apex)) {
            let kept = self.zones.entry(apex.clone()).or_default();
            if kept.master != Some(zone.revision()) {
                let text = zone.last_good_text();
                let done = store.keep_last_good(LastGood::Master(apex), &text);
                settle(done, &mut kept.master, zone.revision(), &mut faults);
                kept.some |= !text.is_empty();
            }
            if kept.tenants != Some(zone.tenants.revision()) {
                let text = zone.tenants.last_good_text(&world.pools);
                let done = store.keep_last_good(LastGood::Tenants(apex), &text);
                settle(done, &mut kept.tenants, zone.tenants.revision(), &mut faults);
                kept.some |= !text.is_empty();
            }
        }
        self.forget(world, store, &mut faults);
        let unread = self.unread.values().map(|why| unread(why, keys));
        faults.into_iter().map(|fault| diagnostic(&fault, keys)).chain(unread).collect()
    }

    /// After a publication: makes durable where tenants are served from now; what the disk refused.
    pub(super) fn keep_homes(
        &mut self,
        world: &mut World,
        store: &Store,
        certs: &mut Certs,
        keys: &Path,
    ) -> Vec<Diagnostic> {
        let mut faults = Vec::new();
        let World { zones, pools, left_homes, .. } = world;
        let now = time::now();
        left_homes.values_mut().for_each(|homes| homes.forget_gone(pools, now));
        left_homes.retain(|_, homes| !homes.is_empty());
        let none = Table::default();
        let of_zones = zones.iter_mut().map(|(apex, zone)| (apex, &mut zone.tenants.homes, &zone.tenants.table));
        let of_left = left_homes.iter_mut().map(|(apex, homes)| (apex, homes, &none));
        for (apex, homes, table) in of_zones.chain(of_left) {
            if self.began.elapsed() > COME_BACK_MAX {
                homes.forget_before();
            }
            if certs.homes_flawed.remove(apex) {
                homes.renew();
            }
            let Some(lines) = homes.to_keep(table, pools) else { continue };
            let file = certs.homes.entry(apex.clone()).or_insert_with(|| store.tenant_pools(apex));
            let done = match &lines {
                Lines::All(text, _) => store.write_kept(file, text),
                Lines::More(text) => store.append_kept(file, text, || homes.all(table, pools).text().to_owned()),
            };
            match done {
                Ok(()) => homes.kept(lines),
                Err(fault) => {
                    homes.renew();
                    faults.push(fault.into());
                }
            }
        }
        certs.homes.retain(|apex, file| {
            let is_there = zones.contains_key(apex) || left_homes.contains_key(apex);
            is_there || store.remove_kept(file).map_err(|fault| faults.push(fault.into())).is_err()
        });
        faults.into_iter().map(|fault| diagnostic(&fault, keys)).collect()
    }

    /// Zones that were removed for good must not come back from the disk.
    fn forget(&mut self, world: &World, store: &Store, faults: &mut Vec<StoreFault>) {
        self.unread.retain(|apex, _| world.zones.contains_key(apex));
        let gone: Vec<Name> = self.zones.keys().filter(|apex| !world.zones.contains_key(*apex)).cloned().collect();
        for apex in gone {
            let some = self.zones.get(&apex).is_some_and(|kept| kept.some);
            let good = [LastGood::Master(&apex), LastGood::Tenants(&apex)].into_iter().filter(|_| some);
            let failed = good.into_iter().find_map(|what| store.keep_last_good(what, "").err());
            match failed {
                Some(fault) => faults.push(fault),
                None => drop(self.zones.remove(&apex)),
            }
        }
    }
}

fn settle(done: Result<(), StoreFault>, kept: &mut Option<u64>, revision: u64, faults: &mut Vec<StoreFault>) {
    match done {
        Ok(()) => *kept = Some(revision),
        Err(fault) => faults.push(fault),
    }
}

fn unread(why: &str, keys: &Path) -> Diagnostic {
    let message = format!("the last good content of before cannot be read: {why}");
    let help = "repair this: it is tried again by itself, and written over only once it was read";
    Diagnostic::error("MX5016", Place::file(keys.display().to_string()), message, help)
}

fn diagnostic(fault: &StoreFault, keys: &Path) -> Diagnostic {
    let message = format!("the last good content cannot be kept: {fault}");
    let help = format!("answers go on, and this is tried again by itself; before a restart {}", cure(fault));
    Diagnostic::error("MX5016", Place::file(keys.display().to_string()), message, help)
}

/// What ends this fault, as far as the system's words tell.
fn cure(fault: &StoreFault) -> &'static str {
    let StoreFault::Disk(fault) = fault else { return "do what is said above" };
    match fault.cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on the disk of `keys`",
        ErrorKind::ReadOnlyFilesystem => "mount the disk of `keys` so that it can be written",
        ErrorKind::PermissionDenied => "let `keys` and all in it belong to the user that the server runs as",
        ErrorKind::NotFound => "put the folder `keys` back",
        // Others are for whoever knows the disk.
        _ => "repair the disk of `keys`",
    }
}
