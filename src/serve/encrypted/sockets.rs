//! The sockets that DoT and DoQ are offered on, bound while the process may still bind.
//!
//! Whoever serves them gets them ready: an address that is taken is told before anything runs, and one that no interface
//! has yet is bound all the same.

use super::EncryptedFault;
use crate::process::address;
use socket2::{Domain, Protocol as IpProtocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

/// Connections that wait for `accept`.
const BACKLOG: i32 = 512;

/// Sockets of one address.
#[derive(Debug)]
pub struct Sockets {
    pub(super) dot: Option<TcpListener>,
    pub(super) doq: Option<UdpSocket>,
}

impl Sockets {
    /// Binds DoT and DoQ; before root is given up. Port 0 takes any, the same for both where possible.
    ///
    /// # Errors
    /// [`EncryptedFault::Bind`].
    pub fn bind(address: SocketAddr) -> Result<Sockets, EncryptedFault> {
        Ok(Sockets { dot: Sockets::bind_dot(address)?.dot, doq: Sockets::bind_doq(address)?.doq })
    }

    /// Binds DoT alone.
    ///
    /// # Errors
    /// [`EncryptedFault::Bind`].
    pub fn bind_dot(address: SocketAddr) -> Result<Sockets, EncryptedFault> {
        let bound = socket(address, Type::STREAM, IpProtocol::TCP);
        bound
            .map(|dot| Sockets { dot: Some(dot.into()), doq: None })
            .map_err(|source| EncryptedFault::Bind { address, source })
    }

    /// Binds DoQ alone.
    ///
    /// # Errors
    /// [`EncryptedFault::Bind`].
    pub fn bind_doq(address: SocketAddr) -> Result<Sockets, EncryptedFault> {
        let bound = socket(address, Type::DGRAM, IpProtocol::UDP);
        bound
            .map(|doq| Sockets { dot: None, doq: Some(doq.into()) })
            .map_err(|source| EncryptedFault::Bind { address, source })
    }

    /// Where DoT, then DoQ, are offered; an address that offers only one of them is told twice.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        let dot = self.dot.as_ref().map(TcpListener::local_addr).transpose()?;
        let doq = self.doq.as_ref().map(UdpSocket::local_addr).transpose()?;
        let none = || io::Error::from(io::ErrorKind::AddrNotAvailable);
        Ok((dot.or(doq).ok_or_else(none)?, doq.or(dot).ok_or_else(none)?))
    }
}

fn socket(address: SocketAddr, kind: Type, protocol: IpProtocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if kind == Type::STREAM {
        socket.set_reuse_address(true)?;
    }
    address::bind(&socket, address)?;
    if kind == Type::STREAM {
        socket.listen(BACKLOG)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}
