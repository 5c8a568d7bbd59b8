//! Answers DNS over UDP and TCP: opens the sockets, runs a thread for each UDP socket and one for TCP, ends them.
//!
//! UDP and TCP share no thread, so that whatever TCP clients do, UDP goes on. It must never log a client's address
//! above debug, never hold a lock while it answers, and never end because of what a packet holds.

pub mod batch;
mod bind;
mod budget;
pub mod descriptors;
pub mod encrypted;
mod house;
mod ledger;
mod rates;
mod shield;
mod signing;
mod tcp;
mod udp;

pub use bind::{BindFault, Listeners, bind};
pub use house::ConnectionLimits;
pub use rates::RateLimit;
pub use signing::Signatures;

use crate::answer::{Asked, Reply, Snapshot};
use crate::metrics::Counters;
use crate::time::steady;
use arc_swap::ArcSwap;
use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use rates::Rates;
use shield::Shield;
use std::hash::BuildHasher;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread::JoinHandle;
use std::time::Duration;

/// The function that answers: [`crate::answer::respond`], or a test's own. For TCP the buffer holds 65,535 octets, for
/// UDP [`batch::ANSWER_OCTETS_MAX`].
pub type Respond = fn(&Snapshot, &Asked<'_>, &mut [u8]) -> Reply;

/// Pause before a UDP thread that panicked outside of answering goes on.
const PANIC_PAUSE: Duration = Duration::from_millis(100);

/// How often a drain looks whether the threads have ended.
const JOIN_PAUSE: Duration = Duration::from_millis(5);

/// How the front end behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Signatures a second, in all UDP workers, for answers that are not kept (denials, wildcards); past it TC=1.
    pub denials_per_second: u32,
    /// The same for TCP, which shares it with whoever else has a clone; past it queries wait, then are closed.
    pub stream_signatures: Signatures,
    /// ConnectionLimits of answers over UDP.
    pub rates: RateLimit,
    /// ConnectionLimits of TCP.
    pub tcp: ConnectionLimits,
    /// How long a drain may take.
    pub drain: Duration,
    /// Called first by each thread: a place for confinement of the thread.
    pub prepare_thread: fn(),
}

/// A front end that answers. When dropped, its threads are told to stop but not waited for.
pub struct Running {
    addresses: Vec<SocketAddr>,
    counters: Vec<Arc<Counters>>,
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    stop_tcp: Arc<tokio::sync::Notify>,
    drain: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            // At 18 µs each a tenth of a core; a resolver that is told TC=1 comes back over TCP.
            denials_per_second: 5_000,
            stream_signatures: Signatures::new(5_000),
            rates: RateLimit::default(),
            tcp: ConnectionLimits::default(),
            // Longer than any deadline of a message, shorter than systemd's patience.
            drain: Duration::from_secs(6),
            prepare_thread: || {},
        }
    }
}

/// Starts to answer on `listeners`, each batch from what `slot` holds at that moment.
///
/// # Errors
/// A thread or the TCP runtime could not be started; those that were are stopped.
pub fn start(
    listeners: Listeners,
    slot: &Arc<ArcSwap<Snapshot>>,
    settings: &Settings,
    respond: Respond,
) -> io::Result<Running> {
    let mut running = Running {
        addresses: listeners.addresses(),
        counters: Vec::new(),
        threads: Vec::new(),
        stop: Arc::new(AtomicBool::new(false)),
        stop_tcp: Arc::new(tokio::sync::Notify::new()),
        drain: settings.drain,
    };
    let budgets = budgets(settings.denials_per_second, listeners.workers());
    let tcp = listeners.tcp;
    for listener in listeners.udp {
        for (socket, signatures) in listener.sockets.into_iter().zip(&budgets) {
            let shield = Shield::new(respond, running.new_counters());
            let rates = Rates::new(settings.rates.clone(), rate_key());
            let stop = Arc::clone(&running.stop);
            let worker =
                udp::Worker::new(socket, listener.address, Arc::clone(slot), shield, rates, signatures.clone(), stop);
            running.spawn("udp", settings.prepare_thread, move || run_udp(worker))?;
        }
    }
    let counters = running.new_counters();
    let server = tcp::TcpServer {
        slot: Arc::clone(slot),
        shield: Shield::new(respond, Arc::clone(&counters)),
        counters,
        limits: settings.tcp.clone(),
        signatures: settings.stream_signatures.clone(),
        stop: Arc::clone(&running.stop_tcp),
        drain: settings.drain,
    };
    let (runtime, tcp) = tcp::prepare(tcp)?;
    running.spawn("tcp", settings.prepare_thread, move || tcp::run(&runtime, tcp, server))?;
    Ok(running)
}

/// One budget a worker, shared by its sockets: a flood that the kernel sends to one worker leaves the others theirs.
fn budgets(per_second: u32, workers: usize) -> Vec<Signatures> {
    let workers = u32::try_from(workers.max(1)).unwrap_or(u32::MAX);
    let share = per_second.div_ceil(workers);
    (0..workers).map(|_| Signatures::new(share)).collect()
}

/// The key of the rates' tables, drawn once a process from the system's randomness, as the standard library draws it.
fn rate_key() -> SeedableRandomState {
    static SEEDS: LazyLock<(u64, SharedSeed)> = LazyLock::new(|| {
        let drawn = std::hash::RandomState::new();
        (drawn.hash_one(0), SharedSeed::from_u64(drawn.hash_one(1)))
    });
    SeedableRandomState::with_seed(SEEDS.0, &SEEDS.1)
}

/// Answering is shielded packet by packet; this holds what is left, so that a socket is never left without its thread.
fn run_udp(mut worker: udp::Worker) {
    while catch_unwind(AssertUnwindSafe(|| worker.run())).is_err() {
        tracing::error!(
            "a UDP worker panicked outside of answering and goes on; this is a bug in mxseal, please report it"
        );
        std::thread::sleep(PANIC_PAUSE);
    }
}

impl Running {
    /// The addresses that are served, in the order of the configuration.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The counters of all threads, one each, so that each has a single writer.
    pub fn counters(&self) -> Vec<Arc<Counters>> {
        self.counters.clone()
    }

    /// Whether every thread is alive.
    pub fn is_healthy(&self) -> bool {
        self.threads.iter().all(|thread| !thread.is_finished())
    }

    /// Reads no new queries, finishes what was received, closes idle connections and ends the threads. Returns the
    /// names of threads that did not end within the drain limit; they die with the process.
    pub fn drain(mut self) -> Vec<String> {
        self.stop();
        let deadline = steady() + self.drain;
        let mut threads = std::mem::take(&mut self.threads);
        loop {
            threads.retain(|thread| !thread.is_finished());
            if threads.is_empty() || steady() >= deadline {
                break;
            }
            std::thread::sleep(JOIN_PAUSE);
        }
        threads.iter().map(|thread| thread.thread().name().unwrap_or("unnamed").to_owned()).collect()
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.stop_tcp.notify_one();
    }

    fn new_counters(&mut self) -> Arc<Counters> {
        let counters = Arc::new(Counters::default());
        self.counters.push(Arc::clone(&counters));
        counters
    }

    fn spawn(&mut self, name: &str, prepare: fn(), run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let name = format!("{name}-{}", self.threads.len());
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            prepare();
            run();
        })?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
