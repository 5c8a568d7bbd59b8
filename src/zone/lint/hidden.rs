//! Records that are never answered, since somebody else speaks for their names.
//!
//! They lie at or below a delegation, below a DNAME, or in a zone that is served here by itself.

use super::{Slip, Subject};
use crate::dns::name;
use crate::dns::rtype::{self, number as rt};
use crate::zone::content::Role;
use crate::zone::master::OwnRecord as Record;
use std::collections::BTreeSet;

/// What the zone hands out beside its own data.
pub(super) struct Hidden<'a> {
    /// Name servers of delegations: their addresses are glue.
    servers: BTreeSet<&'a [u8]>,
    /// Zones below this one that are served here.
    children: BTreeSet<&'a [u8]>,
    /// Zones served here whose delegation is written by hand, too: that is told elsewhere.
    by_hand: BTreeSet<&'a [u8]>,
}

impl<'a> Hidden<'a> {
    pub(super) fn new(subject: &Subject<'a>) -> Hidden<'a> {
        let cuts =
            subject.parsed.records.iter().filter(|record| record.rtype == rt::NS && *record.owner != **subject.apex);
        let children: BTreeSet<&[u8]> = subject.children.iter().map(|child| &*child.apex).collect();
        Hidden {
            servers: cuts.clone().map(|record| record.data).collect(),
            by_hand: cuts.map(|record| record.owner).filter(|owner| children.contains(owner)).collect(),
            children,
        }
    }

    /// The zone served here that a record's owner lies in.
    fn child_of<'r>(&self, record: &'r Record) -> Option<&'r [u8]> {
        name::ancestors(&record.owner).find(|above| self.children.contains(above))
    }

    /// Whether a record is no data of this zone.
    pub(super) fn is_hidden(&self, subject: &Subject<'_>, record: &Record) -> bool {
        let is_childs = self.child_of(record).is_some();
        let role = subject.content.node(&record.owner).map(|node| node.role);
        is_childs || role == Some(Role::Hidden) || (role == Some(Role::Cut) && record.rtype != rt::NS)
    }

    /// Why a record is never answered, where that is not just glue.
    pub(super) fn slip(&self, subject: &Subject<'_>, record: &Record) -> Option<Slip> {
        let is_glue = matches!(record.rtype, rt::A | rt::AAAA) && self.servers.contains(&*record.owner);
        if let Some(child) = self.child_of(record) {
            let is_told = self.by_hand.contains(child);
            let of_cut = *record.owner == *child && matches!(record.rtype, rt::NS | rt::DS);
            return (!(is_told && (of_cut || is_glue))).then(|| {
                let message =
                    format!("this is not used: {} is a zone that is served here by itself", name::print(child));
                Slip::new(
                    "MX2152",
                    message,
                    "write the record into the master file of that zone; its NS, DS and glue are made by the server",
                )
            });
        }
        let above = self.above(subject, record)?;
        if is_glue || (*record.owner == *above && matches!(record.rtype, rt::NS | rt::DS | rt::NSEC | rt::RRSIG)) {
            return None;
        }
        let node = subject.content.node(above)?;
        let above = name::print(above);
        if node.role == Role::Plain {
            let message = format!("this is never answered: it lies below the DNAME of {above}");
            return Some(Slip::new(
                "MX2151",
                message,
                "a DNAME redirects all names below its own (RFC 6672 § 2.4): remove one of the two",
            ));
        }
        let kind = rtype::print(record.rtype);
        let message = format!("{kind} is never answered here: {above} is delegated to other servers");
        Some(Slip::new(
            "MX2150",
            message,
            "write the record into the zone of those servers (RFC 1034 § 4.2.1); only addresses of name servers stand here",
        ))
    }

    /// The delegation at or above a record's owner, or the DNAME above it; the highest, as a resolver meets it first.
    fn above<'s>(&self, subject: &Subject<'s>, record: &'s Record) -> Option<&'s [u8]> {
        let node = subject.content.node(&record.owner)?;
        if node.role == Role::Plain {
            return None;
        }
        let apex_labels = name::label_count(subject.apex);
        let mut suffixes =
            (apex_labels..=name::label_count(&record.owner)).filter_map(|count| name::suffix(&record.owner, count));
        suffixes.find(|suffix| {
            let node = subject.content.node(suffix);
            node.is_some_and(|node| {
                node.role == Role::Cut || (suffix.len() < record.owner.len() && node.set(rt::DNAME).is_some())
            })
        })
    }
}
