//! The unit of systemd keeps no server down that would serve.

use crate::live::{World, has};
use std::collections::BTreeMap;
use std::path::Path;

const UNIT: &str = "contrib/mxseal.service";

/// Its settings, by name; each with all its values in their order.
fn settings() -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(UNIT)).unwrap();
    let mut settings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with(['#', '['])) {
        if let Some((name, value)) = line.split_once('=') {
            settings.entry(name.to_owned()).or_default().push(value.to_owned());
        }
    }
    settings
}

#[test]
fn the_unit_starts_the_server_whatever_check_finds_and_as_often_as_it_takes() {
    let settings = settings();
    let one = |name: &str| settings.get(name).map(|values| values.join("\n"));
    for name in ["ExecStartPre", "ExecCondition", "ExecStartPost"] {
        let all = settings.get(name).into_iter().flatten();
        assert!(all.clone().all(|value| value.starts_with('-')), "{name} keeps the server down: {all:?}");
    }
    for name in settings.keys() {
        let conditional = name.starts_with("Condition") || name.starts_with("Assert");
        assert!(!conditional && name != "RestartPreventExitStatus" && name != "Requires", "{name} keeps it down");
    }
    assert_eq!(one("Restart").as_deref(), Some("always"), "a stray signal is followed by a start");
    assert_eq!(one("StartLimitIntervalSec").as_deref(), Some("0"), "it is never given up");
    assert_eq!(one("TimeoutStartSec").as_deref(), Some("infinity"), "a long reading is not cut off");
    assert_eq!(one("Type").as_deref(), Some("notify"));
    let (start, reload) = (one("ExecStart").unwrap(), one("ExecReload").unwrap());
    assert_eq!(reload, start.strip_suffix("serve").unwrap().to_owned() + "reload", "its exit code is the outcome");
}

#[test]
fn systemd_takes_the_unit_as_it_stands() {
    if !has("systemd-analyze") {
        return;
    }
    let world = World::new();
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(UNIT)).unwrap();
    // What is not installed here must not hide what is wrong in the unit itself.
    world.write("mxseal.service", &text.replace("/usr/bin/mxseal", "/bin/true").replace("Documentation=", "#"));
    let path = world.path("mxseal.service").display().to_string();
    let output = world.run("systemd-analyze", &["verify", "--man=no", &path]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // Settings of newer versions than the one that judges are passed over by it, as the unit says.
    let newer = |line: &&str| !line.contains("RestartSteps") && !line.contains("RestartMaxDelaySec");
    let wrong: Vec<&str> = said.lines().filter(|line| line.contains("mxseal.service")).filter(newer).collect();
    assert!(wrong.is_empty(), "{said}");
}
