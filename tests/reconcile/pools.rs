//! Pools: by reference, last good, and never gone while tenants use them.

use crate::lab::*;
use mxseal::world::pools::PoolState;
use mxseal::world::tenants::Standing;
use std::sync::Arc;

fn state(lab: &Lab, pool: &str) -> Option<PoolState> {
    lab.world.pools.reports().find(|report| report.name == pool).map(|report| report.state)
}

fn pool(name: &str, address: &str) -> String {
    format!("[{name}]\naddresses = [\"{address}\"]\ntlsa = [\"3 1 1 {}\"]\n", "ab".repeat(32))
}

#[test]
fn a_change_of_a_pool_changes_all_its_tenants_and_none_of_their_objects() {
    let mut lab = Lab::with_tenants(50);
    let before = lab.tenant("t7.example").expect("served");
    let done = lab.write(&[("pools.toml", &POOLS.replace("192.0.2.25", "192.0.2.77"))]);
    assert_eq!(done.changed, 0);
    assert_eq!(lab.address("t7-example"), "192.0.2.77");
    assert!(Arc::ptr_eq(&before, &lab.tenant("t7.example").expect("served")));
}

#[test]
fn tenants_may_come_before_the_pools_and_before_the_zone() {
    let mut lab = Lab::empty();
    lab.write(&[(&at("x.toml"), &toml("x.example", "eu"))]);
    assert_eq!(lab.address("x-example"), "SERVFAIL", "its zone should be served, and is not there");
    lab.write(&[("a.mx.example.zone", MASTER)]);
    assert_eq!(lab.address("x-example"), "NXDOMAIN");
    assert_eq!(lab.codes(), ["MX3205"], "there is no file of pools");
    lab.write(&[("pools.toml", POOLS)]);
    assert_eq!(lab.address("x-example"), "192.0.2.25");
    lab.fine();
}

#[test]
fn an_unknown_pool_names_the_nearest_and_keeps_the_last_good_answer() {
    let mut lab = Lab::with_tenants(1);
    lab.write(&[(&at("t0.example.toml"), &toml("t0.example", "eux"))]);
    assert_eq!(lab.address("t0-example"), "192.0.2.25");
    assert_eq!(lab.standing("t0.example"), Some(Standing::LastGood));
    assert!(lab.reasons("t0.example").join("").contains("did you mean `eu`"), "{:?}", lab.reasons("t0.example"));
    lab.write(&[("pools.toml", &format!("{POOLS}{}", pool("eux", "192.0.2.50")))]);
    assert_eq!(lab.address("t0-example"), "192.0.2.50");
    lab.fine();
}

#[test]
fn a_broken_pool_keeps_its_records_and_the_others_change() {
    let mut lab = Lab::with_tenants(1);
    lab.write(&[(&at("u.toml"), &toml("u.example", "us"))]);
    let broken = POOLS.replace("[\"192.0.2.25\"]", "[\"nonsense\"]").replace("192.0.2.26", "192.0.2.66");
    lab.write(&[("pools.toml", &broken)]);
    assert_eq!([lab.address("t0-example"), lab.address("u-example")], ["192.0.2.25", "192.0.2.66"]);
    assert_eq!(state(&lab, "eu"), Some(PoolState::LastGood));
    lab.restart();
    assert_eq!([lab.address("t0-example"), lab.address("u-example")], ["192.0.2.25", "192.0.2.66"]);
    lab.write(&[("pools.toml", POOLS)]);
    assert_eq!(state(&lab, "eu"), Some(PoolState::Served));
    lab.fine();
}

#[test]
fn a_broken_or_missing_file_keeps_all_pools_over_a_restart() {
    for text in [Some("[eu\n"), None] {
        let mut lab = Lab::with_tenants(1);
        lab.change(&[("pools.toml", text)]);
        assert_eq!(lab.address("t0-example"), "192.0.2.25");
        assert_eq!(state(&lab, "us"), Some(PoolState::LastGood));
        lab.restart();
        assert_eq!(lab.address("t0-example"), "192.0.2.25", "{text:?}");
        lab.write(&[("pools.toml", POOLS)]);
        lab.fine();
    }
}

#[test]
fn a_pool_that_is_used_does_not_go_and_goes_with_its_last_tenant() {
    let mut lab = Lab::with_tenants(2);
    let only_us = POOLS.get(POOLS.find("[us]").expect("it is there")..).expect("a part");
    lab.write(&[("pools.toml", only_us)]);
    assert_eq!(lab.address("t0-example"), "192.0.2.25");
    assert!(
        lab.world.findings().iter().any(|f| f.code == "MX3202" && f.message.contains("2 tenants")),
        "{:?}",
        lab.codes()
    );
    lab.restart();
    assert_eq!(lab.address("t0-example"), "192.0.2.25");
    lab.write(&[(&at("t0.example.toml"), &toml("t0.example", "us"))]);
    assert!(lab.world.findings().iter().any(|f| f.message.contains("1 tenant uses")), "the number is that of now");
    lab.remove(&[&at("t1.example.toml")]);
    assert_eq!(state(&lab, "eu"), None);
    lab.fine();
    lab.write(&[(&at("t1.example.toml"), &toml("t1.example", "eu"))]);
    assert_eq!(lab.codes(), ["MX4204"]);
}

#[test]
fn a_pool_that_nobody_uses_goes_at_once_and_does_not_come_back_from_the_disk() {
    let mut lab = Lab::with_tenants(1);
    lab.write(&[("pools.toml", "[eu\n")]);
    let kept = lab.last_good();
    let only_eu = POOLS.get(..POOLS.find("[us]").expect("it is there")).expect("a part");
    lab.memory.files.insert("pools.toml".to_owned(), only_eu.as_bytes().to_vec());
    lab.start_fresh();
    lab.restore(&kept, Some(&kept.pools));
    lab.memory.settle(&mut lab.world);
    assert_eq!(state(&lab, "us"), None);
    lab.fine();
}

#[test]
fn a_certificate_that_cannot_be_read_keeps_the_pool_until_it_can() {
    let mut lab = Lab::with_tenants(0);
    let text = "[eu]\naddresses = [\"192.0.2.25\"]\ncertificates = [\"eu.pem\"]\n";
    lab.memory.certificates.insert("eu.pem".to_owned(), [1; 32]);
    lab.write(&[("pools.toml", text), (&at("x.toml"), &toml("x.example", "eu"))]);
    let tlsa =
        |lab: &mut Lab| lab.ask("_25._tcp.x-example.a.mx.example", "TLSA").get(..25).unwrap_or_default().to_owned();
    assert_eq!(tlsa(&mut lab), "NOERROR TLSA 3 1 1 010101");
    lab.memory.certificates.clear();
    lab.refresh_certificates();
    lab.memory.settle(&mut lab.world);
    assert_eq!((tlsa(&mut lab).as_str(), lab.codes()), ("NOERROR TLSA 3 1 1 010101", vec!["MX3201"]));
    lab.restart();
    assert_eq!(tlsa(&mut lab), "NOERROR TLSA 3 1 1 010101", "over a restart");
    lab.memory.certificates.insert("eu.pem".to_owned(), [2; 32]);
    lab.refresh_certificates();
    assert!(lab.memory.settle(&mut lab.world));
    assert_eq!(tlsa(&mut lab), "NOERROR TLSA 3 1 1 020202");
    lab.fine();
}

#[test]
fn certificates_are_followed_although_the_file_of_pools_is_broken() {
    let mut lab = Lab::with_tenants(0);
    let text = "[eu]\naddresses = [\"192.0.2.25\"]\ncertificates = [\"eu.pem\"]\n";
    lab.memory.certificates.insert("eu.pem".to_owned(), [1; 32]);
    lab.write(&[("pools.toml", text), (&at("x.toml"), &toml("x.example", "eu"))]);
    for broken in ["[eu\n", "[eu]\naddresses = [\"nonsense\"]\n"] {
        lab.write(&[("pools.toml", broken)]);
        let next = if broken.ends_with("[eu\n") { 2 } else { 3 };
        lab.memory.certificates.insert("eu.pem".to_owned(), [next; 32]);
        lab.refresh_certificates();
        lab.memory.settle(&mut lab.world);
        let answer = lab.ask("_25._tcp.x-example.a.mx.example", "TLSA");
        assert!(answer.starts_with(&format!("NOERROR TLSA 3 1 1 0{next}0{next}")), "{answer}");
        assert_eq!(state(&lab, "eu"), Some(PoolState::LastGood));
    }
}

#[test]
fn addresses_of_tenants_own_beside_the_tlsa_of_a_pool_are_told_with_it() {
    let own = |address: &str, more: &str| format!("{}addresses = [\"{address}\"]\n{more}", toml("x.example", "eu"));
    let mut lab = Lab::new();
    let told = |lab: &Lab, pool: &str| -> Vec<String> {
        lab.memory.apart.get(pool).into_iter().flatten().map(ToString::to_string).collect()
    };
    lab.write(&[(&at("x.toml"), &own("192.0.2.90", ""))]);
    assert_eq!((told(&lab, "eu"), told(&lab, "us")), (vec!["192.0.2.90".to_owned()], Vec::new()));
    lab.restart();
    assert_eq!(told(&lab, "eu"), ["192.0.2.90"], "at a start, too");
    lab.write(&[(&at("x.toml"), &own("192.0.2.91", ""))]);
    assert_eq!(told(&lab, "eu"), ["192.0.2.91"]);
    for more in ["dane = false\n".to_owned(), format!("tlsa = [\"3 1 1 {}\"]\n", "5e".repeat(32))] {
        lab.write(&[(&at("x.toml"), &own("192.0.2.91", &more))]);
        assert!(told(&lab, "eu").is_empty(), "{more}");
        lab.write(&[(&at("x.toml"), &own("192.0.2.91", ""))]);
        assert_eq!(told(&lab, "eu"), ["192.0.2.91"]);
    }
    lab.remove(&[&at("x.toml")]);
    assert!(told(&lab, "eu").is_empty());
}
