//! The parent of a simulated zone: addresses that serve DS sets, late, partly, or wrongly.
//!
//! It acts on the CDS that is served, never on what the server's journal says.

use crate::roll::zone::check::{KeyId, KeySet};
use crate::time::{Seconds, UnixTime};

/// The parent zone.
#[derive(Clone, Debug)]
pub struct Parent {
    /// Whether the server serves it too.
    pub own: bool,
    /// Its addresses.
    pub servers: Vec<ParentServer>,
    /// TTL of DS.
    pub ttl: u32,
    /// Life of the signature over DS, in seconds.
    pub life: Seconds,
    /// How long after CDS changed it acts; none: it does not.
    pub delay: Option<Seconds>,
    /// How long the last address needs longer than the first.
    pub spread: Seconds,
    /// What CDS asked for last, and since when it was served.
    asked: Option<(KeySet, UnixTime)>,
    /// What it published before.
    pub before: Option<KeySet>,
}

/// One address.
#[derive(Clone, Debug)]
pub struct ParentServer {
    /// Address with port.
    pub address: String,
    /// What it serves.
    pub set: KeySet,
    /// Whether it answers.
    pub answers: bool,
    /// An entry that nobody asked for: DS data.
    pub extra: Option<Vec<u8>>,
}

impl Parent {
    /// A parent whose addresses all serve `set`.
    pub fn new(own: bool, servers: usize, set: &KeySet) -> Parent {
        let server = |n: usize| ParentServer {
            address: format!("192.0.2.{}:53", n + 1),
            set: set.clone(),
            answers: true,
            extra: None,
        };
        Parent {
            own,
            servers: (0..servers.max(1)).map(server).collect(),
            ttl: 3600,
            life: if own { 3 * 86_400 } else { 14 * 86_400 },
            delay: if own { Some(0) } else { Some(6 * 3600) },
            spread: 0,
            asked: None,
            before: None,
        }
    }

    /// The parent looks at CDS, and does what it is asked when it is time.
    pub fn look(&mut self, cds: &KeySet, now: UnixTime) {
        if self.asked.as_ref().is_none_or(|(set, _)| set != cds) {
            self.asked = Some((cds.clone(), now));
        }
        let (Some((set, since)), Some(delay)) = (self.asked.clone(), self.delay) else { return };
        let count = u64::try_from(self.servers.len()).unwrap_or(1).max(2) - 1;
        for (n, server) in (0u64..).zip(&mut self.servers) {
            if now >= since.after(delay + self.spread * n / count) && server.set != set {
                self.before = Some(std::mem::replace(&mut server.set, set.clone()));
            }
        }
    }

    /// When it acts next; none: nothing is to be done.
    pub fn next(&self) -> Option<UnixTime> {
        let ((set, since), delay) = (self.asked.as_ref()?, self.delay?);
        let count = u64::try_from(self.servers.len()).unwrap_or(1).max(2) - 1;
        let late = (0u64..).zip(&self.servers).filter(|(_, server)| server.set != *set);
        late.map(|(n, _)| since.after(delay + self.spread * n / count)).min()
    }

    /// A backup of the day before is put back: all addresses serve what they served before, and it looks again later.
    pub fn revert(&mut self, now: UnixTime) {
        let Some(before) = self.before.take() else { return };
        self.servers.iter_mut().for_each(|server| server.set = before.clone());
        if let Some((_, since)) = &mut self.asked {
            *since = now;
        }
    }

    /// What an address serves. An entry that nobody asked for is one of an algorithm that is there anyway: another would be
    /// bogus by itself, whatever the server does.
    pub fn serves(&self, server: &ParentServer) -> KeySet {
        match server.shown_extra() {
            Some(extra) => server.set.with(KeyId::foreign(extra)),
            None => server.set.clone(),
        }
    }

    /// All that is served, for the judge.
    pub fn sets(&self) -> Vec<(KeySet, u32, Seconds)> {
        let mut sets: Vec<(KeySet, u32, Seconds)> = Vec::new();
        for set in self.servers.iter().map(|server| self.serves(server)) {
            if !sets.iter().any(|(other, ..)| *other == set) {
                sets.push((set, self.ttl, self.life));
            }
        }
        sets
    }
}

impl ParentServer {
    /// The entry that nobody asked for, where it is shown.
    pub fn shown_extra(&self) -> Option<&Vec<u8>> {
        let is_there = |ds: &&Vec<u8>| self.set.iter().any(|id| Some(&id.algorithm) == ds.get(2));
        self.extra.as_ref().filter(is_there)
    }
}
