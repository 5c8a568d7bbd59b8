//! What will be done next with a pool, when to look again, what is waited for, and what a person must do.
//!
//! It decides and never acts: a dry run is deciding without acting.

use super::check::{AddressSet, Conflict, History, Offer, SpkiSet, dane_ok};
use super::facts::Origin;
use super::fold::{Caution, KeyFacts, PoolFacts, spans};
use super::step::{Refusal, Step, permit};
use super::{Conditions, KEYS_MAX, Policy, Wanted};
use crate::cert::{KeyKind, Spki};
use crate::roll::goal::TOMBSTONE;
use crate::time::UnixTime;
use std::collections::BTreeSet;
use std::net::IpAddr;

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
    /// Senders may hold, or meet, what would not fit.
    Caches(Box<Conflict>),
    /// Hosts were not seen to have changed yet, or what was published was not seen on the wire.
    Unseen(Box<Conflict>),
    /// Hosts that were not looked at yet, or whose last look failed.
    Looks(AddressSet),
    /// Something is in doubt, and nothing is removed meanwhile.
    Frozen,
}

/// Something that stops steps. Names the fact, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocker {
    /// The past is not certain.
    Doubt(String),
    /// The clock cannot be trusted now.
    Clock(String),
    /// The disk takes no facts.
    Disk(String),
    /// What senders hold and meet now does not fit already.
    Broken(Box<Conflict>),
    /// A host whose last look failed, and why.
    Silent(IpAddr, String),
    /// A new host is not served yet: the key that it shows, where it shows one that does not fit.
    NotAdmitted(IpAddr, Option<Spki>),
    /// There is no next key of this kind, and none can be made here.
    NeedsKey(KeyKind),
    /// There are as many TLSA as an answer may hold.
    Full,
    /// Tenants have so many addresses of their own with its TLSA that not all hosts there can be looked at.
    LeftOut(usize),
}

impl Blocker {
    /// Whether nothing is removed while it stands.
    pub fn freezes(&self) -> bool {
        match self {
            Blocker::Doubt(_) | Blocker::Clock(_) | Blocker::Disk(_) | Blocker::Broken(_) | Blocker::LeftOut(_) => true,
            Blocker::Silent(..) | Blocker::NotAdmitted(..) | Blocker::NeedsKey(_) | Blocker::Full => false,
        }
    }
}

/// Decides what comes next.
pub fn plan(facts: &PoolFacts, wanted: &Wanted, policy: &Policy, conditions: &Conditions, now: UnixTime) -> Plan {
    let mut blockers = blockers(facts, conditions);
    blockers.extend(Some(Blocker::LeftOut(wanted.left_out)).filter(|_| wanted.left_out > 0 && policy.probed));
    let mut plan = Plan { next: None, wake_at: now.after(LOOK_AGAIN), waits: Vec::new(), blockers };
    let shows = conditions.shows.clone().unwrap_or_else(|| facts.showings(policy.probed));
    let history = |caution| facts.history(&shows, caution, policy.margin, now);
    let whole = history(Caution::Expiry);
    if let Err(conflict) = dane_ok(&whole) {
        // A rule that is broken already must not let through what would break it further (BIND GL#5458).
        plan.blockers.push(Blocker::Broken(conflict));
    }
    let desired = desired(facts, wanted, policy, now);
    if let Some(step) = publish(facts, &desired, &mut plan) {
        return taken(plan, step, now);
    }
    let drained = drained(facts, policy, conditions, &mut plan, now);
    if let Some(step) = admit(facts, wanted, policy, (&whole, &drained), &mut plan, now) {
        return taken(plan, step, now);
    }
    let outgoing: Vec<&KeyFacts> =
        facts.keys.iter().filter(|key| is_served(key) && !desired.contains(&key.spki)).collect();
    if let Some(step) = create(facts, wanted, policy, &outgoing, &mut plan) {
        return taken(plan, step, now);
    }
    for key in outgoing {
        let caution =
            if key.given_up.as_ref().is_some_and(|given| given.emergency) { Caution::Ttl } else { Caution::Expiry };
        let step = Step::Withdraw(key.spki);
        if let Some(wait) = stopped(&step, conditions, policy, &plan) {
            plan.waits.push(wait);
            continue;
        }
        let lingering = spans(&shows, caution, policy.margin, now);
        match permit(facts, &history(caution), &lingering, &step, now) {
            Ok(()) => return taken(plan, step, now),
            Err(refusal) => wait(&mut plan, step, refusal, now),
        }
    }
    destroy(facts, plan, now)
}

fn taken(plan: Plan, step: Step, now: UnixTime) -> Plan {
    Plan { next: Some(step), wake_at: now, ..plan }
}

fn is_served(key: &KeyFacts) -> bool {
    key.published.is_some() && key.removed.is_none()
}

/// The keys whose TLSA should be served now.
pub fn desired(facts: &PoolFacts, wanted: &Wanted, policy: &Policy, now: UnixTime) -> SpkiSet {
    let mut keys: SpkiSet = wanted.current.keys().chain(&wanted.given).copied().collect();
    if let Some((before, addresses)) = &wanted.before
        && facts.served_addresses() != wanted.addresses
        && !addresses.is_disjoint(&facts.reachable(policy.margin, now))
    {
        keys.extend(before);
    }
    if keys.is_empty() {
        // No key is spoken of: DANE is not wanted, whatever hosts show.
        return keys;
    }
    let kinds = kinds(facts, wanted);
    let is_next = |key: &&KeyFacts| {
        is_next(key) && (key.origin == Origin::Staged || key.kind.is_none_or(|kind| kinds.contains(&kind)))
    };
    keys.extend(facts.keys.iter().filter(is_next).map(|key| key.spki));
    let is_permitted = |key: &&KeyFacts| is_served(key) && key.permitted.is_some_and(|until| until >= now);
    keys.extend(facts.keys.iter().filter(is_permitted).map(|key| key.spki));
    let reachable = facts.reachable(policy.margin, now);
    let shown =
        facts.shows.iter().filter(|version| version.last.is_none() && reachable.contains(&version.what.address));
    keys.extend(shown.filter_map(|version| match version.what.offer {
        Offer::Key(spki) => Some(spki).filter(|spki| facts.key(*spki).is_some()),
        Offer::Plain => None,
    }));
    keys
}

/// Whether a key waits here to be used.
pub fn is_next(key: &KeyFacts) -> bool {
    let is_here = matches!(key.origin, Origin::Made | Origin::Staged) && key.destroyed.is_none();
    is_here && key.deployed.is_none() && key.given_up.is_none() && key.removed.is_none()
}

/// Kinds of keys that the pool has.
fn kinds(facts: &PoolFacts, wanted: &Wanted) -> BTreeSet<KeyKind> {
    let given = wanted.given.iter().filter_map(|spki| facts.key(*spki)?.kind);
    wanted.current.values().copied().chain(given).collect()
}

/// TLSA that are missing are served at once: more of them never break a match (RFC 7671 § 8).
fn publish(facts: &PoolFacts, desired: &SpkiSet, plan: &mut Plan) -> Option<Step> {
    let served = facts.served_keys();
    let missing: SpkiSet = desired.difference(&served).filter(|spki| facts.key(**spki).is_some()).copied().collect();
    if missing.is_empty() {
        return None;
    }
    // What is named or shown now comes before what may be needed later.
    let is_needed = |spki: &&Spki| !facts.key(**spki).is_some_and(is_next);
    let (needed, next): (Vec<&Spki>, Vec<&Spki>) = missing.iter().partition(is_needed);
    let room = KEYS_MAX.saturating_sub(served.len());
    if missing.len() > room {
        plan.blockers.push(Blocker::Full);
    }
    // The first set holds what hosts show already: of the next keys caches may know nothing yet, and their wait begins.
    let is_first = facts.tlsa.is_empty() && !needed.is_empty();
    let chosen = needed.into_iter().chain(next.into_iter().filter(|_| !is_first));
    let chosen: SpkiSet = chosen.take(room).copied().collect();
    (!chosen.is_empty()).then_some(Step::Publish(chosen))
}

/// Hosts whose addresses are to go because they offer no STARTTLS: mail finds the others then, and TLSA stay.
fn drained(facts: &PoolFacts, policy: &Policy, conditions: &Conditions, plan: &mut Plan, now: UnixTime) -> AddressSet {
    let mut drained = AddressSet::new();
    let Some(after) = policy.drain.filter(|_| policy.probed && !facts.served_keys().is_empty()) else { return drained };
    let plain = facts.shows.iter().filter(|version| version.last.is_none() && version.what.offer == Offer::Plain);
    for version in plain.filter(|version| !conditions.unseen.contains(&version.what.address)) {
        let at = version.since.after(after);
        if at <= now {
            drained.insert(version.what.address);
        } else {
            plan.wake_at = plan.wake_at.min(at);
        }
    }
    drained
}

/// Addresses that are gone from the files go at once, and new ones come once their hosts fit what senders may hold.
fn admit(
    facts: &PoolFacts,
    wanted: &Wanted,
    policy: &Policy,
    (history, drained): (&History, &AddressSet),
    plan: &mut Plan,
    now: UnixTime,
) -> Option<Step> {
    let served = facts.served_addresses();
    if served == wanted.addresses && drained.is_empty() {
        return None;
    }
    if facts.addresses.is_empty() {
        return Some(Step::Admit(wanted.addresses.clone()));
    }
    let left: AddressSet = served.intersection(&wanted.addresses).copied().collect();
    let mut set: AddressSet = left.difference(drained).copied().collect();
    if set.is_empty() {
        // The last ones stay: without any address, mail waits for all senders.
        set = left;
    }
    for address in wanted.addresses.difference(&served) {
        let step = Step::Admit([*address].into());
        let is_known = !policy.probed || facts.between.is_some() || is_seen(facts, *address);
        match permit(facts, history, &[], &step, now) {
            Ok(()) if is_known => drop(set.insert(*address)),
            Ok(()) => plan.blockers.push(Blocker::NotAdmitted(*address, None)),
            Err(refusal) => {
                let shown = match refusal.conflict.showing.offer {
                    Offer::Key(spki) => Some(spki),
                    Offer::Plain => None,
                };
                if facts.between.is_none() {
                    plan.blockers.push(Blocker::NotAdmitted(*address, shown));
                }
                wait(plan, step, refusal, now);
            }
        }
    }
    // The last hosts stay until others can take their place.
    let is_good = set != served && (!set.is_empty() || wanted.addresses.is_empty());
    is_good.then_some(Step::Admit(set))
}

/// Whether a host was seen to show a key.
fn is_seen(facts: &PoolFacts, address: IpAddr) -> bool {
    let shows_key =
        |showing: &super::check::Showing| showing.address == address && matches!(showing.offer, Offer::Key(_));
    facts.shows.iter().any(|version| version.last.is_none() && shows_key(&version.what))
}

/// A next key for each kind, once the roll before has ended.
fn create(
    facts: &PoolFacts,
    wanted: &Wanted,
    policy: &Policy,
    outgoing: &[&KeyFacts],
    plan: &mut Plan,
) -> Option<Step> {
    if !policy.makes_next || facts.between.is_some() {
        return None;
    }
    for kind in kinds(facts, wanted) {
        let has_next = facts.keys.iter().any(|key| is_next(key) && key.kind == Some(kind));
        // One change at a time (invariant I33): while hosts go over to a key that files do not name yet, none is made.
        let used = facts.keys.iter().filter(|key| is_served(key) && !is_next(key) && key.kind == Some(kind)).count();
        let named = wanted.current.values().filter(|named| **named == kind).count().max(1);
        if has_next || used > named || outgoing.iter().any(|key| key.kind == Some(kind)) {
            continue;
        }
        if facts.served_keys().len() >= KEYS_MAX {
            plan.blockers.push(Blocker::Full);
            continue;
        }
        match kind {
            KeyKind::Rsa => plan.blockers.push(Blocker::NeedsKey(kind)),
            KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::Ed25519 => return Some(Step::Create(kind)),
        }
    }
    None
}

/// Why nothing is taken away now.
fn stopped(step: &Step, conditions: &Conditions, policy: &Policy, plan: &Plan) -> Option<Wait> {
    let why = if plan.blockers.iter().any(Blocker::freezes) {
        Why::Frozen
    } else {
        let silent = conditions.silent.keys().chain(&conditions.unseen).copied().collect::<AddressSet>();
        if silent.is_empty() || !policy.probed {
            return None;
        }
        Why::Looks(silent)
    };
    Some(Wait { step: step.clone(), until: None, why })
}

fn wait(plan: &mut Plan, step: Step, refusal: Refusal, now: UnixTime) {
    let Refusal { until, conflict } = refusal;
    match until {
        Some(until) => {
            plan.wake_at = plan.wake_at.min(until.after(1)).max(now);
            plan.waits.push(Wait { step, until: Some(until), why: Why::Caches(conflict) });
        }
        None => plan.waits.push(Wait { step, until: None, why: Why::Unseen(conflict) }),
    }
}

fn blockers(facts: &PoolFacts, conditions: &Conditions) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    blockers.extend(facts.doubt.clone().map(Blocker::Doubt));
    blockers.extend(conditions.clock.clone().map(Blocker::Clock));
    blockers.extend(conditions.disk.clone().map(Blocker::Disk));
    blockers.extend(conditions.silent.iter().map(|(address, why)| Blocker::Silent(*address, why.clone())));
    blockers
}

/// Private halves of keys that left long ago are wiped; permits that end are looked at.
fn destroy(facts: &PoolFacts, plan: Plan, now: UnixTime) -> Plan {
    let mut plan = plan;
    for key in facts.keys.iter().filter(|key| !key.file.is_empty() && key.destroyed.is_none()) {
        // One that was given up before it was ever published leaves nothing behind in caches.
        let unused = key.given_up.as_ref().filter(|_| key.published.is_none()).map(|given| given.since);
        let Some(at) = key.removed.or(unused).map(|gone| gone.after(TOMBSTONE)) else { continue };
        if at <= now {
            return taken(plan, Step::Destroy(key.spki), now);
        }
        plan.wake_at = plan.wake_at.min(at);
    }
    let permits = facts.keys.iter().filter_map(|key| key.permitted).filter(|until| *until >= now);
    plan.wake_at = permits.map(|until| until.after(1)).chain([plan.wake_at]).min().unwrap_or(now);
    plan
}

/// Whether a key was made or brought in here, so that nobody is surprised by it.
pub fn is_known_here(key: &KeyFacts) -> bool {
    matches!(key.origin, Origin::Made | Origin::Staged)
}
