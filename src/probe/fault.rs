//! Why a host could not be looked at: where it went wrong, how, and what to do.
//!
//! What a host said is quoted shortly and in printable characters only.

use std::io;

/// Characters of what a host said that are quoted, at most.
const QUOTED_MAX: usize = 60;

/// Where in a look something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The connection.
    Connect,
    /// Its greeting.
    Greeting,
    /// Its answer to EHLO.
    Ehlo,
    /// Its answer to STARTTLS.
    Starttls,
    /// The handshake.
    Handshake,
}

impl Stage {
    fn word(self) -> &'static str {
        match self {
            Stage::Connect => "the connection",
            Stage::Greeting => "its greeting",
            Stage::Ehlo => "its answer to EHLO",
            Stage::Starttls => "its answer to STARTTLS",
            Stage::Handshake => "the TLS handshake",
        }
    }
}

/// Why a host could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nobody listens.
    #[error("it refuses connections: start its SMTP service, or correct the address or port")]
    Refused,
    /// No way there.
    #[error("it cannot be reached ({0}): look at routes and firewalls, or set `probe = false` for the pool")]
    Unreachable(String),
    /// Too slow.
    #[error("{} did not come in time", .0.word())]
    TimedOut(Stage),
    /// It hung up.
    #[error("it closed the connection before {}", .0.word())]
    Closed(Stage),
    /// Not SMTP.
    #[error("{} is not SMTP: {said}", .stage.word())]
    Garbage {
        /// When.
        stage: Stage,
        /// What it said.
        said: String,
    },
    /// It said too much.
    #[error("{} is longer than any that a mail host gives", .0.word())]
    TooLong(Stage),
    /// It does not want to talk.
    #[error("it turns away whoever connects: {0}")]
    TurnedAway(String),
    /// No TLS.
    #[error("it offers no STARTTLS: mail for its domains waits wherever DANE is honoured (RFC 7672 § 2.2)")]
    NoStarttls,
    /// It offers TLS and does not begin it.
    #[error("it offers STARTTLS and then refuses it: {0}")]
    StarttlsRefused(String),
    /// Somebody speaks in front of TLS.
    #[error("it sends more after its answer to STARTTLS, in the clear: something between injects it (RFC 3207 § 5)")]
    Injected,
    /// Old TLS.
    #[error("it offers nothing newer than TLS 1.1, which senders refuse (RFC 8996): allow TLS 1.2 and 1.3")]
    OldTls,
    /// The handshake failed.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    /// It does not have the key.
    #[error("it does not prove that it has the private key of its certificate: key and certificate do not match")]
    BadSignature,
    /// Whether it has the key cannot be said.
    #[error(
        "whether it has the private key of its certificate cannot be said: {0}: name its certificate in `certificates` \
         and set `probe = false` for the pool"
    )]
    Unproven(String),
    /// A certificate that is none.
    #[error("its certificate cannot be used: {0}")]
    Chain(String),
    /// Our own bug.
    #[error("this look failed inside of mxseal: {0}")]
    Internal(String),
}

impl Fault {
    /// Its kind in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Fault::Refused => "refused",
            Fault::Unreachable(_) => "unreachable",
            Fault::TimedOut(_) => "timeout",
            Fault::Closed(_) => "closed",
            Fault::Garbage { .. } => "garbage",
            Fault::TooLong(_) => "too-long",
            Fault::TurnedAway(_) => "turned-away",
            Fault::NoStarttls => "no-starttls",
            Fault::StarttlsRefused(_) => "starttls-refused",
            Fault::Injected => "injected",
            Fault::OldTls => "old-tls",
            Fault::Handshake(_) => "handshake",
            Fault::BadSignature => "bad-signature",
            Fault::Unproven(_) => "unproven",
            Fault::Chain(_) => "certificate",
            Fault::Internal(_) => "internal",
        }
    }
}

/// Why a connection was not made.
pub(super) fn connect(cause: &io::Error) -> Fault {
    match cause.kind() {
        io::ErrorKind::ConnectionRefused => Fault::Refused,
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Fault::TimedOut(Stage::Connect),
        _ => Fault::Unreachable(cause.to_string()),
    }
}

/// Why reading or writing failed.
pub(super) fn transfer(cause: &io::Error, stage: Stage) -> Fault {
    match cause.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Fault::TimedOut(stage),
        io::ErrorKind::FileTooLarge => Fault::TooLong(stage),
        _ => Fault::Closed(stage),
    }
}

/// What a host said, to be shown.
pub(super) fn quoted(said: &[u8]) -> String {
    let plain = |octet: u8| if (0x20..0x7f).contains(&octet) { char::from(octet) } else { '?' };
    let text: String = said.trim_ascii().iter().take(QUOTED_MAX).map(|octet| plain(*octet)).collect();
    format!("`{text}`")
}
