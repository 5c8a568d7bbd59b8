//! Who used how much lately: debts that pay themselves off with time, in a table of fixed size.
//!
//! Pure: the moment comes in as an argument. A debt is the moment at which it will be paid (GCRA, the leaky bucket as a
//! single number), so nothing ever has to be aged: what is paid is as good as absent. It must never charge one key for
//! another's use: a key is a whole keyed hash of 64 bits, and where a set is full, the smallest debt is forgotten. So a
//! full table limits less, never somebody else.

/// Places in one set: their tags and debts fill one cache line.
const WAYS: usize = 4;
/// Words of a set: the tags, then the debts.
const WORDS: usize = WAYS * 2;
/// Octets of a cache line.
const LINE: usize = 64;

/// Debts by key. Allocates once, in [`Ledger::new`].
#[derive(Debug)]
pub(super) struct Ledger {
    words: Box<[u64]>,
    /// The first word that begins a cache line.
    first: usize,
    /// Number of sets, a power of two, less one.
    mask: u64,
}

/// The place of a key, as it was when it was looked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LedgerLine {
    key: u64,
    /// The word of its tag.
    at: usize,
    /// When its debt is paid.
    paid_at: u64,
}

impl Ledger {
    /// A table of `sets` times four places; the number of sets is rounded up to a power of two. Pages that are never
    /// used cost no memory.
    pub(super) fn new(sets: usize) -> Ledger {
        let sets = sets.next_power_of_two();
        let words = vec![0u64; sets * WORDS + LINE / size_of::<u64>()].into_boxed_slice();
        let first = words.as_ptr().align_offset(LINE).min(LINE / size_of::<u64>());
        Ledger { words, first, mask: u64::try_from(sets).map_or(0, |sets| sets - 1) }
    }

    /// Where `key` has its place, and what it owes; where it has none, the place of the smallest debt, which it will get.
    #[inline]
    pub(super) fn find(&self, key: u64) -> LedgerLine {
        let set = usize::try_from(key & self.mask).unwrap_or(0);
        let at = self.first + set * WORDS;
        let words = self.words.get(at..).and_then(|words| words.first_chunk::<WORDS>()).unwrap_or(&[0; WORDS]);
        let (tags, paid_at) = words.split_at(WAYS);
        if let Some((way, (_, paid_at))) = tags.iter().zip(paid_at).enumerate().find(|(_, (tag, _))| **tag == key) {
            return LedgerLine { key, at: at + way, paid_at: *paid_at };
        }
        let least = paid_at.iter().enumerate().min_by_key(|(_, paid_at)| **paid_at).map_or(0, |(way, _)| way);
        LedgerLine { key, at: at + least, paid_at: 0 }
    }

    /// Adds `cost` to what the key of `place` owes `now`.
    #[inline]
    pub(super) fn charge(&mut self, place: LedgerLine, cost: u64, now: u64) {
        // A place that is not the key's own yet may have been given away since it was found.
        let is_own = self.words.get(place.at) == Some(&place.key);
        let place = if is_own { place } else { self.find(place.key) };
        if let Some(tag) = self.words.get_mut(place.at) {
            *tag = place.key;
        }
        if let Some(kept) = self.words.get_mut(place.at + WAYS) {
            *kept = place.paid_at.max(now).saturating_add(cost);
        }
    }
}

impl LedgerLine {
    /// What the key owes `now`, in units of time.
    pub(super) fn debt(self, now: u64) -> u64 {
        self.paid_at.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debt_adds_up_and_is_paid_with_time() {
        let mut ledger = Ledger::new(8);
        ledger.charge(ledger.find(7), 10, 100);
        ledger.charge(ledger.find(7), 10, 105);
        assert_eq!([105, 110, 120, 1000].map(|now| ledger.find(7).debt(now)), [15, 10, 0, 0]);
        assert_eq!(ledger.find(8).debt(105), 0);
    }

    #[test]
    fn a_full_set_forgets_the_smallest_debt_and_charges_nobody_for_it() {
        let mut ledger = Ledger::new(1);
        for key in 1..=4 {
            ledger.charge(ledger.find(key), key * 10, 0);
        }
        assert_eq!(ledger.find(5).debt(0), 0);
        ledger.charge(ledger.find(5), 1, 0);
        assert_eq!([1, 2, 3, 4, 5].map(|key| ledger.find(key).debt(0)), [0, 20, 30, 40, 1]);
    }

    #[test]
    fn a_place_whose_debt_is_paid_goes_first() {
        let mut ledger = Ledger::new(1);
        for (key, cost) in [(1, 100), (2, 5), (3, 100), (4, 100)] {
            ledger.charge(ledger.find(key), cost, 0);
        }
        ledger.charge(ledger.find(9), 1, 50);
        assert_eq!([1, 3, 4, 9].map(|key| ledger.find(key).debt(50)), [50, 50, 50, 1]);
    }

    #[test]
    fn two_keys_that_found_the_same_place_get_one_each() {
        let mut ledger = Ledger::new(1);
        let (one, other) = (ledger.find(1), ledger.find(2));
        ledger.charge(one, 10, 0);
        ledger.charge(other, 20, 0);
        assert_eq!([1, 2].map(|key| ledger.find(key).debt(0)), [10, 20]);
    }

    #[test]
    fn every_set_is_one_cache_line_and_the_last_one_is_whole() {
        for sets in [1, 3, 64, 4096] {
            let mut ledger = Ledger::new(sets);
            let line = ledger.words.as_ptr().wrapping_add(ledger.first);
            assert_eq!(line.align_offset(LINE), 0);
            let last = ledger.mask;
            ledger.charge(ledger.find(last), 3, 0);
            assert_eq!(ledger.find(last).debt(0), 3, "{sets} sets");
        }
    }

    #[test]
    fn nothing_wraps_at_the_end_of_time() {
        let mut ledger = Ledger::new(1);
        ledger.charge(ledger.find(1), u64::MAX, u64::MAX);
        assert_eq!(ledger.find(1).debt(0), u64::MAX);
    }
}
