//! `mxseal cert` against a fake server: what is asked, what is printed, and how it ends; and `cert tlsa` without one.

use crate::fake::Place;
use mxseal::cert::KeyKind;
use mxseal::cert::make::PrivateKey;
use mxseal::protocol::request::{CertRequest, Command as Asked};
use mxseal::protocol::{
    Calendar, CertBar, CertInfo, CertKeyClass, CertKeyInfo, CertKeyKind, CertKeyOrigin, CertPlan, CertStanding,
    CertificateInfo, CsrInfo, HostInfo, HostStanding, KeyPhase, PermitInfo, PlannedStep, PoolInfo, PoolStanding,
    Request, SecretText, ShownInfo, Story, Verb, WaitInfo,
};
use mxseal::time::UnixTime;
use serde_json::{Value, json};

const NOW: u64 = 1_795_338_000;
const DAY: u64 = 86_400;

fn spki(digit: &str) -> String {
    digit.repeat(64)
}

/// A pool in the middle of a roll from key 1 to key 2.
fn rolling() -> CertInfo {
    let key = |digit: &str, phase: KeyPhase| CertKeyInfo {
        spki: spki(digit),
        kind: CertKeyKind::EcdsaP256,
        phase,
        origin: CertKeyOrigin::Made,
        ready_at: Some(NOW - DAY),
        hosts: vec![format!("192.0.2.{digit}")],
        ..CertKeyInfo::default()
    };
    let next =
        CertKeyInfo { next: true, ready_at: Some(NOW + 3 * DAY), hosts: Vec::new(), ..key("3", KeyPhase::Rumoured) };
    CertInfo {
        pool: "eu-1".to_owned(),
        state: CertStanding::Rolling,
        snapshot: 7,
        tenants: 12,
        keys: vec![key("1", KeyPhase::Retiring), key("2", KeyPhase::Active), next],
        certificates: vec![CertificateInfo {
            file: "../certs/eu-1.pem".to_owned(),
            spki: spki("2"),
            not_before: NOW - 80 * DAY,
            not_after: NOW + 10 * DAY,
            ..CertificateInfo::default()
        }],
        story: Story {
            waits: vec![WaitInfo {
                verb: Verb::Withdraw,
                step: "TLSA of ecdsa-p256 key 11111111 is served no more".to_owned(),
                until: Some(NOW + 2 * DAY),
                why: "a host showed it less than the wait ago".to_owned(),
            }],
            next_at: Some(NOW + 2 * DAY),
            ..Story::default()
        },
        now: NOW,
        ..CertInfo::default()
    }
}

fn place(items: Vec<Value>, exit: u8, message: &str) -> Place {
    let place = Place::new();
    place.world().cert = Some((items, exit, message.to_owned()));
    place
}

fn asked(place: &Place) -> Request {
    place.world().asked.pop().expect("something was asked")
}

/// A key and its certificate, as files of the place.
fn certificate(place: &Place) -> PrivateKey {
    let key = PrivateKey::generate(KeyKind::EcdsaP256).expect("a key");
    let pem = key.self_signed(&["mx.example".to_owned()], UnixTime(NOW), 90).expect("a certificate");
    place.write("next.pem", &pem);
    place.write("next.key", key.pem());
    key
}

#[test]
fn status_shows_phases_from_when_on_keys_may_be_shown_and_what_ends() {
    let place = place(vec![json!(rolling())], 0, "");
    let out = place.run(&["cert", "status", "eu-1"]).ends(0).out;
    assert_eq!(asked(&place), Request::Do(Asked::Cert(CertRequest::Status { pool: Some("eu-1".to_owned()) })));
    assert!(out.contains("pool eu-1    rolling    serving snapshot 7    12 tenants"), "{out}");
    let line = |word: &str| {
        let found = out.lines().find(|line| line.starts_with(word));
        found.unwrap_or_else(|| unreachable!("{word} is not in\n{out}")).to_owned()
    };
    assert!(line("1111111111111111").contains("retiring") && line("1111111111111111").contains("192.0.2.1"), "{out}");
    assert!(
        line("3333333333333333").contains("next, rumoured") && line("3333333333333333").contains("in 3 d"),
        "{out}"
    );
    assert!(line("../certs/eu-1.pem").contains("in 10 d"), "{out}");
    assert!(out.contains("until 2026-11-24 09:00 UTC") && out.contains("key 11111111 is served no more"), "{out}");
    assert_eq!(place.run(&["-o", "json", "cert", "status"]).ends(0).object(), json!(rolling()));
    assert_eq!(asked(&place), Request::Do(Asked::Cert(CertRequest::Status { pool: None })));
}

#[test]
fn status_ends_with_1_where_a_person_must_act() {
    let story = Story { must: vec!["repair that host".to_owned()], ..rolling().story };
    let must = CertInfo { story, ..rolling() };
    let out = place(vec![json!(must)], 0, "").run(&["cert", "status"]).ends(1).out;
    assert!(out.contains("repair that host"), "{out}");
    let place = place(Vec::new(), 1, "there is no such pool");
    place.world().pools = vec![PoolInfo { pool: "eu-1".to_owned(), ..PoolInfo::default() }];
    let err = place.run(&["cert", "status", "eu-2"]).ends(1).err;
    assert!(err.contains("no pool `eu-2`") && err.contains("`eu-1`"), "{err}");
}

#[test]
fn a_permit_that_is_not_given_ends_with_4_and_says_from_when_on_it_is() {
    let refused = PermitInfo {
        pool: "eu-1".to_owned(),
        spki: spki("3"),
        at: Some(NOW + 3 * DAY),
        why: "not all caches know key 33333333".to_owned(),
        ..PermitInfo::default()
    };
    let place = place(vec![json!(refused)], 4, &refused.why);
    let ran = place.run(&["cert", "permit", "eu-1", "--key", &spki("3")]).ends(4);
    assert!(
        ran.out.is_empty() && ran.err.contains("not all caches know") && ran.err.contains("2026-11-25"),
        "{}",
        ran.err
    );
    let wanted = Request::Do(Asked::Cert(CertRequest::Permit {
        pool: "eu-1".to_owned(),
        spki: spki("3"),
        emergency: false,
        dry_run: false,
    }));
    assert_eq!(asked(&place), wanted);
    let ran = place.run(&["-o", "json", "cert", "permit", "eu-1", "--key", &spki("3"), "--dry-run"]).ends(4);
    assert_eq!(ran.object(), json!(refused));
    assert!(matches!(asked(&place), Request::Do(Asked::Cert(CertRequest::Permit { dry_run: true, .. }))));
}

#[test]
fn a_permit_by_certificate_asks_for_the_key_in_it() {
    let granted = PermitInfo {
        pool: "eu-1".to_owned(),
        spki: spki("2"),
        granted: true,
        until: Some(NOW),
        ..PermitInfo::default()
    };
    let place = place(vec![json!(granted)], 0, "");
    let key = certificate(&place);
    let out = place.run(&["cert", "permit", "eu-1", "--certificate", "next.pem", "--emergency"]).ends(0).out;
    assert!(out.starts_with("yes: hosts of pool eu-1 may be given key 22222222 until 2026-11-22 09:00"), "{out}");
    let spki = key.spki().to_string();
    assert_eq!(
        asked(&place),
        Request::Do(Asked::Cert(CertRequest::Permit {
            pool: "eu-1".to_owned(),
            spki,
            emergency: true,
            dry_run: false
        }))
    );
    place.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    let ran = place.run(&["cert", "permit", "eu-1", "--certificate", "broken.pem"]).ends(1);
    assert!(ran.err.contains("broken.pem cannot be used") && place.world().asked.is_empty(), "{}", ran.err);
    place.run(&["cert", "permit", "eu-1"]).ends(2);
}

#[test]
fn a_request_goes_to_a_file_or_to_standard_output() {
    let info = CsrInfo {
        pool: "eu-1".to_owned(),
        spki: spki("3"),
        kind: CertKeyKind::EcdsaP256,
        names: vec!["*.a-v1.mx.example".to_owned()],
        pem: "-----BEGIN CERTIFICATE REQUEST-----\n".to_owned(),
        ready_at: None,
    };
    let place = place(vec![json!(info)], 0, "");
    assert_eq!(place.run(&["cert", "csr", "eu-1"]).ends(0).out, info.pem);
    let out =
        place.run(&["cert", "csr", "eu-1", "--kind", "rsa", "--name", "mx.example", "--out", "n.csr"]).ends(0).out;
    assert!(out.contains("once its TLSA was seen to be served") && out.contains("mxseal cert rotate eu-1"), "{out}");
    assert_eq!(place.read("n.csr"), Some(info.pem.clone()));
    let names = vec!["mx.example".to_owned()];
    let wanted = Request::Do(Asked::Cert(CertRequest::Csr {
        pool: "eu-1".to_owned(),
        kind: Some("rsa".to_owned()),
        names,
        self_signed: None,
    }));
    assert_eq!(asked(&place), wanted);
    assert_eq!(place.run(&["-o", "json", "cert", "csr", "eu-1"]).ends(0).object(), json!(info));
    place.run(&["cert", "csr", "eu-1", "--out", "nowhere/n.csr"]).ends(1).says_help();
}

impl crate::fake::Ran {
    /// An error names what to do.
    fn says_help(self) {
        assert!(self.err.contains("make it, or name another"), "{}", self.err);
    }
}

#[test]
fn a_private_key_is_brought_in_and_nothing_else_is() {
    let place = place(vec![json!(rolling())], 0, "");
    let key = certificate(&place);
    let out = place.run(&["cert", "stage", "eu-1", "--key", "next.key", "--dry-run"]).ends(0).out;
    assert!(out.starts_with("Nothing was changed.") && !out.contains("PRIVATE"), "{out}");
    let secret = SecretText(key.pem().to_owned());
    assert_eq!(
        asked(&place),
        Request::Do(Asked::Cert(CertRequest::Stage { pool: "eu-1".to_owned(), key: secret, dry_run: true }))
    );
    let ran = place.run(&["cert", "stage", "eu-1", "--key", "next.pem"]).ends(1);
    assert!(ran.err.contains("next.pem cannot be used") && place.world().asked.is_empty(), "{}", ran.err);
}

#[test]
fn a_key_is_given_up_and_a_doubt_ended_with_a_reason() {
    let place = place(vec![json!(rolling())], 0, "");
    place.run(&["cert", "drop", "eu-1", "--key", &spki("1"), "--emergency", "--reason", "stolen"]).ends(0);
    let wanted = Request::Do(Asked::Cert(CertRequest::Drop {
        pool: "eu-1".to_owned(),
        spki: spki("1"),
        emergency: true,
        back: false,
        reason: "stolen".to_owned(),
        dry_run: false,
    }));
    assert_eq!(asked(&place), wanted);
    place.run(&["cert", "adopt", "eu-1", "--key", &spki("2"), "--reason", "mine", "--dry-run"]).ends(0);
    let (pool, reason) = ("eu-1".to_owned(), "mine".to_owned());
    assert_eq!(
        asked(&place),
        Request::Do(Asked::Cert(CertRequest::Adopt { pool, spki: spki("2"), reason, dry_run: true }))
    );
    place.run(&["cert", "resume", "eu-1", "--reason", "compared", "--dry-run"]).ends(0);
    let reason = "compared".to_owned();
    assert_eq!(
        asked(&place),
        Request::Do(Asked::Cert(CertRequest::Resume { pool: "eu-1".to_owned(), reason, dry_run: true }))
    );
}

#[test]
fn the_calendar_is_a_table_json_and_a_picture() {
    let step = PlannedStep {
        at: NOW + 2 * DAY,
        verb: Verb::Withdraw,
        text: "TLSA of key 11111111 is served no more".to_owned(),
        assumes: String::new(),
    };
    let phases = vec![(NOW, KeyPhase::Retiring), (NOW + 2 * DAY, KeyPhase::Removed)];
    let calendar = Calendar {
        from: NOW,
        until: NOW + 30 * DAY,
        steps: vec![step],
        bars: vec![CertBar { spki: Some(spki("1")), kind: CertKeyKind::EcdsaP256, phases }],
        blockers: Vec::new(),
    };
    let plan = CertPlan { pool: "eu-1".to_owned(), calendar };
    let place = place(vec![json!(plan)], 0, "");
    let out = place.run(&["cert", "plan", "eu-1", "--days", "30"]).ends(0).out;
    assert!(out.contains("TLSA of key 11111111 is served no more") && out.contains("2026-11-24"), "{out}");
    let asked: Vec<Request> = place.world().asked.drain(..).collect();
    assert!(
        asked.contains(&Request::Do(Asked::Cert(CertRequest::Plan { pool: Some("eu-1".to_owned()), days: 30 }))),
        "{asked:?}"
    );
    assert_eq!(place.run(&["-o", "json", "cert", "plan", "eu-1"]).ends(0).objects()[0], json!(plan));
    let picture = place.run(&["cert", "plan", "eu-1", "--svg", "-"]).ends(0).out;
    assert!(picture.starts_with("<svg") && picture.contains("11111111"), "{picture}");
}

/// A server whose hosts are not as `next.pem` wants them yet; `more` goes into the configuration.
fn rotating(more: &str, host: HostInfo) -> Place {
    let info = CertInfo { hosts: vec![host], ..rolling() };
    let place = place(vec![json!(info)], 0, "");
    place.write("mxseal.toml", &format!("version = 1\n[pool.\"eu-1\"]\nwebpki = false\n{more}"));
    place
}

#[test]
fn a_rotation_is_refused_before_anything_is_asked_of_hosts_where_the_certificate_does_not_fit() {
    let place = rotating("deploy = [\"/bin/false\", \"{certificate}\"]\n", HostInfo::default());
    certificate(&place);
    let err = place.run(&["cert", "rotate", "eu-1", "--certificate", "next.pem", "--dry-run"]).ends(4).err;
    assert!(err.contains("whose TLSA pool eu-1 does not serve") && err.contains("mxseal cert csr eu-1"), "{err}");
    let permits = |request: &&Request| matches!(request, Request::Do(Asked::Cert(CertRequest::Permit { .. })));
    assert_eq!(place.world().asked.iter().filter(permits).count(), 0, "no permit is used up");
    let ran = place.run(&["cert", "rotate", "eu-1", "--certificate", "missing.pem"]).ends(1);
    assert!(ran.err.contains("missing.pem cannot be read"), "{}", ran.err);
}

#[test]
fn hosts_are_shown_with_what_they_show() {
    let shown = ShownInfo { class: CertKeyClass::Ecdsa, spki: Some(spki("2")), ..ShownInfo::default() };
    let host = |address: &str, state: HostStanding, fault: &str| HostInfo {
        address: address.to_owned(),
        state,
        looked_at: Some(NOW),
        fault: fault.to_owned(),
        shows: if fault.is_empty() { vec![shown.clone()] } else { Vec::new() },
        matches: fault.is_empty(),
        ..HostInfo::default()
    };
    let life = CertInfo {
        hosts: vec![
            host("192.0.2.25", HostStanding::Served, ""),
            host("192.0.2.26", HostStanding::Drained, "it offers no STARTTLS"),
        ],
        ..rolling()
    };
    let place = Place::new();
    place.world().pools =
        vec![PoolInfo { pool: "eu-1".to_owned(), state: PoolStanding::Served, life: Some(life), ..Default::default() }];
    let out = place.run(&["pool", "show", "eu-1"]).out;
    let line = |word: &str| out.lines().find(|line| line.contains(word)).unwrap_or_default().to_owned();
    assert!(line("192.0.2.25").contains("served") && line("192.0.2.25").contains("2222222"), "{out}");
    assert!(line("192.0.2.26").contains("drained") && line("192.0.2.26").contains("no STARTTLS"), "{out}");
}

#[test]
fn tlsa_of_files_need_no_server_and_no_key_is_ever_printed() {
    let place = Place::without_server();
    let key = certificate(&place);
    let tlsa = format!("3 1 1 {}", key.spki());
    assert!(place.run(&["cert", "tlsa", "next.pem"]).ends(0).out.starts_with(&tlsa));
    let ran = place.run(&["cert", "tlsa", "next.key", "--name", "x.mx.example."]).ends(0);
    assert_eq!(ran.out, format!("_25._tcp.x.mx.example. IN TLSA {tlsa}\n"));
    assert_eq!(place.run(&["-o", "json", "cert", "tlsa", "next.pem"]).ends(0).object()["tlsa"], json!(tlsa));
    place.write("empty.pem", "");
    assert!(place.run(&["cert", "tlsa", "empty.pem"]).ends(1).err.contains("empty.pem cannot be used"));
    place.run(&["cert", "tlsa", "none.pem"]).ends(2);
}
