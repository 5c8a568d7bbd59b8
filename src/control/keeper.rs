//! Keeps on disk what is served although no file says it now, so that a restart loses nothing.
//!
//! It writes only what changed, and before that is published. What cannot be written is tried again. What is too much is not
//! kept: whoever provisions must not fill the disk on which keys roll.

use crate::control::certs::Certs;
use crate::diagnostic::{Diagnostic, Place};
use crate::dns::name::Name;
use crate::store::{LastGood, Store, StoreFault};
use crate::time::Now;
use crate::world::World;
use crate::world::tenants::homes::Lines;
use crate::zone::table::Table;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

/// Within this time after a start, a tenant comes back from a volume that was mounted late; later it is a new one.
const COME_BACK_MAX: Duration = Duration::from_secs(3_600);

/// Octets of one zone's last good tenants, and as many of its records, at most: as many as a file of them may have.
const ZONE_OCTETS_MAX: u64 = 256 << 20;
/// The same of all zones: four of the largest kind.
const OCTETS_MAX: u64 = 1 << 30;
/// Octets that endanger no disk: some hundred tenants.
const LITTLE_OCTETS: u64 = 64 << 10;

/// What was kept last.
pub(super) struct Keeper {
    began: Instant,
    pools: Option<String>,
    zones: BTreeMap<Name, Kept>,
    /// Zones whose last good content the disk refuses to give now, and why: it is not written over before it was read.
    pub(super) unread: BTreeMap<Name, String>,
}

/// What was kept last of a zone.
#[derive(Clone, Copy, Default)]
struct Kept {
    master: Part,
    tenants: Part,
}

/// What was kept last of a zone's records, or of its tenants.
#[derive(Clone, Copy, Default)]
struct Part {
    /// Its revision; none: not known, as at a start.
    revision: Option<u64>,
    /// Octets on the disk.
    octets: u64,
    /// It did not fit into so many octets, and was not kept.
    refused: Option<u64>,
}

impl Keeper {
    /// Nothing was kept by this process.
    pub(super) fn new(began: Instant) -> Keeper {
        Keeper { began, pools: None, zones: BTreeMap::new(), unread: BTreeMap::new() }
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
        let mut room = self.room(store);
        for (apex, zone) in world.zones.iter().filter(|(apex, _)| !self.unread.contains_key(*apex)) {
            let kept = self.zones.entry(apex.clone()).or_default();
            let master = |max| zone.last_good_within(max);
            kept.master.keep(store, LastGood::Master(apex), zone.revision(), master, &mut room, &mut faults);
            let tenants = |max| zone.tenants.last_good_within(&world.pools, max);
            kept.tenants.keep(store, LastGood::Tenants(apex), zone.tenants.revision(), tenants, &mut room, &mut faults);
        }
        self.forget(world, store, &mut faults);
        let unread = self.unread.values().map(|why| unread(why, keys));
        faults.into_iter().map(|fault| diagnostic(&fault, keys)).chain(unread).collect()
    }

    fn room(&self, store: &Store) -> Room {
        let all: u64 = self.zones.values().map(|kept| kept.master.octets + kept.tenants.octets).sum();
        Room { all: OCTETS_MAX.saturating_sub(all), disk: store.room() }
    }

    /// Whether something that was too much to be kept may find room now.
    pub(super) fn may_keep(&self, store: &Store) -> bool {
        let mut parts =
            self.zones.values().flat_map(|kept| [kept.master, kept.tenants]).filter(|part| part.refused.is_some());
        let Some(first) = parts.next() else { return false };
        let room = self.room(store);
        first.may_fit(&room) || parts.any(|part| part.may_fit(&room))
    }

    /// What was too much to be kept.
    pub(super) fn refused(&self, keys: &Path) -> Vec<Diagnostic> {
        let parts = self
            .zones
            .iter()
            .flat_map(|(apex, kept)| [(apex, "records", kept.master), (apex, "tenants", kept.tenants)]);
        parts.filter_map(|(apex, what, part)| Some(refusal(apex, what, part.refused?, keys))).collect()
    }

    /// After a publication: makes durable where tenants are served from now; what the disk refused.
    pub(super) fn keep_homes(
        &mut self,
        world: &mut World,
        store: &Store,
        certs: &mut Certs,
        keys: &Path,
        now: Now,
    ) -> Vec<Diagnostic> {
        let mut faults = Vec::new();
        let World { zones, pools, left_homes, .. } = world;
        left_homes.values_mut().for_each(|homes| homes.forget_gone(pools, now.signing));
        left_homes.retain(|_, homes| !homes.is_empty());
        let none = Table::default();
        let of_zones = zones.iter_mut().map(|(apex, zone)| (apex, &mut zone.tenants.homes, &zone.tenants.table));
        let of_left = left_homes.iter_mut().map(|(apex, homes)| (apex, homes, &none));
        for (apex, homes, table) in of_zones.chain(of_left) {
            if now.steady.saturating_duration_since(self.began) > COME_BACK_MAX {
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
            let some = self.zones.get(&apex).is_some_and(|kept| kept.master.octets + kept.tenants.octets > 0);
            let good = [LastGood::Master(&apex), LastGood::Tenants(&apex)].into_iter().filter(|_| some);
            let failed = good.into_iter().find_map(|what| store.keep_last_good(what, "").err());
            match failed {
                Some(fault) => faults.push(fault),
                None => drop(self.zones.remove(&apex)),
            }
        }
    }
}

/// Octets that may still be kept.
struct Room {
    all: u64,
    disk: u64,
}

impl Part {
    /// Octets that it may have. A little is tried whatever the disk says: where that is too much, the disk says so itself.
    fn max(&self, room: &Room) -> u64 {
        ZONE_OCTETS_MAX.min(room.all.saturating_add(self.octets)).min(room.disk.max(LITTLE_OCTETS))
    }

    /// Whether it was refused, and there is a quarter more room now.
    fn may_fit(&self, room: &Room) -> bool {
        self.refused.is_some_and(|before| self.max(room) > before.saturating_add(before / 4))
    }

    /// Keeps what `text` makes within so many octets, where it may be other than what was kept last. Where it is more, what
    /// was kept before stays, and it is tried again with a quarter more room.
    fn keep(
        &mut self,
        store: &Store,
        what: LastGood<'_>,
        revision: u64,
        text: impl FnOnce(usize) -> Option<String>,
        room: &mut Room,
        faults: &mut Vec<StoreFault>,
    ) {
        if self.revision == Some(revision) && !self.may_fit(room) {
            return;
        }
        let max = self.max(room);
        let Some(text) = text(usize::try_from(max).unwrap_or(usize::MAX)) else {
            (self.revision, self.refused) = (Some(revision), Some(max));
            return;
        };
        if let Err(fault) = store.keep_last_good(what, &text) {
            return faults.push(fault);
        }
        let octets = u64::try_from(text.len()).unwrap_or(u64::MAX);
        room.all = room.all.saturating_add(self.octets).saturating_sub(octets);
        room.disk = room.disk.saturating_sub(octets);
        *self = Part { revision: Some(revision), octets, refused: None };
    }
}

fn refusal(apex: &Name, what: &str, max: u64, keys: &Path) -> Diagnostic {
    let message = format!(
        "the last good {what} of {apex} are not kept for a restart: they have more than {max} octets, which is what there is \
         room for (a zone has {ZONE_OCTETS_MAX} at most, all have {OCTETS_MAX}, and keys need the rest of the disk)"
    );
    let help = "answers go on; mend the files before a restart, or free the disk";
    Diagnostic::error("MX5017", Place::file(keys.display().to_string()), message, help)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::ROOT;
    use crate::world::lines::joined_within;

    #[test]
    fn what_is_too_much_is_not_kept_and_what_was_kept_stays_until_there_is_room() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(folder.path()).expect("keys");
        let apex = Name::parse("mx.example", ROOT).expect("a name");
        let what = LastGood::Tenants(&apex);
        let kept = || store.last_good(what).expect("it can be read").unwrap_or_default();
        let text = |octets: usize| move |max| joined_within(std::iter::once("x".repeat(octets)), max);
        let (mut part, mut faults) = (Part::default(), Vec::new());
        let mut room = Room { all: 100_000, disk: u64::MAX };
        part.keep(&store, what, 1, text(90_000), &mut room, &mut faults);
        assert_eq!((kept().len(), part.refused, room.all), (90_000, None, 10_000));
        part.keep(&store, what, 2, text(100_001), &mut room, &mut faults);
        assert_eq!((kept().len(), part.refused, room.all), (90_000, Some(100_000), 10_000), "what was kept stays");
        assert!(!part.may_fit(&room), "nothing changed");
        let never = |_| unreachable!("it is not tried again");
        part.keep(&store, what, 2, never, &mut room, &mut faults);
        room.all = 60_000;
        part.keep(&store, what, 2, text(100_001), &mut room, &mut faults);
        assert_eq!((kept().len(), part.refused), (100_001, None));
        // A full disk takes a little all the same, and says itself that it is full.
        room.disk = 0;
        part.keep(&store, what, 3, text(70_000), &mut room, &mut faults);
        assert_eq!((kept().len(), part.refused), (100_001, Some(LITTLE_OCTETS)));
        part.keep(&store, what, 4, text(10), &mut room, &mut faults);
        assert_eq!((kept().len(), part.refused, faults.len()), (10, None, 0));
        let told = refusal(&apex, "tenants", 5, folder.path());
        assert!(
            told.one_line().contains("the last good tenants of mx.example. are not kept for a restart"),
            "{told:?}"
        );
    }
}
