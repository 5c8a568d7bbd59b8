//! Rolls of zone keys in real time on real sockets, judged by programs of others: no SERVFAIL, nothing bogus.
//!
//! A judge that is not installed fails its tests: `tests/run` installs them all.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test ends at the first surprise and says how many verdicts there were"
)]

#[allow(dead_code, reason = "each test binary uses its own part of this")]
#[path = "live/live.rs"]
mod live;

mod rolls {
    mod askers;
    mod fixture;
    mod imports;
    mod parent;
    mod relay;
    mod steady;
    mod turns;
}
