//! The control thread: events in, decisions of [`World`], durable state, published snapshots out.
//!
//! It publishes nothing that broke while it was built, and keeps the last snapshot serving whatever happens here.

mod again;
mod certs;
mod clock;
mod desk;
mod first;
mod goals;
mod hosts;
mod known;
mod limits;
mod look;
mod parents;
mod past;
mod publish;
mod rolls;
mod settle;
mod start;
mod timers;

use again::Again;
pub use start::{Control, Options, ReadConfig, StartFault, start};
use start::{Tell, spawn};
use timers::{EVERY, Timer};

use crate::answer::{Identity, Snapshot};
use crate::config::Config;
use crate::control::certs::Certs;
use crate::control::event::Event;
use crate::control::findings::Findings;
use crate::control::keeper::Keeper;
use crate::control::outside::side_by_side;
use crate::control::rolls::Rolls;
use crate::control::rolls::clock::Clock;
use crate::control::waits::Waits;
use crate::control::warm::Warm;
use crate::diagnostic::Diagnostic;
use crate::dns::name::Name;
use crate::feed::Files;
use crate::feed::source::Source;
use crate::feed::watch::Watcher;
use crate::metrics::Metrics;
use crate::observe::addresses::Addresses;
use crate::observe::observer::{Observer, Seen};
use crate::protocol::{Line, Status};
use crate::report::view::View;
use crate::resolve::anchors::Anchors;
use crate::store::Store;
use crate::store::instance::Instance;
use crate::time::Now;
use crate::world::World;
use crate::world::tenants::Done;
use arc_swap::ArcSwap;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// How long a reload waits for files that are still being written, beyond what is there.
const RELOAD_WAIT_MAX: Duration = Duration::from_secs(3);

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
    rolls: Rolls,
    certs: Certs,
    looks: certs::Looks,
    /// What stands against pools, and whether that may have changed.
    pool_findings: Vec<Diagnostic>,
    is_pool_news: bool,
    /// Commands that wait for hosts to be looked at, by pool.
    look_waits: Vec<(String, Sender<Line>)>,
    /// What signatures and waits go by, and when it was read last.
    clock: Clock,
    clock_read: Instant,
    /// Who uses the folder of keys, and when that is looked at next.
    instance: Instance,
    beat_at: Option<Instant>,
    /// Looks at zones from outside; none before the server can answer.
    observer: Option<Observer>,
    /// Where trust in parents begins; none: it cannot be read.
    anchors: Option<Arc<Anchors>>,
    /// What stands against keys, and whether that may have changed.
    key_findings: Vec<Diagnostic>,
    is_news: bool,
    source: Source,
    world: World,
    version: u64,
    waits: Waits,
    reloads: Vec<Reload>,
    keeper: Keeper,
    again: Again,
    findings: Findings,
    /// Zones whose last good content was looked for.
    restored: BTreeSet<Name>,
    /// What stands against the configuration or the disk.
    own_findings: Vec<Diagnostic>,
    disk_findings: Vec<Diagnostic>,
    /// Snapshots before this one that a worker may still answer from, so that none has to drop one.
    previous: Vec<Arc<Snapshot>>,
    /// Whether something was published since that was noted.
    is_unnoted: bool,
    /// When what could not be kept is tried again.
    disk_at: Instant,
}

impl Mind {
    fn new(options: Options, store: Store, watcher: Watcher, mut clock: Clock, now: Now) -> (Mind, Box<Tell>) {
        let shown = options.config.zones.display().to_string();
        let shown = shown.strip_prefix("./").unwrap_or(&shown).to_owned();
        let (world, certs) = (
            World::new(options.config.clone(), shown).with_memory(options.memory).reading_by(side_by_side),
            Certs::new(options.config.clone(), now),
        );
        let mut rolls = Rolls::new(clock.shift(), world.pools.ttl);
        rolls.silence = clock.silence(&options.config.keys);
        rolls.asker.configure(options.config.clone());
        let instance = store.instance(now.steady);
        clock.may_keep(instance.may_write());
        rolls.elsewhere = instance.finding();
        let again = Again::new(Addresses::of(&options.config), options.of_host, now.steady);
        let mut files = Files::new(&options.config.zones);
        files.progress = Arc::clone(&world.progress);
        files.limit_memory(options.memory);
        let mind = Mind {
            source: Source::new(files, watcher),
            world,
            config: options.config,
            read_config: options.read_config,
            identity: options.identity,
            status: options.status,
            slot: options.slot,
            metrics: options.metrics,
            view: Arc::default(),
            store,
            rolls,
            certs,
            looks: certs::Looks::new(now.steady),
            pool_findings: Vec::new(),
            is_pool_news: true,
            look_waits: Vec::new(),
            clock,
            clock_read: now.steady,
            instance,
            beat_at: None,
            observer: None,
            anchors: None,
            key_findings: Vec::new(),
            is_news: false,
            version: 0,
            waits: Waits::default(),
            reloads: Vec::new(),
            keeper: Keeper::new(now.steady),
            again,
            findings: Findings::new(now.steady),
            restored: BTreeSet::new(),
            own_findings: options.warnings,
            disk_findings: Vec::new(),
            previous: Vec::new(),
            is_unnoted: false,
            disk_at: now.steady + EVERY,
        };
        (mind, options.tell)
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
        self.keep_homes(Now::read());
        loop {
            let now = Now::read();
            let (at, why) = self.next(now);
            let event = match inbox.recv_timeout(at.saturating_duration_since(now.steady)) {
                Ok(event) => Some(event),
                Err(RecvTimeoutError::Disconnected) => Some(Event::Stop),
                Err(RecvTimeoutError::Timeout) => {
                    tracing::trace!("woken for {why:?}");
                    None
                }
            };
            if self.turn(event, &Now::read).is_break() {
                return;
            }
        }
    }

    /// One turn of the loop: an event, if one came, then all that is due. Each is done at one moment, as `clock` tells it.
    fn turn(&mut self, event: Option<Event>, clock: &dyn Fn() -> Now) -> ControlFlow<()> {
        let now = clock();
        self.note_publication(now);
        self.look_for_others(now);
        if let Some(event) = event {
            self.take(event, now)?;
        }
        self.drop_previous();
        for timer in Timer::ALL {
            let now = clock();
            if self.is_due(timer, now) {
                self.fire(timer, now);
            }
        }
        self.waits.settle(&self.world, clock().steady);
        ControlFlow::Continue(())
    }

    fn take(&mut self, event: Event, now: Now) -> ControlFlow<()> {
        match event {
            Event::Stop => {
                self.instance.end();
                return ControlFlow::Break(());
            }
            Event::Files => self.source.wake(),
            Event::Reload => drop(self.reload(now)),
            Event::Command(command, reply) => self.command(command, reply, now),
            Event::Asked => self.begin_asked(now),
            Event::KeyFailed(zone, reason) => self.key_failed(&zone, reason, now),
            Event::Seen(_, seen) if matches!(*seen, Seen::Pool { .. }) => self.wire_seen(*seen, now),
            Event::Seen(zone, seen) => self.seen(&zone, *seen, now),
            Event::Probed(seen) => self.probed(*seen, now),
            Event::Socket(why) => self.socket_is(why, now),
        }
        ControlFlow::Continue(())
    }

    /// What could not be kept is tried again, and what finds room now is kept.
    fn keep_again(&mut self, now: Now) {
        self.disk_at = now.steady + EVERY;
        if !self.disk_findings.is_empty() || self.keeper.may_keep(&self.store) {
            self.publish(now);
        }
        self.watch_gauges(now);
    }
}

fn log_done(done: &BTreeMap<Name, Done>) {
    for (apex, done) in done.iter().filter(|(_, done)| !done.is_nothing()) {
        let Done { added, changed, removed, held, .. } = *done;
        let who = if done.named.is_empty() { String::new() } else { format!(": {done}") };
        tracing::info!(ZONE = %apex, added, changed, removed, "tenants changed{who}");
        if held > 0 {
            tracing::error!(ZONE = %apex, held, "removals held back: `mxseal reload --allow-shrink` lets them go");
        }
    }
}
