//! Keeps on disk what is served although no file says it now, so that a restart loses nothing.
//!
//! It writes only what changed, and before that is published. What cannot be written is tried again.

use crate::control::store::{LastGood, Store, StoreFault};
use crate::control::tenants::homes::Lines;
use crate::control::world::World;
use crate::diagnostic::{Diagnostic, Place};
use crate::dns::name::Name;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Within this time after a start, a tenant comes back from a volume that was mounted late; later it is a new one.
const COME_BACK_MAX: Duration = Duration::from_secs(3_600);

/// What was kept last.
pub(super) struct Keeper {
    began: Instant,
    pools: Option<String>,
    zones: BTreeMap<Name, Kept>,
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
        Keeper { began: Instant::now(), pools: None, zones: BTreeMap::new() }
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
        for (apex, zone) in &world.zones {
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
        faults.into_iter().map(|fault| diagnostic(&fault, keys)).collect()
    }

    /// After a publication: makes durable which pools tenants are served from now; what the disk refused.
    pub(super) fn keep_homes(&mut self, world: &mut World, store: &Store, keys: &Path) -> Vec<Diagnostic> {
        let mut faults = Vec::new();
        let World { zones, pools, .. } = world;
        for (apex, zone) in zones {
            let (homes, table, what) = (&mut zone.tenants.homes, &zone.tenants.table, LastGood::Homes(apex));
            if self.began.elapsed() > COME_BACK_MAX {
                homes.forget_before();
            }
            let Some(lines) = homes.to_keep(table, pools) else { continue };
            let done = match &lines {
                Lines::All(text, _) => store.keep_last_good(what, text),
                Lines::More(text) => store.keep_more(what, text),
            };
            match done {
                Ok(()) => homes.kept(lines),
                Err(fault) => {
                    homes.renew();
                    faults.push(fault);
                }
            }
        }
        faults.into_iter().map(|fault| diagnostic(&fault, keys)).collect()
    }

    /// Zones that were removed for good must not come back from the disk.
    fn forget(&mut self, world: &World, store: &Store, faults: &mut Vec<StoreFault>) {
        let gone: Vec<Name> = self.zones.keys().filter(|apex| !world.zones.contains_key(*apex)).cloned().collect();
        for apex in gone {
            let some = self.zones.get(&apex).is_some_and(|kept| kept.some);
            let good = [LastGood::Master(&apex), LastGood::Tenants(&apex)].into_iter().filter(|_| some);
            let failed = good.chain([LastGood::Homes(&apex)]).find_map(|what| store.keep_last_good(what, "").err());
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

fn diagnostic(fault: &StoreFault, keys: &Path) -> Diagnostic {
    let message = format!("the last good content cannot be kept: {fault}");
    let help = "answers go on; free the disk before a restart, this is tried again by itself";
    Diagnostic::error("MX5016", Place::file(keys.display().to_string()), message, help)
}
