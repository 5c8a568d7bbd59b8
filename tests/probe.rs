//! Looks at hosts that hang, talk without end, close, lie or offer little: a clear word, in bounded time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

use mxseal::cert::make::PrivateKey;
use mxseal::cert::{KeyClass, KeyKind, Spki};
use mxseal::config::can_be_looked_at;
use mxseal::probe::{Fault, Manner, Prober, Round, Stage, Target, look, targets};
use mxseal::time::UnixTime;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_millis(600);
/// A busy machine may take longer than the timeouts of a look, but never as long as a host that holds it.
const BOUND: Duration = Duration::from_secs(20);

fn manner() -> Manner {
    Manner { helo: "looker.example".to_owned(), timeout: TIMEOUT }
}

fn target(address: SocketAddr) -> Target {
    Target { address, sni: Some("t.mx.example".to_owned()), class: KeyClass::Ecdsa }
}

/// A host that does with each connection what is said.
fn host(act: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().flatten().for_each(act));
    address
}

/// Reads a line of the client.
fn heard(stream: &mut TcpStream) -> String {
    let (mut line, mut octet) = (Vec::new(), [0]);
    while stream.read(&mut octet).unwrap_or(0) == 1 && octet[0] != b'\n' {
        line.push(octet[0]);
    }
    String::from_utf8_lossy(&line).into_owned()
}

/// Greets, answers EHLO, and begins TLS.
fn up_to_tls(stream: &mut TcpStream) {
    let _ = stream.write_all(b"220 mx ESMTP\r\n");
    heard(stream);
    let _ = stream.write_all(b"250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n");
    heard(stream);
}

/// Waits until the other side is gone.
fn wait_for_end(stream: &mut TcpStream) {
    let mut octets = [0; 512];
    while stream.read(&mut octets).is_ok_and(|count| count > 0) {}
}

/// What is found with time enough, however busy the machine is.
fn fault(act: impl Fn(TcpStream) + Send + 'static) -> Fault {
    fault_with(Manner { timeout: BOUND / 2, ..manner() }, act)
}

/// What is found of a host that lets the short time run out.
fn hang(act: impl Fn(TcpStream) + Send + 'static) -> Fault {
    fault_with(manner(), act)
}

fn fault_with(manner: Manner, act: impl Fn(TcpStream) + Send + 'static) -> Fault {
    let began = Instant::now();
    let fault = look(&target(host(act)), &manner).expect_err("a fault");
    assert!(began.elapsed() < BOUND, "{fault} took {:?}", began.elapsed());
    assert!(!fault.word().is_empty() && fault.to_string().len() < 300, "{fault}");
    fault
}

#[test]
fn a_host_that_hangs_at_any_stage_costs_the_time_of_one_look() {
    assert_eq!(hang(|mut stream| wait_for_end(&mut stream)), Fault::TimedOut(Stage::Greeting));
    let ehlo = hang(|mut stream| {
        let _ = stream.write_all(b"220 mx\r\n");
        wait_for_end(&mut stream);
    });
    assert_eq!(ehlo, Fault::TimedOut(Stage::Ehlo));
    let handshake = hang(|mut stream| {
        up_to_tls(&mut stream);
        let _ = stream.write_all(b"220 go\r\n");
        wait_for_end(&mut stream);
    });
    assert_eq!(handshake, Fault::TimedOut(Stage::Handshake));
    // One octet now and then is no progress.
    let drip = hang(|mut stream| {
        until_refused(&mut stream);
    });
    assert_eq!(drip, Fault::TimedOut(Stage::Greeting));
}

fn until_refused(stream: &mut TcpStream) {
    while stream.write_all(b"2").is_ok() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn garbage_endless_talk_and_early_ends_are_told_apart() {
    let garbage = fault(|mut stream| {
        let _ = stream.write_all(b"\x16\x03\x01 HTTP/1.1 200 OK\r\n");
        wait_for_end(&mut stream);
    });
    assert!(matches!(&garbage, Fault::Garbage { stage: Stage::Greeting, said } if said.is_ascii()), "{garbage}");
    let long = fault(|mut stream| while stream.write_all(&[b'2'; 4096]).is_ok() {});
    assert_eq!(long, Fault::TooLong(Stage::Greeting));
    let endless = fault(|mut stream| while stream.write_all(b"220-still talking\r\n").is_ok() {});
    assert_eq!(endless, Fault::TooLong(Stage::Greeting));
    assert_eq!(fault(drop), Fault::Closed(Stage::Greeting));
    let turned = fault(|mut stream| drop(stream.write_all(b"554 no\r\n")));
    assert_eq!(turned, Fault::TurnedAway("554 `no`".to_owned()));
}

#[test]
fn starttls_that_is_not_offered_refused_injected_or_ended_is_named() {
    let none = fault(|mut stream| {
        let _ = stream.write_all(b"220 mx\r\n");
        heard(&mut stream);
        let _ = stream.write_all(b"250-mx\r\n250 SIZE\r\n");
    });
    assert_eq!(none, Fault::NoStarttls);
    let refused = fault(|mut stream| {
        up_to_tls(&mut stream);
        let _ = stream.write_all(b"454 not now\r\n");
    });
    assert_eq!(refused, Fault::StarttlsRefused("454 `not now`".to_owned()));
    let injected = fault(|mut stream| {
        up_to_tls(&mut stream);
        let _ = stream.write_all(b"220 go\r\n250 injected\r\n");
        wait_for_end(&mut stream);
    });
    assert_eq!(injected, Fault::Injected);
    let closed = fault(|mut stream| {
        up_to_tls(&mut stream);
        let _ = stream.write_all(b"220 go\r\n");
    });
    assert_eq!(closed, Fault::Closed(Stage::Handshake));
    let talk = fault(|mut stream| {
        up_to_tls(&mut stream);
        let _ = stream.write_all(b"220 go\r\n");
        heard_some(&mut stream);
        let _ = stream.write_all(b"this is not TLS at all, but text without end\r\n");
        wait_for_end(&mut stream);
    });
    assert!(matches!(talk, Fault::Handshake(_)), "{talk}");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(look(&target(nobody), &manner()), Err(Fault::Refused));
}

fn heard_some(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0; 64]);
}

/// An openssl server, and in front of it a host that relays to it after STARTTLS; both end with it.
struct Tls {
    server: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Tls {
    /// Certificates of these kinds, and more words for openssl.
    fn start(kinds: &[KeyKind], more: &[&str]) -> (Tls, Vec<PrivateKey>) {
        let folder = tempfile::tempdir().unwrap();
        let mut words: Vec<String> = Vec::new();
        let mut keys = Vec::new();
        for (count, kind) in kinds.iter().enumerate() {
            let key = PrivateKey::generate(*kind).unwrap();
            let pem = key.self_signed(&["t.mx.example".to_owned()], UnixTime(1_795_000_000), 900).unwrap();
            std::fs::write(folder.path().join(format!("{count}.pem")), pem).unwrap();
            std::fs::write(folder.path().join(format!("{count}.key")), key.pem()).unwrap();
            let flags = if count == 0 { ["-cert", "-key"] } else { ["-dcert", "-dkey"] };
            words.extend(
                flags
                    .into_iter()
                    .zip(["pem", "key"])
                    .flat_map(|(flag, end)| [flag.to_owned(), format!("{count}.{end}")]),
            );
            keys.push(key);
        }
        words.extend(more.iter().map(|word| (*word).to_owned()));
        (Tls::serve(folder, &words), keys)
    }

    /// A server in a folder with its certificates.
    fn serve(folder: tempfile::TempDir, words: &[String]) -> Tls {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Command::new("openssl")
            .args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-quiet"])
            .args(words)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let behind = SocketAddr::from(([127, 0, 0, 1], port));
        until_up(behind);
        let address = host(move |stream| relay(stream, behind));
        Tls { server, address, folder }
    }

    /// A server whose key and certificate openssl makes: words for `genpkey`, for `req -x509`, and for `s_server`.
    fn of(key: &[&str], certificate: &[&str], more: &[&str]) -> Tls {
        let folder = tempfile::tempdir().unwrap();
        openssl(folder.path(), &[&["genpkey", "-out", "0.key", "-algorithm"][..], key].concat());
        let make = ["req", "-x509", "-new", "-key", "0.key", "-subj", "/CN=t", "-days", "9", "-out", "0.pem"];
        openssl(folder.path(), &[&make[..], certificate].concat());
        let words = [&["-cert", "0.pem", "-key", "0.key"][..], more].concat();
        Tls::serve(folder, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    /// The key that it is started with.
    fn spki(&self) -> Spki {
        let info = openssl(self.folder.path(), &["pkey", "-in", "0.key", "-pubout", "-outform", "der"]);
        Spki::of(&info)
    }

    /// The key that it shows, in one class.
    fn shown(&self, class: KeyClass) -> Result<Option<Spki>, Fault> {
        self.look(class).map(|sight| sight.chain.map(|chain| chain.leaf.spki))
    }

    fn look(&self, class: KeyClass) -> Result<mxseal::probe::Sight, Fault> {
        let manner = Manner { timeout: Duration::from_secs(10), ..manner() };
        look(&Target { class, ..target(self.address) }, &manner)
    }
}

fn openssl(folder: &Path, words: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl").args(words).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn until_up(address: SocketAddr) {
    let began = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(began.elapsed() < Duration::from_secs(20), "openssl s_server does not answer");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn relay(mut client: TcpStream, behind: SocketAddr) {
    std::thread::spawn(move || {
        up_to_tls(&mut client);
        let _ = client.write_all(b"220 go\r\n");
        let Ok(mut server) = TcpStream::connect(behind) else { return };
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut from, &mut to).map(|_| to.shutdown(std::net::Shutdown::Write)));
        let _ = std::io::copy(&mut server, &mut client);
        let _ = client.shutdown(std::net::Shutdown::Both);
    });
}

#[test]
fn each_kind_of_key_is_seen_by_those_who_ask_for_it_and_no_other() {
    for version in ["-tls1_2", "-tls1_3"] {
        let (tls, keys) = Tls::start(&[KeyKind::EcdsaP256, KeyKind::Ed25519], &[version]);
        let spki = |class| {
            tls.look(class).unwrap_or_else(|fault| panic!("{version}: {fault}")).chain.map(|chain| chain.leaf.spki)
        };
        assert_eq!(spki(KeyClass::Ecdsa), Some(keys[0].spki()), "{version}");
        assert_eq!(spki(KeyClass::Ed25519), Some(keys[1].spki()), "{version}");
        assert_eq!(spki(KeyClass::Rsa), None, "no certificate of that kind is no fault");
    }
}

const P256: &[&str] = &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
const P384: &[&str] = &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"];
const P521: &[&str] = &["EC", "-pkeyopt", "ec_paramgen_curve:P-521"];
const RSA: &[&str] = &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
const PSS: &[&str] = &["RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"];

#[test]
fn a_key_of_each_kind_is_proved_by_each_signature_that_a_host_may_make_with_it() {
    use KeyClass::{Ecdsa, Ed25519, Rsa};
    for (class, key, more) in [
        (Ecdsa, P256, &["-tls1_3"][..]),
        (Ecdsa, P384, &["-tls1_3"]),
        (Ecdsa, P521, &["-tls1_3"]),
        (Ecdsa, P256, &["-tls1_2", "-sigalgs", "ECDSA+SHA384"]),
        (Ecdsa, P384, &["-tls1_2", "-sigalgs", "ECDSA+SHA256"]),
        (Ecdsa, P521, &["-tls1_2", "-sigalgs", "ECDSA+SHA256"]),
        (Ecdsa, P521, &["-tls1_2", "-sigalgs", "ECDSA+SHA384"]),
        (Ecdsa, P521, &["-tls1_2", "-sigalgs", "ECDSA+SHA512"]),
        // The exchange is on that curve, too.
        (Ecdsa, P521, &["-tls1_2", "-groups", "P-521"]),
        (Ecdsa, P521, &["-tls1_3", "-groups", "P-521"]),
        // It would rather sign in a way that is not verified here.
        (Ecdsa, P256, &["-tls1_2", "-serverpref", "-sigalgs", "ECDSA+SHA512:ECDSA+SHA256"]),
        (Rsa, RSA, &["-tls1_3"]),
        (Rsa, &["RSA", "-pkeyopt", "rsa_keygen_bits:3072"], &["-tls1_2", "-sigalgs", "RSA+SHA512"]),
        (Rsa, &["RSA", "-pkeyopt", "rsa_keygen_bits:8192"], &["-tls1_3"]),
        (Rsa, RSA, &["-tls1_2", "-sigalgs", "RSA-PSS+SHA384"]),
        (Rsa, PSS, &["-tls1_3"]),
        (Rsa, PSS, &["-tls1_3", "-sigalgs", "rsa_pss_pss_sha512"]),
        (Ed25519, &["ED25519"], &["-tls1_3"]),
    ] {
        let tls = Tls::of(key, &[], more);
        for asked in KeyClass::ALL {
            let wanted = (asked == class).then(|| tls.spki());
            assert_eq!(tls.shown(asked), Ok(wanted), "{key:?} {more:?}, asked for {}", asked.word());
        }
    }
}

#[test]
fn a_key_that_cannot_be_verified_is_not_known_and_never_taken_for_none() {
    let unproven = |key, more: &[&str], class| match Tls::of(key, &[], more).look(class) {
        Err(Fault::Unproven(why)) => why,
        other => panic!("{key:?} {more:?}: {other:?}"),
    };
    let why = unproven(PSS, &["-tls1_2"], KeyClass::Rsa);
    assert!(why.contains("TLS 1.3"), "{why}");
    let why = unproven(P256, &["-tls1_2", "-sigalgs", "ECDSA+SHA512"], KeyClass::Ecdsa);
    assert!(why.contains("ecdsa-p256") && why.contains("SHA512"), "{why}");
    let short = Tls::of(&["RSA", "-pkeyopt", "rsa_keygen_bits:1024"], &[], &["-cipher", "ALL:@SECLEVEL=0"]);
    assert!(matches!(short.look(KeyClass::Rsa), Err(Fault::Chain(why)) if why.contains("1024 bits")));
    // No host can be asked for these: it shows nothing, and that is told where nothing else is shown.
    for key in [&["ED448"][..], &["EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"]] {
        let tls = Tls::of(key, &[], &[]);
        assert_eq!(KeyClass::ALL.map(|class| tls.shown(class)), [Ok(None), Ok(None), Ok(None)], "{key:?}");
    }
}

#[test]
fn the_command_that_prints_tlsa_ends_well_only_where_it_found_some() {
    let ran = |tls: &Tls| {
        let words = ["cert", "tlsa", &tls.address.to_string()];
        let output = Command::new(env!("CARGO_BIN_EXE_mxseal")).args(words).output().unwrap();
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let known = Tls::of(P521, &[], &[]);
    let (code, out, err) = ran(&known);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.starts_with(&format!("3 1 1 {}    ; ecdsa-p521", known.spki())), "{out}");
    let unknown = Tls::of(&["ED448"], &[], &[]);
    let (code, out, err) = ran(&unknown);
    assert_eq!((code, out.as_str()), (Some(1), ""), "nothing found is no success");
    assert!(err.contains("is not known") && err.contains("probe = false"), "{err}");
}

#[test]
fn what_a_certificate_says_beside_its_key_changes_nothing() {
    let behind = tempfile::tempdir().unwrap();
    openssl(behind.path(), &["genpkey", "-out", "s.key", "-algorithm", "ED448"]);
    openssl(behind.path(), &["req", "-x509", "-key", "s.key", "-subj", "/CN=stray", "-out", "s.pem"]);
    let stray = behind.path().join("s.pem").display().to_string();
    for certificate in [
        &["-addext", "basicConstraints=critical,CA:TRUE"][..],
        &["-addext", "1.2.3.4=critical,ASN1:NULL"],
        &["-addext", "extendedKeyUsage=critical,clientAuth", "-addext", "subjectAltName=DNS:elsewhere.example"],
    ] {
        for more in [&["-tls1_2"][..], &["-tls1_3", "-cert_chain", &stray]] {
            let tls = Tls::of(P256, certificate, more);
            assert_eq!(tls.shown(KeyClass::Ecdsa), Ok(Some(tls.spki())), "{certificate:?} {more:?}");
        }
    }
}

#[test]
fn dates_of_a_certificate_are_no_matter_of_a_look() {
    for from in [UnixTime(1_000_000_000), UnixTime(4_000_000_000)] {
        let key = PrivateKey::generate(KeyKind::EcdsaP256).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("0.pem"), key.self_signed(&["t.example".to_owned()], from, 30).unwrap())
            .unwrap();
        std::fs::write(folder.path().join("0.key"), key.pem()).unwrap();
        let tls = Tls::serve(folder, &["-cert", "0.pem", "-key", "0.key"].map(str::to_owned));
        assert_eq!(tls.shown(KeyClass::Ecdsa), Ok(Some(key.spki())));
    }
}

#[test]
fn a_host_that_refuses_after_it_has_shown_its_key_is_no_host_without_one() {
    let tls = Tls::of(P256, &[], &["-tls1_2", "-Verify", "1"]);
    // The alert is lost where the host closes the connection before it is read.
    let seen = tls.look(KeyClass::Ecdsa);
    assert!(matches!(seen, Err(Fault::Handshake(_) | Fault::Closed(Stage::Handshake))), "{seen:?}");
}

/// Shows one certificate, and signs with another key.
#[derive(Debug)]
struct Impostor(std::sync::Arc<rustls::sign::CertifiedKey>);

impl rustls::server::ResolvesServerCert for Impostor {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<std::sync::Arc<rustls::sign::CertifiedKey>> {
        Some(std::sync::Arc::clone(&self.0))
    }
}

#[test]
fn a_host_that_lacks_the_key_of_its_certificate_proves_nothing() {
    let [shown, held] = [0, 1].map(|_| PrivateKey::generate(KeyKind::EcdsaP256).unwrap());
    let pem = shown.self_signed(&["t.mx.example".to_owned()], UnixTime(1_795_000_000), 900).unwrap();
    let chain = mxseal::cert::chain::parse_pem(pem.as_bytes()).unwrap();
    let key = rustls::pki_types::pem::PemObject::from_pem_slice(held.pem().as_bytes()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let key = provider.key_provider.load_private_key(key).unwrap();
    let certified = rustls::sign::CertifiedKey::new(chain.der.into_iter().map(Into::into).collect(), key);
    let resolver = std::sync::Arc::new(Impostor(std::sync::Arc::new(certified)));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = rustls::ServerConfig::builder_with_provider(std::sync::Arc::clone(&provider));
        let config = config.with_protocol_versions(&[version]).unwrap().with_no_client_auth();
        let config = std::sync::Arc::new(config.with_cert_resolver(std::sync::Arc::<Impostor>::clone(&resolver)));
        let address = host(move |mut stream| {
            up_to_tls(&mut stream);
            let _ = stream.write_all(b"220 go\r\n");
            let mut tls = rustls::ServerConnection::new(std::sync::Arc::clone(&config)).unwrap();
            let _ = tls.complete_io(&mut stream);
        });
        let manner = Manner { timeout: Duration::from_secs(10), ..manner() };
        assert_eq!(look(&target(address), &manner), Err(Fault::BadSignature), "{version:?}");
    }
}

#[test]
fn a_host_with_old_tls_only_is_told_so() {
    let (tls, _) = Tls::start(&[KeyKind::EcdsaP256], &["-tls1", "-cipher", "ALL:@SECLEVEL=0"]);
    assert_eq!(tls.look(KeyClass::Ecdsa), Err(Fault::OldTls));
}

#[test]
fn a_round_looks_at_all_hosts_and_reports_once() {
    let (tls, keys) = Tls::start(&[KeyKind::EcdsaP256], &[]);
    let (report, seen) = channel();
    let prober = Prober::start(4, move |seen| drop(report.send(seen))).unwrap();
    let silent = host(drop);
    let mut all = targets(&[tls.address.ip()], tls.address.port(), Some("t.mx.example"));
    assert_eq!(all.len(), 6, "each kind, with the name and without");
    all.extend(targets(&[silent.ip()], silent.port(), None));
    let manner = Manner { timeout: Duration::from_secs(10), ..manner() };
    assert_eq!(prober.ask(Round { pool: "eu".to_owned(), number: 7, targets: all, manner }), Ok(()));
    let seen = seen.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!((seen.pool.as_str(), seen.number, seen.sights.len()), ("eu", 7, 9));
    let shown =
        seen.sights.iter().filter_map(|(_, sight)| sight.as_ref().ok()?.chain.as_ref()).map(|chain| chain.leaf.spki);
    assert_eq!(shown.collect::<Vec<_>>(), [keys[0].spki(); 2]);
    assert_eq!(seen.sights.iter().filter(|(_, sight)| *sight == Err(Fault::Closed(Stage::Greeting))).count(), 3);
}

#[test]
fn one_host_is_never_looked_at_in_a_burst() {
    let (came, times) = channel();
    let hasty = host(move |_| came.send(Instant::now()).unwrap_or_default());
    let (report, seen) = channel();
    let prober = Prober::start(4, move |seen| drop(report.send(seen))).unwrap();
    let targets = targets(&[hasty.ip()], hasty.port(), Some("t.mx.example"));
    let round = Round { pool: "eu".to_owned(), number: 1, targets, manner: manner() };
    assert_eq!(prober.ask(round), Ok(()));
    seen.recv_timeout(Duration::from_secs(60)).unwrap();
    let times: Vec<Instant> = times.try_iter().collect();
    assert_eq!(times.len(), 6);
    let least = times.windows(2).map(|two| two[1] - two[0]).min().unwrap();
    assert!(least >= Duration::from_millis(90), "{least:?} apart");
}

#[test]
fn addresses_of_documentation_are_those_of_no_host() {
    for (address, good) in [
        ("192.0.2.1", false),
        ("198.51.100.9", false),
        ("203.0.113.7", false),
        ("2001:db8::1", false),
        ("3fff::1", false),
        ("127.0.0.1", true),
        ("2001:db9::1", true),
    ] {
        assert_eq!(can_be_looked_at(address.parse().unwrap()), good, "{address}");
    }
}
