//! What keys are for, where they come from, and what steps do, in the words that commands print and that `-o json` has.
//!
//! A word of a newer server is `Unknown`, and no fault.

use serde::de::IntoDeserializer;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a key of a zone is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum KeyRole {
    /// A DS names it, and it signs DNSKEY.
    #[serde(rename = "ksk")]
    Ksk,
    /// It signs the data.
    #[serde(rename = "zsk")]
    Zsk,
    /// Both.
    #[default]
    #[serde(rename = "csk")]
    Csk,
    /// What a newer server calls out.
    #[serde(other, rename = "unknown")]
    Unknown,
}

/// Where a key of hosts is known from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CertKeyOrigin {
    /// It was made here.
    #[serde(rename = "made")]
    Made,
    /// `cert stage` brought it in.
    #[serde(rename = "staged")]
    Staged,
    /// A certificate file names it.
    #[serde(rename = "file")]
    File,
    /// `tlsa` of a file names it.
    #[serde(rename = "given")]
    Given,
    /// `cert adopt` named it.
    #[serde(rename = "adopted")]
    Adopted,
    /// A host showed it, as a version of before recorded it.
    #[serde(rename = "seen")]
    Seen,
    /// A host showed it, and settings of its pool adopted it.
    #[serde(rename = "host")]
    Host,
    /// Its journal cannot be read.
    #[default]
    #[serde(rename = "")]
    NotKnown,
    /// What a newer server calls out.
    #[serde(other, rename = "unknown")]
    Unknown,
}

/// The kind of a key of hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CertKeyKind {
    /// RSA of any size.
    #[serde(rename = "rsa")]
    Rsa,
    /// ECDSA on P-256.
    #[serde(rename = "ecdsa-p256")]
    EcdsaP256,
    /// ECDSA on P-384.
    #[serde(rename = "ecdsa-p384")]
    EcdsaP384,
    /// ECDSA on P-521.
    #[serde(rename = "ecdsa-p521")]
    EcdsaP521,
    /// Ed25519.
    #[serde(rename = "ed25519")]
    Ed25519,
    /// RSA for RSASSA-PSS alone.
    #[serde(rename = "rsa-pss")]
    RsaPss,
    /// Any other.
    #[serde(rename = "other")]
    Other,
    /// Only its digest is known.
    #[default]
    #[serde(rename = "")]
    NotKnown,
    /// What a newer server calls out.
    #[serde(other, rename = "unknown")]
    Unknown,
}

/// A way of asking hosts: which signatures are offered to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CertKeyClass {
    /// ECDSA.
    #[default]
    #[serde(rename = "ecdsa")]
    Ecdsa,
    /// Ed25519.
    #[serde(rename = "ed25519")]
    Ed25519,
    /// RSA.
    #[serde(rename = "rsa")]
    Rsa,
    /// What a newer server calls out.
    #[serde(other, rename = "unknown")]
    Unknown,
}

/// Where the parent of a zone is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ParentKind {
    /// By this server.
    #[serde(rename = "served here")]
    Here,
    /// By others.
    #[serde(rename = "registry")]
    Registry,
    /// Nothing is known of its keys.
    #[default]
    #[serde(rename = "")]
    NotKnown,
    /// What a newer server calls out.
    #[serde(other, rename = "unknown")]
    Unknown,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FindingSeverity {
    /// Something is not as it was asked for.
    #[default]
    #[serde(rename = "error")]
    Error,
    /// All works, and it is worth a look.
    #[serde(rename = "warning")]
    Warning,
    /// What a newer server calls out.
    #[serde(other, rename = "unknown")]
    Unknown,
}

/// What a step does, to keys of zones or of hosts, or to certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Verb {
    /// A key is made.
    #[default]
    #[serde(rename = "create")]
    Create,
    /// Its DNSKEY or TLSA is served.
    #[serde(rename = "publish")]
    Publish,
    /// A key signs data beside another.
    #[serde(rename = "sign")]
    Sign,
    /// A key signs data in place of another.
    #[serde(rename = "switch")]
    Switch,
    /// The parent is asked for a DS set.
    #[serde(rename = "want-ds")]
    WantDs,
    /// A DNSKEY is served no more.
    #[serde(rename = "remove")]
    Remove,
    /// A key signs data no more.
    #[serde(rename = "stop-signing")]
    StopSigning,
    /// A private half is wiped.
    #[serde(rename = "destroy")]
    Destroy,
    /// A roll begins, since keys have reached the end of their life.
    #[serde(rename = "begin")]
    Begin,
    /// The zone is served without signatures.
    #[serde(rename = "unsign")]
    Unsign,
    /// Addresses of hosts are served.
    #[serde(rename = "admit")]
    Admit,
    /// A TLSA is served no more.
    #[serde(rename = "withdraw")]
    Withdraw,
    /// From then on hosts may be given a key.
    #[serde(rename = "permit")]
    Permit,
    /// A certificate is to be renewed, or ends.
    #[serde(rename = "renew")]
    Renew,
    /// What a newer server calls out.
    #[serde(other, rename = "unknown")]
    Unknown,
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for CertKeyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for CertKeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for CertKeyClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for ParentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for FindingSeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl Verb {
    /// The verb of this word; `Unknown` where there is none.
    pub fn of(word: &str) -> Verb {
        let word: serde::de::value::StrDeserializer<'_, serde::de::value::Error> = word.into_deserializer();
        Verb::deserialize(word).unwrap_or(Verb::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::DeserializeOwned;

    /// Each value is this word in JSON and for people, and a word of the future is no fault.
    fn are<T>(words: &[(T, &str)], unknown: T)
    where
        T: Copy + PartialEq + fmt::Debug + fmt::Display + Serialize + DeserializeOwned,
    {
        for (value, word) in words {
            assert_eq!(serde_json::to_value(value).expect("a word"), *word);
            assert_eq!(value.to_string(), *word);
            assert_eq!(serde_json::from_value::<T>((*word).into()).expect("read"), *value);
        }
        assert_eq!(serde_json::from_value::<T>("of the future".into()).expect("read"), unknown);
    }

    #[test]
    fn json_has_the_word_that_people_read_and_a_new_word_is_no_fault() {
        are(&[(KeyRole::Ksk, "ksk"), (KeyRole::Zsk, "zsk"), (KeyRole::Csk, "csk")], KeyRole::Unknown);
        are(
            &[
                (CertKeyOrigin::Made, "made"),
                (CertKeyOrigin::Staged, "staged"),
                (CertKeyOrigin::File, "file"),
                (CertKeyOrigin::Given, "given"),
                (CertKeyOrigin::Adopted, "adopted"),
                (CertKeyOrigin::Seen, "seen"),
                (CertKeyOrigin::Host, "host"),
                (CertKeyOrigin::NotKnown, ""),
            ],
            CertKeyOrigin::Unknown,
        );
        are(
            &[
                (CertKeyKind::Rsa, "rsa"),
                (CertKeyKind::EcdsaP256, "ecdsa-p256"),
                (CertKeyKind::EcdsaP384, "ecdsa-p384"),
                (CertKeyKind::EcdsaP521, "ecdsa-p521"),
                (CertKeyKind::Ed25519, "ed25519"),
                (CertKeyKind::RsaPss, "rsa-pss"),
                (CertKeyKind::Other, "other"),
                (CertKeyKind::NotKnown, ""),
            ],
            CertKeyKind::Unknown,
        );
        are(
            &[(CertKeyClass::Rsa, "rsa"), (CertKeyClass::Ecdsa, "ecdsa"), (CertKeyClass::Ed25519, "ed25519")],
            CertKeyClass::Unknown,
        );
        are(
            &[(ParentKind::Here, "served here"), (ParentKind::Registry, "registry"), (ParentKind::NotKnown, "")],
            ParentKind::Unknown,
        );
        are(&[(FindingSeverity::Error, "error"), (FindingSeverity::Warning, "warning")], FindingSeverity::Unknown);
        are(
            &[
                (Verb::Create, "create"),
                (Verb::Publish, "publish"),
                (Verb::Sign, "sign"),
                (Verb::Switch, "switch"),
                (Verb::WantDs, "want-ds"),
                (Verb::Remove, "remove"),
                (Verb::StopSigning, "stop-signing"),
                (Verb::Destroy, "destroy"),
                (Verb::Begin, "begin"),
                (Verb::Unsign, "unsign"),
                (Verb::Admit, "admit"),
                (Verb::Withdraw, "withdraw"),
                (Verb::Permit, "permit"),
                (Verb::Renew, "renew"),
            ],
            Verb::Unknown,
        );
    }
}
