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
use mxseal::serve::encrypted::{self, Certificate, Encrypted, Options, Sockets};
use mxseal::serve::{ConnectionLimits, Signatures};
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
    serve_limited(descriptor_limit, confined, signatures_per_second, ConnectionLimits::default())
}

fn serve_limited(
    descriptor_limit: u64,
    confined: bool,
    signatures_per_second: u32,
    limits: ConnectionLimits,
) -> Server {
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
        limits,
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

/// A connection from an address of the loopback net.
fn connect_from(source: [u8; 4], server: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((source, 0)).into()).expect("bound");
    socket.connect(&server.into()).expect("connected");
    let tcp = TcpStream::from(socket);
    tcp.set_read_timeout(Some(alone::PATIENCE)).expect("set");
    tcp
}

impl Raw {
    fn connect_from(source: [u8; 4], server: SocketAddr) -> Raw {
        let name = ServerName::try_from("ns1.mx.example").expect("a name");
        let tls = rustls::ClientConnection::new(Arc::new(client_config(b"dot")), name).expect("a client");
        Raw { tls, tcp: connect_from(source, server) }.handshake().expect("a handshake")
    }

    fn is_answered(&mut self) {
        let octets = query("a.mx.example.").to_bytes().expect("octets");
        self.send(&[&u16::try_from(octets.len()).expect("short").to_be_bytes()[..], &octets].concat());
        let mut stream = rustls::Stream::new(&mut self.tls, &mut self.tcp);
        let mut length = [0; 2];
        stream.read_exact(&mut length).expect("an answer");
        stream.read_exact(&mut vec![0; usize::from(u16::from_be_bytes(length))]).expect("a whole answer");
    }
}

#[test]
fn a_crowd_of_one_source_drives_out_its_own_and_the_listener_stays() {
    // So few descriptors are left that only the least number of connections may be open.
    let server = serve(0, false);
    let mut honest = Raw::connect_from([127, 0, 0, 2], server.dot);
    honest.is_answered();
    let mut crowd = Vec::new();
    for round in 0..4 {
        crowd.extend((0..60).map(|_| connect_from([127, 0, 0, 3], server.dot)));
        honest.is_answered();
        let from = [127, 0, 0, 4 + round];
        Raw::connect_from(from, server.dot).is_answered();
    }
    assert!(server.counted("mxseal_encrypted_restarts_total{proto=\"dot\"} 0"), "{}", server.metrics.text());
    let full = r#"mxseal_dropped_total{reason="tcp_full"} "#;
    let text = server.metrics.text();
    let closed: u32 = text.lines().find_map(|line| line.strip_prefix(full)?.parse().ok()).expect("a number");
    assert!(closed >= 4 * 60 - 64, "only {closed} were sent away");
}

#[test]
fn one_source_has_its_share_of_connections_and_no_more() {
    let limits = ConnectionLimits { connections_per_source_max: 3, ..ConnectionLimits::default() };
    let server = serve_limited(u64::MAX, false, 10_000, limits);
    let mut kept: Vec<Raw> = (0..3).map(|_| Raw::connect_from([127, 0, 0, 2], server.dot)).collect();
    let mut refused = connect_from([127, 0, 0, 2], server.dot);
    assert_eq!(refused.read(&mut [0]).unwrap_or(0), 0, "the fourth is closed");
    kept.iter_mut().for_each(Raw::is_answered);
    Raw::connect_from([127, 0, 0, 3], server.dot).is_answered();
}

// ---- DoQ as RFC 9250 has it, with a client that breaks its rules ----

/// A QUIC client of which each packet and stream is the test's own.
async fn quic(server: SocketAddr) -> (quinn::Endpoint, quinn::Connection) {
    let tls = quinn::crypto::rustls::QuicClientConfig::try_from(client_config(b"doq")).expect("TLS 1.3");
    let mut endpoint = quinn::Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0))).expect("bound");
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(tls)));
    let connection = endpoint.connect(server, "ns1.mx.example").expect("a name").await.expect("connected");
    (endpoint, connection)
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).expect("short").to_be_bytes()[..], message].concat()
}

/// Sends octets on a stream of their own and returns what comes back on it.
async fn exchange(connection: &quinn::Connection, octets: &[u8]) -> Result<Vec<u8>, quinn::ReadToEndError> {
    let (mut send, mut receive) = connection.open_bi().await.expect("a stream");
    send.write_all(octets).await.expect("sent");
    send.finish().expect("ended");
    receive.read_to_end(100_000).await
}

fn application_code(ended: &quinn::ConnectionError) -> Option<u64> {
    match ended {
        quinn::ConnectionError::ApplicationClosed(close) => Some(close.error_code.into_inner()),
        _ => None,
    }
}

#[test]
fn what_breaks_a_rule_of_doq_ends_the_connection_with_its_code_and_no_other() {
    let server = serve(u64::MAX, false);
    let fine = query("a.mx.example.").to_bytes().expect("octets");
    let with_id = [&[0, 7], &fine[2..]].concat();
    let mut response = fine.clone();
    response[2] |= 0x80;
    let mut keepalive = query("a.mx.example.");
    keepalive
        .edns
        .as_mut()
        .expect("EDNS")
        .options_mut()
        .options
        .push((EdnsCode::from(11), EdnsOption::Unknown(11, vec![])));
    let broken = [
        framed(&with_id),
        framed(&response),
        framed(&keepalive.to_bytes().expect("octets")),
        framed(&fine)[..20].to_vec(),
        [framed(&fine), framed(&fine)].concat(),
        vec![0; 70_000],
        vec![],
    ];
    block_on(async {
        let (_endpoint, honest) = quic(server.doq).await;
        for octets in broken {
            let (_endpoint, connection) = quic(server.doq).await;
            assert!(exchange(&connection, &framed(&fine)).await.is_ok(), "the first query is sound");
            let (mut send, _receive) = connection.open_bi().await.expect("a stream");
            // Too much of it is refused while it is sent.
            let _ = send.write_all(&octets).await;
            let _ = send.finish();
            let ended = connection.closed().await;
            assert_eq!(application_code(&ended), Some(2), "DOQ_PROTOCOL_ERROR after {} octets: {ended}", octets.len());
        }
        assert!(exchange(&honest, &framed(&fine)).await.is_ok(), "others are not touched");
    });
}

#[test]
fn streams_are_answered_each_on_its_own_and_one_that_is_not_ended_holds_up_none() {
    let server = serve_signing(u64::MAX, false, 0);
    let fine = framed(&query("a.mx.example.").to_bytes().expect("octets"));
    let denied = framed(&query("sign.mx.example.").to_bytes().expect("octets"));
    block_on(async {
        let (_endpoint, connection) = quic(server.doq).await;
        let (mut open, mut unanswered) = connection.open_bi().await.expect("a stream");
        open.write_all(&fine).await.expect("sent");
        for _ in 0..200 {
            let answer = exchange(&connection, &fine).await.expect("an answer");
            assert_eq!(usize::from(u16::from_be_bytes([answer[0], answer[1]])), answer.len() - 2);
            assert_eq!(answer[2..4], [0, 0], "the id of an answer is 0, too");
        }
        // DOQ_EXCESSIVE_LOAD: no signature is left for it. The connection goes on.
        let refused = exchange(&connection, &denied).await;
        let code = quinn::VarInt::from_u32(4);
        assert!(
            matches!(refused, Err(quinn::ReadToEndError::Read(quinn::ReadError::Reset(c))) if c == code),
            "{refused:?}"
        );
        open.finish().expect("ended");
        assert!(unanswered.read_to_end(100_000).await.is_ok(), "answered once it has ended");
    });
}

#[test]
fn a_silent_connection_is_closed_without_an_error() {
    let limits = ConnectionLimits { idle: Duration::from_millis(300), ..ConnectionLimits::default() };
    let server = serve_limited(u64::MAX, false, 10_000, limits);
    block_on(async {
        let (_endpoint, connection) = quic(server.doq).await;
        assert_eq!(application_code(&connection.closed().await), Some(0), "DOQ_NO_ERROR");
    });
}

/// The first datagram of a client that then says nothing more.
fn first_datagram() -> Vec<u8> {
    let sink = std::net::UdpSocket::bind("127.0.0.1:0").expect("bound");
    let address = sink.local_addr().expect("known");
    sink.set_read_timeout(Some(alone::PATIENCE)).expect("set");
    block_on(async {
        let client = tokio::spawn(async move { drop(quic(address).await) });
        let first = tokio::task::spawn_blocking(move || {
            let mut octets = vec![0; 2000];
            let length = sink.recv(&mut octets).expect("a datagram");
            octets.truncate(length);
            octets
        });
        let first = first.await.expect("received");
        client.abort();
        first
    })
}

#[test]
fn datagrams_of_unproved_sources_hold_up_nobody_and_bring_back_less_than_they_cost() {
    let server = serve(u64::MAX, false);
    let first = first_datagram();
    assert!(first.len() >= 1200, "{}", first.len());
    let sources: Vec<std::net::UdpSocket> =
        (0..50).map(|_| std::net::UdpSocket::bind("127.0.0.1:0").expect("bound")).collect();
    for source in &sources {
        for _ in 0..3 {
            source.send_to(&first, server.doq).expect("sent");
        }
    }
    for _ in 0..3 {
        let answer = block_on(async { ask(&server.client(Proto::Doq).await?, "a.mx.example.").await });
        assert_eq!(answer.expect("an answer").answers.len(), 3);
    }
    let mut back = 0;
    for source in &sources {
        source.set_nonblocking(true).expect("set");
        while let Ok(length) = source.recv(&mut [0; 65_535]) {
            back += length;
        }
    }
    let sent = sources.len() * 3 * first.len();
    assert!(back <= sent, "{back} octets for {sent}");
}

/// Passes on so many datagrams each way, then none.
fn stalling_relay(server: SocketAddr, to_server: usize, to_client: usize) -> SocketAddr {
    let relay = std::net::UdpSocket::bind("127.0.0.1:0").expect("bound");
    let address = relay.local_addr().expect("known");
    relay.set_read_timeout(Some(alone::PATIENCE)).expect("set");
    std::thread::spawn(move || {
        let (mut client, mut left, mut octets) = (None, [to_server, to_client], vec![0; 65_535]);
        while let Ok((length, source)) = relay.recv_from(&mut octets) {
            let (way, target) = if source == server { (1, client) } else { (0, Some(server)) };
            if source != server {
                client = Some(source);
            }
            if let Some(target) = target.filter(|_| left[way] > 0) {
                left[way] -= 1;
                relay.send_to(&octets[..length], target).expect("sent");
            }
        }
    });
    address
}

#[test]
fn handshakes_that_stall_after_their_address_is_proved_hold_up_nobody() {
    let server = serve(u64::MAX, false);
    block_on(async {
        // First datagram, Retry, the same with its token; then silence in the middle of the handshake.
        let relays: Vec<SocketAddr> = (0..5).map(|_| stalling_relay(server.doq, 2, 1)).collect();
        let stalled: Vec<_> = relays
            .into_iter()
            .map(|relay| tokio::spawn(async move { drop(tokio::time::timeout(alone::PATIENCE, quic(relay)).await) }))
            .collect();
        for _ in 0..20 {
            let answer = ask(&server.client(Proto::Doq).await.expect("connected"), "a.mx.example.").await;
            assert_eq!(answer.expect("an answer").answers.len(), 3);
        }
        stalled.iter().for_each(tokio::task::JoinHandle::abort);
    });
}
