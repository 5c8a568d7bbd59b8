//! One question to one server, answered within a total time or refused with a named fault.
//!
//! The time runs over everything: a server that sends an octet now and then holds nobody. Nothing is asked of anybody
//! else, and no fault is ever an answer.

use crate::dns::name::Name;
use crate::resolve::message;
use crate::resolve::message::{Message, NOERROR, NXDOMAIN, Odd, QUERY, Question};
use crate::time::steady;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// Octets of a reply, at most: TCP's length field has 16 bits (RFC 1035 § 4.2.2).
const REPLY_OCTETS_MAX: usize = 65_535;
/// How often a question is sent over UDP within its time: one loss is common, two are not.
const UDP_SENDS: u32 = 2;
/// Datagrams read for one question, at most: strangers may send some that are not the reply.
const DATAGRAMS_MAX: usize = 64;

/// How a question travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP, and TCP where the reply is cut (RFC 7766 § 5).
    Udp,
    /// TCP.
    Tcp,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// This machine cannot send there at all, as to IPv6 without IPv6.
    #[error("this machine has no route to it: {0}")]
    NoRoute(String),
    /// It, or the network, turned us away.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// No whole reply in time.
    #[error("no whole answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The connection ended before the reply did.
    #[error("it closed the connection before its answer was whole")]
    Closed,
    /// It sent something, but no reply to the question.
    #[error("its answer cannot be used: {0}")]
    Garbage(String),
    /// A limit of the round was met first.
    #[error("it was not asked: {0}")]
    NotAsked(String),
    /// It replied with this code.
    #[error("it answers with {}", print_rcode(*.0))]
    Refused(u16),
}

/// [`Trouble`] and with whom.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{server}: {trouble}")]
pub struct AskFault {
    /// Who was asked.
    pub server: SocketAddr,
    /// What went wrong.
    pub trouble: Trouble,
}

/// A code as people read it.
pub fn print_rcode(code: u16) -> String {
    match code {
        0 => "NOERROR".to_owned(),
        1 => "FORMERR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        3 => "NXDOMAIN".to_owned(),
        4 => "NOTIMP".to_owned(),
        5 => "REFUSED".to_owned(),
        9 => "NOTAUTH".to_owned(),
        16 => "BADVERS".to_owned(),
        other => format!("code {other}"),
    }
}

/// Asks one server. The reply is whole, is to this question, and its code is NOERROR or NXDOMAIN.
///
/// # Errors
/// [`AskFault`] within `timeout`.
pub fn ask(
    server: SocketAddr,
    name: &Name,
    rtype: u16,
    transport: Transport,
    timeout: Duration,
) -> Result<Message, AskFault> {
    let fault = |trouble| AskFault { server, trouble };
    let time = Time::new(timeout);
    let question = question(QUERY, name, rtype).map_err(fault)?;
    let mut message = match transport {
        Transport::Udp => over_udp(server, &question, &time, UDP_SENDS),
        Transport::Tcp => over_tcp(server, &question, &time),
    }
    .map_err(fault)?;
    if message.truncated && transport == Transport::Udp {
        message = over_tcp(server, &question, &time).map_err(fault)?;
    }
    match message.rcode {
        _ if message.truncated => Err(fault(Trouble::Garbage("it is cut even over TCP".to_owned()))),
        NOERROR | NXDOMAIN => Ok(message),
        code => Err(fault(Trouble::Refused(code))),
    }
}

/// A question with an ID that nobody can guess (RFC 5452 § 9.1).
pub(crate) fn question(opcode: u8, name: &Name, rtype: u16) -> Result<Question, Trouble> {
    let [high, low] = chance::<2>()?;
    Ok(Question { id: u16::from_be_bytes([high, low]), opcode, name: name.to_lower(), rtype })
}

/// Octets from the system's source of chance.
pub(crate) fn chance<const N: usize>() -> Result<[u8; N], Trouble> {
    use ring::rand::SecureRandom;
    let mut octets = [0; N];
    let source = ring::rand::SystemRandom::new();
    source.fill(&mut octets).map_err(|_| Trouble::Unreachable("the system gives no random numbers".to_owned()))?;
    Ok(octets)
}

/// What is left of the time for one question.
pub(crate) struct Time {
    whole: Duration,
    end: Instant,
}

impl Time {
    pub(crate) fn new(whole: Duration) -> Time {
        Time { whole, end: steady() + whole }
    }

    /// Never zero, which sockets take for no limit.
    fn left(&self) -> Result<Duration, Trouble> {
        let left = self.end.saturating_duration_since(steady());
        if left < Duration::from_millis(1) { Err(Trouble::TimedOut(self.whole)) } else { Ok(left) }
    }

    fn trouble(&self, fault: &std::io::Error) -> Trouble {
        match fault.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Trouble::TimedOut(self.whole),
            ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => Trouble::NoRoute(fault.to_string()),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Trouble::Closed,
            _ => Trouble::Unreachable(fault.to_string()),
        }
    }
}

/// Sends the question `sends` times within its time, and takes the first reply to it; what else comes is passed over.
pub(crate) fn over_udp(server: SocketAddr, question: &Question, time: &Time, sends: u32) -> Result<Message, Trouble> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let trouble = |fault: std::io::Error| time.trouble(&fault);
    let socket = UdpSocket::bind(any).map_err(trouble)?;
    // Connected: datagrams of others do not arrive.
    socket.connect(server).map_err(trouble)?;
    let (octets, mut seen) = (question.encode(), None);
    let mut datagrams = 0;
    for send in 1..=sends {
        socket.send(&octets).map_err(trouble)?;
        let until = time.end - time.whole * (sends - send) / sends;
        while let Some(left) = until.checked_duration_since(steady()).filter(|left| left.as_millis() > 0) {
            socket.set_read_timeout(Some(left)).map_err(trouble)?;
            let mut buffer = [0; REPLY_OCTETS_MAX];
            let length = match socket.recv(&mut buffer) {
                Ok(length) => length,
                Err(fault) if matches!(time.trouble(&fault), Trouble::TimedOut(_)) => break,
                Err(fault) if fault.kind() == ErrorKind::Interrupted => continue,
                Err(fault) => return Err(time.trouble(&fault)),
            };
            match message::decode(buffer.get(..length).unwrap_or_default(), question) {
                Ok(message) => return Ok(message),
                Err(odd) => seen = Some(odd),
            }
            datagrams += 1;
            if datagrams == DATAGRAMS_MAX {
                break;
            }
        }
    }
    Err(seen.map_or(Trouble::TimedOut(time.whole), |odd: Odd| Trouble::Garbage(odd.to_string())))
}

fn over_tcp(server: SocketAddr, question: &Question, time: &Time) -> Result<Message, Trouble> {
    let trouble = |fault: std::io::Error| time.trouble(&fault);
    let mut stream = TcpStream::connect_timeout(&server, time.left()?).map_err(trouble)?;
    stream.set_nodelay(true).map_err(trouble)?;
    let octets = question.encode();
    let length = u16::try_from(octets.len()).map_err(|_| Trouble::Garbage("the question is too long".to_owned()))?;
    stream.set_write_timeout(Some(time.left()?)).map_err(trouble)?;
    stream.write_all(&[&length.to_be_bytes()[..], &octets].concat()).map_err(trouble)?;
    let mut head = [0; 2];
    fill(&mut stream, &mut head, time)?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(head))];
    fill(&mut stream, &mut reply, time)?;
    message::decode(&reply, question).map_err(|odd| Trouble::Garbage(odd.to_string()))
}

/// Reads until the buffer is full, with the time looked at before each read.
fn fill(stream: &mut TcpStream, mut buffer: &mut [u8], time: &Time) -> Result<(), Trouble> {
    while !buffer.is_empty() {
        stream.set_read_timeout(Some(time.left()?)).map_err(|fault| time.trouble(&fault))?;
        match stream.read(buffer) {
            Ok(0) => return Err(Trouble::Closed),
            Ok(length) => buffer = buffer.get_mut(length..).unwrap_or_default(),
            Err(fault) if fault.kind() == ErrorKind::Interrupted => {}
            Err(fault) => return Err(time.trouble(&fault)),
        }
    }
    Ok(())
}
