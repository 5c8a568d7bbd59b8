//! A journal that was made shorter decides as the whole one did, whatever comes next.

use super::world::{DAY, EVERY, HOUR, Host, LIFE, World, host, key};
use mxseal::cert::{KeyClass, KeyKind, Spki};
use mxseal::roll::hosts::condense::condensed;
use mxseal::roll::hosts::facts::{Fact, Origin, Shown};
use mxseal::roll::hosts::fold::PoolFacts;
use mxseal::roll::hosts::forecast::forecast;
use mxseal::roll::hosts::plan::plan;
use mxseal::roll::hosts::step::permit_deploy;
use mxseal::roll::item::Caution;
use mxseal::roll::life::{Facts, Record};

pub fn fold(records: &[Record<Fact>]) -> PoolFacts {
    let mut facts = PoolFacts::default();
    records.iter().for_each(|record| facts.apply(record).expect("it follows"));
    facts
}

/// Both decide the same now and for weeks, and go on to do so whatever is recorded next.
pub fn decide_alike(world: &World, shorter: &[Record<Fact>]) {
    let (mut short, mut whole) = (fold(shorter), world.facts.clone());
    let (wanted, conditions, month) = (&world.wanted, world.conditions(), world.now.after(30 * DAY));
    let ahead =
        |facts: &PoolFacts| format!("{:?}", forecast(facts, wanted, &world.policy, &conditions, world.now, month));
    assert_eq!(ahead(&short), ahead(&whole));
    for hours in [0, 1, 2, 70, 80, 200, 2000] {
        let later = world.now.after(hours * HOUR);
        alike(world, &short, &whole, later);
        // The clock goes on, what is served is seen, and each host shows something else.
        let mut both = |fact: Fact| {
            let told = [&mut short, &mut whole].map(|facts| facts.take(&fact, later));
            assert_eq!(told[0], told[1], "{fact:?}");
        };
        both(Fact::ClockCorrected { by: 60 });
        for address in &world.wanted.addresses {
            let shows = if hours % 4 == 0 { Shown::Plain } else { Shown::Key(key("first")) };
            both(Fact::HostShows { address: *address, class: KeyClass::Ecdsa, sni: true, shows });
        }
        let served = |facts: &mut PoolFacts| {
            let seen = later.0;
            let through = facts.records;
            let fact = Fact::PoolServed { instance: 1, snapshot: 1, first_seen: seen, last_seen: seen, through };
            facts.take(&fact, later).expect("it follows");
        };
        served(&mut short);
        served(&mut whole);
        alike(world, &short, &whole, later.after(HOUR));
    }
}

fn alike(world: &World, short: &PoolFacts, whole: &PoolFacts, now: mxseal::time::UnixTime) {
    let policy = &world.policy;
    let decide = |facts: &PoolFacts| plan(facts, &world.wanted, policy, &world.conditions(), now);
    assert_eq!(decide(short), decide(whole));
    for caution in [Caution::Ttl, Caution::Expiry] {
        let history = |facts: &PoolFacts| {
            let all = facts.history(&facts.showings(policy.probed), caution, HOUR, now);
            (all.addresses, all.tlsa, all.shows)
        };
        assert_eq!(history(short), history(whole));
        for key in &whole.keys {
            let permit = |facts: &PoolFacts| format!("{:?}", permit_deploy(facts, key.spki, caution, policy, now));
            assert_eq!(permit(short), permit(whole));
        }
    }
    let keys = |facts: &PoolFacts| {
        let told =
            |key: &mxseal::roll::hosts::fold::KeyFacts| (key.spki, key.given_up.clone(), key.permitted, key.adopted);
        facts.keys.iter().map(told).collect::<Vec<_>>()
    };
    assert_eq!(keys(short), keys(whole));
    assert_eq!(short.reachable(HOUR, now), whole.reachable(HOUR, now));
    assert_eq!(short.reachable_apart(HOUR, now), whole.reachable_apart(HOUR, now));
    assert_eq!((short.time, short.served_keys()), (whole.time, whole.served_keys()));
    assert_eq!((&short.sights, &short.doubt, short.resumed), (&whole.sights, &whole.doubt, whole.resumed));
    assert_eq!(short.limits_in_force(), whole.limits_in_force());
    // Keys that were ever served or given up are known in both, be they forgotten: that tells this pool's journal.
    let published = world.journal.iter().filter_map(|record| match &record.fact {
        Fact::Tlsa { keys } => Some(keys.clone()),
        Fact::KeyGivenUp { spki, .. } => Some(vec![*spki]),
        _ => None,
    });
    for spki in published.flatten() {
        assert!(short.has_known(spki) && whole.has_known(spki), "{spki:?}");
    }
}

fn one(number: u64) -> Host {
    let keys = [(KeyClass::Ecdsa, Spki::of(&number.to_be_bytes()))].into();
    Host { keys, without_name: Default::default(), up: true, starttls: true }
}

/// A host shows a key that nobody has seen before, as a program of before recorded it.
fn surprise(world: &mut World, number: u8, round: u64) {
    let spki = Spki::of(&(round * 1000 + u64::from(number)).to_be_bytes());
    let kind = Some(KeyKind::EcdsaP256);
    world.record(Fact::KeyKnown { spki, kind, origin: Origin::Host, file: String::new() });
    let shows = Shown::Key(spki);
    world.record(Fact::HostShows { address: host(number), class: KeyClass::Ecdsa, sni: true, shows });
}

#[test]
fn a_journal_full_of_keys_that_hosts_showed_is_told_in_few_facts() {
    let mut world = World::new(2);
    // Hosts at tenants' own addresses show a new key at each look, as nobody does who means well.
    world.wanted.apart = (50..60).map(host).collect();
    world.turn();
    for round in 0..60u64 {
        (50..60).for_each(|number| surprise(&mut world, number, round));
        world.now = world.now.after(EVERY);
        if round % 20 == 0 {
            // A tenant with an address of its own comes, and one goes.
            world.wanted.apart.insert(host(100 + u8::try_from(round / 20).expect("small")));
            world.record(Fact::Apart { addresses: world.wanted.apart.iter().copied().collect() });
        }
    }
    let shorter = condensed(&world.journal).expect("some of it is not needed");
    assert!(shorter.len() * 10 < world.journal.len(), "{} of {}", shorter.len(), world.journal.len());
    decide_alike(&world, &shorter);
    assert_eq!(condensed(&shorter).map_or(shorter.len(), |again| again.len()), shorter.len(), "once is enough");
}

#[test]
fn permits_that_are_given_again_and_again_are_told_once() {
    let mut world = World::new(2);
    let next = world.next_key(KeyKind::EcdsaP256).expect("a next key");
    for _ in 0..500 {
        world.now = world.now.after(EVERY);
        let until = world.now.after(HOUR).0;
        world.record(Fact::Permitted { spki: next, until });
        world.record(Fact::PermitWithdrawn { spki: next });
    }
    world.record(Fact::Permitted { spki: next, until: world.now.after(HOUR).0 });
    let shorter = condensed(&world.journal).expect("some of it is not needed");
    assert!(shorter.len() < 50, "{} of {}", shorter.len(), world.journal.len());
    decide_alike(&world, &shorter);
}

#[test]
fn at_each_moment_of_a_roll_with_surprises_the_shorter_journal_decides_alike() {
    let mut world = World::new(3);
    let next = world.next_key(KeyKind::EcdsaP256).expect("a next key");
    let mut shortened = 0;
    for step in 0..24u64 {
        match step {
            2 => world.show(host(3), one(7)),
            3 => drop(world.record(Fact::KeyAdopted {
                spki: Spki::of(&7u64.to_be_bytes()),
                kind: KeyKind::EcdsaP256,
                origin: Origin::Adopted,
                reason: "ours".to_owned(),
            })),
            4..=6 => drop(world.deploy(
                host(u8::try_from(step).expect("small") - 3),
                KeyKind::EcdsaP256,
                next,
                Caution::Expiry,
            )),
            7 => world.wanted.current = [(next, KeyKind::EcdsaP256)].into(),
            9 => world.limits = (world.limits.0 * 2, LIFE),
            11 => world.limits = (world.limits.0 / 2, LIFE),
            12 => world.wanted.apart = [host(90)].into(),
            15 => world.wanted.apart.clear(),
            16 => {
                let spki = key("first");
                world.record(Fact::KeyGivenUp { spki, emergency: true, reason: "stolen".to_owned() });
            }
            _ => {}
        }
        surprise(&mut world, 91, 2 * step);
        surprise(&mut world, 91, 2 * step + 1);
        world.record(Fact::Doubted { reason: "who knows".to_owned() });
        world.record(Fact::Resumed { reason: "I do".to_owned() });
        world.turn();
        world.run(DAY / 2);
        if let Some(shorter) = condensed(&world.journal) {
            shortened += 1;
            decide_alike(&world, &shorter);
        }
    }
    assert!(shortened > 20, "{shortened}");
    assert!(!world.facts.served_keys().contains(&key("first")));
}
