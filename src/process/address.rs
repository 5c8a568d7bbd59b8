//! Addresses of this host: binds them also before an interface has them, and tells whether one is there.
//!
//! One that comes late at a boot, or that moves between machines, is served from the moment it is there. An address that is there is bound as ever, so one that is taken or not permitted stays an error of the start.

use socket2::Socket;
use std::io;
use std::net::{SocketAddr, UdpSocket};

/// Binds a socket; where this host lacks the address now, without asking for it (IP_FREEBIND, ip(7); IPV6_FREEBIND, so
/// also while duplicate address detection is under way, RFC 4862 § 5.4). This needs no privilege.
///
/// # Errors
/// The kernel's; that the address is missing only where it cannot bind freely.
pub fn bind(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    let missing = match socket.bind(&address.into()) {
        Err(fault) if fault.kind() == io::ErrorKind::AddrNotAvailable => fault,
        done => return done,
    };
    let freely = if address.is_ipv6() { socket.set_freebind_v6(true) } else { socket.set_freebind_v4(true) };
    // A kernel without it (Linux before 4.15 for IPv6) leaves the fault of before.
    freely.map_err(|_| missing)?;
    socket.bind(&address.into())
}

/// Whether an interface of this host has the address: only then may a socket be bound to it without asking for an
/// address that is not there. Where `net.ipv4.ip_nonlocal_bind` is set, the kernel does not tell. Any other fault says
/// nothing about the address.
pub fn is_here(address: SocketAddr) -> bool {
    let mut free_port = address;
    free_port.set_port(0);
    address.ip().is_unspecified()
        || !UdpSocket::bind(free_port).is_err_and(|fault| fault.kind() == io::ErrorKind::AddrNotAvailable)
}
