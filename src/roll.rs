//! What lives by facts: the keys of zones, and the TLSA records, addresses and keys of mail hosts.
//!
//! Pure. Each kind of life has a folder with its facts, its one rule and its steps; what all of them share stands beside
//! these folders.

pub mod clock;
pub mod hosts;
pub mod item;
pub mod life;
pub mod reason;
pub mod zone;
