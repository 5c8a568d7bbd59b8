//! Replies of foreign servers: whatever they are made into, they say the truth about a DS or nothing.
//!
//! The seeds are what Knot answered for `example.`, which has two DS for `mx` and proves by opt-out that `plain` has none.

use mxseal::dns::name::{Name, ROOT};
use mxseal::dns::rtype::number as rt;
use mxseal::observe::dsync::Dsync;
use mxseal::resolve::anchors::Anchors;
use mxseal::resolve::chain;
use mxseal::resolve::message::{QUERY, Question, decode};
use mxseal::resolve::proved::ProvedKeys;
use mxseal::resolve::walk::step;
use mxseal::time::UnixTime;
use std::sync::LazyLock;

const ANCHOR: &str = "example. DS 9976 13 2 673259c0cbc19ee52f3cc47bbcfccb256c2890e4e6a279ee3d24c26c43ed4bfe";
const DNSKEY: &[u8] = include_bytes!("../corpus/reply/dnskey");
const DS: &[u8] = include_bytes!("../corpus/reply/ds");
const OPT_OUT: &[u8] = include_bytes!("../corpus/reply/opt-out");
/// When the seeds were made.
const NOW: UnixTime = UnixTime(1_795_648_237);

static KEYS: LazyLock<ProvedKeys> = LazyLock::new(|| keys(DNSKEY).expect("the seed as it was made"));

fn question(octets: &[u8], text: &str, rtype: u16) -> Question {
    let id = octets.first_chunk().map_or(0, |id| u16::from_be_bytes(*id));
    Question { id, opcode: QUERY, name: Name::parse(text, ROOT).expect("a name"), rtype }
}

fn keys(octets: &[u8]) -> Option<ProvedKeys> {
    let question = question(octets, "example.", rt::DNSKEY);
    let (_, trusted) = Anchors::parse(ANCHOR).expect("an anchor").start(&question.name).expect("its zone");
    chain::keys(&decode(octets, &question).ok()?, &question.name, &trusted, NOW).ok()
}

/// A reply to each of three questions.
pub fn reply(octets: &[u8]) {
    if let Some(keys) = keys(octets) {
        assert_eq!(keys, *KEYS, "only what the anchor vouches for");
    }
    for (child, count, seed) in [("mx.example.", 2, DS), ("plain.example.", 0, OPT_OUT)] {
        let question = question(octets, child, rt::DS);
        let Ok(message) = decode(octets, &question) else { continue };
        step(&message, ROOT, &question.name, rt::DS);
        match chain::ds(&message, &question.name, &KEYS, NOW) {
            Ok(seen) => {
                assert_eq!(seen.ds.len(), count, "{child}");
                assert!(seen.expires > NOW && seen.inception <= NOW);
            }
            Err(why) => assert!(octets != seed, "{child}: {why}"),
        }
    }
    if let Some(dsync) = Dsync::read(octets) {
        assert_eq!(Dsync::read(&dsync.data()), Some(dsync));
    }
}
