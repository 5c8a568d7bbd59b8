//! Whom senders trust that go by MTA-STS: the public authorities (RFC 8461 § 4.2). DANE needs none of them.
//!
//! It says yes or why not, about the chain alone: names and dates are looked at elsewhere.

use super::pem::{self, Label};
use crate::time::UnixTime;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use std::sync::Arc;
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage};

/// Authorities that are trusted.
#[derive(Clone)]
pub struct Roots(Arc<RootCertStore>);

impl Roots {
    /// Reads a bundle of authorities in PEM; those that cannot be used are passed over, as everybody does. What is no
    /// certificate at all is not: an authority that was not read would make good chains look bad.
    ///
    /// # Errors
    /// Where none can be used, or a section is not understood.
    pub fn parse_pem(octets: &[u8]) -> Result<Roots, String> {
        let mut store = RootCertStore::empty();
        let sections = pem::sections(octets).map_err(|fault| fault.to_string())?;
        let certificates = sections.iter().filter(|section| section.label == Label::Certificate);
        let certificates = certificates.map(|section| CertificateDer::from(section.der.to_vec()));
        let (used, passed) = store.add_parsable_certificates(certificates);
        match used {
            0 => Err(format!("none of the {passed} certificates in it is one of an authority")),
            _ => Ok(Roots(Arc::new(store))),
        }
    }

    /// Whether the chain leads to one of them at that moment; the host's certificate comes first.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn trust(&self, der: &[Vec<u8>], now: UnixTime) -> Result<(), String> {
        let certificates: Vec<CertificateDer<'_>> =
            der.iter().map(|octets| CertificateDer::from(octets.as_slice())).collect();
        let Some((leaf, issuers)) = certificates.split_first() else { return Err("there is none".to_owned()) };
        let leaf = EndEntityCert::try_from(leaf).map_err(|fault| fault.to_string())?;
        let now = rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_secs(now.0));
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        let usage = KeyUsage::server_auth();
        let found = leaf.verify_for_usage(algorithms, &self.0.roots, issuers, now, usage, None, None);
        found.map(drop).map_err(|fault| match fault {
            webpki::Error::UnknownIssuer if der.len() == 1 => {
                "no known authority signed it, or the chain lacks its issuers".to_owned()
            }
            webpki::Error::UnknownIssuer => "no known authority signed it".to_owned(),
            other => other.to_string(),
        })
    }
}
