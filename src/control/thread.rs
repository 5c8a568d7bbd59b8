//! The control thread: events in, decisions of [`World`], durable state, published snapshots out.
//!
//! It publishes nothing that broke while it was built, and keeps the last snapshot serving whatever happens here.

mod again;
mod certs;
mod clock;
#[cfg(test)]
mod day;
mod desk;
mod eyes;
mod first;
mod goals;
mod hosts;
mod known;
mod limits;
mod lives;
mod look;
mod parents;
mod past;
mod publish;
mod rolls;
mod settle;
mod start;
mod timers;

use again::Again;
use desk::Callers;
use eyes::Eyes;
use lives::Lives;
use publish::Served;
pub use start::{Control, Options, ReadConfig, StartFault, start};
use start::{Tell, spawn};
use timers::{EVERY, Timer};

use crate::answer::Identity;
use crate::config::Config;
use crate::control::event::Event;
use crate::control::findings::Findings;
use crate::control::outside::side_by_side;
use crate::control::rolls::clock::Clock;
use crate::control::warm::Warm;
use crate::dns::name::Name;
use crate::feed::Files;
use crate::feed::source::Source;
use crate::feed::watch::Watcher;
use crate::metrics::Metrics;
use crate::observe::addresses::Addresses;
use crate::observe::observer::Seen;
use crate::protocol::Status;
use crate::store::Store;
use crate::time::{self, Now, UnixTime};
use crate::world::World;
use crate::world::tenants::Done;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};

/// All state of the control plane.
struct Mind {
    basis: Basis,
    store: Store,
    feed: Source,
    world: World,
    lives: Lives,
    eyes: Eyes,
    callers: Callers,
    findings: Findings,
    served: Served,
}

/// Tells the moment, after it has set the clock of the process to what the signing clock says, where that was read.
type Moments<'m> = dyn Fn(Option<UnixTime>) -> Now + 'm;

/// What the process was started with; a reload reads the configuration again.
struct Basis {
    config: Arc<Config>,
    read_config: Box<ReadConfig>,
    identity: Arc<Identity>,
    status: Status,
    metrics: Arc<Metrics>,
}

impl Mind {
    fn new(options: Options, store: Store, watcher: Watcher, clock: Clock, now: Now) -> (Mind, Box<Tell>) {
        let shown = options.config.zones.display().to_string();
        let shown = shown.strip_prefix("./").unwrap_or(&shown).to_owned();
        let config = Arc::new(options.config);
        let world = World::new(Arc::clone(&config), shown).with_memory(options.memory).reading_by(side_by_side);
        let lives = Lives::new(&config, &store, clock, world.pools.ttl, now);
        let here = Again::new(Addresses::of(&config), options.of_host, now.steady);
        let mut files = Files::new(&config.zones);
        files.progress = Arc::clone(&world.progress);
        files.limit_memory(options.memory);
        let mind = Mind {
            basis: Basis {
                config,
                read_config: options.read_config,
                identity: options.identity,
                status: options.status,
                metrics: options.metrics,
            },
            store,
            feed: Source::new(files, watcher),
            world,
            lives,
            eyes: Eyes::new(here, now.steady),
            callers: Callers::default(),
            findings: Findings::new(options.warnings, now.steady),
            served: Served::new(options.slot, now.steady),
        };
        (mind, options.tell)
    }

    fn start_warm(&self, events: &Sender<Event>) -> Result<Arc<AtomicBool>, StartFault> {
        let stop = Arc::new(AtomicBool::new(false));
        let alarms = events.clone();
        let warm = Warm {
            slot: Arc::clone(&self.served.slot),
            metrics: Arc::clone(&self.basis.metrics),
            counters: self.basis.metrics.worker(),
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
            let moments = |to: Option<UnixTime>| {
                to.into_iter().for_each(time::steer);
                Now::read()
            };
            if self.turn(event, &moments).is_break() {
                return;
            }
        }
    }

    /// One turn of the loop: an event, if one came, then all that is due. Each is done at one moment; what takes long asks
    /// for the moment again in between.
    fn turn(&mut self, event: Option<Event>, moments: &Moments) -> ControlFlow<()> {
        let now = moments(None);
        self.note_publication(now);
        self.look_for_others(now);
        if let Some(event) = event {
            self.take(event, now, moments)?;
        }
        self.drop_previous();
        for timer in Timer::ALL {
            let now = moments(None);
            if self.is_due(timer, now) {
                self.fire(timer, now, moments);
            }
        }
        self.callers.waits.settle(&self.world, moments(None).steady);
        ControlFlow::Continue(())
    }

    fn take(&mut self, event: Event, now: Now, moments: &Moments) -> ControlFlow<()> {
        match event {
            Event::Stop => {
                self.lives.instance.end();
                return ControlFlow::Break(());
            }
            Event::Files => self.feed.wake(),
            Event::Reload => drop(self.reload(moments)),
            Event::Command(command, reply) => self.command(command, reply, now, moments),
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
        self.served.keep_at = now.steady + EVERY;
        if !self.findings.disk.is_empty() || self.served.keeper.may_keep(&self.store) {
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
