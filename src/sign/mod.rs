//! Signing: turns keys and records into signatures and proofs of absence.

pub mod key;
