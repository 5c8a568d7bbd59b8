//! What a registrar or a parent asks for about a key: records to paste, and the same in single fields.
//!
//! A DS is compared by its whole digest: its tag is only a hint, and two keys of one zone may share one (BIND GL#4878).

use super::key::PublicKey;
use crate::dns::name::{self, Name};
use crate::dns::rdata::to_text;
use crate::dns::rtype::number as rtype;
use data_encoding::HEXUPPER;
use ring::digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384};

/// SHA-1: only recognised, never handed out (RFC 8624 § 3.3).
const DIGEST_SHA1: u8 = 1;
/// SHA-256, which every validator knows (RFC 8624 § 3.3).
const DIGEST_SHA256: u8 = 2;
/// SHA-384, which some registries ask for (RFC 6605 § 2).
const DIGEST_SHA384: u8 = 4;
/// Octets of a DS in front of its digest (RFC 4034 § 5.1).
const DS_HEAD_OCTETS: usize = 4;

/// The texts for one key. Hex is in upper case, as registrars show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// The DS with SHA-256, in master-file form: `example. IN DS 12345 13 2 …`.
    pub ds: String,
    /// The same with SHA-384.
    pub ds_sha384: String,
    /// The DNSKEY in master-file form, for registries that make the DS themselves.
    pub dnskey: String,
    /// First field of the DS.
    pub key_tag: u16,
    /// Second field of the DS.
    pub algorithm: u8,
    /// Third field of the DS: 2, SHA-256.
    pub digest_type: u8,
    /// Fourth field of the DS: SHA-256 in hex.
    pub digest: String,
    /// The digest of type 4 in hex, for who wants SHA-384.
    pub digest_sha384: String,
}

/// The texts for a key of the zone `owner`.
pub fn handover(key: &PublicKey, owner: &Name) -> Handover {
    let zone = name::print(&owner.to_lower());
    let hex = |algorithm| HEXUPPER.encode(&digest(key, owner, algorithm));
    let (digest, digest_sha384) = (hex(&SHA256), hex(&SHA384));
    let (key_tag, algorithm) = (key.tag, key.algorithm);
    let ds = |digest_type: u8, digest: &str| format!("{zone} IN DS {key_tag} {algorithm} {digest_type} {digest}");
    Handover {
        ds: ds(DIGEST_SHA256, &digest),
        ds_sha384: ds(DIGEST_SHA384, &digest_sha384),
        dnskey: format!("{zone} IN DNSKEY {}", to_text(rtype::DNSKEY, &key.dnskey_data())),
        key_tag,
        algorithm,
        digest_type: DIGEST_SHA256,
        digest,
        digest_sha384,
    }
}

/// Whether DS record data name this key of the zone `owner`, in wire form: tag, algorithm and the whole digest must
/// agree. A DS of a digest type that is not known here names none.
pub fn matches_ds(key: &PublicKey, owner: &[u8], ds: &[u8]) -> bool {
    let Some((&[high, low, algorithm, digest_type], found)) = ds.split_first_chunk::<DS_HEAD_OCTETS>() else {
        return false;
    };
    let with = match digest_type {
        DIGEST_SHA1 => &SHA1_FOR_LEGACY_USE_ONLY,
        DIGEST_SHA256 => &SHA256,
        DIGEST_SHA384 => &SHA384,
        _ => return false,
    };
    u16::from_be_bytes([high, low]) == key.tag && algorithm == key.algorithm && digest(key, owner, with) == found
}

/// Digest of owner and DNSKEY data; the owner counts in lower case (RFC 4034 § 5.1.4).
fn digest(key: &PublicKey, owner: &[u8], algorithm: &'static Algorithm) -> Vec<u8> {
    let mut hash = Context::new(algorithm);
    // Length octets are below 64, hence no letters.
    hash.update(&owner.to_ascii_lowercase());
    hash.update(&key.dnskey_data());
    hash.finish().as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::ROOT;
    use crate::sign::key::key_tag;
    use data_encoding::{BASE64, HEXUPPER_PERMISSIVE};

    fn name(text: &str) -> Name {
        Name::parse(text, ROOT).expect("a name")
    }

    fn key_of_rfc_6605() -> PublicKey {
        let public = "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==";
        PublicKey::new(257, 13, &BASE64.decode(public.as_bytes()).expect("base64")).expect("a key")
    }

    #[test]
    fn the_key_of_rfc_6605_is_handed_over_as_the_rfc_prints_it() {
        let given = handover(&key_of_rfc_6605(), &name("Example.NET."));
        let digest = "B4C8C1FE2E7477127B27115656AD6256F424625BF5C1E2770CE6D6E37DF61D17";
        assert_eq!(given.ds, format!("example.net. IN DS 55648 13 2 {digest}"));
        let fields = (given.key_tag, given.algorithm, given.digest_type, given.digest.as_str());
        assert_eq!(fields, (55648, 13, 2, digest));
        assert!(given.dnskey.starts_with("example.net. IN DNSKEY 257 3 13 GojIhhXUN/u4v54Z"));
        assert_eq!(given.ds_sha384, format!("example.net. IN DS 55648 13 4 {}", given.digest_sha384));
        assert_eq!(given.digest_sha384.len(), 96);
    }

    #[test]
    fn a_ds_matches_by_its_whole_digest_and_never_by_its_tag() {
        let (key, owner) = (key_of_rfc_6605(), name("example.net."));
        // Octets at even places count alike in a tag, so exchanging two of them keeps it.
        let mut twin = key.public.to_vec();
        twin.swap(0, 2);
        let twin = PublicKey::new(257, 13, &twin).expect("a key");
        assert_eq!(key_tag(&twin.dnskey_data()), key.tag);
        for (digest_type, with) in [(1, &SHA1_FOR_LEGACY_USE_ONLY), (2, &SHA256), (4, &SHA384)] {
            let head = [&key.tag.to_be_bytes()[..], &[13, digest_type]].concat();
            let ds = [head, digest(&key, &owner, with)].concat();
            assert!(matches_ds(&key, &owner, &ds));
            assert!(matches_ds(&key, b"\x07eXample\x03NET\0", &ds), "owners count in lower case");
            assert!(!matches_ds(&twin, &owner, &ds), "same tag, other key");
            assert!(!matches_ds(&key, &name("example.org."), &ds));
            for at in 0..ds.len() {
                let mut other = ds.clone();
                other[at] ^= 1;
                assert!(!matches_ds(&key, &owner, &other), "octet {at}");
                assert!(!matches_ds(&key, &owner, &ds[..at]), "{at} octets");
            }
            assert!(!matches_ds(&key, &owner, &[ds, vec![0]].concat()), "one octet more");
        }
        assert_eq!(digest(&key, &owner, &SHA256), key.ds_data(&owner)[4..]);
    }

    #[test]
    fn a_ds_of_an_unknown_digest_type_matches_nothing() {
        let (key, owner) = (key_of_rfc_6605(), name("example.net."));
        for digest_type in [0, 3, 5, 255] {
            let mut ds = key.ds_data(&owner);
            ds[3] = digest_type;
            assert!(!matches_ds(&key, &owner, &ds));
        }
        let digest = HEXUPPER_PERMISSIVE.decode(handover(&key, &owner).digest.as_bytes()).expect("hex");
        assert_eq!(digest, key.ds_data(&owner)[4..]);
    }
}
