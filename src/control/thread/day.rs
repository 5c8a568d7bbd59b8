//! A day of a server in some seconds: feed, world, lives, store and loop as they are, at moments that the test makes up.
//!
//! Only threads are left out: looks are done by the observer's own code when the loop asks for them, at a server on a loopback
//! address that answers from the snapshot of that moment.

use super::start::Options;
use super::{Mind, Timer};
use crate::answer::{Asked, Effort, Identity, Reply, Snapshot, Transport, respond};
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
use arc_swap::ArcSwap;
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

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

/// What answers on a loopback address, from the snapshot and at the moment of the test.
struct Answering {
    at: SocketAddr,
    moment: Arc<AtomicU64>,
    ends: Arc<AtomicU64>,
}

impl Answering {
    fn from(slot: Arc<ArcSwap<Snapshot>>) -> Answering {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().expect("an address")) {
                break (udp, tcp);
            }
        };
        let (at, moment, ends) = (udp.local_addr().expect("an address"), Arc::default(), Arc::<AtomicU64>::default());
        let reply = {
            let moment = Arc::clone(&moment);
            move |packet: &[u8], transport| {
                let now = UnixTime(AtomicU64::load(&moment, Ordering::SeqCst));
                let source = "127.0.0.1".parse().expect("an address");
                let mut out = vec![0; 65_535];
                let asked = Asked { packet, source, transport, now, effort: Effort::Sign };
                match respond(&slot.load(), &asked, &mut out) {
                    Reply::Send(outcome) => out.truncate(outcome.length),
                    Reply::Silence | Reply::Deferred(_) => out.clear(),
                }
                out
            }
        };
        let (of_tcp, ended) = (reply.clone(), Arc::clone(&ends));
        std::thread::spawn(move || {
            for stream in tcp.incoming().map_while(Result::ok) {
                if ended.load(Ordering::SeqCst) > 0 {
                    return;
                }
                let _ = over_tcp(stream, &of_tcp);
            }
        });
        let ended = Arc::clone(&ends);
        std::thread::spawn(move || {
            let mut packet = [0; 4096];
            while let Ok((length, from)) = udp.recv_from(&mut packet) {
                if ended.load(Ordering::SeqCst) > 0 {
                    return;
                }
                let _ = udp.send_to(&reply(&packet[..length], Transport::Udp), from);
            }
        });
        Answering { at, moment, ends }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.ends.store(1, Ordering::SeqCst);
        // Each of the threads waits for one packet more.
        let _ = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(&[0], self.at));
        let _ = TcpStream::connect(self.at);
    }
}

fn over_tcp(mut stream: TcpStream, reply: &impl Fn(&[u8], Transport) -> Vec<u8>) -> std::io::Result<()> {
    let mut length = [0; 2];
    while stream.read_exact(&mut length).is_ok() {
        let mut packet = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut packet)?;
        let reply = reply(&packet, Transport::Tcp);
        let length = u16::try_from(reply.len()).unwrap_or(u16::MAX).to_be_bytes();
        stream.write_all(&[&length[..], &reply].concat())?;
    }
    Ok(())
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
    fn begin() -> Day {
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
        let now = Now::at(steady(), BEGIN);
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
        let mut day = Day { folder, mind, marks, looks: looks.into(), answering, now, story, tags, faults };
        let begin = day.now.get();
        let mut wait = |at| {
            day.now.set(begin.after(at - begin.steady));
            day.now.get()
        };
        day.mind.first_scan(begin, &mut wait);
        for (apex, _) in day.mind.lives.rolls.asker.take_waiting() {
            day.mind.lives.rolls.asker.answer(apex, DsBefore::None);
        }
        day.turn(Some(Event::Asked));
        day
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
            let flow = self.mind.turn(events.pop(), &|_| self.now.get());
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
