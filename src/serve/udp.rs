//! Answers DNS over UDP: each thread receives a batch, answers what is ready, sends, then signs what is left.
//!
//! It must never let a query that needs a signature delay those that do not, never sign more than its budget nor for a
//! source that is limited (floods of random names), and never end because of a packet.

use super::batch::{BATCH, Batch, Wait};
use super::rates::{Moment, Rates};
use super::shield::{Alarm, Shield};
use super::signing::Signatures;
use crate::answer::{Account, Asked, Effort, Outcome, Reply, Snapshot, Transport, touch};
use crate::metrics::{Counters, Dropped, Proto};
use crate::time::{self, UnixTime, steady};
use arc_swap::ArcSwap;
use arrayvec::ArrayVec;
use socket2::Socket;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Batches that a stopping worker still takes out of its socket, without waiting: what had arrived when it was told to
/// stop, and a bound for floods that never end.
const LAST_BATCHES_MAX: usize = 64;

/// Pause after a fault of receiving (out of memory, a broken socket), so that it never spins.
const FAULT_PAUSE: Duration = Duration::from_millis(50);

/// Everything one thread needs to answer one socket.
pub(super) struct Worker {
    socket: Socket,
    address: SocketAddr,
    slot: Arc<ArcSwap<Snapshot>>,
    shield: Shield,
    counters: Arc<Counters>,
    rates: Rates,
    signatures: Signatures,
    stop: Arc<AtomicBool>,
    batch: Batch,
    deferred: ArrayVec<(usize, Account), BATCH>,
    started: Instant,
    /// The moment of this batch for the rates, once one of its sources asks for it.
    moment: Option<Moment>,
    alarm: Alarm,
}

impl Worker {
    /// A worker for `socket`, which is bound to `address`.
    pub(super) fn new(
        socket: Socket,
        address: SocketAddr,
        slot: Arc<ArcSwap<Snapshot>>,
        shield: Shield,
        rates: Rates,
        signatures: Signatures,
        stop: Arc<AtomicBool>,
    ) -> Worker {
        let counters = Arc::clone(shield.counters());
        let batch = Batch::new(address.ip().is_unspecified());
        let (deferred, started, moment, alarm) = (ArrayVec::new(), steady(), None, Alarm::default());
        Worker {
            socket,
            address,
            slot,
            shield,
            counters,
            rates,
            signatures,
            stop,
            batch,
            deferred,
            started,
            moment,
            alarm,
        }
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
        self.moment = None;
        touch(&snapshot, self.batch.packets());
        for at in 0..received {
            match self.answer(at, &snapshot, now, Effort::Kept) {
                Reply::Send(_) => {}
                Reply::Silence => silent += 1,
                Reply::Deferred(account) => self.deferred.push((at, account)),
            }
        }
        self.send();
        if !self.deferred.is_empty() {
            silent += self.answer_deferred(&snapshot, now);
        }
        if silent > 0 {
            self.counters.dropped(Dropped::Silence, silent);
        }
    }

    /// Signs while the budget lasts; past it TC=1 proves the source, since only a real one comes back over TCP. Each
    /// answer leaves before the next one is signed, so nobody waits for signatures of those behind.
    #[cold]
    fn answer_deferred(&mut self, snapshot: &Snapshot, now: UnixTime) -> u64 {
        let mut silent = 0;
        for (at, account) in std::mem::take(&mut self.deferred) {
            // What is kept for good is signed past the budget too: once for each name, so there is an end to it. A name
            // that exists needs nothing of the budget at all.
            let permit = if account.name == 0 { self.signatures.permit(&account, snapshot) } else { None };
            let effort = if permit.is_some() { Effort::Sign } else { Effort::Truncate };
            // With these efforts nothing is deferred; if it were, silence makes the client ask again.
            let Reply::Send(outcome) = self.answer(at, snapshot, now, effort) else {
                silent += 1;
                continue;
            };
            match permit {
                Some(permit) => self.signatures.settle(&permit, outcome.signed),
                None if outcome.truncated && outcome.signed == 0 => self.counters.refused(Proto::Udp),
                None => {}
            }
            if outcome.signed > 0 {
                self.send();
            }
        }
        self.send();
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
        let mut reply = self.shield.ask(snapshot, &asked, datagram.out);
        let account = match &reply {
            // What was deferred was counted when it came.
            _ if effort != Effort::Kept => None,
            Reply::Send(outcome) => Some(outcome.account),
            Reply::Deferred(account) => Some(*account),
            Reply::Silence => None,
        };
        if let Some(account) = account.filter(|account| !self.rates.exempts(source, account)) {
            // One look at the clock a batch.
            let moment =
                *self.moment.get_or_insert_with(|| self.rates.moment(steady().saturating_duration_since(self.started)));
            if !self.rates.allows(source, &account, moment) {
                self.counters.limited(account.class, self.rates.is_dry());
                if !self.rates.is_dry() {
                    reply = self.shield.limited(snapshot, &asked, datagram.out);
                }
            }
        }
        self.shield.count(&asked, &reply);
        if let Reply::Send(Outcome { length, .. }) = reply {
            self.batch.queue(at, length);
        }
        reply
    }

    fn send(&mut self) {
        if self.batch.queued() == 0 {
            return;
        }
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
        if let Some(kept) = self.alarm.sound(steady()) {
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

#[cfg(test)]
mod tests {
    use super::*;

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
