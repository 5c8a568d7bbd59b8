//! What the world wants is done: what has to outlive a restart is durable before the world is told that it is served.

use crate::control::thread::Mind;
use crate::dns::name::Name;
use crate::time::Now;
use crate::world::Want;
use crate::world::pools::{WayServed, WayWanted};
use crate::world::zones::Keys;
use std::sync::Arc;

impl Mind {
    /// Does what the world wants, until it wants nothing more; true where something else is served of pools.
    pub(super) fn settle(&mut self, now: Now) -> bool {
        let before = Arc::clone(self.world.pools.records());
        while let Some(want) = self.world.want() {
            self.act(want, now);
        }
        before != *self.world.pools.records()
    }

    fn act(&mut self, want: Want, now: Now) {
        match want {
            Want::Pools(pools) => {
                let serve = |wanted| self.lives.certs.serve_pool(&self.store, wanted, now);
                let served = pools.iter().map(serve).collect();
                self.world.pools.take_served(served);
            }
            Want::Joined(joined, left) => {
                self.lives.certs.join_ways(&self.store, joined, now);
                self.lives.certs.leave_ways(&self.store, left);
            }
            Want::Ways(ways) => {
                let served = ways.iter().map(|way| self.serve_way(way, now)).collect();
                self.world.pools.take_ways(served);
            }
            Want::Keys(zones) => {
                let known = zones.iter().filter_map(|apex| self.world.zones.get(apex));
                let keys = known.map(|zone| {
                    (zone.apex.clone(), self.lives.rolls.keys(&self.store, &self.basis.config.keys, zone, now))
                });
                let keys: Vec<(Name, Keys)> = keys.collect();
                self.know(zones);
                self.world.take_keys(keys);
            }
        }
    }

    fn serve_way(&mut self, wanted: &WayWanted, now: Now) -> WayServed {
        if wanted.is_left {
            self.lives.certs.leave_way(&self.store, &wanted.way);
            return WayServed::Ended;
        }
        self.lives.certs.serve_way(&self.store, &wanted.way, now)
    }
}
