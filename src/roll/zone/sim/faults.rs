//! Years of a world in which things go wrong by chance: crashes, clocks, parents, changes of mind.
//!
//! The same seed gives the same years. After them all faults end, and every roll must end too, or name what stops it.

use super::judge::RESOLVERS;
use super::parent::Parent;
use super::world::{Bogus, Count, DEATHS, World};
use crate::roll::zone::Policy;
use crate::roll::zone::check::KeySet;
use crate::roll::zone::facts::{Fact, Limits, Lives};
use crate::roll::zone::fold::ZoneFacts;
use crate::roll::zone::goal::Focus;
use crate::roll::zone::words;
use crate::sign::key::{ECDSA_P256, ED25519_NUMBER};
use crate::time::{Seconds, UnixTime};
use std::collections::BTreeSet;

const HOUR: Seconds = 3600;
const DAY: Seconds = 86_400;
const YEAR: Seconds = 365 * DAY + 6 * HOUR;
/// How long after the last fault a roll may still take: the longest waits of two rolls, one after the other.
const SETTLE_MAX: Seconds = 400 * DAY;

/// What may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The process ends at any labelled point, and at any moment.
    Crash,
    /// The wall clock jumps both ways.
    Clock,
    /// The parent is late, silent, partly right, reverts, or has a DS that nobody asked for.
    Parent,
    /// TTLs of zone and parent change at any moment.
    Ttl,
    /// Operators ask for rolls, take them back, hold and resume.
    People,
    /// These change the algorithm, too.
    Algorithm,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 6] =
        [Fault::Crash, Fault::Clock, Fault::Parent, Fault::Ttl, Fault::People, Fault::Algorithm];
}

/// What is simulated.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The zone's facts; none: it starts for the first time.
    pub facts: Option<ZoneFacts>,
    /// Its policy.
    pub policy: Policy,
    /// How long what it serves may be held.
    pub limits: Limits,
    /// Whether its parent zone is served here too.
    pub own_parent: bool,
    /// Addresses of the parent.
    pub servers: usize,
    /// How many years.
    pub years: u64,
    /// What may go wrong.
    pub faults: BTreeSet<Fault>,
    /// All chance comes from here.
    pub seed: u64,
}

/// How it went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Numbers.
    pub count: Count,
    /// What became bogus.
    pub bogus: Option<Box<Bogus>>,
    /// What did not end although all faults had, and named no reason.
    pub stuck: Option<String>,
    /// What named its reason, at the end.
    pub blocked: Vec<String>,
    /// Every step with its moment.
    pub steps: Vec<(UnixTime, String)>,
}

/// Runs it. `tell` is told the part that is done, from 0 to 1.
pub fn run(setup: &Setup, tell: &mut dyn FnMut(f64)) -> Outcome {
    let mut chaos = Chaos::new(setup);
    let begin = chaos.world.time;
    let end = begin + setup.years * YEAR;
    let mut result = Ok(());
    while result.is_ok() && chaos.world.time < end {
        result = chaos.season(end);
        let done = chaos.world.time.saturating_sub(begin).min(u64::from(u32::MAX)) as f64;
        tell(done / (setup.years * YEAR).max(1) as f64);
    }
    let (mut stuck, mut blocked) = (None, Vec::new());
    if result.is_ok() {
        match chaos.settle() {
            Ok((left, named)) => (stuck, blocked) = (left, named),
            Err(bogus) => result = Err(bogus),
        }
    }
    let steps = chaos.world.steps.take().unwrap_or_default();
    Outcome { count: chaos.world.count, bogus: result.err(), stuck, blocked, steps }
}

struct Chaos {
    world: World,
    faults: BTreeSet<Fault>,
}

impl Chaos {
    fn new(setup: &Setup) -> Chaos {
        let facts = setup.facts.clone().unwrap_or_default();
        let set = facts.ds_wanted.clone();
        let mut parent = Parent::new(setup.own_parent, setup.servers, &set);
        for (server, known) in parent.servers.iter_mut().zip(&facts.parent.servers) {
            server.address.clone_from(&known.address);
        }
        let mut world = if setup.facts.is_some() {
            let time = facts.time.0.max(1_800_000_000);
            let mut world = World::with_facts(facts, setup.policy.clone(), setup.limits, parent, time, setup.seed);
            world.start();
            world
        } else {
            World::new(setup.policy.clone(), setup.limits, parent, setup.seed)
        };
        world.steps = Some(Vec::new());
        Chaos { world, faults: setup.faults.clone() }
    }

    /// Some days without a fault, then one.
    fn season(&mut self, end: u64) -> Result<(), Box<Bogus>> {
        let quiet = match self.world.chance() % 4 {
            0 => self.world.chance() % HOUR,
            1 => self.world.chance() % (2 * DAY),
            _ => self.world.chance() % (20 * DAY),
        };
        let until = (self.world.time + 1 + quiet).min(end);
        while self.world.time < until {
            self.world.go(until)?;
        }
        self.fault()
    }

    fn fault(&mut self) -> Result<(), Box<Bogus>> {
        let kind = self.world.chance() % 6;
        let happens = |fault| self.faults.contains(&fault);
        match kind {
            0 if happens(Fault::Crash) => self.crash(),
            1 if happens(Fault::Clock) => self.clock(),
            2 if happens(Fault::Parent) => self.parent(),
            3 if happens(Fault::Ttl) => self.ttl(),
            4 | 5 if happens(Fault::People) => self.people(),
            // A season without a fault.
            _ => Ok(()),
        }
    }

    fn crash(&mut self) -> Result<(), Box<Bogus>> {
        let world = &mut self.world;
        if world.chance().is_multiple_of(2) {
            let at = world.chance() % 6;
            let way = world.chance() % 4;
            world.death = usize::try_from(way).ok().and_then(|way| DEATHS.get(way)).map(|way| (at, *way));
            return Ok(());
        }
        // Longer than signatures live would be bogus by itself, whatever rolls do.
        let seconds = 1 + world.chance() % (world.limits.data_life / 2).max(2);
        let reboot = world.chance().is_multiple_of(3);
        world.crash(seconds, reboot)
    }

    fn clock(&mut self) -> Result<(), Box<Bogus>> {
        let world = &mut self.world;
        match world.chance() % 4 {
            0 => world.set_clock_right(),
            1 => world.jump(i64::try_from(world.time % 400).unwrap_or(0) - 200),
            _ => {
                let seconds = i64::try_from(world.chance() % (80 * DAY)).unwrap_or(0) - 40 * 86_400;
                world.jump(seconds);
            }
        }
        Ok(())
    }

    fn parent(&mut self) -> Result<(), Box<Bogus>> {
        let world = &mut self.world;
        let count = u64::try_from(world.parent.servers.len()).unwrap_or(1);
        let which = usize::try_from(world.chance() % count).unwrap_or(0);
        let digest = world.chance().to_be_bytes();
        let algorithm = world.facts.ds_wanted.iter().next().map_or(world.policy.algorithm, |id| id.algorithm);
        let foreign = [&[0, 7, algorithm, 2][..], &digest].concat();
        let kind = world.chance() % 7;
        world.say(&format!("the parent: fault {kind} at address {which}"));
        match kind {
            0 | 1 => {
                for server in &mut world.parent.servers {
                    (server.answers, server.extra) = (true, None);
                }
            }
            2 => world.parent.servers.iter_mut().skip(which).for_each(|server| server.answers = false),
            3 => world.parent.delay = Some(world.chance() % (12 * DAY)),
            4 => world.parent.spread = world.chance() % (7 * DAY),
            5 => world.parent.servers.iter_mut().skip(which).take(1).for_each(|s| s.extra = Some(foreign.clone())),
            _ => self.revert(),
        }
        self.world.look_at_parent()
    }

    /// A registry may put its old set back only as long as the server must expect it: while the old keys are there, and
    /// where the server can see it. Nobody is safe from a parent that changes its mind twice while it cannot be asked.
    fn revert(&mut self) {
        let world = &mut self.world;
        let published = world.facts.key_set().published;
        let is_safe = |before: &KeySet| !before.is_empty() && before.iter().all(|id| published.has(id));
        let is_safe = world.parent.before.as_ref().is_some_and(is_safe);
        let is_seen = world.is_up && world.parent.servers.iter().all(|server| server.answers);
        if is_safe && is_seen && !world.parent.own && world.facts.parent.agreed().is_none() {
            world.parent.delay = Some(DAY);
            world.parent.revert(UnixTime(world.time));
            world.poll();
        }
    }

    fn ttl(&mut self) -> Result<(), Box<Bogus>> {
        let world = &mut self.world;
        let ttls = [60, 300, 1800, 3600, 14_400, 86_400];
        let mut pick = || {
            let at = usize::try_from(world.chance() % 6).unwrap_or(0);
            ttls.get(at).copied().unwrap_or(300)
        };
        let (dnskey_ttl, data, negative, ds) = (pick(), pick(), pick(), pick());
        world.parent.ttl = ds;
        let limits = world.limits;
        world.set_limits(Limits::of(
            dnskey_ttl,
            data,
            negative,
            Lives { dnskey: limits.dnskey_life, data: limits.data_life },
        ))
    }

    fn people(&mut self) -> Result<(), Box<Bogus>> {
        let world = &mut self.world;
        let reason = "an operator".to_owned();
        let live: Vec<(u16, bool)> = world
            .facts
            .keys
            .iter()
            .filter(|key| key.is_live() && key.is_published())
            .map(|key| (key.public.tag, key.outgoing.is_some()))
            .collect();
        let pick = usize::try_from(world.chance()).unwrap_or(0).checked_rem(live.len());
        let Some((tag, is_outgoing)) = pick.and_then(|at| live.get(at)).copied() else { return Ok(()) };
        match world.chance() % 10 {
            0 => world.command(&Fact::Held { reason }),
            1..=3 => world.command(&Fact::Resumed { reason }),
            4 if is_outgoing && live.len() > 1 => world.command(&Fact::RollTakenBack { tags: vec![tag] }),
            5 if self.faults.contains(&Fault::Algorithm) => {
                let is_old = world.facts.algorithm_wanted.unwrap_or(world.policy.algorithm) == ECDSA_P256;
                let algorithm = if is_old { ED25519_NUMBER } else { ECDSA_P256 };
                world.command(&Fact::AlgorithmWanted { algorithm });
            }
            _ if !is_outgoing => world.command(&Fact::RollWanted { tags: vec![tag], emergency: false, reason }),
            _ => {}
        }
        Ok(())
    }

    /// All faults end. What is under way must end too; what does not and names no reason is an error.
    fn settle(&mut self) -> Result<(Option<String>, Vec<String>), Box<Bogus>> {
        let world = &mut self.world;
        world.death = None;
        world.set_clock_right();
        (world.parent.delay, world.parent.spread) = (Some(0), 0);
        world.parent.servers.iter_mut().for_each(|server| (server.answers, server.extra) = (true, None));
        world.command(&Fact::Resumed { reason: "all is well again".to_owned() });
        let until = world.time + SETTLE_MAX;
        let mut last = world.go(until)?;
        // Lifetimes go on, so a moment at rest is the end of all that was under way.
        while world.time < until && (last.focus != Focus::Rest || last.next.is_some()) {
            last = world.go(until)?;
        }
        let blocked: Vec<String> = last.blockers.iter().map(|b| words::blocker(&world.facts, b)).collect();
        let waits: Vec<String> = last
            .waits
            .iter()
            .map(|wait| format!("{}: {}", words::step(&world.facts, &wait.step), words::wait(&world.facts, wait)))
            .collect();
        let stuck = (last.focus != Focus::Rest && blocked.is_empty())
            .then(|| format!("{}\n{}", waits.join("\n"), world.trace.iter().cloned().collect::<Vec<_>>().join("\n")));
        let _ = RESOLVERS;
        Ok((stuck, blocked))
    }
}
