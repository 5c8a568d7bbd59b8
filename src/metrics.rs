//! Counters of the server, and the text that Prometheus reads.
//!
//! Fixed counters, relaxed and per worker; labels are closed enums or names from the configuration (zone, pool), never
//! a tenant or a client.

use crate::answer::Outcome;

/// Why something was dropped or closed without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// Not answered by design: too short, or itself a response.
    Silence,
    /// A reply could not be sent.
    Send,
    /// A TCP connection was closed for a newcomer or refused: the caps.
    TcpFull,
    /// A TCP connection ended by a deadline (slow writes, unread answers, idle).
    TcpDeadline,
    /// `accept` failed.
    TcpAccept,
    /// A panic was caught; each one is a bug.
    Panic,
}

/// The protocol of a query, for labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proto {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// DNS over TLS.
    Dot,
    /// DNS over QUIC.
    Doq,
}

/// The counters of one worker; its own cache lines, so that workers never write what another reads often.
#[derive(Debug, Default)]
pub struct Counters {}

impl Counters {
    /// Counts one answer.
    pub fn answered(&self, _proto: Proto, _ipv6: bool, _outcome: &Outcome) {}
    /// Counts `n` things without an answer.
    pub fn dropped(&self, _reason: Dropped, _n: u64) {}
}
