//! Rolls from end to end while the judges ask.

use super::fixture::{self, Lab};
use super::parent::Maker;
use crate::live::{Dice, mxseal, poll_until};
use serde_json::Value;
use std::time::{Duration, Instant};

/// A roll that takes longer is stuck.
const ROLL_MAX: Duration = Duration::from_secs(90);
/// Between two looks at a roll.
const LOOK: Duration = Duration::from_millis(300);
/// After a roll caches still hold what it took away, if it took it away too early: they are asked until that has expired.
const AFTER: Duration = Duration::from_secs(3);

/// Between two cuts of power, at least.
const BETWEEN_CUTS: Duration = Duration::from_secs(2);

/// Whether our server is ended by kill -9 every few seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    Steady,
    Failing,
}
use Power::{Failing, Steady};

/// Tags of the keys of a zone that are published now.
fn published(info: &Value) -> Vec<u64> {
    let keys = info["keys"].as_array().unwrap().iter();
    let those = keys.filter(|key| key["published"].is_u64() && key["removed"].is_null());
    let mut tags: Vec<u64> = those.map(|key| key["tag"].as_u64().unwrap()).collect();
    tags.sort_unstable();
    tags
}

/// Tags of those that sign data.
fn active(info: &Value, role: &str) -> Vec<u64> {
    let keys = info["keys"].as_array().unwrap().iter();
    let those = keys.filter(|key| key["phase"] == "active" && key["role"] == role);
    those.map(|key| key["tag"].as_u64().unwrap()).collect()
}

impl Lab {
    /// What `keys status` says of a zone; none while the server is down.
    fn status(&self, zone: &str) -> Option<Value> {
        // It ends with 1 where something stands in the way, and says what.
        let output = self.world.run(mxseal(), &["-o", "json", "keys", "status", zone]);
        serde_json::from_slice(&output.stdout).ok()
    }

    /// Begins a roll; the tags that it is to take away.
    pub fn roll(&self, zone: &str, role: &str, more: &[&str]) -> Vec<u64> {
        let info = self.status(zone).unwrap();
        let old = active(&info, role);
        assert!(!old.is_empty(), "{info:#}");
        let args = [&["-o", "json", "keys", "roll", zone], more].concat();
        self.world.said(mxseal(), &args);
        old
    }

    /// Looks until a roll has ended and none of `old` is published any more, or a judge found a fault.
    pub fn poll_rolled(&mut self, zone: &str, old: &[u64], power: Power) {
        let begun = Instant::now();
        let (mut last, mut dice, mut cut) = (Value::Null, Dice(0x5eed_0012), Instant::now());
        while self.askers.bad() == 0 {
            if power == Power::Failing && cut.elapsed() > BETWEEN_CUTS + Duration::from_millis(dice.below(2000) as u64)
            {
                self.server.kill();
                self.server = self.world.serve("mx.example");
                self.cuts += 1;
                cut = Instant::now();
            }
            if let Some(info) = self.status(zone) {
                let there = published(&info);
                if info["state"] == "at rest" && !there.is_empty() && !there.iter().any(|tag| old.contains(tag)) {
                    println!("{zone}: rolled after {:?}", begun.elapsed());
                    return;
                }
                last = info;
            }
            assert!(begun.elapsed() < ROLL_MAX, "{zone}: the roll does not end: {last:#}\n{}", self.server.log());
            std::thread::sleep(LOOK);
        }
    }

    pub fn wait_after(&self) {
        let begun = Instant::now();
        poll_until("its end", || (begun.elapsed() > AFTER || self.askers.bad() > 0).then_some(()));
    }
}

#[test]
fn a_zsk_roll_and_a_csk_roll_below_our_own_parent_are_never_bogus() {
    let mut lab = fixture::start(Maker::Knot);
    let zsk = lab.roll("mx.example", "zsk", &["--role", "zsk"]);
    let csk = lab.roll("a-v1.mx.example", "csk", &[]);
    lab.poll_rolled("mx.example", &zsk, Steady);
    lab.poll_rolled("a-v1.mx.example", &csk, Steady);
    lab.wait_after();
    let verdicts = lab.good("a ZSK roll of mx.example and a CSK roll of a-v1.mx.example");
    assert!(verdicts.good > 1000 && verdicts.delv > 20, "{verdicts}");
}

#[test]
fn an_algorithm_roll_is_never_bogus_for_resolvers_that_demand_every_algorithm() {
    let mut lab = fixture::start(Maker::Knot);
    let csk = lab.roll("a-v1.mx.example", "csk", &["--algorithm", "15"]);
    lab.poll_rolled("a-v1.mx.example", &csk, Steady);
    lab.wait_after();
    let verdicts = lab.good("an algorithm roll of a-v1.mx.example");
    assert!(verdicts.good > 1000 && verdicts.delv > 20, "{verdicts}");
}

/// The registry takes the DS from CDS, late as registries are.
fn ksk_roll_below(maker: Maker) {
    let mut lab = fixture::start(maker);
    let ksk = lab.roll("mx.example", "ksk", &["--role", "ksk"]);
    lab.poll_rolled("mx.example", &ksk, Steady);
    lab.wait_after();
    let verdicts = lab.good(&format!("a KSK roll below {maker:?}"));
    assert!(verdicts.good > 1000 && verdicts.delv > 20, "{verdicts}");
}

#[test]
fn a_ksk_roll_below_a_parent_served_by_knot_is_never_bogus() {
    ksk_roll_below(Maker::Knot);
}

#[test]
fn a_ksk_roll_below_a_parent_served_by_bind_is_never_bogus() {
    ksk_roll_below(Maker::Bind);
}

#[test]
fn rolls_through_kill_9_every_few_seconds_are_never_bogus() {
    let mut lab = fixture::start_behind_a_relay(Maker::Bind);
    let ksk = lab.roll("mx.example", "ksk", &["--role", "ksk"]);
    let csk = lab.roll("a-v1.mx.example", "csk", &[]);
    lab.poll_rolled("a-v1.mx.example", &csk, Failing);
    lab.poll_rolled("mx.example", &ksk, Failing);
    lab.wait_after();
    let cuts = lab.cuts;
    let verdicts = lab.good(&format!("a KSK roll and a CSK roll through kill -9, {cuts} times"));
    assert!(verdicts.good > 1000 && verdicts.delv > 20 && cuts > 5, "{verdicts}");
}
