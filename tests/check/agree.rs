//! Broken configurations, master files, tenants and pools: `check` and a server that starts with them say the same.
//!
//! The cases are text, in `tests/corpus/wrong`. A case has a name, the codes that `check` gives (each once), and files. Where
//! `serve` is `no`, the server does not start; else it starts, and `status` has the same codes.

use crate::live::{World, mxseal};
use std::collections::BTreeSet;
use std::path::Path;

/// What only `check` says: a running server has no user to become, and does not list what it does not read.
const ONLY_CHECK: [&str; 6] = ["MX1036", "MX1037", "MX4208", "MX6101", "MX6102", "MX1034"];

/// What a case begins with: an unsigned zone, so that no parent is asked for anything, and a pool that it may use.
const CONFIG: &str = "version = 1\n[server]\nlisten = [\"{ip}:5300\"]\nworkers = 1\n[metrics]\nlisten = \"\"\n[probe]\nenabled = false\n[zone.\"mx.test\"]\nsigned = false\n";
const ZONE: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n";
const POOLS: &str = "[p]\naddresses = [\"192.0.2.25\"]\ntlsa = [\"3 1 1 5dfea6f3f93916b4add66c2a2f796790addcf8d1dc091509bce418870d278b90\"]\n";

struct Case {
    name: String,
    codes: BTreeSet<String>,
    starts: bool,
    files: Vec<(String, String)>,
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("# ")) {
        if let Some(name) = line.strip_prefix("== ") {
            cases.push(Case { name: name.to_owned(), codes: BTreeSet::new(), starts: true, files: Vec::new() });
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        if let Some(codes) = line.strip_prefix("check:") {
            case.codes = codes.split_whitespace().map(str::to_owned).collect();
        } else if line == "serve: no" {
            case.starts = false;
        } else if let Some(path) = line.strip_prefix("--- ") {
            case.files.push((path.to_owned(), String::new()));
        } else if let Some((_, text)) = case.files.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    cases
}

/// The files of a case in a world; a path that ends with `+` adds to what every case begins with, one that ends with `-`
/// is taken away.
fn lay(world: &World, case: &Case) {
    for (path, text) in [("mxseal.toml", CONFIG), ("zones/mx.test.zone", ZONE), ("zones/pools.toml", POOLS)] {
        world.write(path, text);
    }
    for (path, text) in &case.files {
        let text = text.replace("{long}", &"long/".repeat(30));
        if let Some(path) = path.strip_suffix('-') {
            world.remove(path);
            continue;
        }
        match path.strip_suffix('+') {
            Some(path) => world.write(path, &(world.read(path) + &text)),
            None => world.write(path, &text),
        }
    }
}

fn codes<'v>(findings: impl Iterator<Item = &'v serde_json::Value>) -> BTreeSet<String> {
    findings.filter_map(|finding| finding["code"].as_str()).map(str::to_owned).collect()
}

fn agree(case: &Case) -> Result<(), String> {
    let world = World::new();
    lay(&world, case);
    let ran = world.run(mxseal(), &["check", "-o", "json"]);
    let out = String::from_utf8_lossy(&ran.stdout).into_owned();
    let lines: Vec<serde_json::Value> = out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let said = codes(lines.iter());
    let fail = |what: &str| Err(format!("{}: {what}\n{out}", case.name));
    if said != case.codes {
        return fail(&format!("check says {said:?}, and the case {:?}", case.codes));
    }
    let is_wrong = lines.iter().any(|line| line["severity"] == "error");
    if ran.status.code() != Some(i32::from(is_wrong)) {
        return fail(&format!("check ends with {:?}", ran.status.code()));
    }
    let mut server = world.start("mxseal", mxseal(), &["serve"]);
    if !case.starts {
        let code = server.poll_code();
        return if is_wrong && code != Some(0) {
            Ok(())
        } else {
            fail(&format!("serve ends with {code:?}, check saw {is_wrong}"))
        };
    }
    let status = server.poll_until("a status", || {
        let ran = world.run(mxseal(), &["status", "-o", "json"]);
        let is_there = ran.status.code().is_some_and(|code| code < 2);
        is_there.then(|| serde_json::from_slice::<serde_json::Value>(&ran.stdout).ok()).flatten()
    });
    let served = codes(status["findings"].as_array().into_iter().flatten());
    let shared: BTreeSet<String> = said.into_iter().filter(|code| !ONLY_CHECK.contains(&code.as_str())).collect();
    if served != shared { fail(&format!("the server says {served:?}")) } else { Ok(()) }
}

fn all_agree(file: &str, least: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/wrong").join(file);
    let cases = cases(&std::fs::read_to_string(path).expect("the cases"));
    assert!(cases.len() >= least, "{file} has {} cases", cases.len());
    let wrong: Vec<String> = cases.iter().filter_map(|case| agree(case).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn check_and_serve_agree_about_configurations() {
    all_agree("config.txt", 20);
}

#[test]
fn check_and_serve_agree_about_master_files() {
    all_agree("master.txt", 20);
}

#[test]
fn check_and_serve_agree_about_tenants() {
    all_agree("tenants.txt", 15);
}

#[test]
fn check_and_serve_agree_about_pools() {
    all_agree("pools.txt", 10);
}
