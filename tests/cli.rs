//! The command line against a fake server: what is printed, how each command ends, and which files it writes.

#[path = "cli/certs.rs"]
mod certs;
#[path = "fake/fake.rs"]
mod fake;
#[path = "cli/keys.rs"]
mod keys;

use fake::{Place, Ran, tenant, zone};
use mxseal::protocol::request::{Command as Asked, ServerRequest, TenantRequest, ViewRequest};
use mxseal::protocol::{
    Explained, Finding, FindingSeverity, Line, PoolInfo, PoolStanding, Request, TenantFilter, TenantStanding,
    ZoneStanding,
};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

fn finding(severity: FindingSeverity, message: &str) -> Finding {
    Finding {
        severity,
        code: "MX4001".to_owned(),
        place: "zones/a-v1.mx.example/x.toml:3:4".to_owned(),
        message: message.to_owned(),
        help: "write it anew".to_owned(),
    }
}

/// A place with two shards, their parent, an unsigned zone, one pool and two tenants.
fn place() -> Place {
    let place = Place::new();
    {
        let mut world = place.world();
        world.status.version = "9.9.9".to_owned();
        world.status.pid = 4242;
        world.status.started = 1_795_338_000;
        world.status.snapshot = 48_213;
        world.status.listen = vec!["127.0.0.1:5300".to_owned()];
        world.status.zones = vec![
            zone("a-v1.mx.example.", 2, true, Some("mx.example.")),
            zone("b-v1.mx.example.", 1, true, Some("mx.example.")),
            zone("mail.example.", 0, false, None),
            zone("mx.example.", 0, true, None),
        ];
        world.pools = vec![PoolInfo {
            pool: "eu-1".to_owned(),
            state: PoolStanding::Served,
            addresses: vec!["192.0.2.25".to_owned()],
            tlsa: vec!["3 1 1 aa".to_owned()],
            tenants: 2,
            source: "zones/pools.toml:1".to_owned(),
            ..PoolInfo::default()
        }];
        world.tenants = vec![
            tenant("contoso.com", "a-v1.mx.example.", "zones/a-v1.mx.example/contoso.com.toml:1"),
            tenant("fabrikam.com", "a-v1.mx.example.", "zones/a-v1.mx.example/bulk.ndjson:2"),
        ];
    }
    place
}

fn broken(place: &Place, domain: &str) {
    let mut world = place.world();
    let tenant = world.tenants.iter_mut().find(|tenant| tenant.domain == domain).expect("it is there");
    tenant.state = TenantStanding::LastGood;
    tenant.reasons = vec!["pool `x` does not exist".to_owned()];
}

// --- lists and single things ---

#[test]
fn status_fits_one_screen_and_is_one_json_object() {
    let place = place();
    let ran = place.run(&["status"]).ends(0);
    for part in ["9.9.9, pid 4242", "2026-11-22 09:00:00 UTC", "48213", "ready", "127.0.0.1:5300", "a-v1.mx.example."] {
        assert!(ran.out.contains(part), "{part} is not in\n{}", ran.out);
    }
    assert!(ran.out.lines().count() <= 24, "{}", ran.out);
    let object = place.run(&["-o", "json", "status"]).ends(0).object();
    assert_eq!(object["started"], 1_795_338_000u64);
    assert_eq!(object["zones"].as_array().map(Vec::len), Some(4));
}

#[test]
fn status_says_what_is_not_ready_and_ends_with_1_where_there_are_errors() {
    let place = place();
    place.world().status.not_ready = vec!["zone mx.example. has no keys".to_owned()];
    place.world().status.findings = vec![finding(FindingSeverity::Warning, "the TTL is long")];
    let ran = place.run(&["status"]).ends(0);
    assert!(ran.out.contains("not ready") && ran.out.contains("zone mx.example. has no keys"), "{}", ran.out);
    assert!(
        ran.out.contains("warning[MX4001]: the TTL is long\n  --> zones/a-v1.mx.example/x.toml:3:4"),
        "{}",
        ran.out
    );
    place.world().status.findings.push(finding(FindingSeverity::Error, "the pool is gone"));
    let ran = place.run(&["status"]).ends(1);
    assert!(ran.out.find("error[MX4001]") < ran.out.find("warning[MX4001]"), "errors come first: {}", ran.out);
    place.run(&["status", "-o", "json"]).ends(1);
}

#[test]
fn zones_are_listed_with_their_state() {
    let place = place();
    place.world().status.zones[1].state = ZoneStanding::Frozen;
    let ran = place.run(&["zone", "list"]).ends(0);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 5, "{}", ran.out);
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>(),
        ["zone", "signed", "state", "tenants", "broken", "held"]
    );
    assert!(lines[2].contains("b-v1.mx.example.") && lines[2].contains("frozen"));
    let objects = place.run(&["zone", "list", "-o", "json"]).ends(0).objects();
    assert_eq!(objects.len(), 4, "a list has one object a line and no count line");
    assert_eq!(objects[3]["zone"], "mx.example.");
}

#[test]
fn a_zone_is_shown_with_what_is_wrong_with_it() {
    let place = place();
    let ran = place.run(&["zone", "show", "A-v1.mx.example"]).ends(0);
    assert!(ran.out.contains("12345") && ran.out.contains("IN DS") && ran.out.contains("mx.example."), "{}", ran.out);
    place.world().zone_findings = vec![finding(FindingSeverity::Error, "line 3 is no record")];
    assert!(place.run(&["zone", "show", "a-v1.mx.example."]).ends(1).out.contains("line 3 is no record"));
    let object = place.run(&["zone", "show", "a-v1.mx.example", "-o", "json"]).ends(1).object();
    assert_eq!(object["zone"], "a-v1.mx.example.");
    assert_eq!(object["findings"][0]["code"], "MX4001");
}

#[test]
fn an_unknown_zone_is_answered_with_the_nearest() {
    let ran = place().run(&["zone", "show", "a-v2.mx.example"]).ends(1);
    assert!(ran.err.contains("a-v2.mx.example is not served here"), "{}", ran.err);
    assert!(ran.err.contains("did you mean `a-v1.mx.example`?"), "{}", ran.err);
}

#[test]
fn zone_ds_prints_the_ds_and_nothing_else() {
    let place = place();
    let ran = place.run(&["zone", "ds", "mx.example"]).ends(0);
    assert_eq!(ran.out, "mx.example. 3600 IN DS 12345 13 2 AABB\n");
    assert_eq!(ran.err, "");
    let object = place.run(&["zone", "ds", "mx.example", "-o", "json"]).ends(0).object();
    assert_eq!(object, json!({ "zone": "mx.example.", "ds": "mx.example. 3600 IN DS 12345 13 2 AABB" }));
    assert!(place.run(&["zone", "ds", "mail.example"]).ends(1).err.contains("has no DS"));
}

#[test]
fn tenants_are_listed_also_broken_ones_with_their_reason() {
    let place = place();
    broken(&place, "fabrikam.com");
    let ran = place.run(&["tenant", "list"]).ends(0);
    assert_eq!(ran.out.lines().count(), 3, "{}", ran.out);
    assert!(ran.out.contains("last good") && ran.out.contains("pool `x` does not exist"), "{}", ran.out);
    let objects = place.run(&["tenant", "list", "-o", "json"]).ends(0).objects();
    assert_eq!(objects.len(), 2);
    assert_eq!(objects[1]["reasons"][0], "pool `x` does not exist");
    place.run(&["tenant", "list", "--broken", "--zone", "A-v1.mx.example"]).ends(0);
    let asked = TenantFilter { zone: Some("a-v1.mx.example.".to_owned()), broken: true, ..TenantFilter::default() };
    assert_eq!(place.world().asked.last(), Some(&Request::View(ViewRequest::TenantList(asked))));
}

#[test]
fn tenants_are_found_by_a_part_of_their_names_and_by_pool_and_counted() {
    let place = place();
    place.world().tenants[1].pool = Some("us-1".to_owned());
    let second = PoolInfo { pool: "us-1".to_owned(), ..PoolInfo::default() };
    place.world().pools.push(second);
    let shown = |args: &[&str]| {
        let objects = place.run(&[&["tenant", "list", "-o", "json"], args].concat()).ends(0).objects();
        objects.iter().map(|object| object["domain"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(shown(&["FABRI"]), ["fabrikam.com"]);
    assert_eq!(shown(&["contoso-com.a"]), ["contoso.com"], "a part of the endpoint");
    assert_eq!(shown(&["--pool", "us-1"]), ["fabrikam.com"]);
    assert_eq!(shown(&["contoso", "--pool", "us-1"]), [""; 0]);
    assert_eq!(place.run(&["tenant", "list", "--count"]).ends(0).out, "2\n");
    assert_eq!(place.run(&["tenant", "list", "no", "--count", "-o", "json"]).ends(0).object(), json!({ "count": 0 }));
    let ran = place.run(&["tenant", "list", "--pool", "eu1"]).ends(1);
    assert!(ran.err.contains("there is no pool `eu1`") && ran.err.contains("did you mean `"), "{}", ran.err);
}

#[test]
fn a_tenant_is_found_by_its_endpoint_as_a_log_has_it() {
    let place = with_files();
    let endpoint = "contoso-com.a-v1.mx.example";
    for text in [
        endpoint,
        "CONTOSO-com.A-v1.mx.example.",
        "_25._tcp.contoso-com.a-v1.mx.example",
        "_465._TCP.contoso-com.a-v1.mx.example.",
    ] {
        assert_eq!(
            place.run(&["tenant", "show", text, "-o", "json"]).ends(0).object()["domain"],
            "contoso.com",
            "{text}"
        );
    }
    assert!(place.run(&["tenant", "mx", endpoint]).ends(0).out.starts_with("contoso.com. 3600 IN MX 0 "));
    let ran = place.run(&["tenant", "add", endpoint, "--pool", "eu-1"]).ends(1);
    assert!(ran.err.contains("is the endpoint of tenant contoso.com"), "{}", ran.err);
    assert!(place.run(&["tenant", "rm", endpoint]).ends(0).out.contains("contoso.com is gone"));
    let ran = place.run(&["tenant", "rm", "nobody.example"]).ends(1);
    assert!(ran.err.contains("mxseal tenant list nobody") && !ran.err.contains("tenant add"), "{}", ran.err);
}

#[test]
fn an_empty_list_prints_nothing() {
    let place = place();
    place.world().tenants.clear();
    for form in ["table", "json"] {
        assert_eq!(place.run(&["tenant", "list", "-o", form]).ends(0).out, "");
    }
}

#[test]
fn a_long_list_has_one_heading() {
    let place = place();
    place.world().tenants = (0..2500).map(|n| tenant(&format!("t{n}.example"), "a-v1.mx.example.", "x:1")).collect();
    let ran = place.run(&["tenant", "list"]).ends(0);
    assert_eq!(ran.out.lines().count(), 2501);
    assert_eq!(ran.out.lines().filter(|line| line.starts_with("domain ")).count(), 1);
}

#[test]
fn a_tenant_is_shown_by_any_spelling_of_its_domain() {
    let place = place();
    place.world().tenants.push(tenant("xn--zrich-kva.example", "b-v1.mx.example.", "x:1"));
    let ran = place.run(&["tenant", "show", "Zürich.example."]).ends(0);
    assert!(ran.out.contains("xn--zrich-kva-example.b-v1.mx.example."), "{}", ran.out);
    let object = place.run(&["tenant", "show", "CONTOSO.com", "-o", "json"]).ends(0).object();
    assert_eq!(object["zone"], "a-v1.mx.example.");
    broken(&place, "contoso.com");
    assert!(place.run(&["tenant", "show", "contoso.com"]).ends(1).out.contains("pool `x` does not exist"));
}

#[test]
fn an_unknown_tenant_is_a_failure_and_a_wrong_domain_a_wrong_argument() {
    let place = place();
    for verb in ["show", "mx", "rm"] {
        let ran = place.run(&["tenant", verb, "nobody.example"]).ends(1);
        assert!(ran.err.contains("there is no tenant nobody.example"), "{}", ran.err);
        place.run(&["tenant", verb, "no domain"]).ends(2);
    }
    place.run(&["tenant", "add", "a..b", "--pool", "eu-1"]).ends(2);
}

#[test]
fn tenant_mx_prints_the_record_and_nothing_else() {
    let place = place();
    let ran = place.run(&["tenant", "mx", "contoso.com"]).ends(0);
    assert_eq!(ran.out, "contoso.com. 3600 IN MX 0 contoso-com.a-v1.mx.example.\n");
    let object = place.run(&["tenant", "mx", "contoso.com", "-o", "json"]).ends(0).object();
    assert_eq!(
        object,
        json!({
            "domain": "contoso.com", "mx": "contoso.com. 3600 IN MX 0 contoso-com.a-v1.mx.example.",
            "preference": 0, "ttl": 3600, "endpoint": "contoso-com.a-v1.mx.example.",
        })
    );
    place.world().tenants[0].state = TenantStanding::Broken;
    assert!(place.run(&["tenant", "mx", "contoso.com"]).ends(1).err.contains("is not served"));
}

#[test]
fn pools_are_listed_and_shown() {
    let place = place();
    assert!(place.run(&["pool", "list"]).ends(0).out.contains("eu-1"));
    assert_eq!(place.run(&["pool", "list", "-o", "json"]).ends(0).object()["tenants"], 2);
    assert!(place.run(&["pool", "show", "eu-1"]).ends(0).out.contains("3 1 1 aa"));
    assert_eq!(place.run(&["pool", "show", "eu-1", "-o", "json"]).ends(0).object()["addresses"][0], "192.0.2.25");
    let ran = place.run(&["pool", "show", "eu1"]).ends(1);
    assert!(ran.err.contains("there is no pool `eu1`") && ran.err.contains("did you mean `eu-1`?"), "{}", ran.err);
    place.world().pools[0].reasons = vec!["its certificate has expired".to_owned()];
    assert!(place.run(&["pool", "show", "eu-1"]).ends(1).out.contains("its certificate has expired"));
}

fn explained() -> Explained {
    Explained {
        name: "mx.example.".to_owned(),
        rtype: "SOA".to_owned(),
        rcode: "NOERROR".to_owned(),
        why: "the zone has it".to_owned(),
        records: vec![
            ("authority".to_owned(), "mx.example. 3600 IN NS ns.example.".to_owned()),
            ("answer".to_owned(), "mx.example. 3600 IN SOA ns.example. x.example. 1 1 1 1 1".to_owned()),
        ],
        octets: 312,
        octets_max: 1232,
        zone: Some("mx.example.".to_owned()),
        key: Some(12_345),
        signed_from: Some(1_795_338_000),
        signed_until: Some(4_102_444_800),
        refresh_at: Some(4_102_358_400),
        source: Some("zones/mx.example.zone:1".to_owned()),
    }
}

#[test]
fn explain_shows_records_by_section_sizes_key_and_windows() {
    let place = place();
    place.world().explained = Some(explained());
    let ran = place.run(&["explain", "MX.example", "soa"]).ends(0);
    for part in [
        "mx.example. SOA",
        "NOERROR",
        "312 of 1232 octets",
        "12345",
        "2026-11-22 09:00:00 UTC",
        "2100-01-01 00:00:00 UTC (",
        " left)",
        "zones/mx.example.zone:1",
    ] {
        assert!(ran.out.contains(part), "{part} is not in\n{}", ran.out);
    }
    assert!(ran.out.find("\nanswer\n") < ran.out.find("\nauthority\n"), "{}", ran.out);
    let asked = Request::View(ViewRequest::Explain { name: "mx.example.".to_owned(), rtype: "SOA".to_owned() });
    assert_eq!(place.world().asked.last(), Some(&asked));
    assert_eq!(place.run(&["explain", "mx.example", "SOA", "-o", "json"]).ends(0).object()["octets"], 312);
    place.world().explained = None;
    assert!(place.run(&["explain", "mx.example", "NOPE"]).ends(1).err.contains("no such type"));
    place.run(&["explain", "a..b", "A"]).ends(2);
}

// --- reload ---

#[test]
fn reload_tells_the_new_snapshot() {
    let place = place();
    assert_eq!(place.run(&["reload"]).ends(0).out, "reloaded: snapshot 48213 answers\n");
    assert_eq!(place.run(&["reload", "-o", "json"]).ends(0).object(), json!({ "reloaded": true, "snapshot": 48_213 }));
    assert!(place.world().asked.contains(&Request::from(ServerRequest::Reload { allow_shrink: false })));
}

#[test]
fn reload_prints_findings_and_ends_with_1_where_there_are_errors() {
    let place = place();
    place.world().reload = (vec![finding(FindingSeverity::Error, "the pool is gone")], 1, "1 error".to_owned());
    let ran = place.run(&["reload"]).ends(1);
    assert!(ran.out.starts_with("error[MX4001]: the pool is gone"), "{}", ran.out);
    assert_eq!(place.run(&["reload", "-o", "json"]).ends(1).object()["message"], "the pool is gone");
    place.world().reload = (vec![finding(FindingSeverity::Warning, "the TTL is long")], 0, String::new());
    assert!(place.run(&["reload"]).ends(0).out.contains("warning[MX4001]"));
    place.world().reload = (Vec::new(), 1, "the disk is full".to_owned());
    assert!(place.run(&["reload"]).ends(1).err.contains("the disk is full"));
}

#[test]
fn a_held_removal_is_exit_4_with_zone_counts_and_the_way_out() {
    let place = place();
    place.world().reload = (Vec::new(), 4, "held".to_owned());
    place.world().status.zones[0].held = 230;
    place.world().status.zones[0].tenants = 1000;
    let ran = place.run(&["reload"]).ends(4);
    assert!(ran.err.contains("a-v1.mx.example. (removes 230 of 1000 tenants)"), "{}", ran.err);
    assert!(ran.err.contains("--allow-shrink"), "{}", ran.err);
    assert_eq!(place.run(&["reload", "-o", "json"]).ends(4).error()["exit"], 4);
    place.run(&["reload", "--allow-shrink"]).ends(4);
    assert!(place.world().asked.contains(&Request::from(ServerRequest::Reload { allow_shrink: true })));
}

#[test]
fn a_refusal_that_is_no_removal_is_not_told_to_allow_removals() {
    let place = place();
    let refused = "`signed = false` for a-v1.mx.example, but it has keys";
    place.world().reload = (vec![finding(FindingSeverity::Error, refused)], 4, refused.to_owned());
    let ran = place.run(&["reload"]).ends(4);
    assert!(ran.err.contains(refused) && !ran.err.contains("--allow-shrink"), "{}", ran.err);
}

// --- tenant add ---

const NEW: &str = "zones/b-v1.mx.example/northwind.example.toml";

#[test]
fn add_writes_the_file_of_the_emptiest_shard_waits_and_prints_the_mx() {
    let place = place();
    let ran = place.run(&["tenant", "add", "Northwind.example.", "--pool", "eu-1"]).ends(0);
    let text = place.read(NEW).expect("it is written");
    assert_eq!(text, "domain = \"northwind.example\"\npool = \"eu-1\"\n");
    let mode = std::fs::metadata(place.path(NEW)).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    assert_eq!(place.files("zones/b-v1.mx.example"), ["northwind.example.toml"], "nothing is left beside it");
    assert!(ran.out.contains("northwind.example. 3600 IN MX 0 northwind-example.b-v1.mx.example."), "{}", ran.out);
    let waited = Request::Do(Asked::Tenant(TenantRequest::Wait {
        domain: "northwind.example".to_owned(),
        zone: "b-v1.mx.example.".to_owned(),
        present: true,
        seconds: 10,
    }));
    assert!(place.world().asked.contains(&waited));
}

#[test]
fn add_in_json_is_the_mx_record_with_zone_and_file() {
    let place = place();
    let args =
        ["tenant", "add", "northwind.example", "--pool", "eu-1", "--zone", "A-v1.mx.example", "--endpoint", "nw"];
    let object = place.run(&[&args[..], &["-o", "json"]].concat()).ends(0).object();
    assert_eq!(object["endpoint"], "nw.a-v1.mx.example.");
    assert_eq!(object["preference"], 0);
    assert_eq!(object["zone"], "a-v1.mx.example.");
    assert_eq!(object["file"], "zones/a-v1.mx.example/northwind.example.toml");
    let text = place.read("zones/a-v1.mx.example/northwind.example.toml").expect("it is written");
    assert!(text.contains("endpoint = \"nw\""), "{text}");
}

#[test]
fn a_dry_run_prints_the_same_file_and_writes_nothing() {
    let place = place();
    let args = ["tenant", "add", "northwind.example", "--pool", "eu-1", "--dry-run"];
    let ran = place.run(&args).ends(0);
    assert!(ran.out.contains(NEW) && ran.out.contains("  pool = \"eu-1\""), "{}", ran.out);
    let object = place.run(&[&args[..], &["-o", "json"]].concat()).ends(0).object();
    assert_eq!(object["text"], "domain = \"northwind.example\"\npool = \"eu-1\"\n");
    assert_eq!(object["dry_run"], true);
    assert!(!place.path("zones/b-v1.mx.example").exists());
}

#[test]
fn add_refuses_a_tenant_of_any_zone_and_says_where_it_is() {
    let place = place();
    let ran = place.run(&["tenant", "add", "contoso.com", "--pool", "eu-1"]).ends(1);
    assert!(ran.err.contains("a-v1.mx.example."), "{}", ran.err);
    assert!(ran.err.contains("zones/a-v1.mx.example/contoso.com.toml:1"), "{}", ran.err);
    assert!(place.files("zones").is_empty());
}

#[test]
fn add_names_the_nearest_pool_and_zone_and_refuses_a_broken_pool_and_a_wrong_endpoint() {
    let place = place();
    let base = ["tenant", "add", "northwind.example", "--pool"];
    let ran = place.run(&[&base[..], &["eu_1"]].concat()).ends(1);
    assert!(ran.err.contains("did you mean `eu-1`?"), "{}", ran.err);
    let ran = place.run(&[&base[..], &["eu-1", "--zone", "b-v1.mx.exmple"]].concat()).ends(1);
    assert!(ran.err.contains("did you mean `b-v1.mx.example`?"), "{}", ran.err);
    place.run(&[&base[..], &["eu-1", "--endpoint", "two.labels"]].concat()).ends(2);
    place.world().pools[0].state = PoolStanding::Broken;
    place.world().pools[0].reasons = vec!["no addresses".to_owned()];
    assert!(place.run(&[&base[..], &["eu-1"]].concat()).ends(1).err.contains("no addresses"));
    assert!(place.files("zones").is_empty());
}

#[test]
fn add_never_overwrites_a_file() {
    let place = place();
    place.write(NEW, "broken");
    let ran = place.run(&["tenant", "add", "northwind.example", "--pool", "eu-1"]).ends(1);
    assert!(ran.err.contains("is there already"), "{}", ran.err);
    assert_eq!(place.read(NEW).as_deref(), Some("broken"));
    assert_eq!(place.files("zones/b-v1.mx.example"), ["northwind.example.toml"]);
}

#[test]
fn add_without_a_server_writes_nothing() {
    let place = Place::without_server();
    place.run(&["tenant", "add", "northwind.example", "--pool", "eu-1"]).ends(3);
    assert!(place.files("zones").is_empty());
}

#[test]
fn add_that_is_not_served_in_time_is_exit_5_and_says_where_to_look() {
    let place = place();
    place.world().wait = Some((5, "not yet".to_owned()));
    let ran = place.run(&["tenant", "add", "northwind.example", "--pool", "eu-1", "--timeout", "2s"]).ends(5);
    assert!(ran.err.contains("not served after 2s"), "{}", ran.err);
    assert!(ran.err.contains(NEW) && ran.err.contains("mxseal status"), "{}", ran.err);
    assert!(place.path(NEW).exists());
}

#[test]
fn add_of_what_the_server_finds_broken_is_exit_1_with_the_reasons() {
    let place = place();
    place.world().wait = Some((1, "the endpoint is taken by north-wind.example".to_owned()));
    let ran = place.run(&["tenant", "add", "northwind.example", "--pool", "eu-1"]).ends(1);
    assert!(ran.err.contains("the endpoint is taken by north-wind.example"), "{}", ran.err);
    assert!(ran.err.contains("was removed again"), "{}", ran.err);
    assert!(!place.path(NEW).exists(), "the next try finds nothing in its way");
    place.world().wait = None;
    place.run(&["tenant", "add", "northwind.example", "--pool", "eu-1"]).ends(0);
}

#[test]
fn add_asks_first_whether_the_tenant_would_be_served_and_a_dry_run_says_the_same() {
    let place = place();
    place.world().refusal = Some("endpoint x is taken by x.toml:1 (x.example)".to_owned());
    let args = ["tenant", "add", "northwind.example", "--pool", "eu-1", "--endpoint", "x"];
    let real = place.run(&args).ends(1);
    let dry = place.run(&[&args[..], &["--dry-run"]].concat()).ends(1);
    assert_eq!(real.err, dry.err);
    assert!(dry.err.contains("is taken by x.toml:1") && dry.err.contains("nothing was written"), "{}", dry.err);
    assert!(place.files("zones").is_empty());
}

// --- tenant rm ---

const TOML: &str = "zones/a-v1.mx.example/contoso.com.toml";
const BULK: &str = "zones/a-v1.mx.example/bulk.ndjson";
const LINES: [&str; 3] = [
    "{\"domain\":\"a.example\",\"pool\":\"eu-1\"}\n",
    "{ \"domain\": \"Fabrikam.COM\", \"pool\": \"eu-1\" }\r\n",
    "{\"domain\":\"z.fabrikam.com\",\"pool\":\"eu-1\"}",
];

fn with_files() -> Place {
    let place = place();
    place.write(TOML, "domain = \"contoso.com\"\npool = \"eu-1\"\n");
    place.write(BULK, &LINES.concat());
    place
}

#[test]
fn rm_asks_for_permission_removes_the_file_and_waits() {
    let place = with_files();
    let ran = place.run(&["tenant", "rm", "contoso.com"]).ends(0);
    assert!(ran.out.contains("contoso.com is gone"), "{}", ran.out);
    assert!(!place.path(TOML).exists());
    let (domain, zone) = ("contoso.com".to_owned(), "a-v1.mx.example.".to_owned());
    let permit =
        Request::Do(Asked::Tenant(TenantRequest::PermitRemoval { domain: domain.clone(), zone: zone.clone() }));
    let wait = Request::Do(Asked::Tenant(TenantRequest::Wait { domain, zone, present: false, seconds: 10 }));
    assert!(place.world().asked.ends_with(&[permit, wait]), "{:?}", place.world().asked);
    assert!(place.world().file_at_permit, "the permission comes before the removal");
}

#[test]
fn rm_takes_one_line_out_of_an_ndjson_file_and_keeps_the_others_as_they_are() {
    let place = with_files();
    std::fs::set_permissions(place.path(BULK), PermissionsExt::from_mode(0o640)).expect("it is ours");
    let object = place.run(&["tenant", "rm", "fabrikam.com", "-o", "json"]).ends(0).object();
    assert_eq!(object["line"], 2);
    assert_eq!(place.read(BULK), Some(format!("{}{}", LINES[0], LINES[2])));
    let mode = std::fs::metadata(place.path(BULK)).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(place.files("zones/a-v1.mx.example"), ["bulk.ndjson", "contoso.com.toml"]);
}

#[test]
fn rm_of_the_last_tenant_of_an_ndjson_file_removes_it() {
    let place = with_files();
    place.write(BULK, &format!("\n{}", LINES[1]));
    place.run(&["tenant", "rm", "fabrikam.com"]).ends(0);
    assert!(!place.path(BULK).exists());
}

#[test]
fn a_dry_run_of_rm_changes_nothing() {
    let place = with_files();
    let ran = place.run(&["tenant", "rm", "fabrikam.com", "--dry-run"]).ends(0);
    assert!(ran.out.contains("would remove line 2 of"), "{}", ran.out);
    assert_eq!(
        place.run(&["tenant", "rm", "contoso.com", "--dry-run", "-o", "json"]).ends(0).object()["dry_run"],
        true
    );
    assert_eq!(place.read(BULK), Some(LINES.concat()));
    assert!(place.path(TOML).exists());
    let acted = |asked: &Request| {
        matches!(
            asked,
            Request::Do(Asked::Tenant(TenantRequest::PermitRemoval { .. }))
                | Request::Do(Asked::Tenant(TenantRequest::Wait { .. }))
        )
    };
    assert!(!place.world().asked.iter().any(acted));
}

#[test]
fn rm_never_touches_a_file_of_another_tenant_or_outside_the_zones_folder() {
    let place = with_files();
    place.write(TOML, "domain = \"other.example\"\npool = \"eu-1\"\n");
    assert!(place.run(&["tenant", "rm", "contoso.com"]).ends(1).err.contains("does not define contoso.com"));
    place.write("elsewhere/contoso.com.toml", "domain = \"contoso.com\"\npool = \"eu-1\"\n");
    for source in ["elsewhere/contoso.com.toml:1", "zones/../elsewhere/contoso.com.toml:1", "mxseal.toml:1"] {
        place.world().tenants[0].source = source.to_owned();
        assert!(place.run(&["tenant", "rm", "contoso.com"]).ends(1).err.contains("not in the zones folder"));
    }
    assert!(place.path("elsewhere/contoso.com.toml").exists() && place.path(TOML).exists());
}

#[test]
fn rm_works_on_a_broken_file_of_that_name() {
    let place = with_files();
    place.write(TOML, "domain = ");
    place.run(&["tenant", "rm", "contoso.com"]).ends(0);
    assert!(!place.path(TOML).exists());
}

#[test]
fn rm_of_a_tenant_of_two_zones_needs_the_zone() {
    let place = with_files();
    place.world().tenants.push(tenant("contoso.com", "b-v1.mx.example.", "zones/b-v1.mx.example/contoso.com.toml:1"));
    let ran = place.run(&["tenant", "rm", "contoso.com"]).ends(1);
    assert!(ran.err.contains("a-v1.mx.example, b-v1.mx.example") && ran.err.contains("--zone"), "{}", ran.err);
    place.run(&["tenant", "rm", "contoso.com", "--zone", "mx.example"]).ends(1);
    place.run(&["tenant", "rm", "contoso.com", "--zone", "a-v1.mx.example"]).ends(0);
}

#[test]
fn rm_removes_each_entry_of_a_zone_that_defines_the_tenant() {
    let place = with_files();
    let twice = format!("{}{}{}", LINES[0], "{\"domain\":\"contoso.com\",\"pool\":\"eu-1\"}\n".repeat(3), LINES[1]);
    place.write(BULK, &twice);
    for line in 2..5 {
        place.world().tenants.push(tenant("contoso.com", "a-v1.mx.example.", &format!("{BULK}:{line}")));
    }
    let ran = place.run(&["tenant", "rm", "contoso.com", "--dry-run"]).ends(0);
    assert!(ran.out.contains(&format!("line 2 of {BULK} and {TOML}")), "{}", ran.out);
    assert_eq!(place.read(BULK), Some(twice));
    let ran = place.run(&["tenant", "rm", "contoso.com"]).ends(0);
    assert!(ran.out.contains(&format!("removed line 4 of {BULK}")), "{}", ran.out);
    assert_eq!(place.read(BULK), Some(format!("{}{}", LINES[0], LINES[1])));
    assert!(!place.path(TOML).exists());
}

#[test]
fn rm_that_is_held_is_exit_4_and_one_that_lasts_is_exit_5() {
    let place = with_files();
    place.world().wait = Some((4, "the shrink guard holds the removal".to_owned()));
    assert!(place.run(&["tenant", "rm", "contoso.com"]).ends(4).err.contains("shrink guard"));
    place.world().wait = Some((5, String::new()));
    assert!(place.run(&["tenant", "rm", "fabrikam.com"]).ends(5).err.contains("not gone after 10s"));
}

// --- ends, errors, the terminal ---

#[test]
fn an_unreachable_server_is_exit_3_and_the_reasons_are_told_apart() {
    let place = Place::without_server();
    let ran = place.run(&["status"]).ends(3);
    assert!(ran.err.contains("keys/control.sock") && ran.err.contains("no such file"), "{}", ran.err);
    assert!(ran.err.contains("mxseal --config mxseal.toml serve"), "{}", ran.err);
    place.write("keys/control.sock", "");
    assert!(place.run(&["status"]).ends(3).err.contains("not a socket"));
    std::fs::remove_file(place.path("keys/control.sock")).expect("it is ours");
    drop(std::os::unix::net::UnixListener::bind(place.path("keys/control.sock")).expect("it can be bound"));
    assert!(place.run(&["status"]).ends(3).err.contains("no server listens"));
    let error = place.run(&["zone", "ds", "mx.example", "-o", "json"]).ends(3).error();
    assert_eq!(error["exit"], 3);
    assert!(error["error"].as_str().is_some_and(|text| text.contains("no server listens")));
}

#[test]
fn a_server_that_goes_away_is_exit_3_and_one_of_another_version_exit_1() {
    let place = place();
    place.world().raw = Some(format!("{}\n", line(&Line::Item(json!(zone("x.example.", 0, true, None))))));
    assert!(place.run(&["zone", "list"]).ends(3).err.contains("before its answer ended"));
    place.world().raw = Some("{\"item\":{\"zo".to_owned());
    place.run(&["zone", "list"]).ends(3);
    place.world().raw = Some("hello\n".to_owned());
    assert!(place.run(&["zone", "list"]).ends(1).err.contains("different versions"));
    let end = line(&Line::End { exit: 0, message: String::new() });
    place.world().raw = Some(format!("{{\"item\":{{\"version\":7}}}}\n{end}\n"));
    assert!(place.run(&["status"]).ends(1).err.contains("different versions"));
    place.world().raw = Some(format!("{end}\n"));
    place.run(&["status"]).ends(1);
}

fn line(line: &Line) -> String {
    serde_json::to_string(line).expect("it can be written")
}

#[test]
fn wrong_arguments_are_exit_2_in_both_forms() {
    let place = place();
    place.run(&[]).ends(2);
    place.run(&["zone"]).ends(2);
    let ran = place.run(&["tenant", "lst"]).ends(2);
    assert!(ran.err.contains("list"), "the nearest verb is named: {}", ran.err);
    place.run(&["tenant", "add", "a.example"]).ends(2);
    place.run(&["tenant", "add", "a.example", "--pool", "eu-1", "--timeout", "soon"]).ends(2);
    let error = place.run(&["-o", "json", "tenant", "lst"]).ends(2).error();
    assert_eq!(error["exit"], 2);
}

#[test]
fn a_missing_configuration_is_one_line_that_says_where_it_was_looked_for() {
    let place = Place::without_server();
    std::fs::remove_file(place.path("mxseal.toml")).expect("it is ours");
    for command in ["status", "check"] {
        let ran = place.run(&[command]).ends(1);
        let first = ran.err.lines().next().expect("there is a line");
        assert!(first.contains("./mxseal.toml") && first.contains("/etc/mxseal/mxseal.toml"), "{}", ran.err);
    }
    let ran = place.run(&["status", "--config", "gone.toml"]).ends(1);
    assert!(ran.err.contains("gone.toml cannot be read"), "{}", ran.err);
}

#[test]
fn a_wrong_configuration_is_shown_with_a_caret() {
    let place = place();
    place.write("mxseal.toml", "version = 1\nzonnes = \"z\"\n");
    let ran = place.run(&["status"]).ends(1);
    assert!(ran.err.contains("mxseal.toml:2:1") && ran.err.contains('^') && ran.err.contains("zones"), "{}", ran.err);
    let error = place.run(&["status", "-o", "json"]).ends(1).error();
    assert_eq!(error["findings"][0]["line"], 2);
    let ran = place.run(&["check"]).ends(1);
    assert!(ran.out.contains('^') && ran.err.is_empty(), "findings are what `check` prints: {}{}", ran.out, ran.err);
    assert_eq!(place.run(&["check", "-o", "json"]).ends(1).object()["line"], 2);
}

#[test]
fn check_of_a_sound_configuration_needs_no_server() {
    let place = Place::without_server();
    assert!(
        place.run(&["check"]).ends(0).out.contains("1 warning: 0 zones, 0 tenants, 0 pools"),
        "an empty folder is told"
    );
    let zone = "$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n";
    std::fs::write(place.path("zones/mx.example.zone"), zone).expect("written");
    assert!(place.run(&["check"]).ends(0).out.contains("nothing is wrong: 1 zone, 0 tenants, 0 pools\n"));
    let counted = place.run(&["check", "-o", "json"]).ends(0).object();
    assert_eq!((&counted["errors"], &counted["warnings"], &counted["zones"]), (&json!(0), &json!(0), &json!(1)));
    std::fs::write(place.path("zones/notes.txt"), "").expect("written");
    let said = place.run(&["check"]).ends(0).out;
    assert!(said.contains("nothing is wrong") && said.ends_with("; 1 file is of no known kind: notes.txt\n"), "{said}");
}

#[test]
fn folders_are_relative_to_the_configuration() {
    let place = place();
    let file = place.path("mxseal.toml").display().to_string();
    let ran = place.run_in("/", &["--config", &file, "tenant", "add", "northwind.example", "--pool", "eu-1"]);
    ran.ends(0);
    assert!(place.path(NEW).exists());
    let ran = place.run_in("/", &["--config", &file, "tenant", "rm", "northwind.example"]);
    ran.ends(0);
    assert!(!place.path(NEW).exists());
}

#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    let place = place();
    let many = (0..50_000).map(|n| tenant(&format!("t{n}.example"), "a-v1.mx.example.", "x:1"));
    place.world().tenants = many.collect();
    for form in ["json", "table"] {
        let ran = place.run_and_read_one_line(&["tenant", "list", "-o", form]).ends(0);
        assert_eq!(ran.err, "");
    }
}

#[test]
fn a_closed_pipe_never_changes_how_a_command_ends() {
    let place = place();
    place.world().status.findings = (0..50_000).map(|_| finding(FindingSeverity::Error, "the pool is gone")).collect();
    place.world().reload =
        ((0..50_000).map(|_| finding(FindingSeverity::Error, "the pool is gone")).collect(), 1, "errors".to_owned());
    for command in ["status", "reload"] {
        for form in ["json", "table"] {
            place.run_and_read_one_line(&[command, "-o", form]).ends(1);
        }
    }
    let wrong: String = (0..5_000).map(|at| format!("w{at} A 192.0.2\n")).collect();
    std::fs::write(place.path("zones/mx.example.zone"), wrong).expect("written");
    for form in ["json", "table"] {
        place.run_and_read_one_line(&["check", "-o", form]).ends(1);
    }
}

#[test]
fn nothing_from_a_file_moves_the_cursor() {
    let place = place();
    place.world().tenants[0].reasons = vec!["bad \x1b[2J\u{9b}2J \r\n forged".to_owned()];
    place.world().status.findings = vec![finding(FindingSeverity::Error, "bad \x1b[2J")];
    for args in [&["tenant", "list"][..], &["tenant", "show", "contoso.com"], &["status"]] {
        let ran = place.run(args);
        assert!(!ran.out.contains(['\x1b', '\u{9b}', '\r']), "{}", ran.out);
    }
}

#[test]
fn colour_is_used_where_it_is_asked_for_and_never_in_a_pipe_by_itself() {
    let place = place();
    assert!(!place.run(&["status"]).out.contains('\x1b'));
    assert!(!place.run(&["status", "--color", "never"]).out.contains('\x1b'));
    assert!(place.run(&["status", "--color", "always"]).out.contains('\x1b'));
    assert!(place.run(&["zone", "list", "--color=always"]).out.contains('\x1b'));
    assert!(!place.run(&["status", "--color", "always", "-o", "json"]).out.contains('\x1b'));
}

// --- help, manual, completions ---

/// Every command with the words that lead to it, found in the pages themselves.
fn pages(place: &Place, words: &[String], all: &mut Vec<(Vec<String>, Ran)>) {
    let mut args: Vec<&str> = words.iter().map(String::as_str).collect();
    args.push("--help");
    let ran = place.run(&args).ends(0);
    let listed = ran.out.split("Commands:\n").nth(1).unwrap_or_default().to_owned();
    all.push((words.to_vec(), ran));
    for line in listed.lines().take_while(|line| !line.is_empty()) {
        // A command stands two spaces in; what goes on below it, further.
        let name =
            line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')).and_then(|rest| rest.split(' ').next());
        if let Some(name) = name {
            pages(place, &[words, &[name.to_owned()]].concat(), all);
        }
    }
}

#[test]
fn each_help_page_has_a_sentence_an_example_and_its_exit_codes() {
    let place = Place::without_server();
    let mut all = Vec::new();
    pages(&place, &[], &mut all);
    assert_eq!(all.len(), 44, "{:?}", all.iter().map(|(words, _)| words).collect::<Vec<_>>());
    for (words, page) in &all {
        let text = &page.out;
        assert!(text.lines().next().is_some_and(|line| line.len() > 10), "{words:?}: {text}");
        let example = text.split("Example").nth(1).unwrap_or_default();
        let shown = format!("mxseal {}", words.join(" "));
        assert!(example.contains(shown.trim_end()), "{words:?} has no example of itself: {text}");
        assert!(text.contains("Exit codes:\n  0  ") && text.contains("\n  2  "), "{words:?}: {text}");
    }
    let rm = all.iter().find(|(words, _)| words.join(" ") == "tenant rm").expect("it has a page");
    assert!(rm.1.out.contains("MX record must be moved first"), "{}", rm.1.out);
}

#[test]
fn help_and_version_are_commands_too() {
    let place = Place::without_server();
    for words in [&[][..], &["tenant"], &["tenant", "add"], &["keys", "roll"]] {
        let page = place.run(&[&["help"], words].concat()).ends(0).out;
        assert_eq!(page, place.run(&[words, &["--help"]].concat()).ends(0).out, "{words:?}");
    }
    let ran = place.run(&["help", "tenant", "ad"]).ends(2);
    assert!(ran.err.contains("unrecognized subcommand 'ad'") && ran.err.contains("'add'"), "{}", ran.err);
    let version = place.run(&["--version"]).ends(0).out;
    assert_eq!(place.run(&["version"]).ends(0).out, version);
    let object = place.run(&["version", "-o", "json"]).ends(0).object();
    assert_eq!(format!("{} {}\n", object["name"], object["version"]).replace('"', ""), version);
}

#[test]
fn a_wrong_command_keeps_its_tip_in_json() {
    let error = Place::without_server().run(&["-o", "json", "tenant", "lst"]).ends(2).error();
    assert_eq!(error["error"], "unrecognized subcommand 'lst'");
    assert!(error["help"].as_str().is_some_and(|help| help.contains("'list'")), "{error}");
}

#[test]
fn completions_come_for_each_shell() {
    let place = Place::without_server();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(place.run(&["completions", shell]).ends(0).out.contains("tenant"), "{shell}");
    }
    place.run(&["completions", "tcsh"]).ends(2);
}

#[test]
fn the_manual_is_roff_and_has_a_page_a_command() {
    let place = Place::without_server();
    assert!(place.run(&["man"]).ends(0).out.contains(".TH MXSEAL 1 2"));
    std::fs::create_dir(place.path("man1")).expect("it is ours");
    place.run(&["man", "man1"]).ends(0);
    let files = place.files("man1");
    assert!(files.contains(&"mxseal.1".to_owned()) && files.contains(&"mxseal-tenant-add.1".to_owned()), "{files:?}");
    place.run(&["man", "gone"]).ends(1);
    let page = place.read("man1/mxseal-tenant-add.1").expect("it is written");
    for part in
        [".SH FILES", "keys/control.sock", ".SH \"SEE ALSO\"", "\\fBmxseal\\-tenant\\-rm\\fR(1)", "\\fBmxseal\\fR(1),"]
    {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
    let paths: Vec<_> = files.iter().map(|file| place.path(&format!("man1/{file}"))).collect();
    let lint = Command::new("mandoc").args(["-Tlint"]).args(paths).output().expect("mandoc is installed");
    let said = String::from_utf8_lossy(&lint.stdout).into_owned() + &String::from_utf8_lossy(&lint.stderr);
    assert_eq!(said, "", "mandoc finds nothing");
}

/// What a command needs to be well written, apart from its own words; in the folder of [`Place`].
fn arguments(command: &str) -> &'static [&'static str] {
    match command {
        "zone show" | "zone ds" | "keys hold" | "keys resume" | "keys roll" | "keys export" | "keys import" => {
            &["mx.example"]
        }
        "tenant show" | "tenant mx" | "tenant rm" => &["contoso.com"],
        "tenant add" => &["northwind.example", "--pool", "eu-1"],
        "pool show" | "cert csr" | "cert resume" => &["eu-1"],
        "cert stage" => &["eu-1", "--key", "key.pem"],
        "cert permit" | "cert drop" | "cert adopt" => &["eu-1", "--key", KEY],
        "cert rotate" => &["eu-1", "--back"],
        "cert tlsa" => &["key.pem"],
        "explain" => &["mx.example", "SOA"],
        "completions" => &["bash"],
        _ => &[],
    }
}

const KEY: &str = "2bbcab29c3d44f6d18e10469681c9dd8b06a47e5c581e8d489341edae1a083c2";

/// The exit codes that the page of a command names.
fn documented(page: &str) -> Vec<i32> {
    let codes = page.split("Exit codes:\n").nth(1).unwrap_or_default();
    codes.lines().filter_map(|line| line.strip_prefix("  ")?.split("  ").next()?.parse().ok()).collect()
}

#[test]
fn each_command_ends_with_the_exit_codes_of_its_page_and_with_no_other() {
    let alone = Place::without_server();
    let key = rcgen_key();
    let mut all = Vec::new();
    pages(&alone, &[], &mut all);
    for (words, page) in all {
        let command = words.join(" ");
        let has_more = page.out.contains("Commands:\n");
        // `serve` is a server itself: tests/process and tests/provisioning end it in each way.
        if has_more || command == "serve" {
            continue;
        }
        let codes = documented(&page.out);
        let more: &[&str] = match command.as_str() {
            "keys hold" | "keys lead" => &["--reason", "a test"],
            "keys export" => &["--to", "out"],
            "keys import" => &["keys-of-before"],
            _ => &[],
        };
        let args: Vec<&str> = words
            .iter()
            .map(String::as_str)
            .chain(arguments(&command).iter().copied())
            .chain(more.iter().copied())
            .collect();
        alone.write("key.pem", &key);
        let code = alone.run(&args).code;
        assert!(
            code.is_some_and(|code| codes.contains(&code)),
            "{args:?} without a server ends with {code:?}, not one of {codes:?}"
        );
        let needs_server = ![
            "check",
            "help",
            "version",
            "completions",
            "man",
            "cert tlsa",
            "keys export",
            "keys simulate",
            "keys import",
        ]
        .contains(&command.as_str());
        assert_eq!(code == Some(3), needs_server, "{args:?} without a server ends with {code:?}");
        let usage = alone.run(&[&args[..], &["--nonsense"]].concat());
        assert_eq!(usage.code, Some(2), "{args:?}: {}", usage.err);
        for code in codes.iter().copied().filter(|code| needs_server && [1, 4, 5].contains(code)) {
            let place = place();
            place.write("key.pem", &key);
            place.write(TOML, "domain = \"contoso.com\"\npool = \"eu-1\"\n");
            place.world().raw = Some(
                line(&Line::End { exit: u8::try_from(code).expect("it is small"), message: "so".to_owned() }) + "\n",
            );
            assert_eq!(place.run(&args).code, Some(code), "{args:?}: the server says {code}");
        }
    }
}

fn rcgen_key() -> String {
    let made =
        Command::new("openssl").args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]).output();
    String::from_utf8(made.expect("openssl is installed").stdout).expect("PEM is text")
}

#[test]
fn json_errors_are_one_object_on_standard_error() {
    let ran = place().run(&["pool", "show", "x", "-o", "json"]).ends(1);
    assert_eq!(ran.out, "");
    let value: Value = ran.error();
    assert_eq!(value["error"], "there is no pool `x`");
    assert_eq!(value["exit"], 1);
}
