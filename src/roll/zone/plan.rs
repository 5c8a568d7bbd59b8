//! What will be done next with a zone's keys, when to look again, what is waited for, and what a person must do.
//!
//! It decides and never acts: a dry run is deciding without acting. How the first step that is permitted is chosen, is written
//! in [`crate::roll::life::plan`]; here is what is a zone's own.

use super::check::{Conflict, History, KEYS_MAX, never_bogus};
use super::fold::{Caution, KeyFacts, ZoneFacts};
use super::goal::{Focus, Goal};
use super::step::{Refusal, Step, permit};
use super::{Conditions, Policy};
use crate::roll::life::TOMBSTONE;
use crate::roll::life::plan::{self as life, Kept, Stage, Subject, decide};
use crate::sign::key::Role;
use crate::sign::{DATA_KEYS_MAX, ENTRY_KEYS_MAX};
use crate::time::UnixTime;

/// What comes next.
pub type Plan = life::Plan<ZoneKeys>;
/// A step that may not be taken yet.
pub type Wait = life::Wait<ZoneKeys>;
/// Why a step waits.
pub type Why = life::Why<ZoneKeys>;
/// Something that stops steps.
pub type Blocker = life::Blocker<ZoneKeys>;

/// The keys of a zone, as a kind of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneKeys;

/// What only a zone's keys wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// The parent does not publish the wanted DS everywhere yet.
    Parent,
    /// The end of a key's life.
    Lifetime,
}

/// What stops only steps of a zone's keys. Names the fact, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A key's private half cannot be used.
    Unreadable(u16, String),
    /// The parent has a DS that names no key of ours: address, DS data in hex.
    UnknownDs(String, String),
    /// The parent has no DS although it had.
    MissingDs(String),
    /// Addresses of the parent that did not answer, or not in a way that validates.
    Silent(Vec<String>),
    /// The parent zone is served here, and gives no answer; why.
    ParentSilent(String),
    /// Another zone rolls now.
    Turn(String),
    /// The DNSKEY RRset is as large as it may get.
    Full,
}

/// All that one decision goes by.
pub struct Situation<'a> {
    facts: &'a ZoneFacts,
    policy: &'a Policy,
    conditions: &'a Conditions,
    goal: Goal<'a>,
    history: History,
    now: UnixTime,
}

/// Keys in a DNSKEY RRset, at most, one less than a set can name, which an import may fill: seven of 68 octets with four signatures fit 1232 octets (invariant I36).
pub const PUBLISHED_MAX: usize = KEYS_MAX - 1;

/// Keys that sign DNSKEY at once, at most: two of each algorithm.
pub const ENTRY_MAX: usize = ENTRY_KEYS_MAX;
/// Keys that sign data at once, at most: one of each algorithm.
pub const SIGNERS_MAX: usize = DATA_KEYS_MAX;

impl Subject for ZoneKeys {
    type Facts = ZoneFacts;
    type Step = Step;
    type Conflict = Conflict;
    type Block = Block;
    type Awaited = Awaited;
    type Focus = Focus;
    type Situation<'a> = Situation<'a>;

    const STAGES: &'static [Stage<ZoneKeys>] = &[steps, lifetimes];

    fn now(look: &Situation<'_>) -> UnixTime {
        look.now
    }

    fn freezes(block: &Block) -> bool {
        match block {
            Block::Unreadable(..) | Block::UnknownDs(..) | Block::MissingDs(_) => true,
            // These stop other steps by other means.
            Block::Silent(_) | Block::ParentSilent(_) | Block::Turn(_) | Block::Full => false,
        }
    }

    fn keeps(look: &Situation<'_>, step: &Step, plan: &Plan) -> Option<Kept<ZoneKeys>> {
        // Of two servers that roll for themselves, each takes steps that the other does not know.
        let is_held = plan.blockers.iter().any(|blocker| matches!(blocker, Blocker::Held(_) | Blocker::Elsewhere(_)));
        if is_held || (plan.is_frozen() && step.takes_away(look.facts)) {
            return Some(Kept::Waits(None, Why::Frozen));
        }
        if is_full(look.facts, step) {
            return Some(Kept::Stopped(Blocker::Own(Block::Full)));
        }
        waits_for_parent(step, look.facts, plan).then_some(Kept::Waits(None, Why::Own(Awaited::Parent)))
    }

    fn permit(look: &Situation<'_>, step: &Step) -> Result<(), Refusal> {
        permit(look.facts, &look.history, step, look.now)
    }
}

/// Decides what comes next.
pub fn plan(facts: &ZoneFacts, policy: &Policy, conditions: &Conditions, now: UnixTime) -> Plan {
    if !facts.first_keys_done || (facts.unsigned && !facts.insecure_wanted()) {
        return Plan::rest(Vec::new(), now);
    }
    let goal = Goal::of(facts, policy);
    let is_emergency = !facts.insecure_wanted() && goal.is_emergency(facts);
    let caution = if is_emergency { Caution::Ttl } else { Caution::Expiry };
    let history = facts.history(now, caution, policy.margin);
    decide(&Situation { facts, policy, conditions, goal, history, now }, blockers(facts, conditions))
}

/// The steps to where the zone should get to.
fn steps(look: &Situation<'_>, plan: &mut Plan) -> Vec<Step> {
    let steps = match look.facts.insecure_wanted() {
        true => insecure(look.facts, plan),
        false => {
            plan.focus = look.goal.focus;
            look.goal.steps(look.facts, look.now)
        }
    };
    if let Err(conflict) = never_bogus(&look.history)
        && !steps.is_empty()
    {
        // A rule that is broken already must not let through what would break it further (BIND GL#5458).
        plan.blockers.push(Blocker::Broken(conflict));
    }
    steps
}

fn tombstone(key: &KeyFacts) -> Option<UnixTime> {
    let is_kept = key.destroyed.is_none() && !key.file.is_empty();
    key.removed.filter(|_| is_kept && !key.signs_data()).map(|removed| removed.after(TOMBSTONE))
}

/// Whether one more key would make answers too large (invariant I36).
fn is_full(facts: &ZoneFacts, step: &Step) -> bool {
    let set = facts.key_set();
    match step {
        Step::Publish(tag) => {
            let is_entry = facts.key(*tag).is_some_and(KeyFacts::signs_keys);
            set.published.len() >= PUBLISHED_MAX || (is_entry && set.signers.len() >= ENTRY_MAX)
        }
        Step::Sign(_) => facts.signers().len() >= SIGNERS_MAX,
        // None of the others adds a key.
        _ => false,
    }
}

/// An entry key goes only while every address of the parent shows just the wanted DS, now and not only once.
fn waits_for_parent(step: &Step, facts: &ZoneFacts, plan: &Plan) -> bool {
    let Step::Remove(tag) = step else { return false };
    let is_entry = facts.key(*tag).is_some_and(|key| key.role != Role::Zsk && key.published.is_some());
    let is_silent =
        plan.blockers.iter().any(|blocker| matches!(blocker, Blocker::Own(Block::Silent(_) | Block::ParentSilent(_))));
    let was_wanted = facts.parent.secure_since.is_some() || !facts.parent.versions.is_empty();
    is_entry && was_wanted && (is_silent || facts.parent.agreed() != Some(&facts.ds_wanted))
}

fn blockers(facts: &ZoneFacts, conditions: &Conditions) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    blockers.extend(facts.held.clone().map(Blocker::Held));
    blockers.extend(facts.doubt.clone().map(Blocker::Doubt));
    blockers.extend(conditions.clock.clone().map(Blocker::Clock));
    blockers.extend(conditions.elsewhere.clone().map(Blocker::Elsewhere));
    blockers.extend(conditions.disk.clone().map(Blocker::Disk));
    blockers.extend(conditions.unreadable.iter().map(|(tag, why)| Blocker::Own(Block::Unreadable(*tag, why.clone()))));
    let unknown =
        facts.parent.unknown().map(|(address, ds)| Blocker::Own(Block::UnknownDs(address.to_owned(), ds.to_owned())));
    blockers.extend(unknown);
    blockers.extend(missing(facts));
    blockers.extend(conditions.own_parent.clone().map(|why| Blocker::Own(Block::ParentSilent(why))));
    if !conditions.silent.is_empty() {
        blockers.push(Blocker::Own(Block::Silent(conditions.silent.clone())));
    }
    blockers
}

/// A zone that was secure has no DS at some address, and nobody wanted that.
fn missing(facts: &ZoneFacts) -> Option<Blocker> {
    if facts.ds_wanted.is_empty() || facts.parent.secure_since.is_none() {
        return None;
    }
    let bare = facts.parent.servers.iter().find(|server| server.saw.as_ref().is_some_and(|saw| saw.set.is_empty()));
    bare.map(|server| Blocker::Own(Block::MissingDs(server.address.clone())))
}

/// Keys whose life has ended are replaced, one kind at a time, where nothing else is under way.
fn lifetimes(look: &Situation<'_>, plan: &mut Plan) -> Vec<Step> {
    if look.facts.insecure_wanted() || look.goal.focus != Focus::Rest {
        return Vec::new();
    }
    let next = next_life(look, plan);
    // One that is due and may not be wiped now brings nothing forward, or its owner would look all the time.
    let wiped = look.facts.keys.iter().filter_map(tombstone).filter(|at| *at > look.now);
    plan.wake_at = wiped.chain([plan.wake_at]).min().unwrap_or(look.now);
    next.into_iter().collect()
}

fn next_life(look: &Situation<'_>, plan: &mut Plan) -> Option<Step> {
    let (goal, policy) = (&look.goal, look.policy);
    let keys = if goal.entry.map(|key| key.id) == goal.data.map(|key| key.id) {
        [goal.entry, None]
    } else {
        [goal.data, goal.entry]
    };
    for key in keys.into_iter().flatten() {
        let lifetime = match key.role {
            Role::Csk => policy.csk_lifetime,
            Role::Ksk => policy.ksk_lifetime,
            Role::Zsk => policy.zsk_lifetime,
        };
        let (Some(lifetime), Some(began)) = (lifetime, key.activated.or(key.published)) else { continue };
        let due = began.after(lifetime);
        let step = Step::Retire(vec![key.public.tag], "the end of its life".to_owned());
        if plan.is_frozen() || plan.blockers.iter().any(|blocker| matches!(blocker, Blocker::Held(_))) {
            continue;
        }
        match &look.conditions.turn {
            _ if due > look.now => {
                plan.waits.push(Wait { step, until: Some(due), why: Why::Own(Awaited::Lifetime) });
                plan.wake_at = plan.wake_at.min(due);
            }
            Some(other) => plan.blockers.push(Blocker::Own(Block::Turn(other.clone()))),
            None => return Some(step),
        }
    }
    None
}

/// Going insecure: the DS goes, everybody is seen to know, caches forget it, then signatures end (RFC 8078 § 4).
fn insecure(facts: &ZoneFacts, plan: &mut Plan) -> Vec<Step> {
    if facts.unsigned {
        return Vec::new();
    }
    plan.focus = Focus::All;
    if !facts.ds_wanted.is_empty() {
        return vec![Step::WantDs(Vec::new())];
    }
    let is_gone = facts.parent.agreed().is_some_and(super::check::KeySet::is_empty);
    if facts.parent.secure_since.is_some() && !is_gone {
        plan.waits.push(Wait { step: Step::Unsign, until: None, why: Why::Own(Awaited::Parent) });
        return Vec::new();
    }
    vec![Step::Unsign]
}
