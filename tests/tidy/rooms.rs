//! The rooms of the house: which there are, which is pure, and who may use whom, as the docs of `src/lib.rs` say.

use crate::check;
use crate::paths::Modules;
use crate::source::{Source, below, read};
use std::collections::{BTreeMap, BTreeSet};

/// The heading of the table.
const HEADING: &str = "//! | room | kind | uses |";

/// What a pure file never names.
const IMPURE: &[&str] = &[
    "std::fs",
    "File::",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "UnixStream",
    "std::env",
    "std::process",
    "std::thread",
    "thread::",
    "tokio",
    "SystemTime",
    "Instant",
    "tracing",
    "println!",
    "print!",
    "eprintln!",
    "eprint!",
    "dbg!",
    "rand",
    "SystemRandom",
];

/// What is impure by design: file, words, reason.
const IMPURE_ALLOWED: &[(&str, &[&str], &str)] = &[
    ("src/time.rs", &["SystemTime", "Instant"], "its clocks `now` and `wall`, which only shells read"),
    ("src/sign/key.rs", &["rand", "SystemRandom"], "ECDSA draws a number for each signature, inside ring"),
];

/// A module of the top level, with all below it.
#[derive(Debug, PartialEq, Eq)]
struct Room {
    name: String,
    is_pure: bool,
    uses: Vec<String>,
}

/// The rows of the table in a text of docs.
fn rooms(docs: &str) -> Vec<Room> {
    let rows = docs.lines().skip_while(|line| *line != HEADING).skip(2);
    let rooms: Vec<Room> = rows.take_while(|line| line.starts_with("//! |")).map(room).collect();
    assert!(!rooms.is_empty(), "there is no table below `{HEADING}`");
    rooms
}

fn room(row: &str) -> Room {
    let cells: Vec<&str> = row.trim_start_matches("//! |").trim_end_matches('|').split('|').map(str::trim).collect();
    let [name, kind, uses] = cells[..] else { panic!("a row has three cells: {row}") };
    let is_pure = match kind {
        "pure" => true,
        "shell" => false,
        other => panic!("a room is `pure` or a `shell`, not `{other}`: {row}"),
    };
    let uses = if uses == "nothing" { Vec::new() } else { uses.split(',').map(word).collect() };
    Room { name: word(name), is_pure, uses }
}

/// A name without the marks of a link.
fn word(cell: &str) -> String {
    cell.trim().trim_matches(['[', ']', '`']).to_owned()
}

fn of_this_house() -> Vec<Room> {
    rooms(&read("src/lib.rs"))
}

/// Which room uses which, and a place where it does; tests aside.
fn uses() -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    for one in Modules::of(&below("src")).uses() {
        if let (Some(from), Some(to)) = (one.from.first(), one.to.first()) {
            found.entry((from.clone(), to.clone())).or_insert(one.place);
        }
    }
    found.retain(|(from, to), _| from != to);
    found
}

/// The uses that no row of the table allows.
fn forbidden(rooms: &[Room], uses: &BTreeMap<(String, String), String>) -> Vec<String> {
    let allows = |from: &str, to: &String| rooms.iter().any(|room| room.name == from && room.uses.contains(to));
    let wrong = uses.iter().filter(|((from, to), _)| !allows(from, to));
    wrong.map(|((from, to), place)| format!("{place}: {from} must not use {to}")).collect()
}

/// The arrows of the table that lead to a row above, or to none: whoever uses another stands above it.
fn upward(rooms: &[Room]) -> Vec<String> {
    let below = |at: usize, to: &String| rooms[at + 1..].iter().any(|room| room.name == *to);
    let arrows = rooms.iter().enumerate().flat_map(|(at, room)| room.uses.iter().map(move |to| (at, room, to)));
    arrows.filter(|(at, _, to)| !below(*at, to)).map(|(_, room, to)| format!("{} → {to}", room.name)).collect()
}

#[test]
fn rooms_use_only_what_their_rows_allow() {
    check("an import against the arrows", forbidden(&of_this_house(), &uses()));
}

#[test]
fn no_arrow_is_allowed_in_vain() {
    let uses = uses();
    let rooms = of_this_house();
    let all = rooms.iter().flat_map(|room| room.uses.iter().map(|to| (room.name.clone(), to.clone())));
    let vain = all.filter(|pair| !uses.contains_key(pair));
    check("an arrow that nothing uses any more", vain.map(|(from, to)| format!("{from} → {to}")).collect());
}

#[test]
fn every_room_has_its_row() {
    let there: BTreeSet<String> =
        below("src").iter().filter_map(|source| source.modules().first().map(|name| (*name).to_owned())).collect();
    let rooms = of_this_house();
    let listed: BTreeSet<String> = rooms.iter().map(|room| room.name.clone()).collect();
    assert_eq!(there, listed, "rooms that are there, and rooms that have a row");
    assert_eq!(listed.len(), rooms.len(), "a room has one row");
}

#[test]
fn every_arrow_leads_down_so_there_is_no_circle() {
    check("a room that uses one of a row above its own", upward(&of_this_house()));
}

#[test]
fn rooms_that_must_not_know_each_other_do_not() {
    for room in of_this_house() {
        for (from, to) in [("control", "serve"), ("serve", "control"), ("sign", "zone")] {
            assert!(room.name != from || !room.uses.iter().any(|used| used == to), "{from} uses {to}");
        }
    }
}

#[test]
fn the_table_is_read_and_each_kind_of_fault_in_it_is_seen() {
    let docs = "//! Words.\n//! | other | x |\n//! | room | kind | uses |\n//! |---|---|---|\n\
        //! | `main` | shell | [`top`] |\n//! | [`top`] | shell | [`low`], `mid` |\n//! | [`mid`] | pure | [`low`] |\n\
        //! | [`low`] | pure | nothing |\n//!\n//! | word | meaning | x |\n";
    let found = rooms(docs);
    let names: Vec<&str> = found.iter().map(|room| room.name.as_str()).collect();
    assert_eq!(names, ["main", "top", "mid", "low"]);
    assert_eq!(
        found[1],
        Room { name: "top".to_owned(), is_pure: false, uses: vec!["low".to_owned(), "mid".to_owned()] }
    );
    assert!(found[3].is_pure && found[3].uses.is_empty());
    assert_eq!(upward(&found), [""; 0]);
    let turned = docs.replace("| [`low`] | pure | nothing |", "| [`low`] | pure | [`mid`], [`none`] |");
    assert_eq!(upward(&rooms(&turned)), ["low → mid", "low → none"]);
    let pair = |from: &str, to: &str| ((from.to_owned(), to.to_owned()), "src/low.rs:1".to_owned());
    let uses = BTreeMap::from([pair("top", "mid"), pair("low", "mid"), pair("new", "low")]);
    assert_eq!(forbidden(&found, &uses), ["src/low.rs:1: low must not use mid", "src/low.rs:1: new must not use low"]);
}

// ---- purity ----

fn is_pure(rooms: &[Room], source: &Source) -> bool {
    // `lib.rs` belongs to no room, and holds no code.
    let room = source.modules().first().and_then(|name| rooms.iter().find(|room| room.name == *name));
    room.is_none_or(|room| room.is_pure)
}

#[test]
fn pure_rooms_touch_no_file_clock_thread_chance_or_log() {
    let rooms = of_this_house();
    let mut offenders = Vec::new();
    for source in below("src").iter().filter(|source| is_pure(&rooms, source)) {
        let allowed = IMPURE_ALLOWED.iter().find(|(path, ..)| *path == source.path).map_or(&[][..], |found| found.1);
        for word in IMPURE.iter().filter(|word| !allowed.contains(word)) {
            let lines = Source::lines_with(&source.shipped, word);
            offenders.extend(lines.iter().map(|line| format!("{}:{line}: {word}", source.path)));
        }
        if source.shipped.contains("std::{") {
            offenders.push(format!("{}: `use std::{{…}}` hides what is used; write one line each", source.path));
        }
    }
    check("a pure file does what only a shell may", offenders);
}

#[test]
fn pure_rooms_use_only_pure_ones() {
    let rooms = of_this_house();
    let is_shell = |name: &String| rooms.iter().any(|room| room.name == *name && !room.is_pure);
    let arrows = rooms.iter().filter(|room| room.is_pure).flat_map(|room| room.uses.iter().map(move |to| (room, to)));
    let wrong = arrows.filter(|(_, to)| is_shell(to)).map(|(room, to)| format!("{} → {to}", room.name));
    check("a pure room that uses a shell", wrong.collect());
}

#[test]
fn what_is_listed_as_an_exception_is_there() {
    let sources = below("src");
    let rooms = of_this_house();
    for (path, words, reason) in IMPURE_ALLOWED {
        let source = sources.iter().find(|source| source.path == *path).unwrap_or_else(|| panic!("{path}"));
        assert!(is_pure(&rooms, source), "{path} lies in a shell");
        let vain = words.iter().find(|word| Source::lines_with(&source.shipped, word).is_empty());
        assert_eq!(vain, None, "{path} no longer needs its exception ({reason})");
    }
}
