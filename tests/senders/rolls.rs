//! Renewals, planned rolls, emergencies, moves between pools, and the usual way, which fails.

use super::lab::{HOSTS, Lab, text};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const P256: &[&str] = &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

/// Three hosts with one certificate, which the pool's file names; `cert rotate` gives hosts theirs by a script.
fn lab() -> Lab {
    let mut lab = Lab::new();
    lab.certificate("first", P256);
    for host in HOSTS {
        lab.give(host, "first");
        lab.postfix(host);
    }
    lab.write("certs/chain.pem", lab.read("made/first.pem"));
    // Hosts whose name stands in `late` take no new certificate.
    let script = format!(
        "#!/bin/sh -e\ncd {}\ngrep -qs \"$1\" late && exit 0\ncat \"$3\" \"$2\" > hosts/$1/new\nmv hosts/$1/new hosts/$1/chain.pem\n",
        text(&lab.path(""))
    );
    lab.write("deploy", script);
    fs::set_permissions(lab.path("deploy"), fs::Permissions::from_mode(0o755)).unwrap();
    let deploy = text(&lab.path("deploy"));
    let more = format!(
        "[pool.\"eu-1\"]\nwebpki = false\ndeploy = [\"{deploy}\", \"{{address}}\", \"{{certificate}}\", \"{{key}}\"]\n[pool.\"us-1\"]\nwebpki = false\n"
    );
    let pools = format!("[eu-1]\naddresses = {HOSTS:?}\ncertificates = [\"../certs/chain.pem\"]\n");
    lab.serve(&more, &pools);
    lab
}

/// A certificate for the next key, signed by that key itself.
fn next(lab: &Lab) -> String {
    let file = text(&lab.path("next.pem"));
    lab.ends(0, &["cert", "csr", "eu-1", "--self-signed", "90", "--out", &file]);
    file
}

fn permitted(lab: &Lab, file: &str) -> bool {
    lab.mxseal(&["cert", "permit", "eu-1", "--certificate", file, "--dry-run"]).status.success()
}

#[test]
fn a_renewal_with_the_same_key_changes_nothing_in_dns() {
    let lab = lab();
    let sender = lab.sender();
    lab.until("the next key", || lab.tlsa().len() == 2);
    let before = lab.tlsa();
    for host in HOSTS {
        lab.renew("first");
        lab.give(host, "first");
    }
    lab.write("certs/chain.pem", lab.read("made/first.pem"));
    let not_after = |lab: &Lab| lab.status("eu-1")["certificates"][0]["not_after"].as_u64();
    lab.until("the renewed certificate", || {
        let file = lab.openssl(&["x509", "-in", &text(&lab.path("certs/chain.pem")), "-noout", "-enddate"]);
        !file.is_empty()
            && not_after(&lab).is_some()
            && lab.status("eu-1")["hosts"]
                .as_array()
                .is_some_and(|hosts| hosts.iter().all(|host| host["matches"] == true))
    });
    lab.until("some more verdicts", || sender.seen().verified > 60);
    assert_eq!(lab.tlsa(), before);
    sender.all_verified("renewal with the same key");
}

#[test]
fn a_planned_roll_goes_host_by_host_with_one_host_late() {
    let lab = lab();
    let sender = lab.sender();
    lab.until("the next key", || lab.tlsa().len() == 2);
    let old = lab.spki("certs/chain.pem");
    let file = next(&lab);
    let new = lab.spki("next.pem");
    // The gate: not yet, with the time when.
    let said = lab.ends(4, &["cert", "permit", "eu-1", "--certificate", &file]);
    assert!(said.contains("before") || said.contains("not seen on the wire"), "{said}");
    lab.ends(4, &["cert", "rotate", "eu-1", "--certificate", &file]);
    lab.until("the permit", || permitted(&lab, &file));
    lab.write("late", "127.0.0.4");
    let said = lab.ends(5, &["cert", "rotate", "eu-1", "--certificate", &file, "--timeout", "3s"]);
    assert!(said.contains("127.0.0.4 does not show"), "{said}");
    assert_eq!([lab.shown("127.0.0.2"), lab.shown("127.0.0.4")], [Some(new.clone()), Some(old.clone())]);
    // However long it takes: the old TLSA stays as long as one host shows its key.
    let many = sender.seen().verified + 300;
    lab.until("many more verdicts", || sender.seen().verified > many);
    assert_eq!(lab.tlsa().len(), 2);
    assert!(lab.tlsa().contains(&old) && lab.tlsa().contains(&new));
    fs::remove_file(lab.path("late")).unwrap();
    let said = lab.ends(0, &["cert", "rotate", "eu-1", "--certificate", &file]);
    assert!(!said.contains("give it to 127.0.0.2"), "what is done is not done again: {said}");
    assert_eq!(lab.spki("certs/chain.pem"), new, "the watched file follows");
    lab.until("the old TLSA gone and a new next key", || !lab.tlsa().contains(&old) && lab.tlsa().len() == 2);
    let many = sender.seen().verified + 50;
    lab.until("verdicts after it", || sender.seen().verified > many);
    let seen = sender.all_verified("planned roll, one host late");
    assert_eq!(seen.hosts.len(), 3, "each host was met: {seen:?}");
}

#[test]
fn an_emergency_promotes_the_next_key_at_once_and_drops_the_old_one_soon() {
    let lab = lab();
    let sender = lab.sender();
    lab.until("the next key", || lab.tlsa().len() == 2);
    let old = lab.spki("certs/chain.pem");
    let file = next(&lab);
    lab.until("a next key that all caches know", || permitted(&lab, &file));
    lab.ends(0, &["cert", "drop", "eu-1", "--key", &old, "--emergency", "--reason", "host stolen"]);
    assert!(lab.tlsa().contains(&old), "as long as hosts show it");
    lab.ends(0, &["cert", "rotate", "eu-1", "--certificate", &file, "--emergency"]);
    lab.until("the old TLSA gone", || !lab.tlsa().contains(&old));
    lab.until("a new next key", || lab.tlsa().len() == 2);
    sender.all_verified("emergency promotion");
}

#[test]
fn a_tenant_moves_between_pools() {
    let lab = lab();
    // Another fleet with a key of its own.
    lab.certificate("other", P256);
    let mut lab = lab;
    lab.give("127.0.0.5", "other");
    lab.postfix("127.0.0.5");
    lab.write("certs/other.pem", lab.read("made/other.pem"));
    let pools = lab.read("zones/pools.toml");
    let more = "[us-1]\naddresses = [\"127.0.0.5\"]\ncertificates = [\"../certs/other.pem\"]\n";
    lab.write("zones/pools.toml", format!("{pools}{more}"));
    lab.until("the other pool looked at", || lab.status("us-1")["hosts"][0]["matches"] == true);
    let sender = lab.sender();
    let other = lab.spki("certs/other.pem");
    lab.write("zones/a-v1.mx.example/contoso.com.toml", "domain = \"contoso.com\"\npool = \"us-1\"\n");
    lab.until("the union of TLSA", || lab.tlsa().contains(&other));
    assert_eq!(lab.addresses(), HOSTS, "addresses come later");
    lab.until("the new addresses", || lab.addresses() == ["127.0.0.5"]);
    let first = lab.spki("certs/chain.pem");
    assert!(lab.tlsa().contains(&first), "the old TLSA stay while caches hold old addresses");
    lab.until("the old TLSA gone", || !lab.tlsa().contains(&first));
    let seen = sender.all_verified("move between pools");
    assert!(seen.hosts.contains_key("127.0.0.5") && seen.hosts.len() > 1, "{seen:?}");
}

#[test]
fn the_usual_way_fails_until_somebody_says_that_the_key_is_the_pools() {
    let lab = lab();
    let sender = lab.sender();
    lab.until("some verdicts", || sender.seen().verified > 20);
    assert_eq!(sender.seen().other, 0, "{:?}", sender.seen().others);
    lab.certificate("surprise", P256);
    for host in HOSTS {
        lab.give(host, "surprise");
    }
    lab.until("a failure", || sender.seen().other > 0);
    let surprise = lab.spki("made/surprise.pem");
    let before = lab.tlsa();
    lab.until("the alarm that names the hosts and the way out", || {
        let status = String::from_utf8(lab.mxseal(&["status"]).stdout).unwrap();
        status.contains(&format!("cert adopt eu-1 --key {surprise}")) && status.contains("127.0.0.2")
    });
    let many = sender.seen().other + 30;
    lab.until("many more failures", || sender.seen().other > many);
    assert_eq!(lab.tlsa(), before, "no look publishes a key, and nothing is removed");
    assert_eq!(lab.addresses(), HOSTS, "no host is better than the others");
    lab.ends(0, &["cert", "adopt", "eu-1", "--key", &surprise, "--reason", "seen on the console"]);
    assert!(lab.tlsa().contains(&surprise) && lab.tlsa().contains(&lab.spki("certs/chain.pem")));
    let (failed, until) = (sender.seen().other, sender.seen().verified + 40);
    lab.until("it heals", || sender.seen().verified > until);
    let seen = sender.end("the usual way: certificate first");
    assert!(failed > 0 && seen.other > 0, "the test would notice: {seen:?}");
}
