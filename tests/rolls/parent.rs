//! A registry: `example.`, served by Knot or by BIND, and what moves a child's CDS into its DS.
//!
//! The zone is signed by BIND's tools for both, since Knot and BIND begin their signatures an hour and more in the past,
//! and a child that waits for the longest life of a signature would wait as long.

use crate::live::wire::{Ask, CDS, SOA};
use crate::live::{Running, World, program};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the registry looks at the CDS of its child.
const LOOK: Duration = Duration::from_millis(500);
/// Rounds after which a change of CDS becomes one of DS: a registry takes its time.
const ROUNDS_LATE: u32 = 3;
/// How long signatures of the zone live, in seconds, and after which time they are made anew.
const LIFE: u64 = 16;
const RENEW: Duration = Duration::from_secs(4);

/// Who serves the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    Knot,
    Bind,
}

/// The zone and its server.
pub struct Parent {
    pub at: SocketAddr,
    /// The DS of its key signing key, in master-file form: the only trust anchor.
    pub anchor: String,
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    clerk: Option<JoinHandle<()>>,
    _server: Running,
}

struct Shared {
    world: Arc<World>,
    maker: Maker,
    pid: u32,
    zone: Mutex<Zone>,
}

#[derive(Default)]
struct Zone {
    serial: u32,
    /// DS data in text.
    ds: Vec<String>,
    signed: Option<Instant>,
}

impl Parent {
    /// Starts the server, without a DS for the child.
    pub fn start(world: &Arc<World>, maker: Maker) -> Parent {
        let mut keys = Vec::new();
        std::fs::create_dir_all(world.path("parent")).unwrap();
        for flags in [&["-f", "KSK"][..], &[]] {
            let fixed = ["-q", "-K", "parent", "-a", "ECDSAP256SHA256", "-L", "2"];
            let args = [&fixed[..], flags, &["example."]].concat();
            keys.push(world.said("dnssec-keygen", &args).trim().to_owned());
        }
        let anchor = world.said("dnssec-dsfromkey", &["-2", &format!("parent/{}", keys[0])]);
        let mut zone = Zone::default();
        sign(world, &mut zone);
        let (at, mut server) = match maker {
            Maker::Knot => knot(world),
            Maker::Bind => bind(world),
        };
        server.poll_until("the parent", || {
            Ask::of("example", SOA).once(at, Duration::from_millis(300)).filter(|reply| reply.rcode == 0)
        });
        let shared = Shared { world: Arc::clone(world), maker, pid: server.pid(), zone: Mutex::new(zone) };
        let (shared, stop) = (Arc::new(shared), Arc::new(AtomicBool::new(false)));
        Parent { at, anchor, shared, stop, clerk: None, _server: server }
    }

    /// Puts DS records into the zone, as a person does at a registrar.
    pub fn set_ds(&self, ds: Vec<String>) {
        self.shared.zone.lock().unwrap().ds = ds;
        self.shared.publish();
    }

    /// From now on the zone keeps its signatures fresh, and follows the CDS of its child, asked through a resolver that
    /// validates.
    pub fn follow(&mut self, resolver: SocketAddr) {
        let (shared, stop) = (Arc::clone(&self.shared), Arc::clone(&self.stop));
        self.clerk = Some(std::thread::spawn(move || poll_child(&shared, resolver, &stop)));
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(clerk) = self.clerk.take() {
            clerk.join().ok();
        }
    }
}

impl Shared {
    /// Signs, and has the server read it.
    fn publish(&self) {
        let mut zone = self.zone.lock().unwrap();
        sign(&self.world, &mut zone);
        match self.maker {
            Maker::Knot => {
                self.world.said(&program("knotc"), &["-c", "parent.conf", "-b", "zone-reload", "example"]);
            }
            Maker::Bind => {
                let sent = std::process::Command::new("kill").args(["-s", "HUP", &self.pid.to_string()]).status();
                assert!(sent.unwrap().success());
            }
        }
    }
}

/// What a registry does all day.
fn poll_child(shared: &Shared, resolver: SocketAddr, stop: &AtomicBool) {
    let mut waiting: Option<(Vec<String>, u32)> = None;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK);
        let reply = Ask::recursive("mx.example", CDS).once(resolver, Duration::from_secs(2));
        // Only what validates counts (RFC 7344 § 4.1).
        if let Some(reply) = reply.filter(|reply| reply.ad && reply.has(CDS)) {
            let set = reply.answer.iter().filter(|record| record.rtype == CDS).map(|record| ds_text(&record.data));
            let mut set: Vec<String> = set.collect();
            set.sort();
            let rounds = match &waiting {
                Some((before, rounds)) if *before == set => rounds + 1,
                _ => 0,
            };
            if rounds >= ROUNDS_LATE {
                shared.zone.lock().unwrap().ds.clone_from(&set);
            }
            waiting = Some((set, rounds));
        }
        let is_due = {
            let zone = shared.zone.lock().unwrap();
            let changed = waiting.as_ref().is_some_and(|(set, rounds)| *rounds == ROUNDS_LATE && *set == zone.ds);
            changed || zone.signed.is_none_or(|signed| signed.elapsed() > RENEW)
        };
        if is_due {
            shared.publish();
        }
    }
}

/// `tag algorithm type digest`.
fn ds_text(data: &[u8]) -> String {
    let digest = data_encoding::HEXLOWER.encode(&data[4..]);
    format!("{} {} {} {digest}", u16::from_be_bytes([data[0], data[1]]), data[2], data[3])
}

fn sign(world: &World, zone: &mut Zone) {
    zone.serial += 1;
    zone.signed = Some(Instant::now());
    let ds: String = zone.ds.iter().map(|ds| format!("mx DS {ds}\n")).collect();
    world.write(
        "parent/example.db",
        &format!(
            "$TTL 2\n@ IN SOA ns hostmaster {} 4h 1h 2w 2\n@ NS ns\nns A {{ip}}\nmx NS ns1.mx\nns1.mx A {{ip}}\n{ds}",
            zone.serial
        ),
    );
    let end = format!("now+{LIFE}");
    let window = ["-s", "now-2", "-e", &end, "-f", "parent/new", "parent/example.db"];
    let fixed = ["-q", "-S", "-K", "parent", "-d", "parent", "-o", "example."];
    world.said("dnssec-signzone", &[&fixed[..], &window].concat());
    std::fs::rename(world.path("parent/new"), world.path("parent/example.signed")).unwrap();
}

fn knot(world: &World) -> (SocketAddr, Running) {
    world.write(
        "parent.conf",
        "server:\n  rundir: parent\n  listen: {ip}@5302\n  background-workers: 1\n  udp-workers: 1\n  tcp-workers: 1\n\
         database:\n  storage: parent\nlog:\n  - target: stderr\n    any: warning\n\
         zone:\n  - domain: example\n    storage: parent\n    file: example.signed\n    journal-content: none\n    \
         zonefile-load: whole\n    zonefile-sync: -1\n    semantic-checks: off\n",
    );
    (world.at(2), world.start("parent", &program("knotd"), &["-c", "parent.conf"]))
}

/// It answers only at addresses that an interface has, hence at 127.0.0.1.
fn bind(world: &World) -> (SocketAddr, Running) {
    let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    world.write(
        "parent.conf",
        &format!(
            "options {{\n directory \"{}\"; pid-file none; session-keyfile none; listen-on port {} {{ 127.0.0.1; }};\n \
             listen-on-v6 {{ none; }}; recursion no; dnssec-validation no; notify no; allow-transfer {{ none; }};\n}};\n\
             controls {{ }};\nzone \"example\" {{ type primary; file \"example.signed\"; }};\n",
            world.path("parent").display(),
            at.port()
        ),
    );
    (at, world.start("parent", &program("named"), &["-g", "-n", "1", "-c", "parent.conf"]))
}
