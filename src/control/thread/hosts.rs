//! Hosts of pools are looked at in rounds, and what is seen becomes facts.
//!
//! A look that failed never counts as seen. Whatever a host that senders may meet was seen to show is served at once.

use super::{Mind, StartFault};
use crate::cert::chain::{Chain, Expected};
use crate::config::Networks;
use crate::control::certs::PoolLife;
use crate::control::event::Event;
use crate::control::foresee;
use crate::control::life::RETRY;
use crate::dns::name::Name;
use crate::probe::{self, HostsSeen, Manner, Prober, Round};
use crate::time::Now;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// Rounds of looks begin this much earlier, by the name of the pool, so that they never bunch.
const JITTER_SHARE: u64 = 8;

impl Mind {
    /// Starts to look at hosts.
    pub(super) fn start_prober(&mut self, events: &Sender<Event>) -> Result<(), StartFault> {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        if !host.trim().is_empty() {
            host.trim().clone_into(&mut self.eyes.host);
        }
        let events = events.clone();
        let report = move |seen: HostsSeen| drop(events.send(Event::Probed(Box::new(seen))));
        let prober = Prober::start(self.basis.config.probe.together, report)
            .map_err(|cause| StartFault::System { what: "start a thread", cause })?;
        self.eyes.prober = Some(prober);
        Ok(())
    }

    /// Reads whom MTA-STS senders trust; at a start, at each reload, and again while that cannot be read.
    pub(super) fn read_roots(&mut self) {
        let (roots, missing) = foresee::roots(&self.basis.config);
        self.eyes.roots = roots;
        // A file that the operator names is missed; a host without the system's list is as it is.
        let is_named = self.basis.config.places.is_written("probe.roots");
        if let Some(finding) = missing.as_ref().filter(|_| !is_named) {
            tracing::info!("{}", finding.message);
        }
        self.eyes.no_roots = missing.filter(|_| is_named);
    }

    /// Begins the rounds of looks that are due.
    pub(super) fn ask_hosts(&mut self, now: Now) {
        let is_due = |life: &PoolLife| self.is_looked_at(life) && life.round.is_none() && life.look_at <= now.steady;
        let due: Vec<String> =
            self.lives.certs.lives.iter().filter(|(_, life)| is_due(life)).map(|(pool, _)| pool.clone()).collect();
        for pool in due {
            if !self.ask_hosts_of(&pool, now) {
                // There is nobody to wait for.
                self.end_looks(&pool, now);
            }
        }
    }

    /// Begins a round of looks at the hosts of one pool; false where none of them is looked at.
    fn ask_hosts_of(&mut self, pool: &str, now: Now) -> bool {
        let sample = self.sample(pool).and_then(|(apex, label)| Name::below(&label, &apex).ok());
        let endpoint = sample.map(|name| name.to_string().trim_end_matches('.').to_owned());
        let port = self.lives.certs.settings(pool).port.unwrap_or(self.basis.config.probe.port);
        let helo = Some(self.basis.config.probe.helo.clone()).filter(|helo| !helo.is_empty());
        let manner = Manner {
            helo: helo.unwrap_or_else(|| self.eyes.host.clone()),
            timeout: Duration::from_secs(self.basis.config.probe.timeout),
        };
        let (Some(prober), Some(life)) = (&self.eyes.prober, self.lives.certs.lives.get_mut(pool)) else { return true };
        let (hosts, refused) = where_to_look(life, &self.basis.config.probe.networks, now);
        life.look_at = now.steady + every(self.basis.config.probe.every, pool);
        if life.pass_over(&refused, now.signing) {
            life.due = now.steady;
            self.findings.is_pool_news = true;
        }
        if hosts.is_empty() {
            return false;
        }
        self.eyes.round += 1;
        let targets = probe::targets(&hosts, port, endpoint.as_deref());
        let round = Round { pool: pool.to_owned(), number: self.eyes.round, targets, manner };
        if prober.ask(round).is_ok() {
            life.round = Some(self.eyes.round);
        } else {
            life.look_at = now.steady + RETRY;
        }
        true
    }

    /// Hosts were looked at.
    pub(super) fn probed(&mut self, seen: HostsSeen, now: Now) {
        let (roots, pool) = (self.eyes.roots.clone(), seen.pool.clone());
        let webpki = self.lives.certs.settings(&pool).webpki;
        let Some(life) = self.lives.certs.lives.get_mut(&pool).filter(|life| life.round == Some(seen.number)) else {
            return;
        };
        life.round = None;
        // Dates of certificates are judged by the clock that senders go by.
        let wall = now.wall;
        let judge = |chain: &Chain, name: Option<&str>| {
            let names: Vec<String> = name.map(str::to_owned).into_iter().collect();
            let roots = roots.as_ref().filter(|_| webpki);
            let expected = Expected { spki: None, names: &names, now: wall, roots };
            chain.flaws(&expected).iter().map(ToString::to_string).collect()
        };
        let is_news = life.saw(seen, &judge, now);
        life.due = now.steady;
        self.findings.is_pool_news = true;
        if is_news {
            // Whatever a host was seen to show is served at once.
            self.lives.certs.advance(&self.store, &pool, now);
            self.serve_pools(false, now);
        }
        self.end_looks(&pool, now);
    }

    /// A tenant that is served all that the pool gives, and nothing else.
    pub(super) fn sample(&mut self, pool: &str) -> Option<(Name, Box<[u8]>)> {
        let indexes = self.world.pools.indexes_of(pool);
        let fits = |tenant: &crate::zone::endpoint::Tenant| {
            tenant.is_all_of_pool() && tenant.pool().is_some_and(|index| indexes.contains(&index))
        };
        let known = self.eyes.samples.get(pool).filter(|(apex, label)| {
            let tenant = self.world.zones.get(apex).and_then(|zone| zone.tenants.table.get(label));
            tenant.is_some_and(|tenant| fits(tenant))
        });
        if let Some(known) = known {
            return Some(known.clone());
        }
        let found =
            self.world.zones.iter().filter(|(_, zone)| zone.why_not_served().is_none()).find_map(|(apex, zone)| {
                let tenant = zone.tenants.table.iter().find(|tenant| fits(tenant))?;
                Some((apex.clone(), Box::<[u8]>::from(tenant.label())))
            })?;
        self.eyes.samples.insert(pool.to_owned(), found.clone());
        Some(found)
    }

    /// Names that certificates of a pool should cover: those of the configuration, or a wildcard for each zone with tenants.
    pub(super) fn names_for(&self, pool: &str) -> Vec<String> {
        let names = self.lives.certs.settings(pool).names;
        if !names.is_empty() {
            return names;
        }
        let indexes = self.world.pools.indexes_of(pool);
        let uses = |tenant: &crate::zone::endpoint::Tenant| tenant.pool().is_some_and(|index| indexes.contains(&index));
        let used = self.world.zones.iter().filter(|(_, zone)| zone.tenants.table.iter().any(|tenant| uses(tenant)));
        used.map(|(apex, _)| format!("*.{}", apex.to_string().trim_end_matches('.'))).collect()
    }
}

/// The hosts of a pool that are looked at now, and why the others are not.
fn where_to_look(life: &PoolLife, networks: &Networks, now: Now) -> (Vec<IpAddr>, BTreeMap<IpAddr, String>) {
    let (now, mut hosts, mut refused) = (now.signing, Vec::new(), BTreeMap::new());
    for address in life.seen().to_look_at(now) {
        match networks.refusal(address, life.whose(address, now)) {
            None => hosts.push(address),
            Some(why) => drop(refused.insert(address, why)),
        }
    }
    (hosts, refused)
}

/// When a pool's hosts are looked at next: after the time configured, shifted by its name.
fn every(every: u64, pool: &str) -> Duration {
    let room = every / JITTER_SHARE;
    let shift = if room == 0 {
        0
    } else {
        crate::cert::Spki::of(pool.as_bytes()).0.iter().map(|o| u64::from(*o)).sum::<u64>() % room
    };
    Duration::from_secs(every.saturating_sub(shift))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn rounds_of_many_pools_do_not_bunch_and_none_is_late() {
        let spans: BTreeSet<u64> = (0..100).map(|i| every(300, &format!("eu-{i}")).as_secs()).collect();
        assert!(
            spans.len() > 20 && spans.iter().all(|span| (300 - 300 / JITTER_SHARE..=300).contains(span)),
            "{spans:?}"
        );
        assert_eq!(every(1, "eu-1").as_secs(), 1, "no share of so little");
    }
}
