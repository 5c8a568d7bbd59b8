//! A resolver that holds everything as long as it may, and tries every mixture of it; and a server to be judged.

use crate::live::{Running, World};
use mxseal::dns::name::{Name, ROOT};
use mxseal::dns::rtype::number as rt;
use mxseal::resolve::chain;
use mxseal::resolve::client::{Transport, ask};
use mxseal::resolve::message::Message;
use mxseal::resolve::verify;
use mxseal::time;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The TTL of everything in these worlds.
const TTL: Duration = Duration::from_secs(1);
const ASK_TIMEOUT: Duration = Duration::from_secs(1);

/// A policy of seconds, as a table of `mxseal.toml`.
pub fn policy(name: &str, more: &str) -> String {
    format!(
        "[policy.{name}]\ndnskey_ttl = \"1s\"\nsignature_life = \"4s\"\nsignature_grid = \"1s\"\n\
         inception_before = \"1s\"\ndnskey_life = \"4s\"\ndnskey_refresh = \"3s\"\nmargin = \"0s\"\n\
         parent_poll = \"1s\"\n{more}"
    )
}

/// A configuration that answers on the world's address.
pub fn configure(world: &World, more: &str) {
    world.write(
        "mxseal.toml",
        &format!("version = 1\n[server]\nlisten = [\"{{ip}}:5300\"]\nworkers = 1\n[metrics]\nlisten = \"\"\n{more}"),
    );
}

/// A master file with TTLs of a second.
pub fn master(zone: &str, more: &str) -> String {
    format!("$TTL 1\n@ 1 SOA ns.{zone}. h.{zone}. 1 7200 3600 1209600 1\n@ NS ns\nns A 192.0.2.53\n{more}")
}

/// One zone's keys, as `keys status` tells them.
pub fn status(world: &World, zone: &str) -> Value {
    let output = world.run(crate::live::mxseal(), &["-o", "json", "keys", "status", zone]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default()
}

/// Tags of keys in these phases.
pub fn tags(status: &Value, phases: &[&str]) -> Vec<u64> {
    let keys = status["keys"].as_array().cloned().unwrap_or_default();
    let those = keys.iter().filter(|key| phases.iter().any(|phase| key["phase"] == *phase));
    those.filter_map(|key| key["tag"].as_u64()).collect()
}

/// Waits until a zone is at rest with other keys than `before` in use.
pub fn until_rolled(server: &mut Running, world: &World, zone: &str, before: &[u64]) -> Vec<u64> {
    server.poll_until("the end of the roll", || {
        let status = status(world, zone);
        let now = tags(&status, &["active", "ready", "rumoured", "retiring", "staged"]);
        let is_over = status["state"] == "at rest" && before.iter().all(|tag| !now.contains(tag)) && !now.is_empty();
        is_over.then_some(now)
    })
}

pub fn name(text: &str) -> Name {
    Name::parse(text, ROOT).unwrap()
}

/// A resolver below a trusted parent zone.
pub struct Judge {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<u32>,
}

/// What is held, and since when.
type Held = Vec<(Instant, Message)>;

impl Judge {
    /// Judges `zone` at `server` with the DS that the parent zone gives there, without end.
    pub fn start(server: SocketAddr, zone: &str) -> Judge {
        Judge::below(server, server, zone)
    }

    /// The same, where the parent zone is at another server.
    pub fn below(parent: SocketAddr, server: SocketAddr, zone: &str) -> Judge {
        let (stop, zone) = (Arc::new(AtomicBool::new(false)), name(zone));
        let ended = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut held, mut judged): ([Held; 3], u32) = Default::default();
            while !ended.load(Ordering::Relaxed) {
                for (rtype, held) in [rt::DS, rt::DNSKEY, rt::SOA].into_iter().zip(&mut held) {
                    let server = if rtype == rt::DS { parent } else { server };
                    // A server that restarts is silent; what is held is used on.
                    if let Ok(reply) = ask(server, &zone, rtype, Transport::Udp, ASK_TIMEOUT) {
                        held.push((Instant::now(), reply));
                    }
                    held.retain(|(since, _)| since.elapsed() < TTL);
                }
                judged += all(&zone, &held);
                poll_pause();
            }
            judged
        });
        Judge { stop, thread }
    }

    /// How many mixtures were judged, all of them good.
    pub fn ended(self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("nothing was bogus")
    }
}

fn all(zone: &Name, [ds, keys, data]: &[Held; 3]) -> u32 {
    let (now, mut judged) = (time::now(), 0);
    for (_, ds) in ds {
        let trusted = verify::set(&ds.answer, zone, rt::DS).expect("a DS").data;
        for (_, keys) in keys {
            let keys = chain::keys(keys, zone, &trusted, now).expect("DNSKEY");
            for (_, data) in data {
                let data = verify::set(&data.answer, zone, rt::SOA).expect("a SOA");
                data.verify(zone, &keys.keys, now).expect("signed");
                judged += 1;
            }
        }
    }
    judged
}

fn poll_pause() {
    std::thread::sleep(Duration::from_millis(50));
}
