//! The numbers of pools: certificates, hosts, TLSA. No label but the pool and closed words.

use super::super::PoolGauges;
use super::{Labels, Page, one, seconds};
use std::collections::BTreeMap;
use std::fmt;

/// Writes them.
pub fn pools(pools: &BTreeMap<String, PoolGauges>, page: &mut Page<'_>) -> fmt::Result {
    let some = |value: fn(&PoolGauges) -> Option<u64>| {
        pools.iter().filter_map(move |(pool, gauges)| Some((one("pool", pool), seconds(value(gauges)?))))
    };
    let each = |value: fn(&PoolGauges) -> u64| {
        pools.iter().map(move |(pool, gauges)| (one("pool", pool), seconds(value(gauges))))
    };
    let name = "cert_not_after_timestamp_seconds";
    page.gauges(
        name,
        "When the first of the certificates in a pool's files expires",
        some(|p| p.not_after.map(|at| at.0)),
    )?;
    let name = "tlsa_probe_ok";
    page.gauges(name, "Whether each host shows only published keys", some(|p| p.probe_ok.map(u64::from)))?;
    let hosts = pools.iter().flat_map(|(pool, gauges)| {
        [("ok", gauges.hosts_ok), ("mismatching", gauges.hosts_mismatching), ("failing", gauges.hosts_failing)].map(
            |(state, count)| -> (Labels, f64) {
                (vec![("pool", pool.clone()), ("state", state.to_owned())], seconds(count))
            },
        )
    });
    page.gauges("pool_hosts", "Hosts of a pool by what the last look at them found", hosts)?;
    page.gauges("tlsa_keys", "Keys whose TLSA are served", each(|p| p.keys))?;
    page.gauges("tlsa_next_keys", "Next keys whose TLSA are served", each(|p| p.next_keys))?;
    let name = "tlsa_next_event_timestamp_seconds";
    page.gauges(name, "When the next step of a pool may be taken", some(|p| p.next_event.map(|at| at.0)))?;
    page.gauges(
        "tlsa_blocked",
        "Whether something in doubt keeps TLSA from being withdrawn",
        each(|p| u64::from(p.blocked)),
    )
}
