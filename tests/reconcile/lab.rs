//! A world with files in memory, keys in memory and a clock of its own, asked like a server.

use crate::words::{in_words, query};
use mxseal::answer::{Asked, Effort, Identity, Reply, Snapshot, Transport, respond};
use mxseal::cert::{KeyKind, Leaf, Spki};
use mxseal::config::Config;
use mxseal::diagnostic::{Diagnostic, Place};
use mxseal::dns::name::{Name, ROOT};
use mxseal::sign::key::{Key, generate_pkcs8};
use mxseal::time::UnixTime;
use mxseal::world::changes::Changes;
use mxseal::world::pools::{PoolServed, PoolWanted, WayServed, WayWanted};
use mxseal::world::tenants::homes::{Homes, Lines};
use mxseal::world::tenants::{Done, Standing};
use mxseal::world::zones::{KeySet, Keys, ParentWish, Part, ZoneState};
use mxseal::world::{FileChange, KeysPast, Known, Needs, Want, WasSigned, World, ZonePast};
use mxseal::zone::endpoint::Tenant;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

pub const ZONE: &str = "a.mx.example";
pub const MASTER: &str =
    "@ 3600 SOA ns.mx.example. h.mx.example. 1 7200 3600 1209600 300\n@ NS ns.mx.example.\nwww 300 A 192.0.2.80\n";
pub const POOLS: &str = "[eu]\naddresses = [\"192.0.2.25\"]\ntlsa = [\"3 1 1 1b5c000000000000000000000000000000000000000000000000000000000000\"]\n\n[us]\naddresses = [\"192.0.2.26\"]\ntlsa = [\"3 1 1 1b5d000000000000000000000000000000000000000000000000000000000000\"]\n";

/// The outside, in memory.
#[derive(Default)]
pub struct Memory {
    pub files: BTreeMap<String, Vec<u8>>,
    pub certificates: BTreeMap<String, [u8; 32]>,
    pub keys: BTreeMap<Name, Key>,
    /// Zones whose keys cannot be trusted now.
    pub frozen: BTreeSet<Name>,
    /// Zones with last good content of their master files, as the next process finds it.
    pub last_good: BTreeSet<Name>,
    /// Which pools tenants are served from, as the next process finds it.
    pub homes: BTreeMap<Name, String>,
    /// Addresses of tenants' own whose hosts show keys of a pool, as it was told last.
    pub apart: BTreeMap<String, BTreeSet<IpAddr>>,
    /// The ways between pools that tenants took: from, to, endpoints.
    pub joined: Vec<[String; 3]>,
    /// Whether ways go on until they are left; else their tenants have arrived at once.
    pub ways_last: bool,
    /// Ways that nobody is on any more.
    pub left_ways: Vec<String>,
}

impl Memory {
    fn certificate(&self, path: &str) -> Result<Leaf, String> {
        let spki = self.certificates.get(path).copied().map(Spki).ok_or_else(|| "no such file".to_owned())?;
        Ok(Leaf {
            spki,
            kind: KeyKind::EcdsaP256,
            names: Vec::new(),
            not_before: UnixTime(0),
            not_after: UnixTime(u64::MAX),
            issuer: String::new(),
            self_signed: true,
        })
    }
}

impl Memory {
    /// What a world has to know before it takes in this batch.
    pub fn known(&self, world: &World, batch: &[FileChange]) -> Known {
        self.complete(|known| world.needs_of_files(batch, known))
    }

    /// The same before it takes in what a source told.
    pub fn known_of(&self, world: &World, changes: &Changes) -> Known {
        self.complete(|known| world.needs(changes, known))
    }

    fn complete(&self, needs: impl Fn(&Known) -> Needs) -> Known {
        let mut known = Known::default();
        loop {
            let needs = needs(&known);
            if needs.is_nothing() {
                return known;
            }
            self.read(needs, &mut known);
        }
    }

    pub fn read(&self, needs: Needs, known: &mut Known) {
        let no_file = || "no such file".to_owned();
        for path in needs.documents {
            let read = self.files.get(&path).cloned().ok_or_else(no_file);
            known.documents.insert(path, read);
        }
        for path in needs.certificates {
            let read = self.certificate(&path);
            known.certificates.insert(path, read);
        }
        for apex in needs.zones {
            let (homes, was_last_good) = (self.homes.get(&apex).cloned(), self.last_good.contains(&apex));
            known.zones.insert(apex.clone(), ZonePast { keys: self.past(&apex), was_last_good, homes });
        }
    }

    fn past(&self, apex: &Name) -> KeysPast {
        let signed = if self.keys.contains_key(apex) { WasSigned::Signed } else { WasSigned::Never };
        KeysPast { signed, ds: None }
    }

    fn keys(&mut self, zone: &ZoneState) -> Keys {
        if self.frozen.contains(&zone.apex) {
            return Keys::Silent(Diagnostic::error("MX5005", Place::file("keys/x"), "a key is missing", "restore it"));
        }
        let key = self.keys.entry(zone.apex.clone()).or_insert_with(|| {
            let der = generate_pkcs8(13).expect("a key");
            Key::from_pkcs8(257, 13, &der).expect("a key")
        });
        let (public, private) = (key.public_half(), Some(key.clone()));
        let parts = [Part { public, private, published: true, signs_keys: true, signs_data: true, wanted_ds: true }];
        let keys = KeySet::new(&zone.apex, &parts, ParentWish::Wanted, &zone.policy, b"challenge");
        Keys::Loaded(Box::new(keys.expect("a key that signs")))
    }

    fn serve_way(&mut self, wanted: &WayWanted) -> WayServed {
        if wanted.is_left {
            self.left_ways.push(wanted.way.clone());
        }
        if self.ways_last && !wanted.is_left { WayServed::AsBefore } else { WayServed::Ended }
    }

    fn serve_pool(&mut self, wanted: &PoolWanted) -> PoolServed {
        self.apart.insert(wanted.pool.clone(), wanted.apart.clone());
        wanted.as_written()
    }

    /// Does what the world wants; true where something else is served of pools.
    pub fn settle(&mut self, world: &mut World) -> bool {
        let before = Arc::clone(world.pools.records());
        while let Some(want) = world.want() {
            match want {
                Want::Pools(pools) => {
                    let served = pools.iter().map(|wanted| self.serve_pool(wanted)).collect();
                    world.pools.take_served(served);
                }
                Want::Joined(joined, _) => {
                    let told = joined.into_iter().map(|way| [way.route.from.join(" "), way.route.to, way.endpoints]);
                    self.joined.extend(told);
                }
                Want::Ways(ways) => {
                    let served = ways.iter().map(|wanted| self.serve_way(wanted)).collect();
                    world.pools.take_ways(served);
                }
                Want::Keys(zones) => {
                    let known = zones.iter().filter_map(|apex| world.zones.get(apex));
                    let keys = known.map(|zone| (zone.apex.clone(), self.keys(zone))).collect();
                    world.know(zones.iter().map(|apex| (apex.clone(), self.past(apex))).collect());
                    world.take_keys(keys);
                }
            }
        }
        before != *world.pools.records()
    }
}

pub struct Lab {
    pub world: World,
    pub memory: Memory,
    pub now: UnixTime,
    config: Config,
    /// Files that cannot be read now.
    spoiled: BTreeSet<String>,
}

/// What outlives a restart.
pub struct LastGood {
    pub pools: String,
    pub masters: BTreeMap<Name, String>,
    pub tenants: BTreeMap<Name, String>,
}

pub fn name(text: &str) -> Name {
    Name::parse(text, ROOT).expect("a name of the test")
}

/// A tenant's TOML.
pub fn toml(domain: &str, pool: &str) -> String {
    format!("domain = \"{domain}\"\npool = \"{pool}\"\n")
}

pub fn with_endpoint(domain: &str, pool: &str, endpoint: &str) -> String {
    format!("{}endpoint = \"{endpoint}\"\n", toml(domain, pool))
}

/// A tenant's line of NDJSON.
pub fn line(domain: &str, pool: &str) -> String {
    format!("{{\"domain\":\"{domain}\",\"pool\":\"{pool}\"}}\n")
}

pub fn line_with_endpoint(domain: &str, pool: &str, endpoint: &str) -> String {
    format!("{{\"domain\":\"{domain}\",\"pool\":\"{pool}\",\"endpoint\":\"{endpoint}\"}}\n")
}

/// The path of a file in the tenants' folder.
pub fn at(file: &str) -> String {
    format!("{ZONE}/{file}")
}

impl Lab {
    pub fn empty() -> Lab {
        Lab::with_config("version = 1\n[zone.\"a.mx.example\"]\nsigned = false\n")
    }

    pub fn with_config(text: &str) -> Lab {
        let (config, _) = mxseal::config::parse("mxseal.toml", text).expect("a configuration");
        let world = World::new(config.clone(), "zones".to_owned());
        Lab { world, memory: Memory::default(), now: UnixTime(1_800_000_000), config, spoiled: BTreeSet::new() }
    }

    /// An unsigned zone with two pools.
    pub fn new() -> Lab {
        let mut lab = Lab::empty();
        lab.write(&[("pools.toml", POOLS), ("a.mx.example.zone", MASTER)]);
        lab
    }

    /// The same with room for so many tenants.
    pub fn with_room(count: usize) -> Lab {
        let mut lab = Lab::empty();
        lab.world = World::new(lab.config.clone(), "zones".to_owned()).with_tenants_max(count);
        lab.write(&[("pools.toml", POOLS), ("a.mx.example.zone", MASTER)]);
        lab
    }

    /// From now on there may be so many zones.
    pub fn limit_zones(&mut self, count: usize) {
        self.world = World::new(self.config.clone(), "zones".to_owned()).with_zones_max(count);
    }

    /// From now on the system gives so many octets of memory.
    pub fn limit_memory(&mut self, octets: usize) {
        self.world = World::new(self.config.clone(), "zones".to_owned()).with_memory(Some(octets));
    }

    /// The same with tenants `t0.example`, `t1.example`, … in a file each.
    pub fn with_tenants(count: usize) -> Lab {
        let mut lab = Lab::new();
        let files: Vec<(String, String)> = (0..count).map(|i| tenant_file(i, "eu")).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        assert_eq!(lab.write(&files).added, u64::try_from(count).expect("a count"));
        lab
    }

    /// One batch of files with this content.
    pub fn write(&mut self, files: &[(&str, &str)]) -> Done {
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, Some(*text))).collect();
        self.change(&files)
    }

    pub fn remove(&mut self, files: &[&str]) -> Done {
        let files: Vec<_> = files.iter().map(|path| (*path, None)).collect();
        self.change(&files)
    }

    /// One batch. Sums up what it did.
    pub fn change(&mut self, files: &[(&str, Option<&str>)]) -> Done {
        let batch = files.iter().map(|(path, text)| (*path, text.map(|text| text.as_bytes().to_vec()))).collect();
        self.change_octets(batch)
    }

    pub fn change_octets(&mut self, files: Vec<(&str, Option<Vec<u8>>)>) -> Done {
        let mut batch = Vec::new();
        for (path, content) in files {
            self.spoiled.remove(path);
            match &content {
                Some(octets) => drop(self.memory.files.insert(path.to_owned(), octets.clone())),
                None => drop(self.memory.files.remove(path)),
            }
            batch.push(FileChange { path: path.to_owned(), content });
        }
        let done = self.apply(batch);
        self.memory.settle(&mut self.world);
        self.consistent();
        self.keep_homes();
        sum(done)
    }

    /// One batch of files that only the world is told of.
    pub fn apply(&mut self, batch: Vec<FileChange>) -> BTreeMap<Name, Done> {
        let mut known = self.memory.known(&self.world, &batch);
        self.world.apply(batch, &mut known, self.now)
    }

    /// Takes back what was kept; nothing else is done.
    pub fn restore(&mut self, kept: &LastGood, pools: Option<&str>) {
        let mut known = Known::default();
        self.memory.read(self.world.needs_of_zones(kept.masters.keys()), &mut known);
        self.world.restore(pools, &kept.masters, &kept.tenants, &mut known, self.now);
    }

    pub fn refresh_certificates(&mut self) {
        let mut known = Known::default();
        self.memory.read(self.world.needs_of_certificates(), &mut known);
        self.world.refresh_certificates(&known);
    }

    pub fn allow_shrink(&mut self) -> Done {
        let done = self.world.allow_shrink(self.now);
        self.memory.settle(&mut self.world);
        self.consistent();
        sum(done)
    }

    /// The file cannot be read now.
    pub fn spoil(&mut self, path: &str) {
        self.spoiled.insert(path.to_owned());
        let finding = Diagnostic::error("MX6001", Place::file(format!("zones/{path}")), "it cannot be read", "mend it");
        let gone = [FileChange { path: path.to_owned(), content: None }];
        let mut known = self.memory.known(&self.world, &gone);
        self.world.spoil(path, finding, &mut known);
        self.memory.settle(&mut self.world);
        self.consistent();
    }

    #[track_caller]
    pub fn consistent(&self) {
        let wrong = self.world.inconsistencies(self.now);
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    pub fn pass(&mut self, seconds: u64) {
        self.now = self.now.after(seconds);
    }

    pub fn last_good(&self) -> LastGood {
        let filled = |texts: BTreeMap<Name, String>| texts.into_iter().filter(|(_, text)| !text.is_empty()).collect();
        let zones = &self.world.zones;
        LastGood {
            pools: self.world.pools.last_good_text(),
            masters: filled(zones.iter().map(|(apex, zone)| (apex.clone(), zone.last_good_text())).collect()),
            tenants: filled(
                zones
                    .iter()
                    .map(|(apex, zone)| (apex.clone(), zone.tenants.last_good_text(&self.world.pools)))
                    .collect(),
            ),
        }
    }

    /// Keeps which pools tenants are served from, as a server does after it published; what is kept says just that.
    #[track_caller]
    pub fn keep_homes(&mut self) {
        for (apex, zone) in &mut self.world.zones {
            let (tenants, pools) = (&mut zone.tenants, &self.world.pools);
            let kept = self.memory.homes.entry(apex.clone()).or_default();
            let Some(lines) = tenants.homes.to_keep(&tenants.table, pools) else { continue };
            match &lines {
                Lines::All(text, _) => kept.clone_from(text),
                Lines::More(text) => kept.push_str(text),
            }
            tenants.homes.kept(lines);
            let read = Homes::read(kept.clone());
            for tenant in tenants.table.iter() {
                let home = read.before(tenant.label()).expect("it is kept");
                assert_eq!(home.pool, Some(tenant.pool().and_then(|pool| pools.name(pool))));
                assert_eq!(home.domain, Some(&*tenant.domain()));
            }
        }
    }

    /// The process ends, and another one starts on the same files.
    pub fn restart(&mut self) {
        let kept = self.last_good();
        self.memory.last_good = kept.masters.keys().cloned().collect();
        self.start(&self.memory.homes.clone());
        let pools = (!kept.pools.is_empty()).then_some(kept.pools.as_str());
        self.restore(&kept, pools);
        self.memory.settle(&mut self.world);
        self.consistent();
        self.keep_homes();
    }

    /// Another process starts on the same files, without anything kept.
    pub fn start_fresh(&mut self) {
        self.start(&BTreeMap::new());
    }

    fn start(&mut self, homes: &BTreeMap<Name, String>) {
        self.memory.homes.clone_from(homes);
        self.world = World::new(self.config.clone(), "zones".to_owned());
        let mut files = self.memory.files.clone();
        files.retain(|path, _| !self.spoiled.contains(path));
        let batch = files.into_iter().map(|(path, content)| FileChange { path, content: Some(content) });
        self.apply(batch.collect());
        self.memory.settle(&mut self.world);
        for path in self.spoiled.clone() {
            self.spoil(&path);
        }
        self.consistent();
    }

    pub fn configure(&mut self, text: &str) {
        let (config, _) = mxseal::config::parse("mxseal.toml", text).expect("a configuration");
        self.config = config.clone();
        self.world.configure(config);
        self.world.thaw();
        self.memory.settle(&mut self.world);
        self.consistent();
    }

    pub fn snapshot(&mut self) -> Snapshot {
        self.world.snapshot(1, Arc::new(Identity::default()))
    }

    /// The answer in words: response code, then the records of the answer section, else those of the authority section.
    pub fn ask(&mut self, owner: &str, rtype: &str) -> String {
        let snapshot = self.snapshot();
        ask(&snapshot, owner, rtype, self.now)
    }

    /// The address of a tenant, or the response code.
    pub fn address(&mut self, label: &str) -> String {
        let answer = self.ask(&format!("{label}.{ZONE}"), "A");
        answer.strip_prefix("NOERROR A ").map_or(answer.clone(), str::to_owned)
    }

    /// The served tenant of a domain.
    pub fn tenant(&self, domain: &str) -> Option<Arc<Tenant>> {
        self.world.zones.get(&name(ZONE))?.tenants.by_domain(domain).cloned()
    }

    pub fn standing(&self, domain: &str) -> Option<Standing> {
        let tenants = &self.world.zones.get(&name(ZONE))?.tenants;
        tenants.by_domain(domain).map(|tenant| tenants.standing(tenant))
    }

    pub fn reasons(&self, domain: &str) -> Vec<String> {
        self.world.zones.get(&name(ZONE)).map(|zone| zone.tenants.reasons(domain)).unwrap_or_default()
    }

    /// Codes of all findings, warnings included.
    pub fn codes(&self) -> Vec<&'static str> {
        self.world.findings().iter().map(|finding| finding.code).collect()
    }

    #[track_caller]
    pub fn fine(&self) {
        // The configuration speaks of a zone whose file a test may take away.
        let all = self.world.findings().into_iter().filter(|finding| finding.code != "MX1120");
        let findings: Vec<String> = all.map(|finding| finding.one_line()).collect();
        assert!(findings.is_empty(), "{findings:#?}");
    }
}

/// Path and content of tenant `i`.
pub fn tenant_file(i: usize, pool: &str) -> (String, String) {
    (at(&format!("t{i}.example.toml")), toml(&format!("t{i}.example"), pool))
}

pub fn ask(snapshot: &Snapshot, owner: &str, rtype: &str, now: UnixTime) -> String {
    let packet = query(owner, rtype, 7);
    let source = "127.0.0.1".parse().expect("an address");
    let asked = Asked { packet: &packet, source, transport: Transport::Tcp, now, effort: Effort::Sign };
    let mut out = vec![0; 65_535];
    let Reply::Send(outcome) = respond(snapshot, &asked, &mut out) else { return "silence".to_owned() };
    out.truncate(outcome.length);
    in_words(&out)
}

fn sum(done: BTreeMap<Name, Done>) -> Done {
    done.values().fold(Done::default(), |mut sum, done| {
        sum.added += done.added;
        sum.changed += done.changed;
        sum.removed += done.removed;
        sum.held += done.held;
        sum
    })
}

/// One file that is new, changed or gone.
pub fn change(path: &str, text: Option<&str>) -> FileChange {
    FileChange { path: path.to_owned(), content: text.map(|text| text.as_bytes().to_vec()) }
}
