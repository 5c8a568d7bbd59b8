//! Pools go on: their next steps are taken, published and looked for on the wire, and their hosts are looked at.
//!
//! A step's fact is durable before it is served. What was not seen is never taken for done, however long ago it was.

use crate::control::certs::{Bounds, PoolLife};
use crate::control::life::{Living, RETRY};
use crate::control::thread::Mind;
use crate::control::thread::eyes::Print;
use crate::diagnostic::{Diagnostic, Place};
use crate::dns::name::Name;
use crate::observe::observer::WantedLook;
use crate::report::certs::findings::{Expected, findings};
use crate::report::view::View;
use crate::roll::hosts::fold::HostLimits;
use crate::time::Now;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

/// How often certificate files are looked after: what a link points at, and its size and times.
const FILES_EVERY: Duration = Duration::from_secs(2);
/// How often the files of private keys that wait are looked after.
const KEYS_EVERY: Duration = Duration::from_secs(10);

impl Mind {
    /// When the next thing about pools is due.
    pub(super) fn pools_next(&self) -> Option<Instant> {
        let dues = self.lives.certs.lives.values().map(|life| {
            let look = Some(life.look_at).filter(|_| self.is_looked_at(life) && life.round.is_none());
            [Some(life.due), life.own_next(), look].into_iter().flatten().min()
        });
        let files = Some(self.eyes.files_at).filter(|_| !self.eyes.files.is_empty());
        let keys = Some(self.eyes.keys_at).filter(|_| !self.lives.certs.lives.is_empty());
        dues.flatten()
            .chain(files)
            .chain(keys)
            .chain(self.lives.certs.join_next())
            .chain(self.lives.certs.again_next())
            .min()
    }

    /// Pools are told what the clock tells.
    pub(super) fn tell_clock(&mut self, now: Now) {
        let doubt = self.lives.clock.doubt().map(str::to_owned);
        self.lives.certs.take_clock(self.lives.clock.credited(), doubt, now);
    }

    pub(super) fn is_looked_at(&self, life: &PoolLife) -> bool {
        life.policy.probed && life.shows.is_none() && self.eyes.prober.is_some()
    }

    /// Takes the steps of pools that are due, and asks for the looks that are.
    pub(super) fn pools_on(&mut self, now: Now) {
        self.tell_clock(now);
        self.lives.certs.in_the_way.elsewhere = self.lives.instance.elsewhere().map(str::to_owned);
        // What the files changed is in the pools' records already, and in no snapshot yet.
        let is_read = self.certificate_files(now);
        let mut is_other = is_read;
        if self.eyes.keys_at <= now.steady {
            self.eyes.keys_at = now.steady + KEYS_EVERY;
            let lives = self.lives.certs.lives.values_mut().filter(|life| life.facts().between.is_none());
            self.findings.is_pool_news |= lives.map(|life| life.look_at_keys(&self.store)).fold(false, |a, b| a | b);
        }
        let due: Vec<String> = self
            .lives
            .certs
            .lives
            .iter()
            .filter(|(_, life)| life.due <= now.steady)
            .map(|(pool, _)| pool.clone())
            .collect();
        let is_again = self.lives.certs.join_next().is_some_and(|at| at <= now.steady);
        is_other |= is_again && self.lives.certs.join_again(&self.store, now);
        let is_tried = self.lives.certs.again_next().is_some_and(|at| at <= now.steady);
        if is_tried {
            self.lives.certs.try_again(now);
        }
        for pool in &due {
            if self.lives.certs.advance(&self.store, pool, now) {
                is_other = true;
            }
        }
        self.findings.is_pool_news |= is_tried;
        if !due.is_empty() {
            let old = self.lives.certs.old_ways(now.signing);
            old.iter().for_each(|way| self.world.pools.close_way(way));
            if is_other {
                // Ways follow their pools.
                self.lives
                    .certs
                    .lives
                    .values_mut()
                    .filter(|life| life.shows.is_some())
                    .for_each(|life| life.due = now.steady);
            }
            self.findings.is_pool_news = true;
        }
        if is_other || is_tried || !self.lives.certs.ways.is_empty() {
            self.serve_pools(is_read, now);
        }
        self.ask_wire(now);
        self.ask_hosts(now);
    }

    /// What is served of pools follows what was decided; published where it is other than before, or `is_other` says so.
    pub(super) fn serve_pools(&mut self, is_other: bool, now: Now) {
        self.world.pools.ask_anew();
        if self.settle(now) || is_other {
            self.publish(now);
        } else {
            // What was given up is kept also where nothing else is served for it.
            self.lives.certs.keep_pasts(&self.store);
        }
    }

    /// Certificate files whose description changed are read again; true where what is served changed.
    fn certificate_files(&mut self, now: Now) -> bool {
        if self.eyes.files_at > now.steady {
            return false;
        }
        self.eyes.files_at = now.steady + FILES_EVERY;
        let paths = self.world.pools.certificate_paths();
        let print = |path: &String| {
            // Links are followed: those that certbot makes are exchanged whole.
            let meta = std::fs::metadata(self.basis.config.zones.join(path)).ok()?;
            Some((
                meta.dev(),
                meta.ino(),
                meta.size(),
                meta.mtime_nsec() + meta.mtime() * 1_000_000_000,
                meta.ctime_nsec() + meta.ctime() * 1_000_000_000,
            ))
        };
        let files: BTreeMap<String, Option<Print>> =
            paths.into_iter().map(|path| (path.clone(), print(&path))).collect();
        let is_other = files != self.eyes.files || self.world.pools.has_bad_certificates();
        self.eyes.files = files;
        if !is_other {
            return false;
        }
        let is_served = self.refresh_certificates(now);
        self.findings.is_pool_news = true;
        if !is_served {
            self.report(now);
        }
        is_served
    }

    /// Before a publication: how long what is served may stay in caches.
    pub(super) fn bound_pools(&mut self, now: Now) -> Vec<(String, HostLimits)> {
        let used = self.world.zones.values().filter(|zone| zone.signed && !zone.tenants.table.is_empty());
        let (ttl, after) = (self.world.pools.ttl, self.lives.rolls.shift.after.min(30 * 86_400));
        let bounds = used.map(|zone| (zone.policy.signature_life + after, zone.policy.margin));
        let bounds = bounds.reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)));
        let bounds = bounds.map(|(life, margin)| Bounds { ttl, life, margin });
        let capped = self.lives.certs.bound(bounds, now);
        let pools = &self.world.pools;
        self.lives.certs.keep_only(|pool| pools.is_there(pool));
        capped
    }

    /// After a publication: what was published, and when to look for it. Of a pool without tenants nobody holds anything.
    pub(super) fn note_pools(&mut self, now: Now) {
        let snapshot = self.served.version;
        for (pool, life) in &mut self.lives.certs.lives {
            life.note_published(now);
            if life.is_unseen() && !self.world.pools.has_tenants(pool) {
                life.is_held_by_nobody(snapshot, now);
                life.published = life.facts().records;
            }
        }
    }

    /// Looks on the wire for what was published.
    fn ask_wire(&mut self, now: Now) {
        // What was just published is looked for once it was noted.
        if self.served.is_unnoted {
            return;
        }
        let is_due = |life: &&PoolLife| life.own_next().is_some_and(|at| at <= now.steady);
        let due: Vec<String> =
            self.lives.certs.lives.iter().filter(|(_, life)| is_due(life)).map(|(pool, _)| pool.clone()).collect();
        for pool in due {
            let sample = self.sample(&pool);
            let (Some(observer), Some(life)) = (&self.eyes.observer, self.lives.certs.lives.get_mut(&pool)) else {
                continue;
            };
            life.own.at = now.steady + RETRY;
            let Some((apex, label)) = sample else {
                // Those that it has have records of their own: caches hold nothing of the pool.
                life.is_held_by_nobody(self.served.version, now);
                continue;
            };
            let Ok(endpoint) = Name::below(&label, &apex) else { continue };
            let look = life.own_look(&pool, endpoint);
            life.own.asked(observer.ask(WantedLook { zone: apex, look }).is_ok(), now);
        }
    }

    /// What our own addresses answered.
    pub(super) fn pool_seen(&mut self, pool: &str, through: u64, outcome: Result<(), Vec<String>>, now: Now) {
        let snapshot = self.served.version;
        let Some(life) = self.lives.certs.lives.get_mut(pool) else { return };
        self.findings.is_pool_news = true;
        life.saw_own(through, outcome, snapshot, now);
    }

    /// What stands against pools now; it is told where it changed.
    pub(super) fn tell_pools(&mut self, now: Now) {
        if !std::mem::take(&mut self.findings.is_pool_news) {
            return;
        }
        let shown = self.world.shown(crate::world::POOLS_FILE);
        let mut found: Vec<_> = self.lives.certs.broken.iter().map(|(pool, closed)| closed.finding(pool)).collect();
        found.extend(self.lives.certs.unkept_pasts.iter().map(|why| unkept_pasts(why)));
        found.extend(self.lives.certs.told.iter().cloned());
        for (pool, life) in self.lives.certs.lives.iter().filter(|(_, life)| life.facts().between.is_none()) {
            // Only names that an operator wrote are held against certificates: tenants come and go.
            let settings = self.lives.certs.settings(pool);
            let expected = Expected { names: &settings.names, webpki: settings.webpki };
            found.extend(findings(
                &life.state(pool),
                &shown,
                life.plan.as_ref(),
                expected,
                self.lives.clock.clocks(now),
            ));
        }
        found.extend(self.strange_tenants(now));
        self.pool_gauges(now);
        if found != self.findings.pools {
            self.findings.pools = found;
            self.report(now);
        }
    }

    /// Who uses the pools, for reports.
    pub(super) fn tenants_of(&self, pool: &str) -> u64 {
        let view: arc_swap::Guard<std::sync::Arc<View>> = self.served.view.load();
        view.pools.iter().find(|info| info.pool == pool).map_or(0, |info| info.tenants)
    }
}

fn unkept_pasts(why: &str) -> Diagnostic {
    let message = format!("what is published of pools is not kept beside their journals: {why}");
    let help = "repair this; if a journal is lost meanwhile, its pool goes on with what was kept before";
    Diagnostic::error("MX5613", Place::default(), message, help)
}
