//! The table of steps in the docs of a pool: what each step waits for in simulated rolls and moves.

use super::world::{HOUR, World, host, key};
use mxseal::cert::KeyKind;
use mxseal::roll::hosts::plan::{Awaited, Why};
use mxseal::roll::hosts::step::Step;
use mxseal::roll::hosts::words;
use mxseal::roll::item::Caution;
use std::collections::{BTreeMap, BTreeSet};

const DOCS: &str = include_str!("../../src/roll/hosts.rs");

type Waits = BTreeMap<String, BTreeSet<String>>;

/// What steps wait for while days pass, and what they were recorded as.
fn pass(world: &mut World, days: u64, waits: &mut Waits) {
    for _ in 0..days * 24 {
        world.run(HOUR);
        for wait in world.plan.iter().flat_map(|plan| &plan.waits) {
            // A host shows what does not fit until it is seen to show something else, or until nobody is led there.
            let facts: &[&str] = match &wait.why {
                Why::Caches(_) | Why::Unseen(_) => &["host_shows", "pool_served"],
                Why::Own(Awaited::Looks(_)) => &["host_shows"],
                Why::Own(Awaited::Apart(_)) => &["apart_shows"],
                Why::Frozen => &[],
            };
            waits.entry(words::verb(&wait.step).to_owned()).or_default().extend(facts.iter().map(|f| (*f).to_owned()));
        }
    }
}

/// A roll with a host that is away and one at a tenant's own address, and a host that comes with the old key.
fn rolls() -> Waits {
    let mut waits = Waits::new();
    let mut world = World::new(3);
    world.wanted.apart.insert(host(9));
    let old = world.hosts[&host(1)].clone();
    world.show(host(9), old.clone());
    pass(&mut world, 1, &mut waits);
    let next = world.next_key(KeyKind::EcdsaP256).expect("a next key");
    for number in [1, 2, 3] {
        assert!(world.deploy(host(number), KeyKind::EcdsaP256, next, Caution::Expiry));
    }
    world.wanted.current = [(next, KeyKind::EcdsaP256)].into();
    world.hosts.get_mut(&host(3)).expect("a host").up = false;
    pass(&mut world, 2, &mut waits);
    world.hosts.get_mut(&host(3)).expect("a host").up = true;
    pass(&mut world, 10, &mut waits);
    world.wanted.apart.clear();
    pass(&mut world, 20, &mut waits);
    assert!(!world.facts.served_keys().contains(&key("first")), "the roll has ended");
    world.show(host(4), old);
    world.wanted.addresses.insert(host(4));
    pass(&mut world, 2, &mut waits);
    waits
}

/// The kind of fact that each step is recorded as.
fn recorded() -> Waits {
    let world = World::new(1);
    let first = key("first");
    let steps = [
        Step::Create(KeyKind::EcdsaP256),
        Step::Publish([first].into()),
        Step::Admit([host(1)].into()),
        Step::Withdraw(first),
        Step::Destroy(first),
    ];
    let kind = |step: &Step| {
        let Some(fact) = step.fact(&world.facts) else { return "key_known".to_owned() };
        let json = serde_json::to_value(&fact).expect("a fact is JSON");
        json.as_object().and_then(|fact| fact.keys().next().cloned()).expect("a kind")
    };
    steps.iter().map(|step| (words::verb(step).to_owned(), [kind(step)].into())).collect()
}

fn set(cell: &str) -> BTreeSet<String> {
    cell.split(", ").filter(|word| *word != "nothing").map(str::to_owned).collect()
}

#[test]
fn the_table_of_steps_says_what_each_is_recorded_as_and_waits_for() {
    let (waits, recorded) = (rolls(), recorded());
    let lines = DOCS.lines().map(|line| line.trim_start_matches("//!").trim());
    let table = lines.skip_while(|line| !line.starts_with("| step | recorded as | waits for |")).skip(2);
    let rows = table
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect::<Vec<_>>());
    let rows: Vec<Vec<String>> = rows.collect();
    let written: Vec<_> = rows.iter().map(|row| (row[0].clone(), set(&row[1]), set(&row[2]))).collect();
    let mut shown: Vec<_> = recorded
        .into_iter()
        .map(|(verb, facts)| (verb.clone(), facts, waits.get(&verb).cloned().unwrap_or_default()))
        .collect();
    let place = |verb: &String| written.iter().position(|row| row.0 == *verb);
    shown.sort_by_key(|row| place(&row.0));
    assert_eq!(shown, written);
    assert!(rows.iter().all(|row| row.len() == 4 && !row[3].is_empty()), "each row names its rule: {rows:?}");
}
