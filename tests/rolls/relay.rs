//! One address that hands questions on to a server, and from some moment on to another.

use crate::live::World;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a server may take.
const PATIENCE: Duration = Duration::from_secs(3);

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

fn by_udp(question: &[u8], target: SocketAddr) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind((target.ip(), 0)).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.connect(target).ok()?;
    socket.send(question).ok()?;
    let mut reply = vec![0; 65_535];
    let length = socket.recv(&mut reply).ok()?;
    reply.truncate(length);
    Some(reply)
}

/// One question and its answer a connection.
fn by_tcp(client: &mut TcpStream, target: SocketAddr) -> Option<()> {
    let mut server = TcpStream::connect_timeout(&target, PATIENCE).ok()?;
    for stream in [&*client, &server] {
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
    }
    pass(client, &mut server)?;
    pass(&mut server, client)
}

fn pass(from: &mut TcpStream, to: &mut TcpStream) -> Option<()> {
    let mut head = [0; 2];
    from.read_exact(&mut head).ok()?;
    let mut octets = vec![0; usize::from(u16::from_be_bytes(head))];
    from.read_exact(&mut octets).ok()?;
    to.write_all(&[&head[..], &octets].concat()).ok()
}
