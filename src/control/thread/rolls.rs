//! Rolls go on: each zone's next step is taken, published and looked for on the wire.
//!
//! A step's key set proves itself first, then its fact is made durable, and only then is it served. What was not seen is
//! never taken for done, however long ago it was published.

mod turns;

use crate::control::event::Event;
use crate::control::life::{Living, SETTLED};
use crate::control::rolls::ZoneRoll;
use crate::control::rolls::steps::Around;
use crate::control::thread::{Mind, StartFault, parents};
use crate::dns::name::Name;
use crate::observe::observer::{Observer, Seen, WantedLook, reachable};
use crate::report::keys::findings::findings;
use crate::resolve::walk::Ways;
use crate::roll::zone::plan::{Block, Blocker};
use crate::roll::zone::step::Step;
use crate::time::Now;
use crate::world::zones::Keys;
use std::sync::mpsc::Sender;
use std::time::Instant;

/// Publications for steps in one go, at most; then other events have their turn.
const ROUNDS_MAX: usize = 4;

impl Mind {
    /// The moment of the next look.
    pub(super) fn rolls_next(&self) -> Option<Instant> {
        let next = |roll: &ZoneRoll| [Some(roll.due), roll.own_next(), roll.parent.next()].into_iter().flatten().min();
        // Zones without keys to serve with are not looked at, and their looks are due for nobody.
        let is_loaded =
            |apex: &Name| self.world.zones.get(apex).is_some_and(|zone| matches!(zone.keys, Keys::Loaded(_)));
        let looks =
            self.lives.rolls.zones.iter().map(|(apex, roll)| if is_loaded(apex) { next(roll) } else { Some(roll.due) });
        looks.flatten().min()
    }

    /// Takes the steps that are due, and asks for the looks that are.
    pub(super) fn roll_on(&mut self, now: Now) {
        for _ in 0..ROUNDS_MAX {
            let due: Vec<Name> = self.due(now);
            let mut serving = Vec::new();
            for apex in due {
                if let Some(keys) = self.advance(&apex, now) {
                    serving.push((apex, keys));
                }
            }
            if serving.is_empty() {
                break;
            }
            self.set_keys(serving, now);
            self.publish(now);
        }
        self.ask_looks(now);
    }

    fn due(&self, now: Now) -> Vec<Name> {
        self.lives.rolls.zones.iter().filter(|(_, roll)| roll.due <= now.steady).map(|(apex, _)| apex.clone()).collect()
    }

    /// Takes the steps of a zone that may be taken now, up to the first that is to be served: its keys from then on.
    fn advance(&mut self, apex: &Name, now: Now) -> Option<Keys> {
        let turn = self.turn_of(apex, now);
        let zone = self.world.zones.get(apex)?;
        let way = self.in_the_way();
        let own_parent = parents::silent_parent(&self.world, zone);
        let (store, shift, snapshot) = (&self.store, self.lives.rolls.shift, self.served.version + 1);
        let roll = self.lives.rolls.zones.get_mut(apex)?;
        let around = Around { store, zone, shift, way: &way, turn, own_parent, snapshot };
        let keys = roll.advance(&around, self.lives.clock.credited(), now);
        self.findings.is_key_news = true;
        if keys.is_some() && matches!(roll.open_steps.last(), Some((Step::Remove(_), _))) {
            self.next_turns(now);
        }
        keys
    }

    /// Starts to look at zones from outside.
    pub(super) fn start_observer(&mut self, events: &Sender<Event>) -> Result<(), StartFault> {
        let listen =
            self.basis.status.listen.iter().filter_map(|address| address.parse().ok()).map(reachable).collect();
        let events = events.clone();
        let report = move |zone, seen| drop(events.send(Event::Seen(Box::new(zone), Box::new(seen))));
        let observer = Observer::start(listen, Ways::default(), report)
            .map_err(|cause| StartFault::System { what: "start a thread", cause })?;
        self.eyes.observer = Some(observer);
        Ok(())
    }

    /// Before a publication: keys are those of the facts, also where the parent became ours meanwhile.
    pub(super) fn renew_keys(&mut self, now: Now) {
        let renewed = self.lives.rolls.renewed(&self.world.zones);
        if !renewed.is_empty() {
            self.set_keys(renewed, now);
        }
    }

    /// After a publication: what was published, and when to look for it.
    pub(super) fn note_published(&mut self, now: Now) {
        for (apex, roll) in &mut self.lives.rolls.zones {
            let zone = self.world.zones.get(apex);
            let is_silent = zone.is_some_and(|zone| parents::silent_parent(&self.world, zone).is_some());
            let is_told = |blocker: &Blocker| matches!(blocker, Blocker::Own(Block::ParentSilent(_)));
            if roll.plan.as_ref().is_some_and(|plan| plan.blockers.iter().any(is_told) != is_silent) {
                roll.due = now.steady;
            }
            if roll.note_published(now) {
                roll.parent.within(SETTLED, now);
            }
        }
    }

    /// Asks for all looks that are due.
    fn ask_looks(&mut self, now: Now) {
        // What was just published is looked for once it was noted.
        let Some(observer) = self.eyes.observer.as_ref().filter(|_| !self.served.is_unnoted) else { return };
        let mut asked = Vec::new();
        for (apex, roll) in &self.lives.rolls.zones {
            let Some(zone) = self.world.zones.get(apex).filter(|zone| matches!(zone.keys, Keys::Loaded(_))) else {
                continue;
            };
            if roll.own_next().is_some_and(|at| at <= now.steady) {
                let look = roll.own_look(apex, zone.parent.is_some());
                let is_asked = observer.ask(WantedLook { zone: apex.clone(), look }).is_ok();
                asked.push((apex.clone(), true, is_asked));
            }
            if roll.parent.next().is_some_and(|at| at <= now.steady) {
                let look = self.parent_look(zone, roll.published);
                let is_asked = look.is_some_and(|look| observer.ask(WantedLook { zone: apex.clone(), look }).is_ok());
                asked.push((apex.clone(), false, is_asked));
            }
        }
        for (apex, is_own, is_asked) in asked {
            let Some(roll) = self.lives.rolls.zones.get_mut(&apex) else { continue };
            let look = if is_own { &mut roll.own } else { &mut roll.parent };
            look.asked(is_asked, now);
        }
    }

    /// Something was seen.
    pub(super) fn seen(&mut self, apex: &Name, seen: Seen, now: Now) {
        let poll = self.world.zones.get(apex).map_or(0, |zone| zone.policy.parent_poll);
        let is_ours = self.world.zones.get(apex).is_some_and(|zone| zone.parent.is_some());
        let is_news = !matches!(seen, Seen::NotHere);
        let Some(roll) = self.lives.rolls.zones.get_mut(apex) else { return };
        let is_ds_seen = roll.saw(apex, seen, self.served.version, poll, now);
        self.findings.is_key_news |= is_news;
        if is_ds_seen && !is_ours {
            self.tell_parent(apex);
        }
    }

    /// What stands against keys now; it is told where it changed.
    pub(super) fn tell_news(&mut self, now: Now) {
        if !std::mem::take(&mut self.findings.is_key_news) {
            return;
        }
        self.roll_gauges(now);
        let mut found = self.lives.clock.findings(&self.basis.config.keys);
        found.extend(self.lives.rolls.past_findings(&self.store));
        found.extend(self.lives.instance.finding());
        for (apex, roll) in &self.lives.rolls.zones {
            let Some(zone) = self.world.zones.get(apex).filter(|zone| matches!(zone.keys, Keys::Loaded(_))) else {
                continue;
            };
            let text = apex.to_string();
            found.extend(findings(&roll.state(text.trim_end_matches('.')), &self.world.shown(&zone.path)));
        }
        if found != self.findings.keys || self.frozen() != self.served.view.load().frozen {
            self.findings.keys = found;
            self.report(now);
        }
    }
}
