//! A host's certificate: what it says, and the public key in it.
//!
//! With DANE-EE the key alone counts (RFC 7671 § 5.1, RFC 7672 § 3.1.1), so it is found even where nothing else in a
//! certificate can be read.

use super::key::{KeyKind, Spki};
use crate::time::UnixTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::asn1_rs::{Any, Class, FromBer, Tag};
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_PKCS1_RSAENCRYPTION,
    OID_PKCS1_RSASSAPSS, OID_SIG_ED25519,
};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::RSAPublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// Bits of an RSA key, at least: senders refuse shorter ones (RFC 7671 § 8.3 leaves the choice to libraries).
pub const RSA_BITS_MIN: usize = 2048;
/// The end of 9999, which stands for no end (RFC 5280 § 4.1.2.5).
const NO_END: UnixTime = UnixTime(253_402_300_799);

/// What a host's certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Digest of its public key.
    pub spki: Spki,
    /// Kind of that key.
    pub kind: KeyKind,
    /// Its DNS names, lower case.
    pub names: Vec<String>,
    /// First moment of its validity.
    pub not_before: UnixTime,
    /// Last one.
    pub not_after: UnixTime,
    /// Who signed it.
    pub issuer: String,
    /// Whether it names itself as its issuer.
    pub self_signed: bool,
}

/// A public key in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Digest of all of it.
    pub spki: Spki,
    /// Its kind.
    pub kind: KeyKind,
    /// Size in bits; none: it is not RSA.
    pub rsa_bits: Option<usize>,
    /// The key itself, without the name of its kind.
    pub octets: Vec<u8>,
}

/// Octets that a host showed as its certificate have no public key at the place of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("certificate 1 in it is not X.509 in DER form; make the file anew")]
pub struct Keyless;

impl Leaf {
    /// What a certificate says that a host showed, or at least its key.
    ///
    /// # Errors
    /// There is no key in it.
    pub fn shown(der: &[u8]) -> Result<Leaf, Keyless> {
        if let Ok((_, certificate)) = x509_parser::parse_x509_certificate(der) {
            return Ok(Leaf::of(&certificate));
        }
        let key = PublicKey::shown(der)?;
        Ok(Leaf {
            spki: key.spki,
            kind: key.kind,
            names: Vec::new(),
            not_before: UnixTime(0),
            not_after: NO_END,
            issuer: "not readable".to_owned(),
            self_signed: false,
        })
    }

    pub(super) fn of(certificate: &X509Certificate<'_>) -> Leaf {
        let alternative = certificate.subject_alternative_name().ok().flatten();
        let names = alternative.iter().flat_map(|found| &found.value.general_names).filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            // No sender asks for another one.
            _ => None,
        });
        let moment = |seconds: i64| UnixTime(u64::try_from(seconds).unwrap_or(0));
        let key = PublicKey::of(certificate.public_key());
        Leaf {
            spki: key.spki,
            kind: key.kind,
            names: names.collect(),
            not_before: moment(certificate.validity().not_before.timestamp()),
            not_after: moment(certificate.validity().not_after.timestamp()),
            issuer: certificate.issuer().to_string(),
            self_signed: certificate.issuer().as_raw() == certificate.subject().as_raw(),
        }
    }
}

impl PublicKey {
    /// The key in a certificate that a host showed, whatever stands around it: an old version, extensions that nobody
    /// knows, dates that are none.
    ///
    /// # Errors
    /// There is none.
    pub fn shown(der: &[u8]) -> Result<PublicKey, Keyless> {
        info(der).map(|info| PublicKey::of(&info)).ok_or(Keyless)
    }

    pub(super) fn of(info: &SubjectPublicKeyInfo<'_>) -> PublicKey {
        let kind = kind(info);
        let octets = info.subject_public_key.data.to_vec();
        let rsa_bits = matches!(kind, KeyKind::Rsa | KeyKind::RsaPss)
            .then(|| RSAPublicKey::from_der(&octets).map_or(0, |(_, key)| key.key_size()));
        PublicKey { spki: Spki::of(info.raw), kind, rsa_bits, octets }
    }
}

/// The part of a certificate with its key (RFC 5280 § 4.1), found by its place alone.
fn info(der: &[u8]) -> Option<SubjectPublicKeyInfo<'_>> {
    let (_, certificate) = Any::from_ber(der).ok()?;
    let (_, content) = Any::from_ber(certificate.data).ok()?;
    let (after, first) = Any::from_ber(content.data).ok()?;
    // The version is left out where it is the first one.
    let is_version = first.class() == Class::ContextSpecific && first.tag() == Tag(0);
    let mut rest = if is_version { after } else { content.data };
    // Serial number, algorithm, issuer, validity, subject.
    for _ in 0..5 {
        (rest, _) = Any::from_ber(rest).ok()?;
    }
    SubjectPublicKeyInfo::from_der(rest).ok().map(|(_, info)| info)
}

fn kind(info: &SubjectPublicKeyInfo<'_>) -> KeyKind {
    let algorithm = &info.algorithm.algorithm;
    if *algorithm == OID_PKCS1_RSAENCRYPTION {
        return KeyKind::Rsa;
    }
    if *algorithm == OID_PKCS1_RSASSAPSS {
        return KeyKind::RsaPss;
    }
    if *algorithm == OID_SIG_ED25519 {
        return KeyKind::Ed25519;
    }
    let curve = info.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    match curve.filter(|_| *algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY) {
        Some(curve) if curve == OID_EC_P256 => KeyKind::EcdsaP256,
        Some(curve) if curve == OID_NIST_EC_P384 => KeyKind::EcdsaP384,
        Some(curve) if curve == OID_NIST_EC_P521 => KeyKind::EcdsaP521,
        Some(_) | None => KeyKind::Other,
    }
}
