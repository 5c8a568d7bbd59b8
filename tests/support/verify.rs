//! Every signature of a reply, verified by hickory-proto with the keys of the world: one by each key that is to sign.

use super::message::{Message, Record, Rrsig};
use super::world::World;
use hickory_proto::dnssec::Verifier;
use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::Message as Decoded;
use hickory_proto::rr::{RData, Record as Other};
use hickory_proto::serialize::binary::BinEncodable;
use mxseal::dns::rtype::number as rt;
use mxseal::sign::key::Key;
use mxseal::time::serial_less;
use std::collections::BTreeMap;

/// Decodes the reply with hickory-proto, which must see what our own decoder sees, and verifies all signatures. An RRset
/// that is signed must be by each key that signs its type, once.
/// `only_signatures`: the question was for RRSIG, whose NSEC does not come along.
pub fn verify(octets: &[u8], world: &World, now: u64, only_signatures: bool) -> Result<(), String> {
    let ours = Message::decode(octets);
    // RFC 3597 § 5 has data of no octets; hickory-proto takes them for an update's.
    if ours.sections.iter().flatten().any(|record| record.data.is_empty()) {
        return Ok(());
    }
    let theirs = Decoded::from_vec(octets).map_err(|fault| format!("hickory-proto cannot decode: {fault}"))?;
    let counts = [theirs.answers.len(), theirs.authorities.len(), theirs.additionals.len()];
    if counts != [0, 1, 2].map(|section: usize| ours.sections[section].len()) {
        return Err(format!("hickory-proto sees {counts:?} records"));
    }
    for (section, records) in [&theirs.answers, &theirs.authorities, &theirs.additionals].into_iter().enumerate() {
        complete(&ours.sections[section], world)?;
        for (record, other) in ours.sections[section].iter().zip(records) {
            if record.rtype == rt::RRSIG {
                rrsig(record, other, &ours.sections[section], records, world, now, only_signatures)?;
            }
        }
    }
    Ok(())
}

/// Whether each RRset with a signature has those of all keys that sign its type, in their order.
fn complete(section: &[Record], world: &World) -> Result<(), String> {
    /// Owner and type, then who signs and the tags of the keys.
    type Sets = BTreeMap<(Vec<u8>, u16), (Vec<u8>, Vec<u16>)>;
    let signed =
        |record: &Record| (record.rtype == rt::RRSIG).then(|| (record.owner.clone(), Rrsig::decode(&record.data)));
    let mut sets = Sets::new();
    for (owner, rrsig) in section.iter().filter_map(signed) {
        let set = sets.entry((owner, rrsig.covered)).or_insert_with(|| (rrsig.signer.clone(), Vec::new()));
        set.1.push(rrsig.tag);
    }
    for ((owner, covered), (signer, tags)) in sets {
        let zone = world.zones.iter().find(|zone| zone.apex == signer).ok_or("a signer that is no zone")?;
        let expected: Vec<u16> = zone.signers_of(covered).map(|(_, key)| key.tag).collect();
        if tags != expected {
            let owner = mxseal::dns::name::print(&owner);
            return Err(format!("{owner} TYPE{covered}: signed by {tags:?}, not by {expected:?}"));
        }
    }
    Ok(())
}

fn rrsig(
    record: &Record,
    other: &Other,
    section: &[Record],
    records: &[Other],
    world: &World,
    now: u64,
    only_signatures: bool,
) -> Result<(), String> {
    let what = super::message::print_record(record, world);
    let rrsig = Rrsig::decode(&record.data);
    let now = u32::try_from(now & 0xffff_ffff).expect("32 bits");
    if serial_less(now, rrsig.inception) || !serial_less(now, rrsig.expiration) {
        return Err(format!("{what}: now is outside its window"));
    }
    if record.ttl > rrsig.expiration.wrapping_sub(now) {
        return Err(format!("{what}: its TTL reaches beyond its end"));
    }
    let zone = world.zones.iter().find(|zone| zone.apex == rrsig.signer).ok_or(format!("{what}: who signs?"))?;
    let is_its = |key: &&(&str, Key)| (key.1.tag, key.1.algorithm) == (rrsig.tag, rrsig.algorithm);
    let (_, key) = zone.signers_of(rrsig.covered).find(is_its).ok_or(format!("{what}: another key"))?;
    let covered: Vec<&Other> = section
        .iter()
        .zip(records)
        .filter(|(ours, _)| ours.owner == record.owner && ours.rtype == rrsig.covered)
        .map(|(ours, theirs)| (ours.ttl == record.ttl).then_some(theirs).ok_or(format!("{what}: another TTL")))
        .collect::<Result<_, _>>()?;
    if covered.is_empty() && only_signatures {
        return Ok(());
    }
    let RData::DNSSEC(DNSSECRData::RRSIG(signature)) = &other.data else { return Err(format!("{what}: no RRSIG")) };
    let dnskey = dnskey(&key.dnskey_data());
    if covered.is_empty() {
        return Err(format!("{what}: nothing to verify"));
    }
    dnskey
        .verify_rrsig(&other.name, other.dns_class, signature, covered.into_iter())
        .map_err(|fault| format!("{what}: bogus: {fault}"))
}

fn dnskey(data: &[u8]) -> hickory_proto::dnssec::rdata::DNSKEY {
    use hickory_proto::dnssec::{Algorithm, PublicKeyBuf, rdata::DNSKEY};
    let algorithm = if data[3] == 15 { Algorithm::ED25519 } else { Algorithm::ECDSAP256SHA256 };
    let key = PublicKeyBuf::new(data[4..].to_vec(), algorithm);
    let dnskey = DNSKEY::new(true, data[1] & 1 == 1, false, key);
    assert_eq!(dnskey.to_bytes().ok().as_deref(), Some(data), "hickory-proto sees the same DNSKEY");
    dnskey
}
