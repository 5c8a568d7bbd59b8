//! The judge: all that tells how a server is, asked at once and compared.

use crate::server::*;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How a world that is broken in one way must look.
pub struct Looks<'a> {
    /// Severity and code of what stands, among others.
    pub finding: (&'a str, &'a str),
    /// Zones that are not `serving`, and how they stand.
    pub zones: &'a [(&'a str, &'a str)],
    /// Exit code of `check`: it reads files, and knows nothing of what only the server knows.
    pub check: i32,
}

/// Findings by severity and code, as metrics count them.
type Counts = BTreeMap<(String, String), u64>;

/// The page of metrics, without the head of HTTP.
pub fn page(server: &Server) -> String {
    let answer = server.http("/metrics").1;
    answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The labels of all series of a metric, with their values.
pub fn series(page: &str, name: &str) -> Vec<(BTreeMap<String, String>, f64)> {
    let lines = page.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.split_once("} "));
    let labels = |text: &str| {
        let pairs = text.split("\",").filter_map(|pair| pair.trim_end_matches('"').split_once("=\""));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    lines.map(|(text, value)| (labels(text), value.parse().expect("a number"))).collect()
}

fn counts_of_metrics(page: &str) -> Counts {
    let all = series(page, "mxseal_findings");
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of a test are small")]
    let count = |(labels, value): (BTreeMap<String, String>, f64)| {
        ((labels["severity"].clone(), labels["code"].clone()), value as u64)
    };
    all.into_iter().map(count).collect()
}

fn counts_of(status: &Value) -> Counts {
    let mut counts = Counts::new();
    for finding in status["findings"].as_array().into_iter().flatten() {
        *counts.entry((text(&finding["severity"]), text(&finding["code"]))).or_default() += 1;
    }
    counts
}

/// The states of zones that metrics show; each zone has all three series, and one of them is 1.
fn states_of_metrics(page: &str) -> BTreeMap<String, String> {
    let mut states: BTreeMap<String, String> = BTreeMap::new();
    let all = series(page, "mxseal_zone_state");
    for (labels, value) in &all {
        if *value > 0.5 {
            let before = states.insert(labels["zone"].clone(), labels["state"].clone());
            assert_eq!(before, None, "two states of {}", labels["zone"]);
        }
    }
    let zones: BTreeSet<&String> = all.iter().map(|(labels, _)| &labels["zone"]).collect();
    assert_eq!(all.len(), zones.len() * 3, "{all:?}");
    for zone in zones {
        // One whose names a tenant has is none of the three.
        states.entry(zone.clone()).or_insert_with(|| "waiting".to_owned());
    }
    states
}

/// Everything at one moment.
struct Moment {
    status: Value,
    exit: Option<i32>,
    page: String,
}

/// What is said, once `status` and metrics speak of the same moment and what is awaited is there.
#[track_caller]
fn until_settled(server: &Server, looks: &Looks<'_>) -> Moment {
    let wanted = (looks.finding.0.to_owned(), looks.finding.1.to_owned());
    let begun = Instant::now();
    loop {
        let before = counts_of_metrics(&page(server));
        let ran = server.run(&["-o", "json", "status"]);
        let page = page(server);
        let status: Value = serde_json::from_str(ran.out.trim()).unwrap_or_default();
        let (counts, states) = (counts_of(&status), states_of_metrics(&page));
        // A world that is sound again has been so for a moment only: errors end first.
        let is_calm = wanted.0 == "error" || !counts.keys().any(|(severity, _)| severity == "error");
        let is_there = counts.contains_key(&wanted) && is_calm;
        let stands = |(zone, state): &(&str, &str)| states.get(*zone).map(String::as_str) == Some(in_metrics(state));
        let is_one = counts == before && counts == counts_of_metrics(&page);
        if is_there && is_one && looks.zones.iter().all(stands) {
            return Moment { status, exit: ran.code, page };
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "never {wanted:?} with {:?}\nstatus {counts:?}\nmetrics {:?} {states:?}\n{}{}",
            looks.zones,
            counts_of_metrics(&page),
            ran.err,
            server.log()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The word that metrics have for how `status` says that a zone stands.
fn in_metrics(state: &str) -> &str {
    if state == "last good" { "serving" } else { state }
}

/// Waits until the world looks so, and holds all that tells of it against each other. Returns the page of metrics.
#[track_caller]
pub fn agree(server: &Server, looks: &Looks<'_>) -> String {
    let Moment { status, exit, page } = until_settled(server, looks);
    let is_wrong = counts_of(&status).keys().any(|(severity, _)| severity == "error");
    assert_eq!(exit, Some(i32::from(is_wrong)), "{status}");
    assert_eq!(is_wrong, looks.finding.0 == "error", "{status}");
    assert_eq!(server.run(&["check"]).code, Some(looks.check), "{}", server.run(&["check"]).out);
    let zones = status["zones"].as_array().expect("zones");
    let told: BTreeMap<String, String> = zones.iter().map(|zone| (text(&zone["zone"]), text(&zone["state"]))).collect();
    let expected: BTreeMap<&str, &str> = looks.zones.iter().copied().collect();
    let metrics = states_of_metrics(&page);
    assert_eq!(told.keys().collect::<Vec<_>>(), metrics.keys().collect::<Vec<_>>(), "no series vanishes");
    for (zone, state) in &told {
        assert_eq!(state, expected.get(zone.as_str()).unwrap_or(&"serving"), "{zone}");
        assert_eq!(in_metrics(state), metrics[zone], "{zone}");
        commands_agree(server, zone, state, &status);
    }
    readiness_agrees(server, &told, &status, &page);
    page
}

/// `zone list`, `zone show`, `keys status` and the answers say the same of a zone.
#[track_caller]
fn commands_agree(server: &Server, zone: &str, state: &str, status: &Value) {
    let of_zone = |zones: Vec<Value>| zones.into_iter().find(|info| info["zone"] == zone).expect("it is told of");
    assert_eq!(of_zone(server.json(&["zone", "list"]))["state"], state, "{zone}");
    let shown = of_zone(server.json(&["zone", "show", zone]));
    assert_eq!(shown["state"], state, "{zone}");
    let errors = shown["findings"].as_array().into_iter().flatten().filter(|finding| finding["severity"] == "error");
    assert!(!["silent", "waiting"].contains(&state) || errors.count() > 0, "{zone}: it says why: {shown}");
    let keys = text(&of_zone(server.json(&["keys", "status", zone]))["state"]);
    let is_one = |word: &str| (keys == word) == (state == word);
    assert!(is_one("frozen") && is_one("silent"), "{zone}: {state}, its keys {keys}: {status}");
    let is_silent = server.ask(zone, "SOA") == "SERVFAIL";
    assert_eq!(is_silent, state == "silent", "{zone}: {}", server.ask(zone, "SOA"));
}

/// /readyz says no where no zone is answered, names each that is not, and knows each one by name; so does `status`.
#[track_caller]
fn readiness_agrees(server: &Server, told: &BTreeMap<String, String>, status: &Value, page: &str) {
    let silent: Vec<&String> = told.iter().filter(|(_, state)| *state == "silent").map(|(zone, _)| zone).collect();
    let (code, answer) = server.http("/readyz");
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    let expected = if silent.len() == told.len() { 503 } else { 200 };
    assert_eq!(code, expected, "{body}");
    assert_eq!(body == "ready\n", silent.is_empty(), "{body}");
    let lines: Vec<&str> = body.lines().skip(1).collect();
    let said: Vec<&str> = status["not_ready"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(lines, said);
    assert!(
        silent.iter().zip(&lines).all(|(zone, line)| line.starts_with(&format!("zone {zone} is silent"))),
        "{body}"
    );
    assert_eq!(lines.len(), silent.len());
    for (zone, state) in told {
        let one = server.http(&format!("/readyz?zone={zone}")).0;
        assert_eq!(one, if ["silent", "waiting"].contains(&state.as_str()) { 503 } else { 200 }, "{zone}");
    }
    let ready = format!("mxseal_ready {}.0", i32::from(code == 200));
    assert!(page.lines().any(|line| line == ready), "{ready}");
}
