//! One private key in its file: PKCS#8 in PEM, readable by its owner only.
//!
//! A key counts as kept only once it was read back from disk and proved that it is the one meant. Errors never quote
//! what a file holds.

use crate::sign::key::{Key, KeyFault, PublicKey, Role};
use crate::store::durable;
use crate::store::durable::{Disk, DiskFault, Exposure};
use data_encoding::BASE64;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, Zeroizing};

/// How names of key files end.
pub const KEY_SUFFIX: &str = ".pem";
/// Octets of a key file, at most: a key with its remarks takes a few hundred.
const KEY_FILE_OCTETS_MAX: usize = 16 * 1024;
/// Base64 digits of a line of PEM (RFC 7468 § 2).
const PEM_LINE_DIGITS: usize = 64;
const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----\n";
const PEM_END: &str = "-----END PRIVATE KEY-----\n";

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileFault {
    /// There is none.
    #[error("{} is missing", .0.display())]
    Missing(PathBuf),
    /// It cannot be read.
    #[error(transparent)]
    Disk(#[from] DiskFault),
    /// Others may read or replace it.
    #[error("{}: {exposure}", file.display())]
    Exposed {
        /// Key file.
        file: PathBuf,
        /// Who.
        exposure: Exposure,
    },
    /// It holds no private key in PEM.
    #[error("{} holds no `PRIVATE KEY` in PEM", .0.display())]
    NotPem(PathBuf),
    /// It holds another key than the one meant, or none of its algorithm.
    #[error("{}: {fault}", file.display())]
    Key {
        /// Key file.
        file: PathBuf,
        /// What does not fit.
        fault: KeyFault,
    },
}

/// Role, algorithm and tag in the name of a key file; none where it is not a name that this program gives.
pub fn parse_name(name: &str) -> Option<(Role, u8, u16)> {
    let mut parts = name.strip_suffix(KEY_SUFFIX)?.split('-');
    let role = match parts.next()? {
        "csk" => Role::Csk,
        "ksk" => Role::Ksk,
        "zsk" => Role::Zsk,
        _ => return None,
    };
    let (algorithm, tag) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some((role, algorithm, tag))
}

/// Writes a private key (PKCS#8 DER), reads it back and has it prove that it is `meant`.
///
/// # Errors
/// [`KeyFileFault`]; the key must not be used.
pub fn write(disk: &Disk, path: &Path, der: &[u8], meant: &PublicKey) -> Result<Key, KeyFileFault> {
    disk.write_whole(path, to_pem(der).as_bytes())?;
    let key = read(path, meant.flags, meant.algorithm)?;
    prove(path, &key, meant)?;
    Ok(key)
}

/// Reads a private key that only its owner can use.
///
/// # Errors
/// [`KeyFileFault`].
pub fn read(path: &Path, flags: u16, algorithm: u8) -> Result<Key, KeyFileFault> {
    let der = read_der(path)?;
    Key::from_pkcs8(flags, algorithm, &der).map_err(|fault| KeyFileFault::Key { file: path.to_owned(), fault })
}

/// Reads a key file as PKCS#8 DER, which is wiped from memory when dropped.
///
/// # Errors
/// [`KeyFileFault`].
pub fn read_der(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileFault> {
    let file = match durable::open(path) {
        Err(fault) if durable::is_missing(&fault) => return Err(KeyFileFault::Missing(path.to_owned())),
        file => file?,
    };
    let as_read = |cause| DiskFault { file: path.to_owned(), doing: "read", cause };
    let metadata = file.metadata().map_err(as_read)?;
    if let Err(exposure) = durable::check_private(&metadata).map_err(as_read)? {
        return Err(KeyFileFault::Exposed { file: path.to_owned(), exposure });
    }
    let pem = Zeroizing::new(durable::read(&file, path, KEY_FILE_OCTETS_MAX)?);
    // The reader's own errors quote lines of the file.
    let mut key = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| KeyFileFault::NotPem(path.to_owned()))?;
    let der = Zeroizing::new(key.secret_pkcs8_der().to_vec());
    key.zeroize();
    Ok(der)
}

/// Has a key sign, and checks it with the public half that it should belong to.
///
/// # Errors
/// [`KeyFileFault::Key`].
pub fn prove(path: &Path, key: &Key, meant: &PublicKey) -> Result<(), KeyFileFault> {
    // Any challenge will do here: nobody chooses signatures in advance who does not hold the key.
    key.prove(&meant.dnskey_data(), path.as_os_str().as_encoded_bytes())
        .map_err(|fault| KeyFileFault::Key { file: path.to_owned(), fault })
}

fn to_pem(der: &[u8]) -> Zeroizing<String> {
    let digits = Zeroizing::new(BASE64.encode(der));
    // All at once, so that the buffer never moves and leaves no copy behind.
    let mut pem = Zeroizing::new(String::with_capacity(PEM_BEGIN.len() + PEM_END.len() + 2 * digits.len()));
    pem.push_str(PEM_BEGIN);
    for line in digits.as_bytes().chunks(PEM_LINE_DIGITS) {
        pem.extend(line.iter().map(|digit| char::from(*digit)));
        pem.push('\n');
    }
    pem.push_str(PEM_END);
    pem
}
