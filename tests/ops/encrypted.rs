//! DoT and DoQ with independent clients: the records of `respond` arrive, and no client can end a listener.

use crate::alone;
use arc_swap::ArcSwap;
use hickory_net::proto::op::{DnsRequest, DnsRequestOptions, Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_net::proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use hickory_net::proto::rr::{DNSClass, Name, RData, Record, RecordType, rdata};
use hickory_net::proto::serialize::binary::BinEncodable;
use hickory_net::quic::QuicClientStream;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::tls::tls_exchange;
use hickory_net::xfer::{DnsExchange, FirstAnswer};
use hickory_net::{DnsHandle, NetError};
use mxseal::answer::{Account, Asked, Effort, Outcome, Reply, Snapshot, Transport};
use mxseal::metrics::{Metrics, Proto};
use mxseal::serve::Signatures;
use mxseal::serve::encrypted::{self, Certificate, Encrypted, Options, Sockets};
use mxseal::time::UnixTime;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls_pki_types::{CertificateDer, ServerName};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// The codes of what the answers carry.
const NSID: u16 = 3;
const COOKIE: u16 = 10;
const EXTENDED_ERROR: u16 = 15;

fn record(name: &Name, code: RecordType, octets: &[u8]) -> Record {
    let data = RData::Unknown { code, rdata: rdata::NULL::with(octets.to_vec()) };
    Record::from_rdata(name.clone(), 1800, data)
}

/// An answer with everything that could get lost on the way.
fn full_answer(name: &Name, asked: &Message) -> Message {
    let mut message = Message::response(asked.metadata.id, OpCode::Query);
    message.metadata.authoritative = true;
    message.metadata.recursion_desired = asked.metadata.recursion_desired;
    message.metadata.response_code = ResponseCode::BADCOOKIE;
    message.add_queries(asked.queries.clone());
    let tlsa = [&[3, 1, 1][..], &[7; 32]].concat();
    // Types covered by the NSEC: RRSIG, NSEC and NXNAME (RFC 9824 § 3.1).
    let bitmap = [&[0, 17, 0, 0, 0, 0, 0, 3][..], &[0; 10], &[0x80]].concat();
    let nsec = [&b"\x01\x00\x0cdenied-thing\x02mx\x07example\x00"[..], &bitmap].concat();
    let signature =
        [&[0, 52, 13, 4, 0, 0, 7, 8][..], &[0x6b; 8], &[0x12, 0x34], b"\x02mx\x07example\x00", &[9; 64]].concat();
    message.add_answer(Record::from_rdata(name.clone(), 1800, RData::A(rdata::A::new(192, 0, 2, 25))));
    message.add_answer(record(name, RecordType::TLSA, &tlsa));
    message.add_answer(record(name, RecordType::RRSIG, &signature));
    message.add_authority(record(name, RecordType::NSEC, &nsec));
    message.add_authority(record(name, RecordType::RRSIG, &signature));
    message.add_additional(record(name, RecordType::Unknown(65_400), &[0, 1, 2, 255]));
    let mut chaos = record(name, RecordType::TXT, b"\x03one\x05tw\x00o!");
    chaos.dns_class = DNSClass::CH;
    message.add_additional(chaos);
    let mut edns = Edns::new();
    edns.set_max_payload(1232).set_dnssec_ok(true);
    edns.flags_mut().z = 0x4000;
    for (code, octets) in
        [(NSID, &b"mx1"[..]), (COOKIE, &[1; 24]), (EXTENDED_ERROR, &[0, 30, b'x']), (EXTENDED_ERROR, &[0, 14])]
    {
        edns.options_mut().options.push((EdnsCode::from(code), EdnsOption::Unknown(code, octets.to_vec())));
    }
    message.set_edns(edns);
    message
}

/// Stands in for the query path; the first label says what to do.
fn respond(_snapshot: &Snapshot, asked: &Asked<'_>, out: &mut [u8]) -> Reply {
    assert_eq!(asked.transport, Transport::Encrypted);
    assert!(asked.source.is_loopback() && asked.now > UnixTime(1_700_000_000) && out.len() == 65_535);
    let message = Message::from_vec(asked.packet).expect("a query of the test");
    let name = message.queries.first().map(|query| query.name().clone()).unwrap_or_default();
    let word = name.iter().next().map(|label| String::from_utf8_lossy(label).into_owned()).unwrap_or_default();
    assert_ne!(word, "panic", "a panic on purpose");
    let answer = match word.as_str() {
        "silence" => return Reply::Silence,
        "deferred" => return Reply::Deferred(Account::default()),
        "sign" if matches!(asked.effort, Effort::Kept | Effort::Own) => return Reply::Deferred(Account::default()),
        "large" => {
            let mut answer = Message::response(message.metadata.id, OpCode::Query);
            answer.add_queries(message.queries.clone());
            answer.add_answers((0..200u8).map(|n| record(&name, RecordType::Unknown(65_400), &[n; 250])));
            answer
        }
        _ => full_answer(&name, &message),
    };
    let octets = answer.to_bytes().expect("an answer of the test");
    out[..octets.len()].copy_from_slice(&octets);
    let rcode = u16::from(answer.metadata.response_code);
    let signed = u8::from(asked.effort == Effort::Sign);
    Reply::Send(Outcome { length: octets.len(), rcode, qtype: 1, signed, ..Outcome::default() })
}

/// Accepts any certificate, as opportunistic clients do (RFC 9539 § 4.6.3.4).
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls_pki_types::UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let (_, read) = x509_parser::parse_x509_certificate(certificate).expect("a certificate");
        assert!(read.subject().to_string().contains("ns1.mx.example"), "{}", read.subject());
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }
    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn client_config(alpn: &[u8]) -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().expect("ring knows them").dangerous();
    let mut config = builder.with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))).with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    config
}

struct Server {
    dot: SocketAddr,
    doq: SocketAddr,
    metrics: Arc<Metrics>,
    _running: Encrypted,
    /// Its tasks, which run the clients, end when the last clone of it goes.
    provider: TokioRuntimeProvider,
}

fn serve(descriptor_limit: u64, confined: bool) -> Server {
    serve_signing(descriptor_limit, confined, 10_000)
}

fn serve_signing(descriptor_limit: u64, confined: bool, signatures_per_second: u32) -> Server {
    let sockets = Sockets::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("bound");
    let (dot, doq) = sockets.addresses().expect("known");
    let metrics = Arc::new(Metrics::default());
    let now = mxseal::time::now();
    let certificate = encrypted::load(&Certificate::SelfMade("ns1.mx.example.".to_owned()), now).expect("made");
    let options = Options {
        sockets: vec![sockets],
        certificate,
        respond,
        snapshot: Arc::new(ArcSwap::from_pointee(Snapshot::empty(Arc::default()))),
        signatures: Signatures::new(signatures_per_second),
        metrics: Arc::clone(&metrics),
        others_max: 10_000,
        descriptor_limit,
        confined,
    };
    Server {
        dot,
        doq,
        metrics,
        _running: encrypted::start(options).expect("started"),
        provider: TokioRuntimeProvider::default(),
    }
}

type Exchange = DnsExchange<TokioRuntimeProvider>;

impl Server {
    async fn client(&self, proto: Proto) -> Result<Exchange, NetError> {
        if proto == Proto::Doq {
            let builder = QuicClientStream::builder().crypto_config(client_config(b"doq"));
            let stream = builder.build(self.doq, Arc::from("ns1.mx.example")).await?;
            let (exchange, background) = Exchange::from_stream(stream);
            tokio::spawn(background);
            return Ok(exchange);
        }
        let name = ServerName::try_from("ns1.mx.example").expect("a name");
        let provider = self.provider.clone();
        tls_exchange(self.dot, name, client_config(b"dot"), Duration::from_secs(5), None, provider).await
    }

    fn restarts(&self, proto: &str) -> bool {
        let none = format!("mxseal_encrypted_restarts_total{{proto=\"{proto}\"}} 0");
        !self.metrics.text().lines().any(|line| line == none)
    }

    fn counted(&self, line: &str) -> bool {
        self.metrics.text().lines().any(|l| l == line)
    }
}

fn query(name: &str) -> Message {
    let mut message = Message::new(0, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(name).expect("a name"), RecordType::A));
    let mut edns = Edns::new();
    edns.set_dnssec_ok(true).set_max_payload(1232);
    message.set_edns(edns);
    message
}

async fn ask(client: &Exchange, name: &str) -> Result<Message, NetError> {
    let answer = client.send(DnsRequest::new(query(name), DnsRequestOptions::default())).first_answer().await?;
    Ok(answer.into_message())
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

#[test]
fn all_records_flags_and_options_arrive_over_dot_and_doq() {
    let server = serve(u64::MAX, false);
    for (proto, label) in [(Proto::Dot, "dot"), (Proto::Doq, "doq")] {
        let name = "CoNtoso-com.mx.example.";
        let mut got = block_on(async { ask(&server.client(proto).await?, name).await }).expect("an answer");
        let mut expected = full_answer(&Name::from_ascii(name).expect("a name"), &query(name));
        // As it looks once it was octets.
        expected = Message::from_vec(&expected.to_bytes().expect("octets")).expect("a message");
        got.metadata.id = 0;
        assert_eq!(got, expected, "{label}");
        let edns = got.edns.expect("EDNS");
        let codes: Vec<u16> = edns.options().options.iter().map(|(code, _)| u16::from(*code)).collect();
        assert_eq!(codes, [NSID, COOKIE, EXTENDED_ERROR, EXTENDED_ERROR]);
        assert_eq!((u16::from(*edns.flags()), edns.rcode_high()), (0xc000, 1));
        assert_eq!(got.queries[0].name().to_ascii(), name, "letters keep their case (0x20)");
        assert!(
            server.counted(&format!("mxseal_dns_requests_total{{proto=\"{label}\",family=\"ipv4\",qtype=\"A\"}} 1"))
        );
    }
    assert!(server.counted("mxseal_dns_responses_total{rcode=\"BADCOOKIE\"} 2"));
}

#[test]
fn large_answers_arrive_whole_and_a_panic_costs_one_answer() {
    let server = serve(u64::MAX, false);
    for proto in [Proto::Dot, Proto::Doq] {
        block_on(async {
            let client = server.client(proto).await.expect("connected");
            let large = ask(&client, "large.mx.example.").await.expect("an answer");
            assert!(large.answers.len() == 200 && !large.metadata.truncation);
            for name in ["panic.mx.example.", "deferred.mx.example."] {
                let failed = ask(&client, name).await.expect("an answer");
                assert_eq!(failed.metadata.response_code, ResponseCode::ServFail, "{name}");
            }
            let fine = ask(&client, "fine.mx.example.").await.expect("the connection lives on");
            assert_eq!(fine.metadata.response_code, ResponseCode::BADCOOKIE);
        });
    }
    assert!(server.counted("mxseal_panics_total 2"), "{}", server.metrics.text());
}

#[test]
fn its_threads_answer_while_confined_as_workers() {
    if alone::task().is_none() {
        alone::must_pass("encrypted::its_threads_answer_while_confined_as_workers", "confined", &[]);
        return;
    }
    let server = serve(u64::MAX, true);
    for proto in [Proto::Dot, Proto::Doq] {
        let answer = block_on(async { ask(&server.client(proto).await?, "a.mx.example.").await });
        assert_eq!(answer.expect("an answer").answers.len(), 3);
    }
    let limited = std::fs::read_dir("/proc/self/task").expect("threads").filter_map(Result::ok).filter(|thread| {
        let read = |file| std::fs::read_to_string(thread.path().join(file)).unwrap_or_default();
        read("comm").starts_with("encrypted") && read("status").contains("Seccomp:\t2")
    });
    assert!(limited.count() >= 2, "both threads of DoT and DoQ carry a filter");
}

/// A TLS client that stops wherever a test wants.
struct Raw {
    tls: rustls::ClientConnection,
    tcp: TcpStream,
}

impl Raw {
    fn connect(address: SocketAddr, alpn: &[u8]) -> Raw {
        let name = ServerName::try_from("ns1.mx.example").expect("a name");
        let tls = rustls::ClientConnection::new(Arc::new(client_config(alpn)), name).expect("a client");
        let tcp = TcpStream::connect(address).expect("connected");
        tcp.set_read_timeout(Some(alone::PATIENCE)).expect("set");
        Raw { tls, tcp }
    }

    fn handshake(mut self) -> Result<Raw, std::io::Error> {
        while self.tls.is_handshaking() {
            self.tls.complete_io(&mut self.tcp)?;
        }
        Ok(self)
    }

    fn send(&mut self, octets: &[u8]) {
        self.tls.writer().write_all(octets).expect("taken");
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.tcp).expect("sent");
        }
    }

    /// Closes with a reset instead of a farewell.
    fn reset(self) {
        socket2::SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO)).expect("set");
    }
}

#[test]
fn only_the_agreed_application_protocol_is_spoken() {
    let server = serve(u64::MAX, false);
    let agreed = Raw::connect(server.dot, b"dot").handshake().expect("a handshake");
    assert_eq!(agreed.tls.alpn_protocol(), Some(&b"dot"[..]));
    assert!(Raw::connect(server.dot, b"h2").handshake().is_err());
    let wrong = QuicClientStream::builder().crypto_config(client_config(b"h3"));
    assert!(block_on(wrong.build(server.doq, Arc::from("ns1.mx.example"))).is_err());
    assert!(block_on(async { ask(&server.client(Proto::Doq).await?, "a.mx.example.").await }).is_ok());
}

#[test]
fn closing_dot_at_any_stage_leaves_the_listener_alive() {
    let server = serve(u64::MAX, false);
    let octets = query("a.mx.example.").to_bytes().expect("octets");
    let framed = [&u16::try_from(octets.len()).expect("short").to_be_bytes()[..], &octets].concat();
    for round in 0..20 {
        let end = |raw: Raw| {
            if round % 2 == 0 {
                raw.reset()
            }
        };
        let connect = || Raw::connect(server.dot, b"dot");
        end(connect());
        let mut half = connect();
        let mut hello = Vec::new();
        half.tls.write_tls(&mut hello).expect("a hello");
        half.tcp.write_all(&hello[..hello.len() / 2]).expect("sent");
        end(half);
        let mut junk = connect();
        junk.tcp.write_all(&[0x16; 600]).expect("sent");
        end(junk);
        end(connect().handshake().expect("a handshake"));
        for cut in [1, 2, 10, framed.len()] {
            let mut asking = connect().handshake().expect("a handshake");
            asking.send(&framed[..cut]);
            end(asking);
        }
    }
    let answer = block_on(async { ask(&server.client(Proto::Dot).await?, "a.mx.example.").await });
    assert_eq!(answer.expect("an answer").answers.len(), 3);
    assert!(!server.restarts("dot"), "no listener had to start anew");
}

#[test]
fn what_is_not_a_query_gets_no_answer_and_ends_nothing() {
    let server = serve(u64::MAX, false);
    let mut raw = Raw::connect(server.dot, b"dot").handshake().expect("a handshake");
    let mut response = query("a.mx.example.").to_bytes().expect("octets");
    response[2] |= 0x80;
    let silence = query("silence.mx.example.").to_bytes().expect("octets");
    let mut fine = query("a.mx.example.").to_bytes().expect("octets");
    fine[..2].copy_from_slice(&[0xab, 0xcd]);
    for message in [&response, &silence, &fine] {
        raw.send(&u16::try_from(message.len()).expect("short").to_be_bytes());
        raw.send(message);
    }
    let mut stream = rustls::StreamOwned::new(raw.tls, raw.tcp);
    let mut head = [0; 4];
    stream.read_exact(&mut head).expect("one answer");
    assert_eq!(head[2..], [0xab, 0xcd], "the first two were passed over");
    let other = [0xff; 40];
    assert!(block_on(async { server.client(Proto::Doq).await.map(drop) }).is_ok());
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("bound");
    udp.send_to(&other, server.doq).expect("sent");
    assert!(block_on(async { ask(&server.client(Proto::Doq).await?, "a.mx.example.").await }).is_ok());
}

#[test]
fn past_the_budget_for_signatures_the_connection_is_closed_and_others_go_on() {
    let server = serve_signing(u64::MAX, false, 0);
    let framed = |name: &str| {
        let octets = query(name).to_bytes().expect("octets");
        [&u16::try_from(octets.len()).expect("short").to_be_bytes()[..], &octets].concat()
    };
    let (mut denied, mut other) = (Raw::connect(server.dot, b"dot"), Raw::connect(server.dot, b"dot"));
    denied = denied.handshake().expect("a handshake");
    other = other.handshake().expect("a handshake");
    denied.send(&framed("sign.mx.example."));
    let mut rest = Vec::new();
    let mut stream = rustls::StreamOwned::new(denied.tls, denied.tcp);
    // Closed without a farewell of TLS, hence an error; what counts is that nothing came and that it ended.
    let ended = stream.read_to_end(&mut rest);
    let has_ended = ended.as_ref().map_or_else(|fault| fault.kind() == std::io::ErrorKind::UnexpectedEof, |_| true);
    assert!(has_ended && rest.is_empty(), "{ended:?} {rest:?}");
    other.send(&framed("a.mx.example."));
    rustls::StreamOwned::new(other.tls, other.tcp)
        .read_exact(&mut [0; 14])
        .expect("who needs no signature is answered");
    let asked = block_on(async { ask(&server.client(Proto::Doq).await?, "sign.mx.example.").await });
    assert!(asked.is_err(), "{asked:?}");
    assert!(block_on(async { ask(&server.client(Proto::Doq).await?, "a.mx.example.").await }).is_ok());
    for line in [
        r#"mxseal_sign_refused_total{proto="dot"} 1"#,
        r#"mxseal_sign_refused_total{proto="doq"} 1"#,
        "mxseal_panics_total 0",
        r#"mxseal_dns_responses_total{rcode="SERVFAIL"} 0"#,
    ] {
        assert!(server.counted(line), "{line} is missing in\n{}", server.metrics.text());
    }
    assert!(!server.restarts("dot") && !server.restarts("doq"));
}

#[test]
fn a_budget_for_signatures_that_lasts_is_not_noticed() {
    let server = serve_signing(u64::MAX, false, 10);
    for _ in 0..5 {
        let answer = block_on(async { ask(&server.client(Proto::Dot).await?, "sign.mx.example.").await });
        assert_eq!(answer.expect("an answer").answers.len(), 3);
    }
    assert!(server.counted("mxseal_sign_total 5"), "{}", server.metrics.text());
}

#[test]
fn connections_past_the_cap_are_shed_and_service_goes_on() {
    if alone::task().is_none() {
        alone::must_pass("encrypted::connections_past_the_cap_are_shed_and_service_goes_on", "shed", &[]);
        return;
    }
    let open = std::fs::read_dir("/proc/self/fd").expect("descriptors").count();
    // 256 stay reserved, so some 60 descriptors are left; each connection takes one here and one in the server.
    let server = serve(256 + u64::try_from(open).expect("few") + 60, false);
    let idle: Vec<TcpStream> = (0..100).filter_map(|_| TcpStream::connect(server.dot).ok()).collect();
    alone::eventually("the listener gives back its connections", || server.restarts("dot"));
    drop(idle);
    alone::eventually("it answers again", || {
        block_on(async { ask(&server.client(Proto::Dot).await?, "a.mx.example.").await }).is_ok()
    });
    assert!(block_on(async { ask(&server.client(Proto::Doq).await?, "a.mx.example.").await }).is_ok());
    assert!(!server.restarts("doq"));
}
