//! The start of the control plane: what it needs, why it may not begin, and the handle to end it.

use crate::answer::{Identity, Snapshot};
use crate::config::Config;
use crate::control::caller::{Guard, Readers};
use crate::control::door::Door;
use crate::control::event::Event;
use crate::control::rolls::clock::Clock;
use crate::control::socket::{self, Desk};
use crate::control::thread::Mind;
use crate::diagnostic::Diagnostic;
use crate::feed::source::wait_until;
use crate::feed::watch::Watcher;
use crate::metrics::Metrics;
use crate::metrics::progress::Progress;
use crate::process::system;
use crate::protocol::Status;
use crate::store::{Store, StoreFault};
use crate::time::{self, Now, steady};
use arc_swap::ArcSwap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How often a start tells how far it is; a shorter one tells nothing.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Pause between two looks at whether the thread has ended.
const STOP_PAUSE: Duration = Duration::from_millis(5);

/// Reads the configuration again: for SIGHUP and `mxseal reload`.
pub type ReadConfig = dyn Fn() -> Result<(Config, Vec<Diagnostic>), Vec<Diagnostic>> + Send;

/// Told in a line how far a start is.
pub type Tell = dyn Fn(&str) + Send;

/// What the control plane starts from.
pub struct Options {
    /// The configuration; its paths are resolved.
    pub config: Config,
    /// What is to be said about it, though it is used.
    pub warnings: Vec<Diagnostic>,
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
    /// What stands against this host as long as the process runs.
    pub of_host: Vec<Diagnostic>,
    /// Octets of memory for zones and tenants; none: nobody knows.
    pub memory: Option<usize>,
    /// The group whose members may read over the control socket; none: nobody but the server's user and root.
    pub readers: Option<Readers>,
    /// Told each second of a long start how far it is.
    pub tell: Box<Tell>,
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

    /// Ends the thread; the last snapshot stays. Returns whether it ended within `patience`: it may be busy with files, and
    /// whatever it does bears to be cut off.
    pub fn stop(mut self, patience: Duration) -> bool {
        self.stop_warm.store(true, Ordering::Relaxed);
        let _ = self.events.send(Event::Stop);
        let Some(thread) = self.thread.take() else { return true };
        let until = steady() + patience;
        while !thread.is_finished() && steady() < until {
            std::thread::sleep(STOP_PAUSE);
        }
        thread.is_finished() && thread.join().is_ok()
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
    let guard = Guard { owner: system::effective_user(), readers: options.readers.clone() };
    let (door, no_door) = Door::open(options.config.control_socket(), options.readers.clone())
        .map_err(|cause| StartFault::System { what: "open the control socket", cause })?;
    let (events, inbox) = channel();
    let wake = events.clone();
    let watcher = Watcher::start(&folder, move || drop(wake.send(Event::Files)))
        .map_err(|cause| StartFault::System { what: "watch the folder of zones", cause })?;
    let (newest, corrected) = store.newest_fact();
    let (clock, told) = store.signing_clock(newest, corrected, Now::read());
    time::steer(told.time);
    let clock = Clock::new(clock, told);
    let now = Now::read();
    let (mut mind, tell) = Mind::new(options, store, watcher, clock, now);
    let teller = Teller::start(Arc::clone(&mind.world.progress), TELL_EVERY, tell)?;
    let asked = events.clone();
    mind.lives.rolls.asker.wake_by(Box::new(move || drop(asked.send(Event::Asked))));
    mind.first_scan(now, &mut wait_until);
    mind.socket_is(no_door.clone(), Now::read());
    drop(teller);
    let desk = Desk::new(
        Arc::clone(&mind.served.slot),
        Arc::clone(&mind.served.view),
        mind.basis.status.clone(),
        events.clone(),
        guard,
    );
    let stop_warm = mind.start_warm(&events)?;
    mind.start_observer(&events)?;
    mind.start_prober(&events)?;
    spawn("mxseal-socket", move || socket::run(door, no_door, &Arc::new(desk)))?;
    let findings = mind.findings.all().to_vec();
    let tenants = mind.world.zones.values().map(|zone| zone.tenants.table.len()).sum();
    let served = (tenants, mind.served.slot.load().zones().len());
    let thread = spawn("mxseal-control", move || mind.run(&inbox))?;
    Ok(Control { events, thread: Some(thread), stop_warm, findings, served })
}

/// Tells how far a start is, from a thread of its own; it ends when this is dropped, and tells nothing after that.
struct Teller {
    stop: Option<Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Teller {
    fn start(progress: Arc<Progress>, every: Duration, tell: Box<Tell>) -> Result<Teller, StartFault> {
        let (stop, stopped) = channel::<()>();
        let run = move || {
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let line = progress.line();
                tracing::info!("{line}");
                tell(&line);
            }
        };
        Ok(Teller { stop: Some(stop), thread: Some(spawn("mxseal-progress", run)?) })
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().into_iter().for_each(|thread| drop(thread.join()));
    }
}

pub(in crate::control::thread) fn spawn(
    name: &'static str,
    run: impl FnOnce() + Send + 'static,
) -> Result<std::thread::JoinHandle<()>, StartFault> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map_err(|cause| StartFault::System { what: "start a thread", cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_start_tells_how_far_it_is_and_is_silent_after_it() {
        let progress = Arc::new(Progress::default());
        progress.found(2, 3_000_000);
        let (told, lines) = channel();
        let tell = Box::new(move |line: &str| drop(told.send(line.to_owned())));
        let teller = Teller::start(progress, Duration::from_millis(1), tell).expect("a thread");
        assert_eq!(lines.recv().expect("a line"), "files are being read: 2 files, 3 MB so far");
        assert!(lines.recv().is_ok());
        drop(teller);
        // Whoever told is gone, so this ends.
        while lines.recv().is_ok() {}
    }

    #[test]
    fn a_short_start_tells_nothing() {
        let (told, lines) = channel();
        let tell = Box::new(move |line: &str| drop(told.send(line.to_owned())));
        drop(Teller::start(Arc::default(), Duration::from_secs(3600), tell).expect("a thread"));
        assert!(lines.recv().is_err());
    }
}
