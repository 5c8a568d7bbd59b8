//! What each signal does to the server; none that strays in ends it.
//!
//! | signal | what it does |
//! |---|---|
//! | SIGTERM, SIGINT, SIGQUIT | drains and ends with 0; during the start it ends at once, as nothing is answered yet |
//! | SIGHUP | reads configuration and files again; during the start: after it |
//! | SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT, real-time signals 34 to 63 | nothing; said in the log |
//! | SIGXCPU | nothing; said in the log: the limit of processor time is near, and its hard limit is a SIGKILL |
//! | SIGXFSZ | nothing; the write fails, and is treated as one on a full disk |
//! | SIGPIPE, SIGCHLD, SIGCONT, SIGURG, SIGWINCH | nothing |
//! | SIGTSTP, SIGTTIN, SIGTTOU, SIGSTOP | pause the process until SIGCONT, as job control wants it |
//! | SIGKILL; SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS | end it at once: the kernel's verdict, or a watchdog's |
//!
//! They are taken before anything else, and never left again. It must never wait for the control plane.

use crate::time::steady;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often the same stray signal is mentioned: one that the log itself causes must not cause the next.
const MENTION_EVERY: Duration = Duration::from_secs(60);
/// What ends the server.
const ENDING: [i32; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT];
/// What would end the process and is not meant to. SIGPIPE is ignored by the standard library already.
const STRAY: [(i32, &str); 10] = [
    (libc::SIGUSR1, "SIGUSR1"),
    (libc::SIGUSR2, "SIGUSR2"),
    (libc::SIGALRM, "SIGALRM"),
    (libc::SIGVTALRM, "SIGVTALRM"),
    (libc::SIGPROF, "SIGPROF"),
    (libc::SIGIO, "SIGIO"),
    (libc::SIGPWR, "SIGPWR"),
    (libc::SIGSTKFLT, "SIGSTKFLT"),
    (libc::SIGXCPU, "SIGXCPU"),
    (libc::SIGXFSZ, "SIGXFSZ"),
];
/// Real-time signals: two below are the C library's own, and tokio has no place for the last, 64.
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=63;

/// What the server is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Read everything again.
    Reload,
    /// Drain and end.
    End,
}

/// Signals that were taken from the system.
pub struct Signals {
    runtime: Runtime,
    reload: Signal,
    ending: [Signal; ENDING.len()],
    stray: Vec<(String, Signal)>,
}

impl Signals {
    /// From now on no signal that can be taken ends the process.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn take() -> io::Result<Signals> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let _inside = runtime.enter();
        let of = |number| signal(SignalKind::from_raw(number));
        let [terminate, interrupt, quit] = ENDING;
        let (reload, ending) = (of(libc::SIGHUP)?, [of(terminate)?, of(interrupt)?, of(quit)?]);
        let named = STRAY.into_iter().map(|(number, name)| (number, name.to_owned()));
        let all = named.chain(REAL_TIME.map(|number| (number, format!("real-time signal {number}"))));
        let stray = all.map(|(number, name)| Ok((name, of(number)?))).collect::<io::Result<Vec<_>>>()?;
        drop(_inside);
        Ok(Signals { runtime, reload, ending, stray })
    }

    /// Passes on what is told, in a thread of its own; `end_early` is called instead while nothing is `answering` yet.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn watch(
        self,
        answering: Arc<AtomicBool>,
        told: Sender<Order>,
        end_early: impl Fn() + Send + 'static,
    ) -> io::Result<()> {
        let Signals { runtime, mut reload, ending, stray } = self;
        let [mut terminate, mut interrupt, mut quit] = ending;
        let watch = async move {
            for (name, signal) in stray {
                tokio::spawn(mention(name, signal));
            }
            loop {
                let next = tokio::select! {
                    _ = terminate.recv() => Order::End,
                    _ = interrupt.recv() => Order::End,
                    _ = quit.recv() => Order::End,
                    _ = reload.recv() => Order::Reload,
                };
                if next == Order::End && !answering.load(Ordering::Acquire) {
                    end_early();
                }
                // Whoever should be told has ended: so does the process.
                let _ = told.send(next);
            }
        };
        let run = move || runtime.block_on(watch);
        std::thread::Builder::new().name("signals".to_owned()).spawn(run).map(drop)
    }
}

async fn mention(name: String, mut signal: Signal) {
    let mut last: Option<Instant> = None;
    while signal.recv().await.is_some() {
        if last.is_none_or(|last| steady().saturating_duration_since(last) >= MENTION_EVERY) {
            last = Some(steady());
            match name.as_str() {
                "SIGXFSZ" => tracing::error!("a file has reached the size that this process may write (ulimit -f)"),
                "SIGXCPU" => tracing::error!(
                    "the limit of processor time is near (ulimit -t); past it the kernel ends the server"
                ),
                _ => tracing::info!(
                    "{name} means nothing here: SIGHUP reloads, SIGTERM ends, and a log that was moved needs a restart"
                ),
            }
        }
    }
}
