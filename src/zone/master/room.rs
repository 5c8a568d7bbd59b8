//! How much a master file may hold with all that it includes and generates: counted before anything is made of it.

use super::fault::{Fault, code};

/// Records of one zone, at most, where the caller has no limit.
const RECORDS_MAX: usize = 1_000_000;
/// Octets of owners and data for each record that a zone may have: long TXT records fit, four times over, as others are short.
const OCTETS_A_RECORD: usize = 256;
/// Octets of text for each octet of owners and data: comments and `\DDD` fit.
const TEXT_A_DATUM: usize = 2;

/// Room for one zone's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Records, at most.
    pub records: usize,
    /// Octets of their owners and data, at most.
    pub octets: usize,
    /// What the limit is that would be passed, as in "which is the limit of one zone".
    pub limit: String,
    /// How to get more room.
    pub help: String,
}

impl Room {
    /// Room for so many records, and for as many octets as such have.
    pub fn of(records: usize, limit: impl Into<String>, help: impl Into<String>) -> Room {
        Room { records, octets: records.saturating_mul(OCTETS_A_RECORD), limit: limit.into(), help: help.into() }
    }

    /// Octets of text that may be read, with all files.
    pub(super) fn text(&self) -> usize {
        self.octets.saturating_mul(TEXT_A_DATUM)
    }

    /// More records than there is room for; `count` of them are known of.
    pub(super) fn records_fault(&self, span: (usize, usize), count: usize) -> Fault {
        let message =
            format!("with this line the zone has {count} records, more than {}, {}", self.records, self.limit);
        Fault::new(code::ROOM, span, message, self.help.clone())
    }

    /// More octets than there is room for.
    pub(super) fn octets_fault(&self, span: (usize, usize), what: &str, limit: usize) -> Fault {
        let message = format!(
            "with this line {what} have more than {limit} octets, as many as go with {} records, {}",
            self.records, self.limit
        );
        Fault::new(code::ROOM, span, message, self.help.clone())
    }

    /// The system gives no memory.
    pub(super) fn memory_fault(&self, span: (usize, usize), count: usize) -> Fault {
        let message = format!("the system gives no memory for more than {count} records");
        Fault::new(code::ROOM, span, message, "give the process more memory, or divide the zone")
    }
}

impl Default for Room {
    fn default() -> Room {
        Room::of(
            RECORDS_MAX,
            "which is the limit of one zone",
            "raise `records_max` of the zone in mxseal.toml, or divide it",
        )
    }
}
