//! The calendar of a pool: what comes when, as far as that is known now.
//!
//! Pure. Its steps are those that the engine itself would take, on a copy of the facts; nothing is assumed of hosts but
//! that they stay as they are.

use crate::control::certs::Life;
use crate::control::certs::report::{blocker_info, phase};
use crate::protocol::{CertBar, CertKeyKind, CertPlan, KeyPhase, PlannedStep, Verb};
use crate::roll::hosts::fold::Caution;
use crate::roll::hosts::forecast::forecast;
use crate::roll::hosts::phase::HostKeyPhase;
use crate::roll::hosts::plan::{desired, is_next};
use crate::roll::hosts::step::ready_at;
use crate::time::{Clocks, UnixTime, print_span};

/// Share of its life that a certificate has left when it is to be renewed.
const RENEW_SHARE: u64 = 3;

/// What comes in so many days.
pub fn calendar(pool: &str, life: &Life, days: u64, clocks: Clocks) -> CertPlan {
    let (facts, now, span) = (life.facts(), clocks.signing, days.saturating_mul(86_400));
    let (until, told_until) = (now.after(span), clocks.wall.after(span));
    let conditions = life.conditions(None, now);
    let mut steps: Vec<PlannedStep> = forecast(facts, &life.wanted, &life.policy, &conditions, now, until)
        .into_iter()
        .map(|planned| PlannedStep {
            at: clocks.by_wall(planned.at).0,
            verb: Verb::of(planned.verb),
            text: planned.text,
            assumes: planned.assumes,
        })
        .collect();
    // Certificates are written by the wall clock.
    for (path, leaf) in &life.certificates {
        let third = leaf.not_after.0.saturating_sub(leaf.not_before.0) / RENEW_SHARE;
        let left = print_span(third - third % 86_400);
        let due = leaf.not_after.before(third);
        for (at, text) in [
            (due, format!("certificate {path} has {left} left: renew it with the same key")),
            (leaf.not_after, format!("certificate {path} expires")),
        ] {
            if at >= clocks.wall && at <= told_until {
                steps.push(PlannedStep { at: at.0, verb: Verb::Renew, text, assumes: String::new() });
            }
        }
    }
    steps.sort_by(|a, b| (a.at, &a.text).cmp(&(b.at, &b.text)));
    let plan = life.decide(None, now);
    let blockers = plan.blockers.iter().map(|blocker| blocker_info(life, blocker)).collect();
    let (from, until, bars) = (clocks.wall.0, told_until.0, bars(life, clocks, until));
    CertPlan { pool: pool.to_owned(), from, until, steps, bars, blockers }
}

fn bars(life: &Life, clocks: Clocks, until: UnixTime) -> Vec<CertBar> {
    let (facts, now) = (life.facts(), clocks.signing);
    let wanted = desired(facts, &life.wanted, &life.policy, now);
    let live = facts.keys.iter().filter(|key| key.removed.is_none() && key.destroyed.is_none());
    live.map(|key| {
        let first = phase(life, key, wanted.contains(&key.spki), now);
        let mut phases = vec![(clocks.by_wall(key.published.unwrap_or(key.known).min(now)).0, first.into())];
        let ready = ready_at(facts, key.spki, Caution::Expiry, &life.policy);
        if let Some(at) = ready.filter(|at| first == HostKeyPhase::Rumoured && is_next(key) && *at <= until) {
            phases.push((clocks.by_wall(at).0, KeyPhase::Ready));
        }
        CertBar { spki: Some(key.spki.to_string()), kind: key.kind.map(CertKeyKind::from).unwrap_or_default(), phases }
    })
    .collect()
}
