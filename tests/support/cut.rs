//! What a reply that is too long for its question must keep.

use super::message::{Message, Record};
use mxseal::dns::name::is_within;
use mxseal::dns::rtype::number as rt;

type Set = (Vec<u8>, u16);

fn set_of(record: &Record) -> Set {
    match record.rtype {
        rt::RRSIG => (record.owner.clone(), u16::from_be_bytes([record.data[0], record.data[1]])),
        other => (record.owner.clone(), other),
    }
}

/// The RRsets of a reply in their order, each with what it takes at most and whether the reply is of no use without it:
/// all of the answer and of authority, and addresses of name servers within a delegation (RFC 9471 § 3).
fn sets(message: &Message) -> Vec<(Set, usize, bool)> {
    let cut = message.sections[1].iter().find(|record| record.rtype == rt::NS).map(|record| record.owner.clone());
    let mut sets: Vec<(Set, usize, bool)> = Vec::new();
    for (section, records) in message.sections.iter().enumerate() {
        for record in records {
            let set = set_of(record);
            let octets = 12 + record.data.len();
            match sets.last_mut().filter(|(last, ..)| *last == set) {
                Some((_, sum, _)) => *sum += octets,
                None => {
                    let within = cut.as_ref().is_some_and(|cut| is_within(&record.owner, cut));
                    sets.push((set, record.owner.len() + octets, section < 2 || within));
                }
            }
        }
    }
    sets
}

/// `cut` is `whole` within `size` octets: whole RRsets from the front and TC where one that is needed did not fit; of what
/// is a help all that there is room for, and no TC for it.
pub fn assert_cut(whole: &Message, cut: &Message, (octets, size): (usize, usize), context: &str) {
    assert!(octets <= size && cut.rcode() == whole.rcode() && cut.option(3) == whole.option(3), "{context}");
    assert_eq!(cut.opt.as_ref().map(|opt| opt.data.len()), whole.opt.as_ref().map(|opt| opt.data.len()), "{context}");
    let records = |message: &Message| message.sections.iter().map(Vec::len).sum::<usize>();
    assert!(records(cut) < records(whole), "{context}");
    let (all, kept) = (sets(whole), sets(cut));
    let is_kept = |set: &Set| kept.iter().any(|(other, ..)| other == set);
    let missing: Vec<_> = all.iter().filter(|(set, ..)| !is_kept(set)).collect();
    let order: Vec<_> = all.iter().filter(|(set, ..)| is_kept(set)).map(|(set, octets, _)| (set, octets)).collect();
    let found: Vec<_> = kept.iter().map(|(set, octets, _)| (set, octets)).collect();
    assert_eq!(order, found, "RRsets are whole and in their order, {context}");
    assert_eq!(cut.truncated(), missing.iter().any(|(.., needed)| *needed), "TC, {context}");
    match cut.truncated() {
        // The first that did not fit ends the reply.
        true => assert!(all.get(kept.len()).is_some_and(|(set, _, needed)| *needed && !is_kept(set)), "{context}"),
        false => assert!(missing.iter().all(|(_, takes, _)| octets + takes > size), "there was room, {context}"),
    }
}
