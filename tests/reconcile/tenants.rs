//! Who is served, who waits, and what a broken file leaves as it was.

use crate::lab::*;
use mxseal::world::tenants::{Done, Standing};
use std::sync::Arc;

const EU: &str = "192.0.2.25";
const US: &str = "192.0.2.26";

fn added(count: u64) -> Done {
    Done { added: count, ..Done::default() }
}

#[test]
fn a_tenant_is_answered_below_its_zone_and_gone_with_its_file() {
    let mut lab = Lab::new();
    assert_eq!(lab.write(&[(&at("x.toml"), &toml("contoso.com", "eu"))]), added(1));
    assert_eq!(lab.address("contoso-com"), EU);
    assert!(lab.ask("_25._tcp.contoso-com.a.mx.example", "TLSA").starts_with("NOERROR TLSA 3 1 1 1b5c"), "TLSA");
    assert_eq!(lab.remove(&[&at("x.toml")]).removed, 1);
    assert_eq!(lab.address("contoso-com"), "NXDOMAIN");
    lab.fine();
}

#[test]
fn files_lie_at_any_depth_and_in_both_forms() {
    let mut lab = Lab::new();
    let bulk = format!("{}\n{}", line("a.example", "eu"), line("b.example", "us"));
    lab.write(&[(&at("x/y/z.toml"), &toml("c.example", "eu")), (&at("k/bulk.ndjson"), &bulk)]);
    assert_eq!([lab.address("a-example"), lab.address("b-example"), lab.address("c-example")], [EU, US, EU]);
    assert_eq!(lab.tenant("b.example").expect("it is served").line(), 3);
}

// --- conflicts ---

#[test]
fn at_a_start_an_explicit_endpoint_wins_then_the_path_that_sorts_first() {
    let mut lab = Lab::new();
    lab.memory.files.insert(at("a.toml"), toml("foo-bar.com", "eu").into_bytes());
    lab.memory.files.insert(at("b.toml"), toml("foo.bar.com", "us").into_bytes());
    lab.start_fresh();
    assert_eq!(lab.address("foo-bar-com"), EU);
    lab.memory.files.insert(at("z.toml"), with_endpoint("other.example", "us", "foo-bar-com").into_bytes());
    lab.start_fresh();
    assert_eq!(
        lab.tenant("other.example").map(|tenant| Box::<[u8]>::from(tenant.label())),
        Some((*b"foo-bar-com").into())
    );
    assert_eq!(lab.address("foo-bar-com"), US);
    for domain in ["foo-bar.com", "foo.bar.com"] {
        let reason = lab.reasons(domain).join("");
        assert!(reason.contains("zones/a.mx.example/z.toml:1") && reason.contains(domain), "{reason}");
        assert!(lab.tenant(domain).is_none());
    }
}

#[test]
fn who_is_served_now_stays_whoever_comes() {
    let mut lab = Lab::new();
    lab.write(&[(&at("m.toml"), &toml("foo-bar.com", "eu"))]);
    // A path that sorts before, and an explicit endpoint.
    lab.write(&[(&at("a.toml"), &toml("foo.bar.com", "us"))]);
    lab.write(&[(&at("b.toml"), &with_endpoint("other.example", "us", "foo-bar-com"))]);
    assert_eq!(lab.address("foo-bar-com"), EU);
    assert_eq!(lab.codes(), ["MX4202", "MX4202"]);
}

#[test]
fn who_is_served_now_stays_although_its_file_speaks_anew_in_the_same_batch() {
    let mut lab = Lab::new();
    lab.write(&[(&at("m.toml"), &toml("foo-bar.com", "eu"))]);
    lab.write(&[
        (&at("a.toml"), &toml("foo.bar.com", "us")),
        (&at("b.toml"), &with_endpoint("other.example", "us", "foo-bar-com")),
        (&at("m.toml"), &format!("# edited\n{}", toml("foo-bar.com", "eu"))),
    ]);
    assert!(lab.tenant("foo-bar.com").is_some() && lab.tenant("other.example").is_none());
    assert_eq!(lab.address("foo-bar-com"), EU);
}

#[test]
fn one_of_two_lines_of_a_file_is_served_and_a_retry_does_not_exchange_them() {
    let mut lab = Lab::new();
    let bulk = line("foo-bar.com", "eu") + &line("foo.bar.com", "us");
    lab.write(&[(&at("bulk.ndjson"), &bulk)]);
    assert_eq!(lab.address("foo-bar-com"), EU);
    lab.write(&[("pools.toml", &POOLS.replace("192.0.2.26", "192.0.2.99"))]);
    assert_eq!(lab.address("foo-bar-com"), EU);
    assert!(lab.reasons("foo.bar.com").join("").contains("bulk.ndjson:1 (foo-bar.com)"));
}

#[test]
fn a_domain_has_one_endpoint_even_where_one_file_names_two() {
    let mut lab = Lab::new();
    let bulk = line("foo.example", "eu") + &line_with_endpoint("foo.example", "us", "mail");
    lab.write(&[(&at("bulk.ndjson"), &bulk)]);
    assert_eq!((lab.address("mail").as_str(), lab.address("foo-example").as_str()), (US, "NXDOMAIN"));
    assert_eq!(lab.codes(), ["MX4203"]);
}

#[test]
fn two_files_that_define_one_tenant_are_both_named_and_the_served_one_stays() {
    let mut lab = Lab::new();
    lab.write(&[(&at("x.toml"), &toml("bücher.example", "eu"))]);
    lab.write(&[(&at("a.toml"), &toml("XN--BCHER-KVA.Example.", "us"))]);
    assert_eq!(lab.address(&mxseal::zone::tenant::endpoint_of("xn--bcher-kva.example")), EU);
    let reason = lab.reasons("xn--bcher-kva.example").join("");
    assert!(reason.contains("x.toml:1") && reason.contains("a.toml:1"), "{reason}");
}

#[test]
fn a_waiting_tenant_gets_the_name_when_it_becomes_free() {
    for freed_by in ["label", "domain", "other label of the domain"] {
        let mut lab = Lab::new();
        let (first, second, label) = match freed_by {
            "label" => (toml("foo-bar.com", "eu"), toml("foo.bar.com", "us"), "foo-bar-com"),
            "domain" => (toml("foo.com", "eu"), toml("foo.com", "us"), "foo-com"),
            _ => (with_endpoint("foo.com", "eu", "mail"), toml("foo.com", "us"), "foo-com"),
        };
        lab.write(&[(&at("a.toml"), &first)]);
        lab.write(&[(&at("b.toml"), &second)]);
        assert_eq!(lab.codes().len(), 1, "{freed_by}");
        lab.remove(&[&at("a.toml")]);
        assert_eq!(lab.address(label), US, "{freed_by}");
        lab.fine();
    }
}

#[test]
fn a_waiting_tenant_is_promoted_however_many_others_wait() {
    let mut lab = Lab::with_tenants(1200);
    let others: String = (0..1200).map(|i| line(&format!("t{i}.example"), "us")).collect();
    lab.write(&[(&at("others.ndjson"), &others)]);
    lab.write(&[(&at("x.toml"), &with_endpoint("foo.com", "eu", "mail"))]);
    lab.write(&[(&at("y.toml"), &toml("foo.com", "us"))]);
    lab.remove(&[&at("x.toml")]);
    assert_eq!(lab.address("foo-com"), US);
    let zone = lab.world.zones.values().next().expect("a zone");
    assert_eq!(zone.tenants.broken_count(), 1200);
}

#[test]
fn an_endpoint_that_the_master_file_has_is_not_taken() {
    let mut lab = Lab::new();
    lab.write(&[(&at("x.toml"), &with_endpoint("foo.com", "eu", "www"))]);
    assert_eq!(lab.address("www"), "192.0.2.80");
    let reason = lab.reasons("foo.com").join("");
    assert!(reason.contains("zones/a.mx.example.zone:3") && reason.contains("www"), "{reason}");
    lab.write(&[("a.mx.example.zone", &MASTER.replace("www", "web"))]);
    assert_eq!(lab.address("www"), EU, "the name became free");
    lab.fine();
}

#[test]
fn records_that_come_to_a_served_endpoint_are_reported() {
    let mut lab = Lab::new();
    lab.write(&[(&at("x.toml"), &toml("foo.com", "eu"))]);
    lab.write(&[("a.mx.example.zone", &format!("{MASTER}foo-com A 192.0.2.81\n"))]);
    assert_eq!(lab.address("foo-com"), EU);
    assert_eq!(lab.codes(), ["MX2124"]);
    lab.remove(&[&at("x.toml")]);
    assert_eq!(lab.address("foo-com"), "192.0.2.81");
    lab.fine();
}

#[test]
fn one_domain_may_be_a_tenant_of_two_zones() {
    let mut lab = Lab::with_config(
        "version = 1\n[zone.\"a.mx.example\"]\nsigned = false\n[zone.\"b.mx.example\"]\nsigned = false\n",
    );
    lab.write(&[
        ("pools.toml", POOLS),
        ("a.mx.example.zone", MASTER),
        ("b.mx.example.zone", MASTER),
        ("a.mx.example/x.toml", &toml("foo.com", "eu")),
        ("b.mx.example/x.toml", &toml("foo.com", "us")),
    ]);
    assert_eq!(lab.ask("foo-com.a.mx.example", "A"), "NOERROR A 192.0.2.25");
    assert_eq!(lab.ask("foo-com.b.mx.example", "A"), "NOERROR A 192.0.2.26");
    lab.fine();
}

// --- moves ---

#[test]
fn a_tenant_moves_between_files_in_one_batch() {
    let mut lab = Lab::new();
    lab.write(&[(&at("bulk.ndjson"), &(line("a.example", "eu") + &line("b.example", "eu")))]);
    let done = lab.write(&[(&at("bulk.ndjson"), &line("b.example", "eu")), (&at("a.toml"), &toml("a.example", "eu"))]);
    assert_eq!((done.added, done.removed, done.held), (0, 0, 0));
    assert_eq!(lab.address("a-example"), EU);
    lab.fine();
}

#[test]
fn a_tenant_moves_in_two_batches_with_the_new_place_first() {
    let mut lab = Lab::new();
    lab.write(&[(&at("a.toml"), &toml("a.example", "eu"))]);
    lab.write(&[(&at("bulk.ndjson"), &line("a.example", "us"))]);
    assert_eq!(lab.address("a-example"), EU);
    lab.remove(&[&at("a.toml")]);
    assert_eq!(lab.address("a-example"), US);
    lab.fine();
}

#[test]
fn a_new_endpoint_replaces_the_old_one_and_one_that_is_taken_leaves_the_old_one() {
    let mut lab = Lab::new();
    lab.write(&[(&at("x.toml"), &toml("x.example", "eu")), (&at("y.toml"), &with_endpoint("y.example", "us", "mail"))]);
    lab.write(&[(&at("x.toml"), &with_endpoint("x.example", "eu", "mail"))]);
    assert_eq!((lab.address("x-example").as_str(), lab.address("mail").as_str()), (EU, US));
    assert_eq!(lab.standing("x.example"), Some(Standing::LastGood));
    lab.remove(&[&at("y.toml")]);
    assert_eq!((lab.address("x-example").as_str(), lab.address("mail").as_str()), ("NXDOMAIN", EU));
    lab.fine();
}

#[test]
fn tenants_exchange_their_endpoints_in_one_batch_and_in_two() {
    for batches in [1, 2] {
        let mut lab = Lab::new();
        let (x, y) = (at("x.toml"), at("y.toml"));
        lab.write(&[(&x, &with_endpoint("x.example", "eu", "one")), (&y, &with_endpoint("y.example", "us", "two"))]);
        let (new_x, new_y) = (with_endpoint("x.example", "eu", "two"), with_endpoint("y.example", "us", "one"));
        if batches == 1 {
            lab.write(&[(&x, &new_x), (&y, &new_y)]);
        } else {
            lab.write(&[(&x, &new_x)]);
            assert_eq!((lab.address("one").as_str(), lab.address("two").as_str()), (EU, US), "nothing moves yet");
            lab.write(&[(&y, &new_y)]);
        }
        assert_eq!((lab.address("one").as_str(), lab.address("two").as_str()), (US, EU), "in {batches}");
        lab.fine();
    }
}

#[test]
fn tenants_follow_one_another_in_a_chain() {
    let mut lab = Lab::new();
    let file = |i: usize| at(&format!("{i}.toml"));
    let text = |i: usize, label: usize| with_endpoint(&format!("d{i}.example"), "eu", &format!("l{label}"));
    for i in 0..5 {
        lab.write(&[(&file(i), &text(i, i))]);
    }
    // The last of the chain comes last.
    for i in 0..5 {
        lab.write(&[(&file(i), &text(i, i + 1))]);
    }
    assert_eq!(lab.address("l0"), "NXDOMAIN");
    for i in 0..5 {
        let label = lab.tenant(&format!("d{i}.example")).expect("it is served").label().to_vec();
        assert_eq!(String::from_utf8_lossy(&label), format!("l{}", i + 1));
    }
    lab.fine();
}

#[test]
fn a_name_is_not_given_away_while_its_owner_cannot_move() {
    let mut lab = Lab::new();
    let (x, y) = (at("x.toml"), at("y.toml"));
    lab.write(&[(&x, &with_endpoint("x.example", "eu", "one"))]);
    // x wants to go to a name that is static, y wants the name of x.
    lab.write(&[(&x, &with_endpoint("x.example", "eu", "www")), (&y, &with_endpoint("y.example", "us", "one"))]);
    assert_eq!(lab.address("one"), EU);
    assert_eq!(lab.standing("x.example"), Some(Standing::LastGood));
    assert!(lab.tenant("y.example").is_none());
    lab.write(&[(&x, &with_endpoint("x.example", "eu", "three"))]);
    assert_eq!((lab.address("one").as_str(), lab.address("three").as_str()), (US, EU));
    lab.fine();
}

// --- last good ---

#[test]
fn a_broken_file_keeps_its_tenant_and_hurts_no_other() {
    let mut lab = Lab::with_tenants(3);
    for broken in ["domain = \"t0.exam", "domain = \"t0.example\"\npool = 5\n", "", "\u{0}", "x = 1\n"] {
        lab.write(&[(&at("t0.example.toml"), broken), (&at("new.toml"), &toml("new.example", "us"))]);
        assert_eq!(lab.address("t0-example"), EU, "{broken:?}");
        assert_eq!(lab.standing("t0.example"), Some(Standing::LastGood), "{broken:?}");
        assert!(!lab.reasons("t0.example").is_empty(), "{broken:?}");
        assert_eq!(lab.address("new-example"), US);
        assert_eq!(lab.standing("t1.example"), Some(Standing::Served));
    }
    lab.write(&[(&at("t0.example.toml"), &toml("t0.example", "us"))]);
    assert_eq!(lab.address("t0-example"), US);
    lab.fine();
}

#[test]
fn octets_that_are_no_text_keep_the_tenant() {
    let mut lab = Lab::with_tenants(1);
    for octets in [b"\xff\xfe".to_vec(), b"domain = \"t0.example\"\0".to_vec(), vec![b'#'; 70_000]] {
        lab.change_octets(vec![(&at("t0.example.toml"), Some(octets))]);
        assert_eq!(lab.address("t0-example"), EU);
        assert_eq!(lab.standing("t0.example"), Some(Standing::LastGood));
    }
}

#[test]
fn byte_order_marks_and_windows_line_ends_are_no_fault() {
    let mut lab = Lab::new();
    lab.write(&[(&at("x.toml"), "\u{feff}domain = \"x.example\"\r\npool = \"eu\"\r\n")]);
    assert_eq!(lab.address("x-example"), EU);
    lab.fine();
}

#[test]
fn a_broken_line_keeps_its_own_tenant() {
    let mut lab = Lab::new();
    let bulk = at("bulk.ndjson");
    lab.write(&[(&bulk, &(line("a.example", "eu") + &line("b.example", "eu") + &line("c.example", "eu")))]);
    let broken = "{\"domain\":\"b.example\",\"pool\":7}\n";
    lab.write(&[(&bulk, &(line("a.example", "us") + broken))]);
    assert_eq!([lab.address("a-example"), lab.address("b-example")], [US, EU]);
    assert_eq!(lab.address("c-example"), "NXDOMAIN", "nothing is said about it");
    assert_eq!(lab.standing("b.example"), Some(Standing::LastGood));
}

#[test]
fn a_broken_line_that_does_not_tell_whose_it_is_keeps_all_that_the_file_no_longer_says() {
    let mut lab = Lab::new();
    let bulk = at("bulk.ndjson");
    lab.write(&[
        (&bulk, &(line("a.example", "eu") + &line("b.example", "eu") + &line("c.example", "eu"))),
        (&at("d.toml"), &toml("d.example", "eu")),
    ]);
    lab.change(&[(&bulk, Some(&(line("a.example", "us") + "nonsense\n"))), (&at("d.toml"), None)]);
    assert_eq!([lab.address("a-example"), lab.address("b-example"), lab.address("c-example")], [US, EU, EU]);
    assert_eq!(lab.standing("a.example"), Some(Standing::Served));
    assert_eq!(lab.address("d-example"), "NXDOMAIN", "another file's tenants are not meant");
    lab.write(&[(&bulk, &line("a.example", "us"))]);
    assert_eq!(lab.address("b-example"), "NXDOMAIN");
    lab.fine();
}

#[test]
fn a_last_line_without_its_end_is_not_taken_and_takes_nothing_away() {
    let mut lab = Lab::new();
    let bulk = at("bulk.ndjson");
    let domains = ["a.example", "b.example", "c.example", "d.example"];
    let of = |pool: &str, count: usize| domains.iter().take(count).map(|domain| line(domain, pool)).collect::<String>();
    lab.write(&[(&bulk, &of("eu", 4))]);
    let new = of("us", 4);
    let third = of("us", 2).len()..of("us", 3).len();
    for cut in third.clone().filter(|cut| *cut > third.start) {
        let half = new.get(..cut).expect("a part");
        for restart in [false, true] {
            match restart {
                false => drop(lab.write(&[(&bulk, half)])),
                true => lab.restart(),
            }
            let is_at = domains.map(|domain| lab.address(&domain.replace('.', "-")));
            assert_eq!(is_at, [US, US, EU, EU], "cut at {cut}, {restart}: what is whole is served, and nobody goes");
            assert_eq!(lab.codes(), ["MX4201"], "cut at {cut}");
            let standing = ["b.example", "c.example", "d.example"].map(|domain| lab.standing(domain));
            assert_eq!(standing, [Some(Standing::Served), Some(Standing::LastGood), Some(Standing::LastGood)]);
        }
    }
    lab.write(&[(&bulk, &new)]);
    assert_eq!(domains.map(|domain| lab.address(&domain.replace('.', "-"))), [US; 4]);
    lab.fine();
    lab.write(&[(&bulk, &of("us", 1))]);
    assert_eq!(lab.address("b-example"), "NXDOMAIN", "what a whole file does not say goes");
    lab.fine();
}

#[test]
fn a_new_line_without_its_end_is_named_and_served_once_it_has_one() {
    let mut lab = Lab::new();
    let (bulk, own) = (at("bulk.ndjson"), at("t.toml"));
    let text = line("a.example", "eu") + line("b.example", "eu").trim_end();
    lab.write(&[(&bulk, &text), (&own, toml("t.example", "eu").trim_end())]);
    assert_eq!([lab.address("a-example"), lab.address("b-example")], [EU, "NXDOMAIN"]);
    assert_eq!(lab.address("t-example"), "NXDOMAIN");
    for (domain, place) in [("b.example", "bulk.ndjson:2:1: the last line"), ("t.example", "t.toml:2:1: the last line")]
    {
        let reasons = lab.world.zones[&name(ZONE)].tenants.reasons(domain);
        assert!(reasons.len() == 1 && reasons[0].contains(place), "{reasons:?}");
    }
    lab.write(&[(&bulk, &format!("{text}\n")), (&own, &toml("t.example", "eu"))]);
    assert_eq!([lab.address("a-example"), lab.address("b-example"), lab.address("t-example")], [EU; 3]);
    lab.fine();
}

#[test]
fn a_tenants_own_file_and_the_pools_are_taken_with_the_end_of_their_last_line_only() {
    let mut lab = Lab::new();
    let own = at("t.toml");
    lab.write(&[(&own, &toml("t.example", "eu"))]);
    // The same tenant, and another one in its place.
    for text in [toml("t.example", "us"), toml("u.example", "us")] {
        for cut in 1..text.len() {
            if text.get(..cut).is_none_or(|half| half.ends_with('\n')) {
                continue;
            }
            lab.write(&[(&own, &text[..cut])]);
            assert_eq!([lab.address("t-example"), lab.address("u-example")], [EU, "NXDOMAIN"], "{cut} of {text}");
            assert_eq!((lab.standing("t.example"), lab.codes().len()), (Some(Standing::LastGood), 1));
        }
        lab.restart();
        assert_eq!(lab.address("t-example"), EU);
    }
    lab.write(&[(&own, &toml("t.example", "us"))]);
    assert_eq!(lab.address("t-example"), US);
    lab.fine();
    let pools = POOLS.replace("192.0.2.26", "192.0.2.27");
    lab.write(&[("pools.toml", pools.trim_end())]);
    assert_eq!((lab.address("t-example").as_str(), lab.codes().as_slice()), (US, ["MX3204"].as_slice()));
    lab.restart();
    assert_eq!(lab.address("t-example"), US);
    lab.write(&[("pools.toml", &pools)]);
    assert_eq!(lab.address("t-example"), "192.0.2.27");
    lab.fine();
}

#[test]
fn a_file_that_cannot_be_read_keeps_all_and_is_no_more_a_fault_when_it_goes() {
    let mut lab = Lab::with_tenants(2);
    lab.spoil(&at("t0.example.toml"));
    lab.spoil(&at("never.toml"));
    assert_eq!(lab.standing("t0.example"), Some(Standing::LastGood));
    lab.remove(&[&at("t0.example.toml"), &at("never.toml")]);
    assert_eq!(lab.address("t0-example"), "NXDOMAIN");
    lab.fine();
}

#[test]
fn a_tenant_that_moves_to_a_broken_place_keeps_its_last_good_answer() {
    let mut lab = Lab::new();
    lab.write(&[(&at("bulk.ndjson"), &line("a.example", "eu"))]);
    lab.change(&[(&at("bulk.ndjson"), None), (&at("a.toml"), Some(&toml("a.example", "nowhere")))]);
    assert_eq!(lab.address("a-example"), EU);
    assert_eq!(lab.standing("a.example"), Some(Standing::LastGood));
    lab.write(&[(&at("a.toml"), &toml("a.example", "us"))]);
    assert_eq!(lab.address("a-example"), US);
    lab.fine();
}

#[test]
fn nobody_takes_the_name_of_a_tenant_that_broke_in_the_same_batch() {
    let mut lab = Lab::new();
    lab.write(&[(&at("x.toml"), &toml("foo-bar.com", "eu"))]);
    let broken = "domain = \"foo-bar.com\"\npool = 5\n";
    lab.write(&[(&at("x.toml"), broken), (&at("a.toml"), &toml("foo.bar.com", "us"))]);
    assert_eq!(lab.address("foo-bar-com"), EU);
    assert_eq!(lab.standing("foo-bar.com"), Some(Standing::LastGood));
}

// --- restart ---

#[test]
fn a_restart_gives_the_same_content_while_files_are_broken() {
    let mut lab = Lab::with_tenants(20);
    let bulk = at("bulk.ndjson");
    lab.write(&[(&bulk, &(line("a.example", "eu") + &line_with_endpoint("b.example", "eu", "mail")))]);
    lab.write(&[
        (&at("t0.example.toml"), "broken"),
        (&bulk, "nonsense\n"),
        (&at("t1.example.toml"), &toml("t1.example", "no")),
    ]);
    for _ in 0..2 {
        lab.restart();
        for label in ["t0-example", "t1-example", "a-example", "mail", "t2-example"] {
            assert_eq!(lab.address(label), EU, "{label}");
        }
        assert_eq!(lab.standing("t0.example"), Some(Standing::LastGood));
        assert!(!lab.reasons("t1.example").is_empty());
    }
    lab.write(&[(&bulk, &line("a.example", "us")), (&at("t0.example.toml"), &toml("t0.example", "us"))]);
    assert_eq!([lab.address("a-example"), lab.address("t0-example"), lab.address("mail")], [US, US, "NXDOMAIN"]);
}

#[test]
fn what_was_kept_yields_to_files_that_were_mended_or_removed_meanwhile() {
    let mut lab = Lab::with_tenants(2);
    lab.write(&[(&at("t0.example.toml"), "broken"), (&at("t1.example.toml"), "broken")]);
    let kept = lab.last_good();
    lab.memory.files.insert(at("t0.example.toml"), toml("t0.example", "us").into_bytes());
    lab.memory.files.remove(&at("t1.example.toml"));
    lab.start_fresh();
    lab.restore(&kept, None);
    lab.memory.settle(&mut lab.world);
    lab.consistent();
    assert_eq!([lab.address("t0-example"), lab.address("t1-example")], [US, "NXDOMAIN"]);
    lab.fine();
}

#[test]
fn what_was_kept_never_takes_a_name_that_another_has_now() {
    let mut lab = Lab::with_tenants(1);
    lab.write(&[(&at("t0.example.toml"), "broken")]);
    let kept = lab.last_good();
    lab.memory.files.insert(at("other.toml"), with_endpoint("other.example", "us", "t0-example").into_bytes());
    lab.start_fresh();
    lab.restore(&kept, None);
    lab.memory.settle(&mut lab.world);
    lab.consistent();
    assert_eq!(lab.address("t0-example"), US);
}

#[test]
fn damaged_last_good_content_is_passed_over_line_by_line() {
    let mut lab = Lab::with_tenants(2);
    lab.write(&[(&at("t0.example.toml"), "broken"), (&at("t1.example.toml"), "broken")]);
    let mut kept = lab.last_good();
    for text in kept.tenants.values_mut() {
        *text = format!("nonsense\n{{}}\n{{\"file\":3,\"tenant\":{{\"domain\":7}}}}\n{text}");
    }
    lab.start_fresh();
    lab.restore(&kept, None);
    lab.memory.settle(&mut lab.world);
    assert_eq!([lab.address("t0-example"), lab.address("t1-example")], [EU, EU]);
}

// --- the cost of a change ---

#[test]
fn one_line_of_ten_thousand_changes_one_tenant_and_leaves_the_others_the_same_objects() {
    let mut lab = Lab::new();
    let bulk = |changed: usize, pool: &str| -> String {
        (0..10_000).map(|i| line(&format!("d{i}.example"), if i == changed { pool } else { "eu" })).collect()
    };
    lab.write(&[(&at("bulk.ndjson"), &bulk(0, "eu"))]);
    let before: Vec<_> = (0..10_000).map(|i| lab.tenant(&format!("d{i}.example")).expect("served")).collect();
    let done = lab.write(&[(&at("bulk.ndjson"), &bulk(77, "us"))]);
    assert_eq!(done, Done { changed: 1, ..Done::default() });
    for (i, old) in before.iter().enumerate() {
        let now = lab.tenant(&format!("d{i}.example")).expect("served");
        assert_eq!(Arc::ptr_eq(old, &now), i != 77, "{i}");
    }
    assert_eq!(lab.address("d77-example"), US);
}

#[test]
fn a_line_that_only_moves_keeps_its_object_and_tells_its_new_line() {
    let mut lab = Lab::new();
    lab.write(&[(&at("bulk.ndjson"), &(line("a.example", "eu") + &line("b.example", "eu")))]);
    let before = lab.tenant("b.example").expect("served");
    let done = lab.write(&[(&at("bulk.ndjson"), &(line("a.example", "eu") + "\n\n" + &line("b.example", "eu")))]);
    assert_eq!(done, Done::default());
    assert!(Arc::ptr_eq(&before, &lab.tenant("b.example").expect("served")));
    assert_eq!(before.line(), 4);
}
