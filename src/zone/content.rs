//! What a master file holds, by name: nodes with their RRsets, cuts with their glue, and the checks of the whole zone.
//!
//! Built once when the file changes, then only read. Every name that exists has a node, empty non-terminals included, so
//! that existence is one lookup (RFC 4592 § 2.2.2).

mod build;
mod check;
mod hosts;
mod written;

pub use build::{Parts, build};
pub use hosts::Host;

use crate::dns::name::{self, Name};
use crate::dns::rrset::{Rrset, RrsetView};
use crate::dns::rtype::number as rt;
use crate::sign::memo::Slot;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// TTL above which a signed zone is refused: signature windows and the waits of rolls rest on this cap.
pub const TTL_MAX: u32 = 86_400;
/// TTL above which a warning says what it costs.
pub const TTL_LONG: u32 = 3600;
/// TTL below which a warning says what it costs.
pub const TTL_SHORT: u32 = 30;
/// Findings about one zone, at most; the rest are counted. A person reads the first few.
const FINDINGS_MAX: usize = 1000;
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
    /// The longest TTL in it, as it is written, whatever is served.
    pub ttl_max: u32,
    /// The zone's own name servers and their addresses within the zone: what its parent hands out.
    pub name_servers: Vec<Name>,
    /// Addresses of hosts that a wildcard gives them: they belong to no node, and are signed under the host's own name.
    expanded: Vec<(Box<[u8]>, Arc<KeptSet>)>,
    /// The files: the master file, then what it includes.
    pub files: Vec<String>,
}

/// One name.
pub struct Node {
    sets: Box<[Kept]>,
    bitmap: Box<[u8]>,
    /// What the name is.
    pub role: Role,
    /// Index of the file and line of its first record, for `explain`; line 0: it has none.
    source: (u16, u32),
    denial: OnceLock<Box<Slot>>,
}

/// An RRset and its signature.
pub struct KeptSet {
    set: Rrset,
    slot: Slot,
    /// The hosts that it names, whose addresses go along with it.
    hosts: Box<[Host]>,
}

/// An RRset of a name: most belong to it alone; addresses of hosts are shared with the RRsets that name these hosts, so
/// that each is signed once.
enum Kept {
    Own(KeptSet),
    Shared(Arc<KeptSet>),
}

impl std::ops::Deref for Kept {
    type Target = KeptSet;
    fn deref(&self) -> &KeptSet {
        match self {
            Kept::Own(kept) => kept,
            Kept::Shared(kept) => kept,
        }
    }
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
    /// TTL of its DS.
    pub ds_ttl: u32,
}

impl Node {
    /// The RRset of a type and where its signature is kept.
    pub fn set(&self, rtype: u16) -> Option<(RrsetView<'_>, &Slot)> {
        self.kept(rtype).map(|kept| (kept.set.view(), &kept.slot))
    }

    /// The RRset of a type, where its signature is kept, and the hosts that it names.
    pub fn set_with_hosts(&self, rtype: u16) -> Option<(RrsetView<'_>, &Slot, &[Host])> {
        self.kept(rtype).map(|kept| (kept.set.view(), &kept.slot, &*kept.hosts))
    }

    fn kept(&self, rtype: u16) -> Option<&KeptSet> {
        self.sets.iter().find(|kept| kept.set.view().rtype == rtype).map(|kept| &**kept)
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

    /// How many names exist.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no name exists.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// All nodes, in no order that means anything.
    pub fn nodes(&self) -> impl Iterator<Item = (&[u8], &Node)> {
        self.nodes.iter().map(|(name, node)| (&**name, node))
    }

    /// `file:line` of the first record at a name.
    pub fn source(&self, name: &[u8]) -> Option<String> {
        let (file, line) = self.node(name)?.source;
        let file = self.files.get(usize::from(file)).filter(|_| line > 0)?;
        Some(format!("{file}:{line}"))
    }

    /// Takes over the signatures that `before` kept; a stamp tells later whether one is still good.
    pub fn adopt(&self, before: &Content) {
        for (name, node) in self.nodes() {
            let Some(old) = before.node(name) else { continue };
            for (set, slot) in node.sets() {
                if let Some((_, kept)) = old.set(set.rtype) {
                    slot.copy_from(kept);
                }
            }
        }
        let earlier: HashMap<_, _> =
            before.expanded.iter().map(|(name, kept)| ((&**name, kept.set.view().rtype), &kept.slot)).collect();
        for (name, set, slot) in self.expanded() {
            earlier.get(&(name, set.rtype)).into_iter().for_each(|kept| slot.copy_from(kept));
        }
    }

    /// Addresses of hosts that a wildcard gives them: host, RRset, place of its signature.
    pub fn expanded(&self) -> impl Iterator<Item = (&[u8], RrsetView<'_>, &Slot)> {
        self.expanded.iter().map(|(name, kept)| (&**name, kept.set.view(), &kept.slot))
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
        Delegation { apex: apex.clone(), name_servers: self.name_servers.clone(), glue, ds, ds_ttl: DELEGATION_TTL }
    }
}
