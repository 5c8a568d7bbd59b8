//! Those who ask resolvers without pause, every kind of answer, and judge what comes.

use crate::live::World;
use crate::live::wire::*;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const SERVFAIL: u16 = 2;
/// Between two questions of one asker: leaves other tests their share of the machine.
const BREATH: Duration = Duration::from_millis(3);
/// Between two runs of delv.
const DELV_BREATH: Duration = Duration::from_millis(100);
/// Between two tries where no server could be reached.
const AGAIN: Duration = Duration::from_millis(100);
/// How long nobody may be reachable. Unbound remembers for a minute that it could not fetch a zone's keys.
const UNREACHABLE_MAX: Duration = Duration::from_secs(180);
/// Askers of each resolver.
const ASKERS: u64 = 2;
/// Faults that are worth reading.
const FAULTS_MAX: usize = 12;

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    /// Answers of unbound that validated, or were rightly insecure.
    pub good: u64,
    /// The same of delv.
    pub delv: u64,
    /// Times that nobody was reachable, and all was well after.
    pub retried: u64,
    /// How many were neither.
    pub bad: u64,
    /// The first of these in words.
    pub faults: Vec<String>,
}

impl fmt::Display for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdicts { good, delv, retried, bad, .. } = self;
        write!(f, "{good} verdicts of unbound, {delv} of delv, {retried} asked again, {bad} faults")
    }
}

impl Verdicts {
    fn fault(&mut self, text: String) {
        self.bad += 1;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(text);
        }
    }
}

/// Threads that ask until they are told to end.
pub struct Askers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Verdicts>>,
    bad: Arc<AtomicU64>,
}

impl Askers {
    /// Begins to ask every resolver.
    pub fn start(world: &Arc<World>, resolvers: &[SocketAddr], scope: Scope) -> Askers {
        let (stop, bad) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut threads = Vec::new();
        for (resolver, nth) in resolvers.iter().flat_map(|resolver| (0..ASKERS).map(move |nth| (*resolver, nth))) {
            let (stop, bad) = (Arc::clone(&stop), Arc::clone(&bad));
            threads.push(std::thread::spawn(move || poll_all(resolver, nth, scope, &stop, &bad)));
        }
        for resolver in resolvers {
            let (world, resolver, stop, bad) = (Arc::clone(world), *resolver, Arc::clone(&stop), Arc::clone(&bad));
            threads.push(std::thread::spawn(move || poll_delv(&world, resolver, scope, &stop, &bad)));
        }
        Askers { stop, threads, bad }
    }

    /// Faults so far.
    pub fn bad(&self) -> u64 {
        self.bad.load(Ordering::Relaxed)
    }

    /// Ends the asking and adds up.
    pub fn end(mut self) -> Verdicts {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Verdicts::default();
        for thread in self.threads.drain(..) {
            let one = thread.join().unwrap();
            all.good += one.good;
            all.delv += one.delv;
            all.retried += one.retried;
            all.bad += one.bad;
            all.faults.extend(one.faults);
        }
        all
    }
}

impl Drop for Askers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

/// What is asked.
#[derive(Clone, Copy)]
pub struct Scope {
    /// Where the trust anchor is.
    pub root: &'static str,
    /// Name, type, whether it must validate: every kind of answer. `{n}` is another one each time.
    pub kinds: &'static [(&'static str, u16, bool)],
}

/// Our zones below a parent.
pub const BELOW: Scope = Scope { root: "example", kinds: KINDS };

#[rustfmt::skip]
const KINDS: &[(&str, u16, bool)] = &[
    ("www.mx.example", A, true),
    ("www.mx.example", AAAA, true),
    ("no{n}.mx.example", A, true),
    ("contoso-com.a-v1.mx.example", A, true),
    ("_25._tcp.contoso-com.a-v1.mx.example", TLSA, true),
    ("no{n}.a-v1.mx.example", TLSA, true),
    ("contoso-com.a-v1.mx.example", AAAA, true),
    ("mx.example", DNSKEY, true),
    ("a-v1.mx.example", DS, true),
    ("_25._tcp.northwind-example.b-v1.mx.example", TLSA, true),
    ("x{n}.wild.mx.example", A, true),
    ("x{n}.wild.mx.example", TXT, true),
    ("alias.mx.example", A, true),
    ("alias.mx.example", MX, true),
    ("toshard.mx.example", A, true),
    ("www.plain.mx.example", A, false),
    ("plain.mx.example", DS, true),
    ("mx.example", SOA, true),
    ("a-v1.mx.example", DNSKEY, true),
    ("a-v1.mx.example", SOA, true),
    ("mx.example", DS, true),
    ("mx.example", CDS, true),
    ("mx.example", CDNSKEY, true),
    ("no{n}.contoso-com.a-v1.mx.example", A, true),
    ("_tcp.fabrikam-com.a-v1.mx.example", TLSA, true),
    ("_25._tcp.fabrikam-com.a-v1.mx.example", TLSA, true),
    ("mx.example", NS, true),
    ("b-v1.mx.example", DNSKEY, true),
    ("b-v1.mx.example", DS, true),
    ("no{n}.b-v1.mx.example", MX, true),
    ("mx.example", TXT, true),
    ("example", SOA, true),
];

fn poll_all(resolver: SocketAddr, nth: u64, scope: Scope, stop: &AtomicBool, bad: &AtomicU64) -> Verdicts {
    let mut verdicts = Verdicts::default();
    let mut count = nth * 11;
    while !stop.load(Ordering::Relaxed) {
        count += 1;
        let (name, rtype, secure) = scope.kinds[usize::try_from(count).unwrap() % scope.kinds.len()];
        let name = name.replace("{n}", &format!("{nth}-{count}"));
        match until_judged(resolver, &name, rtype, secure, &mut verdicts.retried) {
            Ok(()) => verdicts.good += 1,
            Err(why) => {
                bad.fetch_add(1, Ordering::Relaxed);
                verdicts.fault(format!("{resolver} {name} {rtype} at {}: {why}", mxseal::time::now().0));
            }
        }
        std::thread::sleep(BREATH);
    }
    verdicts
}

/// Asks until there is a verdict: where no server is reachable there is none, and unbound is asked again. It says SERVFAIL
/// for both; with CD it gives what it holds to be bogus.
fn until_judged(at: SocketAddr, name: &str, rtype: u16, secure: bool, retried: &mut u64) -> Result<(), String> {
    let begun = Instant::now();
    let ask = Ask::recursive(name, rtype);
    loop {
        let reply = ask.once(at, Duration::from_secs(5));
        match reply {
            Some(reply) if reply.rcode == NOERROR || reply.rcode == NXDOMAIN => {
                return if reply.ad == secure { Ok(()) } else { Err(format!("AD is {}", reply.ad)) };
            }
            Some(reply) if reply.rcode != SERVFAIL => return Err(format!("rcode {}", reply.rcode)),
            Some(_) => {
                let unchecked = Ask { checking_disabled: true, ..ask.clone() }.once(at, Duration::from_secs(5));
                if unchecked.is_some_and(|reply| reply.rcode != SERVFAIL) {
                    // It may have become reachable just now: then it validates.
                    let last = ask.once(at, Duration::from_secs(5));
                    if last.is_some_and(|reply| reply.rcode == SERVFAIL) {
                        return Err("bogus: SERVFAIL, and an answer with CD".to_owned());
                    }
                }
            }
            None => {}
        }
        *retried += 1;
        if begun.elapsed() > UNREACHABLE_MAX {
            return Err("no verdict".to_owned());
        }
        std::thread::sleep(AGAIN);
    }
}

/// delv with the resolver's cache before it: it validates by itself, with CD.
fn poll_delv(world: &World, resolver: SocketAddr, scope: Scope, stop: &AtomicBool, bad: &AtomicU64) -> Verdicts {
    let mut verdicts = Verdicts::default();
    let (server, port) = (format!("@{}", resolver.ip()), resolver.port().to_string());
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        count += 1;
        let (name, rtype, secure) = scope.kinds[count % scope.kinds.len()];
        let (name, rtype) = (name.replace("{n}", &format!("d{count}")), format!("TYPE{rtype}"));
        let root = format!("+root={}", scope.root);
        let args = [&server, "-p", &port, "-a", "bind.keys", &root, "+multiline", &name, &rtype];
        let run = || {
            let output = world.run("delv", &args);
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
        };
        let mut said = run();
        // A resolver may hand out what ends this very second, and delv look a moment later: asked again, it has the next.
        if said.contains("RRSIG has expired") {
            verdicts.retried += 1;
            said = run();
        }
        let is_good = if secure { said.contains("fully validated") } else { said.contains("unsigned answer") };
        let unreachable = ["timed out", "SERVFAIL", "connection refused", "resolution failed: failure"]
            .iter()
            .any(|word| said.contains(word));
        if is_good {
            verdicts.delv += 1;
        } else if unreachable && !said.contains("broken trust chain") && !said.contains("no valid") {
            verdicts.retried += 1;
        } else {
            bad.fetch_add(1, Ordering::Relaxed);
            verdicts.fault(format!("delv {server} {name} {rtype} at {}: {said}", mxseal::time::now().0));
        }
        std::thread::sleep(DELV_BREATH);
    }
    verdicts
}
