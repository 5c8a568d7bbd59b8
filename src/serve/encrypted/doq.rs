//! DNS over QUIC (RFC 9250): one query a stream, each answered on its own stream, in whatever order they are ready.
//!
//! No client holds up another: each connection is a task from its first packet on. Until an address has proved itself
//! with the token of a Retry, nothing is kept about it and it gets less than it sent (RFC 9000 § 8.1).

use super::desk::{Answer, Desk, MESSAGE_OCTETS_MAX, Query};
use super::guests::{Guest, Guests};
use crate::metrics::{Dropped, Proto};
use crate::serve::house::Doing;
use crate::serve::shield::HEADER_OCTETS;
use hickory_server::net::xfer::Protocol;
use hickory_server::server::Request;
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{
    Connection, Endpoint, EndpointConfig, IdleTimeout, Incoming, ReadToEndError, RecvStream, SendStream, ServerConfig,
    TokioRuntime, TransportConfig, VarInt,
};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Error codes (RFC 9250 § 4.3).
const NO_ERROR: VarInt = VarInt::from_u32(0);
const PROTOCOL_ERROR: VarInt = VarInt::from_u32(2);
const REQUEST_CANCELLED: VarInt = VarInt::from_u32(3);
const EXCESSIVE_LOAD: VarInt = VarInt::from_u32(4);
/// Queries of one connection at once: RFC 9250 § 5.6 wants many, and each may hold an answer of 64 KiB.
const STREAMS_MAX: u32 = 64;
/// Octets that one connection may send unread by us, and have unread of ours: some messages of the greatest length.
const WINDOW_OCTETS: u32 = 256 * 1024;
/// Handshakes that wait to be taken up at once; each is taken up or sent a Retry right away.
const INCOMING_MAX: usize = 256;
/// Octets that are kept for each of them, and for all.
const INCOMING_OCTETS_MAX: u64 = 8 * 1024;
const INCOMING_OCTETS_TOTAL_MAX: u64 = 1024 * 1024;
/// The option that DoQ forbids (RFC 7828, RFC 9250 § 5.5.2).
const TCP_KEEPALIVE: u16 = 11;

/// How connections behave.
pub(super) fn config(tls: &Arc<rustls::ServerConfig>, idle: Duration) -> io::Result<ServerConfig> {
    let crypto = QuicServerConfig::try_from(Arc::clone(tls)).map_err(io::Error::other)?;
    let mut transport = TransportConfig::default();
    // Our own deadline comes first, as it says why.
    let idle = IdleTimeout::try_from(idle * 2).map_err(io::Error::other)?;
    transport
        .max_concurrent_bidi_streams(STREAMS_MAX.into())
        .max_concurrent_uni_streams(0u32.into())
        .max_idle_timeout(Some(idle))
        .stream_receive_window(WINDOW_OCTETS.into())
        .receive_window(WINDOW_OCTETS.into())
        .send_window(WINDOW_OCTETS.into())
        .datagram_receive_buffer_size(None);
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config
        .transport_config(Arc::new(transport))
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_OCTETS_MAX)
        .incoming_buffer_size_total(INCOMING_OCTETS_TOTAL_MAX);
    Ok(config)
}

/// Accepts connections until the socket fails.
///
/// # Errors
/// The socket cannot be used.
pub(super) async fn serve(
    socket: UdpSocket,
    config: ServerConfig,
    desk: Arc<Desk>,
    guests: Arc<Guests>,
) -> io::Result<()> {
    let endpoint = Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(TokioRuntime))?;
    while let Some(incoming) = endpoint.accept().await {
        if !incoming.remote_address_validated() {
            // One round trip more for newcomers, and no answer that is greater than what it answers: a flight with
            // a certificate is, and quinn sends a whole datagram past three times what it got.
            if let Err(proved) = incoming.retry() {
                proved.into_incoming().refuse();
            }
            continue;
        }
        let Some((guest, closed)) = guests.admit(incoming.remote_address().ip()) else {
            incoming.refuse();
            continue;
        };
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            let mut closed = closed;
            let Some(connection) = handshake(incoming, &guest, &mut closed).await else { return };
            tokio::select! {
                _ = closed => connection.close(EXCESSIVE_LOAD, b"others need the place"),
                () = talk(&connection, &desk, &guest) => {}
            }
        });
    }
    Ok(())
}

async fn handshake(incoming: Incoming, guest: &Guest, closed: &mut super::guests::Closed) -> Option<Connection> {
    let connecting = incoming.accept().ok()?;
    tokio::select! {
        _ = closed => None,
        done = timeout(guest.limits().idle, connecting) => match done {
            Ok(connection) => connection.ok(),
            Err(_) => {
                guest.late();
                None
            }
        },
    }
}

/// What a stream tells about its connection.
enum Ended {
    /// All is well with it.
    Well,
    /// The client broke a rule of RFC 9250 § 4.3.3.
    Broken(&'static str),
}

/// Answers until the client ends, is silent for too long, or breaks a rule.
async fn talk(connection: &Connection, desk: &Arc<Desk>, guest: &Guest) {
    let source = connection.remote_address().ip();
    let (message, write) = (guest.limits().message, guest.limits().write);
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            opened = connection.accept_bi() => {
                let Ok((send, receive)) = opened else { return };
                guest.note(Doing::Working);
                streams.spawn(answer(send, receive, source, Arc::clone(desk), message, write));
            }
            Some(ended) = streams.join_next() => {
                if let Ok(Ended::Broken(rule)) = ended {
                    return connection.close(PROTOCOL_ERROR, rule.as_bytes());
                }
                if streams.is_empty() {
                    guest.note(Doing::Idle);
                }
            }
            () = tokio::time::sleep(guest.idle()), if streams.is_empty() => {
                guest.late();
                return connection.close(NO_ERROR, b"idle");
            }
        }
        if streams.is_empty() && guest.is_old() {
            return connection.close(NO_ERROR, b"long enough");
        }
    }
}

async fn answer(
    mut send: SendStream,
    mut receive: RecvStream,
    source: IpAddr,
    desk: Arc<Desk>,
    message: Duration,
    write: Duration,
) -> Ended {
    let octets = match timeout(message, receive.read_to_end(MESSAGE_OCTETS_MAX + 2)).await {
        Ok(Ok(octets)) => octets,
        Ok(Err(ReadToEndError::TooLong)) => return Ended::Broken("more than one message on a stream"),
        // The client has given the query up, or is gone.
        Ok(Err(ReadToEndError::Read(_))) => return Ended::Well,
        Err(_) => {
            let _ = receive.stop(REQUEST_CANCELLED);
            let _ = send.reset(REQUEST_CANCELLED);
            return Ended::Well;
        }
    };
    let packet = match only_query(&octets, source) {
        Ok(packet) => packet,
        Err(rule) => return Ended::Broken(rule),
    };
    match desk.answer(Query { packet, source, proto: Proto::Doq }).await {
        Answer::Send(octets) => {
            let sent = timeout(write, reply(&mut send, &octets)).await;
            if !matches!(sent, Ok(Some(()))) {
                let _ = send.reset(REQUEST_CANCELLED);
                desk.counters.dropped(Dropped::Send, 1);
            }
        }
        Answer::Silence => return Ended::Broken("no query"),
        Answer::Close => {
            let _ = send.reset(EXCESSIVE_LOAD);
        }
    }
    Ended::Well
}

async fn reply(send: &mut SendStream, answer: &[u8]) -> Option<()> {
    let length = u16::try_from(answer.len()).ok()?;
    send.write_all(&[&length.to_be_bytes()[..], answer].concat()).await.ok()?;
    send.finish().ok()
}

/// The one query of a stream, or which rule it breaks (RFC 9250 §§ 4.2, 4.3.3).
fn only_query(octets: &[u8], source: IpAddr) -> Result<&[u8], &'static str> {
    let (length, packet) = octets.split_first_chunk::<2>().ok_or("a stream ended inside of its message")?;
    match packet.len().cmp(&usize::from(u16::from_be_bytes(*length))) {
        std::cmp::Ordering::Less => return Err("a stream ended inside of its message"),
        std::cmp::Ordering::Greater => return Err("more than one message on a stream"),
        std::cmp::Ordering::Equal => {}
    }
    if packet.len() < HEADER_OCTETS {
        return Err("no query");
    }
    if packet.first_chunk() != Some(&[0, 0]) {
        return Err("the id of a message is 0 over QUIC");
    }
    let additional = packet.get(10..HEADER_OCTETS).is_some_and(|count| count != [0, 0]);
    // What cannot be read is the business of whoever answers it.
    let client = SocketAddr::new(source, 0);
    let read = if additional { Request::from_bytes(packet.to_vec(), client, Protocol::Quic).ok() } else { None };
    let options = read.as_ref().and_then(|request| request.edns.as_ref()).map(|edns| &edns.options().options);
    if options.into_iter().flatten().any(|(code, _)| u16::from(*code) == TCP_KEEPALIVE) {
        return Err("no option of TCP is sent over QUIC");
    }
    Ok(packet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_carries_one_query_with_id_0() {
        let query = [&[0, 12][..], &[0; 12]].concat();
        let only_query = |octets| only_query(octets, IpAddr::from([127, 0, 0, 1]));
        assert_eq!(only_query(&query), Ok(&query[2..]));
        for (broken, word) in [
            (&query[..0], "ended"),
            (&query[..1], "ended"),
            (&query[..13], "ended"),
            (&[&query[..], &[0]].concat()[..], "more than one"),
            (&[0, 0][..], "no query"),
            (&[0, 2, 0, 0][..], "no query"),
            (&[&[0, 12, 0, 1][..], &[0; 10]].concat()[..], "id"),
            // OPT with the option 11 of RFC 7828, empty.
            (
                &[
                    &[0, 27][..],
                    &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
                    &[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 4, 0, 11, 0, 0],
                ]
                .concat()[..],
                "TCP",
            ),
        ] {
            assert!(only_query(broken).is_err_and(|rule| rule.contains(word)), "{broken:?}: {:?}", only_query(broken));
        }
    }
}
