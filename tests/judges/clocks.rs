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
