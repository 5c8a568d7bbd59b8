//! What holds up that a TLSA goes: doubts, hosts that could not be looked at, tenants' own hosts; and what a person may end.

use super::{Blocker, Plan, Wait, Why};
use crate::roll::hosts::check::AddressSet;
use crate::roll::hosts::fold::{Caution, KeyFacts, PoolFacts};
use crate::roll::hosts::step::Step;
use crate::roll::hosts::{Conditions, Policy, Wanted};
use crate::time::UnixTime;

/// Whether a person has said that a key, which no file names, is not to be used: then its TLSA goes, whoever shows it. One
/// that somebody adopted goes like all others, with its waits, unless it is an emergency.
pub fn is_disowned(key: &KeyFacts, wanted: &Wanted) -> bool {
    if wanted.disowned.contains(&key.spki) {
        return true;
    }
    let is_by_look = key.origin.is_by_look() && key.file.is_empty() && !wanted.names(key.spki);
    is_by_look && key.given_up.as_ref().is_some_and(|given| given.emergency || key.is_unconfirmed())
}

/// Why a key's TLSA is not taken away now. An emergency is held up by what is in doubt about facts, and by the pool's own
/// hosts that may show the key still; no alarm about what hosts show holds it.
pub(super) fn stopped(key: &KeyFacts, conditions: &Conditions, policy: &Policy, plan: &Plan) -> Option<Wait> {
    let is_emergency = key.given_up.as_ref().is_some_and(|given| given.emergency);
    let freezes = if is_emergency { Blocker::freezes_emergencies } else { Blocker::freezes };
    let why = if plan.blockers.iter().any(freezes) {
        Why::Frozen
    } else {
        let silent = conditions.silent.keys().chain(&conditions.unseen).copied().collect::<AddressSet>();
        if silent.is_empty() || !policy.probed {
            return None;
        }
        Why::Looks(silent)
    };
    Some(Wait { step: Step::Withdraw(key.spki), until: None, why })
}

/// Whether hosts at tenants' own addresses hold a TLSA: they show its key, did so lately, or could not be looked at. A key
/// that a person gave up is not held.
pub(super) fn held(
    (facts, wanted): (&PoolFacts, &Wanted),
    key: &KeyFacts,
    (policy, conditions): (&Policy, &Conditions),
    now: UnixTime,
) -> Option<Wait> {
    let apart = facts.reachable_apart(policy.margin, now);
    if key.given_up.is_some() || (apart.is_empty() && facts.held.is_empty() && conditions.held.is_none()) {
        return None;
    }
    let step = Step::Withdraw(key.spki);
    let shown = conditions.held.as_ref().unwrap_or(&facts.held).iter().filter(|held| held.what == key.spki);
    let shown: Vec<Option<UnixTime>> = shown.map(|held| held.until(Caution::Expiry, policy.margin)).collect();
    let claimed = facts.named.iter().filter(|claim| !policy.probed && claim.what.keys.contains(&key.spki));
    let claimed = claimed.map(|claim| claim.until(Caution::Expiry, policy.margin));
    let all: Vec<Option<UnixTime>> = shown.into_iter().chain(claimed).collect();
    let is_dark = policy.probed && (wanted.left_out > 0 || !conditions.dark.is_empty());
    if is_dark || all.contains(&None) {
        let hosts = if is_dark { conditions.dark.clone() } else { apart };
        return Some(Wait { step, until: None, why: Why::Apart(hosts) });
    }
    let until = all.into_iter().flatten().max().filter(|until| *until >= now)?;
    Some(Wait { step, until: Some(until), why: Why::Apart(apart) })
}
