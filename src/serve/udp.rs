//! Answers DNS over UDP: each thread receives a batch, answers what is ready, sends, then signs what is left.
//!
//! It must never let a query that needs a signature delay those that do not, never sign more than its budget
//! (hardening against floods of random names), and never end because of a packet.

use super::batch::{BATCH, Batch, Wait};
use super::shield::{Alarm, Shield};
use crate::answer::{Asked, Effort, Outcome, Reply, Snapshot, Transport, touch};
use crate::metrics::{Counters, Dropped};
use crate::time::{self, UnixTime};
use arc_swap::ArcSwap;
use arrayvec::ArrayVec;
use socket2::Socket;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Batches that a stopping worker still takes out of its socket, without waiting: what had arrived when it was told to
/// stop, and a bound for floods that never end.
const LAST_BATCHES_MAX: usize = 64;

/// Pause after a fault of receiving (out of memory, a broken socket), so that it never spins.
const FAULT_PAUSE: Duration = Duration::from_millis(50);

/// A unit of the budget, in millionths: what `per_second = 1` earns in one second.
const UNIT: u64 = 1_000_000;

/// How many signatures may be made a second for answers that are not kept. A bucket that holds one second's worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    per_second: u64,
    millionths: u64,
    last_micros: u64,
}

/// Everything one thread needs to answer one socket.
pub(super) struct Worker {
    socket: Socket,
    address: SocketAddr,
    slot: Arc<ArcSwap<Snapshot>>,
    shield: Shield,
    counters: Arc<Counters>,
    budget: Arc<Mutex<Budget>>,
    stop: Arc<AtomicBool>,
    batch: Batch,
    deferred: ArrayVec<usize, BATCH>,
    started: Instant,
    alarm: Alarm,
}

impl Budget {
    /// A full bucket.
    pub(super) fn new(per_second: u32) -> Budget {
        let per_second = u64::from(per_second);
        Budget { per_second, millionths: per_second * UNIT, last_micros: 0 }
    }

    /// Whether a signature may be made `now`, a span since any fixed moment.
    pub(super) fn allows(&mut self, now: Duration) -> bool {
        let micros = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        let earned = micros.saturating_sub(self.last_micros).saturating_mul(self.per_second);
        self.last_micros = self.last_micros.max(micros);
        self.millionths = self.millionths.saturating_add(earned).min(self.per_second * UNIT);
        self.millionths >= UNIT
    }

    /// Takes what was made. An answer that made several may overdraw the last unit; the rest is forgiven.
    pub(super) fn spend(&mut self, signatures: u8) {
        self.millionths = self.millionths.saturating_sub(u64::from(signatures) * UNIT);
    }
}

impl Worker {
    /// A worker for `socket`, which is bound to `address`.
    pub(super) fn new(
        (socket, address): (Socket, SocketAddr),
        slot: Arc<ArcSwap<Snapshot>>,
        (shield, counters): (Shield, Arc<Counters>),
        budget: Arc<Mutex<Budget>>,
        stop: Arc<AtomicBool>,
    ) -> Worker {
        let batch = Batch::new(address.ip().is_unspecified());
        let (deferred, started, alarm) = (ArrayVec::new(), Instant::now(), Alarm::default());
        Worker { socket, address, slot, shield, counters, budget, stop, batch, deferred, started, alarm }
    }

    /// Answers until told to stop, then what had arrived by then.
    pub(super) fn run(&mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            match self.batch.receive(self.socket.as_fd(), Wait::ForOne) {
                Ok(received) => self.answer_batch(received),
                Err(fault) => self.after_fault(&fault),
            }
        }
        for _ in 0..LAST_BATCHES_MAX {
            match self.batch.receive(self.socket.as_fd(), Wait::No) {
                Ok(received) => self.answer_batch(received),
                Err(_) => return,
            }
        }
    }

    /// Two passes, so that whoever asks for what is ready never waits for the signatures of others.
    fn answer_batch(&mut self, received: usize) {
        let slot = Arc::clone(&self.slot);
        let snapshot = slot.load();
        let now = time::now();
        let mut silent = 0;
        self.deferred.clear();
        touch(&snapshot, self.batch.packets());
        for at in 0..received {
            match self.answer(at, &snapshot, now, Effort::Kept) {
                Reply::Send(_) => {}
                Reply::Silence => silent += 1,
                Reply::Deferred(_) => self.deferred.push(at),
            }
        }
        if self.batch.queued() > 0 {
            self.send();
        }
        if !self.deferred.is_empty() {
            silent += self.answer_deferred(&snapshot, now);
            self.send();
        }
        if silent > 0 {
            self.counters.dropped(Dropped::Silence, silent);
        }
    }

    /// Signs while the budget lasts; past it TC=1 proves the source, since only a real one comes back over TCP.
    #[cold]
    fn answer_deferred(&mut self, snapshot: &Snapshot, now: UnixTime) -> u64 {
        let mut silent = 0;
        for at in std::mem::take(&mut self.deferred) {
            let elapsed = self.started.elapsed();
            let effort = if lock(&self.budget).allows(elapsed) { Effort::Sign } else { Effort::Truncate };
            match self.answer(at, snapshot, now, effort) {
                Reply::Send(outcome) => lock(&self.budget).spend(outcome.signed),
                // With these efforts nothing is deferred; if it were, silence makes the client ask again.
                Reply::Silence | Reply::Deferred(_) => silent += 1,
            }
        }
        silent
    }

    fn answer(&mut self, at: usize, snapshot: &Snapshot, now: UnixTime, effort: Effort) -> Reply {
        let Some(datagram) = self.batch.datagram(at) else {
            return Reply::Silence;
        };
        if is_forged(self.address, datagram.source, datagram.local) {
            return Reply::Silence;
        }
        let source = datagram.source.ip();
        let asked = Asked { packet: datagram.packet, source, transport: Transport::Udp, now, effort };
        let reply = self.shield.answer(snapshot, &asked, datagram.out);
        if let Reply::Send(Outcome { length, .. }) = reply {
            self.batch.queue(at, length);
        }
        reply
    }

    fn send(&mut self) {
        let failed = self.batch.send(self.socket.as_fd());
        if failed > 0 {
            self.counters.dropped(Dropped::Send, failed);
        }
    }

    #[cold]
    fn after_fault(&mut self, fault: &io::Error) {
        if matches!(fault.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
            return;
        }
        if let Some(kept) = self.alarm.sound(Instant::now()) {
            tracing::warn!(%fault, kept_back = kept, address = %self.address, "cannot receive over UDP; trying again");
        }
        std::thread::sleep(FAULT_PAUSE);
    }
}

/// Whether no honest client sends this: port 0 cannot be answered, and our own address and port would make us talk to
/// ourselves (CVE-2024-2169).
fn is_forged(listen: SocketAddr, source: SocketAddr, asked: Option<IpAddr>) -> bool {
    source.port() == 0 || (source.port() == listen.port() && source.ip() == asked.unwrap_or(listen.ip()))
}

/// A thread that panicked with the lock taken leaves nothing half done in a budget.
fn lock(budget: &Mutex<Budget>) -> MutexGuard<'_, Budget> {
    budget.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// How many signatures the budget gives at one moment.
    fn take_all(budget: &mut Budget, now: Duration) -> usize {
        (0..1000).take_while(|_| budget.allows(now).then(|| budget.spend(1)).is_some()).count()
    }

    #[test]
    fn a_budget_gives_one_second_at_once_and_then_its_rate() {
        let mut budget = Budget::new(100);
        assert_eq!(take_all(&mut budget, SECOND), 100);
        assert_eq!(take_all(&mut budget, SECOND + SECOND / 10), 10);
        assert_eq!(take_all(&mut budget, SECOND * 60), 100, "an idle minute earns no more than a second");
    }

    #[test]
    fn many_short_waits_earn_as_much_as_one_long_one() {
        let mut budget = Budget::new(10);
        take_all(&mut budget, Duration::ZERO);
        let earned: usize = (1..=1000).map(|n| take_all(&mut budget, SECOND * n / 1000)).sum();
        assert_eq!(earned, 10);
    }

    #[test]
    fn a_budget_of_zero_never_allows_and_a_clock_that_goes_back_earns_nothing() {
        assert_eq!(take_all(&mut Budget::new(0), SECOND * 100), 0);
        let mut budget = Budget::new(5);
        assert_eq!(take_all(&mut budget, SECOND * 10), 5);
        assert_eq!(take_all(&mut budget, SECOND), 0);
        assert_eq!(take_all(&mut budget, SECOND * 10), 0);
    }

    #[test]
    fn an_answer_with_two_signatures_costs_two() {
        let mut budget = Budget::new(3);
        assert!(budget.allows(SECOND));
        budget.spend(2);
        assert!(budget.allows(SECOND));
        budget.spend(2);
        assert!(!budget.allows(SECOND));
    }

    #[test]
    fn our_own_address_and_port_zero_are_forged() {
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let listen = address("192.0.2.1:53");
        assert!(is_forged(listen, listen, None));
        assert!(is_forged(listen, address("198.51.100.1:0"), None));
        assert!(!is_forged(listen, address("192.0.2.1:5353"), None));
        assert!(!is_forged(listen, address("192.0.2.2:53"), None), "resolvers may ask from port 53");
        let wildcard = address("0.0.0.0:53");
        assert!(is_forged(wildcard, listen, Some(listen.ip())));
        assert!(!is_forged(wildcard, address("192.0.2.2:53"), Some(listen.ip())));
    }
}
