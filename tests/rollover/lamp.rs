//! A kind of life in miniature: a lamp that is switched off, and removed once nobody can take it to be lit.
//!
//! It is all that a new subject has to give: facts, a rule, steps. How one decides, refuses, waits, records, foretells and lives
//! is used as it is.

use mxseal::roll::item::{Caution, Version, spans};
use mxseal::roll::life::drive::{World, live};
use mxseal::roll::life::forecast::{Meanwhile, Outlook, Planned, forecast};
use mxseal::roll::life::plan::{Blocker, Kept, Plan, Stage, Subject, Wait, Why, decide};
use mxseal::roll::life::refusal::{Refusal, refuse};
use mxseal::roll::life::{Facts, Record, Written};
use mxseal::time::{Seconds, UnixTime};
use serde::{Deserialize, Serialize};
use std::ops::{Deref, DerefMut};

/// How long somebody who has seen it lit goes on to believe so, in seconds.
const BELIEVED: u32 = 3600;
const BEGIN: UnixTime = UnixTime(1_800_000_000);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Fact {
    Installed {},
    Switched { on: bool },
    Looked { through: u64 },
    Removed {},
    Doubted { reason: String },
    ClockCorrected { by: u64 },
}

#[derive(Clone, Debug, Default, PartialEq)]
struct LampFacts {
    lit: Vec<Version<bool>>,
    is_removed: bool,
    doubt: Option<String>,
    written: Written,
}

impl Deref for LampFacts {
    type Target = Written;

    fn deref(&self) -> &Written {
        &self.written
    }
}

impl DerefMut for LampFacts {
    fn deref_mut(&mut self) -> &mut Written {
        &mut self.written
    }
}

impl Facts for LampFacts {
    type Fact = Fact;
    const RESUME: &'static str = "`lamp resume`";
    const FIRST: &'static str = "installed";

    fn is_first(fact: &Fact) -> bool {
        matches!(fact, Fact::Installed {})
    }

    fn fold(&mut self, fact: &Fact, at: UnixTime) -> Result<(), String> {
        match fact {
            _ if self.is_removed => return Err("the lamp was removed before".to_owned()),
            Fact::Installed {} => {}
            Fact::Switched { on } => {
                let (what, since, record, ttl) = (*on, at, self.records + 1, BELIEVED);
                self.lit.push(Version { what, since, record, last: None, ttl, life: 0, seen: false });
            }
            Fact::Looked { through } => {
                let successors: Vec<u64> = self.lit.iter().skip(1).map(|version| version.record).collect();
                for (version, _) in self.lit.iter_mut().zip(successors).filter(|(_, next)| next <= through) {
                    version.last.get_or_insert(at);
                }
            }
            Fact::Removed {} => self.is_removed = true,
            Fact::Doubted { reason } => self.doubt = Some(reason.clone()),
            Fact::ClockCorrected { by } => {
                self.corrected += by;
                self.lit.iter_mut().for_each(|version| version.last = version.last.map(|last| last.after(*by)));
            }
        }
        Ok(())
    }

    fn doubted(reason: String) -> Fact {
        Fact::Doubted { reason }
    }

    fn clock_corrected(by: Seconds) -> Fact {
        Fact::ClockCorrected { by }
    }

    fn bounded(fact: Fact) -> Fact {
        fact
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lamp;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    SwitchOff,
    Remove,
}

/// Somebody may take it to be lit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TakenForLit;

/// Nothing stops a lamp alone, and it waits for nothing of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Nothing {}

/// Whether it is to go.
struct Look<'a> {
    facts: &'a LampFacts,
    now: UnixTime,
}

impl Subject for Lamp {
    type Facts = LampFacts;
    type Step = Step;
    type Conflict = TakenForLit;
    type Block = Nothing;
    type Awaited = Nothing;
    type Focus = ();
    type Situation<'a> = Look<'a>;

    const STAGES: &'static [Stage<Lamp>] = &[|look, _| match look.facts.lit.last() {
        _ if look.facts.is_removed => vec![],
        Some(Version { what: true, .. }) => vec![Step::SwitchOff],
        _ => vec![Step::Remove],
    }];

    fn now(look: &Look<'_>) -> UnixTime {
        look.now
    }

    fn freezes(block: &Nothing) -> bool {
        match *block {}
    }

    fn keeps(_: &Look<'_>, step: &Step, plan: &Plan<Lamp>) -> Option<Kept<Lamp>> {
        (*step == Step::Remove && plan.is_frozen()).then_some(Kept::Waits(None, Why::Frozen))
    }

    fn permit(look: &Look<'_>, step: &Step) -> Result<(), Refusal<TakenForLit>> {
        if *step != Step::Remove {
            return Ok(());
        }
        let held = spans(&look.facts.lit, Caution::Ttl, 0, look.now).into_iter().filter(|span| span.what);
        refuse(held.map(|span| (span.until, Box::new(TakenForLit))))
    }
}

fn plan(facts: &LampFacts, now: UnixTime) -> Plan<Lamp> {
    decide(&Look { facts, now }, facts.doubt.clone().map(Blocker::Doubt).into_iter().collect())
}

fn fact_of(step: &Step) -> Fact {
    match step {
        Step::SwitchOff => Fact::Switched { on: false },
        Step::Remove => Fact::Removed {},
    }
}

/// The facts of a lamp that is lit, and those that follow, a minute after each other.
fn lamp(more: &[Fact]) -> LampFacts {
    let mut facts = LampFacts::default();
    for (minute, fact) in (0..).zip([Fact::Installed {}, Fact::Switched { on: true }].iter().chain(more)) {
        facts.take(fact, BEGIN.after(60 * minute)).expect("it follows");
    }
    facts
}

#[test]
fn a_lamp_is_removed_after_it_was_seen_off_and_nobody_believes_otherwise() {
    let (off, seen) = (Fact::Switched { on: false }, Fact::Looked { through: 3 });
    let at = |minutes: u64| BEGIN.after(60 * minutes);
    let waits = |plan: &Plan<Lamp>| plan.waits.clone();
    assert_eq!(plan(&lamp(&[]), at(2)).next, Some(Step::SwitchOff));
    let unseen = plan(&lamp(std::slice::from_ref(&off)), at(600));
    let why = Why::Unseen(Box::new(TakenForLit));
    assert_eq!((unseen.next.as_ref(), waits(&unseen)), (None, vec![Wait { step: Step::Remove, until: None, why }]));
    let facts = lamp(&[off.clone(), seen.clone()]);
    let (held, until) = (plan(&facts, at(4)), at(3).after(3600));
    let why = Why::Caches(Box::new(TakenForLit));
    assert_eq!(waits(&held), [Wait { step: Step::Remove, until: Some(until), why }]);
    assert_eq!(held.wake_at, until.after(1));
    assert_eq!(plan(&facts, held.wake_at).next, Some(Step::Remove));
    // A doubt takes nothing away; a clock that jumped counts for no wait.
    let doubt = LampFacts::doubted("whose lamp".to_owned());
    let doubtful = plan(&lamp(&[off.clone(), seen.clone(), doubt]), at(600));
    assert_eq!(waits(&doubtful), [Wait { step: Step::Remove, until: None, why: Why::Frozen }]);
    let correction = facts.correction(7).expect("not counted yet");
    let jumped = lamp(&[off, seen, correction]);
    assert_eq!((plan(&jumped, held.wake_at).next, jumped.correction(7)), (None, None));
    assert_eq!(plan(&jumped, held.wake_at.after(7)).next, Some(Step::Remove));
}

#[test]
fn its_journal_has_the_form_of_all_journals() {
    let mut facts = LampFacts::default();
    let mut lines = Vec::new();
    for fact in [Fact::Installed {}, Fact::Switched { on: true }, Fact::Switched { on: false }] {
        let record = facts.next_record(fact, BEGIN);
        facts.apply(&record).expect("it follows");
        lines.push(serde_json::to_string(&record).expect("a line"));
    }
    assert_eq!(
        lines[1],
        r#"{"sequence":2,"time":1800000000,"generation":1,"token":0,"fact":{"Switched":{"on":true}}}"#
    );
    let records: Vec<Record<Fact>> = lines.iter().map(|line| serde_json::from_str(line).expect("a record")).collect();
    let mut again = LampFacts::default();
    records.iter().for_each(|record| again.apply(record).expect("it follows"));
    assert_eq!(again, facts);
    assert_eq!(again.apply(&records[1]), Err("record 2 stands where 4 belongs".to_owned()));
    let second = again.next_record(Fact::Installed {}, BEGIN);
    assert_eq!(again.apply(&second), Err("the first record, and only that, is installed".to_owned()));
    assert_eq!(again, facts, "what cannot follow changes nothing");
}

/// Whoever looks does so in time.
struct Calm;

impl Outlook<Lamp> for Calm {
    fn decide(&self, facts: &LampFacts, now: UnixTime) -> Plan<Lamp> {
        plan(facts, now)
    }

    fn fact(&mut self, _: &LampFacts, step: &Step) -> Option<Fact> {
        Some(fact_of(step))
    }

    fn planned(&mut self, _: &LampFacts, step: &Step, at: UnixTime) -> Planned {
        let verb = if *step == Step::Remove { "remove" } else { "off" };
        Planned { at, verb, text: format!("the lamp: {verb}"), assumes: "" }
    }

    fn seen(&self, through: u64, _: UnixTime) -> Fact {
        Fact::Looked { through }
    }

    fn meanwhile(&mut self, _: &LampFacts, _: UnixTime, next: UnixTime) -> Meanwhile<Fact> {
        Meanwhile { facts: Vec::new(), until: next, is_seen: false }
    }
}

#[test]
fn its_calendar_is_the_engine_run_ahead() {
    let (now, facts) = (BEGIN.after(60), lamp(&[]));
    let ahead = forecast(&mut Calm, facts.clone(), Vec::new(), now, now.after(86_400));
    let steps: Vec<_> = ahead.steps.iter().map(|step| (step.at, step.verb, step.text.as_str())).collect();
    assert_eq!(steps, [(now, "off", "the lamp: off"), (now.after(3601), "remove", "the lamp: remove")]);
    assert!(ahead.start == facts && ahead.end.is_removed);
    // It ends where it is asked to.
    assert_eq!(forecast(&mut Calm, facts, Vec::new(), now, now.after(3600)).steps.len(), 1);
}

/// A room with a lamp: somebody looks now and then, and the journal refuses every other time.
struct Room {
    now: UnixTime,
    facts: LampFacts,
    /// When somebody last saw it lit in truth.
    seen_lit: UnixTime,
    served: u64,
    refuses: bool,
    removed_at: Option<UnixTime>,
}

/// A lamp went of which somebody believed that it is lit.
#[derive(Debug)]
struct Wrong;

impl World<Lamp> for Room {
    type End = Wrong;

    fn see(&mut self) -> Result<(), Wrong> {
        let is_lit = self.facts.lit.last().is_some_and(|version| version.what);
        if self.now.0.is_multiple_of(5) && !self.facts.is_removed {
            self.seen_lit = if is_lit { self.now } else { self.seen_lit };
            let seen = Fact::Looked { through: self.served };
            self.facts.take(&seen, self.now).map_err(|_| Wrong)?;
        }
        Ok(())
    }

    fn decide(&mut self) -> Plan<Lamp> {
        plan(&self.facts, self.now)
    }

    fn fact(&mut self, step: &Step) -> Result<Option<Fact>, Wrong> {
        self.now = self.now.after(1);
        Ok(Some(fact_of(step)))
    }

    fn record(&mut self, step: &Step, fact: Fact) -> Result<bool, Wrong> {
        self.refuses = !self.refuses;
        if self.refuses {
            return Ok(false);
        }
        self.facts.take(&fact, self.now).map_err(|_| Wrong)?;
        self.removed_at = (*step == Step::Remove).then_some(self.now);
        Ok(true)
    }

    fn publish(&mut self) -> Result<(), Wrong> {
        self.served = self.facts.records;
        let is_believed = self.seen_lit.after(BELIEVED.into()) >= self.now;
        if self.removed_at.is_some() && is_believed { Err(Wrong) } else { Ok(()) }
    }

    fn pass(&mut self, _: &Plan<Lamp>, until: UnixTime) -> Result<(), Wrong> {
        self.now = self.now.after(1).min(until);
        Ok(())
    }
}

#[test]
fn it_lives_in_a_world_where_records_fail_and_looks_are_late() {
    let (now, facts) = (BEGIN.after(60), lamp(&[]));
    let mut room = Room { now, served: facts.records, facts, seen_lit: now, refuses: false, removed_at: None };
    let end = now.after(86_400);
    while room.now < end && room.removed_at.is_none() {
        live(&mut room, end).expect("nobody is wrong");
    }
    let waited = room.removed_at.expect("it is removed").0 - room.seen_lit.0;
    assert!((3600..3620).contains(&waited), "{waited} s");
}
