//! The calendar of a pool: what comes when, as far as that is known now.
//!
//! Pure. Its steps are those that the engine itself would take, on a copy of the facts; nothing is assumed of hosts but
//! that they stay as they are.

use crate::cert::Leaf;
use crate::protocol::{CertBar, CertKeyKind, CertPlan, PlannedStep, Verb};
use crate::report::certs::PoolState;
use crate::report::life::Account;
use crate::roll::hosts::Conditions;
use crate::roll::hosts::fold::Caution;
use crate::roll::hosts::forecast::forecast;
use crate::roll::hosts::plan::{HostKeys, Plan, desired, is_next};
use crate::roll::hosts::seen::Hosts;
use crate::roll::hosts::step::ready_at;
use crate::roll::life::phase::Phase;
use crate::time::{Clocks, UnixTime, print_span};

/// Share of its life that a certificate has left when it is to be renewed.
const RENEW_SHARE: u64 = 3;

/// What comes in so many days. `conditions`: what is known of the surroundings.
pub fn cert_plan(state: &PoolState<'_>, plan: &Plan, conditions: &Conditions, days: u64, clocks: Clocks) -> CertPlan {
    let (account, hosts) = (state.account(plan, clocks), state.hosts);
    let until = account.until(days);
    let coming = forecast(hosts.facts, hosts.wanted, hosts.policy, conditions, clocks.signing, until);
    let mut steps = account.coming(coming);
    // Certificates are written by the wall clock.
    let (from, told_until) = (clocks.wall.0, account.told(until));
    let renewals = state.certificates.iter().flat_map(|(path, leaf)| renewals(path, leaf));
    steps.extend(renewals.filter(|step| step.at >= from && step.at <= told_until));
    steps.sort_by(|a, b| (a.at, &a.text).cmp(&(b.at, &b.text)));
    CertPlan { pool: state.pool.to_owned(), calendar: account.calendar(until, steps, bars(&hosts, &account, until)) }
}

/// When a certificate is to be renewed, and when it ends.
fn renewals(path: &str, leaf: &Leaf) -> [PlannedStep; 2] {
    let third = leaf.not_after.0.saturating_sub(leaf.not_before.0) / RENEW_SHARE;
    let left = print_span(third - third % 86_400);
    let due = leaf.not_after.before(third);
    let step = |at: UnixTime, text| PlannedStep { at: at.0, verb: Verb::Renew, text, assumes: String::new() };
    [
        step(due, format!("certificate {path} has {left} left: renew it with the same key")),
        step(leaf.not_after, format!("certificate {path} expires")),
    ]
}

fn bars(hosts: &Hosts<'_>, account: &Account<'_, HostKeys>, until: UnixTime) -> Vec<CertBar> {
    let (facts, now) = (hosts.facts, account.clocks.signing);
    let wanted = desired(facts, hosts.wanted, hosts.policy, now);
    let live = facts.keys.iter().filter(|key| key.removed.is_none() && key.destroyed.is_none());
    live.map(|key| {
        let first = key.phase(hosts, wanted.contains(&key.spki), now);
        let mut phases = vec![(key.published.unwrap_or(key.known).min(now), first)];
        let ready = ready_at(facts, key.spki, Caution::Expiry, hosts.policy);
        if let Some(at) = ready.filter(|at| first == Phase::Rumoured && is_next(key) && *at <= until) {
            phases.push((at, Phase::Ready));
        }
        let (spki, kind) = (Some(key.spki.to_string()), key.kind.map(CertKeyKind::from).unwrap_or_default());
        CertBar { spki, kind, phases: account.bar(phases) }
    })
    .collect()
}
