//! DNS over TLS (RFC 7858): messages with their length before them, in a TLS connection, each answered in its turn.
//!
//! No client ends the listener or holds up another: each connection is a task, and each step has a deadline.

use super::desk::{Answer, Desk, Query};
use super::guests::{Guest, Guests};
use crate::metrics::{Dropped, Proto};
use crate::serve::house::Doing;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Pause after a failed `accept`: a lack of descriptors must not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long the farewell of TLS may take.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// Accepts connections for as long as the runtime lives.
pub(super) async fn serve(listener: TcpListener, acceptor: TlsAcceptor, desk: Arc<Desk>, guests: Arc<Guests>) {
    loop {
        let (stream, source) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(fault) => {
                desk.counters.dropped(Dropped::TcpAccept, 1);
                tracing::debug!(%fault, "accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some((guest, closed)) = guests.admit(source.ip()) else { continue };
        // Answers are written whole; waiting for more would only delay them. Without it they come late, but come.
        let _ = stream.set_nodelay(true);
        let (acceptor, desk) = (acceptor.clone(), Arc::clone(&desk));
        tokio::spawn(async move {
            tokio::select! {
                _ = closed => {}
                () = welcome(stream, source.ip(), &acceptor, &desk, &guest) => {}
            }
        });
    }
}

async fn welcome(stream: TcpStream, source: IpAddr, acceptor: &TlsAcceptor, desk: &Desk, guest: &Guest) {
    match timeout(guest.limits().idle, acceptor.accept(stream)).await {
        Ok(Ok(tls)) => talk(tls, source, desk, guest).await,
        Ok(Err(fault)) => tracing::debug!(%fault, "a handshake of TLS failed"),
        Err(_) => guest.late(),
    }
}

async fn talk(mut tls: TlsStream<TcpStream>, source: IpAddr, desk: &Desk, guest: &Guest) {
    while !guest.is_old() {
        guest.note(Doing::Idle);
        let Some(packet) = next(&mut tls, guest).await else { break };
        guest.note(Doing::Working);
        match desk.answer(Query { packet: &packet, source, proto: Proto::Dot }).await {
            Answer::Send(octets) => {
                guest.note(Doing::Writing);
                let sent = timeout(guest.limits().write, send(&mut tls, octets)).await;
                if !matches!(sent, Ok(Ok(()))) {
                    desk.counters.dropped(Dropped::Send, 1);
                    return;
                }
            }
            Answer::Silence => {}
            // Closing says less than any answer could: an unsigned denial would be bogus, SERVFAIL would be cached.
            Answer::Close => return,
        }
    }
    let _ = timeout(FAREWELL_MAX, tls.shutdown()).await;
}

/// The next message; none: the client has ended, or took too long.
async fn next(tls: &mut TlsStream<TcpStream>, guest: &Guest) -> Option<Vec<u8>> {
    let first = match timeout(guest.idle(), tls.read_u8()).await {
        Ok(first) => first.ok()?,
        Err(_) => {
            guest.late();
            return None;
        }
    };
    guest.note(Doing::Reading);
    let rest = async {
        let length = u16::from_be_bytes([first, tls.read_u8().await?]);
        let mut packet = vec![0; usize::from(length)];
        tls.read_exact(&mut packet).await?;
        Ok::<_, std::io::Error>(packet)
    };
    match timeout(guest.limits().message, rest).await {
        Ok(packet) => packet.ok(),
        Err(_) => {
            guest.late();
            None
        }
    }
}

async fn send(tls: &mut TlsStream<TcpStream>, answer: Vec<u8>) -> std::io::Result<()> {
    // No answer is longer than its length can say.
    let length = u16::try_from(answer.len()).unwrap_or(u16::MAX);
    let mut framed = Vec::with_capacity(answer.len() + 2);
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(&answer);
    tls.write_all(&framed).await?;
    tls.flush().await
}
