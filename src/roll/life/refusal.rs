//! Why a step may not be taken yet: what would not fit, and until when that may be.

use crate::time::UnixTime;

/// Why a step may not be taken now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal<C> {
    /// When it may be; none: when something is seen that was not yet.
    pub until: Option<UnixTime>,
    /// What would not fit, if it were.
    pub conflict: Box<C>,
}

/// Refuses a step for all that would not fit, each until some moment or for as long as is known, so that the refusal names
/// the last moment.
///
/// # Errors
/// The last of them; none of them: the step is not refused.
pub fn refuse<C>(conflicts: impl Iterator<Item = (Option<UnixTime>, Box<C>)>) -> Result<(), Refusal<C>> {
    let mut refusal: Option<Refusal<C>> = None;
    for (until, conflict) in conflicts {
        let until = match &refusal {
            None => until,
            Some(before) => before.until.zip(until).map(|(one, two)| one.max(two)),
        };
        refusal = Some(Refusal { until, conflict });
    }
    refusal.map_or(Ok(()), Err)
}

/// Proves by the rule of a subject that all fits after a step. Where it does not fit before, no step is at fault; what takes
/// away is stopped elsewhere then.
///
/// # Errors
/// What would not fit; only what is seen later tells until when.
pub fn prove<C>(before: Result<(), Box<C>>, after: Result<(), Box<C>>) -> Result<(), Refusal<C>> {
    match (after, before) {
        (Err(conflict), Ok(())) => Err(Refusal { until: None, conflict }),
        (Ok(()), _) | (Err(_), Err(_)) => Ok(()),
    }
}
