//! The table [rolls]: in which order keys roll by themselves, and whom to believe about parents.
//!
//! Each default and each limit is a constant with its reason.

use super::path;
use super::sections::within;
use crate::fields::{Reader, Table};
use std::path::PathBuf;

const ROLLS_KEYS: &[&str] = &["canary", "together", "anchors"];
/// Rolls that begin by themselves in one go: what goes wrong with one is seen before the next.
const ROLLS_TOGETHER: usize = 1;
/// More than any server has zones below its own.
const ROLLS_TOGETHER_MAX: i64 = 100_000;

/// In which order keys roll by themselves, and whom to believe about parents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rolls {
    /// The zone that rolls first, lower case without final dot; the others follow once its roll has ended.
    pub canary: Option<String>,
    /// Zones below ours that roll by themselves at once, at most.
    pub together: usize,
    /// File of trust anchors (DS or DNSKEY records); none: those of the root.
    pub anchors: Option<PathBuf>,
}

impl Default for Rolls {
    fn default() -> Rolls {
        Rolls { canary: None, together: ROLLS_TOGETHER, anchors: None }
    }
}

pub fn rolls(reader: &mut Reader<'_>, table: &Table) -> Rolls {
    let default = Rolls::default();
    let Some(at) = reader.table(table, "rolls") else { return default };
    reader.refuse_unknown(at.value, "[rolls]", ROLLS_KEYS);
    let canary = reader.text(at.value, "canary").filter(|at| !at.value.is_empty());
    let canary = canary.and_then(|at| match super::apex(at.value) {
        Ok(apex) => Some(apex),
        Err(message) => {
            reader.error("MX1011", at.span, message, "name a zone, as in canary = \"a-v1.mx.example\"");
            None
        }
    });
    Rolls {
        canary,
        together: within(reader, at.value, "together", 1, ROLLS_TOGETHER_MAX).unwrap_or(default.together),
        anchors: path(reader, at.value, "anchors"),
    }
}
