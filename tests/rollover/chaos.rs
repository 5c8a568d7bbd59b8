//! Years with all faults, by seed.
//!
//! A fixed budget here; a longer one by `ROLLOVER_SEEDS=1000 cargo test --release --test rollover years`, and one seed again
//! by `ROLLOVER_FIRST=17 ROLLOVER_SEEDS=1`.

use super::lab::{DAY, HOUR, LIVES};
use mxseal::roll::zone::Policy;
use mxseal::roll::zone::facts::{KeyLayout, Limits};
use mxseal::roll::zone::sim::{Fault, Outcome, Setup, run};

/// Seeds of a run of the tests: some seconds a core.
const SEEDS: u64 = 200;

fn setup(layout: KeyLayout, faults: &[Fault], seed: u64, years: u64) -> Setup {
    let own = layout == KeyLayout::Csk;
    Setup {
        facts: None,
        policy: Policy {
            layout,
            algorithm: 13,
            ksk_lifetime: None,
            zsk_lifetime: Some(90 * DAY),
            csk_lifetime: Some(180 * DAY),
            margin: if own { HOUR } else { DAY },
        },
        limits: Limits::of(3600, 1800, 300, LIVES),
        own_parent: own,
        servers: if own { 1 } else { 4 },
        years,
        faults: faults.iter().copied().collect(),
        seed,
    }
}

fn good(outcome: &Outcome, what: &str) {
    if let Some(bogus) = &outcome.bogus {
        panic!("{what}: {}", super::lab::show(bogus));
    }
    if let Some(stuck) = &outcome.stuck {
        panic!("{what}: stuck\n{stuck}");
    }
}

fn is_bad(outcome: &Outcome) -> bool {
    outcome.bogus.is_some() || outcome.stuck.is_some()
}

/// Runs it; where it goes wrong, again and again with fewer kinds of faults and fewer years, as long as it goes wrong: what
/// is shown then is the least that it takes.
fn judged(setup: &Setup) -> Outcome {
    let outcome = run(setup, &mut |_| {});
    if !is_bad(&outcome) {
        return outcome;
    }
    let (mut least, mut worst) = (setup.clone(), outcome);
    let without = [Fault::Algorithm, Fault::Crash, Fault::Clock, Fault::Parent, Fault::Ttl, Fault::People].map(Some);
    for less in without.into_iter().chain([None]) {
        let mut setup = least.clone();
        match less {
            Some(fault) => setup.faults.retain(|kept| *kept != fault),
            None => setup.years = 1,
        }
        let outcome = run(&setup, &mut |_| {});
        if is_bad(&outcome) {
            (least, worst) = (setup, outcome);
        }
    }
    println!("the least that goes wrong: seed {}, {} years, {:?}", least.seed, least.years, least.faults);
    worst
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn years(layout: KeyLayout) {
    let first = number("ROLLOVER_FIRST", 1);
    let (mut steps, mut rolls, mut crashes) = (0, 0, 0);
    for seed in first..first + number("ROLLOVER_SEEDS", SEEDS) {
        let outcome = judged(&setup(layout, &Fault::ALL, seed, 2));
        good(&outcome, &format!("{layout:?}, ROLLOVER_FIRST={seed} ROLLOVER_SEEDS=1"));
        steps += outcome.count.steps;
        rolls += outcome.count.rolls;
        crashes += outcome.count.crashes;
    }
    println!("{layout:?}: {steps} steps, {rolls} rolls, {crashes} crashes, 0 bogus");
    assert!(rolls > 0 && crashes > 0, "something happened");
}

#[test]
fn years_of_a_shard_with_all_faults_are_never_bogus() {
    years(KeyLayout::Csk);
}

#[test]
fn years_below_a_registry_with_all_faults_are_never_bogus() {
    years(KeyLayout::KskAndZsk);
}

#[test]
fn quiet_years_roll_by_themselves_at_the_end_of_each_life() {
    // 180 days, and 17 more that a roll takes; 90 and 3.5.
    for (layout, rolls) in [(KeyLayout::Csk, 5), (KeyLayout::KskAndZsk, 11)] {
        let outcome = run(&setup(layout, &[], 1, 3), &mut |_| {});
        good(&outcome, "quiet years");
        assert!((rolls - 1..=rolls + 1).contains(&outcome.count.rolls), "{layout:?}: {}", outcome.count.rolls);
        assert_eq!(outcome.blocked, [""; 0]);
    }
}

#[test]
fn the_same_seed_gives_the_same_years() {
    let one = || run(&setup(KeyLayout::Csk, &Fault::ALL, 5, 1), &mut |_| {});
    let (a, b) = (one(), one());
    assert_eq!((a.count, a.steps), (b.count, b.steps));
}
