//! What of a zone was seen from outside becomes facts: by our own addresses, and by its parent.
//!
//! A round in which an address of the parent is not known or silent changes nothing but what is said about it.

use crate::control::life::{Living, SETTLED};
use crate::control::rolls::steps::keys_of;
use crate::control::rolls::{ParentSigned, ZoneRoll, build};
use crate::dns::name::Name;
use crate::observe::notify::Notified;
use crate::observe::observer::{Look, Seen};
use crate::observe::own::OwnSeen;
use crate::observe::parent::{AddressSaw, ParentRound, SawFault};
use crate::resolve::client::Trouble;
use crate::resolve::proved::DsSeen;
use crate::roll::zone::check::{KeyId, KeySet};
use crate::roll::zone::facts::Fact;
use crate::roll::zone::goal::Focus;
use crate::roll::zone::parent::match_ds;
use crate::roll::zone::step::Step;
use crate::time::{Now, Seconds};
use std::net::SocketAddr;
use std::time::Duration;

/// How often our own parent zone is asked for a DS that is awaited.
const OWN_PARENT: Duration = Duration::from_secs(1);
/// How often it is asked otherwise.
const OWN_PARENT_AT_REST: Duration = Duration::from_secs(600);
/// How often a parent that others serve is asked while nothing is awaited.
const PARENT_AT_REST: Duration = Duration::from_secs(3600);

impl ZoneRoll {
    /// How our own addresses are looked at.
    pub fn own_look(&self, apex: &Name, parent_is_ours: bool) -> Look {
        let expected = build::expected(apex, self.facts(), &self.private, parent_is_ours);
        Look::Own { expected: Box::new(expected), through: self.published }
    }

    /// Something was seen; true where a DS set that is wanted was seen for the first time. `snapshot`: the one that answers;
    /// `poll`: how often a parent that others serve is asked while something is awaited.
    pub fn saw(&mut self, apex: &Name, seen: Seen, snapshot: u64, poll: Seconds, now: Now) -> bool {
        match seen {
            Seen::Own { through, outcome } => return self.saw_own(apex, through, outcome, snapshot, now),
            // Those of pools have a way of their own.
            Seen::Pool { .. } => {}
            Seen::NotHere => self.parent.asked(false, now),
            // It was asked before what it serves now, and that is what must be seen.
            Seen::OwnParent { through, .. } if through != self.published => {
                self.parent.answered(Vec::new(), SETTLED, now);
            }
            Seen::OwnParent { server, outcome, .. } => self.own_parent_seen(apex, server, outcome, now),
            Seen::Parent(round) => self.parent_seen(apex, &round, poll, now),
            Seen::Notified(told) => self::told(apex, &told),
        }
        false
    }

    /// Our own addresses answered, or not as they should.
    fn saw_own(&mut self, apex: &Name, through: u64, outcome: OwnSeen, snapshot: u64, now: Now) -> bool {
        let seen = outcome.map(|facts| self.served(facts.dnskey_ttl, facts.keys_expire, snapshot, now.signing));
        if !self.own_seen(through, seen.map_err(|faults| faults.into_iter().map(|fault| fault.what).collect()), now) {
            return false;
        }
        let is_ds_seen = self.open_steps.iter().any(|(step, _)| matches!(step, Step::WantDs(_)));
        for (step, text) in std::mem::take(&mut self.open_steps) {
            tracing::info!(ZONE = %apex, KEY = keys_of(&step), SNAPSHOT = snapshot, "seen on the wire: {text}");
        }
        is_ds_seen
    }

    /// Our own parent zone was asked.
    fn own_parent_seen(&mut self, apex: &Name, server: SocketAddr, seen: Result<Box<DsSeen>, String>, now: Now) {
        let server = server.to_string();
        self.note_servers(std::slice::from_ref(&server), true, 0, now);
        self.silent.clear();
        let span = match seen {
            Ok(seen) => {
                self.note_ds(apex, &server, &seen, now);
                if self.is_settled() { OWN_PARENT_AT_REST } else { OWN_PARENT }
            }
            Err(why) => {
                self.silent.push((server, why));
                OWN_PARENT
            }
        };
        self.parent.answered(Vec::new(), span, now);
        self.due = now.steady;
    }

    /// A parent that others serve was asked, at all of its addresses.
    fn parent_seen(&mut self, apex: &Name, round: &ParentRound, poll: u64, now: Now) {
        let counted: Vec<&AddressSaw> = round.asked.iter().filter(|saw| !is_excused(saw, round)).collect();
        if round.missing.is_empty() && !counted.is_empty() {
            let servers: Vec<String> = counted.iter().map(|saw| saw.server.to_string()).collect();
            self.note_servers(&servers, false, poll, now);
        }
        self.silent.clear();
        for missing in &round.missing {
            let name = missing.name_server.as_ref().map_or_else(|| "the parent".to_owned(), ToString::to_string);
            self.silent.push((name, missing.why.clone()));
        }
        for saw in counted {
            match &saw.outcome {
                Ok(seen) => self.note_ds(apex, &saw.server.to_string(), seen, now),
                Err(fault) => self.silent.push((saw.server.to_string(), fault.to_string())),
            }
        }
        let is_quiet = self.is_settled() && self.plan.as_ref().is_none_or(|plan| plan.focus == Focus::Rest);
        let poll = Duration::from_secs(poll);
        self.parent.answered(Vec::new(), if is_quiet { PARENT_AT_REST.max(poll) } else { poll }, now);
        self.due = now.steady;
    }

    fn is_settled(&self) -> bool {
        self.facts().parent.agreed() == Some(&self.facts().ds_wanted)
    }

    /// Records who answers for the parent, where that is new.
    fn note_servers(&mut self, servers: &[String], own: bool, rounds_apart: u64, now: Now) {
        let parent = &self.facts().parent;
        let known = parent.servers.iter().map(|server| &server.address);
        if known.eq(servers.iter()) && parent.own == own && parent.rounds_apart == rounds_apart {
            return;
        }
        self.record(Fact::ParentServers { servers: servers.to_vec(), own, rounds_apart }, now);
    }

    /// Records what an address of the parent gave, where that is news.
    fn note_ds(&mut self, apex: &Name, server: &str, seen: &DsSeen, now: Now) {
        let facts = self.facts();
        let (tags, unknown) = match_ds(apex, facts.keys.iter().map(|key| &key.public), &seen.ds);
        let ours = facts.keys.iter().filter(|key| tags.contains(&key.public.tag)).map(|key| key.id);
        let decode = |hex: &String| data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap_or_default();
        let set: KeySet = ours.chain(unknown.iter().map(|hex| KeyId::foreign(&decode(hex)))).collect();
        if !facts.parent.own {
            let (inception, expiration, at) = (seen.inception, seen.expires, now.steady);
            self.parent_signed = Some(ParentSigned { inception, expiration, at });
        }
        let facts = self.facts();
        let (ttl, span) = (seen.ttl.max(seen.original_ttl), seen.expires.0.saturating_sub(seen.inception.0));
        if !facts.parent.is_news(server, &set, ttl, span, now.signing) {
            return;
        }
        let text = set.iter().map(|id| id.tag.to_string()).collect::<Vec<_>>().join(", ");
        let text = if text.is_empty() { "no DS".to_owned() } else { format!("the DS of {text}") };
        tracing::info!(ZONE = %apex, "seen at the parent, {server}: {text}");
        let (server, expires) = (server.to_owned(), seen.expires.0);
        self.record(Fact::ParentSaw { server, tags, unknown, ttl, signature_span: span, expires }, now);
    }
}

/// An address of a family that this machine cannot reach, where the same name server answered at another.
fn is_excused(saw: &AddressSaw, round: &ParentRound) -> bool {
    let is_unreachable =
        matches!(&saw.outcome, Err(SawFault::Ask(fault)) if matches!(fault.trouble, Trouble::NoRoute(_)));
    let answered = |other: &AddressSaw| other.name_server == saw.name_server && other.outcome.is_ok();
    is_unreachable && saw.name_server.is_some() && round.asked.iter().any(answered)
}

/// Whom the parent wants told was told.
fn told(apex: &Name, told: &Result<Vec<Notified>, String>) {
    match told {
        Ok(told) if told.is_empty() => tracing::info!(ZONE = %apex, "the parent wants nobody told of CDS"),
        Ok(told) => {
            for one in told {
                let (target, server) = (one.target.target.to_string(), one.server);
                match &one.outcome {
                    Ok(code) => tracing::info!(ZONE = %apex, %target, %server, code, "told of new CDS (RFC 9859)"),
                    Err(fault) => tracing::warn!(ZONE = %apex, %target, "not told of new CDS: {fault}"),
                }
            }
        }
        Err(why) => tracing::info!(ZONE = %apex, "nobody was told of new CDS: {why}"),
    }
}
