//! How the world sees us: what our own addresses answer, what the parent says, and how it is told of a change.
//!
//! All of it blocks, for seconds and up to minutes: one thread of the caller's runs it, and the control thread never
//! does. Nothing here keeps state or decides anything; silence, a timeout and an answer that does not validate are all
//! reported as what they are, never as an answer.

pub mod anchors;
pub mod before;
pub mod chain;
pub mod client;
mod denial;
pub mod dsync;
mod hints;
pub mod holders;
pub mod message;
pub mod notify;
pub mod own;
pub mod parent;
pub mod pool;
mod round;
pub mod verify;
pub mod walk;
