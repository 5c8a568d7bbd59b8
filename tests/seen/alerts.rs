//! The shipped alert rules, tried by promtool on what a running server shows.

use crate::server::Server;
use std::collections::BTreeSet;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// How long each series is there, in minutes; then the rules are looked at.
const MINUTES: u64 = 120;
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/alerts.yml");

/// The labels that Prometheus adds to each series of a server.
const TARGET: &str = "instance=\"ns1:9153\",job=\"mxseal\"";

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a moment").as_secs_f64()
}

/// A series as promtool takes it: its name with labels, its value, and what it grows by a minute.
fn series(name: &str, value: f64, growth: f64) -> String {
    let (name, labels) = name.split_once('{').map_or((name, ""), |(name, rest)| (name, rest.trim_end_matches('}')));
    let between = if labels.is_empty() { "" } else { "," };
    format!("      - series: '{name}{{{labels}{between}{TARGET}}}'\n        values: '{value}{growth:+}x{MINUTES}'\n")
}

/// All series of a page. promtool begins at second 0, so moments are told by what is left until they come; counters grow
/// within a minute as they did from the page before.
fn all(page: &str, before: &str) -> String {
    #[allow(clippy::cast_precision_loss, reason = "two hours")]
    let end = (MINUTES * 60) as f64;
    let value_of = |page: &str, name: &str| {
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        line.parse::<f64>().ok()
    };
    let mut text = series("up", 1.0, 0.0);
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a value");
        let value: f64 = value.parse().expect("a number");
        let is_counter = name.split('{').next().is_some_and(|name| name.ends_with("_total"));
        text += &match name.contains("_timestamp_seconds") {
            true => series(name, value - now() + end, 0.0),
            false if is_counter => series(name, value, value - value_of(before, name).unwrap_or(value)),
            false => series(name, value, 0.0),
        };
    }
    text
}

/// The alerts that fire on these series must be just these.
#[track_caller]
fn fires(folder: &Server, series: &str, names: &BTreeSet<&str>) {
    let samples: String = names
        .iter()
        .map(|name| format!("          - labels: '{{alertname=\"{name}\"}}'\n            value: 1\n"))
        .collect();
    let samples = if samples.is_empty() { " []\n".to_owned() } else { format!("\n{samples}") };
    let test = format!(
        "rule_files: ['{RULES}']\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n{series}    \
         promql_expr_test:\n      - expr: 'group by (alertname) (ALERTS{{alertstate=\"firing\"}})'\n        eval_time: {MINUTES}m\n        \
         exp_samples:{samples}"
    );
    folder.write("alerts-test.yml", test);
    let ran = Command::new("promtool").args(["test", "rules"]).arg(folder.path("alerts-test.yml")).output();
    let ran = ran.expect("promtool is installed by tests/run");
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    assert!(ran.status.success(), "{}{}", text(&ran.stdout), text(&ran.stderr));
}

/// Just these alerts fire where a server shows this page for two hours.
#[track_caller]
pub fn page_fires(server: &Server, page: &str, names: &[&str]) {
    fires(server, &all(page, page), &names.iter().copied().collect());
}

/// The same where it went on as from the page before to this one, within a minute.
#[track_caller]
pub fn growth_fires(server: &Server, (before, page): (&str, &str), names: &[&str]) {
    fires(server, &all(page, before), &names.iter().copied().collect());
}

/// Just these alerts fire where the scrape fails.
#[track_caller]
pub fn nothing_fires(server: &Server, names: &[&str]) {
    fires(server, &series("up", 0.0, 0.0), &names.iter().copied().collect());
}
