//! A day of a server in some seconds: feed, world, lives, store and loop as they are, at moments that the test makes up.
//!
//! Only threads are left out: looks are done by the observer's own code when the loop asks for them, at a server on a loopback
//! address that answers from the snapshot of that moment.

mod answering;

use super::start::Options;
use super::{Mind, Timer};
use crate::answer::{Identity, Snapshot};
use crate::control::event::Event;
use crate::control::rolls::clock::Clock;
use crate::dns::name::{Name, ROOT};
use crate::feed::settle::Hint;
use crate::feed::watch::{Marks, Watcher};
use crate::observe::asker::Asker;
use crate::observe::before::DsBefore;
use crate::observe::observer::{Look, Observer, Seen, Standpoint, WantedLook, see};
use crate::resolve::client;
use crate::resolve::walk::Ways;
use crate::store::Store;
use crate::time::{Now, UnixTime, steady};
use answering::Answering;
use arc_swap::ArcSwap;
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// Long after any file of the test is written, since the kernel alone says when a file changed: each one is old enough to be
/// believed at once, on each run; and not so late that no clock can say it.
const BEGIN: UnixTime = UnixTime(3_600_000_000);
const HOUR: u64 = 3600;
const CHILD: &str = "a.mx.example";
const CONFIG: &str = r#"version = 1
[server]
listen = ["127.0.0.1:5399"]
[probe]
enabled = false
[zone."mx.example"]
policy = "top"
parents = ["127.0.0.1:5398"]
[policy.top]
keys = "csk"
csk_lifetime = "unlimited"
LIVES
[policy.shard]
csk_lifetime = "4h"
LIVES
"#;
/// Signatures that live for two hours: with those of weeks a roll takes as long.
const LIVES: &str = r#"dnskey_ttl = "5m"
margin = "10m"
signature_life = "2h"
signature_grid = "10m"
inception_before = "10m"
dnskey_life = "2h"
dnskey_refresh = "1h""#;

fn master(zone: &str) -> String {
    format!("$TTL 300\n@ SOA ns.{zone}. h.{zone}. 1 7200 3600 1209600 300\n@ NS ns\nns A 192.0.2.53\n")
}

fn pool(octet: u8) -> String {
    format!("[eu]\naddresses = [\"192.0.2.{octet}\"]\ntlsa = [\"3 1 1 {}\"]\n", "ab".repeat(32))
}

fn name(text: &str) -> Name {
    Name::parse(text, ROOT).expect("a name of the test")
}

/// A server without threads of its own, and what it was seen to do: seconds since its begin, and what is so from then on.
struct Day {
    folder: tempfile::TempDir,
    mind: Mind,
    marks: Marks,
    looks: Vec<Receiver<WantedLook>>,
    answering: Answering,
    now: Cell<Now>,
    story: Vec<(u64, String)>,
    /// Key tags in the order in which they were first seen: each run has keys of its own.
    tags: Vec<u16>,
    faults: Vec<String>,
}

impl Day {
    /// At this moment nothing was read yet.
    fn at(now: Now) -> Day {
        let folder = tempfile::tempdir().expect("a folder");
        let (zones, keys) = (folder.path().join("zones"), folder.path().join("keys"));
        std::fs::create_dir_all(zones.join(CHILD)).expect("folders");
        for zone in ["mx.example", CHILD] {
            std::fs::write(zones.join(format!("{zone}.zone")), master(zone)).expect("a master file");
        }
        std::fs::write(zones.join("pools.toml"), pool(25)).expect("pools");
        let (mut config, warnings) =
            crate::config::parse("mxseal.toml", &CONFIG.replace("LIVES", LIVES)).expect("a configuration");
        (config.zones, config.keys) = (zones, keys.clone());
        let slot = Arc::new(ArcSwap::from_pointee(Snapshot::empty(Arc::default())));
        let store = Store::open(&keys).expect("a store");
        let (newest, corrected) = store.newest_fact();
        let (clock, told) = store.signing_clock(newest, corrected, now);
        let options = Options {
            config,
            warnings,
            read_config: Box::new(|| Err(Vec::new())),
            identity: Arc::new(Identity::default()),
            status: Default::default(),
            slot: Arc::clone(&slot),
            metrics: Arc::default(),
            of_host: Vec::new(),
            memory: None,
            readers: None,
            tell: Box::new(|_| {}),
        };
        let watcher = Watcher::none();
        let marks = watcher.marks();
        let (mut mind, _) = Mind::new(options, store, watcher, Clock::new(clock, told), now);
        mind.lives.rolls.asker = Asker::without_threads();
        let (observer, looks) = Observer::without_threads();
        mind.eyes.observer = Some(observer);
        let (answering, now) = (Answering::from(slot), Cell::new(now));
        let (story, tags, faults) = (Vec::new(), Vec::new(), Vec::new());
        Day { folder, mind, marks, looks: looks.into(), answering, now, story, tags, faults }
    }

    /// The first files were read, parents have no DS, and zones have their first keys.
    fn begin() -> Day {
        let begin = Now::at(steady(), BEGIN);
        let mut day = Day::at(begin);
        day.first_scan();
        for (apex, _) in day.mind.lives.rolls.asker.take_waiting() {
            day.mind.lives.rolls.asker.answer(apex, DsBefore::None);
        }
        day.turn(Some(Event::Asked));
        day
    }

    fn first_scan(&mut self) {
        let begin = self.now.get();
        let mut wait = |at: Instant| {
            self.now.set(begin.after(at.saturating_duration_since(begin.steady)));
            self.now.get()
        };
        self.mind.first_scan(begin, &mut wait);
    }

    fn since(&self) -> u64 {
        self.now.get().signing.0 - BEGIN.0
    }

    /// One turn of the loop at the moment that is, and the looks that it asked for.
    fn turn(&mut self, event: Option<Event>) {
        let mut events: Vec<Event> = event.into_iter().collect();
        loop {
            self.answering.moment.store(self.now.get().signing.0, Ordering::SeqCst);
            let version = self.mind.served.version;
            // The clock of the process is left as it is: other tests go by it.
            let moments = |to: Option<UnixTime>| {
                self.now.set(to.map_or(self.now.get(), |to| self.now.get().steered(to)));
                self.now.get()
            };
            let flow = self.mind.turn(events.pop(), &moments);
            assert!(flow.is_continue());
            if self.mind.served.version != version {
                self.tell();
            }
            events.extend(self.look());
            if events.is_empty() {
                return;
            }
        }
    }

    /// Looks that were asked for, done as the observer's threads do them.
    fn look(&mut self) -> Vec<Event> {
        let asked: Vec<WantedLook> = self.looks.iter().flat_map(Receiver::try_iter).collect();
        let mut seen = Vec::new();
        for WantedLook { zone, look } in asked {
            if matches!(look, Look::Parent { .. } | Look::Tell { .. }) {
                continue;
            }
            let from = Standpoint { listen: &[self.answering.at], ways: &Ways::default() };
            let one = see(&zone, look, &from, self.now.get().signing);
            self.faults.extend(fault(&zone, &one));
            seen.push(Event::Seen(Box::new(zone), Box::new(one)));
        }
        seen
    }

    /// Time goes on from one reason to wake to the next, up to this many seconds after the begin.
    fn run_to(&mut self, seconds: u64) {
        let end = self.now.get().after(Duration::from_secs(seconds - self.since()));
        loop {
            let now = self.now.get();
            let (at, why) = self.mind.next(now);
            if at > end.steady {
                return self.now.set(end);
            }
            assert!(at > now.steady || why != Timer::Waits, "a reason that does not end");
            self.now.set(now.after(at.saturating_duration_since(now.steady)));
            self.turn(None);
        }
    }

    fn is_there(&self, path: &str) -> bool {
        self.folder.path().join("zones").join(path).exists()
    }

    /// A file of the zones is written, or removed, and heard of.
    fn write(&mut self, path: &str, text: Option<&str>) {
        let at = self.folder.path().join("zones").join(path);
        match text {
            Some(text) => std::fs::write(at, text).expect("a file"),
            None => std::fs::remove_file(at).expect("it was there"),
        }
        self.marks.mark(Path::new(path), Hint::Touched);
        self.turn(Some(Event::Files));
    }

    /// What is answered now joins the story, where it is other than before.
    fn tell(&mut self) {
        let keys = self.tags_of(CHILD, 48);
        let ds = self.tags_of(CHILD, 43);
        let zone = self.mind.world.zones.get(&name(CHILD));
        let tenants: Vec<String> =
            zone.iter().flat_map(|zone| zone.tenants.table.iter()).map(|tenant| tenant.domain()).collect();
        let hosts = self.records(&format!("t1-example.{CHILD}"), 1);
        let told = format!("DNSKEY {keys:?} DS {ds:?} tenants {tenants:?} A of one {hosts:?}");
        if self.story.last().is_none_or(|(_, last)| *last != told) {
            self.story.push((self.since(), told));
        }
    }

    fn records(&self, owner: &str, rtype: u16) -> Vec<Vec<u8>> {
        let timeout = Duration::from_secs(5);
        let reply = client::ask(self.answering.at, &name(owner), rtype, client::Transport::Tcp, timeout);
        // A zone that is silent has none.
        let answer = reply.map(|reply| reply.answer).unwrap_or_default();
        answer.into_iter().filter(|record| record.rtype == rtype).map(|record| record.data).collect()
    }

    /// Numbers of the keys that these records are about, in the order in which keys were seen first.
    fn tags_of(&mut self, owner: &str, rtype: u16) -> Vec<usize> {
        let records = self.records(owner, rtype);
        let tag = |data: &Vec<u8>| match rtype {
            43 => u16::from_be_bytes([data[0], data[1]]),
            _ => crate::sign::key::key_tag(data),
        };
        let mut numbers: Vec<usize> = records.iter().map(tag).map(|tag| self.number(tag)).collect();
        numbers.sort_unstable();
        numbers
    }

    fn number(&mut self, tag: u16) -> usize {
        self.tags.iter().position(|known| *known == tag).unwrap_or_else(|| {
            self.tags.push(tag);
            self.tags.len() - 1
        })
    }
}

/// What a look found wrong.
fn fault(zone: &Name, seen: &Seen) -> Option<String> {
    let why = match seen {
        Seen::Own { outcome, .. } => format!("{:?}", outcome.as_ref().err()?),
        Seen::Pool { outcome, .. } => format!("{:?}", outcome.as_ref().err()?),
        Seen::OwnParent { outcome, .. } => outcome.as_ref().err()?.clone(),
        Seen::NotHere => "this machine has no address".to_owned(),
        Seen::Parent(_) | Seen::Notified(_) => return None,
    };
    Some(format!("{zone}: {why}"))
}

/// A day with changes of tenants and of a pool, and the rolls of the child's keys that fall into it.
fn day() -> Vec<(u64, String)> {
    let mut day = Day::begin();
    let tenant = |domain: &str| format!("domain = \"{domain}\"\npool = \"eu\"\n");
    for hour in 1..24u64 {
        day.run_to(hour * HOUR);
        // Four tenants come, and go when it is their turn again.
        let (path, text) = (format!("{CHILD}/t{}.toml", hour % 4), tenant(&format!("t{}.example", hour % 4)));
        match hour {
            13 => day.write("pools.toml", Some(&pool(26))),
            _ if day.is_there(&path) => day.write(&path, None),
            _ => day.write(&path, Some(&text)),
        }
    }
    day.run_to(24 * HOUR);
    assert_eq!(day.faults, Vec::<String>::new(), "each look saw what was to be seen");
    let silent: Vec<_> = day.mind.world.zones.values().filter_map(|zone| zone.why_not_served()).collect();
    assert_eq!(silent, Vec::<String>::new());
    assert!(day.tags.len() >= 2, "a key was rolled: {:#?}", day.story);
    day.story
}

#[test]
fn signatures_go_by_a_clock_that_is_told_the_time_before_zones_are_served_by_it() {
    let lost = Now::at(steady(), UnixTime(5));
    let mut day = Day::at(lost);
    for zone in ["mx.example", CHILD] {
        day.mind.lives.rolls.asker.answer(name(zone), DsBefore::None);
    }
    day.first_scan();
    let slot = Arc::clone(&day.mind.served.slot);
    assert_eq!(slot.load().zones().len(), 0, "nothing is signed in 1970");
    // Somebody sets the wall clock.
    let later = day.now.get().after(Duration::from_secs(60));
    let told = Now { wall: BEGIN, ..later };
    let set = RefCell::new(Vec::new());
    let moments = |to: Option<UnixTime>| {
        set.borrow_mut().extend(to.map(|to| (to, slot.load().zones().len())));
        told.steered(set.borrow().last().map_or(told.signing, |(to, _)| *to))
    };
    assert!(day.mind.turn(None, &moments).is_continue());
    assert_eq!(set.borrow().first(), Some(&(BEGIN, 0)), "the clock was set while nothing was served");
    assert_eq!(slot.load().zones().len(), 2, "and zones are served in the same turn");
}

#[test]
fn the_parent_keeps_the_ds_of_a_zone_whose_key_fails_whatever_else_changes() {
    let mut day = Day::begin();
    day.run_to(HOUR);
    assert_eq!((day.tags_of(CHILD, 48), day.tags_of(CHILD, 43)), (vec![0], vec![0]));
    day.turn(Some(Event::KeyFailed(Box::new(name(CHILD)), "a fault of the test".to_owned())));
    assert_eq!(day.tags_of(CHILD, 48), Vec::<usize>::new(), "nothing more is signed");
    day.write("mx.example.zone", Some(&(master("mx.example") + "more A 192.0.2.9\n")));
    day.run_to(2 * HOUR);
    assert_eq!(day.records("more.mx.example", 1), [vec![192, 0, 2, 9]]);
    assert_eq!(day.tags_of(CHILD, 43), vec![0], "a zone without a DS would be taken for unsigned");
}

#[test]
fn a_day_of_changes_and_a_roll_pass_without_sleeping_and_twice_alike() {
    let first = day();
    let mut rolls: Vec<&str> = first.iter().filter_map(|(_, told)| Some(told.split_once(" tenants")?.0)).collect();
    rolls.dedup();
    // RFC 6781 § 4.1.2: the next key is published, its DS takes the place of the old one, the old key goes.
    let one = [
        "DNSKEY [0] DS [0]",
        "DNSKEY [0, 1] DS [0]",
        "DNSKEY [0, 1] DS [1]",
        "DNSKEY [1] DS [1]",
        "DNSKEY [1, 2] DS [1]",
        "DNSKEY [1, 2] DS [2]",
        "DNSKEY [2] DS [2]",
    ];
    assert_eq!(rolls.get(..one.len()), Some(&one[..]), "{first:#?}");
    let moved = first.iter().find(|(_, told)| told.ends_with("[[192, 0, 2, 26]]"));
    assert_eq!(moved.map(|(at, _)| *at), Some(13 * HOUR), "{first:#?}");
    assert_eq!(first, day());
}
