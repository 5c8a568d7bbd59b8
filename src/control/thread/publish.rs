//! Publication: what must be durable first, then the snapshot, the report and the numbers.

use crate::answer::Snapshot;
use crate::control::keeper::Keeper;
use crate::control::thread::Mind;
use crate::control::thread::timers::EVERY;
use crate::diagnostic::Diagnostic;
use crate::dns::name::Name;
use crate::metrics::{Standing, TenantGauges, WatchGauges};
use crate::protocol::ZoneStanding;
use crate::report::certs::gauges::pool_gauges;
use crate::report::keys::gauges::{At, RollGauges, gauges};
use crate::report::keys::is_frozen;
use crate::report::view::{Beside, View};
use crate::time::Now;
use crate::world::zones::Keys;
use arc_swap::ArcSwap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

/// What is served, and what of it is kept for the next process.
pub(super) struct Served {
    /// Where workers take the snapshot from.
    pub(super) slot: Arc<ArcSwap<Snapshot>>,
    /// What commands are told.
    pub(super) view: Arc<ArcSwap<View>>,
    /// Number of the snapshot.
    pub(super) version: u64,
    /// Snapshots before this one that a worker may still answer from, so that none has to drop one.
    pub(super) previous: Vec<Arc<Snapshot>>,
    /// Whether something was published since that was noted.
    pub(super) is_unnoted: bool,
    /// What was kept.
    pub(super) keeper: Keeper,
    /// When what could not be kept is tried again.
    pub(super) keep_at: Instant,
    /// Zones whose last good content was looked for.
    pub(super) restored: BTreeSet<Name>,
}

impl Served {
    /// Nothing yet.
    pub(super) fn new(slot: Arc<ArcSwap<Snapshot>>, at: Instant) -> Served {
        Served {
            slot,
            view: Arc::default(),
            version: 0,
            previous: Vec::new(),
            is_unnoted: false,
            keeper: Keeper::new(at),
            keep_at: at + EVERY,
            restored: BTreeSet::new(),
        }
    }
}

impl Mind {
    /// Makes durable what must be, then swaps the snapshot.
    pub(super) fn publish(&mut self, now: Now) {
        self.findings.disk = self.served.keeper.keep(&self.world, &self.store, &self.basis.config.keys);
        self.lives.rolls.keep_only(|apex| self.world.zones.contains_key(apex));
        self.renew_keys(now);
        self.limit(now);
        self.lives.certs.keep_pasts(&self.store);
        self.keep_past(now);
        self.served.version += 1;
        let snapshot = Arc::new(self.world.snapshot(self.served.version, Arc::clone(&self.basis.identity)));
        self.drop_previous();
        self.served.previous.push(self.served.slot.swap(snapshot));
        self.served.is_unnoted = true;
        self.report(now);
        // At a start, answers come first.
        if self.served.version > 1 {
            self.keep_homes(now);
        }
    }

    /// What was published is noted from a later moment on: at this one caches may have it, and not before.
    pub(super) fn note_publication(&mut self, now: Now) {
        if std::mem::take(&mut self.served.is_unnoted) {
            self.note_published(now);
            self.note_pools(now);
        }
    }

    /// Gives back the memory of what nobody answers from any more; a worker that is still at it may hold it for a moment.
    pub(super) fn drop_previous(&mut self) {
        self.served.previous.retain(|old| Arc::strong_count(old) > 1);
    }

    /// After a publication, which need not wait for it: what the next process must know.
    pub(super) fn keep_homes(&mut self, now: Now) {
        if self.lives.certs.join_next().is_some() {
            // A way that the disk refused: whoever is to go it stays where it was, and so does what is kept.
            self.lives.certs.homes_are_kept = false;
            return;
        }
        let faults = self.served.keeper.keep_homes(
            &mut self.world,
            &self.store,
            &mut self.lives.certs,
            &self.basis.config.keys,
            now,
        );
        self.lives.certs.homes_are_kept = faults.is_empty();
        if !faults.is_empty() {
            self.findings.disk.extend(faults);
            self.report(now);
        }
    }

    /// Tells what stands now about the snapshot that answers.
    pub(super) fn report(&mut self, now: Now) {
        let more = self
            .findings
            .own
            .iter()
            .chain(&self.eyes.here.findings)
            .chain(&self.findings.disk)
            .chain(&self.findings.keys)
            .chain(&self.findings.pools);
        let more: Vec<Diagnostic> = more.cloned().chain(self.served.keeper.refused(&self.basis.config.keys)).collect();
        self.findings.update(&self.world, &more, now.steady);
        let last_scan = self.feed.counts().last_success.0;
        let beside =
            Beside { findings: self.findings.shown(), frozen: self.frozen(), snapshot: self.served.version, last_scan };
        let view = View::new(&self.world, &self.served.view.load(), beside);
        self.served.view.store(Arc::new(view));
        self.gauges(now);
    }

    /// Zones that are served and signed with keys that are frozen: in doubt, or held by a person.
    pub(super) fn frozen(&self) -> BTreeSet<Name> {
        let is_loaded =
            |apex: &Name| self.world.zones.get(apex).is_some_and(|zone| matches!(zone.keys, Keys::Loaded(_)));
        let frozen = self.lives.rolls.zones.iter().filter(|(_, roll)| {
            roll.facts().held.is_some() || roll.plan.as_ref().is_some_and(|plan| is_frozen(roll.facts(), plan))
        });
        frozen.filter(|(apex, _)| is_loaded(apex)).map(|(apex, _)| apex.clone()).collect()
    }

    fn gauges(&self, now: Now) {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let view = self.served.view.load();
        let mut tenants = TenantGauges::default();
        let mut zones: BTreeMap<String, (u64, Standing)> = BTreeMap::new();
        let standings: BTreeMap<&str, Standing> =
            view.zones.iter().map(|info| (info.zone.as_str(), standing(info.state))).collect();
        for (apex, zone) in &self.world.zones {
            let (kept, held) = zone.tenants.odd_counts();
            if zone.why_not_served().is_none() {
                tenants.served += count(zone.tenants.table.len().saturating_sub(kept + held));
            }
            tenants.last_good += count(kept);
            tenants.held += count(held);
            tenants.broken += count(view.broken(apex).len());
            let text = apex.to_string();
            let standing = standings.get(text.as_str()).copied().unwrap_or(Standing::Silent);
            zones.insert(text, (count(held), standing));
        }
        self.basis.metrics.set(|gauges| {
            gauges.snapshot_version = self.served.version;
            gauges.tenants = tenants;
            gauges.zones.retain(|name, _| zones.contains_key(name));
            for (name, (held, standing)) in zones {
                let zone = gauges.zones.entry(name).or_default();
                (zone.held, zone.standing) = (held, Some(standing));
            }
            gauges.findings.clone_from(self.findings.counts());
            gauges.silent.clone_from(&view.silent);
        });
        self.roll_gauges(now);
        self.watch_gauges(now);
    }

    /// Shows how the keys of all zones stand.
    pub(super) fn roll_gauges(&self, now: Now) {
        let clocks = self.lives.clock.clocks(now);
        self.basis.metrics.set(|all| {
            for (apex, zone) in &self.world.zones {
                let Some(gauge) = all.zones.get_mut(&apex.to_string()) else { continue };
                let roll = self.lives.rolls.zones.get(apex).filter(|_| matches!(zone.keys, Keys::Loaded(_)));
                let at = At { clocks, margin: zone.policy.margin, before: gauge.next_event };
                let is_silent = matches!(zone.keys, Keys::Silent(_));
                let of_silent = || RollGauges { roll_blocked: is_silent, ..RollGauges::default() };
                let shown = roll.map_or_else(of_silent, |roll| gauges(roll.facts(), roll.plan.as_ref(), at));
                gauge.keys = shown.keys;
                gauge.set_rolls(shown.next_event, shown.parent_ds_match, shown.roll_blocked);
            }
        });
    }

    /// Shows how the pools stand.
    pub(super) fn pool_gauges(&self, now: Now) {
        let clocks = self.lives.clock.clocks(now);
        self.basis.metrics.set(|all| {
            let lives = self.lives.certs.lives.iter().filter(|(_, life)| life.facts().between.is_none());
            all.pools = lives
                .map(|(pool, life)| (pool.clone(), pool_gauges(&life.state(pool), life.plan.as_ref(), clocks)))
                .collect();
        });
    }

    pub(super) fn watch_gauges(&self, now: Now) {
        let counts = self.feed.counts();
        let lag = self.feed.lag(now).as_secs_f64();
        self.basis.metrics.set(|gauges| {
            gauges.watch = WatchGauges {
                last_success: counts.last_success,
                lag_seconds: lag,
                events: counts.events,
                overflows: counts.overflows,
                full_scans: counts.full_scans,
            };
        });
    }
}

/// The same for metrics: a zone whose file is broken is served all the same.
fn standing(of_zone: ZoneStanding) -> Standing {
    match of_zone {
        ZoneStanding::Serving | ZoneStanding::LastGood => Standing::Serving,
        ZoneStanding::Frozen => Standing::Frozen,
        ZoneStanding::Silent | ZoneStanding::Unknown => Standing::Silent,
        ZoneStanding::Waiting => Standing::Waiting,
    }
}
