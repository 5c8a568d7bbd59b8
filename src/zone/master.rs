//! Master files (RFC 1035 § 5): every line becomes a record or an error with its place.
//!
//! Nothing is skipped silently, and nothing is read but what the caller hands in.

mod directive;
mod fault;
mod generate;
mod lexer;
mod reader;

use crate::diagnostic::Diagnostic;
use crate::dns::name::Name;

pub use directive::{INCLUDE_DEPTH_MAX, INCLUDES_MAX};
pub use fault::DIAGNOSTICS_MAX;
pub use generate::{GENERATED_MAX, GENERATED_TOTAL_MAX};

/// One record as written, its owner and the names in its data in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Owner, lower case.
    pub owner: Name,
    /// Type.
    pub rtype: u16,
    /// TTL.
    pub ttl: u32,
    /// Record data in uncompressed wire form.
    pub data: Vec<u8>,
    /// Index into [`Parsed::files`].
    pub file: u16,
    /// Line in that file, from 1.
    pub line: u32,
}

/// A record that is only lent, so that large zones need not be held twice. Fields as in [`Record`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// Owner, lower case.
    pub owner: &'a Name,
    /// Type.
    pub rtype: u16,
    /// TTL.
    pub ttl: u32,
    /// Record data in uncompressed wire form.
    pub data: &'a [u8],
    /// Index into [`Parsed::files`].
    pub file: u16,
    /// Line in that file, from 1.
    pub line: u32,
}

/// A master file and what it includes.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// All good records in the order of the file.
    pub records: Vec<Record>,
    /// The file itself, then each file it includes, as the operator would type them.
    pub files: Vec<String>,
    /// All that is wrong.
    pub diagnostics: Vec<Diagnostic>,
}

/// Hands out the text of a file that $INCLUDE names, or a reason without a final dot. The path is relative to the
/// folder of the master file itself, also where an included file includes another; the caller keeps it inside the
/// folder, as nothing here looks at `..`.
pub type Include<'i> = dyn FnMut(&str) -> Result<String, String> + 'i;

impl RecordRef<'_> {
    /// A record of its own.
    pub fn to_record(self) -> Record {
        Record {
            owner: self.owner.clone(),
            rtype: self.rtype,
            ttl: self.ttl,
            data: self.data.to_vec(),
            file: self.file,
            line: self.line,
        }
    }
}

/// Reads a master file whose records belong at or below `origin`, which is in lower case; `file` is what diagnostics
/// call it.
pub fn parse(origin: &[u8], file: &str, text: &str, include: &mut Include<'_>) -> Parsed {
    let mut records = Vec::new();
    let parsed = read(origin, file, text, include, &mut |record| records.push(record.to_record()));
    Parsed { records, ..parsed }
}

/// As [`parse`], but each good record goes to `sink` as soon as it is read, and none is in the result.
pub fn read(
    origin: &[u8],
    file: &str,
    text: &str,
    include: &mut Include<'_>,
    sink: &mut dyn FnMut(RecordRef<'_>),
) -> Parsed {
    reader::Reader::new(origin, file, include, sink).run(text)
}
