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

impl Ledger {
    /// A table of `sets` times four places; the number of sets is rounded up to a power of two. Pages that are never
    /// used cost no memory.
    pub(super) fn new(sets: usize) -> Ledger {
        let sets = sets.next_power_of_two();
        let words = vec![0u64; sets * WORDS + LINE / size_of::<u64>()].into_boxed_slice();
        let first = words.as_ptr().align_offset(LINE).min(LINE / size_of::<u64>());
        Ledger { words, first, mask: u64::try_from(sets).map_or(0, |sets| sets - 1) }
    }

    /// What `key` owes `now`, in units of time.
    pub(super) fn debt(&self, key: u64, now: u64) -> u64 {
        self.find(key).1.saturating_sub(now)
    }

    /// Adds `cost` to what `key` owes `now`.
    pub(super) fn charge(&mut self, key: u64, cost: u64, now: u64) {
        let (at, paid_at) = self.find(key);
        if let Some(tag) = self.words.get_mut(at) {
            *tag = key;
        }
        if let Some(kept) = self.words.get_mut(at + WAYS) {
            *kept = paid_at.max(now).saturating_add(cost);
        }
    }

    /// The word of the tag of `key` and when its debt is paid; where it has no place, that of the smallest debt, and 0.
    fn find(&self, key: u64) -> (usize, u64) {
        let set = usize::try_from(key & self.mask).unwrap_or(0);
        let at = self.first + set * WORDS;
        let words = self.words.get(at..).and_then(|words| words.first_chunk::<WORDS>()).unwrap_or(&[0; WORDS]);
        let (tags, paid_at) = words.split_at(WAYS);
        let (mut least, mut least_paid_at) = (0, u64::MAX);
        for (way, (tag, paid_at)) in tags.iter().zip(paid_at).enumerate() {
            if *tag == key {
                return (at + way, *paid_at);
            }
            if *paid_at < least_paid_at {
                (least, least_paid_at) = (way, *paid_at);
            }
        }
        (at + least, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debt_adds_up_and_is_paid_with_time() {
        let mut ledger = Ledger::new(8);
        ledger.charge(7, 10, 100);
        ledger.charge(7, 10, 105);
        assert_eq!([105, 110, 120, 1000].map(|now| ledger.debt(7, now)), [15, 10, 0, 0]);
        assert_eq!(ledger.debt(8, 105), 0);
    }

    #[test]
    fn a_full_set_forgets_the_smallest_debt_and_charges_nobody_for_it() {
        let mut ledger = Ledger::new(1);
        for key in 1..=4 {
            ledger.charge(key, key * 10, 0);
        }
        assert_eq!(ledger.debt(5, 0), 0);
        ledger.charge(5, 1, 0);
        assert_eq!([1, 2, 3, 4, 5].map(|key| ledger.debt(key, 0)), [0, 20, 30, 40, 1]);
    }

    #[test]
    fn a_place_whose_debt_is_paid_goes_first() {
        let mut ledger = Ledger::new(1);
        for (key, cost) in [(1, 100), (2, 5), (3, 100), (4, 100)] {
            ledger.charge(key, cost, 0);
        }
        ledger.charge(9, 1, 50);
        assert_eq!([1, 3, 4, 9].map(|key| ledger.debt(key, 50)), [50, 50, 50, 1]);
    }

    #[test]
    fn every_set_is_one_cache_line_and_the_last_one_is_whole() {
        for sets in [1, 3, 64, 4096] {
            let mut ledger = Ledger::new(sets);
            let line = ledger.words.as_ptr().wrapping_add(ledger.first);
            assert_eq!(line.align_offset(LINE), 0);
            let last = ledger.mask;
            ledger.charge(last, 3, 0);
            assert_eq!(ledger.debt(last, 0), 3, "{sets} sets");
        }
    }

    #[test]
    fn nothing_wraps_at_the_end_of_time() {
        let mut ledger = Ledger::new(1);
        ledger.charge(1, u64::MAX, u64::MAX);
        assert_eq!(ledger.debt(1, 0), u64::MAX);
    }
}
