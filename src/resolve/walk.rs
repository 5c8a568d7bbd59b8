//! The way from the root servers down to the servers of any zone, without a resolver.
//!
//! What it finds is where to ask, never what to believe: nothing here is validated, so a liar can lead it astray but not
//! make it lie. Every search is bounded in steps, names, addresses, questions and time.

use crate::dns::name::{self, Name};
use crate::dns::rtype::{self, number};
use crate::resolve::client::{AskFault, Transport, Trouble, ask, chance};
use crate::resolve::hints::ROOT_SERVERS;
use crate::resolve::message::{Message, Record};
use crate::time::steady;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Referrals followed for one name, at most.
const STEPS_MAX: usize = 16;
/// Name servers of one zone, at most: the root has 13, and no more than 32 fit a referral.
pub(crate) const NAME_SERVERS_MAX: usize = 32;
/// Addresses of one zone's servers, at most.
pub(crate) const SERVERS_MAX: usize = 64;
/// Servers tried at one step, at most: those of a zone that works answer at once.
pub(crate) const TRIES_MAX: usize = 6;
/// Searches within searches, at most: for the address of a server of a zone of a server.
const DEPTH_MAX: usize = 4;
/// Questions in one round, at most: 64 servers, their names' addresses twice, and the ways there.
const QUESTIONS_MAX: usize = 400;
/// How long one question may take.
const ASK_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a round may take: 64 silent servers at 3 s each, and the way to them.
const ROUND_TIMEOUT: Duration = Duration::from_secs(300);
/// Where name servers answer.
const DNS_PORT: u16 = 53;

/// Where searches begin and how long things may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ways {
    /// Addresses of root servers.
    pub hints: Vec<IpAddr>,
    /// The port of every server that is found, 53 outside of tests.
    pub port: u16,
    /// For one question.
    pub ask_timeout: Duration,
    /// For a whole round.
    pub round_timeout: Duration,
}

impl Default for Ways {
    fn default() -> Ways {
        Ways { hints: ROOT_SERVERS.to_vec(), port: DNS_PORT, ask_timeout: ASK_TIMEOUT, round_timeout: ROUND_TIMEOUT }
    }
}

/// One address of a name server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameServer {
    /// Its name, where it was found by one.
    pub name: Option<Name>,
    /// Where it answers.
    pub at: SocketAddr,
}

/// The answer of an authority and who else has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The deepest zone that was seen to be delegated on the way.
    pub zone: Name,
    /// The addresses that the delegation shows.
    pub servers: Vec<NameServer>,
    /// Which of them answered.
    pub by: SocketAddr,
    /// Its answer.
    pub reply: Message,
}

/// What a reply on the way means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalkStep {
    /// It is from an authority for the name.
    Answer,
    /// Others know more.
    Referral(Box<Referral>),
    /// It leads nowhere.
    Lame,
}

/// The servers of a zone nearer to the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referral {
    /// That zone.
    pub zone: Name,
    /// Its name servers.
    pub names: Vec<Name>,
    /// Those addresses of theirs that are told along.
    pub glue: Vec<(Name, IpAddr)>,
}

/// What the reply of a server of `zone` to a question for `name` and `rtype` means.
pub fn step(reply: &Message, zone: &[u8], name: &[u8], rtype: u16) -> WalkStep {
    if reply.authoritative {
        return WalkStep::Answer;
    }
    // A referral leads strictly down; the DS of a name is with the zone above it (RFC 4035 § 3.1.4.1).
    let leads = |owner: &[u8]| {
        name::is_within(name, owner)
            && name::is_within(owner, zone)
            && owner != zone
            && (rtype != number::DS || owner != name)
    };
    let Some(cut) = reply.authority.iter().find(|r| r.rtype == number::NS && leads(&r.owner)) else {
        return WalkStep::Lame;
    };
    let names = name_servers(&reply.authority, &cut.owner);
    // What lies outside of the zone that was asked is not its to tell.
    let glue = reply.additional.iter().filter(|r| names.contains(&r.owner) && name::is_within(&r.owner, zone));
    let glue = glue.filter_map(|r| Some((r.owner.clone(), address(r)?))).collect();
    WalkStep::Referral(Box::new(Referral { zone: cut.owner.clone(), names, glue }))
}

/// The targets of the NS records of a zone, sorted.
pub(crate) fn name_servers(section: &[Record], zone: &[u8]) -> Vec<Name> {
    let of_zone = section.iter().filter(|r| r.rtype == number::NS && *r.owner == *zone);
    let mut names: Vec<Name> = of_zone.filter_map(|r| Name::from_wire(&r.data).ok()).map(|n| n.to_lower()).collect();
    names.sort();
    names.dedup();
    names
}

/// An address that may be asked.
fn address(record: &Record) -> Option<IpAddr> {
    let ip: IpAddr = match record.rtype {
        number::A => <[u8; 4]>::try_from(&*record.data).ok().map(|octets| Ipv4Addr::from(octets).into()),
        number::AAAA => <[u8; 16]>::try_from(&*record.data).ok().map(|octets| Ipv6Addr::from(octets).into()),
        _ => None,
    }?;
    (!ip.is_unspecified() && !ip.is_multicast()).then_some(ip)
}

/// A search, or several in one round that share their limits and what they learn.
pub struct Walk<'w> {
    ways: &'w Ways,
    end: Instant,
    questions: usize,
    depth: usize,
    cuts: BTreeMap<Name, Vec<NameServer>>,
}

impl<'w> Walk<'w> {
    /// Nothing is asked yet; the time of the round runs.
    pub fn new(ways: &'w Ways) -> Walk<'w> {
        let mut walk = Walk { ways, end: steady() + ways.round_timeout, questions: 0, depth: 0, cuts: BTreeMap::new() };
        let hints = ways.hints.iter().take(SERVERS_MAX).map(|ip| walk.server(None, *ip)).collect();
        walk.know(Name::root(), hints);
        walk
    }

    fn server(&self, name: Option<Name>, ip: IpAddr) -> NameServer {
        NameServer { name, at: SocketAddr::new(ip, self.ways.port) }
    }

    /// The servers of a zone, from now on; returns the order in which they are asked.
    pub(crate) fn know(&mut self, zone: Name, mut servers: Vec<NameServer>) -> Vec<NameServer> {
        servers.truncate(SERVERS_MAX);
        // Where the first one is broken, another round begins with another one.
        let start = chance::<1>().map_or(0, |[octet]| usize::from(octet)) % servers.len().max(1);
        servers.rotate_left(start);
        // A machine may have IPv6 that leads nowhere, which costs a timeout each.
        servers.sort_by_key(|server| server.at.is_ipv6());
        self.cuts.insert(zone, servers.clone());
        servers
    }

    /// Asks one server, within the limits of the round.
    ///
    /// # Errors
    /// [`AskFault`], also where the round has no time or questions left.
    pub fn ask(&mut self, at: SocketAddr, name: &Name, rtype: u16, transport: Transport) -> Result<Message, AskFault> {
        let left = self.end.saturating_duration_since(steady());
        let skipped = |why: &str| AskFault { server: at, trouble: Trouble::NotAsked(why.to_owned()) };
        if left < Duration::from_millis(1) {
            return Err(skipped("the time for this round is over"));
        }
        if self.questions == QUESTIONS_MAX {
            return Err(skipped("this round has asked too many questions"));
        }
        self.questions += 1;
        ask(at, name, rtype, transport, left.min(self.ways.ask_timeout))
    }

    /// Finds an authority's answer.
    ///
    /// # Errors
    /// How far the search came, in words.
    pub fn locate(&mut self, name: &Name, rtype: u16) -> Result<Located, String> {
        if self.depth == DEPTH_MAX {
            return Err(format!("the servers of {name} are known only by names that lead to ever more names"));
        }
        self.depth += 1;
        let located = self.descend(name, rtype);
        self.depth -= 1;
        located
    }

    fn descend(&mut self, name: &Name, rtype: u16) -> Result<Located, String> {
        let (mut zone, mut servers) = self.nearest(name, rtype);
        for _ in 0..STEPS_MAX {
            let (by, reply, step) = self.first(&zone, &servers, name, rtype)?;
            let WalkStep::Referral(down) = step else { return Ok(Located { zone, servers, by, reply }) };
            let Referral { zone: below, names, glue } = *down;
            servers = self.addressed(&names, &glue);
            if servers.is_empty() {
                return Err(format!("no address of a server of {below} could be found"));
            }
            servers = self.know(below.clone(), servers);
            zone = below;
        }
        Err(format!("more than {STEPS_MAX} referrals on the way to {name}"))
    }

    /// The deepest known zone that may answer.
    fn nearest(&self, name: &Name, rtype: u16) -> (Name, Vec<NameServer>) {
        let skip = usize::from(rtype == number::DS && label_above(name));
        let known = name::ancestors(name).skip(skip).find_map(|above| self.cuts.get_key_value(above));
        known.map_or_else(|| (Name::root(), Vec::new()), |(zone, servers)| (zone.clone(), servers.clone()))
    }

    /// The first reply that leads on.
    fn first(
        &mut self,
        zone: &Name,
        servers: &[NameServer],
        name: &Name,
        rtype: u16,
    ) -> Result<(SocketAddr, Message, WalkStep), String> {
        let (mut why, mut tries) = ("it has none".to_owned(), 0);
        for server in servers {
            if tries == TRIES_MAX {
                break;
            }
            tries += 1;
            match self.ask(server.at, name, rtype, Transport::Udp) {
                Ok(reply) => match step(&reply, zone, name, rtype) {
                    WalkStep::Lame => why = format!("{}: it is no authority for {zone}", server.at),
                    step => return Ok((server.at, reply, step)),
                },
                Err(fault) => {
                    // A machine with IPv6 alone passes over all of IPv4.
                    tries -= usize::from(matches!(fault.trouble, Trouble::NoRoute(_)));
                    why = fault.to_string();
                }
            }
        }
        let what = format!("{name} {}", rtype::print(rtype));
        Err(format!("no server of {zone} gave a usable answer for {what}; the last: {why}"))
    }

    fn addressed(&mut self, names: &[Name], glue: &[(Name, IpAddr)]) -> Vec<NameServer> {
        let with = |walk: &Self, (name, ip): &(Name, IpAddr)| walk.server(Some(name.clone()), *ip);
        let told: Vec<NameServer> = glue.iter().take(SERVERS_MAX).map(|pair| with(self, pair)).collect();
        if !told.is_empty() {
            return told;
        }
        for name in names.iter().take(TRIES_MAX) {
            let (found, _) = self.addresses(name);
            if !found.is_empty() {
                return found.into_iter().map(|ip| self.server(Some(name.clone()), ip)).collect();
            }
        }
        Vec::new()
    }

    /// All addresses of a host, and what stands in the way of knowing them all.
    pub fn addresses(&mut self, host: &Name) -> (Vec<IpAddr>, Option<String>) {
        let (mut found, mut trouble) = (Vec::new(), None);
        for rtype in [number::A, number::AAAA] {
            match self.locate(host, rtype) {
                Ok(located) => {
                    let own = located.reply.answer.iter().filter(|r| r.owner == *host && r.rtype == rtype);
                    found.extend(own.filter_map(address));
                }
                Err(why) => trouble = Some(why),
            }
        }
        if found.is_empty() {
            trouble.get_or_insert_with(|| format!("{host} has neither A nor AAAA"));
        }
        (found, trouble)
    }
}

/// Whether a name has one above it.
fn label_above(name: &[u8]) -> bool {
    name::parent(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::ROOT;

    fn wire(text: &str) -> Name {
        Name::parse(text, ROOT).expect("a name")
    }

    fn record(owner: &str, rtype: u16, data: &[u8]) -> Record {
        Record { owner: wire(owner), rtype, ttl: 60, data: data.to_vec() }
    }

    fn referral(owner: &str) -> Message {
        Message {
            authority: vec![
                record(owner, number::NS, &wire("ns.example.")),
                record(owner, number::NS, &wire("ns.net.")),
            ],
            additional: vec![
                record("ns.example.", number::A, &[192, 0, 2, 1]),
                record("ns.net.", number::A, &[192, 0, 2, 2]),
            ],
            ..Message::default()
        }
    }

    fn referred(zone: &Name, names: &[Name], glue: &[(Name, IpAddr)]) -> WalkStep {
        WalkStep::Referral(Box::new(Referral { zone: zone.clone(), names: names.to_vec(), glue: glue.to_vec() }))
    }

    #[test]
    fn a_referral_leads_down_and_brings_only_what_its_zone_may_tell() {
        let (root, example) = (wire("."), wire("example."));
        let names = vec![wire("ns.net."), wire("ns.example.")];
        let glue: Vec<(Name, IpAddr)> =
            vec![(wire("ns.example."), [192, 0, 2, 1].into()), (wire("ns.net."), [192, 0, 2, 2].into())];
        let name = wire("mx.example.");
        let down = step(&referral("example."), &root, &name, number::DS);
        assert_eq!(down, referred(&example, &names, &glue));
        let own = step(&referral("mx.example."), &example, &name, number::A);
        assert_eq!(own, referred(&name, &names, &glue[..1]));
    }

    #[test]
    fn what_leads_up_aside_or_past_a_ds_is_lame() {
        let (example, name) = (wire("example."), wire("mx.example."));
        for owner in [".", "example.", "net.", "a.mx.example."] {
            assert_eq!(step(&referral(owner), &example, &name, number::A), WalkStep::Lame, "{owner}");
        }
        assert_eq!(step(&referral("mx.example."), &example, &name, number::DS), WalkStep::Lame);
        assert_eq!(step(&Message::default(), &example, &name, number::A), WalkStep::Lame);
    }

    #[test]
    fn the_built_in_hints_are_thirteen_servers_with_both_families() {
        let ways = Ways::default();
        assert_eq!((ways.hints.len(), ways.hints.iter().filter(|ip| ip.is_ipv6()).count(), ways.port), (26, 13, 53));
    }
}
