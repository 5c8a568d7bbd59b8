//! A small validating resolver: it walks from the root to a name, and believes only what is signed.

pub mod anchors;
pub mod chain;
pub mod client;
pub(crate) mod denial;
pub(crate) mod hints;
pub mod message;
pub mod proved;
pub mod verify;
pub mod walk;
