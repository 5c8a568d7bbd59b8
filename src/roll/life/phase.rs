//! How far a key has come in its life, of whatever kind it is.
//!
//! No phase is ever stored, and no step is decided by one: each subject computes it from what caches may hold, for people,
//! calendars and metrics.

/// Where a key is in its life. See the tables of [`crate::roll::zone`] and [`crate::roll::hosts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Made and stored, never published.
    Staged,
    /// Published, and some caches may hold what was there without it.
    Rumoured,
    /// Published everywhere, and not used.
    Ready,
    /// In use.
    Active,
    /// Used no more, still published (or still signing what nobody needs).
    Retiring,
    /// Withdrawn.
    Removed,
    /// Its private half is wiped.
    Destroyed,
}

impl Phase {
    /// All of them, in their order.
    pub const ALL: [Phase; 7] = [
        Phase::Staged,
        Phase::Rumoured,
        Phase::Ready,
        Phase::Active,
        Phase::Retiring,
        Phase::Removed,
        Phase::Destroyed,
    ];

    /// The word for it in tables, JSON and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Staged => "staged",
            Phase::Rumoured => "rumoured",
            Phase::Ready => "ready",
            Phase::Active => "active",
            Phase::Retiring => "retiring",
            Phase::Removed => "removed",
            Phase::Destroyed => "destroyed",
        }
    }
}
