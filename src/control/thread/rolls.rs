//! Rolls go on: each zone's next step is taken, published and looked for on the wire.
//!
//! A step's key set proves itself first, then its fact is made durable, and only then is it served. What was not seen is
//! never taken for done, however long ago it was published.

mod turns;

use crate::control::event::Event;
use crate::control::life::{LOOK_AGAIN, NextLook, RETRY, SETTLED, STEPS_MAX, UNSEEN_MAX};
use crate::control::rolls::findings::findings;
use crate::control::rolls::{Shift, ZoneRoll, build};
use crate::control::thread::{Mind, StartFault, parents};
use crate::dns::name::Name;
use crate::observe::observer::{Look, Observer, Seen, reachable};
use crate::resolve::walk::Ways;
use crate::roll::life::Facts;
use crate::roll::zone::plan::{Block, Blocker, plan};
use crate::roll::zone::step::Step;
use crate::roll::zone::{Conditions, facts::Fact, fold::ZoneFacts, words};
use crate::time::{Now, UnixTime};
use crate::world::zones::{Keys, ZoneState};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// Publications for steps in one go, at most; then other events have their turn.
const ROUNDS_MAX: usize = 4;
/// How often all zones are looked at from outside though nothing changed (I34 of the design).
const AT_REST: Duration = Duration::from_secs(600);

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
        // Zones without keys to serve with are not looked at, and their looks are due for nobody.
        let is_loaded =
            |apex: &Name| self.world.zones.get(apex).is_some_and(|zone| matches!(zone.keys, Keys::Loaded(_)));
        let looks =
            self.rolls.zones.iter().map(|(apex, roll)| if is_loaded(apex) { next(roll) } else { Some(roll.due) });
        looks.flatten().min()
    }

    /// Takes the steps that are due, and asks for the looks that are.
    pub(super) fn roll_on(&mut self) {
        if self.rolls_next().is_none_or(|at| at > Instant::now()) {
            self.tell_news();
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
            self.set_keys(serving);
            self.publish();
        }
        self.ask_looks();
        self.tell_news();
    }

    fn due(&self) -> Vec<Name> {
        let now = Instant::now();
        self.rolls.zones.iter().filter(|(_, roll)| roll.due <= now).map(|(apex, _)| apex.clone()).collect()
    }

    /// Takes the steps of a zone that may be taken now, up to the first that is to be served: its keys from then on.
    fn advance(&mut self, apex: &Name) -> Option<Keys> {
        let (now, turn) = (Now::read(), self.turn(apex));
        let zone = self.world.zones.get(apex)?;
        let is_ready = matches!(zone.keys, Keys::Loaded(_)) && zone.content().is_some();
        let shift = self.rolls.shift;
        let way = InTheWay { clock: self.clock.doubt(), elsewhere: self.instance.elsewhere() };
        let own_parent = parents::silent_parent(&self.world, zone);
        let roll = self.rolls.zones.get_mut(apex)?;
        self.is_news = true;
        roll.due = now.steady + LOOK_AGAIN;
        // What the disk refused is tried again: whatever it takes is recorded before it is done, so trying is safe.
        // Files that another server writes are left alone, and that they are is told as what it is.
        let put_back = |roll: &mut ZoneRoll| roll.journal().put_back().err().map(|fault| fault.to_string());
        roll.disk = if way.elsewhere.is_none() { put_back(roll) } else { None };
        if !is_ready {
            return None;
        }
        // No wait counts what no clock has counted, so that is recorded before anything is decided.
        let correction = roll.facts().correction(self.clock.credited());
        if correction.is_some_and(|fact| !roll.record(fact, now)) {
            roll.due = now.steady + RETRY;
            return None;
        }
        for _ in 0..STEPS_MAX {
            let conditions = Conditions { turn: turn.clone(), own_parent: own_parent.clone(), ..conditions(roll, way) };
            let plan = plan(roll.facts(), &build::roll_policy(&zone.policy), &conditions, now.signing);
            let wait = Duration::from_secs(plan.wake_at.0.saturating_sub(now.signing.0)).min(LOOK_AGAIN);
            let step = plan.next.clone();
            roll.plan = Some(plan);
            let Some(step) = step else {
                roll.due = now.steady + wait;
                return None;
            };
            let text = words::step(roll.facts(), &step);
            match take(&self.store, zone, roll, &step, shift, now) {
                Taken::Quietly => tracing::info!(ZONE = %apex, KEY = keys_of(&step), "{text}"),
                Taken::Serving(keys) => {
                    let snapshot = self.version + 1;
                    tracing::info!(ZONE = %apex, KEY = keys_of(&step), SNAPSHOT = snapshot, "{text}");
                    let is_end = matches!(step, Step::Remove(_));
                    roll.open_steps.push((step, text));
                    roll.due = now.steady;
                    if is_end {
                        self.next_turns();
                    }
                    return Some(keys);
                }
                Taken::Not => {
                    roll.due = now.steady + RETRY;
                    return None;
                }
            }
        }
        roll.due = now.steady;
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
        let (mut renewed, shift) = (Vec::new(), self.rolls.shift);
        for (apex, roll) in &mut self.rolls.zones {
            let Some(zone) = self.world.zones.get(apex).filter(|zone| matches!(zone.keys, Keys::Loaded(_))) else {
                continue;
            };
            match roll.renewed(zone, shift) {
                Some(Ok(keys)) => {
                    roll.refused = None;
                    renewed.push((apex.clone(), keys));
                }
                // What is served proved itself, and stays.
                Some(Err(reason)) => roll.refused = Some(reason),
                None => {}
            }
        }
        if !renewed.is_empty() {
            self.set_keys(renewed);
        }
    }

    /// After a publication: what was published, and when to look for it.
    pub(super) fn note_published(&mut self) {
        let now = Now::read();
        for (apex, roll) in &mut self.rolls.zones {
            let zone = self.world.zones.get(apex);
            let is_silent = zone.is_some_and(|zone| parents::silent_parent(&self.world, zone).is_some());
            let is_told = |blocker: &Blocker| matches!(blocker, Blocker::Own(Block::ParentSilent(_)));
            if roll.plan.as_ref().is_some_and(|plan| plan.blockers.iter().any(is_told) != is_silent) {
                roll.due = now.steady;
            }
            let is_new = roll.published != roll.facts().records;
            (roll.published, roll.published_at) = (roll.facts().records, now.signing);
            if is_new && (build::is_unseen(roll.facts()) || !roll.open_steps.is_empty()) {
                roll.own.failures = 0;
                roll.own.at = now.steady + SETTLED;
                roll.parent.within(SETTLED, now);
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
            let is_due = |look: &NextLook| !look.is_asked && look.at <= now;
            if is_due(&roll.own) {
                let expected = build::expected(apex, roll.facts(), &roll.private, zone.parent.is_some());
                let look = Look::Own { expected: Box::new(expected), through: roll.published };
                let is_asked = observer.ask(apex, look);
                asked.push((apex.clone(), true, is_asked));
            }
            if is_due(&roll.parent) {
                let look = self.parent_look(zone, roll.published, observer.here());
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

    /// Something was seen.
    pub(super) fn seen(&mut self, apex: &Name, seen: Seen) {
        let now = Now::read();
        let poll = self.world.zones.get(apex).map_or(0, |zone| zone.policy.parent_poll);
        let is_ours = self.world.zones.get(apex).is_some_and(|zone| zone.parent.is_some());
        let Some(roll) = self.rolls.zones.get_mut(apex) else { return };
        let mut is_ds_seen = false;
        match seen {
            Seen::Own { through, outcome: Ok(facts) } => {
                roll.own.answered(Vec::new(), AT_REST, now);
                is_ds_seen = own_seen(apex, roll, through, facts.dnskey_ttl, facts.keys_expire, self.version);
            }
            Seen::Own { outcome: Err(faults), .. } => {
                let after = SETTLED * 2u32.saturating_pow(roll.own.failures.min(6));
                roll.own.answered(faults.into_iter().map(|fault| fault.what).collect(), after.min(UNSEEN_MAX), now);
            }
            // Those of pools have a way of their own.
            Seen::Pool { .. } => {}
            // It was asked before what it serves now, and that is what must be seen.
            Seen::OwnParent { through, .. } if through != roll.published => {
                roll.parent.answered(Vec::new(), SETTLED, now)
            }
            Seen::OwnParent { server, outcome, .. } => parents::own_parent_seen(apex, roll, server, outcome),
            Seen::Parent(round) => parents::parent_seen(apex, roll, &round, poll),
            Seen::Notified(told) => parents::told(apex, &told),
        }
        self.is_news = true;
        if is_ds_seen && !is_ours {
            self.tell_parent(apex);
        }
    }

    /// What stands against keys now; it is told where it changed.
    pub(super) fn tell_news(&mut self) {
        if !std::mem::take(&mut self.is_news) {
            return;
        }
        self.roll_gauges();
        let mut found = self.clock.findings(&self.config.keys);
        found.extend(self.rolls.past_findings(&self.store));
        found.extend(self.instance.finding());
        for (apex, roll) in &self.rolls.zones {
            let Some(zone) = self.world.zones.get(apex).filter(|zone| matches!(zone.keys, Keys::Loaded(_))) else {
                continue;
            };
            let text = apex.to_string();
            found.extend(findings(text.trim_end_matches('.'), &self.world.shown(&zone.path), roll));
        }
        if found != self.key_findings || self.frozen() != self.view.load().frozen {
            self.key_findings = found;
            self.report();
        }
    }
}

/// Our addresses answer as the facts say; true where a DS set that is wanted was seen for the first time.
fn own_seen(apex: &Name, roll: &mut ZoneRoll, through: u64, ttl: u32, expires: UnixTime, snapshot: u64) -> bool {
    let now = Now::read();
    if through != roll.published {
        // It was published again meanwhile, and that is what must be seen.
        roll.own.within(SETTLED, now);
        return false;
    }
    let fact = Fact::ZoneServed {
        instance: 0,
        snapshot,
        first_seen: roll.published_at.0,
        last_seen: now.signing.0,
        ttl,
        expires: expires.0,
        through,
    };
    if build::is_unseen(roll.facts()) && !roll.record(fact, now) {
        roll.own.within(RETRY, now);
        return false;
    }
    let is_ds_seen = roll.open_steps.iter().any(|(step, _)| matches!(step, Step::WantDs(_)));
    for (step, text) in std::mem::take(&mut roll.open_steps) {
        tracing::info!(ZONE = %apex, KEY = keys_of(&step), SNAPSHOT = snapshot, "seen on the wire: {text}");
    }
    is_ds_seen
}

/// What stands in the way of all zones: a doubt about the clock, another server that may lead.
#[derive(Clone, Copy)]
pub(super) struct InTheWay<'a> {
    pub(super) clock: Option<&'a str>,
    pub(super) elsewhere: Option<&'a str>,
}

pub(super) fn conditions(roll: &ZoneRoll, way: InTheWay<'_>) -> Conditions {
    Conditions {
        clock: way.clock.map(str::to_owned),
        elsewhere: way.elsewhere.map(str::to_owned),
        disk: roll.disk.clone(),
        unreadable: roll.unreadable.clone(),
        silent: roll.silent.iter().map(|(address, _)| address.clone()).collect(),
        own_parent: None,
        turn: None,
    }
}

/// Takes one step, up to where it is to be served.
fn take(
    store: &crate::store::Store,
    zone: &ZoneState,
    roll: &mut ZoneRoll,
    step: &Step,
    shift: Shift,
    now: Now,
) -> Taken {
    if let Step::Create { role, algorithm } = step {
        return match store.make_key(&zone.apex, roll.journal(), *role, *algorithm, now.signing) {
            Ok((tag, key)) => {
                roll.private.insert(tag, key);
                (roll.disk, roll.refused) = (None, None);
                Taken::Quietly
            }
            Err(frozen) => {
                roll.is_not_done(&frozen);
                Taken::Not
            }
        };
    }
    if let Step::Destroy(tag) = step {
        if let Err(frozen) = store.destroy_key(&zone.apex, roll.journal(), *tag, now.signing) {
            roll.is_not_done(&frozen);
            if roll.facts().key(*tag).is_some_and(|key| key.destroyed.is_some()) {
                // The next start wipes what the disk kept.
                roll.private.remove(tag);
            }
            return Taken::Not;
        }
        roll.private.remove(tag);
        return Taken::Quietly;
    }
    let Some(fact) = step.fact() else { return Taken::Not };
    let mut facts: ZoneFacts = roll.facts().clone();
    let candidate = facts.take(&fact, now.signing).and_then(|()| match facts.unsigned {
        true => Ok(Keys::None),
        // I10 of the design: what is to be served proves itself before anybody may see it.
        false => roll.key_set(zone, &facts, shift).map(|set| Keys::Loaded(Box::new(set))),
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
            roll.was_built(zone, shift);
            Taken::Serving(keys)
        }
    }
}

/// The keys that a step is about, as a field of the log; a key that is still to be made has no tag.
fn keys_of(step: &Step) -> Option<tracing::field::DisplayValue<String>> {
    let tags = words::tags(step);
    (!tags.is_empty()).then(|| tracing::field::display(words::tag_list(&tags)))
}
