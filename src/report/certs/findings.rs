//! What stands against pools: keys that nobody announced, hosts that cannot be looked at, certificates that end.
//!
//! Pure. It tells, and changes nothing: under `3 1 1` an expired certificate still delivers mail, so its TLSA stays.

use crate::cert::chain::covers;
use crate::cert::{Leaf, Spki};
use crate::diagnostic::{Diagnostic, Place};
use crate::report::certs::PoolState;
use crate::roll::hosts::fold::KeyFacts;
use crate::roll::hosts::plan::{Block, Blocker, Plan, is_known_here};
use crate::roll::hosts::seen::HostSeen;
use crate::roll::hosts::step::ready_at;
use crate::roll::hosts::{fold::Caution, words};
use crate::time::{Clocks, UnixTime};
use std::net::IpAddr;

/// Codes: something stands in the way; a key nobody announced; a key that files do not name; a certificate; no STARTTLS; a
/// key that is named before it is ready; a private half that cannot be read.
pub(super) const BLOCKED: &str = "MX5602";
const SURPRISE: &str = "MX5603";
const UNNAMED: &str = "MX5604";
const CERTIFICATE: &str = "MX5605";
const PLAIN: &str = "MX5606";
const EARLY: &str = "MX5607";
const UNREADABLE: &str = "MX5608";
/// Codes: a key that only a version of before published; a host at a tenant's own address without a fitting key.
const UNCONFIRMED: &str = "MX5609";
const STRANGE_APART: &str = "MX5610";
/// Keys that nobody announced, which are told of one pool, at most.
const STRANGERS_MAX: usize = 16;
const LONG: &str = "MX5612";
/// Codes: a private half that others may have read; a file with a key that nobody named.
const EXPOSED: &str = "MX5614";
const STRAY: &str = "MX5615";
/// Code of a fact that contradicts those before it.
const REFUSED: &str = "MX5616";
/// Share of its life that a certificate has left when it is to be renewed: as Let's Encrypt asks.
const RENEW_SHARE: u64 = 3;

/// Whether what stands in the way is worth a look, and nothing that somebody must end now.
pub(super) fn can_wait(blocker: &Blocker) -> bool {
    let Blocker::Own(block) = blocker else { return false };
    match block {
        Block::Silent(..) | Block::NeedsKey(_) | Block::Full | Block::Accepted(_) | Block::LeftOut(_) => true,
        Block::GivenUp { emergency, .. } => !emergency,
        Block::NotAdmitted(..) => false,
    }
}

/// What certificates of a pool are held against.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Names that they should cover.
    pub names: &'a [String],
    /// Whether MTA-STS senders matter.
    pub webpki: bool,
}

/// All that stands against a pool: waits go by the signing clock, certificates by the wall clock. `shown`: the file that names
/// it, as people see it; `plan`: what was decided last.
pub fn findings(
    state: &PoolState<'_>,
    shown: &str,
    plan: Option<&Plan>,
    expected: Expected<'_>,
    clocks: Clocks,
) -> Vec<Diagnostic> {
    let (pool, hosts, now) = (state.pool, state.hosts, clocks.signing);
    let place = || Place::file(shown.to_owned());
    let mut found = state.ills.found.to_vec();
    found.extend(state.ills.stopping(pool, &place(), hosts.facts, plan));
    if let Some((what, fix)) = refused(state) {
        found.push(Diagnostic::error(REFUSED, place(), format!("pool `{pool}`: {what}"), fix));
    }
    found.extend(plain(state, &place(), now));
    found.extend(keys(state, &place(), now));
    found.extend(state.ills.long.map(|share| long(pool, &place(), share)));
    for (path, leaf) in state.certificates {
        found.extend(certificate(pool, &place(), path, leaf, expected.names, clocks.wall));
    }
    if expected.webpki {
        found.extend(hosts.seen.iter().flat_map(|(address, host)| untrusted(pool, &place(), *address, host)));
    }
    for (code, what, fix) in slots(state) {
        found.push(Diagnostic::error(code, place(), format!("pool `{pool}`: {what}"), fix));
    }
    found.sort();
    found.dedup();
    found
}

/// Hosts without STARTTLS.
fn plain(state: &PoolState<'_>, place: &Place, now: UnixTime) -> Vec<Diagnostic> {
    let (pool, hosts) = (state.pool, state.hosts);
    let reachable = hosts.facts.reachable(hosts.policy.margin, now);
    let served = hosts.facts.served_addresses();
    let all = reachable.union(&hosts.wanted.addresses).filter(|address| hosts.facts.is_plain(**address));
    let tell = |address: &IpAddr| {
        let then = if served.contains(address) {
            "so mail waits wherever DANE is honoured"
        } else {
            "so its address is served no more; TLSA stay"
        };
        let message = format!("pool `{pool}`: {address} offers no STARTTLS, {then}");
        let help = "start TLS there, or take its address out of pools.toml";
        Diagnostic::error(PLAIN, place.clone(), message, help)
    };
    all.map(tell).collect()
}

/// That its journal is long, while there is time left to look.
fn long(pool: &str, place: &Place, share: f64) -> Diagnostic {
    let share = (share * 100.0).round();
    let message = format!("pool `{pool}`: its journal has {share} % of the octets that it may have");
    let help = format!(
        "restart the server: what nothing waits for is left out then; where it stays long, look which host shows another \
         key each time; to begin it anew: stop the server, move `journal` and `copy/journal` of its folder away, start \
         it, and run `mxseal cert resume {pool} --reason …`"
    );
    Diagnostic::warning(LONG, place.clone(), message, &help)
}

/// That a fact contradicts those before it, and what to do: no disk has to be repaired for that.
pub(super) fn refused(state: &PoolState<'_>) -> Option<(String, &'static str)> {
    let reason = state.ills.refused?;
    let fix = "what is served stays as it is; compare its folder below `keys/` with a backup, and report this as a fault of mxseal";
    Some((format!("a fact is not recorded, and nothing follows from it: {reason}"), fix))
}

/// What a person must look at in the folder of a pool's private keys: code, fact, and what to do.
pub(super) fn slots(state: &PoolState<'_>) -> Vec<(&'static str, String, &'static str)> {
    let (folder, name) = (state.folder, |spki: &Spki| words::key(state.hosts.facts, *spki));
    let unreadable = folder.unreadable.iter().filter(|(spki, _)| !folder.exposed.contains_key(spki));
    let unreadable = unreadable.map(|(spki, reason)| {
        let fix = "restore one of its two files from a backup, or give the key up: `mxseal cert drop`";
        (UNREADABLE, format!("the private half of {} cannot be read: {reason}", name(spki)), fix)
    });
    let exposed = folder.exposed.iter().map(|(spki, how)| {
        let fix = "if nobody else read it, make it private again; else give the key up: `mxseal cert drop --emergency`";
        (EXPOSED, format!("others may have read the private half of {}: {how}", name(spki)), fix)
    });
    let strays = folder.strays.iter().map(|path| {
        let fix = "look who put it there; a key that is to be used is brought in by `mxseal cert stage`; then remove the file";
        (STRAY, format!("{path} is none of its private keys, or lay in place of one"), fix)
    });
    unreadable.chain(exposed).chain(strays).collect()
}

/// Keys that hosts show, or files name, before all caches know them, or without anybody having said so.
fn keys(state: &PoolState<'_>, place: &Place, now: UnixTime) -> Vec<Diagnostic> {
    let (pool, hosts) = (state.pool, state.hosts);
    let (facts, mut found) = (hosts.facts, Vec::new());
    let unready = |spki| ready_at(facts, spki, Caution::Expiry, hosts.policy).is_none_or(|at| at >= now);
    for (spki, shows) in hosts.unnamed(now) {
        let shows = shows.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let key = words::key(facts, spki);
        if unready(spki) {
            let message = format!("pool `{pool}`: {shows} shows {key}, which not all caches know");
            let help =
                "give that host its certificate of before; senders that hold older TLSA defer mail for it until then";
            found.push(Diagnostic::error(SURPRISE, place.clone(), message, help));
        } else if !facts.key(spki).is_some_and(|key| is_known_here(key) || key.is_unconfirmed()) {
            let message = format!("pool `{pool}`: {shows} shows {key}, which pools.toml does not name");
            found.push(Diagnostic::warning(UNNAMED, place.clone(), message, "name its certificate in `certificates`"));
        }
    }
    found.extend(strangers(state, place, now));
    for spki in hosts.wanted.current.keys().filter(|spki| unready(**spki)) {
        if facts.tlsa.iter().all(|version| version.what.is_empty() || version.what.contains(spki)) {
            // Nothing else was ever served.
            continue;
        }
        let message =
            format!("pool `{pool}`: a certificate file names {}, which not all caches know", words::key(facts, *spki));
        let help =
            "no host must show it before `mxseal cert permit` says yes; mail to those that do is deferred meanwhile";
        found.push(Diagnostic::error(EARLY, place.clone(), message, help));
    }
    found
}

/// Keys that nobody said are the pool's: those that its hosts show, and those that a version of before published by itself.
fn strangers(state: &PoolState<'_>, place: &Place, now: UnixTime) -> Vec<Diagnostic> {
    let (pool, mut found) = (state.pool, Vec::new());
    for (spki, (kind, hosts)) in state.hosts.strangers(now).into_iter().take(STRANGERS_MAX) {
        let hosts = hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let message = format!(
            "pool `{pool}`: {hosts} shows {} key {spki}, which nobody announced: it has no TLSA, and mail may wait",
            kind.word()
        );
        let help = format!(
            "give that host a certificate whose key is published; if the key is yours, name its certificate in pools.toml, or \
             `mxseal cert adopt {pool} --key {spki}`; if not, find out who answers there"
        );
        found.push(Diagnostic::error(SURPRISE, place.clone(), message, &help));
    }
    let facts = state.hosts.facts;
    let is_left = |key: &&KeyFacts| key.is_served() && key.is_unconfirmed() && key.given_up.is_none();
    for key in facts.keys.iter().filter(is_left).filter(|key| !state.hosts.wanted.names(key.spki)) {
        let (spki, name) = (key.spki, words::key(facts, key.spki));
        let message =
            format!("pool `{pool}`: {name} is not confirmed: it has TLSA only because a host was once seen to show it");
        let help = format!(
            "if it is yours, `mxseal cert adopt {pool} --key {spki}`; if not, `mxseal cert drop {pool} --key {spki} --emergency`"
        );
        found.push(Diagnostic::error(UNCONFIRMED, place.clone(), message, &help));
    }
    found
}

fn certificate(pool: &str, place: &Place, path: &str, leaf: &Leaf, names: &[String], now: UnixTime) -> Vec<Diagnostic> {
    let about = |what: &str| format!("pool `{pool}`: certificate {path} {what}");
    let mut found = Vec::new();
    let life = leaf.not_after.0.saturating_sub(leaf.not_before.0);
    if now > leaf.not_after {
        let help =
            "renew it with the same key; its TLSA stays, since DANE senders do not look at dates (RFC 7672 § 3.1.1)";
        found.push(Diagnostic::error(CERTIFICATE, place.clone(), about("has expired"), help));
    } else if now < leaf.not_before {
        let message = about("is not valid yet");
        found.push(Diagnostic::warning(CERTIFICATE, place.clone(), message, "MTA-STS senders refuse it until then"));
    } else if leaf.not_after.0 - now.0 < life / RENEW_SHARE {
        let message = about("has less than a third of its life left");
        found.push(Diagnostic::warning(CERTIFICATE, place.clone(), message, "renew it with the same key"));
    }
    for name in names.iter().filter(|name| !leaf.names.iter().any(|pattern| covers(pattern, name))) {
        let message = about(&format!("does not cover the name {name}"));
        let help = "MTA-STS senders refuse it (RFC 8461 § 4.2); DANE senders do not mind";
        found.push(Diagnostic::warning(CERTIFICATE, place.clone(), message, help));
    }
    found
}

/// What MTA-STS senders object to on hosts, once for each host and reason.
fn untrusted(pool: &str, place: &Place, address: IpAddr, host: &HostSeen) -> Vec<Diagnostic> {
    let warnings = host.shows.values().flat_map(|shown| &shown.warnings);
    let tell = |warning: &String| {
        let message = format!("pool `{pool}`: the certificate that {address} shows: {warning}");
        let help = "DANE senders do not mind; for a fleet without MTA-STS set `webpki = false` for the pool";
        Diagnostic::warning(CERTIFICATE, place.clone(), message, help)
    };
    warnings.map(tell).collect()
}

/// A host at a tenant's own address that shows a key without TLSA: mail to that tenant waits, and nobody else's.
pub fn strange_apart(pool: &str, domain: &str, shown: &str, address: IpAddr, spki: Spki) -> Diagnostic {
    let message = format!(
        "tenant `{domain}` has the TLSA of pool `{pool}`, and its own address {address} shows key {spki}, which is none of \
         them: mail to it waits where DANE is honoured"
    );
    let help = format!("write `tlsa = [\"3 1 1 {spki}\"]` into its file, or give that host a certificate of the pool");
    Diagnostic::error(STRANGE_APART, Place::file(shown.to_owned()), message, &help)
}
