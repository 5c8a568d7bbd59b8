//! Steps, reasons and blockers of pools in words: the same for logs, reports and calendars.
//!
//! Pure. Nothing here decides.

use super::check::{AddressSet, Conflict, Offer};
use super::fold::PoolFacts;
use super::plan::{Awaited, Block, Blocker, Why};
use super::step::Step;
use crate::cert::Spki;

/// A step, as a log says that it was taken.
pub fn step(facts: &PoolFacts, step: &Step) -> String {
    match step {
        Step::Create(kind) => format!("the next {} key is made", kind.word()),
        Step::Publish(keys) => {
            let named = keys.iter().map(|spki| key(facts, *spki)).collect::<Vec<_>>();
            format!("TLSA of {} {} served", named.join(", "), if named.len() == 1 { "is" } else { "are" })
        }
        Step::Admit(addresses) => format!("addresses are {}", list(addresses)),
        Step::Withdraw(spki) => format!("TLSA of {} is served no more", key(facts, *spki)),
        Step::Destroy(spki) => format!("the private half of {} is wiped", key(facts, *spki)),
    }
}

/// The verb of a step, for programs.
pub fn verb(step: &Step) -> &'static str {
    match step {
        Step::Create(_) => "create",
        Step::Publish(_) => "publish",
        Step::Admit(_) => "admit",
        Step::Withdraw(_) => "withdraw",
        Step::Destroy(_) => "destroy",
    }
}

/// A key as people call it: its kind, and the beginning of its digest.
pub fn key(facts: &PoolFacts, spki: Spki) -> String {
    match facts.key(spki).and_then(|key| key.kind) {
        Some(kind) => format!("{} key {}", kind.word(), spki.short()),
        None => format!("key {}", spki.short()),
    }
}

/// Why a step waits.
pub fn why(facts: &PoolFacts, why: &Why) -> String {
    match why {
        Why::Caches(conflict) => format!("until then {}", conflict_in_words(facts, conflict)),
        Why::Unseen(conflict) => conflict_in_words(facts, conflict),
        Why::Own(Awaited::Looks(hosts)) => format!("not all hosts could be looked at: {}", list(hosts)),
        Why::Own(Awaited::Apart(hosts)) if hosts.is_empty() => {
            "not all hosts at tenants' own addresses could be looked at".to_owned()
        }
        Why::Own(Awaited::Apart(hosts)) => {
            format!(
                "hosts at tenants' own addresses show it, did so lately, or could not be looked at: {}",
                list(hosts)
            )
        }
        Why::Frozen => "something is in doubt, and nothing is taken away meanwhile".to_owned(),
    }
}

fn conflict_in_words(facts: &PoolFacts, conflict: &Conflict) -> String {
    let address = conflict.showing.address;
    match conflict.showing.offer {
        Offer::Key(spki) => {
            format!("a sender may meet {address} with {} and hold TLSA without it", key(facts, spki))
        }
        Offer::Other => format!("a sender may meet {address} with a key that nobody announced, and hold TLSA"),
        Offer::Plain => format!("a sender may meet {address} without STARTTLS and hold TLSA"),
    }
}

/// What stands in the way, and what a person must do about it; empty: nothing.
pub fn blocker(facts: &PoolFacts, blocker: &Blocker) -> (String, String) {
    match blocker {
        // No command holds a pool.
        Blocker::Held(reason) => (format!("all steps are held: {reason}"), String::new()),
        Blocker::Doubt(reason) => (
            format!("the past is not certain: {reason}"),
            "look at what happened, then `mxseal cert resume POOL --reason WHY`".to_owned(),
        ),
        Blocker::Clock(reason) => (format!("the clock is in doubt: {reason}"), String::new()),
        Blocker::Elsewhere(reason) => (
            format!("the folder of keys is not this server's alone: {reason}"),
            "`mxseal keys lead --reason WHY`, if this server leads".to_owned(),
        ),
        Blocker::Disk(reason) => {
            (format!("no fact can be recorded: {reason}"), "repair the disk below `keys/`".to_owned())
        }
        Blocker::Broken(conflict) => (format!("mail may wait now: {}", conflict_in_words(facts, conflict)), cure(conflict)),
        Blocker::Own(Block::Accepted(conflict)) => (
            format!("mail may wait now, and all goes on all the same, as asked: {}", conflict_in_words(facts, conflict)),
            cure(conflict),
        ),
        Blocker::Own(Block::Silent(address, why)) => (
            format!("{address} could not be looked at: {why}"),
            "repair that host, or take its address out of pools.toml".to_owned(),
        ),
        Blocker::Own(Block::NotAdmitted(address, None)) if facts.is_plain(*address) => (
            format!("{address} is not served: it offers no STARTTLS"),
            "start TLS there; it is served again once it was seen to show a key that is published".to_owned(),
        ),
        Blocker::Own(Block::NotAdmitted(address, None)) => (
            format!("{address} is not served yet: it was not seen to show a key that is published"),
            "wait for the next look; then `mxseal pool show` says why".to_owned(),
        ),
        Blocker::Own(Block::NotAdmitted(address, Some(Offer::Key(spki)))) => (
            format!("{address} is not served yet: it shows {}, which not all TLSA in caches have", key(facts, *spki)),
            "give it a certificate for a key of the pool".to_owned(),
        ),
        Blocker::Own(Block::NotAdmitted(address, Some(Offer::Other | Offer::Plain))) => (
            format!("{address} is not served: it shows a key that nobody announced"),
            format!("give it a certificate for a key of the pool; {IF_OURS}"),
        ),
        Blocker::Own(Block::NeedsKey(kind)) => (
            format!("there is no next {} key, and none can be made here", kind.word()),
            "make one with `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072`, then `mxseal cert stage`"
                .to_owned(),
        ),
        Blocker::Own(Block::GivenUp { spki, is_named, hosts, .. }) => {
            let why = match (is_named, hosts.is_empty()) {
                (true, true) => "pools.toml names it".to_owned(),
                (true, false) => format!("pools.toml names it, and {} shows it", list(hosts)),
                (false, _) => format!("{} shows it", list(hosts)),
            };
            (format!("{} was given up, and its TLSA stays: {why}", key(facts, *spki)), INSTEAD.to_owned())
        }
        Blocker::Own(Block::LeftOut(count)) => (
            format!("tenants have {count} more addresses of their own with its TLSA than can be looked at"),
            "write `tlsa` for these tenants, too, or make pools of their addresses; no TLSA goes until then, but by `mxseal cert drop`"
                .to_owned(),
        ),
        Blocker::Own(Block::Full) => (
            format!("there are {} TLSA already, which is all that an answer may hold", super::KEYS_MAX),
            "take written `tlsa` out of pools.toml that no host uses; `mxseal cert drop` ends those that no file names"
                .to_owned(),
        ),
    }
}

/// What to do where a key was given up and is in use.
const INSTEAD: &str = "give the hosts a certificate for the next key (`mxseal cert csr`, then `mxseal cert rotate`), and name \
                       that one in pools.toml; if it was given up by mistake, `mxseal cert drop --back`";

/// What to do where a host shows a key that nobody announced, and the key is the pool's.
pub const IF_OURS: &str = "if the key is yours, name its certificate in pools.toml, or `mxseal cert adopt POOL --key DIGEST` \
                           (`mxseal pool show` has it)";

fn cure(conflict: &Conflict) -> String {
    match conflict.showing.offer {
        Offer::Key(_) => "give that host a certificate whose key is published".to_owned(),
        Offer::Other => format!("give that host a certificate whose key is published; {IF_OURS}"),
        Offer::Plain => "start STARTTLS of that host".to_owned(),
    }
}

fn list(addresses: &AddressSet) -> String {
    if addresses.is_empty() {
        return "none".to_owned();
    }
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
