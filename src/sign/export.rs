//! A zone key in the forms that other servers read: BIND's pair of files, and PEM.
//!
//! A private key is only written as the one it proves to be, and its text lies in buffers that are wiped and never grow.

use super::foreign::pkcs8::{Secret, read_pkcs8};
use super::foreign::print_pem;
use super::key::{ECDSA_P256, ENTRY_FLAGS, Key, KeyFault, PublicKey, Role};
use crate::dns::name::{self, Name, ROOT};
use crate::dns::rdata::{print_moment, to_text};
use crate::dns::rtype::number as rtype;
use crate::time::UnixTime;
use data_encoding::BASE64;
use zeroize::Zeroizing;

/// Octets of a private text, at most: its lines have some 250 in all.
const PRIVATE_TEXT_OCTETS: usize = 512;
/// Bits of a key in BIND's words: the same for both algorithms.
const KEY_BITS: usize = 256;
/// Signed to prove the key.
const CHALLENGE: &[u8] = b"key for another server";

/// Files as `dnssec-keygen` makes them; ldns, Knot (`import-bind`) and PowerDNS (`import-zone-key`) read the first two.
pub struct BindFiles {
    /// Their name without its end, in which BIND looks for zone, algorithm and tag: `Kexample.+013+12345`.
    pub stem: String,
    /// What belongs into `.key`.
    pub key: String,
    /// What belongs into `.private`, readable by the server alone.
    pub private: Zeroizing<String>,
    /// What belongs into `.state`, where the key is in use: without it BIND takes a combined key for a KSK, and makes
    /// another key to sign the data.
    pub state: Option<String>,
}

/// How a key in use stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What it does. The flags of the DNSKEY say whether a DS points at it; this says whether it signs data besides.
    pub role: Role,
    /// Since when its DNSKEY, its signatures and, for 257, its DS are everywhere.
    pub since: UnixTime,
}

/// Writes a key as BIND does. A `dnssec-policy` of BIND, and `dnssec-signzone -S`, pass over a key without times and
/// make another, which validators do not trust: give the standing of a key in use. Without it the files are for tools
/// that are told their keys by name.
///
/// # Errors
/// [`KeyFault`] where `der` is not the private key of `public`.
pub fn to_bind(
    der: &[u8],
    public: &PublicKey,
    owner: &Name,
    ttl: u32,
    standing: Option<Standing>,
) -> Result<BindFiles, KeyFault> {
    let secret = proved(der, public)?;
    let PublicKey { flags, algorithm, tag, .. } = *public;
    let role = if flags == ENTRY_FLAGS { "key" } else { "zone" };
    let zone = name::print(owner);
    let data = to_text(rtype::DNSKEY, &public.dnskey_data());
    Ok(BindFiles {
        stem: format!("K{}+{algorithm:03}+{tag:05}", file_text(owner)),
        key: format!("; This is a {role}-signing key, keyid {tag}, for {zone}\n{zone} {ttl} IN DNSKEY {data}\n"),
        private: private_text(&secret, flags, standing),
        state: standing.map(|standing| state_text(public, &zone, standing)),
    })
}

/// Writes a key as PKCS#8 in PEM, for Knot (`keymgr ZONE import-pem`), PowerDNS (`import-zone-key-pem`) and OpenSSL.
///
/// # Errors
/// [`KeyFault`] where `der` is not the private key of `public`.
pub fn to_pem(der: &[u8], public: &PublicKey) -> Result<Zeroizing<String>, KeyFault> {
    Ok(print_pem(&proved(der, public)?.to_pkcs8_version_1(&public.public)))
}

fn proved(der: &[u8], public: &PublicKey) -> Result<Secret, KeyFault> {
    let key = Key::from_pkcs8(public.flags, public.algorithm, der)?;
    key.prove(&public.dnskey_data(), CHALLENGE)?;
    let rejected = |reason: String| KeyFault::Rejected { algorithm: public.algorithm, reason };
    read_pkcs8(der).map_err(|fault| rejected(fault.to_string()))
}

fn private_text(secret: &Secret, flags: u16, standing: Option<Standing>) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(PRIVATE_TEXT_OCTETS));
    text.push_str(match standing {
        Some(_) => "Private-key-format: v1.3\n",
        None => "Private-key-format: v1.2\n",
    });
    text.push_str(match secret.algorithm {
        ECDSA_P256 => "Algorithm: 13 (ECDSAP256SHA256)\nPrivateKey: ",
        _ => "Algorithm: 15 (ED25519)\nPrivateKey: ",
    });
    let mut base64 = Zeroizing::new(vec![0; BASE64.encode_len(secret.private.len())]);
    BASE64.encode_mut(&secret.private, &mut base64);
    base64.iter().for_each(|character| text.push(char::from(*character)));
    text.push('\n');
    let Some(Standing { since, .. }) = standing else { return text };
    let moment = moment_text(since);
    let with_ds = (flags == ENTRY_FLAGS).then_some("SyncPublish");
    for event in ["Created", "Publish", "Activate"].into_iter().chain(with_ds) {
        text.push_str(&format!("{event}: {moment}\n"));
    }
    text
}

/// BIND's own record of a key: all that it does is known everywhere, and nothing is about to change.
fn state_text(public: &PublicKey, zone: &str, standing: Standing) -> String {
    let ksk = public.flags == ENTRY_FLAGS;
    let zsk = !ksk || standing.role == Role::Csk;
    let word = |is: bool| if is { "yes" } else { "no" };
    let moment = moment_text(standing.since);
    let mut text = format!(
        "; This is the state of key {}, for {zone}\nAlgorithm: {}\nLength: {KEY_BITS}\nLifetime: 0\nKSK: {}\nZSK: {}\n\
         Generated: {moment}\nPublished: {moment}\nActive: {moment}\n",
        public.tag,
        public.algorithm,
        word(ksk),
        word(zsk)
    );
    if ksk {
        text.push_str(&format!("PublishCDS: {moment}\n"));
    }
    let parts = [("DNSKEY", true), ("ZRRSIG", zsk), ("KRRSIG", ksk), ("DS", ksk)];
    let parts: Vec<&str> = parts.into_iter().filter(|(_, has)| *has).map(|(part, _)| part).collect();
    parts.iter().for_each(|part| text.push_str(&format!("{part}Change: {moment}\n")));
    parts.iter().for_each(|part| text.push_str(&format!("{part}State: omnipresent\n")));
    text.push_str("GoalState: omnipresent\n");
    text
}

fn moment_text(moment: UnixTime) -> String {
    let mut text = String::new();
    print_moment(u32::try_from(moment.0).unwrap_or(u32::MAX), &mut text);
    text
}

/// A name in the name of a file, as BIND spells it: letters, digits, `-` and `_` as they are, others as `%2F`.
fn file_text(owner: &[u8]) -> String {
    if owner == ROOT {
        return ".".to_owned();
    }
    let mut text = String::new();
    for label in name::labels(owner) {
        for octet in label.to_ascii_lowercase() {
            match octet {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => text.push(char::from(octet)),
                _ => text.push_str(&format!("%{octet:02X}")),
            }
        }
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::foreign::read_foreign;
    use crate::sign::key::generate_pkcs8;

    fn name(text: &str) -> Name {
        Name::parse(text, ROOT).expect("a name")
    }

    fn new_key(flags: u16, algorithm: u8) -> (Zeroizing<Vec<u8>>, PublicKey) {
        let der = generate_pkcs8(algorithm).expect("a new key");
        let public = Key::from_pkcs8(flags, algorithm, &der).expect("a key").public_half();
        (der, public)
    }

    const STANDING: Option<Standing> = Some(Standing { role: Role::Csk, since: UnixTime(1_790_000_000) });

    #[test]
    fn what_is_written_is_read_back_as_the_same_key() {
        for (flags, algorithm) in [(256, 13), (257, 13), (256, 15), (257, 15)] {
            let (der, public) = new_key(flags, algorithm);
            let owner = name("a-v1.mx.example.");
            for standing in [None, STANDING] {
                let files = to_bind(&der, &public, &owner, 3600, standing).expect("files");
                let read = read_foreign(files.private.as_bytes(), Some(files.key.as_bytes())).expect("a key");
                assert_eq!(
                    (read.der, read.owner, read.public),
                    (der.clone(), Some(owner.clone()), Some(public.clone()))
                );
            }
            let pem = to_pem(&der, &public).expect("PEM");
            assert_eq!(read_foreign(pem.as_bytes(), None).expect("a key").der, der);
        }
    }

    #[test]
    fn a_private_key_is_not_written_as_another_one() {
        for algorithm in [13, 15] {
            let ((der, _), (_, other)) = (new_key(257, algorithm), new_key(257, algorithm));
            assert!(to_bind(&der, &other, &name("example."), 3600, None).is_err());
            assert!(to_pem(&der, &other).is_err());
        }
    }

    #[test]
    fn times_are_written_for_what_the_key_does() {
        let (der, public) = new_key(257, 15);
        let files = to_bind(&der, &public, &name("example."), 3600, STANDING).expect("files");
        assert!(files.private.starts_with("Private-key-format: v1.3\nAlgorithm: 15 (ED25519)\nPrivateKey: "));
        let times = "Created: 20260921141320\nPublish: 20260921141320\nActivate: 20260921141320\n";
        assert!(files.private.ends_with(&format!("{times}SyncPublish: 20260921141320\n")));
        let (der, public) = new_key(256, 13);
        let files = to_bind(&der, &public, &name("example."), 3600, STANDING).expect("files");
        assert!(files.private.ends_with(times), "no DS points at it");
    }

    #[test]
    fn the_state_names_what_the_role_does_and_nothing_else() {
        for (flags, role, ksk, zsk) in
            [(257, Role::Csk, "yes", "yes"), (257, Role::Ksk, "yes", "no"), (256, Role::Zsk, "no", "yes")]
        {
            let (der, public) = new_key(flags, 13);
            let standing = Standing { role, since: UnixTime(1_790_000_000) };
            let files = to_bind(&der, &public, &name("example."), 3600, Some(standing)).expect("files");
            let state = files.state.expect("a state");
            assert!(state.contains(&format!("\nKSK: {ksk}\nZSK: {zsk}\n")), "{state}");
            for part in ["KRRSIGState", "DSState", "DSChange", "PublishCDS"] {
                assert_eq!(state.contains(part), ksk == "yes", "{part}: {state}");
            }
            assert_eq!(state.contains("ZRRSIGState"), zsk == "yes", "{state}");
        }
    }

    #[test]
    fn secret_texts_keep_the_buffer_they_began_with() {
        let (der, public) = new_key(257, 13);
        let late = Standing { role: Role::Ksk, since: UnixTime(u64::MAX) };
        let files = to_bind(&der, &public, &name("example."), 3600, Some(late)).expect("files");
        assert!(files.private.len() < PRIVATE_TEXT_OCTETS);
        assert_eq!(files.private.capacity(), PRIVATE_TEXT_OCTETS);
        let pem = to_pem(&der, &public).expect("PEM");
        assert_eq!(pem.capacity(), (184_usize.div_ceil(64) + 2) * 65, "138 octets are 184 characters");
    }

    #[test]
    fn names_of_files_are_spelled_as_bind_spells_them() {
        assert_eq!(file_text(&name("0/25.2.0.192.in-addr.arpa.")), "0%2F25.2.0.192.in-addr.arpa.");
        assert_eq!(file_text(&name("a\\.b_c.example.")), "a%2Eb_c.example.");
        assert_eq!(file_text(ROOT), ".");
    }
}
