//! The table of steps in the docs of a zone's keys: what each step waits for in simulated rolls of every kind.

use super::lab::{DAY, go, policy, registry, roll, shard};
use mxseal::roll::zone::check::Conflict;
use mxseal::roll::zone::facts::{Fact, KeyLayout};
use mxseal::roll::zone::plan::{Awaited, Plan, Why};
use mxseal::roll::zone::sim::world::World;
use mxseal::roll::zone::step::Step;
use mxseal::roll::zone::words;
use mxseal::sign::key::Role;
use std::collections::{BTreeMap, BTreeSet};

const DOCS: &str = include_str!("../../src/roll/zone.rs");

/// What steps were recorded as, and what they waited for.
#[derive(Default)]
struct Seen {
    facts: BTreeMap<String, BTreeSet<String>>,
    waits: BTreeMap<String, BTreeSet<String>>,
}

impl Seen {
    fn look(&mut self, plan: &Plan) {
        for step in plan.next.iter().chain(plan.waits.iter().map(|wait| &wait.step)) {
            let verb = words::verb(step).to_owned();
            self.facts.entry(verb.clone()).or_default().insert(recorded(step));
            self.waits.entry(verb).or_default();
        }
        for wait in &plan.waits {
            let fact = match &wait.why {
                Why::Caches(conflict) | Why::Unseen(conflict) => awaited(&wait.step, conflict),
                Why::Own(Awaited::Parent) => "parent_saw",
                Why::Own(Awaited::Lifetime) => "the end of a life",
                Why::Frozen => continue,
            };
            self.waits.entry(words::verb(&wait.step).to_owned()).or_default().insert(fact.to_owned());
        }
    }

    fn until(&mut self, world: &mut World, days: u64) {
        let end = world.time + days * DAY;
        while world.time < end {
            let plan = go(world, end);
            self.look(&plan);
        }
    }
}

/// The kind of fact that a step is recorded as.
fn recorded(step: &Step) -> String {
    let Some(fact) = step.fact() else { return "key_created".to_owned() };
    let json = serde_json::to_value(&fact).expect("a fact is JSON");
    json.as_object().and_then(|fact| fact.keys().next().cloned()).expect("a kind")
}

/// The fact by which what is old, and does not fit a step, is known to be gone.
fn awaited(step: &Step, conflict: &Conflict) -> &'static str {
    let changes_keys = matches!(step, Step::Publish(_) | Step::Remove(_));
    match conflict {
        Conflict::Entry { .. } if changes_keys => "parent_saw",
        Conflict::Bare { .. } if matches!(step, Step::Unsign) => "parent_saw",
        Conflict::Entry { .. } | Conflict::Data { .. } | Conflict::Bare { .. } => "zone_served",
    }
}

/// Rolls of all kinds, below both kinds of parents.
fn rolls() -> Seen {
    let mut seen = Seen::default();
    for (world, role) in [(shard as fn() -> World, Role::Csk), (registry, Role::Ksk), (registry, Role::Zsk)] {
        let mut world = world();
        roll(&mut world, role);
        seen.until(&mut world, 150);
    }
    for world in [shard, registry] {
        let mut rolled = world();
        rolled.command(&Fact::AlgorithmWanted { algorithm: 15 });
        seen.until(&mut rolled, 200);
        let mut bare = world();
        bare.parent.delay = Some(3 * DAY);
        bare.command(&Fact::InsecureWanted {});
        seen.until(&mut bare, 60);
        bare.command(&Fact::SignedWanted {});
        seen.until(&mut bare, 60);
    }
    let mut world = registry();
    world.policy = policy(KeyLayout::Csk);
    seen.until(&mut world, 200);
    let mut world = registry();
    world.policy.zsk_lifetime = Some(120 * DAY);
    seen.until(&mut world, 200);
    seen
}

/// The rows of the table below this header.
fn rows(header: &str) -> Vec<Vec<String>> {
    let lines = DOCS.lines().map(|line| line.trim_start_matches("//!").trim());
    let table = lines.skip_while(|line| !line.starts_with(header)).skip(2).take_while(|line| line.starts_with('|'));
    table.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()).collect()
}

fn set(cell: &str) -> BTreeSet<String> {
    cell.split(", ").filter(|word| *word != "nothing").map(str::to_owned).collect()
}

#[test]
fn the_table_of_steps_says_what_each_is_recorded_as_and_waits_for() {
    let seen = rolls();
    let told = rows("| step | recorded as | waits for |");
    let line =
        |verb: &String, facts: &BTreeSet<String>, waits: &BTreeSet<String>| format!("{verb}: {facts:?}: {waits:?}");
    let none = BTreeSet::new();
    let shown: BTreeSet<String> =
        seen.facts.iter().map(|(verb, facts)| line(verb, facts, seen.waits.get(verb).unwrap_or(&none))).collect();
    let written: BTreeSet<String> = told.iter().map(|row| line(&row[0], &set(&row[1]), &set(&row[2]))).collect();
    assert_eq!(shown, written);
    assert!(told.iter().all(|row| row.len() == 4 && !row[3].is_empty()), "each row names its rule: {told:?}");
}
