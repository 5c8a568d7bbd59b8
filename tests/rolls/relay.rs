//! One address that hands questions on to a server, and from some moment on to another.
//!
//! It is patient: a question that finds the server down is asked again when it is back, so that what resolvers get is what
//! the server says, and never that it was not there.

use crate::live::World;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a server may take to answer, before it is asked again.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a server may be down.
const DOWN_MAX: Duration = Duration::from_secs(15);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(50);

/// Threads end with the process: they hold nothing but sockets.
pub struct Relay {
    pub at: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
}

impl Relay {
    pub fn start(world: &World, target: SocketAddr) -> Relay {
        let (at, target) = (world.at(5), Arc::new(Mutex::new(target)));
        let (udp, tcp) = (Arc::new(UdpSocket::bind(at).unwrap()), TcpListener::bind(at).unwrap());
        let (for_udp, for_tcp) = (Arc::clone(&target), Arc::clone(&target));
        std::thread::spawn(move || {
            let mut buffer = [0; 65_535];
            while let Ok((length, from)) = udp.recv_from(&mut buffer) {
                let (question, target, udp) = (buffer[..length].to_vec(), *for_udp.lock().unwrap(), Arc::clone(&udp));
                std::thread::spawn(move || udp.send_to(&by_udp(&question, target)?, from).ok());
            }
        });
        std::thread::spawn(move || {
            for mut client in tcp.incoming().flatten() {
                let target = *for_tcp.lock().unwrap();
                std::thread::spawn(move || by_tcp(&mut client, target));
            }
        });
        Relay { at, target }
    }

    /// All questions from now on go there.
    pub fn turn_to(&self, target: SocketAddr) {
        *self.target.lock().unwrap() = target;
    }
}

/// Tries until there is an answer, or nobody waits for it any more.
fn poll_answer<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        match ask() {
            Some(answer) => return Some(answer),
            None if begun.elapsed() > DOWN_MAX => return None,
            None => std::thread::sleep(AGAIN),
        }
    }
}

fn by_udp(question: &[u8], target: SocketAddr) -> Option<Vec<u8>> {
    poll_answer(|| {
        let socket = UdpSocket::bind((target.ip(), 0)).ok()?;
        socket.set_read_timeout(Some(PATIENCE)).ok()?;
        socket.connect(target).ok()?;
        socket.send(question).ok()?;
        let mut reply = vec![0; 65_535];
        let length = socket.recv(&mut reply).ok()?;
        reply.truncate(length);
        Some(reply)
    })
}

/// One question and its answer a connection.
fn by_tcp(client: &mut TcpStream, target: SocketAddr) -> Option<()> {
    client.set_read_timeout(Some(PATIENCE)).ok()?;
    let question = message(client)?;
    let answer = poll_answer(|| {
        let mut server = TcpStream::connect_timeout(&target, PATIENCE).ok()?;
        server.set_read_timeout(Some(PATIENCE)).ok()?;
        server.write_all(&question).ok()?;
        message(&mut server)
    })?;
    client.write_all(&answer).ok()
}

/// A message with its length in front.
fn message(from: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = [0; 2];
    from.read_exact(&mut head).ok()?;
    let mut octets = vec![0; usize::from(u16::from_be_bytes(head))];
    from.read_exact(&mut octets).ok()?;
    Some([&head[..], &octets].concat())
}
