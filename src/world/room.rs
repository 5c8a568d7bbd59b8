//! How much room is left for records and tenants, by the limits of the configuration and by the memory of the system.
//!
//! What is held counts, be it served on after its file is gone, or last good beside a file that does not hold together.

use crate::dns::name::Name;
use crate::world::tenants::bulk::ReadAll;
use crate::world::zones::{Held, ZoneState};
use crate::world::{Known, WasSigned, World};
use crate::zone::master::Room;

/// Octets of memory that a record takes beside its owner and data while it is served, as measured: 385 with 23 of these.
const RECORD_OCTETS: usize = 400;
/// How often its owner and data are there: as read, and as served.
const COPIES: usize = 2;
/// Octets of a tenant with records of its own, as measured, and of its line while it is read.
const TENANT_OCTETS: usize = 800;
/// While a zone is built, what is served of it and what comes are both there.
const BUILD_FACTOR: usize = 2;

const OWN: &str = "which is the limit of this zone";
const ALL: &str = "which is what other zones leave of the limit of all zones";
const MEMORY: &str = "which is what fits into the memory that the system gives";

impl Held {
    /// Octets of memory.
    pub fn memory(self) -> usize {
        self.records.saturating_mul(RECORD_OCTETS).saturating_add(self.octets.saturating_mul(COPIES))
    }

    pub(super) fn plus(self, more: Held) -> Held {
        Held { records: self.records + more.records, octets: self.octets + more.octets }
    }

    fn minus(self, less: Held) -> Held {
        let (records, octets) = (self.records, self.octets);
        Held { records: records.saturating_sub(less.records), octets: octets.saturating_sub(less.octets) }
    }
}

impl World {
    /// The same with another limit than [`crate::world::TENANTS_MAX`].
    pub fn with_tenants_max(self, tenants_max: usize) -> World {
        World { tenants_max, ..self }
    }

    /// The same with another limit than [`crate::world::ZONES_MAX`].
    pub fn with_zones_max(self, zones_max: usize) -> World {
        World { zones_max, ..self }
    }

    /// The same for a system that gives so many octets of memory.
    pub fn with_memory(self, octets: Option<usize>) -> World {
        World { memory: octets, ..self }
    }

    /// The same where many files of tenants are read like this.
    pub fn reading_by(self, read_all: ReadAll) -> World {
        World { read_all, ..self }
    }

    /// Room for a zone's master file if it were alone.
    pub(super) fn own_room(&self, apex: &Name) -> Room {
        self.room_beside(apex, Held::default(), 0)
    }

    /// Room for a zone's master file.
    pub(super) fn room(&self, apex: &Name) -> Room {
        let others = self.held.minus(self.zones.get(apex).map_or(Held::default(), ZoneState::held));
        self.room_beside(apex, others, self.tenants)
    }

    fn room_beside(&self, apex: &Name, others: Held, tenants: usize) -> Room {
        let text = apex.to_string();
        let name = text.trim_end_matches('.');
        let limit = self.config.zone_settings(name).records_max.unwrap_or(self.config.limits.zone_records);
        let all = self.config.limits.records.saturating_sub(others.records);
        let memory = self.memory.map_or(usize::MAX, |memory| {
            memory.saturating_sub(others.memory()).saturating_sub(tenants.saturating_mul(TENANT_OCTETS))
        });
        // Half of the memory is for the records themselves, half for their owners and data.
        let by_memory = memory / BUILD_FACTOR / 2 / RECORD_OCTETS;
        let room = if by_memory < limit.min(all) {
            Room::of(by_memory, MEMORY, "give the process more memory, or serve fewer zones and tenants")
        } else if all < limit {
            Room::of(all, ALL, "raise `records` in [limits] of mxseal.toml, or remove zones")
        } else {
            let help = format!("raise `records_max` in [zone.\"{name}\"] of mxseal.toml, or divide the zone");
            Room::of(limit, OWN, help)
        };
        Room { octets: room.octets.min(memory / BUILD_FACTOR / 2 / COPIES), ..room }
    }

    /// Tenants that all zones may have: by the limit, and by the memory that records leave.
    pub(super) fn tenants_room(&self) -> usize {
        let Some(memory) = self.memory else { return self.tenants_max };
        self.tenants_max.min(memory.saturating_sub(self.held.memory()) / TENANT_OCTETS)
    }

    /// Counts anew what is held of all master files.
    pub(super) fn count_held(&mut self) {
        self.held = self.zones.values().map(ZoneState::held).fold(Held::default(), Held::plus);
    }

    /// Counts what one zone holds, that held `before`.
    pub(super) fn count_held_of(&mut self, apex: &Name, before: Held) {
        let after = self.zones.get(apex).map_or(Held::default(), ZoneState::held);
        self.held = self.held.minus(before).plus(after);
    }

    /// The order in which master files that come together are taken in: first those of zones that are served, or were when the
    /// last process ended, so that what is new takes no room from them.
    pub(super) fn rank(&self, apex: &Name, known: &Known) -> u8 {
        let zone = self.zones.get(apex);
        let new = known.zones.get(apex);
        let past = zone.map(|zone| zone.past.signed).or(new.map(|past| past.keys.signed)).unwrap_or_default();
        let was_last_good = zone.map(|zone| zone.was_last_good).or(new.map(|past| past.was_last_good));
        match zone.is_some_and(ZoneState::has_content) {
            true => 0,
            false if past == WasSigned::Never => 3,
            false => 1 + u8::from(was_last_good.unwrap_or_default()),
        }
    }
}
