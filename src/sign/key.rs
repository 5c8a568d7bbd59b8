//! A zone key as a value: it signs, and shows its public half as DNSKEY, DS, CDS and CDNSKEY.
//!
//! It never shows its private half: no type here prints, exports or serialises one. Algorithms are 13 (ECDSA P-256 with
//! SHA-256, RFC 6605) and 15 (Ed25519, RFC 8080); digests are SHA-256 only (RFC 4509).

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    UnparsedPublicKey,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// ECDSA P-256 with SHA-256 (RFC 6605).
pub const ECDSA_P256: u8 = 13;
/// Ed25519 (RFC 8080).
pub const ED25519_NUMBER: u8 = 15;
/// Octets of a signature: the same for both algorithms (RFC 6605 § 4, RFC 8080 § 4).
pub const SIGNATURE_OCTETS: usize = 64;
/// Flags of a key that signs zone data only (RFC 4034 § 2.1.1).
pub const ZONE_FLAGS: u16 = 256;
/// Flags of a key that a DS points at: the secure entry point bit is set (RFC 4034 § 2.1.1).
pub const ENTRY_FLAGS: u16 = 257;

/// The REVOKE bit (RFC 5011 § 7); it is only counted here, never set in a key.
const REVOKE_FLAG: u16 = 0x0080;
/// The only protocol there is (RFC 4034 § 2.1.2).
const PROTOCOL: u8 = 3;
/// SHA-256 (RFC 4509 § 5).
const DIGEST_SHA256: u8 = 2;
/// An uncompressed point begins so; DNSKEY leaves it out (RFC 6605 § 4).
const POINT_UNCOMPRESSED: u8 = 4;
const P256_OCTETS: usize = 64;
const ED25519_OCTETS: usize = 32;
/// In front of each challenge. Read as RRSIG data it would cover type 28024, which has no records, so a proof can never
/// be passed off as a signature over records.
const PROOF_PREFIX: &[u8] = b"mxseal proof of possession\0";

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Combined: a DS points at it and it signs everything.
    Csk,
    /// A DS points at it and it signs DNSKEY, CDS and CDNSKEY.
    Ksk,
    /// Signs all the rest.
    Zsk,
}

/// Makes signatures: ring's keys, or a device that never lets its key out.
pub trait Signer: Send + Sync {
    /// DNSSEC algorithm number.
    fn algorithm(&self) -> u8;
    /// The public key field of its DNSKEY (RFC 6605 § 4, RFC 8080 § 3).
    fn public_key(&self) -> &[u8];
    /// Signs `message`, which is hashed inside.
    ///
    /// # Errors
    /// [`SignFault`] where no signature came out; the caller must not publish.
    fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_OCTETS], SignFault>;
}

/// A key that can sign. Flags and tag fit the public key: they come from the constructors.
#[derive(Clone)]
pub struct Key {
    /// 256 or 257.
    pub flags: u16,
    /// Algorithm number.
    pub algorithm: u8,
    /// Key tag of its DNSKEY (RFC 4034 appendix B).
    pub tag: u16,
    /// Public key field of its DNSKEY.
    pub public: Box<[u8]>,
    /// Makes its signatures.
    pub signer: Arc<dyn Signer>,
}

/// The half of a key that everybody may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// 256 or 257.
    pub flags: u16,
    /// Algorithm number.
    pub algorithm: u8,
    /// Key tag of its DNSKEY (RFC 4034 appendix B).
    pub tag: u16,
    /// Public key field of its DNSKEY.
    pub public: Box<[u8]>,
}

/// No signature came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key's provider made no signature (out of random numbers, or its device failed)")]
pub struct SignFault;

/// Why something is not a usable key. No variant carries key material.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Another algorithm than 13 or 15.
    #[error("algorithm {0} is not supported: 13 (ECDSA P-256) and 15 (Ed25519) are")]
    Algorithm(u8),
    /// Other flags than 256 or 257.
    #[error("DNSKEY flags {0} are not those of a zone key: 256 and 257 are")]
    Flags(u16),
    /// Not a private key of this algorithm in PKCS#8.
    #[error("not a PKCS#8 private key of algorithm {algorithm} ({reason})")]
    Rejected {
        /// Algorithm asked for.
        algorithm: u8,
        /// The provider's word for it.
        reason: String,
    },
    /// A public key that has the wrong length for its algorithm.
    #[error("a public key of {octets} octets does not fit algorithm {algorithm}")]
    Length {
        /// Algorithm.
        algorithm: u8,
        /// Octets found.
        octets: usize,
    },
    /// The provider made no key.
    #[error("no new key was made: the system gave no random numbers")]
    NotMade,
    /// The published DNSKEY is another key's: other tag, flags or algorithm.
    #[error("key {tag} is not the published key {published}")]
    Other {
        /// Tag of the key that was to prove itself.
        tag: u16,
        /// Tag of the published octets.
        published: u16,
    },
    /// Its signature does not verify with the published octets.
    #[error("signatures of key {0} do not verify with its published DNSKEY")]
    NotProven(u16),
}

impl Role {
    /// DNSKEY flags.
    pub fn flags(self) -> u16 {
        match self {
            Role::Csk | Role::Ksk => ENTRY_FLAGS,
            Role::Zsk => ZONE_FLAGS,
        }
    }

    /// The word in file names and journals: `csk`, `ksk`, `zsk`.
    pub fn word(self) -> &'static str {
        match self {
            Role::Csk => "csk",
            Role::Ksk => "ksk",
            Role::Zsk => "zsk",
        }
    }
}

impl Key {
    /// Reads a private key in PKCS#8 DER: version 1 for algorithm 13; versions 1 and 2 for 15 (RFC 5958, RFC 8410).
    ///
    /// # Errors
    /// [`KeyFault`] where flags, algorithm or key do not fit each other.
    pub fn from_pkcs8(flags: u16, algorithm: u8, der: &[u8]) -> Result<Key, KeyFault> {
        let rejected = |fault: ring::error::KeyRejected| KeyFault::Rejected { algorithm, reason: fault.to_string() };
        match algorithm {
            ECDSA_P256 => {
                let random = SystemRandom::new();
                let pair =
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random).map_err(rejected)?;
                Key::from_signer(flags, Arc::new(P256 { pair, random }))
            }
            ED25519_NUMBER => {
                // The strict reader refuses version 1, which is what other tools write.
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(rejected)?;
                Key::from_signer(flags, Arc::new(Ed(pair)))
            }
            other => Err(KeyFault::Algorithm(other)),
        }
    }

    /// A key whose signatures are made elsewhere.
    ///
    /// # Errors
    /// [`KeyFault`] where flags, algorithm or length are not those of a zone key.
    pub fn from_signer(flags: u16, signer: Arc<dyn Signer>) -> Result<Key, KeyFault> {
        let PublicKey { flags, algorithm, tag, public } =
            PublicKey::new(flags, signer.algorithm(), signer.public_key())?;
        Ok(Key { flags, algorithm, tag, public, signer })
    }

    /// Its public half.
    pub fn public_half(&self) -> PublicKey {
        let Key { flags, algorithm, tag, public, signer: _ } = self.clone();
        PublicKey { flags, algorithm, tag, public }
    }

    /// DNSKEY record data (RFC 4034 § 2.1).
    pub fn dnskey_data(&self) -> Vec<u8> {
        dnskey_data(self.flags, self.algorithm, &self.public)
    }

    /// DS record data with a SHA-256 digest; `owner` is the apex in lower-case wire form (RFC 4034 § 5.1, RFC 4509).
    pub fn ds_data(&self, owner: &[u8]) -> Vec<u8> {
        self.public_half().ds_data(owner)
    }

    /// CDS record data: that of the DS (RFC 7344 § 3.1).
    pub fn cds_data(&self, owner: &[u8]) -> Vec<u8> {
        self.ds_data(owner)
    }

    /// CDNSKEY record data: that of the DNSKEY (RFC 7344 § 3.2).
    pub fn cdnskey_data(&self) -> Vec<u8> {
        self.dnskey_data()
    }

    /// Signs a challenge and verifies it with the DNSKEY octets that are being served. Two keys may share a tag, so only
    /// this shows that validators will accept what the key signs.
    ///
    /// # Errors
    /// [`KeyFault::Other`] or [`KeyFault::NotProven`]: the key must not sign anything.
    pub fn prove(&self, published_dnskey_data: &[u8], challenge: &[u8]) -> Result<(), KeyFault> {
        let published = key_tag(published_dnskey_data);
        let head = dnskey_data(self.flags, self.algorithm, &[]);
        if published != self.tag || !published_dnskey_data.starts_with(&head) {
            return Err(KeyFault::Other { tag: self.tag, published });
        }
        let message = [PROOF_PREFIX, challenge].concat();
        let signature = self.signer.sign(&message).map_err(|_| KeyFault::NotProven(self.tag))?;
        match verify(published_dnskey_data, &message, &signature) {
            true => Ok(()),
            false => Err(KeyFault::NotProven(self.tag)),
        }
    }
}

/// Algorithm, flags and tag only: a private key has no printed form.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(flags {}, algorithm {}, tag {})", self.flags, self.algorithm, self.tag)
    }
}

impl PublicKey {
    /// Takes the public key field of a DNSKEY.
    ///
    /// # Errors
    /// [`KeyFault`] where flags, algorithm or length are not those of a zone key.
    pub fn new(flags: u16, algorithm: u8, public: &[u8]) -> Result<PublicKey, KeyFault> {
        if !matches!(flags, ZONE_FLAGS | ENTRY_FLAGS) {
            return Err(KeyFault::Flags(flags));
        }
        let fits = match algorithm {
            ECDSA_P256 => P256_OCTETS,
            ED25519_NUMBER => ED25519_OCTETS,
            other => return Err(KeyFault::Algorithm(other)),
        };
        if public.len() != fits {
            return Err(KeyFault::Length { algorithm, octets: public.len() });
        }
        let tag = key_tag(&dnskey_data(flags, algorithm, public));
        Ok(PublicKey { flags, algorithm, tag, public: public.into() })
    }

    /// DNSKEY record data (RFC 4034 § 2.1).
    pub fn dnskey_data(&self) -> Vec<u8> {
        dnskey_data(self.flags, self.algorithm, &self.public)
    }

    /// DS record data with a SHA-256 digest; `owner` is the apex in lower-case wire form (RFC 4034 § 5.1, RFC 4509).
    pub fn ds_data(&self, owner: &[u8]) -> Vec<u8> {
        let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
        hash.update(owner);
        hash.update(&self.dnskey_data());
        let mut data = self.tag.to_be_bytes().to_vec();
        data.extend_from_slice(&[self.algorithm, DIGEST_SHA256]);
        data.extend_from_slice(hash.finish().as_ref());
        data
    }

    /// Whether a validator could mistake one for the other by tag, now or once either is revoked: the REVOKE bit moves a
    /// tag by 128 (RFC 5011 § 2.1). Two keys of one zone must never do so.
    pub fn collides_with(&self, other: &PublicKey) -> bool {
        let tags =
            |key: &PublicKey| [key.tag, key_tag(&dnskey_data(key.flags | REVOKE_FLAG, key.algorithm, &key.public))];
        let theirs = tags(other);
        tags(self).iter().any(|tag| theirs.contains(tag))
    }
}

/// Makes a new private key in PKCS#8 DER, which is wiped from memory when dropped.
///
/// # Errors
/// [`KeyFault`] for an unknown algorithm, or where the system gives no random numbers.
pub fn generate_pkcs8(algorithm: u8) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
    let random = SystemRandom::new();
    let made = match algorithm {
        ECDSA_P256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random),
        ED25519_NUMBER => Ed25519KeyPair::generate_pkcs8(&random),
        other => return Err(KeyFault::Algorithm(other)),
    };
    made.map(|document| Zeroizing::new(document.as_ref().to_vec())).map_err(|_| KeyFault::NotMade)
}

/// DNSKEY record data (RFC 4034 § 2.1).
pub fn dnskey_data(flags: u16, algorithm: u8, public: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(4 + public.len());
    data.extend_from_slice(&flags.to_be_bytes());
    data.extend_from_slice(&[PROTOCOL, algorithm]);
    data.extend_from_slice(public);
    data
}

/// Key tag of DNSKEY record data (RFC 4034 appendix B).
pub fn key_tag(dnskey_data: &[u8]) -> u16 {
    let sum = dnskey_data.iter().enumerate().fold(0u32, |sum, (at, octet)| {
        let part = if at % 2 == 0 { u32::from(*octet) << 8 } else { u32::from(*octet) };
        sum.wrapping_add(part)
    });
    let [_, _, high, low] = sum.wrapping_add(sum >> 16).to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// Whether `signature` over `message` was made by the key with this DNSKEY record data. False for any octets that are
/// not a key of algorithm 13 or 15.
pub fn verify(dnskey_data: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Some((&[_, _, PROTOCOL, algorithm], public)) = dnskey_data.split_first_chunk::<4>() else { return false };
    match algorithm {
        ECDSA_P256 if public.len() == P256_OCTETS => {
            let mut point = [POINT_UNCOMPRESSED; 1 + P256_OCTETS];
            point[1..].copy_from_slice(public);
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
        }
        ED25519_NUMBER => UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok(),
        _ => false,
    }
}

struct P256 {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

struct Ed(Ed25519KeyPair);

impl Signer for P256 {
    fn algorithm(&self) -> u8 {
        ECDSA_P256
    }

    fn public_key(&self) -> &[u8] {
        let point = self.pair.public_key().as_ref();
        point.strip_prefix(&[POINT_UNCOMPRESSED]).unwrap_or(point)
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_OCTETS], SignFault> {
        let signature = self.pair.sign(&self.random, message).map_err(|_| SignFault)?;
        signature.as_ref().try_into().map_err(|_| SignFault)
    }
}

impl Signer for Ed {
    fn algorithm(&self) -> u8 {
        ED25519_NUMBER
    }

    fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_OCTETS], SignFault> {
        self.0.sign(message).as_ref().try_into().map_err(|_| SignFault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::{Name, ROOT};
    use data_encoding::{BASE64, HEXLOWER};
    use hickory_proto::dnssec::rdata::DNSKEY;
    use hickory_proto::dnssec::{Algorithm, DigestType, PublicKeyBuf, Verifier};

    /// RFC 6605 § 6.1, and both keys of RFC 8080 § 6.
    const VECTORS: [Vector; 3] = [
        Vector {
            owner: "example.net.",
            algorithm: 13,
            private: "GU6SnQ/Ou+xC5RumuIUIuJZteXT2z0O/ok1s38Et6mQ=",
            public: "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==",
            tag: 55648,
            digest: "b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17",
        },
        Vector {
            owner: "example.com.",
            algorithm: 15,
            private: "ODIyNjAzODQ2MjgwODAxMjI2NDUxOTAyMDQxNDIyNjI=",
            public: "l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=",
            tag: 3613,
            digest: "3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b",
        },
        Vector {
            owner: "example.com.",
            algorithm: 15,
            private: "DSSF3o0s0f+ElWzj9E/Osxw8hLpk55chkmx0LYN5WiY=",
            public: "zPnZ/QwEe7S8C5SPz2OfS5RR40ATk2/rYnE9xHIEijs=",
            tag: 35217,
            digest: "401781b934e392de492ec77ae2e15d70f6575a1c0bc59c5275c04ebe80c6614c",
        },
    ];

    #[test]
    fn keys_of_the_rfcs_have_their_published_tag_and_ds() {
        for vector in &VECTORS {
            let key = vector.key();
            assert_eq!(key.public.to_vec(), vector.public());
            assert_eq!(key.tag, vector.tag);
            let owner = Name::parse(vector.owner, ROOT).expect("a name");
            let head = [&vector.tag.to_be_bytes()[..], &[vector.algorithm, 2]].concat();
            let digest = HEXLOWER.decode(vector.digest.as_bytes()).expect("hex");
            assert_eq!(key.ds_data(&owner), [head, digest].concat());
            assert_eq!(key.cds_data(&owner), key.ds_data(&owner));
            assert_eq!(key.cdnskey_data(), key.dnskey_data());
        }
    }

    #[test]
    fn signatures_of_the_rfcs_verify_and_ed25519_makes_them_again() {
        let (net, com) = (b"\x07example\x03net\0".as_slice(), b"\x07example\x03com\0".as_slice());
        let a =
            signed(&Covered { rtype: 1, algorithm: 13, labels: 3, times: [1284026679, 1281607479], tag: 55648 }, net);
        let a = [a, b"\x03www\x07example\x03net\0\0\x01\0\x01\0\0\x0e\x10\0\x04\xc0\0\x02\x01".to_vec()].concat();
        let a_signature = "qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==";
        assert!(verify(&VECTORS[0].key().dnskey_data(), &a, &base64(a_signature)));
        let times = [1440021600, 1438207200];
        for (vector, signature) in [
            (1, "oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg=="),
            (2, "zXQ0bkYgQTEFyfLyi9QoiY6D8ZdYo4wyUhVioYZXFdT410QPRITQSqJSnzQoSm5poJ7gD7AQR0O7KuI5k2pcBg=="),
        ] {
            let key = VECTORS[vector].key();
            let mx = signed(&Covered { rtype: 15, algorithm: 15, labels: 2, times, tag: key.tag }, com);
            let record = b"\x07example\x03com\0\0\x0f\0\x01\0\0\x0e\x10\0\x14\0\x0a\x04mail\x07example\x03com\0";
            let mx = [mx, record.to_vec()].concat();
            assert_eq!(key.signer.sign(&mx).map(|s| s.to_vec()), Ok(base64(signature)));
            assert!(verify(&key.dnskey_data(), &mx, &base64(signature)));
        }
    }

    #[test]
    fn new_keys_agree_with_hickory_about_tag_ds_and_signatures() {
        let owner = Name::parse("a-v1.mx.example.", ROOT).expect("a name");
        let theirs = hickory_proto::rr::Name::from_ascii("a-v1.mx.example.").expect("a name");
        for (algorithm, flags) in [(13, 256), (13, 257), (15, 256), (15, 257)].repeat(8) {
            let key = new_key(flags, algorithm);
            let dnskey =
                DNSKEY::with_flags(flags, PublicKeyBuf::new(key.public.to_vec(), Algorithm::from_u8(algorithm)));
            assert_eq!(dnskey.calculate_key_tag().ok(), Some(key.tag));
            let digest = dnskey.to_digest(&theirs, DigestType::SHA256).expect("a digest");
            assert_eq!(key.ds_data(&owner)[4..], *digest.as_ref());
            let signature = key.signer.sign(b"message").expect("a signature");
            assert!(dnskey.verify(b"message", &signature).is_ok());
            assert!(verify(&key.dnskey_data(), b"message", &signature));
            assert!(!verify(&key.dnskey_data(), b"messagf", &signature));
        }
    }

    #[test]
    fn a_key_proves_itself_against_the_published_octets_only() {
        for algorithm in [13, 15] {
            let key = new_key(257, algorithm);
            assert_eq!(key.prove(&key.dnskey_data(), b"challenge"), Ok(()));
            let other = new_key(257, algorithm);
            assert!(key.prove(&other.dnskey_data(), b"challenge").is_err());
            assert!(key.prove(&dnskey_data(256, algorithm, &key.public), b"challenge").is_err());
            assert!(key.prove(&[], b"challenge").is_err());
        }
    }

    #[test]
    fn another_private_key_with_the_same_tag_is_found_out() {
        for algorithm in [13, 15] {
            let key = new_key(257, algorithm);
            // Octets at even places count alike, so exchanging two of them keeps the tag.
            let mut twin = key.public.to_vec();
            let at = (0..twin.len() - 2).find(|at| twin[*at] != twin[at + 2]).expect("two octets that differ");
            twin.swap(at, at + 2);
            let twin = dnskey_data(257, algorithm, &twin);
            assert_eq!(key_tag(&twin), key.tag);
            assert_eq!(key.prove(&twin, b"challenge"), Err(KeyFault::NotProven(key.tag)));
        }
    }

    #[test]
    fn what_is_no_zone_key_is_refused() {
        let der = generate_pkcs8(13).expect("a key");
        assert_eq!(Key::from_pkcs8(385, 13, &der).err(), Some(KeyFault::Flags(385)));
        assert_eq!(Key::from_pkcs8(257, 8, &der).err(), Some(KeyFault::Algorithm(8)));
        assert!(matches!(Key::from_pkcs8(257, 15, &der), Err(KeyFault::Rejected { algorithm: 15, .. })));
        for cut in 0..der.len() {
            assert!(Key::from_pkcs8(257, 13, &der[..cut]).is_err());
        }
        assert_eq!(PublicKey::new(257, 13, &[0; 63]), Err(KeyFault::Length { algorithm: 13, octets: 63 }));
        assert!(generate_pkcs8(14).is_err());
        for octets in [&b""[..], b"\x01\x01\x03", b"\x01\x01\x03\x0d", b"\x01\x01\x02\x0f", b"\x01\x01\x03\x0fx"] {
            assert!(!verify(octets, b"", &[0; 64]));
        }
    }

    #[test]
    fn tags_collide_where_they_are_equal_or_would_be_once_revoked() {
        let key = |first: u8, last: u8| {
            let mut public = [0u8; 32];
            (public[0], public[31]) = (first, last);
            PublicKey::new(257, 15, &public).expect("a key")
        };
        assert!(key(1, 1).collides_with(&key(1, 1)));
        assert!(key(1, 0).collides_with(&key(1, 128)), "128 apart");
        assert!(key(1, 128).collides_with(&key(1, 0)), "128 apart, the other way round");
        assert!(!key(1, 0).collides_with(&key(1, 127)));
        assert!(!key(1, 0).collides_with(&key(2, 0)), "256 apart");
    }

    #[test]
    fn debug_shows_nothing_of_the_private_half() {
        let key = VECTORS[1].key();
        assert_eq!(format!("{key:?}"), "Key(flags 257, algorithm 15, tag 3613)");
    }

    struct Vector {
        owner: &'static str,
        algorithm: u8,
        private: &'static str,
        public: &'static str,
        tag: u16,
        digest: &'static str,
    }

    impl Vector {
        fn public(&self) -> Vec<u8> {
            base64(self.public)
        }

        fn key(&self) -> Key {
            let (private, public) = (base64(self.private), self.public());
            let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).expect("hex");
            let der = match self.algorithm {
                13 => [
                    hex("308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420"),
                    private,
                    hex("a14403420004"),
                    public,
                ]
                .concat(),
                _ => [hex("302e020100300506032b657004220420"), private].concat(),
            };
            Key::from_pkcs8(257, self.algorithm, &der).expect("a key of an RFC")
        }
    }

    /// The fields of an RRSIG that the examples vary; their original TTL is 3600.
    struct Covered {
        rtype: u16,
        algorithm: u8,
        labels: u8,
        times: [u32; 2],
        tag: u16,
    }

    fn signed(covered: &Covered, signer: &[u8]) -> Vec<u8> {
        let mut data = covered.rtype.to_be_bytes().to_vec();
        data.extend_from_slice(&[covered.algorithm, covered.labels, 0, 0, 0x0e, 0x10]);
        covered.times.iter().for_each(|time| data.extend_from_slice(&time.to_be_bytes()));
        data.extend_from_slice(&covered.tag.to_be_bytes());
        data.extend_from_slice(signer);
        data
    }

    fn new_key(flags: u16, algorithm: u8) -> Key {
        let der = generate_pkcs8(algorithm).expect("a new key");
        Key::from_pkcs8(flags, algorithm, &der).expect("a new key is read")
    }

    fn base64(text: &str) -> Vec<u8> {
        BASE64.decode(text.as_bytes()).expect("base64")
    }
}
