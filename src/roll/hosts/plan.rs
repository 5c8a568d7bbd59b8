//! What will be done next with a pool, when to look again, what is waited for, and what a person must do.
//!
//! It decides and never acts: a dry run is deciding without acting. How the first step that is permitted is chosen, is written
//! in [`crate::roll::life::plan`]; here is what is a pool's own.

mod admit;
mod withdraw;

use super::check::{AddressSet, Conflict, History, Offer, Showing, SpkiSet, dane_ok};
use super::facts::Origin;
use super::fold::{Caution, KeyFacts, PoolFacts};
use super::step::{Refusal, Step, permit};
use super::{Conditions, KEYS_MAX, NextKeys, Policy, UNNAMED_MAX, Wanted};
use crate::cert::{KeyKind, Spki};
use crate::roll::item::{Span, Version, spans};
use crate::roll::life::TOMBSTONE;
use crate::roll::life::plan::{self as life, Kept, Stage, Subject, decide};
use crate::time::UnixTime;
use std::collections::BTreeSet;
use std::net::IpAddr;
pub use withdraw::is_disowned;

/// What comes next.
pub type Plan = life::Plan<HostKeys>;
/// A step that may not be taken yet.
pub type Wait = life::Wait<HostKeys>;
/// Why a step waits.
pub type Why = life::Why<HostKeys>;
/// Something that stops steps.
pub type Blocker = life::Blocker<HostKeys>;

/// TLSA records, addresses and keys of a pool's hosts, as a kind of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostKeys;

/// What only a pool waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// Hosts that were not looked at yet, or whose last look failed.
    Looks(AddressSet),
    /// Hosts at tenants' own addresses show it, or could not be looked at; and until when it is minded that they did.
    Apart(AddressSet),
}

/// What stops only steps of a pool. Names the fact, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// What senders hold and meet does not fit already, and an operator has said since that all may go on.
    Accepted(Box<Conflict>),
    /// A host whose last look failed, and why.
    Silent(IpAddr, String),
    /// A new host is not served yet: what it shows, where that does not fit.
    NotAdmitted(IpAddr, Option<Offer>),
    /// There is no next key of this kind, and none can be made here.
    NeedsKey(KeyKind),
    /// There are as many TLSA as an answer may hold.
    Full,
    /// A key was given up, and its TLSA stays since files name it, or since hosts show it.
    GivenUp {
        /// The key.
        spki: Spki,
        /// Whether it may be in foreign hands.
        emergency: bool,
        /// Whether files name it.
        is_named: bool,
        /// Hosts that show it.
        hosts: AddressSet,
    },
    /// Tenants have so many addresses of their own with its TLSA that not all hosts there can be looked at.
    LeftOut(usize),
}

/// All that one decision goes by.
pub struct Situation<'a> {
    facts: &'a PoolFacts,
    wanted: &'a Wanted,
    policy: &'a Policy,
    conditions: &'a Conditions,
    /// What hosts show.
    shows: &'a [Version<Showing>],
    /// All that senders may hold and meet.
    whole: &'a History,
    /// The keys whose TLSA should be served.
    desired: &'a SpkiSet,
    now: UnixTime,
}

impl Situation<'_> {
    /// Keys whose TLSA is served and should not be.
    fn outgoing(&self) -> impl Iterator<Item = &KeyFacts> {
        self.facts.keys.iter().filter(|key| key.is_served() && !self.desired.contains(&key.spki))
    }
}

impl Subject for HostKeys {
    type Facts = PoolFacts;
    type Step = Step;
    type Conflict = Conflict;
    type Block = Block;
    type Awaited = Awaited;
    type Focus = ();
    type Situation<'a> = Situation<'a>;

    const STAGES: &'static [Stage<HostKeys>] = &[publish, admit::admit, create, withdraw, destroy];

    fn now(look: &Situation<'_>) -> UnixTime {
        look.now
    }

    fn freezes(_: &Block) -> bool {
        // Whatever else is wrong with a pool holds up what it is about, and no more.
        false
    }

    fn keeps(look: &Situation<'_>, step: &Step, plan: &Plan) -> Option<Kept<HostKeys>> {
        // A private half that is wiped comes back by no command, so a doubt about the clock or the past stops that, too.
        if matches!(step, Step::Destroy(_)) && plan.is_frozen() {
            return Some(Kept::Waits(None, Why::Frozen));
        }
        withdraw::stopped(look, outgoing(look, step)?, plan)
    }

    /// More TLSA never break a match, and the addresses to admit were proved one by one ([`admit`]). What a person has
    /// disowned goes, whoever shows it.
    fn permit(look: &Situation<'_>, step: &Step) -> Result<(), Refusal> {
        let Some(key) = outgoing(look, step).filter(|key| !is_disowned(key, look.wanted)) else { return Ok(()) };
        let (facts, margin, now) = (look.facts, look.policy.margin, look.now);
        let is_emergency = key.given_up.as_ref().is_some_and(|given| given.emergency);
        let caution = if is_emergency { Caution::Ttl } else { Caution::Expiry };
        let lingering = spans(&facts.met(look.shows, key), caution, margin, now);
        permit(facts, &facts.history(look.shows, caution, margin, now), &lingering, step, now)
    }

    fn keeps_proved(look: &Situation<'_>, step: &Step) -> Option<Kept<HostKeys>> {
        withdraw::held(look, outgoing(look, step).filter(|key| !is_disowned(key, look.wanted))?)
    }
}

/// The key whose TLSA a step takes away; none: it takes none away.
fn outgoing<'l>(look: &'l Situation<'_>, step: &Step) -> Option<&'l KeyFacts> {
    match step {
        Step::Withdraw(spki) => look.facts.key(*spki),
        Step::Create(_) | Step::Publish(_) | Step::Admit(_) | Step::Destroy(_) => None,
    }
}

/// Decides what comes next.
pub fn plan(facts: &PoolFacts, wanted: &Wanted, policy: &Policy, conditions: &Conditions, now: UnixTime) -> Plan {
    let shows = conditions.shows.clone().unwrap_or_else(|| facts.showings(policy.probed));
    let whole = facts.history(&shows, Caution::Expiry, policy.margin, now);
    let mut blockers = blockers(facts, conditions);
    let is_left_out = wanted.left_out > 0 && policy.probed;
    blockers.extend(is_left_out.then_some(Blocker::Own(Block::LeftOut(wanted.left_out))));
    blockers.extend(given_up(facts, wanted));
    // A rule that is broken already must not let through what would break it further (BIND GL#5458).
    blockers.extend(broken(facts, &whole));
    let desired = &desired(facts, wanted, policy, now);
    decide(&Situation { facts, wanted, policy, conditions, shows: &shows, whole: &whole, desired, now }, blockers)
}

/// TLSA that nobody wants any more.
fn withdraw(look: &Situation<'_>, _: &mut Plan) -> Vec<Step> {
    look.outgoing().map(|key| Step::Withdraw(key.spki)).collect()
}

/// Keys that are not to be used any more, and that only a person can end: no TLSA goes that files name or hosts show.
fn given_up(facts: &PoolFacts, wanted: &Wanted) -> Vec<Blocker> {
    let served = facts.keys.iter().filter(|key| key.is_served());
    let stays = served.filter_map(|key| {
        let (given, hosts) = (key.given_up.as_ref()?, facts.shown_by(key.spki));
        let (spki, is_named) = (key.spki, wanted.names(key.spki));
        let is_used = is_named || (!hosts.is_empty() && !is_disowned(key, wanted));
        is_used.then_some(Blocker::Own(Block::GivenUp { spki, emergency: given.emergency, is_named, hosts }))
    });
    stays.collect()
}

/// What does not fit already. What an operator has looked at since it began is an alarm, and freezes nothing.
fn broken(facts: &PoolFacts, whole: &History) -> Option<Blocker> {
    let conflict = dane_ok(whole).err()?;
    let is_new = |shown: &&Span<Showing>| facts.resumed.is_none_or(|resumed| shown.from > resumed);
    let shows = whole.shows.iter().filter(is_new).cloned().collect();
    Some(match dane_ok(&History { shows, ..whole.clone() }) {
        Err(conflict) => Blocker::Broken(conflict),
        Ok(()) => Blocker::Own(Block::Accepted(conflict)),
    })
}

/// Whether a key is one of the pool's: files name it, it was made or brought in here, somebody adopted it, or its TLSA is served.
pub fn is_ours(facts: &PoolFacts, wanted: &Wanted, spki: Spki) -> bool {
    let is_kept = |key: &KeyFacts| is_known_here(key) && key.destroyed.is_none();
    let is_ours = |key: &KeyFacts| key.is_served() || key.is_adopted() || is_kept(key);
    wanted.names(spki) || facts.key(spki).is_some_and(is_ours)
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
    let is_permitted = |key: &&KeyFacts| key.is_served() && key.permitted.is_some_and(|until| until >= now);
    keys.extend(facts.keys.iter().filter(is_permitted).map(|key| key.spki));
    // What hosts show keeps the TLSA that it has. It adds one only where somebody said that the key is one of the pool's.
    let reachable = facts.reachable(policy.margin, now);
    let open = facts.shows.iter().filter(|version| version.last.is_none());
    for version in open {
        let Offer::Key(spki) = version.what.offer else { continue };
        let Some(key) = facts.key(spki).filter(|key| !is_disowned(key, wanted)) else { continue };
        let is_met = reachable.contains(&version.what.address);
        let is_to_come = key.is_adopted() && wanted.addresses.contains(&version.what.address);
        if (key.is_served() || key.is_adopted()) && (is_met || is_to_come) {
            keys.insert(spki);
        }
    }
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
fn publish(look: &Situation<'_>, plan: &mut Plan) -> Vec<Step> {
    let (facts, wanted, desired) = (look.facts, look.wanted, look.desired);
    let served = facts.served_keys();
    let missing: SpkiSet = desired.difference(&served).filter(|spki| facts.key(**spki).is_some()).copied().collect();
    if missing.is_empty() {
        return Vec::new();
    }
    // What files name comes first, then what may be needed later, then what no file names: that leaves places to the others.
    let (next, needed): (Vec<Spki>, Vec<Spki>) =
        missing.iter().partition(|spki| facts.key(**spki).is_some_and(is_next));
    let (unnamed, named): (Vec<Spki>, Vec<Spki>) = needed.iter().partition(|spki| is_unnamed(facts, wanted, **spki));
    let used = served.iter().filter(|spki| is_unnamed(facts, wanted, **spki)).count();
    let unnamed: Vec<Spki> = unnamed.into_iter().take(UNNAMED_MAX.saturating_sub(used)).collect();
    // The first set holds what hosts show already: of the next keys caches may know nothing yet, and their wait begins.
    let is_first = facts.tlsa.is_empty() && !needed.is_empty();
    let room = KEYS_MAX.saturating_sub(served.len());
    if missing.len() > room || named.len() + unnamed.len() < needed.len() {
        plan.blockers.push(Blocker::Own(Block::Full));
    }
    let chosen = named.into_iter().chain(unnamed).chain(next.into_iter().filter(|_| !is_first));
    let chosen: SpkiSet = chosen.take(room).collect();
    (!chosen.is_empty()).then_some(Step::Publish(chosen)).into_iter().collect()
}

/// Whether a key is there by looks alone.
fn is_unnamed(facts: &PoolFacts, wanted: &Wanted, spki: Spki) -> bool {
    !wanted.names(spki) && facts.key(spki).is_some_and(|key| key.origin.is_by_look() && key.file.is_empty())
}

/// A next key for each kind, once the roll before has ended.
fn create(look: &Situation<'_>, plan: &mut Plan) -> Vec<Step> {
    let (facts, wanted) = (look.facts, look.wanted);
    let is_elsewhere = plan.blockers.iter().any(|blocker| matches!(blocker, Blocker::Elsewhere(_)));
    // A next key that one of two servers made would be in the answers of that one alone.
    if look.policy.next == NextKeys::Elsewhere || facts.between.is_some() || is_elsewhere {
        return Vec::new();
    }
    for kind in kinds(facts, wanted) {
        let has_next = facts.keys.iter().any(|key| is_next(key) && key.kind == Some(kind));
        // One change at a time (invariant I33): while hosts go over to a key that files do not name yet, none is made.
        // Keys that no file names are no part of that.
        let is_used = |key: &&KeyFacts| key.is_served() && !is_next(key) && !is_unnamed(facts, wanted, key.spki);
        let used = facts.keys.iter().filter(|key| is_used(key) && key.kind == Some(kind)).count();
        let is_going = |key: &KeyFacts| key.kind == Some(kind) && !is_unnamed(facts, wanted, key.spki);
        let named = wanted.current.values().filter(|named| **named == kind).count().max(1);
        if has_next || used > named || look.outgoing().any(is_going) {
            continue;
        }
        if facts.served_keys().len() >= KEYS_MAX {
            plan.blockers.push(Blocker::Own(Block::Full));
            continue;
        }
        match kind {
            KeyKind::Rsa => plan.blockers.push(Blocker::Own(Block::NeedsKey(kind))),
            KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::Ed25519 => return vec![Step::Create(kind)],
            // Private halves of these are kept elsewhere: files name the next certificate before hosts show it.
            KeyKind::EcdsaP521 | KeyKind::RsaPss | KeyKind::Other => {}
        }
    }
    Vec::new()
}

fn blockers(facts: &PoolFacts, conditions: &Conditions) -> Vec<Blocker> {
    let mut blockers = Vec::new();
    blockers.extend(facts.doubt.clone().map(Blocker::Doubt));
    blockers.extend(conditions.clock.clone().map(Blocker::Clock));
    blockers.extend(conditions.elsewhere.clone().map(Blocker::Elsewhere));
    blockers.extend(conditions.disk.clone().map(Blocker::Disk));
    blockers.extend(conditions.silent.iter().map(|(address, why)| Blocker::Own(Block::Silent(*address, why.clone()))));
    blockers
}

/// Private halves of keys that left long ago are wiped; permits that end are looked at.
fn destroy(look: &Situation<'_>, plan: &mut Plan) -> Vec<Step> {
    let mut steps = Vec::new();
    for key in look.facts.keys.iter().filter(|key| !key.file.is_empty() && key.destroyed.is_none()) {
        // One that was given up before it was ever published leaves nothing behind in caches.
        let unused = key.given_up.as_ref().filter(|_| key.published.is_none()).map(|given| given.since);
        let Some(at) = key.removed.or(unused).map(|gone| gone.after(TOMBSTONE)) else { continue };
        if at <= look.now {
            steps.push(Step::Destroy(key.spki));
        } else {
            plan.wake_at = plan.wake_at.min(at);
        }
    }
    let permits = look.facts.keys.iter().filter_map(|key| key.permitted).filter(|until| *until >= look.now);
    plan.wake_at = permits.map(|until| until.after(1)).chain([plan.wake_at]).min().unwrap_or(look.now);
    steps
}

/// Whether a key was made or brought in here, so that nobody is surprised by it.
pub fn is_known_here(key: &KeyFacts) -> bool {
    matches!(key.origin, Origin::Made | Origin::Staged)
}
