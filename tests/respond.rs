//! Questions and the replies that the RFCs ask for, as text in `tests/respond/`.
//!
//! A file holds worlds (`zone`, `tenants`, `pools`, `unavailable`; `world` begins another one) and cases: `? NAME TYPE
//! option…`, and indented below it the reply. Signatures are shown without what changes (`RRSIG(TYPE) ZONE/KEY LABELS`,
//! with ` of TTL` where the signed TTL is another), but hickory-proto verifies each. Every case is asked twice, so that
//! the reply from the memo is seen too.

#[path = "support/support.rs"]
mod support;

use mxseal::answer::{Effort, Transport};
use std::fmt::Write;
use support::ask::{Back, Edns, Question};
use support::cut::assert_cut;
use support::message::Message;
use support::verify::verify;
use support::world::{Block, World, blocks, build};

fn run(file: &str, text: &str) -> (usize, String) {
    let (mut cases, mut faults) = (0, String::new());
    let all = blocks(text);
    for blocks in all.split(|block| block.head == "world") {
        let (questions, parts): (Vec<&Block>, Vec<&Block>) =
            blocks.iter().partition(|block| block.head.starts_with('?'));
        let world = build(parts);
        for question in questions {
            cases += 1;
            if let Err(fault) = case(question, &world) {
                write!(faults, "\n{file}:{}: {}\n{fault}\n", question.line, question.head).expect("a string grows");
            }
        }
    }
    (cases, faults)
}

fn case(block: &Block, world: &World) -> Result<(), String> {
    let question = Question::parse(block.head.trim_start_matches('?').trim());
    let expected: Vec<String> =
        block.body.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for time in ["first", "second"] {
        let found = match question.ask(&world.snapshot) {
            Back::Silence => "silence".to_owned(),
            Back::Deferred => "deferred".to_owned(),
            Back::Reply(octets) => shown(&question, &octets, world)?,
        };
        if found.lines().collect::<Vec<_>>() != expected {
            return Err(format!("  {time} reply:\n    {}", found.replace('\n', "\n    ")));
        }
    }
    Ok(())
}

fn shown(question: &Question, octets: &[u8], world: &World) -> Result<String, String> {
    let message = Message::decode(octets);
    let echoed = message.question.is_empty() || message.question == question.octets();
    if !echoed || message.id != 0xabcd || octets.len() > question.limit() {
        return Err("  question or ID are not repeated, or the reply is too long".to_owned());
    }
    verify(octets, world, question.now, question.qtype == 46)?;
    Ok(message.print(world))
}

/// Every question of a file at every size that cuts its reply, over UDP: whole RRsets, TC where one that is needed is left
/// out, and OPT kept (CVE-2016-2776).
fn truncate(file: &str, text: &str) -> usize {
    let (mut cuts, all) = (0, blocks(text));
    for blocks in all.split(|block| block.head == "world") {
        let is_part = |block: &&Block| !block.head.starts_with('?');
        let world = build(blocks.iter().filter(is_part));
        for block in blocks.iter().filter(|block| block.head.starts_with("? ")) {
            let question = Question { effort: Effort::Sign, ..Question::parse(block.head.trim_start_matches('?')) };
            for loaded in [false, true] {
                let edns = Edns { size: 1232, nsid: loaded, cookie: loaded, ..question.edns.unwrap_or_default() };
                let at = |size: u16| Question {
                    edns: Some(Edns { size, ..edns }),
                    transport: Transport::Udp,
                    ..question.clone()
                };
                let unlimited = Question { transport: Transport::Encrypted, ..at(1232) };
                let Back::Reply(whole) = unlimited.ask(&world.snapshot) else { continue };
                for size in 512..u16::try_from(whole.len()).unwrap_or(1233).min(1233) {
                    let cut = at(size).reply(&world.snapshot);
                    let context = format!("{file}:{} at {size} octets", block.line);
                    let octets = (cut.len(), usize::from(size));
                    assert_cut(&Message::decode(&whole), &Message::decode(&cut), octets, &context);
                    cuts += 1;
                }
            }
        }
    }
    cuts
}

macro_rules! files {
    ($($name:ident $file:literal)*) => {
        #[test]
        fn replies_are_cut_between_rrsets_at_every_size() {
            let cuts = [$(truncate($file, include_str!(concat!("respond/", $file)))),*];
            assert!(cuts.iter().sum::<usize>() > 1000, "{cuts:?}");
        }
    $(
        #[test]
        fn $name() {
            let (cases, faults) = run($file, include_str!(concat!("respond/", $file)));
            assert!(cases > 0 && faults.is_empty(), "{cases} cases\n{faults}");
        }
    )*};
}

files! {
    wildcards_answer_as_rfc_4592_says "wildcards.txt"
    tenants_answer_as_the_design_says "tenants.txt"
    aliases_are_followed_as_rfc_1034_and_rfc_6672_say "aliases.txt"
    delegations_refer_as_rfc_4035_and_rfc_9824_say "delegations.txt"
    zones_and_their_apexes_answer_as_rfc_4035_says "zones.txt"
    messages_are_refused_as_the_rfcs_say "messages.txt"
    hosts_come_with_the_records_that_name_them "hosts.txt"
    long_names_answer_as_short_ones_do "names.txt"
    bugs_that_others_had_are_not_ours "history.txt"
    work_is_limited_and_signatures_end "effort.txt"
}
