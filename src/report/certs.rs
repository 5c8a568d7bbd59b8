//! Pools as commands show them: keys with their phases, certificates, hosts, what waits, and what a person must do.
//!
//! Pure. It tells what the engine decided, and decides nothing.

pub mod calendar;
pub mod findings;
pub mod gauges;

use crate::cert::chain::covers;
use crate::cert::{Leaf, Spki};
use crate::diagnostic::Severity;
use crate::protocol::{
    BlockerInfo, CertInfo, CertKeyInfo, CertKeyKind, CertStanding, CertificateInfo, HostInfo, HostStanding, KeyPhase,
    ShownInfo,
};
use crate::report::life::{Account, Ills, InWords};
use crate::roll::hosts::fold::{Caution, KeyFacts, PoolFacts};
use crate::roll::hosts::plan::{Block, Blocker, HostKeys, Plan, Wait, desired, is_next};
use crate::roll::hosts::seen::{HostSeen, Hosts};
use crate::roll::hosts::step::{Step, ready_at};
use crate::roll::hosts::words;
use crate::time::{Clocks, UnixTime};
use std::collections::BTreeMap;
use std::net::IpAddr;

impl InWords for HostKeys {
    fn verb(step: &Step) -> &'static str {
        words::verb(step)
    }

    fn step(facts: &PoolFacts, step: &Step) -> String {
        words::step(facts, step)
    }

    fn why(facts: &PoolFacts, wait: &Wait) -> String {
        words::why(facts, &wait.why)
    }

    fn blocker(_: &str, facts: &PoolFacts, blocker: &Blocker) -> (String, String) {
        words::blocker(facts, blocker)
    }

    fn about(pool: &str) -> String {
        format!("pool `{pool}`")
    }

    fn finding(blocker: &Blocker) -> Option<(&'static str, Severity)> {
        Some((findings::BLOCKED, if findings::can_wait(blocker) { Severity::Warning } else { Severity::Error }))
    }
}

/// A pool as it is known now.
#[derive(Clone, Copy, Debug)]
pub struct PoolState<'a> {
    /// Its name.
    pub pool: &'a str,
    /// Its facts, what is wanted of it, and what its hosts were seen to show.
    pub hosts: Hosts<'a>,
    /// Its certificate files by path, with what they hold.
    pub certificates: &'a [(String, Leaf)],
    /// What is wrong with how it is kept.
    pub ills: Ills<'a>,
    /// What is wrong with its private keys.
    pub folder: Folder<'a>,
}

/// What is wrong with the private keys in the folder of a pool.
#[derive(Clone, Copy, Debug)]
pub struct Folder<'a> {
    /// Keys whose private halves cannot be read, and why.
    pub unreadable: &'a BTreeMap<Spki, String>,
    /// Keys that others may have read, and how.
    pub exposed: &'a BTreeMap<Spki, String>,
    /// Files with keys that nobody named, or that lay in place of others.
    pub strays: &'a [String],
}

impl<'a> PoolState<'a> {
    /// What is told of pools as of all that lives by facts.
    fn account(&self, plan: &'a Plan, clocks: Clocks) -> Account<'a, HostKeys> {
        Account { name: self.pool.to_owned(), facts: self.hosts.facts, plan, clocks }
    }
}

/// What is known around a pool.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// Version of the snapshot that answers.
    pub snapshot: u64,
    /// Tenants that refer to it.
    pub tenants: u64,
    /// Names that its certificates should cover.
    pub names: &'a [String],
    /// What is to be said about the clock.
    pub clock: &'a str,
    /// The moment: decisions go by the signing clock, and all moments are told by the wall clock.
    pub clocks: Clocks,
}

/// All about a pool.
pub fn cert_info(state: &PoolState<'_>, plan: &Plan, around: &Around<'_>) -> CertInfo {
    let account = state.account(plan, around.clocks);
    let keys = keys(state, &account);
    CertInfo {
        pool: state.pool.to_owned(),
        state: standing(plan, &keys),
        snapshot: around.snapshot,
        tenants: around.tenants,
        certificates: state.certificates.iter().map(|(file, leaf)| certificate_info(file, leaf, around)).collect(),
        hosts: hosts(&state.hosts, around.clocks),
        names: around.names.to_vec(),
        story: account.story(done(state.hosts.facts), of_folder(state)),
        keys,
        notes: Vec::new(),
        clock: around.clock.to_owned(),
        now: around.clocks.wall.0,
    }
}

fn standing(plan: &Plan, keys: &[CertKeyInfo]) -> CertStanding {
    let is_waiting = |phase: KeyPhase| keys.iter().any(|key| key.phase == phase);
    let is_given_up = |what: &Blocker| matches!(what, Blocker::Own(Block::GivenUp { .. }));
    match () {
        () if plan.is_frozen() => CertStanding::Frozen,
        () if !plan.waits.is_empty() || plan.blockers.iter().any(is_given_up) => CertStanding::Rolling,
        () if is_waiting(KeyPhase::Rumoured) || is_waiting(KeyPhase::Staged) => CertStanding::Staging,
        () => CertStanding::AtRest,
    }
}

/// What stands in the way beside what was decided: nothing of it freezes the pool.
fn of_folder(state: &PoolState<'_>) -> impl Iterator<Item = BlockerInfo> {
    let slots = findings::slots(state).into_iter().map(|(_, what, fix)| (what, fix));
    let all = slots.chain(findings::refused(state));
    all.map(|(what, fix)| BlockerInfo { what, fix: fix.to_owned(), freezes: false })
}

fn keys(state: &PoolState<'_>, account: &Account<'_, HostKeys>) -> Vec<CertKeyInfo> {
    let Hosts { facts, wanted, policy, .. } = state.hosts;
    let desired = desired(facts, wanted, policy, account.clocks.signing);
    let is_kept = |key: &&KeyFacts| key.destroyed.is_none() && (key.removed.is_none() || !key.file.is_empty());
    let kept = facts.keys.iter().filter(is_kept);
    kept.map(|key| key_info(state, key, desired.contains(&key.spki), account)).collect()
}

fn key_info(state: &PoolState<'_>, key: &KeyFacts, is_desired: bool, account: &Account<'_, HostKeys>) -> CertKeyInfo {
    let facts = state.hosts.facts;
    let file = if key.file.is_empty() { String::new() } else { format!("pools/{}/{}", state.pool, key.file) };
    let ready = ready_at(facts, key.spki, Caution::Expiry, state.hosts.policy);
    let hosts = facts.shown_by(key.spki);
    let (now, told) = (account.clocks.signing, |at: UnixTime| account.told(at));
    CertKeyInfo {
        spki: key.spki.to_string(),
        kind: key.kind.map(CertKeyKind::from).unwrap_or_default(),
        phase: key.phase(&state.hosts, is_desired, now).into(),
        origin: key.origin.into(),
        unconfirmed: key.is_unconfirmed(),
        next: is_next(key) && hosts.is_empty(),
        file,
        known: told(key.known),
        published: key.published.map(told),
        // A set that was never served without it has none to wait for.
        ready_at: ready.map(|at| if at.0 == 0 { key.published.map_or(0, told) } else { told(at.after(1)) }),
        deployed: key.deployed.map(told),
        permitted_until: key.permitted.filter(|until| *until >= now).map(told),
        removed: key.removed.map(told),
        given_up: key.given_up.as_ref().map(|given| given.reason.clone()),
        hosts: hosts.iter().map(ToString::to_string).collect(),
    }
}

fn certificate_info(file: &str, leaf: &Leaf, around: &Around<'_>) -> CertificateInfo {
    let mut warnings = Vec::new();
    if around.clocks.wall > leaf.not_after {
        warnings.push("it has expired".to_owned());
    }
    let is_covered = |name: &&String| leaf.names.iter().any(|pattern| covers(pattern, name));
    warnings
        .extend(around.names.iter().filter(|name| !is_covered(name)).map(|name| format!("it does not cover {name}")));
    CertificateInfo {
        file: file.to_owned(),
        spki: leaf.spki.to_string(),
        kind: leaf.kind.into(),
        names: leaf.names.clone(),
        issuer: leaf.issuer.clone(),
        not_before: leaf.not_before.0,
        not_after: leaf.not_after.0,
        warnings,
    }
}

/// All hosts of a pool: those served, those that caches may hold still, and those to come.
pub fn hosts(hosts: &Hosts<'_>, clocks: Clocks) -> Vec<HostInfo> {
    let (facts, wanted) = (hosts.facts, hosts.wanted);
    let (served, apart) = (facts.served_addresses(), facts.apart.last());
    let standing = |address: IpAddr| match () {
        () if served.contains(&address) => HostStanding::Served,
        () if apart.is_some_and(|version| version.what.contains(&address)) => HostStanding::Tenants,
        () if !wanted.addresses.contains(&address) => HostStanding::Leaving,
        () if facts.is_plain(address) => HostStanding::Drained,
        () => HostStanding::Candidate,
    };
    let all = hosts.to_look_at(clocks.signing).into_iter();
    all.map(|address| host_info(hosts, address, standing(address), clocks)).collect()
}

fn host_info(hosts: &Hosts<'_>, address: IpAddr, state: HostStanding, clocks: Clocks) -> HostInfo {
    let none = HostSeen::default();
    let seen = hosts.seen.get(&address);
    let host = seen.unwrap_or(&none);
    let published = hosts.facts.served_keys();
    let shows: Vec<ShownInfo> = host
        .shows
        .iter()
        .map(|(profile, shown)| ShownInfo {
            class: profile.class.into(),
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
        state,
        looked_at: seen.map(|host| host.at).filter(|at| at.0 > 0).map(|at| clocks.by_wall(at).0),
        fault: host.fault.as_ref().map(|fault| fault.what.clone()).unwrap_or_default(),
        fault_word: host.fault.as_ref().map(|fault| fault.word.to_owned()).unwrap_or_default(),
        shows,
        matches,
    }
}

/// What was done.
fn done(facts: &PoolFacts) -> Vec<(UnixTime, String)> {
    let mut done = Vec::new();
    for key in &facts.keys {
        let name = words::key(facts, key.spki);
        let moments = [
            (key.published, "its TLSA is served"),
            (key.deployed, "a host or a certificate file has it"),
            (key.removed, "its TLSA is served no more"),
            (key.destroyed, "its private half is wiped"),
        ];
        let known = moments.into_iter().filter_map(|(at, what)| Some((at?, what)));
        done.extend(known.map(|(at, what)| (at, format!("{name}: {what}"))));
    }
    done
}
