//! Pools as commands show them: keys with their phases, certificates, hosts, what waits, and what a person must do.
//!
//! Pure. It tells what the engine decided, and decides nothing.

use super::hosts::HostSeen;
use super::{Life, findings};
use crate::cert::Leaf;
use crate::cert::chain::covers;
use crate::control::protocol::{
    BlockerInfo, CertInfo, CertKeyInfo, CertificateInfo, DoneInfo, HostInfo, ShownInfo, WaitInfo,
};
use crate::roll::hosts::fold::{Caution, KeyFacts};
use crate::roll::hosts::plan::{Blocker, Plan, desired, is_next};
use crate::roll::hosts::step::ready_at;
use crate::roll::hosts::words;
use crate::time::UnixTime;
use std::net::IpAddr;

/// Things done that are shown, at most.
const DONE_MAX: usize = 10;

/// What is known around a pool.
pub struct Around<'a> {
    /// Its name.
    pub pool: &'a str,
    /// Version of the snapshot that answers.
    pub snapshot: u64,
    /// Tenants that refer to it.
    pub tenants: u64,
    /// Names that its certificates should cover.
    pub names: &'a [String],
    /// What is to be said about the clock.
    pub clock: &'a str,
    /// The moment.
    pub now: UnixTime,
}

/// All about a pool.
pub fn info(life: &Life, plan: &Plan, around: &Around<'_>) -> CertInfo {
    let (facts, now) = (life.facts(), around.now);
    let wanted = desired(facts, &life.wanted, &life.policy, now);
    let keys: Vec<CertKeyInfo> = facts
        .keys
        .iter()
        .filter(|key| key.destroyed.is_none() && (key.removed.is_none() || !key.file.is_empty()))
        .map(|key| key_info(life, key, wanted.contains(&key.spki), around))
        .collect();
    let is_waiting = |phase: &str| keys.iter().any(|key| key.phase == phase);
    let state = if plan.blockers.iter().any(Blocker::freezes) {
        "frozen"
    } else if !plan.waits.is_empty() || plan.blockers.iter().any(|what| matches!(what, Blocker::GivenUp { .. })) {
        "rolling"
    } else if is_waiting("rumoured") || is_waiting("staged") {
        "staging"
    } else {
        "at rest"
    };
    let mut blockers: Vec<BlockerInfo> = plan.blockers.iter().map(|blocker| blocker_info(life, blocker)).collect();
    let slots = findings::slots(life).into_iter();
    blockers.extend(slots.map(|(_, what, fix)| BlockerInfo { what, fix: fix.to_owned(), freezes: false }));
    let mut must: Vec<String> = blockers.iter().map(|info| info.fix.clone()).filter(|fix| !fix.is_empty()).collect();
    must.dedup();
    let waits: Vec<WaitInfo> = plan
        .waits
        .iter()
        .map(|wait| WaitInfo {
            verb: words::verb(&wait.step).to_owned(),
            step: words::step(facts, &wait.step),
            until: wait.until.map(|until| until.0),
            why: words::why(facts, &wait.why),
        })
        .collect();
    CertInfo {
        pool: around.pool.to_owned(),
        state: state.to_owned(),
        snapshot: around.snapshot,
        tenants: around.tenants,
        certificates: life.certificates.iter().map(|one| certificate_info(one, around)).collect(),
        hosts: hosts(life, now),
        names: around.names.to_vec(),
        done: done(life),
        will: waits.first().map(|wait| wait.step.clone()).unwrap_or_default(),
        next_at: waits.iter().filter_map(|wait| wait.until).min(),
        waits,
        blockers,
        must,
        keys,
        notes: Vec::new(),
        clock: around.clock.to_owned(),
        now: now.0,
    }
}

/// The phase of a key, computed.
pub fn phase(life: &Life, key: &KeyFacts, is_desired: bool, now: UnixTime) -> &'static str {
    let facts = life.facts();
    let ready = ready_at(facts, key.spki, Caution::Expiry, &life.policy);
    match key {
        KeyFacts { destroyed: Some(_), .. } => "destroyed",
        KeyFacts { removed: Some(_), .. } => "removed",
        KeyFacts { published: None, .. } => "staged",
        _ if !is_desired => "retiring",
        _ if life.wanted.current.contains_key(&key.spki) || !facts.shown_by(key.spki).is_empty() => "active",
        _ if ready.is_some_and(|at| at < now) => "ready",
        _ => "rumoured",
    }
}

fn key_info(life: &Life, key: &KeyFacts, is_desired: bool, around: &Around<'_>) -> CertKeyInfo {
    let facts = life.facts();
    let file = if key.file.is_empty() { String::new() } else { format!("pools/{}/{}", around.pool, key.file) };
    let ready = ready_at(facts, key.spki, Caution::Expiry, &life.policy);
    let hosts = facts.shown_by(key.spki);
    CertKeyInfo {
        spki: key.spki.to_string(),
        kind: key.kind.map(|kind| kind.word().to_owned()).unwrap_or_default(),
        phase: phase(life, key, is_desired, around.now).to_owned(),
        origin: origin(key).to_owned(),
        unconfirmed: key.is_unconfirmed(),
        next: is_next(key) && hosts.is_empty(),
        file,
        known: key.known.0,
        published: key.published.map(|at| at.0),
        // A set that was never served without it has none to wait for.
        ready_at: ready.map(|at| if at.0 == 0 { key.published.map_or(0, |at| at.0) } else { at.after(1).0 }),
        deployed: key.deployed.map(|at| at.0),
        permitted_until: key.permitted.filter(|until| *until >= around.now).map(|at| at.0),
        removed: key.removed.map(|at| at.0),
        given_up: key.given_up.as_ref().map(|given| given.reason.clone()),
        hosts: hosts.iter().map(ToString::to_string).collect(),
    }
}

fn origin(key: &KeyFacts) -> &'static str {
    use crate::roll::hosts::facts::Origin;
    match key.origin {
        Origin::Made => "made",
        Origin::Staged => "staged",
        Origin::File => "file",
        Origin::Given => "given",
        Origin::Host => "host",
        Origin::Adopted => "adopted",
        Origin::Seen => "seen",
    }
}

fn certificate_info((file, leaf): &(String, Leaf), around: &Around<'_>) -> CertificateInfo {
    let mut warnings = Vec::new();
    if around.now > leaf.not_after {
        warnings.push("it has expired".to_owned());
    }
    let is_covered = |name: &&String| leaf.names.iter().any(|pattern| covers(pattern, name));
    warnings
        .extend(around.names.iter().filter(|name| !is_covered(name)).map(|name| format!("it does not cover {name}")));
    CertificateInfo {
        file: file.clone(),
        spki: leaf.spki.to_string(),
        kind: leaf.kind.word().to_owned(),
        names: leaf.names.clone(),
        issuer: leaf.issuer.clone(),
        not_before: leaf.not_before.0,
        not_after: leaf.not_after.0,
        warnings,
    }
}

/// All hosts of a pool: those served, those that caches may hold still, and those to come.
pub fn hosts(life: &Life, now: UnixTime) -> Vec<HostInfo> {
    let (served, apart) = (life.facts().served_addresses(), life.facts().apart.last());
    let info = |address: IpAddr| {
        let state = if served.contains(&address) {
            "served"
        } else if apart.is_some_and(|version| version.what.contains(&address)) {
            "tenant's"
        } else if life.wanted.addresses.contains(&address) {
            if life.facts().is_plain(address) { "drained" } else { "candidate" }
        } else {
            "leaving"
        };
        host_info(life, address, state)
    };
    life.hosts_to_look_at(now).into_iter().map(info).collect()
}

fn host_info(life: &Life, address: IpAddr, state: &str) -> HostInfo {
    let none = HostSeen::default();
    let seen = life.hosts.get(&address);
    let host = seen.unwrap_or(&none);
    let published = life.facts().served_keys();
    let shows: Vec<ShownInfo> = host
        .shows
        .iter()
        .map(|(profile, shown)| ShownInfo {
            class: profile.class.word().to_owned(),
            sni: shown.sni.clone().unwrap_or_default(),
            spki: shown.leaf.as_ref().map(|leaf| leaf.spki.to_string()),
            tls: shown.tls.clone(),
            not_after: shown.leaf.as_ref().map(|leaf| leaf.not_after.0),
            warnings: shown.warnings.clone(),
        })
        .collect();
    let leafs = || host.shows.values().filter_map(|shown| shown.leaf.as_ref());
    let matches =
        host.fault.is_none() && leafs().next().is_some() && leafs().all(|leaf| published.contains(&leaf.spki));
    HostInfo {
        address: address.to_string(),
        state: state.to_owned(),
        looked_at: seen.map(|host| host.at.0).filter(|at| *at > 0),
        fault: host.fault.as_ref().map(|fault| fault.what.clone()).unwrap_or_default(),
        fault_word: host.fault.as_ref().map(|fault| fault.word.to_owned()).unwrap_or_default(),
        shows,
        matches,
    }
}

/// A blocker for programs.
pub fn blocker_info(life: &Life, blocker: &Blocker) -> BlockerInfo {
    let (what, fix) = words::blocker(life.facts(), blocker);
    BlockerInfo { what, fix, freezes: blocker.freezes() }
}

/// What was done lately.
fn done(life: &Life) -> Vec<DoneInfo> {
    let mut done = Vec::new();
    for key in &life.facts().keys {
        let name = words::key(life.facts(), key.spki);
        let moments = [
            (key.published, "its TLSA is served"),
            (key.deployed, "a host or a certificate file has it"),
            (key.removed, "its TLSA is served no more"),
            (key.destroyed, "its private half is wiped"),
        ];
        let known = moments.into_iter().filter_map(|(at, what)| Some((at?, what)));
        done.extend(known.map(|(at, what)| DoneInfo { at: at.0, text: format!("{name}: {what}") }));
    }
    done.sort_by_key(|info: &DoneInfo| info.at);
    done.split_off(done.len().saturating_sub(DONE_MAX))
}
