//! Commands at a running server, its signals, and its ends.

use crate::server::*;
use std::fs;
use std::net::UdpSocket;

#[test]
fn tenants_are_added_and_removed_and_answered_when_the_command_ends() {
    let server = Server::started();
    let ran = server.run(&["tenant", "add", "contoso.com", "--pool", "us"]).ends(0);
    assert!(ran.out.contains("contoso.com. 3600 IN MX 0 contoso-com.a.mx.example."), "{}", ran.out);
    assert_eq!(server.address("contoso-com"), US);
    assert_eq!(server.json(&["tenant", "mx", "contoso.com"]).remove(0)["endpoint"], "contoso-com.a.mx.example.");
    server.run(&["tenant", "add", "contoso.com", "--pool", "us"]).ends(1);
    server.run(&["tenant", "add", "other.com", "--pool", "nowhere"]).ends(1);
    server.run(&["tenant", "add", "..", "--pool", "us"]).ends(2);
    let taken = ["tenant", "add", "x-example.com", "--pool", "us", "--endpoint", "x-example"];
    let ran = server.run(&taken).ends(1);
    assert!(ran.err.contains("x.toml:1") && ran.err.contains("nothing was written"), "{}", ran.err);
    assert_eq!(server.run(&[&taken[..], &["--dry-run"]].concat()).ends(1).err, ran.err, "a dry run says the same");
    assert_eq!(server.run(&taken).ends(1).err, ran.err, "and so does the next try");
    assert!(!server.path(&at("x-example.com.toml")).exists());
    assert_eq!(server.address("x-example"), EU);
    server.run(&["tenant", "rm", "x-example.com"]).ends(1);
    server.run(&["tenant", "rm", "contoso.com"]).ends(0);
    assert_eq!(server.address("contoso-com"), GONE);
    server.run(&["tenant", "rm", "contoso.com"]).ends(1);
    server.run(&["status"]).ends(0);
}

#[test]
fn a_tenant_that_is_gone_by_command_is_gone_for_each_command_and_the_dns() {
    let server = Server::started();
    for round in 0..5 {
        // Broken, and never served: its pool is nowhere.
        server.write(&at("b.toml"), toml("b.example", "nowhere"));
        server.run(&["reload"]).ends(1);
        server.run(&["tenant", "show", "b.example"]).ends(1);
        server.run(&["tenant", "rm", "b.example"]).ends(0);
        let ran = server.run(&["tenant", "show", "b.example"]).ends(1);
        assert!(ran.err.contains("there is no tenant b.example"), "round {round}: {}{}", ran.out, ran.err);
        // Broken, and served as it was.
        server.place(&at("c.toml"), toml("c.example", "us"));
        server.eventually("c-example", US);
        server.write(&at("c.toml"), toml("c.example", "nowhere"));
        server.run(&["reload"]).ends(1);
        server.run(&["tenant", "rm", "c.example"]).ends(0);
        assert!(server.run(&["tenant", "show", "c.example"]).ends(1).err.contains("there is no tenant c.example"));
        assert_eq!(server.address("c-example"), GONE);
        // Twice in one zone: served from one file, and waiting in another.
        server.place(&at("d.toml"), toml("d.example", "us"));
        server.eventually("d-example", US);
        server.write(&at("e.toml"), toml("d.example", "eu"));
        server.run(&["reload"]).ends(1);
        server.run(&["tenant", "rm", "d.example"]).ends(0);
        assert!(server.run(&["tenant", "show", "d.example"]).ends(1).err.contains("there is no tenant d.example"));
        assert_eq!(server.address("d-example"), GONE);
        server.run(&["status"]).ends(0);
    }
}

#[test]
fn a_tenant_is_found_by_the_name_that_a_mail_server_logs() {
    let server = Server::started();
    for name in ["x-example.a.mx.example", "_25._tcp.X-example.a.mx.example.", "x.example"] {
        assert_eq!(server.json(&["tenant", "show", name]).remove(0)["domain"], "x.example", "{name}");
    }
    assert_eq!(server.json(&["tenant", "mx", "x-example.a.mx.example"]).remove(0)["domain"], "x.example");
    server.run(&["tenant", "show", "www.a.mx.example"]).ends(1);
    server.run(&["tenant", "add", "x-example.a.mx.example", "--pool", "us"]).ends(1);
    assert_eq!(server.run(&["tenant", "list", "--pool", "eu", "--count"]).ends(0).out, "1\n");
    assert_eq!(server.run(&["tenant", "list", "x-exam", "--count"]).ends(0).out, "1\n");
    server.run(&["tenant", "list", "--pool", "nowhere"]).ends(1);
    assert!(server.run(&["tenant", "rm", "x-example.a.mx.example"]).ends(0).out.contains("x.example is gone"));
}

#[test]
fn tenant_rm_is_its_own_permission_and_takes_single_lines() {
    let server = Server::started();
    let bulk: String = (0..40).map(|i| line(&format!("b{i}.example"), "us")).collect();
    server.place(&at("bulk.ndjson"), bulk);
    server.eventually("b39-example", US);
    for i in 0..14 {
        server.run(&["tenant", "rm", &format!("b{i}.example")]).ends(0);
        assert_eq!(server.address(&format!("b{i}-example")), GONE);
    }
    assert_eq!(server.address("b14-example"), US);
}

#[test]
fn the_shrink_guard_holds_until_it_is_told_otherwise() {
    let mut server = Server::started();
    for i in 0..30 {
        server.write(&at(&format!("g{i}.toml")), toml(&format!("g{i}.example"), "eu"));
    }
    server.eventually("g29-example", EU);
    (0..30).for_each(|i| server.remove(&at(&format!("g{i}.toml"))));
    server.until("removals are held", |server| server.metric("mxseal_tenants{state=\"held\"}") > 0.0);
    let held = server.json(&["zone", "show", "a.mx.example"]).remove(0)["held"].as_u64().expect("a number");
    assert!((20..=30).contains(&held), "{held}");
    assert_eq!(server.address("g29-example"), EU);
    let (state, reasons) = server.tenant("g29.example");
    assert!(state == "held" && reasons.contains("--allow-shrink"), "{state}: {reasons}");
    let ran = server.run(&["reload"]).ends(4);
    assert!(ran.err.contains("--allow-shrink"), "{}", ran.err);
    server.kill();
    server.start();
    assert_eq!(server.address("g29-example"), EU, "over a restart");
    server.run(&["reload", "--allow-shrink"]).ends(0);
    assert_eq!(server.address("g29-example"), GONE);
    server.run(&["status"]).ends(0);
}

#[test]
fn a_reload_ends_when_what_was_written_before_it_is_answered() {
    let server = Server::started();
    for round in 0..3 {
        let (pool, answer) = if round % 2 == 0 { ("us", US) } else { ("eu", EU) };
        server.write(&at("x.toml"), toml("x.example", pool));
        server.run(&["reload"]).ends(0);
        assert_eq!(server.address("x-example"), answer);
    }
    for i in 0..20 {
        server.write(&at(&format!("g{i}.toml")), toml(&format!("g{i}.example"), "eu"));
    }
    server.run(&["reload"]).ends(0);
    assert_eq!(server.address("g19-example"), EU);
    server.clear("zones/a.mx.example");
    fs::create_dir(server.path("zones/a.mx.example")).expect("made");
    server.run(&["reload", "--allow-shrink"]).ends(0);
    assert_eq!([server.address("g19-example"), server.address("x-example")], [GONE, GONE]);
}

#[test]
fn check_finds_what_was_written_a_moment_ago() {
    let server = Server::prepared();
    server.run(&["check"]).ends(0);
    for (path, text) in
        [(at("x.toml"), "broken"), (at("bulk.ndjson"), "nonsense\n"), ("zones/mx.example.zone".to_owned(), "@ A 1\n")]
    {
        let good = fs::read(server.path(&path)).ok();
        server.write(&path, text);
        let ran = server.run(&["check"]).ends(1);
        assert!(format!("{}{}", ran.out, ran.err).contains(&path), "{}{}", ran.out, ran.err);
        match good {
            Some(good) => server.write(&path, good),
            None => server.remove(&path),
        }
        server.run(&["check"]).ends(0);
    }
}

#[test]
fn sighup_reads_the_configuration_and_a_wrong_one_is_not_used() {
    let mut server = Server::prepared();
    server.configure("[zone.\"b.example\"]\nsigned = false\n");
    server.write("zones/b.example.zone", MASTER);
    server.start();
    assert_eq!(server.ask("b.example", "DNSKEY"), "NOERROR");
    server.configure("");
    server.signal("HUP");
    server.until("the zone is signed", |server| server.ask("b.example", "DNSKEY").starts_with("NOERROR DNSKEY"));
    server.configure("nonsense = 1\n");
    let ran = server.run(&["reload"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    server.signal("HUP");
    server.after("later");
    assert_eq!(server.address("x-example"), EU);
    // A zone that was signed is not switched off.
    server.configure("[zone.\"b.example\"]\nsigned = false\n");
    let ran = server.run(&["reload"]).ends(4);
    assert!(ran.err.contains("b.example"), "{}", ran.err);
    assert!(server.ask("b.example", "DNSKEY").starts_with("NOERROR DNSKEY"));
}

#[test]
fn sigterm_drains_and_ends_well() {
    let mut server = Server::started();
    let steady = server.steadily("x-example");
    assert_eq!(server.http("/readyz").0, 200);
    server.stop();
    let answers = steady.answers();
    assert!(answers.iter().all(|answer| [EU, "nobody", "silence"].contains(&answer.as_str())), "{answers:?}");
    server.run(&["status"]).ends(3);
    server.start();
    assert_eq!(server.address("x-example"), EU);
}

#[test]
fn a_second_server_on_the_same_keys_is_refused_and_names_the_first() {
    let server = Server::started();
    let mut second = Server::prepared();
    let text = fs::read_to_string(second.path("mxseal.toml")).expect("read");
    second.write("mxseal.toml", format!("keys = \"{}\"\n{text}", server.path("keys").display()));
    let ran = second.refuses(&[]).ends(4);
    ran.says(&format!("process {}", server.pid()));
    assert_eq!(server.address("x-example"), EU);
    server.run(&["status"]).ends(0);
}

#[test]
fn a_broken_zone_at_the_start_hurts_only_itself_unless_strict() {
    let mut server = Server::prepared();
    server.write("zones/b.example.zone", "@ SOA nonsense\n");
    server.write(&at("y.toml"), "broken");
    let ran = server.refuses(&["--strict"]).ends(1);
    ran.says("b.example.zone:1");
    ran.says("--strict");
    server.start();
    assert_eq!([server.address("x-example"), server.ask("www.b.example", "A")], [EU, "SERVFAIL"]);
    server.run(&["status"]).ends(1);
    server.place("zones/b.example.zone", MASTER);
    server.until("it is served", |server| server.ask("www.b.example", "A") == "NOERROR A 192.0.2.80");
}

#[test]
fn strict_refuses_an_error_in_each_kind_of_file_and_no_warning() {
    let mut server = Server::prepared();
    let config = fs::read_to_string(server.path("mxseal.toml")).expect("read");
    let pools = fs::read_to_string(server.path("zones/pools.toml")).expect("read");
    let faults = [
        ("zones/b.example.zone".to_owned(), "@ SOA nonsense\n".to_owned(), None),
        (at("y.toml"), "broken".to_owned(), None),
        (at("bulk.ndjson"), "nonsense\n".to_owned(), None),
        ("zones/pools.toml".to_owned(), format!("{pools}[third]\n"), Some(pools)),
        ("mxseal.toml".to_owned(), format!("{config}nonsense = 1\n"), Some(config)),
    ];
    for (path, text, before) in faults {
        server.write(&path, text);
        server.refuses(&["--strict"]).ends(1).says(path.rsplit('/').next().unwrap_or(&path));
        match before {
            Some(before) => server.write(&path, before),
            None => server.remove(&path),
        }
    }
    // A warning: the TTL is below what caches can use.
    server.write("zones/b.example.zone", MASTER.replace("www 300", "www 5"));
    server.start_with(&["--strict"]);
    assert_eq!(server.address("x-example"), EU);
    let missing = fs::read_dir(server.path("keys/mx.example"))
        .expect("there")
        .flatten()
        .find(|entry| entry.path().extension().is_some_and(|end| end == "pem"));
    server.stop();
    let name = missing.expect("a key").file_name().to_string_lossy().into_owned();
    server.remove(&format!("keys/mx.example/{name}"));
    server.remove(&format!("keys/mx.example/copy/{name}"));
    server.refuses(&["--strict"]).ends(1).says("mx.example");
}

#[test]
fn ports_in_use_and_bad_addresses_are_one_clear_line() {
    let mut server = Server::prepared();
    let taken = UdpSocket::bind(("127.0.0.1", server.port)).expect("bound");
    let ran = server.refuses(&[]).ends(1);
    ran.says(&format!("127.0.0.1:{}", server.port));
    drop(taken);
    let text = fs::read_to_string(server.path("mxseal.toml")).expect("read");
    for wrong in ["127.0.0.1", "not an address", "127.0.0.1:99999"] {
        server.write("mxseal.toml", text.replace(&format!("127.0.0.1:{}\"]", server.port), &format!("{wrong}\"]")));
        let ran = server.refuses(&[]).ends(1);
        assert!(ran.err.contains(wrong) && !ran.err.contains("panicked"), "{}", ran.err);
    }
    server.write("mxseal.toml", text);
    server.start();
}

#[test]
fn a_taken_port_for_metrics_is_one_clear_line() {
    let mut server = Server::prepared();
    let _taken = std::net::TcpListener::bind(("127.0.0.1", server.metrics_port)).expect("bound");
    server.refuses(&[]).ends(1).says(&format!("127.0.0.1:{}", server.metrics_port));
}

#[test]
fn explain_tells_each_kind_of_answer() {
    let server = Server::started();
    let cases = [
        ("x-example.a.mx.example.", "A", "NOERROR", "1 A record(s)"),
        ("_25._tcp.x-example.a.mx.example.", "TLSA", "NOERROR", "1 TLSA record(s)"),
        ("_tcp.x-example.a.mx.example.", "A", "NOERROR", "empty non-terminal"),
        ("x-example.a.mx.example.", "TXT", "NOERROR", "has no TXT"),
        ("no.a.mx.example.", "A", "NXDOMAIN", "no such name"),
        ("a.mx.example.", "DS", "NOERROR", "1 DS record(s)"),
        ("elsewhere.example.", "A", "REFUSED", "no zone served here"),
    ];
    for (owner, rtype, rcode, why) in cases {
        let explained = server.json(&["explain", owner, rtype]).remove(0);
        let said = explained["rcode"].as_str().unwrap_or_default().to_owned();
        assert!(said == rcode || (rcode == "NXDOMAIN" && said == "NOERROR"), "{owner} {rtype}: {explained}");
        assert!(explained["why"].as_str().unwrap_or_default().contains(why), "{owner} {rtype}: {explained}");
    }
    let explained = server.json(&["explain", "x-example.a.mx.example", "A"]).remove(0);
    assert!(explained["source"].as_str().unwrap_or_default().contains("x.toml:1"), "{explained}");
    assert!(explained["key"].is_number() && explained["signed_until"].is_number(), "{explained}");
    server.run(&["explain", "x-example.a.mx.example", "NOTYPE"]).ends(1);
}

#[test]
fn the_limits_of_a_pool_are_from_its_first_record_on_those_of_the_policy_in_use() {
    let mut server = Server::prepared();
    let life = "dnskey_ttl = \"2s\"\nsignature_life = \"8s\"\nsignature_grid = \"2s\"\ninception_before = \"10s\"\ndnskey_life = \"8s\"\ndnskey_refresh = \"4s\"\nmargin = \"1s\"\n";
    let zones = "[zone.\"mx.example\"]\npolicy = \"trial\"\n[zone.\"a.mx.example\"]\npolicy = \"trial\"\n";
    server.configure(&format!("{zones}[policy.trial]\n{life}[tenants]\nttl = \"2s\"\n"));
    for zone in ["zones/mx.example.zone", "zones/a.mx.example.zone"] {
        let text = fs::read_to_string(server.path(zone)).expect("there");
        server.write(
            zone,
            text.replace(" 3600 IN", " 2 IN").replace("@ 3600 SOA", "@ 2 SOA").replace("1209600 300", "1209600 2"),
        );
    }
    server.start();
    assert_eq!(server.address("x-example"), EU);
    let journal = fs::read_to_string(server.path("keys/pools/eu/journal")).expect("it is there");
    let lives: Vec<&str> = journal.split("\"limits\":").skip(1).filter_map(|part| part.split('}').next()).collect();
    assert!(!lives.is_empty() && lives.iter().all(|limits| limits.ends_with("\"life\":8")), "{lives:?}");
}

#[test]
fn metrics_and_health_follow_what_is_served() {
    let server = Server::started();
    assert_eq!((server.http("/livez").0, server.http("/readyz").0), (200, 200));
    assert_eq!(server.metric("mxseal_tenants{state=\"served\"}") as u64, 1);
    let before = server.metric("mxseal_watch_last_success_timestamp_seconds");
    assert!(before > 0.0);
    server.after("later");
    server.until("it is counted", |server| server.metric("mxseal_tenants{state=\"served\"}") as u64 == 2);
    let (_, text) = server.http("/metrics");
    assert!(!text.contains("x-example") && !text.contains("later"), "no tenant is named in metrics");
}

#[test]
fn a_command_that_goes_away_gives_its_place_to_others() {
    let server = Server::started();
    let mut waiting = Vec::new();
    for _ in 0..64 {
        let socket = std::os::unix::net::UnixStream::connect(server.path("keys/control.sock")).expect("connected");
        let ask = "{\"ask\":\"tenant_wait\",\"domain\":\"never.example\",\"zone\":\"a.mx.example.\",\"present\":true,\"seconds\":3000}\n";
        std::io::Write::write_all(&mut &socket, ask.as_bytes()).expect("asked");
        waiting.push(socket);
    }
    drop(waiting);
    server.until("commands are answered again", |server| server.run(&["status"]).code == Some(0));
}
