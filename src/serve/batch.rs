//! Receives and sends UDP datagrams in batches, one system call for each batch: recvmmsg(2), sendmmsg(2).
//!
//! Beside `feed::writer` and `process::peer`, the only file with `unsafe`. All memory that the kernel sees is allocated
//! once, in one block that never moves, and is touched either by the kernel (inside a system call) or by one method of
//! [`Batch`], never by both. Nothing here knows DNS.

// No safe crate offers recvmmsg and sendmmsg on preallocated arrays, nor IP_PKTINFO.
#![allow(unsafe_code)]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

/// Datagrams in one batch: past 64 the system call's share of the cost no longer falls, and 64 fresh signatures are
/// the longest that the last of a batch waits.
pub const BATCH: usize = 64;

/// Longest query that is read. Resolvers send less than 300 octets; with every option they stay below 1,232.
pub const QUERY_OCTETS_MAX: usize = 4096;

/// Longest answer over UDP (RFC 9715 § 3.1, the common 1,232).
pub const ANSWER_OCTETS_MAX: usize = 1232;

/// Distance of two queries: an odd number of cache lines, so that the first octets of a batch spread over all sets of
/// the cache instead of fighting for one.
const QUERY_STRIDE: usize = 65 * 64;

/// Distance of two answers, for the same reason.
const ANSWER_STRIDE: usize = 21 * 64;

/// Room for one control message: `IPV6_PKTINFO` needs 40 octets.
const CONTROL_OCTETS: usize = 64;

const _: () = assert!(QUERY_STRIDE >= QUERY_OCTETS_MAX && ANSWER_STRIDE >= ANSWER_OCTETS_MAX);

/// Whether [`Batch::receive`] waits for the first datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Until one comes or the socket's receive timeout ends.
    ForOne,
    /// Not at all.
    No,
}

/// One datagram and the room for its answer.
pub struct Datagram<'a> {
    /// What came.
    pub packet: &'a [u8],
    /// Who sent it.
    pub source: SocketAddr,
    /// The address that was asked, on sockets bound to a wildcard address.
    pub local: Option<IpAddr>,
    /// Where the answer is written.
    pub out: &'a mut [u8],
}

/// Memory for one batch, used by one thread for one socket.
pub struct Batch {
    memory: NonNull<Memory>,
    /// The socket is bound to a wildcard address, so control messages carry the address that was asked.
    wildcard: bool,
    /// Headers whose lengths the kernel has overwritten.
    dirty: usize,
    received: usize,
    queued: usize,
}

/// Where a datagram went to.
#[derive(Clone, Copy)]
enum Local {
    V4(Ipv4Addr),
    V6(Ipv6Addr, u32),
}

/// As `sockaddr_in` and `sockaddr_in6` lie in memory: family, port, then 4 octets of address, or flow label, 16 octets
/// of address and scope.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Name {
    family: libc::sa_family_t,
    port: [u8; 2],
    rest: [u8; 24],
}

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL_OCTETS]);

/// Everything that pointers given to the kernel point into. All-zero octets are a valid value of every field.
#[repr(C)]
struct Memory {
    queries: [[u8; QUERY_STRIDE]; BATCH],
    answers: [[u8; ANSWER_STRIDE]; BATCH],
    names: [Name; BATCH],
    controls: [Control; BATCH],
    query_slices: [libc::iovec; BATCH],
    answer_slices: [libc::iovec; BATCH],
    query_headers: [libc::mmsghdr; BATCH],
    answer_headers: [libc::mmsghdr; BATCH],
}

// SAFETY: `memory` is owned by this value alone, like a Box, and nothing in it belongs to a thread.
unsafe impl Send for Batch {}

impl Batch {
    /// Allocates everything; `wildcard` says whether the socket is bound to a wildcard address.
    pub fn new(wildcard: bool) -> Batch {
        // SAFETY: integers, arrays of them and null pointers: zero is a valid value for each field of Memory.
        let memory = unsafe { Box::<Memory>::new_zeroed().assume_init() };
        let memory = NonNull::from(Box::leak(memory));
        let m = memory.as_ptr();
        for at in 0..BATCH {
            // SAFETY: `m` is valid and exclusively ours, `at` is within every array. Only addresses are taken, so the
            // pointers stored keep the provenance of the whole block, which lives until Drop.
            unsafe {
                (*m).query_slices[at] =
                    libc::iovec { iov_base: (&raw mut (*m).queries[at]).cast(), iov_len: QUERY_OCTETS_MAX };
                let query = &raw mut (*m).query_headers[at].msg_hdr;
                (*query).msg_iov = &raw mut (*m).query_slices[at];
                (*query).msg_iovlen = 1;
                (*query).msg_name = (&raw mut (*m).names[at]).cast();
                if wildcard {
                    (*query).msg_control = (&raw mut (*m).controls[at]).cast();
                }
                let answer = &raw mut (*m).answer_headers[at].msg_hdr;
                (*answer).msg_iov = &raw mut (*m).answer_slices[at];
                (*answer).msg_iovlen = 1;
            }
        }
        // All headers are reset before the first receive.
        Batch { memory, wildcard, dirty: BATCH, received: 0, queued: 0 }
    }

    /// Receives up to [`BATCH`] datagrams; what was queued and not sent is forgotten.
    ///
    /// # Errors
    /// As recvmmsg(2): `WouldBlock` when nothing came in time, `Interrupted` after a signal.
    pub fn receive(&mut self, socket: BorrowedFd<'_>, wait: Wait) -> io::Result<usize> {
        self.reset();
        let flags = match wait {
            Wait::ForOne => libc::MSG_WAITFORONE,
            Wait::No => libc::MSG_DONTWAIT,
        };
        // SAFETY: the headers and all they point to live in `memory`, lengths are those of their arrays (`new`,
        // `reset`), and no reference into `memory` exists during the call.
        let received = unsafe {
            let headers = (&raw mut (*self.memory.as_ptr()).query_headers).cast();
            libc::recvmmsg(socket.as_raw_fd(), headers, BATCH as libc::c_uint, flags, std::ptr::null_mut())
        };
        self.received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?.min(BATCH);
        self.dirty = self.received;
        Ok(self.received)
    }

    /// The kernel overwrote lengths in the headers that it filled; the others are as they were.
    fn reset(&mut self) {
        let (dirty, wildcard) = (self.dirty, self.wildcard);
        (self.dirty, self.received, self.queued) = (0, 0, 0);
        for header in &mut self.memory().query_headers[..dirty] {
            header.msg_hdr.msg_namelen = size_of::<Name>() as libc::socklen_t;
            header.msg_hdr.msg_controllen = if wildcard { CONTROL_OCTETS as _ } else { 0 };
        }
    }

    /// Datagram `at` of the batch. None where it cannot be answered: empty, cut because it was longer than
    /// [`QUERY_OCTETS_MAX`] (an answer to a part would be a guess), or without a readable source.
    pub fn datagram(&mut self, at: usize) -> Option<Datagram<'_>> {
        if at >= self.received {
            return None;
        }
        let local = self.local(at).map(|local| match local {
            Local::V4(address) => IpAddr::V4(address),
            Local::V6(address, _) => IpAddr::V6(address),
        });
        let memory = self.memory();
        let header = memory.query_headers.get(at)?;
        let length = usize::try_from(header.msg_len).ok()?;
        if length == 0 || header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
            return None;
        }
        let source = memory.names.get(at)?.read(header.msg_hdr.msg_namelen)?;
        let packet = memory.queries.get(at)?.get(..length)?;
        let out = memory.answers.get_mut(at)?.get_mut(..ANSWER_OCTETS_MAX)?;
        Some(Datagram { packet, source, local, out })
    }

    /// What came, datagram by datagram, whether or not it can be answered.
    pub fn packets(&mut self) -> impl ExactSizeIterator<Item = &[u8]> {
        let received = self.received;
        let memory = self.memory();
        memory.queries.iter().zip(&memory.query_headers).take(received).map(|(query, header)| {
            let length = usize::try_from(header.msg_len).unwrap_or(0);
            query.get(..length).unwrap_or_default()
        })
    }

    /// Queues the first `length` octets that were written for datagram `at`; it goes back to its source, from the
    /// address that was asked.
    pub fn queue(&mut self, at: usize, length: usize) {
        if at >= self.received || length > ANSWER_OCTETS_MAX || self.queued >= BATCH {
            return;
        }
        let place = self.queued;
        self.queued += 1;
        let control = self.local(at).map_or(0, |local| self.write_control(at, local));
        let m = self.memory.as_ptr();
        // SAFETY: `m` is valid and exclusively ours; `at` and `place` are below BATCH; only addresses are taken.
        unsafe {
            (*m).answer_slices[place] = libc::iovec { iov_base: (&raw mut (*m).answers[at]).cast(), iov_len: length };
            let answer = &raw mut (*m).answer_headers[place].msg_hdr;
            (*answer).msg_name = (&raw mut (*m).names[at]).cast();
            (*answer).msg_namelen = (*m).query_headers[at].msg_hdr.msg_namelen;
            (*answer).msg_control =
                if control == 0 { std::ptr::null_mut() } else { (&raw mut (*m).controls[at]).cast() };
            (*answer).msg_controllen = control as _;
        }
    }

    /// Sends what is queued and returns how many could not be sent. A datagram that the kernel refuses is skipped and
    /// the next one goes on; a full send buffer (past the socket's send timeout) gives up the rest.
    pub fn send(&mut self, socket: BorrowedFd<'_>) -> u64 {
        let (mut at, mut failed) = (0, 0);
        while at < self.queued {
            let count = self.queued - at;
            // SAFETY: `at + count` headers were filled by `queue` and point into `memory`, which outlives the call;
            // no reference into it exists now.
            let sent = unsafe {
                let headers = (&raw mut (*self.memory.as_ptr()).answer_headers).cast::<libc::mmsghdr>().add(at);
                libc::sendmmsg(socket.as_raw_fd(), headers, count as libc::c_uint, 0)
            };
            match usize::try_from(sent) {
                Ok(sent) if sent > 0 => at += sent,
                _ => match io::Error::last_os_error().kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => {
                        failed += count as u64;
                        break;
                    }
                    // Any other fault belongs to the first datagram: no route, a filter, a full queue.
                    _ => {
                        failed += 1;
                        at += 1;
                    }
                },
            }
        }
        self.queued = 0;
        failed
    }

    /// How many answers wait for [`Batch::send`].
    pub fn queued(&self) -> usize {
        self.queued
    }

    fn memory(&mut self) -> &mut Memory {
        // SAFETY: the block is valid until Drop and only this value reaches it, borrowed for as long as the result.
        unsafe { self.memory.as_mut() }
    }

    /// The address that datagram `at` was sent to, from its control messages.
    fn local(&self, at: usize) -> Option<Local> {
        if !self.wildcard {
            return None;
        }
        let m = self.memory.as_ptr();
        // SAFETY: `at` is below BATCH (callers check). The kernel wrote `msg_controllen` octets of well-formed control
        // messages into `controls[at]`; each one's length is checked before its data are read, unaligned.
        unsafe {
            let header = &raw const (*m).query_headers[at].msg_hdr;
            let mut message = libc::CMSG_FIRSTHDR(header);
            while !message.is_null() {
                let kind = ((*message).cmsg_level, (*message).cmsg_type);
                let length = (*message).cmsg_len;
                if kind == (libc::IPPROTO_IP, libc::IP_PKTINFO) && length >= cmsg_len::<libc::in_pktinfo>() {
                    let info = libc::CMSG_DATA(message).cast::<libc::in_pktinfo>().read_unaligned();
                    return Some(Local::V4(Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes())));
                }
                if kind == (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) && length >= cmsg_len::<libc::in6_pktinfo>() {
                    let info = libc::CMSG_DATA(message).cast::<libc::in6_pktinfo>().read_unaligned();
                    return Some(Local::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr), info.ipi6_ifindex));
                }
                message = libc::CMSG_NXTHDR(header, message);
            }
        }
        None
    }

    /// Replaces the control messages of datagram `at` by one that sets the answer's source; returns its octets.
    /// The interface is left to routing but for link-local addresses, which mean nothing without it.
    fn write_control(&mut self, at: usize, local: Local) -> usize {
        match local {
            Local::V4(address) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(address.octets()) },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                self.put_control(at, libc::IPPROTO_IP, libc::IP_PKTINFO, info)
            }
            Local::V6(address, interface) => {
                let interface = if address.is_unicast_link_local() { interface } else { 0 };
                let info = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr { s6_addr: address.octets() },
                    ipi6_ifindex: interface,
                };
                self.put_control(at, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info)
            }
        }
    }

    fn put_control<T: Copy>(&mut self, at: usize, level: libc::c_int, kind: libc::c_int, info: T) -> usize {
        const { assert!(size_of::<T>() + size_of::<libc::cmsghdr>() + 8 <= CONTROL_OCTETS) };
        let m = self.memory.as_ptr();
        // SAFETY: `at` is below BATCH (callers check); the control block is aligned for cmsghdr and, as asserted,
        // large enough for one header and `T`; padding is zeroed, since the kernel reads it.
        unsafe {
            (*m).controls[at] = Control([0; CONTROL_OCTETS]);
            let message = (&raw mut (*m).controls[at]).cast::<libc::cmsghdr>();
            (*message).cmsg_len = cmsg_len::<T>();
            (*message).cmsg_level = level;
            (*message).cmsg_type = kind;
            libc::CMSG_DATA(message).cast::<T>().write_unaligned(info);
            libc::CMSG_SPACE(size_of::<T>() as libc::c_uint) as usize
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // SAFETY: the block came from Box::leak in `new` and is freed once, here.
        drop(unsafe { Box::from_raw(self.memory.as_ptr()) });
    }
}

impl Name {
    fn read(&self, length: libc::socklen_t) -> Option<SocketAddr> {
        let port = u16::from_be_bytes(self.port);
        match (libc::c_int::from(self.family), length) {
            (libc::AF_INET, 16..) => {
                let address: [u8; 4] = self.rest.get(..4)?.try_into().ok()?;
                Some(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::from(address), port)))
            }
            (libc::AF_INET6, 28..) => {
                let address: [u8; 16] = self.rest.get(4..20)?.try_into().ok()?;
                let scope = u32::from_ne_bytes(self.rest.get(20..24)?.try_into().ok()?);
                Some(SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from(address), port, 0, scope)))
            }
            // A socket of ours gets no other family.
            _ => None,
        }
    }
}

/// `CMSG_LEN` in the type that `cmsg_len` has on this platform.
fn cmsg_len<T>() -> usize {
    // SAFETY: plain arithmetic on a size.
    unsafe { libc::CMSG_LEN(size_of::<T>() as libc::c_uint) as usize }
}

/// Asks the kernel to tell with each datagram which address it was sent to; for sockets bound to a wildcard address.
///
/// # Errors
/// As setsockopt(2).
pub fn tell_local_address(socket: BorrowedFd<'_>, ipv6: bool) -> io::Result<()> {
    if ipv6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)
    }
}

/// Ignores what ICMP claims about the path's MTU: forged claims would make answers leave in fragments, which can be
/// replaced on their way (RFC 9715 § 3.1). Answers fit 1,232 octets, so they need no path MTU discovery.
///
/// # Errors
/// As setsockopt(2); kernels without the option serve all the same.
pub fn ignore_path_mtu(socket: BorrowedFd<'_>, ipv6: bool) -> io::Result<()> {
    if ipv6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_OMIT)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT)
    }
}

fn set_option(socket: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the pointer is to a live c_int and the length is its size.
    let done = unsafe {
        let value = (&raw const value).cast();
        libc::setsockopt(socket.as_raw_fd(), level, name, value, size_of::<libc::c_int>() as libc::socklen_t)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    fn pair(ip: &str) -> (UdpSocket, UdpSocket) {
        let server = UdpSocket::bind((ip, 0)).expect("loopback exists");
        let client = UdpSocket::bind((ip, 0)).expect("loopback exists");
        client.connect(server.local_addr().expect("bound")).expect("loopback");
        client.set_read_timeout(Some(std::time::Duration::from_secs(5))).expect("valid");
        (server, client)
    }

    #[test]
    fn empty_and_cut_datagrams_are_not_answered_and_the_others_keep_their_places() {
        let (server, client) = pair("127.0.0.1");
        let long = vec![7u8; QUERY_OCTETS_MAX + 1];
        for packet in [&b"first"[..], b"", &long, b"last"] {
            client.send(packet).expect("sent");
        }
        let mut batch = Batch::new(false);
        assert_eq!(batch.receive(server.as_fd(), Wait::ForOne).expect("received"), 4);
        let packets: Vec<_> = (0..4).map(|at| batch.datagram(at).map(|d| d.packet.to_vec())).collect();
        assert_eq!(packets, [Some(b"first".to_vec()), None, None, Some(b"last".to_vec())]);
        assert!(batch.datagram(4).is_none());
        assert!(batch.datagram(BATCH).is_none());
    }

    #[test]
    fn lengths_are_reset_so_that_a_short_datagram_does_not_shorten_the_next() {
        let (server, client) = pair("127.0.0.1");
        let mut batch = Batch::new(true);
        for packet in [&b"x"[..], &[1u8; QUERY_OCTETS_MAX], b"yz"] {
            client.send(packet).expect("sent");
            assert_eq!(batch.receive(server.as_fd(), Wait::ForOne).expect("received"), 1);
            let datagram = batch.datagram(0).expect("whole");
            assert_eq!(datagram.packet, packet);
            assert_eq!(datagram.source, client.local_addr().expect("bound"));
        }
    }

    #[test]
    fn a_datagram_that_the_kernel_refuses_costs_itself_only() {
        let (server, client) = pair("127.0.0.1");
        for packet in [b"a", b"b", b"c"] {
            client.send(packet).expect("sent");
        }
        let mut batch = Batch::new(false);
        assert_eq!(batch.receive(server.as_fd(), Wait::ForOne).expect("received"), 3);
        // Port 0 cannot be sent to.
        batch.memory().names[1].port = [0, 0];
        for at in 0..3 {
            batch.datagram(at).expect("whole").out[0] = b'A' + u8::try_from(at).expect("small");
            batch.queue(at, 1);
        }
        assert_eq!(batch.queued(), 3);
        assert_eq!(batch.send(server.as_fd()), 1);
        let mut answer = [0; 8];
        let mut read = || client.recv(&mut answer).map(|n| answer[..n].to_vec()).expect("answered");
        assert_eq!([read(), read()], [b"A".to_vec(), b"C".to_vec()]);
    }

    #[test]
    fn nothing_to_receive_is_would_block() {
        let (server, _client) = pair("127.0.0.1");
        let mut batch = Batch::new(false);
        let fault = batch.receive(server.as_fd(), Wait::No).expect_err("nothing was sent");
        assert_eq!(fault.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(batch.send(server.as_fd()), 0);
    }
}
