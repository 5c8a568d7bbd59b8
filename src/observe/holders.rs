//! Who serves a zone now: found as a parent is, before the zone's keys are brought in from there.
//!
//! What is found is where to ask, never what to believe.

use crate::dns::name::{self, Name};
use crate::dns::rtype::number;
use crate::resolve::client::Transport;
use crate::resolve::walk::{Located, NameServer, Walk, Ways};
use std::net::SocketAddr;
use std::time::Duration;

/// How long one question may take: a server that answers does so in tenths of a second.
const ASK_TIMEOUT: Duration = Duration::from_millis(1500);
/// How long all questions about one zone may take. A person waits for it.
const ROUND_TIMEOUT: Duration = Duration::from_secs(10);
/// Servers of a zone that are asked, at most: what they do not agree about is seen with a few.
pub const HOLDERS_MAX: usize = 4;

/// The limits of time of such a round, from where all searches begin.
pub fn ways() -> Ways {
    Ways { ask_timeout: ASK_TIMEOUT, round_timeout: ROUND_TIMEOUT, ..Ways::default() }
}

/// The addresses of the servers that a zone is delegated to, the one that answered first; `parents`: where its parent is,
/// else it is found.
///
/// # Errors
/// How far the search came, in words.
pub fn holders(walk: &mut Walk<'_>, apex: &Name, parents: &[SocketAddr]) -> Result<Vec<SocketAddr>, String> {
    let above = name::parent(apex).and_then(|above| Name::from_wire(above).ok());
    if let Some(above) = above.filter(|_| !parents.is_empty()) {
        // The zone that they serve may begin higher up; a referral leads down from this name all the same.
        walk.know(above, parents.iter().map(|at| NameServer { name: None, at: *at }).collect());
    }
    let Located { zone, servers, by, reply } = walk.locate(apex, number::DNSKEY)?;
    let is_theirs = zone == *apex || reply.answer.iter().any(|record| record.owner == *apex);
    if !is_theirs {
        return Err(format!("{by}: no delegation of {apex} is known there"));
    }
    let mut at = vec![by];
    // Who serves the parent, too, answers for both; the others of the parent may not.
    at.extend(servers.into_iter().map(|server| server.at).filter(|other| zone == *apex && *other != by));
    at.truncate(HOLDERS_MAX);
    Ok(at)
}

/// What a zone's server answers about its apex, within the limits of the round.
///
/// # Errors
/// Why there is no answer.
pub fn ask(
    walk: &mut Walk<'_>,
    at: SocketAddr,
    apex: &Name,
    rtype: u16,
) -> Result<crate::resolve::message::Message, String> {
    walk.ask(at, apex, rtype, Transport::Udp).map_err(|fault| fault.trouble.to_string())
}
