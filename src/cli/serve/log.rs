//! The server's log: lines for standard error, written by a thread that nothing waits for.
//!
//! It never ends the server and never holds it up: a line that cannot be written, or for which there is no room because
//! nobody reads, is dropped. How many were dropped is a metric, and is said in the log once it can be written again.
//! No line can be forged: what acts on a terminal is written out, and only the writer ends a line.

use crate::config::{Config, LogFormat};
use crate::metrics::Metrics;
use crate::process::confine;
use crate::render::escape;
use crate::serve::encrypted;
use crate::time::steady;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Octets of lines that wait to be written, at most: some thousands of lines, so that a disk may hesitate for seconds.
const WAITING_OCTETS_MAX: usize = 1 << 20;
/// Pause where standard output does not block and its reader is behind.
const READER_PAUSE: Duration = Duration::from_millis(20);
/// How long the end of the server waits for lines that nobody may ever read.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// A handle of the log; all of them write to one.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    metrics: Arc<Metrics>,
    form: Form,
}

/// How lines are made harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Coloured,
    Json,
}

/// Who writes the lines.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Writer {
    /// Nobody yet; at the end whoever ends the log.
    #[default]
    Nobody,
    /// The thread of the log.
    Thread,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    octets: usize,
    /// A line is being written now.
    busy: bool,
    writer: Writer,
}

impl Log {
    /// Takes what is logged from now on; nothing is written before [`Log::run`] or [`Log::end`].
    pub fn start(config: &Config, metrics: Arc<Metrics>) -> Log {
        let form = match config.log.format {
            LogFormat::Json => Form::Json,
            LogFormat::Text if std::env::var_os("JOURNAL_STREAM").is_none() && io::stderr().is_terminal() => {
                Form::Coloured
            }
            LogFormat::Text => Form::Text,
        };
        let log = Log::new(form, metrics);
        let level = config.log.level.word();
        let filter = tracing_subscriber::EnvFilter::new(format!("{level},{}", encrypted::LOG_FILTER));
        let writer = log.clone();
        let fmt = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
        // A writer that fails must not be told about on standard error, which would panic where that is what failed.
        let fmt = fmt.log_internal_errors(false).with_writer(move || writer.clone());
        // A second start in one process keeps the first one's log.
        let _ = match form {
            Form::Json => fmt.json().try_init(),
            Form::Text if std::env::var_os("JOURNAL_STREAM").is_some() => {
                fmt.without_time().with_ansi(false).try_init()
            }
            Form::Text | Form::Coloured => fmt.with_ansi(form == Form::Coloured).try_init(),
        };
        log
    }

    fn new(form: Form, metrics: Arc<Metrics>) -> Log {
        Log { shared: Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), metrics, form }) }
    }

    /// Starts the thread that writes. It comes after the confinement, which binds only threads that start later.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn run(&self) -> io::Result<()> {
        self.run_to(standard_error())
    }

    fn run_to(&self, to: Box<dyn Write + Send>) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        self.shared.hold().writer = Writer::Thread;
        let write = move || {
            if let Err(fault) = confine::apply_worker() {
                tracing::warn!("the thread of the log is not confined further: {fault}");
            }
            shared.write_all(to);
        };
        std::thread::Builder::new().name("log".to_owned()).spawn(write).map(drop).inspect_err(|_| {
            self.shared.hold().writer = Writer::Nobody;
        })
    }

    /// Waits until everything is written, but not for a reader who does not read.
    pub fn end(&self) {
        let until = steady() + END_PATIENCE;
        let mut state = self.shared.hold();
        if state.writer == Writer::Nobody {
            drop(state);
            return self.shared.write_waiting(&mut Paper::new(standard_error()));
        }
        while (state.busy || !state.lines.is_empty()) && steady() < until {
            let left = until.saturating_duration_since(steady());
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// One call is one line: the formatter hands over each event whole.
impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.shared.push(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn hold(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, octets: &[u8]) {
        let line = harmless(self.form, octets);
        let mut state = self.hold();
        if state.octets + line.len() > WAITING_OCTETS_MAX {
            drop(state);
            self.metrics.log_line_lost();
            return;
        }
        state.octets += line.len();
        state.lines.push_back(line);
        drop(state);
        self.changed.notify_all();
    }

    /// Writes for ever.
    fn write_all(&self, to: Box<dyn Write + Send>) {
        let mut paper = Paper::new(to);
        loop {
            let mut state = self.hold();
            while state.lines.is_empty() {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            drop(state);
            self.write_waiting(&mut paper);
        }
    }

    /// Writes what waits now; then says what was lost, once there is something new to say and a line could be written.
    fn write_waiting(&self, paper: &mut Paper) {
        let mut written = false;
        while let Some(line) = self.take() {
            match paper.line(&line) {
                Ok(()) => written = true,
                Err(fault) => {
                    paper.fault = Some(fault.to_string());
                    self.metrics.log_line_lost();
                }
            }
        }
        let lost = self.metrics.log_lines_lost();
        if written && lost > paper.told {
            paper.told = lost;
            let cause = paper.fault.take().unwrap_or_else(|| "nobody read them in time".to_owned());
            tracing::warn!(
                "{lost} lines of this log were lost since the start; the last could not be written: {cause}"
            );
        }
        self.hold().busy = false;
        self.changed.notify_all();
    }

    fn take(&self) -> Option<Vec<u8>> {
        let mut state = self.hold();
        let line = state.lines.pop_front()?;
        state.octets = state.octets.saturating_sub(line.len());
        state.busy = true;
        Some(line)
    }
}

/// What the log is written on.
struct Paper {
    to: Box<dyn Write + Send>,
    /// Part of a line was written, and its end was not.
    torn: bool,
    /// Lost lines that were told.
    told: u64,
    /// Why the last line was lost; none: there was no room for it.
    fault: Option<String>,
}

impl Paper {
    fn new(to: Box<dyn Write + Send>) -> Paper {
        Paper { to, torn: false, told: 0, fault: None }
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.torn {
            self.octets(b"\n")?;
        }
        self.octets(line)
    }

    fn octets(&mut self, octets: &[u8]) -> io::Result<()> {
        let mut rest = octets;
        while !rest.is_empty() {
            match self.to.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    let (done, left) = rest.split_at(count.min(rest.len()));
                    self.torn = done.last() != Some(&b'\n');
                    rest = left;
                }
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(READER_PAUSE),
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }
}

/// Without the lock that [`io::stderr`] has: a write that never ends must not keep others from saying why they end.
fn standard_error() -> Box<dyn Write + Send> {
    match io::stderr().as_fd().try_clone_to_owned() {
        Ok(own) => Box::new(File::from(own)),
        Err(_) => Box::new(io::stderr()),
    }
}

fn harmless(form: Form, octets: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(octets);
    let body = text.strip_suffix('\n').unwrap_or(&text);
    let body: Cow<'_, str> = match form {
        Form::Text => escape::line(body),
        Form::Coloured => escape::coloured_line(body),
        Form::Json => escape::json(body),
    };
    let mut line = body.into_owned().into_bytes();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// Paper that asks for each write what becomes of it, and shows what was written.
    struct Asked {
        answers: Receiver<io::Result<usize>>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Asked {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let count = self.answers.recv().unwrap_or(Ok(octets.len()))?.min(octets.len());
            let _ = self.written.send(octets[..count].to_vec());
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn asked() -> (Paper, Sender<io::Result<usize>>, Receiver<Vec<u8>>) {
        let ((answer, answers), (written, lines)) = (channel(), channel());
        (Paper::new(Box::new(Asked { answers, written })), answer, lines)
    }

    fn log() -> Log {
        Log::new(Form::Text, Arc::default())
    }

    #[test]
    fn a_line_that_cannot_be_written_is_counted_and_the_next_one_begins_a_line() {
        let (mut paper, answer, lines) = asked();
        let mut log = log();
        for line in ["one\n", "two\n", "three\n"] {
            log.write_all(line.as_bytes()).expect("it never fails");
        }
        for next in [Ok(2), Err(io::Error::from_raw_os_error(libc::ENOSPC)), Err(io::ErrorKind::Interrupted.into())] {
            answer.send(next).expect("sent");
        }
        drop(answer);
        log.shared.write_waiting(&mut paper);
        let written: Vec<u8> = lines.try_iter().flatten().collect();
        assert_eq!(String::from_utf8_lossy(&written), "on\ntwo\nthree\n");
        assert_eq!((log.shared.metrics.log_lines_lost(), paper.told), (1, 1));
    }

    #[test]
    fn a_reader_that_never_reads_costs_lines_and_no_time() {
        let log = log();
        let mut writer = log.clone();
        let line = [&[b'x'; 999][..], b"\n"].concat();
        for _ in 0..5000 {
            writer.write_all(&line).expect("it never fails");
        }
        let kept = log.shared.hold().lines.len();
        assert_eq!(kept, WAITING_OCTETS_MAX / 1000);
        assert_eq!(log.shared.metrics.log_lines_lost(), 5000 - kept as u64);
    }

    #[test]
    fn the_end_waits_for_what_is_written_and_not_for_ever() {
        let (paper, answer, lines) = asked();
        let mut log = log();
        log.write_all(b"stuck\n").expect("it never fails");
        log.run_to(paper.to).expect("a thread");
        log.end();
        assert!(lines.try_recv().is_err(), "it ended though its only line could not be written");
        answer.send(Ok(usize::MAX)).expect("sent");
        log.end();
        assert_eq!(lines.recv().expect("written"), b"stuck\n");
    }

    #[test]
    fn no_event_makes_two_lines_or_moves_a_cursor() {
        let forged = "file x\nERROR forged \u{1b}[2J\u{202e}\n";
        assert_eq!(harmless(Form::Text, forged.as_bytes()), b"file x\\u{a}ERROR forged \\u{1b}[2J\\u{202e}\n");
        assert_eq!(harmless(Form::Coloured, b"\x1b[2mx\x1b[0m\n"), b"\x1b[2mx\x1b[0m\n");
        assert_eq!(harmless(Form::Json, "{\"x\":\"\u{9b}\"}\n".as_bytes()), b"{\"x\":\"\\u009b\"}\n");
        assert_eq!(harmless(Form::Text, b"\xff\n"), "\u{fffd}\n".as_bytes());
    }
}
