//! What answers on a loopback address in place of a server's workers.

use crate::answer::{Asked, Effort, Reply, Snapshot, Transport, respond};
use crate::time::UnixTime;
use arc_swap::ArcSwap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What answers on a loopback address, from the snapshot and at the moment of the test.
pub(super) struct Answering {
    /// Where.
    pub(super) at: SocketAddr,
    /// By which seconds since 1970 signatures are made.
    pub(super) moment: Arc<AtomicU64>,
    ends: Arc<AtomicU64>,
}

impl Answering {
    pub(super) fn from(slot: Arc<ArcSwap<Snapshot>>) -> Answering {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().expect("an address")) {
                break (udp, tcp);
            }
        };
        let (at, moment, ends) = (udp.local_addr().expect("an address"), Arc::default(), Arc::<AtomicU64>::default());
        let reply = {
            let moment = Arc::clone(&moment);
            move |packet: &[u8], transport| {
                let now = UnixTime(AtomicU64::load(&moment, Ordering::SeqCst));
                let source = "127.0.0.1".parse().expect("an address");
                let mut out = vec![0; 65_535];
                let asked = Asked { packet, source, transport, now, effort: Effort::Sign };
                match respond(&slot.load(), &asked, &mut out) {
                    Reply::Send(outcome) => out.truncate(outcome.length),
                    Reply::Silence | Reply::Deferred(_) => out.clear(),
                }
                out
            }
        };
        let (of_tcp, ended) = (reply.clone(), Arc::clone(&ends));
        std::thread::spawn(move || {
            for stream in tcp.incoming().map_while(Result::ok) {
                if ended.load(Ordering::SeqCst) > 0 {
                    return;
                }
                let _ = over_tcp(stream, &of_tcp);
            }
        });
        let ended = Arc::clone(&ends);
        std::thread::spawn(move || {
            let mut packet = [0; 4096];
            while let Ok((length, from)) = udp.recv_from(&mut packet) {
                if ended.load(Ordering::SeqCst) > 0 {
                    return;
                }
                let _ = udp.send_to(&reply(&packet[..length], Transport::Udp), from);
            }
        });
        Answering { at, moment, ends }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.ends.store(1, Ordering::SeqCst);
        // Each of the threads waits for one packet more.
        let _ = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(&[0], self.at));
        let _ = TcpStream::connect(self.at);
    }
}

fn over_tcp(mut stream: TcpStream, reply: &impl Fn(&[u8], Transport) -> Vec<u8>) -> std::io::Result<()> {
    let mut length = [0; 2];
    while stream.read_exact(&mut length).is_ok() {
        let mut packet = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut packet)?;
        let reply = reply(&packet, Transport::Tcp);
        let length = u16::try_from(reply.len()).unwrap_or(u16::MAX).to_be_bytes();
        stream.write_all(&[&length[..], &reply].concat())?;
    }
    Ok(())
}
