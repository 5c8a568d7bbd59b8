//! What holds up that a TLSA goes: doubts, hosts that could not be looked at, tenants' own hosts; and what a person may end.

use super::{Awaited, Blocker, HostKeys, Plan, Situation, Why};
use crate::roll::hosts::Wanted;
use crate::roll::hosts::check::AddressSet;
use crate::roll::hosts::fold::{Caution, KeyFacts};
use crate::roll::life::plan::Kept;
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
pub(super) fn stopped(look: &Situation<'_>, key: &KeyFacts, plan: &Plan) -> Option<Kept<HostKeys>> {
    let Situation { wanted, policy, conditions, .. } = *look;
    if is_disowned(key, wanted) {
        return None;
    }
    let is_emergency = key.given_up.as_ref().is_some_and(|given| given.emergency);
    let freezes = if is_emergency { freezes_emergencies } else { Blocker::freezes };
    if plan.blockers.iter().any(freezes) {
        return Some(Kept::Waits(None, Why::Frozen));
    }
    let silent = conditions.silent.keys().chain(&conditions.unseen).copied().collect::<AddressSet>();
    if silent.is_empty() || !policy.probed {
        return None;
    }
    Some(Kept::Waits(None, Why::Own(Awaited::Looks(silent))))
}

/// Whether even in an emergency nothing is removed while it stands: what hosts show is an alarm, and holds up no command.
fn freezes_emergencies(blocker: &Blocker) -> bool {
    blocker.freezes() && !matches!(blocker, Blocker::Broken(_))
}

/// Whether hosts at tenants' own addresses hold a TLSA: they show its key, did so lately, or could not be looked at. A key
/// that a person gave up is not held.
pub(super) fn held(look: &Situation<'_>, key: &KeyFacts) -> Option<Kept<HostKeys>> {
    let Situation { facts, wanted, policy, conditions, now, .. } = *look;
    let apart = facts.reachable_apart(policy.margin, now);
    if key.given_up.is_some() || (apart.is_empty() && facts.held.is_empty() && conditions.held.is_none()) {
        return None;
    }
    let shown = conditions.held.as_ref().unwrap_or(&facts.held).iter().filter(|held| held.what == key.spki);
    let shown: Vec<Option<UnixTime>> = shown.map(|held| held.until(Caution::Expiry, policy.margin)).collect();
    let claimed = facts.named.iter().filter(|claim| !policy.probed && claim.what.keys.contains(&key.spki));
    let claimed = claimed.map(|claim| claim.until(Caution::Expiry, policy.margin));
    let all: Vec<Option<UnixTime>> = shown.into_iter().chain(claimed).collect();
    let is_dark = policy.probed && (wanted.left_out > 0 || !conditions.dark.is_empty());
    if is_dark || all.contains(&None) {
        let hosts = if is_dark { conditions.dark.clone() } else { apart };
        return Some(Kept::Waits(None, Why::Own(Awaited::Apart(hosts))));
    }
    let until = all.into_iter().flatten().max().filter(|until| *until >= now)?;
    Some(Kept::Waits(Some(until), Why::Own(Awaited::Apart(apart))))
}
