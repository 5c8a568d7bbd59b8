//! What people say of keys: that one which a host shows is the pool's, that one is not to be used, that all may go on.
//!
//! Only files and people say which keys are the pool's. A look at a host stands behind nothing here but that the key is there.

use crate::cert::{KeyKind, Spki};
use crate::control::certs::PoolLife;
use crate::control::life::InTheWay;
use crate::control::thread::Mind;
use crate::control::thread::desk::reply::{Ended, send};
use crate::diagnostic::Diagnostic;
use crate::protocol::{CertInfo, Line};
use crate::report::certs::findings::strange_apart;
use crate::roll::hosts::check::AddressSet;
use crate::roll::hosts::facts::{Fact, Origin};
use crate::roll::hosts::plan::{Blocker, is_disowned, is_ours};
use crate::roll::hosts::sights::has_room;
use crate::roll::hosts::{UNNAMED_MAX, words};
use crate::time::Now;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::mpsc::Sender;

/// Tenants that are named for one address, at most.
const NAMED_MAX: usize = 5;
/// Keys that are named where a digest was not written whole, at most.
const LIKE_MAX: usize = 8;

impl Mind {
    /// A key that a host shows is one of the pool's.
    pub(super) fn cert_adopt(
        &mut self,
        pool: &str,
        key: &str,
        reason: String,
        dry_run: bool,
        reply: &Sender<Line>,
        now: Now,
    ) -> Result<(), Ended> {
        let life = self.life(pool)?;
        let spki: Spki = key.parse().map_err(|reason| (2, format!("`--key`: {reason}{}", like(life, key, now))))?;
        let kind = adoptable(life, spki, now).map_err(|why| (4, format!("pool `{pool}`: {why}")))?;
        if !dry_run {
            let Some(life) = self.lives.certs.lives.get_mut(pool) else { return Err((1, String::new())) };
            let fact = Fact::KeyAdopted { spki, kind, origin: Origin::Adopted, reason };
            if !life.record(fact, now) {
                return Err((1, life.unrecorded()));
            }
            tracing::info!(POOL = pool, KEY = %spki, "an operator says that it is one of the pool's");
            life.look_back(now);
            self.pool_changed(pool, now);
        }
        send(reply, &self.cert_info(pool, self.life(pool)?, now));
        Ok(())
    }

    /// A key is not to be used any more, or is after all.
    pub(super) fn cert_drop(
        &mut self,
        pool: &str,
        spki: Spki,
        fact: Fact,
        dry_run: bool,
        reply: &Sender<Line>,
        now: Now,
    ) -> Result<(), Ended> {
        let is_back = matches!(fact, Fact::KeyTakenBack { .. });
        let notes = if is_back { Vec::new() } else { self.losers(pool, spki, now) };
        self.take_fact(pool, fact, dry_run, now)?;
        let life = self.life(pool)?;
        let served = life.facts().key(spki).filter(|key| key.is_served() && !is_back);
        let waits = served.is_some_and(|key| !is_disowned(key, &life.wanted));
        let mut info = CertInfo { notes, ..self.cert_info(pool, life, now) };
        if waits && life.wanted.names(spki) {
            info.notes.push("pools.toml names this key still: its TLSA stays until that ends".to_owned());
        }
        send(reply, &info);
        Ok(())
    }

    /// Tenants whose own hosts show a key, in words: mail to them waits where DANE is honoured, once its TLSA goes.
    fn losers(&self, pool: &str, spki: Spki, now: Now) -> Vec<String> {
        let Some(life) = self.lives.certs.lives.get(pool) else { return Vec::new() };
        let addresses = life.seen().apart_with(spki, now.signing);
        let tell = |(address, tenants): (IpAddr, Vec<Whose>)| {
            let tenants = some(&tenants);
            format!(
                "{address}, an address of its own of {tenants}, shows it: once its TLSA goes, mail waits there until that tenant has `tlsa` of its own"
            )
        };
        self.tenants_at(pool, &addresses).into_iter().map(tell).collect()
    }

    /// What stands against tenants whose own hosts show none of the keys that they have TLSA of. Whose they are is looked for
    /// where what such hosts show has changed.
    pub(crate) fn strange_tenants(&mut self, now: Now) -> Vec<Diagnostic> {
        let now = now.signing;
        let lives = self.lives.certs.lives.iter().filter(|(_, life)| life.facts().between.is_none());
        let strange: BTreeMap<String, BTreeMap<IpAddr, Spki>> = lives
            .map(|(pool, life)| (pool.clone(), life.seen().strange_apart(now)))
            .filter(|(_, at)| !at.is_empty())
            .collect();
        if strange != self.eyes.strange {
            let mut found = Vec::new();
            for (pool, at) in &strange {
                for (address, tenants) in self.tenants_at(pool, &at.keys().copied().collect()) {
                    let Some(spki) = at.get(&address) else { continue };
                    let tell = |whose: &Whose| strange_apart(pool, &whose.domain, &whose.shown, address, *spki);
                    found.extend(tenants.iter().take(NAMED_MAX).map(tell));
                }
            }
            (self.eyes.strange, self.eyes.strange_found) = (strange, found);
        }
        self.eyes.strange_found.clone()
    }

    /// Tenants of a pool that have one of these addresses for their own; looks at all tenants of all zones.
    pub(super) fn tenants_at(&self, pool: &str, addresses: &AddressSet) -> BTreeMap<IpAddr, Vec<Whose>> {
        let mut found: BTreeMap<IpAddr, Vec<Whose>> = addresses.iter().map(|at| (*at, Vec::new())).collect();
        if addresses.is_empty() {
            return found;
        }
        let indexes = self.world.pools.indexes_of(pool);
        for tenant in self.world.zones.values().flat_map(|zone| zone.tenants.table.iter()) {
            if !tenant.pool().is_some_and(|index| indexes.contains(&index)) {
                continue;
            }
            for address in tenant.addresses_with_tlsa_of_pool() {
                if let Some(names) = found.get_mut(&address) {
                    let file = self.world.files.path(tenant.file());
                    let shown = file.map(|file| file.to_string()).unwrap_or_default();
                    names.push(Whose { domain: tenant.domain(), shown });
                }
            }
        }
        found
    }
}

/// A few tenants, and how many more there are.
fn some(tenants: &[Whose]) -> String {
    let named = tenants.iter().take(NAMED_MAX).map(|whose| format!("tenant `{}`", whose.domain));
    let named = named.collect::<Vec<_>>().join(", ");
    match tenants.len().saturating_sub(NAMED_MAX) {
        0 if named.is_empty() => "a tenant".to_owned(),
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// A tenant, and its file as it is shown.
#[derive(Clone, Debug)]
pub(super) struct Whose {
    pub(super) domain: String,
    pub(super) shown: String,
}

/// Whether a key may be said to be the pool's, by what its hosts show: its kind.
fn adoptable(life: &PoolLife, spki: Spki, now: Now) -> Result<KeyKind, String> {
    let (facts, now) = (life.facts(), now.signing);
    let name = words::key(facts, spki);
    if !life.policy.probed {
        return Err("its hosts are not looked at, so nobody sees what they show: name the key in pools.toml".to_owned());
    }
    if let Some(given) = facts.key(spki).and_then(|key| key.given_up.as_ref()) {
        let back = "`mxseal cert drop POOL --key DIGEST --back` takes that back first";
        return Err(format!("{name} was given up ({}): {back}", given.reason));
    }
    let plan = life.decide(&InTheWay::default(), now);
    if plan.blockers.iter().any(|blocker| matches!(blocker, Blocker::Doubt(_))) {
        // More TLSA break nothing; but a key that was given up as stolen may be one that is forgotten now.
        return Err(
            "the past is not certain, and with it whether this key was given up: first `mxseal cert resume`".to_owned()
        );
    }
    if life.wanted.names(spki) {
        return Err(format!("pools.toml names {name} already"));
    }
    let is_unconfirmed = facts.key(spki).is_some_and(|key| key.is_served() && key.is_unconfirmed());
    if is_ours(facts, &life.wanted, spki) && !is_unconfirmed {
        return Err(format!("{name} is one of its keys already"));
    }
    let kind = life.seen().shown_kind(spki, now);
    let kind = kind.ok_or_else(|| format!("no host of the pool shows {name}, as far as was seen since the start"))?;
    if !is_unconfirmed && !has_room(facts) {
        return Err(format!(
            "{UNNAMED_MAX} TLSA are there already that no file names, and the other places are kept for those of files: name \
             the key in pools.toml, or give another one up by `mxseal cert drop`"
        ));
    }
    Ok(kind)
}

/// Keys that begin as what was written; a digest counts whole only, since who is on the way could make one that begins so.
fn like(life: &PoolLife, written: &str, now: Now) -> String {
    let written = written.trim().to_ascii_lowercase();
    let shown = life.seen().strangers(now.signing).into_keys().chain(life.facts().keys.iter().map(|key| key.spki));
    let mut like: Vec<String> =
        shown.map(|spki| spki.to_string()).filter(|spki| !written.is_empty() && spki.starts_with(&written)).collect();
    like.sort();
    like.dedup();
    like.truncate(LIKE_MAX);
    if like.is_empty() { String::new() } else { format!("; that begin so: {}", like.join(", ")) }
}
