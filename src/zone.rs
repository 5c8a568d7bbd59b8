//! What a zone holds and what it says about a name: records of its master file, tenants, delegations.
//!
//! Pure: content comes in as values, answers go out as views. A zone never changes after it is built; a change builds
//! the next one, and shares with it everything that stayed.

pub mod content;
pub mod endpoint;
pub mod kind;
pub mod lint;
pub mod master;
pub mod table;
pub mod tenant;

use crate::dns::name::{self, Name};
use crate::dns::rrset::RrsetView;
use crate::dns::rtype::number as rt;
use crate::sign::Signing;
use crate::sign::memo::Slot;
use content::{Content, Host, Node, Role};
use endpoint::{Pools, Tenant};
use kind::{Family, RecordKind};
use std::sync::Arc;
use table::Table;

/// One zone, ready to answer. Cloning shares everything.
#[derive(Clone)]
pub struct Zone {
    /// Its apex.
    pub apex: Name,
    /// Labels of the apex.
    pub labels: usize,
    /// What its master file holds.
    pub content: Arc<Content>,
    /// Its tenants by endpoint label.
    pub tenants: Table<Tenant>,
    /// The records of all pools.
    pub pools: Arc<Pools>,
    /// How it signs; none: unsigned.
    pub signing: Option<Arc<Signing>>,
}

/// What a zone says about a name and a type.
pub enum Found<'z> {
    /// The RRset asked for, where its signature is kept, and the hosts that it names.
    Set(RrsetView<'z>, Option<&'z Slot>, &'z [Host]),
    /// The name is an alias (RFC 1034 § 4.3.2, step 3a).
    Alias(RrsetView<'z>, Option<&'z Slot>),
    /// A name above is redirected (RFC 6672): owner, DNAME, and where its signature is kept.
    Redirect(&'z [u8], RrsetView<'z>, &'z Slot),
    /// The name exists without that type: its bitmap, and where the signature of its NSEC is kept.
    NoData(&'z [u8], Option<&'z Slot>),
    /// The question is about the name's NSEC itself or its signature: bitmap and place, as for `NoData`.
    Nsec(&'z [u8], Option<&'z Slot>),
    /// At or below a delegation.
    Referral(Cut<'z>),
    /// No such name.
    Missing,
}

/// A delegation.
#[derive(Clone, Copy)]
pub struct Cut<'z> {
    /// Its name.
    pub owner: &'z [u8],
    /// Its node.
    pub node: &'z Node,
}

impl Zone {
    /// What this zone says about `name` (lower case, within the zone) and `qtype`.
    pub fn find<'z>(&'z self, name: &[u8], qtype: u16) -> Found<'z> {
        if let Some(found) = self.find_tenant(name, qtype) {
            return found;
        }
        match self.content.entry(name) {
            Some((owner, node)) if node.role != Role::Hidden => self.at_node(owner, node, qtype, true),
            _ => self.above(name, qtype),
        }
    }

    fn find_tenant<'z>(&'z self, name: &[u8], qtype: u16) -> Option<Found<'z>> {
        if self.tenants.is_empty() {
            return None;
        }
        let (below, label) = endpoint::split_endpoint(name, self.apex.len())?;
        let tenant = self.tenants.get(label)?;
        let Some(part) = tenant.part(below, &self.pools) else { return Some(Found::Missing) };
        let kind = match qtype {
            // RFC 8482 § 4.1: one RRset is enough for ANY.
            rt::ANY => part.kinds().iter().copied().find(|kind| tenant.set(*kind, &self.pools).is_some()),
            _ => part.kind(qtype),
        };
        if let Some((kind, set)) = kind.and_then(|kind| Some((kind, tenant.set(kind, &self.pools)?))) {
            return Some(Found::Set(set, tenant.slot(kind), &[]));
        }
        let (bitmap, slot) = (tenant.bitmap(part, &self.pools), Some(tenant.denial_slot(part)));
        Some(if self.asks_denial(qtype) { Found::Nsec(bitmap, slot) } else { Found::NoData(bitmap, slot) })
    }

    /// RRSIG and NSEC exist only as the answer makes them.
    fn asks_denial(&self, qtype: u16) -> bool {
        self.signing.is_some() && matches!(qtype, rt::RRSIG | rt::NSEC)
    }

    /// The answer of an existing node. `own`: asked by its own name, so signatures are kept; else it is a wildcard's,
    /// whose signatures are made for each name asked (RFC 9824 § 3.3) and not kept for good.
    fn at_node<'z>(&'z self, owner: &'z [u8], node: &'z Node, qtype: u16, own: bool) -> Found<'z> {
        if node.role == Role::Cut && qtype != rt::DS {
            return Found::Referral(Cut { owner, node });
        }
        let keep = |slot: &'z Slot| own.then_some(slot);
        if self.asks_denial(qtype) {
            return Found::Nsec(node.bitmap(), own.then(|| node.denial_slot()));
        }
        if let Some((set, slot, hosts)) = node.set_with_hosts(qtype) {
            return Found::Set(set, keep(slot), hosts);
        }
        if qtype == rt::ANY {
            // RFC 8482 § 4.1: one RRset is enough for ANY; the smallest, so that it amplifies least.
            if let Some((set, slot)) = node.sets().min_by_key(|(set, _)| set.wire.len()) {
                return Found::Set(set, keep(slot), &[]);
            }
        }
        if let Some((set, slot)) = node.set(rt::CNAME) {
            return Found::Alias(set, keep(slot));
        }
        Found::NoData(node.bitmap(), own.then(|| node.denial_slot()))
    }

    /// The closest existing name above decides: a cut refers, a DNAME redirects, a wildcard stands in (RFC 4592 § 3.3).
    fn above<'z>(&'z self, name: &[u8], qtype: u16) -> Found<'z> {
        let above = name::ancestors(name).take_while(|suffix| suffix.len() >= self.apex.len());
        let mut encloser = None;
        for suffix in above {
            let Some((owner, node)) = self.content.entry(suffix) else { continue };
            let dname = node.set(rt::DNAME).filter(|_| owner.len() < name.len() && node.role == Role::Plain);
            if let Some((set, slot)) = dname {
                return Found::Redirect(owner, set, slot);
            }
            match node.role {
                Role::Cut => return Found::Referral(Cut { owner, node }),
                // Whatever hides this node is further up.
                Role::Hidden => continue,
                Role::Plain => {
                    encloser = Some(owner);
                    break;
                }
            }
        }
        let Some(encloser) = encloser else { return Found::Missing };
        let Ok(wildcard) = Name::below(b"*", encloser) else { return Found::Missing };
        match self.content.entry(&wildcard) {
            Some((owner, node)) if node.role == Role::Plain => self.at_node(owner, node, qtype, false),
            _ => Found::Missing,
        }
    }

    /// The addresses of one family of a host that an RRset of this zone names; with the place of their signature where they
    /// are ours to sign.
    pub fn addresses<'z>(&'z self, host: &'z Host, family: Family) -> Option<(RrsetView<'z>, Option<&'z Slot>)> {
        if !self.tenants.is_empty()
            && let Some((below, label)) = endpoint::split_endpoint(&host.name, self.apex.len())
            && let Some(tenant) = self.tenants.get(label)
        {
            let kind = RecordKind::Address(family);
            let set = tenant.set(kind, &self.pools).filter(|_| below.is_empty())?;
            return Some((set, tenant.slot(kind)));
        }
        host.set(family)
    }

    /// The SOA, and where its signature is kept.
    pub fn soa(&self) -> Option<(RrsetView<'_>, &Slot)> {
        self.content.node(&self.apex)?.set(rt::SOA)
    }

    /// Calls `each` with all names of ours that hold data: name, RRset, place of its signature.
    pub fn for_each_set(&self, mut each: impl FnMut(&[u8], RrsetView<'_>, &Slot)) {
        for (name, node) in self.content.nodes().filter(|(_, node)| node.role != Role::Hidden) {
            let ours = node.sets().filter(|(set, _)| node.role != Role::Cut || set.rtype == rt::DS);
            ours.for_each(|(set, slot)| each(name, set, slot));
        }
        self.content.expanded().for_each(|(name, set, slot)| each(name, set, slot));
        for tenant in self.tenants.iter() {
            self.for_each_tenant_set(tenant, &mut each);
        }
    }

    /// As [`Zone::for_each_set`], for one tenant.
    pub fn for_each_tenant_set(&self, tenant: &Tenant, each: &mut impl FnMut(&[u8], RrsetView<'_>, &Slot)) {
        let Ok(endpoint) = Name::below(tenant.label(), &self.apex) else { return };
        for kind in RecordKind::ALL {
            let (Some(set), Some(slot)) = (tenant.set(kind, &self.pools), tenant.slot(kind)) else { continue };
            if let Some(owner) = kind.part().owner(&endpoint) {
                each(&owner, set, slot);
            }
        }
    }
}
