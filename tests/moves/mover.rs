//! What a server does about pools and moves, without sockets and threads: files change, facts are kept, time goes on.

use mxseal::answer::Identity;
use mxseal::config::Config;
use mxseal::control::certs::{Bounds, Certs};
use mxseal::control::life::Living;
use mxseal::dns::name::{Name, ROOT};
use mxseal::roll::hosts::KEYS_MAX;
use mxseal::roll::hosts::facts::Fact;
use mxseal::store::Store;
use mxseal::time::{Now, Seconds, UnixTime};
use mxseal::world::pools::{WayServed, WayWanted};
use mxseal::world::tenants::homes::Lines;
use mxseal::world::zones::Keys;
use mxseal::world::{FileChange, Known, Want, World, ZonePast};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const MASTER: &str = "@ 3600 SOA ns.mx.example. h.mx.example. 1 7200 3600 1209600 300\n@ NS ns.mx.example.\n";
const ZONE: &str = "a.mx.example";
const CONFIG: &str = "version = 1\n[probe]\nenabled = false\n[zone.\"a.mx.example\"]\nsigned = false\n";
/// How long caches hold what is served, at most; what is added to each wait.
pub const HOLD: Seconds = 3600;
const MARGIN: Seconds = 60;
/// One wait of a move.
pub const WAIT: Seconds = HOLD + MARGIN;
const FULL: usize = 1;

/// Pools with one host each, whose last octet is that of all its keys, and so many keys.
pub fn pools(names: &[(&str, u8)], keys: u8) -> String {
    let tlsa = |octet: u8| {
        let all = (0..keys).map(|key| format!("\"3 1 1 {octet}{}\"", format!("{key:02x}").repeat(31)));
        all.collect::<Vec<_>>().join(", ")
    };
    let pool = |(name, octet): &(&str, u8)| {
        format!("[{name}]\naddresses = [\"192.0.2.{octet}\"]\ntlsa = [{}]\n", tlsa(*octet))
    };
    names.iter().map(pool).collect()
}

pub fn three_pools() -> String {
    pools(&[("one", 11), ("two", 22), ("six", 66)], 1)
}

/// What a sender gets of a tenant: last octets of addresses, and first octets of keys.
pub type Answer = (BTreeSet<u8>, BTreeSet<u8>);

/// What was answered since when, in true time.
type Story = Vec<(UnixTime, Answer)>;

pub struct Mover {
    folder: tempfile::TempDir,
    /// Steps of the disk until it is full; 1: it is; 0: it never is.
    pub disk: Arc<AtomicUsize>,
    store: Option<Store>,
    config: Config,
    pub certs: Certs,
    pub world: World,
    pub files: BTreeMap<String, String>,
    /// By the signing clock.
    pub now: UnixTime,
    /// What that is ahead of true time.
    pub ahead: Seconds,
    stories: BTreeMap<String, Story>,
    watched: Vec<String>,
    /// The monotonic clock at the first moment.
    began: Instant,
}

/// The first moment, by the signing clock.
const BEGIN: UnixTime = UnixTime(1_800_000_000);

struct Out<'a> {
    certs: &'a mut Certs,
    store: &'a Store,
    now: Now,
}

impl Out<'_> {
    /// No file names another, and no zone was ever signed.
    fn known(&mut self, world: &World, batch: &[FileChange]) -> Known {
        let mut known = Known::default();
        for apex in world.needs_of_files(batch, &known).zones {
            let homes = self.certs.read_homes(self.store, &apex);
            known.zones.insert(apex, ZonePast { homes, ..ZonePast::default() });
        }
        known
    }

    fn settle(&mut self, world: &mut World) {
        while let Some(want) = world.want() {
            match want {
                Want::Pools(pools) => {
                    let serve = |wanted| self.certs.serve_pool(self.store, wanted, self.now);
                    let served = pools.iter().map(serve).collect();
                    world.pools.take_served(served);
                }
                Want::Joined(joined, left) => {
                    self.certs.join_ways(self.store, joined, self.now);
                    self.certs.leave_ways(self.store, left);
                }
                Want::Ways(ways) => {
                    let served = ways.iter().map(|way| self.serve_way(way)).collect();
                    world.pools.take_ways(served);
                }
                Want::Keys(zones) => {
                    world.take_keys(zones.into_iter().map(|apex| (apex, Keys::None)).collect());
                }
            }
        }
    }

    fn serve_way(&mut self, wanted: &WayWanted) -> WayServed {
        if wanted.is_left {
            self.certs.leave_way(self.store, &wanted.way);
            return WayServed::Ended;
        }
        self.certs.serve_way(self.store, &wanted.way, self.now)
    }
}

/// A moment by all clocks.
fn at(now: UnixTime, began: Instant) -> Now {
    Now::at(began + Duration::from_secs(now.0.saturating_sub(BEGIN.0)), now)
}

pub fn tenant(domain: &str, pool: &str) -> (String, String) {
    (format!("{ZONE}/{domain}.toml"), format!("domain = \"{domain}\"\npool = \"{pool}\"\n"))
}

fn config() -> Config {
    mxseal::config::parse("mxseal.toml", CONFIG).expect("a configuration").0
}

impl Mover {
    /// Pools that have been served for long, and nobody at them.
    pub fn new(pools: String) -> Mover {
        let folder = tempfile::tempdir().expect("a folder");
        let began = Instant::now();
        let mut mover = Mover {
            folder,
            disk: Arc::new(AtomicUsize::new(0)),
            store: None,
            config: config(),
            certs: Certs::new(config(), at(BEGIN, began)),
            world: World::new(config(), "zones".to_owned()),
            files: BTreeMap::new(),
            now: BEGIN,
            ahead: 0,
            stories: BTreeMap::new(),
            watched: Vec::new(),
            began,
        };
        assert!(mover.start());
        mover.write(vec![("pools.toml".to_owned(), pools), ("a.mx.example.zone".to_owned(), MASTER.to_owned())]);
        mover.run(2 * WAIT);
        mover
    }

    /// This moment by all clocks.
    pub fn at(&self) -> Now {
        at(self.now, self.began)
    }

    fn keys(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    /// Another process begins on the same files; false where the disk does not let it.
    pub fn start(&mut self) -> bool {
        self.store = None;
        let counter = Arc::clone(&self.disk);
        let failpoint = move |_, _: &Path| {
            let left = counter.load(Ordering::SeqCst);
            if left > FULL {
                counter.store(left - 1, Ordering::SeqCst);
            }
            if left == FULL { Err(io::Error::from_raw_os_error(libc::ENOSPC)) } else { Ok(()) }
        };
        let Ok(store) = Store::open_with_failpoint(&self.keys(), Box::new(failpoint)) else { return false };
        let credited = self.certs.credited;
        self.certs = Certs::new(self.config.clone(), self.at());
        self.certs.take_clock(credited, None, self.at());
        self.world = World::new(self.config.clone(), "zones".to_owned());
        let ways = self.certs.restore_ways(&store, self.at());
        self.world.pools.restore_ways(ways, self.now.0);
        self.store = Some(store);
        self.bound();
        self.write(self.files.clone().into_iter().collect());
        true
    }

    pub fn fill_disk(&self, after_steps: usize) {
        self.disk.store(after_steps + FULL, Ordering::SeqCst);
    }

    pub fn is_full(&self) -> bool {
        self.disk.load(Ordering::SeqCst) == FULL
    }

    /// There is room again; steps that were left until it was full.
    pub fn free_disk(&self) -> usize {
        self.disk.swap(0, Ordering::SeqCst)
    }

    fn out<T>(&mut self, act: impl FnOnce(&mut World, &mut Out<'_>) -> T) -> T {
        let now = self.at();
        let store = self.store.as_ref().expect("it runs");
        act(&mut self.world, &mut Out { certs: &mut self.certs, store, now })
    }

    /// One batch of files.
    pub fn write(&mut self, files: Vec<(String, String)>) {
        self.files.extend(files.iter().cloned());
        let change = |(path, text): (String, String)| FileChange { path, content: Some(text.into_bytes()) };
        self.change(files.into_iter().map(change).collect());
    }

    pub fn remove(&mut self, path: &str) {
        self.files.remove(path);
        self.change(vec![FileChange { path: path.to_owned(), content: None }]);
    }

    fn change(&mut self, batch: Vec<FileChange>) {
        let now = self.now;
        self.out(|world, out| {
            let mut known = out.known(world, &batch);
            world.apply(batch, &mut known, now);
            out.settle(world);
        });
        self.publish();
    }

    pub fn move_to(&mut self, domain: &str, pool: &str) {
        self.write(vec![tenant(domain, pool)]);
    }

    fn bound(&mut self) {
        self.certs.bound(Some(Bounds { ttl: 300, life: HOLD, margin: MARGIN }), self.at());
    }

    fn publish(&mut self) {
        self.bound();
        let snapshot = self.world.snapshot(1, Arc::new(Identity::default()));
        drop(snapshot);
        self.note();
        self.certs.homes_are_kept = self.keep_homes();
    }

    fn keep_homes(&mut self) -> bool {
        let store = self.store.as_ref().expect("it runs");
        let World { zones, pools, .. } = &mut self.world;
        for (apex, zone) in zones {
            let (homes, table) = (&mut zone.tenants.homes, &zone.tenants.table);
            homes.forget_gone(pools, self.now);
            let Some(lines) = homes.to_keep(table, pools) else { continue };
            let file = self.certs.homes.entry(apex.clone()).or_insert_with(|| store.tenant_pools(apex));
            let done = match &lines {
                Lines::All(text, _) => store.write_kept(file, text),
                Lines::More(text) => store.append_kept(file, text, || homes.all(table, pools).text().to_owned()),
            };
            if done.is_err() {
                homes.renew();
                return false;
            }
            homes.kept(lines);
        }
        true
    }

    /// What was published is seen on the wire.
    fn see(&mut self) {
        let now = self.at();
        for life in self.certs.lives.values_mut().filter(|life| life.is_unseen()) {
            let (at, through) = (now.signing.0, life.facts().records);
            let seen = Fact::PoolServed { instance: 0, snapshot: 1, first_seen: at, last_seen: at, through };
            life.record(seen, now);
        }
    }

    /// All that is due now is done.
    pub fn turn(&mut self) {
        self.see();
        let names: Vec<String> = self.certs.lives.keys().cloned().collect();
        let now = self.at();
        let store = self.store.as_ref().expect("it runs");
        if self.certs.join_next().is_some() {
            self.certs.join_again(store, now);
        }
        for name in names {
            self.certs.advance(store, &name, now);
        }
        for way in self.certs.old_ways(self.now) {
            self.world.pools.close_way(&way);
        }
        self.out(|world, out| {
            world.pools.ask_anew();
            out.settle(world);
        });
        self.publish();
    }

    /// Time goes on.
    pub fn run(&mut self, span: Seconds) {
        let until = self.now.after(span);
        while self.now < until {
            self.now = UnixTime(self.now.after(HOLD / 12).0.min(until.0));
            self.turn();
        }
    }

    /// Follows what a tenant is served.
    pub fn watch(&mut self, domain: &str) {
        self.watched.push(domain.to_owned());
        self.note();
    }

    fn note(&mut self) {
        let at = UnixTime(self.now.0 - self.ahead);
        for domain in self.watched.clone() {
            let answer = self.served(&domain).unwrap_or_default();
            let story = self.stories.entry(domain).or_default();
            if story.last().is_none_or(|(_, last)| *last != answer) {
                story.push((at, answer));
            }
        }
    }

    pub fn answer(&self, domain: &str) -> Answer {
        self.served(domain).expect("a tenant that is served")
    }

    fn served(&self, domain: &str) -> Option<Answer> {
        let zone = self.world.zones.get(&Name::parse(ZONE, ROOT).expect("a name")).expect("a zone");
        let tenant = zone.tenants.by_domain(domain)?;
        let index = usize::try_from(tenant.pool().expect("a pool")).expect("an index");
        let records = self.world.pools.records().get(index).cloned().flatten()?;
        let last = |address: &IpAddr| match address {
            IpAddr::V4(address) => address.octets()[3],
            IpAddr::V6(_) => 0,
        };
        assert!(records.tlsa().len() <= KEYS_MAX, "TLSA fit an answer: {}", records.tlsa().len());
        let octet = |octet: u8| u8::from_str_radix(&octet.to_string(), 16).expect("digits");
        let addresses = records.addresses().iter().map(|address| octet(last(address))).collect();
        Some((addresses, records.tlsa().iter().map(|digest| digest[0]).collect()))
    }

    /// Waits until a tenant has just what its pool has.
    #[track_caller]
    pub fn arrive(&mut self, domain: &str, octet: u8) {
        for _ in 0..40 {
            if self.answer(domain) == ([octet].into(), [octet].into()) && self.ways() == 0 {
                return;
            }
            self.run(HOLD / 4);
        }
        let lives = self.certs.lives.iter().filter(|(name, _)| name.starts_with('.'));
        let ways: Vec<_> = lives.map(|(name, life)| (name, &life.plan, &life.disk, life.served())).collect();
        panic!("{domain} is at {:?}, {} ways: {ways:#?}", self.answer(domain), self.ways());
    }

    pub fn ways(&self) -> usize {
        self.certs.ways.len()
    }

    /// Folders of ways that are there.
    pub fn way_folders(&self) -> usize {
        let all = std::fs::read_dir(self.keys().join("pools")).expect("a folder").flatten();
        all.filter(|entry| entry.file_name().to_string_lossy().starts_with(".way-")).count()
    }

    /// Octets of a file below `keys/`.
    pub fn octets(&self, path: &str) -> u64 {
        std::fs::metadata(self.keys().join(path)).map_or(0, |found| found.len())
    }

    /// No mixture of what caches may have held leads to a host whose key no TLSA named.
    #[track_caller]
    pub fn judge(&self) {
        for (domain, story) in &self.stories {
            let ends = |at: usize| story.get(at + 1).map_or(u64::MAX, |(next, _)| next.0 + HOLD);
            for (one, (since, (addresses, _))) in story.iter().enumerate() {
                // Who is not there has no TLSA, so nobody asks for a key.
                let there = story.iter().enumerate().filter(|(_, (_, (_, keys)))| !keys.is_empty());
                for (other, (from, (_, keys))) in there {
                    let meet = since.0 < ends(other) && from.0 < ends(one);
                    assert!(!meet || addresses.is_subset(keys), "{domain}: {one} with {other} in {story:#?}");
                }
            }
        }
    }
}
