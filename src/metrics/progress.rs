//! How far a long start is: counted by those who read, shown by whoever asks.
//!
//! Pure but counters.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of a start.
#[derive(Debug, Default)]
pub struct Progress {
    files: AtomicU64,
    octets: AtomicU64,
    octets_taken: AtomicU64,
    tenants: AtomicU64,
    all_found: AtomicU64,
}

fn number(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

impl Progress {
    /// Files whose octets were read, and how many octets these are.
    pub fn found(&self, files: usize, octets: usize) {
        self.files.fetch_add(number(files), Ordering::Relaxed);
        self.octets.fetch_add(number(octets), Ordering::Relaxed);
    }

    /// There are no more files than were found.
    pub fn found_all(&self) {
        self.all_found.store(1, Ordering::Relaxed);
    }

    /// A file of tenants was taken in.
    pub fn taken(&self, octets: usize, tenants: usize) {
        self.octets_taken.fetch_add(number(octets), Ordering::Relaxed);
        self.tenants.fetch_add(number(tenants), Ordering::Relaxed);
    }

    /// A line for people.
    pub fn line(&self) -> String {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (files, octets) = (get(&self.files), get(&self.octets));
        if get(&self.all_found) == 0 {
            return format!("files are being read: {files} files, {} MB so far", octets / 1_000_000);
        }
        let (taken, tenants) = (get(&self.octets_taken), get(&self.tenants));
        let percent = taken.saturating_mul(100) / octets.max(1);
        let (taken, octets) = (taken / 1_000_000, octets / 1_000_000);
        format!("tenants are being taken in: {tenants} tenants, {taken} of {octets} MB ({percent} %)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_tells_what_is_known_at_each_moment() {
        let progress = Progress::default();
        progress.found(3, 5_000_000);
        assert_eq!(progress.line(), "files are being read: 3 files, 5 MB so far");
        progress.found(1, 5_000_000);
        progress.found_all();
        progress.taken(4_000_000, 1234);
        assert_eq!(progress.line(), "tenants are being taken in: 1234 tenants, 4 of 10 MB (40 %)");
    }
}
