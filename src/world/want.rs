//! What the world wants done before what it knows is served: one thing after another, as each may depend on the one before.
//!
//! Pure. Whoever runs the world does it, and hands back what came of it; what has to outlive a restart is durable by then.

use crate::dns::name::Name;
use crate::world::World;
use crate::world::pools::{Joined, Left, PoolWanted, WayWanted};
use crate::world::zones::Keys;

/// One thing to be done.
pub enum Want {
    /// What is served of these pools: for [`crate::world::pools::PoolTable::take_served`].
    Pools(Vec<PoolWanted>),
    /// Who goes which way is made durable: first who joined, then who left ways for others. Nothing comes back.
    Joined(Vec<Joined>, Vec<Left>),
    /// What is served on these ways, once those that are left have ended: for [`crate::world::pools::PoolTable::take_ways`].
    Ways(Vec<WayWanted>),
    /// The keys of these zones, made at their first start: for [`World::take_keys`].
    Keys(Vec<Name>),
}

impl World {
    /// What is to be done next; none: all that is known may be served.
    pub fn want(&mut self) -> Option<Want> {
        if self.pools.is_stale() {
            return Some(Want::Pools(self.pools.wanted()));
        }
        if self.pools.is_joined() {
            // What is served on the way is asked for once it is known who goes it.
            self.pools.ask_anew();
            return Some(Want::Joined(self.pools.joined(), self.pools.left()));
        }
        if let Some(ways) = self.pools.ways_wanted() {
            return Some(Want::Ways(ways));
        }
        let wants = self.zones.iter().filter(|(_, zone)| matches!(zone.keys, Keys::Wanted) && zone.has_content());
        let is_asked = std::mem::take(&mut self.wants_keys);
        let zones: Vec<Name> =
            wants.filter(|(_, zone)| is_asked && zone.covered.is_none()).map(|(apex, _)| apex.clone()).collect();
        (!zones.is_empty()).then_some(Want::Keys(zones))
    }

    /// Takes in the keys that were wanted. A zone that gets none now is asked about again when it is built again.
    pub fn take_keys(&mut self, keys: Vec<(Name, Keys)>) {
        self.set_keys(keys);
        self.wants_keys = false;
    }
}
