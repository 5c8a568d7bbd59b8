//! How many signatures may be made a second for answers that are not kept, and for which zones.
//!
//! Each zone has a share of its own, the total over the number of zones; whoever wants more takes what the others leave.
//! Pure: the moment comes in as an argument. It must never give more than the total, and never let one zone's flood of
//! random names take what another zone is due (hardening against floods of random names).

use super::ledger::Ledger;
use std::time::Duration;

/// Sets of four zones. A zone takes a place only while it uses its share, and leaves it when that is earned again: half a
/// second later, with more than [`MANY_ZONES`] as many times that as there are more. With more zones than that under attack at once, shares overlap; the total holds.
const SETS: usize = 256;

/// What the bucket holds at least, where that is no more than a second's worth; else it holds a twentieth of a second's.
/// While it empties at the begin of a flood, every query waits behind those signatures: for some 20 ms.
const AT_ONCE_MIN: u64 = 1000;
/// Zones beyond which a share at once is no longer in proportion.
const MANY_ZONES: u64 = 64;

/// A bucket: half of what it holds is there for the shares, the rest for everybody.
#[derive(Debug)]
pub(super) struct Budget {
    per_second: u64,
    /// What the bucket holds.
    at_once: u64,
    /// What was taken, as the moment when it will be earned again. A unit of time is what one signature takes to earn.
    taken_until: u64,
    shares: Ledger,
}

/// A permission to make one signature, and who paid for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purse {
    /// What everybody may use.
    Common,
    /// The zone's own share.
    Share,
}

/// Whom a signature is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    /// Keyed hash of the zone's apex.
    pub(super) zone: u64,
    /// How many zones there are to share with.
    pub(super) zones: usize,
    /// A span since any fixed moment.
    pub(super) now: Duration,
}

impl Budget {
    /// A full bucket.
    pub(super) fn new(per_second: u32) -> Budget {
        let per_second = u64::from(per_second);
        let at_once = per_second.min(AT_ONCE_MIN.max(per_second / 20));
        Budget { per_second, at_once, taken_until: 0, shares: Ledger::new(SETS) }
    }

    /// Takes one signature, if there is one for this zone, and says who paid.
    pub(super) fn take(&mut self, claim: &Claim) -> Option<Purse> {
        let now = self.units(claim.now);
        let taken = self.taken_until.saturating_sub(now);
        let (zones, saved_max) = (zones(claim), self.share_max(zones(claim)));
        // Half the bucket is kept back for the shares: enough for every zone, or for 64 of very many, at once.
        let reserve = zones.saturating_mul(saved_max).min(self.at_once / 2);
        let purse = if taken + reserve < self.at_once {
            Purse::Common
        } else {
            // A share earns one signature in as many units as there are zones.
            let owed = self.shares.find(claim.zone).debt(now).saturating_add(zones);
            let is_due = owed <= zones.saturating_mul(saved_max) && taken < self.at_once;
            is_due.then_some(Purse::Share)?
        };
        self.charge(claim, purse, 1);
        Some(purse)
    }

    /// Settles an answer that made more than the one signature that was taken for it. The total may be overdrawn by
    /// those, which is forgiven; a share pays them later.
    pub(super) fn settle(&mut self, claim: &Claim, purse: Purse, signatures: u8) {
        self.charge(claim, purse, u64::from(signatures.saturating_sub(1)));
    }

    fn charge(&mut self, claim: &Claim, purse: Purse, signatures: u64) {
        let now = self.units(claim.now);
        let taken = self.taken_until.saturating_sub(now).saturating_add(signatures);
        self.taken_until = self.taken_until.max(now.saturating_add(taken.min(self.at_once)));
        if purse == Purse::Share && signatures > 0 {
            self.shares.charge(self.shares.find(claim.zone), signatures.saturating_mul(zones(claim)), now);
        }
    }

    /// Signatures that a zone may have saved up of its share: of half the bucket; where there are many zones, of which few
    /// are ever under attack at once, a part of the reserve that a resolver's questions fit in.
    fn share_max(&self, zones: u64) -> u64 {
        (self.at_once / 2 / zones.min(MANY_ZONES)).max(1)
    }

    fn units(&self, now: Duration) -> u64 {
        let units = now.as_micros() * u128::from(self.per_second) / 1_000_000;
        u64::try_from(units).unwrap_or(u64::MAX)
    }
}

fn zones(claim: &Claim) -> u64 {
    u64::try_from(claim.zones).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(zone: u64, zones: usize, millis: u64) -> Claim {
        Claim { zone, zones, now: Duration::from_millis(millis) }
    }

    /// How many signatures the budget gives, one after another, of `wanted`.
    fn take(budget: &mut Budget, claim: &Claim, wanted: usize) -> usize {
        (0..wanted).take_while(|_| budget.take(claim).is_some()).count()
    }

    #[test]
    fn a_single_zone_gets_a_second_s_worth_at_once_and_then_its_rate() {
        let mut budget = Budget::new(100);
        assert_eq!(take(&mut budget, &claim(1, 1, 0), 1000), 100);
        assert_eq!(take(&mut budget, &claim(1, 1, 0), 1000), 0);
        assert_eq!(take(&mut budget, &claim(1, 1, 70), 1000), 7);
        assert_eq!(take(&mut budget, &claim(1, 1, 1070), 1000), 100);
        assert_eq!(take(&mut budget, &claim(1, 1, 90_000), 1000), 100, "no more than a second's worth is saved");
    }

    #[test]
    fn zero_allows_nothing_and_a_clock_that_goes_back_earns_nothing() {
        assert_eq!(take(&mut Budget::new(0), &claim(1, 1, 5_000), 10), 0);
        let mut budget = Budget::new(5);
        assert_eq!(take(&mut budget, &claim(1, 1, 10_000), 1000), 5);
        assert_eq!(take(&mut budget, &claim(1, 1, 1_000), 1000), 0);
        assert_eq!(take(&mut budget, &claim(1, 1, 10_000), 1000), 0);
    }

    #[test]
    fn an_answer_with_two_signatures_costs_two() {
        for (per_second, zones) in [(5, 1), (10, 5)] {
            let mut budget = Budget::new(per_second);
            let claim = claim(1, zones, 0);
            let mut answers = 0;
            while let Some(purse) = budget.take(&claim) {
                budget.settle(&claim, purse, 2);
                answers += 1;
            }
            // The last one overdraws: of 5 the third; of the 5 in common the third, then the one of the share.
            assert_eq!(answers, if zones == 1 { 3 } else { 4 });
        }
    }

    #[test]
    fn a_flood_of_one_zone_leaves_each_other_zone_its_share() {
        let mut budget = Budget::new(1000);
        // Ten zones: half of the total is kept back, so each has 50 saved, and earns 100 a second.
        assert_eq!(take(&mut budget, &claim(1, 10, 0), 10_000), 550);
        for zone in 2..=10 {
            assert_eq!(take(&mut budget, &claim(zone, 10, 0), 10_000), 50, "zone {zone}");
        }
        assert_eq!(take(&mut budget, &claim(1, 10, 0), 10_000), 0, "the total is spent");
    }

    #[test]
    fn with_very_many_zones_a_quiet_one_still_gets_some_at_once() {
        let mut budget = Budget::new(1280 * 20);
        assert_eq!(take(&mut budget, &claim(1, 10_000, 0), 100_000), 640 + 10, "what is for all, and its share");
        assert_eq!(take(&mut budget, &claim(2, 10_000, 0), 100_000), 10);
    }

    #[test]
    fn in_a_flood_that_lasts_the_total_holds_and_small_zones_get_all_they_ask_for() {
        let mut budget = Budget::new(1000);
        let (mut flood, mut small) = (0, [0; 9]);
        // Ten seconds in steps of a millisecond: the flood comes first each time, the others ask 99 times a second.
        for millis in 0..10_000 {
            flood += take(&mut budget, &claim(1, 10, millis), 50);
            for (zone, got) in (2u64..).zip(&mut small) {
                if (millis + zone) * 99 / 1000 != (millis + zone + 1) * 99 / 1000 {
                    *got += take(&mut budget, &claim(zone, 10, millis), 1);
                }
            }
        }
        assert_eq!(small, [990; 9]);
        // Half a second's worth at first and then the rate: all that nobody is due is used, all that is due is kept.
        let more = flood + 9 * 990 - 500 - 9999;
        assert!(more <= 10, "{more}");
    }

    #[test]
    fn many_floods_share_evenly_what_a_zone_is_due() {
        let mut budget = Budget::new(1000);
        let mut got = [0; 4];
        for millis in 0..20_000 {
            for (zone, got) in (1u64..).zip(&mut got) {
                *got += take(&mut budget, &claim(zone, 5, millis), 50);
            }
        }
        let more = got.iter().sum::<usize>() - 500 - 19_999;
        assert!(more <= 4, "{more}");
        assert!(got.iter().all(|got| *got >= 200 * 19), "each has its fifth: {got:?}");
        assert_eq!(take(&mut budget, &claim(5, 5, 20_000), 1000), 100, "the fifth zone's share is untouched");
    }

    #[test]
    fn more_zones_than_signatures_or_places_never_exceed_the_total() {
        for (per_second, zones) in [(3, 1), (3, 100), (1, 5), (7, 6), (100, 100_000)] {
            let mut budget = Budget::new(per_second);
            let mut got = 0;
            for zone in 0..5_000u64 {
                got += take(&mut budget, &claim(zone << 32 | zone, zones, 0), 100);
            }
            assert_eq!(got, usize::try_from(per_second).expect("small"), "{per_second} for {zones} zones");
        }
    }
}
