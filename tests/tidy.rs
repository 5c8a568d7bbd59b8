//! The rules of the house, read out of the sources: who may use whom, what is pure, how long things may be.
//!
//! A rule that stands in the way is changed here first, in a commit of its own that says why.
#![allow(clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test ends at the first surprise")]

#[path = "tidy/clocks.rs"]
mod clocks;
#[path = "tidy/paths.rs"]
mod paths;
#[path = "tidy/rooms.rs"]
mod rooms;
#[path = "tidy/signatures.rs"]
mod signatures;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/structure.rs"]
mod structure;

use source::{Source, below, functions, line_of, places, read};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// The files that may hold `unsafe`: the batch system calls, and the questions who has a file open for writing and who asks.
const UNSAFE_FILES: &[&str] = &["src/serve/batch.rs", "src/feed/writer.rs", "src/process/peer.rs"];

/// Tests that need it: one counts allocations, one tries the calls that a confined process cannot make.
const UNSAFE_TESTS: &[&str] = &["tests/answers.rs", "tests/ops/confinement.rs"];

/// Lines of a function, at most.
const FUNCTION_LINES_MAX: usize = 70;
/// Lines of a file, at most.
const FILE_LINES_MAX: usize = 600;
/// Lines of a file without its tests, at most.
const CODE_LINES_MAX: usize = 400;
/// Lines of a file of tests, at most.
const TEST_FILE_LINES_MAX: usize = 1200;

/// A test waits for a condition, never for time to pass: only in functions whose name begins so, which look again and
/// again until a deadline, may it sleep.
const WAITERS: &[&str] = &["poll_", "wait_", "until", "eventually"];

/// Crates that must not come in through any dependency: ring is the only provider of cryptography.
const CRATES_BANNED: &[&str] = &["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl", "openssl-sys"];

fn check(rule: &str, offenders: Vec<String>) {
    assert!(offenders.is_empty(), "{rule}:\n{}\n", offenders.join("\n"));
}

/// As [`check`], but for what is known to be left: of that nothing may be mended already, so that the list gets shorter.
fn exact(rule: &str, found: BTreeMap<String, String>, left: BTreeSet<String>) {
    let new = found.iter().filter(|(what, _)| !left.contains(*what)).map(|(what, place)| format!("{what}: {place}"));
    let mended =
        left.iter().filter(|what| !found.contains_key(*what)).map(|what| format!("{what}: take it off the list"));
    check(rule, new.chain(mended).collect());
}

fn all() -> Vec<Source> {
    let mut sources = below("src");
    sources.extend(below("tests"));
    sources
}

// ---- safety ----

#[test]
fn unsafe_stands_only_where_system_calls_are_made() {
    let mut offenders = Vec::new();
    for source in all() {
        if UNSAFE_FILES.iter().chain(UNSAFE_TESTS).any(|path| *path == source.path) {
            continue;
        }
        for word in ["unsafe", "unsafe_code"] {
            let lines = Source::lines_with(&source.code, word);
            offenders.extend(lines.iter().map(|line| format!("{}:{line}: {word}", source.path)));
        }
    }
    check("unsafe outside of the files for it", offenders);
}

#[test]
fn whoever_may_hold_unsafe_needs_it() {
    for path in UNSAFE_FILES.iter().chain(UNSAFE_TESTS) {
        let lines = all().into_iter().filter(|source| source.path == *path);
        let count: usize = lines.map(|source| Source::lines_with(&source.code, "unsafe").len()).sum();
        assert!(count > 0, "{path} needs no `unsafe` any more");
    }
}

#[test]
fn every_unsafe_block_states_its_reason() {
    let mut offenders = Vec::new();
    for source in below("src") {
        let raw: Vec<&str> = source.raw.lines().collect();
        for line in Source::lines_with(&source.code, "unsafe") {
            // The reason stands above the statement, which may begin some lines before the word.
            let above = &raw[line.saturating_sub(6)..line];
            if !above.iter().any(|text| text.contains("SAFETY:") || text.contains("# Safety")) {
                offenders.push(format!("{}:{line}", source.path));
            }
        }
    }
    check("unsafe without `SAFETY:` above it", offenders);
}

#[test]
fn nothing_that_ships_panics_by_choice() {
    let mut offenders = Vec::new();
    for source in below("src") {
        for word in [".unwrap()", ".unwrap_err()", "panic!", "todo!", "unimplemented!", "unreachable!", "dbg!"] {
            let lines = Source::lines_with(&source.shipped, word);
            offenders.extend(lines.iter().map(|line| format!("{}:{line}: {word}", source.path)));
        }
        for at in places(&source.shipped, ".expect(") {
            let argument = source.raw[at + ".expect(".len()..].trim_start();
            if !argument.starts_with('"') || argument.starts_with("\"\"") {
                let line = line_of(&source.shipped, at);
                offenders.push(format!("{}:{line}: expect without a message that states the invariant", source.path));
            }
        }
    }
    check("a panic by choice", offenders);
}

#[test]
fn a_code_of_findings_belongs_to_one_file_of_the_server() {
    let mut parts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in below("src") {
        let part = home_of_codes(&source.path);
        for word in source.raw_shipped().split('"').filter(|word| word.len() == 6 && word.starts_with("MX")) {
            parts.entry(word.to_owned()).or_default().insert(part.to_owned());
        }
    }
    assert!(parts.len() > 50, "the codes were found");
    let shared = parts.iter().filter(|(_, parts)| parts.len() > 1).map(|(code, parts)| format!("{code}: {parts:?}"));
    check("one code in two files, so with two meanings: others refer to it by a constant", shared.collect());
}

/// Where a code is at home: in one file. Only `mxseal.toml` is read by several files with the same few findings.
fn home_of_codes(path: &str) -> &str {
    if path.starts_with("src/config/") { "src/config.rs" } else { path }
}

#[test]
fn no_test_is_switched_off() {
    let mut offenders = Vec::new();
    for source in all() {
        for word in ["#[ignore", "ignore]", concat!("to", "do!"), concat!("un", "implemented!")] {
            let lines = Source::lines_with(&source.code, word);
            offenders.extend(lines.iter().map(|line| format!("{}:{line}: {word}", source.path)));
        }
    }
    check("a test that does not run, or code that is not there", offenders);
}

#[test]
fn tests_sleep_only_while_they_poll() {
    let mut offenders = Vec::new();
    for source in all() {
        let is_test = source.path.starts_with("tests/");
        for function in functions(&source.code) {
            let shipped = source.shipped.lines().nth(function.line - 1).is_some_and(|line| !line.trim().is_empty());
            let waits = WAITERS.iter().any(|start| function.name.starts_with(start));
            let sleeps = !places(&without_waiting(function.text), "sleep").is_empty();
            if (is_test || !shipped) && !waits && sleeps {
                offenders.push(format!("{}:{}: {}", source.path, function.line, function.name));
            }
        }
    }
    check("a test that sleeps outside of a function that polls", offenders);
}

/// The text without what is handed to functions that poll: what they call, they call again and again.
fn without_waiting(text: &str) -> String {
    let mut left = text.to_owned();
    for call in WAITERS.iter().map(|start| format!("{}(", start.trim_end_matches('_'))) {
        for at in places(text, &call) {
            let open = at + call.len() - 1;
            let mut depth = 0;
            let length = text[open..].bytes().position(|b| {
                depth += i32::from(b == b'(') - i32::from(b == b')');
                depth == 0
            });
            let end = length.map_or(text.len(), |length| open + length);
            left.replace_range(at..end, &" ".repeat(end - at));
        }
    }
    left
}

// ---- size and words ----

#[test]
fn functions_fit_a_screen() {
    let mut offenders = Vec::new();
    for source in all() {
        let long = functions(&source.code).into_iter().filter(|function| function.lines > FUNCTION_LINES_MAX);
        offenders.extend(long.map(|f| format!("{}:{}: {} has {} lines", source.path, f.line, f.name, f.lines)));
    }
    check("a function above 70 lines", offenders);
}

#[test]
fn files_are_split_in_time() {
    let mut offenders = Vec::new();
    for source in all() {
        let (lines, code) = (source.raw.lines().count(), source.shipped_lines());
        let is_test = source.path.starts_with("tests/");
        let (lines_max, code_max) =
            if is_test { (TEST_FILE_LINES_MAX, usize::MAX) } else { (FILE_LINES_MAX, CODE_LINES_MAX) };
        if lines > lines_max || code > code_max {
            offenders.push(format!("{}: {lines} lines, {code} without tests", source.path));
        }
    }
    check("a file above its lines", offenders);
}

#[test]
fn every_module_begins_with_a_sentence_about_what_it_is_for() {
    let mut offenders = Vec::new();
    for source in all() {
        let first = source.raw.lines().next().unwrap_or_default();
        if !first.starts_with("//! ") || !first.ends_with('.') {
            offenders.push(format!("{}: {first}", source.path));
        }
    }
    check("a first line that is no `//!` sentence with its dot", offenders);
}

#[test]
fn nothing_is_left_for_later() {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK"), concat!("@", "@")];
    let mut texts: Vec<(String, String)> = all().into_iter().map(|source| (source.path, source.raw)).collect();
    for path in ["Cargo.toml", "tests/run", ".ci/run", "README.md", "mxseal.toml", ".gitignore"] {
        texts.push((path.to_owned(), read(path)));
    }
    let mut offenders = Vec::new();
    for (path, text) in &texts {
        for word in words {
            offenders.extend(Source::lines_with(text, word).iter().map(|line| format!("{path}:{line}: {word}")));
        }
    }
    check("a note for later: open an issue, or pin today's behaviour in a test", offenders);
}

#[test]
fn no_path_of_one_machine_is_written_down() {
    let paths = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];
    let mut offenders = Vec::new();
    for source in all() {
        let temporary = concat!("\"/t", "mp");
        let more = source.path.starts_with("src/").then_some(temporary);
        for path in paths.into_iter().chain(more) {
            let lines = source.raw.lines().enumerate().filter(|(_, line)| line.contains(path));
            offenders.extend(lines.map(|(at, _)| format!("{}:{}: {path}", source.path, at + 1)));
        }
    }
    check("a path that only one machine has", offenders);
}

// ---- what is around the code ----

#[test]
fn every_mutant_still_finds_the_text_that_it_changes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mutants");
    let checked = Command::new("python3").arg(path).arg("--check").output().expect("python3 runs");
    let said = String::from_utf8_lossy(&checked.stderr);
    check("a mutant whose text is gone shows nothing", said.lines().map(str::to_owned).collect());
    assert!(checked.status.success());
}

#[test]
fn every_dependency_says_why_it_is_there() {
    let manifest = read("Cargo.toml");
    let (mut section, mut before, mut offenders) = ("", "", Vec::new());
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.contains("dependencies") && line.contains('=') && !line.starts_with('#') {
            let reason = before.strip_prefix("# ").filter(|reason| !reason.starts_with("---"));
            if reason.is_none() {
                offenders.push(line.to_owned());
            }
        }
        before = line;
    }
    check("a dependency without a comment above it", offenders);
}

#[test]
fn the_lock_file_holds_no_banned_crate() {
    let lock = read("Cargo.lock");
    let names: BTreeSet<&str> =
        lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect();
    assert!(names.contains("ring"), "the lock file was read");
    check(
        "a banned crate",
        CRATES_BANNED.iter().filter(|name| names.contains(*name)).map(|n| (*n).to_owned()).collect(),
    );
}

#[test]
fn the_readme_shows_every_command() {
    let readme = read("README.md");
    let commands = commands(&[]);
    assert!(commands.len() > 10, "{commands:?}");
    let rows: Vec<&str> = readme.lines().filter(|line| line.starts_with("| `")).collect();
    let missing = commands.into_iter().filter(|command| !rows.iter().any(|row| is_shown(row, command)));
    check("a command that no row of the table in README.md shows", missing.collect());
}

/// Whether a row of a table shows a command: `tenant add`, or only `add` in the row of `tenant list`.
fn is_shown(row: &str, command: &str) -> bool {
    let (object, verb) = command.split_once(' ').unwrap_or((command, command));
    let begins = |what: &str| [" ", "`"].iter().any(|end| row.contains(&format!("`{what}{end}")));
    begins(command) || (begins(object) && begins(verb) && object != verb)
}

/// Every command that does something, as the program lists them: `tenant add`.
fn commands(above: &[&str]) -> Vec<String> {
    let out = Command::new(env!("CARGO_BIN_EXE_mxseal")).args(above).arg("--help").output().expect("the program runs");
    let help = String::from_utf8(out.stdout).expect("help is text");
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> = list
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    if names.is_empty() {
        return vec![above.join(" ")];
    }
    names.into_iter().flat_map(|name| commands(&[above, &[name]].concat())).collect()
}
