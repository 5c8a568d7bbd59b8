//! What a reply must be, by lists and scans straight from RFC 1034 § 4.3.2, RFC 4592, RFC 6672, RFC 4035 and RFC 9824.
//!
//! Slow on purpose, and shares nothing with the lookup that it judges: names are lists of labels, zones lists of rows.

use crate::support::ask::Question;
use crate::support::message::{Record, print_record};
use crate::support::world::{World, Written};
use mxseal::dns::rtype::{self, number as rt};
use std::rc::Rc;

type Labels = Vec<Vec<u8>>;

/// A reply as text, and whether it needs a signature that is not kept for good.
pub struct Expected {
    pub text: String,
    pub unkept: bool,
}

struct Row {
    owner: Labels,
    rtype: u16,
    ttl: u32,
    data: Vec<u8>,
}

struct Zone<'w> {
    written: &'w Written,
    apex: Labels,
    rows: Vec<Row>,
    signed: bool,
}

#[derive(Default)]
struct Reply {
    rcode: &'static str,
    authoritative: bool,
    compact: bool,
    unkept: bool,
    sections: [Vec<String>; 3],
}

struct Oracle<'w> {
    world: &'w World,
    zones: Vec<Rc<Zone<'w>>>,
    question: &'w Question,
    dnssec_ok: bool,
    reply: Reply,
}

/// The reply to a question of class IN that is long enough for all of it. The world has no unavailable zones.
pub fn expect(world: &World, question: &Question) -> Expected {
    let zones = world.zones.iter().map(|written| Rc::new(zone(written, world))).collect();
    let edns = question.edns.unwrap_or_default();
    let mut oracle = Oracle { world, zones, question, dnssec_ok: edns.dnssec_ok, reply: Reply::default() };
    oracle.reply.rcode = "NOERROR";
    let name = labels(&question.name.to_ascii_lowercase());
    oracle.chase(name);
    oracle.finish()
}

fn labels(wire: &[u8]) -> Labels {
    let mut rest = wire;
    let mut found = Vec::new();
    while let [length @ 1..=63, tail @ ..] = rest {
        let (label, after) = tail.split_at(usize::from(*length));
        found.push(label.to_vec());
        rest = after;
    }
    found
}

fn wire(labels: &[Vec<u8>]) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in labels {
        wire.push(u8::try_from(label.len()).expect("a label"));
        wire.extend(label);
    }
    wire.push(0);
    wire
}

/// The rows of a zone; those at and below children served here yield to what the children say of themselves.
fn zone<'w>(written: &'w Written, world: &'w World) -> Zone<'w> {
    let apex = labels(&written.apex);
    let row = |(owner, rtype, ttl, data): &(Vec<u8>, u16, u32, Vec<u8>)| Row {
        owner: labels(owner),
        rtype: *rtype,
        ttl: *ttl,
        data: data.clone(),
    };
    let mut rows: Vec<Row> = written.rows.iter().map(row).collect();
    for child in world.zones.iter().filter(|child| child.apex != written.apex) {
        let below = labels(&child.apex);
        let nearer = world.zones.iter().map(|other| labels(&other.apex));
        let nearest = nearer.filter(|other| *other != below && below.ends_with(other)).max_by_key(Vec::len);
        if nearest.as_ref() != Some(&apex) {
            continue;
        }
        rows.retain(|row| !row.owner.ends_with(&below));
        let own = child.rows.iter().filter(|(owner, rtype, ..)| *owner == child.apex && *rtype == rt::NS);
        rows.extend(own.map(|(_, _, _, data)| Row {
            owner: below.clone(),
            rtype: rt::NS,
            ttl: 3600,
            data: data.clone(),
        }));
        let ds = child.keys.first().map(|(_, key)| key.ds_data(&child.apex));
        rows.extend(ds.map(|data| Row { owner: below.clone(), rtype: rt::DS, ttl: 3600, data }));
    }
    Zone { written, apex, rows, signed: !written.keys.is_empty() }
}

impl Zone<'_> {
    fn exists(&self, name: &[Vec<u8>]) -> bool {
        self.rows.iter().any(|row| row.owner.ends_with(name))
    }

    fn has(&self, name: &[Vec<u8>], rtype: u16) -> bool {
        self.rows.iter().any(|row| row.owner == name && row.rtype == rtype)
    }

    /// TTL and data of an RRset, in canonical order.
    fn set(&self, name: &[Vec<u8>], rtype: u16) -> (u32, Vec<Vec<u8>>) {
        let rows = || self.rows.iter().filter(|row| row.owner == name && row.rtype == rtype);
        let mut data: Vec<Vec<u8>> = rows().map(|row| row.data.clone()).collect();
        data.sort();
        data.dedup();
        (rows().map(|row| row.ttl).next().unwrap_or(0), data)
    }

    fn types(&self, name: &[Vec<u8>]) -> Vec<u16> {
        let mut types: Vec<u16> = self.rows.iter().filter(|row| row.owner == name).map(|row| row.rtype).collect();
        types.sort_unstable();
        types.dedup();
        types
    }

    fn negative_ttl(&self) -> u32 {
        let (ttl, data) = self.set(&self.apex, rt::SOA);
        let minimum = data[0].last_chunk::<4>().expect("an SOA");
        ttl.min(u32::from_be_bytes(*minimum))
    }
}

enum Next {
    Done,
    Alias(Labels),
}

impl Oracle<'_> {
    fn zone_of(&self, name: &[Vec<u8>]) -> Option<usize> {
        let around = |below: usize| {
            let fits = |zone: &Zone<'_>| name.ends_with(&zone.apex) && zone.apex.len() < below;
            (0..self.zones.len()).filter(|at| fits(&self.zones[*at])).max_by_key(|at| self.zones[*at].apex.len())
        };
        let nearest = around(usize::MAX)?;
        let is_apex = self.zones[nearest].apex == name;
        // RFC 4035 § 3.1.4.1: DS belongs to the parent, where that is here too.
        if self.question.qtype == rt::DS && is_apex { around(name.len()).or(Some(nearest)) } else { Some(nearest) }
    }

    fn chase(&mut self, name: Labels) {
        let mut seen = vec![name];
        loop {
            let name = seen.last().expect("the question at least").clone();
            let Some(at) = self.zone_of(&name) else {
                if seen.len() == 1 {
                    self.reply.rcode = "REFUSED";
                }
                return;
            };
            let zone = Rc::clone(&self.zones[at]);
            self.reply.authoritative |= seen.len() == 1;
            match self.step(&zone, &name, seen.len() == 1) {
                Next::Done => return,
                // Each alias once, and eight names at most.
                Next::Alias(next) if seen.contains(&next) || seen.len() == 8 => return,
                Next::Alias(next) => seen.push(next),
            }
        }
    }

    /// RFC 1034 § 4.3.2, step 3: down from the apex, label by label.
    fn step(&mut self, zone: &Zone<'_>, name: &Labels, first: bool) -> Next {
        let mut depth = zone.apex.len();
        loop {
            let node = &name[name.len() - depth..];
            let is_it = depth == name.len();
            let is_cut = depth > zone.apex.len() && zone.has(node, rt::NS);
            if is_cut && !(is_it && self.question.qtype == rt::DS) {
                return self.refer(zone, node, first);
            }
            if is_it {
                return self.at(zone, name, name, false);
            }
            if zone.has(node, rt::DNAME) {
                return self.redirect(zone, name, node);
            }
            let below = &name[name.len() - depth - 1..];
            if !zone.exists(below) {
                let wildcard: Labels = [vec![b"*".to_vec()], node.to_vec()].concat();
                // RFC 4592 § 3.3.1: the source of synthesis is just below the closest encloser, or there is none.
                return match zone.exists(&wildcard) {
                    true => self.at(zone, name, &wildcard, true),
                    false => self.missing(zone, name),
                };
            }
            depth += 1;
        }
    }

    /// The node `node` answers for `name`.
    fn at(&mut self, zone: &Zone<'_>, name: &Labels, node: &Labels, wildcard: bool) -> Next {
        let mut types = zone.types(node);
        let is_cut = node != &zone.apex && types.contains(&rt::NS);
        if is_cut {
            types.retain(|rtype| matches!(*rtype, rt::NS | rt::DS));
        }
        let qtype = self.question.qtype;
        if zone.signed && matches!(qtype, rt::NSEC | rt::RRSIG) {
            self.nsec(zone, 0, name, &types, (is_cut, wildcard), qtype == rt::RRSIG);
            return Next::Done;
        }
        let octets = |rtype: &u16| zone.set(node, *rtype).1.iter().map(|data| data.len() + 12).sum::<usize>();
        let wanted = match qtype {
            rt::ANY => types.iter().copied().min_by_key(octets),
            other => types.contains(&other).then_some(other),
        };
        if let Some(rtype) = wanted {
            self.set(zone, 0, name, node, rtype, wildcard);
            if rtype == qtype {
                let hosts = hosts(rtype, &zone.set(node, rtype).1);
                hosts.iter().for_each(|host| self.addresses(zone, host, rtype));
            }
            return Next::Done;
        }
        if types.contains(&rt::CNAME) {
            self.set(zone, 0, name, node, rt::CNAME, wildcard);
            return Next::Alias(labels(&zone.set(node, rt::CNAME).1[0]));
        }
        self.soa(zone);
        if zone.signed && self.dnssec_ok {
            self.nsec(zone, 1, name, &types, (is_cut, wildcard), false);
        }
        Next::Done
    }

    fn missing(&mut self, zone: &Zone<'_>, name: &Labels) -> Next {
        self.soa(zone);
        let proof = zone.signed && self.dnssec_ok;
        let compact_ok = self.question.edns.is_some_and(|edns| edns.compact_ok);
        if !proof || compact_ok {
            self.reply.rcode = "NXDOMAIN";
        }
        self.reply.compact = proof && compact_ok;
        if proof {
            self.nsec(zone, 1, name, &[rt::NXNAME], (false, true), false);
        }
        Next::Done
    }

    /// RFC 6672 § 3.2.
    fn redirect(&mut self, zone: &Zone<'_>, name: &Labels, node: &[Vec<u8>]) -> Next {
        let (ttl, target) = zone.set(node, rt::DNAME);
        let line = format!("{} {ttl} DNAME", text(node));
        if !self.reply.sections[0].iter().any(|known| known.starts_with(&line)) {
            self.set(zone, 0, node, node, rt::DNAME, false);
        }
        let next: Labels = [name[..name.len() - node.len()].to_vec(), labels(&target[0])].concat();
        if wire(&next).len() > 255 {
            self.reply.rcode = "YXDOMAIN";
            return Next::Done;
        }
        self.reply.sections[0].push(format!("{} {ttl} CNAME {}", text(name), text(&next)));
        match self.question.qtype {
            rt::CNAME | rt::ANY => Next::Done,
            _ => Next::Alias(next),
        }
    }

    fn refer(&mut self, zone: &Zone<'_>, cut: &[Vec<u8>], first: bool) -> Next {
        // AA is about the name asked: an alias of ours.
        self.reply.authoritative = !first;
        let (ttl, servers) = zone.set(cut, rt::NS);
        self.records(1, cut, rt::NS, ttl, &servers);
        if zone.signed && self.dnssec_ok {
            match zone.has(cut, rt::DS) {
                true => self.set(zone, 1, cut, cut, rt::DS, false),
                false => self.nsec(zone, 1, cut, &[rt::NS], (true, false), false),
            }
        }
        // RFC 9471: those within the cut are needed, all others are a help.
        let hosts = hosts(rt::NS, &servers);
        let (within, others): (Vec<_>, Vec<_>) = hosts.into_iter().partition(|host| host.ends_with(cut));
        within.iter().chain(&others).for_each(|host| self.addresses(zone, host, rt::NS));
        Next::Done
    }

    /// What the zone would answer to a question for the addresses of a host, or has as glue for a name server.
    fn addresses(&mut self, zone: &Zone<'_>, host: &Labels, named_by: u16) {
        if !host.ends_with(&zone.apex) {
            return;
        }
        let mut node = host.clone();
        let mut is_glue = false;
        for depth in zone.apex.len()..=host.len() {
            let above = &host[host.len() - depth..];
            if !zone.exists(above) {
                node = [vec![b"*".to_vec()], host[host.len() - depth + 1..].to_vec()].concat();
                break;
            }
            if depth > zone.apex.len() && zone.has(above, rt::NS) {
                is_glue = true;
                break;
            }
            if depth < host.len() && zone.has(above, rt::DNAME) {
                return;
            }
        }
        if is_glue && named_by != rt::NS {
            return;
        }
        for rtype in [rt::A, rt::AAAA] {
            match zone.set(&node, rtype) {
                (_, data) if data.is_empty() => {}
                (ttl, data) if is_glue => self.records(2, host, rtype, ttl, &data),
                // An address that a wildcard gives a host is kept under the host's name.
                _ => self.set(zone, 2, host, &node, rtype, false),
            }
        }
    }

    fn soa(&mut self, zone: &Zone<'_>) {
        let (ttl, data) = zone.set(&zone.apex, rt::SOA);
        let shown = ttl.min(zone.negative_ttl());
        self.records(1, &zone.apex, rt::SOA, shown, &data);
        self.rrsig(zone, 1, &zone.apex, rt::SOA, (shown, ttl), false);
    }

    fn set(&mut self, zone: &Zone<'_>, section: usize, name: &[Vec<u8>], node: &[Vec<u8>], rtype: u16, wildcard: bool) {
        let (ttl, data) = zone.set(node, rtype);
        self.records(section, name, rtype, ttl, &data);
        self.rrsig(zone, section, name, rtype, (ttl, ttl), wildcard);
    }

    fn records(&mut self, section: usize, name: &[Vec<u8>], rtype: u16, ttl: u32, data: &[Vec<u8>]) {
        for data in data {
            let record = Record { owner: wire(name), rtype, class: 1, ttl, data: data.clone() };
            self.reply.sections[section].push(print_record(&record, self.world));
        }
    }

    fn rrsig(
        &mut self,
        zone: &Zone<'_>,
        section: usize,
        name: &[Vec<u8>],
        covered: u16,
        ttls: (u32, u32),
        unkept: bool,
    ) {
        if !self.dnssec_ok || !zone.signed {
            return;
        }
        self.reply.unkept |= unkept;
        let count = name.len() - usize::from(name.first().is_some_and(|label| label == b"*"));
        let original = if ttls.0 == ttls.1 { String::new() } else { format!(" of {}", ttls.1) };
        for (key, _) in zone.written.signers_of(covered) {
            self.reply.sections[section].push(format!(
                "{} {} RRSIG({}) {}/{key} {count}{original}",
                text(name),
                ttls.0,
                rtype::print(covered),
                text(&zone.apex),
            ));
        }
    }

    fn nsec(
        &mut self,
        zone: &Zone<'_>,
        section: usize,
        name: &[Vec<u8>],
        types: &[u16],
        (is_cut, unkept): (bool, bool),
        signature_only: bool,
    ) {
        let ttl = zone.negative_ttl();
        let mut next = name.to_vec();
        match is_cut {
            true => next[0].push(0),
            false => next.insert(0, vec![0]),
        }
        let mut all = [types, &[rt::RRSIG, rt::NSEC]].concat();
        all.sort_unstable();
        let types: Vec<_> = all.iter().map(|rtype| rtype::print(*rtype)).collect();
        if !signature_only {
            let line = format!("{} {ttl} NSEC {} {}", text(name), text(&next), types.join(" "));
            self.reply.sections[section].push(line);
        }
        let dnssec_ok = self.dnssec_ok;
        self.dnssec_ok |= signature_only;
        self.rrsig(zone, section, name, rt::NSEC, (ttl, ttl), unkept);
        self.dnssec_ok = dnssec_ok;
    }

    fn finish(self) -> Expected {
        let question = self.question;
        let mut words = vec![self.reply.rcode];
        let flags = [(self.reply.authoritative, "aa"), (question.rd, "rd"), (question.cd, "cd")];
        words.extend(flags.iter().filter(|(set, _)| *set).map(|(_, word)| *word));
        let edns = question.edns.unwrap_or_default();
        let bits = [
            (true, "|"),
            (edns.dnssec_ok, "do"),
            (self.reply.compact, "co"),
            (self.reply.rcode == "REFUSED", "ede=20"),
            (edns.nsid, "nsid=ns1.test"),
            (edns.cookie, "cookie"),
            (edns.keepalive, "keepalive=100"),
        ];
        let with_opt = question.edns.is_some();
        words.extend(bits.iter().filter(|(set, _)| *set && with_opt).map(|(_, word)| *word));
        let mut text = words.join(" ");
        for (title, lines) in ["ANSWER", "AUTHORITY", "ADDITIONAL"].iter().zip(&self.reply.sections) {
            if !lines.is_empty() {
                text.push_str(&format!("\n{title}\n{}", lines.join("\n")));
            }
        }
        Expected { text, unkept: self.reply.unkept }
    }
}

/// The hosts that records name, in the order of their wire form.
fn hosts(rtype: u16, data: &[Vec<u8>]) -> Vec<Labels> {
    let skip = match rtype {
        rt::NS => 0,
        rt::MX | rt::SVCB | rt::HTTPS => 2,
        rt::SRV => 6,
        _ => return Vec::new(),
    };
    let names: std::collections::BTreeSet<_> = data.iter().map(|data| wire(&labels(&data[skip..]))).collect();
    names.iter().map(|name| labels(name)).filter(|host| !host.is_empty()).collect()
}

fn text(labels: &[Vec<u8>]) -> String {
    mxseal::dns::name::print(&wire(labels))
}
