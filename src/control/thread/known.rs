//! What the world has to know before it decides is read: included files, certificates, and what was of zones before.
//!
//! Errors about certificates never quote content: a path may point at a private key by mistake.

use crate::control::outside::{certificate, unread};
use crate::control::thread::Mind;
use crate::dns::name::Name;
use crate::store::LastGood;
use crate::time::Now;
use crate::world::changes::Changes;
use crate::world::zones::Keys;
use crate::world::{KeysPast, Known, Needs, WasSigned, ZonePast};

impl Mind {
    /// What the world has to know before it takes in these changes, asked until that is all: a file that was read may name others.
    pub(super) fn known(&mut self, changes: &Changes, now: Now) -> Known {
        let mut known = Known::default();
        loop {
            let needs = self.world.needs(changes, &known);
            if needs.is_nothing() {
                return known;
            }
            self.read(needs, &mut known, now);
        }
    }

    /// Reads what is needed.
    pub(super) fn read(&mut self, needs: Needs, known: &mut Known, now: Now) {
        for path in needs.documents {
            let read = self.feed.read(&path, now).map_err(|reason| unread(&path, reason));
            known.documents.insert(path, read);
        }
        for path in needs.certificates {
            let read = certificate(&self.basis.config.zones, &path);
            known.certificates.insert(path, read);
        }
        for apex in needs.zones {
            let past = self.zone_past(&apex);
            known.zones.insert(apex, past);
        }
    }

    fn zone_past(&mut self, apex: &Name) -> ZonePast {
        // Where its tenants were is known while the process runs.
        let is_left = self.world.left_homes.contains_key(apex);
        let homes = if is_left { None } else { self.lives.certs.read_homes(&self.store, apex) };
        let was_last_good = self.store.has_last_good(LastGood::Master(apex));
        ZonePast { keys: self.keys_past(apex), was_last_good, homes }
    }

    fn keys_past(&mut self, apex: &Name) -> KeysPast {
        let signed = match self.store.has_journal(apex) || self.lives.rolls.was_published(&self.store, apex) {
            false => WasSigned::Never,
            true if self.lives.rolls.is_unsigned(&self.store, apex) => WasSigned::Insecure,
            true => WasSigned::Signed,
        };
        KeysPast { signed, ds: self.lives.rolls.ds_before(&self.store, apex) }
    }

    /// Zones that the world did not begin after all: where their tenants were stays kept.
    pub(super) fn forget(&mut self, known: Known) {
        for apex in known.zones.keys().filter(|apex| !self.world.left_homes.contains_key(*apex)) {
            self.lives.certs.homes.remove(apex);
        }
    }

    /// What the keys of all zones tell of their past, anew.
    pub(super) fn know_all(&mut self) {
        let apexes: Vec<Name> = self.world.zones.keys().cloned().collect();
        self.know(apexes);
    }

    pub(super) fn know(&mut self, apexes: Vec<Name>) {
        let pasts = apexes.into_iter().map(|apex| (apex.clone(), self.keys_past(&apex))).collect();
        self.world.know(pasts);
    }

    /// Gives zones the keys that they use from now on, and does what the world wants then.
    pub(super) fn set_keys(&mut self, keys: Vec<(Name, Keys)>, now: Now) {
        self.know(keys.iter().map(|(apex, _)| apex.clone()).collect());
        self.world.set_keys(keys);
        self.settle(now);
    }

    /// Reads the pools' certificates again; true where something else is served of pools.
    pub(super) fn refresh_certificates(&mut self, now: Now) -> bool {
        let mut known = Known::default();
        self.read(self.world.needs_of_certificates(), &mut known, now);
        self.world.refresh_certificates(&known);
        self.settle(now)
    }
}
