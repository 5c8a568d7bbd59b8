//! From the records of a master file, the keys and the children served here to the names of a zone.
//!
//! One error anywhere, and nothing is built.

use super::hosts::{Host, Hosts};
use super::written::{At, Names, Sets, Written};
use super::{
    Content, DELEGATION_TTL, Delegation, FINDINGS_MAX, GLUE_MAX, Kept, KeptSet, Node, Role, SETS_MAX, TTL_MAX,
};
use crate::diagnostic::{Diagnostic, Place};
use crate::dns::name::{self, Name};
use crate::dns::rrset::Rrset;
use crate::dns::rtype::{self, number as rt};
use crate::sign::denial::{self, BITMAP_OCTETS_MAX};
use crate::sign::memo::Slot;
use crate::zone::master::{Parsed, Record};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

/// What a zone is made from.
pub struct Parts<'a> {
    /// The apex.
    pub apex: &'a Name,
    /// Whether it is signed: RRSIG and NSEC join the bitmaps, and the TTL cap holds.
    pub signed: bool,
    /// The master file, read.
    pub parsed: &'a Parsed,
    /// DNSKEY, CDS and CDNSKEY: type, TTL, data.
    pub key_sets: &'a [(u16, u32, Vec<Vec<u8>>)],
    /// Children served here.
    pub children: &'a [Delegation],
    /// TTL of any RRset, at most, whatever is written: no more could be recorded.
    pub ttl_cap: u32,
}

/// Checks a zone as a whole and builds its content; none where an error stands among the findings.
pub fn build(parts: &Parts<'_>) -> (Option<Content>, Vec<Diagnostic>) {
    let mut builder = Builder { parts, names: BTreeMap::new(), findings: Vec::new(), unshown: 0, has_failed: false };
    builder.collect();
    builder.delegate();
    builder.check();
    builder.add_empty_non_terminals();
    let content = if builder.has_failed { None } else { builder.content() };
    builder.tell_unshown();
    (content.filter(|_| !builder.has_failed), builder.findings)
}

/// A zone in the making.
pub(super) struct Builder<'a> {
    pub parts: &'a Parts<'a>,
    pub names: Names<'a>,
    findings: Vec<Diagnostic>,
    /// Findings past [`FINDINGS_MAX`].
    unshown: usize,
    /// Whether one of all findings is an error.
    has_failed: bool,
}

impl<'a> Builder<'a> {
    fn place(&self, file: u16, line: u32) -> Place {
        let file = self.parts.parsed.files.get(usize::from(file)).cloned().unwrap_or_default();
        Place { file, line, ..Place::default() }
    }

    pub(super) fn error(&mut self, code: &'static str, at: At, message: String, help: &str) {
        self.has_failed = true;
        self.note(Diagnostic::error(code, self.place(at.0, at.1), message, help));
    }

    pub(super) fn warn(&mut self, code: &'static str, at: At, message: String, help: &str) {
        self.note(Diagnostic::warning(code, self.place(at.0, at.1), message, help));
    }

    fn note(&mut self, finding: Diagnostic) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.unshown += 1;
        }
    }

    fn tell_unshown(&mut self) {
        if self.unshown > 0 {
            let message = format!("{} more findings about this zone are not shown", self.unshown);
            let make = if self.has_failed { Diagnostic::error } else { Diagnostic::warning };
            self.findings.push(make("MX2118", self.place(0, 0), message, "correct those above first"));
        }
    }

    /// Groups the records into RRsets; one TTL for each (RFC 2181 § 5.2).
    fn collect(&mut self) {
        for record in self.parts.parsed.records.iter() {
            if self.refuse(record) {
                continue;
            }
            let at = (record.file, record.line);
            let sets = self.names.entry(record.owner).or_default();
            let set = sets.entry(record.rtype, || Written { ttl: record.ttl, data: Vec::with_capacity(1), at });
            set.data.push(record.data);
            if set.ttl != record.ttl {
                set.ttl = set.ttl.min(record.ttl);
                let (owner, rtype) = (name::print(record.owner), rtype::print(record.rtype));
                let message = format!("records of {owner} {rtype} have different TTLs; the lowest is used for all");
                self.warn("MX2101", at, message, "RFC 2181 § 5.2 wants one TTL for an RRset: write the same");
            }
        }
        for (rtype, ttl, data) in self.parts.key_sets {
            self.names.entry(self.parts.apex).or_default().put(*rtype, Written::derived(*ttl, data));
        }
    }

    /// Types that the server makes itself may not be written into a signed zone.
    fn refuse(&mut self, record: Record<'_>) -> bool {
        let ours = matches!(record.rtype, rt::RRSIG | rt::NSEC | 50 | 51)
            || (*record.owner == **self.parts.apex && matches!(record.rtype, rt::DNSKEY | rt::CDS | rt::CDNSKEY));
        let at = (record.file, record.line);
        let rtype = rtype::print(record.rtype);
        if self.parts.signed && ours {
            let message = format!("{rtype} is made by the server for a signed zone");
            self.error("MX2102", at, message, "remove the record, or set `signed = false` for this zone");
            return true;
        }
        if self.parts.signed && record.ttl > TTL_MAX {
            let message = format!("TTL {} is above {TTL_MAX}, the cap in a signed zone", record.ttl);
            self.error(
                "MX2103",
                at,
                message,
                "lower it: signature windows and the waits of key rolls rest on that cap",
            );
            return true;
        }
        false
    }

    /// Puts the children served here in as cuts; what is written for them by hand yields.
    fn delegate(&mut self) {
        for child in self.parts.children {
            let apex: &[u8] = &child.apex;
            let written = self.names.get(apex).and_then(|sets| sets.get(rt::NS)).map(|set| set.at);
            if let Some(at) = written {
                let message =
                    format!("the delegation of {} is written by hand, but that zone is served here", child.apex);
                self.warn("MX2104", at, message, "remove its NS, DS and glue: the server derives them from the child");
            }
            self.names.retain(|owner, _| !name::is_within(owner, apex));
            let servers = child.name_servers.iter().map(|server| &**server).collect();
            let mut sets = Sets::default();
            sets.put(rt::NS, Written { data: servers, ..Written::derived(DELEGATION_TTL, []) });
            if !child.ds.is_empty() {
                sets.put(rt::DS, Written::derived(child.ds_ttl, &child.ds));
            }
            self.names.insert(apex, sets);
            for (owner, kind, data) in &child.glue {
                let sets = self.names.entry(owner).or_default();
                sets.entry(*kind, || Written::derived(DELEGATION_TTL, [])).data.push(data);
            }
        }
    }

    fn content(&mut self) -> Option<Content> {
        let apex: &[u8] = self.parts.apex;
        let soa = self.names.get(apex)?.get(rt::SOA)?;
        let numbers = soa.data.first()?;
        let tail = numbers.len().checked_sub(20)?;
        let number = |at: usize| numbers.get(tail + at..tail + at + 4)?.try_into().ok().map(u32::from_be_bytes);
        let (serial, minimum) = (number(0)?, number(16)?);
        let ttl_max = self.names.values().flat_map(Sets::iter).map(|(_, set)| set.ttl).max().unwrap_or(0);
        let negative_ttl = soa.ttl.min(minimum).min(self.parts.ttl_cap);
        let name_servers =
            self.names.get(apex)?.get(rt::NS)?.data.iter().filter_map(|n| Name::from_wire(n).ok()).collect();
        let mut content = Content {
            nodes: HashMap::default(),
            expanded: Vec::new(),
            serial,
            negative_ttl,
            records: self.parts.parsed.records.len(),
            ttl_max,
            name_servers,
            files: self.parts.parsed.files.clone(),
        };
        let names = std::mem::take(&mut self.names);
        if content.nodes.try_reserve(names.len()).is_err() {
            let message = format!("the system gives no memory for the {} names of this zone", names.len());
            self.error("MX2117", (0, 0), message, "give the process more memory, or divide the zone");
            return None;
        }
        let room = self.parts.parsed.room.octets;
        let mut hosts = Hosts::new(apex, &names, self.parts.ttl_cap, room);
        for (owner, sets) in &names {
            match self.node(owner, sets, &mut hosts) {
                Ok(node) => drop(content.nodes.insert((*owner).into(), node)),
                Err((at, message)) => self.error("MX2110", at, message, "spread the records over more names"),
            }
        }
        if hosts.is_full() {
            let message = format!("addresses that a wildcard gives to hosts have more than {room} octets in all");
            self.error("MX2117", (0, 0), message, "name fewer hosts below a wildcard, or give it fewer addresses");
        }
        content.expanded = hosts.expanded();
        Some(content)
    }

    /// Every name between a name and the apex exists too (RFC 4592 § 2.2.2). Each takes memory as a record does.
    fn add_empty_non_terminals(&mut self) {
        let (apex_octets, room) = (self.parts.apex.len(), &self.parts.parsed.room);
        let mut empty: BTreeSet<&[u8]> = BTreeSet::new();
        for (owner, sets) in &self.names {
            let above = name::ancestors(owner).skip(1).take_while(|suffix| suffix.len() > apex_octets);
            empty.extend(above.take_while(|suffix| !self.names.contains_key(*suffix)));
            if self.parts.parsed.records.len() + empty.len() > room.records {
                let at = sets.iter().map(|(_, set)| set.at).min().unwrap_or_default();
                let message = format!(
                    "names between others and the apex, which exist without records, count as records: with them there are \
                     more than {}, {}",
                    room.records, room.limit
                );
                let help = room.help.clone();
                return self.error("MX2117", at, message, &help);
            }
        }
        for owner in empty {
            self.names.entry(owner).or_default();
        }
    }

    pub(super) fn role(&self, owner: &[u8], sets: &Sets<'_>, names: &Names<'_>) -> Role {
        let apex: &[u8] = self.parts.apex;
        if owner == apex {
            return Role::Plain;
        }
        let mut above = name::ancestors(owner).skip(1).take_while(|suffix| suffix.len() >= apex.len());
        let hidden = above.any(|suffix| {
            names.get(suffix).is_some_and(|sets| sets.has(rt::DNAME) || (suffix != apex && sets.has(rt::NS)))
        });
        match (hidden, sets.has(rt::NS)) {
            (true, _) => Role::Hidden,
            (false, true) => Role::Cut,
            (false, false) => Role::Plain,
        }
    }

    fn node(&self, owner: &[u8], sets: &Sets<'_>, hosts: &mut Hosts<'_>) -> Result<Node, (At, String)> {
        let at = sets.iter().map(|(_, set)| set.at).min().unwrap_or_default();
        let source = sets.iter().filter(|(_, set)| set.at.1 > 0).map(|(_, set)| set.at).min().unwrap_or_default();
        let owner_text = || name::print(owner);
        if sets.count() > SETS_MAX {
            return Err((at, format!("{} has more than {SETS_MAX} types", owner_text())));
        }
        let role = self.role(owner, sets, hosts.names);
        let mut kept = Vec::with_capacity(sets.count());
        for (rtype, written) in sets.iter() {
            let fault = |fault| (written.at, format!("{} {}: {fault}", owner_text(), rtype::print(rtype)));
            if let Some(shared) = hosts.shared(owner, rtype).map_err(fault)? {
                kept.push(Kept::Shared(shared));
                continue;
            }
            let ttl = written.ttl.min(self.parts.ttl_cap);
            let set = Rrset::new(rtype, ttl, written.data.clone()).map_err(fault)?;
            let hosts = hosts.of(owner, role, rtype, written).map_err(fault)?;
            kept.push(Kept::Own(KeptSet { set, slot: Slot::default(), hosts }));
        }
        // RFC 4035 § 2.3: at a cut only NS and DS are the parent's to assert.
        let ours = sets.types().filter(|t| role != Role::Cut || matches!(*t, rt::NS | rt::DS));
        let bitmap = denial::bitmap(ours.chain([rt::RRSIG, rt::NSEC]));
        if bitmap.len() > BITMAP_OCTETS_MAX {
            return Err((at, format!("{} has types in too many windows for one NSEC", owner_text())));
        }
        let node = Node { sets: kept.into(), bitmap: bitmap.into(), role, source, denial: OnceLock::new() };
        let glue: usize = node.set_with_hosts(rt::NS).map_or(0, |(_, _, hosts)| hosts.iter().map(Host::glue).sum());
        if glue > GLUE_MAX {
            return Err((at, format!("{} needs more than {GLUE_MAX} RRsets of glue", owner_text())));
        }
        Ok(node)
    }
}
