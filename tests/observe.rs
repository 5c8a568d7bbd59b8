//! What the server sees over the wire: its own answers, the DS at parents of other makes, and servers that misbehave.
//!
//! Knot and BIND are the parents; a program that is not installed fails its tests, since `tests/run` installs them all.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

#[allow(dead_code, reason = "each test binary uses its own part of this")]
#[path = "live/live.rs"]
mod live;

mod observe {
    mod discovery;
    mod faults;
    mod notify;
    mod own;
    mod parents;
    mod relay;
    mod zones;
}
