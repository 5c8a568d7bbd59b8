//! Why the files of another server are not a key that signs here, and what to do.
//!
//! No variant carries text of a file: only numbers, and words from this program.

use crate::sign::key::KeyFault;
use std::fmt;

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// That with the private key.
    Private,
    /// That with the DNSKEY record.
    Public,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Private => "private",
            Side::Public => "public",
        })
    }
}

/// Why there is no key. No variant carries key material.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForeignFault {
    /// More than any key file has.
    #[error("the {side} file has {octets} octets, more than any key file: give the file with the one key")]
    TooLong {
        /// Which file.
        side: Side,
        /// Its octets.
        octets: usize,
    },
    /// Neither of the forms.
    #[error(
        "the private file is neither BIND's form (`Private-key-format:`) nor PEM (`-----BEGIN PRIVATE KEY-----`): give \
         the `.private` or `.pem` file; a key in DER becomes PEM by `openssl pkey -inform DER -in FILE -out FILE.pem`"
    )]
    Unknown,
    /// A DNSKEY record where the private key should be.
    #[error(
        "the private file holds the public DNSKEY record: give the file that ends in `.private` here, and this one as \
         the public file"
    )]
    PrivateIsPublic,
    /// A private key where the DNSKEY record should be.
    #[error("the public file holds a private key: give the file with the DNSKEY record, which ends in `.key`")]
    PublicIsPrivate,
    /// Under a passphrase.
    #[error(
        "the private key is encrypted with a passphrase: decrypt it on the machine where it lies, by `openssl pkey -in \
         FILE -out NEW`, and remove NEW afterwards"
    )]
    Encrypted,
    /// A reference to a device.
    #[error(
        "the private file only names a key inside of a device (PKCS#11), which cannot be read: roll to a key in a file \
         there first, or to a new key of this server"
    )]
    InDevice,
    /// A key that cannot sign here.
    #[error(
        "the key is {0}, with which this server does not sign: algorithms 13 (ECDSAP256SHA256) and 15 (ED25519) are; \
         roll the zone to one of them on its present server first, then give the new key"
    )]
    Algorithm(String),
    /// A line of the text form.
    #[error("line {line} of the private file {what}: give the file as the other server wrote it")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A line of the text form that is not there.
    #[error("the private file has no line `{0}:`, so it is not whole: copy it again")]
    Missing(&'static str),
    /// PEM that is not whole.
    #[error("the PEM of the private file {0}: give the file as it was written")]
    Pem(&'static str),
    /// DER that says what it must not.
    #[error("the private file is not a key as RFC 5958 or RFC 5915 has it, {0}: export it again")]
    Der(&'static str),
    /// DER that breaks off, or has something else in a place.
    #[error("the private file is damaged at {0}: copy or export it again")]
    DerField(&'static str),
    /// A private key of the wrong length.
    #[error("a private key of {octets} octets does not fit algorithm {algorithm}, which has 32: copy it again")]
    Length {
        /// Algorithm.
        algorithm: u8,
        /// Octets found.
        octets: usize,
    },
    /// P-256 without its public key.
    #[error(
        "the private file does not hold its public key (uncompressed), and it cannot be made from the private key here: \
         give the DNSKEY record as the public file too"
    )]
    NoPublic,
    /// A line of the public file.
    #[error("line {line} of the public file {what}: give one record, as `ZONE IN DNSKEY 257 3 13 BASE64`")]
    Record {
        /// From 1.
        line: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// Another number of records than one.
    #[error("the public file holds {0} records where one is expected: leave only the DNSKEY of this key")]
    Records(usize),
    /// A DNSKEY that is not that of a zone key.
    #[error("the public file: {0}; give a key that is in use, and is neither revoked nor a host's")]
    NotZoneKey(KeyFault),
    /// Two files of different keys.
    #[error(
        "the private key is not that of DNSKEY {tag} in the public file, or is damaged: give the two files of one key"
    )]
    NotPair {
        /// Tag in the public file.
        tag: u16,
    },
    /// Not a key, though it has the form of one.
    #[error("the private file is damaged: {0}; copy or export it again")]
    Rejected(KeyFault),
}
