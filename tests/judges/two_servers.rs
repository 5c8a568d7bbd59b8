//! Keys that lie where they did not lie before: a copy, another machine, two servers at once.

use crate::live::wire::*;
use crate::live::{Running, World, mxseal, poll_until};
use std::path::Path;
use std::time::Duration;

const CONFIG: &str = r#"
version = 1
[server]
listen = ["{ip}:5300"]
[metrics]
listen = ""
[probe]
enabled = false
[zone."mx.example"]
parents = ["{ip}:5399"]
[policy.shard]
csk_lifetime = "8s"
dnskey_ttl = "1s"
signature_life = "10s"
signature_grid = "4s"
dnskey_life = "12s"
dnskey_refresh = "8s"
margin = "0s"
"#;
const ZONE: &str = "$TTL 1\n@ SOA ns.mx.example. hostmaster.mx.example. 1 3600 600 604800 1\n@ NS ns.mx.example.\n";

fn new_world() -> World {
    let world = World::new();
    world.write("mxseal.toml", CONFIG);
    world.write("zones/mx.example.zone", &format!("{ZONE}ns A 192.0.2.1\n"));
    world.write("zones/a.mx.example.zone", ZONE);
    world
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let _ = std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions());
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (kind, place) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &place);
        } else if kind.is_file() {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}

fn end(mut server: Running) {
    server.signal("TERM");
    server.wait_end();
}

fn run(world: &World, args: &[&str]) -> (Option<i32>, String) {
    let output = world.run(mxseal(), args);
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn keys(world: &World) -> Vec<Vec<u8>> {
    let reply = Ask::of("a.mx.example", DNSKEY).tcp().send(world.at(0));
    let mut keys: Vec<_> =
        reply.answer.iter().filter(|record| record.rtype == DNSKEY).map(|record| record.data.clone()).collect();
    keys.sort();
    keys
}

#[test]
fn of_two_servers_with_copies_of_one_keys_folder_one_alone_rolls() {
    let (one, two) = (new_world(), new_world());
    end(one.serve("a.mx.example"));
    copy(&one.path("keys"), &two.path("keys"));
    let (first, second) = (one.serve("a.mx.example"), two.serve("a.mx.example"));
    let before = keys(&two);
    poll_until("a roll of the one that was there first", || (keys(&one).len() > 1).then_some(()));
    // The other one serves and signs on, takes no step, and says why.
    let (code, said) = run(&two, &["status"]);
    assert!(code == Some(1) && said.contains("MX5523") && said.contains("it is a copy of"), "{said}");
    assert_eq!(keys(&two), before, "{}", two.read("mxseal.log"));
    let (code, said) = run(&two, &["keys", "roll", "a.mx.example", "--emergency"]);
    assert!(code == Some(4) && said.contains("mxseal keys lead --reason WHY"), "{said}");
    two.write("zones/new.mx.example.zone", ZONE);
    let (_, said) = run(&two, &["reload"]);
    assert!(!two.path("keys/new.mx.example/journal").exists(), "no key is made: {said}");
    let reply = Ask::of("new.mx.example", SOA).once(two.at(0), Duration::from_secs(2));
    assert!(reply.is_some_and(|reply| reply.rcode == 2), "it is silent");
    let (code, said) = run(&one, &["status"]);
    assert!(!said.contains("MX5523"), "{code:?} {said}");
    end(first);
    // The first one is gone, and a person says so.
    let (code, said) = run(&two, &["keys", "lead", "--reason", "the first one burnt down"]);
    assert!(code == Some(0) && said.contains("This server leads now"), "{said}");
    poll_until("a roll", || (keys(&two) != before).then_some(()));
    poll_until("the new zone", || {
        Ask::of("new.mx.example", SOA).once(two.at(0), Duration::from_millis(300)).filter(|reply| reply.rcode == 0)
    });
    end(second);
    let second = two.serve("a.mx.example");
    assert!(!run(&two, &["status"]).1.contains("MX5523"), "it leads after a restart, too");
    end(second);
}
