//! Tenants that change pools again and again under a running server, judged as senders with caches see it.

use crate::server::{Server, at, toml};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// TTL of all that tenants have.
const TTL: Duration = Duration::from_secs(1);
/// Waits take some five seconds.
const POLICY: &str = "signature_life = \"3s\"\nsignature_grid = \"1s\"\ninception_before = \"10s\"\ndnskey_ttl = \"1s\"\n\
    dnskey_life = \"6s\"\ndnskey_refresh = \"3s\"\nmargin = \"1s\"\n";
/// Each pool has one host, whose last octet is that of its key.
const POOLS: [(&str, u8); 3] = [("one", 11), ("two", 22), ("six", 66)];

fn server() -> Server {
    let server = Server::prepared();
    let next: String = POOLS.iter().map(|(pool, _)| format!("[pool.\"{pool}\"]\nnext = false\n")).collect();
    let quick = "[probe]\nenabled = false\n[tenants]\nttl = \"1s\"\n";
    server.configure(&format!("{quick}[policy.shard]\n{POLICY}[policy.registry]\n{POLICY}{next}"));
    let pool = |(name, octet): &(&str, u8)| {
        let key = octet.to_string().repeat(32);
        format!("[{name}]\naddresses = [\"192.0.2.{octet}\"]\ntlsa = [\"3 1 1 {key}\"]\n")
    };
    server.write("zones/pools.toml", POOLS.iter().map(pool).collect::<String>());
    server.remove(&at("x.toml"));
    server
}

/// A version of what was answered, from when until when.
struct Seen {
    what: String,
    from: Instant,
    last: Instant,
}

/// A sender that asks for addresses and TLSA of an endpoint all the time.
struct Sender {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<[Vec<Seen>; 2]>,
}

impl Sender {
    fn of(server: &Server, label: &str) -> Sender {
        let stop = Arc::new(AtomicBool::new(false));
        let (port, ended) = (server.port, Arc::clone(&stop));
        let names = [(format!("{label}.a.mx.example"), "A"), (format!("_25._tcp.{label}.a.mx.example"), "TLSA")];
        let thread = std::thread::spawn(move || poll_answers(port, &names, &ended));
        Sender { stop, thread }
    }

    /// Ends, and finds no mixture of what it may have held in which a host showed a key that no TLSA named.
    #[track_caller]
    fn ends_content(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let [addresses, tlsa] = self.thread.join().expect("it asked");
        let story: Vec<String> = addresses.iter().chain(&tlsa).map(|seen| seen.what.clone()).collect();
        for address in addresses.iter().filter(|seen| seen.what.starts_with("noerror a ")) {
            let key = address.what.rsplit('.').next().unwrap_or_default().repeat(32);
            for tlsa in tlsa.iter().filter(|seen| seen.what.starts_with("noerror tlsa")) {
                let meet = address.from.max(tlsa.from) <= (address.last + TTL).min(tlsa.last + TTL);
                assert!(!meet || tlsa.what.contains(&key), "{} with {} in {story:#?}", address.what, tlsa.what);
            }
        }
        story
    }
}

fn poll_answers(port: u16, names: &[(String, &str); 2], ended: &AtomicBool) -> [Vec<Seen>; 2] {
    let mut all = [Vec::new(), Vec::new()];
    while !ended.load(Ordering::Relaxed) {
        for ((name, rtype), seen) in names.iter().zip(&mut all) {
            note(seen, crate::server::ask(port, name, rtype).to_lowercase());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    all
}

fn note(seen: &mut Vec<Seen>, what: String) {
    let now = Instant::now();
    // Nobody answers while a server starts: what was answered before is in caches for its time.
    if !what.starts_with("n") || what == "nobody" {
        return;
    }
    match seen.last_mut().filter(|last| last.what == what) {
        Some(last) => last.last = now,
        None => seen.push(Seen { what, from: now, last: now }),
    }
}

/// Waits until the endpoint has the address and just the key of a pool.
#[track_caller]
fn arrives(server: &Server, label: &str, octet: u8) {
    let tlsa = format!("tlsa 3 1 1 {}", octet.to_string().repeat(32));
    server.until(&format!("{label} is at {octet}"), |server| {
        let said = server.ask(&format!("_25._tcp.{label}.a.mx.example"), "TLSA").to_lowercase();
        said == format!("noerror {tlsa}") && server.address(label) == format!("NOERROR A 192.0.2.{octet}")
    });
}

#[test]
fn every_move_is_a_way_also_the_next_one_and_the_one_after_it() {
    let mut server = server();
    server.write(&at("t.toml"), toml("t.example", "one"));
    server.write(&at("u.toml"), toml("u.example", "one"));
    server.start();
    arrives(&server, "t-example", 11);
    let senders = ["t-example", "u-example"].map(|label| Sender::of(&server, label));
    let begun = Instant::now();
    server.until("caches hold what is served first", |_| begun.elapsed() > TTL);
    server.place(&at("t.toml"), toml("t.example", "two"));
    server.place(&at("u.toml"), toml("u.example", "two"));
    arrives(&server, "t-example", 22);
    // One of them goes on before the end of its way was noticed, the other one after a restart, and turns back.
    server.place(&at("t.toml"), toml("t.example", "six"));
    server.until("the ways have ended", |server| server.log().contains("have arrived"));
    server.stop();
    server.place(&at("u.toml"), toml("u.example", "six"));
    server.start();
    server.place(&at("u.toml"), toml("u.example", "one"));
    arrives(&server, "t-example", 66);
    arrives(&server, "u-example", 11);
    for sender in senders {
        let story = sender.ends_content();
        assert!(story.len() >= 6, "{story:#?}");
    }
    server.until("no way is left", |server| {
        let mut all = std::fs::read_dir(server.path("keys/pools")).expect("a folder").flatten();
        !all.any(|entry| entry.file_name().to_string_lossy().starts_with(".way"))
    });
}

/// Both files of something that is kept, below `keys/`.
fn both(path: &str) -> [String; 2] {
    let (folder, name) = path.rsplit_once('/').expect("a folder");
    [format!("keys/{path}"), format!("keys/{folder}/copy/{name}")]
}

/// The way that a tenant is on.
fn way(server: &Server) -> String {
    let all = std::fs::read_dir(server.path("keys/pools")).expect("a folder").flatten();
    let mut names = all.filter_map(|entry| entry.file_name().into_string().ok());
    names.find(|name| name.starts_with(".way-")).expect("a way")
}

fn damage(server: &Server, path: &str) {
    let path = server.path(path);
    let mut octets = std::fs::read(&path).expect("it is there");
    let at = octets.len() / 2;
    octets[at] ^= 4;
    std::fs::write(path, octets).expect("written");
}

/// What is told of a loss, and the loss.
type Loss = (&'static str, fn(&Server));

#[test]
fn whatever_is_lost_of_a_way_its_tenants_go_on_with_what_they_were_served() {
    let mut server = server();
    let slow = std::fs::read_to_string(server.path("mxseal.toml"))
        .expect("a file")
        .replace("margin = \"1s\"", "margin = \"1h\"");
    server.write("mxseal.toml", slow);
    server.write(&at("t.toml"), toml("t.example", "one"));
    server.start();
    arrives(&server, "t-example", 11);
    server.place(&at("t.toml"), toml("t.example", "two"));
    let tlsa = || server.ask("_25._tcp.t-example.a.mx.example", "TLSA").to_lowercase();
    let is_union = |said: &str| ["11", "22"].iter().all(|key| said.contains(&key.repeat(32)));
    server.until("both are served", |_| is_union(&tlsa()));
    server.until("where it is is kept", |server| {
        let kept = std::fs::read_to_string(server.path("keys/a.mx.example/tenant-pools")).unwrap_or_default();
        kept.contains("t.example two .way-")
    });
    let losses: [Loss; 8] = [
        ("MX5620", |server| server.remove("keys/a.mx.example/tenant-pools")),
        ("MX5621", |server| both("a.mx.example/tenant-pools").iter().for_each(|file| server.remove(file))),
        ("MX5621", |server| both("a.mx.example/tenant-pools").iter().for_each(|file| damage(server, file))),
        ("MX5620", |server| damage(server, &both(&format!("pools/{}/endpoints", way(server)))[0])),
        ("MX5621", |server| {
            both(&format!("pools/{}/endpoints", way(server))).iter().for_each(|file| server.remove(file))
        }),
        ("MX5621", |server| {
            both(&format!("pools/{}/journal", way(server))).iter().for_each(|file| damage(server, file))
        }),
        ("MX5621", |server| server.clear(&format!("keys/pools/{}", way(server)))),
        ("MX5621", |server| ["keys/.ways", "keys/copy/.ways"].iter().for_each(|file| damage(server, file))),
    ];
    for (number, (code, lose)) in losses.into_iter().enumerate() {
        server.kill();
        lose(&server);
        server.start();
        let said = server.ask("_25._tcp.t-example.a.mx.example", "TLSA").to_lowercase();
        assert!(is_union(&said), "loss {number}: {said}\n{}", server.log());
        assert_eq!(server.address("t-example"), "NOERROR A 192.0.2.11", "loss {number}");
        server.until("it is told", |server| server.codes().contains(&code.to_owned()));
        server.until("all is kept again", |server| {
            let kept = std::fs::read_to_string(server.path("keys/a.mx.example/copy/tenant-pools")).unwrap_or_default();
            kept.contains("t.example two .way-")
        });
        server.stop();
        server.start();
        assert!(
            !server.codes().iter().any(|code| code.starts_with("MX562")),
            "loss {number}: it was mended\n{}",
            server.log()
        );
    }
}
