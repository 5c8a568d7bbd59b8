//! How the world sees us: what our own addresses answer, what the parent says, and how it is told of a change.
//!
//! All of it blocks, for seconds and up to minutes: one thread of the caller's runs it, and the control thread never
//! does. Nothing here keeps state or decides anything; silence, a timeout and an answer that does not validate are all
//! reported as what they are, never as an answer.

pub(crate) mod addresses;
pub mod asker;
pub mod before;
pub mod dsync;
pub mod holders;
pub mod notify;
pub mod observer;
pub mod own;
pub mod parent;
pub mod pool;
mod round;
