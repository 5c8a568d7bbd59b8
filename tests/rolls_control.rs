//! Keys roll in a real server, in seconds: all that a resolver may hold validates at every moment, and every roll ends.
#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    reason = "a test ends at the first surprise"
)]

#[path = "rolls_control/judge.rs"]
mod judge;
#[path = "live/live.rs"]
mod live;
#[path = "rolls_control/registry.rs"]
mod registry;
#[path = "rolls_control/shard.rs"]
mod shard;
