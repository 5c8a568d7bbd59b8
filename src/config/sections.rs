//! Sockets, limits, metrics and logs of the configuration.
//!
//! Each default and each limit is a constant with its reason.

use super::{addresses, number, path, word};
use crate::fields::{Reader, Table, Value, shown};
use crate::time::{Seconds, parse_span};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// Loopback and a port that needs no privilege: a server that was only tried answers nobody else.
pub const LISTEN: [SocketAddr; 2] =
    [SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5300), SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 5300)];
/// Loopback: numbers about traffic are not for everybody. The port is the one that CoreDNS made customary.
pub const METRICS_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9153);
/// UDP threads, at most: more than any host has cores.
const WORKERS_MAX: i64 = 1024;
/// Octets of the NSID, at most: it goes into answers that are to stay small, and into one TXT string.
const NSID_OCTETS_MAX: usize = 64;
/// Below the 1024 descriptors that a process has by default, with 224 left for files, metrics and control.
const TCP_CONNECTIONS: usize = 800;
const TCP_CONNECTIONS_MAX: i64 = 1_000_000;
/// An eighth of all: a resolver needs a few, a farm behind one address some dozens, and it takes eight sources to fill
/// the house.
const TCP_CONNECTIONS_PER_SOURCE: usize = 100;
/// As Knot: long enough for a resolver's next query, short enough to be free again soon (RFC 7766 § 6.2.3).
const TCP_IDLE: Seconds = 10;
/// An hour: past it an idle connection is only a descriptor.
const TCP_IDLE_MAX: Seconds = 3600;
/// What passes every path without fragments (DNS flag day 2020), and never more, since larger answers are amplifiers.
const UDP_SIZE: u16 = 1232;
/// What every client takes (RFC 1035 § 4.2.1).
const UDP_SIZE_MIN: i64 = 512;
/// One P-256 signature is about 18 µs, so a flood of random names takes 18 % of one core over UDP, as much again over TCP,
/// and leaves the rest to others.
const DENIALS_PER_SECOND: u32 = 10_000;
/// More than a core can sign.
const DENIALS_PER_SECOND_MAX: i64 = 1_000_000;
/// Above what a resolver asks about one name; a /24 gets at most 32 times that from a UDP thread, 10 Mbit/s, whatever is
/// asked in its name.
const ANSWERS_PER_SECOND: u32 = 200;
/// More than a UDP worker can send.
const ANSWERS_PER_SECOND_MAX: i64 = 1_000_000;

const SERVER_KEYS: &[&str] = &[
    "listen",
    "workers",
    "nsid",
    "user",
    "socket",
    "socket_group",
    "tcp_connections",
    "tcp_connections_per_source",
    "tcp_idle",
    "udp_size",
    "denials_per_second",
];
const RATE_LIMIT_KEYS: &[&str] = &["answers_per_second", "limit_loopback", "dry_run"];
const ENCRYPTED_KEYS: &[&str] = &["dot", "doq", "certificate", "key"];
const METRICS_KEYS: &[&str] = &["listen"];
const LOG_KEYS: &[&str] = &["format", "level"];

/// Sockets for plain DNS, and their limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// UDP and TCP.
    pub listen: Vec<SocketAddr>,
    /// UDP threads; 0: one a core.
    pub workers: usize,
    /// What NSID and `id.server` answer; empty: the host name.
    pub nsid: String,
    /// The user to become once the sockets are bound; none: whoever started it.
    pub user: Option<String>,
    /// The control socket; none: `control.sock` in the folder of keys.
    pub socket: Option<PathBuf>,
    /// The group whose members may ask over the control socket, to read only; none: nobody but the server's user and root.
    pub socket_group: Option<String>,
    /// TCP connections, at most.
    pub tcp_connections: usize,
    /// TCP connections from one IPv4 address or IPv6 /64, at most.
    pub tcp_connections_per_source: usize,
    /// Seconds after which a silent connection is closed.
    pub tcp_idle: Seconds,
    /// Octets of an answer over UDP, at most.
    pub udp_size: u16,
    /// Signatures for denials a second, over all UDP workers, at most; past it UDP gets TC=1. The same number again for
    /// TCP, DoT and DoQ together.
    pub denials_per_second: u32,
}

/// How many answers over UDP a source gets; forged sources gain nothing from more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Answers of one kind about one zone, and name, a second for one address, at most; 0: no limit.
    pub answers_per_second: u32,
    /// Whether loopback sources are limited too.
    pub limit_loopback: bool,
    /// What would be limited is only counted.
    pub dry_run: bool,
}

/// Encrypted transports (RFC 7858, RFC 9250); off unless addresses are given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encrypted {
    /// DNS over TLS.
    pub dot: Vec<SocketAddr>,
    /// DNS over QUIC.
    pub doq: Vec<SocketAddr>,
    /// Certificate chain and private key (PEM); none: self-made, as opportunistic use needs no more (RFC 9539 § 3.1).
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Form of a line.
    pub format: LogFormat,
    /// The least level that is logged.
    pub level: LogLevel,
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people and journald.
    #[default]
    Text,
    /// One object a line, for containers.
    Json,
}

/// Least level of what is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Someone must act now.
    Error,
    /// Worth a look tomorrow.
    Warn,
    /// What an operator would tell a colleague.
    #[default]
    Info,
    /// With client addresses.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The level as log filters write it.
    pub fn word(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}

impl Default for RateLimit {
    fn default() -> RateLimit {
        RateLimit { answers_per_second: ANSWERS_PER_SECOND, limit_loopback: false, dry_run: false }
    }
}

impl Default for Server {
    fn default() -> Server {
        Server {
            listen: LISTEN.to_vec(),
            workers: 0,
            nsid: String::new(),
            user: None,
            socket: None,
            socket_group: None,
            tcp_connections: TCP_CONNECTIONS,
            tcp_connections_per_source: TCP_CONNECTIONS_PER_SOURCE,
            tcp_idle: TCP_IDLE,
            udp_size: UDP_SIZE,
            denials_per_second: DENIALS_PER_SECOND,
        }
    }
}

pub fn server(reader: &mut Reader<'_>, table: &Table) -> Server {
    let default = Server::default();
    let Some(at) = reader.table(table, "server") else { return default };
    let table = at.value;
    reader.refuse_unknown(table, "[server]", SERVER_KEYS);
    Server {
        listen: listen(reader, table).unwrap_or(default.listen),
        workers: within(reader, table, "workers", 0, WORKERS_MAX).unwrap_or(default.workers),
        nsid: nsid(reader, table).unwrap_or(default.nsid),
        user: account(reader, table, "user"),
        socket: path(reader, table, "socket"),
        socket_group: account(reader, table, "socket_group"),
        tcp_connections: within(reader, table, "tcp_connections", 1, TCP_CONNECTIONS_MAX)
            .unwrap_or(default.tcp_connections),
        tcp_connections_per_source: per_source(reader, table).unwrap_or(default.tcp_connections_per_source),
        tcp_idle: tcp_idle(reader, table).unwrap_or(default.tcp_idle),
        udp_size: within(reader, table, "udp_size", UDP_SIZE_MIN, i64::from(UDP_SIZE)).unwrap_or(default.udp_size),
        denials_per_second: within(reader, table, "denials_per_second", 1, DENIALS_PER_SECOND_MAX)
            .unwrap_or(default.denials_per_second),
    }
}

pub fn rate_limit(reader: &mut Reader<'_>, table: &Table) -> RateLimit {
    let default = RateLimit::default();
    let Some(at) = reader.table(table, "rate_limit") else { return default };
    let table = at.value;
    reader.refuse_unknown(table, "[rate_limit]", RATE_LIMIT_KEYS);
    RateLimit {
        answers_per_second: within(reader, table, "answers_per_second", 0, ANSWERS_PER_SECOND_MAX)
            .unwrap_or(default.answers_per_second),
        limit_loopback: reader.boolean(table, "limit_loopback").map_or(default.limit_loopback, |at| at.value),
        dry_run: reader.boolean(table, "dry_run").map_or(default.dry_run, |at| at.value),
    }
}

pub fn encrypted(reader: &mut Reader<'_>, table: &Table) -> Encrypted {
    let Some(at) = reader.table(table, "encrypted") else { return Encrypted::default() };
    reader.refuse_unknown(at.value, "[encrypted]", ENCRYPTED_KEYS);
    let mut list = |key| {
        let list = addresses(reader, at.value, key, None).unwrap_or_default();
        list.into_iter().map(|address| address.value).collect::<Vec<_>>()
    };
    let (dot, doq) = (list("dot"), list("doq"));
    let identity = match (path(reader, at.value, "certificate"), path(reader, at.value, "key")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        _ => None,
    };
    for (one, other) in [("certificate", "key"), ("key", "certificate")] {
        if let (Some(span), None) = (at.value.locate(one, None), at.value.get(other)) {
            let message = format!("`{one}` needs `{other}` beside it");
            reader.error("MX1016", span, message, "name both files, or neither for a self-made certificate");
        }
    }
    if identity.is_some() && dot.is_empty() && doq.is_empty() {
        let message = "the certificate has no effect, since neither `dot` nor `doq` has an address";
        reader.warning("MX1104", at.span, message, "write dot = [\"192.0.2.53:853\"]");
    }
    Encrypted { dot, doq, identity }
}

pub fn metrics(reader: &mut Reader<'_>, table: &Table) -> Option<SocketAddr> {
    let default = Some(METRICS_LISTEN);
    let Some(at) = reader.table(table, "metrics") else { return default };
    reader.refuse_unknown(at.value, "[metrics]", METRICS_KEYS);
    let Some(listen) = reader.text(at.value, "listen") else { return default };
    if listen.value.is_empty() {
        return None;
    }
    let address = super::address(reader, listen.value, listen.span.clone(), None);
    if address.is_some_and(|address| !address.ip().is_loopback()) {
        let message = "metrics are open to whoever reaches this address";
        reader.warning("MX1102", listen.span, message, "listen on 127.0.0.1, or guard the port elsewhere");
    }
    address
}

pub fn log(reader: &mut Reader<'_>, table: &Table) -> Log {
    let default = Log::default();
    let Some(at) = reader.table(table, "log") else { return default };
    reader.refuse_unknown(at.value, "[log]", LOG_KEYS);
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let levels = [
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ];
    Log {
        format: word(reader, at.value, "format", &formats).unwrap_or(default.format),
        level: word(reader, at.value, "level", &levels).unwrap_or(default.level),
    }
}

fn listen(reader: &mut Reader<'_>, table: &Table) -> Option<Vec<SocketAddr>> {
    let span = table.locate("listen", None)?;
    let faults = reader.errors.len();
    let list = addresses(reader, table, "listen", None)?;
    if list.is_empty() && reader.errors.len() == faults {
        reader.error("MX1005", span, "`listen` has no address, so nobody could ask", "leave it out for loopback");
    }
    Some(list.into_iter().map(|address| address.value).collect())
}

fn nsid(reader: &mut Reader<'_>, table: &Table) -> Option<String> {
    let at = reader.text(table, "nsid")?;
    if at.value.len() > NSID_OCTETS_MAX || !at.value.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        let message = format!("`nsid` takes at most {NSID_OCTETS_MAX} printable ASCII characters");
        reader.error("MX1005", at.span, message, "");
        return None;
    }
    Some(at.value.to_owned())
}

/// The name of a user or a group; none where it is empty.
fn account(reader: &mut Reader<'_>, table: &Table, key: &str) -> Option<String> {
    let at = reader.text(table, key)?;
    if at.value.is_empty() {
        return None;
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if at.value.len() > 32 || at.value.starts_with('-') || !at.value.bytes().all(allowed) {
        let whose = if key == "user" { "user" } else { "group" };
        let message = format!("`{}` is not the name of a {whose}", shown(at.value));
        reader.error("MX1005", at.span, message, "at most 32 letters, digits, dashes, dots and underscores");
        return None;
    }
    Some(at.value.to_owned())
}

fn per_source(reader: &mut Reader<'_>, table: &Table) -> Option<usize> {
    let key = "tcp_connections_per_source";
    let count = within(reader, table, key, 1, TCP_CONNECTIONS_MAX)?;
    let all = table.get("tcp_connections").map_or(Some(TCP_CONNECTIONS), |(_, at)| match at.value {
        Value::Integer(all) => usize::try_from(all).ok(),
        _ => None,
    });
    if all.is_some_and(|all| count > all) {
        let span = table.locate(key, None)?;
        let message = "one source may have more connections than all together";
        reader.error("MX1009", span, message, "make it at most `tcp_connections`");
    }
    Some(count)
}

fn tcp_idle(reader: &mut Reader<'_>, table: &Table) -> Option<Seconds> {
    let at = reader.text(table, "tcp_idle")?;
    match parse_span(&shown(at.value)) {
        Ok(span @ 1..=TCP_IDLE_MAX) => Some(span),
        Ok(_) => {
            reader.error("MX1005", at.span, "`tcp_idle` takes 1s to 1h", "");
            None
        }
        Err(message) => {
            reader.error("MX1008", at.span, message, "");
            None
        }
    }
}

pub(super) fn within<T: TryFrom<i64>>(
    reader: &mut Reader<'_>,
    table: &Table,
    key: &str,
    least: i64,
    most: i64,
) -> Option<T> {
    T::try_from(number(reader, table, key, least..=most)?).ok()
}
