//! The floor: answers every datagram with its own octets and junk behind them, in the server's batches, without any DNS.
//!
//! What an answer costs at least on this machine's sockets; `benches/compare` divides by it. The port is the argument.
//! It ends on SIGTERM, and when its standard input is closed.

#![allow(clippy::print_stderr, reason = "it says when it listens, and why it cannot")]

use mxseal::serve::batch::{Batch, Datagram, Wait};
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::process::ExitCode;

/// Octets behind the question: what an address with its signature takes.
const JUNK_OCTETS: usize = 160;
/// Of the socket's buffers, as the server asks for them.
const BUFFER_OCTETS: usize = 4 << 20;

fn main() -> ExitCode {
    // `cargo bench` adds `--bench` to what it was given.
    let port = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let Some(port) = port else {
        eprintln!("usage: floor PORT (or: cargo bench --bench floor -- PORT)");
        return ExitCode::from(2);
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let socket = match open(address) {
        Ok(socket) => socket,
        Err(fault) => {
            eprintln!("floor: cannot listen on {address}: {fault}");
            return ExitCode::FAILURE;
        }
    };
    eprintln!("floor: listening on {address} over UDP; ends when its standard input is closed");
    std::thread::spawn(move || answer(&socket));
    let ended = io::copy(&mut io::stdin(), &mut io::sink());
    ended.map_or(ExitCode::FAILURE, |_| ExitCode::SUCCESS)
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.set_recv_buffer_size(BUFFER_OCTETS)?;
    socket.set_send_buffer_size(BUFFER_OCTETS)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn answer(socket: &Socket) {
    let mut batch = Batch::new(false);
    loop {
        let received = batch.receive(socket.as_fd(), Wait::ForOne).unwrap_or(0);
        for at in 0..received {
            if let Some(length) = batch.datagram(at).and_then(junk) {
                batch.queue(at, length);
            }
        }
        batch.send(socket.as_fd());
    }
}

/// The question back as an answer with a record (QR, AA, ANCOUNT 1), so that clients take it, and junk behind it.
fn junk(datagram: Datagram<'_>) -> Option<usize> {
    let question = datagram.packet.len();
    let length = question + JUNK_OCTETS;
    datagram.out.get_mut(..question)?.copy_from_slice(datagram.packet);
    datagram.out.get_mut(question..length)?.fill(7);
    *datagram.out.get_mut(2)? |= 0x84;
    *datagram.out.get_mut(7)? = 1;
    Some(length)
}
