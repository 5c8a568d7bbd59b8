//! Who may read a clock: one room asks the system, and threads with a loop of their own ask that room.
//!
//! All others are handed the moment, so that what they do can be told to happen at any. Tests may read what they like.

use crate::check;
use crate::source::{Source, below, line_of, places};
use std::collections::BTreeMap;

/// The one file that asks the system.
const CLOCK: &str = "src/time.rs";

/// Words that ask the system.
const SYSTEM: &[&str] = &["Instant::now", "SystemTime::now", "clock_gettime", ".elapsed"];

/// What `time` gives to those who may read a clock, besides `Now::read`.
const CLOCKS: &[&str] = &["now", "wall", "steady"];

/// Files that read a clock, and folders with such files, and why. A loop reads it once a turn and hands the moment down.
const READERS: &[(&str, &str)] = &[
    ("src/control/thread.rs", "the loop of the control thread: its turns have no clock"),
    ("src/control/thread/start.rs", "the start and the end of that thread"),
    ("src/control/thread/day.rs", "a test: from where on it makes moments up"),
    ("src/control/outside.rs", "`check` reads the world once, without a loop"),
    ("src/control/socket.rs", "the loop of the socket's thread; `explain` says what is answered at this moment"),
    ("src/control/warm.rs", "the loop of the pass: it rests by how long its work took"),
    ("src/feed/source.rs", "how a process waits for files that are being written"),
    ("src/feed/watch.rs", "how long a full scan took, by which scans are paced"),
    ("src/feed/watch/thread.rs", "the loop of the watcher's thread"),
    ("src/observe/asker.rs", "the loop of threads that ask parents"),
    ("src/observe/observer.rs", "the loop of threads that look: signatures are judged when they are seen"),
    ("src/resolve/client.rs", "the deadline of a socket"),
    ("src/resolve/walk.rs", "the deadline of a search over sockets"),
    ("src/probe.rs", "the deadline of a connection"),
    ("src/probe/dialogue.rs", "the deadline of a connection"),
    ("src/process/machine.rs", "a mark that no other process makes"),
    ("src/serve.rs", "the end of a server"),
    ("src/serve/encrypted/desk.rs", "the loop of those who answer encrypted queries"),
    ("src/serve/encrypted/guests.rs", "how long connections stand"),
    ("src/serve/shield.rs", "what is logged at most once in a while, where an answer failed"),
    ("src/serve/signing.rs", "the budget of signatures"),
    ("src/serve/tcp.rs", "the loop of connections"),
    ("src/serve/tcp/door.rs", "the loop that takes connections"),
    ("src/serve/tcp/queue.rs", "how long a query waits for its signature"),
    ("src/serve/udp.rs", "the loop over batches of datagrams"),
    ("src/cli/", "a command begins when a person runs it, and waits for a server"),
];

/// Where code that ships asks the system what time it is.
fn asks(source: &Source) -> Vec<usize> {
    let words = SYSTEM.iter().flat_map(|word| places(&source.shipped, word));
    words.map(|at| line_of(&source.shipped, at)).collect()
}

/// Where code that ships reads a clock of `time`: by the module's name, or by that of a function that was imported.
fn reads(source: &Source) -> Vec<usize> {
    let code = without_imports(&source.shipped);
    let by_module = CLOCKS.iter().flat_map(|clock| places(&code, &format!("time::{clock}")));
    let imported = CLOCKS.iter().filter(|clock| is_imported(&source.shipped, clock));
    let by_name = imported.flat_map(|clock| places(&code, clock).into_iter().filter(|at| is_free(&code, *at, clock)));
    let all = by_module.chain(by_name).chain(places(&code, "Now::read"));
    all.map(|at| line_of(&code, at)).collect()
}

/// Whether a name in code is the function: no field, path, local name or definition.
fn is_free(code: &str, at: usize, name: &str) -> bool {
    let (before, after) = (code[..at].trim_end(), &code[at + name.len()..]);
    after.starts_with('(') && ![".", "::", "fn"].iter().any(|end| before.ends_with(end))
}

/// Whether a function of `time` is imported by its name.
fn is_imported(code: &str, name: &str) -> bool {
    let imports = code.split("use ").filter_map(|rest| rest.strip_prefix("crate::time::"));
    imports.filter_map(|rest| rest.split(';').next()).any(|list| !places(list, name).is_empty())
}

fn without_imports(code: &str) -> String {
    let mut left = code.to_owned();
    for at in places(code, "use") {
        if let Some(length) = code[at..].find(';') {
            let blank: String = code[at..at + length].chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
            left.replace_range(at..at + length, &blank);
        }
    }
    left
}

/// The reads of all files but [`CLOCK`], by path.
fn found(sources: &[Source], reads: impl Fn(&Source) -> Vec<usize>) -> BTreeMap<String, Vec<usize>> {
    let others = sources.iter().filter(|source| source.path != CLOCK);
    others.map(|source| (source.path.clone(), reads(source))).filter(|(_, lines)| !lines.is_empty()).collect()
}

/// What no file or folder of a list allows, and what of the list nothing needs.
fn beyond(found: &BTreeMap<String, Vec<usize>>, allowed: &[&str]) -> Vec<String> {
    let is_in = |path: &str, one: &str| path == one || one.ends_with('/') && path.starts_with(one);
    let is_allowed = |path: &str| allowed.iter().any(|one| is_in(path, one));
    let wrong = found.iter().filter(|(path, _)| !is_allowed(path)).map(|(path, lines)| format!("{path}: {lines:?}"));
    let vain = allowed.iter().filter(|one| !found.keys().any(|path| is_in(path, one)));
    wrong.chain(vain.map(|one| format!("{one}: take it off the list"))).collect()
}

#[test]
fn one_file_asks_the_system_what_time_it_is() {
    let sources = below("src");
    assert!(sources.iter().any(|source| source.path == CLOCK && !asks(source).is_empty()));
    check("a clock of the system is read outside of `time`", beyond(&found(&sources, asks), &[]));
}

#[test]
fn a_clock_is_read_only_by_loops_that_hand_the_moment_down() {
    let all = |source: &Source| [asks(source), reads(source)].concat();
    let readers: Vec<&str> = READERS.iter().map(|(path, _)| *path).collect();
    check("a clock is read where the moment should be handed in", beyond(&found(&below("src"), all), &readers));
}

#[test]
fn every_way_of_reading_a_clock_is_seen() {
    let source = |text: &str| Source::from_text("src/a.rs".to_owned(), text.to_owned());
    let asked = |text: &str| asks(&source(text)).len();
    assert_eq!(asked("fn f() { let a = Instant::now();\n let b = SystemTime::now(); a.elapsed(); }"), 3);
    assert_eq!(asked("fn f() { x.get_or_insert_with(std::time::Instant::now); }"), 1);
    assert_eq!(asked("// Instant::now()\n#[cfg(test)]\nmod tests { fn f() { Instant::now(); } }"), 0);
    let read = |text: &str| reads(&source(text)).len();
    assert_eq!(read("use crate::time;\nfn f() { time::now(); crate::time::wall(); time::Now::read(); }"), 3);
    assert_eq!(read("use crate::time::{UnixTime, now, steady};\nfn f() { now(); let s = steady(); }"), 2);
    assert_eq!(read("use crate::time::{Now,\n    steady};\nfn f(now: Now) -> Instant { now.steady + steady() }"), 1);
    assert_eq!(read("use crate::time::steady;\nfn f() { g(crate::time::now) }"), 1, "as a value");
    assert_eq!(read("use crate::time::steady;\nfn f() -> S { S { at: steady() } }"), 1, "in a field");
    assert_eq!(read("fn now() {}\nfn f(now: u8) { now(); self.now(); Time::now(); }"), 0, "of its own");
    let lines = |text: &str| reads(&source(text));
    assert_eq!(lines("use crate::time::{\n    now,\n};\nfn f() {\n    now();\n}"), [5]);
}

#[test]
fn a_reader_that_is_not_listed_and_a_list_that_is_too_long_are_seen() {
    let source = |path: &str| Source::from_text(path.to_owned(), "fn f() { Instant::now(); }".to_owned());
    let found = found(&[source("src/a.rs"), source("src/b/c.rs"), source(CLOCK)], asks);
    assert_eq!(beyond(&found, &["src/b/", "src/d.rs"]), ["src/a.rs: [1]", "src/d.rs: take it off the list"]);
    assert_eq!(beyond(&found, &["src/a.rs", "src/b/"]), [""; 0]);
    assert_eq!(beyond(&found, &["src/a.rs", "src/b"]), ["src/b/c.rs: [1]", "src/b: take it off the list"]);
}
