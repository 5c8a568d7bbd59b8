//! Rolls of zone keys in virtual time: nothing may ever become bogus, and every roll must end or name what stops it.
//!
//! The simulator is the product's own (`mxseal keys simulate`); a second judge that shares no code with it looks at its
//! worlds, too.
#![allow(clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "a test ends at the first surprise")]

#[path = "rollover/chaos.rs"]
mod chaos;
#[path = "rollover/checker.rs"]
mod checker;
#[path = "rollover/crashes.rs"]
mod crashes;
#[path = "rollover/lab.rs"]
mod lab;
#[path = "rollover/lamp.rs"]
mod lamp;
#[path = "rollover/scenarios.rs"]
mod scenarios;
#[path = "rollover/table.rs"]
mod table;
#[path = "rollover/troubles.rs"]
mod troubles;
