//! Who is connected over TLS or QUIC: the caps and the choice of whom to close are those of TCP.
//!
//! It must never let one source keep the others out: a crowd drives out its own.

use crate::metrics::{Counters, Dropped};
use crate::serve::house::{Admission, ConnectionLimits, Doing, House, idle_limit};
use crate::time::steady;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// All connections of one protocol.
pub(super) struct Guests {
    pub(super) limits: ConnectionLimits,
    counters: Arc<Counters>,
    inside: Mutex<Inside>,
}

struct Inside {
    house: House,
    /// Dropping one closes its connection.
    doors: BTreeMap<u64, oneshot::Sender<()>>,
}

/// One connection; it leaves when this is dropped.
pub(super) struct Guest {
    guests: Arc<Guests>,
    id: u64,
}

/// Ends when the connection has to close for another.
pub(super) type Closed = oneshot::Receiver<()>;

impl Guests {
    pub(super) fn new(limits: ConnectionLimits, counters: Arc<Counters>) -> Arc<Guests> {
        let inside = Mutex::new(Inside { house: House::new(limits.clone()), doors: BTreeMap::new() });
        Arc::new(Guests { limits, counters, inside })
    }

    fn hold(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a newcomer in, if need be in exchange for another; none: its source has too many already.
    pub(super) fn admit(self: &Arc<Guests>, source: IpAddr) -> Option<(Guest, Closed)> {
        let mut inside = self.hold();
        let Admission::Admitted { id, leaver } = inside.house.admit(source, steady()) else {
            self.counters.dropped(Dropped::TcpFull, 1);
            return None;
        };
        if let Some(leaver) = leaver {
            self.counters.dropped(Dropped::TcpFull, 1);
            inside.doors.remove(&leaver);
        }
        let (door, closed) = oneshot::channel();
        inside.doors.insert(id, door);
        Some((Guest { guests: Arc::clone(self), id }, closed))
    }
}

impl Guest {
    /// The limits of its protocol.
    pub(super) fn limits(&self) -> &ConnectionLimits {
        &self.guests.limits
    }

    /// Notes what it does from now on.
    pub(super) fn note(&self, doing: Doing) {
        self.guests.hold().house.note(self.id, doing, steady());
    }

    /// How long it may be silent now.
    pub(super) fn idle(&self) -> Duration {
        idle_limit(&self.guests.limits, self.guests.hold().house.open())
    }

    /// Whether it has lived long enough.
    pub(super) fn is_old(&self) -> bool {
        self.guests.hold().house.is_old(self.id, steady())
    }

    /// Counts that it ends by a deadline.
    pub(super) fn late(&self) {
        self.guests.counters.dropped(Dropped::TcpDeadline, 1);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut inside = self.guests.hold();
        inside.house.leave(self.id);
        inside.doors.remove(&self.id);
    }
}
