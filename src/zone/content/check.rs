//! The checks of a whole zone: what it must have, what cannot stand together, what costs more than it seems.

use super::build::Builder;
use super::written::{At, Sets, Written};
use super::{Role, TTL_LONG, TTL_SHORT};
use crate::dns::name;
use crate::dns::rtype::{self, number as rt};
use crate::zone::master::Record;

impl Builder<'_> {
    /// Everything that a zone must have, and what is worth a warning.
    pub(super) fn check(&mut self) {
        self.check_apex();
        let mut found = Vec::new();
        for (owner, sets) in &self.names {
            check_name(owner, sets, self.parts.apex, &mut found);
            let is_ours = |_: &Finding| self.role(owner, sets, &self.names) != Role::Hidden;
            found.extend(check_ds(owner, sets, self.parts.apex).filter(is_ours));
        }
        self.check_ttls();
        for (code, at, message, help) in found {
            self.error(code, at, message, help);
        }
        self.check_glue();
    }

    fn check_apex(&mut self) {
        let sets = self.names.get::<[u8]>(self.parts.apex);
        let apex = self.parts.apex.to_string();
        let soa = sets.and_then(|sets| sets.get(rt::SOA)).map(|set| (set.data.len(), set.at));
        let ns = sets.is_some_and(|sets| sets.has(rt::NS));
        match soa {
            None => {
                self.error("MX2105", (0, 0), format!("{apex} has no SOA record"), "write one at the apex: `@ SOA …`")
            }
            Some((1, ..)) => {}
            Some((_, first)) => {
                let of_apex = |record: &Record<'_>| record.rtype == rt::SOA && *record.owner == **self.parts.apex;
                let second = self.parts.parsed.records.iter().filter(of_apex).nth(1);
                let at = second.map_or(first, |record| (record.file, record.line));
                let message = format!("{apex} has more than one SOA record; the first is in line {}", first.1);
                self.error("MX2106", at, message, "keep one");
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
        let all = self.names.values().flat_map(Sets::iter).map(|(_, set)| set);
        let mut odd: Vec<_> = all.filter(|set| set.at.1 > 0 && (set.ttl > TTL_LONG || set.ttl < TTL_SHORT)).collect();
        odd.sort_by_key(|set| set.at);
        let odd: Vec<_> = odd.into_iter().map(|set| (set.ttl, set.at)).collect();
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
        for (owner, sets) in self.names.iter().filter(|(owner, _)| **owner != apex) {
            let Some(ns) = sets.get(rt::NS) else { continue };
            for server in ns.data.iter().filter(|server| name::is_within(server, owner)) {
                let found = self.names.get(*server);
                if !found.is_some_and(|sets| sets.has(rt::A) || sets.has(rt::AAAA)) {
                    missing.push((ns.at, name::print(owner), name::print(server)));
                }
            }
        }
        for (at, cut, server) in missing {
            let message = format!("{cut} is delegated to {server} below it, which has no address here");
            self.warn("MX2109", at, message, "add its A or AAAA record as glue");
        }
    }
}

type Finding = (&'static str, At, String, &'static str);

fn check_name(owner_wire: &[u8], sets: &Sets<'_>, apex: &[u8], found: &mut Vec<Finding>) {
    let owner = || name::print(owner_wire);
    if let Some(alias) = sets.get(rt::CNAME) {
        let other = sets.types().find(|t| !matches!(*t, rt::CNAME | rt::RRSIG | rt::NSEC));
        if let Some(other) = other {
            let message = format!("{} has a CNAME and also {}", owner(), rtype::print(other));
            found.push(("MX2111", alias.at, message, "an alias stands alone (RFC 2181 § 10.1): remove one"));
        }
        if is_plural(alias) {
            let message = format!("{} has two CNAME records", owner());
            found.push(("MX2112", alias.at, message, "a name has one alias (RFC 2181 § 10.1): remove one"));
        }
    }
    if let Some(dname) = sets.get(rt::DNAME).filter(|dname| is_plural(dname)) {
        let message = format!("{} has two DNAME records", owner());
        found.push(("MX2113", dname.at, message, "a name has one DNAME (RFC 6672 § 2.4): remove one"));
    }
    if name::is_wildcard(owner_wire) {
        for kind in [rt::NS, rt::DNAME] {
            // A zone of its own may have any name, and is then delegated here (RFC 4592 § 4.2 speaks of what is written).
            if let Some(set) = sets.get(kind).filter(|set| owner_wire != apex && set.at.1 > 0) {
                let message = format!("{} has {}", owner(), rtype::print(kind));
                found.push((
                    "MX2114",
                    set.at,
                    message,
                    "its meaning below a wildcard is undefined (RFC 4592 § 4.2, § 4.4): remove it",
                ));
            }
        }
    }
}

/// DS belongs to a delegation, and to no other name (RFC 4035 § 2.4).
fn check_ds(owner: &[u8], sets: &Sets<'_>, apex: &[u8]) -> Option<Finding> {
    let ds = sets.get(rt::DS)?;
    let (message, help) = match (owner == apex, sets.has(rt::NS)) {
        (true, _) => (
            format!("{} has DS, but it is the apex of this zone", name::print(owner)),
            "its DS belongs to the zone above (RFC 4035 § 2.4): remove it here, and give it to that zone's operator",
        ),
        (false, false) => (
            format!("{} has DS, but no NS", name::print(owner)),
            "DS stands beside the NS of a delegation only (RFC 4035 § 2.4): remove it, or delegate the name",
        ),
        (false, true) => return None,
    };
    Some(("MX2116", ds.at, message, help))
}

/// Whether a set that may have one record has several.
fn is_plural(set: &Written<'_>) -> bool {
    set.data.iter().any(|data| Some(data) != set.data.first())
}
