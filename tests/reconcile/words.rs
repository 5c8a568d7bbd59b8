//! Queries and replies as octets and as words.

use hickory_proto::op::Message;
use hickory_proto::serialize::binary::BinDecodable;
use mxseal::dns::name::{Name, ROOT};
use mxseal::dns::rtype;

/// A query with an OPT record and without DO.
pub fn query(owner: &str, rtype: &str, id: u16) -> Vec<u8> {
    let owner = Name::parse(owner, ROOT).expect("a name of the test");
    let qtype = rtype::parse(rtype).expect("a type of the test");
    let mut packet = id.to_be_bytes().to_vec();
    packet.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
    packet.extend_from_slice(&owner);
    packet.extend_from_slice(&qtype.to_be_bytes());
    packet.extend_from_slice(&[0, 1]);
    packet.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
    packet
}

/// A reply in words: response code, then the records of the answer section; or that it refers elsewhere.
pub fn in_words(reply: &[u8]) -> String {
    let message = Message::from_bytes(reply).expect("a message");
    let code = format!("{:?}", message.metadata.response_code).to_uppercase();
    let records = if message.answers.is_empty() { &message.authorities } else { &message.answers };
    let mut words: Vec<String> =
        records.iter().map(|record| format!("{} {}", record.record_type(), record.data)).collect();
    words.sort();
    let referral = message.answers.is_empty() && words.iter().any(|word| word.starts_with("NS "));
    match (message.answers.is_empty(), referral) {
        (true, true) => format!("{code} referral {}", words.join(", ")),
        (true, false) => code,
        (false, _) => format!("{code} {}", words.join(", ")),
    }
}
