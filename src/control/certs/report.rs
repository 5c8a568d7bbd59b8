//! Pools as commands show them: keys with their phases, certificates, hosts, what waits, and what a person must do.
//!
//! Pure. It tells what the engine decided, and decides nothing.

use crate::cert::Leaf;
use crate::cert::chain::covers;
use crate::control::certs::hosts::HostSeen;
use crate::control::certs::{Life, findings};
use crate::protocol::{
    BlockerInfo, CertInfo, CertKeyInfo, CertKeyKind, CertStanding, CertificateInfo, DoneInfo, HostInfo, HostStanding,
    KeyPhase, ShownInfo, Verb, WaitInfo,
};
use crate::roll::hosts::fold::{Caution, KeyFacts};
use crate::roll::hosts::phase::HostKeyPhase;
use crate::roll::hosts::plan::{Block, Blocker, Plan, desired, is_next};
use crate::roll::hosts::step::ready_at;
use crate::roll::hosts::words;
use crate::time::{Clocks, UnixTime};
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
    /// The moment: decisions go by the signing clock, and all moments are told by the wall clock.
    pub clocks: Clocks,
}

/// All about a pool.
pub fn info(life: &Life, plan: &Plan, around: &Around<'_>) -> CertInfo {
    let (facts, now) = (life.facts(), around.clocks.signing);
    let wanted = desired(facts, &life.wanted, &life.policy, now);
    let keys: Vec<CertKeyInfo> = facts
        .keys
        .iter()
        .filter(|key| key.destroyed.is_none() && (key.removed.is_none() || !key.file.is_empty()))
        .map(|key| key_info(life, key, wanted.contains(&key.spki), around))
        .collect();
    let is_waiting = |phase: KeyPhase| keys.iter().any(|key| key.phase == phase);
    let state = if plan.blockers.iter().any(Blocker::freezes) {
        CertStanding::Frozen
    } else if !plan.waits.is_empty()
        || plan.blockers.iter().any(|what| matches!(what, Blocker::Own(Block::GivenUp { .. })))
    {
        CertStanding::Rolling
    } else if is_waiting(KeyPhase::Rumoured) || is_waiting(KeyPhase::Staged) {
        CertStanding::Staging
    } else {
        CertStanding::AtRest
    };
    let mut blockers: Vec<BlockerInfo> = plan.blockers.iter().map(|blocker| blocker_info(life, blocker)).collect();
    let slots = findings::slots(life).into_iter();
    blockers.extend(slots.map(|(_, what, fix)| BlockerInfo { what, fix: fix.to_owned(), freezes: false }));
    let refused = findings::refused(life).into_iter();
    blockers.extend(refused.map(|(what, fix)| BlockerInfo { what, fix: fix.to_owned(), freezes: false }));
    let mut must: Vec<String> = blockers.iter().map(|info| info.fix.clone()).filter(|fix| !fix.is_empty()).collect();
    must.dedup();
    let told = |at: UnixTime| around.clocks.by_wall(at).0;
    let waits: Vec<WaitInfo> = plan
        .waits
        .iter()
        .map(|wait| WaitInfo {
            verb: Verb::of(words::verb(&wait.step)),
            step: words::step(facts, &wait.step),
            until: wait.until.map(told),
            why: words::why(facts, &wait.why),
        })
        .collect();
    CertInfo {
        pool: around.pool.to_owned(),
        state,
        snapshot: around.snapshot,
        tenants: around.tenants,
        certificates: life.certificates.iter().map(|(file, leaf)| certificate_info(file, leaf, around)).collect(),
        hosts: hosts(life, around.clocks),
        names: around.names.to_vec(),
        done: done(life, around.clocks),
        will: waits.first().map(|wait| wait.step.clone()).unwrap_or_default(),
        next_at: waits.iter().filter_map(|wait| wait.until).min(),
        waits,
        blockers,
        must,
        keys,
        notes: Vec::new(),
        clock: around.clock.to_owned(),
        now: around.clocks.wall.0,
    }
}

/// The phase of a key now.
pub fn phase(life: &Life, key: &KeyFacts, is_desired: bool, now: UnixTime) -> HostKeyPhase {
    HostKeyPhase::of(life.facts(), key, (&life.wanted, is_desired), &life.policy, now)
}

fn key_info(life: &Life, key: &KeyFacts, is_desired: bool, around: &Around<'_>) -> CertKeyInfo {
    let facts = life.facts();
    let file = if key.file.is_empty() { String::new() } else { format!("pools/{}/{}", around.pool, key.file) };
    let ready = ready_at(facts, key.spki, Caution::Expiry, &life.policy);
    let hosts = facts.shown_by(key.spki);
    let (now, told) = (around.clocks.signing, |at: UnixTime| around.clocks.by_wall(at).0);
    CertKeyInfo {
        spki: key.spki.to_string(),
        kind: key.kind.map(CertKeyKind::from).unwrap_or_default(),
        phase: phase(life, key, is_desired, now).into(),
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
pub fn hosts(life: &Life, clocks: Clocks) -> Vec<HostInfo> {
    let (served, apart) = (life.facts().served_addresses(), life.facts().apart.last());
    let info = |address: IpAddr| {
        let state = if served.contains(&address) {
            HostStanding::Served
        } else if apart.is_some_and(|version| version.what.contains(&address)) {
            HostStanding::Tenants
        } else if life.wanted.addresses.contains(&address) {
            if life.facts().is_plain(address) { HostStanding::Drained } else { HostStanding::Candidate }
        } else {
            HostStanding::Leaving
        };
        host_info(life, address, state, clocks)
    };
    life.hosts_to_look_at(clocks.signing).into_iter().map(info).collect()
}

fn host_info(life: &Life, address: IpAddr, state: HostStanding, clocks: Clocks) -> HostInfo {
    let none = HostSeen::default();
    let seen = life.hosts.get(&address);
    let host = seen.unwrap_or(&none);
    let published = life.facts().served_keys();
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

/// A blocker for programs.
pub fn blocker_info(life: &Life, blocker: &Blocker) -> BlockerInfo {
    let (what, fix) = words::blocker(life.facts(), blocker);
    BlockerInfo { what, fix, freezes: blocker.freezes() }
}

/// What was done lately.
fn done(life: &Life, clocks: Clocks) -> Vec<DoneInfo> {
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
        done.extend(known.map(|(at, what)| DoneInfo { at: clocks.by_wall(at).0, text: format!("{name}: {what}") }));
    }
    done.sort_by_key(|info: &DoneInfo| info.at);
    done.split_off(done.len().saturating_sub(DONE_MAX))
}

#[cfg(test)]
mod tests {
    use super::super::calendar::calendar;
    use super::*;
    use crate::cert::make::PrivateKey;
    use crate::cert::{KeyKind, Spki, chain};
    use crate::roll::hosts::facts::{Fact, Origin};
    use crate::store::Store;

    const NOW: UnixTime = UnixTime(1_800_000_000);
    const DAY: u64 = 86_400;

    /// A pool of one key, whose TLSA is served for an hour, with a certificate for some days from now on.
    fn life(folder: &std::path::Path, days: u32, wall: UnixTime) -> Life {
        let store = Store::open(folder).expect("a store");
        let began = Fact::PoolBegan { from: None, to: None };
        let journal = store.create_pool_journal("eu", began, NOW.before(3600)).expect("a journal");
        let mut life = Life::with(journal, Vec::new());
        let key = PrivateKey::generate(KeyKind::EcdsaP256).expect("a key");
        let pem = key.self_signed(&["mx.example".to_owned()], wall, days).expect("a certificate");
        let leaf = chain::parse_pem(pem.as_bytes()).expect("a chain").leaf;
        let (spki, kind) = (key.spki(), Some(key.kind()));
        for fact in [
            Fact::KeyKnown { spki, kind, origin: Origin::File, file: String::new() },
            Fact::Named { current: vec![spki], given: Vec::new(), hosts: None },
            Fact::Tlsa { keys: vec![spki] },
        ] {
            assert!(life.record(fact, NOW.before(3600)), "{:?}", life.unrecorded());
        }
        life.wanted.current.insert(spki, key.kind());
        life.certificates.push(("eu.pem".to_owned(), leaf));
        life
    }

    fn told(life: &Life, clocks: Clocks) -> CertInfo {
        let plan = life.decide(None, clocks.signing);
        info(life, &plan, &Around { pool: "eu", snapshot: 1, tenants: 0, names: &[], clock: "", clocks })
    }

    #[test]
    fn moments_are_told_by_the_wall_clock_as_those_of_zone_keys_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let clocks = Clocks::apart(NOW, 100 * i64::try_from(DAY).expect("a day"));
        let life = life(folder.path(), 90, clocks.wall);
        let info = told(&life, clocks);
        assert_eq!((info.now, info.keys[0].published), (clocks.wall.0, Some(clocks.wall.0 - 3600)));
        assert!(info.done.iter().all(|done| done.at == clocks.wall.0 - 3600), "{:?}", info.done);
        let plan = calendar("eu", &life, 120, clocks);
        assert_eq!((plan.from, plan.until), (clocks.wall.0, clocks.wall.0 + 120 * DAY));
        assert_eq!(plan.bars[0].phases[0].0, clocks.wall.0 - 3600);
        let renewals: Vec<u64> =
            plan.steps.iter().filter(|step| step.verb == Verb::Renew).map(|step| step.at).collect();
        assert_eq!(
            renewals,
            [60, 90].map(|days| clocks.wall.0 + days * DAY),
            "a certificate is written by the wall clock"
        );
    }

    #[test]
    fn a_certificate_has_expired_for_all_reports_at_one_moment() {
        let folder = tempfile::tempdir().expect("a folder");
        let clocks = Clocks::apart(NOW, 100 * i64::try_from(DAY).expect("a day"));
        let life = life(folder.path(), 90, NOW);
        let (info, plan) = (told(&life, clocks), calendar("eu", &life, 120, clocks));
        let findings = findings::findings("eu", "pools.toml", &life, &[], false, clocks);
        assert_eq!(info.certificates[0].warnings, ["it has expired"]);
        assert!(findings.iter().any(|finding| finding.message.contains("has expired")), "{findings:?}");
        assert!(!plan.steps.iter().any(|step| step.verb == Verb::Renew), "{:?}", plan.steps);
    }

    #[test]
    fn a_fact_that_contradicts_earlier_ones_is_no_fault_of_the_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut life = life(folder.path(), 90, NOW);
        assert!(!life.record(Fact::KeyDestroyed { spki: Spki::of(b"never known") }, NOW));
        assert_eq!(life.disk, None);
        let texts = |info: &CertInfo| format!("{:?} {:?}", info.blockers, info.must);
        let info = told(&life, Clocks::from(NOW));
        assert!(
            texts(&info).contains("a fact is not recorded") && !texts(&info).contains("repair the disk"),
            "{info:?}"
        );
        let findings = findings::findings("eu", "pools.toml", &life, &[], false, Clocks::from(NOW));
        let found = |code: &str| findings.iter().filter(|finding| finding.code == code).count();
        assert_eq!(found("MX5616"), 1, "{findings:?}");
        assert!(!findings.iter().any(|finding| finding.help.contains("repair the disk")), "{findings:?}");
        life.learn(NOW);
        assert_eq!(life.refused, None, "it is tried again when files are read");
    }

    #[test]
    fn a_disk_that_refuses_is_told_also_where_the_plan_was_made_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut life = life(folder.path(), 90, NOW);
        life.plan = Some(life.decide(None, NOW));
        life.disk = Some("no space left".to_owned());
        let findings = findings::findings("eu", "pools.toml", &life, &[], false, Clocks::from(NOW));
        let told = findings.iter().filter(|finding| finding.message.contains("no space left")).count();
        assert_eq!(told, 1, "{findings:?}");
    }
}
