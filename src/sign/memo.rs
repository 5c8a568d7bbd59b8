//! Signatures that are kept: each RRset has one place for its own, read and replaced without a lock.
//!
//! A reader never waits and never writes: it sees a whole signature or none. A place is valid only for the content, key
//! and policy that its stamp names, so that no change of any of them can leave an old signature behind (coredns#4448,
//! cascade#797).

use crate::dns::reply::SIGNATURE_OCTETS;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

const WORDS: usize = SIGNATURE_OCTETS / 8;

/// A place for one signature. Starts empty.
#[derive(Default)]
pub struct Slot {
    /// Odd while a writer is at work; changes with each write.
    sequence: AtomicU32,
    expiration: AtomicU32,
    stamp: AtomicU64,
    words: [AtomicU64; WORDS],
}

/// A kept signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it is valid for: content, key, policy.
    pub stamp: u64,
    /// Its end, as RRSIG counts.
    pub expiration: u32,
    /// The signature.
    pub octets: [u8; SIGNATURE_OCTETS],
}

impl Slot {
    /// The kept signature; none where the place is empty or being written now.
    pub fn load(&self) -> Option<Kept> {
        let before = self.sequence.load(Ordering::Acquire);
        if before == 0 || before % 2 == 1 {
            return None;
        }
        let mut octets = [0; SIGNATURE_OCTETS];
        for (place, word) in octets.as_chunks_mut::<8>().0.iter_mut().zip(&self.words) {
            *place = word.load(Ordering::Relaxed).to_ne_bytes();
        }
        let kept = Kept {
            stamp: self.stamp.load(Ordering::Relaxed),
            expiration: self.expiration.load(Ordering::Relaxed),
            octets,
        };
        fence(Ordering::Acquire);
        (self.sequence.load(Ordering::Relaxed) == before).then_some(kept)
    }

    /// Reads this place into a cache.
    pub fn touch(&self) -> u64 {
        u64::from(self.sequence.load(Ordering::Relaxed))
            ^ self.words.last().map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// Keeps a signature. Where another writer is at work, that one's is kept instead: both are good.
    pub fn store(&self, kept: &Kept) {
        let before = self.sequence.load(Ordering::Relaxed);
        if before % 2 == 1 {
            return;
        }
        let busy = before.wrapping_add(1);
        if self.sequence.compare_exchange(before, busy, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return;
        }
        fence(Ordering::Release);
        self.stamp.store(kept.stamp, Ordering::Relaxed);
        self.expiration.store(kept.expiration, Ordering::Relaxed);
        for (word, octets) in self.words.iter().zip(kept.octets.as_chunks::<8>().0) {
            word.store(u64::from_ne_bytes(*octets), Ordering::Relaxed);
        }
        // Zero means empty, so it is left out when the sequence wraps.
        self.sequence.store(before.wrapping_add(2).max(2), Ordering::Release);
    }

    /// Makes this place hold what `other` holds.
    pub fn copy_from(&self, other: &Slot) {
        if let Some(kept) = other.load() {
            self.store(&kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_place_gives_nothing_and_a_written_one_what_was_written() {
        let slot = Slot::default();
        assert_eq!(slot.load(), None);
        let kept = Kept { stamp: 7, expiration: 9, octets: [3; SIGNATURE_OCTETS] };
        slot.store(&kept);
        assert_eq!(slot.load(), Some(kept));
    }

    #[test]
    fn readers_never_see_half_a_signature() {
        let slot = Slot::default();
        std::thread::scope(|scope| {
            for writer in 0..2u8 {
                let slot = &slot;
                scope.spawn(move || {
                    for round in 0..20_000u32 {
                        let value = (round as u8) ^ (writer << 7);
                        let stamp = u64::from(value);
                        slot.store(&Kept { stamp, expiration: u32::from(value), octets: [value; SIGNATURE_OCTETS] });
                    }
                });
            }
            scope.spawn(|| {
                for _ in 0..40_000 {
                    let Some(kept) = slot.load() else { continue };
                    let value = kept.octets[0];
                    assert!(kept.octets.iter().all(|o| *o == value));
                    assert_eq!((kept.stamp, kept.expiration), (u64::from(value), u32::from(value)));
                }
            });
        });
    }
}
