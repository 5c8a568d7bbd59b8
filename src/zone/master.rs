//! Master files (RFC 1035 § 5): every line becomes a record or an error with its place.
//!
//! Nothing is skipped silently, and nothing is read but what the caller hands in.

use crate::diagnostic::Diagnostic;
use crate::dns::name::Name;

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
