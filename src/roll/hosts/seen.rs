//! Hosts as they were last looked at, and what that says of their keys.
//!
//! Pure. It is what people are told and asked; what of it is a fact, is decided elsewhere ([`super::sights`]).

use super::check::AddressSet;
use super::fold::PoolFacts;
use super::plan::is_ours;
use super::sights::Sight;
use super::{Policy, Profile, Wanted};
use crate::cert::{KeyKind, Leaf, Spki};
use crate::time::UnixTime;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A host as it was last looked at.
#[derive(Clone, Debug, Default)]
pub struct HostSeen {
    /// When; at 0: never.
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
    /// Whether it offered no STARTTLS.
    pub is_plain: bool,
}

impl HostSeen {
    /// The certificates that it showed.
    pub fn keys(&self) -> impl Iterator<Item = (Profile, &Leaf)> {
        self.shows.iter().filter_map(|(profile, shown)| Some((*profile, shown.leaf.as_ref()?)))
    }

    /// What it showed to each way of asking.
    pub fn sights(&self) -> Vec<(Profile, Sight)> {
        let sight = |shown: &SeenShown| match &shown.leaf {
            _ if shown.is_plain => Sight::Plain,
            Some(leaf) => Sight::Key(leaf.spki, leaf.kind),
            None => Sight::Nothing,
        };
        self.shows.iter().map(|(profile, shown)| (*profile, sight(shown))).collect()
    }
}

/// The hosts of a pool, with what is known of the pool.
#[derive(Clone, Copy, Debug)]
pub struct Hosts<'a> {
    /// What happened to the pool.
    pub facts: &'a PoolFacts,
    /// What its files say.
    pub wanted: &'a Wanted,
    /// What is wanted beside them.
    pub policy: &'a Policy,
    /// What each host was seen to show since the start.
    pub seen: &'a BTreeMap<IpAddr, HostSeen>,
}

impl Hosts<'_> {
    /// Whether senders may meet a host as one of the pool's, or are to.
    pub fn is_own(&self, address: IpAddr, now: UnixTime) -> bool {
        self.wanted.addresses.contains(&address) || self.facts.reachable(self.policy.margin, now).contains(&address)
    }

    /// All hosts that are to be looked at: those served, those that caches may still hold, and those to come.
    pub fn to_look_at(&self, now: UnixTime) -> Vec<IpAddr> {
        let apart = self.facts.reachable_apart(self.policy.margin, now);
        let own = self.facts.reachable(self.policy.margin, now);
        own.iter().chain(&self.wanted.addresses).chain(&apart).copied().collect::<AddressSet>().into_iter().collect()
    }

    /// Keys that are none of the pool's, and the hosts of the pool that showed them when they were last looked at.
    pub fn strangers(&self, now: UnixTime) -> BTreeMap<Spki, (KeyKind, Vec<IpAddr>)> {
        let mut strangers: BTreeMap<Spki, (KeyKind, Vec<IpAddr>)> = BTreeMap::new();
        for (address, host) in self.seen.iter().filter(|(address, _)| self.is_own(**address, now)) {
            for (_, leaf) in host.keys().filter(|(_, leaf)| !is_ours(self.facts, self.wanted, leaf.spki)) {
                let (_, hosts) = strangers.entry(leaf.spki).or_insert_with(|| (leaf.kind, Vec::new()));
                if !hosts.contains(address) {
                    hosts.push(*address);
                }
            }
        }
        strangers
    }

    /// The kind of a key, where a host of the pool showed it when it was last looked at.
    pub fn shown_kind(&self, spki: Spki, now: UnixTime) -> Option<KeyKind> {
        let mut own = self.seen.iter().filter(|(address, _)| self.is_own(**address, now));
        own.find_map(|(_, host)| host.keys().find(|(_, leaf)| leaf.spki == spki).map(|(_, leaf)| leaf.kind))
    }

    /// Hosts at tenants' own addresses that showed a key when they were last looked at.
    pub fn apart_with(&self, spki: Spki, now: UnixTime) -> AddressSet {
        let apart = self.seen.iter().filter(|(address, _)| !self.is_own(**address, now));
        let shows = |host: &HostSeen| host.keys().any(|(_, leaf)| leaf.spki == spki);
        apart.filter(|(_, host)| shows(host)).map(|(address, _)| *address).collect()
    }

    /// Hosts at tenants' own addresses that show a key without TLSA, with one such key each.
    pub fn strange_apart(&self, now: UnixTime) -> BTreeMap<IpAddr, Spki> {
        let served = self.facts.served_keys();
        let apart = self.facts.apart.last().map(|version| version.what.clone()).unwrap_or_default();
        let apart = apart.into_iter().filter(|address| !served.is_empty() && !self.is_own(*address, now));
        let strange = |address: IpAddr| {
            let host = self.seen.get(&address)?;
            let key = host.keys().find(|(_, leaf)| !served.contains(&leaf.spki));
            key.map(|(_, leaf)| (address, leaf.spki))
        };
        apart.filter_map(strange).collect()
    }

    /// Keys that hosts which senders may meet show now, and that files do not name.
    pub fn unnamed(&self, now: UnixTime) -> BTreeMap<Spki, Vec<IpAddr>> {
        let reachable = self.facts.reachable(self.policy.margin, now);
        let mut unnamed: BTreeMap<Spki, Vec<IpAddr>> = BTreeMap::new();
        for key in &self.facts.keys {
            let named = self.wanted.current.contains_key(&key.spki) || self.wanted.given.contains(&key.spki);
            let hosts: Vec<IpAddr> = self.facts.shown_by(key.spki).intersection(&reachable).copied().collect();
            if !named && !hosts.is_empty() {
                unnamed.insert(key.spki, hosts);
            }
        }
        unnamed
    }
}
