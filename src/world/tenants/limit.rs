//! The limit of tenants: past it nobody new is served, and who is served stays.
//!
//! Pure. Of a file that goes past the limit only one finding is kept, since the limit is there to bound memory.

use crate::diagnostic::{Diagnostic, Place};
use crate::world::tenants::{Surroundings, Tenants, Waiting};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Entries of one file that found no room.
pub(super) struct Surplus {
    line: u32,
    count: u64,
    /// The domain of the first one.
    domain: String,
}

/// What found no room, by file.
pub(super) type Surpluses = BTreeMap<Arc<str>, Surplus>;

/// One more entry found no room.
pub(super) fn add(all: &mut Surpluses, path: &Arc<str>, line: u32, domain: impl FnOnce() -> String) {
    match all.get_mut(path) {
        Some(surplus) => {
            surplus.count += 1;
            surplus.line = surplus.line.min(line);
        }
        None => drop(all.insert(Arc::clone(path), Surplus { line, count: 1, domain: domain() })),
    }
}

impl Tenants {
    /// Says of each file what of it found no room.
    pub(super) fn refuse_surplus(&mut self, all: Surpluses, around: &Surroundings<'_>) {
        for (path, Surplus { line, count, domain }) in all {
            let place = Place { file: path.to_string(), line, ..Place::default() };
            let who = if count == 1 { domain.clone() } else { format!("{count} tenants from here on") };
            let reasons = vec![no_room(place, &who, around)];
            let domain = (count == 1).then_some(domain);
            self.wait(&path, Waiting::new(domain, None, reasons));
        }
    }
}

/// The zone is full.
pub(super) fn no_room(place: Place, who: &str, around: &Surroundings<'_>) -> Diagnostic {
    let zone = around.apex;
    let message = format!("{who} not served: zone {zone} has all {} that there is room for", around.tenants_max);
    let help = "remove tenants or divide them over several servers, then write this file anew; who was served stays";
    Diagnostic::error("MX4206", place, message, help)
}
