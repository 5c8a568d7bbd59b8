//! The certificate of DoT and DoQ: read from PEM files, or made at the start.
//!
//! No error quotes a file, since it could be a key.

use super::EncryptedFault;
use crate::time;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Validity of a self-made certificate: longer than a process lives. Nobody validates it (RFC 9539 § 4.6.3.4), and
/// each start makes a new one.
const SELF_MADE_YEARS: i16 = 5;

/// Where the certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// Made at the start, for this name; enough for opportunistic encryption (RFC 9539 § 3.2).
    SelfMade(String),
    /// PEM files: a chain and its key.
    Files {
        /// The chain, the server's certificate first.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
}

/// Reads or makes the certificate; before the folders are closed. `now` dates a self-made one.
///
/// # Errors
/// [`EncryptedFault`] names the file.
pub fn load(source: &Certificate, now: time::UnixTime) -> Result<Arc<CertifiedKey>, EncryptedFault> {
    let (chain, key) = match source {
        Certificate::SelfMade(name) => make(name, now)?,
        Certificate::Files { certificate, key } => (read_chain(certificate)?, read_key(key)?),
    };
    let provider = rustls::crypto::ring::default_provider();
    Ok(Arc::new(CertifiedKey::from_der(chain, key, &provider)?))
}

type Credentials = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, EncryptedFault> {
    let fault = |cause: String| EncryptedFault::Pem { file: file.display().to_string(), cause };
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect).map_err(|cause| fault(in_words(&cause)));
    chain.and_then(|chain| if chain.is_empty() { Err(fault("holds no certificate".to_owned())) } else { Ok(chain) })
}

fn read_key(file: &Path) -> Result<PrivateKeyDer<'static>, EncryptedFault> {
    let fault = |cause| EncryptedFault::Pem { file: file.display().to_string(), cause: in_words(&cause) };
    PrivateKeyDer::from_pem_file(file).map_err(fault)
}

/// The reader's own text quotes lines of the file, and this file may be a key.
fn in_words(fault: &rustls_pki_types::pem::Error) -> String {
    use rustls_pki_types::pem::Error;
    match fault {
        Error::Io(fault) => fault.to_string(),
        Error::NoItemsFound => "holds nothing of the kind".to_owned(),
        // The others tell what is wrong with the text of it; the enum may grow.
        _ => "is not well-formed PEM".to_owned(),
    }
}

fn make(name: &str, now: time::UnixTime) -> Result<Credentials, EncryptedFault> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let plain = name.trim_end_matches('.');
    let usable = rustls_pki_types::DnsName::try_from(plain).is_ok();
    let name = if usable { plain } else { "mxseal.invalid" };
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()])?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    // A day back, for clients whose clocks are slow; to the 28th, since that day exists in each month of each year.
    let (from, to) = (day(now.before(86_400)), day(now));
    let small = |part: i8| u8::try_from(part).unwrap_or(1);
    params.not_before = rcgen::date_time_ymd(from.year().into(), small(from.month()), small(from.day()));
    let last = (to.year().saturating_add(SELF_MADE_YEARS), small(to.month()), small(to.day()).min(28));
    params.not_after = rcgen::date_time_ymd(last.0.into(), last.1, last.2);
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|cause| rustls::Error::General(cause.to_owned()))?;
    Ok((vec![certificate.der().clone()], key))
}

fn day(moment: time::UnixTime) -> jiff::civil::Date {
    let seconds = i64::try_from(moment.0).unwrap_or(0);
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_self_made_certificate_has_a_name_and_dates_around_its_start() {
        let now = time::UnixTime(1_900_000_000);
        for (name, expected) in [("mx1.example.net.", "mx1.example.net"), ("not a name", "mxseal.invalid")] {
            let made = load(&Certificate::SelfMade(name.to_owned()), now).expect("a certificate");
            let (_, read) = x509_parser::parse_x509_certificate(&made.cert[0]).expect("a certificate that parses");
            assert!(read.subject().to_string().contains(expected), "{}", read.subject());
            let (from, to) = (read.validity().not_before.timestamp(), read.validity().not_after.timestamp());
            assert!((1_900_000_000 - 2 * 86_400..1_900_000_000).contains(&from), "{from}");
            assert!((1_900_000_000 + 4 * 365 * 86_400..1_900_000_000 + 6 * 365 * 86_400).contains(&to), "{to}");
        }
    }

    #[test]
    fn pem_files_are_used_and_their_content_is_never_quoted() {
        let folder = tempfile::tempdir().expect("a folder");
        let pair = rcgen::generate_simple_self_signed(vec!["mx.example".to_owned()]).expect("a pair");
        let (certificate, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
        std::fs::write(&certificate, pair.cert.pem()).expect("written");
        std::fs::write(&key, pair.signing_key.serialize_pem()).expect("written");
        let files =
            |certificate: &Path, key: &Path| Certificate::Files { certificate: certificate.into(), key: key.into() };
        let now = time::UnixTime(1_900_000_000);
        assert!(load(&files(&certificate, &key), now).is_ok());
        let other = rcgen::KeyPair::generate().expect("a key");
        std::fs::write(&key, other.serialize_pem()).expect("written");
        assert!(load(&files(&certificate, &key), now).is_err(), "a key of another certificate");
        std::fs::write(&key, "-----BEGIN SECRETBYTES\n").expect("written");
        for broken in [files(&certificate, &key), files(&key, &key), files(&folder.path().join("none"), &key)] {
            let text = load(&broken, now).expect_err("a broken file").to_string();
            assert!(text.contains(".pem") || text.contains("none"), "{text}");
            assert!(!text.contains("SECRETBYTES"), "{text}");
        }
    }
}
