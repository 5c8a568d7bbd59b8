//! How many answers a second a source gets over UDP, so that forged sources gain nothing (response rate limiting).
//!
//! Pure: the moment comes in as an argument. An address has a rate for each account: kind of answer, zone, and the name of
//! a positive answer. The wider prefixes around it sum over zones and names, so that whoever asks for many of them in a
//! victim's name only gets from the address's rate to that of its /24 (/64), for each kind of answer.
//! It must never limit a source that stays below its rates because of what sources outside its prefixes do.

use super::ledger::{Ledger, LedgerLine};
use crate::answer::{Account, Class};
use foldhash::quality::SeedableRandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::time::Duration;

/// Sets of four places, 256 KiB a thread: half of a small second-level cache. At 200 answers a second an answer is
/// remembered for 5.2 ms (IPv6: 10.5 ms), summed over its prefixes: a million a second take a third (two thirds) of it.
const SETS: usize = 4096;

/// What an answer costs the widest prefix, and a unit of time is what that takes to earn; every factor divides 768.
const UNITS: u64 = 768;

/// Prefixes with their factors, as Knot has them: the address alone, a customer, a site, a provider. IPv4 addresses lie
/// in the upper 32 bits.
const IPV4: [Prefix; 4] = [prefix(4, 32, 1), prefix(4, 24, 32), prefix(4, 20, 256), prefix(4, 18, 768)];
const IPV6: [Prefix; 5] = [prefix(6, 128, 1), prefix(6, 64, 2), prefix(6, 56, 3), prefix(6, 48, 4), prefix(6, 32, 64)];

/// How answers over UDP are limited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Answers a second for one address and account, in each UDP thread (one for each worker and address that is listened
    /// on); 0: no limit.
    pub answers_per_second: u32,
    /// Whether loopback sources are limited too.
    pub limit_loopback: bool,
    /// What would be limited is only counted.
    pub dry_run: bool,
}

impl Default for RateLimit {
    fn default() -> RateLimit {
        // As NSD suggests: above what a resolver asks about one name, far below what harms who did not ask. Loopback
        // cannot be forged from outside, and load tests come from there.
        RateLimit { answers_per_second: 200, limit_loopback: false, dry_run: false }
    }
}

/// The rates of one thread. Allocates once, in [`Rates::new`].
#[derive(Debug)]
pub(super) struct Rates {
    limit: RateLimit,
    debts: Ledger,
    /// Secret: whoever knew it could make others share a place.
    key: SeedableRandomState,
}

/// A moment in the unit of the rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(u64);

#[derive(Debug)]
struct Prefix {
    mask: u128,
    /// Keeps prefixes of one family and length apart from all others.
    kind: u32,
    /// What one answer costs it.
    cost: u64,
}

const fn prefix(family: u32, length: u32, factor: u64) -> Prefix {
    Prefix { mask: u128::MAX << (128 - length), kind: family << 8 | length, cost: UNITS / factor }
}

impl Rates {
    /// Nobody owes anything.
    pub(super) fn new(limit: RateLimit, key: SeedableRandomState) -> Rates {
        let sets = if limit.answers_per_second == 0 { 1 } else { SETS };
        Rates { limit, debts: Ledger::new(sets), key }
    }

    /// Whether `source` is never limited: a cookie proves that it is real, or its address does.
    pub(super) fn exempts(&self, source: IpAddr, account: &Account) -> bool {
        self.limit.answers_per_second == 0
            || account.proven
            || (!self.limit.limit_loopback && source.to_canonical().is_loopback())
    }

    /// Whether what is limited is only counted.
    pub(super) fn is_dry(&self) -> bool {
        self.limit.dry_run
    }

    /// The moment `elapsed` after any fixed one.
    pub(super) fn moment(&self, elapsed: Duration) -> Moment {
        let units = elapsed.as_micros() * u128::from(self.second()) / 1_000_000;
        Moment(u64::try_from(units).unwrap_or(u64::MAX))
    }

    /// Whether `source` gets this answer. One that it does not get costs it nothing, so it gets the full rate at any
    /// load. At once it gets one second's worth: a resolver that lost its cache asks in bursts, and in no second does
    /// anybody get more than twice the rate.
    pub(super) fn allows(&mut self, source: IpAddr, account: &Account, now: Moment) -> bool {
        let second = self.second();
        let (address, prefixes) = match source.to_canonical() {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, &IPV4[..]),
            IpAddr::V6(v6) => (v6.to_bits(), &IPV6[..]),
        };
        let mut places = [LedgerLine::default(); IPV6.len()];
        for (at, (place, prefix)) in places.iter_mut().zip(prefixes).enumerate() {
            let (zone, name) = if at == 0 { (account.zone, account.name) } else { (0, 0) };
            *place = self.debts.find(self.hash(address, prefix, account.class, zone, name));
            if place.debt(now.0).saturating_add(prefix.cost) > second {
                return false;
            }
        }
        for (place, prefix) in places.iter().zip(prefixes) {
            self.debts.charge(*place, prefix.cost, now.0);
        }
        true
    }

    /// Units in a second.
    fn second(&self) -> u64 {
        u64::from(self.limit.answers_per_second) * UNITS
    }

    fn hash(&self, address: u128, prefix: &Prefix, class: Class, zone: u64, name: u64) -> u64 {
        let mut hasher = self.key.build_hasher();
        hasher.write_u128(address & prefix.mask);
        hasher.write_u64(zone);
        hasher.write_u64(name);
        hasher.write_u64(u64::from(prefix.kind) << 32 | class as u64);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use foldhash::SharedSeed;

    static SEED: SharedSeed = SharedSeed::from_u64(1);

    fn rates(answers_per_second: u32) -> Rates {
        let limit = RateLimit { answers_per_second, ..RateLimit::default() };
        Rates::new(limit, SeedableRandomState::with_seed(2, &SEED))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn positive(name: u64) -> Account {
        Account { class: Class::Positive, zone: 1, name, proven: false }
    }

    fn denial(zone: u64) -> Account {
        Account { class: Class::Denial, zone, ..Account::default() }
    }

    fn at(rates: &Rates, millis: u64) -> Moment {
        rates.moment(Duration::from_millis(millis))
    }

    /// How many of `asked` answers a source gets at one moment.
    fn got(rates: &mut Rates, source: &str, account: &Account, millis: u64, asked: usize) -> usize {
        let now = at(rates, millis);
        (0..asked).filter(|_| rates.allows(ip(source), account, now)).count()
    }

    #[test]
    fn a_source_gets_a_second_s_worth_at_once_and_then_its_rate_and_nothing_more() {
        let mut rates = rates(200);
        let mut count = |millis, asked| got(&mut rates, "192.0.2.1", &denial(1), millis, asked);
        assert_eq!(count(0, 1000), 200);
        assert_eq!(count(4, 1000), 0);
        assert_eq!(count(5, 1000), 1);
        assert_eq!(count(100, 1000), 19);
        assert_eq!(count(1_100, 1000), 200);
        assert_eq!(count(900_000, 1000), 200, "no more than a second's worth is saved");
        let flood: usize = (901_000..911_000).map(|millis| count(millis, 50)).sum();
        assert_eq!(flood, 200 + 1999, "limited answers cost nothing");
    }

    #[test]
    fn outcomes_zones_and_names_of_positive_answers_have_rates_of_their_own() {
        let mut rates = rates(10);
        let accounts = [
            positive(1),
            positive(2),
            Account { zone: 2, ..positive(1) },
            denial(1),
            denial(2),
            Account { class: Class::Referral, zone: 1, ..Account::default() },
            Account::default(),
        ];
        for account in accounts {
            assert_eq!(got(&mut rates, "192.0.2.1", &account, 0, 100), 10, "{account:?}");
        }
    }

    #[test]
    fn an_address_that_asks_for_many_names_gets_what_its_prefix_gets() {
        let mut rates = rates(10);
        let now = at(&rates, 0);
        let ipv4 = (0..10_000).filter(|name| rates.allows(ip("192.0.2.1"), &positive(*name), now)).count();
        assert_eq!(ipv4, 320);
        let ipv6 = (0..10_000).filter(|name| rates.allows(ip("2001:db8::1"), &positive(*name), now)).count();
        assert_eq!(ipv6, 20);
    }

    #[test]
    fn a_victim_gets_no_more_for_more_zones() {
        let mut rates = rates(10);
        let now = at(&rates, 0);
        let account = |n: u64| Account { zone: n % 1000, ..positive(n) };
        let got = (0..10_000).filter(|n| rates.allows(ip("192.0.2.1"), &account(*n), now)).count();
        assert_eq!(got, 320, "of a thousand zones as much as of one");
    }

    /// How many answers come through when every address asks for more than its rate.
    fn sum(rates: &mut Rates, sources: impl Iterator<Item = IpAddr>) -> usize {
        let now = at(rates, 0);
        sources.map(|source| (0..5).filter(|_| rates.allows(source, &denial(1), now)).count()).sum()
    }

    #[test]
    fn wider_prefixes_sum_to_their_factors() {
        let net = |base: &str, step: u32, count: u32| {
            let IpAddr::V4(base) = ip(base) else { panic!("IPv4") };
            (0..count).map(move |at| IpAddr::from((base.to_bits() + at * step).to_be_bytes()))
        };
        assert_eq!(sum(&mut rates(2), net("198.51.100.0", 1, 256)), 64, "a /24");
        assert_eq!(sum(&mut rates(2), net("198.51.96.0", 16, 256)), 512, "a /20, sixteen addresses of each /24");
        assert_eq!(sum(&mut rates(2), net("198.51.64.0", 4, 4096)), 1536, "a /18");
        // Two /18s have nothing in common.
        assert_eq!(sum(&mut rates(2), net("198.51.0.0", 4, 8192)), 3072);
    }

    #[test]
    fn prefixes_of_ipv6_sum_to_their_factors() {
        let net = |shift: u32, count: u128| {
            let IpAddr::V6(base) = ip("2001:db8::1") else { panic!("IPv6") };
            (0..count).map(move |at| IpAddr::from((base.to_bits() + (at << shift)).to_be_bytes()))
        };
        for (shift, count, factor) in [(0, 256, 2), (64, 256, 3), (72, 256, 4), (80, 4096, 64)] {
            assert_eq!(sum(&mut rates(2), net(shift, count)), 2 * factor, "steps of 2^{shift}");
        }
        assert_eq!(got(&mut rates(7), "2001:db8::1", &denial(1), 0, 100), 7);
        assert_eq!(got(&mut rates(7), "::ffff:192.0.2.1", &denial(1), 0, 100), 7, "IPv4 in IPv6 counts as IPv4");
    }

    #[test]
    fn ipv4_mapped_in_ipv6_shares_the_account_of_its_address() {
        let mut rates = rates(7);
        assert_eq!(got(&mut rates, "192.0.2.1", &denial(1), 0, 5), 5);
        assert_eq!(got(&mut rates, "::ffff:192.0.2.1", &denial(1), 0, 5), 2);
    }

    /// A small generator, so that a failure can be repeated.
    fn next(seed: &mut u64) -> u64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *seed >> 33
    }

    #[test]
    fn who_stays_below_the_rate_is_never_limited_whatever_others_do() {
        let (mut rates, mut seed) = (rates(200), 7);
        let victims = ["203.0.113.9", "2001:db8:7::9"];
        let mut passed = [0; 2];
        let mut heavy = 0;
        // Three seconds: each victim asks every 5 ms; 100,000 answers a second for forged sources everywhere else.
        for millis in 0..3_000 {
            let now = at(&rates, millis);
            for _ in 0..100 {
                let forged = u32::try_from(next(&mut seed) & 0x7fff_ffff).expect("31 bits");
                rates.allows(IpAddr::from(forged.to_be_bytes()), &denial(next(&mut seed) % 3), now);
            }
            heavy += (0..5).filter(|_| rates.allows(ip("198.51.100.7"), &denial(1), now)).count();
            if millis % 5 == 0 {
                for (victim, passed) in victims.iter().zip(&mut passed) {
                    *passed += usize::from(rates.allows(ip(victim), &denial(1), now));
                }
            }
        }
        assert_eq!(passed, [600; 2], "all of them");
        assert_eq!(heavy, 200 + 599, "and the flood does not make the table forget who is limited");
    }

    #[test]
    fn a_table_that_is_full_limits_less_and_never_somebody_else() {
        let mut rates = rates(1);
        let now = at(&rates, 0);
        let mut limited = 0;
        // At one answer a second each source fills its places for a second: 100,000 of them want many times what is there.
        for one in 0..100_000u32 {
            // An odd factor repeats no value.
            let network = u128::from(one.wrapping_mul(0x9e37_79b1));
            let source = IpAddr::from((network << 96 | 1).to_be_bytes());
            limited += usize::from(!rates.allows(source, &denial(1), now));
        }
        assert_eq!(limited, 0, "every source asked once");
    }

    #[test]
    fn cookies_and_loopback_exempt_and_zero_turns_it_off() {
        let limit = RateLimit { answers_per_second: 1, ..RateLimit::default() };
        let with = |limit: &RateLimit| Rates::new(limit.clone(), SeedableRandomState::with_seed(2, &SEED));
        let (account, proven) = (denial(1), Account { proven: true, ..denial(1) });
        for (source, is_exempt) in
            [("127.0.0.1", true), ("127.9.8.7", true), ("::1", true), ("::ffff:127.0.0.1", true), ("192.0.2.1", false)]
        {
            assert_eq!(with(&limit).exempts(ip(source), &account), is_exempt, "{source}");
            assert!(with(&limit).exempts(ip(source), &proven));
            let all = RateLimit { limit_loopback: true, ..limit.clone() };
            assert!(!with(&all).exempts(ip(source), &account));
            let off = RateLimit { answers_per_second: 0, ..all };
            assert!(with(&off).exempts(ip(source), &account));
        }
    }
}
