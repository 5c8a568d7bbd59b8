//! Tells the parent that CDS has changed, where the parent says that it wants to be told (RFC 9859).
//!
//! A hint and no more: nothing depends on its arrival, and no answer to it is a fact about the DS.

use crate::dns::name::Name;
use crate::dns::rtype::number;
use crate::observe::dsync::{Dsync, lookup_names};
use crate::observe::parent::{ParentAsk, Sites, sites};
use crate::observe::round::Round;
use crate::resolve::chain;
use crate::resolve::client::{AskFault, Time, Transport, over_udp, question};
use crate::resolve::message::NOTIFY;
use crate::resolve::verify::set;
use std::net::SocketAddr;
use std::time::Duration;

/// How often one address is told before it counts as silent (RFC 1996 § 3.6 leaves it to us).
const SENDS: u32 = 3;
/// How long each waits for the answer.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);
/// Targets of one parent, at most.
const TARGETS_MAX: usize = 4;
/// Addresses told, at most: a target needs one or two.
const ADDRESSES_MAX: usize = 16;
/// Servers of the parent asked for DSYNC, at most.
const TRIES_MAX: usize = 6;

/// One address that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notified {
    /// Whom the parent names.
    pub target: Dsync,
    /// At which address.
    pub server: SocketAddr,
    /// The code of its answer, or why there is none.
    pub outcome: Result<u16, AskFault>,
}

/// Looks up whom the parent of a zone wants told of new CDS, and tells all of them. None means that it wants nobody told.
///
/// # Errors
/// Why it cannot be known, in words.
pub fn notify_cds(wanted: &ParentAsk<'_>) -> Result<Vec<Notified>, String> {
    let mut round = Round::new(wanted.ways, wanted.anchors, wanted.now);
    let Sites { servers, missing, .. } = sites(&mut round, wanted);
    let mut why = missing.first().map_or_else(|| "the parent has no address".to_owned(), |first| first.why.clone());
    for server in servers.iter().take(TRIES_MAX) {
        match targets(&mut round, wanted, server.at) {
            Ok((parent, targets)) => {
                round.walk.know(parent, servers.clone());
                return Ok(tell_all(&mut round, wanted, &targets));
            }
            Err(fault) => why = fault,
        }
    }
    Err(format!("whom the parent of {} wants told is not known: {why}", wanted.child))
}

/// The parent zone and its targets, as one server proves them.
fn targets(round: &mut Round<'_>, wanted: &ParentAsk<'_>, at: SocketAddr) -> Result<(Name, Vec<Dsync>), String> {
    let reply = round.walk.ask(at, wanted.child, number::DS, Transport::Udp).map_err(|fault| fault.to_string())?;
    round.judge(at, &reply, wanted.child)?;
    let parent = chain::signer(&reply, wanted.child)?;
    for name in lookup_names(wanted.child, &parent) {
        let reply = round.walk.ask(at, &name, number::DSYNC, Transport::Udp).map_err(|fault| fault.to_string())?;
        let Some(found) = set(&reply.answer, &name, number::DSYNC) else { continue };
        let now = round.now;
        // A wildcard's expansion is as good as any: who is told too much loses nothing.
        round.with_keys(&parent, at, |keys| found.verify(&parent, &keys.keys, now))?;
        let targets = found.data.iter().filter_map(|data| Dsync::read(data)).filter(Dsync::takes_cds);
        return Ok((parent, targets.take(TARGETS_MAX).collect()));
    }
    Ok((parent, Vec::new()))
}

fn tell_all(round: &mut Round<'_>, wanted: &ParentAsk<'_>, targets: &[Dsync]) -> Vec<Notified> {
    let mut told = Vec::new();
    for target in targets {
        let (addresses, _) = round.walk.addresses(&target.target);
        for ip in addresses {
            let server = SocketAddr::new(ip, target.port);
            if told.len() == ADDRESSES_MAX {
                return told;
            }
            told.push(Notified { target: target.clone(), server, outcome: tell(wanted.child, server, SEND_TIMEOUT) });
        }
    }
    told
}

/// Sends NOTIFY(CDS) for `child` until it is answered or was sent three times; returns the code of the answer.
///
/// # Errors
/// [`AskFault`] where there is no answer.
pub fn tell(child: &Name, server: SocketAddr, timeout: Duration) -> Result<u16, AskFault> {
    let fault = |trouble| AskFault { server, trouble };
    let question = question(NOTIFY, child, number::CDS).map_err(fault)?;
    let reply = over_udp(server, &question, &Time::new(timeout * SENDS), SENDS).map_err(fault)?;
    Ok(reply.rcode)
}
