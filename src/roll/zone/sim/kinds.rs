//! What a simulation counts, how its processes end, and what may be wrong in it.
//!
//! Values only.

use super::judge::Resolver;
use crate::roll::clock::Mark;
use crate::roll::zone::check::{Conflict, KeySet, Keys};
use crate::roll::zone::facts::Limits;
use crate::time::{Seconds, UnixTime};

/// How long after it was published something is seen on the wire.
pub(super) const SEEN_AFTER: Seconds = 2;

/// What went wrong.
#[derive(Clone, Debug)]
pub struct Bogus {
    /// True time.
    pub at: UnixTime,
    /// What is wrong.
    pub what: Wrong,
    /// What happened before.
    pub trace: Vec<String>,
}

/// What is wrong.
#[derive(Clone, Debug)]
pub enum Wrong {
    /// What a resolver may hold does not fit.
    Mixture(Resolver, Box<Conflict>),
    /// The zone was insecure without anybody's wish.
    Bare,
    /// A step was decided that cannot follow from the facts.
    Refused(String),
}

/// What may go wrong without anybody's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Excuse {
    /// Waits of emergencies were used: honest caches only are promised then.
    Urgent,
    /// The parent did what nobody can be safe from.
    Parent,
    /// The zone may be insecure.
    Bare,
}

/// How a process ends at a labelled point (lifecycle § 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Before the fact is written.
    BeforeWrite,
    /// While it is written: the line is torn, and does not count.
    TornWrite,
    /// After the fact is durable, before anything follows from it.
    AfterWrite,
    /// After it is served, before that was seen.
    AfterAct,
}

/// All of them.
pub const DEATHS: [Death; 4] = [Death::BeforeWrite, Death::TornWrite, Death::AfterWrite, Death::AfterAct];

/// What is served.
#[derive(Clone, Debug, Default)]
pub(super) struct Served {
    pub keys: Keys,
    pub data: KeySet,
    pub cds: KeySet,
    pub record: u64,
    pub at: u64,
    pub limits: Limits,
}

/// The clocks of the machine, in true seconds.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    /// Wall clock minus true time.
    pub offset: i64,
    pub boot: u64,
    pub booted_at: u64,
    pub mark: Option<Mark>,
    /// The mark as the disk has it: up to a minute old.
    pub kept: Option<Mark>,
}

/// Numbers of a simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Events, each judged.
    pub steps: u64,
    /// Keys removed because another took their place.
    pub rolls: u64,
    /// Ends of the process that were not asked for.
    pub crashes: u64,
    /// Steps that were taken back or refused because something was in doubt.
    pub freezes: u64,
}
