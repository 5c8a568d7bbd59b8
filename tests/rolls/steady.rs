//! No roll at all: what the judges say when nothing happens, and that they speak up when keys are replaced without waits.

use super::fixture;
use super::parent::Maker;
use crate::live::wire::{Ask, SOA};
use crate::live::{Running, World, mxseal, poll_until};
use std::time::{Duration, Instant};

/// Longer than any signature and any TTL.
const QUIET: Duration = Duration::from_secs(10);

/// Looks until the time is over, or the judges found a fault.
fn poll_for(lab: &fixture::Lab, time: Duration) {
    let begun = Instant::now();
    poll_until("its end", || (begun.elapsed() > time || lab.askers.bad() > 0).then_some(()));
}

#[test]
fn without_a_roll_every_kind_of_answer_is_secure_below_knot_and_below_bind() {
    for maker in [Maker::Knot, Maker::Bind] {
        let lab = fixture::start(maker);
        poll_for(&lab, QUIET);
        let verdicts = lab.good(&format!("at rest below {maker:?}"));
        assert!(verdicts.good > 500 && verdicts.delv > 10, "{verdicts}");
    }
}

/// A server with keys of its own, at another port until it is to take over.
fn twin(world: &World) -> (Running, Vec<String>) {
    // It knows no parent: where the parent has a DS already, no first keys are made.
    let nobody = |line: &str| {
        if line.starts_with("parents") { "parents = [\"127.0.0.1:5999\"]" } else { line }.to_owned() + "\n"
    };
    let config: String = world.read("mxseal.toml").lines().map(nobody).collect();
    world.write("twin.toml", &config.replace("5300", "5306").replace("[server]", "keys = \"twin\"\n[server]"));
    let mut twin = world.start("twin", mxseal(), &["--config", "twin.toml", "serve"]);
    twin.poll_until("an answer", || Ask::of("mx.example", SOA).once(world.at(6), Duration::from_millis(300)));
    let ds = world.said(mxseal(), &["--config", "twin.toml", "zone", "ds", "mx.example"]);
    (twin, fixture::ds_data(&ds))
}

#[test]
fn keys_that_are_replaced_at_once_with_their_ds_are_bogus_and_the_judges_say_so() {
    let mut lab = fixture::start(Maker::Knot);
    let (mut twin, ds) = twin(&lab.world);
    twin.kill();
    assert_eq!(lab.askers.bad(), 0);
    // At every moment the servers agree with each other: only what caches hold does not fit.
    lab.server.kill();
    let config = lab.world.read("twin.toml").replace("5306", "5300");
    lab.world.write("mxseal.toml", &config);
    lab.parent.as_ref().unwrap().set_ds(ds);
    lab.server = lab.world.serve("mx.example");
    poll_until("a fault", || (lab.askers.bad() > 0).then_some(()));
    let verdicts = lab.askers.end();
    println!("replaced at once: {verdicts}");
    assert!(verdicts.faults.iter().any(|fault| fault.contains("bogus")), "{verdicts}: {:?}", verdicts.faults);
}
