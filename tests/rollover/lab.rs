//! Worlds for the scenarios, and what is asked of them.

use mxseal::roll::zone::check::{History, KeyId, Keys};
use mxseal::roll::zone::facts::{Fact, KeyLayout, Limits, Lives};
use mxseal::roll::zone::goal::Focus;
use mxseal::roll::zone::plan::Plan;
use mxseal::roll::zone::sim::judge::RESOLVERS;
use mxseal::roll::zone::sim::parent::Parent;
use mxseal::roll::zone::sim::world::{Bogus, Excuse, World};
use mxseal::roll::zone::{Policy, words};
use mxseal::sign::key::Role;

pub const HOUR: u64 = 3600;
pub const DAY: u64 = 24 * HOUR;
/// Lives of signatures over DNSKEY and over data, as the built-in policies have them.
pub const LIVES: Lives = Lives { dnskey: 14 * DAY, data: 3 * DAY };

pub fn policy(layout: KeyLayout) -> Policy {
    let own = layout == KeyLayout::Csk;
    let margin = if own { HOUR } else { DAY };
    Policy { layout, algorithm: 13, ksk_lifetime: None, zsk_lifetime: None, csk_lifetime: None, margin }
}

pub fn limits() -> Limits {
    Limits::of(3600, 1800, 300, LIVES)
}

/// A shard zone below a parent of ours, at rest and seen.
pub fn shard() -> World {
    rested(World::new(policy(KeyLayout::Csk), limits(), Parent::new(true, 1, &Default::default()), 1))
}

/// A zone below a registry with four addresses, which has its DS.
pub fn registry() -> World {
    rested(World::new(policy(KeyLayout::KskAndZsk), limits(), Parent::new(false, 4, &Default::default()), 1))
}

fn rested(mut world: World) -> World {
    pass(&mut world, 90);
    assert_eq!(world.facts.parent.agreed(), Some(&world.facts.ds_wanted), "the parent has the DS");
    world.steps = Some(Vec::new());
    world
}

/// Lets days pass; the plan of the last look.
pub fn pass(world: &mut World, days: u64) -> Plan {
    let until = world.time + days * DAY;
    let mut last = None;
    while world.time < until {
        last = Some(go(world, until));
    }
    last.expect("at least one look")
}

/// Lets time pass until it is so; the days that it took. It must come within `days`.
pub fn until(world: &mut World, days: u64, what: &str, mut is_so: impl FnMut(&World) -> bool) -> u64 {
    let (begin, end) = (world.time, world.time + days * DAY);
    while !is_so(world) {
        assert!(world.time < end, "{what} did not come within {days} days:\n{}", told(world));
        go(world, end);
    }
    (world.time - begin) / DAY
}

/// One look; nothing may be bogus, for the second judge neither.
pub fn go(world: &mut World, until: u64) -> Plan {
    match world.go(until) {
        Ok(plan) => plan,
        Err(bogus) => panic!("{}", show(&bogus)),
    }
}

pub fn show(bogus: &Bogus) -> String {
    format!("at {:?}: {:?}\n{}", bogus.at, bogus.what, bogus.trace.join("\n"))
}

pub fn told(world: &World) -> String {
    world.trace.iter().cloned().collect::<Vec<_>>().join("\n")
}

/// Lets time pass until nothing is under way; the days that it took.
pub fn finish(world: &mut World, days: u64) -> u64 {
    let (begin, end) = (world.time, world.time + days * DAY);
    loop {
        let plan = go(world, end);
        if plan.focus == Focus::Rest && plan.next.is_none() {
            second_opinion(world);
            return (world.time - begin) / DAY;
        }
        assert!(world.time < end, "the roll did not end within {days} days: {plan:?}\n{}", told(world));
    }
}

/// Asks for the keys of a role to be replaced.
pub fn roll(world: &mut World, role: Role) {
    urgent_roll(world, role, false);
}

pub fn urgent_roll(world: &mut World, role: Role, emergency: bool) {
    let tags = vec![in_use(world, role).tag];
    world.command(&Fact::RollWanted { tags, emergency, reason: "a test".to_owned() });
}

/// The key of a role that is in use.
pub fn in_use(world: &World, role: Role) -> KeyId {
    let is_used = |key: &&mxseal::roll::zone::fold::KeyFacts| {
        key.role == role && key.is_live() && (key.signs_data() || world.facts.ds_wanted.has(key.id))
    };
    world.facts.keys.iter().find(is_used).expect("a key in use").id
}

/// The steps that were taken, without tags.
pub fn verbs(world: &World) -> Vec<String> {
    let steps = world.steps.as_deref().unwrap_or_default();
    let plain = |text: &str| text.split(' ').filter(|word| word.parse::<u32>().is_err()).collect::<Vec<_>>().join(" ");
    steps.iter().map(|(_, text)| plain(text)).collect()
}

/// What stands in the way, in words.
pub fn blockers(world: &World, plan: &Plan) -> String {
    plan.blockers.iter().map(|blocker| words::blocker(&world.facts, blocker)).collect::<Vec<_>>().join("; ")
}

pub fn resume(world: &mut World) {
    world.command(&Fact::Resumed { reason: "a test".to_owned() });
}

/// The second judge: for each moment at which anything may begin or end, each DS set, DNSKEY set and signed data that a
/// resolver may hold then, written down from RFC 4035 § 2.2, § 5.2 and § 5.3 and not from the checker.
pub fn second_opinion(world: &World) {
    for resolver in &RESOLVERS[..if world.excuses.contains(&Excuse::Urgent) { 1 } else { 3 }] {
        let history = world.judge.history(*resolver, world.now());
        if let Err(why) = validate(&history) {
            panic!("{resolver:?}: {why}\n{}", told(world));
        }
    }
}

pub fn validate(history: &History) -> Result<(), String> {
    let moments = history.ds.iter().map(|s| s.from).chain(history.keys.iter().map(|s| s.from));
    for t in moments.chain(history.data.iter().map(|s| s.from)) {
        let there = |from, until: Option<_>| from <= t && until.is_none_or(|until| t <= until);
        for d in history.ds.iter().filter(|s| there(s.from, s.until)) {
            let is_bare = history.data.iter().any(|s| there(s.from, s.until) && s.what.is_empty());
            if !d.what.is_empty() && is_bare {
                return Err("data without signatures below a DS".to_owned());
            }
            for k in history.keys.iter().filter(|s| there(s.from, s.until)) {
                way_in(&d.what.iter().collect::<Vec<_>>(), &k.what)?;
                for r in history.data.iter().filter(|s| there(s.from, s.until)) {
                    let ds: Vec<KeyId> = d.what.iter().collect();
                    let dnskeys: Vec<KeyId> = k.what.published.iter().collect();
                    let rrsigs: Vec<KeyId> = r.what.iter().collect();
                    signed(&ds, &dnskeys, &rrsigs)?;
                }
            }
        }
    }
    Ok(())
}

/// DNSKEY itself: a validator that demands each algorithm of the DS set finds its way in.
fn way_in(ds: &[KeyId], keys: &Keys) -> Result<(), String> {
    for entry in ds {
        let opens = |key: KeyId| key.algorithm == entry.algorithm && ds.contains(&key) && keys.signers.has(key);
        if !keys.published.iter().any(opens) {
            return Err(format!("no way in by algorithm {}: {ds:?} {keys:?}", entry.algorithm));
        }
    }
    Ok(())
}

/// Data: each algorithm of the DNSKEY set signed it.
fn signed(ds: &[KeyId], dnskeys: &[KeyId], rrsigs: &[KeyId]) -> Result<(), String> {
    for key in dnskeys.iter().filter(|_| !ds.is_empty()) {
        let verifies = |sig: &KeyId| sig.algorithm == key.algorithm && dnskeys.contains(sig);
        if !rrsigs.iter().any(verifies) {
            return Err(format!("no signature of algorithm {}: {dnskeys:?} {rrsigs:?}", key.algorithm));
        }
    }
    Ok(())
}
