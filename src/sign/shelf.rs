//! Signatures by further keys over what a zone holds, kept until they end: as many as the zone has, no more.
//!
//! A zone with a new key for its key sets has three of them, one whose algorithm rolls has millions; so the shelf grows
//! with what is put on it, up to a limit. Read and replaced without a lock. A signature that may still be used is driven
//! out only where the shelf is full.

use super::memo::{Kept, Slot};
use crate::time::{UnixTime, serial_less};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Signatures in one set; each has two sets on a board where it may lie.
const WAYS: usize = 4;
/// Sets of the first board: 64 signatures, 5 KiB, enough for key sets.
const SETS_MIN: usize = 16;
/// Each board has this many times the sets of the one before.
const GROWTH: usize = 4;
/// The last board has four million places, 320 MiB: a million tenants have three RRsets each. All nine together have a
/// third more, for denials that were asked for.
const BOARDS_MAX: usize = 9;

type Board = Box<[[Slot; WAYS]]>;

/// The place for such signatures.
#[derive(Default)]
pub(super) struct Shelf {
    boards: [OnceLock<Board>; BOARDS_MAX],
    turn: AtomicUsize,
}

impl Shelf {
    /// The signature with this stamp, if it is here.
    pub(super) fn find(&self, stamp: u64) -> Option<Kept> {
        self.places(stamp).rev().filter_map(Slot::load).find(|kept| kept.stamp == stamp)
    }

    /// Keeps a signature: in place of an older one with the same stamp, else where nothing is or what has ended; else on
    /// a new board; else in place of any other.
    pub(super) fn keep(&self, kept: &Kept, now: UnixTime) {
        let is_own = |slot: &&Slot| slot.load().is_some_and(|other| other.stamp == kept.stamp);
        let is_free = |slot: &&Slot| slot.load().is_none_or(|other| serial_less(other.expiration, now.rrsig()));
        let found = self.places(kept.stamp).rev().find(is_own).or_else(|| self.places(kept.stamp).find(is_free));
        let turn = || self.turn.fetch_add(1, Ordering::Relaxed);
        let last = || self.places(kept.stamp).rev().nth(turn() % (2 * WAYS));
        if let Some(slot) = found.or_else(|| self.grow(kept.stamp)).or_else(last) {
            slot.store(kept);
        }
    }

    /// A place on a new board; none where there are all.
    fn grow(&self, stamp: u64) -> Option<&Slot> {
        let (at, board) = self.boards.iter().enumerate().find(|(_, board)| board.get().is_none())?;
        let count = SETS_MIN * GROWTH.pow(u32::try_from(at).ok()?);
        let board = board.get_or_init(|| std::iter::repeat_with(Default::default).take(count).collect());
        sets_of(board, at, stamp).flatten().next()
    }

    /// Where a signature may lie, on the smallest board first.
    fn places(&self, stamp: u64) -> impl DoubleEndedIterator<Item = &Slot> {
        let boards = self.boards.iter().enumerate().filter_map(|(at, board)| Some((at, board.get()?)));
        boards.flat_map(move |(at, board)| sets_of(board, at, stamp).flatten())
    }
}

/// The two sets of a stamp, others on each board: what crowded one does not crowd the next. Stamps are keyed hashes, so
/// that nobody can aim at a set.
fn sets_of(board: &Board, at: usize, stamp: u64) -> impl DoubleEndedIterator<Item = &[Slot; WAYS]> {
    let turned = u32::try_from(at).map_or(stamp, |at| stamp.rotate_left(at * 7));
    [turned, turned.rotate_left(32)].into_iter().filter_map(move |part| {
        let part = usize::try_from(part & u64::from(u32::MAX)).ok()?;
        board.get(part.checked_rem(board.len())?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::reply::SIGNATURE_OCTETS;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    fn kept(stamp: u64, expiration: u64) -> Kept {
        Kept { stamp, expiration: UnixTime(expiration).rrsig(), octets: [7; SIGNATURE_OCTETS] }
    }

    /// Stamps as hashes are.
    fn stamps(count: u64) -> impl Iterator<Item = u64> {
        (1..=count).map(|n| crate::dns::rrset::digest(1, 2, &n.to_be_bytes()))
    }

    fn places(shelf: &Shelf) -> usize {
        shelf.boards.iter().filter_map(OnceLock::get).map(|board| board.len() * WAYS).sum()
    }

    #[test]
    fn it_holds_what_is_put_on_it_and_grows_with_that() {
        let shelf = Shelf::default();
        assert_eq!((shelf.find(5), places(&shelf)), (None, 0));
        for (count, places_max) in [(3, 64), (5_000, 32_000), (60_000, 360_000)] {
            for stamp in stamps(count) {
                shelf.keep(&kept(stamp, NOW.0 + 9), NOW);
            }
            assert!(stamps(count).all(|stamp| shelf.find(stamp) == Some(kept(stamp, NOW.0 + 9))), "{count}");
            assert!(places(&shelf) <= places_max, "{} for {count}", places(&shelf));
        }
    }

    #[test]
    fn a_newer_signature_takes_the_place_of_the_older_and_what_has_ended_makes_room() {
        let shelf = Shelf::default();
        for round in 1..100 {
            let now = UnixTime(NOW.0 + round * 10);
            for stamp in stamps(20).map(|stamp| stamp ^ round) {
                shelf.keep(&kept(stamp, now.0 + 1), now);
                shelf.keep(&kept(stamp, now.0 + 9), now);
                assert_eq!(shelf.find(stamp), Some(kept(stamp, now.0 + 9)));
            }
        }
        assert!(places(&shelf) <= 64 + 256, "{}", places(&shelf));
    }
}
