//! What will be done next with a zone's keys, when to look again, what is waited for, and what a person must do.
//!
//! It decides and never acts: a dry run is deciding without acting.

use super::check::{Conflict, never_bogus};
use super::fold::{Caution, KeyFacts, ZoneFacts};
use super::goal::{Focus, Goal, TOMBSTONE};
use super::step::{Refusal, Step, permit};
use super::{Conditions, Policy};
use crate::sign::key::Role;
use crate::time::UnixTime;

/// When to look again where nothing is known to happen.
const LOOK_AGAIN: u64 = 86_400;

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The step that may be taken now, proved.
    pub next: Option<Step>,
    /// When to look again; things that are seen meanwhile may bring it forward.
    pub wake_at: UnixTime,
    /// Steps that are to come and may not be taken yet.
    pub waits: Vec<Wait>,
    /// What stands in the way, and what a person must do about it.
    pub blockers: Vec<Blocker>,
    /// Which keys are being changed.
    pub focus: Focus,
}

/// A step that may not be taken yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The step.
    pub step: Step,
    /// Until when; none: until something is seen.
    pub until: Option<UnixTime>,
    /// Why.
    pub why: Why,
}

/// Why a step waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Caches may hold what would not fit.
    Caches(Box<Conflict>),
    /// What was published was not seen on the wire yet.
    Unseen(Box<Conflict>),
    /// The parent does not publish the wanted DS everywhere yet.
    Parent,
    /// The end of a key's life.
    Lifetime,
    /// Something is in doubt, and nothing is removed meanwhile.
    Frozen,
}

/// Something that stops steps. Names the fact, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// An operator said so.
    Held(String),
    /// The past is not certain.
    Doubt(String),
    /// The clock cannot be trusted now.
    Clock(String),
    /// Another server may roll these keys; why.
    Elsewhere(String),
    /// The disk takes no facts.
    Disk(String),
    /// A key's private half cannot be used.
    Unreadable(u16, String),
    /// The parent has a DS that names no key of ours: address, DS data in hex.
    UnknownDs(String, String),
    /// The parent has no DS although it had.
    MissingDs(String),
    /// What caches may hold now is bogus already.
    Broken(Box<Conflict>),
    /// Addresses of the parent that did not answer, or not in a way that validates.
    Silent(Vec<String>),
    /// The parent zone is served here, and gives no answer; why.
    ParentSilent(String),
    /// Another zone rolls now.
    Turn(String),
    /// The DNSKEY RRset is as large as it may get.
    Full,
}

impl Blocker {
    /// Whether nothing is removed while it stands.
    pub fn freezes(&self) -> bool {
        match self {
            Blocker::Doubt(_)
            | Blocker::Clock(_)
            | Blocker::Elsewhere(_)
            | Blocker::Disk(_)
            | Blocker::Unreadable(..)
            | Blocker::UnknownDs(..)
            | Blocker::MissingDs(_)
            | Blocker::Broken(_) => true,
            // These stop other steps by other means.
            Blocker::Held(_) | Blocker::Silent(_) | Blocker::ParentSilent(_) | Blocker::Turn(_) | Blocker::Full => {
                false
            }
        }
    }
}

/// Keys in a DNSKEY RRset, at most: seven of 68 octets with four signatures fit 1232 octets (invariant I36).
pub const PUBLISHED_MAX: usize = 7;

/// Keys that sign DNSKEY at once, at most: two of each algorithm.
pub const ENTRY_MAX: usize = 4;
/// Keys that sign data at once, at most: one of each algorithm.
pub const SIGNERS_MAX: usize = 2;

/// Decides what comes next.
pub fn plan(facts: &ZoneFacts, policy: &Policy, conditions: &Conditions, now: UnixTime) -> Plan {
    let mut plan = Plan {
        next: None,
        wake_at: now.after(LOOK_AGAIN),
        waits: Vec::new(),
        blockers: Vec::new(),
        focus: Focus::Rest,
    };
    if !facts.first_keys_done || (facts.unsigned && !facts.insecure_wanted) {
        return plan;
    }
    plan.blockers = blockers(facts, conditions);
    if facts.insecure_wanted {
        insecure(facts, policy, &mut plan, now);
        return plan;
    }
    let goal = Goal::of(facts, policy);
    plan.focus = goal.focus;
    let steps = goal.steps(facts, now);
    let caution = if goal.is_emergency(facts) { Caution::Ttl } else { Caution::Expiry };
    consider(steps, facts, policy, caution, &mut plan, now);
    if goal.focus == Focus::Rest && plan.next.is_none() {
        lifetimes(&goal, policy, conditions, &mut plan, now);
        // One that is due and may not be wiped now brings nothing forward, or its owner would look all the time.
        let wiped = facts.keys.iter().filter_map(tombstone).filter(|at| *at > now);
        plan.wake_at = wiped.chain([plan.wake_at]).min().unwrap_or(now);
    }
    plan
}

fn tombstone(key: &KeyFacts) -> Option<UnixTime> {
    let is_kept = key.destroyed.is_none() && !key.file.is_empty();
    key.removed.filter(|_| is_kept && !key.signs_data()).map(|removed| removed.after(TOMBSTONE))
}

/// Takes the first of `steps` that is permitted; what keeps the others is noted.
fn consider(steps: Vec<Step>, facts: &ZoneFacts, policy: &Policy, caution: Caution, plan: &mut Plan, now: UnixTime) {
    let history = facts.history(now, caution, policy.margin);
    if let Err(conflict) = never_bogus(&history)
        && !steps.is_empty()
    {
        // A rule that is broken already must not let through what would break it further (BIND GL#5458).
        plan.blockers.push(Blocker::Broken(conflict));
    }
    // Of two servers that roll for themselves, each takes steps that the other does not know.
    let is_held = plan.blockers.iter().any(|blocker| matches!(blocker, Blocker::Held(_) | Blocker::Elsewhere(_)));
    let is_frozen = plan.blockers.iter().any(Blocker::freezes);
    for step in steps {
        if is_held || (is_frozen && step.takes_away(facts)) {
            plan.waits.push(Wait { step, until: None, why: Why::Frozen });
            continue;
        }
        if is_full(facts, &step) {
            plan.blockers.push(Blocker::Full);
            continue;
        }
        if waits_for_parent(&step, facts, plan) {
            plan.waits.push(Wait { step, until: None, why: Why::Parent });
            continue;
        }
        match permit(facts, &history, &step, now) {
            Ok(()) => {
                plan.next = Some(step);
                plan.wake_at = now;
                return;
            }
            Err(Refusal { until: Some(until), conflict }) => {
                plan.wake_at = plan.wake_at.min(until.after(1)).max(now);
                plan.waits.push(Wait { step, until: Some(until), why: Why::Caches(conflict) });
            }
            Err(Refusal { until: None, conflict }) => {
                plan.waits.push(Wait { step, until: None, why: Why::Unseen(conflict) });
            }
        }
    }
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
        plan.blockers.iter().any(|blocker| matches!(blocker, Blocker::Silent(_) | Blocker::ParentSilent(_)));
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
    blockers.extend(conditions.unreadable.iter().map(|(tag, why)| Blocker::Unreadable(*tag, why.clone())));
    let unknown = facts.parent.unknown().map(|(address, ds)| Blocker::UnknownDs(address.to_owned(), ds.to_owned()));
    blockers.extend(unknown);
    blockers.extend(missing(facts));
    blockers.extend(conditions.own_parent.clone().map(Blocker::ParentSilent));
    if !conditions.silent.is_empty() {
        blockers.push(Blocker::Silent(conditions.silent.clone()));
    }
    blockers
}

/// A zone that was secure has no DS at some address, and nobody wanted that.
fn missing(facts: &ZoneFacts) -> Option<Blocker> {
    if facts.ds_wanted.is_empty() || facts.parent.secure_since.is_none() {
        return None;
    }
    let bare = facts.parent.servers.iter().find(|server| server.saw.as_ref().is_some_and(|saw| saw.set.is_empty()));
    bare.map(|server| Blocker::MissingDs(server.address.clone()))
}

/// Keys whose life has ended are replaced, one kind at a time.
fn lifetimes(goal: &Goal<'_>, policy: &Policy, conditions: &Conditions, plan: &mut Plan, now: UnixTime) {
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
        if plan.blockers.iter().any(|blocker| blocker.freezes() || matches!(blocker, Blocker::Held(_))) {
            continue;
        }
        match &conditions.turn {
            _ if due > now => {
                plan.waits.push(Wait { step, until: Some(due), why: Why::Lifetime });
                plan.wake_at = plan.wake_at.min(due);
            }
            Some(other) => plan.blockers.push(Blocker::Turn(other.clone())),
            None => {
                plan.next = Some(step);
                plan.wake_at = now;
                return;
            }
        }
    }
}

/// Going insecure: the DS goes, everybody is seen to know, caches forget it, then signatures end (RFC 8078 § 4).
fn insecure(facts: &ZoneFacts, policy: &Policy, plan: &mut Plan, now: UnixTime) {
    plan.focus = Focus::All;
    if facts.unsigned {
        plan.focus = Focus::Rest;
        return;
    }
    let steps = if facts.ds_wanted.is_empty() { vec![Step::Unsign] } else { vec![Step::WantDs(Vec::new())] };
    let is_gone = facts.parent.agreed().is_some_and(super::check::KeySet::is_empty);
    if facts.ds_wanted.is_empty() && facts.parent.secure_since.is_some() && !is_gone {
        plan.waits.push(Wait { step: Step::Unsign, until: None, why: Why::Parent });
        return;
    }
    consider(steps, facts, policy, Caution::Expiry, plan, now);
}
