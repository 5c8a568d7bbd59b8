//! Whether a host has the private key of the certificate that it shows: its signature in the handshake.
//!
//! Nothing but the key is taken from the certificate, as it is with DANE-EE (RFC 7672 § 3.1.1): libraries that judge the rest
//! as well refuse old versions and unknown extensions.

use super::fault::Fault;
use crate::cert::chain::ChainFault;
use crate::cert::{KeyClass, KeyKind, PublicKey};
use p521::ecdsa::signature::hazmat::PrehashVerifier;
use p521::ecdsa::{DerSignature, VerifyingKey};
use ring::digest;
use ring::signature::{self as by, UnparsedPublicKey, VerificationAlgorithm};
use rustls::SignatureScheme as Scheme;
use std::ops::RangeInclusive;

/// RSA keys that are verified, in bits: what ring takes.
const RSA_BITS: RangeInclusive<usize> = crate::cert::leaf::RSA_BITS_MIN..=8192;
/// RSASSA-PSS with a key for nothing else (RFC 8446 § 4.2.3), which the library has no names for.
const PSS_SHA256: Scheme = Scheme::Unknown(0x0809);
const PSS_SHA384: Scheme = Scheme::Unknown(0x080a);
const PSS_SHA512: Scheme = Scheme::Unknown(0x080b);

/// Which signatures on elliptic curves are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curves {
    /// All.
    All,
    /// Those that go with the smaller curves: in TLS 1.2 a scheme names no curve but only a digest (RFC 8422 § 5.10), and a
    /// host may sign with SHA-512 and a key on a smaller curve, which is not verified here.
    Smaller,
}

/// A signature, and what it was made of.
#[derive(Clone, Copy)]
pub(super) struct Signed<'a> {
    /// By which scheme.
    pub scheme: Scheme,
    /// Whether in TLS 1.3, which binds curves to schemes and knows no PKCS#1 any more (RFC 8446 § 4.2.3).
    pub is_newest: bool,
    /// What was signed.
    pub message: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

/// The schemes by which a host may sign to show a kind of key, the usual ones first.
pub(super) fn schemes(class: KeyClass, curves: Curves) -> Vec<Scheme> {
    match (class, curves) {
        // Keys for RSASSA-PSS alone come last: a host that has another RSA key is to show that.
        (KeyClass::Rsa, _) => vec![
            Scheme::RSA_PSS_SHA256,
            Scheme::RSA_PSS_SHA384,
            Scheme::RSA_PSS_SHA512,
            Scheme::RSA_PKCS1_SHA256,
            Scheme::RSA_PKCS1_SHA384,
            Scheme::RSA_PKCS1_SHA512,
            PSS_SHA256,
            PSS_SHA384,
            PSS_SHA512,
        ],
        (KeyClass::Ecdsa, Curves::All) => {
            vec![Scheme::ECDSA_NISTP256_SHA256, Scheme::ECDSA_NISTP384_SHA384, Scheme::ECDSA_NISTP521_SHA512]
        }
        (KeyClass::Ecdsa, Curves::Smaller) => vec![Scheme::ECDSA_NISTP256_SHA256, Scheme::ECDSA_NISTP384_SHA384],
        (KeyClass::Ed25519, _) => vec![Scheme::ED25519],
    }
}

/// Verifies a signature with the key of the certificate that the host showed first.
///
/// # Errors
/// [`Fault::BadSignature`]; [`Fault::Chain`] where there is no key, or one that senders refuse; [`Fault::Unproven`] where it is of no kind that is
/// verified here, or signs in a way that is not.
pub(super) fn verify(certificate: &[u8], signed: &Signed<'_>) -> Result<(), Fault> {
    let key = PublicKey::shown(certificate).map_err(|fault| Fault::Chain(fault.to_string()))?;
    match key.rsa_bits {
        Some(bits) if bits < *RSA_BITS.start() => return Err(Fault::Chain(ChainFault::ShortKey(bits).to_string())),
        Some(bits) if bits > *RSA_BITS.end() => {
            let most = RSA_BITS.end();
            return Err(Fault::Unproven(format!("its RSA key has {bits} bits, and at most {most} are verified here")));
        }
        Some(_) | None => {}
    }
    let is_good = if key.kind == KeyKind::EcdsaP521 {
        is_signed_on_p521(&key, signed)
    } else {
        let algorithm = algorithm(key.kind, signed).ok_or_else(|| unproven(key.kind, signed.scheme))?;
        Ok(UnparsedPublicKey::new(algorithm, &key.octets).verify(signed.message, signed.signature).is_ok())
    }?;
    if is_good { Ok(()) } else { Err(Fault::BadSignature) }
}

fn unproven(kind: KeyKind, scheme: Scheme) -> Fault {
    let scheme = scheme.as_str().map_or_else(|| format!("{scheme:?}"), str::to_owned);
    Fault::Unproven(format!("its key of kind {} signs by {scheme}, which is not verified here", kind.word()))
}

/// What verifies a signature by a key of that kind; none: they do not go together.
fn algorithm(kind: KeyKind, signed: &Signed<'_>) -> Option<&'static dyn VerificationAlgorithm> {
    let is_older = !signed.is_newest;
    Some(match (kind, signed.scheme) {
        (KeyKind::Rsa, Scheme::RSA_PSS_SHA256) | (KeyKind::RsaPss, PSS_SHA256) => &by::RSA_PSS_2048_8192_SHA256,
        (KeyKind::Rsa, Scheme::RSA_PSS_SHA384) | (KeyKind::RsaPss, PSS_SHA384) => &by::RSA_PSS_2048_8192_SHA384,
        (KeyKind::Rsa, Scheme::RSA_PSS_SHA512) | (KeyKind::RsaPss, PSS_SHA512) => &by::RSA_PSS_2048_8192_SHA512,
        (KeyKind::Rsa, Scheme::RSA_PKCS1_SHA256) if is_older => &by::RSA_PKCS1_2048_8192_SHA256,
        (KeyKind::Rsa, Scheme::RSA_PKCS1_SHA384) if is_older => &by::RSA_PKCS1_2048_8192_SHA384,
        (KeyKind::Rsa, Scheme::RSA_PKCS1_SHA512) if is_older => &by::RSA_PKCS1_2048_8192_SHA512,
        (KeyKind::EcdsaP256, Scheme::ECDSA_NISTP256_SHA256) => &by::ECDSA_P256_SHA256_ASN1,
        (KeyKind::EcdsaP256, Scheme::ECDSA_NISTP384_SHA384) if is_older => &by::ECDSA_P256_SHA384_ASN1,
        (KeyKind::EcdsaP384, Scheme::ECDSA_NISTP384_SHA384) => &by::ECDSA_P384_SHA384_ASN1,
        (KeyKind::EcdsaP384, Scheme::ECDSA_NISTP256_SHA256) if is_older => &by::ECDSA_P384_SHA256_ASN1,
        (KeyKind::Ed25519, Scheme::ED25519) => &by::ED25519,
        // Keys and schemes are many, and no other two of them go together.
        _ => return None,
    })
}

fn is_signed_on_p521(key: &PublicKey, signed: &Signed<'_>) -> Result<bool, Fault> {
    let digest = match signed.scheme {
        Scheme::ECDSA_NISTP521_SHA512 => &digest::SHA512,
        Scheme::ECDSA_NISTP384_SHA384 if !signed.is_newest => &digest::SHA384,
        Scheme::ECDSA_NISTP256_SHA256 if !signed.is_newest => &digest::SHA256,
        // No other scheme goes with the curve.
        other => return Err(unproven(key.kind, other)),
    };
    let digest = digest::digest(digest, signed.message);
    let (Ok(key), Ok(signature)) =
        (VerifyingKey::from_sec1_bytes(&key.octets), DerSignature::from_bytes(signed.signature))
    else {
        return Ok(false);
    };
    Ok(key.verify_prehash(digest.as_ref(), &signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use p521::ecdsa::signature::hazmat::PrehashSigner;
    use p521::ecdsa::{Signature, SigningKey};

    #[test]
    fn a_signature_on_p521_is_for_one_message_one_digest_and_one_key() {
        let secret = |last: u8| SigningKey::from_slice(&[&[0; 65][..], &[last]].concat()).expect("a key");
        let key = |last: u8| PublicKey {
            spki: crate::cert::Spki([0; 32]),
            kind: KeyKind::EcdsaP521,
            rsa_bits: None,
            octets: secret(last).verifying_key().to_sec1_point(false).as_bytes().to_vec(),
        };
        let made: Signature =
            secret(7).sign_prehash(digest::digest(&digest::SHA512, b"message").as_ref()).expect("a signature");
        let (made, scheme) = (made.to_der().as_bytes().to_vec(), Scheme::ECDSA_NISTP521_SHA512);
        let signed = Signed { scheme, is_newest: true, message: b"message", signature: &made };
        assert_eq!(is_signed_on_p521(&key(7), &signed), Ok(true));
        assert_eq!(is_signed_on_p521(&key(8), &signed), Ok(false));
        assert_eq!(is_signed_on_p521(&key(7), &Signed { message: b"massage", ..signed }), Ok(false));
        for at in 0..made.len() {
            let mut broken = made.clone();
            broken[at] ^= 1;
            let signed = Signed { scheme, is_newest: true, message: b"message", signature: &broken };
            assert_eq!(is_signed_on_p521(&key(7), &signed), Ok(false), "octet {at}");
        }
        let other = Signed { scheme: Scheme::ECDSA_NISTP384_SHA384, is_newest: false, ..signed };
        assert_eq!(is_signed_on_p521(&key(7), &other), Ok(false));
        let newest = Signed { is_newest: true, ..other };
        assert!(matches!(is_signed_on_p521(&key(7), &newest), Err(Fault::Unproven(_))), "TLS 1.3 binds them");
    }
}
