//! What the rules of DNS allow in a zone, and what is a slip all the same: mail goes astray, and no server refuses it.
//!
//! Pure. It only warns, and only of what the zone itself shows: what other zones hold is not known here. One slip is told
//! once, with the number of records that share it.

mod hidden;
mod standing;
mod targets;
mod texts;

use super::content::{Content, Delegation};
use super::master::Parsed;
use crate::diagnostic::{Diagnostic, Place};
use crate::dns::name::Name;
use std::collections::BTreeMap;

/// Warnings of one zone, at most: more than a person mends at a time.
const SLIPS_MAX: usize = 100;

/// A zone that holds together, and what it was made from.
pub struct Subject<'a> {
    /// Its apex.
    pub apex: &'a Name,
    /// The records of its master file.
    pub parsed: &'a Parsed,
    /// What is served of them.
    pub content: &'a Content,
    /// Zones below it that are served here.
    pub children: &'a [Delegation],
}

/// A warning about a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// The warning.
    pub diagnostic: Diagnostic,
    /// The label just below the apex that seems to be missing: it holds no more once a tenant has its endpoint there.
    pub endpoint: Option<Box<[u8]>>,
}

/// Something about one record.
struct Slip {
    code: &'static str,
    /// What is wrong; the same words mean the same slip.
    message: String,
    help: String,
    endpoint: Option<Box<[u8]>>,
}

impl Slip {
    fn new(code: &'static str, message: String, help: impl Into<String>) -> Slip {
        Slip { code, message, help: help.into(), endpoint: None }
    }
}

/// Where a record stands: index of its file, and line.
type At = (u16, u32);

/// All that looks like a slip, in the order of the records.
pub fn lint(subject: &Subject<'_>) -> Vec<Suspicion> {
    let hidden = hidden::Hidden::new(subject);
    let mut texts = texts::Texts::default();
    let mut all: BTreeMap<(&'static str, String), (Slip, At, usize)> = BTreeMap::new();
    for lent in subject.parsed.records.iter() {
        let Some(record) = &lent.own() else { continue };
        let slips = match hidden.slip(subject, record) {
            // What is never answered cannot mislead anybody.
            Some(slip) => vec![slip],
            None if hidden.is_hidden(subject, record) => Vec::new(),
            None => targets::slip(subject, record).into_iter().chain(texts.slips(record)).collect(),
        };
        for slip in slips {
            let known = all.len();
            let key = (slip.code, slip.message.clone());
            if known < SLIPS_MAX || all.contains_key(&key) {
                all.entry(key).or_insert((slip, (lent.file, lent.line), 0)).2 += 1;
            }
        }
    }
    let mut all: Vec<_> = all.into_values().collect();
    all.sort_by_key(|(slip, at, _)| (*at, slip.code));
    all.into_iter().map(|(slip, at, count)| told(subject, slip, at, count)).collect()
}

fn told(subject: &Subject<'_>, slip: Slip, (file, line): At, count: usize) -> Suspicion {
    let file = subject.parsed.files.get(usize::from(file)).cloned().unwrap_or_default();
    let place = Place { line, ..Place::file(file) };
    let more = if count > 1 { format!(" ({count} such records)") } else { String::new() };
    let diagnostic = Diagnostic::warning(slip.code, place, slip.message + &more, slip.help);
    Suspicion { diagnostic, endpoint: slip.endpoint }
}
