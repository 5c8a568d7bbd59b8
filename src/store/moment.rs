//! The newest moment that anything here knows of: it has passed for certain, whatever a clock says.
//!
//! What cannot be read is left to whoever asks for it by name.

use crate::store::Store;
use crate::store::durable::is_there;
use crate::store::journal::ZoneFacts;
use crate::store::journal::file::{JOURNAL_NAME, JournalFile};
use crate::time::{Seconds, UnixTime};
use std::sync::Arc;

impl Store {
    /// The moment of the newest fact of any zone or pool, which has passed for certain, and how much zones have recorded of the
    /// clock's corrections. What cannot be read is left to whoever asks for it by name.
    pub fn newest_fact(&self) -> (UnixTime, Seconds) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return (UnixTime(0), 0) };
        let journals = entries.flatten().map(|entry| entry.path().join(JOURNAL_NAME)).filter(|path| is_there(path));
        let read = |path| JournalFile::<ZoneFacts>::read(Arc::clone(&self.disk), path).ok().flatten();
        let zones = journals.filter_map(read).map(|journal| (journal.facts().time, journal.facts().corrected));
        let pools = self.pool_names().into_iter().filter_map(|pool| self.pool_journal(&pool).ok().flatten());
        let pools = pools.map(|journal| (journal.facts().time, journal.facts().corrected));
        zones.chain(pools).fold((UnixTime(0), 0), |(time, corrected), (at, by)| (time.max(at), corrected.max(by)))
    }
}
