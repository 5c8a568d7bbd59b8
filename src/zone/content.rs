//! What a master file holds, by name: nodes with their RRsets, cuts with their glue, and the checks of the whole zone.
//!
//! Built once when the file changes, then only read. Every name that exists has a node, empty non-terminals included, so
//! that existence is one lookup (RFC 4592 § 2.2.2).

use crate::diagnostic::{Diagnostic, Place};
use crate::dns::name::{self, Name};
use crate::dns::rrset::{Rrset, RrsetView};
use crate::dns::rtype::{self, number as rt};
use crate::sign::denial::{self, BITMAP_OCTETS_MAX};
use crate::sign::memo::Slot;
use crate::zone::master::{Parsed, Record};
use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

/// TTL above which a signed zone is refused: signature windows and the waits of rolls rest on this cap.
pub const TTL_MAX: u32 = 86_400;
/// TTL above which a warning says what it costs.
pub const TTL_LONG: u32 = 3600;
/// TTL below which a warning says what it costs.
pub const TTL_SHORT: u32 = 30;
/// RRsets at one name, at most.
const SETS_MAX: usize = 64;
/// Glue RRsets at one cut, at most: all of them must go out together (RFC 9471 § 3).
pub const GLUE_MAX: usize = 40;
/// TTL of the NS and DS of a child zone served here.
pub const DELEGATION_TTL: u32 = 3600;

/// All that a master file gives to answers.
pub struct Content {
    nodes: HashMap<Box<[u8]>, Node, foldhash::quality::RandomState>,
    /// SOA serial.
    pub serial: u32,
    /// TTL of negative answers: the lesser of SOA TTL and MINIMUM (RFC 2308 § 5, RFC 9077 § 4).
    pub negative_ttl: u32,
    /// Records in the master file.
    pub records: usize,
    /// The longest TTL in it.
    pub ttl_max: u32,
    /// The zone's own name servers and their addresses within the zone: what its parent hands out.
    pub name_servers: Vec<Name>,
    /// Where records come from, for `explain`: owner to index of file and line of its first record.
    sources: HashMap<Box<[u8]>, (u16, u32), foldhash::quality::RandomState>,
    /// The files: the master file, then what it includes.
    pub files: Vec<String>,
}

/// One name.
pub struct Node {
    sets: Box<[KeptSet]>,
    bitmap: Box<[u8]>,
    /// What the name is.
    pub role: Role,
    /// Addresses of name servers below this cut.
    glue: Box<[(Box<[u8]>, Rrset)]>,
    denial: OnceLock<Box<Slot>>,
}

/// An RRset and its signature.
pub struct KeptSet {
    set: Rrset,
    slot: Slot,
}

/// What a name is within its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Data of ours, or an empty non-terminal.
    Plain,
    /// A delegation: NS that are not ours to answer (RFC 1034 § 4.2.1).
    Cut,
    /// Below a cut or a DNAME: never answered as data (RFC 6672 § 2.4).
    Hidden,
}

/// A child zone served here, as its parent sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// The child's apex.
    pub apex: Name,
    /// Its name servers.
    pub name_servers: Vec<Name>,
    /// Addresses of name servers within the child: owner, type, data.
    pub glue: Vec<(Name, u16, Vec<u8>)>,
    /// DS data; empty where the child is unsigned.
    pub ds: Vec<Vec<u8>>,
}

impl Node {
    /// The RRset of a type and where its signature is kept.
    pub fn set(&self, rtype: u16) -> Option<(RrsetView<'_>, &Slot)> {
        self.sets.iter().find(|kept| kept.set.view().rtype == rtype).map(|kept| (kept.set.view(), &kept.slot))
    }

    /// All RRsets.
    pub fn sets(&self) -> impl Iterator<Item = (RrsetView<'_>, &Slot)> {
        self.sets.iter().map(|kept| (kept.set.view(), &kept.slot))
    }

    /// The types here, RRSIG and NSEC included (RFC 4034 § 4.1.2).
    pub fn bitmap(&self) -> &[u8] {
        &self.bitmap
    }

    /// Where the signature of this name's NSEC is kept.
    pub fn denial_slot(&self) -> &Slot {
        self.denial.get_or_init(Default::default)
    }

    /// Addresses of name servers below this cut.
    pub fn glue(&self) -> impl Iterator<Item = (&[u8], RrsetView<'_>)> {
        self.glue.iter().map(|(owner, set)| (&**owner, set.view()))
    }
}

impl Content {
    /// The node of a name, where it exists.
    pub fn node(&self, name: &[u8]) -> Option<&Node> {
        self.nodes.get(name)
    }

    /// The node of a name and the name as it is kept here.
    pub fn entry(&self, name: &[u8]) -> Option<(&[u8], &Node)> {
        self.nodes.get_key_value(name).map(|(name, node)| (&**name, node))
    }

    /// All nodes, in no order that means anything.
    pub fn nodes(&self) -> impl Iterator<Item = (&[u8], &Node)> {
        self.nodes.iter().map(|(name, node)| (&**name, node))
    }

    /// `file:line` of the first record at a name.
    pub fn source(&self, name: &[u8]) -> Option<String> {
        let (file, line) = self.sources.get(name)?;
        Some(format!("{}:{line}", self.files.get(usize::from(*file))?))
    }

    /// What the parent of this zone hands out for it; `ds` is empty for an unsigned zone.
    pub fn delegation(&self, apex: &Name, ds: Vec<Vec<u8>>) -> Delegation {
        let mut glue = Vec::new();
        for server in self.name_servers.iter().filter(|server| name::is_within(server, apex)) {
            for kind in [rt::A, rt::AAAA] {
                let set = self.node(server).and_then(|node| node.set(kind));
                glue.extend(
                    set.into_iter().flat_map(|(set, _)| set.data().map(|d| (server.clone(), kind, d.to_vec()))),
                );
            }
        }
        Delegation { apex: apex.clone(), name_servers: self.name_servers.clone(), glue, ds }
    }
}

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
}

type Sets = BTreeMap<u16, (u32, Vec<Vec<u8>>, u16, u32)>;

/// Checks a zone as a whole and builds its content; none where an error stands among the findings.
pub fn build(parts: &Parts<'_>) -> (Option<Content>, Vec<Diagnostic>) {
    let mut builder = Builder { parts, names: BTreeMap::new(), findings: Vec::new() };
    builder.collect();
    builder.delegate();
    builder.check();
    if builder.findings.iter().any(|f| f.severity == crate::diagnostic::Severity::Error) {
        return (None, builder.findings);
    }
    let content = builder.content();
    let failed = builder.findings.iter().any(|f| f.severity == crate::diagnostic::Severity::Error);
    (content.filter(|_| !failed), builder.findings)
}

struct Builder<'a> {
    parts: &'a Parts<'a>,
    names: BTreeMap<Box<[u8]>, Sets>,
    findings: Vec<Diagnostic>,
}

impl Builder<'_> {
    fn place(&self, file: u16, line: u32) -> Place {
        let file = self.parts.parsed.files.get(usize::from(file)).cloned().unwrap_or_default();
        Place { file, line, ..Place::default() }
    }

    fn error(&mut self, code: &'static str, at: (u16, u32), message: String, help: &str) {
        self.findings.push(Diagnostic::error(code, self.place(at.0, at.1), message, help));
    }

    fn warn(&mut self, code: &'static str, at: (u16, u32), message: String, help: &str) {
        self.findings.push(Diagnostic::warning(code, self.place(at.0, at.1), message, help));
    }

    /// Groups the records into RRsets; one TTL for each (RFC 2181 § 5.2).
    fn collect(&mut self) {
        let mut unequal = Vec::new();
        for record in &self.parts.parsed.records {
            if self.refuse(record) {
                continue;
            }
            let sets = self.names.entry((&*record.owner).into()).or_default();
            let set = sets.entry(record.rtype).or_insert_with(|| (record.ttl, Vec::new(), record.file, record.line));
            if set.0 != record.ttl {
                unequal.push((record.file, record.line, rtype::print(record.rtype), record.owner.to_string()));
                set.0 = set.0.min(record.ttl);
            }
            set.1.push(record.data.clone());
        }
        for (file, line, rtype, owner) in unequal {
            let message = format!("records of {owner} {rtype} have different TTLs; the lowest is used for all");
            self.warn("MX2101", (file, line), message, "RFC 2181 § 5.2 wants one TTL for an RRset: write the same");
        }
        for (rtype, ttl, data) in self.parts.key_sets {
            let sets = self.names.entry((&**self.parts.apex).into()).or_default();
            sets.insert(*rtype, (*ttl, data.clone(), 0, 0));
        }
    }

    /// Types that the server makes itself may not be written into a signed zone.
    fn refuse(&mut self, record: &Record) -> bool {
        let ours = matches!(record.rtype, rt::RRSIG | rt::NSEC | 50 | 51)
            || (record.owner == *self.parts.apex && matches!(record.rtype, rt::DNSKEY | rt::CDS | rt::CDNSKEY));
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
            let written = self.names.get(&*child.apex).and_then(|sets| sets.get(&rt::NS)).map(|set| (set.2, set.3));
            if let Some(at) = written {
                let message =
                    format!("the delegation of {} is written by hand, but that zone is served here", child.apex);
                self.warn("MX2104", at, message, "remove its NS, DS and glue: the server derives them from the child");
            }
            self.names.retain(|owner, _| !name::is_within(owner, &child.apex));
            let data = child.name_servers.iter().map(|server| server.to_vec()).collect();
            let mut sets = Sets::from([(rt::NS, (DELEGATION_TTL, data, 0, 0))]);
            if !child.ds.is_empty() {
                sets.insert(rt::DS, (DELEGATION_TTL, child.ds.clone(), 0, 0));
            }
            self.names.insert((&*child.apex).into(), sets);
            for (owner, kind, data) in &child.glue {
                let sets = self.names.entry((&**owner).into()).or_default();
                sets.entry(*kind).or_insert((DELEGATION_TTL, Vec::new(), 0, 0)).1.push(data.clone());
            }
        }
    }

    fn check(&mut self) {
        self.check_apex();
        let mut found = Vec::new();
        for (owner, sets) in &self.names {
            check_name(owner, sets, &mut found);
        }
        self.check_ttls();
        for (code, at, message, help) in found {
            self.error(code, at, message, help);
        }
        self.check_glue();
    }

    fn check_apex(&mut self) {
        let sets = self.names.get(&**self.parts.apex);
        let apex = self.parts.apex.to_string();
        let soa = sets.and_then(|sets| sets.get(&rt::SOA)).map(|set| (set.1.len(), set.2, set.3));
        let ns = sets.is_some_and(|sets| sets.contains_key(&rt::NS));
        match soa {
            None => {
                self.error("MX2105", (0, 0), format!("{apex} has no SOA record"), "write one at the apex: `@ SOA …`")
            }
            Some((1, ..)) => {}
            Some((_, file, line)) => {
                self.error("MX2106", (file, line), format!("{apex} has more than one SOA record"), "keep one");
            }
        }
        if !ns {
            self.error(
                "MX2107",
                (0, 0),
                format!("{apex} has no NS record"),
                "write at least two at the apex (RFC 1034 § 4.1)",
            );
        }
    }

    fn check_ttls(&mut self) {
        let all = self.names.values().flat_map(BTreeMap::values);
        let mut odd: Vec<_> = all.filter(|set| set.3 > 0 && (set.0 > TTL_LONG || set.0 < TTL_SHORT)).collect();
        odd.sort_by_key(|set| (set.2, set.3));
        let odd: Vec<_> = odd.into_iter().map(|set| (set.0, (set.2, set.3))).collect();
        // One line for each side: a file with a million of them has one cause.
        let count = odd.len();
        for long in [true, false] {
            let Some((ttl, at)) = odd.iter().find(|(ttl, _)| (*ttl > TTL_LONG) == long) else { continue };
            let (message, help) = if long {
                (format!("TTL {ttl} is above {TTL_LONG}"), "each roll and each certificate change waits that long")
            } else {
                (
                    format!("TTL {ttl} is below {TTL_SHORT}"),
                    "resolvers will ask again and again, and each answer is signed here",
                )
            };
            if self.parts.signed {
                self.warn("MX2108", *at, format!("{message} ({count} such RRsets in all)"), help);
            }
        }
    }

    /// Name servers below a cut need glue, or nobody can reach them (TsuNAME's sibling).
    fn check_glue(&mut self) {
        let mut missing = Vec::new();
        let apex: &[u8] = self.parts.apex;
        for (owner, sets) in self.names.iter().filter(|(owner, _)| ***owner != *apex) {
            let Some(ns) = sets.get(&rt::NS) else { continue };
            for server in ns.1.iter().filter(|server| name::is_within(server, owner)) {
                let found = self.names.get(server.as_slice());
                if !found.is_some_and(|sets| sets.contains_key(&rt::A) || sets.contains_key(&rt::AAAA)) {
                    missing.push(((ns.2, ns.3), name::print(owner), name::print(server)));
                }
            }
        }
        for (at, cut, server) in missing {
            let message = format!("{cut} is delegated to {server} below it, which has no address here");
            self.warn("MX2109", at, message, "add its A or AAAA record as glue");
        }
    }

    fn content(&mut self) -> Option<Content> {
        let apex: &[u8] = self.parts.apex;
        self.add_empty_non_terminals();
        let soa = self.names.get(apex)?.get(&rt::SOA)?;
        let numbers = soa.1.first()?;
        let tail = numbers.len().checked_sub(20)?;
        let number = |at: usize| numbers.get(tail + at..tail + at + 4)?.try_into().ok().map(u32::from_be_bytes);
        let (serial, minimum) = (number(0)?, number(16)?);
        let name_servers =
            self.names.get(apex)?.get(&rt::NS)?.1.iter().filter_map(|n| Name::from_wire(n).ok()).collect();
        let mut content = Content {
            nodes: HashMap::with_capacity_and_hasher(self.names.len(), Default::default()),
            sources: HashMap::default(),
            serial,
            negative_ttl: soa.0.min(minimum),
            records: self.parts.parsed.records.len(),
            ttl_max: self.names.values().flat_map(BTreeMap::values).map(|set| set.0).max().unwrap_or(0),
            name_servers,
            files: self.parts.parsed.files.clone(),
        };
        let names = std::mem::take(&mut self.names);
        for (owner, sets) in &names {
            if let Some(first) = sets.values().filter(|set| set.3 > 0).map(|set| (set.2, set.3)).min() {
                content.sources.insert(owner.clone(), first);
            }
            match self.node(owner, sets, &names) {
                Ok(node) => drop(content.nodes.insert(owner.clone(), node)),
                Err((at, message)) => self.error("MX2110", at, message, "spread the records over more names"),
            }
        }
        Some(content)
    }

    /// Every name between a name and the apex exists too (RFC 4592 § 2.2.2).
    fn add_empty_non_terminals(&mut self) {
        let apex_octets = self.parts.apex.len();
        let mut empty: Vec<Box<[u8]>> = Vec::new();
        for owner in self.names.keys() {
            let above = name::ancestors(owner).skip(1).take_while(|suffix| suffix.len() > apex_octets);
            empty.extend(above.take_while(|suffix| !self.names.contains_key(*suffix)).map(Into::into));
        }
        for owner in empty {
            self.names.entry(owner).or_default();
        }
    }

    fn role(&self, owner: &[u8], sets: &Sets, names: &BTreeMap<Box<[u8]>, Sets>) -> Role {
        let apex: &[u8] = self.parts.apex;
        if owner == apex {
            return Role::Plain;
        }
        let mut above = name::ancestors(owner).skip(1).take_while(|suffix| suffix.len() >= apex.len());
        let hidden = above.any(|suffix| {
            names
                .get(suffix)
                .is_some_and(|sets| sets.contains_key(&rt::DNAME) || (suffix != apex && sets.contains_key(&rt::NS)))
        });
        match (hidden, sets.contains_key(&rt::NS)) {
            (true, _) => Role::Hidden,
            (false, true) => Role::Cut,
            (false, false) => Role::Plain,
        }
    }

    fn node(&self, owner: &[u8], sets: &Sets, names: &BTreeMap<Box<[u8]>, Sets>) -> Result<Node, ((u16, u32), String)> {
        let at = sets.values().map(|set| (set.2, set.3)).min().unwrap_or_default();
        let owner_text = || name::print(owner);
        if sets.len() > SETS_MAX {
            return Err((at, format!("{} has more than {SETS_MAX} types", owner_text())));
        }
        let role = self.role(owner, sets, names);
        let mut kept = Vec::with_capacity(sets.len());
        for (rtype, (ttl, data, file, line)) in sets {
            let fault = |fault| ((*file, *line), format!("{} {}: {fault}", owner_text(), rtype::print(*rtype)));
            let set = Rrset::new(*rtype, *ttl, data.clone()).map_err(fault)?;
            kept.push(KeptSet { set, slot: Slot::default() });
        }
        // RFC 4035 § 2.3: at a cut only NS and DS are the parent's to assert.
        let ours = sets.keys().copied().filter(|t| role != Role::Cut || matches!(*t, rt::NS | rt::DS));
        let bitmap = denial::bitmap(ours.chain([rt::RRSIG, rt::NSEC]));
        if bitmap.len() > BITMAP_OCTETS_MAX {
            return Err((at, format!("{} has types in too many windows for one NSEC", owner_text())));
        }
        let glue = if role == Role::Cut { glue_of(sets, owner, names) } else { Box::default() };
        if glue.len() > GLUE_MAX {
            return Err((at, format!("{} needs more than {GLUE_MAX} RRsets of glue", owner_text())));
        }
        Ok(Node { sets: kept.into(), bitmap: bitmap.into(), role, glue, denial: OnceLock::new() })
    }
}

/// Addresses of the cut's name servers that lie in this zone's file: within the cut they are needed (RFC 9471 § 2),
/// below other cuts they help.
fn glue_of(sets: &Sets, owner: &[u8], names: &BTreeMap<Box<[u8]>, Sets>) -> Box<[(Box<[u8]>, Rrset)]> {
    let servers = sets.get(&rt::NS).map(|set| set.1.as_slice()).unwrap_or_default();
    let mut glue = Vec::new();
    for server in servers.iter().filter(|server| name::is_within(server, owner)) {
        let Some(found) = names.get(server.as_slice()) else { continue };
        for kind in [rt::A, rt::AAAA] {
            let set = found.get(&kind).and_then(|set| Rrset::new(kind, set.0, set.1.clone()).ok());
            glue.extend(set.map(|set| (server.as_slice().into(), set)));
        }
    }
    glue.into()
}

type Finding = (&'static str, (u16, u32), String, &'static str);

fn check_name(owner_wire: &[u8], sets: &Sets, found: &mut Vec<Finding>) {
    let owner = || name::print(owner_wire);
    if let Some(alias) = sets.get(&rt::CNAME) {
        let other = sets.keys().find(|t| !matches!(**t, rt::CNAME | rt::RRSIG | rt::NSEC));
        if let Some(other) = other {
            let message = format!("{} has a CNAME and also {}", owner(), rtype::print(*other));
            found.push(("MX2111", (alias.2, alias.3), message, "an alias stands alone (RFC 2181 § 10.1): remove one"));
        }
        if alias.1.iter().any(|data| Some(data) != alias.1.first()) {
            let message = format!("{} has two CNAME records", owner());
            found.push(("MX2112", (alias.2, alias.3), message, "a name has one alias (RFC 2181 § 10.1): remove one"));
        }
    }
    if let Some(dname) = sets.get(&rt::DNAME) {
        if dname.1.iter().any(|data| Some(data) != dname.1.first()) {
            let message = format!("{} has two DNAME records", owner());
            found.push(("MX2113", (dname.2, dname.3), message, "a name has one DNAME (RFC 6672 § 2.4): remove one"));
        }
    }
    if name::is_wildcard(owner_wire) {
        for kind in [rt::NS, rt::DNAME] {
            if let Some(set) = sets.get(&kind) {
                let message = format!("{} has {}", owner(), rtype::print(kind));
                found.push((
                    "MX2114",
                    (set.2, set.3),
                    message,
                    "its meaning below a wildcard is undefined (RFC 4592 § 4.2, § 4.4): remove it",
                ));
            }
        }
    }
}
