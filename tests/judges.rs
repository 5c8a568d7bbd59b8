//! The real server on real sockets, judged by programs of others: resolvers that validate, clients, another server.
//!
//! A judge that is not installed fails its tests: `tests/run` installs them all.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test ends at the first surprise and says what it skips"
)]

#[allow(dead_code, reason = "each test binary uses its own part of this")]
#[path = "live/live.rs"]
mod live;

mod judges {
    mod churn;
    mod clocks;
    mod confined;
    mod edns;
    mod encrypted;
    mod fixture;
    mod resolvers;
    mod twin;
    mod two_servers;
    mod windows;
}
