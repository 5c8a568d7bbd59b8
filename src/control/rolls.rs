//! The keys of each zone as they roll: what is recorded of them, what is served of it, and whether that was seen.
//!
//! [`crate::roll`] decides; here its steps are made. A fact is durable before anything follows from it, a key set proves
//! itself before it is recorded, and nothing counts as served that was not seen on the wire.

pub mod build;
pub mod clock;
pub mod findings;
pub mod gauges;
pub mod import;
pub mod limits;
mod numbers;
pub mod past;
pub mod state;
mod unread;

pub use clock::Shift;
pub use state::{ParentSigned, Rolls, ZoneRoll};
