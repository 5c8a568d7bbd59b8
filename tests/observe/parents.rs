//! The DS at parents that others sign: there, absent, and by the wrong word.

use super::zones::{self, DS, Denial, bind, ds_data, example, knot, name, only, round_of, ways};
use crate::live::{Running, World, has};
use mxseal::resolve::proved::DsSeen;
use mxseal::time::now;
use std::net::SocketAddr;

const DAY: u64 = 86_400;

/// What every parent here says about `mx.example.`, and what it proves about its unsigned delegations.
fn says_the_truth(at: SocketAddr, anchor: &str, life: u64) {
    let at = [at];
    let round = round_of("mx.example.", &at, anchor, &ways());
    let seen = only(&round).unwrap();
    assert!(round.is_complete());
    assert_eq!(round.zone, Some(name("example.")));
    assert_eq!(seen.ds, DS.map(ds_data));
    assert_eq!((seen.ttl, seen.original_ttl), (7200, 7200));
    bounds(&seen, life);
    for child in ["plain.example.", "zebra.example."] {
        let round = round_of(child, &at, anchor, &ways());
        let seen = only(&round).unwrap_or_else(|why| panic!("{child}: {why}"));
        assert!(seen.ds.is_empty() && round.is_complete(), "{child}");
        bounds(&seen, life);
    }
    for child in ["host.example.", "absent.example.", "a.b.absent.example."] {
        let why = only(&round_of(child, &at, anchor, &ways())).unwrap_err();
        assert!(why.contains("delegate"), "{child}: {why}");
    }
}

/// Within a day of the life that was asked for.
fn bounds(seen: &DsSeen, life: u64) {
    let now = now();
    assert!(seen.expires > now.after(life - DAY) && seen.expires <= now.after(life + 60), "{seen:?}");
    assert!(seen.inception <= now && seen.inception > now.before(DAY), "{seen:?}");
}

fn started(denial: Denial) -> (World, Running, String) {
    has("knotd");
    let world = World::new();
    let (knot, anchor) = knot(&world, &[("example.", example(&world, ""))], denial);
    (world, knot, anchor)
}

#[test]
fn a_parent_signed_by_knot_with_nsec_is_understood() {
    let (world, _knot, anchor) = started(Denial::Nsec);
    says_the_truth(world.at(0), &anchor, 14 * DAY);
}

#[test]
fn a_parent_signed_by_knot_with_nsec3_is_understood() {
    let (world, _knot, anchor) = started(Denial::Nsec3);
    says_the_truth(world.at(0), &anchor, 14 * DAY);
}

#[test]
fn a_parent_signed_by_knot_with_opt_out_is_understood() {
    let (world, _knot, anchor) = started(Denial::OptOut);
    says_the_truth(world.at(0), &anchor, 14 * DAY);
}

#[test]
fn parents_signed_by_bind_with_every_algorithm_and_denial_are_understood() {
    has("named");
    for (algorithm, denial) in [
        ("RSASHA256", Denial::Nsec),
        ("RSASHA512", Denial::Nsec3),
        ("ECDSAP384SHA384", Denial::OptOut),
        ("ED25519", Denial::Nsec),
    ] {
        let world = World::new();
        let (_named, at, anchor) = bind(&world, algorithm, denial);
        says_the_truth(at, &anchor, 30 * DAY);
    }
}

#[test]
fn an_anchor_of_another_key_or_for_another_zone_is_refused() {
    let (world, _knot, anchor) = started(Denial::Nsec);
    let digit = anchor.trim_end().chars().last().unwrap();
    let other = if digit == '0' { '1' } else { '0' };
    let flipped = format!("{}{other}\n", &anchor.trim_end()[..anchor.trim_end().len() - 1]);
    for (wrong, part) in [
        (flipped, "no key of example. is what"),
        (anchor.replace("example.", "example.net."), "no trust anchor is at or above example."),
        (anchor.replace("example.", "."), "no server of . gave"),
    ] {
        let why = only(&round_of("mx.example.", &[world.at(0)], &wrong, &ways())).unwrap_err();
        assert!(why.contains("is not validated") && why.contains(part), "{wrong}: {why}");
    }
}

#[test]
fn signatures_that_are_over_or_not_begun_prove_nothing() {
    use mxseal::observe::parent::{ParentAsk, look};
    use mxseal::resolve::anchors::Anchors;
    let (world, _knot, anchor) = started(Denial::Nsec);
    let (child, anchors, ways) = (name("mx.example."), Anchors::parse(&anchor).unwrap(), ways());
    let at = [world.at(0)];
    for (now, good) in [(now(), true), (now().after(15 * DAY), false), (now().before(2 * DAY), false)] {
        let seen =
            only(&look(&ParentAsk { child: &child, parents: &at, anchors: &anchors, ways: &ways, now: now.into() }));
        assert_eq!(seen.is_ok(), good, "{seen:?}");
    }
}

#[test]
fn every_configured_address_is_in_the_round_and_silence_is_no_answer() {
    let (world, _knot, anchor) = started(Denial::Nsec);
    let at = [world.at(0), world.at(3)];
    let round = round_of("mx.example.", &at, &anchor, &zones::ways());
    assert_eq!(round.asked.iter().map(|saw| saw.server).collect::<Vec<_>>(), at);
    assert!(round.asked[0].outcome.is_ok() && !round.is_complete());
    let why = round.asked[1].outcome.clone().unwrap_err().to_string();
    assert!(why.contains(&at[1].to_string()) && why.contains("cannot be reached"), "{why}");
}
