//! Rolls go on: each zone's next step is taken, published and looked for on the wire.
//!
//! A step's key set proves itself first, then its fact is made durable, and only then is it served. What was not seen is
//! never taken for done, however long ago it was published.

use super::{Event, Mind, StartFault, disk};
use crate::control::keys_offline::roll_policy;
use crate::control::observe::walk::Ways;
use crate::control::rolls::observer::{Look, Observer, Seen, reachable};
use crate::control::rolls::{ZoneRoll, build, limits};
use crate::control::zones::{Keys, ZoneState};
use crate::dns::name::Name;
use crate::roll::facts::Fact;
use crate::roll::fold::ZoneFacts;
use crate::roll::parent::match_ds;
use crate::roll::plan::plan;
use crate::roll::step::Step;
use crate::roll::{Conditions, words};
use crate::time::{self, UnixTime};
use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// Steps of one zone between two publications, at most: making keys and marking them shows nothing.
const STEPS_MAX: usize = 8;
/// Publications for steps in one go, at most; then other events have their turn.
const ROUNDS_MAX: usize = 4;
/// The longest time between two looks at what a zone's keys need.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);
/// When a step that failed is tried again.
const RETRY: Duration = Duration::from_secs(10);
/// After this a publication is looked for: workers take a new snapshot with each batch, thousands of times in it.
const SETTLED: Duration = Duration::from_secs(1);
/// How often a publication that was not seen is looked for, at least.
const UNSEEN_MAX: Duration = Duration::from_secs(60);
/// How often all zones are looked at from outside though nothing changed (I34 of the design).
const AT_REST: Duration = Duration::from_secs(600);
/// How often our own parent zone is asked for a DS that is awaited.
const OWN_PARENT: Duration = Duration::from_secs(1);

/// What a step led to.
enum Taken {
    /// It is done, and nothing that is served changes.
    Quietly,
    /// It is recorded, and this is to be served.
    Serving(Keys),
    /// It is not done; the reason is kept.
    Not,
}

impl Mind {
    /// The moment of the next look.
    pub(super) fn rolls_next(&self) -> Option<Instant> {
        let next = |roll: &ZoneRoll| {
            let looks = [&roll.own, &roll.parent].into_iter().filter(|look| !look.is_asked).map(|look| look.at);
            looks.chain([roll.due]).min()
        };
        self.rolls.zones.values().filter_map(next).min()
    }

    /// Takes the steps that are due, and asks for the looks that are.
    pub(super) fn roll_on(&mut self) {
        if self.rolls_next().is_none_or(|at| at > Instant::now()) {
            return;
        }
        for _ in 0..ROUNDS_MAX {
            let due: Vec<Name> = self.due();
            let mut serving = Vec::new();
            for apex in due {
                if let Some(keys) = self.advance(&apex) {
                    serving.push((apex, keys));
                }
            }
            if serving.is_empty() {
                break;
            }
            let mut outside = disk(&self.config, &mut self.files, &self.store, &mut self.rolls);
            self.world.set_keys(serving, &mut outside);
            self.publish();
        }
        self.ask_looks();
    }

    fn due(&self) -> Vec<Name> {
        let now = Instant::now();
        self.rolls.zones.iter().filter(|(_, roll)| roll.due <= now).map(|(apex, _)| apex.clone()).collect()
    }

    /// Takes the steps of a zone that may be taken now, up to the first that is to be served: its keys from then on.
    fn advance(&mut self, apex: &Name) -> Option<Keys> {
        let zone = self.world.zones.get(apex)?;
        let is_ready = matches!(zone.keys, Keys::Loaded(_)) && zone.content().is_some();
        let roll = self.rolls.zones.get_mut(apex)?;
        roll.due = Instant::now() + LOOK_AGAIN;
        if !is_ready {
            return None;
        }
        for _ in 0..STEPS_MAX {
            let now = time::now();
            let conditions = conditions(roll);
            let plan = plan(roll.facts(), &roll_policy(&zone.policy), &conditions, now);
            let wait = Duration::from_secs(plan.wake_at.0.saturating_sub(now.0)).min(LOOK_AGAIN);
            let step = plan.next.clone();
            roll.plan = Some(plan);
            let Some(step) = step else {
                roll.due = Instant::now() + wait;
                return None;
            };
            let text = words::step(roll.facts(), &step);
            match take(&self.store, zone, roll, &step, now) {
                Taken::Quietly => tracing::info!(ZONE = %apex, KEY = ?words::tags(&step), "{text}"),
                Taken::Serving(keys) => {
                    let snapshot = self.version + 1;
                    tracing::info!(ZONE = %apex, KEY = ?words::tags(&step), SNAPSHOT = snapshot, "{text}");
                    roll.open_steps.push((step, text));
                    roll.due = Instant::now();
                    return Some(keys);
                }
                Taken::Not => {
                    roll.due = Instant::now() + RETRY;
                    return None;
                }
            }
        }
        roll.due = Instant::now();
        None
    }

    /// Starts to look at zones from outside.
    pub(super) fn start_observer(&mut self, events: &Sender<Event>) -> Result<(), StartFault> {
        let listen = self.status.listen.iter().filter_map(|address| address.parse().ok()).map(reachable).collect();
        let events = events.clone();
        let report = move |zone, seen| drop(events.send(Event::Seen(Box::new(zone), Box::new(seen))));
        let observer = Observer::start(listen, Ways::default(), report)
            .map_err(|cause| StartFault::System { what: "start a thread", cause })?;
        self.observer = Some(observer);
        Ok(())
    }

    /// Before a publication: keys are those of the facts, also where the parent became ours meanwhile.
    pub(super) fn renew_keys(&mut self) {
        let mut renewed = Vec::new();
        for (apex, roll) in &mut self.rolls.zones {
            let Some(zone) = self.world.zones.get(apex).filter(|zone| matches!(zone.keys, Keys::Loaded(_))) else {
                continue;
            };
            match roll.renewed(zone) {
                Some(Ok(keys)) => renewed.push((apex.clone(), keys)),
                // What is served proved itself, and stays.
                Some(Err(reason)) => roll.refused = Some(reason),
                None => {}
            }
        }
        if !renewed.is_empty() {
            let mut outside = disk(&self.config, &mut self.files, &self.store, &mut self.rolls);
            self.world.set_keys(renewed, &mut outside);
        }
    }

    /// Before a publication: what is to be served may stay in caches this long.
    pub(super) fn note_limits(&mut self) {
        let now = time::now();
        for zone in self.world.zones.values().filter(|zone| matches!(zone.keys, Keys::None)) {
            self.rolls.note_unsigned(zone);
        }
        for (apex, roll) in &mut self.rolls.zones {
            let Some(zone) = self.world.zones.get(apex).filter(|zone| matches!(zone.keys, Keys::Loaded(_))) else {
                continue;
            };
            let Some(content) = zone.content() else { continue };
            roll.has_tenants |= !zone.tenants.table.is_empty();
            let limits = limits::of(&zone.policy, content, roll.has_tenants);
            if roll.facts().limits_next != Some(limits) {
                roll.record(Fact::Limits(limits), now);
            }
        }
    }

    /// After a publication: what was published, and when to look for it.
    pub(super) fn note_published(&mut self) {
        let now = time::now();
        for roll in self.rolls.zones.values_mut() {
            let is_new = roll.published != roll.facts().records;
            (roll.published, roll.published_at) = (roll.facts().records, now);
            if is_new && (build::is_unseen(roll.facts()) || !roll.open_steps.is_empty()) {
                roll.own.failures = 0;
                roll.own.at = Instant::now() + SETTLED;
                roll.parent.within(SETTLED);
            }
        }
    }

    /// Asks for all looks that are due.
    fn ask_looks(&mut self) {
        let (now, Some(observer)) = (Instant::now(), &self.observer) else { return };
        let mut asked = Vec::new();
        for (apex, roll) in &self.rolls.zones {
            let Some(zone) = self.world.zones.get(apex).filter(|zone| matches!(zone.keys, Keys::Loaded(_))) else {
                continue;
            };
            let is_due = |look: &crate::control::rolls::Look| !look.is_asked && look.at <= now;
            if is_due(&roll.own) {
                let expected = build::expected(apex, roll.facts(), &roll.private, zone.parent.is_some());
                let is_asked = observer.ask(apex, Look::Own { expected, through: roll.published });
                asked.push((apex.clone(), true, is_asked));
            }
            if is_due(&roll.parent) {
                let look = self.parent_look(zone, observer.listen.first().copied());
                let is_asked = look.is_some_and(|look| observer.ask(apex, look));
                asked.push((apex.clone(), false, is_asked));
            }
        }
        for (apex, is_own, is_asked) in asked {
            let Some(roll) = self.rolls.zones.get_mut(&apex) else { continue };
            let look = if is_own { &mut roll.own } else { &mut roll.parent };
            look.is_asked = is_asked;
            look.at = now + if is_asked { AT_REST } else { RETRY };
        }
    }

    /// How the parent of a zone is looked at; none where that cannot be said now.
    fn parent_look(&self, zone: &ZoneState, server: Option<SocketAddr>) -> Option<Look> {
        let parent = zone.parent.as_ref()?;
        let keys = match &self.world.zones.get(parent)?.keys {
            Keys::None => None,
            Keys::Loaded(set) => Some(set.published.iter().map(|(key, _)| key.dnskey_data()).collect()),
            Keys::Wanted | Keys::Frozen(_) => return None,
        };
        Some(Look::OwnParent { zone: parent.clone(), keys, server: server? })
    }

    /// Something was seen.
    pub(super) fn seen(&mut self, apex: &Name, seen: Seen) {
        let Some(roll) = self.rolls.zones.get_mut(apex) else { return };
        match seen {
            Seen::Own { through, outcome } => match outcome {
                Ok(facts) => {
                    roll.own.answered(Vec::new(), AT_REST);
                    own_seen(apex, roll, through, (facts.dnskey_ttl, facts.keys_expire), self.version);
                }
                Err(faults) => {
                    let after = SETTLED * 2u32.saturating_pow(roll.own.failures.min(6));
                    roll.own.answered(faults.into_iter().map(|fault| fault.what).collect(), after.min(UNSEEN_MAX));
                }
            },
            Seen::OwnParent { server, outcome } => {
                let servers = [server.to_string()];
                note_servers(roll, &servers, true, 0);
                roll.silent.clear();
                match outcome {
                    Ok(seen) => {
                        note_ds(apex, roll, &server.to_string(), &seen);
                        let is_settled = roll.facts().parent.agreed() == Some(&roll.facts().ds_wanted);
                        roll.parent.answered(Vec::new(), if is_settled { AT_REST } else { OWN_PARENT });
                    }
                    Err(why) => {
                        roll.silent.push((server.to_string(), why.clone()));
                        roll.parent.answered(vec![format!("{server}: {why}")], OWN_PARENT);
                    }
                }
                roll.due = Instant::now();
            }
            Seen::Parent(_) | Seen::Told(_) => {}
        }
    }
}

fn own_seen(apex: &Name, roll: &mut ZoneRoll, through: u64, (ttl, expires): (u32, UnixTime), snapshot: u64) {
    if through != roll.published {
        // It was published again meanwhile, and that is what must be seen.
        roll.own.within(SETTLED);
        return;
    }
    let now = time::now();
    let fact = Fact::ZoneServed {
        instance: 0,
        snapshot,
        first_seen: roll.published_at.0,
        last_seen: now.0,
        ttl,
        expires: expires.0,
        through,
    };
    if build::is_unseen(roll.facts()) && !roll.record(fact, now) {
        roll.own.within(RETRY);
        return;
    }
    for (step, text) in std::mem::take(&mut roll.open_steps) {
        tracing::info!(ZONE = %apex, KEY = ?words::tags(&step), SNAPSHOT = snapshot, "seen on the wire: {text}");
    }
}

/// Records who answers for the parent, where that is new.
fn note_servers(roll: &mut ZoneRoll, servers: &[String], own: bool, rounds_apart: u64) {
    let parent = &roll.facts().parent;
    let known = parent.servers.iter().map(|server| &server.address);
    if known.eq(servers.iter()) && parent.own == own && parent.rounds_apart == rounds_apart {
        return;
    }
    roll.record(Fact::ParentServers { servers: servers.to_vec(), own, rounds_apart }, time::now());
}

/// Records what an address of the parent gave, where that is news.
fn note_ds(apex: &Name, roll: &mut ZoneRoll, server: &str, seen: &crate::control::observe::chain::DsSeen) {
    use crate::roll::check::{KeyId, KeySet};
    let now = time::now();
    let facts = roll.facts();
    let (tags, unknown) = match_ds(apex, facts.keys.iter().map(|key| &key.public), &seen.ds);
    let ours = facts.keys.iter().filter(|key| tags.contains(&key.public.tag)).map(|key| key.id);
    let decode = |hex: &String| data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap_or_default();
    let set: KeySet = ours.chain(unknown.iter().map(|hex| KeyId::foreign(&decode(hex)))).collect();
    let (ttl, span) = (seen.ttl.max(seen.original_ttl), seen.expires.0.saturating_sub(seen.inception.0));
    if !facts.parent.is_news(server, &set, (ttl, span), now) {
        return;
    }
    let (server, expires) = (server.to_owned(), seen.expires.0);
    roll.record(Fact::ParentSaw { server, tags, unknown, ttl, signature_span: span, expires }, now);
}

pub(super) fn conditions(roll: &ZoneRoll) -> Conditions {
    Conditions {
        clock: None,
        disk: roll.disk.clone(),
        unreadable: roll.unreadable.clone(),
        silent: roll.silent.iter().map(|(address, _)| address.clone()).collect(),
        turn: None,
    }
}

/// Takes one step, up to where it is to be served.
fn take(
    store: &crate::control::store::Store,
    zone: &ZoneState,
    roll: &mut ZoneRoll,
    step: &Step,
    now: UnixTime,
) -> Taken {
    if let Step::Create { role, algorithm } = step {
        return match store.make_key(&zone.apex, roll.journal(), *role, *algorithm, now) {
            Ok((tag, key)) => {
                roll.private.insert(tag, key);
                (roll.disk, roll.refused) = (None, None);
                Taken::Quietly
            }
            Err(frozen) => {
                roll.disk = Some(frozen.to_string());
                Taken::Not
            }
        };
    }
    if let Step::Destroy(tag) = step {
        if let Err(frozen) = store.destroy_key(&zone.apex, roll.journal(), *tag, now) {
            roll.disk = Some(frozen.to_string());
            return Taken::Not;
        }
        roll.private.remove(tag);
        return Taken::Quietly;
    }
    let Some(fact) = step.fact() else { return Taken::Not };
    let mut facts: ZoneFacts = roll.facts().clone();
    let candidate = facts.take(&fact, now).and_then(|()| match facts.unsigned {
        true => Ok(Keys::None),
        // I10 of the design: what is to be served proves itself before anybody may see it.
        false => roll.key_set(zone, &facts).map(|set| Keys::Loaded(Box::new(set))),
    });
    match candidate {
        Err(reason) => {
            roll.refused = Some(format!("{}: {reason}", words::step(roll.facts(), step)));
            Taken::Not
        }
        Ok(_) if !roll.record(fact, now) => Taken::Not,
        Ok(_) if !step.changes_chain() => {
            roll.refused = None;
            Taken::Quietly
        }
        Ok(keys) => {
            roll.refused = None;
            roll.was_built(zone);
            Taken::Serving(keys)
        }
    }
}
