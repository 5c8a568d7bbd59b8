//! DNS over TLS and over QUIC (RFC 7858, RFC 9250, RFC 9539): the answers of port 53, for those who ask in private.
//!
//! It has a runtime of its own that port 53 and the control plane share nothing with. Answers are the octets of the same
//! `respond`. Connections follow the rules of TCP: a cap in all, a cap a source, and a crowd drives out its own. It must
//! never let a client end a listener, hold up another client, or get more than it sent before its address is proved.

use crate::answer::{Asked, Reply, Snapshot};
use crate::metrics::{Metrics, Proto};
use crate::process::confine;
use crate::serve::house::ConnectionLimits;
use crate::serve::signing::Signatures;
use arc_swap::ArcSwap;
use desk::Desk;
use guests::Guests;
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

mod certificate;
mod desk;
mod doq;
mod dot;
mod guests;
mod sockets;
pub use certificate::{Certificate, load};
pub use sockets::Sockets;

/// The query path; always [`crate::answer::respond`] but in tests.
pub type Respond = fn(&Snapshot, &Asked<'_>, &mut [u8]) -> Reply;

/// What to add to the log filter: these targets name clients at info and warn.
pub const LOG_FILTER: &str = "hickory_proto=error,quinn=error,quinn_proto=error,quinn_udp=error,rustls=error";

/// Threads for both protocols: a share of the processor that a flood of handshakes cannot leave.
const THREADS: usize = 2;
/// Connections of each protocol at once, at most: with some 30 KiB each they stay below 64 MiB.
pub const CONNECTIONS_MAX: usize = 2000;
/// As many connections of DoT may be open whatever the limit of descriptors is.
const CONNECTIONS_MIN: usize = 64;
/// Descriptors that stay free for files, metrics and port 53.
const DESCRIPTORS_RESERVED: u64 = 256;
/// Pause before a listener starts anew, so that a lasting fault costs neither processor nor log.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// Why DoT and DoQ cannot be offered. Never quotes a file.
#[derive(Debug, thiserror::Error)]
pub enum EncryptedFault {
    /// The address cannot be used.
    #[error("cannot listen on {address} for DoT and DoQ: {source}")]
    Bind {
        /// As configured.
        address: SocketAddr,
        /// What the kernel says.
        source: io::Error,
    },
    /// A PEM file cannot be used.
    #[error("{file}: {cause}; DoT and DoQ need a chain and its key as PEM files")]
    Pem {
        /// Path as configured.
        file: String,
        /// In words.
        cause: String,
    },
    /// Key and chain are unusable together.
    #[error("certificate and key of DoT and DoQ: {0}")]
    Tls(#[from] rustls::Error),
    /// A certificate cannot be made.
    #[error("a certificate for DoT and DoQ cannot be made: {0}")]
    SelfMade(#[from] rcgen::Error),
    /// No thread or runtime.
    #[error("the threads for DoT and DoQ cannot start: {0}")]
    Start(io::Error),
}

/// What [`start`] needs.
pub struct Options {
    /// Bound sockets, one pair an address.
    pub sockets: Vec<Sockets>,
    /// From [`load`].
    pub certificate: Arc<CertifiedKey>,
    /// The query path.
    pub respond: Respond,
    /// The slot that the control plane publishes to.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// What may be signed for denials, together with TCP.
    pub signatures: Signatures,
    /// Where restarts and answers are counted.
    pub metrics: Arc<Metrics>,
    /// The rules of TCP, which hold for each of both protocols; its cap of connections is [`CONNECTIONS_MAX`] instead.
    pub limits: ConnectionLimits,
    /// Descriptors that all other parts may hold open together: caps of TCP and metrics, files.
    pub others_max: usize,
    /// From [`crate::process::system::raise_descriptor_limit`].
    pub descriptor_limit: u64,
    /// Whether its threads give up files and new sockets ([`confine::apply_worker`]).
    pub confined: bool,
}

/// The running listeners; dropping it ends them and their connections.
#[derive(Debug)]
pub struct Encrypted {
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for Encrypted {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Starts DoT and DoQ on all sockets.
///
/// # Errors
/// [`EncryptedFault`]; nothing runs then.
pub fn start(options: Options) -> Result<Encrypted, EncryptedFault> {
    let confined = options.confined;
    let threads = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(1)
        .thread_name("encrypted")
        .enable_all()
        .on_thread_start(move || {
            if confined && let Err(fault) = confine::apply_worker() {
                tracing::warn!("a thread of DoT and DoQ is not confined further: {fault}");
            }
        })
        .build();
    let runtime = threads.map_err(EncryptedFault::Start)?;
    let resolver: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(Arc::clone(&options.certificate)));
    let dot_tls = tls(&[&rustls::version::TLS13, &rustls::version::TLS12], b"dot", &resolver)?;
    let doq_tls = tls(&[&rustls::version::TLS13], b"doq", &resolver)?;
    let doq_config = doq::config(&doq_tls, options.limits.idle).map_err(EncryptedFault::Start)?;
    let counters = options.metrics.worker();
    let desk = Desk::new(options.respond, options.snapshot, options.signatures, Arc::clone(&counters));
    let desk = Arc::new(desk);
    let of_dot = dot_connections_max(options.others_max, options.descriptor_limit);
    let [dot_guests, doq_guests] = [of_dot, CONNECTIONS_MAX].map(|connections_max| {
        let limits = ConnectionLimits { connections_max, ..options.limits.clone() };
        Guests::new(limits, Arc::clone(&counters))
    });
    for Sockets { dot, doq } in options.sockets {
        if let Some(dot) = dot {
            let listener = {
                let _inside = runtime.enter();
                tokio::net::TcpListener::from_std(dot).map_err(EncryptedFault::Start)?
            };
            runtime.spawn(dot::serve(
                listener,
                Arc::clone(&dot_tls).into(),
                Arc::clone(&desk),
                Arc::clone(&dot_guests),
            ));
        }
        if let Some(socket) = doq {
            let (config, metrics) = (doq_config.clone(), Arc::clone(&options.metrics));
            runtime.spawn(keep_doq(socket, config, metrics, Arc::clone(&desk), Arc::clone(&doq_guests)));
        }
    }
    Ok(Encrypted { runtime: Some(runtime) })
}

/// Keeps DoQ running on a socket, whatever becomes of an endpoint: each gets a duplicate.
async fn keep_doq(
    socket: UdpSocket,
    config: quinn::ServerConfig,
    metrics: Arc<Metrics>,
    desk: Arc<Desk>,
    guests: Arc<Guests>,
) {
    loop {
        let ended = match socket.try_clone() {
            Ok(own) => doq::serve(own, config.clone(), Arc::clone(&desk), Arc::clone(&guests)).await,
            Err(fault) => Err(fault),
        };
        let cause = ended.map_or_else(|fault| fault.to_string(), |()| "it ended".to_owned());
        let count = metrics.encrypted_restarted(Proto::Doq);
        tracing::warn!("the listener for DoQ starts anew, for the {count}. time: {cause}");
        tokio::time::sleep(RESTART_PAUSE).await;
    }
}

fn tls(
    versions: &[&'static rustls::SupportedProtocolVersion],
    alpn: &[u8],
    resolver: &Arc<dyn ResolvesServerCert>,
) -> Result<Arc<rustls::ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(resolver));
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(Arc::new(config))
}

/// How many connections of DoT may be open: what the limit of descriptors leaves.
fn dot_connections_max(others_max: usize, limit: u64) -> usize {
    let affordable = usize::try_from(limit.saturating_sub(DESCRIPTORS_RESERVED)).unwrap_or(usize::MAX);
    affordable.saturating_sub(others_max).clamp(CONNECTIONS_MIN, CONNECTIONS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_bound_the_connections_of_dot() {
        assert_eq!(dot_connections_max(1100, 65_536), CONNECTIONS_MAX);
        assert_eq!(dot_connections_max(1100, 2000), 2000 - 256 - 1100);
        assert_eq!(dot_connections_max(1100, 1024), CONNECTIONS_MIN);
    }
}
