//! Keys that lie where they did not lie before: a copy, another machine, two servers at once.

use crate::live::wire::*;
use crate::live::{Running, World, mxseal, poll_until};
use rustix::fs::FlockOperation;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use std::os::fd::RawFd;
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

/// The lock of a server is lost, as where a network file system keeps locks on each machine, or forgets them.
fn lose_lock(server: &Running, keys: &Path) {
    let pid = Pid::from_raw(server.pid().try_into().unwrap()).unwrap();
    let of = pidfd_open(pid, PidfdFlags::empty()).unwrap();
    let mut count = 0;
    for entry in std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().flatten() {
        if std::fs::read_link(entry.path()).is_ok_and(|target| target == keys) {
            let number: RawFd = entry.file_name().to_string_lossy().parse().unwrap();
            // The same open file: what is unlocked here is unlocked there.
            let same = pidfd_getfd(&of, number, PidfdGetfdFlags::empty()).unwrap();
            rustix::fs::flock(&same, FlockOperation::Unlock).unwrap();
            count += 1;
        }
    }
    assert!(count > 0, "it holds the folder open");
}

/// A server on another machine: another machine id, start and name.
fn on_another_machine(world: &World) -> Running {
    world.write("ids/machine", "0123456789abcdef0123456789abcdef\n");
    world.write("ids/boot", "01234567-89ab-cdef-0123-456789abcdef\n");
    let script = "hostname elsewhere; mount --bind ids/machine /etc/machine-id; \
        mount --bind ids/boot /proc/sys/kernel/random/boot_id; exec \"$0\" serve";
    let mut server = world.start("mxseal", "unshare", &["--mount", "--uts", "sh", "-ec", script, mxseal()]);
    server.poll_until("an answer", || {
        let reply = Ask::of("a.mx.example", SOA).once(world.at(0), Duration::from_millis(300))?;
        (reply.rcode == 0).then_some(())
    });
    server
}

#[test]
fn of_two_machines_that_share_one_keys_folder_one_alone_rolls_and_writes() {
    let (one, two) = (new_world(), new_world());
    let shared = format!("version = 1\nkeys = \"{}\"\n", one.path("keys").display());
    two.write("mxseal.toml", &CONFIG.replace("version = 1\n", &shared));
    let first = one.serve("a.mx.example");
    lose_lock(&first, &one.path("keys"));
    let second = on_another_machine(&two);
    let before = keys(&two);
    let said = poll_until("a word about it", || {
        let (code, said) = run(&two, &["status"]);
        (code == Some(1) && said.contains("MX5523")).then_some(said)
    });
    // A container's machine id tells nothing; there its sign of life does.
    assert!(said.contains("it was used on another machine") || said.contains("may use it; that is watched"), "{said}");
    poll_until("a roll of the one that was there first", || (keys(&one).len() > 1).then_some(()));
    assert!(!one.read("mxseal.log").contains("MX5523"), "{}", one.read("mxseal.log"));
    let (code, said) = run(&two, &["keys", "roll", "a.mx.example", "--emergency"]);
    assert!(code == Some(4) && said.contains("mxseal keys lead --reason WHY"), "{said}");
    // What the other one wants to record would replace what the first one has recorded.
    two.write("zones/a.mx.example.zone", &ZONE.replace("$TTL 1", "$TTL 7"));
    let (code, said) = run(&two, &["reload"]);
    assert!(code == Some(1) && said.contains("another server uses this folder"), "{said}");
    assert_eq!(keys(&two), before, "{}", two.read("mxseal.log"));
    // The first one goes on from what it has recorded, whenever it ends.
    let rolled = keys(&one);
    assert!(rolled.len() > 1 && !one.read("mxseal.log").contains("cannot write"), "{}", one.read("mxseal.log"));
    let mut first = first;
    first.kill();
    lose_lock(&second, &one.path("keys"));
    let first = one.serve("a.mx.example");
    lose_lock(&first, &one.path("keys"));
    assert_eq!(keys(&one), rolled, "{}", one.read("mxseal.log"));
    let (_, said) = run(&one, &["status"]);
    assert!(!said.contains("MX5523") && !said.contains("journal"), "{said}");
    // A person says that the other one leads: the first one stops, and the other one begins with what it finds.
    end(second);
    let second = on_another_machine(&two);
    let (code, said) = run(&two, &["keys", "lead", "--reason", "the first one moves"]);
    assert!(code == Some(0) && said.contains("from its next start on"), "{said}");
    poll_until("the first one stops", || one.read("mxseal.log").contains("another server uses it now").then_some(()));
    let stopped = keys(&one);
    end(second);
    let second = on_another_machine(&two);
    let found = keys(&two);
    assert_eq!(found, stopped, "it goes on where the first one stopped");
    assert!(!run(&two, &["status"]).1.contains("MX5523"));
    // It alone makes keys now, in the folder that both use.
    one.write("zones/new.mx.example.zone", ZONE);
    let rcode = |world: &World| {
        Ask::of("new.mx.example", SOA).once(world.at(0), Duration::from_millis(300)).map(|reply| reply.rcode)
    };
    poll_until("silence where no key is made", || (rcode(&one) == Some(2)).then_some(()));
    assert!(!one.path("keys/new.mx.example/journal").exists());
    two.write("zones/new.mx.example.zone", ZONE);
    poll_until("keys of a new zone", || (rcode(&two) == Some(0)).then_some(()));
    assert_eq!(keys(&one), stopped, "{}", one.read("mxseal.log"));
    end(second);
    end(first);
}
