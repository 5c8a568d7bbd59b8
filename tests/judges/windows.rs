//! Signatures that live for seconds: unbound never meets an old one, across many refreshes.

use super::fixture::{self, Unbound};
use crate::live::wire::*;
use crate::live::{World, has};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Signatures over data live for 6 to 10 seconds when made, over keys 8 to 12.
const SHORT: &str = r#"dnskey_ttl = "2s"
signature_life = "10s"
signature_grid = "4s"
inception_before = "1h"
dnskey_life = "12s"
dnskey_refresh = "8s"
margin = "0s"
"#;

/// Ends that each kind of signature must have shown before the test is content.
const ENDS: usize = 4;

/// The server's clock runs in milliseconds of its own, so it may be one or two behind at the turn of a second.
const BEHIND: Duration = Duration::from_millis(5);

fn now() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - BEHIND;
    u32::try_from(now.as_secs()).unwrap()
}

/// Every class of answer, with whether it is data.
const QUESTIONS: &[(&str, u16, bool)] = &[
    ("mx.example", SOA, true),
    ("mx.example", DNSKEY, true),
    ("mx.example", CDS, true),
    ("www.mx.example", A, true),
    ("www.mx.example", MX, false),
    ("absent.mx.example", A, false),
    ("x.wild.mx.example", A, true),
    ("a-v1.mx.example", DS, true),
    ("a-v1.mx.example", DNSKEY, true),
    ("contoso-com.a-v1.mx.example", A, true),
    ("_25._tcp.contoso-com.a-v1.mx.example", TLSA, true),
    ("_tcp.contoso-com.a-v1.mx.example", TLSA, false),
    ("absent.a-v1.mx.example", A, false),
    ("toshard.mx.example", AAAA, true),
    ("contoso-com.red.mx.example", A, true),
    ("plain.mx.example", DS, false),
];

#[test]
fn unbound_validates_without_a_gap_while_windows_of_seconds_turn() {
    if !has("unbound") {
        return;
    }
    let world = World::new();
    fixture::write(&world, "");
    let policies = format!("{}\n[policy.registry]\n{SHORT}[policy.shard]\n{SHORT}", fixture::CONFIG);
    world.write("mxseal.toml", &policies);
    let _server = world.serve("mx.example");
    world.write("anchors", &world.ds("mx.example"));
    let unbound = fixture::unbound(&world, Unbound { aggressive: true, ..Unbound::default() });
    let mut ends: BTreeMap<(String, u16), BTreeSet<u32>> = BTreeMap::new();
    let until = Instant::now() + Duration::from_secs(90);
    let mut least = u32::MAX;
    while ends.len() < 12 || ends.iter().any(|((_, covered), seen)| *covered != NSEC && seen.len() < ENDS) {
        assert!(Instant::now() < until, "signatures do not move: {ends:?}");
        for (name, rtype, data) in QUESTIONS {
            let before = now();
            let reply = Ask::of(name, *rtype).tcp().send(world.at(0));
            for (owner, covered, end, ttl) in reply.signatures() {
                assert!(end > before, "{owner} {covered}: ends at {end}, asked at {before}");
                let left = end - before;
                least = least.min(left);
                let mut covers = reply.all().filter(|record| record.owner == owner && record.rtype == covered);
                assert!(
                    covers.all(|record| record.ttl == ttl && ttl <= left),
                    "{name} {rtype}: {left} left: {reply:?}"
                );
                ends.entry((owner, covered)).or_default().insert(end);
            }
            let through = Ask::recursive(name, *rtype).send(world.at(1));
            let good = through.rcode == NOERROR && through.ad && through.has(*rtype) == *data;
            assert!(good, "{name} {rtype} at {before}: {through:?}\n{}", unbound.log());
        }
        wait_a_moment();
    }
    // Never below what the grid and its grace leave.
    assert!(least >= 5, "a signature had {least} s left");
    assert!(!unbound.log().contains("validation failure"), "{}", unbound.log());
}

/// Between two rounds of questions: the loop ends by what it has seen.
fn wait_a_moment() {
    std::thread::sleep(Duration::from_millis(50));
}
