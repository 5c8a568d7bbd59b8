//! What is held of a zone's master file, and what of it outlives a restart while the file is broken.
//!
//! Pure.

use crate::dns::{name, rdata, rtype};
use crate::world::lines::joined_within;
use crate::world::zones::ZoneState;
use crate::zone::master::{Parsed, Record};
use std::sync::Arc;

/// What is held of master files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Records; a name without any counts as one.
    pub records: usize,
    /// Octets of their owners and data.
    pub octets: usize,
}

impl ZoneState {
    /// What is held of its master file: as it is now, and as it was good last, where what it is now does not hold together.
    pub fn held(&self) -> Held {
        let names = self.content.as_ref().map_or(0, |content| content.len());
        let of = |parsed: &Arc<Parsed>| Held { records: parsed.records.len(), octets: parsed.records.octets() };
        let of_now = self.parsed.as_ref().map_or(Held::default(), of);
        let is_tried =
            self.parsed.as_ref().zip(self.attempt.as_ref()).is_some_and(|(now, of)| Arc::ptr_eq(now, &of.parsed));
        let is_other =
            |good: &&Arc<Parsed>| self.parsed.as_ref().is_some_and(|now| is_tried && !Arc::ptr_eq(now, good));
        let of_good = self.good.as_ref().filter(is_other).map_or(Held::default(), of);
        let records = of_now.records.max(if is_tried { names } else { 0 });
        Held { records: records + of_good.records, octets: of_now.octets + of_good.octets }
    }

    /// What must outlive a restart while the master file is broken: its last good records as a file of its form.
    pub fn last_good_text(&self) -> String {
        self.last_good_within(usize::MAX).unwrap_or_default()
    }

    /// The same; none where it has more than so many octets.
    pub fn last_good_within(&self, max: usize) -> Option<String> {
        let Some(parsed) = self.good.as_ref().filter(|_| self.is_last_good()) else { return Some(String::new()) };
        let line = |record: Record<'_>| {
            let data = rdata::to_text(record.rtype, record.data);
            let owner = name::print(record.owner);
            format!("{owner} {} IN {} {data}\n", record.ttl, rtype::print(record.rtype))
        };
        joined_within(parsed.records.iter().map(line), max)
    }
}
