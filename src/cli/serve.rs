//! `serve`: runs the server in the foreground.
//!
//! The order is fixed: signals, configuration, sockets, privileges, confinement, keys and files, then threads and traffic.
//! Nothing answers before the first snapshot is there.

mod log;
mod memory;
mod rights;
mod signals;

use super::context;
use super::failure::{Exit, Failure};
use crate::answer::{Identity, Snapshot, respond};
use crate::cli::screen::output::{Colour, Form, Output};
use crate::cli::screen::words::counted;
use crate::config::{self, Config};
use crate::control::{self, Control};
use crate::diagnostic::{Diagnostic, Severity};
use crate::http::health::{self, Health};
use crate::metrics::Metrics;
use crate::process::confine::{self, InForce};
use crate::process::{notify, system};
use crate::protocol::Status;
use crate::serve::descriptors::{Share, Wanted};
use crate::serve::encrypted::{self, Certificate, Encrypted, Sockets};
use crate::serve::{self, ConnectionLimits, Listeners, RateLimit, Running, Settings, Signatures};
use crate::time;
use crate::world::zones::Held;
use arc_swap::ArcSwap;
use log::Log;
use ring::rand::{SecureRandom, SystemRandom};
use signals::{Order, Signals};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// Descriptors for files, metrics, the control socket and commands.
const OTHER_DESCRIPTORS: usize = 300;

/// How long the end waits for a control plane that reads or writes files: what is recorded is durable already, and what
/// is not will be done at the next start.
const CONTROL_PATIENCE: Duration = Duration::from_secs(1);
/// Pause between two looks at whether to end where no watchdog waits for a sign of life.
const NO_WATCHDOG: Duration = Duration::from_secs(3600);

/// Runs the server with the configuration at `config_path` (or where it is looked for) until it is told to end.
/// `strict`: it does not start with less than was asked for.
pub fn run(config_path: Option<&Path>, strict: bool) -> ExitCode {
    let metrics = Arc::new(Metrics::default());
    let mut log = None;
    let done = Signals::take()
        .map_err(|fault| failed(format!("cannot take signals: {fault}")))
        .and_then(|signals| begin(config_path, strict, signals, &metrics, &mut log))
        .map(Server::wait);
    if let Some(log) = log {
        log.end();
    }
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            Output::new(Form::Table, Colour::Auto).failure(&failure);
            failure.exit.into()
        }
    }
}

/// Everything that is bound before privileges go.
struct Bound {
    listeners: Listeners,
    metrics: Option<std::net::TcpListener>,
    sockets: Vec<Sockets>,
    certificate: Option<Arc<rustls::sign::CertifiedKey>>,
    descriptors: Share,
}

/// The running server.
struct Server {
    control: Control,
    running: Running,
    health: Arc<Health>,
    told: Receiver<Order>,
    _monitoring: Option<health::Running>,
    _encrypted: Option<Encrypted>,
}

fn begin(
    config_path: Option<&Path>,
    strict: bool,
    signals: Signals,
    metrics: &Arc<Metrics>,
    log: &mut Option<Log>,
) -> Result<Server, Failure> {
    let file = context::find(config_path)?;
    let (config, warnings) = context::read(&file)?;
    let log = log.insert(Log::start(&config, Arc::clone(metrics)));
    quiet_panics();
    let bound = bind(&config)?;
    let readers = rights::readers(&config);
    let confinement = rights::confine(&config, &file, readers.as_ref())?;
    log.run().map_err(|fault| failed(format!("cannot start the thread of the log: {fault}")))?;
    let (answering, told) = watch(signals, log.clone())?;
    let metrics = Arc::clone(metrics);
    let identity = Arc::new(identity(&config));
    let slot = Arc::new(ArcSwap::from_pointee(Snapshot::empty(Arc::clone(&identity))));
    let health = Arc::new(Health::new(Arc::clone(&metrics), vec!["files are being read".to_owned()]));
    let monitoring = bound.metrics.map(|listener| health::start(listener, Arc::clone(&health))).transpose();
    let monitoring = monitoring.map_err(|fault| failed(fault.to_string()))?;
    let addresses: Vec<String> = bound.listeners.addresses().iter().map(ToString::to_string).collect();
    let control = control::start(control::Options {
        memory: memory(&config),
        status: status(&addresses, &confinement),
        read_config: reader(file),
        config: config.clone(),
        warnings,
        of_host: shortage(&bound.descriptors, &config).into_iter().collect(),
        identity,
        slot: Arc::clone(&slot),
        metrics: Arc::clone(&metrics),
        readers,
        tell: Box::new({
            let health = Arc::clone(&health);
            move |line| {
                health.set_not_ready(vec![line.to_owned()]);
                notify::status(line);
            }
        }),
    });
    let control = control.map_err(|fault| {
        let exit = if fault.exit_code() == 4 { Exit::Refused } else { Exit::Failure };
        Failure::new(exit, fault.to_string(), "")
    })?;
    refuse_if_strict(strict, &control.findings)?;
    let settings = settings(&config, bound.descriptors.tcp);
    let running = serve::start(bound.listeners, &slot, &settings, respond)
        .map_err(|f| failed(format!("cannot start threads: {f}")))?;
    metrics.add(running.counters());
    let encrypted = start_encrypted(bound.sockets, bound.certificate, &bound.descriptors, &slot, &metrics, &settings)?;
    health.set_not_ready(Vec::new());
    answering.store(true, Ordering::Release);
    let (tenants, zones) = control.served;
    let line = start_line(&addresses, tenants, zones, &confinement);
    notify::ready(&line);
    tracing::info!("{line}");
    Ok(Server { control, running, health, told, _monitoring: monitoring, _encrypted: encrypted })
}

/// Obeys signals from now on: whoever ends the server while files are read need not wait for them.
fn watch(signals: Signals, log: Log) -> Result<(Arc<AtomicBool>, Receiver<Order>), Failure> {
    let answering = Arc::new(AtomicBool::new(false));
    let (tell, told) = channel();
    let end_early = move || {
        notify::stopping();
        tracing::info!("ended before it answered");
        log.end();
        std::process::exit(0);
    };
    signals
        .watch(Arc::clone(&answering), tell, end_early)
        .map_err(|fault| failed(format!("cannot wait for signals: {fault}")))?;
    Ok((answering, told))
}

/// Octets of memory for zones and tenants; says where the limits of the configuration are more than that.
fn memory(config: &Config) -> Option<usize> {
    let memory = memory::available()?;
    let octets = usize::try_from(memory.octets).unwrap_or(usize::MAX);
    let wanted = Held { records: config.limits.records, octets: 0 }.memory();
    if octets < wanted {
        tracing::warn!(
            "the system gives {} MB of memory to zones and tenants ({}), and the {} records that [limits] allows take {} MB: past \
             what fits, files are refused",
            octets >> 20,
            memory.by,
            config.limits.records,
            wanted >> 20
        );
    }
    Some(octets)
}

fn failed(message: String) -> Failure {
    Failure::new(Exit::Failure, message, "")
}

fn bind(config: &Config) -> Result<Bound, Failure> {
    let limit = system::raise_descriptor_limit();
    let workers = match config.server.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => workers,
    };
    let (listeners, warnings) =
        serve::bind(&config.server.listen, workers).map_err(|fault| failed(fault.to_string()))?;
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let metrics = config.metrics.map(health::bind).transpose().map_err(|fault| failed(fault.to_string()))?;
    let dot = config.encrypted.dot.iter().map(|address| Sockets::bind_dot(*address));
    let doq = config.encrypted.doq.iter().map(|address| Sockets::bind_doq(*address));
    let sockets: Result<Vec<_>, _> = dot.chain(doq).collect();
    let sockets = sockets.map_err(|fault| failed(fault.to_string()))?;
    let certificate = match (&config.encrypted.identity, sockets.is_empty()) {
        (_, true) => None,
        (Some((certificate, key)), false) => {
            let files = Certificate::Files { certificate: certificate.clone(), key: key.clone() };
            Some(encrypted::load(&files, time::now()))
        }
        (None, false) => Some(encrypted::load(&Certificate::SelfMade(host_name(config)), time::now())),
    };
    let certificate = certificate.transpose().map_err(|fault| failed(fault.to_string()))?;
    let dot = if config.encrypted.dot.is_empty() { 0 } else { encrypted::CONNECTIONS_MAX };
    let wanted = Wanted { open: system::open_descriptors(), tcp: config.server.tcp_connections, dot };
    Ok(Bound { listeners, metrics, sockets, certificate, descriptors: Share::of(limit, wanted) })
}

/// That connections are fewer than configured, since the process may not open so many descriptors.
fn shortage(share: &Share, config: &Config) -> Option<Diagnostic> {
    let Share { limit, enough, reserved, tcp } = *share;
    let message = format!(
        "this process may open {limit} file descriptors, and up to {enough} are wanted: {tcp} of {} connections over TCP are \
         taken at once ([server] tcp_connections), and {reserved} descriptors stay free for files, metrics and commands",
        config.server.tcp_connections
    );
    let help = format!(
        "give it more (`LimitNOFILE={}` in its unit, as in contrib/mxseal.service; `ulimit -Hn`), or lower tcp_connections",
        enough.next_power_of_two()
    );
    let place = crate::diagnostic::Place::file("mxseal.toml");
    (!share.is_enough()).then(|| Diagnostic::warning("MX6203", place, message, help))
}

/// A caught panic is reported by whoever catches it, at a bounded rate; the standard hook would write a line a packet.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        match thread.name() {
            Some(name) if name.starts_with("mxseal-") || name == "main" => tracing::error!("a bug: {panic}"),
            _ => tracing::debug!("a bug: {panic}"),
        }
    }));
}

fn identity(config: &Config) -> Identity {
    let mut secret = [0u8; 16];
    // A secret that can be guessed would prove any source; without one there are no cookies.
    let secrets = SystemRandom::new().fill(&mut secret).map_or_else(|_| Vec::new(), |()| vec![secret]);
    let keepalive = u16::try_from(config.server.tcp_idle.saturating_mul(10)).unwrap_or(u16::MAX);
    Identity::new(&host_name(config), secrets, keepalive).with_udp_size(config.server.udp_size)
}

fn host_name(config: &Config) -> String {
    if !config.server.nsid.is_empty() {
        return config.server.nsid.clone();
    }
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "mxseal".to_owned() } else { name.to_owned() }
}

fn settings(config: &Config, connections_max: usize) -> Settings {
    let tcp = ConnectionLimits {
        connections_max,
        connections_per_source_max: config.server.tcp_connections_per_source,
        idle: Duration::from_secs(config.server.tcp_idle),
        signatures_queued_max: connections_max / 2,
        ..ConnectionLimits::default()
    };
    let prepare_thread = || {
        if let Err(fault) = confine::apply_worker() {
            tracing::warn!("a worker thread is not confined further: {fault}");
        }
    };
    let denials_per_second = config.server.denials_per_second;
    let stream_signatures = Signatures::new(denials_per_second);
    let config::RateLimit { answers_per_second, limit_loopback, dry_run } = config.rate_limit;
    let rates = RateLimit { answers_per_second, limit_loopback, dry_run };
    Settings { denials_per_second, stream_signatures, rates, tcp, prepare_thread, ..Settings::default() }
}

fn start_encrypted(
    sockets: Vec<Sockets>,
    certificate: Option<Arc<rustls::sign::CertifiedKey>>,
    descriptors: &Share,
    slot: &Arc<ArcSwap<Snapshot>>,
    metrics: &Arc<Metrics>,
    settings: &Settings,
) -> Result<Option<Encrypted>, Failure> {
    let Some(certificate) = certificate else { return Ok(None) };
    let started = encrypted::start(encrypted::Options {
        sockets,
        certificate,
        respond,
        snapshot: Arc::clone(slot),
        signatures: settings.stream_signatures.clone(),
        metrics: Arc::clone(metrics),
        limits: settings.tcp.clone(),
        others_max: descriptors.tcp + OTHER_DESCRIPTORS,
        descriptor_limit: descriptors.limit,
        confined: true,
    });
    started.map(Some).map_err(|fault| failed(fault.to_string()))
}

fn reader(file: PathBuf) -> Box<control::ReadConfig> {
    Box::new(move || {
        context::read(&file).map_err(|failure| {
            if failure.findings.is_empty() {
                let place = crate::diagnostic::Place::file(file.display().to_string());
                vec![Diagnostic::error("MX1017", place, failure.message.clone(), failure.help.clone())]
            } else {
                failure.findings
            }
        })
    })
}

fn refuse_if_strict(strict: bool, findings: &[Diagnostic]) -> Result<(), Failure> {
    let errors: Vec<Diagnostic> = findings.iter().filter(|f| f.severity == Severity::Error).cloned().collect();
    if !strict || errors.is_empty() {
        return Ok(());
    }
    let message = format!("{}, and --strict wants none", counted(errors.len(), "error"));
    Err(Failure { findings: errors, ..Failure::new(Exit::Failure, message, "mend them, or start without --strict") })
}

fn status(addresses: &[String], confinement: &InForce) -> Status {
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        started: time::now().0,
        listen: addresses.to_vec(),
        confinement: confinement.words.clone(),
        ..Status::default()
    }
}

fn start_line(addresses: &[String], tenants: usize, zones: usize, confinement: &InForce) -> String {
    let confined = if confinement.words.is_empty() { "nothing".to_owned() } else { confinement.words.join(", ") };
    let (zones, tenants) = (counted(zones, "zone"), counted(tenants, "tenant"));
    format!("answering on {} for {zones} and {tenants}; confined by {confined}", addresses.join(", "))
}

impl Server {
    /// Serves until it is told to end, then drains.
    fn wait(self) {
        self.serve();
        tracing::info!("draining");
        self.health.drain();
        notify::stopping();
        let late = self.running.drain();
        if !late.is_empty() {
            tracing::warn!("threads that did not end in time: {}", late.join(", "));
        }
        if !self.control.stop(CONTROL_PATIENCE) {
            tracing::warn!(
                "files were still being read or written: that ends with the process, and is done at the next start"
            );
        }
        tracing::info!("ended");
    }

    fn serve(&self) {
        let beat = notify::watchdog_interval();
        loop {
            // A server whose threads died must not tell systemd that it is alive.
            if beat.is_some() && self.running.is_healthy() {
                notify::watchdog();
            }
            match self.told.recv_timeout(beat.unwrap_or(NO_WATCHDOG)) {
                Ok(Order::Reload) => self.control.reload(),
                Ok(Order::End) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}
