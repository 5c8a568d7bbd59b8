//! A packet: answered within its size and truly, or not at all.

use super::world::{NOW, key, snapshot};
use hickory_proto::dnssec::rdata::{DNSKEY, DNSSECRData};
use hickory_proto::dnssec::{Algorithm, PublicKeyBuf, Verifier};
use hickory_proto::op::Message;
use hickory_proto::rr::{DNSClass, RData, Record, RecordType};
use mxseal::answer::{Asked, Effort, Outcome, Reply, Transport, limited, respond};
use mxseal::dns::name::Name;
use mxseal::dns::query::{self, Parsed, Query, rcode};
use mxseal::dns::reply::UDP_SIZE_MAX;
use mxseal::dns::rtype::number as rt;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

/// The first octet says how it comes and what it may cost, the rest is the packet.
pub fn packet(octets: &[u8]) {
    let Some((how, packet)) = octets.split_first() else { return };
    let transport = [Transport::Udp, Transport::Tcp, Transport::Encrypted, Transport::Udp][usize::from(how & 3)];
    let effort = [Effort::Sign, Effort::Sign, Effort::Kept, Effort::Truncate][usize::from(how >> 2 & 3)];
    let asked = Asked { packet, source: IpAddr::V4(Ipv4Addr::LOCALHOST), transport, now: NOW, effort };
    check_limited(&asked);
    let Some((reply, outcome)) = answer(&asked) else { return };
    let again = answer(&asked).expect("what was answered once is answered again");
    if effort == Effort::Sign {
        assert_eq!(again.0, reply, "a warm memo changes no octet");
    }
    check_size(&asked, &outcome);
    check_header(packet, &reply, &outcome);
    let message = Message::from_vec(&reply).unwrap_or_else(|fault| panic!("{fault}: {reply:02x?}"));
    if let Parsed::Query(query) = query::parse(packet) {
        assert_eq!(reply.get(12..12 + query.question.len()), Some(query.question), "the question with its case");
        check_content(&query, &message, outcome.truncated);
    }
}

fn answer(asked: &Asked<'_>) -> Option<(Vec<u8>, Outcome)> {
    let mut out = vec![0xa5; 65_535];
    let unanswerable = asked.packet.len() < 12 || asked.packet[2] & 0x80 != 0;
    match respond(snapshot(), asked, &mut out) {
        Reply::Silence => {
            assert!(unanswerable, "silence for a query");
            None
        }
        Reply::Deferred(_) => {
            assert_eq!(asked.effort, Effort::Kept, "only what may not sign is put off");
            None
        }
        Reply::Send(outcome) => {
            assert!(!unanswerable, "an answer to an answer");
            out.truncate(outcome.length);
            assert_eq!(out.len(), outcome.length);
            Some((out, outcome))
        }
    }
}

/// Whoever is limited gets the question alone: never more than was sent but for a server cookie (RFC 7873 § 4.2).
fn check_limited(asked: &Asked<'_>) {
    let mut out = [0xa5; 1232];
    let Reply::Send(outcome) = limited(snapshot(), asked, &mut out) else { return };
    assert!(outcome.length <= asked.packet.len() + 16, "{} octets for {}", outcome.length, asked.packet.len());
    // TC sends a question that was understood to TCP; what was not has its code, BADCOOKIE has a cookie to come back with.
    assert!(outcome.truncated == (outcome.rcode == rcode::NOERROR) && outcome.signed == 0);
    let reply = &out[..outcome.length];
    check_header(asked.packet, reply, &outcome);
    assert_eq!(reply[6..10], [0; 4], "no records");
    Message::from_vec(reply).unwrap_or_else(|fault| panic!("{fault}: {reply:02x?}"));
}

fn check_size(asked: &Asked<'_>, outcome: &Outcome) {
    let edns = match query::parse(asked.packet) {
        Parsed::Query(query) => query.edns,
        Parsed::Fault(fault) => fault.edns,
        Parsed::Silence => None,
    };
    let limit = match asked.transport {
        Transport::Udp => usize::from(edns.map_or(512, |edns| edns.udp_size.clamp(512, UDP_SIZE_MAX))),
        Transport::Tcp | Transport::Encrypted => 65_535,
    };
    assert!(outcome.length <= limit, "{} octets where {limit} fit", outcome.length);
}

fn check_header(packet: &[u8], reply: &[u8], outcome: &Outcome) {
    assert_eq!(reply[..2], packet[..2], "ID");
    assert_eq!(reply[2] & 0xf9, packet[2] & 0x79 | 0x80, "QR set, opcode and RD kept; AA and TC aside");
    assert_eq!(reply[2] & 2 != 0, outcome.truncated, "TC");
    assert_eq!(reply[3] & 0xe0, 0, "RA, Z and AD are clear");
    assert_eq!(u16::from(reply[3] & 15), outcome.rcode & 15, "response code");
}

fn check_content(query: &Query<'_>, message: &Message, truncated: bool) {
    let sections = [&message.answers, &message.authorities];
    let wanted = query.edns.is_some_and(|edns| edns.dnssec_ok);
    let asked = matches!(query.qtype, rt::RRSIG | rt::NSEC | rt::ANY);
    for section in sections {
        for (owner, rtype) in sets(section) {
            let signatures = signatures(section, &owner, rtype);
            if !wanted && !asked {
                assert!(signatures.is_empty() && rtype != RecordType::NSEC, "DNSSEC for who did not ask: {message:?}");
            }
            let signed = !signatures.is_empty();
            if wanted && !truncated && query.qtype != rt::RRSIG && is_ours_to_sign(section, &owner, rtype) {
                assert!(signed, "{owner} {rtype} has no signature: {message:?}");
            }
        }
    }
    assert!(message.answers.len() < 2000 && message.authorities.len() < 200);
}

fn sets(section: &[Record]) -> BTreeSet<(hickory_proto::rr::Name, RecordType)> {
    let covered = |record: &Record| match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(_)) => None,
        _ => Some((record.name.to_lowercase(), record.record_type())),
    };
    section.iter().filter_map(covered).collect()
}

/// The signatures over a set, each verified.
fn signatures(section: &[Record], owner: &hickory_proto::rr::Name, rtype: RecordType) -> Vec<()> {
    let set: Vec<&Record> =
        section.iter().filter(|record| record.name == *owner && record.record_type() == rtype).collect();
    let dnskey = DNSKEY::with_flags(257, PublicKeyBuf::new(key().public.to_vec(), Algorithm::ED25519));
    let over = |record: &Record| match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) if record.name == *owner && rrsig.input().type_covered == rtype => {
            let input = rrsig.input();
            assert!(input.sig_inception.get() <= NOW.rrsig() && NOW.rrsig() <= input.sig_expiration.get(), "{record}");
            let verified = dnskey.verify_rrsig(owner, DNSClass::IN, rrsig, set.iter().copied());
            assert!(verified.is_ok(), "bogus: {record} over {set:?}");
            Some(())
        }
        _ => None,
    };
    section.iter().filter_map(over).collect()
}

/// Whether a validator wants a signature: all data of signed zones, but not NS of a cut, nor the alias that a DNAME
/// makes (RFC 4035 § 2.2, RFC 6672 § 5.3.1).
fn is_ours_to_sign(section: &[Record], owner: &hickory_proto::rr::Name, rtype: RecordType) -> bool {
    let wire: Vec<u8> = owner.iter().flat_map(|label| [&[label.len() as u8], label].concat()).chain([0]).collect();
    let wire = Name::from_wire(&wire).expect("a name");
    let Some(zone) = snapshot().zone_of(&wire, rtype.into()) else { return false };
    let made = rtype == RecordType::CNAME
        && section
            .iter()
            .any(|other| other.record_type() == RecordType::DNAME && other.name != *owner && other.name.zone_of(owner));
    zone.signing.is_some() && !(rtype == RecordType::NS && *wire != *zone.apex) && !made
}
