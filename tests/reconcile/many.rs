//! Very many files with one thing wrong: a few are told of, all are counted, and nobody else waits.

use crate::lab::{Lab, MASTER, at, line, toml};
use mxseal::diagnostic::Diagnostic;
use mxseal::world::tenants::telling::TOLD_MAX;

const FILES: usize = 20_000;

fn paths() -> Vec<String> {
    (0..FILES).map(|i| at(&format!("f{}/t{i}.toml", i % 4))).collect()
}

/// One batch of all files, each with the content that `text` gives.
fn write_all(lab: &mut Lab, text: impl Fn(usize) -> String) {
    let files: Vec<(String, String)> = paths().into_iter().enumerate().map(|(i, path)| (path, text(i))).collect();
    lab.write(&files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect::<Vec<_>>());
}

fn count(findings: &[Diagnostic], code: &str) -> usize {
    findings.iter().filter(|finding| finding.code == code).count()
}

#[test]
fn twenty_thousand_broken_files_are_told_of_in_a_thousand_findings_and_a_count_for_each_folder() {
    let mut lab = Lab::new();
    write_all(&mut lab, |_| "x".to_owned());
    let findings = lab.world.findings();
    assert_eq!((findings.len(), count(&findings, "MX4211")), (TOLD_MAX + 4, 4));
    let counted: Vec<String> = findings.iter().filter(|f| f.code == "MX4211").map(Diagnostic::one_line).collect();
    assert!(
        counted.iter().all(|line| line.contains("more files are not used as they are; the first is t")),
        "{counted:?}"
    );
    let zone = lab.world.zones.values().next().expect("a zone");
    assert_eq!((zone.tenants.broken_count(), zone.tenants.told().count()), (FILES, TOLD_MAX));
    lab.write(&[(&at("good.toml"), &toml("good.example", "eu"))]);
    assert_eq!(lab.address("good-example"), "192.0.2.25");
    // Mended, and gone: nothing is left of them.
    write_all(&mut lab, |i| toml(&format!("t{i}.example"), "eu"));
    lab.fine();
    assert_eq!(lab.address("t7-example"), "192.0.2.25");
}

#[test]
fn tenants_past_what_is_told_are_kept_and_come_back_as_all_others_do() {
    let mut lab = Lab::new();
    write_all(&mut lab, |i| toml(&format!("t{i}.example"), "later"));
    let findings = lab.world.findings();
    assert_eq!((findings.len(), count(&findings, "MX4211")), (TOLD_MAX + 4, 4));
    let last = format!("t{}.example", FILES - 1);
    let why = lab.world.zones.values().map(|zone| zone.tenants.reasons(&last)).next().expect("a zone");
    assert_eq!(why.len(), 1, "{why:?}");
    let pools = crate::lab::POOLS.replace("[us]", "[later]");
    lab.write(&[("pools.toml", &pools)]);
    lab.fine();
    assert_eq!(lab.address(&format!("t{}-example", FILES - 1)), "192.0.2.26");
    // All are broken at once, and stay as they were, over a restart too.
    write_all(&mut lab, |_| "x".to_owned());
    assert_eq!(lab.address(&format!("t{}-example", FILES - 1)), "192.0.2.26");
    lab.restart();
    assert_eq!(lab.address(&format!("t{}-example", FILES - 1)), "192.0.2.26");
    assert!(lab.world.findings().len() < TOLD_MAX + 10);
}

#[test]
fn broken_lines_of_many_files_have_one_bound_for_all() {
    let mut lab = Lab::new();
    let lines: String = (0..500).map(|i| line(&format!("t{i}.example"), "nowhere")).collect();
    for i in 0..8 {
        lab.write(&[(&at(&format!("bulk{i}.ndjson")), &lines.replace(".example", &format!(".of{i}.example")))]);
    }
    let findings = lab.world.findings();
    assert!(findings.len() <= TOLD_MAX + 1, "{}", findings.len());
    assert_eq!(lab.world.zones.values().map(|zone| zone.tenants.broken_count()).sum::<usize>(), 4000);
}

#[test]
fn files_that_cannot_be_read_are_counted_too() {
    let mut lab = Lab::new();
    lab.write(&[("a.mx.example.zone", MASTER)]);
    for path in paths().iter().take(TOLD_MAX + 50) {
        let finding = lab.world.trouble(path, mxseal::world::trouble::Reason::WorldWritable);
        assert_eq!(finding.code, "MX6002");
    }
    let findings = lab.world.findings();
    assert_eq!((count(&findings, "MX6002"), count(&findings, "MX6099")), (TOLD_MAX, 1));
    assert!(findings.iter().any(|finding| finding.message == "50 more files cannot be used, this one first"));
}

#[test]
fn names_that_are_no_zones_are_counted_too_and_are_gone_with_their_files() {
    let mut lab = Lab::new();
    let paths: Vec<String> = (0..TOLD_MAX + 50).map(|i| format!("a..{i}.zone")).collect();
    lab.write(&paths.iter().map(|path| (path.as_str(), MASTER)).collect::<Vec<_>>());
    let findings = lab.world.findings();
    assert_eq!((count(&findings, "MX2120"), count(&findings, "MX6099")), (TOLD_MAX, 1));
    lab.remove(&paths.iter().map(String::as_str).collect::<Vec<_>>());
    lab.fine();
}

#[test]
fn zones_have_a_limit_and_those_that_are_served_stay() {
    let mut lab = Lab::with_config("version = 1\n");
    lab.limit_zones(2);
    let batch: Vec<String> = (0..4).map(|i| format!("z{i}.example.zone")).collect();
    lab.write(&batch.iter().map(|path| (path.as_str(), MASTER)).collect::<Vec<_>>());
    lab.write(&[("other.example/t.toml", &toml("t.example", "eu"))]);
    assert_eq!(count(&lab.world.findings(), "MX2126"), 3);
    assert_eq!(lab.ask("www.z1.example", "A"), "NOERROR A 192.0.2.80");
    assert_eq!(lab.ask("www.z2.example", "A"), "REFUSED");
    lab.write(&[("z1.example.zone", &MASTER.replace(".80", ".81"))]);
    assert_eq!(lab.ask("www.z1.example", "A"), "NOERROR A 192.0.2.81");
    lab.remove(&["z0.example.zone"]);
    lab.allow_shrink();
    lab.write(&[("z2.example.zone", MASTER)]);
    assert_eq!(lab.ask("www.z2.example", "A"), "NOERROR A 192.0.2.80");
}
