//! Steps of a zone's keys are taken: keys are made and wiped on disk, all else proves itself and is recorded.
//!
//! A step's key set proves itself first, then its fact is made durable, and only then is it served.

use crate::control::life::{InTheWay, LOOK_AGAIN, Life, Living, Taken};
use crate::control::rolls::{Shift, ZoneRoll, build};
use crate::roll::life::Facts;
use crate::roll::zone::facts::Fact;
use crate::roll::zone::fold::ZoneFacts;
use crate::roll::zone::plan::{Plan, ZoneKeys, plan};
use crate::roll::zone::step::Step;
use crate::roll::zone::{Conditions, words};
use crate::store::Store;
use crate::store::silence::{Cause, Silence};
use crate::time::{Now, Seconds, UnixTime};
use crate::world::zones::{Keys, ZoneState};
use std::time::Duration;

/// How often all zones are looked at from outside though nothing changed (I34 of the design).
const AT_REST: Duration = Duration::from_secs(600);

/// What the steps of a zone go by.
pub struct Around<'a> {
    /// Where its keys lie.
    pub store: &'a Store,
    /// The zone as it is served.
    pub zone: &'a ZoneState,
    /// How signatures cover all readings of the clocks.
    pub shift: Shift,
    /// What stands in the way of all zones.
    pub way: &'a InTheWay,
    /// Which zone is to roll before this one does by itself.
    pub turn: Option<String>,
    /// Why its parent zone gives no answer, where that is served here.
    pub own_parent: Option<String>,
    /// The snapshot that shows a step which is taken now.
    pub snapshot: u64,
}

impl Living for ZoneRoll {
    type Kind = ZoneKeys;
    type Around<'a> = Around<'a>;
    type Served = Keys;
    const IS_PUBLISHED_STEP_BY_STEP: bool = true;
    const AT_REST: Duration = AT_REST;

    fn comes_next(&self, around: &Around<'_>, now: UnixTime) -> Plan {
        let (turn, own_parent) = (around.turn.clone(), around.own_parent.clone());
        let conditions = Conditions { turn, own_parent, ..self.conditions(around.way) };
        plan(self.facts(), &build::roll_policy(&around.zone.policy), &conditions, now)
    }

    fn take(&mut self, step: &Step, around: &Around<'_>, now: Now) -> Taken<Keys> {
        let (apex, text) = (&around.zone.apex, words::step(self.facts(), step));
        let taken = match step {
            Step::Create { role, algorithm } => {
                let made = around.store.make_key(apex, self.journal_mut(), *role, *algorithm, now.signing);
                let made = made.map(|(tag, key)| drop(self.private.insert(tag, key)));
                self.quietly(made)
            }
            Step::Destroy(tag) => self.destroy(*tag, around, now),
            _ => self.step_on(step, around, now),
        };
        match &taken {
            Taken::Quietly => tracing::info!(ZONE = %apex, KEY = keys_of(step), "{text}"),
            Taken::Serving(_) => {
                tracing::info!(ZONE = %apex, KEY = keys_of(step), SNAPSHOT = around.snapshot, "{text}");
                self.open_steps.push((step.clone(), text));
            }
            Taken::Not => {}
        }
        taken
    }

    fn is_unseen(&self) -> bool {
        build::is_unseen(self.facts())
    }

    fn is_awaited(&self) -> bool {
        self.is_unseen() || !self.open_steps.is_empty()
    }

    fn is_watched(&self) -> bool {
        true
    }
}

impl ZoneRoll {
    /// Takes the steps that may be taken now, up to the first that is to be served: its keys from then on.
    pub fn advance(&mut self, around: &Around<'_>, credited: Seconds, now: Now) -> Option<Keys> {
        self.due = now.steady + LOOK_AGAIN;
        // What the disk refused is tried again: whatever it takes is recorded before it is done, so trying is safe.
        // Files that another server writes are left alone, and that they are is told as what it is.
        let put_back = |life: &mut Life<ZoneKeys>| life.journal_mut().put_back().err().map(|fault| fault.to_string());
        self.disk = if around.way.elsewhere.is_none() { put_back(self) } else { None };
        let is_ready = matches!(around.zone.keys, Keys::Loaded(_)) && around.zone.content().is_some();
        if is_ready { self.take_steps(around, credited, now) } else { None }
    }

    /// The fact that its addresses answer as its facts say.
    pub fn served(&self, ttl: u32, expires: UnixTime, snapshot: u64, now: UnixTime) -> Fact {
        let (first_seen, last_seen, through) = (self.published_at.0, now.0, self.published);
        Fact::ZoneServed { instance: 0, snapshot, first_seen, last_seen, ttl, expires: expires.0, through }
    }

    /// A step that only the journal shows, or what is served.
    fn step_on(&mut self, step: &Step, around: &Around<'_>, now: Now) -> Taken<Keys> {
        let Some(fact) = step.fact() else { return Taken::Not };
        let mut facts: ZoneFacts = self.facts().clone();
        let candidate = facts.take(&fact, now.signing).and_then(|()| match facts.unsigned {
            true => Ok(Keys::None),
            // I10 of the design: what is to be served proves itself before anybody may see it.
            false => self.key_set(around.zone, &facts, around.shift).map(|set| Keys::Loaded(Box::new(set))),
        });
        match candidate {
            Err(reason) => {
                self.refused = Some(format!("{}: {reason}", words::step(self.facts(), step)));
                Taken::Not
            }
            Ok(_) if !self.record(fact, now) => Taken::Not,
            Ok(_) if !step.changes_chain() => Taken::Quietly,
            Ok(keys) => Taken::Serving(keys),
        }
    }

    fn destroy(&mut self, tag: u16, around: &Around<'_>, now: Now) -> Taken<Keys> {
        let done = around.store.destroy_key(&around.zone.apex, self.journal_mut(), tag, now.signing);
        // Where the disk kept the file all the same, the next start wipes it.
        if done.is_ok() || self.facts().key(tag).is_some_and(|key| key.destroyed.is_some()) {
            self.private.remove(&tag);
        }
        self.quietly(done)
    }

    /// A key was made or wiped, or not: a journal that does not fit is no fault of the disk.
    fn quietly(&mut self, done: Result<(), Silence>) -> Taken<Keys> {
        let Err(frozen) = done else {
            self.disk = None;
            return Taken::Quietly;
        };
        match frozen.cause {
            Cause::JournalDamaged | Cause::JournalMissing => self.refused = Some(frozen.to_string()),
            // The others are files and folders that the disk does not give or take.
            _ => self.disk = Some(frozen.to_string()),
        }
        Taken::Not
    }
}

/// The keys that a step is about, as a field of the log; a key that is still to be made has no tag.
pub fn keys_of(step: &Step) -> Option<tracing::field::DisplayValue<String>> {
    let tags = words::tags(step);
    (!tags.is_empty()).then(|| tracing::field::display(words::tag_list(&tags)))
}
