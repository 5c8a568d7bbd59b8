//! What the parent says about a zone's DS, at each address of each of its name servers.
//!
//! Every address that is known is in the result with what it said or with its fault: none is left out because it was
//! silent, and no DS and no denial is believed that does not validate from a trust anchor down.

use crate::dns::name::Name;
use crate::dns::rtype::number;
use crate::observe::round::Round;
use crate::resolve::anchors::Anchors;
use crate::resolve::chain;
use crate::resolve::client::{AskFault, Transport, Trouble};
use crate::resolve::proved::DsSeen;
use crate::resolve::verify::set;
use crate::resolve::walk::{NAME_SERVERS_MAX, NameServer, SERVERS_MAX, TRIES_MAX, Ways, name_servers};
use crate::time::Clocks;
use std::net::SocketAddr;

/// What to look for, where and by whose word.
#[derive(Clone, Copy, Debug)]
pub struct ParentAsk<'a> {
    /// The zone whose DS is wanted.
    pub child: &'a Name,
    /// The addresses to ask; where there are none, the parent's are found.
    pub parents: &'a [SocketAddr],
    /// Where trust begins.
    pub anchors: &'a Anchors,
    /// Where searches begin, and limits of time.
    pub ways: &'a Ways,
    /// By which clocks.
    pub now: Clocks,
}

/// One look at all of a parent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParentRound {
    /// The parent zone, where an answer proved it.
    pub zone: Option<Name>,
    /// Each address with its outcome, sorted by address where they were found.
    pub asked: Vec<AddressSaw>,
    /// What kept us from knowing every address; the round is not complete while there is any.
    pub missing: Vec<Missing>,
}

/// One address of the parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressSaw {
    /// Where.
    pub server: SocketAddr,
    /// By which name it was found.
    pub name_server: Option<Name>,
    /// What it said.
    pub outcome: Result<DsSeen, SawFault>,
}

/// Why an address says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SawFault {
    /// It gave no answer.
    #[error(transparent)]
    Ask(#[from] AskFault),
    /// Its answer is no proof.
    #[error("{server}: its answer is not validated: {why}")]
    NotValidated {
        /// Who answered.
        server: SocketAddr,
        /// What is wrong.
        why: String,
    },
}

/// A name server whose addresses are not all known, or the parent as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The name server; none where the parent itself was not found.
    pub name_server: Option<Name>,
    /// Why, in words.
    pub why: String,
}

impl ParentRound {
    /// Whether every address of the parent is known and gave a validated answer.
    pub fn is_complete(&self) -> bool {
        !self.asked.is_empty() && self.missing.is_empty() && self.asked.iter().all(|saw| saw.outcome.is_ok())
    }
}

/// Asks every address of the parent of a zone for its DS.
pub fn look(wanted: &ParentAsk<'_>) -> ParentRound {
    let mut round = Round::new(wanted.ways, wanted.anchors, wanted.now);
    let Sites { zone, servers, missing } = sites(&mut round, wanted);
    let mut seen = ParentRound { zone, asked: Vec::new(), missing };
    for server in servers {
        let reply = round.walk.ask(server.at, wanted.child, number::DS, Transport::Tcp).map_err(SawFault::Ask);
        let outcome = reply.and_then(|reply| {
            let good = round.judge(server.at, &reply, wanted.child);
            seen.zone = seen.zone.take().or_else(|| chain::signer(&reply, wanted.child).ok().filter(|_| good.is_ok()));
            good.map_err(|why| SawFault::NotValidated { server: server.at, why })
        });
        seen.asked.push(AddressSaw { server: server.at, name_server: server.name, outcome });
    }
    seen
}

/// Where a parent is.
pub(super) struct Sites {
    /// The parent zone, where its servers were found.
    pub zone: Option<Name>,
    /// Its addresses.
    pub servers: Vec<NameServer>,
    /// What is not known.
    pub missing: Vec<Missing>,
}

/// The configured addresses, or all that can be found.
pub(super) fn sites(round: &mut Round<'_>, wanted: &ParentAsk<'_>) -> Sites {
    let mut sites = match wanted.parents.is_empty() {
        true => found(round, wanted.child),
        false => {
            let servers = wanted.parents.iter().map(|at| NameServer { name: None, at: *at }).collect();
            Sites { zone: None, servers, missing: Vec::new() }
        }
    };
    if sites.servers.len() > SERVERS_MAX {
        sites.servers.truncate(SERVERS_MAX);
        let why = format!("the parent has more than {SERVERS_MAX} addresses; only so many are asked");
        sites.missing.push(Missing { name_server: None, why });
    }
    sites
}

/// The parent and the addresses of its name servers: those that its own signed NS names, and those of the delegation.
fn found(round: &mut Round<'_>, child: &Name) -> Sites {
    let mut sites = Sites { zone: None, servers: Vec::new(), missing: Vec::new() };
    let located = round.walk.locate(child, number::DS);
    let parent = located.and_then(|located| Ok((chain::signer(&located.reply, child)?, located)));
    let (parent, located) = match parent {
        Ok(found) => found,
        Err(why) => {
            sites
                .missing
                .push(Missing { name_server: None, why: format!("the parent of {child} was not found: {why}") });
            return sites;
        }
    };
    let delegated: Vec<NameServer> = if located.zone == parent { located.servers.clone() } else { Vec::new() };
    let mut names: Vec<Name> = delegated.iter().filter_map(|server| server.name.clone()).collect();
    match own_names(round, &parent, &located.servers) {
        Ok(own) => names.extend(own),
        Err(why) => {
            // Then those of the delegation are all that is known, and that may not be all.
            sites.servers = delegated.clone();
            sites.missing.push(Missing { name_server: None, why });
        }
    }
    names.sort();
    names.dedup();
    if names.len() > NAME_SERVERS_MAX {
        let why = format!("{parent} has more than {NAME_SERVERS_MAX} name servers; only so many are asked");
        sites.missing.push(Missing { name_server: None, why });
    }
    for name in names.into_iter().take(NAME_SERVERS_MAX) {
        let (addresses, trouble) = round.walk.addresses(&name);
        let port = located.by.port();
        let server = |ip| NameServer { name: Some(name.clone()), at: SocketAddr::new(ip, port) };
        sites.servers.extend(addresses.into_iter().map(server));
        sites.servers.extend(delegated.iter().filter(|server| server.name.as_ref() == Some(&name)).cloned());
        sites.missing.extend(trouble.map(|why| Missing { name_server: Some(name.clone()), why }));
    }
    sites.servers.sort_by_key(|server| server.at);
    sites.servers.dedup_by_key(|server| server.at);
    sites.zone = Some(parent);
    sites
}

/// The name servers that the parent's apex names, validated.
fn own_names(round: &mut Round<'_>, parent: &Name, servers: &[NameServer]) -> Result<Vec<Name>, String> {
    let (mut why, mut tries) = ("none was asked".to_owned(), 0);
    for server in servers {
        if tries == TRIES_MAX {
            break;
        }
        tries += 1;
        let reply = match round.walk.ask(server.at, parent, number::NS, Transport::Tcp) {
            Ok(reply) => reply,
            Err(fault) => {
                tries -= usize::from(matches!(fault.trouble, Trouble::NoRoute(_)));
                why = fault.to_string();
                continue;
            }
        };
        let now = round.now;
        let names = round.with_keys(parent, server.at, |keys| {
            let found = set(&reply.answer, parent, number::NS).ok_or_else(|| format!("{parent} has no NS there"))?;
            found.verify(parent, &keys.keys, now)?;
            Ok(name_servers(&reply.answer, parent))
        });
        match names {
            Ok(names) => return Ok(names),
            Err(fault) => why = format!("{}: {fault}", server.at),
        }
    }
    Err(format!("the name servers that {parent} itself names are not known: {why}"))
}
