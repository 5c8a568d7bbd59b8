//! Rate limits and budgets of the running server, over sockets of the loopback, with zones that are signed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test ends at the first surprise and says what it skips"
)]

#[path = "support/support.rs"]
mod support;

use arc_swap::ArcSwap;
use mxseal::answer::respond;
use mxseal::metrics::Metrics;
use mxseal::serve::{ConnectionLimits, RateLimit, Running, Settings, Signatures, bind, start};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::message::Message;
use support::wire_name;
use support::world::world;

/// Long enough for a busy machine; a test that meets it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

const ZONES: &str = "
zone a.example.
    @ 3600 SOA ns.x. h 1 2 3 4 300
    @ 3600 NS ns.x.
    www 60 A 192.0.2.1
zone b.example.
    @ 3600 SOA ns.x. h 1 2 3 4 300
    @ 3600 NS ns.x.
    www 60 A 192.0.2.2
    *.wild 60 A 192.0.2.3
";

const BADCOOKIE: u16 = 23;
const COOKIE: u16 = 10;
const CLIENT: &[u8; 8] = b"client-c";

/// A server of one worker.
struct Server {
    running: Running,
    address: SocketAddr,
    metrics: Metrics,
}

impl Server {
    fn start(settings: &Settings) -> Server {
        let (listeners, _) = bind(&["127.0.0.1:0".parse().unwrap()], 1).unwrap();
        let slot = Arc::new(ArcSwap::from_pointee(world(ZONES).snapshot));
        let running = start(listeners, &slot, settings, respond).unwrap();
        let (address, metrics) = (running.addresses()[0], Metrics::default());
        metrics.add(running.counters());
        Server { running, address, metrics }
    }

    /// One that limits everybody to so many answers a second.
    fn limiting(answers_per_second: u32) -> Server {
        let rates = RateLimit { answers_per_second, limit_loopback: true, dry_run: false };
        Server::start(&Settings { rates, ..Settings::default() })
    }

    fn number(&self, series: &str) -> usize {
        let text = self.metrics.text();
        let line = text.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("{series}"));
        line.trim().parse().unwrap()
    }

    fn limited(&self, class: &str) -> usize {
        self.number(&format!("mxseal_rrl_limited_total{{dry_run=\"false\",class=\"{class}\"}}"))
    }

    fn udp(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(self.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20).unwrap();
        socket
    }

    fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn end(self) {
        assert_eq!(self.running.drain(), [] as [String; 0], "threads that did not end");
    }
}

/// A query with DO for the addresses of `name`, with a cookie if there is one.
fn query(id: u16, name: &str, cookie: &[u8]) -> Vec<u8> {
    let mut packet = id.to_be_bytes().to_vec();
    packet.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
    packet.extend(wire_name(name));
    packet.extend([0, 1, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0x80, 0]);
    let length = u16::try_from(if cookie.is_empty() { 0 } else { cookie.len() + 4 }).unwrap();
    packet.extend(length.to_be_bytes());
    if length > 0 {
        packet.extend(COOKIE.to_be_bytes());
        packet.extend((length - 4).to_be_bytes());
        packet.extend(cookie);
    }
    packet
}

fn ask(socket: &UdpSocket, packet: &[u8]) -> Vec<u8> {
    socket.send(packet).unwrap();
    let mut buffer = [0; 1500];
    let length = socket.recv(&mut buffer).expect("an answer over UDP");
    buffer[..length].to_vec()
}

fn ask_tcp(stream: &mut TcpStream, packet: &[u8]) -> Vec<u8> {
    send_tcp(stream, packet);
    read_tcp(stream)
}

fn send_tcp(stream: &mut TcpStream, packet: &[u8]) {
    stream.write_all(&framed(packet)).unwrap();
}

fn framed(packet: &[u8]) -> Vec<u8> {
    [&u16::try_from(packet.len()).unwrap().to_be_bytes()[..], packet].concat()
}

fn read_tcp(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).expect("an answer over TCP");
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).expect("a whole answer");
    message
}

/// What is sent instead of an answer: the question and OPT, with TC.
fn is_limited(query: &[u8], answer: &[u8]) -> bool {
    let message = Message::decode(answer);
    let is_bare = message.sections.iter().all(Vec::is_empty) && message.truncated();
    if is_bare {
        assert_eq!((&answer[..2], message.rcode(), answer.len()), (&query[..2], 0, query.len()));
    }
    is_bare
}

/// Asks for each name in turn and returns how many were limited, and the most that may have been answered meanwhile.
fn flood(socket: &UdpSocket, rate: usize, names: impl Iterator<Item = String>) -> (usize, usize) {
    let began = Instant::now();
    let is_limited = |(id, name): (u16, String)| {
        let packet = query(id, &name, &[]);
        is_limited(&packet, &ask(socket, &packet))
    };
    let limited = (0..).zip(names).filter_map(|one| is_limited(one).then_some(())).count();
    let earned = began.elapsed().as_millis() * u128::try_from(rate).unwrap() / 1000;
    (limited, rate + usize::try_from(earned).unwrap() + 1)
}

fn same(name: &str, count: usize) -> impl Iterator<Item = String> {
    std::iter::repeat_n(name.to_owned(), count)
}

fn random(zone: &str, count: usize) -> impl Iterator<Item = String> {
    (0..count).map(move |at| format!("r{at}.{zone}"))
}

// ---- rates ----

#[test]
fn past_the_rate_an_answer_is_tc_and_its_question_alone_and_tcp_answers() {
    let server = Server::limiting(5);
    let client = server.udp();
    let (limited, answered_max) = flood(&client, 5, same("www.a.example.", 200));
    assert!(200 - limited >= 5 && 200 - limited <= answered_max, "{limited} limited, {answered_max}");
    assert_eq!(server.limited("positive"), limited);
    let mut stream = server.tcp();
    for id in 0..50 {
        let message = Message::decode(&ask_tcp(&mut stream, &query(id, "www.a.example.", &[])));
        assert_eq!((message.sections[0].len(), message.truncated()), (2, false));
    }
    assert_eq!(server.number("mxseal_dns_truncated_total"), limited, "TCP was not limited");
    server.end();
}

#[test]
fn another_name_zone_or_outcome_is_not_limited_with_it() {
    let server = Server::limiting(4);
    let client = server.udp();
    let (limited, _) = flood(&client, 4, random("a.example.", 100));
    assert!(limited > 0);
    assert_eq!(server.limited("denial"), limited);
    for name in ["www.a.example.", "www.b.example.", "nothing.b.example."] {
        let packet = query(1, name, &[]);
        assert!(!is_limited(&packet, &ask(&client, &packet)), "{name}");
    }
    server.end();
}

#[test]
fn a_limited_denial_or_expansion_costs_no_signature() {
    for zone in ["a.example.", "wild.b.example."] {
        let server = Server::limiting(3);
        let (limited, answered_max) = flood(&server.udp(), 3, random(zone, 100));
        assert!(100 - limited <= answered_max, "{limited} limited, {answered_max}");
        // One for each answer, and once that of the SOA beside a denial.
        let soa = usize::from(zone == "a.example.");
        assert_eq!(server.number("mxseal_sign_total"), 100 - limited + soa, "{zone}");
        server.end();
    }
}

#[test]
fn errors_are_limited_too() {
    let server = Server::limiting(2);
    let (limited, answered_max) = flood(&server.udp(), 2, random("elsewhere.", 100));
    assert!(limited > 0 && 100 - limited <= answered_max);
    assert_eq!(server.limited("error"), limited);
    server.end();
}

#[test]
fn loopback_is_exempt_unless_configured_and_a_dry_run_only_counts() {
    for dry_run in [false, true] {
        let rates = RateLimit { answers_per_second: 1, limit_loopback: dry_run, dry_run };
        let server = Server::start(&Settings { rates, ..Settings::default() });
        let (limited, answered_max) = flood(&server.udp(), 1, same("www.a.example.", 100));
        assert_eq!((limited, server.limited("positive")), (0, 0));
        let noted = server.number("mxseal_rrl_limited_total{dry_run=\"true\",class=\"positive\"}");
        assert!(if dry_run { noted + answered_max >= 100 } else { noted == 0 }, "{noted}");
        server.end();
    }
}

// ---- cookies ----

#[test]
fn a_valid_cookie_exempts_and_whoever_sends_half_of_one_gets_the_other_half() {
    let server = Server::limiting(1);
    let client = server.udp();
    let (mut refused, mut cookie) = (0, Vec::new());
    for id in 0..100 {
        let packet = query(id, "www.a.example.", CLIENT);
        let octets = ask(&client, &packet);
        let message = Message::decode(&octets);
        cookie = message.option(COOKIE).expect("a cookie in every answer");
        assert_eq!((&cookie[..8], cookie.len(), message.truncated()), (&CLIENT[..], 24, false));
        if message.rcode() == BADCOOKIE {
            refused += 1;
            assert!(message.sections.iter().all(Vec::is_empty) && octets.len() == packet.len() + 16);
        } else {
            assert_eq!((message.rcode(), message.sections[0].len()), (0, 2));
        }
    }
    assert!(refused > 0);
    assert_eq!(server.limited("positive"), refused);
    assert_eq!(server.number("mxseal_dns_responses_total{rcode=\"BADCOOKIE\"}"), refused);
    let all: Vec<_> = (0..100).map(|id| ask(&client, &query(id, "www.a.example.", &cookie))).collect();
    assert!(all.iter().all(|octets| Message::decode(octets).sections[0].len() == 2));
    assert_eq!(server.limited("positive"), refused, "with the cookie nothing was limited");
    server.end();
}

#[test]
fn a_wrong_cookie_is_answered_as_usual_until_its_source_is_limited() {
    let server = Server::limiting(3);
    let client = server.udp();
    let wrong = [&CLIENT[..], &[1, 0, 0, 0, 9, 9, 9, 9, 1, 2, 3, 4, 5, 6, 7, 8]].concat();
    let mut rcodes = Vec::new();
    for id in 0..60 {
        let message = Message::decode(&ask(&client, &query(id, "r.a.example.", &wrong)));
        let fresh = message.option(COOKIE).expect("a cookie");
        assert!(fresh.len() == 24 && fresh != wrong);
        rcodes.push(message.rcode());
    }
    assert_eq!(rcodes[..3], [0; 3]);
    assert!(rcodes.contains(&BADCOOKIE));
    server.end();
}

#[test]
fn kdig_comes_back_with_the_cookie_or_over_tcp() {
    let server = Server::limiting(1);
    let port = server.address.port().to_string();
    let kdig = |more: &[&str]| {
        let args = ["@127.0.0.1", "-p", &port, "www.a.example", "A", "+timeout=10", "+retry=1"];
        Command::new("kdig").args(args).args(more).output().map(|out| String::from_utf8(out.stdout).unwrap())
    };
    if kdig(&[]).is_err() {
        println!("skipped: no kdig");
        return;
    }
    let client = server.udp();
    let deadline = Instant::now() + PATIENCE;
    // The rate earns an answer a second, so at times kdig is not limited: then it asks again.
    for (how, more, series) in [
        ("UDP", "+cookie", "mxseal_dns_responses_total{rcode=\"BADCOOKIE\"}"),
        ("TCP", "+nocookie", "mxseal_dns_requests_total{proto=\"tcp\",family=\"ipv4\",qtype=\"A\"}"),
    ] {
        while server.number(series) == 0 {
            assert!(Instant::now() < deadline, "kdig was never limited");
            ask(&client, &query(1, "www.a.example.", &[]));
            let said = kdig(&[more]).unwrap();
            assert!(said.contains("status: NOERROR") && said.contains("192.0.2.1"), "{said}");
            let is_last = server.number(series) > 0;
            assert!(!is_last || said.contains(&format!("({how})")), "{how}: {said}");
        }
    }
    server.end();
}

// ---- budgets for signatures ----

#[test]
fn a_flood_of_random_names_in_one_zone_leaves_another_its_denials_and_expansions() {
    // Two zones: half of the budget is for everybody, a quarter each one's own. The SOA takes one, once.
    let server = Server::start(&Settings { denials_per_second: 40, ..Settings::default() });
    let client = server.udp();
    let (refused, answered_max) = flood(&client, 40, random("a.example.", 400));
    assert!(400 - refused >= 29 && 400 - refused <= answered_max, "{refused} of 400, {answered_max}");
    for name in random("b.example.", 4).chain(random("wild.b.example.", 4)) {
        let packet = query(1, &name, &[]);
        assert!(!Message::decode(&ask(&client, &packet)).truncated(), "{name}");
    }
    assert_eq!(server.number("mxseal_sign_refused_total{proto=\"udp\"}"), refused);
    server.end();
}

#[test]
fn tcp_waits_for_its_budget_and_past_the_deadline_is_closed_while_others_go_on() {
    let settings = Settings { stream_signatures: Signatures::new(20), ..Settings::default() };
    let server = Server::start(&settings);
    let mut stream = server.tcp();
    for id in 0..30 {
        send_tcp(&mut stream, &query(id, &format!("r{id}.a.example."), &[]));
    }
    for id in 0..30u16 {
        let octets = read_tcp(&mut stream);
        assert_eq!((&octets[..2], Message::decode(&octets).sections[1].len()), (&id.to_be_bytes()[..], 4));
    }
    server.end();

    let tcp = ConnectionLimits { signature_wait: Duration::from_millis(50), ..ConnectionLimits::default() };
    let server = Server::start(&Settings { stream_signatures: Signatures::new(0), tcp, ..Settings::default() });
    let (mut denied, mut other) = (server.tcp(), server.tcp());
    send_tcp(&mut denied, &query(1, "r.a.example.", &[]));
    let mut rest = Vec::new();
    denied.read_to_end(&mut rest).expect("closed");
    assert_eq!(rest, b"", "neither an unsigned denial nor SERVFAIL");
    // What is kept for good is signed all the same, with or without a budget: here it was never asked before.
    let signed = Message::decode(&ask_tcp(&mut other, &query(2, "www.a.example.", &[])));
    assert_eq!((signed.sections[0].len(), signed.truncated()), (2, false), "the address and its signature");
    // And what needs none.
    let mut plain = query(2, "www.a.example.", &[]);
    let flags = plain.len() - 4;
    plain[flags] = 0;
    assert_eq!(Message::decode(&ask_tcp(&mut other, &plain)).sections[0].len(), 1);
    assert!(!Message::decode(&ask(&server.udp(), &query(3, "r.a.example.", &[]))).truncated(), "UDP has its own");
    assert_eq!(server.number("mxseal_sign_refused_total{proto=\"tcp\"}"), 1);
    assert_eq!(server.number("mxseal_dropped_total{reason=\"tcp_deadline\"}"), 1);
    server.end();
}

#[test]
fn a_flood_over_tcp_that_fills_the_queue_leaves_another_zone_its_denials() {
    let tcp = ConnectionLimits {
        signatures_queued_max: 3,
        signature_wait: PATIENCE,
        message: PATIENCE,
        ..ConnectionLimits::default()
    };
    // Of 40 a quarter is each zone's own; the flood wants 400.
    let server = Server::start(&Settings { tcp, stream_signatures: Signatures::new(40), ..Settings::default() });
    let mut flood: Vec<_> = (0..20).map(|_| server.tcp()).collect();
    for (id, stream) in (0..).zip(&mut flood) {
        let all = (0..20).flat_map(|more| framed(&query(id, &format!("r{id}-{more}.a.example."), &[])));
        // In one go, as the server may close meanwhile.
        stream.write_all(&all.collect::<Vec<u8>>()).unwrap();
    }
    let deadline = Instant::now() + PATIENCE;
    while server.number("mxseal_dropped_total{reason=\"tcp_full\"}") == 0 {
        assert!(Instant::now() < deadline, "the queue was never full");
        std::thread::yield_now();
    }
    let mut other = server.tcp();
    for id in 0..4 {
        let octets = ask_tcp(&mut other, &query(id, &format!("r{id}.b.example."), &[]));
        assert_eq!(Message::decode(&octets).sections[1].len(), 4);
    }
    server.end();
}
