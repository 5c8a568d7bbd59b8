//! The handshake: which certificate a host shows to a sender that is limited to one kind of key.
//!
//! Any certificate is taken, as DANE asks for no more than its key; but the host must prove that it has that key.

use super::dialogue::Line;
use super::fault::{Fault, Stage, transfer};
use super::group::P521;
use super::proof::{self, Curves, Signed};
use super::{Sight, Target};
use crate::cert::{KeyClass, chain};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, IpAddr, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, CipherSuite, ClientConfig, ClientConnection, DigitallySignedStruct, Error,
    OtherError, PeerIncompatible, PeerMisbehaved, ProtocolVersion, SignatureScheme,
};
use std::io::{self, Write};
use std::sync::Arc;

/// Takes any certificate whose key the host proves to have.
#[derive(Debug)]
struct AnyCertificate {
    schemes: Vec<SignatureScheme>,
}

impl AnyCertificate {
    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        message: &[u8],
        is_newest: bool,
    ) -> Result<HandshakeSignatureValid, Error> {
        if !self.schemes.contains(&signed.scheme) {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        let signed = Signed { scheme: signed.scheme, is_newest, message, signature: signed.signature() };
        let proved = proof::verify(certificate, &signed);
        let other = |fault| Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(fault))));
        proved.map(|()| HandshakeSignatureValid::assertion()).map_err(other)
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(cert, dss, message, false)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(cert, dss, message, true)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

/// Whether a cipher suite of TLS 1.2 goes with a kind of key; those of TLS 1.3 go with all.
fn suits(suite: CipherSuite, class: KeyClass) -> bool {
    let name = suite.as_str().unwrap_or_default();
    match class {
        KeyClass::Rsa => !name.contains("_ECDSA_"),
        KeyClass::Ecdsa | KeyClass::Ed25519 => !name.contains("_ECDHE_RSA_"),
    }
}

/// Does the handshake and says goodbye.
pub(super) fn shake_hands(line: &mut Line, target: &Target, curves: Curves) -> Result<Sight, Fault> {
    let mut connection = connection(target, curves).map_err(|fault| Fault::Internal(fault.to_string()))?;
    while connection.is_handshaking() {
        match connection.complete_io(line) {
            Ok(_) => {}
            Err(cause) => return failed(&cause, connection.peer_certificates().is_some()),
        }
    }
    let der = connection.peer_certificates().unwrap_or_default().iter().map(|der| der.to_vec()).collect();
    let chain = chain::shown(der).map_err(|fault| Fault::Chain(fault.to_string()))?;
    let tls = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS",
    };
    // All that was wanted is known; a host that does not take leave keeps it to itself.
    let _ = connection.writer().write_all(b"QUIT\r\n").and_then(|()| connection.complete_io(line).map(drop));
    connection.send_close_notify();
    let _ = connection.write_tls(line);
    Ok(Sight { chain: Some(chain), tls: tls.to_owned() })
}

fn connection(target: &Target, curves: Curves) -> Result<ClientConnection, Error> {
    let mut provider = ring::default_provider();
    provider.cipher_suites.retain(|suite| suits(suite.suite(), target.class));
    if target.class == KeyClass::Ecdsa {
        provider.kx_groups.push(&P521);
    }
    let provider: Arc<CryptoProvider> = Arc::new(provider);
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let verifier = Arc::new(AnyCertificate { schemes: proof::schemes(target.class, curves) });
    let mut config = config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_sni = target.sni.is_some();
    let name = match &target.sni {
        Some(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
            .map_err(|_| Error::General(format!("{name} is no name for SNI")))?,
        None => ServerName::IpAddress(IpAddr::from(target.address.ip())),
    };
    ClientConnection::new(Arc::new(config), name)
}

/// What a failed handshake means: no certificate of this kind, or a fault. `is_shown`: the host had proved a key by then, so
/// that it cannot mean the first.
fn failed(cause: &io::Error, is_shown: bool) -> Result<Sight, Fault> {
    let tls = cause.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let Some(tls) = tls else { return Err(transfer(cause, Stage::Handshake)) };
    match tls {
        Error::AlertReceived(alert) if is_shown => {
            let why = "it has shown its certificate and then refuses, as hosts do that want one of clients";
            Err(Fault::Handshake(format!("{why} ({alert:?}): it must take mail without (`smtpd_tls_req_ccert = no`)")))
        }
        // RFC 8446 § 6.2: no acceptable set of parameters; OpenSSL says so where it has no certificate that fits.
        Error::AlertReceived(AlertDescription::HandshakeFailure)
        | Error::PeerIncompatible(
            PeerIncompatible::NoSignatureSchemesInCommon | PeerIncompatible::NoCipherSuitesInCommon,
        ) => Ok(Sight { chain: None, tls: String::new() }),
        Error::AlertReceived(AlertDescription::ProtocolVersion)
        | Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13 | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => Err(Fault::OldTls),
        // The library takes RSASSA-PSS keys in TLS 1.3 alone.
        Error::PeerMisbehaved(PeerMisbehaved::SignedKxWithWrongAlgorithm) => {
            let why = "it signs in a way that is not verified here in TLS 1.2, as with a key for RSASSA-PSS alone";
            Err(Fault::Unproven(format!("{why}; allow TLS 1.3")))
        }
        Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) => {
            let fault = cause.downcast_ref::<Fault>().cloned();
            Err(fault.unwrap_or_else(|| Fault::Chain(cause.to_string())))
        }
        Error::InvalidCertificate(other) => Err(Fault::Chain(other.to_string())),
        other => Err(Fault::Handshake(other.to_string())),
    }
}
