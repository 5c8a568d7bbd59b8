//! The hosts that NS, MX, SRV, SVCB and HTTPS records name, with the addresses that their zone has for them.
//!
//! Found once when the zone is built, by the rules that a question for the address would meet. Never an address of
//! another zone, and never one that a DNAME hides.

use super::written::{Names, Sets, Written};
use super::{KeptSet, Role};
use crate::dns::name::{self, Name};
use crate::dns::rrset::{RECORD_HEAD, Rrset, RrsetFault, RrsetView};
use crate::dns::rtype::number as rt;
use crate::sign::memo::Slot;
use crate::zone::kind::Family;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A host that an RRset names.
pub struct Host {
    /// Its name.
    pub name: Box<[u8]>,
    given: Given,
    sets: [Option<Arc<KeptSet>>; Family::ALL.len()],
}

/// As what a zone gives the addresses of a host.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    /// Glue without which nobody can follow the delegation that names the host (RFC 9471 § 2).
    NeededGlue,
    /// Glue that spares whoever asks another question.
    Glue,
    /// The zone's own, which are signed.
    Ours,
}

impl Host {
    /// Whether nobody can follow the delegation that names it without its addresses (RFC 9471 § 2).
    pub fn is_needed(&self) -> bool {
        self.given == Given::NeededGlue
    }

    /// Its addresses of one family in the master file; with the place of their signature where they are ours to sign.
    pub fn set(&self, family: Family) -> Option<(RrsetView<'_>, Option<&Slot>)> {
        let kept = self.sets.get(family.index())?.as_deref()?;
        Some((kept.set.view(), (self.given == Given::Ours).then_some(&kept.slot)))
    }

    /// RRsets that have to go with each referral.
    pub(super) fn glue(&self) -> usize {
        if self.is_needed() { self.sets.iter().flatten().count() } else { 0 }
    }
}

/// What a zone has at a host's name.
enum Standing<'n> {
    /// Data of its own, if any, of this owner: the host itself, or the wildcard that stands in for it.
    Ours(Option<&'n [u8]>),
    /// Below a delegation.
    Glue,
    /// Nothing, or something that a DNAME hides.
    Nothing,
}

/// Finds hosts while a zone is built.
pub(super) struct Hosts<'n> {
    pub names: &'n Names<'n>,
    apex: &'n [u8],
    /// No TTL goes out that is above it.
    ttl_cap: u32,
    /// All names that records name as hosts.
    named: BTreeSet<Box<[u8]>>,
    made: BTreeMap<(Box<[u8]>, u16), Arc<KeptSet>>,
    expanded: Vec<(Box<[u8]>, Arc<KeptSet>)>,
    /// Octets that may still be made for hosts that a wildcard gives addresses, each its own; none: they were too few.
    room: Option<usize>,
}

impl<'n> Hosts<'n> {
    /// Looks for the names of hosts in all records.
    pub fn new(apex: &'n [u8], names: &'n Names<'n>, ttl_cap: u32, room: usize) -> Hosts<'n> {
        let mut named = BTreeSet::new();
        for (rtype, set) in names.values().flat_map(Sets::iter) {
            named.extend(set.data.iter().filter_map(|data| host_in(rtype, data)).map(|name| Box::from(&*name)));
        }
        Hosts { names, apex, ttl_cap, named, made: BTreeMap::new(), expanded: Vec::new(), room: Some(room) }
    }

    /// The addresses of a type at `owner`, where records name that host.
    pub fn shared(&mut self, owner: &[u8], rtype: u16) -> Result<Option<Arc<KeptSet>>, RrsetFault> {
        if !matches!(rtype, rt::A | rt::AAAA) || !self.named.contains(owner) {
            return Ok(None);
        }
        self.make(owner, owner, rtype)
    }

    /// The hosts that an RRset names, those first that a delegation cannot do without.
    pub fn of(&mut self, owner: &[u8], role: Role, rtype: u16, set: &Written<'_>) -> Result<Box<[Host]>, RrsetFault> {
        let is_answered = match role {
            Role::Plain => true,
            Role::Cut => rtype == rt::NS,
            Role::Hidden => false,
        };
        let mut hosts = Vec::new();
        if !is_answered {
            return Ok(Box::default());
        }
        let names: BTreeSet<Name> = set.data.iter().filter_map(|data| host_in(rtype, data)).collect();
        for name in names.iter().filter(|name| name::is_within(name, self.apex)) {
            let is_needed = role == Role::Cut && name::is_within(name, owner);
            hosts.extend(self.host(name, rtype, is_needed)?);
        }
        hosts.sort_by_key(|host: &Host| !host.is_needed());
        Ok(hosts.into())
    }

    /// Whether there was no room for all addresses that a wildcard gives to hosts.
    pub fn is_full(&self) -> bool {
        self.room.is_none()
    }

    /// Addresses that a wildcard gives to hosts.
    pub fn expanded(self) -> Vec<(Box<[u8]>, Arc<KeptSet>)> {
        self.expanded
    }

    fn host(&mut self, name: &[u8], rtype: u16, is_needed: bool) -> Result<Option<Host>, RrsetFault> {
        let (at, given) = match self.standing(name) {
            Standing::Ours(at) => (at.unwrap_or(name), Given::Ours),
            // Only a name server is asked for at an address that is not the zone's own to give.
            Standing::Glue if rtype == rt::NS && is_needed => (name, Given::NeededGlue),
            Standing::Glue if rtype == rt::NS => (name, Given::Glue),
            Standing::Glue | Standing::Nothing => return Ok(None),
        };
        let [four, six] = Family::ALL.map(|family| self.make(name, at, family.rtype()));
        let sets = [four?, six?];
        // A tenant's endpoint is a name just below the apex, which the master file does not have.
        let may_be_tenant = name::parent(name) == Some(self.apex) && !self.names.contains_key(name);
        let is_known = may_be_tenant || sets.iter().any(Option::is_some);
        Ok(is_known.then(|| Host { name: name.into(), given, sets }))
    }

    /// The RRset at `at` under the name of a host, made once however often that host is named.
    fn make(&mut self, host: &[u8], at: &[u8], kind: u16) -> Result<Option<Arc<KeptSet>>, RrsetFault> {
        let Some(set) = self.names.get(at).and_then(|sets| sets.get(kind)) else { return Ok(None) };
        let key = (host.into(), kind);
        if let Some(made) = self.made.get(&key) {
            return Ok(Some(Arc::clone(made)));
        }
        if host != at {
            let octets: usize = set.data.iter().map(|data| data.len() + RECORD_HEAD).sum();
            self.room = self.room.and_then(|room| room.checked_sub(octets));
            if self.is_full() {
                return Ok(None);
            }
        }
        let set = Rrset::new(kind, set.ttl.min(self.ttl_cap), set.data.clone())?;
        let made = Arc::new(KeptSet { set, slot: Slot::default(), hosts: Box::default() });
        if host != at {
            self.expanded.push((host.into(), Arc::clone(&made)));
        }
        self.made.insert(key, Arc::clone(&made));
        Ok(Some(made))
    }

    /// RFC 1034 § 4.3.2, step 3: down from the apex, label by label.
    fn standing(&self, name: &[u8]) -> Standing<'n> {
        let apex_labels = name::label_count(self.apex);
        let mut encloser = self.apex;
        for count in apex_labels..=name::label_count(name) {
            let Some(suffix) = name::suffix(name, count) else { return Standing::Nothing };
            let Some((owner, sets)) = self.names.get_key_value(suffix) else { break };
            encloser = owner;
            if count > apex_labels && sets.has(rt::NS) {
                return Standing::Glue;
            }
            if suffix.len() < name.len() && sets.has(rt::DNAME) {
                return Standing::Nothing;
            }
        }
        if *encloser == *name {
            return Standing::Ours(Some(encloser));
        }
        // RFC 4592 § 3.3.1: the source of synthesis lies just below the closest encloser, or there is none.
        let wildcard = Name::below(b"*", encloser).ok();
        let owner = wildcard.and_then(|wildcard| self.names.get_key_value(&*wildcard)).map(|(owner, _)| &**owner);
        Standing::Ours(owner)
    }
}

/// The host that record data of a type name, in lower case.
fn host_in(rtype: u16, data: &[u8]) -> Option<Name> {
    let skip = match rtype {
        rt::NS => 0,
        rt::MX | rt::SVCB | rt::HTTPS => 2,
        rt::SRV => 6,
        _ => return None,
    };
    let rest = data.get(skip..)?;
    let name = name::ancestors(rest).find(|rest| rest.first() == Some(&0))?;
    let octets = rest.len() - name.len() + 1;
    // The root stands for no host at all (RFC 7505 § 3, RFC 2782).
    Some(Name::from_wire(rest.get(..octets)?).ok()?.to_lower()).filter(|name| **name != *name::ROOT)
}
