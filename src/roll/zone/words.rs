//! Steps, reasons and blockers in the words of operators: the same in commands, logs, plans and tests.

use super::check::{Conflict, KeySet};
use super::facts::Fact;
use super::fold::ZoneFacts;
use super::plan::{Awaited, Block, Blocker, Wait, Why};
use super::step::Step;
use crate::sign::key::Role;

/// A word for a kind of step, for JSON and metrics.
pub fn verb(step: &Step) -> &'static str {
    match step {
        Step::Create { .. } => "create",
        Step::Publish(_) => "publish",
        Step::Sign(_) => "sign",
        Step::Switch { .. } => "switch",
        Step::WantDs(_) => "want-ds",
        Step::Remove(_) => "remove",
        Step::StopSigning(_) => "stop-signing",
        Step::Destroy(_) => "destroy",
        Step::Retire(..) => "begin",
        Step::Unsign => "unsign",
    }
}

/// The tags that a step is about.
pub fn tags(step: &Step) -> Vec<u16> {
    match step {
        Step::Create { .. } | Step::Unsign => Vec::new(),
        Step::Publish(tag) | Step::Sign(tag) | Step::Remove(tag) | Step::StopSigning(tag) | Step::Destroy(tag) => {
            vec![*tag]
        }
        Step::Switch { from, to } => vec![*from, *to],
        Step::WantDs(tags) | Step::Retire(tags, _) => tags.clone(),
    }
}

/// Tags in one text, as logs have them: `39004 10661`.
pub fn tag_list(tags: &[u16]) -> String {
    tags.iter().map(u16::to_string).collect::<Vec<_>>().join(" ")
}

/// What a person's command recorded.
pub fn by_command(facts: &ZoneFacts, fact: &Fact) -> String {
    let keys = |tags: &[u16]| tags.iter().map(|tag| key(facts, *tag)).collect::<Vec<_>>().join(" and ");
    match fact {
        Fact::RollWanted { tags, emergency: false, .. } => format!("replace {}", keys(tags)),
        Fact::RollWanted { tags, emergency: true, .. } => format!("replace {} in an emergency", keys(tags)),
        Fact::RollTakenBack { tags } => format!("keep {}: the roll is taken back", keys(tags)),
        Fact::AlgorithmWanted { algorithm } => format!("go over to algorithm {algorithm}"),
        Fact::InsecureWanted {} => "go insecure: the DS goes, then the signatures".to_owned(),
        Fact::Held { reason } => format!("take no step: {reason}"),
        Fact::Resumed { reason } => format!("go on: {reason}"),
        Fact::HoldEnded { reason } => format!("go on, the hold has ended: {reason}"),
        Fact::DoubtEnded { reason } => format!("the past is known: {reason}"),
        // No command records another one; its line in the journal tells all.
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

/// A key as people call it: `ZSK 12345`.
pub fn key(facts: &ZoneFacts, tag: u16) -> String {
    let role = facts.key(tag).map_or_else(|| "key".to_owned(), |key| key.role.word().to_uppercase());
    format!("{role} {tag}")
}

/// The same where some keys are still to be made: those have no tag that anybody could know.
pub fn key_to_come(facts: &ZoneFacts, tag: u16, invented: &[u16]) -> String {
    let Some(known) = facts.key(tag).filter(|_| invented.contains(&tag)) else { return key(facts, tag) };
    let role = known.role.word().to_uppercase();
    let was_used = known.outgoing.is_some() || known.retired.is_some() || !known.is_live();
    match known.role {
        _ if was_used => format!("the old {role}"),
        Role::Ksk if facts.ds_wanted.has(known.id) => format!("the {role} then in use"),
        _ if known.signs_data() => format!("the {role} then in use"),
        Role::Zsk => format!("the next {role}"),
        Role::Ksk | Role::Csk => format!("the new {role}"),
    }
}

/// What a step does, in one line.
pub fn step(facts: &ZoneFacts, step: &Step) -> String {
    step_with(step, &|tag| key(facts, tag))
}

/// The same with keys called by `name`.
pub fn step_with(step: &Step, name: &dyn Fn(u16) -> String) -> String {
    let key = |tag: &u16| name(*tag);
    let keys = |tags: &[u16]| tags.iter().map(key).collect::<Vec<_>>().join(" and ");
    match step {
        Step::Create { role, algorithm } => format!("make a {} of algorithm {algorithm}", role.word().to_uppercase()),
        Step::Publish(tag) => format!("publish {} in DNSKEY", key(tag)),
        Step::Sign(tag) => format!("sign with {} too", key(tag)),
        Step::Switch { from, to } => format!("sign with {} instead of {}", key(to), key(from)),
        Step::WantDs(tags) if tags.is_empty() => "ask the parent to remove the DS".to_owned(),
        Step::WantDs(tags) => format!("ask the parent for the DS of {}", keys(tags)),
        Step::Remove(tag) => format!("remove {} from DNSKEY", key(tag)),
        Step::StopSigning(tag) => format!("stop signing with {}", key(tag)),
        Step::Destroy(tag) => format!("wipe the private half of {}", key(tag)),
        Step::Retire(tags, reason) => format!("begin to replace {}: {reason}", keys(tags)),
        Step::Unsign => "serve the zone without signatures".to_owned(),
    }
}

/// Why a step waits, in one line.
pub fn wait(facts: &ZoneFacts, wait: &Wait) -> String {
    match &wait.why {
        Why::Caches(conflict) => format!("caches may still hold {}", conflict_words(conflict, true)),
        Why::Unseen(conflict) => format!("it is not seen yet that {}", conflict_words(conflict, false)),
        Why::Own(Awaited::Parent) => format!(
            "the parent does not show {} at all of its addresses yet",
            if facts.ds_wanted.is_empty() { "that there is no DS".to_owned() } else { ds(&facts.ds_wanted) }
        ),
        Why::Own(Awaited::Lifetime) => "its life has not ended".to_owned(),
        Why::Frozen => "nothing is taken away while something is in doubt".to_owned(),
    }
}

fn ds(set: &KeySet) -> String {
    let tags: Vec<String> = set.iter().map(|id| id.tag.to_string()).collect();
    format!("the DS of {}", tags.join(" and "))
}

fn tags_of(set: &KeySet) -> String {
    if set.is_empty() {
        return "none".to_owned();
    }
    set.iter().map(|id| id.tag.to_string()).collect::<Vec<_>>().join(", ")
}

/// The old thing of a conflict: what caches may hold, or what must be gone from the wire.
fn conflict_words(conflict: &Conflict, held: bool) -> String {
    let (is, gone) = if held { ("", "") } else { ("", " is served no more") };
    match conflict {
        Conflict::Entry { ds, keys, .. } => {
            format!("{is}DNSKEY with {} beside the DS of {}{gone}", tags_of(&keys.published), tags_of(ds))
        }
        Conflict::Data { keys, signers, .. } => {
            format!("{is}DNSKEY with {} beside data signed by {}{gone}", tags_of(&keys.published), tags_of(signers))
        }
        Conflict::Bare { ds } => format!("{is}data without signatures beside the DS of {}{gone}", tags_of(ds)),
    }
}

/// A conflict that stands now, in one line.
pub fn conflict(conflict: &Conflict) -> String {
    conflict_words(conflict, true)
}

/// What stands in the way, in one line.
pub fn blocker(facts: &ZoneFacts, blocker: &Blocker) -> String {
    match blocker {
        Blocker::Held(reason) => format!("all steps are held: {reason}"),
        Blocker::Doubt(reason) => reason.clone(),
        Blocker::Clock(reason) => format!("the clock cannot be trusted: {reason}"),
        Blocker::Elsewhere(reason) => format!("the folder of keys is not this server's alone: {reason}"),
        Blocker::Disk(reason) => format!("nothing can be recorded: {reason}"),
        Blocker::Own(Block::Unreadable(tag, reason)) => {
            format!("the private half of {} cannot be used: {reason}", key(facts, *tag))
        }
        Blocker::Own(Block::UnknownDs(address, data)) => {
            format!("{address} has a DS that names no key of this zone: {}", ds_words(data))
        }
        Blocker::Own(Block::MissingDs(address)) => format!("{address} has no DS, although the zone had one there"),
        Blocker::Broken(conflict) => {
            format!("what caches may hold does not fit already: {}", conflict_words(conflict, true))
        }
        Blocker::Own(Block::Silent(addresses)) => {
            format!("no answer that validates from the parent at {}", addresses.join(", "))
        }
        Blocker::Own(Block::ParentSilent(why)) => {
            format!("nobody sees what its parent has, which is served here: {why}")
        }
        Blocker::Own(Block::Turn(zone)) => format!("it is the turn of {zone}"),
        Blocker::Own(Block::Full) => "DNSKEY has as many keys as fit one answer".to_owned(),
    }
}

/// A DS in hex as its tag, algorithm and digest type, and the beginning of its digest.
fn ds_words(hex: &str) -> String {
    let number = |range: std::ops::Range<usize>| {
        hex.get(range).and_then(|digits| u16::from_str_radix(digits, 16).ok()).unwrap_or_default()
    };
    let digest = hex.get(8..).unwrap_or_default();
    let shown = digest.get(..16).map_or(digest.to_owned(), |begin| format!("{begin}…"));
    format!("{} {} {} {shown}", number(0..4), number(4..6), number(6..8))
}

/// What a person must do about it; empty where the server gets over it alone.
pub fn remedy(zone: &str, blocker: &Blocker) -> String {
    match blocker {
        Blocker::Held(_) => format!("`mxseal keys resume {zone}` when it may go on"),
        Blocker::Doubt(_) => {
            format!("compare `mxseal zone ds {zone}` with the parent, then `mxseal keys resume {zone}`")
        }
        Blocker::Clock(_) => {
            format!(
                "set the clock (chronyc tracking, timedatectl); if it is right, `mxseal keys resume {zone} --clock`"
            )
        }
        Blocker::Elsewhere(_) => {
            "let one server alone roll the keys; if it is this one, `mxseal keys lead --reason WHY`".to_owned()
        }
        Blocker::Disk(_) => "free the disk or make it writable; it is tried again by itself".to_owned(),
        Blocker::Own(Block::Unreadable(tag, _)) => {
            format!(
                "restore the file of key {tag} from a backup, then `mxseal reload`; no other key is made in its place"
            )
        }
        Blocker::Own(Block::UnknownDs(..)) => {
            format!("have the registry remove it, unless it is yours: then `mxseal keys import {zone}` its key")
        }
        Blocker::Own(Block::MissingDs(_)) => format!("have the registry publish `mxseal zone ds {zone}`"),
        Blocker::Broken(_) => {
            format!("wait; if it does not end, `mxseal keys status {zone}` says since when, and a person must look")
        }
        Blocker::Own(Block::Silent(_)) => {
            "nothing, if they come back; else look at the network, or at `parents` of the zone".to_owned()
        }
        Blocker::Own(Block::ParentSilent(_)) => {
            "end the silence of the parent zone: `mxseal zone show` of it says how; this zone goes on by itself then"
                .to_owned()
        }
        Blocker::Own(Block::Turn(_)) => String::new(),
        Blocker::Own(Block::Full) => format!("let rolls under way end; `mxseal keys plan {zone}` says when"),
    }
}
