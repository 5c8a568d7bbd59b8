//! A mail host that offers STARTTLS with whatever key it is given, at an address of the loopback network.

use mxseal::cert::KeyKind;
use mxseal::cert::make::PrivateKey;
use mxseal::time::UnixTime;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Runs until the test ends.
pub struct MailHost {
    shown: Arc<Mutex<Arc<ServerConfig>>>,
}

/// A key that a host can show, and its digest in hex.
pub fn key() -> (PrivateKey, String) {
    let key = PrivateKey::generate(KeyKind::EcdsaP256).expect("a key");
    let spki = key.spki().to_string();
    (key, spki)
}

/// A certificate that a key signs itself.
pub fn certificate(key: &PrivateKey) -> String {
    key.self_signed(&["*.a.mx.example".to_owned()], UnixTime(1_700_000_000), 36_500).expect("a certificate")
}

fn config(key: &PrivateKey) -> Arc<ServerConfig> {
    let chain = CertificateDer::from_pem_slice(certificate(key).as_bytes()).expect("a certificate");
    let private = PrivateKeyDer::from_pem_slice(key.pem().as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    Arc::new(builder.with_no_client_auth().with_single_cert(vec![chain], private).expect("a configuration"))
}

impl MailHost {
    pub fn at(address: &str, port: u16, key: &PrivateKey) -> MailHost {
        let listener = TcpListener::bind((address, port)).expect("a port");
        let shown = Arc::new(Mutex::new(config(key)));
        let now = Arc::clone(&shown);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let config = Arc::clone(&now.lock().expect("a configuration"));
                std::thread::spawn(move || talk(stream, config));
            }
        });
        MailHost { shown }
    }

    pub fn show(&self, key: &PrivateKey) {
        *self.shown.lock().expect("a configuration") = config(key);
    }
}

fn talk(mut stream: TcpStream, config: Arc<ServerConfig>) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
    let _ = stream.write_all(b"220 mx ESMTP\r\n");
    heard(&mut stream);
    let _ = stream.write_all(b"250-mx\r\n250 STARTTLS\r\n");
    heard(&mut stream);
    let _ = stream.write_all(b"220 go\r\n");
    let Ok(connection) = rustls::ServerConnection::new(config) else { return };
    let mut tls = rustls::StreamOwned::new(connection, stream);
    let _ = tls.read(&mut [0; 512]);
}

fn heard(stream: &mut TcpStream) {
    let mut octet = [0];
    while stream.read(&mut octet).unwrap_or(0) == 1 && octet[0] != b'\n' {}
}
