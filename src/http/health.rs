//! What monitoring asks over HTTP: `/metrics`, `/livez` (the process lives), `/readyz` (it is to be asked).
//!
//! It has a thread of its own and a fixed share of descriptors and memory, so no number of its clients is felt by those
//! who ask DNS questions. It names neither tenants nor clients.

use crate::metrics::{Metrics, Standing};
use crate::process::{address, confine};
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Sleep;

/// Connections at once: some scrapers and probes, each of which asks one question. One more closes the oldest.
pub const CONNECTIONS_MAX: usize = 64;
/// Connections that may still be closing when the next is taken.
const CLOSING_MAX: usize = 16;
/// How long a connection may take from `accept` to the last octet: a scrape takes milliseconds, and Prometheus itself
/// gives up after 10 s.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(10);
/// Octets read from a connection: a GET with its headers. What sends more is not a scraper.
const REQUEST_OCTETS_MAX: usize = 16 * 1024;
/// Connections that wait for `accept`.
const BACKLOG: i32 = 128;
/// Pause after a failed `accept`, so that a lack of descriptors does not become a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The format that [`Metrics::text`] writes.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the endpoints show; the control plane changes it.
#[derive(Debug)]
pub struct Health {
    metrics: Arc<Metrics>,
    not_ready: Mutex<Vec<String>>,
    draining: AtomicBool,
}

impl Health {
    /// A server that is not ready for these reasons yet.
    pub fn new(metrics: Arc<Metrics>, not_ready: Vec<String>) -> Health {
        Health { metrics, not_ready: Mutex::new(not_ready), draining: AtomicBool::new(false) }
    }

    /// Says what is not ready, one thing an entry; empty: all is.
    pub fn set_not_ready(&self, reasons: Vec<String>) {
        *self.not_ready.lock().unwrap_or_else(PoisonError::into_inner) = reasons;
    }

    /// From now on load balancers should look elsewhere; there is no way back.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// What is not ready, `draining` first; empty: the server is ready.
    pub fn not_ready(&self) -> Vec<String> {
        let mut reasons = self.not_ready.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if self.draining.load(Ordering::Acquire) {
            reasons.insert(0, "draining".to_owned());
        }
        reasons
    }
}

impl Health {
    /// What `/readyz` says: whether the server is to be asked at all, or, with `zone=NAME` in the query, whether it answers
    /// for each zone named. A zone that is silent takes nobody away from the others: a load balancer that leaves this server
    /// would leave all of its zones, on all servers at once where all have the same files; resolvers leave a zone that gets
    /// SERVFAIL by themselves (RFC 1034 § 5.3.3).
    fn readiness(&self, query: Option<&str>) -> (StatusCode, String) {
        let missing = self.not_ready();
        if !missing.is_empty() {
            return (StatusCode::SERVICE_UNAVAILABLE, missing.join("\n") + "\n");
        }
        match query.filter(|query| !query.is_empty()) {
            Some(query) => self.zones_ready(query),
            None => self.all_ready(),
        }
    }

    fn all_ready(&self) -> (StatusCode, String) {
        let (zones, silent, lines) = self.metrics.silence();
        let lines = lines.into_iter().map(|line| line + "\n").collect::<String>();
        match silent {
            0 => (StatusCode::OK, "ready\n".to_owned()),
            _ if silent < zones => {
                (StatusCode::OK, format!("ready, but {silent} of {zones} zones are silent\n{lines}"))
            }
            _ => (StatusCode::SERVICE_UNAVAILABLE, format!("no zone is answered\n{lines}")),
        }
    }

    fn zones_ready(&self, query: &str) -> (StatusCode, String) {
        let mut wrong = String::new();
        for pair in query.split('&') {
            let Some(zone) = pair.strip_prefix("zone=") else {
                return (StatusCode::BAD_REQUEST, "/readyz takes `zone=NAME`, and nothing else\n".to_owned());
            };
            let apex = format!("{}.", zone.trim_end_matches('.').to_ascii_lowercase());
            match self.metrics.standing(&apex) {
                Some(Standing::Serving | Standing::Frozen) => {}
                Some(not @ (Standing::Silent | Standing::Waiting)) => {
                    wrong += &format!("zone {apex} is {}\n", not.word());
                }
                None => wrong += &format!("there is no zone {apex} here\n"),
            }
        }
        if wrong.is_empty() { (StatusCode::OK, "ready\n".to_owned()) } else { (StatusCode::SERVICE_UNAVAILABLE, wrong) }
    }
}

/// Why the endpoints cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum HealthFault {
    /// The address cannot be used.
    #[error("[metrics] listen = \"{address}\": {source}{help}", help = help_for(source))]
    Bind {
        /// As configured.
        address: SocketAddr,
        /// What the kernel says.
        source: io::Error,
    },
    /// No thread or runtime.
    #[error("the thread for metrics and health cannot start: {0}")]
    Start(io::Error),
}

fn help_for(fault: &io::Error) -> &'static str {
    match fault.kind() {
        io::ErrorKind::AddrInUse => "; another process listens there: end it, or choose another port",
        io::ErrorKind::AddrNotAvailable => "; this host has no such address",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need CAP_NET_BIND_SERVICE",
        _ => "",
    }
}

/// Binds the address: early, so that one in use is an error of the start and not of some later moment. One that no
/// interface has yet is bound all the same.
///
/// # Errors
/// [`HealthFault::Bind`].
pub fn bind(address: SocketAddr) -> Result<TcpListener, HealthFault> {
    listen(address).map_err(|source| HealthFault::Bind { address, source })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart binds while old connections are in TIME_WAIT; two never listen.
    socket.set_reuse_address(true)?;
    address::bind(&socket, address)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The running endpoints; dropping it ends them.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    /// Where they answer.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(Err(_)) = self.thread.take().map(std::thread::JoinHandle::join) {
            tracing::error!("the thread for metrics and health panicked");
        }
    }
}

/// Starts the endpoints on a bound listener, in a thread of their own.
///
/// # Errors
/// [`HealthFault::Start`].
pub fn start(listener: TcpListener, health: Arc<Health>) -> Result<Running, HealthFault> {
    let address = listener.local_addr().map_err(HealthFault::Start)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(HealthFault::Start)?;
    let gate = {
        let _inside = runtime.enter();
        Gate::new(tokio::net::TcpListener::from_std(listener).map_err(HealthFault::Start)?)
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let serve = move || {
        // It reads what strangers send, and needs no file for its answers.
        if let Err(fault) = confine::apply_worker() {
            tracing::warn!("the thread for metrics and health is not confined further: {fault}");
        }
        runtime.block_on(async {
            tokio::select! {
                _ = stopped => {}
                ended = axum::serve(gate, routes(health)) => {
                    tracing::error!("metrics and health ended: {ended:?}");
                }
            }
        });
    };
    let thread = std::thread::Builder::new().name("health".to_owned()).spawn(serve).map_err(HealthFault::Start)?;
    Ok(Running { address, stop: Some(stop), thread: Some(thread) })
}

fn routes(health: Arc<Health>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(|| async { answer(StatusCode::OK, "alive\n".to_owned()) }))
        .route("/readyz", get(readiness))
        .fallback(|| async { answer(StatusCode::NOT_FOUND, "there are /metrics, /livez and /readyz\n".to_owned()) })
        .with_state(health)
}

async fn metrics(State(health): State<Arc<Health>>) -> impl IntoResponse {
    let is_ready = health.readiness(None).0 == StatusCode::OK;
    health.metrics.set(|gauges| gauges.ready = is_ready);
    let head = [(header::CONTENT_TYPE, METRICS_TYPE), (header::CONNECTION, "close")];
    (StatusCode::OK, head, health.metrics.text())
}

async fn readiness(State(health): State<Arc<Health>>, RawQuery(query): RawQuery) -> impl IntoResponse {
    let (status, text) = health.readiness(query.as_deref());
    answer(status, text)
}

/// One question a connection: the limits of a connection are then those of a question.
fn answer(status: StatusCode, text: String) -> impl IntoResponse {
    let head = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CONNECTION, "close")];
    (status, head, text)
}

/// A listener with a fixed number of connections: the oldest makes room for the newest.
struct Gate {
    listener: tokio::net::TcpListener,
    room: Arc<Semaphore>,
    open: VecDeque<oneshot::Sender<()>>,
}

impl Gate {
    fn new(listener: tokio::net::TcpListener) -> Gate {
        Gate { listener, room: Arc::new(Semaphore::new(CONNECTIONS_MAX + CLOSING_MAX)), open: VecDeque::new() }
    }

    /// Takes up the new connection; closes the oldest where there are too many. Dropping the sender closes.
    fn admit(&mut self, stream: TcpStream, room: Option<OwnedSemaphorePermit>) -> Connection {
        self.open.retain(|connection| !connection.is_closed());
        while self.open.len() >= CONNECTIONS_MAX {
            self.open.pop_front();
        }
        let (close, closed) = oneshot::channel();
        self.open.push_back(close);
        let deadline = Box::pin(tokio::time::sleep(CONNECTION_TIME_MAX));
        Connection { stream, deadline, closed, ended: false, octets_left: REQUEST_OCTETS_MAX, _room: room }
    }
}

impl axum::serve::Listener for Gate {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            // Never closed, so there is always a permit in the end; none would only mean one connection uncounted.
            let room = Arc::clone(&self.room).acquire_owned().await.ok();
            match self.listener.accept().await {
                Ok((stream, source)) => return (self.admit(stream, room), source),
                Err(fault) => {
                    tracing::debug!("metrics: accept: {fault}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends by itself: at its deadline, past its octets, or when a newer one needs its place.
struct Connection {
    stream: TcpStream,
    deadline: Pin<Box<Sleep>>,
    closed: oneshot::Receiver<()>,
    ended: bool,
    octets_left: usize,
    _room: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// Fails once the connection has to end, and has the task woken when that happens.
    fn still_open(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        self.ended = self.ended
            || self.deadline.as_mut().poll(context).is_ready()
            || Pin::new(&mut self.closed).poll(context).is_ready();
        if self.ended { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.still_open(context)?;
        let before = out.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, out))?;
        let read = out.filled().len() - before;
        match self.octets_left.checked_sub(read) {
            Some(left) => self.octets_left = left,
            None => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.still_open(context)?;
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.still_open(context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.still_open(context)?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
