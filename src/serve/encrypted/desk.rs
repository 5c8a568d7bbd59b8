//! Answers one query of DoT or DoQ: the same function as on port 53, the octets as they are.
//!
//! It must never let a panic out, and never sign past the budget that all transports share.

use super::Respond;
use crate::answer::{Account, Asked, Effort, Outcome, Reply, Snapshot, Transport};
use crate::metrics::{Counters, Dropped, Proto};
use crate::serve::shield::{HEADER_OCTETS, servfail};
use crate::serve::signing::{SIGNATURE_PAUSE, Signatures};
use crate::time::{self, steady};
use arc_swap::ArcSwap;
use std::cell::RefCell;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Queries that wait for a signature at once, and how long: as on TCP.
const SIGNATURES_QUEUED_MAX: usize = 256;
const SIGNATURE_WAIT_MAX: Duration = Duration::from_secs(1);
/// A message's octets, at most (RFC 7858 § 3.3, RFC 9250 § 4.2).
pub(super) const MESSAGE_OCTETS_MAX: usize = 65_535;

thread_local! {
    /// Where a thread's answers are made, one after the other.
    static OUT: RefCell<Vec<u8>> = RefCell::new(vec![0; MESSAGE_OCTETS_MAX]);
}

/// The query path with what it needs.
pub(super) struct Desk {
    respond: Respond,
    snapshot: Arc<ArcSwap<Snapshot>>,
    signatures: Signatures,
    /// Places in the queue for signatures.
    waiting: Semaphore,
    pub(super) counters: Arc<Counters>,
}

/// A query as it came.
#[derive(Clone, Copy)]
pub(super) struct Query<'p> {
    pub(super) packet: &'p [u8],
    pub(super) source: IpAddr,
    pub(super) proto: Proto,
}

/// What to do with a query.
pub(super) enum Answer {
    /// Send these octets.
    Send(Vec<u8>),
    /// It is no query.
    Silence,
    /// The budget for signatures is spent.
    Close,
}

impl Desk {
    pub(super) fn new(
        respond: Respond,
        snapshot: Arc<ArcSwap<Snapshot>>,
        signatures: Signatures,
        counters: Arc<Counters>,
    ) -> Desk {
        Desk { respond, snapshot, signatures, waiting: Semaphore::new(SIGNATURES_QUEUED_MAX), counters }
    }

    /// Answers and counts.
    pub(super) async fn answer(&self, query: Query<'_>) -> Answer {
        // Answering a response could make two servers talk for ever (CVE-2024-2169).
        if query.packet.len() < HEADER_OCTETS || query.packet.get(2).is_none_or(|flags| flags & 0x80 != 0) {
            self.counters.dropped(Dropped::Silence, 1);
            return Answer::Silence;
        }
        // What is kept for good needs no budget: it is signed once for each name, so there is an end to it.
        let mut answered = self.ask(query, Effort::Own);
        if let (Reply::Deferred(account), _) = &answered {
            match self.sign(query, account).await {
                Some(signed) => answered = signed,
                None => {
                    self.counters.refused(query.proto);
                    return Answer::Close;
                }
            }
        }
        let (outcome, octets) = match answered {
            (Reply::Send(outcome), octets) => (outcome, octets),
            (Reply::Silence, _) => {
                self.counters.dropped(Dropped::Silence, 1);
                return Answer::Silence;
            }
            // Signing defers nothing; were it to, SERVFAIL as for any other bug.
            (Reply::Deferred(_), _) => failed(query.packet),
        };
        self.counters.answered(query.proto, query.source.is_ipv6(), &outcome);
        Answer::Send(octets)
    }

    /// Asks once. A panic is counted, and answered with SERVFAIL.
    fn ask(&self, query: Query<'_>, effort: Effort) -> (Reply, Vec<u8>) {
        let Query { packet, source, .. } = query;
        let asked = Asked { packet, source, transport: Transport::Encrypted, now: time::now(), effort };
        OUT.with_borrow_mut(|out| {
            let caught = catch_unwind(AssertUnwindSafe(|| (self.respond)(&self.snapshot.load(), &asked, out)));
            match caught {
                Ok(Reply::Send(outcome)) => match out.get(..outcome.length) {
                    Some(octets) => (Reply::Send(outcome), octets.to_vec()),
                    None => (Reply::Silence, Vec::new()),
                },
                Ok(other) => (other, Vec::new()),
                Err(_) => {
                    self.counters.dropped(Dropped::Panic, 1);
                    let (outcome, octets) = failed(packet);
                    (Reply::Send(outcome), octets)
                }
            }
        })
    }

    /// Signs once the budget allows it; none: it does not. The queue is bounded and nobody waits long: past it 853 is no
    /// refuge from the budget of port 53. A zone that has a share left needs no place in the queue.
    async fn sign(&self, query: Query<'_>, account: &Account) -> Option<(Reply, Vec<u8>)> {
        let (mut place, until) = (None, steady() + SIGNATURE_WAIT_MAX);
        loop {
            let permit = self.signatures.permit(account, &self.snapshot.load());
            if let Some(permit) = permit {
                let answered = self.ask(query, Effort::Sign);
                if let (Reply::Send(outcome), _) = &answered {
                    self.signatures.settle(&permit, outcome.signed);
                }
                return Some(answered);
            }
            place = place.or_else(|| self.waiting.try_acquire().ok());
            if place.is_none() || steady() >= until {
                return None;
            }
            tokio::time::sleep(SIGNATURE_PAUSE).await;
        }
    }
}

/// SERVFAIL from the query's own header.
fn failed(packet: &[u8]) -> (Outcome, Vec<u8>) {
    let mut octets = vec![0; packet.len()];
    let length = servfail(packet, &mut octets).unwrap_or(0);
    octets.truncate(length);
    (Outcome { length, rcode: 2, ..Outcome::default() }, octets)
}
