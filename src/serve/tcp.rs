//! Answers DNS over TCP (RFC 7766, RFC 9210): connections that pipeline, stall, half close or never read.
//!
//! One thread with one runtime holds all connections, and they share one pair of buffers: an idle connection costs a
//! socket and a few hundred octets. It must never wait for one client while it could serve another, never hold more
//! for a client than one read and one write buffer, and never be ended by an error of `accept`.

mod door;
mod queue;

use super::house::{ConnectionLimits, Doing, House};
use super::shield::{HEADER_OCTETS, Shield};
use super::signing::Signatures;
use crate::answer::{Asked, Effort, Reply, Snapshot, Transport};
use crate::metrics::{Counters, Dropped};
use crate::time::{self, steady};
use arc_swap::ArcSwap;
use door::{accept, drain_all, sweep, tick_of};
use queue::Signing;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, LocalSet, spawn_local};
use tokio::time::Sleep;

/// Longest message: what its length of two octets can say (RFC 1035 § 4.2.2).
const MESSAGE_OCTETS_MAX: usize = 65_535;

/// One read takes at most this much, so a connection holds at most one unfinished message and one read.
const INPUT_OCTETS: usize = 64 << 10;

/// Answers of one turn are written together while they fit here; behind it there is always room for the longest.
const OUTPUT_OCTETS: usize = 64 << 10;

/// Queries that one connection gets answered before the others have their turn: as many as a UDP batch.
const QUERIES_PER_TURN_MAX: usize = 64;

/// What the TCP thread works with.
pub(super) struct TcpServer {
    pub(super) slot: Arc<ArcSwap<Snapshot>>,
    pub(super) shield: Shield,
    pub(super) counters: Arc<Counters>,
    pub(super) limits: ConnectionLimits,
    pub(super) signatures: Signatures,
    pub(super) stop: Arc<Notify>,
    pub(super) drain: Duration,
}

/// What all connections share; one thread, hence no locks.
struct Front {
    slot: Arc<ArcSwap<Snapshot>>,
    counters: Arc<Counters>,
    signatures: Signatures,
    signatures_queued_max: usize,
    signature_wait: Duration,
    house: RefCell<House>,
    tasks: RefCell<BTreeMap<u64, AbortHandle>>,
    desk: RefCell<Desk>,
    signatures_queued: Cell<usize>,
    draining: Cell<bool>,
}

/// What a connection uses during its turn and leaves for the next one.
struct Desk {
    shield: Shield,
    input: Box<[u8]>,
    output: Box<[u8]>,
}

/// One connection; a future that ends when it does.
struct Connection {
    front: Rc<Front>,
    id: u64,
    stream: TcpStream,
    source: IpAddr,
    /// Received and not yet answered: never more than an unfinished message and one read.
    pending: Vec<u8>,
    /// Answered and not yet sent, from `sent` on. While anything is left, nothing is read or answered.
    unsent: Vec<u8>,
    sent: usize,
    signing: Signing,
    /// Wakes a query that waits for the budget.
    pause: Option<Pin<Box<Sleep>>>,
    /// Nothing is read any more: what is pending is answered, then it ends.
    closing: bool,
}

/// Why answering stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// No whole message is left.
    Empty,
    /// The others first.
    TurnOver,
    /// The next query needs a signature.
    Signature,
    /// What came cannot be DNS.
    Garbage,
}

/// Makes the runtime of the TCP thread and hands it the listeners.
///
/// # Errors
/// No descriptors are left.
pub(super) fn prepare(listeners: Vec<std::net::TcpListener>) -> io::Result<(Runtime, Vec<TcpListener>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let listeners = listeners.into_iter().map(TcpListener::from_std).collect::<io::Result<_>>()?;
    drop(entered);
    Ok((runtime, listeners))
}

/// Serves until told to stop, then drains.
pub(super) fn run(runtime: &Runtime, listeners: Vec<TcpListener>, server: TcpServer) {
    let TcpServer { slot, shield, counters, limits, signatures, stop, drain } = server;
    let tick = tick_of(&limits);
    let desk = Desk {
        shield,
        input: vec![0; INPUT_OCTETS].into_boxed_slice(),
        output: vec![0; OUTPUT_OCTETS + 2 + MESSAGE_OCTETS_MAX].into_boxed_slice(),
    };
    let front = Rc::new(Front {
        slot,
        counters,
        signatures,
        signatures_queued_max: limits.signatures_queued_max,
        signature_wait: limits.signature_wait,
        house: RefCell::new(House::new(limits)),
        tasks: RefCell::default(),
        desk: RefCell::new(desk),
        signatures_queued: Cell::new(0),
        draining: Cell::new(false),
    });
    LocalSet::new().block_on(runtime, async {
        let accepting: Vec<_> =
            listeners.into_iter().map(|listener| spawn_local(accept(listener, Rc::clone(&front)))).collect();
        let sweeping = spawn_local(sweep(tick, Rc::clone(&front)));
        stop.notified().await;
        accepting.iter().for_each(|task| task.abort());
        drain_all(&front, steady() + drain).await;
        sweeping.abort();
    });
}

impl Future for Connection {
    type Output = ();

    /// Sends, answers and reads, in this order, until one has to wait: so nothing new is taken in while answers wait.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let front = Rc::clone(&this.front);
        let mut desk = front.desk.borrow_mut();
        let Desk { shield, input, output } = &mut *desk;
        loop {
            if ready!(this.flush(cx)).is_err() {
                return Poll::Ready(());
            }
            let fresh = if next_message(&this.pending).is_some() {
                match this.signing {
                    Signing::Wanted(account) => return this.queue_for_signature(account, cx),
                    Signing::Queued(account, until) => {
                        if ready!(this.poll_permit(&account, until, cx)).is_err() {
                            return Poll::Ready(());
                        }
                    }
                    Signing::No | Signing::Allowed(_) => {}
                }
                &[]
            } else {
                let Some(length) = ready!(this.poll_input(cx, input)) else {
                    return Poll::Ready(());
                };
                input.get(..length).unwrap_or_default()
            };
            let (written, stop) = this.digest(fresh, shield, output);
            if this.write(cx, output.get(..written).unwrap_or_default()).is_err() {
                return Poll::Ready(());
            }
            match stop {
                Stop::Empty | Stop::Signature => {}
                Stop::TurnOver => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Stop::Garbage => {
                    this.closing = true;
                    this.pending = Vec::new();
                }
            }
        }
    }
}

impl Connection {
    /// Octets that came; None when the connection is over: closed by the client, broken, or told to go.
    fn poll_input(&mut self, cx: &mut Context<'_>, input: &mut [u8]) -> Poll<Option<usize>> {
        if self.closing {
            return Poll::Ready(None);
        }
        // One last read takes what had arrived.
        self.closing = self.front.draining.get() || self.front.house.borrow().is_old(self.id, steady());
        let mut buffer = ReadBuf::new(input);
        match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(())) => Poll::Ready(Some(buffer.filled().len()).filter(|length| *length > 0)),
            Poll::Ready(Err(_)) => Poll::Ready(None),
            // Without budget nothing was tried yet; else there is nothing, and no reason to wait for it.
            Poll::Pending if self.closing && tokio::task::coop::has_budget_remaining() => Poll::Ready(None),
            Poll::Pending => {
                self.closing = false;
                Poll::Pending
            }
        }
    }

    /// Answers the whole messages of what was pending and what is fresh; keeps the rest. Returns the octets of answers.
    fn digest(&mut self, fresh: &[u8], shield: &mut Shield, output: &mut [u8]) -> (usize, Stop) {
        let began = self.pending.is_empty();
        let mut held = std::mem::take(&mut self.pending);
        let (used, written, stop) = if began {
            let result = self.answer(fresh, shield, output);
            held.extend_from_slice(fresh.get(result.0..).unwrap_or_default());
            result
        } else {
            held.extend_from_slice(fresh);
            let result = self.answer(&held, shield, output);
            held.drain(..result.0.min(held.len()));
            result
        };
        // An empty list gives its memory back: most connections are idle most of the time.
        self.pending = if held.is_empty() { Vec::new() } else { held };
        if used > 0 || began {
            // A message that only grows keeps the deadline that it began with.
            self.note_input();
        }
        (written, stop)
    }

    /// How many octets were used and written, and why it stopped.
    fn answer(&mut self, input: &[u8], shield: &mut Shield, output: &mut [u8]) -> (usize, usize, Stop) {
        let front = Rc::clone(&self.front);
        let (snapshot, now) = (front.slot.load(), time::now());
        let (mut used, mut written) = (0, 0);
        for _ in 0..QUERIES_PER_TURN_MAX {
            let Some(packet) = input.get(used..).and_then(next_message) else {
                return (used, written, Stop::Empty);
            };
            if packet.len() < HEADER_OCTETS {
                // Whoever sends this has lost the framing; what follows would be read as garbage.
                return (used, written, Stop::Garbage);
            }
            let body = written + 2;
            if written > OUTPUT_OCTETS {
                break;
            }
            let Some(out) = output.get_mut(body..body + MESSAGE_OCTETS_MAX) else {
                break;
            };
            // What is kept for good needs no budget: it is signed once for each name, so there is an end to it.
            let effort = if matches!(self.signing, Signing::Allowed(_)) { Effort::Sign } else { Effort::Own };
            let asked = Asked { packet, source: self.source, transport: Transport::Tcp, now, effort };
            let reply = shield.answer(&snapshot, &asked, out);
            if let Reply::Deferred(account) = reply {
                self.signing = Signing::Wanted(account);
                return (used, written, Stop::Signature);
            }
            if let (Signing::Allowed(permit), Reply::Send(outcome)) = (&self.signing, reply) {
                self.front.signatures.settle(permit, outcome.signed);
            }
            self.leave_queue();
            used += 2 + packet.len();
            match frame(reply, output.get_mut(written..body)) {
                Some(length) => written = body + length,
                None => self.front.counters.dropped(Dropped::Silence, 1),
            }
        }
        (used, written, Stop::TurnOver)
    }

    /// Sends what is left of earlier answers.
    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unsent.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while let Some(rest) = self.unsent.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(sent) => self.sent += sent,
                Err(fault) => return Poll::Ready(Err(fault)),
            }
        }
        (self.unsent, self.sent) = (Vec::new(), 0);
        self.note_input();
        Poll::Ready(Ok(()))
    }

    /// Sends answers; what does not go out now is kept for [`Connection::flush`].
    fn write(&mut self, cx: &mut Context<'_>, answers: &[u8]) -> io::Result<()> {
        if answers.is_empty() {
            return Ok(());
        }
        let sent = match Pin::new(&mut self.stream).poll_write(cx, answers) {
            Poll::Ready(sent) => sent?,
            Poll::Pending => 0,
        };
        let rest = answers.get(sent..).unwrap_or_default();
        if !rest.is_empty() {
            self.unsent = rest.to_vec();
            self.front.house.borrow_mut().note(self.id, Doing::Writing, steady());
        }
        Ok(())
    }

    fn note_input(&self) {
        let doing = match (self.pending.is_empty(), next_message(&self.pending)) {
            (true, _) => Doing::Idle,
            (false, None) => Doing::Reading,
            (false, Some(_)) => Doing::Working,
        };
        self.front.house.borrow_mut().note(self.id, doing, steady());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.leave_queue();
        self.front.house.borrow_mut().leave(self.id);
        self.front.tasks.borrow_mut().remove(&self.id);
    }
}

/// The first message, if all of it is there (RFC 1035 § 4.2.2).
fn next_message(input: &[u8]) -> Option<&[u8]> {
    let (length, rest) = input.split_first_chunk::<2>()?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
}

/// Writes the length before an answer and returns it; None if there is nothing to send.
fn frame(reply: Reply, prefix: Option<&mut [u8]>) -> Option<usize> {
    let Reply::Send(outcome) = reply else {
        return None;
    };
    let length = u16::try_from(outcome.length).ok()?;
    prefix?.copy_from_slice(&length.to_be_bytes());
    Some(outcome.length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_costs_less_than_a_kibibyte_of_our_own() {
        assert!(size_of::<Connection>() < 1024, "{}", size_of::<Connection>());
    }

    #[test]
    fn a_message_is_there_when_its_last_octet_is() {
        assert_eq!(next_message(&[]), None);
        assert_eq!(next_message(&[0]), None);
        assert_eq!(next_message(&[0, 0, 9]), Some(&[][..]));
        assert_eq!(next_message(&[0, 2, 7]), None);
        assert_eq!(next_message(&[0, 2, 7, 8, 9]), Some(&[7, 8][..]));
    }
}
