//! Machines whose clocks were wrong: what they signed then, judged by delv at the right time.

use crate::live::wire::*;
use crate::live::{Running, World, has, mxseal, poll_until};
use std::process::Output;
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
"#;
const ZONE: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n";
const SERVFAIL: u16 = 2;
/// Where Debian and others have what moves the clock of one process.
const FAKETIME: &str = "faketime/libfaketime.so.1";

fn new_world() -> World {
    let world = World::new();
    world.write("mxseal.toml", CONFIG);
    world.write("zones/mx.example.zone", ZONE);
    world
}

/// A server whose wall clock is moved, and which gives any answer by now.
fn serve_at(world: &World, clock: &str) -> Running {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten().map(|entry| entry.path());
    let library = folders.map(|folder| folder.join(FAKETIME)).find(|path| path.is_file()).unwrap();
    let (library, clock) = (format!("LD_PRELOAD={}", library.display()), format!("FAKETIME={clock}"));
    let mut server =
        world.start("mxseal", "/usr/bin/env", &[&library, &clock, "DONT_FAKE_MONOTONIC=1", mxseal(), "serve"]);
    server.poll_until("an answer", || Ask::of("mx.example", SOA).once(world.at(0), Duration::from_millis(300)));
    server
}

/// Waits of seconds, for a shard whose key rolls and for its parent.
const POLICY: &str = "dnskey_ttl = \"1s\"\nsignature_life = \"10s\"\nsignature_grid = \"4s\"\n\
    dnskey_life = \"12s\"\ndnskey_refresh = \"8s\"\nmargin = \"0s\"\n";
const SHARD: &str = "$TTL 1\n@ SOA ns.mx.example. hostmaster.mx.example. 1 3600 600 604800 1\n@ NS ns.mx.example.\n";

/// A server on a machine that was started some seconds ago, for the so-many-th time.
fn serve_after_boot(world: &World, number: u32, clock: &str) -> Running {
    world.write("boot", &format!("{number:08}-1111-1111-1111-111111111111\n"));
    let up = std::fs::read_to_string("/proc/uptime").unwrap();
    let up: u64 = up.split('.').next().unwrap().parse().unwrap();
    let back = format!("-{}", up.saturating_sub(20));
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten().map(|entry| entry.path());
    let library = folders.map(|folder| folder.join(FAKETIME)).find(|path| path.is_file()).unwrap();
    let script = format!(
        "mount --bind boot /proc/sys/kernel/random/boot_id; LD_PRELOAD={} FAKETIME={clock} DONT_FAKE_MONOTONIC=1 \
         exec \"$0\" serve",
        library.display()
    );
    let apart = ["--mount", "--time", "--boottime", &back, "--fork", "--kill-child", "sh", "-ec", &script, mxseal()];
    let mut server = world.start("mxseal", "unshare", &apart);
    server.poll_until("an answer", || {
        let reply = Ask::of("a.mx.example", SOA).once(world.at(0), Duration::from_millis(300))?;
        (reply.rcode == 0).then_some(())
    });
    server
}

fn end(mut server: Running) {
    server.signal("TERM");
    server.wait_end();
}

/// What delv says of each class of answer, by the true time.
fn delv(world: &World) -> Vec<String> {
    let ds = world.ds("mx.example");
    let fields: Vec<&str> = ds.lines().next().unwrap().split_whitespace().skip_while(|word| *word != "DS").collect();
    let anchor = format!(
        "trust-anchors {{ mx.example. static-ds {} {} {} \"{}\"; }};",
        fields[1],
        fields[2],
        fields[3],
        fields[4..].concat()
    );
    world.write("anchor.conf", &anchor);
    let (at, port) = (format!("@{}", world.ip), world.at(0).port().to_string());
    let ask = |name: &str, rtype: &str| {
        let root = "+root=mx.example";
        let Output { stdout, stderr, .. } =
            world.run("delv", &[&at, "-p", &port, "-a", "anchor.conf", root, name, rtype]);
        String::from_utf8_lossy(&[stdout, stderr].concat()).lines().next().unwrap_or_default().to_owned()
    };
    vec![ask("mx.example", "SOA"), ask("mx.example", "DNSKEY"), ask("ns1.mx.example", "A"), ask("no.mx.example", "A")]
}

fn assert_good(world: &World, when: &str) {
    let said = delv(world);
    assert!(said.iter().all(|line| line.contains("fully validated")), "{when}: {said:?}\n{}", world.read("mxseal.log"));
}

#[test]
fn what_a_wrong_clock_signed_at_a_first_start_is_good_when_the_clock_is_right() {
    if !has("faketime") || !has("delv") {
        return;
    }
    for clock in ["+30d", "+31d", "-400d"] {
        let world = new_world();
        end(serve_at(&world, clock));
        let server = world.serve("mx.example");
        assert_good(&world, clock);
        let status = world.run(mxseal(), &["status"]);
        assert_eq!(status.status.code(), Some(1), "{clock}: it is told: {status:?}");
        end(server);
    }
}

#[test]
fn where_no_clock_has_told_a_time_that_can_be_nothing_is_signed_until_one_does() {
    if !has("faketime") || !has("delv") {
        return;
    }
    for clock in ["@1970-01-02 00:00:00", "@2106-02-08 00:00:00"] {
        let world = new_world();
        let server = serve_at(&world, clock);
        let said = poll_until("a word about it", || {
            let reply = Ask::of("mx.example", SOA).once(world.at(0), Duration::from_millis(300))?;
            assert_eq!(reply.rcode, SERVFAIL, "{clock}");
            let status = world.run(mxseal(), &["status"]);
            let text = String::from_utf8_lossy(&[status.stdout, status.stderr].concat()).into_owned();
            text.contains("no clock has told the time yet").then_some(text)
        });
        assert!(said.contains("MX5522") && said.contains("set the clock"), "{said}");
        // What tenants are served from may be kept there already.
        assert!(!world.path("keys/mx.example/journal").exists(), "no key is made at a time that cannot be");
        end(server);
        let server = world.serve("mx.example");
        assert_good(&world, clock);
        end(server);
    }
}

#[test]
fn a_word_about_the_clock_is_refused_where_facts_refute_it_and_may_overrule_them() {
    if !has("faketime") || !has("delv") {
        return;
    }
    let world = new_world();
    end(serve_at(&world, "+400d"));
    let server = world.serve("mx.example");
    let resume = |more: &[&str]| {
        let output = world.run(mxseal(), &[&["keys", "resume", "mx.example", "--clock"], more].concat());
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (code, said) = resume(&[]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("the newest fact of mx.example was recorded at") && said.contains("--overrule"), "{said}");
    assert_good(&world, "refused");
    let (code, said) = resume(&["--overrule"]);
    assert_eq!(code, Some(0), "{said}");
    poll_until("the end of the doubt", || {
        let said = world.run(mxseal(), &["status"]).stdout;
        (!String::from_utf8_lossy(&said).contains("MX5520")).then_some(())
    });
    assert_good(&world, "confirmed");
    end(server);
    // Whoever then starts in 1970 cannot have that confirmed, and what was counted goes on.
    let server = serve_at(&world, "@1970-01-02 00:00:00");
    assert_good(&world, "1970, with what was counted");
    let (code, said) = resume(&["--overrule"]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("the wall clock says 1970-01-02") && said.contains("younger than that"), "{said}");
    end(server);
}

#[test]
fn a_machine_that_is_started_again_just_after_a_ds_swap_freezes_nothing() {
    if !has("faketime") {
        return;
    }
    let world = World::new();
    world.write("mxseal.toml", &format!("{CONFIG}[policy.registry]\n{POLICY}[policy.shard]\n{POLICY}"));
    world.write("zones/mx.example.zone", &ZONE.replace("$TTL 300", "$TTL 1"));
    world.write("zones/a.mx.example.zone", SHARD);
    let mut server = serve_after_boot(&world, 1, "+0");
    world.said(mxseal(), &["keys", "roll", "a.mx.example"]);
    server.poll_until("the swap", || world.read("mxseal.log").contains("sign with CSK").then_some(()));
    // The mark of the clock is older than that; the machine is off for a while.
    server.kill();
    poll_until("its end", || std::net::UdpSocket::bind(world.at(0)).ok());
    // In a container nothing but the sign of life tells the machine from another one, so that would be watched first.
    world.remove("keys/.beat");
    let mut server = serve_after_boot(&world, 2, "+300");
    let status = || {
        let output = world.run(mxseal(), &["keys", "status", "a.mx.example"]);
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    // At each look until the swap was seen.
    server.poll_until("the new DS at the parent", || {
        let was_seen = world.read("mxseal.log").matches("seen at the parent").count() > 1;
        let said = status();
        assert!(!said.contains("does not fit") && !said.contains("frozen"), "{said}");
        was_seen.then_some(())
    });
    assert!(status().contains("retiring"), "the roll goes on: {}", status());
}
