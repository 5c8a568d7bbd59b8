//! Names and record data: text and octets mean the same, here and to other implementations.

use domain::base::iana::Rtype;
use domain::base::name::ParsedName;
use domain::base::rdata::ParseAnyRecordData;
use domain::base::zonefile_fmt::{DisplayKind, ZonefileFmt};
use domain::rdata::AllRecordData;
use hickory_proto::rr::{RData, RecordType};
use hickory_proto::serialize::binary::{BinDecoder, BinEncodable, BinEncoder, NameEncoding, Restrict};
use mxseal::dns::name::{self, NAME_OCTETS_MAX, Name, ROOT, canonical_order};
use mxseal::dns::rdata::{self as data, Token};
use mxseal::dns::rtype::{self, number as rt};
use mxseal::sign::denial;
use std::cmp::Ordering;

/// Apexes that a name is tried with; each costs as much as the name is long.
const APEXES_MAX: usize = 4;

/// Two names one after another, as far as the octets are names.
pub fn names(octets: &[u8]) {
    check_text(octets);
    let end = |octets: &[u8]| (1..=octets.len().min(255)).find(|end| Name::from_wire(&octets[..*end]).is_ok());
    let Some(first) = end(octets) else { return };
    let owner = Name::from_wire(&octets[..first]).expect("as just found").to_lower();
    check_name(&owner);
    let other = end(&octets[first..]).and_then(|second| Name::from_wire(&octets[first..first + second]).ok());
    let other = other.unwrap_or_else(Name::root).to_lower();
    check_order(&owner, &other);
    for apex in name::ancestors(&owner).step_by(1 + name::label_count(&owner) / APEXES_MAX) {
        check_next(&owner, &denial::next_name(&owner, apex), apex, &other, false);
        if apex.len() < owner.len() {
            check_next(&owner, &denial::next_past_subtree(&owner, apex), apex, &other, true);
        }
    }
}

fn check_text(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let origin = Name::parse("mx.example.", ROOT).expect("a name");
    if let Ok(read) = Name::parse(text, &origin) {
        check_name(&read);
    }
}

fn check_name(whole: &Name) {
    assert!(whole.len() <= NAME_OCTETS_MAX && whole.ends_with(&[0]));
    assert_eq!(Name::from_wire(whole).as_ref(), Ok(whole));
    let text = name::print(whole);
    assert_eq!(Name::parse(&text, ROOT).as_ref(), Ok(&whole.to_lower()), "{text}");
    assert_eq!(name::ancestors(whole).count(), name::label_count(whole) + 1);
    assert!(name::ancestors(whole).all(|above| name::is_within(whole, above)));
    let theirs = domain::base::Name::<Vec<u8>>::from_octets(whole.to_vec());
    assert!(theirs.is_ok(), "domain refuses {text}");
}

fn check_order(a: &Name, b: &Name) {
    assert_eq!(canonical_order(a, b), canonical_order(b, a).reverse());
    assert_eq!(canonical_order(a, b) == Ordering::Equal, a == b);
    let theirs = |name: &Name| domain::base::Name::<Vec<u8>>::from_octets(name.to_vec()).expect("a name");
    let expected = domain::base::name::ToName::name_cmp(&theirs(a), &theirs(b));
    assert_eq!(canonical_order(a, b), expected, "{a} {b}");
}

/// The next name of an NSEC is greater than its owner and skips no name that could exist (RFC 4471 § 3.1.1), but where
/// it says the apex, which means the end of the zone. Past a subtree, what lies below the owner is skipped.
fn check_next(owner: &Name, next: &[u8], apex: &[u8], other: &Name, past: bool) {
    let next = Name::from_wire(next).unwrap_or_else(|fault| panic!("{fault}: after {owner}: {next:?}"));
    assert!(name::is_within(&next, apex), "{next} after {owner} lies outside of {}", name::print(apex));
    assert_eq!(next, next.to_lower(), "after {owner}");
    let is_end = *next == *apex;
    assert!(is_end || canonical_order(&next, owner) == Ordering::Greater, "{next} is not after {owner}");
    assert!(!past || is_end || !name::is_within(&next, owner), "{next} is not past {owner}");
    let skipped = canonical_order(owner, other) == Ordering::Less
        && (is_end || canonical_order(other, &next) == Ordering::Less)
        && name::is_within(other, apex)
        && !(past && name::is_within(other, owner));
    assert!(!skipped, "{other} is skipped between {owner} and {next}");
}

/// A type and its data, then the same octets as text.
pub fn rdata(octets: &[u8]) {
    let Some((rtype, rest)) = octets.split_first_chunk::<2>() else { return };
    let rtype = u16::from_be_bytes(*rtype);
    if data::check(rtype, rest).is_ok() {
        check_data(rtype, rest);
    }
    if let Ok(text) = std::str::from_utf8(rest)
        && let Ok(read) = data::from_text(rtype, &words(text), ROOT)
    {
        assert_eq!(data::check(rtype, &read), Ok(()), "what is read is good: {rtype} {text}");
        check_data(rtype, &read);
    }
}

fn check_data(rtype: u16, octets: &[u8]) {
    let text = data::to_text(rtype, octets);
    let mut lower = octets.to_vec();
    data::lower_names(rtype, &mut lower);
    assert_eq!(data::check(rtype, &lower), Ok(()));
    assert_eq!(data::from_text(rtype, &words(&text), ROOT).as_ref(), Ok(&lower), "{rtype} {text}");
    check_with_hickory(rtype, octets);
    check_with_domain(rtype, octets, &lower);
}

/// What hickory-proto reads, it writes as the same octets.
fn check_with_hickory(rtype: u16, octets: &[u8]) {
    let Ok(length) = u16::try_from(octets.len()) else { return };
    // An OPT is no data, and where hickory drops or sorts parts while it reads, it cannot tell.
    if matches!(rtype, rt::OPT | rt::NSEC | rt::NSEC3 | rt::CSYNC | rt::SVCB | rt::HTTPS | rt::CAA | rt::CERT) {
        return;
    }
    let mut decoder = BinDecoder::new(octets);
    let Ok(read) = RData::read(&mut decoder, RecordType::from(rtype), Restrict::new(length)) else { return };
    let mut written = Vec::new();
    let mut encoder = BinEncoder::new(&mut written);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    let Ok(()) = read.emit(&mut encoder) else { return };
    assert!(written.eq_ignore_ascii_case(octets), "type {rtype}: {octets:02x?} is {written:02x?} to hickory: {read:?}");
}

/// What domain prints, is read here as the same octets.
fn check_with_domain(rtype: u16, octets: &[u8], lower: &[u8]) {
    // It gives no text that could be read: of OPT; of IPSECKEY without a gateway, where the `.` is missing (RFC 4025
    // § 3.1); of values with blanks in SVCB and HTTPS.
    if rtype::is_meta(rtype) || matches!(rtype, rt::IPSECKEY | rt::SVCB | rt::HTTPS) {
        return;
    }
    let mut parser = domain::dep::octseq::Parser::from_ref(octets);
    let read = AllRecordData::<_, ParsedName<_>>::parse_any_rdata(Rtype::from_int(rtype), &mut parser);
    let Ok(read) = read else { return };
    if parser.remaining() > 0 || matches!(read, AllRecordData::Unknown(_)) {
        return;
    }
    let text = read.display_zonefile(DisplayKind::Simple).to_string();
    // It spells NSAP-PTR without its dash, and leaves quotes in names as they are.
    if text.contains("NSAPPTR") || octets.contains(&b'"') {
        return;
    }
    match data::from_text(rtype, &words(&text), ROOT) {
        Ok(ours) => assert_eq!(ours, lower, "type {rtype}: domain prints {text}"),
        Err(fault) => panic!("type {rtype}: domain prints {text}: {fault:?}"),
    }
}

/// Cuts at blanks outside of quotes; a backslash takes the next character along.
fn words(text: &str) -> Vec<Token<'_>> {
    let (mut words, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ' ' if !quoted => {
                let word = &text[start..at];
                let inner = word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
                words.extend((!word.is_empty()).then(|| inner.map_or(Token::word(word), Token::quoted)));
                start = at + 1;
            }
            _ => {}
        }
    }
    words
}
