//! Private keys in DER: PKCS#8 (RFC 5958) and SEC1 (RFC 5915) taken apart, and PKCS#8 put together.
//!
//! It quotes nothing of what it reads, and every buffer with a secret in it has its final size before it is filled, so
//! none leaves a copy behind. Lengths are definite and minimal, as DER demands.

use super::ForeignFault;
use crate::sign::key::{ECDSA_P256, ED25519_NUMBER};
use zeroize::Zeroizing;

/// Octets of a private key: the scalar of P-256 and the seed of Ed25519 alike.
const PRIVATE_OCTETS: usize = 32;
/// Octets of a P-256 public key without its first octet (RFC 6605 § 4).
const POINT_OCTETS: usize = 64;
/// An uncompressed point begins so (SEC1 § 2.3.3).
const POINT_UNCOMPRESSED: u8 = 4;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// `[0]`, with structure inside: parameters in SEC1, attributes in PKCS#8.
const FIELD_0: u8 = 0xa0;
/// `[1]`, with structure inside: the public key in SEC1, and where an early reading of RFC 5958 put it.
const FIELD_1: u8 = 0xa1;
/// `[1]` in place of the tag of a bit string: the public key in version 2 of PKCS#8.
const FIELD_1_PLAIN: u8 = 0x81;

const OID_EC: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
const OID_P256: &[u8] = b"\x2a\x86\x48\xce\x3d\x03\x01\x07";
const OID_ED25519: &[u8] = b"\x2b\x65\x70";
/// Keys that DNSSEC knows, or tools write, and that cannot sign here.
const OTHERS: [(&[u8], &str); 5] = [
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", "RSA"),
    (b"\x2b\x81\x04\x00\x22", "ECDSA P-384"),
    (b"\x2b\x81\x04\x00\x0a", "ECDSA secp256k1"),
    (b"\x2b\x65\x71", "Ed448"),
    (b"\x2a\x86\x48\xce\x38\x04\x01", "DSA"),
];

/// PKCS#8 of a P-256 key as ring writes it: up to the scalar, and from there to the point.
const P256_HEAD: &[u8] =
    b"\x30\x81\x87\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\
    \x3d\x03\x01\x07\x04\x6d\x30\x6b\x02\x01\x01\x04\x20";
const P256_MIDDLE: &[u8] = b"\xa1\x44\x03\x42\x00\x04";
/// PKCS#8 of an Ed25519 key up to the seed: version 1, and version 2 with the public key behind the seed.
const ED25519_HEAD: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
const ED25519_HEAD_2: &[u8] = b"\x30\x51\x02\x01\x01\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
const ED25519_MIDDLE: &[u8] = b"\x81\x21\x00";

/// A private key's parts. It has no printed form.
pub(in crate::sign) struct Secret {
    /// 13 or 15.
    pub algorithm: u8,
    /// The scalar or the seed: 32 octets.
    pub private: Zeroizing<Vec<u8>>,
    /// The public key as DNSKEY holds it, where it was there in full.
    pub public: Option<Vec<u8>>,
}

impl Secret {
    /// Takes a scalar or seed. The scalar is a number: some tools strip its leading zeros, and Knot writes one in front
    /// of a high bit, so its length is made right here. The seed is no number and has one length.
    pub fn new(algorithm: u8, octets: &[u8], public: Option<Vec<u8>>) -> Result<Secret, ForeignFault> {
        let wrong = ForeignFault::Length { algorithm, octets: octets.len() };
        let number = match algorithm {
            ECDSA_P256 => &octets[octets.iter().take_while(|octet| **octet == 0).count()..],
            _ if octets.len() == PRIVATE_OCTETS => octets,
            _ => return Err(wrong),
        };
        let Some(zeros) = PRIVATE_OCTETS.checked_sub(number.len()).filter(|_| !number.is_empty()) else {
            return Err(wrong);
        };
        let mut private = Zeroizing::new(vec![0; PRIVATE_OCTETS]);
        private[zeros..].copy_from_slice(number);
        Ok(Secret { algorithm, private, public })
    }

    /// PKCS#8 with the public key in it, the form in which ring makes new keys. A key whose halves do not fit is
    /// refused whenever this is read.
    pub fn to_pkcs8(&self, public: &[u8]) -> Zeroizing<Vec<u8>> {
        match self.algorithm {
            ECDSA_P256 => join([P256_HEAD, &self.private, P256_MIDDLE, public]),
            _ => join([ED25519_HEAD_2, &self.private, ED25519_MIDDLE, public]),
        }
    }

    /// PKCS#8 of version 1, the only one that OpenSSL 3 and GnuTLS read: with the public key for P-256, where it has a
    /// place within version 1.
    pub fn to_pkcs8_version_1(&self, public: &[u8]) -> Zeroizing<Vec<u8>> {
        match self.algorithm {
            ECDSA_P256 => self.to_pkcs8(public),
            _ => join([ED25519_HEAD, &self.private, &[], &[]]),
        }
    }
}

/// Sets parts one behind the other in a buffer of the right size.
fn join(parts: [&[u8]; 4]) -> Zeroizing<Vec<u8>> {
    let mut whole = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| whole.extend_from_slice(part));
    whole
}

/// Reads PKCS#8, version 1 or 2 (RFC 5958 § 2).
pub(in crate::sign) fn read_pkcs8(der: &[u8]) -> Result<Secret, ForeignFault> {
    let mut outer = Reader(der);
    let mut whole = Reader(outer.take(SEQUENCE, "the PKCS#8 sequence")?);
    outer.end("the PKCS#8 sequence")?;
    let version = whole.take(INTEGER, "the PKCS#8 version")?;
    if !matches!(version, [0] | [1]) {
        return Err(ForeignFault::Der("the PKCS#8 version is not 1 or 2"));
    }
    let algorithm = read_algorithm(whole.take(SEQUENCE, "the algorithm of the key")?)?;
    let private = whole.take(OCTET_STRING, "the private key")?;
    whole.take_if(FIELD_0, "the attributes")?;
    let beside = match whole.take_if(FIELD_1_PLAIN, "the public key")? {
        Some(bits) => Some(bits),
        None => within(whole.take_if(FIELD_1, "the public key")?, BIT_STRING, "the public key")?,
    };
    whole.end("the PKCS#8 sequence")?;
    let beside = beside.map(|bits| public_of(algorithm, bits)).transpose()?.flatten();
    let mut secret = match algorithm {
        ECDSA_P256 => read_ec(private, Curve::Known)?,
        _ => {
            let mut inner = Reader(private);
            let seed = inner.take(OCTET_STRING, "the seed")?;
            inner.end("the seed")?;
            Secret::new(algorithm, seed, None)?
        }
    };
    match (&secret.public, beside) {
        (Some(one), Some(other)) if *one != other => return Err(ForeignFault::Der("it holds two public keys")),
        (None, beside) => secret.public = beside,
        (Some(_), _) => {}
    }
    Ok(secret)
}

/// Reads SEC1 (RFC 5915 § 3), in which alone stands which curve it is.
pub(in crate::sign) fn read_sec1(der: &[u8]) -> Result<Secret, ForeignFault> {
    read_ec(der, Curve::Unknown)
}

/// Whether the curve was named around a SEC1 key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Curve {
    Known,
    Unknown,
}

fn read_ec(der: &[u8], curve: Curve) -> Result<Secret, ForeignFault> {
    let mut outer = Reader(der);
    let mut whole = Reader(outer.take(SEQUENCE, "the EC key")?);
    outer.end("the EC key")?;
    if whole.take(INTEGER, "the version of the EC key")? != [1] {
        return Err(ForeignFault::Der("the version of the EC key is not 1"));
    }
    let private = whole.take(OCTET_STRING, "the private key")?;
    match within(whole.take_if(FIELD_0, "the curve")?, OBJECT, "the name of the curve")? {
        Some(OID_P256) => {}
        Some(other) => return Err(unsupported(other)),
        None if curve == Curve::Known => {}
        None => return Err(ForeignFault::Der("it does not say which curve it is of")),
    }
    let public = within(whole.take_if(FIELD_1, "the public key")?, BIT_STRING, "the public key")?;
    whole.end("the EC key")?;
    let public = public.map(|bits| public_of(ECDSA_P256, bits)).transpose()?.flatten();
    Secret::new(ECDSA_P256, private, public)
}

fn read_algorithm(identifier: &[u8]) -> Result<u8, ForeignFault> {
    let mut fields = Reader(identifier);
    match fields.take(OBJECT, "the name of the algorithm")? {
        OID_ED25519 => {
            fields.end("the algorithm of the key")?;
            Ok(ED25519_NUMBER)
        }
        OID_EC => match fields.take(OBJECT, "the name of the curve")? {
            OID_P256 => {
                fields.end("the algorithm of the key")?;
                Ok(ECDSA_P256)
            }
            other => Err(unsupported(other)),
        },
        other => Err(unsupported(other)),
    }
}

fn unsupported(oid: &[u8]) -> ForeignFault {
    let known = OTHERS.iter().find(|(known, _)| *known == oid);
    ForeignFault::Algorithm(known.map_or("of an algorithm that DNSSEC does not have", |(_, name)| name).to_owned())
}

/// The public key as DNSKEY holds it. A compressed point counts as absent, since ring cannot expand it.
fn public_of(algorithm: u8, bits: &[u8]) -> Result<Option<Vec<u8>>, ForeignFault> {
    match (algorithm, bits) {
        (ECDSA_P256, [0, POINT_UNCOMPRESSED, point @ ..]) if point.len() == POINT_OCTETS => Ok(Some(point.to_vec())),
        (ECDSA_P256, [0, 2 | 3, x @ ..]) if x.len() == POINT_OCTETS / 2 => Ok(None),
        (ED25519_NUMBER, [0, key @ ..]) if key.len() == PRIVATE_OCTETS => Ok(Some(key.to_vec())),
        _ => Err(ForeignFault::Der("its public key has the wrong length or form")),
    }
}

/// The one field inside of another.
fn within<'d>(outer: Option<&'d [u8]>, tag: u8, what: &'static str) -> Result<Option<&'d [u8]>, ForeignFault> {
    let Some(outer) = outer else { return Ok(None) };
    let mut inner = Reader(outer);
    let content = inner.take(tag, what)?;
    inner.end(what)?;
    Ok(Some(content))
}

/// What is left to read.
struct Reader<'d>(&'d [u8]);

impl<'d> Reader<'d> {
    /// The content of the next field, which must have this tag.
    fn take(&mut self, tag: u8, what: &'static str) -> Result<&'d [u8], ForeignFault> {
        let fault = ForeignFault::DerField(what);
        let (length, rest) = match self.0 {
            [found, length @ ..=0x7f, rest @ ..] if *found == tag => (usize::from(*length), rest),
            [found, 0x81, length @ 0x80..=0xff, rest @ ..] if *found == tag => (usize::from(*length), rest),
            [found, 0x82, high @ 1..=0xff, low, rest @ ..] if *found == tag => {
                (usize::from(u16::from_be_bytes([*high, *low])), rest)
            }
            _ => return Err(fault),
        };
        let (content, rest) = rest.split_at_checked(length).ok_or(fault)?;
        self.0 = rest;
        Ok(content)
    }

    /// The same for a field that may be missing.
    fn take_if(&mut self, tag: u8, what: &'static str) -> Result<Option<&'d [u8]>, ForeignFault> {
        match self.0.first() {
            Some(found) if *found == tag => self.take(tag, what).map(Some),
            _ => Ok(None),
        }
    }

    fn end(&self, what: &'static str) -> Result<(), ForeignFault> {
        if self.0.is_empty() { Ok(()) } else { Err(ForeignFault::DerField(what)) }
    }
}
