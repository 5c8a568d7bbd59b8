//! Lets TCP connections in, and sends away those whose time is over (RFC 7766 § 6.2.3, RFC 9210 § 4.3).
//!
//! No fault of `accept` ends the accepting, and none makes it spin. Whoever is sent away is off the books at once.

use super::queue::Signing;
use super::{Connection, Front};
use crate::metrics::Dropped;
use crate::serve::house::{Admission, ConnectionLimits};
use crate::time::steady;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;

/// Pause after `accept` failed for want of descriptors or memory: trying again at once would only burn the CPU.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(100);

/// Pause after any other fault of `accept`; it concerned one client, but must not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(1);

/// While draining: time for queries that have arrived to be read. The thread reads all that is ready in one go.
const DRAIN_PAUSE: Duration = Duration::from_millis(20);

/// Deadlines are kept by looking at all connections now and then, which costs a query nothing.
pub(super) fn tick_of(limits: &ConnectionLimits) -> Duration {
    let shortest = limits.idle.min(limits.message).min(limits.write).min(limits.lifetime);
    (shortest / 4).clamp(Duration::from_millis(5), Duration::from_millis(250))
}

pub(super) async fn accept(listener: TcpListener, front: Rc<Front>) {
    loop {
        match listener.accept().await {
            Ok((stream, source)) => {
                if front.welcome(stream, source.ip()) {
                    // Whoever left gives up the socket before the next is taken, so that a crowd never holds more than it may.
                    tokio::task::yield_now().await;
                }
            }
            Err(fault) => {
                front.counters.dropped(Dropped::TcpAccept, 1);
                tracing::debug!(%fault, "accept failed");
                tokio::time::sleep(pause_after(&fault)).await;
            }
        }
    }
}

fn pause_after(fault: &io::Error) -> Duration {
    match fault.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => SHORTAGE_PAUSE,
        // ECONNABORTED and the network errors that Linux passes on: accept(2).
        _ => ACCEPT_PAUSE,
    }
}

pub(super) async fn sweep(tick: Duration, front: Rc<Front>) {
    loop {
        tokio::time::sleep(tick).await;
        let overdue = front.house.borrow().overdue(steady());
        front.close(&overdue, Dropped::TcpDeadline);
    }
}

pub(super) async fn drain_all(front: &Front, deadline: Instant) {
    front.draining.set(true);
    while front.house.borrow().open() > 0 && steady() < deadline {
        tokio::time::sleep(DRAIN_PAUSE).await;
        let waiting = front.house.borrow().without_work();
        front.end(&waiting);
    }
}

impl Front {
    /// Takes a connection, or sends it away; true where another one had to leave for it.
    fn welcome(self: &Rc<Front>, stream: TcpStream, source: IpAddr) -> bool {
        let admission = self.house.borrow_mut().admit(source, steady());
        let Admission::Admitted { id, leaver } = admission else {
            self.counters.dropped(Dropped::TcpFull, 1);
            return false;
        };
        if let Some(leaver) = leaver {
            self.close(&[leaver], Dropped::TcpFull);
        }
        // Answers are written whole; waiting for more would only delay them. Without it they come late, but come.
        let _ = stream.set_nodelay(true);
        let front = Rc::clone(self);
        let (pending, unsent, signing) = (Vec::new(), Vec::new(), Signing::No);
        let (pause, closing) = (None, false);
        let connection = Connection { front, id, stream, source, pending, unsent, sent: 0, signing, pause, closing };
        let task = spawn_local(connection).abort_handle();
        self.tasks.borrow_mut().insert(id, task);
        leaver.is_some()
    }

    fn close(&self, leavers: &[u64], reason: Dropped) {
        if !leavers.is_empty() {
            self.counters.dropped(reason, leavers.len() as u64);
            self.end(leavers);
        }
    }

    /// Takes them off the books at once; their tasks end, and their sockets close, when the runtime comes to it.
    fn end(&self, leavers: &[u64]) {
        for id in leavers {
            self.house.borrow_mut().leave(*id);
            let task = self.tasks.borrow_mut().remove(id);
            if let Some(task) = task {
                task.abort();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_pauses_longer_than_a_client_that_went_away() {
        let pause = |code| pause_after(&io::Error::from_raw_os_error(code));
        assert!(pause(libc::EMFILE) > pause(libc::ECONNABORTED));
        assert!(pause(libc::ECONNABORTED) > Duration::ZERO);
    }
}
