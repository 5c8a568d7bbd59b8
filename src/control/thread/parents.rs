//! What parents were seen to have, and whom they want told: facts for the zones below them.
//!
//! A round in which an address is not known or silent changes nothing but what is said about it.

use crate::control::foresee;
use crate::control::rolls::{ParentSigned, ZoneRoll};
use crate::control::thread::Mind;
use crate::diagnostic::Diagnostic;
use crate::dns::name::Name;
use crate::observe::notify::Notified;
use crate::observe::observer::{Look, WantedLook};
use crate::observe::parent::{AddressSaw, ParentRound, SawFault};
use crate::resolve::client::Trouble;
use crate::resolve::proved::DsSeen;
use crate::roll::zone::check::{KeyId, KeySet};
use crate::roll::zone::facts::Fact;
use crate::roll::zone::goal::Focus;
use crate::roll::zone::parent::match_ds;
use crate::time::Now;
use crate::world::World;
use crate::world::zones::{Keys, ZoneState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How often our own parent zone is asked for a DS that is awaited.
const OWN_PARENT: Duration = Duration::from_secs(1);
/// How often it is asked otherwise.
const OWN_PARENT_AT_REST: Duration = Duration::from_secs(600);
/// How often a parent that others serve is asked while nothing is awaited.
const PARENT_AT_REST: Duration = Duration::from_secs(3600);

impl Mind {
    /// How the parent of a zone is looked at; none where that cannot be said now.
    pub(super) fn parent_look(&self, zone: &ZoneState, through: u64) -> Option<Look> {
        let Some(parent) = &zone.parent else {
            let (parents, anchors) = (self.parents(&zone.apex), Arc::clone(self.eyes.anchors.as_ref()?));
            return Some(Look::Parent { parents, anchors, ahead: self.lives.clock.spread() });
        };
        let keys = match &self.world.zones.get(parent)?.keys {
            Keys::None => None,
            Keys::Loaded(set) => Some(set.published.iter().map(|(key, _)| key.dnskey_data()).collect()),
            Keys::Wanted | Keys::Silent(_) => return None,
        };
        Some(Look::OwnParent { zone: Box::new(parent.clone()), keys, through })
    }

    fn parents(&self, apex: &Name) -> Vec<SocketAddr> {
        let text = apex.to_string();
        self.basis.config.zone_settings(text.trim_end_matches('.')).parents
    }

    /// The parent is told that CDS changed, where it wants to be (RFC 9859).
    pub(super) fn tell_parent(&self, apex: &Name) {
        if let (Some(observer), Some(anchors)) = (&self.eyes.observer, &self.eyes.anchors) {
            let parents = self.parents(apex);
            let ahead = self.lives.clock.spread();
            let look = Look::Tell { parents, anchors: Arc::clone(anchors), ahead };
            // Where there is no place for it the parent finds out by itself.
            drop(observer.ask(WantedLook { zone: apex.clone(), look }));
        }
    }

    /// Reads where trust begins; without it no parent of others is asked.
    pub(super) fn read_anchors(&mut self) -> Option<Diagnostic> {
        let (anchors, fault) = foresee::anchors(&self.basis.config);
        self.eyes.anchors = anchors.map(Arc::new);
        fault
    }
}

/// Why the parent zone of a zone gives no answer, where it is served here.
pub(super) fn silent_parent(world: &World, zone: &ZoneState) -> Option<String> {
    world.zones.get(zone.parent.as_ref()?)?.why_not_served()
}

/// Our own parent zone was asked.
pub(super) fn own_parent_seen(
    apex: &Name,
    roll: &mut ZoneRoll,
    server: SocketAddr,
    seen: Result<Box<DsSeen>, String>,
    now: Now,
) {
    let server = server.to_string();
    note_servers(roll, std::slice::from_ref(&server), true, 0, now);
    roll.silent.clear();
    let span = match seen {
        Ok(seen) => {
            note_ds(apex, roll, &server, &seen, now);
            if is_settled(roll) { OWN_PARENT_AT_REST } else { OWN_PARENT }
        }
        Err(why) => {
            roll.silent.push((server, why));
            OWN_PARENT
        }
    };
    roll.parent.answered(Vec::new(), span, now);
    roll.due = now.steady;
}

/// A parent that others serve was asked, at all of its addresses.
pub(super) fn parent_seen(apex: &Name, roll: &mut ZoneRoll, round: &ParentRound, poll: u64, now: Now) {
    let counted: Vec<&AddressSaw> = round.asked.iter().filter(|saw| !is_excused(saw, round)).collect();
    if round.missing.is_empty() && !counted.is_empty() {
        let servers: Vec<String> = counted.iter().map(|saw| saw.server.to_string()).collect();
        note_servers(roll, &servers, false, poll, now);
    }
    roll.silent.clear();
    for missing in &round.missing {
        let name = missing.name_server.as_ref().map_or_else(|| "the parent".to_owned(), ToString::to_string);
        roll.silent.push((name, missing.why.clone()));
    }
    for saw in counted {
        match &saw.outcome {
            Ok(seen) => note_ds(apex, roll, &saw.server.to_string(), seen, now),
            Err(fault) => roll.silent.push((saw.server.to_string(), fault.to_string())),
        }
    }
    let is_quiet = is_settled(roll) && roll.plan.as_ref().is_none_or(|plan| plan.focus == Focus::Rest);
    let poll = Duration::from_secs(poll);
    roll.parent.answered(Vec::new(), if is_quiet { PARENT_AT_REST.max(poll) } else { poll }, now);
    roll.due = now.steady;
}

/// An address of a family that this machine cannot reach, where the same name server answered at another.
fn is_excused(saw: &AddressSaw, round: &ParentRound) -> bool {
    let is_unreachable =
        matches!(&saw.outcome, Err(SawFault::Ask(fault)) if matches!(fault.trouble, Trouble::NoRoute(_)));
    let answered = |other: &AddressSaw| other.name_server == saw.name_server && other.outcome.is_ok();
    is_unreachable && saw.name_server.is_some() && round.asked.iter().any(answered)
}

/// Whom the parent wants told was told.
pub(super) fn told(apex: &Name, told: &Result<Vec<Notified>, String>) {
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

fn is_settled(roll: &ZoneRoll) -> bool {
    roll.facts().parent.agreed() == Some(&roll.facts().ds_wanted)
}

/// Records who answers for the parent, where that is new.
fn note_servers(roll: &mut ZoneRoll, servers: &[String], own: bool, rounds_apart: u64, now: Now) {
    let parent = &roll.facts().parent;
    let known = parent.servers.iter().map(|server| &server.address);
    if known.eq(servers.iter()) && parent.own == own && parent.rounds_apart == rounds_apart {
        return;
    }
    roll.record(Fact::ParentServers { servers: servers.to_vec(), own, rounds_apart }, now);
}

/// Records what an address of the parent gave, where that is news.
fn note_ds(apex: &Name, roll: &mut ZoneRoll, server: &str, seen: &DsSeen, now: Now) {
    let facts = roll.facts();
    let (tags, unknown) = match_ds(apex, facts.keys.iter().map(|key| &key.public), &seen.ds);
    let ours = facts.keys.iter().filter(|key| tags.contains(&key.public.tag)).map(|key| key.id);
    let decode = |hex: &String| data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap_or_default();
    let set: KeySet = ours.chain(unknown.iter().map(|hex| KeyId::foreign(&decode(hex)))).collect();
    if !facts.parent.own {
        let (inception, expiration, at) = (seen.inception, seen.expires, now.steady);
        roll.parent_signed = Some(ParentSigned { inception, expiration, at });
    }
    let facts = roll.facts();
    let (ttl, span) = (seen.ttl.max(seen.original_ttl), seen.expires.0.saturating_sub(seen.inception.0));
    if !facts.parent.is_news(server, &set, ttl, span, now.signing) {
        return;
    }
    let text = set.iter().map(|id| id.tag.to_string()).collect::<Vec<_>>().join(", ");
    let text = if text.is_empty() { "no DS".to_owned() } else { format!("the DS of {text}") };
    tracing::info!(ZONE = %apex, "seen at the parent, {server}: {text}");
    let (server, expires) = (server.to_owned(), seen.expires.0);
    roll.record(Fact::ParentSaw { server, tags, unknown, ttl, signature_span: span, expires }, now);
}
