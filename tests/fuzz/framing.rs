//! TCP: however a stream is cut into segments, the same answers come, and nothing follows what cannot be DNS.

use arc_swap::ArcSwap;
use mxseal::answer::{Asked, Identity, Outcome, Reply, Snapshot};
use mxseal::serve::{ConnectionLimits, Running, Settings, bind, start};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// No deadline may end a run on a busy machine.
const LONG: Duration = Duration::from_secs(60);
/// So that all answers fit the buffers of the sockets: nothing is read before all is sent.
const STREAM_OCTETS_MAX: usize = 8 * 1024;
const HEADER_OCTETS: usize = 12;

/// The first octet says how many of the next are sizes of segments, taken in turn; the rest is the stream.
pub fn framing(octets: &[u8]) {
    let Some((cuts, rest)) = octets.split_first() else { return };
    let (sizes, stream) = rest.split_at(usize::from(cuts % 8).min(rest.len()));
    let stream = &stream[..stream.len().min(STREAM_OCTETS_MAX)];
    let (expected, garbage) = answers(stream);
    let got = exchange(stream, sizes);
    if garbage {
        // Closing with input unread may take answers along that are still under way.
        assert!(expected.starts_with(&got), "{got:02x?} is not how {expected:02x?} begins");
    } else {
        assert_eq!(got, expected);
    }
}

/// What the stream gets, read at leisure; and whether something in it cannot be DNS.
fn answers(stream: &[u8]) -> (Vec<u8>, bool) {
    let (mut all, mut rest) = (Vec::new(), stream);
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let Some((message, behind)) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length))) else { break };
        if message.len() < HEADER_OCTETS {
            return (all, true);
        }
        if message[2] & 0x80 == 0 {
            all.extend_from_slice(length);
            all.extend_from_slice(&answer(message));
        }
        rest = behind;
    }
    (all, false)
}

fn answer(message: &[u8]) -> Vec<u8> {
    message.iter().enumerate().map(|(at, octet)| if at == 2 { octet | 0x80 } else { *octet }).collect()
}

fn echo(_: &Snapshot, asked: &Asked<'_>, out: &mut [u8]) -> Reply {
    if asked.packet.get(2).is_none_or(|flags| flags & 0x80 != 0) {
        return Reply::Silence;
    }
    let answer = answer(asked.packet);
    let length = answer.len().min(out.len());
    out[..length].copy_from_slice(&answer[..length]);
    Reply::Send(Outcome { length, ..Outcome::default() })
}

fn exchange(stream: &[u8], sizes: &[u8]) -> Vec<u8> {
    let mut client = TcpStream::connect(server()).expect("a connection");
    client.set_nodelay(true).expect("a socket");
    client.set_read_timeout(Some(LONG)).expect("a socket");
    let mut rest = stream;
    for size in sizes.iter().cycle().take(if sizes.is_empty() { 0 } else { stream.len() }) {
        let (segment, behind) = rest.split_at(usize::from(*size).clamp(1, rest.len().max(1)).min(rest.len()));
        rest = behind;
        // After garbage the server is gone, which is no fault.
        if client.write_all(segment).is_err() || rest.is_empty() {
            break;
        }
    }
    client.write_all(rest).ok();
    client.shutdown(Shutdown::Write).ok();
    let (mut got, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        got.extend_from_slice(&buffer[..length]);
    }
    got
}

fn server() -> SocketAddr {
    static RUNNING: OnceLock<(Running, SocketAddr)> = OnceLock::new();
    let (_, address) = RUNNING.get_or_init(|| {
        let (listeners, _) = bind(&[SocketAddr::from((Ipv4Addr::LOCALHOST, 0))], 1).expect("sockets");
        let slot = Arc::new(ArcSwap::from_pointee(Snapshot::empty(Arc::new(Identity::default()))));
        let limits =
            ConnectionLimits { idle: LONG, message: LONG, write: LONG, lifetime: LONG, ..ConnectionLimits::default() };
        let settings = Settings { tcp: limits, ..Settings::default() };
        let running = start(listeners, &slot, &settings, echo).expect("threads");
        let address = running.addresses()[0];
        (running, address)
    });
    *address
}
