//! `check` is to be trusted: it says what a server would say, and sees the slips that other checkers see.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

#[path = "check/agree.rs"]
mod agree;
#[allow(dead_code, reason = "each test binary uses its own part of this")]
#[path = "live/live.rs"]
mod live;
#[path = "check/slips.rs"]
mod slips;
#[path = "check/user.rs"]
mod user;
