//! The names of a host's keys: the digest of the public key, and its kind.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// SHA-256 of a SubjectPublicKeyInfo in DER: what TLSA `3 1 1` holds (RFC 6698 § 2.1, RFC 7671 § 5.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Spki(pub [u8; 32]);

/// Kinds of public keys that hosts have. A sender may offer signature algorithms of one kind only, so each kind that a
/// pool has is current and next by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum KeyKind {
    /// RSA of any size.
    #[serde(rename = "rsa")]
    Rsa,
    /// ECDSA on P-256.
    #[serde(rename = "ecdsa-p256")]
    EcdsaP256,
    /// ECDSA on P-384.
    #[serde(rename = "ecdsa-p384")]
    EcdsaP384,
    /// Ed25519.
    #[serde(rename = "ed25519")]
    Ed25519,
    /// ECDSA on P-521.
    #[serde(rename = "ecdsa-p521")]
    EcdsaP521,
    /// RSA of any size, for signatures by RSASSA-PSS alone (RFC 4055 § 1.2).
    #[serde(rename = "rsa-pss")]
    RsaPss,
    /// Any other: Ed448, the brainpool curves, ML-DSA. Its digest can be published as that of any key (RFC 6698 § 2.1.2), but
    /// no host can be asked to prove it.
    #[serde(rename = "other")]
    Other,
}

/// Groups of signature algorithms that a sender may be limited to: what a probe asks with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum KeyClass {
    /// RSA; keys for RSASSA-PSS alone come after the others.
    #[serde(rename = "rsa")]
    Rsa,
    /// ECDSA on any of the curves that are known.
    #[serde(rename = "ecdsa")]
    Ecdsa,
    /// Ed25519.
    #[serde(rename = "ed25519")]
    Ed25519,
}

impl Spki {
    /// The digest of a SubjectPublicKeyInfo in DER.
    pub fn of(public_key_info: &[u8]) -> Spki {
        let digest = ring::digest::digest(&ring::digest::SHA256, public_key_info);
        let mut octets = [0; 32];
        octets.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        Spki(octets)
    }

    /// The first eight hex digits: how people call it.
    pub fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

impl KeyKind {
    /// All kinds, in their order.
    pub const ALL: [KeyKind; 7] = [
        KeyKind::Rsa,
        KeyKind::EcdsaP256,
        KeyKind::EcdsaP384,
        KeyKind::Ed25519,
        KeyKind::EcdsaP521,
        KeyKind::RsaPss,
        KeyKind::Other,
    ];

    /// Its word in files, options and reports.
    pub fn word(self) -> &'static str {
        match self {
            KeyKind::Rsa => "rsa",
            KeyKind::EcdsaP256 => "ecdsa-p256",
            KeyKind::EcdsaP384 => "ecdsa-p384",
            KeyKind::Ed25519 => "ed25519",
            KeyKind::EcdsaP521 => "ecdsa-p521",
            KeyKind::RsaPss => "rsa-pss",
            KeyKind::Other => "other",
        }
    }

    /// The kind of that word.
    pub fn of_word(word: &str) -> Option<KeyKind> {
        KeyKind::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The group of signature algorithms that it is asked for with; none: no host can be asked for it.
    pub fn class(self) -> Option<KeyClass> {
        match self {
            KeyKind::Rsa | KeyKind::RsaPss => Some(KeyClass::Rsa),
            KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::EcdsaP521 => Some(KeyClass::Ecdsa),
            KeyKind::Ed25519 => Some(KeyClass::Ed25519),
            KeyKind::Other => None,
        }
    }

    /// Whether a host may show such a key to some senders although a look saw another one, or none: it is asked for after
    /// all others of its group, or never.
    pub fn is_hidden(self) -> bool {
        match self {
            KeyKind::RsaPss | KeyKind::Other => true,
            KeyKind::Rsa | KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::Ed25519 | KeyKind::EcdsaP521 => false,
        }
    }
}

impl KeyClass {
    /// All groups, in their order.
    pub const ALL: [KeyClass; 3] = [KeyClass::Rsa, KeyClass::Ecdsa, KeyClass::Ed25519];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            KeyClass::Rsa => "rsa",
            KeyClass::Ecdsa => "ecdsa",
            KeyClass::Ed25519 => "ed25519",
        }
    }
}

impl fmt::Display for Spki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Spki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spki({})", self.short())
    }
}

impl FromStr for Spki {
    type Err = String;

    fn from_str(text: &str) -> Result<Spki, String> {
        let octets = HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok();
        let octets: Option<[u8; 32]> = octets.and_then(|octets| octets.try_into().ok());
        octets.map(Spki).ok_or_else(|| "it is not the SHA-256 of a public key in 64 hex digits".to_owned())
    }
}

impl TryFrom<String> for Spki {
    type Error = String;

    fn try_from(text: String) -> Result<Spki, String> {
        text.parse()
    }
}

impl From<Spki> for String {
    fn from(spki: Spki) -> String {
        spki.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let spki = Spki::of(b"key");
        assert_eq!(spki.to_string().parse::<Spki>(), Ok(spki));
        assert_eq!(spki.to_string().to_uppercase().parse::<Spki>(), Ok(spki));
        assert!("12".parse::<Spki>().is_err() && "zz".repeat(32).parse::<Spki>().is_err());
        assert_eq!(serde_json::to_string(&spki).expect("text"), format!("\"{spki}\""));
    }

    #[test]
    fn kinds_have_words_of_their_own() {
        for kind in KeyKind::ALL {
            assert_eq!(KeyKind::of_word(kind.word()), Some(kind));
        }
    }
}
