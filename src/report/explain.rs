//! An answer explained: what this server gives for a name and type, and why.
//!
//! It asks the very function that answers queries, and reads its octets: no second opinion that could differ.

use crate::answer::{Asked, Effort, Reply, Snapshot, Transport, respond};
use crate::dns::name::{self, Name, ROOT};
use crate::dns::rdata;
use crate::dns::reply::UDP_SIZE_MAX;
use crate::dns::rtype::{self, number as rt};
use crate::protocol::Explained;
use crate::report::view::View;
use crate::time::UnixTime;
use crate::zone::{Found, Zone};
use std::net::{IpAddr, Ipv4Addr};

const SECTIONS: [&str; 3] = ["answer", "authority", "additional"];
const RCODES: [&str; 11] = [
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
    "NOTZONE",
];

const SERVFAIL: u16 = 2;

/// A record of a reply.
struct Record {
    section: usize,
    owner: Name,
    rtype: u16,
    ttl: u32,
    data: Vec<u8>,
}

/// Explains the answer to `text` `rtype`, as a validating resolver would get it.
///
/// # Errors
/// What is wrong with the question.
pub fn explain(snapshot: &Snapshot, view: &View, text: &str, rtype: &str, now: UnixTime) -> Result<Explained, String> {
    let name = Name::parse(text, ROOT).map_err(|fault| format!("`{text}` is not a name: {fault}"))?;
    let qtype = rtype::parse(rtype).ok_or_else(|| format!("`{rtype}` is not a type: write A, TLSA or TYPE65400"))?;
    let query = query(&name, qtype);
    let full = ask(snapshot, &query, Transport::Tcp, now);
    let (rcode, records) = read(&full).ok_or("the server gave no answer to this question")?;
    let zone = snapshot.zone_of(&name, qtype);
    let mut explained = Explained {
        name: name.to_string(),
        rtype: rtype::print(qtype).into_owned(),
        rcode: RCODES.get(usize::from(rcode)).map_or_else(|| format!("RCODE{rcode}"), |word| (*word).to_owned()),
        why: zone.map_or_else(|| "no zone served here holds this name".to_owned(), |zone| why(zone, &name, qtype)),
        octets: full.len(),
        octets_max: usize::from(UDP_SIZE_MAX),
        zone: zone.map(|zone| zone.apex.to_string()),
        source: zone.and_then(|zone| source(zone, view, &name)),
        ..Explained::default()
    };
    if rcode == SERVFAIL {
        // The zone is missing from the snapshot, so what was found above is about its parent.
        explained.zone = view.unserved_zone(&name).map(ToString::to_string).or(explained.zone);
        explained.source = None;
        explained.why = match view.why_unserved(&name) {
            Some(reason) => format!("{reason}; until then nothing is said about its names"),
            None => "a signature could not be made: see `mxseal status`".to_owned(),
        };
        return Ok(explained);
    }
    for record in records.iter().filter(|record| record.rtype != rt::OPT) {
        let section = SECTIONS.get(record.section).copied().unwrap_or_default();
        let rtype = rtype::print(record.rtype);
        let data = rdata::to_text(record.rtype, &record.data);
        explained.records.push((section.to_owned(), format!("{} {} IN {rtype} {data}", record.owner, record.ttl)));
    }
    signature(&mut explained, zone.map(|zone| &**zone), &records);
    Ok(explained)
}

fn signature(explained: &mut Explained, zone: Option<&Zone>, records: &[Record]) {
    let Some(data) = records.iter().find(|record| record.rtype == rt::RRSIG).map(|record| &record.data) else { return };
    let number = |at: usize| data.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes);
    let covered = data.first_chunk().map(|two| u16::from_be_bytes(*two)).unwrap_or(0);
    explained.signed_until = number(8).map(u64::from);
    explained.signed_from = number(12).map(u64::from);
    explained.key = data.get(16..18).and_then(|two| two.try_into().ok()).map(u16::from_be_bytes);
    let policy = zone.and_then(|zone| zone.signing.as_deref()).map(|signing| *signing.policy(covered));
    // The next window begins a grid cell after this one; the background pass is there within minutes.
    explained.refresh_at = policy.zip(explained.signed_until).map(|(policy, until)| until - policy.life + policy.grid);
}

fn why(zone: &Zone, name: &Name, qtype: u16) -> String {
    let rtype = rtype::print(qtype);
    let own = zone.content.node(name).is_some()
        || crate::zone::endpoint::split_endpoint(name, zone.apex.len())
            .is_some_and(|(_, label)| zone.tenants.get(label).is_some());
    let from = if own { "" } else { ", synthesised from a wildcard (RFC 4592)" };
    match zone.find(name, qtype) {
        Found::Set(set, ..) => format!("{} {rtype} record(s) of this name{from}", set.count),
        Found::Alias(set, _) => {
            let target = set.data().next().map(name::print).unwrap_or_default();
            format!("the name is an alias of {target}, which is followed while it stays in zones served here{from}")
        }
        Found::Redirect(owner, ..) => {
            format!("a DNAME at {} redirects all names below it (RFC 6672)", name::print(owner))
        }
        Found::NoData(bitmap, _) if bitmap == crate::sign::denial::empty() => {
            "the name exists only because names below it do (an empty non-terminal): no type is there".to_owned()
        }
        Found::NoData(..) => format!("the name exists, but has no {rtype}{from}"),
        Found::Nsec(..) => format!("{rtype} is made with each answer and is the same as in a denial for this name"),
        Found::Referral(cut) => format!("{} is delegated: its own servers answer", name::print(cut.owner)),
        Found::Missing => "no such name; a compact denial says so with one NSEC (RFC 9824)".to_owned(),
    }
}

fn source(zone: &Zone, view: &View, name: &Name) -> Option<String> {
    let tenant =
        crate::zone::endpoint::split_endpoint(name, zone.apex.len()).and_then(|(_, label)| zone.tenants.get(label));
    if let Some(tenant) = tenant {
        let info = view.tenant(&zone.apex, tenant, &zone.pools);
        let pool = info.pool.map(|pool| format!(", pool {pool}")).unwrap_or_default();
        return Some(format!("{} (tenant {}{pool})", info.source, info.domain));
    }
    name::ancestors(name)
        .take_while(|suffix| suffix.len() >= zone.apex.len())
        .find_map(|suffix| zone.content.source(suffix))
}

fn query(name: &Name, qtype: u16) -> Vec<u8> {
    let mut query = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1];
    query.extend_from_slice(name);
    query.extend_from_slice(&qtype.to_be_bytes());
    query.extend_from_slice(&[0, 1]);
    query.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0]);
    query
}

fn ask(snapshot: &Snapshot, query: &[u8], transport: Transport, now: UnixTime) -> Vec<u8> {
    let mut out = vec![0; usize::from(u16::MAX)];
    let asked = Asked { packet: query, source: IpAddr::V4(Ipv4Addr::LOCALHOST), transport, now, effort: Effort::Sign };
    match respond(snapshot, &asked, &mut out) {
        Reply::Send(outcome) => out.truncate(outcome.length),
        Reply::Silence | Reply::Deferred(_) => out.clear(),
    }
    out
}

/// Response code and records of one of our own replies.
fn read(reply: &[u8]) -> Option<(u16, Vec<Record>)> {
    let count = |at: usize| reply.get(at..at + 2).map(|two| usize::from(two[0]) << 8 | usize::from(two[1]));
    let rcode = u16::from(*reply.get(3)? & 15);
    let mut at = 12;
    if count(4)? == 1 {
        read_name(reply, &mut at)?;
        at += 4;
    }
    let mut records = Vec::new();
    for (section, field) in [6, 8, 10].into_iter().enumerate() {
        for _ in 0..count(field)? {
            let owner = read_name(reply, &mut at)?;
            let head: &[u8; 10] = reply.get(at..at + 10)?.try_into().ok()?;
            let length = usize::from(u16::from_be_bytes([head[8], head[9]]));
            let data = reply.get(at + 10..at + 10 + length)?.to_vec();
            at += 10 + length;
            let rtype = u16::from_be_bytes([head[0], head[1]]);
            let ttl = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
            records.push(Record { section, owner, rtype, ttl, data });
        }
    }
    Some((rcode, records))
}

fn read_name(reply: &[u8], at: &mut usize) -> Option<Name> {
    let mut octets = Vec::new();
    let mut place = *at;
    let mut jumped = false;
    for _ in 0..256 {
        let length = usize::from(*reply.get(place)?);
        if length >= 0xc0 {
            let target = (length & 0x3f) << 8 | usize::from(*reply.get(place + 1)?);
            if !jumped {
                *at = place + 2;
            }
            jumped = true;
            place = target;
            continue;
        }
        octets.extend_from_slice(reply.get(place..place + 1 + length)?);
        place += 1 + length;
        if length == 0 {
            if !jumped {
                *at = place;
            }
            return Name::from_wire(&octets).ok();
        }
    }
    None
}
