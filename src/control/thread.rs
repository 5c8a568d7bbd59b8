//! The control thread: events in, decisions of [`World`], durable state, published snapshots out.
//!
//! It publishes nothing that broke while it was built, and keeps the last snapshot serving whatever happens here.

use crate::answer::{Identity, Snapshot};
use crate::config::Config;
use crate::control::files_settle::Moment;
use crate::control::files_trouble::Trouble;
use crate::control::outside::{Disk, signed_anyway};
use crate::control::protocol::{Line, Request, Status};
use crate::control::scan::{Changes, Files};
use crate::control::socket::{self, Desk};
use crate::control::store::{LastGood, Store, StoreFault};
use crate::control::tenants::Done;
use crate::control::view::{View, finding};
use crate::control::waits::{Wait, Waits};
use crate::control::warm::Warm;
use crate::control::watch::Watcher;
use crate::control::world::{FileChange, World};
use crate::control::zones::Keys;
use crate::diagnostic::{Diagnostic, Place, Severity};
use crate::dns::name::{Name, ROOT};
use crate::metrics::{KeyGauge, Metrics, TenantGauges, WatchGauges};
use crate::time;
use arc_swap::ArcSwap;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// How long the thread sleeps without any reason to wake.
const SLEEP_MAX: Duration = Duration::from_secs(5);
/// How long a start waits for files that are being written: a writer that takes longer is not worth more silence.
const SETTLE_AT_START_MAX: Duration = Duration::from_secs(2);
/// New findings that are logged one by one; more are counted.
const FINDINGS_LOGGED_MAX: usize = 20;

/// Reads the configuration again: for SIGHUP and `mxseal reload`.
pub type ReadConfig = dyn Fn() -> Result<(Config, Vec<Diagnostic>), Vec<Diagnostic>> + Send;

/// What the control plane starts from.
pub struct Options {
    /// The configuration; its paths are resolved.
    pub config: Config,
    /// Reads it again.
    pub read_config: Box<ReadConfig>,
    /// What answers say about the server.
    pub identity: Arc<Identity>,
    /// What never changes in the status: version, pid, start, addresses, confinement.
    pub status: Status,
    /// Where snapshots go.
    pub slot: Arc<ArcSwap<Snapshot>>,
    /// Where numbers go.
    pub metrics: Arc<Metrics>,
}

/// Why the control plane cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// `keys/` cannot be used.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The folder of zones is not there.
    #[error("the folder of zones {} cannot be read: {cause}: make it, or set `zones`", folder.display())]
    Zones {
        /// The folder.
        folder: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Threads, watches, the control socket.
    #[error("cannot {what}: {cause}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        cause: io::Error,
    },
}

impl StartFault {
    /// Exit code of the command: 4 where a safety gate refused, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            StartFault::Store(fault) => fault.exit_code(),
            StartFault::Zones { .. } | StartFault::System { .. } => 1,
        }
    }
}

/// What wakes the control thread.
pub enum Event {
    /// Files may have changed.
    Files,
    /// A command.
    Request(Request, Sender<Line>),
    /// SIGHUP.
    Reload,
    /// A key of this zone failed, with the reason.
    KeyFailed(Name, String),
    /// The process ends.
    Stop,
}

/// The running control plane.
pub struct Control {
    events: Sender<Event>,
    thread: Option<std::thread::JoinHandle<()>>,
    stop_warm: Arc<AtomicBool>,
    /// What was wrong at the start.
    pub findings: Vec<Diagnostic>,
    /// Tenants and zones served at the start.
    pub served: (usize, usize),
}

impl Control {
    /// Reads everything again, as SIGHUP asks.
    pub fn reload(&self) {
        let _ = self.events.send(Event::Reload);
    }

    /// Ends the thread; the last snapshot stays.
    pub fn stop(mut self) {
        self.stop_warm.store(true, Ordering::Relaxed);
        let _ = self.events.send(Event::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads all files, publishes the first snapshot, then goes on in a thread of its own.
///
/// # Errors
/// [`StartFault`].
pub fn start(options: Options) -> Result<Control, StartFault> {
    let folder = options.config.zones.clone();
    std::fs::read_dir(&folder).map_err(|cause| StartFault::Zones { folder: folder.clone(), cause })?;
    let store = Store::open(&options.config.keys)?;
    let listener = socket::bind(&options.config.keys)
        .map_err(|cause| StartFault::System { what: "open the control socket", cause })?;
    let (events, inbox) = channel();
    let wake = events.clone();
    let watcher = Watcher::start(&folder, move || drop(wake.send(Event::Files)))
        .map_err(|cause| StartFault::System { what: "watch the folder of zones", cause })?;
    let mut mind = Mind::new(options, store, watcher);
    mind.first_scan();
    let desk = Desk::new(Arc::clone(&mind.slot), Arc::clone(&mind.view), mind.status.clone(), events.clone());
    let stop_warm = mind.start_warm(&events)?;
    spawn("mxseal-socket", move || socket::run(&listener, &Arc::new(desk)))?;
    let findings = mind.all_findings();
    let tenants = mind.world.zones.values().map(|zone| zone.tenants.table.len()).sum();
    let served = (tenants, mind.slot.load().zones().len());
    let thread = spawn("mxseal-control", move || mind.run(&inbox))?;
    Ok(Control { events, thread: Some(thread), stop_warm, findings, served })
}

fn spawn(name: &'static str, run: impl FnOnce() + Send + 'static) -> Result<std::thread::JoinHandle<()>, StartFault> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map_err(|cause| StartFault::System { what: "start a thread", cause })
}

/// All state of the control plane.
struct Mind {
    config: Config,
    read_config: Box<ReadConfig>,
    identity: Arc<Identity>,
    status: Status,
    slot: Arc<ArcSwap<Snapshot>>,
    metrics: Arc<Metrics>,
    view: Arc<ArcSwap<View>>,
    store: Store,
    watcher: Watcher,
    files: Files,
    world: World,
    version: u64,
    waits: Waits,
    again_at: Option<Instant>,
    rescan: bool,
    scan_began: Instant,
    /// What was kept last, by zone (none: the pools), as text lengths and hashes.
    kept: BTreeMap<(Option<Name>, bool), u64>,
    /// Findings that were logged and still stand.
    said: BTreeSet<String>,
    /// What stands against the configuration or the disk.
    own_findings: Vec<Diagnostic>,
    disk_findings: Vec<Diagnostic>,
    /// The snapshot before this one, so that no worker has to drop it.
    previous: Vec<Arc<Snapshot>>,
}

impl Mind {
    fn new(options: Options, store: Store, watcher: Watcher) -> Mind {
        let shown = options.config.zones.display().to_string();
        let shown = shown.strip_prefix("./").unwrap_or(&shown).to_owned();
        Mind {
            files: Files::new(&options.config.zones),
            world: World::new(options.config.clone(), shown),
            config: options.config,
            read_config: options.read_config,
            identity: options.identity,
            status: options.status,
            slot: options.slot,
            metrics: options.metrics,
            view: Arc::default(),
            store,
            watcher,
            version: 0,
            waits: Waits::default(),
            again_at: None,
            rescan: false,
            scan_began: Instant::now(),
            kept: BTreeMap::new(),
            said: BTreeSet::new(),
            own_findings: Vec::new(),
            disk_findings: Vec::new(),
            previous: Vec::new(),
        }
    }

    fn start_warm(&self, events: &Sender<Event>) -> Result<Arc<AtomicBool>, StartFault> {
        let stop = Arc::new(AtomicBool::new(false));
        let alarms = events.clone();
        let warm = Warm {
            slot: Arc::clone(&self.slot),
            metrics: Arc::clone(&self.metrics),
            counters: self.metrics.worker(),
            stop: Arc::clone(&stop),
            alarm: Box::new(move |zone, reason| drop(alarms.send(Event::KeyFailed(zone, reason)))),
        };
        spawn("mxseal-warm", move || warm.run())?;
        Ok(stop)
    }

    fn run(mut self, inbox: &Receiver<Event>) {
        loop {
            let now = Instant::now();
            let wake = [self.again_at, self.waits.next(), Some(now + SLEEP_MAX)].into_iter().flatten().min();
            let mut sleep = wake.unwrap_or(now).saturating_duration_since(now);
            if self.files.is_scanning() {
                // A full scan goes on in slices, so that changes and commands never wait for it.
                self.scan_slice();
                sleep = Duration::ZERO;
            }
            match if self.rescan { Ok(Event::Files) } else { inbox.recv_timeout(sleep) } {
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Event::Files) => self.look(),
                Ok(Event::Reload) => drop(self.reload(false)),
                Ok(Event::Request(request, reply)) => self.request(request, reply),
                Ok(Event::KeyFailed(zone, reason)) => self.key_failed(&zone, reason),
                Err(RecvTimeoutError::Timeout) if self.files.is_scanning() => {}
                Err(RecvTimeoutError::Timeout) => self.tick(),
            }
            self.waits.settle(&self.world, Instant::now());
        }
    }

    /// The first batch: everything there is, and what an earlier process kept.
    fn first_scan(&mut self) {
        let changes = self.scan();
        self.take_in(changes);
        self.let_settle();
        let good = |what: LastGood<'_>, store: &Store| store.last_good(what).ok().flatten();
        let pools = good(LastGood::Pools, &self.store);
        let (mut masters, mut tenants) = (BTreeMap::new(), BTreeMap::new());
        for apex in self.world.zones.keys() {
            masters.extend(good(LastGood::Master(apex), &self.store).map(|text| (apex.clone(), text)));
            tenants.extend(good(LastGood::Tenants(apex), &self.store).map(|text| (apex.clone(), text)));
        }
        if pools.is_some() || !masters.is_empty() || !tenants.is_empty() {
            let mut disk = disk(&self.config, &mut self.files, &self.store);
            self.world.restore(pools.as_deref(), &masters, &tenants, time::now(), &mut disk);
        }
        self.own_findings = signed_anyway(&self.config, &self.world);
        self.publish();
    }

    /// Files so young that a writer may be at work are waited for: the first answers would else deny what was served
    /// before a restart amid provisioning.
    fn let_settle(&mut self) {
        let until = Instant::now() + SETTLE_AT_START_MAX;
        while let Some(at) = self.again_at.filter(|at| *at < until) {
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            let changes = self.files.look(&BTreeMap::new(), Moment::now());
            self.take_in(changes);
        }
    }

    fn scan(&mut self) -> Changes {
        let began = Instant::now();
        let changes = self.files.scan(Moment::now());
        self.watcher.scanned(changes.complete, began.elapsed());
        self.rescan = false;
        changes
    }

    fn look(&mut self) {
        let dirty = self.watcher.take();
        for healed in dirty.healed {
            self.world.troubles.remove(&healed.path.to_string_lossy().into_owned());
        }
        let root = self.config.zones.clone();
        for trouble in &dirty.troubled {
            self.world.troubles.insert(trouble.path.to_string_lossy().into_owned(), trouble.diagnostic(&root));
        }
        let full = std::mem::take(&mut self.rescan) || dirty.rescan;
        if full {
            self.files.scan_begin();
            self.scan_began = Instant::now();
        }
        let changes = self.files.look(&dirty.paths, Moment::now());
        let certificates = full && {
            let mut disk = disk(&self.config, &mut self.files, &self.store);
            self.world.refresh_certificates(&mut disk)
        };
        if self.take_in(changes) || certificates || !dirty.troubled.is_empty() {
            self.publish();
        }
    }

    fn scan_slice(&mut self) {
        let changes = self.files.scan_slice(Moment::now());
        if !self.files.is_scanning() {
            self.watcher.scanned(changes.complete, self.scan_began.elapsed());
        }
        if self.take_in(changes) {
            self.publish();
        }
    }

    /// Takes in what a look found; true where something changed.
    fn take_in(&mut self, changes: Changes) -> bool {
        self.again_at = changes.again_at;
        self.rescan |= changes.rescan;
        let mut batch = Vec::new();
        for file in changes.changed {
            batch.push(FileChange { path: file.path.to_string_lossy().into_owned(), content: Some(file.content) });
        }
        let delivered: BTreeSet<String> = batch.iter().map(|change| change.path.clone()).collect();
        for path in changes.gone {
            batch.push(FileChange { path: path.to_string_lossy().into_owned(), content: None });
        }
        let mut spoiled = Vec::new();
        for healed in changes.healed {
            let path = healed.path.to_string_lossy().into_owned();
            self.world.troubles.remove(&path);
            // Its content may be what it was before the trouble, which a look does not deliver again.
            if !delivered.contains(&path) {
                if let Ok(content) = std::fs::read(self.config.zones.join(&path)) {
                    batch.push(FileChange { path, content: Some(content) });
                }
            }
        }
        for trouble in &changes.troubled {
            spoiled.push(self.trouble(trouble));
        }
        let changed = !batch.is_empty() || !spoiled.is_empty();
        if !batch.is_empty() {
            let mut disk = disk(&self.config, &mut self.files, &self.store);
            let done = self.world.apply(batch, time::now(), &mut disk);
            let includes = self.world.included_paths();
            self.files.keep_includes(&includes);
            log_done(&done);
        }
        for (path, finding) in spoiled {
            self.world.spoil(&path, finding);
        }
        changed
    }

    fn trouble(&mut self, trouble: &Trouble) -> (String, Diagnostic) {
        let path = trouble.path.to_string_lossy().into_owned();
        let finding = trouble.diagnostic(&self.config.zones);
        self.world.troubles.insert(path.clone(), finding.clone());
        (path, finding)
    }

    fn tick(&mut self) {
        if self.again_at.is_some_and(|at| at <= Instant::now()) {
            self.look();
        }
        if !self.disk_findings.is_empty() {
            self.publish();
        }
        self.watch_gauges();
    }

    fn reload(&mut self, allow_shrink: bool) -> Result<(), Vec<Diagnostic>> {
        let (config, warnings) = match (self.read_config)() {
            Ok(read) => read,
            Err(findings) => {
                for finding in &findings {
                    tracing::error!("the configuration is not used: {}", finding.one_line());
                }
                return Err(findings);
            }
        };
        if (&config.zones, &config.keys) != (&self.config.zones, &self.config.keys) {
            tracing::warn!("the folders of zones and keys change at a restart only");
        }
        self.config = Config { zones: self.config.zones.clone(), keys: self.config.keys.clone(), ..config.clone() };
        let mut outside = disk(&self.config, &mut self.files, &self.store);
        self.world.configure(config, &mut outside);
        self.world.thaw(&mut outside);
        self.world.refresh_certificates(&mut outside);
        let changes = self.scan();
        self.take_in(changes);
        if allow_shrink {
            let mut outside = disk(&self.config, &mut self.files, &self.store);
            log_done(&self.world.allow_shrink(time::now(), &mut outside));
        }
        self.own_findings = warnings;
        self.own_findings.extend(signed_anyway(&self.config, &self.world));
        self.publish();
        tracing::info!(SNAPSHOT = self.version, "reloaded");
        Ok(())
    }

    fn request(&mut self, request: Request, reply: Sender<Line>) {
        match request {
            Request::Reload { allow_shrink } => {
                let findings = match self.reload(allow_shrink) {
                    Ok(()) => self.all_findings(),
                    Err(findings) => findings,
                };
                answer_reload(&findings, self.world.zones.values().map(|zone| zone.tenants.held_count()).sum(), &reply);
            }
            Request::TenantShow { domain } => self.show(&domain, &reply),
            Request::TenantWait { domain, zone, present, seconds } => {
                match Name::parse(zone.trim_end_matches('.'), ROOT) {
                    Ok(name) if self.world.zones.contains_key(&name) => {
                        let deadline = Instant::now() + Duration::from_secs(seconds.min(3600));
                        self.waits.push(Wait { domain, zone: name, present, deadline, reply });
                    }
                    _ => drop(reply.send(Line::End { exit: 1, message: format!("there is no zone {zone} here") })),
                }
            }
            Request::TenantPermitRemoval { domain, zone } => {
                let name = Name::parse(zone.trim_end_matches('.'), ROOT).ok();
                let zone = name.and_then(|name| self.world.zones.get_mut(&name));
                let known = zone.is_some();
                zone.into_iter().for_each(|zone| zone.tenants.permit_removal(&domain));
                let message = if known { String::new() } else { "there is no such zone here".to_owned() };
                let _ = reply.send(Line::End { exit: u8::from(!known), message });
            }
            // The socket answers these from the report.
            other => {
                drop(reply.send(Line::End { exit: 1, message: format!("{other:?} is not for the control thread") }))
            }
        }
    }

    fn show(&self, domain: &str, reply: &Sender<Line>) {
        let domain = crate::zone::tenant::normal_domain(domain).unwrap_or_else(|_| domain.to_owned());
        let (view, snapshot) = (self.view.load(), self.slot.load());
        let mut found = Vec::new();
        for (apex, zone) in &self.world.zones {
            let served = zone.tenants.by_domain(&domain).zip(snapshot.zone(apex));
            found.extend(served.map(|(tenant, zone)| view.tenant(zone, tenant)));
            found.extend(view.broken.get(apex).into_iter().flatten().filter(|info| info.domain == domain).cloned());
        }
        let exit = u8::from(found.is_empty() || found.iter().any(|info| !info.reasons.is_empty()));
        let message = if found.is_empty() { format!("{domain} is no tenant here") } else { String::new() };
        for info in &found {
            let _ = serde_json::to_value(info).map(|value| reply.send(Line::Item(value)));
        }
        let _ = reply.send(Line::End { exit, message });
    }

    fn key_failed(&mut self, apex: &Name, reason: String) {
        let Some(zone) = self.world.zones.get_mut(apex) else { return };
        if matches!(zone.keys, Keys::Frozen(_)) {
            return;
        }
        zone.keys = Keys::Frozen(crate::control::outside::unproved(&self.config.keys, zone, reason));
        self.publish();
    }

    fn all_findings(&self) -> Vec<Diagnostic> {
        let mut all = self.world.findings();
        all.extend(self.own_findings.iter().chain(&self.disk_findings).cloned());
        all
    }

    /// Makes durable what must be, then swaps the snapshot.
    fn publish(&mut self) {
        self.persist();
        self.version += 1;
        let snapshot = Arc::new(self.world.snapshot(self.version, Arc::clone(&self.identity)));
        self.previous.retain(|old| Arc::strong_count(old) > 1);
        self.previous.push(self.slot.swap(snapshot));
        let more: Vec<Diagnostic> = self.own_findings.iter().chain(&self.disk_findings).cloned().collect();
        let last_scan = self.watcher.counts().last_success.0;
        self.view.store(Arc::new(View::new(&self.world, self.version, last_scan, &more)));
        self.log_findings();
        self.gauges();
    }

    fn persist(&mut self) {
        let mut faults = Vec::new();
        let mut keep = |key: (Option<Name>, bool), what: LastGood<'_>, text: String, store: &Store| {
            let digest = crate::dns::rrset::digest(0, 0, text.as_bytes());
            if self.kept.get(&key).copied().or_else(|| text.is_empty().then_some(digest)) == Some(digest)
                && self.version > 0
            {
                return;
            }
            match store.keep_last_good(what, &text) {
                Ok(()) => drop(self.kept.insert(key, digest)),
                Err(fault) => {
                    let place = Place::file(self.config.keys.display().to_string());
                    let message = format!("the last good content cannot be kept: {fault}");
                    let help = "answers go on; free the disk before a restart, this is tried again by itself";
                    faults.push(Diagnostic::error("MX5016", place, message, help));
                }
            }
        };
        if self.version > 0 || !self.world.zones.is_empty() {
            keep((None, false), LastGood::Pools, self.world.pools.last_good_text(), &self.store);
        }
        for (apex, zone) in &self.world.zones {
            keep((Some(apex.clone()), false), LastGood::Master(apex), zone.last_good_text(), &self.store);
            keep(
                (Some(apex.clone()), true),
                LastGood::Tenants(apex),
                zone.tenants.last_good_text(&self.world.pools),
                &self.store,
            );
        }
        self.disk_findings = faults;
    }

    fn log_findings(&mut self) {
        let findings = self.all_findings();
        let now: BTreeSet<String> = findings.iter().map(Diagnostic::one_line).collect();
        let fresh: Vec<&Diagnostic> =
            findings.iter().filter(|finding| !self.said.contains(&finding.one_line())).collect();
        for finding in fresh.iter().take(FINDINGS_LOGGED_MAX) {
            match finding.severity {
                Severity::Error => tracing::error!(CODE = finding.code, "{}", finding.one_line()),
                Severity::Warning => tracing::warn!(CODE = finding.code, "{}", finding.one_line()),
            }
        }
        if fresh.len() > FINDINGS_LOGGED_MAX {
            tracing::error!("and {} more findings: see `mxseal status`", fresh.len() - FINDINGS_LOGGED_MAX);
        }
        for solved in self.said.difference(&now).take(FINDINGS_LOGGED_MAX) {
            tracing::info!("solved: {solved}");
        }
        self.said = now;
    }

    fn gauges(&self) {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let mut tenants = TenantGauges::default();
        for zone in self.world.zones.values() {
            let odd = zone.tenants.odd_counts();
            tenants.served += count(zone.tenants.table.len()).saturating_sub(odd.0 + odd.1);
            tenants.last_good += odd.0;
            tenants.held += odd.1;
        }
        tenants.broken = self.view.load().broken.values().map(|broken| count(broken.len())).sum();
        self.metrics.set(|gauges| {
            gauges.snapshot_version = self.version;
            gauges.tenants = tenants;
            let names: BTreeSet<String> = self.world.zones.keys().map(ToString::to_string).collect();
            gauges.zones.retain(|name, _| names.contains(name));
            for (apex, zone) in &self.world.zones {
                let gauge = gauges.zones.entry(apex.to_string()).or_default();
                gauge.held = count(zone.tenants.held_count());
                gauge.keys = key_gauges(&zone.keys);
            }
        });
        self.watch_gauges();
    }

    fn watch_gauges(&self) {
        let counts = self.watcher.counts();
        let lag = self.again_at.map_or(0.0, |at| Instant::now().saturating_duration_since(at).as_secs_f64());
        self.metrics.set(|gauges| {
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

fn key_gauges(keys: &Keys) -> Vec<KeyGauge> {
    let Keys::Loaded(set) = keys else { return Vec::new() };
    let active = |tag: u16| set.active.iter().any(|(key, _)| key.tag == tag);
    let gauge = |key: &crate::sign::key::Key| KeyGauge {
        tag: key.tag,
        role: if set.active.len() == 1 {
            "csk"
        } else if key.flags & 1 == 1 {
            "ksk"
        } else {
            "zsk"
        },
        state: if active(key.tag) { "active" } else { "published" },
    };
    set.active.iter().map(|(key, _)| gauge(key)).collect()
}

fn disk<'a>(config: &'a Config, files: &'a mut Files, store: &'a Store) -> Disk<'a> {
    Disk { config, files, store, now: time::now() }
}

fn answer_reload(findings: &[Diagnostic], held: usize, reply: &Sender<Line>) {
    for found in findings {
        let _ = serde_json::to_value(finding(found)).map(|value| reply.send(Line::Item(value)));
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let (exit, message) = match (held, errors) {
        (0, 0) => (0, String::new()),
        (0, _) => (1, format!("{errors} errors: what was good before is served")),
        _ => (4, format!("{held} removals are held back: `mxseal reload --allow-shrink` lets them go")),
    };
    let _ = reply.send(Line::End { exit, message });
}

fn log_done(done: &BTreeMap<Name, Done>) {
    for (apex, done) in done.iter().filter(|(_, done)| **done != Done::default()) {
        let Done { added, changed, removed, held } = *done;
        tracing::info!(ZONE = %apex, added, changed, removed, "tenants changed");
        if held > 0 {
            tracing::error!(ZONE = %apex, held, "removals held back: `mxseal reload --allow-shrink` lets them go");
        }
    }
}
