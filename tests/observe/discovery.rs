//! The parent found from the root down, and trusted from the root's key down.

use super::relay::udp;
use super::zones::{DS, Denial, ds_data, example, knot, name, round_of, ways};
use crate::live::{PORT, Running, World, has};
use mxseal::observe::holders::holders;
use mxseal::resolve::walk::{Walk, Ways};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
fn who_serves_a_zone_is_found_from_the_root_or_from_a_configured_parent() {
    let net = net(true);
    let found = |zone: &str, parents: &[SocketAddr]| holders(&mut Walk::new(&from_root(&net)), &name(zone), parents);
    let at = net.example.at(0);
    assert_eq!(found("example.", &[]), Ok(vec![at]));
    assert_eq!(found("example.", &[net.root.at(0)]), Ok(vec![at]));
    // Its own delegation leads to the same server, which does not serve it.
    assert!(found("mx.example.", &[]).is_err_and(|why| why.contains("no server of mx.example.")), "lame");
    let why = found("nowhere.example.", &[]).expect_err("no such zone");
    assert!(why.contains(&at.to_string()) && why.contains("no delegation of nowhere.example."), "{why}");
    let nobody = net.silent.at(0);
    let why = found("example.", &[nobody]).expect_err("nobody is there");
    assert!(why.contains(&nobody.to_string()), "{why}");
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

/// The reply that others know more: the servers of `zone` are `server`, with an address where it is told.
fn referral(question: &[u8], zone: &[u8], server: &[u8], glue: Option<Ipv4Addr>) -> Vec<u8> {
    let mut reply = question[..question.len() - 11].to_vec();
    reply[2] = 0x80;
    reply[9] = 1;
    reply[11] = u8::from(glue.is_some());
    let record = |owner: &[u8], rtype: u8, data: &[u8]| {
        let length = u8::try_from(data.len()).unwrap();
        [owner, &[0, rtype, 0, 1, 0, 0, 0, 60, 0, length], data].concat()
    };
    reply.extend(record(zone, 2, server));
    reply.extend(glue.into_iter().flat_map(|ip| record(server, 1, &ip.octets())));
    reply
}

/// A liar for a root: what comes of it, and how many questions it got.
fn lied_to(child: &str, lie: impl Fn(&[u8], usize) -> Vec<u8> + Send + 'static) -> (String, usize) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let at = udp(move |question| vec![lie(question, counted.fetch_add(1, Ordering::Relaxed))]);
    let ways = Ways { hints: vec![IpAddr::from(Ipv4Addr::LOCALHOST)], port: at.port(), ..ways() };
    let round = round_of(child, &[], &format!(". DS 1 13 2 {}", "00".repeat(32)), &ways);
    assert!(round.asked.is_empty() && !round.is_complete());
    (round.missing[0].why.clone(), count.load(Ordering::Relaxed))
}

#[test]
fn referrals_without_end_are_followed_only_so_far() {
    let (why, count) = lied_to(&"a.".repeat(40), |question, nth| {
        let zone = name(&"a.".repeat(nth + 1));
        let server = [&b"\x02ns"[..], &zone].concat();
        referral(question, &zone, &server, Some(Ipv4Addr::LOCALHOST))
    });
    assert!(why.contains("more than 16 referrals") && count == 16, "{count}: {why}");
}

#[test]
fn servers_that_are_known_only_by_ever_more_names_are_given_up() {
    let (why, count) = lied_to("mx.example.", |question, nth| {
        // The top of the name that is asked for, served by a name under yet another top.
        let labels: Vec<&[u8]> = mxseal::dns::name::labels(&question[12..]).collect();
        let top = [&[u8::try_from(labels.last().unwrap().len()).unwrap()], *labels.last().unwrap(), &[0]].concat();
        referral(question, &top, &name(&format!("ns.top{nth}.")), None)
    });
    assert!(why.contains("no address of a server of example."), "{why}");
    assert!(count < 100, "{count}");
}

#[test]
fn a_referral_that_leads_back_up_is_no_way() {
    let (why, count) =
        lied_to("mx.example.", |question, _| referral(question, &name("."), &name("ns."), Some(Ipv4Addr::LOCALHOST)));
    assert!(why.contains("it is no authority for .") && count == 1, "{count}: {why}");
}
