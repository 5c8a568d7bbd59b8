//! Metrics text, alert rules, health endpoints, systemd's protocol.

use crate::alone;
use mxseal::answer::Outcome;
use mxseal::http::health::{self, CONNECTIONS_MAX, Health};
use mxseal::metrics::{KeyGauge, Metrics, PoolGauges, Proto, Standing, TenantGauges, WatchGauges, ZoneGauges};
use mxseal::process::notify;
use mxseal::time::UnixTime;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;

fn full_metrics() -> Metrics {
    let metrics = Metrics::default();
    metrics.worker().answered(Proto::Udp, true, &Outcome { qtype: 52, kept: 1, ..Outcome::default() });
    metrics.set(|gauges| {
        gauges.snapshot_version = 48_213;
        gauges.tenants = TenantGauges { served: 1_000_000, last_good: 2, broken: 1, held: 0 };
        gauges.watch =
            WatchGauges { last_success: UnixTime(1_800_000_000), lag_seconds: 0.25, ..WatchGauges::default() };
        gauges.findings = [(("error", "MX5005"), 1), (("warning", "MX2020"), 3)].into();
        let mut zone = ZoneGauges {
            standing: Some(Standing::Frozen),
            data_expiry: Some(UnixTime(1_800_200_000)),
            dnskey_expiry: Some(UnixTime(1_801_000_000)),
            keys: vec![KeyGauge { tag: 3375, role: "csk", state: "active" }],
            ..ZoneGauges::default()
        };
        zone.set_rolls(Some(("remove", UnixTime(1_800_300_000))), Some(true), true);
        gauges.zones.insert("mx.example.".to_owned(), zone);
        let pool = PoolGauges {
            not_after: Some(UnixTime(1_803_000_000)),
            probe_ok: Some(false),
            hosts_mismatching: 1,
            next_event: Some(UnixTime(1_800_400_000)),
            ..PoolGauges::default()
        };
        gauges.pools.insert("eu-1".to_owned(), pool);
        let odd = ZoneGauges { standing: Some(Standing::Serving), ..ZoneGauges::default() };
        gauges.zones.insert("odd\"quote\\zone.".to_owned(), odd);
    });
    metrics
}

/// The samples of a text: name, labels, value.
fn samples(text: &str) -> Vec<(&str, &str, f64)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let parsed = lines.map(|line| {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        (name, labels.trim_end_matches('}'), value.parse::<f64>().expect("a number"))
    });
    parsed.collect()
}

#[test]
fn every_line_of_the_metrics_belongs_to_a_described_family() {
    let text = full_metrics().text();
    let described = |kind: &str| -> BTreeSet<&str> {
        text.lines().filter_map(|line| line.strip_prefix(kind)?.split(' ').next()).collect()
    };
    let (helps, types) = (described("# HELP "), described("# TYPE "));
    assert_eq!(helps, types);
    let mut seen = BTreeSet::new();
    for (name, labels, value) in samples(&text) {
        let counter = text.contains(&format!("# TYPE {name} counter\n"));
        assert!(name.starts_with("mxseal_") && types.contains(name), "{name}");
        assert_eq!(name.ends_with("_total"), counter, "{name}");
        assert!(value >= 0.0 && seen.insert((name, labels)), "{name}{{{labels}}} {value}");
        let keys = labels.split("\",").filter_map(|label| label.split('=').next());
        for key in keys.filter(|key| !key.is_empty()) {
            let known = [
                "proto", "family", "qtype", "rcode", "reason", "class", "dry_run", "zone", "set", "tag", "role",
                "state", "version", "event", "pool", "severity", "code",
            ];
            assert!(known.contains(&key), "{key} could name a tenant or a client");
        }
    }
    for line in [
        "mxseal_quarantined_tenants 3.0",
        "mxseal_snapshot_version 48213.0",
        "mxseal_watch_lag_seconds 0.25",
        r#"mxseal_tenants{state="served"} 1000000.0"#,
        r#"mxseal_zone_rrsig_min_expiry_timestamp_seconds{zone="mx.example.",set="data"} 1800200000.0"#,
        r#"mxseal_key_state{zone="mx.example.",tag="3375",role="csk",state="active"} 1.0"#,
        r#"mxseal_key_next_event_timestamp_seconds{zone="mx.example.",event="remove"} 1800300000.0"#,
        r#"mxseal_parent_ds_match{zone="mx.example."} 1.0"#,
        r#"mxseal_roll_blocked{zone="mx.example."} 1.0"#,
        r#"mxseal_zone_state{zone="mx.example.",state="serving"} 0.0"#,
        r#"mxseal_zone_state{zone="mx.example.",state="frozen"} 1.0"#,
        r#"mxseal_zone_state{zone="mx.example.",state="silent"} 0.0"#,
        r#"mxseal_findings{severity="error",code="MX5005"} 1.0"#,
        r#"mxseal_findings{severity="warning",code="MX2020"} 3.0"#,
        r#"mxseal_tlsa_probe_ok{pool="eu-1"} 0.0"#,
        r#"mxseal_cert_not_after_timestamp_seconds{pool="eu-1"} 1803000000.0"#,
        r#"mxseal_pool_hosts{pool="eu-1",state="mismatching"} 1.0"#,
        r#"mxseal_held_tenants{zone="odd\"quote\\zone."} 0.0"#,
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
    }
}

/// Runs promtool, which `tests/run` installs.
fn promtool(arguments: &[&str], input: &str) -> (bool, String) {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool is installed by tests/run");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("promtool ends");
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    (output.status.success(), text)
}

#[test]
fn promtool_accepts_the_metrics() {
    let (accepted, text) = promtool(&["check", "metrics"], &full_metrics().text());
    assert!(accepted, "{text}");
}

#[test]
fn alerts_are_valid_and_name_only_metrics_that_exist() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/alerts.yml");
    let rules = std::fs::read_to_string(file).expect("the rules");
    let text = full_metrics().text();
    let exist: BTreeSet<&str> = samples(&text).into_iter().map(|(name, ..)| name).collect();
    let words = rules.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let used: BTreeSet<&str> = words.filter(|word| word.starts_with("mxseal_")).collect();
    assert!(used.len() > 4 && used.is_subset(&exist), "{:?}", used.difference(&exist));
    let (accepted, text) = promtool(&["check", "rules", file], "");
    assert!(accepted, "{text}");
}

fn start(not_ready: &[&str]) -> (Arc<Health>, health::Running) {
    let reasons = not_ready.iter().map(|reason| (*reason).to_owned()).collect();
    let health = Arc::new(Health::new(Arc::new(full_metrics()), reasons));
    let listener = health::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("bound");
    let running = health::start(listener, Arc::clone(&health)).expect("started");
    (health, running)
}

/// Status and body of a GET.
fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(alone::PATIENCE)).expect("set");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer that ends");
    let status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    let body = text.split_once("\r\n\r\n").expect("a body").1;
    (status, body.to_owned())
}

#[test]
fn readiness_lists_what_is_missing_and_turns_back_while_draining() {
    let (health, running) = start(&["first snapshot", "files are being read"]);
    let address = running.address();
    assert_eq!(get(address, "/readyz"), (503, "first snapshot\nfiles are being read\n".to_owned()));
    assert_eq!(get(address, "/livez").0, 200);
    health.set_not_ready(Vec::new());
    assert_eq!(get(address, "/readyz"), (200, "ready\n".to_owned()));
    health.drain();
    assert_eq!(get(address, "/readyz"), (503, "draining\n".to_owned()));
    assert_eq!(get(address, "/livez").0, 200, "it still answers");
    let (status, body) = get(address, "/metrics");
    assert!(status == 200 && body.contains("mxseal_dns_requests_total"), "{body}");
    assert_eq!(get(address, "/admin").0, 404);
    drop(running);
    assert!(TcpListener::bind(address).is_ok(), "the port is free again");
}

#[test]
fn readiness_names_each_silent_zone_and_refuses_where_all_are() {
    let metrics = Arc::new(Metrics::default());
    let health = Arc::new(Health::new(Arc::clone(&metrics), Vec::new()));
    let listener = health::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("bound");
    let running = health::start(listener, health).expect("started");
    let ask = |query: &str| get(running.address(), &format!("/readyz{query}"));
    assert_eq!(ask(""), (200, "ready\n".to_owned()), "a server without zones is a new one");
    let stand = |zone: &str, standing| {
        let gauges = ZoneGauges { standing: Some(standing), ..ZoneGauges::default() };
        metrics.set(|all| drop(all.zones.insert(zone.to_owned(), gauges)));
    };
    stand("mx.example.", Standing::Frozen);
    stand("a.mx.example.", Standing::Silent);
    metrics.set(|all| all.silent = vec!["zone a.mx.example. is silent: MX5005".to_owned()]);
    let line = "zone a.mx.example. is silent: MX5005\n";
    assert_eq!(ask(""), (200, format!("ready, but 1 of 2 zones are silent\n{line}")));
    assert_eq!(ask("?zone=MX.example"), (200, "ready\n".to_owned()), "frozen is answered");
    assert_eq!(ask("?zone=mx.example&zone=a.mx.example."), (503, "zone a.mx.example. is silent\n".to_owned()));
    assert_eq!(ask("?zone=b.example"), (503, "there is no zone b.example. here\n".to_owned()));
    assert_eq!(ask("?zones=mx.example").0, 400, "what is not understood is not called ready");
    stand("mx.example.", Standing::Silent);
    assert_eq!(ask(""), (503, format!("no zone is answered\n{line}")));
}

#[test]
fn idle_connections_lose_their_place_and_never_stop_a_scrape() {
    let (_health, running) = start(&[]);
    let mut idle: Vec<TcpStream> = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(running.address()).expect("connected");
        stream.write_all(b"GET /metrics HTTP/1.1\r\n").expect("sent");
        stream.set_nonblocking(true).expect("set");
        idle.push(stream);
    }
    assert_eq!(get(running.address(), "/readyz").0, 200);
    let open = |stream: &mut TcpStream| {
        stream.read(&mut [0; 16]).is_err_and(|fault| fault.kind() == std::io::ErrorKind::WouldBlock)
    };
    alone::eventually("all but the newest are closed", || {
        idle.iter_mut().filter_map(|s| open(s).then_some(())).count() <= CONNECTIONS_MAX
    });
    assert_eq!(get(running.address(), "/readyz").0, 200);
}

#[test]
fn a_request_without_end_is_cut_off() {
    let (_health, running) = start(&[]);
    let mut stream = TcpStream::connect(running.address()).expect("connected");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nX: ").expect("sent");
    let block = [b'x'; 4096];
    alone::eventually("the connection is closed", || stream.write_all(&block).is_err());
    assert_eq!(get(running.address(), "/livez").0, 200);
}

#[test]
fn an_address_in_use_is_named_with_its_cure() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = taken.local_addr().expect("an address");
    let text = health::bind(address).expect_err("in use").to_string();
    assert!(text.contains(&address.to_string()) && text.contains("another process"), "{text}");
}

#[test]
fn systemd_is_told_and_its_absence_changes_nothing() {
    if alone::task().is_some() {
        notify::ready("serving 2 zones\nREADY=0");
        notify::status("reloading");
        notify::watchdog();
        notify::stopping();
        let expected = std::env::var_os("WATCHDOG_USEC").map(|_| std::time::Duration::from_secs(15));
        assert_eq!(notify::watchdog_interval(), expected);
        return;
    }
    let test = "monitoring::systemd_is_told_and_its_absence_changes_nothing";
    alone::must_pass(test, "without", &[]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let manager = std::os::unix::net::UnixDatagram::bind(&path).expect("bound");
    manager.set_read_timeout(Some(alone::PATIENCE)).expect("set");
    let socket = path.to_str().expect("a path of the test");
    alone::must_pass(test, "with", &[("NOTIFY_SOCKET", socket), ("WATCHDOG_USEC", "30000000")]);
    let mut told = Vec::new();
    for _ in 0..4 {
        let mut message = [0; 256];
        let length = manager.recv(&mut message).expect("a message");
        told.push(String::from_utf8_lossy(&message[..length]).into_owned());
    }
    let ready = "READY=1\nSTATUS=serving 2 zones READY=0\n";
    assert_eq!(told, [ready, "STATUS=reloading\n", "WATCHDOG=1\n", "STOPPING=1\n"]);
}
