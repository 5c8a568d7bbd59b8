//! DNS over TLS and over QUIC (RFC 7858, RFC 9250, RFC 9539): the answers of port 53, for those who ask in private.
//!
//! hickory-server listens, in a runtime of its own that port 53 and the control plane share nothing with. Answers come
//! from the same `respond`, and every record, flag and EDNS option of them is passed on. What hickory does not do, and
//! what stands in for it here: it has no cap on connections (all DoT connections are shed past [`CONNECTIONS_MAX`]); a
//! listener ends for good at an aborted connection (it is started anew); a lack of descriptors makes it spin (shedding
//! ends that too). Nothing stands in for this: a QUIC handshake that stalls holds up those behind it for up to 5 s.

use crate::answer::{Account, Asked, Effort, Outcome, Reply, Snapshot, Transport};
use crate::metrics::{Counters, Dropped, Metrics, Proto};
use crate::serve::signing::{SIGNATURE_PAUSE, Signatures};
use crate::serve::{confine, system};
use crate::time;
use arc_swap::ArcSwap;
use hickory_proto::op::{Header, HeaderCounts, Message, Metadata, ResponseCode};
use hickory_proto::serialize::binary::BinDecoder;
use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::{MessageResponseBuilder, Queries};
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

mod certificate;
mod sockets;
pub use certificate::{Certificate, load};
pub use sockets::Sockets;

/// The query path; always [`crate::answer::respond`] but in tests.
pub type Respond = fn(&Snapshot, &Asked<'_>, &mut [u8]) -> Reply;

/// What to add to the log filter: these targets name clients at info and warn, and write a line a query.
pub const LOG_FILTER: &str = "hickory_server=error,hickory_net=error,hickory_proto=error,quinn=error,rustls=error";

/// Threads for both protocols: a share of the processor that a flood of handshakes cannot leave.
const THREADS: usize = 2;
/// DoT connections at once, about: with some 30 KiB each they stay below 64 MiB.
pub const CONNECTIONS_MAX: usize = 2000;
/// Descriptors that stay free for files, metrics and port 53.
const DESCRIPTORS_RESERVED: u64 = 256;
/// Limit for a handshake, and then for the pause between two queries; as long as on TCP.
const IDLE_TIME_MAX: Duration = Duration::from_secs(10);
/// Pause before a listener starts anew, so that a lasting fault costs neither processor nor log.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// How often the open descriptors are counted: a count costs less than a millisecond, and connections come at some
/// thousands a second.
const COUNT_INTERVAL: Duration = Duration::from_millis(500);
/// Queries that wait for a signature at once, and how long: as on TCP.
const SIGNATURES_QUEUED_MAX: usize = 256;
const SIGNATURE_WAIT_MAX: Duration = Duration::from_secs(1);
/// A message's octets, at most (RFC 7858 § 3.3, RFC 9250 § 4.2).
const MESSAGE_OCTETS_MAX: usize = 65_535;

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
    /// Descriptors that all other parts may hold open together: caps of TCP and metrics, files.
    pub others_max: usize,
    /// From [`system::raise_descriptor_limit`].
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
    let handler = Handler {
        respond: options.respond,
        snapshot: options.snapshot,
        signatures: options.signatures,
        waiting: Arc::new(Semaphore::new(SIGNATURES_QUEUED_MAX)),
        counters: options.metrics.worker(),
    };
    let descriptors_max = descriptors_max(options.others_max, options.descriptor_limit);
    for Sockets { dot, doq } in options.sockets {
        let keeper = |listener, tls: &Arc<rustls::ServerConfig>| Keeper {
            listener,
            tls: Arc::clone(tls),
            handler: handler.clone(),
            metrics: Arc::clone(&options.metrics),
            descriptors_max,
        };
        if let Some(dot) = dot {
            runtime.spawn(keeper(Listener::Dot(dot), &dot_tls).keep());
        }
        if let Some(doq) = doq {
            runtime.spawn(keeper(Listener::Doq(doq), &doq_tls).keep());
        }
    }
    Ok(Encrypted { runtime: Some(runtime) })
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

/// How many descriptors may be open before DoT has to give back its own.
fn descriptors_max(others_max: usize, limit: u64) -> usize {
    let affordable = usize::try_from(limit.saturating_sub(DESCRIPTORS_RESERVED)).unwrap_or(usize::MAX);
    others_max.saturating_add(CONNECTIONS_MAX).min(affordable)
}

/// One bound socket; hickory gets duplicates of it, so that it outlives a listener.
enum Listener {
    Dot(TcpListener),
    Doq(UdpSocket),
}

/// Keeps one listener running.
struct Keeper {
    listener: Listener,
    tls: Arc<rustls::ServerConfig>,
    handler: Handler,
    metrics: Arc<Metrics>,
    descriptors_max: usize,
}

impl Keeper {
    async fn keep(self) {
        let proto = match &self.listener {
            Listener::Dot(_) => Proto::Dot,
            Listener::Doq(_) => Proto::Doq,
        };
        loop {
            let cause = self.run_once().await;
            let count = self.metrics.encrypted_restarted(proto);
            tracing::warn!("the {proto:?} listener starts anew, for the {count}. time: {cause}");
            tokio::time::sleep(RESTART_PAUSE).await;
        }
    }

    /// Runs until the listener ends or has to give back its connections; says why. Dropping the server closes them.
    async fn run_once(&self) -> String {
        let mut server = Server::new(self.handler.clone());
        if let Err(fault) = self.register(&mut server) {
            return format!("cannot listen: {fault}");
        }
        tokio::select! {
            ended = server.block_until_done() => match ended {
                // A connection aborted while it was accepted ends it so (hickory-dns #3725).
                Ok(()) => "it ended".to_owned(),
                Err(fault) => format!("it ended: {fault}"),
            },
            () = self.until_too_many() => format!("more than {} descriptors were open", self.descriptors_max),
        }
    }

    fn register(&self, server: &mut Server<Handler>) -> io::Result<()> {
        match &self.listener {
            Listener::Dot(listener) => {
                let listener = tokio::net::TcpListener::from_std(listener.try_clone()?)?;
                server.register_tls_listener_with_tls_config(listener, IDLE_TIME_MAX, Arc::clone(&self.tls))
            }
            Listener::Doq(socket) => {
                let socket = tokio::net::UdpSocket::from_std(socket.try_clone()?)?;
                let tls = Arc::clone(&self.tls);
                server.register_quic_listener_and_tls_config(socket, IDLE_TIME_MAX, tls).map_err(io::Error::other)
            }
        }
    }

    /// Waits until too many descriptors are open; never ends for DoQ, which has one socket for all connections.
    async fn until_too_many(&self) {
        if matches!(self.listener, Listener::Doq(_)) {
            return std::future::pending().await;
        }
        while system::open_descriptors() <= self.descriptors_max {
            tokio::time::sleep(COUNT_INTERVAL).await;
        }
    }
}

/// Answers what hickory has read.
#[derive(Clone)]
struct Handler {
    respond: Respond,
    snapshot: Arc<ArcSwap<Snapshot>>,
    signatures: Signatures,
    /// Places in the queue for signatures.
    waiting: Arc<Semaphore>,
    counters: Arc<Counters>,
}

/// What to do with one request.
enum Decision {
    Silence,
    Fail,
    /// A signature is needed, for an answer of this account.
    Deferred(Account),
    /// The budget for signatures is spent.
    Close,
    Send(Box<Message>, Outcome),
}

impl Handler {
    fn decide(&self, request: &Request, proto: Proto, effort: Effort) -> Decision {
        // "The DNS Message ID MUST be set to 0" (RFC 9250 § 4.2.1); hickory offers no way to close the connection as
        // § 4.3.3 asks, so the stream ends without an answer.
        if proto == Proto::Doq && request.metadata.id != 0 {
            return Decision::Silence;
        }
        let asked = Asked {
            packet: request.as_slice(),
            source: request.src().ip(),
            transport: Transport::Encrypted,
            now: time::now(),
            effort,
        };
        let mut octets = vec![0; MESSAGE_OCTETS_MAX];
        match (self.respond)(&self.snapshot.load(), &asked, &mut octets) {
            Reply::Silence => Decision::Silence,
            Reply::Deferred(account) => Decision::Deferred(account),
            Reply::Send(outcome) => match octets.get(..outcome.length).map(Message::from_vec) {
                Some(Ok(message)) => Decision::Send(Box::new(message), outcome),
                // Octets that hickory cannot read, such as records without data.
                Some(Err(_)) | None => Decision::Fail,
            },
        }
    }

    /// As [`Handler::decide`]; a panic is counted, and answered with SERVFAIL.
    fn decide_caught(&self, request: &Request, proto: Proto, effort: Effort) -> Decision {
        catch_unwind(AssertUnwindSafe(|| self.decide(request, proto, effort))).unwrap_or_else(|_| {
            self.counters.dropped(Dropped::Panic, 1);
            Decision::Fail
        })
    }

    /// Signs once the budget allows it. The queue is bounded and nobody waits long: past it 853 is no refuge from the
    /// budget of port 53. A zone that has a share left needs no place in the queue.
    async fn sign(&self, request: &Request, proto: Proto, account: &Account) -> Decision {
        let (mut place, until) = (None, Instant::now() + SIGNATURE_WAIT_MAX);
        loop {
            let permit = self.signatures.permit(account, &self.snapshot.load());
            if let Some(permit) = permit {
                let decision = self.decide_caught(request, proto, Effort::Sign);
                if let Decision::Send(_, outcome) = &decision {
                    self.signatures.settle(&permit, outcome.signed);
                }
                return decision;
            }
            place = place.or_else(|| self.waiting.try_acquire().ok());
            if place.is_none() || Instant::now() >= until {
                return Decision::Close;
            }
            tokio::time::sleep(SIGNATURE_PAUSE).await;
        }
    }

    async fn send<R: ResponseHandler>(&self, request: &Request, message: &Message, mut to: R) -> bool {
        // The question is echoed as it came, as our own octets do, unless they leave it out.
        let none = Queries::read(&mut BinDecoder::new(&[]), 0).ok().filter(|_| message.queries.is_empty());
        let questions = none.as_ref().unwrap_or(&request.queries);
        let builder = MessageResponseBuilder::new(questions, message.edns.as_ref());
        let (answers, authorities) = (message.answers.iter(), message.authorities.iter());
        let response =
            builder.build(message.metadata, answers, authorities, std::iter::empty(), message.additionals.iter());
        to.send_response(response).await.is_ok()
    }

    async fn fail<R: ResponseHandler>(&self, request: &Request, mut to: R) -> bool {
        let response =
            MessageResponseBuilder::from_message_request(request).error_msg(&request.metadata, ResponseCode::ServFail);
        to.send_response(response).await.is_ok()
    }
}

#[async_trait::async_trait]
impl RequestHandler for Handler {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, to: R) -> ResponseInfo {
        let proto = if request.protocol() == Protocol::Quic { Proto::Doq } else { Proto::Dot };
        let ipv6 = request.src().is_ipv6();
        // What is kept for good needs no budget: it is signed once for each name, so there is an end to it.
        let mut decision = self.decide_caught(request, proto, Effort::Own);
        if let Decision::Deferred(account) = decision {
            decision = self.sign(request, proto, &account).await;
        }
        let sent = match decision {
            Decision::Silence => {
                self.counters.dropped(Dropped::Silence, 1);
                true
            }
            Decision::Close => {
                self.counters.refused(proto);
                // Unwinding without a panic ends the connection's task, the only way to close it that hickory leaves.
                resume_unwind(Box::new("the budget for signatures is spent"));
            }
            // Signing defers nothing; were it to, SERVFAIL as for any other bug.
            Decision::Fail | Decision::Deferred(_) => {
                let qtype = request.queries.queries().first().map_or(0, |query| query.query_type().into());
                self.counters.answered(proto, ipv6, &Outcome { rcode: 2, qtype, ..Outcome::default() });
                self.fail(request, to).await
            }
            Decision::Send(message, outcome) => {
                self.counters.answered(proto, ipv6, &outcome);
                self.send(request, &message, to).await
            }
        };
        if !sent {
            self.counters.dropped(Dropped::Send, 1);
        }
        // hickory makes no use of it.
        let metadata = Metadata::response_from_request(&request.metadata);
        ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() })
    }
}
