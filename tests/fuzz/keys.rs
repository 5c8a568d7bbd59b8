//! Key files of other servers: a key that signs comes out, or a fault that quotes nothing.

use data_encoding::BASE64;
use mxseal::dns::name::{Name, ROOT};
use mxseal::sign::export::{to_bind, to_pem};
use mxseal::sign::foreign::read_foreign;
use mxseal::sign::key::Key;

/// Stands between the private and the public file in one input.
const BETWEEN: &[u8] = b"\n%%\n";
/// As much base64 of a file in an error is a quotation; less may be chance.
const QUOTE_OCTETS: usize = 20;

/// A private file alone, or one, `%%` on a line, and a public file.
pub fn foreign(octets: &[u8]) {
    let cut = octets.windows(BETWEEN.len()).position(|part| part == BETWEEN);
    let (private, public) = cut.map_or((octets, None), |at| (&octets[..at], Some(&octets[at + BETWEEN.len()..])));
    let read = match read_foreign(private, public) {
        Ok(read) => read,
        Err(fault) => return check_quotes_nothing(octets, &format!("{fault} {fault:?}")),
    };
    assert_eq!(public.is_some(), read.public.is_some() && read.owner.is_some() && read.flags.is_some());
    check_quotes_nothing(private, &format!("{read:?}"));
    let key = Key::from_pkcs8(read.flags.unwrap_or(257), read.algorithm, &read.der).expect("what was read is a key");
    let half = key.public_half();
    assert!(read.public.is_none_or(|published| published == half));
    let owner = read.owner.unwrap_or_else(|| Name::parse("example.", ROOT).expect("a name"));
    let files = to_bind(&read.der, &half, &owner, 3600, None).expect("a key is written");
    let again = read_foreign(files.private.as_bytes(), Some(files.key.as_bytes())).expect("what is written is read");
    assert_eq!((&again.der, again.owner, again.public), (&read.der, Some(owner), Some(half.clone())));
    let pem = to_pem(&read.der, &half).expect("a key is written");
    assert_eq!(read_foreign(pem.as_bytes(), None).expect("what is written is read").der, read.der);
}

fn check_quotes_nothing(octets: &[u8], shown: &str) {
    let is_base64 = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=');
    let quotes = |part: &[u8]| part.iter().all(is_base64) && shown.as_bytes().windows(part.len()).any(|w| w == part);
    assert!(!octets.windows(QUOTE_OCTETS).any(quotes), "{shown}");
    for part in octets.split(|octet| !is_base64(octet)) {
        let Ok(decoded) = BASE64.decode(part) else { continue };
        let Some(start) = decoded.get(..8) else { continue };
        let list = start.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
        assert!(!shown.contains(&list), "{shown}");
    }
}
