//! Private keys of hosts, requests for certificates, and certificates that a key signs itself.
//!
//! A private key has no printed form here, and its memory is wiped. ring draws the numbers for new keys.

use super::key::{KeyKind, Spki};
use super::pem::{self, Label, PemFault, Section};
use crate::time::UnixTime;
use data_encoding::BASE64;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData, SignatureAlgorithm,
};
use x509_parser::time::ASN1Time;
use zeroize::Zeroizing;

/// How an RSA key is made, which ring cannot.
const RSA_HELP: &str = "make one with `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out FILE`";

/// A private key.
pub struct PrivateKey {
    pair: KeyPair,
    pem: Zeroizing<String>,
    kind: KeyKind,
    spki: Spki,
}

/// Why there is no private key, or nothing made with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MakeFault {
    /// ring makes no RSA key.
    #[error("RSA keys cannot be made here: {RSA_HELP}, then bring it in with `mxseal cert stage POOL --key FILE`")]
    Rsa,
    /// Nothing here makes keys of that kind.
    #[error("keys of kind {} cannot be made here; make one with openssl, and name its certificate in `certificates`", .0.word())]
    Elsewhere(KeyKind),
    /// No private key is there.
    #[error("there is no private key in PEM form in it")]
    NoKey,
    /// A certificate is there instead.
    #[error("it holds a certificate and no private key; name the key's file")]
    OnlyCertificate,
    /// It is encrypted.
    #[error("the private key in it is encrypted; write it without a passphrase, as hosts need it")]
    Encrypted,
    /// It ends in the middle.
    #[error("it ends inside of a key")]
    Truncated,
    /// Something in it is not understood.
    #[error("{0}")]
    Pem(PemFault),
    /// More than one.
    #[error("it holds several private keys; write one a file")]
    Several,
    /// A key of no use.
    #[error(
        "the private key in it cannot be used here: {0}; keys on P-256 and P-384, RSA keys of 2048 to 8192 bits and Ed25519 keys \
         can be; give hosts others yourself, after `mxseal cert permit`"
    )]
    Unusable(String),
    /// The library refused.
    #[error("{0}")]
    Refused(String),
}

impl PrivateKey {
    /// A new key.
    ///
    /// # Errors
    /// [`MakeFault`].
    pub fn generate(kind: KeyKind) -> Result<PrivateKey, MakeFault> {
        let none = if kind == KeyKind::Rsa { MakeFault::Rsa } else { MakeFault::Elsewhere(kind) };
        let algorithm = algorithm(kind).ok_or(none)?;
        let pair = KeyPair::generate_for(algorithm).map_err(refused)?;
        Ok(PrivateKey::of(pair, kind))
    }

    /// Reads a key: PKCS#8, or the older forms of RSA (PKCS#1) and of elliptic curves (SEC 1).
    ///
    /// # Errors
    /// [`MakeFault`], without a word of the content.
    pub fn parse_pem(octets: &[u8]) -> Result<PrivateKey, MakeFault> {
        let sections = pem::sections(octets).map_err(|fault| match fault {
            PemFault::Unended => MakeFault::Truncated,
            other => MakeFault::Pem(other),
        })?;
        let is_key = |section: &&Section| !matches!(section.label, Label::Certificate | Label::Harmless);
        let mut keys = sections.iter().filter(is_key);
        match (keys.next(), keys.next()) {
            (Some(key), None) => PrivateKey::of_section(key),
            (Some(_), Some(_)) => Err(MakeFault::Several),
            (None, _) if sections.iter().any(|section| section.label == Label::Certificate) => {
                Err(MakeFault::OnlyCertificate)
            }
            (None, _) => Err(MakeFault::NoKey),
        }
    }

    /// The key in a section of a file.
    ///
    /// # Errors
    /// [`MakeFault`], without a word of the content.
    pub(super) fn of_section(section: &Section) -> Result<PrivateKey, MakeFault> {
        let der = match section.label {
            Label::Pkcs8 => section.der.clone(),
            Label::Pkcs1 => wrapped(RSA_KEY, &section.der),
            Label::Sec1 => {
                let curve = CURVES.into_iter().find(|curve| section.der.windows(curve.len()).any(|at| at == *curve));
                let curve = curve.ok_or_else(|| MakeFault::Unusable("its curve is not known".to_owned()))?;
                wrapped(&[CURVE_KEY, curve].concat(), &section.der)
            }
            Label::Encrypted => return Err(MakeFault::Encrypted),
            Label::Certificate | Label::Harmless => return Err(MakeFault::NoKey),
        };
        let pair = KeyPair::try_from(der.as_slice()).map_err(|fault| MakeFault::Unusable(fault.to_string()))?;
        let kind = KeyKind::ALL.into_iter().find(|kind| signing(*kind).is_some_and(|by| pair.is_compatible(by)));
        let kind = kind.ok_or_else(|| MakeFault::Unusable("its kind is not known".to_owned()))?;
        Ok(PrivateKey::of(pair, kind))
    }

    fn of(pair: KeyPair, kind: KeyKind) -> PrivateKey {
        let spki = Spki::of(&pair.subject_public_key_info());
        let pem = Zeroizing::new(pair.serialize_pem());
        let pem = if kind == KeyKind::Ed25519 { ed25519_pem(&pair).unwrap_or(pem) } else { pem };
        PrivateKey { pem, pair, kind, spki }
    }

    /// Its kind.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The digest of its public half.
    pub fn spki(&self) -> Spki {
        self.spki
    }

    /// The key as PKCS#8 in PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A request for a certificate with these names (PKCS#10, RFC 2986), in PEM.
    ///
    /// # Errors
    /// [`MakeFault`].
    pub fn csr(&self, names: &[String]) -> Result<String, MakeFault> {
        let request = params(names)?.serialize_request(&self.pair).map_err(refused)?;
        request.pem().map_err(refused)
    }

    /// A certificate that it signs itself, in PEM: enough for senders that go by DANE (RFC 7672 § 3.1.1).
    ///
    /// # Errors
    /// [`MakeFault`].
    pub fn self_signed(&self, names: &[String], from: UnixTime, days: u32) -> Result<String, MakeFault> {
        let mut params = params(names)?;
        let until = from.after(u64::from(days) * 86_400);
        for (field, moment) in [(&mut params.not_before, from), (&mut params.not_after, until)] {
            let seconds = i64::try_from(moment.0).unwrap_or(i64::MAX);
            let date = ASN1Time::from_timestamp(seconds).map_err(|fault| MakeFault::Refused(fault.to_string()))?;
            *field = date.to_datetime();
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        Ok(params.self_signed(&self.pair).map_err(refused)?.pem())
    }
}

/// Octets of a common name, at most (RFC 5280 appendix A.1, ub-common-name).
const COMMON_NAME_OCTETS_MAX: usize = 64;
/// Curves by the DER of their object identifiers (RFC 5480 § 2.1.1.1).
const CURVES: [&[u8]; 2] = [&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], &[6, 5, 0x2b, 0x81, 4, 0, 0x22]];
/// The same of an elliptic curve key, and of an RSA key with its empty parameters (RFC 3279 § 2.3).
const CURVE_KEY: &[u8] = &[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const RSA_KEY: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];

/// A key of an older form in the one that ring reads (RFC 5208 § 5).
fn wrapped(algorithm: &[u8], inner: &[u8]) -> Zeroizing<Vec<u8>> {
    let inner = Zeroizing::new(der(4, inner));
    let body = Zeroizing::new([&[2, 1, 0][..], &der(0x30, algorithm), &inner].concat());
    Zeroizing::new(der(0x30, &body))
}

/// An Ed25519 key without its public half (RFC 8410 § 7): OpenSSL before 3.2 does not read the form that has it, and hosts
/// run that. None: the key is not in the form that the library writes.
fn ed25519_pem(pair: &KeyPair) -> Option<Zeroizing<String>> {
    const ALGORITHM: &[u8] = &[6, 3, 0x2b, 0x65, 0x70];
    const SEED: &[u8] = &[4, 0x22, 4, 0x20];
    let whole = Zeroizing::new(pair.serialize_der());
    let at = whole.windows(SEED.len()).position(|window| window == SEED)?;
    let wrapped = whole.get(at..at + SEED.len() + 32)?;
    let body = Zeroizing::new([&[2, 1, 0][..], &der(0x30, ALGORITHM), wrapped].concat());
    let text = Zeroizing::new(BASE64.encode(&Zeroizing::new(der(0x30, &body))));
    Some(Zeroizing::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", *text)))
}

/// One element of DER.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let head: &[u8] = match length {
        [0, short @ 0..0x80] => &[tag, short],
        [0, long] => &[tag, 0x81, long],
        [high, low] => &[tag, 0x82, high, low],
    };
    [head, content].concat()
}

fn params(names: &[String]) -> Result<CertificateParams, MakeFault> {
    let mut params = CertificateParams::new(names.to_vec()).map_err(refused)?;
    // Without a subject the names are a critical extension (RFC 5280 § 4.2.1.6), which dehydrated does not read.
    params.distinguished_name = DistinguishedName::new();
    let name = names.iter().find(|name| name.len() <= COMMON_NAME_OCTETS_MAX);
    name.into_iter().for_each(|name| params.distinguished_name.push(DnType::CommonName, name.as_str()));
    Ok(params)
}

fn refused(fault: rcgen::Error) -> MakeFault {
    MakeFault::Refused(fault.to_string())
}

/// What makes new keys of a kind; none: ring does not.
fn algorithm(kind: KeyKind) -> Option<&'static SignatureAlgorithm> {
    signing(kind).filter(|_| kind != KeyKind::Rsa)
}

/// What keys of a kind sign with; none: ring does not.
fn signing(kind: KeyKind) -> Option<&'static SignatureAlgorithm> {
    match kind {
        KeyKind::Rsa => Some(&PKCS_RSA_SHA256),
        KeyKind::EcdsaP256 => Some(&PKCS_ECDSA_P256_SHA256),
        KeyKind::EcdsaP384 => Some(&PKCS_ECDSA_P384_SHA384),
        KeyKind::Ed25519 => Some(&PKCS_ED25519),
        KeyKind::EcdsaP521 | KeyKind::RsaPss | KeyKind::Other => None,
    }
}
