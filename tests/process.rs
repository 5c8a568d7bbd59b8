//! The process around the answers: no fault of its log and no stray signal ends or stops the server.
//!
//! The unit of systemd keeps none down that would serve.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

#[allow(dead_code, reason = "each test binary uses its own part of this")]
#[path = "live/live.rs"]
mod live;

mod process {
    mod doors;
    mod fixture;
    mod log;
    mod memory;
    mod signals;
    mod starts;
    mod unit;
}
