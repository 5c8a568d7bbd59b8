//! Hosts as they were looked at, and what of that is a fact.
//!
//! A look that failed is no fact: what a host showed before, it may show still.

use super::Life;
use crate::cert::Spki;
use crate::cert::chain::Leaf;
use crate::probe::{Fault, Looked, Seen};
use crate::roll::tlsa::Profile;
use crate::roll::tlsa::facts::{Fact, Origin, Shown};
use crate::time::UnixTime;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A host as it was last looked at.
#[derive(Clone, Debug, Default)]
pub struct HostSeen {
    /// When.
    pub at: UnixTime,
    /// Why that failed; none: it did not.
    pub fault: Option<HostFault>,
    /// What it showed, for each way of asking.
    pub shows: BTreeMap<Profile, SeenShown>,
}

/// Why a host could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFault {
    /// In words.
    pub what: String,
    /// In one word.
    pub word: &'static str,
}

/// What a host showed to one way of asking.
#[derive(Clone, Debug, Default)]
pub struct SeenShown {
    /// The name that was asked for.
    pub sni: Option<String>,
    /// The certificate; none: none of this kind.
    pub leaf: Option<Leaf>,
    /// Version of TLS.
    pub tls: String,
    /// What MTA-STS senders will object to.
    pub warnings: Vec<String>,
}

/// What judges a certificate as MTA-STS senders do: a chain, the name asked for, the moment; in words what they object to.
pub type Judge<'a> = dyn Fn(&crate::cert::chain::Chain, Option<&str>) -> Vec<String> + 'a;

impl Life {
    /// Takes in a round of looks: what is news becomes a fact. True where something may have to be served now.
    pub fn saw(&mut self, seen: Seen, judge: &Judge<'_>, now: UnixTime) -> bool {
        let mut by_host: BTreeMap<IpAddr, Vec<Looked>> = BTreeMap::new();
        for (target, sight) in seen.sights {
            by_host.entry(target.address.ip()).or_default().push((target, sight));
        }
        let before = self.facts().records;
        for (address, sights) in by_host {
            let mut host = HostSeen { at: now, ..HostSeen::default() };
            for (target, sight) in sights {
                let profile = Profile { class: target.class, sni: target.sni.is_some() };
                match sight {
                    Ok(sight) => {
                        let warnings = sight.chain.as_ref().map(|chain| judge(chain, target.sni.as_deref()));
                        let leaf = sight.chain.map(|chain| chain.leaf);
                        self.note(
                            address,
                            profile,
                            leaf.as_ref().map_or(Shown::Nothing, |leaf| Shown::Key(leaf.spki)),
                            leaf.as_ref(),
                            now,
                        );
                        let warnings = warnings.unwrap_or_default();
                        host.shows.insert(profile, SeenShown { sni: target.sni, leaf, tls: sight.tls, warnings });
                    }
                    Err(fault) => {
                        if matches!(fault, Fault::NoStarttls) {
                            self.note(address, profile, Shown::Plain, None, now);
                        }
                        host.fault = Some(HostFault { what: fault.to_string(), word: fault.word() });
                    }
                }
            }
            if host.fault.is_none() && host.shows.values().all(|shown| shown.leaf.is_none()) {
                let what = "it has no certificate of any kind that was asked for".to_owned();
                host.fault = Some(HostFault { what, word: "no-certificate" });
            }
            self.tell(address, &host);
            self.hosts.insert(address, host);
        }
        self.forget_hosts(now);
        self.facts().records != before
    }

    /// What a host showed becomes a fact, where it is other than what it showed before.
    fn note(&mut self, address: IpAddr, profile: Profile, shows: Shown, leaf: Option<&Leaf>, now: UnixTime) {
        if self.facts().sights.get(&(address, profile)) == Some(&shows) {
            return;
        }
        if let (Shown::Key(spki), Some(leaf)) = (shows, leaf)
            && self.facts().key(spki).is_none_or(|key| key.kind.is_none())
        {
            let known = Fact::KeyKnown { spki, kind: Some(leaf.kind), origin: Origin::Host, file: String::new() };
            if !self.record(known, now) {
                return;
            }
        }
        self.record(Fact::HostShows { address, class: profile.class, sni: profile.sni, shows }, now);
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
        let wanted = self.wanted.addresses.clone();
        self.hosts.retain(|address, _| reachable.contains(address) || wanted.contains(address));
    }

    /// All hosts that are to be looked at: those served, those that caches may still hold, and those to come.
    pub fn hosts_to_look_at(&self, now: UnixTime) -> Vec<IpAddr> {
        let reachable = self.facts().reachable(self.policy.margin, now);
        reachable.union(&self.wanted.addresses).copied().collect()
    }

    /// Keys that hosts which senders may meet show now, and that files do not name.
    pub fn unnamed(&self, now: UnixTime) -> BTreeMap<Spki, Vec<IpAddr>> {
        let reachable = self.facts().reachable(self.policy.margin, now);
        let mut unnamed: BTreeMap<Spki, Vec<IpAddr>> = BTreeMap::new();
        for key in &self.facts().keys {
            let named = self.wanted.current.contains_key(&key.spki) || self.wanted.given.contains(&key.spki);
            let hosts: Vec<IpAddr> = self.facts().shown_by(key.spki).intersection(&reachable).copied().collect();
            if !named && !hosts.is_empty() {
                unnamed.insert(key.spki, hosts);
            }
        }
        unnamed
    }
}
