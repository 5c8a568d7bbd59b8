//! The control socket: commands ask here, one JSON line each way and more.
//!
//! The server's own user, root, and members of a group that may read can reach it. Reports are read from the published
//! view, so that a long list never holds up the control thread. A lack of descriptors does not silence it: one is kept for a
//! command.

use crate::answer::Snapshot;
use crate::control::caller::{self, Guard};
use crate::control::door::{Door, DoorFault};
use crate::control::event::Event;
use crate::diagnostic::passing;
use crate::dns::name::{Name, ROOT};
use crate::process::peer::{self, Peer};
use crate::protocol::FindingSeverity;
use crate::protocol::access::Access;
use crate::protocol::request::{Command, Request, ViewRequest};
use crate::protocol::{Line, Status, TenantFilter};
use crate::report::explain::explain;
use crate::report::view::View;
use crate::time::{self, steady};
use arc_swap::ArcSwap;
use serde::Serialize;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Octets of a request, at most: an import of eight keys, each a private and a public file of some kilobytes with their
/// remarks; all others are a name and a few words.
const REQUEST_OCTETS_MAX: u64 = 256 * 1024;
/// Exit code of a command that is refused.
const EXIT_REFUSED: u8 = 4;
/// How long a command may take to ask, or to read on.
const PATIENCE: Duration = Duration::from_secs(10);
/// Commands served at once.
const CONNECTIONS_MAX: usize = 64;
/// Of these, commands of callers who may only read: they never take the place of those who may change something.
const READERS_MAX: usize = 48;
/// How often a command that waits is looked after.
const LOOK: Duration = Duration::from_secs(1);
/// Pause after `accept` failed, so that a lack of descriptors does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What commands are answered from.
pub struct Desk {
    /// The snapshot that answers.
    pub slot: Arc<ArcSwap<Snapshot>>,
    /// The report beside it.
    pub view: Arc<ArcSwap<View>>,
    /// What never changes in the status: version, pid, start, addresses, confinement.
    pub status: Status,
    /// The control thread.
    pub control: Sender<Event>,
    guard: Guard,
    open: AtomicUsize,
    readers: AtomicUsize,
}

impl Desk {
    /// A desk nobody stands at.
    pub(super) fn new(
        slot: Arc<ArcSwap<Snapshot>>,
        view: Arc<ArcSwap<View>>,
        status: Status,
        control: Sender<Event>,
        guard: Guard,
    ) -> Desk {
        Desk { slot, view, status, control, guard, open: AtomicUsize::new(0), readers: AtomicUsize::new(0) }
    }
}

/// One command among those that are served at once; its place is free again when it is dropped.
struct Turn {
    desk: Arc<Desk>,
    caller: Option<Peer>,
    /// The most that it may ask for; none: nothing.
    most: Option<Access>,
}

impl Turn {
    /// A place for a command of whoever is at the other end; none: all are taken.
    fn take(desk: &Arc<Desk>, stream: &UnixStream) -> Option<Turn> {
        let caller = peer::of(stream);
        let turn = Turn { desk: Arc::clone(desk), most: desk.guard.most(caller.as_ref()), caller };
        let readers = desk.readers.fetch_add(turn.reader(), Ordering::Relaxed);
        let open = desk.open.fetch_add(1, Ordering::Relaxed);
        let has_room = open < CONNECTIONS_MAX && (turn.reader() == 0 || readers < READERS_MAX);
        has_room.then_some(turn)
    }

    /// 1 where it may change nothing.
    fn reader(&self) -> usize {
        usize::from(self.most.is_none_or(|most| most == Access::Read))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.desk.open.fetch_sub(1, Ordering::Relaxed);
        self.desk.readers.fetch_sub(self.reader(), Ordering::Relaxed);
    }
}

/// Serves commands until the process ends. The place of the socket is looked at each second: what is wrong with it, where
/// that changes, goes to the control thread; `why` is what was wrong at the start.
pub(super) fn run(mut door: Door, mut why: Option<DoorFault>, desk: &Arc<Desk>) {
    let mut reserve = door.reserve();
    let mut looked = steady();
    loop {
        match door.accept() {
            Ok(Some(stream)) => take(stream, desk),
            Ok(None) => {}
            // The descriptor that was kept is the command's.
            Err(fault) if fault.raw_os_error().is_some_and(passing::is_of_process) && reserve.is_some() => {
                reserve = None;
                door.accept().ok().flatten().into_iter().for_each(|stream| take(stream, desk));
            }
            Err(_) => std::thread::sleep(ACCEPT_PAUSE),
        }
        let now = steady();
        if now - looked >= LOOK {
            looked = now;
            let found = door.mend();
            if found == Ok(true) {
                tracing::info!("the control socket was made anew");
                reserve = None;
            }
            let fault = found.err();
            if fault != why {
                why.clone_from(&fault);
                drop(desk.control.send(Event::Socket(fault)));
            }
        }
        reserve = reserve.or_else(|| door.reserve());
    }
}

/// Serves a command in a thread of its own.
fn take(stream: UnixStream, desk: &Arc<Desk>) {
    let Some(turn) = Turn::take(desk, &stream) else { return };
    let thread = std::thread::Builder::new().name("mxseal-command".to_owned());
    // A command that went away needs no answer; one that gets no thread is closed.
    let _ = thread.spawn(move || drop(serve(&stream, &turn)));
}

fn serve(stream: &UnixStream, turn: &Turn) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream.take(REQUEST_OCTETS_MAX)).read_line(&mut line)?;
    let mut out = Out(BufWriter::new(stream));
    match serde_json::from_str::<Request>(&line) {
        Ok(request) => obey(request, turn, &mut out)?,
        Err(fault) => out.end(1, &format!("the request is not understood: {fault}"))?,
    }
    out.0.flush()
}

/// Answers what the caller may ask for.
fn obey(request: Request, turn: &Turn, out: &mut Out<'_>) -> io::Result<()> {
    let user = turn.caller.as_ref().map(|caller| caller.uid);
    let (wanted, deed) = (request.access(), caller::deed(&request));
    if turn.most.is_none_or(|most| wanted > most) {
        tracing::warn!(USER = user, "refused: {}", deed.as_deref().unwrap_or("a request"));
        return out.end(EXIT_REFUSED, &turn.desk.guard.refusal(turn.caller.as_ref(), wanted));
    }
    if let Some(deed) = deed {
        tracing::info!(USER = user, "command: {deed}");
    }
    answer(request, &turn.desk, out)
}

struct Out<'a>(BufWriter<&'a UnixStream>);

impl Out<'_> {
    fn line(&mut self, line: &Line) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, line)?;
        self.0.write_all(b"\n")
    }

    fn item(&mut self, item: &impl Serialize) -> io::Result<()> {
        let value = serde_json::to_value(item).map_err(io::Error::other)?;
        self.line(&Line::Item(value))
    }

    fn end(&mut self, exit: u8, message: &str) -> io::Result<()> {
        self.line(&Line::End { exit, message: message.to_owned() })
    }
}

fn answer(request: Request, desk: &Desk, out: &mut Out<'_>) -> io::Result<()> {
    match request {
        Request::View(asked) => answer_from_view(asked, desk, out),
        Request::Do(command) => relay(command, desk, out),
    }
}

fn answer_from_view(asked: ViewRequest, desk: &Desk, out: &mut Out<'_>) -> io::Result<()> {
    let view = desk.view.load_full();
    match asked {
        ViewRequest::Status => {
            out.item(&status(desk, &view))?;
            let errors = view.findings.iter().any(|finding| finding.severity == FindingSeverity::Error);
            out.end(u8::from(errors), "")
        }
        ViewRequest::ZoneList => {
            view.zones.iter().try_for_each(|zone| out.item(zone))?;
            out.end(0, "")
        }
        ViewRequest::ZoneShow { zone } => {
            let wanted = Name::parse(zone.trim_end_matches('.'), ROOT).map(|name| name.to_string()).unwrap_or(zone);
            let Some(info) = view.zones.iter().find(|info| info.zone == wanted) else {
                return out.end(1, &format!("there is no zone {wanted} here"));
            };
            out.item(info)?;
            let about = view.findings_about(info);
            about.iter().try_for_each(|finding| out.item(finding))?;
            let bad = about.iter().any(|finding| finding.severity == FindingSeverity::Error);
            out.end(u8::from(bad), "")
        }
        ViewRequest::TenantList(filter) => list_tenants(desk, &view, &filter, out),
        ViewRequest::PoolList => {
            view.pools.iter().try_for_each(|pool| out.item(pool))?;
            out.end(0, "")
        }
        ViewRequest::Explain { name, rtype } => {
            match explain(&desk.slot.load_full(), &view, &name, &rtype, time::now()) {
                Ok(explained) => {
                    out.item(&explained)?;
                    out.end(0, "")
                }
                Err(reason) => out.end(1, &reason),
            }
        }
    }
}

fn status(desk: &Desk, view: &View) -> Status {
    Status {
        snapshot: view.snapshot,
        zones: view.zones.clone(),
        findings: view.findings.to_vec(),
        last_scan: view.last_scan,
        not_ready: view.silent.clone(),
        ..desk.status.clone()
    }
}

fn list_tenants(desk: &Desk, view: &View, filter: &TenantFilter, out: &mut Out<'_>) -> io::Result<()> {
    let wanted = match filter.zone.as_deref().map(|zone| (zone, Name::parse(zone.trim_end_matches('.'), ROOT))) {
        Some((_, Ok(name))) if view.has_zone(&name) => Some(name),
        Some((zone, _)) => return out.end(1, &format!("there is no zone {zone} here")),
        None => None,
    };
    let mut written = Ok(());
    view.tenants(&desk.slot.load_full(), wanted.as_ref(), filter.broken, |tenant| {
        if filter.fits(&tenant) {
            written = out.item(&tenant);
        }
        written.is_ok()
    });
    written?;
    out.end(0, "")
}

/// What the control thread must do itself. A command that went away gives its place to others.
fn relay(command: Command, desk: &Desk, out: &mut Out<'_>) -> io::Result<()> {
    let (reply, lines) = channel();
    if desk.control.send(Event::Command(command, reply)).is_err() {
        return out.end(1, "the server is ending");
    }
    loop {
        let line = match lines.recv_timeout(LOOK) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) if is_gone(out.0.get_ref()) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return out.end(1, "the server is ending"),
        };
        let end = matches!(line, Line::End { .. });
        out.line(&line)?;
        if end {
            return Ok(());
        }
    }
}

/// Whether nobody is at the other end any more: commands say one thing, and close when they no longer listen.
fn is_gone(mut stream: &UnixStream) -> bool {
    let at_once = stream.set_read_timeout(Some(Duration::from_millis(1)));
    at_once.is_ok() && matches!(stream.read(&mut [0]), Ok(0))
}
