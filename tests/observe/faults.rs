//! Servers that misbehave cost a bounded time and get a named fault; what they change is never believed.

use super::relay::{asked, framed, serve, tcp, udp, upstream};
use super::zones::{Denial, example, knot, name, only, round_of, ways};
use crate::live::{World, has, wire};
use mxseal::resolve::client::{Transport, Trouble, ask};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_millis(400);
/// A busy machine may take longer, but never as long as a server that holds us.
const BOUND: Duration = Duration::from_secs(5);

fn trouble(server: SocketAddr, transport: Transport) -> Trouble {
    let began = Instant::now();
    let fault = ask(server, &name("mx.example."), wire::DS, transport, TIMEOUT).unwrap_err();
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    assert_eq!(fault.server, server);
    fault.trouble
}

/// The question as its own reply, without OPT.
fn echo(question: &[u8]) -> Vec<u8> {
    let mut reply = question[..question.len() - 11].to_vec();
    reply[2] = 0x84;
    reply[11] = 0;
    reply
}

#[test]
fn a_server_that_hangs_or_trickles_holds_nobody() {
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    assert_eq!(trouble(hangs.local_addr().unwrap(), Transport::Tcp), Trouble::TimedOut(TIMEOUT));
    let trickles = serve(|mut stream| {
        let question = framed(&mut stream)?;
        stream.write_all(&[0xff, 0xff]).ok()?;
        // An octet whenever the other side has taken the last: forever, as far as a limit for each read can tell.
        loop {
            stream.write_all(&question[..1]).ok()?;
            wait_moment();
        }
    });
    assert_eq!(trouble(trickles, Transport::Tcp), Trouble::TimedOut(TIMEOUT));
    let silent = udp(|_| Vec::new());
    assert_eq!(trouble(silent, Transport::Udp), Trouble::TimedOut(TIMEOUT));
}

fn wait_moment() {
    std::thread::sleep(Duration::from_millis(20));
}

#[test]
fn a_server_that_closes_or_is_not_there_is_named() {
    let closes = serve(|mut stream| framed(&mut stream).map(|_| ()));
    assert_eq!(trouble(closes, Transport::Tcp), Trouble::Closed);
    let short = serve(|mut stream| {
        framed(&mut stream)?;
        stream.write_all(&[0, 99, 1, 2, 3]).ok()
    });
    assert_eq!(trouble(short, Transport::Tcp), Trouble::Closed);
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for transport in [Transport::Tcp, Transport::Udp] {
        assert!(matches!(trouble(gone, transport), Trouble::Unreachable(_)));
    }
}

#[test]
fn garbage_and_answers_to_other_questions_are_named() {
    let garbage = |part: &str, server, transport| match trouble(server, transport) {
        Trouble::Garbage(why) => assert!(why.contains(part), "{why}"),
        other => panic!("{other:?}"),
    };
    let nowhere: SocketAddr = "127.0.0.1:9".parse().unwrap();
    garbage("shorter", tcp(nowhere, |_, _| Some(vec![1, 2, 3])), Transport::Tcp);
    garbage("shorter", tcp(nowhere, |_, _| Some(Vec::new())), Transport::Tcp);
    let claims = |question: &[u8]| {
        let mut reply = echo(question);
        reply[7] = 9;
        reply
    };
    garbage("ends inside", udp(move |question| vec![claims(question)]), Transport::Udp);
    let other = |question: &[u8]| {
        let mut reply = echo(question);
        reply[13] ^= 1;
        reply
    };
    garbage("another question", udp(move |question| vec![other(question)]), Transport::Udp);
    garbage(
        "another ID",
        tcp(nowhere, |question, _| {
            let mut reply = echo(question);
            reply[0] ^= 1;
            Some(reply)
        }),
        Transport::Tcp,
    );
    let cut = |question: &[u8]| {
        let mut reply = echo(question);
        reply[2] |= 2;
        reply
    };
    garbage("cut even over TCP", tcp(nowhere, move |question, _| Some(cut(question))), Transport::Tcp);
}

#[test]
fn a_right_answer_behind_forged_ones_is_found() {
    let server = udp(|question| {
        let mut forged = echo(question);
        forged[1] ^= 1;
        vec![vec![0; 5], forged, echo(question)]
    });
    let reply = ask(server, &name("mx.example."), wire::DS, Transport::Udp, crate::live::PATIENCE).unwrap();
    assert!(reply.authoritative && reply.answer.is_empty());
}

#[test]
fn codes_that_are_no_answer_are_faults() {
    for code in [1, 2, 4, 5, 9] {
        let server = udp(move |question| {
            let mut reply = echo(question);
            reply[3] = code;
            vec![reply]
        });
        assert_eq!(trouble(server, Transport::Udp), Trouble::Refused(u16::from(code)));
    }
}

#[test]
fn an_answer_with_one_changed_octet_is_never_believed() {
    has("knotd");
    let world = World::new();
    let (_knot, anchor) = knot(&world, &[("example.", example(&world, ""))], Denial::Nsec);
    for (child, changed) in [("mx.example.", wire::DS), ("plain.example.", wire::DS), ("mx.example.", wire::DNSKEY)] {
        let at = world.at(0);
        let whole = tcp(at, upstream);
        assert!(only(&round_of(child, &[whole], &anchor, &ways())).is_ok());
        let length = {
            let question = mxseal::resolve::message::Question {
                id: 1,
                opcode: 0,
                name: name(if changed == wire::DS { child } else { "example." }),
                rtype: changed,
            };
            upstream(&question.encode(), at).unwrap().len()
        };
        // Every seventh octet behind the question, OPT aside, and the ends of both signatures.
        for octet in (40..length - 11).step_by(7).chain([length - 12]) {
            let server = serve(move |mut stream| {
                let question = framed(&mut stream)?;
                let mut reply = upstream(&question, at)?;
                if asked(&question) == changed {
                    *reply.get_mut(octet)? ^= 0x04;
                }
                super::relay::send(&mut stream, &reply)
            });
            let told = only(&round_of(child, &[server], &anchor, &ways()));
            // TTLs are not signed, and neither are records that prove nothing: only then may the answer pass, and
            // then it says what is true.
            if let Ok(seen) = told {
                let truth = only(&round_of(child, &[at], &anchor, &ways())).unwrap();
                assert_eq!((seen.ds, seen.original_ttl), (truth.ds, truth.original_ttl), "{child} octet {octet}");
            }
        }
    }
}

#[test]
fn a_denial_in_place_of_a_ds_is_never_believed() {
    has("knotd");
    let world = World::new();
    let (_knot, anchor) = knot(&world, &[("example.", example(&world, ""))], Denial::Nsec);
    // The proof of another name, under the question for this one.
    let server = tcp(world.at(0), |question, at| {
        if asked(question) != wire::DS {
            return upstream(question, at);
        }
        let other = mxseal::resolve::message::Question {
            id: u16::from_be_bytes([question[0], question[1]]),
            opcode: 0,
            name: name("zebra.example."),
            rtype: wire::DS,
        };
        let mut reply = upstream(&other.encode(), at)?;
        // `zebra` and `other` have five letters, so that every pointer still fits.
        reply[12..18].copy_from_slice(b"\x05other");
        Some(reply)
    });
    let why = only(&round_of("other.example.", &[server], &anchor, &ways())).unwrap_err();
    assert!(why.contains("is not validated"), "{why}");
}
