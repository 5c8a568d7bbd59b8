//! The steps of a pool: each one change, which is proved before it is made and recorded before it is seen.

use super::Policy;
use super::check::{AddressSet, Conflict, History, Offer, Showing, SpkiSet, dane_ok, fits};
use super::facts::Fact;
use super::fold::PoolFacts;
use crate::cert::{KeyKind, Spki};
use crate::roll::item::Span;
use crate::roll::item::{Caution, Version};
use crate::roll::life::refusal::{self, prove};
use crate::time::UnixTime;

/// Why a step may not be taken now.
pub type Refusal = refusal::Refusal<Conflict>;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next key of this kind is made and stored twice.
    Create(KeyKind),
    /// The TLSA of these keys are served beside the others.
    Publish(SpkiSet),
    /// These addresses are served, and no others.
    Admit(AddressSet),
    /// The TLSA of this key is served no more.
    Withdraw(Spki),
    /// The private half of a key that was removed long ago is wiped.
    Destroy(Spki),
}

impl Step {
    /// What is recorded before it is made. A key that is to be made is recorded by whoever makes it.
    pub fn fact(&self, facts: &PoolFacts) -> Option<Fact> {
        let served = facts.served_keys();
        Some(match self {
            Step::Create(_) => return None,
            Step::Publish(keys) => Fact::Tlsa { keys: served.union(keys).copied().collect() },
            Step::Admit(addresses) => Fact::Addresses { addresses: addresses.iter().copied().collect() },
            Step::Withdraw(spki) => Fact::Tlsa { keys: served.into_iter().filter(|key| key != spki).collect() },
            Step::Destroy(spki) => Fact::KeyDestroyed { spki: *spki },
        })
    }

    /// Whether what is served changes with it.
    pub fn is_served(&self) -> bool {
        matches!(self, Step::Publish(_) | Step::Admit(_) | Step::Withdraw(_))
    }
}

/// Proves that after `step` no sender can fail: [`dane_ok`] of the history with the step in it. What the step makes new is
/// looked at first, since that tells until when it must wait. `lingering`: what hosts show, or showed less than the wait ago.
///
/// # Errors
/// What would not fit, and until when caches may hold it.
pub fn permit(
    facts: &PoolFacts,
    history: &History,
    lingering: &[Span<Showing>],
    step: &Step,
    now: UnixTime,
) -> Result<(), Refusal> {
    let mut after = history.clone();
    match step {
        // More TLSA never break a match, and the rest is not seen from outside.
        Step::Create(_) | Step::Publish(_) | Step::Destroy(_) => return Ok(()),
        Step::Withdraw(spki) => {
            let keys: SpkiSet = facts.served_keys().into_iter().filter(|key| key != spki).collect();
            let span = Span { what: keys, from: now, until: None };
            after.tlsa.push(span.clone());
            // Only those who meet this key can miss it.
            let shows = lingering.iter().filter(|shown| shown.what.offer == Offer::Key(*spki)).cloned().collect();
            refuse(&History { tlsa: vec![span], addresses: history.addresses.clone(), shows }, now)?;
        }
        Step::Admit(addresses) => {
            let span = Span { what: addresses.clone(), from: now, until: None };
            after.addresses.push(span.clone());
            refuse(&History { addresses: vec![span], ..history.clone() }, now)?;
        }
    }
    prove(dane_ok(history), dane_ok(&after))
}

/// Whether hosts may begin to show a key now: whether each TLSA set that a sender may hold has it.
///
/// # Errors
/// When they may; none: the key is not served, or was not seen to be.
pub fn permit_deploy(
    facts: &PoolFacts,
    spki: Spki,
    caution: Caution,
    policy: &Policy,
    now: UnixTime,
) -> Result<(), Option<UnixTime>> {
    match ready_at(facts, spki, caution, policy) {
        Some(at) if at < now => Ok(()),
        Some(at) => Err(Some(at.after(1))),
        None => Err(None),
    }
}

/// Until when caches may hold a TLSA set that lacks a key; none: it was not seen to be superseded yet, or the key is not
/// served. A set without any TLSA lacks none, since DANE does not apply then.
pub fn ready_at(facts: &PoolFacts, spki: Spki, caution: Caution, policy: &Policy) -> Option<UnixTime> {
    if !facts.served_keys().contains(&spki) {
        return None;
    }
    let lacks = |version: &&Version<SpkiSet>| !version.what.is_empty() && !version.what.contains(&spki);
    let lacking = facts.tlsa.iter().filter(lacks).map(|version| version.until(caution, policy.margin));
    lacking.collect::<Option<Vec<UnixTime>>>().map(|all| all.into_iter().max().unwrap_or(UnixTime(0)))
}

/// Looks at all that senders may hold and meet.
fn refuse(history: &History, now: UnixTime) -> Result<(), Refusal> {
    let mut conflicts = Vec::new();
    for shown in &history.shows {
        for addresses in history.addresses.iter().filter(|set| set.what.contains(&shown.what.address)) {
            for tlsa in &history.tlsa {
                let Err(conflict) = fits(&tlsa.what, &shown.what) else { continue };
                let until = [shown.until, addresses.until, tlsa.until].into_iter().flatten().min();
                conflicts.push((until, conflict));
            }
        }
    }
    // What has ended is met no more.
    refusal::refuse(conflicts.into_iter().filter(|(until, _)| until.is_none_or(|until| until >= now)))
}
