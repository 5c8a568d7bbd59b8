//! The shrink guard: more than 5 % and more than 10 tenants within the window are held.

use crate::lab::*;
use mxseal::world::tenants::{SHRINK_FREE, SHRINK_SHARE, SHRINK_WINDOW, Standing};

fn paths(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|i| tenant_file(i, "eu").0).collect()
}

fn remove(lab: &mut Lab, range: std::ops::Range<usize>) -> (u64, u64) {
    let paths = paths(range);
    let done = lab.remove(&paths.iter().map(String::as_str).collect::<Vec<_>>());
    (done.removed, done.held)
}

fn served(lab: &mut Lab, range: std::ops::Range<usize>) -> usize {
    range.filter(|i| lab.address(&format!("t{i}-example")) == "192.0.2.25").count()
}

#[test]
fn the_limits_are_those_that_operators_were_promised() {
    assert_eq!((SHRINK_FREE, SHRINK_SHARE, SHRINK_WINDOW), (10, 20, 60));
}

#[test]
fn ten_may_always_go_and_eleven_of_few_may_not() {
    let mut lab = Lab::with_tenants(12);
    assert_eq!(remove(&mut lab, 0..10), (10, 0));
    lab.pass(SHRINK_WINDOW + 1);
    let mut lab = Lab::with_tenants(12);
    assert_eq!(remove(&mut lab, 0..11), (0, 11));
    assert_eq!(served(&mut lab, 0..12), 12);
    assert_eq!(lab.standing("t0.example"), Some(Standing::Held));
}

#[test]
fn five_percent_may_go_and_one_more_may_not() {
    let mut lab = Lab::with_tenants(400);
    assert_eq!(remove(&mut lab, 0..20), (20, 0));
    let mut lab = Lab::with_tenants(400);
    assert_eq!(remove(&mut lab, 0..21), (0, 21));
    assert_eq!(served(&mut lab, 0..400), 400);
}

#[test]
fn a_folder_that_is_emptied_file_by_file_is_held_all_the_same() {
    let mut lab = Lab::with_tenants(100);
    let mut removed = 0;
    for i in 0..100 {
        removed += remove(&mut lab, i..i + 1).0;
        if i % 10 == 0 {
            lab.pass(1);
        }
    }
    assert_eq!(removed, 10);
    assert_eq!(served(&mut lab, 0..100), 90);
}

#[test]
fn slow_removals_are_everyday_life() {
    let mut lab = Lab::with_tenants(60);
    for i in 0..6 {
        assert_eq!(remove(&mut lab, i * 10..i * 10 + 10), (10, 0));
        lab.pass(SHRINK_WINDOW + 1);
    }
    lab.fine();
}

#[test]
fn a_clock_that_is_set_back_opens_a_new_window_and_never_a_hole() {
    let mut lab = Lab::with_tenants(50);
    assert_eq!(remove(&mut lab, 0..10), (10, 0));
    lab.now = lab.now.before(86_400);
    assert_eq!(remove(&mut lab, 10..21), (0, 11));
}

#[test]
fn allow_shrink_releases_what_is_held_and_only_that() {
    let mut lab = Lab::with_tenants(30);
    remove(&mut lab, 0..20);
    assert_eq!(lab.allow_shrink().removed, 20);
    assert_eq!(served(&mut lab, 0..30), 10);
    lab.fine();
    assert_eq!(lab.allow_shrink().removed, 0);
}

#[test]
fn held_tenants_come_back_when_they_are_defined_again_in_whatever_form() {
    let mut lab = Lab::with_tenants(30);
    remove(&mut lab, 0..20);
    let bulk: String = (0..10).map(|i| line(&format!("t{i}.example"), "us")).collect();
    lab.write(&[(&at("bulk.ndjson"), &bulk)]);
    assert_eq!(lab.address("t0-example"), "192.0.2.26");
    assert_eq!(lab.standing("t0.example"), Some(Standing::Served));
    assert_eq!(lab.standing("t15.example"), Some(Standing::Held));
    assert_eq!(lab.allow_shrink().removed, 10);
}

#[test]
fn a_permitted_removal_does_not_count_and_is_permitted_once() {
    let mut lab = Lab::with_tenants(30);
    let permit = |lab: &mut Lab, i: usize| {
        let zone = lab.world.zones.get_mut(&name(ZONE)).expect("the zone");
        zone.tenants.permit_removal(&format!("t{i}.example"));
    };
    for i in 0..15 {
        permit(&mut lab, i);
        assert_eq!(remove(&mut lab, i..i + 1), (1, 0));
    }
    assert_eq!(remove(&mut lab, 15..25), (10, 0), "the others did not count");
    lab.write(&[(&at("t0.example.toml"), &toml("t0.example", "eu"))]);
    assert_eq!(remove(&mut lab, 0..1), (0, 1), "used up");
}

#[test]
fn what_is_held_survives_a_restart() {
    let mut lab = Lab::with_tenants(30);
    remove(&mut lab, 0..20);
    lab.restart();
    assert_eq!(served(&mut lab, 0..30), 30);
    assert_eq!(lab.standing("t0.example"), Some(Standing::Held));
    assert_eq!(lab.allow_shrink().removed, 20);
}

#[test]
fn nobody_takes_the_name_of_a_held_tenant_until_it_is_released() {
    let mut lab = Lab::with_tenants(30);
    remove(&mut lab, 0..20);
    lab.write(&[(&at("new.toml"), &with_endpoint("new.example", "us", "t0-example"))]);
    assert_eq!(lab.address("t0-example"), "192.0.2.25");
    assert!(lab.reasons("new.example").join("").contains("a file that is gone"), "{:?}", lab.reasons("new.example"));
    lab.allow_shrink();
    assert_eq!(lab.address("t0-example"), "192.0.2.26");
    lab.fine();
}

#[test]
fn tenants_whose_names_go_to_others_count_as_removed() {
    let mut lab = Lab::with_tenants(30);
    let bulk: String =
        (0..20).map(|i| line_with_endpoint(&format!("n{i}.example"), "us", &format!("t{i}-example"))).collect();
    let gone = paths(0..20);
    let mut batch: Vec<(&str, Option<&str>)> = gone.iter().map(|path| (path.as_str(), None)).collect();
    let path = at("bulk.ndjson");
    batch.push((&path, Some(&bulk)));
    assert_eq!(lab.change(&batch).held, 20);
    assert_eq!(served(&mut lab, 0..30), 30);
    lab.allow_shrink();
    assert_eq!(lab.address("t3-example"), "192.0.2.26");
    lab.fine();
}

#[test]
fn endpoints_that_change_in_numbers_are_answered_under_both_names_until_released() {
    let mut lab = Lab::with_tenants(30);
    let files: Vec<(String, String)> = (0..20)
        .map(|i| (tenant_file(i, "eu").0, with_endpoint(&format!("t{i}.example"), "eu", &format!("n{i}"))))
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert_eq!(lab.write(&files).held, 20);
    assert_eq!((lab.address("t3-example"), lab.address("n3")), ("192.0.2.25".to_owned(), "192.0.2.25".to_owned()));
    lab.restart();
    assert_eq!((lab.address("t3-example"), lab.address("n3")), ("192.0.2.25".to_owned(), "192.0.2.25".to_owned()));
    lab.allow_shrink();
    assert_eq!(lab.address("t3-example"), "NXDOMAIN");
    lab.fine();
}
