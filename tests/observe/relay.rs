//! Servers that misbehave: they relay with changes, hang, trickle, lie or hang up.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

/// A TCP server that replies as told, for as long as the test runs.
pub fn tcp(upstream: SocketAddr, reply: impl Fn(&[u8], SocketAddr) -> Option<Vec<u8>> + Send + 'static) -> SocketAddr {
    serve(move |mut stream| {
        let question = framed(&mut stream)?;
        let octets = reply(&question, upstream)?;
        send(&mut stream, &octets)
    })
}

/// A TCP server that does with each connection what it is told.
pub fn serve(each: impl Fn(TcpStream) -> Option<()> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().flatten().map(&each).count());
    at
}

/// One port that relays UDP and TCP to a real server, with each reply changed as told.
pub fn both(at: SocketAddr, change: impl Fn(&[u8], &mut Vec<u8>) + Clone + Send + 'static) -> SocketAddr {
    let (listener, socket) = loop {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        if let Ok(listener) = TcpListener::bind(socket.local_addr().unwrap()) {
            break (listener, socket);
        }
    };
    let own = socket.local_addr().unwrap();
    let changed = move |question: &[u8]| {
        let mut reply = upstream(question, at)?;
        change(question, &mut reply);
        Some(reply)
    };
    let over_tcp = changed.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            framed(&mut stream).and_then(|question| send(&mut stream, &over_tcp(&question)?));
        }
    });
    std::thread::spawn(move || answer(&socket, |question| changed(question).into_iter().collect()));
    own
}

/// A UDP server that replies as told.
pub fn udp(reply: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = socket.local_addr().unwrap();
    std::thread::spawn(move || answer(&socket, reply));
    at
}

fn answer(socket: &UdpSocket, reply: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
    let mut buffer = [0; 65_535];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        for octets in reply(&buffer[..length]) {
            socket.send_to(&octets, from).ok();
        }
    }
}

pub fn framed(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).ok()?;
    let mut octets = vec![0; usize::from(u16::from_be_bytes(head))];
    stream.read_exact(&mut octets).ok()?;
    Some(octets)
}

pub fn send(stream: &mut TcpStream, octets: &[u8]) -> Option<()> {
    let length = u16::try_from(octets.len()).ok()?.to_be_bytes();
    stream.write_all(&[&length[..], octets].concat()).ok()
}

/// What the real server answers.
pub fn upstream(question: &[u8], at: SocketAddr) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(at).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    send(&mut stream, question)?;
    framed(&mut stream)
}

/// The type that a question asks for.
pub fn asked(question: &[u8]) -> u16 {
    let mut at = 12;
    while question[at] != 0 {
        at += 1 + usize::from(question[at]);
    }
    u16::from_be_bytes([question[at + 1], question[at + 2]])
}
