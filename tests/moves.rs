//! Tenants that change pools with all that is kept of it on a disk, in virtual time.
//!
//! Many at once, again and again, and on a full disk, and beside a clock that jumps.
#![allow(
    clippy::panic,
    dead_code,
    reason = "a test ends at the first surprise, and the lab can more than each test needs"
)]

#[path = "moves/clocks.rs"]
mod clocks;
#[path = "moves/full_disk.rs"]
mod full_disk;
#[path = "moves/many.rs"]
mod many;
#[path = "moves/mover.rs"]
mod mover;
