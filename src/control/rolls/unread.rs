//! What could not be read of keys is read again: at a reload all of it, and by itself what the system refused.
//!
//! What is served stays as it is until what was read has proved itself.

use crate::control::rolls::Rolls;
use crate::store::Store;
use crate::store::load::UNREADABLE;
use crate::store::records::Trust;
use crate::time::Now;

impl Rolls {
    /// Keys that could not be read are tried again, though their zones are served without them; what is served stays as it
    /// is until the key set with them has proved itself.
    pub fn read_again(&mut self, store: &Store, now: Now) {
        // What could not be believed may have been restored meanwhile.
        self.records.take_if(|records| !records.is_kept());
        self.served_unsigned.take_if(|unsigned| unsigned.why_lost().is_some());
        self.read_keys_again(store, now);
    }

    /// The same for what the system refused; whether anything can be read again, and whether anything still cannot.
    pub fn try_unread(&mut self, store: &Store, now: Now) -> (bool, bool) {
        let is_refused = |trust: &Trust| matches!(trust, Trust::Unreadable(_));
        let records = self.records.take_if(|records| is_refused(&records.trust)).is_some();
        let unsigned = self.served_unsigned.take_if(|unsigned| is_refused(&unsigned.trust)).is_some();
        let still =
            (records && is_refused(&self.records(store).trust)) | (unsigned && is_refused(&self.unsigned(store).trust));
        let is_read = self.read_keys_again(store, now) | ((records | unsigned) & !still);
        (is_read, still | self.zones.values().any(|roll| !roll.unreadable.is_empty()))
    }

    /// Tries keys that could not be read; true where one is other than before.
    fn read_keys_again(&mut self, store: &Store, now: Now) -> bool {
        let mut is_other = false;
        for (apex, roll) in self.zones.iter_mut().filter(|(_, roll)| !roll.unreadable.is_empty()) {
            let tags: Vec<u16> = roll.unreadable.iter().map(|(tag, _)| *tag).collect();
            let read = store.read_again(apex, roll.facts(), &tags);
            if read.unreadable == roll.unreadable {
                continue;
            }
            is_other = true;
            for tag in read.private.keys() {
                tracing::info!(ZONE = %apex, KEY = tag, "its private half can be read again");
            }
            roll.private.extend(read.private);
            roll.unreadable = read.unreadable;
            roll.found.retain(|found| found.code != UNREADABLE && !read.findings.contains(found));
            roll.found.extend(read.findings);
            roll.note_silent(now);
            roll.due = now.steady;
        }
        is_other
    }
}
