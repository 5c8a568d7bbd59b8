//! The UDP and TCP front end over real sockets of the loopback, with an answering function of our own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test ends at the first surprise and says what it skips"
)]

use arc_swap::ArcSwap;
use mxseal::answer::{Account, Asked, Effort, Identity, Outcome, Reply, Snapshot, Transport};
use mxseal::serve::{ConnectionLimits, Respond, Running, Settings, Signatures, bind, start};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

/// Long enough for a busy machine; a test that meets it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

// ---- the answering function ----

/// A query here is a header and a text that says what to do; the answer is the query with QR set and more behind it.
fn echo(snapshot: &Snapshot, asked: &Asked<'_>, out: &mut [u8]) -> Reply {
    let packet = asked.packet;
    if packet.len() < 12 || packet[2] & 0x80 != 0 {
        return Reply::Silence;
    }
    let text = String::from_utf8_lossy(&packet[12..]);
    let mut outcome = Outcome::default();
    let mut more = Vec::new();
    match text.split(' ').collect::<Vec<_>>()[..] {
        ["panic"] => panic!("asked for"),
        ["pad", octets] => more.resize(octets.parse().unwrap(), b'.'),
        ["version"] => more = snapshot.version.to_string().into_bytes(),
        ["sign"] => match asked.effort {
            Effort::Kept | Effort::Own => return Reply::Deferred(Account::default()),
            Effort::Sign => (more, outcome.signed) = (b" signed".to_vec(), 1),
            Effort::Truncate => outcome.truncated = true,
        },
        _ => {}
    }
    let answer = [packet, &more].concat();
    outcome.length = answer.len().min(out.len());
    out[..outcome.length].copy_from_slice(&answer[..outcome.length]);
    out[2] |= 0x80 | if outcome.truncated { 2 } else { 0 };
    Reply::Send(outcome)
}

fn query(id: u16, text: &str) -> Vec<u8> {
    let mut packet = id.to_be_bytes().to_vec();
    packet.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    packet.extend(text.as_bytes());
    packet
}

fn answer(id: u16, text: &str) -> Vec<u8> {
    let mut packet = query(id, text);
    packet[2] |= 0x80;
    packet
}

fn servfail(id: u16) -> Vec<u8> {
    [&id.to_be_bytes()[..], &[0x81, 2, 0, 0, 0, 0, 0, 0, 0, 0]].concat()
}

fn framed(packet: &[u8]) -> Vec<u8> {
    [&u16::try_from(packet.len()).unwrap().to_be_bytes()[..], packet].concat()
}

// ---- servers and clients ----

fn slot(version: u64) -> Arc<ArcSwap<Snapshot>> {
    Arc::new(ArcSwap::from_pointee(Snapshot::new(version, Vec::new(), Arc::new(Identity::default()))))
}

fn serve_at(listen: &str, settings: &Settings, respond: Respond) -> (Running, SocketAddr) {
    let ip: IpAddr = listen.parse().unwrap();
    let (listeners, _) = bind(&[SocketAddr::new(ip, 0)], 1).unwrap();
    let running = start(listeners, &slot(1), settings, respond).unwrap();
    let address = running.addresses()[0];
    (running, address)
}

fn serve(tcp: ConnectionLimits) -> (Running, SocketAddr) {
    quiet_panics();
    serve_at("127.0.0.1", &Settings { tcp, ..Settings::default() }, echo)
}

/// Panics that a test asks for are not news.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>() != Some(&"asked for") {
                usual(info);
            }
        }));
    });
}

fn udp_from(ip: &str, server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((ip, 0)).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    // The client must not be the one who drops.
    socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20).unwrap();
    socket
}

fn udp(server: SocketAddr) -> UdpSocket {
    udp_from(if server.is_ipv6() { "::1" } else { "127.0.0.1" }, server)
}

fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 65_535];
    let length = socket.recv(&mut buffer).expect("an answer over UDP");
    buffer[..length].to_vec()
}

fn ask(socket: &UdpSocket, packet: &[u8]) -> Vec<u8> {
    socket.send(packet).unwrap();
    receive(socket)
}

fn tcp(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn tcp_from(source: &str, server: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::from(SocketAddr::new(source.parse().unwrap(), 0))).unwrap();
    socket.connect(&SockAddr::from(server)).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn read_message(mut stream: &TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).expect("an answer over TCP");
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).expect("a whole answer");
    message
}

fn ask_tcp(mut stream: &TcpStream, packet: &[u8]) -> Vec<u8> {
    stream.write_all(&framed(packet)).unwrap();
    read_message(stream)
}

/// All octets until the server closes, however it does.
fn read_rest(mut stream: &TcpStream) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return all,
            Ok(length) => all.extend(&buffer[..length]),
            Err(fault) if fault.kind() == ErrorKind::ConnectionReset => return all,
            Err(fault) => panic!("the server did not close: {fault}"),
        }
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::yield_now();
    }
}

fn ended(running: Running) {
    assert_eq!(running.drain(), [] as [String; 0], "threads that did not end");
}

// ---- UDP ----

#[test]
fn both_families_are_answered_over_udp_and_tcp() {
    for ip in ["127.0.0.1", "::1"] {
        if ip == "::1" && UdpSocket::bind((ip, 0)).is_err() {
            println!("skipped: this host has no IPv6");
            continue;
        }
        let (running, server) = serve_at(ip, &Settings::default(), echo);
        assert_eq!(ask(&udp(server), &query(7, "hello")), answer(7, "hello"));
        assert_eq!(ask_tcp(&tcp(server), &query(8, "hello")), answer(8, "hello"));
        assert!(running.is_healthy());
        assert_eq!(running.counters().len(), 2, "one each for the UDP and the TCP thread");
        ended(running);
    }
}

#[test]
fn a_wildcard_socket_answers_from_the_address_that_was_asked() {
    let (running, server) = serve_at("0.0.0.0", &Settings::default(), echo);
    for ip in ["127.0.0.1", "127.0.0.2", "127.9.8.7"] {
        // A connected socket takes answers from that address only.
        let client = udp_from("127.0.0.1", SocketAddr::new(ip.parse().unwrap(), server.port()));
        for id in 0..3 {
            assert_eq!(ask(&client, &query(id, "where")), answer(id, "where"), "{ip}");
        }
    }
    ended(running);
}

#[test]
fn an_ipv6_wildcard_socket_answers_from_the_address_that_was_asked() {
    if UdpSocket::bind("[::1]:0").is_err() {
        println!("skipped: this host has no IPv6");
        return;
    }
    let (running, server) = serve_at("::", &Settings::default(), echo);
    // The kernel would choose ::1 to answer ::1, so any other address of this host shows who chose.
    let others = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let others = others.lines().filter_map(|line| u128::from_str_radix(line.get(..32)?, 16).ok());
    let others = others.map(Ipv6Addr::from).filter(|ip| !ip.is_unicast_link_local());
    for ip in others.chain([Ipv6Addr::LOCALHOST]) {
        let client = udp_from("::1", SocketAddr::new(IpAddr::V6(ip), server.port()));
        assert_eq!(ask(&client, &query(1, "where")), answer(1, "where"), "{ip}");
    }
    ended(running);
}

#[test]
fn every_packet_of_many_batches_is_answered_once() {
    let (running, server) = serve(ConnectionLimits::default());
    let client = udp(server);
    for round in 0..20u16 {
        let ids: Vec<_> = (0..150).map(|n| round * 150 + n).collect();
        for id in &ids {
            client.send(&query(*id, "pad 900")).unwrap();
        }
        let mut answered: Vec<_> = ids.iter().map(|_| receive(&client)).collect();
        answered.sort();
        let expected: Vec<_> = ids.iter().map(|id| [&answer(*id, "pad 900")[..], &[b'.'; 900]].concat()).collect();
        assert_eq!(answered, expected);
    }
    client.set_nonblocking(true).unwrap();
    assert!(client.recv(&mut [0; 16]).is_err(), "nothing is answered twice");
    ended(running);
}

#[test]
fn what_is_empty_short_cut_or_itself_an_answer_gets_silence_and_the_next_is_served() {
    let (running, server) = serve(ConnectionLimits::default());
    let client = udp(server);
    for odd in [vec![], vec![1; 11], answer(1, "loop"), query(2, &"x".repeat(5000))] {
        client.send(&odd).unwrap();
        assert_eq!(ask(&client, &query(3, "next")), answer(3, "next"));
    }
    ended(running);
}

#[test]
fn answers_over_udp_never_exceed_1232_octets() {
    let (running, server) = serve(ConnectionLimits::default());
    assert_eq!(ask(&udp(server), &query(3, "pad 4000")).len(), 1232);
    ended(running);
}

#[test]
fn a_panic_costs_one_answer_over_udp_and_over_tcp() {
    let (running, server) = serve(ConnectionLimits::default());
    let (datagrams, stream) = (udp(server), tcp(server));
    for id in 0..100 {
        assert_eq!(ask(&datagrams, &query(id, "panic")), servfail(id));
        assert_eq!(ask_tcp(&stream, &query(id, "panic")), servfail(id));
        assert_eq!(ask(&datagrams, &query(id, "next")), answer(id, "next"));
        assert_eq!(ask_tcp(&stream, &query(id, "next")), answer(id, "next"));
    }
    assert!(running.is_healthy());
    ended(running);
}

#[test]
fn each_batch_is_answered_from_the_snapshot_of_its_moment() {
    let (listeners, _) = bind(&["127.0.0.1:0".parse().unwrap()], 2).unwrap();
    let slot = slot(1);
    let running = start(listeners, &slot, &Settings::default(), echo).unwrap();
    let (datagrams, stream) = (udp(running.addresses()[0]), tcp(running.addresses()[0]));
    for version in 1..50 {
        let next = Snapshot::new(version, Vec::new(), Arc::new(Identity::default()));
        slot.store(Arc::new(next));
        let expected = [answer(1, "version"), version.to_string().into_bytes()].concat();
        assert_eq!(ask(&datagrams, &query(1, "version")), expected);
        assert_eq!(ask_tcp(&stream, &query(1, "version")), expected);
    }
    ended(running);
}

static HOLD: AtomicBool = AtomicBool::new(true);
static HOLDING: AtomicBool = AtomicBool::new(false);
static SIGNER: AtomicBool = AtomicBool::new(true);

/// Waits at the text `hold`, and when it signs, until the test lets it go.
fn held(snapshot: &Snapshot, asked: &Asked<'_>, out: &mut [u8]) -> Reply {
    let gate = match (&asked.packet[12..], asked.effort) {
        (b"hold", _) => Some(&HOLD),
        (b"sign", Effort::Sign) => Some(&SIGNER),
        _ => None,
    };
    while gate.is_some_and(|gate| gate.load(Ordering::SeqCst)) {
        HOLDING.store(true, Ordering::SeqCst);
        std::thread::yield_now();
    }
    echo(snapshot, asked, out)
}

#[test]
fn answers_that_are_ready_leave_before_the_first_signature_of_their_batch() {
    let (running, server) = serve_at("127.0.0.1", &Settings::default(), held);
    let client = udp(server);
    client.send(&query(0, "hold")).unwrap();
    until("the worker is held, so that the rest becomes one batch", || HOLDING.load(Ordering::SeqCst));
    for id in 1..=40 {
        client.send(&query(id, if id <= 20 { "sign" } else { "ready" })).unwrap();
    }
    HOLD.store(false, Ordering::SeqCst);
    assert_eq!(receive(&client), answer(0, "hold"));
    for id in 21..=40 {
        assert_eq!(receive(&client), answer(id, "ready"), "while all who need a signature still wait");
    }
    SIGNER.store(false, Ordering::SeqCst);
    for id in 1..=20 {
        assert_eq!(receive(&client), [answer(id, "sign"), b" signed".to_vec()].concat());
    }
    ended(running);
}

static FIRST: AtomicBool = AtomicBool::new(true);
static SECOND: AtomicBool = AtomicBool::new(true);

/// Waits before anything that is no signature, and before every signature but the first one.
fn slow(snapshot: &Snapshot, asked: &Asked<'_>, out: &mut [u8]) -> Reply {
    let gate = match (asked.effort, asked.packet[1]) {
        (Effort::Sign, 1) => None,
        (Effort::Sign, _) => Some(&SECOND),
        (Effort::Kept | Effort::Own | Effort::Truncate, _) => Some(&FIRST),
    };
    while gate.is_some_and(|gate| gate.load(Ordering::SeqCst)) {
        std::thread::yield_now();
    }
    echo(snapshot, asked, out)
}

#[test]
fn each_signed_answer_leaves_before_the_next_one_is_signed() {
    let (running, server) = serve_at("127.0.0.1", &Settings::default(), slow);
    let client = udp(server);
    // What comes while the first one is held becomes the second batch, and is signed in turn.
    for id in 0..=40 {
        client.send(&query(id, if id == 0 { "hold" } else { "sign" })).unwrap();
    }
    FIRST.store(false, Ordering::SeqCst);
    assert_eq!(receive(&client), answer(0, "hold"));
    assert_eq!(receive(&client), [answer(1, "sign"), b" signed".to_vec()].concat(), "while the next one is held");
    SECOND.store(false, Ordering::SeqCst);
    for id in 2..=40 {
        assert_eq!(receive(&client), [answer(id, "sign"), b" signed".to_vec()].concat());
    }
    ended(running);
}

#[test]
fn past_the_budget_udp_gets_tc_and_tcp_still_gets_signatures() {
    for (denials_per_second, least_signed) in [(0, 0), (3, 3)] {
        let settings = Settings { denials_per_second, ..Settings::default() };
        let (running, server) = serve_at("127.0.0.1", &settings, echo);
        let (client, stream) = (udp(server), tcp(server));
        let answers: Vec<_> = (0..60).map(|id| ask(&client, &query(id, "sign"))).collect();
        let signed = answers.iter().filter(|answer| answer.ends_with(b" signed")).count();
        let truncated = answers.iter().filter(|answer| answer[2] & 2 != 0).count();
        assert_eq!(signed + truncated, 60);
        assert!(signed >= least_signed && truncated >= 1, "{signed} signed");
        assert!(denials_per_second > 0 || signed == 0, "{signed} signed without a budget");
        assert_eq!(ask(&client, &query(99, "ready")), answer(99, "ready"));
        for id in 0..60 {
            assert!(ask_tcp(&stream, &query(id, "sign")).ends_with(b" signed"));
        }
        ended(running);
    }
}

// ---- TCP: framing ----

#[test]
fn messages_come_octet_by_octet_or_a_hundred_in_a_segment() {
    let (running, server) = serve(ConnectionLimits::default());
    let mut stream = tcp(server);
    for octet in framed(&query(5, "slowly")) {
        stream.write_all(&[octet]).unwrap();
    }
    assert_eq!(read_message(&stream), answer(5, "slowly"));
    let all: Vec<u8> = (0..100).flat_map(|id| framed(&query(id, "pipelined"))).collect();
    stream.write_all(&all).unwrap();
    for id in 0..100 {
        assert_eq!(read_message(&stream), answer(id, "pipelined"));
    }
    ended(running);
}

#[test]
fn an_answer_does_not_wait_for_the_rest_of_the_next_query() {
    let (running, server) = serve(ConnectionLimits::default());
    let mut stream = tcp(server);
    let second = framed(&query(2, "second"));
    stream.write_all(&[framed(&query(1, "first")), second[..5].to_vec()].concat()).unwrap();
    assert_eq!(read_message(&stream), answer(1, "first"));
    stream.write_all(&second[5..]).unwrap();
    assert_eq!(read_message(&stream), answer(2, "second"));
    ended(running);
}

#[test]
fn who_closes_its_writing_side_still_gets_all_answers() {
    let (running, server) = serve(ConnectionLimits::default());
    let mut stream = tcp(server);
    let ids = 0..300;
    let text = |id| if id % 3 == 0 { "sign" } else { "pad 2000" };
    let mut all: Vec<u8> = ids.clone().flat_map(|id| framed(&query(id, text(id)))).collect();
    all.extend(&framed(&query(1, "cut"))[..9]);
    stream.write_all(&all).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    for id in ids {
        assert_eq!(read_message(&stream)[..2], id.to_be_bytes());
    }
    assert_eq!(read_rest(&stream), b"", "then the server closes");
    ended(running);
}

#[test]
fn a_length_below_a_header_closes_after_what_was_asked_before() {
    let (running, server) = serve(ConnectionLimits::default());
    for length in 0..12 {
        let mut stream = tcp(server);
        let garbage = framed(&vec![0; length]);
        stream.write_all(&[framed(&query(1, "before")), garbage, framed(&query(2, "after"))].concat()).unwrap();
        assert_eq!(read_rest(&stream), framed(&answer(1, "before")), "length {length}");
    }
    ended(running);
}

#[test]
fn messages_of_65535_octets_are_answered_and_responses_are_passed_over() {
    let (running, server) = serve(ConnectionLimits::default());
    let stream = tcp(server);
    let longest = "x".repeat(65_535 - 12);
    for id in 0..5 {
        (&stream).write_all(&framed(&answer(id, "itself an answer"))).unwrap();
        assert_eq!(ask_tcp(&stream, &query(id, &longest)), answer(id, &longest));
    }
    for garbage in [vec![0xff; 65_535], vec![0; 65_535]] {
        (&stream).write_all(&framed(&garbage)).unwrap();
        if garbage[2] & 0x80 == 0 {
            assert_eq!(read_message(&stream).len(), 65_535);
        }
        assert_eq!(ask_tcp(&stream, &query(9, "next")), answer(9, "next"));
    }
    ended(running);
}

/// A small generator, so that a failure can be repeated by its seed.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }
}

/// What the server must answer to a message, by asking the same function.
fn expected(packet: &[u8]) -> Vec<u8> {
    let source = IpAddr::from([127, 0, 0, 1]);
    let asked = Asked { packet, source, transport: Transport::Tcp, now: mxseal::time::now(), effort: Effort::Sign };
    let mut out = vec![0; 65_535];
    match echo(&slot(1).load(), &asked, &mut out) {
        Reply::Send(outcome) => framed(&out[..outcome.length]),
        Reply::Silence | Reply::Deferred(_) => Vec::new(),
    }
}

#[test]
fn any_segmentation_of_a_stream_gives_the_same_answers() {
    let (running, server) = serve(ConnectionLimits::default());
    for seed in 1..=60 {
        let mut random = Seeded(0x9e37_79b9_7f4a_7c15u64.wrapping_mul(seed));
        let (mut stream, mut answers) = (Vec::new(), Vec::new());
        for id in 0..u16::try_from(1 + random.below(120)).unwrap() {
            let packet = match random.below(8) {
                0 => answer(id, "itself an answer"),
                1 => query(id, "sign"),
                2 => query(id, &format!("pad {}", random.below(9000))),
                3 => query(id, &"x".repeat(random.below(3000))),
                4 => query(id, ""),
                _ => query(id, "plain"),
            };
            answers.extend(expected(&packet));
            stream.extend(framed(&packet));
        }
        let most = [1 + stream.len(), 700, 40, 3][random.below(4)];
        let client = tcp(server);
        let mut writer = client.try_clone().unwrap();
        let writing = std::thread::spawn(move || {
            let mut rest = &stream[..];
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(1 + random.below(most)));
                writer.write_all(now).unwrap();
                rest = later;
            }
            writer.shutdown(Shutdown::Write).unwrap();
        });
        assert!(read_rest(&client) == answers, "seed {seed}");
        writing.join().unwrap();
    }
    ended(running);
}

// ---- TCP: limits ----

static PADDED: AtomicUsize = AtomicUsize::new(0);

fn counted(snapshot: &Snapshot, asked: &Asked<'_>, out: &mut [u8]) -> Reply {
    PADDED.fetch_add(1, Ordering::SeqCst);
    echo(snapshot, asked, out)
}

#[test]
fn who_sends_and_never_reads_is_closed_and_little_is_answered_in_advance() {
    let tcp_limits = ConnectionLimits { write: Duration::from_millis(200), ..ConnectionLimits::default() };
    let settings = Settings { tcp: tcp_limits, ..Settings::default() };
    let (running, server) = serve_at("127.0.0.1", &settings, counted);
    let mut stream = tcp(server);
    let wanted = framed(&query(1, "pad 60000"));
    let mut sent = 0;
    let mut fault = None;
    until("the server closes", || {
        fault = stream.write_all(&wanted).inspect(|()| sent += 1).err();
        fault.is_some()
    });
    let fault = fault.unwrap();
    assert!(matches!(fault.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{fault}");
    let answered = PADDED.load(Ordering::SeqCst);
    assert!(answered < 200, "{answered} answers were made for a client that read none of {sent}");
    assert_eq!(ask_tcp(&tcp(server), &query(2, "next")), answer(2, "next"));
    ended(running);
}

#[test]
fn a_full_house_closes_the_longest_idle_for_a_newcomer_and_udp_goes_on() {
    let (running, server) = serve(ConnectionLimits { connections_max: 3, ..ConnectionLimits::default() });
    let guests: Vec<_> = (0..3).map(|_| tcp(server)).collect();
    // In order of their last query: 1, 2, 0.
    for (id, guest) in [(1, 1), (2, 2), (3, 0)] {
        assert_eq!(ask_tcp(&guests[guest], &query(id, "here")), answer(id, "here"));
    }
    let newcomer = tcp(server);
    assert_eq!(ask_tcp(&newcomer, &query(4, "new")), answer(4, "new"));
    assert_eq!(read_rest(&guests[1]), b"");
    for guest in [&guests[0], &guests[2], &newcomer] {
        assert_eq!(ask_tcp(guest, &query(5, "still here")), answer(5, "still here"));
    }
    assert_eq!(ask(&udp(server), &query(6, "udp")), answer(6, "udp"));
    ended(running);
}

#[test]
fn one_source_cannot_take_all_places() {
    let (running, server) = serve(ConnectionLimits { connections_per_source_max: 2, ..ConnectionLimits::default() });
    let first: Vec<_> = (0..2).map(|_| tcp_from("127.0.0.1", server)).collect();
    for guest in &first {
        assert_eq!(ask_tcp(guest, &query(1, "here")), answer(1, "here"));
    }
    assert_eq!(read_rest(&tcp_from("127.0.0.1", server)), b"", "the third is closed");
    let other = tcp_from("127.0.0.2", server);
    assert_eq!(ask_tcp(&other, &query(2, "other")), answer(2, "other"));
    drop(first);
    until("a place becomes free", || {
        let stream = tcp_from("127.0.0.1", server);
        let _ = (&stream).write_all(&framed(&query(3, "again")));
        (&stream).read(&mut [0; 64]).is_ok_and(|length| length > 0)
    });
    ended(running);
}

#[test]
fn idle_connections_are_closed_and_so_are_messages_that_never_end() {
    let short = Duration::from_millis(150);
    let (running, server) = serve(ConnectionLimits { idle: short, ..ConnectionLimits::default() });
    let stream = tcp(server);
    assert_eq!(ask_tcp(&stream, &query(1, "here")), answer(1, "here"));
    let asked = Instant::now();
    assert_eq!(read_rest(&stream), b"");
    assert!(asked.elapsed() >= short / 2, "not at once");
    ended(running);

    let (running, server) = serve(ConnectionLimits { message: short, ..ConnectionLimits::default() });
    let (silent, trickling) = (tcp(server), tcp(server));
    let begun = framed(&query(1, &"x".repeat(60_000)));
    (&silent).write_all(&begun[..1]).unwrap();
    let mut octets = begun.iter();
    // One octet now and then buys no time.
    until("the server closes", || {
        std::thread::sleep(Duration::from_millis(5));
        (&trickling).write_all(&[*octets.next().unwrap()]).is_err()
    });
    assert_eq!(read_rest(&silent), b"");
    ended(running);
}

#[test]
fn a_connection_that_is_never_idle_ends_with_its_lifetime() {
    let (running, server) =
        serve(ConnectionLimits { lifetime: Duration::from_millis(200), ..ConnectionLimits::default() });
    let mut stream = tcp(server);
    // The first octet of the next query always goes along.
    let mut next = framed(&query(1, "again"));
    next.rotate_left(1);
    stream.write_all(&framed(&query(1, "again"))[..1]).unwrap();
    until("the server closes", || {
        stream.write_all(&next).is_err() || stream.read(&mut [0; 64]).map_or(true, |length| length == 0)
    });
    ended(running);
}

#[test]
fn hundreds_who_trickle_do_not_delay_one_who_asks() {
    let many =
        ConnectionLimits { connections_max: 1000, connections_per_source_max: 1000, ..ConnectionLimits::default() };
    let (running, server) = serve(ConnectionLimits { message: PATIENCE, ..many });
    let slow: Vec<_> = (0..400).map(|_| tcp(server)).collect();
    let stream = tcp(server);
    let begun = framed(&query(1, "slow"));
    for (at, octet) in begun.iter().enumerate() {
        slow.iter().for_each(|mut slow| slow.write_all(&[*octet]).unwrap());
        let id = u16::try_from(at).unwrap();
        assert_eq!(ask_tcp(&stream, &query(id, "quick")), answer(id, "quick"));
    }
    for slow in &slow {
        assert_eq!(read_message(slow), answer(1, "slow"));
    }
    ended(running);
}

#[test]
fn who_finds_the_queue_for_signatures_full_is_closed_and_others_go_on() {
    let tcp_limits = ConnectionLimits { signatures_queued_max: 0, ..ConnectionLimits::default() };
    let settings = Settings { tcp: tcp_limits, stream_signatures: Signatures::new(0), ..Settings::default() };
    let (running, server) = serve_at("127.0.0.1", &settings, echo);
    let (plain, denied) = (tcp(server), tcp(server));
    (&denied).write_all(&[framed(&query(1, "before")), framed(&query(2, "sign"))].concat()).unwrap();
    assert_eq!(read_rest(&denied), framed(&answer(1, "before")));
    assert_eq!(ask_tcp(&plain, &query(3, "plain")), answer(3, "plain"));
    ended(running);

    let (running, server) = serve(ConnectionLimits { signatures_queued_max: 1, ..ConnectionLimits::default() });
    let stream = tcp(server);
    for id in 0..50 {
        // Each gives its place back, even the one who leaves without its answer.
        (&tcp(server)).write_all(&framed(&query(id, "pad 0"))).unwrap();
        assert!(ask_tcp(&stream, &query(id, "sign")).ends_with(b" signed"));
    }
    ended(running);
}

// ---- shortage, end ----

#[test]
fn running_out_of_descriptors_neither_ends_nor_spins_the_listener() {
    let me = std::env::current_exe().unwrap();
    let limited = "ulimit -n 48; exec \"$0\" --exact --nocapture --test-threads 1 in_a_process_of_few_descriptors";
    let child = std::process::Command::new("sh").arg("-c").arg(limited).arg(me).env(FEW, "yes").output().unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}\n{}", String::from_utf8_lossy(&child.stderr));
}

/// Set for the child process that has few descriptors.
const FEW: &str = "MXSEAL_TEST_FEW_DESCRIPTORS";

/// Does something only in the child that the test above starts.
#[test]
fn in_a_process_of_few_descriptors() {
    if std::env::var_os(FEW).is_none() {
        return;
    }
    let (running, server) = serve(ConnectionLimits::default());
    let datagrams = udp(server);
    let stat = std::fs::File::open("/proc/self/stat").unwrap();
    // Each client takes a descriptor here and one in the server, which is this process too.
    let mut clients = Vec::new();
    while let Ok(stream) = TcpStream::connect(server) {
        clients.push(stream);
        assert!(clients.len() < 1000, "the limit is not in force");
    }
    let waiting = clients.pop().unwrap();
    waiting.set_read_timeout(Some(PATIENCE)).unwrap();
    let before = cpu_ticks(&stat);
    let mut ids = 0..200;
    until("UDP was asked for 0.4 s", || {
        let id = ids.next().unwrap();
        assert_eq!(ask(&datagrams, &query(id, "udp")), answer(id, "udp"));
        std::thread::sleep(Duration::from_millis(2));
        ids.is_empty()
    });
    let spent = cpu_ticks(&stat) - before;
    assert!(spent < 30, "{spent} hundredths of a second of CPU in 0.4 s");
    drop(clients);
    assert_eq!(ask_tcp(&waiting, &query(1, "at last")), answer(1, "at last"));
    assert!(running.is_healthy());
    ended(running);
}

/// User and system time of this process in clock ticks (proc(5)); the file is open since no descriptor is left.
fn cpu_ticks(stat: &std::fs::File) -> u64 {
    let mut text = [0; 1024];
    let length = stat.read_at(&mut text, 0).unwrap();
    let text = String::from_utf8_lossy(&text[..length]).into_owned();
    let fields: Vec<_> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

static BUSY: AtomicBool = AtomicBool::new(true);
static ENTERED: AtomicUsize = AtomicUsize::new(0);

fn busy(snapshot: &Snapshot, asked: &Asked<'_>, out: &mut [u8]) -> Reply {
    ENTERED.fetch_add(1, Ordering::SeqCst);
    while BUSY.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    echo(snapshot, asked, out)
}

#[test]
fn a_drain_answers_what_was_received_and_closes_the_rest() {
    let (running, server) = serve_at("127.0.0.1", &Settings::default(), busy);
    let (datagrams, asking, idle) = (udp(server), tcp(server), tcp(server));
    let ids = 0..200;
    for id in ids.clone() {
        datagrams.send(&query(id, "udp")).unwrap();
    }
    let all: Vec<u8> = ids.clone().flat_map(|id| framed(&query(id, "tcp"))).collect();
    (&asking).write_all(&all).unwrap();
    until("both threads are at work", || ENTERED.load(Ordering::SeqCst) >= 2);
    let draining = std::thread::spawn(move || running.drain());
    BUSY.store(false, Ordering::SeqCst);
    for id in ids {
        assert_eq!(receive(&datagrams), answer(id, "udp"));
        assert_eq!(read_message(&asking), answer(id, "tcp"));
    }
    assert_eq!(read_rest(&asking), b"");
    assert_eq!(read_rest(&idle), b"");
    assert_eq!(draining.join().unwrap(), [] as [String; 0]);
    assert!(TcpStream::connect(server).is_err(), "nobody listens any more");
}

#[test]
fn an_idle_server_drains_within_its_limit_and_its_port_is_free_again() {
    let (running, server) = serve(ConnectionLimits::default());
    let guest = tcp(server);
    assert_eq!(ask_tcp(&guest, &query(1, "here")), answer(1, "here"));
    let began = Instant::now();
    ended(running);
    assert!(began.elapsed() < Settings::default().drain);
    bind(&[server], 2).expect("the port is free");
}
