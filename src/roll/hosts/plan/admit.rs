//! Which addresses come and go: hosts to come are seen first, and hosts that would fail senders go while good ones are left.

use super::{Block, Blocker, Plan, Situation};
use crate::roll::hosts::Conditions;
use crate::roll::hosts::check::{AddressSet, Offer, Showing, SpkiSet, fits};
use crate::roll::hosts::step::{Step, permit};
use crate::roll::item::Version;
use std::net::IpAddr;

/// Hosts whose addresses are to go because they offer no STARTTLS, or show a key that is not published: mail finds the others
/// then, and TLSA stay. None is where no host with a published key would be left.
fn drained(look: &Situation<'_>, plan: &mut Plan) -> AddressSet {
    let Situation { facts, policy, conditions, now, .. } = *look;
    let (mut drained, served) = (AddressSet::new(), facts.served_keys());
    let Some(after) = policy.drain.filter(|_| policy.probed && !served.is_empty()) else { return drained };
    let open = || facts.shows.iter().filter(|version| version.last.is_none());
    let is_bad = |showing: &Showing| fits(&served, showing).is_err();
    let is_seen = |address: &IpAddr| !conditions.unseen.contains(address);
    for version in open().filter(|version| is_bad(&version.what) && is_seen(&version.what.address)) {
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
pub(super) fn admit(look: &Situation<'_>, plan: &mut Plan) -> Vec<Step> {
    let Situation { facts, wanted, policy, conditions, shows, now, .. } = *look;
    let drained = &drained(look, plan);
    let served = facts.served_addresses();
    if served == wanted.addresses && drained.is_empty() {
        return Vec::new();
    }
    if facts.addresses.is_empty() {
        return vec![Step::Admit(wanted.addresses.clone())];
    }
    let left: AddressSet = served.intersection(&wanted.addresses).copied().collect();
    let mut set: AddressSet = left.difference(drained).copied().collect();
    let is_good =
        |address: &IpAddr| is_known(shows, conditions, *address) && !is_bad(shows, &facts.served_keys(), *address);
    if set.is_empty() || (set != left && !set.iter().any(is_good)) {
        // The last ones stay: without any address, mail waits for all senders.
        set = left;
    }
    for address in wanted.addresses.difference(&served) {
        let step = Step::Admit([*address].into());
        // Where DANE is not wanted, nobody minds what a host shows that nobody looks at.
        let is_free = !policy.probed || (facts.between.is_some() && wanted.given.is_empty());
        let is_known = is_free || is_known(shows, conditions, *address);
        match permit(facts, look.whole, &[], &step, now) {
            Ok(()) if is_known => drop(set.insert(*address)),
            Ok(()) => plan.blockers.push(Blocker::Own(Block::NotAdmitted(*address, None))),
            Err(refusal) => {
                let shown = Some(refusal.conflict.showing.offer).filter(|offer| *offer != Offer::Plain);
                // Where nobody looks, nothing is wrong with it: it is only early.
                if facts.between.is_none() && policy.probed {
                    plan.blockers.push(Blocker::Own(Block::NotAdmitted(*address, shown)));
                }
                plan.refused(step, refusal, now);
            }
        }
    }
    // The last hosts stay until others can take their place.
    let is_good = set != served && (!set.is_empty() || wanted.addresses.is_empty());
    is_good.then_some(Step::Admit(set)).into_iter().collect()
}

/// Whether a host was looked at since the start, and shows a key.
fn is_known(shows: &[Version<Showing>], conditions: &Conditions, address: IpAddr) -> bool {
    let is_key = |offer| matches!(offer, Offer::Key(_) | Offer::Other);
    let shows_key = |version: &Version<Showing>| version.what.address == address && is_key(version.what.offer);
    let is_dark = [&conditions.unknown, &conditions.unseen].iter().any(|all| all.contains(&address));
    !is_dark && shows.iter().any(|version| version.last.is_none() && shows_key(version))
}

/// Whether a host shows something that these TLSA lack.
fn is_bad(shows: &[Version<Showing>], served: &SpkiSet, address: IpAddr) -> bool {
    let open = shows.iter().filter(|version| version.last.is_none() && version.what.address == address);
    open.into_iter().any(|version| fits(served, &version.what).is_err())
}
