//! A zone's keys through years of virtual time, with whatever may go wrong, judged at every moment.
//!
//! The server in it is the real one: the same decisions, the same facts, the same clock. Only keys are numbers, files are
//! values, and time passes as fast as it can be counted. Nothing here touches a real file or clock.

mod clocks;
mod ends;
mod eyes;
mod faults;
pub mod judge;
mod kinds;
pub mod parent;
pub mod world;

pub use faults::{Fault, Outcome, Setup, run};
