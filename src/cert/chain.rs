//! Certificate chains as files and hosts give them, and what is wrong with them before anybody deploys them.
//!
//! Errors never quote content. Names, dates and issuers are no matter of DANE-EE (RFC 7672 § 3.1.1): they are told apart
//! from what stops mail of DANE senders.

use super::key::Spki;
use super::leaf::{Keyless, Leaf, PublicKey, RSA_BITS_MIN};
use super::make::PrivateKey;
use super::pem::{self, Label, PemFault};
use super::roots::Roots;
use crate::time::UnixTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::{OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER, OID_X509_EXT_SUBJECT_KEY_IDENTIFIER, Oid};

/// Certificates of one chain, at most: public authorities send three or four.
pub const CHAIN_MAX: usize = 16;

/// A chain: the host's certificate, then its issuers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The host's certificate.
    pub leaf: Leaf,
    /// All certificates in DER, the host's first.
    pub der: Vec<Vec<u8>>,
}

/// Why octets are no chain that hosts could present.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    /// Nothing is there.
    #[error("it is empty; if it is being written, that heals by itself")]
    Empty,
    /// No certificate is there.
    #[error("there is no certificate in PEM form in it; name the file with the chain that the hosts present")]
    NoCertificate,
    /// Only a private key is there.
    #[error("it holds a private key and no certificate; name the file with the chain that the hosts present")]
    OnlyKey,
    /// It ends in the middle.
    #[error("it ends inside of a certificate or key; if it is being written, that heals by itself")]
    Truncated,
    /// Something in it is not understood, and may be the host's certificate.
    #[error("{0}")]
    Pem(PemFault),
    /// DER that is none.
    #[error("certificate {0} in it is not X.509 in DER form; make the file anew")]
    NotX509(usize),
    /// Too many.
    #[error("it holds more than {CHAIN_MAX} certificates; one chain belongs in a file")]
    TooMany,
    /// An issuer comes first.
    #[error("its first certificate is that of an authority; the host's own comes first, then its issuers")]
    Misordered,
    /// An authority's, and no host's.
    #[error(
        "its first certificate is that of an authority, whose key signs certificates; name the file with the chain that the \
         hosts present, which has the host's own first (`fullchain.pem` of certbot, and not `chain.pem`)"
    )]
    Authority,
    /// Several hosts' certificates.
    #[error(
        "it holds certificates for several keys of hosts; write one chain a file, name each in `certificates`, and take out \
         what no host presents"
    )]
    Mixed,
    /// The private key in it is another one.
    #[error(
        "the private key in it does not belong to its certificate, so no host can present that; make the file anew"
    )]
    OtherKey,
    /// A short RSA key.
    #[error("its RSA key has {0} bits; senders refuse less than {RSA_BITS_MIN}")]
    ShortKey(usize),
}

/// What a chain is held against.
pub struct Expected<'a> {
    /// The key that it should be for; none: any.
    pub spki: Option<Spki>,
    /// Names that it should cover.
    pub names: &'a [String],
    /// The moment.
    pub now: UnixTime,
    /// Whom MTA-STS senders trust; none: that is not looked at.
    pub roots: Option<&'a Roots>,
}

/// Something that is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Another key.
    #[error("its key {} is not {}, the one that is expected", .found.short(), .expected.short())]
    OtherKey {
        /// The key of the certificate.
        found: Spki,
        /// The one expected.
        expected: Spki,
    },
    /// Not yet.
    #[error("it is not valid yet")]
    NotYet,
    /// No more.
    #[error("it has expired; DANE senders deliver all the same (RFC 7672 § 3.1.1), MTA-STS senders do not")]
    Expired,
    /// Soon no more.
    #[error("less than a third of its life is left")]
    EndsSoon,
    /// A name that is not covered.
    #[error("it does not cover the name {0}")]
    Name(String),
    /// Nobody signed it whom MTA-STS senders trust.
    #[error("MTA-STS senders do not trust it (RFC 8461 § 4.2): {0}")]
    Untrusted(String),
}

impl Flaw {
    /// Whether hosts must not be given such a certificate; the rest is a warning.
    pub fn is_fatal(&self) -> bool {
        match self {
            Flaw::OtherKey { .. } | Flaw::NotYet | Flaw::Expired | Flaw::Name(_) => true,
            Flaw::EndsSoon | Flaw::Untrusted(_) => false,
        }
    }
}

/// Reads a file of certificates. The first one is the host's, as for OpenSSL; a private key in it must be of that.
///
/// # Errors
/// [`ChainFault`].
pub fn parse_pem(octets: &[u8]) -> Result<Chain, ChainFault> {
    if octets.iter().all(u8::is_ascii_whitespace) {
        return Err(ChainFault::Empty);
    }
    let sections = pem::sections(octets).map_err(|fault| match fault {
        PemFault::Unended => ChainFault::Truncated,
        other => ChainFault::Pem(other),
    })?;
    let mut der: Vec<Vec<u8>> = Vec::new();
    let mut key = None;
    for section in &sections {
        match section.label {
            Label::Certificate if der.len() == CHAIN_MAX => return Err(ChainFault::TooMany),
            Label::Certificate => der.push(section.der.to_vec()),
            Label::Pkcs8 | Label::Pkcs1 | Label::Sec1 | Label::Encrypted => drop(key.get_or_insert(section)),
            Label::Harmless => {}
        }
    }
    if der.is_empty() {
        return Err(if key.is_some() { ChainFault::OnlyKey } else { ChainFault::NoCertificate });
    }
    let leaf = leaf_of(&der)?;
    let chain = Chain { leaf, der };
    // Files of hosts may hold their key, too; where there are several, hosts take the first.
    match key.map(PrivateKey::of_section) {
        Some(Ok(key)) if !chain.is_for(&key) => Err(ChainFault::OtherKey),
        Some(Ok(_) | Err(_)) | None => Ok(chain),
    }
}

/// Takes what a host showed. Its first certificate is its own, whatever it says of itself (RFC 8446 § 4.4.2), and with
/// DANE-EE nothing but its key counts (RFC 7672 § 3.1.1): what stands behind it is not judged.
///
/// # Errors
/// [`ChainFault::NoCertificate`], and [`ChainFault::NotX509`] where there is no key in the first one.
pub fn shown(mut der: Vec<Vec<u8>>) -> Result<Chain, ChainFault> {
    der.truncate(CHAIN_MAX);
    let leaf = Leaf::shown(der.first().ok_or(ChainFault::NoCertificate)?).map_err(|Keyless| ChainFault::NotX509(1))?;
    Ok(Chain { leaf, der })
}

/// The host's certificate in a file, which is the first one. Files of issuers are named by mistake, so what calls itself an
/// authority and has no host's name is not taken for a host's.
fn leaf_of(der: &[Vec<u8>]) -> Result<Leaf, ChainFault> {
    let mut all = Vec::new();
    for (at, octets) in der.iter().enumerate() {
        match x509_parser::parse_x509_certificate(octets) {
            Ok(([], parsed)) => all.push(parsed),
            Ok(_) | Err(_) => return Err(ChainFault::NotX509(at + 1)),
        }
    }
    let (Some(first), Some(first_der)) = (all.first(), der.first()) else { return Err(ChainFault::NoCertificate) };
    let others: Vec<&X509Certificate<'_>> =
        all.iter().zip(der).filter(|(_, octets)| *octets != first_der).map(|(other, _)| other).collect();
    // An issuer is known by what it issued, whatever it says: version 1 has no word for authorities.
    let has_other_key = |other: &X509Certificate<'_>| other.public_key().raw != first.public_key().raw;
    if others.iter().any(|other| has_other_key(other) && has_issued(first, other)) {
        return Err(ChainFault::Misordered);
    }
    let leaf = Leaf::of(first);
    // What openssl signs by itself calls itself an authority: alone that is a host's.
    let is_alone = leaf.self_signed && others.is_empty();
    if is_for_certificates_only(first) || (is_for_certificates(first) && leaf.names.is_empty() && !is_alone) {
        return Err(ChainFault::Authority);
    }
    let is_issuer = |one: &X509Certificate<'_>| one.is_ca() || all.iter().any(|other| has_issued(one, other));
    if others.iter().any(|other| has_other_key(other) && !is_issuer(other)) {
        return Err(ChainFault::Mixed);
    }
    match PublicKey::of(first.public_key()).rsa_bits {
        Some(bits) if bits < RSA_BITS_MIN => Err(ChainFault::ShortKey(bits)),
        Some(_) | None => Ok(leaf),
    }
}

/// Whether a certificate names another one as its issuer, by name and, where both tell it, by key (RFC 5280 § 4.2.1.1).
fn has_issued(issuer: &X509Certificate<'_>, other: &X509Certificate<'_>) -> bool {
    if other.issuer().as_raw() != issuer.subject().as_raw() || other.issuer().as_raw() == other.subject().as_raw() {
        return false;
    }
    let names = |found: &ParsedExtension<'_>| match found {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0.to_vec()),
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
        // Nothing else names a key.
        _ => None,
    };
    let id = |of: &X509Certificate<'_>, oid: &Oid<'_>| {
        of.iter_extensions().find(|found| found.oid == *oid).and_then(|found| names(found.parsed_extension()))
    };
    let wanted = id(other, &OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER);
    let found = id(issuer, &OID_X509_EXT_SUBJECT_KEY_IDENTIFIER);
    !matches!((wanted, found), (Some(wanted), Some(found)) if wanted != found)
}

/// Whether a certificate says that it is an authority's, whose key signs certificates (RFC 5280 § 4.2.1.3).
fn is_for_certificates(certificate: &X509Certificate<'_>) -> bool {
    let usage = certificate.key_usage().ok().flatten();
    certificate.is_ca() && usage.is_some_and(|usage| usage.value.key_cert_sign())
}

/// Whether it says so, and nothing that TLS needs.
fn is_for_certificates_only(certificate: &X509Certificate<'_>) -> bool {
    let Ok(Some(usage)) = certificate.key_usage() else { return false };
    let usage = usage.value;
    let is_for_tls = usage.digital_signature() || usage.key_encipherment() || usage.key_agreement();
    is_for_certificates(certificate) && !is_for_tls
}

impl Chain {
    /// Whether it is for a private key.
    pub fn is_for(&self, key: &PrivateKey) -> bool {
        self.leaf.spki == key.spki()
    }

    /// All that is wrong with it.
    pub fn flaws(&self, expected: &Expected<'_>) -> Vec<Flaw> {
        let (mut flaws, leaf, now) = (Vec::new(), &self.leaf, expected.now);
        if let Some(spki) = expected.spki.filter(|spki| *spki != leaf.spki) {
            flaws.push(Flaw::OtherKey { found: leaf.spki, expected: spki });
        }
        let life = leaf.not_after.0.saturating_sub(leaf.not_before.0);
        if now < leaf.not_before {
            flaws.push(Flaw::NotYet);
        } else if now > leaf.not_after {
            flaws.push(Flaw::Expired);
        } else if leaf.not_after.0 - now.0 < life / 3 {
            flaws.push(Flaw::EndsSoon);
        }
        let is_covered = |name: &&String| leaf.names.iter().any(|pattern| covers(pattern, name));
        flaws.extend(expected.names.iter().filter(|name| !is_covered(name)).cloned().map(Flaw::Name));
        let is_in_time = now >= leaf.not_before && now <= leaf.not_after;
        if let Some(roots) = expected.roots.filter(|_| is_in_time)
            && let Err(reason) = roots.trust(&self.der, now)
        {
            flaws.push(Flaw::Untrusted(reason));
        }
        flaws
    }
}

/// Whether a name of a certificate covers another: a wildcard stands for one label (RFC 6125 § 6.4.3), and covers itself.
pub fn covers(pattern: &str, name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if pattern == name {
        return true;
    }
    let Some(rest) = pattern.strip_prefix("*.") else { return false };
    name.split_once('.').is_some_and(|(first, parent)| !first.is_empty() && parent == rest)
}
