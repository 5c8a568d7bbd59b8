//! The first batch of a start: everything there is, and what an earlier process kept.
//!
//! What was good once is taken back where the files are broken now; nothing here makes anything anew.

use crate::control::thread::Mind;
use crate::dns::name::Name;
use crate::store::{LastGood, StoreFault};
use crate::time::Now;
use crate::world::Known;
use crate::zone::master;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

impl Mind {
    /// The first batch: everything there is, and what an earlier process kept. It may take minutes, so that each part of it
    /// goes by its own moment: `wait` waits until one, and says what time it is then.
    pub(super) fn first_scan(&mut self, now: Now, wait: &mut dyn FnMut(Instant) -> Now) {
        // Nothing is decided by a clock that went on uncounted, or that is in doubt.
        self.tell_clock(now);
        let ways = self.lives.certs.restore_ways(&self.store, now);
        self.world.pools.restore_ways(ways, now.signing.0);
        self.read_roots();
        let changes = self.feed.first(now, &mut *wait);
        self.world.progress.found_all();
        let now = wait(now.steady);
        self.take_in(changes, now);
        let pools = self.store.last_good(LastGood::Pools).ok().flatten();
        let texts = self.store.last_good_masters();
        let masters = texts.into_iter().filter_map(|text| Some((master::owner_of_soa(&text)?, text)));
        self.restore(pools.as_deref(), &masters.collect(), now);
        let now = wait(now.steady);
        self.wait_for_parents(now, wait);
        let now = wait(now.steady);
        let zones = &self.world.zones;
        self.lives
            .certs
            .tell_missing_homes(&self.store, |apex| zones.get(apex).is_some_and(|zone| !zone.tenants.table.is_empty()));
        self.take_back_insecure(now);
        self.note_goals();
        let anchors = self.read_anchors();
        self.findings.own.extend(anchors);
        self.findings.own.extend(self.eyes.no_roots.clone());
        self.publish(now);
    }

    /// Takes back what an earlier process kept, for zones that are new to this one.
    pub(super) fn restore(&mut self, pools: Option<&str>, masters: &BTreeMap<Name, String>, now: Now) {
        let new = |apex: &&Name| !self.served.restored.contains(*apex);
        let new: BTreeSet<Name> = self.world.zones.keys().chain(masters.keys()).filter(new).cloned().collect();
        let (mut masters, mut tenants) = (masters.clone(), BTreeMap::new());
        for apex in &new {
            let mut refused = None;
            let mut good = |what: LastGood<'_>| match self.store.last_good(what) {
                Ok(text) => text.map(|text| (apex.clone(), text)),
                // What is refused now may be had later; what is damaged stays that.
                Err(fault) => {
                    refused =
                        Some(fault).filter(StoreFault::is_passing).map(|fault| fault.to_string()).or(refused.take());
                    None
                }
            };
            masters.extend(good(LastGood::Master(apex)));
            tenants.extend(good(LastGood::Tenants(apex)));
            match refused {
                Some(why) => drop(self.served.keeper.unread.insert(apex.clone(), why)),
                None => drop(self.served.keeper.unread.remove(apex)),
            }
        }
        let is_known = new.is_empty() && masters.is_empty();
        self.served.restored.extend(new.into_iter().filter(|apex| !self.served.keeper.unread.contains_key(apex)));
        if pools.is_some() || !is_known {
            let mut known = Known::default();
            self.read(self.world.needs_of_zones(masters.keys()), &mut known, now);
            self.world.restore(pools, &masters, &tenants, &mut known, now.signing);
            self.forget(known);
            self.settle(now);
        }
    }
}
