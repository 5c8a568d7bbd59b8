//! How a command ends: its exit code, and for people what went wrong and what to do.
//!
//! The codes are a contract with scripts (design.md § 4); none is ever given a second meaning.

use crate::diagnostic::Diagnostic;
use std::io;
use std::process::ExitCode;

/// The exit codes of every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Ok = 0,
    /// Findings, or a failure that no other code names.
    Failure = 1,
    /// The arguments make no sense.
    Usage = 2,
    /// The server is not reachable over its control socket.
    Unreachable = 3,
    /// A safety gate holds the change.
    Refused = 4,
    /// The time given was not enough.
    TimedOut = 5,
}

/// Why a command failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Exit code.
    pub exit: Exit,
    /// Begins in lower case, ends without a dot, names the culprit.
    pub message: String,
    /// The next step; may be empty.
    pub help: String,
    /// What is wrong in the operator's files, where that is the reason.
    pub findings: Vec<Diagnostic>,
}

/// Why a command stops before its end.
#[derive(Debug)]
pub enum Stop {
    /// It failed. A reader of standard output that is gone stops nothing: see [`crate::cli::screen::output::Output`].
    Failed(Box<Failure>),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl Exit {
    /// The code that the server sent; an unknown one is a failure.
    pub fn from_server(code: u8) -> Exit {
        match code {
            0 => Exit::Ok,
            2 => Exit::Usage,
            3 => Exit::Unreachable,
            4 => Exit::Refused,
            5 => Exit::TimedOut,
            // 1, and whatever a newer server may send.
            _ => Exit::Failure,
        }
    }
}

impl Failure {
    /// A failure with its next step.
    pub fn new(exit: Exit, message: impl Into<String>, help: impl Into<String>) -> Failure {
        Failure { exit, message: message.into(), help: help.into(), findings: Vec::new() }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failed(Box::new(failure))
    }
}

impl Stop {
    /// A failed write to standard output, such as to a full disk.
    pub fn from_write(error: &io::Error) -> Stop {
        Failure::new(Exit::Failure, format!("standard output cannot be written: {error}"), "").into()
    }
}
