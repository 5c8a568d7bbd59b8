//! Provisioning beside a load, and through kill -9: the answers are the folder's content, and the keys stay.

use super::fixture::{self, Unbound};
use crate::live::wire::*;
use crate::live::{Dice, World, has, poll};
use std::collections::BTreeMap;
use std::time::Duration;

const APEX: &str = "a-v1.mx.example";

fn endpoint(domain: &str) -> String {
    format!("{}.{APEX}", domain.replace('.', "-"))
}

/// The last octet of the address that a tenant's file gives it.
fn tenant(domain: &str, octet: usize) -> String {
    format!("domain = \"{domain}\"\npool = \"eu-1\"\naddresses = [\"203.0.113.{octet}\"]\n")
}

fn line(domain: &str, octet: usize) -> String {
    format!("{{\"domain\":\"{domain}\",\"pool\":\"eu-1\",\"addresses\":[\"203.0.113.{octet}\"]}}\n")
}

fn answers_octet(world: &World, domain: &str, octet: Option<usize>) -> bool {
    let reply = Ask::of(&endpoint(domain), A).flags(0xc000).send(world.at(0));
    let found = reply.answer.iter().find(|record| record.rtype == A).map(|record| usize::from(record.data[3]));
    found == octet && (octet.is_some() == (reply.rcode == NOERROR))
}

#[test]
fn no_query_is_lost_while_tenants_are_renamed_in() {
    if !has("dnsperf") {
        return;
    }
    let world = World::new();
    fixture::write(&world, "");
    let _server = world.serve("mx.example");
    let mut queries = String::new();
    for name in ["contoso-com", "fabrikam-com", "own-example"] {
        queries +=
            &format!("{name}.{APEX} A\n_25._tcp.{name}.{APEX} TLSA\n{name}.{APEX} AAAA\nabsent-{name}.{APEX} A\n");
    }
    world.write("queries", &queries);
    let ip = world.ip.to_string();
    let args =
        ["-s", &ip, "-p", "5300", "-d", "queries", "-D", "-l", "4", "-c", "4", "-q", "40", "-Q", "3000", "-t", "10"];
    let mut load = world.start("dnsperf", "dnsperf", &args);
    for round in 0..60 {
        let domain = format!("added-{round}.example");
        world.write(&format!("zones/{APEX}/added/{domain}.toml"), &tenant(&domain, round));
        poll("the new tenant", || answers_octet(&world, &domain, Some(round)).then_some(()));
        if round % 3 == 0 {
            world.write(&format!("zones/{APEX}/added/{domain}.toml"), &tenant(&domain, 200));
            poll("the changed tenant", || answers_octet(&world, &domain, Some(200)).then_some(()));
        }
        // Nine in all: more within a minute would be held back.
        if round % 7 == 0 {
            world.remove(&format!("zones/{APEX}/added/{domain}.toml"));
            poll("its end", || answers_octet(&world, &domain, None).then_some(()));
        }
    }
    let said = load.finish();
    let number = |what: &str| -> u64 {
        let line = said.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("no {what} in {said}"));
        line.split_whitespace().find_map(|word| word.parse().ok()).unwrap()
    };
    let (sent, lost) = (number("Queries sent:"), number("Queries lost:"));
    assert!(sent > 1000, "{said}");
    // Sockets may drop a datagram on a busy machine.
    assert!(lost * 1000 <= sent, "{said}");
    assert!(said.contains("NOERROR ") && !said.contains("SERVFAIL") && !said.contains("REFUSED"), "{said}");
}

#[test]
fn kill_9_at_any_moment_of_provisioning_loses_nothing() {
    if !has("unbound") {
        return;
    }
    let world = World::new();
    fixture::write(&world, "");
    let mut server = world.serve("mx.example");
    let anchor = world.ds("mx.example");
    world.write("anchors", &anchor);
    let mut dice = Dice(0x5eed_0009);
    let mut folder: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..8 {
        // A few hundred tenants, one file each or many in one; the kill comes somewhere among them.
        let kill_at = dice.below(48);
        for step in 0..48 {
            if step == kill_at {
                server.kill();
            }
            let octet = dice.below(250);
            if dice.below(4) == 0 {
                let file = format!("bulk-{}", dice.below(12));
                let domains = (0..6).map(|at| format!("t{at}.{file}.example"));
                let lines: String = domains
                    .map(|domain| {
                        folder.insert(domain.clone(), octet);
                        line(&domain, octet)
                    })
                    .collect();
                world.write(&format!("zones/{APEX}/{file}.ndjson"), &lines);
            } else {
                let domain = format!("one-{}.example", dice.below(220));
                world.write(&format!("zones/{APEX}/deep/{domain}.toml"), &tenant(&domain, octet));
                folder.insert(domain, octet);
            }
        }
        server = world.serve("mx.example");
        for (domain, octet) in &folder {
            poll(&format!("{domain} in round {round}"), || answers_octet(&world, domain, Some(*octet)).then_some(()));
        }
        for domain in (0..220).map(|at| format!("one-{at}.example")).filter(|domain| !folder.contains_key(domain)) {
            assert!(answers_octet(&world, &domain, None), "{domain}");
        }
        assert_eq!(world.ds("mx.example"), anchor, "round {round}");
        let unbound = fixture::unbound(&world, Unbound { aggressive: round % 2 == 0, ..Unbound::default() });
        for (domain, octet) in folder.iter().step_by(7) {
            let reply = Ask::recursive(&endpoint(domain), A).send(world.at(1));
            assert!(
                reply.ad && reply.answer.iter().any(|r| r.rtype == A && usize::from(r.data[3]) == *octet),
                "{reply:?}"
            );
            let tlsa = Ask::recursive(&format!("_25._tcp.{}", endpoint(domain)), TLSA).send(world.at(1));
            assert!(tlsa.ad && tlsa.has(TLSA), "{tlsa:?}");
            assert!(Ask::recursive(&format!("no.{}", endpoint(domain)), A).send(world.at(1)).ad);
        }
        assert!(!unbound.log().contains("validation failure"), "{}", unbound.log());
    }
    assert!(folder.len() > 150, "{}", folder.len());
}

#[test]
fn a_second_server_on_the_same_keys_is_refused_and_names_the_first() {
    let world = World::new();
    fixture::write(&world, "");
    let server = world.serve("mx.example");
    let config = fixture::CONFIG.replace("5300", "5303").replace("5853", "5854");
    world.write("second.toml", &config);
    let second = world.run(crate::live::mxseal(), &["--config", "second.toml", "serve"]);
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(4), "{said}");
    let reply = Ask::of("mx.example", SOA).once(world.at(0), Duration::from_secs(5));
    assert!(reply.is_some_and(|reply| reply.rcode == NOERROR));
    let pid = server.pid();
    assert!(said.contains(&pid.to_string()), "{said}");
}

#[test]
fn a_start_answers_nothing_before_it_knows_its_zones() {
    let world = World::new();
    fixture::write(&world, "");
    // The files were written this moment: the first answer must come from them all the same.
    for round in 0..6 {
        let mut server = world.start("mxseal", crate::live::mxseal(), &["serve"]);
        let first =
            server.poll("a first answer", || Ask::of("mx.example", SOA).once(world.at(0), Duration::from_millis(30)));
        assert_eq!(first.rcode, NOERROR, "round {round}: {}", server.log());
        let tenant = Ask::of(&format!("contoso-com.{APEX}"), A).send(world.at(0));
        assert!(tenant.has(A), "round {round}: {tenant:?}");
        server.signal("TERM");
        server.finish();
        let parent = world.read("zones/mx.example.zone");
        std::fs::write(world.path("zones/mx.example.zone"), parent).unwrap();
    }
}
