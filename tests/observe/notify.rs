//! NOTIFY(CDS): to whom the parent says, answered or not.

use super::relay::udp;
use super::zones::{Denial, example, knot, name, ways};
use crate::live::{Running, World, has};
use mxseal::observe::notify::{Notified, notify_cds, tell};
use mxseal::observe::parent::ParentAsk;
use mxseal::resolve::anchors::Anchors;
use mxseal::resolve::client::Trouble;
use mxseal::time::now;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// DSYNC in the form of RFC 3597, since the parent's program is older than the type.
fn dsync(owner: &str, rtype: u16, port: u16, target: &str) -> String {
    let mut data = rtype.to_be_bytes().to_vec();
    data.push(1);
    data.extend(port.to_be_bytes());
    data.extend_from_slice(&name(target));
    format!("{owner} TYPE66 \\# {} {}\n", data.len(), data_encoding::HEXLOWER.encode(&data))
}

fn parent(more: impl Fn(&World) -> String) -> (World, Running, String) {
    has("knotd");
    let world = World::new();
    let text = example(&world, &more(&world));
    let (running, anchor) = knot(&world, &[("example.", text)], Denial::Nsec);
    (world, running, anchor)
}

fn notified(child: &str, world: &World, anchor: &str) -> Result<Vec<Notified>, String> {
    let (child, anchors, ways) = (name(child), Anchors::parse(anchor).unwrap(), ways());
    let parents = [world.at(0)];
    notify_cds(&ParentAsk { child: &child, parents: &parents, anchors: &anchors, ways: &ways, now: now().into() })
}

/// A registry's receiver: it hands on what it got, and answers NOERROR.
fn receiver(world: &World) -> (SocketAddr, Receiver<Vec<u8>>) {
    let socket = UdpSocket::bind((world.ip, 0)).unwrap();
    let (at, (sender, got)) = (socket.local_addr().unwrap(), channel());
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            sender.send(buffer[..length].to_vec()).ok();
            buffer[2] |= 0x80;
            socket.send_to(&buffer[..length], from).ok();
        }
    });
    (at, got)
}

#[test]
fn the_target_that_the_parent_names_is_told() {
    has("knotd");
    let world = World::new();
    let (at, got) = receiver(&world);
    let more = dsync("mx._dsync", 59, at.port(), "scanner.example.")
        + &dsync("mx._dsync", 62, 1, "other.example.")
        + &format!("scanner A {}\n", world.ip);
    let (_knot, anchor) = knot(&world, &[("example.", example(&world, &more))], Denial::Nsec);
    let told = notified("mx.example.", &world, &anchor).unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].server, told[0].outcome.clone()), (at, Ok(0)));
    let octets = got.recv_timeout(crate::live::PATIENCE).unwrap();
    // Opcode 4 and AA, one question: the child's CDS (RFC 9859 § 4.2).
    assert_eq!(octets[2..12], [0x24, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
    assert_eq!(octets[12..28], [&*name("mx.example."), &[0, 59, 0, 1]].concat());
}

#[test]
fn a_wildcard_and_the_name_for_all_children_are_found_too() {
    let (world, _knot, anchor) =
        parent(|world| dsync("*._dsync", 59, 5303, "ns.example.") + &format!("scanner A {}\n", world.ip));
    let told = notified("mx.example.", &world, &anchor).unwrap();
    assert_eq!(told[0].server, world.at(3));
    let (world, _knot, anchor) = parent(|_| dsync("_dsync", 59, 5303, "ns.example."));
    let told = notified("mx.example.", &world, &anchor).unwrap();
    assert_eq!(told[0].server, world.at(3));
    assert!(told[0].outcome.is_err(), "nobody listens there");
}

#[test]
fn knot_itself_answers_a_notify() {
    let (world, _knot, _) = parent(|_| String::new());
    // It is no secondary for the zone, hence NOTAUTH; what counts is that it reads the question.
    assert_eq!(tell(&name("example."), world.at(0), Duration::from_secs(10)), Ok(9));
}

#[test]
fn a_parent_without_dsync_wants_nobody_told() {
    let (world, _knot, anchor) = parent(|_| String::new());
    assert_eq!(notified("mx.example.", &world, &anchor), Ok(Vec::new()));
}

#[test]
fn a_parent_that_proves_nothing_is_not_followed() {
    let (world, _knot, anchor) = parent(|_| dsync("_dsync", 59, 5303, "ns.example."));
    let wrong = anchor.replace(" 13 2 ", " 13 4 ");
    assert!(Anchors::parse(&wrong).is_err());
    let other = format!("example. DS 1 13 2 {}", "00".repeat(32));
    assert!(notified("mx.example.", &world, &other).unwrap_err().contains("is what its DS or the trust anchor says"));
}

#[test]
fn a_receiver_that_loses_the_first_two_is_told_and_a_silent_one_is_named() {
    let count = std::sync::atomic::AtomicU32::new(0);
    let third = udp(move |question| {
        let mut reply = question.to_vec();
        reply[2] |= 0x80;
        reply[3] = 5;
        let nth = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if nth == 2 { vec![reply] } else { Vec::new() }
    });
    let short = Duration::from_millis(700);
    assert_eq!(tell(&name("mx.example."), third, short), Ok(5));
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let fault = tell(&name("mx.example."), silent.local_addr().unwrap(), short).unwrap_err();
    assert_eq!(fault.trouble, Trouble::TimedOut(short * 3));
}
