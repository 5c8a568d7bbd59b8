//! Rounds of looks in threads of their own: paced, so that no host sees a burst, and bounded.
//!
//! A look that panics is a fault of that look, and never ends a thread.

use super::{Fault, Manner, Sight, Target, look};
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Hosts that wait for their turn, at most: a thousand pools of sixteen hosts.
const JOBS_MAX: usize = 16_384;
/// Between two looks at one host: a handful of connections in a second or so, as a busy sender makes.
const PAUSE: Duration = Duration::from_millis(100);

/// All looks at the hosts of one pool.
#[derive(Clone, Debug)]
pub struct Round {
    /// Which pool.
    pub pool: String,
    /// Which round.
    pub number: u64,
    /// What is looked at.
    pub targets: Vec<Target>,
    /// How.
    pub manner: Manner,
}

/// A round that found no place: it is to be asked for again later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoPlace {
    /// Which pool.
    pub pool: String,
    /// Which round.
    pub number: u64,
}

/// What was looked at, and what was seen.
pub type Looked = (Target, Result<Sight, Fault>);

/// A round that was done.
#[derive(Clone, Debug)]
pub struct HostsSeen {
    /// Which pool.
    pub pool: String,
    /// Which round.
    pub number: u64,
    /// What was seen, host by host.
    pub sights: Vec<Looked>,
}

/// The looks at one host in one round.
struct Job {
    targets: Vec<Target>,
    manner: Manner,
    open: Arc<Mutex<Open>>,
}

/// A round that is under way.
struct Open {
    seen: HostsSeen,
    hosts_left: usize,
}

/// The threads.
pub struct Prober {
    jobs: SyncSender<Job>,
}

impl Prober {
    /// Starts so many threads; each round that is done goes to `report`. They end with the prober.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(together: usize, report: impl Fn(HostsSeen) + Clone + Send + 'static) -> io::Result<Prober> {
        let (jobs, inbox) = sync_channel(JOBS_MAX);
        let inbox = Arc::new(Mutex::new(inbox));
        for _ in 0..together.max(1) {
            let (inbox, report) = (Arc::clone(&inbox), report.clone());
            std::thread::Builder::new().name("mxseal-probe".to_owned()).spawn(move || run(&inbox, &report))?;
        }
        Ok(Prober { jobs })
    }

    /// Asks for a round.
    ///
    /// # Errors
    /// There is no place for all of it now, and nothing is reported.
    pub fn ask(&self, round: Round) -> Result<(), NoPlace> {
        let mut hosts: BTreeMap<IpAddr, Vec<Target>> = BTreeMap::new();
        for target in round.targets {
            hosts.entry(target.address.ip()).or_default().push(target);
        }
        let none = NoPlace { pool: round.pool.clone(), number: round.number };
        let seen = HostsSeen { pool: round.pool, number: round.number, sights: Vec::new() };
        let open = Arc::new(Mutex::new(Open { seen, hosts_left: hosts.len() }));
        for targets in hosts.into_values() {
            let job = Job { targets, manner: round.manner.clone(), open: Arc::clone(&open) };
            if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.jobs.try_send(job) {
                return Err(none);
            }
        }
        Ok(())
    }
}

fn run(inbox: &Mutex<Receiver<Job>>, report: &impl Fn(HostsSeen)) {
    loop {
        let job = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        let mut sights = Vec::new();
        for (at, target) in job.targets.into_iter().enumerate() {
            if at > 0 {
                std::thread::sleep(PAUSE);
            }
            let sight = catch_unwind(AssertUnwindSafe(|| look(&target, &job.manner)));
            let sight = sight.unwrap_or_else(|_| Err(Fault::Internal("it panicked; please report this".to_owned())));
            sights.push((target, sight));
        }
        let done = {
            let mut open = job.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.seen.sights.extend(sights);
            open.hosts_left = open.hosts_left.saturating_sub(1);
            (open.hosts_left == 0).then(|| open.seen.clone())
        };
        done.into_iter().for_each(report);
    }
}
