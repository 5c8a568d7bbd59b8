//! What lives by facts while the server runs: its journal, what comes next, and whether what was published was seen.
//!
//! [`crate::roll::life`] decides; here its steps are made. A fact is durable before anything follows from it, and nothing
//! counts as served that was not seen on the wire. The keys of each zone, and those of each pool's hosts, are such lives.

mod look;

pub use look::NextLook;

use crate::diagnostic::Diagnostic;
use crate::report::life::Ills;
use crate::roll::life::Facts;
use crate::roll::life::plan::{FactOf, Plan, Subject};
use crate::store::journal::file::{AppendFault, JournalFile, LONG_SHARE};
use crate::time::{Now, Seconds, UnixTime};
use std::ops::DerefMut;
use std::time::{Duration, Instant};

/// When what failed is tried again: a step, a fact that the disk refused, a look that nobody could take.
pub const RETRY: Duration = Duration::from_secs(10);
/// The longest time between two looks at what is to be done.
pub const LOOK_AGAIN: Duration = Duration::from_secs(3600);
/// After this a publication is looked for: workers take a new snapshot with each batch, thousands of times in it.
pub const SETTLED: Duration = Duration::from_secs(1);
/// How often a publication that was not seen is looked for, at least.
pub const UNSEEN_MAX: Duration = Duration::from_secs(60);
/// Steps in one go, at most: a pool with all four kinds of keys takes six.
pub const STEPS_MAX: usize = 16;

/// One life. Its journal has one owner, and this is it.
pub struct Life<S: Subject> {
    journal: JournalFile<S::Facts>,
    /// What was found when its journal was opened.
    pub found: Vec<Diagnostic>,
    /// The next look at what is to be done.
    pub due: Instant,
    /// What that look said last.
    pub plan: Option<Plan<S>>,
    /// Number of facts that the newest publication shows.
    pub published: u64,
    /// Its moment.
    pub published_at: UnixTime,
    /// The look at our own addresses.
    pub own: NextLook,
    /// Why the disk does not take the last fact, or the last key.
    pub disk: Option<String>,
    /// Why the last step was not taken though it was planned, or a fact cannot follow those before it.
    pub refused: Option<String>,
}

impl<S: Subject> Life<S> {
    /// The life that a journal tells of; `found`: what was found when it was opened.
    pub fn new(journal: JournalFile<S::Facts>, found: Vec<Diagnostic>, now: Now) -> Life<S> {
        Life {
            journal,
            found,
            due: now.steady,
            plan: None,
            published: 0,
            published_at: UnixTime(0),
            own: NextLook::new(now.steady),
            disk: None,
            refused: None,
        }
    }

    /// What the journal adds up to.
    pub fn facts(&self) -> &S::Facts {
        self.journal.facts()
    }

    /// The journal.
    pub fn journal(&self) -> &JournalFile<S::Facts> {
        &self.journal
    }

    /// The journal, for those that make keys.
    pub fn journal_mut(&mut self) -> &mut JournalFile<S::Facts> {
        &mut self.journal
    }

    /// Records a fact; false where it is not recorded, and must not be acted upon: [`Life::unrecorded`] says why.
    pub fn record(&mut self, fact: FactOf<S>, now: Now) -> bool {
        match self.journal.append(fact, now.signing) {
            Ok(()) => {
                (self.disk, self.due) = (None, now.steady);
                true
            }
            Err(fault) => {
                self.is_not_recorded(&fault, now);
                false
            }
        }
    }

    /// A fact that contradicts those before is a fault of this program, and no repair of a disk ends it.
    fn is_not_recorded(&mut self, fault: &AppendFault, now: Now) {
        match fault {
            AppendFault::Contradiction { .. } => {
                tracing::error!("{fault}");
                self.refused = Some(fault.to_string());
            }
            AppendFault::TooLong { .. } | AppendFault::Full(_) | AppendFault::Disk(_) => {
                self.disk = Some(fault.to_string());
            }
        }
        self.due = self.due.min(now.steady + RETRY);
    }

    /// What reports are told of how it is kept.
    pub fn ills(&self) -> Ills<'_> {
        let long = Some(self.journal.share()).filter(|share| *share >= LONG_SHARE);
        Ills { found: &self.found, disk: self.disk.as_deref(), refused: self.refused.as_deref(), long }
    }

    /// Why the last fact was not recorded.
    pub fn unrecorded(&self) -> String {
        self.disk.clone().or_else(|| self.refused.clone()).unwrap_or_default()
    }

    /// No wait counts what no clock has counted, so that is recorded before anything is decided; false where it is not.
    pub fn count_clock(&mut self, credited: Seconds, now: Now) -> bool {
        let correction = self.facts().correction(credited);
        correction.is_none_or(|fact| self.record(fact, now))
    }
}

/// What a step led to.
pub enum Taken<T> {
    /// It is done, and nothing that is served changes.
    Quietly,
    /// It is recorded, and this is to be served.
    Serving(T),
    /// It is not done; the reason is kept.
    Not,
}

/// A life of one kind while the server runs: how its steps are taken, and what of it is looked for on the wire.
pub trait Living: DerefMut<Target = Life<Self::Kind>> {
    /// Its kind.
    type Kind: Subject;
    /// What its steps go by, beside itself.
    type Around<'a>;
    /// What a step gives to serve.
    type Served;
    /// Whether a step that changes what is served is published before the next one is taken.
    const IS_PUBLISHED_STEP_BY_STEP: bool;
    /// When our own addresses are asked again after they answered as they should.
    const AT_REST: Duration;

    /// What comes next, without doing it.
    fn comes_next(&self, around: &Self::Around<'_>, now: UnixTime) -> Plan<Self::Kind>;

    /// Takes one step, up to where it is to be served.
    fn take(
        &mut self,
        step: &<Self::Kind as Subject>::Step,
        around: &Self::Around<'_>,
        now: Now,
    ) -> Taken<Self::Served>;

    /// Whether something that is superseded was not seen to have gone: then a fact is to say that it was.
    fn is_unseen(&self) -> bool;

    /// Whether a publication is to be looked for on the wire.
    fn is_awaited(&self) -> bool {
        self.is_unseen()
    }

    /// Whether our own addresses are asked also while nothing is awaited.
    fn is_watched(&self) -> bool {
        self.is_awaited()
    }

    /// Takes the steps that may be taken now: what is to be served from the last of them on; none: what was served before.
    fn take_steps(&mut self, around: &Self::Around<'_>, credited: Seconds, now: Now) -> Option<Self::Served> {
        let mut served = None;
        if !self.count_clock(credited, now) {
            self.due = now.steady + RETRY;
            return None;
        }
        for _ in 0..STEPS_MAX {
            let plan = self.comes_next(around, now.signing);
            let wait = Duration::from_secs(plan.wake_at.0.saturating_sub(now.signing.0)).min(LOOK_AGAIN);
            let step = plan.next.clone();
            self.plan = Some(plan);
            let Some(step) = step else {
                self.due = now.steady + wait;
                return served;
            };
            match self.take(&step, around, now) {
                Taken::Quietly => {}
                Taken::Serving(keys) => served = Some(keys),
                Taken::Not => {
                    self.due = now.steady + RETRY;
                    return served;
                }
            }
            self.refused = None;
            if served.is_some() && Self::IS_PUBLISHED_STEP_BY_STEP {
                break;
            }
        }
        self.due = now.steady;
        served
    }

    /// After a publication: what was published; true where that is to be looked for.
    fn note_published(&mut self, now: Now) -> bool {
        let records = self.facts().records;
        let is_looked_for = self.published != records && self.is_awaited();
        (self.published, self.published_at) = (records, now.signing);
        if is_looked_for {
            (self.own.failures, self.own.at) = (0, now.steady + SETTLED);
        }
        is_looked_for
    }

    /// When our own addresses are to be asked; none: not now.
    fn own_next(&self) -> Option<Instant> {
        self.own.next().filter(|_| self.is_watched())
    }

    /// What our own addresses answered, who were asked when so many facts were published: the fact that they answer so, or
    /// what is wrong. True where they show what is published.
    fn own_seen(&mut self, through: u64, seen: Result<FactOf<Self::Kind>, Vec<String>>, now: Now) -> bool {
        let fact = match seen {
            Ok(fact) => fact,
            Err(faults) => {
                let after = SETTLED * 2u32.saturating_pow(self.own.failures.min(6));
                self.own.answered(faults, after.min(UNSEEN_MAX), now);
                return false;
            }
        };
        self.own.answered(Vec::new(), Self::AT_REST, now);
        if through != self.published {
            // It was published again meanwhile, and that is what must be seen.
            self.own.within(SETTLED, now);
            return false;
        }
        if self.is_unseen() && !self.record(fact, now) {
            self.own.within(RETRY, now);
            return false;
        }
        true
    }
}

/// What stands in the way of all lives.
#[derive(Clone, Debug, Default)]
pub struct InTheWay {
    /// Why the clock cannot be trusted.
    pub clock: Option<String>,
    /// Why another server may take these steps.
    pub elsewhere: Option<String>,
}
