//! What comes in through dependencies: sources, bans and licences, as `deny.toml` lists them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Version control and licences are asked for what is built on Linux; Cargo.lock has the packages of all platforms.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

fn table(file: &str) -> toml::Table {
    std::fs::read_to_string(format!("{ROOT}/{file}")).unwrap().parse().unwrap()
}

/// The strings of a list in `deny.toml`, or the names of its tables.
fn list(section: &str, key: &str) -> Vec<String> {
    let deny = table("deny.toml");
    let entries = deny[section][key].as_array().unwrap().clone();
    entries.iter().map(|entry| entry.get("crate").unwrap_or(entry).as_str().unwrap().to_owned()).collect()
}

fn packages_of_lock() -> Vec<toml::Value> {
    table("Cargo.lock")["package"].as_array().unwrap().clone()
}

fn check(rule: &str, offenders: Vec<String>) {
    assert!(offenders.is_empty(), "{rule}:\n{}\n", offenders.join("\n"));
}

#[test]
fn every_package_comes_from_the_registry_with_a_checksum() {
    let registries = list("sources", "allow-registry");
    assert!(list("sources", "allow-git").is_empty());
    let sound = |package: &toml::Value| {
        let source = package.get("source").and_then(toml::Value::as_str).and_then(|s| s.strip_prefix("registry+"));
        let checksum = package.get("checksum").and_then(toml::Value::as_str).unwrap_or("");
        let own = package["name"].as_str() == Some("mxseal") && source.is_none();
        own || (source.is_some_and(|source| registries.iter().any(|known| known == source)) && checksum.len() == 64)
    };
    let packages = packages_of_lock();
    assert!(packages.len() > 100);
    check("not from the registry", packages.iter().filter(|p| !sound(p)).map(|p| p["name"].to_string()).collect());
}

#[test]
fn no_banned_package_comes_in() {
    let banned = list("bans", "deny");
    assert!(banned.iter().any(|name| name == "openssl-sys"));
    let packages = packages_of_lock();
    let names = packages.iter().filter_map(|package| package["name"].as_str());
    check("banned by deny.toml", names.filter(|name| banned.iter().any(|b| b == name)).map(str::to_owned).collect());
}

#[test]
fn every_version_is_asked_for_by_number() {
    let manifest = table("Cargo.toml");
    let mut wild = Vec::new();
    for section in ["dependencies", "dev-dependencies"] {
        for (name, wanted) in manifest[section].as_table().unwrap() {
            let version = wanted.get("version").unwrap_or(wanted).as_str().unwrap_or("*");
            let elsewhere = ["git", "path", "registry"].iter().any(|key| wanted.get(key).is_some());
            if version.contains('*') || elsewhere {
                wild.push(format!("{name}: {wanted}"));
            }
        }
    }
    check("a version that may be anything, or a source of its own", wild);
}

#[test]
fn every_licence_is_one_that_was_agreed_to() {
    let allowed = list("licenses", "allow");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let args = ["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", PLATFORM];
    let output = Command::new(cargo).args(args).current_dir(ROOT).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    let wrong = packages.iter().filter_map(|package| {
        let licence = package["license"].as_str().unwrap_or("none");
        (!agreed(licence, &allowed)).then(|| format!("{} {}: {licence}", package["name"], package["version"]))
    });
    check("a licence that deny.toml does not list", wrong.collect());
}

/// Whether an SPDX expression can be met with these licences (SPDX 2.3 annex D; `/` is how old packages write OR).
fn agreed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = any(&words, &mut at, allowed);
    met && at == words.len()
}

fn any(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = every(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= every(words, at, allowed);
    }
    met
}

fn every(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, allowed);
    }
    met
}

fn one(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let met = any(words, at, allowed);
        *at += 1;
        return met && words.get(*at - 1) == Some(&")");
    }
    let mut licence = (*word).to_owned();
    if words.get(*at) == Some(&"WITH") {
        licence = format!("{licence} WITH {}", words.get(*at + 1).unwrap_or(&""));
        *at += 2;
    }
    allowed.contains(&licence)
}

#[test]
fn expressions_of_licences_are_understood() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("MIT AND ISC", true),
        ("MIT AND GPL-3.0-only", false),
        ("(GPL-3.0-only OR MIT) AND ISC", true),
        ("(GPL-3.0-only OR MIT) AND X", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
        ("(MIT", false),
        ("", false),
    ] {
        assert_eq!(agreed(expression, &allowed), met, "{expression}");
    }
}
