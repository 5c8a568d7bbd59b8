//! Journals that become long are told of while there is time, and one that is full is helped as the finding says.

use super::pasts::{journals, started, tlsa};
use crate::server::*;
use mxseal::cert::Spki;
use mxseal::roll::hosts::facts::Origin;
use mxseal::roll::hosts::{self, fold::PoolFacts};
use mxseal::roll::life::Facts;
use mxseal::roll::zone::facts;
use mxseal::store::journal::{ZoneFacts, decode_as, encode};
use std::fs;
use std::path::Path;

const OCTETS_MAX: usize = 16 * 1024 * 1024;

/// Adds facts with long reasons to a journal and its copy, up to so many octets: not one more finds room.
fn fill<F: Facts>(journals: &[impl AsRef<Path>], octets: usize, fact: impl Fn(&F) -> F::Fact) {
    let mut content = fs::read(journals.first().expect("one").as_ref()).expect("read");
    let Ok(mut told) = decode_as::<F>(&content).map(|decoded| decoded.facts) else { panic!("it is whole") };
    loop {
        let record = told.next_record(fact(&told), mxseal::time::wall());
        let line = encode(&record).into_bytes();
        if content.len() + line.len() > octets {
            break;
        }
        told.apply(&record).expect("it follows");
        content.extend(line);
    }
    journals.iter().for_each(|journal| fs::write(journal.as_ref(), &content).expect("written"));
}

/// The finding is there from half of the octets on, and not before.
fn is_told(server: &Server, code: &str, octets: usize) {
    let is_there = |server: &Server| server.codes().contains(&code.to_owned());
    match octets > OCTETS_MAX / 2 {
        true => server.until("it is told", is_there),
        false => assert!(!is_there(server), "{octets} octets"),
    }
}

fn reason() -> String {
    "somebody says so again ".repeat(44)
}

#[test]
fn a_pools_journal_is_told_of_from_half_on_and_a_full_one_is_begun_anew_as_the_finding_says() {
    let (mut server, _, next) = started();
    assert!(!server.codes().contains(&"MX5612".to_owned()));
    let before = tlsa(&server);
    // That a key was given up is never left out.
    let spki = Spki::of(b"of long ago");
    let fact = |facts: &PoolFacts| match facts.has_known(spki) {
        true => hosts::facts::Fact::KeyGivenUp { spki, emergency: false, reason: reason() },
        false => hosts::facts::Fact::KeyKnown { spki, kind: None, origin: Origin::Given, file: String::new() },
    };
    for (octets, is_full) in [(OCTETS_MAX / 2 - 2048, false), (OCTETS_MAX / 2 + 8192, false), (OCTETS_MAX, true)] {
        server.stop();
        fill::<PoolFacts>(&journals(&server), octets, fact);
        server.start();
        server.eventually("x-example", EU);
        is_told(&server, "MX5612", octets);
        assert_eq!(tlsa(&server), before);
        if is_full {
            let refused = server.run(&["cert", "drop", "eu", "--key", &next, "--reason", &reason()]);
            assert!(refused.code != Some(0) && refused.err.contains("would grow past"), "{}", refused.err);
        }
    }
    server.stop();
    journals(&server).iter().for_each(|journal| fs::rename(journal, journal.with_extension("old")).expect("moved"));
    server.start();
    server.eventually("x-example", EU);
    assert_eq!(tlsa(&server), before, "what was published goes on");
    server.run(&["cert", "resume", "eu", "--reason", "its journal was full"]).ends(0);
    assert!(!server.codes().contains(&"MX5612".to_owned()));
    server.run(&["cert", "drop", "eu", "--key", &next, "--reason", &reason()]).ends(0);
    server.eventually("x-example", EU);
}

#[test]
fn a_zones_journal_is_told_of_from_half_on_and_the_zone_is_served() {
    let mut server = Server::started();
    let dnskey = server.ask("mx.example", "DNSKEY");
    let files = ["journal", "copy/journal"].map(|name| server.path(&format!("keys/mx.example/{name}")));
    for octets in [OCTETS_MAX / 2 - 2048, OCTETS_MAX / 2 + 8192] {
        server.stop();
        fill::<ZoneFacts>(&files, octets, |_| facts::Fact::Resumed { reason: reason() });
        server.start();
        server.eventually("x-example", EU);
        is_told(&server, "MX5516", octets);
        assert_eq!(server.ask("mx.example", "DNSKEY"), dnskey);
    }
    server.run(&["keys", "hold", "mx.example", "--reason", "a look"]).ends(0);
}
