//! How pools stand, as metrics show it.
//!
//! Pure. Moments are those of the wall clock, by which whoever reads them goes.

use crate::metrics::PoolGauges;
use crate::protocol::{HostInfo, HostStanding};
use crate::report::certs::{PoolState, hosts};
use crate::roll::hosts::plan::{Plan, is_next};
use crate::time::Clocks;

/// The gauges of a pool; `plan`: what was decided last.
pub fn pool_gauges(state: &PoolState<'_>, plan: Option<&Plan>, clocks: Clocks) -> PoolGauges {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let facts = state.hosts.facts;
    // What tenants' own hosts do is theirs.
    let hosts: Vec<HostInfo> =
        hosts(&state.hosts, clocks).into_iter().filter(|host| host.state != HostStanding::Tenants).collect();
    let with = |is_it: &dyn Fn(&HostInfo) -> bool| count(hosts.iter().filter(|host| is_it(host)).count());
    let is_seen = hosts.iter().any(|host| host.looked_at.is_some());
    let waits = plan.iter().flat_map(|plan| &plan.waits).filter_map(|wait| wait.until);
    PoolGauges {
        not_after: state.certificates.iter().map(|(_, leaf)| leaf.not_after).min(),
        probe_ok: is_seen
            .then(|| hosts.iter().filter(|host| host.state != HostStanding::Candidate).all(|host| host.matches)),
        hosts_ok: with(&|host| host.matches),
        hosts_mismatching: with(&|host| host.looked_at.is_some() && host.fault.is_empty() && !host.matches),
        hosts_failing: with(&|host| !host.fault.is_empty()),
        keys: count(facts.served_keys().len()),
        next_keys: count(facts.keys.iter().filter(|key| is_next(key) && key.published.is_some()).count()),
        next_event: waits.min().map(|at| clocks.by_wall(at)),
        blocked: plan.is_some_and(Plan::is_frozen),
    }
}
