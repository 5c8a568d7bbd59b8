//! From logical lines to records: owner, TTL, class, type and data.

use super::fault::{DIAGNOSTICS_MAX, Fault, code, span};
use super::lexer::{Lexer, LogicalLine};
use super::room::Room;
use super::{Include, Parsed, Record, Records};
use crate::diagnostic::{Diagnostic, Place};
use crate::dns::name::{self, Name};
use crate::dns::rdata::{self, Seconds32, Token};
use crate::dns::rtype::{self, number};

/// The highest TTL (RFC 2181 § 8).
pub(super) const TTL_MAX: u32 = 0x7fff_ffff;

/// Reads one master file with all that it includes.
pub(super) struct Reader<'r> {
    apex: &'r [u8],
    pub(super) include: &'r mut Include<'r>,
    pub(super) room: &'r Room,
    pub(super) records: Records,
    /// Octets of text that were read, of all files.
    text: usize,
    /// Whether the room was too small, so that no more is read.
    full: bool,
    pub(super) ttl: KnownTtl,
    pub(super) files: Vec<String>,
    /// Paths of the files that are being read now, as they are handed to `include`.
    pub(super) open: Vec<String>,
    /// Records that $GENERATE has made so far.
    pub(super) generated: u32,
    diagnostics: Vec<Diagnostic>,
    unshown: usize,
    /// The data and the owner of the line that is being read; kept so that no line needs memory of its own.
    data: Vec<u8>,
    owner: Vec<u8>,
}

/// What a record without a TTL may take.
#[derive(Default)]
pub(super) struct KnownTtl {
    /// Of $TTL (RFC 2308 § 4).
    pub(super) default: Option<u32>,
    /// The last one written (RFC 1035 § 5.1).
    last: Option<u32>,
    /// The SOA's last field, which old files rest on (RFC 2308 § 4).
    minimum: Option<u32>,
}

/// One file, or one generated line, and what its lines hand down.
pub(super) struct Source<'s> {
    pub(super) text: &'s str,
    pub(super) file: u16,
    pub(super) origin: Name,
    pub(super) owner: Owner,
}

/// What a line that begins with a blank inherits.
#[expect(clippy::large_enum_variant, reason = "there is one a file, and a box would cost an allocation a line")]
pub(super) enum Owner {
    /// There was no record yet.
    None,
    /// The owner, and whether it lies inside the zone.
    Known(Name, bool),
    /// The owner in this line could not be read, so nothing below it is believed.
    Broken(u32),
}

/// What stands in front of the data.
pub(super) struct Head {
    ttl: Option<u32>,
    pub(super) rtype: u16,
    /// Index of the type's field.
    pub(super) at: usize,
}

impl<'r> Reader<'r> {
    pub(super) fn new(apex: &'r [u8], file: &str, include: &'r mut Include<'r>, room: &'r Room) -> Reader<'r> {
        let path = file.rsplit_once('/').map_or(file, |(_, last)| last);
        Reader {
            apex,
            include,
            room,
            records: Records::default(),
            text: 0,
            full: false,
            ttl: KnownTtl::default(),
            files: vec![file.to_owned()],
            open: vec![path.to_owned()],
            generated: 0,
            diagnostics: Vec::new(),
            unshown: 0,
            data: Vec::new(),
            owner: Vec::new(),
        }
    }

    /// Reads the whole text.
    pub(super) fn run(mut self, text: &str) -> Parsed {
        self.text = text.len();
        match Name::from_wire(self.apex) {
            Ok(origin) => self.source(Source { text, file: 0, origin, owner: Owner::None }),
            Err(fault) => {
                let place = Place::file(self.files.first().cloned().unwrap_or_default());
                let message = format!("the origin is not a name: {fault}");
                self.diagnostics.push(Diagnostic::error(code::OWNER, place, message, "name the zone differently"));
            }
        }
        if self.unshown > 0 {
            let place = Place::file(self.files.first().cloned().unwrap_or_default());
            let message = format!("{} more errors are not shown", self.unshown);
            self.diagnostics.push(Diagnostic::error(code::MORE, place, message, "correct those above first"));
        }
        self.records.shrink();
        Parsed { records: self.records, files: self.files, diagnostics: self.diagnostics, room: self.room.clone() }
    }

    /// Reads one file; $INCLUDE comes back here, at most [`super::INCLUDE_DEPTH_MAX`] deep.
    pub(super) fn source(&mut self, mut source: Source<'_>) {
        let mut fields = Vec::new();
        let mut lexer = Lexer::new(source.text);
        while let Some(line) = lexer.next_line(&mut fields).filter(|_| !self.full) {
            if let Err(fault) = self.line(&mut source, &line, &fields) {
                self.report(&source, &line, fault);
            }
        }
    }

    fn report(&mut self, source: &Source<'_>, line: &LogicalLine, fault: Fault) {
        if fault.code == code::ROOM {
            self.full = true;
            // Nothing of the file is used, so its memory is given back at once.
            self.records = Records::default();
        }
        if self.diagnostics.len() >= DIAGNOSTICS_MAX {
            self.unshown += 1;
            return;
        }
        let file = self.files.get(usize::from(source.file)).map_or("", String::as_str);
        self.diagnostics.push(fault.diagnostic(file, source.text, line));
    }

    fn line(&mut self, source: &mut Source<'_>, line: &LogicalLine, fields: &[Token<'_>]) -> Result<(), Fault> {
        if let Some((fault, start, end)) = line.fault {
            if let Some(first) = fields.first().filter(|_| !line.inherits) {
                // Lines below may inherit this owner; what is wrong with it is told by the fault that is returned.
                drop(self.read_owner(source, line.number, first));
            }
            return Err(Fault::form(fault, start, end));
        }
        match fields {
            [first, ..] if !line.inherits && first.text.starts_with('$') && !first.quoted => {
                self.directive(source, line, fields)
            }
            _ => self.record_line(source, line, fields),
        }
    }

    /// A line that is a record.
    pub(super) fn record_line(
        &mut self,
        source: &mut Source<'_>,
        line: &LogicalLine,
        fields: &[Token<'_>],
    ) -> Result<(), Fault> {
        let mut first = 0;
        if let Some(owner) = fields.first().filter(|_| !line.inherits) {
            self.read_owner(source, line.number, owner)?;
            first = 1;
        }
        let head = read_head(fields, first).map_err(|fault| blank_in_front(fault, line, fields))?;
        // An explicit TTL holds for the lines below, whatever is wrong with the rest of its own line.
        self.ttl.last = head.ttl.or(self.ttl.last);
        let culprit = fields.first().map_or((line.start, line.start), span);
        let owner = check_owner(&source.owner, culprit)?;
        self.data.clear();
        let tokens = fields.get(head.at + 1..).unwrap_or_default();
        rdata::push_text(&mut self.data, head.rtype, tokens, &source.origin)
            .map_err(|fault| Fault::data(fault, fields, head.at + 1))?;
        if head.rtype == number::SOA {
            self.ttl.minimum = self.data.last_chunk().map(|octets| u32::from_be_bytes(*octets).min(TTL_MAX));
        }
        let ttl = head.ttl.or_else(|| self.ttl.inherited()).ok_or_else(|| {
            let at = fields.get(head.at).map_or(culprit, span);
            Fault::new(
                code::NO_TTL,
                at,
                "the record has no TTL, and nothing above gives one",
                "write `$TTL 3600` above",
            )
        })?;
        let data = self.data.as_slice();
        if self.records.len() >= self.room.records {
            return Err(self.room.records_fault(culprit, self.records.len() + 1));
        }
        if self.records.octets() + owner.len() + data.len() > self.room.octets {
            return Err(self.room.octets_fault(culprit, "names and data", self.room.octets));
        }
        let record = Record { owner, rtype: head.rtype, ttl, data, file: source.file, line: line.number };
        if self.records.push(record) { Ok(()) } else { Err(self.room.memory_fault(culprit, self.records.len())) }
    }

    /// Counts the text of a file before it is read.
    pub(super) fn count_text(&mut self, octets: usize, span: (usize, usize)) -> Result<(), Fault> {
        self.text = self.text.saturating_add(octets);
        let limit = self.room.text();
        if self.text > limit {
            Err(self.room.octets_fault(span, "the file and what it includes", limit))
        } else {
            Ok(())
        }
    }

    fn read_owner(&mut self, source: &mut Source<'_>, line: u32, token: &Token<'_>) -> Result<(), Fault> {
        self.owner.clear();
        let name = rdata::push_name(&mut self.owner, token, &source.origin, true)
            .map_err(|fault| Fault::new(code::OWNER, span(token), fault.message, fault.help))
            .and_then(|()| {
                Name::from_wire(&self.owner)
                    .map_err(|fault| Fault::new(code::OWNER, span(token), fault.to_string(), "correct the name"))
            });
        match name {
            Ok(name) => {
                let inside = name::is_within(&name, self.apex);
                source.owner = Owner::Known(name, inside);
                Ok(())
            }
            Err(fault) => {
                source.owner = Owner::Broken(line);
                Err(fault)
            }
        }
    }
}

impl KnownTtl {
    /// What a record without a TTL takes: $TTL, else the last one written, else the SOA's minimum.
    fn inherited(&self) -> Option<u32> {
        self.default.or(self.last).or(self.minimum)
    }
}

fn check_owner(owner: &Owner, culprit: (usize, usize)) -> Result<&Name, Fault> {
    match owner {
        Owner::Known(name, true) => Ok(name),
        Owner::Known(name, false) => Err(Fault::new(
            code::OUTSIDE,
            culprit,
            format!("the owner {name} lies outside the zone"),
            "move the record to the file of its zone; where its final dot is missing, add it",
        )),
        Owner::None => Err(Fault::new(
            code::NO_OWNER,
            culprit,
            "the line begins with a blank, but no record stands above whose owner it could take",
            "write the owner in the first column",
        )),
        Owner::Broken(line) => Err(Fault::new(
            code::NO_OWNER,
            culprit,
            format!("the record takes its owner from line {line}, where it is wrong"),
            format!("correct line {line}"),
        )),
    }
}

/// A blank in front of an owner makes it the record's type; what is meant shows in the field behind it.
fn blank_in_front(fault: Fault, line: &LogicalLine, fields: &[Token<'_>]) -> Fault {
    let is_head = |token: &Token<'_>| {
        let text = token.text;
        rtype::parse(text).is_some()
            || read_class(text).is_some()
            || text.as_bytes().first().is_some_and(u8::is_ascii_digit)
    };
    let Some(owner) = fields.first().filter(|_| line.inherits && fault.code == code::TYPE) else { return fault };
    if (fault.start, fault.end) != span(owner) || !fields.get(1).is_some_and(is_head) {
        return fault;
    }
    let message = format!("{}: the line begins with a blank, so its owner is that of the line above", fault.message);
    let help = format!(
        "where `{}` is the owner, remove the blank in front of it",
        owner.text.chars().take(80).collect::<String>()
    );
    Fault { message, help, ..fault }
}

/// Reads TTL and class in either order, then the type (RFC 1035 § 5.1), from the field `first` on.
pub(super) fn read_head(fields: &[Token<'_>], first: usize) -> Result<Head, Fault> {
    let (mut ttl, mut class) = (None, false);
    for (at, token) in fields.iter().enumerate().skip(first) {
        if ttl.is_none() && token.text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
            ttl = Some(read_ttl(token)?);
        } else if let Some(is_in) = read_class(token.text).filter(|_| !class) {
            if !is_in {
                let message = format!("class {} is not served here, only IN", token.text);
                return Err(Fault::new(code::CLASS, span(token), message, "write IN, or nothing"));
            }
            class = true;
        } else {
            return Ok(Head { ttl, rtype: read_type(token)?, at });
        }
    }
    let last = fields.last().map_or((0, 0), span);
    Err(Fault::new(code::NO_TYPE, last, "the line ends before the type of the record", "write `<owner> <type> <data>`"))
}

/// Reads a TTL as every line and $TTL may write it.
pub(super) fn read_ttl(token: &Token<'_>) -> Result<u32, Fault> {
    let fault = |code, message: &str, help: &str| {
        Err(Fault::new(code, span(token), format!("`{}` {message}", token.text), help))
    };
    match rdata::read_seconds(token.text) {
        Seconds32::Good(ttl) if ttl <= TTL_MAX && !token.quoted => Ok(ttl),
        Seconds32::Good(_) if token.quoted => fault(code::TTL, "is a TTL in quotes", "write it without quotes"),
        Seconds32::Good(_) | Seconds32::TooLarge => {
            fault(code::TTL, "is above the highest TTL, 2147483647 (RFC 2181 § 8)", "write a lower one")
        }
        Seconds32::NotSeconds => fault(
            code::TTL,
            "is no TTL",
            "write seconds or a span such as `1h30m`; where it is data, its type is missing",
        ),
    }
}

/// Whether a field is a class, and then whether it is IN.
fn read_class(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("IN") {
        return Some(true);
    }
    if ["CH", "HS", "CS", "NONE"].iter().any(|class| text.eq_ignore_ascii_case(class)) {
        return Some(false);
    }
    // RFC 3597 § 5; no type's mnemonic begins like this.
    let head = text.get(..5).filter(|head| head.eq_ignore_ascii_case("CLASS"))?;
    text.get(head.len()..)?.parse::<u16>().ok().map(|class| class == 1)
}

fn read_type(token: &Token<'_>) -> Result<u16, Fault> {
    let shown: String = token.text.chars().take(80).collect();
    let Some(rtype) = rtype::parse(token.text).filter(|_| !token.quoted) else {
        let help = rtype::nearest(token.text).map_or_else(
            || "write `<owner> <TTL> <class> <type> <data>`; a type without a name is `TYPE` and its number".to_owned(),
            |near| format!("did you mean {near}?"),
        );
        return Err(Fault::new(code::TYPE, span(token), format!("`{shown}` is not a record type"), help));
    };
    if rtype::is_meta(rtype) {
        let message = format!("{} is never data of a zone (RFC 6895 § 3.1)", rtype::print(rtype));
        return Err(Fault::new(code::META, span(token), message, "remove the record"));
    }
    Ok(rtype)
}
