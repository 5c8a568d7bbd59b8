//! What lives by facts, and what all of it goes by: keys of zones, keys of hosts, the clock, and who leads.
//!
//! It only holds them together; each decides for itself.

use crate::config::Config;
use crate::control::certs::Certs;
use crate::control::rolls::Rolls;
use crate::control::rolls::clock::Clock;
use crate::store::Store;
use crate::store::instance::Instance;
use crate::time::Now;
use std::sync::Arc;
use std::time::Instant;

/// All that lives.
pub(super) struct Lives {
    /// Keys of zones.
    pub(super) rolls: Rolls,
    /// Keys of hosts.
    pub(super) certs: Certs,
    /// What signatures and waits go by, and when it was read last.
    pub(super) clock: Clock,
    pub(super) clock_read: Instant,
    /// Who uses the folder of keys, and when that is looked at next.
    pub(super) instance: Instance,
    pub(super) beat_at: Option<Instant>,
}

impl Lives {
    /// Nothing is known yet but the clock and who leads; records of tenants have this TTL.
    pub(super) fn new(config: &Arc<Config>, store: &Store, mut clock: Clock, tenants_ttl: u32, now: Now) -> Lives {
        let mut rolls = Rolls::new(clock.shift(), tenants_ttl);
        rolls.silence = clock.silence(&config.keys);
        rolls.asker.configure(Arc::clone(config));
        let instance = store.instance(now.steady);
        clock.may_keep(instance.may_write());
        rolls.elsewhere = instance.finding();
        let certs = Certs::new(Arc::clone(config), now);
        Lives { rolls, certs, clock, clock_read: now.steady, instance, beat_at: None }
    }
}
