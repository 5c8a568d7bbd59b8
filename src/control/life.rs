//! What lives by facts while the server runs: when it is looked at, and how often what failed is tried again.
//!
//! The keys of each zone, and those of each pool's hosts, are such lives.

mod look;

pub use look::NextLook;

use std::time::Duration;

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
