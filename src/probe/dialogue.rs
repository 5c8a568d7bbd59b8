//! The part of SMTP in front of TLS: greeting, EHLO, STARTTLS (RFC 5321, RFC 3207).
//!
//! Time runs over all of it: a host that sends an octet now and then holds nobody.

use super::fault::{Fault, Stage, quoted, transfer};
use crate::time::steady;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Octets of a line, at most: RFC 5321 § 4.5.3.1.5 allows 512, and some hosts take more.
const LINE_OCTETS_MAX: usize = 2048;
/// Lines of one reply, at most: large hosts list some twenty extensions.
const LINES_MAX: usize = 128;
/// Octets of a handshake, at most: sixteen certificates of the largest kind.
const TLS_OCTETS_MAX: usize = 256 * 1024;

/// A connection with a deadline.
pub(super) struct Line {
    stream: TcpStream,
    until: Instant,
    buffer: Vec<u8>,
    /// Octets that may still be read after STARTTLS.
    left: usize,
}

/// A reply: its code, and its lines without it.
struct Reply {
    code: u16,
    lines: Vec<Vec<u8>>,
}

impl Line {
    pub(super) fn new(stream: TcpStream, until: Instant) -> Line {
        Line { stream, until, buffer: Vec::new(), left: TLS_OCTETS_MAX }
    }

    fn remaining(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(steady());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    fn receive(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.remaining()?))?;
        loop {
            match self.stream.read(into) {
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }

    fn send(&mut self, octets: &[u8], stage: Stage) -> Result<(), Fault> {
        self.write_all(octets).map_err(|cause| transfer(&cause, stage))
    }

    /// One line without its end.
    fn line(&mut self, stage: Stage) -> Result<Vec<u8>, Fault> {
        loop {
            if let Some(end) = self.buffer.iter().position(|octet| *octet == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(line.trim_ascii_end().to_vec());
            }
            if self.buffer.len() > LINE_OCTETS_MAX {
                return Err(Fault::TooLong(stage));
            }
            let mut octets = [0; 512];
            match self.receive(&mut octets).map_err(|cause| transfer(&cause, stage))? {
                0 if self.buffer.is_empty() => return Err(Fault::Closed(stage)),
                0 => return Err(Fault::Garbage { stage, said: quoted(&self.buffer) }),
                count => self.buffer.extend_from_slice(octets.get(..count).unwrap_or_default()),
            }
        }
    }

    fn reply(&mut self, stage: Stage) -> Result<Reply, Fault> {
        let mut lines = Vec::new();
        loop {
            let line = self.line(stage)?;
            let garbage = || Fault::Garbage { stage, said: quoted(&line) };
            let digits = line.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit)).ok_or_else(garbage)?;
            let code = digits.iter().fold(0u16, |code, digit| code * 10 + u16::from(digit - b'0'));
            let rest = line.get(4..).unwrap_or_default().to_vec();
            lines.push(rest);
            match line.get(3) {
                Some(b'-') if lines.len() < LINES_MAX => {}
                Some(b'-') => return Err(Fault::TooLong(stage)),
                Some(b' ') | None => return Ok(Reply { code, lines }),
                Some(_) => return Err(garbage()),
            }
        }
    }
}

impl Reply {
    fn said(&self) -> String {
        let first = self.lines.first().map(Vec::as_slice).unwrap_or_default();
        format!("{} {}", self.code, quoted(first))
    }
}

/// Goes up to where TLS begins.
pub(super) fn start_tls(line: &mut Line, helo: &str) -> Result<(), Fault> {
    let greeting = line.reply(Stage::Greeting)?;
    if greeting.code != 220 {
        return Err(Fault::TurnedAway(greeting.said()));
    }
    line.send(format!("EHLO {helo}\r\n").as_bytes(), Stage::Ehlo)?;
    let extensions = line.reply(Stage::Ehlo)?;
    let is_starttls = |line: &Vec<u8>| line.trim_ascii().eq_ignore_ascii_case(b"STARTTLS");
    if extensions.code != 250 || !extensions.lines.iter().skip(1).any(is_starttls) {
        // A host without ESMTP has no STARTTLS either.
        let is_answer = matches!(extensions.code, 250 | 500 | 502 | 504);
        return Err(if is_answer { Fault::NoStarttls } else { Fault::TurnedAway(extensions.said()) });
    }
    line.send(b"STARTTLS\r\n", Stage::Starttls)?;
    let begun = line.reply(Stage::Starttls)?;
    if begun.code != 220 {
        return Err(Fault::StarttlsRefused(begun.said()));
    }
    if line.buffer.is_empty() { Ok(()) } else { Err(Fault::Injected) }
}

impl Read for Line {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let room = into.len().min(self.left);
        let count = self.receive(into.get_mut(..room).unwrap_or_default())?;
        self.left -= count;
        Ok(count)
    }
}

impl Write for Line {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.remaining()?))?;
        self.stream.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
