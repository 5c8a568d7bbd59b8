//! Tenants that go from one pool to another, late ones among them, while both pools live on (S52).

use super::world::{DAY, EVERY, HOUR, LIFE, TTL, Truth, World, host, key, publish_one};
use mxseal::cert::{KeyKind, Spki};
use mxseal::roll::hosts::check::{AddressSet, History, SpkiSet, dane_ok};
use mxseal::roll::hosts::facts::{Fact, Origin};
use mxseal::roll::hosts::fold::PoolFacts;
use mxseal::roll::hosts::plan::plan;
use mxseal::roll::hosts::way::{has_arrived, inherited, wanted};
use mxseal::roll::hosts::{Conditions, NextKeys, Policy};
use mxseal::roll::item::Caution;
use mxseal::roll::item::Span;
use mxseal::roll::life::Facts;
use mxseal::store::journal::LINE_OCTETS_MAX;
use mxseal::time::{Seconds, UnixTime};

/// Two pools, a way between them, and the tenants that went it: when each joined.
struct Moving {
    from: World,
    to: World,
    way: World,
    tenants: Vec<UnixTime>,
    arrived: Option<UnixTime>,
}

impl Moving {
    fn new() -> Moving {
        let from = World::new(2);
        let mut to = World::empty(0, &[(KeyKind::EcdsaP256, "other")]);
        to.now = from.now;
        for number in 21..=22 {
            let mut one = from.hosts[&host(1)].clone();
            one.keys.insert(mxseal::cert::KeyClass::Ecdsa, key("other"));
            to.show(host(number), one);
            to.wanted.addresses.insert(host(number));
        }
        to.turn();
        to.run(LIFE + 2 * HOUR);
        to.run_until_rest(30 * DAY);
        let mut way = World::empty(0, &[]);
        way.now = to.now;
        let mut from = from;
        from.run_to(to.now);
        (way.journal, way.facts) = (Vec::new(), Default::default());
        way.begin(Fact::PoolBegan { from: Some("from".into()), to: Some("to".into()) });
        Moving { from, to, way, tenants: Vec::new(), arrived: None }
    }

    fn join(&mut self) {
        let now = self.way.now;
        for fact in inherited(&self.from.facts, HOUR, now) {
            let is_known = matches!(&fact, Fact::KeyKnown { spki, .. } if self.way.facts.key(*spki).is_some());
            if !is_known {
                self.way.record(fact);
            }
        }
        self.tenants.push(now);
        self.lead();
    }

    /// The way follows what both pools serve and show.
    fn lead(&mut self) {
        if self.tenants.is_empty() {
            return;
        }
        self.way.policy = Policy { margin: HOUR, next: NextKeys::Elsewhere, probed: true, drain: None, adopt: None };
        self.way.wanted = wanted(&[&self.from.facts], &self.to.facts);
        let shows = [&self.from, &self.to].iter().flat_map(|pool| pool.facts.showings(true)).collect();
        self.way.elsewhere = Some(Conditions { shows: Some(shows), ..Conditions::default() });
        self.way.turn();
        if self.arrived.is_none() && has_arrived(&self.way.facts, &self.to.facts, HOUR, self.way.now) {
            self.arrived = Some(self.way.now);
        }
    }

    fn run(&mut self, span: Seconds) {
        let until = self.way.now.after(span);
        while self.way.now < until {
            let next = self.way.now.after(HOUR / 2).0.min(until.0);
            self.from.run_to(UnixTime(next));
            self.to.run_to(UnixTime(next));
            self.way.run_to(UnixTime(next));
            self.lead();
        }
    }

    /// What a tenant that joined then was served in truth: the old pool's, the way's, the new pool's.
    fn judge(&self) {
        for joined in &self.tenants {
            let end = self.arrived;
            let tlsa = story(&self.from.true_tlsa, &self.way.true_tlsa, &self.to.true_tlsa, *joined, end);
            let addresses =
                story(&self.from.true_addresses, &self.way.true_addresses, &self.to.true_addresses, *joined, end);
            for caution in [Caution::Ttl, Caution::Expiry] {
                let kept = if caution == Caution::Ttl { Seconds::from(TTL) } else { LIFE };
                let shows = [&self.from, &self.to].iter().flat_map(|pool| pool.truth(caution).shows).collect();
                let history = History { addresses: spans(&addresses, kept), tlsa: spans(&tlsa, kept), shows };
                dane_ok(&history).unwrap_or_else(|conflict| panic!("joined {joined:?}: {conflict:#?}"));
            }
        }
    }
}

fn story<T: Clone + PartialEq>(
    from: &[Truth<T>],
    way: &[Truth<T>],
    to: &[Truth<T>],
    joined: UnixTime,
    arrived: Option<UnixTime>,
) -> Vec<Truth<T>> {
    let mut all: Vec<(UnixTime, T)> = Vec::new();
    let during = |truths: &[Truth<T>], begin: UnixTime, end: Option<UnixTime>| -> Vec<(UnixTime, T)> {
        let within = truths
            .iter()
            .filter(|truth| truth.last.is_none_or(|last| last > begin) && end.is_none_or(|end| truth.from < end));
        within.map(|truth| (truth.from.max(begin), truth.what.clone())).collect()
    };
    all.extend(during(from, UnixTime(0), Some(joined)));
    all.extend(during(way, joined, arrived));
    if let Some(arrived) = arrived {
        all.extend(during(to, arrived, None));
    }
    let mut truths = Vec::new();
    for (at, what) in all {
        publish_one(&mut truths, what, at, TTL, LIFE);
    }
    truths
}

fn spans<T: Clone>(truths: &[Truth<T>], kept: Seconds) -> Vec<Span<T>> {
    let span = |truth: &Truth<T>| Span {
        what: truth.what.clone(),
        from: truth.from,
        until: truth.last.map(|last| last.after(kept)),
    };
    truths.iter().map(span).collect()
}

#[test]
fn s52_the_union_first_then_addresses_then_only_the_new() {
    let mut moving = Moving::new();
    moving.join();
    let union: SpkiSet = moving.from.facts.served_keys().union(&moving.to.facts.served_keys()).copied().collect();
    assert_eq!(moving.way.facts.served_keys(), union);
    let old: AddressSet = (1..=2).map(host).collect();
    moving.run(LIFE);
    assert_eq!(moving.way.facts.served_addresses(), old, "caches may hold TLSA of before");
    moving.run(DAY);
    assert_eq!(moving.way.facts.served_addresses(), (21..=22).map(host).collect());
    assert_eq!(moving.way.facts.served_keys(), union, "caches may hold addresses of before");
    moving.run(LIFE + DAY);
    assert_eq!(moving.way.facts.served_keys(), moving.to.facts.served_keys());
    moving.run(LIFE + DAY);
    assert!(moving.arrived.is_some());
    moving.judge();
}

#[test]
fn s52_late_tenants_restart_the_wait_and_rolls_of_both_pools_go_on() {
    for roll_at in [0, 1, 2, 4, 5] {
        let mut moving = Moving::new();
        moving.join();
        for day in 0..12 {
            if day == 1 {
                moving.join();
            }
            if day == roll_at {
                // Both pools go over to their next keys meanwhile.
                for (pool, numbers) in [(&mut moving.from, [1, 2]), (&mut moving.to, [21, 22])] {
                    let next = pool.next_key(KeyKind::EcdsaP256).unwrap();
                    for number in numbers {
                        assert!(pool.deploy(host(number), KeyKind::EcdsaP256, next, Caution::Expiry));
                    }
                    pool.wanted.current = [(next, KeyKind::EcdsaP256)].into();
                    pool.turn();
                }
                moving.lead();
            }
            moving.run(DAY);
        }
        moving.run(20 * DAY);
        assert!(moving.arrived.is_some(), "roll on day {roll_at}: {:#?}", moving.way.plan);
        moving.judge();
    }
}

#[test]
fn a_way_decides_as_the_engine_does_and_needs_the_looks_of_both_pools() {
    let mut moving = Moving::new();
    moving.join();
    moving.run(LIFE + DAY);
    let silent = Conditions { silent: [(host(1), "down".to_owned())].into(), ..moving.way.elsewhere.clone().unwrap() };
    moving.way.now = moving.way.now.after(LIFE + EVERY);
    let way = &moving.way;
    let held = plan(&way.facts, &way.wanted, &way.policy, &silent, way.now);
    assert_eq!(held.next, None, "a host that is away may show what it showed");
}

#[test]
fn however_much_a_pool_served_it_goes_along_in_facts_that_a_journal_takes() {
    for versions in [0, 1, 6, 7, 40] {
        let mut from = World::empty(1, &[]);
        for version in 0..versions {
            let keys: Vec<Spki> = (0..16u8).map(|number| Spki::of(&[version, number / 8 * version, number])).collect();
            for spki in &keys {
                if from.facts.key(*spki).is_none() {
                    let file = String::new();
                    from.record(Fact::KeyKnown { spki: *spki, kind: None, origin: Origin::Given, file });
                }
            }
            from.record(Fact::Tlsa { keys });
            from.record(Fact::Addresses { addresses: (0..16u8).map(|number| host(number ^ version)).collect() });
            from.now = from.now.after(60);
        }
        let facts = inherited(&from.facts, HOUR, from.now);
        let mut way = PoolFacts::default();
        let began = Fact::PoolBegan { from: Some("a".to_owned()), to: Some("b".to_owned()) };
        for fact in [began].into_iter().chain(facts) {
            let record = way.next_record(fact, from.now);
            assert!(mxseal::store::journal::encode(&record).len() <= LINE_OCTETS_MAX);
            way.apply(&record).expect("it follows");
            if !way.tlsa.is_empty() {
                assert_eq!(way.served_keys(), from.facts.served_keys(), "at each of them, if it were the last");
                assert_eq!(way.served_addresses(), from.facts.served_addresses());
            }
        }
        for version in &from.facts.tlsa {
            assert!(way.tlsa.iter().any(|known| known.what == version.what), "{versions} sets");
        }
        assert_eq!(way.served_keys(), from.facts.served_keys());
    }
}
