//! Commands about pools: what is, what will be, and what people and hooks want of them.
//!
//! A command only records what is wanted, or a permit; whether and when a step is taken is decided as for all others. A dry
//! run records nothing.

use crate::cert::make::PrivateKey;
use crate::cert::{KeyKind, Spki};
use crate::control::certs::{PoolLife, stage};
use crate::control::life::InTheWay;
use crate::control::thread::Mind;
use crate::control::thread::desk::reply::{Ended, end, send};
use crate::protocol::request::{CertRequest, PoolRequest};
use crate::protocol::{CertInfo, CsrInfo, Line, PermitInfo};
use crate::report::certs::calendar::cert_plan;
use crate::report::certs::{Around, cert_info, hosts};
use crate::roll::hosts::facts::Fact;
use crate::roll::hosts::fold::Caution;
use crate::roll::hosts::plan::is_next;
use crate::roll::hosts::step::{permit_deploy, ready_at};
use crate::roll::hosts::words;
use crate::roll::life::Facts;
use crate::time::Now;
use std::sync::mpsc::Sender;

impl Mind {
    /// Answers a command about pools.
    pub(super) fn pool_request(&mut self, asked: PoolRequest, reply: &Sender<Line>, now: Now) {
        match asked {
            PoolRequest::Show { pool } => end(self.pool_show(&pool, reply, now), reply),
            // The look itself ends the command.
            PoolRequest::Look { pool } => {
                self.pool_look(&pool, reply, now).unwrap_or_else(|ended| end(Err(ended), reply))
            }
        }
    }

    /// Answers a command about hosts' keys and certificates.
    pub(super) fn cert_request(&mut self, asked: CertRequest, reply: &Sender<Line>, now: Now) {
        let done = match asked {
            CertRequest::Status { pool } => self.cert_status(pool.as_deref(), reply, now),
            CertRequest::Plan { pool, days } => self.each_pool(pool.as_deref(), |mind, pool, life| {
                let clocks = mind.lives.clock.clocks(now);
                let way = InTheWay { clock: None, ..mind.in_the_way() };
                let (plan, conditions) = (life.decide(&way, clocks.signing), life.conditions(&way, clocks.signing));
                send(reply, &cert_plan(&life.state(pool), &plan, &conditions, days, clocks));
            }),
            CertRequest::Csr { pool, kind, names, self_signed } => {
                self.cert_csr(&pool, kind.as_deref(), names, self_signed, reply, now)
            }
            CertRequest::Stage { pool, key, dry_run } => self.cert_stage(&pool, &key.0, dry_run, reply, now),
            CertRequest::Permit { pool, spki, emergency, dry_run } => {
                let caution = if emergency { Caution::Ttl } else { Caution::Expiry };
                self.cert_permit(&pool, &spki, caution, dry_run, reply, now)
            }
            CertRequest::Adopt { pool, spki, reason, dry_run } => {
                self.cert_adopt(&pool, &spki, reason, dry_run, reply, now)
            }
            CertRequest::Drop { pool, spki, emergency, back, reason, dry_run } => {
                let fact = |spki| match back {
                    true => Fact::KeyTakenBack { spki },
                    false => Fact::KeyGivenUp { spki, emergency, reason: reason.clone() },
                };
                let known = self.key_of(&pool, &spki);
                known.and_then(|spki| self.cert_drop(&pool, spki, fact(spki), dry_run, reply, now))
            }
            CertRequest::Resume { pool, reason, dry_run } if self.lives.certs.broken.contains_key(&pool) => {
                self.cert_begin_again(&pool, &reason, dry_run, reply, now)
            }
            CertRequest::Resume { pool, reason, dry_run } => {
                self.cert_record(&pool, Fact::Resumed { reason }, dry_run, reply, now)
            }
        };
        end(done, reply);
    }

    pub(super) fn life(&self, pool: &str) -> Result<&PoolLife, Ended> {
        if let Some(closed) = self.lives.certs.broken.get(pool) {
            return Err((4, format!("{}; {}", closed.what(pool), closed.fix(pool))));
        }
        self.lives
            .certs
            .lives
            .get(pool)
            .filter(|life| life.facts().between.is_none())
            .ok_or_else(|| (1, format!("there is no pool `{pool}` here: {}", self.world.pools.help_for(pool))))
    }

    fn cert_status(&self, pool: Option<&str>, reply: &Sender<Line>, now: Now) -> Result<(), Ended> {
        let closed = self.lives.certs.broken.keys().filter(|name| pool.is_none_or(|pool| pool == *name));
        closed.clone().filter_map(|name| self.closed_info(name, now)).for_each(|info| send(reply, &info));
        if pool.is_some() && closed.count() > 0 {
            return Ok(());
        }
        self.each_pool(pool, |mind, pool, life| send(reply, &mind.cert_info(pool, life, now)))
    }

    /// A pool whose journal cannot be used.
    fn closed_info(&self, pool: &str, now: Now) -> Option<CertInfo> {
        let closed = self.lives.certs.broken.get(pool)?;
        Some(closed.info(pool, self.lives.certs.past(pool), self.served.version, self.tenants_of(pool), now.wall))
    }

    /// A person says that the past of a pool whose journal cannot be used is known.
    fn cert_begin_again(
        &mut self,
        pool: &str,
        reason: &str,
        dry_run: bool,
        reply: &Sender<Line>,
        now: Now,
    ) -> Result<(), Ended> {
        if dry_run {
            self.closed_info(pool, now).iter().for_each(|info| send(reply, info));
            return Ok(());
        }
        self.lives.certs.begin_again(&self.store, pool, reason, now)?;
        self.serve_pools(true, now);
        self.pool_changed(pool, now);
        send(reply, &self.cert_info(pool, self.life(pool)?, now));
        Ok(())
    }

    fn each_pool(&self, pool: Option<&str>, tell: impl Fn(&Mind, &str, &PoolLife)) -> Result<(), Ended> {
        if let Some(pool) = pool {
            tell(self, pool, self.life(pool)?);
            return Ok(());
        }
        let lives = self.lives.certs.lives.iter().filter(|(_, life)| life.facts().between.is_none());
        lives.for_each(|(pool, life)| tell(self, pool, life));
        Ok(())
    }

    pub(super) fn cert_info(&self, pool: &str, life: &PoolLife, now: Now) -> CertInfo {
        let clocks = self.lives.clock.clocks(now);
        let names = self.names_for(pool);
        let clock = self.lives.clock.doubt().unwrap_or_default();
        let plan = life.decide(&self.in_the_way(), clocks.signing);
        let tenants = self.tenants_of(pool);
        let around = Around { snapshot: self.served.version, tenants, names: &names, clock, clocks };
        cert_info(&life.state(pool), &plan, &around)
    }

    fn pool_show(&self, pool: &str, reply: &Sender<Line>, now: Now) -> Result<(), Ended> {
        let view = self.served.view.load();
        let found = view.pools.iter().find(|info| info.pool == pool);
        let mut info = found.cloned().ok_or_else(|| (1, format!("there is no pool `{pool}` here")))?;
        info.life = self.life(pool).ok().map(|life| self.cert_info(pool, life, now));
        send(reply, &info);
        let is_bad = !info.reasons.is_empty();
        if is_bad { Err((1, String::new())) } else { Ok(()) }
    }

    /// Its hosts are looked at now; the answer comes when that is done.
    fn pool_look(&mut self, pool: &str, reply: &Sender<Line>, now: Now) -> Result<(), Ended> {
        self.life(pool)?;
        let now = now.steady;
        let Some(life) = self.lives.certs.lives.get_mut(pool) else { return Err((1, String::new())) };
        if !life.policy.probed {
            let why =
                "its hosts are not looked at: `[probe] enabled`, `probe` of the pool, or addresses of documentation";
            return Err((1, format!("pool `{pool}`: {why}")));
        }
        // One that is under way may have begun before what the caller wants to see.
        life.round = None;
        life.look_at = now;
        self.callers.looks.push((pool.to_owned(), reply.clone()));
        Ok(())
    }

    /// The hosts of a pool were looked at: whoever waits for that is told.
    pub(crate) fn end_looks(&mut self, pool: &str, now: Now) {
        let (ended, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.callers.looks).into_iter().partition(|(waits, _)| waits == pool);
        self.callers.looks = waiting;
        let Some(life) = self.lives.certs.lives.get(pool) else { return };
        for (_, reply) in ended {
            let hosts = hosts(&life.seen(), self.lives.clock.clocks(now));
            hosts.iter().for_each(|host| send(&reply, host));
            let exit = u8::from(hosts.iter().any(|host| !host.matches));
            let _ = reply.send(Line::End { exit, message: String::new() });
        }
    }

    fn key_of(&self, pool: &str, spki: &str) -> Result<Spki, Ended> {
        let spki: Spki = spki.parse().map_err(|reason| (2, format!("`--key`: {reason}")))?;
        let life = self.life(pool)?;
        match life.facts().key(spki) {
            Some(_) => Ok(spki),
            None => {
                Err((4, format!("pool `{pool}` does not know key {spki}: `mxseal cert status {pool}` lists its keys")))
            }
        }
    }

    fn cert_record(
        &mut self,
        pool: &str,
        fact: Fact,
        dry_run: bool,
        reply: &Sender<Line>,
        now: Now,
    ) -> Result<(), Ended> {
        self.take_fact(pool, fact, dry_run, now)?;
        send(reply, &self.cert_info(pool, self.life(pool)?, now));
        Ok(())
    }

    /// Records what somebody wants of a pool, and goes on from there; a dry run only tries.
    pub(super) fn take_fact(&mut self, pool: &str, fact: Fact, dry_run: bool, now: Now) -> Result<(), Ended> {
        self.life(pool)?;
        let mut facts = self.life(pool)?.facts().clone();
        facts.take(&fact, now.signing).map_err(|reason| (4, reason))?;
        if !dry_run {
            let Some(life) = self.lives.certs.lives.get_mut(pool) else { return Err((1, String::new())) };
            if !life.record(fact, now) {
                return Err((1, life.unrecorded()));
            }
            self.pool_changed(pool, now);
        }
        Ok(())
    }

    /// Something about a pool was recorded: its steps are taken, and what is served follows.
    pub(super) fn pool_changed(&mut self, pool: &str, now: Now) {
        self.lives.certs.advance(&self.store, pool, now);
        self.serve_pools(false, now);
        self.findings.is_pool_news = true;
        self.tell_pools(now);
    }

    fn cert_csr(
        &mut self,
        pool: &str,
        kind: Option<&str>,
        names: Vec<String>,
        self_signed: Option<u32>,
        reply: &Sender<Line>,
        now: Now,
    ) -> Result<(), Ended> {
        let life = self.life(pool)?;
        let kind = kind.map(|word| KeyKind::of_word(word).ok_or_else(|| (2, format!("there is no kind `{word}`"))));
        let kind = kind.transpose()?;
        let fits =
            |key: &&crate::roll::hosts::fold::KeyFacts| is_next(key) && kind.is_none_or(|kind| key.kind == Some(kind));
        let next: Vec<_> = life.facts().keys.iter().filter(fits).cloned().collect();
        let key = match next.as_slice() {
            [] => {
                return Err((
                    1,
                    format!(
                        "pool `{pool}` has no next key{}",
                        kind.map(|kind| format!(" of kind {}", kind.word())).unwrap_or_default()
                    ),
                ));
            }
            [key] => key,
            _ => return Err((2, format!("pool `{pool}` has several next keys: say which by `--kind`"))),
        };
        let names = if names.is_empty() { self.names_for(pool) } else { names };
        if names.is_empty() {
            let why = "no name is known for its certificate: write `names` for the pool into mxseal.toml, or `--name`";
            return Err((1, format!("pool `{pool}`: {why}")));
        }
        let private = self.store.pool_key(pool, &key.file, key.spki).map_err(|fault| (1, fault.to_string()))?;
        let pem = match self_signed {
            None => private.csr(&names),
            Some(days) => private.self_signed(&names, now.wall.before(3600), days),
        };
        let ready_at = ready_at(life.facts(), key.spki, Caution::Expiry, &life.policy);
        send(
            reply,
            &CsrInfo {
                pool: pool.to_owned(),
                spki: key.spki.to_string(),
                kind: private.kind().into(),
                names,
                pem: pem.map_err(|fault| (1, fault.to_string()))?,
                ready_at: ready_at.map(|at| self.lives.clock.clocks(now).by_wall(at.after(1)).0),
            },
        );
        Ok(())
    }

    fn cert_stage(
        &mut self,
        pool: &str,
        pem: &str,
        dry_run: bool,
        reply: &Sender<Line>,
        now: Now,
    ) -> Result<(), Ended> {
        let key = PrivateKey::parse_pem(pem.as_bytes()).map_err(|fault| (1, format!("the key: {fault}")))?;
        let life = self.life(pool)?;
        if let Some(known) =
            life.facts().key(key.spki()).filter(|known| !known.file.is_empty() || known.deployed.is_some())
        {
            let what = if known.deployed.is_some() { "hosts have it already" } else { "it is here already" };
            return Err((4, format!("{}: {what}, so it can be no next key", words::key(life.facts(), known.spki))));
        }
        if !dry_run {
            let Some(life) = self.lives.certs.lives.get_mut(pool) else { return Err((1, String::new())) };
            stage(life, &self.store, &key, now).map_err(|reason| (1, reason))?;
            self.pool_changed(pool, now);
        }
        send(reply, &self.cert_info(pool, self.life(pool)?, now));
        Ok(())
    }

    /// Whether hosts may be given a key now: the permit is recorded, so that its TLSA stays meanwhile.
    fn cert_permit(
        &mut self,
        pool: &str,
        spki: &str,
        caution: Caution,
        dry_run: bool,
        reply: &Sender<Line>,
        now: Now,
    ) -> Result<(), Ended> {
        let spki = self.key_of(pool, spki)?;
        self.findings.is_pool_news |=
            self.lives.certs.lives.get_mut(pool).is_some_and(|life| life.look_at_keys(&self.store));
        let at = now;
        let (clocks, life) = (self.lives.clock.clocks(at), self.life(pool)?);
        let now = clocks.signing;
        let mut answer = PermitInfo { pool: pool.to_owned(), spki: spki.to_string(), ..PermitInfo::default() };
        let name = words::key(life.facts(), spki);
        let is_given_up = life.facts().key(spki).is_some_and(|key| key.given_up.is_some());
        let exposed = life.slots.exposed.get(&spki);
        let permitted = match is_given_up || exposed.is_some() {
            true => Err(None),
            false => permit_deploy(life.facts(), spki, caution, &life.policy, now),
        };
        if let Err(at) = permitted {
            let at = at.map(|at| clocks.by_wall(at));
            answer.at = at.map(|at| at.0);
            answer.why = match at {
                _ if is_given_up => format!("{name} was given up"),
                _ if exposed.is_some() => {
                    format!("others may have read {name}: {}", exposed.map(String::as_str).unwrap_or_default())
                }
                Some(at) => format!("not all caches know {name} before {}", crate::control::certs::date(at)),
                None if !life.facts().served_keys().contains(&spki) => format!("the TLSA of {name} is not served"),
                None => format!("the TLSA of {name} was not seen on the wire yet"),
            };
            send(reply, &answer);
            return Err((4, answer.why));
        }
        let until = now.after(self.lives.certs.settings(pool).permit);
        let told_until = clocks.by_wall(until);
        if !dry_run {
            let Some(life) = self.lives.certs.lives.get_mut(pool) else { return Err((1, String::new())) };
            if !life.record(Fact::Permitted { spki, until: until.0 }, at) {
                return Err((1, life.unrecorded()));
            }
            tracing::info!(POOL = pool, KEY = %spki.short(), "hosts may be given it until {}", crate::control::certs::date(told_until));
        }
        (answer.granted, answer.until) = (true, Some(told_until.0));
        send(reply, &answer);
        Ok(())
    }

    /// What our own addresses answered for a pool.
    pub(crate) fn wire_seen(&mut self, seen: crate::observe::observer::Seen, now: Now) {
        if let crate::observe::observer::Seen::Pool { pool, through, outcome } = seen {
            self.pool_seen(&pool, through, outcome, now);
        }
    }
}
