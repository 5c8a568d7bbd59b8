//! Rolls of zone keys in virtual time: nothing may ever become bogus, and every roll must end or name what stops it.
#![allow(clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test ends at the first surprise")]

use mxseal::roll::Policy;
use mxseal::roll::facts::{KeyLayout, Limits};
use mxseal::roll::sim::{Faults, Outcome, Setup, run};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

fn policy(layout: KeyLayout) -> Policy {
    let own = layout == KeyLayout::Csk;
    Policy {
        layout,
        algorithm: 13,
        ksk_lifetime: None,
        zsk_lifetime: Some(90 * DAY),
        csk_lifetime: Some(180 * DAY),
        margin: if own { HOUR } else { DAY },
    }
}

fn setup(layout: KeyLayout, faults: Faults, seed: u64) -> Setup {
    Setup {
        facts: None,
        policy: policy(layout),
        limits: Limits::of(3600, 1800, 300, (14 * DAY, 3 * DAY)),
        own_parent: layout == KeyLayout::Csk,
        servers: if layout == KeyLayout::Csk { 1 } else { 4 },
        years: 5,
        faults,
        seed,
    }
}

fn good(outcome: &Outcome, seed: u64) {
    if let Some(bogus) = &outcome.bogus {
        panic!("seed {seed}: at {:?}: {:?}\n{}", bogus.at, bogus.what, bogus.trace.join("\n"));
    }
    if let Some(stuck) = &outcome.stuck {
        panic!("seed {seed}: stuck\n{stuck}");
    }
}

const ALL: Faults = Faults { crash: true, clock: true, parent: true, ttl: true, people: true, algorithm: true };

#[test]
fn quiet_years_roll_by_themselves() {
    for layout in [KeyLayout::Csk, KeyLayout::KskAndZsk] {
        let outcome = run(&setup(layout, Faults::default(), 1), &mut |_| {});
        good(&outcome, 1);
        println!("{layout:?}: {:?}", outcome.count);
        for (at, text) in outcome.steps.iter().take(30) {
            println!("{} {text}", (at.0 - 1_800_000_000) as f64 / 86400.0);
        }
    }
}

#[test]
fn years_with_all_faults_are_never_bogus() {
    let from: u64 = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let n: u64 = std::env::var("SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(50);
    let begin = std::time::Instant::now();
    let (mut steps, mut rolls, mut crashes) = (0, 0, 0);
    for seed in from..from + n {
        for layout in [KeyLayout::Csk, KeyLayout::KskAndZsk] {
            let outcome = run(&setup(layout, ALL, seed), &mut |_| {});
            steps += outcome.count.steps;
            rolls += outcome.count.rolls;
            crashes += outcome.count.crashes;
            good(&outcome, seed);
        }
    }
    println!("{steps} steps {rolls} rolls {crashes} crashes in {:?}", begin.elapsed());
}

#[test]
fn one_world() {
    let Some(seed) = std::env::var("ONE").ok().and_then(|s| s.parse().ok()) else { return };
    for layout in [KeyLayout::Csk, KeyLayout::KskAndZsk] {
        let begin = std::time::Instant::now();
        let outcome = run(&Setup { years: 1, ..setup(layout, ALL, seed) }, &mut |done| {
            if begin.elapsed().as_secs() > 20 {
                panic!("slow at {done}");
            }
        });
        println!("{layout:?} {:?} {:?}", outcome.count, begin.elapsed());
        good(&outcome, seed);
    }
}
