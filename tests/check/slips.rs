//! Slips in zones, judged against `named-checkzone` and `kzonecheck`.
//!
//! Where they warn or refuse, so does this program, or the case says why not. And zones without a slip are clean.

use crate::live::{Dice, has, program};
use mxseal::diagnostic::Severity;
use mxseal::dns::name::{Name, ROOT};
use mxseal::zone::content::{self, Parts};
use mxseal::zone::lint::{self, Subject};
use mxseal::zone::master;
use std::path::Path;
use std::process::Command;

const BASE: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n";
const APEX: &str = "example.test";

/// The codes of errors and warnings about a zone, in the order of its lines.
fn codes(text: &str) -> Vec<&'static str> {
    let apex = Name::parse(APEX, ROOT).expect("a name");
    let parsed = master::parse(&apex, "z", text, &mut |_| Err("none".to_owned()));
    let parts = Parts { apex: &apex, signed: false, parsed: &parsed, key_sets: &[], children: &[], ttl_cap: u32::MAX };
    let (content, findings) = content::build(&parts);
    let mut codes: Vec<&'static str> = parsed.diagnostics.iter().chain(&findings).map(|found| found.code).collect();
    let is_read = parsed.diagnostics.iter().all(|found| found.severity != Severity::Error);
    if let Some(content) = content.filter(|_| is_read) {
        let subject = Subject { apex: &apex, parsed: &parsed, content: &content, children: &[] };
        codes.extend(lint::lint(&subject).iter().map(|slip| slip.diagnostic.code));
    }
    codes
}

/// What BIND and Knot say of a zone; empty: nothing.
fn judges(text: &str) -> [String; 2] {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("zone");
    std::fs::write(&file, text).expect("written");
    let say = |name: &str, args: &[&str]| {
        assert!(has(name));
        let ran = Command::new(program(name)).args(args).arg(&file).output().expect("a judge");
        let both = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
        let line = both.lines().find(|line| !line.contains("loaded serial") && *line != "OK" && !line.is_empty());
        line.unwrap_or_default().to_owned()
    };
    let bind = Command::new(program("named-checkzone"))
        .args(["-i", "local", "-k", "warn", APEX])
        .arg(&file)
        .output()
        .expect("a judge");
    let both = String::from_utf8_lossy(&bind.stdout).into_owned() + &String::from_utf8_lossy(&bind.stderr);
    let bind =
        both.lines().find(|line| !line.contains("loaded serial") && *line != "OK").unwrap_or_default().to_owned();
    [bind, say("kzonecheck", &["-o", APEX])]
}

/// Records beside those of [`BASE`], separated by `|`; the code that is given, or `-` and why nothing is said.
fn hand_written() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/wrong/slips.txt");
    let text = std::fs::read_to_string(path).expect("the cases");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let (verdict, records) = line.split_once("  ").expect("a verdict, two blanks, records");
            let records: Vec<&str> = records.trim().split(" | ").collect();
            (verdict.to_owned(), format!("{BASE}{}\n", records.join("\n")))
        })
        .collect()
}

#[test]
fn slips_that_bind_or_knot_see_are_seen() {
    has("named-checkzone");
    let cases = hand_written();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for (verdict, zone) in &cases {
        let (found, [bind, knot]) = (codes(zone), judges(zone));
        let is_excused = verdict.starts_with("-");
        let is_right = if is_excused { found.is_empty() } else { found.contains(&verdict.as_str()) };
        if !is_right {
            wrong.push(format!("{verdict} is expected, {found:?} said; BIND: {bind}; Knot: {knot}\n{zone}"));
        }
        // A verdict of silence needs a reason where a judge speaks.
        if verdict == "-" && !(bind.is_empty() && knot.is_empty()) {
            wrong.push(format!("nothing is said, and BIND says {bind}, Knot {knot}\n{zone}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A zone without a slip: hosts, mail, services, delegations with glue, aliases, wildcards, policies.
fn clean(dice: &mut Dice, hosts: usize) -> String {
    let mut zone = BASE.to_owned();
    let host = |dice: &mut Dice| format!("h{}", dice.below(hosts));
    for at in 0..hosts {
        zone.push_str(&format!("h{at} A 192.0.2.{}\n", at % 250 + 1));
        if dice.below(2) == 0 {
            zone.push_str(&format!("h{at} AAAA 2001:db8::{at:x}\n"));
        }
    }
    for at in 0..hosts {
        let target = host(dice);
        zone.push_str(&match dice.below(10) {
            0 => format!("m{at} MX 10 {target}\nm{at} TXT \"v=spf1 mx -all\"\n"),
            1 => format!("_sip._tcp.s{at} SRV 1 1 5060 {target}\n"),
            2 => format!("c{at} CNAME {target}\n"),
            3 => format!("d{at} NS ns.d{at}\nns.d{at} A 192.0.2.9\n"),
            4 => format!("d{at} NS ns1.example.net.\n"),
            5 => format!("_25._tcp.{target} TLSA 3 1 1 {}\n", "ab".repeat(32)),
            6 => format!("*.w{at} A 192.0.2.3\nx{at} MX 5 any.w{at}\n"),
            7 => format!("_dmarc.m{at} TXT \"v=DMARC1; p=reject\"\nk._domainkey.m{at} TXT \"v=DKIM1; p=\" \"abc\"\n"),
            8 => format!("n{at} MX 0 .\nn{at} CAA 0 issue \"ca.example\"\n"),
            _ => format!("r{at} DNAME example.net.\nv{at} HTTPS 1 {target}\n"),
        });
    }
    zone
}

#[test]
fn clean_zones_are_clean() {
    let mut wrong = Vec::new();
    for seed in 0..60 {
        let mut dice = Dice(seed);
        let hosts = 1 + dice.below(12);
        let zone = clean(&mut dice, hosts);
        let (found, judged) = (codes(&zone), judges(&zone));
        if !found.is_empty() || judged.iter().any(|said| !said.is_empty()) {
            wrong.push(format!("seed {seed}: {found:?}, judges {judged:?}\n{zone}"));
        }
    }
    let large = clean(&mut Dice(1000), 120);
    assert!(large.lines().count() > 250, "a zone of a company");
    assert!(codes(&large).is_empty(), "{:?}", codes(&large));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_slip_is_told_once_for_all_records_that_share_it() {
    let zone = format!("{BASE}{}", "@ MX 10 mial\n@ MX 20 mial\n");
    assert_eq!(codes(&zone), ["MX2130"]);
    let many: String = (0..500).map(|at| format!("a{at} MX 10 b{at}\n")).collect();
    assert_eq!(codes(&format!("{BASE}{many}")).len(), 100, "no more than a person reads");
}
