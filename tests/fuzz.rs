//! Octets of strangers: every seed and every crash ever found, then mutations of them with a fixed seed.
//!
//! `cargo fuzz run TARGET tests/corpus/TARGET` in the folder above goes on for as long as one likes.
#![allow(clippy::panic, clippy::print_stderr, reason = "a target panics where a promise is broken")]

#[path = "fuzz/targets.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use targets::{ALL, Target};

/// Mutations of each target: some seconds in all without optimisation.
const RUNS: usize = 4000;
/// Connections of `framing`, which cost more than calls.
const FRAMING_RUNS: usize = 400;
/// Octets of a mutated input, at most.
const OCTETS_MAX: usize = 2048;
/// The stack of a run: what goes deeper the longer its input is would not fit for long.
const STACK_OCTETS: usize = 512 * 1024;

/// SplitMix64: the same numbers on every machine.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).expect("a small number")).expect("below the limit")
    }

    fn octet(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

fn seeds(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|fault| panic!("{}: {fault}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} holds no seeds", folder.display());
    let read = |path: &PathBuf| (path.display().to_string(), std::fs::read(path).expect("a seed"));
    paths.iter().map(read).collect()
}

fn try_one((name, target): Target, from: &str, octets: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(octets))) {
        let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        eprintln!("target {name}, from {from}; as text: {}\nas hex: {hex}", octets.escape_ascii());
        resume_unwind(panic);
    }
}

fn with_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK_OCTETS).spawn(run).expect("a thread");
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}

fn mutate(chance: &mut Chance, seeds: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut octets = seeds[chance.below(seeds.len())].1.clone();
    for _ in 0..=chance.below(4) {
        let at = chance.below(octets.len() + 1);
        let end = (at + 1 + chance.below(16)).min(octets.len());
        match chance.below(8) {
            0 | 1 if at < octets.len() => octets[at] ^= 1 << chance.below(8),
            2 if at < octets.len() => octets[at] = *[0, 1, 63, 64, 127, 192, 255].get(chance.below(8)).unwrap_or(&b' '),
            3 => octets.insert(at, chance.octet()),
            4 => drop(octets.drain(at.min(end)..end)),
            5 => octets.truncate(at),
            6 => {
                let part: Vec<u8> = octets[at.min(end)..end].repeat(1 + chance.below(20));
                octets.splice(at..at, part);
            }
            _ => {
                let other = &seeds[chance.below(seeds.len())].1;
                let from = chance.below(other.len() + 1);
                let part = &other[from..(from + chance.below(64)).min(other.len())];
                octets.splice(at..at, part.iter().copied());
            }
        }
    }
    octets.truncate(OCTETS_MAX);
    octets
}

fn replay_and_mutate(name: &'static str, runs: usize) {
    let target = *ALL.iter().find(|(known, _)| *known == name).expect("a target of this name");
    with_small_stack(move || {
        let seeds = seeds(name);
        seeds.iter().for_each(|(path, octets)| try_one(target, path, octets));
        let mut chance = Chance(0x6d78_7365_616c);
        for run in 0..runs {
            let octets = mutate(&mut chance, &seeds);
            try_one(target, &format!("run {run}"), &octets);
        }
        for run in 0..runs / 10 {
            let octets: Vec<u8> = (0..chance.below(300)).map(|_| chance.octet()).collect();
            try_one(target, &format!("random run {run}"), &octets);
        }
    });
}

#[test]
fn packets_are_answered_within_their_size_and_truly_or_not_at_all() {
    replay_and_mutate("packet", RUNS);
}

#[test]
fn master_files_give_records_or_findings_for_every_line() {
    replay_and_mutate("master", RUNS);
}

#[test]
fn tenants_are_read_or_refused_with_their_place() {
    replay_and_mutate("tenant", RUNS);
    replay_and_mutate("bulk", RUNS);
}

#[test]
fn pools_and_certificates_are_read_or_refused_with_their_place() {
    replay_and_mutate("pools", RUNS);
    replay_and_mutate("certificate", RUNS);
}

#[test]
fn configurations_are_read_or_refused_with_their_place() {
    replay_and_mutate("config", RUNS);
}

#[test]
fn names_have_one_order_and_successors_skip_none() {
    replay_and_mutate("names", RUNS);
}

#[test]
fn record_data_mean_the_same_as_text_and_as_octets() {
    replay_and_mutate("rdata", RUNS * 10);
}

#[test]
fn damaged_journals_are_a_prefix_or_an_error() {
    replay_and_mutate("journal", RUNS);
    replay_and_mutate("request", RUNS);
}

#[test]
fn key_files_of_other_servers_are_keys_or_faults_that_quote_nothing() {
    replay_and_mutate("foreign", RUNS);
}

#[test]
fn segments_do_not_change_the_answers_of_a_stream() {
    replay_and_mutate("framing", FRAMING_RUNS);
}

#[test]
fn replies_of_others_say_the_truth_about_a_ds_or_nothing() {
    replay_and_mutate("reply", RUNS);
}

#[test]
fn every_target_has_a_program_for_cargo_fuzz() {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let text = std::fs::read_to_string(manifest.join("Cargo.toml")).expect("fuzz/Cargo.toml");
    for (name, _) in ALL {
        assert!(text.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml lacks {name}");
        assert!(manifest.join(format!("fuzz_targets/{name}.rs")).is_file(), "{name}");
    }
}
