//! Pools go on: their next steps are taken, published and looked for on the wire, and their hosts are looked at.
//!
//! A step's fact is durable before it is served. What was not seen is never taken for done, however long ago it was.

use super::{Event, Mind, StartFault, disk};
use crate::cert::Roots;
use crate::cert::chain::{Chain, Expected};
use crate::control::certs::findings::findings;
use crate::control::certs::{Bounds, Life};
use crate::control::rolls::observer::Look;
use crate::control::view::View;
use crate::dns::name::Name;
use crate::probe::{self, Manner, Prober, Round, Seen};
use crate::roll::tlsa::facts::Fact;
use crate::time::{self, UnixTime};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// How often certificate files are looked after: what a link points at, and its size and times.
const FILES_EVERY: Duration = Duration::from_secs(2);
/// After this a publication is looked for: workers take a new snapshot with each batch, thousands of times in it.
const SETTLED: Duration = Duration::from_secs(1);
/// How often a publication that was not seen is looked for, at least.
const UNSEEN_MAX: Duration = Duration::from_secs(60);
/// When a look that found no place is asked for again.
const RETRY: Duration = Duration::from_secs(10);
/// Rounds of looks begin this much earlier or later, by the name of the pool, so that they never bunch.
const JITTER_SHARE: u64 = 8;

/// A file as the system describes it: other numbers mean that its content may be other.
type Print = (u64, u64, u64, i64, i64);

/// What belongs to looks at hosts and to certificate files.
pub(super) struct Looks {
    prober: Option<Prober>,
    /// Rounds so far.
    round: u64,
    roots: Option<Roots>,
    /// Why nobody is known whom MTA-STS senders trust.
    no_roots: Option<String>,
    files: BTreeMap<String, Option<Print>>,
    files_at: Instant,
    /// A tenant of each pool, to look at it on the wire.
    samples: BTreeMap<String, (Name, Box<[u8]>)>,
    /// The name of this host.
    host: String,
}

impl Looks {
    pub(super) fn new() -> Looks {
        Looks {
            prober: None,
            round: 0,
            roots: None,
            no_roots: None,
            files: BTreeMap::new(),
            files_at: Instant::now(),
            samples: BTreeMap::new(),
            host: "localhost".to_owned(),
        }
    }
}

impl Mind {
    /// Starts to look at hosts.
    pub(super) fn start_prober(&mut self, events: &Sender<Event>) -> Result<(), StartFault> {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        if !host.trim().is_empty() {
            host.trim().clone_into(&mut self.looks.host);
        }
        let events = events.clone();
        let report = move |seen: Seen| drop(events.send(Event::Probed(Box::new(seen))));
        let prober = Prober::start(self.config.probe.together, report)
            .map_err(|cause| StartFault::System { what: "start a thread", cause })?;
        self.looks.prober = Some(prober);
        Ok(())
    }

    /// Reads whom MTA-STS senders trust; at a start and at each reload.
    pub(super) fn read_roots(&mut self) {
        let read = self.config.probe.roots.as_ref().map(|path| {
            let octets = std::fs::read(path).map_err(|fault| format!("{}: {fault}", path.display()))?;
            Roots::parse_pem(&octets).map_err(|fault| format!("{}: {fault}", path.display()))
        });
        (self.looks.roots, self.looks.no_roots) = match read {
            None => (None, None),
            Some(Ok(roots)) => (Some(roots), None),
            Some(Err(reason)) => (None, Some(reason)),
        };
        if let Some(reason) = &self.looks.no_roots {
            tracing::info!("whether MTA-STS senders trust certificates is not looked at: {reason}");
        }
    }

    /// When the next thing about pools is due.
    pub(super) fn pools_next(&self) -> Option<Instant> {
        let dues = self.certs.lives.values().map(|life| {
            let wire = Some(life.wire_at).filter(|_| life.is_unseen() && !life.wire_is_asked);
            let look = Some(life.look_at).filter(|_| self.is_looked_at(life) && life.round.is_none());
            [Some(life.due), wire, look].into_iter().flatten().min()
        });
        let files = Some(self.looks.files_at).filter(|_| !self.looks.files.is_empty());
        dues.flatten().chain(files).chain(self.certs.join_next()).min()
    }

    fn is_looked_at(&self, life: &Life) -> bool {
        life.policy.probed && life.shows.is_none() && self.looks.prober.is_some()
    }

    /// Takes the steps of pools that are due, and asks for the looks that are.
    pub(super) fn pools_on(&mut self) {
        let now = Instant::now();
        if self.pools_next().is_none_or(|at| at > now) {
            return;
        }
        (self.certs.credited, self.certs.clock) = (self.clock.credited(), self.clock.doubt().map(str::to_owned));
        let mut is_other = self.certificate_files();
        let due: Vec<String> =
            self.certs.lives.iter().filter(|(_, life)| life.due <= now).map(|(pool, _)| pool.clone()).collect();
        let is_again = self.certs.join_next().is_some_and(|at| at <= now);
        is_other |= is_again && self.certs.join_again(&self.store, time::now());
        for pool in &due {
            if self.certs.advance(&self.store, pool, time::now()) {
                is_other = true;
            }
        }
        if !due.is_empty() {
            let (old, now) = (self.certs.old_ways(time::now()), Instant::now());
            old.iter().for_each(|way| self.world.pools.close_way(way));
            if is_other {
                // Ways follow their pools.
                self.certs.lives.values_mut().filter(|life| life.shows.is_some()).for_each(|life| life.due = now);
            }
            self.is_pool_news = true;
        }
        if is_other || !self.certs.ways.is_empty() {
            self.serve_pools();
        }
        self.ask_wire();
        self.ask_hosts();
        self.tell_pools();
    }

    /// What is served of pools follows what was decided; published where it is other than before.
    pub(super) fn serve_pools(&mut self) {
        let mut outside = disk(&self.config, &mut self.files, &self.store, (&mut self.rolls, &mut self.certs));
        if self.world.pools.rebuild(&mut outside) {
            self.publish();
        }
    }

    /// Certificate files whose description changed are read again; true where what is served changed.
    fn certificate_files(&mut self) -> bool {
        if self.looks.files_at > Instant::now() {
            return false;
        }
        self.looks.files_at = Instant::now() + FILES_EVERY;
        let paths = self.world.pools.certificate_paths();
        let print = |path: &String| {
            // Links are followed: those that certbot makes are exchanged whole.
            let meta = std::fs::metadata(self.config.zones.join(path)).ok()?;
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
        let is_other = files != self.looks.files || self.world.pools.has_bad_certificates();
        self.looks.files = files;
        if !is_other {
            return false;
        }
        let mut outside = disk(&self.config, &mut self.files, &self.store, (&mut self.rolls, &mut self.certs));
        let is_served = self.world.refresh_certificates(&mut outside);
        self.is_pool_news = true;
        if !is_served {
            self.report();
        }
        is_served
    }

    /// Before a publication: how long what is served may stay in caches.
    pub(super) fn bound_pools(&mut self) {
        let used = self.world.zones.values().filter(|zone| zone.signed && !zone.tenants.table.is_empty());
        let (ttl, after) = (self.world.pools.ttl, self.rolls.shift.after.min(30 * 86_400));
        let bounds = used.map(|zone| (zone.policy.signature_life + after, zone.policy.margin));
        let bounds = bounds.reduce(|a, b| (a.0.max(b.0), a.1.max(b.1)));
        let bounds = bounds.map(|(life, margin)| Bounds { ttl, life, margin });
        self.certs.bound(bounds, time::now());
        let pools = &self.world.pools;
        self.certs.keep_only(|pool| pools.is_there(pool));
    }

    /// After a publication: what was published, and when to look for it. Of a pool without tenants nobody holds anything.
    pub(super) fn note_pools(&mut self) {
        let (now, snapshot) = (time::now(), self.version);
        for (pool, life) in &mut self.certs.lives {
            let is_new = life.published != life.facts().records;
            (life.published, life.published_at) = (life.facts().records, now);
            if !life.is_unseen() {
                continue;
            }
            if !self.world.pools.has_tenants(pool) {
                life.record(served(life, snapshot, now), now);
                life.published = life.facts().records;
            } else if is_new {
                (life.wire_failures, life.wire_at) = (0, Instant::now() + SETTLED);
            }
        }
    }

    /// Looks on the wire for what was published.
    fn ask_wire(&mut self) {
        let now = Instant::now();
        let is_due = |life: &&Life| life.is_unseen() && !life.wire_is_asked && life.wire_at <= now;
        let due: Vec<String> =
            self.certs.lives.iter().filter(|(_, life)| is_due(life)).map(|(pool, _)| pool.clone()).collect();
        for pool in due {
            let sample = self.sample(&pool);
            let (Some(observer), Some(life)) = (&self.observer, self.certs.lives.get_mut(&pool)) else { continue };
            life.wire_at = now + RETRY;
            let Some((apex, label)) = sample else {
                // Those that it has have records of their own: caches hold nothing of the pool.
                life.record(served(life, self.version, time::now()), time::now());
                continue;
            };
            let Ok(endpoint) = Name::below(&label, &apex) else { continue };
            let look = Look::Pool {
                pool: pool.clone(),
                endpoint: Box::new(endpoint),
                tlsa: life.facts().served_keys().into_iter().map(|spki| spki.0).collect(),
                addresses: life.facts().served_addresses().into_iter().collect(),
                through: life.published,
            };
            life.wire_is_asked = observer.ask(&apex, look);
        }
    }

    /// What our own addresses answered.
    pub(super) fn pool_seen(&mut self, pool: &str, through: u64, outcome: Result<(), Vec<String>>) {
        let snapshot = self.version;
        let Some(life) = self.certs.lives.get_mut(pool) else { return };
        life.wire_is_asked = false;
        self.is_pool_news = true;
        match outcome {
            Ok(()) if through == life.published => {
                (life.wire_faults, life.wire_failures) = (Vec::new(), 0);
                let now = time::now();
                if life.record(served(life, snapshot, now), now) {
                    tracing::info!(POOL = pool, SNAPSHOT = snapshot, "seen on the wire");
                }
                life.published = life.facts().records;
            }
            // It was published again meanwhile, and that is what must be seen.
            Ok(()) => life.wire_at = Instant::now() + SETTLED,
            Err(faults) => {
                life.wire_failures = life.wire_failures.saturating_add(1);
                let after = SETTLED * 2u32.saturating_pow(life.wire_failures.min(6));
                (life.wire_faults, life.wire_at) = (faults, Instant::now() + after.min(UNSEEN_MAX));
            }
        }
    }

    /// Begins the rounds of looks that are due.
    fn ask_hosts(&mut self) {
        let now = Instant::now();
        let is_due = |life: &Life| self.is_looked_at(life) && life.round.is_none() && life.look_at <= now;
        let due: Vec<String> =
            self.certs.lives.iter().filter(|(_, life)| is_due(life)).map(|(pool, _)| pool.clone()).collect();
        for pool in due {
            let sample = self.sample(&pool).and_then(|(apex, label)| Name::below(&label, &apex).ok());
            let endpoint = sample.map(|name| name.to_string().trim_end_matches('.').to_owned());
            let port = self.certs.settings(&pool).port.unwrap_or(self.config.probe.port);
            let helo = Some(self.config.probe.helo.clone()).filter(|helo| !helo.is_empty());
            let manner = Manner {
                helo: helo.unwrap_or_else(|| self.looks.host.clone()),
                timeout: Duration::from_secs(self.config.probe.timeout),
            };
            let (Some(prober), Some(life)) = (&self.looks.prober, self.certs.lives.get_mut(&pool)) else { continue };
            let hosts = life.hosts_to_look_at(time::now());
            life.look_at = now + every(self.config.probe.every, &pool);
            if hosts.is_empty() {
                continue;
            }
            self.looks.round += 1;
            let round = Round {
                pool: pool.clone(),
                number: self.looks.round,
                targets: probe::targets(&hosts, port, endpoint.as_deref()),
            };
            if prober.ask(round, &manner) {
                life.round = Some(self.looks.round);
            } else {
                life.look_at = now + RETRY;
            }
        }
    }

    /// Hosts were looked at.
    pub(super) fn probed(&mut self, seen: Seen) {
        let (roots, pool) = (self.looks.roots.clone(), seen.pool.clone());
        let webpki = self.certs.settings(&pool).webpki;
        let Some(life) = self.certs.lives.get_mut(&pool).filter(|life| life.round == Some(seen.number)) else { return };
        life.round = None;
        // Dates of certificates are judged by the clock that senders go by.
        let wall = time::wall();
        let judge = |chain: &Chain, name: Option<&str>| {
            let names: Vec<String> = name.map(str::to_owned).into_iter().collect();
            let roots = roots.as_ref().filter(|_| webpki);
            let expected = Expected { spki: None, names: &names, now: wall, roots };
            chain.flaws(&expected).iter().map(ToString::to_string).collect()
        };
        let is_news = life.saw(seen, &judge, time::now());
        life.due_now();
        self.is_pool_news = true;
        if is_news {
            // Whatever a host was seen to show is served at once.
            self.certs.advance(&self.store, &pool, time::now());
            self.serve_pools();
        }
        self.end_looks(&pool);
    }

    /// A tenant that is served all that the pool gives, and nothing else.
    fn sample(&mut self, pool: &str) -> Option<(Name, Box<[u8]>)> {
        let indexes = self.world.pools.indexes_of(pool);
        let fits = |tenant: &crate::zone::endpoint::Tenant| {
            tenant.is_all_of_pool() && tenant.pool().is_some_and(|index| indexes.contains(&index))
        };
        let known = self.looks.samples.get(pool).filter(|(apex, label)| {
            let tenant = self.world.zones.get(apex).and_then(|zone| zone.tenants.table.get(label));
            tenant.is_some_and(|tenant| fits(tenant))
        });
        if let Some(known) = known {
            return Some(known.clone());
        }
        let found =
            self.world.zones.iter().filter(|(_, zone)| zone.why_not_served().is_none()).find_map(|(apex, zone)| {
                let tenant = zone.tenants.table.iter().find(|tenant| fits(tenant))?;
                Some((apex.clone(), Box::<[u8]>::from(tenant.label())))
            })?;
        self.looks.samples.insert(pool.to_owned(), found.clone());
        Some(found)
    }

    /// Names that certificates of a pool should cover: those of the configuration, or a wildcard for each zone with tenants.
    pub(super) fn names_for(&self, pool: &str) -> Vec<String> {
        let names = self.certs.settings(pool).names;
        if !names.is_empty() {
            return names;
        }
        let indexes = self.world.pools.indexes_of(pool);
        let uses = |tenant: &crate::zone::endpoint::Tenant| tenant.pool().is_some_and(|index| indexes.contains(&index));
        let used = self.world.zones.iter().filter(|(_, zone)| zone.tenants.table.iter().any(|tenant| uses(tenant)));
        used.map(|(apex, _)| format!("*.{}", apex.to_string().trim_end_matches('.'))).collect()
    }

    /// What stands against pools now; it is told where it changed.
    pub(super) fn tell_pools(&mut self) {
        if !std::mem::take(&mut self.is_pool_news) {
            return;
        }
        let shown = self.world.shown(crate::control::world::POOLS_FILE);
        let mut found: Vec<_> = self.certs.broken.values().cloned().collect();
        for (pool, life) in self.certs.lives.iter().filter(|(_, life)| life.facts().between.is_none()) {
            // Only names that an operator wrote are held against certificates: tenants come and go.
            let settings = self.certs.settings(pool);
            found.extend(findings(pool, &shown, life, (&settings.names, settings.webpki), time::wall()));
        }
        self.pool_gauges();
        if found != self.pool_findings {
            self.pool_findings = found;
            self.report();
        }
    }

    /// Who uses the pools, for reports.
    pub(super) fn tenants_of(&self, pool: &str) -> u64 {
        let view: arc_swap::Guard<std::sync::Arc<View>> = self.view.load();
        view.pools.iter().find(|info| info.pool == pool).map_or(0, |info| info.tenants)
    }
}

fn served(life: &Life, snapshot: u64, now: UnixTime) -> Fact {
    let (first_seen, last_seen, through) = (life.published_at.0, now.0, life.published);
    Fact::PoolServed { instance: 0, snapshot, first_seen, last_seen, through }
}

/// When a pool's hosts are looked at next: after the time configured, shifted by its name.
fn every(every: u64, pool: &str) -> Duration {
    let room = every / JITTER_SHARE;
    let shift = if room == 0 {
        0
    } else {
        crate::cert::Spki::of(pool.as_bytes()).0.iter().map(|o| u64::from(*o)).sum::<u64>() % room
    };
    Duration::from_secs(every.saturating_sub(shift))
}
