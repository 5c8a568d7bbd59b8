//! The control thread: events in, decisions of [`World`], durable state, published snapshots out.
//!
//! It publishes nothing that broke while it was built, and keeps the last snapshot serving whatever happens here.

use crate::answer::{Identity, Snapshot};
use crate::config::Config;
use crate::control::files_name;
use crate::control::files_settle::Moment;
use crate::control::files_trouble::Trouble;
use crate::control::findings::Findings;
use crate::control::keeper::Keeper;
use crate::control::outside::{Disk, SIGNED_ANYWAY, settled_scan, signed_anyway};
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
use crate::diagnostic::{Diagnostic, Severity};
use crate::dns::name::{Name, ROOT};
use crate::metrics::{KeyGauge, Metrics, TenantGauges, WatchGauges};
use crate::time;
use crate::zone::master;
use arc_swap::ArcSwap;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

/// How long the thread sleeps without any reason to wake.
const SLEEP_MAX: Duration = Duration::from_secs(5);
/// Pause before a full scan is done again because the one before was in doubt.
const RESCAN_PAUSE: Duration = Duration::from_millis(200);
/// How long a reload waits for files that are still being written, beyond what is there.
const RELOAD_WAIT_MAX: Duration = Duration::from_secs(3);

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
    KeyFailed(Box<Name>, String),
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
    let findings = mind.findings.all().to_vec();
    let tenants = mind.world.zones.values().map(|zone| zone.tenants.table.len()).sum();
    let served = (tenants, mind.slot.load().zones().len());
    let thread = spawn("mxseal-control", move || mind.run(&inbox))?;
    Ok(Control { events, thread: Some(thread), stop_warm, findings, served })
}

fn spawn(name: &'static str, run: impl FnOnce() + Send + 'static) -> Result<std::thread::JoinHandle<()>, StartFault> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map_err(|cause| StartFault::System { what: "start a thread", cause })
}

/// A reload that ends when files that are being written now have been read, too.
struct Reload {
    reply: Sender<Line>,
    allow_shrink: bool,
    deadline: Instant,
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
    /// When the next full scan begins, where one is wanted.
    rescan_at: Option<Instant>,
    scan_began: Instant,
    reloads: Vec<Reload>,
    keeper: Keeper,
    findings: Findings,
    /// Zones whose last good content was looked for.
    restored: BTreeSet<Name>,
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
            rescan_at: None,
            scan_began: Instant::now(),
            reloads: Vec::new(),
            keeper: Keeper::default(),
            findings: Findings::default(),
            restored: BTreeSet::new(),
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
            alarm: Box::new(move |zone, reason| drop(alarms.send(Event::KeyFailed(Box::new(zone), reason)))),
        };
        spawn("mxseal-warm", move || warm.run())?;
        Ok(stop)
    }

    fn run(mut self, inbox: &Receiver<Event>) {
        loop {
            let event = if self.is_busy() {
                inbox.try_recv().map_err(|fault| fault == TryRecvError::Disconnected)
            } else {
                inbox.recv_timeout(self.sleep()).map_err(|fault| fault == RecvTimeoutError::Disconnected)
            };
            match event {
                Ok(Event::Stop) | Err(true) => return,
                Ok(Event::Files) => self.look(),
                Ok(Event::Reload) => drop(self.reload()),
                Ok(Event::Request(request, reply)) => self.request(request, reply),
                Ok(Event::KeyFailed(zone, reason)) => self.key_failed(&zone, reason),
                Err(false) if self.is_busy() => self.scan_on(),
                Err(false) => self.tick(),
            }
            self.end_reloads();
            self.waits.settle(&self.world, Instant::now());
        }
    }

    /// Whether a full scan is under way, or wanted now.
    fn is_busy(&self) -> bool {
        self.files.is_scanning() || self.rescan_at.is_some_and(|at| at <= Instant::now())
    }

    fn sleep(&self) -> Duration {
        let now = Instant::now();
        let reload = self.reloads.iter().map(|reload| reload.deadline).min();
        let wakes = [self.again_at, self.rescan_at, self.waits.next(), reload];
        wakes.into_iter().flatten().min().map_or(SLEEP_MAX, |at| at.saturating_duration_since(now).min(SLEEP_MAX))
    }

    /// The first batch: everything there is, and what an earlier process kept.
    fn first_scan(&mut self) {
        let began = Instant::now();
        let changes = settled_scan(&mut self.files);
        self.watcher.scanned(changes.complete, began.elapsed());
        self.take_in(changes);
        let pools = self.store.last_good(LastGood::Pools).ok().flatten();
        let texts = self.store.last_good_masters();
        let masters = texts.into_iter().filter_map(|text| Some((master::owner_of_soa(&text)?, text)));
        self.restore(pools.as_deref(), &masters.collect());
        self.own_findings = signed_anyway(&self.config, &self.world);
        self.publish();
    }

    /// Takes back what an earlier process kept, for zones that are new to this one.
    fn restore(&mut self, pools: Option<&str>, masters: &BTreeMap<Name, String>) {
        let new = |apex: &&Name| !self.restored.contains(*apex);
        let new: BTreeSet<Name> = self.world.zones.keys().chain(masters.keys()).filter(new).cloned().collect();
        let (mut masters, mut tenants) = (masters.clone(), BTreeMap::new());
        for apex in &new {
            let good = |what: LastGood<'_>| self.store.last_good(what).ok().flatten().map(|text| (apex.clone(), text));
            masters.extend(good(LastGood::Master(apex)));
            tenants.extend(good(LastGood::Tenants(apex)));
        }
        self.restored.extend(new);
        if pools.is_some() || !masters.is_empty() || !tenants.is_empty() {
            let mut disk = disk(&self.config, &mut self.files, &self.store);
            self.world.restore(pools, &masters, &tenants, time::now(), &mut disk);
        }
    }

    /// Scans everything at once.
    fn scan(&mut self) -> Changes {
        let began = Instant::now();
        let changes = self.files.scan(Moment::now());
        self.watcher.scanned(changes.complete, began.elapsed());
        self.rescan_at = None;
        changes
    }

    /// A slice of the full scan, so that a tenant's file never waits long for it.
    fn scan_on(&mut self) {
        if !self.files.is_scanning() {
            self.rescan_at = None;
            self.scan_began = Instant::now();
            self.files.scan_begin();
        }
        let changes = self.files.scan_slice(Moment::now());
        let ended = !self.files.is_scanning();
        if ended {
            self.watcher.scanned(changes.complete, self.scan_began.elapsed());
        }
        let wanted = changes.rescan;
        let mut changed = self.take_in(changes);
        if wanted {
            // What made this scan doubtful needs a moment to end.
            self.rescan_at = Some(Instant::now() + RESCAN_PAUSE);
        }
        if ended {
            let mut disk = disk(&self.config, &mut self.files, &self.store);
            changed |= self.world.refresh_certificates(&mut disk);
        }
        if changed {
            self.publish();
        }
    }

    fn look(&mut self) {
        let dirty = self.watcher.take();
        let said = !(dirty.healed.is_empty() && dirty.troubled.is_empty());
        for healed in dirty.healed {
            self.world.troubles.remove(&healed.path.to_string_lossy().into_owned());
        }
        for trouble in &dirty.troubled {
            self.trouble(trouble);
        }
        if dirty.rescan {
            self.rescan_at = Some(Instant::now());
        }
        let changes = self.files.look(&dirty.paths, Moment::now());
        if self.take_in(changes) || said {
            self.publish();
        }
    }

    /// Takes in what a look found; true where something changed.
    fn take_in(&mut self, changes: Changes) -> bool {
        self.again_at = changes.again_at;
        if changes.rescan {
            self.rescan_at.get_or_insert_with(Instant::now);
        }
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut batch = Vec::new();
        for file in changes.changed {
            batch.push(FileChange { path: text(file.path), content: Some(file.content) });
        }
        batch.extend(changes.gone.into_iter().map(|path| FileChange { path: text(path), content: None }));
        let delivered: BTreeSet<String> = batch.iter().map(|change| change.path.clone()).collect();
        let healed: Vec<String> = changes.healed.into_iter().map(|healed| text(healed.path)).collect();
        for path in &healed {
            self.world.troubles.remove(path);
        }
        for path in healed.iter().filter(|path| !delivered.contains(*path) && files_name::kind(path).is_some()) {
            // Its content may be what it was before the trouble, which a look does not deliver again; or it is gone.
            let content = self.files.include(path, Moment::now()).ok();
            batch.push(FileChange { path: path.clone(), content });
        }
        let spoiled: Vec<_> = changes.troubled.iter().map(|trouble| self.trouble(trouble)).collect();
        let changed = !(batch.is_empty() && spoiled.is_empty() && healed.is_empty());
        let mut outside = disk(&self.config, &mut self.files, &self.store);
        if !batch.is_empty() {
            log_done(&self.world.apply(batch, time::now(), &mut outside));
        }
        for (path, finding) in spoiled {
            self.world.spoil(&path, finding, &mut outside);
        }
        if changed {
            self.files.keep_includes(&self.world.included_paths());
        }
        if self.world.zones.keys().any(|apex| !self.restored.contains(apex)) && self.version > 0 {
            self.restore(None, &BTreeMap::new());
        }
        changed
    }

    fn trouble(&mut self, trouble: &Trouble) -> (String, Diagnostic) {
        let path = trouble.path.to_string_lossy().into_owned();
        let finding = trouble.diagnostic(Path::new(&self.world.shown("")));
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

    fn reload(&mut self) -> Result<(), Vec<Diagnostic>> {
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
        self.own_findings = warnings;
        self.own_findings.extend(signed_anyway(&self.config, &self.world));
        self.publish();
        tracing::info!(SNAPSHOT = self.version, "reloaded");
        Ok(())
    }

    /// Ends the reloads that wait for nothing any more.
    fn end_reloads(&mut self) {
        let now = Instant::now();
        let settled = self.again_at.is_none() && self.rescan_at.is_none() && !self.files.is_scanning();
        let (ended, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.reloads).into_iter().partition(|reload| settled || reload.deadline <= now);
        self.reloads = waiting;
        if ended.iter().any(|reload| reload.allow_shrink) {
            let mut outside = disk(&self.config, &mut self.files, &self.store);
            log_done(&self.world.allow_shrink(time::now(), &mut outside));
            self.publish();
        }
        let held = self.world.zones.values().map(|zone| zone.tenants.held_count()).sum();
        for reload in ended {
            answer_reload(self.findings.all(), held, &reload.reply);
        }
    }

    fn request(&mut self, request: Request, reply: Sender<Line>) {
        match request {
            Request::Reload { allow_shrink } => match self.reload() {
                Ok(()) => {
                    let deadline = Instant::now() + RELOAD_WAIT_MAX;
                    self.reloads.push(Reload { reply, allow_shrink, deadline });
                }
                Err(findings) => answer_reload(&findings, 0, &reply),
            },
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
        let view = self.view.load();
        let mut found = Vec::new();
        for (apex, zone) in &self.world.zones {
            let pools = self.world.pools.records();
            found.extend(zone.tenants.by_domain(&domain).map(|tenant| view.tenant(apex, tenant, pools)));
            found.extend(view.broken(apex).iter().filter(|info| info.domain == domain).cloned());
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

    /// Makes durable what must be, then swaps the snapshot.
    fn publish(&mut self) {
        self.disk_findings = self.keeper.keep(&self.world, &self.store, &self.config.keys);
        self.version += 1;
        let snapshot = Arc::new(self.world.snapshot(self.version, Arc::clone(&self.identity)));
        self.previous.retain(|old| Arc::strong_count(old) > 1);
        self.previous.push(self.slot.swap(snapshot));
        let more: Vec<Diagnostic> = self.own_findings.iter().chain(&self.disk_findings).cloned().collect();
        self.findings.update(&self.world, &more);
        let last_scan = self.watcher.counts().last_success.0;
        let view = View::new(&self.world, &self.view.load(), self.findings.shown(), self.version, last_scan);
        self.view.store(Arc::new(view));
        self.gauges();
    }

    fn gauges(&self) {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let view = self.view.load();
        let mut tenants = TenantGauges::default();
        let mut zones: BTreeMap<String, (u64, Vec<KeyGauge>)> = BTreeMap::new();
        for (apex, zone) in &self.world.zones {
            let (kept, held) = zone.tenants.odd_counts();
            if zone.why_not_served().is_none() {
                tenants.served += count(zone.tenants.table.len().saturating_sub(kept + held));
            }
            tenants.last_good += count(kept);
            tenants.held += count(held);
            tenants.broken += count(view.broken(apex).len());
            zones.insert(apex.to_string(), (count(held), key_gauges(&zone.keys)));
        }
        self.metrics.set(|gauges| {
            gauges.snapshot_version = self.version;
            gauges.tenants = tenants;
            gauges.zones.retain(|name, _| zones.contains_key(name));
            for (name, (held, keys)) in zones {
                let gauge = gauges.zones.entry(name).or_default();
                gauge.held = held;
                gauge.keys = keys;
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
    let refused = findings.iter().find(|finding| finding.code == SIGNED_ANYWAY);
    let (exit, message) = match (held, errors) {
        (0, _) if refused.is_some() => (4, refused.map(|finding| finding.message.clone()).unwrap_or_default()),
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
