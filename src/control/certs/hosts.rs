//! Hosts as they were looked at, and what of that is a fact.
//!
//! A look that failed is no fact: what a host showed before, it may show still.

use super::PoolLife;
use crate::config::Whose;
use crate::control::life::InTheWay;
use crate::probe::{Fault, HostsSeen, Looked, NO_KEY};
use crate::roll::hosts::Profile;
use crate::roll::hosts::check::AddressSet;
use crate::roll::hosts::facts::Fact;
use crate::roll::hosts::seen::{HostFault, HostSeen, Hosts, SeenShown};
use crate::roll::hosts::sights::{Known, Sight};
use crate::time::{Now, UnixTime};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What a round of looks at one host adds up to. A look that failed shows nothing, and no STARTTLS is something that is shown.
fn seen_host(sights: Vec<Looked>, judge: &Judge<'_>, now: UnixTime) -> HostSeen {
    let mut host = HostSeen { at: now, ..HostSeen::default() };
    for (target, sight) in sights {
        let profile = Profile { class: target.class, sni: target.sni.is_some() };
        match sight {
            Ok(sight) => {
                let warnings = sight.chain.as_ref().map(|chain| judge(chain, target.sni.as_deref()));
                let (leaf, warnings) = (sight.chain.map(|chain| chain.leaf), warnings.unwrap_or_default());
                let shown = SeenShown { sni: target.sni, leaf, tls: sight.tls, warnings, is_plain: false };
                host.shows.insert(profile, shown);
            }
            Err(fault) => {
                if matches!(fault, Fault::NoStarttls) {
                    host.shows.insert(profile, SeenShown { sni: target.sni, is_plain: true, ..SeenShown::default() });
                }
                host.fault = Some(HostFault { what: fault.to_string(), word: fault.word() });
            }
        }
    }
    if host.fault.is_none() && host.shows.values().all(|shown| shown.leaf.is_none()) {
        host.fault = Some(HostFault { what: NO_KEY.to_owned(), word: "no-certificate" });
    }
    host
}

/// What judges a certificate as MTA-STS senders do: a chain, the name asked for, the moment; in words what they object to.
pub type Judge<'a> = dyn Fn(&crate::cert::chain::Chain, Option<&str>) -> Vec<String> + 'a;

impl PoolLife {
    /// Takes in a round of looks: what is news becomes a fact. True where something may have to be served now.
    pub fn saw(&mut self, seen: HostsSeen, judge: &Judge<'_>, now: Now) -> bool {
        let mut by_host: BTreeMap<IpAddr, Vec<Looked>> = BTreeMap::new();
        for (target, sight) in seen.sights {
            by_host.entry(target.address.ip()).or_default().push((target, sight));
        }
        let before = self.facts().records;
        for (address, sights) in by_host {
            let host = seen_host(sights, judge, now.signing);
            self.tell(address, &host);
            if self.is_own(address, now.signing) {
                self.note(address, &host, now);
            } else if host.fault.is_none() {
                self.sights.apart(address, host.keys().map(|(_, leaf)| leaf.spki).collect());
            }
            self.hosts.insert(address, host);
        }
        self.forget_hosts(now.signing);
        let is_dark = self.wanted.left_out > 0 || !self.conditions(&InTheWay::default(), now.signing).dark.is_empty();
        let mut sights = std::mem::take(&mut self.sights);
        let held = sights.held(self.facts(), &self.policy, is_dark, now.signing);
        self.sights = sights;
        if let Some(fact) = held {
            self.record(fact, now);
        }
        self.facts().records != before
    }

    /// Hosts are not looked at now, for these reasons: what they showed before, they may show still. True where that is news.
    pub fn pass_over(&mut self, refused: &BTreeMap<IpAddr, String>, now: UnixTime) -> bool {
        let mut is_news = false;
        for (address, why) in refused {
            let what = format!("it is not looked at, as it is {why}: see `[probe] networks`");
            let host = HostSeen { fault: Some(HostFault { what, word: "not-looked-at" }), ..HostSeen::default() };
            let before = self.hosts.get(address);
            if before.is_none_or(|before| before.fault != host.fault) {
                self.tell(*address, &host);
                self.hosts.insert(*address, host);
                is_news = true;
            }
        }
        if is_news {
            self.forget_hosts(now);
        }
        is_news
    }

    /// Whose an address is: of a host at a pool's, its own systems wrote it.
    pub fn whose(&self, address: IpAddr, now: UnixTime) -> Whose {
        if self.is_own(address, now) { Whose::Pool } else { Whose::Tenant }
    }

    fn is_own(&self, address: IpAddr, now: UnixTime) -> bool {
        self.seen().is_own(address, now)
    }

    /// Its hosts as they were last looked at.
    pub fn seen(&self) -> Hosts<'_> {
        Hosts { facts: self.facts(), wanted: &self.wanted, policy: &self.policy, seen: &self.hosts }
    }

    fn known(&self) -> Known<'_> {
        Known { facts: self.facts(), wanted: &self.wanted, policy: &self.policy }
    }

    /// What a host of the pool showed becomes a fact, where that was not known.
    fn note(&mut self, address: IpAddr, host: &HostSeen, now: Now) {
        let mut sights = std::mem::take(&mut self.sights);
        let mut shown = BTreeMap::new();
        for (profile, sight) in host.sights() {
            if let Sight::Key(spki, kind) = sight {
                shown.insert(profile, (spki, kind));
            }
            let news = sights.own(&self.known(), address, profile, sight, now.signing);
            for fact in news {
                self.record(fact, now);
            }
        }
        if host.fault.is_none() {
            let news = sights.adopt(&self.known(), address, &shown, now.signing);
            for fact in news {
                if let Fact::KeyAdopted { spki, reason, .. } = &fact {
                    let key = spki.short();
                    tracing::warn!(POOL = self.name(), HOST = %address, KEY = %key, "adopted, as the pool's settings say: {reason}");
                }
                self.record(fact, now);
            }
        }
        self.sights = sights;
    }

    /// More is known of keys: what hosts showed when they were last looked at may be something else by that.
    pub fn look_back(&mut self, now: Now) {
        let own = self.hosts.keys().copied().filter(|address| self.is_own(*address, now.signing));
        let own: Vec<IpAddr> = own.collect();
        for address in own {
            let Some(host) = self.hosts.get(&address).cloned() else { continue };
            self.note(address, &host, now);
        }
    }

    /// One line where a host begins or ceases to be looked at well.
    fn tell(&self, address: IpAddr, host: &HostSeen) {
        let before = self.hosts.get(&address).and_then(|host| host.fault.as_ref());
        match (&host.fault, before) {
            (Some(fault), before) if before != Some(fault) => {
                tracing::warn!(POOL = self.name(), HOST = %address, "{}", fault.what);
            }
            (None, Some(_)) => tracing::info!(POOL = self.name(), HOST = %address, "it is well again"),
            (Some(_) | None, _) => {}
        }
    }

    /// Hosts that neither the files nor caches know any more are not remembered.
    fn forget_hosts(&mut self, now: UnixTime) {
        let reachable = self.facts().reachable(self.policy.margin, now);
        let own: AddressSet = reachable.union(&self.wanted.addresses).copied().collect();
        let apart = self.facts().reachable_apart(self.policy.margin, now);
        self.hosts.retain(|address, _| own.contains(address) || apart.contains(address));
        self.sights.keep_only(&own, &apart);
    }
}
