//! What programs of before wrote below `keys/` is read and told as they did, and what is written here keeps its form.
//!
//! Octet by octet where it can be, and else by the words of a running program. `tests/before/folder` makes such folders with a
//! program of any version, and tells what a program says of them. What a version wrote stays here for good.
#![allow(clippy::panic, reason = "a test ends at the first surprise")]

use mxseal::roll::hosts::facts::Fact as PoolFact;
use mxseal::roll::hosts::fold::PoolFacts;
use mxseal::roll::life::{Facts, Record};
use mxseal::roll::zone::facts::Fact;
use mxseal::roll::zone::fold::ZoneFacts;
use mxseal::store::journal::{LINE_OCTETS_MAX, decode_as, encode, records_of};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/before").join(path)
}

/// The folders that programs of before wrote, one a version.
fn folders() -> Vec<PathBuf> {
    let entries = fs::read_dir(at("")).expect("the folder of these tests").map(|entry| entry.expect("an entry").path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.join("told").is_file()).collect();
    folders.sort();
    assert!(!folders.is_empty(), "no folder of before");
    folders
}

/// All journals below a folder: whether it is that of a pool, and where it is.
fn journals(folder: &Path) -> Vec<(bool, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(journals(&path));
        } else if path.file_name().is_some_and(|name| name == "journal") {
            found.push((path.components().any(|part| part.as_os_str() == "pools"), path));
        }
    }
    found
}

/// What this program says of each folder is what the program that wrote it said of it: states, calendars, answers, verdicts
/// of a validator, and the forms of facts that it goes on with.
fn tells(which: &str) {
    for folder in folders() {
        let (script, program) = (at("folder"), env!("CARGO_BIN_EXE_mxseal"));
        let said = Command::new("python3")
            .args([&script, Path::new("check"), Path::new(program), &folder])
            .arg(which)
            .output();
        let said = said.expect("python3 runs");
        assert!(said.status.success(), "{}: {}", folder.display(), String::from_utf8_lossy(&said.stderr));
    }
}

#[test]
fn a_folder_of_before_is_served_and_told_as_it_was() {
    tells("told");
}

#[test]
fn facts_of_a_later_program_silence_their_zone_and_freeze_their_pool_with_the_reason() {
    tells("told.newer-facts");
}

#[test]
fn files_of_a_later_program_are_named_and_zones_are_served_by_their_journals() {
    tells("told.newer-files");
}

/// What is read gives the same octets when it is written again: for a journal that is shortened, or put back.
fn same_octets<F: DeserializeOwned + Serialize>(path: &Path) -> Vec<Record<F>> {
    let text = fs::read_to_string(path).expect("it is text");
    let records = records_of::<F>(text.as_bytes());
    let again: Vec<String> = records.iter().map(encode).collect();
    for (was, is) in text.split_inclusive('\n').zip(&again) {
        assert_eq!(was, is, "{}", path.display());
    }
    assert_eq!(text.lines().count(), again.len(), "{}: a line was not read", path.display());
    records
}

/// The facts follow each other.
fn adds_up<F: Facts>(path: &Path, records: &[Record<F::Fact>]) {
    let decoded = decode_as::<F>(&fs::read(path).expect("read"));
    let decoded = decoded.unwrap_or_else(|damaged| panic!("{}: {damaged}", path.display()));
    assert_eq!((decoded.facts.records, decoded.torn), (records.len() as u64, None), "{}", path.display());
}

#[test]
fn journals_of_before_are_read_and_written_again_octet_by_octet() {
    let mut count = 0;
    for (is_pool, path) in folders().iter().flat_map(|folder| journals(&folder.join("keys"))) {
        count += 1;
        if is_pool {
            adds_up::<PoolFacts>(&path, &same_octets(&path));
        } else {
            adds_up::<ZoneFacts>(&path, &same_octets(&path));
        }
    }
    assert!(count > 20, "only {count} journals");
}

/// Each kind of fact has a line in a file, and each line is what that fact is written as.
fn all_kinds<F: DeserializeOwned + Serialize>(file: &str, kinds: &[&str], kind: impl Fn(&F) -> &'static str) {
    let known: BTreeSet<&str> = same_octets::<F>(&at(file)).iter().map(|record| kind(&record.fact)).collect();
    assert_eq!(known, kinds.iter().copied().collect(), "tests/before/{file} has a line of each kind of fact");
}

#[test]
fn each_fact_about_a_zone_is_written_as_it_was() {
    all_kinds("facts.zones", ZONE_KINDS, zone_kind);
}

#[test]
fn each_fact_about_a_pool_is_written_as_it_was() {
    all_kinds("facts.pools", POOL_KINDS, pool_kind);
}

/// A reason of any length is cut to what a line holds, whichever fact it belongs to.
fn reasons_are_cut<F: Facts>(file: &str) -> usize {
    let text = fs::read_to_string(at(file)).expect("it is text");
    let mut with_reason = 0;
    for line in text.lines().filter_map(|line| line.find('{').map(|begin| &line[begin..])) {
        let end = line.rfind('}').expect("a record ends") + 1;
        let mut record: serde_json::Value = serde_json::from_str(&line[..end]).expect("a record");
        for fact in record["fact"].as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
            if let Some(reason) = fact.get_mut("reason") {
                *reason = "x".repeat(200_000).into();
                with_reason += 1;
            }
        }
        let record: Record<F::Fact> = serde_json::from_value(record).expect("a record still");
        let cut = encode(&F::default().next_record(F::bounded(record.fact), record_time()));
        assert!(cut.len() <= LINE_OCTETS_MAX, "{file}: {} octets of {line}", cut.len());
    }
    with_reason
}

fn record_time() -> mxseal::time::UnixTime {
    mxseal::time::UnixTime(1_800_000_000)
}

#[test]
fn a_reason_of_any_length_is_cut_in_each_fact_that_has_one() {
    let counts = (reasons_are_cut::<ZoneFacts>("facts.zones"), reasons_are_cut::<PoolFacts>("facts.pools"));
    assert!(counts.0 >= 6 && counts.1 >= 4, "{counts:?} facts with a reason");
}

#[test]
fn a_journal_of_the_first_version_is_read_and_gone_on_with() {
    let content = fs::read(at("first-version")).expect("read");
    let mut facts = decode_as::<ZoneFacts>(&content).expect("a whole journal").facts;
    assert!(matches!(facts.served, Some(Fact::ZoneServed { through: 0, .. })), "{:?}", facts.served);
    let record = facts.next_record(Fact::ClockCorrected { by: 1 }, facts.time);
    assert_eq!((record.sequence, record.generation, facts.apply(&record)), (7, 1, Ok(())));
}

#[test]
fn a_journal_that_is_made_shorter_has_the_octets_that_it_had_before() {
    let records = same_octets::<PoolFact>(&at("long"));
    adds_up::<PoolFacts>(&at("long"), &records);
    let short: String = PoolFacts::condensed(&records).expect("not all is needed").iter().map(encode).collect();
    let before = fs::read_to_string(at("condensed")).expect("read");
    assert_eq!(short.lines().count(), before.lines().count());
    for (is, was) in short.lines().zip(before.lines()) {
        assert_eq!(is, was);
    }
    for (_, path) in folders().iter().flat_map(|folder| journals(&folder.join("keys"))) {
        let records = records_of::<Fact>(&fs::read(path).expect("read"));
        assert_eq!(ZoneFacts::condensed(&records), None, "no fact about a zone is left out");
    }
}

#[test]
fn a_higher_generation_stays_one() {
    let text = fs::read_to_string(at("first-version")).expect("read");
    let mut records = records_of::<Fact>(text.as_bytes());
    records.last_mut().expect("a record").generation = 2;
    let text: String = records.iter().map(encode).collect();
    let facts = decode_as::<ZoneFacts>(text.as_bytes()).expect("a later program wrote the last line").facts;
    assert_eq!(facts.next_record(Fact::Unsigned {}, facts.time).generation, 2, "it never falls");
}

/// All kinds of facts about a zone.
const ZONE_KINDS: &[&str] = &[
    "first_keys_intended",
    "key_created",
    "key_published",
    "key_activated",
    "key_switched",
    "key_retired",
    "key_removed",
    "key_silent",
    "key_heard",
    "key_destroyed",
    "ds_wanted",
    "first_keys_done",
    "limits",
    "zone_served",
    "parent_servers",
    "parent_saw",
    "roll_wanted",
    "roll_taken_back",
    "algorithm_wanted",
    "clock_corrected",
    "insecure_wanted",
    "unsigned",
    "signed_wanted",
    "served_unsigned",
    "held",
    "resumed",
    "hold_ended",
    "doubt_ended",
    "doubted",
];

/// The kind of a fact. A new one belongs into the list above, too, and needs a line in its file.
fn zone_kind(fact: &Fact) -> &'static str {
    match fact {
        Fact::FirstKeysIntended { .. } => "first_keys_intended",
        Fact::KeyCreated { .. } => "key_created",
        Fact::KeyPublished { .. } => "key_published",
        Fact::KeyActivated { .. } => "key_activated",
        Fact::KeySwitched { .. } => "key_switched",
        Fact::KeyRetired { .. } => "key_retired",
        Fact::KeyRemoved { .. } => "key_removed",
        Fact::KeySilent { .. } => "key_silent",
        Fact::KeyHeard { .. } => "key_heard",
        Fact::KeyDestroyed { .. } => "key_destroyed",
        Fact::DsWanted { .. } => "ds_wanted",
        Fact::FirstKeysDone { .. } => "first_keys_done",
        Fact::Limits(..) => "limits",
        Fact::ZoneServed { .. } => "zone_served",
        Fact::ParentServers { .. } => "parent_servers",
        Fact::ParentSaw { .. } => "parent_saw",
        Fact::RollWanted { .. } => "roll_wanted",
        Fact::RollTakenBack { .. } => "roll_taken_back",
        Fact::AlgorithmWanted { .. } => "algorithm_wanted",
        Fact::ClockCorrected { .. } => "clock_corrected",
        Fact::InsecureWanted { .. } => "insecure_wanted",
        Fact::Unsigned { .. } => "unsigned",
        Fact::SignedWanted { .. } => "signed_wanted",
        Fact::ServedUnsigned { .. } => "served_unsigned",
        Fact::Held { .. } => "held",
        Fact::Resumed { .. } => "resumed",
        Fact::HoldEnded { .. } => "hold_ended",
        Fact::DoubtEnded { .. } => "doubt_ended",
        Fact::Doubted { .. } => "doubted",
    }
}

/// All kinds of facts about a pool.
const POOL_KINDS: &[&str] = &[
    "pool_began",
    "inherited",
    "key_known",
    "named",
    "tlsa",
    "addresses",
    "apart",
    "limits",
    "pool_served",
    "host_shows",
    "host_also_shows",
    "apart_shows",
    "key_adopted",
    "permitted",
    "permit_withdrawn",
    "key_given_up",
    "key_taken_back",
    "key_destroyed",
    "clock_corrected",
    "doubted",
    "resumed",
];

/// The kind of a fact. A new one belongs into the list above, too, and needs a line in its file.
fn pool_kind(fact: &PoolFact) -> &'static str {
    match fact {
        PoolFact::PoolBegan { .. } => "pool_began",
        PoolFact::Inherited { .. } => "inherited",
        PoolFact::KeyKnown { .. } => "key_known",
        PoolFact::Named { .. } => "named",
        PoolFact::Tlsa { .. } => "tlsa",
        PoolFact::Addresses { .. } => "addresses",
        PoolFact::Apart { .. } => "apart",
        PoolFact::Limits { .. } => "limits",
        PoolFact::PoolServed { .. } => "pool_served",
        PoolFact::HostShows { .. } => "host_shows",
        PoolFact::HostAlsoShows { .. } => "host_also_shows",
        PoolFact::ApartShows { .. } => "apart_shows",
        PoolFact::KeyAdopted { .. } => "key_adopted",
        PoolFact::Permitted { .. } => "permitted",
        PoolFact::PermitWithdrawn { .. } => "permit_withdrawn",
        PoolFact::KeyGivenUp { .. } => "key_given_up",
        PoolFact::KeyTakenBack { .. } => "key_taken_back",
        PoolFact::KeyDestroyed { .. } => "key_destroyed",
        PoolFact::ClockCorrected { .. } => "clock_corrected",
        PoolFact::Doubted { .. } => "doubted",
        PoolFact::Resumed { .. } => "resumed",
    }
}
