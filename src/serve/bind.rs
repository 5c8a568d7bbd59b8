//! Opens the UDP and TCP sockets that the configuration asks for, or says in one line why not.
//!
//! It must never share a port with another server: SO_REUSEPORT, which our own workers need, would let a second server
//! of the same user take half of the queries unnoticed.

use super::batch;
use crate::process::address;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::time::Duration;

/// UDP buffers: room for some 680 datagrams (the kernel doubles it and counts 768 octets for a small one), what a worker
/// answers in 4 ms. A flood keeps the buffer full, so its length is the delay of everybody's answer; more room would only
/// answer later than resolvers wait for. The kernel gives at most net.core.rmem_max and wmem_max.
const UDP_BUFFER_OCTETS: usize = 256 << 10;

/// TCP buffers of a connection, so that clients who never read hold little of the kernel's memory: it would grow to
/// 4 MiB each by itself.
const TCP_BUFFER_OCTETS: usize = 64 << 10;

/// Connections that wait to be accepted; the kernel caps it at net.core.somaxconn.
const TCP_BACKLOG: i32 = 1024;

/// How long a worker waits for a datagram before it looks whether it should stop, and for room to send.
const UDP_WAIT: Duration = Duration::from_millis(250);

/// Attempts to find a port that is free for both UDP and TCP, where the configuration says port 0.
const FREE_PORT_ATTEMPTS: usize = 16;

/// Sockets that are bound and listen, not yet served.
#[derive(Debug)]
pub struct Listeners {
    pub(super) udp: Vec<UdpListener>,
    pub(super) tcp: Vec<TcpListener>,
}

/// The UDP sockets of one address, one for each worker.
#[derive(Debug)]
pub(super) struct UdpListener {
    pub(super) address: SocketAddr,
    pub(super) sockets: Vec<Socket>,
}

/// Why the sockets could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindFault {
    /// Another server is there, or the list names overlapping addresses.
    #[error(
        "cannot listen on {address} ({protocol}): the port is taken, by another server or by an overlapping address in server.listen; `ss -lnp 'sport = :{}'` shows by whom; end it or change server.listen", address.port()
    )]
    InUse {
        /// The address as configured.
        address: SocketAddr,
        /// `UDP` or `TCP`.
        protocol: &'static str,
    },
    /// The process may not use the port.
    #[error(
        "cannot listen on {address} ({protocol}): not permitted; ports below 1024 need CAP_NET_BIND_SERVICE, so start mxseal from its systemd unit or choose a higher port in server.listen"
    )]
    NotPermitted {
        /// The address as configured.
        address: SocketAddr,
        /// `UDP` or `TCP`.
        protocol: &'static str,
    },
    /// No interface has the address, and the kernel does not let it be bound before one has.
    #[error(
        "cannot listen on {address} ({protocol}): no interface of this host has the address, and this kernel does not bind it before one has; `ip address` lists those it has; add it to one or change server.listen"
    )]
    NotOurs {
        /// The address as configured.
        address: SocketAddr,
        /// `UDP` or `TCP`.
        protocol: &'static str,
    },
    /// Something else.
    #[error("cannot listen on {address} ({protocol}): {fault}; change server.listen, or the limits of this process")]
    Other {
        /// The address as configured.
        address: SocketAddr,
        /// `UDP` or `TCP`.
        protocol: &'static str,
        /// What the system said.
        fault: io::Error,
    },
    /// Each address was left out with a warning, or there was none.
    #[error("no address to listen on: {why}; set server.listen to an address of this host")]
    Nothing {
        /// The warnings, or that the list is empty.
        why: String,
    },
}

/// Opens UDP sockets (one a worker) and a TCP socket for each address, also for those that no interface has yet. Also
/// returns warnings: addresses of a family that the kernel lacks are left out.
///
/// # Errors
/// The first address that cannot be used, or that none is left.
pub fn bind(listen: &[SocketAddr], workers: usize) -> Result<(Listeners, Vec<String>), BindFault> {
    let mut listeners = Listeners { udp: Vec::new(), tcp: Vec::new() };
    let mut warnings = Vec::new();
    for address in listen {
        if !host_has_family(address.ip()) {
            let family = if address.is_ipv6() { "IPv6" } else { "IPv4" };
            warnings.push(format!("{address} is left out: this host has no {family}"));
            continue;
        }
        let (udp, tcp) = bind_address(*address, workers.max(1))?;
        listeners.udp.push(udp);
        listeners.tcp.push(tcp);
    }
    if listeners.udp.is_empty() {
        let why = if listen.is_empty() { "server.listen is empty".to_owned() } else { warnings.join("; ") };
        return Err(BindFault::Nothing { why });
    }
    Ok((listeners, warnings))
}

impl Listeners {
    /// The addresses in the order of the configuration, with the port that the system chose where it said 0.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.udp.iter().map(|listener| listener.address).collect()
    }

    /// UDP sockets of each address.
    pub fn workers(&self) -> usize {
        self.udp.first().map_or(0, |listener| listener.sockets.len())
    }
}

/// A kernel without a family gives no socket for it. One that is only switched off may come back: its addresses are bound
/// as those that are not there yet. Any other fault is left for the address itself to meet.
fn host_has_family(ip: IpAddr) -> bool {
    let socket = Socket::new(if ip.is_ipv6() { Domain::IPV6 } else { Domain::IPV4 }, Type::DGRAM, Some(Protocol::UDP));
    let lacks = |fault: io::Error| matches!(fault.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EPROTONOSUPPORT));
    !socket.is_err_and(lacks)
}

fn bind_address(address: SocketAddr, workers: usize) -> Result<(UdpListener, TcpListener), BindFault> {
    let attempts = if address.port() == 0 { FREE_PORT_ATTEMPTS } else { 1 };
    let mut result = try_address(address, workers);
    for _ in 1..attempts {
        if !matches!(result, Err(BindFault::InUse { .. })) {
            break;
        }
        result = try_address(address, workers);
    }
    result
}

/// The probe finds other UDP servers, the TCP socket those that come while the probe makes way for the workers.
fn try_address(address: SocketAddr, workers: usize) -> Result<(UdpListener, TcpListener), BindFault> {
    let udp_fault = |fault| blame(address, "UDP", fault);
    let tcp_fault = |fault| blame(address, "TCP", fault);
    let probe = open(address, Kind::Probe).map_err(udp_fault)?;
    let bound = probe.local_addr().map_err(udp_fault)?.as_socket().unwrap_or(address);
    let tcp = open(bound, Kind::Tcp).map_err(tcp_fault)?;
    drop(probe);
    let sockets: Result<Vec<_>, _> = (0..workers).map(|_| open(bound, Kind::Udp)).collect();
    let sockets = sockets.map_err(udp_fault)?;
    Ok((UdpListener { address: bound, sockets }, tcp.into()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Probe,
    Udp,
    Tcp,
}

fn open(address: SocketAddr, kind: Kind) -> io::Result<Socket> {
    let (shape, protocol) =
        if kind == Kind::Tcp { (Type::STREAM, Protocol::TCP) } else { (Type::DGRAM, Protocol::UDP) };
    let socket = Socket::new(Domain::for_address(address), shape, Some(protocol))?;
    if address.is_ipv6() {
        // `::` and `0.0.0.0` are two addresses, each with sockets of its own.
        socket.set_only_v6(true)?;
    }
    match kind {
        Kind::Probe => {}
        Kind::Udp => prepare_udp(&socket, address)?,
        Kind::Tcp => prepare_tcp(&socket)?,
    }
    address::bind(&socket, address)?;
    if kind == Kind::Tcp {
        socket.listen(TCP_BACKLOG)?;
    }
    Ok(socket)
}

fn prepare_udp(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    socket.set_reuse_port(true)?;
    socket.set_read_timeout(Some(UDP_WAIT))?;
    socket.set_write_timeout(Some(UDP_WAIT))?;
    if address.ip().is_unspecified() {
        batch::tell_local_address(socket.as_fd(), address.is_ipv6())?;
    }
    // The rest makes floods and forged ICMP hurt less; without it the server serves all the same.
    let _ = socket.set_recv_buffer_size(UDP_BUFFER_OCTETS);
    let _ = socket.set_send_buffer_size(UDP_BUFFER_OCTETS);
    let _ = batch::ignore_path_mtu(socket.as_fd(), address.is_ipv6());
    Ok(())
}

/// Connections inherit the buffer sizes. SO_REUSEADDR lets a restart bind while old connections are in TIME_WAIT; it
/// never lets two servers listen.
fn prepare_tcp(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    let _ = socket.set_recv_buffer_size(TCP_BUFFER_OCTETS);
    let _ = socket.set_send_buffer_size(TCP_BUFFER_OCTETS);
    Ok(())
}

fn blame(address: SocketAddr, protocol: &'static str, fault: io::Error) -> BindFault {
    match fault.kind() {
        io::ErrorKind::AddrInUse => BindFault::InUse { address, protocol },
        io::ErrorKind::PermissionDenied => BindFault::NotPermitted { address, protocol },
        io::ErrorKind::AddrNotAvailable => BindFault::NotOurs { address, protocol },
        // Anything else is told in the system's words.
        _ => BindFault::Other { address, protocol, fault },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    fn any(ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().expect("an address"), 0)
    }

    #[test]
    fn every_worker_gets_a_socket_on_the_same_port_and_tcp_listens_there_too() {
        let (listeners, warnings) = bind(&[any("127.0.0.1")], 3).expect("loopback");
        let address = listeners.addresses()[0];
        assert_ne!(address.port(), 0);
        assert_eq!((listeners.workers(), warnings.len()), (3, 0));
        for socket in &listeners.udp[0].sockets {
            assert_eq!(socket.local_addr().expect("bound").as_socket(), Some(address));
        }
        assert_eq!(listeners.tcp[0].local_addr().expect("bound"), address);
    }

    #[test]
    fn a_second_server_on_the_port_is_noticed_over_udp_and_over_tcp() {
        let (first, _) = bind(&[any("127.0.0.1")], 2).expect("loopback");
        let fault = bind(&first.addresses(), 2).expect_err("taken by the first");
        assert!(matches!(fault, BindFault::InUse { protocol: "UDP", .. }), "{fault}");

        let other = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let fault = bind(&[other.local_addr().expect("bound")], 1).expect_err("taken by another server");
        assert!(matches!(fault, BindFault::InUse { protocol: "UDP", .. }), "{fault}");

        let other = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let fault = bind(&[other.local_addr().expect("bound")], 1).expect_err("taken by another server");
        assert!(matches!(fault, BindFault::InUse { protocol: "TCP", .. }), "{fault}");
        assert!(fault.to_string().starts_with("cannot listen on 127.0.0.1:"), "{fault}");
    }

    #[test]
    fn a_port_is_free_again_once_the_listeners_are_gone() {
        let (first, _) = bind(&[any("127.0.0.1")], 1).expect("loopback");
        let addresses = first.addresses();
        drop(first);
        assert_eq!(bind(&addresses, 1).expect("free").0.addresses(), addresses);
    }

    #[test]
    fn an_address_that_no_interface_has_yet_is_bound_and_still_nobody_elses() {
        for ip in ["203.0.113.77", "2001:db8::77"].map(any).iter().filter(|address| host_has_family(address.ip())) {
            let (early, warnings) = bind(&[*ip], 2).expect("bound before it is there");
            assert_eq!((early.workers(), warnings.len(), early.addresses()[0].ip()), (2, 0, ip.ip()));
            let fault = bind(&early.addresses(), 1).expect_err("taken by the first");
            assert!(matches!(fault, BindFault::InUse { protocol: "UDP", .. }), "{fault}");
        }
    }

    #[test]
    fn an_empty_list_is_named_with_its_cure() {
        let fault = bind(&[], 1).expect_err("nothing to listen on");
        assert_eq!(
            fault.to_string(),
            "no address to listen on: server.listen is empty; set server.listen to an address of this host"
        );
    }

    #[test]
    fn faults_of_the_system_become_causes() {
        let of = |code| blame(any("127.0.0.1"), "UDP", io::Error::from_raw_os_error(code));
        assert!(matches!(of(libc::EACCES), BindFault::NotPermitted { .. }));
        assert!(matches!(of(libc::EADDRINUSE), BindFault::InUse { .. }));
        assert!(matches!(of(libc::EADDRNOTAVAIL), BindFault::NotOurs { .. }));
        assert!(matches!(of(libc::EMFILE), BindFault::Other { .. }));
        assert!(!of(libc::EACCES).to_string().ends_with('.'));
    }
}
