//! Asks the answering function and survives its panics: one packet costs one answer, never the server.
//!
//! It must never let a panic out, never answer a response (CVE-2024-2169), and never log above debug what a stranger
//! chose.

use super::Respond;
use crate::answer::{Asked, Outcome, Reply, Snapshot, Transport, limited};
use crate::metrics::{Counters, Dropped, Proto};
use crate::time::steady;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Octets of a DNS header (RFC 1035 § 4.1.1).
pub const HEADER_OCTETS: usize = 12;

/// SERVFAIL (RFC 1035 § 4.1.1).
const SERVFAIL: u8 = 2;

/// Time between two alarms of one thread: one line is enough to act on, a flood of them would fill the disk.
const ALARM_PAUSE: Duration = Duration::from_secs(10);

/// The answering function of one thread, with its counters.
pub struct Shield {
    respond: Respond,
    counters: Arc<Counters>,
    alarm: Alarm,
}

/// Says no more than one thing every [`ALARM_PAUSE`], and how many it kept to itself.
#[derive(Default)]
pub struct Alarm {
    last: Option<Instant>,
    kept: u64,
}

impl Shield {
    /// A shield around `respond`.
    pub fn new(respond: Respond, counters: Arc<Counters>) -> Shield {
        Shield { respond, counters, alarm: Alarm::default() }
    }

    /// What it counts in.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// Answers one query and counts the answer.
    pub fn answer(&mut self, snapshot: &Snapshot, asked: &Asked<'_>, out: &mut [u8]) -> Reply {
        let reply = self.ask(snapshot, asked, out);
        self.count(asked, &reply);
        reply
    }

    /// Answers one query. A panic gives SERVFAIL made from the query's own header; it is caught here alone, since
    /// whatever `respond` shares recovers from a thread that died (poisoned locks are entered).
    pub fn ask(&mut self, snapshot: &Snapshot, asked: &Asked<'_>, out: &mut [u8]) -> Reply {
        self.call(self.respond, snapshot, asked, out)
    }

    /// The answer to a source that is limited, in place of its own.
    #[cold]
    pub fn limited(&mut self, snapshot: &Snapshot, asked: &Asked<'_>, out: &mut [u8]) -> Reply {
        self.call(limited, snapshot, asked, out)
    }

    /// Counts an answer that will be sent.
    pub fn count(&self, asked: &Asked<'_>, reply: &Reply) {
        if let Reply::Send(outcome) = reply {
            self.counters.answered(proto_of(asked.transport), asked.source.is_ipv6(), outcome);
        }
    }

    fn call(&mut self, respond: Respond, snapshot: &Snapshot, asked: &Asked<'_>, out: &mut [u8]) -> Reply {
        let caught = catch_unwind(AssertUnwindSafe(|| respond(snapshot, asked, out)));
        match caught.unwrap_or_else(|_| self.after_panic(asked, out)) {
            Reply::Send(outcome) if outcome.length > out.len() => Reply::Silence,
            reply => reply,
        }
    }

    #[cold]
    fn after_panic(&mut self, asked: &Asked<'_>, out: &mut [u8]) -> Reply {
        self.counters.dropped(Dropped::Panic, 1);
        if let Some(kept) = self.alarm.sound(steady()) {
            tracing::error!(
                kept_back = kept,
                "answering a query panicked and was caught; this is a bug in mxseal, please report it"
            );
        }
        tracing::debug!(packet = %data_encoding::HEXLOWER.encode(asked.packet), "the query that panicked");
        match servfail(asked.packet, out) {
            Some(length) => Reply::Send(Outcome { length, rcode: u16::from(SERVFAIL), ..Outcome::default() }),
            None => Reply::Silence,
        }
    }
}

impl Alarm {
    /// Some when it is time to speak, with the number of times it kept silent since it last did.
    pub fn sound(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.duration_since(last) < ALARM_PAUSE) {
            self.kept += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.kept))
    }
}

fn proto_of(transport: Transport) -> Proto {
    match transport {
        Transport::Udp => Proto::Udp,
        Transport::Tcp => Proto::Tcp,
        // The listeners for DoT and DoQ count for themselves; they do not come here.
        Transport::Encrypted => Proto::Dot,
    }
}

/// The header alone: ID, opcode and RD are the query's (RFC 1035 § 4.1.1); nothing else of it was understood.
pub(super) fn servfail(packet: &[u8], out: &mut [u8]) -> Option<usize> {
    let header: [u8; HEADER_OCTETS] = packet.get(..HEADER_OCTETS)?.try_into().ok()?;
    if header[2] & 0x80 != 0 {
        return None;
    }
    let flags = 0x80 | (header[2] & 0x79);
    out.get_mut(..HEADER_OCTETS)?.copy_from_slice(&[header[0], header[1], flags, SERVFAIL, 0, 0, 0, 0, 0, 0, 0, 0]);
    Some(HEADER_OCTETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servfail_keeps_id_opcode_and_rd_and_never_answers_a_response() {
        let mut out = [9; 64];
        let query = [0xab, 0xcd, 0x7f, 0xff, 0, 1, 0, 2, 0, 3, 0, 4, 99];
        assert_eq!(servfail(&query, &mut out), Some(12));
        assert_eq!(out[..12], [0xab, 0xcd, 0x80 | 0x79, 2, 0, 0, 0, 0, 0, 0, 0, 0], "AA and TC are clear");
        for opcode in 0..16u8 {
            let mut response = query;
            response[2] = 0x80 | opcode << 3;
            assert_eq!(servfail(&response, &mut out), None);
        }
        assert_eq!(servfail(&query[..11], &mut out), None);
        assert_eq!(servfail(&query, &mut [0; 11]), None);
    }

    #[test]
    fn an_alarm_speaks_once_and_says_how_often_it_kept_silent() {
        let (mut alarm, start) = (Alarm::default(), Instant::now());
        assert_eq!(alarm.sound(start), Some(0));
        assert_eq!(alarm.sound(start), None);
        assert_eq!(alarm.sound(start + ALARM_PAUSE / 2), None);
        assert_eq!(alarm.sound(start + ALARM_PAUSE), Some(2));
        assert_eq!(alarm.sound(start + ALARM_PAUSE * 2), Some(0));
    }
}
