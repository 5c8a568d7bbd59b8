//! Signatures over names that strangers choose, kept for a while: mail for a customer who left is tried again all day.
//!
//! Denials of names that do not exist, and expansions of wildcards.
//!
//! Strangers choose what comes here, so it has a fixed size and stands apart: what they invent drives out only what
//! others invented, never a signature over data. Read and replaced without a lock.

use super::memo::{Kept, Slot};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Signatures in one set; the set is found by the stamp, within it each one is looked at.
const WAYS: usize = 4;
/// With 4 ways 65,536 signatures, 5 MiB: of a million tenants three in a hundred may have left with their MX still
/// pointing here, at two names each. Memory is taken when the first is kept.
const SETS: usize = 16_384;

/// The place for such signatures, shared by all zones.
#[derive(Default)]
pub struct Recent {
    sets: OnceLock<Box<[[Slot; WAYS]]>>,
    turn: AtomicUsize,
}

impl Recent {
    /// The signature with this stamp, if it is still here.
    pub fn find(&self, stamp: u64) -> Option<Kept> {
        let set = set_of(self.sets.get()?, stamp)?;
        set.iter().filter_map(Slot::load).find(|kept| kept.stamp == stamp)
    }

    /// Keeps a signature: in place of an older one with the same stamp, else in an empty place, else of any other.
    pub fn keep(&self, kept: &Kept) {
        let sets = self.sets.get_or_init(|| std::iter::repeat_with(Default::default).take(SETS).collect());
        let Some(set) = set_of(sets, kept.stamp) else { return };
        let own = |slot: &&Slot| slot.load().is_none_or(|other| other.stamp == kept.stamp);
        let any = || set.get(self.turn.fetch_add(1, Ordering::Relaxed) % WAYS);
        if let Some(slot) = set.iter().find(own).or_else(any) {
            slot.store(kept);
        }
    }
}

impl std::fmt::Debug for Recent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recent")
    }
}

/// Stamps are keyed hashes, so that nobody can aim at a set.
fn set_of(sets: &[[Slot; WAYS]], stamp: u64) -> Option<&[Slot; WAYS]> {
    let count = u64::try_from(sets.len()).ok()?;
    sets.get(usize::try_from(stamp.checked_rem(count)?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::reply::SIGNATURE_OCTETS;

    fn kept(stamp: u64, expiration: u32) -> Kept {
        Kept { stamp, expiration, octets: [7; SIGNATURE_OCTETS] }
    }

    #[test]
    fn what_is_kept_is_found_by_its_stamp_alone() {
        let recent = Recent::default();
        assert_eq!(recent.find(5), None);
        recent.keep(&kept(5, 1));
        assert_eq!(recent.find(5), Some(kept(5, 1)));
        assert_eq!(recent.find(6), None);
        recent.keep(&kept(5, 2));
        assert_eq!(recent.find(5), Some(kept(5, 2)), "the newer one, in the same place");
    }

    #[test]
    fn a_full_set_gives_up_one_of_its_own_and_no_other() {
        let recent = Recent::default();
        let sets = u64::try_from(SETS).expect("small");
        let one_set: Vec<u64> = (1..=5).map(|n| n * sets).collect();
        recent.keep(&kept(3, 1));
        for stamp in &one_set {
            recent.keep(&kept(*stamp, 1));
        }
        let left = one_set.iter().filter(|stamp| recent.find(**stamp).is_some()).count();
        assert_eq!(left, WAYS);
        assert!(recent.find(5 * sets).is_some(), "the newest is there");
        assert!(recent.find(3).is_some());
    }
}
