//! Zone keys that other servers made: BIND's, ldns's and PowerDNS's text, and PEM as Knot and OpenSSL write it.
//!
//! What comes out signs, and is proved against the public file where there is one. No error, and no printed form of what
//! comes out, quotes a file: faults are told by line, field and length alone, since a secret may stand anywhere.

mod fault;
pub mod list;
mod pem;
pub(super) mod pkcs8;
mod private_key;
mod record;
mod times;

pub use fault::{ForeignFault, Side};
pub(super) use pem::print as print_pem;
pub use times::{Times, Usage};

use super::key::{ECDSA_P256, ENTRY_FLAGS, Key, PublicKey};
use crate::dns::name::Name;
use data_encoding::BASE64;
use pkcs8::Secret;
use std::fmt;
use zeroize::Zeroizing;

/// Octets of a key file, at most: one of RSA with 4096 bits, the largest that any server writes, has a sixteenth of them.
pub const FILE_OCTETS_MAX: usize = 65_536;

/// Signed to prove a pair.
const CHALLENGE: &[u8] = b"key of another server";

/// A key that another server made.
pub struct Foreign {
    /// PKCS#8 for [`Key::from_pkcs8`], its public key inside.
    pub der: Zeroizing<Vec<u8>>,
    /// 13 or 15.
    pub algorithm: u8,
    /// DNSKEY flags, 256 or 257, from the public file.
    pub flags: Option<u16>,
    /// The zone that it is for, from the public file; lower case.
    pub owner: Option<Name>,
    /// The DNSKEY in the public file, to which the private key was proved.
    pub public: Option<PublicKey>,
}

/// What everybody may see of it.
impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = f.debug_struct("Foreign").field("algorithm", &self.algorithm).field("owner", &self.owner).finish();
        shown.and_then(|()| write!(f, " of {:?}", self.public))
    }
}

/// Reads a private key in any of the forms above, told apart by their content, and the public file beside it: one DNSKEY
/// or CDNSKEY record in master-file form.
///
/// # Errors
/// [`ForeignFault`] says what is wrong and what to do. A pair that is not of one key is an error.
pub fn read_foreign(private: &[u8], public: Option<&[u8]>) -> Result<Foreign, ForeignFault> {
    check_size(Side::Private, private)?;
    let secret = read_private(private)?;
    let Some(text) = public else { return alone(&secret) };
    let (owner, published) = read_public(text)?;
    let der = pair(&secret, &published)?;
    let (algorithm, flags) = (secret.algorithm, Some(published.flags));
    Ok(Foreign { der, algorithm, flags, owner: Some(owner), public: Some(published) })
}

/// Reads a public file alone: the zone that the key is for, and the key, whose private half is elsewhere.
///
/// # Errors
/// [`ForeignFault`].
pub fn read_public(public: &[u8]) -> Result<(Name, PublicKey), ForeignFault> {
    check_size(Side::Public, public)?;
    if is_private(public) {
        return Err(ForeignFault::PublicIsPrivate);
    }
    record::read(public)
}

fn check_size(side: Side, file: &[u8]) -> Result<(), ForeignFault> {
    match file.len() {
        ..=FILE_OCTETS_MAX => Ok(()),
        octets => Err(ForeignFault::TooLong { side, octets }),
    }
}

fn read_private(file: &[u8]) -> Result<Secret, ForeignFault> {
    let text = file.trim_ascii_start();
    if private_key::is_here(text) {
        private_key::read(file)
    } else if pem::is_here(text) {
        pem::read(file)
    } else if record::is_here(text) {
        Err(ForeignFault::PrivateIsPublic)
    } else {
        Err(ForeignFault::Unknown)
    }
}

fn is_private(file: &[u8]) -> bool {
    let text = file.trim_ascii_start();
    private_key::is_here(text) || pem::is_here(text)
}

/// A private key without a public file. P-256 must bring its public key, since ring does not make it from the scalar.
fn alone(secret: &Secret) -> Result<Foreign, ForeignFault> {
    let der = match &secret.public {
        Some(public) => secret.to_pkcs8(public),
        None if secret.algorithm == ECDSA_P256 => return Err(ForeignFault::NoPublic),
        None => {
            let key = Key::from_pkcs8(ENTRY_FLAGS, secret.algorithm, &secret.to_pkcs8_version_1(&[]))
                .map_err(ForeignFault::Rejected)?;
            secret.to_pkcs8(&key.public)
        }
    };
    // The flags do not count for whether it is a key.
    Key::from_pkcs8(ENTRY_FLAGS, secret.algorithm, &der).map_err(ForeignFault::Rejected)?;
    Ok(Foreign { der, algorithm: secret.algorithm, flags: None, owner: None, public: None })
}

/// A private key that must be that of the published one.
fn pair(secret: &Secret, published: &PublicKey) -> Result<Zeroizing<Vec<u8>>, ForeignFault> {
    let other = ForeignFault::NotPair { tag: published.tag };
    let is_other = secret.public.as_ref().is_some_and(|public| **public != *published.public);
    if secret.algorithm != published.algorithm || is_other {
        return Err(other);
    }
    let der = secret.to_pkcs8(&published.public);
    // ring makes the public key again and compares: a rejection means that the halves do not fit.
    let key = Key::from_pkcs8(published.flags, secret.algorithm, &der).map_err(|_| other.clone())?;
    key.prove(&published.dnskey_data(), CHALLENGE).map_err(|_| other)?;
    Ok(der)
}

/// Base64 with its padding, into a buffer that has its size from the start.
fn base64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut octets = Zeroizing::new(vec![0; BASE64.decode_len(text.len()).ok()?]);
    let length = BASE64.decode_mut(text, &mut octets).ok()?;
    octets.truncate(length);
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::ROOT;
    use crate::sign::key::KeyFault;
    use data_encoding::HEXLOWER;

    /// RFC 6605 § 6.1, and both keys of RFC 8080 § 6: owner, algorithm, private key, public key, tag.
    const VECTORS: [(&str, &str, &str, &str, u16); 3] = [
        (
            "example.net.",
            "13 (ECDSAP256SHA256)",
            "GU6SnQ/Ou+xC5RumuIUIuJZteXT2z0O/ok1s38Et6mQ=",
            "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edb krSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==",
            55648,
        ),
        (
            "example.com.",
            "15 (ED25519)",
            "ODIyNjAzODQ2MjgwODAxMjI2NDUxOTAyMDQxNDIyNjI=",
            "l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=",
            3613,
        ),
        (
            "example.com.",
            "15 (ED25519)",
            "DSSF3o0s0f+ElWzj9E/Osxw8hLpk55chkmx0LYN5WiY=",
            "zPnZ/QwEe7S8C5SPz2OfS5RR40ATk2/rYnE9xHIEijs=",
            35217,
        ),
    ];
    /// The generator of P-256: the public key of the scalar 1.
    const GENERATOR: &str = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
        4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    const P256_AROUND: &str = "301306072a8648ce3d020106082a8648ce3d030107";

    fn private_text((_, algorithm, private, ..): (&str, &str, &str, &str, u16)) -> String {
        format!("Private-key-format: v1.2\nAlgorithm: {algorithm}\nPrivateKey: {private}\n")
    }

    fn public_text((owner, algorithm, _, public, _): (&str, &str, &str, &str, u16)) -> String {
        format!("{owner} IN DNSKEY 257 3 {} {public}\n", &algorithm[..2])
    }

    fn hex(text: &str) -> Vec<u8> {
        HEXLOWER.decode(text.as_bytes()).expect("hex")
    }

    fn pem(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64.encode(der))
    }

    fn field(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).expect("a short field");
        let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
        [head, content.to_vec()].concat()
    }

    /// SEC1 with these octets as the scalar, and the fields behind it.
    fn sec1(scalar: &[u8], behind: &[&[u8]]) -> Vec<u8> {
        field(0x30, &[&[2, 1, 1], &field(4, scalar)[..], &behind.concat()].concat())
    }

    fn curve() -> Vec<u8> {
        field(0xa0, &hex("06082a8648ce3d030107"))
    }

    fn point(octets: &[u8]) -> Vec<u8> {
        field(0xa1, &field(3, &[&[0], octets].concat()))
    }

    fn generator() -> Vec<u8> {
        hex(&format!("04{GENERATOR}"))
    }

    fn p256(ec: &[u8], behind: &[u8], version: u8) -> String {
        let whole = [&[2, 1, version], &hex(P256_AROUND)[..], &field(4, ec), behind].concat();
        pem("PRIVATE KEY", &field(0x30, &whole))
    }

    fn fault(private: &str, public: Option<&str>) -> ForeignFault {
        read_foreign(private.as_bytes(), public.map(str::as_bytes)).expect_err("no key")
    }

    #[test]
    fn keys_of_the_rfcs_are_read_from_text_with_their_tags() {
        for vector in VECTORS {
            let (private, public) = (private_text(vector), public_text(vector));
            let foreign = read_foreign(private.as_bytes(), Some(public.as_bytes())).expect("a key");
            let key = Key::from_pkcs8(257, foreign.algorithm, &foreign.der).expect("a key");
            assert_eq!(key.tag, vector.4);
            assert_eq!(foreign.public, Some(key.public_half()));
            assert_eq!(
                (foreign.flags, foreign.owner.as_deref()),
                (Some(257), Name::parse(vector.0, ROOT).as_deref().ok())
            );
        }
    }

    #[test]
    fn lines_about_time_are_passed_over_and_so_are_carriage_returns() {
        let times = "Created: 20260101000000\nPublish: 20260101000000\nActivate: 20260101000000\nMaxTTL: 300\n\n";
        let text = format!("{}{times}", private_text(VECTORS[1])).replace("v1.2", "v1.3").replace('\n', "\r\n");
        let foreign = read_foreign(text.as_bytes(), None).expect("a key");
        assert_eq!((foreign.algorithm, foreign.flags, foreign.owner, foreign.public), (15, None, None, None));
        let public = public_text(VECTORS[1]).replace('\n', "\r\n");
        assert!(read_foreign(text.as_bytes(), Some(public.as_bytes())).is_ok());
    }

    #[test]
    fn public_files_are_read_in_every_shape_of_master_files() {
        let (private, key) = (private_text(VECTORS[0]), VECTORS[0].3.replace(' ', ""));
        let (first, last) = key.split_at(50);
        for public in [
            format!("example.net. IN DNSKEY 257 3 13 {key}"),
            format!("; comment (\nexample.net. 3600 IN CDNSKEY 257 3 ECDSAP256SHA256 {key} ; {{id = 1}}\n"),
            format!("EXAMPLE.net. IN 1h DNSKEY ( 257 3 ; more (\n\t13 {first}\n {last} )\n\n"),
            format!("example.net DNSKEY 257 3 13 {first} {last}"),
            format!("example.net.\tCLASS1 TYPE48 257 3 13 {key}\r\n"),
            format!("ex\\097mple.net. DNSKEY 257 3 13 {key}"),
        ] {
            let read = read_foreign(private.as_bytes(), Some(public.as_bytes()));
            assert_eq!(read.map(|read| read.owner.as_deref() == Some(b"\x07example\x03net\0")), Ok(true), "{public}");
        }
    }

    #[test]
    fn public_files_that_are_not_one_zone_key_are_refused() {
        let private = private_text(VECTORS[0]);
        let good = public_text(VECTORS[0]);
        let key = VECTORS[0].3;
        let record = |line, what| ForeignFault::Record { line, what };
        for (public, expected) in [
            (String::new(), ForeignFault::Records(0)),
            ("; nothing\n".to_owned(), ForeignFault::Records(0)),
            (good.repeat(2), ForeignFault::Records(2)),
            (format!("\n IN DNSKEY 257 3 13 {key}"), record(2, "has no owner")),
            (format!("a..b IN DNSKEY 257 3 13 {key}"), record(1, "begins with what is not a name")),
            (good.replace("DNSKEY", "KEY"), record(1, "is no DNSKEY or CDNSKEY record of class IN")),
            (good.replace("IN", "CH"), record(1, "is no DNSKEY or CDNSKEY record of class IN")),
            (good.replace("IN", "1 2"), record(1, "is no DNSKEY or CDNSKEY record of class IN")),
            ("example.net.".to_owned(), record(1, "is no DNSKEY or CDNSKEY record of class IN")),
            (good.replace("257 3", "257 4"), record(1, "has another protocol than 3")),
            (good.replace("257 3", "257 -"), record(1, "has other fields than those of a DNSKEY")),
            (good.replace("==", "="), record(1, "has other fields than those of a DNSKEY")),
            (good.replace("IN", "IN ("), record(1, "opens a parenthesis that nothing closes")),
            (good.replace("IN", "IN )"), record(1, "closes what is not open")),
            (good.replace("IN", "IN\0"), record(1, "holds octets that are not text")),
            (format!("{good}\n\\"), record(3, "holds octets that are not text")),
            (good.replace("257", "385"), ForeignFault::NotZoneKey(KeyFault::Flags(385))),
            (good.replace(" 13 ", " 8 "), ForeignFault::Algorithm("algorithm 8 (RSASHA256)".to_owned())),
            (private.clone(), ForeignFault::PublicIsPrivate),
            (" ".repeat(FILE_OCTETS_MAX + 1), ForeignFault::TooLong { side: Side::Public, octets: 65_537 }),
        ] {
            assert_eq!(fault(&private, Some(&public)), expected, "{public}");
        }
    }

    #[test]
    fn private_texts_that_are_not_whole_are_refused_with_their_line() {
        let good = private_text(VECTORS[1]);
        let line = |line, what| ForeignFault::Line { line, what };
        for (text, expected) in [
            (good.replace("v1.2", "v1.1"), line(1, "has another format than v1.2 and v1.3")),
            (good.replace("v1.2", "v2.0"), line(1, "has another format than v1.2 and v1.3")),
            (good.replace("15 (", "ED ("), line(2, "has no number of an algorithm")),
            (good.replace("15 (", "271 ("), line(2, "has no number of an algorithm")),
            (good.replace("NjI=", "NjI"), line(3, "is not base64 behind its colon")),
            (good.replace("NjI=", "NjJ="), line(3, "is not base64 behind its colon")),
            (good.replace("NjI=", "\nNjI="), line(4, "has no colon")),
            (good.replace("NjI=", "\0"), line(3, "holds octets that are not text")),
            (format!("{good}PrivateKey: AA==\n"), line(4, "says again what an earlier line says")),
            (good.replace("NjI=", ""), ForeignFault::Length { algorithm: 15, octets: 30 }),
            (good.replace("PrivateKey: ", "Other: "), ForeignFault::Missing("PrivateKey")),
            (good.replace("Algorithm: ", "Other: "), ForeignFault::Missing("Algorithm")),
            (
                good.replace("15 (ED25519)", "8 (RSASHA256)"),
                ForeignFault::Algorithm("algorithm 8 (RSASHA256)".to_owned()),
            ),
            (good.replace("15 (ED25519)", "250"), ForeignFault::Algorithm("algorithm 250".to_owned())),
            (good.replace("PrivateKey", "Label"), ForeignFault::InDevice),
            (public_text(VECTORS[1]), ForeignFault::PrivateIsPublic),
            (String::new(), ForeignFault::Unknown),
            ("0\u{1}".to_owned(), ForeignFault::Unknown),
            ("x".repeat(FILE_OCTETS_MAX + 1), ForeignFault::TooLong { side: Side::Private, octets: 65_537 }),
        ] {
            assert_eq!(fault(&text, None), expected, "{text}");
        }
    }

    #[test]
    fn scalars_are_made_32_octets_long_whatever_zeros_a_tool_wrote() {
        let public = format!("a. DNSKEY 257 3 13 {}", BASE64.encode(&hex(GENERATOR)));
        let mut ders = Vec::new();
        for zeros in [0, 1, 31, 32, 40] {
            let scalar = [vec![0; zeros], vec![1]].concat();
            let text = format!("Private-key-format: v1.3\nAlgorithm: 13\nPrivateKey: {}\n", BASE64.encode(&scalar));
            ders.push(read_foreign(text.as_bytes(), Some(public.as_bytes())).expect("a key").der);
            // Knot writes a zero in front of a high bit.
            let text = pem("EC PRIVATE KEY", &sec1(&scalar, &[&curve(), &point(&generator())]));
            ders.push(read_foreign(text.as_bytes(), None).expect("a key").der);
        }
        ders.dedup();
        assert_eq!(ders.len(), 1);
        assert_eq!(ders[0][36..68], *[&[0; 31][..], &[1]].concat());
        for wrong in [&[][..], &[0; 32], &[1; 33]] {
            let text = pem("EC PRIVATE KEY", &sec1(wrong, &[&curve(), &point(&generator())]));
            assert_eq!(fault(&text, None), ForeignFault::Length { algorithm: 13, octets: wrong.len() });
        }
        let text = pem("EC PRIVATE KEY", &sec1(&[0xff; 32], &[&curve(), &point(&generator())]));
        assert!(matches!(fault(&text, None), ForeignFault::Rejected(_)), "above the order of the curve");
    }

    #[test]
    fn p256_needs_its_public_key_from_one_of_the_two_files() {
        let public = format!("a. DNSKEY 257 3 13 {}", BASE64.encode(&hex(GENERATOR)));
        let compressed = [&[3], &hex(&GENERATOR[..64])[..]].concat();
        let beside = field(0x81, &[&[0], &generator()[..]].concat());
        for (text, has_public) in [
            (p256(&sec1(&[1], &[&point(&generator())]), &[], 0), true),
            (p256(&sec1(&[1], &[&curve(), &point(&generator())]), &field(0xa0, b"attributes"), 0), true),
            (p256(&sec1(&[1], &[]), &beside, 1), true),
            (p256(&sec1(&[1], &[&point(&generator())]), &beside, 1), true),
            (p256(&sec1(&[1], &[]), &[], 0), false),
            (p256(&sec1(&[1], &[&point(&compressed)]), &[], 0), false),
            (pem("EC PRIVATE KEY", &sec1(&[1], &[&curve()])), false),
            (private_text(VECTORS[0]), false),
        ] {
            let alone = read_foreign(text.as_bytes(), None);
            assert_eq!(alone.as_ref().err(), (!has_public).then_some(&ForeignFault::NoPublic), "{text}");
            let other = text.starts_with("Private");
            assert_eq!(read_foreign(text.as_bytes(), Some(public.as_bytes())).is_ok(), !other, "{text}");
        }
    }

    #[test]
    fn ed25519_is_read_from_both_versions_and_a_wrong_public_key_refused() {
        let seed = field(4, &field(4, &BASE64.decode(VECTORS[1].2.as_bytes()).expect("base64")));
        let key = BASE64.decode(VECTORS[1].3.as_bytes()).expect("base64");
        let text = |version: u8, behind: &[u8]| {
            let whole = [&[2, 1, version], &hex("300506032b6570")[..], &seed, behind].concat();
            pem("PRIVATE KEY", &field(0x30, &whole))
        };
        let bits = [&[0], &key[..]].concat();
        let first = read_foreign(text(0, &[]).as_bytes(), None).expect("a key").der;
        for behind in
            [field(0x81, &bits), field(0xa1, &field(3, &bits)), [field(0xa0, b""), field(0x81, &bits)].concat()]
        {
            assert_eq!(read_foreign(text(1, &behind).as_bytes(), None).expect("a key").der, first);
        }
        assert_eq!(first[first.len() - 32..], key);
        let wrong = field(0x81, &[0; 33]);
        assert!(matches!(fault(&text(1, &wrong), None), ForeignFault::Rejected(_)));
        assert!(matches!(fault(&text(1, &field(0x81, &[0; 32])), None), ForeignFault::Der(_)));
        assert!(matches!(fault(&text(2, &[]), None), ForeignFault::Der(_)));
        assert!(matches!(fault(&text(0, b"x"), None), ForeignFault::DerField(_)));
    }

    #[test]
    fn keys_of_other_algorithms_and_under_passphrases_are_refused_by_name() {
        let algorithm = |name: &str| ForeignFault::Algorithm(name.to_owned());
        let named = |oid: &str| {
            let identifier = field(0x30, &field(6, &hex(oid)));
            pem("PRIVATE KEY", &field(0x30, &[&[2, 1, 0], &identifier[..], &field(4, b"key")].concat()))
        };
        let p384 = field(0xa0, &hex("06052b81040022"));
        for (text, expected) in [
            (named("2a864886f70d010101"), algorithm("RSA")),
            (named("2b6571"), algorithm("Ed448")),
            (named("2b656e"), algorithm("of an algorithm that DNSSEC does not have")),
            (pem("EC PRIVATE KEY", &sec1(&[1], &[&p384])), algorithm("ECDSA P-384")),
            (pem("EC PRIVATE KEY", &sec1(&[1], &[])), ForeignFault::Der("it does not say which curve it is of")),
            (pem("RSA PRIVATE KEY", b"key"), algorithm("RSA")),
            (pem("DSA PRIVATE KEY", b"key"), algorithm("DSA")),
            (pem("ENCRYPTED PRIVATE KEY", b"key"), ForeignFault::Encrypted),
            (
                pem("EC PRIVATE KEY", b"key").replace("KEY-----\na", "KEY-----\nProc-Type: 4,ENCRYPTED\n\na"),
                ForeignFault::Encrypted,
            ),
            (
                pem("OPENSSH PRIVATE KEY", b"key"),
                ForeignFault::Pem("holds a private key of an unknown kind, not `PRIVATE KEY`"),
            ),
            (pem("CERTIFICATE", b"key"), ForeignFault::Pem("holds no private key")),
        ] {
            assert_eq!(fault(&text, None), expected, "{text}");
        }
    }

    #[test]
    fn two_keys_in_one_file_or_one_that_breaks_off_are_refused() {
        let good = p256(&sec1(&[1], &[&point(&generator())]), &[], 0);
        let around = format!("Bag Attributes\n{}{good}rest", pem("EC PARAMETERS", b"x"));
        assert!(read_foreign(around.replace('\n', "\r\n").as_bytes(), None).is_ok());
        assert_eq!(fault(&good.repeat(2), None), ForeignFault::Pem("holds several private keys"));
        assert_eq!(
            fault(&good.replace("END", "AND"), None),
            ForeignFault::Pem("has an end that does not fit its begin")
        );
        let begin = "-----BEGIN PRIVATE KEY-----\n".len();
        for cut in begin..good.len() - "-----END PRIVATE KEY-----\n".len() {
            assert_eq!(fault(&good[..cut], None), ForeignFault::Pem("breaks off before `-----END`"));
        }
        let other = [&[4], &vec![1; 64][..]].concat();
        let beside = field(0x81, &[&[0], &generator()[..]].concat());
        let two = p256(&sec1(&[1], &[&point(&other)]), &beside, 1);
        assert_eq!(fault(&two, None), ForeignFault::Der("it holds two public keys"));
    }

    #[test]
    fn a_key_is_not_taken_for_that_of_another_public_file() {
        for (private, public) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
            let tag = VECTORS[public].4;
            let found = fault(&private_text(VECTORS[private]), Some(&public_text(VECTORS[public])));
            assert_eq!(found, ForeignFault::NotPair { tag });
        }
        let embedded = p256(&sec1(&[1], &[&point(&generator())]), &[], 0);
        assert_eq!(fault(&embedded, Some(&public_text(VECTORS[0]))), ForeignFault::NotPair { tag: 55648 });
    }

    #[test]
    fn no_printed_form_shows_the_private_key() {
        for vector in VECTORS {
            let (private, public) = (private_text(vector), public_text(vector));
            let foreign = read_foreign(private.as_bytes(), Some(public.as_bytes())).expect("a key");
            let shown = format!("{foreign:?} {foreign:#?}");
            let seed = BASE64.decode(vector.2.as_bytes()).expect("base64");
            assert!(!shown.contains(&vector.2[..6]), "{shown}");
            assert!(!shown.contains(&format!("{}, {}, {}", seed[0], seed[1], seed[2])), "{shown}");
            for broken in [private.replace("=\n", "\n"), private.replace(": ", " "), private.replace("Key: ", "Key:\n")]
            {
                for (first, second) in [(&broken, &public), (&broken, &broken), (&public, &broken), (&private, &broken)]
                {
                    let fault = fault(first, Some(second));
                    assert!(!format!("{fault:?} {fault}").contains(&vector.2[..6]), "{fault}");
                }
            }
        }
    }

    #[test]
    fn every_octet_may_be_wrong_or_missing_without_a_panic_or_another_key() {
        let embedded = p256(&sec1(&[1], &[&curve(), &point(&generator())]), &[], 0);
        for good in [embedded, private_text(VECTORS[1])] {
            let der = read_foreign(good.as_bytes(), None).expect("a key").der;
            for at in 0..good.len() {
                assert!(read_foreign(&good.as_bytes()[..at], None).is_err() || at + 3 > good.len(), "{at}");
                for octet in [0, b'\n', b'A', b':', 0xff] {
                    let mut other = good.clone().into_bytes();
                    other[at] = octet;
                    let read = read_foreign(&other, None);
                    assert!(good.starts_with("Private") || read.is_err() || read.is_ok_and(|read| read.der == der));
                }
            }
        }
    }
}
