//! The table [limits]: how much may be held of what provisioning writes.
//!
//! Each default and each limit is a constant with its reason.

use super::sections::within;
use crate::fields::{Reader, Table};

const LIMITS_KEYS: &[&str] = &["zone_records", "records"];
/// Records of one zone, at most: some 0.5 GB of memory, and ten times the largest zone that mail providers are known to have.
const ZONE_RECORDS: usize = 1_000_000;
/// Records of all master files, at most: some 2 GB of memory, and four zones of the largest kind. Tenants are no records.
const RECORDS: usize = 4_000_000;
/// More records than any host has memory for.
pub(super) const RECORDS_MAX: i64 = 1_000_000_000;

/// How much may be held of what provisioning writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Records of one zone's master file with all that it includes and generates, at most.
    pub zone_records: usize,
    /// Records of all master files, at most.
    pub records: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { zone_records: ZONE_RECORDS, records: RECORDS }
    }
}

pub fn limits(reader: &mut Reader<'_>, table: &Table) -> Limits {
    let default = Limits::default();
    let Some(at) = reader.table(table, "limits") else { return default };
    reader.refuse_unknown(at.value, "[limits]", LIMITS_KEYS);
    let mut number = |key| within(reader, at.value, key, 1, RECORDS_MAX);
    Limits {
        zone_records: number("zone_records").unwrap_or(default.zone_records),
        records: number("records").unwrap_or(default.records),
    }
}
