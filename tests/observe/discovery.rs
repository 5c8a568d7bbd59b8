//! The parent found from the root down, and trusted from the root's key down.

use super::zones::{DS, Denial, ds_data, example, knot, name, round_of, ways};
use crate::live::{PORT, Running, World, has};
use mxseal::control::observe::walk::Ways;
use std::net::SocketAddr;

/// A root of one test, an `example.` on two addresses of which one may be silent, and the root's anchor.
struct Net {
    root: World,
    example: World,
    silent: World,
    anchor: String,
    anchor_of_example: String,
    _running: Vec<Running>,
}

fn net(root_has_ds: bool) -> Net {
    has("knotd");
    let (root, below, silent) = (World::new(), World::new(), World::new());
    let more = format!("@ NS ns2\nns2 A {}\n", silent.ip);
    let (example, anchor_of_example) = knot(&below, &[("example.", self::example(&below, &more))], Denial::Nsec);
    let ds = if root_has_ds { anchor_of_example.as_str() } else { "" };
    let text = format!(
        "$TTL 1d\n. IN SOA a.root. host.root. 1 4h 1h 2w 5m\n. NS a.root.\na.root. A {}\nexample. NS ns.example.\n\
         ns.example. A {}\n{ds}",
        root.ip, below.ip
    );
    let (top, anchor) = knot(&root, &[(".", text)], Denial::Nsec);
    Net { root, example: below, silent, anchor, anchor_of_example, _running: vec![example, top] }
}

fn from_root(net: &Net) -> Ways {
    Ways { hints: vec![net.root.ip.into()], ..ways() }
}

#[test]
fn every_address_of_the_parent_is_found_and_the_chain_begins_at_the_root() {
    let net = net(true);
    let round = round_of("mx.example.", &[], &net.anchor, &from_root(&net));
    assert_eq!(round.zone, Some(name("example.")), "{round:?}");
    let mut at = [net.example.at(0), net.silent.at(0)];
    at.sort();
    assert_eq!(round.asked.iter().map(|saw| saw.server).collect::<Vec<_>>(), at);
    for saw in &round.asked {
        // The second is named by the parent's own NS only; it is in the round with its fault.
        if saw.server == net.silent.at(0) {
            assert_eq!(saw.name_server, Some(name("ns2.example.")));
            assert!(saw.outcome.is_err());
        } else {
            assert_eq!(saw.outcome.as_ref().unwrap().ds, DS.map(ds_data));
        }
    }
    assert!(round.missing.is_empty() && !round.is_complete());
}

#[test]
fn the_root_itself_may_be_the_parent() {
    let net = net(true);
    let round = round_of("example.", &[], &net.anchor, &from_root(&net));
    assert_eq!(round.zone, Some(name(".")), "{round:?}");
    assert!(round.is_complete(), "{round:?}");
    let saw = &round.asked[0];
    assert_eq!((saw.server, saw.name_server.clone()), (net.root.at(0), Some(name("a.root."))));
    let text = net.anchor_of_example.split_once(" DS ").unwrap().1.trim();
    assert_eq!(saw.outcome.as_ref().unwrap().ds, [ds_data(text)]);
}

#[test]
fn configured_addresses_are_trusted_from_the_root_too() {
    let net = net(true);
    let round = round_of("mx.example.", &[net.example.at(0)], &net.anchor, &from_root(&net));
    assert!(round.is_complete(), "{round:?}");
}

#[test]
fn the_deepest_anchor_is_the_start_and_the_root_is_not_asked() {
    let net = net(true);
    let both = format!("{}{}", net.anchor, net.anchor_of_example);
    let round = round_of("mx.example.", &[net.example.at(0)], &both, &ways());
    assert!(round.is_complete(), "{round:?}");
    // A root that no key of is known spoils nothing then.
    let round = round_of("mx.example.", &[], &net.anchor_of_example, &from_root(&net));
    assert!(round.asked.iter().any(|saw| saw.outcome.is_ok()), "{round:?}");
}

#[test]
fn a_parent_that_the_root_proves_unsigned_is_not_believed() {
    let net = net(false);
    let round = round_of("mx.example.", &[net.example.at(0)], &net.anchor, &from_root(&net));
    let why = round.asked[0].outcome.clone().unwrap_err().to_string();
    assert!(why.contains("example. is not signed: . proves that it has no DS"), "{why}");
}

#[test]
fn where_no_root_answers_the_parent_is_missing_and_the_round_is_not_complete() {
    let world = World::new();
    let ways = Ways { hints: vec![world.ip.into()], ..ways() };
    let anchor = format!(". DS 1 13 2 {}", "00".repeat(32));
    let round = round_of("mx.example.", &[], &anchor, &ways);
    assert!(round.asked.is_empty() && !round.is_complete());
    let at = SocketAddr::from((world.ip, PORT)).to_string();
    assert!(round.missing[0].why.contains("was not found") && round.missing[0].why.contains(&at), "{round:?}");
}
