//! Pools whose journals cannot be used: what was published goes on, and a key that was given up never comes back.

use crate::server::*;
use mxseal::cert::KeyKind;
use mxseal::cert::make::PrivateKey;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// A server whose pool names one certificate and has a next key: both are published.
pub fn started() -> (Server, PrivateKey, String) {
    let key = PrivateKey::generate(KeyKind::EcdsaP256).expect("a key");
    let mut server = Server::prepared();
    server.configure("[pool.\"eu\"]\nprobe = false\n");
    certificate(&server, "one", &key);
    names(&server, &["one"]);
    server.start();
    server.eventually("x-example", EU);
    let next = next_key(&server, "");
    (server, key, next)
}

fn certificate(server: &Server, name: &str, key: &PrivateKey) {
    let now = mxseal::time::wall();
    server.write(&format!("certs/{name}.pem"), key.self_signed(&["*.a.mx.example".to_owned()], now, 90).expect("one"));
}

fn names(server: &Server, certificates: &[&str]) {
    let paths: Vec<String> = certificates.iter().map(|name| format!("\"../certs/{name}.pem\"")).collect();
    let paths = paths.join(", ");
    server.place("zones/pools.toml", format!("[eu]\naddresses = [\"192.0.2.25\"]\ncertificates = [{paths}]\n"));
}

pub fn tlsa(server: &Server) -> String {
    server.ask("_25._tcp.x-example.a.mx.example", "TLSA").to_lowercase()
}

fn keys(server: &Server) -> Vec<serde_json::Value> {
    let status = server.json(&["cert", "status", "eu"]);
    status.first().and_then(|info| info["keys"].as_array().cloned()).unwrap_or_default()
}

/// The digest of the next key, once it is published; another one than `but`.
fn next_key(server: &Server, but: &str) -> String {
    let found = std::cell::RefCell::new(String::new());
    server.until("a next key is published", |server| {
        let next = keys(server).into_iter().find(|key| key["next"] == true && key["spki"] != but);
        *found.borrow_mut() = next.and_then(|key| key["spki"].as_str().map(str::to_owned)).unwrap_or_default();
        !found.borrow().is_empty() && tlsa(server).contains(&*found.borrow())
    });
    found.into_inner()
}

fn folder(server: &Server) -> PathBuf {
    server.path("keys/pools/eu")
}

pub fn journals(server: &Server) -> [PathBuf; 2] {
    ["journal", "copy/journal"].map(|name| folder(server).join(name))
}

/// The pool is frozen, says why and what ends it, and permits nothing.
#[track_caller]
fn is_frozen(server: &Server, reason: &str, key: &str) {
    let status = server.run(&["cert", "status", "eu"]).ends(1);
    assert!(status.out.contains("frozen") && status.out.contains(reason), "{reason} is not in {}", status.out);
    assert!(server.codes().contains(&"MX5601".to_owned()));
    server.run(&["status"]).ends(1);
    server.run(&["cert", "permit", "eu", "--key", key]).ends(4);
    server.run(&["cert", "csr", "eu"]).ends(4);
}

/// A record of a kind that a newer version may know.
fn newer(journal: &[u8]) -> Vec<u8> {
    let sequence = journal.split(|octet| *octet == b'\n').count();
    let json = format!(
        r#"{{"sequence":{sequence},"time":1900000000,"generation":1,"token":0,"fact":{{"lease_issued":{{"instance":1}}}}}}"#
    );
    format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes())).into_bytes()
}

#[test]
fn a_lost_journal_of_a_pool_is_no_first_start_and_a_stolen_key_stays_away() {
    let (mut server, key, stolen) = started();
    server.run(&["cert", "drop", "eu", "--key", &stolen, "--emergency", "--reason", "stolen"]).ends(0);
    let next = next_key(&server, &stolen);
    server.until("it is gone", |server| !tlsa(server).contains(&stolen));
    let before = tlsa(&server);
    server.stop();
    let whole = fs::read(&journals(&server)[0]).expect("read");
    let mut flipped = whole.clone();
    flipped[200] ^= 1;
    let another = tempfile::tempdir().expect("a folder");
    let cases: [(&str, Option<Vec<u8>>); 4] = [
        ("a newer one may have written it", Some([whole.clone(), newer(&whole)].concat())),
        ("checksum does not fit", Some(flipped)),
        ("private keys are there", None),
        // All of the folder.
        ("this pool had one", None),
    ];
    for (reason, content) in cases {
        let is_folder = reason == "this pool had one";
        if is_folder {
            fs::rename(folder(&server), another.path().join("eu")).expect("moved away");
        }
        for journal in journals(&server).iter().filter(|_| !is_folder) {
            match &content {
                Some(octets) => fs::write(journal, octets).expect("written"),
                None => fs::remove_file(journal).expect("removed"),
            }
        }
        server.start();
        server.eventually("x-example", EU);
        is_frozen(&server, reason, &stolen);
        assert_eq!(tlsa(&server), before, "{reason}");
        assert!(before.contains(&key.spki().to_string()) && before.contains(&next), "{before}");
        server.stop();
        let found = journals(&server).map(|journal| fs::read(journal).ok());
        assert_eq!(found, [content.clone(), content], "{reason}: nothing is rewritten");
        for journal in journals(&server).iter().filter(|_| !is_folder) {
            fs::write(journal, &whole).expect("restored");
            fs::set_permissions(journal, fs::Permissions::from_mode(0o600)).expect("set");
        }
    }
    server.start();
    server.run(&["cert", "resume", "eu", "--reason", "a disk was lost; we know what was served"]).ends(0);
    for spki in [key.spki().to_string(), next] {
        assert!(tlsa(&server).contains(&spki), "{spki} is gone at once");
    }
    assert!(!tlsa(&server).contains(&stolen));
    server.run(&["cert", "permit", "eu", "--key", &stolen]).ends(4);
    assert!(keys(&server).iter().all(|key| key["spki"] != stolen.as_str() || key["given_up"] == "stolen"));
    server.stop();
    // What is restored over the new journal is old by now.
    fs::rename(folder(&server), another.path().join("newer")).expect("moved away");
    fs::rename(another.path().join("eu"), folder(&server)).expect("put back");
    server.start();
    server.eventually("x-example", EU);
    assert!(tlsa(&server).contains(&key.spki().to_string()) && !tlsa(&server).contains(&stolen));
}

#[test]
fn rights_are_told_from_loss_and_once_repaired_all_goes_on_by_itself() {
    let (mut server, key, next) = started();
    let other = PrivateKey::generate(KeyKind::EcdsaP256).expect("a key");
    server.stop();
    let set_mode = |mode| fs::set_permissions(folder(&server), fs::Permissions::from_mode(mode)).expect("set");
    set_mode(0o755);
    server.start();
    server.eventually("x-example", EU);
    is_frozen(&server, "chmod 700", &next);
    server.run(&["cert", "resume", "eu", "--reason", "too early"]).ends(4);
    assert!(tlsa(&server).contains(&next) && tlsa(&server).contains(&key.spki().to_string()));
    // What files name meanwhile is added.
    certificate(&server, "two", &other);
    names(&server, &["two"]);
    server.until("the new one is served", |server| tlsa(server).contains(&other.spki().to_string()));
    assert!(tlsa(&server).contains(&next) && tlsa(&server).contains(&key.spki().to_string()));
    names(&server, &["one"]);
    fs::set_permissions(folder(&server), fs::Permissions::from_mode(0o700)).expect("set");
    server.until("it is open again", |server| !server.codes().contains(&"MX5601".to_owned()));
    for spki in [key.spki().to_string(), other.spki().to_string(), next] {
        assert!(tlsa(&server).contains(&spki), "{spki} is gone at once");
    }
}
