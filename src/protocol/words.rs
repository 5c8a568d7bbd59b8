//! What keys are for, where they come from, and what steps do, in the words that commands print and that `-o json` has.
//!
//! A word of a newer server is `Unknown`, and no fault.

use serde::de::IntoDeserializer;
use serde::{Deserialize, Serialize};

/// What a key of a zone is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyRole {
    /// A DS names it, and it signs DNSKEY.
    Ksk,
    /// It signs the data.
    Zsk,
    /// Both.
    #[default]
    Csk,
    /// What a newer server calls out.
    #[serde(other)]
    Unknown,
}

/// Where a key of hosts is known from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertKeyOrigin {
    /// It was made here.
    Made,
    /// `cert stage` brought it in.
    Staged,
    /// A certificate file names it.
    File,
    /// `tlsa` of a file names it.
    Given,
    /// `cert adopt` named it.
    Adopted,
    /// A host showed it, as a version of before recorded it.
    Seen,
    /// A host showed it, and settings of its pool adopted it.
    Host,
    /// Its journal cannot be read.
    #[default]
    #[serde(rename = "")]
    NotKnown,
    /// What a newer server calls out.
    #[serde(other)]
    Unknown,
}

/// The kind of a key of hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertKeyKind {
    /// RSA of any size.
    Rsa,
    /// ECDSA on P-256.
    EcdsaP256,
    /// ECDSA on P-384.
    EcdsaP384,
    /// ECDSA on P-521.
    EcdsaP521,
    /// Ed25519.
    Ed25519,
    /// RSA for RSASSA-PSS alone.
    RsaPss,
    /// Any other.
    Other,
    /// Only its digest is known.
    #[default]
    #[serde(rename = "")]
    NotKnown,
    /// What a newer server calls out.
    #[serde(other)]
    Unknown,
}

/// A way of asking hosts: which signatures are offered to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertKeyClass {
    /// ECDSA.
    #[default]
    Ecdsa,
    /// Ed25519.
    Ed25519,
    /// RSA.
    Rsa,
    /// What a newer server calls out.
    #[serde(other)]
    Unknown,
}

/// Where the parent of a zone is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParentKind {
    /// By this server.
    #[serde(rename = "served here")]
    Here,
    /// By others.
    Registry,
    /// Nothing is known of its keys.
    #[default]
    #[serde(rename = "")]
    NotKnown,
    /// What a newer server calls out.
    #[serde(other)]
    Unknown,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingSeverity {
    /// Something is not as it was asked for.
    #[default]
    Error,
    /// All works, and it is worth a look.
    Warning,
    /// What a newer server calls out.
    #[serde(other)]
    Unknown,
}

/// What a step does, to keys of zones or of hosts, or to certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// A key is made.
    #[default]
    Create,
    /// Its DNSKEY or TLSA is served.
    Publish,
    /// A key signs data beside another.
    Sign,
    /// A key signs data in place of another.
    Switch,
    /// The parent is asked for a DS set.
    WantDs,
    /// A DNSKEY is served no more.
    Remove,
    /// A key signs data no more.
    StopSigning,
    /// A private half is wiped.
    Destroy,
    /// A roll begins, since keys have reached the end of their life.
    Begin,
    /// The zone is served without signatures.
    Unsign,
    /// Addresses of hosts are served.
    Admit,
    /// A TLSA is served no more.
    Withdraw,
    /// From then on hosts may be given a key.
    Permit,
    /// A certificate is to be renewed, or ends.
    Renew,
    /// What a newer server calls out.
    #[serde(other)]
    Unknown,
}

in_words!(KeyRole, CertKeyOrigin, CertKeyKind, CertKeyClass, ParentKind, FindingSeverity, Verb);

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
    use crate::protocol::tests::are;

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
