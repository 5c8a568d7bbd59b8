//! The client's side of the control socket: one request a connection, its items, its end.
//!
//! It never waits without a limit, and tells apart why a server cannot be reached: no socket, nobody behind it, no right.

use super::failure::{Exit, Failure, Stop};
use super::starting;
use crate::config::Config;
use crate::control::door::holder;

use crate::protocol::{Line, Request};
use crate::time::steady;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Octets of one line of an answer, at most. The longest is the status with all findings of a million tenants.
const LINE_OCTETS_MAX: u64 = 512 * 1024 * 1024;
/// Items that are kept in memory at once, at most; lists that can be longer are printed as they come.
const ITEMS_MAX: usize = 1_000_000;
/// How long the server may think about what it answers from memory.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long a reload may take: everything is read anew, which takes seconds at a million tenants, more on a cold disk.
pub const PATIENCE_RELOAD: Duration = Duration::from_secs(600);
/// How long a command waits for the socket of a server that is starting: it is there before files are read.
const START_PATIENCE: Duration = Duration::from_secs(2);
/// How long it waits for such a server to show itself: `mxseal serve & mxseal status` starts both at once.
const START_GRACE: Duration = Duration::from_millis(250);
/// Between two looks for the socket.
const START_LOOK: Duration = Duration::from_millis(20);
/// What is added to the limit that the server itself keeps, so that its own answer comes first.
pub const PATIENCE_MORE: Duration = Duration::from_secs(10);

/// Where the server listens, and how it would be started.
#[derive(Clone, Debug)]
pub struct Client {
    /// The control socket.
    pub socket: PathBuf,
    /// The folder of keys, which a server holds a lock on.
    pub keys: PathBuf,
    /// The group whose members may read.
    pub readers: Option<String>,
    /// The configuration, for the advice how to start.
    pub config: PathBuf,
}

/// How an answer ended.
#[derive(Clone, Debug)]
pub struct End {
    /// Exit code that the server chose.
    pub exit: Exit,
    /// What went wrong, for people; may be empty.
    pub message: String,
}

impl End {
    /// Nothing, or the failure that the server named.
    ///
    /// # Errors
    /// [`Failure`] for every end but a good one.
    pub fn check(self) -> Result<(), Failure> {
        if self.exit == Exit::Ok {
            return Ok(());
        }
        let unnamed = || "the server could not do it, and did not say why".to_owned();
        Err(Failure::new(self.exit, if self.message.is_empty() { unnamed() } else { self.message }, ""))
    }
}

impl Client {
    /// Asks the server of a configuration, whose paths are resolved, and which `file` holds.
    pub fn new(config: &Config, file: &Path) -> Client {
        let (socket, keys) = (config.control_socket(), config.keys.clone());
        Client { socket, keys, readers: config.server.socket_group.clone(), config: file.to_owned() }
    }

    /// Asks, and hands on each item as it comes.
    ///
    /// # Errors
    /// Exit 3 where the server is not reachable or goes away, 5 where it stays silent for `patience`, 1 where it
    /// answers what this version does not understand; and whatever `item` returns.
    pub fn each(
        &self,
        request: &Request,
        patience: Duration,
        item: &mut dyn FnMut(Value) -> Result<(), Stop>,
    ) -> Result<End, Stop> {
        let mut stream = self.connect()?;
        stream
            .set_read_timeout(Some(patience))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
            .map_err(|error| self.broken(&error, patience))?;
        let mut text = serde_json::to_vec(request).map_err(|error| self.broken(&error.into(), patience))?;
        text.push(b'\n');
        stream.write_all(&text).map_err(|error| self.broken(&error, patience))?;
        let mut reader = BufReader::new(stream);
        loop {
            match self.line(&mut reader, patience)? {
                Line::Item(value) => item(value)?,
                Line::End { exit, message } => return Ok(End { exit: Exit::from_server(exit), message }),
            }
        }
    }

    /// Asks, and collects the items.
    ///
    /// # Errors
    /// As [`Client::each`]; also exit 1 where there are more than a million.
    pub fn all<T: DeserializeOwned>(&self, request: &Request, patience: Duration) -> Result<(Vec<T>, End), Stop> {
        let mut items = Vec::new();
        let end = self.each(request, patience, &mut |value| {
            if items.len() >= ITEMS_MAX {
                return Err(
                    Failure::new(Exit::Failure, "the answer has more than a million items", "use -o json").into()
                );
            }
            items.push(read(value)?);
            Ok(())
        })?;
        Ok((items, end))
    }

    /// Asks for a list that has to end well.
    ///
    /// # Errors
    /// As [`Client::all`], and the failure that the server names.
    pub fn list<T: DeserializeOwned>(&self, request: &Request) -> Result<Vec<T>, Stop> {
        let (items, end) = self.all(request, PATIENCE)?;
        end.check()?;
        Ok(items)
    }

    /// Connects; a server that is starting is waited for.
    fn connect(&self) -> Result<UnixStream, Failure> {
        let began = steady();
        loop {
            let error = match UnixStream::connect(&self.socket) {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            let may_come = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused);
            let server = may_come.then(|| starting::server(&self.config)).flatten();
            let patience = if server.is_some() { START_PATIENCE } else { START_GRACE };
            if !may_come || steady().saturating_duration_since(began) >= patience {
                return Err(self.unreachable(&error, server));
            }
            std::thread::sleep(START_LOOK);
        }
    }

    fn line(&self, reader: &mut BufReader<UnixStream>, patience: Duration) -> Result<Line, Stop> {
        let mut text = Vec::new();
        let read = reader.by_ref().take(LINE_OCTETS_MAX).read_until(b'\n', &mut text);
        read.map_err(|error| self.broken(&error, patience))?;
        if text.last() != Some(&b'\n') {
            return Err(self.broken(&ErrorKind::UnexpectedEof.into(), patience).into());
        }
        serde_json::from_slice(&text).map_err(|error| not_understood(&error).into())
    }

    /// A connection that was made and then failed.
    fn broken(&self, error: &io::Error, patience: Duration) -> Failure {
        let socket = self.socket.display();
        let log = "see the server's log";
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                let text = format!("the server at {socket} did not answer for {} s", patience.as_secs());
                Failure::new(Exit::TimedOut, text, "it may be busy with a large change: try again, and see its log")
            }
            ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Failure::new(
                Exit::Unreachable,
                format!("the server at {socket} closed the connection before its answer ended"),
                format!("it stops, restarts, or serves too many commands at once: {log}"),
            ),
            // The others are rare faults of the system; its own words serve best.
            _ => Failure::new(Exit::Unreachable, format!("the connection to {socket} broke: {error}"), log),
        }
    }

    fn unreachable(&self, error: &io::Error, starting: Option<u32>) -> Failure {
        let holder = holder(&self.keys);
        if let Some(pid) = starting.filter(|_| holder.is_none()) {
            let message = format!("the server (process {pid}) has no control socket at {} yet", self.socket.display());
            return Failure::new(Exit::Unreachable, message, "it is starting, or it hangs: see its log, and try again");
        }
        let start = format!("start it with `mxseal --config {} serve`", self.config.display());
        let found = std::fs::metadata(&self.socket).map(|metadata| metadata.file_type().is_socket());
        let (reason, mut help) = why_unreachable(error, &found, holder, &start);
        if let Some(group) = self.readers.as_ref().filter(|_| help == AS_USER) {
            help = format!("{help}; members of the group `{group}` may read");
        }
        let message = format!("the server is not reachable at {}: {reason}", self.socket.display());
        Failure::new(Exit::Unreachable, message, help)
    }
}

/// What helps whoever may not use the socket.
const AS_USER: &str = "run this as the user that runs the server, or as root";

/// Tells the reasons apart: `found` is whether the path is a socket, where it could be looked at; `holder` the process that
/// uses the folder of keys.
fn why_unreachable(error: &io::Error, found: &io::Result<bool>, holder: Option<u32>, start: &str) -> (String, String) {
    let user = AS_USER.to_owned();
    let is_lost =
        matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) || matches!(found, Ok(false));
    if let Some(process) = holder.filter(|_| is_lost) {
        let reason = format!("the server runs (process {process}), and its control socket is not there");
        return (reason, "it makes it anew within seconds: try again; if it does not, its log says why".to_owned());
    }
    match (error.kind(), found) {
        (_, Err(hidden)) if hidden.kind() == ErrorKind::PermissionDenied => {
            ("you may not look into its folder".to_owned(), user)
        }
        (ErrorKind::PermissionDenied, _) => ("the socket is there, but you may not use it".to_owned(), user),
        (ErrorKind::NotFound, _) => {
            ("there is no such file, so no server uses this configuration".into(), start.into())
        }
        (_, Ok(false)) => ("the file is there, but it is not a socket".into(), format!("move it away, then {start}")),
        (ErrorKind::ConnectionRefused, _) => {
            ("the socket is there, but no server listens: it has ended or crashed".into(), start.into())
        }
        (ErrorKind::InvalidInput, _) => {
            let help = "give `keys`, or `socket` of [server], a shorter path";
            ("its path is longer than the system allows for sockets".into(), help.into())
        }
        // The others are rare faults of the system; its own words serve best.
        _ => (error.to_string(), start.into()),
    }
}

/// One item as the type that the request promises.
///
/// # Errors
/// Exit 1 where the server's version differs so much that it does not fit.
pub fn read<T: DeserializeOwned>(value: Value) -> Result<T, Stop> {
    serde_json::from_value(value).map_err(|error| not_understood(&error).into())
}

fn not_understood(error: &serde_json::Error) -> Failure {
    let help = "this program and the server are of different versions: restart the server";
    Failure::new(Exit::Failure, format!("the server's answer cannot be read: {error}"), help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::request::ViewRequest;

    fn why(kind: ErrorKind, found: io::Result<bool>) -> (String, String) {
        why_unreachable(&kind.into(), &found, None, "start it")
    }

    #[test]
    fn reasons_for_an_unreachable_server_are_told_apart() {
        let (reason, help) = why(ErrorKind::NotFound, Err(ErrorKind::NotFound.into()));
        assert!(reason.contains("no such file") && help == "start it");
        let (reason, help) = why(ErrorKind::ConnectionRefused, Ok(true));
        assert!(reason.contains("no server listens") && help == "start it");
        let (reason, help) = why(ErrorKind::ConnectionRefused, Ok(false));
        assert!(reason.contains("not a socket") && help.contains("move it away"));
        let (reason, help) = why(ErrorKind::PermissionDenied, Ok(true));
        assert!(reason.contains("may not use it") && help.contains("as the user"));
        let (reason, help) = why(ErrorKind::PermissionDenied, Err(ErrorKind::PermissionDenied.into()));
        assert!(reason.contains("folder") && help.contains("as the user"));
        assert!(why(ErrorKind::InvalidInput, Ok(true)).1.contains("shorter"));
        for found in [Err(ErrorKind::NotFound.into()), Ok(true), Ok(false)] {
            let (reason, help) = why_unreachable(&ErrorKind::ConnectionRefused.into(), &found, Some(7), "start it");
            assert!(reason.contains("the server runs (process 7)") && help.contains("anew within seconds"), "{reason}");
        }
        let denied = why_unreachable(&ErrorKind::PermissionDenied.into(), &Ok(true), Some(7), "start it");
        assert!(denied.1.contains("as the user"));
    }

    #[test]
    fn an_end_without_words_still_says_something() {
        let failure = End { exit: Exit::Refused, message: String::new() }.check().expect_err("it is a failure");
        assert_eq!(failure.exit, Exit::Refused);
        assert!(!failure.message.is_empty());
    }

    #[test]
    fn a_server_that_stays_silent_is_a_time_out() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let config = Config { keys: folder.path().to_owned(), ..Config::default() };
        let client = Client::new(&config, Path::new("mxseal.toml"));
        // The kernel accepts for it, and nothing is ever sent.
        let _listener = std::os::unix::net::UnixListener::bind(&client.socket).expect("it can be bound");
        match client.all::<Value>(&ViewRequest::Status.into(), Duration::from_millis(20)) {
            Err(Stop::Failed(failure)) => assert_eq!(failure.exit, Exit::TimedOut),
            other => unreachable!("{other:?}"),
        }
    }
}
