//! How a life is lived, in whatever world: what is seen becomes facts, and what is decided becomes served.
//!
//! Pure. A step is recorded before anything follows from it. Calendars and simulations live so, each in a world of its own; what differs between them is what the world gives.

use super::plan::{FactOf, Plan, Subject};
use crate::time::UnixTime;

/// What is around one life: its journal, its clock, those who see what it serves, and whatever goes wrong.
pub trait World<S: Subject> {
    /// What ends it before its time.
    type End;
    /// Steps of one turn, at most; what they change is served together.
    const STEPS_MAX: usize = 1;

    /// What can be seen at this moment becomes facts.
    ///
    /// # Errors
    /// What ends this world.
    fn see(&mut self) -> Result<(), Self::End>;

    /// Decides what comes next, by all that is known at this moment.
    fn decide(&mut self) -> Plan<S>;

    /// What a step is recorded as; a key that it makes is made before. None: it cannot be taken now.
    ///
    /// # Errors
    /// What ends this world.
    fn fact(&mut self, step: &S::Step) -> Result<Option<FactOf<S>>, Self::End>;

    /// Records a step; false: it is not recorded, and nothing follows from it.
    ///
    /// # Errors
    /// What ends this world.
    fn record(&mut self, step: &S::Step, fact: FactOf<S>) -> Result<bool, Self::End>;

    /// Serves what the facts say from now on.
    ///
    /// # Errors
    /// What ends this world.
    fn publish(&mut self) -> Result<(), Self::End>;

    /// Time passes until there may be a next step or something to see, but not past `until`.
    ///
    /// # Errors
    /// What ends this world.
    fn pass(&mut self, plan: &Plan<S>, until: UnixTime) -> Result<(), Self::End>;
}

/// One look at everything, and the steps that may be taken then; time passes where there is none. The last plan.
///
/// # Errors
/// What ended the world.
pub fn live<S: Subject, W: World<S>>(world: &mut W, until: UnixTime) -> Result<Plan<S>, W::End> {
    let plan = turn(world)?;
    if plan.next.is_none() {
        world.pass(&plan, until)?;
    }
    Ok(plan)
}

/// The same at one moment: no time passes.
///
/// # Errors
/// What ended the world.
pub fn turn<S: Subject, W: World<S>>(world: &mut W) -> Result<Plan<S>, W::End> {
    world.see()?;
    let mut plan = world.decide();
    let mut taken = 0;
    while let Some(step) = &plan.next {
        if !take(world, step)? {
            break;
        }
        taken += 1;
        if taken >= W::STEPS_MAX {
            break;
        }
        plan = world.decide();
    }
    if taken > 0 {
        world.publish()?;
    }
    Ok(plan)
}

/// Takes a step; whether it was recorded.
fn take<S: Subject, W: World<S>>(world: &mut W, step: &S::Step) -> Result<bool, W::End> {
    match world.fact(step)? {
        Some(fact) => world.record(step, fact),
        None => Ok(false),
    }
}
