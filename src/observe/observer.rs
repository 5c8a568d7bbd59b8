//! Looks at zones from outside, in threads of its own: at our addresses, at parents, and at whom they want told.
//!
//! It asks and reports, and decides nothing: an answer that does not come is reported as that. All of it may take minutes,
//! so the control thread never waits for it.

use crate::dns::name::Name;
use crate::dns::rtype::number as rt;
use crate::observe::notify::{Notified, notify_cds};
use crate::observe::own::{OwnExpected, OwnSeen, observe_zone};
use crate::observe::parent::{ParentAsk, ParentRound, look};
use crate::observe::pool::observe_pool;
use crate::process::address::is_here;
use crate::resolve::anchors::Anchors;
use crate::resolve::client::{Transport, ask};
use crate::resolve::message::Message;
use crate::resolve::proved::{DsSeen, ProvedKeys};
use crate::resolve::walk::Ways;
use crate::resolve::{chain, verify};
use crate::time;
use crate::time::{Clocks, UnixTime};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

/// Looks that wait for their turn, at most: each zone has at most one of a kind, and what finds no place comes later.
const JOBS_MAX: usize = 1024;
/// Our own server answers at once, or something is wrong.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// What is to be looked at.
pub enum Look {
    /// Our own addresses.
    Own {
        /// What they should answer.
        expected: Box<OwnExpected>,
        /// Which of the facts that shows.
        through: u64,
    },
    /// The records of a pool, at a tenant of the zone, at our own addresses.
    Pool {
        /// Which pool.
        pool: String,
        /// The tenant's endpoint.
        endpoint: Box<Name>,
        /// TLSA that it should have.
        tlsa: Vec<[u8; 32]>,
        /// Addresses that it should have.
        addresses: Vec<IpAddr>,
        /// Which of the facts that shows.
        through: u64,
    },
    /// The DS at a parent zone that is served here, at one of our own addresses.
    OwnParent {
        /// The parent zone.
        zone: Box<Name>,
        /// Its DNSKEY data; none where it is unsigned.
        keys: Option<Vec<Vec<u8>>>,
        /// Which of the facts it shows when it is asked.
        through: u64,
    },
    /// The DS at all addresses of a parent zone that others serve.
    Parent {
        /// Where to ask; empty: found by asking.
        parents: Vec<SocketAddr>,
        /// Where trust begins.
        anchors: Arc<Anchors>,
        /// The wall clock minus the signing clock, in seconds, where it is a reading.
        ahead: i64,
    },
    /// Whom the parent wants told of new CDS is told.
    Tell {
        /// As above.
        parents: Vec<SocketAddr>,
        /// As above.
        anchors: Arc<Anchors>,
        /// As above.
        ahead: i64,
    },
}

/// A look that is wanted.
pub struct WantedLook {
    /// Of which zone.
    pub zone: Name,
    /// What is to be looked at.
    pub look: Look,
}

/// What was seen.
pub enum Seen {
    /// Our own addresses.
    Own {
        /// Which of the facts were expected.
        through: u64,
        /// Whether they were there.
        outcome: OwnSeen,
    },
    /// The records of a pool.
    Pool {
        /// Which pool.
        pool: String,
        /// Which of the facts were expected.
        through: u64,
        /// Whether they were there.
        outcome: Result<(), Vec<String>>,
    },
    /// The DS at our own parent zone.
    OwnParent {
        /// Who was asked.
        server: SocketAddr,
        /// Which of the facts it showed then.
        through: u64,
        /// What it said, or why that proves nothing.
        outcome: Result<Box<DsSeen>, String>,
    },
    /// This machine has none of our addresses now, so our own parent zone was not asked.
    NotHere,
    /// The DS at the parent.
    Parent(Box<ParentRound>),
    /// Who was told, or why that is not known.
    Notified(Result<Vec<Notified>, String>),
}

/// The threads.
pub struct Observer {
    own: SyncSender<WantedLook>,
    parents: SyncSender<WantedLook>,
}

impl Observer {
    /// Starts the threads; what they see goes to `report`. They end with the observer.
    ///
    /// # Errors
    /// No thread could be started.
    pub fn start(
        listen: Vec<SocketAddr>,
        ways: Ways,
        report: impl Fn(Name, Seen) + Clone + Send + 'static,
    ) -> std::io::Result<Observer> {
        let start = |name: &str| {
            let (jobs, inbox) = sync_channel(JOBS_MAX);
            let (report, listen, ways) = (report.clone(), listen.clone(), ways.clone());
            let run = move || run(&inbox, &listen, &ways, &report);
            std::thread::Builder::new().name(name.to_owned()).spawn(run).map(|_| jobs)
        };
        // Parents may be silent for minutes, and must not hold up what depends on us alone.
        let (own, parents) = (start("mxseal-observe")?, start("mxseal-parents")?);
        Ok(Observer { own, parents })
    }

    /// Looks at nothing by itself: what is asked for comes out of these, as it would come to the threads.
    #[cfg(test)]
    pub(crate) fn without_threads() -> (Observer, [Receiver<WantedLook>; 2]) {
        let ((own, of_own), (parents, of_parents)) = (sync_channel(JOBS_MAX), sync_channel(JOBS_MAX));
        (Observer { own, parents }, [of_own, of_parents])
    }

    /// Asks for a look, of which [`Seen`] is reported later.
    ///
    /// # Errors
    /// The look, where there is no place for it now: it is to be asked for again later, and nothing is reported.
    pub fn ask(&self, wanted: WantedLook) -> Result<(), Box<WantedLook>> {
        let jobs = match wanted.look {
            Look::Own { .. } | Look::Pool { .. } | Look::OwnParent { .. } => &self.own,
            Look::Parent { .. } | Look::Tell { .. } => &self.parents,
        };
        match jobs.try_send(wanted) {
            Err(TrySendError::Full(wanted)) => Err(Box::new(wanted)),
            // Where the thread has ended, so does the process.
            Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
        }
    }
}

/// The address at which a listener is reached from its own machine.
pub fn reachable(listener: SocketAddr) -> SocketAddr {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

fn run(jobs: &Receiver<WantedLook>, listen: &[SocketAddr], ways: &Ways, report: &impl Fn(Name, Seen)) {
    while let Ok(WantedLook { zone, look }) = jobs.recv() {
        // Signatures are judged by when they are seen, not by when that was asked for.
        let seen = see(&zone, look, &Standpoint { listen, ways }, time::now());
        report(zone, seen);
    }
}

/// From where it is looked.
pub(crate) struct Standpoint<'p> {
    /// Our own addresses.
    pub(crate) listen: &'p [SocketAddr],
    /// How others are found.
    pub(crate) ways: &'p Ways,
}

/// Does a look, and judges signatures by this moment.
pub(crate) fn see(zone: &Name, wanted: Look, from: &Standpoint<'_>, now: UnixTime) -> Seen {
    let Standpoint { listen, ways } = *from;
    let by = |ahead: i64| Clocks::apart(now, ahead);
    // At an address that this host lacks nobody was answered, and whoever has it now is another server.
    let here = || listen.iter().copied().filter(|address| is_here(*address)).collect::<Vec<SocketAddr>>();
    match wanted {
        Look::Own { expected, through } => Seen::Own { through, outcome: observe_zone(&here(), zone, &expected, now) },
        Look::Pool { pool, endpoint, tlsa, addresses, through } => {
            Seen::Pool { pool, through, outcome: observe_pool(&here(), &endpoint, &tlsa, &addresses) }
        }
        Look::OwnParent { zone: parent, keys, through } => {
            let Some(server) = listen.iter().copied().find(|address| is_here(*address)) else { return Seen::NotHere };
            let reply = ask(server, zone, rt::DS, Transport::Tcp, ASK_TIMEOUT).map_err(|fault| fault.to_string());
            let outcome = reply.and_then(|reply| match keys {
                Some(keys) => chain::ds(&reply, zone, &ProvedKeys { zone: *parent, keys }, now),
                None => Ok(unsigned(&reply, zone, now)),
            });
            Seen::OwnParent { server, through, outcome: outcome.map(Box::new) }
        }
        Look::Parent { parents, anchors, ahead } => {
            let now = by(ahead);
            Seen::Parent(Box::new(look(&ParentAsk { child: zone, parents: &parents, anchors: &anchors, ways, now })))
        }
        Look::Tell { parents, anchors, ahead } => {
            let now = by(ahead);
            Seen::Notified(notify_cds(&ParentAsk { child: zone, parents: &parents, anchors: &anchors, ways, now }))
        }
    }
}

/// What an unsigned parent zone of ours says: there is no chain through it, and nobody between us and ourselves.
fn unsigned(reply: &Message, zone: &Name, now: UnixTime) -> DsSeen {
    let found = verify::set(&reply.answer, zone, rt::DS);
    let ttl = found.as_ref().map_or(0, |found| found.ttl);
    let ds = found.map(|found| found.data).unwrap_or_default();
    DsSeen { ds, ttl, original_ttl: ttl, expires: now.after(u64::from(ttl)), inception: now }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::ROOT;
    use std::sync::mpsc::channel;

    fn wanted(zone: &str) -> WantedLook {
        let name = |text: &str| Name::parse(text, ROOT).expect("a name");
        let look = Look::OwnParent { zone: Box::new(name("example.")), keys: None, through: 7 };
        WantedLook { zone: name(zone), look }
    }

    /// An address that no host has (RFC 5737).
    fn elsewhere() -> Vec<SocketAddr> {
        vec![SocketAddr::from(([192, 0, 2, 1], 53))]
    }

    #[test]
    fn our_own_parent_is_not_asked_where_this_machine_has_none_of_our_addresses() {
        let (report, seen) = channel();
        let report = move |zone, seen| drop(report.send((zone, seen)));
        let observer = Observer::start(elsewhere(), Ways::default(), report).expect("threads");
        assert!(observer.ask(wanted("a.example.")).is_ok());
        let (zone, seen) = seen.recv_timeout(Duration::from_secs(60)).expect("it is reported");
        assert!(matches!(seen, Seen::NotHere) && zone.to_string() == "a.example.");
    }

    #[test]
    fn a_look_that_finds_no_place_comes_back_as_it_was() {
        let (begin, gate) = channel::<()>();
        // The thread holds its first look until the end of the test.
        let gate = Arc::new(std::sync::Mutex::new(gate));
        let report = move |_, _| drop(gate.lock().map(|gate| gate.recv()));
        let observer = Observer::start(elsewhere(), Ways::default(), report).expect("threads");
        let refused = (0..JOBS_MAX + 2).find_map(|at| observer.ask(wanted(&format!("z{at}.example."))).err());
        let refused = refused.expect("no queue takes so many");
        let number: usize = refused.zone.to_string()[1..].trim_end_matches(".example.").parse().expect("a number");
        assert!((JOBS_MAX..JOBS_MAX + 2).contains(&number), "{number}");
        assert!(matches!(refused.look, Look::OwnParent { through: 7, .. }));
        drop(begin);
    }
}
